// `lifeline cloud command`: what may be commanded, commanding it, and what became of it. The id is
// drawn here, so that a call whose answer was lost is made again and is no second command.
import { COMMAND_ID } from '../cloud/commands/command.ts';
import { hex } from '../core/bytes.ts';
import { systemClock } from '../core/clock.ts';
import type { CommandReason } from '../core/command.ts';
import { parseDuration } from '../core/duration.ts';
import { isFault } from '../core/fault.ts';
import { systemRandom } from '../core/random.ts';
import type { Bilingual } from '../core/text/text.ts';
import { bilingual, fillBilingual } from '../core/text/text.ts';
import { stopSignal } from './child.ts';
import { Client, clientOptions } from './client.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

type Plain = number | boolean | string | null;

interface Settled {
  readonly outcome: 'done' | 'refused' | 'expired' | 'failed' | 'uncertain';
  readonly reason: CommandReason;
  readonly text: Bilingual;
  readonly advice: Bilingual;
  readonly detail: string;
  readonly read_back: Plain;
  readonly by: string;
  readonly at: string;
}

interface Command {
  readonly id: string;
  readonly number: number;
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly command: string;
  readonly value: Plain;
  readonly unit: string;
  readonly why: string;
  readonly by: string;
  readonly second: string | null;
  readonly state: 'waiting' | 'issued' | Settled['outcome'];
  readonly asked: string;
  readonly lapses: string | null;
  readonly issued: string | null;
  readonly epoch: string | null;
  readonly sequence: number | null;
  readonly time_to_live_ms: number;
  readonly settled: Settled | null;
  readonly late: Settled | null;
  readonly approval: number | null;
}

interface Offer {
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly command: string;
  readonly title: Bilingual;
  readonly value: Plain;
  readonly unit: string;
  readonly wanted: Bilingual | null;
  readonly right: string;
  readonly allowed: boolean;
  readonly two_people: boolean;
  readonly every_ms: number;
  readonly time_to_live_ms: number;
  readonly revert: { readonly after_ms: number; readonly value: Plain } | null;
}

const USAGE = 'command offers|send|list|show|follow';
const SEND_USAGE = 'command send GATEWAY/DEVICE/POINT [COMMAND] --why TEXT';
const PAGE = 1_000;
/** As many as no two of a day share by chance. */
const ID_SIGNS_MIN = 4;
const ID_SIGNS_SHOWN = 8;
/** What the edge and the way back take beyond the time to live. */
const GRACE_MS = 30_000;
const LOOK_MS = 300;
const TRIES = 3;
const never = new AbortController().signal;

const unitOf = ({ unit }: { readonly unit: string }) => (unit === '1' ? '' : ` ${unit}`);
const seconds = (ms: number) => `${ms / 1_000} s`;
const targetOf = ({ gateway, device, point }: Pick<Command, 'gateway' | 'device' | 'point'>) =>
  `${gateway}/${device}/${point}`;

async function all<Item>(client: Client, path: string, query: URLSearchParams): Promise<Item[]> {
  const items: Item[] = [];
  query.set('limit', String(PAGE));
  for (;;) {
    const page = await client.get<{ items: Item[]; next: string | null }>(`${path}?${query}`);
    items.push(...page.items);
    if (page.next === null) return items;
    query.set('after', page.next);
  }
}

async function offers(given: Given, output: Output): Promise<number> {
  const [, under = ''] = given.words;
  const [gateway = '', device = '', point] = under.split('/');
  const query = new URLSearchParams({ ...(gateway && { gateway }), ...(device && { device }) });
  const found = (await all<Offer>(Client.from(given, output), '/v1/offers', query)).filter(
    (it) => point === undefined || it.point === point,
  );
  if (output.json) output.print(JSON.stringify(found));
  else if (found.length === 0) output.print(output.say('command-cli-no-offers', {}));
  else for (const offer of found) output.print(offerLine(offer, output));
  return exit.done;
}

function offerLine(offer: Offer, { language, say }: Output): string {
  const { command, title, value, wanted, right, allowed, two_people: isTwo } = offer;
  const what = wanted ? wanted[language] : `${value}${unitOf(offer)}`;
  const marks = [
    ...(allowed ? [] : [say('command-cli-not-yours', {})]),
    ...(isTwo ? [say('command-cli-two', {})] : []),
    ...(offer.every_ms > 0 ? [say('command-cli-every', { every: seconds(offer.every_ms) })] : []),
    say('command-cli-ttl', { ttl: seconds(offer.time_to_live_ms) }),
    ...(offer.revert ? [revertText(offer.revert, say)] : []),
  ];
  const said = [`${targetOf(offer)} ${command}`, title[language], what, right, ...marks];
  return said.filter(Boolean).join('  ');
}

function revertText({ after_ms, value }: NonNullable<Offer['revert']>, say: Output['say']): string {
  return say('command-cli-revert', { value: String(value), after: seconds(after_ms) });
}

/** A value as it is typed: a number, true or false, text. */
export function typedValue(text: string | undefined): Plain {
  if (text === undefined) return null;
  if (text === 'true' || text === 'false') return text === 'true';
  const number = Number(text);
  const isNumber = text.trim() !== '' && Number.isFinite(number);
  // A whole number that no double holds goes as its digits.
  return isNumber && (!Number.isInteger(number) || Number.isSafeInteger(number)) ? number : text;
}

async function send(given: Given, output: Output): Promise<number> {
  const [, target = '', command = 'set'] = given.words;
  const [gateway, device, point, ...more] = target.split('/');
  if (!gateway || !device || !point || more.length > 0) {
    throw new UsageError(SEND_USAGE);
  }
  const ttl = given.text('ttl');
  const timeToLiveMs = ttl === undefined ? undefined : parseDuration(ttl);
  if (ttl !== undefined && timeToLiveMs === undefined) throw new UsageError('--ttl 5s|30s|2m');
  const id = given.text('id') ?? hex(systemRandom.bytes(16));
  if (!COMMAND_ID.test(id)) throw new UsageError(bilingual('command-cli-id', { found: id }));
  const body = {
    ...{ id, gateway, device, point, command, value: typedValue(given.text('value')) },
    why: needed(given, 'why'),
    ...(timeToLiveMs !== undefined && { time_to_live_ms: timeToLiveMs }),
  };
  const client = Client.from(given, output);
  try {
    const asked = await post(client, body);
    if (asked.approval !== null) {
      const values = { id: asked.approval, until: localTime(asked.lapses ?? asked.asked) };
      output.note(output.say('command-cli-waits', values));
    }
    const isOver = given.flag('no-wait') || asked.settled !== null;
    const found = isOver ? asked : await outcome(client, asked, stopSignal());
    print(found, output);
    return exitOf(found, given.flag('no-wait'));
  } catch (error) {
    // Only a refusal says that it was not taken; only here is the id known.
    const isRefused = isFault(error) && error.code !== 'cli_unreachable';
    if (!isRefused) output.note(output.say('command-cli-unheard', { id }));
    throw error;
  }
}

// The cloud may have taken it although nobody heard so: under its id it is the same command.
async function post(client: Client, body: object): Promise<Command> {
  for (let tries = 1; ; tries++) {
    try {
      return await client.post<Command>('/v1/commands', body);
    } catch (error) {
      if (!isFault(error) || error.code !== 'cli_unreachable' || error.retry !== 'later')
        throw error;
      if (tries === TRIES) throw error;
      await systemClock.sleep(LOOK_MS * tries, never);
    }
  }
}

/** As it is when its outcome has come, or when none comes any more in time. */
async function outcome(client: Client, asked: Command, signal: AbortSignal): Promise<Command> {
  const path = `/v1/commands/${asked.id}`;
  let found = asked;
  let endMs = Number.POSITIVE_INFINITY;
  while (found.settled === null && !signal.aborted && systemClock.monoMs() < endMs) {
    await systemClock.sleep(LOOK_MS, signal);
    // A cloud that is started anew meanwhile goes on with it.
    found = await client.get<Command>(path).catch((error) => {
      if (isFault(error) && error.code === 'cli_unreachable') return found;
      throw error;
    });
    if (found.state === 'issued' && endMs === Number.POSITIVE_INFINITY) {
      endMs = systemClock.monoMs() + found.time_to_live_ms + GRACE_MS;
    }
  }
  signal.throwIfAborted();
  return found;
}

/** The exit codes of docs/command-line.md. */
function exitOf({ state }: Command, isOnlyAsked: boolean): number {
  switch (state) {
    case 'done':
      return exit.done;
    case 'refused':
    case 'expired':
    case 'failed':
      return exit.found;
    case 'uncertain':
      return exit.partly;
    case 'waiting':
    case 'issued':
      return isOnlyAsked ? exit.done : exit.remoteTimeout;
  }
}

// What was commanded at a gateway is named `local-…` and `revert-…`.
const shortId = (id: string) => id.slice(0, id.indexOf('-') + 1 + ID_SIGNS_SHOWN);

function line(it: Command, { language, say }: Output): string {
  const { state, by, second, why, settled, value } = it;
  const word =
    state === 'waiting' || state === 'issued'
      ? say(`command-state-${state}`, {})
      : say(`command-outcome-${state}`, {});
  const what = `${targetOf(it)} ${it.command}${value === null ? '' : ` = ${value}${unitOf(it)}`}`;
  const who = second ? `${by} + ${second}` : by;
  const isPlain = !settled || (settled.outcome === 'done' && settled.reason === 'none');
  const result = isPlain ? [] : [settled.text[language], quoted(settled.detail)];
  return [shortId(it.id), localTime(it.asked), word, what, who, quoted(why), ...result]
    .filter(Boolean)
    .join('  ');
}

// What a gateway or a person wrote may hold anything: control signs are shown, never sent on.
const quoted = (text: string) => JSON.stringify(text).slice(1, -1);

function print(it: Command, output: Output): void {
  if (output.json) {
    output.print(JSON.stringify(it));
    return;
  }
  output.print(line(it, output));
  for (const said of [it.settled, it.late]) {
    if (!said) continue;
    const { language, say } = output;
    if (said === it.late) output.print(say('command-cli-late', { by: said.by }));
    const { read_back: back } = said;
    const word = say(`command-outcome-${said.outcome}`, {});
    const told = [localTime(said.at), word, said.text[language], quoted(said.detail), said.by];
    output.print(`  ${told.filter(Boolean).join('  ')}`);
    if (back !== null) {
      output.print(`  ${say('command-cli-read-back', { value: `${back}${unitOf(it)}` })}`);
    }
    if (said.reason !== 'none') output.print(`  -> ${said.advice[language]}`);
  }
}

async function list(given: Given, output: Output): Promise<number> {
  const query = new URLSearchParams({ limit: String(given.number('limit') ?? 200) });
  for (const name of ['gateway', 'device', 'point', 'state']) {
    const text = given.text(name);
    if (text !== undefined) query.set(name, text);
  }
  const client = Client.from(given, output);
  const { items } = await client.get<{ items: Command[] }>(`/v1/commands?${query}`);
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('command-cli-none', {}));
  else for (const it of items) output.print(line(it, output));
  return given.flag('follow') ? follow(given, output) : exit.done;
}

/** By its id, or by how that begins among the newest. */
async function find(client: Client, typed: string): Promise<Command> {
  if (COMMAND_ID.test(typed)) return client.get<Command>(`/v1/commands/${typed}`);
  if (typed.length < ID_SIGNS_MIN) {
    throw new UsageError(bilingual('cli-id-short', { typed, least: ID_SIGNS_MIN }));
  }
  const { items } = await client.get<{ items: Command[] }>(`/v1/commands?limit=${PAGE}`);
  const matches = items.filter(({ id }) => id.startsWith(typed));
  if (matches.length === 1) return matches[0]!;
  // An older one, or one that a gateway named.
  if (matches.length === 0) return client.get(`/v1/commands/${encodeURIComponent(typed)}`);
  const ids = matches.slice(0, 5).map(({ id }) => id.slice(0, 16));
  throw new UsageError(bilingual('cli-id-many', { typed, ids: ids.join(' ') }));
}

async function show(given: Given, output: Output): Promise<number> {
  const [, typed = ''] = given.words;
  const it = await find(Client.from(given, output), typed);
  print(it, output);
  if (!output.json) {
    const { id, epoch, sequence, issued, time_to_live_ms: ttl } = it;
    const sent = { epoch: epoch ?? '-', sequence: sequence ?? '-', ttl: seconds(ttl) };
    const at = issued ? localTime(issued) : '-';
    output.print(`  ${output.say('command-cli-issued', { id, at, ...sent })}`);
    if (it.approval !== null) {
      const values = { id: it.approval, until: localTime(it.lapses ?? it.asked) };
      output.print(`  ${output.say('command-cli-waits', values)}`);
    }
  }
  return exit.done;
}

/** Until Ctrl-C. */
async function follow(given: Given, output: Output): Promise<number> {
  for await (const { event, data } of Client.from(given, output).stream('commands', stopSignal())) {
    if (!event.startsWith('command.')) continue;
    if (output.json) output.print(JSON.stringify({ event, data }));
    else output.print(line(data as Command, output));
  }
  return exit.done;
}

const actions: Readonly<Record<string, (given: Given, output: Output) => Promise<number>>> = {
  offers,
  send,
  list,
  show,
  follow,
};

/** Words of each action after its name, the least and the most. */
const wordCounts: Readonly<Record<string, readonly [number, number]>> = {
  offers: [0, 1],
  send: [1, 2],
  list: [0, 0],
  show: [1, 1],
  follow: [0, 0],
};

export const commandVerb: Verb = {
  usage: 'command ACTION [WHAT] [COMMAND]',
  actions: Object.keys(actions),
  summary: {
    en: fillBilingual('command-cli-summary', {}).en,
    zh: fillBilingual('command-cli-summary', {}).zh,
  },
  options: {
    ...clientOptions,
    ...{ why: 'text', value: 'text', ttl: 'text', id: 'text', 'no-wait': 'flag' },
    ...{ gateway: 'text', device: 'text', point: 'text', state: 'text', limit: 'number' },
    follow: 'flag',
  },
  run: async (given, output) => {
    const [name = '', ...rest] = given.words;
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    const [least, most] = wordCounts[name] ?? [0, 0];
    if (!action || rest.length < least || rest.length > most) throw new UsageError(USAGE);
    return action(given, output);
  },
};
