import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '../../core/bytes.ts';
import type { Request, Response } from './codec.ts';
import {
  ANSWERED,
  checkResponse,
  decodeRequest,
  decodeResponse,
  encodeException,
  encodeRequest,
  encodeResponse,
  ILLEGAL_FUNCTION,
  ILLEGAL_VALUE,
  MALFORMED,
  PDU_BYTES_MAX,
} from './codec.ts';

const bytes = (text: string) => fromHex(text)!;
const parsed = (text: string) => {
  const pdu = bytes(text);
  return decodeRequest(pdu, 0, pdu.length);
};

// Requests and answers of the Modbus Application Protocol V1.1b3, section 6 (the examples of 6.1 to
// 6.17 and 6.21), without framing.
const examples: readonly [Request, string, Response, string][] = [
  [
    { function: 1, address: 0x13, count: 0x13 },
    '01 0013 0013',
    {
      kind: 'bits',
      bits: Uint8Array.from([...'1011001111010110101'].map(Number)),
    },
    '01 03 cd6b05',
  ],
  [
    { function: 3, address: 0x6b, count: 3 },
    '03 006b 0003',
    { kind: 'registers', registers: Uint16Array.of(0x022b, 0, 0x64) },
    '03 06 022b 0000 0064',
  ],
  [
    { function: 4, address: 8, count: 1 },
    '04 0008 0001',
    { kind: 'registers', registers: Uint16Array.of(0x0a) },
    '04 02 000a',
  ],
  [{ function: 5, address: 0xac, on: true }, '05 00ac ff00', { kind: 'written' }, '05 00ac ff00'],
  [{ function: 6, address: 1, value: 3 }, '06 0001 0003', { kind: 'written' }, '06 0001 0003'],
  [
    { function: 15, address: 0x13, bits: Uint8Array.from([...'1011001110'].map(Number)) },
    '0f 0013 000a 02 cd01',
    { kind: 'written' },
    '0f 0013 000a',
  ],
  [
    { function: 16, address: 1, registers: Uint16Array.of(0x0a, 0x0102) },
    '10 0001 0002 04 000a 0102',
    { kind: 'written' },
    '10 0001 0002',
  ],
  [
    { function: 22, address: 4, andMask: 0xf2, orMask: 0x25 },
    '16 0004 00f2 0025',
    { kind: 'written' },
    '16 0004 00f2 0025',
  ],
  [
    {
      function: 23,
      address: 3,
      count: 6,
      writeAddress: 14,
      registers: Uint16Array.of(0xff, 0xff, 0xff),
    },
    '17 0003 0006 000e 0003 06 00ff 00ff 00ff',
    { kind: 'registers', registers: Uint16Array.of(0xfe, 0x0acd, 1, 3, 0x0d, 0xff) },
    '17 0c 00fe 0acd 0001 0003 000d 00ff',
  ],
  [
    { function: 43, level: 1, object: 0 },
    '2b 0e 01 00',
    {
      kind: 'identification',
      level: 1,
      conformity: 1,
      next: null,
      objects: new Map([
        [0, 'Company identification'],
        [1, 'Product code XX'],
        [2, 'V2.11'],
      ]),
    },
    `2b 0e 01 01 00 00 03 00 16 ${hex(Buffer.from('Company identification'))}
     01 0f ${hex(Buffer.from('Product code XX'))} 02 05 ${hex(Buffer.from('V2.11'))}`,
  ],
];

test.each(examples.map((example) => [example[0].function, ...example] as const))(
  'function %i: request and answer as the standard shows them, both ways',
  (...example) => {
    const [, request, asked, response, answered] = example;
    const pdu = encodeRequest(request);
    expect(hex(pdu)).toBe(asked.replaceAll(/\s/g, ''));
    expect(decodeRequest(pdu, 0, pdu.length)).toEqual(request);
    const answer = encodeResponse(request, response);
    expect(hex(answer)).toBe(answered.replaceAll(/\s/g, ''));
    expect(checkResponse(pdu, answer, 0, answer.length)).toBe(ANSWERED);
    expect(decodeResponse(pdu, answer, 0, answer.length)).toEqual(response);
  },
);

test.each(examples.map((example) => [example[0].function, ...example] as const))(
  'function %i: an answer with any one field wrong does not count',
  (...example) => {
    const [, request, , response] = example;
    const pdu = encodeRequest(request);
    const answer = encodeResponse(request, response);
    const check = (wrong: Uint8Array) => checkResponse(pdu, wrong, 0, wrong.length);
    expect(check(answer.slice(0, -1)), 'short').toBe(MALFORMED);
    expect(check(Uint8Array.from([...answer, 0])), 'long').toBe(MALFORMED);
    expect(check(answer.with(0, request.function + 1)), 'function').toBe(MALFORMED);
    expect(check(answer.with(1, answer[1]! ^ 1)), 'second byte').toBe(MALFORMED);
    expect(check(new Uint8Array(0)), 'nothing').toBe(MALFORMED);
    expect(check(encodeException(request.function, 2)), 'exception').toBe(2);
    expect(check(encodeException(request.function, 0)), 'exception 0').toBe(MALFORMED);
    expect(check(encodeException(request.function + 1, 2)), 'of another').toBe(MALFORMED);
  },
);

describe('a server', () => {
  test.each([
    ['03 0000 0000', ILLEGAL_VALUE],
    ['03 0000 007e', ILLEGAL_VALUE],
    ['03 ffff 0002', 2],
    ['01 0000 07d1', ILLEGAL_VALUE],
    ['05 0000 1234', ILLEGAL_VALUE],
    ['0f 0000 07b1 f7', ILLEGAL_VALUE],
    ['10 0000 0002 02 0001', ILLEGAL_VALUE],
    ['10 0000 007c f8', ILLEGAL_VALUE],
    ['17 0000 0001 0000 0001 04 0001', ILLEGAL_VALUE],
    ['2b 0d 01 00', ILLEGAL_FUNCTION],
    ['2b 0e 05 00', ILLEGAL_VALUE],
    ['14 06', ILLEGAL_FUNCTION],
    ['03 00', ILLEGAL_VALUE],
  ])('answers %s with exception %i', (asked, code) => {
    expect(parsed(asked)).toBe(code);
  });

  test('takes whatever comes without an exception, and answers within a PDU', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: PDU_BYTES_MAX }), (pdu) => {
        const request = decodeRequest(pdu, 0, pdu.length);
        if (typeof request === 'number') expect(request).toBeGreaterThan(0);
        else expect(hex(encodeRequest(request))).toBe(hex(pdu));
      }),
    );
  });
});

test('a client takes whatever comes without an exception, and never a wrong length for an answer', () => {
  const requests = examples.map(([request]) => encodeRequest(request));
  fc.assert(
    fc.property(fc.constantFrom(...requests), fc.uint8Array({ maxLength: 260 }), (pdu, answer) => {
      const verdict = checkResponse(pdu, answer, 0, answer.length);
      expect(verdict).toBeGreaterThanOrEqual(MALFORMED);
      const response = decodeResponse(pdu, answer, 0, answer.length);
      expect(response === undefined).toBe(verdict === MALFORMED);
    }),
  );
});

test('a request beyond the limits of the protocol is a mistake of the program', () => {
  expect(() => encodeRequest({ function: 3, address: 0, count: 126 })).toThrow('quantity');
  expect(() => encodeRequest({ function: 1, address: 0, count: 2_001 })).toThrow('quantity');
  expect(() => encodeRequest({ function: 3, address: 65_535, count: 2 })).toThrow('quantity');
  const registers = new Uint16Array(124);
  expect(() => encodeRequest({ function: 16, address: 0, registers })).toThrow('quantity');
});
