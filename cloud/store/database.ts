// DuckDB as this store uses it: one connection that writes, one for each thing that reads, columns
// in and columns out. The only file that knows the library.
//
// - DuckDB locks its file for one process. Whatever it throws is a plain Error; what it means is
//   decided by who called, never from its text.
// - Each call holds one of the four threads that the whole process has for files and name lookups.
//   So at most READS_MAX read beside the one that writes, and the rest waits here: a disk that
//   hangs must leave a thread to those who look up where an alarm is to be sent.

import type { DuckDBConnection, DuckDBType, DuckDBValue } from '@duckdb/node-api';
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBDoubleVector,
  DuckDBInstance,
  INTEGER,
  UINTEGER,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api';
import type { Clock } from '../../core/clock.ts';
import { assert, Fault } from '../../core/fault.ts';

/** With the writer three of the four threads. */
const READS_MAX = 2;
/** A question that runs longer is broken off: nobody waits for it any more. */
export const QUERY_MS_MAX = 10_000;
/** Rows of one chunk: DuckDB's vector size. */
const CHUNK_ROWS = 2048;

const columnTypes = { INTEGER, UINTEGER, BIGINT, UTINYINT, BOOLEAN, DOUBLE, VARCHAR } as const;
export type ColumnType = keyof typeof columnTypes;

/**
 * Numbers also for BIGINT (whole, below 2^53) and BOOLEAN (0 and 1). Null is NaN where the column
 * says so, and allowed nowhere else.
 */
export type Column =
  | { readonly type: 'VARCHAR'; readonly values: ArrayLike<string> }
  | { readonly type: Exclude<ColumnType, 'VARCHAR'>; readonly values: ArrayLike<number> }
  | {
      readonly type: 'BIGINT' | 'UINTEGER';
      readonly isNullable: true;
      readonly values: Float64Array;
    };

export interface DatabaseOptions {
  readonly threads: number;
  readonly memoryBytes: number;
  /** Where sorting spills what does not fit in memory, and how much of it. */
  readonly spillFolder: string;
  readonly spillBytesMax: number;
}

/** What a query gave, by column. */
export class Table {
  readonly count: number;
  readonly #chunks: readonly DuckDBDataChunk[];

  constructor(chunks: readonly DuckDBDataChunk[]) {
    this.#chunks = chunks;
    this.count = chunks.reduce((sum, chunk) => sum + chunk.rowCount, 0);
  }

  /** Null is NaN. */
  numbers(column: number): Float64Array {
    const numbers = new Float64Array(this.count);
    let at = 0;
    for (const chunk of this.#chunks) {
      const vector = chunk.getColumnVector(column);
      const { itemCount } = vector;
      if (vector instanceof DuckDBDoubleVector) {
        for (let item = 0; item < itemCount; item++) {
          numbers[at++] = vector.getItem(item) ?? Number.NaN;
        }
        continue;
      }
      for (let item = 0; item < itemCount; item++) numbers[at++] = numberOf(vector.getItem(item));
    }
    return numbers;
  }

  /** Null is ''. */
  strings(column: number): string[] {
    const strings: string[] = [];
    for (const chunk of this.#chunks) {
      for (const value of chunk.getColumnValues(column)) strings.push((value as string) ?? '');
    }
    return strings;
  }

  /** The first row's number; NaN without a row. */
  number(column = 0): number {
    return this.count > 0 ? this.numbers(column)[0]! : Number.NaN;
  }
}

function numberOf(value: DuckDBValue | null): number {
  if (typeof value === 'number') return value;
  if (value === null) return Number.NaN;
  assert(typeof value === 'bigint' || typeof value === 'boolean', 'a column of numbers');
  return Number(value);
}

export class Database {
  readonly #instance: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #clock: Clock;
  readonly #readings = new Set<Promise<Table>>();
  readonly #turns: (() => void)[] = [];
  #isClosed = false;

  private constructor(clock: Clock, instance: DuckDBInstance, writer: DuckDBConnection) {
    this.#clock = clock;
    this.#instance = instance;
    this.#writer = writer;
  }

  static async open(clock: Clock, path: string, options: DatabaseOptions): Promise<Database> {
    const instance = await DuckDBInstance.create(path, {
      threads: String(options.threads),
      memory_limit: `${options.memoryBytes}B`,
      temp_directory: options.spillFolder,
      max_temp_directory_size: `${options.spillBytesMax}B`,
      // A start after a crash reads the write-ahead log: 64 MB take well below a second.
      checkpoint_threshold: '64MB',
      // A service for the infrastructure of a city loads no code from the network.
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      allow_community_extensions: 'false',
    });
    return new Database(clock, instance, await instance.connect());
  }

  /** On the writing connection; one at a time. */
  async write(sql: string): Promise<void> {
    if (this.#isClosed) throw new Fault('store_failed', 'later', 'the database was closed');
    await this.#writer.run(sql);
  }

  /** All of `work`'s writes or none; one at a time. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.write('BEGIN');
    try {
      await work();
      await this.#writer.run('COMMIT');
    } catch (error) {
      // Without this the connection stays in the failed transaction; that it is over already is
      // fine.
      await this.#writer.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }

  /** Appends rows of all columns of `table`, in their order. */
  async append(table: string, count: number, columns: readonly Column[]): Promise<void> {
    if (count === 0) return;
    const types: DuckDBType[] = columns.map(({ type }) => columnTypes[type]);
    const appender = await this.#writer.createAppender(table);
    try {
      for (let start = 0; start < count; start += CHUNK_ROWS) {
        const rows = Math.min(CHUNK_ROWS, count - start);
        const chunk = DuckDBDataChunk.create(types, rows);
        columns.forEach((column, at) => {
          fill(chunk, at, column, start, rows);
        });
        appender.appendDataChunk(chunk);
      }
    } finally {
      appender.closeSync();
    }
  }

  /**
   * On a connection of its own, beside whatever else is going on; sees what was committed before.
   * Faults: `store_timeout` (later) for one that takes longer than `msMax`.
   */
  async read(sql: string, msMax = Number.POSITIVE_INFINITY): Promise<Table> {
    while (this.#readings.size >= READS_MAX) {
      await new Promise<void>((resolve) => this.#turns.push(resolve));
    }
    if (this.#isClosed) {
      this.#turns.shift()?.();
      throw new Fault('store_failed', 'later', 'the database was closed');
    }
    const reading = this.#read(sql, msMax);
    this.#readings.add(reading);
    try {
      return await reading;
    } finally {
      this.#readings.delete(reading);
      this.#turns.shift()?.();
    }
  }

  async #read(sql: string, msMax: number): Promise<Table> {
    const connection = await this.#instance.connect();
    let isLate = false;
    const interrupt = () => {
      isLate = true;
      connection.interrupt();
    };
    const cancel = Number.isFinite(msMax) ? this.#clock.after(msMax, interrupt) : () => {};
    try {
      const result = await connection.run(sql);
      return new Table(await result.fetchAllChunks());
    } catch (error) {
      if (!isLate) throw error;
      throw new Fault('store_timeout', 'later', `a query took over ${msMax} ms`, error);
    } finally {
      cancel();
      connection.closeSync();
    }
  }

  /** Waits for what is being read: the file must not be opened twice by one process. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled(this.#readings);
    this.#writer.closeSync();
    this.#instance.closeSync();
  }
}

function fill(
  chunk: DuckDBDataChunk,
  at: number,
  column: Column,
  start: number,
  rows: number,
): void {
  const { type, values } = column;
  const vector = chunk.getColumnVector(at);
  if ('isNullable' in column) {
    for (let row = 0; row < rows; row++) {
      const value = column.values[start + row]!;
      const whole = type === 'BIGINT' ? BigInt : Number;
      vector.setItem(row, Number.isNaN(value) ? null : whole(value));
    }
  } else if (type === 'BIGINT') {
    for (let row = 0; row < rows; row++) vector.setItem(row, BigInt(values[start + row]!));
  } else if (type === 'BOOLEAN') {
    for (let row = 0; row < rows; row++) vector.setItem(row, values[start + row] !== 0);
  } else {
    for (let row = 0; row < rows; row++) vector.setItem(row, values[start + row]!);
  }
  vector.flush();
}

/** A text as SQL writes it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A whole number as SQL writes it; the ends of time where it is infinite. */
export function integer(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '9007199254740991';
  if (value === Number.NEGATIVE_INFINITY) return '-9007199254740991';
  assert(Number.isSafeInteger(value), 'SQL is given whole numbers');
  return String(value);
}
