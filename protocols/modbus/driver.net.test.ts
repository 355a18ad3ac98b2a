// The driver over real sockets: against our server with every fault it has, and against servers
// nobody here wrote.
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { Problems } from '../../core/problems.ts';
import { qualityOf } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { AnswerFault } from '../../simulators/faults.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import { REGISTERS, UNIT } from '../../tests/interop/exchanges.ts';
import { modbusSerialPeer } from '../../tests/interop/modbus-serial-peer.ts';
import { libmodbus, pymodbus } from '../../tests/interop/peers.ts';
import type { Answers, DeviceHandle, Link } from '../driver.ts';
import type { ModbusAddress } from './address.ts';
import { noCounts } from './conversation.ts';
import { ModbusConnection, modbus } from './driver.ts';

class SocketLink implements Link {
  onBytes: (bytes: Uint8Array) => void = () => {};
  onClose: (why: Fault | null) => void = () => {};
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => this.onBytes(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.onClose(new Fault('no_connection', 'later', 'closed')));
  }

  static async open(port: number): Promise<SocketLink> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new SocketLink(socket);
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function address(raw: unknown): ModbusAddress {
  const problems = new Problems('test');
  const parsed = modbus.parseAddress(raw, [], problems);
  expect(problems.findings).toEqual([]);
  return parsed!;
}

class Reader implements Disposable {
  readonly connection: ModbusConnection;
  readonly device: DeviceHandle<ModbusAddress>;

  private constructor(connection: ModbusConnection, device: DeviceHandle<ModbusAddress>) {
    this.connection = connection;
    this.device = device;
  }

  static async open(port: number, options: unknown): Promise<Reader> {
    const connection = new ModbusConnection(systemClock, await SocketLink.open(port));
    const device = modbus.parseDevice(options, [], new Problems('test'))!;
    return new Reader(connection, connection.device(device));
  }

  read(addresses: readonly ModbusAddress[]): Promise<Answers> {
    return this.device.poll(this.device.plan(addresses), new AbortController().signal);
  }

  [Symbol.dispose](): void {
    this.connection.close();
  }
}

const foreignMap: readonly { raw: unknown; value: Value }[] = [
  ...Array.from({ length: REGISTERS }, (_, at) => ({
    raw: { table: 'holding', address: at, type: 'uint16' },
    value: (at * 257) & 0xffff,
  })),
  ...Array.from({ length: 150 }, (_, at) => ({
    raw: { table: 'input', address: at * 2, type: 'uint32', order: 'CDAB' },
    value: 60_000 + at * 2 + (60_001 + at * 2) * 65_536,
  })),
  ...Array.from({ length: REGISTERS }, (_, at) => ({
    raw: { table: 'coil', address: at },
    value: at % 3 === 0,
  })),
  ...Array.from({ length: 20 }, (_, at) => ({
    raw: { table: 'discrete', address: at },
    value: at % 2 === 1,
  })),
];

/** All tables whole, then one point beyond the map, which the server refuses and we isolate. */
async function readForeign(port: number): Promise<void> {
  using reader = await Reader.open(port, { unit: UNIT, inFlightMax: 4, timeoutMs: 5_000 });
  const answers = await reader.read(foreignMap.map(({ raw }) => address(raw)));
  expect(answers.fault).toBeNull();
  expect(answers.values).toEqual(foreignMap.map(({ value }) => value));
  expect(answers.requests).toBe(8);
  const outside = [298, 299, 300].map((at) =>
    address({ table: 'holding', address: at, type: 'uint16' }),
  );
  const refused = await reader.read(outside);
  expect(refused.values).toEqual([(298 * 257) & 0xffff, (299 * 257) & 0xffff, null]);
  expect(qualityOf(refused.qualities[2]!)?.reason).toBe('configuration');
  expect(reader.connection.counts).toEqual(noCounts());
}

const foreigners = [modbusSerialPeer, pymodbus(), libmodbus()].filter((peer) => peer !== null);

describe('servers nobody here wrote', () => {
  test.each(foreigners)('$name is read right, and what it refuses is isolated', async (peer) => {
    const { port, end } = await peer.serve('tcp', '');
    try {
      await readForeign(port!);
    } finally {
      await end();
    }
  });
});

const bank: RegisterBank = {
  read: (_table, from, count) => Uint16Array.from({ length: count }, (_, at) => from + at),
  write: () => 0,
};
const points = Array.from({ length: 20 }, (_, at) =>
  address({ table: 'holding', address: at * 200, type: 'uint16' }),
);

async function withFaults(
  faults: readonly AnswerFault[],
  inFlightMax: number,
  act: (reader: Reader, server: ModbusServer) => Promise<void>,
): Promise<void> {
  await using server = await ModbusServer.listen({
    host: '127.0.0.1',
    port: 0,
    banks: new Map([[1, bank]]),
    faults,
  });
  using reader = await Reader.open(server.port, { timeoutMs: 300, inFlightMax });
  await act(reader, server);
}

describe('our server with faults', () => {
  const harmless: readonly AnswerFault[][] = [
    [],
    [{ kind: 'late', delayMs: 2 }],
    [{ kind: 'split', bytes: 3 }],
    [{ kind: 'merge', frames: 5 }],
    [{ kind: 'silence', units: [9] }],
  ];
  test.each(harmless.map((faults) => ({ faults })))('$faults: all is read', async ({ faults }) => {
    await withFaults(faults, 8, async (reader, server) => {
      const answers = await reader.read(points);
      expect(answers.values).toEqual(points.map((point) => point.address));
      expect([answers.requests, server.served]).toEqual([20, 20]);
    });
  });

  const harmful: readonly { fault: AnswerFault; reason: string }[] = [
    { fault: { kind: 'silence' }, reason: 'timeout' },
    { fault: { kind: 'exception', code: 6 }, reason: 'device_exception' },
    { fault: { kind: 'exception', code: 2 }, reason: 'configuration' },
    { fault: { kind: 'wrong-transaction' }, reason: 'timeout' },
    { fault: { kind: 'wrong-unit' }, reason: 'bad_response' },
    { fault: { kind: 'close' }, reason: 'no_connection' },
  ];
  test.each(harmful)('$fault.kind: every point is bad ($reason)', async ({ fault, reason }) => {
    await withFaults([fault], 1, async (reader) => {
      const answers = await reader.read(points.slice(0, 2));
      expect(answers.qualities.map((code) => qualityOf(code)?.reason)).toEqual([reason, reason]);
      expect(answers.values).toEqual([null, null]);
      expect(answers.fault).not.toBeNull();
    });
  });

  test('garbage and duplicates now and then: what is read is right, and they are counted', async () => {
    const faults: AnswerFault[] = [
      { kind: 'garbage', bytes: 5, every: 3 },
      { kind: 'duplicate', every: 4 },
    ];
    await withFaults(faults, 1, async (reader) => {
      const answers = await reader.read(points);
      expect(answers.values).toEqual(points.map((point) => point.address));
      expect(reader.connection.counts).toMatchObject({ garbage: 6, unknown: 0 });
      expect(reader.connection.counts.duplicate).toBeGreaterThanOrEqual(4);
    });
  });

  test('only garbage closes the connection, so that the owner begins anew', async () => {
    await withFaults([{ kind: 'wrong-transaction' }], 1, async (reader) => {
      let reasons: (string | undefined)[] = [];
      for (let poll = 0; poll < 3; poll++) {
        const { qualities } = await reader.read(points.slice(0, 1));
        reasons = qualities.map((code) => qualityOf(code)?.reason);
      }
      expect(reasons).toEqual(['no_connection']);
    });
  });
});
