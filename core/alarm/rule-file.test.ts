import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { renderFinding } from '../problems.ts';
import type { KnownPoint, KnownRules } from './rule-file.ts';
import { readRuleFile, ruleFileJsonSchema } from './rule-file.ts';
import type { Rule, RuleSource } from './rule-form.ts';
import { isSameRule, ruleOf, sourceOf } from './rule-form.ts';

function point(key: string, more: Partial<KnownPoint> = {}): KnownPoint {
  const [gateway = '', device = '', id = ''] = key.split('/');
  const name = { en: `Value of ${device}`, zh: `${device} 的值` };
  const how = { type: 'number', unit: '%{LEL}', periodMs: 2_000, class: 'life-safety' } as const;
  return { gateway, device, point: id, name, range: [0, 100], ...how, ...more };
}

const points = [
  point('gw-1/ch4-01/ch4'),
  point('gw-1/ch4-02/ch4'),
  point('gw-2/ch4-01/ch4'),
  point('gw-1/pump/flow', { unit: 'm3/h', range: [0, 500], class: 'trend' }),
  point('gw-1/pump/running', { type: 'boolean', unit: '1', range: null }),
  point('gw-1/pump/label', { type: 'text', unit: '1', range: null }),
  point('gw-1/pump/mode', { type: 'integer', unit: '1', range: [0, 2] }),
];
const nothing: KnownRules = { points, inForce: () => [] };

const fileOf = (...rules: readonly string[]) =>
  `version: 1\nrules:\n${rules.map((rule) => `  - ${rule}\n`).join('')}`;

function saidOf(source: string, known: KnownRules | null = nothing): string[] {
  const { problems } = readRuleFile(source, 'r.yaml', known);
  return problems.findings.map((finding) => renderFinding(finding, 'en').split('\n')[0]!);
}

const flow = 'point: gw-1/pump/flow, level: 3';
const high = (more: string) => `{ point: gw-1/ch4-01/ch4, kind: limit, level: 2, ${more} }`;

/** The rule, what is said of it, and the text that begins where it is said. */
const wrong: readonly (readonly [rule: string, code: string, at: string])[] = [
  [high('side: high, raise: 150, clear: 90'), 'rule-never-fires', '150'],
  [high('side: low, raise: -1, clear: 5'), 'rule-never-fires', '-1'],
  [high('side: high, raise: 1, clear: 0'), 'rule-never-clears', '0 }'],
  [high('side: low, raise: 99, clear: 101'), 'rule-never-clears', '101'],
  [high('side: high, raise: 20, clear: 25'), 'alarm-never-clears', '25'],
  [high('side: high, raise: 20, delay: 31d'), 'rule-delay-senseless', '31d'],
  [high('side: high, raise: 20, delay: 5 s'), 'not-a-duration', '5 s'],
  [high('side: hihg, raise: 20'), 'bad-value', 'hihg'],
  [high('side: high, raise: 20, cleer: 10'), 'unknown-key', 'cleer'],
  ['{ point: g/d/p, kind: limt, raise: 5 }', 'bad-value', 'limt'],
  ['{ point: gw-1/ch4-03/ch4, kind: no-data, after: 1m, level: 2 }', 'rule-point-unknown', 'gw-1'],
  ['{ point: ch4-01/ch4, kind: no-data, after: 1m, level: 2 }', 'rule-point-ambiguous', 'ch4-01'],
  ['{ point: "*/h2s-*/h2s", kind: no-data, after: 1m, level: 2 }', 'rule-glob-empty', '"*/h2s'],
  ['{ point: ch4, kind: no-data, after: 1m, level: 2 }', 'not-a-point-pattern', 'ch4'],
  [`{ ${flow}, kind: no-data, after: 3s }`, 'rule-window-short', '3s'],
  [`{ ${flow}, kind: rate, over: 1s, side: high, raise: 5 }`, 'rule-window-short', '1s'],
  [`{ ${flow}, kind: rate, over: 1m, side: high, raise: 501 }`, 'rule-never-fires', '501'],
  [
    `{ ${flow}, kind: rate, over: 1m, side: high, raise: 200, delay: 5m }`,
    ...(['rule-ramp-too-long', '5m'] as const),
  ],
  [
    `{ ${flow}, kind: statistic, statistic: rms, window: 10m, side: low, raise: -1 }`,
    ...(['rule-never-fires', '-1'] as const),
  ],
  [
    `{ ${flow}, kind: duration, total: 2h, window: 1h, side: high, raise: 400 }`,
    ...(['rule-total-beyond-window', '2h'] as const),
  ],
  [`{ ${flow}, kind: frozen, band: 500, for: 6h }`, 'rule-band-whole-range', '500'],
  [`{ ${flow}, kind: frozen, band: 0, for: 2s }`, 'rule-window-short', '2s'],
  [
    `{ ${flow}, kind: deviation, baseline: [1, 2, 3], side: high, raise: 50 }`,
    ...(['rule-baseline-count', 'baseline'] as const),
  ],
  [
    `{ ${flow}, kind: night-flow, from: "04:00", until: "02:00", side: high, raise: 50 }`,
    ...(['rule-night-empty', '"02:00"'] as const),
  ],
  [
    `{ ${flow}, kind: night-flow, from: "25:00", until: "02:00", side: high, raise: 50 }`,
    ...(['not-a-time-of-day', '"25:00"'] as const),
  ],
  [
    `{ ${flow}, kind: cusum, target: 600, slack: 1, every: 1m, side: high, raise: 50 }`,
    ...(['rule-never-fires', '50'] as const),
  ],
  [
    `{ ${flow}, kind: cusum, target: -5, slack: 1, every: 1m, side: high, raise: 50 }`,
    ...(['rule-sum-never-shrinks', '-5'] as const),
  ],
  ...(
    [
      ['pump/flow', 'rule-other-itself'],
      ['flow', 'rule-other-itself'],
      ['ch4-01/ch4', 'rule-other-unit'],
      ['flw', 'rule-other-unknown'],
      ['gw-2/ch4-01/ch4', 'rule-other-gateway'],
      ['gw-1/pump/flow', 'rule-other-form'],
      ['running', 'rule-other-type'],
    ] as const
  ).map(([other, code]): [string, string, string] => {
    const rule = `kind: comparison, with: ${other}, by: difference, side: high, raise: 5`;
    return [`{ ${flow}, ${rule} }`, code, `${other}, by`];
  }),
  [
    '{ point: gw-1/pump/running, kind: limit, side: high, raise: 1, level: 3 }',
    ...(['rule-kind-unfit', 'limit'] as const),
  ],
  ['{ point: gw-1/pump/label, kind: state, is: [1], level: 3 }', 'rule-kind-unfit', 'state'],
  ['{ point: gw-1/pump/running, kind: state, is: [2], level: 3 }', 'rule-state-outside', 'is:'],
  ['{ point: gw-1/pump/mode, kind: state, is: [0, 1, 2], level: 3 }', 'rule-every-state', 'is:'],
];

test.each(wrong)('%s is refused as %s at %s', (rule, code, at) => {
  const source = fileOf(rule);
  const { problems, rules } = readRuleFile(source, 'r.yaml', nothing);
  const found = problems.findings.find((finding) => finding.code === code);
  expect([problems.findings.map((finding) => finding.code), rules]).toEqual([
    expect.arrayContaining([code]),
    [],
  ]);
  const { line = 0, column = 0 } = found?.place ?? {};
  const from = source.split('\n')[line - 1]!.slice(column - 1);
  expect(from.slice(0, at.length)).toBe(at);
});

test('a point that is not there is told with the one that was probably meant', () => {
  const source = fileOf('{ point: gw-1/ch4-1/ch4, kind: no-data, after: 1m, level: 2 }');
  const [finding] = readRuleFile(source, 'r.yaml', nothing).problems.findings;
  expect(finding?.help?.en).toBe('did you mean gw-1/ch4-01/ch4?');
  expect(finding?.message.zh).toBe('没有测点 gw-1/ch4-1/ch4');
});

test('neighbours that contradict each other are refused, in the file and with what is in force', () => {
  const ordered = (first: string, second: string) => saidOf(fileOf(high(first), high(second)));
  const highAt = (raise: number, clear: number) => `side: high, raise: ${raise}, clear: ${clear}`;
  const said = (lines: readonly string[]) => lines.map((line) => line.split(': ')[1]);
  const upper = 'side: high-high, raise: 20, clear: 18';
  expect(said(ordered(highAt(25, 20), upper))).toEqual(['error[rule-order]']);
  expect(said(ordered(highAt(25, 20), highAt(30, 20)))).toEqual(['error[rule-duplicate]']);
  const low = 'side: low, raise: 10, clear: 12';
  expect(said(ordered(low, 'side: high, raise: 9, clear: 5'))).toEqual(['error[rule-order]']);
  expect(said(ordered(low, highAt(25, 9)))).toEqual(['error[rule-overlap]']);
  expect(ordered(low, highAt(25, 20))).toEqual([]);

  const { rules } = readRuleFile(fileOf(high(highAt(25, 20))), 'r.yaml', nothing);
  const standing: KnownRules = { points, inForce: () => rules.map(({ rule }) => rule) };
  expect(said(saidOf(fileOf(high(upper)), standing))).toEqual(['error[rule-order]']);
  expect(saidOf(fileOf(high(highAt(19, 15))), standing)).toEqual([]); // It takes its place.
});

test('a glob makes a rule for each point that fits, and one mistake of it is told once', () => {
  const { rules } = readRuleFile(
    fileOf('{ point: "*/ch4-*/ch4", kind: limit, side: high, raise: 25, level: 2 }'),
    'r.yaml',
    nothing,
  );
  const keys = ['gw-1/ch4-01/ch4', 'gw-1/ch4-02/ch4', 'gw-2/ch4-01/ch4'];
  expect(rules.map(({ key }) => key)).toEqual(keys);
  expect(rules[1]?.rule).toMatchObject({
    id: 'high',
    limit: 25,
    deadband: 2,
    onDelayMs: 5_000,
    defaults: ['deadband', 'onDelayMs', 'offDelayMs'],
    title: { en: 'Value of ch4-02 high', zh: 'ch4-02 的值偏高' },
  });
  const beyond = '{ point: "ch4-*/ch4", kind: limit, side: high, raise: 250, level: 2 }';
  expect(saidOf(fileOf(beyond))).toHaveLength(1);
});

test('without the points a file is still checked for what its rules say of themselves', () => {
  const night = 'kind: night-flow, from: "04:00", until: "02:00", side: high, raise: 5, level: 3';
  expect(saidOf(fileOf(`{ point: any/point, ${night} }`), null)).toHaveLength(1);
  const fine = '{ point: any/point, kind: limit, side: high, raise: 5, level: 3 }';
  expect(saidOf(fileOf(fine), null)).toEqual([]);
});

const text = { en: 'a', zh: '甲' };
const limits = { side: 'high', raise: 50, clear: 45, delay: '10s', off_delay: '2m' } as const;
const manners = {
  level: 2,
  title: text,
  sheet: { cause: text, consequence: text, action: text, time_available: '15m' },
  basis: text,
  latching: true,
  self_acknowledging: true,
  re_alarm: '30m',
} as const;
const baseline = Array.from({ length: 168 }, (_, hour) => hour % 24);
const sources: Readonly<Record<RuleSource['kind'], RuleSource>> = {
  limit: { kind: 'limit', ...limits, ...manners },
  rate: { kind: 'rate', over: '5m', ...limits, ...manners },
  statistic: { kind: 'statistic', statistic: 'mean', window: '10m', ...limits, ...manners },
  deviation: { kind: 'deviation', baseline, utc_offset: '+05:45', ...limits, ...manners },
  duration: { kind: 'duration', total: '20m', window: '1h', ...limits, ...manners },
  frozen: { kind: 'frozen', band: 0.5, for: '6h', delay: '0s', off_delay: '0s', ...manners },
  comparison: { kind: 'comparison', with: 'ch4-02/ch4', by: 'ratio', ...limits, ...manners },
  'night-flow': {
    ...{ kind: 'night-flow', from: '02:00', until: '24:00', utc_offset: '-03:30' },
    ...limits,
    ...manners,
  },
  cusum: { kind: 'cusum', target: 40, slack: 2, every: '1m', ...limits, ...manners },
  'no-data': { kind: 'no-data', after: '1m', delay: '1s', off_delay: '2s', ...manners },
  state: { kind: 'state', is: [0, 2], delay: '1s', off_delay: '2s', ...manners },
};

test.each(Object.values(sources))('a $kind rule says in a file what it says as data', (source) => {
  const rule = ruleOf({ id: 'own', ...source }, points[0]!);
  expect(sourceOf(rule)).toEqual({ id: 'own', ...source });
  const back: Rule = ruleOf(sourceOf(rule), points[0]!);
  expect(isSameRule(back, rule)).toBe(true);
  expect(isSameRule(rule, { ...rule, level: 3 })).toBe(false);
});

test('the schema for editors is current', () => {
  const file = new URL('./rules.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(ruleFileJsonSchema())),
  );
});

test('without a cloud a file is still held against itself, and no gateway is made up', () => {
  const limit = (side: string, raise: number, more = '') =>
    `{ point: "*/ch4-*/ch4", kind: limit, side: ${side}, raise: ${raise}, level: 2${more} }`;
  expect(saidOf(fileOf(limit('low', 10), limit('low-low', 12)), null)).toEqual([
    expect.stringContaining('error[rule-order]'),
  ]);
  expect(saidOf(fileOf(limit('low', 10), limit('low', 8)), null)).toEqual([
    expect.stringContaining('error[rule-duplicate]'),
  ]);
  const compared = '{ point: d/p, kind: comparison, with: g/d/q, by: ratio, side: high, raise: 2';
  expect(saidOf(fileOf(`${compared}, level: 3 }`), null)).toEqual([
    expect.stringContaining('error[rule-other-form]: write g/d/q without the gateway'),
  ]);
});

test('no time to act is none, and what is not finite is no limit', () => {
  const sheet = 'sheet: { time_available: 0s }';
  expect(saidOf(fileOf(high(`side: high, raise: 20, ${sheet}`)))).toEqual([
    expect.stringContaining('error[rule-no-time]'),
  ]);
  expect(saidOf(fileOf(high('side: high, raise: .inf')))).toEqual([
    expect.stringContaining('error[not-finite]: Infinity is written'),
  ]);
});

test('the customary deadband of a limit near zero on a wide range is a part of the limit', () => {
  const wide = point('gw-1/school/pressure', { unit: 'bar', range: [-1.1, 1000] });
  const source = { kind: 'limit', side: 'high', raise: 9, level: 3 } as const;
  expect(ruleOf(source, wide)).toMatchObject({
    deadband: 0.18,
    defaults: ['deadband', 'onDelayMs', 'offDelayMs'],
  });
  expect(ruleOf({ ...source, raise: 600 }, wide)).toMatchObject({ deadband: 20.022 });
});
