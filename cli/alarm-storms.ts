// Storms from the command line: incidents, one incident with its alarms, and the figures that tell
// how well the alarms serve, as a table with target and mark.
import type { Bilingual } from '../core/text/text.ts';
import type { Alarm } from './alarm.ts';
import { alarmLine } from './alarm.ts';
import { stopSignal } from './child.ts';
import { Client, clientOptions } from './client.ts';
import { levels, pad } from './columns.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit } from './verb.ts';

interface Incident {
  readonly id: number;
  readonly state: 'open' | 'ended';
  readonly title: Bilingual;
  readonly level: 1 | 2 | 3 | 4;
  readonly began: string;
  readonly first_out: { readonly point: string | null; readonly title: Bilingual | null };
  readonly counts: {
    readonly members: number;
    readonly active: number;
    readonly unacknowledged: number;
    readonly hidden: number;
  };
}

interface Flood {
  readonly from: string;
  readonly to: string | null;
  readonly alarms: number;
  readonly peak: number;
}

interface Desk {
  readonly desk: string;
  readonly in_ten_minutes: number;
  readonly flood: Flood | null;
}

interface Figures {
  readonly from: string;
  readonly to: string;
  readonly annunciated: number;
  readonly annunciated_with_hidden: number;
  readonly hidden: Readonly<Record<'shelved' | 'suppressed' | 'removed' | 'test', number>>;
  readonly figures: readonly {
    readonly title: Bilingual;
    readonly value: number | null;
    readonly unit: 'alarms' | 'count' | 'share';
    readonly is: 'at-most' | 'below' | 'at-least';
    readonly target: number;
    readonly source: string;
    readonly met: boolean | null;
  }[];
  readonly top_ten: readonly { readonly alarm: string; readonly count: number }[];
  readonly chattering: readonly string[];
  readonly stale: readonly string[];
  readonly acknowledge: readonly {
    readonly level: 1 | 2 | 3 | 4;
    readonly annunciated: number;
    readonly acknowledged: number;
    readonly median_ms: number | null;
    readonly p95_ms: number | null;
  }[];
}

interface Live {
  readonly desks: readonly Desk[];
  readonly last_day: Figures;
}

function incidentLine(incident: Incident, output: Output): string {
  const { id, state, began, level, title, counts, first_out: first } = incident;
  const { language } = output;
  const { members, active, unacknowledged, hidden } = counts;
  return [
    `#${id}`.padEnd(6),
    localTime(began),
    levels[level].padEnd(3),
    output.say(state === 'open' ? 'incident-open' : 'incident-ended', {}),
    title[language],
    output.say('incident-counts', { members, active, unacknowledged, hidden }),
    output.say('incident-first', {
      title: first.title?.[language] ?? '-',
      point: first.point ?? '-',
    }),
  ].join('  ');
}

function deskLine({ desk, in_ten_minutes: count, flood }: Desk, output: Output): string {
  const name = desk || output.say('desk-all', {});
  const now = output.say('desk-now', { desk: name, count });
  if (!flood) return now;
  const { alarms, peak } = flood;
  const from = localTime(flood.from);
  if (flood.to === null) return `${now}  ${output.say('flood-since', { from, alarms, peak })}`;
  const to = localTime(flood.to);
  return `${now}  ${output.say('flood-over', { from, to, alarms, peak })}`;
}

function valueText(value: number | null, unit: 'alarms' | 'count' | 'share'): string {
  if (value === null) return '-';
  return unit === 'share' ? `${round(value * 100)} %` : String(round(value));
}

const round = (value: number) => Number(value.toPrecision(3));
const relations = { 'at-most': '<=', below: '<', 'at-least': '>=' } as const;

/** The figures as lines that a person can read. */
export function figureLines(figures: Figures, output: Output): string[] {
  const { language } = output;
  const { annunciated, annunciated_with_hidden: all, hidden } = figures;
  const lines = [
    output.say('figures-head', { from: localTime(figures.from), to: localTime(figures.to) }),
    output.say('figures-counts', { annunciated, all, ...hidden }),
  ];
  for (const { title, value, unit, is, target, source, met } of figures.figures) {
    const mark = met === null ? '-' : output.say(met ? 'figure-met' : 'figure-missed', {});
    const goal = `${relations[is]} ${valueText(target, unit)}`;
    lines.push(
      [
        `  ${pad(title[language], 44)}`,
        valueText(value, unit).padStart(9),
        pad(goal, 9),
        pad(mark, 8),
        source,
      ].join('  '),
    );
  }
  for (const it of figures.acknowledge) {
    if (it.annunciated === 0) continue;
    const seconds = (ms: number | null) => (ms === null ? '-' : `${round(ms / 1_000)} s`);
    const { acknowledged, annunciated: told } = it;
    const times = { median: seconds(it.median_ms), p95: seconds(it.p95_ms) };
    const values = { level: levels[it.level], acknowledged, told, ...times };
    lines.push(`  ${output.say('figures-acknowledge', values)}`);
  }
  for (const { alarm, count } of figures.top_ten)
    lines.push(`  ${String(count).padStart(6)}  ${alarm}`);
  if (figures.chattering.length > 0) {
    const alarms = figures.chattering.join(' ');
    lines.push(`  ${output.say('figures-chattering', { alarms })}`);
  }
  if (figures.stale.length > 0) {
    lines.push(`  ${output.say('figures-stale', { alarms: figures.stale.join(' ') })}`);
  }
  return lines;
}

async function followIncidents(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  for await (const { event, data } of client.stream('incidents', stopSignal())) {
    const isFlood = event.startsWith('flood.');
    if (!isFlood && !event.startsWith('incident.')) continue;
    if (output.json) output.print(JSON.stringify({ event, data }));
    else if (isFlood) output.print(`${event.padEnd(16)} ${deskLine(data as Desk, output)}`);
    else output.print(`${event.padEnd(16)} ${incidentLine(data as Incident, output)}`);
  }
  return exit.done;
}

export const stormVerbs: Readonly<Record<string, Verb>> = {
  incidents: {
    usage: 'incidents',
    summary: {
      en: 'alarms that belong together; --all for ended ones too, --follow as they change',
      zh: '列出归并后的事件；--all 含已结束的，--follow 实时显示',
    },
    options: { ...clientOptions, all: 'flag', follow: 'flag' },
    run: async (given, output) => {
      if (given.flag('follow')) return followIncidents(given, output);
      const state = given.flag('all') ? 'all' : 'open';
      const path = `/v1/incidents?state=${state}`;
      const { items } = await Client.from(given, output).get<{ items: Incident[] }>(path);
      if (output.json) output.print(JSON.stringify(items));
      else if (items.length === 0) output.print(output.say('no-incidents', {}));
      else for (const incident of items) output.print(incidentLine(incident, output));
      return exit.done;
    },
  },
  incident: {
    usage: 'incident ID',
    summary: {
      en: 'one incident and its alarms, the first one first',
      zh: '显示一个事件及其报警，最先发生的在前',
    },
    options: clientOptions,
    run: async (given, output) => {
      const id = encodeURIComponent(given.words[0]!.replace(/^#/, ''));
      const client = Client.from(given, output);
      const incident = await client.get<Incident & { alarms: Alarm[] }>(`/v1/incidents/${id}`);
      if (output.json) output.print(JSON.stringify(incident));
      else {
        output.print(incidentLine(incident, output));
        for (const alarm of incident.alarms) output.print(`  ${alarmLine(alarm, output)}`);
        const more = incident.counts.members - incident.alarms.length;
        if (more > 0) output.print(`  ${output.say('incident-more', { more })}`);
      }
      return exit.done;
    },
  },
  figures: {
    usage: 'figures',
    summary: {
      en: 'how well the alarms serve, each figure with its target: the last 24 h, or --day 2026-01-31',
      zh: '报警系统指标及目标值：最近 24 小时，或 --day 2026-01-31',
    },
    options: { ...clientOptions, day: 'text', asset: 'text' },
    run: async (given, output) => {
      const client = Client.from(given, output);
      const day = given.text('day');
      const asset = given.text('asset');
      const part = asset === undefined ? '' : `&asset=${encodeURIComponent(asset)}`;
      if (day !== undefined) {
        const path = `/v1/alarm-figures?day=${encodeURIComponent(day)}${part}`;
        const figures = await client.get<Figures>(path);
        if (output.json) output.print(JSON.stringify(figures));
        else for (const line of figureLines(figures, output)) output.print(line);
        return exit.done;
      }
      const live = await client.get<Live>(`/v1/alarm-figures/live?${part.slice(1)}`);
      if (output.json) output.print(JSON.stringify(live));
      else {
        for (const desk of live.desks) output.print(deskLine(desk, output));
        for (const line of figureLines(live.last_day, output)) output.print(line);
      }
      return exit.done;
    },
  },
};
