// Time comes in as an argument. Wall time stamps data and may jump; monotonic time measures, orders
// and waits, and never goes back. Only this file touches the machine's clocks and timers.
import { assert } from './fault.ts';

export interface Clock {
  /** Milliseconds since 1970 in UTC, as the machine believes. May jump either way. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start; never goes back, not comparable between processes. */
  monoMs(): number;
  /**
   * Resolves after `ms`, at once when `signal` is aborted; never rejects. Check `signal.aborted`
   * after it.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** Calls `fn` once after `ms` unless the returned cancel is called first. */
  after(ms: number, fn: () => void): () => void;
  /**
   * As `after`, whose timers count whole milliseconds, but a tenth of one late at the most on a
   * machine that is not overloaded. Up to LOOK_MS_MAX of the wait keep the processor busy: for
   * short waits that something costly hangs on.
   */
  afterPrecisely(ms: number, fn: () => void): () => void;
}

/** How late timers end on a machine that is not overloaded: 0.06 to 0.15 ms were seen. */
const TIMER_LATE_MS = 0.25;
/** What a timer of whole milliseconds, begun so much earlier, leaves over. */
export const LOOK_MS_MAX = 1 + TIMER_LATE_MS;

// The last stretch is spent looking at the clock once a turn of the event loop: sockets are served
// meanwhile, and nothing is ever early.
function afterPrecisely(ms: number, fn: () => void): () => void {
  const atMs = performance.now() + ms;
  let cancel = () => {};
  const wait = () => {
    const restMs = atMs - performance.now();
    if (restMs < LOOK_MS_MAX) {
      const turn = setImmediate(look);
      cancel = () => clearImmediate(turn);
    } else {
      const timer = setTimeout(look, Math.floor(restMs - TIMER_LATE_MS));
      cancel = () => clearTimeout(timer);
    }
  };
  const look = () => (performance.now() >= atMs ? fn() : wait());
  wait();
  return () => cancel();
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const finish = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const timer = setTimeout(finish, Math.max(0, ms));
      signal.addEventListener('abort', finish, { once: true });
    }),
  after: (ms, fn) => {
    const timer = setTimeout(fn, Math.max(0, ms));
    return () => clearTimeout(timer);
  },
  afterPrecisely,
};

interface Waiter {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that stands still until it is told to move: for tests and the simulated world. */
export class SimClock implements Clock {
  #monoMs = 0;
  #wallOffsetMs: number;
  #order = 0;
  #waiters: Waiter[] = [];

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallOffsetMs = wallMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#monoMs;
  }

  monoMs(): number {
    return this.#monoMs;
  }

  /** Steps the wall clock against the monotonic one, as NTP or a person does. */
  stepWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const cancel = this.after(ms, () => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
      const abort = () => {
        cancel();
        resolve();
      };
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  after(ms: number, fn: () => void): () => void {
    const waiter: Waiter = { atMs: this.#monoMs + Math.max(0, ms), order: this.#order++, fn };
    this.#waiters.push(waiter);
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    };
  }

  afterPrecisely(ms: number, fn: () => void): () => void {
    return this.after(ms, fn);
  }

  /** The time of the next waiter, or null when nobody waits. */
  nextMs(): number | null {
    let next: number | null = null;
    for (const { atMs } of this.#waiters) if (next === null || atMs < next) next = atMs;
    return next;
  }

  /** Moves time on by `ms`, waking waiters in order and letting promises settle between them. */
  async advance(ms: number): Promise<void> {
    assert(ms >= 0, 'time moves forward');
    const endMs = this.#monoMs + ms;
    for (;;) {
      await settle();
      const due = this.#waiters
        .filter(({ atMs }) => atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
      if (!due) break;
      this.#waiters = this.#waiters.filter((other) => other !== due);
      this.#monoMs = Math.max(this.#monoMs, due.atMs);
      due.fn();
    }
    this.#monoMs = endMs;
    await settle();
  }
}

// Promises chained behind one another need several turns; a macrotask lets them all run.
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
