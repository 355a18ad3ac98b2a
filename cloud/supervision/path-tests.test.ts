import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { entry, newInbox, record, WALL } from '../alarms/made-records.ts';
import { sampleDelivery } from '../notify/channels/channel.contract.ts';
import type { Delivery, DeliveryState } from '../notify/notifier.ts';
import { broken, OK } from './component.ts';
import { MARGIN_MS, PathTests, TEST_KEPT_MS, TEST_MISSED_RULE } from './path-tests.ts';
import { Supervision } from './supervision.ts';

const EVERY_MS = 60_000;
const gateway = { kind: 'gateway', id: 'gw-1' } as const;

const title = { en: 'Path test', zh: '通路测试' };
const rule = {
  ...({ kind: 'state', id: 'path-test', level: 4, states: [1] } as const),
  ...{ onDelayMs: 0, offDelayMs: 0 },
  ...{ title, action: null, timeAvailableMs: EVERY_MS },
  isSelfAcknowledging: true,
} as const;
const base = entry(1, [rule]);
const point = {
  ...base,
  definition: { ...base.definition, device: 'self', point: 'path-test', type: 'boolean' as const },
};

/** A gateway whose test rises each so often; what becomes of a test is set by the caller. */
function open(
  database = new DatabaseSync(':memory:'),
  machines: readonly string[] = ['desk'],
  startMs = WALL,
) {
  newInbox();
  const alarms = new AlarmConsumer(database);
  const supervision = new Supervision({ database, alarms }, startMs);
  const states = new Map<string, DeliveryState>();
  const dropped: string[] = [];
  const tests = new PathTests(
    {
      ...{ database, alarms, supervision, machines },
      pointsOf: () => [point],
      gateways: () => [{ id: 'gw-1', area: 'gas' }],
      deliveriesOf: (occurrence) => {
        const state = states.get(occurrence);
        return state ? [sampleDelivery({ state })] : [];
      },
      dropDeliveries: (occurrence) => dropped.push(occurrence),
    },
    startMs,
  );
  supervision.report(gateway, OK, startMs);
  const told: string[] = [];
  const note = (events: ReturnType<AlarmConsumer['tick']>, atMs: number) => {
    for (const { kind, alarm } of events) {
      if (alarm.rule === TEST_MISSED_RULE) {
        told.push(`${(atMs - WALL) / 1_000} ${kind}: ${alarm.title.en}`);
      } else if (alarm.purpose === 'path-test' && kind === 'raised')
        onRaised(alarm.occurrence, atMs);
    }
  };
  const become = { state: 'confirmed' as DeliveryState | null, rises: true };
  const onRaised = (occurrence: string, atMs: number) => {
    const { state } = become;
    if (state === null) return;
    states.set(occurrence, state);
    const alarm = alarms.get(occurrence)!;
    const delivery: Delivery = { ...sampleDelivery({ state }), alarm, confirmedMs: atMs };
    tests.delivered(delivery);
  };
  let sequence = 0;
  const say = (at: number, value: number) => {
    sequence++;
    const first = sequence === 1 ? { lane: 'event' as const, manifest: [point] } : {};
    const readings: [number, number, number][] = [[1, at * 1_000, value]];
    const receivedMs = WALL + at * 1_000;
    note(
      alarms.apply([record({ sequence, readings, receivedMs, ...first })], receivedMs),
      receivedMs,
    );
  };
  const seconds = (from: number, to: number) => {
    for (let at = from; at <= to; at++) {
      const phase = at % (EVERY_MS / 1_000);
      if (become.rises && phase === 5) say(at, 1);
      else if (at === from || phase === 10) say(at, 0);
      note(alarms.tick(WALL + at * 1_000), WALL + at * 1_000);
    }
  };
  const state = () => supervision.get({ kind: 'path-test', id: 'gw-1' })?.finding;
  return { database, alarms, supervision, tests, told, seconds, become, state, dropped };
}

test('a test that is confirmed in time is no alarm, in no case, no incident, not in the journal', () => {
  const { seconds, told, state, tests, alarms } = open();
  const before = alarms.journal(0, 1_000).length;
  seconds(1, 1_800);
  expect(told).toEqual([]);
  expect(state()).toEqual(OK);
  expect(tests.last('gw-1')?.confirmedMs).not.toBeNull();
  const kinds = alarms
    .journal(0, 1_000)
    .slice(before)
    .map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind.startsWith('alarm-'))).toEqual([]);
});

test('each stage at which a test can end is an alarm that says so, until one is confirmed', () => {
  for (const [ends, words] of [
    [null, 'raised, not queued'],
    ['queued', 'queued, not sent'],
    ['sent', 'sent, not accepted'],
    ['accepted', 'accepted, not confirmed'],
    ['failed', 'sending failed'],
  ] as const) {
    const { seconds, told, become, state } = open();
    seconds(1, 300);
    become.state = ends;
    seconds(301, 500);
    const [raised, ...rest] = told;
    expect(raised).toContain(`raised: Path test of gateway gw-1 missed: ${words}`);
    // The last that was confirmed was that of second 245.
    const atS = Number(raised?.split(' ')[0]);
    expect(atS).toBeGreaterThan(245 + (EVERY_MS + MARGIN_MS) / 1_000);
    expect(atS).toBeLessThanOrEqual(245 + (EVERY_MS + MARGIN_MS) / 1_000 + 2);
    expect(rest).toEqual([]);
    become.state = 'confirmed';
    seconds(501, 600);
    expect(told.at(-1)).toContain('cleared: Path test of gateway gw-1 missed');
    expect(state()).toEqual(OK);
  }
});

test('that none was raised at all is said, too', () => {
  const { seconds, told, become } = open();
  seconds(1, 300);
  become.rises = false;
  seconds(301, 500);
  expect(told).toEqual([
    expect.stringContaining('raised: Path test of gateway gw-1 missed: none was raised'),
  ]);
});

test('a gateway that is silent raises no second alarm, and has its time again when it is back', () => {
  const { seconds, told, become, supervision } = open();
  seconds(1, 300);
  supervision.report(gateway, broken('silent'), WALL + 301_000);
  become.rises = false;
  seconds(301, 800);
  expect(told).toEqual([]);
  supervision.report(gateway, OK, WALL + 801_000);
  seconds(801, 801 + EVERY_MS / 1_000);
  expect(told).toEqual([]);
  seconds(802 + EVERY_MS / 1_000, 820 + (EVERY_MS + MARGIN_MS) / 1_000);
  expect(told).toHaveLength(1);
});

test('after a restart of the cloud a gateway has its time again', () => {
  const first = open();
  first.seconds(1, 300);
  const startS = 10_000;
  const again = open(first.database, ['desk'], WALL + startS * 1_000);
  expect(again.tests.last('gw-1')?.confirmedMs).not.toBeNull();
  again.become.rises = false;
  again.seconds(startS, startS + (EVERY_MS + MARGIN_MS) / 1_000);
  expect(again.told).toEqual([]);
  again.seconds(startS + 91, startS + 95);
  expect(again.told).toHaveLength(1);
});

test('where no receiver confirms by machine nothing can be tested, and it says so', () => {
  const { seconds, told, state } = open(undefined, []);
  seconds(1, 300);
  expect(state()).toMatchObject({ state: 'unknown', why: 'no-receiver' });
  expect(told).toEqual([]);
});

test('tests older than a day are gone with their alarms and deliveries', () => {
  const { seconds, alarms, tests, dropped, database } = open();
  seconds(1, 300);
  const count = () =>
    Number(database.prepare('SELECT count(*) AS n FROM supervision_tests').get()?.['n']);
  expect(count()).toBe(5);
  const dayMs = WALL + 300_000 + TEST_KEPT_MS + 3_600_000;
  const left = () =>
    alarms.list({ state: 'all' }).filter(({ purpose }) => purpose === 'path-test').length;
  alarms.tick(dayMs);
  expect(dropped).toHaveLength(5);
  // What history found once more, a day late, goes as well; only the newest alarm of all stays
  // until there is another, as numbers are counted on from it.
  for (let at = 1; at <= 2; at++) alarms.tick(dayMs + at * (TEST_KEPT_MS + 3_600_000));
  expect([count(), left()]).toEqual([1, 1]);
  expect(tests.everyMs('gw-1')).toBe(EVERY_MS);
});
