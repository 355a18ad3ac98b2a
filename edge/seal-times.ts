// When which sequence of the present epoch was sealed, piecewise: commands are as old as the
// newest sequence their issuer had seen.
//
// One mark is kept for every MARK_MS in which anything was sealed. A sequence between two marks is
// taken for as old as the mark before it: a command ends up to MARK_MS early, never late. What is
// older than the oldest mark kept is older than any command may become.
import { assert } from '../core/fault.ts';

/** What is asked for longer than this is over after this all the same. */
export const TIME_TO_LIVE_MAX_MS = 60 * 60_000;
export const MARK_MS = 500;
/** 7,202 marks of two numbers: some 300 KB after an hour under load. */
export const MARKS_MAX = TIME_TO_LIVE_MAX_MS / MARK_MS + 2;
/** So many more are let come before the oldest go together. */
const MARKS_BEYOND = 256;

interface Mark {
  readonly sequence: number;
  /** In the epoch. */
  readonly monoMs: number;
}

export class SealTimes {
  /** Whoever had seen nothing of the epoch had seen its beginning. */
  #marks: Mark[] = [{ sequence: 0, monoMs: 0 }];
  #last = 0;

  get last(): number {
    return this.#last;
  }

  /** Sequences rise by one; times never go back. */
  note(sequence: number, monoMs: number): void {
    assert(sequence === this.#last + 1, 'sequences rise by one');
    this.#last = sequence;
    if (monoMs < this.#marks.at(-1)!.monoMs + MARK_MS) return;
    this.#marks.push({ sequence, monoMs });
    if (this.#marks.length > MARKS_MAX + MARKS_BEYOND) this.#marks = this.#marks.slice(-MARKS_MAX);
  }

  /** At the latest; `unknown` for one not sealed yet, `old` for one before all that is kept. */
  of(sequence: number): number | 'unknown' | 'old' {
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > this.#last) return 'unknown';
    let low = 0;
    let high = this.#marks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#marks[middle]!.sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 'old' : this.#marks[low - 1]!.monoMs;
  }
}
