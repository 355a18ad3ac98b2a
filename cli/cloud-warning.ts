// `lifeline cloud warning`: warnings to other systems, from draft to document. Nothing leaves by
// one person: `release` is called by both, the first asks and the second releases.

import type { Bilingual } from '../core/text/text.ts';
import { bilingual, fillBilingual } from '../core/text/text.ts';
import { Client, clientOptions } from './client.ts';
import { levels } from './columns.ts';
import { readText, writeNew } from './files.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

interface Content {
  readonly level: 1 | 2 | 3 | 4;
  readonly headline: Bilingual;
  readonly description: Bilingual;
  readonly instruction: Bilingual | null;
  readonly place: Bilingual;
  readonly responses: readonly string[];
}

interface Warning {
  readonly id: string;
  readonly revision: number;
  readonly state: 'drafted' | 'released' | 'updated' | 'cancelled' | 'expired' | 'dropped';
  readonly status: 'Actual' | 'Exercise' | 'Test' | 'Draft';
  readonly level: 1 | 2 | 3 | 4;
  readonly key: string;
  readonly headline: Bilingual;
  readonly draft: {
    readonly type: 'Alert' | 'Update' | 'Cancel';
    readonly by: string;
    readonly at: string;
    readonly note: Bilingual | null;
    readonly content: Content;
  } | null;
  readonly waiting: { readonly id: number; readonly by: string; readonly until: string } | null;
  readonly messages: number;
  readonly expires: string | null;
}

interface Whole extends Warning {
  readonly told: readonly {
    readonly message: number;
    readonly type: 'Alert' | 'Update' | 'Cancel';
    readonly identifier: string;
    readonly sent: string;
    readonly expires: string;
    readonly released_by: readonly [string, string];
    readonly content: Content;
    readonly broadcast: { readonly ebd: string; readonly signed_by: string | null } | null;
    readonly receipts: readonly {
      readonly receiver: string;
      readonly state: 0 | 1 | 2;
      readonly note: string;
      readonly at: string;
    }[];
  }[];
}

const USAGE = 'warning draft|list|show|update|cancel|release|drop|document|feed';
const lower = <Word extends string>(word: Word) => word.toLowerCase() as Lowercase<Word>;

/** `7` is `wrn-7`. */
function pathOf(given: Given): string {
  const [, typed = ''] = given.words;
  const id = /^\d+$/.test(typed) ? `wrn-${typed}` : typed;
  return `/v1/warnings/${encodeURIComponent(id)}`;
}

// The words of a person, as the API has them: {"headline": {"en": "...", "zh": "..."}, ...}.
function wordsOf(given: Given): object {
  const file = given.text('words');
  if (file === undefined) return {};
  try {
    const words: unknown = JSON.parse(readText(file));
    if (typeof words === 'object' && words !== null && !Array.isArray(words)) return words;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UsageError(bilingual('warning-cli-words', { file }));
}

function noteOf(given: Given): object {
  const note = given.text('note');
  return note === undefined ? {} : { note: { en: note, zh: note } };
}

async function draft(given: Given, output: Output): Promise<number> {
  const [, alarm] = given.words;
  const ofCase = given.text('case');
  if ((alarm === undefined) === (ofCase === undefined)) {
    throw new UsageError('draft ALARM | --case NUMBER');
  }
  const what = alarm === undefined ? { case: ofCase } : { alarm };
  const body = { ...what, ...wordsOf(given) };
  return shown(await Client.from(given, output).post<Warning>('/v1/warnings', body), output);
}

async function update(given: Given, output: Output): Promise<number> {
  const body = { ...wordsOf(given), ...noteOf(given) };
  return act(given, output, 'draft', body);
}

async function cancel(given: Given, output: Output): Promise<number> {
  return act(given, output, 'draft', { type: 'Cancel', ...wordsOf(given), ...noteOf(given) });
}

async function drop(given: Given, output: Output): Promise<number> {
  return act(given, output, 'drop', { reason: needed(given, 'why') });
}

async function act(given: Given, output: Output, verb: string, body: object): Promise<number> {
  const client = Client.from(given, output);
  return shown(await client.post<Warning>(`${pathOf(given)}/${verb}`, body), output);
}

// What is released is what was read here: a draft that changes meanwhile is refused (412).
async function release(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  const read = await client.get<Warning>(pathOf(given));
  if (!output.json) printDraft(read, output);
  const body = { reason: given.text('why') ?? '' };
  const how = { revision: read.revision };
  const it = await client.post<Warning>(`${pathOf(given)}/release`, body, how);
  if (output.json) output.print(JSON.stringify(it));
  else output.print(line(it, output));
  if (it.waiting === null) return exit.done;
  const { by, until } = it.waiting;
  output.note(output.say('warning-cli-waits', { id: it.id, by, until: localTime(until) }));
  return exit.done;
}

function shown(it: Warning, output: Output): number {
  if (output.json) output.print(JSON.stringify(it));
  else {
    output.print(line(it, output));
    printDraft(it, output);
  }
  return exit.done;
}

function line(it: Warning, { language, say }: Output): string {
  const { id, state, status, level, key, headline, draft: next, waiting, expires } = it;
  const marks = [
    ...(status === 'Actual' ? [] : [say(`warning-status-${lower(status)}`, {})]),
    ...(next
      ? [say('warning-cli-next', { type: say(`warning-type-${lower(next.type)}`, {}) })]
      : []),
    ...(waiting ? [say('warning-cli-asked', { by: waiting.by })] : []),
    ...(expires ? [say('warning-cli-until', { until: localTime(expires) })] : []),
  ];
  const word = say(`warning-state-${state}`, {});
  return [id, levels[level], word, key, headline[language], ...marks].filter(Boolean).join('  ');
}

function printDraft({ draft: next }: Warning, output: Output): void {
  if (!next) return;
  const { content, note } = next;
  const { headline, description, instruction, place, responses } = content;
  const told = [headline, description, instruction, place, note].filter((each) => each !== null);
  for (const each of told) output.print(`  ${each.zh}\n  ${each.en}`);
  output.print(`  ${responses.join(' ')}`);
}

async function list(given: Given, output: Output): Promise<number> {
  const state = given.text('state') ?? 'open';
  const limit = String(given.number('limit') ?? 200);
  const query = new URLSearchParams({ state, limit });
  const client = Client.from(given, output);
  const { items } = await client.get<{ items: Warning[] }>(`/v1/warnings?${query}`);
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('warning-cli-none', {}));
  else for (const it of items) output.print(line(it, output));
  return exit.done;
}

async function show(given: Given, output: Output): Promise<number> {
  const it = await Client.from(given, output).get<Whole>(pathOf(given));
  if (output.json) {
    output.print(JSON.stringify(it));
    return exit.done;
  }
  output.print(line(it, output));
  for (const told of it.told) printTold(told, output);
  printDraft(it, output);
  return exit.done;
}

function printTold(told: Whole['told'][number], { language, say, print }: Output): void {
  const { message, type, identifier, sent, expires, content, broadcast, receipts } = told;
  const word = say(`warning-type-${lower(type)}`, {});
  const until = say('warning-cli-until', { until: localTime(expires) });
  const who = told.released_by.join(' + ');
  print(`  ${message}  ${localTime(sent)}  ${word}  ${identifier}  ${who}  ${until}`);
  print(`     ${content.headline[language]}`);
  if (broadcast) {
    const signed = broadcast.signed_by ?? say('warning-cli-unsigned', {});
    print(`     EBD ${broadcast.ebd}  ${signed}`);
  }
  for (const { receiver, state, note, at } of receipts) {
    const became = say(`warning-receipt-${state}`, {});
    print(`     ${[localTime(at), receiver, became, note].filter(Boolean).join('  ')}`);
  }
}

async function file(given: Given, output: Output): Promise<number> {
  const form = given.text('form') ?? 'cap';
  if (form !== 'cap' && form !== 'ebm') throw new UsageError('--form cap|ebm');
  if (form === 'ebm') needed(given, 'out');
  const message = given.text('message');
  const query = message === undefined ? '' : `?message=${encodeURIComponent(message)}`;
  return save(given, output, `${pathOf(given)}.${form}${query}`);
}

async function feed(given: Given, output: Output): Promise<number> {
  return save(given, output, '/v1/warnings/feed');
}

async function save(given: Given, output: Output, path: string): Promise<number> {
  const bytes = await Client.from(given, output).download(path);
  const out = given.text('out');
  if (out === undefined) output.print(new TextDecoder().decode(bytes).trimEnd());
  else {
    writeNew(out, bytes);
    output.note(output.say('case-saved', { file: out, bytes: bytes.length }));
  }
  return exit.done;
}

type Action = (given: Given, output: Output) => Promise<number>;
const actions: Readonly<Record<string, Action>> = {
  ...{ draft, list, show, update, cancel, release, drop, document: file, feed },
};

/** Words of each action after its name, the least and the most. */
const wordCounts: Readonly<Record<string, readonly [number, number]>> = {
  ...{ draft: [0, 1], list: [0, 0], feed: [0, 0] },
};

export const warningVerb: Verb = {
  usage: 'warning ACTION [WHAT]',
  actions: Object.keys(actions),
  summary: {
    en: fillBilingual('warning-cli-summary', {}).en,
    zh: fillBilingual('warning-cli-summary', {}).zh,
  },
  options: {
    ...clientOptions,
    ...{ case: 'text', words: 'text', note: 'text', why: 'text', state: 'text', limit: 'number' },
    ...{ message: 'text', form: 'text', out: 'text' },
  },
  run: async (given, output) => {
    const [name = '', ...rest] = given.words;
    const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
    const [least, most] = wordCounts[name] ?? [1, 1];
    if (!action || rest.length < least || rest.length > most) throw new UsageError(USAGE);
    return action(given, output);
  },
};
