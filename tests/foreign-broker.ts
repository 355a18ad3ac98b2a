// A real Mosquitto for tests: on a port of its own, from files in a folder, ended by its process
// id.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';

export interface ForeignBroker {
  readonly port: number;
  readonly url: string;
  /** What it wrote so far. */
  log(): string;
  /** Reads its password and access files again. */
  reload(): void;
  kill(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Writes files as their user could, readable by the user Mosquitto turns into when root starts it. */
export function writeBrokerFiles(folder: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    giveToBroker(join(folder, name));
  }
  giveToBroker(folder);
}

/** To the user Mosquitto turns into when root starts it. */
export function giveToBroker(path: string): void {
  const broker = brokerUser();
  if (broker) chownSync(path, broker.user, broker.group);
}

/** What is written into the folder from now on can be read by the broker's group. */
export function shareWithBroker(folder: string): void {
  const broker = brokerUser();
  if (!broker) return;
  chownSync(folder, process.getuid!(), broker.group);
  chmodSync(folder, 0o2750);
}

/** Null where the broker stays who started it. */
function brokerUser(): { readonly user: number; readonly group: number } | null {
  if (process.getuid?.() !== 0) return null;
  const line = readFileSync('/etc/passwd', 'utf8').match(/^mosquitto:[^:]*:(\d+):(\d+):/m);
  return line ? { user: Number(line[1]), group: Number(line[2]) } : null;
}

/** `folder` holds mosquitto.conf, which listens on `port` of loopback. */
export async function startMosquitto(
  path: string,
  folder: string,
  port: number,
): Promise<ForeignBroker> {
  const child = spawn(path, ['-c', join(folder, 'mosquitto.conf')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log = `${log}${chunk}`.slice(-64 * 1024);
  });
  while (!(await answers(port))) {
    if (hasEnded(child)) throw new Error(`mosquitto ended: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const kill = async () => {
    if (hasEnded(child)) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  const url = `mqtt://127.0.0.1:${port}`;
  return { port, url, log: () => log, reload: () => child.kill('SIGHUP'), kill };
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
