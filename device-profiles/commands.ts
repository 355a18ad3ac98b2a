// What may be commanded of a point: `write:` and `commands:` of a profile as offers, and how each is
// done. Everything an offer allows can be written: that is checked here once, at both ends of a
// range and for each single value, so that a command fails at a device only for what the device
// says.
//
// Values are engineering values of the point, also where something else is written: a control word
// stands in `words`, beside the value that the point shows when it was obeyed.
import type { CommandOffer } from '../core/command.ts';
import { isSameValue, OFFER_STATES_MAX, OFFERS_MAX, SET_COMMAND, unfit } from '../core/command.ts';
import type { DocumentText } from '../core/document.ts';
import { durationMs } from '../core/duration.ts';
import type { ValueType } from '../core/point.ts';
import { engineering } from '../core/point.ts';
import type { Path, Problems } from '../core/problems.ts';
import type { Value } from '../core/reading.ts';
import type { Bilingual } from '../core/text/text.ts';
import { bilingual } from '../core/text/text.ts';
import type { CommandSource, PointSource } from './format.ts';
import type { AddressReader, TargetAddress } from './places.ts';
import { holds, rawTypeOf, relativeStepOf, takesValue, takesWrites } from './places.ts';
import type { ProfileCommand } from './profile.ts';
import { lineOf } from './profile.ts';
import type { PointAddress } from './raw-values.ts';
import { isFloat, rawKindOf, rawOf, valueTypeOf } from './raw-values.ts';

type Given = Exclude<Value, null>;

const TIME_TO_LIVE_DEFAULT = '30s';
const READ_BACK_DEFAULT = '5s';

/**
 * A command that is worth doing an hour later is a plan, and one that may come once a month is
 * none; a read-back holds the outcome back; a link that was lost for a moment reverts nothing.
 */
export const durationLimits = {
  time_to_live: ['1s', '1h'],
  every: ['100ms', '1d'],
  within: ['100ms', '10m'],
  after: ['10s', '30d'],
} as const;

/** Rounding of decimals in doubles, where nothing else is inexact. */
const ROUNDING = 1e-9;

export interface CommandContext {
  readonly protocol: AddressReader;
  /** Where the point is read; undefined when that is wrong. */
  readonly address: PointAddress | undefined;
  /** Whether the value is made of more than the address: unit, scale or order set in the device. */
  readonly isDerived: boolean;
  /** `points.<id>` */
  readonly path: Path;
  readonly problems: Problems;
  readonly keyPlace: DocumentText<unknown>['keyPlace'];
}

/** The raw value that is written or given to the call for an engineering value of the offer. */
export function rawToWrite(command: ProfileCommand, value: Given): Given {
  const { scale, offset, wants, words } = command;
  if (words) {
    const word = wordFor(words, value);
    if (word !== undefined) return wants === 'boolean' ? Boolean(word) : word;
  }
  if (wants === 'text' || typeof value === 'string') return value;
  if (wants === 'boolean') return Boolean(value);
  if (scale === 1 && offset === 0 && typeof value === 'bigint') return value;
  const raw = unscaled(Number(value), scale, offset);
  if (wants === 'number') return raw;
  const whole = Math.round(raw) + 0; // Minus zero is zero.
  return Number.isSafeInteger(whole) || !Number.isFinite(whole) ? whole : BigInt(whole);
}

/** The inverse of `engineering`: by the whole number behind 0.1 where there is one. */
function unscaled(value: number, scale: number, offset: number): number {
  const inverse = Math.round(1 / scale);
  const isWhole = Math.abs(1 / scale - inverse) < 1e-9 * Math.abs(inverse);
  return isWhole ? (value - offset) * inverse : (value - offset) / scale;
}

function wordFor(
  words: ReadonlyMap<number | boolean, number | boolean>,
  value: Given,
): number | boolean | undefined {
  for (const [shown, word] of words) if (isSameValue(shown, value)) return word;
  return undefined;
}

function isBit(value: Given): boolean {
  return typeof value === 'boolean' || value === 0 || value === 1;
}

/** What the point offers; undefined where it offers nothing. What is wrong is left out. */
export function commandsOf(
  point: PointSource,
  context: CommandContext,
): readonly ProfileCommand[] | undefined {
  const { path, problems } = context;
  const named = Object.entries(point.commands ?? {});
  if (point.write && point.commands && Object.hasOwn(point.commands, SET_COMMAND)) {
    const at = [...path, 'commands', SET_COMMAND];
    problems.add(at, 'command-set-twice', {}, { place: context.keyPlace(at) });
  }
  if (named.length + (point.write ? 1 : 0) > OFFERS_MAX) {
    problems.add([...path, 'commands'], 'too-many', { maximum: OFFERS_MAX });
  }
  const draft = { point, context };
  const commands = named.map(([id, source]) =>
    commandOf({ ...draft, id, source, path: [...path, 'commands', id] }),
  );
  if (point.write) {
    const source = { ...point.write, title: point.write.title ?? setTitle(point) };
    commands.unshift(commandOf({ ...draft, id: SET_COMMAND, source, path: [...path, 'write'] }));
  }
  const right = commands.filter((command) => command !== undefined);
  return right.length ? right : undefined;
}

function setTitle({ title }: PointSource): Bilingual {
  const { en } = bilingual('command-set-title', { point: title.en });
  const { zh } = bilingual('command-set-title', { point: title.zh });
  return { en, zh };
}

/** One `write` or one of `commands`, with what stands around it. */
interface Draft {
  readonly id: string;
  readonly source: CommandSource;
  readonly path: Path;
  readonly point: PointSource;
  readonly context: CommandContext;
}

function commandOf(draft: Draft): ProfileCommand | undefined {
  const { id, source, path, context } = draft;
  const target = targetOf(draft);
  checkKeys(draft);
  const ms = (key: keyof typeof durationLimits, text: string, at: Path) => {
    checkDuration(key, text, at, context.problems);
    return durationMs(text);
  };
  const timeToLive = source.time_to_live ?? TIME_TO_LIVE_DEFAULT;
  const everyMs = source.every ? ms('every', source.every, [...path, 'every']) : 0;
  const timeToLiveMs = ms('time_to_live', timeToLive, [...path, 'time_to_live']);
  const { revert } = source;
  if (!target) return undefined;
  const what = allowed(draft, target);
  const offer: CommandOffer = {
    id,
    title: source.title,
    ...what,
    right: source.right ?? 'control',
    twoPeople: source.two_people ?? false,
    everyMs,
    timeToLiveMs,
    revert: revert
      ? { afterMs: ms('after', revert.after, [...path, 'revert', 'after']), value: revert.value }
      : null,
  };
  const { address, scale, offset, wants, words } = target;
  const command = { offer, address, scale, offset, wants, words, readBack: null };
  checkOffer(command, draft, target);
  return { ...command, readBack: readBackOf(command, draft, target) };
}

function checkKeys({ source, path, context: { problems } }: Draft): void {
  const pairs = [
    ['write', 'call'],
    ['value', 'range'],
    ['value', 'states'],
    ['range', 'states'],
    ['words', 'range'],
  ] as const;
  for (const [other, key] of pairs) {
    if (source[key] === undefined || source[other] === undefined) continue;
    problems.add([...path, key], 'keys-exclude', { key, other });
  }
  for (const key of ['scale', 'offset'] as const) {
    if (source[key] === undefined || source.write || source.call) continue;
    problems.add([...path, key], 'command-line-alone', { key });
  }
  if (source.scale === 0) problems.add([...path, 'scale'], 'scale-zero', {});
}

/** A duration of a command, of a profile or of a site, must lie within its limits. */
export function checkDuration(
  key: keyof typeof durationLimits,
  text: string,
  path: Path,
  problems: Problems,
): void {
  const [minimum, maximum] = durationLimits[key];
  const ms = durationMs(text);
  if (ms >= durationMs(minimum) && ms <= durationMs(maximum)) return;
  problems.add(path, 'command-duration', { key, found: text, minimum, maximum });
}

/** Where and as what a value goes. */
interface Target extends Pick<ProfileCommand, 'scale' | 'offset' | 'wants' | 'words'> {
  readonly address: TargetAddress;
  /** What can be looked into: not what is called. */
  readonly written: PointAddress | null;
  /** Whether the point is read at the same place. */
  readonly isOwn: boolean;
  /** Of the values that people give. */
  readonly type: ValueType;
}

function targetOf(draft: Draft): Target | undefined {
  const { source, path, point, context } = draft;
  const { address: own, problems, protocol } = context;
  if (!own) return undefined;
  const line = lineOf(point);
  const type = context.isDerived ? 'number' : valueTypeOf(own, line.scale, line.offset);
  const words = wordsOf(source);
  const { scale = line.scale, offset = line.offset } = source;
  const common = { scale, offset, words, isOwn: !source.write && !source.call };
  if (source.call) {
    const at = [...path, 'call'];
    if (!protocol.command) problems.add(at, 'command-no-calls', { protocol: protocol.name });
    const address = protocol.command?.(source.call, at, problems);
    if (!address) return undefined;
    const given = takesValue(address) ? givenTypeOf(source) : 'boolean';
    return { ...common, address, written: null, type: given, wants: given };
  }
  const at = source.write ? [...path, 'write'] : path;
  const address = source.write ? protocol.point(source.write, at, problems) : own;
  if (!address) return undefined;
  if (!takesWrites(address)) problems.add(at, 'command-read-only', {});
  else if (common.isOwn && context.isDerived) problems.add(path, 'command-derived', {});
  else return { ...common, address, written: address, type, wants: rawTypeOf(address) };
  return undefined;
}

/** What a call takes, by what is said of its values. */
function givenTypeOf({ value, states = [] }: CommandSource): ValueType {
  if (typeof value === 'string') return 'text';
  if (typeof value === 'boolean' || states.some((state) => typeof state === 'boolean')) {
    return 'boolean';
  }
  return 'number';
}

function wordsOf({ words }: CommandSource): Target['words'] {
  if (!words) return null;
  return new Map(Object.entries(words).map(([shown, word]) => [stateOf(shown), word]));
}

function stateOf(text: string): number | boolean {
  return text === 'true' ? true : text === 'false' ? false : Number(text);
}

/** What may be given: as written, else as the point has it. */
function allowed(
  { source, path, point, context }: Draft,
  { address, type, words }: Target,
): Pick<CommandOffer, 'fixed' | 'range' | 'states'> {
  // What is given no value is commanded by its name alone.
  const { value: fixed = takesValue(address) ? undefined : true, range, states } = source;
  if (range && !takesValue(address)) {
    context.problems.add([...path, 'range'], 'command-no-value', {});
  } else if (range && (type === 'boolean' || type === 'text')) {
    context.problems.add([...path, 'range'], 'not-for-kind', { key: 'range', type });
  }
  if (fixed !== undefined) return { fixed, range: null, states: null };
  if (states) return { fixed: null, range: null, states };
  if (words) return { fixed: null, range: null, states: [...words.keys()] };
  if (type === 'boolean') return { fixed: null, range: null, states: [false, true] };
  if (type === 'text') return { fixed: null, range: null, states: null };
  const named = Object.keys(point.states ?? {}).map(stateOf);
  if (!range && named.length) return { fixed: null, range: null, states: named };
  const limits = range ?? point.range;
  if (!limits) context.problems.add(path, 'command-unbounded', {});
  return { fixed: null, range: limits ?? null, states: null };
}

// --- What may be given must be what can be written ---

function checkOffer(command: ProfileCommand, draft: Draft, target: Target): void {
  const { offer } = command;
  const { source, path, context } = draft;
  const { problems } = context;
  const check = (value: Given, at: Path) => checkValue(value, at, command, draft, target);
  if (offer.fixed !== null) check(offer.fixed, [...path, 'value']);
  for (const [at, state] of (offer.states ?? []).entries()) {
    check(state, source.states ? [...path, 'states', at] : path);
  }
  if ((offer.states?.length ?? 0) > OFFER_STATES_MAX) {
    problems.add(path, 'too-many', { maximum: OFFER_STATES_MAX });
  }
  if (offer.range) checkRange(offer.range, command, draft, target);
  for (const [shown, word] of Object.entries(source.words ?? {})) {
    const raw = target.wants === 'boolean' ? Boolean(word) : word;
    const isFit = target.wants === 'boolean' ? isBit(word) : typeof word === 'number';
    if (isFit && (!target.written || holds(target.written, raw))) continue;
    const values = { value: `${word}`, type: target.wants };
    problems.add([...path, 'words', shown], 'command-value-unfit', values);
  }
  if (!source.revert) return;
  const { value } = source.revert;
  if (!takesValue(target.address)) {
    problems.add([...path, 'revert'], 'command-revert-call', {});
    return;
  }
  const at = [...path, 'revert', 'value'];
  const isAllowed =
    offer.fixed === null ? unfit(offer, value) === null : !isSameValue(value, offer.fixed);
  if (isAllowed) check(value, at);
  else problems.add(at, 'command-revert-unfit', { value: `${value}` });
}

function checkRange(
  range: readonly [number, number],
  command: ProfileCommand,
  draft: Draft,
  target: Target,
): void {
  const { source, path, point, context } = draft;
  const { problems } = context;
  const at = source.range ? [...path, 'range'] : path;
  const [min, max] = range;
  if (min >= max) {
    if (source.range) problems.add(at, 'range-order', { min, max });
    return;
  }
  if (!source.call && point.range && (min < point.range[0] || max > point.range[1])) {
    const values = { low: min, high: max, min: point.range[0], max: point.range[1] };
    problems.add(at, 'command-range-outside', values);
    return;
  }
  for (const [end, value] of range.entries()) {
    checkValue(value, source.range ? [...at, end] : at, command, draft, target);
  }
  const [from = 0, to = 0] = range
    .map((value) => Number(rawToWrite(command, value)))
    .sort((a, b) => a - b);
  for (const code of target.isOwn ? Object.keys(point.invalid ?? {}) : []) {
    const raw = rawOf(code, context.address!);
    if (raw !== undefined && raw >= from && raw <= to) {
      problems.add(at, 'command-value-invalid', { value: code });
    }
  }
}

function checkValue(
  value: Given,
  path: Path,
  command: ProfileCommand,
  { source, point, context }: Draft,
  { type, words, written, wants, isOwn }: Target,
): void {
  const { problems } = context;
  const said = { value: `${value}` };
  const wanted = type === 'text' ? 'string' : type === 'boolean' ? 'boolean' : 'number';
  if (typeof value !== wanted || (type === 'integer' && !Number.isInteger(value))) {
    problems.add(path, 'command-value-unfit', { ...said, type });
    return;
  }
  const names = Object.keys(point.states ?? {});
  if (!source.call && names.length && !names.includes(`${value}`)) {
    const help = bilingual('help-one-of', { list: names.join(', ') });
    problems.add(path, 'command-state-unknown', { state: `${value}` }, { help });
    return;
  }
  const { range } = point;
  if (!source.call && range && typeof value === 'number') {
    const isIn = value >= range[0] && value <= range[1];
    const values = { low: value, high: value, min: range[0], max: range[1] };
    if (!isIn) problems.add(path, 'command-range-outside', values);
    if (!isIn) return;
  }
  if (words) {
    if (wordFor(words, value) === undefined) problems.add(path, 'command-word-missing', said);
    return;
  }
  const raw = rawToWrite(command, value);
  const isShown = !isOwn || isMeasured(Number(raw), command, point, context.address!);
  if ((wants !== 'boolean' || isBit(value)) && isShown && (!written || holds(written, raw))) return;
  problems.add(path, 'command-value-unfit', {
    ...said,
    type: written ? rawKindOf(written) : wants,
  });
}

/** What is written must not read back as a code, or as beyond the range by rounding. */
function isMeasured(
  raw: number,
  { scale, offset }: ProfileCommand,
  { range, invalid = {} }: PointSource,
  address: PointAddress,
): boolean {
  if (Object.keys(invalid).some((code) => rawOf(code, address) === raw)) return false;
  const shown = engineering(raw, scale, offset);
  return !range || (shown >= range[0] && shown <= range[1]);
}

// --- Read back ---

function readBackOf(
  command: ProfileCommand,
  { source, path, point, context }: Draft,
  target: Target,
): ProfileCommand['readBack'] {
  const { read_back: wanted } = source;
  if (wanted === false || (wanted === undefined && source.call)) return null;
  const { within = READ_BACK_DEFAULT, tolerance } = wanted ?? {};
  const at = [...path, 'read_back'];
  checkDuration('within', within, [...at, 'within'], context.problems);
  const line = lineOf(point);
  const type = context.isDerived
    ? 'number'
    : valueTypeOf(context.address!, line.scale, line.offset);
  const isNumber = type === 'number' || type === 'integer';
  if (tolerance !== undefined && !isNumber) {
    context.problems.add([...at, 'tolerance'], 'not-for-kind', { key: 'tolerance', type });
  }
  const usual = isNumber ? toleranceOf(command, point, context.address!, target) : 0;
  return { withinMs: durationMs(within), tolerance: tolerance ?? usual };
}

/** Half a step of what is written, and another of what is read where that is another place. */
function toleranceOf(
  { offer, scale, offset }: ProfileCommand,
  point: PointSource,
  address: PointAddress,
  { written, isOwn }: Target,
): number {
  const values = [
    offer.fixed,
    ...(offer.range ?? []),
    ...(offer.states ?? []),
    ...(point.range ?? []),
  ];
  const most = Math.max(0, ...values.map((value) => Math.abs(Number(value)) || 0));
  const step = (place: PointAddress, by: { scale: number; offset: number }) =>
    Math.max(
      Math.abs(by.scale) * (isFloat(place) ? 0 : 1),
      (most + Math.abs(by.offset)) * relativeStepOf(place),
    );
  const steps = [
    ...(written ? [step(written, { scale, offset })] : []),
    ...(isOwn ? [] : [step(address, lineOf(point))]),
  ];
  const half = steps.reduce((sum, one) => sum + one, 0) / 2;
  return Number((half + (most + half) * ROUNDING).toPrecision(6));
}
