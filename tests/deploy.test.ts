// What stands in deploy/, examples/ and docker-compose.yml is held to the program it starts, as far
// as no container engine and no running systemd are needed: each command is one the command line
// takes, each path is there, each configuration passes the real checks.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { words } from '../cli/main.ts';
import { parse } from '../cli/verb.ts';
import { parseCloud } from '../cloud/config.ts';
import { parseGateway } from '../edge/config/gateway.ts';
import { packagedProfiles } from '../edge/config/loader.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).split('\n');
const isShipped = (path: string) =>
  tracked.includes(path) || tracked.some((name) => name.startsWith(`${path}/`));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-deploy-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Throws what the command line would say. */
async function parseCommand([word = '', ...rest]: readonly string[]): Promise<void> {
  const { verbs } = (await words[word]?.()) ?? { verbs: {} };
  const verb = verbs[''] ?? verbs[rest[0] ?? ''];
  if (!verb) throw new Error(`lifeline ${word} ${rest[0]}: there is no such command`);
  parse(verb, verbs[''] ? rest : rest.slice(1));
}

interface Service {
  readonly image: string;
  readonly user?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly cap_drop: readonly string[];
  readonly read_only: boolean;
}

interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const composition = parseYaml(read('docker-compose.yml'), { merge: true }) as Composition;
const services = Object.entries(composition.services);
const conditions = ['service_started', 'service_completed_successfully'];

test('the composition has cloud, edge, simulators and a broker, and each of its commands is one we take', async () => {
  expect(Object.keys(composition.services)).toEqual(
    expect.arrayContaining(['cloud', 'edge', 'simulators', 'broker']),
  );
  for (const [name, { image, build, command }] of services) {
    if (name === 'broker') {
      expect(image).toMatch(/^eclipse-mosquitto:2\.0\.\d+$/);
      expect(command).toEqual(['mosquitto', '-c', '/broker/mosquitto.conf']);
      continue;
    }
    const { version } = JSON.parse(read('package.json')) as { version: string };
    expect([name, image, build]).toEqual([
      name,
      `lifeline:${version}`,
      { context: '.', dockerfile: 'deploy/Dockerfile' },
    ]);
    await parseCommand(command);
  }
  const wrong = parseCommand(['cloud', 'run', 'a', 'b']);
  await expect(wrong).rejects.toThrow('run FILE');
});

test('every volume, file and service the composition names exists, and nobody has more rights than needed', () => {
  const files = new Map<string, string>();
  for (const [name, service] of services) {
    expect([name, service.cap_drop, service.read_only]).toEqual([name, ['ALL'], true]);
    for (const volume of service.volumes ?? []) {
      const [from = '', to = '', mode] = volume.split(':');
      if (from.startsWith('./')) {
        expect([volume, isShipped(from.slice(2)), mode]).toEqual([volume, true, 'ro']);
        files.set(`${name}:${to}`, from);
      } else expect(Object.keys(composition.volumes)).toContain(from);
      expect(to).toMatch(/^\//);
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(Object.keys(composition.services)).toContain(other);
      expect(conditions).toContain(condition);
    }
    // Published on loopback of the host, never beyond.
    for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    for (const word of service.command) {
      if (word.endsWith('.yaml')) expect([...files.keys()]).toContain(`${name}:${word}`);
    }
  }
  expect(composition.services['broker']?.user).toBe('10001:10001');
});

test('the files of the composition pass the checks of cloud and edge, and speak to its services', () => {
  const cloud = parseCloud(
    read('deploy/compose/cloud.yaml'),
    'cloud.yaml',
    '/etc/lifeline',
    () => 'x',
  );
  const text = Buffer.from(read('deploy/compose/gateway.yaml'));
  const gateway = parseGateway(text, 'gateway.yaml', packagedProfiles());
  expect(gateway.warnings).toEqual([]);
  const hosts = [
    cloud.broker.kind === 'url' ? new URL(cloud.broker.url).hostname : '',
    new URL(gateway.cloud.url).hostname,
    ...gateway.links.map((link) => (link.kind === 'tcp' ? link.host : link.kind)),
  ];
  expect(hosts).toEqual(['broker', 'broker', 'simulators']);
  for (const host of hosts) expect(Object.keys(composition.services)).toContain(host);
  expect(composition.services['cloud']?.ports).toEqual([`127.0.0.1:${cloud.api.port}:18470`]);
  const enrolled = composition.services['enrol']?.command[2];
  expect(enrolled).toBe(`${gateway.gateway.area}/${gateway.gateway.id}`);
});

test('the examples pass the checks of cloud and edge', () => {
  const secrets: Record<string, string> = {
    broker: 'x',
    'emergency-desk': `whsec_${Buffer.alloc(32).toString('base64')}`,
  };
  const cloud = parseCloud(
    read('examples/cloud.yaml'),
    'cloud.yaml',
    '/srv',
    (_, name) => secrets[name],
  );
  expect(cloud.broker).toMatchObject({ kind: 'url', password: 'x' });
  // What is commented out is taken too, when its sign is removed.
  const isPart = /^( *)# (?=- \{|- id:| {2}|[a-z]+:($| #))/gm;
  const [head, notify] = read('examples/cloud.yaml').split(/^(?= {2}notify:$)/m);
  const whole = `${head}${notify?.replaceAll(isPart, '$1')}`;
  const full = parseCloud(whole, 'cloud.yaml', '/srv', (_, name) => secrets[name] ?? 'x');
  expect(full.notify.people.map(({ id }) => id)).toEqual(['wang', 'li']);
  expect(full.notify.rosters.map(({ id }) => id)).toEqual(['gas-duty']);
  expect(full.notify.routes.map(({ chain }) => chain.length)).toEqual([2, 2, 1]);
  expect(full.warnings?.sender).toBe('alarm.city.example');
  const text = Buffer.from(read('examples/gateway.yaml'));
  const gateway = parseGateway(text, 'gateway.yaml', packagedProfiles());
  expect([gateway.warnings, gateway.insecure]).toEqual([[], []]);
});

test('every command the examples and deploy/README.md tell a person to type is one we take', async () => {
  let count = 0;
  for (const path of [
    'examples/cloud.yaml',
    'examples/gateway.yaml',
    'examples/gateway-serial.yaml',
    'docker-compose.yml',
    'deploy/README.md',
  ]) {
    for (const [, command] of read(path).matchAll(
      /^#?[ #$]*(?:sudo (?:-u \S+ )?)?(?:npx )?lifeline (.+)$/gm,
    )) {
      await parseCommand(command!.trim().split(/\s+/));
      count++;
    }
  }
  expect(count).toBeGreaterThan(8);
});

interface Step {
  readonly word: string;
  readonly rest: string;
}

/** Steps of a Dockerfile, a list a stage; continued lines joined. */
function stagesOf(text: string): Step[][] {
  const stages: Step[][] = [];
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    const [, word, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (!word || rest === undefined) continue;
    if (word === 'FROM') stages.push([]);
    stages.at(-1)?.push({ word, rest });
  }
  return stages;
}

test('the image is built from what is in the repository, runs the pinned Node.js, and not as root', () => {
  const [build = [], image = []] = stagesOf(read('deploy/Dockerfile'));
  const manifest = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const allowed = read('deploy/Dockerfile.dockerignore').split('\n');
  const copied = [...build, ...image]
    .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from'))
    .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
  for (const path of copied) expect([path, isShipped(path)]).toEqual([path, true]);
  // The context is closed but for what is copied.
  expect(allowed).toContain('*');
  expect(allowed.filter((line) => line.startsWith('!')).sort()).toEqual(
    [...new Set(copied)].map((path) => `!${path}`).sort(),
  );
  // And what is copied is all that is compiled.
  const compiled = JSON.parse(read('tsconfig.build.json')) as { include: string[] };
  expect(copied).toEqual(expect.arrayContaining(compiled.include));
  for (const { rest } of build.filter(({ word }) => word === 'RUN')) {
    const [, script] = /^npm run (\S+)/.exec(rest) ?? [];
    if (script) expect(Object.keys(manifest.scripts)).toContain(script);
  }
  const taken = image.filter(({ rest }) => rest.startsWith('--from=build'));
  expect(taken.map(({ rest }) => rest.split(' ')[1]!.split('/').at(-1))).toEqual([
    ...['node_modules', 'dist', 'device-profiles'],
  ]);
  const say = (word: string) => image.filter((step) => step.word === word).at(-1)?.rest;
  expect(say('USER')).toBe('10001:10001');
  expect(JSON.parse(say('ENTRYPOINT') ?? '')).toEqual([
    '/opt/lifeline/node_modules/.bin/node',
    '/opt/lifeline/dist/cli/main.js',
  ]);
});

interface Unit {
  readonly name: string;
  readonly text: string;
  value(key: string): string | undefined;
}

const units: readonly Unit[] = ['lifeline-edge.service', 'lifeline-cloud.service'].map((name) => {
  const text = read(`deploy/${name}`);
  return { name, text, value: (key) => new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] };
});

test('each unit starts the emitted program with a command we take, as a user of its own, again and again', async () => {
  for (const { name, value } of units) {
    const part = name.slice('lifeline-'.length, -'.service'.length);
    const started = value('ExecStart')?.split(' ') ?? [];
    const [node, main, ...command] = started.filter((word) => !word.startsWith('--max-'));
    expect([node, main]).toEqual([
      '/opt/lifeline/node_modules/.bin/node',
      '/opt/lifeline/dist/cli/main.js',
    ]);
    await parseCommand(command);
    const expected = {
      User: `lifeline-${part}`,
      StateDirectory: `lifeline-${part}`,
      Restart: 'always',
      StartLimitIntervalSec: '0',
      RestartPreventExitStatus: '2 3',
      ProtectSystem: 'strict',
      NoNewPrivileges: 'yes',
      CapabilityBoundingSet: '',
    };
    const found = Object.fromEntries(Object.keys(expected).map((key) => [key, value(key)]));
    expect(found).toEqual(expected);
  }
  expect(units[0]?.value('SupplementaryGroups')).toBe('dialout');
});

// systemd is not installed for the sake of a test: its installation touches more of a machine than
// a test may.
const analyze = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((path) => join(path, 'systemd-analyze'))
  .find((path) => existsSync(path));
const EXPOSURE_MAX = 2; // systemd calls up to 2 "OK" and 10 "dangerous"; a unit without any of it has 9.6.

test.skipIf(!analyze)('systemd finds nothing wrong with the units, and little exposed', () => {
  for (const { name, text } of units) {
    const path = join(folder, name);
    // It looks for the program, which is not in /opt here.
    writeFileSync(path, text.replaceAll('/opt/lifeline/node_modules/.bin/node', process.execPath));
    const verified = spawnSync(analyze!, ['verify', '--man=no', path], { encoding: 'utf8' });
    expect([verified.status, verified.stdout, verified.stderr]).toEqual([0, '', '']);
    const security = ['security', '--offline=true', path];
    const { stdout } = spawnSync(analyze!, security, { encoding: 'utf8', env: { LANG: 'C' } });
    const exposure = /Overall exposure level for .*: ([\d.]+)/.exec(stdout)?.[1];
    expect([name, Number(exposure) <= EXPOSURE_MAX]).toEqual([name, true]);
  }
});
