import { systemClock } from '../core/clock.ts';
import { Fault, isFault, systemDetail } from '../core/fault.ts';
import { seededRandom, systemRandom } from '../core/random.ts';
import { bilingual, faults } from '../core/text/text.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import type { Profile } from '../device-profiles/profile.ts';
import type { Site } from '../simulators/city.ts';
import { City, sites } from '../simulators/city.ts';
import { SimulatedDevice } from '../simulators/device.ts';
import { isAnswerFault, isDeviceFault, playFaults } from '../simulators/faults.ts';
import { FaultyDevice } from '../simulators/faulty-device.ts';
import type { ModbusServerOptions } from '../simulators/modbus-server.ts';
import { ModbusServer } from '../simulators/modbus-server.ts';
import type { Lifeline } from '../simulators/receiver.ts';
import type { Recording } from '../simulators/recording.ts';
import { parseRecording, parseRecordingMap } from '../simulators/recording.ts';
import { aborted, answerParent, isSupervised, stopSignal, tellParent } from './child.ts';
import { readText } from './files.ts';
import { faultsFrom, printFaults } from './sim-faults.ts';
import { lineVerb } from './sim-line.ts';
import { runOpcUaDevice } from './sim-opcua.ts';
import type { StationOptions } from './sim-station.ts';
import { ShownStation } from './sim-station.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

const HOST = '127.0.0.1'; // Unless told: simulated devices let anybody in, as real ones do.
const CITY_STEP_MS = 200;
const REPLAY_STEP_MS = 20;
export const sitePorts: Readonly<Record<Site, number>> = {
  gas: 15_021,
  water: 15_041,
  bridge: 15_061,
};

async function runDevice(given: Given, output: Output): Promise<number> {
  const signal = stopSignal();
  const profile = loadProfile(given.words[0]!);
  const values = valuesSet(given.list('set'));
  if (profile.protocol === 'opcua') {
    const host = given.text('host') ?? HOST;
    return await runOpcUaDevice(given, output, signal, { host, profile, values, move });
  }
  const device = new SimulatedDevice(profile);
  for (const [point, value] of values) device.set(point, value);
  const faults = faultsFrom(given.list('fault'), { on: 'tcp' });
  const random = seededRandom(given.number('seed') ?? 0);
  const faulty = new FaultyDevice(systemClock, random, device);
  faulty.check(faults);
  const unit = given.number('unit') ?? 1;
  const server = await serveModbus({
    host: given.text('host') ?? HOST,
    port: given.number('port') ?? 1502,
    banks: new Map([[unit, faulty]]),
  });
  const stopFaults = playFaults(systemClock, faults, (now) => {
    server.faults = now.filter(isAnswerFault);
    faulty.show(now.filter(isDeviceFault));
  });
  listening(output, `${given.words[0]} (unit ${unit})`, server.port);
  tellParent({ kind: 'ready', facts: { port: server.port } });
  const startMs = systemClock.monoMs();
  while (given.flag('move') && !signal.aborted) {
    move(profile, (point, value) => device.set(point, value), systemClock.monoMs() - startMs);
    await systemClock.sleep(CITY_STEP_MS, signal);
  }
  await aborted(signal);
  stopFaults();
  await server.close();
  return exit.done;
}

function valuesSet(assignments: readonly string[]): ReadonlyMap<string, boolean | number> {
  const values = new Map<string, boolean | number>();
  for (const assignment of assignments) {
    const [point, text] = assignment.split('=');
    if (!point || text === undefined) {
      throw new UsageError(bilingual('sim-set-usage', { found: assignment }));
    }
    values.set(point, text === 'true' ? true : text === 'false' ? false : Number(text));
  }
  return values;
}

const SWING_MS = 60_000;

// Every measured value swings through the middle half of its range, each at its own point of the
// swing.
function move(
  { points }: Profile,
  set: (point: string, value: number) => void,
  passedMs: number,
): void {
  points.forEach(({ id, definition, states }, at) => {
    if (definition.type !== 'number' || definition.range === null || states.size > 0) return;
    const [min, max] = definition.range;
    const swing = Math.sin((2 * Math.PI * passedMs) / SWING_MS + at) / 4;
    set(id, min + (max - min) * (0.5 + swing));
  });
}

// A sensor that sticks, among many devices: `frozen=DEVICE` or `frozen=DEVICE/POINT`.
function freeze(faults: readonly string[], devices: ReadonlyMap<string, SimulatedDevice>): void {
  for (const fault of faults) {
    const [id = '', point] = fault.split('=')[1]?.split('/') ?? [];
    if (!fault.startsWith('frozen=')) {
      throw new UsageError(bilingual('sim-frozen-usage', { found: fault }));
    }
    const device = devices.get(id);
    if (!device) throw new Fault('sim_point_unknown', 'never', bilingual('sim-no-device', { id }));
    device.freeze(point === undefined ? undefined : [point]);
  }
}

function serveModbus(options: ModbusServerOptions): Promise<ModbusServer> {
  return bound(options.host, options.port, ModbusServer.listen(options));
}

async function bound<T>(host: string, port: number, server: Promise<T>): Promise<T> {
  try {
    return await server;
  } catch (error) {
    throw new Fault('sim_bind', 'later', systemDetail(`${host}:${port}`, error), error);
  }
}

function listening(output: Output, name: string, port: number): void {
  output.note(output.say('cli-listening', { name, address: `:${port}` }));
}

async function runCity(given: Given, output: Output): Promise<number> {
  const signal = stopSignal();
  const seed = given.number('seed');
  const host = given.text('host') ?? HOST;
  const city = await City.open(seed === undefined ? systemRandom : seededRandom(seed));
  city.advance(0, hourNow());
  freeze(given.list('fault'), new Map(city.devices.map(({ id, device }) => [id, device])));
  const servers = new Map<Site, ModbusServer>();
  for (const site of sites) {
    const devices = city.devices.filter((device) => device.site === site);
    const banks = new Map(devices.map(({ unit, device }) => [unit, device]));
    const port = given.number(site) ?? sitePorts[site];
    const server = await serveModbus({ host, port, banks });
    servers.set(site, server);
    listening(output, site, server.port);
  }
  let watches: readonly Watch[] = [];
  let station: ShownStation | null = null;
  let opening: Promise<void> | null = null;
  const openStation = () => {
    const port = given.number('station');
    if (port === undefined) return;
    const place = { host, port, folder: given.text('pki') ?? null };
    opening ??= stationOf(city, output, place).then((opened) => {
      station = opened;
    });
  };
  answerParent({
    served: () => {
      const served = Object.fromEntries(sites.map((site) => [site, city.served(site)]));
      return { ...served, station: station?.served ?? 0 };
    },
    watch: (values) => {
      watches = values as readonly Watch[];
    },
    // Loading it takes a core for a second: whoever starts all of the city says when.
    'open-station': openStation,
  });
  tellParent({
    kind: 'ready',
    facts: Object.fromEntries([...servers].map(([site, { port }]) => [site, port])),
  });
  if (!isSupervised()) openStation();
  const startMs = systemClock.monoMs();
  while (!signal.aborted) {
    const { began } = city.advance(systemClock.monoMs() - startMs, hourNow());
    for (const name of began) {
      tellParent({ kind: 'event', name, facts: { atMs: systemClock.wallMs() } });
      output.note(name);
    }
    watches = watches.filter((watch) => !tellIfCrossed(city, watch));
    void (station as ShownStation | null)?.step();
    await systemClock.sleep(CITY_STEP_MS, signal);
  }
  for (const server of servers.values()) await server.close();
  await opening;
  await (station as ShownStation | null)?.[Symbol.asyncDispose]();
  city.close();
  return exit.done;
}

// Without the package, or on a port that is taken, the city goes on without it.
async function stationOf(
  city: City,
  output: Output,
  options: StationOptions,
): Promise<ShownStation | null> {
  try {
    const station = await ShownStation.open(city, options);
    listening(output, 'station', station.port);
    const certificate = Buffer.from(station.certificate).toString('base64');
    tellParent({ kind: 'event', name: 'station', facts: { port: station.port, certificate } });
    return station;
  } catch (error) {
    if (!isFault(error)) throw error;
    const why = `${faults[error.code][output.language].cause} (${error.detail[output.language]})`;
    output.note(output.say('sim-no-station', { why }));
    tellParent({ kind: 'event', name: 'no-station', facts: { why } });
    return null;
  }
}

interface Watch {
  readonly device: string;
  readonly point: string;
  readonly rule: string;
  readonly side: 'above' | 'below';
  readonly limit: number;
}

// Tells once when a register first shows a value beyond a limit: where the way of an alarm begins.
function tellIfCrossed(city: City, watch: Watch): boolean {
  const { device, point, rule, side, limit } = watch;
  const found = city.devices.find(({ id }) => id === device);
  const value = Number(found?.device.get(point).value);
  const crossed = side === 'above' ? value >= limit : value <= limit;
  if (crossed && found) {
    const facts = { site: found.site, device, point, rule, atMs: systemClock.wallMs() };
    tellParent({ kind: 'event', name: 'crossed', facts });
  }
  return crossed;
}

function hourNow(): number {
  const now = new Date();
  return now.getHours() + now.getMinutes() / 60;
}

async function runReplay(given: Given, output: Output): Promise<number> {
  const signal = stopSignal();
  const [file] = given.words as [string];
  const mapFile = given.text('map');
  if (!mapFile) throw new UsageError('--map MAP.yaml');
  const map = parseRecordingMap(readText(mapFile), mapFile);
  const recording = parseRecording(readText(file), file, map);
  const speed = given.number('speed') ?? 1;
  if (!(speed > 0)) throw new UsageError(bilingual('sim-speed-usage'));
  const devices = new Map(
    map.devices.map(({ id, profile }) => [id, new SimulatedDevice(loadProfile(profile))]),
  );
  const banks = new Map(map.devices.map(({ id, unit }) => [unit, devices.get(id)!]));
  const server = await serveModbus({
    host: given.text('host') ?? HOST,
    port: given.number('port') ?? 1502,
    banks,
  });
  listening(output, file, server.port);
  show(recording, devices, 0);
  freeze(given.list('fault'), devices);
  const served = () => [...devices.values()].reduce((sum, device) => sum + device.served, 0);
  answerParent({ served });
  tellParent({ kind: 'ready', facts: { port: server.port, rows: recording.atMs.length } });
  await systemClock.sleep((given.number('wait') ?? 0) * 1000, signal);
  const at = new Date(systemClock.wallMs()).toISOString();
  output.note(output.say('sim-playing', { at }));
  const row = await play(recording, devices, speed, signal);
  output.note(output.say('sim-played', { rows: row, skipped: recording.skipped }));
  tellParent({ kind: 'event', name: 'played', facts: { rows: row } });
  if (given.flag('stay')) await aborted(signal);
  await server.close();
  return exit.done;
}

// Shows each row when its time has come; rows whose time passed within one step are passed over, as
// a sensor that is read once a second is between two reads.
async function play(
  recording: Recording,
  devices: ReadonlyMap<string, SimulatedDevice>,
  speed: number,
  signal: AbortSignal,
): Promise<number> {
  const startMs = systemClock.monoMs();
  let row = 0;
  while (row < recording.atMs.length && !signal.aborted) {
    const nowMs = (systemClock.monoMs() - startMs) * speed;
    let next = row;
    while (next < recording.atMs.length && recording.atMs[next]! <= nowMs) next++;
    if (next > row) show(recording, devices, next - 1);
    row = next;
    await systemClock.sleep(REPLAY_STEP_MS, signal);
  }
  return row;
}

function show(
  { columns }: Recording,
  devices: ReadonlyMap<string, SimulatedDevice>,
  row: number,
): void {
  for (const [key, values] of columns) {
    const [id = '', point = ''] = key.split('/');
    const value = values[row];
    const device = devices.get(id);
    if (!device) throw new Fault('sim_point_unknown', 'never', bilingual('sim-no-device', { id }));
    if (value !== undefined && !Number.isNaN(value)) device.set(point, value);
  }
}

async function runReceiver(given: Given, output: Output): Promise<number> {
  const { startReceiver } = await import('../simulators/receiver.ts');
  const secretFile = given.text('secret-file');
  if (!secretFile) throw new UsageError('--secret-file FILE');
  const secret = readText(secretFile).trim();
  const [host, port] = [given.text('host') ?? HOST, given.number('port') ?? 18_480];
  const onLifeline = (lifeline: Lifeline) => tellLifeline(lifeline, output);
  const receiver = await bound(host, port, startReceiver({ host, port, secret, onLifeline }));
  listening(output, 'receiver', receiver.port);
  answerParent({ received: () => receiver.received().length });
  tellParent({ kind: 'ready', facts: { port: receiver.port } });
  await aborted(stopSignal());
  await receiver.close();
  return exit.done;
}

// Somebody sits there, and has to know that nothing would come.
function tellLifeline({ state, sinceMs, startedMs, lastMs }: Lifeline, output: Output): void {
  if (state === 'waiting') return;
  const values = { seconds: Math.round((sinceMs - (lastMs ?? startedMs)) / 1_000) };
  const isLost = state === 'lost';
  output.note(isLost ? output.say('receiver-lost', values) : output.say('receiver-back', {}));
  tellParent({ kind: 'event', name: `lifeline-${state}`, facts: values });
}

export const verbs: Readonly<Record<string, Verb>> = {
  device: {
    usage: 'device PROFILE',
    summary: {
      en: 'a device of a known model over Modbus TCP; with --move its values swing',
      zh: '按已知型号模拟一台 Modbus TCP 设备；加 --move 数值会变化',
    },
    options: {
      host: 'text',
      port: 'port',
      unit: 'number',
      set: 'list',
      move: 'flag',
      fault: 'list',
      seed: 'number',
    },
    run: runDevice,
  },
  line: lineVerb,
  faults: {
    usage: 'faults',
    summary: { en: 'what --fault can show', zh: '列出 --fault 可模拟的故障' },
    run: async (_given, output) => printFaults(output),
  },
  city: {
    usage: 'city',
    summary: { en: 'the devices of the demo city', zh: '模拟演示城市的全部设备' },
    options: {
      host: 'text',
      gas: 'port',
      water: 'port',
      bridge: 'port',
      station: 'port',
      pki: 'text',
      seed: 'number',
      fault: 'list',
    },
    run: runCity,
  },
  replay: {
    usage: 'replay FILE',
    summary: {
      en: 'play a recorded series through simulated devices',
      zh: '用模拟设备回放录制的数据',
    },
    options: {
      host: 'text',
      map: 'text',
      speed: 'number',
      port: 'port',
      wait: 'number',
      stay: 'flag',
      fault: 'list',
    },
    run: runReplay,
  },
  receiver: {
    usage: 'receiver',
    summary: { en: 'a desk that takes alarms and confirms them', zh: '模拟值班台：接收并确认报警' },
    options: { host: 'text', port: 'port', 'secret-file': 'text' },
    run: runReceiver,
  },
};
