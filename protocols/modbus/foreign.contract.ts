// Foreign Modbus programs as peers of tests: started, asked for their port, ended. Each serves the
// same map on unit 3: coils every third, discrete inputs the odd ones, holding i × 257, input
// 60,000 + i, 300 each.
import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { program } from '../../tests/programs.ts';

export const FOREIGN_UNIT = 3;
export const FOREIGN_SIZE = 300;
const DISTRIBUTION_PYTHON = '/usr/bin/python3';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** A program that takes `serve` or `ask PORT`. */
export interface Foreign {
  readonly name: string;
  readonly command: readonly string[];
  readonly remove: () => void;
}

/** Null where pymodbus is not installed; a failure in CI. */
export function pymodbus(): Foreign | null {
  if (!installed('/usr/lib/python3/dist-packages/pymodbus')) return null;
  const command = [DISTRIBUTION_PYTHON, fixture('pymodbus_peer.py')];
  return { name: 'pymodbus', command, remove: () => {} };
}

/** Compiled into a folder of its own. Null where libmodbus or the compiler is not installed. */
export function libmodbus(): Foreign | null {
  const gcc = program('gcc');
  if (!gcc || !installed('/usr/include/modbus/modbus.h')) return null;
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-libmodbus-'));
  const binary = join(folder, 'peer');
  execFileSync(gcc, ['-O1', '-o', binary, fixture('libmodbus-peer.c'), '-lmodbus']);
  return {
    name: 'libmodbus',
    command: [binary],
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

function installed(path: string): boolean {
  if (existsSync(path)) return true;
  if (process.env['CI'] === 'true') throw new Error(`${path} is not installed`);
  return false;
}

/** Runs `serve`; the port is the first line it prints. */
export async function serveForeign({
  command,
}: Foreign): Promise<{ port: number; end: () => Promise<void> }> {
  const child = start(command, ['serve']);
  const [line] = (await once(child.stdout!, 'data')) as [Buffer];
  const end = async () => {
    if (child.exitCode !== null) return;
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
  };
  return { port: Number.parseInt(line.toString(), 10), end };
}

/** Runs `ask PORT` and parses the JSON it prints. */
export async function askForeign({ command }: Foreign, port: number): Promise<unknown> {
  const child = start(command, ['ask', `${port}`]);
  let text = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    text += bytes.toString();
  });
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`the foreign client ended with ${code} after ${text}`);
  return JSON.parse(text);
}

function start([program, ...before]: readonly string[], args: readonly string[]): ChildProcess {
  return spawn(program!, [...before, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
}
