// The inside of a record: message `Body` of lifeline.proto, plain or zstd. Times of readings,
// coverage and clock steps are relative to the first time of the envelope, so that they stay short.
import { constants as zlib, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { assert, Fault } from '../../core/fault.ts';
import { type GapCause, gapCauses } from '../../core/reading.ts';
import {
  ALIAS_MAX,
  type BodyContext,
  decodeReadings,
  encodeReadings,
  READINGS_MAX,
} from './columns.ts';
import { decodePart, encodePart } from './dictionary.ts';
import { malformed, ProtoReader, ProtoWriter } from './proto.ts';
import {
  type Body,
  type ClockState,
  type ClockStep,
  type Coverage,
  clockStates,
  type DictionaryPart,
  type Epoch,
  type Gap,
  type ReadingColumns,
} from './record.ts';
import { MESSAGE_BYTES_MAX } from './topics.ts';
import { readEpoch, readRanges, writeEpoch, writeRanges } from './wire-words.ts';

/** A zstd body of 6 KB can unpack to 200 MB; more than this is refused before it is made. */
export const BODY_BYTES_MAX = 16 * MESSAGE_BYTES_MAX;

/** Points of one coverage entry or gap: more than any gateway has. Bounds loops over them. */
export const GROUP_POINTS_MAX = 2 ** 20;
/** Groups of points that one record may cover: 4,096 x 20 bytes stay below a message. */
export const COVERAGE_MAX = 4_096;
export const GAPS_MAX = 1_024;
/** Of one gap. The cloud keeps at most 1,024 ranges an epoch, so no more are ever open. */
export const GAP_RANGES_MAX = 1_024;
export const CLOCK_STEPS_MAX = 64;

/** Below it a body is mostly packed numbers, and zstd costs more time than all the rest. */
const COMPRESS_BYTES_MIN = 1_024;
/** Window 2 MiB = BODY_BYTES_MAX: a frame that asks for more memory is refused. */
const WINDOW_LOG_MAX = 21;
assert(2 ** WINDOW_LOG_MAX === BODY_BYTES_MAX, 'the window holds the largest body');

export const codecs = ['plain', 'zstd'] as const;

export interface Span {
  readonly firstMonoMs: number;
  readonly lastMonoMs: number;
}

/** The time a record is about: readings, coverage, clock steps, and gaps of its own epoch. */
export function spanOf(body: Body, epoch: Epoch): Span {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  const add = (fromMs: number, toMs: number) => {
    first = Math.min(first, fromMs);
    last = Math.max(last, toMs);
  };
  if (body.readings) {
    const { count, monoMs } = body.readings;
    for (let at = 0; at < count; at++) {
      const time = monoMs[at]!;
      if (time < first) first = time;
      if (time > last) last = time;
    }
  }
  for (const { fromMonoMs, toMonoMs } of body.coverage) add(fromMonoMs, toMonoMs);
  for (const { monoMs } of body.clockSteps) add(monoMs, monoMs);
  for (const gap of body.gaps) if (gap.epoch === epoch) add(gap.fromMonoMs, gap.toMonoMs);
  if (first > last) return { firstMonoMs: 0, lastMonoMs: 0 };
  return { firstMonoMs: Math.round(first) + 0, lastMonoMs: Math.round(last) + 0 };
}

/** Throws Fault `uplink_too_large` when a list passes its limit. */
export function encodeBody(body: Body, baseMonoMs: number): Uint8Array {
  bound(body.readings?.count ?? 0, READINGS_MAX, 'readings');
  bound(body.coverage.length, COVERAGE_MAX, 'coverage entries');
  bound(body.gaps.length, GAPS_MAX, 'gaps');
  bound(body.clockSteps.length, CLOCK_STEPS_MAX, 'clock steps');
  const { isFill = false } = body;
  const writer = new ProtoWriter(1_024);
  writer.sint(1, Math.round(body.clock.wallOffsetMs));
  writer.uint(2, clockStates.indexOf(body.clock.state));
  writer.uint(3, Math.ceil(body.clock.errorMs));
  // A reader of before `is_fill` takes it for a state record: counted for nothing either way.
  writer.bool(4, body.isState || isFill);
  if (body.readings && body.readings.count > 0) {
    encodeReadings(writer, 5, body.readings, baseMonoMs);
  }
  for (const coverage of body.coverage) writeCoverage(writer, coverage, baseMonoMs);
  for (const gap of body.gaps) writeGap(writer, gap);
  for (const step of body.clockSteps) writeClockStep(writer, step, baseMonoMs);
  if (body.dictionary) writer.bytes(9, encodePart(body.dictionary));
  writer.bool(10, isFill);
  bound(writer.written.length, BODY_BYTES_MAX, 'bytes of body');
  return writer.written;
}

function bound(count: number, max: number, what: string): void {
  if (count > max) throw new Fault('uplink_too_large', 'never', `${count} ${what}, at most ${max}`);
}

function writeCoverage(writer: ProtoWriter, coverage: Coverage, baseMonoMs: number): void {
  const fromMonoMs = Math.round(coverage.fromMonoMs);
  const mark = writer.open(6);
  writer.uint(1, coverage.firstAlias);
  writer.uint(2, coverage.points);
  writer.sint(3, fromMonoMs - baseMonoMs);
  writer.sint(4, Math.round(coverage.toMonoMs) - fromMonoMs);
  writer.uint(5, coverage.taken);
  writer.uint(6, coverage.unchanged);
  writer.uint(7, coverage.failed);
  writer.close(mark);
}

function readCoverage(reader: ProtoReader, baseMonoMs: number): Coverage {
  const entry = { firstAlias: 0, points: 0, from: 0, length: 0, taken: 0, unchanged: 0, failed: 0 };
  while (reader.next()) {
    if (reader.field === 1) entry.firstAlias = reader.uint(ALIAS_MAX);
    else if (reader.field === 2) entry.points = reader.uint(GROUP_POINTS_MAX);
    else if (reader.field === 3) entry.from = reader.sint();
    else if (reader.field === 4) entry.length = reader.sint();
    else if (reader.field === 5) entry.taken = reader.uint();
    else if (reader.field === 6) entry.unchanged = reader.uint();
    else if (reader.field === 7) entry.failed = reader.uint();
    else reader.skip();
  }
  const { from, length, ...rest } = entry;
  const fromMonoMs = baseMonoMs + from;
  return { ...rest, fromMonoMs, toMonoMs: fromMonoMs + length };
}

function writeGap(writer: ProtoWriter, gap: Gap): void {
  bound(gap.sequences.length, GAP_RANGES_MAX, 'ranges in a gap');
  const mark = writer.open(7);
  writer.uint(1, gapCauses.indexOf(gap.cause));
  writeEpoch(writer, 2, gap.epoch);
  writer.uint(3, gap.firstAlias);
  writer.uint(4, gap.points);
  writer.sint(5, Math.round(gap.fromMonoMs));
  writer.sint(6, Math.round(gap.toMonoMs));
  writer.uint(7, gap.readings);
  writer.bool(8, gap.estimated);
  writeRanges(writer, 9, gap.sequences);
  writer.close(mark);
}

function readGap(reader: ProtoReader): Gap {
  const gap = { firstAlias: 0, points: 0, fromMonoMs: 0, toMonoMs: 0, readings: 0 };
  let cause: GapCause | undefined = gapCauses[0];
  let epoch: Epoch | undefined;
  let estimated = false;
  let sequences: Gap['sequences'] = [];
  while (reader.next()) {
    if (reader.field === 1) cause = gapCauses[reader.uint()];
    else if (reader.field === 2) epoch = readEpoch(reader.message());
    else if (reader.field === 3) gap.firstAlias = reader.uint(ALIAS_MAX);
    else if (reader.field === 4) gap.points = reader.uint(GROUP_POINTS_MAX);
    else if (reader.field === 5) gap.fromMonoMs = reader.sint();
    else if (reader.field === 6) gap.toMonoMs = reader.sint();
    else if (reader.field === 7) gap.readings = reader.uint();
    else if (reader.field === 8) estimated = reader.bool();
    else if (reader.field === 9) sequences = readRanges(reader.message(), GAP_RANGES_MAX);
    else reader.skip();
  }
  if (cause === undefined || epoch === undefined) throw malformed('a gap without cause or epoch');
  return { cause, epoch, ...gap, estimated, sequences };
}

function writeClockStep(writer: ProtoWriter, step: ClockStep, baseMonoMs: number): void {
  const mark = writer.open(8);
  writer.sint(1, Math.round(step.monoMs) - baseMonoMs);
  writer.sint(2, Math.round(step.fromOffsetMs));
  writer.sint(3, Math.round(step.toOffsetMs));
  writer.uint(4, clockStates.indexOf(step.state));
  writer.close(mark);
}

function readClockStep(reader: ProtoReader, baseMonoMs: number): ClockStep {
  const step = { monoMs: baseMonoMs, fromOffsetMs: 0, toOffsetMs: 0 };
  let state: ClockState = clockStates[0];
  while (reader.next()) {
    if (reader.field === 1) step.monoMs = baseMonoMs + reader.sint();
    else if (reader.field === 2) step.fromOffsetMs = reader.sint();
    else if (reader.field === 3) step.toOffsetMs = reader.sint();
    else if (reader.field === 4) state = clockStateOf(reader.uint());
    else reader.skip();
  }
  return { ...step, state };
}

export function clockStateOf(code: number): ClockState {
  const state = clockStates[code];
  if (state === undefined) throw malformed(`no clock state ${code}`);
  return state;
}

export interface DecodedBody {
  readonly body: Body;
  /** The dictionary part as it came: what its hash is made of. */
  readonly dictionaryBytes: Uint8Array | null;
}

/**
 * Throws Fault `uplink_malformed`; needs memory in proportion to `bytes`, at most 1,312 KiB beside.
 */
export function decodeBody(bytes: Uint8Array, context: BodyContext): DecodedBody {
  const { firstMonoMs } = context;
  const clock = { wallOffsetMs: 0, state: clockStates[0] as ClockState, errorMs: 0 };
  let isState = false;
  let isFill = false;
  let readings: ReadingColumns | null = null;
  const coverage: Coverage[] = [];
  const gaps: Gap[] = [];
  const clockSteps: ClockStep[] = [];
  let dictionary: DictionaryPart | null = null;
  let dictionaryBytes: Uint8Array | null = null;
  const reader = new ProtoReader(bytes);
  while (reader.next()) {
    if (reader.field === 1) clock.wallOffsetMs = reader.sint();
    else if (reader.field === 2) clock.state = clockStateOf(reader.uint());
    else if (reader.field === 3) clock.errorMs = reader.uint();
    else if (reader.field === 4) isState = reader.bool();
    else if (reader.field === 5) {
      // A second one would let a small message ask for the largest arrays again and again.
      if (readings) throw malformed('readings twice');
      readings = decodeReadings(reader.message(), context);
    } else if (reader.field === 6) {
      append(coverage, readCoverage(reader.message(), firstMonoMs), COVERAGE_MAX);
    } else if (reader.field === 7) append(gaps, readGap(reader.message()), GAPS_MAX);
    else if (reader.field === 8) {
      append(clockSteps, readClockStep(reader.message(), firstMonoMs), CLOCK_STEPS_MAX);
    } else if (reader.field === 9) {
      if (dictionary) throw malformed('a dictionary part twice');
      dictionaryBytes = reader.bytes();
      dictionary = decodePart(dictionaryBytes);
    } else if (reader.field === 10) isFill = reader.bool();
    else reader.skip();
  }
  if ((readings?.count ?? 0) !== context.readings) {
    throw malformed(`the envelope counts ${context.readings} readings, the body has none`);
  }
  const lists = { coverage, gaps, clockSteps, dictionary };
  if (!isFill) return { body: { clock, readings, isState, ...lists }, dictionaryBytes };
  return { body: { clock, readings, isState: false, isFill, ...lists }, dictionaryBytes };
}

function append<Item>(list: Item[], item: Item, max: number): void {
  if (list.length >= max) throw malformed(`a list of more than ${max}`);
  list.push(item);
}

/** zstd where it is tried and saves an eighth. */
export function packBody(plain: Uint8Array): {
  readonly codec: number;
  readonly bytes: Uint8Array;
} {
  if (plain.length >= COMPRESS_BYTES_MIN) {
    const packed = zstdCompressSync(plain);
    if (packed.length < plain.length - plain.length / 8) return { codec: 1, bytes: packed };
  }
  return { codec: 0, bytes: plain };
}

export function unpackBody(bytes: Uint8Array, codec: number): Uint8Array {
  if (codec === 0) return bytes;
  if (codecs[codec] !== 'zstd') throw malformed(`no codec ${codec}`);
  try {
    return zstdDecompressSync(bytes, {
      maxOutputLength: BODY_BYTES_MAX,
      params: { [zlib.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    });
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw malformed(`zstd: ${error.message}`, error);
  }
}
