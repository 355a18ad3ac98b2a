// What people do with alarms, and what ends by itself: acknowledge, reset, shelve, take out of
// service, test. Each is one step of the condition (core/alarm/state.ts), with its alarm's row,
// journal and live event, in the consumer's transaction.
//
// Nothing that hides an alarm lasts for ever. A shelf ends after SHELF_MAX_MS at the latest, a
// removal at the end date of its work order, a test after TEST_MAX_MS; whatever is still abnormal
// then is an alarm anew. Level I is never shelved; level II takes a second person.

import type { Refusal } from '../../core/alarm/state.ts';
import { isHidden } from '../../core/alarm/state.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm, TestMode } from './alarm.ts';
import type { Approval, Approvals } from './approvals.ts';
import type { Actor, Conditioned, Occurrences } from './occurrences.ts';
import { machine } from './occurrences.ts';
import type { AlarmTables } from './tables.ts';
import type { Watch, WatchedSeries } from './watched.ts';

/** A shift: MaxTimeShelved of OPC UA Part 9. */
export const SHELF_MAX_MS = 8 * 3_600_000;
/** A work order that takes longer is written anew. */
export const REMOVAL_MAX_MS = 30 * 24 * 3_600_000;
export const TEST_MAX_MS = 3_600_000;
/** The sound of one console; another console goes on. */
export const SILENCE_MS = 120_000;

export type Act =
  | { readonly kind: 'acknowledge'; readonly note: string }
  | { readonly kind: 'silence' }
  | { readonly kind: 'reset'; readonly note: string }
  | {
      readonly kind: 'shelve';
      readonly forMs: number;
      readonly isOneShot: boolean;
      readonly reason: string;
    }
  | { readonly kind: 'unshelve' }
  | {
      readonly kind: 'remove';
      readonly forMs: number;
      readonly workOrder: string;
      readonly reason: string;
    }
  | { readonly kind: 'return' };

/** What waits: the shelf, and the occurrence it was asked about. */
type Wish = Extract<Act, { kind: 'shelve' }> & { readonly occurrence: string | null };

/** A condition, what keeps it, and the newest alarm of it. */
interface Found {
  readonly holder: Conditioned;
  readonly watch: Watch | null;
  readonly alarm: Alarm | null;
  readonly level: number;
  readonly keep: () => void;
}

/** A gateway's own condition. */
export interface GatewayCondition {
  readonly holder: Conditioned;
  readonly keep: () => void;
}

export interface HiddenCondition {
  /** `gateway/device/point/rule` */
  readonly target: string;
  readonly watch: Watch;
}

export class Acts {
  readonly #tables: AlarmTables;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;
  readonly #approvals: Approvals;
  readonly #gatewayOf: (alarm: Alarm) => GatewayCondition | null;
  /** What ends or is told again by itself, and when. */
  readonly #due = new Map<Watch, number>();
  readonly #tests: Map<string, TestMode>;

  constructor(
    tables: AlarmTables,
    series: WatchedSeries,
    occurrences: Occurrences,
    approvals: Approvals,
    gatewayOf: (alarm: Alarm) => GatewayCondition | null,
  ) {
    this.#tables = tables;
    this.#series = series;
    this.#occurrences = occurrences;
    this.#approvals = approvals;
    this.#gatewayOf = gatewayOf;
    this.#tests = new Map(tables.tests().map(({ device, test }) => [device, test]));
    occurrences.testOf = ({ watched: { row } }) =>
      this.#tests.get(`${row.gateway}/${row.device}`) ?? null;
    for (const watched of series.bySeries) {
      for (const watch of watched?.watches ?? []) {
        const { shelf, removal } = watch.condition;
        if (shelf || removal || watch.subject.rule.reAlarmMs !== undefined) this.#schedule(watch);
      }
    }
  }

  /**
   * `target` is an occurrence or `gateway/device/point/rule`. Returns what waits for a second
   * person, or null when it is done. Throws a Fault: `alarm_unknown`, `alarm_superseded` (history,
   * or a newer occurrence has come), `alarm_acknowledged` (its detail says by whom), `act_refused`
   * (hidden, or not in the state that the act ends), `act_malformed`.
   */
  act(target: string, act: Act, actor: Actor, nowMs: number): Approval | null {
    const found = this.#find(target);
    const { holder, watch, alarm, level, keep } = found;
    if (act.kind === 'silence') {
      const untilMs = nowMs + SILENCE_MS;
      this.#occurrences.journal('alarm-silenced', actor, target, null, { untilMs }, nowMs);
      return null;
    }
    if (act.kind === 'shelve') {
      this.#checkShelf(act, level);
    }
    if (act.kind === 'remove') checkTime(act.forMs, REMOVAL_MAX_MS, act.reason && act.workOrder);
    const isOfAlarm = !target.includes('/');
    if (isOfAlarm || act.kind === 'acknowledge' || act.kind === 'reset') {
      this.#checkNewest(target, found, act.kind);
    }
    if (act.kind === 'shelve' && level === 2) {
      const wish: Wish = { ...act, occurrence: holder.condition.occurrence };
      return this.#approvals.ask('shelve', target, wish, actor, act.reason, nowMs);
    }
    const { event, changes } = stepOf(act, alarm?.occurrence ?? '', actor, nowMs);
    const why = this.#occurrences.alter(holder, event, actor, nowMs, changes);
    if (why !== null) throw refusal(why, alarm);
    keep();
    if (watch) this.#after(watch, nowMs);
    return null;
  }

  /** The second person has said yes. */
  approved({ what, document, by }: Approval, approver: Actor, nowMs: number): void {
    const wish = document as Wish;
    const { holder, watch, alarm, level, keep } = this.#find(what);
    this.#checkShelf(wish, level);
    // Asked about one occurrence, it must not put aside the next.
    if (holder.condition.occurrence !== wish.occurrence) throw refusal('superseded', alarm);
    const both = { ...approver, name: `${by}, ${approver.name}` };
    const { event } = stepOf(wish, '', both, nowMs);
    const why = this.#occurrences.alter(holder, event, both, nowMs);
    if (why !== null) throw refusal(why, alarm);
    this.#approvals.drop('shelve', what);
    keep();
    if (watch) this.#after(watch, nowMs);
  }

  /**
   * Test mode of a device (`gateway/device`): its alarms are marked and told to `actor` alone. Once
   * more for the same device begins its time anew. Throws Fault `act_malformed`.
   */
  test(device: string, forMs: number, reason: string, actor: Actor, nowMs: number): TestMode {
    checkTime(forMs, TEST_MAX_MS, reason);
    if (this.#watchesOf(device).length === 0) {
      throw new Fault('act_malformed', 'never', bilingual('act-no-device', { device }));
    }
    const before = this.#tests.get(device) ?? null;
    const test: TestMode = { by: actor.name, reason, untilMs: Math.round(nowMs + forMs) };
    this.#tests.set(device, test);
    this.#tables.putTest(device, test);
    this.#occurrences.journal('test-begun', actor, device, before, test, nowMs);
    return test;
  }

  /** What still holds is an alarm from now on. Throws Fault `act_refused` when there is no test. */
  endTest(device: string, actor: Actor, nowMs: number): void {
    const before = this.#tests.get(device);
    if (!before) throw new Fault('act_refused', 'never', bilingual('act-no-test', { device }));
    this.#tests.delete(device);
    this.#tables.putTest(device, null);
    this.#occurrences.journal('test-ended', actor, device, before, null, nowMs);
    for (const watch of this.#watchesOf(device)) this.#occurrences.untest(watch, actor, nowMs);
  }

  tests(): { readonly device: string; readonly test: TestMode }[] {
    return [...this.#tests].map(([device, test]) => ({ device, test }));
  }

  /** All that is shelved, suppressed or out of service, with or without an alarm. */
  hidden(): HiddenCondition[] {
    return this.#series.bySeries.flatMap((watched) =>
      (watched?.watches ?? [])
        .filter(({ condition }) => isHidden(condition))
        .map((watch) => ({ target: watch.what, watch })),
    );
  }

  /** The rule of `gateway/device/point/rule`, or the first one of a device. */
  watchOf(target: string, what: 'rule' | 'device' = 'rule'): Watch | null {
    if (what === 'device') return this.#watchesOf(target)[0] ?? null;
    const at = target.lastIndexOf('/');
    const watched = this.#series.byKey.get(target.slice(0, at));
    return watched?.watches.find(({ subject }) => subject.rule.id === target.slice(at + 1)) ?? null;
  }

  isDue(nowMs: number): boolean {
    for (const dueMs of this.#due.values()) if (dueMs <= nowMs) return true;
    for (const { untilMs } of this.#tests.values()) if (untilMs <= nowMs) return true;
    return false;
  }

  tick(nowMs: number): void {
    for (const [watch, dueMs] of [...this.#due]) if (dueMs <= nowMs) this.#end(watch, nowMs);
    for (const [device, { untilMs }] of [...this.#tests]) {
      if (untilMs <= nowMs) this.endTest(device, machine, nowMs);
    }
  }

  #end(watch: Watch, nowMs: number): void {
    const { shelf, removal } = watch.condition;
    const kinds = [
      ...(shelf && shelf.untilMs <= nowMs ? (['unshelve'] as const) : []),
      ...(removal && removal.untilMs <= nowMs ? (['return'] as const) : []),
      ...(this.#reAlarmMs(watch) <= nowMs ? (['re-alarms'] as const) : []),
    ];
    for (const kind of kinds) this.#occurrences.alter(watch, { kind }, machine, nowMs);
    this.#series.keep(watch);
    this.#after(watch, nowMs);
  }

  #after(watch: Watch, nowMs: number): void {
    this.#schedule(watch);
    this.#occurrences.exclude(watch, { nowMs });
  }

  #schedule(watch: Watch): void {
    const { shelf, removal } = watch.condition;
    const times = [shelf?.untilMs, removal?.untilMs, this.#reAlarmMs(watch)];
    const dueMs = Math.min(...times.filter((ms) => ms !== undefined));
    if (Number.isFinite(dueMs)) this.#due.set(watch, dueMs);
    else this.#due.delete(watch);
  }

  #reAlarmMs({ condition, subject: { rule } }: Watch): number {
    const { active, acknowledged, occurrence } = condition;
    if (rule.reAlarmMs === undefined || !active || !acknowledged) return Number.POSITIVE_INFINITY;
    if (occurrence === null || isHidden(condition)) return Number.POSITIVE_INFINITY;
    const sinceMs = this.#tables.get(occurrence)?.acknowledgedMs ?? null;
    return sinceMs === null ? Number.POSITIVE_INFINITY : sinceMs + rule.reAlarmMs;
  }

  #checkShelf({ forMs, reason }: Extract<Act, { kind: 'shelve' }>, level: number): void {
    if (level === 1) throw new Fault('act_malformed', 'never', bilingual('act-level-one'));
    checkTime(forMs, SHELF_MAX_MS, reason);
  }

  // Only the newest occurrence is taken: who reads an old list must not take what came after it.
  #checkNewest(target: string, { holder, alarm }: Found, kind: Act['kind']): void {
    if (!alarm) throw new Fault('alarm_unknown', 'never', target);
    const { acknowledgedBy, isHistorical, supersededBy, occurrence } = alarm;
    if (isHistorical || supersededBy !== null || holder.condition.occurrence !== occurrence) {
      const newest = supersededBy ?? holder.condition.occurrence ?? occurrence;
      const isTaken = kind === 'acknowledge' && acknowledgedBy !== null;
      throw isTaken ? taken(acknowledgedBy) : new Fault('alarm_superseded', 'never', newest);
    }
  }

  #find(target: string): Found {
    const alarm = this.#tables.get(target);
    const at = target.lastIndexOf('/');
    const key = alarm?.key ?? target.slice(0, at);
    const rule = alarm?.rule ?? target.slice(at + 1);
    if (alarm?.series === null) {
      const gateway = this.#gatewayOf(alarm);
      if (gateway) return { ...gateway, watch: null, alarm, level: alarm.level };
    }
    const watch = this.#series.byKey.get(key)?.watches.find((it) => it.subject.rule.id === rule);
    if (watch) {
      const { occurrence } = watch.condition;
      const newest = alarm ?? (occurrence === null ? null : this.#tables.get(occurrence));
      const keep = () => this.#series.keep(watch);
      return { holder: watch, watch, alarm: newest, level: watch.subject.rule.level, keep };
    }
    if (alarm?.acknowledgedBy) throw taken(alarm.acknowledgedBy);
    // Its rule is no longer in force.
    if (alarm) throw new Fault('alarm_superseded', 'never', alarm.occurrence);
    throw new Fault('alarm_unknown', 'never', bilingual('act-no-target', { target }));
  }

  #watchesOf(device: string): Watch[] {
    const [gateway = ''] = device.split('/');
    return (this.#series.byGateway.get(gateway) ?? [])
      .filter(({ row }) => `${row.gateway}/${row.device}` === device)
      .flatMap(({ watches }) => watches);
  }
}

function stepOf(
  act: Exclude<Act, { kind: 'silence' }>,
  occurrence: string,
  { name }: Actor,
  nowMs: number,
) {
  const by = name;
  const nothing = {};
  switch (act.kind) {
    case 'acknowledge': {
      const note = act.note || null;
      const changes = { acknowledgedMs: nowMs, acknowledgedBy: by, note };
      return { event: { kind: 'acknowledge', occurrence } as const, changes };
    }
    case 'reset':
      return {
        event: { kind: 'reset', occurrence } as const,
        changes: act.note === '' ? nothing : { note: act.note },
      };
    case 'shelve': {
      const { isOneShot, reason, forMs } = act;
      const shelf = { untilMs: Math.round(nowMs + forMs), isOneShot, by, reason };
      return { event: { kind: 'shelve', shelf } as const, changes: nothing };
    }
    case 'remove': {
      const { workOrder, reason, forMs } = act;
      const removal = { untilMs: Math.round(nowMs + forMs), workOrder, by, reason };
      return { event: { kind: 'remove', removal } as const, changes: nothing };
    }
    case 'unshelve':
    case 'return':
      return { event: { kind: act.kind } as const, changes: nothing };
  }
}

function checkTime(forMs: number, maxMs: number, reason: string): void {
  if (reason.trim() === '') throw new Fault('act_malformed', 'never', bilingual('act-no-reason'));
  if (forMs > 0 && forMs <= maxMs) return;
  const minutes = (ms: number) => `${Math.round(ms / 60_000)} min`;
  const values = { asked: minutes(forMs), max: minutes(maxMs) };
  throw new Fault('act_malformed', 'never', bilingual('act-too-long', values));
}

function taken(by: string): Fault {
  return new Fault('alarm_acknowledged', 'never', bilingual('alarm-taken-by', { by }));
}

function refusal(why: Refusal, alarm: Alarm | null): Fault {
  if (why === 'superseded') return new Fault('alarm_superseded', 'never', alarm?.occurrence ?? '');
  if (why === 'already' && alarm?.acknowledgedBy) return taken(alarm.acknowledgedBy);
  return new Fault('act_refused', 'never', bilingual(`act-refused-${why}`));
}
