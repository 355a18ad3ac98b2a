import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { actRoutes } from '../cloud/api/act-routes.ts';
import { caseRoutes } from '../cloud/api/case-routes.ts';
import { type Api, openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Attachments } from '../cloud/cases/attachments.ts';
import { defaultLimits } from '../cloud/cases/case.ts';
import { Cases } from '../cloud/cases/cases.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { AlarmedPlant } from '../tests/alarmed-plant.ts';
import { actVerbs } from './alarm-acts.ts';
import { verbs } from './case.ts';
import type { Output } from './verb.ts';
import { parse, UsageError } from './verb.ts';

const T0 = Date.UTC(2026, 4, 31, 20);
const ID = '2026-0001';

let folder: string;
let database: DatabaseSync;
let registry: Registry;
let plant: AlarmedPlant;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-case-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(database);
  const utcOffsetMs = 8 * 3_600_000;
  const settings = { limits: defaultLimits, utcOffsetMs, departmentOf: () => 'gas company' };
  const cases = new Cases(database, { alarms, ...settings });
  plant = new AlarmedPlant(alarms, T0, [1, 3]);
  plant.set(1, 12, T0);
  plant.set(2, 12, T0);
  const clock = new SimClock(T0 + 2_000);
  const attachments = new Attachments(join(folder, 'files'), 2 ** 30, cases.tables.hashes());
  const alarmOf = (occurrence: string) => alarms.get(occurrence);
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  const shared = { notify, onEvents: () => {} };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...caseRoutes(clock, { ...shared, cases, attachments, alarmOf, utcOffsetMs }),
      ...actRoutes(clock, { ...shared, alarms }),
    ],
  });
  for (const name of ['li', 'zhang']) {
    const token = registry.issueToken({ name, right: 'operate', scope: '' }, 0);
    writeFileSync(join(folder, name), token);
  }
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

/** What it prints; or the fault's code and detail in the language. */
async function run(who: string, line: string | string[], language: Language = 'en') {
  const [verb = '', ...words] = typeof line === 'string' ? line.split(' ') : line;
  const lines: string[] = [];
  const output: Output = {
    language,
    json: words.includes('--json'),
    print: (text) => lines.push(text),
    note: () => {},
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, who)];
  const found = { ...actVerbs, ...verbs }[verb]!;
  try {
    expect(await found.run(parse(found, [...words, ...at]), output)).toBe(0);
  } catch (error) {
    if (isFault(error)) return `${error.code}: ${error.detail[language]}`;
    if (error instanceof UsageError) return `usage: ${error.detail[language]}`;
    throw error;
  }
  return lines.join('\n');
}

test('a case goes its way by the words of the desk, and shows who did what', async () => {
  expect(await run('li', 'list')).toMatch(
    /^2026-0002 {2}III .*\n2026-0001 {2}I {4}new {2}.* gas\/well-1 {2}-, gas company .* 1 active/,
  );
  expect(await run('li', `ack ${ID} --note mine`)).toMatch(/acknowledged {2}.*li, gas company/);
  expect(await run('li', `verify ${ID}`)).toMatch('verifying');
  expect(await run('li', `dispatch ${ID}`)).toMatch(/^usage: .*--crew/);
  expect(await run('li', `dispatch ${ID} --crew crew-3`)).toMatch('dispatched');
  expect(await run('li', `arrive ${ID}`)).toMatch('on site');
  expect(await run('li', `contain ${ID}`)).toMatch('contained');
  expect(await run('zhang', ['note', ID, 'V-221 关闭'])).toMatch('contained');
  expect(await run('li', `assign ${ID} --owner zhang --department repair`)).toMatch(
    'zhang, repair',
  );
  expect(await run('li', `merge 2026-0002 ${ID}`)).toMatch('merged');
  const shown = await run('li', `show ${ID}`, 'zh');
  expect(shown).toContain('已控制');
  expect(shown).toMatch(/派遣人员 {2}li {2}派遣人员: crew-3/);
  expect(shown).toMatch(/未恢复 {2}C {2}I {2}压力过高 {2}12 bar \(10\)/);
  expect(shown).toMatch(/已派遣 {2}时限 .* {2}li, gas company/);
  expect(shown).toMatch(/并入一案 {2}li {2}案件: 2026-0002/);
  expect(shown).toMatch(/备注 {2}zhang {2}V-221 关闭/);
  expect(JSON.parse(await run('li', 'list --owner zhang --json'))).toMatchObject([{ id: ID }]);
  expect(await run('li', 'list --overdue')).toBe('no such case');
});

test('who comes second reads in both languages who was first', async () => {
  await run('li', `ack ${ID}`);
  expect(await run('zhang', `ack ${ID}`)).toMatch(/^case_already: li was first, at .*acknowledged/);
  expect(await run('zhang', `ack ${ID}`, 'zh')).toMatch(/^case_already: li 已于 .*“已确认”/);
  expect(await run('zhang', `verify ${ID} --revision 1`)).toMatch(/^api_precondition: .*by li/);
  expect(await run('zhang', 'ack 2026-0077')).toMatch(/^api_not_found/);
});

test('an active case is closed by two people', async () => {
  await run('li', `ack ${ID}`);
  const asked = await run('li', [...`false-alarm ${ID} --reason`.split(' '), 'sensor wet']);
  const [, number] = /lifeline alarm approve (\d+)/.exec(asked)!;
  expect(await run('li', `approve ${number}`)).toMatch(/^approval_same_person/);
  expect(await run('zhang', `approve ${number}`)).toContain(ID);
  expect(await run('li', 'list --state ended')).toMatch(/false alarm/);
});

test('a photo is attached and comes back, and the export is a file', async () => {
  const bytes = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(300_000, 5)]);
  const [photo, copy] = [join(folder, 'leak.jpg'), join(folder, 'copy.jpg')];
  writeFileSync(photo, bytes);
  expect(await run('li', ['attach', ID, photo])).toMatch(/as file 1: leak\.jpg, 300003 bytes/);
  await run('li', ['file', ID, '1', '--out', copy]);
  expect(readFileSync(copy).equals(bytes)).toBe(true);
  expect(await run('li', ['file', ID, '1', '--out', copy])).toMatch(/^file_not_written/);
  expect(await run('li', ['attach', ID, join(folder, 'li')])).toMatch(/^usage: .*\.pdf/);
  const page = join(folder, 'case.html');
  await run('li', ['export', ID, '--out', page]);
  expect(readFileSync(page, 'utf8')).toContain('2026-06-01 04:00:00 +08:00');
  expect(await run('li', ['export', ID, '--format', 'csv'])).toContain('派遣');
  expect(await run('li', ['export', ID, '--format', 'doc'])).toMatch(
    /^usage: --format is one of: html/,
  );
  expect(await run('li', 'list --level 9', 'zh')).toMatch(/^usage: --level 只能是：1 2 3 4/);
  expect(await run('li', 'list --state nonsense')).toMatch(/^usage: --state is one of: open/);
  expect(await run('li', ['note', ID, ' '])).toBe('usage: the note is empty');
  const asked = await run('li', `false-alarm 2026-0002 --reason drill --as drill`);
  const [, number] = /lifeline alarm approve (\d+)/.exec(asked)!;
  const shown = await run('li', 'show 2026-0002', 'zh');
  expect(shown).toContain(`终结方式: 演练  审批编号: ${number}`);
  await run('zhang', `approve ${number}`);
  expect(await run('li', `merge ${ID} 2026-0002`, 'zh')).toBe(
    'case_refused: 2026-0002 为“演练”：只能并入未终结的案件',
  );
});
