// What a simulated serial line and a program at its end say to each other over a local socket. A
// pseudo-terminal has no speed, no parity, no break and no error counters; this has.
//
// Both directions carry records: kind (1 byte), length of the payload (2 bytes, high byte first),
// payload. A stream may split and merge records anywhere.
//
//   kind  name      payload                                                        who sends it
//   1     data      the characters, in order, at least one                         both
//   2     break     its length in ms, 2 bytes                                      both
//   3     settings  baud (4 bytes), data bits, parity (ASCII N, E or O), stop bits program
//   4     errors    4 bytes each: parity, framing, overrun, break                  line
//
// Numbers have their high byte first. Rules:
// - A program sends `settings` first, and again whenever they change. What it sent before the line
//   knows them goes nowhere. A program that was set otherwise than the line receives what a real
//   port would: garbage, and counted errors.
// - The line sends `errors` whenever a counter moved, and at the latest before the next data; they
//   count from the connection's beginning and wrap at 2^32.
// - The line hands data over when its last character would have arrived, a program as it pleases.
// - A kind nobody knows is skipped: a newer line may say more. A length beyond PAYLOAD_BYTES_MAX or
//   a payload that does not fit its kind means that this is another protocol: `line_wire`.
import { Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { LineSettings } from './line-settings.ts';
import { BAUD_MAX, BAUD_MIN, parities } from './line-settings.ts';

/** Since the connection began. */
export interface LineErrors {
  readonly parity: number;
  readonly framing: number;
  readonly overrun: number;
  readonly break: number;
}

export type LineRecord =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'break'; readonly ms: number }
  | { readonly kind: 'settings'; readonly settings: LineSettings }
  | { readonly kind: 'errors'; readonly errors: LineErrors };

/** The largest frame of any protocol on a line, several times; longer data takes more records. */
export const PAYLOAD_BYTES_MAX = 4096;
const HEADER_BYTES = 3;
const BREAK_MS_MAX = 0xffff;

const kinds = { data: 1, break: 2, settings: 3, errors: 4 } as const;
const SETTINGS_BYTES = 7;
const BREAK_BYTES = 2;
const ERRORS_BYTES = 16;

/** One record's bytes; of data longer than PAYLOAD_BYTES_MAX as many records as it takes. */
export function encodeLineRecord(record: LineRecord): Uint8Array {
  switch (record.kind) {
    case 'data':
      return encodeData(record.bytes);
    case 'break': {
      const [out, view] = begin(kinds.break, BREAK_BYTES);
      view.setUint16(HEADER_BYTES, Math.min(Math.max(0, Math.round(record.ms)), BREAK_MS_MAX));
      return out;
    }
    case 'settings': {
      const { bitsPerSecond, dataBits, parity, stopBits } = record.settings;
      const [out, view] = begin(kinds.settings, SETTINGS_BYTES);
      view.setUint32(HEADER_BYTES, bitsPerSecond);
      out.set([dataBits, parity.charCodeAt(0), stopBits], HEADER_BYTES + 4);
      return out;
    }
    default: {
      const { parity, framing, overrun, break: breaks } = record.errors;
      const [out, view] = begin(kinds.errors, ERRORS_BYTES);
      [parity, framing, overrun, breaks].forEach((count, at) => {
        view.setUint32(HEADER_BYTES + 4 * at, count >>> 0);
      });
      return out;
    }
  }
}

function begin(kind: number, payloadBytes: number): [Uint8Array, DataView] {
  const out = new Uint8Array(HEADER_BYTES + payloadBytes);
  const view = new DataView(out.buffer);
  out[0] = kind;
  view.setUint16(1, payloadBytes);
  return [out, view];
}

function encodeData(bytes: Uint8Array): Uint8Array {
  const records = Math.ceil(bytes.length / PAYLOAD_BYTES_MAX);
  const out = new Uint8Array(bytes.length + records * HEADER_BYTES);
  let at = 0;
  for (let from = 0; from < bytes.length; from += PAYLOAD_BYTES_MAX) {
    const part = bytes.subarray(from, from + PAYLOAD_BYTES_MAX);
    out.set([kinds.data, part.length >> 8, part.length & 0xff], at);
    out.set(part, at + HEADER_BYTES);
    at += HEADER_BYTES + part.length;
  }
  return out;
}

/** Cuts a stream into records; holds at most one that is not complete. */
export class LineRecordReader {
  readonly #held = new Uint8Array(HEADER_BYTES + PAYLOAD_BYTES_MAX);
  #heldBytes = 0;

  /**
   * Hands every complete record to `onRecord`; its bytes are the receiver's to keep. Throws
   * `line_wire` when the stream is none; nothing can be read from it any more then.
   */
  push(bytes: Uint8Array, onRecord: (record: LineRecord) => void): void {
    const held = this.#held;
    let at = 0;
    while (at < bytes.length) {
      const wanted = this.#heldBytes < HEADER_BYTES ? HEADER_BYTES : wholeBytes(held);
      const next = Math.min(bytes.length, at + wanted - this.#heldBytes);
      held.set(bytes.subarray(at, next), this.#heldBytes);
      this.#heldBytes += next - at;
      at = next;
      if (this.#heldBytes < HEADER_BYTES || this.#heldBytes < wholeBytes(held)) continue;
      const record = decode(held[0]!, held.slice(HEADER_BYTES, this.#heldBytes));
      this.#heldBytes = 0;
      if (record) onRecord(record);
    }
  }
}

function wholeBytes(header: Uint8Array): number {
  const length = (header[1]! << 8) | header[2]!;
  if (length > PAYLOAD_BYTES_MAX) throw wrong(`a record of ${length} bytes`);
  return HEADER_BYTES + length;
}

/** Null for a kind that this version does not know. */
function decode(kind: number, payload: Uint8Array): LineRecord | null {
  const view = new DataView(payload.buffer);
  const fits = (bytes: number) => {
    if (payload.length !== bytes) throw wrong(`kind ${kind} with ${payload.length} bytes`);
  };
  switch (kind) {
    case kinds.data:
      if (payload.length === 0) throw wrong('data of no bytes');
      return { kind: 'data', bytes: payload };
    case kinds.break:
      fits(BREAK_BYTES);
      return { kind: 'break', ms: view.getUint16(0) };
    case kinds.settings:
      fits(SETTINGS_BYTES);
      return { kind: 'settings', settings: decodeSettings(view) };
    case kinds.errors: {
      fits(ERRORS_BYTES);
      const [parity, framing, overrun] = [view.getUint32(0), view.getUint32(4), view.getUint32(8)];
      return { kind: 'errors', errors: { parity, framing, overrun, break: view.getUint32(12) } };
    }
    default:
      return null;
  }
}

function decodeSettings(view: DataView): LineSettings {
  const bitsPerSecond = view.getUint32(0);
  const [dataBits, stopBits] = [view.getUint8(4), view.getUint8(6)];
  const parity = parities.find((each) => each.charCodeAt(0) === view.getUint8(5));
  const isBaud = bitsPerSecond >= BAUD_MIN && bitsPerSecond <= BAUD_MAX;
  if (!isBaud || !parity || (dataBits !== 7 && dataBits !== 8)) throw wrong('settings of no line');
  if (stopBits !== 1 && stopBits !== 2) throw wrong('settings of no line');
  return { bitsPerSecond, dataBits, parity, stopBits };
}

function wrong(what: string): Fault {
  return new Fault('line_wire', 'later', bilingual('line-wire-broken', { what }));
}
