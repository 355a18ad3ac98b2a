// Incidents: alarms that belong together, as one thing to look at in a storm. Which belong together
// says grouping.ts; this file keeps them, as a follower in the alarms' own transaction.
//
// Promises
//   - Every alarm that was raised is a member of exactly one incident; none is lost, whatever the
//     rate. What is hidden (shelved, suppressed, out of service, under test) and what is history
//     joins an incident that is there and begins none.
//   - First-out is the member whose condition began first, by sample time; it is corrected when a
//     later arrival began earlier and when history moves an alarm.
//   - An incident ends when all its alarms have ended and for QUIET_MS nothing has joined it or
//     ended in it, by the cloud's clock. One whose alarm turns out to be on still is open again.
//   - Counts are those of the member rows: each change takes away what the row said before and adds
//     what it says now, in one transaction.
//
// In memory are the incidents touched lately, CACHE_MAX at most; an alarm costs one look-up and one
// row. Rows: an incident is kept for KEPT_MS after it ended and INCIDENTS_MAX in number, its
// members for MEMBERS_KEPT_MS. A member row is about 120 bytes, a tenth of its alarm's.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import type { Alarm } from './alarm.ts';
import type { Group, IncidentCause } from './grouping.ts';
import {
  AREA_GATEWAYS_MIN,
  AREA_WINDOW_MS,
  areaSilenceOf,
  commonPlace,
  isBefore,
  isInside,
  isOfSilence,
  isWithin,
  placesOf,
  SIBLINGS_MAX,
  silenceOf,
  WINDOW_MS,
} from './grouping.ts';
import type { Counts, Incident, IncidentFilter, Kept, Member } from './incident-tables.ts';
import {
  count,
  firstOutOf,
  HIDDEN,
  INCIDENT_LIST_MAX,
  IncidentTables,
  isHidden,
  memberOf,
} from './incident-tables.ts';
import type { AlarmEvent, AlarmFollower } from './occurrences.ts';

/** A return within ten minutes is the same incident. */
export const QUIET_MS = WINDOW_MS;
export const KEPT_MS = 400 * 86_400_000;
export const MEMBERS_KEPT_MS = 35 * 86_400_000;
/** Some 250 a day for KEPT_MS; beyond it the oldest that ended are dropped. */
export const INCIDENTS_MAX = 100_000;
/** Of 1 KB each. Beyond it they are written, and read again when needed. */
const CACHE_MAX = 1_000;
/** Rows are looked through for old ones once in so long. */
const PRUNE_EVERY_MS = 3_600_000;

export const incidentChanges = ['began', 'changed', 'ended', 'merged'] as const;
export type IncidentChange = (typeof incidentChanges)[number];

/** Writes into the alarms' journal, in their transaction; `what` is `incident/7`. */
export type StormJournal = (kind: string, what: string, after: unknown, atMs: number) => void;

export class Incidents implements AlarmFollower {
  readonly #tables: IncidentTables;
  readonly #journal: StormJournal;
  readonly #cache = new Map<number, Kept>();
  /** The newest incident of a key, where it was asked for. */
  readonly #newest = new Map<string, Kept>();
  readonly #dirty = new Set<Kept>();
  /** What is to be told when the transaction is through. */
  readonly #changes = new Map<number, IncidentChange>();
  /** When the next incident may end; Infinity when all are active. */
  #quietMs = Number.POSITIVE_INFINITY;
  #prunedMs = 0;

  /** Makes its tables in `database` if they are not there. */
  constructor(database: DatabaseSync, journal: StormJournal) {
    this.#tables = new IncidentTables(database);
    this.#journal = journal;
    this.load();
  }

  load(): void {
    this.#forget();
    this.#dirty.clear();
    this.#quietMs = this.#tables.nextQuietMs();
  }

  take(events: readonly AlarmEvent[], nowMs: number): void {
    for (const { kind, alarm } of events) {
      if (kind === 'merged') this.#leave(alarm, nowMs);
      else if (kind === 'suppressed') this.#put(alarm, nowMs, 'again');
      else this.#put(alarm, nowMs, 'where it is');
    }
    this.#flush();
    if (this.#cache.size + this.#newest.size > CACHE_MAX) this.#forget();
  }

  isDue(nowMs: number): boolean {
    // It is known since when one may end, not whether that one was joined since.
    if (this.#quietMs <= nowMs) this.#quietMs = this.#tables.nextQuietMs();
    return this.#quietMs <= nowMs || nowMs - this.#prunedMs >= PRUNE_EVERY_MS;
  }

  tick(nowMs: number): void {
    for (const id of this.#tables.quiet(nowMs)) {
      const incident = this.#get(id)!;
      incident.endedMs = incident.clearedMs ?? incident.lastMs;
      this.#touch(incident, 'ended');
      this.#note('incident-ended', incident, nowMs);
    }
    this.#flush();
    if (nowMs - this.#prunedMs >= PRUNE_EVERY_MS) this.#prune(nowMs);
    this.#quietMs = this.#tables.nextQuietMs();
  }

  /** What became of incidents since the last call; for the live stream. */
  changes(): readonly { readonly change: IncidentChange; readonly incident: Incident }[] {
    const told = [...this.#changes];
    this.#changes.clear();
    return told.flatMap(([id, change]) => {
      const incident = this.get(id);
      return incident ? [{ change, incident }] : [];
    });
  }

  get(id: number): Incident | null {
    return this.#cache.get(id) ?? this.#tables.get(id);
  }

  /** Newest first; without those that went into another. */
  list(filter: IncidentFilter = {}): Incident[] {
    return this.#tables.list(filter);
  }

  /** How many are open; for metrics. */
  get open(): number {
    return this.#tables.open;
  }

  /** Occurrences in the order in which they began, within an asset path where one is given. */
  members(id: number, scope = '', limit = INCIDENT_LIST_MAX): string[] {
    return this.#tables.members(id, scope, limit).map(({ occurrence }) => occurrence);
  }

  /**
   * The incident as somebody sees it who sees only what is within an asset path: counts, level,
   * times and first-out of those members; null when there are none.
   */
  within(incident: Incident, scope: string): Incident | null {
    if (scope === '' || isInside(scope, incident.place)) return incident;
    return this.#tables.part(incident, scope);
  }

  #put(alarm: Alarm, nowMs: number, where: 'where it is' | 'again'): void {
    const before = this.#tables.member(alarm.number);
    if (!before) {
      const incident = this.#incidentFor(alarm, nowMs);
      if (incident) this.#join(incident, alarm, nowMs);
      return;
    }
    const incident = this.#get(before.incident)!;
    const hiding = where === 'again' ? this.#silenceFor(alarm) : undefined;
    if (hiding && hiding !== incident) {
      this.#leave(alarm, nowMs, hiding);
      this.#join(hiding, alarm, nowMs);
      return;
    }
    const after = memberOf(alarm, incident.id);
    const isSame = after.flags === before.flags && after.level === before.level;
    const isMoved = after.beganMs !== before.beganMs || after.raisedMs !== before.raisedMs;
    if (isSame && !isMoved) return;
    this.#tables.putMember(after);
    count(incident, before, -1);
    count(incident, after, 1);
    incident.heardMs = Math.max(incident.heardMs, nowMs);
    noteMember(incident, alarm, after);
    if (isMoved) this.#refirst(incident);
    this.#touch(incident, 'changed');
  }

  #join(incident: Kept, alarm: Alarm, nowMs: number): void {
    const member = memberOf(alarm, incident.id);
    this.#tables.putMember(member);
    count(incident, member, 1);
    incident.heardMs = Math.max(incident.heardMs, nowMs);
    noteMember(incident, alarm, member);
    if (isBefore(member, incident.firstOut)) incident.firstOut = firstOutOf(member);
    this.#touch(incident, 'changed');
  }

  /** No member any more; the last one that leaves for another incident takes this one with it. */
  #leave(alarm: Alarm, nowMs: number, into?: Kept): void {
    const before = this.#tables.member(alarm.number);
    if (!before) return;
    const incident = this.#get(before.incident)!;
    this.#tables.dropMember(alarm.number);
    count(incident, before, -1);
    this.#touch(incident, 'changed');
    if (incident.counts.members > 0) this.#refirst(incident);
    else if (into) {
      this.#newest.delete(incident.key);
      this.#end(incident, into, nowMs);
    }
  }

  // Null when it is no reason to begin an incident.
  #incidentFor(alarm: Alarm, nowMs: number): Kept | null {
    const isShown = !alarm.isHistorical && !isHidden(alarm) && alarm.clearedMs === null;
    switch (isOfSilence(alarm)) {
      case 'under':
        return this.#silenceFor(alarm) ?? null;
      case 'itself':
        return this.#silent(alarm, isShown, nowMs);
      default:
        return this.#placed(alarm, isShown, nowMs);
    }
  }

  #placed(alarm: Alarm, isShown: boolean, nowMs: number): Kept | null {
    for (const group of placesOf(alarm)) {
      const found = this.#find(group.key, alarm.beganMs, WINDOW_MS);
      if (found) return found;
      if (!isShown || this.#isCrowded(group, alarm.beganMs)) continue;
      return this.#begin(group, 'place', alarm, nowMs);
    }
    return null;
  }

  #silent(alarm: Alarm, isShown: boolean, nowMs: number): Kept | null {
    const own = silenceOf(alarm);
    const area = areaSilenceOf(alarm.area);
    const found =
      this.#find(area.key, alarm.beganMs, AREA_WINDOW_MS) ??
      this.#find(own.key, alarm.beganMs, WINDOW_MS);
    if (!found && !isShown) return null;
    const incident = found ?? this.#begin(own, 'silent', alarm, nowMs);
    if (incident.cause === 'area-silent') return incident;
    if (alarm.beganMs > incident.lastMs) {
      incident.lastMs = Math.round(alarm.beganMs);
      this.#touch(incident, 'changed');
    }
    this.#flush();
    const [fromMs, toMs] = [alarm.beganMs - AREA_WINDOW_MS, alarm.beganMs + AREA_WINDOW_MS];
    const together = this.#tables
      .lastWithin(area.key, fromMs, toMs)
      .map((id) => this.#get(id)!)
      .filter((it) => it === incident || it.counts.active > 0);
    if (together.length < AREA_GATEWAYS_MIN) return incident;
    return this.#gather(together, area, nowMs);
  }

  // The oldest becomes the incident of the whole area and takes the others in.
  #gather(together: readonly Kept[], { key, parent }: Group, nowMs: number): Kept {
    const [into, ...others] = together;
    const whole = into!;
    Object.assign(whole, { key, parent, cause: 'area-silent' });
    this.#newest.clear();
    for (const other of others) {
      this.#tables.moveMembers(other.id, whole.id);
      for (const name of Object.keys(whole.counts) as (keyof Counts)[]) {
        whole.counts[name] += other.counts[name];
        other.counts[name] = 0;
      }
      whole.firstMs = Math.min(whole.firstMs, other.firstMs);
      whole.lastMs = Math.max(whole.lastMs, other.lastMs);
      whole.heardMs = Math.max(whole.heardMs, other.heardMs);
      whole.level = Math.min(whole.level, other.level) as AlarmLevel;
      whole.clearedMs = later(whole.clearedMs, other.clearedMs);
      if (isBefore(other.firstOut, whole.firstOut)) whole.firstOut = other.firstOut;
      this.#end(other, whole, nowMs);
    }
    this.#touch(whole, 'changed');
    return whole;
  }

  #end(incident: Kept, into: Kept, nowMs: number): void {
    incident.mergedInto = into.id;
    incident.endedMs = incident.lastMs;
    this.#touch(incident, 'merged');
    this.#note('incident-merged', incident, nowMs);
  }

  // However long ago the gateway fell silent, as long as it is.
  #silenceFor(alarm: Alarm): Kept | undefined {
    if (isOfSilence(alarm) !== 'under') return undefined;
    this.#flush();
    for (const { key } of [silenceOf(alarm), areaSilenceOf(alarm.area)]) {
      const id = this.#tables.newest(key);
      let incident = id === null ? null : this.#get(id);
      if (incident?.mergedInto != null) incident = this.#get(incident.mergedInto);
      if (incident && incident.endedMs === null) return incident;
    }
    return undefined;
  }

  #find(key: string, beganMs: number, windowMs: number): Kept | null {
    const newest = this.#newest.get(key);
    if (newest && isWithin(newest, beganMs, windowMs)) return newest;
    this.#flush();
    const id = this.#tables.within(key, beganMs - windowMs, beganMs + windowMs);
    const incident = id === null ? null : this.#get(id)!;
    if (!incident || !isWithin(incident, beganMs, windowMs)) return null;
    if (!newest || incident.lastMs > newest.lastMs) this.#newest.set(key, incident);
    return incident;
  }

  #isCrowded({ parent }: Group, beganMs: number): boolean {
    if (parent === null) return false;
    const [fromMs, toMs] = [beganMs - WINDOW_MS, beganMs + WINDOW_MS];
    return this.#tables.siblings(parent, fromMs, toMs, SIBLINGS_MAX) >= SIBLINGS_MAX;
  }

  #begin({ key, parent, place }: Group, cause: IncidentCause, alarm: Alarm, nowMs: number): Kept {
    const { area, gateway, asset, level, beganMs } = alarm;
    const incident: Kept = {
      ...{ id: 0, key, parent, cause, area, gateway, level },
      place: place === null ? null : asset,
      firstOut: firstOutOf(memberOf(alarm, 0)),
      firstMs: Math.round(beganMs),
      lastMs: Math.round(beganMs),
      counts: { members: 0, active: 0, unacknowledged: 0, hidden: 0, historical: 0 },
      heardMs: nowMs,
      ...{ clearedMs: null, endedMs: null, mergedInto: null },
    };
    incident.id = this.#tables.insert(incident);
    this.#cache.set(incident.id, incident);
    const newest = this.#newest.get(key);
    if (newest && newest.lastMs <= incident.lastMs) this.#newest.set(key, incident);
    this.#touch(incident, 'began');
    this.#note('incident-began', incident, nowMs);
    return incident;
  }

  #refirst(incident: Kept): void {
    const [first] = this.#tables.members(incident.id, '', 1);
    if (!first) return;
    incident.firstOut = firstOutOf(first);
    incident.firstMs = first.beganMs;
  }

  #get(id: number): Kept | null {
    const cached = this.#cache.get(id);
    if (cached) return cached;
    const read = this.#tables.get(id);
    if (read) this.#cache.set(id, read);
    return read;
  }

  #touch(incident: Kept, change: IncidentChange): void {
    this.#dirty.add(incident);
    const told = this.#changes.get(incident.id);
    if (told === undefined || change !== 'changed') this.#changes.set(incident.id, change);
  }

  #note(kind: string, incident: Kept, nowMs: number): void {
    const { id, key, cause, place, firstOut, counts, mergedInto, endedMs } = incident;
    const { occurrence } = firstOut;
    const after = { key, cause, place, firstOut: occurrence, counts, mergedInto, endedMs };
    this.#journal(kind, `incident/${id}`, after, nowMs);
  }

  #flush(): void {
    if (this.#dirty.size === 0) return;
    for (const incident of this.#dirty) {
      const { counts, heardMs, endedMs, mergedInto } = incident;
      const isOver = mergedInto !== null || (endedMs !== null && counts.active === 0);
      if (!isOver) incident.endedMs = null; // One of its alarms is on still.
      const quietMs = isOver || counts.active > 0 ? null : Math.round(heardMs) + QUIET_MS;
      if (quietMs !== null) this.#quietMs = Math.min(this.#quietMs, quietMs);
      this.#tables.put(incident, quietMs);
    }
    this.#dirty.clear();
  }

  #prune(nowMs: number): void {
    this.#prunedMs = nowMs;
    this.#tables.prune(nowMs - MEMBERS_KEPT_MS, nowMs - KEPT_MS, INCIDENTS_MAX);
    this.#forget();
  }

  #forget(): void {
    this.#cache.clear();
    this.#newest.clear();
  }
}

// What only grows. What is hidden keeps nothing going: it joins while the others last.
function noteMember(incident: Kept, { clearedMs, asset }: Alarm, member: Member): void {
  incident.firstMs = Math.min(incident.firstMs, member.beganMs);
  if ((member.flags & HIDDEN) === 0) {
    const newestMs = Math.max(member.beganMs, Math.round(clearedMs ?? 0));
    incident.lastMs = Math.max(incident.lastMs, newestMs);
  }
  incident.level = Math.min(incident.level, member.level) as AlarmLevel;
  if (clearedMs !== null) incident.clearedMs = later(incident.clearedMs, Math.round(clearedMs));
  if (incident.place !== null && asset !== null) {
    incident.place = commonPlace(incident.place, asset);
  }
}

function later(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}
