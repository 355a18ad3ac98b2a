import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { entry, high, newInbox, noData, record, WALL } from '../alarms/made-records.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { MemoryStore } from '../store/memory.ts';
import { alarmFinder } from './alarm-routes.ts';
import { explainRoutes } from './explain-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { replayRoutes } from './replay-routes.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

let folder: string;
let registry: Registry;
let alarms: AlarmConsumer;
let api: Api;

// Point 1, one a second: over 10 from 2 s on for three seconds, bad at 6 s, over 8 at 10 s and 11 s.
const values = [5, 5, 11, 12, 11, 5, null, 5, 5, 5, 9, 9, 5, 5];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-explain-'));
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(registry.database);
  const store = new MemoryStore();
  newInbox();
  const entries = [entry(1, [high({ onDelayMs: 1_000 }), noData]), entry(2, [])];
  const records = [
    record({ sequence: 1, manifest: entries }),
    ...values.map((value, second) =>
      record({
        sequence: second + 2,
        readings: [[1, second * 1_000, value]],
        covered: [[1], second * 1_000, second * 1_000],
      }),
    ),
  ];
  await store.apply(records, records.length);
  for (const each of records) alarms.apply([each], each.row.receivedMs + 250);
  const series = new Map(entries.map((each) => [each.series, each]));
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...explainRoutes(systemClock, {
        find: alarmFinder(alarms),
        tables: alarms.tables,
        store,
        series,
      }),
      ...replayRoutes(systemClock, { alarms, store, series }),
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

async function call(path: string, token: string, posted?: object) {
  const response = await fetch(`http://127.0.0.1:${api.port}${path}`, {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    ...(posted && { method: 'POST', body: JSON.stringify(posted) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

const at = (second: number) => new Date(WALL + second * 1_000).toISOString();
const span = { from: at(-1), to: at(60) };
const rules = (raise: number) => `version: 1
rules:
  - { point: d/p1, kind: limit, id: high, level: 2, side: high, raise: ${raise}, clear: ${raise - 1}, delay: 1s, off_delay: 0ms }
`;

test('an alarm is explained by samples, rule, version and author, step after step, in both languages', async () => {
  const [alarm] = alarms.list({ state: 'all' });
  const { occurrence } = alarm!;
  alarms.act(
    ...([occurrence, { kind: 'acknowledge', note: '' }, { name: 'li', from: 'x' }] as const),
    WALL + 20_000,
  );
  const { status, body } = await call(`/v1/alarms/${occurrence}/explanation`, tokenFor('read'));
  expect(status).toBe(200);
  expect(body).toMatchObject({
    ...{ id: occurrence, point: 'gw-1/d/p1', left_out: 0, unreadable: false },
    rule: {
      ...{ id: 'high', version: 1, author: 'gateway gw-1', approver: null, decided: at(0.25) },
      definition: { kind: 'limit', limit: 10, onDelayMs: 1_000 },
    },
  });
  expect(
    body.steps.map(({ at: time, kind }: { at: string; kind: string }) => [kind, time]),
  ).toEqual([
    ['explain-beyond', at(2)],
    ['explain-raised', at(3)],
    ['explain-received-live', at(3)],
    ['explain-told', at(3.25)],
    ['explain-falling', at(5)],
    ['explain-cleared', at(5)],
    ['explain-cleared-known', at(5)],
    ['explain-acknowledged', at(20)],
  ]);
  expect(body.steps[0].text).toEqual({
    en: '11 bar: beyond the limit of 10; the delay of 1s begins',
    zh: '11 bar：越过限值 10，开始计 1s 的延时',
  });
  const decisive = body.samples.filter((sample: { decisive: boolean }) => sample.decisive);
  expect(decisive.map(({ v }: { v: number | null }) => v)).toEqual([5, 11, 12, 11, 5, null, 5]);
  expect((await call('/v1/alarms/none/explanation', tokenFor('read'))).status).toBe(404);
  const foreign = tokenFor('read', 'water');
  expect((await call(`/v1/alarms/${occurrence}/explanation`, foreign)).status).toBe(404);
});

test('a changed limit is replayed against the one in force and against what was raised', async () => {
  const replayed = await call('/v1/alarms/replay', tokenFor('operate'), {
    ...{ rules: rules(8.5), ...span },
  });
  expect(replayed).toMatchObject({
    status: 200,
    body: {
      findings: [],
      left: [],
      rules: [
        {
          ...{ point: 'gw-1/d/p1', rule: 'high', raised: 1 },
          present: {
            count: 1,
            alarms: [{ began: at(2), raised: at(3), cleared: at(5), peak: 12 }],
          },
          changed: { count: 2 },
          added: [{ began: at(10), raised: at(11), cleared: at(12), peak: 9 }],
          gone_count: 0,
        },
      ],
    },
  });
  expect(alarms.list({ state: 'all' })).toHaveLength(1);
});

test('a file with an error is answered with what is wrong where, and nothing is run', async () => {
  const { status, body } = await call('/v1/alarms/replay', tokenFor('operate'), {
    ...{ rules: rules(8.5).replace('d/p1', 'd/p3'), file: 'my.yaml', ...span },
  });
  expect([status, body.rules, body.steps]).toEqual([200, [], 0]);
  expect(body.findings).toMatchObject([
    { severity: 'error', file: 'my.yaml', place: { line: 3 }, message: { zh: expect.any(String) } },
  ]);
});

test('a scope hides points from a replay, a reader may not run one, and time must go forward', async () => {
  const body = { rules: rules(8.5), ...span };
  const scoped = await call('/v1/alarms/replay', tokenFor('operate', 'water'), body);
  expect(scoped.body.findings).toMatchObject([{ severity: 'error' }]);
  expect((await call('/v1/alarms/replay', tokenFor('read'), body)).status).toBe(403);
  const back = { ...body, from: span.to, to: span.from };
  expect((await call('/v1/alarms/replay', tokenFor('operate'), back)).status).toBe(400);
});

test('the OpenAPI document describes every answer, problems too', async () => {
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    params: { id: alarms.list({ state: 'all' })[0]!.occurrence },
    bodies: { 'POST /v1/alarms/replay': { rules: rules(9), ...span } },
  });
  expect(seen).toContain('POST /v1/alarms/replay 200');
});
