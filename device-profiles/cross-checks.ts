// What a schema cannot see in a profile: that an alarm never clears, that two points stand on one
// register, that a test names a point that is not there. Goes over whatever parsed, part by part,
// so that one wrong point hides nothing of the others.
import type { RuleFinding } from '../core/alarm/check.ts';
import { checkNeighbours, checkRule, findingText } from '../core/alarm/check.ts';
import type { DocumentText } from '../core/document.ts';
import { parseDuration } from '../core/duration.ts';
import type { Path, Problems } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { ProfileReader } from './address-readers.ts';
import { checkWords, modbusReader, opcuaReader } from './address-readers.ts';
import type { Auxiliary, Trigger } from './auxiliary.ts';
import { auxiliariesOf, registerOf, triggersOf } from './auxiliary-checks.ts';
import { commandsOf } from './commands.ts';
import type { FullLimit } from './defaults.ts';
import { defaultAlarmSets, filledIn, limitsOf } from './defaults.ts';
import type { DeviceKind, LimitSource, PointSource, ProfileSource } from './format.ts';
import {
  defaultPolls,
  deviceKinds,
  identifyForm,
  PLACEHOLDER,
  POINTS_MAX,
  pointForm,
} from './format.ts';
import type { Identification, ProfileCommand } from './profile.ts';
import { furtherRules, limitRules, lineOf, outOfService, rulePointOf } from './profile.ts';
import type { PointAddress } from './raw-values.ts';
import { isFloat, rawKindOf, rawOf, valueTypeOf } from './raw-values.ts';
import { checkTests } from './test-checks.ts';

export interface CrossChecked {
  /** The addresses that are right, by point id. */
  readonly addresses: ReadonlyMap<string, PointAddress>;
  /** By point id, of the points that have one. */
  readonly auxiliaries: ReadonlyMap<string, Auxiliary>;
  /** By point id, of the points that offer one. */
  readonly commands: ReadonlyMap<string, readonly ProfileCommand[]>;
  readonly triggers: readonly Trigger[];
  readonly identify: readonly Identification[];
}

export function crossCheck({ raw, problems, keyPlace }: DocumentText<ProfileSource>): CrossChecked {
  const root = members(raw);
  const isModbus = root['protocol'] !== 'opcua';
  const reader = isModbus ? modbusReader(root, problems) : opcuaReader(root, problems);
  const kind = deviceKindOf(root);
  const addresses = new Map<string, PointAddress>();
  const parsed = new Map<string, PointSource>();
  const points = Object.entries(members(root['points']));
  for (const [id, source] of points) {
    const path = ['points', id];
    const { read } = members(source);
    // The schema has said already that it is missing or no map.
    const address = isMap(read) ? reader.point(read, [...path, 'read'], problems) : undefined;
    if (address) addresses.set(id, address);
    const point = pointForm.safeParse(source);
    if (point.success) {
      parsed.set(id, point.data);
      checkPoint(point.data, kind, path, problems);
      checkInvalid(point.data, address, path, problems, keyPlace);
      checkKind(point.data, address, path, problems);
    }
  }
  if (points.length === 0 && isMap(root['points'])) problems.add(['points'], 'no-points', {});
  if (points.length > POINTS_MAX) problems.add(['points'], 'too-many', { maximum: POINTS_MAX });
  reader.checkTogether(addresses, problems);
  const triggers = isModbus ? triggersOf(root['triggers'], problems) : new Map<string, Trigger>();
  const { device } = reader;
  const context = { points: parsed, addresses, triggers, device, problems, keyPlace };
  if (!isModbus) checkWords(root, parsed, addresses, problems);
  const auxiliaries = auxiliariesOf(context);
  const commands = new Map<string, readonly ProfileCommand[]>();
  for (const [id, point] of parsed) {
    const isDerived = Boolean(point.unit_from ?? point.scale_from ?? point.order_from);
    const place = { address: addresses.get(id), isDerived, path: ['points', id] };
    const offered = commandsOf(point, { protocol: reader, ...place, problems, keyPlace });
    if (offered) commands.set(id, offered);
  }
  const ids = points.map(([id]) => id);
  checkPlaceholders(root, problems);
  const gives = isModbus ? 'registers' : 'nodes';
  checkTests(root['tests'], { ids, addresses, auxiliaries, gives, keyPlace, problems });
  return {
    addresses,
    auxiliaries,
    commands,
    triggers: [...triggers.values()],
    identify: identifications(root['identify'], reader, problems),
  };
}

/** What a draft left for whoever reads the manual. */
function checkPlaceholders(root: Readonly<Record<string, unknown>>, problems: Problems): void {
  const isLeft = (text: unknown) => typeof text === 'string' && text.startsWith(PLACEHOLDER);
  const source = members(members(root['profile'])['source']);
  const severity = 'warning';
  if (isLeft(source['document'])) {
    problems.add(['profile', 'source', 'document'], 'placeholder-left', {}, { severity });
  }
  for (const [id, point] of Object.entries(members(root['points']))) {
    for (const [language, title] of Object.entries(members(members(point)['title']))) {
      const path = ['points', id, 'title', language];
      if (isLeft(title)) problems.add(path, 'placeholder-left', {}, { severity });
    }
  }
  (Array.isArray(root['tests']) ? root['tests'] : []).forEach((test: unknown, at) => {
    if (isLeft(members(test)['name'])) {
      problems.add(['tests', at, 'name'], 'placeholder-left', {}, { severity });
    }
  });
}

/** Of a head that is wrong, what a number of no known kind gets. */
function deviceKindOf(root: Readonly<Record<string, unknown>>): DeviceKind {
  const kind = members(root['profile'])['kind'];
  const known = Object.keys(deviceKinds) as DeviceKind[];
  return known.find((name) => name === kind) ?? 'input-module';
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return isMap(value) ? value : {};
}

function checkPoint(point: PointSource, kind: DeviceKind, path: Path, problems: Problems): void {
  const { range, scale, alarms = {} } = point;
  if (scale === 0) problems.add([...path, 'scale'], 'scale-zero', {});
  if (range && range[0] >= range[1]) {
    problems.add([...path, 'range'], 'range-order', { min: range[0], max: range[1] });
  }
  const limits = limitsOf(point);
  for (const { name, limit, isDefault } of limits) {
    const at = isDefault ? [...path, 'default_alarms'] : [...path, 'alarms', name];
    checkLimit(name, { limit, full: filledIn(name, limit, point, kind), range }, at, problems);
  }
  checkOrder(limits, path, problems);
  checkDefaultUnit(point, path, problems);
  checkRules(point, kind, path, problems);
  const poll = point.poll ?? defaultPolls[point.class ?? 'trend'];
  const after = alarms.no_data?.after ?? '';
  if (isTooEarly(after, poll)) {
    const values = { point: `${path.at(-1)}`, after, poll, polls: NO_DATA_POLLS_MIN };
    problems.add([...path, 'alarms', 'no_data', 'after'], 'no-data-too-early', values);
  }
}

/** What the checker of rules finds in those that are no plain limits, and in what all say. */
function checkRules(point: PointSource, kind: DeviceKind, path: Path, problems: Problems): void {
  const { others = {}, ...named } = point.alarms ?? {};
  for (const [name, alarm] of Object.entries(named)) {
    if (!alarm?.action || !alarm.sheet?.action) continue;
    problems.add([...path, 'alarms', name, 'action'], 'rule-action-twice', {});
  }
  const place = { gateway: null, point: rulePointOf(point, path), others: null };
  const rules = furtherRules(point);
  for (const rule of rules) {
    const at = [...path, 'alarms', 'others', rule.id];
    const written: object = others[rule.id] ?? {};
    for (const finding of checkRule(rule, place)) adopt(finding, at, written, problems);
  }
  const limits = limitRules(point, kind);
  for (const finding of checkNeighbours([...limits, ...rules])) {
    const rule = [...limits, ...rules][finding.at]!;
    // Order, side and level of plain limits have findings of their own.
    const isOwn = rule.kind !== 'limit' || finding.code === 'rule-overlap';
    const name = rule.id.replace('-', '_');
    const at = [...path, 'alarms', ...(rule.kind === 'limit' ? [name] : ['others', rule.id])];
    const written: object =
      rule.kind === 'limit' ? (named[name as 'high'] ?? {}) : (others[rule.id] ?? {});
    if (isOwn) adopt(finding, at, written, problems);
  }
}

function adopt(finding: RuleFinding, at: Path, written: object, problems: Problems): void {
  const { code, help = null, severity, field } = finding;
  const path = field !== null && Object.hasOwn(written, field) ? [...at, field] : at;
  problems.adopt({ code, message: findingText(finding), help, severity }, path);
}

function checkDefaultUnit(point: PointSource, path: Path, problems: Problems): void {
  if (!point.default_alarms) return;
  const { unit: wanted } = defaultAlarmSets[point.default_alarms];
  const { unit = '1' } = point;
  if (unit === wanted) return;
  const values = { set: point.default_alarms, wanted, unit };
  problems.add([...path, 'default_alarms'], 'default-alarms-unit', values);
}

/** One lost answer is no silence: a device is silent after three times its period without one. */
export const NO_DATA_POLLS_MIN = 3;

/** Whether one lost answer would be silence; not for texts that are no durations. */
export function isTooEarly(after: string, poll: string): boolean {
  const [afterMs, pollMs] = [parseDuration(after), parseDuration(poll)];
  if (afterMs === undefined || pollMs === undefined) return false;
  return afterMs < NO_DATA_POLLS_MIN * pollMs;
}

interface CheckedLimit {
  readonly limit: LimitSource;
  readonly full: FullLimit;
  readonly range: readonly [number, number] | undefined;
}

function checkLimit(
  name: string,
  { limit, full, range }: CheckedLimit,
  path: Path,
  problems: Problems,
): void {
  const { raise } = limit;
  const { clear } = full;
  const isHigh = name.startsWith('high');
  if (isHigh ? clear >= raise : clear <= raise) {
    const help = bilingual(isHigh ? 'help-clear-below' : 'help-clear-above');
    if (limit.clear === undefined) problems.add(path, 'clear-needed', { raise }, { help });
    else problems.add([...path, 'clear'], 'alarm-never-clears', { name, raise, clear }, { help });
  }
  if (!range) return;
  const [min, max] = range;
  const values = { name, min, max };
  if (raise < min || raise > max) {
    problems.add([...path, 'raise'], 'alarm-out-of-range', { ...values, value: raise });
  }
  if (clear < min || clear > max) {
    problems.add([...path, 'clear'], 'alarm-out-of-range', { ...values, value: clear });
  }
}

function checkOrder(limits: ReturnType<typeof limitsOf>, path: Path, problems: Problems): void {
  const pairs = [
    ['high_high', 'high', 1],
    ['low_low', 'low', -1],
    ['high', 'low', 1],
  ] as const;
  for (const [outer, inner, sign] of pairs) {
    const far = limits.find(({ name }) => name === outer)?.limit;
    const near = limits.find(({ name }) => name === inner)?.limit;
    if (!far || !near) continue;
    const at = [...path, 'alarms', outer];
    if (sign * (far.raise - near.raise) <= 0) {
      const values = { outer, inner, far: far.raise, near: near.raise };
      problems.add([...at, 'raise'], 'alarm-order', values);
    }
    if (inner !== 'low' || outer === 'low_low') checkLevels(outer, inner, far, near, at, problems);
  }
}

function checkLevels(
  outer: string,
  inner: string,
  far: LimitSource,
  near: LimitSource,
  at: Path,
  problems: Problems,
): void {
  if (far.level <= near.level) return;
  problems.add([...at, 'level'], 'alarm-level-order', { outer, inner }, { severity: 'warning' });
}

/** Scaling, ranges and limits belong to numbers; states to whole numbers and yes-or-no. */
function checkKind(
  point: PointSource,
  address: PointAddress | undefined,
  path: Path,
  problems: Problems,
): void {
  if (!address) return;
  const { scale, offset } = lineOf(point);
  const type = valueTypeOf(address, scale, offset);
  if (type === 'boolean' || type === 'text') {
    const keys = ['scale', 'offset', 'map', 'range', 'deadband', 'invalid'] as const;
    for (const key of keys) {
      if (point[key] !== undefined) problems.add([...path, key], 'not-for-kind', { key, type });
    }
    if (point.unit && point.unit !== '1') {
      problems.add([...path, 'unit'], 'not-for-kind', { key: 'unit', type });
    }
    if (limitsOf(point).length > 0) {
      problems.add([...path, 'alarms'], 'not-for-kind', { key: 'alarms', type });
    }
  }
  const { state: discrete } = point.alarms ?? {};
  for (const [at, state] of (discrete?.is ?? []).entries()) {
    if (typeof state === 'boolean' ? type === 'boolean' : type === 'integer') continue;
    const values = { state: `${state}`, type };
    problems.add([...path, 'alarms', 'state', 'is', at], 'state-unfit', values);
  }
  if ((discrete || outOfService(point).length > 0) && point.deadband) {
    problems.add([...path, 'deadband'], 'not-for-kind', { key: 'deadband', type });
  }
  for (const state of Object.keys(point.states ?? {})) {
    const isFlag = state === 'true' || state === 'false';
    if (type === 'boolean' ? isFlag : type === 'integer' && !isFlag) continue;
    problems.add([...path, 'states', state], 'state-unfit', { state, type });
  }
}

function checkInvalid(
  point: PointSource,
  address: PointAddress | undefined,
  path: Path,
  problems: Problems,
  keyPlace: DocumentText<unknown>['keyPlace'],
): void {
  if (!address) return;
  const seen = new Map<number | bigint, string>();
  for (const text of Object.keys(point.invalid ?? {})) {
    const at = [...path, 'invalid', text];
    const place = keyPlace(at);
    const raw = rawOf(text, address);
    if (raw === undefined) {
      const help = isFloat(address) ? null : bilingual('help-hex-is-pattern');
      const values = { text, type: rawKindOf(address) };
      problems.add(at, 'invalid-never-read', values, help ? { help, place } : { place });
      continue;
    }
    const first = seen.get(raw);
    if (first) problems.add(at, 'invalid-twice', { text, first }, { place });
    else seen.set(raw, text);
  }
}

function identifications(
  raw: unknown,
  { name, device }: ProfileReader,
  problems: Problems,
): Identification[] {
  const found: Identification[] = [];
  (Array.isArray(raw) ? raw : []).forEach((source, at) => {
    const parsed = identifyForm.safeParse(source);
    if (!parsed.success) return;
    if ('read' in parsed.data && name !== 'modbus') {
      problems.add(['identify', at, 'read'], 'modbus-only', { key: 'read' });
      return;
    }
    if ('read' in parsed.data) {
      const address = registerOf(parsed.data.read, ['identify', at, 'read'], { device, problems });
      for (const equals of address ? [parsed.data.equals].flat() : []) {
        found.push({ kind: 'register', address: address!, equals });
      }
      return;
    }
    const { vendor, product } = parsed.data.device_id;
    const at2 = ['identify', at, 'device_id'];
    found.push({
      kind: 'device-id',
      vendor: patternOf(vendor, [...at2, 'vendor'], problems),
      product: patternOf(product, [...at2, 'product'], problems),
    });
  });
  return found;
}

function patternOf(text: string | undefined, path: Path, problems: Problems): RegExp | null {
  if (text === undefined) return null;
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    problems.add(path, 'not-a-pattern', { found: text });
    return null;
  }
}
