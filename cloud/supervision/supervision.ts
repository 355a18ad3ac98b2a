// The path of an alarm watches itself: the present state of each part, what was broken from when to
// when, and the alarm where a person must act.
//
// Others say what they find (senses.ts, path-tests.ts, heartbeats); here it becomes transitions. A
// fault lasts from the first finding that a part is broken to the first that it is ok: that nobody
// can tell in between does not end it. What was found is in memory at once, for the screen; it is
// written in the alarms' transaction of the next tick, and waits where the disk has no room.
//
// While the cloud does not run nothing is supervised, and that is a fault, too: a mark is written
// each ALIVE_EVERY_MS, and a start that finds an old one has been away since.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmFollower } from '../alarms/occurrences.ts';
import { CLOUD_ITSELF } from '../alarms/own-alarms.ts';
import type { Component, ComponentKind, Finding, State } from './component.ts';
import { broken, nameOf, OK, whyKey } from './component.ts';
import type { MonthFigures } from './figures.ts';
import { CONFIRMED_MS, figuresOf } from './figures.ts';
import type { FaultRow } from './tables.ts';
import { SupervisionTables } from './tables.ts';

export const ALIVE_EVERY_MS = 10_000;
/** A start takes seconds; what is shorter is none. */
export const AWAY_MS_MIN = 2 * ALIVE_EVERY_MS;
export const PATH_BROKEN_RULE = 'path-broken';
const PRUNE_EVERY_MS = 86_400_000;
/** Transitions that wait for room on the disk; at the limit the oldest are left out. */
export const WAITING_MAX = 10_000;

/** Where nobody else raises an alarm; a gateway, its links and its path test have their own. */
const alarmLevels: Partial<Readonly<Record<ComponentKind, AlarmLevel>>> = {
  broker: 2,
  ingest: 2,
  inbox: 2,
  alarms: 2,
  notifier: 2,
  receiver: 3,
  store: 3,
};

export interface ComponentState {
  readonly component: Component;
  readonly finding: Finding;
  /** Wall time of the cloud. */
  readonly sinceMs: number;
}

interface Step {
  /** Rises by one a step, over restarts: the last one written is in the tables. */
  readonly number: number;
  readonly kind: 'begin' | 'end' | 'supervise' | 'forget';
  readonly component: Component;
  readonly finding: Finding;
  readonly atMs: number;
}

export interface SupervisionOptions {
  readonly database: DatabaseSync;
  readonly alarms: AlarmConsumer;
}

export class Supervision implements AlarmFollower {
  readonly tables: SupervisionTables;
  readonly #alarms: AlarmConsumer;
  readonly #states = new Map<string, ComponentState>();
  readonly #faulty = new Set<string>();
  #waiting: Step[] = [];
  #numbered: number;
  #written = 0;
  #changes: ComponentState[] = [];
  #aliveMs: number | null;
  #prunedMs: number | null = null;

  /** Makes its tables if they are not there. Times are wall times of the cloud. */
  constructor({ database, alarms }: SupervisionOptions, nowMs: number) {
    this.tables = new SupervisionTables(database);
    this.#alarms = alarms;
    this.#aliveMs = this.tables.aliveMs;
    this.#numbered = this.tables.written;
    this.load();
    this.#start(nowMs);
    alarms.follow(this);
  }

  #start(nowMs: number): void {
    const cloud: Component = { kind: 'cloud', id: '' };
    const awayMs = this.#aliveMs;
    if (awayMs !== null && nowMs - awayMs > AWAY_MS_MIN) {
      this.report(cloud, broken('not-running'), awayMs);
      // What was lost is known of each gateway by itself; nobody was told of anything meanwhile.
      this.report(cloud, { ...OK, lost: true }, nowMs);
    } else this.report(cloud, OK, nowMs);
  }

  load(): void {
    this.#faulty.clear();
    for (const fault of this.tables.open()) this.#faulty.add(nameOf(fault));
    this.#written = this.tables.written;
    this.#aliveMs = this.tables.aliveMs;
  }

  /** What was found of a component at a time. */
  report(component: Component, finding: Finding, atMs: number): void {
    const name = nameOf(component);
    const before = this.#states.get(name);
    const isSame = before?.finding.state === finding.state;
    if (isSame && before.finding.why === finding.why && before.finding.detail === finding.detail) {
      return;
    }
    const now = { component, finding, sinceMs: isSame ? before.sinceMs : atMs };
    this.#states.set(name, now);
    this.#changes.push(now);
    if (!before) this.#wait({ kind: 'supervise', component, finding, atMs });
    if (isSame) return;
    if (finding.state === 'broken') this.#wait({ kind: 'begin', component, finding, atMs });
    if (finding.state === 'ok') this.#wait({ kind: 'end', component, finding, atMs });
  }

  /** It is there no more: a gateway was removed. */
  forget(component: Component, atMs: number): void {
    const known = this.#states.get(nameOf(component));
    if (!known) return;
    this.#states.delete(nameOf(component));
    this.#wait({ kind: 'forget', component, finding: known.finding, atMs });
  }

  #wait(step: Omit<Step, 'number'>): void {
    this.#waiting.push({ ...step, number: ++this.#numbered });
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
  }

  get(component: Component): ComponentState | undefined {
    return this.#states.get(nameOf(component));
  }

  /** All components, by kind and name. */
  list(): ComponentState[] {
    return [...this.#states.values()];
  }

  /** Of all together: broken where any is, and of how many that is so. */
  get summary(): { readonly state: State; readonly broken: number } {
    const states = this.list().map(({ finding }) => finding.state);
    const count = states.filter((state) => state === 'broken').length;
    return {
      state: count > 0 ? 'broken' : states.includes('unknown') ? 'unknown' : 'ok',
      broken: count,
    };
  }

  /** What changed since the last call, for the live stream and the log. */
  takeChanges(): ComponentState[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  figures(month: { readonly fromMs: number; readonly toMs: number }, nowMs: number): MonthFigures {
    const faults = this.tables.within(month.fromMs, month.toMs);
    return figuresOf(month, nowMs, this.tables.gateways(), faults);
  }

  /** Newest first. */
  faults(month: { readonly fromMs: number; readonly toMs: number }, limit: number): FaultRow[] {
    return this.tables.within(month.fromMs, month.toMs).reverse().slice(0, limit);
  }

  take(): void {}

  isDue(nowMs: number): boolean {
    if (this.#numbered > this.#written || this.#isMarkDue(nowMs)) return true;
    return this.list().some((it) => this.#alarmDue(it, nowMs) !== null);
  }

  tick(nowMs: number): void {
    const isOld = ({ number }: Step) => number <= this.#written;
    this.#waiting = this.#waiting.filter((step) => !isOld(step));
    for (const step of this.#waiting) this.#write(step);
    // What is left in memory goes with the next tick: this transaction may fail, and `load` then
    // reads that nothing was written.
    this.#written = this.#numbered;
    this.tables.written = this.#numbered;
    for (const it of this.list()) {
      const due = this.#alarmDue(it, nowMs);
      if (due === 'end') this.#alarms.end(keyOf(it.component), PATH_BROKEN_RULE, it.sinceMs);
      else if (due === 'begin') this.#raise(it, nowMs);
    }
    if (this.#isMarkDue(nowMs)) {
      this.#aliveMs = nowMs;
      this.tables.aliveMs = nowMs;
    }
    if (this.#prunedMs === null || Math.abs(nowMs - this.#prunedMs) > PRUNE_EVERY_MS) {
      this.#prunedMs = nowMs;
      this.tables.prune(nowMs);
    }
  }

  #isMarkDue(nowMs: number): boolean {
    return this.#aliveMs === null || Math.abs(nowMs - this.#aliveMs) >= ALIVE_EVERY_MS;
  }

  #write({ kind, component, finding, atMs }: Step): void {
    const name = nameOf(component);
    switch (kind) {
      case 'supervise':
        this.tables.supervise(component, atMs);
        return;
      case 'forget':
        this.tables.forget(component, atMs);
        this.#faulty.delete(name);
        this.#alarms.end(keyOf(component), PATH_BROKEN_RULE, atMs);
        return;
      case 'begin':
        if (this.#faulty.has(name)) return;
        this.#faulty.add(name);
        this.tables.begin({
          ...component,
          fromMs: atMs,
          why: finding.why ?? 'failed',
          detail: finding.detail,
        });
        return;
      case 'end':
        if (!this.#faulty.delete(name)) return;
        this.tables.end(
          component,
          atMs,
          (fromMs) => finding.lost !== true && atMs - fromMs <= CONFIRMED_MS,
        );
    }
  }

  #alarmDue({ component, finding, sinceMs }: ComponentState, nowMs: number) {
    if (!isAlarmed(component)) return null;
    const isActive = this.#alarms.isOwnActive(keyOf(component), PATH_BROKEN_RULE);
    if (finding.state === 'ok') return isActive ? ('end' as const) : null;
    const isLong = finding.state === 'broken' && nowMs - sinceMs >= CONFIRMED_MS;
    return isLong && !isActive ? ('begin' as const) : null;
  }

  #raise({ component, finding, sinceMs }: ComponentState, nowMs: number): void {
    const { kind } = component;
    const name = nameOf(component);
    const why = bilingual(whyKey(finding.why ?? 'failed'));
    const detail = finding.detail === '' ? '' : ` (${finding.detail})`;
    const title = {
      en: bilingual('alarm-path-broken', { name, why: why.en, detail }).en,
      zh: bilingual('alarm-path-broken', { name, why: why.zh, detail }).zh,
    };
    this.#alarms.begin(
      {
        ...{ gateway: CLOUD_ITSELF, area: '', key: keyOf(component), rule: PATH_BROKEN_RULE },
        ...{ level: alarmLevels[kind] ?? 3, name: bilingual('supervision-cloud'), title },
        ...{ action: bilingual(`supervision-action-${actionOf(kind)}`), sinceMs },
      },
      nowMs,
    );
  }
}

// Of channels only the whole: which receiver it is, is an alarm of that receiver.
function isAlarmed({ kind, id }: Component): boolean {
  return alarmLevels[kind] !== undefined && (kind !== 'notifier' || id === '');
}

function actionOf(kind: ComponentKind): 'receiver' | 'broker' | 'cloud' {
  if (kind === 'receiver' || kind === 'notifier') return 'receiver';
  return kind === 'broker' ? 'broker' : 'cloud';
}

function keyOf(component: Component): string {
  return `${CLOUD_ITSELF}/${nameOf(component)}`;
}
