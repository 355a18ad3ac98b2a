// The ends of a simulated line for programs: a local socket that carries characters with speed,
// parity, breaks and error counters (protocols/line-wire.ts), plain characters over TCP, a
// pseudo-terminal for foreign tools, and Modbus TCP straight to the same devices.
//
// Plain characters and a pseudo-terminal have no settings: who is there is set as the line is. On a
// pseudo-terminal the speed a tool asks for changes nothing, because its kernel side ignores it.
//
// Limits: CONNECTIONS_MAX programs on an end; what a program does not read is lost beyond
// UNREAD_BYTES_MAX and counted as overrun, as behind the buffer of a port.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, existsSync, lstatSync, openSync, unlinkSync } from 'node:fs';
import type { ListenOptions, Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, systemDetail } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type { LineErrors } from '../protocols/line-wire.ts';
import { encodeLineRecord, LineRecordReader } from '../protocols/line-wire.ts';
import type { SimBus } from './bus.ts';
import { ModbusServer } from './modbus-server.ts';
import type { LineMaster } from './transceiver.ts';

export const CONNECTIONS_MAX = 32;
/** The input buffer of a port under Linux. */
export const UNREAD_BYTES_MAX = 4_096;
const PTY_WAIT_MS = 5_000;
const PTY_LOOK_MS = 10;

export type Endpoint =
  | { readonly kind: 'sim' | 'rtu-tcp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'sim'; readonly path: string }
  | { readonly kind: 'pty'; readonly path: string };

/** `sim:/run/x.sock`, `sim:HOST:PORT`, `rtu-tcp:HOST:PORT`, `tcp:HOST:PORT`, `pty:/tmp/ttyX`. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, kind, rest = ''] = /^(sim|rtu-tcp|tcp|pty):(.+)$/.exec(text) ?? [];
  if (kind === 'pty') return rest.startsWith('/') ? { kind, path: rest } : undefined;
  if (kind === 'sim' && rest.startsWith('/')) return { kind, path: rest };
  const [, host, port] = /^([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):([0-9]{1,5})$/.exec(rest) ?? [];
  if (host === undefined || Number(port) > 65_535) return undefined;
  const bare = host.replace(/^\[|\]$/g, '');
  if (kind !== 'sim' && kind !== 'rtu-tcp' && kind !== 'tcp') return undefined;
  return { kind, host: bare, port: Number(port) };
}

export class LineServer implements AsyncDisposable {
  readonly #bus: SimBus;
  readonly #closers: (() => Promise<void> | void)[] = [];
  readonly #addresses: string[] = [];
  /** Modbus TCP servers to the same devices: who plays faults sets theirs too. */
  readonly modbus: ModbusServer[] = [];

  private constructor(bus: SimBus) {
    this.#bus = bus;
  }

  /** Throws Fault `sim_bind` or `sim_no_socat`; nothing stays open then. */
  static async open(bus: SimBus, endpoints: readonly Endpoint[]): Promise<LineServer> {
    const server = new LineServer(bus);
    try {
      for (const endpoint of endpoints) await server.#open(endpoint);
    } catch (error) {
      await server.close();
      throw error;
    }
    return server;
  }

  /** Where it listens, in the words of `parseEndpoint`, with the ports that were taken. */
  get addresses(): readonly string[] {
    return this.#addresses;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #open(endpoint: Endpoint): Promise<void> {
    if (endpoint.kind === 'pty') await this.#openPty(endpoint.path);
    else if (endpoint.kind === 'tcp') await this.#openModbus(endpoint.host, endpoint.port);
    else if ('path' in endpoint) {
      await removeDeadSocket(endpoint.path);
      await this.#listen({ path: endpoint.path }, (socket) => this.#serveWire(socket));
      this.#addresses.push(`sim:${endpoint.path}`);
    } else {
      const { kind, host } = endpoint;
      const isWire = kind === 'sim';
      const serve = (socket: Socket) =>
        isWire ? this.#serveWire(socket) : this.#servePlain(socket);
      const port = await this.#listen({ host, port: endpoint.port }, serve);
      this.#addresses.push(`${kind}:${host}:${port}`);
    }
  }

  async #listen(options: ListenOptions, serve: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      if (sockets.size >= CONNECTIONS_MAX) {
        socket.destroy();
        return;
      }
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy()); // A program that went away; 'close' follows.
      serve(socket);
    });
    await listening(server, options);
    this.#closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async #openModbus(host: string, port: number): Promise<void> {
    try {
      const server = await ModbusServer.listen({ host, port, banks: this.#bus.banks });
      this.modbus.push(server);
      this.#closers.push(() => server.close());
      this.#addresses.push(`tcp:${host}:${server.port}`);
    } catch (error) {
      throw new Fault('sim_bind', 'later', systemDetail(`${host}:${port}`, error), error);
    }
  }

  /** A program that speaks the wire of simulated lines: its port is set as it says. */
  #serveWire(socket: Socket): void {
    const reader = new LineRecordReader();
    let master: LineMaster | null = null;
    let told: LineErrors = { parity: 0, framing: 0, overrun: 0, break: 0 };
    const attach = (opened: LineMaster) => {
      opened.onBytes = (bytes) => {
        if (socket.writableLength + bytes.length > UNREAD_BYTES_MAX) {
          opened.transceiver.receiver.overrun(bytes.length);
          return;
        }
        const { errors } = opened;
        if (!sameErrors(errors, told)) {
          told = errors;
          socket.write(encodeLineRecord({ kind: 'errors', errors }));
        }
        socket.write(encodeLineRecord({ kind: 'data', bytes }));
      };
      opened.onClose = () => socket.destroy();
      return opened;
    };
    socket.on('data', (bytes: Buffer) => {
      try {
        reader.push(bytes, (record) => {
          if (record.kind === 'settings') {
            if (master) master.transceiver.settings = record.settings;
            else master = attach(this.#bus.attachMaster({ settings: record.settings }));
          }
          if (record.kind === 'data') master?.send(record.bytes);
          if (record.kind === 'break') master?.sendBreak(record.ms);
        });
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        socket.destroy(error); // It speaks something else.
      }
    });
    socket.on('close', () => master?.close());
  }

  /** A program that sends and reads characters: its port is set as the line is. */
  #servePlain(socket: Socket): void {
    const master = this.#bus.attachMaster();
    master.onBytes = (bytes) => {
      if (socket.writableLength + bytes.length <= UNREAD_BYTES_MAX) socket.write(bytes);
      else master.transceiver.receiver.overrun(bytes.length);
    };
    master.onClose = () => socket.destroy();
    socket.on('data', (bytes: Buffer) => master.send(bytes));
    socket.on('close', () => master.close());
  }

  async #openPty(path: string): Promise<void> {
    const address = `PTY,link=${path},rawer`;
    const socat = spawn('socat', [address, 'STDIO'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const failed = await appears(socat, path);
    if (failed) throw failed;
    // Held open, so that it stays when a tool closes its end.
    const held = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
    const master = this.#bus.attachMaster();
    const { stdin, stdout } = socat;
    master.onBytes = (bytes) => {
      if (stdin!.writableLength + bytes.length <= UNREAD_BYTES_MAX) stdin!.write(bytes);
      else master.transceiver.receiver.overrun(bytes.length);
    };
    stdin!.on('error', () => master.close()); // It ended; nobody can be told more.
    stdout!.on('data', (bytes: Buffer) => master.send(bytes));
    socat.on('exit', () => master.close());
    this.#addresses.push(`pty:${path}`);
    this.#closers.push(async () => {
      closeSync(held);
      master.close();
      await ended(socat);
    });
  }
}

function sameErrors(a: LineErrors, b: LineErrors): boolean {
  return (
    a.parity === b.parity &&
    a.framing === b.framing &&
    a.overrun === b.overrun &&
    a.break === b.break
  );
}

function listening(server: Server, options: ListenOptions): Promise<void> {
  const name = options.path ?? `${options.host}:${options.port}`;
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Fault('sim_bind', 'later', systemDetail(name, error), error)),
    );
    server.listen(options, resolve);
  });
}

/** A socket that a killed simulator left behind; one that answers, and a file, is left alone. */
async function removeDeadSocket(path: string): Promise<void> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  const socket = connect(path);
  const code = await new Promise<string | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
  socket.destroy();
  if (code === 'ECONNREFUSED') unlinkSync(path);
}

/** Waits for the pseudo-terminal; the fault when it does not come. */
async function appears(socat: ChildProcess, path: string): Promise<Fault | null> {
  let failed: Fault | null = null;
  socat.once('error', (error) => {
    failed = new Fault('sim_no_socat', 'never', systemDetail('socat', error), error);
  });
  socat.once('exit', () => {
    failed ??= new Fault('sim_bind', 'later', bilingual('sim-no-pty', { path }));
  });
  for (let waitedMs = 0; waitedMs < PTY_WAIT_MS; waitedMs += PTY_LOOK_MS) {
    await sleep(PTY_LOOK_MS);
    if (failed || existsSync(path)) return failed;
  }
  await ended(socat);
  return new Fault('sim_bind', 'later', bilingual('sim-no-pty', { path }));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}
