import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PathFault } from './figures.ts';
import { figuresOf, monthNamed, monthOf } from './figures.ts';

const HOUR = 3_600_000;
const month = monthNamed('2026-11', 8 * HOUR)!;
const T0 = month.fromMs;
const fault = (
  kind: PathFault['kind'],
  id: string,
  fromH: number,
  toH: number | null,
  isFalse = false,
): PathFault => ({
  ...{ kind, id, why: 'silent', detail: '', isFalse },
  fromMs: T0 + fromH * HOUR,
  toMs: toH === null ? null : T0 + toH * HOUR,
});
const gateway = (id: string, fromH = 0, toH: number | null = null) => ({
  gateway: id,
  fromMs: T0 + fromH * HOUR,
  toMs: toH === null ? null : T0 + toH * HOUR,
});

test('a month is that of the place: it begins at midnight there', () => {
  expect(new Date(month.fromMs).toISOString()).toBe('2026-10-31T16:00:00.000Z');
  expect(new Date(month.toMs).toISOString()).toBe('2026-11-30T16:00:00.000Z');
  expect(monthOf(month.fromMs, 8 * HOUR)).toBe('2026-11');
  expect(monthOf(month.fromMs - 1, 8 * HOUR)).toBe('2026-10');
  expect(monthNamed('2026-13', 0)).toBeUndefined();
});

test('two faults at once count once, and what all paths share is a fault of each', () => {
  const now = T0 + 100 * HOUR;
  const faults = [
    fault('gateway', 'a', 10, 12),
    fault('ingest', '', 11, 13),
    fault('receiver', 'desk', 20, 40), // Others can be told: no path is broken by it.
  ];
  const { all, gateways, kinds } = figuresOf(month, now, [gateway('a'), gateway('b')], faults);
  expect(gateways.get('a')).toMatchObject({ availability: 0.97, brokenMs: 3 * HOUR, faults: 2 });
  expect(gateways.get('b')).toMatchObject({ availability: 0.98, brokenMs: 2 * HOUR, faults: 1 });
  expect(all).toMatchObject({ availability: 0.975, faults: 2, longestMs: 2 * HOUR });
  expect(kinds.get('receiver')).toEqual({ faults: 1, falseFaults: 0 });
});

test('a gateway counts from when it was supervised to when it left, a fault that goes on to now', () => {
  const now = T0 + 100 * HOUR;
  const faults = [fault('gateway', 'a', 90, null), fault('gateway', 'b', -5, 2)];
  const { gateways } = figuresOf(month, now, [gateway('a', 60), gateway('b', -50, 20)], faults);
  expect(gateways.get('a')).toMatchObject({ supervisedMs: 40 * HOUR, brokenMs: 10 * HOUR });
  // It began in the month before: its time counts here, the fault there.
  expect(gateways.get('b')).toMatchObject({
    supervisedMs: 20 * HOUR,
    brokenMs: 2 * HOUR,
    faults: 0,
  });
});

test('of a month in which nothing was supervised nothing is said', () => {
  const { all } = figuresOf(month, T0 + HOUR, [], []);
  expect(all).toMatchObject({ availability: null, faults: 0, longestMs: 0 });
});

test('availability is what a look at every minute would have found', () => {
  const minute = 60_000;
  const spans = fc.array(fc.tuple(fc.nat(500), fc.nat(60)), { maxLength: 12 });
  fc.assert(
    fc.property(spans, (list) => {
      const faults = list.map(([from, length], at) => ({
        ...fault(at % 2 ? 'gateway' : 'inbox', at % 2 ? 'a' : '', 0, 0),
        fromMs: T0 + from * minute,
        toMs: T0 + (from + length) * minute,
      }));
      const end = T0 + 400 * minute;
      const { gateways } = figuresOf(month, end, [gateway('a')], faults);
      let broken = 0;
      for (let at = T0; at < end; at += minute) {
        if (faults.some(({ fromMs, toMs }) => fromMs <= at && at < toMs)) broken++;
      }
      expect(gateways.get('a')?.brokenMs).toBe(broken * minute);
    }),
  );
});
