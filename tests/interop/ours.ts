// Our two ends: the driver as it reads, writes and identifies in a gateway, and the simulated line
// with a device on it.
import { systemClock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import { Problems } from '../../core/problems.ts';
import { SerialPorts } from '../../edge/links/serial.ts';
import { openTcpLink } from '../../edge/links/tcp.ts';
import type { DeviceHandle, Link } from '../../protocols/driver.ts';
import { lineSettings } from '../../protocols/line-settings.ts';
import type { ModbusAddress } from '../../protocols/modbus/address.ts';
import { parseAddress, parseDevice } from '../../protocols/modbus/address.ts';
import { decodeResponse, encodeRequest } from '../../protocols/modbus/codec.ts';
import { modbus } from '../../protocols/modbus/driver.ts';
import { lineFrames } from '../../protocols/modbus/line-frames.ts';
import { Deframer, encodeFrame } from '../../protocols/modbus/tcp-frames.ts';
import { SimBus } from '../../simulators/bus.ts';
import { LineServer, parseEndpoint } from '../../simulators/line-server.ts';
import { preciseClock } from '../../simulators/precise-clock.ts';
import type { Numbers, Over } from './exchanges.ts';
import { memory, UNIT } from './exchanges.ts';
import type { Client, Place, Served } from './peers.ts';

const TIMEOUT_MS = 5_000;
const RAW_WAIT_MS = 5_000;
const settings = lineSettings('115200-8N1')!;

/** Serves the map over TCP, or on a pseudo-terminal at `path`. */
export async function serveOurs(over: Over, path: string): Promise<Served> {
  const framing = over === 'ascii' ? 'ascii' : 'rtu';
  const stations = [{ unit: UNIT, bank: memory(), turnaroundMs: 1 }];
  const bus = new SimBus(preciseClock, { settings, framing, stations, seed: 1 });
  const endpoint = over === 'tcp' ? 'tcp:127.0.0.1:0' : `pty:${path}`;
  const server = await LineServer.open(bus, [parseEndpoint(endpoint)!]);
  const [address = ''] = server.addresses;
  return {
    port: over === 'tcp' ? Number(address.split(':').at(-1)) : null,
    end: async () => {
      await server.close();
      bus[Symbol.dispose]();
    },
  };
}

export async function askWithOurs(place: Place): Promise<Client> {
  const { signal } = new AbortController();
  const link =
    place.over === 'tcp'
      ? await openTcpLink(
          systemClock,
          { host: '127.0.0.1', port: place.port, connectTimeoutMs: TIMEOUT_MS },
          signal,
        )
      : await new SerialPorts().open({ port: place.path, settings }, signal);
  return new Ours(link, place.over);
}

class Ours implements Client {
  readonly #link: Link;
  readonly #over: Over;
  readonly #session;
  readonly #device: DeviceHandle<ModbusAddress>;
  readonly #many: DeviceHandle<ModbusAddress>;
  readonly #signal = new AbortController().signal;

  constructor(link: Link, over: Over) {
    this.#link = link;
    this.#over = over;
    this.#session = modbus.open(systemClock, link, { framing: over, echo: false });
    const device = (options: object) =>
      this.#session.device(
        parseDevice(
          { unit: UNIT, timeoutMs: TIMEOUT_MS, ...options },
          [],
          new Problems('interop'),
        )!,
      );
    this.#device = device({});
    this.#many = device({ writes: 'multiple' });
  }

  async ask(request: Numbers): Promise<string> {
    const [code = 0, address = 0, ...rest] = request;
    switch (code) {
      case 1:
        return this.#read('coil', address, rest[0]!);
      case 2:
        return this.#read('discrete', address, rest[0]!);
      case 3:
        return this.#read('holding', address, rest[0]!);
      case 4:
        return this.#read('input', address, rest[0]!);
      case 5:
        return this.#write(this.#device, { table: 'coil', address }, rest[0] === 1);
      case 6:
        return this.#write(this.#device, { table: 'holding', address, type: 'uint16' }, rest[0]!);
      case 15:
        return this.#step({ kind: 'write', table: 'coil', address, values: rest });
      case 16:
        return this.#step({ kind: 'write', table: 'holding', address, values: rest });
      case 22:
        return this.#mask(address, rest[0]!, rest[1]!);
      case 23:
        return this.#raw(address, rest);
      default:
        return this.#identify();
    }
  }

  async close(): Promise<void> {
    this.#session.close();
  }

  /** One request, as the planner makes it of points side by side. */
  async #read(table: string, address: number, count: number): Promise<string> {
    if (count === 0) return this.#step({ kind: 'read', table, address, count });
    const type = table === 'coil' || table === 'discrete' ? 'bool' : 'uint16';
    if (count > (type === 'bool' ? 2_000 : 125)) return 'refused';
    const addresses = Array.from({ length: count }, (_, at) =>
      parsed({ table, address: address + at, type }),
    );
    const plan = this.#device.plan(addresses);
    const { values, fault } = await this.#device.poll(plan, this.#signal);
    if (fault) return faultText(fault);
    if (plan.requests !== 1) return `error ${plan.requests} requests`;
    return ['ok', ...values.map(Number)].join(' ');
  }

  async #write(
    device: DeviceHandle<ModbusAddress>,
    raw: object,
    value: number | boolean,
  ): Promise<string> {
    const { fault } = await device.write!(parsed(raw), value, this.#signal);
    return fault ? faultText(fault) : 'ok';
  }

  /** The bits that the mask leaves to us, written as a point of so many bits. */
  #mask(address: number, andMask: number, orMask: number): Promise<string> {
    const mask = ~andMask & 0xffff;
    const point = { table: 'holding', address, type: 'uint16', bits: { mask, shift: 0 } };
    return this.#write(this.#device, point, orMask);
  }

  async #step(step: object): Promise<string> {
    const { fault } = await this.#many.send!(step, this.#signal);
    return fault ? faultText(fault) : 'ok';
  }

  async #identify(): Promise<string> {
    const { objects, fault } = await this.#device.identify!(this.#signal);
    if (fault) return faultText(fault);
    const basic = [...objects].filter(([id]) => id < 3);
    return `ok ${basic.map(([id, text]) => `${id}=${text}`).join('|')}`;
  }

  /** Function 23 is in the codec alone: nothing a gateway does needs it. */
  async #raw(address: number, [count = 0, writeAddress = 0, ...values]: Numbers): Promise<string> {
    const registers = Uint16Array.from(values);
    const pdu = encodeRequest({ function: 23, address, count, writeAddress, registers });
    const before = this.#link.onBytes;
    try {
      const answer = await this.#exchange(pdu);
      const response = answer && decodeResponse(pdu, answer, 0, answer.length);
      if (response?.kind === 'exception') return `exception ${response.code}`;
      return response?.kind === 'registers'
        ? ['ok', ...response.registers].join(' ')
        : 'error no answer that fits';
    } finally {
      this.#link.onBytes = before;
    }
  }

  #exchange(pdu: Uint8Array): Promise<Uint8Array | null> {
    return new Promise((resolve) => {
      const cancel = systemClock.after(RAW_WAIT_MS, () => resolve(null));
      const took = (bytes: Uint8Array, start: number, end: number) => {
        cancel();
        resolve(bytes.slice(start, end));
      };
      const garbage = () => {};
      if (this.#over === 'tcp') {
        const deframer = new Deframer();
        const frame = (_id: number, _unit: number, ...rest: [Uint8Array, number, number]) =>
          took(...rest);
        this.#link.onBytes = (bytes) => deframer.push(bytes, { frame, garbage });
        this.#link.send(encodeFrame(0x7777, UNIT, pdu));
        return;
      }
      const frames = lineFrames[this.#over];
      const deframer = frames.deframer();
      deframer.expect(UNIT, pdu);
      const frame = (_unit: number, ...rest: [Uint8Array, number, number]) => took(...rest);
      this.#link.onBytes = (bytes) => deframer.push(bytes, { frame, garbage });
      const out = new Uint8Array(frames.bytesMax);
      this.#link.send(out.slice(0, frames.write(out, UNIT, pdu)));
    });
  }
}

function parsed(raw: object): ModbusAddress {
  const problems = new Problems('interop');
  const address = parseAddress(raw, [], problems);
  problems.throwIfAny();
  return address!;
}

function faultText(error: unknown): string {
  if (!isFault(error)) throw error;
  const [, code] = /^modbus_exception_(\d+)$/.exec(error.code) ?? [];
  return code === undefined ? `error ${error.code}` : `exception ${code}`;
}
