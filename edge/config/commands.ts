// What may be commanded at a site, and when it may not: of what profiles offer, only what the file
// allows, only narrower; and the interlocks that refuse it all the same.
//
// Nothing here widens an offer. What a site narrows is put into the text of the profile and checked
// with it (device.ts), so that a narrowed offer can be written as every other. A site may also set
// what a command goes by without naming it (the range of the point): the narrower of both counts
// then.
import type { CommandOffer, Interlock } from '../../core/command.ts';
import { commandRights, SET_COMMAND, unfit } from '../../core/command.ts';
import { durationMs, durationText } from '../../core/duration.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { didYouMean } from '../../core/problems.ts';
import type { Value } from '../../core/reading.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import { NO_DATA_POLLS_MIN } from '../../device-profiles/cross-checks.ts';
import type { Profile, ProfileCommand } from '../../device-profiles/profile.ts';
import { isModbus } from '../../device-profiles/raw-values.ts';
import type { CollectedPoint } from '../collect/normalise.ts';
import type { CommandsSource, GatewaySource, InterlockSource, NarrowedSource } from './format.ts';
import type { DeviceConfig } from './gateway.ts';

/** What may be commanded of each point that has something, by point id. */
export type Offers = ReadonlyMap<string, readonly CommandOffer[]>;

const STALE_DEFAULT = '30s';

/**
 * `profile` is the one installed, `effective` the same with everything the site sets over it, also
 * what it narrows (`narrowings`), and checked as a profile again.
 */
export function allowedOffers(
  profile: Profile,
  effective: Profile,
  source: CommandsSource | undefined,
  path: Path,
  problems: Problems,
): Offers {
  const found = new Map<string, CommandOffer[]>();
  if (!source) return found;
  const at = [...path, 'commands'];
  const known = commandsByName(profile);
  const names = namesAllowed(profile, source, known, at, problems);
  for (const name of Object.keys(source.set ?? {})) {
    if (names.has(name)) continue;
    const where = [...at, 'set', name];
    if (known.has(name)) problems.add(where, 'command-not-allowed', { command: name });
    else unknownCommand(name, profile, known, where, problems);
  }
  const inForce = commandsByName(effective);
  for (const [name, { offer }] of known) {
    const now = inForce.get(name);
    if (!names.has(name) || !now) continue;
    const { point } = split(name);
    const set = source.set && Object.hasOwn(source.set, name) ? source.set[name]! : {};
    checkNarrower(offer, now.offer, { name, set, path: [...at, 'set', name], problems });
    found.set(point, [...(found.get(point) ?? []), within(offer, now.offer)]);
  }
  return found;
}

/** What the site narrows, as paths into the text of the profile and what is to stand there. */
export function narrowings(
  points: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  { set = {} }: CommandsSource = { allow: [] },
): { readonly name: string; readonly path: readonly string[]; readonly value: unknown }[] {
  return Object.entries(set).flatMap(([name, narrowed]) => {
    const under = offerPath(points, name);
    return under
      ? Object.entries(narrowed).map(([key, value]) => ({ name, path: [...under, key], value }))
      : [];
  });
}

/** Where a command stands in the text of its profile; undefined where it offers no such. */
function offerPath(
  points: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  name: string,
): readonly string[] | undefined {
  const { point, command } = split(name);
  const source = Object.hasOwn(points, point) ? points[point] : undefined;
  const named = source?.['commands'];
  if (typeof named === 'object' && named !== null && Object.hasOwn(named, command)) {
    return ['points', point, 'commands', command];
  }
  return command === SET_COMMAND && source?.['write'] !== undefined
    ? ['points', point, 'write']
    : undefined;
}

function split(name: string): { readonly point: string; readonly command: string } {
  const [point = '', command = ''] = name.split('.');
  return { point, command };
}

function commandsByName({ points }: Profile): Map<string, ProfileCommand> {
  return new Map(
    points.flatMap(({ id, commands = [] }) =>
      commands.map((command) => [`${id}.${command.offer.id}`, command] as const),
    ),
  );
}

function namesAllowed(
  profile: Profile,
  { allow }: CommandsSource,
  known: ReadonlyMap<string, ProfileCommand>,
  path: Path,
  problems: Problems,
): Set<string> {
  const names = new Set<string>();
  for (const [index, name] of allow.entries()) {
    const at = [...path, 'allow', index];
    if (known.size === 0) {
      problems.add(at, 'command-none-offered', { profile: profile.id });
      return names;
    }
    if (name !== '*' && !known.has(name)) unknownCommand(name, profile, known, at, problems);
    else if (allow.indexOf(name) < index || (name !== '*' && allow.includes('*'))) {
      problems.add(at, 'command-allowed-twice', { command: name }, { severity: 'warning' });
    }
    for (const one of name === '*' ? known.keys() : [name]) names.add(one);
  }
  return names;
}

function unknownCommand(
  name: string,
  { id }: Profile,
  known: ReadonlyMap<string, ProfileCommand>,
  path: Path,
  problems: Problems,
): void {
  const help = meant(name, [...known.keys()]);
  problems.add(path, 'command-unknown', { profile: id, command: name }, { help });
}

function meant(word: string, list: readonly string[]): Bilingual | undefined {
  const near = didYouMean(word, list);
  if (near) return bilingual('help-did-you-mean', { word: near });
  return list.length ? bilingual('help-one-of', { list: list.join(', ') }) : undefined;
}

/** What both allow: `now` has the settings of the site, `offer` is what the profile says. */
function within(offer: CommandOffer, now: CommandOffer): CommandOffer {
  const range: CommandOffer['range'] =
    offer.range && now.range
      ? [Math.max(offer.range[0], now.range[0]), Math.min(offer.range[1], now.range[1])]
      : now.range;
  const states = now.states?.filter((state) => unfit(offer, state) === null) ?? null;
  return { ...now, range, states };
}

interface Narrowing {
  readonly name: string;
  readonly set: NarrowedSource;
  readonly path: Path;
  readonly problems: Problems;
}

function checkNarrower(
  offer: CommandOffer,
  now: CommandOffer,
  { name, set, path, problems }: Narrowing,
): void {
  const widened = (key: keyof NarrowedSource, found: string) =>
    problems.add([...path, key], 'command-widened', { key, command: name, found });
  if (set.range && !offer.range) {
    widened('range', (offer.states ?? [offer.fixed ?? 'text']).join(', '));
  } else if (set.range && offer.range) {
    const [min, max] = offer.range;
    if (set.range[0] < min || set.range[1] > max) widened('range', `${min} … ${max}`);
  }
  const isLess = commandRights.indexOf(now.right) < commandRights.indexOf(offer.right);
  if (isLess) widened('right', offer.right);
  if (offer.twoPeople && !now.twoPeople) widened('two_people', 'true');
  if (now.everyMs < offer.everyMs) widened('every', durationText(offer.everyMs));
  const { revert } = offer;
  if (revert && now.revert && now.revert.afterMs > revert.afterMs) {
    widened('revert', durationText(revert.afterMs));
  }
}

// --- Interlocks ---

/** What is known of the points of this gateway; devices with problems of their own have none. */
interface Points {
  readonly ids: readonly string[];
  readonly byDevice: ReadonlyMap<string, ReadonlyMap<string, CollectedPoint>>;
}

export function readInterlocks(
  { devices, interlocks = [] }: GatewaySource,
  read: readonly DeviceConfig[],
  problems: Problems,
): Interlock[] {
  const points: Points = {
    ids: devices.map(({ id }) => id),
    byDevice: new Map(
      read.map(({ id, groups }) => [
        id,
        new Map(groups.flatMap((group) => group.points.map((point) => [point.profile.id, point]))),
      ]),
    ),
  };
  const ids = new Set<string>();
  return interlocks.map((source, at) => {
    const path = ['interlocks', at];
    if (ids.has(source.id)) problems.add([...path, 'id'], 'duplicate-id', { id: source.id });
    ids.add(source.id);
    checkGuard(source, points, [...path, 'guard'], problems);
    const staleMs = durationMs(source.stale ?? STALE_DEFAULT);
    const holds = conditionOf(source, points, path, problems);
    const { device, point, commands = null, values = null } = source.guard;
    const { id, title } = source;
    const guard = { device, point, commands, values };
    return { id, title, ...guard, watch: source.while.point, holds, staleMs };
  });
}

/** Undefined when it is not there, which is told, or when its device has problems of its own. */
function pointOf(
  device: string,
  point: string,
  { ids, byDevice }: Points,
  at: { readonly device: Path; readonly point: Path },
  problems: Problems,
): CollectedPoint | undefined {
  if (!ids.includes(device)) {
    problems.add(at.device, 'unknown-device', { device }, { help: meant(device, ids) });
    return undefined;
  }
  const points = byDevice.get(device);
  const found = points?.get(point);
  if (points && !found) {
    const help = meant(point, [...points.keys()]);
    problems.add(at.point, 'unknown-point', { device, point }, { help });
  }
  return found;
}

function checkGuard(
  { guard }: InterlockSource,
  points: Points,
  path: Path,
  problems: Problems,
): void {
  const { device, point, commands, values } = guard;
  const at = { device: [...path, 'device'], point: [...path, 'point'] };
  const found = pointOf(device, point, points, at, problems);
  if (!found) return;
  const offered = (found.profile.commands ?? []).map(({ offer }) => offer.id);
  let isKnown = true;
  for (const [index, command] of (commands ?? []).entries()) {
    if (offered.includes(command)) continue;
    isKnown = false;
    const where = [...path, 'commands', index];
    const unknown = { point: `${device}/${point}`, command };
    problems.add(where, 'interlock-unknown-command', unknown, { help: meant(command, offered) });
  }
  const guarded = (found.definition.commands ?? []).filter(
    ({ id }) => !commands || commands.includes(id),
  );
  const name = `${device}/${point}`;
  for (const [index, value] of (values ?? []).entries()) {
    if (guarded.length === 0 || guarded.some((offer) => mayWrite(offer, value))) continue;
    const unfitting = { point: name, value: `${value}` };
    problems.add([...path, 'values', index], 'interlock-value-unfit', unfitting);
  }
  if (guarded.length > 0 || !isKnown) return;
  problems.add(path, 'interlock-guards-nothing', { point: name }, { severity: 'warning' });
}

/** Also what it goes back to by itself. */
function mayWrite(offer: CommandOffer, value: Exclude<Value, null>): boolean {
  return (
    offer.revert?.value === value ||
    ((offer.fixed ?? value) === value && unfit(offer, value) === null)
  );
}

function conditionOf(
  { while: source, stale }: InterlockSource,
  points: Points,
  path: Path,
  problems: Problems,
): Interlock['holds'] {
  const at = [...path, 'while'];
  const given = (['above', 'below', 'is'] as const).filter((key) => source[key] !== undefined);
  const [key = 'is'] = given;
  if (given.length !== 1) problems.add(at, 'interlock-condition', { count: given.length });
  const [device = '', point = ''] = source.point.split('/');
  const where = [...at, 'point'];
  const found = pointOf(device, point, points, { device: where, point: where }, problems);
  if (found && isEvent(found)) {
    const help = bilingual('opcua-event-help');
    problems.add(where, 'interlock-watches-event', { point: source.point }, { help });
  } else if (found) {
    checkCondition(key, source, found.definition, at, problems);
    checkStale(stale ?? STALE_DEFAULT, found.definition, path, problems);
  }
  if (key === 'is') return { kind: key, states: source.is ?? [] };
  return { kind: key, limit: source[key] ?? 0 };
}

function isEvent({ profile: { address } }: CollectedPoint): boolean {
  return !isModbus(address) && address.kind === 'event';
}

function checkCondition(
  key: 'above' | 'below' | 'is',
  source: InterlockSource['while'],
  { type, range }: PointDefinition,
  path: Path,
  problems: Problems,
): void {
  const { point } = source;
  const at = [...path, key];
  if (key === 'is') {
    for (const [index, state] of (source.is ?? []).entries()) {
      if (typeof state === 'boolean' ? type === 'boolean' : type === 'integer') continue;
      problems.add([...at, index], 'state-unfit', { state: `${state}`, type });
    }
    return;
  }
  if (type !== 'number' && type !== 'integer') {
    problems.add(at, 'interlock-watches-kind', { key, point, type });
    return;
  }
  const limit = source[key] ?? 0;
  if (!range || (key === 'above' ? limit < range[1] : limit > range[0])) return;
  problems.add(at, 'interlock-never', { point, key, limit, min: range[0], max: range[1] });
}

function checkStale(
  stale: string,
  { device, point, periodMs }: PointDefinition,
  path: Path,
  problems: Problems,
): void {
  if (durationMs(stale) >= NO_DATA_POLLS_MIN * periodMs) return;
  const values = { point: `${device}/${point}`, poll: durationText(periodMs), stale };
  problems.add([...path, 'stale'], 'interlock-stale-soon', values, { severity: 'warning' });
}
