import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { InvalidInput, renderFinding } from '../../core/problems.ts';
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

test('a link that cannot carry its periods is refused with the sum', () => {
  const link = 'a: { protocol: modbus, kind: tcp, host: 10.0.0.1, answer: 300ms }';
  const text = `${head.replace(/a: \{.*\}/, link)}${device('id: g1, link: a, poll: 200ms')}`;
  expect(wrong(text)).toEqual(['5:3 link-overloaded']);
  expect(rendered(text)).toMatch(/at 300 ms each, 1 at a time, need \d{4} ms of every 1000/);
  expect(wrong(text.replace('poll: 200ms', 'poll: 5s'))).toEqual([]);
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
