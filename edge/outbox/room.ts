// Space in the outbox: what leaves when the share is used up, and in which order.
//
//   1. Files whose records are all closed (the cloud has them), oldest first.
//   2. A file of which less than half is still needed: what is needed is copied to the newest.
//   3. What nobody has yet, a file at a time from the oldest: its trend records; when no file has any, or
//      giving up single ones would make too many ranges, its compliance records with them; when nothing
//      but life-safety and events is left, those too. What stays of the file is copied to the newest.
// Each `relieve` does one bounded piece, and begins three files before the share is full. Copies are
// committed before the file they come from is removed; a kill between leaves both, which is harmless.
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { keepClasses, type OutboxFile, type Row } from './file.ts';
import type { FileState } from './folder.ts';
import { type Ledger, Losses, without } from './ledger.ts';

/**
 * Ranges an epoch may have in stored and given up records together. The cloud keeps at most 1,024 and does
 * not ack what would open another; the rest is for events that go before the backlog.
 */
export const EPOCH_RANGES_MAX = 960;
const COPY_ROWS = 512;
const COPY_BYTES = 1024 * 1024; // About 10 ms of a commit.
const HEADROOM_FILES = 3; // One being written, one being copied, one for what comes in meanwhile.
const NEEDED_SHARE = 0.5;

export interface RoomOptions {
  readonly bytesMax: number;
  readonly fileBytesMax: number;
  /** Share of the room that closed records may fill. */
  readonly ackedShare: number;
  readonly open: (file: FileState) => OutboxFile | null;
  readonly remove: (file: FileState) => void;
}

interface Copying {
  readonly file: FileState;
  readonly rows: readonly Row[];
  readonly nextKey: number | null;
}

export class Room {
  readonly #files: readonly FileState[];
  readonly #ledger: Ledger;
  readonly #options: RoomOptions;
  /** The file that is being emptied, and how far its rows have been copied. */
  #emptying: { readonly file: FileState; key: number } | null = null;
  #copying: Copying | null = null;
  #counts = { readings: 0, unchanged: 0 };

  constructor(files: readonly FileState[], ledger: Ledger, options: RoomOptions) {
    this.#files = files;
    this.#ledger = ledger;
    this.#options = options;
  }

  /** Readings given up so far, and of them those covered as unchanged. */
  get counts(): { readonly readings: number; readonly unchanged: number } {
    return this.#counts;
  }

  get #usedBytes(): number {
    return this.#files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** So full that a batch must wait for room. */
  get isTight(): boolean {
    return this.#usedBytes > this.#options.bytesMax - this.#options.fileBytesMax;
  }

  /** One bounded piece of work towards more room; false when there was nothing to do. */
  relieve(): boolean {
    if (this.#emptying) return this.#copyOn(this.#emptying);
    if (this.#dropOverAckedShare()) return true;
    const { bytesMax, fileBytesMax } = this.#options;
    if (this.#usedBytes <= bytesMax - HEADROOM_FILES * fileBytesMax) return false;
    if (this.#dropOldestClosed()) return true;
    const sparse = this.#older().find((file) => this.#neededShare(file) < NEEDED_SHARE);
    if (sparse) return this.#empty(sparse);
    for (let level = 1; level <= keepClasses.length; level++) {
      for (const file of this.#older()) {
        if (file.gaveUp >= level) continue;
        // Reading through one file is enough for one call, also when it had nothing to give.
        return this.#giveUp(file, level) ? this.#empty(file) : true;
      }
    }
    return false;
  }

  /** Removes every closed file: for a disk that is full though the share is not. */
  dropClosed(): number {
    let dropped = 0;
    while (this.#dropOldestClosed()) dropped++;
    return dropped;
  }

  /** Rows to be written to the newest file with the next commit; `copied` when they are. */
  get copies(): readonly Row[] {
    return this.#copying?.rows ?? [];
  }

  copied(): void {
    if (!this.#copying) return;
    const { file, nextKey } = this.#copying;
    this.#copying = null;
    if (nextKey !== null) this.#emptying = { file, key: nextKey };
    else {
      this.#emptying = null;
      this.#options.remove(file);
    }
  }

  #older(): readonly FileState[] {
    return this.#files.slice(0, -1).filter(({ scanKey }) => scanKey === null);
  }

  #needed(file: FileState, epoch: Epoch): number {
    const state = this.#ledger.epochs.get(epoch);
    let ranges = file.held.get(epoch)?.toArray() ?? [];
    if (state) ranges = without(without(ranges, state.closed), state.givenUp);
    return RangeSet.of(ranges).size;
  }

  #neededShare(file: FileState): number {
    let all = 0;
    let needed = 0;
    for (const [epoch, set] of file.held) {
      all += set.size;
      needed += this.#needed(file, epoch);
    }
    return all === 0 ? 0 : needed / all;
  }

  #isClosed(file: FileState): boolean {
    for (const epoch of file.held.keys()) if (this.#needed(file, epoch) > 0) return false;
    return true;
  }

  #dropOldestClosed(): boolean {
    const closed = this.#older().find((file) => this.#isClosed(file));
    if (!closed) return false;
    if (this.#emptying?.file === closed) {
      this.#emptying = null;
      this.#copying = null;
    }
    this.#options.remove(closed);
    return true;
  }

  #dropOverAckedShare(): boolean {
    // Cheap in the usual case: as long as all files together are within the share there is nothing to ask.
    const shareBytes = this.#options.bytesMax * this.#options.ackedShare;
    if (this.#usedBytes <= shareBytes) return false;
    const closed = this.#older().filter((file) => this.#isClosed(file));
    const bytes = closed.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes <= shareBytes || !closed[0]) return false;
    this.#options.remove(closed[0]);
    return true;
  }

  #empty(file: FileState): boolean {
    this.#emptying = { file, key: 0 };
    return this.#copyOn(this.#emptying);
  }

  #copyOn({ file, key }: { readonly file: FileState; readonly key: number }): boolean {
    if (this.#copying) return true;
    const handle = this.#options.open(file);
    if (!handle) {
      this.#emptying = null;
      return true;
    }
    const { rows, nextKey } = handle.scan(key, COPY_ROWS, COPY_BYTES);
    this.#copying = { file, rows: rows.filter((row) => this.#isNeeded(row)), nextKey };
    return true;
  }

  #isNeeded({ epoch, sequence }: Row): boolean {
    const state = this.#ledger.epochs.get(epoch);
    return !state || !(state.closed.has(sequence) || state.givenUp.has(sequence));
  }

  /** Owes the rows of the first `level` classes; false when the file has none, or they make too many ranges. */
  #giveUp(file: FileState, level: number): boolean {
    const handle = this.#options.open(file);
    if (!handle) return false;
    const losses = new Losses();
    const counts = { readings: 0, unchanged: 0 };
    for (let key: number | null = 0; key !== null; ) {
      const step = handle.scan(key, COPY_ROWS, COPY_BYTES);
      for (const row of step.rows) {
        if (keepClasses.indexOf(row.keep) >= level || !this.#isNeeded(row)) continue;
        losses.addRow(row);
        counts.readings += row.taken;
        counts.unchanged += row.unchanged;
      }
      key = step.nextKey;
    }
    file.gaveUp = level;
    if (losses.size === 0) return false;
    if (level < keepClasses.length - 1 && !this.#fits(losses)) return false;
    for (const loss of losses.all()) this.#ledger.owe(loss);
    this.#counts.readings += counts.readings;
    this.#counts.unchanged += counts.unchanged;
    return true;
  }

  #fits(losses: Losses): boolean {
    const unions = new Map<Epoch, RangeSet>();
    for (const { epoch, sequences } of losses.all()) {
      let union = unions.get(epoch);
      if (!union) {
        const state = this.#ledger.epoch(epoch);
        union = RangeSet.of([...state.closed.toArray(), ...state.givenUp.toArray()]);
        unions.set(epoch, union);
      }
      for (const { first, last } of sequences) union.add(first, last);
    }
    return [...unions.values()].every(({ count }) => count <= EPOCH_RANGES_MAX);
  }
}
