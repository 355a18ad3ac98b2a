import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Rule } from '../../core/alarm/rule.ts';
import { InvalidInput } from '../../core/problems.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import type { Profiles } from './device.ts';
import { fallbackLines, isMeant } from './fallback.ts';
import { type GatewayConfig, parseGateway } from './gateway.ts';
import { packagedProfiles } from './loader.ts';

const head = (id: string) => `version: 1
profile:
  id: acme/${id}
  revision: "1.0.0"
  kind: drive
  vendor: ACME
  models: [X]
  title: { en: X, zh: X }
  source: { document: Register map, status: official }
protocol: modbus
points:
`;
const texts: Readonly<Record<string, string>> = {
  'acme/fan': `${head('fan')}
  run:
    title: { en: Running, zh: 运行 }
    read: { table: coil, address: 0 }
    commands:
      start: { title: { en: Start, zh: 启动 }, value: true }
      stop: { title: { en: Stop, zh: 停止 }, value: false }
  horn:
    title: { en: Horn, zh: 喇叭 }
    read: { table: coil, address: 1 }
    write: {}
  speed:
    title: { en: Speed, zh: 转速 }
    read: { table: holding, address: 1, type: uint16 }
    range: [0, 60]
    write: { range: [10, 50] }
`,
  'acme/gas': `${head('gas')}
  ch4:
    title: { en: Methane, zh: 甲烷 }
    read: { table: input, address: 0, type: uint16 }
    unit: "%{LEL}"
    range: [0, 100]
    class: life-safety
    alarms:
      high: { raise: 20, clear: 15, level: 1 }
      low: { raise: 1, clear: 2, level: 3 }
  level:
    title: { en: Level, zh: 液位 }
    read: { table: input, address: 1, type: uint16 }
    range: [0, 100]
    alarms:
      high: { raise: 20, clear: 15, level: 1 }
`,
};
const profiles: Profiles = {
  ids: Object.keys(texts),
  load: (reference) => {
    const [id = ''] = reference.split('@');
    return parseProfile(texts[id]!, id);
  },
  text: (id) => texts[id]!,
};
const file = (fallback: string, more = '') => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1 }
devices:
  - { id: gas-1, link: a, unit: 2, profile: acme/gas@1 }
  - { id: fan-1, link: a, profile: acme/fan@1, commands: { allow: [run.start, run.stop, horn.set] } }
${more}
fallback:
${fallback}
`;
const parse = (...text: Parameters<typeof file>): GatewayConfig =>
  parseGateway(file(...text), 'gateway.yaml', profiles);

/** `code path line:column` of each finding; warnings too. */
function findings(...text: Parameters<typeof file>): string[] {
  try {
    return parse(...text).warnings.map(({ code, path }) => `${code} ${path.join('.')}`);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings.map(({ code, path, place }) => {
      expect(place).not.toBeNull();
      return `${code} ${path.join('.')}`;
    });
  }
}

const horn = 'output: { device: fan-1, point: horn, value: true }';

test('what is not said is the customary', () => {
  const [fallback] = parse(`  - { id: a, ${horn} }`).fallbacks;
  expect(fallback).toEqual({
    id: 'a',
    when: { levels: [1, 2], devices: null, points: null, rules: null },
    ...{ confirmWithinMs: 90_000, cloudAway: 'wait' },
    output: { device: 'fan-1', point: 'horn', command: 'set', value: true },
    release: { on: ['confirmed', 'cleared'], afterMs: null, command: 'set', value: false },
  });
});

test('it is meant for alarms of level I and II of life-safety points, and for what is named', () => {
  const meant = (when: string) => {
    const { fallbacks, points } = parse(`  - { id: a, ${when} ${horn} }`);
    return points.flatMap((point) =>
      point.rules
        .filter((rule: Rule) => isMeant(fallbacks[0]!, point, rule))
        .map(({ id }) => `${point.point}/${id}`),
    );
  };
  expect(meant('')).toEqual(['ch4/high']);
  expect(meant('when: { levels: [1, 3] },')).toEqual(['ch4/high', 'ch4/low']);
  expect(meant('when: { points: [gas-1/level] },')).toEqual(['level/high']);
  expect(meant('when: { levels: [3], rules: [low] },')).toEqual(['ch4/low']);
});

test('what could not work when it is needed is told where it stands', () => {
  const cases: [string, string[]][] = [
    ['output: { device: fan-2, point: horn, value: true }', ['unknown-device output.device']],
    ['output: { device: fan-1, point: hron, value: true }', ['unknown-point output.point']],
    ['output: { device: fan-1, point: speed, value: 20 }', ['fallback-not-allowed output']],
    [
      'output: { device: fan-1, point: run, command: sart }',
      ['fallback-not-allowed output.command'],
    ],
    ['output: { device: fan-1, point: horn, value: 7 }', ['fallback-value-unfit output.value']],
    ['output: { device: fan-1, point: horn }', ['fallback-value-unfit output']],
    ['output: { device: fan-1, point: run, command: start }', ['fallback-release-same output']],
    [`${horn}, release: { value: true }`, ['fallback-release-same release']],
    [`${horn}, release: { command: off }`, ['fallback-not-allowed release.command']],
    [`${horn}, when: { devices: [gas-2] }`, ['unknown-device when.devices.0']],
    [`${horn}, when: { points: [gas-1/ch5] }`, ['unknown-point when.points.0']],
    [`${horn}, when: { levels: [4] }`, ['fallback-never when']],
    [`${horn}, confirm_within: soon`, ['not-a-duration confirm_within']],
  ];
  for (const [text, expected] of cases) {
    const paths = expected.map((one) => one.replace(' ', ' fallback.0.'));
    expect([text, findings(`  - { id: a, ${text} }`)]).toEqual([text, paths]);
  }
  const start = 'output: { device: fan-1, point: run, command: start }';
  expect(findings(`  - { id: a, ${start}, release: { command: stop } }`)).toEqual([]);
  expect(findings(`  - { id: a, ${start}, release: never }`)).toEqual([]);
});

test('two fallbacks on one output drive and release it in one way', () => {
  const one = `  - { id: a, ${horn} }\n`;
  expect(findings(`${one}  - { id: b, ${horn}, when: { levels: [1] } }`)).toEqual([]);
  expect(findings(`${one}  - { id: b, ${horn}, release: never }`)).toEqual([
    'fallback-outputs-differ fallback.1.output',
  ]);
  expect(findings(`${one}  - { id: a, ${horn} }`)).toEqual(['duplicate-id fallback.1.id']);
});

test('an interlock that may hold the output is warned about', () => {
  const lock = `interlocks:
  - id: quiet-hours
    title: { en: Quiet, zh: 安静 }
    guard: { device: fan-1, point: horn, values: [true] }
    while: { point: gas-1/level, above: 50 }
    stale: 2m
`;
  expect(findings(`  - { id: a, ${horn} }`, lock)).toEqual([
    'fallback-may-be-held fallback.0.output',
  ]);
});

test('the example in examples/gateway-fallback.yaml is right', () => {
  const path = new URL('../../examples/gateway-fallback.yaml', import.meta.url);
  const config = parseGateway(readFileSync(path), 'gateway-fallback.yaml', packagedProfiles());
  expect(config.warnings).toEqual([]);
  expect(config.fallbacks.map(({ id, confirmWithinMs }) => [id, confirmWithinMs])).toEqual([
    ['fan-on-gas', 90_000],
    ['siren-on-gas', 120_000],
  ]);
  expect(fallbackLines(config, 'en')).toEqual([
    'What is driven when nobody confirms',
    expect.stringMatching(
      /^ {2}fan-on-gas: after 90s, or at once when the cloud is away: relays-4\/relay-1 set true; for \d+ rules$/,
    ),
    '      released by confirmed, cleared: relays-4/relay-1 set false',
    expect.stringMatching(/^ {2}siren-on-gas: after 2m, or as late when the cloud is away: /),
    '      released by cleared, 10m: relays-4/relay-2 set false',
  ]);
  expect(fallbackLines(config, 'zh')[0]).toBe('无人确认时的后备动作');
});
