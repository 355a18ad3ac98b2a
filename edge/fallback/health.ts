// What a local fallback says of itself, on the status page and to whoever runs the edge.
import type { Value } from '../../core/reading.ts';
import type { Newest } from '../commands/decide.ts';
import type { FallbackConfig } from '../config/fallback.ts';
import { type Case, type CasePhase, keyOfOutput, limitMonoMs, type Output } from './case.ts';

export interface FallbackAlarmHealth {
  readonly occurrence: string;
  /** `device/point`. */
  readonly point: string;
  readonly rule: string;
  readonly state: CasePhase;
  readonly sinceMs: number;
  /** Until the output is driven as things are; null where nothing is waited for. */
  readonly inMs: number | null;
  readonly confirmedBy: string | null;
  /** Why the output is not driven although it is due. */
  readonly heldBy: string | null;
  /** What became of the last attempt. */
  readonly outcome: string | null;
}

export interface FallbackHealth {
  readonly id: string;
  /** `blind`: no rule in force can ever start it. */
  readonly state: 'blind' | 'armed' | 'waiting' | 'due' | 'fired' | 'stopped';
  /** Evaluated here for it. */
  readonly rules: number;
  readonly alarms: readonly FallbackAlarmHealth[];
  readonly output: {
    readonly point: string;
    readonly on: 'yes' | 'no' | 'maybe';
    /** What its newest reading shows. */
    readonly shows: Value;
    readonly releaseHeldBy: string | null;
  };
}

interface Seen {
  readonly rules: number;
  readonly cases: readonly Case[];
  readonly output: Output;
  readonly shown: Newest | undefined;
  readonly nowMonoMs: number;
}

export function healthOf(config: FallbackConfig, seen: Seen): FallbackHealth {
  const { rules, cases, output, shown, nowMonoMs } = seen;
  const phases = cases.map(({ phase }) => phase);
  const state = stateOf(phases, rules);
  return {
    ...{ id: config.id, state, rules },
    alarms: cases.map((it) => ({
      ...{ occurrence: it.occurrence, point: `${it.device}/${it.point}`, rule: it.rule },
      ...{ state: it.phase, sinceMs: Math.round(nowMonoMs - it.raisedMonoMs) },
      inMs:
        it.phase === 'waiting'
          ? Math.max(0, Math.round(limitMonoMs(it, config) - nowMonoMs))
          : null,
      ...{ confirmedBy: it.confirmedBy, heldBy: it.heldBy },
      outcome: it.said && [it.said.outcome, it.said.reason].join('/'),
    })),
    output: {
      ...{ point: keyOfOutput(output), on: output.isOn, releaseHeldBy: output.heldBy },
      shows: typeof shown?.value === 'bigint' ? `${shown.value}` : (shown?.value ?? null),
    },
  };
}

function stateOf(phases: readonly CasePhase[], rules: number): FallbackHealth['state'] {
  if (phases.includes('due')) return 'due';
  if (phases.includes('driven')) return 'fired';
  if (phases.includes('waiting')) return 'waiting';
  if (phases.includes('stopped')) return 'stopped';
  return rules === 0 ? 'blind' : 'armed';
}
