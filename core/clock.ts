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
