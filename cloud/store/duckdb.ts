// The embedded time-series store: DuckDB for what is hot, Parquet for the rest.
//
//   FOLDER/store.duckdb   hot readings, coverage, gaps, catalogue, table of parts, cursor
//   FOLDER/parts/         one file a part; the table says which count
//   FOLDER/spill/         what sorting cannot keep in memory
//
// Invariants
// - `apply` is one transaction: rows, catalogue, labels and cursor. After a crash, or any error,
//   what is in memory is read again from disk before the next call, so both always agree.
// - A reading is in exactly one place a reader sees: hot tables, closing tables, or a listed part.
// - One writer: `apply` and the short transactions of the housekeeping follow one another; readers
//   never wait for either.
// Failure cases
// - Disk full: `store_full`, nothing applied, the same call works once there is room. A reserve is
//   kept free, so that the housekeeping can still write the smaller parts that give room back.
// - A part missing or damaged: left out, reported in `stats` and in each answer it belongs to.
// - A newer format: refused. A second process: refused by DuckDB's lock.
import { existsSync, statfsSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { assert, Fault, isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import { type Batch, batchOf } from './batch.ts';
import { Database } from './database.ts';
import { prepare } from './format.ts';
import { filesOf, PartFolder } from './parts.ts';
import * as queries from './queries.ts';
import type { HotState } from './rollover.ts';
import { keepHouse } from './rollover.ts';
import type { Loaded } from './schema.ts';
import * as schema from './schema.ts';
import { Shelf } from './shelf.ts';
import type {
  Account,
  EpochName,
  GapQuery,
  History,
  HistoryQuery,
  Latest,
  Store,
  StoredGap,
  StoreStats,
} from './store.ts';
import { HISTORY_ROWS_MAX } from './store.ts';

const MEBIBYTE = 1024 * 1024;

export interface DuckStoreOptions {
  readonly folder: string;
  /** DuckDB's own; the rest of the process comes on top. */
  readonly memoryBytes?: number;
  readonly threads?: number;
  /** Rows of one part, and of the hot tables before they are closed early. */
  readonly partRowsMax?: number;
  /** Below this much free space nothing more is applied. */
  readonly reserveBytes?: number;
}

const defaults = {
  // A quarter of what the cloud may have: writing a part of 20 M rows then peaks at about 500 MB
  // resident (700 MB with twice as much), since what DuckDB takes outside its limit comes on top.
  // Sorts spill.
  memoryBytes: 256 * MEBIBYTE,
  threads: 2,
  // At 20,000 readings a second a quarter of an hour; one point of it is found in tens of
  // milliseconds.
  partRowsMax: 20_000_000,
  // Room for one part of 20 M rows (below 100 MB) and the log of the database (64 MB), twice.
  reserveBytes: 384 * MEBIBYTE,
} as const;
/**
 * A merge sorts one part at a time: about 1 GB; more than this is a mistake, and fails the merge.
 */
const SPILL_BYTES_MAX = 4096 * MEBIBYTE;

interface Opened extends Loaded {
  readonly database: Database;
  readonly folder: PartFolder;
  readonly shelf: Shelf;
}

export class DuckStore implements Store {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: Required<DuckStoreOptions>;
  #opened: Opened;
  #hot: HotState;
  #cursor: number;
  #isStale = false;
  #isClosed = false;
  #maintaining: Promise<void> | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(clock: Clock, log: Log, options: Required<DuckStoreOptions>, opened: Opened) {
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#opened = opened;
    this.#cursor = opened.cursor;
    this.#hot = { rows: opened.hotRows, sinceMs: opened.hotSinceMs, relabels: 0 };
  }

  /** Faults: `store_format`, `store_open_failed` (never), `store_failed` (later). */
  static async open(clock: Clock, log: Log, given: DuckStoreOptions): Promise<DuckStore> {
    const options = { ...defaults, ...given };
    await mkdir(options.folder, { recursive: true });
    const database = await openDatabase(clock, options);
    try {
      return new DuckStore(clock, log, options, await openRest(log, options, database));
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  async cursor(): Promise<number> {
    return this.#exclusive(async () => this.#cursor);
  }

  async apply(records: readonly DecodedRecord[], throughRow: number): Promise<void> {
    await this.#exclusive(async () => {
      if (throughRow <= this.#cursor) return;
      this.#assertRoom();
      const { catalogue, newest } = this.#opened;
      const news = records.filter(({ row }) => row.row > this.#cursor);
      // Until it is committed: what is in memory goes ahead of what is on disk.
      this.#isStale = true;
      const batch = batchOf(news, catalogue);
      const hot = this.#hotAfter(batch);
      try {
        await this.#commit(batch, throughRow, hot.sinceMs);
      } catch (error) {
        throw this.#faultOf(error, `rows up to ${throughRow}`);
      }
      this.#cursor = throughRow;
      Object.assign(this.#hot, hot);
      for (const relabel of batch.relabels) newest.relabel(relabel);
      newest.offerRows(batch.readings);
      newest.offerRows(batch.state);
      for (const row of batch.coverage) newest.cover(row, row.set.number);
      this.#isStale = false;
    });
  }

  async history(query: HistoryQuery): Promise<History> {
    const { series, fromMs, toMs, bucketMs, limit } = query;
    assert(limit >= 1 && limit <= HISTORY_ROWS_MAX, 'an answer has a limit');
    const { database, catalogue, shelf, folder } = this.#opened;
    const read = shelf.read(
      () => shelf.within(series, fromMs, toMs),
      async (parts) => {
        const files = filesOf(folder, parts);
        return bucketMs === null
          ? { readings: await queries.rawReadings(database, catalogue, query, files), buckets: [] }
          : {
              readings: null,
              buckets: await queries.buckets(database, catalogue, { ...query, bucketMs }, files),
            };
      },
    );
    const [{ readings, buckets }, covered, gaps] = await this.#answer(
      Promise.all([
        read,
        queries.covered(database, catalogue, query),
        queries.gaps(database, catalogue, query),
      ]),
    );
    return {
      series,
      readings: readings && queries.cutReadings(readings, limit),
      buckets: buckets.slice(0, limit),
      isTruncated: (readings?.count ?? buckets.length) > limit,
      covered,
      gaps,
      unreadable: shelf
        .unreadableWithin(series, fromMs, toMs)
        .map((part) => ({ fromMs: part.fromMs, toMs: part.toMs })),
    };
  }

  async latest(series?: readonly number[]): Promise<readonly Latest[]> {
    return this.#opened.newest.list(this.#opened.catalogue, series);
  }

  async gaps(query: GapQuery): Promise<readonly StoredGap[]> {
    return this.#answer(queries.gaps(this.#opened.database, this.#opened.catalogue, query));
  }

  async account(epochs: readonly EpochName[] | null): Promise<Account> {
    const { database, catalogue, shelf, folder } = this.#opened;
    const counted = await this.#answer(
      shelf.read(
        () => shelf.readable,
        (parts) => queries.account(database, catalogue, epochs, filesOf(folder, parts)),
      ),
    );
    const unreadable = shelf.unreadable.reduce((sum, { rows }) => sum + rows, 0);
    return { ...counted, unreadable };
  }

  async series(): Promise<readonly SeriesEntry[]> {
    return this.#opened.catalogue.entries();
  }

  async stats(): Promise<StoreStats> {
    const { database, shelf } = this.#opened;
    const hot = await this.#answer(
      database.read(
        `SELECT (SELECT count(*) FROM hot) + (SELECT count(*) FROM hot_other)
          + (SELECT count(*) FROM closing) + (SELECT count(*) FROM closing_other)`,
      ),
    );
    const file = databasePath(this.#options);
    const partBytes = shelf.parts.reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      cursor: this.#cursor,
      hotRows: hot.number(),
      parts: shelf.parts.length,
      partRows: shelf.parts.reduce((sum, { rows }) => sum + rows, 0),
      bytes: partBytes + sizeOf(file) + sizeOf(`${file}.wal`),
      unreadable: shelf.unreadable,
    };
  }

  maintain(): Promise<void> {
    this.#maintaining ??= this.#maintain().finally(() => {
      this.#maintaining = null;
    });
    return this.#maintaining;
  }

  async #maintain(): Promise<void> {
    await this.#exclusive(async () => undefined); // Opens anew what an error left unsure.
    const { database, folder, shelf, catalogue, newest } = this.#opened;
    const keeping = {
      clock: this.#clock,
      log: this.#log,
      database,
      folder,
      shelf,
      catalogue,
      newest,
      partRowsMax: this.#options.partRowsMax,
      hot: this.#hot,
      exclusive: <T>(work: () => Promise<T>) => this.#exclusive(work),
    };
    try {
      await this.#answer(keepHouse(keeping));
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#maintaining?.catch(() => undefined); // Whoever called it was told.
    await this.#queue;
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#opened.database.close();
  }

  async #commit(batch: Batch, throughRow: number, hotSinceMs: number): Promise<void> {
    const { database, catalogue } = this.#opened;
    await database.transaction(async () => {
      for (const relabel of batch.relabels) await schema.writeRelabel(database, relabel);
      await schema.writeAdded(database, catalogue.takeAdded());
      await schema.writeReadings(database, batch.readings, 'hot');
      await schema.writeReadings(database, batch.fills, 'fills');
      await schema.writeReadings(database, batch.state, 'newest');
      await schema.writeCoverage(database, batch.coverage);
      await schema.writeGaps(database, batch.gaps);
      await database.write(`UPDATE meta SET cursor = ${throughRow}, hot_since_ms = ${hotSinceMs}`);
    });
  }

  #hotAfter({ readings, fills, relabels }: Batch): HotState {
    const { rows, sinceMs, relabels: before } = this.#hot;
    return {
      rows: rows + readings.count + fills.count,
      sinceMs: rows === 0 ? Math.floor(this.#clock.wallMs()) : sinceMs,
      relabels: before + relabels.length,
    };
  }

  // Work that writes, one after the other, on what is in memory as it is on disk.
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      if (this.#isClosed) throw new Fault('store_failed', 'never', 'the store is closed');
      if (this.#isStale) await this.#reload();
      return work();
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  // After an error nobody knows what of the transaction is on disk, nor whether DuckDB goes on:
  // some errors of the disk end it for good. So all is opened anew.
  async #reload(): Promise<void> {
    await this.#opened.database.close();
    try {
      const database = await openDatabase(this.#clock, this.#options);
      this.#opened = await openRest(this.#log, this.#options, database);
    } catch (error) {
      throw this.#faultOf(error, 'opening again');
    }
    const { cursor, hotRows, hotSinceMs } = this.#opened;
    this.#cursor = cursor;
    this.#hot = { rows: hotRows, sinceMs: hotSinceMs, relabels: this.#hot.relabels + 1 };
    this.#isStale = false;
    this.#log.info('store_reopened', { cursor });
  }

  async #answer<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw this.#faultOf(error, 'a query');
    }
  }

  #assertRoom(): void {
    const freeBytes = freeBytesOf(this.#options.folder);
    if (freeBytes >= this.#options.reserveBytes) return;
    throw new Fault('store_full', 'later', `${Math.floor(freeBytes / MEBIBYTE)} MiB are free`);
  }

  #faultOf(error: unknown, doing: string): unknown {
    if (isFault(error) || !(error instanceof Error)) return error;
    if (error.name !== 'Error') return error; // A mistake in the code, never in the disk.
    const isFull = freeBytesOf(this.#options.folder) < 16 * MEBIBYTE;
    return new Fault(isFull ? 'store_full' : 'store_failed', 'later', doing, error);
  }
}

type Settled = Required<DuckStoreOptions>;

function databasePath({ folder }: Pick<DuckStoreOptions, 'folder'>): string {
  return join(folder, 'store.duckdb');
}

async function openDatabase(clock: Clock, options: Settled): Promise<Database> {
  try {
    return await Database.open(clock, databasePath(options), {
      threads: options.threads,
      memoryBytes: options.memoryBytes,
      spillFolder: join(options.folder, 'spill'),
      spillBytesMax: SPILL_BYTES_MAX,
    });
  } catch (error) {
    throw new Fault('store_open_failed', 'later', databasePath(options), error);
  }
}

async function openRest(log: Log, { folder: path }: Settled, database: Database): Promise<Opened> {
  await prepare(database);
  const loaded = await schema.load(database);
  const listed = new Set(loaded.parts.map(({ file }) => file));
  const { folder, removed } = PartFolder.open(join(path, 'parts'), listed);
  if (removed > 0) log.info('store_leftovers_removed', { files: removed });
  const shelf = new Shelf(folder, loaded.parts);
  for (const { file, why } of shelf.unreadable) log.error('store_part_unreadable', { file, why });
  return { ...loaded, database, folder, shelf };
}

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
