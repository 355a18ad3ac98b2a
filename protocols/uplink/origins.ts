// What devices said of their values, as columns of message `Readings`: nothing at all where no
// reading of the record has any, which is most records.
//
//   status     runs (code, count); nothing when all are good
//   source     its distance from the monotonic time of the reading: the gateway takes the time of a
//              sample by the distance of the source's clock, so that it is a run for each answer
//   server     its distance from the source time, mostly none or equal
//
// Places without a time hold the distance before them as filler, which costs nothing, and are named
// as pairs (places left out, count). Times are whole milliseconds of years 1601 to 9999, where OPC
// UA begins and RFC 3339 ends; what lies outside is no time and is not written.
import type { Origin } from '../../core/reading.ts';
import {
  type Bounds,
  readCodes,
  readPacked,
  readPlaces,
  readRuns,
  writeCodes,
  writePlaces,
  writeProgression,
} from './progression.ts';
import { malformed, type ProtoReader, type ProtoWriter, ZIGZAG_MAX } from './proto.ts';
import type { OriginColumns } from './record.ts';

/** 1601-01-01 and the end of the year 9999, milliseconds since 1970. */
const TIME_MIN = -11_644_473_600_000;
const TIME_MAX = 253_402_300_799_999;
export const STATUS_MAX = 0xffffffff;

const distances: Bounds = { low: -ZIGZAG_MAX, high: ZIGZAG_MAX };

/** Fields of the three columns in the message they stand in. */
export interface OriginFields {
  readonly status: number;
  readonly source: number;
  readonly server: number;
}

/** A time that can be written: whole, or NaN where there is none or none that anybody can show. */
export function originTime(ms: number | null): number {
  const whole = ms === null ? Number.NaN : Math.round(ms);
  return whole >= TIME_MIN && whole <= TIME_MAX ? whole : Number.NaN;
}

/** Null where the device said nothing: a good status without any time says no more than none. */
export function originAt(columns: OriginColumns | null | undefined, at: number): Origin | null {
  if (!columns) return null;
  const status = columns.status[at]!;
  const sourceMs = nullable(columns.sourceMs[at]!);
  const serverMs = nullable(columns.serverMs[at]!);
  if (status === 0 && sourceMs === null && serverMs === null) return null;
  return { status, sourceMs, serverMs };
}

function nullable(ms: number): number | null {
  return Number.isNaN(ms) ? null : ms;
}

/** `from` is the monotonic time of each reading. */
export function writeOrigins(
  writer: ProtoWriter,
  fields: OriginFields,
  { status, sourceMs, serverMs }: OriginColumns,
  from: Float64Array,
  count: number,
): void {
  writeCodes(writer, fields.status, status, count);
  const source = new Float64Array(count);
  for (let at = 0; at < count; at++) source[at] = originTime(sourceMs[at]!);
  writeTimes(writer, fields.source, source, (at) => Math.round(from[at]!));
  const server = new Float64Array(count);
  for (let at = 0; at < count; at++) server[at] = originTime(serverMs[at]!);
  writeTimes(writer, fields.server, server, (at) => baseOf(source[at]!, from[at]!));
}

// A server that knows of no source still tells when it had the value.
function baseOf(sourceMs: number, monoMs: number): number {
  return Number.isNaN(sourceMs) ? Math.round(monoMs) : sourceMs;
}

function writeTimes(
  writer: ProtoWriter,
  field: number,
  times: Float64Array,
  baseAt: (at: number) => number,
): void {
  const count = times.length;
  const missing: number[] = [];
  let before = Number.NaN;
  for (let at = 0; at < count; at++) {
    if (Number.isNaN(times[at]!)) missing.push(at);
    else if (Number.isNaN(before)) before = times[at]! - baseAt(at);
  }
  if (missing.length === count) return;
  const steps = new Float64Array(count);
  for (let at = 0; at < count; at++) {
    if (!Number.isNaN(times[at]!)) before = times[at]! - baseAt(at);
    steps[at] = before;
  }
  const mark = writer.open(field);
  writeProgression(writer, { runs: 1, packed: 2 }, steps, count, 0);
  writePlaces(writer, 3, missing);
  writer.close(mark);
}

/** The columns as they came, until all that they count from is read. */
export type OriginReaders = { -readonly [column in keyof OriginFields]?: ProtoReader };

/** Throws Fault `uplink_malformed`; null where the record has none of the columns. */
export function readOrigins(
  { status, source, server }: OriginReaders,
  from: Float64Array,
): OriginColumns | null {
  if (!status && !source && !server) return null;
  const count = from.length;
  const buffer = new ArrayBuffer(count * 20);
  const columns = {
    sourceMs: new Float64Array(buffer, 0, count).fill(Number.NaN),
    serverMs: new Float64Array(buffer, count * 8, count).fill(Number.NaN),
    status: new Uint32Array(buffer, count * 16, count),
  };
  if (status) readCodes(status, columns.status, STATUS_MAX);
  if (source) readTimes(source, columns.sourceMs, (at) => from[at]!);
  if (server) {
    readTimes(server, columns.serverMs, (at) => baseOf(columns.sourceMs[at]!, from[at]!));
  }
  return columns;
}

function readTimes(reader: ProtoReader, out: Float64Array, baseAt: (at: number) => number): void {
  const missing = new Set<number>();
  let isRead = false;
  while (reader.next()) {
    const { field } = reader;
    if (field === 1 || field === 2) {
      if (isRead) throw malformed('two columns of one kind of time');
      isRead = true;
      if (field === 1) readRuns(reader.message(), out, 0, distances);
      else readPacked(reader.message(), out);
    } else if (field === 3) readPlaces(reader.message(), out.length, (at) => missing.add(at));
    else reader.skip();
  }
  if (!isRead) throw malformed('a column of times without times');
  for (let at = 0; at < out.length; at++) {
    const time = missing.has(at) ? Number.NaN : out[at]! + baseAt(at);
    if (time < TIME_MIN || time > TIME_MAX) throw malformed('a time of a device is out of range');
    out[at] = time;
  }
}
