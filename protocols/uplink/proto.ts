// The part of Protocol Buffers (encoding of proto3) that lifeline.proto uses: varint, zigzag,
// double, length-delimited. Fields that hold their default are left out; unknown fields are
// skipped; groups, field 0, varints past ten bytes and lengths past the end are malformed. Writing
// the same values gives the same bytes, always: hashes of dictionary parts depend on it.
import { assert, Fault } from '../../core/fault.ts';

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;

/** Whole numbers that go through zigzag stay exact in a double up to here. */
export const ZIGZAG_MAX = 2 ** 52 - 1;

export function malformed(what: string, cause?: unknown): Fault {
  return new Fault('uplink_malformed', 'never', what, cause);
}

export function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unzigzag(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}

export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) size++;
  return size;
}

export class ProtoWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  /** A view of what was written, good until the next write. */
  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  uint(field: number, value: number): void {
    if (value === 0) return;
    this.#tag(field, VARINT);
    this.varint(value);
  }

  sint(field: number, value: number): void {
    if (value === 0) return;
    this.#tag(field, VARINT);
    this.signed(value);
  }

  bigUint(field: number, value: bigint): void {
    if (value === 0n) return;
    assert(value > 0n && value < 1n << 64n, 'a whole number has at most 64 bits');
    this.#tag(field, VARINT);
    this.#need(10);
    let rest = value;
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
    this.#bytes[this.#at++] = Number(rest);
  }

  bool(field: number, value: boolean): void {
    if (value) this.uint(field, 1);
  }

  double(field: number, value: number): void {
    if (Object.is(value, 0)) return;
    this.#tag(field, FIXED64);
    const at = this.claim(8);
    new DataView(this.#bytes.buffer).setFloat64(at, value, true);
  }

  text(field: number, value: string): void {
    if (value !== '') this.bytes(field, new TextEncoder().encode(value));
  }

  /** Writes an empty one too: an entry of a repeated field is there even when it is empty. */
  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, DELIMITED);
    this.varint(value.length);
    const at = this.claim(value.length);
    this.#bytes.set(value, at);
  }

  /** Begins a sub-message or packed field; `close` with what it returned writes the length. */
  open(field: number): number {
    this.#tag(field, DELIMITED);
    return this.claim(1);
  }

  close(mark: number): void {
    const length = this.#at - mark - 1;
    const extra = varintSize(length) - 1;
    if (extra > 0) {
      this.#need(extra);
      this.#bytes.copyWithin(mark + 1 + extra, mark + 1, this.#at);
    }
    this.#at = mark;
    this.varint(length);
    this.#at += length;
  }

  /** Bytes of a field to be filled in by the caller at the place returned, in `buffer`. */
  space(field: number, length: number): number {
    this.#tag(field, DELIMITED);
    this.varint(length);
    return this.claim(length);
  }

  get buffer(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  claim(length: number): number {
    this.#need(length);
    const at = this.#at;
    this.#at += length;
    return at;
  }

  varint(value: number): void {
    assert(value >= 0 && value <= 2 ** 54 && Number.isInteger(value), 'a varint is a whole number');
    this.#need(8);
    const bytes = this.#bytes;
    let at = this.#at;
    let rest = value;
    for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
    bytes[at++] = rest;
    this.#at = at;
  }

  signed(value: number): void {
    assert(value >= -ZIGZAG_MAX && value <= ZIGZAG_MAX, 'a signed number stays exact in zigzag');
    this.varint(zigzag(value));
  }

  #tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  #need(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

/**
 * Walks the fields of one message: `while (reader.next()) switch (reader.field) … default: skip()`.
 */
export class ProtoReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #wire = 0;
  field = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  get at(): number {
    return this.#at;
  }

  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.varint();
    this.field = Math.floor(tag / 8);
    this.#wire = tag % 8;
    if (this.field === 0 || this.field >= 2 ** 29)
      throw malformed('a field number is out of range');
    return true;
  }

  uint(max = Number.MAX_SAFE_INTEGER): number {
    this.#expect(VARINT);
    const value = this.varint();
    if (value > max) throw malformed(`field ${this.field}: ${value} is above ${max}`);
    return value;
  }

  sint(): number {
    this.#expect(VARINT);
    return this.signed();
  }

  bigUint(): bigint {
    this.#expect(VARINT);
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (value >= 1n << 64n) break;
        return value;
      }
    }
    throw malformed('a varint is longer than 64 bits');
  }

  bool(): boolean {
    return this.uint(1) === 1;
  }

  double(): number {
    this.#expect(FIXED64);
    const at = this.#take(8);
    const { buffer, byteOffset, byteLength } = this.#bytes;
    return new DataView(buffer, byteOffset, byteLength).getFloat64(at, true);
  }

  /** Strict UTF-8, at most `bytesMax` bytes of it. */
  text(bytesMax: number): string {
    const bytes = this.bytes();
    if (bytes.length > bytesMax) throw malformed(`a text of ${bytes.length} bytes is too long`);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw malformed('a text is not UTF-8', error);
    }
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    this.#expect(DELIMITED);
    const length = this.varint();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A sub-message or a packed field. */
  message(): ProtoReader {
    this.#expect(DELIMITED);
    const length = this.varint();
    const at = this.#take(length);
    return new ProtoReader(this.#bytes, at, at + length);
  }

  /** `length` bytes without tag or length: for the fixed parts of the envelope. A view. */
  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  skip(): void {
    if (this.#wire === VARINT) {
      for (let length = 1; this.#byte() >= 0x80; length++) {
        if (length >= 10) throw malformed('a varint is longer than ten bytes');
      }
    } else if (this.#wire === FIXED64) this.#take(8);
    else if (this.#wire === FIXED32) this.#take(4);
    else this.bytes();
  }

  varint(): number {
    let byte = this.#byte();
    if (byte < 0x80) return byte;
    let value = byte & 0x7f;
    let scale = 128;
    for (let length = 2; length <= 8; length++) {
      byte = this.#byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > 2 ** 54) break;
        return value;
      }
      scale *= 128;
    }
    throw malformed('a whole number is too large');
  }

  signed(): number {
    const value = unzigzag(this.varint());
    if (value > ZIGZAG_MAX || value < -ZIGZAG_MAX) throw malformed('a signed number is too large');
    return value;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw malformed('a message ends in the middle of a field');
    return this.#bytes[this.#at++]!;
  }

  #take(length: number): number {
    const at = this.#at;
    if (length > this.#end - at) throw malformed('a field is longer than its message');
    this.#at = at + length;
    return at;
  }

  #expect(wire: number): void {
    if (this.#wire !== wire) throw malformed(`field ${this.field} has wire type ${this.#wire}`);
  }
}
