// What a line's time goes into: counted since the start for metrics, and as a share of the last
// minute for people.
import type { Clock } from '../../core/clock.ts';

/** A minute in six parts: a figure that moves every ten seconds and forgets within a minute. */
const PART_MS = 10_000;
const PARTS = 6;

/** Polls of devices in service, or what went to those that did not answer. */
export type Use = 'regular' | 'sick';

export class LineTime {
  readonly #clock: Clock;
  readonly #startMonoMs: number;
  readonly #totals = { regular: 0, sick: 0 };
  #parts: { readonly number: number; regular: number; sick: number }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMonoMs = clock.monoMs();
  }

  add(lineMs: number, use: Use): void {
    const number = Math.floor(this.#clock.monoMs() / PART_MS);
    let newest = this.#parts.at(-1);
    if (newest?.number !== number) {
      newest = { number, regular: 0, sick: 0 };
      this.#parts = [...this.#parts.filter((part) => part.number > number - PARTS), newest];
    }
    newest[use] += lineMs;
    this.#totals[use] += lineMs;
  }

  /** Since the start, of all uses or of one. */
  totalMs(use?: Use): number {
    return use ? this.#totals[use] : this.#totals.regular + this.#totals.sick;
  }

  /** Of the last minute, 0 to 1; more than 1 where polls overlap. */
  share(use?: Use): number {
    const now = this.#clock.monoMs();
    const oldest = Math.floor(now / PART_MS) - PARTS + 1;
    const wallMs = now - Math.max(this.#startMonoMs, oldest * PART_MS);
    let tookMs = 0;
    for (const part of this.#parts)
      if (part.number >= oldest) {
        tookMs += use ? part[use] : part.regular + part.sick;
      }
    return wallMs > 0 ? tookMs / wallMs : 0;
  }
}
