import { expect, test } from 'vitest';
import { SHEET_BYTES_MAX, sheetBytes } from '../core/alarm/rule.ts';
import { defaultAlarmSets } from './defaults.ts';
import { loadProfile } from './loader.ts';
import { parseProfile } from './profile.ts';

const limits = ['high-high', 'high', 'low', 'low-low'];

test('each limit of gas, pressure and tilt says cause, consequence and time, as a default', () => {
  for (const [id, point] of [
    ...[
      ['honeywell/sensepoint-xcd', 'gas'],
      ['keller/series-30', 'pressure'],
    ],
    ...[
      ['witmotion/wt901c485', 'angle-x'],
      ['crowcon/xgard-iq', 'gas'],
    ],
  ] as const) {
    const profile = loadProfile(id);
    const { definition } = profile.points.find((each) => each.id === point)!;
    const rules = definition.rules.filter((rule) => limits.includes(rule.id));
    expect(rules.length, id).toBeGreaterThan(0);
    for (const rule of rules) {
      expect(rule.cause?.en, `${id} ${rule.id}`).toMatch(/\(default text\)$/);
      expect(rule.consequence?.zh, `${id} ${rule.id}`).toMatch(/（默认文本）$/);
      expect(rule.timeAvailableMs, `${id} ${rule.id}`).toBeGreaterThan(0);
      expect(sheetBytes(rule)).toBeLessThan(SHEET_BYTES_MAX);
    }
  }
});

const profileOf = (more: string) =>
  parseProfile(
    `version: 1
profile:
  id: acme/one
  revision: "1.0.0"
  kind: gas-detector
  vendor: Acme
  models: [One]
  title: { en: Detector, zh: 探测器 }
  source: { document: manual, status: community }
protocol: modbus
device: { unit: 1 }
points:
  gas:
    title: { en: Gas, zh: 气体 }
    read: { table: holding, address: 0, type: float32 }
    class: life-safety
${more}`,
    'one.yaml',
  ).points[0]!;

test('every limit of every default set has a sheet, and so has its silence', () => {
  for (const [set, { unit, limits: of }] of Object.entries(defaultAlarmSets)) {
    const { definition } = profileOf(`    unit: "${unit}"\n    default_alarms: ${set}\n`);
    expect(definition.rules).toHaveLength(Object.keys(of).length + 1);
    for (const rule of definition.rules) {
      expect([rule.cause, rule.consequence, rule.timeAvailableMs], set).not.toContain(undefined);
    }
  }
});

test('what a profile says of an alarm goes before the default, text by text', () => {
  const { definition } = profileOf(`    unit: "%{LEL}"
    alarms:
      high:
        raise: 25
        clear: 23
        level: 2
        sheet: { cause: { en: Own, zh: 自有 }, time_available: 2m }
`);
  expect(definition.rules[0]).toMatchObject({
    cause: { en: 'Own', zh: '自有' },
    consequence: { en: expect.stringContaining('(default text)') },
    timeAvailableMs: 120_000,
  });
});
