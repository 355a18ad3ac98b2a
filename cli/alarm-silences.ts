// `lifeline alarm silences`: for a while nobody is told of alarms that fit.
import type { Match } from '../cloud/notify/route.ts';
import { fillBilingual } from '../core/text/text.ts';
import { minutesOf } from './alarm-acts.ts';
import { matchText } from './alarm-routes.ts';
import { Client, clientOptions } from './client.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

interface Silence {
  readonly number: number;
  readonly match: Match;
  readonly by: string;
  readonly reason: string;
  readonly until: string;
}

const USAGE = 'silences list | add --for 2h --reason TEXT --gateway gas-1 [...] | end NUMBER';
/** Each takes several, with commas between. */
const parts = {
  areas: 'area',
  gateways: 'gateway',
  assets: 'asset',
  levels: 'level',
  kinds: 'kind',
  rules: 'rule',
} as const;

function lineOf({ number, match, by, reason, until }: Silence, { say }: Output): string {
  const values = { number, by, reason, until: localTime(until), match: matchText(match) };
  return say('silence-cli-line', values);
}

function matchOf(given: Given): Record<string, readonly (string | number)[]> {
  const entries = Object.entries(parts).flatMap(([part, option]) => {
    const values = given.text(option)?.split(',');
    if (values === undefined) return [];
    return [[part, part === 'levels' ? values.map(Number) : values] as const];
  });
  return Object.fromEntries(entries);
}

async function list(client: Client, output: Output): Promise<void> {
  const { items } = await client.get<{ items: Silence[] }>('/v1/silences');
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('silence-cli-none', {}));
  else for (const item of items) output.print(lineOf(item, output));
}

async function add(client: Client, given: Given, output: Output): Promise<void> {
  const [minutes, reason] = [minutesOf(given), needed(given, 'reason')];
  const body = { match: matchOf(given), minutes, reason };
  const silence = await client.post<Silence>('/v1/silences', body);
  output.print(output.json ? JSON.stringify(silence) : lineOf(silence, output));
}

async function end(client: Client, number: string, output: Output): Promise<void> {
  const path = `/v1/silences/${encodeURIComponent(number)}/end`;
  const silence = await client.post<Silence>(path, {});
  if (output.json) output.print(JSON.stringify(silence));
  else output.print(output.say('silence-cli-ended', { number: silence.number }));
}

export const silencesVerb: Verb = {
  usage: 'silences ACTION [NUMBER]',
  actions: ['list', 'add', 'end'],
  summary: fillBilingual('silence-cli-summary', {}),
  options: {
    ...clientOptions,
    ...{ for: 'text', reason: 'text', area: 'text', gateway: 'text', asset: 'text' },
    ...{ level: 'text', kind: 'text', rule: 'text' },
  },
  run: async (given, output) => {
    const client = Client.from(given, output);
    const [action, number] = given.words;
    if (action === 'list' && number === undefined) await list(client, output);
    else if (action === 'add' && number === undefined) await add(client, given, output);
    else if (action === 'end' && number !== undefined) await end(client, number, output);
    else throw new UsageError(USAGE);
    return exit.done;
  },
};
