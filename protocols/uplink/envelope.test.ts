import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc16Modbus } from '../../core/bytes.ts';
import { seededRandom } from '../../core/random.ts';
import { makeEpoch, openRecord, readEnvelope, recordChecksum, seal } from './envelope.ts';
import { type Body, EPOCH_PATTERN } from './record.ts';
import {
  bodies,
  isTaken,
  mutate,
  mutations,
  plainOf,
  sealFields,
  swallow,
  withChecks,
} from './uplink.fuzz.ts';

const epoch = '7-0123456789abcdef';
const manifest = '00112233445566778899aabbccddeeff';
const lane = 'live' as const;
const live = { lane, epoch, sequence: 9, manifest, taken: 5, unchanged: 2, givenUp: 0 };

function bodyOf(numbers: readonly number[]): Body {
  const count = numbers.length;
  return {
    clock: { wallOffsetMs: 1_767_225_600_000, state: 'synchronised', errorMs: 12 },
    readings: {
      count,
      alias: Uint32Array.from(numbers, (_, at) => at),
      monoMs: Float64Array.from(numbers, (_, at) => 5_000 + at),
      quality: new Uint8Array(count),
      numbers: Float64Array.from(numbers),
      special: new Map(),
    },
    isState: false,
    coverage: [],
    gaps: [],
    clockSteps: [],
    dictionary: null,
  };
}

const record = seal(live, bodyOf([1, 2, 3]));

test('any body comes back equal, in an envelope that counts it and spans its times', () => {
  fc.assert(
    fc.property(sealFields, bodies, (any, body) => {
      const sealed = seal(any, body);
      const opened = openRecord(sealed.bytes);
      const { bytes, ...envelope } = sealed;
      expect(opened.envelope).toEqual(envelope);
      expect(plainOf(opened.body)).toEqual(plainOf(body));
      expect(readEnvelope(bytes)).toMatchObject({ ok: true, checksum: recordChecksum(bytes) });
      for (const time of body.readings?.monoMs ?? []) {
        expect(time).toBeGreaterThanOrEqual(envelope.firstMonoMs);
        expect(time).toBeLessThanOrEqual(envelope.lastMonoMs);
      }
    }),
    { numRuns: 300 },
  );
});

test('whatever bytes come in, the answer is a refusal or an uplink fault', () => {
  fc.assert(fc.property(sealFields, bodies, mutations, swallow), { numRuns: 1_000 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readEnvelope(bytes);
      isTaken(() => openRecord(bytes));
    }),
    { numRuns: 500 },
  );
});

test('a record cut at any byte is refused', () => {
  for (let length = 0; length < record.bytes.length; length++) {
    expect(readEnvelope(record.bytes.subarray(0, length)).ok).toBe(false);
  }
});

test('one flipped bit anywhere is found; in the envelope nothing is named, in the body all is', () => {
  const { bytes, ...envelope } = record;
  const bodyStart = bytes[4]!;
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes);
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    const reading = readEnvelope(damaged);
    expect(reading.ok).toBe(false);
    if (reading.ok) continue;
    if (bit >> 3 < bodyStart) expect(reading.envelope).toBeUndefined();
    else expect(reading).toMatchObject({ reason: 'corrupt', envelope });
  }
});

test('a record for a later reader is refused with `later`, named and counted, and can be tried again', () => {
  const { bytes, ...envelope } = record;
  const later = Uint8Array.from(bytes);
  later[2] = 9;
  expect(readEnvelope(withChecks(later))).toMatchObject({ ok: false, reason: 'later', envelope });
  expect(() => openRecord(later)).toThrow(expect.objectContaining({ code: 'uplink_later' }));
  const otherLayout = Uint8Array.from(bytes);
  otherLayout[1] = 2;
  expect(readEnvelope(otherLayout)).toEqual({ ok: false, reason: 'later' });
});

test('what a later writer appends to the envelope is skipped', () => {
  const bodyStart = record.bytes[4]!;
  const bytes = Uint8Array.from([
    ...record.bytes.subarray(0, bodyStart - 2),
    ...[1, 2, 3, 0, 0],
    ...record.bytes.subarray(bodyStart),
  ]);
  bytes[4] = bodyStart + 3;
  // The CRC of the body stays where it was, so only the check of the envelope is new.
  const end = bodyStart + 1;
  new DataView(bytes.buffer).setUint16(end, crc16Modbus(bytes, 0, end), true);
  expect(openRecord(bytes).envelope).toEqual(openRecord(record.bytes).envelope);
});

test('a message above the limit is refused by name, and never made', () => {
  const padded = new Uint8Array(131_073);
  padded.set(record.bytes);
  expect(readEnvelope(padded)).toMatchObject({ reason: 'too_large', envelope: { sequence: 9 } });
  const random = seededRandom(3);
  const wide = bodyOf(Array.from({ length: 20_000 }, () => random.next() * random.next()));
  expect(() => seal(live, wide)).toThrow(expect.objectContaining({ code: 'uplink_too_large' }));
});

test('the same key with other readings or other counts has another checksum', () => {
  const sums = [
    seal(live, bodyOf([1, 2, 3])),
    seal(live, bodyOf([1, 2, 4])),
    seal({ ...live, givenUp: 1 }, bodyOf([1, 2, 3])),
  ].map(({ bytes }) => recordChecksum(bytes));
  expect(new Set(sums).size).toBe(3);
  expect(recordChecksum(Uint8Array.from(record.bytes))).toBe(sums[0]);
});

test('an envelope that counts other readings than the body holds is malformed', () => {
  const lying = mutate(record.bytes, []);
  // Readings stand after opening (1), random (8), sequence (1) and manifest (16).
  expect(lying[5 + 1 + 8 + 1 + 16]).toBe(3);
  lying[5 + 1 + 8 + 1 + 16] = 4;
  expect(() => openRecord(withChecks(lying))).toThrow(/count disagree/);
});

test('an epoch carries its opening number and 64 random bits', () => {
  const made = makeEpoch(12, seededRandom(1));
  expect(made).toMatch(EPOCH_PATTERN);
  expect(made.startsWith('12-')).toBe(true);
  expect(makeEpoch(12, seededRandom(2))).not.toBe(made);
  expect(() => makeEpoch(0, seededRandom(1))).toThrow();
});
