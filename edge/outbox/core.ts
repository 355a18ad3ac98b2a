// The outbox: what is sealed is here until the cloud has it. Synchronous; worker.ts runs it in a
// thread, outbox.ts decides when to commit.
//
// Promises
//   - `commit` reports `committed` only when its records are on disk (one transaction,
//     synchronous=FULL).
//   - A record stays until an ack names it, or it is given up and a debt says so (ledger.ts):
//     decision and debt in one transaction. Whatever is killed when, a loss is told once.
//   - An epoch is drawn at each opening and never reopened.
//   - The outbox opens, whatever the files look like. What can be read is kept; the rest becomes a
//     debt `damaged`. Only a folder that another process has open is refused.
// Layout: a row of files (file.ts), appended to at the end, removed as a whole, so that space
// really comes back and nothing is written twice. The newest is opened before the first reading;
// the older ones are read through step by step (`step`), and until all are, only the present epoch
// is `held`.
// Space: closed records (stored in the cloud) stay while there is room, within ACKED_SHARE, against
// the day the cloud loses its store. Who leaves when space ends is in room.ts.
// Disk full or failing: the commit says so and nothing changes on disk; the caller keeps the
// records and asks again. News (acks, refusals, losses, words) is remembered and written with the
// next good commit.
import { assert, type Fault, isFault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { type Range, RangeSet } from '../../core/ranges.ts';
import { makeEpoch } from '../../protocols/uplink/envelope.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import {
  type Batch,
  type CommitResult,
  type DiskState,
  type Entry,
  type EpochRanges,
  emptyBatch,
  type Held,
  type Opened,
  type OutboxStatus,
  type ReadResult,
  type Refusal,
  type StoredRecord,
} from './batch.ts';
import { OutboxFile, type Row } from './file.ts';
import {
  type FileState,
  listFiles,
  loadNewest,
  newestOpening,
  newFileState,
  noteRow,
  openingOf,
  removeFile,
} from './folder.ts';
import {
  type EpochState,
  type Ledger,
  type Loss,
  Losses,
  notePoints,
  within,
  without,
} from './ledger.ts';
import { Parts } from './parts.ts';
import { Room } from './room.ts';
import { Shelf } from './shelf.ts';

export const FILE_BYTES_MAX = 64 * 1024 * 1024; // One damaged header costs at most this.
const FILES_MIN = 32; // In a small share files are smaller, so that giving up one costs 3 % of it.
/** 32 files of 128 KB; below this the files themselves would be most of the share. */
export const SHARE_BYTES_MIN = 4 * 1024 * 1024;
export const ACKED_SHARE = 0.25;
/**
 * Epochs of which nothing is left: a new store of the cloud is told of them, and tells what it
 * cannot have any more. 8 KB of state and 1 KB of a birth.
 */
export const EPOCHS_REMEMBERED = 32;
/** outbox.ts commits at least this often: what a crash costs. */
export const COMMIT_INTERVAL_MS = 1_000;
/**
 * Over this long the mean rate forgets: coverage comes every 10 s, and two commits a few
 * milliseconds apart say nothing of a rate by themselves.
 */
const RATE_MEAN_MS = 10_000;
const LOG_PAGES_MAX = 1_000; // 4 MB of log, SQLite's own default.
const PAGE_BYTES = 4096;

export interface OutboxCoreOptions {
  readonly folder: string;
  readonly bytesMax: number;
  /** Smaller than the share makes it, for tests in which few records are many. */
  readonly fileBytesMax?: number;
  readonly random: Random;
  /** Stands before each durable write and may throw a Fault: for tests of slow and full disks. */
  readonly beforeWrite?: () => void;
}

export class OutboxCore {
  readonly epoch: Epoch;
  readonly #options: OutboxCoreOptions;
  readonly #fileBytesMax: number;
  readonly #ledger: Ledger;
  readonly #present: EpochState;
  readonly #shelf: Shelf;
  readonly #room: Room;
  readonly #parts: Parts;
  /** Asked for again before it was known whether it is still here. */
  #wantedLater: EpochRanges[] = [];
  #disk: DiskState = 'ok';
  #damaged = { readings: 0, unchanged: 0 };
  #lastMonoMs = 0;

  private constructor(options: OutboxCoreOptions, files: FileState[], ledger: Ledger) {
    this.#options = options;
    this.#fileBytesMax = fileBytesMaxOf(options);
    this.#shelf = new Shelf(options.folder, files, ledger, (loss) => this.#owe(loss));
    this.#parts = new Parts(this.#shelf, ledger, (loss) => this.#owe(loss));
    this.#ledger = ledger;
    const known = Math.max(0, ...[...ledger.epochs.keys()].map(openingOf));
    this.epoch = makeEpoch((known || newestOpening(files)) + 1, options.random);
    this.#oweCrash();
    this.#present = ledger.epoch(this.epoch);
    this.#present.clean = false;
    this.#room = new Room(files, ledger, {
      bytesMax: options.bytesMax,
      fileBytesMax: this.#fileBytesMax,
      ackedShare: ACKED_SHARE,
      open: (file) => this.#shelf.open(file),
      remove: (file) => this.#remove(file),
    });
  }

  /**
   * Throws `outbox_busy` when another process has the folder, `outbox_io` when it cannot be made.
   */
  static open(options: OutboxCoreOptions): OutboxCore {
    const isLarge = options.bytesMax >= SHARE_BYTES_MIN || options.fileBytesMax !== undefined;
    assert(isLarge, `an outbox has at least ${SHARE_BYTES_MIN} bytes`);
    const files = listFiles(options.folder);
    const logPages = logPagesOf(fileBytesMaxOf(options));
    const ledger = loadNewest(options.folder, files, logPages);
    const core = new OutboxCore(options, files, ledger);
    core.commit(emptyBatch); // Makes the epoch durable; when the disk is full, a later commit does.
    return core;
  }

  get opened(): Opened {
    return {
      epoch: this.epoch,
      words: this.#ledger.words,
      parts: [...this.#ledger.parts.keys()],
      result: this.#result(this.#disk === 'ok'),
    };
  }

  commit(batch: Batch): CommitResult {
    this.#takeNews(batch);
    for (let tries = 0; ; tries++) {
      try {
        this.#makeRoom();
        this.#write(this.#newest(), batch);
        this.#disk = 'ok';
        return this.#result(true);
      } catch (error) {
        if (!isFault(error)) throw error;
        if (tries === 0 && this.#recover(error)) continue;
        this.#disk = error.code === 'outbox_full' ? 'full' : 'failing';
        return this.#result(false);
      }
    }
  }

  #result(committed: boolean): CommitResult {
    const { readings, unchanged } = this.#room.counts;
    const status: OutboxStatus = {
      disk: this.#disk,
      bytes: this.#shelf.bytes,
      files: this.#shelf.files.length,
      isScanned: this.#shelf.isScanned,
      givenUp: this.#damaged.readings + readings,
      givenUpUnchanged: this.#damaged.unchanged + unchanged,
      refused: this.#ledger.refused.size,
    };
    return { committed, status, debts: committed ? [...this.#ledger.debts.values()] : [] };
  }

  #makeRoom(): void {
    this.#room.relieve();
    // So full that one piece of work is not enough: the batch waits until there is room for it.
    while (this.#room.isTight) {
      this.#write(this.#newest(), emptyBatch);
      if (!this.#room.relieve() && !this.step()) return;
    }
  }

  /**
   * Whether trying again at once can help: space came free, or a damaged newest file was left
   * behind.
   */
  #recover(error: Fault): boolean {
    if (error.code === 'outbox_full') return this.#room.dropClosed() > 0;
    const newest = this.#shelf.writable;
    if (error.code !== 'outbox_damaged' || !newest) return false;
    this.#shelf.retire(newest);
    newest.scanKey = 0; // What it still has is to be found out again.
    newest.held.clear();
    newest.events.clear();
    newest.rows.fill(0);
    return true;
  }

  #takeNews(batch: Batch): void {
    this.#reopen(batch.wanted); // First: what a new store acked meanwhile it has.
    for (const { epoch, ranges } of batch.sent) this.#noteSent(epoch, ranges);
    for (const { epoch, ranges } of batch.acked) this.#close(epoch, ranges);
    for (const refusal of batch.refused) this.#takeRefusal(refusal, batch.entries);
    for (const loss of batch.dropped) this.#owe(loss);
    for (const hash of batch.lostParts) this.#parts.lose(hash);
    this.#parts.giveUpUnresolved();
    for (const [name, value] of batch.words) this.#ledger.setWord(name, value);
    for (const { part, record } of batch.entries) {
      if (!part) continue;
      const { epoch, sequence } = record;
      this.#ledger.addPart(part.hash, { epoch, sequence, pages: part.pages });
    }
  }

  // What a refused record told of is told again by another one, and it is sent to nobody any more,
  // lest a new store hears of the same losses twice.
  #takeRefusal({ epoch, sequence, reason }: Refusal, entries: readonly Entry[]): void {
    const range = [{ first: sequence, last: sequence }];
    const isIt = ({ record }: Entry) => record.sequence === sequence && epoch === record.epoch;
    const waiting = entries.find(isIt);
    const row = waiting ? rowOf(waiting, 0) : this.#shelf.read(epoch, range, 1)[0];
    this.#close(epoch, range);
    if (!row) return;
    this.#ledger.addRefused({ epoch, sequence, reason, bytes: row.bytes });
    if (row.gaps.length === 0) return;
    const losses = new Losses();
    losses.addRow(row, false, 'damaged');
    for (const loss of losses.all()) this.#ledger.owe(loss);
  }

  // Also what is closed: when it is read it was asked for again, whether or not that is here yet.
  #noteSent(epoch: Epoch, ranges: readonly Range[]): void {
    const state = this.#ledger.epochs.get(epoch);
    if (!state) return;
    for (const { first, last } of without(ranges, state.givenUp)) state.sent.add(first, last);
    this.#ledger.touch(epoch);
  }

  #close(epoch: Epoch, ranges: readonly Range[]): void {
    const state = this.#ledger.epochs.get(epoch);
    if (!state) return; // Long gone: nothing of it is here.
    for (const { first, last } of ranges) {
      state.closed.add(first, last);
      state.sent.remove(first, last);
    }
    this.#ledger.touch(epoch);
  }

  // What was closed and has left stays closed: no damage took it, and the cloud calls it lost.
  #reopen(wanted: readonly EpochRanges[] | 'all'): void {
    const everything = [...this.#ledger.epochs.values()].map(({ epoch, closed }) => ({
      epoch,
      ranges: closed.toArray(),
    }));
    for (const { epoch, ranges } of wanted === 'all' ? everything : wanted) {
      const state = this.#ledger.epochs.get(epoch);
      if (!state) continue;
      const here = this.#shelf.held(epoch);
      here.add(state.next, Number.MAX_SAFE_INTEGER); // Acked, and not yet on disk.
      const held = within(ranges, here);
      for (const { first, last } of held) state.closed.remove(first, last);
      this.#ledger.touch(epoch);
      const isKnown = this.#shelf.isScanned || epoch === this.epoch;
      if (!isKnown) this.#wantedLater.push({ epoch, ranges: without(ranges, RangeSet.of(held)) });
    }
  }

  #owe(loss: Loss): void {
    this.#ledger.owe(loss);
    if (loss.estimated) return;
    this.#damaged.readings += loss.readings;
    this.#damaged.unchanged += loss.unchanged;
  }

  #write(newest: FileState, batch: Batch): void {
    const handle = newest.handle;
    assert(handle, 'the newest file is open');
    const { closed, givenUp, sent, ...before } = this.#present;
    const rows = this.#advance(batch);
    const copies = this.#room.copies;
    const changes = this.#ledger.changes();
    const settled = batch.entries.flatMap(({ settles }) => settles);
    try {
      this.#options.beforeWrite?.();
      handle.transaction(() => {
        for (const row of rows) handle.insert(row);
        for (const row of copies) handle.insert(row);
        for (const [key, value] of changes) handle.putState(key, value);
        for (const id of settled) handle.putState(`debt:${id}`, null);
      });
    } catch (error) {
      Object.assign(this.#present, before);
      throw error;
    }
    this.#ledger.saved(changes);
    this.#ledger.settled(settled);
    if (batch.monoMs > 0) this.#lastMonoMs = batch.monoMs;
    for (const row of rows) noteRow(newest, row);
    for (const row of copies) noteRow(newest, row);
    newest.bytes = handle.bytes;
    this.#room.copied();
  }

  /** Moves the present epoch on by the batch, and gives its rows. */
  #advance({ entries, monoMs }: Batch): Row[] {
    const present = this.#present;
    this.#ledger.touch(this.epoch);
    const takenAtStart = present.taken;
    const rows = entries.map((entry) => {
      const row = rowOf(entry, present.taken);
      present.taken += row.taken;
      present.next = Math.max(present.next, row.sequence + 1);
      notePoints(present, row);
      return row;
    });
    const lapseMs = monoMs - this.#lastMonoMs;
    if (lapseMs > 0) {
      const perSecond = ((present.taken - takenAtStart) * 1_000) / lapseMs;
      // The first second is a second: a burst at the start is no rate.
      const meanMs = Math.min(Math.max(monoMs, COMMIT_INTERVAL_MS), RATE_MEAN_MS);
      const weight = Math.min(1, lapseMs / meanMs);
      present.perSecond += (perSecond - present.perSecond) * weight;
      present.lastMonoMs = Math.max(present.lastMonoMs, monoMs);
    }
    return rows;
  }

  /** The file to append to, made when there is none or the last one is full. */
  #newest(): FileState {
    const { files, writable } = this.#shelf;
    const isToEnd = this.#room.wantsNewFile || (writable?.recordBytes ?? 0) >= this.#fileBytesMax;
    if (writable && !isToEnd) return writable;
    const last = files.at(-1);
    this.#options.beforeWrite?.();
    const file = newFileState(this.#options.folder, (last?.number ?? 0) + 1);
    try {
      file.handle = OutboxFile.create(file.path, logPagesOf(this.#fileBytesMax));
      const everything = this.#ledger.everything();
      file.handle.transaction(() => {
        for (const [key, value] of everything) file.handle?.putState(key, value);
      });
    } catch (error) {
      file.handle?.close();
      removeFile(file.path);
      throw error;
    }
    file.scanKey = null; // It is empty; what comes in is noted as it comes.
    file.bytes = file.handle.bytes;
    if (last) this.#shelf.retire(last);
    files.push(file);
    this.#room.wantsNewFile = false;
    return file;
  }

  /** One bounded piece of background work; false when there is none. */
  step(): boolean {
    const didScan = this.#shelf.scanOn();
    if (!didScan || !this.#shelf.isScanned) return didScan;
    this.#reopen(this.#wantedLater);
    this.#wantedLater = [];
    this.#forget();
    return true;
  }

  #remove(file: FileState): void {
    this.#shelf.remove(file);
    if (this.#shelf.isScanned) this.#forget();
  }

  /** Leaves behind old epochs of which nothing is left, and dictionaries that nobody names. */
  #forget(): void {
    const { files } = this.#shelf;
    const debts = [...this.#ledger.debts.values()];
    const left = [...this.#ledger.epochs.keys()].filter(
      (epoch) =>
        epoch !== this.epoch &&
        !debts.some((debt) => debt.epoch === epoch) &&
        !files.some(({ held }) => held.has(epoch)),
    );
    left.sort((a, b) => openingOf(b) - openingOf(a));
    for (const epoch of left.slice(EPOCHS_REMEMBERED)) this.#ledger.forget(epoch);
    const named = new Set(debts.map(({ manifest }) => manifest));
    for (const { manifests } of files) for (const hash of manifests) named.add(hash);
    this.#ledger.keepParts(named);
  }

  /**
   * Every epoch that is remembered, the present one first, also where nothing is left; only it
   * until all files are scanned.
   */
  held(): Held[] {
    const others = this.#shelf.isScanned ? [...this.#ledger.epochs.keys()] : [];
    const epochs = [this.epoch, ...others.filter((epoch) => epoch !== this.epoch)];
    return epochs.map((epoch) => this.#shelf.summary(epoch));
  }

  /**
   * Records of the ranges, lowest first, until `bytesMax` is reached, at least one. What is named
   * as absent will never be found; the rest was left out for want of room. Who reads is going to
   * send: what was read counts as sent from here on, so that it is not given up between reading and
   * sending.
   */
  read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): ReadResult {
    const records = this.#shelf.read(epoch, ranges, bytesMax).map(toStored);
    this.#noteSent(
      epoch,
      records.map(({ sequence }) => ({ first: sequence, last: sequence })),
    );
    return { records, absent: without(ranges, this.#shelf.held(epoch)) };
  }

  /** The record of a dictionary part; undefined when it is not here or does not have it whole. */
  part(hash: Hash): StoredRecord | undefined {
    const row = this.#parts.get(hash);
    return row && toStored(row);
  }

  /** Marks the end as clean, unless the disk does not let us, and closes the files. */
  close(): void {
    this.#present.clean = true;
    this.commit(emptyBatch);
    this.abandon();
  }

  /** What a kill leaves: the files as they are, without the clean mark. */
  abandon(): void {
    this.#shelf.close();
  }

  // The last epoch did not end by itself: what was taken and not yet committed is gone.
  #oweCrash(): void {
    for (const state of [...this.#ledger.epochs.values()]) {
      if (state.clean) continue;
      state.clean = true;
      this.#ledger.touch(state.epoch);
      if (state.taken === 0) continue;
      this.#ledger.owe({
        cause: 'crash',
        epoch: state.epoch,
        manifest: state.manifest,
        firstAlias: 0,
        points: state.points,
        fromMonoMs: state.lastMonoMs,
        toMonoMs: state.lastMonoMs + COMMIT_INTERVAL_MS,
        readings: Math.ceil((state.perSecond * COMMIT_INTERVAL_MS) / 1_000),
        unchanged: 0,
        estimated: true,
        sequences: [],
      });
    }
  }
}

function fileBytesMaxOf({ bytesMax, fileBytesMax }: OutboxCoreOptions): number {
  return fileBytesMax ?? Math.min(FILE_BYTES_MAX, Math.floor(bytesMax / FILES_MIN));
}

// The log of a small file is a quarter of it, so that the share is kept to.
function logPagesOf(fileBytesMax: number): number {
  return Math.max(1, Math.min(LOG_PAGES_MAX, Math.floor(fileBytesMax / PAGE_BYTES / 4)));
}

/** An entry as it lies in a file. */
export function rowOf(entry: Entry, takenBefore: number): Row {
  const { record, keep, firstAlias, points, gaps } = entry;
  const { epoch, sequence, taken, unchanged, firstMonoMs, lastMonoMs, manifest, bytes } = record;
  return {
    epoch,
    sequence,
    keep,
    taken,
    unchanged,
    takenBefore,
    firstMonoMs,
    lastMonoMs,
    firstAlias,
    points,
    manifest,
    gaps,
    bytes,
  };
}

function toStored({ epoch, sequence, keep, lastMonoMs, bytes }: Row): StoredRecord {
  return { epoch, sequence, isEvent: keep === 'event', lastMonoMs, bytes };
}
