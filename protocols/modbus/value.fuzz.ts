// Registers to values, whatever stands in them and whatever address a profile gives: a value of the
// type or none, bounded; and what a device would show for it is read as the same value.
import assert from 'node:assert/strict';
import { Problems } from '../../core/problems.ts';
import { qualityOf } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import { TEXT_BYTES_MAX } from '../../core/reading.ts';
import type { Draw } from '../../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import type { ModbusAddress } from './address.ts';
import { orders, packings, parseAddress, tables, types } from './address.ts';
import { decodeBytes, decodeValue, encodeValue, qualityOfDecoded } from './value.ts';

const strange: readonly unknown[] = [
  null,
  [],
  {},
  '',
  'uint16',
  -1,
  0.5,
  Number.POSITIVE_INFINITY,
  Number.NaN,
  2 ** 53,
  70_000,
  true,
  '__proto__',
  { mask: 0 },
  { mask: 2 ** 40, shift: -1 },
];

/** What a profile might say, right or wrong. */
function rawAddress(draw: Draw): unknown {
  if (draw.oneIn(64)) return draw.pick(strange);
  const raw: Record<string, unknown> = {
    table: draw.pick(tables),
    address: draw.short(),
    type: draw.pick(types),
  };
  if (draw.oneIn(2)) raw['order'] = draw.pick(orders);
  if (raw['type'] === 'string') raw['length'] = draw.integer(1, 125);
  else if (draw.oneIn(3)) raw['length'] = draw.integer(0, 5);
  if (raw['type'] === 'bool') raw['bit'] = draw.integer(0, 33);
  if (draw.oneIn(4)) raw['packing'] = draw.pick(packings);
  if (draw.oneIn(8)) raw['bits'] = { mask: draw.short(), shift: draw.integer(0, 16) };
  if (draw.oneIn(8)) raw[draw.pick(Object.keys(raw))] = draw.pick(strange);
  return raw;
}

function isValue(value: Value | undefined): boolean {
  if (typeof value === 'string') return Buffer.byteLength(value) <= TEXT_BYTES_MAX;
  return value === undefined || ['number', 'bigint', 'boolean'].includes(typeof value);
}

/** A low half above 99 beside a full high one: read as it stands, though no device counts so. */
function isBeyond({ type, width }: ModbusAddress, value: Value): boolean {
  return type === 'hi100lo' && Number(value) > (2 ** (8 * width) - 1) * 100 + 99;
}

function swallow(draw: Draw): void {
  const problems = new Problems('fuzz');
  const address = parseAddress(rawAddress(draw), [], problems);
  assert.equal(address === undefined, problems.failed);
  if (!address) return;
  const bytes = draw.bytes(2 * address.width + 4);
  const isDigits = draw.oneIn(2); // Else few would be BCD.
  if (isDigits) for (let at = 0; at < bytes.length; at++) bytes[at]! &= 0x19;
  const at = draw.integer(0, 2);
  const isBit = address.table === 'coil' || address.table === 'discrete';
  const registers = Uint16Array.from({ length: address.width }, (_, word) => {
    return (bytes[at + 2 * word]! << 8) | bytes[at + 2 * word + 1]!;
  });
  const value = isBit ? decodeValue(address, registers) : decodeBytes(address, bytes, at);
  assert(isValue(value), `${String(value)} is no value`);
  assert(qualityOf(qualityOfDecoded(value)));
  assert.deepEqual(value, decodeValue(address, registers));
  if (value === undefined || isBeyond(address, value)) return;
  const shown = encodeValue(address, value);
  if (typeof shown === 'boolean') assert.equal(shown, value);
  else assert.deepEqual(decodeValue(address, shown), value);
}

export const values: FuzzTarget = {
  name: 'modbus-values',
  about: 'addresses of profiles and registers to values',
  swallow,
};
