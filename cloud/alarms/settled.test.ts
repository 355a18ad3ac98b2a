import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isStill, NO_VERDICT, phases } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { limitSides } from '../../core/alarm/rule.ts';
import { GOOD } from '../../core/quality.ts';
import { BAD, high, noData } from './made-records.ts';
import { Marks } from './marks.ts';
import { AlarmTables } from './tables.ts';
import { settle, WatchedSeries } from './watched.ts';

function watch(rules: readonly Rule[]) {
  using database = new DatabaseSync(':memory:');
  const marks = new Marks();
  const series = new WatchedSeries(new AlarmTables(database), marks);
  const watched = series.addSeries({
    ...{ series: 1, area: 'gas', gateway: 'g', device: 'd', point: 'p', unit: 'bar' },
    ...{ class: 'life-safety', scale: 1, offset: 0, periodMs: 1_000, asset: null },
    name: { en: 'x', zh: 'x' },
  });
  const own = { version: 1, author: 'li', reason: '', proposed: null, retired: false };
  for (const rule of rules) series.addWatch(watched, { series: 1, rule, ...own });
  marks.sample[1] = 1_000;
  marks.mark[1] = 1_000;
  const isSettled = (value: number, quality = GOOD, monoMs = 2_000) =>
    marks.isSettled(1, monoMs, value, quality);
  return { series, watched, marks, isSettled };
}

test('a value is settled between the limits of a normal series that was looked at, and nowhere else', () => {
  const low = { ...high(), id: 'low', side: 'low' as const, limit: 2 };
  const { watched, marks, isSettled } = watch([high(), low, noData]);
  expect(isSettled(5)).toBe(false); // Nobody has looked.
  settle(watched);
  expect([2, 2.01, 9.99, 10].map((value) => isSettled(value))).toEqual([false, true, true, false]);
  expect([isSettled(Number.NaN), isSettled(5, BAD)]).toEqual([false, false]);
  expect([isSettled(5, GOOD, 1_000), isSettled(5, GOOD, 4_001)]).toEqual([false, false]);
  marks.provisional[1] = 1;
  expect(isSettled(5)).toBe(false);
});

test('a changed rule, a changed verdict, and a rule that comes or goes unsettle a series', () => {
  const changes: ((to: ReturnType<typeof watch>) => void)[] = [
    ({ watched }) => {
      watched.watches[0]!.verdict = { ...NO_VERDICT, phase: 'rising' };
    },
    ({ watched: { watches } }) => {
      watches[0]!.subject = { ...watches[0]!.subject, rule: high({ limit: 4 }) };
    },
    ({ series, watched }) => series.addWatch(watched, watched.watches[0]!.row),
    ({ series, watched }) => series.removeWatch(watched.watches[0]!),
  ];
  for (const change of changes) {
    const made = watch([high()]);
    settle(made.watched);
    expect(made.isSettled(5)).toBe(true);
    change(made);
    expect(made.isSettled(5)).toBe(false);
  }
});

const rules = fc.array(
  fc.record({
    isNoData: fc.boolean(),
    side: fc.constantFrom(...limitSides),
    limit: fc.integer({ min: 0, max: 20 }),
    phase: fc.constantFrom('normal', 'normal', 'normal', ...phases),
  }),
  { minLength: 1, maxLength: 3 },
);

test('what is settled is still by every rule', () => {
  fc.assert(
    fc.property(rules, fc.double({ min: -1, max: 21, noNaN: true }), (all, value) => {
      const made = watch(
        all.map(({ isNoData, side, limit }, at) =>
          isNoData ? { ...noData, id: `n${at}` } : { ...high({ side, limit }), id: `l${at}` },
        ),
      );
      made.watched.watches.forEach((it, at) => {
        it.verdict = { ...NO_VERDICT, phase: all[at]!.phase as 'normal' };
      });
      settle(made.watched);
      if (!made.isSettled(value)) return;
      for (const { subject, verdict } of made.watched.watches) {
        expect(isStill(subject.rule, verdict.phase, value, true)).toBe(true);
      }
    }),
  );
});
