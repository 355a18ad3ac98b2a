// A drill over a real cloud, a real gateway without a field, and a desk that confirms.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cloud, runCloud } from '../cloud/cloud.ts';
import { loadCloud } from '../cloud/config.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import { type Language, say } from '../core/text/text.ts';
import type { Agent } from '../edge/agent.ts';
import { runAgent } from '../edge/agent.ts';
import { parseGateway } from '../edge/config/gateway.ts';
import { packagedProfiles } from '../edge/config/loader.ts';
import type { Behaviour, Receiver } from '../simulators/receiver.ts';
import { startReceiver } from '../simulators/receiver.ts';
import { drillVerb } from './cloud-drill.ts';
import type { Output } from './verb.ts';
import { parse } from './verb.ts';

const folder = mkdtempSync(join(tmpdir(), 'lifeline-drill-'));
/** Of nobody: made for this test. */
const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
let cloud: Cloud;
let agent: Agent;
let receiver: Receiver;
let behaviour: Behaviour = { kind: 'confirm' };

const gatewayText = (brokerPort: number) => `version: 1
gateway: { id: gas-1, area: gas, name: { en: One, zh: 一号 } }
cloud: { url: "mqtt://127.0.0.1:${brokerPort}", credentials: "\${env:NONE}" }
outbox: { folder: ${join(folder, 'outbox')} }
status: { port: 0 }
path_test: { every: 30m }
links:
  a: { protocol: modbus, kind: tcp, host: 127.0.0.1, port: 9 }
devices:
  - { id: relay-1, link: a, unit: 1, profile: generic/relay-8@1 }
`;

beforeAll(async () => {
  receiver = await startReceiver({
    ...{ host: '127.0.0.1', port: 0, secret, behaviour: () => behaviour },
  });
  const registry = new Registry(systemRandom, join(folder, 'data', 'registry'));
  const gatewaySecret = registry.enrolGateway('gas', 'gas-1', Date.now());
  const token = registry.issueToken({ name: 'ops', right: 'control', scope: '' }, Date.now());
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
    receivers:
      - { id: desk, kind: webhook, url: "${receiver.url}", secret: "\${env:DESK}" }
    routes:
      - { to: [desk] }
`,
  );
  const config = loadCloud(file, { DESK: secret });
  const options = { config, version: '0.0.0' };
  cloud = await runCloud(systemClock, systemRandom, silentLog, new Metrics(), options);
  const profiles = packagedProfiles();
  const gateway = parseGateway(gatewayText(cloud.brokerPort!), 'gateway.yaml', profiles);
  agent = await runAgent(systemClock, systemRandom, silentLog, gateway, {
    ...{ secret: gatewaySecret, software: 'test' },
  });
}, 30_000);

afterAll(async () => {
  await agent?.close(0);
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
    note: () => {},
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${cloud.apiPort}`, '--token-file', join(folder, 'token')];
  const code = await drillVerb.run(parse(drillVerb, [...words, ...at]), output);
  return { code, text: lines.join('\n') };
}

function scenario(step: string): string {
  const file = join(folder, 'drill.yaml');
  const title = '{ en: Leak at the harbour, zh: 港口泄漏 }';
  writeFileSync(file, `version: 1\ndrill:\n  title: ${title}\n  steps:\n    - ${step}\n`);
  return file;
}

/** Until the gateway has told what may be commanded. */
async function isReady(): Promise<void> {
  for (;;) {
    const headers = { authorization: `Bearer ${await tokenText()}` };
    const response = await fetch(`http://127.0.0.1:${cloud.apiPort}/v1/offers`, { headers });
    const { items } = (await response.json()) as { items: readonly { device: string }[] };
    if (items.some(({ device }) => device === 'self')) return;
    await systemClock.sleep(50, new AbortController().signal);
  }
}

async function tokenText(): Promise<string> {
  const { readFile } = await import('node:fs/promises');
  return readFile(join(folder, 'token'), 'utf8');
}

test('a drill goes from the gateway’s own point to the desk that confirms, marked, and its report says when', async () => {
  await isReady();
  const file = scenario('{ gateway: gas-1, level: 1, hold: 2s, told: [desk] }');
  const { code, text } = await run(['start', file, '--why', 'monthly']);
  expect(text).toContain('Leak at the harbour');
  for (const part of ['gateway says: done', 'the point rose', 'desk: confirmed by', 'over']) {
    expect(text).toContain(part);
  }
  expect(code).toBe(0);
  const drill = receiver.received().find(({ id }) => id.endsWith('.raised'));
  expect(drill?.event).toMatchObject({ data: { purpose: 'drill', level: 1, gateway: 'gas-1' } });
  const shown = await run(['show', '1'], 'zh');
  expect(shown.text).toContain('港口泄漏');
  expect(shown.text).toContain('符合预期');
  expect((await run(['list'])).text).toContain('1/1');
}, 60_000);

test('nobody who confirms, and somebody who was not told, are not as expected', async () => {
  behaviour = { kind: 'accept' };
  const step = '{ gateway: gas-1, level: 2, hold: 2s, confirmed_within: 2s, told: [manager] }';
  const started = await run(['start', scenario(step), '--why', 'x', '--no-wait']);
  expect(started.code).toBe(0);
  await expect(run(['start', scenario(step), '--why', 'x'])).rejects.toThrow('drill 2');
  const ended = await run(['end', '2']);
  expect(ended.code).toBe(1);
  expect(ended.text).toContain('not told: manager');
  expect(ended.text).toContain('ended by ops');
  await expect(run(['end', '2'])).rejects.toThrow('over');
}, 30_000);

test('a gateway that is not there is said at its step, and a wrong file before anything is sent', async () => {
  const refused = await run(['start', scenario('{ gateway: gas-9, level: 1 }'), '--why', 'x']);
  expect(refused.code).toBe(1);
  expect(refused.text).toContain('command_point_unknown');
  expect((await run(['check', scenario('{ gateway: g, level: 1, hold: 1s }')])).code).toBe(3);
}, 30_000);
