import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { silencesVerb } from '../../cli/alarm-silences.ts';
import type { Output } from '../../cli/verb.ts';
import { parse } from '../../cli/verb.ts';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { type Language, say } from '../../core/text/text.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { Ledger } from '../notify/ledger.ts';
import { Pipeline } from '../notify/pipeline.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { silenceRoutes } from './silence-routes.ts';
import { EventStream } from './stream.ts';

let folder: string;
let registry: Registry;
let tables: AlarmTables;
let api: Api;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-silence-'));
  const clock = new SimClock();
  registry = new Registry(systemRandom, folder);
  tables = new AlarmTables(registry.database);
  const pipeline = new Pipeline(clock, silentLog, new Metrics(), systemRandom, {
    ...{ tables, ledger: new Ledger(registry.database), onChange: () => {} },
    ...{ receivers: new Map(), routes: [] },
  });
  api = await openApi(clock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '1', registry },
    ...{ stream: new EventStream('s'), routes: silenceRoutes(pipeline) },
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

const tokenFor = (right: Right, scope = '') =>
  registry.issueToken({ name: `t-${right}-${scope}`.replaceAll('/', '-'), right, scope }, 0);
const base = () => `http://127.0.0.1:${api.port}`;
const asked = (match: object) => ({ match, minutes: 60, reason: 'sensor change' });

async function call(token: string, method: 'GET' | 'POST', path: string, body?: object) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const sent = body && { body: JSON.stringify(body) };
  const response = await fetch(`${base()}${path}`, { method, headers, ...sent });
  return { status: response.status, answer: (await response.json()) as Record<string, unknown> };
}

const begin = (token: string, match: object) => call(token, 'POST', '/v1/silences', asked(match));

test('a silence is of levels II to IV where it names none; level I and a silence of everything are refused', async () => {
  const token = tokenFor('control');
  const { status, answer } = await begin(token, { gateways: ['gas-1'] });
  expect([status, answer['match']]).toEqual([200, { gateways: ['gas-1'], levels: [2, 3, 4] }]);
  expect(answer['by']).toBe('t-control-');
  expect((await begin(token, { levels: [1] })).status).toBe(409);
  expect((await begin(token, {})).status).toBe(409);
  expect((await begin(tokenFor('operate'), { gateways: ['gas-1'] })).status).toBe(403);
  const long = { ...asked({ gateways: ['gas-1'] }), minutes: 481 };
  expect((await call(token, 'POST', '/v1/silences', long)).status).toBe(400);
  expect((await call(token, 'GET', '/v1/silences')).answer['items']).toHaveLength(1);
});

test('a token silences and ends within its assets, and sees what touches them', async () => {
  const gas = tokenFor('control', 'gas');
  const all = tokenFor('control');
  expect((await begin(gas, { levels: [4] })).status).toBe(403);
  expect((await begin(gas, { assets: ['gas/a', 'water'] })).status).toBe(403);
  expect((await begin(gas, { assets: ['gas/a'] })).status).toBe(200);
  await begin(all, { assets: ['water'] });
  await begin(all, { levels: [4] });
  const { items } = (await call(gas, 'GET', '/v1/silences')).answer as {
    items: { number: number }[];
  };
  expect(items.map(({ number }) => number)).toEqual([1, 3]);
  const ended = [];
  for (const number of [1, 2, 3]) {
    ended.push((await call(gas, 'POST', `/v1/silences/${number}/end`, {})).status);
  }
  expect(ended).toEqual([200, 404, 403]);
  const { entries } = tables.journal.list(
    { what: 'silence 1' },
    { order: 'oldest', after: 0, limit: 10 },
  );
  expect(entries.map(({ kind, who }) => `${kind} ${who}`)).toEqual([
    'silence-begun t-control-gas',
    'silence-ended t-control-gas',
  ]);
});

async function run(language: Language, ...words: string[]): Promise<string> {
  const lines: string[] = [];
  const output: Output = {
    ...{ language, json: false, note: () => {} },
    print: (text) => lines.push(text),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', base(), '--token-file', join(folder, 'token')];
  await silencesVerb.run(parse(silencesVerb, [...words, ...at]), output);
  return lines.join('\n');
}

test('the command line begins, lists and ends a silence in both languages', async () => {
  writeFileSync(join(folder, 'token'), tokenFor('control'));
  const words = ['add', '--for', '2h', '--reason', 'works', '--gateway', 'gas-1,gas-2'];
  expect(await run('en', ...words, '--level', '3')).toMatch(
    /^1 {2}until .* t-control-: works {2}gateways: gas-1 gas-2, levels: 3$/,
  );
  expect(await run('zh', 'list')).toMatch(/^1 {2}至 .*t-control-：works/);
  expect(await run('zh', 'end', '1')).toBe('静默 1 已结束');
  expect(await run('en', 'list')).toBe('nothing is silenced');
  await expect(run('en', 'end', '1')).rejects.toThrow();
});

test('the OpenAPI document tells the truth about silences', async () => {
  await begin(tokenFor('control'), { gateways: ['gas-1'] });
  const seen = await checkDescribed({
    ...{ base: base(), tokenFor, params: { number: '1' }, only: '/v1/silences' },
    bodies: {
      'POST /v1/silences': asked({ areas: ['gas'] }),
      'POST /v1/silences/{number}/end': {},
    },
  });
  expect(seen).toContain('POST /v1/silences/{number}/end 200');
});
