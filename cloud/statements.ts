// Prepared statements of one database, by their text: each is prepared once. The texts are
// constants of the code, so there are only so many.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

export class Statements {
  readonly #database: DatabaseSync;
  readonly #prepared = new Map<string, StatementSync>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  run(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).run(...values);
  }

  /** Undefined when there is none. */
  one(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).get(...values);
  }

  all(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).all(...values);
  }

  /** Row by row, for what is too much to hold at once; nothing else may use the statement. */
  each(sql: string, ...values: SQLInputValue[]) {
    return this.#statement(sql).iterate(...values);
  }

  #statement(sql: string): StatementSync {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement;
  }
}

/** Runs `work` in one transaction of `database`: all of it, or nothing. */
export function transact<Result>(database: DatabaseSync, work: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite rolls back by itself on some failures, and refuses to do it twice.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
