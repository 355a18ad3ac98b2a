// Tests of the path, one a gateway that makes them: an alarm of the gateway's own device that goes
// from its sensor to the confirmation of a machine. Its absence is what counts: when none was
// confirmed within the interval of the gateway and MARGIN_MS, that is an alarm of the gateway,
// which says how far the last one came.
//
// - The interval is what the gateway says with the point: the time available of its rule.
// - After a start of the cloud, and when a gateway is heard again, the count begins anew: a gateway
//   tests soon after its own start, and no later than its interval after the last one.
// - A gateway that is silent has an alarm for that; its test is missed, too, and raises no second.
// - Tests are kept for TEST_KEPT_MS, with their alarms and deliveries; then they are deleted.
import type { DatabaseSync } from 'node:sqlite';
import { PATH_TEST_POINT, SELF_DEVICE } from '../../core/point.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent, AlarmFollower } from '../alarms/occurrences.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Delivery, DeliveryState } from '../notify/notifier.ts';
import { Statements } from '../statements.ts';
import type { Component } from './component.ts';
import { broken, OK, unknown } from './component.ts';
import type { Supervision } from './supervision.ts';

/** A poll, the sending, and a retry or two of a receiver that is slow. */
export const MARGIN_MS = 30_000;
export const TEST_KEPT_MS = 86_400_000;
export const TEST_MISSED_RULE = 'path-test-missed';
const PRUNE_EVERY_MS = 3_600_000;
/** A thousand gateways with a test each 15 minutes are 4,000 an hour. */
const PRUNED_AT_ONCE = 1_000;

export const testStages = ['none', 'raised', 'queued', 'sent', 'accepted', 'failed'] as const;
export type TestStage = (typeof testStages)[number];

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS supervision_tests (
    occurrence TEXT PRIMARY KEY, gateway TEXT NOT NULL, -- '' where it came late
    began_ms INTEGER NOT NULL, raised_ms INTEGER NOT NULL, confirmed_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS supervision_tests_raised ON supervision_tests (raised_ms);`;

export interface PathTest {
  readonly occurrence: string;
  readonly gateway: string;
  /** Sample time: a label by the gateway's clock. */
  readonly beganMs: number;
  /** When the alarm was raised here, and when a machine had confirmed it. */
  readonly raisedMs: number;
  readonly confirmedMs: number | null;
}

export interface PathTestsOptions {
  readonly database: DatabaseSync;
  readonly alarms: AlarmConsumer;
  readonly supervision: Supervision;
  /** Of the present dictionary of a gateway. */
  readonly pointsOf: (gateway: string) => readonly SeriesEntry[];
  readonly gateways: () => readonly { readonly id: string; readonly area: string }[];
  /** Receivers that confirm by machine. */
  readonly machines: readonly string[];
  readonly deliveriesOf: (occurrence: string) => readonly Delivery[];
  /** Forgets the deliveries of a test. */
  readonly dropDeliveries: (occurrence: string) => void;
}

interface Watched {
  hash: string | null;
  everyMs: number | null;
  /** From when the next one is waited for. */
  fromMs: number;
  /** The newest that was raised. */
  last: PathTest | null;
}

export class PathTests implements AlarmFollower {
  readonly #options: PathTestsOptions;
  readonly #statements: Statements;
  readonly #watched = new Map<string, Watched>();
  readonly #confirmed = new Map<string, number>();
  readonly #startMs: number;
  #prunedMs: number;

  /** Makes its table if it is not there. Times are wall times of the cloud. */
  constructor(options: PathTestsOptions, nowMs: number) {
    this.#options = options;
    options.database.exec(SCHEMA);
    this.#statements = new Statements(options.database);
    this.#startMs = nowMs;
    this.#prunedMs = nowMs;
    this.load();
    options.alarms.follow(this);
  }

  load(): void {
    for (const watched of this.#watched.values()) watched.last = null;
    // The newest of each gateway: beside max() SQLite gives the columns of the row that has it.
    const sql = `SELECT *, max(raised_ms) FROM supervision_tests WHERE gateway != ''
      GROUP BY gateway`;
    const rows = this.#statements.all(sql);
    for (const row of rows) this.#watch(String(row['gateway'])).last = testOf(row);
  }

  /** The newest test of a gateway; null before the first one kept. */
  last(gateway: string): PathTest | null {
    return this.#watched.get(gateway)?.last ?? null;
  }

  /** How often the gateway tests; null where it does not. */
  everyMs(gateway: string): number | null {
    const { alarms, pointsOf } = this.#options;
    const watched = this.#watch(gateway);
    const hash = alarms.dictionaryOf(gateway);
    if (hash !== watched.hash) {
      watched.hash = hash;
      const point = pointsOf(gateway).find(
        ({ definition }) =>
          definition.device === SELF_DEVICE && definition.point === PATH_TEST_POINT,
      );
      watched.everyMs = point?.definition.rules[0]?.timeAvailableMs ?? null;
    }
    return watched.everyMs;
  }

  /** A delivery changed: of a test that is confirmed nothing is missed. */
  delivered({ alarm, state, confirmedMs }: Delivery): void {
    if (alarm.purpose !== 'path-test' || state !== 'confirmed') return;
    if (!this.#confirmed.has(alarm.occurrence)) {
      this.#confirmed.set(alarm.occurrence, confirmedMs ?? alarm.raisedReceivedMs);
    }
  }

  take(): void {}

  takeTests(events: readonly AlarmEvent[]): void {
    for (const { kind, alarm, atMs } of events) {
      // What a backlog brought shows nothing of the path now; it is noted to be deleted.
      const isNow = kind === 'raised';
      if (!isNow && kind !== 'historical') continue;
      const { occurrence, gateway, beganMs } = alarm;
      this.#statements.run(
        'INSERT OR IGNORE INTO supervision_tests VALUES (?, ?, ?, ?, NULL)',
        ...[occurrence, isNow ? gateway : '', Math.round(beganMs), Math.round(atMs)],
      );
      if (!isNow) continue;
      const test = { occurrence, gateway, beganMs, raisedMs: atMs, confirmedMs: null };
      this.#watch(gateway).last = test;
    }
  }

  isDue(nowMs: number): boolean {
    if (this.#confirmed.size > 0 || this.#isPruneDue(nowMs)) return true;
    this.#look(nowMs);
    return this.#options.gateways().some(({ id }) => this.#alarmDue(id) !== null);
  }

  tick(nowMs: number): void {
    for (const [occurrence, atMs] of this.#confirmed) this.#confirm(occurrence, atMs);
    this.#look(nowMs);
    for (const { id, area } of this.#options.gateways()) {
      const due = this.#alarmDue(id);
      if (due === 'end') this.#options.alarms.end(id, TEST_MISSED_RULE, nowMs);
      else if (due === 'begin') this.#raise(id, area, nowMs);
    }
    if (!this.#isPruneDue(nowMs)) return;
    this.#prunedMs = nowMs;
    this.#prune(nowMs);
  }

  #isPruneDue(nowMs: number): boolean {
    return Math.abs(nowMs - this.#prunedMs) >= PRUNE_EVERY_MS;
  }

  #confirm(occurrence: string, atMs: number): void {
    const find = 'SELECT * FROM supervision_tests WHERE occurrence = ?';
    const row = this.#statements.one(find, occurrence);
    // Until it is seen written it is kept in mind: the transaction may fail.
    if (!row || row['confirmed_ms'] !== null) {
      this.#confirmed.delete(occurrence);
      return;
    }
    const sql = 'UPDATE supervision_tests SET confirmed_ms = ? WHERE occurrence = ?';
    this.#statements.run(sql, Math.round(atMs), occurrence);
    const test: PathTest = { ...testOf(row), confirmedMs: atMs };
    const watched = this.#watch(test.gateway);
    if (watched.last?.occurrence === occurrence) watched.last = test;
    watched.fromMs = Math.max(watched.fromMs, atMs);
  }

  /** Reports what is so of each gateway that tests. */
  #look(nowMs: number): void {
    const { supervision, machines } = this.#options;
    for (const { id } of this.#options.gateways()) {
      const everyMs = this.everyMs(id);
      const component: Component = { kind: 'path-test', id };
      if (everyMs === null) {
        supervision.forget(component, nowMs);
        continue;
      }
      const watched = this.#watch(id);
      const { finding, sinceMs } = supervision.get({ kind: 'gateway', id }) ?? {};
      // A gateway that is back has its time from then.
      if (finding?.state === 'ok') watched.fromMs = Math.max(watched.fromMs, sinceMs ?? nowMs);
      if (watched.fromMs > nowMs) watched.fromMs = nowMs; // The clock was set back.
      const isLate = nowMs - watched.fromMs > everyMs + MARGIN_MS;
      const isSilent = finding?.state === 'broken';
      if (machines.length === 0) supervision.report(component, unknown('no-receiver'), nowMs);
      else if (isLate || (isSilent && supervision.get(component)?.finding.state === 'broken')) {
        supervision.report(component, broken('test-missed', this.#stage(watched)), nowMs);
      } else if (watched.last?.confirmedMs != null) supervision.report(component, OK, nowMs);
      else supervision.report(component, unknown('starting'), nowMs);
    }
  }

  #alarmDue(gateway: string): 'begin' | 'end' | null {
    const { alarms, supervision } = this.#options;
    const state = supervision.get({ kind: 'path-test', id: gateway })?.finding.state;
    const isActive = alarms.isOwnActive(gateway, TEST_MISSED_RULE);
    if (state === 'broken' && !isActive) {
      const isSilent = supervision.get({ kind: 'gateway', id: gateway })?.finding.state !== 'ok';
      return isSilent ? null : 'begin';
    }
    return isActive && state !== 'broken' ? 'end' : null;
  }

  #raise(gateway: string, area: string, nowMs: number): void {
    const watched = this.#watch(gateway);
    const word = bilingual(`path-test-stage-${this.#stage(watched)}`);
    const title = {
      en: bilingual('alarm-path-test-missed', { gateway, stage: word.en }).en,
      zh: bilingual('alarm-path-test-missed', { gateway, stage: word.zh }).zh,
    };
    this.#options.alarms.begin(
      {
        ...{ gateway, area, key: gateway, rule: TEST_MISSED_RULE, level: 2, title },
        name: bilingual('alarm-gateway-name', { gateway }),
        action: bilingual('alarm-path-test-missed-action'),
        sinceMs: watched.fromMs,
      },
      nowMs,
    );
  }

  /** How far the test came that should have been confirmed. */
  #stage({ last, fromMs }: Watched): TestStage {
    if (!last || last.raisedMs < fromMs || last.confirmedMs !== null) return 'none';
    const states = this.#options.deliveriesOf(last.occurrence).map(({ state }) => state);
    if (states.length === 0) return 'raised';
    return stagesOf.find(({ of }) => states.includes(of))?.stage ?? 'failed';
  }

  #prune(nowMs: number): void {
    const sql = 'SELECT occurrence FROM supervision_tests WHERE raised_ms < ? LIMIT ?';
    const rows = this.#statements.all(sql, Math.round(nowMs - TEST_KEPT_MS), PRUNED_AT_ONCE);
    for (const row of rows) {
      const occurrence = String(row['occurrence']);
      this.#options.alarms.tables.dropTest(occurrence);
      this.#options.dropDeliveries(occurrence);
      if (this.#options.alarms.get(occurrence)) continue; // The newest of all alarms stays.
      this.#statements.run('DELETE FROM supervision_tests WHERE occurrence = ?', occurrence);
    }
    // More than that in an hour: go on with the next tick.
    if (rows.length === PRUNED_AT_ONCE) this.#prunedMs = nowMs - PRUNE_EVERY_MS;
  }

  #watch(gateway: string): Watched {
    const known = this.#watched.get(gateway);
    if (known) return known;
    const watched: Watched = { hash: null, everyMs: null, fromMs: this.#startMs, last: null };
    this.#watched.set(gateway, watched);
    return watched;
  }
}

/** The furthest first. */
const stagesOf: readonly { readonly of: DeliveryState; readonly stage: TestStage }[] = [
  { of: 'accepted', stage: 'accepted' },
  { of: 'sent', stage: 'sent' },
  { of: 'queued', stage: 'queued' },
];

function testOf(row: Record<string, unknown>): PathTest {
  return {
    occurrence: String(row['occurrence']),
    gateway: String(row['gateway']),
    beganMs: Number(row['began_ms']),
    raisedMs: Number(row['raised_ms']),
    confirmedMs: row['confirmed_ms'] === null ? null : Number(row['confirmed_ms']),
  };
}
