// The edge on an OPC UA server, from the text of a gateway file to sealed records: what the server
// showed, what happened there, what it kept while nobody heard it, what it dropped; and the account
// of all of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { systemRandom } from '../core/random.ts';
import { parseProfile } from '../device-profiles/profile.ts';
import { openRecord } from '../protocols/uplink/envelope.ts';
import type { Body } from '../protocols/uplink/record.ts';
import { openOpcUaServer } from '../simulators/opcua-server.ts';
import { nameOf, OpcuaGround } from '../tests/opcua-ground.ts';
import { runAgent } from './agent.ts';
import type { Profiles } from './config/device.ts';
import { parseGateway } from './config/gateway.ts';
import { openOutbox } from './outbox/outbox.ts';

const ground = new OpcuaGround();
const folder = mkdtempSync(join(tmpdir(), 'edge-opcua-'));
afterEach(() => ground.end());
afterAll(() => {
  ground.remove();
  rmSync(folder, { recursive: true, force: true });
});

const profile = `version: 1
profile:
  id: acme/station
  revision: "1.0.0"
  kind: drive
  vendor: ACME
  models: [Station]
  title: { en: Station, zh: 站 }
  source: { document: Node list rev C, status: official }
protocol: opcua
device: { namespaces: { ps: "urn:station" } }
points:
  fast:
    title: { en: Fast, zh: 快 }
    read: { path: "ps:S/ps:P", type: float, sampling: 10ms, queue: 50 }
    range: [-1000, 1000000]
  slow:
    title: { en: Slow, zh: 慢 }
    read: { path: "ps:S/ps:Q", type: int32, sampling: 10ms, queue: 2 }
    range: [-1000, 1000000]
  message:
    title: { en: Message, zh: 消息 }
    read: { event: { notifier: "ps:S", type: "i=2041", field: Message } }
`;
const profiles: Profiles = {
  ids: ['acme/station'],
  load: (reference) => parseProfile(profile, reference.split('@')[0]!),
  text: () => profile,
};

const gateway = (endpoint: string) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:1", credentials: "\${env:SECRET}" }
outbox: { folder: ${join(folder, 'outbox')}, size: 64MiB }
status: { port: 0 }
links:
  plc:
    protocol: opcua
    kind: opcua
    endpoint: "${endpoint}"
    security: { policy: None }
    insecure: true
    timeout: 1s
    publishing: 400ms
    keepalive: 400ms
devices:
  - { id: ps-1, link: plc, profile: acme/station@1, poll: 100ms }
`;

interface Told {
  readonly lane: string;
  readonly body: Body;
}

/** Raw values of a point, each with its quality, in the order of the records. */
function readingsOf(records: readonly Told[], alias: number, isFill = false): unknown[] {
  return records.flatMap(({ body: { readings, isFill: fill = false, isState } }) => {
    if (!readings || isState || fill !== isFill) return [];
    const places = [...readings.alias.keys()].filter((at) => readings.alias[at] === alias);
    return places.map((at) => {
      const special = readings.special.get(at);
      return special ?? (special === null ? nameOf(readings.quality[at]!) : readings.numbers[at]);
    });
  });
}

test('what a server shows, queues, drops and remembers is in the records, and the account is exact', async () => {
  const server = await openOpcUaServer(
    ground.options({
      nodes: [
        { path: 'ps:S/ps:P', type: 'float', value: 1 },
        { path: 'ps:S/ps:Q', type: 'int32', value: 1 },
      ],
    }),
  );
  ground.atEnd(() => server.close());
  const config = parseGateway(gateway(server.endpoint), join(folder, 'gateway.yaml'), profiles);
  const records: Told[] = [];
  const agent = await runAgent(systemClock, systemRandom, silentLog, config, {
    secret: 's',
    software: 'test',
    borders: {
      openStatus: null,
      openOutbox: async () => {
        const random = systemRandom;
        const outbox = await openOutbox(systemClock, random, silentLog, config.outbox);
        const append = outbox.append.bind(outbox);
        outbox.append = (entry, urgency) => {
          append(entry, urgency);
          const { lane, bytes } = entry.record;
          records.push({ lane, body: openRecord(bytes).body });
        };
        return outbox;
      },
    },
  });
  const alias = (point: string) => config.points.findIndex((each) => each.point === point);
  const told = (point: string) => readingsOf(records, alias(point));
  const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await soon(() => told('slow')).toContain(1);

  // Each change of a queue that is long enough, in order; of one that is not, a gap.
  for (let value = 100; value < 110; value++) {
    server.space.set('ps:S/ps:P', value);
    server.space.set('ps:S/ps:Q', value);
    await wait(25);
  }
  server.space.raise('ps:S', 'Door open', 300);
  server.space.raise('ps:S', 'Door open', 300);
  await soon(() => told('fast')).toContain(109);
  const changes = told('fast').filter((value) => Number(value) >= 100);
  expect(changes.length).toBeGreaterThan(1);
  expect(changes).toEqual([...changes].sort((a, b) => Number(a) - Number(b)));
  await soon(() => told('message').filter((text) => text === 'Door open').length).toBe(2);

  // Nobody hears it; then what it kept comes, marked.
  const before = told('fast').length;
  server.freeze('all');
  await soon(() => told('fast').slice(before)).toContain('bad/no_connection');
  for (const value of [201, 202, 203]) {
    server.space.set('ps:S/ps:P', value);
    await wait(120);
  }
  server.thaw();
  await soon(() => readingsOf(records, alias('fast'), true)).toEqual([201, 202, 203]);
  server.space.set('ps:S/ps:P', 300);
  await soon(() => told('fast')).toContain(300);
  expect(server.counts['createSession']).toBe(1);

  await agent.close(200);
  const { due, taken, missed, reported, unchanged } = agent.counters();
  expect(due).toBe(taken + missed);
  expect(taken).toBe(reported + unchanged);
  expect(missed).toBeGreaterThan(0);
  const gaps = records.flatMap(({ body }) => body.gaps);
  const covered = records.flatMap(({ body }) => body.coverage);
  const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0);
  expect(sum(covered.map((each) => each.taken))).toBe(taken);
  const dropped = gaps.filter(({ cause }) => cause === 'missed');
  expect(sum(dropped.map(({ readings }) => readings))).toBe(missed);
  const events = records.filter(({ body: { readings, isState } }) =>
    readings && !isState ? [...readings.alias].includes(alias('message')) : false,
  );
  expect(new Set(events.filter(({ body }) => !body.isFill).map(({ lane }) => lane))).toEqual(
    new Set(['event']),
  );
}, 60_000);
