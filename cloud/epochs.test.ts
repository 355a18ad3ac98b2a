import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Lane } from '../core/reading.ts';
import type { EpochLine } from './epochs.ts';
import { hear, lineOf, newLine, orderOf, PAST_EPOCHS_MAX, RIVAL_WAIT_MS } from './epochs.ts';

const named = (opening: number, bits = 'aa') => `${opening}-${bits.padStart(16, '0')}`;
const row = (epoch: string, receivedMs: number, lane: Lane = 'live') => ({
  epoch,
  receivedMs,
  lane,
});
const inOrder = (line: EpochLine, epochs: readonly string[]) =>
  [...epochs].sort((a, b) => orderOf(line, a) - orderOf(line, b));

test('a higher opening number is the present epoch at once, and what it left behind is not', () => {
  const line = newLine();
  expect(hear(line, row(named(3), 1000))).toBe(true);
  expect(hear(line, row(named(4), 1001, 'backfill'))).toBe(true);
  expect(hear(line, row(named(3), 2000))).toBe(false);
  expect(hear(line, row(named(3), 900_000, 'backfill'))).toBe(false);
  expect(line.epoch).toBe(named(4));
});

test('a gateway whose twin is switched off is the present one again', () => {
  const line = newLine();
  const twin = named(3, 'bb');
  hear(line, row(named(1), 0));
  hear(line, row(named(2), 1000));
  hear(line, row(twin, 2000));
  hear(line, row(named(2), 30_000));
  hear(line, row(twin, 31_000));
  expect(hear(line, row(named(2), 31_000 + RIVAL_WAIT_MS))).toBe(false);
  expect(hear(line, row(named(2), 31_001 + RIVAL_WAIT_MS))).toBe(true);
  expect(inOrder(line, [named(2), twin, named(1)])).toEqual([named(1), twin, named(2)]);
});

test('a card restored from an older image is now, once the other has not been heard for a while', () => {
  const line = newLine();
  const restored = named(3, 'cc');
  hear(line, row(named(3), 0));
  hear(line, row(named(9), 1000));
  expect(hear(line, row(restored, 1000 + RIVAL_WAIT_MS))).toBe(false);
  expect(hear(line, row(restored, 1001 + RIVAL_WAIT_MS, 'backfill'))).toBe(false);
  expect(hear(line, row(restored, 1001 + RIVAL_WAIT_MS))).toBe(true);
  expect(inOrder(line, [restored, named(9), named(3)])).toEqual([named(3), named(9), restored]);
  expect(hear(line, row(named(4, 'cc'), 40_000))).toBe(true);
});

test('a wall clock that was set back does not keep a restored card from being heard', () => {
  const line = newLine();
  hear(line, row(named(2), 91_000));
  expect(hear(line, row(named(2, 'cc'), 90_500))).toBe(false);
  expect(hear(line, row(named(2, 'cc'), 41_000))).toBe(true);
});

test('an epoch that was never present stands before the first later one of a higher number', () => {
  const line = newLine();
  for (const opening of [1, 3, 6]) hear(line, row(named(opening), opening));
  hear(line, row(named(2, 'cc'), 100_000));
  const all = [named(1), named(2), named(3), named(4), named(5), named(6)];
  expect(inOrder(line, [...all.toReversed(), named(2, 'cc')])).toEqual([
    ...all.slice(0, 5),
    named(6),
    named(2, 'cc'),
  ]);
});

test('orders that were kept tell the line they came from', () => {
  const opening = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.constantFrom('aa', 'bb'));
  const heard = fc.record({
    at: opening,
    lane: fc.constantFrom('live', 'backfill'),
    afterMs: fc.integer({ min: -60_000, max: 60_000 }),
  });
  fc.assert(
    fc.property(fc.array(heard, { minLength: 1, maxLength: PAST_EPOCHS_MAX }), (rows) => {
      const line = newLine();
      const orders = new Map<string, number>();
      let nowMs = 0;
      let newest = -1;
      for (const { at, lane, afterMs } of rows) {
        nowMs += afterMs;
        const epoch = named(...at);
        const isNext = hear(line, { epoch, lane: lane as Lane, receivedMs: nowMs });
        if (isNext) expect(orderOf(line, epoch)).toBeGreaterThan(newest);
        newest = orderOf(line, line.epoch!);
        orders.set(epoch, 0);
        for (const known of orders.keys()) orders.set(known, orderOf(line, known));
        expect(Math.max(...orders.values())).toBe(newest);
      }
      const { epoch, past, openings } = line;
      expect(lineOf(orders)).toMatchObject({ epoch, past, openings });
    }),
  );
});
