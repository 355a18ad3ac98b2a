// `npm start`: a small city on this machine. Starts the plant, the cloud, the desk's receiver and
// three gateways as processes, shows what happens, and at the end draws up the account: what the
// devices served, what was due and taken, what a query to the store finds, what became of every
// alarm.
import { resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { Site } from '../simulators/city.ts';
import { sites } from '../simulators/city.ts';
import { hasOpcUa } from '../simulators/opcua-library.ts';
import { stopSignal } from './child.ts';
import { Client } from './client.ts';
import type { Account } from './demo-account.ts';
import { drawUp, isSettled, judge } from './demo-account.ts';
import type { DemoFiles, DemoPorts } from './demo-files.ts';
import { gatewayId, trustStation, watched, writeDemoFiles } from './demo-files.ts';
import { Screen } from './demo-screen.ts';
import { writableFolder } from './files.ts';
import { freePort } from './ports.ts';
import { sitePorts } from './sim.ts';
import { Part } from './supervisor.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit } from './verb.ts';

const API_PORT = 18_470;
const BROKER_PORT = 18_830;
const RECEIVER_PORT = 18_480;
const STATUS_PORTS: Readonly<Record<Site, number>> = { gas: 18_491, water: 18_492, bridge: 18_493 };
const STATION_PORT = 15_081;
const DRAIN_MS = 15_000;
const STOP_GRACE_MS = 8_000;
const LOOK_EVERY_MS = 1_000;
const STARTS_MAX = 3;

/** The parts of the running city. */
export interface Demo {
  readonly city: Part;
  readonly cloud: Part;
  readonly receiver: Part;
  readonly edges: Readonly<Record<Site, Part>>;
  readonly client: Client;
  /** Epochs the gateways opened in this run, as `gateway:epoch`. */
  readonly epochs: Set<string>;
  /** When a register first showed a value beyond its limit, by `gateway/device/point#rule`. */
  readonly crossings: Map<string, number>;
  readonly parts: readonly Part[];
  /** Wall time at which the run began: alarms before it belong to another. */
  readonly startedMs: number;
  /** All parts have been up once. */
  hasStarted: boolean;
}

async function choosePorts(): Promise<DemoPorts> {
  const taken = new Set<number>();
  const each = async (wished: Readonly<Record<Site, number>>) => ({
    gas: await freePort(wished.gas, taken),
    water: await freePort(wished.water, taken),
    bridge: await freePort(wished.bridge, taken),
  });
  return {
    api: await freePort(API_PORT, taken),
    broker: await freePort(BROKER_PORT, taken),
    receiver: await freePort(RECEIVER_PORT, taken),
    devices: await each(sitePorts),
    ...(hasOpcUa() && { station: await freePort(STATION_PORT, taken) }),
    status: await each(STATUS_PORTS),
  };
}

function makeDemo(data: string, files: DemoFiles, ports: DemoPorts, screen: Screen): Demo {
  const epochs = new Set<string>();
  const crossings = new Map<string, number>();
  const part = (name: string, args: readonly string[]) =>
    new Part(
      {
        name,
        args,
        onReady: (ready, facts) => {
          if (name === 'city' && demo.hasStarted) void ready.ask('open-station');
          if (typeof facts['epoch'] === 'string') epochs.add(`${name}:${facts['epoch']}`);
          screen.started(name, ready.pid ?? 0, portsOf(facts));
        },
        onDied: (died, why) => screen.died(died, why),
        onEvent: (event, facts) => {
          if (event === 'crossed') noteCrossing(crossings, facts);
          else if (event === 'station') {
            trustStation(data, Buffer.from(String(facts['certificate']), 'base64'));
          } else screen.happened(event);
        },
      },
      files.logs,
    );
  const { devices } = ports;
  const edge = (site: Site) => part(gatewayId(site), ['edge', 'run', files.gateways[site]]);
  const devicePorts = sites.flatMap((site) => [`--${site}`, `${devices[site]}`]);
  const deskArgs = ['--port', `${ports.receiver}`, '--secret-file', files.deskSecret];
  const station =
    ports.station === undefined ? [] : ['--station', `${ports.station}`, '--pki', files.stationPki];
  const city = part('city', ['sim', 'city', ...devicePorts, ...station]);
  const cloud = part('cloud', ['cloud', 'run', files.cloud]);
  const receiver = part('desk', ['sim', 'receiver', ...deskArgs]);
  const edges = { gas: edge('gas'), water: edge('water'), bridge: edge('bridge') };
  const demo: Demo = {
    city,
    cloud,
    receiver,
    edges,
    parts: [city, cloud, receiver, ...Object.values(edges)],
    client: new Client(files.url, files.token),
    epochs,
    crossings,
    startedMs: systemClock.wallMs(),
    hasStarted: false,
  };
  return demo;
}

function portsOf(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts)
    .filter(([, value]) => typeof value === 'number')
    .map(([name, port]) => `${name} ${port}`)
    .join(', ');
}

function noteCrossing(
  crossings: Map<string, number>,
  facts: Readonly<Record<string, unknown>>,
): void {
  const { site, device, point, rule, atMs } = facts as Record<string, string>;
  crossings.set(`${gatewayId(site as Site)}/${device}/${point}#${rule}`, Number(atMs));
}

async function start(demo: Demo): Promise<void> {
  await Promise.all([demo.city.start(), demo.receiver.start(), demo.cloud.start()]);
  await demo.city.ask('watch', watched);
  await Promise.all(sites.map((site) => demo.edges[site].start()));
  // Last, as it takes a core for a second; its gateway tries until it is there.
  demo.hasStarted = true;
  await demo.city.ask('open-station');
}

async function stop({ city, cloud, receiver, edges }: Demo): Promise<void> {
  await Promise.all(sites.map((site) => edges[site].stop(STOP_GRACE_MS)));
  await cloud.stop(STOP_GRACE_MS);
  await Promise.all([city.stop(STOP_GRACE_MS), receiver.stop(STOP_GRACE_MS)]);
}

/**
 * Stops collecting, then waits until everything taken is stored and every alarm confirmed, at most
 * DRAIN_MS.
 */
async function drain(demo: Demo): Promise<Account> {
  await Promise.allSettled(sites.map((site) => demo.edges[site].ask('stop-collecting')));
  const endMs = systemClock.monoMs() + DRAIN_MS;
  let account = await drawUp(demo);
  while (!isSettled(account) && systemClock.monoMs() < endMs) {
    await systemClock.sleep(300, AbortSignal.timeout(DRAIN_MS));
    account = await drawUp(demo);
  }
  return account;
}

// Somebody else may take a port between its choice and its use: then all is chosen anew.
async function launch(data: string, output: Output): Promise<{ demo: Demo; screen: Screen }> {
  for (let attempt = 1; ; attempt++) {
    const ports = await choosePorts();
    const files = writeDemoFiles(data, ports);
    const screen = new Screen(output, { data, url: files.url, token: files.token });
    const demo = makeDemo(data, files, ports, screen);
    if (ports.station === undefined) screen.happened('no-station');
    try {
      await start(demo);
      return { demo, screen };
    } catch (error) {
      await stop(demo);
      screen.close();
      if (attempt === STARTS_MAX) throw error;
    }
  }
}

async function runDemo(given: Given, output: Output): Promise<number> {
  const signal = stopSignal();
  const seconds = given.number('seconds');
  const startedMs = systemClock.monoMs();
  const { demo, screen } = await launch(
    writableFolder(resolve(given.text('data') ?? 'data')),
    output,
  );
  try {
    while (!signal.aborted) {
      const passedMs = systemClock.monoMs() - startedMs;
      if (seconds !== undefined && passedMs >= seconds * 1000) break;
      await screen.look(demo, passedMs);
      await systemClock.sleep(LOOK_EVERY_MS, signal);
    }
    screen.draining();
    const account = await drain(demo);
    const wrong = judge(account);
    screen.account(account, wrong);
    if (output.json)
      output.print(JSON.stringify({ ...account, ...(wrong.length > 0 && { wrong }) }));
    if (seconds === undefined) return exit.done;
    return wrong.length > 0 ? exit.found : exit.done;
  } finally {
    await stop(demo);
    screen.close();
  }
}

export const verbs: Readonly<Record<string, Verb>> = {
  '': {
    usage: '',
    summary: {
      en: 'a small city on this machine, with an alarm that reaches a desk',
      zh: '在本机运行一座小城市，并让报警送达值班台',
    },
    options: { seconds: 'number', data: 'text' },
    run: runDemo,
  },
};
