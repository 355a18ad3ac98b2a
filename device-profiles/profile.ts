// What we know of a device model: one YAML file, which is at once the edge's driver configuration,
// a simulator, a page of the catalogue and its own test.
//
// A profile proposes: site files override its values, and the cloud's registry decides which of its
// alarms are in force. There is no place for code in a profile: a device that lies is handled by a
// named decoder of its protocol.
import type {
  Defaulted,
  LimitRule,
  LimitSide,
  RuleProposal,
  StateRule,
} from '../core/alarm/rule.ts';
import type { RulePoint } from '../core/alarm/rule-form.ts';
import { mannersOf, ruleOf } from '../core/alarm/rule-form.ts';
import type { CommandOffer } from '../core/command.ts';
import { readDocument } from '../core/document.ts';
import { durationMs } from '../core/duration.ts';
import type { PointDefinition, ValueType } from '../core/point.ts';
import { engineering } from '../core/point.ts';
import type { Path, Problems } from '../core/problems.ts';
import type { QualityCode, Reason } from '../core/quality.ts';
import { isBad, qualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { Bilingual } from '../core/text/text.ts';
import { bilingual } from '../core/text/text.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import type { Auxiliary, Trigger } from './auxiliary.ts';
import { crossCheck } from './cross-checks.ts';
import { sheetWithDefaults } from './default-sheets.ts';
import {
  defaultAlarmSets,
  filledIn,
  latches,
  limitsOf,
  NO_DATA_MS_MIN,
  notInServiceDefaults,
} from './defaults.ts';
import type { DeviceKind, LimitSource, PointSource, ProfileSource, ProfileTest } from './format.ts';
import { defaultPolls, profileForm } from './format.ts';
import type { PointAddress } from './raw-values.ts';
import { isModbus, rawOf, valueTypeOf } from './raw-values.ts';

/** What a point is before a site gives it a device and a place. */
export type PointParts = Omit<PointDefinition, 'device' | 'asset'>;

export interface ProfilePoint<Address = PointAddress> {
  readonly id: string;
  readonly address: Address;
  readonly definition: PointParts;
  /** Raw values that are no measurement; the key NaN stands for whatever is not a number. */
  readonly invalid: ReadonlyMap<number | bigint, Reason>;
  /** What must be read beside the value, or done before; absent for most points. */
  readonly auxiliary?: Auxiliary<Address>;
  /** What the raw values of an enumeration mean. */
  readonly states: ReadonlyMap<number | boolean, Bilingual>;
  /** By rule id: the norm or document its limit comes from. */
  readonly norms: Readonly<Record<string, Bilingual>>;
  /**
   * By rule id: what of it is a default and nobody's decision. `rule` is all of it; `clear`, `delay`,
   * `off_delay` come from the kind of device.
   */
  readonly defaults?: Readonly<Record<string, readonly string[]>>;
  readonly caveat: Bilingual | null;
  /** What may be commanded of it where the site allows it; absent for most points. */
  readonly commands?: readonly ProfileCommand[];
}

/** A point of a profile for Modbus. */
export type ModbusPoint = ProfilePoint<ModbusAddress>;

export function isModbusPoint(point: ProfilePoint): point is ModbusPoint {
  return isModbus(point.address);
}

/** All points of a profile for Modbus, none of another. */
export function modbusPoints({ points }: Pick<Profile, 'points'>): readonly ModbusPoint[] {
  return points.filter(isModbusPoint);
}

/** How the edge does what is offered. */
export interface ProfileCommand {
  readonly offer: CommandOffer;
  /** Where it is written or what is called, as the protocol parsed it. */
  readonly address: unknown;
  /** Raw value to write = (value - offset) / scale; `rawToWrite` makes it. */
  readonly scale: number;
  readonly offset: number;
  /** What the address takes: whole numbers are rounded to. */
  readonly wants: ValueType;
  /** What is written for each value, where the device wants a word of its own; else null. */
  readonly words: ReadonlyMap<number | boolean, number | boolean> | null;
  /** How soon and how nearly the point must show what was written; null: it cannot be seen. */
  readonly readBack: { readonly withinMs: number; readonly tolerance: number } | null;
}

export type Identification =
  | { readonly kind: 'register'; readonly address: ModbusAddress; readonly equals: number | string }
  | { readonly kind: 'device-id'; readonly vendor: RegExp | null; readonly product: RegExp | null };

export interface Profile {
  readonly id: string;
  readonly revision: string;
  readonly kind: DeviceKind;
  readonly vendor: string;
  readonly models: readonly string[];
  readonly title: Bilingual;
  readonly source: ProfileSource['profile']['source'];
  readonly protocol: ProfileSource['protocol'];
  /** As written: a site file lays its own settings over it before the protocol reads them. */
  readonly device: Readonly<Record<string, unknown>>;
  /** When nothing was asked for this long, the first request may go unanswered; null: never. */
  readonly wakesAfterMs: number | null;
  readonly triggers: readonly Trigger[];
  readonly identify: readonly Identification[];
  readonly points: readonly ProfilePoint[];
  readonly caveats: readonly Bilingual[];
  readonly tests: readonly ProfileTest[];
}

/** The profile of a text, or all findings as InvalidInput. */
export function parseProfile(text: string | Uint8Array, file: string): Profile {
  const { profile, problems } = checkProfile(text, file);
  problems.throwIfAny();
  return profile!;
}

/** The profile, when it is right, and everything there is to say about it, warnings included. */
export function checkProfile(
  text: string | Uint8Array,
  file: string,
): { readonly profile: Profile | undefined; readonly problems: Problems } {
  const document = readDocument(text, file, profileForm);
  const { value, problems } = document;
  const { addresses, auxiliaries, commands, triggers, identify } = crossCheck(document);
  if (!value || problems.failed) return { profile: undefined, problems };
  const profile: Profile = {
    ...value.profile,
    protocol: value.protocol,
    device: value.device ?? {},
    wakesAfterMs: value.wakes_after === undefined ? null : durationMs(value.wakes_after),
    triggers,
    identify,
    points: Object.entries(value.points).map(([id, point]) => {
      const guarded = Object.values(value.points).filter(({ mode }) => mode === id);
      const auxiliary = auxiliaries.get(id);
      const offered = commands.get(id);
      return pointOf(id, point, {
        address: addresses.get(id)!,
        kind: value.profile.kind,
        guarded,
        ...(auxiliary ? { auxiliary } : {}),
        ...(offered ? { commands: offered } : {}),
      });
    }),
    caveats: value.caveats ?? [],
    tests: value.tests ?? [],
  };
  return { profile: deepFreeze(profile), problems };
}

interface PointContext {
  readonly address: PointAddress;
  readonly kind: DeviceKind;
  /** The points that name this one as their mode. */
  readonly guarded: readonly PointSource[];
  readonly auxiliary?: Auxiliary;
  readonly commands?: readonly ProfileCommand[];
}

function pointOf(id: string, source: PointSource, context: PointContext): ProfilePoint {
  const { address, auxiliary, commands } = context;
  const { scale, offset } = auxiliary?.scaling ? { scale: 1, offset: 0 } : lineOf(source);
  const pointClass = source.class ?? 'trend';
  const { rules, norms, defaults } = rulesOf(source, context);
  return {
    id,
    address,
    definition: {
      point: id,
      name: source.title,
      unit: source.unit ?? '1',
      type: auxiliary?.scaling ? 'number' : valueTypeOf(address, scale, offset),
      scale,
      offset,
      range: source.range ?? null,
      class: pointClass,
      periodMs: periodOf(source, context),
      deadband: source.deadband ?? 0,
      rules,
    },
    invalid: new Map(
      Object.entries(source.invalid ?? {}).map(([raw, reason]) => [rawOf(raw, address)!, reason]),
    ),
    ...(auxiliary ? { auxiliary } : {}),
    states: new Map(
      Object.entries(source.states ?? {}).map(([raw, { en, zh }]) => [
        raw === 'true' ? true : raw === 'false' ? false : Number(raw),
        { en, zh },
      ]),
    ),
    norms,
    defaults,
    caveat: source.caveat ?? null,
    ...(commands ? { commands } : {}),
  };
}

/** Scale and offset as written, or of the line through the two points of `map`. */
export function lineOf({ map, scale = 1, offset = 0 }: PointSource): {
  scale: number;
  offset: number;
} {
  if (!map) return { scale, offset };
  const [rawLow, rawHigh] = map.raw;
  const [low, high] = map.value;
  const slope = Number(((high - low) / (rawHigh - rawLow)).toPrecision(15));
  return { scale: slope, offset: Number((low - rawLow * slope).toPrecision(12)) };
}

/** A mode is read as often as what depends on it, where its profile does not say. */
function periodOf(source: PointSource, { guarded }: PointContext): number {
  const ownMs = (point: PointSource) =>
    durationMs(point.poll ?? defaultPolls[point.class ?? 'trend']);
  if (source.poll !== undefined) return ownMs(source);
  return Math.min(...[source, ...guarded].map(ownMs));
}

const sides = {
  high_high: { side: 'high-high', title: 'alarm-high-high' },
  high: { side: 'high', title: 'alarm-high' },
  low: { side: 'low', title: 'alarm-low' },
  low_low: { side: 'low-low', title: 'alarm-low-low' },
} as const satisfies Record<string, { side: LimitSide; title: string }>;

interface Rules {
  readonly rules: readonly RuleProposal[];
  readonly norms: Readonly<Record<string, Bilingual>>;
  readonly defaults: Readonly<Record<string, readonly string[]>>;
}

/** The limits of a point as rules. */
export function limitRules(source: PointSource, kind: DeviceKind): LimitRule[] {
  return limitsOf(source).map(({ name, limit, isDefault }) => {
    const { side, title } = sides[name];
    const full = filledIn(name, limit, source, kind);
    return {
      kind: 'limit',
      id: side,
      side,
      level: limit.level,
      limit: limit.raise,
      deadband: Number(Math.abs(limit.raise - full.clear).toPrecision(12)),
      onDelayMs: durationMs(full.delay),
      offDelayMs: durationMs(full.offDelay),
      title: limit.title ?? titled(title, source.title),
      ...sheetOf({ ...limit, sheet: sheetWithDefaults(name, limit.sheet, source, kind) }),
      ...(latches(name, limit, source, kind) && { isLatching: true }),
      ...defaultsOf(isDefault ? Object.keys(defaultWords) : full.defaults),
    };
  });
}

const ALL_OF_IT: readonly string[] = ['rule'];

function rulesOf(source: PointSource, context: PointContext): Rules {
  const rules: RuleProposal[] = [];
  const norms: Record<string, Bilingual> = {};
  const defaults: Record<string, readonly string[]> = {};
  rules.push(...limitRules(source, context.kind));
  for (const { name, limit, isDefault } of limitsOf(source)) {
    const { side } = sides[name];
    const full = filledIn(name, limit, source, context.kind);
    if (limit.norm) norms[side] = normOf(limit.norm);
    if (isDefault) defaults[side] = ALL_OF_IT;
    else if (full.defaults.length) defaults[side] = full.defaults;
  }
  for (const { rule, norm, isDefault } of [
    ...stateRules(source, context),
    ...noData(source, context.kind),
  ]) {
    rules.push(rule);
    if (norm) norms[rule.id] = normOf(norm);
    if (isDefault) defaults[rule.id] = ALL_OF_IT;
  }
  for (const rule of furtherRules(source)) {
    rules.push(rule);
    const words = (rule.defaults ?? []).map((name) => fileWords[name]);
    if (words.length) defaults[rule.id] = words;
  }
  return { rules, norms, defaults };
}

const defaultWords = {
  clear: 'deadband',
  delay: 'onDelayMs',
  off_delay: 'offDelayMs',
} as const satisfies Record<string, Defaulted>;
const fileWords = { deadband: 'clear', onDelayMs: 'delay', offDelayMs: 'off_delay' } as const;

function defaultsOf(words: readonly string[]): { defaults?: readonly Defaulted[] } {
  const names = words.map((word) => defaultWords[word as keyof typeof defaultWords]);
  return names.length > 0 ? { defaults: names } : {};
}

type Manners = Pick<
  LimitSource,
  'action' | 'norm' | 'sheet' | 'basis' | 'latching' | 'self_acknowledging' | 're_alarm'
>;

/** A bare citation is the same in both languages. */
function normOf(norm: NonNullable<LimitSource['norm']>): Bilingual {
  return typeof norm === 'string' ? { en: norm, zh: norm } : norm;
}

/** What an alarm of a profile says to people beside its title, and how it behaves. */
function sheetOf({ action, norm, ...manners }: Manners) {
  const basis = manners.basis ?? (norm ? normOf(norm) : undefined);
  return {
    action: manners.sheet?.action ?? action ?? null,
    ...mannersOf({ ...manners, basis }),
  };
}

/** What a rule must know of its point, where its device is not known yet. */
export function rulePointOf(source: PointSource, path: Path): RulePoint {
  const pointClass = source.class ?? 'trend';
  return {
    device: '',
    point: `${path.at(-1) ?? ''}`,
    name: source.title,
    unit: source.unit ?? '1',
    type: 'number',
    range: source.range ?? null,
    periodMs: durationMs(source.poll ?? defaultPolls[pointClass]),
    class: pointClass,
  };
}

/**
 * A profile does not know the id of its device: a comparison with a point of it names `/point`
 * here, and the gateway puts the id before it (`withDevice`).
 */
export function furtherRules(source: PointSource): RuleProposal[] {
  return Object.entries(source.alarms?.others ?? {}).flatMap(([id, other]) => {
    const rule = ruleOf({ id, ...other }, rulePointOf(source, []));
    return rule.kind === 'deviation' ? [] : [rule];
  });
}

/** The rules of a point as its device has them. */
export function withDevice(rules: readonly RuleProposal[], device: string): RuleProposal[] {
  return rules.map((rule) =>
    rule.kind === 'comparison' && rule.other.startsWith('/')
      ? { ...rule, other: `${device}${rule.other}` }
      : rule,
  );
}

interface OtherRule {
  readonly rule: RuleProposal;
  readonly norm?: LimitSource['norm'];
  readonly isDefault: boolean;
}

function stateRules(source: PointSource, { guarded }: PointContext): OtherRule[] {
  const { state, not_in_service: own } = source.alarms ?? {};
  const found: OtherRule[] = [];
  if (state) {
    const common = { kind: 'state', id: 'state', states: state.is.map(Number) } as const;
    const rule: StateRule = {
      ...common,
      level: state.level,
      onDelayMs: durationMs(state.delay ?? '0s'),
      offDelayMs: durationMs(state.off_delay ?? '0s'),
      title: state.title ?? titled('alarm-state', source.title),
      ...sheetOf(state),
    };
    found.push({ rule, norm: state.norm, isDefault: false });
  }
  if (!own && guarded.length === 0) return found;
  const {
    level,
    delay,
    off_delay: offDelay,
    title,
    action,
    norm,
  } = own ?? {
    ...notInServiceDefaults,
    off_delay: notInServiceDefaults.offDelay,
    title: undefined,
    action: undefined,
    norm: undefined,
  };
  const rule: StateRule = {
    kind: 'state',
    id: 'not-in-service',
    states: outOfService(source),
    level,
    onDelayMs: durationMs(delay ?? '0s'),
    offDelayMs: durationMs(offDelay ?? '0s'),
    title: title ?? titled('alarm-not-in-service', (guarded[0] ?? source).title),
    ...(own ? sheetOf(own) : {}),
    action: own?.sheet?.action ?? action ?? bilingual('action-not-in-service'),
  };
  found.push({ rule, norm, isDefault: own === undefined });
  return found;
}

/** The states in which a device does not measure, as numbers. */
export function outOfService({ states = {} }: PointSource): number[] {
  return Object.entries(states).flatMap(([raw, { in_service: isIn }]) =>
    isIn === false ? [raw === 'true' ? 1 : raw === 'false' ? 0 : Number(raw)] : [],
  );
}

function noData(source: PointSource, kind: DeviceKind): OtherRule[] {
  const own = source.alarms?.no_data;
  const set = source.default_alarms && defaultAlarmSets[source.default_alarms];
  if (!own && !set) return [];
  const periodMs = durationMs(source.poll ?? defaultPolls[source.class ?? 'trend']);
  const rule: RuleProposal = {
    kind: 'no-data',
    id: 'no-data',
    level: own?.level ?? set!.noDataLevel,
    silentMs: own ? durationMs(own.after) : Math.max(3 * periodMs, NO_DATA_MS_MIN),
    onDelayMs: 0,
    offDelayMs: 0,
    title: own?.title ?? titled('alarm-no-data', source.title),
    ...sheetOf({ ...own, sheet: sheetWithDefaults('no_data', own?.sheet, source, kind) }),
  };
  return [{ rule, norm: own?.norm, isDefault: own === undefined }];
}

type TitleKey =
  | (typeof sides)[keyof typeof sides]['title']
  | 'alarm-no-data'
  | 'alarm-state'
  | 'alarm-not-in-service';

function titled(titleKey: TitleKey, point: Bilingual): Bilingual {
  const { en } = bilingual(titleKey, { point: point.en });
  const { zh } = bilingual(titleKey, { point: point.zh });
  return { en, zh };
}

const OUT_OF_RANGE = qualityCode('bad', 'out_of_range');
const NOT_AVAILABLE = qualityCode('bad', 'not_available');

/**
 * What a decoded raw value is worth: an invalid code and a value the sensor cannot measure become
 * bad with a reason and no value, never a number. A quality that is bad already stays as it is.
 */
export function normaliseRaw(
  point: ProfilePoint,
  raw: Value,
  quality: QualityCode,
): { raw: Value; quality: QualityCode } {
  if (isBad(quality)) return withoutCodes(point, raw, quality);
  if (typeof raw !== 'number' && typeof raw !== 'bigint') return { raw, quality };
  const { scale, offset, range } = point.definition;
  const reason = point.invalid.size ? point.invalid.get(raw) : undefined;
  if (reason) return { raw: null, quality: qualityCode('bad', reason) };
  const number = Number(raw);
  if (!Number.isFinite(number)) return { raw: null, quality: NOT_AVAILABLE };
  if (range) {
    const value = engineering(number, scale, offset);
    if (value < range[0] || value > range[1]) return { raw: null, quality: OUT_OF_RANGE };
  }
  // Whole numbers beyond 2^53 do not scale; nearest is better than unscaled.
  const isScaled = scale !== 1 || offset !== 0;
  return { raw: isScaled ? number : raw, quality };
}

/** What a raw value is worth by the invalid codes of its point alone. */
export function withoutCodes(
  { invalid }: ProfilePoint,
  raw: Value,
  quality: QualityCode,
): { raw: Value; quality: QualityCode } {
  if (isBad(quality)) {
    // The protocol takes not-a-number for "no value"; a profile may know better what it means.
    const meant = quality === NOT_AVAILABLE ? invalid.get(Number.NaN) : undefined;
    return { raw: null, quality: meant ? qualityCode('bad', meant) : quality };
  }
  if (typeof raw !== 'number' && typeof raw !== 'bigint') return { raw, quality };
  const reason = invalid.get(raw);
  return reason ? { raw: null, quality: qualityCode('bad', reason) } : { raw, quality };
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
