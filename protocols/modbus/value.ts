// Registers to values and back, for every type and order. Decoding reads straight from the bytes of
// an answer (registers are big-endian there) and allocates nothing but strings and bigints;
// encoding is the device's side: simulators and profile tests.
import { assert } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import { TEXT_BYTES_MAX } from '../../core/reading.ts';
import type { BitField, ModbusAddress, WordOrder } from './address.ts';
import { REGISTERS_READ_MAX } from './codec.ts';

const scratch = new DataView(new ArrayBuffer(8));
const utf8 = new TextDecoder('utf-8', { fatal: true });
const toUtf8 = new TextEncoder();

assert(REGISTERS_READ_MAX * 2 <= TEXT_BYTES_MAX, 'the longest string register is a text value');

const BAD_DECODE = qualityCode('bad', 'decode');
const BAD_NOT_AVAILABLE = qualityCode('bad', 'not_available');
const BAD_OUT_OF_RANGE = qualityCode('bad', 'out_of_range');

/**
 * What a decoded value is worth: NaN is how a float says that it has none; infinity is beyond any
 * range.
 */
export function qualityOfDecoded(value: Value | undefined): QualityCode {
  if (value === undefined) return BAD_DECODE;
  if (typeof value !== 'number' || Number.isFinite(value)) return GOOD;
  return Number.isNaN(value) ? BAD_NOT_AVAILABLE : BAD_OUT_OF_RANGE;
}

/**
 * The value of registers `bytes[at …]`, width × 2 bytes of them, most significant byte of each
 * first. Undefined when the bytes are no value of the type (a BCD nibble above 9, text that is not
 * UTF-8).
 */
export function decodeBytes(
  address: ModbusAddress,
  bytes: Uint8Array,
  at: number,
): Value | undefined {
  // long because it is the complete table of types.
  const { order } = address;
  switch (address.type) {
    case 'uint16':
      return field(u16(bytes, at, order), address.bits);
    case 'int16':
      return (u16(bytes, at, order) << 16) >> 16;
    case 'float32':
      scratch.setUint32(0, u32(bytes, at, order));
      return scratch.getFloat32(0);
    case 'uint32':
      return field(u32(bytes, at, order), address.bits);
    case 'int32':
      return u32(bytes, at, order) | 0;
    case 'bool':
      return isSet(
        address.width === 1 ? u16(bytes, at, order) : u32(bytes, at, order),
        address.bit,
      );
    case 'uint8-hi':
      return field(u16(bytes, at, order) >> 8, address.bits);
    case 'uint8-lo':
      return field(u16(bytes, at, order) & 0xff, address.bits);
    case 'int8-hi':
      return (u16(bytes, at, order) << 16) >> 24;
    case 'int8-lo':
      return (u16(bytes, at, order) << 24) >> 24;
    case 'uint64':
      return whole(high32(bytes, at, order), low32(bytes, at, order));
    case 'int64':
      return whole(high32(bytes, at, order) | 0, low32(bytes, at, order));
    case 'float16':
      scratch.setUint16(0, u16(bytes, at, order));
      return scratch.getFloat16(0);
    case 'float64':
      scratch.setUint32(0, high32(bytes, at, order));
      scratch.setUint32(4, low32(bytes, at, order));
      return scratch.getFloat64(0);
    case 'bcd16':
      return decimalDigits(u16(bytes, at, order), 4);
    case 'bcd32':
      return decimalDigits(u32(bytes, at, order), 8);
    case 'mod10k':
      return tenThousands(bytes, at, address.width, order);
    case 'hi100lo':
      return address.width === 2
        ? word(bytes, at, 0, 2, order) * 100 + word(bytes, at, 1, 2, order)
        : high32(bytes, at, order) * 100 + low32(bytes, at, order);
    case 'sm16':
      return signMagnitude(u16(bytes, at, order), 0x8000);
    case 'sm32':
      return signMagnitude(u32(bytes, at, order), 0x8000_0000);
    case 'string':
      return text(bytes, at, address.width, address.packing);
    case 'packed-bcd-time':
      return bcdTime(bytes, at, address.width, order);
  }
}

/** The value of registers given as numbers, for profile tests; a coil is a register of 0 or 1. */
export function decodeValue(address: ModbusAddress, registers: Uint16Array): Value | undefined {
  if (registers.length < address.width) return undefined;
  if (address.table === 'coil' || address.table === 'discrete') return registers[0] !== 0;
  const bytes = new Uint8Array(address.width * 2);
  for (let at = 0; at < address.width; at++) {
    bytes[at * 2] = registers[at]! >> 8;
    bytes[at * 2 + 1] = registers[at]! & 0xff;
  }
  return decodeBytes(address, bytes, 0);
}

// --- Decoding ---

function swapsWords(order: WordOrder): boolean {
  return order === 'CDAB' || order === 'DCBA';
}

function swapsBytes(order: WordOrder): boolean {
  return order === 'BADC' || order === 'DCBA';
}

function u16(bytes: Uint8Array, at: number, order: WordOrder): number {
  return swapsBytes(order)
    ? bytes[at]! | (bytes[at + 1]! << 8)
    : (bytes[at]! << 8) | bytes[at + 1]!;
}

function u32(bytes: Uint8Array, at: number, order: WordOrder): number {
  const swapped = swapsWords(order);
  const high = u16(bytes, swapped ? at + 2 : at, order);
  return ((high << 16) | u16(bytes, swapped ? at : at + 2, order)) >>> 0;
}

/** Word `place` of `words`, counted from the most significant. */
function word(
  bytes: Uint8Array,
  at: number,
  place: number,
  words: number,
  order: WordOrder,
): number {
  return u16(bytes, at + 2 * (swapsWords(order) ? words - 1 - place : place), order);
}

function high32(bytes: Uint8Array, at: number, order: WordOrder): number {
  return u32(bytes, swapsWords(order) ? at + 4 : at, order);
}

function low32(bytes: Uint8Array, at: number, order: WordOrder): number {
  return u32(bytes, swapsWords(order) ? at : at + 4, order);
}

function field(value: number, bits: BitField | null): number {
  return bits === null ? value : (value & bits.mask) >>> bits.shift;
}

function isSet(value: number, bit: number | null): boolean {
  return bit === null ? value !== 0 : ((value >>> bit) & 1) === 1;
}

function whole(high: number, low: number): number | bigint {
  const value = high * 0x1_0000_0000 + low;
  return Number.isSafeInteger(value) ? value : (BigInt(high) << 32n) | BigInt(low);
}

function decimalDigits(value: number, digits: number): number | undefined {
  let decimal = 0;
  for (let place = digits - 1; place >= 0; place--) {
    const digit = (value >>> (4 * place)) & 0xf;
    if (digit > 9) return undefined;
    decimal = decimal * 10 + digit;
  }
  return decimal;
}

// Four registers of 9999 are 10^16 - 1, beyond 2^53: the upper and the lower half meet as a bigint
// there.
function tenThousands(
  bytes: Uint8Array,
  at: number,
  words: number,
  order: WordOrder,
): number | bigint | undefined {
  let high = 0;
  let low = 0;
  for (let place = 0; place < words; place++) {
    const digits = word(bytes, at, place, words, order);
    if (digits > 9999) return undefined;
    if (place < words - 2) high = high * 10_000 + digits;
    else low = low * 10_000 + digits;
  }
  const value = high * 1e8 + low;
  return Number.isSafeInteger(value) ? value : BigInt(high) * 100_000_000n + BigInt(low);
}

function signMagnitude(value: number, sign: number): number {
  return value >= sign ? 0 - (value - sign) : value; // Minus zero is zero.
}

function text(bytes: Uint8Array, at: number, words: number, packing: string): string | undefined {
  const characters = new Uint8Array(words * 2);
  let length = 0;
  for (let index = 0; index < words; index++) {
    const high = bytes[at + index * 2]!;
    const low = bytes[at + index * 2 + 1]!;
    if (packing !== 'D') characters[length++] = packing === 'L' ? low : high;
    if (packing !== 'E') characters[length++] = packing === 'L' ? high : low;
  }
  const end = characters.subarray(0, length).indexOf(0);
  try {
    return utf8.decode(characters.subarray(0, end < 0 ? length : end)).trimEnd();
  } catch (error) {
    if (error instanceof TypeError) return undefined; // How the decoder says "not UTF-8".
    throw error;
  }
}

function bcdTime(
  bytes: Uint8Array,
  at: number,
  words: number,
  order: WordOrder,
): string | undefined {
  const parts: number[] = words === 3 ? [20] : [];
  for (let place = 0; place < words; place++) {
    const pair = word(bytes, at, place, words, order);
    const high = decimalDigits(pair >> 8, 2);
    const low = decimalDigits(pair & 0xff, 2);
    if (high === undefined || low === undefined) return undefined;
    parts.push(high, low);
  }
  const [century = 0, year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const years = century * 100 + year;
  const daysInMonth = new Date(Date.UTC(2000 + (years % 400), month, 0)).getUTCDate();
  if (day < 1 || day > daysInMonth) return undefined;
  const two = (part: number) => `${part}`.padStart(2, '0');
  const date = `${two(century)}${two(year)}-${two(month)}-${two(day)}`;
  return `${date}T${two(hour)}:${two(minute)}:${two(second)}`;
}

// --- Encoding: the device's side ---

/**
 * The registers a device would show for `raw`, or the state of a coil. A whole number outside the
 * type saturates, as converters in devices do. Bits that belong to others (bit, bits, half
 * registers) are 0: use `writeValue` to keep them.
 */
export function encodeValue(address: ModbusAddress, raw: Value): Uint16Array | boolean {
  if (address.table === 'coil' || address.table === 'discrete') return truth(raw);
  const registers = new Uint16Array(address.width);
  writeValue(address, raw, registers, 0);
  return registers;
}

/** Writes `raw` into `registers` from `at` on and leaves the bits of other points as they are. */
export function writeValue(
  address: ModbusAddress,
  raw: Value,
  registers: Uint16Array,
  at: number,
): void {
  const { type, order, width } = address;
  assert(at + width <= registers.length, 'the value fits the registers');
  if (type === 'string') putText(registers, at, address, raw);
  else if (type === 'packed-bcd-time') putTime(registers, at, width, order, raw);
  else if (type === 'mod10k') putTenThousands(registers, at, width, order, raw);
  else if (type === 'hi100lo') putHundreds(registers, at, width, order, raw);
  else if (width === 4) put64(registers, at, order, bits64(address, raw));
  else if (width === 2) {
    put32(registers, at, order, bits32(address, raw, old32(registers, at, order)));
  } else {
    const old = swapped(registers[at]!, order);
    putWord(registers, at, 0, 1, order, bits32(address, raw, old));
  }
}

/** What one or two registers show for `raw`, where they showed `old`. */
function bits32({ type, bit, bits }: ModbusAddress, raw: Value, old: number): number {
  switch (type) {
    case 'bool': {
      if (bit === null) return truth(raw) ? 1 : 0;
      const mask = 2 ** bit;
      return (truth(raw) ? old | mask : old & ~mask) >>> 0;
    }
    case 'uint8-hi':
      return (old & 0xff) | (merged(old >> 8, raw, bits, 0xff) << 8);
    case 'uint8-lo':
      return (old & 0xff00) | merged(old & 0xff, raw, bits, 0xff);
    case 'int8-hi':
      return (old & 0xff) | ((clamped(raw, -0x80, 0x7f) & 0xff) << 8);
    case 'int8-lo':
      return (old & 0xff00) | (clamped(raw, -0x80, 0x7f) & 0xff);
    case 'uint16':
      return merged(old, raw, bits, 0xffff);
    case 'uint32':
      return merged(old, raw, bits, 0xffff_ffff);
    case 'int16':
      return clamped(raw, -0x8000, 0x7fff) & 0xffff;
    case 'int32':
      return clamped(raw, -0x8000_0000, 0x7fff_ffff) >>> 0;
    case 'float16':
      scratch.setFloat16(0, plain(raw));
      return scratch.getUint16(0);
    case 'float32':
      scratch.setFloat32(0, plain(raw));
      return scratch.getUint32(0);
    case 'bcd16':
      return nibbles(clamped(raw, 0, 9999));
    case 'bcd32':
      return nibbles(clamped(raw, 0, 99_999_999));
    case 'sm16':
      return magnitude(clamped(raw, -0x7fff, 0x7fff), 0x8000);
    default:
      assert(type === 'sm32', 'the types of one or two registers');
      return magnitude(clamped(raw, -0x7fff_ffff, 0x7fff_ffff), 0x8000_0000);
  }
}

function bits64({ type }: ModbusAddress, raw: Value): bigint {
  if (type === 'uint64') return clampedBig(raw, 0n, (1n << 64n) - 1n);
  if (type === 'int64') return clampedBig(raw, -(1n << 63n), (1n << 63n) - 1n);
  assert(type === 'float64', 'the types of four registers');
  scratch.setFloat64(0, plain(raw));
  return scratch.getBigUint64(0);
}

function truth(raw: Value): boolean {
  assert(typeof raw === 'boolean' || typeof raw === 'number', 'a bit is true or false');
  return raw === true || (typeof raw === 'number' && raw !== 0);
}

function plain(raw: Value): number {
  if (typeof raw === 'bigint') return Number(raw);
  assert(typeof raw === 'number', 'a numeric register takes a number');
  return raw;
}

function clamped(raw: Value, min: number, max: number): number {
  const value = plain(raw);
  assert(!Number.isNaN(value), 'a whole register has no NaN');
  return Math.min(max, Math.max(min, Math.round(value)));
}

function clampedBig(raw: Value, min: bigint, max: bigint): bigint {
  if (typeof raw === 'number') assert(Number.isFinite(raw), 'a whole register is finite');
  const value = typeof raw === 'bigint' ? raw : BigInt(Math.round(plain(raw)));
  return value < min ? min : value > max ? max : value;
}

function merged(old: number, raw: Value, bits: BitField | null, max: number): number {
  if (bits === null) return clamped(raw, 0, max);
  const value = clamped(raw, 0, bits.mask >>> bits.shift);
  return ((old & ~bits.mask) | ((value << bits.shift) & bits.mask)) >>> 0;
}

function magnitude(value: number, sign: number): number {
  return value < 0 ? sign - value : value;
}

function nibbles(value: number): number {
  return Number.parseInt(`${value}`, 16);
}

function swapped(value: number, order: WordOrder): number {
  return swapsBytes(order) ? ((value & 0xff) << 8) | (value >> 8) : value;
}

function putWord(
  registers: Uint16Array,
  at: number,
  place: number,
  words: number,
  order: WordOrder,
  value: number,
): void {
  registers[at + (swapsWords(order) ? words - 1 - place : place)] = swapped(value, order);
}

function put32(registers: Uint16Array, at: number, order: WordOrder, value: number): void {
  putWord(registers, at, 0, 2, order, value >>> 16);
  putWord(registers, at, 1, 2, order, value & 0xffff);
}

function put64(registers: Uint16Array, at: number, order: WordOrder, value: bigint): void {
  for (let place = 0; place < 4; place++) {
    const bits = Number((value >> BigInt(48 - 16 * place)) & 0xffffn);
    putWord(registers, at, place, 4, order, bits);
  }
}

function old32(registers: Uint16Array, at: number, order: WordOrder): number {
  const low = swapsWords(order) ? 0 : 1;
  const high = swapped(registers[at + 1 - low]!, order);
  return ((high << 16) | swapped(registers[at + low]!, order)) >>> 0;
}

function putTenThousands(
  registers: Uint16Array,
  at: number,
  width: number,
  order: WordOrder,
  raw: Value,
): void {
  let rest = clampedBig(raw, 0n, 10n ** BigInt(4 * width) - 1n);
  for (let place = width - 1; place >= 0; place--) {
    putWord(registers, at, place, width, order, Number(rest % 10_000n));
    rest /= 10_000n;
  }
}

function putHundreds(
  registers: Uint16Array,
  at: number,
  width: number,
  order: WordOrder,
  raw: Value,
): void {
  const max = (width === 2 ? 0xffff : 0xffff_ffff) * 100 + 99;
  const value = clamped(raw, 0, max);
  const high = Math.floor(value / 100);
  if (width === 2) {
    putWord(registers, at, 0, 2, order, high);
    putWord(registers, at, 1, 2, order, value % 100);
  } else {
    put64(registers, at, order, (BigInt(high) << 32n) | BigInt(value % 100));
  }
}

function putText(registers: Uint16Array, at: number, address: ModbusAddress, raw: Value): void {
  const { packing, width } = address;
  assert(typeof raw === 'string', 'a string register takes text');
  const perRegister = packing === 'H' || packing === 'L' ? 2 : 1;
  const characters = new Uint8Array(width * perRegister);
  toUtf8.encodeInto(raw, characters); // Stops before the character that no longer fits.
  for (let index = 0; index < width; index++) {
    const first = characters[index * perRegister]!;
    const second = perRegister === 2 ? characters[index * 2 + 1]! : 0;
    const isHigh = packing === 'H' || packing === 'E';
    registers[at + index] = isHigh ? (first << 8) | second : (second << 8) | first;
  }
}

function putTime(
  registers: Uint16Array,
  at: number,
  width: number,
  order: WordOrder,
  raw: Value,
): void {
  assert(typeof raw === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(raw), 'an ISO time');
  const digits = raw.replaceAll(/\D/g, '');
  const packed = width === 3 ? digits.slice(2) : `${digits}00`;
  for (let place = 0; place < width; place++) {
    const pair = Number.parseInt(packed.slice(place * 4, place * 4 + 4), 16);
    putWord(registers, at, place, width, order, pair);
  }
}
