// What goes wrong with devices and lines, as data: one list for simulated devices on TCP and on
// serial lines, for the command line, files and tests. What each does is said in
// core/text/simulators.ts (`lifeline sim faults` prints it).
//
// As text: KIND[=VALUE][:UNITS][/EVERY][@FROM[-TO]], as in `late=800:2+5-8/3@10s-1m`: answers of
// units 2 and 5 to 8 come 800 ms late, every third one, between 10 s and a minute after the start.
import type { Clock } from '../core/clock.ts';
import { parseDuration } from '../core/duration.ts';
import type { Path, Problems } from '../core/problems.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { LineSettings } from '../protocols/line-settings.ts';
import { lineSettings } from '../protocols/line-settings.ts';

interface Common {
  /** Which units; all when left out. */
  readonly units?: readonly number[];
  /** Every how many requests it shows; 1 when left out. */
  readonly every?: number;
  /** From when to when it shows, since the start; always when left out. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

/** What is wrong with an answer; the number is the kind's value. */
export type AnswerFault = Common &
  (
    | { readonly kind: 'silence' }
    | { readonly kind: 'late'; readonly delayMs: number }
    | { readonly kind: 'exception'; readonly code: number }
    | { readonly kind: 'wrong-transaction' }
    | { readonly kind: 'wrong-unit' }
    | { readonly kind: 'split'; readonly bytes: number }
    | { readonly kind: 'truncate'; readonly bytes: number }
    | { readonly kind: 'merge'; readonly frames: number }
    | { readonly kind: 'garbage'; readonly bytes: number }
    | { readonly kind: 'noise'; readonly bits: number }
    | { readonly kind: 'duplicate' }
    | { readonly kind: 'close' }
  );

/** What is wrong with the line, an adapter or the wiring of a device. */
export type LineFault = Common &
  (
    | { readonly kind: 'echo' }
    | { readonly kind: 'duplicate-address' }
    | { readonly kind: 'second-master'; readonly periodMs: number }
    | { readonly kind: 'wrong-settings'; readonly settings: LineSettings }
    | { readonly kind: 'swapped-pair' }
    | { readonly kind: 'missing-bias'; readonly meanMs: number }
  );

/** What is wrong inside a device. */
export type DeviceFault = Common &
  /** Of the whole device, or one of its sensors. */
  (
    | { readonly kind: 'frozen'; readonly point?: string }
    | { readonly kind: 'spikes'; readonly reads: number }
    | { readonly kind: 'clock-reset' }
  );

/** What is wrong with an OPC UA server; certificates are so from its start. */
export type ServerFault = Common &
  (
    | { readonly kind: 'hung' }
    | { readonly kind: 'no-publish' }
    | { readonly kind: 'session-limit'; readonly sessions: number }
    | { readonly kind: 'bad-status'; readonly point?: string }
    | { readonly kind: 'clock-off'; readonly seconds: number }
    | { readonly kind: 'expired-certificate' }
    | { readonly kind: 'foreign-certificate' }
  );

export type SimulatedFault = AnswerFault | LineFault | DeviceFault | ServerFault;
export type FaultKind = SimulatedFault['kind'];

export type FaultPlace = 'tcp' | 'line' | 'opcua';

interface KindOf {
  readonly part: 'answer' | 'line' | 'device' | 'server';
  /** Where it can be shown: Modbus TCP, a serial line, both of these, OPC UA, all three. */
  readonly on: FaultPlace | 'both' | 'all';
  /** Name of its number, the least and the most, and what it is when left out. */
  readonly number?: readonly [name: string, min: number, max: number, preset: number];
  readonly settings?: true;
  readonly point?: true;
}

const HOUR_MS = 3_600_000;
const YEAR_S = 31_536_000;

export const faultKinds: Readonly<Record<FaultKind, KindOf>> = {
  silence: { part: 'answer', on: 'both' },
  late: { part: 'answer', on: 'both', number: ['delayMs', 1, HOUR_MS, 800] },
  exception: { part: 'answer', on: 'both', number: ['code', 1, 255, 4] },
  'wrong-transaction': { part: 'answer', on: 'tcp' },
  'wrong-unit': { part: 'answer', on: 'both' },
  split: { part: 'answer', on: 'both', number: ['bytes', 1, 256, 3] },
  truncate: { part: 'answer', on: 'both', number: ['bytes', 1, 256, 4] },
  merge: { part: 'answer', on: 'both', number: ['frames', 2, 16, 2] },
  garbage: { part: 'answer', on: 'both', number: ['bytes', 1, 256, 5] },
  noise: { part: 'answer', on: 'line', number: ['bits', 1, 64, 2] },
  duplicate: { part: 'answer', on: 'both' },
  close: { part: 'answer', on: 'tcp' },
  echo: { part: 'line', on: 'line' },
  'duplicate-address': { part: 'line', on: 'line' },
  'second-master': { part: 'line', on: 'line', number: ['periodMs', 10, HOUR_MS, 700] },
  'wrong-settings': { part: 'line', on: 'line', settings: true },
  'swapped-pair': { part: 'line', on: 'line' },
  'missing-bias': { part: 'line', on: 'line', number: ['meanMs', 1, HOUR_MS, 40] },
  frozen: { part: 'device', on: 'all', point: true },
  spikes: { part: 'device', on: 'both', number: ['reads', 1, 1_000_000, 10] },
  'clock-reset': { part: 'device', on: 'both' },
  hung: { part: 'server', on: 'opcua' },
  'no-publish': { part: 'server', on: 'opcua' },
  'session-limit': { part: 'server', on: 'opcua', number: ['sessions', 1, 1_000, 1] },
  'bad-status': { part: 'server', on: 'opcua', point: true },
  'clock-off': { part: 'server', on: 'opcua', number: ['seconds', -YEAR_S, YEAR_S, 3_600] },
  'expired-certificate': { part: 'server', on: 'opcua' },
  'foreign-certificate': { part: 'server', on: 'opcua' },
};

export function showsOn({ on }: KindOf, place: FaultPlace): boolean {
  return on === place || on === 'all' || (on === 'both' && place !== 'opcua');
}

export function isAnswerFault(fault: SimulatedFault): fault is AnswerFault {
  return faultKinds[fault.kind].part === 'answer';
}

export function isLineFault(fault: SimulatedFault): fault is LineFault {
  return faultKinds[fault.kind].part === 'line';
}

export function isDeviceFault(fault: SimulatedFault): fault is DeviceFault {
  return faultKinds[fault.kind].part === 'device';
}

export function isServerFault(fault: SimulatedFault): fault is ServerFault {
  return faultKinds[fault.kind].part === 'server';
}

export function concerns({ units }: SimulatedFault, unit: number): boolean {
  return !units || units.includes(unit);
}

/** Whether it shows so long after the start. */
function isOn({ fromMs = 0, toMs }: SimulatedFault, sinceMs: number): boolean {
  return sinceMs >= fromMs && (toMs === undefined || sinceMs < toMs);
}

/** When the set of faults that show changes next, since the start; null when never again. */
function nextChangeMs(faults: readonly SimulatedFault[], sinceMs: number): number | null {
  let next: number | null = null;
  for (const { fromMs = 0, toMs = 0 } of faults) {
    for (const at of [fromMs, toMs]) if (at > sinceMs && (next === null || at < next)) next = at;
  }
  return next;
}

/** Tells at once which faults show, and again whenever that changes; returns a stop. */
export function playFaults(
  clock: Clock,
  faults: readonly SimulatedFault[],
  show: (now: readonly SimulatedFault[]) => void,
): () => void {
  const startMs = clock.monoMs();
  let cancel = () => {};
  const look = (sinceMs: number) => {
    show(faults.filter((fault) => isOn(fault, sinceMs)));
    const nextMs = nextChangeMs(faults, sinceMs);
    if (nextMs === null) return;
    // Timers may come early by a fraction; what is due is decided by the plan, not by the clock.
    cancel = clock.after(startMs + nextMs - clock.monoMs(), () => look(nextMs));
  };
  look(0);
  return () => cancel();
}

const TEXT_PATTERN = new RegExp(
  [
    '^([a-z-]+)(?:=([^:/@]+))?', // Kind and value.
    '(?::([0-9+-]+))?', // Units.
    '(?:/([1-9][0-9]{0,8}))?', // Every how many.
    '(?:@([0-9a-z]+)(?:-([0-9a-z]+))?)?$', // From and to.
  ].join(''),
);
const UNIT_MAX = 255;

export interface FaultContext {
  readonly on: FaultPlace;
  /** Of the line: what `wrong-settings` without a value changes. */
  readonly settings?: LineSettings;
}

const onlyKeys = {
  tcp: 'sim-fault-tcp-only',
  line: 'sim-fault-line-only',
  both: 'sim-fault-modbus-only',
  opcua: 'sim-fault-opcua-only',
  all: 'sim-fault-opcua-only', // Shows everywhere, so it is never asked for.
} as const;

/** Adds what is wrong and returns undefined when the text is no fault, or none that shows here. */
export function parseFault(
  text: string,
  { on, settings }: FaultContext,
  path: Path,
  problems: Problems,
): SimulatedFault | undefined {
  const match = TEXT_PATTERN.exec(text.trim());
  const [, kind = text, value, unitsText, everyText, fromText, toText] = match ?? [];
  if (!match || !Object.hasOwn(faultKinds, kind)) {
    const meant = didYouMean(kind, Object.keys(faultKinds));
    const known = Object.keys(faultKinds).join(', ');
    const help = meant ? bilingual('help-did-you-mean', { word: meant }) : undefined;
    problems.add(path, 'sim-fault-unknown', { found: text, known }, { help });
    return undefined;
  }
  const known = faultKinds[kind as FaultKind];
  if (!showsOn(known, on)) {
    problems.add(path, onlyKeys[known.on], { kind });
    return undefined;
  }
  const units = unitsText === undefined ? undefined : parseUnits(unitsText);
  if (units === null) {
    problems.add(path, 'sim-units-wrong', { found: unitsText ?? '' });
    return undefined;
  }
  const [fromMs, toMs] = [fromText, toText].map((at) => (at ? parseDuration(at) : undefined));
  const isTimeWrong = (fromText && fromMs === undefined) || (toText && toMs === undefined);
  if (isTimeWrong || (toMs !== undefined && toMs <= (fromMs ?? 0))) {
    problems.add(path, 'sim-fault-time', { found: text });
    return undefined;
  }
  const more = parseValue(kind, known, value, settings, path, problems);
  if (!more) return undefined;
  return {
    kind,
    ...more,
    ...(units && { units }),
    ...(everyText && { every: Number(everyText) }),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  } as SimulatedFault;
}

function parseValue(
  kind: string,
  { number, settings: takesSettings, point: takesPoint }: KindOf,
  value: string | undefined,
  line: LineSettings | undefined,
  path: Path,
  problems: Problems,
): Readonly<Record<string, unknown>> | undefined {
  if (takesSettings) {
    const settings = value === undefined ? line && otherParity(line) : lineSettings(value);
    if (!settings) problems.add(path, 'sim-fault-settings', { kind, found: value ?? '' });
    return settings && { settings };
  }
  if (takesPoint && value !== undefined) return { point: value };
  if (!number) {
    if (value === undefined) return {};
    problems.add(path, 'sim-fault-no-value', { kind, found: value });
    return undefined;
  }
  const [name, min, max, preset] = number;
  const found = value === undefined ? preset : Number(value);
  if (Number.isInteger(found) && found >= min && found <= max) return { [name]: found };
  problems.add(path, 'sim-fault-value', { kind, found: value ?? '', min, max });
  return undefined;
}

/** What is set wrongly most often, after the speed, and is harder to see. */
function otherParity(settings: LineSettings): LineSettings {
  return { ...settings, parity: settings.parity === 'N' ? 'E' : 'N' };
}

/** `2`, `1-8`, `2+5-8`; null when it is none or holds a number beyond 1..255. */
export function parseUnits(text: string): readonly number[] | null {
  const units = new Set<number>();
  for (const part of text.split('+')) {
    const [, from, to = from] = /^([1-9][0-9]{0,2})(?:-([1-9][0-9]{0,2}))?$/.exec(part) ?? [];
    if (from === undefined || Number(to) < Number(from) || Number(to) > UNIT_MAX) return null;
    for (let unit = Number(from); unit <= Number(to); unit++) units.add(unit);
  }
  return [...units].sort((a, b) => a - b);
}
