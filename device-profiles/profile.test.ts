import fc from 'fast-check';
import { expect, test } from 'vitest';
import { engineering } from '../core/point.ts';
import { InvalidInput } from '../core/problems.ts';
import { GOOD, qualityCode } from '../core/quality.ts';
import { checkProfile, modbusPoints, normaliseRaw, parseProfile, withDevice } from './profile.ts';
import { runProfileTests, shownBy } from './vectors.ts';

const head = `version: 1
profile:
  id: acme/gd200
  revision: "1.4.0"
  kind: gas-detector
  vendor: ACME
  models: [GD200]
  title: { en: Gas detector, zh: 气体探测器 }
  source: { document: Register map rev C, status: official }
protocol: modbus
`;

/** A profile of these points (and what follows them), each under its id with a title. */
const profile = (points: Record<string, string>, more = '') =>
  `${head}points:\n${Object.entries(points)
    .map(([id, body]) => `  ${id}: { title: { en: ${id}, zh: 测点 }, ${body} }\n`)
    .join('')}${more}`;

const first = (text: string) => modbusPoints(parseProfile(text, 'a.yaml'))[0]!;

/** What is wrong: `code path` of each finding. */
const wrong = (text: string) =>
  checkProfile(text, 'a.yaml')
    .problems.findings.filter(({ code }) => code !== 'point-untested')
    .map(({ code, path }) => `${code} ${path.join('.')}`);

const uint16 = 'read: { table: holding, address: 0, type: uint16 }';

test('a point carries what the edge needs: address, scale, unit, class, period, rules', () => {
  const { definition, address } = first(
    profile({
      ch4: `read: { table: input, address: 0, type: uint16 }, scale: 0.1, unit: "%{LEL}",
      range: [0, 100], class: life-safety, deadband: 0.5, alarms: {
        high: { raise: 25, clear: 20, delay: 2s, level: 2, norm: GB/T 50493 },
        low_low: { raise: 1, clear: 1.3, off_delay: 5m, level: 1, title: { en: Dead, zh: 失效 } },
        no_data: { after: 30s, level: 3, action: { en: Look, zh: 检查 } } }`,
    }),
  );
  /** What default-sheets.ts says of a detector in %LEL. */
  const usual = {
    ...{ cause: expect.anything(), consequence: expect.anything() },
    timeAvailableMs: expect.any(Number),
  };
  expect(address).toMatchObject({ table: 'input', address: 0, type: 'uint16', width: 1 });
  expect(definition).toEqual({
    point: 'ch4',
    name: { en: 'ch4', zh: '测点' },
    unit: '%{LEL}',
    type: 'number',
    scale: 0.1,
    offset: 0,
    range: [0, 100],
    class: 'life-safety',
    periodMs: 2000,
    deadband: 0.5,
    rules: [
      {
        kind: 'limit',
        id: 'high',
        side: 'high',
        level: 2,
        limit: 25,
        deadband: 5,
        onDelayMs: 2000,
        offDelayMs: 60_000,
        title: { en: 'ch4 high', zh: '测点偏高' },
        action: null,
        ...usual,
        basis: { en: 'GB/T 50493', zh: 'GB/T 50493' },
        defaults: ['offDelayMs'],
      },
      {
        kind: 'limit',
        id: 'low-low',
        side: 'low-low',
        level: 1,
        limit: 1,
        deadband: 0.3,
        onDelayMs: 5_000, // What a gas detector has, since the profile does not say.
        offDelayMs: 300_000,
        title: { en: 'Dead', zh: '失效' },
        action: null,
        isLatching: true, // The outermost limit of a gas detector stays until it is reset.
        defaults: ['onDelayMs'],
      },
      {
        kind: 'no-data',
        id: 'no-data',
        level: 3,
        silentMs: 30_000,
        onDelayMs: 0,
        offDelayMs: 0,
        title: { en: 'ch4: no data', zh: '测点无数据' },
        action: { en: 'Look', zh: '检查' },
        ...usual,
      },
    ],
  });
});

test('the kind of a value follows from its address and scale', () => {
  const kind = (body: string) => first(profile({ p: body })).definition.type;
  expect(kind('read: { table: holding, address: 0, type: uint64 }')).toBe('integer');
  expect(kind('read: { table: holding, address: 0, type: uint64 }, scale: 0.01')).toBe('number');
  expect(kind('read: { table: holding, address: 0, type: float32 }')).toBe('number');
  expect(kind('read: { table: coil, address: 0 }')).toBe('boolean');
  expect(kind('read: { table: holding, address: 0, type: string, length: 4 }')).toBe('text');
});

test('a profile cannot be changed once it is parsed', () => {
  const point = first(profile({ p: uint16 }));
  expect(() => Object.assign(point.definition, { scale: 2 })).toThrow(TypeError);
});

test('what is wrong with the meaning is found although the form is right', () => {
  const range = `${uint16}, range: [0, 100]`;
  const cases: [string, string[]][] = [
    [
      profile({ p: `${range}, alarms: { high: { raise: 25, clear: 30, level: 2 } }` }),
      ['alarm-never-clears points.p.alarms.high.clear'],
    ],
    [
      profile({ p: `${range}, alarms: { low: { raise: 25, clear: 25, level: 2 } }` }),
      ['alarm-never-clears points.p.alarms.low.clear'],
    ],
    [
      profile({ p: `${range}, alarms: { high_high: { raise: 150, clear: 90, level: 2 } }` }),
      ['alarm-out-of-range points.p.alarms.high_high.raise'],
    ],
    [
      profile({
        p: `${range}, alarms: { high: { raise: 50, clear: 40, level: 2 },
          high_high: { raise: 25, clear: 20, level: 3 } }`,
      }),
      [
        'alarm-order points.p.alarms.high_high.raise',
        'alarm-level-order points.p.alarms.high_high.level',
      ],
    ],
    [
      profile({ p: `${uint16}, poll: 10s, alarms: { no_data: { after: 20s, level: 2 } }` }),
      ['no-data-too-early points.p.alarms.no_data.after'],
    ],
    [profile({ p: `${uint16}, range: [5, 5]` }), ['range-order points.p.range']],
    [profile({ p: `${uint16}, scale: 0` }), ['scale-zero points.p.scale']],
    [profile({ p: `${uint16}, unit: "%LEL"` }), ['unknown-unit points.p.unit']],
    [
      profile({ p: 'read: { table: coil, address: 0 }, unit: m, range: [0, 1]' }),
      ['not-for-kind points.p.range', 'not-for-kind points.p.unit'],
    ],
    [
      profile({ p: `${uint16}, states: { true: { en: a, zh: 甲 } }` }),
      ['state-unfit points.p.states.true'],
    ],
    [`${head}points: {}\n`, ['no-points points']],
  ];
  for (const [text, expected] of cases) {
    expect(wrong(text)).toEqual(expected);
  }
  expect(
    wrong(
      profile({ p: `${uint16}, invalid: { 65535: sensor_fault, 0xFFFF: timeout, -1: timeout }` }),
    ),
  ).toEqual(['invalid-twice points.p.invalid.0xFFFF', 'invalid-never-read points.p.invalid.-1']);
});

test('two values on one register are found, bits of one register are not a mistake', () => {
  const at = (address: number, type: string) =>
    `read: { table: holding, address: ${address}, type: ${type} }`;
  expect(wrong(profile({ a: at(0, 'float32'), b: at(1, 'uint16') }))).toEqual([
    'points-overlap points.b.read',
  ]);
  expect(wrong(profile({ a: at(0, 'uint32'), b: at(0, 'float32') }))).toEqual([
    'point-read-twice points.b.read',
  ]);
  expect(wrong(profile({ a: at(0, 'uint16'), b: at(0, 'bool, bit: 3') }))).toEqual([]);
  expect(wrong(profile({ a: at(0, 'uint8-hi'), b: at(0, 'uint8-lo') }))).toEqual([]);
  expect(wrong(profile({ a: at(0, 'float32'), b: at(2, 'float32') }))).toEqual([]);
});

test('an address is checked by its protocol, at its place in the file', () => {
  const { problems } = checkProfile(
    profile({ p: 'read: { table: holdng, address: 0, type: uint16 }' }),
    'a.yaml',
  );
  const [finding] = problems.findings;
  expect(finding?.path).toEqual(['points', 'p', 'read', 'table']);
  expect(finding?.place).toMatchObject({ line: 12 });
  expect(finding?.help?.en).toContain('holding');
  const block = profile({ p: 'read: { table: holding, address: 0, type: float64 }' });
  expect(wrong(`${block}device: { limits: { maxRegisters: 2 } }\n`)).toEqual([
    'point-beyond-block points.p.read',
  ]);
});

test('a test that names no point or gives too few registers is found', () => {
  const tests = `tests:
  - name: a
    registers: { holding: { 0: [1] } }
    expect: { ch4: 1, ch5: 2, total: 3 }
  - name: a
    registers: {}
    expect: {}
`;
  const points = { ch4: uint16, total: 'read: { table: holding, address: 10, type: uint32 }' };
  expect(wrong(profile(points, tests))).toEqual([
    'test-unknown-point tests.0.expect.ch5',
    'test-data-short tests.0.expect.total',
    'test-name-twice tests.1.name',
  ]);
});

test('all findings come at once, a wrong point hiding none of the others', () => {
  const text = profile({ a: 'red: 1', b: `${uint16}, range: [2, 1]`, c: `${uint16}, scale: x` });
  expect(wrong(text)).toEqual([
    'missing-key points.a.read',
    'unknown-key points.a.red',
    'not-a-number points.c.scale',
    'range-order points.b.range',
    'point-read-twice points.c.read',
  ]);
  expect(() => parseProfile(text, 'a.yaml')).toThrow(InvalidInput);
});

test('a fault code never looks like a number, a value out of range is no value', () => {
  const point = first(
    profile({
      p: `read: { table: holding, address: 0, type: int16 }, scale: 0.1, range: [-40, 70],
      invalid: { 0x7FFF: sensor_fault, -32768: not_available }`,
    }),
  );
  const bad = (reason: 'sensor_fault' | 'not_available' | 'out_of_range' | 'timeout') => ({
    raw: null,
    quality: qualityCode('bad', reason),
  });
  expect(normaliseRaw(point, 32767, GOOD)).toEqual(bad('sensor_fault'));
  expect(normaliseRaw(point, -32768, GOOD)).toEqual(bad('not_available'));
  expect(normaliseRaw(point, 701, GOOD)).toEqual(bad('out_of_range'));
  expect(normaliseRaw(point, 700, GOOD)).toEqual({ raw: 700, quality: GOOD });
  expect(normaliseRaw(point, Number.NaN, GOOD)).toEqual(bad('not_available'));
  expect(normaliseRaw(point, null, qualityCode('bad', 'timeout'))).toEqual(bad('timeout'));
  expect(shownBy(point, Uint16Array.of(0xff38))).toMatchObject({ value: -20, quality: 'good' });
});

test('a profile may know better what not-a-number means', () => {
  const point = first(
    profile({
      p: 'read: { table: holding, address: 0, type: float32 }, invalid: { nan: warming_up }',
    }),
  );
  expect(shownBy(point, Uint16Array.of(0x7fc0, 0))).toEqual({
    value: null,
    quality: 'bad',
    reason: 'warming_up',
  });
});

test('whatever comes off the wire is judged: in range and finite, or bad without a value', () => {
  const point = first(
    profile({
      p: 'read: { table: holding, address: 0, type: float64 }, scale: 0.5, range: [-1, 1]',
    }),
  );
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n })), (raw) => {
      const judged = normaliseRaw(point, raw, GOOD);
      if (judged.quality !== GOOD) return judged.raw === null;
      const value = engineering(Number(judged.raw), 0.5, 0);
      return typeof judged.raw === 'number' && value >= -1 && value <= 1;
    }),
  );
});

test('whole numbers beyond 2^53 stay whole where nothing scales them', () => {
  const read = 'read: { table: holding, address: 0, type: uint64 }';
  const raw = 2n ** 60n + 1n;
  expect(normaliseRaw(first(profile({ p: read })), raw, GOOD).raw).toBe(raw);
  expect(normaliseRaw(first(profile({ p: `${read}, scale: 0.01` })), raw, GOOD).raw).toBe(2 ** 60);
});

test('a test of a profile that does not hold says what came instead', () => {
  const tests = `tests:
  - name: wrong on purpose
    registers: { holding: { 0: [125] } }
    expect: { p: 12.6 }
  - name: right
    registers: { holding: { 0: [0xFFFF] } }
    expect: { p: { value: null, quality: bad, reason: sensor_fault } }
`;
  const text = profile({ p: `${uint16}, scale: 0.1, invalid: { 0xFFFF: sensor_fault }` }, tests);
  expect(runProfileTests(parseProfile(text, 'a.yaml'))).toEqual([
    { name: 'wrong on purpose', failures: [{ point: 'p', expected: '12.6', got: '12.5' }] },
    { name: 'right', failures: [] },
  ]);
});

test('nothing but findings comes out of a damaged profile', () => {
  const text = profile({ p: `${uint16}, invalid: { 0xFFFF: sensor_fault }, alarms: {} ` });
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 8 }), (at, cut, put) => {
      checkProfile(text.slice(0, at) + put + text.slice(at + cut), 'a.yaml');
    }),
    { numRuns: 300 },
  );
});

test('a device is known by what a register holds, or by patterns of its names', () => {
  const identify = `identify:
  - read: { table: holding, address: 7, type: uint16 }
    equals: 24
  - device_id: { vendor: "^ACME", product: "GD2\\\\d\\\\d" }
`;
  const [register, names] = parseProfile(profile({ p: uint16 }, identify), 'a.yaml').identify;
  expect(register).toMatchObject({ kind: 'register', address: { address: 7 }, equals: 24 });
  expect(names?.kind === 'device-id' && names.product?.test('GD200')).toBe(true);
  expect(wrong(profile({ p: uint16 }, identify.replace('^ACME', '(')))).toEqual([
    'not-a-pattern identify.1.device_id.vendor',
  ]);
});

const flowWith = (alarms: string, more = '') =>
  profile({
    flow: `read: { table: input, address: 0, type: uint16 }, unit: m3/h, range: [0, 500], poll: 10s,
      ${more} alarms: { ${alarms} }`,
  });

test('a profile proposes rules of the later kinds, with what it says to people', () => {
  const sheet = 'sheet: { cause: { en: Burst, zh: 爆管 }, time_available: 30m }';
  const { definition } = first(
    flowWith(`others: {
      rise: { kind: rate, over: 5m, side: high, raise: 60, level: 2, latching: true, ${sheet} },
      balance: { kind: comparison, with: outflow, by: difference, side: high, raise: 9, level: 3 } }`),
  );
  expect(definition.rules).toMatchObject([
    {
      ...{
        kind: 'rate',
        id: 'rise',
        overMs: 300_000,
        isLatching: true,
        timeAvailableMs: 1_800_000,
      },
      ...{ cause: { en: 'Burst', zh: '爆管' }, deadband: 3, offDelayMs: 300_000 },
      defaults: ['deadband', 'onDelayMs', 'offDelayMs'],
    },
    { kind: 'comparison', other: '/outflow' },
  ]);
  expect(withDevice(definition.rules, 'meter-1')[1]).toMatchObject({ other: 'meter-1/outflow' });
});

test.each([
  ['others: { a: { kind: rate, over: 1s, side: high, raise: 60, level: 2 } }', 'rule-window-short'],
  ['others: { a: { kind: frozen, band: 500, for: 6h, level: 3 } }', 'rule-band-whole-range'],
  ['high: { raise: 300, clear: 90, level: 2 }, low: { raise: 100, level: 2 }', 'rule-overlap'],
  [
    'high: { raise: 300, level: 2, action: { en: a, zh: 甲 }, sheet: { action: { en: a, zh: 甲 } } }',
    'rule-action-twice',
  ],
])('a profile with %s is refused as %s', (alarms, code) => {
  const { problems } = checkProfile(flowWith(alarms), 'p.yaml');
  expect(problems.findings.map((finding) => finding.code)).toContain(code);
});

test('the outermost limit of gas and structures latches unless its profile says otherwise', () => {
  const latching = (alarms: string) =>
    first(
      profile({
        ch4: `read: { table: input, address: 0, type: uint16 }, unit: "%{LEL}", range: [0, 100],
          alarms: { ${alarms} }`,
      }),
    ).definition.rules.map(({ id, isLatching = false }) => [id, isLatching]);
  const both = 'high: { raise: 25, level: 2 }, high_high: { raise: 50, level: 1';
  expect(latching(`${both} }`)).toEqual([
    ['high-high', true],
    ['high', false],
  ]);
  expect(latching(`${both}, latching: false }`)[0]).toEqual(['high-high', false]);
});
