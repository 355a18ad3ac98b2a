// A real cloud, a desk that can hang, and a gateway in a process of its own that can be stopped:
// what stands still without a word is shown, and shown to work when it goes on.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cloud, runCloud } from '../cloud/cloud.ts';
import { loadCloud } from '../cloud/config.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SHOWN_WITHIN_MS } from '../cloud/supervision/senses.ts';
import { systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import type { Behaviour, Lifeline, Receiver } from '../simulators/receiver.ts';
import { startReceiver } from '../simulators/receiver.ts';
import { pathVerb } from './cloud-path.ts';
import type { Output } from './verb.ts';
import { parse } from './verb.ts';

const folder = mkdtempSync(join(tmpdir(), 'lifeline-path-'));
/** Of nobody: made for this test. */
const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const main = new URL('./main.ts', import.meta.url).pathname;
/** Others share the machine: what comes, comes within this time. */
const WAIT_MS = 60_000;

let cloud: Cloud;
let edge: ChildProcess;
let receiver: Receiver;
let behaviour: Behaviour = { kind: 'confirm' };
const lifelines: Lifeline['state'][] = [];

const gatewayText = (brokerPort: number) => `version: 1
gateway: { id: gw-1, area: gas, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:${brokerPort}", credentials: "\${secret:gw-1}" }
outbox: { size: 16MiB }
status: { port: 0 }
path_test: { every: 30s }
links: {}
devices: []
`;

beforeAll(async () => {
  receiver = await startReceiver({
    ...{ host: '127.0.0.1', port: 0, secret, behaviour: () => behaviour },
    onLifeline: ({ state }) => lifelines.push(state),
  });
  const registry = new Registry(systemRandom, join(folder, 'data', 'registry'));
  mkdirSync(join(folder, 'secrets'));
  const gatewaySecret = registry.enrolGateway('gas', 'gw-1', Date.now());
  writeFileSync(join(folder, 'secrets', 'gw-1'), gatewaySecret, { mode: 0o600 });
  const token = registry.issueToken({ name: 'ops', right: 'read', scope: '' }, Date.now());
  registry.close();
  writeFileSync(join(folder, 'token'), token);
  const file = join(folder, 'cloud.yaml');
  writeFileSync(
    file,
    `version: 1
cloud:
  folder: data
  broker: { embedded: { port: 0 } }
  api: { port: 0 }
  notify:
    heartbeat: 1s
    receivers:
      - { id: desk, kind: webhook, url: "${receiver.url}", secret: "\${env:DESK}" }
    routes:
      - { to: [desk] }
`,
  );
  const config = loadCloud(file, { DESK: secret });
  const options = { config, version: '0.0.0' };
  cloud = await runCloud(systemClock, systemRandom, silentLog, new Metrics(), options);
  const path = join(folder, 'gateway.yaml');
  writeFileSync(path, gatewayText(cloud.brokerPort!));
  edge = spawn(process.execPath, [main, 'edge', 'run', path], { stdio: 'ignore' });
}, 60_000);

afterAll(async () => {
  edge?.kill('SIGCONT');
  edge?.kill('SIGKILL');
  behaviour = { kind: 'confirm' };
  await cloud?.close(0);
  await receiver?.close();
  rmSync(folder, { recursive: true });
});

async function run(words: readonly string[], language: Language = 'en') {
  const lines: string[] = [];
  const output: Output = {
    language,
    json: words.includes('--json'),
    print: (text) => lines.push(text),
    note: (text) => lines.push(text),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${cloud.apiPort}`, '--token-file', join(folder, 'token')];
  const given = parse(pathVerb, [...words, ...at]);
  const code = await pathVerb.run(given, output);
  return { code, lines };
}

interface Shown {
  readonly components: readonly {
    name: string;
    state: string;
    since: string;
    why: string | null;
  }[];
  readonly tests: readonly { confirmed: string | null }[];
}
const shown = async () => JSON.parse((await run(['--json'])).lines[0]!) as Shown;
const stateOf = async (name: string) => {
  const found = (await shown()).components.find((it) => it.name === name);
  return [found?.state, found?.why ?? null];
};
const soon = <T>(read: () => T) => expect.poll(read, { timeout: WAIT_MS, interval: 250 });
const api = async <T>(path: string): Promise<T> => {
  const { Client } = await import('./client.ts');
  const { readText } = await import('./files.ts');
  return new Client(`http://127.0.0.1:${cloud.apiPort}`, readText(join(folder, 'token'))).get(path);
};

test('a gateway that is stopped and a desk that hangs are shown within 20 s, and when they go on', async () => {
  await soon(() => stateOf('gateway/gw-1')).toEqual(['ok', null]);
  await soon(() => stateOf('receiver/desk')).toEqual(['ok', null]);
  expect(lifelines).toEqual(['ok']);
  edge.kill('SIGSTOP');
  behaviour = { kind: 'hang' };
  await soon(() => stateOf('receiver/desk')).toEqual(['broken', 'no-answer']);
  await soon(async () => (await stateOf('gateway/gw-1'))[0]).toBe('broken');
  // By the clock of the cloud, whatever this test had to wait for.
  const { components } = await shown();
  const since = Date.parse(components.find(({ name }) => name === 'gateway/gw-1')!.since);
  const { items } = await api<{ items: { heard: string }[] }>('/v1/gateways');
  expect(since - Date.parse(items[0]!.heard)).toBeLessThanOrEqual(SHOWN_WITHIN_MS);
  expect((await api<{ items: unknown[] }>('/v1/alarms')).items).toEqual([]); // Sooner than that.
  expect((await run([])).code).toBe(1);
  expect((await run([])).lines.join('\n')).toContain('BROKEN    receiver/desk');
  expect((await run([], 'zh')).lines[0]).toContain('报警通路【中断】');

  edge.kill('SIGCONT');
  behaviour = { kind: 'confirm' };
  await soon(() => stateOf('gateway/gw-1')).toEqual(['ok', null]);
  await soon(() => stateOf('receiver/desk')).toEqual(['ok', null]);
  const month = await run([
    '--month',
    new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 7),
  ]);
  expect(month.lines.join('\n')).toMatch(/gateway\/gw-1 +(silent|disconnected) +false fault/);
}, 180_000);

test('a test of the path goes from the gateway to the desk and is confirmed there, and is no alarm', async () => {
  await soon(async () => (await shown()).tests[0]?.confirmed ?? null).not.toBeNull();
  await soon(() => stateOf('path-test/gw-1')).toEqual(['ok', null]);
  const got = receiver.received().map(({ event }) => event as { data: { purpose: string } });
  expect(got.every(({ data }) => data.purpose === 'path-test')).toBe(true);
  const { path } = await api<{ path: { state: string } }>('/v1/health');
  expect(path.state).not.toBe('broken');
}, 90_000);
