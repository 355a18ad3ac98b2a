// The tables of the commands, beside those of the alarms in the registry's database, so that a
// command, its approval and its journal entries are one transaction. This file knows SQL and
// nothing else; commands.ts decides.
//
// Format version 1. Documents are JSON; a whole number beyond 2^53 is `{"$whole": "digits"}` in
// them. Times are milliseconds since 1970 by the cloud's wall clock.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements } from '../statements.ts';
import type { Commanded, CommandState } from './command.ts';
import { REPLY_WITHIN_MS } from './command.ts';

export const COMMAND_FORMAT = 1;
/**
 * Some 200 MB. Beyond it the oldest that are over are left out; the journal keeps what they were.
 */
export const COMMANDS_KEPT_MAX = 100_000;
/** Replies to what was never sent, remembered so that each is told once; beyond it only counted. */
export const STRANGERS_MAX = 1_000;
export const COMMANDS_LIST_MAX = 1_000;

export interface CommandFilter {
  readonly gateway?: string;
  readonly device?: string;
  readonly point?: string;
  readonly state?: CommandState | 'open' | 'all';
  /** Only commands before this number: lists go from the newest to the oldest. */
  readonly before?: number;
  readonly limit?: number;
}

const OPEN = `state IN ('waiting', 'issued')`;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS command_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS commands (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, gateway TEXT NOT NULL,
    device TEXT NOT NULL, point TEXT NOT NULL, state TEXT NOT NULL, issued_ms INTEGER,
    ends_ms INTEGER, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS commands_open ON commands (gateway, number) WHERE ${OPEN};
  CREATE INDEX IF NOT EXISTS commands_ends ON commands (ends_ms) WHERE ends_ms IS NOT NULL;
  CREATE INDEX IF NOT EXISTS commands_point ON commands (gateway, device, point, number);
  CREATE TABLE IF NOT EXISTS command_strangers (
    gateway TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (gateway, id)
  ) STRICT, WITHOUT ROWID;`;

export class CommandTables {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    database.exec(SCHEMA);
    this.#statements.run(`INSERT OR IGNORE INTO command_meta VALUES ('format', ?)`, COMMAND_FORMAT);
    const found = Number(this.#statements.one('SELECT value FROM command_meta')?.['value']);
    if (found > COMMAND_FORMAT) {
      const detail = bilingual('later-format', { what: 'commands', found, known: COMMAND_FORMAT });
      throw new Fault('command_format', 'never', detail);
    }
  }

  get(id: string): Commanded | null {
    const row = this.#statements.one('SELECT number, document FROM commands WHERE id = ?', id);
    return row ? commandOf(row) : null;
  }

  /** Numbers it, and leaves out what is beyond the bound. */
  insert(command: Omit<Commanded, 'number'>): Commanded {
    const { id, gateway, device, point } = command;
    const { lastInsertRowid } = this.#statements.run(
      `INSERT INTO commands (id, gateway, device, point, state, issued_ms, ends_ms, document)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[id, gateway, device, point],
      ...columns(command),
    );
    const number = Number(lastInsertRowid);
    const sql = `DELETE FROM commands WHERE number <= ? AND NOT ${OPEN}`;
    this.#statements.run(sql, number - COMMANDS_KEPT_MAX);
    return { ...command, number };
  }

  update(command: Commanded): void {
    this.#statements.run(
      'UPDATE commands SET state = ?, issued_ms = ?, ends_ms = ?, document = ? WHERE number = ?',
      ...columns(command),
      command.number,
    );
  }

  /** Newest first. */
  list({ gateway, device, point, state = 'all', before, limit = 200 }: CommandFilter): Commanded[] {
    const where = [state === 'open' ? OPEN : '1'];
    const values: SQLInputValue[] = [];
    const add = (clause: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return;
      where.push(clause);
      values.push(value);
    };
    add('gateway = ?', gateway);
    add('device = ?', device);
    add('point = ?', point);
    add('state = ?', state === 'open' || state === 'all' ? undefined : state);
    add('number < ?', before);
    const sql = `SELECT number, document FROM commands WHERE ${where.join(' AND ')}
      ORDER BY number DESC LIMIT ?`;
    return this.#statements.all(sql, ...values, Math.min(limit, COMMANDS_LIST_MAX)).map(commandOf);
  }

  /** Sent and without an outcome, the oldest first. */
  issued(): Commanded[] {
    const sql = `SELECT number, document FROM commands WHERE ${OPEN} AND state = 'issued'
      ORDER BY number`;
    return this.#statements.all(sql).map(commandOf);
  }

  countOpen(gateway: string): number {
    const sql = `SELECT count(*) AS n FROM commands WHERE gateway = ? AND ${OPEN}`;
    return Number(this.#statements.one(sql, gateway)?.['n']);
  }

  /** When a device was last told to do something with the point, as far as anybody knows. */
  lastIssuedMs(gateway: string, device: string, point: string): number | null {
    const sql = `SELECT issued_ms FROM commands WHERE gateway = ? AND device = ? AND point = ?
      AND state IN ('issued', 'done', 'failed', 'uncertain') AND issued_ms IS NOT NULL
      ORDER BY number DESC LIMIT 1`;
    const row = this.#statements.one(sql, gateway, device, point);
    return row ? Number(row['issued_ms']) : null;
  }

  /** When the next one ends by itself; null: none. */
  nextEndMs(): number | null {
    const sql = 'SELECT min(ends_ms) AS next FROM commands WHERE ends_ms IS NOT NULL';
    const next = this.#statements.one(sql)?.['next'] ?? null;
    return next === null ? null : Number(next);
  }

  ended(nowMs: number, limit: number): Commanded[] {
    const sql = `SELECT number, document FROM commands WHERE ends_ms <= ?
      ORDER BY ends_ms, number LIMIT ?`;
    return this.#statements.all(sql, nowMs, limit).map(commandOf);
  }

  /** Whether it is to be told: not noted before, and fewer than STRANGERS_MAX are. */
  isNewStranger(gateway: string, id: string): boolean {
    const count = this.#statements.one('SELECT count(*) AS n FROM command_strangers');
    if (Number(count?.['n']) >= STRANGERS_MAX) return false;
    const sql = 'SELECT 1 FROM command_strangers WHERE gateway = ? AND id = ?';
    return this.#statements.one(sql, gateway, id) === undefined;
  }

  noteStranger(gateway: string, id: string): void {
    this.#statements.run('INSERT INTO command_strangers VALUES (?, ?)', gateway, id);
  }
}

function columns(command: Omit<Commanded, 'number'>): SQLInputValue[] {
  const { state, issued, lapsesMs } = command;
  const endsMs =
    state === 'waiting' ? lapsesMs : state === 'issued' ? issued!.atMs + REPLY_WITHIN_MS : null;
  const document = JSON.stringify(command, (_key, value: unknown) =>
    typeof value === 'bigint' ? { $whole: value.toString() } : value,
  );
  return [state, issued?.atMs ?? null, endsMs, document];
}

function commandOf(row: Record<string, unknown>): Commanded {
  const command = JSON.parse(String(row['document']), (_key, value: unknown) => {
    const isWhole = typeof value === 'object' && value !== null && '$whole' in value;
    return isWhole ? BigInt(String(value.$whole)) : value;
  }) as Commanded;
  return { ...command, number: Number(row['number']) };
}
