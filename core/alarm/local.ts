// Signals by the local hour: deviation from what is usual, and the mean of a window of the night.
// Pure; the memory is plain JSON.
//
// Values are weighted by monotonic time; the wall label is read only to find the hour and the
// window, each time from the label of the input at hand. So a wall clock that steps moves the
// border of an hour and nothing else. A night window is never closed twice: time that comes again
// after its end is not part of it, and one that a clock leaves towards its beginning waits for it
// to come back. A clock that goes back by more than a day was wrong before, and counting begins
// anew.
import type { DeviationRule, NightFlowRule } from './rule.ts';
import { BASELINE_HOURS } from './rule.ts';
import type { Made } from './window.ts';

export type LocalRule = DeviationRule | NightFlowRule;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** 1970-01-01 was a Thursday: the third day of a week that begins on Monday, counted from 0. */
const EPOCH_HOUR_OF_WEEK = 3 * 24;

export interface HourMemory {
  readonly kind: 'hour';
  readonly of: string;
  readonly epoch: string;
  readonly value: number | null;
  /** Hours since 1970, local. */
  readonly hour: number;
  readonly signal: number | null;
}

export interface NightMemory {
  readonly kind: 'night';
  readonly of: string;
  readonly epoch: string;
  readonly value: number | null;
  /** Open: the value is accounted for up to here. */
  readonly sinceMonoMs: number;
  /** Days since 1970, local, of the window that was entered last; null before the first. */
  readonly window: number | null;
  /** `left`: the wall clock went back to before its beginning. */
  readonly phase: 'open' | 'left' | 'closed';
  readonly knownMs: number;
  /** value x ms. */
  readonly total: number;
  /** Mean of the window that ended last. */
  readonly signal: number | null;
}

export type LocalMemory = HourMemory | NightMemory;

/** Wall time `atMs` is that of `monoMs`. */
export interface Label {
  readonly monoMs: number;
  readonly atMs: number;
}

export function localName(rule: LocalRule): string {
  if (rule.kind === 'deviation') return `deviation ${rule.utcOffsetMin}`;
  return `night-flow ${rule.fromMin} ${rule.untilMin} ${rule.utcOffsetMin}`;
}

export function hourOfWeek(hour: number): number {
  const from = (hour + EPOCH_HOUR_OF_WEEK) % BASELINE_HOURS;
  return from < 0 ? from + BASELINE_HOURS : from;
}

export function deviation({ baseline }: DeviationRule, { value, hour }: HourMemory): number | null {
  const usual = baseline[hourOfWeek(hour)];
  if (value === null || usual === undefined) return null;
  const signal = value - usual;
  return Number.isFinite(signal) ? signal + 0 : null;
}

const localMs = (rule: LocalRule, { monoMs, atMs }: Label, at: number) =>
  atMs - (monoMs - at) + rule.utcOffsetMin * MINUTE_MS;

export function beginLocal(
  rule: LocalRule,
  epoch: string,
  label: Label,
  value: number | null,
): [LocalMemory, readonly Made[]] {
  const { monoMs } = label;
  const of = localName(rule);
  if (rule.kind === 'deviation') {
    const hour = Math.floor(localMs(rule, label, monoMs) / HOUR_MS);
    const memory: HourMemory = { kind: 'hour', of, epoch, value, hour, signal: null };
    const signal = deviation(rule, memory);
    return [{ ...memory, signal }, [{ monoMs, signal }]];
  }
  const memory: NightMemory = {
    kind: 'night',
    of,
    epoch,
    value,
    sinceMonoMs: monoMs,
    window: null,
    phase: 'closed',
    knownMs: 0,
    total: 0,
    signal: null,
  };
  return holdNight(rule, memory, monoMs, label);
}

/** The value goes on as it is from `fromMonoMs`, up to which it was held, until that of `label`. */
export function holdLocal(
  rule: LocalRule,
  memory: LocalMemory,
  fromMonoMs: number,
  label: Label,
): [LocalMemory, readonly Made[]] {
  if (rule.kind === 'deviation' && memory.kind === 'hour') {
    return holdHour(rule, memory, fromMonoMs, label);
  }
  if (rule.kind === 'night-flow' && memory.kind === 'night') {
    return holdNight(rule, memory, fromMonoMs, label);
  }
  return [memory, []];
}

/** Another value from that of `label` on, up to which the memory was held. */
export function turnLocal(
  rule: LocalRule,
  memory: LocalMemory,
  { monoMs }: Label,
  value: number | null,
): [LocalMemory, readonly Made[]] {
  if (value === memory.value) return [memory, []];
  if (memory.kind === 'night') return [{ ...account(memory, monoMs), value }, []];
  const turned = { ...memory, value };
  const signal = rule.kind === 'deviation' ? deviation(rule, turned) : null;
  return [{ ...turned, signal }, [{ monoMs, signal }]];
}

function holdHour(
  rule: DeviationRule,
  memory: HourMemory,
  fromMonoMs: number,
  label: Label,
): [HourMemory, readonly Made[]] {
  const made: Made[] = [];
  let after = memory;
  for (let at = fromMonoMs; at <= label.monoMs; ) {
    const local = localMs(rule, label, at);
    const hour = Math.floor(local / HOUR_MS);
    if (hour !== after.hour) {
      const signal = deviation(rule, { ...after, hour });
      after = { ...after, hour, signal };
      made.push({ monoMs: at, signal });
    }
    at += Math.max(1, (hour + 1) * HOUR_MS - local);
  }
  return [after, made];
}

function holdNight(
  rule: NightFlowRule,
  memory: NightMemory,
  fromMonoMs: number,
  label: Label,
): [NightMemory, readonly Made[]] {
  const made: Made[] = [];
  const lengthMs = (rule.untilMin - rule.fromMin) * MINUTE_MS;
  let after = memory;
  for (let at = fromMonoMs; at <= label.monoMs; ) {
    const local = localMs(rule, label, at) - rule.fromMin * MINUTE_MS;
    const day = Math.floor(local / DAY_MS);
    const intoMs = local - day * DAY_MS;
    const isInside = intoMs < lengthMs;
    const closed = leave(after, day, isInside, at, lengthMs);
    if (closed !== after) {
      const isOver =
        after.phase !== 'closed' && closed.phase === 'closed' && closed.window !== null;
      after = closed;
      if (isOver) made.push({ monoMs: at, signal: after.signal });
    }
    if (isInside) after = inside(after, day, at);
    at += Math.max(1, (isInside ? lengthMs : DAY_MS) - intoMs);
  }
  return [after, made];
}

// What is left of the window that was entered, at a time that lies in `day`, or after that of it.
function leave(
  memory: NightMemory,
  day: number,
  isInside: boolean,
  monoMs: number,
  lengthMs: number,
): NightMemory {
  const { window, phase } = memory;
  if (window === null) return memory;
  if (day < window - 1) {
    return { ...memory, window: null, phase: 'closed', knownMs: 0, total: 0 };
  }
  if (phase === 'closed' || (isInside && day === window)) return memory;
  if (day < window)
    return phase === 'left' ? memory : { ...account(memory, monoMs), phase: 'left' };
  const { knownMs, total } = account(memory, monoMs);
  const isKnown = knownMs * 2 >= lengthMs;
  const signal = isKnown ? total / knownMs + 0 : null;
  return { ...memory, phase: 'closed', knownMs: 0, total: 0, signal };
}

function inside(memory: NightMemory, day: number, monoMs: number): NightMemory {
  const { window, phase } = memory;
  if (phase === 'open') return memory;
  if (phase === 'left') {
    return day === window ? { ...memory, phase: 'open', sinceMonoMs: monoMs } : memory;
  }
  if (window !== null && day <= window) return memory; // It has been, and is not counted again.
  return { ...memory, window: day, phase: 'open', sinceMonoMs: monoMs, knownMs: 0, total: 0 };
}

function account(memory: NightMemory, monoMs: number): NightMemory {
  const { phase, value, sinceMonoMs, knownMs, total } = memory;
  const ms = monoMs - sinceMonoMs;
  if (phase !== 'open' || ms <= 0) return memory;
  const until = { ...memory, sinceMonoMs: monoMs };
  if (value === null) return until;
  return { ...until, knownMs: knownMs + ms, total: finite(total + value * ms) };
}

const finite = (value: number) =>
  Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)) + 0;
