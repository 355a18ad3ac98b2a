// How a person writes raw values in a profile: 65535 as the decoder returns it, 0xFFFF as the bits
// that stand in the registers, nan for whatever is not a number; and the registers of a test as an
// image of the device.
import type { ValueType } from '../core/point.ts';
import type { ModbusAddress, ModbusType, Table } from '../protocols/modbus/address.ts';
import type { ProfileTest } from './format.ts';

export function isFloat(type: ModbusType): boolean {
  return type.startsWith('float');
}

export function valueTypeOf(address: ModbusAddress, scale: number, offset: number): ValueType {
  const { type } = address;
  if (type === 'bool') return 'boolean';
  if (type === 'string' || type === 'packed-bcd-time') return 'text';
  return isFloat(type) || scale !== 1 || offset !== 0 ? 'number' : 'integer';
}

export interface Limits {
  readonly min: bigint;
  readonly max: bigint;
}

/** What the decoder can return for whole numbers; null for what is no number. */
export function wholeLimitsOf({ type, width, bits }: ModbusAddress): Limits | null {
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

/**
 * The decoded raw value a text of a profile stands for; undefined when it can never be read there.
 */
export function rawOf(text: string, address: ModbusAddress): number | bigint | undefined {
  if (isFloat(address.type)) return rawFloat(text, address.type);
  const limits = wholeLimitsOf(address);
  if (!limits || text === 'nan' || text.includes('.')) return undefined;
  let raw = BigInt(text);
  if (text.startsWith('0x')) {
    if (/^(bcd|mod10k|hi100lo)/.test(address.type)) return undefined;
    raw = signed(raw, address, limits);
  }
  if (raw < limits.min || raw > limits.max) return undefined;
  const number = Number(raw);
  return Number.isSafeInteger(number) ? number : raw;
}

/** A bit pattern as the signed value it stands for. */
function signed(pattern: bigint, { type }: ModbusAddress, { min, max }: Limits): bigint {
  if (min === 0n || pattern <= max) return pattern;
  if (type.startsWith('sm')) return -(pattern - max - 1n);
  return pattern - 2n * (max + 1n);
}

function rawFloat(text: string, type: ModbusType): number | undefined {
  if (text === 'nan') return Number.NaN;
  if (!text.startsWith('0x')) {
    const number = Number(text);
    return type === 'float32' ? Math.fround(number) : number;
  }
  const view = new DataView(new ArrayBuffer(8));
  const size = type === 'float64' ? 16 : type === 'float32' ? 8 : 4;
  if (text.length - 2 > size) return undefined;
  view.setBigUint64(0, BigInt(text) << BigInt(64 - size * 4));
  if (type === 'float64') return view.getFloat64(0);
  return type === 'float32' ? view.getFloat32(0) : view.getFloat16(0);
}

/** What a test says of a device's registers. */
export interface Image {
  /** The first address of the value that the test does not give; null when it gives all. */
  firstMissing(address: ModbusAddress): number | null;
  /** The value's registers (or bits), 0 where the test gives none. */
  words(address: ModbusAddress): Uint16Array;
}

export function imageOf(registers: ProfileTest['registers']): Image {
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
