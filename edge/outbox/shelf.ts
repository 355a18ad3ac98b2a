// The row of files of an outbox, read as one: what is held, and the rows of a range. One older file
// is open at a time. A row that was readable once and now is not, or a file nothing can be read of
// any more, is reported as a loss at once.
import { isFault } from '../../core/fault.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import { openRecord, readEnvelope } from '../../protocols/uplink/envelope.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Held } from './batch.ts';
import { OutboxFile, type Row, sizeOf } from './file.ts';
import { type FileState, noteRow, removeFile, setAside } from './folder.ts';
import { damagedLosses } from './holes.ts';
import { type Ledger, type Loss, within, without } from './ledger.ts';

export const SCAN_ROWS = 512;
export const SCAN_BYTES = 1024 * 1024; // About 10 ms a step: a commit waits no longer than that.

export class Shelf {
  readonly folder: string;
  /** Oldest first. */
  readonly files: FileState[];
  readonly #ledger: Ledger;
  readonly #onLoss: (loss: Loss) => void;
  #reader: FileState | null = null;

  constructor(folder: string, files: FileState[], ledger: Ledger, onLoss: (loss: Loss) => void) {
    this.folder = folder;
    this.files = files;
    this.#ledger = ledger;
    this.#onLoss = onLoss;
  }

  /** The newest file when it is open for appending. */
  get writable(): FileState | null {
    const last = this.files.at(-1);
    return last?.handle && last !== this.#reader ? last : null;
  }

  get isScanned(): boolean {
    return this.files.every(({ scanKey }) => scanKey === null);
  }

  get bytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Null when the file cannot be read now; one that never will be is no longer among the files. */
  open(file: FileState): OutboxFile | null {
    if (file.handle) return file.handle;
    if (this.#reader) {
      this.#reader.handle?.close();
      this.#reader.handle = null;
      this.#reader = null;
    }
    try {
      file.handle = OutboxFile.open(file.path, null);
      this.#reader = file;
      return file.handle;
    } catch (error) {
      if (!isFault(error)) throw error;
      if (error.code !== 'outbox_damaged') return null;
      setAside(this.folder, file.path);
      this.#takeOut(file);
      return null;
    }
  }

  /** Ends a file's time as the newest. */
  retire(file: FileState): void {
    file.handle?.finish();
    file.handle = null;
    if (this.#reader === file) this.#reader = null;
    file.bytes = sizeOf(file.path);
  }

  remove(file: FileState): void {
    if (this.#reader === file) this.#reader = null;
    file.handle?.close();
    file.handle = null;
    removeFile(file.path);
    this.#takeOut(file);
  }

  #takeOut(file: FileState): void {
    this.files.splice(this.files.indexOf(file), 1);
    if (this.isScanned) this.findLosses();
  }

  close(): void {
    for (const file of this.files) {
      file.handle?.close();
      file.handle = null;
    }
  }

  /**
   * Reads on through the oldest file not read yet; false when all are or the disk does not let us
   * now.
   */
  scanOn(): boolean {
    const file = this.files.find(({ scanKey }) => scanKey !== null);
    if (!file) return false;
    const handle = this.open(file);
    if (!handle && this.files.includes(file)) return false;
    const scan = handle?.scan(file.scanKey ?? 0, SCAN_ROWS, SCAN_BYTES);
    for (const row of scan?.rows ?? []) {
      noteRow(file, row);
      this.#ledger.noteRow(row);
      this.#notePart(row);
    }
    file.scanKey = scan?.nextKey ?? null;
    if (this.isScanned) this.findLosses();
    return true;
  }

  // Where the state was damaged, the row itself tells that it is a part.
  #notePart(row: Row): void {
    const { epoch, sequence } = row;
    if (this.#ledger.isPart(epoch, sequence)) return;
    const part = partIn(row);
    if (!part || this.#ledger.parts.has(part.hash)) return;
    this.#ledger.addPart(part.hash, { epoch, sequence, pages: part.pages });
  }

  /** What should be held and is not has been damaged. */
  findLosses(): void {
    for (const state of [...this.#ledger.epochs.values()]) {
      const held = this.held(state.epoch);
      for (const loss of damagedLosses(state, held, this.#row)) this.#onLoss(loss);
    }
  }

  readonly #row = (epoch: Epoch, sequence: number): Row | undefined => {
    const range = [{ first: sequence, last: sequence }];
    for (const file of [...this.files]) {
      if (!file.held.get(epoch)?.has(sequence)) continue;
      const row = this.open(file)?.read(epoch, range, 1)[0];
      if (row) return row;
    }
    return undefined;
  };

  held(epoch: Epoch, what: 'held' | 'events' = 'held'): RangeSet {
    const union = new RangeSet();
    for (const file of this.files) {
      for (const { first, last } of file[what].get(epoch)?.toArray() ?? []) union.add(first, last);
    }
    for (const { first, last } of this.#ledger.epochs.get(epoch)?.givenUp.toArray() ?? []) {
      union.remove(first, last);
    }
    return union;
  }

  summary(epoch: Epoch): Held {
    const { closed, next } = this.#ledger.epoch(epoch);
    const ranges = this.held(epoch).toArray();
    const open = without(ranges, closed);
    return { epoch, ranges, open, events: within(open, this.held(epoch, 'events')), next };
  }

  /** Rows of the ranges, lowest first, until `bytesMax` is reached, at least one. */
  read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): Row[] {
    const rows = new Map<number, Row>();
    const seen = RangeSet.of(this.#ledger.epochs.get(epoch)?.givenUp.toArray() ?? []);
    let bytes = 0;
    for (const file of [...this.files]) {
      const set = file.held.get(epoch);
      if (!set || (rows.size > 0 && bytes >= bytesMax)) continue;
      const here = without(within(ranges, set), seen);
      const handle = here.length > 0 ? this.open(file) : null;
      const found = handle?.read(epoch, here, bytesMax - bytes) ?? [];
      for (const row of found) {
        bytes += row.bytes.length;
        rows.set(row.sequence, row);
        seen.add(row.sequence);
      }
      if (handle) this.#noteUnreadable(epoch, set, here, found);
    }
    return [...rows.values()].sort((a, b) => a.sequence - b.sequence);
  }

  // What lies before the last row found was passed over: it was there once and cannot be read now.
  #noteUnreadable(
    epoch: Epoch,
    set: RangeSet,
    here: readonly Range[],
    found: readonly Row[],
  ): void {
    const end = found.at(-1)?.sequence ?? here.at(-1)!.last;
    const passed = within(here, RangeSet.of([{ first: 1, last: end }]));
    const present = RangeSet.of(found.map(({ sequence }) => ({ first: sequence, last: sequence })));
    const lost = without(passed, present);
    if (lost.length === 0) return;
    for (const { first, last } of lost) set.remove(first, last);
    const state = this.#ledger.epoch(epoch);
    const held = this.held(epoch);
    const holes = RangeSet.of(without(without(lost, state.closed), held));
    for (const loss of damagedLosses(state, held, this.#row, holes)) this.#onLoss(loss);
  }
}

/** The part a row brings, and for a manifest the pages it lists; null when it brings none. */
export function partIn({ keep, manifest, bytes }: Row) {
  if (keep !== 'event' || manifest !== '' || !readEnvelope(bytes).ok) return null;
  try {
    const { dictionaryHash: hash, body } = openRecord(bytes);
    const { dictionary } = body;
    if (hash === null || dictionary === null) return null;
    return { hash, pages: dictionary.kind === 'manifest' ? dictionary.pages : null };
  } catch (error) {
    if (!isFault(error)) throw error;
    return null;
  }
}
