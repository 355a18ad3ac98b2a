import { expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { InvalidInput } from '../../core/problems.ts';
import { seededRandom } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import { Collector } from '../collect/loop.ts';
import type { GatewayConfig } from '../config/gateway.ts';
import { parseGateway } from '../config/gateway.ts';
import { packagedProfiles } from '../config/loader.ts';
import { DRILL_HOLD_MS, FIRST_MS_MAX, UP_MS } from './driver.ts';

const profiles = packagedProfiles();
const never = new AbortController().signal;

const file = (more: string, id = 'gas-1') => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
  a: { protocol: modbus, kind: tcp, host: 10.0.0.1 }
devices:
  - { profile: honeywell/sensepoint-xcd@1, id: ${id}, link: a }
${more}`;
const parse = (text: string): GatewayConfig => parseGateway(text, 'gateway.yaml', profiles);

function wrong(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    if (!(error instanceof InvalidInput)) throw error;
    return error.findings
      .filter(({ severity }) => severity === 'error')
      .map(({ place, code }) => `${place?.line} ${code}`);
  }
  return [];
}

const EVERY_MS = 120_000;

/** The gateway's own device alone, collected as every other. */
function collecting(seed: number) {
  const { devices, links, points } = parse(file('path_test: { every: 2m }'));
  const clock = new SimClock();
  const told: { readonly point: string; readonly value: Value; readonly atMs: number }[] = [];
  const [link] = links.filter(({ kind }) => kind === 'self');
  const collector = new Collector(clock, seededRandom(seed), silentLog, new Metrics(), {
    links: [{ id: 'self', protocol: link!.protocol, place: link }],
    devices: devices.filter(({ id }) => id === 'self'),
    sink: {
      accepts: true,
      report: ({ alias, values, monoMs }) => {
        alias.forEach((each, at) => {
          const value = values[at]!;
          told.push({ point: points[each]!.point, value, atMs: monoMs[at]! });
        });
      },
      missed: () => {},
    },
    reportAll: false,
  });
  collector.start();
  const rises = () => told.filter(({ point, value }) => point === 'path-test' && value === true);
  return { clock, collector, told, rises };
}

test('a gateway that does not ask for path tests has no device of its own', () => {
  const config = parse(file(''));
  expect(config.devices.map(({ id }) => id)).toEqual(['gas-1']);
  expect(config.links.map(({ id }) => id)).toEqual(['a']);
});

test('the device of the gateway stands last in the manifest, with its rules and what is allowed', () => {
  const { devices, points } = parse(file('path_test: { every: 15m }'));
  const before = points.filter(({ device }) => device !== 'self').length;
  expect(devices.at(-1)?.groups[0]?.firstAlias).toBe(before);
  const own = points.slice(before);
  expect(
    own.map(({ point, rules, commands = [] }) => [point, rules[0]?.level, commands.length]),
  ).toEqual([
    ['path-test', 4, 0],
    ['drill-1', 1, 1],
    ['drill-2', 2, 1],
    ['drill-3', 3, 1],
    ['drill-4', 4, 1],
  ]);
  expect(own.every((each) => each.device === 'self' && each.class === 'life-safety')).toBe(true);
  expect(own[0]?.rules[0]?.timeAvailableMs).toBe(900_000);
});

test('the name of the gateway itself is refused for a device and a link, and so is a test too often', () => {
  expect(wrong(file('', 'self'))).toEqual(['7 self-is-taken']);
  expect(
    wrong(
      file('')
        .replaceAll(/\ba: \{/g, 'self: {')
        .replace('link: a', 'link: self'),
    ),
  ).toEqual(['5 self-is-taken']);
  expect(wrong(file('path_test: { every: 29s }'))).toEqual(['8 path-test-interval']);
  expect(wrong(file('path_test: { every: 2d }'))).toEqual(['8 path-test-interval']);
  expect(wrong(file('path_test: { every: 30s }'))).toEqual([]);
});

test('a path test rises soon after the start, then never later than its interval, and falls again', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { clock, told, rises } = collecting(seed);
    await clock.advance(FIRST_MS_MAX + 10 * EVERY_MS);
    const at = rises().map(({ atMs }) => atMs);
    expect(at[0]).toBeLessThanOrEqual(FIRST_MS_MAX + 2_000);
    expect(at.length).toBeGreaterThanOrEqual(10);
    at.slice(1).forEach((each, index) => {
      expect(each - at[index]!).toBeLessThanOrEqual(EVERY_MS + 1_000);
      expect(each - at[index]!).toBeGreaterThanOrEqual(0.9 * EVERY_MS);
    });
    const falls = told.filter(({ point, value }) => point === 'path-test' && value === false);
    expect(falls[1]!.atMs - at[0]!).toBe(UP_MS);
  }
});

test('gateways that start together do not test together', async () => {
  const first = await Promise.all(
    Array.from({ length: 20 }, async (_, seed) => {
      const { clock, rises } = collecting(seed + 1);
      await clock.advance(FIRST_MS_MAX + 2_000);
      return rises()[0]!.atMs;
    }),
  );
  expect(new Set(first).size).toBeGreaterThan(10);
});

test('a drill stands when it is commanded, ends when it is told to, and by itself', async () => {
  const { clock, collector, told } = collecting(1);
  await clock.advance(2_000);
  const loop = collector.loopOf('self')!;
  const drills = () =>
    told.filter(({ point, atMs }) => point === 'drill-2' && atMs > 2_000).map((it) => it.value);
  const address = { kind: 'drill', level: 2 };
  const write = (value: boolean, mayGo = () => true) => loop.write(address, value, never, mayGo);
  expect(await write(true, () => false)).toMatchObject({ sure: 'unsent' });
  expect((await loop.look('drill-2', never))?.raw).toBe(false);
  expect(await write(true)).toMatchObject({ fault: null });
  expect((await loop.look('drill-2', never))?.raw).toBe(true);
  await clock.advance(5_000);
  await write(false);
  await clock.advance(5_000);
  await write(true);
  await clock.advance(DRILL_HOLD_MS - 2_000);
  expect(drills().at(-1)).toBe(true);
  await clock.advance(5_000);
  expect(drills().at(-1)).toBe(false);
  expect(told.some(({ point, value }) => point === 'drill-1' && value === true)).toBe(false);
});
