// One device of a gateway file: its profile, what the site sets over it, and what becomes of both.
//
// A setting is put into the profile's own text, and the whole is checked again as a profile: what a
// profile may not say, a site may not say either, and a limit is compared with what is in force
// beside it. A finding of that check is shown at the setting that brought it.
import { SET_COMMAND } from '../../core/command.ts';
import { readDocument } from '../../core/document.ts';
import { durationMs, durationText } from '../../core/duration.ts';
import { isFault } from '../../core/fault.ts';
import type { Finding, Path, Problems } from '../../core/problems.ts';
import { didYouMean, InvalidInput } from '../../core/problems.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual, say } from '../../core/text/text.ts';
import { isTooEarly, NO_DATA_POLLS_MIN } from '../../device-profiles/cross-checks.ts';
import { defaultPolls, profileForm } from '../../device-profiles/format.ts';
import type { Profile, ProfilePoint } from '../../device-profiles/profile.ts';
import { checkProfile, withDevice } from '../../device-profiles/profile.ts';
import type { Protocol } from '../../protocols/driver.ts';
import type { Group } from '../collect/device.ts';
import type { CollectedPoint } from '../collect/normalise.ts';
import type { Whose } from './certificate-points.ts';
import { withCertificates } from './certificate-points.ts';
import type { Offers } from './commands.ts';
import { allowedOffers, narrowings } from './commands.ts';
import type { DeviceSource, LinkSource } from './format.ts';
import type { DeviceConfig } from './gateway.ts';
import { inFlightOf, timeoutMsOf } from './link.ts';

/** Where profiles come from: the library of the package, or a test's own. */
export interface Profiles {
  readonly ids: readonly string[];
  /** By `vendor/model@revision`; throws a fault or InvalidInput. */
  load(reference: string): Profile;
  /** The text of `vendor/model`. */
  text(id: string): Uint8Array | string;
}

export interface DeviceSetup {
  readonly source: DeviceSource;
  readonly path: Path;
  readonly unit: number;
  readonly link: LinkSource;
  readonly protocol: Protocol;
  readonly firstAlias: number;
  /** Of which the gateway tells how long they are good, beside the points of the profile. */
  readonly certificates: readonly Whose[];
  /** Profiles with settings over them, by both: hundreds of devices are often set alike. */
  readonly effective: Map<string, EffectiveProfile>;
}

export interface EffectiveProfile {
  readonly profile: Profile;
  /** Told of each device that has it. */
  readonly stretched: readonly Silence[];
}

/** A no-data alarm that polls so slow would set off; `after` is what was written. */
interface Silence {
  readonly point: string;
  readonly after: string;
  readonly poll: string;
  readonly stretched: string;
}

/** Undefined when something is wrong with it, which then stands in the problems of the document. */
export function readDevice(
  setup: DeviceSetup,
  problems: Problems,
  profiles: Profiles,
): DeviceConfig | undefined {
  const { source, path, link, protocol, unit } = setup;
  const found = loadProfile(source, path, profiles, problems);
  if (!found) return undefined;
  if (found.protocol !== link.protocol) {
    const values = { profile: found.id, wanted: found.protocol, protocol: link.protocol };
    problems.add([...path, 'profile'], 'profile-other-protocol', values);
    return undefined;
  }
  const timeoutMs = timeoutMsOf(link);
  const options = protocol.parseDevice(
    {
      ...found.device,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(inFlightOf(link) ? { inFlightMax: inFlightOf(link) } : {}),
      ...laidOver(found.device, source.settings ?? {}),
      unit,
    },
    source.settings ? [...path, 'settings'] : path,
    problems,
  );
  const isRead = options !== undefined;
  const profile = effectiveProfile(found, setup, isRead, problems, profiles);
  const offers = allowedOffers(found, profile ?? found, source.commands, path, problems);
  if (!profile || options === undefined) return undefined;
  return {
    id: source.id,
    link: source.link,
    name: source.name ?? null,
    asset: source.asset ?? null,
    profile: `${profile.id}@${profile.revision}`,
    unit,
    options,
    groups: groupsOf(withCertificates(profile, link, setup.certificates), source, offers, setup),
    habits: { wakesAfterMs: profile.wakesAfterMs, identify: profile.identify },
  };
}

function loadProfile(
  { profile: reference }: DeviceSource,
  path: Path,
  profiles: Profiles,
  problems: Problems,
): Profile | undefined {
  const at = [...path, 'profile'];
  const [id = ''] = reference.split('@');
  if (!profiles.ids.includes(id)) {
    const word = didYouMean(id, profiles.ids);
    const help = word ? bilingual('help-did-you-mean', { word }) : undefined;
    problems.add(at, 'unknown-profile', { profile: id }, { help });
    return undefined;
  }
  try {
    return profiles.load(reference);
  } catch (error) {
    const detail = isFault(error) ? error.detail : firstFinding(id, error);
    const message = {
      en: say('en', 'profile-refused', { detail: detail.en }),
      zh: say('zh', 'profile-refused', { detail: detail.zh }),
    };
    problems.adopt({ code: 'profile-refused', message, help: null, severity: 'error' }, at);
    return undefined;
  }
}

function firstFinding(id: string, error: unknown): Bilingual {
  if (!(error instanceof InvalidInput)) throw error;
  const { en = '', zh = '' } = error.findings[0]?.message ?? {};
  return { en: `${id}: ${en}`, zh: `${id}：${zh}` };
}

/** Settings of a site: of a map like `limits`, what the site does not name stays the profile's. */
function laidOver(
  device: Readonly<Record<string, unknown>>,
  settings: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isMap = (value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  return Object.fromEntries(
    Object.entries(settings).map(([name, value]) => {
      const under = device[name];
      return [name, isMap(value) && isMap(under) ? Object.assign({}, under, value) : value];
    }),
  );
}

/** `isRead`: the protocol takes the settings; else it has said why not. */
function effectiveProfile(
  profile: Profile,
  setup: DeviceSetup,
  isRead: boolean,
  problems: Problems,
  profiles: Profiles,
): Profile | undefined {
  const { source, path, effective } = setup;
  const settings = Object.entries(source.set ?? {});
  const narrowed = Object.entries(source.commands?.set ?? {});
  if (![...settings, ...narrowed].length && !source.poll && !source.settings) return profile;
  const key = JSON.stringify([profile.id, source.poll, settings, source.settings, narrowed]);
  const known = effective.get(key);
  if (known) {
    for (const silence of known.stretched) tellStretched(silence, source, path, problems);
    return known.profile;
  }
  const text = profiles.text(profile.id);
  const raw = structuredClone(readDocument(text, profile.id, profileForm).raw) as RawProfile;
  delete raw['tests']; // They say what the profile is without the site.
  if (source.settings)
    raw['device'] = { ...profile.device, ...laidOver(profile.device, source.settings) };
  let isKnown = true;
  if (source.poll) for (const point of Object.values(raw.points)) point['poll'] = source.poll;
  for (const [setting, value] of settings) {
    const [, point = '', part = ''] = setting.split('.');
    if (part === 'write' || part === 'commands') {
      isKnown = false;
      problems.add([...path, 'set', setting], 'command-setting', { setting });
    } else if (Object.hasOwn(raw.points, point)) put(raw, setting.split('.'), value);
    else {
      isKnown = false;
      const word = didYouMean(point, Object.keys(raw.points));
      const help = word ? bilingual('help-did-you-mean', { word }) : undefined;
      const values = { point, profile: profile.id };
      problems.add([...path, 'set', setting], 'setting-unknown-point', values, { help });
    }
  }
  for (const { path: at, value } of narrowings(raw.points, source.commands)) put(raw, at, value);
  const stretched = stretchSilences(raw, source, path, problems);
  const checked = checkProfile(JSON.stringify(raw), profile.id);
  // A profile without tests is warned about; here they were taken away.
  const found = checked.problems.findings.filter(({ code }) => code !== 'point-untested');
  const ofProfile = found.length ? checkProfile(text, profile.id).problems.findings : [];
  const before = new Set(ofProfile.map(keyOf));
  const fresh = found.filter((finding) => !before.has(keyOf(finding)));
  adoptAll(fresh, setup, isRead, problems);
  if (!isKnown || !checked.profile) return undefined;
  if (fresh.length === 0) effective.set(key, { profile: checked.profile, stretched });
  return checked.profile;
}

/**
 * A slow poll makes the no-data alarm of a profile too early: it waits longer then, and that is
 * said. What the file itself says is wrong instead. Both go on with what fits, so that whatever
 * else is wrong is found as well.
 */
function stretchSilences(
  raw: RawProfile,
  source: DeviceSource,
  path: Path,
  problems: Problems,
): Silence[] {
  return Object.entries(raw.points).flatMap(([point, written]) => {
    const silence = silenceOf(point, written as WrittenPoint);
    if (!silence) return [];
    put(raw, ['points', point, 'alarms', 'no_data', 'after'], silence.stretched);
    const own = Object.keys(source.set ?? {}).find((setting) =>
      `points.${point}.alarms.no_data.after.`.startsWith(`${setting}.`),
    );
    if (own === undefined) {
      tellStretched(silence, source, path, problems);
      return [silence];
    }
    const values = { ...silence, polls: NO_DATA_POLLS_MIN };
    problems.add([...path, 'set', own], 'no-data-too-early', values);
    return [];
  });
}

/** As far as it is looked at; anything may stand there, as no schema saw it yet. */
interface WrittenPoint {
  readonly poll?: unknown;
  readonly class?: unknown;
  readonly alarms?: { readonly no_data?: { readonly after?: unknown } };
}

function silenceOf(point: string, written: WrittenPoint): Silence | undefined {
  const kind = written.class ?? 'trend';
  const presets: Readonly<Record<string, string>> = defaultPolls;
  const poll = `${written.poll ?? presets[`${kind}`]}`;
  const after = `${written.alarms?.no_data?.after}`;
  if (!isTooEarly(after, poll)) return undefined;
  return { point, after, poll, stretched: durationText(NO_DATA_POLLS_MIN * durationMs(poll)) };
}

function tellStretched(
  silence: Silence,
  { set = {}, poll }: DeviceSource,
  path: Path,
  problems: Problems,
): void {
  const setting = `points.${silence.point}.alarms.no_data.after`;
  const polled = `points.${silence.point}.poll`;
  const at = Object.hasOwn(set, polled) ? ['set', polled] : [poll ? 'poll' : 'set'];
  const values = { ...silence, setting, polls: NO_DATA_POLLS_MIN };
  problems.add([...path, ...at], 'no-data-stretched', values, { severity: 'warning' });
}

type RawProfile = Record<string, unknown> & { points: Record<string, Record<string, unknown>> };

const keyOf = ({ code, path }: Finding) => `${code} ${path.join('.')}`;

function put(raw: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) {
    raw[key] = value;
    return;
  }
  const inner = raw[key];
  const next = typeof inner === 'object' && inner !== null ? inner : {};
  raw[key] = next;
  put(next as Record<string, unknown>, rest, value);
}

/** Limits of a device are every point's: the first that does not fit stands for the others. */
function adoptAll(
  findings: readonly Finding[],
  { source, path }: DeviceSetup,
  isRead: boolean,
  problems: Problems,
): void {
  const seen = new Set<string>();
  for (const finding of findings) {
    const at = protocolSettingOf(finding, source);
    if (!at) problems.adopt(finding, settingOf(finding, source, path));
    else if (finding.path[0] === 'device') {
      if (isRead) problems.adopt(finding, [...path, ...at]);
    } else if (!seen.has(finding.code)) {
      seen.add(finding.code);
      const where = finding.path.join('.');
      const { en, zh } = finding.message;
      const message = { en: `${where}: ${en}`, zh: `${where}：${zh}` };
      problems.adopt({ ...finding, message }, [...path, ...at]);
    }
  }
}

const limitsBeyond = new Map<string, string>([
  ['point-beyond-block', 'maxRegisters'],
  ['block-forbidden', 'minRegisters'],
]);

/** Undefined where no setting of the protocol brought it. */
function protocolSettingOf({ code, path }: Finding, { settings }: DeviceSource): Path | undefined {
  if (!settings) return undefined;
  if (path[0] === 'device') return ['settings', ...path.slice(1)];
  const limit = limitsBeyond.get(code);
  return limit && settings['limits'] !== undefined ? ['settings', 'limits', limit] : undefined;
}

/** Where the setting stands whose path has most in common with that of the finding. */
function settingOf(finding: Finding, { set = {}, poll, commands }: DeviceSource, path: Path): Path {
  const [, point, part, command, ...rest] = finding.path;
  const offer = part === 'write' ? `${point}.${SET_COMMAND}` : `${point}.${command}`;
  if (part === 'write' && commands?.set && Object.hasOwn(commands.set, offer)) {
    return [
      ...path,
      'commands',
      'set',
      offer,
      ...(command === undefined ? [] : [command]),
      ...rest,
    ];
  }
  if (part === 'commands' && commands?.set && Object.hasOwn(commands.set, offer)) {
    return [...path, 'commands', 'set', offer, ...rest];
  }
  const common = (setting: string) => {
    const parts = setting.split('.');
    const at = parts.findIndex((part, index) => part !== `${finding.path[index]}`);
    return at === -1 ? parts.length : at;
  };
  const nearest = Object.keys(set).sort((a, b) => common(b) - common(a))[0];
  const isSet = nearest !== undefined && common(nearest) > 1;
  return isSet ? [...path, 'set', nearest] : [...path, poll ? 'poll' : 'profile'];
}

function groupsOf(
  points: readonly ProfilePoint[],
  source: DeviceSource,
  offers: Offers,
  { firstAlias, protocol }: DeviceSetup,
): Group[] {
  const isEvent = ({ address }: ProfilePoint) => protocol.isEvent?.(address) ?? false;
  // What happened and what is go ways of their own. What is read after a trigger waits for it: it
  // must not hold back what is not.
  const together = new Map<string, ProfilePoint[]>();
  for (const point of points) {
    const kind = isEvent(point) ? 'event' : '';
    const key = `${point.definition.periodMs} ${point.auxiliary?.before?.id ?? ''} ${kind}`;
    together.set(key, [...(together.get(key) ?? []), point]);
  }
  let next = firstAlias;
  return [...together.values()]
    .map((points) => ({ points, periodMs: points[0]!.definition.periodMs }))
    .sort((a, b) => a.periodMs - b.periodMs)
    .map(({ periodMs, points }) => {
      const first = next;
      next += points.length;
      return {
        firstAlias: first,
        periodMs,
        points: points.map((point) => collected(point, source, offers)),
        addresses: points.map(({ address, auxiliary }) => auxiliary?.asked ?? address),
        ...(isEvent(points[0]!) ? { isEvent: true } : {}),
      };
    });
}

function collected(
  profile: ProfilePoint,
  { id, name, asset }: DeviceSource,
  offers: Offers,
): CollectedPoint {
  const { definition } = profile;
  const commands = offers.get(profile.id);
  const point = {
    ...definition,
    device: id,
    rules: withDevice(definition.rules, id),
    name: name ? within(name, definition.name) : definition.name,
    asset: asset ?? null,
    ...(commands ? { commands } : {}),
  };
  return { profile, definition: point };
}

// The dictionary knows points only: the name a site gives its device travels with them.
function within(device: Bilingual, point: Bilingual): Bilingual {
  return { en: `${device.en}: ${point.en}`, zh: `${device.zh}：${point.zh}` };
}
