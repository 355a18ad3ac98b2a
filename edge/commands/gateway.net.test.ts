// The whole edge with real parts: a device over Modbus TCP, a broker, and commands from the cloud
// and from the gateway itself; then a process that is killed in the middle, again and again.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { openBroker } from '../../cloud/broker/broker.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { seededRandom, systemRandom } from '../../core/random.ts';
import { parseProfile } from '../../device-profiles/profile.ts';
import type { BrokerLink } from '../../protocols/uplink/broker-link.ts';
import type { Command, Reply } from '../../protocols/uplink/control.ts';
import { decodeReply, encodeCommand } from '../../protocols/uplink/control.ts';
import { readEnvelope } from '../../protocols/uplink/envelope.ts';
import { parseTopic, topicOf, upFilters } from '../../protocols/uplink/topics.ts';
import type { RegisterBank } from '../../simulators/modbus-answer.ts';
import { ModbusServer } from '../../simulators/modbus-server.ts';
import type { Agent } from '../agent.ts';
import { runAgent } from '../agent.ts';
import { parseGateway } from '../config/gateway.ts';
import { TOKEN_FILE } from '../status.ts';
import { mqttLink } from '../uplink/mqtt.ts';

const WAIT_MS = 20_000;
const soon = <T>(read: () => T) => expect.poll(read, { timeout: WAIT_MS });
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const FAN = `version: 1
profile:
  id: acme/fan
  revision: 1.0.0
  kind: drive
  vendor: Acme
  models: [F]
  title: { en: Fan, zh: 风机 }
  source: { document: Register map rev C, status: official }
protocol: modbus
points:
  run:
    title: { en: Running, zh: 运行 }
    read: { table: coil, address: 0 }
    commands:
      start: { title: { en: Start, zh: 启动 }, value: true, two_people: true }
      stop: { title: { en: Stop, zh: 停止 }, value: false }
  speed:
    title: { en: Speed, zh: 转速 }
    read: { table: holding, address: 1, type: uint16 }
    range: [0, 60000]
    write: { read_back: { within: 1s } }
  ch4:
    title: { en: Methane, zh: 甲烷 }
    read: { table: input, address: 0, type: uint16 }
    range: [0, 100]
`;

/** Keeps what is written, and every value that ever was. */
class Fan implements RegisterBank {
  readonly words = new Map<string, number>();
  readonly written: number[] = [];

  read(table: string, address: number, count: number): Uint16Array {
    return Uint16Array.from(
      { length: count },
      (_, at) => this.words.get(`${table} ${address + at}`) ?? 0,
    );
  }

  write(table: string, address: number, values: Uint16Array): number {
    this.written.push(values[0]!);
    for (const [at, value] of values.entries()) this.words.set(`${table} ${address + at}`, value);
    return 0;
  }
}

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');

interface Stand {
  readonly fan: Fan;
  readonly folder: string;
  readonly text: string;
  readonly link: BrokerLink;
  readonly replies: Reply[];
  /** The newest sequence by epoch, the newest epoch last. */
  readonly seen: Map<string, number>;
  send(more: Partial<Command>): Command;
}

async function stand(): Promise<Stand> {
  const fan = new Fan();
  const server = await ModbusServer.listen({
    ...{ host: '127.0.0.1', port: 0, banks: new Map([[1, fan]]) },
  });
  closers.push(() => server.close());
  const broker = await openBroker({
    port: 0,
    credentials: [
      { name: 'cloud', sha256: sha256('c'), role: 'cloud' },
      { name: 'gw-1', sha256: sha256('g'), role: 'gateway', area: 'east' },
    ],
  });
  closers.push(() => broker.close());
  const folder = mkdtempSync(join(tmpdir(), 'command-gateway-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const text = `version: 1
gateway: { id: gw-1, area: east, name: { en: One, zh: 一号 } }
cloud: { url: mqtt://127.0.0.1:${broker.port}, credentials: "\${env:SECRET}" }
outbox: { folder: ${join(folder, 'outbox')}, size: 64MiB }
status: { port: 0 }
links: { bus: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: ${server.port} } }
devices:
  - { id: fan-1, link: bus, unit: 1, profile: acme/fan@1, poll: 1s, commands: { allow: ["*"] } }
interlocks:
  - id: keeps-running
    title: { en: The fan runs while there is gas, zh: 有燃气时风机不得停 }
    guard: { device: fan-1, point: run, commands: [stop] }
    while: { point: fan-1/ch4, above: 20 }
`;
  const replies: Reply[] = [];
  const seen = new Map<string, number>();
  const link = mqttLink(systemClock, seededRandom(1), {
    ...{ url: `mqtt://127.0.0.1:${broker.port}`, clientId: 'cloud', username: 'cloud' },
    ...{ password: 'c', keepaliveSeconds: 30, subscriptions: upFilters('east'), will: () => null },
  });
  link.onMessage = ({ topic, payload }) => {
    const kind = parseTopic(topic)?.kind;
    if (kind === 'reply') replies.push(decodeReply(payload));
    if (kind !== 'live' && kind !== 'event') return;
    const read = readEnvelope(payload);
    if (!read.ok) return;
    const { epoch, sequence } = read.envelope;
    seen.set(epoch, Math.max(sequence, seen.get(epoch) ?? 0));
  };
  link.start();
  closers.push(() => link.close(100));
  const send = (more: Partial<Command>): Command => {
    const [epoch, sequence] = [...seen].at(-1)!;
    const command: Command = {
      ...{ id: 'c-1', issuer: 'anna', epoch, sequence, timeToLiveMs: 20_000, device: 'fan-1' },
      ...{ point: 'speed', command: 'set', value: 40, second: '', why: 'test' },
      ...more,
    };
    deliver(link, command);
    return command;
  };
  return { fan, folder, text, link, replies, seen, send };
}

function deliver(link: BrokerLink, command: Command): void {
  const topic = topicOf('east', 'gw-1', 'command');
  link.publish(topic, encodeCommand(command), { qos: 1, retain: false });
}

async function start(text: string): Promise<Agent> {
  const profiles = {
    ids: ['acme/fan'],
    load: () => parseProfile(FAN, 'acme/fan'),
    text: () => FAN,
  };
  const config = parseGateway(text, 'gateway.yaml', profiles);
  const options = { secret: 'g', software: 'test' };
  const agent = await runAgent(systemClock, systemRandom, silentLog, config, options);
  closers.push(() => agent.close(0));
  return agent;
}

const brief = ({ id, outcome, reason, detail, readBack }: Reply) =>
  `${id} ${outcome}/${reason} ${detail} ${readBack}`;

test('a command of the cloud is written, read back, told, and its repeat told again', async () => {
  const { fan, text, replies, seen, send, link } = await stand();
  const agent = await start(text);
  await soon(() => seen.size).toBe(1);
  const command = send({ value: 41 });
  await soon(() => replies.map(brief)).toEqual(['c-1 done/none  41']);
  deliver(link, command);
  await soon(() => replies.length).toBe(2);
  send({ value: 42 });
  send({ id: 'c-2', value: 70_000 });
  await soon(() => replies.slice(2).map(brief)).toEqual([
    'c-1 refused/replayed  null',
    'c-2 refused/out_of_range  null',
  ]);
  expect(fan.written).toEqual([41]);
  expect(agent.health().commands).toMatchObject({ offered: 2, open: 0, ledger: 'open' });
});

test('an interlock looks at the newest reading of its point, and holds before there is one', async () => {
  const { fan, text, replies, seen, send } = await stand();
  fan.words.set('input 0', 30);
  await start(text);
  await soon(() => seen.size).toBe(1);
  const stop = { point: 'run', command: 'stop', value: null };
  send(stop);
  await soon(() => replies.map(brief)).toEqual(['c-1 refused/interlock keeps-running null']);
  fan.words.set('input 0', 10);
  // Looked at again until a poll has brought what is true now.
  for (let at = 2; at < 40 && fan.written.length === 0; at++) {
    send({ ...stop, id: `c-${at}` });
    await soon(() => replies.length).toBe(at);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(brief(replies.at(-1)!)).toMatch(/done\/none {2}false$/);
  expect(fan.written).toEqual([0]);
});

test('at the gateway itself: with the token of the run, from this machine, told to the cloud', async () => {
  const { fan, folder, text, replies, seen } = await stand();
  const agent = await start(text);
  await soon(() => seen.size).toBe(1);
  const tokenFile = join(folder, 'outbox', TOKEN_FILE);
  expect(statSync(tokenFile).mode & 0o777).toBe(0o600);
  const token = readFileSync(tokenFile, 'utf8').trim();
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  const call = async (path: string, body?: unknown, authorization = `Bearer ${token}`) => {
    const response = await fetch(`http://127.0.0.1:${agent.statusPort}${path}`, {
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
    });
    return [response.status, await response.json()] as const;
  };
  const asked = { point: 'fan-1/speed', value: 33, why: 'the line is down', by: 'li' };
  expect((await call('/commands', asked, 'Bearer no'))[0]).toBe(401);
  expect((await call('/commands', { ...asked, why: '' }))[0]).toBe(400);
  expect((await call('/commands', 'x'.repeat(5_000)))[0]).toBe(413);
  const [status, settled] = await call('/commands', asked);
  expect([status, settled]).toMatchObject([200, { outcome: 'done', readBack: 33 }]);
  await soon(() => replies.map(({ issued }) => issued?.issuer)).toEqual(['gateway:li']);
  // Two people: one asks, another releases.
  const start_ = { point: 'fan-1/run', command: 'start', why: 'test', by: 'li' };
  const [waits, waiting] = await call('/commands', start_);
  expect([waits, waiting, fan.written]).toMatchObject([202, { waits: true }, [33]]);
  expect(await call('/commands', { ...start_, value: false })).toMatchObject([
    200,
    { outcome: 'refused', reason: 'value_unfit' },
  ]);
  const { id } = waiting as { readonly id: string };
  expect((await call(`/commands/${id}/release`, { by: 'li' }))[0]).toBe(403);
  expect(await call(`/commands/${id}/release`, { by: 'wang' })).toMatchObject([
    200,
    { outcome: 'done', second: 'gateway:wang' },
  ]);
  expect((await call(`/commands/${id}/release`, { by: 'wang' }))[0]).toBe(404);
  const [, listed] = await call('/commands');
  expect(listed).toMatchObject({
    waiting: [],
    recent: [{ value: 33 }, { outcome: 'refused' }, {}],
  });
  expect((listed as { offers: unknown[] }).offers.length).toBe(3);
});

const program = (agentUrl: string) => `
import { readFileSync } from 'node:fs';
import { runAgent } from ${JSON.stringify(agentUrl)};
import { parseGateway } from ${JSON.stringify(new URL('../config/gateway.ts', import.meta.url).href)};
import { parseProfile } from ${JSON.stringify(new URL('../../device-profiles/profile.ts', import.meta.url).href)};
import { systemClock } from ${JSON.stringify(new URL('../../core/clock.ts', import.meta.url).href)};
import { systemRandom } from ${JSON.stringify(new URL('../../core/random.ts', import.meta.url).href)};
import { silentLog } from ${JSON.stringify(new URL('../../core/log.ts', import.meta.url).href)};
const fan = readFileSync(process.argv[2], 'utf8');
const text = readFileSync(process.argv[3], 'utf8');
const profiles = { ids: ['acme/fan'], load: () => parseProfile(fan, 'acme/fan'), text: () => fan };
const config = parseGateway(text, 'gateway.yaml', profiles);
await runAgent(systemClock, systemRandom, silentLog, config, { secret: 'g', software: 'test' });
process.stdout.write('ready\\n');
`;

test('kill -9 at any moment: nothing is done twice, and what is told is true', {
  timeout: 120_000,
}, async () => {
  const { fan, folder, text, replies, seen, send, link } = await stand();
  writeFileSync(join(folder, 'fan.yaml'), FAN);
  writeFileSync(join(folder, 'gateway.yaml'), text);
  const script = join(folder, 'agent.ts');
  writeFileSync(script, program(new URL('../agent.ts', import.meta.url).href));
  const random = seededRandom(11);
  const sent = new Map<string, Command>();
  let child: ChildProcess | null = null;
  closers.push(() => child?.kill('SIGKILL'));
  for (let round = 0; round < 5; round++) {
    const before = seen.size;
    child = await started(script, folder);
    await soon(() => seen.size).toBeGreaterThan(before);
    // Each is sent, and what has no outcome is sent again, until the power fails.
    const endMs = Date.now() + 100 + random.next() * 400;
    while (Date.now() < endMs) {
      const value = sent.size + 1;
      sent.set(`k-${value}`, send({ id: `k-${value}`, value }));
      for (const one of unanswered(sent, replies).slice(0, 5)) deliver(link, one);
      await new Promise((resolve) => setTimeout(resolve, random.next() * 20));
    }
    child.kill('SIGKILL');
    await once(child, 'close');
  }
  child = await started(script, folder);
  for (let tries = 0; tries < 60 && unanswered(sent, replies).length > 0; tries++) {
    for (const one of unanswered(sent, replies).slice(0, 50)) deliver(link, one);
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  expect(unanswered(sent, replies)).toEqual([]);
  const told = { done: 0, undone: 0, uncertain: 0 };
  for (const { id, value } of sent.values()) {
    const outcomes = new Set(replies.filter((one) => one.id === id).map(({ outcome }) => outcome));
    const writes = fan.written.filter((one) => one === value).length;
    expect([id, outcomes.size, writes <= 1]).toEqual([id, 1, true]);
    if (outcomes.has('done')) expect([id, writes]).toEqual([id, 1]);
    if (outcomes.has('refused') || outcomes.has('expired')) expect([id, writes]).toEqual([id, 0]);
    if (outcomes.has('done')) told.done++;
    else if (outcomes.has('uncertain')) told.uncertain++;
    else told.undone++;
  }
  expect(told.done).toBeGreaterThan(10);
});

/** Once it says that it is ready; rejects when it ends before. */
async function started(script: string, folder: string): Promise<ChildProcess> {
  const files = ['fan.yaml', 'gateway.yaml'].map((name) => join(folder, name));
  const child = spawn(process.execPath, [script, ...files], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close').then(([code]) => {
    throw new Error(`the gateway ended with ${code}`);
  });
  ended.catch(() => undefined);
  await Promise.race([once(createInterface(child.stdout), 'line'), ended]);
  return child;
}

function unanswered(sent: ReadonlyMap<string, Command>, replies: readonly Reply[]): Command[] {
  const answered = new Set(replies.map(({ id }) => id));
  return [...sent.values()].filter(({ id }) => !answered.has(id));
}
