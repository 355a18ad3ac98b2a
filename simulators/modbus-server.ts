// A Modbus TCP server over banks of registers, one a unit, with faults as data: what devices and
// converters really do to a client. Built on the codec of the driver, from the server's side.
//
// Limits: connections beyond CONNECTIONS_MAX are closed at once; a client that does not read its
// answers is not read from until it does, so the server holds at most UNREAD_BYTES_MAX and one
// chunk for it.
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { assert } from '../core/fault.ts';
import { encodeException } from '../protocols/modbus/codec.ts';
import { Deframer, encodeFrame } from '../protocols/modbus/tcp-frames.ts';
import type { AnswerFault } from './faults.ts';
import type { RegisterBank } from './modbus-answer.ts';
import { answerRequest } from './modbus-answer.ts';

export const CONNECTIONS_MAX = 256;
/** 64 full answers. */
export const UNREAD_BYTES_MAX = 16 * 1024;
const GATEWAY_TARGET_SILENT = 11;
/** An answer waits at most this long for others to be merged with. */
const MERGE_WAIT_MS = 20;
/** Delayed answers and pieces a connection may have waiting; one that asks on is closed. */
const HELD_MAX = 4_096;
const SPLIT_PAUSE_MS = 2;

export interface ModbusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** By unit number. */
  readonly banks: ReadonlyMap<number, RegisterBank>;
  readonly faults?: readonly AnswerFault[];
}

export class ModbusServer implements AsyncDisposable {
  readonly port: number;
  /** Settable at any time. */
  faults: readonly AnswerFault[];
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
    const shows = ({ units, every = 1 }: AnswerFault) =>
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
    faults: readonly AnswerFault[],
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
    let kept = Number.POSITIVE_INFINITY;
    for (const fault of faults) {
      if (fault.kind === 'silence') return;
      if (fault.kind === 'close') {
        client.end();
        return;
      }
      if (fault.kind === 'late') delayMs += fault.delayMs;
      if (fault.kind === 'exception') answer = encodeException(pdu[0]!, fault.code);
      if (fault.kind === 'wrong-transaction') id = (transaction + 0x4000) & 0xffff;
      if (fault.kind === 'wrong-unit') from = (unit + 1) & 0xff;
      if (fault.kind === 'split') piece = fault.bytes;
      if (fault.kind === 'merge') merged = fault.frames;
      if (fault.kind === 'garbage') garbage = fault.bytes;
      if (fault.kind === 'duplicate') copies = 2;
      if (fault.kind === 'truncate') kept = fault.bytes;
    }
    this.served++;
    const frame = encodeFrame(id, from, answer).subarray(0, kept);
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
