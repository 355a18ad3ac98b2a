import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { ACK_WITHIN_MS, GRACE_MS, PathWatch } from './path-watch.ts';

function watching() {
  const clock = new SimClock();
  const logged: string[] = [];
  const note = (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
    logged.push([event, fields['why']].filter(Boolean).join(' '));
  };
  const uplink = { isConnected: true, isUp: true, inFlightBytes: 0, answers: true, sends: true };
  let ackedMonoMs: number | null = null;
  const watch = new PathWatch(clock, { ...silentLog, info: note, warn: note }, () => {
    const { isConnected, isUp, inFlightBytes } = uplink;
    return { isUp, inFlightBytes, ackedMonoMs, paths: [{ isConnected }] };
  });
  watch.start();
  /** A record each 10 s, acknowledged within a second. */
  const seconds = async (count: number) => {
    for (let second = 0; second < count; second++) {
      const isDue = Math.round(clock.monoMs() / 1_000) % 10 === 0;
      if (uplink.isUp && uplink.sends && isDue) uplink.inFlightBytes = 100;
      await clock.advance(500);
      if (uplink.isUp && uplink.answers && uplink.inFlightBytes > 0) {
        uplink.inFlightBytes = 0;
        ackedMonoMs = clock.monoMs();
      }
      await clock.advance(500);
    }
  };
  return { clock, watch, uplink, logged, seconds };
}

test('a path that is whole is said once, and stays so while nothing is sent', async () => {
  const { watch, uplink, logged, seconds } = watching();
  await seconds(100);
  uplink.sends = false;
  await seconds(100);
  expect(watch.report).toMatchObject({ state: 'ok', why: null });
  expect(logged).toEqual(['path_ok']);
});

test('a cloud that stands still is seen within 20 s of its last acknowledgement, and its return at once', async () => {
  for (let at = 30; at < 40; at++) {
    const { watch, uplink, logged, seconds } = watching();
    await seconds(at);
    uplink.answers = false;
    await seconds(20);
    expect(watch.report).toMatchObject({ state: 'broken', why: 'not_acknowledged' });
    await seconds(60);
    uplink.answers = true;
    await seconds(2);
    expect(watch.report.state).toBe('ok');
    expect(logged).toEqual(['path_ok', 'path_broken not_acknowledged', 'path_ok']);
  }
});

test('no broker and a cloud that is away are told apart, and a fault is logged once each way', async () => {
  const { watch, uplink, logged, seconds } = watching();
  await seconds(5);
  uplink.isUp = false;
  await seconds(2);
  expect(watch.report).toMatchObject({ state: 'broken', why: 'cloud_away' });
  uplink.isConnected = false;
  await seconds(60);
  expect(watch.report).toMatchObject({ state: 'broken', why: 'no_broker' });
  expect(watch.report.forMs).toBeGreaterThan(60_000);
  uplink.isConnected = true;
  uplink.isUp = true;
  await seconds(15);
  expect(watch.report.state).toBe('ok');
  expect(logged).toEqual(['path_ok', 'path_broken cloud_away', 'path_ok']);
});

test('a start has its time to get there', async () => {
  const { watch, uplink, logged, seconds } = watching();
  uplink.isUp = false;
  uplink.isConnected = false;
  await seconds(GRACE_MS / 1_000 - 2);
  expect([watch.report.state, logged]).toEqual(['starting', []]);
  await seconds(4);
  expect(logged).toEqual(['path_broken no_broker']);
});

test('a single acknowledgement that takes long, as over a lossy link, is no fault', async () => {
  const { uplink, logged, seconds } = watching();
  await seconds(30);
  for (let round = 0; round < 5; round++) {
    uplink.answers = false;
    await seconds(ACK_WITHIN_MS / 1_000 - 3);
    uplink.answers = true;
    await seconds(10);
  }
  expect(logged).toEqual(['path_ok']);
});
