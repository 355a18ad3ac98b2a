import { expect, test } from 'vitest';
import { addressText } from './described.ts';
import { profilePage } from './pages.ts';
import type { Profile } from './profile.ts';
import { checkProfile, isModbusPoint, parseProfile } from './profile.ts';
import { runProfileTests } from './vectors.ts';

const head = `version: 1
profile:
  id: acme/ps1
  revision: "1.0.0"
  kind: pump-station
  vendor: ACME
  models: [PS1]
  title: { en: Pump station, zh: 泵站 }
  source: { document: Node list rev C, status: official }
protocol: opcua
device: { namespaces: { ps: "urn:acme:ps" } }
`;
/** A profile of these points, each under its id with a title. */
const profile = (points: Record<string, string>, more = '', start = head) =>
  `${start}points:\n${Object.entries(points)
    .map(([id, body]) => `  ${id}: { title: { en: ${id}, zh: 测点 }, ${body} }\n`)
    .join('')}${more}`;

const parse = (text: string): Profile => parseProfile(text, 'a.yaml');

/** What is wrong: `code path` of each finding, each with its place. */
const wrong = (text: string) =>
  checkProfile(text, 'a.yaml')
    .problems.findings.filter(({ code }) => code !== 'point-untested')
    .map(({ code, path, place }) => {
      expect(place).not.toBeNull();
      return `${code} ${path.join('.')}`;
    });

const pressure = 'read: { path: "ps:Station/ps:Pressure", type: float }';
const count = 'read: { id: "ps:s=Count", type: uint16 }';
const running = 'read: { path: "ps:Station/ps:Running", type: boolean }';
const event = 'read: { event: { notifier: Server, field: Message } }';

test('a point of OPC UA is a point as every other: unit, range, class, alarms', () => {
  const { points, protocol } = parse(
    profile({
      p: `${pressure}, unit: bar, range: [0, 16], class: compliance, poll: 1s, deadband: 0.1,
        alarms: { high: { raise: 10, clear: 9, level: 2 }, no_data: { after: 1m, level: 3 } }`,
      run: `${running}, alarms: { state: { is: [true], level: 4 } }`,
      n: `${count}, scale: 0.1`,
      t: 'read: { id: "ps:s=Name", type: string }',
      c: 'read: { certificate: server }, unit: d, alarms: { low: { raise: 30, clear: 31, level: 3 } }',
      a: 'read: { condition: { node: "ps:s=Alarm", field: active } }',
    }),
  );
  expect(protocol).toBe('opcua');
  expect(points.map(({ definition }) => definition.type)).toEqual([
    'number',
    'boolean',
    'number',
    'text',
    'number',
    'boolean',
  ]);
  expect(points[0]?.definition).toMatchObject({ unit: 'bar', range: [0, 16], periodMs: 1000 });
  expect(points[0]?.definition.rules.map(({ id }) => id)).toEqual(['high', 'no-data']);
  expect(points.some(isModbusPoint)).toBe(false);
  expect(points.map(({ address }) => addressText(address))).toEqual([
    'ps:Station/ps:Pressure float',
    'ps:Station/ps:Running boolean',
    'ps:s=Count uint16',
    'ps:s=Name string',
    'certificate server',
    'condition ps:s=Alarm active',
  ]);
});

test('invalid codes are written as on any bus', () => {
  const codes = (read: string, code: string) => [
    ...parse(
      profile({ p: `${read}, invalid: { ${code}: sensor_fault } }`.replace(' } }', ' }') }),
    ).points[0]!.invalid.keys(),
  ];
  expect(codes(count, '0xFFFF')).toEqual([65_535]);
  expect(codes('read: { id: "ps:s=T", type: int16 }', '0x8000')).toEqual([-32_768]);
  expect(codes(pressure, 'nan')).toEqual([Number.NaN]);
  expect(codes(pressure, '-999.9')).toEqual([Math.fround(-999.9)]);
  expect(codes('read: { id: "ps:s=T", type: double }', '-999.9')).toEqual([-999.9]);
  expect(wrong(profile({ p: `${count}, invalid: { 70000: sensor_fault }` }))).toEqual([
    'invalid-never-read points.p.invalid.70000',
  ]);
});

test('what only registers have is refused for OPC UA', () => {
  const from = 'read: { table: holding, address: 0, type: uint16 }';
  const text = profile(
    {
      p: `${pressure}, unit: bar, unit_from: { ${from}, map: { 1: bar } },
        scale_from: { ${from}, kind: decimals }, before: go`,
      q: `read: { id: "ps:s=Q", type: uint32 }, order_from: { ${from}, map: { 1: ABCD } }`,
    },
    `triggers: { go: { start: { read: { table: holding, address: 0, count: 1 } }, wait: 1s } }
wakes_after: 1m
identify: [{ read: { id: "ps:s=Q", type: uint32 }, equals: 1 }]
`,
  );
  expect(wrong(text)).toEqual([
    'modbus-only triggers',
    'modbus-only wakes_after',
    'modbus-only points.p.unit_from',
    'modbus-only points.p.scale_from',
    'modbus-only points.p.before',
    'modbus-only points.q.order_from',
    'modbus-only identify.0.read',
  ]);
  expect(wrong(profile({ p: from }))).toEqual(['opcua-one-kind points.p.read']);
  const { findings } = checkProfile(text, 'a.yaml').problems;
  expect(findings[0]?.message).toEqual({
    en: 'triggers is for devices with registers; an OPC UA server needs none of it',
    zh: 'triggers 只用于带寄存器的设备；OPC UA 服务器不需要',
  });
});

test('a server may tell what it is', () => {
  const more = 'identify: [{ device_id: { vendor: "^ACME" } }]\n';
  expect(parse(profile({ p: pressure }, more)).identify).toEqual([
    { kind: 'device-id', vendor: /^ACME/u, product: null },
  ]);
});

test('every prefix is tied to a namespace, in commands too', () => {
  const far = 'read: { path: "pz:Station/ps:Pressure", type: float }';
  const call = 'call: { object: "pump:Station", method: "ps:Start" }';
  const named = 'title: { en: Go, zh: 启动 }';
  const text = profile({ p: far, run: `${running}, commands: { go: { ${named}, ${call} } }` });
  expect(wrong(text)).toEqual([
    'opcua-prefix-unknown points.p.read',
    'opcua-prefix-unknown points.run.commands.go.call',
  ]);
  const [first, second] = checkProfile(text, 'a.yaml').problems.findings;
  expect(first?.help?.en).toBe('did you mean ps?');
  expect(second?.help).toEqual({
    en: 'tie it to a URI under device.namespaces, as pump: "urn:…"',
    zh: '请在 device.namespaces 下为其写明 URI，如 pump: "urn:…"',
  });
});

test('the same node twice is warned about; another element of it is another value', () => {
  const { findings } = checkProfile(
    profile({ p: pressure, q: `${pressure}, unit: bar` }),
    'a.yaml',
  ).problems;
  const twice = findings.filter(({ code }) => code === 'point-node-twice');
  expect(twice).toMatchObject([{ path: ['points', 'q', 'read'], severity: 'warning' }]);
  const element = (at: number) => `read: { id: "ps:s=A", type: float, element: "[${at}]" }`;
  expect(wrong(profile({ p: element(0), q: element(1) }))).toEqual([]);
  expect(wrong(profile({ p: element(0), q: element(0) }))).toEqual([
    'point-node-twice points.q.read',
  ]);
});

test('an event holds for no time: it has no alarms, no mode, and is not written', () => {
  const severity = 'read: { event: { notifier: Server, field: Severity } }';
  const texts: [string, string[]][] = [
    [event, []],
    [
      `${severity}, alarms: { high: { raise: 500, clear: 400, level: 2 } }`,
      ['opcua-event-holds points.p.alarms'],
    ],
    [
      `${event}, alarms: { no_data: { after: 1h, level: 3 } }`,
      ['opcua-event-holds points.p.alarms'],
    ],
    [
      `${severity}, range: [0, 9], write: {}`,
      ['opcua-event-holds points.p.write', 'command-read-only points.p.write'],
    ],
  ];
  for (const [body, findings] of texts) {
    expect([body, wrong(profile({ p: body }))]).toEqual([body, findings]);
  }
});

test('nodes are written, and methods called with the value or without one', () => {
  const named = 'title: { en: Go, zh: 启动 }';
  const station = 'object: "ps:Station"';
  const { points } = parse(
    profile({
      set: 'read: { path: "ps:Station/ps:SetPoint", type: double }, range: [0, 50], write: {}',
      n: `${count}, scale: 0.1, range: [0, 99], write: {}`,
      run: `${running}, commands: {
        start: { ${named}, call: { ${station}, method: "ps:Start" }, read_back: { within: 10s } },
        speed: { ${named}, call: { ${station}, method: "ps:Speed", arguments: [$value, 1] }, range: [0, 50] },
        reset: { ${named}, value: true, write: { id: "ps:s=Reset", type: boolean }, read_back: false } }`,
      a: `read: { condition: { node: "ps:s=Alarm", field: acked } }, commands: {
        acknowledge: { ${named}, right: operate, call: { acknowledge: "ps:s=Alarm" } } }`,
    }),
  );
  const commands = points.flatMap((point) => point.commands ?? []);
  expect(
    commands.map(({ offer, wants, readBack }) => [
      offer.id,
      offer.fixed ?? offer.range,
      wants,
      readBack?.withinMs ?? null,
    ]),
  ).toEqual([
    ['set', [0, 50], 'number', 5_000],
    ['set', [0, 99], 'integer', 5_000],
    ['start', true, 'boolean', 10_000],
    ['speed', [0, 50], 'number', null],
    ['reset', true, 'boolean', null],
    ['acknowledge', true, 'boolean', null],
  ]);
  expect(commands[3]?.address).toMatchObject({ kind: 'method', arguments: [null, 1] });
});

test('what a node cannot hold, or a call is not given, is refused', () => {
  const named = 'title: { en: Go, zh: 启动 }';
  const call = 'call: { object: "ps:Station", method: "ps:Start" }';
  const cases: [string, string[]][] = [
    [`${count}, write: { range: [0, 70000] }`, ['command-value-unfit points.p.write.range.1']],
    [`${pressure}, write: { range: [0, 1.5e39] }`, ['command-value-unfit points.p.write.range.1']],
    [`${pressure}, write: {}`, ['command-unbounded points.p.write']],
    ['read: { certificate: own }, write: {}', ['command-read-only points.p.write']],
    [
      `${running}, commands: { go: { ${named}, ${call}, range: [0, 1] } }`,
      ['command-no-value points.p.commands.go.range'],
    ],
    [
      `${running}, commands: { go: { ${named}, ${call}, revert: { after: 1m, value: false } } }`,
      ['command-revert-call points.p.commands.go.revert'],
    ],
    [
      `${running}, commands: { go: { ${named}, ${call}, write: { id: "ps:s=X", type: boolean } } }`,
      ['keys-exclude points.p.commands.go.call'],
    ],
    [
      `${running}, commands: { go: { ${named}, call: { object: "ps:X" } } }`,
      ['protocol-key-missing points.p.commands.go.call'],
    ],
  ];
  for (const [body, findings] of cases) {
    expect([body, wrong(profile({ p: body }))]).toEqual([body, findings]);
  }
});

const tests = `tests:
  - name: fine
    nodes: { p: { value: 7.5 }, n: { value: 423 }, run: { value: true }, m: { value: 1 } }
    expect: { p: 7.5, n: 42.3, run: true }
  - name: not in service
    nodes: { p: { value: 7.5 }, m: { value: 2 } }
    expect: { p: { value: null, quality: bad, reason: not_in_service } }
  - name: codes, ranges and statuses
    nodes: { p: { value: 99 }, n: { value: 65535 }, run: { status: 0x808C0000 } }
    expect:
      p: { value: null, quality: bad, reason: out_of_range }
      n: { value: null, quality: bad, reason: sensor_fault }
      run: { value: null, quality: bad, reason: sensor_fault }
  - name: a bad status sends no value, an uncertain one does
    nodes: { p: { value: 7.5, status: 0x40940000 }, run: { value: true, status: 0x808D0000 } }
    expect:
      p: { value: 7.5, quality: uncertain, reason: out_of_range }
      run: { value: null, quality: bad, reason: not_in_service }
`;
const tested = profile(
  {
    p: `${pressure}, range: [0, 16], mode: m`,
    n: `${count}, scale: 0.1, invalid: { 0xFFFF: sensor_fault }`,
    run: running,
    m: `read: { id: "ps:s=Mode", type: byte }, states: {
      1: { en: auto, zh: 自动 }, 2: { en: out, zh: 停用, in_service: false } }`,
  },
  tests,
);

test('the tests of a profile give nodes and expect readings', () => {
  const results = runProfileTests(parse(tested));
  expect(results.flatMap(({ failures }) => failures)).toEqual([]);
  const [failed] = runProfileTests(parse(tested.replace('expect: { p: 7.5,', 'expect: { p: 7.6,')));
  expect(failed?.failures).toEqual([{ point: 'p', expected: '7.6', got: '7.5' }]);
});

test('a test gives what its protocol has, and a node for each point it expects', () => {
  expect(wrong(tested.replace('n: { value: 423 }, ', ''))).toEqual([
    'test-node-missing tests.0.expect.n',
  ]);
  expect(wrong(tested.replace('nodes: { p: { value: 99 }', 'nodes: { z: { value: 99 }'))).toEqual([
    'test-unknown-point tests.2.nodes.z',
    'test-node-missing tests.2.expect.p',
  ]);
  const other = 'tests: [{ name: a, registers: { input: { 0: [1] } }, expect: { p: 1 } }]\n';
  expect(wrong(profile({ p: pressure }, other))).toEqual([
    'test-other-protocol tests.0.registers',
    'missing-key tests.0',
  ]);
  const modbus = head.replace(
    'protocol: opcua\ndevice: { namespaces: { ps: "urn:acme:ps" } }',
    'protocol: modbus',
  );
  const nodes = 'tests: [{ name: a, nodes: { p: { value: 1 } }, expect: { p: 1 } }]\n';
  const register = { p: 'read: { table: input, address: 0, type: uint16 }' };
  expect(wrong(profile(register, nodes, modbus))).toEqual([
    'test-other-protocol tests.0.nodes',
    'missing-key tests.0',
    'test-data-short tests.0.expect.p',
  ]);
});

test('a page of it shows nodes instead of registers', () => {
  const page = profilePage(parse(tested));
  expect(page).toContain('| id | what | node and type |');
  expect(page).toContain('`ps:Station/ps:Pressure float`');
  expect(page).toContain('| 测试 | 节点 | 读数 |');
  expect(page).toContain('kind: opcua, endpoint: "opc.tcp://192.168.10.7:4840"');
  expect(page).not.toContain('registers');
});
