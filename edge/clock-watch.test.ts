import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { CLOCK_STEP_MS, ClockWatch, DRIFT, SYNC_AGE_MAX_MS, SYNC_ERROR_MS } from './clock-watch.ts';

test('a jump of the wall clock is a step with both offsets, slow drift is none', async () => {
  const clock = new SimClock(1_000_000);
  const watch = new ClockWatch(clock, clock.monoMs(), () => null);
  expect(watch.stamp).toEqual({ wallOffsetMs: 1_000_000, state: 'unknown', errorMs: 0 });
  for (let at = 0; at < 100; at++) {
    await clock.advance(1_000);
    clock.stepWall(CLOCK_STEP_MS / 2);
    expect(watch.check()).toBeNull();
  }
  clock.stepWall(-3_600_000);
  expect(watch.isStepAhead).toBe(true);
  expect(watch.check()).toEqual({
    monoMs: 100_000,
    fromOffsetMs: 1_050_000,
    toOffsetMs: 1_050_000 - 3_600_000,
    state: 'unknown',
  });
  expect(watch.isStepAhead).toBe(false);
  expect(watch.check()).toBeNull();
});

test('the offset counts from the opening of the epoch, whatever the monotonic clock began with', async () => {
  const clock = new SimClock(500_000);
  await clock.advance(40_000);
  const watch = new ClockWatch(clock, 30_000, () => null);
  expect(watch.stamp.wallOffsetMs).toBe(clock.wallMs() - 10_000);
});

test('a clock is synchronised while somebody sets it, then in holdover with a growing error', async () => {
  const clock = new SimClock(1_000_000_000);
  let syncMs: number | null = null;
  const watch = new ClockWatch(clock, 0, () => syncMs);
  syncMs = clock.wallMs();
  await clock.advance(10_000);
  expect(watch.check()).toMatchObject({ state: 'synchronised' });
  expect(watch.stamp.errorMs).toBeCloseTo(SYNC_ERROR_MS + 10_000 * DRIFT);
  await clock.advance(SYNC_AGE_MAX_MS);
  expect(watch.check()).toMatchObject({ state: 'holdover' });
  const { errorMs } = watch.stamp;
  syncMs = null; // The file is gone: what was known still holds, and ages.
  await clock.advance(3_600_000);
  expect(watch.check()).toBeNull();
  expect(watch.stamp.state).toBe('holdover');
  expect(watch.stamp.errorMs).toBeGreaterThan(errorMs);
});

test('a clock that was never set is unknown, however long it runs', async () => {
  const clock = new SimClock(0);
  const watch = new ClockWatch(clock, 0, () => null);
  await clock.advance(86_400_000);
  expect(watch.check()).toBeNull();
  expect(watch.stamp).toMatchObject({ state: 'unknown', errorMs: 0 });
});
