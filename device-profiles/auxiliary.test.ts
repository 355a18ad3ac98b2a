import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GOOD, qualityCode, qualityOf } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import { decodeValue, encodeValue } from '../protocols/modbus/value.ts';
import type { Aside } from './auxiliary.ts';
import { NOTHING_ASIDE, settle, showing, wordsOf } from './auxiliary.ts';
import { habits } from './defaults.ts';
import type { DeviceKind } from './format.ts';
import { deviceKinds } from './format.ts';
import { identify, questionsOf } from './identification.ts';
import { checkProfile, modbusPoints, parseProfile } from './profile.ts';
import { shownBy } from './vectors.ts';

const head = (more = '') => `version: 1
profile:
  id: acme/gd200
  revision: "1.0.0"
  kind: gas-detector
  vendor: ACME
  models: [GD200]
  title: { en: Gas detector, zh: 气体探测器 }
  source: { document: Register map rev C, status: official }
protocol: modbus
${more}`;

const profile = (points: Record<string, string>, more = '') =>
  `${head(more)}points:\n${Object.entries(points)
    .map(([id, body]) => `  ${id}: { title: { en: ${id}, zh: 测点 }, ${body} }\n`)
    .join('')}`;

const at = (address: number, type = 'uint16') =>
  `{ table: holding, address: ${address}, type: ${type} }`;
const pointOf = (text: string, id = 'p') => {
  const found = modbusPoints(parseProfile(text, 'a.yaml')).find((point) => point.id === id);
  if (!found) throw new Error(`no point ${id}`);
  return found;
};
const read = (value: Value, quality = GOOD) => ({ value, quality });
const aside = (parts: Partial<Aside>): Aside => ({ ...NOTHING_ASIDE, ...parts });

/** What a raw value becomes: the value, or the reason why there is none. */
function settled(text: string, raw: Value, parts: Partial<Aside> = {}) {
  const point = pointOf(text);
  const result = settle(point, point.auxiliary!, raw, GOOD, aside(parts));
  const { quality, reason } = qualityOf(result.quality)!;
  if (quality === 'good') return result.raw;
  return quality === 'bad' ? reason : [result.raw, reason];
}

/** `code path line:column` of each finding. */
const wrong = (text: string) =>
  checkProfile(text, 'a.yaml')
    .problems.findings.filter(({ code }) => code !== 'point-untested')
    .map(({ code, path, place }) => {
      expect(place).not.toBeNull();
      return `${code} ${path.join('.')}`;
    });

test('a scale register multiplies as its kind says; a scale the device does not have makes no value', () => {
  const scaled = (kind: string, type = 'int16', more = '') =>
    profile({
      p: `read: ${at(0, 'int16')}, scale_from: { read: ${at(1, type)}, kind: ${kind} }${more}`,
    });
  expect(settled(scaled('decimals'), 653, { scale: read(1) })).toBe(65.3);
  expect(settled(scaled('decimals'), 653, { scale: read(0) })).toBe(653);
  expect(settled(scaled('decimals'), 653, { scale: read(-1) })).toBe('configuration');
  expect(settled(scaled('exponent'), 2302, { scale: read(-1) })).toBe(230.2);
  expect(settled(scaled('exponent'), 23, { scale: read(2) })).toBe(2300);
  expect(settled(scaled('exponent'), 23, { scale: read(-32_768) })).toBe('not_available');
  expect(settled(scaled('exponent'), 23, { scale: read(11) })).toBe('configuration');
  expect(settled(scaled('factor', 'float32'), 8, { scale: read(0.25) })).toBe(2);
  expect(settled(scaled('factor'), 8, { scale: read(0) })).toBe('configuration');
  const timeout = read(null, qualityCode('bad', 'timeout'));
  expect(settled(scaled('exponent'), 23, { scale: timeout })).toBe('timeout');
  const coded = scaled('decimals', 'int16', ', invalid: { 0x7FFF: sensor_fault }');
  expect(settled(coded, 32_767, { scale: read(1) })).toBe('sensor_fault');
});

test('another unit is no value, but where the profile has the factor; scale and offset come first', () => {
  const text = profile({
    p: `read: ${at(0, 'int16')}, unit: Cel, scale: 0.1, unit_from: { read: ${at(1)},
      map: { 1: Cel, 2: { unit: K, factor: 1, offset: -273.15 }, 3: degF } }`,
  });
  expect(settled(text, 251, { unit: read(1) })).toBe(25.1);
  expect(settled(text, 3000, { unit: read(2) })).toBeCloseTo(26.85);
  expect(settled(text, 700, { unit: read(3) })).toBe('configuration');
  expect(settled(text, 700, { unit: read(9) })).toBe('configuration');
  const point = pointOf(text);
  expect(settle(point, point.auxiliary!, 7, GOOD, aside({ unit: read(3) })).complaint).toEqual({
    what: 'unit',
    found: '3 (degF)',
  });
});

test('a point whose unit only has to fit stays raw, so that its register travels', () => {
  const { definition, auxiliary } = pointOf(
    profile({
      p: `read: ${at(0)}, unit: bar, scale: 0.01, unit_from: { read: ${at(1)}, map: { 7: bar } }`,
    }),
  );
  expect(definition).toMatchObject({ scale: 0.01, type: 'number' });
  expect(auxiliary?.scaling).toBeNull();
});

test('4-20 mA beyond what NAMUR NE 43 allows is a broken sensor, a little beyond is uncertain', () => {
  const text = profile({
    p: `read: ${at(0)}, unit: m, map: { raw: [4000, 20000], value: [0, 10], signal: 4-20mA }`,
  });
  const point = pointOf(text);
  expect(point.definition).toMatchObject({ scale: 0.000625, offset: -2.5 });
  expect(shownBy(point, Uint16Array.of(4000)).value).toBe(0);
  expect(shownBy(point, Uint16Array.of(12_000)).value).toBe(5);
  const quality = (raw: number) => {
    const { quality: found, reason } = shownBy(point, Uint16Array.of(raw));
    return `${found} ${reason}`;
  };
  expect([3599, 3600, 3799, 3800, 20_500, 20_501, 21_000, 21_001].map(quality)).toEqual([
    'bad sensor_fault',
    'uncertain out_of_range',
    'uncertain out_of_range',
    'good none',
    'good none',
    'uncertain out_of_range',
    'uncertain out_of_range',
    'bad sensor_fault',
  ]);
  const falling = profile({ p: `read: ${at(0)}, map: { raw: [0, 1000], value: [100, 0] }` });
  expect(shownBy(pointOf(falling), Uint16Array.of(250)).value).toBe(75);
});

test('a value in whatever order the device says is the value it was set to show', () => {
  const orders = ['ABCD', 'CDAB', 'DCBA', 'BADC'] as const;
  const types = ['float32', 'int32', 'uint64', 'float64', 'int16'] as const;
  const points = new Map(
    types.map((type) => [
      type,
      pointOf(
        profile({
          p: `read: ${at(0, type)}, order_from: { read: ${at(9)},
            map: { 0: ABCD, 1: CDAB, 2: DCBA, 3: BADC } }`,
        }),
      ),
    ]),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...types),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: -1000, max: 1000 }),
      (type, order, number) => {
        const value = type === 'uint64' ? Math.abs(number) : number;
        const point = points.get(type)!;
        const auxiliary = point.auxiliary!;
        const set = { ...point.address, order: orders[order]! };
        const words = encodeValue(set, value) as Uint16Array;
        const bits = decodeValue(auxiliary.asked, words)!;
        expect(wordsOf(bits, words.length)).toEqual(words);
        const judged = settle(point, auxiliary, bits, GOOD, aside({ order: read(order) }));
        expect(judged).toMatchObject({ raw: value, quality: GOOD });
      },
    ),
  );
});

test('a simulated device shows what settles to the same value again', () => {
  const text = profile({
    p: `read: ${at(0, 'float32')}, scale: 0.5, offset: 3, unit: cm,
      unit_from: { read: ${at(4)}, map: { 1: cm, 2: { unit: m, factor: 100 } } },
      scale_from: { read: ${at(5)}, kind: decimals }`,
  });
  const point = pointOf(text);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2 }),
      fc.integer({ min: 0, max: 6 }),
      fc.double({ min: -500, max: 500, noNaN: true }),
      (unit, decimals, value) => {
        const parts = aside({ unit: read(unit), scale: read(decimals) });
        const { raw } = showing(point, point.auxiliary!, value, parts);
        const back = settle(point, point.auxiliary!, raw, GOOD, parts);
        expect(back.raw as number).toBeCloseTo(value, 6);
      },
    ),
  );
});

const mode = 'states: { 1: { en: on, zh: 运行 }, 2: { en: off, zh: 停用, in_service: false } }';

test('a mode that cannot be read leaves the value in doubt; a known one decides over the value’s own fault', () => {
  const text = profile({ p: `read: ${at(0)}, mode: m`, m: `read: ${at(1)}, ${mode}` });
  const point = pointOf(text);
  const unread = read(null, qualityCode('bad', 'timeout'));
  expect(settled(text, 7, { mode: read(1) })).toBe(7);
  expect(settled(text, 7, { mode: unread })).toEqual([7, 'not_available']);
  expect(settled(text, 7, { mode: read(3) })).toEqual([7, 'configuration']);
  const fault = qualityCode('bad', 'sensor_fault');
  const off = settle(point, point.auxiliary!, null, fault, aside({ mode: read(2) }));
  expect(qualityOf(off.quality)?.reason).toBe('not_in_service');
  expect(settle(point, point.auxiliary!, null, fault, aside({ mode: read(3) })).quality).toBe(
    fault,
  );
});

test('a mode is read as often as what it guards, and raises by itself that nobody watches', () => {
  const { definition, defaults } = pointOf(
    profile({ p: `read: ${at(0)}, mode: p2, poll: 2s`, p2: `read: ${at(1)}, ${mode}` }),
    'p2',
  );
  expect(definition.periodMs).toBe(2000);
  expect(definition.rules).toMatchObject([
    { kind: 'state', id: 'not-in-service', states: [2], level: 3, onDelayMs: 60_000 },
  ]);
  expect(definition.rules[0]?.title.en).toBe('p: detector not in service');
  expect(defaults).toEqual({ 'not-in-service': ['rule'] });
});

test('alarms of a default set and what a kind fills in are marked; the profile’s own go before them', () => {
  const range = `read: ${at(0)}, unit: "%{LEL}", range: [0, 100], poll: 2s`;
  const set = pointOf(
    profile({
      p: `${range}, default_alarms: combustible, alarms: { high: { raise: 20, level: 2 } }`,
    }),
  );
  expect(set.definition.rules).toMatchObject([
    { id: 'high-high', limit: 50, deadband: 2, onDelayMs: 3000, level: 1 },
    { id: 'high', limit: 20, deadband: 2, onDelayMs: 5000, offDelayMs: 60_000 },
    { id: 'no-data', silentMs: 30_000, level: 2 },
  ]);
  expect(set.defaults).toEqual({
    'high-high': ['rule'],
    high: ['clear', 'delay', 'off_delay'],
    'no-data': ['rule'],
  });
  expect(set.norms['high-high']?.zh).toContain('GB/T 50493-2019，二级');
  const bare = pointOf(
    profile({ p: `read: ${at(0)}, alarms: { high: { raise: 100, clear: 99, level: 3 } }` }),
  );
  expect(bare.definition.rules[0]).toMatchObject({ onDelayMs: 0, offDelayMs: 60_000 });
});

test('the table of what a kind fills in, in the README, is that of the code', () => {
  const guide = readFileSync(new URL('README.md', import.meta.url), 'utf8');
  const names: Partial<Record<DeviceKind, string>> = {
    'heat-meter': 'heat meter, temperature sensor',
    'temperature-sensor': 'heat meter, temperature sensor',
    'strain-sensor': 'strain, displacement',
    'displacement-sensor': 'strain, displacement',
    'tilt-sensor': 'tilt',
  };
  const isNamed = (kind: DeviceKind) => /^(gas|flow|pressure|level)-/.test(kind) || kind in names;
  for (const [kind, { deadband, of, delay, offDelay }] of Object.entries(habits)) {
    const known = kind as DeviceKind;
    const name = names[known] ?? (isNamed(known) ? deviceKinds[known].en : 'others');
    const percent = Math.round(deadband * 100);
    expect(guide).toContain(`| ${name} | ${percent} % of the ${of} | ${delay} | ${offDelay} |`);
  }
});

test('what cannot be is found at its line: modes, units, scales, orders, triggers, blocks', () => {
  const p = `read: ${at(0)}`;
  const m = `read: ${at(1)}, ${mode}`;
  const map = 'map: { 1: bar }';
  const wait = (ms: string) =>
    `triggers: { go: { start: { write: { table: holding, address: 9, value: 1 } }, wait: ${ms} } }\n`;
  const cases: [string, string[]][] = [
    [
      profile({ p: `${p}, mode: mo`, m }),
      ['mode-unknown points.p.mode', 'mode-unused points.m.states'],
    ],
    [profile({ p: `${p}, mode: p` }), ['mode-unknown points.p.mode']],
    [profile({ p: `${p}, mode: m`, m: `read: ${at(1)}` }), ['mode-without-states points.p.mode']],
    [
      profile({ p: `${p}, unit: kPa, unit_from: { read: ${at(1)}, ${map} }` }),
      ['unit-never-fits points.p.unit_from.map'],
    ],
    [
      profile({
        p: `${p}, unit: bar, unit_from: { read: ${at(1)}, map: { 1: bar, 0x10000: kPa } }`,
      }),
      ['invalid-never-read points.p.unit_from.map.0x10000'],
    ],
    [
      profile({ p: `${p}, unit: bar, unit_from: { read: ${at(1, 'float32')}, ${map} }` }),
      ['register-not-whole points.p.unit_from.read'],
    ],
    [
      profile({ p: `${p}, scale_from: { read: ${at(1, 'float32')}, kind: decimals }` }),
      ['register-not-whole points.p.scale_from.read'],
    ],
    [
      profile({
        p: `read: { table: holding, address: 0, type: float32, order: CDAB }, order_from: { read: ${at(4)}, map: { 0: ABCD } }`,
      }),
      ['order-twice points.p.read.order'],
    ],
    [
      profile({
        p: `read: { table: holding, address: 0, type: string, length: 4 }, order_from: { read: ${at(9)}, map: { 0: ABCD } }`,
      }),
      ['not-for-kind points.p.order_from'],
    ],
    [profile({ p: `${p}, before: go` }), ['trigger-unknown points.p.before']],
    [
      profile({ p: `${p}, before: go, poll: 10s` }, wait('10s')),
      ['trigger-too-slow points.p.before'],
    ],
    [profile({ p }, wait('1s')), ['trigger-unused triggers.go']],
    [
      profile({ p: `${p}, map: { raw: [0, 0], value: [0, 1] }, scale: 2` }),
      ['map-excludes points.p.scale', 'map-flat points.p.map.raw'],
    ],
    [
      profile({ p: `${p}, alarms: { high: { raise: 0, level: 2 } }` }),
      ['clear-needed points.p.alarms.high'],
    ],
    [
      profile({ p: `${p}, unit: bar, default_alarms: combustible` }),
      ['default-alarms-unit points.p.default_alarms'],
    ],
    [
      profile({ p: `${p}, alarms: { state: { is: [true], level: 3 } }` }),
      ['state-unfit points.p.alarms.state.is.0'],
    ],
    [
      profile(
        { p: 'read: { table: holding, address: 0, type: float64 }' },
        'device: { limits: { maxRegisters: 2 } }\n',
      ),
      ['point-beyond-block points.p.read'],
    ],
    [
      profile(
        {
          p: `${p}, scale_from: { read: { table: holding, address: 4, type: int32 }, kind: exponent }`,
        },
        'device: { limits: { maxRegisters: 1 } }\n',
      ),
      ['point-beyond-block points.p.scale_from.read'],
    ],
    [
      profile({ p }, 'device: { limits: { maxRegisters: 4, minRegisters: 8 } }\n'),
      ['block-order device.limits.minRegisters'],
    ],
    [
      profile(
        { p },
        'device: { limits: { minRegisters: 2, forbidden: [{ table: holding, from: 1, to: 9 }] } }\n',
      ),
      ['block-forbidden points.p.read'],
    ],
  ];
  for (const [text, codes] of cases) expect(wrong(text), text).toEqual(codes);
});

test('a value that does not fit a block is refused with its line and the numbers', () => {
  const text = profile(
    { p: 'read: { table: holding, address: 0, type: float64 }' },
    'device: { limits: { maxRegisters: 2 } }\n',
  );
  const [finding] = checkProfile(text, 'a.yaml').problems.findings;
  expect(finding?.place).toEqual({ line: 13, column: 34 });
  expect(finding?.message.en).toMatch(/4.*2/);
  expect(finding?.message.zh).toMatch(/4.*2/);
});

test('a device looks like its profile when one way fits, like another when one was answered and none fits', () => {
  const ways = parseProfile(
    `${profile({ p: `read: ${at(0)}` })}identify:
  - { read: ${at(7)}, equals: [24, 25] }
  - device_id: { vendor: "^ACME" }
`,
    'a.yaml',
  ).identify;
  expect(questionsOf(ways)).toMatchObject({
    registers: [{ address: 7 }, { address: 7 }],
    deviceId: true,
  });
  const registers = (value: Value) => [read(value), read(value)];
  const acme = { vendor: 'ACME Ltd', product: null };
  expect(identify(ways, { registers: registers(25), deviceId: null }).likeness).toBe('match');
  expect(identify(ways, { registers: registers(9), deviceId: acme }).likeness).toBe('match');
  expect(identify(ways, { registers: registers(9), deviceId: null })).toMatchObject({
    likeness: 'other',
    found: 'holding 7: 9; holding 7: 9',
  });
  const lost = read(null, qualityCode('bad', 'timeout'));
  expect(identify(ways, { registers: [lost, lost], deviceId: null }).likeness).toBe('unknown');
});

test('nothing but findings comes out of a damaged profile with all of this in it', () => {
  const text = profile(
    {
      p: `read: ${at(0, 'float32')}, mode: m, before: go, unit: cm,
        unit_from: { read: ${at(5)}, map: { 1: cm, 2: { unit: m, factor: 100 } } },
        scale_from: { read: ${at(6)}, kind: decimals },
        order_from: { read: ${at(7)}, map: { 0: ABCD } }, default_alarms: ponding`,
      m: `read: ${at(3)}, ${mode}, alarms: { not_in_service: { level: 3 }, state: { is: [2], level: 4 } }`,
    },
    'triggers: { go: { start: { read: { table: holding, address: 9, count: 0 } }, wait: 1s } }\n',
  );
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 8 }), (from, cut, put) => {
      checkProfile(text.slice(0, from) + put + text.slice(from + cut), 'a.yaml');
    }),
    { numRuns: 300 },
  );
});
