// The faults of the path, in the registry's database: one row a fault, from when to when, and which
// components were supervised since when. Kept 13 months: the present month and a year to compare.
//
// FAULTS_MAX rows of some 100 bytes are 50 MB, 1,300 faults a day; beyond it the oldest leave, and
// what is left says since when it is whole.
import type { DatabaseSync } from 'node:sqlite';
import { Statements } from '../statements.ts';
import type { Component, ComponentKind } from './component.ts';
import type { PathFault, Supervised } from './figures.ts';

export const KEPT_MS = 396 * 86_400_000;
export const FAULTS_MAX = 500_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS supervision_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS supervision_components (
    kind TEXT NOT NULL, id TEXT NOT NULL, first_ms INTEGER NOT NULL, gone_ms INTEGER,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS supervision_faults (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, from_ms INTEGER NOT NULL,
    to_ms INTEGER, why TEXT NOT NULL, detail TEXT NOT NULL, is_false INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS supervision_faults_from ON supervision_faults (from_ms);
  CREATE INDEX IF NOT EXISTS supervision_faults_open ON supervision_faults (kind, id)
    WHERE to_ms IS NULL;`;

export type FaultRow = PathFault & { readonly number: number };

export class SupervisionTables {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
  }

  get aliveMs(): number | null {
    return this.#meta('alive_ms');
  }

  set aliveMs(value: number) {
    this.#put('alive_ms', value);
  }

  /** The last step of the supervision that is in here. */
  get written(): number {
    return this.#meta('written') ?? 0;
  }

  set written(value: number) {
    this.#put('written', value);
  }

  /** All faults since then are there; 0: since the first. */
  get wholeSinceMs(): number {
    return this.#meta('whole_since_ms') ?? 0;
  }

  /** It is there from now on, or was before. */
  supervise({ kind, id }: Component, nowMs: number): void {
    this.#statements.run(
      `INSERT INTO supervision_components VALUES (?, ?, ?, NULL)
       ON CONFLICT DO UPDATE SET first_ms = iif(gone_ms IS NULL, first_ms, excluded.first_ms),
         gone_ms = NULL`,
      ...[kind, id, Math.round(nowMs)],
    );
  }

  forget({ kind, id }: Component, nowMs: number): void {
    const at = Math.round(nowMs);
    const gone = 'UPDATE supervision_components SET gone_ms = ? WHERE kind = ? AND id = ?';
    this.#statements.run(gone, at, kind, id);
    const ended = `UPDATE supervision_faults SET to_ms = ?
      WHERE to_ms IS NULL AND kind = ? AND id = ?`;
    this.#statements.run(ended, at, kind, id);
  }

  gateways(): Supervised[] {
    return this.#statements
      .all(`SELECT * FROM supervision_components WHERE kind = 'gateway' ORDER BY id`)
      .map((row) => ({
        gateway: String(row['id']),
        fromMs: Number(row['first_ms']),
        toMs: row['gone_ms'] === null ? null : Number(row['gone_ms']),
      }));
  }

  begin(fault: Omit<PathFault, 'toMs' | 'isFalse'>): void {
    const { kind, id, fromMs, why, detail } = fault;
    this.#statements.run(
      `INSERT INTO supervision_faults (kind, id, from_ms, to_ms, why, detail, is_false)
       VALUES (?, ?, ?, NULL, ?, ?, 0)`,
      ...[kind, id, Math.round(fromMs), why, detail],
    );
  }

  end({ kind, id }: Component, toMs: number, isFalse: (fromMs: number) => boolean): void {
    const sql = 'SELECT * FROM supervision_faults WHERE to_ms IS NULL AND kind = ? AND id = ?';
    for (const { number, fromMs } of this.#statements.all(sql, kind, id).map(faultOf)) {
      this.#statements.run(
        'UPDATE supervision_faults SET to_ms = ?, is_false = ? WHERE number = ?',
        ...[Math.max(fromMs, Math.round(toMs)), isFalse(fromMs) ? 1 : 0, number],
      );
    }
  }

  open(): FaultRow[] {
    return this.#statements
      .all('SELECT * FROM supervision_faults WHERE to_ms IS NULL ORDER BY number')
      .map(faultOf);
  }

  /** Faults of which some part lies within; oldest first. */
  within(fromMs: number, toMs: number): FaultRow[] {
    const sql = `SELECT * FROM supervision_faults
      WHERE from_ms < ? AND (to_ms IS NULL OR to_ms > ?) ORDER BY number`;
    return this.#statements.all(sql, Math.round(toMs), Math.round(fromMs)).map(faultOf);
  }

  /** What is too old, or too much. */
  prune(nowMs: number): void {
    const before = Math.round(nowMs - KEPT_MS);
    this.#statements.run('DELETE FROM supervision_faults WHERE to_ms < ?', before);
    this.#statements.run('DELETE FROM supervision_components WHERE gone_ms < ?', before);
    const sql =
      'SELECT number, from_ms FROM supervision_faults ORDER BY number DESC LIMIT 1 OFFSET ?';
    const last = this.#statements.one(sql, FAULTS_MAX);
    if (!last) return;
    this.#statements.run(
      'DELETE FROM supervision_faults WHERE number <= ?',
      Number(last['number']),
    );
    this.#put('whole_since_ms', Number(last['from_ms']) + 1);
  }

  #meta(key: string): number | null {
    const row = this.#statements.one('SELECT value FROM supervision_meta WHERE key = ?', key);
    return row ? Number(row['value']) : null;
  }

  #put(key: string, value: number): void {
    const sql = 'INSERT OR REPLACE INTO supervision_meta VALUES (?, ?)';
    this.#statements.run(sql, key, Math.round(value));
  }
}

function faultOf(row: Record<string, unknown>): FaultRow {
  return {
    number: Number(row['number']),
    kind: String(row['kind']) as ComponentKind,
    id: String(row['id']),
    fromMs: Number(row['from_ms']),
    toMs: row['to_ms'] === null ? null : Number(row['to_ms']),
    why: String(row['why']),
    detail: String(row['detail']),
    isFalse: Number(row['is_false']) === 1,
  };
}
