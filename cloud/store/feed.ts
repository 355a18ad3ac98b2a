// From the inbox into the store: what was committed behind the store's cursor is decoded and applied, a
// group of records at a time. One step is the whole of it; whoever drives it owns time and retry.
//
// The inbox may forget a row only after `onPassed` named it, and that is after the store's commit. A crash
// between the two repeats the rows, and the store's cursor makes nothing of it.
import { Fault } from '../../core/fault.ts';
import type { InboxReader } from '../inbox/reader.ts';
import type { Store } from './store.ts';

/**
 * Of records in one transaction. At 3 to 5 B a reading some 100,000 readings, 5 MB once decoded, which
 * take about 150 ms: large enough to make a commit cheap, small enough to be waited for.
 */
export const GROUP_BYTES_MAX = 512 * 1024;

export interface FeedOptions {
  readonly store: Pick<Store, 'cursor' | 'apply'>;
  readonly reader: Pick<InboxReader, 'rowsAfter' | 'decode' | 'newestRow'>;
  /** Everything up to this row is in the store, on disk. */
  readonly onPassed: (row: number) => void;
}

export class Feed {
  readonly #options: FeedOptions;
  #passed = -1;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /**
   * Applies one group; `full` when more may be waiting. Faults: those of `apply`; `store_foreign_inbox`
   * (never) when the store knows of rows that the inbox has yet to give out; the reader's own.
   */
  async step(): Promise<'full' | 'done'> {
    const { store, reader } = this.#options;
    const cursor = await store.cursor();
    this.#pass(cursor);
    const rows = reader.rowsAfter(cursor, GROUP_BYTES_MAX);
    const last = rows.at(-1);
    if (!last) {
      const { newestRow } = reader;
      if (newestRow >= cursor) return 'done';
      const detail = `the store is at row ${cursor}, the inbox at ${newestRow}`;
      throw new Fault('store_foreign_inbox', 'never', detail);
    }
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
