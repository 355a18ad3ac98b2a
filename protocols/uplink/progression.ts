// Columns that mostly go on as they went: aliases and times. Runs (delta from the last value
// before, count, step): a contiguous poll is one run, equal times are one run. Report by exception
// leaves irregular aliases; packed differences are shorter then.
import { bitsFor, PACKED_BITS_MAX, pack, packedSize, unpack } from './packing.ts';
import { malformed, type ProtoReader, type ProtoWriter, varintSize, zigzag } from './proto.ts';

/** Writes whichever of the two forms is shorter; the column is not empty. */
export function writeProgression(
  writer: ProtoWriter,
  fields: { readonly runs: number; readonly packed: number },
  column: Float64Array | Uint32Array,
  count: number,
  before: number,
): void {
  const runs = runsOf(column, count, before);
  let runBytes = 0;
  for (const part of runs) runBytes += varintSize(zigzag(part));
  const packed = runs.length > 3 ? packedDifferences(column, count) : undefined;
  if (packed && packed.bytes < runBytes) {
    writePacked(writer, fields.packed, packed);
    return;
  }
  const mark = writer.open(fields.runs);
  for (const part of runs) writer.signed(part);
  writer.close(mark);
}

/** Triples (delta, count, step) flat in one list. */
function runsOf(column: Float64Array | Uint32Array, count: number, before: number): number[] {
  const runs: number[] = [];
  let last = before;
  for (let from = 0; from < count; ) {
    const first = column[from]!;
    const step = from + 1 < count ? column[from + 1]! - first : 0;
    let to = from + 1;
    while (to < count && column[to]! - column[to - 1]! === step) to++;
    // Two values always form a run; a second one that begins a run of equals is left to that.
    if (to - from === 2 && step !== 0 && to < count && column[to]! - column[to - 1]! === 0) to--;
    runs.push(first - last, to - from, to - from === 1 ? 0 : step);
    last = column[to - 1]!;
    from = to;
  }
  return runs;
}

interface Packed {
  readonly first: number;
  readonly base: number;
  readonly bits: number;
  readonly differences: Float64Array;
  readonly bytes: number;
}

function packedDifferences(column: Float64Array | Uint32Array, count: number): Packed | undefined {
  const differences = new Float64Array(count - 1);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let at = 1; at < count; at++) {
    const difference = column[at]! - column[at - 1]!;
    differences[at - 1] = difference;
    if (difference < low) low = difference;
    if (difference > high) high = difference;
  }
  const bits = bitsFor(high - low);
  if (bits === undefined) return undefined;
  const data = packedSize(count - 1, bits);
  const first = column[0]!;
  const header = 6 + varintSize(zigzag(first)) + varintSize(zigzag(low)) + varintSize(data);
  return { first, base: low, bits, differences, bytes: header + data };
}

function writePacked(writer: ProtoWriter, field: number, packed: Packed): void {
  const { first, base, bits, differences } = packed;
  const mark = writer.open(field);
  writer.sint(1, first);
  writer.sint(2, base);
  writer.uint(3, bits);
  if (bits > 0) {
    const at = writer.space(4, packedSize(differences.length, bits));
    pack(differences, { from: 0, to: differences.length }, base, bits, writer.buffer, at);
  }
  writer.close(mark);
}

/** Inclusive. */
export interface Bounds {
  readonly low: number;
  readonly high: number;
}

export function readRuns(
  reader: ProtoReader,
  out: Float64Array | Uint32Array,
  before: number,
  { low, high }: Bounds,
): void {
  let last = before;
  let at = 0;
  while (!reader.done) {
    const first = last + reader.signed();
    const count = reader.signed();
    const step = reader.signed();
    if (count < 1 || count > out.length - at) throw malformed('runs and count disagree');
    last = first + (count - 1) * step;
    if (first < low || first > high || last < low || last > high) {
      throw malformed('a run leaves its bounds');
    }
    for (let place = 0; place < count; place++) out[at + place] = first + place * step;
    at += count;
  }
  if (at !== out.length) throw malformed('runs and count disagree');
}

export function readPacked(reader: ProtoReader, out: Float64Array): void {
  const { first, base, bits, data } = readBlock(reader);
  unpackChecked(data, out.length - 1, base, bits, out, 1);
  accumulate(out, 0, out.length, first);
}

function readBlock(reader: ProtoReader) {
  const block = { first: 0, base: 0, bits: 0, data: new Uint8Array(0) as Uint8Array };
  while (reader.next()) {
    if (reader.field === 1) block.first = reader.sint();
    else if (reader.field === 2) block.base = reader.sint();
    else if (reader.field === 3) block.bits = reader.uint(PACKED_BITS_MAX);
    else if (reader.field === 4) block.data = reader.bytes();
    else reader.skip();
  }
  return block;
}

/** Turns the differences after `at` into values, in place; the first value is given. */
export function accumulate(out: Float64Array, at: number, count: number, first: number): void {
  let value = first;
  out[at] = first;
  for (let place = at + 1; place < at + count; place++) {
    value += out[place]!;
    // Each sum is checked, so one that was rounded does not come back into range unseen.
    if (!Number.isSafeInteger(value)) throw malformed('differences leave the whole numbers');
    out[place] = value;
  }
}

export function unpackChecked(
  data: Uint8Array,
  count: number,
  base: number,
  bits: number,
  out: Float64Array,
  at: number,
): void {
  if (data.length !== packedSize(count, bits)) throw malformed('packed numbers and count disagree');
  if (bits === 0) out.fill(base, at, at + count);
  else unpack(data, count, base, bits, out, at);
}

/** Runs (code, count); nothing at all when every code is 0. */
export function writeCodes(
  writer: ProtoWriter,
  field: number,
  codes: Uint8Array | Uint32Array,
  count: number,
): void {
  let from = 0;
  while (from < count && codes[from] === 0) from++;
  if (from === count) return;
  const mark = writer.open(field);
  for (from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && codes[to] === codes[from]) to++;
    writer.varint(codes[from]!);
    writer.varint(to - from);
    from = to;
  }
  writer.close(mark);
}

export function readCodes(reader: ProtoReader, out: Uint8Array | Uint32Array, max: number): void {
  let at = 0;
  while (!reader.done) {
    const code = reader.varint();
    const count = reader.varint();
    if (code > max) throw malformed(`a code of ${code} is above ${max}`);
    if (count < 1 || count > out.length - at) throw malformed('codes and count disagree');
    out.fill(code, at, at + count);
    at += count;
  }
  if (at !== out.length) throw malformed('codes and count disagree');
}

/** Ascending places as pairs (places left out since the last pair, count); nothing for none. */
export function writePlaces(writer: ProtoWriter, field: number, places: readonly number[]): void {
  if (places.length === 0) return;
  const mark = writer.open(field);
  for (let from = 0, before = 0; from < places.length; ) {
    const start = places[from]!;
    let to = from + 1;
    while (to < places.length && places[to] === start + to - from) to++;
    writer.varint(start - before);
    writer.varint(to - from);
    before = start + to - from;
    from = to;
  }
  writer.close(mark);
}

/** Each place once, below `count`. */
export function readPlaces(
  reader: ProtoReader,
  count: number,
  take: (place: number) => void,
): void {
  let next = 0;
  while (!reader.done) {
    const start = next + reader.varint();
    const length = reader.varint();
    if (length < 1 || start + length > count) throw malformed('a place is out of its column');
    for (let place = start; place < start + length; place++) take(place);
    next = start + length;
  }
}
