// `lifeline alarm route`: who is told of an alarm, from the cloud's file and without a cloud; and
// `lifeline alarm deliveries`: who was.
import type { Delivery } from '../cloud/notify/notifier.ts';
import type { Match, Route, Routed } from '../cloud/notify/route.ts';
import type { NotifySettings } from '../cloud/notify/settings.ts';
import { ruleKinds } from '../core/alarm/rule-form.ts';
import { systemClock } from '../core/clock.ts';
import { durationText } from '../core/duration.ts';
import { bilingual, fillBilingual, type MessageKey } from '../core/text/text.ts';
import { findAlarm } from './alarm.ts';
import { Client, clientOptions } from './client.ts';
import { levels } from './columns.ts';
import { whyText } from './delivery-why.ts';
import { noteFindings } from './findings.ts';
import { localTime, timeOf } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

const USAGE = 'route test --level N [...] FILE | route show [--at TIME] FILE';

async function loaded(given: Given, output: Output): Promise<NotifySettings> {
  const { loadNotify } = await import('../cloud/config.ts');
  const { settings, findings } = loadNotify(given.words[1]!);
  noteFindings(output, { findings, beyond: 0 });
  return settings;
}

function momentOf(given: Given): number {
  const nowMs = systemClock.wallMs();
  const at = given.text('at');
  return at === undefined ? nowMs : timeOf('--at', at, nowMs);
}

/** What the options say of the alarm; the kind is `limit` where they do not say. */
function routedOf(given: Given): Routed {
  const text = needed(given, 'level');
  const level = Object.keys(levels).find((each) => each === text);
  if (level === undefined) throw new UsageError(bilingual('route-cli-level', { found: text }));
  const kind = given.text('kind') ?? 'limit';
  if (!Object.hasOwn(ruleKinds, kind) && kind !== 'gateway') {
    throw new UsageError(`--kind ${[...Object.keys(ruleKinds), 'gateway'].join('|')}`);
  }
  return {
    level: Number(level) as Routed['level'],
    kind: kind as Routed['kind'],
    area: given.text('area') ?? '',
    gateway: given.text('gateway') ?? '',
    asset: given.text('asset') ?? null,
    rule: given.text('rule') ?? '',
  };
}

async function test(given: Given, output: Output): Promise<number> {
  const routed = routedOf(given);
  const atMs = momentOf(given);
  const settings = await loaded(given, output);
  const { rehearse } = await import('../cloud/notify/rehearsal.ts');
  const told = await rehearse(settings, routed, atMs);
  const id = given.text('expect');
  const isReached = id === undefined || told.some((each) => isTo(id, each, settings));
  if (output.json) {
    const items = told.map((each) => ({ ...lineOf(each, atMs), why: each.why }));
    output.print(JSON.stringify({ told: items, ...(id !== undefined && { reached: isReached }) }));
  } else {
    for (const each of told) output.print(textOf(each, atMs, output));
    if (id !== undefined && isReached) output.print(output.say('route-cli-expected', { id }));
    if (!isReached) output.note(output.say('route-cli-unexpected', { id: id ?? '' }));
  }
  return isReached ? exit.done : exit.found;
}

/** A receiver, a person, or a roster of whom somebody is told. */
function isTo(id: string, delivery: Delivery, { routes }: NotifySettings): boolean {
  const { receiver, person, sentMs, route, step, also = [] } = delivery;
  if (sentMs === null) return false;
  const places = [{ route, step }, ...also];
  const isNamed = places.some((place) =>
    routes
      .find((each) => each.id === place.route)
      ?.chain[place.step]?.targets.some((target) => target === id),
  );
  return receiver === id || person === id || (isNamed && person !== null);
}

function lineOf({ receiver, person, route, step, sentMs }: Delivery, atMs: number) {
  const afterMs = sentMs === null ? null : sentMs - atMs;
  return { receiver, person, route, step: step + 1, after_ms: afterMs };
}

function textOf(delivery: Delivery, atMs: number, { say, language }: Output): string {
  const { receiver, person, route, step, sentMs, queuedMs, why } = delivery;
  const who = person === null ? receiver : `${person} (${receiver})`;
  const after = durationText(Math.round(((sentMs ?? queuedMs) - atMs) / 1000) * 1000);
  const untold = why === null ? stateText(delivery.state, language) : whyText(why, language);
  const text =
    sentMs === null
      ? say('route-cli-untold', { who, why: untold })
      : say('route-cli-told', { who, route, step: step + 1 });
  return `${`+${after}`.padEnd(8)} ${localTime(sentMs ?? queuedMs)}  ${text}`;
}

const stateText = (state: string, language: 'en' | 'zh') =>
  fillBilingual(`delivery-${state}` as MessageKey, {})[language];

async function show(given: Given, output: Output): Promise<number> {
  const settings = await loaded(given, output);
  const { onDuty } = await import('../cloud/notify/roster.ts');
  const atMs = momentOf(given);
  const { routes, rosters } = settings;
  const duty = rosters.map((roster) => ({ roster: roster.id, people: onDuty(roster, atMs) }));
  if (output.json) {
    output.print(JSON.stringify({ routes, duty }));
    return exit.done;
  }
  for (const route of routes) {
    output.print(`${route.id}  ${matchText(route.match) || output.say('route-cli-all', {})}`);
    for (const line of chainLines(route, output)) output.print(`  ${line}`);
  }
  for (const { roster, people } of duty) {
    const values = { roster, people: people.join(' ') };
    if (people.length === 0) output.print(output.say('route-cli-no-duty', { roster }));
    else output.print(output.say('route-cli-duty', values));
  }
  return exit.done;
}

export function matchText(match: Match): string {
  return Object.entries(match)
    .map(([name, values]) => `${name}: ${(values as readonly unknown[]).join(' ')}`)
    .join(', ');
}

function chainLines({ chain, repeatMs }: Route, { say }: Output): string[] {
  let afterMs = 0;
  const lines = chain.map(({ targets, by, waitMs }) => {
    const line = `+${durationText(afterMs)}  ${targets.join(' ')}${by === null ? '' : ` (${by})`}`;
    afterMs += waitMs;
    return line;
  });
  if (repeatMs === undefined) return lines;
  return [...lines, say('route-cli-repeat', { every: durationText(repeatMs) })];
}

const shown = (key: MessageKey) => fillBilingual(key, {});

export const routeVerb: Verb = {
  usage: 'route ACTION FILE',
  actions: ['test', 'show'],
  summary: shown('route-cli-summary'),
  options: {
    ...{ level: 'text', area: 'text', asset: 'text', kind: 'text', gateway: 'text' },
    ...{ rule: 'text', at: 'text', expect: 'text' },
  },
  run: (given, output) => {
    if (given.words[0] === 'test') return test(given, output);
    if (given.words[0] === 'show') return show(given, output);
    throw new UsageError(USAGE);
  },
};

interface DeliveryItem {
  readonly id: string;
  readonly receiver: string;
  readonly person: string | null;
  readonly state: string;
  readonly attempts: number;
  readonly queued: string;
  readonly why: string | null;
}

/** The times of a delivery, in the order in which they come. */
const moments = [
  ...['sent', 'accepted', 'delivered', 'seen', 'confirmed', 'acted', 'undelivered'],
] as const;

async function deliveries(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  const typed = given.words[0];
  const alarm = typed === undefined ? null : await findAlarm(client, typed);
  const query = alarm === null ? 'limit=50' : `limit=1000&alarm=${alarm.id}`;
  const path = `/v1/deliveries?${query}`;
  const { items } = await client.get<{ items: DeliveryItem[] }>(path);
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('delivery-cli-none', {}));
  else for (const item of items.reverse()) output.print(deliveryLine(item, output));
  return exit.done;
}

function deliveryLine(item: DeliveryItem, { language }: Output): string {
  const { id, receiver, person, state, queued, why } = item;
  const times = item as unknown as Readonly<Record<string, string | null | undefined>>;
  const since = moments.flatMap((moment) => {
    const at = times[moment];
    // What a gateway did by itself may be older by its clock than the row here.
    const afterMs = Date.parse(at ?? queued) - Date.parse(queued);
    const after = `${afterMs < -50 ? '-' : '+'}${(Math.abs(afterMs) / 1000).toFixed(1)}`;
    return at ? [`${stateText(moment, language)} ${after} s`] : [];
  });
  const what = `${id.slice(0, 12)}${id.slice(id.lastIndexOf('.'))}`;
  const who = person === null ? receiver : `${person} (${receiver})`;
  const parts = [localTime(queued), what, who, stateText(state, language), ...since];
  return [...parts, ...(why === null ? [] : [whyText(why, language)])].join('  ');
}

export const deliveriesVerb: Verb = {
  usage: 'deliveries [ID]',
  summary: shown('delivery-cli-summary'),
  options: clientOptions,
  run: deliveries,
};
