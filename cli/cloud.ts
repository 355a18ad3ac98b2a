import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { runCloud } from '../cloud/cloud.ts';
import { isLoopback, loadCloud } from '../cloud/config.ts';
import { Registry, rights } from '../cloud/registry/registry.ts';
import { systemClock } from '../core/clock.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import { aborted, answerParent, stopSignal, tellParent } from './child.ts';
import { makeLog } from './log.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';
import { versionText } from './version.ts';

const DRAIN_MS = 5_000;

async function run(given: Given, output: Output): Promise<number> {
  const config = loadCloud(given.words[0]!, process.env);
  const signal = stopSignal();
  const log = makeLog('cloud');
  for (const what of openTo(config)) output.note(output.say('cli-insecure', { what }));
  const options = { config, version: versionText() };
  const cloud = await runCloud(systemClock, systemRandom, log, new Metrics(), options);
  const ports = { api: cloud.apiPort, broker: cloud.brokerPort };
  for (const [name, port] of Object.entries(ports)) {
    if (port !== null) output.note(output.say('cli-listening', { name, address: `:${port}` }));
  }
  answerParent({});
  tellParent({ kind: 'ready', facts: ports });
  await aborted(signal);
  output.note(output.say('cli-stopping', { name: 'cloud' }));
  await cloud.close(DRAIN_MS);
  return exit.done;
}

// What is reachable beyond this machine although nothing encrypts it.
function openTo({ insecure, api, broker }: ReturnType<typeof loadCloud>): string[] {
  if (!insecure) return [];
  return [
    ...(isLoopback(api.host) ? [] : [`api ${api.host}`]),
    ...(broker.kind === 'embedded' && !isLoopback(broker.host) ? [`broker ${broker.host}`] : []),
    ...(broker.kind === 'url' && broker.url.startsWith('mqtt:') ? [broker.url] : []),
  ];
}

// While the cloud is down; a running one does the same over its API.
async function enrol(given: Given, output: Output): Promise<number> {
  const [area, id] = (given.words[0] ?? '').split('/');
  if (!area || !id) throw new UsageError('enrol AREA/GATEWAY');
  const secret = withRegistry(given, (registry) =>
    registry.enrolGateway(area, id, systemClock.wallMs()),
  );
  output.note(output.say('cli-enrolled', { id, area }));
  give(given, output, secret);
  return exit.done;
}

async function token(given: Given, output: Output): Promise<number> {
  const name = given.words[0]!;
  const right = rights.find((each) => each === (given.text('right') ?? 'read'));
  if (!right) throw new UsageError(`--right ${rights.join('|')}`);
  const scope = given.text('scope') ?? '';
  const issued = withRegistry(given, (registry) =>
    registry.issueToken({ name, right, scope }, systemClock.wallMs()),
  );
  output.note(output.say('cli-token-issued', { name, right }));
  give(given, output, issued);
  return exit.done;
}

function withRegistry<T>(given: Given, use: (registry: Registry) => T): T {
  const file = given.text('config');
  if (!file) throw new UsageError('--config CLOUD.yaml');
  const registry = new Registry(
    systemRandom,
    join(loadCloud(file, process.env).folder, 'registry'),
  );
  try {
    return use(registry);
  } finally {
    registry.close();
  }
}

// Into a file only its owner reads, or on stdout for whoever asked.
function give(given: Given, output: Output, secret: string): void {
  const file = given.text('secret-file');
  if (!file) {
    output.print(secret);
    return;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, secret, { mode: 0o600 });
}

export const verbs: Readonly<Record<string, Verb>> = {
  run: {
    usage: 'run FILE',
    summary: { en: 'run the cloud of a configuration file', zh: '按配置文件运行云端' },
    run,
  },
  check: {
    usage: 'check FILE',
    summary: { en: 'what is wrong with a configuration file', zh: '检查云端配置文件' },
    run: async (given, output) => {
      loadCloud(given.words[0]!, process.env);
      output.print(output.say('cli-file-good', { file: given.words[0]! }));
      return exit.done;
    },
  },
  enrol: {
    usage: 'enrol AREA/GATEWAY',
    summary: { en: 'make a gateway and its secret', zh: '登记网关并生成密钥' },
    options: { config: 'text', 'secret-file': 'text' },
    run: enrol,
  },
  token: {
    usage: 'token NAME',
    summary: { en: 'make a bearer token for the API', zh: '生成 API 访问令牌' },
    options: { config: 'text', right: 'text', scope: 'text', 'secret-file': 'text' },
    run: token,
  },
};
