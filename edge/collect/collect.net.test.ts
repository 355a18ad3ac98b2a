// The collector on real sockets: real driver, real links, simulated devices made from their profiles.
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { GOOD, qualityCode, qualityOf } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import { loadProfile } from '../../device-profiles/loader.ts';
import { SimulatedDevice } from '../../simulators/device.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import type { GatewayConfig } from '../config/gateway.ts';
import { parseGateway } from '../config/gateway.ts';
import { packagedProfiles } from '../config/loader.ts';
import { Links } from '../links/links.ts';
import type { PollReport, Sink } from '../sink.ts';
import { Collector } from './loop.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

// Others share the machine: what comes, comes within this time.
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });

async function serve(units: readonly number[]) {
  const devices = new Map(
    units.map((unit) => [unit, new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'))]),
  );
  const server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks: devices });
  open.push(() => server.close());
  return { server, devices, port: server.port };
}

function configure(links: Record<string, number>, devices: readonly string[]): GatewayConfig {
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links:
${Object.entries(links)
  .map(
    ([id, port]) =>
      `  ${id}: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${port}, timeout: 150ms }`,
  )
  .join('\n')}
devices:
${devices.map((parts) => `  - { profile: honeywell/sensepoint-xcd@1, poll: 200ms, ${parts} }`).join('\n')}
`;
  return parseGateway(text, 'gateway.yaml', packagedProfiles());
}

/** Keeps the newest reading of every point, as the cloud would. */
class Newest implements Sink {
  readonly accepts = true;
  readonly reports: PollReport[] = [];
  missedReadings = 0;
  readonly #config: GatewayConfig;
  readonly values = new Map<string, { value: Value; quality: number }>();

  constructor(config: GatewayConfig) {
    this.#config = config;
  }

  report(poll: PollReport): void {
    this.reports.push(poll);
    poll.alias.forEach((alias, at) => {
      const { device, point } = this.#config.points[alias]!;
      const reading = { value: poll.values[at]!, quality: poll.qualities[at]! };
      this.values.set(`${device}/${point}`, reading);
    });
  }

  missed({ polls, points }: { readonly polls: number; readonly points: number }): void {
    this.missedReadings += polls * points;
  }
}

function collect(config: GatewayConfig) {
  const links = new Links(systemClock, silentLog, new Metrics(), config.links);
  const sink = new Newest(config);
  const collector = new Collector(systemClock, seededRandom(1), silentLog, new Metrics(), {
    links: config.links.map((link) => ({
      ...link,
      open: (signal) => links.open(link, signal),
    })),
    devices: config.devices,
    sink,
    reportAll: false,
  });
  collector.start();
  let stopped = false;
  const stop = async () => {
    if (!stopped) await collector.stop(1000);
    stopped = true;
  };
  open.push(stop);
  return { sink, collector, stop };
}

test('what a device shows is what is reported, and a fault code is never a number', async () => {
  const { devices, port } = await serve([1]);
  devices.get(1)!.set('gas', 12.5);
  const { sink } = collect(configure({ a: port }, ['id: gas-1, link: a']));
  await soon(() => sink.values.get('gas-1/gas')).toEqual({ value: 12.5, quality: GOOD });
  devices.get(1)!.set('gas', Number.NaN);
  await soon(() => sink.values.get('gas-1/gas')?.value).toBeNull();
  expect(qualityOf(sink.values.get('gas-1/gas')!.quality)?.quality).toBe('bad');
  devices.get(1)!.set('gas', 30);
  await soon(() => sink.values.get('gas-1/gas')).toEqual({ value: 30, quality: GOOD });
  expect(sink.reports.find(({ values }) => values.includes(30))?.urgent).toBe(true);
});

test('several units share one connection, and one that is silent spoils none of the others', async () => {
  const { server, devices, port } = await serve([1, 2, 3]);
  for (const [unit, device] of devices) device.set('gas', unit);
  server.faults = [{ kind: 'silence', units: [2] }];
  const units = [1, 2, 3].map((unit) => `id: gas-${unit}, link: a, unit: ${unit}`);
  const { sink, collector, stop } = collect(configure({ a: port }, units));
  const TIMEOUT = qualityCode('bad', 'timeout');
  await soon(() => sink.values.get('gas-2/gas')).toEqual({ value: null, quality: TIMEOUT });
  await soon(() => collector.devices()[1]?.state).toBe('down');
  expect(sink.values.get('gas-1/gas')).toEqual({ value: 1, quality: GOOD });
  expect(sink.values.get('gas-3/gas')).toEqual({ value: 3, quality: GOOD });
  expect(collector.devices().map(({ state }) => state)).toEqual(['up', 'down', 'up']);
  await stop();
  const totals = collector.totals();
  expect(totals.due).toBe(totals.taken + totals.missed);
  expect(sink.missedReadings).toBe(totals.missed);
});

test('a device that goes away and comes back turns bad, then good, without anybody touching it', async () => {
  const { server, devices, port } = await serve([1]);
  devices.get(1)!.set('gas', 5);
  const { sink, collector } = collect(configure({ a: port }, ['id: gas-1, link: a']));
  await soon(() => sink.values.get('gas-1/gas')?.quality).toBe(GOOD);
  await server.close();
  await soon(() => sink.values.get('gas-1/gas')?.value).toBeNull();
  expect(collector.links()[0]?.fault).toMatch(/^link_(lost|refused)$/);
  const again = await ModbusServer.listen({ host: '127.0.0.1', port, banks: devices });
  open.push(() => again.close());
  await expect
    .poll(() => sink.values.get('gas-1/gas'), { timeout: 10_000 })
    .toEqual({
      value: 5,
      quality: GOOD,
    });
  expect(collector.links()[0]).toMatchObject({ state: 'open', fault: null });
});
