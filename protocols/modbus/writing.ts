// A value to a point: which function writes it, and what the device makes of that.
//
//   a coil                            5, or 15 where the device takes many only
//   one register                      6, or 16 likewise
//   more registers                    16, in one request: a value is never torn
//   a bit or some bits of a register  22, so that the other bits stay
//
// A device that does not know 5 or 6 (exception 1) is asked with 15 or 16 once, and from then on.
import { Fault } from '../../core/fault.ts';
import type { Value } from '../../core/reading.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Urgency, Written } from '../driver.ts';
import type { ModbusAddress, ModbusDevice } from './address.ts';
import { encodeRequest, ILLEGAL_FUNCTION, type Request } from './codec.ts';
import type { Lane } from './conversation.ts';
import type { Answered, Carrier } from './single.ts';
import { ask } from './single.ts';
import { decodeValue, writeValue } from './value.ts';

/** What somebody commands does not wait for what is polled. */
const FIRST: Urgency = { rank: 0, dueMonoMs: Number.NEGATIVE_INFINITY };

export async function write(
  { writes }: ModbusDevice,
  address: ModbusAddress,
  value: Value,
  lane: Lane,
  carrier: Carrier,
  signal: AbortSignal,
  mayGo?: () => boolean,
): Promise<Written> {
  const { table } = address;
  if (!isWritable(address)) {
    const detail = bilingual('modbus-read-only', { table, address: address.address });
    return { fault: new Fault('modbus_read_only', 'never', detail), lineMs: 0, sure: 'unsent' };
  }
  const request = requestFor(address, value);
  if (!request) {
    const values = { value: String(value), type: address.type };
    const detail = bilingual('modbus-value-unfit', values);
    return { fault: new Fault('modbus_value_unfit', 'never', detail), lineMs: 0, sure: 'unsent' };
  }
  const many = asMany(request);
  const { lessons } = lane;
  const isMany = writes === 'multiple' || (lessons.manyOnly >> request.function) & 1;
  const send = (one: Request) => ask(encodeRequest(one), lane, carrier, signal, FIRST, mayGo);
  const first = await send(many && isMany ? many : request);
  if (!many || isMany || first.exception !== ILLEGAL_FUNCTION) return writtenOf(first);
  const again = await send(many);
  if (!again.fault) lessons.manyOnly |= 1 << request.function;
  return writtenOf(again, first.lineMs);
}

function writtenOf({ fault, lineMs, sure }: Answered, beforeMs = 0): Written {
  return { fault, lineMs: beforeMs + lineMs, ...(sure ? { sure } : {}) };
}

/** Whether anything can be written there at all. */
export function isWritable({ table }: ModbusAddress): boolean {
  return table === 'coil' || table === 'holding';
}

/** Whether this raw value can be written there, and the point then shows it. */
export function canWrite(address: ModbusAddress, value: Value): boolean {
  return isWritable(address) && requestFor(address, value) !== undefined;
}

/** Undefined where the point cannot show the value; a float shows the nearest it has. */
function requestFor(point: ModbusAddress, value: Value): Request | undefined {
  const { table, address, width } = point;
  if (table === 'coil') {
    return typeof value === 'boolean' ? { function: 5, address, on: value } : undefined;
  }
  const clear = new Uint16Array(width);
  const full = new Uint16Array(width).fill(0xffff);
  if (value === null || !shows(point, value, clear)) return undefined;
  writeValue(point, value, full, 0);
  // Where what was there before shows through, other bits are not the point's.
  const mine = clear.map((word, at) => ~(word ^ full[at]!));
  if (mine.every((mask) => mask === 0xffff)) {
    return width === 1
      ? { function: 6, address, value: clear[0]! }
      : { function: 16, address, registers: clear };
  }
  const at = mine.findIndex((mask) => mask !== 0);
  if (mine.some((mask, other) => mask !== 0 && other !== at)) return undefined;
  const andMask = ~mine[at]! & 0xffff;
  return { function: 22, address: address + at, andMask, orMask: clear[at]! };
}

/** Puts the value into the registers; false when they then show another. */
function shows(point: ModbusAddress, value: NonNullable<Value>, registers: Uint16Array): boolean {
  if (!isOfType(point, value)) return false;
  writeValue(point, value, registers, 0);
  const shown = decodeValue(point, registers);
  if (typeof value === 'number' && point.type === 'float32') return shown === Math.fround(value);
  if (typeof value === 'number' && point.type === 'float16') return shown === Math.f16round(value);
  if (typeof value === 'bigint' && typeof shown === 'number') return BigInt(shown) === value;
  return shown === value;
}

const TIME_PATTERN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/;

function isOfType({ type }: ModbusAddress, value: NonNullable<Value>): boolean {
  if (type === 'bool') return typeof value === 'boolean';
  if (type === 'string') return typeof value === 'string';
  if (type === 'packed-bcd-time') return typeof value === 'string' && TIME_PATTERN.test(value);
  return typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value));
}

/** The same with the function for many, where there is one. */
function asMany(request: Request): Request | undefined {
  const { function: code } = request;
  if (code === 5) {
    return { function: 15, address: request.address, bits: Uint8Array.of(request.on ? 1 : 0) };
  }
  if (code !== 6) return undefined;
  return { function: 16, address: request.address, registers: Uint16Array.of(request.value) };
}
