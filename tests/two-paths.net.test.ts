// One gateway, two paths, real brokers and the real ingest: whatever is cut, every record is in the
// inbox once, and what came by both paths was counted as a duplicate.
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openBroker } from '../cloud/broker/broker.ts';
import { mosquittoFiles, mosquittoPassword } from '../cloud/broker/mosquitto.ts';
import { InboxReader } from '../cloud/inbox/reader.ts';
import { type GatewayPresence, openIngest } from '../cloud/ingest/ingest.ts';
import { systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { seededRandom, systemRandom } from '../core/random.ts';
import { ClockWatch } from '../edge/clock-watch.ts';
import { SHARE_BYTES_MIN } from '../edge/outbox/core.ts';
import { openOutbox } from '../edge/outbox/outbox.ts';
import { Sealer } from '../edge/seal.ts';
import { mqttLink } from '../edge/uplink/mqtt.ts';
import { Uplink } from '../edge/uplink/uplink.ts';
import { freePort, startMosquitto, writeBrokerFiles } from './foreign-broker.ts';
import { program } from './programs.ts';
import { startProxy } from './proxy.ts';
import { pointOf } from './sealed.ts';

const own = { area: 'east', gateway: 'gw-1', secret: 'secret of gw-1' };
const cloud = { name: 'cloud', secret: 'secret of the cloud' };
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-paths-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');

async function embedded(): Promise<number> {
  const broker = await openBroker({
    port: 0,
    credentials: [
      { name: cloud.name, sha256: sha256(cloud.secret), role: 'cloud' },
      { name: own.gateway, sha256: sha256(own.secret), role: 'gateway', area: own.area },
    ],
  });
  closers.push(() => broker.close());
  return broker.port;
}

const mosquittoPath = program('mosquitto');

async function mosquitto(): Promise<number> {
  const folder = newFolder();
  const port = await freePort();
  const password = (secret: string) => mosquittoPassword(systemRandom, secret);
  const files = mosquittoFiles({
    ...{ host: '127.0.0.1', port, tls: null, folder },
    gateways: [{ id: own.gateway, area: own.area, password: password(own.secret) }],
    cloud: { name: cloud.name, password: password(cloud.secret) },
  });
  writeBrokerFiles(folder, { ...files });
  const broker = await startMosquitto(mosquittoPath!, folder, port);
  closers.push(() => broker.kill());
  return port;
}

const urlOf = (port: number) => `mqtt://127.0.0.1:${port}`;

async function listen(ports: readonly number[]) {
  const [first, ...others] = ports;
  const ingest = await openIngest({
    ...{ folder: newFolder(), url: urlOf(first!), bytesMax: 1e9, credential: cloud },
    others: others.map((port) => ({ url: urlOf(port), secret: cloud.secret })),
  });
  closers.push(() => ingest.close());
  let presence: GatewayPresence | undefined;
  ingest.onPresence = (changes) => {
    presence = changes.at(-1);
  };
  const up = new Set<number>();
  ingest.onLink = (link) => void (link.up && up.add(link.broker));
  await until(() => up.size === ports.length);
  return { ingest, presence: () => presence };
}

/** The way to a broker: a network that can be cut. */
async function network(port: number) {
  const target = { host: '127.0.0.1', port };
  const proxy = await startProxy({ target, port: 0, random: seededRandom(1) });
  closers.push(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

async function startEdge(ports: readonly number[]) {
  const log = silentLog;
  const outbox = await openOutbox(systemClock, systemRandom, log, {
    ...{ folder: newFolder(), bytesMax: SHARE_BYTES_MIN },
  });
  const watch = new ClockWatch(systemClock, outbox.openedMonoMs, () => null);
  const uplink = new Uplink(systemClock, systemRandom, log, outbox, watch, {
    ...{ area: own.area, gateway: own.gateway, software: 'test', configuration: '1' },
    backlogBytesPerSecond: 1_000_000,
    second: { isMetered: true, carriesTrends: true, carriesBacklog: false },
    connect: (parts, path) =>
      mqttLink(systemClock, systemRandom, {
        ...{ ...parts, url: urlOf(ports[path]!), password: own.secret },
        localAddress: '127.0.0.1',
      }),
    onMessage: () => {},
    reported: () => new Uint8Array(0),
  });
  const points = [pointOf('pump', 'p0')];
  const sealer = new Sealer(systemClock, outbox, watch, {
    points,
    onRecord: (...sealed) => uplink.offer(...sealed),
  });
  uplink.start(sealer);
  const poll = (urgent: boolean) => {
    const nowMs = systemClock.monoMs();
    sealer.report({
      ...{ firstAlias: 0, points: 1, fromMonoMs: nowMs, toMonoMs: nowMs, alias: [0] },
      ...{ monoMs: [nowMs], values: [nowMs], qualities: [0], unchanged: 0, failed: 0, urgent },
    });
    sealer.flush();
  };
  const stop = async () => {
    sealer.close();
    await uplink.stop(15_000);
    await outbox.close();
  };
  return { uplink, sealer, poll, stop };
}

async function until(what: () => boolean): Promise<void> {
  const endMs = Date.now() + 25_000;
  while (!what()) {
    if (Date.now() > endMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const settings = [
  { name: 'two brokers', brokers: [embedded, embedded], isHere: true },
  {
    name: 'the embedded broker and Mosquitto',
    brokers: [embedded, mosquitto],
    isHere: mosquittoPath,
  },
  { name: 'two logins at one broker', brokers: [embedded], isHere: true },
  { name: 'two logins at one Mosquitto', brokers: [mosquitto], isHere: mosquittoPath },
];

for (const { name, brokers, isHere } of settings) {
  test.skipIf(!isHere)(
    `every record is stored once over ${name}`,
    { timeout: 60_000 },
    async () => {
      const ports: number[] = [];
      for (const start of brokers) ports.push(await start());
      const { ingest, presence } = await listen(ports);
      const first = await network(ports[0]!);
      const second = await network(ports.at(-1)!);
      const edge = await startEdge([first.port, second.port]);
      const ups = () => edge.uplink.counts.paths.map(({ isUp }) => isUp).join();
      const sent = () => edge.uplink.counts.paths.map(({ sentMessages }) => sentMessages);
      await until(() => ups() === 'true,true' && edge.uplink.counts.openRecords === 0);
      const states = () =>
        presence()
          ?.paths.map(({ state }) => state)
          .join(' ');
      await until(() => states() === 'up up');

      // Both up: trends by the first, what is urgent by both.
      const [before = 0, beforeSecond = 0] = sent();
      for (let at = 0; at < 10; at++) edge.poll(false);
      for (let at = 0; at < 5; at++) edge.poll(true);
      await until(() => edge.uplink.counts.openRecords === 0);
      const [byFirst = 0, bySecond = 0] = sent();
      expect(bySecond - beforeSecond).toBe(5);
      expect(byFirst - before).toBeGreaterThanOrEqual(15);
      // Copies that are on their way still are counted when they come.
      let duplicates = 0;
      const ask = () => ingest.stats().then(({ counts }) => (duplicates = counts.duplicates));
      await until(() => {
        void ask();
        return duplicates >= 5;
      });

      // The first network is cut: everything goes on by the second, and its acks count.
      first.set({ cut: true });
      await until(() => ups() === 'false,true');
      for (let at = 0; at < 10; at++) edge.poll(false);
      await until(() => edge.uplink.counts.openRecords === 0);
      expect(presence()?.online).toBe(true);

      // Nothing is left; what was taken meanwhile comes when the first is back.
      second.set({ cut: true });
      await until(() => ups() === 'false,false');
      for (let at = 0; at < 10; at++) edge.poll(at % 2 === 0);
      second.set({ cut: false });
      first.set({ cut: false });
      await until(() => ups() === 'true,true' && edge.uplink.counts.openRecords === 0);
      await edge.stop();

      const { counts } = await ingest.stats();
      expect(edge.sealer.counts.taken).toBe(35);
      expect([counts.clones, counts.refused, counts.foreign]).toEqual([0, 0, 0]);
      const reader = new InboxReader(ingest.inboxFile);
      const rows = reader.rowsAfter(0, 1e9).map((row) => reader.decode(row));
      reader.close();
      const keys = rows.map(({ row }) => `${row.epoch}/${row.sequence}`);
      expect(new Set(keys).size).toBe(keys.length);
      expect(counts.stored).toBe(keys.length);
      // Every reading that was taken, once; state records count for nothing.
      const readings = rows.map(({ readings: it, isState }) => (isState ? 0 : (it?.count ?? 0)));
      expect(readings.reduce((sum, count) => sum + count, 0)).toBe(35);
      expect(counts.records).toBe(counts.stored + counts.duplicates);
    },
  );
}

test('a gateway does not send where the cloud is away, and goes on when it is back', {
  timeout: 60_000,
}, async () => {
  const port = await embedded();
  const way = await network(port);
  const ingest = await listen([way.port]);
  const edge = await startEdge([port, port]);
  await until(() => edge.uplink.counts.paths.every(({ isUp }) => isUp));
  way.set({ cut: true }); // The cloud loses its broker, and its last will says so.
  await until(() => edge.uplink.counts.paths.every(({ isCloudAway }) => isCloudAway));
  const before = edge.uplink.counts.sent;
  for (let at = 0; at < 10; at++) edge.poll(true);
  expect(edge.uplink.counts).toMatchObject({ isUp: false, sent: before });
  way.set({ cut: false });
  await until(() => edge.uplink.counts.isUp && edge.uplink.counts.openRecords === 0);
  expect((await ingest.ingest.stats()).counts.stored).toBeGreaterThanOrEqual(10);
  await edge.stop();
});
