import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import type { KeptLetter } from '../inbox/reader.ts';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import { headsFor } from '../registry/journal-heads.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { alarmFinder } from './alarm-routes.ts';
import { deadLetterRoutes } from './dead-letter-routes.ts';
import { journalRoutes } from './journal-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const WALL = Date.UTC(2026, 0, 1);
const { occurrence } = sampleAlarm; // Of the asset gas/MP-1193/well-07.
const letter: KeptLetter = {
  ...{ id: 7, atMs: WALL, reason: 'too_large', detail: '', area: '', gateway: 'gw-1', topic: 't' },
  ...{ epoch: '', sequence: 0, readings: 0, checksum: 0, size: 300_000 },
  bytes: Uint8Array.of(1, 2, 3),
};

let folder: string;
let registry: Registry;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-journal-'));
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(registry.database);
  const { journal } = registry;
  const clock = new SimClock(WALL);
  alarms.tables.insert(sampleAlarm);
  for (let at = 0; at < 5; at++) {
    const who = at % 2 ? 'li' : 'lifeline';
    const entry = { atMs: WALL + at * 1_000, kind: `k${at}`, who, from: '10.0.0.7' };
    journal.write({ ...entry, what: occurrence, before: { at }, after: null });
  }
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...journalRoutes(systemClock, {
        journal,
        heads: (newest) => headsFor(folder, newest),
        seeAlarm: alarmFinder(alarms),
      }),
      ...deadLetterRoutes(
        clock,
        { deadLetters: () => [], deadLetter: (id) => (id === 7 ? letter : null) },
        journal,
      ),
    ],
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true });
});

const tokenFor = (right: Right, scope = '') =>
  registry.issueToken({ name: `p-${right}`, right, scope }, WALL);

async function get(path: string, token = tokenFor('administer')) {
  const response = await fetch(`http://127.0.0.1:${api.port}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test('the journal is asked by who, kind and time, in either order, with before, after and hash', async () => {
  const { body } = await get('/v1/journal?order=newest&who=li');
  expect(body.items).toMatchObject([
    { seq: 4, kind: 'k3', from: '10.0.0.7', before: { at: 3 }, after: null },
    { seq: 2, kind: 'k1', who: 'li' },
  ]);
  expect(body.items[0].hash).toMatch(/^[0-9a-f]{64}$/);
  const [from, to] = [2, 4].map((seconds) => new Date(WALL + seconds * 1_000).toISOString());
  const between = await get(`/v1/journal?what=${occurrence}&from=${from}&to=${to}`);
  expect(between.body.items.map(({ seq }: { seq: number }) => seq)).toEqual([3, 4]);
  const first = await get('/v1/journal?kind=k0&limit=1');
  expect(first.body).toMatchObject({ items: [{ seq: 1 }], next: '1' });
  expect((await get('/v1/journal?after=x')).status).toBe(400);
});

test('issuing a token, and reading what a gateway sent, stand in the journal with name and address', async () => {
  await get('/v1/dead-letters/7');
  const { body } = await get('/v1/journal?order=newest&limit=2');
  expect(body.items).toMatchObject([
    { kind: 'token-issued', who: 'lifeline', after: { right: 'administer', scope: '' } },
    {
      ...{ kind: 'dead-letter-read', who: 'p-administer', from: '127.0.0.1' },
      after: { gateway: 'gw-1', size: 300_000 },
    },
  ]);
  expect(JSON.stringify(body)).not.toContain('sha256');
});

test('a whole journal verifies, a changed one does not, and a head from elsewhere finds more', async () => {
  const administer = tokenFor('administer');
  registry.heads.note(registry.journal.head(), WALL);
  const { body: kept } = await get('/v1/journal/head', administer);
  const { seq, hash } = kept.head;
  const sound = await get(`/v1/journal/verify?head=${seq}:${hash}`, administer);
  expect(sound.body).toMatchObject({ sound: true, entries: seq, heads: 2, flaws: [] });
  const other = await get(`/v1/journal/verify?head=${seq + 1}:${hash}`, administer);
  expect(other.body).toMatchObject({
    sound: false,
    flaws: [{ kind: 'cut', seq: seq + 1, through: seq + 1 }],
  });
  registry.database.exec(`DROP TRIGGER alarm_journal_fixed;
    UPDATE alarm_journal SET at_ms = 9e15 WHERE seq = 3`);
  const changed = await get('/v1/journal/verify', administer);
  expect(changed.body).toMatchObject({
    sound: false,
    flaws: [{ kind: 'unguarded' }, { kind: 'changed', seq: 3 }],
  });
  expect((await get('/v1/journal/3', administer)).body).toMatchObject({ at_ms: 9e15 });
});

test('a journal with entries of which nothing was ever noted is not sound', async () => {
  const { body } = await get('/v1/journal/verify');
  expect(body).toMatchObject({ sound: false, flaws: [{ kind: 'heads-missing' }] });
});

test('who sees a part of the assets sees the journal of an alarm in it, and no more', async () => {
  const [inside, outside] = ['gas/MP-1193', 'water'].map((scope) => tokenFor('read', scope));
  // The second token took the place of the first.
  expect((await get(`/v1/journal?alarm=${occurrence}`, inside!)).status).toBe(401);
  expect((await get(`/v1/journal?alarm=${occurrence}`, outside!)).status).toBe(404);
  const seeing = tokenFor('read', 'gas/MP-1193');
  expect((await get(`/v1/journal?alarm=${occurrence}`, seeing)).body.items).toHaveLength(5);
  for (const path of ['', '/1', '/head', '/verify']) {
    expect((await get(`/v1/journal${path}`, seeing)).status).toBe(403);
  }
});

test('the OpenAPI document describes every answer about the journal, problems too', async () => {
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    params: { seq: '1', id: '7' },
  });
  expect(seen).toContain('GET /v1/journal/verify 200');
  expect(seen).toContain('GET /v1/journal/{seq} 404');
});
