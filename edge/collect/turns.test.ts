import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Answers, Urgency } from '../../protocols/driver.ts';
import { healthy } from './health.ts';
import type { Claim } from './turns.ts';
import { roomMs, TOLERANCE, Turns } from './turns.ts';

const claim = (rank: number, periodMs: number, nextMonoMs: number, costMs = 100): Claim => ({
  ...{ periodMs, rank, nextMonoMs, costMs, requestMs: costMs },
});

test('the group that a more urgent one of its device waits for is as urgent, until it is over', async () => {
  const turns = new Turns(new SimClock());
  const trend = claim(2, 10_000, 0);
  const gas = claim(0, 1000, 0);
  turns.join({ health: healthy, claims: [trend, gas], exceeds: false });
  const over = Promise.withResolvers<Answers>();
  let urgency: Urgency | null = null;
  const asking = turns.regular(trend, 0, false, (given) => {
    urgency = given;
    return over.promise;
  });
  expect(urgency).toMatchObject({ rank: 2, dueMonoMs: TOLERANCE * 10_000 });
  const held = turns.held(gas, 50, trend, asking);
  expect(urgency).toMatchObject({ rank: 0, dueMonoMs: 50 + TOLERANCE * 1000 });
  // One that is less urgent takes nothing away.
  const other = turns.held(trend, 0, trend, asking);
  expect(urgency).toMatchObject({ rank: 0, dueMonoMs: 50 + TOLERANCE * 1000 });
  const none = { points: 0, values: [], qualities: [], atMonoMs: [] };
  over.resolve({ ...none, requests: 1, failures: 0, fault: null, lineMs: 100 });
  await Promise.all([asking, held, other]);
});

test('the room of a line ends where the next poll would begin late, with those that go before it', () => {
  expect(roomMs(0, [], TOLERANCE)).toBe(Number.POSITIVE_INFINITY);
  expect(roomMs(0, [claim(2, 1000, 400)], 0.1)).toBe(500);
  // The second may be under way when the first is due, or go before it: never both.
  expect(roomMs(0, [claim(2, 1000, 400), claim(0, 1000, 450)], 0.1)).toBe(400);
  expect(roomMs(0, [claim(2, 1000, 0)], 0.1)).toBe(100);
});
