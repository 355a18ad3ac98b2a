// One file of the outbox: an SQLite database that is only ever appended to, and removed as a whole.
//
// Format 1 (`PRAGMA user_version`). Two tables:
//   records  one row a record. The key is opening number of the epoch x 2^32 + sequence, so that
//   the rows
//            of an epoch lie in order, are found without an index, and are appended at the right
//            edge of the tree. `crc` is a CRC-32 over every other column.
//   state    what the outbox knows beside the records (epochs, ranges, debts, dictionary parts), as
//   text
//            under a key, each with its CRC-32. The newest file speaks; older ones keep what was
//            true when they were the newest, which is the fallback when the newest is damaged.
//
// The newest file is in WAL mode with synchronous=FULL: a commit is one fsync of the log. When it
// is full it turns into a plain database without a log beside it. The lock is exclusive: a second
// process that opens the same folder is told so, and cannot hand out the same sequences.
//
// Damage: a flipped bit in a row costs that row (checksum); in a page the rows of that page. `scan`
// seeks over what cannot be read and goes on behind it.
import { closeSync, fsyncSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import { Fault, isFault } from '../../core/fault.ts';
import type { Range } from '../../core/ranges.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Epoch, Gap, Hash } from '../../protocols/uplink/record.ts';

export const FILE_FORMAT = 1;

/** What is given up first when space ends stands first. The place is the code in the file. */
export const keepClasses = ['trend', 'compliance', 'life-safety', 'event'] as const;
export type KeepClass = (typeof keepClasses)[number];

/** A record as it lies in a file, with what must be known of it when it has to be given up. */
export interface Row {
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly keep: KeepClass;
  readonly taken: number;
  readonly unchanged: number;
  /** Readings taken in this epoch before this record: tells what a hole between two rows cost. */
  readonly takenBefore: number;
  readonly firstMonoMs: number;
  readonly lastMonoMs: number;
  /** Smallest run of aliases that has every point of the record. */
  readonly firstAlias: number;
  readonly points: number;
  readonly manifest: Hash;
  /** Gaps the record tells of: when it must go, they are told again by another one. */
  readonly gaps: readonly Gap[];
  readonly bytes: Uint8Array;
}

export interface ScanStep {
  readonly rows: readonly Row[];
  /** Where to go on; null when the end was reached. */
  readonly nextKey: number | null;
  /** Something between the rows could not be read. */
  readonly damaged: boolean;
}

const OPENINGS = 2 ** 20; // Openings that one file can tell apart: far more than it has rows.
const SEQUENCES = 2 ** 32;
const KEY_MAX = OPENINGS * SEQUENCES;
const SKIP_ONE_BY_ONE = 64; // A page of 4 KB holds fewer rows than this.
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

export function rowKey(epoch: Epoch, sequence: number): number {
  return (Number.parseInt(epoch, 10) % OPENINGS) * SEQUENCES + sequence;
}

/**
 * What a failed operation on a file means: `outbox_full`, `outbox_damaged`, `outbox_busy` or
 * `outbox_io`.
 */
export function fileFault(error: unknown, what: string): Fault {
  if (isFault(error)) return error;
  const number = errorCode(error);
  if (number === null) throw error;
  if (number === SQLITE_FULL) return new Fault('outbox_full', 'later', what, error);
  if (number === SQLITE_BUSY) {
    const detail = bilingual('outbox-open-elsewhere', { path: what });
    return new Fault('outbox_busy', 'later', detail, error);
  }
  const isDamage = number === SQLITE_CORRUPT || number === SQLITE_NOTADB;
  return new Fault(isDamage ? 'outbox_damaged' : 'outbox_io', 'later', what, error);
}

/** The primary result code of an SQLite error; errno codes of file calls count as input/output. */
function errorCode(error: unknown): number | null {
  if (!(error instanceof Error)) return null;
  if ('errcode' in error && typeof error.errcode === 'number') return error.errcode & 0xff;
  if (!('code' in error) || typeof error.code !== 'string') return null;
  if (error.code === 'ENOSPC') return SQLITE_FULL;
  if (error.code === 'ERR_OUT_OF_RANGE') return SQLITE_CORRUPT; // A damaged integer beyond 2^53.
  return /^E[A-Z]+$/.test(error.code) ? 10 : null;
}

export class OutboxFile {
  readonly path: string;
  #database: DatabaseSync;
  #insert: StatementSync;
  #from: StatementSync;
  #between: StatementSync;
  #putState: StatementSync;
  #dropState: StatementSync;

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    this.#from = database.prepare('SELECT * FROM records WHERE key > ? ORDER BY key LIMIT ?');
    this.#between = database.prepare(
      'SELECT * FROM records WHERE key > ? AND key <= ? ORDER BY key',
    );
    this.#putState = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?)');
    this.#dropState = database.prepare('DELETE FROM state WHERE key = ?');
  }

  /** A new, empty file, its log bounded by `logPages` of 4 KB. Throws `fileFault`s. */
  static create(path: string, logPages: number): OutboxFile {
    return OutboxFile.#opened(path, (database) => {
      database.exec(
        `PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL; PRAGMA user_version = ${FILE_FORMAT};
         CREATE TABLE records (
           key INTEGER PRIMARY KEY, epoch TEXT NOT NULL, keep INTEGER NOT NULL,
           taken INTEGER NOT NULL, unchanged INTEGER NOT NULL, taken_before INTEGER NOT NULL,
           first_mono INTEGER NOT NULL, last_mono INTEGER NOT NULL,
           first_alias INTEGER NOT NULL, points INTEGER NOT NULL, manifest TEXT NOT NULL,
           gaps TEXT NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL
         ) STRICT;
         CREATE TABLE state (
           key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL
         ) STRICT, WITHOUT ROWID;`,
      );
      boundLog(database, logPages);
      syncFolder(dirname(path));
    });
  }

  /**
   * For appending with a bounded log, or with null for reading what is there. Throws
   * `outbox_damaged` when it is no file of this format; `outbox_busy` when another process has it.
   */
  static open(path: string, logPages: number | null): OutboxFile {
    return OutboxFile.#opened(path, (database) => {
      database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA cell_size_check = ON;');
      const version = database.prepare('PRAGMA user_version').get()?.['user_version'];
      if (version !== FILE_FORMAT) {
        const values = { what: path, found: Number(version), known: FILE_FORMAT };
        throw new Fault('outbox_damaged', 'never', bilingual('later-format', values));
      }
      if (logPages === null) return;
      database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
      boundLog(database, logPages);
    });
  }

  static #opened(path: string, prepare: (database: DatabaseSync) => void): OutboxFile {
    let database: DatabaseSync | null = null;
    try {
      database = new DatabaseSync(path);
      prepare(database);
      return new OutboxFile(path, database);
    } catch (error) {
      if (database) closeQuietly(database);
      throw fileFault(error, path);
    }
  }

  /** Runs `work` in one durable transaction; on failure nothing of it is there. */
  transaction(work: () => void): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // SQLite rolls back by itself on some failures, and refuses to do it twice.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw fileFault(error, this.path);
    }
  }

  insert(row: Row): void {
    const gaps = row.gaps.length > 0 ? JSON.stringify(row.gaps) : '';
    this.#insert.run(
      rowKey(row.epoch, row.sequence),
      row.epoch,
      keepClasses.indexOf(row.keep),
      row.taken,
      row.unchanged,
      row.takenBefore,
      row.firstMonoMs,
      row.lastMonoMs,
      row.firstAlias,
      row.points,
      row.manifest,
      gaps,
      rowChecksum(row, gaps),
      row.bytes,
    );
  }

  putState(key: string, value: string | null): void {
    if (value === null) this.#dropState.run(key);
    else this.#putState.run(key, value, crc32(`${key}\n${value}`));
  }

  /** What can be read of the state; `isWhole` is false when anything could not. */
  loadState(): { readonly state: Map<string, string>; readonly isWhole: boolean } {
    const state = new Map<string, string>();
    let isWhole = true;
    try {
      for (const row of this.#database.prepare('SELECT * FROM state').iterate()) {
        const { key, value, crc } = row;
        if (typeof key !== 'string' || typeof value !== 'string') isWhole = false;
        else if (crc32(`${key}\n${value}`) !== crc) isWhole = false;
        else state.set(key, value);
      }
    } catch (error) {
      fileFault(error, this.path); // Rethrows what is no failure of the file.
      isWhole = false;
    }
    return { state, isWhole };
  }

  /**
   * Rows of the ranges, lowest first, until `bytesMax` is reached, at least one; damaged ones are
   * left out.
   */
  read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): readonly Row[] {
    const rows: Row[] = [];
    let bytes = 0;
    for (const { first, last } of ranges) {
      let next = first;
      while (next <= last) {
        try {
          // Sought from the row before, as `scan` does: what it found, this finds.
          const before = rowKey(epoch, next) - 1;
          for (const raw of this.#between.iterate(before, rowKey(epoch, last))) {
            const row = toRow(raw);
            next = Math.max(next, keyOf(raw) % SEQUENCES) + 1;
            if (row?.epoch !== epoch) continue;
            if (rows.length > 0 && bytes + row.bytes.length > bytesMax) return rows;
            rows.push(row);
            bytes += row.bytes.length;
          }
          break;
        } catch (error) {
          fileFault(error, this.path);
          next++; // The row at `next` or the page it is on cannot be read.
        }
      }
    }
    return rows;
  }

  /** Reads on behind `afterKey` (0 to begin) for at most `rowsMax` rows or about `bytesMax`. */
  scan(afterKey: number, rowsMax: number, bytesMax: number): ScanStep {
    const rows: Row[] = [];
    let key = afterKey;
    let bytes = 0;
    let seen = 0;
    let damaged = false;
    try {
      for (const raw of this.#from.iterate(afterKey, rowsMax)) {
        seen++;
        const rawKey = keyOf(raw);
        if (rawKey <= key || rawKey > KEY_MAX) throw damage(this.path);
        key = rawKey;
        const row = toRow(raw);
        if (!row) damaged = true;
        else {
          rows.push(row);
          bytes += row.bytes.length;
          if (bytes >= bytesMax) return { rows, nextKey: key, damaged };
        }
      }
      return { rows, nextKey: seen < rowsMax ? null : key, damaged };
    } catch (error) {
      fileFault(error, this.path);
      return { rows, nextKey: this.#nextReadable(key), damaged: true };
    }
  }

  // The smallest place behind `key` from which a row can be read again, null when there is none:
  // one by one over a damaged page, then in doubling steps and back by halves over a damaged
  // branch.
  #nextReadable(key: number): number | null {
    for (let place = key + 1; place <= key + SKIP_ONE_BY_ONE; place++) {
      if (this.#isReadableBehind(place)) return place;
    }
    let low = key + SKIP_ONE_BY_ONE;
    let step = SKIP_ONE_BY_ONE;
    while (!this.#isReadableBehind(low + step)) {
      low += step;
      step *= 2;
      if (low + step > KEY_MAX) return null;
    }
    let high = low + step;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#isReadableBehind(middle)) high = middle;
      else low = middle;
    }
    return high;
  }

  #isReadableBehind(place: number): boolean {
    try {
      const raw = this.#from.get(place, 1);
      return raw === undefined || keyOf(raw) > place;
    } catch (error) {
      fileFault(error, this.path);
      return false;
    }
  }

  /** The epoch with the highest opening number; undefined in a file without rows. */
  lastEpoch(): Epoch | undefined {
    try {
      const row = this.#database
        .prepare('SELECT epoch FROM records ORDER BY key DESC LIMIT 1')
        .get();
      return typeof row?.['epoch'] === 'string' ? row['epoch'] : undefined;
    } catch (error) {
      throw fileFault(error, this.path);
    }
  }

  /** Bytes on disk, log included. */
  get bytes(): number {
    return sizeOf(this.path) + sizeOf(`${this.path}-wal`);
  }

  /** Ends the file's time as the newest: everything into the database itself, no log beside it. */
  finish(): void {
    try {
      this.#database.exec('PRAGMA journal_mode = DELETE');
    } catch (error) {
      fileFault(error, this.path); // The log stays and is read when the file is opened again.
    }
    this.close();
  }

  close(): void {
    closeQuietly(this.#database);
  }
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function boundLog(database: DatabaseSync, pages: number): void {
  database.exec(
    `PRAGMA wal_autocheckpoint = ${pages}; PRAGMA journal_size_limit = ${pages * 4096};`,
  );
}

// A new name in a folder is durable only when the folder is.
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function closeQuietly(database: DatabaseSync): void {
  try {
    database.close();
  } catch (error) {
    fileFault(error, 'close'); // What was committed is in the log; closing only tidies up.
  }
}

function damage(path: string): Fault {
  return new Fault('outbox_damaged', 'later', bilingual('outbox-disordered', { path }));
}

type Raw = Record<string, unknown>;

function keyOf(raw: Raw): number {
  return typeof raw['key'] === 'number' ? raw['key'] : KEY_MAX + 1;
}

function rowChecksum(row: Row, gaps: string): number {
  const head = [
    row.epoch,
    row.sequence,
    row.keep,
    row.taken,
    row.unchanged,
    row.takenBefore,
    row.firstMonoMs,
    row.lastMonoMs,
    row.firstAlias,
    row.points,
    row.manifest,
    gaps,
  ].join('\n');
  return crc32(row.bytes, crc32(head));
}

/** Undefined when the checksum says that the row is not what was written. */
function toRow(raw: Raw): Row | undefined {
  const { epoch, keep, taken, unchanged, taken_before, first_mono, last_mono } = raw;
  const { first_alias, points, manifest, gaps, crc, bytes } = raw;
  const numbers = [
    keep,
    taken,
    unchanged,
    taken_before,
    first_mono,
    last_mono,
    first_alias,
    points,
  ];
  if (!numbers.every((value) => typeof value === 'number')) return undefined;
  if (typeof epoch !== 'string' || typeof manifest !== 'string' || typeof gaps !== 'string') {
    return undefined;
  }
  if (!(bytes instanceof Uint8Array)) return undefined;
  const row = {
    epoch,
    sequence: keyOf(raw) % SEQUENCES,
    keep: keepClasses[Number(keep)] ?? 'event',
    taken: Number(taken),
    unchanged: Number(unchanged),
    takenBefore: Number(taken_before),
    firstMonoMs: Number(first_mono),
    lastMonoMs: Number(last_mono),
    firstAlias: Number(first_alias),
    points: Number(points),
    manifest,
    bytes,
  };
  if (rowChecksum({ ...row, gaps: [] }, gaps) !== crc) return undefined;
  if (rowKey(epoch, row.sequence) !== keyOf(raw)) return undefined;
  return { ...row, gaps: gaps === '' ? [] : parseGaps(gaps) };
}

// The checksum has vouched for the text: it is what we wrote.
function parseGaps(text: string): Gap[] {
  return JSON.parse(text);
}
