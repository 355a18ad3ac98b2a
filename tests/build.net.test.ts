// What gateways run: JavaScript emitted once into a folder that is laid out as deploy/Dockerfile lays
// out its image, without the sources beside it.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { freePort } from './foreign-broker.ts';
import { listening, ProgramRun, seriesOf } from './program-run.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const root = fileURLToPath(new URL('..', import.meta.url));
let folder: string;
let home: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-build-'));
  home = join(folder, 'opt');
  mkdirSync(home);
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  // `npm run build`, but for the folder it emits into.
  const [command, ...words] = scripts['build']!.split(' ');
  const args = [...words, '--outDir', join(home, 'dist')];
  const built = spawnSync(join(root, 'node_modules', '.bin', command!), args, {
    ...{ cwd: root, encoding: 'utf8' },
  });
  expect([built.status, built.stdout]).toEqual([0, '']);
  for (const name of ['node_modules', 'device-profiles'])
    symlinkSync(join(root, name), join(home, name));
  copyFileSync(join(root, 'package.json'), join(home, 'package.json'));
});

afterAll(() => rmSync(folder, { recursive: true }));

const emitted = () => new ProgramRun(join(home, 'dist', 'cli', 'main.js'), folder);

test('only the program is emitted, no test of it', () => {
  const files = readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' });
  expect(
    files.filter((path) => /\.(test|contract|fuzz)\./.test(path) || path.endsWith('.ts')),
  ).toEqual([]);
  expect(readdirSync(join(home, 'dist')).sort()).toEqual(
    'cli cloud core device-profiles edge protocols simulators'.split(' '),
  );
});

// A file started by its URL (a worker, a process) is named in a text no compiler rewrites.
test('wherever a source file is named in a text, the emitted one is the other choice, and is there', () => {
  const files = readdirSync(join(home, 'dist'), { recursive: true, encoding: 'utf8' });
  const wrong: string[] = [];
  for (const path of files.filter((name) => name.endsWith('.js'))) {
    const lines = readFileSync(join(home, 'dist', path), 'utf8').split('\n');
    lines.forEach((line, at) => {
      if (/^\s*(\/\/|\*)/.test(line)) return;
      for (const [, name] of line.matchAll(/['"](\.{1,2}\/[\w./-]+)\.ts['"]/g)) {
        const other = join(home, 'dist', path, '..', `${name}.js`);
        if (!line.includes(`'${name}.js'`) || !existsSync(other)) wrong.push(`${path}:${at + 1}`);
      }
    });
  }
  expect(wrong).toEqual([]);
});

test('version, help, and the check of a gateway file with its profiles', () => {
  const lifeline = emitted();
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(lifeline.run(['version'])).toMatchObject({
    ...{ status: 0, stdout: expect.stringContaining(`lifeline ${version} (`), stderr: '' },
  });
  expect(lifeline.run(['help']).stdout).toContain('lifeline edge');
  mkdirSync(join(folder, 'secrets'), { recursive: true });
  writeFileSync(join(folder, 'secrets', 'cloud'), 'x', { mode: 0o600 });
  copyFileSync(join(root, 'examples', 'gateway.yaml'), join(folder, 'gateway.yaml'));
  expect(lifeline.run(['edge', 'check', 'gateway.yaml'])).toMatchObject({
    ...{ status: 0, stdout: 'gateway.yaml: no findings\n', stderr: '' },
  });
});

test('a simulated device, an edge and a cloud: the first reading arrives, and all three end in order', async () => {
  const [device, broker, api] = [await freePort(), await freePort(), await freePort()];
  const file = (name: string, value: unknown) =>
    writeFileSync(join(folder, name), JSON.stringify(value));
  file('cloud.yaml', {
    version: 1,
    cloud: { folder: 'cloud', broker: { embedded: { port: broker } }, api: { port: api } },
  });
  file('gw-1.yaml', {
    version: 1,
    gateway: { id: 'gw-1', area: 'east', name: { en: 'First', zh: '一号' } },
    cloud: { url: `mqtt://127.0.0.1:${broker}`, credentials: '${secret:gw-1}' },
    status: { port: 0 },
    links: { bus: { protocol: 'modbus', kind: 'tcp', host: '127.0.0.1', port: device } },
    devices: [{ id: 'pressure', link: 'bus', profile: 'keller/series-30@1', poll: '1s' }],
  });
  await using lifeline = emitted();
  const at = ['--config', 'cloud.yaml', '--secret-file'];
  expect(lifeline.run(['cloud', 'enrol', 'east/gw-1', ...at, 'secrets/gw-1']).status).toBe(0);
  expect(lifeline.run(['cloud', 'token', 'test', ...at, 'token']).status).toBe(0);
  const simulated = ['keller/series-30', '--port', String(device), '--set', 'pressure=4.5'];
  await lifeline.start('device', ['sim', 'device', ...simulated], 'listens');
  await lifeline.start('cloud', ['cloud', 'run', 'cloud.yaml'], 'broker listens');
  await lifeline.start('edge', ['edge', 'run', 'gw-1.yaml'], 'gw-1 listens');
  await listening(api);
  const pressure = async () => {
    const series = await seriesOf(api, join(folder, 'token'));
    return series.find(({ point }) => point === 'gw-1/pressure/pressure')?.current;
  };
  await expect
    .poll(pressure, { timeout: 30_000 })
    .toMatchObject({ v: expect.closeTo(4.5, 3), q: 'good' });
  expect(await lifeline.end('edge')).toBe(0);
  expect(await lifeline.end('cloud')).toBe(0);
  expect(await lifeline.end('device')).toBe(0);
});
