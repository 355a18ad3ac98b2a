import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ACK_EPOCHS_MAX,
  ACK_NEEDED_MAX,
  ACK_RANGES_MAX,
  ACK_REFUSED_MAX,
  BIRTH_EPOCHS_MAX,
  BIRTH_RANGES_MAX,
  decodeAck,
  decodeBirth,
  encodeAck,
  encodeBirth,
  encodeCommand,
} from './control.ts';
import { MESSAGE_BYTES_MAX } from './topics.ts';
import { controls, isTaken, mutate, mutations } from './uplink.fuzz.ts';

interface AnyCodec {
  readonly messages: fc.Arbitrary<unknown>;
  readonly encode: (message: unknown) => Uint8Array;
  readonly decode: (bytes: Uint8Array) => unknown;
}

describe.each(Object.entries(controls))('%s', (_name, typed) => {
  const { messages, encode, decode } = typed as unknown as AnyCodec;

  test('comes back equal', () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(decode(encode(message))).toEqual(message);
      }),
    );
  });

  test('damaged in any way gives a message or an uplink fault', () => {
    fc.assert(
      fc.property(messages, mutations, (message, list) => {
        isTaken(() => decode(mutate(encode(message), list)));
      }),
      { numRuns: 300 },
    );
  });
});

// Eight bytes as a varint.
const far = 2 ** 52;
const scattered = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ first: far + at * 2, last: far + at * 2 }));
const epochOf = (opening: number) => `${opening}-ffffffffffffffff`;

test('an ack past its limits says the lowest ranges and fits a message', () => {
  const reason = 'clone' as const;
  const entry = (opening: number) => ({
    epoch: epochOf(opening),
    stored: scattered(100),
    refused: scattered(100).map(({ first }) => ({ sequence: first, reason })),
    wanted: scattered(100),
  });
  const epochs = Array.from({ length: 50 }, (_, at) => entry(4_000_000_000 + at));
  const needed = Array<string>(300).fill('f'.repeat(32));
  const bytes = encodeAck({ storeId: 's', epochs, needed, creditBytes: far });
  expect(bytes.length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  const ack = decodeAck(bytes);
  expect(ack.needed).toHaveLength(ACK_NEEDED_MAX);
  expect(ack.epochs).toHaveLength(ACK_EPOCHS_MAX);
  expect(ack.epochs[0]?.stored).toEqual(scattered(ACK_RANGES_MAX));
  expect(ack.epochs[0]?.refused).toHaveLength(ACK_REFUSED_MAX);
});

test('a birth past its limits leaves out whole epochs, never a part of what one holds', () => {
  const epochs = Array.from({ length: 2_000 }, (_, at) => ({
    epoch: epochOf(4_000_000_000 + at),
    held: scattered(at % 10),
    next: Number.MAX_SAFE_INTEGER,
  }));
  const words = { storeIdSeen: '', software: '1', configuration: '2', manifest: '' };
  const bytes = encodeBirth({ ...words, epochs });
  expect(bytes.length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
  const birth = decodeBirth(bytes);
  expect(birth.epochs.length).toBeGreaterThan(900);
  expect(birth.epochs.length).toBeLessThanOrEqual(BIRTH_EPOCHS_MAX);
  const held = birth.epochs.reduce((sum, entry) => sum + entry.held.length, 0);
  expect(held).toBeLessThanOrEqual(BIRTH_RANGES_MAX);
  for (const entry of birth.epochs) expect(epochs).toContainEqual(entry);
});

test('a refusal reason of a later cloud is still a refusal', () => {
  const refused = [{ sequence: 5, reason: 'malformed' as const }];
  const entry = { epoch: epochOf(1), stored: [], refused, wanted: [] };
  const bytes = encodeAck({ storeId: 's', epochs: [entry], needed: [], creditBytes: 1 });
  const at = bytes.lastIndexOf(4, bytes.length - 3);
  const later = Uint8Array.from(bytes);
  later[at] = 99;
  expect(decodeAck(later).epochs[0]?.refused).toEqual(refused);
});

test('a text past its limit is refused before it is sent', () => {
  const command = {
    id: 'c-1',
    issuer: 'x'.repeat(129),
    epoch: epochOf(1),
    sequence: 1,
    timeToLiveMs: 1_000,
    device: 'valve',
    point: 'position',
    command: 'set',
    value: 50,
    second: '',
    why: '',
  };
  const tooLarge = expect.objectContaining({ code: 'uplink_too_large' });
  expect(() => encodeCommand(command)).toThrow(tooLarge);
});

test('a message above the limit is not looked at', () => {
  const large = new Uint8Array(MESSAGE_BYTES_MAX + 1);
  expect(() => decodeAck(large)).toThrow(/131073 bytes/);
});
