// What a changed rule would have raised on stored data, and what the one in force would have: the
// kernel that judges live, over the recording of the store, for both. Pure but for the store that
// is asked; it runs where the store is, for a recording goes by epoch and monotonic time, which the
// API does not hand out, and 20,000 rows at a time, so that the thread serves others between them.
//
// A recording in the order it was taken gives exactly the alarms that were raised live. What the
// live evaluation alone knows is not in a recording: a device that nobody asked any more while its
// gateway was heard, and the state of a comparison; no-data rules see failed reads only, and
// comparisons are named as left out.
import { isHighSignal } from '../../core/alarm/check.ts';
import type { First } from '../../core/alarm/delay.ts';
import type { Evaluation, Input, Subject } from '../../core/alarm/evaluate.ts';
import { FRESH, step } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { isDirect } from '../../core/alarm/rule.ts';
import { describeSignal } from '../../core/alarm/signalled.ts';
import type { Span, Store } from '../store/store.ts';
import { recorded } from './recording.ts';

/** Of each list of a rule; more are counted. */
export const REPLAYED_LISTED_MAX = 200;
/** Of a rule, to be compared; one every second for a day. */
export const REPLAYED_MAX = 86_400;
/** Inputs put to rules, about ten seconds of a core; the rules behind are named as left out. */
export const REPLAY_STEPS_MAX = 10_000_000;
/** Rules of points, in one replay. */
export const REPLAY_RULES_MAX = 2_000;
export const REPLAY_SPAN_MAX_MS = 400 * 86_400_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface ReplayedAlarm {
  readonly beganMs: number;
  readonly raisedMs: number;
  /** Null: still on at the end of the recording. */
  readonly clearedMs: number | null;
  /** The most extreme signal of it, in the unit of the signal; null where the rule has no side. */
  readonly peak: number | null;
}

export interface Replayed {
  /** Raised within the span. */
  readonly count: number;
  /** Part of the span in which it was on. */
  readonly share: number;
  /** Oldest first; the first REPLAYED_MAX. */
  readonly alarms: readonly ReplayedAlarm[];
}

/** One rule on one series of which inputs come in order. */
export class Rerun {
  readonly #subject: Subject;
  readonly #span: Span;
  readonly #alarms: ReplayedAlarm[] = [];
  #state: Evaluation = FRESH;
  /** Of each excursion since the last quiet input, by its beginning: one input may end one. */
  readonly #peaks = new Map<string, number>();
  #on: { readonly first: First; readonly raisedMs: number } | null = null;
  #onMs = 0;
  #count = 0;
  #knownMs: number;

  constructor(subject: Subject, span: Span) {
    this.#subject = isDirect(subject.rule)
      ? subject
      : { ...subject, heard: (signal, { first }) => this.#hear(signal, first) };
    this.#span = span;
    this.#knownMs = span.fromMs;
  }

  take(input: Input): void {
    const [after, transitions] = step(this.#subject, this.#state, input);
    this.#state = after;
    const { rule } = this.#subject;
    if (isDirect(rule)) this.#hear(describeSignal(rule, after), after.verdict.first);
    this.#knownMs = Math.max(this.#knownMs, input.atMs);
    for (const { kind, atMs, first } of transitions) {
      if (kind === 'begins') this.#on = { first, raisedMs: atMs };
      else this.#end(atMs);
    }
    if (after.verdict.phase === 'normal') this.#peaks.clear();
  }

  finish(): Replayed {
    const { fromMs, toMs } = this.#span;
    if (this.#on) this.#keep(this.#on, null, Math.min(this.#knownMs, toMs));
    this.#on = null;
    return { count: this.#count, share: this.#onMs / (toMs - fromMs), alarms: this.#alarms };
  }

  #hear(signal: number | null, first: First | null): void {
    const { rule } = this.#subject;
    if (first === null || !('side' in rule) || signal === null || Number.isNaN(signal)) return;
    const peak = this.#peaks.get(nameOf(first)) ?? signal;
    // The time beyond a limit of either side only rises with the excursion.
    const isHigh = rule.kind === 'duration' || isHighSignal(rule);
    const most = isHigh ? Math.max(peak, signal) : Math.min(peak, signal);
    this.#peaks.set(nameOf(first), most);
  }

  #end(atMs: number): void {
    const on = this.#on;
    this.#on = null;
    if (on) this.#keep(on, Math.max(atMs, on.raisedMs), atMs);
  }

  #keep(
    { first, raisedMs }: { readonly first: First; readonly raisedMs: number },
    clearedMs: number | null,
    untilMs: number,
  ): void {
    const { fromMs, toMs } = this.#span;
    this.#onMs += Math.max(0, Math.min(untilMs, toMs) - Math.max(raisedMs, fromMs));
    if (raisedMs < fromMs || raisedMs >= toMs) return;
    this.#count++;
    if (this.#alarms.length >= REPLAYED_MAX) return;
    const peak = this.#peaks.get(nameOf(first)) ?? null;
    this.#alarms.push({ beganMs: first.atMs, raisedMs, clearedMs, peak });
  }
}

const nameOf = ({ epoch, monoMs }: First) => `${epoch} ${monoMs}`;

/** Those of `alarms` during which none of `others` was on. Both oldest first. */
export function without(
  alarms: readonly ReplayedAlarm[],
  others: readonly ReplayedAlarm[],
): ReplayedAlarm[] {
  const endOf = ({ clearedMs }: ReplayedAlarm) => clearedMs ?? Number.POSITIVE_INFINITY;
  let next = 0;
  return alarms.filter((alarm) => {
    while (next < others.length && endOf(others[next]!) < alarm.raisedMs) next++;
    const other = others[next];
    return other === undefined || other.raisedMs > endOf(alarm);
  });
}

/** How long before a span a rule must have seen its series to be what it would have been. */
export function leadMs(rule: Rule): number {
  switch (rule.kind) {
    case 'rate':
      return rule.overMs + rule.onDelayMs + HOUR_MS;
    case 'statistic':
    case 'duration':
      return rule.windowMs + rule.onDelayMs + HOUR_MS;
    case 'frozen':
      return rule.forMs + rule.onDelayMs + HOUR_MS;
    case 'no-data':
      return rule.silentMs + rule.onDelayMs + HOUR_MS;
    case 'night-flow':
      return 2 * DAY_MS + rule.onDelayMs;
    case 'cusum':
      return DAY_MS + rule.onDelayMs;
    default:
      return rule.onDelayMs + HOUR_MS;
  }
}

export interface ReplayJob {
  readonly series: number;
  /** `gateway/device/point`. */
  readonly key: string;
  readonly periodMs: number;
  readonly rule: Rule;
  /** The one of the same name that is in force. */
  readonly present: Rule | null;
}

export type LeftOut = 'comparison' | 'too-much';

export interface ReplayedRule {
  readonly job: ReplayJob;
  readonly changed: Replayed;
  /** Null where no rule of this name is in force. */
  readonly present: Replayed | null;
  /** Alarms of the changed rule while none of the present one was on, and the other way round. */
  readonly added: readonly ReplayedAlarm[];
  readonly gone: readonly ReplayedAlarm[];
}

export interface ReplayResult {
  readonly rules: readonly ReplayedRule[];
  readonly left: readonly { readonly job: ReplayJob; readonly why: LeftOut }[];
  /** Inputs put to rules. */
  readonly steps: number;
  /** A part of the stored data could not be read: more may have been raised. */
  readonly unreadable: boolean;
}

/** `turn` lets others have the thread; it is called between pages. */
export async function replay(
  store: Pick<Store, 'history'>,
  jobs: readonly ReplayJob[],
  span: Span,
  turn: () => Promise<void>,
): Promise<ReplayResult> {
  const left: { job: ReplayJob; why: LeftOut }[] = [];
  const rules: ReplayedRule[] = [];
  let steps = 0;
  let unreadable = false;
  for (const [series, group] of bySeries(jobs)) {
    const able = group.filter(({ rule, present }) => isReplayable(rule) && isReplayable(present));
    for (const job of group) if (!able.includes(job)) left.push({ job, why: 'comparison' });
    const reruns = able.map((job) => rerunsOf(job, span));
    const all = reruns.flatMap(({ changed, present }) =>
      present ? [changed, present] : [changed],
    );
    const lead = Math.max(0, ...able.flatMap((job) => [job.rule, job.present]).map(leadOf));
    const periodMs = group[0]!.periodMs;
    let isWhole = true;
    for await (const { inputs, isUnreadable } of recorded(store, series, periodMs, {
      ...{ fromMs: span.fromMs - lead, toMs: span.toMs },
    })) {
      unreadable ||= isUnreadable;
      if (steps + inputs.length * all.length > REPLAY_STEPS_MAX) {
        isWhole = false;
        break;
      }
      steps += inputs.length * all.length;
      for (const rerun of all) for (const input of inputs) rerun.take(input);
      await turn();
    }
    for (const { job, changed, present } of reruns) {
      if (isWhole) rules.push(compared(job, changed.finish(), present?.finish() ?? null));
      else left.push({ job, why: 'too-much' });
    }
  }
  return { rules, left, steps, unreadable };
}

const isReplayable = (rule: Rule | null) => rule?.kind !== 'comparison';
const leadOf = (rule: Rule | null) => (rule ? leadMs(rule) : 0);

function bySeries(jobs: readonly ReplayJob[]): Map<number, ReplayJob[]> {
  const groups = new Map<number, ReplayJob[]>();
  for (const job of jobs) {
    const group = groups.get(job.series);
    if (group) group.push(job);
    else groups.set(job.series, [job]);
  }
  return groups;
}

function rerunsOf(job: ReplayJob, span: Span) {
  const { key, periodMs, rule, present } = job;
  return {
    job,
    changed: new Rerun({ key, periodMs, rule }, span),
    present: present && new Rerun({ key, periodMs, rule: present }, span),
  };
}

function compared(job: ReplayJob, changed: Replayed, present: Replayed | null): ReplayedRule {
  const [now, then] = [changed.alarms, present?.alarms ?? []];
  return { job, changed, present, added: without(now, then), gone: without(then, now) };
}
