import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, fromHex, hex } from '../core/bytes.ts';
import { isFault } from '../core/fault.ts';
import { BAUD_MAX, BAUD_MIN } from './line-settings.ts';
import type { LineRecord } from './line-wire.ts';
import { encodeLineRecord, LineRecordReader, PAYLOAD_BYTES_MAX } from './line-wire.ts';

function read(chunks: readonly Uint8Array[]): LineRecord[] {
  const reader = new LineRecordReader();
  const records: LineRecord[] = [];
  for (const chunk of chunks) reader.push(chunk, (record) => records.push(record));
  return records;
}

const count = fc.nat(0xffff_ffff);
const record: fc.Arbitrary<LineRecord> = fc.oneof(
  fc.record({ kind: fc.constant('data' as const), bytes: fc.uint8Array({ minLength: 1 }) }),
  fc.record({ kind: fc.constant('break' as const), ms: fc.nat(0xffff) }),
  fc.record({
    kind: fc.constant('settings' as const),
    settings: fc.record({
      bitsPerSecond: fc.integer({ min: BAUD_MIN, max: BAUD_MAX }),
      dataBits: fc.constantFrom(7 as const, 8 as const),
      parity: fc.constantFrom('N' as const, 'E' as const, 'O' as const),
      stopBits: fc.constantFrom(1 as const, 2 as const),
    }),
  }),
  fc.record({
    kind: fc.constant('errors' as const),
    errors: fc.record({ parity: count, framing: count, overrun: count, break: count }),
  }),
);

/** Cuts `whole` at the given shares of its length. */
function cut(whole: Uint8Array, shares: readonly number[]): Uint8Array[] {
  const places = shares.map((share) => Math.floor(share * whole.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, at) => whole.subarray(from, places[at] ?? whole.length));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 });

test('records are laid out as written down', () => {
  const settings = { bitsPerSecond: 19_200, dataBits: 8, parity: 'E', stopBits: 1 } as const;
  const errors = { parity: 1, framing: 2, overrun: 3, break: 0x01020304 };
  const laid = (each: LineRecord) => hex(encodeLineRecord(each));
  expect(laid({ kind: 'data', bytes: fromHex('0103')! })).toBe('0100020103');
  expect(laid({ kind: 'break', ms: 250 })).toBe('02000200fa');
  expect(laid({ kind: 'settings', settings })).toBe('03000700004b00084501');
  expect(laid({ kind: 'errors', errors })).toBe('04001000000001000000020000000301020304');
});

test('however a stream is cut, the same records come out', () => {
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), shares, (records, cuts) => {
      const whole = concatBytes(records.map(encodeLineRecord));
      expect(read(cut(whole, cuts))).toEqual(records);
    }),
  );
});

test('data longer than a record takes several, and nothing of it is lost', () => {
  const bytes = Uint8Array.from({ length: 2 * PAYLOAD_BYTES_MAX + 1 }, (_, at) => at);
  const parts = read([encodeLineRecord({ kind: 'data', bytes })]).map((each) =>
    each.kind === 'data' ? each.bytes : new Uint8Array(0),
  );
  expect(parts.map(({ length }) => length)).toEqual([PAYLOAD_BYTES_MAX, PAYLOAD_BYTES_MAX, 1]);
  expect(concatBytes(parts)).toEqual(bytes);
});

test('a kind nobody knows is skipped', () => {
  const whole = fromHex('09 0002 ffff 01 0001 07 ff 0000')!;
  expect(read([whole])).toEqual([{ kind: 'data', bytes: Uint8Array.of(7) }]);
});

test('whatever comes, in whatever pieces, nothing but the fault of the wire comes out', () => {
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 500 }),
    // Headers of real kinds with lengths that do and do not fit.
    fc
      .tuple(fc.nat(6), fc.nat(24), fc.uint8Array({ maxLength: 24 }))
      .map(([kind, length, rest]) => {
        return Uint8Array.of(kind, 0, length, ...rest);
      }),
  );
  fc.assert(
    fc.property(noise, shares, (bytes, cuts) => {
      try {
        read(cut(bytes, cuts));
      } catch (error) {
        expect(isFault(error) && error.code).toBe('line_wire');
      }
    }),
  );
  expect(() => read([fromHex('01 1001')!])).toThrow(/4097/);
  expect(() => read([fromHex('03 0007 0000000a 08 45 01')!])).toThrow(/no line/);
});
