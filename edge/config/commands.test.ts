import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CommandOffer } from '../../core/command.ts';
import { commandRights, unfit } from '../../core/command.ts';
import { InvalidInput, renderFinding } from '../../core/problems.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import { commandLines } from './commands-text.ts';
import type { Profiles } from './device.ts';
import { INTERLOCKS_MAX } from './format.ts';
import type { GatewayConfig } from './gateway.ts';
import { parseGateway } from './gateway.ts';
import { packagedProfiles } from './loader.ts';

const head = (id: string) => `version: 1
profile:
  id: acme/${id}
  revision: "1.0.0"
  kind: drive
  vendor: ACME
  models: [Fan]
  title: { en: Fan, zh: 风机 }
  source: { document: Register map rev C, status: official }
protocol: modbus
points:
`;
const modbusTexts: Readonly<Record<string, string>> = {
  'acme/fan': `${head('fan')}
  run:
    title: { en: Running, zh: 运行 }
    read: { table: coil, address: 0 }
    commands:
      start: { title: { en: Start, zh: 启动 }, value: true, two_people: true }
      stop: { title: { en: Stop, zh: 停止 }, value: false, right: operate }
  speed:
    title: { en: Speed, zh: 转速 }
    read: { table: holding, address: 1, type: uint16 }
    scale: 0.1
    range: [0, 60]
    write: { range: [10, 50], every: 5s, revert: { after: 1h, value: 20 } }
  level:
    title: { en: Level, zh: 档位 }
    read: { table: holding, address: 2, type: uint16 }
    range: [0, 9]
    write: {}
`,
  'acme/gas': `${head('gas')}
  ch4:
    title: { en: Methane, zh: 甲烷 }
    read: { table: input, address: 0, type: uint16 }
    unit: "%{LEL}"
    range: [0, 100]
    class: life-safety
  state: { title: { en: State, zh: 状态 }, read: { table: input, address: 1, type: uint16 } }
  alarm: { title: { en: Alarm, zh: 报警 }, read: { table: discrete, address: 1 } }
  serial: { title: { en: Serial, zh: 编号 }, read: { table: input, address: 2, type: string, length: 4 } }
`,
};
/** A profile for OPC UA, with the head of the others. */
const station = `${head('ps').replace(
  'protocol: modbus',
  `protocol: opcua
device: { namespaces: { ps: "urn:acme:ps" } }`,
)}
  level:
    title: { en: Level, zh: 液位 }
    read: { path: "ps:Station/ps:Level", type: float }
    range: [0, 9]
    poll: 1s
  running:
    title: { en: Running, zh: 运行 }
    read: { path: "ps:Station/ps:Running", type: boolean }
    commands:
      start: { title: { en: Start, zh: 启动 }, call: { object: "ps:Station", method: "ps:Start" } }
  setpoint:
    title: { en: Set point, zh: 设定 }
    read: { path: "ps:Station/ps:SetPoint", type: double }
    range: [0, 50]
    write: {}
  message:
    title: { en: Message, zh: 消息 }
    read: { event: { notifier: Server, field: Severity } }
`;
const texts: Readonly<Record<string, string>> = { ...modbusTexts, 'acme/ps': station };
const profiles: Profiles = {
  ids: Object.keys(texts),
  load: (reference) => {
    const [id = ''] = reference.split('@');
    return parseProfile(texts[id]!, id);
  },
  text: (id) => texts[id]!,
};

const gateway = (device: string, interlocks = '') => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1 }
devices:
  - { id: gas-1, link: a, unit: 2, profile: acme/gas@1 }
  - { id: fan-1, link: a, profile: acme/fan@1${device ? `, ${device}` : ''} }
${interlocks}`;

const parse = (text: string): GatewayConfig => parseGateway(text, 'gateway.yaml', profiles);

/** Offers by `point.command`. */
const offers = (device: string): Record<string, CommandOffer> =>
  Object.fromEntries(
    parse(gateway(device)).points.flatMap(({ point, commands = [] }) =>
      commands.map((offer) => [`${point}.${offer.id}`, offer]),
    ),
  );

/** `code path` of every finding, warnings included, and all of them as a person reads them. */
function findings(text: string): { codes: string[]; said: string } {
  const list = (() => {
    try {
      return parse(text).warnings;
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      return error.findings;
    }
  })();
  for (const { place } of list) expect(place).not.toBeNull();
  return {
    codes: list.map(({ code, path }) => `${code} ${path.join('.')}`),
    said: list.map((finding) => renderFinding(finding, 'en')).join('\n'),
  };
}
const wrong = (device: string, interlocks?: string) => findings(gateway(device, interlocks)).codes;
const said = (device: string, interlocks?: string) => findings(gateway(device, interlocks)).said;

test('nothing may be commanded that the file does not allow', () => {
  expect(offers('')).toEqual({});
  expect(offers('commands: { allow: [] }')).toEqual({});
  for (const point of parse(gateway('')).points) expect(point).not.toHaveProperty('commands');
});

test('what is allowed is offered as the profile has it; * is everything', () => {
  const { 'run.stop': stop, ...none } = offers('commands: { allow: [run.stop] }');
  expect(none).toEqual({});
  expect(stop).toMatchObject({ id: 'stop', fixed: false, right: 'operate', twoPeople: false });
  const all = offers('commands: { allow: ["*"] }');
  expect(Object.keys(all)).toEqual(['run.start', 'run.stop', 'speed.set', 'level.set']);
});

test('a site narrows range, right, second person, interval and reversal', () => {
  const narrow = `"speed.set": { range: [15, 40], right: administer, two_people: true, every: 1m,
    revert: { after: 10m, value: 15 } }`;
  const { 'speed.set': set } = offers(`commands: { allow: ["*"], set: { ${narrow} } }`);
  expect(set).toMatchObject({
    range: [15, 40],
    right: 'administer',
    twoPeople: true,
    everyMs: 60_000,
    revert: { afterMs: 600_000, value: 15 },
  });
  const added = `commands: { allow: ["*"], set: { run.start: { revert: { after: 1h, value: false } } } }`;
  expect(offers(added)['run.start']?.revert).toEqual({ afterMs: 3_600_000, value: false });
});

test('what would widen an offer is refused where it stands', () => {
  const cases: [string, string][] = [
    ['speed.set: { range: [5, 40] }', 'command-widened speed.set.range'],
    ['speed.set: { range: [20, 51] }', 'command-widened speed.set.range'],
    ['speed.set: { every: 1s }', 'command-widened speed.set.every'],
    ['speed.set: { right: operate }', 'command-widened speed.set.right'],
    ['run.start: { two_people: false }', 'command-widened run.start.two_people'],
    ['speed.set: { revert: { after: 2h, value: 20 } }', 'command-widened speed.set.revert'],
    [
      'speed.set: { revert: { after: 1m, value: 9 } }',
      'command-revert-unfit speed.set.revert.value',
    ],
    ['speed.set: { range: [30, 40] }', 'command-revert-unfit speed.set.revert.value'],
    ['run.stop: { revert: { after: 1m, value: 7 } }', 'command-value-unfit run.stop.revert.value'],
    ['run.stop: { range: [0, 1] }', 'keys-exclude run.stop.range'],
    ['speed.set: { range: [40, 15] }', 'range-order speed.set.range'],
    ['speed.set: { every: 10d }', 'command-duration speed.set.every'],
  ];
  for (const [set, expected] of cases) {
    const [code, ...path] = expected.split(' ');
    const found = wrong(`commands: { allow: ["*"], set: { ${set} } }`);
    expect([set, found]).toEqual([
      set,
      expect.arrayContaining([`${code} devices.1.commands.set.${path}`]),
    ]);
  }
  expect(said('commands: { allow: ["*"], set: { speed.set: { range: [5, 40] } } }')).toContain(
    'range of speed.set may only be narrower than in the profile, which says 10 … 50',
  );
});

test('what nobody offers cannot be allowed, and what is not allowed cannot be set', () => {
  expect(wrong('commands: { allow: [run.strat] }')).toEqual([
    'command-unknown devices.1.commands.allow.0',
  ]);
  expect(said('commands: { allow: [run.strat] }')).toContain('did you mean run.start?');
  expect(wrong('commands: { allow: [run] }')).toEqual(['not-an-offer devices.1.commands.allow.0']);
  expect(wrong('commands: { allow: [run.stop, run.stop, "*"] }')).toEqual([
    'command-allowed-twice devices.1.commands.allow.0',
    'command-allowed-twice devices.1.commands.allow.1',
  ]);
  const set = 'set: { run.start: { every: 1s }, run.strat: { every: 1s } }';
  expect(wrong(`commands: { allow: [run.stop], ${set} }`)).toEqual([
    'command-not-allowed devices.1.commands.set.run.start',
    'command-unknown devices.1.commands.set.run.strat',
  ]);
  const none = gateway('').replace('acme/gas@1', 'acme/gas@1, commands: { allow: ["*"] }');
  expect(findings(none).codes).toEqual(['command-none-offered devices.0.commands.allow.0']);
});

test('settings of a point do not reach its commands, but its narrower range counts for them', () => {
  expect(wrong('set: { points.speed.write.range: [0, 60] }')).toEqual([
    'command-setting devices.1.set.points.speed.write.range',
  ]);
  expect(wrong('set: { points.run.commands.start.two_people: false }')).toEqual([
    'command-setting devices.1.set.points.run.commands.start.two_people',
  ]);
  const allow = 'commands: { allow: ["*"] }';
  const wide = offers(`${allow}, set: { points.level.range: [0, 20] }`);
  expect(wide['level.set']?.range).toEqual([0, 9]);
  const close = offers(`${allow}, set: { points.level.range: [2, 20] }`);
  expect(close['level.set']?.range).toEqual([2, 9]);
});

test('narrowing never widens: whatever a site sets, what may be commanded was offered before', () => {
  const base = offers('commands: { allow: ["*"] }')['speed.set']!;
  const end = fc.integer({ min: 0, max: 60 });
  const low = fc.integer({ min: 8, max: 25 });
  const high = fc.integer({ min: 20, max: 52 });
  const settings = fc.record(
    {
      range: fc.tuple(low, high),
      right: fc.constantFrom(...commandRights),
      two_people: fc.boolean(),
      every: fc.constantFrom('1s', '5s', '10s'),
      revert: fc.record({ after: fc.constantFrom('1m', '1h', '2h'), value: high }),
    },
    { requiredKeys: [] },
  );
  let taken = 0;
  fc.assert(
    fc.property(settings, end, fc.integer({ min: 0, max: 12 }), (set, value, limit) => {
      const point = `set: { points.speed.range: [${limit}, 60] }`;
      const text = gateway(
        `commands: { allow: ["*"], set: { speed.set: ${JSON.stringify(set)} } }, ${point}`,
      );
      let now: CommandOffer | undefined;
      try {
        now = parse(text).points.find(({ point }) => point === 'speed')?.commands?.[0];
      } catch (error) {
        if (!(error instanceof InvalidInput)) throw error;
        return;
      }
      taken++;
      expect(now).toBeDefined();
      if (unfit(now!, value) === null) expect(unfit(base, value)).toBeNull();
      expect(commandRights.indexOf(now!.right)).toBeGreaterThanOrEqual(
        commandRights.indexOf(base.right),
      );
      expect(now!.everyMs).toBeGreaterThanOrEqual(base.everyMs);
      expect(now!.revert!.afterMs).toBeLessThanOrEqual(base.revert!.afterMs);
      expect(unfit(now!, now!.revert!.value)).toBeNull();
      expect(now!.timeToLiveMs).toBe(base.timeToLiveMs);
    }),
  );
  expect(taken).toBeGreaterThan(3);
});

// --- Interlocks ---

const allowed = 'commands: { allow: ["*"] }';
const lock = (guard: string, condition: string, more = '') => `interlocks:
  - id: keeps-running
    title: { en: The fan runs while there is gas, zh: 有燃气时风机不得停 }
    guard: { ${guard} }
    while: { ${condition} }
${more}`;
const stop = 'device: fan-1, point: run, commands: [stop]';
const gas = 'point: gas-1/ch4, above: 20';

test('an interlock names what it guards, what it looks at, and when it holds', () => {
  expect(parse(gateway(allowed)).interlocks).toEqual([]);
  const more = '    stale: 15s\n';
  expect(parse(gateway(allowed, lock(`${stop}, values: [false]`, gas, more))).interlocks).toEqual([
    {
      id: 'keeps-running',
      title: { en: 'The fan runs while there is gas', zh: '有燃气时风机不得停' },
      device: 'fan-1',
      point: 'run',
      commands: ['stop'],
      values: [false],
      watch: 'gas-1/ch4',
      holds: { kind: 'above', limit: 20 },
      staleMs: 15_000,
    },
  ]);
  const [other] = parse(
    gateway(
      allowed,
      lock('device: fan-1, point: speed', 'point: gas-1/alarm, is: [true]', '    stale: 2m\n'),
    ),
  ).interlocks;
  expect(other).toMatchObject({
    commands: null,
    values: null,
    holds: { kind: 'is', states: [true] },
    staleMs: 120_000,
  });
});

test('an interlock that could not do what it says is refused where it is wrong', () => {
  const cases: [string, string, string[]][] = [
    ['device: fan-2, point: run', gas, ['unknown-device guard.device']],
    ['device: fan-1, point: ruin', gas, ['unknown-point guard.point']],
    [
      `device: fan-1, point: run, commands: [sotp]`,
      gas,
      ['interlock-unknown-command guard.commands.0'],
    ],
    [`${stop}, values: [true]`, gas, ['interlock-value-unfit guard.values.0']],
    ['device: fan-1, point: speed, values: [60]', gas, ['interlock-value-unfit guard.values.0']],
    [stop, 'point: gas-2/ch4, above: 20', ['unknown-device while.point']],
    [stop, 'point: gas-1/ch5, above: 20', ['unknown-point while.point']],
    [stop, 'point: ch4, above: 20', ['not-a-watch while.point']],
    [stop, 'point: gas-1/ch4', ['interlock-condition while']],
    [stop, `${gas}, below: 5`, ['interlock-condition while']],
    [stop, 'point: gas-1/ch4, above: 100', ['interlock-never while.above']],
    [stop, 'point: gas-1/ch4, below: 0', ['interlock-never while.below']],
    [stop, 'point: gas-1/serial, above: 1', ['interlock-watches-kind while.above']],
    [stop, 'point: gas-1/alarm, is: [1]', ['state-unfit while.is.0']],
    [stop, 'point: gas-1/ch4, is: [true]', ['state-unfit while.is.0']],
  ];
  for (const [guard, condition, expected] of cases) {
    // A state is read every 30 s: what is stale is not the question here.
    const found = wrong(allowed, lock(guard, condition, '    stale: 2m\n'));
    const paths = expected.map((one) => one.replace(' ', ' interlocks.0.'));
    expect([guard, condition, found]).toEqual([guard, condition, paths]);
  }
  expect(said(allowed, lock('device: fan-2, point: run', gas))).toContain('did you mean fan-1?');
});

test('an interlock that guards nothing, or holds at one lost answer, is warned about', () => {
  expect(wrong('commands: { allow: [run.start] }', lock(stop, gas))).toEqual([
    'interlock-guards-nothing interlocks.0.guard',
  ]);
  expect(wrong('', lock('device: fan-1, point: run', gas))).toEqual([
    'interlock-guards-nothing interlocks.0.guard',
  ]);
  expect(wrong(allowed, lock(stop, 'point: gas-1/state, above: 2'))).toEqual([
    'interlock-stale-soon interlocks.0.stale',
  ]);
});

test('interlocks have ids of their own, and there are a few of them', () => {
  const one = lock(stop, gas);
  expect(wrong(allowed, one + one.replace('interlocks:\n', ''))).toEqual([
    'duplicate-id interlocks.1.id',
  ]);
  const many = Array.from({ length: INTERLOCKS_MAX + 1 }, (_, at) =>
    one.replace('interlocks:\n', '').replace('keeps-running', `lock-${at}`),
  );
  expect(wrong(allowed, `interlocks:\n${many.join('')}`)).toEqual(['too-many interlocks']);
});

test('a device with problems of its own does not make its interlocks wrong', () => {
  const text = gateway('commands: { allow: ["*"] }, set: { points.run.poll: 1x }', lock(stop, gas));
  expect(findings(text).codes).toEqual(['not-a-duration devices.1.set.points.run.poll']);
});

test('the example in examples/gateway-commands.yaml is right, and says what guards what', () => {
  const path = new URL('../../examples/gateway-commands.yaml', import.meta.url);
  const config = parseGateway(readFileSync(path), 'gateway-commands.yaml', packagedProfiles());
  expect(config.warnings).toEqual([]);
  const lines = commandLines(config, 'en');
  expect(lines).toContain(
    '  fan-4/running.stop: Stop the pump (right: control; a second person releases it)',
  );
  expect(lines[lines.findIndex((line) => line.includes('running.stop')) + 1]).toBe(
    '      refused while ch4-41/gas is above 20 %LEL, bad, or older than 30s (interlock fan-runs-while-gas)',
  );
  expect(lines[lines.findIndex((line) => line.includes('relay-2.set')) + 1]).toBe(
    '      for true: refused while ch4-41/gas is above 10 %LEL, bad, or older than 30s (interlock no-spark-while-gas)',
  );
  expect(lines[lines.findIndex((line) => line.includes('siren.sound')) + 1]).toBe(
    '      no interlock',
  );
  expect(commandLines(config, 'zh').join('\n')).toContain(
    'ch4-41/gas 高于 20 %LEL、无效或超过 30s 未更新时拒绝（联锁 fan-runs-while-gas）',
  );
  expect(commandLines(parse(gateway('')), 'en')).toEqual([]);
});

// --- A server in place of registers ---

const plant = (devices: string, interlocks = '') => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  plc: { protocol: opcua, kind: opcua, endpoint: "opc.tcp://10.0.0.1:4840" }
devices:
${devices}${interlocks}`;
const ps = (id: string, more = '') => `  - { id: ${id}, link: plc, profile: acme/ps@1${more} }\n`;

test('points of OPC UA are commanded and guarded as every other', () => {
  const narrow = 'set: { setpoint.set: { range: [10, 40] } }';
  const guard = lock('device: ps-1, point: running', 'point: ps-1/level, below: 0.5');
  const config = parse(plant(ps('ps-1', `, commands: { allow: ["*"], ${narrow} }`), guard));
  expect(config.warnings).toEqual([]);
  expect(
    config.points.flatMap(({ point, commands = [] }) =>
      commands.map(({ id, fixed, range }) => [point, id, fixed, range]),
    ),
  ).toEqual(
    expect.arrayContaining([
      ['running', 'start', true, null],
      ['setpoint', 'set', null, [10, 40]],
    ]),
  );
  expect(config.interlocks[0]).toMatchObject({ watch: 'ps-1/level', holds: { kind: 'below' } });
});

test('an interlock watches what holds, never an event', () => {
  const guard = lock('device: ps-1, point: running', 'point: ps-1/message, above: 500');
  const text = plant(ps('ps-1', ', commands: { allow: ["*"] }'), guard);
  expect(findings(text).codes).toEqual(['interlock-watches-event interlocks.0.while.point']);
});

test('devices of one server are told apart by their nodes: the same ones twice are warned about', () => {
  const other = ', settings: { namespaces: { ps: "urn:acme:ps:second" } }';
  expect(findings(plant(ps('ps-1') + ps('ps-2', other))).codes).toEqual([]);
  expect(findings(plant(ps('ps-1') + ps('ps-2'))).codes).toEqual(['same-nodes devices.1.profile']);
});

test('a gateway tells of the certificate of each server once and of its own once', () => {
  const parts = `  spare: { protocol: opcua, kind: opcua, endpoint: "opc.tcp://10.0.0.2:4840" }
  open: { protocol: opcua, kind: opcua, endpoint: "opc.tcp://10.0.0.3:4840", insecure: true,
    security: { policy: None } }
devices:
`;
  const all = `${ps('ps-1')}${ps('ps-2')}  - { id: ps-3, link: spare, profile: acme/ps@1 }
  - { id: ps-4, link: open, profile: acme/ps@1 }
`;
  const { points, insecure } = parse(plant(all).replace('devices:\n', parts));
  const told = points.filter(({ point }) => point.startsWith('certificate-'));
  expect(told.map(({ device, point }) => `${device} ${point}`)).toEqual([
    'ps-1 certificate-server-days',
    'ps-1 certificate-own-days',
    'ps-3 certificate-server-days',
  ]);
  for (const { rules } of told) expect(rules).toHaveLength(3);
  expect(insecure.map(({ en }) => en)).toContainEqual(expect.stringContaining('10.0.0.3'));
});

test('a unit on a device of OPC UA is wrong where it stands: there is none to ask', () => {
  expect(findings(plant(ps('ps-1', ', unit: 3'))).codes).toEqual(['unit-on-opcua devices.0.unit']);
});
