import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { callApi } from '../../tests/api-call.ts';
import { CommandedPlant } from '../../tests/commanded-plant.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { actRoutes } from './act-routes.ts';
import { commandRoutes } from './command-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

let folder: string;
let registry: Registry;
let plant: CommandedPlant;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-commands-'));
  registry = new Registry(systemRandom, folder);
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  plant.record('gw-1');
  const { alarms, commands, clock } = plant;
  const onEvents = () => plant.turn();
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...commandRoutes(clock, { commands, alarms, onEvents }),
      ...actRoutes(clock, { alarms, notify, onEvents }),
    ],
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  plant.database.close();
  rmSync(folder, { recursive: true });
});

const tokenFor = (right: Right, scope = '', name = `p-${right}${scope.replaceAll('/', '-')}`) =>
  registry.issueToken({ name, right, scope }, 0);

const call = (path: string, token: string, posted?: object) => callApi(api, path, token, posted);

const stop = {
  ...{ gateway: 'gw-1', device: 'fan-2', point: 'run', command: 'stop', why: 'smoke' },
};
const speed = { ...stop, point: 'speed', command: 'set', value: 40 };
const mode = { ...speed, device: 'valve-1', point: 'mode', value: 1 };

async function problem(body: object, token: string, language = 'en') {
  const response = await fetch(`http://127.0.0.1:${api.port}/v1/commands`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      'accept-language': language,
    },
    body: JSON.stringify(body),
  });
  const { title, detail } = (await response.json()) as { title: string; detail: string };
  return `${response.status} ${title}: ${detail}`;
}

test('each refusal is a problem with a status, a code and a sentence in the language of the reader', async () => {
  const token = tokenFor('control', '', 'li');
  const said = (body: object, language?: string) => problem({ ...stop, ...body }, token, language);
  expect(await said({ point: 'no' })).toMatch(/^404 command_point_unknown: gw-1\/fan-2\/no: no /);
  expect(await said({ command: 'burn' })).toMatch(/^404 command_not_offered: .*: stop, start$/);
  expect(await said({ command: 'burn' }, 'zh')).toMatch(/^404 command_not_offered: .*没有命令/);
  expect(await said({ value: 7 })).toMatch(/^400 command_value_unfit: stop writes false/);
  expect(await said({ ...speed, value: 400 })).toMatch(/^400 command_out_of_range: 400 is not/);
  expect(await said({ ...speed, value: 400 }, 'zh')).toMatch(/^400 .*不允许取值 400：0 至 100 %$/);
  expect(await said({ time_to_live_ms: 10 })).toMatch(/^400 command_time_to_live: .*1 s to 600 s/);
  expect(await said({ why: ' ' })).toMatch(/^400 api_bad_request: .*why/);
  expect(await said({ id: 'x' })).toMatch(/^400 api_bad_request: .*id/);
  expect((await call('commands', token, speed)).status).toBe(200);
  expect(await said(speed)).toMatch(/^409 command_too_soon: /);
  plant.online.delete('gw-1');
  expect(await said({})).toMatch(/^409 gateway_offline: gw-1 is not connected/);
  expect(await said({}, 'zh')).toMatch(/^409 gateway_offline: 网关 gw-1 未连接/);
  expect(plant.published).toHaveLength(1);
});

test('the right of the offer decides, and what is beyond the scope of a token does not exist', async () => {
  const start = { ...stop, command: 'start' };
  expect((await call('commands', tokenFor('read'), start)).status).toBe(403);
  expect((await call('commands', tokenFor('operate'), start)).status).toBe(200);
  expect(await problem(stop, tokenFor('operate'))).toMatch(/^403 command_not_allowed: .*"control"/);
  const elsewhere = tokenFor('control', 'gas/well-2');
  expect(await problem(stop, elsewhere)).toMatch(/^404 command_point_unknown/);
  const { body: asked } = await call('commands', tokenFor('control'), stop);
  expect((await call(`commands/${asked.id}`, elsewhere)).status).toBe(404);
  expect((await call('commands', elsewhere)).body.items).toEqual([]);
  const { body: offers } = await call('offers', elsewhere);
  expect(offers.items).toMatchObject([
    { device: 'valve-1', command: 'set', two_people: true, allowed: true, states: [0, 1, 2] },
  ]);
});

test('a call that is made again finds its command, and its outcome as soon as there is one', async () => {
  const token = tokenFor('control', '', 'li');
  const id = 'ab'.repeat(16);
  const both = await Promise.all([
    call('commands', token, { ...stop, id }),
    call('commands', token, { ...stop, id }),
  ]);
  expect(both.map(({ body }) => [body.id, body.number, body.state])).toEqual([
    [id, 1, 'issued'],
    [id, 1, 'issued'],
  ]);
  expect(await problem({ ...stop, id, command: 'start' }, token)).toMatch(/^409 command_id_taken/);
  plant.reply(id, { outcome: 'refused', reason: 'interlock', detail: 'gas-high', readBack: null });
  const { body } = await call(`commands/${id}`, token);
  expect(body).toMatchObject({
    state: 'refused',
    settled: {
      ...{ outcome: 'refused', reason: 'interlock', detail: 'gas-high', by: 'gateway gw-1' },
      text: { en: 'an interlock of the site holds', zh: '现场联锁生效中' },
    },
  });
  expect(plant.published).toHaveLength(1);
});

test('two people: the second has the right of the command, is another, and sees what is asked', async () => {
  const li = tokenFor('control', '', 'li');
  const { body: asked } = await call('commands', li, mode);
  expect(asked).toMatchObject({ state: 'waiting', approval: 1, issued: null, second: null });
  const { body: waiting } = await call('approvals', tokenFor('read'));
  expect(waiting.items).toMatchObject([
    { kind: 'command', text: { en: 'command gw-1/valve-1/mode set: Set = 1 %' }, by: 'li' },
  ]);
  const minutes = Date.parse(waiting.items[0].until) - Date.parse(waiting.items[0].asked);
  expect(minutes / 60_000).toBe(15);
  const approve = 'approvals/1/approve';
  expect((await call(approve, li, {})).body.title).toBe('approval_same_person');
  expect((await call(approve, tokenFor('operate'), {})).body.title).toBe('command_not_allowed');
  expect((await call(approve, tokenFor('control', 'gas/well-1'), {})).status).toBe(404);
  expect(plant.published).toEqual([]);
  expect((await call(approve, tokenFor('control', 'gas/well-2', 'zhang'), {})).status).toBe(200);
  expect(plant.published).toMatchObject([{ issuer: 'li', second: 'zhang' }]);
  const { body } = await call(`commands/${asked.id}`, li);
  expect(body).toMatchObject({ state: 'issued', second: 'zhang', lapses: null });
});

test('who asked takes it back, and so does who could release it; nobody else', async () => {
  const li = tokenFor('operate', '', 'li');
  expect((await call('commands', li, mode)).status).toBe(403);
  const { body } = await call('commands', tokenFor('control', '', 'zhang'), mode);
  const withdraw = `approvals/${body.approval}/withdraw`;
  expect((await call(withdraw, li, {})).status).toBe(403);
  expect((await call(withdraw, tokenFor('control', '', 'zhang'), {})).status).toBe(200);
  const { body: over } = await call(`commands/${body.id}`, li);
  expect(over).toMatchObject({ state: 'refused', settled: { detail: 'withdrawn', by: 'zhang' } });
});

test('a reason that only a later version knows is not told as if all were well', async () => {
  const token = tokenFor('control', '', 'li');
  const { body: asked } = await call('commands', token, stop);
  plant.reply(asked.id, { outcome: 'failed', reason: 'none', readBack: null });
  const { body } = await call(`commands/${asked.id}`, token);
  expect(body.settled).toMatchObject({
    outcome: 'failed',
    text: { en: expect.stringContaining('gave no reason') },
  });
});

test('lists are narrowed by gateway, point and state, page by page', async () => {
  const token = tokenFor('control', '', 'li');
  const asked = [];
  for (const body of [stop, { ...stop, command: 'start' }, speed, mode]) {
    asked.push((await call('commands', token, body)).body.id);
  }
  plant.reply(asked[0]);
  const ids = async (query: string) =>
    (await call(`commands?${query}`, token)).body.items.map(({ id }: { id: string }) => id);
  expect(await ids('')).toEqual([...asked].reverse());
  expect(await ids('state=open')).toEqual([asked[3], asked[2], asked[1]]);
  expect(await ids('state=waiting')).toEqual([asked[3]]);
  expect(await ids('state=done')).toEqual([asked[0]]);
  expect(await ids('device=fan-2&point=speed')).toEqual([asked[2]]);
  expect(await ids('gateway=gw-2')).toEqual([]);
  const { body: page } = await call('commands?limit=3', token);
  expect(await ids(`limit=3&after=${page.next}`)).toEqual([asked[0]]);
  expect((await call('commands?after=x', token)).status).toBe(400);
  const offers = async (query: string) => (await call(`offers?${query}`, token)).body;
  const first = await offers('limit=2');
  expect(first.items).toHaveLength(2);
  expect((await offers(`limit=9&after=${first.next}`)).items).toHaveLength(3);
  expect((await offers('gateway=gw-1&device=valve-1')).items).toHaveLength(1);
});

test('the OpenAPI document describes every answer about commands, problems too', async () => {
  const { body } = await call('commands', tokenFor('control', '', 'li'), stop);
  plant.reply(body.id);
  for (const only of ['/v1/commands', '/v1/offers']) {
    const seen = await checkDescribed({
      ...{ base: `http://127.0.0.1:${api.port}`, tokenFor, only },
      params: { id: body.id },
      bodies: { 'POST /v1/commands': mode },
    });
    expect(seen).toContain(`GET ${only} 200`);
  }
});
