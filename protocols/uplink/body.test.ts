import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { qualityCode } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import { BODY_BYTES_MAX, COVERAGE_MAX, decodeBody, encodeBody, unpackBody } from './body.ts';
import { READINGS_MAX } from './columns.ts';
import { openRecord, seal } from './envelope.ts';
import { ProtoReader, ProtoWriter } from './proto.ts';
import type { Body, ReadingColumns } from './record.ts';
import { bodies, isTaken, mutate, mutations } from './uplink.fuzz.ts';

const empty: Body = {
  clock: { wallOffsetMs: 1_767_225_600_000, state: 'synchronised', errorMs: 12 },
  readings: null,
  isState: false,
  coverage: [],
  gaps: [],
  clockSteps: [],
  dictionary: null,
};

function columns(numbers: readonly number[], more: Partial<ReadingColumns> = {}): ReadingColumns {
  return {
    count: numbers.length,
    alias: Uint32Array.from(numbers, (_, at) => at),
    // Eleven days after the epoch was opened: a usual number of digits.
    monoMs: new Float64Array(numbers.length).fill(1_000_000_000),
    quality: new Uint8Array(numbers.length),
    numbers: Float64Array.from(numbers),
    special: new Map(),
    ...more,
  };
}

function sealed(readings: ReadingColumns) {
  const { count } = readings;
  const lane = 'live' as const;
  const key = { lane, epoch: '417-0123456789abcdef', sequence: 1_234_567 };
  const manifest = '00112233445566778899aabbccddeeff';
  const counts = { manifest, taken: count, unchanged: 0, givenUp: 0 };
  return seal({ ...key, ...counts }, { ...empty, readings });
}

const random = seededRandom(42);
const hundred = (next: () => number) => Array.from({ length: 100 }, next);
const walk = () => {
  const level = Math.floor(random.next() * 65_530) + 3;
  return level + Math.floor(random.next() * 7) - 3;
};

// One poll of 100 different registers, envelope included, no compression that a neighbour could
// help.
const signals: readonly { name: string; next: () => number; bytesMax: number }[] = [
  { name: 'constant', next: () => 215, bytesMax: 0.8 },
  { name: 'boolean', next: () => Math.round(random.next()), bytesMax: 0.9 },
  { name: 'slow 12-bit', next: () => Math.floor(random.next() * 4_096), bytesMax: 2.4 },
  { name: '16-bit walk', next: walk, bytesMax: 2.9 },
  { name: 'float32', next: () => Math.fround(random.next() * 1_000), bytesMax: 4.4 },
  {
    name: 'float32 of any size and sign',
    next: () => Math.fround((random.next() - 0.5) * 10 ** (random.next() * 12 - 4)),
    bytesMax: 4.8,
  },
  { name: '32-bit counters', next: () => Math.floor(random.next() * 2 ** 32), bytesMax: 4.8 },
];

test.each(signals)('$name: at most $bytesMax bytes a reading', ({ name, next, bytesMax }) => {
  const { bytes } = sealed(columns(hundred(next)));
  console.log(`${name}: ${(bytes.length / 100).toFixed(2)} bytes a reading`);
  expect(bytes.length / 100).toBeLessThanOrEqual(bytesMax);
});

// A sampling server: every value has its own moment within the second, and the distance of the two
// clocks is that of the answer, to a millisecond of rounding.
const SERVER_AHEAD_MS = Date.UTC(2026, 0, 1) - 1_000_000_000 + 417;
const moments = hundred(() => Math.floor(random.next() * 1_000));
const rounding = () => (random.next() < 0.2 ? 1 : 0);
const saids = [
  { name: 'OPC UA, one moment an answer', momentAt: () => 0, later: () => 0, bytesMax: 4.5 },
  { name: 'OPC UA, the source time alone', momentAt: (at: number) => moments[at]!, bytesMax: 6.2 },
  {
    name: 'OPC UA, a server some milliseconds behind its source',
    momentAt: (at: number) => moments[at]!,
    later: () => Math.floor(random.next() * 8),
    bytesMax: 6.6,
  },
];

test.each(saids)('$name: at most $bytesMax bytes a reading', (signal) => {
  const { name, momentAt, later, bytesMax } = signal;
  const monoMs = Float64Array.from(
    hundred(() => 0),
    (_, at) => 1_000_000_000 + momentAt(at),
  );
  const sourceMs = monoMs.map((ms) => ms + SERVER_AHEAD_MS + (later ? 0 : rounding()));
  const serverMs = sourceMs.map((ms) => (later ? ms + later() : Number.NaN));
  const floats = hundred(() => Math.fround(random.next() * 1_000));
  const origins = { status: new Uint32Array(100), sourceMs, serverMs };
  const { bytes } = sealed({ ...columns(floats, { monoMs }), origins });
  console.log(`${name}: ${(bytes.length / 100).toFixed(2)} bytes a reading`);
  expect(bytes.length / 100).toBeLessThanOrEqual(bytesMax);
});

test('readings without origins are the same bytes as before, and none said is none written', () => {
  const plain = columns(hundred(walk));
  const none = new Float64Array(100).fill(Number.NaN);
  const origins = { status: new Uint32Array(100), sourceMs: none, serverMs: none };
  const { bytes } = sealed(plain);
  expect(sealed({ ...plain, origins }).bytes).toEqual(bytes);
  expect(openRecord(bytes).body.readings).not.toHaveProperty('origins');
});

test('a time that no calendar has is written as none', () => {
  const sourceMs = Float64Array.of(8.64e15, -1e300, 1_767_225_600_000.4);
  const none = new Float64Array(3).fill(Number.NaN);
  const origins = { status: Uint32Array.of(0, 0x80000000, 0), sourceMs, serverMs: none };
  const { origins: read } = openRecord(sealed({ ...columns([1, 2, 3]), origins }).bytes).body
    .readings!;
  expect([...read!.sourceMs]).toEqual([Number.NaN, Number.NaN, 1_767_225_600_000]);
  expect([...read!.status]).toEqual([0, 0x80000000, 0]);
});

test('a fill is a state record to a reader that does not know of fills', () => {
  const bytes = encodeBody({ ...empty, readings: columns([1]), isFill: true }, 0);
  const reader = new ProtoReader(bytes);
  const seen: number[] = [];
  while (reader.next()) {
    if (reader.field === 4 || reader.field === 10) seen.push(reader.field, reader.uint());
    else reader.skip();
  }
  expect(seen).toEqual([4, 1, 10, 1]);
  expect(decodeBody(bytes, of(1)).body).toMatchObject({ isState: false, isFill: true });
});

test('ten devices at ten times, a third of the points reported: aliases and times stay small', () => {
  const alias: number[] = [];
  const monoMs: number[] = [];
  for (let point = 0; alias.length < 100; point++) {
    if (random.next() > 0.33) continue;
    alias.push(point);
    monoMs.push(1_000_000_000 + Math.floor(point / 30) * 37);
  }
  const readings = columns(hundred(walk), {
    alias: Uint32Array.from(alias),
    monoMs: Float64Array.from(monoMs),
  });
  expect(sealed(readings).bytes.length / 100).toBeLessThan(3.7);
});

test('one wide counter does not widen the registers beside it', () => {
  const narrow = hundred(() => Math.floor(random.next() * 4_096));
  const plain = sealed(columns(narrow)).bytes.length;
  const mixed = narrow.with(50, 4_000_000_000);
  expect(sealed(columns(mixed)).bytes.length - plain).toBeLessThan(50);
});

test('every float32 comes back bit for bit', () => {
  fc.assert(
    fc.property(fc.array(fc.float(), { minLength: 1, maxLength: 200 }), (floats) => {
      const { bytes } = sealed(columns(floats));
      expect([...openRecord(bytes).body.readings!.numbers]).toEqual(floats);
    }),
  );
});

test('a thousand readings of one point, whole, cost what their steps cost', () => {
  let level = 30_000;
  const steps = Array.from({ length: 1_000 }, () => (level += Math.floor(random.next() * 7) - 3));
  const readings = columns(steps, {
    alias: new Uint32Array(1_000).fill(17),
    monoMs: Float64Array.from(steps, (_, at) => 1_000_000_000 + at * 100),
  });
  expect(sealed(readings).bytes.length / 1_000).toBeLessThan(0.5);
});

test('a sick device, a hundred null readings, costs less than a well one', () => {
  const quality = new Uint8Array(100).fill(qualityCode('bad', 'timeout'));
  const special = new Map(Array.from({ length: 100 }, (_, at) => [at, null] as const));
  const readings = columns(
    hundred(() => Number.NaN),
    { quality, special },
  );
  expect(sealed(readings).bytes.length / 100).toBeLessThan(1);
});

test('fractions of a millisecond are rounded, and no reading leaves the span', () => {
  const readings = columns([1, 2], { monoMs: Float64Array.of(10.4, 11.6) });
  const { bytes, firstMonoMs, lastMonoMs } = sealed(readings);
  expect([firstMonoMs, lastMonoMs]).toEqual([10, 12]);
  expect([...openRecord(bytes).body.readings!.monoMs]).toEqual([10, 12]);
});

test('a list past its limit is never made', () => {
  const entry = { firstAlias: 0, points: 1, fromMonoMs: 0, toMonoMs: 1, taken: 1, unchanged: 0 };
  const coverage = Array(COVERAGE_MAX + 1).fill({ ...entry, failed: 0 });
  const tooLarge = expect.objectContaining({ code: 'uplink_too_large' });
  expect(() => encodeBody({ ...empty, coverage }, 0)).toThrow(tooLarge);
  const readings = columns(new Array<number>(READINGS_MAX + 1).fill(0));
  expect(() => encodeBody({ ...empty, readings }, 0)).toThrow(tooLarge);
});

const malformed = expect.objectContaining({ code: 'uplink_malformed' });

const of = (readings: number) => ({ readings, firstMonoMs: 0 });

function readingsOf(write: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  const mark = writer.open(5);
  write(writer);
  writer.close(mark);
  return writer.finish();
}

test('a count is checked before arrays are made of it', () => {
  const lying = readingsOf((writer) => writer.uint(99, 1));
  expect(() => decodeBody(lying, of(2 ** 40))).toThrow(/a record of/);
});

test('readings come once: a message of nothing but counts makes one set of arrays', () => {
  const once = readingsOf((writer) => {
    const runs = writer.open(1);
    for (const part of [1, READINGS_MAX, 1]) writer.signed(part);
    writer.close(runs);
    writer.close(writer.open(6));
  });
  expect(decodeBody(once, of(READINGS_MAX)).body.readings?.count).toBe(READINGS_MAX);
  expect(() => decodeBody(Buffer.concat([once, once]), of(READINGS_MAX))).toThrow(/twice/);
});

test('a null reading that is not bad is malformed: a hole may not look good', () => {
  const special = new Map([[0, null]]);
  const quality = Uint8Array.of(0);
  const body = { ...empty, readings: columns([Number.NaN], { special, quality }) };
  expect(() => decodeBody(encodeBody(body, 0), of(1))).toThrow(/not bad/);
});

test('a small zstd body that unpacks past the limit is refused, and so is one that wants a wide window', () => {
  const bomb = zstdCompressSync(new Uint8Array(200 * 1024 * 1024));
  expect(bomb.length).toBeLessThan(32_768);
  expect(() => unpackBody(bomb, 1)).toThrow(malformed);
  const most = zstdCompressSync(new Uint8Array(BODY_BYTES_MAX));
  expect(unpackBody(most, 1).length).toBe(BODY_BYTES_MAX);
  // RFC 8878, 3.1.1.1.2: a window descriptor of exponent 17 asks for 128 MiB; one raw block of a
  // byte.
  const wide = Buffer.from('28b52ffd008809000041', 'hex');
  expect(() => unpackBody(wide, 1)).toThrow(malformed);
  expect(() => unpackBody(most, 7)).toThrow(/no codec 7/);
});

test('unknown fields and unknown kinds of field do not disturb what is known', () => {
  const writer = new ProtoWriter();
  writer.uint(99, 5);
  writer.double(98, 1.5);
  writer.text(97, 'later');
  const body = { ...empty, readings: columns([1, 2, 3]) };
  const bytes = Buffer.concat([
    writer.finish(),
    encodeBody(body, 0),
    Buffer.from('b50600000000', 'hex'),
  ]);
  expect(decodeBody(bytes, of(3)).body).toEqual(decodeBody(encodeBody(body, 0), of(3)).body);
});

test('groups, field 0, endless varints and lengths past the end are malformed', () => {
  for (const text of ['0b', '0c', '00', '08ffffffffffffffffffff01', '2affffffff0f', '2a05', '09']) {
    expect(() => decodeBody(Buffer.from(text, 'hex'), of(0))).toThrow(malformed);
  }
});

test('any damage to a body gives a body or an uplink fault', () => {
  fc.assert(
    fc.property(bodies, mutations, (body, list) => {
      const context = of(body.readings?.count ?? 0);
      isTaken(() => decodeBody(mutate(encodeBody(body, 0), list), context));
    }),
    { numRuns: 1_000 },
  );
});
