import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import type { PointDefinition } from '../../core/point.ts';
import { systemRandom } from '../../core/random.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { BrokerLink } from '../../protocols/uplink/broker-link.ts';
import { decodeBirth, decodeStatus, encodeAck } from '../../protocols/uplink/control.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import type { Birth, Epoch, Status } from '../../protocols/uplink/record.ts';
import { parseTopic, topicOf, upFilters } from '../../protocols/uplink/topics.ts';
import { ClockWatch } from '../clock-watch.ts';
import { SHARE_BYTES_MIN } from '../outbox/core.ts';
import { openOutbox } from '../outbox/outbox.ts';
import { Sealer } from '../seal.ts';
import { mqttLink } from './mqtt.ts';
import { Uplink } from './uplink.ts';

const PASSWORD = 'a password nobody logs';

async function startBroker(port = 0) {
  const aedes = await Aedes.createBroker();
  aedes.authenticate = (_client, _username, password, done) => {
    done(null, password?.toString() === PASSWORD);
  };
  const server = createServer(aedes.handle);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const address = server.address();
  if (!address || typeof address === 'string') throw new Error('no port');
  const stop = async () => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { port: address.port, stop };
}

/** Takes records, decodes them, acks what it has. */
class FakeCloud {
  readonly taken = new Map<Epoch, Map<number, number>>();
  readonly births: Birth[] = [];
  readonly statuses: Status[] = [];
  readings = 0;
  duplicates = 0;
  storeId = 'one';
  isDeaf = false;
  readonly #link: BrokerLink;

  constructor(port: number) {
    this.#link = mqttLink(systemClock, systemRandom, {
      url: `mqtt://127.0.0.1:${port}`,
      clientId: 'cloud',
      username: 'cloud',
      password: PASSWORD,
      keepaliveSeconds: 10,
      subscriptions: upFilters(),
      will: () => null,
    });
    this.#link.onMessage = ({ topic, payload }) => this.#take(topic, payload);
    this.#link.start();
  }

  #take(topic: string, payload: Uint8Array): void {
    const kind = parseTopic(topic)?.kind;
    if (kind === 'birth') this.births.push(decodeBirth(payload));
    else if (kind === 'status') this.statuses.push(decodeStatus(payload));
    else if (kind && kind !== 'reported' && !this.isDeaf) this.#store(payload);
  }

  #store(payload: Uint8Array): void {
    const { envelope, body } = openRecord(payload);
    const { epoch, sequence } = envelope;
    const records = this.taken.get(epoch) ?? new Map<number, number>();
    this.taken.set(epoch, records);
    if (records.has(sequence)) this.duplicates++;
    else {
      records.set(sequence, envelope.taken);
      this.readings += body.isState ? 0 : envelope.taken;
    }
    this.ack();
  }

  ack(): void {
    const epochs = [...this.taken].map(([epoch, records]) => ({
      epoch,
      stored: RangeSet.of([...records.keys()].map((it) => ({ first: it, last: it }))).toArray(),
      refused: [],
      wanted: [],
    }));
    const bytes = encodeAck({ storeId: this.storeId, epochs, needed: [], creditBytes: 100_000 });
    this.#link.publish(topicOf('north', 'gw-1', 'ack'), bytes, { qos: 1, retain: false });
  }

  close(): Promise<void> {
    return this.#link.close(500);
  }
}

const points: PointDefinition[] = Array.from({ length: 4 }, (_, at) => ({
  device: 'pump',
  point: `p${at}`,
  name: { en: `Point ${at}`, zh: `点${at}` },
  unit: 'kPa',
  type: 'number',
  scale: 1,
  offset: 0,
  range: null,
  class: 'trend',
  periodMs: 1_000,
  deadband: 0,
  asset: null,
  rules: [],
}));

async function startEdge(folder: string, port: number) {
  const outbox = await openOutbox(systemClock, systemRandom, silentLog, {
    folder,
    bytesMax: SHARE_BYTES_MIN,
  });
  const watch = new ClockWatch(systemClock, outbox.openedMonoMs, () => null);
  const uplink = new Uplink(systemClock, systemRandom, silentLog, outbox, watch, {
    area: 'north',
    gateway: 'gw-1',
    software: 'test',
    configuration: '1',
    backlogBytesPerSecond: 1_000_000,
    second: null,
    connect: (parts) =>
      mqttLink(systemClock, systemRandom, {
        ...parts,
        url: `mqtt://127.0.0.1:${port}`,
        password: PASSWORD,
      }),
    onMessage: () => {},
    reported: () => new Uint8Array(0),
  });
  const sealer = new Sealer(systemClock, outbox, watch, {
    points,
    onRecord: (record) => uplink.offer(record),
  });
  uplink.start(sealer);
  const poll = (value: number) => {
    const nowMs = systemClock.monoMs();
    sealer.report({
      firstAlias: 0,
      points: 4,
      fromMonoMs: nowMs,
      toMonoMs: nowMs,
      alias: [0, 1, 2, 3],
      monoMs: [nowMs, nowMs, nowMs, nowMs],
      values: [value, value, value, value],
      qualities: [0, 0, 0, 0],
      unchanged: 0,
      failed: 0,
      urgent: true,
    });
  };
  const stop = async (drainMs: number) => {
    sealer.close();
    await uplink.stop(drainMs);
    await outbox.close();
  };
  return { outbox, uplink, sealer, poll, stop };
}

async function until(what: () => boolean): Promise<void> {
  const endMs = Date.now() + 20_000;
  while (!what()) {
    if (Date.now() > endMs) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'uplink-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

test('every reading arrives once over a real broker that is restarted in the middle', async () => {
  let broker = await startBroker();
  const { port } = broker;
  const cloud = new FakeCloud(port);
  const edge = await startEdge(folder, port);
  for (let at = 0; at < 50; at++) edge.poll(at);
  await until(() => cloud.readings > 0);
  await broker.stop();
  for (let at = 0; at < 50; at++) edge.poll(at);
  await until(() => !edge.uplink.counts.isUp);
  broker = await startBroker(port);
  await until(() => edge.uplink.counts.isUp);
  for (let at = 0; at < 50; at++) edge.poll(at);
  await edge.stop(15_000);
  expect(edge.sealer.counts.taken).toBe(600);
  expect(cloud.readings).toBe(600);
  expect(edge.uplink.counts.openRecords).toBe(0);
  const numbers = cloud.statuses.map(({ connection }) => connection);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(cloud.statuses.at(-1)).toMatchObject({ online: false });
  await cloud.close();
  await broker.stop();
});

test('what was taken while the cloud was away is sent after a restart, from the birth on', async () => {
  const broker = await startBroker();
  const first = await startEdge(folder, broker.port);
  await until(() => first.uplink.counts.isUp);
  for (let at = 0; at < 20; at++) first.poll(at);
  await first.stop(0);
  expect(first.uplink.counts.openRecords).toBeGreaterThan(0);
  const cloud = new FakeCloud(broker.port);
  const second = await startEdge(folder, broker.port);
  await until(() => cloud.readings === 80);
  await until(() => cloud.births.some(({ epochs }) => epochs.length === 2));
  const { epochs } = cloud.births.at(-1)!;
  expect(epochs.map(({ epoch }) => epoch)).toEqual([first.outbox.epoch, second.outbox.epoch]);
  await second.stop(15_000);
  expect(second.uplink.counts.openRecords).toBe(0);
  await cloud.close();
  await broker.stop();
});

test('a cloud with a new store gets again what the edge still has', async () => {
  const broker = await startBroker();
  const cloud = new FakeCloud(broker.port);
  const edge = await startEdge(folder, broker.port);
  for (let at = 0; at < 20; at++) edge.poll(at);
  await until(() => cloud.readings === 80 && edge.uplink.counts.openRecords === 0);
  cloud.taken.clear();
  cloud.readings = 0;
  cloud.storeId = 'two';
  cloud.ack();
  await until(() => cloud.readings === 80);
  await edge.stop(15_000);
  expect(edge.uplink.counts.openRecords).toBe(0);
  await cloud.close();
  await broker.stop();
});

test('a wrong password is said as such, tried again later, and never told', async () => {
  const broker = await startBroker();
  const reasons: string[] = [];
  const link = mqttLink(systemClock, systemRandom, {
    url: `mqtt://127.0.0.1:${broker.port}`,
    clientId: 'gw-1',
    username: 'gw-1',
    password: 'something else',
    keepaliveSeconds: 10,
    subscriptions: [],
    will: () => null,
  });
  link.onDown = (why) => void reasons.push(why);
  link.start();
  await until(() => reasons.length >= 2);
  expect(link.publish('a/b', new Uint8Array(1), { qos: 0, retain: false })).toBe(false);
  expect(reasons.join()).not.toContain('something else');
  await link.close(100);
  await broker.stop();
});
