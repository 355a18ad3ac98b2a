// Durations and sizes as people write them, one lexical form each: `300ms 5s 10m 2h 30d`, `64KiB
// 4GiB`. A number without a unit is refused: nobody can tell 5 seconds from 5 milliseconds by
// looking at it.
import { assert } from './fault.ts';

/** At most seven digits: 9,999,999 d is 8.6e14 ms, below 2^53. */
export const DURATION_PATTERN = /^(0|[1-9][0-9]{0,6})(ms|s|m|h|d)$/;

/** At most six digits: 999,999 GiB is 1.1e15 bytes, below 2^53. */
export const SIZE_PATTERN = /^(0|[1-9][0-9]{0,5})(B|KiB|MiB|GiB)$/;

// From small to big: `durationText` looks for the biggest that divides.
const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeUnits = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** Milliseconds, or undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION_PATTERN.exec(text) ?? [];
  return unit ? Number(count) * durationUnits[unit as keyof typeof durationUnits] : undefined;
}

/** Bytes, or undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const [, count, unit] = SIZE_PATTERN.exec(text) ?? [];
  return unit ? Number(count) * sizeUnits[unit as keyof typeof sizeUnits] : undefined;
}

/** Milliseconds of a text that a schema has already accepted. */
export function durationMs(text: string): number {
  const ms = parseDuration(text);
  assert(ms !== undefined, `the schema lets only durations through, not ${text}`);
  return ms;
}

/** Bytes of a text that a schema has already accepted. */
export function sizeBytes(text: string): number {
  const bytes = parseSize(text);
  assert(bytes !== undefined, `the schema lets only sizes through, not ${text}`);
  return bytes;
}

/** The shortest way to write whole milliseconds: 90000 is `90s`, 120000 is `2m`. */
export function durationText(ms: number): string {
  let best = `${ms}ms`;
  for (const [unit, size] of Object.entries(durationUnits)) {
    if (ms > 0 && ms % size === 0) best = `${ms / size}${unit}`;
  }
  return ms === 0 ? '0s' : best;
}
