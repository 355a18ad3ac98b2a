// From what the kernel found to what people see: alarm rows, journal, notifications to send, events
// for the live stream. Part of the consumer's transaction.
//
// A transition found in live data is an alarm now. One found in a backlog is provisional: it is
// written as historical and pages nobody; when something live shows that it still holds, it becomes
// an alarm now.
import type { Transition } from '../../core/alarm/evaluate.ts';
import { NO_VERDICT } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { signOf } from '../../core/alarm/rule.ts';
import type {
  Condition,
  ConditionEffect,
  ConditionEvent,
  Policy,
  Refusal,
} from '../../core/alarm/state.ts';
import { change, isHidden } from '../../core/alarm/state.ts';
import type { Alarm, NewAlarm, TestMode } from './alarm.ts';
import { isPathTest, purposeOf, sheetOf, UNMARKED } from './alarm.ts';
import { FROM_CLOUD, type Journal } from './journal.ts';
import type { AlarmTables } from './tables.ts';
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
  /** History knows better when it began or ended. */
  'moved',
  /**
   * A historical one that turned out to be the beginning of another, and is no alarm of its own.
   */
  'merged',
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
  /** Of tests of the path, which the others do not see. */
  takeTests?(events: readonly AlarmEvent[]): void;
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

/** What has a condition: a rule on a series, or a gateway itself. */
export interface Conditioned {
  condition: Condition;
  readonly suppressedBy: string | null;
  readonly policy: Policy;
  /** `series key/rule`, in the journal where there is no alarm yet. */
  readonly what: string;
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
    if (source.isLive) this.raise(watch, alarm, source);
    else this.#tell('historical', 'alarm-historical', null, alarm, source);
    this.exclude(watch, source);
  }

  // An excursion keeps its name: one that was known already (its rule was changed and changed back)
  // reopens.
  #insert(watch: Watch, transition: Transition, source: Source): Alarm {
    const row = { ...alarmRow(watch, transition, source), test: this.testOf(watch) };
    const known = this.#tables.get(row.occurrence);
    if (!known) return this.#tables.insert(row)!;
    return this.#tables.update(known, {
      ...row,
      isHistorical: known.isHistorical && row.isHistorical,
    });
  }

  /** Somebody is told, unless the condition is hidden: then it is only written down. */
  raise({ condition, suppressedBy }: Conditioned, alarm: Alarm, source: Source): void {
    const hidden = mirror(condition, suppressedBy);
    const annunciations = alarm.annunciations + (isHidden(condition) ? 0 : 1);
    const after = this.#tables.update(alarm, { ...hidden, annunciations, isHistorical: false });
    if (!isHidden(condition)) this.#tables.queue('raised', after, source.nowMs);
    this.#tell('raised', 'alarm-raised', null, after, source);
  }

  end(watch: Watch, atMs: number, source: Source): void {
    const { occurrence } = watch.condition;
    const [condition, effects] = change(watch.condition, { kind: 'ends' }, watch.policy);
    watch.condition = condition;
    const before = occurrence === null ? null : this.#tables.get(occurrence);
    if (before) {
      this.clear(watch, before, atMs, source);
      // A shelf for one time only ends with it.
      this.#effects(watch, before.occurrence, effects, machine, source.nowMs);
    }
    if (watch.isProvisional) {
      watch.isProvisional = false;
      // It ended inside the backlog: nothing is left for anybody to acknowledge.
      watch.condition = { ...condition, acknowledged: true, latched: false };
    }
    this.exclude(watch, source);
  }

  clear(
    { condition, suppressedBy }: Conditioned,
    before: Alarm,
    atMs: number,
    source: Source,
  ): void {
    const clearedMs = Math.max(atMs, before.raisedMs);
    const times = { clearedMs, clearedReceivedMs: source.receivedMs };
    if (before.isHistorical) {
      const after = this.#tables.update(before, times);
      this.#tell('historical', 'alarm-historical', before, after, source);
      return;
    }
    const isCurrent = condition.occurrence === before.occurrence;
    const isSettled = condition.acknowledged && before.acknowledgedMs === null;
    const state = isCurrent && { ...mirror(condition, suppressedBy), isSettled };
    const after = this.#tables.update(before, { ...times, ...state });
    if (before.annunciations > 0) this.#tables.queue('cleared', after, source.nowMs);
    this.#tell('cleared', 'alarm-cleared', before, after, source);
  }

  /**
   * One step of a condition that a person or the design of the plant makes; its alarm, the journal
   * and the live events follow. Returns why it is refused, or null.
   */
  alter(
    holder: Conditioned,
    event: ConditionEvent,
    actor: Actor,
    nowMs: number,
    changes: Partial<Pick<Alarm, 'note' | 'acknowledgedMs' | 'acknowledgedBy'>> = {},
  ): Refusal | null {
    const [condition, effects] = change(holder.condition, event, holder.policy);
    const [first] = effects;
    if (first?.kind === 'refused') return first.why;
    const before = holder.condition;
    holder.condition = condition;
    const { occurrence } = condition;
    const alarm = occurrence === null ? null : this.#tables.get(occurrence);
    if (alarm) this.#effects(holder, alarm.occurrence, effects, actor, nowMs, changes);
    else
      for (const { kind } of effects)
        this.journal(`alarm-${kind}`, actor, holder.what, before, condition, nowMs);
    return null;
  }

  // The alarm's row is brought in line with the condition, once; each effect is told.
  #effects(
    holder: Conditioned,
    occurrence: string,
    effects: readonly ConditionEffect[],
    actor: Actor,
    nowMs: number,
    changes: Partial<NewAlarm> = {},
  ): void {
    const told = effects.filter(({ kind }) => kind !== 'cleared' && kind !== 'refused');
    const before = this.#tables.get(occurrence);
    if (!before || told.length === 0) return;
    const { condition, suppressedBy } = holder;
    const isAgain = told.some(({ kind }) => kind === 'annunciated');
    // What comes out from under a worse one was told already, if it ever was to be.
    const isCall = isAgain && !(before.annunciations > 0 && told[0]?.kind === 'unsuppressed');
    const acknowledgedMs = changes.acknowledgedMs ?? before.acknowledgedMs;
    const alarm = this.#tables.update(before, {
      ...changes,
      ...mirror(condition, suppressedBy),
      ...(isAgain && { acknowledgedMs: null, acknowledgedBy: null }),
      isSettled: condition.acknowledged && !condition.active && acknowledgedMs === null,
      annunciations: before.annunciations + (isCall ? 1 : 0),
    });
    if (isCall)
      this.#tables.queue(before.annunciations > 0 ? 'annunciated' : 'raised', alarm, nowMs);
    for (const { kind } of told) {
      // Shown again, and nobody is called: that is what the other effect says.
      if (kind === 'refused' || (kind === 'annunciated' && !isCall)) continue;
      this.journal(`alarm-${kind}`, actor, occurrence, brief(before), brief(alarm), nowMs);
      this.tell({ kind, alarm, by: actor, atMs: nowMs });
    }
  }

  /**
   * Limits of one side of a series are steps of one ladder: while a worse one is passed and shown,
   * those before it are suppressed by design, so that one excursion is one alarm that grows.
   */
  exclude({ watched, subject: { rule } }: Watch, { nowMs }: Pick<Source, 'nowMs'>): void {
    if (rule.kind !== 'limit' || watched.watches.length < 2) return;
    const sign = signOf(rule);
    const steps = watched.watches
      .filter(({ subject }) => subject.rule.kind === 'limit' && signOf(subject.rule) === sign)
      .sort((a, b) => sign * ((limitOf(b.subject.rule) ?? 0) - (limitOf(a.subject.rule) ?? 0)));
    let worse: string | null = null;
    for (const step of steps) {
      this.suppress(step, worse, nowMs);
      const { active, shelf, removal } = step.condition;
      if (active && !step.isProvisional && shelf === null && removal === null)
        worse ??= step.subject.rule.id;
    }
  }

  /** Set by the acts: the test that the device of a watch is in, or null. */
  testOf: (watch: Watch) => TestMode | null = () => null;

  /** The test of its device is over: what still holds is an alarm like any other. */
  untest(watch: Watch, actor: Actor, nowMs: number): void {
    const { active, occurrence } = watch.condition;
    const before = active && occurrence !== null ? this.#tables.get(occurrence) : null;
    if (!before?.test) return;
    watch.condition = { ...watch.condition, acknowledged: false };
    this.#series.keep(watch);
    const isCall = !isHidden(watch.condition);
    const alarm = this.#tables.update(before, {
      ...{ test: null, acknowledgedMs: null, acknowledgedBy: null },
      annunciations: before.annunciations + (isCall ? 1 : 0),
    });
    if (isCall) this.#tables.queue('annunciated', alarm, nowMs);
    this.journal('alarm-annunciated', actor, alarm.occurrence, brief(before), brief(alarm), nowMs);
    this.tell({ kind: 'annunciated', alarm, by: actor, atMs: nowMs });
  }

  /** By what is named, or by nothing any more. */
  suppress(watch: Watch, by: string | null, nowMs: number): void {
    if (watch.suppressedBy === by) return;
    const isSame = watch.suppressedBy !== null && by !== null;
    watch.suppressedBy = by;
    const kind = by === null ? 'unsuppress' : 'suppress';
    if (!isSame) this.alter(watch, { kind }, machine, nowMs);
    this.#series.keep(watch);
  }

  /** Something live shows that a provisional alarm still holds, or that it is over. */
  promote(watch: Watch, source: Source): void {
    const { occurrence, active } = watch.condition;
    if (!watch.isProvisional || occurrence === null) return;
    if (active && watch.verdict.phase !== 'active') return; // Falling: let its delay decide.
    watch.isProvisional = false;
    const before = this.#tables.get(occurrence);
    if (active && before) this.raise(watch, before, source);
    this.#series.keep(watch);
    this.exclude(watch, source);
  }

  supersede(occurrence: string, supersededBy: string, source: Source): void {
    const before = this.#tables.get(occurrence);
    if (!before) return;
    const after = this.#tables.update(before, { supersededBy });
    this.journal('alarm-superseded', machine, occurrence, before.state, after.state, source.nowMs);
    this.tell({ kind: 'superseded', alarm: after, by: machine, atMs: source.nowMs });
  }

  /** History knows better when it began or ended. */
  move(
    before: Alarm,
    times: Partial<Pick<Alarm, 'beganMs' | 'raisedMs' | 'clearedMs'>>,
    { nowMs }: Source,
  ): void {
    const isSame = Object.entries(times).every(([key, at]) => before[key as keyof Alarm] === at);
    if (isSame) return;
    const after = this.#tables.update(before, times);
    const { occurrence } = before;
    this.journal('alarm-moved-back', machine, occurrence, brief(before), brief(after), nowMs);
    this.tell({ kind: 'moved', alarm: after, by: machine, atMs: nowMs });
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
      this.clear(watch, before, transition.atMs, source);
  }

  journal(...entry: Parameters<Journal['note']>): void {
    this.#tables.journal.note(...entry);
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
    const states = [before && brief(before), brief(after)] as const;
    if (!isPathTest(after)) this.journal(entry, machine, after.occurrence, ...states, source.nowMs);
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

/** What a condition says of its alarm's row. */
function mirror({ latched, shelf, removal }: Condition, suppressedBy: string | null) {
  return { latched, shelf, removal, suppressedBy };
}

function limitOf(rule: Rule): number | null {
  return 'limit' in rule ? rule.limit : null;
}

function alarmRow(
  { watched, subject: { rule }, row }: Watch,
  transition: Transition,
  source: Source,
): NewAlarm {
  const { series, area, gateway, asset, name } = watched.row;
  const unit = rule.kind === 'comparison' && rule.by === 'ratio' ? '1' : watched.row.unit;
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
    purpose: purposeOf(watched.row.device, watched.row.point),
    kind: rule.kind,
    sheet: sheetOf(rule),
  };
}
