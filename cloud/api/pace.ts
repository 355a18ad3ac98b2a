// So many in a span for each of many callers. A window is fixed: at its border twice as many may
// come, which is enough of a limit for what is cheap to answer.
import type { Clock } from '../../core/clock.ts';

/** Callers remembered, at 100 bytes 1 MB; the one longest unheard is forgotten. */
const CALLERS_MAX = 10_000;

export class Pace {
  readonly #clock: Clock;
  readonly #max: number;
  readonly #perMs: number;
  readonly #windows = new Map<string, { fromMonoMs: number; count: number }>();

  constructor(clock: Clock, { max, perMs }: { readonly max: number; readonly perMs: number }) {
    this.#clock = clock;
    this.#max = max;
    this.#perMs = perMs;
  }

  /** Counts one; false when it is beyond the limit. */
  take(caller: string): boolean {
    const nowMs = this.#clock.monoMs();
    const known = this.#windows.get(caller);
    const isOpen = known !== undefined && nowMs - known.fromMonoMs < this.#perMs;
    const window = isOpen ? known : { fromMonoMs: nowMs, count: 0 };
    this.#windows.delete(caller);
    this.#windows.set(caller, window);
    for (const oldest of this.#windows.keys()) {
      if (this.#windows.size <= CALLERS_MAX) break;
      this.#windows.delete(oldest);
    }
    window.count++;
    return window.count <= this.#max;
  }
}
