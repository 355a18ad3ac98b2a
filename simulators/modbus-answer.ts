// What a device answers to a request, whatever carries it: the server's side of the codec over a
// bank of registers.
import type { Table } from '../protocols/modbus/address.ts';
import type { Request, Response } from '../protocols/modbus/codec.ts';
import {
  decodeRequest,
  encodeException,
  encodeResponse,
  ILLEGAL_FUNCTION,
} from '../protocols/modbus/codec.ts';

export interface RegisterBank {
  /**
   * `count` values from `address` on (0 or 1 in coils and discrete inputs), or an exception code.
   */
  read(table: Table, address: number, count: number): Uint16Array | number;
  /** 0, or an exception code. */
  write(table: Table, address: number, values: Uint16Array): number;
  /**
   * Objects of function 43/14: 0 vendor, 1 product, 2 revision, ... The function is unknown
   * without.
   */
  readonly identification?: ReadonlyMap<number, string>;
}

/** What the device would answer to a request PDU; without socket or faults. */
export function answerRequest(
  bank: RegisterBank,
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array {
  const request = decodeRequest(bytes, start, end);
  if (typeof request === 'number') return encodeException(bytes[start]!, request);
  const response = respond(bank, request);
  return typeof response === 'number'
    ? encodeException(request.function, response)
    : encodeResponse(request, response);
}

const readTable = { 1: 'coil', 2: 'discrete', 3: 'holding', 4: 'input' } as const;

function respond(bank: RegisterBank, request: Request): Response | number {
  switch (request.function) {
    case 1:
    case 2: {
      const bits = bank.read(readTable[request.function], request.address, request.count);
      return typeof bits === 'number' ? bits : { kind: 'bits', bits: Uint8Array.from(bits) };
    }
    case 3:
    case 4:
      return registersOf(bank, readTable[request.function], request.address, request.count);
    case 5:
      return written(bank.write('coil', request.address, Uint16Array.of(request.on ? 1 : 0)));
    case 6:
      return written(bank.write('holding', request.address, Uint16Array.of(request.value)));
    case 15:
      return written(bank.write('coil', request.address, Uint16Array.from(request.bits)));
    case 16:
      return written(bank.write('holding', request.address, request.registers));
    case 22: {
      const old = bank.read('holding', request.address, 1);
      if (typeof old === 'number') return old;
      const { andMask, orMask } = request;
      const value = (old[0]! & andMask) | (orMask & ~andMask);
      return written(bank.write('holding', request.address, Uint16Array.of(value)));
    }
    case 23: {
      const code = bank.write('holding', request.writeAddress, request.registers);
      if (code !== 0) return code;
      return registersOf(bank, 'holding', request.address, request.count);
    }
    case 43:
      return identify(bank, request.level, request.object);
  }
}

function registersOf(
  bank: RegisterBank,
  table: Table,
  address: number,
  count: number,
): Response | number {
  const registers = bank.read(table, address, count);
  return typeof registers === 'number' ? registers : { kind: 'registers', registers };
}

function written(code: number): Response | number {
  return code === 0 ? { kind: 'written' } : code;
}

/**
 * As many objects as fit one answer, from `from` on; the rest is asked for with the next request.
 */
function identify(bank: RegisterBank, level: 1 | 2 | 3 | 4, from: number): Response | number {
  const all = bank.identification;
  if (!all) return ILLEGAL_FUNCTION;
  const last = level === 1 ? 2 : level === 2 ? 0x7f : 0xff;
  const ids = [...all.keys()].sort((a, b) => a - b).filter((id) => id >= from && id <= last);
  const asked = level === 4 ? ids.filter((id) => id === from) : ids;
  if (asked.length === 0) return 2;
  const objects = new Map<number, string>();
  let room = 246; // A PDU less its 7 bytes of head.
  for (const id of asked) {
    const text = all.get(id)!.slice(0, 244);
    room -= 2 + text.length;
    if (room < 0) return { kind: 'identification', level, conformity: 0x83, next: id, objects };
    objects.set(id, text);
  }
  return { kind: 'identification', level, conformity: 0x83, next: null, objects };
}
