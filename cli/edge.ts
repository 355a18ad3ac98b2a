import { flushCompileCache } from 'node:module';
import { systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/random.ts';
import { unitSymbol } from '../core/units.ts';
import { runAgent } from '../edge/agent.ts';
import { commandLines } from '../edge/config/commands-text.ts';
import { fallbackLines } from '../edge/config/fallback.ts';
import { loadGateway } from '../edge/config/loader.ts';
import { aborted, answerParent, stopSignal, tellParent } from './child.ts';
import { writableFolder } from './files.ts';
import { checkFile } from './findings.ts';
import { makeLog } from './log.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit } from './verb.ts';
import { versionText } from './version.ts';

const DRAIN_MS = 5_000;
/** All is loaded then. The end of a gateway is a power cut, at which nothing is written. */
const COMPILED_AFTER_MS = 10_000;

async function run(given: Given, output: Output): Promise<number> {
  const { config, secret, secondSecret, identities } = loadGateway(given.words[0]!, {
    environment: process.env,
  });
  writableFolder(config.outbox.folder);
  const signal = stopSignal();
  for (const what of config.insecure) {
    output.note(output.say('cli-insecure-said', { what: what[output.language] }));
  }
  const log = makeLog(config.gateway.id);
  const options = { secret, secondSecret, identities, software: versionText() };
  const agent = await runAgent(systemClock, systemRandom, log, config, options);
  const address = `${config.status.host}:${agent.statusPort}`;
  output.note(output.say('cli-listening', { name: config.gateway.id, address }));
  answerParent({
    counters: () => agent.counters(),
    'stop-collecting': () => agent.stopCollecting(),
  });
  tellParent({ kind: 'ready', facts: { epoch: agent.epoch, status: agent.statusPort } });
  const cancel = systemClock.after(COMPILED_AFTER_MS, () => flushCompileCache());
  await aborted(signal);
  cancel();
  output.note(output.say('cli-stopping', { name: config.gateway.id }));
  await agent.close(DRAIN_MS);
  if (output.json) output.print(JSON.stringify(agent.counters()));
  return exit.done;
}

async function check(given: Given, output: Output): Promise<number> {
  const [file] = given.words as [string];
  let commands: readonly string[] = [];
  const code = checkFile(output, file, () => {
    const { config } = loadGateway(file, { environment: process.env });
    const { language } = output;
    commands = [...commandLines(config, language), ...fallbackLines(config, language)];
    for (const what of config.insecure) {
      output.note(output.say('cli-insecure-said', { what: what[output.language] }));
    }
    return { findings: config.warnings, beyond: config.warningsBeyond };
  });
  if (!output.json) for (const line of commands) output.print(line);
  return code;
}

async function points(given: Given, output: Output): Promise<number> {
  const { config } = loadGateway(given.words[0]!, { environment: process.env });
  if (output.json) {
    output.print(JSON.stringify(config.points));
    return exit.done;
  }
  for (const { device, point, name, unit, periodMs, rules } of config.points) {
    const id = `${device}/${point}`.padEnd(36);
    const every = `${periodMs / 1000} s`.padStart(7);
    const alarms = rules.map((rule) => rule.id).join(' ');
    const symbol = unitSymbol(unit, output.language).padEnd(6);
    output.print(`${id} ${every}  ${symbol} ${name[output.language]}  ${alarms}`);
  }
  return exit.done;
}

export const verbs: Readonly<Record<string, Verb>> = {
  run: {
    usage: 'run FILE',
    summary: { en: 'run the gateway of a configuration file', zh: '按配置文件运行网关' },
    run,
  },
  check: {
    usage: 'check FILE',
    summary: { en: 'what is wrong with a configuration file', zh: '检查网关配置文件' },
    run: check,
  },
  points: {
    usage: 'points FILE',
    summary: {
      en: 'the points a gateway reads, how often, and their alarms',
      zh: '列出网关读取的测点、周期和报警',
    },
    run: points,
  },
  // Loaded when they are used: what they need is a good part of what a gateway would start with.
  browse: {
    usage: 'browse ENDPOINT',
    summary: {
      en: 'what an OPC UA server has, as a tree; --profile OUT.yaml drafts a profile of it',
      zh: '以树形列出 OPC UA 服务器的内容；--profile OUT.yaml 生成型号文件草稿',
    },
    options: {
      ...{ under: 'text', search: 'text', depth: 'number', nodes: 'number' },
      ...{ user: 'text', 'password-file': 'text', gateway: 'text', host: 'text' },
      ...{ policy: 'text', mode: 'text', insecure: 'flag', profile: 'text' },
    },
    run: async (given, output) => (await import('./edge-browse.ts')).run(given, output),
  },
  trust: {
    usage: 'trust ACTION GATEWAY_FILE [FINGERPRINT]',
    summary: {
      en: 'OPC UA servers this gateway believes: list, show, accept, reject, remove; its own certificate: own, renew',
      zh: '网关信任的 OPC UA 服务器：list、show、accept、reject、remove；网关自己的证书：own、renew',
    },
    options: { file: 'text', out: 'text', 'new-key': 'flag', use: 'flag' },
    run: async (given, output) => (await import('./edge-trust.ts')).run(given, output),
  },
  command: {
    usage: 'command FILE [DEVICE.POINT[.COMMAND]|release] [VALUE|ID]',
    summary: {
      en: 'command a device at the gateway itself, or list what may be commanded',
      zh: '在网关本地向设备下达命令，或列出可用命令',
    },
    options: { why: 'text' },
    run: async (given, output) => (await import('./edge-command.ts')).run(given, output),
  },
};
