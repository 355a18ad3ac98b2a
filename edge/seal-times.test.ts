import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MARK_MS, MARKS_MAX, SealTimes, TIME_TO_LIVE_MAX_MS } from './seal-times.ts';

test('a sequence is never taken for younger than it is, and for less than a mark older', () => {
  const steps = fc.array(fc.nat(3 * MARK_MS), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (waits) => {
      const times = new SealTimes();
      const sealedAt: number[] = [0];
      let now = 0;
      waits.forEach((wait, at) => {
        now += wait;
        sealedAt.push(now);
        times.note(at + 1, now);
      });
      sealedAt.forEach((sealedMs, sequence) => {
        const told = times.of(sequence) as number;
        expect(told).toBeLessThanOrEqual(sealedMs);
        expect(told).toBeGreaterThan(sealedMs - MARK_MS);
      });
      expect(times.of(waits.length + 1)).toBe('unknown');
    }),
  );
});

test('what was not sealed is unknown, whatever it is', () => {
  const times = new SealTimes();
  expect([-1, 0.5, Number.NaN, 1, 2 ** 60].map((sequence) => times.of(sequence))).toEqual(
    Array.from({ length: 5 }, () => 'unknown'),
  );
  expect([times.of(0), times.last]).toEqual([0, 0]);
});

test('memory is bounded, and whatever may still be in time is remembered', () => {
  const times = new SealTimes();
  const count = 5 * MARKS_MAX;
  for (let sequence = 1; sequence <= count; sequence++) times.note(sequence, sequence * MARK_MS);
  expect(times.of(1)).toBe('old');
  const youngest = count - TIME_TO_LIVE_MAX_MS / MARK_MS;
  expect(times.of(youngest)).toBe(youngest * MARK_MS);
});
