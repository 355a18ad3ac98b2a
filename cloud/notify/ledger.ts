// The delivery ledger: one row a notification and receiver, from queued to confirmed, with the
// times of each step. It is what a restart goes on from, and what anybody looks at who asks whether
// a person was reached. Rows with something left to do are `open`; closed ones stay, for the
// record.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { alarmOf } from '../alarms/alarm.ts';
import type { NewEntry } from '../alarms/journal.ts';
import type { Actor } from '../alarms/occurrences.ts';
import { Statements, transact } from '../statements.ts';
import type { Delivery, Told } from './notifier.ts';
import { isCall, occurrenceOf } from './notifier.ts';
import { type Match, NOBODY } from './route.ts';

// Format 2: what providers call a message, purposes, quotas used, pauses.
export const NOTIFY_FORMAT = 2;
export const DELIVERIES_LIST_MAX = 1_000;

/**
 * A delivery with what the pipeline still has to do about it, in wall time for a restart to go by.
 */
export interface Entry {
  readonly delivery: Delivery;
  readonly isOpen: boolean;
  /** When to try next; null: nothing to send at present. */
  readonly nextMs: number | null;
  /** Unconfirmed beyond this it is undelivered; null: no longer watched. */
  readonly confirmByMs: number | null;
}

export interface DeliveryFilter {
  readonly occurrence?: string;
  readonly before?: number;
  readonly limit?: number;
}

/** Alarms that match are recorded and not sent. */
export interface SilenceRow {
  readonly number: number;
  readonly match: Match;
  readonly beganMs: number;
  readonly untilMs: number;
  readonly who: string;
  readonly reason: string;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS notify_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS notify_deliveries (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, receiver TEXT NOT NULL, occurrence TEXT NOT NULL,
    is_open INTEGER NOT NULL, next_ms INTEGER, confirm_by_ms INTEGER,
    document TEXT NOT NULL, alarm TEXT NOT NULL, UNIQUE (id, receiver)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS notify_deliveries_open ON notify_deliveries (number) WHERE is_open = 1;
  CREATE INDEX IF NOT EXISTS notify_deliveries_of ON notify_deliveries (occurrence);
  CREATE TABLE IF NOT EXISTS notify_silences (
    id INTEGER PRIMARY KEY AUTOINCREMENT, until_ms INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS notify_gone (
    receiver TEXT PRIMARY KEY, at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS notify_uses (
    number INTEGER PRIMARY KEY, receiver TEXT NOT NULL, at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS notify_uses_of ON notify_uses (receiver, at_ms);
  CREATE TABLE IF NOT EXISTS notify_pauses (
    receiver TEXT PRIMARY KEY, until_ms INTEGER NOT NULL
  ) STRICT;`;

const FORMAT_2 = `
  ALTER TABLE notify_deliveries ADD COLUMN reference TEXT;
  ALTER TABLE notify_deliveries ADD COLUMN purpose TEXT NOT NULL DEFAULT 'alarm';
  CREATE INDEX notify_deliveries_called ON notify_deliveries (receiver, reference)
    WHERE reference IS NOT NULL;
  CREATE INDEX notify_deliveries_tests ON notify_deliveries (number) WHERE purpose = 'path-test';
  UPDATE notify_meta SET value = 2;`;

export class Ledger {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    database.exec(SCHEMA);
    this.#statements.run(`INSERT OR IGNORE INTO notify_meta VALUES ('format', 1)`);
    const format = Number(this.#statements.all('SELECT value FROM notify_meta')[0]?.['value']);
    if (format > NOTIFY_FORMAT) {
      const values = { what: 'notify', found: format, known: NOTIFY_FORMAT };
      throw new Fault('notify_format', 'never', bilingual('later-format', values));
    }
    if (format < 2) transact(database, () => database.exec(FORMAT_2));
  }

  /** Null when this receiver has this notification already: that is the deduplication. */
  add(entry: Omit<Entry, 'delivery'> & { readonly delivery: Omit<Delivery, 'number'> }) {
    const { id, receiver, alarm } = entry.delivery;
    if (this.find(id, receiver)) return null;
    const newest = this.#statements.all('SELECT max(number) AS newest FROM notify_deliveries')[0];
    const number = Number(newest?.['newest'] ?? 0) + 1;
    const whole: Entry = { ...entry, delivery: { ...entry.delivery, number } };
    this.#statements.run(
      `INSERT INTO notify_deliveries (number, id, receiver, occurrence, is_open, next_ms,
         confirm_by_ms, reference, document, alarm, purpose)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[number, id, receiver, alarm.occurrence],
      ...columns(whole),
      ...[JSON.stringify(alarm), alarm.purpose],
    );
    return whole;
  }

  update(entry: Entry): void {
    this.#statements.run(
      `UPDATE notify_deliveries SET is_open = ?, next_ms = ?, confirm_by_ms = ?,
         reference = ?, document = ? WHERE number = ?`,
      ...columns(entry),
      entry.delivery.number,
    );
  }

  open(): Entry[] {
    return this.#entries('SELECT * FROM notify_deliveries WHERE is_open = 1 ORDER BY number');
  }

  entry(number: number): Entry | null {
    const [entry] = this.#entries('SELECT * FROM notify_deliveries WHERE number = ?', number);
    return entry ?? null;
  }

  /** What this receiver has of a notification. */
  find(id: string, receiver: string): Entry | null {
    const sql = 'SELECT * FROM notify_deliveries WHERE id = ? AND receiver = ?';
    return this.#entries(sql, id, receiver)[0] ?? null;
  }

  /** Those that went in the message which the provider calls so. */
  called(receiver: string, reference: string): Entry[] {
    const sql = 'SELECT * FROM notify_deliveries WHERE receiver = ? AND reference = ?';
    return this.#entries(sql, receiver, reference);
  }

  /** All receivers of one notification. */
  of(id: string): Entry[] {
    return this.#entries('SELECT * FROM notify_deliveries WHERE id = ? ORDER BY number', id);
  }

  /** All that called somebody to an alarm, the oldest first. */
  calls(occurrence: string): Entry[] {
    const sql = 'SELECT * FROM notify_deliveries WHERE occurrence = ? ORDER BY number';
    return this.#entries(sql, occurrence).filter(({ delivery }) => isCall(delivery.transition));
  }

  /**
   * Who was called to it before this one, down its own chain or another; the first tells of none.
   */
  toldBefore({ alarm, number, step, transition }: Delivery): Told[] {
    if (step === 0 || !isCall(transition)) return [];
    const before = this.calls(alarm.occurrence)
      .map(({ delivery }) => delivery)
      .filter((each) => each.number < number && each.receiver !== NOBODY);
    const last = new Map(before.map((each) => [each.person ?? each.receiver, each.state]));
    return [...last].map(([name, state]) => ({ name, state }));
  }

  /** Somebody was told that it is over. */
  hasEnded(occurrence: string): boolean {
    return this.of(`${occurrence}.cleared`).length > 0;
  }

  /** Newest first. */
  list({ occurrence, before, limit = 200 }: DeliveryFilter): Delivery[] {
    const where = [
      ...(occurrence === undefined ? [] : ['occurrence = ?']),
      ...(before === undefined ? [] : ['number < ?']),
    ];
    const clause = where.length ? `WHERE ${where.join(' AND ')}` : '';
    const values = [occurrence, before].filter((value) => value !== undefined);
    const sql = `SELECT * FROM notify_deliveries ${clause} ORDER BY number DESC LIMIT ?`;
    const rows = this.#entries(sql, ...values, Math.min(limit, DELIVERIES_LIST_MAX));
    return rows.map(({ delivery }) => delivery);
  }

  /** Of a test of the path; the newest row stays, as numbers are counted on from it. */
  dropTest(occurrence: string): void {
    const sql = `DELETE FROM notify_deliveries WHERE occurrence = ?
      AND number < (SELECT max(number) FROM notify_deliveries)`;
    this.#statements.run(sql, occurrence);
  }

  /** Those whose end is not recorded. */
  silences(): SilenceRow[] {
    return this.#statements
      .all('SELECT id, document FROM notify_silences ORDER BY id')
      .map((row) => ({
        number: Number(row['id']),
        ...(JSON.parse(String(row['document'])) as Omit<SilenceRow, 'number'>),
      }));
  }

  addSilence(silence: Omit<SilenceRow, 'number'>): SilenceRow {
    const sql = 'INSERT INTO notify_silences (until_ms, document) VALUES (?, ?) RETURNING id';
    const untilMs = Math.round(silence.untilMs);
    const [row] = this.#statements.all(sql, untilMs, JSON.stringify(silence));
    return { number: Number(row!['id']), ...silence };
  }

  dropSilence(number: number): void {
    this.#statements.run('DELETE FROM notify_silences WHERE id = ?', number);
  }

  /** Receivers that asked never to be sent to again. */
  gone(): string[] {
    return this.#statements
      .all('SELECT receiver FROM notify_gone')
      .map((row) => String(row['receiver']));
  }

  addGone(receiver: string, atMs: number): void {
    this.#statements.run(
      'INSERT OR IGNORE INTO notify_gone VALUES (?, ?)',
      receiver,
      Math.round(atMs),
    );
  }

  /** A person has mended it. */
  dropGone(receiver: string): void {
    this.#statements.run('DELETE FROM notify_gone WHERE receiver = ?', receiver);
  }

  /** A message went to a receiver with quotas; what is before `keptMs` counts no more. */
  addUse(receiver: string, atMs: number, keptMs: number): void {
    const forget = 'DELETE FROM notify_uses WHERE receiver = ? AND at_ms < ?';
    this.#statements.run(forget, receiver, Math.round(keptMs));
    const sql = 'INSERT INTO notify_uses (receiver, at_ms) VALUES (?, ?)';
    this.#statements.run(sql, receiver, Math.round(atMs));
  }

  /** When messages went, ascending. */
  uses(receiver: string): number[] {
    const sql = 'SELECT at_ms FROM notify_uses WHERE receiver = ? ORDER BY at_ms';
    return this.#statements.all(sql, receiver).map((row) => Number(row['at_ms']));
  }

  /** Until when receivers take nothing. */
  pauses(): ReadonlyMap<string, number> {
    const rows = this.#statements.all('SELECT * FROM notify_pauses');
    return new Map(rows.map((row) => [String(row['receiver']), Number(row['until_ms'])]));
  }

  pause(receiver: string, untilMs: number): void {
    const sql = 'INSERT OR REPLACE INTO notify_pauses VALUES (?, ?)';
    this.#statements.run(sql, receiver, Math.round(untilMs));
  }

  /** Tests of the path are looked at while they are new, and are many. */
  dropPathTests(queuedBeforeMs: number): void {
    const sql = `DELETE FROM notify_deliveries WHERE purpose = 'path-test' AND is_open = 0
      AND json_extract(document, '$.queuedMs') < ?`;
    this.#statements.run(sql, queuedBeforeMs);
  }

  #entries(sql: string, ...values: SQLInputValue[]): Entry[] {
    return this.#statements.all(sql, ...values).map((row) => ({
      delivery: {
        ...UNTOLD,
        ...(JSON.parse(String(row['document'])) as Omit<Delivery, 'alarm'>),
        alarm: alarmOf({ document: row['alarm'] }),
      },
      isOpen: Number(row['is_open']) === 1,
      nextMs: row['next_ms'] === null ? null : Number(row['next_ms']),
      confirmByMs: row['confirm_by_ms'] === null ? null : Number(row['confirm_by_ms']),
    }));
  }
}

function columns({ delivery, isOpen, nextMs, confirmByMs }: Entry): SQLInputValue[] {
  const { alarm: _, ...document } = delivery;
  const whole = (ms: number | null) => (ms === null ? null : Math.round(ms));
  const reference = delivery.reference ?? null;
  const times = [isOpen ? 1 : 0, whole(nextMs), whole(confirmByMs)];
  return [...times, reference, JSON.stringify(document)];
}

/** What is not there where an older version wrote the document. */
const UNTOLD = { person: null, deliveredMs: null, seenMs: null, actedMs: null } as const;

export type Confirmed = 'confirmed' | 'already' | 'unknown';

const kinds = {
  confirmed: 'delivery-confirmed',
  on_my_way: 'delivery-acted',
  not_mine: 'delivery-declined',
} as const;

/** For the journal. Who said so is a token or a receiver; who saw it is what they said. */
export function confirmation(
  id: string,
  by: string,
  atMs: number,
  { name: who, from }: Actor,
  word: 'confirmed' | 'on_my_way' | 'not_mine' = 'confirmed',
): NewEntry {
  const what = occurrenceOf(id);
  const after = { delivery: id, by };
  return { atMs, kind: kinds[word], who, from, what, before: null, after };
}

/** The same, where the answer to a delivery said it. */
export function receiverSaid({ id, receiver }: Delivery, by: string, atMs: number): NewEntry {
  const name = `receiver ${receiver}`;
  return confirmation(id, by, atMs, { name, from: name });
}

export function isStorage(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && error.code === 'ERR_SQLITE_ERROR';
}
