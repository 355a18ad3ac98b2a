import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import modbusSerial from 'modbus-serial';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { Problems } from '../core/problems.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import { modbusPoints } from '../device-profiles/profile.ts';
import { openSimLink } from '../edge/links/sim.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { lineSettings } from '../protocols/line-settings.ts';
import type { LineErrors, LineRecord } from '../protocols/line-wire.ts';
import { encodeLineRecord, LineRecordReader } from '../protocols/line-wire.ts';
import { encodeRequest } from '../protocols/modbus/codec.ts';
import { modbus } from '../protocols/modbus/driver.ts';
import { encodeRtuFrame } from '../protocols/modbus/rtu-frames.ts';
import { program } from '../tests/programs.ts';
import { SimBus } from './bus.ts';
import { SimulatedDevice } from './device.ts';
import type { SimulatedFault } from './faults.ts';
import { LineServer, parseEndpoint } from './line-server.ts';
import { preciseClock } from './precise-clock.ts';
import type { Framing } from './station.ts';

const settings = (text: string): LineSettings => lineSettings(text)!;
const request = encodeRtuFrame(1, encodeRequest({ function: 3, address: 0x100, count: 2 }));
const answerBytes = 9;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-line-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Setup {
  readonly serial?: string;
  readonly framing?: Framing;
  readonly faults?: readonly SimulatedFault[];
}

/** Units 1 to 3, a pressure of 1, 2 and 3 bar. */
function busOf({ serial = '115200-8N1', framing = 'rtu', faults = [] }: Setup = {}): SimBus {
  const stations = [1, 2, 3].map((unit) => {
    const bank = new SimulatedDevice(loadProfile('keller/series-30'));
    bank.set('pressure', unit);
    return { unit, bank, turnaroundMs: 1 };
  });
  return new SimBus(preciseClock, {
    settings: settings(serial),
    framing,
    stations,
    faults,
    seed: 7,
  });
}

async function serve(bus: SimBus, ...endpoints: string[]) {
  return await LineServer.open(
    bus,
    endpoints.map((text) => parseEndpoint(text)!),
  );
}

/** A program at the wire of the line, as a link of the edge is one. */
async function port(path: string, serial: string) {
  const socket = connect(path);
  await once(socket, 'connect');
  const records: LineRecord[] = [];
  const reader = new LineRecordReader();
  let wake = () => {};
  socket.on('data', (bytes) => {
    reader.push(bytes, (record) => records.push(record));
    wake();
  });
  const tell = (record: LineRecord) => socket.write(encodeLineRecord(record));
  tell({ kind: 'settings', settings: settings(serial) });
  const bytes = () =>
    records.flatMap((record) => (record.kind === 'data' ? [...record.bytes] : []));
  return {
    records,
    tell,
    bytes,
    errors: (): LineErrors | undefined =>
      records.findLast((record) => record.kind === 'errors')?.errors,
    until: async (isEnough: () => boolean) => {
      while (!isEnough()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
    close: () => socket.destroy(),
  };
}

const pressureOf = (bytes: readonly number[]) =>
  new DataView(Uint8Array.from(bytes).buffer).getFloat32(3);

test('a program at the socket asks and is answered; the timing error is known', async () => {
  using bus = busOf();
  const path = join(folder, 'x.sock');
  await using server = await serve(bus, `sim:${path}`);
  expect(server.addresses).toEqual([`sim:${path}`]);
  const program = await port(path, '115200-8N1');
  program.tell({ kind: 'data', bytes: request });
  await program.until(() => program.bytes().length >= answerBytes);
  expect(pressureOf(program.bytes())).toBe(1);
  expect(program.errors()).toBeUndefined();
  expect(bus.line.timingErrorMs.frames).toBe(2);
  program.close();
});

test('the link of the edge and the driver read the profile’s points over the socket', async () => {
  using bus = busOf({ serial: '57600-8E1' });
  const path = join(folder, 'x.sock');
  await using _server = await serve(bus, `sim:${path}`);
  const { signal } = new AbortController();
  const line = settings('57600-8E1');
  const target = {
    place: { path },
    settings: line,
    onErrors: () => expect.unreachable('no errors'),
  };
  const link = await openSimLink(systemClock, target, signal);
  const session = modbus.open(systemClock, link, { framing: 'rtu', echo: false });
  const addresses = modbusPoints(loadProfile('keller/series-30')).map(({ address }) => address);
  const values: unknown[] = [];
  for (const unit of [1, 2, 3]) {
    const options = modbus.parseDevice({ unit, timeoutMs: 5_000 }, [], new Problems('test'))!;
    const device = session.device(options);
    values.push((await device.poll(device.plan(addresses), signal)).values[0]);
  }
  expect(values).toEqual([1, 2, 3]);
  session.close();
});

test('what was sent before the settings goes nowhere; changed settings are obeyed', async () => {
  using bus = busOf();
  const path = join(folder, 'x.sock');
  await using _server = await serve(bus, `sim:${path}`);
  const socket = connect(path);
  await once(socket, 'connect');
  socket.write(encodeLineRecord({ kind: 'data', bytes: request }));
  const program = await port(path, '115200-8E1');
  program.tell({ kind: 'data', bytes: request });
  program.tell({ kind: 'settings', settings: settings('115200-8N1') });
  await new Promise((resolve) => setTimeout(resolve, 50));
  program.records.length = 0;
  program.tell({ kind: 'data', bytes: request });
  await program.until(() => program.bytes().length >= answerBytes);
  expect(pressureOf(program.bytes())).toBe(1);
  expect(bus.served).toBeLessThanOrEqual(2);
  program.close();
  socket.destroy();
});

test('a port set otherwise is told of errors before the garbage, and a break is heard', async () => {
  using bus = busOf({ serial: '19200-8N1' });
  const path = join(folder, 'x.sock');
  await using _server = await serve(bus, `sim:${path}`);
  const [right, wrong] = [await port(path, '19200-8N1'), await port(path, '9600-8N1')];
  right.tell({ kind: 'data', bytes: request });
  await right.until(() => right.bytes().length >= answerBytes);
  await wrong.until(() => (wrong.errors()?.framing ?? 0) > 0);
  const told = wrong.records.findIndex(({ kind }) => kind === 'errors');
  expect(wrong.records[told + 1]?.kind).toBe('data');
  wrong.tell({ kind: 'break', ms: 20 });
  await right.until(() => (right.errors()?.break ?? 0) > 0);
  const at = right.records.findIndex(({ kind }) => kind === 'errors');
  expect(right.records[at + 1]).toEqual({ kind: 'data', bytes: Uint8Array.of(0) });
  right.close();
  wrong.close();
});

test('who speaks something else is let go; the next is served', async () => {
  using bus = busOf();
  const path = join(folder, 'x.sock');
  await using _server = await serve(bus, `sim:${path}`);
  const stranger = connect(path);
  const closed = once(stranger, 'close');
  stranger.on('error', () => stranger.destroy());
  stranger.write('GET / HTTP/1.1\r\n\r\n');
  await closed;
  const program = await port(path, '115200-8N1');
  program.tell({ kind: 'data', bytes: request });
  await program.until(() => program.bytes().length >= answerBytes);
  program.close();
});

test('a socket that a dead simulator left is taken over, one that answers is not', async () => {
  using bus = busOf();
  const path = join(folder, 'x.sock');
  const first = await serve(bus, `sim:${path}`);
  await expect(serve(bus, `sim:${path}`)).rejects.toMatchObject({ code: 'sim_bind' });
  await first.close();
  expect(existsSync(path)).toBe(false);
  const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'exit');
  expect(existsSync(path)).toBe(true);
  await using again = await serve(bus, `sim:${path}`);
  expect(again.addresses).toHaveLength(1);
});

test('a file in the way, a taken port and a missing folder are told as sim_bind', async () => {
  using bus = busOf();
  const path = join(folder, 'file');
  writeFileSync(path, '');
  await expect(serve(bus, `sim:${path}`)).rejects.toMatchObject({ code: 'sim_bind' });
  expect(existsSync(path)).toBe(true);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address() as { port: number };
  for (const kind of ['tcp', 'rtu-tcp', 'sim']) {
    const there = serve(bus, `${kind}:127.0.0.1:${address.port}`);
    await expect(there).rejects.toMatchObject({ code: 'sim_bind' });
  }
  taken.close();
  const nowhere = serve(bus, `sim:${folder}/none/x.sock`);
  await expect(nowhere).rejects.toMatchObject({ code: 'sim_bind' });
});

test('Modbus TCP and characters over TCP reach the same devices', async () => {
  using bus = busOf();
  await using server = await serve(bus, 'tcp:127.0.0.1:0', 'rtu-tcp:127.0.0.1:0');
  const [tcp, plain] = server.addresses.map((text) => Number(text.split(':')[2]));
  const client = new modbusSerial.default();
  await client.connectTCP('127.0.0.1', { port: tcp! });
  client.setID(2);
  client.setTimeout(5_000);
  expect((await client.readHoldingRegisters(0x100, 2)).buffer.readFloatBE(0)).toBe(2);
  await new Promise<void>((resolve) => client.close(() => resolve()));
  // modbus-serial speaks RTU over a plain socket too.
  const rtu = new modbusSerial.default();
  await rtu.connectTelnet('127.0.0.1', { port: plain! });
  rtu.setTimeout(5_000);
  for (const unit of [3, 1]) {
    rtu.setID(unit);
    expect((await rtu.readHoldingRegisters(0x100, 2)).buffer.readFloatBE(0)).toBe(unit);
  }
  await new Promise<void>((resolve) => rtu.close(() => resolve()));
  expect(bus.served).toBe(2);
});

const socat = program('socat');

test.skipIf(!socat)('modbus-serial reads over a pseudo-terminal and may come again', async () => {
  using bus = busOf();
  const path = join(folder, 'tty');
  await using server = await serve(bus, `pty:${path}`);
  expect(server.addresses).toEqual([`pty:${path}`]);
  for (const unit of [1, 2]) {
    const client = new modbusSerial.default();
    await client.connectRTUBuffered(path, { baudRate: 9_600 });
    client.setTimeout(5_000);
    client.setID(unit);
    expect((await client.readHoldingRegisters(0x100, 2)).buffer.readFloatBE(0)).toBe(unit);
    await new Promise<void>((resolve) => client.close(() => resolve()));
  }
});

test.skipIf(!socat)('a pseudo-terminal where none can be is told, and nothing stays', async () => {
  using bus = busOf();
  await expect(serve(bus, `pty:${folder}/none/tty`)).rejects.toMatchObject({ code: 'sim_bind' });
});
