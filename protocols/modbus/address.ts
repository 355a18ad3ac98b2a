// What a profile says of a point (`{ table: input, address: 0, type: uint16 }`) and of a device, as
// checked and frozen values. Addresses count from 0 as sent on the wire; the manual's 40001 is
// holding 0.
import type { Path, Problems } from '../../core/problems.ts';
import { bilingual } from '../../core/text/text.ts';
import { Fields } from '../fields.ts';
import { BITS_READ_MAX, REGISTERS_READ_MAX } from './codec.ts';

export const tables = ['input', 'holding', 'coil', 'discrete'] as const;
export type Table = (typeof tables)[number];

/**
 * How the bytes of a value (A is the most significant) lie in its registers. For 64 bits the same
 * words stand for ABCDEFGH, GHEFCDAB, BADCFEHG, HGFEDCBA: CDAB and DCBA put the lowest register
 * first, BADC and DCBA the low byte of each register first (also of a single one).
 */
export const orders = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const;
export type WordOrder = (typeof orders)[number];

/**
 * Characters of a string register: H high byte first, L low byte first, D one in the low byte, E in
 * the high.
 */
export const packings = ['H', 'L', 'D', 'E'] as const;
export type Packing = (typeof packings)[number];

export const types = [
  'bool', // A coil; in registers one bit (`bit`), or true when any bit is set.
  'uint8-hi',
  'uint8-lo',
  'int8-hi',
  'int8-lo',
  'uint16',
  'int16',
  'uint32',
  'int32',
  'uint64', // bigint beyond 2^53.
  'int64',
  'float16',
  'float32',
  'float64',
  'bcd16', // 0..9999, a decimal digit a nibble.
  'bcd32', // 0..99999999.
  'mod10k', // 2 to 4 registers of 0..9999 each; the lowest first unless the order says otherwise.
  'hi100lo', // high × 100 + low, both of 1 register, or of 2 each with length 4.
  'sm16', // Sign and magnitude: the top bit is the sign.
  'sm32',
  'string', // `length` registers; ends at the first NUL, blanks at the end cut off.
  'packed-bcd-time', // YYMM DDhh mmss, or with length 4 YYYY MMDD hhmm ss00; text without a zone.
] as const;
export type ModbusType = (typeof types)[number];

export interface BitField {
  /** Up to 32 bits; the value is (register & mask) >>> shift. */
  readonly mask: number;
  readonly shift: number;
}

/** All keys are always there, in this order: the decoder reads thousands of these a millisecond. */
export interface ModbusAddress {
  readonly table: Table;
  /** 0..65535. */
  readonly address: number;
  readonly type: ModbusType;
  readonly order: WordOrder;
  readonly packing: Packing;
  /** Registers the value takes; 1 for a coil or discrete input. */
  readonly width: number;
  /** Of a bool in registers: 0 is the least significant. */
  readonly bit: number | null;
  readonly bits: BitField | null;
}

/** Registers no request may touch unless a point asks for exactly them; both ends included. */
export interface ForbiddenRange {
  readonly table: Table;
  readonly from: number;
  readonly to: number;
}

export interface ModbusDevice {
  /** 0..247, or 255 for "the device itself" on TCP. */
  readonly unit: number;
  /** From sending a request to giving it up. */
  readonly timeoutMs: number;
  readonly limits: {
    readonly maxRegisters: number;
    readonly maxBits: number;
    /** A request for fewer is refused by the device: what is asked for is widened to it. */
    readonly minRegisters: number;
    readonly forbidden: readonly ForbiddenRange[];
    /** Pause between an answer and the next request. */
    readonly minGapMs: number;
    /** Whether registers nobody asked for may be read when that saves a request. */
    readonly readAcrossGaps: boolean;
  };
  /** Whether one value is written with functions 5 and 6, or with 15 and 16 as many are. */
  readonly writes: 'single' | 'multiple';
  /** Requests in flight at once, 1..16. On a shared link the smallest of its devices counts. */
  readonly inFlightMax: number;
}

export const framings = ['tcp', 'rtu', 'ascii'] as const;
/** How a PDU lies in bytes: Modbus TCP's header, or the frames of a serial line, also over TCP. */
export type Framing = (typeof framings)[number];

export interface ModbusLine {
  readonly framing: Framing;
  /** The adapter gives back what is sent on a two-wire line; it is taken off again. */
  readonly echo: boolean;
}

export const TIMEOUT_MS_DEFAULT = 1_000;
const TIMEOUT_MS_MAX = 60_000;
const GAP_MS_MAX = 10_000;
/** The Modbus TCP guide lets a server name 1 to 16 transactions it takes at once. */
export const IN_FLIGHT_MAX = 16;
const FORBIDDEN_RANGES_MAX = 256;

const fixedWidth: Partial<Record<ModbusType, number>> = {
  'uint8-hi': 1,
  'uint8-lo': 1,
  'int8-hi': 1,
  'int8-lo': 1,
  uint16: 1,
  int16: 1,
  uint32: 2,
  int32: 2,
  uint64: 4,
  int64: 4,
  float16: 1,
  float32: 2,
  float64: 4,
  bcd16: 1,
  bcd32: 2,
  sm16: 1,
  sm32: 2,
};

// Lengths a type allows, the first being the default; a string has none.
const lengths: Partial<Record<ModbusType, readonly number[]>> = {
  bool: [1, 2],
  mod10k: [2, 3, 4],
  hi100lo: [2, 4],
  'packed-bcd-time': [3, 4],
};

// Names that other tools use.
const alsoKnownAs: Readonly<Record<string, ModbusType>> = {
  bit: 'bool',
  boolean: 'bool',
  u8: 'uint8-lo',
  s8: 'int8-lo',
  uint8: 'uint8-lo',
  int8: 'int8-lo',
  u16: 'uint16',
  word: 'uint16',
  bits: 'uint16',
  s16: 'int16',
  i16: 'int16',
  short: 'int16',
  u32: 'uint32',
  dword: 'uint32',
  s32: 'int32',
  i32: 'int32',
  int: 'int32',
  u64: 'uint64',
  s64: 'int64',
  i64: 'int64',
  long: 'int64',
  f16: 'float16',
  f32: 'float32',
  real: 'float32',
  float: 'float32',
  f64: 'float64',
  double: 'float64',
  bcd: 'bcd16',
  text: 'string',
};

const addressKeys = ['table', 'address', 'type', 'order', 'bit', 'bits', 'length', 'packing'];

/** Profile address -> typed; every problem at its path, undefined when there was one. */
export function parseAddress(
  raw: unknown,
  path: Path,
  problems: Problems,
): ModbusAddress | undefined {
  const fields = Fields.of(raw, path, problems, addressKeys);
  if (!fields) return undefined;
  const before = problems.findings.length + problems.beyond;
  const table = fields.choice('table', tables);
  const address = fields.integer('address', 0, 0xffff);
  const one = table === 'coil' || table === 'discrete';
  const type = fields.choice('type', types, one ? 'bool' : undefined, alsoKnownAs);
  if (table === undefined || type === undefined) return undefined;
  if (one && type !== 'bool') {
    problems.add(fields.at('type'), 'modbus-type-on-bits', { table, type });
    return undefined;
  }
  const width = one ? 1 : widthOf(fields, type);
  const order = fields.choice('order', orders, type === 'mod10k' ? 'CDAB' : 'ABCD');
  const packing = fields.choice('packing', packings, 'H');
  const bit = fields.has('bit') ? fields.integer('bit', 0, 16 * (width ?? 1) - 1) : null;
  const bits = fields.has('bits') ? parseBits(fields, type) : null;
  refuseUnfit(fields, type, one);
  if (address !== undefined && width !== undefined && address + width > 0x10000) {
    const help = bilingual('modbus-address-notation');
    problems.add(fields.at('address'), 'modbus-address-end', { width, address }, { help });
  }
  if (problems.findings.length + problems.beyond > before) return undefined;
  if (address === undefined || width === undefined || order === undefined) return undefined;
  if (packing === undefined || bit === undefined || bits === undefined) return undefined;
  return Object.freeze({ table, address, type, order, packing, width, bit, bits });
}

function widthOf(fields: Fields, type: ModbusType): number | undefined {
  const fixed = fixedWidth[type];
  if (fixed !== undefined) return fixed;
  const allowed = lengths[type];
  if (!allowed) return fields.integer('length', 1, REGISTERS_READ_MAX);
  const length = fields.integer('length', 1, REGISTERS_READ_MAX, allowed[0]);
  if (length === undefined || allowed.includes(length)) return length;
  fields.wrong('length', allowed.join(', '));
  return undefined;
}

function parseBits(fields: Fields, type: ModbusType): BitField | undefined {
  const bits = Fields.of(fields.raw('bits'), fields.at('bits'), fields.problems, ['mask', 'shift']);
  const mask = bits?.integer('mask', 1, 0xffff_ffff);
  if (!bits || mask === undefined) return undefined;
  const width = type === 'uint32' ? 32 : type === 'uint16' ? 16 : 8;
  if (mask >= 2 ** width) {
    const shown = `0x${mask.toString(16)}`;
    fields.problems.add(bits.at('mask'), 'modbus-mask-width', { mask: shown, type });
    return undefined;
  }
  const lowestBit = 31 - Math.clz32(mask & -mask);
  const shift = bits.integer('shift', 0, 31, lowestBit);
  return shift === undefined ? undefined : Object.freeze({ mask, shift });
}

function refuseUnfit(fields: Fields, type: ModbusType, one: boolean): void {
  const fits: Readonly<Record<string, boolean>> = {
    bit: type === 'bool' && !one,
    bits: type === 'uint16' || type === 'uint32' || type.startsWith('uint8'),
    length: !one && fixedWidth[type] === undefined,
    packing: type === 'string',
    order: !one && type !== 'string',
  };
  for (const [key, fit] of Object.entries(fits)) {
    if (!fit && fields.has(key)) {
      fields.problems.add(fields.at(key), 'protocol-key-unfit', { key, type });
    }
  }
}

/** Settings of a link -> typed options: Modbus TCP without echo where they are left out. */
export function parseLine(raw: unknown, path: Path, problems: Problems): ModbusLine | undefined {
  const fields = Fields.of(raw ?? {}, path, problems, ['framing', 'echo']);
  const framing = fields?.choice('framing', framings, 'tcp');
  const echo = fields?.flag('echo', false);
  return framing === undefined || echo === undefined ? undefined : Object.freeze({ framing, echo });
}

const deviceKeys = ['unit', 'timeoutMs', 'limits', 'inFlightMax', 'writes'];
const limitKeys = [
  'maxRegisters',
  'maxBits',
  'minRegisters',
  'forbidden',
  'minGapMs',
  'readAcrossGaps',
];

/**
 * Settings of a device -> typed options; all keys may be left out (unit 1, 1 s, protocol limits).
 */
export function parseDevice(
  raw: unknown,
  path: Path,
  problems: Problems,
): ModbusDevice | undefined {
  const fields = Fields.of(raw ?? {}, path, problems, deviceKeys);
  if (!fields) return undefined;
  const before = problems.findings.length + problems.beyond;
  const unit = fields.raw('unit') === 255 ? 255 : fields.integer('unit', 0, 247, 1);
  const timeoutMs = fields.integer('timeoutMs', 1, TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT);
  const inFlightMax = fields.integer('inFlightMax', 1, IN_FLIGHT_MAX, 1);
  const rawLimits = fields.raw('limits') ?? {};
  const limits = Fields.of(rawLimits, fields.at('limits'), problems, limitKeys);
  const maxRegisters = limits?.integer('maxRegisters', 1, REGISTERS_READ_MAX, REGISTERS_READ_MAX);
  const maxBits = limits?.integer('maxBits', 1, BITS_READ_MAX, BITS_READ_MAX);
  const minRegisters = limits?.integer('minRegisters', 1, REGISTERS_READ_MAX, 1);
  if (limits && minRegisters! > maxRegisters!) {
    const values = { least: minRegisters!, most: maxRegisters! };
    problems.add(limits.at('minRegisters'), 'block-order', values);
  }
  const writes = fields.choice('writes', ['single', 'multiple'], 'single');
  const minGapMs = limits?.integer('minGapMs', 0, GAP_MS_MAX, 0);
  const readAcrossGaps = limits?.flag('readAcrossGaps', true);
  const forbidden = limits && parseForbidden(limits);
  if (problems.findings.length + problems.beyond > before) return undefined;
  if (unit === undefined || timeoutMs === undefined || inFlightMax === undefined) return undefined;
  if (maxRegisters === undefined || maxBits === undefined || forbidden === undefined) {
    return undefined;
  }
  if (minGapMs === undefined || readAcrossGaps === undefined) return undefined;
  if (minRegisters === undefined || writes === undefined) return undefined;
  const blocks = { maxRegisters, maxBits, minRegisters, forbidden };
  const typed = Object.freeze({ ...blocks, minGapMs, readAcrossGaps });
  return Object.freeze({ unit, timeoutMs, limits: typed, writes, inFlightMax });
}

function parseForbidden(limits: Fields): readonly ForbiddenRange[] | undefined {
  const raw = limits.raw('forbidden') ?? [];
  if (!Array.isArray(raw) || raw.length > FORBIDDEN_RANGES_MAX) {
    limits.wrong('forbidden', `0..${FORBIDDEN_RANGES_MAX} × { table, from, to }`);
    return undefined;
  }
  const ranges: ForbiddenRange[] = [];
  raw.forEach((entry: unknown, at) => {
    const path = [...limits.at('forbidden'), at];
    const fields = Fields.of(entry, path, limits.problems, ['table', 'from', 'to']);
    const table = fields?.choice('table', tables);
    const from = fields?.integer('from', 0, 0xffff);
    const to = fields?.integer('to', 0, 0xffff, from);
    if (table === undefined || from === undefined || to === undefined) return;
    if (to < from) limits.problems.add(path, 'modbus-forbidden-order', { from, to });
    else ranges.push(Object.freeze({ table, from, to }));
  });
  return Object.freeze(ranges);
}
