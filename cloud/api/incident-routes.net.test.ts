import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { AlarmedPlant } from '../../tests/alarmed-plant.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import type { Right } from '../registry/registry.ts';
import { Registry } from '../registry/registry.ts';
import { Storms } from '../storms.ts';
import { incidentRoutes } from './incident-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import type { Api } from './server.ts';
import { openApi } from './server.ts';
import { EventStream } from './stream.ts';

const WALL = Date.UTC(2026, 0, 31, 4); // Noon of 31 January in China.

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let storms: Storms;
let stream: EventStream;
let metrics: Metrics;
let api: Api;
let plant: AlarmedPlant;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-storms-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(database);
  stream = new EventStream('s1');
  metrics = new Metrics();
  const desks = ['gas'];
  const options = { database, alarms, stream, desks, utcOffsetMs: 8 * 3_600_000 };
  storms = new Storms(metrics, options);
  plant = new AlarmedPlant(
    alarms,
    WALL,
    Array.from({ length: 12 }, () => 2 as const),
  );
  plant.set(1, 20, WALL);
  api = await openApi(systemClock, silentLog, metrics, {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry, stream },
    routes: incidentRoutes(new SimClock(WALL + 60_000), { ...storms, alarms }),
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

const tokenFor = (right: Right, scope = '') =>
  registry.issueToken({ name: `p-${right}${scope && '-s'}`, right, scope }, 0);

async function call(path: string, scope = '') {
  const response = await fetch(`http://127.0.0.1:${api.port}/v1/${path}`, {
    headers: { authorization: `Bearer ${tokenFor('read', scope)}` },
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

test('an incident says who was first and what belongs to it; a scope sees its own part', async () => {
  plant.set(2, 20, WALL + 1_000);
  const { body } = await call('incidents');
  expect(body.items).toMatchObject([
    { id: 2, place: 'gas/well-2', counts: { active: 1 } },
    { id: 1, state: 'open', cause: 'place', first_out: { point: 'gw-1/d/p1' } },
  ]);
  const whole = await call('incidents/1');
  expect(whole.body.alarms).toMatchObject([{ point: 'gw-1/d/p1', level: 2 }]);
  expect((await call('incidents', 'gas/well-2')).body.items).toMatchObject([{ id: 2 }]);
  expect((await call('incidents/1', 'gas/well-2')).status).toBe(404);
});

test('figures of a day, of a period and of now are those of what the caller sees', async () => {
  plant.set(2, 20, WALL + 1_000);
  expect((await call('alarm-figures?day=2026-01-31')).body).toMatchObject({
    from: '2026-01-30T16:00:00.000Z',
    annunciated: 2,
  });
  const period = 'from=2026-01-31T04:00:00Z&to=2026-01-31T05:00:00Z';
  expect((await call(`alarm-figures?${period}`, 'gas/well-2')).body.annunciated).toBe(1);
  expect((await call(`alarm-figures?${period}&asset=gas/well-1`, 'gas/well-2')).status).toBe(403);
  expect((await call('alarm-figures?day=31-01-2026')).body.title).toBe('figures_day');
  expect((await call('alarm-figures?from=2026-01-31T04:00:00Z')).status).toBe(400);
  const live = await call('alarm-figures/live', 'gas');
  expect(live.body).toMatchObject({
    incidents_open: 2,
    desks: [{ desk: 'gas', in_ten_minutes: 2, flood: null }],
    last_day: { annunciated: 2 },
  });
});

test('incidents and floods are told on the live stream, within a scope, and in the metrics', () => {
  const heard: string[] = [];
  const reader = (scope: string, name: string) => ({
    ...{ topics: new Set(['incidents' as const]), scope, pendingBytes: () => 0, end: () => {} },
    write: (text: string) => heard.push(`${name} ${/^event: (.*)$/m.exec(text)?.[1]}`),
  });
  storms.tell();
  stream.add(reader('', 'all'), null);
  stream.add(reader('water', 'water'), null);
  heard.splice(0);
  for (let series = 2; series <= 12; series++) plant.set(series, 20, WALL + series * 1_000);
  storms.tell();
  expect(heard.filter((line) => line === 'all incident.began')).toHaveLength(8);
  expect(heard.filter((line) => line === 'all flood.began')).toHaveLength(2);
  expect(heard.filter((line) => line.startsWith('water'))).toEqual([]);
  storms.tell();
  expect(heard).toHaveLength(10);
  const text = metrics.render();
  expect(text).toContain('alarm_flood{desk="gas"} 1');
  expect(text).toContain('alarm_ten_minutes_alarms{desk="all"} 12');
  expect(text).toContain('alarm_incidents_open 9');
});

test('every route answers as the document says', async () => {
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    params: { id: '1' },
    queries: { 'GET /v1/alarm-figures': '?day=2026-01-31' },
  });
  expect(seen).toContain('GET /v1/alarm-figures/live 200');
});
