// The columns of a record's readings: message `Readings` of lifeline.proto.
//
//   aliases, times   runs (delta, count, step), or packed differences where runs would be longer
//   qualities        runs (code, count); nothing when all are good
//   values           segments: whole numbers from a base, their differences, float32 or float64
//   null, 64-bit whole numbers, text: apart, by place; their place in a segment is filler
//   what devices said of the values: origins.ts; nothing where they said nothing
//
// Segments are cut by the cheapest path over the widths a value may take, a new segment costing
// what its header costs: one wide counter among narrow registers does not widen them all. Float32
// goes as its bit pattern, so it comes back bit for bit, and registers of like size share their
// upper bits.
import { assert } from '../../core/fault.ts';
import { isBad, qualityCode } from '../../core/quality.ts';
import { TEXT_BYTES_MAX } from '../../core/reading.ts';
import { type OriginFields, type OriginReaders, readOrigins, writeOrigins } from './origins.ts';
import { PACKED_BITS_MAX, pack, packedSize } from './packing.ts';
import {
  accumulate,
  type Bounds,
  readCodes,
  readPacked,
  readPlaces,
  readRuns,
  unpackChecked,
  writeCodes,
  writePlaces,
  writeProgression,
} from './progression.ts';
import { malformed, type ProtoReader, type ProtoWriter, ZIGZAG_MAX } from './proto.ts';
import type { ReadingColumns } from './record.ts';
import { planSegments, type Segment, WHOLE_MAX } from './segments.ts';

/**
 * A constant column takes no bytes, so the count has a bound of its own: 21 bytes a reading, 41
 * with origins, make 1,312 KiB of arrays at most, whatever an envelope claims.
 */
export const READINGS_MAX = 32_768;
export const ALIAS_MAX = 0xffffffff;

const aliasBounds: Bounds = { low: 0, high: ALIAS_MAX };
const timeBounds: Bounds = { low: -ZIGZAG_MAX, high: ZIGZAG_MAX };

const originNames = ['status', 'source', 'server'] as const;
const originFields: OriginFields = { status: 10, source: 11, server: 12 };

type Special = Map<number, bigint | string | null>;

export function encodeReadings(
  writer: ProtoWriter,
  field: number,
  columns: ReadingColumns,
  baseMonoMs: number,
): void {
  const { count } = columns;
  const mark = writer.open(field);
  writeProgression(writer, { runs: 1, packed: 2 }, columns.alias, count, -1);
  if (!isAll(columns.monoMs, count, baseMonoMs)) {
    writeProgression(
      writer,
      { runs: 3, packed: 4 },
      rounded(columns.monoMs, count),
      count,
      baseMonoMs,
    );
  }
  writeCodes(writer, 5, columns.quality, count);
  const segments = planSegments(columns);
  segments.forEach((segment, at) => {
    writeSegment(writer, 6, segment, at === segments.length - 1 ? 0 : segment.count);
  });
  writeSpecial(writer, columns.special);
  if (columns.origins) writeOrigins(writer, originFields, columns.origins, columns.monoMs, count);
  writer.close(mark);
}

function isAll(column: Float64Array, count: number, value: number): boolean {
  for (let at = 0; at < count; at++) if (Math.round(column[at]!) !== value) return false;
  return true;
}

function rounded(column: Float64Array, count: number): Float64Array {
  const whole = new Float64Array(count);
  for (let at = 0; at < count; at++) whole[at] = Math.round(column[at]!);
  return whole;
}

const segmentKinds = ['whole', 'difference', 'float32', 'float64'] as const;

/** `written` is the count as written: 0 for the last segment, which holds the rest. */
function writeSegment(writer: ProtoWriter, field: number, segment: Segment, written: number): void {
  const { kind, count, first, base, bits, numbers } = segment;
  const mark = writer.open(field);
  writer.uint(1, written);
  writer.uint(2, segmentKinds.indexOf(kind));
  if (kind === 'float64') {
    const at = writer.space(6, count * 8);
    const view = new DataView(writer.buffer.buffer);
    for (let place = 0; place < count; place++)
      view.setFloat64(at + place * 8, numbers[place]!, true);
  } else {
    writer.sint(3, base);
    writer.uint(4, bits);
    writer.sint(5, first);
    if (bits > 0) {
      const at = writer.space(6, packedSize(numbers.length, bits));
      pack(numbers, { from: 0, to: numbers.length }, base, bits, writer.buffer, at);
    }
  }
  writer.close(mark);
}

function writeSpecial(writer: ProtoWriter, special: ReadingColumns['special']): void {
  if (special.size === 0) return;
  const places = [...special].sort(([a], [b]) => a - b);
  const nulls = places.filter(([, value]) => value === null);
  writePlaces(
    writer,
    7,
    nulls.map(([place]) => place),
  );
  for (const [place, value] of places) {
    if (typeof value !== 'bigint') continue;
    const mark = writer.open(8);
    writer.uint(1, place);
    writer.bigUint(2, value < 0n ? -value : value);
    writer.bool(3, value < 0n);
    writer.close(mark);
  }
  for (const [place, value] of places) {
    if (typeof value !== 'string') continue;
    const { length } = new TextEncoder().encode(value);
    assert(length <= TEXT_BYTES_MAX, 'a text value has at most 255 bytes');
    const mark = writer.open(9);
    writer.uint(1, place);
    writer.text(2, value);
    writer.close(mark);
  }
}

export interface BodyContext {
  /** Readings the envelope counts. */
  readonly readings: number;
  /** Times count from here. */
  readonly firstMonoMs: number;
}

/** Throws Fault `uplink_malformed` for anything but a complete set of columns. */
export function decodeReadings(
  reader: ProtoReader,
  { readings: count, firstMonoMs }: BodyContext,
): ReadingColumns {
  if (count < 1 || count > READINGS_MAX) throw malformed(`a record of ${count} readings`);
  const { alias, monoMs, quality, numbers } = emptyColumns(count);
  const special: Special = new Map();
  const said: OriginReaders = {};
  const seen = { alias: false, time: false, quality: false, nulls: false, values: 0 };
  while (reader.next()) {
    switch (reader.field) {
      case 1:
      case 2:
        once('alias');
        if (reader.field === 1) readRuns(reader.message(), alias, -1, aliasBounds);
        else readPackedAliases(reader.message(), alias);
        break;
      case 3:
      case 4:
        once('time');
        if (reader.field === 3) readRuns(reader.message(), monoMs, firstMonoMs, timeBounds);
        else readPacked(reader.message(), monoMs);
        break;
      case 5:
        once('quality');
        readCodes(reader.message(), quality, 0xff);
        break;
      case 6:
        seen.values += readSegment(reader.message(), numbers, seen.values);
        break;
      case 7:
        once('nulls');
        readPlaces(reader.message(), count, (place) => special.set(place, null));
        break;
      case 8:
        readWhole(reader.message(), count, special);
        break;
      case 9:
        readText(reader.message(), count, special);
        break;
      case 10:
      case 11:
      case 12:
        take(originNames[reader.field - 10]!);
        break;
      default:
        reader.skip();
    }
  }
  if (!seen.alias) throw malformed('readings without aliases');
  if (seen.values !== count) throw malformed(`${count} readings, ${seen.values} values`);
  if (!seen.time) monoMs.fill(firstMonoMs);
  fillSpecial(special, numbers, quality);
  const origins = readOrigins(said, monoMs);
  const columns = { count, alias, monoMs, quality, numbers, special };
  return origins ? { ...columns, origins } : columns;

  function take(column: keyof OriginReaders): void {
    if (said[column]) throw malformed(`two ${column} columns`);
    said[column] = reader.message();
  }

  function once(column: 'alias' | 'time' | 'quality' | 'nulls'): void {
    if (seen[column]) throw malformed(`two ${column} columns`);
    seen[column] = true;
  }
}

// One allocation for all columns: at 100 readings a record, allocating costs more than decoding.
function emptyColumns(count: number) {
  const buffer = new ArrayBuffer(count * 21);
  return {
    monoMs: new Float64Array(buffer, 0, count),
    numbers: new Float64Array(buffer, count * 8, count),
    alias: new Uint32Array(buffer, count * 16, count),
    quality: new Uint8Array(buffer, count * 20, count),
  };
}

function fillSpecial(special: Special, numbers: Float64Array, quality: Uint8Array): void {
  for (const [place, value] of special) {
    numbers[place] = Number.NaN;
    if (value === null && !isBad(quality[place]!)) throw malformed('a null reading is not bad');
  }
}

function readPackedAliases(reader: ProtoReader, out: Uint32Array): void {
  const column = new Float64Array(out.length);
  readPacked(reader, column);
  for (let at = 0; at < out.length; at++) {
    const alias = column[at]!;
    if (alias < 0 || alias > ALIAS_MAX) throw malformed('an alias is out of range');
    out[at] = alias;
  }
}

/** Fills `out` from `at` on; returns how many values the segment held. */
function readSegment(reader: ProtoReader, out: Float64Array, at: number): number {
  const segment = { count: 0, kind: 0, base: 0, bits: 0, first: 0 };
  let data: Uint8Array = new Uint8Array(0);
  while (reader.next()) {
    if (reader.field === 1) segment.count = reader.uint();
    else if (reader.field === 2) segment.kind = reader.uint();
    else if (reader.field === 3) segment.base = reader.sint();
    else if (reader.field === 4) segment.bits = reader.uint(PACKED_BITS_MAX);
    else if (reader.field === 5) segment.first = reader.sint();
    else if (reader.field === 6) data = reader.bytes();
    else reader.skip();
  }
  const { base, bits, first } = segment;
  const count = segment.count === 0 ? out.length - at : segment.count;
  if (count < 1 || count > out.length - at) throw malformed('values and count disagree');
  const kind = segmentKinds[segment.kind];
  if (kind === 'float64') readFloat64(data, count, out, at);
  else if (kind === 'difference') {
    unpackChecked(data, count - 1, base, bits, out, at + 1);
    accumulate(out, at, count, first);
  } else if (kind === undefined) throw malformed(`values of kind ${segment.kind}`);
  else {
    const highest = base + 2 ** bits - 1;
    const limit = kind === 'float32' ? 0xffffffff : Number.MAX_SAFE_INTEGER;
    // The base alone is checked from below: a value may not pass the limit, its bound may.
    if (base < (kind === 'float32' ? 0 : -WHOLE_MAX)) throw malformed('a base is out of range');
    unpackChecked(data, count, base, bits, out, at);
    if (highest > limit) checkHighest(out, at, count, limit);
    if (kind === 'float32') fromPatterns(out, at, count);
  }
  return count;
}

function checkHighest(out: Float64Array, at: number, count: number, limit: number): void {
  for (let place = at; place < at + count; place++) {
    if (out[place]! > limit) throw malformed('a packed number is out of range');
  }
}

function fromPatterns(out: Float64Array, at: number, count: number): void {
  const pattern = new Uint32Array(1);
  const float = new Float32Array(pattern.buffer);
  for (let place = at; place < at + count; place++) {
    pattern[0] = out[place]!;
    out[place] = float[0]!;
  }
}

function readFloat64(data: Uint8Array, count: number, out: Float64Array, at: number): void {
  if (data.length !== count * 8) throw malformed('float64 values and count disagree');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let place = 0; place < count; place++) out[at + place] = view.getFloat64(place * 8, true);
}

function readWhole(reader: ProtoReader, count: number, special: Special): void {
  let place = 0;
  let magnitude = 0n;
  let isNegative = false;
  while (reader.next()) {
    if (reader.field === 1) place = reader.uint();
    else if (reader.field === 2) magnitude = reader.bigUint();
    else if (reader.field === 3) isNegative = reader.bool();
    else reader.skip();
  }
  put(special, place, count, isNegative ? -magnitude : magnitude);
}

function readText(reader: ProtoReader, count: number, special: Special): void {
  let place = 0;
  let text = '';
  while (reader.next()) {
    if (reader.field === 1) place = reader.uint();
    else if (reader.field === 2) text = reader.text(TEXT_BYTES_MAX);
    else reader.skip();
  }
  put(special, place, count, text);
}

function put(special: Special, place: number, count: number, value: bigint | string): void {
  if (place >= count || special.has(place)) throw malformed('a special value is out of place');
  special.set(place, value);
}

assert(isBad(qualityCode('bad')), 'a null reading is told by its quality');
