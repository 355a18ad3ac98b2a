import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { entry, high, newInbox, record, WALL } from '../cloud/alarms/made-records.ts';
import { actRoutes } from '../cloud/api/act-routes.ts';
import { dataRoutes } from '../cloud/api/routes.ts';
import { ruleRoutes } from '../cloud/api/rule-routes.ts';
import { type Api, openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Current } from '../cloud/current.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { isFault } from '../core/fault.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import { say } from '../core/text/text.ts';
import { hourOfWeek, verbs } from './rule.ts';
import type { Output } from './verb.ts';
import { parse, UsageError } from './verb.ts';

const HOUR_MS = 3_600_000;
let folder: string;
let database: DatabaseSync;
let registry: Registry;
let api: Api;

beforeEach(async () => {
  newInbox();
  folder = mkdtempSync(join(tmpdir(), 'lifeline-rule-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(database);
  const { definition, ...whose } = entry(1, [high({ limit: 20, deadband: 2 })]);
  const made = {
    ...whose,
    definition: { ...definition, range: [0, 100], class: 'trend' },
  } as const;
  alarms.apply([record({ sequence: 1, lane: 'event', manifest: [made] })], WALL);
  const clock = new SimClock(WALL + 2000);
  const notify = { handled: () => {}, deliveries: () => [], confirm: () => 'confirmed' as const };
  const series = new Map([[1, made]]);
  const onEvents = () => {};
  /** The value is the hour of the day, in UTC. */
  const history = async ({ fromMs, toMs }: { fromMs: number; toMs: number }) => ({
    buckets: Array.from({ length: Math.ceil((toMs - fromMs) / HOUR_MS) }, (_, at) => {
      const atMs = Math.floor(fromMs / HOUR_MS + at) * HOUR_MS;
      const mean = new Date(atMs).getUTCHours();
      return { fromMs: atMs, min: mean, max: mean, mean, count: 60, bad: 0, worst: 0 };
    }),
    ...{ series: 1, readings: null, gaps: [], covered: [], unreadable: [], isTruncated: false },
  });
  const other = async () => {
    throw new Error('not asked for');
  };
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...dataRoutes(clock, {
        ...{ registry, current: new Current(), series, presence: () => undefined },
        ...{ health: () => ({}), onCredentials: () => {} },
        store: { history, gaps: other, account: other } as never,
      }),
      ...actRoutes(clock, { alarms, notify, onEvents }),
      ...ruleRoutes(clock, { alarms, series, onEvents }),
    ],
  });
  const token = registry.issueToken({ name: 'li', right: 'administer', scope: '' }, 0);
  writeFileSync(join(folder, 'token'), token);
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

/** What the command prints, complaints marked with `!`, and its exit code last. */
async function rule(name: string, ...words: readonly string[]): Promise<string[]> {
  const lines: string[] = [];
  const output: Output = {
    ...{ language: 'en', json: words.includes('--json') },
    print: (text) => lines.push(...text.split('\n')),
    note: (text) => lines.push(`! ${text}`),
    say: (key, values) => say('en', key, ...([values] as unknown as never)),
  };
  const where = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, 'token')];
  const verb = verbs[name]!;
  const isRemote = !words.includes('--offline');
  try {
    const code = await verb.run(parse(verb, [...words, ...(isRemote ? where : [])]), output);
    return [...lines, `exit ${code}`];
  } catch (error) {
    if (isFault(error)) return [...lines, error.code];
    if (error instanceof UsageError) return [...lines, 'usage'];
    throw error;
  }
}

function file(text: string): string {
  const path = join(folder, 'rules.yaml');
  writeFileSync(path, text);
  return path;
}

const one = 'gw-1/d/p1/high';
const fileOf = (raise: number) =>
  file(`version: 1
rules:
  - { point: d/p1, kind: limit, side: high, raise: ${raise}, level: 2 }
`);

test('a file is tried, set, listed with what is default, and its history told', async () => {
  const fields = [
    '    raise: 20 -> 30',
    '    clear: 18 -> 28 (default)',
    '    delay: 0s -> 15s (default)',
    '    off_delay: 0s -> 1m (default)',
    '    title: x -> Point high',
  ];
  expect(await rule('set', fileOf(30), '--dry-run')).toEqual([
    `${one}  v1 in force  changed`,
    ...fields,
    'exit 0',
  ]);
  expect(await rule('set', fileOf(30))).toEqual(['usage']);
  expect(await rule('set', fileOf(30), '--reason', 'review')).toEqual([
    `${one}  v2 in force  changed`,
    ...fields,
    'exit 0',
  ]);
  const [line] = await rule('list');
  expect(line).toBe(
    `${one}  II  ≥ 30 bar, clear < 28  v2 li  clear 28, delay 15s, off_delay 1m (default)  gateway proposes other`,
  );
  const versions = await rule('history', one);
  expect(versions).toEqual([
    expect.stringMatching(/^v1 .* gateway gw-1 {2}≥ 20 bar, clear < 18 {2}proposed$/),
    expect.stringMatching(/^v2 .* li {2}≥ 30 bar, clear < 28 {2}review$/),
    'exit 0',
  ]);
  expect((await rule('show', one)).join('\n')).toContain(
    'its gateway proposes:\n  raise: 20\n  clear: 18\n',
  );
});

test('a wrong file shows the line and the mark, exit 3, and sets nothing', async () => {
  const said = await rule('set', fileOf(300), '--reason', 'review');
  expect(said[0]).toMatch(/rules\.yaml:3:\d+: error\[rule-never-fires\]: the alarm can never come/);
  expect(said[0]).toContain('\n   3 |   - { point: d/p1');
  expect(said.at(-1)).toBe('exit 3');
  expect(await rule('check', fileOf(300))).toEqual(said);
  expect((await rule('list'))[0]).toContain('≥ 20 bar');
  expect(await rule('check', fileOf(300), '--offline')).toEqual([
    expect.stringContaining('rules.yaml'),
    'exit 0',
  ]);
});

test('accept, revert and retire take the rule as it was read and say what it is now', async () => {
  await rule('set', fileOf(30), '--reason', 'review');
  expect((await rule('accept', one, '--dry-run'))[0]).toContain('would accept: ');
  expect((await rule('accept', one, '--reason', 'as the maker says'))[0]).toContain('≥ 20 bar');
  expect((await rule('revert', one, '2', '--reason', 'no'))[0]).toContain('≥ 30 bar');
  expect((await rule('retire', one, '--reason', 'gone'))[0]).toContain('retired');
  expect(await rule('retire', one, '--reason', 'gone')).toEqual(['rule_unchanged']);
  expect(await rule('accept', 'gw-1/d/p1/low', '--reason', 'x')).toEqual(['rule_unknown']);
  expect(await rule('accept', 'high', '--reason', 'x')).toEqual(['usage']);
});

test('the baseline of a point is the mean of each hour of the week, as a file that is right', async () => {
  const span = ['--from', '2026-01-05T00:00:00Z', '--to', '2026-01-26T00:00:00Z'];
  const printed = await rule('baseline', 'gw-1/d/p1', ...span, '--utc-offset', '+08:00');
  expect(printed.at(-1)).toBe('exit 0');
  const text = printed.slice(0, -1).join('\n');
  const checked = await rule('check', file(text));
  expect([checked[0], checked.at(-1)]).toEqual([
    'gw-1/d/p1/deviation  none in force  new',
    'exit 0',
  ]);
  // Monday 00:00 at +08:00 is Sunday 16:00 UTC.
  expect(text).toContain('        16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2,');
  const short = ['--from', '2026-01-05T00:00:00Z', '--to', '2026-01-06T00:00:00Z'];
  expect(await rule('baseline', 'gw-1/d/p1', ...short)).toEqual(['rule_baseline_short']);
});

test('the hour of the week is local, Monday 00:00 first', () => {
  expect(hourOfWeek(Date.UTC(2026, 0, 5), '+00:00')).toBe(0);
  expect(hourOfWeek(Date.UTC(2026, 0, 4, 16), '+08:00')).toBe(0);
  expect(hourOfWeek(Date.UTC(2026, 0, 5), '-01:00')).toBe(167);
  expect(hourOfWeek(0, '+00:00')).toBe(72);
});
