import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GOOD } from '../quality.ts';
import type { RulePlace } from './check.ts';
import { checkRule } from './check.ts';
import type { Evaluation } from './evaluate.ts';
import { FRESH, step } from './evaluate.ts';
import type { Rule } from './rule.ts';
import { limitSides, statistics } from './rule.ts';
import { isHighSide } from './rule-form.ts';

const PERIOD_MS = 10_000;
const STEPS_MAX = 4_000;
const text = { en: 'x', zh: '某' };

function placeOf(range: readonly [number, number]): RulePlace {
  const how = { unit: '1', type: 'number', periodMs: PERIOD_MS, class: 'trend' } as const;
  return {
    gateway: 'g',
    point: { device: 'd', point: 'p', name: text, range, ...how },
    others: null,
  };
}

const quarters = (min: number, max: number) =>
  fc.integer({ min: min * 4, max: max * 4 }).map((number) => number / 4);
const ranges = fc
  .tuple(quarters(-50, 50), quarters(1, 100))
  .map(([low, span]): readonly [number, number] => [low, low + span]);
const delays = { onDelayMs: fc.constantFrom(0, 15_000), offDelayMs: fc.constantFrom(0, 15_000) };
const limited = {
  side: fc.constantFrom(...limitSides),
  limit: quarters(-160, 160),
  deadband: quarters(0, 60),
};
const whole = {
  id: fc.constant('r'),
  level: fc.constant(2 as const),
  title: fc.constant(text),
  action: fc.constant(null),
  ...delays,
};
const windowMs = fc.constantFrom(60_000, 120_000, 300_000);

const rules: fc.Arbitrary<Rule> = fc.oneof(
  fc.record({ kind: fc.constant('limit' as const), ...whole, ...limited }),
  fc.record({ kind: fc.constant('rate' as const), ...whole, ...limited, overMs: windowMs }),
  fc.record({
    ...{ kind: fc.constant('statistic' as const), ...whole, ...limited, windowMs },
    statistic: fc.constantFrom(...statistics),
  }),
  fc.record({
    ...{ kind: fc.constant('duration' as const), ...whole, ...limited },
    totalMs: windowMs,
    windowMs,
  }),
  fc.record({
    ...{ kind: fc.constant('frozen' as const), ...whole },
    band: quarters(0, 60),
    forMs: windowMs,
  }),
  fc.record({
    ...{ kind: fc.constant('cusum' as const), ...whole, ...limited },
    target: quarters(-60, 160),
    slack: quarters(0, 20),
    everyMs: fc.constantFrom(10_000, 20_000),
  }),
  fc.record({
    ...{ kind: fc.constant('state' as const), ...whole },
    states: fc.uniqueArray(fc.integer({ min: -60, max: 160 }), { minLength: 1, maxLength: 4 }),
  }),
);

/** Values within the range, the first by which the rule should come, the second by which it goes. */
function extremes(rule: Rule, [low, high]: readonly [number, number]): [number, number] {
  if (rule.kind === 'state') {
    const on = rule.states.find((state) => state >= low && state <= high) ?? low;
    return [on, rule.states.includes(low) ? low + 0.125 : low];
  }
  if (rule.kind === 'statistic' && rule.statistic === 'rms') {
    const least = low > 0 ? low : high < 0 ? high : 0;
    const most = Math.abs(low) > Math.abs(high) ? low : high;
    return isHighSide(rule.side) ? [most, least] : [least, most];
  }
  return !('side' in rule) || isHighSide(rule.side) ? [high, low] : [low, high];
}

/** Whether the rule comes and then goes on values within its range. */
function comesAndGoes(rule: Rule, range: readonly [number, number]): [boolean, boolean] {
  let state: Evaluation = FRESH;
  let monoMs = 0;
  const seen = { begins: false, ends: false };
  const feed = (value: number): void => {
    const fromMonoMs = Math.max(0, monoMs - PERIOD_MS);
    const moment = { epoch: '1-00000000000000aa', monoMs, atMs: monoMs, fromMonoMs };
    const subject = { key: 'g/d/p', periodMs: PERIOD_MS, rule };
    const [after, transitions] = step(subject, state, {
      ...{ kind: 'sample', ...moment, value, quality: GOOD },
    });
    state = after;
    monoMs += PERIOD_MS;
    for (const { kind } of transitions) seen[kind] = true;
  };
  const [on, off] = extremes(rule, range);
  // First a window full of one extreme, then of the other: a change has what it is measured from.
  for (let at = 0; at < 40; at++) feed(off);
  for (let at = 0; at < STEPS_MAX && (at < 40 || !seen.begins); at++) feed(on);
  const moves = rule.kind === 'frozen';
  for (let at = 0; at < STEPS_MAX && !seen.ends; at++) feed(moves ? range[at % 2]! : off);
  return [seen.begins, seen.ends];
}

test('every rule that is accepted comes on some values within its range, and goes on some', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(rules, ranges, (rule, range) => {
      const errors = checkRule(rule, placeOf(range)).filter(({ severity }) => severity === 'error');
      // A sum that takes a day of samples to come is right, and not what this is about.
      const isSlow = rule.kind === 'cusum' && rule.limit > 100;
      fc.pre(errors.length === 0 && !isSlow);
      seen.set(rule.kind, (seen.get(rule.kind) ?? 0) + 1);
      expect(comesAndGoes(rule, range)).toEqual([true, true]);
    }),
    { numRuns: 400, maxSkipsPerRun: 200 },
  );
  const kinds = ['cusum', 'duration', 'frozen', 'limit', 'rate', 'state', 'statistic'];
  expect([...seen.keys()].sort()).toEqual(kinds);
});

test('a limit that is refused as never coming or going does neither within its range', () => {
  const plain = fc.record({ kind: fc.constant('limit' as const), ...whole, ...limited });
  fc.assert(
    fc.property(plain, ranges, (rule, range) => {
      const codes = checkRule(rule, placeOf(range)).map(({ code }) => code);
      fc.pre(codes.includes('rule-never-fires') || codes.includes('rule-never-clears'));
      expect(comesAndGoes(rule, range)).not.toEqual([true, true]);
    }),
    { numRuns: 100, maxSkipsPerRun: 100 },
  );
});
