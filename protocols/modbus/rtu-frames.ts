// RTU, the framing of Modbus on serial lines (Modbus over Serial Line V1.02, 2.5.1): unit (1 byte),
// PDU, CRC (2, low byte first). A frame has no length and no mark; the standard ends it by 3.5
// characters of silence, which neither a converter nor a timer of 1 ms keeps.
//
// So a frame ends where its own bytes say (function, byte count, exception bit) and counts if its
// CRC fits. Silence decides only what else cannot be decided: whether a frame that was begun will
// ever be whole.
//
// - At the head of what is held either a frame begins, or one byte is dropped and the next is
// tried. - The awaited answer is looked for at every place, so noise that looks like the beginning
// of a
//   long frame hides it from nobody. What lies before it is taken apart first.
// - After silence a whole frame is looked for at every place; what it was hidden behind is dropped.
// - No more than a frame is ever held; what is dropped is counted.
import { crc16Modbus } from '../../core/bytes.ts';
import { assert } from '../../core/fault.ts';
import { BITS_READ_MAX, PDU_BYTES_MAX, REGISTERS_READ_MAX } from './codec.ts';
import type { LineDeframer, LineSink } from './line-frames.ts';

export const RTU_FRAME_BYTES_MAX = 256;
/** Unit and CRC. */
const AROUND_BYTES = 3;
const CRC_BYTES = 2;
/** Unit, function, and an exception's code or the least of data. */
const FRAME_BYTES_MIN = AROUND_BYTES + 1;
const EXCEPTION_BYTES = AROUND_BYTES + 2;
/** Functions whose exceptions may come. */
const answered: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 43]);
const UNIT_MAX = 247;

assert(PDU_BYTES_MAX + AROUND_BYTES === RTU_FRAME_BYTES_MAX, 'a full PDU fits a frame');

/** How long the frame at `start` is: 0 when `end` is too near to tell, -1 when it is none. */
export type FrameLength = (bytes: Uint8Array, start: number, end: number) => number;

const UNKNOWN_YET = 0;
const NO_FRAME = -1;

/** Writes a whole frame at the beginning of `out` and returns its end. */
export function writeRtuFrame(out: Uint8Array, unit: number, pdu: Uint8Array): number {
  out[0] = unit;
  out.set(pdu, 1);
  const end = pdu.length + 1;
  const crc = crc16Modbus(out, 0, end);
  out[end] = crc & 0xff;
  out[end + 1] = crc >> 8;
  return end + CRC_BYTES;
}

export function encodeRtuFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const out = new Uint8Array(pdu.length + AROUND_BYTES);
  writeRtuFrame(out, unit, pdu);
  return out;
}

export function rtuFrameBytes(pduBytes: number): number {
  return pduBytes + AROUND_BYTES;
}

/** Of a frame that a device sends. */
export const answerLength: FrameLength = (bytes, start, end) => {
  if (end - start < 2) return bytesBegin(bytes, start, end);
  if (bytes[start]! > UNIT_MAX && bytes[start] !== 255) return NO_FRAME;
  const code = bytes[start + 1]!;
  switch (code) {
    case 1:
    case 2:
      return countedLength(bytes, start, end, BITS_READ_MAX / 8, 1);
    case 3:
    case 4:
    case 23:
      return countedLength(bytes, start, end, 2 * REGISTERS_READ_MAX, 2);
    case 5:
    case 6:
    case 15:
    case 16:
      return 8;
    case 22:
      return 10;
    case 43:
      return identificationLength(bytes, start, end);
    default:
      return code > 0x80 && answered.has(code & 0x7f) ? EXCEPTION_BYTES : NO_FRAME;
  }
};

/** Of a frame that a master sends: for those who answer. */
export const requestLength: FrameLength = (bytes, start, end) => {
  if (end - start < 2) return bytesBegin(bytes, start, end);
  if (bytes[start]! > UNIT_MAX && bytes[start] !== 255) return NO_FRAME;
  const code = bytes[start + 1]!;
  if (code >= 1 && code <= 6) return 8;
  if (code === 22) return 10;
  if (code === 43) return 7;
  const countAt = code === 15 || code === 16 ? 6 : code === 23 ? 10 : -1;
  if (countAt < 0) return NO_FRAME;
  if (end - start <= countAt) return UNKNOWN_YET;
  const length = countAt + 1 + bytes[start + countAt]! + CRC_BYTES;
  return length > RTU_FRAME_BYTES_MAX ? NO_FRAME : length;
};

function bytesBegin(bytes: Uint8Array, start: number, end: number): number {
  const isUnit = start >= end || bytes[start]! <= UNIT_MAX || bytes[start] === 255;
  return isUnit ? UNKNOWN_YET : NO_FRAME;
}

/**
 * By the byte that counts the data, so many at the most and a multiple of `step`; none where a step
 * of a profile reads none.
 */
function countedLength(
  bytes: Uint8Array,
  start: number,
  end: number,
  max: number,
  step: number,
): number {
  if (end - start < 3) return UNKNOWN_YET;
  const count = bytes[start + 2]!;
  return count > max || count % step > 0 ? NO_FRAME : AROUND_BYTES + 2 + count;
}

/** 43/14 has no byte count: each of its objects has one. */
function identificationLength(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 2 && bytes[start + 2] !== 14) return NO_FRAME;
  let at = start + 8;
  if (end < at) return UNKNOWN_YET;
  for (let left = bytes[start + 7]!; left > 0; left--) {
    if (end < at + 2) return UNKNOWN_YET;
    at += 2 + bytes[at + 1]!;
    if (at - start + CRC_BYTES > RTU_FRAME_BYTES_MAX) return NO_FRAME;
  }
  return at - start + CRC_BYTES;
}

export class RtuDeframer implements LineDeframer {
  readonly #lengthOf: FrameLength;
  // Between calls less than a frame is held, so that there is always room for another.
  readonly #held = new Uint8Array(2 * RTU_FRAME_BYTES_MAX);
  #head = 0;
  #tail = 0;
  /** Before it the awaited answer does not begin. */
  #searched = 0;
  #unit = -1;
  #function = 0;
  #garbageRun = 0;
  garbageBytes = 0;

  /** `answerLength` for a master, `requestLength` for those who answer. */
  constructor(lengthOf: FrameLength) {
    this.#lengthOf = lengthOf;
  }

  get heldBytes(): number {
    return this.#tail - this.#head;
  }

  expect(unit: number, asked: Uint8Array): void {
    this.#unit = unit;
    this.#function = asked[0]!;
    this.#searched = this.#head;
  }

  expectNothing(): void {
    this.#unit = -1;
  }

  push(bytes: Uint8Array, sink: LineSink): void {
    let at = 0;
    while (at < bytes.length) {
      this.#compact();
      const next = Math.min(bytes.length, at + RTU_FRAME_BYTES_MAX);
      for (; at < next; at++) this.#held[this.#tail++] = bytes[at]!;
      while (this.#takeAwaited(sink) || this.#takeHead(sink));
    }
  }

  silence(sink: LineSink): void {
    for (let at = this.#head; at < this.#tail; at++) {
      const end = this.#wholeFrame(at, this.#tail);
      if (end < 0) continue;
      this.#dropTo(at, sink);
      this.#deliver(end, sink);
      at = end - 1;
    }
    while (this.#takeAwaited(sink) || this.#takeHead(sink));
  }

  flush(sink: LineSink): void {
    this.#dropTo(this.#tail, sink);
  }

  /** Takes the awaited answer, wherever it lies, and all before it. */
  #takeAwaited(sink: LineSink): boolean {
    if (this.#unit < 0) return false;
    const held = this.#held;
    for (; this.#searched < this.#tail; this.#searched++) {
      const at = this.#searched;
      if (held[at] !== this.#unit) continue;
      if (at + 1 >= this.#tail) return false;
      if ((held[at + 1]! & 0x7f) !== this.#function) continue;
      const length = this.#lengthOf(held, at, this.#tail);
      if (length === NO_FRAME) continue;
      if (length === UNKNOWN_YET || at + length > this.#tail) return false;
      if (!this.#crcFits(at, at + length)) continue;
      this.#takeBefore(at, sink);
      this.#deliver(at + length, sink);
      return true;
    }
    return false;
  }

  /** Takes apart what lies before `limit`: nothing of it reaches beyond. */
  #takeBefore(limit: number, sink: LineSink): void {
    while (this.#head < limit) {
      const end = this.#wholeFrame(this.#head, limit);
      if (end < 0) this.#dropTo(this.#head + 1, sink);
      else this.#deliver(end, sink);
    }
  }

  /** Takes a frame at the head, dropping bytes until one begins there; false when none is whole. */
  #takeHead(sink: LineSink): boolean {
    while (this.#head < this.#tail) {
      const length = this.#lengthOf(this.#held, this.#head, this.#tail);
      if (length !== NO_FRAME) {
        if (length === UNKNOWN_YET || this.#head + length > this.#tail) return false;
        if (this.#crcFits(this.#head, this.#head + length)) {
          this.#deliver(this.#head + length, sink);
          return true;
        }
      }
      this.#dropTo(this.#head + 1, sink);
    }
    return false;
  }

  /** Where the whole frame at `at` ends, -1 when there is none. */
  #wholeFrame(at: number, limit: number): number {
    const length = this.#lengthOf(this.#held, at, limit);
    if (length < FRAME_BYTES_MIN || at + length > limit) return -1;
    return this.#crcFits(at, at + length) ? at + length : -1;
  }

  #crcFits(start: number, end: number): boolean {
    const held = this.#held;
    const crc = held[end - 2]! | (held[end - 1]! << 8);
    return crc16Modbus(held, start, end - CRC_BYTES) === crc;
  }

  #deliver(end: number, sink: LineSink): void {
    const start = this.#head;
    this.#head = end;
    if (this.#searched < end) this.#searched = end;
    this.#garbageRun = 0;
    sink.frame(this.#held[start]!, this.#held, start + 1, end - CRC_BYTES);
  }

  #dropTo(head: number, sink: LineSink): void {
    for (; this.#head < head; this.#head++) {
      if (this.#garbageRun++ % RTU_FRAME_BYTES_MAX === 0) sink.garbage();
      this.garbageBytes++;
    }
    if (this.#searched < this.#head) this.#searched = this.#head;
  }

  #compact(): void {
    if (this.#head === 0) return;
    if (this.#head < this.#tail) this.#held.copyWithin(0, this.#head, this.#tail);
    this.#tail -= this.#head;
    this.#searched = Math.max(0, this.#searched - this.#head);
    this.#head = 0;
  }
}
