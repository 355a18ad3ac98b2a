// docker-compose.yml without a container engine: each service as a process, its volumes as folders,
// its command as it stands there. Only paths, host names and ports are put in their place.
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test, vi } from 'vitest';
import { parse as parseYaml } from 'yaml';
import { type ForeignBroker, freePort, shareWithBroker, startMosquitto } from './foreign-broker.ts';
import type { AccountNow } from './program-run.ts';
import { ask, listening, ProgramRun, seriesOf } from './program-run.ts';
import { program } from './programs.ts';

vi.setConfig({ testTimeout: 120_000 });

const root = fileURLToPath(new URL('..', import.meta.url));
const mosquittoPath = program('mosquitto');
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Service {
  readonly command: readonly string[];
  readonly volumes?: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}

const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const { services } = parseYaml(text, { merge: true }) as { services: Record<string, Service> };

/** Every service behind those it waits for. */
function inOrder(): string[] {
  const order: string[] = [];
  const visit = (name: string) => {
    if (order.includes(name)) return;
    for (const other of Object.keys(services[name]?.depends_on ?? {})) visit(other);
    order.push(name);
  };
  for (const name of Object.keys(services)) visit(name);
  return order;
}

class Composition {
  readonly folder = mkdtempSync(join(tmpdir(), 'lifeline-compose-'));
  readonly ports: Readonly<Record<'broker' | 'api' | 'gas' | 'water' | 'bridge', number>>;
  readonly lifeline = new ProgramRun(join(root, 'cli', 'main.ts'), this.folder);
  broker: ForeignBroker | null = null;

  constructor(ports: Composition['ports']) {
    this.ports = ports;
    chmodSync(this.folder, 0o755); // The broker is another user.
    for (const [name, { volumes = [] }] of Object.entries(services)) {
      for (const volume of volumes) this.#mount(name, volume);
    }
  }

  /** A path inside the container of a service. */
  inside(service: string, path: string): string {
    return join(this.folder, 'in', service, path);
  }

  words(service: string, command = services[service]!.command): string[] {
    return command.map((word) => {
      if (word.startsWith('/')) return this.inside(service, word);
      return word === '0.0.0.0' ? '127.0.0.1' : word;
    });
  }

  async up(): Promise<void> {
    const { gas, water, bridge, api } = this.ports;
    for (const name of inOrder()) {
      const words = this.words(name);
      if (name === 'broker') await this.startBroker();
      else if (name === 'cloud') {
        await this.lifeline.start(name, words, 'api listens');
        await listening(api);
      } else if (name === 'simulators') {
        const own = Object.entries({ gas, water, bridge }).map(
          ([site, port]) => `--${site}=${port}`,
        );
        await this.lifeline.start(name, [...words, ...own], 'bridge listens');
      } else if (name === 'edge') {
        await this.lifeline.start(name, [...words, '--json'], 'gw-water listens');
      } else this.once(name);
    }
  }

  /** A one-shot service. */
  once(name: string, command = services[name]!.command): void {
    const { status, stderr } = this.lifeline.run(this.words(name, command));
    expect([name, status, stderr]).toEqual([name, 0, expect.any(String)]);
  }

  async startBroker(): Promise<void> {
    const files = join(this.folder, 'volumes', 'broker-files');
    this.broker = await startMosquitto(mosquittoPath!, files, this.ports.broker);
  }

  async down(): Promise<void> {
    await this.lifeline[Symbol.asyncDispose]();
    await this.broker?.kill();
    rmSync(this.folder, { recursive: true });
  }

  #mount(service: string, volume: string): void {
    const [from = '', to = ''] = volume.split(':');
    const at = this.inside(service, to);
    mkdirSync(dirname(at), { recursive: true });
    if (from.startsWith('./')) writeFileSync(at, this.#placed(service, from));
    else {
      mkdirSync(join(this.folder, 'volumes', from), { recursive: true });
      symlinkSync(join(this.folder, 'volumes', from), at);
      if (from === 'broker-files') shareWithBroker(join(this.folder, 'volumes', from));
    }
  }

  #placed(service: string, path: string): string {
    return readFileSync(join(root, path), 'utf8')
      .replaceAll('/var/lib/', this.inside(service, '/var/lib/'))
      .replaceAll('//broker:1883', `//127.0.0.1:${this.ports.broker}`)
      .replaceAll('host: simulators, port: 15041', `host: 127.0.0.1, port: ${this.ports.water}`)
      .replaceAll('host: 0.0.0.0, port: 18470', `host: 127.0.0.1, port: ${this.ports.api}`)
      .replace(/^links:/m, 'status: { port: 0 }\nlinks:');
  }
}

test.skipIf(!mosquittoPath)(
  'from empty volumes to readings in the cloud over Mosquitto, up said twice, the broker killed in the middle, nothing lost',
  async () => {
    const [broker, api, gas, water, bridge] = [
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
      await freePort(),
    ];
    const composition = new Composition({ broker, api, gas, water, bridge });
    closers.push(() => composition.down());
    await composition.up();
    const { lifeline } = composition;
    const issue = ['cloud', 'token', 'me', '--config', '/etc/lifeline/cloud.yaml'];
    composition.once('enrol', [...issue, '--right', 'administer', '--secret-file', '/token']);
    const tokenFile = composition.inside('enrol', '/token');
    const good = async () => {
      const series = await seriesOf(api, tokenFile);
      return series.filter(({ current }) => current?.q === 'good').map(({ point }) => point);
    };
    const wanted = ['gw-water/pressure-market/pressure', 'gw-water/pressure-harbour/pressure'];
    await expect.poll(good, { timeout: 30_000 }).toEqual(expect.arrayContaining(wanted));

    // Said again while it runs: what exists stays as it is.
    const secrets = () =>
      ['cloud-secrets/broker', 'gateway-secrets/cloud'].map((name) =>
        readFileSync(join(composition.folder, 'volumes', name), 'utf8'),
      );
    const before = secrets();
    for (const name of ['secret', 'enrol', 'broker-files']) composition.once(name);
    expect(secrets()).toEqual(before);

    const stored = async () => (await ask<AccountNow>(api, tokenFile, '/v1/account')).stored;
    await composition.broker!.kill();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const whileAway = await stored();
    await composition.startBroker();
    await expect.poll(stored, { timeout: 30_000 }).toBeGreaterThan(whileAway);

    expect(await lifeline.end('edge')).toBe(0);
    const counters = JSON.parse(lifeline.printed('edge')) as Record<string, number>;
    expect(counters).toMatchObject({ givenUp: 0, pendingRecords: 0 });
    expect(counters['due']).toBe(counters['taken']! + counters['missed']!);
    const balance = async () => {
      const { taken, stored, unchanged, missed, given_up } = await ask<AccountNow>(
        ...([api, tokenFile, '/v1/account'] as const),
      );
      return { taken, kept: stored + unchanged, missed, given_up };
    };
    const { taken: all, missed } = counters;
    await expect
      .poll(balance, { timeout: 20_000 })
      .toEqual({ taken: all, kept: all, missed, given_up: 0 });
  },
);
