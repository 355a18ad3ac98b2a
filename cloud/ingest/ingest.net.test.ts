import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect, type MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { decodeAck } from '../../protocols/uplink/control.ts';
import type { Ack } from '../../protocols/uplink/record.ts';
import { program } from '../../tests/programs.ts';
import { SealingGateway } from '../../tests/sealed.ts';
import { openBroker } from '../broker/broker.ts';
import { InboxReader } from '../inbox/reader.ts';
import { type Ingest, openIngest } from './ingest.ts';

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-ingest-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface RunningBroker {
  readonly port: number;
  stop(): Promise<void>;
}

async function embedded(port: number): Promise<RunningBroker> {
  const broker = await openBroker({
    port,
    credentials: [
      { name: 'cloud', sha256: sha256('c'), role: 'cloud' },
      { name: 'gw-1', sha256: sha256('g'), role: 'gateway', area: 'east' },
    ],
  });
  return { port: broker.port, stop: () => broker.close() };
}

const mosquittoPath = program('mosquitto');
async function mosquitto(port: number): Promise<RunningBroker> {
  const bound = port || (await freePort());
  const file = join(newFolder(), 'mosquitto.conf');
  writeFileSync(file, `listener ${bound} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
  const child = spawn(mosquittoPath ?? '', ['-c', file], { stdio: 'ignore' });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  };
  return { port: bound, stop };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address ? address.port : 0;
}

async function ingestAt(port: number, folder: string): Promise<Ingest> {
  const ingest = await openIngest({
    ...{ folder, url: `mqtt://127.0.0.1:${port}`, bytesMax: 1e9 },
    credential: { name: 'cloud', secret: 'c' },
  });
  const up = new Promise<void>((resolve) => {
    ingest.onLink = (link) => link.up && resolve();
  });
  closers.push(() => ingest.close());
  await up;
  return ingest;
}

class Gateway {
  readonly acks: Ack[] = [];
  readonly mqtt: MqttClient;

  constructor(port: number) {
    this.mqtt = connect(`mqtt://127.0.0.1:${port}`, {
      ...{ clientId: 'gw-1', username: 'gw-1', password: 'g', clean: true, keepalive: 10 },
      ...{ reconnectPeriod: 100, protocolVersion: 4 },
    });
    this.mqtt.on('error', () => {}); // The broker is stopped on purpose.
    this.mqtt.on('message', (_, payload) => this.acks.push(decodeAck(payload)));
    closers.push(() => this.mqtt.endAsync(true));
  }

  publish(kind: string, payload: Uint8Array): void {
    this.mqtt.publish(`lifeline/v1/east/gw-1/${kind}`, Buffer.from(payload));
  }

  storedUpTo(): number {
    return Math.max(0, ...(this.acks.at(-1)?.epochs[0]?.stored.map(({ last }) => last) ?? []));
  }
}

const brokers = [
  { name: 'the embedded broker', start: embedded, isHere: true },
  { name: 'Mosquitto', start: mosquitto, isHere: mosquittoPath !== null },
];

for (const { name, start, isHere } of brokers) {
  test.skipIf(!isHere)(
    `over ${name}: sealed, published, stored, acked, and again after its restart`,
    async () => {
      let broker = await start(0);
      closers.push(() => broker.stop());
      const ingest = await ingestAt(broker.port, newFolder());
      const gateway = new Gateway(broker.port);
      await gateway.mqtt.subscribeAsync('lifeline/v1/east/gw-1/ack', { qos: 1 });
      const sealing = new SealingGateway(1);
      const dictionary = sealing.dictionaryRecords();
      for (const { bytes } of dictionary) gateway.publish('event', bytes);
      gateway.publish('live', sealing.record().bytes);
      await expect.poll(() => gateway.storedUpTo(), { timeout: 10_000 }).toBe(3);

      await broker.stop();
      broker = await start(broker.port);
      const later = sealing.record();
      await expect
        .poll(
          () => {
            gateway.publish('live', later.bytes);
            return gateway.storedUpTo();
          },
          { timeout: 15_000, interval: 200 },
        )
        .toBe(4);

      const reader = new InboxReader(ingest.inboxFile);
      const rows = reader.rowsAfter(0, 1e9);
      expect(rows.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
      expect(reader.decode(rows[3]!).readings?.values[0]).toBe(4);
      ingest.passed('store', 4);
      ingest.passed('alarms', 3);
      await expect.poll(() => reader.oldestRow, { timeout: 5_000 }).toBe(4);
      expect(reader.newestRow).toBe(4);
      reader.close();
      expect((await ingest.stats()).counts.stored).toBe(4);
    },
  );
}

test('what other parts of the cloud publish goes down; presence and refusals come up', async () => {
  const broker = await embedded(0);
  closers.push(() => broker.stop());
  const ingest = await ingestAt(broker.port, newFolder());
  const online: boolean[] = [];
  ingest.onPresence = (changes) => online.push(...changes.map((it) => it.online));
  const refused: string[] = [];
  ingest.onRefused = ({ reason }) => refused.push(reason);
  const gateway = new Gateway(broker.port);
  await gateway.mqtt.subscribeAsync('lifeline/v1/east/gw-1/confirm', { qos: 1 });
  gateway.mqtt.removeAllListeners('message');
  const topic = 'lifeline/v1/east/gw-1/confirm';
  const message = new Promise((resolve) => gateway.mqtt.once('message', resolve));
  expect(await ingest.publish(topic, Buffer.from('seen'), { qos: 1, retain: false })).toBe(true);
  expect(await message).toBe(topic);
  gateway.publish('live', Buffer.from('no record'));
  await expect.poll(() => refused).toEqual(['malformed']);
  await expect.poll(() => online).toContain(true);
  const wrong = { reason: 'wrong_way', name: 'gw-1', topic: 'lifeline/v1/east/gw-1/ack' };
  ingest.keepRefused({ ...wrong, payload: new Uint8Array(1), size: 1 });
  await expect.poll(async () => (await ingest.stats()).deadLetters).toBe(2);
});

// The child says what it acked only after the commit that stored it; it is killed without warning,
// and whatever it said must be there, whole.
test('kill -9 at any moment loses nothing that was acked', async () => {
  const path = join(newFolder(), 'inbox.sqlite');
  const root = new URL('../../', import.meta.url).href;
  const script = `
    const { InboxCore } = await import('${root}cloud/inbox/core.ts');
    const { IngestCore } = await import('${root}cloud/ingest/core.ts');
    const { systemClock } = await import('${root}core/clock.ts');
    const { systemRandom } = await import('${root}core/random.ts');
    const { decodeAck } = await import('${root}protocols/uplink/control.ts');
    const { SealingGateway } = await import('${root}tests/sealed.ts');
    const none = () => {};
    const events = { onCommitted: none, onPresence: none, onClone: none, onRefused: none, onAnswer: none };
    const inbox = new InboxCore(systemRandom, { path: process.argv[1], bytesMax: 1e9 });
    const core = new IngestCore(systemClock, inbox, events);
    const gateway = new SealingGateway(Number(process.argv[2]), { opening: Number(process.argv[2]) });
    const give = ({ bytes }) => core.receive({ topic: 'lifeline/v1/east/gw-1/live', payload: bytes, retained: false });
    gateway.dictionaryRecords().forEach(give);
    for (;;) {
      for (let at = 0; at < 5; at++) give(gateway.record());
      for (const { payload } of core.commit()) {
        const { epoch, stored } = decodeAck(payload).epochs[0];
        process.stdout.write(epoch + ' ' + stored[0].last + '\\n');
      }
      await new Promise(setImmediate);
    }`;
  const acked = new Map<string, number>();
  for (const opening of [1, 2, 3]) {
    const args = ['--input-type=module', '-e', script, path, `${opening}`];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let lines = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      const [epoch, last] = line.split(' ');
      acked.set(epoch!, Number(last));
      if (++lines === opening * 20) child.kill('SIGKILL');
    }
  }
  expect(acked.size).toBe(3);
  const reader = new InboxReader(path);
  const rows = reader.rowsAfter(0, 1e9);
  for (const [epoch, last] of acked) {
    const stored = rows.filter((row) => row.epoch === epoch).map(({ sequence }) => sequence);
    expect(stored.slice(0, last)).toEqual(Array.from({ length: last }, (_, at) => at + 1));
  }
  for (const row of rows) reader.decode(row);
  reader.close();
});
