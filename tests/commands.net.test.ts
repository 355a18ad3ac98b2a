// A command whole: typed in a terminal, through a real cloud and broker, to a real gateway, onto a
// simulated device, read back and recorded; refused by an interlock; and cut in two by a kill.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import type { RegisterBank } from '../simulators/modbus-answer.ts';
import { ModbusServer } from '../simulators/modbus-server.ts';
import { gatewayFile } from './commanded-gateway.ts';
import { freePort } from './foreign-broker.ts';
import type { Answer } from './program-run.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const entry = join(root, 'cli', 'main.ts');
const program = join(root, 'tests', 'commanded-gateway.ts');
const env = { ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' };

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A fan that is told what to do, and a detector that shows what the test says. */
class Device {
  readonly coils: number[] = [];
  running = 0;
  ch4 = 0;
  onWrite = () => {};
  server!: ModbusServer;

  async listen(): Promise<void> {
    const fan: RegisterBank = {
      read: (table, _address, count) =>
        new Uint16Array(count).fill(table === 'coil' ? this.running : 30),
      write: (table, _address, [value]) => {
        if (table !== 'coil') return 2;
        this.coils.push(value!);
        this.running = value!;
        this.onWrite();
        return 0;
      },
    };
    const gas: RegisterBank = {
      read: (_table, _address, count) => new Uint16Array(count).fill(this.ch4),
      write: () => 1,
    };
    const banks = new Map([
      [1, fan],
      [2, gas],
    ]);
    this.server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks });
    closers.push(() => this.server.close());
  }
}

function started(args: readonly string[], cwd: string, ready: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  closers.push(() => killed(child));
  const { promise, resolve, reject } = Promise.withResolvers<ChildProcess>();
  let said = '';
  child.stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-8_192);
    if (said.includes(ready)) resolve(child);
  });
  child.once('exit', () => reject(new Error(said)));
  return promise;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const over = once(child, 'exit');
  child.kill('SIGKILL');
  await over;
}

/** Not waited for by blocking: the device answers in this process. */
async function lifeline(cwd: string, words: readonly string[]): Promise<Answer> {
  const child = spawn(process.execPath, [entry, ...words], { cwd, env });
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk) => {
      said[name] += chunk;
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, ...said };
}

test('a coil is written and read back from the command line; an interlock refuses; a kill is uncertain', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-command-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const device = new Device();
  await device.listen();
  const [broker, api] = [await freePort(), await freePort()];
  writeFileSync(
    join(folder, 'cloud.yaml'),
    `version: 1\ncloud:\n  folder: data\n  broker: { embedded: { port: ${broker} } }\n  api: { port: ${api} }\n`,
  );
  writeFileSync(join(folder, 'gateway.yaml'), gatewayFile(broker, device.server.port));
  const run = (line: string) => lifeline(folder, line.split(' '));
  const config = '--config cloud.yaml --secret-file secrets';
  expect((await run(`cloud enrol east/gw-1 ${config}/gw-1`)).status).toBe(0);
  for (const name of ['li', 'zhang']) {
    expect((await run(`cloud token ${name} --right control ${config}/${name}`)).status).toBe(0);
  }
  await started([entry, 'cloud', 'run', 'cloud.yaml'], folder, 'broker listens');
  const gateway = () => started([program, 'gateway.yaml'], folder, 'gateway runs');
  let agent = await gateway();
  const at = `--at http://127.0.0.1:${api} --token-file secrets`;
  const command = (words: string, who = 'li') => run(`cloud command ${words} ${at}/${who}`);
  await expect
    .poll(async () => (await command('offers gw-1')).stdout, { timeout: 20_000 })
    .toMatch(/gw-1\/fan-1\/run stop/);

  const start = await command('send gw-1/fan-1/run start --why works');
  expect(start.stdout).toMatch(/done {2}gw-1\/fan-1\/run start = true.*\n.*\n {2}read back: true/);
  expect([start.status, device.coils]).toEqual([0, [1]]);
  const unfit = await command('send gw-1/fan-1/speed --value 51 --why works');
  expect([unfit.status, unfit.stderr]).toEqual([2, expect.stringContaining('10 to 50')]);

  device.ch4 = 30;
  const token = readFileSync(join(folder, 'secrets', 'li'), 'utf8').trim();
  const shownGas = async () => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`http://127.0.0.1:${api}/v1/series?device=gas-1`, { headers });
    const { items } = (await answer.json()) as { items: { current: { v: unknown } | null }[] };
    return items[0]?.current?.v;
  };
  await expect.poll(shownGas, { timeout: 15_000 }).toBe(30);
  const held = await command('send gw-1/fan-1/run stop --why works');
  expect(held.stdout).toMatch(/refused .*an interlock of the site holds {2}keeps-running/);
  expect([held.status, device.coils]).toEqual([1, [1]]);

  const drill = command('send gw-1/fan-1/run drill --why drill --json');
  const approve = (who: string) => run(`alarm approve 1 ${at}/${who}`);
  await expect.poll(async () => (await approve('zhang')).status, { timeout: 15_000 }).toBe(0);
  expect(JSON.parse((await drill).stdout)).toMatchObject({ state: 'done', second: 'zhang' });
  expect(device.coils).toEqual([1, 1]);

  device.ch4 = 0;
  await expect.poll(shownGas, { timeout: 15_000 }).toBe(0);
  device.onWrite = () => agent.kill('SIGKILL');
  const cut = command('send gw-1/fan-1/run stop --why works --json');
  await once(agent, 'exit');
  device.onWrite = () => {};
  agent = await gateway();
  const { status, stdout } = await cut;
  const settled = JSON.parse(stdout) as { id: string };
  expect(settled).toMatchObject({ state: 'uncertain', settled: { reason: 'interrupted' } });
  expect([status, device.coils]).toEqual([6, [1, 1, 0]]);
  const journal = await run(`audit list --what ${settled.id} --oldest ${at}/li`);
  expect(journal.stdout.match(/command-\w+/g)).toEqual([
    ...['command-asked', 'command-issued', 'command-outcome'],
  ]);
  expect((await run('audit verify --folder data')).status).toBe(0);
}, 120_000);
