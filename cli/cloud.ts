import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Actor } from '../cloud/alarms/occurrences.ts';
import { type CheckedRight, checkRights } from '../cloud/broker/check.ts';
import { mosquittoFiles, mosquittoPassword } from '../cloud/broker/mosquitto.ts';
import { runCloud } from '../cloud/cloud.ts';
import {
  type CloudConfig,
  isReadable,
  loadCloud,
  loadNotify,
  type OtherBroker,
} from '../cloud/config.ts';
import { Confirmations } from '../cloud/notify/confirmations.ts';
import {
  type Act,
  acts,
  CLOUD_IDENTITY,
  makeSecret,
  Registry,
  rights,
  secretHash,
} from '../cloud/registry/registry.ts';
import { systemClock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { isLoopback } from '../core/host.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import { bilingual, fillBilingual } from '../core/text/text.ts';
import { aborted, answerParent, stopSignal, tellParent } from './child.ts';
import { commandVerb } from './cloud-command.ts';
import { drillVerb } from './cloud-drill.ts';
import { gatewayVerb } from './cloud-gateway.ts';
import { pathVerb } from './cloud-path.ts';
import { warningVerb } from './cloud-warning.ts';
import { deadLettersVerb } from './dead-letters.ts';
import { readText, writableFolder } from './files.ts';
import { checkFile } from './findings.ts';
import { makeLog } from './log.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';
import { versionText } from './version.ts';

const DRAIN_MS = 5_000;

async function run(given: Given, output: Output): Promise<number> {
  const config = loadCloud(given.words[0]!, process.env);
  writableFolder(config.folder);
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
  const fault = await Promise.race([aborted(signal), cloud.failed]);
  output.note(output.say('cli-stopping', { name: 'cloud' }));
  await cloud.close(DRAIN_MS);
  if (fault) throw fault;
  return exit.done;
}

// What is reachable beyond this machine although nothing encrypts it.
function openTo({
  insecure,
  api,
  broker,
  otherBrokers,
  notify,
}: ReturnType<typeof loadCloud>): string[] {
  if (!insecure) return [];
  return [
    ...(isLoopback(api.host) ? [] : [`api ${api.host}`]),
    ...(broker.kind === 'embedded' && !isLoopback(broker.host) ? [`broker ${broker.host}`] : []),
    ...(broker.kind === 'url' && broker.url.startsWith('mqtt:') ? [broker.url] : []),
    ...otherBrokers.map(({ url }) => url).filter((url) => url.startsWith('mqtt:')),
    ...(isReadable(notify.publicUrl) ? [notify.publicUrl ?? ''] : []),
  ];
}

// While the cloud is down; a running one does the same over its API.
async function enrol(given: Given, output: Output): Promise<number> {
  const [area, id] = (given.words[0] ?? '').split('/');
  if (!area || !id) throw new UsageError('enrol AREA/GATEWAY');
  const secret = withRegistry(given, (registry) =>
    given.flag('once') && hasSecret(registry, area, id, given.text('secret-file'))
      ? null
      : registry.enrolGateway(area, id, systemClock.wallMs(), atConsole()),
  );
  if (secret === null) {
    const file = given.text('secret-file') ?? '';
    output.note(output.say('enrolled-before', { id, area, file }));
    return exit.done;
  }
  output.note(output.say('cli-enrolled', { id, area }));
  give(given, output, secret);
  return exit.done;
}

// For scripts that run at each start: a gateway that has its secret keeps it.
function hasSecret(registry: Registry, area: string, id: string, file: string | undefined) {
  if (!file) throw new UsageError('--once --secret-file FILE');
  const known = registry.credentials().find(({ name }) => name === id);
  if (!known || known.area !== area || !existsSync(file)) return false;
  return known.sha256 === secretHash(readFileSync(file, 'utf8').trim());
}

async function token(given: Given, output: Output): Promise<number> {
  const name = given.words[0]!;
  const receiver = given.text('receiver');
  const custom = receiver === undefined ? 'read' : 'confirm';
  const { receivers } = configOf(given).notify;
  if (receiver !== undefined && !receivers.some(({ id }) => id === receiver)) {
    throw new Fault('notify_receiver_unknown', 'never', receiver);
  }
  const right = rights.find((each) => each === (given.text('right') ?? custom));
  if (!right) throw new UsageError(`--right ${rights.join('|')}`);
  const scope = given.text('scope') ?? '';
  const issued = withRegistry(given, (registry) =>
    registry.issueToken(
      { name, right, scope, acts: actsOf(given), receiver },
      systemClock.wallMs(),
      atConsole(),
    ),
  );
  output.note(output.say('cli-token-issued', { name, right }));
  give(given, output, issued);
  return exit.done;
}

// What was sent before is good for nothing; the next try of a message has a link that is.
async function linkKey(given: Given, output: Output): Promise<number> {
  const settings = { publicUrl: null, linkValidMs: 0 };
  withRegistry(given, ({ database, journal }) =>
    new Confirmations(systemRandom, database, settings).rotate(
      systemClock.wallMs(),
      journal,
      atConsole(),
    ),
  );
  output.note(output.say('links-ended', {}));
  return exit.done;
}

/** `--acts acknowledge,shelve`: instead of those customary with the right. */
function actsOf(given: Given): readonly Act[] | undefined {
  const typed = given.text('acts');
  if (typed === undefined) return undefined;
  const names = typed.split(',').filter((name) => name !== '');
  if (!names.every((name) => acts.some((act) => act === name))) {
    throw new UsageError(bilingual('acts-known', { known: acts.join(',') }));
  }
  return acts.filter((act) => names.includes(act));
}

function withRegistry<T>(given: Given, use: (registry: Registry) => T): T {
  return withRegistryOf(configOf(given), use);
}

function configOf(given: Given): CloudConfig {
  const file = given.text('config');
  if (!file) throw new UsageError('--config CLOUD.yaml');
  return loadCloud(file, process.env);
}

function withRegistryOf<T>(config: CloudConfig, use: (registry: Registry) => T): T {
  const registry = new Registry(systemRandom, join(writableFolder(config.folder), 'registry'));
  try {
    const result = use(registry);
    // What was written here is noted here: the cloud may never start again.
    registry.heads.note(registry.journal.head(), systemClock.wallMs());
    return result;
  } finally {
    registry.close();
  }
}

// Who sits at this machine, for the journal.
function atConsole(): Actor {
  try {
    return { name: userInfo().username, from: 'console' };
  } catch {
    // No account has this number, as in a container.
    return { name: `uid ${process.getuid?.() ?? '?'}`, from: 'console' };
  }
}

// Into a file only its owner reads, or on stdout for whoever asked.
function give(given: Given, output: Output, secret: string): void {
  const file = given.text('secret-file');
  if (!file) {
    output.print(secret);
    return;
  }
  writePrivate(file, secret);
}

// Whole or not at all: a broker may read it again at any moment.
function writePrivate(file: string, text: string, mode = 0o600): void {
  writableFolder(dirname(file));
  const unfinished = `${file}.new`;
  writeFileSync(unfinished, text, { mode: 0o600 });
  chmodSync(unfinished, mode);
  renameSync(unfinished, file);
}

const MOSQUITTO_USAGE = 'broker mosquitto --config CLOUD.yaml --out DIR';

// The files of a Mosquitto that keeps the rights of the registry.
async function writeBroker(given: Given, output: Output): Promise<number> {
  const out = given.text('out');
  if (given.words[0] !== 'mosquitto' || !out) throw new UsageError(MOSQUITTO_USAGE);
  const config = configOf(given);
  const { insecure } = config;
  const [broker] = foreignBrokers(config, given);
  if (!broker) throw new Fault('broker_is_embedded', 'never', MOSQUITTO_USAGE);
  if (broker.password === '') throw new Fault('broker_no_password', 'never', broker.url);
  const [certificate, key] = [given.text('certificate'), given.text('key')];
  if (!certificate !== !key) throw new UsageError('--certificate FILE --key FILE');
  const tls = certificate && key ? { certificate: resolve(certificate), key: resolve(key) } : null;
  const host = given.text('host') ?? '127.0.0.1';
  const port = given.number('port') ?? Number(new URL(broker.url).port || (tls ? 8883 : 1883));
  if (!isLoopback(host) && !tls && !insecure) {
    throw new Fault('broker_insecure', 'never', `${host}:${port}`);
  }
  const gateways = withRegistryOf(config, (registry) => registry.mosquittoGateways());
  const password = mosquittoPassword(systemRandom, broker.password);
  const cloud = { name: CLOUD_IDENTITY, password };
  const files = mosquittoFiles({ host, port, tls, folder: resolve(out), gateways, cloud });
  // The broker is another user: a folder with the set-group-id bit gives its files to its group.
  for (const [name, text] of Object.entries(files)) writePrivate(join(out, name), text, 0o640);
  const left = gateways.filter((gateway) => gateway.password === null);
  const count = gateways.length - left.length;
  output.print(output.say('broker-files-written', { folder: resolve(out), count }));
  for (const { id } of left) output.note(output.say('broker-gateway-left-out', { gateway: id }));
  return left.length > 0 ? exit.partly : exit.done;
}

// A file that exists stays as it is: scripts say this at each start.
async function secret(given: Given, output: Output): Promise<number> {
  const [file] = given.words as [string];
  if (existsSync(file)) {
    output.note(output.say('secret-kept', { file }));
    return exit.done;
  }
  // Standard Webhooks: `whsec_` and the key in base64.
  const text = given.flag('webhook')
    ? `whsec_${Buffer.from(systemRandom.bytes(32)).toString('base64')}`
    : makeSecret(systemRandom);
  writePrivate(file, text);
  output.note(output.say('secret-made', { file }));
  return exit.done;
}

async function check(given: Given, output: Output): Promise<number> {
  const [file] = given.words as [string];
  const gateway = given.text('as');
  if (gateway === undefined) {
    return checkFile(output, file, () => {
      loadCloud(file, process.env);
      return { findings: loadNotify(file).findings, beyond: 0 };
    });
  }
  const config = loadCloud(file, process.env);
  const secretFile = given.text('secret-file');
  if (!secretFile) throw new UsageError('check FILE --as GATEWAY --secret-file FILE');
  const known = withRegistryOf(config, (registry) => registry.gateways());
  const own = known.find(({ id }) => id === gateway);
  if (!own) throw new Fault('gateway_not_found', 'never', gateway);
  const neighbour = known.find(({ id, area }) => id !== gateway && area === own.area);
  const other = neighbour ?? known.find(({ id }) => id !== gateway);
  const [chosen] =
    given.text('broker') || config.broker.kind === 'url' ? foreignBrokers(config, given) : [];
  const url = chosen?.url ?? brokerUrl(config);
  const isCloudToo = given.flag('with-cloud') && chosen !== undefined;
  const checked = await checkRights(systemClock, {
    ...{ url, area: own.area, gateway, secret: readText(secretFile).trim() },
    other: other ? { area: other.area, gateway: other.id } : null,
    cloud: isCloudToo ? { name: CLOUD_IDENTITY, secret: chosen.password } : null,
  });
  return printRights(output, { url, gateway, checked });
}

/** Those that are not the embedded one; with `--broker URL` the one named. */
function foreignBrokers({ broker, otherBrokers }: CloudConfig, given: Given): OtherBroker[] {
  const all = [...(broker.kind === 'url' ? [broker] : []), ...otherBrokers];
  const named = given.text('broker');
  if (named === undefined) return all;
  const found = all.filter(({ url }) => url === named);
  if (found.length === 0) throw new UsageError(`--broker ${all.map(({ url }) => url).join('|')}`);
  return found;
}

function brokerUrl({ broker }: CloudConfig): string {
  if (broker.kind === 'url') return broker.url;
  const host = ['0.0.0.0', '::'].includes(broker.host) ? '127.0.0.1' : broker.host;
  return `mqtt://${host}:${broker.port}`;
}

interface RightsShown {
  readonly url: string;
  readonly gateway: string;
  readonly checked: readonly CheckedRight[];
}

function printRights(output: Output, { url, gateway, checked }: RightsShown): number {
  const countOf = (verdict: string) => checked.filter((right) => right.verdict === verdict).length;
  const [broken, unshown] = [countOf('broken'), countOf('unshown')];
  if (output.json) output.print(JSON.stringify({ url, gateway, rights: checked }));
  else {
    for (const { what, topic, verdict } of checked) {
      const word = fillBilingual(`right-${verdict}`, {})[output.language];
      output.print(`${word.padEnd(9)} ${fillBilingual(what, { topic })[output.language]}`);
    }
  }
  if (broken > 0) output.note(output.say('rights-broken', { url, gateway, count: broken }));
  if (unshown > 0) output.note(output.say('rights-unshown', { url, gateway, count: unshown }));
  if (broken > 0) return exit.found;
  if (unshown > 0) return exit.partly;
  output.note(output.say('rights-hold', { url, gateway, count: checked.length }));
  return exit.done;
}

export const verbs: Readonly<Record<string, Verb>> = {
  run: {
    usage: 'run FILE',
    summary: { en: 'run the cloud of a configuration file', zh: '按配置文件运行云端' },
    run,
  },
  check: {
    usage: 'check FILE',
    summary: {
      en: 'what is wrong with a configuration file; with --as, whether rights hold at its broker',
      zh: '检查云端配置文件；加 --as 可验证消息代理上的权限',
    },
    options: { as: 'text', 'secret-file': 'text', 'with-cloud': 'flag', broker: 'text' },
    run: check,
  },
  broker: {
    usage: 'broker KIND',
    summary: {
      en: 'write the files of another broker (mosquitto) from the registry',
      zh: '由登记库生成外部消息代理（mosquitto）的配置文件',
    },
    options: {
      config: 'text',
      broker: 'text',
      out: 'text',
      host: 'text',
      port: 'port',
      certificate: 'text',
      key: 'text',
    },
    run: writeBroker,
  },
  secret: {
    usage: 'secret FILE',
    summary: {
      en: 'make a random secret in a file, unless it exists',
      zh: '在文件中生成随机密钥（文件已存在则保留）',
    },
    options: { webhook: 'flag' },
    run: secret,
  },
  enrol: {
    usage: 'enrol AREA/GATEWAY',
    summary: { en: 'make a gateway and its secret', zh: '登记网关并生成密钥' },
    options: { config: 'text', 'secret-file': 'text', once: 'flag' },
    run: enrol,
  },
  command: commandVerb,
  drill: drillVerb,
  gateway: gatewayVerb,
  path: pathVerb,
  warning: warningVerb,
  'dead-letters': deadLettersVerb,
  'link-key': {
    usage: 'link-key',
    summary: {
      en: 'end every link that messages carry, by a new key',
      zh: '更换链接密钥，使已发出的确认链接全部失效',
    },
    options: { config: 'text' },
    run: linkKey,
  },
  token: {
    usage: 'token NAME',
    summary: { en: 'make a bearer token for the API', zh: '生成 API 访问令牌' },
    options: {
      ...{ config: 'text', right: 'text', scope: 'text', acts: 'text' },
      ...{ receiver: 'text', 'secret-file': 'text' },
    },
    run: token,
  },
};
