// Signals over a window of time: statistic, rate, duration, frozen, CUSUM. Pure; the memory is
// plain JSON.
//
// A value holds until the next one (report by exception), so a signal is a function of the step
// function value(t) and of nothing else. It is made at fixed times of the epoch's monotonic clock,
// boundary k at round(k * window / slots), from what was before them: a sample at a boundary
// belongs to what follows. Repeated values, and where coverage was cut, leave no trace: a value is
// accounted for when it changes and at boundaries only, so that the very sums of floating-point
// numbers are the same however inputs are batched.
//
// Weighted by time. Time without a usable value is not part of a window, and a window of which less
// than half is known has no signal. Its far end is a boundary, so that a duration may count up to
// one slot more than its window; the time at which a duration is reached is exact.
//
// Once every slot holds the same value the memory is settled: it stays as it is until the value
// changes, and a steady series costs nothing.
import type { CusumRule, DurationRule, FrozenRule, RateRule, StatisticRule } from './rule.ts';
import { isBeyondLimit, isClearOfLimit } from './rule.ts';

export type WindowRule = StatisticRule | RateRule | DurationRule | FrozenRule | CusumRule;

/**
 * Slots a window: a signal is at most a sixtieth of its window late, and a memory is at most 61
 * slots of three numbers of 20 characters, 4 KB of JSON.
 */
export const WINDOW_SLOTS_MAX = 60;

/**
 * A sum of CUSUM goes no higher than so many limits, so that it comes down when the shift is over.
 */
export const CUSUM_LIMITS_MAX = 2;

/** Known ms, then by kind: sum of value x ms or an extreme; ms beyond; least and greatest value. */
type Slot = readonly number[];
const NOTHING_KNOWN: Slot = [0, 0, 0];

export interface WindowMemory {
  readonly kind: 'window';
  readonly of: string;
  readonly epoch: string;
  readonly beganMonoMs: number;
  /** The value is accounted for up to here. */
  readonly sinceMonoMs: number;
  /** Held since its sample; null where nothing usable is known. */
  readonly value: number | null;
  /** Duration: the value is beyond, or in the deadband since. */
  readonly isBeyond: boolean;
  /** The newest boundary taken, and how many in a row since the value changed. */
  readonly boundary: number;
  readonly steady: number;
  /** At the newest boundary, or when a duration was reached; null without half a window. */
  readonly signal: number | null;
  /** CUSUM: the sum. */
  readonly sum: number;
  readonly part: Slot;
  /** Oldest first. */
  readonly slots: readonly Slot[];
}

/** A time at which the signal was made. */
export interface Made {
  readonly monoMs: number;
  readonly signal: number | null;
}

interface Grid {
  readonly windowMs: number;
  readonly slots: number;
}

// No finer than the polls: between two of them nothing is learnt.
function gridOf(rule: WindowRule, periodMs: number): Grid {
  const windowMs = Math.max(lengthMs(rule), periodMs);
  if (rule.kind === 'cusum') return { windowMs, slots: 1 };
  const slots = Math.max(1, Math.min(WINDOW_SLOTS_MAX, Math.floor(windowMs / periodMs)));
  return { windowMs, slots };
}

function lengthMs(rule: WindowRule): number {
  switch (rule.kind) {
    case 'rate':
      return rule.overMs;
    case 'frozen':
      return rule.forMs;
    case 'cusum':
      return rule.everyMs;
    default:
      return rule.windowMs;
  }
}

const timeOf = ({ windowMs, slots }: Grid, boundary: number) =>
  Math.round((boundary * windowMs) / slots);

/** The newest boundary at or before a time. */
function boundaryAt(grid: Grid, monoMs: number): number {
  let boundary = Math.floor((monoMs * grid.slots) / grid.windowMs);
  while (timeOf(grid, boundary + 1) <= monoMs) boundary++;
  while (timeOf(grid, boundary) > monoMs) boundary--;
  return boundary;
}

/** What a memory is made by: under another name it is of no use. */
export function windowName(rule: WindowRule, periodMs: number): string {
  const { windowMs, slots } = gridOf(rule, periodMs);
  const name = `${rule.kind} ${windowMs} ${slots}`;
  switch (rule.kind) {
    case 'statistic':
      return `${name} ${rule.statistic}`;
    case 'duration':
      return `${name} ${rule.side} ${rule.limit} ${rule.deadband}`;
    case 'cusum':
      return `${name} ${rule.side} ${rule.target} ${rule.slack}`;
    default:
      return name;
  }
}

export function beginWindow(
  rule: WindowRule,
  periodMs: number,
  epoch: string,
  monoMs: number,
  value: number | null,
): WindowMemory {
  return {
    kind: 'window',
    of: windowName(rule, periodMs),
    epoch,
    beganMonoMs: monoMs,
    sinceMonoMs: monoMs,
    value,
    isBeyond: isCounted(rule, false, value),
    boundary: boundaryAt(gridOf(rule, periodMs), monoMs),
    steady: 0,
    signal: null,
    sum: 0,
    part: NOTHING_KNOWN,
    slots: [],
  };
}

/** The value goes on as it is until `untilMonoMs`. */
export function holdWindow(
  rule: WindowRule,
  periodMs: number,
  memory: WindowMemory,
  untilMonoMs: number,
): [WindowMemory, readonly Made[]] {
  const grid = gridOf(rule, periodMs);
  const made: Made[] = [];
  let after = memory;
  while (!isSettled(grid, after)) {
    const boundary = after.boundary + 1;
    const boundaryMonoMs = timeOf(grid, boundary);
    const reachedMonoMs = reachedAt(rule, after);
    const monoMs = Math.min(boundaryMonoMs, reachedMonoMs);
    if (monoMs > untilMonoMs) break;
    after = account(rule, after, monoMs);
    after =
      boundaryMonoMs <= reachedMonoMs
        ? close(rule, grid, after, boundary)
        : { ...after, signal: beyondMs(after) };
    made.push({ monoMs, signal: after.signal });
  }
  return [after, made];
}

/** Another value from `monoMs` on, up to which the memory was held. */
export function turnWindow(
  rule: WindowRule,
  periodMs: number,
  memory: WindowMemory,
  monoMs: number,
  value: number | null,
): WindowMemory {
  if (value === memory.value) return memory;
  const grid = gridOf(rule, periodMs);
  let before = memory;
  const boundary = boundaryAt(grid, monoMs);
  if (isSettled(grid, memory) && boundary > memory.boundary) {
    before = { ...memory, boundary, sinceMonoMs: timeOf(grid, boundary) };
  }
  const isBeyond = isCounted(rule, memory.isBeyond, value);
  return { ...account(rule, before, monoMs), value, isBeyond, steady: 0 };
}

// The first slot after a change is mixed, and a rate looks one slot further back than its window.
const isSettled = ({ slots }: Grid, { steady }: WindowMemory) => steady >= slots + 2;

function isCounted(rule: WindowRule, isBeyond: boolean, value: number | null): boolean {
  if (rule.kind !== 'duration' || value === null) return isBeyond;
  return isBeyond ? !isClearOfLimit(rule, value) : isBeyondLimit(rule, value);
}

function account(rule: WindowRule, memory: WindowMemory, untilMonoMs: number): WindowMemory {
  const { value, sinceMonoMs, part, isBeyond } = memory;
  const ms = untilMonoMs - sinceMonoMs;
  if (ms <= 0) return memory;
  const known = value === null ? part : withValue(rule, part, value, ms, isBeyond);
  return { ...memory, part: known, sinceMonoMs: untilMonoMs };
}

function withValue(
  rule: WindowRule,
  [knownMs = 0, first = 0, second = 0]: Slot,
  value: number,
  ms: number,
  isBeyond: boolean,
): Slot {
  const least = knownMs === 0 ? value : Math.min(first, value);
  const known = knownMs + ms;
  switch (rule.kind) {
    case 'frozen':
      return [known, least, knownMs === 0 ? value : Math.max(second, value)];
    case 'duration':
      return [known, first + (isBeyond ? ms : 0)];
    case 'cusum':
      return [known, finite(first + value * ms)];
    case 'rate':
      return [known];
    case 'statistic':
      if (rule.statistic === 'min') return [known, least];
      if (rule.statistic === 'max') return [known, knownMs === 0 ? value : Math.max(first, value)];
      return [known, finite(first + (rule.statistic === 'rms' ? value * value : value) * ms)];
  }
}

function close(rule: WindowRule, grid: Grid, memory: WindowMemory, boundary: number): WindowMemory {
  const { value, part, slots } = memory;
  if (rule.kind === 'cusum') return closeSum(rule, grid, memory, boundary);
  const slot: Slot = rule.kind !== 'rate' ? part : value === null ? [] : [value];
  const kept = rule.kind === 'rate' ? grid.slots + 1 : grid.slots;
  const after: WindowMemory = {
    ...memory,
    boundary,
    steady: memory.steady + 1,
    part: NOTHING_KNOWN,
    slots: [...slots, slot].slice(-kept),
  };
  return { ...after, signal: signalOf(rule, grid, after, timeOf(grid, boundary)) };
}

function closeSum(
  rule: CusumRule,
  { windowMs }: Grid,
  memory: WindowMemory,
  boundary: number,
): WindowMemory {
  const [knownMs = 0, total = 0] = memory.part;
  const isKnown = knownMs * 2 >= windowMs;
  const isHigh = rule.side === 'high' || rule.side === 'high-high';
  const shift = isHigh ? total / knownMs - rule.target : rule.target - total / knownMs;
  const most = CUSUM_LIMITS_MAX * Math.abs(rule.limit);
  const next = isKnown ? Math.min(most, Math.max(0, memory.sum + shift - rule.slack)) : memory.sum;
  const steady = next === memory.sum ? memory.steady + 1 : 1;
  const sum = finite(next);
  const signal = isKnown ? sum : null;
  return { ...memory, boundary, steady, sum, signal, part: NOTHING_KNOWN };
}

function signalOf(
  rule: Exclude<WindowRule, CusumRule>,
  { windowMs, slots: count }: Grid,
  memory: WindowMemory,
  monoMs: number,
): number | null {
  const { slots, beganMonoMs } = memory;
  if (rule.kind === 'rate') {
    const then = slots.length > count ? slots[0]?.[0] : undefined;
    const now = slots.at(-1)?.[0];
    return then === undefined || now === undefined ? null : finite(now - then);
  }
  let knownMs = 0;
  for (const slot of slots) knownMs += slot[0]!;
  const isKnown = knownMs * 2 >= windowMs;
  if (rule.kind === 'duration') {
    const ms = beyondMs(memory);
    return isKnown || ms >= rule.totalMs ? ms : null;
  }
  if (!isKnown) return null;
  const known = slots.filter(([ms]) => ms! > 0);
  if (rule.kind === 'frozen') {
    if (monoMs - beganMonoMs < windowMs) return null;
    const greatest = Math.max(...known.map((slot) => slot[2]!));
    return finite(greatest - Math.min(...known.map((slot) => slot[1]!)));
  }
  const all = known.map((slot) => slot[1]!);
  if (rule.statistic === 'max') return Math.max(...all);
  if (rule.statistic === 'min') return Math.min(...all);
  let total = 0;
  for (const each of all) total += each;
  const mean = finite(total) / knownMs;
  return finite(rule.statistic === 'rms' ? Math.sqrt(mean) : mean);
}

function beyondMs({ slots, part }: WindowMemory): number {
  let ms = part[1]!;
  for (const slot of slots) ms += slot[1]!;
  return ms;
}

/** When a value that stays beyond makes the duration full; what is full already is not reached. */
function reachedAt(rule: WindowRule, memory: WindowMemory): number {
  const { isBeyond, value, sinceMonoMs } = memory;
  if (rule.kind !== 'duration' || !isBeyond || value === null) return Number.POSITIVE_INFINITY;
  const restMs = rule.totalMs - beyondMs(memory);
  return sinceMonoMs + restMs > sinceMonoMs ? sinceMonoMs + restMs : Number.POSITIVE_INFINITY;
}

// What is beyond the numbers of JSON stays at the greatest of them; there is no negative zero
// there.
function finite(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)) + 0;
}
