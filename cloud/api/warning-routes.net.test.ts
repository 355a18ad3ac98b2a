import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { callApi } from '../../tests/api-call.ts';
import { WarnedPlant } from '../../tests/warned-plant.ts';
import { capElements, found, lint, xmllint } from '../../tests/xml-lint.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { actRoutes } from './act-routes.ts';
import { alarmFinder } from './alarm-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';
import { warningRoutes } from './warning-routes.ts';

const broadcast = {
  ...{ resource: '434010400000001001', destination: '434010000000001001' },
  ...{ eventType: '12345', areas: ['340104000000'] },
};

let folder: string;
let registry: Registry;
let plant: WarnedPlant;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-warnings-'));
  registry = new Registry(systemRandom, folder);
  plant = new WarnedPlant({ levels: [2, 2, 2, 3], settings: { broadcast } });
  const { alarms, warnings } = plant;
  for (const series of [1, 2, 3, 4]) plant.set(15, series);
  plant.release('wrn-1');
  const clock = new SimClock(plant.nowMs);
  const onEvents = () => {};
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  const cases = {
    get: (id: string) => (id === '2026-0001' ? { number: 1, asset: 'gas/well-4' } : null),
    alarms: () => plant.occurrences(4).map((occurrence) => ({ occurrence })),
  };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...warningRoutes(clock, {
        ...{ warnings, seeAlarm: alarmFinder(alarms), onEvents, cases: cases as never },
      }),
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
const get = (path: string, token: string, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${api.port}/v1/${path}`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
  });

test('two people with the right to release it by the same call, one of them alone does not', async () => {
  const [li, zhang] = ['li', 'zhang'].map((name) => tokenFor('control', '', name));
  const reason = { reason: 'gas on the street' };
  expect((await call('warnings/wrn-2/release', tokenFor('operate'), reason)).status).toBe(403);
  const { body: asked } = await call('warnings/wrn-2/release', li!, reason);
  expect(asked).toMatchObject({ state: 'drafted', waiting: { kind: 'warning', by: 'li' } });
  expect(asked.waiting.text.en).toMatch(/^Alert of warning wrn-2, Actual, level 2: Orange /);
  expect((await call('warnings/wrn-2/release', li!, reason)).body.state).toBe('drafted');
  const approve = `approvals/${asked.waiting.id}/approve`;
  expect((await call(approve, tokenFor('operate'), {})).status).toBe(403);
  expect((await call(approve, li!, {})).status).toBe(403);
  const { body: left } = await call('warnings/wrn-2/release', zhang!, {});
  expect(left).toMatchObject({ state: 'released', in_force: true, draft: null, messages: 1 });
  const { body: whole } = await call('warnings/wrn-2', tokenFor('read'));
  expect(whole.told).toMatchObject([{ type: 'Alert', released_by: ['li', 'zhang'] }]);
});

test('who has read another revision than the present one releases nothing', async () => {
  const token = tokenFor('control', '', 'li');
  const { body: read } = await call('warnings/wrn-2', token);
  const drafted = await call('warnings/wrn-2/draft', token, { level: 1 });
  expect(drafted.body).toMatchObject({ revision: read.revision + 1, draft: { by: 'li' } });
  const response = await fetch(`http://127.0.0.1:${api.port}/v1/warnings/wrn-2/release`, {
    method: 'POST',
    headers: {
      ...{ authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      'if-match': `"${read.revision}"`,
    },
    body: '{}',
  });
  expect(response.status).toBe(412);
});

test('what is beyond the scope of a token does not exist, nor in its feed', async () => {
  const elsewhere = tokenFor('control', 'gas/well-3');
  expect(
    (await call('warnings', elsewhere)).body.items.map(({ id }: { id: string }) => id),
  ).toEqual(['wrn-3']);
  for (const path of ['warnings/wrn-1', 'warnings/wrn-1.cap', 'warnings/wrn-1.ebm']) {
    expect((await get(path, elsewhere)).status, path).toBe(404);
  }
  expect((await call('warnings/wrn-1/release', elsewhere, {})).status).toBe(404);
  expect(await (await get('warnings/feed', elsewhere)).text()).not.toContain('<entry>');
});

test('a draft of the worst alarm of a case, in words of its own', async () => {
  const token = tokenFor('control');
  const headline = { en: 'Stay away from well 4', zh: '远离4号井' };
  const { status, body } = await call('warnings', token, { case: '2026-0001', headline });
  expect([status, body.key, body.headline]).toEqual([200, 'gw-1/d/p4', headline]);
  expect((await call('warnings', token, { case: '2026-0002' })).status).toBe(404);
  expect((await call('warnings', token, {})).status).toBe(400);
  const blank = { case: '2026-0001', event: { en: ' ', zh: ' ' } };
  expect((await call('warnings', token, blank)).status).toBe(400);
});

test.skipIf(!xmllint)(
  'a subscriber asks again with the ETag and is told only of changes',
  async () => {
    const token = tokenFor('read', '', 'broadcaster');
    const first = await get('warnings/feed', token);
    const xml = await first.text();
    expect(first.headers.get('content-type')).toMatch(/^application\/atom\+xml/);
    expect(lint(xml)).toBe('');
    expect(found(xml, '/feed/entry[1]/content/alert/msgType')).toBe('Alert');
    const tag = first.headers.get('etag')!;
    const again = await get('warnings/feed', token, { 'if-none-match': tag });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const since = { 'if-modified-since': first.headers.get('last-modified')! };
    expect((await get('warnings/feed', token, since)).status).toBe(304);
    plant.set(0, 1);
    plant.release('wrn-1');
    const changed = await get('warnings/feed', token, { 'if-none-match': tag });
    expect(changed.status).toBe(200);
    expect(found(await changed.text(), '/feed/entry[1]/content/alert/msgType')).toBe('Cancel');
    const href = found(xml, '/feed/entry[1]/link/@href').replace('/v1/', '');
    const cap = await get(href, token);
    expect(cap.headers.get('content-type')).toMatch(/^application\/cap\+xml/);
    expect(lint(await cap.text(), capElements)).toBe('');
  },
);

test('each answer of the warnings is as the OpenAPI document says', async () => {
  const said = { reason: 'x' };
  const seen = await checkDescribed({
    ...{ base: `http://127.0.0.1:${api.port}`, only: '/v1/warnings' },
    tokenFor: (right, scope) => tokenFor(right, scope, `c-${right}`),
    params: {
      id: 'wrn-1',
      ...{ 'POST /v1/warnings/{id}/release': 'wrn-2', 'POST /v1/warnings/{id}/drop': 'wrn-3' },
    },
    bodies: {
      'POST /v1/warnings': { alarm: plant.occurrences(4)[0]! },
      'POST /v1/warnings/{id}/draft': { type: 'Update', note: { en: 'x', zh: 'x' } },
      'POST /v1/warnings/{id}/release': said,
      'POST /v1/warnings/{id}/drop': said,
      'POST /v1/warnings/{id}/receipts': { message: 1, receiver: 'county', state: 1 },
    },
  });
  const good = seen.filter((each) => each.endsWith(' 200'));
  expect(good).toEqual([
    'GET /v1/warnings 200',
    'GET /v1/warnings/{id} 200',
    'GET /v1/warnings/feed 200',
    'GET /v1/warnings/{id}.cap 200',
    'GET /v1/warnings/{id}.ebm 200',
    'POST /v1/warnings 200',
    'POST /v1/warnings/{id}/draft 200',
    'POST /v1/warnings/{id}/release 200',
    'POST /v1/warnings/{id}/drop 200',
    'POST /v1/warnings/{id}/receipts 200',
  ]);
});
