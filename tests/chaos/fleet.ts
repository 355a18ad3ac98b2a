// The demo city as processes with a network that misbehaves between them: every gateway's uplink,
// every gateway's field network and the way from the cloud to the desk go through a proxy of their
// own. A supervised part that dies is started again.
//
// A life is one process of a gateway. What the simulated devices served during it is known exactly:
// only this gateway asks them, and they are asked for their count between its death and the next
// one's start.
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../cli/client.ts';
import type { DemoFiles } from '../../cli/demo-files.ts';
import { gatewayId, watched, writeDemoFiles } from '../../cli/demo-files.ts';
import { freePort } from '../../cli/ports.ts';
import { Part } from '../../cli/supervisor.ts';
import { seededRandom } from '../../core/random.ts';
import type { Site } from '../../simulators/city.ts';
import { sites } from '../../simulators/city.ts';
import type { NetworkProxy } from '../proxy.ts';
import { startProxy } from '../proxy.ts';
import type { NetworkName, ProcessName } from './disturbances.ts';

/**
 * Below the range from which systems take ports for outgoing connections: a port stays free while
 * its server is away.
 */
const PORTS_FROM = 19_000;
const PORTS_STEP = 40;
const PORTS_STEPS = 250;
/** What a killed gateway had asked is answered meanwhile. */
const ANSWERED_MS = 100;
const READY_LOOK_MS = 50;
const STOP_GRACE_MS = 8_000;

export interface Life {
  readonly site: Site;
  readonly gateway: string;
  /** Null when it died before it could say. */
  readonly epoch: string | null;
  readonly servedFrom: number;
  /** Null while it lives. */
  served: number | null;
}

export interface Crossing {
  /** `gateway/device/point` */
  readonly point: string;
  readonly rule: string;
  readonly atMs: number;
}

interface Ports {
  readonly api: number;
  readonly broker: number;
  readonly receiver: number;
  readonly status: Readonly<Record<Site, number>>;
}

export class Fleet implements AsyncDisposable {
  readonly files: DemoFiles;
  readonly client: Client;
  readonly lives: Life[] = [];
  /** The first time each watched register was beyond its limit. */
  readonly crossings: Crossing[] = [];
  readonly proxies: ReadonlyMap<NetworkName, NetworkProxy>;
  readonly parts: ReadonlyMap<ProcessName, Part>;
  readonly city: Part;
  readonly #ready = new Set<string>();
  readonly #stopped = new Set<number>();
  readonly #counting = new Set<Promise<void>>();
  readonly #note: (line: string) => void;

  /** Starts everything in a new data folder; resolves when all of it is ready. */
  static async start(data: string, seed: number, note: (line: string) => void): Promise<Fleet> {
    const taken = new Set<number>();
    const from = PORTS_FROM + (process.pid % PORTS_STEPS) * PORTS_STEP;
    const port = () => freePort(from, taken);
    const ports: Ports = {
      api: await port(),
      broker: await port(),
      receiver: await port(),
      status: { gas: await port(), water: await port(), bridge: await port() },
    };
    const devices = { gas: await port(), water: await port(), bridge: await port() };
    const proxies = new Map<NetworkName, NetworkProxy>();
    const between = async (name: NetworkName, target: number) => {
      const random = seededRandom(seed + proxies.size + 1);
      const proxy = await startProxy({
        target: { host: '127.0.0.1', port: target },
        port: 0,
        random,
      });
      proxies.set(name, proxy);
      return proxy.port;
    };
    const each = async (name: 'uplink' | 'field', target: (site: Site) => number) => ({
      gas: await between(`${name}-gas`, target('gas')),
      water: await between(`${name}-water`, target('water')),
      bridge: await between(`${name}-bridge`, target('bridge')),
    });
    const files = writeDemoFiles(data, {
      ...ports,
      receiver: await between('webhooks', ports.receiver),
      uplink: await each('uplink', () => ports.broker),
      devices: await each('field', (site) => devices[site]),
      hasPathTests: false,
    });
    const fleet = new Fleet(files, proxies, { receiver: ports.receiver, devices }, note);
    try {
      await fleet.#start();
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
    return fleet;
  }

  private constructor(
    files: DemoFiles,
    proxies: ReadonlyMap<NetworkName, NetworkProxy>,
    { receiver, devices }: { receiver: number; devices: Readonly<Record<Site, number>> },
    note: (line: string) => void,
  ) {
    this.files = files;
    this.proxies = proxies;
    this.#note = note;
    this.client = new Client(files.url, files.token);
    const devicePorts = sites.flatMap((site) => [`--${site}`, `${devices[site]}`]);
    const deskArgs = ['--port', `${receiver}`, '--secret-file', files.deskSecret];
    this.city = this.#part('city', ['sim', 'city', ...devicePorts]);
    this.parts = new Map<ProcessName, Part>([
      ['cloud', this.#part('cloud', ['cloud', 'run', files.cloud])],
      ['desk', this.#part('desk', ['sim', 'receiver', ...deskArgs])],
      ...sites.map((site): [ProcessName, Part] => [
        `gw-${site}`,
        this.#part(gatewayId(site), ['edge', 'run', files.gateways[site]]),
      ]),
    ]);
  }

  part(name: ProcessName): Part {
    return this.parts.get(name)!;
  }

  edge(site: Site): Part {
    return this.part(`gw-${site}`);
  }

  isReady(name: ProcessName): boolean {
    return this.#ready.has(name);
  }

  /** False when there is no process: it waits to be started again. */
  kill(name: ProcessName): boolean {
    const { pid } = this.part(name);
    if (pid === undefined) return false;
    this.#ready.delete(name);
    return process.kill(pid, 'SIGKILL');
  }

  /** Returns what lets it go on. */
  pause(name: ProcessName): () => void {
    const pid = this.part(name).pid!;
    process.kill(pid, 'SIGSTOP');
    this.#stopped.add(pid);
    return () => this.#continue(pid);
  }

  /** Ends every disturbance and waits until every process is ready again. */
  async heal(signal: AbortSignal): Promise<void> {
    for (const pid of this.#stopped) this.#continue(pid);
    for (const proxy of this.proxies.values()) proxy.set(calm);
    while (this.#ready.size < this.parts.size + 1 || this.#counting.size > 0) {
      await sleep(READY_LOOK_MS, undefined, { signal });
    }
  }

  /** What the devices served during the lives that go on is as of now. */
  async closeLives(): Promise<void> {
    for (const site of sites) await this.#closeLife(site, null);
  }

  async stop(): Promise<void> {
    for (const pid of this.#stopped) this.#continue(pid);
    await Promise.all(sites.map((site) => this.edge(site).stop(STOP_GRACE_MS)));
    await this.part('cloud').stop(STOP_GRACE_MS);
    await Promise.all([this.city.stop(STOP_GRACE_MS), this.part('desk').stop(STOP_GRACE_MS)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Promise.all([...this.proxies.values()].map((proxy) => proxy.close()));
  }

  async #start(): Promise<void> {
    await Promise.all([this.city.start(), this.part('desk').start(), this.part('cloud').start()]);
    await this.city.ask('watch', watched);
    await Promise.all(sites.map((site) => this.edge(site).start()));
  }

  #part(name: string, args: readonly string[]): Part {
    return new Part(
      {
        name,
        args,
        onReady: (_, facts) => this.#began(name, facts),
        onDied: (_, why) => this.#died(name, why),
        onEvent: (event, facts) => {
          if (event === 'crossed') this.#crossed(facts as unknown as CrossedFacts);
        },
      },
      this.files.logs,
    );
  }

  #began(name: string, { epoch }: Readonly<Record<string, unknown>>): void {
    this.#ready.add(name);
    const site = siteOf(name);
    if (!site) return;
    const before = this.lives.findLast((life) => life.site === site);
    const servedFrom = before ? before.servedFrom + (before.served ?? 0) : 0;
    this.lives.push({ site, gateway: name, epoch: String(epoch), servedFrom, served: null });
  }

  #died(name: string, why: string): void {
    this.#ready.delete(name);
    this.#note(`          ${name} ended (${why})`);
    const site = siteOf(name);
    if (!site) return;
    const closing = this.#closeLife(site, name).finally(() => this.#counting.delete(closing));
    this.#counting.add(closing);
  }

  async #closeLife(site: Site, died: string | null): Promise<void> {
    await sleep(ANSWERED_MS);
    const served = ((await this.city.ask('served')) as Record<Site, number>)[site];
    const last = this.lives.findLast((life) => life.site === site);
    if (last && last.served === null) last.served = served - last.servedFrom;
    else if (died) {
      // It died before it was ready.
      const servedFrom = last ? last.servedFrom + last.served! : 0;
      const life = { site, gateway: died, epoch: null, servedFrom, served: served - servedFrom };
      this.lives.push(life);
    }
  }

  #crossed({ site, device, point, rule, atMs }: CrossedFacts): void {
    this.crossings.push({ point: `${gatewayId(site)}/${device}/${point}`, rule, atMs });
  }

  #continue(pid: number): void {
    if (!this.#stopped.delete(pid)) return;
    const isThere = [...this.parts.values()].some((part) => part.pid === pid);
    if (isThere) process.kill(pid, 'SIGCONT');
  }
}

interface CrossedFacts {
  readonly site: Site;
  readonly device: string;
  readonly point: string;
  readonly rule: string;
  readonly atMs: number;
}

export const calm = {
  delayMs: 0,
  jitterMs: 0,
  lossPerChunk: 0,
  bytesPerSecond: null,
  cut: false,
  refuse: false,
  halfOpen: false,
} as const;

function siteOf(name: string): Site | undefined {
  return sites.find((site) => gatewayId(site) === name);
}
