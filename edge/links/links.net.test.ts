// From the gateway file to a reading over each kind of link: real driver, pseudo-terminals, sockets.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { concatBytes, crc16Modbus } from '../../core/bytes.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { qualityOf } from '../../core/quality.ts';
import { seededRandom } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import { loadProfile } from '../../device-profiles/loader.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import { SimulatedDevice } from '../../simulators/device.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import { program } from '../../tests/programs.ts';
import { Collector } from '../collect/loop.ts';
import { parseGateway } from '../config/gateway.ts';
import { packagedProfiles } from '../config/loader.ts';
import type { PollReport } from '../sink.ts';
import { Links } from './links.ts';
import { SerialPorts } from './serial.ts';

const socat = program('socat');
const never = new AbortController().signal;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

// Others share the machine: what comes, comes within this time.
const soon = <T>(read: () => T) => expect.poll(read, { timeout: 10_000 });

/** A gas head behind the link that `link` describes, polled five times a second. */
function collect(link: string) {
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:1883, credentials: "\${secret:cloud}" }
links: { a: { protocol: modbus, timeout: 300ms, ${link} } }
devices:
  - { id: gas, link: a, profile: honeywell/sensepoint-xcd@1, poll: 200ms }
`;
  const config = parseGateway(text, 'gateway.yaml', packagedProfiles());
  const metrics = new Metrics();
  const links = new Links(systemClock, silentLog, metrics, config.links);
  const newest = { value: null as Value, quality: '' };
  const alias = config.points.findIndex(({ point }) => point === 'gas');
  const report = ({ alias: aliases, values, qualities }: PollReport) => {
    const at = aliases.indexOf(alias);
    if (at < 0) return;
    newest.value = values[at] ?? null;
    newest.quality = qualityOf(qualities[at]!)?.reason ?? '';
  };
  const collector = new Collector(systemClock, seededRandom(1), silentLog, metrics, {
    links: config.links.map((each) => ({
      ...each,
      open: (signal) => links.open(each, signal),
    })),
    devices: config.devices,
    sink: { accepts: true, report, missed: () => {} },
    reportAll: true,
  });
  collector.start();
  undo.push(async () => {
    await collector.stop(100);
    await links.close();
  });
  return { newest, collector, links, metrics };
}

const gasHead = () => new SimulatedDevice(loadProfile('honeywell/sensepoint-xcd'));

/** What unit 1 on an RTU line answers to the requests that come in, in whatever pieces. */
function station(device: SimulatedDevice): (bytes: Uint8Array) => Uint8Array | null {
  const READ_BYTES = 8; // Of functions 1 to 4; others are not asked.
  let held = new Uint8Array(0);
  return (bytes) => {
    held = Uint8Array.of(...held, ...bytes);
    if (held.length < READ_BYTES) return null;
    const request = held;
    held = new Uint8Array(0);
    if (crc16Modbus(request) !== 0) return null;
    const pdu = answerRequest(device, request, 1, READ_BYTES - 2);
    const body = Uint8Array.of(request[0]!, ...pdu);
    const crc = crc16Modbus(body);
    return Uint8Array.of(...body, crc & 0xff, crc >> 8);
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exited;
}

/** A cable with the gas head at its far end; it is pulled with what is returned. */
async function cable(folder: string, device: SimulatedDevice, echo = false) {
  const [near, far] = [join(folder, 'near'), join(folder, 'far')];
  const ends = [near, far].map((link) => `pty,raw,echo=0,link=${link}`);
  const child = spawn(socat!, ends, { stdio: 'ignore' });
  undo.push(() => ended(child));
  while (!existsSync(near) || !existsSync(far)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const settings = lineSettings('9600-8N1')!;
  const end = await new SerialPorts().open({ port: far, settings }, never);
  const answerTo = station(device);
  end.onBytes = (bytes) => {
    if (echo) end.send(bytes);
    const answer = answerTo(bytes);
    if (answer) end.send(answer);
  };
  return () => ended(child);
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'lifeline-links-'));
  undo.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test.skipIf(!socat)(
  'a serial line is read; pulled, its points turn bad, and good again when it is back',
  async () => {
    const device = gasHead();
    device.set('gas', 12.5);
    const at = folder();
    const pull = await cable(at, device);
    const { newest, collector } = collect(`kind: serial, port: ${join(at, 'near')}`);
    await soon(() => newest).toEqual({ value: 12.5, quality: 'none' });
    await pull();
    await soon(() => newest).toEqual({ value: null, quality: 'no_connection' });
    await soon(() => collector.links()[0]?.fault).toMatch(/^link_port_(vanished|missing)$/);
    await cable(at, device);
    device.set('gas', 7);
    await soon(() => newest).toEqual({ value: 7, quality: 'none' });
    expect(collector.links()[0]).toMatchObject({ state: 'open', fault: null });
  },
);

test.skipIf(!socat)('an adapter that gives back what is sent is read with echo: true', async () => {
  const device = gasHead();
  device.set('gas', 3);
  const at = folder();
  await cable(at, device, true);
  const { newest } = collect(`kind: serial, port: ${join(at, 'near')}, echo: true`);
  await soon(() => newest).toEqual({ value: 3, quality: 'none' });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** A terminal unit with the gas head behind it, which sends a heartbeat before and behind answers. */
async function dialIn(port: number, device: SimulatedDevice): Promise<Socket> {
  for (;;) {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    undo.push(() => socket.destroy());
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (!isOpen) continue; // As a unit does, it tries again.
    socket.on('error', () => socket.destroy());
    const answerTo = station(device);
    const ping = new TextEncoder().encode('ping');
    socket.on('data', (bytes) => {
      const answer = answerTo(bytes);
      if (!answer) return;
      const all = concatBytes([ping, answer, ping]);
      socket.write(all.subarray(0, 6));
      setTimeout(() => socket.write(all.subarray(6)), 5); // In two segments.
    });
    socket.write('DTU-7');
    return socket;
  }
}

test('a unit that dials in is read in spite of its heartbeats, and again after it dialed in anew', async () => {
  const port = await freePort();
  const device = gasHead();
  device.set('gas', 4);
  const listen = `listen: { port: ${port} }, identity: DTU-7, heartbeat: ping`;
  const { newest, collector, metrics } = collect(`kind: tcp-server, ${listen}`);
  await dialIn(port, device);
  await soon(() => newest).toEqual({ value: 4, quality: 'none' });
  await soon(() => metrics.render()).toMatch(/edge_link_heartbeats_total\{link="a"\} [1-9]/);
  // The network went; the unit comes again, and its old connection has not said a word.
  device.set('gas', 5);
  await dialIn(port, device);
  await soon(() => newest).toEqual({ value: 5, quality: 'none' });
  await soon(() => collector.links()[0]).toMatchObject({ state: 'open', fault: null });
  expect(metrics.render()).toContain(`{listen="127.0.0.1:${port}",result="replaced"} 1`);
});

test('a device with two ways is read over the backup while the first is cut', async () => {
  const device = gasHead();
  device.set('gas', 6);
  const banks = new Map([[1, device]]);
  const listen = (port: number) => ModbusServer.listen({ host: '127.0.0.1', port, banks });
  const [first, backup] = [await listen(0), await listen(0)];
  undo.push(() => backup.close());
  const second = `backup: { host: 127.0.0.1, port: ${backup.port} }`;
  const way = `kind: tcp, host: 127.0.0.1, port: ${first.port}, ${second}`;
  const { newest, links, metrics } = collect(way);
  await soon(() => newest).toEqual({ value: 6, quality: 'none' });
  expect(links.wayOf('a')).toBe('first');
  await first.close();
  device.set('gas', 8);
  await soon(() => newest).toEqual({ value: 8, quality: 'none' });
  expect(links.wayOf('a')).toBe('backup');
  expect(metrics.render()).toContain('edge_link_on_backup{link="a"} 1');
});
