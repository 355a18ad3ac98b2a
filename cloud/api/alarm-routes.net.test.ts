import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import type { KeptLetter } from '../inbox/reader.ts';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import { Ledger } from '../notify/ledger.ts';
import { Pipeline } from '../notify/pipeline.ts';
import { chainOf } from '../notify/route.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { alarmFinder, alarmRoutes } from './alarm-routes.ts';
import { confirmationRoutes } from './confirmation-routes.ts';
import { deadLetterRoutes, type LetterSource } from './dead-letter-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const WALL = Date.UTC(2026, 0, 1);
const { occurrence } = sampleAlarm; // Of the asset gas/MP-1193/well-07.

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let alarms: AlarmConsumer;
let api: Api;
let stop: AbortController;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-alarms-'));
  stop = new AbortController();
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(database);
  const clock = new SimClock(WALL);
  const notify = new Pipeline(clock, silentLog, new Metrics(), systemRandom, {
    tables: alarms.tables,
    ledger: new Ledger(database),
    receivers: new Map([['desk', { send: async () => ({ kind: 'sent', confirmedBy: null }) }]]),
    routes: [{ id: 'all', match: {}, chain: chainOf(['desk'], 60_000) }],
    onChange: () => {},
  });
  alarms.tables.transact(() => {
    alarms.tables.insert(sampleAlarm);
    alarms.tables.queue('raised', sampleAlarm, WALL);
  });
  void notify.run(stop.signal);
  await clock.advance(2_000);
  api = await openApi(systemClock, silentLog, new Metrics(), {
    host: '127.0.0.1',
    port: 0,
    hostNames: [],
    version: '0.0.0',
    registry,
    stream: new EventStream('s1'),
    routes: [
      ...alarmRoutes(clock, { alarms, notify, onEvents: () => {} }),
      ...confirmationRoutes(clock, {
        ...{ notify, journal: alarms.tables.journal, find: alarmFinder(alarms) },
      }),
      ...deadLetterRoutes(clock, letters, registry.journal),
    ],
  });
});

afterEach(async () => {
  stop.abort();
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

const letter: KeptLetter = {
  ...{ id: 7, atMs: WALL, reason: 'too_large', detail: '', area: '', gateway: 'gw-1', topic: 't' },
  ...{ epoch: '', sequence: 0, readings: 0, checksum: 0, size: 300_000 },
  bytes: Uint8Array.of(1, 2, 3),
};
const letters: LetterSource = {
  deadLetters: (count, before = 8) => [letter].filter(({ id }) => id < before).slice(0, count),
  deadLetter: (id) => (id === letter.id ? letter : null),
};

const tokenFor = (right: Right, scope = '') =>
  registry.issueToken({ name: `p-${right}`, right, scope }, 0);

async function call(path: string, token: string, posted?: object) {
  const response = await fetch(`http://127.0.0.1:${api.port}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(posted && { method: 'POST', body: JSON.stringify(posted) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test('who comes second to an alarm is told who has it', async () => {
  const silentMs = WALL + 3_600_000;
  alarms.presence('gw-1', false, WALL);
  alarms.tick(silentMs);
  const silent = alarms
    .list({ state: 'open', limit: 10 })
    .find(({ gateway }) => gateway === 'gw-1');
  const path = `/v1/alarms/${silent?.occurrence}/acknowledge`;
  expect(await call(path, tokenFor('operate'), {})).toMatchObject({
    status: 200,
    body: { state: 'C', acknowledged: { by: 'p-operate' } },
  });
  expect(await call(path, tokenFor('control'), {})).toMatchObject({
    status: 412,
    body: { title: 'alarm_acknowledged', detail: 'by p-operate' },
  });
  expect((await call(path, tokenFor('read'), {})).status).toBe(403);
});

test('a scoped token confirms for its own assets only', async () => {
  const confirmation = { confirmed: `${occurrence}.raised`, by: 'li' };
  const confirm = (scope: string) =>
    call('/v1/confirmations', tokenFor('operate', scope), confirmation);
  const stateNow = async () =>
    (await call(`/v1/deliveries?alarm=${occurrence}`, tokenFor('read'))).body.items[0].state;
  expect((await confirm('water/N-1')).status).toBe(404);
  expect(await stateNow()).toBe('accepted');
  expect((await confirm('gas/MP-1193')).status).toBe(200);
  expect(await stateNow()).toBe('confirmed');
});

test('the OpenAPI document describes every answer about alarms, problems too', async () => {
  alarms.presence('gw-1', false, WALL);
  alarms.tick(WALL + 3_600_000);
  const silent = alarms
    .list({ state: 'open', limit: 10 })
    .find(({ gateway }) => gateway === 'gw-1');
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    params: { id: silent?.occurrence ?? '', 'GET /v1/dead-letters/{id}': '7' },
    bodies: {
      'POST /v1/alarms/{id}/acknowledge': { note: 'on my way' },
      'POST /v1/confirmations': { confirmed: `${occurrence}.raised`, by: 'li' },
    },
  });
  expect(seen).toContain('POST /v1/alarms/{id}/acknowledge 200');
  expect(seen).toContain('POST /v1/alarms/{id}/acknowledge 404');
});

test('dead letters are listed with their first bytes, to who has everything in sight', async () => {
  const all = await call('/v1/dead-letters', tokenFor('administer'));
  const expected = { id: 7, reason: 'too_large', gateway: 'gw-1', size: 300_000, begins: 'AQID' };
  expect(all.body).toMatchObject({ items: [expected], next: null });
  const page = await call('/v1/dead-letters?limit=1', tokenFor('administer'));
  const next = await call(`/v1/dead-letters?after=${page.body.next}`, tokenFor('administer'));
  expect([page.body.next, next.body.items]).toEqual(['7', []]);
  expect((await call('/v1/dead-letters?after=x', tokenFor('administer'))).status).toBe(400);
  expect((await call('/v1/dead-letters', tokenFor('administer', 'gas'))).status).toBe(403);
});
