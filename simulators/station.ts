// A Modbus device on a simulated line: finds requests to its unit by the silence around them (RTU)
// or by their marks (ASCII), answers from a bank of registers after its turnaround, and does with
// its answers what its faults say.
//
// A request that follows something else without the silence is found behind it, as firmware that
// looks at the end of what it has does. Requests to unit 0 are carried out and not answered. The
// checksum alone decides: a parity bit that does not fit is counted and, as in many devices,
// otherwise passed over.
import { crc16Modbus } from '../core/bytes.ts';
import type { Random } from '../core/random.ts';
import { pickInteger } from '../core/random.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { paceOf } from '../protocols/line-settings.ts';
import { AsciiDeframer, encodeAsciiFrame } from '../protocols/modbus/ascii-frames.ts';
import { encodeException } from '../protocols/modbus/codec.ts';
import {
  encodeRtuFrame,
  RTU_FRAME_BYTES_MAX,
  requestLength,
} from '../protocols/modbus/rtu-frames.ts';
import type { AnswerFault } from './faults.ts';
import type { SimLine } from './line.ts';
import type { RegisterBank } from './modbus-answer.ts';
import { answerRequest } from './modbus-answer.ts';
import type { Transceiver } from './transceiver.ts';
import { characterMs, frameGapMs } from './uart.ts';

export const framings = ['rtu', 'ascii'] as const;
export type Framing = (typeof framings)[number];

const BROADCAST_UNIT = 0;
/** Answers that wait to be sent or merged; more are dropped, oldest first. */
const HELD_MAX = 16;
/** A frame in pieces pauses this long: no receiver that goes by silence takes it for one. */
const SPLIT_PAUSE_CHARACTERS = 5;
/** What stands before a request without silence is at most an answer. */
const HEARD_BYTES_MAX = 2 * RTU_FRAME_BYTES_MAX;

export interface StationOptions {
  readonly unit: number;
  readonly bank: RegisterBank;
  /** From the end of the request; RTU never answers before the silence has passed. */
  readonly turnaroundMs: number;
  readonly framing?: Framing;
  /** Of noise and garbage; needed only for faults that draw. */
  readonly random: Random;
  /** The turnaround is longer by up to this, each time anew. */
  readonly jitterMs?: number;
}

export class Station {
  readonly unit: number;
  readonly transceiver: Transceiver;
  /** Settable at any time. */
  faults: readonly AnswerFault[] = [];
  /** Requests to it that were whole. */
  requests = 0;
  /** Answers sent, exceptions included. */
  served = 0;
  readonly #line: SimLine;
  readonly #options: StationOptions;
  readonly #framing: Framing;
  readonly #heard = new Uint8Array(HEARD_BYTES_MAX);
  #heardBytes = 0;
  #heardToMs = Number.NEGATIVE_INFINITY;
  #cancelLook = () => {};
  readonly #ascii = new AsciiDeframer();
  readonly #waiting: (() => void)[] = [];
  #merged: Uint8Array[] = [];

  constructor(line: SimLine, options: StationOptions) {
    this.unit = options.unit;
    this.#line = line;
    this.#options = options;
    this.#framing = options.framing ?? 'rtu';
    this.transceiver = line.attach();
    this.transceiver.heard = (bytes, fromMs, toMs) => {
      if (this.#framing === 'rtu') this.#hear(bytes, fromMs, toMs);
      else this.#hearAscii(bytes, toMs);
    };
  }

  /** Off the line; what it had not sent yet is not sent. */
  detach(): void {
    this.transceiver.detach();
    this.#cancelLook();
    for (const cancel of this.#waiting) cancel();
  }

  get #settings(): LineSettings {
    return this.transceiver.settings;
  }

  #hear(bytes: Uint8Array, fromMs: number, toMs: number): void {
    const gapMs = frameGapMs(this.#settings);
    if (fromMs - this.#heardToMs >= gapMs - 1e-6) this.#heardBytes = 0;
    this.#heardToMs = toMs;
    const over = this.#heardBytes + bytes.length - HEARD_BYTES_MAX;
    if (over > 0) {
      this.#heard.copyWithin(0, over, this.#heardBytes);
      this.#heardBytes -= over;
    }
    this.#heard.set(bytes, this.#heardBytes);
    this.#heardBytes += bytes.length;
    this.#cancelLook();
    this.#cancelLook = () => {};
    const held = this.#heard.subarray(0, this.#heardBytes);
    if (held[0] !== BROADCAST_UNIT && !held.includes(this.unit)) return;
    this.#cancelLook = this.#line.at(toMs + gapMs, () => this.#look());
  }

  /** The line has been silent: is the end of what was heard a request to us? */
  #look(): void {
    const heardToMs = this.#heardToMs;
    // Whatever began before the silence was over is heard, later or now, and looked at then.
    if (this.#line.settle(this.transceiver) || this.#heardToMs !== heardToMs) return;
    const bytes = this.#heard;
    const end = this.#heardBytes;
    for (let at = 0; at + 4 <= end; at++) {
      const unit = bytes[at]!;
      if (unit !== this.unit && (unit !== BROADCAST_UNIT || at > 0)) continue;
      // Behind something else only what has the length of a request can be one.
      const isFrame = at === 0 || requestLength(bytes, at, end) === end - at;
      const crc = bytes[end - 2]! | (bytes[end - 1]! << 8);
      if (!isFrame || crc16Modbus(bytes, at, end - 2) !== crc) continue;
      this.#serve(unit, bytes.subarray(at + 1, end - 2), this.#heardToMs);
      break;
    }
    this.#heardBytes = 0;
  }

  #hearAscii(bytes: Uint8Array, toMs: number): void {
    this.#ascii.push(bytes, {
      frame: (unit, held, start, end) => {
        if (unit !== this.unit && unit !== BROADCAST_UNIT) return;
        this.#serve(unit, held.subarray(start, end), toMs);
      },
      garbage: () => {},
    });
  }

  #serve(unit: number, request: Uint8Array, endMs: number): void {
    this.requests++;
    const { bank, turnaroundMs, jitterMs = 0, random } = this.#options;
    const answer = answerRequest(bank, request, 0, request.length);
    if (unit === BROADCAST_UNIT) return;
    const shows = ({ every = 1 }: AnswerFault) => this.requests % every === 0;
    const faults = this.faults.length === 0 ? this.faults : this.faults.filter(shows);
    const gapMs = this.#framing === 'rtu' ? frameGapMs(this.#settings) : 0;
    const extraMs = jitterMs > 0 ? jitterMs * random.next() : 0;
    const atMs = endMs + Math.max(gapMs, turnaroundMs + extraMs);
    if (faults.length === 0) this.#sendAt(atMs, [this.#frame(unit, answer)]);
    else this.#serveFaulty(faults, unit, answer, atMs);
  }

  #serveFaulty(
    faults: readonly AnswerFault[],
    unit: number,
    right: Uint8Array,
    rightMs: number,
  ): void {
    const { random } = this.#options;
    let [answer, from, atMs, copies] = [right, unit, rightMs, 1];
    let [piece, merged, garbage, noise, kept] = [0, 1, 0, 0, Number.POSITIVE_INFINITY];
    for (const fault of faults) {
      if (fault.kind === 'silence') return;
      if (fault.kind === 'late') atMs += fault.delayMs;
      if (fault.kind === 'exception') answer = encodeException(right[0]! & 0x7f, fault.code);
      if (fault.kind === 'wrong-unit') from = (unit % 247) + 1;
      if (fault.kind === 'split') piece = fault.bytes;
      if (fault.kind === 'truncate') kept = fault.bytes;
      if (fault.kind === 'merge') merged = fault.frames;
      if (fault.kind === 'garbage') garbage = fault.bytes;
      if (fault.kind === 'noise') noise = fault.bits;
      if (fault.kind === 'duplicate') copies = 2;
    }
    const frame = this.#frame(from, answer).subarray(0, kept);
    let whole: Uint8Array = Buffer.concat([random.bytes(garbage), frame]);
    if (merged > 1) {
      this.#merged.push(whole);
      if (this.#merged.length < merged) return;
      whole = Buffer.concat(this.#merged);
      this.#merged = [];
    }
    const size = piece > 0 ? piece : whole.length;
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size));
    this.#sendAt(atMs, copies === 2 ? [...pieces, ...pieces] : pieces, noise);
  }

  /** Pieces with silence between them. */
  #sendAt(atMs: number, pieces: readonly Uint8Array[], noiseBits = 0): void {
    if (this.#waiting.length >= HELD_MAX) this.#waiting.shift()!();
    const cancel = this.#line.at(atMs, () => {
      this.#waiting.splice(this.#waiting.indexOf(cancel), 1);
      const each = characterMs(this.#settings);
      let startMs = atMs;
      for (const bytes of pieces) {
        this.transceiver.send(bytes, startMs, { bits: this.#noise(noiseBits, bytes.length) });
        startMs += (bytes.length + SPLIT_PAUSE_CHARACTERS) * each;
      }
      this.served++;
    });
    this.#waiting.push(cancel);
  }

  #noise(bits: number, characters: number): readonly number[] {
    const last = characters * paceOf(this.#settings).bitsPerCharacter - 1;
    return Array.from({ length: bits }, () => pickInteger(this.#options.random, 0, last));
  }

  #frame(unit: number, pdu: Uint8Array): Uint8Array {
    return this.#framing === 'rtu' ? encodeRtuFrame(unit, pdu) : encodeAsciiFrame(unit, pdu);
  }
}
