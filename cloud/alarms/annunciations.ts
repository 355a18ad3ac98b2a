// What people were told of, kept for the figures: a row an annunciation, floods as they happen, and
// the figures of each day. A follower in the alarms' own transaction.
//
// A row is written when an alarm is raised, hidden or not, and when one that is on is told again;
// clearing and acknowledging complete it. Rows are kept DETAIL_DAYS, or ANNUNCIATIONS_MAX in
// number, and as long as the alarm is on; a day's figures are written when the day is over and once
// more before its rows go, so that what was acknowledged late is in them, and are kept DAYS_KEPT.
// Of a period whose rows are gone there are only whole days, for those who see every asset.
//
// A desk is a part of the assets that somebody watches: everything, and each asset path that a
// route of notifications names. Floods are counted for each.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements } from '../statements.ts';
import type { Alarm } from './alarm.ts';
import type { Annunciation, Figures, Hiding, Period } from './figures.ts';
import { figuresOf, WARM_UP_MS } from './figures.ts';
import type { Flood } from './flood.ts';
import { FLOOD_WINDOW_S, FloodMeter } from './flood.ts';
import { isInside } from './grouping.ts';
import type { StormJournal } from './incidents.ts';
import type { AlarmEvent, AlarmFollower } from './occurrences.ts';

const DAY = 86_400_000;

export const DETAIL_DAYS = 35;
/** More than a year, so that a month can be held against the one a year ago. */
export const DAYS_KEPT = 400;
/** 35 days of 14,000 a day, a hundred times what a desk can look at; 200 bytes a row. */
export const ANNUNCIATIONS_MAX = 500_000;
/** Rows are counted after so many more. */
const COUNT_EVERY = 10_000;
/** What is acknowledged late belongs to the day in which it was told. */
const SETTLE_MS = 10 * 60_000;
/** Further routes of notifications have no desk of their own. */
export const DESKS_MAX = 32;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alarm_annunciations (
    id INTEGER PRIMARY KEY AUTOINCREMENT, number INTEGER NOT NULL, nth INTEGER NOT NULL,
    alarm TEXT NOT NULL, asset TEXT, level INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    is_activation INTEGER NOT NULL, hiding TEXT, raised_ms INTEGER NOT NULL, cleared_ms INTEGER,
    acknowledged_ms INTEGER
  ) STRICT;
  CREATE INDEX IF NOT EXISTS alarm_annunciations_of ON alarm_annunciations (number);
  CREATE INDEX IF NOT EXISTS alarm_annunciations_at ON alarm_annunciations (at_ms);
  CREATE INDEX IF NOT EXISTS alarm_annunciations_cleared ON alarm_annunciations (cleared_ms);
  CREATE TABLE IF NOT EXISTS alarm_floods (
    id INTEGER PRIMARY KEY AUTOINCREMENT, desk TEXT NOT NULL, from_ms INTEGER NOT NULL,
    to_ms INTEGER, alarms INTEGER NOT NULL, peak INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS alarm_floods_open ON alarm_floods (desk) WHERE to_ms IS NULL;
  CREATE TABLE IF NOT EXISTS alarm_days (day_ms INTEGER PRIMARY KEY, document TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS alarm_figures_meta (
    key TEXT PRIMARY KEY, value INTEGER NOT NULL
  ) STRICT;`;

const COLUMNS = `alarm, asset, level, at_ms, is_activation, hiding, raised_ms, cleared_ms,
  acknowledged_ms`;

export interface AnnunciationOptions {
  /** Asset paths; '' is everything and always one. */
  readonly desks: readonly string[];
  /** Days begin at midnight there. */
  readonly utcOffsetMs: number;
  /** Writes into the alarms' journal; `what` is `flood/DESK`. */
  readonly journal: StormJournal;
}

interface Desk {
  readonly scope: string;
  meter: FloodMeter;
  /** The newest that is over. */
  last: Flood | null;
  /** What the live stream was told: the beginning of the newest flood, and whether it is over. */
  told: string;
  isChanged: boolean;
}

export interface DeskState {
  /** Asset path; '' is everything. */
  readonly desk: string;
  readonly inTenMinutes: number;
  /** The newest flood, over or not. */
  readonly flood: Flood | null;
}

export class Annunciations implements AlarmFollower {
  readonly #statements: Statements;
  readonly #journal: StormJournal;
  readonly #utcOffsetMs: number;
  readonly #desks: readonly Desk[];
  #inserted = 0;
  /** The first day that is not written yet; null before the first look at a clock. */
  #nextDayMs: number | null = null;
  /** All rows since then are there. */
  #keptFromMs = 0;

  /** Makes its tables in `database` if they are not there. */
  constructor(database: DatabaseSync, options: AnnunciationOptions) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
    this.#journal = options.journal;
    this.#utcOffsetMs = options.utcOffsetMs;
    this.#desks = [...new Set(['', ...options.desks])].slice(0, DESKS_MAX).map((scope) => ({
      ...{ scope, meter: new FloodMeter(), last: null, told: '', isChanged: false },
    }));
    this.load();
    for (const desk of this.#desks) desk.told = toldOf(desk);
  }

  load(): void {
    this.#nextDayMs = this.#meta('next_day_ms');
    this.#keptFromMs = this.#meta('kept_from_ms') ?? 0;
    const newest = this.#statements.one('SELECT max(at_ms) AS at FROM alarm_annunciations');
    const fromMs = Number(newest?.['at'] ?? 0) - FLOOD_WINDOW_S * 1_000;
    const recent = this.#statements.all(
      `SELECT asset, at_ms FROM alarm_annunciations
       WHERE at_ms > ? AND hiding IS NULL ORDER BY at_ms`,
      fromMs,
    );
    for (const desk of this.#desks) {
      const times = recent
        .filter(({ asset }) => isInside(desk.scope, asset as string | null))
        .map((row) => Number(row['at_ms']));
      const floods = this.#floods(desk.scope);
      desk.meter = FloodMeter.of(times, floods.find(({ toMs }) => toMs === null) ?? null);
      desk.last = floods.find(({ toMs }) => toMs !== null) ?? null;
      desk.isChanged = false;
    }
  }

  take(events: readonly AlarmEvent[], _nowMs: number): void {
    for (const { kind, alarm, atMs } of events) {
      if (alarm.isHistorical) continue;
      if (kind === 'raised') this.#add(alarm, atMs, true);
      else if (kind === 'annunciated') {
        const sql = 'SELECT max(nth) AS nth FROM alarm_annunciations WHERE number = ?';
        const nth = this.#statements.one(sql, alarm.number)?.['nth'];
        if (alarm.annunciations > Number(nth ?? 0)) this.#add(alarm, atMs, false);
      } else if (kind === 'cleared' || kind === 'moved') {
        this.#statements.run(
          'UPDATE alarm_annunciations SET cleared_ms = ?, raised_ms = ? WHERE number = ?',
          ...[rounded(alarm.clearedMs), Math.round(alarm.raisedMs), alarm.number],
        );
      } else if (kind === 'acknowledged') {
        this.#statements.run(
          `UPDATE alarm_annunciations SET acknowledged_ms = ?
           WHERE number = ? AND acknowledged_ms IS NULL AND hiding IS NULL`,
          ...[rounded(alarm.acknowledgedMs), alarm.number],
        );
      }
    }
    for (const desk of this.#desks) if (desk.isChanged) this.#writeOpen(desk);
  }

  /** Moves the floods' time along; those that it ends are written by `tick`. */
  isDue(nowMs: number): boolean {
    for (const desk of this.#desks) {
      if (desk.meter.flood === null) desk.meter.advance(nowMs);
    }
    return (
      this.#desks.some(({ meter }) => meter.flood !== null && meter.isOver(nowMs)) ||
      this.#nextDayMs === null ||
      nowMs >= this.#nextDayMs + DAY + SETTLE_MS ||
      this.#inserted >= COUNT_EVERY
    );
  }

  tick(nowMs: number): void {
    for (const desk of this.#desks) this.#ended(desk, desk.meter.advance(nowMs));
    if (this.#nextDayMs === null) this.#setNextDay(this.#dayOf(this.#firstMs() ?? nowMs));
    // One a tick: who was off for a month is not held up by it.
    const day = this.#nextDayMs!;
    if (nowMs >= day + DAY + SETTLE_MS) {
      this.#writeDay(day);
      this.#setNextDay(day + DAY);
      this.#forget(this.#dayOf(nowMs) - DETAIL_DAYS * DAY);
    }
    if (this.#inserted >= COUNT_EVERY) this.#bound();
  }

  /** Floods that began or ended since the last call; for the live stream. */
  changes(): readonly { readonly desk: string; readonly flood: Flood }[] {
    return this.#desks.flatMap((desk) => {
      const told = toldOf(desk);
      const flood = desk.meter.flood ?? desk.last;
      if (told === desk.told || flood === null) return [];
      desk.told = told;
      return [{ desk: desk.scope, flood }];
    });
  }

  /** Of each desk as of the newest second. */
  desks(): DeskState[] {
    return this.#desks.map(({ scope, meter, last }) => ({
      desk: scope,
      inTenMinutes: meter.inWindow,
      flood: meter.flood ?? last,
    }));
  }

  /** Midnight of a day such as 2026-01-31. Throws a Fault: `figures_day`. */
  dayNamed(day: string): number {
    const utcMs = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
    if (!Number.isNaN(utcMs)) return utcMs - this.#utcOffsetMs;
    throw new Fault('figures_day', 'never', bilingual('figures-not-a-day', { found: day }));
  }

  /**
   * Figures of what lies within an asset path. Throws a Fault: `figures_period` where the period is
   * empty or longer than DETAIL_DAYS, `figures_gone` where its rows are no longer kept.
   */
  figures({ fromMs, toMs }: Period, scope = ''): Figures {
    if (!(toMs > fromMs) || toMs - fromMs > DETAIL_DAYS * DAY) {
      const detail = bilingual('figures-longest', { days: DETAIL_DAYS });
      throw new Fault('figures_period', 'never', detail);
    }
    if (fromMs < this.#keptFromMs) {
      const since = new Date(this.#keptFromMs).toISOString();
      throw new Fault('figures_gone', 'never', bilingual('figures-kept-since', { since }));
    }
    return figuresOf(this.#rows({ fromMs, toMs }, scope), { fromMs, toMs });
  }

  /** Of a whole day, also long ago; throws as `figures`. */
  day(dayMs: number, scope = ''): Figures {
    if (dayMs < this.#keptFromMs && scope === '') {
      const sql = 'SELECT document FROM alarm_days WHERE day_ms = ?';
      const row = this.#statements.one(sql, dayMs);
      if (row) return JSON.parse(String(row['document'])) as Figures;
    }
    return this.figures({ fromMs: dayMs, toMs: dayMs + DAY }, scope);
  }

  #add(alarm: Alarm, atMs: number, isActivation: boolean): void {
    const { number, annunciations, key, rule, asset, level, raisedMs, clearedMs } = alarm;
    const hiding = hidingOf(alarm);
    this.#statements.run(
      `INSERT INTO alarm_annunciations (number, nth, ${COLUMNS})
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)`,
      ...[number, annunciations, `${key}/${rule}`, asset, level, Math.round(atMs)],
      ...[isActivation ? 1 : 0, hiding, Math.round(raisedMs), rounded(clearedMs)],
    );
    this.#inserted++;
    if (hiding !== null) return;
    for (const desk of this.#desks) {
      if (!isInside(desk.scope, asset)) continue;
      const { ended, began } = desk.meter.add(atMs);
      this.#ended(desk, ended);
      desk.isChanged ||= desk.meter.flood !== null;
      if (began) this.#began(desk, began);
    }
  }

  #began({ scope }: Desk, flood: Flood): void {
    this.#statements.run(
      'INSERT INTO alarm_floods (desk, from_ms, alarms, peak) VALUES (?, ?, ?, ?)',
      ...[scope, flood.fromMs, flood.alarms, flood.peak],
    );
    this.#journal('flood-began', `flood/${scope}`, flood, flood.fromMs);
  }

  #ended(desk: Desk, flood: Flood | null): void {
    if (!flood) return;
    desk.last = flood;
    desk.isChanged = false;
    this.#statements.run(
      `UPDATE alarm_floods SET to_ms = ?, alarms = ?, peak = ? WHERE desk = ? AND to_ms IS NULL`,
      ...[flood.toMs, flood.alarms, flood.peak, desk.scope],
    );
    this.#journal('flood-ended', `flood/${desk.scope}`, flood, flood.toMs ?? flood.fromMs);
  }

  #writeOpen(desk: Desk): void {
    desk.isChanged = false;
    const { flood } = desk.meter;
    if (!flood) return;
    this.#statements.run(
      'UPDATE alarm_floods SET alarms = ?, peak = ? WHERE desk = ? AND to_ms IS NULL',
      ...[flood.alarms, flood.peak, desk.scope],
    );
  }

  #floods(desk: string): Flood[] {
    const sql = 'SELECT * FROM alarm_floods WHERE desk = ? ORDER BY id DESC LIMIT 2';
    return this.#statements.all(sql, desk).map((row) => ({
      fromMs: Number(row['from_ms']),
      toMs: row['to_ms'] === null ? null : Number(row['to_ms']),
      alarms: Number(row['alarms']),
      peak: Number(row['peak']),
    }));
  }

  // Told in the period or shortly before it, and what was told earlier and is on in it.
  #rows({ fromMs, toMs }: Period, scope: string): Annunciation[] {
    const sql = `SELECT ${COLUMNS} FROM alarm_annunciations WHERE at_ms >= ?1 AND at_ms < ?2
      UNION ALL
      SELECT ${COLUMNS} FROM alarm_annunciations WHERE at_ms < ?1 AND cleared_ms IS NULL
      UNION ALL
      SELECT ${COLUMNS} FROM alarm_annunciations WHERE at_ms < ?1 AND cleared_ms > ?3
      ORDER BY at_ms`;
    return this.#statements
      .all(sql, fromMs - WARM_UP_MS, toMs, fromMs)
      .filter(({ asset }) => isInside(scope, asset as string | null))
      .map((row) => ({
        alarm: String(row['alarm']),
        level: Number(row['level']) as AlarmLevel,
        atMs: Number(row['at_ms']),
        isActivation: row['is_activation'] === 1,
        hiding: row['hiding'] as Hiding | null,
        raisedMs: Number(row['raised_ms']),
        clearedMs: row['cleared_ms'] as number | null,
        acknowledgedMs: row['acknowledged_ms'] as number | null,
      }));
  }

  #writeDay(dayMs: number): void {
    if (dayMs < this.#keptFromMs) return;
    const figures = figuresOf(this.#rows({ fromMs: dayMs, toMs: dayMs + DAY }, ''), {
      ...{ fromMs: dayMs, toMs: dayMs + DAY },
    });
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_days VALUES (?, ?)',
      ...[dayMs, JSON.stringify(figures)],
    );
    this.#statements.run('DELETE FROM alarm_days WHERE day_ms < ?', dayMs - DAYS_KEPT * DAY);
    this.#statements.run('DELETE FROM alarm_floods WHERE to_ms < ?', dayMs - DAYS_KEPT * DAY);
  }

  // The last word on the days that go.
  #forget(beforeMs: number): void {
    const firstMs = Math.max(this.#keptFromMs, beforeMs - 2 * DAY);
    for (let dayMs = this.#dayOf(firstMs); dayMs < beforeMs; dayMs += DAY) this.#writeDay(dayMs);
    this.#statements.run(
      'DELETE FROM alarm_annunciations WHERE at_ms < ? AND cleared_ms IS NOT NULL',
      beforeMs,
    );
    this.#setKeptFrom(Math.max(this.#keptFromMs, beforeMs));
  }

  // Beyond the number of rows the oldest go, whole days at the border are incomplete then.
  #bound(): void {
    this.#inserted = 0;
    const sql = `SELECT max(at_ms) AS at, max(id) AS id FROM alarm_annunciations
      WHERE id <= (SELECT max(id) FROM alarm_annunciations) - ?`;
    const row = this.#statements.one(sql, ANNUNCIATIONS_MAX);
    if (row?.['id'] === null || row?.['id'] === undefined) return;
    this.#writeDay(this.#dayOf(Number(row['at'])));
    this.#statements.run('DELETE FROM alarm_annunciations WHERE id <= ?', Number(row['id']));
    this.#setKeptFrom(Math.max(this.#keptFromMs, Number(row['at']) + 1));
  }

  #firstMs(): number | null {
    const row = this.#statements.one('SELECT min(at_ms) AS at FROM alarm_annunciations');
    return row?.['at'] === null || row === undefined ? null : Number(row['at']);
  }

  #dayOf(atMs: number): number {
    return Math.floor((atMs + this.#utcOffsetMs) / DAY) * DAY - this.#utcOffsetMs;
  }

  #setNextDay(dayMs: number): void {
    this.#nextDayMs = dayMs;
    this.#setMeta('next_day_ms', dayMs);
  }

  #setKeptFrom(fromMs: number): void {
    this.#keptFromMs = fromMs;
    this.#setMeta('kept_from_ms', fromMs);
  }

  #meta(key: string): number | null {
    const row = this.#statements.one('SELECT value FROM alarm_figures_meta WHERE key = ?', key);
    return row ? Number(row['value']) : null;
  }

  #setMeta(key: string, value: number): void {
    this.#statements.run('INSERT OR REPLACE INTO alarm_figures_meta VALUES (?, ?)', key, value);
  }
}

function toldOf({ meter, last }: Desk): string {
  const flood = meter.flood ?? last;
  return flood ? `${flood.fromMs} ${flood.toMs !== null}` : '';
}

function hidingOf({ test, removal, suppressedBy, shelf }: Alarm): Hiding | null {
  if (test) return 'test';
  if (removal) return 'removed';
  if (suppressedBy !== null) return 'suppressed';
  return shelf ? 'shelved' : null;
}

function rounded(ms: number | null): number | null {
  return ms === null ? null : Math.round(ms);
}
