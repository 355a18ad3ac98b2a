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
import type { SeriesEntry } from '../inbox/decoded.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { actRoutes } from './act-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { ruleRoutes } from './rule-routes.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let alarms: AlarmConsumer;
let api: Api;

/** `gw-1/d/p1` of class life-safety, `gw-1/d/p2` of class trend; both 0 to 100. */
function point(series: number, more: Partial<SeriesEntry['definition']>): SeriesEntry {
  const { definition, ...whose } = entry(series, [high({ limit: 20, deadband: 2 })]);
  return { ...whose, definition: { ...definition, range: [0, 100], ...more } };
}

beforeEach(async () => {
  newInbox();
  folder = mkdtempSync(join(tmpdir(), 'lifeline-rules-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(database);
  const entries = [
    point(1, { class: 'life-safety', asset: 'gas/well-07' }),
    point(2, { class: 'trend', asset: 'water/zone-3' }),
  ];
  alarms.apply([record({ sequence: 1, lane: 'event', manifest: entries })], WALL);
  const clock = new SimClock(WALL + 2000);
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  const onEvents = () => {};
  const series = new Map(entries.map((each) => [each.series, each]));
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...actRoutes(clock, { alarms, notify, onEvents }).filter(({ url }) => /approvals/.test(url)),
      ...ruleRoutes(clock, { alarms, series, onEvents }),
    ],
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

const tokenFor = (right: Right, scope = '', name = `p-${right}${scope && '-scoped'}`) =>
  registry.issueToken({ name, right, scope }, 0);

const call = (path: string, token: string, posted?: object, ifMatch?: number) =>
  callApi(api, path, token, posted, ifMatch);

const limit = (raise: number, clear: number) => ({
  rule: { kind: 'limit', side: 'high', raise, clear, delay: '0s', off_delay: '0s', level: 2 },
  reason: 'site visit',
});
const trend = 'rules/gw-1/d/p2/high';
const lifeSafety = 'rules/gw-1/d/p1/high';

test('of two who read the same rule the second to decide is told who was first', async () => {
  const token = tokenFor('administer');
  const { body, etag } = await call(trend, token);
  expect(body).toMatchObject({
    version: 1,
    author: 'gateway gw-1',
    when: { en: '≥ 20 bar, clear < 18' },
  });
  expect(etag).toBe('"1"');
  expect(await call(trend, token, limit(30, 25), 1)).toMatchObject({
    status: 200,
    body: { version: 2, author: 'p-administer', reason: 'site visit', proposed: { raise: 20 } },
  });
  const late = await call(trend, tokenFor('administer', '', 'late'), limit(40, 35), 1);
  expect(late).toMatchObject({ status: 412, body: { title: 'api_precondition' } });
  expect(late.body.detail).toContain('p-administer');
});

test('a life-safety limit moves when a second person who may has said yes', async () => {
  const asked = await call(lifeSafety, tokenFor('administer'), limit(30, 25));
  expect(asked.body).toMatchObject({
    version: 1,
    rule: { raise: 20 },
    waiting: [{ kind: 'rule' }],
  });
  const path = `approvals/${asked.body.waiting[0].id}/approve`;
  expect((await call(path, tokenFor('operate'), {})).status).toBe(403);
  expect((await call(path, tokenFor('control', 'water'), {})).status).toBe(404);
  expect((await call(path, tokenFor('control'), {})).status).toBe(200);
  expect((await call(lifeSafety, tokenFor('read'))).body).toMatchObject({
    version: 2,
    author: 'p-administer',
    approver: 'p-control',
    rule: { raise: 30 },
    waiting: [],
  });
});

test('a rule that can never fire is refused with the field that is wrong', async () => {
  const { status, body } = await call(trend, tokenFor('administer'), limit(130, 90));
  expect([status, body.errors]).toMatchObject([400, [{ path: 'raise' }]]);
  expect(body.detail).toContain('can never come');
  const unheard = await call('rules/gw-1/d/p2/low', tokenFor('administer'), {
    rule: { kind: 'limit', side: 'low', raise: 25, clear: 30, level: 3 },
    reason: 'test',
  });
  expect([unheard.status, unheard.body.errors]).toMatchObject([400, [{ path: 'raise' }]]);
});

test('accept, revert and retire are versions with author and reason', async () => {
  const token = tokenFor('administer');
  await call(trend, token, limit(30, 25));
  expect((await call('rules?show=differing', token)).body.items).toHaveLength(1);
  await call(`${trend}/accept`, token, { reason: 'as the maker says' });
  await call(`${trend}/revert`, token, { version: 2, reason: 'too early' });
  await call(`${trend}/retire`, token, { reason: 'meter removed' });
  const { body } = await call(`${trend}/versions`, token);
  expect(
    body.items.map((each: { rule: { raise: number }; reason: string; retired: boolean }) => [
      each.rule.raise,
      each.reason,
      each.retired,
    ]),
  ).toEqual([
    [20, 'proposed', false],
    [30, 'site visit', false],
    [20, 'as the maker says', false],
    [30, 'too early', false],
    [30, 'meter removed', true],
  ]);
  expect((await call(`${trend}/retire`, token, { reason: 'again' })).status).toBe(409);
  expect((await call('rules?show=retired', token)).body.items).toMatchObject([{ id: 'high' }]);
});

const file = `version: 1
rules:
  - { point: "gw-1/d/*", kind: rate, over: 5m, side: high, raise: 10, level: 3 }
  - { point: d/p1, kind: limit, side: high, raise: 25, level: 2 }
`;

test('a file is checked, then set whole: what is new at once, a life-safety limit waits', async () => {
  const changes = [
    { point: 'gw-1/d/p1', id: 'rate', outcome: 'new' },
    { point: 'gw-1/d/p2', id: 'rate', outcome: 'new' },
    { point: 'gw-1/d/p1', id: 'high', outcome: 'waits', version: 1 },
  ];
  const checked = await call('rules/check', tokenFor('read'), { text: file });
  expect(checked.body).toMatchObject({ failed: false, findings: [], changes });
  expect((await call('rules', tokenFor('read'))).body.items).toHaveLength(4); // Two of no data.
  const body = { text: file, reason: 'review' };
  expect((await call('rules/set', tokenFor('control'), body)).status).toBe(403);
  expect((await call('rules/set', tokenFor('administer'), body)).body).toMatchObject({ changes });
  const { items } = (await call('rules?limit=4', tokenFor('read'))).body;
  expect(items.map((each: { id: string }) => each.id)).toEqual([
    ...['high', 'no-data', 'rate'],
    'high',
  ]);
  expect(items[2].defaults).toEqual({ clear: 9.5, delay: '0s', off_delay: '5m' });
  const { next } = (await call('rules?limit=4', tokenFor('read'))).body;
  expect((await call(`rules?limit=4&after=${next}`, tokenFor('read'))).body).toMatchObject({
    next: null,
    items: [{ id: 'no-data' }, { id: 'rate', point: 'gw-1/d/p2' }],
  });
});

test('a change that waits gives its number, and what a file leaves out is named', async () => {
  const sheet = { action: { en: 'Leave', zh: '撤离' }, time_available: '10m' };
  const basis = { en: 'Study 7', zh: '研究 7' };
  const { rule, reason } = limit(20, 18);
  const path = 'rules/gw-1/d/p1/high';
  const token = tokenFor('administer');
  expect((await call(path, token, { rule: { ...rule, sheet, basis }, reason })).status).toBe(200);
  const text = `version: 1
rules:
  - { point: d/p1, kind: limit, side: high, raise: 25, clear: 18, level: 2, basis: { en: a, zh: b } }
`;
  const { body } = await call('rules/check', token, { text });
  expect(
    body.findings.map(({ code, severity }: Record<string, string>) => [code, severity]),
  ).toEqual([
    ['rule-loses', 'warning'],
    ['rule-loses', 'warning'],
  ]);
  expect(body.findings[0].message.en).toContain('sheet.action');
  expect(body.findings[1].message.en).toContain('sheet.time_available');
  expect(body.changes).toMatchObject([{ outcome: 'waits', version: 2, approval: null }]);
  expect(body.changes[0].fields).toContainEqual({
    ...{ field: 'raise', before: 20, after: 25, wasDefault: false, isDefault: false },
  });
  const set = (await call('rules/set', token, { text, reason })).body.changes[0];
  const { waiting } = (await call(path, token)).body;
  expect([set.outcome, set.approval]).toEqual(['waits', waiting[0].id]);
});

test('a file with a mistake sets nothing and says where it stands', async () => {
  const text = file.replace('raise: 25', 'raise: 250');
  const { body } = await call('rules/set', tokenFor('administer'), { text, reason: 'review' });
  expect(body).toMatchObject({
    failed: true,
    findings: [{ code: 'rule-never-fires', line: 4, column: 52 }],
    changes: [],
  });
  expect(alarms.rules()).toHaveLength(4);
});

test('who sees a part of the assets sees the rules of that part, and checks against it', async () => {
  const token = tokenFor('administer', 'water');
  expect((await call('rules', token)).body.items).toMatchObject([
    { point: 'gw-1/d/p2', id: 'high' },
    { point: 'gw-1/d/p2', id: 'no-data' },
  ]);
  expect((await call(lifeSafety, token, limit(30, 25))).status).toBe(404);
  const { body } = await call('rules/check', token, { text: file });
  expect(body.findings).toMatchObject([{ code: 'rule-point-unknown', line: 4 }]);
});

test('the OpenAPI document describes every answer about rules, problems too', async () => {
  const token = tokenFor('administer');
  const waiting = async (raise: number, by: string) => {
    const asked = await call(lifeSafety, tokenFor('administer', '', by), limit(raise, 25));
    return String(asked.body.waiting.at(-1).id);
  };
  const [given, unwanted] = [await waiting(30, 'first'), await waiting(31, 'second')];
  await call(trend, token, limit(30, 25));
  const rule = 'POST /v1/rules/{gateway}/{device}/{point}/{rule}';
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor: (right, scope = '') => tokenFor(right, scope, `q-${right}${scope && '-scoped'}`),
    params: {
      ...{ gateway: 'gw-1', device: 'd', point: 'p2', rule: 'high', id: 'none' },
      'POST /v1/approvals/{id}/approve': given,
      'POST /v1/approvals/{id}/withdraw': unwanted,
    },
    bodies: {
      'POST /v1/rules/check': { text: file },
      'POST /v1/rules/set': { text: file, reason: 'r' },
      [rule]: limit(31, 25),
      [`${rule}/accept`]: { reason: 'r' },
      [`${rule}/revert`]: { version: 2, reason: 'r' },
      [`${rule}/retire`]: { reason: 'r' },
    },
  });
  expect(seen).toContain(`${rule}/retire 200`);
  expect(seen).toContain('POST /v1/approvals/{id}/approve 200');
});
