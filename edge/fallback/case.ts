// One alarm that a local fallback is for, from its raise to its end, and the output it may be
// driven for. Pure: what is so now, what is to be done, and what of it is kept.
//
//   raise ─> waiting ─┬─ limit, or cloud away ─> due ─┬─ command ─> driven ─ no need ─> stopped
//                     ├─ confirmed ─> stopped         ├─ confirmed ─> stopped
//                     └─ over ─> gone                 └─ over ─> gone
//
// `due` is left only when the output may have been driven: what an interlock holds, and what a
// device does not take, is tried again as long as the alarm is neither confirmed nor over. A case
// is gone when its alarm is over and its output is not driven for it.
import type { CommandReason, Outcome } from '../../core/command.ts';
import type { FallbackAlarm } from '../../protocols/uplink/fallback-wire.ts';
import type { FallbackConfig, OutputCommand } from '../config/fallback.ts';
import type { KeptEvaluation } from './evaluation.ts';

export const casePhases = ['waiting', 'due', 'driven', 'stopped'] as const;
export type CasePhase = (typeof casePhases)[number];

/** What became of the last attempt. */
export interface Said {
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  readonly detail: string;
}

/** As it is kept, JSON. */
export interface KeptCase extends FallbackAlarm {
  readonly fallback: string;
  phase: CasePhase;
  /** Wall time of the raise, and for how long it has been waited when this was kept. */
  readonly raisedMs: number;
  waitedMs: number;
  confirmedBy: string | null;
  isOver: boolean;
  /** Commands to drive that came to nothing. */
  attempts: number;
  /** Wall time at which the output was driven for it; null before. */
  drivenMs: number | null;
  drivenForMs: number;
  said: Said | null;
}

/** One that runs: times of the monotonic clock. */
export interface Case extends KeptCase {
  raisedMonoMs: number;
  drivenMonoMs: number | null;
  /** Not tried again before. */
  retryMonoMs: number;
  heldBy: string | null;
}

/** An output as it is kept, JSON. */
export interface KeptOutput extends OutputCommand {
  /** Of the last fallback that drove it. */
  fallback: string;
  /** `maybe`: a command was sent, and nobody knows what came of it. */
  isOn: 'yes' | 'no' | 'maybe';
  /** The command that drove it last; '' for none. */
  firedBy: string;
  /** Alarms it was driven for since it was off. */
  alarms: FallbackAlarm[];
  /** Of the site's file when it was driven: it is released by that, should the file change. */
  release: Pick<OutputCommand, 'command' | 'value'> | null;
  /** Releases that came to nothing. */
  attempts: number;
}

export interface Output extends KeptOutput {
  /** One command at a time. */
  isBusy: boolean;
  retryMonoMs: number;
  heldBy: string | null;
  /** Since when `isOn` is what it is. */
  sinceMonoMs: number;
  /** In this run: else what needs it may not be known yet. */
  isDrivenHere: boolean;
}

const KEPT_VERSION = 1;

/** JSON, in a word of the outbox. */
export interface KeptFallbacks {
  readonly version: typeof KEPT_VERSION;
  readonly evaluation: KeptEvaluation;
  readonly cases: readonly KeptCase[];
  readonly outputs: readonly KeptOutput[];
}

export function keyOfOutput({ device, point }: Pick<OutputCommand, 'device' | 'point'>): string {
  return `${device}/${point}`;
}

/** When a waiting case is due at the latest. */
export function limitMonoMs({ raisedMonoMs }: Case, { confirmWithinMs }: FallbackConfig): number {
  return raisedMonoMs + confirmWithinMs;
}

/** Why a waiting case is due now; null while it is not. */
export function whyDue(
  it: Case,
  config: FallbackConfig,
  { nowMonoMs, isCloudAway }: { readonly nowMonoMs: number; readonly isCloudAway: boolean },
): 'unconfirmed' | 'cloud-away' | null {
  if (it.phase !== 'waiting' || it.isOver || it.confirmedBy !== null) return null;
  if (isCloudAway && config.cloudAway === 'at_once') return 'cloud-away';
  return nowMonoMs >= limitMonoMs(it, config) ? 'unconfirmed' : null;
}

/** Why a driven case needs its output no more; null while it does. */
export function whyDone(
  it: Case,
  release: FallbackConfig['release'],
  nowMonoMs: number,
): 'confirmed' | 'cleared' | 'after' | null {
  if (release === null || it.drivenMonoMs === null) return null;
  if (it.confirmedBy !== null && release.on.includes('confirmed')) return 'confirmed';
  if (it.isOver && release.on.includes('cleared')) return 'cleared';
  const { afterMs } = release;
  return afterMs !== null && nowMonoMs >= it.drivenMonoMs + afterMs ? 'after' : null;
}

export function newCase(
  fallback: string,
  alarm: FallbackAlarm,
  { raisedMs, raisedMonoMs }: { readonly raisedMs: number; readonly raisedMonoMs: number },
): Case {
  const { occurrence, device, point, rule } = alarm;
  return {
    ...{ fallback, occurrence, device, point, rule, raisedMs, raisedMonoMs },
    ...{ phase: 'waiting', waitedMs: 0, confirmedBy: null, isOver: false, attempts: 0 },
    ...{ drivenMs: null, drivenForMs: 0, drivenMonoMs: null, said: null },
    ...{ retryMonoMs: Number.NEGATIVE_INFINITY, heldBy: null },
  };
}

export function newOutput({ id, output, release }: FallbackConfig): Output {
  const { device, point, command, value } = output;
  return {
    ...{ device, point, command, value, fallback: id, isOn: 'no', firedBy: '', alarms: [] },
    ...{ release: releaseOf(release), attempts: 0, isBusy: false, heldBy: null },
    ...{ retryMonoMs: Number.NEGATIVE_INFINITY, sinceMonoMs: Number.NEGATIVE_INFINITY },
    isDrivenHere: false,
  };
}

export function releaseOf(release: FallbackConfig['release']): KeptOutput['release'] {
  return release && { command: release.command, value: release.value };
}

/**
 * How long something has lasted that began at `sinceMs` by the wall clock and had lasted `keptMs`
 * when that was kept, in a run before. A clock that went back, or was never set, says nothing: then
 * it lasts on from what is known. One that was set forward makes it longer: it acts sooner.
 */
export function lastedMs(sinceMs: number, keptMs: number, nowMs: number): number {
  return Math.max(keptMs, nowMs - sinceMs);
}

export function keptCase(it: Case, nowMonoMs: number): KeptCase {
  const { raisedMonoMs, drivenMonoMs, retryMonoMs: _, heldBy: __, ...kept } = it;
  const drivenForMs = drivenMonoMs === null ? 0 : Math.round(nowMonoMs - drivenMonoMs);
  return { ...kept, waitedMs: Math.round(nowMonoMs - raisedMonoMs), drivenForMs };
}

export function revivedCase(
  kept: KeptCase,
  { nowMonoMs, wallMs }: { readonly nowMonoMs: number; readonly wallMs: number },
): Case {
  const { raisedMs, waitedMs, drivenMs, drivenForMs } = kept;
  return {
    ...kept,
    raisedMonoMs: nowMonoMs - lastedMs(raisedMs, waitedMs, wallMs),
    drivenMonoMs: drivenMs === null ? null : nowMonoMs - lastedMs(drivenMs, drivenForMs, wallMs),
    ...{ retryMonoMs: Number.NEGATIVE_INFINITY, heldBy: null },
  };
}

export function keptOutput(it: Output): KeptOutput {
  const { device, point, command, value, fallback, isOn, firedBy } = it;
  const { alarms, release, attempts } = it;
  return { device, point, command, value, fallback, isOn, firedBy, alarms, release, attempts };
}

export function revivedOutput(kept: KeptOutput): Output {
  const never = Number.NEGATIVE_INFINITY;
  const fresh = { isBusy: false, heldBy: null, isDrivenHere: false };
  return { ...kept, ...fresh, retryMonoMs: never, sinceMonoMs: never };
}

/** Whether a command with this end may have reached what it was for. */
export function mayBeDone({ outcome, reason }: Said): boolean {
  return outcome === 'done' || outcome === 'uncertain' || reason === 'read_back_differs';
}

/** Null for what is not there, or was written by another version. */
export function readKept(text: string | undefined): KeptFallbacks | null {
  if (text === undefined) return null;
  const kept = JSON.parse(text) as KeptFallbacks;
  return kept.version === KEPT_VERSION ? kept : null;
}
