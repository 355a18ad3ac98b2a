// What a person sees when something is in the way: the real program in a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
let folder: string;
let holder: Server;
let taken: number;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-faults-'));
  holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  taken = (holder.address() as AddressInfo).port;
  writeFileSync(join(folder, 'file'), 'x');
});

afterAll(() => {
  holder.close();
  rmSync(folder, { recursive: true });
});

function lifeline(...args: string[]) {
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '', LIFELINE_URL: '' };
  const { status, stderr } = spawnSync(process.execPath, [join(root, 'cli', 'main.ts'), ...args], {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(stderr).not.toMatch(/^ {4}at /m);
  return { status, stderr };
}

function cloudFile(name: string, data: string, broker: number, api: number): string {
  const path = join(folder, name);
  writeFileSync(
    path,
    `version: 1\ncloud:\n  folder: ${data}\n  broker: { embedded: { port: ${broker} } }\n  api: { port: ${api} }\n`,
  );
  return path;
}

test('a port that another program has is named, exit 8, and the process ends', () => {
  const where = `127.0.0.1:${taken}`;
  const device = lifeline('sim', 'device', 'eastron/sdm630', '--port', `${taken}`);
  expect(device).toMatchObject({ status: 8 });
  expect(device.stderr).toContain(`sim_bind: ${where}: another program listens there already`);
  const broker = lifeline('cloud', 'run', cloudFile('a.yaml', 'a', taken, 0));
  expect(broker).toMatchObject({ status: 8 });
  expect(broker.stderr).toContain(`broker_bind: ${where}: another program`);
  const api = lifeline('cloud', 'run', cloudFile('b.yaml', 'b', 0, taken), '--lang', 'zh');
  expect(api).toMatchObject({ status: 8 });
  expect(api.stderr).toContain(`api_bind: ${where}：已有其他程序在此监听`);
});

test('a number that is no port is a wrong usage that says what a port is, exit 2', () => {
  for (const port of ['99999', '-1', '1.5']) {
    const { status, stderr } = lifeline('sim', 'device', 'eastron/sdm630', '--port', port);
    expect(status).toBe(2);
    expect(stderr).toContain(`--port: ${port} is no port; expected a whole number from 0 to 65535`);
  }
});

test('a data folder that cannot be made or written is named before anything starts, exit 7', () => {
  const inFile = join(folder, 'file', 'data');
  for (const args of [
    ['cloud', 'run', cloudFile('c.yaml', 'file/data', 0, 0)],
    ['cloud', 'token', 'desk', '--config', cloudFile('d.yaml', 'file/data', 0, 0)],
    ['demo', '--data', inFile, '--seconds', '1'],
  ]) {
    const { status, stderr } = lifeline(...args);
    expect(status, args.join(' ')).toBe(7);
    expect(stderr).toContain(`folder_unwritable: ${inFile}: a part of the path is a file`);
  }
});

test('a file or a profile that does not exist is named, exit 4', () => {
  for (const args of [
    ['edge', 'run', 'none.yaml'],
    ['cloud', 'run', 'none.yaml'],
    ['profile', 'check', 'none.yaml'],
    ['sim', 'replay', 'x.csv', '--map', 'none.yaml'],
    ['sim', 'receiver', '--secret-file', 'none.yaml'],
    ['alarm', 'list', '--at', 'http://127.0.0.1:1', '--token-file', 'none.yaml'],
  ]) {
    const { status, stderr } = lifeline(...args);
    expect(status, args.join(' ')).toBe(4);
    expect(stderr).toContain('file_not_found: none.yaml: there is no such file');
  }
  expect(lifeline('profile', 'show', 'no/such')).toMatchObject({ status: 4 });
  // There, and no file: what is named is wrong.
  expect(lifeline('cloud', 'run', '.')).toMatchObject({ status: 3 });
});

test('what is wrong is told in Chinese to who reads Chinese', () => {
  const zh = (...args: string[]) => lifeline(...args, '--lang', 'zh').stderr;
  expect(zh('profile', 'show', 'keller/series-3')).toContain('没有设备描述 keller/series-3；');
  expect(zh('edge', 'run', 'none.yaml')).toContain('none.yaml：文件不存在');
  const nobody = zh('alarm', 'list', '--at', 'http://127.0.0.1:1', '--token-file', 'file');
  expect(nobody).toContain('http://127.0.0.1:1 没有应答');
  expect(zh('sim', 'device', 'eastron/sdm630', '--set', 'none=1')).toContain('没有测点 none');
});

test('a wrong option is told in the language of the reader, with what was probably meant', () => {
  const wrong = lifeline('sim', 'device', 'eastron/sdm630', '--prot', '1', '--lang', 'zh');
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toContain('--prot：没有这个选项；您是不是想输入 --port？');
  expect(lifeline('sim', 'city', '--seed').stderr).toContain('--seed needs a value');
  expect(lifeline('version', '--json=1').stderr).toContain('--json takes no value');
});
