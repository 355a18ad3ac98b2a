import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { alarmFinder } from '../cloud/api/alarm-routes.ts';
import { type Api, openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { warningRoutes } from '../cloud/api/warning-routes.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { WarnedPlant } from '../tests/warned-plant.ts';
import { capElements, lint, xmllint } from '../tests/xml-lint.ts';
import { warningVerb } from './cloud-warning.ts';
import { exitOf } from './main.ts';
import type { Output } from './verb.ts';
import { parse, UsageError } from './verb.ts';

let folder: string;
let registry: Registry;
let plant: WarnedPlant;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-warning-'));
  registry = new Registry(systemRandom, folder);
  plant = new WarnedPlant({ levels: [2, 3] });
  plant.set(15, 1);
  plant.set(15, 2);
  const { alarms, warnings, nowMs } = plant;
  const cases = { get: () => null, alarms: () => [] };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: warningRoutes(new SimClock(nowMs), {
      ...{ warnings, seeAlarm: alarmFinder(alarms), onEvents: () => {}, cases },
    }),
  });
  for (const name of ['li', 'zhang']) {
    const token = registry.issueToken({ name, right: 'control', scope: '' }, 0);
    writeFileSync(join(folder, name), token);
  }
});

afterEach(async () => {
  await api.close();
  registry.close();
  plant.database.close();
  rmSync(folder, { recursive: true });
});

/** The exit code, what it prints and what it notes; or the fault. */
async function run(who: string, words: readonly string[], language: Language = 'en') {
  const lines: string[] = [];
  const output: Output = {
    ...{ language, json: words.includes('--json') },
    print: (text) => lines.push(text),
    note: (text) => lines.push(`(${text})`),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, who)];
  try {
    const code = await warningVerb.run(parse(warningVerb, [...words, ...at]), output);
    return `${code}\n${lines.join('\n')}`;
  } catch (error) {
    if (isFault(error)) return `${exitOf(error.code)} ${error.code}: ${error.detail[language]}`;
    if (error instanceof UsageError) return `usage: ${error.detail[language]}`;
    throw error;
  }
}

test('two people release what was drafted by itself, and each sees what it says first', async () => {
  expect(await run('li', ['list'])).toMatch(
    /^0\nwrn-1 {2}II {2}drafted {2}gw-1\/d\/p1 {2}Orange warning, well 1: .* {2}draft: Alert$/,
  );
  const asked = await run('li', ['release', '1', '--why', 'gas on the street']);
  expect(asked).toContain('橙色预警：1号井，压力过高 15 bar');
  expect(asked).toMatch(
    /\(asked by li: another person runs `lifeline cloud warning release wrn-1`/,
  );
  expect(await run('zhang', ['release', 'wrn-1'])).toMatch(/wrn-1 {2}II {2}in force .* until /);
  expect(await run('zhang', ['show', '1'], 'zh')).toMatch(
    /1 {2}.*首次发布 {2}lifeline-.* li \+ zhang/,
  );
  expect(await run('li', ['list', '--state', 'dropped'])).toBe('0\nno warnings');
});

test.skipIf(!xmllint)(
  'a document is printed or kept in a file, and keeps the rules of CAP',
  async () => {
    const printed = await run('li', ['document', '1']);
    expect(printed).toContain('<status>Draft</status>');
    expect(lint(printed.slice(2), capElements)).toBe('');
    plant.release('wrn-1');
    const out = join(folder, 'cap.xml');
    expect(await run('li', ['document', '1', '--out', out])).toMatch(/^0\n\(.*cap\.xml/);
    expect(lint(readFileSync(out, 'utf8'), capElements)).toBe('');
    expect(lint((await run('li', ['feed'])).slice(2))).toBe('');
    const ebm = join(folder, 'x.tar');
    expect(await run('li', ['document', '1', '--form', 'ebm', '--out', ebm])).toMatch(
      /^4 warning_unknown/,
    );
  },
);

test('a person drafts in words of a file, updates, cancels, and drops with a reason', async () => {
  const words = join(folder, 'words.json');
  writeFileSync(words, JSON.stringify({ headline: { en: 'Keep away', zh: '请勿靠近' } }));
  const [occurrence] = plant.occurrences(2);
  expect(await run('li', ['draft', occurrence!, '--words', words])).toMatch(/wrn-2.*Keep away/);
  plant.release('wrn-2');
  expect(await run('li', ['update', '2', '--note', 'wider'])).toMatch(/draft: Update/);
  expect(await run('li', ['cancel', '2', '--note', 'over'])).toMatch(/draft: Cancel/);
  expect(await run('li', ['drop', '2', '--why', 'not yet'])).not.toMatch(/draft:/);
});

test('what is wrong with a call is said with its exit code', async () => {
  expect(await run('li', ['show', '9'])).toMatch(/^4 warning_unknown: no warning wrn-9/);
  expect(await run('li', ['cancel', '1'], 'zh')).toMatch(/^8 warning_refused: wrn-1 状态为 草稿/);
  expect(await run('li', ['draft'])).toMatch(/^usage: /);
  expect(await run('li', ['burn'])).toMatch(/^usage: /);
  expect(await run('li', ['drop', '1'])).toMatch(/--why/);
  const words = join(folder, 'words.json');
  writeFileSync(words, '[');
  expect(await run('li', ['update', '1', '--words', words])).toMatch(/^usage: .*JSON object/);
  writeFileSync(words, '{"headline": {"en": "x"}}');
  expect(await run('li', ['update', '1', '--words', words])).toMatch(/^2 api_bad_request: .*zh/);
});
