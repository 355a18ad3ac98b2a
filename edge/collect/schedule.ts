// When each group of points is due. Pure: time comes in as a number, and what is due goes out.
//
// - Fixed rate: the due times of a group are start + phase + k x period and never drift, however
//   late a poll was started or however long it took.
// - Fixed phase: groups of one period are spread over it, evenly within a link (a bus carries one
//   after the other anyway) and shifted from link to link, so that neither a bus nor the processor
//   sees a peak.
// - A group with a long period is due once more soon after the start: nobody waits an hour to see
//   that a meter answers.
// - Nothing is queued: whatever became due while nobody looked is handed out once, as the newest
//   due time with the number of those that passed before it. The caller counts them as missed.

export interface Slot {
  readonly link: string;
  readonly periodMs: number;
  /** Of two slots due together the lower goes first: life-safety before trend. */
  readonly rank: number;
}

export interface Turn {
  /** Place in the list the schedule was made of. */
  readonly slot: number;
  /** The newest due time that has passed. */
  readonly dueMonoMs: number;
  /** Due times before it that passed since the last turn. */
  readonly passed: number;
}

// Multiples of the golden ratio, taken modulo one, stay apart however many there are.
const GOLDEN = 0.618_033_988_749_894_9;

/** Milliseconds into its period at which each slot is due; the same list gives the same phases. */
export function phases(slots: readonly Slot[]): number[] {
  const links = new Map<string, number>();
  const sizes = new Map<string, number>();
  const key = ({ link, periodMs }: Slot) => `${periodMs} ${link}`;
  for (const slot of slots) {
    if (!links.has(slot.link)) links.set(slot.link, links.size);
    sizes.set(key(slot), (sizes.get(key(slot)) ?? 0) + 1);
  }
  const placed = new Map<string, number>();
  return slots.map((slot) => {
    const place = placed.get(key(slot)) ?? 0;
    placed.set(key(slot), place + 1);
    const shift = (links.get(slot.link)! * GOLDEN) % 1;
    return ((place + shift) / sizes.get(key(slot))!) * slot.periodMs;
  });
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
    return { slot, dueMonoMs, passed: turns - 1 };
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
