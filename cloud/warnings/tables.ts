// The tables of the warnings, beside those of the alarms in the registry's database, so that a
// warning, its approval and its journal entries are one transaction. This file knows SQL and
// nothing else; warnings.ts decides.
//
// Format version 1. Documents are JSON; times are milliseconds since 1970 by the cloud's wall
// clock. What has left is kept byte by byte, as it left.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements } from '../statements.ts';
import type { Wording } from './compose.ts';
import type { Content, Message, MessageType, Status, WarningState } from './warning.ts';

export const WARNING_FORMAT = 1;
/** Some 30 KB each with its documents: 300 MB. Beyond it the oldest that are over are left out. */
export const WARNINGS_KEPT_MAX = 10_000;
export const WARNINGS_LIST_MAX = 1_000;
/** Of one message: a receiver tells playing and finished; what repeats itself is no news. */
export const RECEIPTS_MAX = 1_000;

/** A renewal is drafted so long before the end: two people have to be found. */
export const RENEW_BEFORE_MS = 900_000;

/** The next message of a warning, before two people have released it. */
export interface Draft {
  readonly type: MessageType;
  /** As it will be told, but for the mark of an exercise. */
  readonly content: Content;
  /** What the machine says of the alarm: by this it knows whether anything has changed. */
  readonly base: Content;
  readonly wording: Wording;
  /** The alarm it is of. */
  readonly occurrence: string;
  readonly note: Bilingual | null;
  readonly validForMs: number;
  /** `lifeline` where the machine drafted it. */
  readonly by: string;
  readonly atMs: number;
}

/** What has left. */
export interface Told {
  readonly message: Message;
  readonly base: Content;
  readonly wording: Wording;
  readonly occurrence: string;
  /** Who drafted it, who asked for its release, who released it. */
  readonly drafter: string;
  readonly first: string;
  readonly second: string;
  readonly ebdId: string | null;
  readonly ebmId: string | null;
  readonly signedBy: string | null;
}

export interface Warning {
  readonly number: number;
  /** Rises by one a change. */
  readonly revision: number;
  readonly state: WarningState;
  readonly status: Status;
  /** What it is about: the key of the alarm's point. */
  readonly key: string;
  readonly asset: string | null;
  readonly area: string;
  readonly level: AlarmLevel;
  /** Alarms of this point since it was drafted, the oldest first. */
  readonly occurrences: readonly string[];
  readonly draft: Draft | null;
  /** Messages that have left. */
  readonly told: number;
  /** Of the newest message, when it ends by itself; null before one left. */
  readonly expiresMs: number | null;
  /** For this message the machine has drafted a renewal already. */
  readonly renewed: number;
  readonly changedBy: string;
  readonly changedMs: number;
}

/** What a receiver reports of a message: BrdStateCode of emergency broadcasting. */
export interface Receipt {
  readonly position: number;
  readonly receiver: string;
  readonly state: 0 | 1 | 2;
  readonly note: string;
  readonly by: string;
  readonly atMs: number;
}

const OPEN = `state IN ('drafted', 'released', 'updated')`;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS warning_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS warnings (
    number INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, state TEXT NOT NULL,
    has_draft INTEGER NOT NULL, expires_ms INTEGER, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS warnings_open ON warnings (number) WHERE ${OPEN};
  CREATE TABLE IF NOT EXISTS warning_messages (
    warning INTEGER NOT NULL, position INTEGER NOT NULL, identifier TEXT NOT NULL UNIQUE,
    sent_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, document TEXT NOT NULL,
    cap TEXT NOT NULL, ebm BLOB, PRIMARY KEY (warning, position)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS warning_messages_sent ON warning_messages (sent_ms);
  CREATE INDEX IF NOT EXISTS warning_messages_expires ON warning_messages (expires_ms);
  CREATE TABLE IF NOT EXISTS warning_receipts (
    warning INTEGER NOT NULL, position INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS warning_receipts_of ON warning_receipts (warning, position);`;

export class WarningTables {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    database.exec(SCHEMA);
    this.#statements.run(
      `INSERT OR IGNORE INTO warning_meta VALUES ('format', ?), ('package', 0)`,
      WARNING_FORMAT,
    );
    const found = this.#meta('format');
    if (found > WARNING_FORMAT) {
      const detail = bilingual('later-format', { what: 'warnings', found, known: WARNING_FORMAT });
      throw new Fault('warning_format', 'never', detail);
    }
  }

  get(number: number): Warning | null {
    const row = this.#statements.one('SELECT document FROM warnings WHERE number = ?', number);
    return row ? warningOf(row) : null;
  }

  /** Numbers it, and leaves out what is beyond the bound. */
  insert(warning: Omit<Warning, 'number'>): Warning {
    const { lastInsertRowid } = this.#statements.run(
      `INSERT INTO warnings (key, state, has_draft, expires_ms, document) VALUES (?, ?, ?, ?, '')`,
      ...columns(warning),
    );
    const kept = { ...warning, number: Number(lastInsertRowid) };
    this.update(kept);
    const last = kept.number - WARNINGS_KEPT_MAX;
    const gone = `SELECT number FROM warnings WHERE number <= ? AND NOT ${OPEN}`;
    this.#statements.run(`DELETE FROM warning_receipts WHERE warning IN (${gone})`, last);
    this.#statements.run(`DELETE FROM warning_messages WHERE warning IN (${gone})`, last);
    this.#statements.run(`DELETE FROM warnings WHERE number <= ? AND NOT ${OPEN}`, last);
    return kept;
  }

  update(warning: Warning): void {
    this.#statements.run(
      `UPDATE warnings SET key = ?, state = ?, has_draft = ?, expires_ms = ?, document = ?
       WHERE number = ?`,
      ...columns(warning),
      JSON.stringify(warning),
      warning.number,
    );
  }

  /** Newest first. */
  list(state: WarningState | 'open' | 'all', before: number | null, limit: number): Warning[] {
    const where = [state === 'open' ? OPEN : '1'];
    const values: SQLInputValue[] = [];
    if (state !== 'open' && state !== 'all') {
      where.push('state = ?');
      values.push(state);
    }
    if (before !== null) {
      where.push('number < ?');
      values.push(before);
    }
    const sql = `SELECT document FROM warnings WHERE ${where.join(' AND ')}
      ORDER BY number DESC LIMIT ?`;
    const most = Math.min(limit, WARNINGS_LIST_MAX);
    return this.#statements.all(sql, ...values, most).map(warningOf);
  }

  /** Drafted or in force: by key. */
  open(): Map<string, number> {
    const rows = this.#statements.all(`SELECT key, number FROM warnings WHERE ${OPEN}`);
    return new Map(rows.map((row) => [String(row['key']), Number(row['number'])]));
  }

  countDrafted(): number {
    const sql = `SELECT count(*) AS n FROM warnings WHERE ${OPEN} AND state = 'drafted'`;
    return Number(this.#statements.one(sql)?.['n']);
  }

  /**
   * When a warning in force is next to be looked at: it ends, or it has no draft, ends after
   * `seenMs` and is to be renewed. Null: none.
   */
  nextEndMs(seenMs: number): number | null {
    const ends = `SELECT min(expires_ms) AS at FROM warnings WHERE ${OPEN}`;
    const at = (sql: string, ...values: number[]) => {
      const found = this.#statements.one(sql, ...values)?.['at'] ?? null;
      return found === null ? Number.POSITIVE_INFINITY : Number(found);
    };
    const renewMs = at(`${ends} AND has_draft = 0 AND expires_ms > ?`, seenMs) - RENEW_BEFORE_MS;
    // One that ended while the cloud was away is looked at, too.
    const nextMs = Math.min(at(ends), renewMs);
    return nextMs === Number.POSITIVE_INFINITY ? null : nextMs;
  }

  /** In force, without a draft, and ending by itself before `untilMs`. */
  ending(untilMs: number): Warning[] {
    const sql = `SELECT document FROM warnings WHERE ${OPEN} AND has_draft = 0
      AND expires_ms <= ? ORDER BY expires_ms LIMIT ${WARNINGS_LIST_MAX}`;
    return this.#statements.all(sql, untilMs).map(warningOf);
  }

  expired(nowMs: number): Warning[] {
    const sql = `SELECT document FROM warnings WHERE ${OPEN} AND expires_ms <= ?
      ORDER BY expires_ms LIMIT ${WARNINGS_LIST_MAX}`;
    return this.#statements.all(sql, nowMs).map(warningOf);
  }

  // Messages --------------------------------------------------------------------------------------

  addMessage(
    warning: number,
    position: number,
    told: Told,
    documents: { readonly cap: string; readonly ebm: Uint8Array | null },
  ): void {
    const { identifier, sentMs, expiresMs } = told.message;
    this.#statements.run(
      'INSERT INTO warning_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[warning, position, identifier, sentMs, expiresMs, JSON.stringify(told)],
      documents.cap,
      documents.ebm,
    );
  }

  /** The oldest first. */
  messages(warning: number): Told[] {
    const sql = 'SELECT document FROM warning_messages WHERE warning = ? ORDER BY position';
    return this.#statements
      .all(sql, warning)
      .map((row) => JSON.parse(String(row['document'])) as Told);
  }

  /** Counted from 1. */
  documents(warning: number, position: number): { cap: string; ebm: Uint8Array | null } | null {
    const sql = 'SELECT cap, ebm FROM warning_messages WHERE warning = ? AND position = ?';
    const row = this.#statements.one(sql, warning, position);
    if (!row) return null;
    return { cap: String(row['cap']), ebm: row['ebm'] as Uint8Array | null };
  }

  isTaken(identifier: string): boolean {
    const sql = 'SELECT 1 FROM warning_messages WHERE identifier = ?';
    return this.#statements.one(sql, identifier) !== undefined;
  }

  /** The newest message of each warning that has not expired, the newest first. */
  inForce(nowMs: number): { warning: Warning; position: number; told: Told; cap: string }[] {
    const sql = `SELECT w.document AS warning, m.position, m.document AS told, m.cap
      FROM warning_messages m JOIN warnings w ON w.number = m.warning
      WHERE m.expires_ms > ? AND m.position =
        (SELECT max(position) FROM warning_messages n WHERE n.warning = m.warning)
      ORDER BY m.sent_ms DESC, m.identifier DESC LIMIT ${WARNINGS_LIST_MAX}`;
    return this.#statements.all(sql, nowMs).map((row) => ({
      warning: warningOf({ document: row['warning'] }),
      position: Number(row['position']),
      told: JSON.parse(String(row['told'])) as Told,
      cap: String(row['cap']),
    }));
  }

  /** When what is in force last became other than it was; 0 when nothing has ever left. */
  changedMs(nowMs: number): number {
    const sent = 'SELECT max(sent_ms) AS at FROM warning_messages WHERE sent_ms <= ?';
    const ended = 'SELECT max(expires_ms) AS at FROM warning_messages WHERE expires_ms <= ?';
    const at = (sql: string) => Number(this.#statements.one(sql, nowMs)?.['at'] ?? 0);
    return Math.max(at(sent), at(ended));
  }

  /** The next number of a package. */
  takePackage(): number {
    this.#statements.run(`UPDATE warning_meta SET value = value + 1 WHERE key = 'package'`);
    return this.#meta('package');
  }

  // Receipts --------------------------------------------------------------------------------------

  /** False: there are too many, or it says what is known. */
  addReceipt(warning: number, receipt: Receipt): boolean {
    const known = this.receipts(warning).filter(({ position }) => position === receipt.position);
    const last = known.findLast(({ receiver }) => receiver === receipt.receiver);
    if (known.length >= RECEIPTS_MAX || last?.state === receipt.state) return false;
    const sql = 'INSERT INTO warning_receipts VALUES (?, ?, ?)';
    this.#statements.run(sql, warning, receipt.position, JSON.stringify(receipt));
    return true;
  }

  /** As they came. */
  receipts(warning: number): Receipt[] {
    const sql = 'SELECT document FROM warning_receipts WHERE warning = ? ORDER BY rowid';
    return this.#statements
      .all(sql, warning)
      .map((row) => JSON.parse(String(row['document'])) as Receipt);
  }

  #meta(key: string): number {
    const row = this.#statements.one('SELECT value FROM warning_meta WHERE key = ?', key);
    return Number(row?.['value']);
  }
}

function columns({ key, state, draft, expiresMs }: Omit<Warning, 'number'>): SQLInputValue[] {
  return [key, state, draft ? 1 : 0, expiresMs];
}

function warningOf(row: Record<string, unknown>): Warning {
  return JSON.parse(String(row['document'])) as Warning;
}
