// The time of a simulated world, and the lives of what runs in it.
//
// One timeline carries every node: events run one at a time, in order of time and then of asking, and
// promises settle between them. A node has a clock on it that starts at its boot and has a wall clock
// of its own, which may be wrong and may be set.
//
// A life is one process from start to end. A kill falls on a named place that the wiring passes
// (before a commit, after it, before an ack leaves ...), or between two events. From then on nothing
// that the dead process does has an effect: its timers do not fire, its borders do nothing. That is a
// kill at that place, because between two borders a process changes only its own memory.
import type { Clock } from '../../core/clock.ts';

/** A world of minutes has thousands of events; one that has this many goes round in circles. */
const EVENTS_MAX = 300_000;
const GRID = 64; // Places a millisecond.

interface Event {
  readonly atMs: number;
  readonly order: number;
  run: (() => void) | null;
}

export class Timeline {
  nowMs = 0;
  events = 0;
  #order = 0;
  readonly #heap: Event[] = [];

  /** Calls `run` at `atMs`, or now if that has passed. Returns a cancel. */
  at(atMs: number, run: () => void): () => void {
    // On a grid that doubles hold exactly: differences of times are exact, and waiting always ends.
    const onGridMs = Math.ceil(atMs * GRID) / GRID;
    const event: Event = { atMs: Math.max(onGridMs, this.nowMs), order: this.#order++, run };
    this.#push(event);
    return () => {
      event.run = null;
    };
  }

  after(ms: number, run: () => void): () => void {
    return this.at(this.nowMs + ms, run);
  }

  /** Runs events up to and including `untilMs`, or until `isOver` says so after one of them. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    await settled();
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) break;
      this.#pop();
      if (!next.run) continue;
      this.nowMs = next.atMs;
      if (++this.events > EVENTS_MAX) throw new Error(`round in circles at ${this.nowMs} ms`);
      next.run();
      await settled();
      if (isOver()) return;
    }
    this.nowMs = untilMs;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(event, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

// A macrotask lets every promise that can settle do so.
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Thrown where a killed process would go on. */
export class Killed extends Error {}

export class Life {
  #isAlive = true;
  #armed: { readonly place: string | null; count: number } | null = null;
  readonly #onDeath: (place: string) => void;

  constructor(onDeath: (place: string) => void) {
    this.#onDeath = onDeath;
  }

  /** Of what has not been started yet. */
  static over(): Life {
    const life = new Life(() => {});
    life.#isAlive = false;
    return life;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** To be killed when it passes `place` (any place, when null) for the `count`th time from now. */
  arm(place: string | null, count: number): void {
    this.#armed = { place, count };
  }

  disarm(): void {
    this.#armed = null;
  }

  /** True when the process lives on. */
  survives(place: string): boolean {
    const armed = this.#armed;
    if (this.#isAlive && armed && (armed.place === null || armed.place === place)) {
      if (--armed.count <= 0) this.end(place);
    }
    return this.#isAlive;
  }

  /** Throws when the process is killed here, or was before. */
  pass(place: string): void {
    if (!this.survives(place)) throw new Killed(place);
  }

  end(place: string): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#armed = null;
    this.#onDeath(place);
  }

  /** Runs a piece of the process: nothing when it is dead, and no further than its end. */
  run(work: () => void): void {
    if (!this.#isAlive) return;
    try {
      work();
    } catch (error) {
      if (!(error instanceof Killed)) throw error;
    }
  }
}

/** What the wall clock of a machine shows, beside the true time. */
export interface WallClock {
  /** Shown minus true. */
  errorMs: number;
}

/** True wall time at the beginning of every world. */
export const WORLD_BEGAN_MS = Date.UTC(2026, 2, 1);

export class NodeClock implements Clock {
  readonly #timeline: Timeline;
  readonly #life: Life;
  readonly #wall: WallClock;
  readonly #bootMs: number;

  /** The monotonic clock starts with the machine, at some odd number. */
  constructor(timeline: Timeline, life: Life, wall: WallClock, bootMs: number) {
    this.#timeline = timeline;
    this.#life = life;
    this.#wall = wall;
    this.#bootMs = bootMs;
  }

  wallMs(): number {
    return WORLD_BEGAN_MS + this.#timeline.nowMs + this.#wall.errorMs;
  }

  monoMs(): number {
    return this.#timeline.nowMs - this.#bootMs;
  }

  after(ms: number, fn: () => void): () => void {
    if (!this.#life.isAlive) return () => {};
    return this.#timeline.after(Math.max(0, ms), () => this.#life.run(fn));
  }

  afterPrecisely(ms: number, fn: () => void): () => void {
    return this.after(ms, fn);
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const abort = () => {
        cancel();
        resolve();
      };
      const cancel = this.after(ms, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
