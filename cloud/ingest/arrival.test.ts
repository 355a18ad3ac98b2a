import { expect, test } from 'vitest';
import { ArrivalClock, LIVE_AGE_MAX_MS } from './arrival.ts';

const live = (clock: ArrivalClock, sealedMs: number, arrivedMs: number) =>
  clock.ageMs(sealedMs, arrivedMs, 'live');

test('age is what a record took above the fastest one', () => {
  const clock = new ArrivalClock(null, 0);
  expect(live(clock, 1_000, 50_000)).toBe(0);
  expect(live(clock, 2_000, 50_500)).toBe(0); // Faster: it is the new measure.
  expect(live(clock, 3_000, 91_500)).toBeGreaterThan(39_900);
});

test('drift of the two clocks never makes live records old', () => {
  const clock = new ArrivalClock(null, 0);
  for (let hours = 0; hours < 24 * 30; hours++) {
    const sealedMs = hours * 3_600_000;
    expect(live(clock, sealedMs, sealedMs * (1 + 200e-6))).toBeLessThan(1_000);
  }
});

test('a queue that drains stays old until it is drained', () => {
  const clock = new ArrivalClock(null, 0);
  live(clock, 0, 0);
  let sealedMs = 1_000;
  for (let arrivedMs = 600_000; arrivedMs < 900_000; arrivedMs += 1_000) {
    const ageMs = live(clock, sealedMs, arrivedMs);
    expect(ageMs > LIVE_AGE_MAX_MS).toBe(arrivedMs - sealedMs > LIVE_AGE_MAX_MS + 500);
    sealedMs = Math.min(arrivedMs, sealedMs + 3_000);
  }
});

test('a clock that was moved is found out within about a minute, and live is live again', () => {
  const clock = new ArrivalClock(-3_600_000, 0); // From before a start with a wrong wall clock.
  let ages = 0;
  for (let arrivedMs = 0; arrivedMs < 120_000; arrivedMs += 1_000) {
    if (live(clock, arrivedMs, arrivedMs) > LIVE_AGE_MAX_MS) ages++;
  }
  expect(ages).toBeGreaterThan(50);
  expect(ages).toBeLessThan(70);
});
