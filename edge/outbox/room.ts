// Space in the outbox: what leaves when the share is used up, and in which order.
//
//   1. Files whose records are all closed (the cloud has them), oldest first.
//   2. A file of which less than three quarters are still needed: what is needed is copied to the
//      newest.
//   3. What nobody has yet, a file at a time from the oldest: its trend records; when no file has
//      any, or giving up single ones would make too many ranges, its compliance records with them;
//      when nothing but life-safety and events is left, those too. The newest file is ended early
//      when it has what should go before anything in the others.
// Each `relieve` does one bounded piece, and begins three files before the share is full. Copies
// are committed before the file they come from is removed; a kill between leaves both, which is
// harmless.
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { keepClasses, type OutboxFile, type Row } from './file.ts';
import type { FileState } from './folder.ts';
import { type Ledger, Losses, without } from './ledger.ts';

/**
 * Ranges an epoch may have in stored and given up records together. The cloud keeps at most 1,024
 * and does not ack what would open another; the rest is for events that go before the backlog.
 */
export const EPOCH_RANGES_MAX = 960;
const COPY_ROWS = 512;
const COPY_BYTES = 1024 * 1024; // About 10 ms of a commit.
const HEADROOM_FILES = 3; // One being written, one being copied, one for what comes in meanwhile.
const NEEDED_SHARE = 0.75; // Three rows copied for one that is freed, at worst.
const CLOSED_SHARE = 0.05; // A few dictionary parts do not keep a file.
const LESSER_CLASSES = 2; // Trend and compliance: single ones are given up only in few ranges.

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
  /** What is done in each epoch, asked for once a call. */
  readonly #done = new Map<Epoch, RangeSet>();
  #counts = { readings: 0, unchanged: 0 };
  /** The newest file has what should go before anything in the others: it is to be ended. */
  wantsNewFile = false;

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
    this.#done.clear();
    if (this.#emptying) return this.#copyOn(this.#emptying);
    if (this.#dropOverAckedShare()) return true;
    const { bytesMax, fileBytesMax } = this.#options;
    if (this.#usedBytes <= bytesMax - HEADROOM_FILES * fileBytesMax) return false;
    if (this.#dropOldestClosed()) return true;
    const sparse = this.#older().find((file) => this.#neededShare(file) < NEEDED_SHARE);
    if (sparse) return this.#empty(sparse);
    for (let level = 1; level <= keepClasses.length; level++) {
      if (this.#endNewest(level)) return true;
      const file = this.#older().find((it) => it.gaveUp < level && hasRows(it, level));
      if (!file) continue;
      this.#giveUp(file, level);
      return true;
    }
    return false;
  }

  // A new file for each lesser record would cost more than it keeps: it is worth it from a quarter
  // on.
  #endNewest(level: number): boolean {
    const newest = this.#files.at(-1);
    if (!newest || newest.recordBytes < this.#options.fileBytesMax / 4) return false;
    this.wantsNewFile = hasRows(newest, level - 1);
    return this.wantsNewFile;
  }

  /** Removes every closed file: for a disk that is full though the share is not. */
  dropClosed(): number {
    this.#done.clear();
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
    const ranges = file.held.get(epoch)?.toArray() ?? [];
    let done = this.#done.get(epoch);
    if (!done) this.#done.set(epoch, (done = this.#ledger.done(epoch)));
    return RangeSet.of(without(ranges, done)).size;
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
    // Cheap in the usual case: as long as all files together are within the share there is nothing
    // to ask.
    const shareBytes = this.#options.bytesMax * this.#options.ackedShare;
    if (this.#usedBytes <= shareBytes) return false;
    const closed = this.#older().filter((file) => this.#neededShare(file) < CLOSED_SHARE);
    const bytes = closed.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes <= shareBytes || !closed[0]) return false;
    return this.#empty(closed[0]);
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
    if (state?.givenUp.has(sequence)) return false;
    return !state?.closed.has(sequence) || this.#ledger.isPart(epoch, sequence);
  }

  /**
   * Owes the rows of the first `level` classes, unless there are none or they make too many ranges.
   */
  #giveUp(file: FileState, level: number): void {
    const handle = this.#options.open(file);
    file.gaveUp = level;
    if (!handle) return;
    const losses = new Losses();
    const counts = { readings: 0, unchanged: 0 };
    for (let key: number | null = 0; key !== null; ) {
      const step = handle.scan(key, COPY_ROWS, COPY_BYTES);
      for (const row of step.rows) {
        if (keepClasses.indexOf(row.keep) >= level || !this.#isNeeded(row)) continue;
        if (this.#ledger.isPart(row.epoch, row.sequence)) continue;
        const isSent = this.#ledger.epochs.get(row.epoch)?.sent.has(row.sequence) ?? false;
        if (isSent && level < keepClasses.length) continue;
        losses.addRow(row, isSent);
        counts.readings += row.taken;
        counts.unchanged += row.unchanged;
      }
      key = step.nextKey;
    }
    if (level <= LESSER_CLASSES && !this.#fits(losses)) return;
    for (const loss of losses.all()) this.#ledger.owe(loss);
    this.#counts.readings += counts.readings;
    this.#counts.unchanged += counts.unchanged;
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

/** Whether the file has any row of the first `level` classes. */
function hasRows({ rows }: FileState, level: number): boolean {
  return rows.slice(0, level).some((count) => count > 0);
}
