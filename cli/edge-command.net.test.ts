// Commands typed at a gateway that hears no cloud: `lifeline edge run` and `lifeline edge command`
// as processes of their own, and devices that keep what they are told.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { RegisterBank } from '../simulators/modbus-answer.ts';
import { ModbusServer } from '../simulators/modbus-server.ts';
import { freePort } from '../tests/foreign-broker.ts';
import { ProgramRun } from '../tests/program-run.ts';
import { exit } from './verb.ts';

const entry = join(import.meta.dirname, 'main.ts');
const WAIT_MS = 20_000;
const TEST_MS = 120_000; // Up to ten processes, one after the other, on a busy machine.
const OPEN = ['relays-1.relay-1', 'false', '--why', 'open before'];

/** Keeps what is written, and every write that ever was. */
class Bank implements RegisterBank {
  readonly words = new Map<string, number>();
  written: string[] = [];

  read(table: string, address: number, count: number): Uint16Array {
    return Uint16Array.from(
      { length: count },
      (_, at) => this.words.get(`${table} ${address + at}`) ?? 0,
    );
  }

  write(table: string, address: number, values: Uint16Array): number {
    for (const [at, value] of values.entries()) {
      this.written.push(`${table} ${address + at} = ${value}`);
      this.words.set(`${table} ${address + at}`, value);
    }
    return 0;
  }
}

const level = new Bank();
const relays = new Bank();
const siren = new Bank();
const drive = new Bank();
let folder = '';
let server: ModbusServer;
let gateway: ProgramRun;

// Nobody listens where the broker should be: the gateway is alone.
const gatewayText = (brokerPort: number, devicePort: number, statusPort: number) => `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:${brokerPort}", credentials: "\${env:SECRET}" }
outbox: { folder: outbox }
status: { host: 127.0.0.1, port: ${statusPort} }
links: { bus: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${devicePort} } }
devices:
  - { id: level-1, link: bus, unit: 1, profile: generic/level-cm@1, poll: 500ms }
  - id: relays-1
    link: bus
    unit: 2
    profile: generic/relay-8@1
    commands: { allow: [relay-1.set, relay-2.set], set: { relay-2.set: { two_people: true } } }
  - { id: siren-1, link: bus, unit: 3, profile: generic/siren-lamp@1, commands: { allow: [lamp.light] } }
  - { id: drive-1, link: bus, unit: 4, profile: vacon/10@1, commands: { allow: [speed-reference.set] } }
interlocks:
  - id: not-dry
    title: { en: The pump is not started without water, zh: 无水时不得启动水泵 }
    guard: { device: relays-1, point: relay-1, values: [true] }
    while: { point: level-1/level, below: 20 }
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edge-command-'));
  const banks = new Map([level, relays, siren, drive].map((bank, at) => [at + 1, bank]));
  server = await ModbusServer.listen({ host: '127.0.0.1', port: 0, banks });
  const file = gatewayText(await freePort(), server.port, await freePort());
  writeFileSync(join(folder, 'gateway.yaml'), file);
  gateway = new ProgramRun(entry, folder, { SECRET: 'g' });
  level.words.set('holding 0', 10);
  await gateway.start('edge', ['edge', 'run', 'gateway.yaml'], 'agent_started');
  // What is asked before its device was reached fails, and that is right.
  const endMs = Date.now() + WAIT_MS;
  while ((await command(OPEN)).status !== exit.done && Date.now() < endMs);
}, TEST_MS);
afterAll(async () => {
  await gateway[Symbol.asyncDispose]();
  await server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  for (const bank of [relays, siren, drive]) bank.written = [];
});

/** As the person of that name behind sudo. Not waited for by blocking: the devices answer here. */
async function command(words: readonly string[], who = 'li') {
  const env = {
    ...{ ...process.env, LANG: 'C', LC_ALL: '', LC_MESSAGES: '' },
    ...{ SECRET: 'g', SUDO_USER: who },
  };
  const args = [entry, 'edge', 'command', 'gateway.yaml', ...words];
  const child = spawn(process.execPath, args, { cwd: folder, env });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [status] = (await ended) as [number | null];
  return { stdout, stderr, status };
}

test(
  'what may be commanded is listed: what the site allows, with its values',
  async () => {
    const { stdout, status } = await command([]);
    expect(status).toBe(exit.done);
    const offers = stdout.split('\n').filter((line) => /^[a-z0-9-]+\.[a-z0-9-]+\.[a-z]/.test(line));
    expect(offers.map((line) => line.split('  ')[0])).toEqual([
      ...['relays-1.relay-1.set', 'relays-1.relay-2.set'],
      ...['siren-1.lamp.light', 'drive-1.speed-reference.set'],
    ]);
    expect(stdout).toContain('siren-1.lamp.light  Light the lamp  true\n');
    expect(stdout).toMatch(/relays-1\.relay-2\.set .*two people/);
    expect((await command(['--lang', 'zh'])).stdout).toMatch(/警灯点亮 {2}true\n/);
    const { offers: told } = JSON.parse((await command(['--json'])).stdout);
    expect(told).toMatchObject([{}, { twoPeople: true }, { command: 'light', value: true }, {}]);
  },
  TEST_MS,
);

test(
  'a named command and a value are written once, read back, and told with who did it',
  async () => {
    const lit = await command(['siren-1.lamp.light', '--why', 'fog']);
    expect([lit.status, lit.stderr]).toEqual([exit.done, '']);
    expect(lit.stdout).toMatch(/^local-\S+ {2}done {2}siren-1\/lamp light {2}gateway:li\n/);
    expect(lit.stdout).toContain('read back: true');
    expect(siren.written).toEqual(['coil 1 = 1']);
    const set = await command(['drive-1.speed-reference', '40', '--why', 'less noise', '--json']);
    expect(set.status).toBe(exit.done);
    expect(JSON.parse(set.stdout)).toMatchObject({
      ...{ point: 'drive-1/speed-reference', command: 'set', value: 40, by: 'gateway:li' },
      ...{ outcome: 'done', reason: 'none', readBack: 40 },
    });
    expect(drive.written).toHaveLength(1);
    const listed = await command(['--lang', 'zh']);
    expect(listed.stdout).toMatch(/已执行 {2}drive-1\/speed-reference set = 40 {2}gateway:li/);
  },
  TEST_MS,
);

test(
  'an interlock refuses at the gateway, too: exit code 1, which one it is, nothing written',
  async () => {
    const pump = ['relays-1.relay-1', 'true', '--why', 'test'];
    // There is too little water from the start on; before it is known, that holds it, too.
    const dry = await command(pump);
    expect([dry.status, relays.written]).toEqual([exit.found, []]);
    expect(dry.stdout).toMatch(
      /refused .*an interlock of the site holds {2}not-dry\n {2}-> see which/,
    );
    const said = await command([...pump, '--lang', 'zh']);
    expect(said.stdout).toMatch(
      /已拒绝 {2}relays-1\/relay-1 set = true .*现场联锁生效中 {2}not-dry/,
    );
    expect(said.stdout).toContain('联锁不能从此处绕过');
    const told = JSON.parse((await command([...pump, '--json'])).stdout);
    expect(told).toMatchObject({ outcome: 'refused', reason: 'interlock', detail: 'not-dry' });
    level.words.set('holding 0', 50);
    const started = async () => (await command(pump)).status;
    await expect.poll(started, { timeout: WAIT_MS }).toBe(exit.done);
    expect(relays.written).toEqual(['coil 0 = 1']);
  },
  TEST_MS,
);

test(
  'what takes two people waits, and is released by another account than the one that asked',
  async () => {
    const asked = await command(['relays-1.relay-2', 'true', '--why', 'flood', '--json']);
    const { id, waits } = JSON.parse(asked.stdout) as { id: string; waits: boolean };
    expect([asked.status, waits, relays.written]).toEqual([exit.done, true, []]);
    // Whoever releases it sees what it is.
    const listed = (await command([], 'wang')).stdout;
    expect(listed).toContain('relays-1/relay-2 set = true  gateway:li  flood');
    const own = await command(['release', id]);
    expect(own.status).toBe(exit.notAllowed);
    expect(own.stderr).toContain('edge_command_refused');
    const released = await command(['release', id], 'wang');
    expect(released.status).toBe(exit.done);
    expect(released.stdout).toContain('gateway:li + gateway:wang');
    expect(relays.written).toEqual(['coil 1 = 1']);
  },
  TEST_MS,
);

test(
  'what was typed wrong is told apart from what is refused; without an agent nobody answers',
  async () => {
    expect((await command(['siren-1.lamp.light'])).status).toBe(exit.usage); // Without a reason why.
    expect((await command(['siren-1', '--why', 'x'])).status).toBe(exit.usage);
    expect((await command(['release'])).status).toBe(exit.usage);
    const beyond = await command(['drive-1.speed-reference', '400', '--why', 'x']);
    expect([beyond.status, drive.written]).toEqual([exit.found, []]);
    expect(beyond.stdout).toContain('refused');
    const notAllowed = await command(['siren-1.siren.sound', '--why', 'x']);
    expect([notAllowed.status, siren.written]).toEqual([exit.found, []]);
    await gateway.end('edge');
    expect((await command(['siren-1.lamp.light', '--why', 'x'])).status).toBe(exit.remoteTimeout);
  },
  TEST_MS,
);
