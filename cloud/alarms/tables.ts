// The tables of the alarms, in the registry's database: rules, evaluation state, alarms,
// notifications to send, cursor; the journal is in journal.ts. This file knows SQL and nothing
// else; consumer.ts decides what is written in one transaction.
//
// Format version 2: the journal is a chain, which a program of version 1 would break. Files of
// version 1 become 2 when they are opened. Documents are JSON; times are milliseconds since 1970
// unless their name says mono.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Verdict } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import type { Condition } from '../../core/alarm/state.ts';
import { NORMAL } from '../../core/alarm/state.ts';
import { Fault } from '../../core/fault.ts';
import type { PointClass } from '../../core/reading.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements, transact } from '../statements.ts';
import type { Alarm, NewAlarm, TestMode } from './alarm.ts';
import { alarmOf, isOpen, stateOf } from './alarm.ts';
import { Interned } from './interned.ts';
import { type Journal, openJournal } from './journal.ts';
import { RuleVersions } from './rule-versions.ts';

export const ALARM_FORMAT = 2;

export interface RuleRow {
  readonly series: number;
  readonly rule: Rule;
  readonly version: number;
  readonly author: string;
  readonly reason: string;
  /** A gateway's proposal that differs from what a person decided: shown, never applied. */
  readonly proposed: Rule | null;
  readonly retired: boolean;
}

export interface SeriesRow {
  readonly series: number;
  readonly area: string;
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly name: Bilingual;
  readonly unit: string;
  /** With the unit: in which terms its values and limits are. */
  readonly scale: number;
  readonly offset: number;
  readonly periodMs: number;
  readonly asset: string | null;
  readonly class: PointClass;
}

export interface RuleState {
  readonly verdict: Verdict;
  readonly condition: Condition;
  /** Raised by what came late; an alarm as soon as something live shows that it still holds. */
  readonly isProvisional: boolean;
  /** What it hides under: a worse limit's rule, or `gateway-silent`. */
  readonly suppressedBy: string | null;
}

// `annunciated`: told again as if new, after it was hidden or when it was acknowledged long ago.
// `escalated`: a step of its case is overdue.
export const notified = ['raised', 'annunciated', 'cleared', 'escalated'] as const;
export type Notified = (typeof notified)[number];

/** A step of the alarm's case that is overdue: what `escalated` tells. */
export interface Escalation {
  readonly case: string;
  readonly state: string;
  /** How often this step was told, from 1: so far down the chain it goes. */
  readonly step: number;
  /** How often the case was told, from 1: makes each a notification of its own. */
  readonly count: number;
  readonly dueMs: number;
  readonly owner: string | null;
}

/** A notification to send; the notify pipeline takes these in order. */
export interface Outgoing {
  readonly seq: number;
  readonly atMs: number;
  readonly transition: Notified;
  readonly alarm: Alarm;
  /** Of `escalated` alone. */
  readonly escalation?: Escalation;
}

/**
 * `open`: those to be looked at (letters B to F), neither historical nor superseded; the hidden
 * ones are on lists of their own.
 */
export const alarmSelections = [
  'open',
  'all',
  'historical',
  'shelved',
  'suppressed',
  'out-of-service',
] as const;
type AlarmSelection = (typeof alarmSelections)[number];

const LETTER = "json_extract(document, '$.state')";
const selected: Readonly<Record<AlarmSelection, string>> = {
  // A test of the path is nobody's to look at; older documents say no purpose.
  open: `is_open = 1 AND ${LETTER} NOT IN ('G', 'H', 'I')
    AND json_extract(document, '$.purpose') IS NOT 'path-test'`,
  all: '1',
  historical: 'is_historical = 1',
  shelved: `is_open = 1 AND ${LETTER} = 'G'`,
  suppressed: `is_open = 1 AND ${LETTER} = 'H'`,
  'out-of-service': `is_open = 1 AND ${LETTER} = 'I'`,
};

export interface AlarmFilter {
  readonly state?: AlarmSelection;
  readonly gateway?: string;
  /** Only alarms before this number: lists go from the newest to the oldest. */
  readonly before?: number;
  readonly limit?: number;
}

export const LIST_MAX = 1_000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alarm_meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS alarm_series (
    series INTEGER PRIMARY KEY, document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS alarm_rules (
    series INTEGER NOT NULL, rule TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL,
    reason TEXT NOT NULL, document TEXT NOT NULL, proposed TEXT, retired INTEGER NOT NULL,
    PRIMARY KEY (series, rule)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarm_states (
    series INTEGER NOT NULL, rule TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (series, rule)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarm_marks (block INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS alarm_gateways (
    gateway TEXT PRIMARY KEY, document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarm_own (
    what TEXT PRIMARY KEY, document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarm_stretches (
    id INTEGER PRIMARY KEY, series INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS alarm_tests (
    device TEXT PRIMARY KEY, document TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS alarms (
    number INTEGER PRIMARY KEY, occurrence TEXT NOT NULL UNIQUE, gateway TEXT NOT NULL,
    is_open INTEGER NOT NULL, is_historical INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS alarms_open ON alarms (number) WHERE is_open = 1;
  CREATE TABLE IF NOT EXISTS alarm_outgoing (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, document TEXT NOT NULL
  ) STRICT;`;

export class AlarmTables {
  readonly journal: Journal;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly ruleVersions: RuleVersions;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
    database.exec(SCHEMA);
    this.ruleVersions = new RuleVersions(database);
    this.journal = openJournal(database);
    this.#statements.run(
      `INSERT OR IGNORE INTO alarm_meta VALUES ('format', ?), ('cursor', 0)`,
      ALARM_FORMAT,
    );
    const format = this.#meta('format');
    if (format > ALARM_FORMAT) {
      const values = { what: 'alarms', found: format, known: ALARM_FORMAT };
      throw new Fault('alarm_format', 'never', bilingual('later-format', values));
    }
    this.#statements.run(`UPDATE alarm_meta SET value = ? WHERE key = 'format'`, ALARM_FORMAT);
  }

  get isTransacting(): boolean {
    return this.#database.isTransaction;
  }

  /** Runs `work` in one transaction: all of it, or nothing. */
  transact<Result>(work: () => Result): Result {
    return transact(this.#database, work);
  }

  get cursor(): number {
    return this.#meta('cursor');
  }

  set cursor(row: number) {
    this.#statements.run(`UPDATE alarm_meta SET value = ? WHERE key = 'cursor'`, row);
  }

  series(): SeriesRow[] {
    return [...this.eachSeries()];
  }

  /** One by one: a million rows at once are a gigabyte for nothing. */
  *eachSeries(): Generator<SeriesRow> {
    const names = new Interned<SeriesRow['name']>();
    const texts = new Interned<string>();
    const own = (text: string) => texts.of(text, () => text);
    const sql = 'SELECT document FROM alarm_series ORDER BY series';
    for (const { document } of this.#statements.each(sql)) {
      const row = JSON.parse(String(document)) as SeriesRow;
      const name = names.of(`${row.name.en}\n${row.name.zh}`, () => row.name);
      const asset = row.asset === null ? null : own(row.asset);
      const [area, gateway, unit] = [own(row.area), own(row.gateway), own(row.unit)];
      yield { ...row, area, gateway, name, unit, asset };
    }
  }

  putSeries(row: SeriesRow): void {
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_series VALUES (?, ?)',
      row.series,
      JSON.stringify(row),
    );
  }

  rules(): RuleRow[] {
    return [...this.eachRule()];
  }

  /** One by one; equal rules are one object. */
  *eachRule(): Generator<RuleRow> {
    const rules = new Interned<Rule>();
    const texts = new Interned<string>();
    const own = (text: string) => texts.of(text, () => text);
    const sql = 'SELECT * FROM alarm_rules ORDER BY series, rule';
    for (const row of this.#statements.each(sql)) {
      const rule = rules.of(String(row['document']), (document) => JSON.parse(document) as Rule);
      const whole = ruleOf(row, rule);
      yield { ...whole, author: own(whole.author), reason: own(whole.reason) };
    }
  }

  /** In force and retired, by id. */
  rulesOf(series: number): RuleRow[] {
    const sql = 'SELECT * FROM alarm_rules WHERE series = ? ORDER BY rule';
    return this.#statements.all(sql, series).map((row) => ruleOf(row));
  }

  putRule(row: RuleRow): void {
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_rules VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      row.series,
      row.rule.id,
      row.version,
      row.author,
      row.reason,
      JSON.stringify(row.rule),
      row.proposed === null ? null : JSON.stringify(row.proposed),
      row.retired ? 1 : 0,
    );
  }

  states(): { series: number; rule: string; state: RuleState }[] {
    return [...this.eachState()];
  }

  *eachState(): Generator<{ series: number; rule: string; state: RuleState }> {
    for (const row of this.#statements.each('SELECT * FROM alarm_states')) {
      yield { series: Number(row['series']), rule: String(row['rule']), state: ruleState(row) };
    }
  }

  putState(series: number, rule: string, state: RuleState): void {
    const document = JSON.stringify(state);
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_states VALUES (?, ?, ?)',
      series,
      rule,
      document,
    );
  }

  marks(): { block: number; data: Uint8Array }[] {
    return this.#statements.all('SELECT * FROM alarm_marks').map((row) => ({
      block: Number(row['block']),
      data: row['data'] as Uint8Array,
    }));
  }

  putMarks(block: number, data: Uint8Array): void {
    this.#statements.run('INSERT OR REPLACE INTO alarm_marks VALUES (?, ?)', block, data);
  }

  gateways<Document>(): Document[] {
    return this.#documents<Document>('SELECT document FROM alarm_gateways ORDER BY gateway');
  }

  putGateway(gateway: string, document: unknown): void {
    const text = JSON.stringify(document);
    this.#statements.run('INSERT OR REPLACE INTO alarm_gateways VALUES (?, ?)', gateway, text);
  }

  stretches<Document>(): { id: number; series: number; document: Document }[] {
    return this.#statements.all('SELECT * FROM alarm_stretches ORDER BY id').map((row) => ({
      id: Number(row['id']),
      series: Number(row['series']),
      document: JSON.parse(String(row['document'])) as Document,
    }));
  }

  putStretch(id: number, series: number, document: unknown): void {
    const text = JSON.stringify(document);
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_stretches VALUES (?, ?, ?)',
      id,
      series,
      text,
    );
  }

  dropStretch(id: number): void {
    this.#statements.run('DELETE FROM alarm_stretches WHERE id = ?', id);
  }

  tests(): { device: string; test: TestMode }[] {
    return this.#statements.all('SELECT * FROM alarm_tests').map((row) => ({
      device: String(row['device']),
      test: JSON.parse(String(row['document'])) as TestMode,
    }));
  }

  /** Null: it is over. */
  putTest(device: string, test: TestMode | null): void {
    this.#statements.run('DELETE FROM alarm_tests WHERE device = ?', device);
    if (test === null) return;
    const document = JSON.stringify(test);
    this.#statements.run('INSERT INTO alarm_tests VALUES (?, ?)', device, document);
  }

  get(occurrence: string): Alarm | null {
    const row = this.#statements.one(
      'SELECT document FROM alarms WHERE occurrence = ?',
      occurrence,
    );
    return row ? alarmOf(row) : null;
  }

  /** Null when there is an alarm of this name already. */
  insert(alarm: NewAlarm): Alarm | null {
    if (this.get(alarm.occurrence)) return null;
    const newest = this.#statements.one('SELECT max(number) AS newest FROM alarms');
    const number = Number(newest?.['newest'] ?? 0) + 1;
    const whole: Alarm = { ...alarm, number, revision: 1, state: stateOf(alarm) };
    this.#statements.run(
      'INSERT INTO alarms VALUES (?, ?, ?, ?, ?, ?)',
      number,
      alarm.occurrence,
      alarm.gateway,
      isOpen(whole) ? 1 : 0,
      alarm.isHistorical ? 1 : 0,
      JSON.stringify(whole),
    );
    return whole;
  }

  update(before: Alarm, changes: Partial<Omit<NewAlarm, 'occurrence'>>): Alarm {
    const changed = { ...before, ...changes, revision: before.revision + 1 };
    const whole: Alarm = { ...changed, state: stateOf(changed) };
    this.#statements.run(
      'UPDATE alarms SET is_open = ?, is_historical = ?, document = ? WHERE number = ?',
      isOpen(whole) ? 1 : 0,
      whole.isHistorical ? 1 : 0,
      JSON.stringify(whole),
      whole.number,
    );
    return whole;
  }

  /**
   * Only for a historical alarm that turned out to be the beginning of another; the journal keeps
   * it.
   */
  remove(occurrence: string): void {
    this.#statements.run('DELETE FROM alarms WHERE occurrence = ?', occurrence);
  }

  list({ state = 'open', gateway, before, limit = 200 }: AlarmFilter): Alarm[] {
    const where = [selected[state]];
    const values: SQLInputValue[] = [];
    if (gateway !== undefined) {
      where.push('gateway = ?');
      values.push(gateway);
    }
    if (before !== undefined) {
      where.push('number < ?');
      values.push(before);
    }
    const sql = `SELECT document FROM alarms WHERE ${where.join(' AND ')} ORDER BY number DESC LIMIT ?`;
    return this.#statements.all(sql, ...values, Math.min(limit, LIST_MAX)).map(alarmOf);
  }

  /** Of what is no point's, by key and rule (own-alarms.ts). */
  ownConditions(): [string, Condition][] {
    return this.#statements
      .all('SELECT * FROM alarm_own')
      .map((row) => [String(row['what']), JSON.parse(String(row['document'])) as Condition]);
  }

  putOwnCondition(what: string, condition: Condition): void {
    const sql = 'INSERT OR REPLACE INTO alarm_own VALUES (?, ?)';
    this.#statements.run(sql, what, JSON.stringify(condition));
  }

  /** Of a test of the path; the newest alarm stays, as numbers are counted on from it. */
  dropTest(occurrence: string): void {
    const sql = `DELETE FROM alarms WHERE occurrence = ?
      AND number < (SELECT max(number) FROM alarms)`;
    this.#statements.run(sql, occurrence);
  }

  queue(transition: Notified, alarm: Alarm, atMs: number, escalation?: Escalation): void {
    const document = JSON.stringify({ transition, alarm, escalation });
    const sql = 'INSERT INTO alarm_outgoing (at_ms, document) VALUES (?, ?)';
    this.#statements.run(sql, Math.round(atMs), document);
  }

  /**
   * What is to be notified, oldest first; the pipeline drops each in the transaction that routes
   * it.
   */
  outgoing(limit: number): Outgoing[] {
    return this.#statements
      .all('SELECT * FROM alarm_outgoing ORDER BY seq LIMIT ?', limit)
      .map((row) => ({
        ...(JSON.parse(String(row['document'])) as Omit<Outgoing, 'seq' | 'atMs'>),
        seq: Number(row['seq']),
        atMs: Number(row['at_ms']),
      }));
  }

  dropOutgoing(throughSeq: number): void {
    this.#statements.run('DELETE FROM alarm_outgoing WHERE seq <= ?', throughSeq);
  }

  #meta(key: string): number {
    return Number(
      this.#statements.one('SELECT value FROM alarm_meta WHERE key = ?', key)?.['value'],
    );
  }

  #documents<Document>(sql: string, ...values: SQLInputValue[]): Document[] {
    return this.#statements
      .all(sql, ...values)
      .map((row) => JSON.parse(String(row['document'])) as Document);
  }
}

function ruleOf(
  row: Record<string, unknown>,
  rule = JSON.parse(String(row['document'])) as Rule,
): RuleRow {
  return {
    series: Number(row['series']),
    rule,
    version: Number(row['version']),
    author: String(row['author']),
    reason: String(row['reason']),
    proposed: row['proposed'] === null ? null : (JSON.parse(String(row['proposed'])) as Rule),
    retired: Number(row['retired']) === 1,
  };
}

// Documents of before latching and hiding have no such fields.
function ruleState(row: Record<string, unknown>): RuleState {
  const state = JSON.parse(String(row['document'])) as RuleState;
  return {
    ...state,
    condition: { ...NORMAL, ...state.condition },
    suppressedBy: state.suppressedBy ?? null,
  };
}
