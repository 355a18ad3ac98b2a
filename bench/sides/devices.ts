// Simulated devices over Modbus TCP, a port each: registers 0 on of the holding table, every one of
// which moves with each read (walk.ts). They answer as fast as they can.
//
// A server of its own, for speed: nothing but reads of holding registers. What arrives together is
// answered together, in one write, as a server does that works through its receive buffer; `apart`
// gives each answer a write of its own, as one that handles a request at a time.
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { Deframer, FRAME_BYTES_MAX } from '../../protocols/modbus/tcp-frames.ts';
import { serve } from '../side.ts';
import { levelOf, Walk } from '../walk.ts';

export interface DevicesSettings {
  readonly devices: number;
  readonly registers: number;
  readonly answers: 'together' | 'apart';
  /** `still` registers keep their value until `set`. */
  readonly signal: 'walk' | 'still';
}

const READ_HOLDING = 3;
const ILLEGAL_FUNCTION = 1;
const ILLEGAL_ADDRESS = 2;
/** 16 in flight, answered together, and room for what may still lie in the buffers of both ends. */
/** Of one device; a bench that wants them asks in time. */
const ARRIVALS_MAX = 10_000;
const OUT_BYTES = 64 * FRAME_BYTES_MAX;

class Device {
  readonly words: Uint16Array;
  served = 0;
  /** When requests arrived, monotonic, since they were last asked for. */
  arrivalsMs: number[] = [];
  readonly #settings: DevicesSettings;
  readonly #walk: Walk;

  constructor(place: number, settings: DevicesSettings) {
    this.#settings = settings;
    this.#walk = new Walk(place);
    const { registers } = settings;
    this.words = Uint16Array.from({ length: registers }, (_, at) => levelOf(1_000 * place + at));
  }

  accept(socket: Socket): void {
    const isApart = this.#settings.answers === 'apart';
    const deframer = new Deframer();
    const out = Buffer.alloc(OUT_BYTES);
    let bytes = 0;
    const flush = () => {
      if (bytes > 0) socket.write(Buffer.from(out.subarray(0, bytes)));
      bytes = 0;
    };
    const frame = (id: number, unit: number, pdu: Uint8Array, start: number, end: number) => {
      if (bytes + FRAME_BYTES_MAX > OUT_BYTES) flush();
      bytes = this.#answer(out, bytes, id, unit, pdu, start, end);
      if (isApart) flush();
    };
    const sink = { frame, garbage: () => socket.destroy() };
    socket.on('data', (chunk) => {
      deframer.push(chunk, sink);
      flush();
    });
    socket.on('error', () => socket.destroy());
  }

  #answer(
    out: Buffer,
    at: number,
    transaction: number,
    unit: number,
    pdu: Uint8Array,
    start: number,
    end: number,
  ): number {
    const address = (pdu[start + 1]! << 8) | pdu[start + 2]!;
    const count = (pdu[start + 3]! << 8) | pdu[start + 4]!;
    const isRead = end - start === 5 && pdu[start] === READ_HOLDING;
    const exception = isRead
      ? address + count > this.words.length
        ? ILLEGAL_ADDRESS
        : 0
      : ILLEGAL_FUNCTION;
    const pduBytes = exception ? 2 : 2 + 2 * count;
    out.writeUInt16BE(transaction, at);
    out.writeUInt16BE(0, at + 2);
    out.writeUInt16BE(1 + pduBytes, at + 4);
    out[at + 6] = unit;
    out[at + 7] = pdu[start]! | (exception ? 0x80 : 0);
    out[at + 8] = exception ? exception : 2 * count;
    if (!exception) this.#read(out, at + 9, address, count);
    this.served++;
    if (this.arrivalsMs.length < ARRIVALS_MAX) this.arrivalsMs.push(performance.now());
    return at + 7 + pduBytes;
  }

  #read(out: Buffer, at: number, address: number, count: number): void {
    const { words } = this;
    const walk = this.#walk;
    const isWalk = this.#settings.signal === 'walk';
    for (let place = 0; place < count; place++) {
      const register = address + place;
      if (isWalk) words[register] = words[register]! + walk.next();
      const word = words[register]!;
      out[at + 2 * place] = word >> 8;
      out[at + 2 * place + 1] = word & 0xff;
    }
  }
}

function listen(device: Device): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer({ noDelay: true }, (socket) => device.accept(socket));
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
}

serve(async (settings: DevicesSettings) => {
  const devices = Array.from({ length: settings.devices }, (_, at) => new Device(at, settings));
  const servers = await Promise.all(devices.map(listen));
  return {
    ports: () => servers.map(portOf),
    served: () => devices.reduce((sum, { served }) => sum + served, 0),
    arrivals: () =>
      devices.map((device) => {
        const { arrivalsMs } = device;
        device.arrivalsMs = [];
        return arrivalsMs;
      }),
    /** Says when it was done, by the wall clock. */
    set: ({ device, register, value }: { device: number; register: number; value: number }) => {
      devices[device]!.words[register] = value;
      return Date.now();
    },
  };
});
