// Bytes a reading on the wire: 100 readings a message, in poll order, envelope included. What MQTT
// adds (fixed header, topic) is told apart, since it depends on how long the ids are.
//
// A signal is told by how it moves from poll to poll; a message is one poll of 100 points. The
// figure is the mean over all polls: nothing is carried from one message to the next.
import { readFileSync } from 'node:fs';
import { seededRandom } from '../core/random.ts';
import { makeEpoch, seal } from '../protocols/uplink/envelope.ts';
import type { Body, ReadingColumns } from '../protocols/uplink/record.ts';
import { topicOf } from '../protocols/uplink/topics.ts';
import type { Bed, Bench } from './bench.ts';

const POINTS = 100;
const POLLS = 200;
const PERIOD_MS = 1_000;

const random = seededRandom(20_260_101);
const epoch = makeEpoch(417, random);
const manifest = '00112233445566778899aabbccddeeff';
const clock = { wallOffsetMs: Date.UTC(2026, 0, 1), state: 'synchronised', errorMs: 10 } as const;
const step = (by: number) => Math.floor(random.next() * (2 * by + 1)) - by;

interface Signal {
  readonly name: string;
  readonly bytesMax?: number;
  /** A new point: its first value, and how it goes on. */
  readonly begin: () => number;
  readonly next: (before: number) => number;
}

const signals: readonly Signal[] = [
  { name: 'constant', begin: () => 215, next: (before) => before },
  {
    name: 'slow-12-bit',
    begin: () => Math.floor(random.next() * 4_096),
    next: (before) => (random.next() < 0.1 ? Math.abs(before + step(1)) & 0xfff : before),
  },
  {
    name: 'walk-16-bit',
    bytesMax: 2.9,
    begin: () => Math.floor(random.next() * 65_536),
    next: (before) => (before + step(3)) & 0xffff,
  },
  {
    name: 'float32',
    bytesMax: 4.8,
    begin: () => Math.fround(random.next() * 1_000),
    next: (before) => Math.fround(before * (1 + (random.next() - 0.5) / 1_000)),
  },
  {
    name: 'counter-32-bit',
    begin: () => Math.floor(random.next() * 2 ** 31),
    next: (before) => before + Math.floor(random.next() * 100),
  },
];

/**
 * What an OPC UA server says of 100 values: each sampled at a moment of its own within the second,
 * the server's time some milliseconds behind, the clocks apart by as much as this answer shows.
 */
function withOrigins(readings: ReadingColumns): ReadingColumns {
  const { count } = readings;
  const aheadMs = clock.wallOffsetMs + 417 + step(3);
  const monoMs = readings.monoMs.map((ms) => ms + Math.floor(random.next() * PERIOD_MS));
  const sourceMs = monoMs.map((ms) => ms + aheadMs);
  const serverMs = sourceMs.map((ms) => ms + Math.floor(random.next() * 8));
  return { ...readings, monoMs, origins: { status: new Uint32Array(count), sourceMs, serverMs } };
}

/** `width` points, one poll after another: `numbers` may hold more than one poll. */
function recordBytes(
  sequence: number,
  width: number,
  numbers: Float64Array,
  said: (readings: ReadingColumns) => ReadingColumns = (readings) => readings,
): number {
  const count = numbers.length;
  // Sequence and time as of a gateway that has run for two weeks: short ones would flatter.
  const firstMs = 1_209_600_000 + sequence * PERIOD_MS;
  const readings = {
    count,
    alias: Uint32Array.from({ length: count }, (_, at) => at % width),
    monoMs: Float64Array.from(numbers, (_, at) => firstMs + PERIOD_MS * Math.floor(at / width)),
    quality: new Uint8Array(count),
    numbers,
    special: new Map(),
  };
  const none = { isState: false, coverage: [], gaps: [], clockSteps: [], dictionary: null };
  const key = { lane: 'live', epoch, sequence: 1_200_000 + sequence, manifest } as const;
  const body: Body = { clock, readings: said(readings), ...none };
  return seal({ ...key, taken: count, unchanged: 0, givenUp: 0 }, body).bytes.length;
}

function bytesAReading({ begin, next }: Signal, said?: typeof withOrigins): number {
  let values = Array.from({ length: POINTS }, begin);
  let bytes = 0;
  for (let poll = 1; poll <= POLLS; poll++) {
    bytes += recordBytes(poll, POINTS, Float64Array.from(values), said);
    values = values.map(next);
  }
  return bytes / (POLLS * POINTS);
}

/**
 * A table with a header and a time in its first column. Its columns are float32 registers of one
 * device, a row a poll; columns of only 0 and 1 are labels and are left out.
 */
function recordingBytes(file: string): { bytes: number; columns: number; rows: number } {
  const lines = readFileSync(file, 'utf8').split(/\r?\n/).filter(Boolean);
  const separator = lines[0]!.includes(';') ? ';' : ',';
  const table = lines.slice(1).map((line) => line.split(separator).map(Number));
  const columns = [...table[0]!.keys()]
    .slice(1)
    .filter((column) => table.some((row) => row[column] !== 0 && row[column] !== 1));
  const values = table.flatMap((row) => columns.map((column) => Math.fround(row[column]!)));
  const polls = Math.floor(POINTS / columns.length);
  const size = polls * columns.length; // Whole polls a message.
  const messages = Math.floor(values.length / size);
  let bytes = 0;
  for (let at = 0; at < messages; at++) {
    const numbers = Float64Array.from(values.slice(at * size, (at + 1) * size));
    bytes += recordBytes(at * polls, columns.length, numbers);
  }
  return { bytes: bytes / (messages * size), columns: columns.length, rows: table.length };
}

async function run(bed: Bed): Promise<void> {
  for (const signal of signals) {
    const { name, bytesMax } = signal;
    const target = bytesMax === undefined ? {} : { target: `<= ${bytesMax}` };
    bed.report({ name, value: bytesAReading(signal), unit: 'B/reading', ...target });
  }
  const float32 = signals.find(({ name }) => name === 'float32')!;
  const value = bytesAReading(float32, withOrigins);
  bed.report({ name: 'float32 with source and server time', value, unit: 'B/reading' });
  for (const file of bed.options.recordings) {
    const { bytes, columns, rows } = recordingBytes(file);
    const name = `recording ${file.split('/').at(-1)}`;
    bed.report({ name, value: bytes, unit: 'B/reading', with: { columns, rows } });
  }
  const topic = topicOf('harbour', 'gw-0417', 'live');
  // Type and length of the packet (3 bytes from 128 on), topic with its length; QoS 0 has no id.
  const overhead = 3 + 2 + topic.length;
  bed.report({ name: 'mqtt-overhead', value: overhead / 100, unit: 'B/reading', with: { topic } });
}

export const payload: Bench = {
  name: 'payload',
  about: 'bytes a reading at 100 a message, by signal; --recording adds a table of its own',
  run,
};
