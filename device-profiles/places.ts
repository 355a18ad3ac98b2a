// What a profile must know of an address whatever its protocol: what is read there, whether it can
// be written, and whether a raw value can stand there.
import type { ValueType } from '../core/point.ts';
import type { Value } from '../core/reading.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { canWrite, isWritable } from '../protocols/modbus/writing.ts';
import { valueTypeOf } from './raw-values.ts';

/** What the address itself takes and gives, before any scale. */
export function rawTypeOf(address: ModbusAddress): ValueType {
  return valueTypeOf(address, 1, 0);
}

export function takesWrites(address: ModbusAddress): boolean {
  return isWritable(address);
}

/** Whether the raw value can be written there and then stands there, to within a float's digits. */
export function holds(address: ModbusAddress, raw: Exclude<Value, null>): boolean {
  const { type } = address;
  if (typeof raw === 'number') {
    const nearest = type === 'float32' ? Math.fround(raw) : raw;
    if (!Number.isFinite(type === 'float16' ? Math.f16round(raw) : nearest)) return false;
  }
  return canWrite(address, raw);
}

/** How nearly a raw value of this size stands there: a part of it, 0 for whole numbers and text. */
export function relativeStepOf({ type }: ModbusAddress): number {
  if (type === 'float16') return 2 ** -10;
  if (type === 'float32') return 2 ** -23;
  return type === 'float64' ? 2 ** -52 : 0;
}
