import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Answers, Sample } from '../../protocols/driver.ts';
import { Normaliser } from './normalise.ts';

const point = () =>
  ({
    definition: { scale: 1, offset: 0, deadband: 0, rules: [], class: 'trend', type: 'number' },
    profile: {
      invalid: new Map(),
      range: null,
      auxiliary: null,
      definition: { scale: 1, offset: 0 },
    },
  }) as never;

const POINTS = 3;
const sample = fc.record({
  at: fc.integer({ min: 0, max: POINTS }), // One beyond: read beside the points.
  value: fc.integer({ min: 0, max: 2 }),
  quality: fc.constant(GOOD),
  atMonoMs: fc.double({ min: 0, max: 30, noNaN: true }),
  origin: fc.constant(null),
});

function answers(more: readonly Sample[], nowMs: number): Answers {
  const every = <Kind>(value: Kind) => Array.from({ length: POINTS }, () => value);
  const sorted = [...more].sort((a, b) => a.atMonoMs - b.atMonoMs);
  return {
    ...{ values: every(1), qualities: every(GOOD), atMonoMs: every(nowMs), origins: every(null) },
    ...{ more: sorted, requests: 1, failures: 0, fault: null, lineMs: 0 },
  };
}

test('what was queued is taken or missed, each once; no point goes back in time or stands still', () => {
  fc.assert(
    fc.property(fc.array(fc.array(sample, { maxLength: 30 }), { maxLength: 4 }), (polls) => {
      const normaliser = new Normaliser({
        ...{ firstAlias: 5, reportAll: false, isEvent: true },
        points: [point(), point(), point()],
      });
      const newest = new Map<number, number>();
      polls.forEach((more, round) => {
        const [fromMs, nowMs] = [round * 40, round * 40 + 35];
        const moved = more.map((each) => ({ ...each, atMonoMs: each.atMonoMs + fromMs }));
        const {
          report,
          more: taken,
          squeezed,
        } = normaliser.told(answers(moved, nowMs), fromMs, nowMs);
        const own = more.filter(({ at }) => at < POINTS).length;
        expect(taken + squeezed).toBe(own);
        expect(report.alias.length + report.unchanged).toBe(POINTS + taken);
        expect(report.alias.length).toBeGreaterThanOrEqual(taken); // Each event is reported.
        report.alias.forEach((alias, at) => {
          const ms = Math.floor(report.monoMs[at]!);
          expect(ms).toBeGreaterThan(newest.get(alias) ?? -1);
          newest.set(alias, ms);
        });
      });
    }),
  );
});

test('what a device remembers counts for nothing, and only what is a value is handed on', () => {
  const normaliser = new Normaliser({ firstAlias: 5, reportAll: false, points: [point()] });
  const history = qualityCode('good', 'history');
  const remembered = (value: number, quality: number): Sample => ({
    ...{ at: 0, value, quality, atMonoMs: value, origin: null },
  });
  const bad = { ...remembered(2, qualityCode('bad', 'decode')), value: null };
  const report = normaliser.filled([remembered(1, history), bad, remembered(3, history)], 9);
  expect(report).toMatchObject({ isFill: true, points: 0, unchanged: 0, failed: 0 });
  expect([report.alias, report.values, report.monoMs]).toEqual([
    [5, 5],
    [1, 3],
    [1, 3],
  ]);
});
