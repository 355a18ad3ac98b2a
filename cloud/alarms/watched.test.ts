// Comparisons of two points of one gateway: the other one is watched for them.
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import type { ComparisonRule } from '../../core/alarm/rule.ts';
import { AlarmConsumer } from './consumer.ts';
import { entry, record, WALL } from './made-records.ts';

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

const leak = (changes: Partial<ComparisonRule> = {}): ComparisonRule => ({
  id: 'leak',
  kind: 'comparison',
  other: 'd/p2',
  by: 'difference',
  side: 'high',
  limit: 5,
  deadband: 1,
  onDelayMs: 2000,
  offDelayMs: 0,
  level: 2,
  title: { en: 'More goes in than comes out', zh: '进出流量不平衡' },
  action: null,
  ...changes,
});

function open(rule: ComparisonRule) {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const consumer = new AlarmConsumer(database);
  const manifest = [entry(1, [rule]), entry(2, []), entry(3, [])];
  consumer.apply([record({ sequence: 1, lane: 'event', manifest })], WALL);
  return { database, consumer };
}

const flows = (sequence: number, atMs: number, into: number, out: number) =>
  record({
    sequence,
    readings: [
      [1, atMs, into],
      [2, atMs + 20, out],
    ],
    covered: [[1, 2, 3], atMs - 980, atMs + 20],
  });
const leaks = (consumer: AlarmConsumer) =>
  consumer.list({ state: 'all' }).filter(({ rule }) => rule === 'leak');

test('two points are compared, also with one that has no rule, and through a start of the cloud', () => {
  const { database, consumer } = open(leak());
  consumer.apply([flows(2, 1000, 20, 19), flows(3, 2000, 20, 12), flows(4, 3000, 21, 12)], WALL);
  expect(leaks(consumer)).toEqual([]);
  const again = new AlarmConsumer(database);
  again.apply([flows(5, 4000, 20, 12), flows(6, 5000, 20, 12)], WALL);
  // Beyond since the other fell at 2.02 s.
  expect(leaks(again)).toMatchObject([{ raisedMs: WALL + 4020, clearedMs: null, value: 8 }]);
  again.apply([flows(7, 6000, 15, 12)], WALL);
  expect(leaks(again)).toMatchObject([{ clearedMs: WALL + 6000 }]);
});

test('a comparison holds while the other point is not known', () => {
  const { consumer } = open(leak({ onDelayMs: 0 }));
  consumer.apply([flows(2, 1000, 20, 12)], WALL);
  expect(leaks(consumer)).toMatchObject([{ clearedMs: null }]);
  const alone = [[1, 2000, 12]] as const;
  const covered = [[1], 1100, 8000] as const;
  consumer.apply([record({ sequence: 3, readings: alone, covered })], WALL);
  expect(leaks(consumer)).toMatchObject([{ clearedMs: null }]);
  consumer.apply([flows(4, 9000, 12, 12), flows(5, 10_000, 12, 12)], WALL);
  expect(leaks(consumer)).toMatchObject([{ clearedMs: WALL + 9020 }]);
});

test('a comparison with another point than before begins anew, and the one before is let go', () => {
  const { consumer } = open(leak({ onDelayMs: 0 }));
  const manifest = [entry(1, [leak({ onDelayMs: 0, other: 'd/p3' })]), entry(2, []), entry(3, [])];
  consumer.apply([flows(2, 1000, 20, 19)], WALL);
  consumer.apply([record({ sequence: 3, lane: 'event', manifest })], WALL);
  consumer.apply([flows(4, 2000, 20, 1)], WALL);
  expect(leaks(consumer)).toEqual([]);
  const third = [[3, 2500, 2]] as const;
  const covered = [[1, 2, 3], 2021, 3000] as const;
  consumer.apply([record({ sequence: 5, readings: third, covered })], WALL);
  expect(leaks(consumer)).toMatchObject([{ raisedMs: WALL + 2500, value: 18 }]);
});

test('a ratio has no unit, a difference that of its point', () => {
  for (const [by, unit, value] of [
    ['difference', 'bar', 8],
    ['ratio', '1', 5],
  ] as const) {
    const { consumer } = open(leak({ onDelayMs: 0, by, limit: 4 }));
    consumer.apply([flows(2, 1000, 10, 2)], WALL);
    expect(leaks(consumer)).toMatchObject([{ unit, value, limit: 4 }]);
  }
});
