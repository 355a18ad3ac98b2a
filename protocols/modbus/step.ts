// One request that is sent for its own sake: what a device must be told before or after it
// measures, and the question who it is. Nothing of the answer is kept but whether it fits.
//
// A step comes from a profile, never from identification or a search; a read of no registers at all
// is one (some sensors take it as "start"), and a write of no values.
import type { Path, Problems } from '../../core/problems.ts';
import { Fields } from '../fields.ts';
import type { Table } from './address.ts';
import { BITS_WRITE_MAX, REGISTERS_READ_MAX, REGISTERS_WRITE_MAX } from './codec.ts';

export type ModbusStep =
  | {
      readonly kind: 'read';
      readonly table: Table;
      readonly address: number;
      /** 0 is a count. */
      readonly count: number;
    }
  | {
      readonly kind: 'write';
      readonly table: 'holding' | 'coil';
      readonly address: number;
      /** Registers, or 0 and 1 for coils; none is a list. */
      readonly values: readonly number[];
    };

const tables = ['input', 'holding', 'coil', 'discrete'] as const;
const writable = ['holding', 'coil'] as const;

/** `{ read: { table, address, count } }` or `{ write: { table, address, value | values } }`. */
export function parseStep(raw: unknown, path: Path, problems: Problems): ModbusStep | undefined {
  const step = Fields.of(raw, path, problems, ['read', 'write']);
  if (!step) return undefined;
  const before = problems.findings.length + problems.beyond;
  const parsed = step.has('write') ? parseWrite(step) : parseRead(step);
  return problems.findings.length + problems.beyond > before ? undefined : parsed;
}

function parseRead(step: Fields): ModbusStep | undefined {
  const keys = ['table', 'address', 'count'];
  const fields = Fields.of(step.raw('read'), step.at('read'), step.problems, keys);
  const table = fields?.choice('table', tables);
  const address = fields?.integer('address', 0, 0xffff);
  const count = fields?.integer('count', 0, REGISTERS_READ_MAX);
  if (table === undefined || address === undefined || count === undefined) return undefined;
  return Object.freeze({ kind: 'read', table, address, count });
}

function parseWrite(step: Fields): ModbusStep | undefined {
  const keys = ['table', 'address', 'value', 'values'];
  const fields = Fields.of(step.raw('write'), step.at('write'), step.problems, keys);
  const table = fields?.choice('table', writable);
  const address = fields?.integer('address', 0, 0xffff);
  if (!fields || table === undefined || address === undefined) return undefined;
  const max = table === 'coil' ? 1 : 0xffff;
  if (!fields.has('values')) {
    const value = fields.integer('value', 0, max);
    if (value === undefined) return undefined;
    return Object.freeze({ kind: 'write', table, address, values: Object.freeze([value]) });
  }
  const values: unknown = fields.raw('values');
  const lengthMax = table === 'coil' ? BITS_WRITE_MAX : REGISTERS_WRITE_MAX;
  if (!isWords(values, max) || values.length > lengthMax || fields.has('value')) {
    fields.wrong('values', `0..${lengthMax} × 0..${max}`);
    return undefined;
  }
  return Object.freeze({ kind: 'write', table, address, values: Object.freeze([...values]) });
}

function isWords(values: unknown, max: number): values is number[] {
  return (
    Array.isArray(values) &&
    values.every((value) => Number.isInteger(value) && value >= 0 && value <= max)
  );
}

const readFunction = { coil: 1, discrete: 2, holding: 3, input: 4 } as const;

/** The request's PDU. `isMultiple`: the device takes functions 15 and 16 only. */
export function encodeStep(step: ModbusStep, isMultiple: boolean): Uint8Array {
  const { address } = step;
  const head = [address >> 8, address & 0xff];
  if (step.kind === 'read') {
    return Uint8Array.of(readFunction[step.table], ...head, step.count >> 8, step.count & 0xff);
  }
  const { table, values } = step;
  const count = values.length;
  const [only = 0] = values;
  if (count === 1 && !isMultiple) {
    const word = table === 'coil' ? only * 0xff00 : only;
    return Uint8Array.of(table === 'coil' ? 5 : 6, ...head, word >> 8, word & 0xff);
  }
  const data =
    table === 'coil' ? packed(values) : values.flatMap((word) => [word >> 8, word & 0xff]);
  const code = table === 'coil' ? 15 : 16;
  return Uint8Array.of(code, ...head, count >> 8, count & 0xff, data.length, ...data);
}

function packed(bits: readonly number[]): number[] {
  const bytes = Array.from({ length: (bits.length + 7) >> 3 }, () => 0);
  bits.forEach((bit, at) => {
    bytes[at >> 3]! |= bit << (at & 7);
  });
  return bytes;
}
