import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OFFER_STATES_MAX, OFFERS_MAX, unfit } from '../core/command.ts';
import { engineeringValue } from '../core/point.ts';
import { decodeValue, encodeValue } from '../protocols/modbus/value.ts';
import { rawToWrite } from './commands.ts';
import type { ProfileCommand } from './profile.ts';
import { checkProfile, modbusPoints, parseProfile } from './profile.ts';

const head = `version: 1
profile:
  id: acme/fan
  revision: "1.0.0"
  kind: drive
  vendor: ACME
  models: [Fan]
  title: { en: Fan, zh: 风机 }
  source: { document: Register map rev C, status: official }
protocol: modbus
points:
`;

const coil = 'read: { table: coil, address: 0 }';
const speed = 'read: { table: holding, address: 1, type: uint16 }, scale: 0.1, unit: Hz';
const named = 'title: { en: Do, zh: 做 }';
const point = (body: string) => `${head}  p: { title: { en: Fan, zh: 风机 }, ${body} }\n`;

const commands = (body: string) => parseProfile(point(body), 'a.yaml').points[0]!.commands;
const only = (body: string): ProfileCommand => {
  const found = commands(body);
  expect(found).toHaveLength(1);
  return found![0]!;
};

/** `code path` of each finding, the point left out of the path. */
const wrong = (body: string) =>
  checkProfile(point(body), 'a.yaml')
    .problems.findings.filter(({ code }) => code !== 'point-untested')
    .map(({ code, path, place }) => {
      expect(place).not.toBeNull();
      return `${code} ${path.slice(2).join('.')}`;
    });

test('a point without write and commands offers nothing', () => {
  expect(parseProfile(point(coil), 'a.yaml').points[0]).not.toHaveProperty('commands');
});

test('write offers set, with what the point says for range, title and address', () => {
  expect(only(`${speed}, range: [0, 50], write: {}`)).toEqual({
    offer: {
      id: 'set',
      title: { en: 'Set Fan', zh: '设定风机' },
      fixed: null,
      range: [0, 50],
      states: null,
      right: 'control',
      twoPeople: false,
      everyMs: 0,
      timeToLiveMs: 30_000,
      revert: null,
    },
    address: expect.objectContaining({ table: 'holding', address: 1, type: 'uint16' }),
    scale: 0.1,
    offset: 0,
    wants: 'integer',
    words: null,
    readBack: { withinMs: 5_000, tolerance: expect.closeTo(0.05, 6) },
  });
  expect(only(`${coil}, write: {}`).offer).toMatchObject({ range: null, states: [false, true] });
});

test('an enumeration takes its states, as written or as the point names them', () => {
  const states = 'states: { 0: { en: off, zh: 关 }, 2: { en: on, zh: 开 } }';
  const mode = 'read: { table: holding, address: 3, type: uint16 }';
  expect(only(`${mode}, ${states}, write: {}`).offer).toMatchObject({
    range: null,
    states: [0, 2],
  });
  expect(only(`${mode}, ${states}, write: { states: [2] }`).offer.states).toEqual([2]);
  expect(wrong(`${mode}, ${states}, write: { states: [0, 1] }`)).toEqual([
    'command-state-unknown write.states.1',
  ]);
  expect(wrong(`${mode}, ${states}, commands: { go: { ${named}, value: 1 } }`)).toEqual([
    'command-state-unknown commands.go.value',
  ]);
});

test('named commands have values of their own, words for the device, and whatever restricts them', () => {
  const found = commands(`${coil}, commands: {
    start: { title: { en: Start, zh: 启动 }, value: true, words: { true: 0x47F, false: 0x47E },
      write: { table: holding, address: 99, type: uint16 }, right: operate, two_people: true,
      every: 10s, time_to_live: 1m, read_back: { within: 20s }, revert: { after: 1h, value: false } },
    stop: { ${named}, value: false, read_back: false } }`);
  expect(found).toEqual([
    {
      offer: {
        id: 'start',
        title: { en: 'Start', zh: '启动' },
        fixed: true,
        range: null,
        states: null,
        right: 'operate',
        twoPeople: true,
        everyMs: 10_000,
        timeToLiveMs: 60_000,
        revert: { afterMs: 3_600_000, value: false },
      },
      address: expect.objectContaining({ table: 'holding', address: 99 }),
      scale: 1,
      offset: 0,
      wants: 'integer',
      words: new Map([
        [true, 0x47f],
        [false, 0x47e],
      ]),
      readBack: { withinMs: 20_000, tolerance: 0 },
    },
    expect.objectContaining({ readBack: null, wants: 'boolean' }),
  ]);
  expect(rawToWrite(found![0]!, true)).toBe(0x47f);
  expect(rawToWrite(found![0]!, false)).toBe(0x47e);
  expect(rawToWrite(found![1]!, false)).toBe(false);
});

test('what is written elsewhere has its own scale, and what is read back half a step of both', () => {
  const write = 'write: { table: holding, address: 9, type: int16 }, scale: 0.5, offset: -10';
  const set = only(`${speed}, commands: { set: { ${named}, ${write}, range: [0, 40] } }`);
  expect(set).toMatchObject({ scale: 0.5, offset: -10, wants: 'integer' });
  expect(rawToWrite(set, 40)).toBe(100);
  expect(set.readBack?.tolerance).toBeCloseTo(0.3, 6);
  expect(only(`${speed}, write: { range: [0, 9], read_back: { tolerance: 2 } }`).readBack).toEqual({
    withinMs: 5_000,
    tolerance: 2,
  });
});

test('what nobody could write is refused where it stands', () => {
  const input = 'read: { table: input, address: 0, type: uint16 }, range: [0, 9]';
  const text = 'read: { table: holding, address: 0, type: string, length: 4 }';
  const cases: [string, string[]][] = [
    [`${input}, write: {}`, ['command-read-only write']],
    [`${coil}, write: {}, commands: { set: { ${named} } }`, ['command-set-twice commands.set']],
    [
      `${coil}, commands: { go: { ${named}, value: true, write: { table: discrete, address: 1 } } }`,
      ['command-read-only commands.go.write'],
    ],
    [
      `${coil}, commands: { go: { ${named}, value: true, write: { table: coil, address: 1, bit: 2 } } }`,
      ['protocol-key-unfit commands.go.write.bit'],
    ],
    [`${speed}, write: {}`, ['command-unbounded write']],
    [`${speed}, write: { range: [0, 7000] }`, ['command-value-unfit write.range.1']],
    [`${speed}, write: { range: [-1, 50] }`, ['command-value-unfit write.range.0']],
    [`${speed}, write: { range: [50, 50] }`, ['range-order write.range']],
    [`${speed}, range: [0, 40], write: { range: [0, 50] }`, ['command-range-outside write.range']],
    [
      `${speed}, range: [0, 6553.5], invalid: { 0xFFFF: sensor_fault }, write: {}`,
      ['command-value-unfit write', 'command-value-invalid write'],
    ],
    [`${coil}, write: { range: [0, 1] }`, ['not-for-kind write.range']],
    [`${coil}, write: { states: [1] }`, ['command-value-unfit write.states.0']],
    [
      `${coil}, commands: { go: { ${named}, value: 1 } }`,
      ['command-value-unfit commands.go.value'],
    ],
    [
      `${speed}, commands: { go: { ${named}, value: fast } }`,
      ['command-value-unfit commands.go.value'],
    ],
    [
      `${text}, commands: { go: { ${named}, value: "123456789" } }`,
      ['command-value-unfit commands.go.value'],
    ],
    [
      `${speed}, range: [0, 9], commands: { go: { ${named}, value: 10 } }`,
      ['command-range-outside commands.go.value'],
    ],
    [
      `${coil}, commands: { go: { ${named}, value: true, states: [true] } }`,
      ['keys-exclude commands.go.states'],
    ],
    [`${speed}, range: [0, 9], write: { scale: 2 }`, ['unknown-key write.scale']],
    [
      `${speed}, range: [0, 9], commands: { a: { ${named}, scale: 2 } }`,
      ['command-line-alone commands.a.scale', 'command-value-unfit commands.a'],
    ],
    [
      `${coil}, commands: { go: { ${named}, value: true, words: { false: 7 } } }`,
      ['command-word-missing commands.go.value', 'command-value-unfit commands.go.words.false'],
    ],
    [
      `${coil}, commands: { go: { ${named}, call: { object: x } } }`,
      ['command-no-calls commands.go.call'],
    ],
    [`${coil}, write: { read_back: { tolerance: 1 } }`, ['not-for-kind write.read_back.tolerance']],
    [`${coil}, commands: { Go: { ${named}, value: true } }`, ['not-an-id commands.Go']],
    [`${coil}, commands: { go: { value: true } }`, ['missing-key commands.go.title']],
    [`${coil}, write: { right: admin }`, ['bad-value write.right']],
  ];
  for (const [body, findings] of cases) expect([body, wrong(body)]).toEqual([body, findings]);
});

test('durations of commands have limits of their own', () => {
  const spans = [
    ['every: 10ms', 'every'],
    ['every: 2d', 'every'],
    ['time_to_live: 500ms', 'time_to_live'],
    ['time_to_live: 2h', 'time_to_live'],
    ['read_back: { within: 11m }', 'read_back.within'],
    ['revert: { after: 9s, value: false }', 'revert.after'],
  ];
  for (const [body, at] of spans) {
    expect(wrong(`${coil}, write: { ${body} }`)).toEqual([`command-duration write.${at}`]);
  }
});

test('a command goes back only to what it may write', () => {
  const revert = (value: string) => `revert: { after: 1m, value: ${value} }`;
  expect(wrong(`${speed}, write: { range: [5, 50], ${revert('0')} }`)).toEqual([
    'command-revert-unfit write.revert.value',
  ]);
  const on = (value: string) =>
    `${coil}, commands: { go: { ${named}, value: true, ${revert(value)} } }`;
  expect(wrong(on('true'))).toEqual(['command-revert-unfit commands.go.revert.value']);
  expect(wrong(on('3'))).toEqual(['command-value-unfit commands.go.revert.value']);
  expect(wrong(on('false'))).toEqual([]);
});

test('a point whose unit, scale or order the device decides is written only where that is said', () => {
  const from = 'scale_from: { read: { table: holding, address: 5, type: int16 }, kind: exponent }';
  const read = 'read: { table: holding, address: 1, type: uint16 }';
  expect(wrong(`${read}, range: [0, 9], ${from}, write: {}`)).toEqual(['command-derived write']);
  const write = `write: ${read.slice(6)}, scale: 0.1`;
  expect(
    wrong(`${read}, range: [0, 9], ${from}, commands: { set: { ${named}, ${write} } }`),
  ).toEqual([]);
});

test('a point offers a few commands, not many', () => {
  const some = (count: number) =>
    Array.from({ length: count }, (_, at) => `c${at}: { ${named}, value: true }`).join(', ');
  expect(wrong(`${coil}, write: {}, commands: { ${some(OFFERS_MAX - 1)} }`)).toEqual([]);
  expect(wrong(`${coil}, write: {}, commands: { ${some(OFFERS_MAX)} }`)).toEqual([
    'too-many commands',
  ]);
});

test('an offer has a few states, not the whole list of codes of a point', () => {
  const read = 'read: { table: holding, address: 3, type: uint16 }';
  const states = (count: number) =>
    `states: { ${Array.from({ length: count }, (_, at) => `${at}: { en: s${at}, zh: 态 }`).join(', ')} }`;
  expect(wrong(`${read}, ${states(OFFER_STATES_MAX)}, write: {}`)).toEqual([]);
  expect(wrong(`${read}, ${states(OFFER_STATES_MAX + 1)}, write: {}`)).toEqual(['too-many write']);
  expect(wrong(`${read}, ${states(OFFER_STATES_MAX + 1)}, write: { states: [1] }`)).toEqual([]);
});

test('what is wrong with a command is told in both languages', () => {
  const { findings } = checkProfile(point(`${speed}, write: {}`), 'a.yaml').problems;
  expect(findings[0]?.message).toEqual({
    en: 'nothing says which values may be given; write range or states',
    zh: '没有说明可以给出哪些值；请写 range 或 states',
  });
});

const types = [
  'uint16',
  'int16',
  'uint32',
  'int32',
  'int64',
  'float16',
  'float32',
  'float64',
  'bcd16',
  'bcd32',
  'mod10k',
  'sm16',
  'sm32',
  'uint8-hi',
  'int8-lo',
  'hi100lo',
];

test('whatever an offer allows can be written, and reads back within the tolerance', () => {
  const input = fc.record({
    type: fc.constantFrom(...types),
    order: fc.constantFrom('ABCD', 'CDAB', 'BADC', 'DCBA'),
    scale: fc.constantFrom(1, 0.1, 0.01, 0.001, 2, 0.3, -0.5, 10),
    offset: fc.constantFrom(0, -40, 273.15),
    ends: fc.tuple(fc.double({ min: -9e4, max: 9e4 }), fc.double({ min: -9e4, max: 9e4 })),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  let offered = 0;
  fc.assert(
    fc.property(input, ({ type, order, scale, offset, ends, at }) => {
      const [min, max] = [...ends].sort((a, b) => a - b).map((end) => Number(end.toFixed(2)));
      const read = `{ table: holding, address: 0, type: ${type}, order: ${order} }`;
      const body = `read: ${read}, scale: ${scale}, offset: ${offset}, write: { range: [${min}, ${max}] }`;
      const { profile } = checkProfile(point(body), 'a.yaml');
      if (!profile) return;
      offered++;
      const command = profile.points[0]!.commands![0]!;
      const value = min! + at * (max! - min!);
      expect(unfit(command.offer, value)).toBeNull();
      const { address } = modbusPoints(profile)[0]!;
      const words = encodeValue(address, rawToWrite(command, value));
      const shown = engineeringValue(
        decodeValue(address, words as Uint16Array) ?? null,
        command.scale,
        command.offset,
      );
      const off = Math.abs(Number(shown) - value);
      expect(off).toBeLessThanOrEqual(command.readBack!.tolerance);
    }),
  );
  expect(offered).toBeGreaterThan(10);
});
