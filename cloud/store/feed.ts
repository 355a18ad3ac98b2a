// From the inbox into the store: what was committed behind the store's cursor is decoded and
// applied, a group of records at a time. One step is the whole of it; whoever drives it owns time
// and retry.
//
// The inbox may forget a row only after `onPassed` named it, and that is after the store's commit.
// A crash between the two repeats the rows, and the store's cursor makes nothing of it.
import { Fault } from '../../core/fault.ts';
import type { InboxReader } from '../inbox/reader.ts';
import type { Store } from './store.ts';

/**
 * Of records in one transaction. At 3 to 5 B a reading some 100,000 readings, 5 MB once decoded,
 * which take about 150 ms: large enough to make a commit cheap, small enough to be waited for.
 */
export const GROUP_BYTES_MAX = 512 * 1024;

export interface FeedOptions {
  readonly store: Pick<Store, 'cursor' | 'apply'>;
  readonly reader: Pick<InboxReader, 'rowsAfter' | 'decode' | 'newestRow'>;
  /** Everything up to this row is in the store, on disk. */
  readonly onPassed: (row: number) => void;
  /**
   * The inbox no longer has these rows, and the store never had them: it is older than the inbox.
   */
  readonly onMissing: (first: number, last: number) => void;
}

export class Feed {
  readonly #options: FeedOptions;
  #passed = -1;
  #isForeign = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Applies one group; `full` when more may be waiting. Faults: those of `apply`;
   * `store_foreign_inbox` (never) when the store knows of rows that the inbox has yet to give out;
   * the reader's own.
   */
  async step(): Promise<'full' | 'done'> {
    const { store, reader, onMissing } = this.#options;
    const cursor = await store.cursor();
    // Asked before anything is passed, and remembered: the inbox must not drop rows for the word
    // of a store that belongs to another one, nor be taken for the right one when it has grown.
    this.#isForeign ||= reader.newestRow < cursor;
    if (this.#isForeign) {
      const detail = `the store is at row ${cursor}, the inbox at ${reader.newestRow}`;
      throw new Fault('store_foreign_inbox', 'never', detail);
    }
    const isFirst = this.#passed < 0;
    this.#pass(cursor);
    const rows = reader.rowsAfter(cursor, GROUP_BYTES_MAX);
    const [first, last] = [rows[0], rows.at(-1)];
    if (!first || !last) return 'done';
    if (isFirst && first.row > cursor + 1) onMissing(cursor + 1, first.row - 1);
    await store.apply(
      rows.map((row) => reader.decode(row)),
      last.row,
    );
    this.#pass(last.row);
    return reader.newestRow > last.row ? 'full' : 'done';
  }

  #pass(row: number): void {
    if (row <= this.#passed) return;
    this.#passed = row;
    this.#options.onPassed(row);
  }
}
