import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex } from '../../core/bytes.ts';
import { Problems } from '../../core/problems.ts';
import type { Value } from '../../core/reading.ts';
import type { ModbusAddress } from './address.ts';
import { orders, parseAddress } from './address.ts';
import { decodeValue, encodeValue, writeValue } from './value.ts';

function address(type: string, more: Readonly<Record<string, unknown>> = {}): ModbusAddress {
  const problems = new Problems('test');
  const parsed = parseAddress({ table: 'holding', address: 0, type, ...more }, [], problems);
  expect(problems.findings).toEqual([]);
  return parsed!;
}

function registers(text: string): Uint16Array {
  const bytes = fromHex(text)!;
  return Uint16Array.from({ length: bytes.length / 2 }, (_, at) =>
    Number((bytes[2 * at]! << 8) | bytes[2 * at + 1]!),
  );
}

const cases: readonly [string, Record<string, unknown>, string, Value | undefined][] = [
  ['uint16', {}, 'ffff', 65_535],
  ['uint16', { order: 'BADC' }, '3412', 0x1234],
  ['int16', {}, 'ff85', -123],
  ['uint32', {}, '0001 0002', 65_538],
  ['int32', { order: 'CDAB' }, 'fffe ffff', -2],
  ['uint8-hi', {}, '8001', 128],
  ['uint8-lo', {}, '80ff', 255],
  ['int8-hi', {}, '8001', -128],
  ['int8-lo', {}, '80ff', -1],
  // A power meter's 230.2 V, the four orders of it, and two meters' answers in CDAB.
  ['float32', {}, '4366 3334', 230.20001220703125],
  ['float32', { order: 'CDAB' }, '3334 4366', 230.20001220703125],
  ['float32', { order: 'BADC' }, '6643 3433', 230.20001220703125],
  ['float32', { order: 'DCBA' }, '3433 6643', 230.20001220703125],
  ['float32', { order: 'CDAB' }, '806b 4212', 36.62540817260742],
  ['float32', { order: 'CDAB' }, '0000 c148', -12.5],
  ['float16', {}, 'c580', -5.5],
  ['float64', {}, '4005 bf0a 8b14 5769', Math.E],
  ['float64', { order: 'CDAB' }, '5769 8b14 bf0a 4005', Math.E],
  ['float64', { order: 'BADC' }, '0540 0abf 148b 6957', Math.E],
  ['float64', { order: 'DCBA' }, '6957 148b 0abf 0540', Math.E],
  ['uint64', {}, '001f ffff ffff ffff', Number.MAX_SAFE_INTEGER],
  ['uint64', {}, '0020 0000 0000 0001', 9_007_199_254_740_993n],
  ['uint64', {}, 'ffff ffff ffff ffff', 18_446_744_073_709_551_615n],
  ['int64', {}, 'ffff ffff ffff fffe', -2],
  ['int64', {}, '8000 0000 0000 0000', -9_223_372_036_854_775_808n],
  ['bcd16', {}, '1234', 1234],
  ['bcd16', {}, '12a4', undefined],
  ['bcd32', { order: 'CDAB' }, '5678 1234', 12_345_678],
  ['bcd32', {}, 'ffff ffff', undefined],
  ['mod10k', { length: 3 }, '04d2 162e 0001', 1_5678_1234],
  ['mod10k', { length: 2, order: 'ABCD' }, '0001 04d2', 11_234],
  ['mod10k', {}, '2710 0000', undefined],
  ['mod10k', { length: 4 }, '270f 270f 270f 270f', 9_999_999_999_999_999n],
  ['hi100lo', {}, '0003 0019', 325],
  ['hi100lo', { length: 4 }, '0001 0000 0000 0007', 6_553_607],
  ['sm16', {}, '8005', -5],
  ['sm16', {}, '8000', 0],
  ['sm32', { order: 'CDAB' }, '0001 8000', -1],
  ['bool', { bit: 3 }, '0008', true],
  ['bool', { bit: 3 }, 'fff7', false],
  ['bool', { bit: 17, length: 2 }, '0002 0000', true],
  ['bool', {}, '0100', true],
  ['uint16', { bits: { mask: 0x0ff0 } }, 'abcd', 0xbc],
  ['uint16', { bits: { mask: 0x0f00, shift: 0 } }, 'abcd', 0xb00],
  ['uint32', { bits: { mask: 0x8000_0000 } }, '8000 0000', 1],
  ['string', { length: 3 }, '4142 4320 2000', 'ABC'],
  ['string', { length: 2, packing: 'L' }, '4241 4443', 'ABCD'],
  ['string', { length: 3, packing: 'D' }, '0041 0042 0000', 'AB'],
  ['string', { length: 2, packing: 'E' }, '4100 4200', 'AB'],
  ['string', { length: 3 }, 'e6b0 b4e8 a1a8', '水表'],
  ['string', { length: 1 }, 'ff41', undefined],
  ['packed-bcd-time', {}, '2602 2823 5958', '2026-02-28T23:59:58'],
  ['packed-bcd-time', { length: 4 }, '1999 1231 0001 0200', '1999-12-31T00:01:02'],
  ['packed-bcd-time', {}, '2602 2923 5958', undefined],
  ['packed-bcd-time', {}, '2402 2923 5958', '2024-02-29T23:59:58'],
  ['packed-bcd-time', {}, '2613 0100 0000', undefined],
  ['packed-bcd-time', {}, 'ffff ffff ffff', undefined],
];

test.each(cases)('%s %o of %s is %s', (type, more, text, value) => {
  const at = address(type, more);
  expect(at.width).toBe(registers(text).length);
  expect(decodeValue(at, registers(text))).toEqual(value);
});

test('too few registers are no value', () => {
  expect(decodeValue(address('float32'), Uint16Array.of(1))).toBeUndefined();
});

test('a float that is not a number stays one: the caller gives it its quality', () => {
  expect(decodeValue(address('float32'), registers('7fc0 0000'))).toBeNaN();
  expect(decodeValue(address('float64'), registers('fff0 0000 0000 0000'))).toBe(-Infinity);
});

const int = (min: number, max: number) => fc.integer({ min, max });
const domains: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  bool: fc.boolean(),
  'uint8-hi': int(0, 255),
  'uint8-lo': int(0, 255),
  'int8-hi': int(-128, 127),
  'int8-lo': int(-128, 127),
  uint16: int(0, 65_535),
  int16: int(-32_768, 32_767),
  uint32: int(0, 0xffff_ffff),
  int32: int(-0x8000_0000, 0x7fff_ffff),
  uint64: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  int64: fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
  float16: int(-2_048, 2_048),
  float32: fc.float({ noNaN: true }),
  float64: fc.double({ noNaN: true }),
  bcd16: int(0, 9_999),
  bcd32: int(0, 99_999_999),
  mod10k: int(0, 99_999_999),
  hi100lo: int(0, 6_553_599),
  sm16: int(-32_767, 32_767),
  sm32: int(-0x7fff_ffff, 0x7fff_ffff),
  'packed-bcd-time': fc
    .date({
      min: new Date('2000-01-01T00:00:00Z'),
      max: new Date('2099-12-31T23:59:59Z'),
      noInvalidDate: true,
    })
    .map((date) => date.toISOString().slice(0, 19)),
};

// Whole numbers within 2^53 come back as numbers, and minus zero as zero.
const plain = (value: Value): Value =>
  typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : value;

describe('what is encoded decodes to the same value, in every order', () => {
  test.each(Object.keys(domains))('%s', (type) => {
    fc.assert(
      fc.property(domains[type]!, fc.constantFrom(...orders), (value, order) => {
        const at = address(type, { order });
        const encoded = encodeValue(at, value);
        expect(encoded).toBeInstanceOf(Uint16Array);
        const decoded = decodeValue(at, encoded as Uint16Array);
        if (value === 0 || Object.is(value, -0)) expect(decoded === 0).toBe(true);
        else expect(decoded).toEqual(plain(value));
      }),
    );
  });

  test('string', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii', maxLength: 8 }),
        fc.constantFrom('H', 'L', 'D', 'E'),
        (text, packing) => {
          const at = address('string', { length: 8, packing });
          expect(decodeValue(at, encodeValue(at, text) as Uint16Array)).toBe(text.trimEnd());
        },
      ),
    );
  });
});

test('a coil is encoded as true or false', () => {
  const coil = parseAddress({ table: 'coil', address: 5 }, [], new Problems('test'))!;
  expect([encodeValue(coil, true), encodeValue(coil, 0)]).toEqual([true, false]);
  expect(decodeValue(coil, Uint16Array.of(1))).toBe(true);
});

test('a whole number outside its type saturates, as converters in devices do', () => {
  expect(encodeValue(address('int16'), 40_000)).toEqual(Uint16Array.of(0x7fff));
  expect(encodeValue(address('uint16'), -1)).toEqual(Uint16Array.of(0));
  expect(encodeValue(address('bcd16'), 12_345)).toEqual(Uint16Array.of(0x9999));
});

test('writing one field of a register leaves the others as they are', () => {
  const memory = Uint16Array.of(0xaaaa, 0xffff, 0, 0x1234);
  writeValue(address('bool', { bit: 0 }), true, memory, 0);
  writeValue(address('uint16', { bits: { mask: 0x00f0 } }), 5, memory, 1);
  writeValue(address('uint8-hi'), 7, memory, 2);
  writeValue(address('int8-lo'), -1, memory, 2);
  writeValue(address('bool', { bit: 4 }), false, memory, 3);
  expect(memory).toEqual(Uint16Array.of(0xaaab, 0xff5f, 0x07ff, 0x1224));
});
