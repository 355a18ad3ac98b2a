// How well the alarms serve whoever watches them: the figures of EEMUA 191, ISA-18.2 and IEC 62682
// over a period, each with its target. Pure: a list of annunciations in, figures out.
//
// What is counted is what somebody was told of, when the cloud told it: hidden alarms are counted
// apart, and history that paged nobody is not in the list. How an alarm behaves (chattering,
// fleeting, stale) is judged by sample time, whatever a line did to its arrival. Rates are over
// fixed buckets from the beginning of the period; a flood is counted by a window that slides
// (flood.ts), so give the list from WARM_UP_MS before the period.
//
// No figure is a promise: one alarm in ten minutes was found in 1998 and adopted by EEMUA 191,
// ISA-18.2 had about 150 a day in 2009 and none in 2016, IEC 62682 has 144 a day.
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { alarmLevels } from '../../core/alarm/rule.ts';
import type { Flood } from './flood.ts';
import { floodsOf } from './flood.ts';

export type Hiding = 'shelved' | 'suppressed' | 'removed' | 'test';

/** Somebody was told of an alarm, or would have been, had it not been hidden. */
export interface Annunciation {
  /** The same for every occurrence: `gateway/device/point/rule`. */
  readonly alarm: string;
  readonly level: AlarmLevel;
  /** Cloud time. */
  readonly atMs: number;
  /** False where an alarm that is on was told again. */
  readonly isActivation: boolean;
  readonly hiding: Hiding | null;
  /** Sample time. */
  readonly raisedMs: number;
  readonly clearedMs: number | null;
  /** Cloud time. */
  readonly acknowledgedMs: number | null;
}

export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

export const figureIds = [
  'rate-ten-minutes',
  'rate-hour',
  'rate-day',
  'peak-minute',
  'peak-ten-minutes',
  'peak-hour',
  'windows-above-ten',
  'time-above-target',
  'floods',
  'flood-time',
  'chattering',
  'fleeting',
  'stale',
  'top-ten',
  'priority-1',
  'priority-2',
  'priority-3',
  'priority-4',
] as const;
export type FigureId = (typeof figureIds)[number];

export interface Target {
  readonly is: 'at-most' | 'below' | 'at-least';
  readonly value: number;
  readonly source: string;
}

const EFFECTIVENESS = 'EEMUA 191; Measuring Alarm System Effectiveness';

/** Shares are 0 to 1. */
export const targets: Readonly<Record<FigureId, Target>> = {
  'rate-ten-minutes': { is: 'at-most', value: 1, source: EFFECTIVENESS },
  'rate-hour': { is: 'at-most', value: 6, source: 'ISA-18.2' },
  'rate-day': { is: 'at-most', value: 150, source: 'ISA-18.2 (2009)' },
  'peak-minute': { is: 'at-most', value: 2, source: EFFECTIVENESS },
  'peak-ten-minutes': { is: 'at-most', value: 10, source: EFFECTIVENESS },
  'peak-hour': { is: 'at-most', value: 15, source: EFFECTIVENESS },
  'windows-above-ten': { is: 'at-most', value: 0.01, source: 'ISA-18.2' },
  'time-above-target': { is: 'at-most', value: 0, source: EFFECTIVENESS },
  floods: { is: 'at-most', value: 0, source: 'ISA-18.2' },
  'flood-time': { is: 'below', value: 0.01, source: 'ISA-18.2' },
  chattering: { is: 'at-most', value: 0, source: 'ISA-18.2' },
  fleeting: { is: 'at-most', value: 0, source: 'ISA-18.2' },
  stale: { is: 'below', value: 5, source: 'ISA-18.2' },
  'top-ten': { is: 'at-most', value: 0.05, source: 'ISA-18.2' },
  'priority-1': { is: 'at-most', value: 0.01, source: 'EEMUA 191, ISA-18.2' },
  'priority-2': { is: 'at-most', value: 0.05, source: 'EEMUA 191, ISA-18.2' },
  'priority-3': { is: 'at-most', value: 0.15, source: 'EEMUA 191, ISA-18.2' },
  'priority-4': { is: 'at-least', value: 0.8, source: 'EEMUA 191, ISA-18.2' },
};

export interface Figure {
  readonly id: FigureId;
  /** Null where there is nothing to judge: a share of no alarms. */
  readonly value: number | null;
  readonly met: boolean | null;
}

export interface Figures extends Period {
  /** Told to somebody. */
  readonly annunciated: number;
  /** Not told, by what hid them. */
  readonly hidden: Readonly<Record<Hiding, number>>;
  readonly figures: readonly Figure[];
  readonly floods: readonly Flood[];
  readonly topTen: readonly { readonly alarm: string; readonly count: number }[];
  /** The alarms behind the figures of these names, TOP_MAX at most. */
  readonly chattering: readonly string[];
  readonly fleeting: readonly string[];
  readonly stale: readonly string[];
  /** From being told to being acknowledged, of those told in the period. */
  readonly acknowledge: readonly Acknowledged[];
}

export interface Acknowledged {
  readonly level: AlarmLevel;
  readonly annunciated: number;
  readonly acknowledged: number;
  readonly medianMs: number | null;
  /** 95 of 100 were acknowledged within this; nearest rank. */
  readonly p95Ms: number | null;
}

const MINUTE = 60_000;
const TEN_MINUTES = 10 * MINUTE;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Three activations of one alarm within a minute. */
export const CHATTER_TIMES = 3;
export const CHATTER_MS = MINUTE;
/** Nobody acts in less. */
export const FLEETING_MS = 10_000;
export const STALE_MS = DAY;
/** A flood that went on when the period began is known when it began no earlier than this. */
export const WARM_UP_MS = 2 * HOUR;
/** Names in a list. */
export const TOP_MAX = 10;

/** `list` in order of `atMs`, from before the period where that matters; standing alarms too. */
export function figuresOf(list: readonly Annunciation[], { fromMs, toMs }: Period): Figures {
  const isInside = ({ atMs }: Annunciation) => atMs >= fromMs && atMs < toMs;
  const shown = list.filter(({ hiding }) => hiding === null);
  const told = shown.filter(isInside);
  const hidden: Record<Hiding, number> = { shelved: 0, suppressed: 0, removed: 0, test: 0 };
  for (const it of list) if (it.hiding !== null && isInside(it)) hidden[it.hiding]++;
  const spanMs = Math.max(1, toMs - fromMs);
  const counts = new Buckets(told, { fromMs, toMs });
  const floods = floodsOf(
    shown.filter(({ atMs }) => atMs < toMs).map(({ atMs }) => atMs),
    toMs,
  ).filter((flood) => (flood.toMs ?? toMs) > fromMs);
  const floodMs = floods.reduce(
    (sum, flood) => sum + Math.min(flood.toMs ?? toMs, toMs) - Math.max(flood.fromMs, fromMs),
    0,
  );
  const chattering = chatteringOf(told);
  const fleeting = fleetingOf(told);
  const stale = staleOf(shown, { fromMs, toMs });
  const top = topOf(told);
  const ofLevel = (level: AlarmLevel) => told.filter((it) => it.level === level);
  const share = (part: number) => (told.length === 0 ? null : part / told.length);
  const values: Record<FigureId, number | null> = {
    'rate-ten-minutes': (told.length * TEN_MINUTES) / spanMs,
    'rate-hour': (told.length * HOUR) / spanMs,
    'rate-day': (told.length * DAY) / spanMs,
    'peak-minute': counts.peak(MINUTE),
    'peak-ten-minutes': counts.peak(TEN_MINUTES),
    'peak-hour': counts.peak(HOUR),
    'windows-above-ten': counts.shareAbove(TEN_MINUTES, targets['peak-ten-minutes'].value),
    'time-above-target': counts.shareAbove(TEN_MINUTES, targets['rate-ten-minutes'].value),
    floods: floods.length,
    'flood-time': floodMs / spanMs,
    chattering: chattering.length,
    fleeting: fleeting.count,
    stale: stale.most,
    'top-ten': share(top.reduce((sum, { count }) => sum + count, 0)),
    'priority-1': share(ofLevel(1).length),
    'priority-2': share(ofLevel(2).length),
    'priority-3': share(ofLevel(3).length),
    'priority-4': share(ofLevel(4).length),
  };
  return {
    ...{ fromMs, toMs, hidden, floods },
    annunciated: told.length,
    figures: figureIds.map((id) => ({ id, value: values[id], met: isMet(id, values[id]) })),
    topTen: top,
    chattering: chattering.slice(0, TOP_MAX),
    fleeting: fleeting.alarms.slice(0, TOP_MAX),
    stale: stale.alarms.slice(0, TOP_MAX),
    acknowledge: alarmLevels.map((level) => acknowledgedOf(level, ofLevel(level))),
  };
}

function isMet(id: FigureId, value: number | null): boolean | null {
  if (value === null) return null;
  const { is, value: target } = targets[id];
  if (is === 'at-least') return value >= target;
  return is === 'below' ? value < target : value <= target;
}

/**
 * Counts in fixed buckets from the beginning of the period; the last may be cut short by its end.
 */
class Buckets {
  readonly #times: readonly number[];
  readonly #period: Period;

  constructor(told: readonly Annunciation[], period: Period) {
    this.#times = told.map(({ atMs }) => atMs);
    this.#period = period;
  }

  peak(widthMs: number): number {
    let most = 0;
    for (const count of this.#counts(widthMs).values()) most = Math.max(most, count);
    return most;
  }

  /** The share of all buckets that hold more than so many. */
  shareAbove(widthMs: number, above: number): number {
    const { fromMs, toMs } = this.#period;
    const all = Math.max(1, Math.ceil((toMs - fromMs) / widthMs));
    return [...this.#counts(widthMs).values()].filter((count) => count > above).length / all;
  }

  #counts(widthMs: number): Map<number, number> {
    const counts = new Map<number, number>();
    for (const atMs of this.#times) {
      const bucket = Math.floor((atMs - this.#period.fromMs) / widthMs);
      counts.set(bucket, (counts.get(bucket) ?? 0) + 1);
    }
    return counts;
  }
}

/** Alarms with CHATTER_TIMES activations no further apart than CHATTER_MS, by name. */
function chatteringOf(told: readonly Annunciation[]): string[] {
  const byAlarm = new Map<string, number[]>();
  for (const { alarm, raisedMs, isActivation } of told) {
    if (!isActivation) continue;
    const times = byAlarm.get(alarm);
    if (times) times.push(raisedMs);
    else byAlarm.set(alarm, [raisedMs]);
  }
  const chatters = (times: number[]) => {
    times.sort((a, b) => a - b);
    return times.some((atMs, at) => {
      const last = times[at + CHATTER_TIMES - 1];
      return last !== undefined && last - atMs <= CHATTER_MS;
    });
  };
  return [...byAlarm]
    .filter(([, times]) => chatters(times))
    .map(([alarm]) => alarm)
    .sort();
}

/** Gone before anybody could have acted, and nobody had. */
function fleetingOf(told: readonly Annunciation[]): { count: number; alarms: string[] } {
  const fleeting = told.filter(
    ({ isActivation, raisedMs, clearedMs, atMs, acknowledgedMs }) =>
      isActivation &&
      clearedMs !== null &&
      clearedMs - raisedMs <= FLEETING_MS &&
      (acknowledgedMs === null || acknowledgedMs - atMs > clearedMs - raisedMs),
  );
  return { count: fleeting.length, alarms: [...new Set(fleeting.map((it) => it.alarm))].sort() };
}

/**
 * On for more than STALE_MS without a break: the most on any day of the period, and their names.
 */
function staleOf(shown: readonly Annunciation[], { fromMs, toMs }: Period) {
  const alarms = new Set<string>();
  let most = 0;
  for (let dayMs = fromMs; dayMs < toMs; dayMs += DAY) {
    const endMs = Math.min(dayMs + DAY, toMs);
    const today = new Set<string>();
    for (const { alarm, raisedMs, clearedMs } of shown) {
      const untilMs = Math.min(clearedMs ?? endMs, endMs);
      const staleMs = raisedMs + STALE_MS;
      if (staleMs < untilMs && untilMs > dayMs) today.add(alarm);
    }
    for (const alarm of today) alarms.add(alarm);
    most = Math.max(most, today.size);
  }
  return { most, alarms: [...alarms].sort() };
}

function topOf(told: readonly Annunciation[]): { alarm: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const { alarm } of told) counts.set(alarm, (counts.get(alarm) ?? 0) + 1);
  return [...counts]
    .map(([alarm, count]) => ({ alarm, count }))
    .sort((a, b) => b.count - a.count || (a.alarm < b.alarm ? -1 : 1))
    .slice(0, TOP_MAX);
}

function acknowledgedOf(level: AlarmLevel, told: readonly Annunciation[]): Acknowledged {
  const waits = told
    .flatMap(({ atMs, acknowledgedMs }) =>
      acknowledgedMs === null ? [] : [Math.max(0, acknowledgedMs - atMs)],
    )
    .sort((a, b) => a - b);
  const rank = (share: number) => waits[Math.ceil(share * waits.length) - 1] ?? null;
  return {
    level,
    annunciated: told.length,
    acknowledged: waits.length,
    medianMs: rank(0.5),
    p95Ms: rank(0.95),
  };
}
