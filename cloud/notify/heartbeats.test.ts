import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Metrics } from '../../core/metrics.ts';
import { Heartbeats } from './heartbeats.ts';
import type { Heartbeat, Notifier } from './notifier.ts';

type Beat = NonNullable<Notifier['beat']>;

function beating(beats: Readonly<Record<string, Beat | undefined>>) {
  const clock = new SimClock();
  const told: string[] = [];
  const send: Notifier['send'] = async () => ({ kind: 'sent', confirmedBy: null });
  const all = Object.entries(beats).map(([id, beat]): [string, Notifier] => [
    id,
    beat ? { send, beat } : { send },
  ]);
  const stopping = new AbortController();
  const heartbeats = new Heartbeats(clock, new Metrics(), {
    receivers: new Map(all),
    everyMs: 10_000,
    onBeat: (id, why) => told.push(`${clock.monoMs() / 1_000} ${id} ${why}`),
  });
  const running = heartbeats.run(stopping.signal);
  return { clock, told, stop: () => stopping.abort(), running };
}

const never: Beat = () => new Promise(() => {});

test('each receiver gets a heartbeat each 10 s, its number rising; one without the means gets none', async () => {
  const got: Heartbeat[] = [];
  const { clock, told, stop, running } = beating({
    desk: async (heartbeat) => {
      got.push(heartbeat);
      return null;
    },
    robot: undefined,
  });
  await clock.advance(35_000);
  stop();
  await running;
  expect(told).toEqual(['0 desk null', '10 desk null', '20 desk null', '30 desk null']);
  const numbers = got.map(({ id }) => Number(id.replace('heartbeat.', '')));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(4);
  expect(got.every(({ everyMs }) => everyMs === 10_000)).toBe(true);
});

test('a receiver that hangs is known for broken within 20 s of its last answer, and holds up no other', async () => {
  let answers = true;
  const { clock, told, stop, running } = beating({
    slow: (heartbeat, signal) => (answers ? Promise.resolve(null) : never(heartbeat, signal)),
    desk: async () => null,
  });
  await clock.advance(10_500);
  answers = false; // It took that of second 10 and hangs since.
  await clock.advance(30_000);
  stop();
  await running;
  const first = told.find((line) => line.endsWith('slow timeout'));
  expect(Number(first?.split(' ')[0])).toBeLessThanOrEqual(30);
  expect(told.filter((line) => line.includes(' desk ')).length).toBe(5);
});

test('a heartbeat lost once is no fault; a notifier that throws is told as broken', async () => {
  let count = 0;
  const { clock, told, stop, running } = beating({
    lossy: async () => (count++ === 1 ? 'ECONNRESET' : null),
    wrong: async () => {
      throw new TypeError('x');
    },
  });
  await clock.advance(12_000);
  stop();
  await running;
  expect(told.filter((line) => line.includes('lossy'))).toEqual(['0 lossy null', '11 lossy null']);
  expect(told.find((line) => line.includes('wrong'))).toBe('1 wrong notifier broken: TypeError');
});
