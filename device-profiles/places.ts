// Where a command goes: whether anything can be written there, and whether a raw value can stand
// there.
import type { ValueType } from '../core/point.ts';
import type { Path, Problems } from '../core/problems.ts';
import type { Value } from '../core/reading.ts';
import { TEXT_BYTES_MAX } from '../core/reading.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { canWrite, isWritable } from '../protocols/modbus/writing.ts';
import type { OpcuaAddress } from '../protocols/opcua/address.ts';
import type { PointAddress } from './raw-values.ts';
import { isFloat, isModbus, rawKindOf, valueTypeOf, wholeLimitsOf } from './raw-values.ts';

/** What a command writes to or calls. */
export type TargetAddress = ModbusAddress | OpcuaAddress;

/** How a protocol's addresses are read out of a profile, with what only the whole of it can tell. */
export interface AddressReader {
  readonly name: string;
  point(raw: unknown, path: Path, problems: Problems): PointAddress | undefined;
  /** Absent where commands only write. */
  command?(raw: unknown, path: Path, problems: Problems): TargetAddress | undefined;
}

/** What the address itself takes and gives, before any scale. */
export function rawTypeOf(address: PointAddress): ValueType {
  return valueTypeOf(address, 1, 0);
}

export function takesWrites(address: PointAddress): boolean {
  return isModbus(address) ? isWritable(address) : address.kind === 'value';
}

/** Whether what is called is given the value of the command. */
export function takesValue(address: TargetAddress): boolean {
  if (isModbus(address)) return true;
  if (address.kind === 'method') return address.arguments.includes(null);
  return address.kind !== 'acknowledge';
}

/** Whether the raw value can be written there and then stands there, to within a float's digits. */
export function holds(address: PointAddress, raw: Exclude<Value, null>): boolean {
  if (typeof raw === 'number' && !Number.isFinite(nearest(address, raw))) return false;
  return isModbus(address) ? canWrite(address, raw) : isOfKind(address, raw);
}

/** What a float of its size makes of it: infinity beyond it. */
function nearest(address: PointAddress, raw: number): number {
  const kind = rawKindOf(address);
  if (kind === 'float16') return Math.f16round(raw);
  return kind === 'float32' || kind === 'float' ? Math.fround(raw) : raw;
}

function isOfKind(address: Exclude<PointAddress, ModbusAddress>, raw: Exclude<Value, null>) {
  const kind = rawKindOf(address);
  if (kind === 'boolean') return typeof raw === 'boolean';
  if (kind === 'string') {
    return typeof raw === 'string' && new TextEncoder().encode(raw).length <= TEXT_BYTES_MAX;
  }
  if (kind === 'datetime') return typeof raw === 'string' && !Number.isNaN(Date.parse(raw));
  if (typeof raw !== 'number' && typeof raw !== 'bigint') return false;
  const limits = wholeLimitsOf(address);
  if (!limits) return true;
  if (typeof raw === 'number' && !Number.isInteger(raw)) return false;
  return BigInt(raw) >= limits.min && BigInt(raw) <= limits.max;
}

/** How nearly a raw value of this size stands there: a part of it, 0 for whole numbers and text. */
export function relativeStepOf(address: PointAddress): number {
  if (!isFloat(address)) return 0;
  const kind = rawKindOf(address);
  if (kind === 'float16') return 2 ** -10;
  return kind === 'float32' || kind === 'float' ? 2 ** -23 : 2 ** -52;
}
