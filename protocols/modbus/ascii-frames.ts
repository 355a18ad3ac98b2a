// ASCII, the other framing of Modbus on serial lines (Modbus over Serial Line V1.02, 2.5.2): a
// colon, unit, PDU and LRC as two hexadecimal digits a byte, carriage return and line feed.
//
// A colon begins a frame wherever it stands, so a frame behind noise or behind half a frame is
// found. Small digits and a line feed without carriage return are taken too: devices send them. The
// LRC is a sum of 8 bits and lets one frame of noise in 256 pass: what it carries is checked
// against the question like any answer.
import { PDU_BYTES_MAX } from './codec.ts';
import type { LineDeframer, LineSink } from './line-frames.ts';

/** Unit, PDU, LRC. */
const BYTES_MAX = PDU_BYTES_MAX + 2;
const BYTES_MIN = 3;
/** Colon, carriage return and line feed beside them. */
export const ASCII_FRAME_BYTES_MAX = 2 * BYTES_MAX + 3;

const COLON = 0x3a;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

const digits = Uint8Array.from('0123456789ABCDEF', (digit) => digit.charCodeAt(0));
/** -1 for what is no hexadecimal digit. */
const nibbles = Int8Array.from({ length: 256 }, (_, character) => {
  const digit = String.fromCharCode(character);
  return /[0-9A-Fa-f]/.test(digit) ? Number.parseInt(digit, 16) : -1;
});

/** Writes a whole frame at the beginning of `out` and returns its end. */
export function writeAsciiFrame(out: Uint8Array, unit: number, pdu: Uint8Array): number {
  out[0] = COLON;
  let at = putByte(out, 1, unit);
  let sum = unit;
  for (const byte of pdu) {
    sum += byte;
    at = putByte(out, at, byte);
  }
  at = putByte(out, at, -sum & 0xff);
  out[at] = CARRIAGE_RETURN;
  out[at + 1] = LINE_FEED;
  return at + 2;
}

export function encodeAsciiFrame(unit: number, pdu: Uint8Array): Uint8Array {
  const out = new Uint8Array(asciiFrameBytes(pdu.length));
  writeAsciiFrame(out, unit, pdu);
  return out;
}

export function asciiFrameBytes(pduBytes: number): number {
  return 2 * (pduBytes + 2) + 3;
}

function putByte(out: Uint8Array, at: number, byte: number): number {
  out[at] = digits[byte >> 4]!;
  out[at + 1] = digits[byte & 0xf]!;
  return at + 2;
}

export class AsciiDeframer implements LineDeframer {
  readonly #bytes = new Uint8Array(BYTES_MAX);
  #isInside = false;
  #nibbles = 0;
  #hasReturned = false;
  #garbageRun = 0;
  garbageBytes = 0;

  get heldBytes(): number {
    return this.#isInside ? 1 + this.#nibbles : 0;
  }

  expect(): void {
    // The colon finds the awaited answer as it finds any other.
  }

  expectNothing(): void {
    // As above.
  }

  push(bytes: Uint8Array, sink: LineSink): void {
    for (let at = 0; at < bytes.length; at++) {
      const character = bytes[at]!;
      if (character === COLON) this.#begin(sink);
      else if (!this.#isInside) this.#drop(1, sink);
      else if (character === LINE_FEED) this.#end(sink);
      else this.#inside(character, sink);
    }
  }

  silence(): void {
    // Up to a second may pass between two characters; the next colon begins anew in any case.
  }

  flush(sink: LineSink): void {
    const held = this.heldBytes;
    this.#isInside = false;
    this.#drop(held, sink);
  }

  #begin(sink: LineSink): void {
    this.flush(sink);
    this.#isInside = true;
    this.#nibbles = 0;
    this.#hasReturned = false;
  }

  #inside(character: number, sink: LineSink): void {
    const nibble = nibbles[character]!;
    if (character === CARRIAGE_RETURN && !this.#hasReturned) {
      this.#hasReturned = true;
    } else if (nibble < 0 || this.#hasReturned || this.#nibbles >= 2 * BYTES_MAX) {
      this.flush(sink);
      this.#drop(1, sink);
    } else {
      const at = this.#nibbles >> 1;
      const high = this.#nibbles % 2 === 0;
      this.#bytes[at] = high ? nibble << 4 : this.#bytes[at]! | nibble;
      this.#nibbles++;
    }
  }

  #end(sink: LineSink): void {
    const length = this.#nibbles >> 1;
    let sum = 0;
    for (let at = 0; at < length; at++) sum += this.#bytes[at]!;
    if (this.#nibbles % 2 === 1 || length < BYTES_MIN || (sum & 0xff) !== 0) {
      this.flush(sink);
      return;
    }
    this.#isInside = false;
    this.#garbageRun = 0;
    sink.frame(this.#bytes[0]!, this.#bytes, 1, length - 1);
  }

  #drop(bytes: number, sink: LineSink): void {
    for (let left = bytes; left > 0; left--) {
      if (this.#garbageRun++ % ASCII_FRAME_BYTES_MAX === 0) sink.garbage();
      this.garbageBytes++;
    }
  }
}
