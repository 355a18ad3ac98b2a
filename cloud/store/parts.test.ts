import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Part } from './parts.ts';
import { planMerge, planRuns } from './parts.ts';

const part = (day: number, rows: number, isMerged = false, file = 'part'): Part => ({
  file,
  day,
  rows,
  isMerged,
  fromMs: day,
  toMs: day,
  bytes: rows,
  hash: '',
  seriesMin: 1,
  seriesMax: 9,
  unknownSources: [],
  isWide: false,
});

test('only a day that is over is merged, the oldest first, and only when it has several parts', () => {
  const parts = [part(7, 10), part(7, 10), part(6, 10), part(5, 10), part(5, 10)];
  expect(planMerge(parts, 7)).toEqual([part(5, 10), part(5, 10)]);
  expect(planMerge(parts.slice(0, 3), 7)).toEqual([]);
  expect(planMerge(parts.slice(0, 3), 8)).toEqual([part(7, 10), part(7, 10)]);
});

test('a merged day is merged again when much came late, in rows or in parts', () => {
  const merged = [part(5, 500, true), part(5, 500, true)];
  const late = (count: number, rows: number) => Array.from({ length: count }, () => part(5, rows));
  expect(planMerge([...merged, ...late(7, 30)], 9)).toEqual([]);
  expect(planMerge([...merged, ...late(8, 1)], 9)).toHaveLength(10);
  expect(planMerge([...merged, ...late(1, 251)], 9)).toHaveLength(3);
  expect(planMerge(merged, 9)).toEqual([]);
});

test('runs hold every series once, in order, and no more rows than allowed unless one alone has', () => {
  const counts = fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 50 });
  fc.assert(
    fc.property(counts, fc.integer({ min: 1, max: 200 }), (rows, rowsMax) => {
      const series = rows.map((count, at) => ({ series: at * 3 + 1, rows: count }));
      const runs = planRuns(series, rowsMax);
      const held = runs.map(({ first, last }) =>
        series.filter((one) => one.series >= first && one.series <= last),
      );
      expect(held.flat()).toEqual(series);
      for (const run of held) {
        const sum = run.reduce((total, one) => total + one.rows, 0);
        expect(sum <= rowsMax || run.length === 1).toBe(true);
      }
    }),
  );
});
