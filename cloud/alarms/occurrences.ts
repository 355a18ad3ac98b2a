// From what the kernel found to what people see: alarm rows, journal, notifications to send, events
// for the live stream. Part of the consumer's transaction.
//
// A transition found in live data is an alarm now. One found in a backlog is provisional: it is
// written as historical and pages nobody; when something live shows that it still holds, it becomes
// an alarm now.
import type { Transition } from '../../core/alarm/evaluate.ts';
import { NO_VERDICT } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { change } from '../../core/alarm/state.ts';
import { FROM_CLOUD } from './journal.ts';
import type { Alarm, AlarmTables, NewAlarm } from './tables.ts';
import { UNMARKED } from './tables.ts';
import type { Watch, WatchedSeries } from './watched.ts';

export const alarmEventKinds = [
  'raised',
  'cleared',
  'acknowledged',
  'historical',
  'superseded',
  'reset',
  /** Told again as if new: it came out of hiding, or was acknowledged long ago. */
  'annunciated',
  'shelved',
  'unshelved',
  'suppressed',
  'unsuppressed',
  'removed',
  'returned',
] as const;
export interface AlarmEvent {
  readonly kind: (typeof alarmEventKinds)[number];
  /** As it is after the event. */
  readonly alarm: Alarm;
  readonly by: Actor;
  readonly atMs: number;
}

/**
 * Something that makes more of what happens to alarms: incidents, figures, cases. `take` is part of
 * the transaction of the alarms: what it writes stands or falls with it. After a failed transaction
 * `load` reads back what it keeps in memory.
 */
export interface AlarmFollower {
  take(events: readonly AlarmEvent[], nowMs: number): void;
  /**
   * Once a second or so; whether it has something to do, so that nothing is written for nothing.
   */
  isDue(nowMs: number): boolean;
  tick(nowMs: number): void;
  load(): void;
}

/** When and from which kind of data a transition came. */
export interface Source {
  readonly isLive: boolean;
  readonly receivedMs: number;
  readonly nowMs: number;
}

/** Who does something, and from where: an address, a gateway, the machine itself. */
export interface Actor {
  readonly name: string;
  readonly from: string;
}

/** Who writes into the journal when nobody did. */
export const machine: Actor = { name: 'lifeline', from: FROM_CLOUD };

export class Occurrences {
  readonly #tables: AlarmTables;
  readonly #series: WatchedSeries;
  #events: AlarmEvent[] = [];

  constructor(tables: AlarmTables, series: WatchedSeries) {
    this.#tables = tables;
    this.#series = series;
  }

  /** The events since the last call. */
  drain(): AlarmEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  forget(): void {
    this.#events = [];
  }

  /**
   * Takes what the kernel found for a rule; the caller has set the new verdict and keeps the watch.
   */
  take(watch: Watch, transitions: readonly Transition[], source: Source): void {
    for (const transition of transitions) {
      if (transition.kind === 'begins') this.#begin(watch, transition, source);
      else this.end(watch, transition.atMs, source);
    }
  }

  #begin(watch: Watch, transition: Transition, source: Source): void {
    const { occurrence } = transition;
    const [condition, effects] = change(watch.condition, { kind: 'begins', occurrence });
    watch.condition = condition;
    for (const effect of effects) {
      if (effect.kind === 'superseded') this.supersede(effect.occurrence, occurrence, source);
    }
    watch.isProvisional = !source.isLive;
    const alarm = this.#insert(watch, transition, source);
    if (source.isLive) this.raise(alarm, source);
    else this.#tell('historical', 'alarm-historical', null, alarm, source);
  }

  // An excursion keeps its name: one that was known already (its rule was changed and changed back)
  // reopens.
  #insert(watch: Watch, transition: Transition, source: Source): Alarm {
    const row = alarmRow(watch, transition, source);
    const known = this.#tables.get(row.occurrence);
    if (!known) return this.#tables.insert(row)!;
    return this.#tables.update(known, {
      ...row,
      isHistorical: known.isHistorical && row.isHistorical,
    });
  }

  /** Queues the page, once. */
  raise(alarm: Alarm, source: Source): void {
    this.#tables.queue('raised', alarm, source.nowMs);
    this.#tell('raised', 'alarm-raised', null, alarm, source);
  }

  end(watch: Watch, atMs: number, source: Source): void {
    const { occurrence } = watch.condition;
    const [condition] = change(watch.condition, { kind: 'ends' });
    watch.condition = condition;
    const before = occurrence === null ? null : this.#tables.get(occurrence);
    if (before) this.clear(before, atMs, source);
    if (!watch.isProvisional) return;
    watch.isProvisional = false;
    // It ended inside the backlog: nothing is left for anybody to acknowledge.
    watch.condition = { ...condition, acknowledged: true };
  }

  clear(before: Alarm, atMs: number, source: Source): void {
    const clearedMs = Math.max(atMs, before.raisedMs);
    const after = this.#tables.update(before, { clearedMs, clearedReceivedMs: source.receivedMs });
    if (before.isHistorical) {
      this.#tell('historical', 'alarm-historical', before, after, source);
      return;
    }
    this.#tables.queue('cleared', after, source.nowMs);
    this.#tell('cleared', 'alarm-cleared', before, after, source);
  }

  /** Something live shows that a provisional alarm still holds, or that it is over. */
  promote(watch: Watch, source: Source): void {
    const { occurrence, active } = watch.condition;
    if (!watch.isProvisional || occurrence === null) return;
    if (active && watch.verdict.phase !== 'active') return; // Falling: let its delay decide.
    watch.isProvisional = false;
    const before = this.#tables.get(occurrence);
    if (active && before) {
      const alarm = this.#tables.update(before, { isHistorical: false });
      this.raise(alarm, source);
    }
    this.#series.keep(watch);
  }

  supersede(occurrence: string, supersededBy: string, source: Source): void {
    const before = this.#tables.get(occurrence);
    if (!before) return;
    const after = this.#tables.update(before, { supersededBy });
    this.journal('alarm-superseded', machine, occurrence, before.state, after.state, source.nowMs);
  }

  /** A rule went out of force: nothing would ever end what it raised. */
  withdraw(watch: Watch, source: Source): void {
    if (watch.condition.active) this.end(watch, source.receivedMs, source);
    watch.verdict = NO_VERDICT;
  }

  /** An occurrence of a closed stretch of backlog, complete or not. Pages nobody. */
  historical(watch: Watch, transition: Transition, source: Source): void {
    const { occurrence } = transition;
    if (transition.kind === 'begins') {
      const row = alarmRow(watch, transition, { ...source, isLive: false });
      const alarm = this.#tables.insert(row);
      if (alarm) this.#tell('historical', 'alarm-historical', null, alarm, source);
      return;
    }
    const before = this.#tables.get(occurrence);
    if (before?.isHistorical && before.clearedMs === null)
      this.clear(before, transition.atMs, source);
  }

  journal(
    kind: string,
    { name: who, from }: Actor,
    what: string,
    before: unknown,
    after: unknown,
    atMs: number,
  ): void {
    this.#tables.journal.write({ atMs, kind, who, from, what, before, after });
  }

  tell(event: AlarmEvent): void {
    this.#events.push(event);
  }

  #tell(
    kind: AlarmEvent['kind'],
    entry: string,
    before: Alarm | null,
    after: Alarm,
    source: Source,
  ): void {
    this.journal(
      entry,
      machine,
      after.occurrence,
      before && brief(before),
      brief(after),
      source.nowMs,
    );
    this.#events.push({ kind, alarm: after, by: machine, atMs: source.nowMs });
  }
}

/** What the journal keeps of an alarm: what can change, and what explains it. */
export function brief(alarm: Alarm) {
  const { state, key, rule, version, level, limit, value, beganMs, raisedMs, clearedMs } = alarm;
  const { acknowledgedMs, acknowledgedBy, isHistorical } = alarm;
  const what = { key, rule, version, level, limit, value };
  const when = { beganMs, raisedMs, clearedMs, acknowledgedMs, acknowledgedBy };
  return { state, ...what, ...when, isHistorical };
}

export function limitOf(rule: Rule): number | null {
  return 'limit' in rule ? rule.limit : null;
}

function alarmRow(
  { watched, subject: { rule }, row }: Watch,
  transition: Transition,
  source: Source,
): NewAlarm {
  const { series, area, gateway, asset, name, unit } = watched.row;
  const place = { series, key: watched.key, area, gateway, asset, name, unit };
  const { level, title, action } = rule;
  return {
    ...place,
    occurrence: transition.occurrence,
    rule: rule.id,
    version: row.version,
    level,
    title,
    action,
    limit: limitOf(rule),
    value: transition.value,
    beganMs: transition.first.atMs,
    raisedMs: transition.atMs,
    raisedReceivedMs: source.receivedMs,
    clearedMs: null,
    clearedReceivedMs: null,
    acknowledgedMs: null,
    acknowledgedBy: null,
    note: null,
    isHistorical: !source.isLive,
    supersededBy: null,
    ...UNMARKED,
  };
}
