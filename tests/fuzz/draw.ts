// What a fuzz target draws its inputs from: numbers that hurt, bytes nobody meant, and good messages
// with something broken in them. Repeatable: the seed and the number of an input make all of it, so
// one input out of a million can be tried again alone.

/** Lengths and counts at, beside and far beyond the limits of Modbus and of 8, 16 and 32 bits. */
const hurting = [
  0, 1, 2, 3, 4, 5, 6, 7, 8, 125, 126, 127, 128, 246, 247, 248, 250, 252, 253, 254, 255, 256, 257,
  260, 261, 1968, 1969, 2000, 2001, 4095, 4096, 4097, 0x7fff, 0x8000, 0xfffe, 0xffff,
];
/** NUL, colon, CR, LF, function codes, exception bits, units of broadcasts and gateways. */
const hurtingBytes = [
  0, 1, 2, 3, 4, 14, 15, 16, 22, 23, 43, 58, 13, 10, 0x7f, 0x80, 0x83, 248, 255,
];

export class Draw {
  #state = 0;

  /** Begins input number `at` of the run `seed`. */
  begin(seed: number, at: number): void {
    this.#state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(at + 1, 0x85ebca6b)) >>> 0;
    this.word();
  }

  /** 32 bits (splitmix32). */
  word(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** A whole number in [min, max]. */
  integer(min: number, max: number): number {
    return min + (this.word() % (max - min + 1));
  }

  oneIn(count: number): boolean {
    return this.word() % count === 0;
  }

  pick<Each>(list: readonly Each[]): Each {
    return list[this.word() % list.length]!;
  }

  /** Of 16 bits, often one that hurts. */
  short(): number {
    return this.oneIn(2) ? this.pick(hurting) : this.word() & 0xffff;
  }

  byte(): number {
    return this.oneIn(4) ? this.pick(hurtingBytes) : this.word() & 0xff;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at++) bytes[at] = this.byte();
    return bytes;
  }

  /** One of `golden` with up to four things wrong; sometimes nothing, sometimes only noise. */
  mutated(golden: readonly Uint8Array[]): Uint8Array {
    if (this.oneIn(12)) return this.bytes(this.integer(0, 40));
    let bytes = this.pick(golden);
    if (this.oneIn(12)) return bytes;
    for (let left = this.integer(1, 4); left > 0; left--) bytes = this.#broken(bytes, golden);
    return bytes;
  }

  /** Good messages, broken ones and noise in one piece. */
  stream(golden: readonly Uint8Array[], partsMax: number): Uint8Array {
    const parts: Uint8Array[] = [];
    for (let left = this.integer(1, partsMax); left > 0; left--) {
      parts.push(this.oneIn(3) ? this.pick(golden) : this.mutated(golden));
    }
    return joined(parts);
  }

  /** Whole, one byte at a time, or cut anywhere; an empty piece now and then. */
  pieces(bytes: Uint8Array): Uint8Array[] {
    const { length } = bytes;
    if (length === 0 || this.oneIn(4)) return [bytes];
    const max = this.oneIn(3) ? 1 : this.integer(1, length);
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < length; ) {
      const size = this.integer(1, max);
      pieces.push(bytes.subarray(at, at + size));
      if (this.oneIn(32)) pieces.push(bytes.subarray(0, 0));
      at += size;
    }
    return pieces;
  }

  #broken(bytes: Uint8Array, golden: readonly Uint8Array[]): Uint8Array {
    const { length } = bytes;
    const at = length === 0 ? 0 : this.word() % length;
    switch (this.integer(0, 9)) {
      case 0:
        return bytes.subarray(0, at);
      case 1:
        return bytes.subarray(at);
      case 2:
        return joined([bytes.subarray(0, at), this.bytes(this.integer(1, 8)), bytes.subarray(at)]);
      case 3:
        return joined([bytes.subarray(0, at), bytes.subarray(at + this.integer(1, 8))]);
      case 4: // A head that comes again.
        return joined([bytes.subarray(0, at), bytes.subarray(0, 512)]);
      case 5: {
        const other = this.pick(golden);
        return joined([bytes.subarray(0, at), other.subarray(this.word() % (other.length + 1))]);
      }
      default:
        return this.#overwritten(bytes, at);
    }
  }

  #overwritten(bytes: Uint8Array, at: number): Uint8Array {
    if (bytes.length === 0) return bytes;
    const out = bytes.slice();
    if (this.oneIn(3)) out[at]! ^= 1 << (this.word() & 7);
    else if (this.oneIn(2)) out[at] = this.byte();
    else {
      const value = this.short();
      out[at] = value >> 8;
      if (at + 1 < out.length) out[at + 1] = value & 0xff;
    }
    return out;
  }
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
