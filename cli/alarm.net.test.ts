import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { actRoutes } from '../cloud/api/act-routes.ts';
import { alarmRoutes } from '../cloud/api/alarm-routes.ts';
import type { Api } from '../cloud/api/server.ts';
import { openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { AlarmedPlant } from '../tests/alarmed-plant.ts';
import { verbs } from './alarm.ts';
import { localTime } from './time.ts';
import type { Output, Verb } from './verb.ts';
import { parse } from './verb.ts';

const WALL = Date.UTC(2026, 10, 22, 14, 46, 31);
const COUNT = 40;

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let alarms: AlarmConsumer;
let api: Api;
const zone = process.env['TZ'];

beforeEach(async () => {
  process.env['TZ'] = 'Asia/Shanghai';
  folder = mkdtempSync(join(tmpdir(), 'lifeline-alarm-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(database);
  const levels = Array.from({ length: COUNT }, () => 3 as const);
  const plant = new AlarmedPlant(alarms, WALL, levels);
  for (let series = 1; series <= COUNT; series++) plant.set(series, 20, WALL);
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [alarmRoutes, actRoutes].flatMap((routes) =>
      routes(new SimClock(WALL + 2000), { alarms, notify, onEvents: () => {} }),
    ),
  });
  const token = registry.issueToken({ name: 'li', right: 'control', scope: '' }, 0);
  writeFileSync(join(folder, 'token'), token);
});

afterEach(async () => {
  if (zone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = zone;
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

async function run(
  verb: 'list' | 'show' | 'ack' | 'shelve' | 'hidden',
  language: Language,
  ...words: string[]
) {
  const lines: string[] = [];
  const output: Output = {
    language,
    json: words.includes('--json'),
    print: (text) => lines.push(text),
    note: () => {},
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, 'token')];
  const found: Verb = (verbs as Record<string, Verb>)[verb]!;
  await found.run(parse(found, [...words, ...at]), output);
  return lines;
}

const acknowledged = () =>
  alarms.list({ state: 'all', limit: COUNT }).filter(({ acknowledgedBy }) => acknowledgedBy);

test('a list shows the time of the reader with its offset, and the unit beside the value', async () => {
  const [line = ''] = await run('list', 'en');
  expect(line).toContain('2026-11-22 22:46:31+08:00  III  ');
  expect(line).toContain('  20 bar (10)  ');
  const [{ raised }] = JSON.parse((await run('list', 'en', '--json'))[0]!);
  expect(raised).toBe('2026-11-22T14:46:31.000Z');
});

test('the offset is that of the zone at that time', () => {
  process.env['TZ'] = 'America/St_Johns';
  expect(localTime('2026-11-22T02:00:00.999Z')).toBe('2026-11-21 22:30:00-03:30');
  process.env['TZ'] = 'UTC';
  expect(localTime(0)).toBe('1970-01-01 00:00:00+00:00');
});

test('an id of one sign acknowledges nothing; the part that a list shows names the alarm', async () => {
  const ids = alarms.list({ state: 'all', limit: COUNT }).map(({ occurrence }) => occurrence);
  const id = ids[0]!;
  await expect(run('ack', 'en', id.slice(0, 1))).rejects.toThrow(/at least 4 signs/);
  const [line] = await run('show', 'zh', id.slice(0, 12));
  expect(line).toContain(id.slice(0, 12));
  expect(acknowledged()).toEqual([]);
});

test('ack is one JSON document for a program', async () => {
  const { occurrence: id } = alarms.list({ state: 'all' })[0]!;
  const [text = ''] = await run('ack', 'en', id, '--json');
  expect(JSON.parse(text)).toMatchObject({ id, acknowledged: { by: 'li' } });
  expect(acknowledged()).toHaveLength(1);
});

test('what is hidden is shown with level, title, value and until when', async () => {
  const { occurrence: id } = alarms.list({ state: 'all' })[0]!;
  await run('shelve', 'en', id, '--for', '30m', '--reason', 'works');
  const [line] = await run('hidden', 'zh');
  expect(line).toContain('  III  压力过高  20 bar (10)  2026-11-22 23:16:33+08:00  li  works');
});
