import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { UNMARKED } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import { Ledger } from '../notify/ledger.ts';
import type { Notifier } from '../notify/notifier.ts';
import { Pipeline } from '../notify/pipeline.ts';
import { chainOf } from '../notify/route.ts';
import { type Principal, Registry } from '../registry/registry.ts';
import { alarmFinder } from './alarm-routes.ts';
import { confirmationRoutes, REFUSALS_JOURNALLED_PER_HOUR } from './confirmation-routes.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const ID = `${sampleAlarm.occurrence}.raised`;
let folder: string;
let clock: SimClock;
let registry: Registry;
let tables: AlarmTables;
let pipeline: Pipeline;
let api: Api;
let stop: AbortController;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-confirm-'));
  clock = new SimClock();
  registry = new Registry(systemRandom, folder);
  tables = new AlarmTables(registry.database);
  stop = new AbortController();
  const accepting: Notifier = { send: async () => ({ kind: 'sent', confirmedBy: null }) };
  pipeline = new Pipeline(clock, silentLog, new Metrics(), systemRandom, {
    ...{ tables, ledger: new Ledger(registry.database), onChange: () => {} },
    receivers: new Map(['desk', 'siren', 'manager'].map((name) => [name, accepting])),
    routes: [
      { id: 'gas', match: {}, chain: chainOf(['desk', 'manager'], 60_000) },
      { id: 'other', match: {}, chain: chainOf(['siren'], 60_000) },
    ],
  });
  void pipeline.run(stop.signal);
  api = await openApi(clock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '1', registry },
    stream: new EventStream('s'),
    routes: confirmationRoutes(clock, {
      ...{ notify: pipeline, journal: tables.journal },
      find: alarmFinder({ get: (id) => tables.get(id) }),
    }),
  });
  const { number: _, state: __, revision: ___, ...alarm } = sampleAlarm;
  const raised = tables.insert({ ...alarm, ...UNMARKED, kind: 'limit' });
  tables.queue('raised', raised!, clock.wallMs());
  await clock.advance(2_000);
});

afterEach(async () => {
  stop.abort();
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const tokenFor = (receiver: string | undefined, right: Principal['right'] = 'confirm') =>
  registry.issueToken({ name: `t-${receiver ?? right}`, right, scope: '', receiver }, 0);

async function say(token: string, body: object): Promise<{ status: number; title: string }> {
  const response = await fetch(`http://127.0.0.1:${api.port}/v1/confirmations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ confirmed: ID, by: 'li', ...body }),
  });
  const { title = '' } = (await response.json()) as { title?: string };
  return { status: response.status, title };
}

const deliveryOf = (receiver: string) =>
  pipeline.deliveries().find((each) => each.receiver === receiver);
const refusals = () =>
  tables.journal
    .list({ kind: 'confirmation-refused' }, { order: 'oldest', after: 0, limit: 100 })
    .entries.map(({ who, after }) => ({ who, ...(after as { why: string }) }));

test('a receiver has, goes to or hands on what it was sent itself, and nothing of others', async () => {
  const token = tokenFor('desk');
  expect((await say(token, {})).status).toBe(200);
  expect((await say(token, {})).status).toBe(200);
  expect(deliveryOf('desk')).toMatchObject({ state: 'confirmed', confirmedBy: 'li' });
  expect(deliveryOf('siren')).toMatchObject({ state: 'accepted', confirmedMs: null });
  await say(token, { word: 'on_my_way' });
  expect(deliveryOf('desk')).toMatchObject({ state: 'acted' });
  expect(refusals()).toEqual([]);
});

test('not mine by machine tells the next', async () => {
  await say(tokenFor('desk'), { word: 'not_mine' });
  await clock.advance(2_000);
  expect(deliveryOf('manager')).toMatchObject({ state: 'accepted' });
  expect(deliveryOf('desk')).toMatchObject({ declined: { by: 'li' }, confirmedMs: null });
});

test("who confirms what was sent to another, or in another's name, is refused and journalled", async () => {
  const token = tokenFor('manager');
  expect(await say(token, {})).toEqual({ status: 403, title: 'confirmation_foreign' });
  expect(await say(token, { receiver: 'desk' })).toMatchObject({ status: 403 });
  expect(deliveryOf('desk')?.confirmedMs).toBeNull();
  expect(refusals()).toMatchObject([
    { who: 't-manager', delivery: ID, receiver: 'manager', why: 'another receiver' },
    { who: 't-manager', delivery: ID, receiver: 'desk', why: 'another receiver' },
  ]);
});

test('what was never sent is confirmed by nobody, and journalled so often and no more', async () => {
  const confirmed = `${'f'.repeat(32)}.raised`;
  const desk = tokenFor('desk');
  for (let at = 0; at < REFUSALS_JOURNALLED_PER_HOUR + 5; at++) {
    expect(await say(desk, { confirmed })).toMatchObject({ status: 404 });
  }
  expect(await say(tokenFor(undefined, 'operate'), { confirmed })).toMatchObject({ status: 404 });
  expect(refusals().filter(({ who }) => who === 't-desk')).toHaveLength(
    REFUSALS_JOURNALLED_PER_HOUR,
  );
  expect(refusals().at(-1)).toMatchObject({ who: 't-operate', why: 'never sent' });
});

test('a token without a receiver confirms for all of them only if it operates', async () => {
  expect(await say(tokenFor(undefined, 'confirm'), {})).toMatchObject({ status: 403 });
  expect(await say(tokenFor(undefined, 'read'), {})).toMatchObject({ status: 403 });
  const operator = tokenFor(undefined, 'operate');
  expect(await say(operator, { word: 'on_my_way' })).toMatchObject({ status: 400 });
  expect(await say(operator, { word: 'on_my_way', receiver: 'siren' })).toMatchObject({
    status: 200,
  });
  expect(deliveryOf('siren')).toMatchObject({ state: 'acted' });
  expect(await say(operator, {})).toMatchObject({ status: 200 });
  expect(deliveryOf('desk')).toMatchObject({ state: 'confirmed' });
});

test('the token of a receiver reads nothing', async () => {
  const headers = { authorization: `Bearer ${tokenFor('desk')}` };
  const found = await fetch(`http://127.0.0.1:${api.port}/v1/openapi.json`, { headers });
  expect(found.status).toBe(403);
});
