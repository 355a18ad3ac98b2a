// One rule on one series: samples and coverage in, beginnings and ends out. Pure; the state is
// plain JSON.
//
// Time is the gateway's monotonic time within one epoch (`monoMs`); the wall time (`atMs`) of a
// sample only labels the results. A value holds until the next sample, because the edge leaves out
// what did not change:
//   sample   a reading, older ones than the newest known are not for this state and change nothing;
//   covered  the series was polled without a break from `fromMonoMs` until `untilMonoMs`, and what
//            was not reported did not change: this moves the watermark on which delays run;
//   passed   the gateway's time went on and nobody polled the series: only a no-data rule cares.
// A delay that began at t with length d ends at t + d, however late that becomes known and however
// inputs are batched. A sample at t + d exactly speaks first: the condition must hold *at* the end
// of its delay.
//
// A hole of more than HOLE_PERIODS periods between watermark and `fromMonoMs`, and a new epoch,
// restart running delays, an excursion that is rising with its name, and hold everything else. A
// bad value holds the state and stops a running delay like a clock, so that a line that loses every
// fifth answer still raises an alarm, a little later. A device that says that it is not in service
// holds limits the same way, and is not silent: no-data rules take it as heard.
//
// One kernel for all kinds: a signal made from the value, a limit, a delay. Here are the kinds
// whose signal is the value itself; signalled.ts has those with a memory, delay.ts what is common.
import { unreachable } from '../fault.ts';
import { isSilent, type QualityCode } from '../quality.ts';
import type { First, Phase, Subject, Transition, Verdict } from './delay.ts';
import { delayMs, HOLE_PERIODS, halt, isBeyond, isClear, judge, NO_VERDICT, run } from './delay.ts';
import type { Rule } from './rule.ts';
import { isDirect } from './rule.ts';
import { rejudgeSignal, stepPair, stepSignal } from './signalled.ts';

export type { First, Phase, Subject, Transition, Verdict } from './delay.ts';
export { HOLE_PERIODS, isBeyond, isClear, NO_VERDICT, phases, withoutMemory } from './delay.ts';

/** What is known of the series. */
export interface Track {
  /** Null before the first input. */
  readonly epoch: string | null;
  /** Time of the newest sample in this epoch; -1 before the first. */
  readonly sampleMonoMs: number;
  /** Known up to here, by samples or coverage; -1 before the first. */
  readonly markMonoMs: number;
  /** Newest value as a number; null for text and for a bad value. */
  readonly value: number | null;
  /**
   * The newest reading was not silent. Uncertain counts: an unsure clock is no missing data. So
   * does a device not in service, whose value is null.
   */
  readonly usable: boolean;
}

export interface Evaluation {
  readonly track: Track;
  readonly verdict: Verdict;
}

export interface Sample {
  readonly kind: 'sample';
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
  /** Since when the series was polled without a break, where its record says so; else `monoMs`. */
  readonly fromMonoMs: number;
  /** Null for a value that no limit can be put to. */
  readonly value: number | null;
  readonly quality: QualityCode;
}

/** What a comparison compares with: a reading of the other point, or coverage of it as it is. */
export interface Other {
  readonly kind: 'other';
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
  /** Since when it was polled without a break. */
  readonly fromMonoMs: number;
  readonly periodMs: number;
  readonly value: number | null;
  readonly usable: boolean;
}

export type Input =
  | Sample
  | {
      readonly kind: 'covered';
      readonly epoch: string;
      readonly fromMonoMs: number;
      readonly untilMonoMs: number;
      /** Label of `untilMonoMs`. */
      readonly atMs: number;
    }
  | {
      readonly kind: 'passed';
      readonly epoch: string;
      /** Since when the gateway has been heard without a break. */
      readonly sinceMonoMs: number;
      readonly untilMonoMs: number;
      readonly atMs: number;
    }
  | Other;

export const NOT_SEEN: Track = {
  epoch: null,
  sampleMonoMs: -1,
  markMonoMs: -1,
  value: null,
  usable: false,
};
export const FRESH: Evaluation = { track: NOT_SEEN, verdict: NO_VERDICT };

/**
 * True when a newer sample would change nothing but the track: the consumer's shortcut, no more.
 */
export function isStill(rule: Rule, phase: Phase, value: number, usable: boolean): boolean {
  if (phase === 'rising' || phase === 'falling') return false;
  if (rule.kind === 'no-data') return usable === (phase === 'normal');
  if (!isDirect(rule)) return false;
  if (!usable || Number.isNaN(value)) return true;
  return phase === 'normal' ? !isBeyond(rule, value) : !isClear(rule, value);
}

/** The rule's one step. Older samples and older coverage give the same state and no transition. */
export function step(
  subject: Subject,
  state: Evaluation,
  input: Input,
): [Evaluation, readonly Transition[]] {
  const { rule } = subject;
  if (rule.kind === 'comparison') return stepPair({ ...subject, rule }, state, input);
  if (!isDirect(rule)) return stepSignal({ ...subject, rule }, state, input);
  switch (input.kind) {
    case 'sample':
      return takeSample(subject, state, input);
    case 'covered':
      return takeCoverage(subject, state, input);
    case 'passed': {
      if (rule.kind !== 'no-data' || state.track.epoch !== input.epoch) return [state, []];
      const verdict = silence(subject, state, input);
      const [after, transitions] = run(subject, verdict, null, input.untilMonoMs + 1);
      return [{ ...state, verdict: after }, transitions];
    }
    case 'other':
      return [state, []];
    default:
      return unreachable(input);
  }
}

/** The state under a changed rule: judged again with the newest value, at the watermark. */
export function rejudge(
  subject: Subject,
  state: Evaluation,
  atMs: number,
): [Evaluation, readonly Transition[]] {
  const { track } = state;
  if (track.epoch === null || track.markMonoMs < 0) return [state, []];
  const { rule } = subject;
  if (!isDirect(rule)) return rejudgeSignal({ ...subject, rule }, state, atMs);
  const monoMs = track.markMonoMs;
  const verdict = judge(rule, state.verdict, {
    ...track,
    epoch: track.epoch,
    monoMs,
    atMs,
    signal: track.value,
  });
  const [after, transitions] = run(subject, verdict, track.value, monoMs + 1);
  return [{ track, verdict: after }, transitions];
}

function takeCoverage(
  subject: Subject,
  state: Evaluation,
  input: Extract<Input, { kind: 'covered' }>,
): [Evaluation, readonly Transition[]] {
  const { epoch, fromMonoMs, untilMonoMs, atMs } = input;
  const { track } = state;
  const isSameEpoch = track.epoch === epoch;
  if (isSameEpoch && untilMonoMs <= track.markMonoMs) return [state, []];
  const entered = isSameEpoch ? track : { ...track, epoch, sampleMonoMs: -1 };
  const covered = { ...entered, markMonoMs: untilMonoMs };
  if (entered.sampleMonoMs < 0) return [{ track: covered, verdict: halt(state.verdict) }, []];
  const fromAtMs = atMs - (untilMonoMs - fromMonoMs);
  const known: First = { epoch, monoMs: fromMonoMs, atMs: fromAtMs, value: track.value };
  let { verdict } = enter(subject, state, fromMonoMs, known);
  if (subject.rule.kind === 'no-data' && verdict.phase === 'active' && track.usable) {
    verdict = { ...verdict, phase: 'falling', sinceMonoMs: untilMonoMs, sinceAtMs: atMs };
  }
  const [after, transitions] = run(subject, verdict, track.value, untilMonoMs + 1);
  return [{ track: covered, verdict: after }, transitions];
}

function takeSample(
  subject: Subject,
  state: Evaluation,
  input: Sample,
): [Evaluation, readonly Transition[]] {
  const { epoch, monoMs, atMs, value } = input;
  const isSameEpoch = state.track.epoch === epoch;
  if (isSameEpoch && monoMs <= state.track.sampleMonoMs) return [state, []];
  const fromMonoMs = Math.min(input.fromMonoMs, monoMs);
  const { verdict } = enter(subject, state, fromMonoMs, { epoch, monoMs, atMs, value });
  const [before, early] = run(subject, verdict, state.track.value, monoMs);
  const usable = !isSilent(input.quality);
  const judged = judge(subject.rule, before, {
    epoch,
    monoMs,
    atMs,
    value,
    signal: value,
    usable,
  });
  const markMonoMs = isSameEpoch ? Math.max(state.track.markMonoMs, monoMs) : monoMs;
  const [after, late] = run(subject, judged, value, markMonoMs + 1);
  const track: Track = { epoch, sampleMonoMs: monoMs, markMonoMs, value, usable };
  return [{ track, verdict: after }, early.length ? [...early, ...late] : late];
}

// A new epoch or a hole restarts the running delay at what is known for certain again: a sample, or
// what held all through coverage. Silence that goes
// on through a hole is still silence: a device that fails is asked more and more seldom, and must
// not stay unnoticed.
function enter(
  { periodMs, rule }: Subject,
  { track, verdict }: Evaluation,
  fromMonoMs: number,
  known: First,
): { verdict: Verdict } {
  const { epoch } = known;
  const isRunning = verdict.phase === 'rising' || verdict.phase === 'falling';
  const isHole =
    track.epoch !== epoch ||
    (track.markMonoMs >= 0 && fromMonoMs - track.markMonoMs > HOLE_PERIODS * periodMs);
  if (!isRunning || !isHole) return { verdict };
  const isSilence = rule.kind === 'no-data' && verdict.phase === 'rising';
  if (isSilence && track.epoch === epoch) return { verdict };
  const heldMonoMs = verdict.heldMonoMs < 0 ? -1 : known.monoMs;
  const since = { sinceMonoMs: known.monoMs, sinceAtMs: known.atMs, heldMonoMs };
  if (verdict.phase === 'falling') return { verdict: { ...verdict, ...since } };
  // Whether it is still the excursion from before nobody knows: it has the name of what is known.
  return { verdict: { ...verdict, ...since, first: known } };
}

// A series that nobody polls while its gateway is heard falls silent where it was last known.
function silence(
  { rule }: Subject,
  { track, verdict }: Evaluation,
  input: Extract<Input, { kind: 'passed' }>,
): Verdict {
  if (verdict.phase !== 'normal' || track.markMonoMs < 0) return verdict;
  const monoMs = Math.max(track.markMonoMs, input.sinceMonoMs);
  if (input.untilMonoMs - monoMs < delayMs(rule, 'rising')) return verdict;
  const atMs = input.atMs - (input.untilMonoMs - monoMs);
  const first: First = { epoch: input.epoch, monoMs, atMs, value: null };
  return { ...NO_VERDICT, phase: 'rising', sinceMonoMs: monoMs, sinceAtMs: atMs, first };
}
