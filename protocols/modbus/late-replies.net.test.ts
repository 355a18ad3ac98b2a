// The case that gives modbus-serial another request's value, over a real socket: a unit behind a
// transparent converter answers after the time-out, while a request of the same shape waits.
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import modbusSerial from 'modbus-serial';
import { expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { Problems } from '../../core/problems.ts';
import { openTcpLink } from '../../edge/links/tcp.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import type { ModbusAddress } from './address.ts';
import { ModbusConnection, modbus } from './driver.ts';
import { encodeRtuFrame, RtuDeframer, requestLength } from './rtu-frames.ts';

const TIMEOUT_MS = 100;
/** After the first request's time-out, while the second waits. */
const LATE_MS = 150;

/** A register shows its address. */
const bank: RegisterBank = {
  read: (_table, from, count) => Uint16Array.from({ length: count }, (_, at) => from + at),
  write: () => 0,
};

/** RTU over TCP: answers one request after another, the first of all late. */
async function lateUnit(): Promise<{ port: number; close: () => Promise<void> }> {
  let freeMs = 0;
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  const server = createServer((socket) => {
    const deframer = new RtuDeframer(requestLength);
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (received: Buffer) => {
      deframer.push(received, {
        frame: (unit, bytes, start, end) => {
          const frame = encodeRtuFrame(unit, answerRequest(bank, bytes, start, end));
          const nowMs = systemClock.monoMs();
          freeMs = freeMs === 0 ? nowMs + LATE_MS : Math.max(freeMs, nowMs) + 10;
          const timer = setTimeout(() => socket.writable && socket.write(frame), freeMs - nowMs);
          timers.add(timer);
        },
        garbage: () => expect.unreachable('clients send frames only'),
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close };
}

test('modbus-serial takes the late answer for that to the later request', async () => {
  const { port, close } = await lateUnit();
  const client = new modbusSerial.default();
  try {
    await client.connectTelnet('127.0.0.1', { port });
    client.setID(1);
    client.setTimeout(TIMEOUT_MS);
    await expect(client.readHoldingRegisters(0, 2)).rejects.toThrow(/timed out/i);
    const { data } = await client.readHoldingRegisters(100, 2);
    expect(data, 'the registers 0 and 1 instead of 100 and 101').toEqual([0, 1]);
  } finally {
    await new Promise<void>((resolve) => client.close(() => resolve()));
    await close();
  }
});

test('ours never does: the late answer is counted, and the later request gets its own', async () => {
  const { port, close } = await lateUnit();
  const target = { host: '127.0.0.1', port, connectTimeoutMs: 1_000 };
  const { signal } = new AbortController();
  const link = await openTcpLink(systemClock, target, signal);
  const connection = new ModbusConnection(systemClock, link, { framing: 'rtu', echo: false });
  try {
    const problems = new Problems('test');
    const device = connection.device(modbus.parseDevice({ timeoutMs: TIMEOUT_MS }, [], problems)!);
    const read = async (from: number) => {
      const addresses = [from, from + 1].map(
        (address): ModbusAddress =>
          modbus.parseAddress({ table: 'holding', address, type: 'uint16' }, [], problems)!,
      );
      return device.poll(device.plan(addresses), signal);
    };
    expect((await read(0)).fault?.code).toBe('device_timeout');
    const { values } = await read(100);
    expect(values).toEqual([100, 101]);
    expect(connection.counts.late).toBe(1);
  } finally {
    connection.close();
    await close();
  }
});
