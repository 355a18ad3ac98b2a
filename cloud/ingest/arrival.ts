// How old a record is when it arrives, and whether two gateways live under one name. Both go by
// monotonic clocks only: the epoch's, in which records are sealed, and the receiver's, at which
// they arrive. Pure.
//
// The smallest (arrival - sealed) seen of an epoch is the distance of the two clocks; what a record
// is above it, is its age. Clocks drift, so the smallest is forgotten slowly. When every live
// record of a minute is too old by the same amount, the clock was moved (a suspended machine, a
// wrong start value), not the data: then that is the new distance. A queue that drains shows ages
// that fall.

/** `live` older than this on arrival is treated as backfill. */
export const LIVE_AGE_MAX_MS = 30_000;

/** Quartz is within 100 ppm; five times that, both sides taken together and warm. */
const DRIFT = 500e-6;

const SHIFT_SEEN_MS = 60_000;
/** Sealing waits up to 1 s, polls differ by a few. */
const SHIFT_SPREAD_MS = 5_000;

interface Shift {
  readonly sinceMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

export class ArrivalClock {
  #offsetMs: number | null;
  #atMs: number;
  #shift: Shift | null = null;

  /** `offsetMs`: the distance known from before, null when there is none. */
  constructor(offsetMs: number | null, nowMs: number) {
    this.#offsetMs = offsetMs;
    this.#atMs = nowMs;
  }

  get offsetMs(): number | null {
    return this.#offsetMs;
  }

  /** Takes in a record and says how old it is, in milliseconds. */
  ageMs(sealedMonoMs: number, arrivedMs: number, kind: 'live' | 'other'): number {
    const distance = arrivedMs - sealedMonoMs;
    const known = this.#offsetMs ?? distance;
    this.#offsetMs = Math.min(distance, known + (arrivedMs - this.#atMs) * DRIFT);
    this.#atMs = arrivedMs;
    if (kind === 'live') this.#watchShift(distance - this.#offsetMs, arrivedMs);
    return distance - this.#offsetMs;
  }

  #watchShift(age: number, nowMs: number): void {
    if (age <= LIVE_AGE_MAX_MS) {
      this.#shift = null;
      return;
    }
    const { sinceMs, minMs, maxMs } = this.#shift ?? { sinceMs: nowMs, minMs: age, maxMs: age };
    const shift = { sinceMs, minMs: Math.min(minMs, age), maxMs: Math.max(maxMs, age) };
    if (shift.maxMs - shift.minMs > SHIFT_SPREAD_MS) {
      this.#shift = { sinceMs: nowMs, minMs: age, maxMs: age };
    } else if (nowMs - sinceMs < SHIFT_SEEN_MS) this.#shift = shift;
    else {
      this.#offsetMs = (this.#offsetMs ?? 0) + shift.minMs;
      this.#shift = null;
    }
  }
}

/**
 * A second epoch must go on living this long after the first was over; covers every delay of the
 * way.
 */
const TWIN_MARGIN_MS = 60_000;
/** Epochs that are over and watched, a gateway. */
const PAST_EPOCHS_MAX = 16;

/**
 * One gateway opens one epoch after the other: once a new one lives, nothing is sealed in those
 * before. If it is, two gateways live under one name.
 */
export class TwinWatch {
  #current: string | null = null;
  #begunMs = 0;
  readonly #past = new Map<string, number>();

  /**
   * Takes in a fresh live record; true when its epoch should be over by now. `offsetOf` gives the
   * distance of an epoch as its ArrivalClock knows it.
   */
  isTwin(
    epoch: string,
    sealedMonoMs: number,
    nowMs: number,
    offsetOf: (epoch: string) => number | null,
  ): boolean {
    if (epoch === this.#current) return false;
    const pastOffsetMs = this.#past.get(epoch);
    if (pastOffsetMs === undefined) {
      // The distance of the epoch before is frozen: what it seals from now on is told by it.
      const before = this.#current === null ? null : offsetOf(this.#current);
      if (this.#current !== null && before !== null) this.#past.set(this.#current, before);
      if (this.#past.size > PAST_EPOCHS_MAX) {
        const oldest = this.#past.keys().next().value;
        if (oldest !== undefined) this.#past.delete(oldest);
      }
      this.#current = epoch;
      this.#begunMs = nowMs;
      return false;
    }
    return sealedMonoMs + pastOffsetMs > this.#begunMs + TWIN_MARGIN_MS;
  }

  get current(): string | null {
    return this.#current;
  }
}
