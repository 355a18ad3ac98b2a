// What we know of a device model: one YAML file, which is at once the edge's driver configuration,
// a simulator, a page of the catalogue and its own test.
//
// A profile proposes: site files override its values, and the cloud's registry decides which of its
// alarms are in force. There is no place for code in a profile: a device that lies is handled by a
// named decoder of its protocol.
import type { LimitSide, RuleProposal } from '../core/alarm/rule.ts';
import { readDocument } from '../core/document.ts';
import { durationMs } from '../core/duration.ts';
import type { PointDefinition } from '../core/point.ts';
import { engineering } from '../core/point.ts';
import type { Problems } from '../core/problems.ts';
import type { QualityCode, Reason } from '../core/quality.ts';
import { isBad, qualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { Bilingual } from '../core/text/text.ts';
import { bilingual } from '../core/text/text.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { crossCheck } from './cross-checks.ts';
import type { DeviceKind, PointSource, ProfileSource, ProfileTest } from './format.ts';
import { defaultPolls, profileForm } from './format.ts';
import { rawOf, valueTypeOf } from './raw-values.ts';

/** What a point is before a site gives it a device and a place. */
export type PointParts = Omit<PointDefinition, 'device' | 'asset'>;

export interface ProfilePoint {
  readonly id: string;
  readonly address: ModbusAddress;
  readonly definition: PointParts;
  /** Raw values that are no measurement; the key NaN stands for whatever is not a number. */
  readonly invalid: ReadonlyMap<number | bigint, Reason>;
  /** What the raw values of an enumeration mean. */
  readonly states: ReadonlyMap<number | boolean, Bilingual>;
  /** By rule id: the norm or document its limit comes from. */
  readonly norms: Readonly<Record<string, string>>;
  readonly caveat: Bilingual | null;
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
  const { addresses, identify } = crossCheck(document);
  if (!value || problems.failed) return { profile: undefined, problems };
  const profile: Profile = {
    ...value.profile,
    protocol: value.protocol,
    device: value.device ?? {},
    identify,
    points: Object.entries(value.points).map(([id, point]) =>
      pointOf(id, point, addresses.get(id)!),
    ),
    caveats: value.caveats ?? [],
    tests: value.tests ?? [],
  };
  return { profile: deepFreeze(profile), problems };
}

function pointOf(id: string, source: PointSource, address: ModbusAddress): ProfilePoint {
  const { scale = 1, offset = 0, alarms = {} } = source;
  const pointClass = source.class ?? 'trend';
  const norms: Record<string, string> = {};
  for (const [name, alarm] of Object.entries(alarms)) {
    if (alarm?.norm) norms[name.replace('_', '-')] = alarm.norm;
  }
  return {
    id,
    address,
    definition: {
      point: id,
      name: source.title,
      unit: source.unit ?? '1',
      type: valueTypeOf(address, scale, offset),
      scale,
      offset,
      range: source.range ?? null,
      class: pointClass,
      periodMs: durationMs(source.poll ?? defaultPolls[pointClass]),
      deadband: source.deadband ?? 0,
      rules: rulesOf(source),
    },
    invalid: new Map(
      Object.entries(source.invalid ?? {}).map(([raw, reason]) => [rawOf(raw, address)!, reason]),
    ),
    states: new Map(
      Object.entries(source.states ?? {}).map(([raw, text]) => [
        raw === 'true' ? true : raw === 'false' ? false : Number(raw),
        text,
      ]),
    ),
    norms,
    caveat: source.caveat ?? null,
  };
}

const sides = {
  high_high: { side: 'high-high', title: 'alarm-high-high' },
  high: { side: 'high', title: 'alarm-high' },
  low: { side: 'low', title: 'alarm-low' },
  low_low: { side: 'low-low', title: 'alarm-low-low' },
} as const satisfies Record<string, { side: LimitSide; title: string }>;

/**
 * Off-delay where a profile does not say: a signal at its limit then pages once, not every poll.
 */
const OFF_DELAY_DEFAULT = '60s';

function rulesOf({ title, alarms = {} }: PointSource): RuleProposal[] {
  const rules: RuleProposal[] = [];
  for (const name of ['high_high', 'high', 'low', 'low_low'] as const) {
    const alarm = alarms[name];
    if (!alarm) continue;
    const { side, title: titleKey } = sides[name];
    rules.push({
      kind: 'limit',
      id: side,
      side,
      level: alarm.level,
      limit: alarm.raise,
      deadband: Number(Math.abs(alarm.raise - alarm.clear).toPrecision(12)),
      onDelayMs: durationMs(alarm.delay ?? '0s'),
      offDelayMs: durationMs(alarm.off_delay ?? OFF_DELAY_DEFAULT),
      title: alarm.title ?? titled(titleKey, title),
      action: alarm.action ?? null,
    });
  }
  const silent = alarms.no_data;
  if (silent) {
    rules.push({
      kind: 'no-data',
      id: 'no-data',
      level: silent.level,
      silentMs: durationMs(silent.after),
      onDelayMs: 0,
      offDelayMs: 0,
      title: silent.title ?? titled('alarm-no-data', title),
      action: silent.action ?? null,
    });
  }
  return rules;
}

type TitleKey = (typeof sides)[keyof typeof sides]['title'] | 'alarm-no-data';

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
  if (isBad(quality)) {
    // The protocol takes not-a-number for "no value"; a profile may know better what it means.
    const meant = quality === NOT_AVAILABLE ? point.invalid.get(Number.NaN) : undefined;
    return { raw: null, quality: meant ? qualityCode('bad', meant) : quality };
  }
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

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) deepFreeze(inner);
  }
  return value;
}
