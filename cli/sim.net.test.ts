// `lifeline sim`: the real program in a process of its own, read over the wire.
import type { ChildProcess } from 'node:child_process';
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const running: ChildProcess[] = [];

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

interface Facts {
  readonly port: number;
  readonly listen: readonly string[];
}

async function started(...args: string[]): Promise<[ChildProcess, Facts]> {
  const child = fork(join(root, 'cli', 'main.ts'), ['sim', ...args], {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    execArgv: [],
    serialization: 'advanced',
  });
  running.push(child);
  const facts = await new Promise<Facts>((resolve, reject) => {
    child.once('message', (message: { facts: Facts }) => resolve(message.facts));
    child.once('exit', (code) => reject(new Error(`exit ${code}`)));
  });
  return [child, facts];
}

async function simulated(...args: string[]): Promise<number> {
  return (await started('device', ...args, '--port', '0'))[1].port;
}

function lifeline(...args: string[]) {
  const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' };
  const options = { env, encoding: 'utf8' } as const;
  return spawnSync(process.execPath, [join(root, 'cli', 'main.ts'), 'sim', ...args], options);
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

const keller = ['--profile', 'keller/series-30'];

test('a line from options serves its devices and says at its end what passed on it', async () => {
  const ends = ['--line', 'tcp:127.0.0.1:0', '--line', 'rtu-tcp:127.0.0.1:0'];
  const [child, { listen }] = await started(
    ...['line', ...keller, '--units', '1-3', '--set', 'pressure=1', ...ends, '--json'],
    ...['--serial', '115200-8N1', '--fault', 'exception=6:2,silence:3'],
  );
  let printed = '';
  child.stdout!.on('data', (bytes: Buffer) => {
    printed += bytes.toString();
  });
  const [tcp, plain] = listen.map((address) => Number(address.split(':')[2]));
  const { default: modbusSerial } = await import('modbus-serial');
  const client = new modbusSerial.default();
  await client.connectTelnet('127.0.0.1', { port: plain! });
  client.setTimeout(5_000);
  client.setID(1);
  expect((await client.readHoldingRegisters(0x100, 2)).buffer.readFloatBE(0)).toBe(1);
  client.setID(2);
  await expect(client.readHoldingRegisters(0x100, 2)).rejects.toMatchObject({ modbusCode: 6 });
  await new Promise<void>((resolve) => client.close(() => resolve()));
  expect(await read(tcp!)).toHaveLength(8);
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  const [ready, done] = printed
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(ready).toMatchObject({ event: 'ready', listen, stations: [{ unit: 1 }, {}, {}] });
  expect(done).toMatchObject({ event: 'done', frames: 4, served: 2, collisions: 0 });
  expect(done.timingErrorMs.p99).toBeGreaterThanOrEqual(done.timingErrorMs.p50);
});

test('what is wrong with a line is said before anything listens', () => {
  const end = ['--line', 'tcp:127.0.0.1:0'];
  const wrong = lifeline('line', ...keller, ...end, '--serial', '9600', '--fault', 'lat:2,echo:7');
  expect(wrong.status).toBe(3);
  expect(wrong.stderr).toContain('sim line: serial: error[sim-serial-wrong]');
  expect(wrong.stderr).toContain('did you mean late?');
  expect(wrong.stderr).toContain('"echo:7" is about unit 7');
  expect(lifeline('line', ...keller)).toMatchObject({ status: 2 });
  const both = lifeline('line', 'examples/line.yaml', ...keller);
  expect([both.status, both.stderr]).toEqual([2, expect.stringContaining('--profile')]);
  expect(lifeline('line', 'none.yaml', ...end).status).toBe(4);
  const device = lifeline('device', 'keller/series-30', '--port', '0', '--fault', 'echo');
  expect([device.status, device.stderr]).toEqual([3, expect.stringContaining('serial line')]);
});

test('the faults are listed in both languages and for programs', () => {
  expect(lifeline('faults', '--lang', 'zh').stdout).toContain('地址');
  const rows = JSON.parse(lifeline('faults', '--json').stdout) as { kind: string }[];
  expect(rows.map(({ kind }) => kind)).toContain('missing-bias');
});
