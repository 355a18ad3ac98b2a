// MBAP, the framing of Modbus TCP (Modbus Messaging on TCP/IP V1.0b, 3.1.3): transaction (2 bytes),
// protocol (2, always 0), length of what follows (2), unit (1), PDU.
//
// A stream may split and merge frames anywhere. A header that cannot be one (protocol not 0, length
// not 2..254) means that the place in the stream is lost: one byte is dropped at a time until a
// header fits again, so a good frame behind garbage is found. Whether what is found answers
// anything is for the session to check.
import { PDU_BYTES_MAX } from './codec.ts';

export const MBAP_BYTES = 7;
export const FRAME_BYTES_MAX = MBAP_BYTES + PDU_BYTES_MAX;
/** Unit and a function at least; unit and a full PDU at most. */
const LENGTH_MIN = 2;
const LENGTH_MAX = 1 + PDU_BYTES_MAX;
/** Transaction, protocol and length: enough to know where the frame ends. */
const PREFIX_BYTES = 6;
/** Garbage is reported when it begins and again after each full frame's worth of it. */
const GARBAGE_REPORT_BYTES = FRAME_BYTES_MAX;

export interface FrameSink {
  /** The PDU is `bytes[start..end)`, valid only during the call. */
  frame(transaction: number, unit: number, bytes: Uint8Array, start: number, end: number): void;
  garbage(): void;
}

/** Writes a whole frame at `at` and returns its end. */
export function writeFrame(
  out: Uint8Array,
  at: number,
  transaction: number,
  unit: number,
  pdu: Uint8Array,
): number {
  const length = pdu.length + 1;
  out[at] = transaction >> 8;
  out[at + 1] = transaction & 0xff;
  out[at + 2] = 0;
  out[at + 3] = 0;
  out[at + 4] = length >> 8;
  out[at + 5] = length & 0xff;
  out[at + 6] = unit;
  out.set(pdu, at + MBAP_BYTES);
  return at + PREFIX_BYTES + length;
}

export function encodeFrame(transaction: number, unit: number, pdu: Uint8Array): Uint8Array {
  const out = new Uint8Array(MBAP_BYTES + pdu.length);
  writeFrame(out, 0, transaction, unit, pdu);
  return out;
}

export class Deframer {
  // The begun frame of a stream that stopped in the middle of one; never more than a frame.
  readonly #held = new Uint8Array(FRAME_BYTES_MAX);
  #heldBytes = 0;
  #garbageRun = 0;
  /** All bytes ever dropped in search of a header. */
  garbageBytes = 0;

  /** Hands every complete frame to `sink`, straight from `bytes` where it lies whole in them. */
  push(bytes: Uint8Array, sink: FrameSink): void {
    let at = 0;
    while (this.#heldBytes > 0 && at < bytes.length) at = this.#complete(bytes, at, sink);
    const end = bytes.length;
    while (end - at >= PREFIX_BYTES) {
      const length = lengthAt(bytes, at);
      if (length < 0) {
        this.#drop(sink);
        at++;
        continue;
      }
      const next = at + PREFIX_BYTES + length;
      if (next > end) break;
      this.#garbageRun = 0;
      sink.frame((bytes[at]! << 8) | bytes[at + 1]!, bytes[at + 6]!, bytes, at + MBAP_BYTES, next);
      at = next;
    }
    if (at < end) {
      this.#held.set(bytes.subarray(at), 0);
      this.#heldBytes = end - at;
    }
  }

  /** Adds to the held frame what it lacks; returns how far `bytes` are used up. */
  #complete(bytes: Uint8Array, at: number, sink: FrameSink): number {
    const held = this.#held;
    const hasPrefix = this.#heldBytes >= PREFIX_BYTES;
    const whole = hasPrefix ? PREFIX_BYTES + lengthAt(held, 0) : PREFIX_BYTES;
    const next = Math.min(bytes.length, at + whole - this.#heldBytes);
    held.set(bytes.subarray(at, next), this.#heldBytes);
    this.#heldBytes += next - at;
    if (this.#heldBytes < whole) return next;
    if (hasPrefix) {
      this.#heldBytes = 0;
      this.#garbageRun = 0;
      sink.frame((held[0]! << 8) | held[1]!, held[6]!, held, MBAP_BYTES, whole);
    } else if (lengthAt(held, 0) < 0) {
      this.#drop(sink);
      held.copyWithin(0, 1, this.#heldBytes);
      this.#heldBytes--;
    }
    return next;
  }

  #drop(sink: FrameSink): void {
    if (this.#garbageRun % GARBAGE_REPORT_BYTES === 0) sink.garbage();
    this.#garbageRun++;
    this.garbageBytes++;
  }
}

/** The length field of the header at `at`, or -1 when this is no header. */
function lengthAt(bytes: Uint8Array, at: number): number {
  if (bytes[at + 2] !== 0 || bytes[at + 3] !== 0) return -1;
  const length = (bytes[at + 4]! << 8) | bytes[at + 5]!;
  return length < LENGTH_MIN || length > LENGTH_MAX ? -1 : length;
}
