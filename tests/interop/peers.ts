// Foreign Modbus programs: found, started, asked, ended. Each takes a request a line and gives an
// answer a line (exchanges.ts), or serves the map.
import type { ChildProcess } from 'node:child_process';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Interface } from 'node:readline';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { program } from '../programs.ts';
import type { Numbers, Over } from './exchanges.ts';
import { UNIT } from './exchanges.ts';

/** Where a server is: a TCP port of this machine, or a serial port. */
export type Place =
  | { readonly over: 'tcp'; readonly port: number }
  | { readonly over: 'rtu' | 'ascii'; readonly path: string };

export interface Client {
  ask(request: Numbers): Promise<string>;
  close(): Promise<void>;
}

/** A server that runs: a TCP port, or null on the serial port it was given. */
export interface Served {
  readonly port: number | null;
  end(): Promise<void>;
}

/** Something that speaks Modbus and is not ours. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  readonly asksOver: readonly Over[];
  readonly servesOver: readonly Over[];
  ask(place: Place): Promise<Client>;
  /** `path` is the serial port; none for TCP. */
  serve(over: Over, path: string): Promise<Served>;
}

const DISTRIBUTION_PYTHON = '/usr/bin/python3';
const packages = '/usr/lib/python3/dist-packages';
const PTY_LOOKS = 500;
const PTY_LOOK_MS = 10;

const source = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Null where pymodbus is not installed; a failure in CI. */
export function pymodbus(): Peer | null {
  if (!['pymodbus', 'serial', 'serial_asyncio'].every((name) => installed(join(packages, name)))) {
    return null;
  }
  const command = [DISTRIBUTION_PYTHON, source('pymodbus_peer.py')];
  const over = ['tcp', 'rtu', 'ascii'] as const;
  return programPeer('pymodbus', versionOf('python3-pymodbus'), command, over);
}

/**
 * Compiled into a folder of its own, which goes when this process ends. Null where libmodbus or the
 * compiler is not installed.
 */
export function libmodbus(): Peer | null {
  const gcc = program('gcc');
  if (!gcc || !installed('/usr/include/modbus/modbus.h')) return null;
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-libmodbus-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const binary = join(folder, 'peer');
  execFileSync(gcc, ['-O1', '-o', binary, source('libmodbus-peer.c'), '-lmodbus']);
  return programPeer('libmodbus', versionOf('libmodbus-dev'), [binary], ['tcp', 'rtu']);
}

function programPeer(
  name: string,
  version: string,
  command: readonly string[],
  over: readonly Over[],
): Peer {
  return {
    name,
    version,
    asksOver: over,
    servesOver: over,
    ask: async (place) => {
      const at = place.over === 'tcp' ? `${place.port}` : place.path;
      return new LineClient(start([...command, 'ask', place.over, at]));
    },
    serve: (kind, path) => serveProgram([...command, 'serve', kind, path]),
  };
}

/** One program a request: there is no other way to ask with it. */
export function mbpoll(): Peer | null {
  const path = program('mbpoll');
  if (!path) return null;
  return {
    name: 'mbpoll',
    version: versionOf('mbpoll'),
    asksOver: ['tcp', 'rtu'],
    servesOver: [],
    ask: async (place) => ({
      ask: async (request) => {
        const args = mbpollArguments(request, place);
        return args ? told(await output(path, args)) : 'none';
      },
      close: async () => {}, // Nothing stays open between two requests.
    }),
    serve: () => Promise.reject(new Error('mbpoll serves nothing')),
  };
}

const mbpollTables: Readonly<Record<number, string>> = {
  1: '0',
  2: '1',
  3: '4',
  4: '3',
  5: '0',
  6: '4',
  15: '0',
  16: '4',
};
const MBPOLL_MAX = 125;

/** Null for what it cannot ask. Its functions follow from the table and how many values there are. */
function mbpollArguments([code = 0, address = 0, ...rest]: Numbers, place: Place): string[] | null {
  const table = mbpollTables[code];
  const [count = 0] = rest;
  const isRead = code <= 4;
  if (!table || (isRead && (count < 1 || count > MBPOLL_MAX))) return null;
  if (!isRead && rest.length > MBPOLL_MAX) return null;
  const where =
    place.over === 'tcp'
      ? ['-m', 'tcp', '-p', `${place.port}`]
      : ['-m', 'rtu', '-b', '115200', '-P', 'none'];
  const what = ['-a', `${UNIT}`, '-0', '-r', `${address}`, '-t', table, '-1', '-q', '-o', '5'];
  const host = place.over === 'tcp' ? '127.0.0.1' : place.path;
  if (isRead) return [...where, ...what, '-c', `${count}`, host];
  return [...where, ...what, host, '--', ...rest.map(String)];
}

const exceptions: readonly RegExp[] = [
  /never/,
  /illegal function/i,
  /illegal data address/i,
  /illegal data value/i,
];

function output(
  path: string,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    // Its exit code says less than its words.
    execFile(path, args, { timeout: 10_000 }, (_error, stdout, stderr) =>
      resolve({ stdout, stderr }),
    );
  });
}

/** Lines like `[5]:  1285`, or why not. */
function told({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }): string {
  const exception = exceptions.findIndex((pattern) => pattern.test(stdout + stderr));
  if (exception > 0) return `exception ${exception}`;
  if (/Written \d+ references/.test(stdout)) return 'ok';
  const values = [...stdout.matchAll(/^\[\d+\]:\s+(\d+)/gm)].map(([, value]) => value);
  return values.length > 0 ? ['ok', ...values].join(' ') : `error ${(stderr || stdout).trim()}`;
}

/** A pair of pseudo-terminals, the ends of one cable. Null without socat. */
export async function cable(
  folder: string,
): Promise<{ ends: [string, string]; cut(): Promise<void> } | null> {
  const socat = program('socat');
  if (!socat) return null;
  const ends: [string, string] = [join(folder, 'near'), join(folder, 'far')];
  const child = spawn(
    socat,
    ends.map((path) => `PTY,link=${path},rawer`),
    { stdio: 'ignore' },
  );
  for (let looks = 0; !ends.every((path) => existsSync(path)); looks++) {
    if (looks === PTY_LOOKS || child.exitCode !== null) throw new Error('socat makes no pair');
    await sleep(PTY_LOOK_MS);
  }
  return { ends, cut: () => ended(child) };
}

class LineClient implements Client {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout! });
    this.#answers = this.#lines[Symbol.asyncIterator]();
    child.stdin!.on('error', () => this.#lines.close()); // It ended; the answer says so.
  }

  async ask(request: Numbers): Promise<string> {
    this.#child.stdin!.write(`${[UNIT, ...request].join(' ')}\n`);
    const { value, done } = await this.#answers.next();
    return done ? `error it ended with ${this.#child.exitCode ?? this.#child.signalCode}` : value;
  }

  async close(): Promise<void> {
    this.#lines.close();
    await ended(this.#child);
  }
}

async function serveProgram(command: readonly string[]): Promise<Served> {
  const child = start(command);
  const lines = createInterface({ input: child.stdout! });
  const failed = once(child, 'exit').then(() => 'nothing');
  const line = await Promise.race([once(lines, 'line').then(([text]) => String(text)), failed]);
  if (line !== 'ready' && !/^\d+$/.test(line)) throw new Error(`${command.join(' ')} says ${line}`);
  return { port: line === 'ready' ? null : Number(line), end: () => ended(child) };
}

function start([path, ...args]: readonly string[]): ChildProcess {
  return spawn(path!, args, { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

function installed(path: string): boolean {
  if (existsSync(path)) return true;
  if (process.env['CI'] === 'true') throw new Error(`${path} is not installed`);
  return false;
}

/** As Debian numbers it, without what only Debian added. */
function versionOf(name: string): string {
  const asked = spawnSync('dpkg-query', ['-W', '-f=${Version}', name], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.replace(/[-+].*$/, '') : '?';
}
