// The command as a person types it: the real program in a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { statusOf } from '../cloud/api/statuses.ts';
import type { FaultCode } from '../core/text/text.ts';
import { writeNew } from './files.ts';
import { exitOf, words } from './main.ts';
import { exit } from './verb.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-cli-'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function lifeline(...args: string[]) {
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '', LIFELINE_URL: '' };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'cli', 'main.ts'), ...args],
    { cwd: folder, env, encoding: 'utf8' },
  );
  return { status, stdout, stderr };
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('every word of the command is there and explains itself in both languages', async () => {
  const wanted = 'edge cloud profile sim demo alarm rule case audit explain completion version';
  expect(Object.keys(words)).toEqual(wanted.split(' '));
  for (const load of Object.values(words)) {
    for (const { usage, summary } of Object.values((await load()).verbs)) {
      expect(summary.en.length, usage).toBeGreaterThan(5);
      expect(summary.zh, usage).toMatch(/[一-鿿]/);
    }
  }
  const { status, stdout } = lifeline('help');
  expect(status).toBe(0);
  for (const word of Object.keys(words)) expect(stdout).toContain(`lifeline ${word}`);
  expect(lifeline('--lang', 'zh').stdout).toContain('城市');
});

test('what stands before the word is no reason to print help and to end well', () => {
  const version = lifeline('--lang', 'zh', '--json', 'version');
  expect([version.status, version.stdout]).toEqual([0, expect.stringContaining('"lifeline"')]);
  expect(lifeline('--lang', 'zh', 'alarm', 'route', 'test', '--level', '9', 'x').status).toBe(2);
  expect(lifeline('--at', 'http://127.0.0.1:1', 'alarm', 'list').status).toBe(2);
});

test('what the API refuses for a reason of the caller is no internal failure of the command', () => {
  const codes = Object.entries(statusOf).filter(([, status]) => status! < 500);
  expect(codes.length).toBeGreaterThan(30);
  for (const [code] of codes) expect(exitOf(code as FaultCode), code).not.toBe(exit.internal);
  expect(exitOf('figures_day')).toBe(exit.usage);
  expect(exitOf('figures_gone')).toBe(exit.notFound);
  expect(exitOf('replay_busy')).toBe(exit.conflict);
});

test('a file that is there is not written over, and called a file that is there', () => {
  const path = file('kept.txt', 'kept');
  expect(() => writeNew(path, 'new')).toThrow(/kept\.txt: is there already and is left as it is/);
});

test('a wrong word is answered with the near one, exit 2', () => {
  const { status, stderr } = lifeline('clod', 'run');
  expect(status).toBe(2);
  expect(stderr).toContain('did you mean "cloud"?');
  expect(lifeline('edge', 'chekc', 'x').stderr).toContain('did you mean "edge check"?');
  expect(lifeline('explain', '--nonsense').status).toBe(2);
  const alone = lifeline('alarm', '--lang', 'zh');
  expect(alone).toMatchObject({ status: 2, stderr: '' });
  expect(alone.stdout).toContain('lifeline alarm ack ID');
});

const gatewayText = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:1883", credentials: "\${env:PATH}" }
links: {}
devices: []
`;

test('a check shows the lines, counts what it does not list, and calls warnings warnings', () => {
  const good = file('good.yaml', gatewayText);
  expect(lifeline('edge', 'check', good).stdout).toContain('no findings');
  const link = '{ a: { protocol: modbus, kind: tcp, host: 10.0.0.1 } }';
  const unused = file('unused.yaml', gatewayText.replace('{}', link));
  const warned = lifeline('edge', 'check', unused);
  expect(warned).toMatchObject({ status: 0, stdout: `${unused}: 1 warning\n` });
  expect(warned.stderr).toContain('   4 | links: { a:');
  const keys = Array.from({ length: 130 }, (_, at) => `x${at}: 1\n`).join('');
  const wrong = file('wrong.yaml', gatewayText + keys);
  for (const word of ['edge', 'cloud']) {
    const { status, stderr } = lifeline(word, 'check', wrong);
    expect(status).toBe(3);
    expect(stderr).toMatch(/and \d+ more/);
  }
  expect(lifeline('edge', 'run', wrong).stderr).toContain('and 30 more');
  const { findings, beyond } = JSON.parse(lifeline('edge', 'check', wrong, '--json').stdout);
  expect([findings.length, beyond]).toEqual([100, 30]);
});

test('every error code is explained; an unknown one exits 4', () => {
  const { status, stdout } = lifeline('explain', 'api_forbidden');
  expect(status).toBe(0);
  expect(stdout).toMatch(/cause:.*\n.*do:/);
  expect(lifeline('explain', 'api_forbiden').stderr).toContain('api_forbidden');
  expect(lifeline('explain', 'api_forbiden').status).toBe(4);
  expect(lifeline('explain', 'api_forbidden', '--lang', 'zh').stdout).toContain('权限');
});

test('a wrong configuration is told whole, with line and column, exit 3', () => {
  const path = file(
    'cloud.yaml',
    'version: 1\ncloud:\n  foldr: x\n  broker: {}\n  api: { port: 99999 }\n',
  );
  const { status, stderr } = lifeline('cloud', 'run', path);
  expect(status).toBe(3);
  expect(stderr).toMatch(/cloud\.yaml:3:3: error\[unknown-key\]/);
  expect(stderr).toMatch(/did you mean folder/);
  expect(stderr).toMatch(/cloud\.yaml:5:16/);
  expect(stderr).toContain('nothing was done');
});

test('a token is shown once or goes into a file only its owner reads', () => {
  const path = file('good.yaml', 'version: 1\ncloud:\n  folder: data\n  broker: {}\n');
  const shown = lifeline('cloud', 'token', 'desk', '--config', path, '--right', 'operate');
  expect(shown.stdout.trim()).toMatch(/^[\w-]{43}$/);
  const secret = join(folder, 'secrets', 'gw-1');
  const enrolled = lifeline(
    'cloud',
    'enrol',
    'gas/gw-1',
    '--config',
    path,
    '--secret-file',
    secret,
  );
  expect([enrolled.status, enrolled.stdout]).toEqual([0, '']);
  expect(statSync(secret).mode & 0o777).toBe(0o600);
});

test('machine output is JSON and nothing else', () => {
  expect(JSON.parse(lifeline('version', '--json').stdout)).toHaveProperty('lifeline');
});

test('--version says what version does, and profiles are a list for programs too', () => {
  expect(lifeline('--version').stdout).toBe(lifeline('version').stdout);
  expect(JSON.parse(lifeline('--version', '--json').stdout)).toHaveProperty('node');
  const profiles = JSON.parse(lifeline('profile', 'list', '--json').stdout);
  expect(profiles.find(({ id }: { id: string }) => id === 'keller/series-30')).toMatchObject({
    vendor: 'Keller',
    title: { zh: expect.stringMatching(/[一-鿿]/) },
  });
});

test('completion knows every word, for three shells', () => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout } = lifeline('completion', shell);
    for (const word of Object.keys(words)) expect(stdout, shell).toContain(word);
  }
  const { status } = spawnSync('bash', ['-n'], { input: lifeline('completion', 'bash').stdout });
  expect(status).toBe(0);
});

test('profiles are listed, shown, checked and tested', () => {
  expect(lifeline('profile', 'list').stdout).toContain('eastron/sdm630');
  expect(lifeline('profile', 'show', 'keller/series-30').stdout).toContain('bar');
  expect(lifeline('profile', 'test').status).toBe(0);
  const bad = file('bad.yaml', 'version: 1\nprofile: {}\n');
  expect(lifeline('profile', 'check', bad).status).toBe(3);
});

test('a cloud that is not there is said so, exit 9', () => {
  const token = file('token', 'x');
  const at = ['--at', 'http://127.0.0.1:1', '--token-file', token];
  const { status, stderr } = lifeline('alarm', 'list', ...at);
  expect(status).toBe(9);
  expect(stderr).toContain('lifeline explain cli_unreachable');
});

test('a register table becomes a profile file once; an existing file is never overwritten', () => {
  const table = file('map.csv', 'Register,Name,Type,Unit,Scale\n40001,Level,INT16,m,0.001\n');
  const out = join(folder, 'acme', 'wl10.yaml');
  const args = ['profile', 'new', 'ACME/WL10', '--from', table, '--out', out];
  const unsaid = lifeline(...args);
  expect(unsaid.status).toBe(3);
  expect(unsaid.stderr).toContain('!A2 (Register): error[table-base-needed]');
  const made = lifeline(...args, '--base', '40001', '--json');
  expect(made.status, made.stderr).toBe(0);
  const { written, points, findings } = JSON.parse(made.stdout);
  expect(written).toBe(out);
  expect(points).toMatchObject([{ id: 'level', row: 2, table: 'holding', address: 0 }]);
  expect(findings.map(({ code }: { code: string }) => code)).toContain('table-source-missing');
  expect(lifeline('profile', 'check', out).status).toBe(0);
  expect(lifeline('profile', 'test', out).status).toBe(0);
  expect(lifeline('profile', 'show', out).stdout).toContain('holding 0 int16');
  const again = lifeline(...args, '--base', '40001');
  expect(again.status).toBe(8);
  expect(again.stderr).toContain('profile_exists');
  expect(lifeline(...args, '--base', '7').status).toBe(2);
  expect(lifeline(...args, '--kind', 'level').stderr).toContain('level-transmitter');
  const chinese = lifeline(...args, '--lang', 'zh');
  expect(chinese.stderr).toContain('请用 --base 说明');
});

test('show, check and test of profiles answer programs as well, and wrong names with near ones', () => {
  const shown = JSON.parse(lifeline('profile', 'show', 'geokon/3810a', '--json').stdout);
  expect(shown.triggers[0]).toMatchObject({ id: 'measure', waitMs: 1000 });
  const checked = JSON.parse(lifeline('profile', 'check', 'keller/series-30', '--json').stdout);
  expect(checked).toMatchObject({ errors: 0, failed: false });
  const [run] = JSON.parse(lifeline('profile', 'test', 'keller/series-30', '--json').stdout);
  expect(run.results[0].failures).toEqual([]);
  for (const verb of ['show', 'check', 'test']) {
    const wrong = lifeline('profile', verb, 'keler/series-30');
    expect(wrong.status, verb).toBe(4);
    expect(wrong.stderr, verb).toContain('did you mean keller/series-30?');
  }
});
