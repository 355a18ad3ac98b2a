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
import { unreachable } from '../fault.ts';
import { isSilent, type QualityCode } from '../quality.ts';
import { occurrenceName } from './digest.ts';
import type { NoDataRule, Rule } from './rule.ts';
import { isBeyondLimit, isClearOfLimit, isDirect } from './rule.ts';

/** A break of more polls than this is a hole: one lost answer and one late one are everyday. */
export const HOLE_PERIODS = 3;

export interface Subject {
  /** `gateway/device/point`. */
  readonly key: string;
  readonly periodMs: number;
  readonly rule: Rule;
}

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
    };

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
export const NOT_SEEN: Track = {
  epoch: null,
  sampleMonoMs: -1,
  markMonoMs: -1,
  value: null,
  usable: false,
};
export const FRESH: Evaluation = { track: NOT_SEEN, verdict: NO_VERDICT };

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
  if (!isDirect(subject.rule)) return [state, []];
  switch (input.kind) {
    case 'sample':
      return takeSample(subject, state, input);
    case 'covered':
      return takeCoverage(subject, state, input);
    case 'passed': {
      if (subject.rule.kind !== 'no-data' || state.track.epoch !== input.epoch) return [state, []];
      const verdict = silence(subject, state, input);
      const [after, transitions] = run(subject, verdict, null, input.untilMonoMs + 1);
      return [{ ...state, verdict: after }, transitions];
    }
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
  if (track.epoch === null || track.markMonoMs < 0 || !isDirect(subject.rule)) return [state, []];
  const monoMs = track.markMonoMs;
  const verdict = judge(subject.rule, state.verdict, {
    ...track,
    epoch: track.epoch,
    monoMs,
    atMs,
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

// A restart reports every point anew: as long as that report has not come, coverage tells nothing
// of the value, and the one from before the restart runs no delay.
function halt(verdict: Verdict): Verdict {
  if (verdict.phase === 'rising') return NO_VERDICT;
  return verdict.phase === 'falling' ? { ...verdict, phase: 'active', heldMonoMs: -1 } : verdict;
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
  const judged = judge(subject.rule, before, { epoch, monoMs, atMs, value, usable });
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

interface Moment {
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
  readonly value: number | null;
  readonly usable: boolean;
}

function judge(rule: Rule, verdict: Verdict, moment: Moment): Verdict {
  if (rule.kind === 'no-data') return move(verdict, moment, !moment.usable, moment.usable);
  if (!moment.usable || moment.value === null || Number.isNaN(moment.value)) {
    const isRunning = verdict.phase === 'rising' || verdict.phase === 'falling';
    if (!isRunning || verdict.heldMonoMs >= 0) return verdict;
    return { ...verdict, heldMonoMs: moment.monoMs };
  }
  return move(
    resume(verdict, moment.monoMs),
    moment,
    isBeyond(rule, moment.value),
    isClear(rule, moment.value),
  );
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

function delayMs(rule: Rule, phase: 'rising' | 'falling'): number {
  if (phase === 'falling') return rule.offDelayMs;
  return rule.kind === 'no-data' ? rule.onDelayMs + rule.silentMs : rule.onDelayMs;
}

// Ends the running delay if its end lies before `untilMonoMs`.
function run(
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
