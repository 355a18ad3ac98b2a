// When each group of points is due. Pure: time comes in as a number, and what is due goes out.
//
// - Fixed rate: the due times of a group are start + phase + k x period and never drift, however
//   late a poll was started or however long it took.
// - Fixed phase: where the line time of polls is known, each has a place of its own on its link, so
//   that polls of whatever periods do not meet and none is late; those of the shortest period stand
//   one behind the other, so that the time left over is in one piece, for what is slow. Where it is
//   not known, or where no place is free, groups of one period are spread evenly over it. Links are
//   shifted against each other, so that the processor sees no peak.
// - A group with a long period is due once more soon after the start: nobody waits an hour to see
//   that a meter answers.
// - Nothing is queued: whatever became due while nobody looked is handed out once, as the newest
//   due time with the number of those that passed before it. The caller counts them as missed.

export interface Slot {
  readonly link: string;
  readonly periodMs: number;
  /** Of two slots due together the lower goes first: life-safety before trend. */
  readonly rank: number;
  /** What its poll takes of the link; 0 where nothing is known. */
  readonly costMs: number;
}

export interface Turn {
  /** Place in the list the schedule was made of. */
  readonly slot: number;
  /** The newest due time that has passed. */
  readonly dueMonoMs: number;
  /** Due times before it that passed since the last turn. */
  readonly passed: number;
  /** When the slot is due again. */
  readonly nextMonoMs: number;
}

// Multiples of the golden ratio, taken modulo one, stay apart however many there are.
const GOLDEN = 0.618_033_988_749_894_9;

/**
 * A poll gets a fifth more than its line time, as turnarounds vary; where that is not free, as much
 * of its time as there is: then it holds others up by the rest only.
 */
const ROOMY = [1.2, 1, 0.75, 0.5, 0.25] as const;
/** Places tried for a slot before it is spread instead: all of a start takes milliseconds. */
const TRIES_MAX = 500;

/** Milliseconds into its period at which each slot is due; the same list gives the same phases. */
export function phases(slots: readonly Slot[]): number[] {
  const links = new Map<string, number[]>();
  slots.forEach(({ link }, at) => {
    const behind = links.get(link);
    if (behind) behind.push(at);
    else links.set(link, [at]);
  });
  const phasesMs = new Array<number>(slots.length).fill(0);
  let shift = 0;
  for (const behind of links.values()) {
    placeOn(slots, behind, shift, phasesMs);
    shift = (shift + GOLDEN) % 1;
  }
  return phasesMs;
}

interface Place {
  readonly atMs: number;
  readonly lengthMs: number;
  readonly periodMs: number;
}

/** Phases of the slots `behind` one link, which is shifted by a share of each period. */
function placeOn(
  slots: readonly Slot[],
  behind: readonly number[],
  shift: number,
  phasesMs: number[],
): void {
  const sizes = new Map<number, number>();
  for (const at of behind) {
    const { periodMs } = slots[at]!;
    sizes.set(periodMs, (sizes.get(periodMs) ?? 0) + 1);
  }
  const shortestMs = Math.min(...sizes.keys());
  const counted = new Map<number, number>();
  const placed: Place[] = [];
  const inOrder = [...behind].sort((a, b) => slots[a]!.periodMs - slots[b]!.periodMs || a - b);
  for (const at of inOrder) {
    const { periodMs, costMs } = slots[at]!;
    const before = counted.get(periodMs) ?? 0;
    counted.set(periodMs, before + 1);
    const spreadMs = ((before + shift) / sizes.get(periodMs)!) * periodMs;
    phasesMs[at] = spreadMs;
    if (costMs <= 0) continue;
    const fromMs = periodMs === shortestMs ? (shift / sizes.get(periodMs)!) * periodMs : spreadMs;
    let freeMs: number | null = null;
    for (const share of ROOMY) {
      freeMs ??= freePlace({ atMs: fromMs, lengthMs: share * costMs, periodMs }, placed);
    }
    phasesMs[at] = (freeMs ?? spreadMs) % periodMs;
    placed.push({ atMs: phasesMs[at]!, lengthMs: ROOMY[0] * costMs, periodMs });
  }
}

/**
 * The first phase from `wanted.atMs` on at which the wanted place never meets one of the placed,
 * however long they run; null when there is none. Of two places with periods P and Q one begins
 * after the other by every multiple of their common divisor, so they never meet when they fit into
 * that one behind the other.
 */
function freePlace(wanted: Place, placed: readonly Place[]): number | null {
  const { lengthMs, periodMs } = wanted;
  const endMs = wanted.atMs + periodMs;
  let atMs = wanted.atMs;
  for (let tries = 0; tries < TRIES_MAX && atMs < endMs; tries++) {
    let aheadMs = 0;
    for (const other of placed) {
      const commonMs = commonDivisor(periodMs, other.periodMs);
      if (lengthMs + other.lengthMs > commonMs) return null;
      const afterMs = modulo(atMs - other.atMs, commonMs);
      if (afterMs < other.lengthMs) aheadMs = other.lengthMs - afterMs;
      else if (afterMs > commonMs - lengthMs) aheadMs = commonMs - afterMs + other.lengthMs;
      if (aheadMs > SAME_MS) break;
    }
    if (aheadMs <= SAME_MS) return atMs;
    atMs += aheadMs;
  }
  return null;
}

/** Sums of fractions: what differs by less is the same moment. */
const SAME_MS = 1e-6;

function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}

/** Of two periods in whole milliseconds. */
function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** Every group is due within this time of the start, if only by a turn ahead of its rate. */
export const FIRST_WITHIN_MS = 10_000;

export class Schedule {
  readonly #slots: readonly Slot[];
  /** Due time of each slot's next turn at its rate. */
  readonly #rateMonoMs: Float64Array;
  /** Due time of its next turn: earlier only for the one ahead of the rate. */
  readonly #dueMonoMs: Float64Array;
  /** Slots as a binary heap, soonest first. */
  readonly #heap: Int32Array;

  constructor(startMonoMs: number, slots: readonly Slot[]) {
    this.#slots = slots;
    this.#rateMonoMs = Float64Array.from(phases(slots), (phaseMs) => startMonoMs + phaseMs);
    this.#dueMonoMs = this.#rateMonoMs.map((rateMonoMs, slot) => {
      const share = FIRST_WITHIN_MS / slots[slot]!.periodMs;
      return share < 1 ? startMonoMs + (rateMonoMs - startMonoMs) * share : rateMonoMs;
    });
    this.#heap = Int32Array.from(slots, (_, slot) => slot);
    for (let at = (slots.length >> 1) - 1; at >= 0; at--) this.#sink(at);
  }

  /** When the next slot is due; Infinity without slots. */
  get nextMonoMs(): number {
    return this.#heap.length ? this.#dueMonoMs[this.#heap[0]!]! : Number.POSITIVE_INFINITY;
  }

  /** When this slot is due next. */
  dueMonoMs(slot: number): number {
    return this.#dueMonoMs[slot]!;
  }

  /** The next slot that is due at `nowMonoMs`, or null: call until null. */
  take(nowMonoMs: number): Turn | null {
    if (this.nextMonoMs > nowMonoMs) return null;
    const slot = this.#heap[0]!;
    const { periodMs } = this.#slots[slot]!;
    const rateMonoMs = this.#rateMonoMs[slot]!;
    const aheadMonoMs = this.#dueMonoMs[slot]!;
    const atRate = nowMonoMs < rateMonoMs ? 0 : Math.floor((nowMonoMs - rateMonoMs) / periodMs) + 1;
    const turns = atRate + (aheadMonoMs < rateMonoMs ? 1 : 0);
    const nextMonoMs = rateMonoMs + atRate * periodMs;
    this.#rateMonoMs[slot] = nextMonoMs;
    this.#dueMonoMs[slot] = nextMonoMs;
    this.#sink(0);
    const dueMonoMs = atRate > 0 ? nextMonoMs - periodMs : aheadMonoMs;
    return { slot, dueMonoMs, passed: turns - 1, nextMonoMs };
  }

  #sink(from: number): void {
    const heap = this.#heap;
    for (let at = from; ; ) {
      let soonest = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && this.#before(heap[child]!, heap[soonest]!)) soonest = child;
      }
      if (soonest === at) return;
      [heap[at], heap[soonest]] = [heap[soonest]!, heap[at]!];
      at = soonest;
    }
  }

  #before(a: number, b: number): boolean {
    const apartMs = this.#dueMonoMs[a]! - this.#dueMonoMs[b]!;
    if (apartMs !== 0) return apartMs < 0;
    return this.#slots[a]!.rank < this.#slots[b]!.rank;
  }
}
