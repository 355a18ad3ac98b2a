import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { AlarmConsumer } from './consumer.ts';
import { entry, high, newInbox, record, WALL } from './made-records.ts';
import { PATH_DOWN_MS, type PathState } from './path-watch.ts';

const SECONDS = PATH_DOWN_MS / 1_000;

function desk() {
  newInbox();
  const database = new DatabaseSync(':memory:');
  let consumer = new AlarmConsumer(database);
  const told = (events: ReturnType<AlarmConsumer['tick']>) =>
    events.map(({ kind, alarm }) => `${alarm.rule} ${kind}: ${alarm.title.en}`);
  consumer.apply([record({ sequence: 1, lane: 'event', manifest: [entry(1, [high()])] })], WALL);
  return {
    restart: () => {
      consumer = new AlarmConsumer(database);
    },
    hear: (atSeconds: number, ...states: PathState['state'][]) => {
      const atMs = WALL + atSeconds * 1_000;
      const paths = states.map((state) => ({ state, sinceMs: atMs }));
      return told(consumer.presence('gw-1', states.includes('up'), atMs, paths));
    },
    seconds: (from: number, until: number) => {
      const all: string[] = [];
      for (let at = from; at <= until; at++) {
        consumer.apply(
          [record({ sequence: at + 1, readings: [[1, at * 1_000, 5]] })],
          WALL + at * 1_000,
        );
        all.push(...told(consumer.tick(WALL + at * 1_000)));
      }
      return all;
    },
  };
}

const raised = (path: number) => [
  `path-down raised: Path ${path} of gateway gw-1 to the cloud is down`,
];
const cleared = (path: number) => [
  `path-down cleared: Path ${path} of gateway gw-1 to the cloud is down`,
];

test('a path that is down for a minute while the other works is an alarm, until it is back', () => {
  const { hear, seconds } = desk();
  expect(hear(1, 'up', 'down')).toEqual([]);
  expect(seconds(1, SECONDS)).toEqual([]);
  expect(seconds(SECONDS + 1, SECONDS + 2)).toEqual(raised(2));
  expect(hear(SECONDS + 3, 'up', 'unknown')).toEqual([]); // The cloud is away from its broker.
  expect(hear(SECONDS + 4, 'up', 'up')).toEqual(cleared(2));
  expect(seconds(SECONDS + 5, 3 * SECONDS)).toEqual([]);
});

test('a moment is none, one path is none, and of a gateway that is away nothing is known', () => {
  const { hear, seconds } = desk();
  hear(1, 'up', 'down');
  seconds(1, 30);
  hear(31, 'up', 'up');
  hear(32, 'down', 'up');
  expect(seconds(32, 32 + SECONDS - 1)).toEqual([]);
  hear(100, 'down', 'down');
  expect(seconds(100, 100 + 2 * SECONDS)).toEqual([]);
  hear(300, 'down');
  expect(seconds(300, 300 + 2 * SECONDS)).toEqual([]);
});

test('the alarm outlives a restart of the cloud, and ends when the file names one path only', () => {
  const { hear, seconds, restart } = desk();
  hear(1, 'down', 'up');
  expect(seconds(1, SECONDS + 2)).toEqual(raised(1));
  restart();
  expect(hear(SECONDS + 10, 'down', 'up')).toEqual([]);
  expect(seconds(SECONDS + 10, 3 * SECONDS)).toEqual([]);
  expect(hear(3 * SECONDS + 1, 'up')).toEqual(cleared(1));
});
