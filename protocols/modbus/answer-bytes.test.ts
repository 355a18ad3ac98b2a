import { expect, test } from 'vitest';
import { crc16Modbus, fromHex } from '../../core/bytes.ts';
import type { Framing } from './address.ts';
import { answerBytes } from './answer-bytes.ts';

const UNITS = [1, 17];

/** Bytes beyond the end are there, and may not be looked at. */
function verdict(framing: Framing, text: string): number {
  const bytes = fromHex(text)!;
  const around = Uint8Array.of(0xee, ...bytes, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
  return answerBytes(framing, UNITS, around, 1, 1 + bytes.length);
}

/** The frame with its checksum behind it. */
function rtu(text: string): string {
  const crc = crc16Modbus(fromHex(text)!);
  return `${text}${Buffer.from([crc & 0xff, crc >> 8]).toString('hex')}`;
}

test('an answer of each function is as long as the function says', () => {
  const answers = [
    '0101010f', // Coils.
    '0203020f01', // Of a unit that is not there: see below.
    '0103040001 0002',
    '11040200ff',
    '0105 0001 ff00',
    '0106 0001 0203',
    '010f 0001 0008',
    '0110 0001 0002',
    '0116 0004 00f2 0025',
    '0117040001 0002',
    '012b0e01010000 02 00 02 4142 01 01 43',
    '0183 02',
    '01ab 01',
  ].map((text) => rtu(text.replaceAll(' ', '')));
  for (const text of answers) {
    const isOurs = !text.startsWith('02');
    expect(verdict('rtu', text), text).toBe(isOurs ? text.length / 2 : -1);
    for (let digits = isOurs ? 2 : text.length; digits < text.length; digits += 2) {
      expect(verdict('rtu', text.slice(0, digits)), text.slice(0, digits)).toBe(0);
    }
    const [last] = text.slice(-1);
    expect(verdict('rtu', `${text.slice(0, -1)}${last === '0' ? '1' : '0'}`)).toBe(-1);
  }
});

test('what no answer begins with is none, as early as that can be known', () => {
  for (const text of ['03', '0107', '0108', '010303', '0103fc', '0180', '0187', '012b0d']) {
    expect(verdict('rtu', text), text).toBe(-1);
  }
  for (const text of ['3b', '3a30', '3a3132', '3a303147', '3a30310a', '3a30310d30']) {
    const isBegun = text === '3a30';
    expect(verdict('ascii', text), text).toBe(isBegun ? 0 : -1);
  }
  for (const text of ['000001', '00000001', '000000000001', '0000000000ff', '00000000000305']) {
    expect(verdict('tcp', text), text).toBe(-1);
  }
});

test('an ASCII answer ends with CR LF, a TCP answer where its header says', () => {
  const ascii = Buffer.from(':010302000AF0\r\n').toString('hex');
  expect(verdict('ascii', ascii)).toBe(15);
  expect(verdict('ascii', `${ascii}3a`)).toBe(15);
  expect(verdict('ascii', ascii.slice(0, -2))).toBe(0);
  expect(verdict('tcp', '0007 0000 0005 01 03 02 000a'.replaceAll(' ', ''))).toBe(11);
  expect(verdict('tcp', '0007 0000 0005 01 03 02 00'.replaceAll(' ', ''))).toBe(0);
});
