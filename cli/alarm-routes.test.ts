import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { say } from '../core/text/text.ts';
import { routeVerb } from './alarm-routes.ts';
import { exit, type Output, parse } from './verb.ts';

const folder = mkdtempSync(join(tmpdir(), 'lifeline-routes-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'cloud.yaml');
// The desk's secret is not there: nobody who looks at routes needs it.
writeFileSync(
  file,
  `version: 1
cloud:
  folder: data
  broker: {}
  notify:
    receivers:
      - { id: desk, kind: webhook, url: "https://desk.example/x", secret: "\${secret:none}" }
      - { id: wang-robot, kind: log }
      - { id: li-robot, kind: log }
      - { id: manager, kind: log }
    people:
      - { id: wang, receivers: [wang-robot] }
      - { id: li, receivers: [li-robot] }
    rosters:
      - id: gas-duty
        shifts:
          - { who: wang, from: "08:00", to: "20:00" }
          - { who: li, from: "20:00", to: "07:00" }
        absences:
          - { who: li, from: 2026-12-01, to: 2026-12-05, substitute: wang }
    routes:
      - id: red
        levels: [1]
        asset: gas
        to: [desk, { to: gas-duty, wait: 30s }, manager]
      - { id: rest, levels: [2, 3, 4], to: [desk] }
`,
);

async function run(language: 'en' | 'zh', ...words: string[]) {
  const [lines, notes]: [string[], string[]] = [[], []];
  const output: Output = {
    ...{ language, json: words.includes('--json') },
    print: (line) => lines.push(line),
    note: (line) => notes.push(line),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const code = await routeVerb.run(parse(routeVerb, words), output);
  return { code, lines: lines.map((line) => line.replace(/ {2}\S+ \S+ {2}/, ' ')), notes };
}

const red = ['test', '--level', '1', '--area', 'gas', '--asset', 'gas/MP-1193/well-07'];

test('a route is tried without a cloud: who is told when, by whom is on duty at that time, and whether the expected is among them', async () => {
  const at = (time: string) => ['--at', `2026-11-27T${time}:00+08:00`];
  const day = await run('en', ...red, ...at('12:00'), '--expect', 'wang', file);
  expect(day.code).toBe(exit.done);
  expect(day.lines).toEqual([
    '+0s     desk is told by route red, step 1',
    '+1m     wang (wang-robot) is told by route red, step 2',
    '+90s    manager is told by route red, step 3',
    'wang is told',
  ]);
  const night = await run('en', ...red, ...at('21:00'), '--expect', 'wang', file);
  expect(night.code).toBe(exit.found);
  expect(night.notes.at(-1)).toBe('wang would not be told of this alarm');
  // Told a minute later, when the next shift has begun.
  const change = await run('en', ...red, ...at('19:59'), '--expect', 'li', file);
  expect(change.code).toBe(exit.done);
});

test('who is absent is not expected, who stands in is; and nobody on duty passes on at once and says so', async () => {
  const absent = ['--at', '2026-12-02T22:00:00+08:00'];
  expect((await run('en', ...red, ...absent, '--expect', 'li', file)).code).toBe(exit.found);
  expect((await run('en', ...red, ...absent, '--expect', 'wang', file)).code).toBe(exit.done);
  expect((await run('en', ...red, ...absent, '--expect', 'gas-duty', file)).code).toBe(exit.done);
  const gap = ['--at', '2026-11-27T07:10:00+08:00'];
  const nobody = await run('zh', ...red, ...gap, '--expect', 'gas-duty', file);
  expect(nobody.code).toBe(exit.found);
  expect(nobody.lines).toEqual([
    '+0s     通知 desk（路由 red，第 1 级）',
    '+1m     未通知 gas-duty：当前无人值班',
    '+1m     通知 manager（路由 red，第 3 级）',
  ]);
  expect(nobody.notes[0]).toContain('warning[roster-gap]');
});

test('what no route fits is told to nobody, and an expectation then fails', async () => {
  const other = ['test', '--level', '1', '--asset', 'water/x', '--expect', 'desk', file];
  const { code, lines } = await run('en', ...other);
  expect(code).toBe(exit.found);
  expect(lines).toEqual(['+0s     nobody is not told: no route']);
});

test('the routes are shown with their chains and who is on duty', async () => {
  const { lines } = await run('en', 'show', '--at', '2026-11-27T12:00:00+08:00', file);
  expect(lines).toContain('gas-duty: on duty are wang');
  expect(lines.slice(0, 4)).toEqual([
    'red  levels: 1, assets: gas',
    '  +0s  desk',
    '  +1m  gas-duty',
    '  +90s  manager',
  ]);
});
