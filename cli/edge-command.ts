// `lifeline edge command`: what may be commanded at this gateway, and commanding it, for when it is
// alone. It asks the agent that runs; the same door decides as for the cloud.
import { userInfo } from 'node:os';
import { join } from 'node:path';
import type { CommandReason, Outcome } from '../core/command.ts';
import { Fault, systemDetail } from '../core/fault.ts';
import { dashed } from '../core/text/commands.ts';
import type { Bilingual } from '../core/text/text.ts';
import { bilingual } from '../core/text/text.ts';
import { loadGateway } from '../edge/config/loader.ts';
import { TOKEN_FILE } from '../edge/status.ts';
import { typedValue } from './cloud-command.ts';
import { readText } from './files.ts';
import type { Given, Output } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

type Plain = number | boolean | string | null;

interface Asked {
  readonly id: string;
  readonly point: string;
  readonly command: string;
  readonly value: Plain;
  readonly why: string;
  readonly by: string;
}

interface Settled extends Asked {
  readonly outcome: Outcome;
  readonly reason: CommandReason;
  readonly detail: string;
  readonly readBack: Plain;
  readonly second: string;
}

interface Waiting extends Asked {
  readonly waits: true;
  readonly lapsesInMs: number;
}

interface Listed {
  readonly offers: readonly {
    readonly point: string;
    readonly command: string;
    readonly title: Bilingual;
    readonly value: Plain;
    readonly range: readonly [number, number] | null;
    readonly states: readonly Plain[] | null;
    readonly twoPeople: boolean;
  }[];
  readonly waiting: readonly Waiting[];
  readonly recent: readonly Settled[];
  readonly state: {
    readonly reversals: readonly {
      readonly point: string;
      readonly value: Plain;
      readonly inMs: number;
      readonly heldBy: string | null;
    }[];
  };
}

const USAGE = 'command FILE [DEVICE.POINT[.COMMAND]|release] [VALUE|ID]';

interface Door {
  readonly url: string;
  readonly token: string;
}

function doorOf(file: string): Door {
  const { config } = loadGateway(file, { environment: process.env });
  const { host, port } = config.status;
  const address = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const name = address.includes(':') ? `[${address}]` : address;
  const token = readText(join(config.outbox.folder, TOKEN_FILE)).trim();
  return { url: `http://${name}:${port}`, token };
}

async function call<Answer>({ url, token }: Door, path: string, body?: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`${url}${path}`, {
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
  } catch (error) {
    throw new Fault('cli_unreachable', 'later', systemDetail(url, error), error);
  }
  const answer = (await response.json()) as Answer & { readonly detail?: string };
  if (response.ok) return answer;
  const values = { status: response.status, detail: answer.detail ?? '' };
  throw new Fault('edge_command_refused', 'never', bilingual('edge-command-refused', values));
}

/** Who sits at the keyboard: behind sudo, too. */
function whoAsks(): string {
  const name = process.env['SUDO_USER'] || userInfo().username;
  return name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64);
}

export async function run(given: Given, output: Output): Promise<number> {
  const [file = '', target, word] = given.words;
  if (target === undefined) return list(doorOf(file), output);
  if (target === 'release') {
    if (word === undefined) throw new UsageError('command FILE release ID');
    const path = `/commands/${encodeURIComponent(word)}/release`;
    return tell(await call<Settled>(doorOf(file), path, { by: whoAsks() }), output);
  }
  const [, device, point, command = 'set'] =
    /^([a-z0-9-]+)[./]([a-z0-9-]+)(?:\.([a-z0-9-]+))?$/.exec(target) ?? [];
  if (!device || !point) throw new UsageError(USAGE);
  const about = { point: `${device}/${point}`, command, value: typedValue(word) };
  const body = { ...about, why: needed(given, 'why'), by: whoAsks() };
  const answer = await call<Settled | Waiting>(doorOf(file), '/commands', body);
  if (!('waits' in answer)) return tell(answer, output);
  if (output.json) output.print(JSON.stringify(answer));
  else {
    const minutes = Math.round(answer.lapsesInMs / 60_000);
    output.print(output.say('edge-command-waits', { id: answer.id, minutes, file }));
  }
  return exit.done;
}

function tell(settled: Settled, output: Output): number {
  const { outcome, reason, readBack } = settled;
  if (output.json) output.print(JSON.stringify(settled));
  else {
    output.print(line(settled, output));
    if (readBack !== null) {
      output.print(`  ${output.say('command-cli-read-back', { value: `${readBack}` })}`);
    }
    if (reason !== 'none')
      output.print(`  -> ${output.say(`command-advice-${dashed(reason)}`, {})}`);
  }
  if (outcome === 'done') return exit.done;
  return outcome === 'uncertain' ? exit.partly : exit.found;
}

function whatOf({ point, command, value }: Asked): string {
  return `${point} ${command}${value === null ? '' : ` = ${value}`}`;
}

function line(settled: Settled, { say }: Output): string {
  const { id, by, second, outcome, reason, detail } = settled;
  const what = whatOf(settled);
  const why = reason === 'none' ? '' : say(`command-reason-${dashed(reason)}`, {});
  const who = second ? `${by} + ${second}` : by;
  return [id.slice(0, 15), say(`command-outcome-${outcome}`, {}), what, who, why, quoted(detail)]
    .filter(Boolean)
    .join('  ');
}

// What came over the network may hold anything: control signs are shown, never sent on.
const quoted = (text: string) => JSON.stringify(text).slice(1, -1);

async function list(door: Door, output: Output): Promise<number> {
  const listed = await call<Listed>(door, '/commands');
  if (output.json) {
    output.print(JSON.stringify(listed));
    return exit.done;
  }
  const { language, say } = output;
  if (listed.offers.length === 0) output.print(say('command-cli-no-offers', {}));
  for (const { point, command, title, value, range, states, twoPeople } of listed.offers) {
    const wanted = value ?? states?.join(' | ') ?? range?.join(' … ') ?? '';
    const two = twoPeople ? say('command-cli-two', {}) : '';
    const name = `${point.replace('/', '.')}.${command}`;
    output.print([name, title[language], `${wanted}`, two].filter(Boolean).join('  '));
  }
  for (const it of listed.waiting) {
    const { id, by, why } = it;
    output.print([id, say('command-state-waiting', {}), whatOf(it), by, quoted(why)].join('  '));
  }
  for (const { point, value, inMs, heldBy } of listed.state.reversals) {
    const values = { point, value: `${value}`, seconds: Math.ceil(inMs / 1000) };
    const held = heldBy ? `  ${quoted(heldBy)}` : '';
    output.print(`${say('edge-command-reversal', values)}${held}`);
  }
  for (const settled of listed.recent) output.print(line(settled, output));
  return exit.done;
}
