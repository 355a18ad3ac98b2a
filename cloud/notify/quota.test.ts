import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Quota } from './channels/channel.ts';
import { quotaWaitMs } from './quota.ts';

const quota: fc.Arbitrary<Quota> = fc
  .record({
    messages: fc.integer({ min: 1, max: 20 }),
    perMs: fc.constantFrom(1_000, 5_000, 60_000, 3_600_000),
    part: fc.double({ min: 0, max: 0.99, noNaN: true }),
  })
  .map(({ messages, perMs, part }) => ({ messages, perMs, reserve: Math.floor(messages * part) }));

/** One after another wants to send: so long after the one before, urgent or not. */
const flood = fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), fc.boolean()), {
  maxLength: 200,
});

/** The most of `times` within any `perMs`. */
function mostWithin(times: readonly number[], perMs: number): number {
  return Math.max(
    0,
    ...times.map((from) => times.filter((at) => at >= from && at < from + perMs).length),
  );
}

test('no window ever holds more than its quota, nor more of levels II to IV than leave the reserve, whatever comes', () => {
  fc.assert(
    fc.property(fc.array(quota, { minLength: 1, maxLength: 3 }), flood, (quotas, wishes) => {
      const used: number[] = [];
      const others: number[] = [];
      let nowMs = 0;
      for (const [afterMs, isUrgent] of wishes) {
        nowMs += afterMs;
        if (quotaWaitMs(quotas, used, nowMs, isUrgent) > 0) continue;
        used.push(nowMs);
        if (!isUrgent) others.push(nowMs);
      }
      for (const { messages, perMs, reserve } of quotas) {
        expect(mostWithin(used, perMs)).toBeLessThanOrEqual(messages);
        expect(mostWithin(others, perMs)).toBeLessThanOrEqual(messages - reserve);
      }
    }),
  );
});

test('whatever has flooded a receiver, as many level I messages as the reserve still go at once', () => {
  fc.assert(
    fc.property(quota, flood, (one, wishes) => {
      const used: number[] = [];
      let nowMs = 0;
      for (const [afterMs] of wishes) {
        nowMs += afterMs;
        if (quotaWaitMs([one], used, nowMs, false) === 0) used.push(nowMs);
      }
      for (let sent = 0; sent < one.reserve; sent++) {
        expect(quotaWaitMs([one], used, nowMs, true)).toBe(0);
        used.push(nowMs);
      }
    }),
  );
});

test('the wait that is told ends with room, and not before', () => {
  fc.assert(
    fc.property(quota, flood, fc.boolean(), (one, wishes, isUrgent) => {
      const used: number[] = [];
      let nowMs = 0;
      for (const [afterMs, urgent] of wishes) {
        nowMs += afterMs;
        if (quotaWaitMs([one], used, nowMs, urgent) === 0) used.push(nowMs);
      }
      const waitMs = quotaWaitMs([one], used, nowMs, isUrgent);
      expect(quotaWaitMs([one], used, nowMs + waitMs, isUrgent)).toBe(0);
      if (waitMs > 1)
        expect(quotaWaitMs([one], used, nowMs + waitMs - 1, isUrgent)).toBeGreaterThan(0);
    }),
  );
});

test('a quota that is all reserve lets nothing else through, ever', () => {
  const all = { messages: 5, perMs: 1_000, reserve: 5 };
  expect(quotaWaitMs([all], [], 0, false)).toBe(Number.POSITIVE_INFINITY);
  expect(quotaWaitMs([all], [], 0, true)).toBe(0);
});
