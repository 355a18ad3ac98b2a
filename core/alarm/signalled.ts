// One step of a rule with a memory: from an input to the moments of its signal, and with those
// through the delay machine. The order of time is kept, whatever an input brings at once: until a
// moment the delay runs with the signal before it, then the moment is judged, and at last the delay
// runs to the watermark.
//
// A memory of another epoch, from before a hole, or of another signal is not gone on with: a new
// one begins, what was rising is forgotten and what was falling is active again, for nobody knows
// the signal.
//
// A comparison judges the newest of both points at the time of the newer one, and its delays run as
// far as both are known: two points are never read at one instant, so it wants an on-delay of a
// period or more. It is evaluated live only, for a backlog brings the two series apart.
import { isSilent } from '../quality.ts';
import type { Subject, Transition, Verdict } from './delay.ts';
import { HOLE_PERIODS, halt, judge, run } from './delay.ts';
import type { Evaluation, Input, Other, Sample, Track } from './evaluate.ts';
import type { Label } from './local.ts';
import type { ComparisonRule, Rule, SignalRule } from './rule.ts';
import { isDirect } from './rule.ts';
import type { Memory, PairMemory, SignalMemory } from './signal.ts';
import {
  beginSignal,
  compare,
  holdSignal,
  memoryName,
  signalNow,
  toldValue,
  turnSignal,
  usableValue,
} from './signal.ts';
import type { Made } from './window.ts';

type Signalled = Subject & { readonly rule: SignalRule };
type Remembering = Subject & { readonly rule: SignalRule | ComparisonRule };
type Paired = Subject & { readonly rule: ComparisonRule };
type Stepped = [Evaluation, readonly Transition[]];
type Known = Sample | Extract<Input, { kind: 'covered' }>;

/** The signal of a rule now, in its own unit (ms for a duration), for people; null when unknown. */
export function describeSignal(rule: Rule, { track, verdict }: Evaluation): number | null {
  if (rule.kind === 'no-data') return null;
  if (isDirect(rule)) return track.usable ? track.value : null;
  return verdict.memory ? signalNow(rule, verdict.memory) : null;
}

export function stepSignal(subject: Signalled, state: Evaluation, input: Input): Stepped {
  if (input.kind !== 'sample' && input.kind !== 'covered') return [state, []];
  const track = takeTrack(state.track, input);
  if (track === null) return [state, []];
  if (track.sampleMonoMs < 0) return halted(state, track);
  const { rule, periodMs } = subject;
  const label = labelOf(input);
  const walk = new Walk(subject, state.verdict, input.epoch, label);
  const begun = goOn(subject, state, track, input, walk);
  let { memory } = begun;
  const take = ([after, made]: [SignalMemory, readonly Made[]]) => {
    walk.judge(made, memory);
    memory = after;
  };
  take(holdSignal(rule, periodMs, memory, begun.monoMs, label));
  if (input.kind === 'sample') {
    walk.run(memory, label.monoMs);
    take(turnSignal(rule, periodMs, memory, label, usableValue(track.value, track.usable)));
    const { markMonoMs: monoMs } = track; // Later, when coverage came before the sample.
    const atMs = label.atMs + (monoMs - label.monoMs);
    take(holdSignal(rule, periodMs, memory, monoMs, { monoMs, atMs }));
  }
  return walk.end(state, track, memory, track.markMonoMs);
}

/** Judges a changed rule, with the signal that is there or from what is known now on. */
export function rejudgeSignal(subject: Remembering, state: Evaluation, atMs: number): Stepped {
  const { track, verdict } = state;
  const { rule, periodMs } = subject;
  if (track.epoch === null || track.sampleMonoMs < 0) return [state, []];
  const label = { monoMs: track.markMonoMs, atMs };
  const { memory: kept } = verdict;
  const value = usableValue(track.value, track.usable);
  if (kept && kept.epoch === track.epoch && kept.of === memoryName(rule, periodMs)) {
    const isPair = rule.kind === 'comparison' && kept.kind === 'pair';
    const signal = isPair ? compare(rule, value, kept.value) : signalNow(rule, kept);
    const walk = new Walk(subject, verdict, track.epoch, label);
    if (isPair) walk.knownMonoMs = kept.monoMs;
    const memory = signal === kept.signal ? kept : { ...kept, signal };
    walk.judge([{ monoMs: track.markMonoMs, signal }], memory);
    return walk.end(state, track, memory, track.markMonoMs);
  }
  const walk = new Walk(subject, halt(verdict), track.epoch, label);
  if (rule.kind === 'comparison') return walk.end(state, track, undefined, -1);
  const [memory, made] = beginSignal(rule, periodMs, track.epoch, label, value);
  walk.judge(made, memory);
  return walk.end(state, track, memory, track.markMonoMs);
}

export function stepPair(subject: Paired, state: Evaluation, input: Input): Stepped {
  switch (input.kind) {
    case 'sample':
    case 'covered':
      return takeOwn(subject, state, input);
    case 'other':
      return takeOther(subject, state, input);
    default:
      return [state, []];
  }
}

// The verdict on its way through the moments of one input, and what was found on it.
class Walk {
  verdict: Verdict;
  /** Up to here the signal is known: no delay ends later. */
  knownMonoMs = Number.POSITIVE_INFINITY;
  readonly #subject: Remembering;
  readonly #epoch: string;
  readonly #label: Label;
  readonly #found: Transition[] = [];

  constructor(subject: Remembering, verdict: Verdict, epoch: string, label: Label) {
    this.#subject = subject;
    this.verdict = verdict;
    this.#epoch = epoch;
    this.#label = label;
  }

  /** Lets the delay run with the signal that is, to before `untilMonoMs`. */
  run(memory: Memory, untilMonoMs: number, signal = memory.signal): void {
    const value = toldValue(this.#subject.rule, signal, memory.value);
    const endMonoMs = Math.min(untilMonoMs, this.knownMonoMs + 1);
    const [after, found] = run(this.#subject, this.verdict, value, endMonoMs);
    this.verdict = after;
    for (const transition of found) this.#found.push(transition);
  }

  /** Judges moments that came while the value was that of `before`. */
  judge(moments: readonly Made[], before: Memory): void {
    const { rule } = this.#subject;
    let { signal: until } = before;
    for (const { monoMs, signal } of moments) {
      this.run(before, monoMs, until);
      const atMs = this.#label.atMs - (this.#label.monoMs - monoMs);
      const value = toldValue(rule, signal, before.value);
      const moment = { epoch: this.#epoch, monoMs, atMs, value, signal, usable: true };
      this.verdict = judge(rule, this.verdict, moment);
      this.#subject.heard?.(signal, this.verdict);
      until = signal;
    }
  }

  /** The delay runs to the watermark, which is a moment known. */
  end(
    state: Evaluation,
    track: Track,
    memory: Memory | undefined,
    watermarkMonoMs: number,
  ): Stepped {
    if (memory) this.run(memory, watermarkMonoMs + 1);
    return [{ track, verdict: withMemory(state.verdict, this.verdict, memory) }, this.#found];
  }
}

// The same object when nothing is new, so that nobody keeps it again.
function withMemory(before: Verdict, verdict: Verdict, memory: Memory | undefined): Verdict {
  if (verdict === before && memory === before.memory) return before;
  const { memory: _, ...bare } = verdict;
  return memory ? { ...bare, memory } : bare;
}

function halted(state: Evaluation, track: Track): Stepped {
  const { verdict } = state;
  return [{ track, verdict: withMemory(verdict, halt(verdict), verdict.memory) }, []];
}

function labelOf(input: Known): Label {
  return input.kind === 'sample' ? input : { monoMs: input.untilMonoMs, atMs: input.atMs };
}

// Null for what is older than what is known.
function takeTrack(before: Track, input: Known): Track | null {
  const isSameEpoch = before.epoch === input.epoch;
  const { epoch } = input;
  if (input.kind === 'covered') {
    const { untilMonoMs: markMonoMs } = input;
    if (isSameEpoch) return markMonoMs <= before.markMonoMs ? null : { ...before, markMonoMs };
    return { ...before, epoch, sampleMonoMs: -1, markMonoMs };
  }
  const { monoMs, value } = input;
  if (isSameEpoch && monoMs <= before.sampleMonoMs) return null;
  const markMonoMs = isSameEpoch ? Math.max(before.markMonoMs, monoMs) : monoMs;
  return { epoch, sampleMonoMs: monoMs, markMonoMs, value, usable: !isSilent(input.quality) };
}

const isOfEpoch = ({ epoch, sampleMonoMs }: Track, now: string) =>
  epoch === now && sampleMonoMs >= 0;

const isHole = (periodMs: number, knownMonoMs: number, fromMonoMs: number) =>
  fromMonoMs - knownMonoMs > HOLE_PERIODS * periodMs;

// The memory to go on with, and up to when it holds; a new one where the old is of no use.
function goOn(
  { rule, periodMs }: Signalled,
  { track: before, verdict: { memory: kept } }: Evaluation,
  after: Track,
  input: Known,
  walk: Walk,
): { memory: SignalMemory; monoMs: number } {
  const label = labelOf(input);
  const isKnown = isOfEpoch(before, input.epoch);
  const fromMonoMs = Math.min(input.fromMonoMs, label.monoMs);
  const isBroken = !isKnown || isHole(periodMs, before.markMonoMs, fromMonoMs);
  const isOfSignal = kept?.epoch === input.epoch && kept.of === memoryName(rule, periodMs);
  if (!isBroken && isOfSignal && kept.kind !== 'pair') {
    return { memory: kept, monoMs: before.markMonoMs };
  }
  walk.verdict = halt(walk.verdict);
  const { value, usable } = isKnown ? before : after;
  const monoMs = !isKnown ? label.monoMs : isBroken ? fromMonoMs : before.markMonoMs;
  const start = { monoMs, atMs: label.atMs - (label.monoMs - monoMs) };
  const known = usableValue(value, usable);
  const [memory, made] = beginSignal(rule, periodMs, input.epoch, start, known);
  walk.judge(made, memory);
  return { memory, monoMs };
}

function takeOwn(subject: Paired, state: Evaluation, input: Known): Stepped {
  const { rule, periodMs } = subject;
  const track = takeTrack(state.track, input);
  if (track === null) return [state, []];
  if (track.sampleMonoMs < 0) return halted(state, track);
  const label = labelOf(input);
  const fromMonoMs = Math.min(input.fromMonoMs, label.monoMs);
  const isKnown = isOfEpoch(state.track, input.epoch);
  const isBroken = !isKnown || isHole(periodMs, state.track.markMonoMs, fromMonoMs);
  const memory = pairOf(subject, state.verdict.memory, input.epoch);
  const before = isBroken ? halt(state.verdict) : state.verdict;
  const walk = new Walk(subject, before, input.epoch, label);
  if (!memory) return walk.end(state, track, state.verdict.memory, -1);
  walk.knownMonoMs = memory.monoMs;
  if (input.kind === 'covered' && !isBroken) {
    return walk.end(state, track, memory, track.markMonoMs);
  }
  const monoMs = input.kind === 'sample' ? label.monoMs : fromMonoMs;
  const after = pairAt(rule, memory, track, monoMs);
  walk.judge([{ monoMs: after.judgedMonoMs, signal: after.signal }], memory);
  return walk.end(state, track, after, track.markMonoMs);
}

function takeOther(subject: Paired, state: Evaluation, input: Other): Stepped {
  const { rule } = subject;
  const { epoch, monoMs, periodMs } = input;
  const value = usableValue(input.value, input.usable);
  const kept = pairOf(subject, state.verdict.memory, epoch);
  if (kept && monoMs < kept.monoMs) return [state, []];
  const of = memoryName(rule, subject.periodMs);
  const known = { kind: 'pair', of, epoch, monoMs, periodMs, value } as const;
  const { track } = state;
  if (!isOfEpoch(track, epoch)) {
    const memory: PairMemory = { ...known, judgedMonoMs: monoMs, signal: null };
    return [{ track, verdict: withMemory(state.verdict, halt(state.verdict), memory) }, []];
  }
  const isBroken = !kept || isHole(periodMs, kept.monoMs, Math.min(input.fromMonoMs, monoMs));
  const walk = new Walk(subject, isBroken ? halt(state.verdict) : state.verdict, epoch, input);
  walk.knownMonoMs = Math.min(track.markMonoMs, monoMs);
  const judgedMonoMs = kept?.judgedMonoMs ?? track.sampleMonoMs;
  const before: PairMemory = { ...known, judgedMonoMs, signal: kept?.signal ?? null };
  const after = pairAt(rule, before, track, monoMs);
  walk.judge([{ monoMs: after.judgedMonoMs, signal: after.signal }], before);
  return walk.end(state, track, after, monoMs);
}

function pairOf(
  { rule, periodMs }: Paired,
  memory: Memory | undefined,
  epoch: string,
): PairMemory | null {
  if (memory?.kind !== 'pair' || memory.epoch !== epoch) return null;
  return memory.of === memoryName(rule, periodMs) ? memory : null;
}

function pairAt(
  rule: ComparisonRule,
  memory: PairMemory,
  { value, usable }: Track,
  monoMs: number,
): PairMemory {
  const signal = compare(rule, usableValue(value, usable), memory.value);
  return { ...memory, judgedMonoMs: Math.max(monoMs, memory.judgedMonoMs), signal };
}
