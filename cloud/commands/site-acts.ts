// What a gateway did by itself for an alarm that nobody confirmed: its local fallback drove an
// output, or released it. It becomes part of the one alarm: an entry of its deliveries (receiver
// `site`: acted, failed, or sent where nobody knows), its journal, and the live stream.
//
// Promises. Each act is taken once, however often the gateway repeats it. An act is joined to the
// alarm of its name; where the cloud knows the excursion by another name, as after an outage, to
// the alarm of that rule and point which was on when it happened. While there is neither, as long
// as the backlog is on its way, it waits, and is joined when the alarm comes. A gateway speaks of
// its own points alone.
//
// What is kept is the newest ACTS_KEPT_MAX; of one that is never joined the journal of commands
// still has what was done.
import type { DatabaseSync } from 'node:sqlite';
import { pointId } from '../../core/point.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import type { FallbackAlarm, LocalFallback } from '../../protocols/uplink/fallback-wire.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent, AlarmFollower } from '../alarms/occurrences.ts';
import type { Ledger } from '../notify/ledger.ts';
import type { Delivery, DeliveryState } from '../notify/notifier.ts';
import { deliveryId } from '../notify/notifier.ts';
import { SITE } from '../notify/route.ts';
import { Statements } from '../statements.ts';
import { plainValue } from './command.ts';

/** A season of a city whose sites act a hundred times a day; 500 bytes each. */
export const ACTS_KEPT_MAX = 10_000;
/** Alarms of a gateway that are looked through for the one that was on, the newest. */
const LOOK_BACK = 200;
/** What happened when a gateway came back was told by the time of its start. */
const AFTER_END_MS = 60_000;

export interface SiteAct {
  /** Of the command. */
  readonly id: string;
  readonly gateway: string;
  /** As the gateway named it. */
  readonly occurrence: string;
  /** `gateway/device/point` and rule of the alarm. */
  readonly key: string;
  readonly rule: string;
  readonly fallback: string;
  readonly act: 'fire' | 'release';
  /** `device/point` that was commanded, and how. */
  readonly output: string;
  readonly command: string;
  readonly value: string | number | boolean | null;
  readonly why: string;
  readonly outcome: Reply['outcome'];
  readonly reason: Reply['reason'];
  readonly detail: string;
  /** When it was settled, in the gateway's time. */
  readonly epoch: string;
  readonly monoMs: number;
  readonly heardMs: number;
}

/** One that was joined, for the live stream. */
export interface JoinedAct {
  readonly act: SiteAct;
  readonly alarm: Alarm;
}

export interface SiteActOptions {
  readonly alarms: Pick<AlarmConsumer, 'follow' | 'newest' | 'tables' | 'together'>;
  readonly ledger: Ledger;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS site_acts (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, occurrence TEXT NOT NULL,
    watch TEXT NOT NULL, alarm TEXT, document TEXT NOT NULL, UNIQUE (id, occurrence)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS site_acts_waiting ON site_acts (watch) WHERE alarm IS NULL;
  CREATE INDEX IF NOT EXISTS site_acts_of ON site_acts (alarm);`;

export class SiteActs implements AlarmFollower {
  readonly #statements: Statements;
  readonly #options: SiteActOptions;
  /** Rules on points with an act that waits for its alarm. */
  #waiting = new Set<string>();
  #untold: JoinedAct[] = [];

  /** Follows the alarms from now on. */
  constructor(database: DatabaseSync, options: SiteActOptions) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
    this.#options = options;
    this.load();
    options.alarms.follow(this);
  }

  /** A reply of a gateway about what it commanded by itself; again and again, perhaps. */
  heard(gateway: string, reply: Reply, nowMs: number): void {
    const { issued } = reply;
    const fallback = issued?.fallback;
    if (!issued || !fallback || issued.id !== reply.id) return;
    const acts = fallback.alarms
      .map((alarm) => actOf(gateway, reply, { ...issued, fallback }, alarm, nowMs))
      .filter((act) => !this.#isKnown(act));
    if (acts.length === 0) return;
    this.#options.alarms.together(() => {
      for (const act of acts) this.#take(act);
    });
  }

  /** Joined since the last call; after each transaction. */
  drain(): readonly JoinedAct[] {
    const untold = this.#untold;
    this.#untold = [];
    return untold;
  }

  /** Of one alarm, the oldest first. */
  of(occurrence: string): SiteAct[] {
    const sql = 'SELECT document FROM site_acts WHERE alarm = ? ORDER BY number';
    return this.#statements.all(sql, occurrence).map(documentOf);
  }

  take(events: readonly AlarmEvent[]): void {
    for (const { kind, alarm } of events) {
      if (kind === 'merged') this.#part(alarm);
      if (this.#waiting.has(watchOf(alarm))) this.#join(watchOf(alarm));
    }
  }

  isDue(): boolean {
    return false;
  }

  tick(): void {
    // Nothing is due by the clock.
  }

  load(): void {
    this.#untold = [];
    const rows = this.#statements.all('SELECT DISTINCT watch FROM site_acts WHERE alarm IS NULL');
    this.#waiting = new Set(rows.map((row) => String(row['watch'])));
  }

  #isKnown({ id, occurrence }: SiteAct): boolean {
    const sql = 'SELECT 1 FROM site_acts WHERE id = ? AND occurrence = ?';
    return this.#statements.one(sql, id, occurrence) !== undefined;
  }

  #take(act: SiteAct): void {
    const sql = 'INSERT INTO site_acts (id, occurrence, watch, document) VALUES (?, ?, ?, ?)';
    const watch = watchOf(act);
    const document = JSON.stringify(act);
    const { lastInsertRowid } = this.#statements.run(sql, act.id, act.occurrence, watch, document);
    const beyond = Number(lastInsertRowid) - ACTS_KEPT_MAX;
    this.#statements.run('DELETE FROM site_acts WHERE number <= ?', beyond);
    this.#join(watch);
  }

  /** An alarm was found to be part of another one: its acts are the other's. */
  #part({ occurrence, ...alarm }: Alarm): void {
    const sql = 'UPDATE site_acts SET alarm = NULL WHERE alarm = ?';
    const { changes } = this.#statements.run(sql, occurrence);
    if (Number(changes) > 0) this.#waiting.add(watchOf(alarm));
  }

  #join(watch: string): void {
    const sql = 'SELECT document FROM site_acts WHERE watch = ? AND alarm IS NULL ORDER BY number';
    let left = 0;
    for (const act of this.#statements.all(sql, watch).map(documentOf)) {
      const alarm = this.#alarmOf(act);
      if (alarm) this.#write(act, alarm);
      else left++;
    }
    if (left > 0) this.#waiting.add(watch);
    else this.#waiting.delete(watch);
  }

  #alarmOf(act: SiteAct): Alarm | null {
    const { alarms } = this.#options;
    const isIts = (alarm: Alarm) => alarm.key === act.key && alarm.rule === act.rule;
    const named = alarms.tables.get(act.occurrence);
    if (named) return isIts(named) ? named : null;
    const atMs = this.#happenedMs(act);
    if (atMs === null) return null;
    const recent = alarms.tables.list({ state: 'all', gateway: act.gateway, limit: LOOK_BACK });
    const wasOn = ({ raisedMs, clearedMs }: Alarm) =>
      raisedMs <= atMs && (clearedMs === null || atMs <= clearedMs + AFTER_END_MS);
    return recent.find((alarm) => isIts(alarm) && wasOn(alarm)) ?? null;
  }

  /** Null for what was done in an epoch that is over: then only the name tells. */
  #happenedMs({ gateway, epoch, monoMs }: SiteAct): number | null {
    const place = this.#options.alarms.newest(gateway);
    return place?.epoch === epoch && place.offsetMs !== 0 ? place.offsetMs + monoMs : null;
  }

  #write(act: SiteAct, alarm: Alarm): void {
    const sql = 'UPDATE site_acts SET alarm = ? WHERE id = ? AND occurrence = ?';
    this.#statements.run(sql, alarm.occurrence, act.id, act.occurrence);
    const who = `gateway ${act.gateway}`;
    const kind = act.act === 'fire' ? 'fallback-fired' : 'fallback-released';
    const { fallback, output, command, value, why, outcome, reason, detail } = act;
    const done = { fallback, output, command, value, why, outcome, reason, detail };
    const after = { ...done, command_id: act.id, named: act.occurrence };
    const { journal } = this.#options.alarms.tables;
    journal.note(kind, { name: who, from: who }, alarm.occurrence, null, after, act.heardMs);
    this.#tellLedger(act, alarm);
    this.#untold.push({ act, alarm });
  }

  // One entry an alarm, of what the site did last for it; what was done stays done when released.
  #tellLedger(act: SiteAct, alarm: Alarm): void {
    const { ledger } = this.#options;
    const id = deliveryId(alarm, 'raised');
    const atMs = this.#happenedMs(act) ?? act.heardMs;
    const known = ledger.of(id).find(({ delivery }) => delivery.receiver === SITE);
    const before = known?.delivery;
    const isDone = act.act === 'fire' && act.outcome === 'done';
    const state = act.act === 'release' ? (before?.state ?? 'acted') : stateOf(act);
    const told = {
      state: before?.state === 'acted' ? before.state : state,
      attempts: (before?.attempts ?? 0) + 1,
      actedMs: before?.actedMs ?? (isDone ? atMs : null),
      why: whyOf(act),
    };
    const over = { isOpen: false, nextMs: null, confirmByMs: null } as const;
    if (known) ledger.update({ ...over, delivery: { ...known.delivery, ...told } });
    else ledger.add({ ...over, delivery: { ...unsent(id, alarm, atMs), ...told } });
  }
}

function actOf(
  gateway: string,
  { outcome, reason, detail, epoch, monoMs }: Reply,
  issued: Command & { readonly fallback: LocalFallback },
  { occurrence, device, point, rule }: FallbackAlarm,
  heardMs: number,
): SiteAct {
  const { id: fallback, act } = issued.fallback;
  return {
    ...{ id: issued.id, gateway, occurrence, key: pointId(gateway, device, point), rule },
    ...{ fallback, act, output: `${issued.device}/${issued.point}`, command: issued.command },
    ...{ value: plainValue(issued.value), why: issued.why, outcome, reason, detail },
    ...{ epoch, monoMs, heardMs },
  };
}

/** Nobody is told by it: it has no receiver, and no answer to wait for. */
function unsent(
  id: string,
  alarm: Alarm,
  atMs: number,
): Omit<Delivery, 'number' | 'state' | 'attempts' | 'actedMs' | 'why'> {
  return {
    ...{ id, receiver: SITE, person: null, route: '', step: 0, transition: 'raised', alarm },
    ...{ repeats: 0, queuedMs: atMs, sentMs: null, acceptedMs: null },
    ...{ deliveredMs: null, seenMs: null },
    ...{ confirmedMs: null, confirmedBy: null, undeliveredMs: null },
  };
}

function stateOf({ outcome }: SiteAct): DeliveryState {
  if (outcome === 'done') return 'acted';
  return outcome === 'uncertain' ? 'sent' : 'failed';
}

function whyOf({ act, output, value, outcome, reason, detail, why }: SiteAct): string {
  const what = `${act === 'fire' ? 'driven' : 'released'}: ${output} ${value ?? ''}`.trim();
  const how = outcome === 'done' ? why : [outcome, reason, detail].filter(Boolean).join(' ');
  return `${what} (${how})`;
}

function watchOf({ key, rule }: Pick<Alarm, 'key' | 'rule'>): string {
  return `${key}/${rule}`;
}

function documentOf(row: Record<string, unknown>): SiteAct {
  return JSON.parse(String(row['document'])) as SiteAct;
}
