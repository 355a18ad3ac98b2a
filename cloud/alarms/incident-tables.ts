// The tables of incidents and their members, in the alarms' database. This file knows SQL and what
// a row says; incidents.ts decides what is written.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Statements } from '../statements.ts';
import type { Alarm } from './alarm.ts';
import type { Began, IncidentCause } from './grouping.ts';

export const INCIDENT_LIST_MAX = 1_000;
/** So many rows are dropped at once. */
const PRUNE_MAX = 10_000;

export interface Counts {
  readonly members: number;
  /** Active now. */
  readonly active: number;
  readonly unacknowledged: number;
  /** Shelved, suppressed, out of service or under test. */
  readonly hidden: number;
  /** Were over before anybody heard of them. */
  readonly historical: number;
}

export interface FirstOut extends Began {
  readonly occurrence: string;
}

export interface Incident {
  readonly id: number;
  readonly key: string;
  readonly parent: string | null;
  readonly cause: IncidentCause;
  readonly area: string;
  /** Of the first member; of a whole area it is one of several. */
  readonly gateway: string;
  /** The asset path that all members share; null where they are of a gateway. */
  readonly place: string | null;
  readonly firstOut: FirstOut;
  /** The earliest beginning, and the newest beginning or end; sample time. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** The highest (1) that any member had. */
  readonly level: AlarmLevel;
  readonly counts: Counts;
  /** Cloud time at which something joined or ended last. */
  readonly heardMs: number;
  /** Sample time at which the newest member ended; of an open one, of those that have. */
  readonly clearedMs: number | null;
  readonly endedMs: number | null;
  /** Its members are now in this one. */
  readonly mergedInto: number | null;
}

export interface IncidentFilter {
  readonly state?: 'open' | 'all';
  /** Only incidents before this id: lists go from the newest to the oldest. */
  readonly before?: number;
  readonly limit?: number;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
export interface Kept extends Omit<Mutable<Incident>, 'counts'> {
  counts: Mutable<Counts>;
}

export interface Member extends Began {
  readonly incident: number;
  readonly occurrence: string;
  readonly asset: string | null;
  readonly level: AlarmLevel;
  readonly flags: number;
}

const ACTIVE = 1;
const UNACKNOWLEDGED = 2;
export const HIDDEN = 4;
const HISTORICAL = 8;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alarm_incidents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, parent TEXT, first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, is_open INTEGER NOT NULL, is_merged INTEGER NOT NULL,
    quiet_ms INTEGER, document TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS alarm_incidents_key ON alarm_incidents (key, last_ms);
  CREATE INDEX IF NOT EXISTS alarm_incidents_parent ON alarm_incidents (parent, last_ms);
  CREATE INDEX IF NOT EXISTS alarm_incidents_open ON alarm_incidents (id) WHERE is_open = 1;
  CREATE INDEX IF NOT EXISTS alarm_incidents_quiet ON alarm_incidents (quiet_ms)
    WHERE quiet_ms IS NOT NULL;
  CREATE TABLE IF NOT EXISTS alarm_incident_members (
    number INTEGER PRIMARY KEY, incident INTEGER NOT NULL, occurrence TEXT NOT NULL, asset TEXT,
    level INTEGER NOT NULL, began_ms INTEGER NOT NULL, raised_ms INTEGER NOT NULL,
    flags INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS alarm_incident_members_of
    ON alarm_incident_members (incident, began_ms, raised_ms, number);`;

export class IncidentTables {
  readonly #statements: Statements;

  /** Makes its tables in `database` if they are not there. */
  constructor(database: DatabaseSync) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
  }

  /** Gives the incident its number; the rest is written with `put`. */
  insert({ key, parent, firstMs, lastMs }: Kept): number {
    const { lastInsertRowid } = this.#statements.run(
      `INSERT INTO alarm_incidents
       (key, parent, first_ms, last_ms, is_open, is_merged, document)
       VALUES (?, ?, ?, ?, 1, 0, '')`,
      ...[key, parent, firstMs, lastMs],
    );
    return Number(lastInsertRowid);
  }

  /** `quietMs`: when it ends if nothing happens; null where something is on, or it has ended. */
  put(incident: Kept, quietMs: number | null): void {
    const { id, key, parent, firstMs, lastMs, endedMs, mergedInto } = incident;
    const isOpen = endedMs === null && mergedInto === null;
    this.#statements.run(
      `UPDATE alarm_incidents SET key = ?, parent = ?, first_ms = ?, last_ms = ?, is_open = ?,
       is_merged = ?, quiet_ms = ?, document = ? WHERE id = ?`,
      ...[key, parent, firstMs, lastMs, isOpen ? 1 : 0, mergedInto === null ? 0 : 1, quietMs],
      JSON.stringify(incident),
      id,
    );
  }

  get(id: number): Kept | null {
    const row = this.#statements.one('SELECT document FROM alarm_incidents WHERE id = ?', id);
    return row ? incidentOf(row) : null;
  }

  /** Newest first; without those that went into another. */
  list({ state = 'open', before, limit = 200 }: IncidentFilter): Kept[] {
    const open = state === 'open' ? 'AND is_open = 1' : '';
    const sql = `SELECT document FROM alarm_incidents
      WHERE id < ? AND is_merged = 0 ${open} ORDER BY id DESC LIMIT ?`;
    const most = Math.min(limit, INCIDENT_LIST_MAX);
    return this.#statements.all(sql, before ?? Number.MAX_SAFE_INTEGER, most).map(incidentOf);
  }

  get open(): number {
    const sql = 'SELECT count(*) AS open FROM alarm_incidents WHERE is_open = 1';
    return Number(this.#statements.one(sql)?.['open']);
  }

  /** The newest of a key, whatever became of it. */
  newest(key: string): number | null {
    const sql = 'SELECT id FROM alarm_incidents WHERE key = ? ORDER BY id DESC LIMIT 1';
    const row = this.#statements.one(sql, key);
    return row ? Number(row['id']) : null;
  }

  /** The one of a key that went on last among those that touch a stretch of time. */
  within(key: string, fromMs: number, toMs: number): number | null {
    const sql = `SELECT id FROM alarm_incidents
      WHERE key = ? AND last_ms >= ? AND first_ms <= ? AND is_merged = 0
      ORDER BY last_ms DESC LIMIT 1`;
    const row = this.#statements.one(sql, key, fromMs, toMs);
    return row ? Number(row['id']) : null;
  }

  /** How many under a parent touch a stretch of time; no more than `most`. */
  siblings(parent: string, fromMs: number, toMs: number, most: number): number {
    const sql = `SELECT count(*) AS siblings FROM (
      SELECT 1 FROM alarm_incidents
      WHERE parent = ? AND last_ms >= ? AND first_ms <= ? AND is_merged = 0 LIMIT ?)`;
    return Number(this.#statements.one(sql, parent, fromMs, toMs, most)?.['siblings']);
  }

  /** Those under a parent that went on last within a stretch of time, the oldest first. */
  lastWithin(parent: string, fromMs: number, toMs: number): number[] {
    const sql = `SELECT id FROM alarm_incidents
      WHERE parent = ? AND last_ms BETWEEN ? AND ? AND is_merged = 0 ORDER BY id`;
    return this.#statements.all(sql, parent, fromMs, toMs).map(({ id }) => Number(id));
  }

  /** Those that are to end by now. */
  quiet(nowMs: number): number[] {
    const sql = 'SELECT id FROM alarm_incidents WHERE quiet_ms <= ? ORDER BY id';
    return this.#statements.all(sql, nowMs).map(({ id }) => Number(id));
  }

  /** When the next may end; Infinity when something is on in all of them. */
  nextQuietMs(): number {
    const row = this.#statements.one('SELECT min(quiet_ms) AS next FROM alarm_incidents');
    const next = row?.['next'];
    return next === null || next === undefined ? Number.POSITIVE_INFINITY : Number(next);
  }

  member(number: number): Member | null {
    const sql = 'SELECT * FROM alarm_incident_members WHERE number = ?';
    const row = this.#statements.one(sql, number);
    return row ? memberIn(row) : null;
  }

  putMember(member: Member): void {
    const { number, incident, occurrence, asset, level, beganMs, raisedMs, flags } = member;
    this.#statements.run(
      'INSERT OR REPLACE INTO alarm_incident_members VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[number, incident, occurrence, asset, level, beganMs, raisedMs, flags],
    );
  }

  dropMember(number: number): void {
    this.#statements.run('DELETE FROM alarm_incident_members WHERE number = ?', number);
  }

  moveMembers(from: number, to: number): void {
    const sql = 'UPDATE alarm_incident_members SET incident = ? WHERE incident = ?';
    this.#statements.run(sql, to, from);
  }

  /** In the order in which they began, within an asset path where one is given. */
  members(id: number, scope: string, limit: number): Member[] {
    const sql = `SELECT * FROM alarm_incident_members WHERE incident = ?1
      AND (?2 = '' OR asset = ?2 OR substr(asset, 1, length(?2) + 1) = ?2 || '/')
      ORDER BY began_ms, raised_ms, number LIMIT ?3`;
    return this.#statements.all(sql, id, scope, limit).map(memberIn);
  }

  /** Of the members within an asset path; null when there are none. */
  part(incident: Incident, scope: string): Incident | null {
    const sql = `SELECT count(*) AS members, sum(flags & 1) AS active,
        sum((flags >> 1) & 1) AS unacknowledged, sum((flags >> 2) & 1) AS hidden,
        sum((flags >> 3) & 1) AS historical, min(level) AS level, min(began_ms) AS first_ms,
        max(began_ms) AS last_ms
      FROM alarm_incident_members
      WHERE incident = ?1 AND (asset = ?2 OR substr(asset, 1, length(?2) + 1) = ?2 || '/')`;
    const row = this.#statements.one(sql, incident.id, scope)!;
    const [first] = this.members(incident.id, scope, 1);
    if (!first) return null;
    const count = (name: keyof Counts) => Number(row[name]);
    return {
      ...incident,
      place: scope,
      firstOut: firstOutOf(first),
      firstMs: Number(row['first_ms']),
      lastMs: Number(row['last_ms']),
      level: Number(row['level']) as AlarmLevel,
      counts: {
        members: count('members'),
        active: count('active'),
        unacknowledged: count('unacknowledged'),
        hidden: count('hidden'),
        historical: count('historical'),
      },
    };
  }

  /**
   * Drops members of incidents over since before `membersMs`, and incidents over since before
   * `incidentsMs` or beyond `most` in number.
   */
  prune(membersMs: number, incidentsMs: number, most: number): void {
    this.#statements.run(
      `DELETE FROM alarm_incident_members WHERE number IN (
         SELECT number FROM alarm_incident_members WHERE incident IN (
           SELECT id FROM alarm_incidents WHERE is_open = 0 AND (last_ms < ?1
             OR id <= (SELECT max(id) FROM alarm_incidents) - ?2)) LIMIT ?3)`,
      ...[membersMs, most, PRUNE_MAX],
    );
    this.#statements.run(
      `DELETE FROM alarm_incidents WHERE id IN (
         SELECT id FROM alarm_incidents WHERE is_open = 0
         AND (last_ms < ?1 OR id <= (SELECT max(id) FROM alarm_incidents) - ?2)
         AND NOT EXISTS (SELECT 1 FROM alarm_incident_members WHERE incident = id) LIMIT ?3)`,
      ...[incidentsMs, most, PRUNE_MAX],
    );
  }
}

/** Nobody is told of it now. */
export function isHidden({ shelf, suppressedBy, removal, test }: Alarm): boolean {
  return shelf !== null || suppressedBy !== null || removal !== null || test !== null;
}

export function memberOf(alarm: Alarm, incident: number): Member {
  const { number, occurrence, asset, level, state, isHistorical, clearedMs } = alarm;
  let flags = 0;
  if (isHistorical) flags |= HISTORICAL;
  else {
    if (clearedMs === null) flags |= ACTIVE;
    if (isHidden(alarm)) flags |= HIDDEN;
    else if (state === 'B' || state === 'D' || state === 'E') flags |= UNACKNOWLEDGED;
  }
  const beganMs = Math.round(alarm.beganMs);
  const raisedMs = Math.round(alarm.raisedMs);
  return { number, incident, occurrence, asset, level, beganMs, raisedMs, flags };
}

function memberIn(row: Record<string, unknown>): Member {
  return {
    number: Number(row['number']),
    incident: Number(row['incident']),
    occurrence: String(row['occurrence']),
    asset: row['asset'] === null ? null : String(row['asset']),
    level: Number(row['level']) as AlarmLevel,
    beganMs: Number(row['began_ms']),
    raisedMs: Number(row['raised_ms']),
    flags: Number(row['flags']),
  };
}

export function firstOutOf({ occurrence, number, beganMs, raisedMs }: Member): FirstOut {
  return { occurrence, number, beganMs, raisedMs };
}

export function count({ counts }: Kept, { flags }: Member, by: 1 | -1): void {
  counts.members += by;
  if (flags & ACTIVE) counts.active += by;
  if (flags & UNACKNOWLEDGED) counts.unacknowledged += by;
  if (flags & HIDDEN) counts.hidden += by;
  if (flags & HISTORICAL) counts.historical += by;
}

function incidentOf(row: Record<string, unknown>): Kept {
  return JSON.parse(String(row['document'])) as Kept;
}
