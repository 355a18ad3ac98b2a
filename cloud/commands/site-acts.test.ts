import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { occurrenceName } from '../../core/alarm/digest.ts';
import type { Outcome } from '../../core/command.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { entry, high, newInbox, record, WALL } from '../alarms/made-records.ts';
import { Ledger } from '../notify/ledger.ts';
import { SITE } from '../notify/route.ts';
import { SiteActs } from './site-acts.ts';

const EPOCH = '1-00000000000000aa';
let database: DatabaseSync;
let alarms: AlarmConsumer;
let ledger: Ledger;
let acts: SiteActs;

beforeEach(() => {
  newInbox();
  database = new DatabaseSync(':memory:');
  start();
  const manifest = [entry(1, [high({ level: 1 })])];
  alarms.apply([record({ sequence: 1, lane: 'event', manifest })], WALL);
});
afterEach(() => database.close());

function start(): void {
  alarms = new AlarmConsumer(database);
  ledger = new Ledger(database);
  acts = new SiteActs(database, { alarms, ledger });
}

/** The name that the gateway gives an excursion whose first sample is of then. */
const named = (firstMonoMs: number) => occurrenceName('gw-1/d/p1', 'high', EPOCH, firstMonoMs);

interface Said {
  readonly id?: string;
  readonly act?: 'fire' | 'release';
  readonly outcome?: Outcome;
  readonly monoMs?: number;
}
function reply(occurrence: string, said: Said = {}): Reply {
  const { id = 'fallback-1', act = 'fire', outcome = 'done', monoMs = 92_000 } = said;
  const fallback = {
    ...{ id: 'fan-on-gas', act },
    alarms: [{ occurrence, device: 'd', point: 'p1', rule: 'high' }],
  };
  const issued: Command = {
    ...{ id, issuer: 'gateway:fallback', epoch: EPOCH, sequence: 9, timeToLiveMs: 60_000 },
    ...{ device: 'fan', point: 'run', command: 'set', value: act === 'fire', second: '' },
    ...{ why: 'nobody confirmed within 90s', fallback },
  };
  const reason = outcome === 'done' ? 'none' : 'interlock';
  const about = { outcome, reason, detail: outcome === 'done' ? '' : 'gas-high' } as const;
  return { id, ...about, epoch: EPOCH, monoMs, readBack: true, issued };
}

const hear = (...said: Parameters<typeof reply>) =>
  acts.heard('gw-1', reply(...said), WALL + 100_000);
const ofSite = (occurrence: string) =>
  ledger
    .list({ occurrence })
    .filter(({ receiver }) => receiver === SITE)
    .map(({ state, why, actedMs }) => ({ state, why, actedMs }));
const journalled = (occurrence: string) =>
  alarms
    .journal(0, 100, occurrence)
    .filter(({ kind }) => kind.startsWith('fallback'))
    .map(({ kind, who }) => `${kind} by ${who}`);
const excursions = () => alarms.list({ state: 'all' }).filter(({ rule }) => rule === 'high');

test('what the site did stands with its alarm: in its deliveries, its journal and the live stream', () => {
  const covered = [[1], 1_000, 2_000] as const;
  alarms.apply([record({ sequence: 2, readings: [[1, 2_000, 12]], covered })], WALL);
  const occurrence = named(2_000);
  hear(occurrence);
  const driven = 'driven: fan/run true (nobody confirmed within 90s)';
  expect(ofSite(occurrence)).toEqual([{ state: 'acted', why: driven, actedMs: WALL + 92_000 }]);
  // It was heard of later; in the ledger it stands when it was.
  expect(ledger.list({ occurrence })).toMatchObject([{ queuedMs: WALL + 92_000 }]);
  expect(journalled(occurrence)).toEqual(['fallback-fired by gateway gw-1']);
  expect(acts.drain()).toMatchObject([{ alarm: { occurrence }, act: { fallback: 'fan-on-gas' } }]);
  hear(occurrence, { id: 'release-1', act: 'release', monoMs: 95_000 });
  expect(ofSite(occurrence)).toMatchObject([{ state: 'acted', actedMs: WALL + 92_000 }]);
  expect(journalled(occurrence)).toHaveLength(2);
});

test('a repeat changes nothing, also after a restart of the cloud', () => {
  alarms.apply([record({ sequence: 2, readings: [[1, 2_000, 12]] })], WALL);
  const occurrence = named(2_000);
  hear(occurrence);
  hear(occurrence);
  start();
  hear(occurrence);
  expect(journalled(occurrence)).toHaveLength(1);
  expect(ofSite(occurrence)).toHaveLength(1);
  expect(acts.drain()).toEqual([]);
});

test('what failed is shown with why, until it was done', () => {
  alarms.apply([record({ sequence: 2, readings: [[1, 2_000, 12]] })], WALL);
  const occurrence = named(2_000);
  hear(occurrence, { id: 'fallback-0', outcome: 'refused' });
  expect(ofSite(occurrence)).toEqual([
    { state: 'failed', why: 'driven: fan/run true (refused interlock gas-high)', actedMs: null },
  ]);
  hear(occurrence, { id: 'fallback-00', outcome: 'uncertain' });
  expect(ofSite(occurrence)).toMatchObject([{ state: 'sent' }]);
  hear(occurrence);
  expect(ofSite(occurrence)).toMatchObject([{ state: 'acted' }]);
});

test('an act that comes before the backlog of its alarm waits for it, also over a restart', () => {
  alarms.apply([record({ sequence: 2, readings: [[1, 1_000, 5]] })], WALL);
  const occurrence = named(2_000);
  hear(occurrence);
  expect(alarms.get(occurrence)).toBeNull();
  start();
  alarms.apply([record({ sequence: 3, readings: [[1, 2_000, 12]] })], WALL + 100_000);
  expect(ofSite(occurrence)).toMatchObject([{ state: 'acted' }]);
  expect(acts.drain()).toHaveLength(1);
});

test('after an outage the backlog, the alarm that goes on and the act of the site are one alarm', () => {
  const isState = { lane: 'live', isState: true } as const;
  const late = { lane: 'backfill', receivedMs: WALL + 200_000 } as const;
  const readings = [[1, 1_000, 5]] as const;
  alarms.apply([record({ sequence: 2, readings, covered: [[1], 0, 1_000] })], WALL);
  // Records 3 to 5 were not sent. The newest reading comes first, and names the alarm.
  const now = record({ sequence: 6, ...isState, readings: [[1, 150_000, 13]], receivedMs: WALL });
  alarms.apply([now], WALL + 200_000);
  hear(named(20_000));
  for (const [sequence, monoMs, value] of [
    [3, 10_000, 6],
    [4, 20_000, 12],
    [5, 150_000, 13],
  ] as const) {
    const covered = [[1], monoMs - 9_000, monoMs] as const;
    const made = record({ sequence, ...late, readings: [[1, monoMs, value]], covered });
    alarms.apply([made], WALL + 200_000);
  }
  const more = { readings: [[1, 201_000, 13]], covered: [[1], 150_000, 201_000] } as const;
  alarms.apply([record({ sequence: 7, ...more, receivedMs: WALL + 201_000 })], WALL + 201_000);
  for (let at = 1; at < 200; at++) alarms.tick(WALL + 201_000 + at * 1_000);
  const [alarm, ...others] = excursions();
  expect(others).toEqual([]);
  expect(ofSite(alarm!.occurrence)).toMatchObject([{ state: 'acted' }]);
  expect(acts.of(alarm!.occurrence)).toMatchObject([{ occurrence: named(20_000) }]);
});

test('a gateway speaks of its own points alone', () => {
  alarms.apply([record({ sequence: 2, readings: [[1, 2_000, 12]] })], WALL);
  acts.heard('gw-2', reply(named(2_000)), WALL + 100_000);
  expect(ofSite(named(2_000))).toEqual([]);
});
