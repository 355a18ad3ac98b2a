import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidInput, renderFinding } from '../../core/problems.ts';
import type { ModbusDevice } from '../../protocols/modbus/address.ts';
import { gatewayJsonSchema } from './format.ts';
import type { GatewayConfig } from './gateway.ts';
import { configurationHash, parseGateway } from './gateway.ts';
import { packagedProfiles } from './loader.ts';

const profiles = packagedProfiles();

const parse = (text: string): GatewayConfig => parseGateway(text, 'gateway.yaml', profiles);

/** `line:column code` of every finding that stands in the way. */
function wrong(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings
      .filter(({ severity }) => severity === 'error')
      .map(({ place, code }) => `${place?.line}:${place?.column} ${code}`);
  }
  return [];
}

function rendered(text: string): string {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings.map((finding) => renderFinding(finding, 'en')).join('\n');
  }
  return '';
}

const head = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1 }
  b: { protocol: modbus, kind: tcp, host: 10.0.0.2 }
devices:
`;
const device = (parts: string) => `  - { profile: honeywell/sensepoint-xcd@1, ${parts} }\n`;
const fine = `${head}${device('id: gas-1, link: a')}${device('id: gas-2, link: b')}`;

test('a file that is right gives frozen values, with defaults where it says nothing', () => {
  const config = parse(fine);
  expect(config.status).toEqual({ host: '127.0.0.1', port: 9180 });
  expect(config.outbox.bytesMax).toBe(2 ** 30);
  expect(config.links[0]).toMatchObject({ port: 502, connectTimeoutMs: 3000 });
  expect(config.cloud.credentials).toEqual({ kind: 'file', name: 'cloud' });
  expect(config.hash).toBe(configurationHash(fine));
  expect(Object.isFrozen(config.devices[0]?.groups[0]?.points)).toBe(true);
});

test('points stand in the order of the manifest: a group is a run of aliases, none is left out', () => {
  const { devices, points } = parse(fine);
  let next = 0;
  for (const { id, groups } of devices) {
    for (const { firstAlias, points: inside, periodMs, addresses } of groups) {
      expect(firstAlias).toBe(next);
      expect(addresses).toHaveLength(inside.length);
      for (const { definition } of inside) {
        expect(points[next++]).toBe(definition);
        expect(definition).toMatchObject({ device: id, periodMs });
      }
    }
  }
  expect(points).toHaveLength(next);
});

test('everything that is wrong is told at once, each at its line and column', () => {
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://cloud.example:1883, credentials: hunter2 }
status: { host: 0.0.0.0 }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1 }
  b: { protocol: modbus, kind: tcp, host: 10.0.0.1, port: 502 }
devices:
  - { id: x, link: c, profile: honeywell/sensepoint-xcd@1 }
  - { id: x, link: a, profile: honeywell/sensepoint-xdc@1 }
  - { id: y, link: a, profile: honeywell/sensepoint-xcd@7, unit: 2 }
  - { id: z, link: a, profile: honeywell/sensepoint-xcd@1, unit: 2 }
`;
  expect(wrong(text)).toEqual([
    '3:15 cloud-unprotected',
    '3:55 secret-inline',
    '4:17 status-unprotected',
    '7:43 same-endpoint',
    '9:20 unknown-link',
    '10:11 duplicate-device',
    '10:32 unknown-profile',
    '11:32 profile-refused',
    '12:66 same-address',
  ]);
  expect(rendered(text)).toContain('did you mean honeywell/sensepoint-xcd?');
});

const withSecond = (second: string) =>
  fine.replace(
    '"${secret:cloud}" }',
    `"\${secret:cloud}", local_address: 10.0.0.7,\n  second: { ${second} } }`,
  );

test('a second path is metered unless told: trends while the first is down, no backlog', () => {
  const { cloud } = parse(withSecond('url: mqtts://other.example:8883'));
  expect(cloud.localAddress).toBe('10.0.0.7');
  expect(cloud.second).toEqual({
    url: 'mqtts://other.example:8883',
    credentials: { kind: 'file', name: 'cloud' },
    localAddress: null,
    terms: { isMetered: true, carriesTrends: true, carriesBacklog: false },
  });
  const free = parse(withSecond('url: mqtts://other.example:8883, cost: free')).cloud.second;
  expect(free?.terms).toEqual({ isMetered: false, carriesTrends: true, carriesBacklog: true });
  const told = 'url: mqtt://127.0.0.1:1883, local_address: "fe80::7", trends: never, backlog: true';
  const never = parse(withSecond(told)).cloud.second;
  expect(never).toMatchObject({
    localAddress: 'fe80::7',
    terms: { isMetered: true, carriesTrends: false, carriesBacklog: true },
  });
  expect(parse(fine).cloud.second).toBeNull();
});

test('what is wrong with a second path is told at its place', () => {
  const told = (second: string) => wrong(withSecond(second)).map((it) => it.replace(/^\d+:/, ''));
  expect(told('url: mqtt://far.example:1883, credentials: hunter2')).toEqual([
    '18 cloud-unprotected',
    '56 secret-inline',
  ]);
  const same = 'url: mqtt://127.0.0.1:1883, local_address: 10.0.0.7';
  expect(told(same)).toEqual(['18 same-path']);
  expect(told('url: far.example')).toEqual(['18 not-a-broker']);
  expect(told('url: mqtts://far.example, local_address: eth1')).toEqual(['54 not-an-address']);
  const open = parse(withSecond('url: mqtt://far.example:1883, insecure: true'));
  expect(open.insecure.map(({ en }) => en)).toEqual([
    'readings and the password go to mqtt://far.example:1883 without encryption',
  ]);
});

test('a link named like something every object has is unknown', () => {
  for (const name of ['constructor', 'valueof', 'tostring']) {
    expect(wrong(`${head}${device(`id: g1, link: ${name}`)}`)).toContainEqual(
      expect.stringContaining('unknown-link'),
    );
  }
});

test('unknown keys, wrong forms and missing keys are shown where they are, with what was meant', () => {
  const text = fine.replace('area: east, ', '').replace('id: gas-1', 'id: Gas 1, pol: 5s');
  expect(wrong(text)).toEqual(['2:1 missing-key', '8:48 not-an-id', '8:55 unknown-key']);
  expect(rendered(text)).toContain('did you mean poll?');
});

test('a setting of the site is in force, and only for its device', () => {
  const set = 'set: { points.gas.alarms.high.raise: 20, points.gas.alarms.high.clear: 15 }';
  const { points } = parse(
    `${head}${device(`id: g1, link: a, ${set}`)}${device('id: g2, link: b')}`,
  );
  const high = (id: string) =>
    points
      .find(({ device: of, point }) => of === id && point === 'gas')
      ?.rules.find(({ id: rule }) => rule === 'high');
  expect(high('g1')).toMatchObject({ limit: 20, deadband: 5 });
  expect(high('g2')).toMatchObject({ limit: 25, deadband: 2 });
});

test('a setting that takes the hysteresis away is refused at the setting', () => {
  const set = 'set: { points.gas.alarms.high.raise: 20 }';
  const text = `${head}${device(`id: g1, link: a, ${set}`)}`;
  expect(wrong(text)).toEqual([expect.stringMatching(/^8:\d+ alarm-never-clears$/)]);
});

test('a setting of a point or key that is not there is refused, with what was meant', () => {
  const point = `${head}${device('id: g1, link: a, set: { points.gaz.deadband: 1 }')}`;
  expect(wrong(point)).toEqual([expect.stringMatching(/^8:\d+ setting-unknown-point$/)]);
  expect(rendered(point)).toContain('did you mean gas?');
  const key = `${head}${device('id: g1, link: a, set: { points.gas.deadbant: 1 }')}`;
  expect(wrong(key)).toEqual([expect.stringMatching(/^8:\d+ unknown-key$/)]);
});

test('poll sets the period of a device, but for points with a setting of their own', () => {
  const set = 'poll: 5s, set: { points.gas.poll: 1s }';
  const { devices } = parse(`${head}${device(`id: g1, link: a, ${set}`)}`);
  expect(devices[0]?.groups.map(({ periodMs }) => periodMs)).toEqual([1000, 5000]);
  expect(devices[0]?.groups[0]?.points.map(({ definition }) => definition.point)).toEqual(['gas']);
});

test('a no-data alarm of the profile waits for slow polls, and that is said; one of the file is wrong', () => {
  const { warnings, points } = parse(
    `${head}${device('id: g1, link: a, poll: 10m')}${device('id: g2, link: b, poll: 10m')}`,
  );
  const silent = points.flatMap(({ rules }) =>
    rules.flatMap((rule) => (rule.kind === 'no-data' ? [rule.silentMs] : [])),
  );
  expect(new Set(silent)).toEqual(new Set([1_800_000]));
  const said = warnings.filter(({ code }) => code === 'no-data-stretched');
  expect(said.map(({ path }) => path[1])).toEqual([0, 1]);
  expect(said[0]?.message.en).toContain('points.gas.alarms.no_data.after');
  expect(said[0]?.message.en).toContain('30m is in force');
  const set = 'set: { points.gas.alarms.no_data.after: 1m, points.gaz.deadband: 1 }';
  const own = `${head}${device(`id: g1, link: a, poll: 10m, ${set}`)}`;
  expect(wrong(own).map((each) => each.split(' ')[1])).toEqual([
    'no-data-too-early',
    'setting-unknown-point',
  ]);
  expect(rendered(own)).toContain('no_data of the point gas: 1m is less than 3 times');
});

test('a profile that cannot be used is refused in the language of the reader', () => {
  const text = `${head}${device('id: g1, link: a').replace('@1', '@7')}`;
  let zh = '';
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    zh = error.findings.map(({ message }) => message.zh).join('\n');
  }
  expect(zh).toContain('已安装的版本是');
});

test('a timeout no protocol takes is told at the link, once', () => {
  const text = linked('kind: tcp, host: 10.0.0.1, timeout: 0ms');
  expect(wrong(text)).toEqual([expect.stringMatching(/^5:\d\d /)]);
});

test('a link that cannot carry its periods is refused with the sum', () => {
  const link = 'a: { protocol: modbus, kind: tcp, host: 10.0.0.1, answer: 300ms }';
  const text = `${head.replace(/a: \{.*\}/, link)}${device('id: g1, link: a, poll: 200ms')}`;
  expect(wrong(text)).toEqual(['5:3 link-overloaded']);
  expect(rendered(text)).toMatch(/at 300 ms each, 1 at a time, need \d{4} ms of every 1000/);
  expect(wrong(text.replace('poll: 200ms', 'poll: 5s'))).toEqual([]);
});

const linked = (a: string, b = 'kind: tcp, host: 10.0.0.2') =>
  fine
    .replace(/a: \{.*\}/, `a: { protocol: modbus, ${a} }`)
    .replace(/b: \{.*\}/, `b: { protocol: modbus, ${b} }`);
const BY_ID = '/dev/serial/by-id/usb-FTDI_AB0K5QXE-if00-port0';
const unit = 'kind: tcp-server, listen: { port: 7000 }, identity';

test('links of every kind are read, with defaults where they say nothing', () => {
  const read = (a: string) => parse(linked(a)).links[0];
  const pace = { bitsPerSecond: 9600, bitsPerCharacter: 10 };
  expect(read(`kind: serial, port: ${BY_ID}`)).toMatchObject({
    kind: 'serial',
    port: BY_ID,
    settings: { bitsPerSecond: 9600, dataBits: 8, parity: 'N', stopBits: 1 },
    line: { framing: 'rtu', echo: false },
  });
  const ascii = 'serial: 1200-7E1, framing: ascii, echo: true';
  expect(read(`kind: serial, port: ${BY_ID}, ${ascii}`)).toMatchObject({
    settings: { bitsPerSecond: 1200, dataBits: 7, parity: 'E', stopBits: 1 },
    line: { framing: 'ascii', echo: true },
  });
  expect(read(`${unit}: DTU-7, heartbeat: "hex:ff 00", serial: 9600-8N1`)).toMatchObject({
    listen: { host: '127.0.0.1', port: 7000 },
    identity: new TextEncoder().encode('DTU-7'),
    heartbeat: Uint8Array.of(0xff, 0),
    units: [1],
    line: { framing: 'rtu' },
    pace,
  });
  const behind = 'kind: tcp, host: 10.0.0.1, framing: rtu, serial: 9600-8N1';
  expect(read(`${behind}, backup: { host: 10.0.1.1 }`)).toMatchObject({
    line: { framing: 'rtu' },
    backup: { host: '10.0.1.1', port: 502 },
    pace,
  });
  expect(read('kind: tcp, host: 10.0.0.1')).toMatchObject({ pace: null, backup: null });
  expect(read('kind: sim, socket: /run/line.sock')).toMatchObject({ socket: '/run/line.sock' });
  expect(read('kind: sim, socket: "localhost:7"')).toMatchObject({
    socket: { host: 'localhost', port: 7 },
  });
});

test('a key of another kind of link, and a kind nobody knows, are told once each', () => {
  expect(wrong(linked(`kind: serial, port: ${BY_ID}, host: 10.0.0.1`))).toHaveLength(1);
  const help = rendered(linked(`kind: serial, port: ${BY_ID}, host: 10.0.0.1`));
  expect(help).toMatch(/expected one of: .*\bport\b/);
  expect(help).not.toMatch(/did you mean host|connect_timeout/);
  expect(rendered(linked('kind: sereal, port: x'))).toContain('did you mean serial?');
  expect(wrong(linked('kind: tcp'))).toEqual(['5:3 missing-key']);
});

test('what is no port, setting, packet or socket is refused where it stands', () => {
  const codes = (a: string) => wrong(linked(a)).map((each) => each.split(' ')[1]);
  expect(codes('kind: serial, port: COM3')).toEqual(['not-a-port']);
  for (const serial of ['9600', '9600-8X1', '299-8N1', '921601-8N1']) {
    expect(codes(`kind: serial, port: ${BY_ID}, serial: "${serial}"`)).toEqual([
      'not-line-settings',
    ]);
  }
  expect(codes(`${unit}: "hex:c0 0"`)).toEqual(['not-a-packet']);
  expect(codes(`${unit}: ""`)).toEqual(['not-a-packet']);
  expect(codes('kind: sim, socket: line')).toEqual(['not-a-socket']);
  expect(codes(`kind: serial, port: ${BY_ID}, framing: tcp`)).toHaveLength(1);
  expect(codes('kind: tcp, host: a, framing: rtu, in_flight: 4')).toEqual(['in-flight-on-line']);
});

test('a bus has one owner: two links to one place are refused, also by their backup', () => {
  const serial = `kind: serial, port: ${BY_ID}`;
  expect(wrong(linked(serial, serial))).toEqual([expect.stringContaining('same-endpoint')]);
  const backup = 'kind: tcp, host: 10.0.0.3, backup: { host: 10.0.0.2 }';
  expect(wrong(linked(backup))).toEqual([expect.stringContaining('same-endpoint')]);
  const sim = 'kind: sim, socket: /run/line.sock';
  expect(wrong(linked(sim, sim))).toEqual([expect.stringContaining('same-endpoint')]);
});

test('a name that changes with the order of plugging in is warned about', () => {
  const { warnings } = parse(linked('kind: serial, port: /dev/ttyUSB0'));
  expect(warnings.map(({ code }) => code)).toEqual(['port-renumbered']);
  expect(parse(linked('kind: serial, port: /dev/ttyAMA0')).warnings).toEqual([]);
});

test('units share a port and are told apart by their packets, which may not begin alike', () => {
  expect(wrong(linked(`${unit}: DTU-7`, `${unit}: DTU-8`))).toEqual([]);
  for (const other of ['DTU-7', 'DTU-71', '"hex:44 54"']) {
    expect(wrong(linked(`${unit}: DTU-7`, `${unit}: ${other}`))).toEqual([
      expect.stringContaining('same-identity'),
    ]);
  }
  const elsewhere = 'kind: tcp-server, listen: { port: 7001 }, identity: DTU-7';
  expect(wrong(linked(`${unit}: DTU-7`, elsewhere))).toEqual([]);
});

test('a heartbeat that an answer could begin with is refused', () => {
  const codes = (more: string) => wrong(linked(`${unit}: DTU-7, heartbeat: ${more}`));
  for (const heartbeat of ['"hex:01"', '"hex:01 03"', '"hex:01 03 02 00 01"']) {
    expect(codes(heartbeat)).toEqual([expect.stringContaining('heartbeat-like-answer')]);
  }
  for (const heartbeat of ['ping', '"hex:02"', '"hex:01 07"', '"hex:fe"']) {
    expect(codes(heartbeat)).toEqual([]);
  }
  expect(codes('":01", framing: ascii')).toHaveLength(1);
  expect(codes('"hex:00 01", framing: tcp')).toHaveLength(1);
});

test('listening beyond this machine is allowed only in writing, and is said at every start', () => {
  const open = unit.replace('port: 7000', 'port: 7000, host: 0.0.0.0');
  expect(wrong(linked(`${open}: DTU-7`))).toEqual([expect.stringContaining('listen-unprotected')]);
  const said = open.replace('0.0.0.0', '0.0.0.0, insecure: true');
  const { insecure } = parse(linked(`${said}: DTU-7`, `${said}: DTU-8`));
  expect(insecure.map(({ en }) => en)).toEqual([expect.stringContaining('0.0.0.0:7000')]);
});

const onLine = (serial: string, more: string, poll: string) => {
  const link = `a: { protocol: modbus, kind: serial, port: /dev/serial/by-id/x, serial: ${serial}${more} }`;
  const units = [1, 2, 3, 4].map((unit) =>
    device(`id: g${unit}, link: a, unit: ${unit}, poll: ${poll}`),
  );
  return `${head.replace(/a: \{.*\}/, link)}${units.join('\n')}`;
};

test('a bus that cannot keep its periods is refused with the arithmetic: requests, characters, time', () => {
  const text = onLine('1200-8E1', '', '400ms');
  expect(wrong(text)).toEqual(['5:3 line-overloaded']);
  const said = rendered(text);
  expect(said).toMatch(
    /requests a second, which are \d+ characters .* at 1200 baud and 11 bits each/,
  );
  expect(said).toMatch(/and 10 ms until each answer, need \d{4,5} ms of every 1000/);
  expect(wrong(onLine('115200-8E1', '', '400ms'))).toEqual([]);
});

test('the time a device takes to answer counts, and from 60 % on there is a warning', () => {
  const warned = (more: string, poll: string) =>
    parse(onLine('9600-8N1', more, poll))
      .warnings.map(({ code }) => code)
      .filter((code) => code.startsWith('line'));
  expect(warned('', '2s')).toEqual([]);
  expect(warned(', answer: 300ms', '2s')).toEqual(['line-busy']);
  expect(wrong(onLine('9600-8N1', ', answer: 600ms', '2s'))).toContain('5:3 line-overloaded');
});

test('a request that holds up a faster device for more than a tenth of its period is warned about', () => {
  const fast = device('id: g9, link: a, unit: 9, set: { points.gas.poll: 300ms }');
  const text = `${onLine('9600-8N1', '', '10s')}${fast}`;
  expect(parse(text).warnings.map(({ code }) => code)).toContain('line-long-request');
});

test('an outbox too small to be one is refused', () => {
  expect(wrong(fine.replace('links:', 'outbox: { size: 1MiB }\nlinks:'))).toEqual([
    '4:17 outbox-too-small',
  ]);
});

test('settings of the protocol are checked by the protocol', () => {
  const text = `${head}${device('id: g1, link: a, settings: { limits: { maxRegisters: 500 } }')}`;
  expect(wrong(text)).toHaveLength(1);
  const unit = `${head}${device('id: g1, link: a, unit: 250')}`;
  expect(wrong(unit)).toHaveLength(1);
});

test('a limit that a site sets leaves the other limits of the profile', () => {
  const device =
    '{ id: g1, link: a, profile: eastron/sdm630@1, settings: { limits: { minGapMs: 50 } } }';
  const { devices } = parse(
    `${head}  - ${device}\n  - { id: g2, link: b, profile: eastron/sdm630@1 }\n`,
  );
  const limits = devices.map(({ options }) => (options as ModbusDevice).limits);
  expect(limits[0]).toMatchObject({ minGapMs: 50, maxRegisters: 80 });
  expect(limits[1]).toMatchObject({ minGapMs: 0, maxRegisters: 80 });
});

test('limits of a site within which a value cannot be read are refused at the limit, once', () => {
  const keller = (settings: string) =>
    `${head}  - { id: g1, link: a, profile: keller/series-30@1, settings: { ${settings} } }\n` +
    device('id: g2, link: b');
  const narrow = keller('limits: { maxRegisters: 1 }');
  expect(wrong(narrow)).toEqual(['8:89 point-beyond-block']);
  expect(rendered(narrow)).toMatch(/points\.\w+\.read: the value takes 2 registers/);
  expect(wrong(keller('limits: { maxRegisters: 2 }'))).toEqual([]);
  const forbidden =
    '[{ table: holding, from: 0, to: 0xff }, { table: holding, from: 0x104, to: 0x1ff }]';
  const wide = keller(`limits: { minRegisters: 8, forbidden: ${forbidden} }`);
  expect(wrong(wide)).toEqual(['8:89 block-forbidden']);
  expect(wrong(keller('unit: 900'))).toHaveLength(1);
});

test('unit 0 is nobody on a bus, also behind a converter, and a unit like others on Modbus TCP', () => {
  const on = (framing: string) =>
    fine
      .replace('10.0.0.1', `10.0.0.1, framing: ${framing}`)
      .replace('link: a', 'link: a, unit: 0');
  expect(wrong(on('rtu'))).toEqual([expect.stringMatching(/^8:\d+ broadcast-unit$/)]);
  expect(wrong(on('ascii'))).toHaveLength(1);
  expect(wrong(on('tcp'))).toEqual([]);
});

test('what leaves the machine unprotected is allowed only in writing, and is said at every start', () => {
  const url = fine.replace('mqtt://127.0.0.1:1883', 'mqtt://10.0.0.9:1883, insecure: true');
  expect(parse(url).insecure.map(({ en }) => en)).toEqual([expect.stringContaining('10.0.0.9')]);
  expect(parse(fine).insecure).toEqual([]);
  expect(wrong(fine.replace('mqtt://127.0.0.1', 'mqtts://10.0.0.9'))).toEqual([]);
});

test('the name a site gives its device travels with its points', () => {
  const named = 'name: { en: Well 7, zh: 07号井 }, asset: gas/well-07';
  const [point] = parse(`${head}${device(`id: g1, link: a, ${named}`)}`).points;
  expect(point).toMatchObject({
    name: { en: expect.stringMatching(/^Well 7: /), zh: expect.stringMatching(/^07号井：/) },
    asset: 'gas/well-07',
  });
});

test('the schema for editors is current', () => {
  const file = new URL('./gateway.schema.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(
    JSON.parse(JSON.stringify(gatewayJsonSchema())),
  );
});

test('the example in examples/gateway.yaml is right', () => {
  const path = new URL('../../examples/gateway.yaml', import.meta.url);
  const config = parseGateway(readFileSync(path), 'examples/gateway.yaml', profiles);
  expect(config.warnings).toEqual([]);
  expect(config.insecure).toEqual([]);
  expect(config.devices).toHaveLength(3);
});

test('the example in examples/gateway-serial.yaml is right, and shows a link of each kind in the field', () => {
  const path = new URL('../../examples/gateway-serial.yaml', import.meta.url);
  const config = parseGateway(readFileSync(path), 'examples/gateway-serial.yaml', profiles);
  expect(config.warnings).toEqual([]);
  expect(config.insecure).toEqual([]);
  expect(config.links.map(({ kind }) => kind)).toEqual(['serial', 'tcp-server', 'tcp']);
});
