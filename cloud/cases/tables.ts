// The tables of the cases, beside those of the alarms in the registry's database, so that an act on
// a case and on its alarm is one transaction. This file knows SQL and nothing else; cases.ts
// decides.
//
// Format version 1. Documents are JSON; times are milliseconds since 1970 by the cloud's wall clock.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements } from '../statements.ts';
import { type CaseState, escalateAtMs, type OpenState } from './case.ts';

export const CASE_FORMAT = 1;
export const CASES_LIST_MAX = 1_000;

/** A stay in one state: who brought the case there, who had it, by when it was to be left. */
export interface CaseStep {
  readonly state: OpenState;
  readonly enteredMs: number;
  /** Who brought it here, and from where. */
  readonly by: string;
  readonly from: string;
  readonly owner: string | null;
  readonly department: string;
  readonly dueMs: number;
  readonly leftMs: number | null;
  /** Who left it for the next; null while it is the present one. */
  readonly leftBy: string | null;
  readonly escalation: number;
  /** It goes on with an earlier stay in this state, within that one's limit. */
  readonly resumed?: true;
}

export interface Case {
  /** By year: `2026-0001`. */
  readonly id: string;
  /** Rises by one a case: the cursor of lists. */
  readonly number: number;
  /** Rises by one whenever somebody decides something: what `If-Match` is compared with. */
  readonly revision: number;
  /** Who made the present revision, and when. */
  readonly changedBy: string;
  readonly changedMs: number;
  readonly state: CaseState;
  /** The highest of its alarms. */
  readonly level: AlarmLevel;
  readonly title: Bilingual;
  readonly name: Bilingual;
  readonly area: string;
  readonly gateway: string;
  readonly asset: string | null;
  /** `key/rule` of the alarm that opened it: what returns to it. */
  readonly subject: string;
  readonly owner: string | null;
  readonly department: string;
  readonly openedMs: number;
  readonly endedMs: number | null;
  /** Why it ended. */
  readonly reason: string | null;
  readonly mergedInto: string | null;
  /** Of a case that came back to `new`: the step it goes on with once it is acknowledged. */
  readonly resumes?: OpenState | null;
  /** How often the present step was escalated, and all steps together. */
  readonly escalation: number;
  readonly escalations: number;
  /** In their order; a case that was opened again goes on with a new one. */
  readonly steps: readonly CaseStep[];
}

/** An alarm of a case. */
export interface CaseAlarm {
  readonly occurrence: string;
  readonly joinedMs: number;
  /** Sample times, labels by the gateway's clock. */
  readonly raisedMs: number;
  readonly endedMs: number | null;
}

export const caseEntryKinds = [
  'opened',
  /** Its alarm was raised again soon after the case had ended. */
  'reopened',
  /** An alarm joined it and is told within its time. */
  'joined',
  /** An alarm joined it that nobody has acknowledged: it is new again. */
  'returned',
  'acknowledge',
  'verify',
  'dispatch',
  'arrive',
  'contain',
  'close-asked',
  'close',
  'false-alarm',
  'test',
  'drill',
  'merge',
  'merged-from',
  'assign',
  'note',
  'file',
  'escalate',
] as const;
export type CaseEntryKind = (typeof caseEntryKinds)[number];

/** One line of the case's log, never changed. */
export interface CaseEntry {
  readonly seq: number;
  readonly atMs: number;
  readonly kind: CaseEntryKind;
  readonly by: string;
  readonly from: string;
  /** Note, reason; '' where there is none. */
  readonly text: string;
  /** Crew, owner, department, other case, file, the second person. */
  readonly detail: Readonly<Record<string, string>>;
}

export interface CaseFile {
  readonly id: number;
  readonly case: string;
  readonly name: string;
  readonly type: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly by: string;
  readonly from: string;
  readonly atMs: number;
}

export interface CaseFilter {
  readonly state?: 'open' | 'ended' | 'all' | CaseState;
  readonly owner?: string;
  readonly level?: number;
  /** Only those whose step was due before this. */
  readonly overdueAtMs?: number;
  /** Only cases before this number: lists go from the newest to the oldest. */
  readonly before?: number;
  readonly limit?: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS case_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS cases (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, year INTEGER NOT NULL,
    serial INTEGER NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, is_open INTEGER NOT NULL,
    level INTEGER NOT NULL, owner TEXT, due_ms INTEGER, escalate_ms INTEGER,
    document TEXT NOT NULL, UNIQUE (year, serial)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS cases_subject ON cases (subject, number);
  CREATE INDEX IF NOT EXISTS cases_open ON cases (number) WHERE is_open = 1;
  CREATE INDEX IF NOT EXISTS cases_escalate ON cases (escalate_ms) WHERE escalate_ms IS NOT NULL;
  CREATE TABLE IF NOT EXISTS case_alarms (
    occurrence TEXT PRIMARY KEY, number INTEGER NOT NULL, joined_ms INTEGER NOT NULL,
    raised_ms INTEGER NOT NULL, ended_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS case_alarms_of ON case_alarms (number, joined_ms);
  CREATE TABLE IF NOT EXISTS case_entries (
    seq INTEGER PRIMARY KEY, number INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL,
    by TEXT NOT NULL, "from" TEXT NOT NULL, text TEXT NOT NULL, detail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS case_entries_of ON case_entries (number, seq);
  CREATE TABLE IF NOT EXISTS case_files (
    id INTEGER PRIMARY KEY, number INTEGER NOT NULL, sha256 TEXT NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS case_files_of ON case_files (number, id);`;

export class CaseTables {
  readonly #statements: Statements;

  constructor(database: DatabaseSync) {
    this.#statements = new Statements(database);
    database.exec(SCHEMA);
    this.#statements.run(`INSERT OR IGNORE INTO case_meta VALUES ('format', ?)`, CASE_FORMAT);
    const found = Number(this.#statements.one('SELECT value FROM case_meta')?.['value']);
    if (found > CASE_FORMAT) {
      const detail = bilingual('later-format', { what: 'cases', found, known: CASE_FORMAT });
      throw new Fault('case_format', 'never', detail);
    }
  }

  get(id: string): Case | null {
    return caseOf(this.#statements.one('SELECT document FROM cases WHERE id = ?', id));
  }

  /** The newest case of a subject, ended or not. */
  newest(subject: string): Case | null {
    const sql = 'SELECT document FROM cases WHERE subject = ? ORDER BY number DESC LIMIT 1';
    return caseOf(this.#statements.one(sql, subject));
  }

  /** Newest first, of every rule of a point. */
  ofPoint(key: string, limit: number): Case[] {
    // A subject is `key/rule`: those between `key/` and what follows it, which is `key0`.
    const sql = `SELECT document FROM cases WHERE subject > ? AND subject < ?
      ORDER BY number DESC LIMIT ?`;
    return this.#cases(sql, `${key}/`, `${key}0`, limit);
  }

  /** The case an alarm belongs to. */
  ofAlarm(occurrence: string): Case | null {
    const sql = `SELECT document FROM cases
      WHERE number = (SELECT number FROM case_alarms WHERE occurrence = ?)`;
    return caseOf(this.#statements.one(sql, occurrence));
  }

  /** Numbers it by its year, from 1. */
  insert(year: number, make: (id: string, number: number) => Case): Case {
    const newest = this.#statements.one('SELECT max(number) AS newest FROM cases');
    const last = this.#statements.one('SELECT max(serial) AS last FROM cases WHERE year = ?', year);
    const serial = Number(last?.['last'] ?? 0) + 1;
    const number = Number(newest?.['newest'] ?? 0) + 1;
    const made = make(`${year}-${String(serial).padStart(4, '0')}`, number);
    this.#statements.run(
      `INSERT INTO cases (number, id, year, serial, subject, state, is_open, level, owner, due_ms,
         escalate_ms, document) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[number, made.id, year, serial, made.subject],
      ...columns(made),
    );
    return made;
  }

  update(whole: Case): void {
    this.#statements.run(
      `UPDATE cases SET state = ?, is_open = ?, level = ?, owner = ?, due_ms = ?, escalate_ms = ?,
         document = ? WHERE number = ?`,
      ...columns(whole),
      whole.number,
    );
  }

  /** When the next step is to be escalated; null: none. */
  nextEscalationMs(): number | null {
    const sql = 'SELECT min(escalate_ms) AS next FROM cases WHERE escalate_ms IS NOT NULL';
    const next = this.#statements.one(sql)?.['next'] ?? null;
    return next === null ? null : Number(next);
  }

  /** The most urgent first. */
  escalations(nowMs: number, limit: number): Case[] {
    return this.#cases(
      `SELECT document FROM cases WHERE escalate_ms IS NOT NULL AND escalate_ms <= ?
       ORDER BY level, escalate_ms LIMIT ?`,
      ...[Math.round(nowMs), limit],
    );
  }

  list({ state = 'open', limit = 200, ...filter }: CaseFilter): Case[] {
    const where: string[] = [];
    const values: SQLInputValue[] = [];
    const add = (clause: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return;
      where.push(clause);
      values.push(value);
    };
    if (state === 'open') where.push('is_open = 1');
    else if (state === 'ended') where.push('is_open = 0');
    else if (state !== 'all') add('state = ?', state);
    add('owner = ?', filter.owner);
    add('level = ?', filter.level);
    add('is_open = 1 AND due_ms < ?', filter.overdueAtMs);
    add('number < ?', filter.before);
    const clause = where.length ? `WHERE ${where.join(' AND ')}` : '';
    const sql = `SELECT document FROM cases ${clause} ORDER BY number DESC LIMIT ?`;
    return this.#cases(sql, ...values, Math.min(limit, CASES_LIST_MAX));
  }

  /** False when it is in a case already. */
  join(number: number, { occurrence, joinedMs, raisedMs, endedMs }: CaseAlarm): boolean {
    const sql = 'INSERT OR IGNORE INTO case_alarms VALUES (?, ?, ?, ?, ?)';
    const times = [Math.round(joinedMs), Math.round(raisedMs)];
    const ended = endedMs === null ? null : Math.round(endedMs);
    return this.#statements.run(sql, occurrence, number, ...times, ended).changes > 0;
  }

  /** Ended, or raised again where null. */
  endAlarm(occurrence: string, endedMs: number | null): void {
    const sql = 'UPDATE case_alarms SET ended_ms = ? WHERE occurrence = ?';
    this.#statements.run(sql, endedMs === null ? null : Math.round(endedMs), occurrence);
  }

  /** Oldest first; the newest `limit` of them. */
  alarms(number: number, limit: number): CaseAlarm[] {
    const sql = `SELECT * FROM case_alarms WHERE number = ?
      ORDER BY joined_ms DESC, raised_ms DESC LIMIT ?`;
    return this.#statements
      .all(sql, number, limit)
      .map((row) => ({
        occurrence: String(row['occurrence']),
        joinedMs: Number(row['joined_ms']),
        raisedMs: Number(row['raised_ms']),
        endedMs: row['ended_ms'] === null ? null : Number(row['ended_ms']),
      }))
      .reverse();
  }

  /** How many alarms it has, how many are active, and when the last of them ended. */
  alarmFigures(number: number): { total: number; active: number; lastEndedMs: number | null } {
    const sql = `SELECT count(*) AS total, count(*) - count(ended_ms) AS active,
      max(ended_ms) AS last FROM case_alarms WHERE number = ?`;
    const row = this.#statements.one(sql, number);
    const last = row?.['last'] ?? null;
    return {
      total: Number(row?.['total']),
      active: Number(row?.['active']),
      lastEndedMs: last === null ? null : Number(last),
    };
  }

  /** Everything of one case becomes the other's; the log stays with each. */
  move(from: number, into: number): void {
    this.#statements.run('UPDATE case_alarms SET number = ? WHERE number = ?', into, from);
  }

  write(number: number, entry: Omit<CaseEntry, 'seq'>): CaseEntry {
    const { atMs, kind, by, from, text, detail } = entry;
    const { lastInsertRowid } = this.#statements.run(
      `INSERT INTO case_entries (number, at_ms, kind, by, "from", text, detail)
       VALUES (?, ?, ?, ?, ?, ?, ?)`,
      ...[number, Math.round(atMs), kind, by, from, text, JSON.stringify(detail)],
    );
    return { ...entry, seq: Number(lastInsertRowid) };
  }

  /** Oldest first, after `seq`. */
  entries(number: number, after: number, limit: number): CaseEntry[] {
    const sql = 'SELECT * FROM case_entries WHERE number = ? AND seq > ? ORDER BY seq LIMIT ?';
    return this.#statements.all(sql, number, after, limit).map((row) => ({
      seq: Number(row['seq']),
      atMs: Number(row['at_ms']),
      kind: String(row['kind']) as CaseEntryKind,
      by: String(row['by']),
      from: String(row['from']),
      text: String(row['text']),
      detail: JSON.parse(String(row['detail'])) as Readonly<Record<string, string>>,
    }));
  }

  /** Notes and files: what is bounded, as people can add any number. */
  countEntries(number: number, kind: CaseEntryKind): number {
    const sql = 'SELECT count(*) AS n FROM case_entries WHERE number = ? AND kind = ?';
    return Number(this.#statements.one(sql, number, kind)?.['n']);
  }

  addFile(number: number, file: Omit<CaseFile, 'id'>): CaseFile {
    const { lastInsertRowid } = this.#statements.run(
      'INSERT INTO case_files (number, sha256, document) VALUES (?, ?, ?)',
      ...[number, file.sha256, JSON.stringify(file)],
    );
    return { ...file, id: Number(lastInsertRowid) };
  }

  files(number: number): CaseFile[] {
    const sql = 'SELECT id, document FROM case_files WHERE number = ? ORDER BY id';
    return this.#statements.all(sql, number).map(fileOf);
  }

  file(number: number, id: number): CaseFile | null {
    const sql = 'SELECT id, document FROM case_files WHERE number = ? AND id = ?';
    const row = this.#statements.one(sql, number, id);
    return row ? fileOf(row) : null;
  }

  /** Of every file that a case has. */
  hashes(): Set<string> {
    const rows = this.#statements.all('SELECT DISTINCT sha256 FROM case_files');
    return new Set(rows.map((row) => String(row['sha256'])));
  }

  #cases(sql: string, ...values: SQLInputValue[]): Case[] {
    return this.#statements.all(sql, ...values).map((row) => caseOf(row)!);
  }
}

function caseOf(row: Record<string, unknown> | undefined): Case | null {
  return row ? (JSON.parse(String(row['document'])) as Case) : null;
}

function fileOf(row: Record<string, unknown>): CaseFile {
  const document = JSON.parse(String(row['document'])) as Omit<CaseFile, 'id'>;
  return { ...document, id: Number(row['id']) };
}

function columns(whole: Case): SQLInputValue[] {
  const { state, endedMs, level, owner, steps, escalation } = whole;
  const step = endedMs === null ? steps.at(-1) : undefined;
  const escalateMs = step ? escalateAtMs(step, escalation) : null;
  const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms));
  const due = [rounded(step?.dueMs ?? null), rounded(escalateMs)];
  return [state, step ? 1 : 0, level, owner, ...due, JSON.stringify(whole)];
}
