// The local fallback of a site: for which alarms, how long a confirmation is waited for, which
// output is driven then, and when it is released. Checked against what is offered and allowed, so
// that what is to work when nobody answers is known to work before.
import type { AlarmLevel, Rule } from '../../core/alarm/rule.ts';
import type { CommandOffer, Interlock } from '../../core/command.ts';
import { isSameValue, SET_COMMAND, unfit } from '../../core/command.ts';
import { durationMs, durationText } from '../../core/duration.ts';
import { type PointDefinition, SELF_DEVICE } from '../../core/point.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { didYouMean } from '../../core/problems.ts';
import type { Value } from '../../core/reading.ts';
import type { Bilingual, Language } from '../../core/text/text.ts';
import { bilingual, say } from '../../core/text/text.ts';
import { isOfType, offerOf } from '../commands/decide.ts';
import type { FallbackSource, GatewaySource } from './format.ts';
import type { GatewayConfig } from './gateway.ts';

/** What is written to a point, by one of its commands. */
export interface OutputCommand {
  readonly device: string;
  readonly point: string;
  readonly command: string;
  /** Null where the command has one of its own. */
  readonly value: Value;
}

export type ReleaseOn = 'confirmed' | 'cleared';

export interface FallbackConfig {
  readonly id: string;
  readonly when: {
    readonly levels: readonly AlarmLevel[];
    /** Null: of any. */
    readonly devices: readonly string[] | null;
    /** `device/point`; null: every one of class life-safety. */
    readonly points: readonly string[] | null;
    readonly rules: readonly string[] | null;
  };
  readonly confirmWithinMs: number;
  readonly cloudAway: 'wait' | 'at_once';
  readonly output: OutputCommand;
  /** Null: it stays until a person commands the point. */
  readonly release: {
    readonly on: readonly ReleaseOn[];
    /** At the latest so long after it was driven; null: as long as an alarm needs it. */
    readonly afterMs: number | null;
    readonly command: string;
    readonly value: Value;
  } | null;
}

const LEVELS_DEFAULT: readonly AlarmLevel[] = [1, 2];
const CONFIRM_WITHIN_DEFAULT = '90s';
const RELEASE_ON_DEFAULT: readonly ReleaseOn[] = ['confirmed', 'cleared'];

/**
 * Whether an alarm of this rule on this point is one that the fallback is for; tests of the path
 * and drills never are.
 */
export function isMeant(
  { when }: FallbackConfig,
  definition: PointDefinition,
  rule: Rule,
): boolean {
  const { levels, devices, points, rules } = when;
  const { device, point } = definition;
  if (device === SELF_DEVICE || !levels.includes(rule.level)) return false;
  if (devices && !devices.includes(device)) return false;
  if (rules && !rules.includes(rule.id)) return false;
  return points ? points.includes(`${device}/${point}`) : definition.class === 'life-safety';
}

/** What is offered and allowed, and what may hold it. */
interface Site {
  readonly points: readonly PointDefinition[];
  readonly interlocks: readonly Interlock[];
  /** Devices of the file that could not be read: told of where they stand. */
  readonly devices: readonly string[];
}

export function readFallbacks(
  { devices, fallback = [] }: GatewaySource,
  points: readonly PointDefinition[],
  interlocks: readonly Interlock[],
  problems: Problems,
): FallbackConfig[] {
  const site: Site = { points, interlocks, devices: devices.map(({ id }) => id) };
  const ids = new Set<string>();
  const read = fallback.map((source, at) => {
    const path = ['fallback', at];
    if (ids.has(source.id)) problems.add([...path, 'id'], 'duplicate-id', { id: source.id });
    ids.add(source.id);
    return readFallback(source, site, path, problems);
  });
  read.forEach((one, at) => {
    const other = read.slice(0, at).find((each) => isSameOutput(each, one));
    if (!other || isSameUse(other, one)) return;
    const { device, point } = one.output;
    const values = { point: `${device}/${point}`, fallback: one.id, other: other.id };
    problems.add(['fallback', at, 'output'], 'fallback-outputs-differ', values);
  });
  return read;
}

function isSameOutput({ output: one }: FallbackConfig, { output: two }: FallbackConfig): boolean {
  return one.device === two.device && one.point === two.point;
}

/**
 * Two fallbacks on one output drive and release it in one way: the first to end it ends it right.
 */
function isSameUse(one: FallbackConfig, two: FallbackConfig): boolean {
  const use = ({ output, release }: FallbackConfig) => {
    const { command, value } = output;
    return JSON.stringify([command, value, release?.command, release?.value]);
  };
  return use(one) === use(two);
}

function readFallback(
  source: FallbackSource,
  site: Site,
  path: Path,
  problems: Problems,
): FallbackConfig {
  const { id, when = {}, confirm_within = CONFIRM_WITHIN_DEFAULT, cloud_away = 'wait' } = source;
  const { device, point, command = SET_COMMAND, value = null } = source.output;
  const output: OutputCommand = { device, point, command, value };
  const config: FallbackConfig = {
    id,
    when: {
      levels: when.levels ?? LEVELS_DEFAULT,
      devices: when.devices ?? null,
      points: when.points ?? null,
      rules: when.rules ?? null,
    },
    confirmWithinMs: durationMs(confirm_within),
    cloudAway: cloud_away,
    output,
    release: releaseOf(source, output),
  };
  checkWhen(source, config, site, path, problems);
  checkOutput(source, config, site, path, problems);
  return config;
}

/** Off where it was on, where nothing else is said. */
function releaseOf(
  { release = {} }: FallbackSource,
  { command, value }: OutputCommand,
): FallbackConfig['release'] {
  if (release === 'never') return null;
  const opposite = typeof value === 'boolean' ? !value : value === 1 ? 0 : null;
  return {
    on: release.when ?? RELEASE_ON_DEFAULT,
    afterMs: release.after === undefined ? null : durationMs(release.after),
    command: release.command ?? command,
    value: release.value ?? (release.command === undefined ? opposite : null),
  };
}

function checkWhen(
  { when = {} }: FallbackSource,
  config: FallbackConfig,
  { points, devices }: Site,
  path: Path,
  problems: Problems,
): void {
  const before = problems.findings.length;
  for (const [index, device] of (when.devices ?? []).entries()) {
    if (devices.includes(device)) continue;
    const at = [...path, 'when', 'devices', index];
    problems.add(at, 'unknown-device', { device }, { help: meant(device, devices) });
  }
  const names = points.map(({ device, point }) => `${device}/${point}`);
  for (const [index, name] of (when.points ?? []).entries()) {
    const [device = '', point = ''] = name.split('/');
    if (names.includes(name)) continue;
    const at = [...path, 'when', 'points', index];
    const isKnown = devices.includes(device);
    const help = meant(name, names);
    if (isKnown) problems.add(at, 'unknown-point', { device, point }, { help });
    else problems.add(at, 'unknown-device', { device }, { help });
  }
  const isAny = points.some((point) => point.rules.some((rule) => isMeant(config, point, rule)));
  // A device with problems of its own may have one.
  const isWhole = devices.every((id) => points.some(({ device }) => device === id));
  if (isAny || !isWhole || problems.findings.length > before) return;
  const at = when.levels || when.devices || when.points || when.rules ? [...path, 'when'] : path;
  problems.add(at, 'fallback-never', { fallback: config.id }, { severity: 'warning' });
}

function checkOutput(
  source: FallbackSource,
  { output, release }: FallbackConfig,
  site: Site,
  path: Path,
  problems: Problems,
): void {
  const at = [...path, 'output'];
  const { device, point } = output;
  if (!site.devices.includes(device)) {
    const help = meant(device, site.devices);
    problems.add([...at, 'device'], 'unknown-device', { device }, { help });
    return;
  }
  const ofDevice = site.points.filter((each) => each.device === device);
  if (ofDevice.length === 0) return; // It has problems of its own.
  const found = ofDevice.find((each) => each.point === point);
  if (!found) {
    const names = ofDevice.map((each) => each.point);
    const help = meant(point, names);
    problems.add([...at, 'point'], 'unknown-point', { device, point }, { help });
    return;
  }
  const isDriven = checkCommand(output, found, { at, has: source.output }, problems);
  if (isDriven) warnHeld(output, found, site.interlocks, at, problems);
  if (!release) return;
  const given = source.release === 'never' ? undefined : source.release;
  const where = given ? [...path, 'release'] : at;
  const back: OutputCommand = { ...output, command: release.command, value: release.value };
  const offer = offerOf(found, back.command);
  if (isDriven && back.value === null && offer && offer.fixed === null) {
    problems.add(where, 'fallback-no-release', { point: `${device}/${point}` });
    return;
  }
  if (!isDriven && !given) return;
  if (isDriven && isSameDeed(output, back, found)) {
    problems.add(where, 'fallback-release-same', { point: `${device}/${point}` });
    return;
  }
  checkCommand(back, found, { at: where, has: given ?? {} }, problems);
}

function isSameDeed(one: OutputCommand, two: OutputCommand, point: PointDefinition): boolean {
  const written = ({ command, value }: OutputCommand) => value ?? offerOf(point, command)?.fixed;
  return isSameValue(written(one) ?? null, written(two) ?? null);
}

/** True when it can be commanded. */
function checkCommand(
  { device, point, command, value }: OutputCommand,
  definition: PointDefinition,
  { at, has }: { readonly at: Path; readonly has: object },
  problems: Problems,
): boolean {
  const place = (key: string) => (key in has ? [...at, key] : at);
  const offer = offerOf(definition, command);
  const name = `${device}/${point}`;
  if (!offer) {
    const offers = (definition.commands ?? []).map(({ id }) => id);
    const help = offers.length ? meant(command, offers) : bilingual('help-fallback-allow');
    problems.add(place('command'), 'fallback-not-allowed', { point: name, command }, { help });
    return false;
  }
  const isFit = offer.fixed !== null || isOfType(value, definition);
  if (isFit && unfit(offer, value) === null) return true;
  const values = { point: name, command, value: `${value ?? '-'}`, fits: fitting(offer) };
  problems.add(place('value'), 'fallback-value-unfit', values);
  return false;
}

function fitting({ fixed, range, states }: CommandOffer): string {
  if (fixed !== null) return `${fixed}`;
  if (states) return states.join(', ');
  return range ? `${range[0]} … ${range[1]}` : 'true, false';
}

/** What keeps the output from being driven is said now: then there will be nobody to ask. */
function warnHeld(
  { device, point, command, value }: OutputCommand,
  definition: PointDefinition,
  interlocks: readonly Interlock[],
  path: Path,
  problems: Problems,
): void {
  const written = value ?? offerOf(definition, command)?.fixed ?? null;
  for (const { id, ...guard } of interlocks) {
    if (guard.device !== device || guard.point !== point) continue;
    if (guard.commands && !guard.commands.includes(command)) continue;
    if (guard.values && !guard.values.some((one) => isSameValue(one, written))) continue;
    const values = { point: `${device}/${point}`, interlock: id };
    problems.add(path, 'fallback-may-be-held', values, { severity: 'warning' });
  }
}

function meant(word: string, list: readonly string[]): Bilingual | undefined {
  const near = didYouMean(word, list);
  if (near) return bilingual('help-did-you-mean', { word: near });
  return list.length ? bilingual('help-one-of', { list: list.slice(0, 20).join(', ') }) : undefined;
}

/** In words, for whoever checks the file before it runs: two lines each; none for none. */
export function fallbackLines(
  { fallbacks, points }: Pick<GatewayConfig, 'fallbacks' | 'points'>,
  language: Language,
): string[] {
  if (fallbacks.length === 0) return [];
  const lines = fallbacks.flatMap((config) => {
    const { id, confirmWithinMs, cloudAway, output, release } = config;
    const rules = points.flatMap((point) =>
      point.rules.filter((rule) => isMeant(config, point, rule)),
    ).length;
    const away = say(
      language,
      cloudAway === 'wait' ? 'check-fallback-wait' : 'check-fallback-at-once',
    );
    const limit = durationText(confirmWithinMs);
    const told = { fallback: id, limit, away, output: deedText(output), rules };
    const after = release?.afterMs == null ? [] : [durationText(release.afterMs)];
    const back = release && {
      when: [...release.on, ...after].join(', '),
      release: deedText({ ...output, ...release }),
    };
    const ends = back
      ? say(language, 'check-fallback-release', back)
      : say(language, 'check-fallback-latched');
    return [`  ${say(language, 'check-fallback', told)}`, `      ${ends}`];
  });
  return [say(language, 'check-fallbacks'), ...lines];
}

function deedText({ device, point, command, value }: OutputCommand): string {
  const written = value === null ? '' : ` ${value}`;
  return `${device}/${point} ${command}${written}`;
}
