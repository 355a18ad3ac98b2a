// The part `notify` of the cloud's file: who can be told, by which channel, and who is told of what.
// Plain data once it is read; secrets stand in it, so it is never shown.
import { z } from 'zod';
import { ruleKinds } from '../../core/alarm/rule-form.ts';
import { durationMs, durationText } from '../../core/duration.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { alarmLevelForm, durationForm, idForm, SECRET_PATTERN } from '../../core/schema.ts';
import type { Quota, ReceiverSettings } from './channels/channel.ts';
import { type MessageLanguage, messageLanguages } from './channels/channel.ts';
import { channelKinds, kindOf } from './channels/channels.ts';
import { LINK_VALID_MAX_MS, LINK_VALID_MIN_MS, type LinkSettings } from './confirmations.ts';
import { BEAT_EVERY_MS_MAX, BEAT_EVERY_MS_MIN } from './heartbeats.ts';
import type { Directory, Person, Roster } from './roster.ts';
import { meant, peopleForm, readPeople, readRosters, rostersForm } from './roster-form.ts';
import type { Route, Step } from './route.ts';
import { NOBODY, SITE } from './route.ts';
import { readTemplates, TEMPLATES_MAX, type Template, templateForm } from './wording.ts';

const [firstKind, ...otherKinds] = channelKinds;
const receiverForm = z.discriminatedUnion('kind', [
  firstKind.form,
  ...otherKinds.map(({ form }) => form),
]);

const kindNames = channelKinds.map(({ kind }) => kind);
const idsForm = z.array(idForm).min(1).max(100);
const stepForm = z.union([
  idForm,
  z.strictObject({
    to: z.union([idForm, z.array(idForm).min(1).max(20)]),
    by: z.enum(kindNames).optional().describe('of a person the receiver of this kind'),
    wait: durationForm.optional().describe('then the next is told; default confirm_within'),
  }),
]);

const routeForm = z.strictObject({
  id: idForm.optional().describe('default route- and its place'),
  areas: idsForm.optional(),
  gateways: idsForm.optional(),
  levels: z.array(alarmLevelForm).max(4).optional(),
  asset: z
    .union([z.string().max(600), z.array(z.string().max(600)).min(1).max(100)])
    .optional()
    .describe('asset path prefix, or several'),
  kinds: z
    .array(z.enum([...(Object.keys(ruleKinds) as (keyof typeof ruleKinds)[]), 'gateway']))
    .min(1)
    .max(20)
    .optional()
    .describe('kinds of rules; gateway: of alarms of a gateway itself'),
  rules: idsForm.optional(),
  to: z
    .array(stepForm)
    .min(1)
    .max(20)
    .describe('receivers, people and rosters, in the order of escalation'),
  repeat: z
    .strictObject({ every: durationForm })
    .optional()
    .describe('the last is told again until somebody has it; default a few times'),
});

export const notifyForm = z.strictObject({
  language: z.enum(messageLanguages).optional().describe('of messages; default both'),
  templates: z.array(templateForm).max(TEMPLATES_MAX).optional(),
  receivers: z.array(receiverForm).max(1_000),
  people: peopleForm.optional(),
  rosters: rostersForm.optional(),
  routes: z.array(routeForm).max(1_000),
  heartbeat: durationForm
    .optional()
    .describe('each receiver is shown so often that the path lives; 1s to 20s, default 10s'),
  confirm_within: durationForm
    .optional()
    .describe('then it counts as undelivered and the next is told; default 60s'),
  public_url: z
    .string()
    .max(200)
    .optional()
    .describe('https:// address by which phones reach this server: for links in messages'),
  link_valid: durationForm
    .optional()
    .describe('how long the link of a message is good, 1m to 1d; default 2h'),
});

export interface NotifySettings extends LinkSettings {
  readonly templates: readonly Template[];
  /** Local time less UTC, as messages tell times. */
  readonly utcOffsetMs: number;
  readonly language: MessageLanguage;
  readonly receivers: readonly ReceiverSettings[];
  readonly people: readonly Person[];
  readonly rosters: readonly Roster[];
  readonly routes: readonly Route[];
  readonly confirmWithinMs: number;
  /** How often each receiver is shown that the path lives. */
  readonly heartbeatMs: number;
}

const CONFIRM_WITHIN_DEFAULT = '60s';
const HEARTBEAT_DEFAULT = '10s';
const LINK_VALID_DEFAULT = '2h';
/** A person needs a second to answer; what waits longer than a day is no escalation. */
const WAIT_MIN_MS = 1_000;
const WAIT_MAX_MS = 86_400_000;

export const NOTHING_TOLD: NotifySettings = {
  templates: [],
  utcOffsetMs: 0,
  language: 'both',
  receivers: [],
  people: [],
  rosters: [],
  routes: [],
  confirmWithinMs: durationMs(CONFIRM_WITHIN_DEFAULT),
  heartbeatMs: durationMs(HEARTBEAT_DEFAULT),
  publicUrl: null,
  linkValidMs: durationMs(LINK_VALID_DEFAULT),
};

/** Reads a secret that is referred to; '' where there is none, which it has told. */
type ReadSecret = (path: Path, reference: string) => string;

/** `path` is where the part stands in its file; `utcOffsetMs` is of rosters that say none. */
export function readNotify(
  source: z.output<typeof notifyForm>,
  path: Path,
  problems: Problems,
  { readSecret, utcOffsetMs }: { readonly readSecret: ReadSecret; readonly utcOffsetMs: number },
): NotifySettings {
  const receivers = source.receivers.map((receiver, at) => {
    const settings = revealed(receiver, [...path, 'receivers', at], readSecret);
    return settings as ReceiverSettings;
  });
  receivers.forEach((settings, at) => {
    const place = [...path, 'receivers', at];
    kindOf(settings).check(settings, place, problems);
    settings.quota?.forEach(({ messages, reserve = 0 }, nth) => {
      if (reserve < messages) return;
      problems.add([...place, 'quota', nth, 'reserve'], 'quota-reserve', { reserve, messages });
    });
  });
  const { people: given = [], rosters: planned = [], templates: worded = [] } = source;
  const known = new Set([...receivers.map(({ id }) => id), ...kindNames]);
  const templates = readTemplates(worded, [...path, 'templates'], problems, known);
  const idsOf = (list: readonly { readonly id: string }[]) => new Set(list.map(({ id }) => id));
  checkNames({ receivers, people: given, rosters: planned }, path, problems);
  const people = readPeople(given, [...path, 'people'], problems, idsOf(receivers));
  const ground = { people: idsOf(people), utcOffsetMs };
  const rosters = readRosters(planned, [...path, 'rosters'], problems, ground);
  const { language = 'both', confirm_within: within = CONFIRM_WITHIN_DEFAULT } = source;
  const told = {
    ...{ language, receivers, people, rosters, confirmWithinMs: durationMs(within) },
    heartbeatMs: heartbeatOf(source, path, problems),
    ...readLinks(source, path, problems),
    ...{ templates, utcOffsetMs },
  };
  const directory = directoryOf(told);
  const routes = source.routes.map((route, at) =>
    routeOf(route, [...path, 'routes', at], problems, {
      ...{ directory, confirmWithinMs: told.confirmWithinMs, at },
    }),
  );
  checkIds(routes, [...path, 'routes'], problems);
  return { ...told, routes };
}

/** Everybody who can be told. */
export function directoryOf({
  receivers,
  people,
  rosters,
}: Pick<NotifySettings, 'receivers' | 'people' | 'rosters'>): Directory {
  return {
    kinds: new Map(receivers.map(({ id, kind }) => [id, kind])),
    people: new Map(people.map((person) => [person.id, person])),
    rosters: new Map(rosters.map((roster) => [roster.id, roster])),
  };
}

/** By receiver: what the file says that its provider takes, or else what the provider publishes. */
export function quotasOf(receivers: readonly ReceiverSettings[]): Map<string, readonly Quota[]> {
  return new Map(
    receivers.map((settings) => {
      const own = settings.quota?.map(({ messages, per, reserve = 0 }) => ({
        ...{ messages, perMs: durationMs(per), reserve },
      }));
      return [settings.id, own ?? kindOf(settings).quotas];
    }),
  );
}

type Named = readonly { readonly id: string }[];

// A step names any of the three: an id stands for one of them.
function checkNames(
  lists: Readonly<Record<'receivers' | 'people' | 'rosters', Named>>,
  path: Path,
  problems: Problems,
): void {
  // Names that the ledger has of its own.
  const seen = new Set<string>([NOBODY, SITE]);
  for (const [name, list] of Object.entries(lists)) {
    list.forEach(({ id }, at) => {
      if (seen.has(id)) problems.add([...path, name, at, 'id'], 'duplicate-id', { id });
      seen.add(id);
    });
  }
}

function checkIds(routes: readonly Route[], path: Path, problems: Problems): void {
  routes.forEach(({ id }, at) => {
    const first = routes.findIndex((each) => each.id === id);
    if (first < at) problems.add([...path, at, 'id'], 'duplicate-id', { id });
  });
}

function routeOf(
  source: z.output<typeof routeForm>,
  path: Path,
  problems: Problems,
  ground: { readonly directory: Directory; readonly confirmWithinMs: number; readonly at: number },
): Route {
  const { id = `route-${ground.at + 1}`, areas, gateways, levels, kinds, rules } = source;
  const assets = [source.asset ?? []].flat().filter((asset) => asset !== '');
  const chain = source.to.map((step, at) => stepOf(step, [...path, 'to', at], problems, ground));
  const { repeat } = source;
  const every = repeat && inRange(repeat.every, [...path, 'repeat', 'every'], problems);
  const match = {
    ...(areas && { areas }),
    ...(gateways && { gateways }),
    ...(levels?.length && { levels }),
    ...(assets.length > 0 && { assets }),
    ...(kinds && { kinds }),
    ...(rules && { rules }),
  };
  return { id, match, chain, ...(every !== undefined && { repeatMs: every }) };
}

function stepOf(
  source: z.output<typeof stepForm>,
  path: Path,
  problems: Problems,
  { directory, confirmWithinMs }: { directory: Directory; confirmWithinMs: number },
): Step {
  const step = typeof source === 'string' ? { to: source } : source;
  const { to, by = null, wait } = { by: null, wait: undefined, ...step };
  const targets = [to].flat();
  const { kinds, people, rosters } = directory;
  const known = [...kinds.keys(), ...people.keys(), ...rosters.keys()];
  const places = typeof source === 'string' ? path : [...path, 'to'];
  targets.forEach((id, at) => {
    const place = Array.isArray(to) ? [...places, at] : places;
    if (!known.includes(id)) problems.add(place, 'unknown-receiver', { id }, meant(id, known));
    else if (by !== null && kinds.has(id)) problems.add(place, 'by-without-person', { id });
  });
  for (const person of by === null ? [] : peopleOf(targets, directory)) {
    if (person.receivers.some((receiver) => kinds.get(receiver) === by)) continue;
    problems.add([...path, 'by'], 'by-no-receiver', { person: person.id, kind: by ?? '' });
  }
  const waitMs = wait === undefined ? confirmWithinMs : inRange(wait, [...path, 'wait'], problems);
  return { targets, by, waitMs };
}

/** The people whom these ids may stand for at some time. */
function peopleOf(ids: readonly string[], { people, rosters }: Directory): Person[] {
  const all = ids.flatMap((id) => {
    const { shifts = [], absences = [] } = rosters.get(id) ?? {};
    return [
      id,
      ...shifts.map(({ who }) => who),
      ...absences.map(({ substitute }) => substitute ?? ''),
    ];
  });
  return [...new Set(all)].map((id) => people.get(id)).filter((person) => person !== undefined);
}

function inRange(text: string, path: Path, problems: Problems): number {
  const ms = durationMs(text);
  if (ms < WAIT_MIN_MS || ms > WAIT_MAX_MS) {
    const [least, most] = [durationText(WAIT_MIN_MS), durationText(WAIT_MAX_MS)];
    problems.add(path, 'wait-range', { found: text, least, most });
  }
  return ms;
}

function heartbeatOf(
  { heartbeat = HEARTBEAT_DEFAULT }: z.output<typeof notifyForm>,
  path: Path,
  problems: Problems,
): number {
  const everyMs = durationMs(heartbeat);
  if (everyMs < BEAT_EVERY_MS_MIN || everyMs > BEAT_EVERY_MS_MAX) {
    problems.add([...path, 'heartbeat'], 'heartbeat-range', { found: heartbeat });
  }
  return everyMs;
}

function readLinks(
  { public_url: url, link_valid: valid = LINK_VALID_DEFAULT }: z.output<typeof notifyForm>,
  path: Path,
  problems: Problems,
): LinkSettings {
  const publicUrl = url === undefined ? null : url.replace(/\/+$/, '');
  // What stands behind `?` or `#` would swallow the token; a password would be read by everybody.
  if (publicUrl !== null && !/^https?:\/\/[^/?#@\s]+(\/[\w.~/-]*)?$/.test(publicUrl)) {
    problems.add([...path, 'public_url'], 'not-a-public-url', { found: url ?? '' });
  }
  const linkValidMs = durationMs(valid);
  if (linkValidMs < LINK_VALID_MIN_MS || linkValidMs > LINK_VALID_MAX_MS) {
    problems.add([...path, 'link_valid'], 'link-valid-range', { found: valid });
  }
  return { publicUrl, linkValidMs };
}

// A receiver's forms take references for secrets; whatever is one is read.
function revealed(value: unknown, path: Path, readSecret: ReadSecret): unknown {
  if (typeof value === 'string')
    return SECRET_PATTERN.test(value) ? readSecret(path, value) : value;
  if (Array.isArray(value))
    return value.map((each, at) => revealed(each, [...path, at], readSecret));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([key, each]) => [key, revealed(each, [...path, key], readSecret)]),
  );
}
