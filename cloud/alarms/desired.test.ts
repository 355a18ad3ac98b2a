import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { decodeDecided, NOTHING_DECIDED } from '../../protocols/uplink/decided.ts';
import { AlarmConsumer } from './consumer.ts';
import { DIFFER_MS } from './desired.ts';
import { entry, high, newInbox, record, WALL } from './made-records.ts';

const li = { name: 'li', from: 'desk' };
const trend = (() => {
  const { definition, ...rest } = entry(1, [high()]);
  return { ...rest, definition: { ...definition, class: 'trend' as const } };
})();

function desk() {
  newInbox();
  const database = new DatabaseSync(':memory:');
  const consumer = new AlarmConsumer(database);
  consumer.apply([record({ sequence: 1, lane: 'event', manifest: [trend] })], WALL);
  const decide = (limit: number, atMs: number) =>
    consumer.decide(
      trend,
      'high',
      { decision: { kind: 'set', rule: high({ limit }) }, who: li, reason: 'site visit' },
      atMs,
    );
  const seconds = (from: number, until: number) => {
    const kinds: string[] = [];
    for (let at = from; at <= until; at++) {
      const readings = [[1, at * 1000, 5]] as const;
      consumer.apply([record({ sequence: at + 1, readings })], WALL + at * 1000);
      for (const { kind, alarm } of consumer.tick(WALL + at * 1000))
        kinds.push(`${alarm.rule} ${kind}`);
    }
    return kinds;
  };
  return { database, consumer, decide, seconds };
}

test('a gateway about which nobody decided anything is told nothing and never differs', () => {
  const { consumer, seconds } = desk();
  expect(consumer.takeDesired(WALL)).toEqual([]);
  expect(seconds(1, 100)).toEqual([]);
  expect(consumer.desired()).toEqual([]);
});

test('what a person decided goes down once under a rising revision, and all of it after a restart', () => {
  const { database, consumer, decide } = desk();
  decide(20, WALL);
  const [told] = consumer.takeDesired(WALL);
  expect(told).toMatchObject({ gateway: 'gw-1', area: 'gas', state: { revision: 1 } });
  expect(decodeDecided(told!.state.document)).toMatchObject([
    { device: 'd', point: 'p1', id: 'high', rule: { limit: 20 } },
  ]);
  expect(consumer.takeDesired(WALL)).toEqual([]);
  expect(consumer.desired()).toEqual([told]);
  decide(30, WALL);
  // Decided, and the cloud ended before it was told.
  const again = new AlarmConsumer(database);
  expect(again.takeDesired(WALL)).toMatchObject([{ state: { revision: 2 } }]);
});

test('a gateway that goes by other rules for a minute has an alarm, until it reports the right ones', () => {
  const { consumer, decide, seconds } = desk();
  decide(20, WALL);
  const [told] = consumer.takeDesired(WALL);
  expect(seconds(1, DIFFER_MS / 1000 - 1)).toEqual([]);
  expect(seconds(60, 61)).toEqual(['rules-differ raised']);
  const { hash } = told!.state;
  const report = (reported: string) =>
    consumer.reported('gw-1', { revision: 1, hash: reported, document: new Uint8Array(0) }, WALL);
  expect(report(NOTHING_DECIDED)).toEqual([]);
  expect(report(hash).map(({ kind, alarm }) => `${alarm.rule} ${kind}`)).toEqual([
    'rules-differ cleared',
  ]);
  expect(seconds(62, 130)).toEqual([]);
});
