// What a serial receiver makes of the level on its pair, and what a sender puts there: characters
// as bits in time. Speed and parity that differ, a swapped pair, two senders at once and a missing
// bias need no rules of their own: each is a level that is sampled at the wrong moment.
//
// Level 1 is the idle line (mark), 0 a start bit (space). A character is a start bit, the data bits
// with the low one first, the parity bit if there is one, and one or two stop bits; a receiver
// looks at the first stop bit only, each bit in its middle.
//
// A damaged character is counted and handed over as it was sampled, a break as 0x00, as a Linux
// port in raw mode does. After a character without stop bit the receiver waits for the line to be
// idle.

import type { LineSettings } from '../protocols/line-settings.ts';
import { paceOf } from '../protocols/line-settings.ts';
import type { LineErrors } from '../protocols/line-wire.ts';

/** Where a start bit begins is looked for this often within a bit, as UARTs do. */
const OVERSAMPLING = 16;

/** Time of one bit in ms. */
export function bitMs({ bitsPerSecond }: LineSettings): number {
  return 1000 / bitsPerSecond;
}

/** Time of one character in ms, from the edge of its start bit to the end of its last stop bit. */
export function characterMs(settings: LineSettings): number {
  const { bitsPerSecond, bitsPerCharacter } = paceOf(settings);
  return (1000 * bitsPerCharacter) / bitsPerSecond;
}

/**
 * Silence that ends an RTU frame: 3.5 characters of 11 bits, 1.75 ms above 19,200 baud (Modbus
 * over Serial Line V1.02, 2.5.1.1).
 */
export function frameGapMs({ bitsPerSecond }: LineSettings): number {
  return bitsPerSecond > 19_200 ? 1.75 : (3.5 * 11 * 1000) / bitsPerSecond;
}

export function sameSettings(a: LineSettings, b: LineSettings): boolean {
  return (
    a.bitsPerSecond === b.bitsPerSecond &&
    a.dataBits === b.dataBits &&
    a.parity === b.parity &&
    a.stopBits === b.stopBits
  );
}

/** The bits of one character on the line, the first in bit 0. */
export function characterBits(byte: number, settings: LineSettings): number {
  const { dataBits, parity, stopBits } = settings;
  const data = byte & ((1 << dataBits) - 1);
  let bits = data << 1;
  let at = 1 + dataBits;
  if (parity !== 'N') bits |= parityBit(data, parity) << at++;
  for (let stop = 0; stop < stopBits; stop++) bits |= 1 << at++;
  return bits;
}

function parityBit(data: number, parity: 'E' | 'O'): 0 | 1 {
  let ones = parity === 'O' ? 1 : 0;
  for (let rest = data; rest > 0; rest >>= 1) ones ^= rest & 1;
  return ones as 0 | 1;
}

/** The pair as one receiver meets it. */
export interface Wire {
  levelAt(ms: number): 0 | 1;
  /** From `ms` on the level stays as it is until this time. */
  steadyUntil(ms: number): number;
}

export type OnCharacter = (byte: number, fromMs: number, toMs: number) => void;

/** One receiver, which is told how far time is and samples what has passed. */
export class UartReceiver {
  settings: LineSettings;
  readonly #errors = { parity: 0, framing: 0, overrun: 0, break: 0 };
  /** Everything before has been looked at. */
  #atMs: number;
  #characterFromMs: number | null = null;
  #isWaitingForMark = false;

  constructor(settings: LineSettings, fromMs: number) {
    this.settings = settings;
    this.#atMs = fromMs;
  }

  get errors(): LineErrors {
    return { ...this.#errors };
  }

  get damaged(): number {
    const { parity, framing, overrun, break: breaks } = this.#errors;
    return parity + framing + overrun + breaks;
  }

  /** Whether a character that begins at `ms` would be the next thing it looks at. */
  isFreeAt(ms: number): boolean {
    return this.#characterFromMs === null && !this.#isWaitingForMark && this.#atMs <= ms + 1e-6;
  }

  /** When the character under way is complete; null when none is. */
  get dueMs(): number | null {
    return this.#characterFromMs === null ? null : this.#lastSampleMs(this.#characterFromMs);
  }

  /** What passed until `ms` was received without sampling: known to be undamaged. */
  skipTo(ms: number): void {
    this.#atMs = ms;
  }

  /** Characters lost because nobody took them in time. */
  overrun(characters: number): void {
    this.#errors.overrun += characters;
  }

  advance(toMs: number, wire: Wire, onCharacter: OnCharacter): void {
    for (;;) {
      const fromMs = this.#characterFromMs;
      if (fromMs === null) {
        if (!this.#hunt(toMs, wire)) return;
        continue;
      }
      const lastMs = this.#lastSampleMs(fromMs);
      if (lastMs > toMs) return;
      this.#characterFromMs = null;
      this.#atMs = lastMs;
      this.#decode(fromMs, lastMs, wire, onCharacter);
    }
  }

  /** Looks for a start bit; false when none began before `toMs`. */
  #hunt(toMs: number, wire: Wire): boolean {
    const stepMs = bitMs(this.settings) / OVERSAMPLING;
    while (this.#atMs < toMs) {
      const level = wire.levelAt(this.#atMs);
      if (level === 1) this.#isWaitingForMark = false;
      else if (!this.#isWaitingForMark) {
        this.#characterFromMs = this.#atMs;
        return true;
      }
      const steadyMs = wire.steadyUntil(this.#atMs);
      this.#atMs = Math.min(toMs, Math.max(this.#atMs + stepMs, steadyMs));
    }
    return false;
  }

  #lastSampleMs(fromMs: number): number {
    const { dataBits, parity } = this.settings;
    return fromMs + (1 + dataBits + (parity === 'N' ? 0 : 1) + 0.5) * bitMs(this.settings);
  }

  #decode(fromMs: number, lastMs: number, wire: Wire, onCharacter: OnCharacter): void {
    const { dataBits, parity } = this.settings;
    const stepMs = bitMs(this.settings);
    const bit = (at: number) => wire.levelAt(fromMs + (at + 0.5) * stepMs);
    if (bit(0) === 1) {
      this.#atMs = fromMs + stepMs / 2; // A glitch shorter than half a bit is no start bit.
      return;
    }
    let data = 0;
    for (let at = 0; at < dataBits; at++) data |= bit(1 + at) << at;
    const hasParity = parity !== 'N';
    const check = hasParity ? bit(1 + dataBits) : 0;
    const stop = wire.levelAt(lastMs);
    if (stop === 0) {
      this.#isWaitingForMark = true;
      if (data === 0 && check === 0) this.#errors.break++;
      else this.#errors.framing++;
    } else if (hasParity && check !== parityBit(data, parity)) this.#errors.parity++;
    onCharacter(data, fromMs, lastMs + stepMs / 2);
  }
}
