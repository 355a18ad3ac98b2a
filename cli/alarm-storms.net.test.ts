import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { incidentRoutes } from '../cloud/api/incident-routes.ts';
import type { Api } from '../cloud/api/server.ts';
import { openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { Storms } from '../cloud/storms.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { AlarmedPlant } from '../tests/alarmed-plant.ts';
import { stormVerbs } from './alarm-storms.ts';
import type { Output } from './verb.ts';
import { parse } from './verb.ts';

const WALL = Date.UTC(2026, 0, 31, 4);

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-storms-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(database);
  const stream = new EventStream('s1');
  const place = { database, alarms, stream, desks: [], utcOffsetMs: 8 * 3_600_000 };
  const storms = new Storms(new Metrics(), place);
  const plant = new AlarmedPlant(
    alarms,
    WALL,
    Array.from({ length: 12 }, () => 2 as const),
  );
  for (let series = 1; series <= 12; series++) plant.set(series, 20, WALL + series * 1_000);
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry, stream },
    routes: incidentRoutes(new SimClock(WALL + 60_000), { ...storms, alarms }),
  });
  writeFileSync(
    join(folder, 'token'),
    registry.issueToken({ name: 'li', right: 'read', scope: '' }, 0),
  );
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

async function run(verb: string, language: Language, ...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const output: Output = {
    language,
    json: words.includes('--json'),
    print: (text) => lines.push(text),
    note: () => {},
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, 'token')];
  const found = stormVerbs[verb]!;
  expect(await found.run(parse(found, [...words, ...at]), output)).toBe(0);
  return lines;
}

test('figures of a flood are a table with value, target, mark and source, in both languages', async () => {
  const lines = await run('figures', 'en');
  expect(lines[0]).toContain('everything: 12 in ten minutes  FLOOD since 2026-01-31 04:00:10');
  const line = (name: string) => lines.find((it) => it.includes(name))?.replaceAll(/ +/g, ' ');
  expect(line('Most in ten minutes')).toBe(
    ' Most in ten minutes 12 <= 10 MISSED EEMUA 191; Measuring Alarm System Effectiveness',
  );
  expect(line('Alarms a day')).toBe(' Alarms a day, average 12 <= 150 met ISA-18.2 (2009)');
  expect(line('Share of level II')).toContain('100 % <= 5 % MISSED');
  const chinese = await run('figures', 'zh', '--day', '2026-01-31');
  expect(chinese.find((it) => it.includes('10 分钟峰值'))).toMatch(/12 +<= 10 +未达标/);
});

test('figures and incidents are one JSON document for a program', async () => {
  const [figures] = await run('figures', 'en', '--day', '2026-01-31', '--json');
  expect(JSON.parse(figures!)).toMatchObject({ annunciated: 12, top_ten: { length: 10 } });
  const [incidents] = await run('incidents', 'en', '--json');
  expect(JSON.parse(incidents!)).toHaveLength(9);
});

test('an incident is a line, and its alarms those below it', async () => {
  const lines = await run('incidents', 'en');
  expect(lines[0]).toMatch(/^#9 .* II {2}.*4 alarms, 4 active.*first: Pressure high gw-1\/d\/p9$/);
  const one = await run('incident', 'zh', '#9');
  expect(one).toHaveLength(5);
  expect(one[0]).toContain('gas 多处报警');
  expect(one[1]).toContain('压力过高');
});
