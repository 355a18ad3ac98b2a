// Whole numbers in as few bits as their spread needs: each is stored as its distance from a base,
// in `bits` bits, lowest bit first, bytes in order (frame of reference). Field registers are small
// integers in a narrow band, so this is both smaller and faster than a varint each, and constant
// runs take nothing.

export const PACKED_BITS_MAX = 32;

export function packedSize(count: number, bits: number): number {
  return Math.ceil((count * bits) / 8);
}

/** Bits for distances 0..spread; undefined when that is more than PACKED_BITS_MAX. */
export function bitsFor(spread: number): number | undefined {
  if (spread > 0xffffffff) return undefined;
  return 32 - Math.clz32(spread);
}

/** Packs source[from..to) less `base`, each below 2^bits, to `out` at `at`: packedSize bytes. */
export function pack(
  source: Float64Array,
  span: { readonly from: number; readonly to: number },
  base: number,
  bits: number,
  out: Uint8Array,
  at: number,
): void {
  if (bits === 0) return;
  let word = 0;
  let held = 0;
  let to = at;
  for (let place = span.from; place < span.to; place++) {
    const value = (source[place]! - base) >>> 0;
    word |= value << held;
    held += bits;
    if (held < 32) continue;
    out[to] = word;
    out[to + 1] = word >>> 8;
    out[to + 2] = word >>> 16;
    out[to + 3] = word >>> 24;
    to += 4;
    held -= 32;
    word = held === 0 ? 0 : value >>> (bits - held);
  }
  for (; held > 0; held -= 8, word >>>= 8) out[to++] = word;
}

/**
 * Reads `count` numbers of `bits` bits (1..32) from `data`, adds `base`, and writes them to `out`
 * from `at` on. The caller has checked that `data` holds packedSize(count, bits) bytes.
 */
export function unpack(
  data: Uint8Array,
  count: number,
  base: number,
  bits: number,
  out: Float64Array,
  at: number,
): void {
  const mask = bits === 32 ? 0xffffffff : (1 << bits) - 1;
  // The quick loops read up to five bytes at once; the last numbers come from a padded copy.
  const quick = Math.max(0, Math.min(count, Math.floor(((data.length - 5) * 8) / bits)));
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (bits === 8) {
    for (let place = 0; place < quick; place++) out[at + place] = data[place]! + base;
  } else if (bits === 16) {
    for (let place = 0; place < quick; place++) {
      out[at + place] = view.getUint16(place * 2, true) + base;
    }
  } else unpackAny(view, quick, base, bits, mask, out, at);
  if (quick === count) return;
  const start = Math.floor((quick * bits) / 8);
  const tail = new Uint8Array(data.length - start + 8);
  tail.set(data.subarray(start));
  const tailView = new DataView(tail.buffer);
  const skewed = (quick * bits) % 8;
  for (let place = quick, bit = skewed; place < count; place++, bit += bits) {
    out[at + place] = numberAt(tailView, bit, bits, mask) + base;
  }
}

function unpackAny(
  view: DataView,
  count: number,
  base: number,
  bits: number,
  mask: number,
  out: Float64Array,
  at: number,
): void {
  if (bits > 25) {
    for (let place = 0, bit = 0; place < count; place++, bit += bits) {
      out[at + place] = numberAt(view, bit, bits, mask) + base;
    }
    return;
  }
  for (let place = 0, bit = 0; place < count; place++, bit += bits) {
    out[at + place] = ((view.getUint32(bit >>> 3, true) >>> (bit & 7)) & mask) + base;
  }
}

function numberAt(view: DataView, bit: number, bits: number, mask: number): number {
  const at = bit >>> 3;
  const shift = bit & 7;
  let value = view.getUint32(at, true) >>> shift;
  if (shift + bits > 32) value |= view.getUint8(at + 4) << (32 - shift);
  return (value & mask) >>> 0;
}
