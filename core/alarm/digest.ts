// SHA-256 (FIPS 180-4) in plain arithmetic: the kernel runs at the edge, in the cloud and in a
// browser, and all of them must give one excursion one name. Called once an occurrence, so speed
// does not matter.
import { hex } from '../bytes.ts';

// The first 32 bits of the fractional parts of square and cube roots of the first primes (4.2.2,
// 5.3.3).
const primes: number[] = [];
for (let candidate = 2; primes.length < 64; candidate++) {
  if (primes.every((prime) => candidate % prime !== 0)) primes.push(candidate);
}
const fraction = (root: number) => ((root - Math.floor(root)) * 0x1_0000_0000) >>> 0;
const initial = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
const constants = primes.map((prime) => fraction(Math.cbrt(prime)));

const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by));

/** 32 bytes. */
export function sha256(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(message.length / 0x2000_0000));
  view.setUint32(padded.length - 4, message.length << 3);
  const state = Uint32Array.from(initial);
  const words = new Uint32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let at = 0; at < 16; at++) words[at] = view.getUint32(block + at * 4);
    for (let at = 16; at < 64; at++) {
      const a = words[at - 15]!;
      const b = words[at - 2]!;
      const low = turn(a, 7) ^ turn(a, 18) ^ (a >>> 3);
      const high = turn(b, 17) ^ turn(b, 19) ^ (b >>> 10);
      words[at] = words[at - 16]! + low + words[at - 7]! + high;
    }
    compress(state, words);
  }
  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  for (let at = 0; at < 8; at++) out.setUint32(at * 4, state[at]!);
  return digest;
}

function compress(state: Uint32Array, words: Uint32Array): void {
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let at = 0; at < 64; at++) {
    const choice = (e & f) ^ (~e & g);
    const one =
      (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + constants[at]! + words[at]!) | 0;
    const majority = (a & b) ^ (a & c) ^ (b & c);
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + majority) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, at) => {
    state[at] = state[at]! + word;
  });
}

/**
 * The name of one excursion of one rule on one series: 128 bits as 32 hex digits. The first sample
 * beyond is named by epoch and monotonic time, not by the record that brought it: a state record
 * repeats a sample under another sequence, and the excursion is still the same.
 */
export function occurrenceName(
  series: string,
  rule: string,
  epoch: string,
  firstMonoMs: number,
): string {
  const text = JSON.stringify([series, rule, epoch, firstMonoMs]);
  return hex(sha256(new TextEncoder().encode(text)).subarray(0, 16));
}
