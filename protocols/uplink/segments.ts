// How the values of a record are cut into segments, each of one kind: see columns.ts.
import { bitsFor } from './packing.ts';
import type { ReadingColumns } from './record.ts';

export interface Segment {
  readonly kind: 'whole' | 'difference' | 'float32' | 'float64';
  readonly count: number;
  /** Of differences: the value they start from. */
  readonly first: number;
  readonly base: number;
  readonly bits: number;
  /** What is packed: values, differences (one fewer), bit patterns; for float64 the values. */
  readonly numbers: Float64Array;
}

/** Whole numbers beyond it go as float64, so that differences stay exact in zigzag. */
export const WHOLE_MAX = 2 ** 51 - 1;

/** Tags, count, kind, base, bits and lengths of a segment: about twelve bytes. */
const HEADER_BITS = 96;

// States of the cheapest path: 0..8 are whole numbers of 4 x state bits in zigzag, then the floats.
const FLOAT32 = 9;
const FLOAT64 = 10;
const STATES = 11;
const costs = Float64Array.from({ length: STATES }, (_, state) => {
  if (state === FLOAT64) return 64;
  return state === FLOAT32 ? 32 : state * 4;
});

/** Bit sets of the states a value may take; the lowest one set is the cheapest. */
const ANY_STATE = (1 << STATES) - 1;

function statesOf(value: number): number {
  const inFloat32 = Object.is(Math.fround(value), value) ? 1 << FLOAT32 : 0;
  const isWhole = Number.isInteger(value) && !Object.is(value, -0);
  const folded = value < 0 ? -2 * value - 1 : 2 * value;
  if (!isWhole || folded > 0xffffffff) return inFloat32 | (1 << FLOAT64);
  const least = (35 - Math.clz32(folded)) >>> 2;
  return (ANY_STATE & ~((1 << least) - 1) & ~(1 << FLOAT32)) | inFloat32;
}

export function planSegments(columns: ReadingColumns): Segment[] {
  const { count, numbers, special } = columns;
  const allowed = new Uint16Array(count);
  let common = ANY_STATE;
  let leastBits = 0;
  for (let at = 0; at < count; at++) {
    const isFiller = special.size > 0 && special.has(at);
    const states = isFiller ? ANY_STATE : statesOf(numbers[at]!);
    allowed[at] = states;
    common &= states;
    leastBits += costs[31 - Math.clz32(states & -states)]!;
  }
  const only = 31 - Math.clz32(common & -common);
  // Cutting saves at most what one segment costs above every value's own least.
  if (costs[only]! * count - leastBits <= HEADER_BITS) {
    return [segmentOf(columns, 0, count, only)];
  }
  return cheapestCuts(allowed).map(({ from, to, state }) => segmentOf(columns, from, to, state));
}

interface Cut {
  readonly from: number;
  readonly to: number;
  readonly state: number;
}

// Viterbi: at each value stay in the state or enter it from the best before at the cost of a header.
function cheapestCuts(allowed: Uint16Array): Cut[] {
  const count = allowed.length;
  const entered = new Uint16Array(count);
  const bestAt = new Uint8Array(count);
  const cost = new Float64Array(STATES);
  let best = 0;
  for (let at = 0; at < count; at++) {
    const states = allowed[at]!;
    let next = Number.POSITIVE_INFINITY;
    for (let state = 0; state < STATES; state++) {
      if ((states & (1 << state)) === 0) {
        cost[state] = Number.POSITIVE_INFINITY;
        continue;
      }
      const enter = best + HEADER_BITS;
      const stay = at === 0 ? Number.POSITIVE_INFINITY : cost[state]!;
      if (enter < stay) entered[at] = entered[at]! | (1 << state);
      const total = Math.min(enter, stay) + costs[state]!;
      cost[state] = total;
      if (total < next) {
        next = total;
        bestAt[at] = state;
      }
    }
    best = next;
  }
  const cuts: Cut[] = [];
  for (let to = count, at = count - 1, state = bestAt[at]!; at >= 0; at--) {
    if ((entered[at]! & (1 << state)) === 0) continue;
    cuts.push({ from: at, to, state });
    to = at;
    if (at > 0) state = bestAt[at - 1]!;
  }
  return cuts.reverse();
}

function segmentOf(columns: ReadingColumns, from: number, to: number, state: number): Segment {
  const values = filled(columns, from, to);
  if (state === FLOAT32) return floatSegment(values);
  const whole = wholeSegment(values);
  if (whole) return whole;
  return { kind: 'float64', count: values.length, first: 0, base: 0, bits: 64, numbers: values };
}

// Filler takes the value before it, so that it costs no bits.
function filled({ numbers, special }: ReadingColumns, from: number, to: number): Float64Array {
  const values = numbers.slice(from, to);
  if (special.size === 0) return values;
  let last = 0;
  for (let at = from; at < to; at++) {
    if (special.has(at)) continue;
    last = numbers[at]!;
    break;
  }
  for (let at = from; at < to; at++) {
    if (special.has(at)) values[at - from] = last;
    else last = numbers[at]!;
  }
  return values;
}

function floatSegment(values: Float64Array): Segment {
  const patterns = new Float64Array(values.length);
  const float = new Float32Array(1);
  const pattern = new Uint32Array(float.buffer);
  for (let at = 0; at < values.length; at++) {
    float[0] = values[at]!;
    patterns[at] = pattern[0]!;
  }
  const { low, bits } = spreadOf(patterns);
  const count = values.length;
  return { kind: 'float32', count, first: 0, base: low, bits: bits ?? 32, numbers: patterns };
}

/** Undefined when the values are not whole or too far apart. */
function wholeSegment(values: Float64Array): Segment | undefined {
  const count = values.length;
  for (let at = 0; at < count; at++) {
    const value = values[at]!;
    if (!Number.isInteger(value) || Math.abs(value) > WHOLE_MAX || Object.is(value, -0)) {
      return undefined;
    }
  }
  const plain = spreadOf(values);
  const differences = new Float64Array(count - 1);
  for (let at = 1; at < count; at++) differences[at - 1] = values[at]! - values[at - 1]!;
  const steps = spreadOf(differences);
  const first = values[0]!;
  const plainBits = plain.bits === undefined ? Number.POSITIVE_INFINITY : plain.bits * count;
  const stepBits =
    steps.bits === undefined ? Number.POSITIVE_INFINITY : steps.bits * (count - 1) + 16;
  if (stepBits < plainBits && steps.bits !== undefined) {
    const { low: base, bits } = steps;
    return { kind: 'difference', count, first, base, bits, numbers: differences };
  }
  if (plain.bits === undefined) return undefined;
  return { kind: 'whole', count, first: 0, base: plain.low, bits: plain.bits, numbers: values };
}

function spreadOf(values: Float64Array): {
  readonly low: number;
  readonly bits: number | undefined;
} {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < values.length; at++) {
    const value = values[at]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (values.length === 0) return { low: 0, bits: 0 };
  return { low, bits: bitsFor(high - low) };
}
