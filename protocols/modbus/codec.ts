// Modbus PDUs in both directions, independent of framing.
//
// Format: Modbus Application Protocol V1.1b3 (function, data; at most 253 bytes; big-endian).
//
// Promises: an answer counts only if every field of it fits the request it answers: function, byte
// count, echoed address and quantity, length to the byte. Quantities beyond the protocol's limits
// are never sent and, on the server side, answered with exception 3. Bytes from outside never
// throw.
import { assert } from '../../core/fault.ts';

export const REGISTERS_READ_MAX = 125;
export const BITS_READ_MAX = 2_000;
export const REGISTERS_WRITE_MAX = 123;
export const BITS_WRITE_MAX = 1_968;
/** Function 23 carries a second address and quantity, so fewer registers fit. */
export const REGISTERS_READ_WRITE_MAX = 121;
export const PDU_BYTES_MAX = 253;

assert(2 + 2 * REGISTERS_READ_MAX <= PDU_BYTES_MAX, 'a full register answer fits');
assert(2 + BITS_READ_MAX / 8 <= PDU_BYTES_MAX, 'a full bit answer fits');
assert(6 + 2 * REGISTERS_WRITE_MAX <= PDU_BYTES_MAX, 'a full register write fits');
assert(6 + BITS_WRITE_MAX / 8 <= PDU_BYTES_MAX, 'a full bit write fits');
assert(10 + 2 * REGISTERS_READ_WRITE_MAX <= PDU_BYTES_MAX, 'a full read and write fits');

export type Request =
  | {
      readonly function: 1 | 2 | 3 | 4;
      readonly address: number;
      readonly count: number;
    }
  | { readonly function: 5; readonly address: number; readonly on: boolean }
  | { readonly function: 6; readonly address: number; readonly value: number }
  | { readonly function: 15; readonly address: number; readonly bits: Uint8Array }
  | { readonly function: 16; readonly address: number; readonly registers: Uint16Array }
  | {
      readonly function: 22;
      readonly address: number;
      readonly andMask: number;
      readonly orMask: number;
    }
  | {
      readonly function: 23;
      readonly address: number;
      readonly count: number;
      readonly writeAddress: number;
      readonly registers: Uint16Array;
    }
  /** Device identification (43/14). Level 1 basic, 2 regular, 3 extended, 4 the one object. */
  | { readonly function: 43; readonly level: 1 | 2 | 3 | 4; readonly object: number };

export type Response =
  /** One byte of 0 or 1 a bit. */
  | { readonly kind: 'bits'; readonly bits: Uint8Array }
  | { readonly kind: 'registers'; readonly registers: Uint16Array }
  /** Functions 5, 6, 15, 16 and 22 echo the request. */
  | { readonly kind: 'written' }
  | {
      readonly kind: 'identification';
      readonly level: number;
      readonly conformity: number;
      /** The object to ask for next when not all fitted, else null. */
      readonly next: number | null;
      readonly objects: ReadonlyMap<number, string>;
    }
  | { readonly kind: 'exception'; readonly code: number };

/** A checked answer is this, or the code of the exception (1..255), or MALFORMED. */
export const ANSWERED = 0;
export const MALFORMED = -1;

export const ILLEGAL_FUNCTION = 1;
export const ILLEGAL_ADDRESS = 2;
export const ILLEGAL_VALUE = 3;

const latin1 = new TextDecoder('latin1');

// --- Requests ---

/** The PDU. Quantities beyond the limits are a mistake of the caller. */
export function encodeRequest(request: Request): Uint8Array {
  switch (request.function) {
    case 1:
    case 2:
    case 3:
    case 4:
      checkRead(request.function, request.address, request.count);
      return words(request.function, request.address, request.count);
    case 5:
      return words(5, request.address, request.on ? 0xff00 : 0);
    case 6:
      return words(6, request.address, request.value);
    case 15: {
      const { address, bits } = request;
      assert(bits.length >= 1 && bits.length <= BITS_WRITE_MAX, 'quantity of bits to write');
      return withBytes(words(15, address, bits.length), packBits(bits));
    }
    case 16: {
      const { address, registers } = request;
      const fits = registers.length >= 1 && registers.length <= REGISTERS_WRITE_MAX;
      assert(fits, 'quantity of registers to write');
      return withBytes(words(16, address, registers.length), registerBytes(registers));
    }
    case 22:
      return words(22, request.address, request.andMask, request.orMask);
    case 23: {
      const { address, count, writeAddress, registers } = request;
      checkRead(3, address, count);
      const fits = registers.length >= 1 && registers.length <= REGISTERS_READ_WRITE_MAX;
      assert(fits, 'quantity of registers to write');
      const head = words(23, address, count, writeAddress, registers.length);
      return withBytes(head, registerBytes(registers));
    }
    case 43:
      return Uint8Array.of(43, 14, request.level, request.object);
  }
}

function checkRead(code: number, address: number, count: number): void {
  const max = code <= 2 ? BITS_READ_MAX : REGISTERS_READ_MAX;
  assert(count >= 1 && count <= max && address + count <= 0x10000, 'quantity to read');
}

/** What a server was asked, or the exception it owes. `start` is the function code. */
export function decodeRequest(bytes: Uint8Array, start: number, end: number): Request | number {
  const length = end - start;
  const code = bytes[start]!;
  const word = (at: number) => (bytes[start + at]! << 8) | bytes[start + at + 1]!;
  switch (code) {
    case 1:
    case 2:
    case 3:
    case 4:
      if (length !== 5) return ILLEGAL_VALUE;
      return readRequest(code, word(1), word(3));
    case 5:
      if (length !== 5 || (word(3) !== 0 && word(3) !== 0xff00)) return ILLEGAL_VALUE;
      return { function: 5, address: word(1), on: word(3) !== 0 };
    case 6:
      if (length !== 5) return ILLEGAL_VALUE;
      return { function: 6, address: word(1), value: word(3) };
    case 15: {
      const count = length >= 6 ? word(3) : 0;
      const size = (count + 7) >> 3;
      if (count < 1 || count > BITS_WRITE_MAX) return ILLEGAL_VALUE;
      if (bytes[start + 5] !== size || length !== 6 + size) return ILLEGAL_VALUE;
      if (word(1) + count > 0x10000) return ILLEGAL_ADDRESS;
      return { function: 15, address: word(1), bits: unpackBits(bytes, start + 6, count) };
    }
    case 16: {
      const count = length >= 6 ? word(3) : 0;
      if (count < 1 || count > REGISTERS_WRITE_MAX) return ILLEGAL_VALUE;
      if (bytes[start + 5] !== 2 * count || length !== 6 + 2 * count) return ILLEGAL_VALUE;
      if (word(1) + count > 0x10000) return ILLEGAL_ADDRESS;
      return { function: 16, address: word(1), registers: registersOf(bytes, start + 6, count) };
    }
    case 22:
      if (length !== 7) return ILLEGAL_VALUE;
      return { function: 22, address: word(1), andMask: word(3), orMask: word(5) };
    case 23:
      return readWriteRequest(bytes, start, length);
    case 43: {
      const level = bytes[start + 2];
      if (bytes[start + 1] !== 14) return ILLEGAL_FUNCTION;
      if (length !== 4 || (level !== 1 && level !== 2 && level !== 3 && level !== 4)) {
        return ILLEGAL_VALUE;
      }
      return { function: 43, level, object: bytes[start + 3]! };
    }
    default:
      return ILLEGAL_FUNCTION;
  }
}

function readRequest(code: 1 | 2 | 3 | 4, address: number, count: number): Request | number {
  if (count < 1 || count > (code <= 2 ? BITS_READ_MAX : REGISTERS_READ_MAX)) return ILLEGAL_VALUE;
  if (address + count > 0x10000) return ILLEGAL_ADDRESS;
  return { function: code, address, count };
}

function readWriteRequest(bytes: Uint8Array, start: number, length: number): Request | number {
  const word = (at: number) => (bytes[start + at]! << 8) | bytes[start + at + 1]!;
  const count = length >= 10 ? word(3) : 0;
  const writes = length >= 10 ? word(7) : 0;
  if (count < 1 || count > REGISTERS_READ_MAX) return ILLEGAL_VALUE;
  if (writes < 1 || writes > REGISTERS_READ_WRITE_MAX) return ILLEGAL_VALUE;
  if (bytes[start + 9] !== 2 * writes || length !== 10 + 2 * writes) return ILLEGAL_VALUE;
  if (word(1) + count > 0x10000 || word(5) + writes > 0x10000) return ILLEGAL_ADDRESS;
  return {
    function: 23,
    address: word(1),
    count,
    writeAddress: word(5),
    registers: registersOf(bytes, start + 10, writes),
  };
}

// --- Responses ---

/** The PDU a server answers `request` with. */
export function encodeResponse(request: Request, response: Response): Uint8Array {
  switch (response.kind) {
    case 'bits':
      return withBytes(Uint8Array.of(request.function), packBits(response.bits));
    case 'registers':
      return withBytes(Uint8Array.of(request.function), registerBytes(response.registers));
    case 'written':
      return encodeRequest(request).slice(0, request.function === 22 ? 7 : 5);
    case 'identification':
      return encodeIdentification(response);
    case 'exception':
      return encodeException(request.function, response.code);
  }
}

export function encodeException(functionCode: number, code: number): Uint8Array {
  return Uint8Array.of(functionCode | 0x80, code);
}

/**
 * Whether `bytes[start..end)` answers the request PDU `asked`. After ANSWERED the data of functions
 * 1-4 and 23 begin at start + 2. Checks everything and allocates nothing.
 */
export function checkResponse(
  asked: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): number {
  const code = asked[0]!;
  const length = end - start;
  if (bytes[start] !== code) {
    const isException = bytes[start] === (code | 0x80) && length === 2;
    return isException && bytes[start + 1] !== 0 ? bytes[start + 1]! : MALFORMED;
  }
  switch (code) {
    case 1:
    case 2: {
      const size = (((asked[3]! << 8) | asked[4]!) + 7) >> 3;
      return bytes[start + 1] === size && length === 2 + size ? ANSWERED : MALFORMED;
    }
    case 3:
    case 4:
    case 23: {
      const size = ((asked[3]! << 8) | asked[4]!) * 2;
      return bytes[start + 1] === size && length === 2 + size ? ANSWERED : MALFORMED;
    }
    case 43:
      return identificationOf(asked, bytes, start, end) ? ANSWERED : MALFORMED;
    case 5:
    case 6:
    case 15:
    case 16:
      return length === 5 && echoes(asked, bytes, start, end) ? ANSWERED : MALFORMED;
    case 22:
      return length === 7 && echoes(asked, bytes, start, end) ? ANSWERED : MALFORMED;
    default:
      return MALFORMED;
  }
}

/** Bytes of the PDU that answers, exceptions aside; the most it can be for an identification. */
export function answerPduBytes(asked: Uint8Array): number {
  const count = (asked[3]! << 8) | asked[4]!;
  switch (asked[0]) {
    case 1:
    case 2:
      return 2 + ((count + 7) >> 3);
    case 3:
    case 4:
    case 23:
      return 2 + 2 * count;
    case 22:
      return 7;
    case 43:
      return PDU_BYTES_MAX;
    default:
      return 5;
  }
}

/** Whether one answer, exceptions aside, could be taken for that to either request. */
export function sharesAnswer(one: Uint8Array, other: Uint8Array): boolean {
  const code = one[0]!;
  if (other[0] !== code) return false;
  if (code === 43) return one[2] === other[2];
  if (code <= 4 || code === 23) return answerPduBytes(one) === answerPduBytes(other);
  return echoes(one, other, 0, answerPduBytes(one));
}

function echoes(asked: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== asked[at - start]) return false;
  return true;
}

/** The answer as a value; undefined when it does not fit the request. */
export function decodeResponse(
  asked: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): Response | undefined {
  const verdict = checkResponse(asked, bytes, start, end);
  if (verdict === MALFORMED) return undefined;
  if (verdict !== ANSWERED) return { kind: 'exception', code: verdict };
  const count = (asked[3]! << 8) | asked[4]!;
  switch (asked[0]) {
    case 1:
    case 2:
      return { kind: 'bits', bits: unpackBits(bytes, start + 2, count) };
    case 3:
    case 4:
    case 23:
      return { kind: 'registers', registers: registersOf(bytes, start + 2, count) };
    case 43:
      return identificationOf(asked, bytes, start, end);
    default:
      return { kind: 'written' };
  }
}

type Identification = Extract<Response, { kind: 'identification' }>;

function encodeIdentification({ level, conformity, next, objects }: Identification): Uint8Array {
  const parts: number[] = [43, 14, level, conformity, next === null ? 0 : 0xff, next ?? 0];
  parts.push(objects.size);
  for (const [id, text] of objects) {
    const bytes = [...text].map((character) => character.charCodeAt(0) & 0xff);
    parts.push(id, bytes.length, ...bytes);
  }
  assert(parts.length <= PDU_BYTES_MAX, 'the objects fit one answer');
  return Uint8Array.from(parts);
}

function identificationOf(
  asked: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
): Identification | undefined {
  if (end - start < 7 || bytes[start + 1] !== 14 || bytes[start + 2] !== asked[2]) return undefined;
  const more = bytes[start + 4]!;
  const count = bytes[start + 6]!;
  if (more !== 0 && more !== 0xff) return undefined;
  const objects = new Map<number, string>();
  let at = start + 7;
  for (let index = 0; index < count; index++) {
    if (at + 2 > end || at + 2 + bytes[at + 1]! > end) return undefined;
    const from = at + 2;
    objects.set(bytes[at]!, latin1.decode(bytes.subarray(from, from + bytes[at + 1]!)));
    at = from + bytes[at + 1]!;
  }
  if (at !== end) return undefined;
  const next = more === 0xff ? bytes[start + 5]! : null;
  return {
    kind: 'identification',
    level: asked[2]!,
    conformity: bytes[start + 3]!,
    next,
    objects,
  };
}

// --- Parts ---

function words(code: number, ...values: readonly number[]): Uint8Array {
  const pdu = new Uint8Array(1 + 2 * values.length);
  pdu[0] = code;
  values.forEach((value, at) => {
    assert(value >= 0 && value <= 0xffff && Number.isInteger(value), 'a field has 16 bits');
    pdu[1 + 2 * at] = value >> 8;
    pdu[2 + 2 * at] = value & 0xff;
  });
  return pdu;
}

function withBytes(head: Uint8Array, data: Uint8Array): Uint8Array {
  const pdu = new Uint8Array(head.length + 1 + data.length);
  pdu.set(head);
  pdu[head.length] = data.length;
  pdu.set(data, head.length + 1);
  return pdu;
}

function registerBytes(registers: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(registers.length * 2);
  for (let at = 0; at < registers.length; at++) {
    bytes[2 * at] = registers[at]! >> 8;
    bytes[2 * at + 1] = registers[at]! & 0xff;
  }
  return bytes;
}

function registersOf(bytes: Uint8Array, start: number, count: number): Uint16Array {
  const registers = new Uint16Array(count);
  for (let at = 0; at < count; at++) {
    registers[at] = (bytes[start + 2 * at]! << 8) | bytes[start + 2 * at + 1]!;
  }
  return registers;
}

function packBits(bits: Uint8Array): Uint8Array {
  const bytes = new Uint8Array((bits.length + 7) >> 3);
  for (let at = 0; at < bits.length; at++) if (bits[at]) bytes[at >> 3]! |= 1 << (at & 7);
  return bytes;
}

function unpackBits(bytes: Uint8Array, start: number, count: number): Uint8Array {
  const bits = new Uint8Array(count);
  for (let at = 0; at < count; at++) bits[at] = (bytes[start + (at >> 3)]! >> (at & 7)) & 1;
  return bits;
}
