import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { callApi } from '../../tests/api-call.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { entry, high, newInbox, record, WALL } from '../alarms/made-records.ts';
import { type Act, Registry, type Right } from '../registry/registry.ts';
import { actRoutes } from './act-routes.ts';
import { alarmRoutes } from './alarm-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let alarms: AlarmConsumer;
let api: Api;
let handled: string[];

const third = high({ level: 3 });
const target = 'gw-1/d/p1/high';

beforeEach(async () => {
  newInbox();
  handled = [];
  folder = mkdtempSync(join(tmpdir(), 'lifeline-acts-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(database);
  const worse = high({ level: 2, limit: 20 });
  const rules = [third, { ...worse, id: 'worse' }, { ...worse, id: 'worst', limit: 30 }];
  const manifest = [entry(1, rules), entry(2, [{ ...third, isLatching: true }])];
  alarms.apply([record({ sequence: 1, lane: 'event', manifest })], WALL);
  alarms.apply([record({ sequence: 2, readings: [[1, 1000, 12]] })], WALL + 1000);
  const clock = new SimClock(WALL + 2000);
  const notify = {
    handled: (occurrence: string, by: string) => handled.push(`${occurrence} ${by}`),
    deliveries: () => [],
    confirm: () => 'confirmed' as const,
  };
  const onEvents = () => {};
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...alarmRoutes(clock, { alarms, notify, onEvents }),
      ...actRoutes(clock, { alarms, notify, onEvents }),
    ],
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

function tokenFor(right: Right, scope = '', acts?: readonly Act[]) {
  return registry.issueToken({ name: `p-${right}${scope && `-${scope}`}`, right, scope, acts }, 0);
}

const call = (path: string, token: string, posted?: object, ifMatch?: number) =>
  callApi(api, path, token, posted, ifMatch);

const shelve = { target, minutes: 60, reason: 'works' };
const remove = { ...shelve, work_order: 'WO-7' };
const raised = () => alarms.list({ state: 'all' }).at(-1)!;

test('acknowledge, silence, shelve and out of service are four acts with four rights', async () => {
  const id = raised().occurrence;
  const tries = {
    acknowledge: [`alarms/${id}/acknowledge`, {}],
    silence: [`alarms/${id}/silence`, {}],
    shelve: ['conditions/shelve', shelve],
    remove: ['conditions/remove', remove],
  } as const;
  for (const [act, [path, body]] of Object.entries(tries)) {
    const others = (Object.keys(tries) as Act[]).filter((each) => each !== act);
    const without = tokenFor('operate', '', others);
    expect((await call(path, without, body)).body.title).toBe('act_not_allowed');
    const alone = tokenFor('operate', '', [act as Act]);
    expect((await call(path, alone, body)).status).toBe(200);
  }
  expect(raised().state).toBe('I');
});

test('what is customary: who operates may not shelve, who controls may, not take out of service', async () => {
  expect((await call('conditions/shelve', tokenFor('operate'), shelve)).status).toBe(403);
  expect((await call('conditions/remove', tokenFor('control'), remove)).status).toBe(403);
  const { body } = await call('conditions/shelve', tokenFor('control'), shelve);
  expect(body).toMatchObject({ waiting: null, alarm: { state: 'G', shelf: { by: 'p-control' } } });
  expect(handled).toEqual([`${raised().occurrence} p-control`]);
  const { body: hidden } = await call('conditions', tokenFor('read'));
  expect(hidden.items).toMatchObject([{ target, letter: 'G' }]);
});

test('the second of two operators at once is told who was first', async () => {
  const { body, etag } = await call(`alarms/${raised().occurrence}`, tokenFor('read'));
  expect(etag).toBe(`"${body.revision}"`);
  const first = await call('conditions/shelve', tokenFor('control'), shelve);
  expect(first.status).toBe(200);
  const id = raised().occurrence;
  const second = { ...remove, target: id };
  const late = await call('conditions/remove', tokenFor('administer'), second, body.revision);
  expect(late.status).toBe(412);
  expect(late.body.detail).toContain('p-control');
  const again = await call('conditions/remove', tokenFor('administer'), second, body.revision + 1);
  expect(again.status).toBe(200);
});

test('what two people must agree to waits for the second, who has the right too', async () => {
  const worse = { ...shelve, target: 'gw-1/d/p1/worse' };
  const { body } = await call('conditions/shelve', tokenFor('control'), worse);
  const path = `approvals/${body.waiting.id}/approve`;
  expect((await call(path, tokenFor('control'), {})).body.title).toBe('approval_same_person');
  expect((await call(path, tokenFor('operate'), {})).body.title).toBe('act_not_allowed');
  expect((await call(path, tokenFor('administer'), {})).status).toBe(200);
  const { items } = (await call('conditions', tokenFor('read'))).body;
  expect(items).toMatchObject([{ target: worse.target, letter: 'G' }]);
});

test('who sees a part of the assets acts on that part', async () => {
  const outside = tokenFor('administer', 'water');
  expect((await call('conditions/shelve', outside, shelve)).status).toBe(404);
  const device = { device: 'gw-1/d', minutes: 5, reason: 'bump test' };
  expect((await call('device-tests', outside, device)).status).toBe(404);
  expect((await call('conditions', outside)).body.items).toEqual([]);
  const inside = tokenFor('administer', 'gas');
  expect((await call('device-tests', inside, device)).body).toMatchObject({
    by: 'p-administer-gas',
  });
  expect((await call('device-tests', outside)).body.items).toEqual([]);
  expect((await call('device-tests/end', inside, { device: 'gw-1/d' })).status).toBe(200);
});

test('the OpenAPI document describes every answer about acts, problems too', async () => {
  const worse = { ...shelve, target: 'gw-1/d/p1/worse' };
  const { body } = await call('conditions/shelve', tokenFor('control'), worse);
  const other = { ...shelve, target: 'gw-1/d/p1/worst' };
  const { body: unwanted } = await call('conditions/shelve', tokenFor('control'), other);
  const both = [2000, 3000].map((ms, at) => [2, ms, at === 0 ? 12 : 5] as const);
  alarms.apply([record({ sequence: 3, readings: both })], WALL + 3000);
  const [latched] = alarms.list();
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    params: {
      id: raised().occurrence,
      'POST /v1/alarms/{id}/reset': latched!.occurrence,
      'POST /v1/approvals/{id}/approve': String(body.waiting.id),
      'POST /v1/approvals/{id}/withdraw': String(unwanted.waiting.id),
    },
    bodies: {
      'POST /v1/alarms/{id}/reset': { note: 'seal mended' },
      'POST /v1/alarms/{id}/acknowledge': { note: 'on my way' },
      'POST /v1/conditions/shelve': shelve,
      'POST /v1/conditions/remove': remove,
      'POST /v1/conditions/unshelve': { target },
      'POST /v1/conditions/return': { target },
      'POST /v1/device-tests': { device: 'gw-1/d', minutes: 5, reason: 'bump test' },
      'POST /v1/device-tests/end': { device: 'gw-1/d' },
      'POST /v1/confirmations': { confirmed: 'x.raised', by: 'li' },
    },
  });
  expect(seen).toContain('POST /v1/conditions/shelve 200');
  expect(seen).toContain('POST /v1/approvals/{id}/approve 200');
});

test('what waits is shown, approved and withdrawn within its part of the assets only', async () => {
  const worse = { ...shelve, target: 'gw-1/d/p1/worse' };
  const { body } = await call('conditions/shelve', tokenFor('control'), worse);
  expect(body.waiting.text.en).toBe('shelve for 1h: x, level 2, gw-1/d/p1/worse');
  const path = `approvals/${body.waiting.id}`;
  const outside = tokenFor('administer', 'water');
  expect((await call('approvals', outside)).body.items).toEqual([]);
  expect((await call(`${path}/approve`, outside, {})).status).toBe(404);
  expect((await call(`${path}/withdraw`, outside, {})).status).toBe(404);
  // Who could not approve it cannot take it back for another.
  expect((await call(`${path}/withdraw`, tokenFor('operate'), {})).status).toBe(403);
  expect((await call(`${path}/withdraw`, tokenFor('control'), {})).status).toBe(200);
});

test('a test is ended by who makes it, or by who may take out of service', async () => {
  const device = { device: 'gw-1/d', minutes: 5, reason: 'bump test' };
  expect((await call('device-tests', tokenFor('administer'), device)).status).toBe(200);
  const end = { device: 'gw-1/d' };
  expect((await call('device-tests/end', tokenFor('operate'), end)).status).toBe(403);
  expect((await call('device-tests/end', tokenFor('administer'), end)).status).toBe(200);
  expect((await call('device-tests/end', tokenFor('administer'), end)).status).toBe(409);
});

test('on a disk without room nothing is done, and who asked is told to make some', async () => {
  const { page_count: pages } = database.prepare('PRAGMA page_count').get() as {
    page_count: number;
  };
  database.exec(`PRAGMA max_page_count = ${pages}`);
  let status = 200;
  let title = '';
  for (let at = 0; at < 2_000 && status === 200; at++) {
    const answer = await call(`alarms/${raised().occurrence}/silence`, tokenFor('operate'), {});
    status = answer.status;
    title = answer.body.title;
  }
  expect([status, title]).toEqual([503, 'api_disk_full']);
  const before = raised();
  expect((await call('conditions/shelve', tokenFor('control'), shelve)).status).toBe(503);
  expect(raised()).toEqual(before);
  database.exec(`PRAGMA max_page_count = ${pages + 1_000}`);
  expect((await call('conditions/shelve', tokenFor('control'), shelve)).status).toBe(200);
  expect(raised().state).toBe('G');
});
