// What stands at an address whatever its protocol, and how a person writes raw values in a profile:
// 65535 as the decoder returns it, 0xFFFF as the bits that stand in the registers, nan for whatever
// is not a number; and the registers of a test as an image of the device.
import type { ValueType } from '../core/point.ts';
import type { ModbusAddress, ModbusType, Table } from '../protocols/modbus/address.ts';
import type { ConditionField, OpcuaType, ReadAddress } from '../protocols/opcua/address.ts';
import { valueTypeOf as opcuaTypeOf } from '../protocols/opcua/address.ts';
import type { ProfileTest } from './format.ts';

/** What a profile may name: where and as what a value stands. */
export type PointAddress = ModbusAddress | ReadAddress;

export function isModbus(address: object): address is ModbusAddress {
  return 'table' in address;
}

/** The type by which raw values are written and checked; of some kinds of OPC UA it is fixed. */
export function rawKindOf(address: PointAddress): ModbusType | OpcuaType {
  if (isModbus(address)) return address.type;
  switch (address.kind) {
    case 'certificate':
      return 'double';
    case 'condition':
      return conditionKinds[address.field];
    default:
      return address.type;
  }
}

const conditionKinds = {
  active: 'boolean',
  acked: 'boolean',
  severity: 'uint16',
  message: 'string',
} as const satisfies Record<ConditionField, OpcuaType>;

export function isFloat(address: PointAddress): boolean {
  return /^(float|double)/.test(rawKindOf(address));
}

export function valueTypeOf(address: PointAddress, scale: number, offset: number): ValueType {
  const type = plainTypeOf(address);
  return type === 'integer' && (scale !== 1 || offset !== 0) ? 'number' : type;
}

function plainTypeOf(address: PointAddress): ValueType {
  if (!isModbus(address)) return opcuaTypeOf(address);
  const { type } = address;
  if (type === 'bool') return 'boolean';
  if (type === 'string' || type === 'packed-bcd-time') return 'text';
  return isFloat(address) ? 'number' : 'integer';
}

export interface Limits {
  readonly min: bigint;
  readonly max: bigint;
}

/** What the decoder can return for whole numbers; null for what is no number. */
export function wholeLimitsOf(address: PointAddress): Limits | null {
  if (!isModbus(address)) return opcuaLimits[rawKindOf(address)] ?? null;
  const { type, width, bits } = address;
  if (bits) return { min: 0n, max: BigInt(bits.mask >>> bits.shift) };
  const size = BigInt(type.startsWith('uint8') || type.startsWith('int8') ? 8 : 16 * width);
  if (type.startsWith('uint')) return { min: 0n, max: (1n << size) - 1n };
  if (type.startsWith('int')) return { min: -(1n << (size - 1n)), max: (1n << (size - 1n)) - 1n };
  if (type.startsWith('sm')) {
    const max = (1n << (size - 1n)) - 1n;
    return { min: -max, max };
  }
  if (type.startsWith('bcd')) return { min: 0n, max: 10n ** BigInt(4 * width) - 1n };
  if (type === 'mod10k') return { min: 0n, max: 10n ** BigInt(4 * width) - 1n };
  if (type === 'hi100lo') return { min: 0n, max: (1n << size) * 100n };
  return null;
}

const whole = (bits: bigint, isSigned: boolean): Limits =>
  isSigned
    ? { min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n }
    : { min: 0n, max: (1n << bits) - 1n };

const opcuaLimits: Readonly<Record<string, Limits>> = {
  sbyte: whole(8n, true),
  byte: whole(8n, false),
  int16: whole(16n, true),
  uint16: whole(16n, false),
  int32: whole(32n, true),
  uint32: whole(32n, false),
  int64: whole(64n, true),
  uint64: whole(64n, false),
};

/**
 * The decoded raw value a text of a profile stands for; undefined when it can never be read there.
 */
export function rawOf(text: string, address: PointAddress): number | bigint | undefined {
  const type = rawKindOf(address);
  if (isFloat(address)) return rawFloat(text, floatBits(type));
  const limits = wholeLimitsOf(address);
  if (!limits || text === 'nan' || text.includes('.')) return undefined;
  let raw = BigInt(text);
  if (text.startsWith('0x')) {
    if (/^(bcd|mod10k|hi100lo)/.test(type)) return undefined;
    raw = signed(raw, type, limits);
  }
  if (raw < limits.min || raw > limits.max) return undefined;
  const number = Number(raw);
  return Number.isSafeInteger(number) ? number : raw;
}

/** A bit pattern as the signed value it stands for. */
function signed(pattern: bigint, type: string, { min, max }: Limits): bigint {
  if (min === 0n || pattern <= max) return pattern;
  if (type.startsWith('sm')) return -(pattern - max - 1n);
  return pattern - 2n * (max + 1n);
}

function floatBits(type: string): 16 | 32 | 64 {
  if (type === 'float16') return 16;
  return type === 'float32' || type === 'float' ? 32 : 64;
}

function rawFloat(text: string, bits: 16 | 32 | 64): number | undefined {
  if (text === 'nan') return Number.NaN;
  if (!text.startsWith('0x')) {
    const number = Number(text);
    return bits === 32 ? Math.fround(number) : number;
  }
  const view = new DataView(new ArrayBuffer(8));
  if ((text.length - 2) * 4 > bits) return undefined;
  view.setBigUint64(0, BigInt(text) << BigInt(64 - bits));
  if (bits === 64) return view.getFloat64(0);
  return bits === 32 ? view.getFloat32(0) : view.getFloat16(0);
}

/** What a test says of a device's registers. */
export interface Image {
  /** The first address of the value that the test does not give; null when it gives all. */
  firstMissing(address: ModbusAddress): number | null;
  /** The value's registers (or bits), 0 where the test gives none. */
  words(address: ModbusAddress): Uint16Array;
}

export function imageOf(registers: NonNullable<ProfileTest['registers']>): Image {
  const given = new Map<string, number>();
  for (const [table, runs] of Object.entries(registers)) {
    for (const [first, words] of Object.entries(runs ?? {})) {
      words.forEach((word, at) => {
        given.set(`${table} ${Number(first) + at}`, word);
      });
    }
  }
  const word = (table: Table, address: number) => given.get(`${table} ${address}`);
  return {
    firstMissing({ table, address, width }) {
      for (let at = address; at < address + width; at++) {
        if (word(table, at) === undefined) return at;
      }
      return null;
    },
    words: ({ table, address, width }) =>
      Uint16Array.from({ length: width }, (_, at) => word(table, address + at) ?? 0),
  };
}
