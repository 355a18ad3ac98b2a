// A Modbus TCP server over banks of registers, one a unit, with faults as data: what devices and
// converters really do to a client. Built on the codec of the driver, from the server's side.
//
// Limits: connections beyond CONNECTIONS_MAX are closed at once; a client that does not read its
// answers is not read from until it does, so the server holds at most UNREAD_BYTES_MAX and one
// chunk for it.
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { assert } from '../core/fault.ts';
import type { Table } from '../protocols/modbus/address.ts';
import type { Request, Response } from '../protocols/modbus/codec.ts';
import {
  decodeRequest,
  encodeException,
  encodeResponse,
  ILLEGAL_FUNCTION,
} from '../protocols/modbus/codec.ts';
import { Deframer, encodeFrame } from '../protocols/modbus/tcp-frames.ts';

export const CONNECTIONS_MAX = 256;
/** 64 full answers. */
export const UNREAD_BYTES_MAX = 16 * 1024;
const GATEWAY_TARGET_SILENT = 11;
/** An answer waits at most this long for others to be merged with. */
const MERGE_WAIT_MS = 20;
/** Delayed answers and pieces a connection may have waiting; one that asks on is closed. */
const HELD_MAX = 4_096;
const SPLIT_PAUSE_MS = 2;

export interface RegisterBank {
  /**
   * `count` values from `address` on (0 or 1 in coils and discrete inputs), or an exception code.
   */
  read(table: Table, address: number, count: number): Uint16Array | number;
  /** 0, or an exception code. */
  write(table: Table, address: number, values: Uint16Array): number;
  /**
   * Objects of function 43/14: 0 vendor, 1 product, 2 revision, ... The function is unknown
   * without.
   */
  readonly identification?: ReadonlyMap<number, string>;
}

export type ModbusFault = {
  /** Which units; all when left out. */
  readonly units?: readonly number[];
  /** Every how many requests of the server it shows; 1 when left out. */
  readonly every?: number;
} & (
  | { readonly kind: 'silence' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'exception'; readonly code: number }
  | { readonly kind: 'wrong-transaction' }
  | { readonly kind: 'wrong-unit' }
  /** The answer comes in pieces of so many bytes. */
  | { readonly kind: 'split'; readonly bytes: number }
  /** So many answers come in one piece. */
  | { readonly kind: 'merge'; readonly frames: number }
  /** So many bytes that are no frame come ahead of the answer. */
  | { readonly kind: 'garbage'; readonly bytes: number }
  /** The answer comes twice. */
  | { readonly kind: 'duplicate' }
  /** The connection is closed instead of an answer. */
  | { readonly kind: 'close' }
);

export interface ModbusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** By unit number. */
  readonly banks: ReadonlyMap<number, RegisterBank>;
  readonly faults?: readonly ModbusFault[];
}

/** What the device would answer to a request PDU; without socket or faults. */
export function answerRequest(
  bank: RegisterBank,
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array {
  const request = decodeRequest(bytes, start, end);
  if (typeof request === 'number') return encodeException(bytes[start]!, request);
  const response = respond(bank, request);
  return typeof response === 'number'
    ? encodeException(request.function, response)
    : encodeResponse(request, response);
}

const readTable = { 1: 'coil', 2: 'discrete', 3: 'holding', 4: 'input' } as const;

function respond(bank: RegisterBank, request: Request): Response | number {
  switch (request.function) {
    case 1:
    case 2: {
      const bits = bank.read(readTable[request.function], request.address, request.count);
      return typeof bits === 'number' ? bits : { kind: 'bits', bits: Uint8Array.from(bits) };
    }
    case 3:
    case 4:
      return registersOf(bank, readTable[request.function], request.address, request.count);
    case 5:
      return written(bank.write('coil', request.address, Uint16Array.of(request.on ? 1 : 0)));
    case 6:
      return written(bank.write('holding', request.address, Uint16Array.of(request.value)));
    case 15:
      return written(bank.write('coil', request.address, Uint16Array.from(request.bits)));
    case 16:
      return written(bank.write('holding', request.address, request.registers));
    case 22: {
      const old = bank.read('holding', request.address, 1);
      if (typeof old === 'number') return old;
      const { andMask, orMask } = request;
      const value = (old[0]! & andMask) | (orMask & ~andMask);
      return written(bank.write('holding', request.address, Uint16Array.of(value)));
    }
    case 23: {
      const code = bank.write('holding', request.writeAddress, request.registers);
      if (code !== 0) return code;
      return registersOf(bank, 'holding', request.address, request.count);
    }
    case 43:
      return identify(bank, request.level, request.object);
  }
}

function registersOf(
  bank: RegisterBank,
  table: Table,
  address: number,
  count: number,
): Response | number {
  const registers = bank.read(table, address, count);
  return typeof registers === 'number' ? registers : { kind: 'registers', registers };
}

function written(code: number): Response | number {
  return code === 0 ? { kind: 'written' } : code;
}

/**
 * As many objects as fit one answer, from `from` on; the rest is asked for with the next request.
 */
function identify(bank: RegisterBank, level: 1 | 2 | 3 | 4, from: number): Response | number {
  const all = bank.identification;
  if (!all) return ILLEGAL_FUNCTION;
  const last = level === 1 ? 2 : level === 2 ? 0x7f : 0xff;
  const ids = [...all.keys()].sort((a, b) => a - b).filter((id) => id >= from && id <= last);
  const asked = level === 4 ? ids.filter((id) => id === from) : ids;
  if (asked.length === 0) return 2;
  const objects = new Map<number, string>();
  let room = 246; // A PDU less its 7 bytes of head.
  for (const id of asked) {
    const text = all.get(id)!.slice(0, 244);
    room -= 2 + text.length;
    if (room < 0) return { kind: 'identification', level, conformity: 0x83, next: id, objects };
    objects.set(id, text);
  }
  return { kind: 'identification', level, conformity: 0x83, next: null, objects };
}

export class ModbusServer implements AsyncDisposable {
  readonly port: number;
  /** Settable at any time. */
  faults: readonly ModbusFault[];
  /** Requests answered, exceptions included; faults that swallow the answer do not count. */
  served = 0;

  readonly #server: Server;
  readonly #banks: ReadonlyMap<number, RegisterBank>;
  readonly #clients = new Set<Client>();
  #requests = 0;

  private constructor(server: Server, port: number, options: ModbusServerOptions) {
    this.#server = server;
    this.port = port;
    this.#banks = options.banks;
    this.faults = options.faults ?? [];
  }

  /** Rejects when the port cannot be bound. */
  static listen(options: ModbusServerOptions): Promise<ModbusServer> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true });
      server.once('error', reject);
      server.listen(options.port, options.host, () => {
        server.off('error', reject);
        const address = server.address();
        assert(address !== null && typeof address === 'object', 'a TCP server has a port');
        const modbus = new ModbusServer(server, address.port, options);
        server.on('connection', (socket) => modbus.#accept(socket));
        resolve(modbus);
      });
    });
  }

  get connections(): number {
    return this.#clients.size;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.end();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    if (this.#clients.size >= CONNECTIONS_MAX) {
      socket.destroy();
      return;
    }
    const client = new Client(socket, (transaction, unit, bytes, start, end) =>
      this.#serve(client, transaction, unit, bytes, start, end),
    );
    this.#clients.add(client);
    socket.on('close', () => this.#clients.delete(client));
  }

  #serve(
    client: Client,
    transaction: number,
    unit: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#requests++;
    const shows = ({ units, every = 1 }: ModbusFault) =>
      (!units || units.includes(unit)) && this.#requests % every === 0;
    const faults = this.faults.length === 0 ? this.faults : this.faults.filter(shows);
    const bank = this.#banks.get(unit);
    const pdu = bank
      ? answerRequest(bank, bytes, start, end)
      : encodeException(bytes[start]!, GATEWAY_TARGET_SILENT);
    if (faults.length === 0) {
      this.served++;
      client.write(encodeFrame(transaction, unit, pdu));
      return;
    }
    this.#serveFaulty(client, faults, transaction, unit, pdu);
  }

  #serveFaulty(
    client: Client,
    faults: readonly ModbusFault[],
    transaction: number,
    unit: number,
    pdu: Uint8Array,
  ): void {
    let answer = pdu;
    let id = transaction;
    let from = unit;
    let delayMs = 0;
    let piece = 0;
    let merged = 0;
    let garbage = 0;
    let copies = 1;
    for (const fault of faults) {
      if (fault.kind === 'silence') return;
      if (fault.kind === 'close') {
        client.end();
        return;
      }
      if (fault.kind === 'delay') delayMs += fault.delayMs;
      if (fault.kind === 'exception') answer = encodeException(pdu[0]!, fault.code);
      if (fault.kind === 'wrong-transaction') id = (transaction + 0x4000) & 0xffff;
      if (fault.kind === 'wrong-unit') from = (unit + 1) & 0xff;
      if (fault.kind === 'split') piece = fault.bytes;
      if (fault.kind === 'merge') merged = fault.frames;
      if (fault.kind === 'garbage') garbage = fault.bytes;
      if (fault.kind === 'duplicate') copies = 2;
    }
    this.served++;
    const frame = encodeFrame(id, from, answer);
    const bytes = new Uint8Array(garbage + copies * frame.length).fill(0xff, 0, garbage);
    for (let copy = 0; copy < copies; copy++) bytes.set(frame, garbage + copy * frame.length);
    const send = () => {
      if (piece > 0) client.writeSplit(bytes, piece);
      else if (merged > 1) client.writeMerged(bytes, merged);
      else client.write(bytes);
    };
    if (delayMs > 0) client.later(delayMs, send);
    else send();
  }
}

type OnRequest = (
  transaction: number,
  unit: number,
  bytes: Uint8Array,
  start: number,
  end: number,
) => void;

/** One connection: answers leave in the order in which they were written, whole or in pieces. */
class Client {
  readonly #socket: Socket;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #pieces: Uint8Array[] = [];
  #isSplitting = false;
  #merged: Uint8Array[] = [];

  constructor(socket: Socket, frame: OnRequest) {
    this.#socket = socket;
    const deframer = new Deframer();
    const sink = { frame, garbage: () => {} };
    socket.on('data', (bytes: Buffer) => {
      deframer.push(bytes, sink);
      if (socket.writableLength > UNREAD_BYTES_MAX) socket.pause();
    });
    socket.on('drain', () => socket.resume());
    socket.on('error', () => socket.destroy()); // A client that went away; 'close' follows.
    socket.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  write(bytes: Uint8Array): void {
    if (this.#isSplitting) this.#pieces.push(bytes);
    else if (this.#socket.writable) this.#socket.write(bytes);
  }

  later(ms: number, act: () => void): void {
    if (this.#timers.size + this.#pieces.length > HELD_MAX) {
      this.end();
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }

  writeSplit(bytes: Uint8Array, piece: number): void {
    for (let at = 0; at < bytes.length; at += piece) {
      this.#pieces.push(bytes.subarray(at, at + piece));
    }
    if (this.#isSplitting) return;
    this.#isSplitting = true;
    this.#nextPiece();
  }

  writeMerged(bytes: Uint8Array, frames: number): void {
    this.#merged.push(bytes);
    if (this.#merged.length >= frames) this.#flushMerged();
    else if (this.#merged.length === 1) this.later(MERGE_WAIT_MS, () => this.#flushMerged());
  }

  #flushMerged(): void {
    if (this.#merged.length > 0) this.write(Buffer.concat(this.#merged));
    this.#merged = [];
  }

  #nextPiece(): void {
    const piece = this.#pieces.shift();
    if (!piece) {
      this.#isSplitting = false;
      return;
    }
    if (this.#socket.writable) this.#socket.write(piece);
    this.later(SPLIT_PAUSE_MS, () => this.#nextPiece());
  }
}
