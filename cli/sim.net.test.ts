// `lifeline sim`: the real program in a process of its own, read over the wire.
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

async function simulated(...args: string[]): Promise<number> {
  const child = fork(join(root, 'cli', 'main.ts'), ['sim', 'device', ...args, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    execArgv: [],
    serialization: 'advanced',
  });
  running.push(child);
  return new Promise((resolve, reject) => {
    child.once('message', (message: { facts: { port: number } }) => resolve(message.facts.port));
    child.once('exit', (code) => reject(new Error(`exit ${code}`)));
  });
}

// Two holding registers from 0 on, as hexadecimal; Modbus TCP, function 3.
function read(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Uint8Array.of(0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 2));
    });
    socket.once('error', reject);
    socket.once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.subarray(9).toString('hex'));
    });
  });
}

async function seen(port: number): Promise<Set<string>> {
  const values = new Set<string>();
  for (let look = 0; look < 8; look++) {
    values.add(await read(port));
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  return values;
}

test('a moving device moves; with a frozen sensor it answers and never moves', async () => {
  const [moving, frozen, other] = await Promise.all([
    simulated('generic/float32-8', '--move'),
    simulated('generic/float32-8', '--move', '--fault', 'frozen'),
    simulated('generic/float32-8', '--move', '--fault', 'frozen=ch1'),
  ]);
  const [a, b, c] = await Promise.all([seen(moving), seen(frozen), seen(other)]);
  expect(a.size).toBeGreaterThan(1);
  expect(b.size).toBe(1);
  expect(c.size).toBe(1);
});
