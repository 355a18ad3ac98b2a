// The whole edge on real parts: simulated devices over sockets, the outbox on disk, the embedded broker. Of
// the cloud only what an edge sees of it is here: a client that reads the records and acknowledges them.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { Broker } from '../cloud/broker/broker.ts';
import { openBroker } from '../cloud/broker/broker.ts';
import { systemClock } from '../core/clock.ts';
import type { Log, LogFields } from '../core/log.ts';
import { silentLog } from '../core/log.ts';
import type { PointDefinition } from '../core/point.ts';
import { seededRandom, systemRandom } from '../core/random.ts';
import { RangeSet } from '../core/ranges.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import type { BrokerLink } from '../protocols/uplink/broker-link.ts';
import { encodeAck } from '../protocols/uplink/control.ts';
import { openRecord } from '../protocols/uplink/envelope.ts';
import { kinds, parseTopic, topicOf, upFilters } from '../protocols/uplink/topics.ts';
import { SimulatedDevice } from '../simulators/device.ts';
import { ModbusServer } from '../simulators/modbus-server.ts';
import { OpcUaDevice } from '../simulators/opcua-device.ts';
import { openOpcUaServer } from '../simulators/opcua-server.ts';
import type { Agent } from './agent.ts';
import { runAgent } from './agent.ts';
import type { GatewayConfig } from './config/gateway.ts';
import { parseGateway } from './config/gateway.ts';
import { loadGateway, packagedProfiles } from './config/loader.ts';
import type { Health } from './health.ts';
import { mqttLink } from './uplink/mqtt.ts';

// Others share the machine: what comes, comes within this time.
const WAIT_MS = 20_000;
const soon = <T>(read: () => T) => expect.poll(read, { timeout: WAIT_MS });

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');

async function startBroker(port: number): Promise<Broker> {
  const broker = await openBroker({
    port,
    credentials: [
      { name: 'cloud', sha256: sha256('c'), role: 'cloud' },
      { name: 'gw-1', sha256: sha256('g'), role: 'gateway', area: 'east' },
    ],
  });
  closers.push(() => broker.close());
  return broker;
}

/** Reads what a gateway says, keeps it by key, and acknowledges all of it. */
class ReadingCloud {
  readonly #link: BrokerLink;
  readonly #stored = new Map<string, RangeSet>();
  readonly lanes: string[] = [];
  /** Raw values of the newest reading, by device/point. */
  readonly values = new Map<string, number>();
  taken = 0;
  missed = 0;
  #points: readonly PointDefinition[] = [];

  constructor(port: number, points: readonly PointDefinition[]) {
    this.#points = points;
    this.#link = mqttLink(systemClock, seededRandom(1), {
      url: `mqtt://127.0.0.1:${port}`,
      clientId: 'cloud',
      username: 'cloud',
      password: 'c',
      keepaliveSeconds: 30,
      subscriptions: upFilters('east'),
      will: () => null,
    });
    this.#link.onMessage = ({ topic, payload }) => {
      const kind = parseTopic(topic)?.kind;
      if (kind === 'live' || kind === 'backfill' || kind === 'event') this.#take(kind, payload);
    };
    this.#link.start();
    closers.push(() => this.#link.close(100));
  }

  get epochs(): readonly string[] {
    return [...this.#stored.keys()];
  }

  #take(kind: string, payload: Uint8Array): void {
    const { envelope, body } = openRecord(payload);
    const { epoch, sequence } = envelope;
    const stored = this.#stored.get(epoch) ?? new RangeSet();
    this.#stored.set(epoch, stored);
    if (!stored.has(sequence)) {
      stored.add(sequence);
      this.lanes.push(kind);
      this.taken += envelope.taken;
      for (const { cause, readings } of body.gaps) if (cause === 'missed') this.missed += readings;
      const { readings } = body;
      for (let at = 0; readings && at < readings.count; at++) {
        const { device, point } = this.#points[readings.alias[at]!]!;
        this.values.set(`${device}/${point}`, readings.numbers[at]!);
      }
    }
    this.#ack();
  }

  #ack(): void {
    const epochs = [...this.#stored].map(([epoch, ranges]) => ({
      epoch,
      stored: ranges.toArray(),
      refused: [],
      wanted: [],
    }));
    const ack = { storeId: 'store-1', epochs, needed: [], creditBytes: 1024 * 1024 };
    const { qos, retain } = kinds.ack;
    this.#link.publish(topicOf('east', 'gw-1', 'ack'), encodeAck(ack), { qos, retain });
  }
}

async function startDevices() {
  const devices = new Map(
    [1, 2].map((unit) => [unit, new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'))]),
  );
  const server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks: devices });
  closers.push(() => server.close());
  return { server, devices };
}

function configure(ports: { broker: number; devices: number }, folder: string) {
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:${ports.broker}, credentials: "\${env:SECRET}" }
outbox: { folder: ${folder}, size: 64MiB }
status: { port: 0 }
links: { bus: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${ports.devices} } }
devices:
  - { id: gas-1, link: bus, unit: 1, profile: honeywell/sensepoint-xcd@1, poll: 100ms }
  - { id: gas-2, link: bus, unit: 2, profile: honeywell/sensepoint-xcd@1, poll: 250ms }
`;
  return parseGateway(text, 'gateway.yaml', packagedProfiles());
}

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function start(config: GatewayConfig, log: Log = silentLog): Promise<Agent> {
  const options = { secret: 'g', software: 'test' };
  const agent = await runAgent(systemClock, systemRandom, log, config, options);
  closers.push(() => agent.close(0));
  return agent;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('from a register to the cloud, and at the end the account balances on both sides', async () => {
  const { server, devices } = await startDevices();
  const broker = await startBroker(0);
  const config = configure({ broker: broker.port, devices: server.port }, makeFolder());
  const cloud = new ReadingCloud(broker.port, config.points);
  devices.get(1)!.set('gas', 12.5);
  const agent = await start(config);
  await soon(() => cloud.values.get('gas-1/gas')).toBe(12.5);
  devices.get(1)!.set('gas', 30);
  await soon(() => cloud.values.get('gas-1/gas')).toBe(30);

  const response = await fetch(`http://127.0.0.1:${agent.statusPort}/health`);
  const health = (await response.json()) as Health;
  expect(health).toMatchObject({
    ok: true,
    gateway: 'gw-1',
    collecting: true,
    uplink: { up: true },
    outbox: { disk: 'ok' },
    links: [{ id: 'bus', state: 'open', fault: null }],
    devices: [
      { id: 'gas-1', state: 'up' },
      { id: 'gas-2', state: 'up' },
    ],
  });
  const metrics = await fetch(`http://127.0.0.1:${agent.statusPort}/metrics`);
  expect(await metrics.text()).toMatch(/^edge_readings_due_total\{device="gas-1"\} [1-9]/m);

  await soon(() => agent.counters().unchanged).toBeGreaterThan(100);
  await agent.stopCollecting();
  expect(await agent.drained(WAIT_MS)).toBe(true);
  const { due, taken, missed, reported, unchanged, givenUp, pendingRecords } = agent.counters();
  expect(due).toBe(taken + missed);
  expect(taken).toBe(reported + unchanged);
  expect([givenUp, pendingRecords]).toEqual([0, 0]);
  expect([cloud.taken, cloud.missed]).toEqual([taken, missed]);
});

test('while the broker is away nothing is lost, and all of it comes when it is back', async () => {
  const { server } = await startDevices();
  const port = await freePort();
  const config = configure({ broker: port, devices: server.port }, makeFolder());
  const agent = await start(config);
  await soon(() => agent.counters().taken).toBeGreaterThan(100);
  expect(agent.health()).toMatchObject({ ok: true, uplink: { up: false, ackAgeMs: null } });
  expect(await agent.drained(0)).toBe(false);
  await startBroker(port);
  const cloud = new ReadingCloud(port, config.points);
  await agent.stopCollecting();
  expect(await agent.drained(WAIT_MS)).toBe(true);
  const { taken, missed, givenUp } = agent.counters();
  expect([cloud.taken, cloud.missed, givenUp]).toEqual([taken, missed, 0]);
});

test('what could not be sent before the end is sent by the next run, under its own epoch', async () => {
  const { server } = await startDevices();
  const port = await freePort();
  const config = configure({ broker: port, devices: server.port }, makeFolder());
  const first = await start(config);
  await soon(() => first.counters().taken).toBeGreaterThan(50);
  await first.close(0);
  const before = first.counters();
  expect(before.pendingRecords).toBeGreaterThan(0);

  await startBroker(port);
  const cloud = new ReadingCloud(port, config.points);
  const second = await start(config);
  expect(second.epoch).not.toBe(first.epoch);
  await soon(() => cloud.epochs.includes(first.epoch)).toBe(true);
  await second.stopCollecting();
  expect(await second.drained(WAIT_MS)).toBe(true);
  const { taken } = second.counters();
  expect(cloud.taken).toBe(before.taken + taken);
  expect(cloud.lanes).toContain('backfill');
});

test('a second agent on the same outbox is refused, and leaves nothing open', async () => {
  const { server } = await startDevices();
  const config = configure({ broker: await freePort(), devices: server.port }, makeFolder());
  await start(config);
  await expect(start(config)).rejects.toMatchObject({ code: 'outbox_busy' });
});

test('what leaves the machine unprotected is said at every start', async () => {
  const { server } = await startDevices();
  const config = configure({ broker: await freePort(), devices: server.port }, makeFolder());
  const said: (LogFields | undefined)[] = [];
  const log: Log = {
    ...silentLog,
    warn: (event, fields) => {
      if (event === 'insecure') said.push(fields);
    },
  };
  await start({ ...config, insecure: [{ en: 'in the clear', zh: '未加密' }] }, log);
  expect(said).toEqual([{ what: 'in the clear' }]);
});

/** What `lifeline edge trust list --json` says. */
interface Listed {
  readonly certificates: readonly { readonly state: string; readonly fingerprint: string }[];
}

async function lifeline(...words: string[]): Promise<string> {
  const args = [join(import.meta.dirname, '../cli/main.ts'), ...words];
  return (await promisify(execFile)(process.execPath, args)).stdout;
}

test('an OPC UA server that nobody has looked at is told in the health; once a person trusts it readings flow without a restart', async () => {
  const folder = makeFolder();
  const days = 100;
  const station = new OpcUaDevice(loadProfile('generic/pump-station'));
  const server = await openOpcUaServer({
    ...{ host: '127.0.0.1', port: 0, pkiFolder: join(folder, 'server') },
    ...{ certificate: { days }, ...station.space() },
  });
  closers.push(() => server.close());
  station.show(server.space);
  station.set('pump-1-power', 42);
  const broker = await startBroker(0);
  const file = join(folder, 'gateway.yaml');
  mkdirSync(join(folder, 'secrets'));
  writeFileSync(join(folder, 'secrets', 'cloud'), 'g', { mode: 0o600 });
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:${broker.port}, credentials: "\${secret:cloud}" }
outbox: { folder: ${join(folder, 'outbox')}, size: 64MiB }
status: { port: 0 }
links: { plc: { protocol: opcua, kind: opcua, endpoint: "${server.endpoint}" } }
devices: [{ id: ps-1, link: plc, profile: generic/pump-station@1 }]
`;
  writeFileSync(file, text);
  const { config } = loadGateway(file, { environment: {} });
  const cloud = new ReadingCloud(broker.port, config.points);
  const agent = await start(config);
  const link = async () => {
    const response = await fetch(`http://127.0.0.1:${agent.statusPort}/health`);
    return ((await response.json()) as Health).links[0];
  };
  await soon(link).toMatchObject({ id: 'plc', fault: 'opcua_untrusted' });
  expect(cloud.values.get('ps-1/pump-1-power')).not.toBe(42_000);

  const listed = JSON.parse(await lifeline('edge', 'trust', 'list', file, '--json')) as Listed;
  expect(listed.certificates).toMatchObject([{ state: 'unknown' }]);
  await lifeline('edge', 'trust', 'accept', file, listed.certificates[0]!.fingerprint);
  await expect
    .poll(() => cloud.values.get('ps-1/pump-1-power'), { timeout: 2 * WAIT_MS })
    .toBe(42_000);
  expect(await link()).toMatchObject({ state: 'open', fault: null });
  await expect
    .poll(() => cloud.values.get('ps-1/certificate-server-days'), { timeout: 2 * WAIT_MS })
    .toBeGreaterThan(days - 2);
  expect(cloud.values.get('ps-1/certificate-server-days')).toBeLessThanOrEqual(days);
  expect(cloud.values.get('ps-1/certificate-own-days')).toBeGreaterThan(1_800);
}, 120_000);
