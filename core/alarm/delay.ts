// The delay machine: what a rule says at a moment, and how long it must have said so. Signals are
// judged, delays run, occurrences get their names. Pure; a verdict is plain JSON.
import { unreachable } from '../fault.ts';
import { occurrenceName } from './digest.ts';
import type { NoDataRule, Rule } from './rule.ts';
import { isBeyondLimit, isClearOfLimit } from './rule.ts';
import type { Memory } from './signal.ts';

/** A break of more polls than this is a hole: one lost answer and one late one are everyday. */
export const HOLE_PERIODS = 3;

export interface Subject {
  /** `gateway/device/point`. */
  readonly key: string;
  readonly periodMs: number;
  readonly rule: Rule;
  /** Told each moment of a signal made from the value: one input may bring several. */
  readonly heard?: (signal: number | null, verdict: Verdict) => void;
}

/** `rising`: beyond, the on-delay runs. `falling`: no longer, the off-delay runs. */
export const phases = ['normal', 'rising', 'active', 'falling'] as const;
export type Phase = (typeof phases)[number];

export interface First {
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
  readonly value: number | null;
}

export interface Verdict {
  readonly phase: Phase;
  /** When the running delay began, and its label; meaningless when none runs. */
  readonly sinceMonoMs: number;
  readonly sinceAtMs: number;
  /** Since when a bad value stops the running delay; -1 when it runs. */
  readonly heldMonoMs: number;
  /** The first sample beyond, of the excursion that is rising, active or falling. */
  readonly first: First | null;
  /** Set while active or falling. */
  readonly occurrence: string | null;
  /** What the rule keeps to make its signal; those judged by the value alone keep nothing. */
  readonly memory?: Memory;
}

export interface Transition {
  readonly kind: 'begins' | 'ends';
  readonly occurrence: string;
  /** When it became true: the first sample plus the on-delay, or the end plus the off-delay. */
  readonly monoMs: number;
  readonly atMs: number;
  readonly value: number | null;
  readonly first: First;
}

export const NO_VERDICT: Verdict = {
  phase: 'normal',
  sinceMonoMs: 0,
  sinceAtMs: 0,
  heldMonoMs: -1,
  first: null,
  occurrence: null,
};
/** A rule with a signal: the value itself, or what is made from it. */
type SignalledRule = Exclude<Rule, NoDataRule>;

/** In alarm at this signal: high at or above its limit, low at or below, a state when named. */
export function isBeyond(rule: SignalledRule, signal: number): boolean {
  switch (rule.kind) {
    case 'state':
      return rule.states.includes(signal);
    case 'frozen':
      return signal <= rule.band;
    case 'duration':
      return signal >= rule.totalMs;
    case 'cusum':
      return signal >= rule.limit;
    default:
      return isBeyondLimit(rule, signal);
  }
}

/** An active alarm may end: the signal is beyond the deadband on the good side. */
export function isClear(rule: SignalledRule, signal: number): boolean {
  switch (rule.kind) {
    case 'state':
    case 'frozen':
    case 'duration':
      return !isBeyond(rule, signal);
    case 'cusum':
      return signal < rule.limit - rule.deadband;
    default:
      return isClearOfLimit(rule, signal);
  }
}

// A restart reports every point anew: as long as that report has not come, coverage tells nothing
// of the value, and the one from before the restart runs no delay.
export function halt(verdict: Verdict): Verdict {
  if (verdict.phase === 'rising') return NO_VERDICT;
  return verdict.phase === 'falling' ? { ...verdict, phase: 'active', heldMonoMs: -1 } : verdict;
}

/** A time at which the signal is known; its value is the one to show. */
export interface Moment {
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
  readonly value: number | null;
  /** What the limit is put to. */
  readonly signal: number | null;
  readonly usable: boolean;
}

export function judge(rule: Rule, verdict: Verdict, moment: Moment): Verdict {
  if (rule.kind === 'no-data') return move(verdict, moment, !moment.usable, moment.usable);
  if (!moment.usable || moment.signal === null || Number.isNaN(moment.signal)) {
    const isRunning = verdict.phase === 'rising' || verdict.phase === 'falling';
    if (!isRunning || verdict.heldMonoMs >= 0) return verdict;
    return { ...verdict, heldMonoMs: moment.monoMs };
  }
  return move(
    resume(verdict, moment.monoMs),
    moment,
    isBeyond(rule, moment.signal),
    isClear(rule, moment.signal),
  );
}

/** What the signal was made from is no longer to the point; what was found with it stands. */
export function withoutMemory(verdict: Verdict): Verdict {
  if (!verdict.memory) return verdict;
  const { memory: _, ...bare } = verdict;
  return halt(bare);
}

function resume(verdict: Verdict, monoMs: number): Verdict {
  if (verdict.heldMonoMs < 0) return verdict;
  const heldMs = Math.max(0, monoMs - verdict.heldMonoMs);
  return {
    ...verdict,
    sinceMonoMs: verdict.sinceMonoMs + heldMs,
    sinceAtMs: verdict.sinceAtMs + heldMs,
    heldMonoMs: -1,
  };
}

function move(verdict: Verdict, moment: Moment, beyond: boolean, clear: boolean): Verdict {
  const { epoch, monoMs, atMs, value } = moment;
  const since = { sinceMonoMs: monoMs, sinceAtMs: atMs, heldMonoMs: -1 };
  switch (verdict.phase) {
    case 'normal':
      if (!beyond) return verdict;
      return { ...verdict, ...since, phase: 'rising', first: { epoch, monoMs, atMs, value } };
    case 'rising':
      return beyond ? verdict : NO_VERDICT;
    case 'active':
      return clear ? { ...verdict, ...since, phase: 'falling' } : verdict;
    case 'falling':
      return clear ? verdict : { ...verdict, phase: 'active' };
    default:
      return unreachable(verdict.phase);
  }
}

export function delayMs(rule: Rule, phase: 'rising' | 'falling'): number {
  if (phase === 'falling') return rule.offDelayMs;
  return rule.kind === 'no-data' ? rule.onDelayMs + rule.silentMs : rule.onDelayMs;
}

// Ends the running delay if its end lies before `untilMonoMs`.
export function run(
  { key, rule }: Subject,
  verdict: Verdict,
  value: number | null,
  untilMonoMs: number,
): [Verdict, readonly Transition[]] {
  const { phase, first } = verdict;
  if (phase === 'normal' || phase === 'active' || verdict.heldMonoMs >= 0 || first === null) {
    return [verdict, []];
  }
  const lengthMs = delayMs(rule, phase);
  const monoMs = verdict.sinceMonoMs + lengthMs;
  if (monoMs >= untilMonoMs) return [verdict, []];
  const atMs = verdict.sinceAtMs + lengthMs;
  if (phase === 'rising') {
    const occurrence = occurrenceName(key, rule.id, first.epoch, first.monoMs);
    const begins: Transition = { kind: 'begins', occurrence, monoMs, atMs, value, first };
    return [{ ...verdict, phase: 'active', occurrence }, [begins]];
  }
  const occurrence = verdict.occurrence ?? '';
  return [NO_VERDICT, [{ kind: 'ends', occurrence, monoMs, atMs, value, first }]];
}
