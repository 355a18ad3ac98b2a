// A stretch of history: what live evaluation jumped over, from the state before it to the first
// thing known after it, and what came live since. Values, and what is decided by them alone; what
// they mean for alarms is in history.ts. A stretch is JSON.
import { occurrenceName } from '../../core/alarm/digest.ts';
import type {
  Evaluation,
  First,
  Input,
  Sample,
  Subject,
  Transition,
  Verdict,
} from '../../core/alarm/evaluate.ts';
import { isBeyond, isClear, NOT_SEEN } from '../../core/alarm/evaluate.ts';
import type { DirectRule } from '../../core/alarm/rule.ts';
import { isSilent } from '../../core/quality.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';

/** An input as long as a record before its own is missing. */
interface Waiting {
  readonly sequence: number;
  readonly input: LateInput;
}

export type LateInput = Exclude<Input, { kind: 'passed' | 'other' }>;

/** Something late and the record that brought it. */
export interface Late {
  readonly input: LateInput;
  readonly sequence: number;
  /** A sample that its record says no coverage of: that comes with another. */
  readonly isAwaited?: true;
}

export interface Moment {
  readonly epoch: Epoch;
  readonly monoMs: number;
  readonly atMs: number;
}

export interface Stretch {
  readonly epoch: Epoch;
  readonly fromMonoMs: number;
  /** First live time after it; null for a stretch that runs to the end of its epoch. */
  readonly untilMonoMs: number | null;
  /** The first thing known after the stretch. */
  end: Sample | null;
  /** By rule. */
  states: Record<string, Evaluation>;
  /**
   * Something of it was evaluated, or the one before it has closed: `states` are no longer those of
   * its beginning.
   */
  isBegun: boolean;
  /** Occurrences from before the stretch that ended in it: by rule, when. */
  ended: Record<string, { readonly occurrence: string; readonly atMs: number }>;
  /** A sample of it, or of those before that it goes on from, was on the good side: by rule. */
  wasClear: Record<string, true>;
  /** The newest of its own samples on the good side: by rule, when. */
  clearMonoMs: Record<string, number>;
  /** First live sample, from the end on, at which the rule's alarm would end: by rule. */
  cleared: Record<string, Moment>;
  /** First live sample beyond that nothing has cleared since, after the end: by rule. */
  risen: Record<string, First>;
  /** The first sample beyond of the first run after the end that was cleared again: by rule. */
  again: Record<string, First>;
  /** In the order of sequence, then of coming. */
  waiting: Waiting[];
  heardMs: number;
  /** The newest missing sequence when that was the reason; null for a hole in time. */
  readonly missing: number | null;
  /** The beginning of an epoch: it goes on from what the one before ended with. */
  readonly isFirst?: true;
  /** The stretch that begins the next epoch goes on from what was found in this one. */
  isPassedOn?: true;
}

/** A sample inside. */
export function noteLate(
  { wasClear, clearMonoMs, epoch }: Stretch,
  rule: DirectRule,
  { value, quality, ...sample }: Sample,
): void {
  if (rule.kind === 'no-data' || value === null || isSilent(quality)) return;
  if (!isClear(rule, value)) return;
  wasClear[rule.id] = true;
  const monoMs = Math.max(clearMonoMs[rule.id] ?? -1, sample.monoMs);
  if (sample.epoch === epoch) clearMonoMs[rule.id] = monoMs;
}

/**
 * Whether history found no more of what holds at the end than the end itself, and live evaluation
 * saw all of it: it has been beyond since before the end, and nothing of the stretch was clear
 * since.
 */
export function isWholeLive(
  { end, epoch, clearMonoMs }: Stretch,
  last: Verdict,
  live: Verdict,
  rule: string,
): boolean {
  const isAtEnd = last.first?.epoch === end?.epoch && last.first?.monoMs === end?.monoMs;
  if (!end || !isAtEnd || live.first?.epoch !== end.epoch) return false;
  if (live.first.monoMs > end.monoMs) return false;
  return epoch !== end.epoch || (clearMonoMs[rule] ?? -1) < live.first.monoMs;
}

/** A live sample from the end on: the first that clears the rule, and since when it is beyond. */
export function noteLive(
  { cleared, risen, again }: Stretch,
  rule: DirectRule,
  sample: Sample,
): void {
  const { epoch, monoMs, atMs, value } = sample;
  if (rule.kind === 'no-data' || (value !== null && isClear(rule, value))) {
    cleared[rule.id] ??= { epoch, monoMs, atMs };
    const first = risen[rule.id];
    if (first) again[rule.id] ??= first;
    delete risen[rule.id];
  } else if (value !== null && isBeyond(rule, value)) {
    risen[rule.id] ??= { epoch, monoMs, atMs, value };
  }
}

/**
 * What came after a stretch, was cleared again at `clearMs`, and was taken for the rest of what had
 * ended in the stretch: an alarm of its own, its beginning and its end, when it held for its delay.
 */
export function ranAgain(
  { key, rule }: Subject,
  first: First,
  clearMs: number,
): readonly Transition[] {
  if (clearMs - first.atMs <= rule.onDelayMs) return [];
  const occurrence = occurrenceName(key, rule.id, first.epoch, first.monoMs);
  const at = (ms: number) => ({ monoMs: first.monoMs + ms - first.atMs, atMs: ms });
  const of = { occurrence, value: first.value, first };
  return [
    { kind: 'begins', ...of, ...at(first.atMs + rule.onDelayMs) },
    { kind: 'ends', ...of, ...at(clearMs + rule.offDelayMs) },
  ];
}

/**
 * Where live evaluation took the beginning of another excursion for the rest of one that is over.
 */
export function risingSince(first: First | undefined): Verdict | null {
  if (!first) return null;
  const since = { sinceMonoMs: first.monoMs, sinceAtMs: first.atMs, heldMonoMs: -1 };
  return { phase: 'rising', ...since, first, occurrence: null };
}

// The stretch after this one in its epoch, where nothing of it has been evaluated yet.
export function followedBy<Holder extends { readonly stretch: Stretch }>(
  { end, epoch }: Stretch,
  others: readonly Holder[],
): Holder | undefined {
  if (end?.epoch !== epoch) return undefined;
  const [next] = others
    .filter(({ stretch: it }) => it.epoch === epoch && it.fromMonoMs >= end.monoMs)
    .sort((a, b) => a.stretch.fromMonoMs - b.stretch.fromMonoMs);
  return next?.stretch.isBegun === false ? next : undefined;
}

// The state from which the next stretch is evaluated was live evaluation's, which jumped over this
// one: what was found here goes on there, unless a clear value lies between the two, or all of
// another excursion up to there. True when so.
export function handOver(
  { end, cleared, wasClear }: Stretch,
  last: Verdict,
  next: Stretch,
  rule: string,
): boolean {
  const state = next.states[rule];
  const clear = cleared[rule];
  const isAdjacent = next.fromMonoMs === end?.monoMs;
  const isBetween = clear !== undefined && clear.monoMs <= next.fromMonoMs;
  if (!state || (isBetween && !isAdjacent)) return false;
  const { first } = state.verdict;
  const isAfter = first !== null && first.epoch === end?.epoch && first.monoMs > end.monoMs;
  if (last.phase === 'normal' && isAfter) return false;
  next.states[rule] = { ...state, verdict: last };
  if (wasClear[rule]) next.wasClear[rule] = true;
  return true;
}

/** The end of the epoch before, of which something was evaluated; `others` in order of opening. */
export function endBefore<Holder extends { readonly id: number; readonly stretch: Stretch }>(
  first: Holder,
  others: readonly Holder[],
): Holder | undefined {
  const { epoch } = first.stretch;
  const before = others.findLast(
    // From a sample on to the end: what live evaluation left, and no blank.
    ({ id, stretch: it }) =>
      id < first.id && it.epoch !== epoch && it.untilMonoMs === null && it.fromMonoMs >= 0,
  );
  return before?.stretch.isBegun ? before : undefined;
}

/** What was found at the end of an epoch goes on in the first stretch of the next. */
export function passOn(before: Stretch, first: Stretch): void {
  const { states, ended, wasClear } = before;
  before.isPassedOn = true;
  for (const [rule, { verdict }] of Object.entries(states)) {
    first.states[rule] = { track: NOT_SEEN, verdict };
  }
  first.ended = { ...ended };
  first.wasClear = { ...wasClear };
}

/** What goes on in a stretch has turned out to be the alarm `occurrence`. */
export function rename({ states }: Stretch, rule: string, occurrence: string): void {
  const state = states[rule];
  if (state) states[rule] = { ...state, verdict: { ...state.verdict, occurrence } };
}

type Beginning = Pick<Stretch, 'epoch' | 'fromMonoMs' | 'untilMonoMs' | 'end' | 'missing'>;

export function stretchFrom(
  beginning: Beginning,
  states: Stretch['states'],
  heardMs: number,
): Stretch {
  const nothing = {
    ended: {},
    wasClear: {},
    clearMonoMs: {},
    cleared: {},
    risen: {},
    again: {},
    waiting: [],
    isBegun: false,
  };
  return { ...beginning, ...nothing, states, heardMs };
}

export function blankStretch(epoch: Epoch, present: Sample | null, heardMs: number): Stretch {
  const untilMonoMs = present?.epoch === epoch ? present.monoMs : null;
  const span = { epoch, fromMonoMs: -1, untilMonoMs, end: present, missing: null };
  return stretchFrom(span, {}, heardMs);
}
