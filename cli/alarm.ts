import { bilingual } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import { actVerbs } from './alarm-acts.ts';
import { explainVerb } from './alarm-explain.ts';
import { replayVerb } from './alarm-replay.ts';
import { deliveriesVerb, routeVerb } from './alarm-routes.ts';
import { silencesVerb } from './alarm-silences.ts';
import { stormVerbs } from './alarm-storms.ts';
import { stopSignal } from './child.ts';
import { Client, clientOptions } from './client.ts';
import { levels } from './columns.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

interface Text {
  readonly en: string;
  readonly zh: string;
}

interface Hiding {
  readonly until: string;
  readonly by: string;
  readonly reason: string;
}

export interface Alarm {
  readonly id: string;
  readonly purpose: 'alarm' | 'drill' | 'path-test';
  readonly point: string;
  readonly unit: string;
  readonly level: 1 | 2 | 3 | 4;
  readonly state: string;
  readonly title: Text;
  readonly action: Text | null;
  readonly sheet: {
    readonly cause: Text | null;
    readonly consequence: Text | null;
    readonly minutes: number | null;
    readonly basis: Text | null;
  } | null;
  readonly shelf: Hiding | null;
  readonly removal: Hiding | null;
  readonly suppressed_by: string | null;
  readonly test: Hiding | null;
  readonly raised: string;
  readonly cleared: string | null;
  readonly acknowledged: { readonly at: string; readonly by: string } | null;
  readonly value: number | null;
  readonly limit: number | null;
  readonly historical: boolean;
}

function measuredOf({ value, limit, unit }: Alarm, { language }: Output): string {
  const held = value === null ? '' : `${round(value)} ${unitSymbol(unit, language)}`.trim();
  return value === null || limit === null ? held : `${held} (${round(limit)})`;
}

/** Level, title and value, for a list of something else. */
export function wordsOf(alarm: Alarm, output: Output): string[] {
  return [levels[alarm.level], titleOf(alarm, output), measuredOf(alarm, output)];
}

// Whoever reads it quickly must not take a drill for the real thing.
function titleOf({ title, purpose }: Alarm, output: Output): string {
  const words = title[output.language];
  return purpose === 'drill' ? `${output.say('message-drill', {})} ${words}` : words;
}

export function alarmLine(alarm: Alarm, output: Output): string {
  const { raised, level, state, point, id, acknowledged } = alarm;
  const by = acknowledged ? ` ${acknowledged.by}` : '';
  return [
    localTime(raised),
    levels[level].padEnd(3),
    state,
    titleOf(alarm, output),
    point,
    measuredOf(alarm, output),
    `${id.slice(0, 12)}${by}`,
  ].join('  ');
}

function round(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** What a person must know beyond the line. */
function cardOf(alarm: Alarm, output: Output): string[] {
  const { language } = output;
  const { action, sheet, shelf, removal, suppressed_by: under, test } = alarm;
  const text = (key: 'cli-do' | 'cli-cause' | 'cli-consequence' | 'cli-basis', it?: Text | null) =>
    it ? [`${output.say(key, {})} ${it[language]}`] : [];
  const hiding = (key: 'cli-shelved' | 'cli-removed' | 'cli-tested', it: Hiding | null) =>
    it ? [output.say(key, { by: it.by, until: localTime(it.until), reason: it.reason })] : [];
  return [
    ...text('cli-do', action),
    ...text('cli-cause', sheet?.cause),
    ...text('cli-consequence', sheet?.consequence),
    ...(sheet?.minutes ? [output.say('cli-time-available', { minutes: sheet.minutes })] : []),
    ...text('cli-basis', sheet?.basis),
    ...hiding('cli-shelved', shelf),
    ...hiding('cli-removed', removal),
    ...hiding('cli-tested', test),
    ...(under === null ? [] : [output.say('cli-suppressed', { under })]),
  ];
}

/** As many as no two alarms of a day share by chance: a slip of the finger names none. */
const ID_SIGNS_MIN = 4;

/** The alarm whose id begins with what was typed; the server says so when there is none. */
export async function findAlarm(client: Client, typed: string): Promise<Alarm> {
  const { items } = await client.get<{ items: Alarm[] }>('/v1/alarms?state=all&limit=1000');
  const matches = items.filter(({ id }) => id.startsWith(typed));
  if (typed.length < ID_SIGNS_MIN) {
    throw new UsageError(bilingual('cli-id-short', { typed, least: ID_SIGNS_MIN }));
  }
  if (matches.length > 1) {
    const ids = matches.slice(0, 5).map((each) => each.id.slice(0, 12));
    throw new UsageError(bilingual('cli-id-many', { typed, ids: ids.join(' ') }));
  }
  return matches.length === 1 ? matches[0]! : client.get<Alarm>(`/v1/alarms/${typed}`);
}

/** Until Ctrl-C. */
async function follow(given: Given, output: Output): Promise<number> {
  for await (const { event, data } of Client.from(given, output).stream('alarms', stopSignal())) {
    if (!event.startsWith('alarm.')) continue;
    if (output.json) output.print(JSON.stringify({ event, data }));
    else output.print(`${event.slice(6).padEnd(13)} ${alarmLine(data as Alarm, output)}`);
  }
  return exit.done;
}

const ownVerbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'open alarms; --all, --state historical|shelved|suppressed|out-of-service; --follow goes on',
      zh: '列出未关闭的报警；--all 列出全部，--state historical|shelved|suppressed|out-of-service；--follow 持续显示',
    },
    options: { ...clientOptions, all: 'flag', state: 'text', follow: 'flag' },
    run: async (given, output) => {
      const state = given.flag('all') ? 'all' : (given.text('state') ?? 'open');
      const { items } = await Client.from(given, output).get<{ items: Alarm[] }>(
        `/v1/alarms?state=${state}`,
      );
      if (output.json) output.print(JSON.stringify(items));
      else if (items.length === 0) output.print(output.say('cli-no-alarms', {}));
      else for (const alarm of items) output.print(alarmLine(alarm, output));
      return given.flag('follow') ? follow(given, output) : exit.done;
    },
  },
  show: {
    usage: 'show ID',
    summary: { en: 'one alarm and what to do', zh: '显示一条报警及处置办法' },
    options: clientOptions,
    run: async (given, output) => {
      const alarm = await findAlarm(Client.from(given, output), given.words[0]!);
      if (output.json) output.print(JSON.stringify(alarm));
      else {
        output.print(alarmLine(alarm, output));
        for (const line of cardOf(alarm, output)) output.print(`  ${line}`);
      }
      return exit.done;
    },
  },
  ack: {
    usage: 'ack ID',
    summary: { en: 'say that you have it', zh: '确认：由我处理' },
    options: { ...clientOptions, note: 'text' },
    run: async (given, output) => {
      const client = Client.from(given, output);
      const { id } = await findAlarm(client, given.words[0]!);
      const body = { note: given.text('note') ?? '' };
      const alarm = await client.post<Alarm>(`/v1/alarms/${id}/acknowledge`, body);
      if (output.json) output.print(JSON.stringify(alarm));
      else output.print(output.say('cli-acknowledged', { id, by: alarm.acknowledged?.by ?? '' }));
      return exit.done;
    },
  },
  follow: {
    usage: 'follow',
    summary: { en: 'alarms as they come', zh: '实时显示报警' },
    options: clientOptions,
    run: follow,
  },
};

export const verbs = {
  ...ownVerbs,
  ...actVerbs,
  ...stormVerbs,
  explain: explainVerb,
  replay: replayVerb,
  route: routeVerb,
  deliveries: deliveriesVerb,
  silences: silencesVerb,
};
