import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { actRoutes } from '../cloud/api/act-routes.ts';
import { commandRoutes } from '../cloud/api/command-routes.ts';
import { type Api, openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import type { Reply } from '../protocols/uplink/control.ts';
import { CommandedPlant } from '../tests/commanded-plant.ts';
import { actVerbs } from './alarm-acts.ts';
import { commandVerb, typedValue } from './cloud-command.ts';
import { exitOf } from './main.ts';
import type { Output, Verb } from './verb.ts';
import { parse, UsageError } from './verb.ts';

let folder: string;
let registry: Registry;
let plant: CommandedPlant;
let api: Api;
/** What the gateway answers to each command as soon as it has it; null: nothing. */
let answer: Partial<Reply> | null;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-command-'));
  registry = new Registry(systemRandom, folder);
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  plant.record('gw-1');
  answer = {};
  const { alarms, commands, clock } = plant;
  const onEvents = () => {
    plant.turn();
    for (const { id, gateway } of answer === null ? [] : commands.issued()) {
      plant.reply(id, answer!, gateway);
    }
  };
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...commandRoutes(clock, { commands, alarms, onEvents }),
      ...actRoutes(clock, { alarms, notify, onEvents }),
    ],
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
    language,
    json: words.includes('--json'),
    print: (text) => lines.push(text),
    note: (text) => lines.push(`(${text})`),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, who)];
  const acts: Readonly<Record<string, Verb>> = actVerbs;
  const verb = acts[words[0]!] ?? commandVerb;
  const rest = verb === commandVerb ? words : words.slice(1);
  try {
    const code = await verb.run(parse(verb, [...rest, ...at]), output);
    return `${code}\n${lines.join('\n')}`;
  } catch (error) {
    if (isFault(error)) {
      return [`${exitOf(error.code)} ${error.code}: ${error.detail[language]}`, ...lines].join(
        '\n',
      );
    }
    if (error instanceof UsageError) return `usage: ${error.detail[language]}`;
    throw error;
  }
}

const words = (text: string) => text.split(' ');
const stop = [...words('send gw-1/fan-2/run stop --why'), 'works in the duct'];

test('what may be commanded is listed with values, rights and times', async () => {
  const shown = await run('li', ['offers']);
  expect(shown).toMatch(/gw-1\/fan-2\/run stop {2}Stop {2}false % {2}control {2}worth 30 s/);
  expect(shown).toMatch(/fan-2\/speed set {2}Set {2}0 to 100 % {2}control {2}once every 5 s/);
  expect(shown).toMatch(/valve-1\/mode set {2}Set {2}one of 0, 1, 2 {2}control {2}two people/);
  expect(await run('li', ['offers', 'gw-2'])).toMatch(/^0\ngw-2\/siren-1\/sound on.*$/);
  expect(await run('li', ['offers', 'gw-1/fan-2/speed'], 'zh')).toMatch(/0 至 100 %.*每 5 s 最多/);
  expect(JSON.parse((await run('li', ['offers', '--json'])).slice(2))).toHaveLength(5);
  expect(await run('li', ['offers', 'gw-9'])).toBe('0\nnothing may be commanded');
});

test('a command is sent and its outcome printed: 0 when done, 1 when refused, 6 when uncertain', async () => {
  expect(await run('li', stop)).toMatch(
    /^0\n[0-9a-f]{8} {2}.* {2}done {2}gw-1\/fan-2\/run stop = false % {2}li {2}works in the duct\n/,
  );
  answer = { outcome: 'refused', reason: 'interlock', detail: 'gas-high', readBack: null };
  const refused = await run('li', stop);
  expect(refused).toMatch(/^1\n.*refused .*an interlock of the site holds {2}gas-high/);
  expect(refused).toMatch(/-> see which interlock/);
  answer = { outcome: 'uncertain', reason: 'interrupted', readBack: null };
  expect(await run('li', stop, 'zh')).toMatch(/^6\n.*结果不明.*\n.*\n {2}-> 可能已经执行/);
  answer = { outcome: 'done', reason: 'none', readBack: 40 };
  const speed = [...words('send gw-1/fan-2/speed --value 40 --why'), 'less noise', '--json'];
  const shown = JSON.parse((await run('li', speed)).slice(2));
  expect(shown).toMatchObject({ value: 40, state: 'done', settled: { read_back: 40 } });
});

test('the outcome is waited for, or not', async () => {
  answer = null;
  const waiting = run('li', stop);
  await expect.poll(() => plant.commands.issued().length).toBe(1);
  plant.reply(plant.commands.issued()[0]!.id);
  expect(await waiting).toMatch(/^0\n.*done/);
  expect(await run('li', [...stop, '--no-wait'])).toMatch(/^0\n.*sent, no outcome yet/);
  expect(await run('li', ['list', '--state', 'open'])).toMatch(/^0\n.*sent, no outcome yet/);
});

test('what takes two people says so, and is done when the second approves', async () => {
  const mode = [...words('send gw-1/valve-1/mode --value 2 --why'), 'test run'];
  const asked = run('li', mode);
  await expect.poll(() => plant.alarms.approvals.pending(plant.nowMs).length).toBe(1);
  const shown = await run('zhang', ['approvals']);
  expect(shown).toMatch(/1 {2}command gw-1\/valve-1\/mode set: Set = 2 %/);
  expect(await run('li', ['approve', '1'])).toMatch(/^7 approval_same_person/);
  expect(await run('zhang', ['approve', '1'], 'zh')).toContain('命令 gw-1/valve-1/mode set');
  expect(await asked).toMatch(/^0\n\(waits for a second person .* approve 1\)\n.*li \+ zhang/);
});

test('what the cloud refuses ends with the code of the table, in both languages', async () => {
  const send = (text: string) => run('li', [...words(`send ${text} --why`), 'x']);
  expect(await send('gw-1/fan-2/none')).toMatch(/^4 command_point_unknown/);
  expect(await send('gw-1/fan-2/run burn')).toMatch(/^4 command_not_offered/);
  expect(await send('gw-1/fan-2/speed --value 400')).toMatch(/^2 command_out_of_range: 400 is/);
  expect(await send('gw-1/fan-2')).toMatch(/^usage: command send GATEWAY/);
  expect(await send('gw-1/fan-2/run stop --ttl soon')).toMatch(/^usage: --ttl/);
  expect(await send('gw-1/fan-2/run stop --ttl 10ms')).toMatch(/^2 command_time_to_live/);
  expect(await send('gw-1/fan-2/run stop --id 7')).toMatch(/^usage: --id 7/);
  expect(await run('li', words('send gw-1/fan-2/run stop'))).toMatch(/^usage: .*--why/);
  expect(await run('li', ['burn'])).toMatch(/^usage: command offers/);
  plant.online.delete('gw-1');
  expect(await run('li', stop, 'zh')).toMatch(/^9 gateway_offline: 网关 gw-1 未连接/);
  expect(await run('li', ['show', 'abcdef'])).toMatch(/^4 command_unknown/);
  expect(await run('li', ['show', 'a'])).toMatch(/^usage/);
});

test('under an id of its own the same words are one command, which is shown by how its id begins', async () => {
  const id = 'ab'.repeat(16);
  await run('li', [...stop, '--id', id]);
  await run('li', [...stop, '--id', id]);
  const shown = await run('li', ['show', 'abab']);
  expect(shown).toMatch(new RegExp(`${id} {2}sent .*, sequence 1, time to live 30 s`));
  expect(plant.commands.tables.list({})).toHaveLength(1);
});

test('whoever hears nothing is told the id under which it may have been taken', async () => {
  const id = 'cd'.repeat(16);
  const at = ['--id', id, '--no-wait'];
  await api.close();
  const unheard = await run('li', [...stop, ...at]);
  expect(unheard).toMatch(new RegExp(`^9 cli_unreachable: .*\\n\\(.*command show ${id}`));
});

test('a command given at a gateway is told apart from the others by the id that is shown', async () => {
  const id = `local-${'0123456789abcdef'.repeat(2)}`;
  const place = { epoch: '1-00c0ffee00c0ffee', sequence: 1, timeToLiveMs: 30_000 };
  const issued = {
    ...{ id, ...place, issuer: 'gateway:li', device: 'fan-2', point: 'run', command: 'stop' },
    ...{ value: null, second: '', why: 'alone' },
  };
  plant.reply(id, { issued });
  expect(await run('li', ['list'])).toMatch(/^0\nlocal-01234567 /);
  expect(await run('li', ['show', 'local-01234567'])).toContain(id);
});

test('a value is typed as a number, true or false, or text', () => {
  expect(['40', '-1.5', 'true', 'false', 'auto', '9007199254740993'].map(typedValue)).toEqual([
    ...[40, -1.5, true, false, 'auto', '9007199254740993'],
  ]);
  expect(typedValue(undefined)).toBe(null);
});
