// Addresses as manuals write them. The same register is 40003 in one manual, 3 in another, 0x0002
// in a third; a table alone often cannot say which way it counts, and then a person must (`Base`).
import type { Table } from '../protocols/modbus/address.ts';
import { plainText } from './spellings.ts';

/**
 * What the first register is called: 0 counts as the wire does, 1 from one, 40001 names the table
 * in its first digit (5 or 6 digits); 40000 is the same, counting from 40000.
 */
export const bases = [0, 1, 40000, 40001] as const;
export type Base = (typeof bases)[number];

export function baseOf(text: string): Base | undefined {
  const digits = text.replace(/^([34])0000([01])$/, '$1000$2').replace(/^3000([01])$/, '4000$1');
  return bases.find((base) => `${base}` === digits);
}

export interface ManualAddress {
  readonly number: number;
  /** Registers from the first to the last that is named; 1 where only one is. */
  readonly count: number;
  readonly bit: number | null;
  /** Digits of a decimal number as written, 0 for a hexadecimal one. */
  readonly digits: number;
  /** 4x0001: the first digit is a table, whatever the base. */
  readonly isMarked: boolean;
}

const one = String.raw`(?:0x[0-9a-f]{1,4}|[0-9a-f]{1,5}h|\d{1,6})`;
const oneHex = '(?:0x[0-9a-f]{1,4}|[0-9a-f]{1,4}h?)';

/** 40003, 0x0002, 0002H, 4x0003, 40001-40002, 40003.2, 40003 bit 2; else undefined. */
export function manualAddress(text: string, isHex: boolean): ManualAddress | undefined {
  const plain = plainText(text)
    .toLowerCase()
    .replace(/\s*[([（].*$/, '')
    .replace(/^(\d{1,3}),(\d{3})$/, '$1$2')
    .trim();
  const marked = /^([134])x[ -]?(\d{4,5})(.*)$/.exec(plain);
  const rest = marked ? `${marked[1]}${marked[2]}${marked[3]}` : plain;
  const number = isHex && !marked ? oneHex : one;
  const pattern = new RegExp(
    String.raw`^(${number})(?:\s*(?:-|~|to|至|到|,|/|\.\.+)\s*(${number}))?` +
      String.raw`(?:\s*(?:\.\s*b?|:|[,/ ]?\s*bit\s*|\s+b)\s*(\d{1,2}))?$`,
  );
  const found = pattern.exec(rest);
  if (!found) return undefined;
  const [, first = '', last, bit] = found;
  const from = numberFrom(first, isHex && !marked);
  const to = last === undefined ? from : lastOf(first, from, last, isHex && !marked);
  if (to < from || (bit !== undefined && Number(bit) > 31)) return undefined;
  return {
    number: from,
    count: to - from + 1,
    bit: bit === undefined ? null : Number(bit),
    digits: /^\d+$/.test(first) && !isHex ? first.length : 0,
    isMarked: marked !== null,
  };
}

function numberFrom(text: string, isHex: boolean): number {
  if (text.startsWith('0x')) return Number(text);
  if (text.endsWith('h')) return Number.parseInt(text.slice(0, -1), 16);
  return isHex ? Number.parseInt(text, 16) : Number(text);
}

/** 40001/2 and 40001-02 leave out what is the same. */
function lastOf(first: string, from: number, last: string, isHex: boolean): number {
  const whole = numberFrom(last, isHex);
  if (whole >= from || !/^\d+$/.test(first) || !/^\d+$/.test(last)) return whole;
  return Number(first.slice(0, first.length - last.length) + last);
}

/** Whether a number without 0x can only be hexadecimal: 000A, 1F00. */
export function isPlainHex(text: string): boolean {
  return /^(?=.*[a-f])[0-9a-f]{1,4}$/i.test(plainText(text));
}

export interface WireAddress {
  /** Null where the notation does not say. */
  readonly table: Table | null;
  readonly address: number;
}

const tablesByDigit: Readonly<Record<number, Table>> = {
  0: 'coil',
  1: 'discrete',
  3: 'input',
  4: 'holding',
};

/** What goes over the wire; undefined where the address cannot be meant so. */
export function wireAddress(
  { number, digits, isMarked }: ManualAddress,
  base: Base,
): WireAddress | undefined {
  if (base <= 1 && !isMarked) return inReach(null, number - base);
  if (digits !== 5 && digits !== 6) return undefined;
  const unit = digits === 5 ? 10_000 : 100_000;
  const table = tablesByDigit[Math.floor(number / unit)];
  return table && inReach(table, (number % unit) - (base === 40000 ? 0 : 1));
}

function inReach(table: Table | null, address: number): WireAddress | undefined {
  return address >= 0 && address <= 0xffff ? { table, address } : undefined;
}

/** 40003 for holding register 2; six digits where five do not reach. */
export function modiconAddress(table: Table, address: number): string {
  const digit = { coil: 0, discrete: 1, input: 3, holding: 4 }[table];
  return `${digit}${`${address + 1}`.padStart(address >= 9_999 ? 5 : 4, '0')}`;
}
