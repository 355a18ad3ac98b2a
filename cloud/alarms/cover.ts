// Since when a record covers each series, without clearing anything between two records: an entry
// counts where its number is that of the present record.
import type { DecodedCoverage } from '../inbox/decoded.ts';

export class Cover {
  #from = new Float64Array(0);
  #by = new Float64Array(0);
  #record = 0;

  /** The present record's; numbers of series lie below `series`. */
  note(coverage: readonly DecodedCoverage[], series: number): void {
    this.#record++;
    if (this.#from.length < series) {
      this.#from = new Float64Array(series);
      this.#by = new Float64Array(series);
    }
    for (const { series: numbers, fromMonoMs } of coverage) {
      for (const number of numbers) {
        if (number >= this.#from.length) continue;
        const isFirst = this.#by[number] !== this.#record;
        if (isFirst || fromMonoMs < this.#from[number]!) this.#from[number] = fromMonoMs;
        this.#by[number] = this.#record;
      }
    }
  }

  /** Null where the present record does not cover it. */
  fromMonoMs(series: number): number | null {
    return this.#by[series] === this.#record ? this.#from[series]! : null;
  }
}
