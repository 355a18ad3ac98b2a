import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LimitRule, LimitSide, RuleProposal } from '../../core/alarm/rule.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineering } from '../../core/point.ts';
import { GOOD, isBad, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { CollectedPoint } from './normalise.ts';
import { Normaliser } from './normalise.ts';

const SENSOR_FAULT = qualityCode('bad', 'sensor_fault');
const TIMEOUT = qualityCode('bad', 'timeout');
const SUBSTITUTED = qualityCode('uncertain', 'substituted');

function limit(side: LimitSide, at: number, deadband: number): LimitRule {
  const text = { en: side, zh: '限值' };
  const delays = { onDelayMs: 0, offDelayMs: 0 };
  return {
    kind: 'limit',
    id: side,
    level: 2,
    ...delays,
    title: text,
    action: null,
    side,
    limit: at,
    deadband,
  };
}

function point(parts: Partial<PointDefinition>, invalid: [number, 'sensor_fault'][] = []) {
  const definition: PointDefinition = {
    device: 'd',
    point: 'p',
    name: { en: 'p', zh: '点' },
    unit: '1',
    type: 'number',
    scale: 1,
    offset: 0,
    range: null,
    class: 'trend',
    periodMs: 1000,
    deadband: 0,
    asset: null,
    rules: [],
    ...parts,
  };
  const collected: CollectedPoint = {
    definition,
    profile: {
      id: 'p',
      address: { table: 'holding', address: 0, type: 'uint16' } as never,
      definition,
      invalid: new Map(invalid),
      states: new Map(),
      norms: {},
      caveat: null,
    },
  };
  return collected;
}

/** Feeds one point value by value; null stands for a read that timed out. */
function feed(collected: CollectedPoint, reportAll = false) {
  const normaliser = new Normaliser({ firstAlias: 7, points: [collected], reportAll });
  let now = 0;
  return {
    normaliser,
    next: (value: Value, quality = value === null ? TIMEOUT : GOOD) => {
      now += 1000;
      const answers = { values: [value], qualities: [quality], atMonoMs: [now] };
      const more = { requests: 1, failures: 0, fault: null, lineMs: 0 };
      return normaliser.normalise({ ...answers, ...more }, now - 5, now);
    },
  };
}

test('a slow drift is reported each time it has gone more than one deadband', () => {
  const { next } = feed(point({ deadband: 1 }));
  const reported = [0, 0.6, 1.2, 1.8, 2.4, 3.0].filter((value) => next(value).alias.length);
  expect(reported).toEqual([0, 1.2, 2.4]);
});

test('a change within the deadband that crosses a limit is reported at once, both ways', () => {
  const gas = point({ deadband: 5, scale: 0.1, rules: [limit('high', 20, 5)] });
  const { next } = feed(gas);
  const seen = [199, 200, 199, 160, 149, 151].map((raw) => {
    const { values, urgent } = next(raw);
    return [values[0], urgent];
  });
  expect(seen).toEqual([
    [199, true], // Between clearing and limit already: a verdict of its own.
    [200, true],
    [199, true],
    [undefined, false],
    [149, true], // Below clearing.
    [151, true],
  ]);
});

test('an invalid code becomes bad without a value, is told once, and counted each time', () => {
  const { next } = feed(point({ scale: 0.1 }, [[0xffff, 'sensor_fault']]));
  next(100);
  const first = next(0xffff);
  expect(first).toMatchObject({ values: [null], qualities: [SENSOR_FAULT], failed: 1 });
  expect(next(0xffff)).toMatchObject({ values: [], unchanged: 1, failed: 1 });
  expect(next(null)).toMatchObject({ values: [null], qualities: [TIMEOUT], failed: 1 });
  expect(next(100)).toMatchObject({ values: [100], qualities: [GOOD], failed: 0 });
});

test('a reading of other quality is reported though its value is the same', () => {
  const { next } = feed(point({ deadband: 10 }));
  next(5);
  expect(next(5, SUBSTITUTED).alias).toEqual([7]);
  expect(next(5, SUBSTITUTED).alias).toEqual([]);
});

test('after a refresh the next reading is reported, and only that one', () => {
  const { next, normaliser } = feed(point({}));
  expect([next(5), next(5)].map(({ alias }) => alias.length)).toEqual([1, 0]);
  normaliser.refresh();
  expect([next(5), next(5)].map(({ alias }) => alias.length)).toEqual([1, 0]);
});

test('texts, switches and whole numbers beyond 2^53 are reported when they differ at all', () => {
  const wide = 2n ** 60n;
  for (const [type, values] of [
    ['text', ['a', 'a', 'b']],
    ['boolean', [true, true, false]],
    ['integer', [wide, wide, wide + 1n]],
  ] as const) {
    const { next } = feed(point({ type, deadband: 100 }));
    expect(values.map((value) => next(value).alias.length)).toEqual([1, 0, 1]);
  }
});

test('a change of a life-safety point is urgent, a steady one is not', () => {
  const { next } = feed(point({ class: 'life-safety' }));
  expect([next(1), next(1), next(2)].map(({ urgent }) => urgent)).toEqual([true, false, true]);
});

test('report by exception off reports everything, and is urgent no more often for it', () => {
  const { next } = feed(point({ rules: [limit('high', 10, 1)] }), true);
  const seen = [1, 1, 11, 11, null, null, 11].map((value) => next(value));
  expect(seen.map(({ alias }) => alias.length)).toEqual([1, 1, 1, 1, 1, 1, 1]);
  expect(seen.map(({ urgent }) => urgent)).toEqual([
    false,
    false,
    true,
    false,
    false,
    false,
    false,
  ]);
});

const sides: readonly LimitSide[] = ['high-high', 'high', 'low', 'low-low'];

// The rule of the design, written down a second time without memory of how it is computed.
function mayLeaveOut(definition: PointDefinition, last: number, next: number): boolean {
  const before = engineering(last, definition.scale, definition.offset);
  const after = engineering(next, definition.scale, definition.offset);
  if (Math.abs(after - before) > definition.deadband) return false;
  return definition.rules.every((rule) => {
    if (rule.kind !== 'limit') return true;
    const isHigh = rule.side === 'high' || rule.side === 'high-high';
    const beyond = (value: number) => (isHigh ? value >= rule.limit : value <= rule.limit);
    const clear = (value: number) =>
      isHigh ? value < rule.limit - rule.deadband : value > rule.limit + rule.deadband;
    return beyond(before) === beyond(after) && clear(before) === clear(after);
  });
}

test('a reading is left out exactly when the three conditions allow it, and the sum is right', () => {
  const rules = fc.uniqueArray(
    fc.record({
      side: fc.constantFrom(...sides),
      at: fc.integer({ min: -50, max: 50 }),
      deadband: fc.integer({ min: 0, max: 20 }),
    }),
    { maxLength: 4, selector: ({ side }) => side },
  );
  const read = fc.oneof(
    { weight: 8, arbitrary: fc.integer({ min: -600, max: 600 }) },
    { weight: 1, arbitrary: fc.constantFrom(TIMEOUT, SENSOR_FAULT).map((code) => ({ code })) },
  );
  fc.assert(
    fc.property(
      rules,
      fc.integer({ min: 0, max: 30 }),
      fc.constantFrom(1, 0.1, 0.5, 2),
      fc.array(read, { minLength: 1, maxLength: 60 }),
      (limits, deadband, scale, reads) => {
        const collected = point({
          scale,
          deadband,
          rules: limits.map(({ side, at, deadband: band }) => limit(side, at, band)),
        });
        const { next } = feed(collected);
        let last: { value: Value; quality: number } | null = null;
        for (const one of reads) {
          const value = typeof one === 'number' ? one : null;
          const quality = typeof one === 'number' ? GOOD : one.code;
          const report = next(value, quality);
          expect(report.alias.length + report.unchanged).toBe(report.points);
          expect(report.failed).toBe(isBad(quality) ? 1 : 0);
          const leftOut: boolean =
            last !== null &&
            last.quality === quality &&
            (value === null || mayLeaveOut(collected.definition, last.value as number, value));
          expect(report.unchanged).toBe(leftOut ? 1 : 0);
          if (!leftOut) last = { value, quality };
        }
      },
    ),
  );
});

const title = { en: 'x', zh: '某' };
const common = { level: 3, onDelayMs: 0, offDelayMs: 0, title, action: null } as const;
const high = { side: 'high', limit: 10, deadband: 1 } as const;
const lasting = { totalMs: 60_000, windowMs: 3_600_000 } as const;
const later: readonly RuleProposal[] = [
  { kind: 'rate', id: 'rate', ...common, ...high, overMs: 60_000 },
  { kind: 'statistic', id: 'mean', ...common, ...high, statistic: 'mean', windowMs: 60_000 },
  { kind: 'comparison', id: 'pair', ...common, ...high, other: 'd/q', by: 'difference' },
  { kind: 'cusum', id: 'sum', ...common, ...high, target: 0, slack: 1, everyMs: 1_000 },
];

test('a rule whose limit is not on the value leaves report by exception to the deadband', () => {
  const { next } = feed(point({ deadband: 5, rules: later }));
  const reported = [8, 12, 13, 14].map((value) => next(value).alias.length);
  expect(reported).toEqual([1, 0, 0, 1]);
});

test('a duration over a limit sees the value cross it within the deadband', () => {
  const duration: RuleProposal = { kind: 'duration', id: 'long', ...common, ...high, ...lasting };
  const { next } = feed(point({ deadband: 5, rules: [duration] }));
  const seen = [8, 8.5, 10].map((value) => next(value));
  expect(seen.map(({ alias, urgent }) => [alias.length, urgent])).toEqual([
    [1, false],
    [0, false],
    [1, true],
  ]);
});

test('what moves more than the band of a frozen rule is reported, whatever the deadband', () => {
  const frozen: RuleProposal = { kind: 'frozen', id: 'frozen', ...common, band: 0.5, forMs: 1 };
  const { next } = feed(point({ deadband: 5, rules: [frozen] }));
  const reported = [8, 8.25, 8.75, 8.5].map((value) => next(value).alias.length);
  expect(reported).toEqual([1, 0, 1, 0]);
});
