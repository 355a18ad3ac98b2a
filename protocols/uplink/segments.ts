// How the values of a record are cut into segments, each of one kind: see columns.ts.
import { bitsFor, PACKED_BITS_MAX } from './packing.ts';
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

// States of the cheapest path: 0..8 are whole numbers of 4 x state bits, sign and all, then the
// floats.
const FLOAT32 = 9;
const FLOAT64 = 10;
const STATES = 11;
const costs = Float64Array.from({ length: STATES }, (_, state) => {
  if (state === FLOAT64) return 64;
  return state === FLOAT32 ? 32 : state * 4;
});

/** Bit sets of the states a value may take; the lowest one set is the cheapest. */
const ANY_STATE = (1 << STATES) - 1;

export function planSegments(columns: ReadingColumns): Segment[] {
  const { count } = columns;
  const signed = hasNegative(columns);
  let common = ANY_STATE;
  let leastBits = 0;
  for (let at = 0; at < count; at++) {
    const states = statesAt(columns, at, signed);
    common &= states;
    leastBits += costs[31 - Math.clz32(states & -states)]!;
  }
  const only = 31 - Math.clz32(common & -common);
  // Cutting saves at most what one segment costs above every value's own least.
  if (costs[only]! * count - leastBits <= HEADER_BITS) {
    return [segmentOf(columns, 0, count, only)];
  }
  const allowed = new Uint16Array(count);
  for (let at = 0; at < count; at++) allowed[at] = statesAt(columns, at, signed);
  return cheapestCuts(allowed).map(({ from, to, state }) => segmentOf(columns, from, to, state));
}

/** 1 when a sign bit is needed, else 0. */
function hasNegative({ count, numbers }: ReadingColumns): 0 | 1 {
  for (let at = 0; at < count; at++) if (numbers[at]! < 0) return 1;
  return 0;
}

function statesAt({ numbers, special }: ReadingColumns, at: number, signed: 0 | 1): number {
  if (special.size > 0 && special.has(at)) return ANY_STATE;
  const value = numbers[at]!;
  const magnitude = value < 0 ? -1 - value : value;
  if (magnitude <= 0x7fffffff && Number.isInteger(value) && !Object.is(value, -0)) {
    const least = (35 + signed - Math.clz32(magnitude)) >>> 2;
    const wholes = ANY_STATE & ~((1 << least) - 1);
    return magnitude < 0x1000000 || Math.fround(value) === value
      ? wholes
      : wholes & ~(1 << FLOAT32);
  }
  return floatStates(value);
}

function floatStates(value: number): number {
  const inFloat32 = Object.is(Math.fround(value), value) ? 1 << FLOAT32 : 0;
  const inWhole = value > 0 && value <= 0xffffffff && Number.isInteger(value) ? 1 << 8 : 0;
  return inFloat32 | inWhole | (1 << FLOAT64);
}

interface Cut {
  readonly from: number;
  readonly to: number;
  readonly state: number;
}

// Viterbi: at each value stay in the state or enter it from the best before at the cost of a
// header.
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
  if (special.size === 0) return numbers.subarray(from, to);
  const values = numbers.slice(from, to);
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
  const count = values.length;
  const patterns = new Float64Array(count);
  const float = new Float32Array(1);
  const pattern = new Uint32Array(float.buffer);
  let low = 0xffffffff;
  let high = 0;
  for (let at = 0; at < count; at++) {
    float[0] = values[at]!;
    const bits = pattern[0]!;
    patterns[at] = bits;
    if (bits < low) low = bits;
    if (bits > high) high = bits;
  }
  const bits = bitsFor(high - low) ?? PACKED_BITS_MAX;
  return { kind: 'float32', count, first: 0, base: baseOf(low, high), bits, numbers: patterns };
}

/** Undefined when the values are not whole or too far apart. */
function wholeSegment(values: Float64Array): Segment | undefined {
  const count = values.length;
  const first = values[0]!;
  let [low, high] = [first, first];
  let [stepLow, stepHigh] = [0, 0];
  for (let at = 0, before = first; at < count; at++) {
    const value = values[at]!;
    if (!Number.isInteger(value) || value > WHOLE_MAX || value < -WHOLE_MAX) return undefined;
    if (value === 0 && Object.is(value, -0)) return undefined;
    if (value < low) low = value;
    if (value > high) high = value;
    const step = value - before;
    if (at === 1) stepLow = stepHigh = step;
    if (step < stepLow && at > 0) stepLow = step;
    if (step > stepHigh && at > 0) stepHigh = step;
    before = value;
  }
  const bits = bitsFor(high - low);
  const stepBits = bitsFor(stepHigh - stepLow);
  const size = bits === undefined ? Number.POSITIVE_INFINITY : bits * count;
  // Differences carry their first value besides.
  if (stepBits !== undefined && stepBits * (count - 1) + 24 < size) {
    return differenceSegment(values, stepLow, stepBits);
  }
  if (bits === undefined) return undefined;
  return { kind: 'whole', count, first: 0, base: baseOf(low, high), bits, numbers: values };
}

// A base that saves no bit is not worth its own bytes.
function baseOf(low: number, high: number): number {
  return low > 0 && bitsFor(high) === bitsFor(high - low) ? 0 : low;
}

function differenceSegment(values: Float64Array, base: number, bits: number): Segment {
  const count = values.length;
  const differences = new Float64Array(count - 1);
  for (let at = 1; at < count; at++) differences[at - 1] = values[at]! - values[at - 1]!;
  return { kind: 'difference', count, first: values[0]!, base, bits, numbers: differences };
}
