// A rule says when a series is abnormal. Profiles and gateway files propose rules; the cloud's
// registry decides. Kinds and defaults after ISA-18.2 / IEC 62682 and the field's practice.
import type { Bilingual } from '../text/text.ts';

/** The four Chinese warning levels: 1 red (I), 2 orange (II), 3 yellow (III), 4 blue (IV). */
export const alarmLevels = [1, 2, 3, 4] as const;
export type AlarmLevel = (typeof alarmLevels)[number];

/** As levels are written, so that they differ without colour. */
export const levelNumerals = { 1: 'I', 2: 'II', 3: 'III', 4: 'IV' } as const;

export const limitSides = ['high-high', 'high', 'low', 'low-low'] as const;
export type LimitSide = (typeof limitSides)[number];

/** Values of a rule that nobody set: the customary ones of its kind, and shown as such. */
export const defaultables = ['deadband', 'onDelayMs', 'offDelayMs'] as const;
export type Defaulted = (typeof defaultables)[number];

/**
 * What every rule says, with its response sheet: the list of what a person who gets the alarm must
 * know, after ISA-18.2 (rationalisation).
 */
interface RuleCommon {
  /** Unique within its point: `high`, `high-high`, `no-data`, `not-in-service`. */
  readonly id: string;
  readonly level: AlarmLevel;
  /** The condition must hold this long, in the time of the samples, before it is an alarm. */
  readonly onDelayMs: number;
  /** It must be gone this long before the alarm returns to normal. */
  readonly offDelayMs: number;
  readonly title: Bilingual;
  /** What to do, for the person who gets it. */
  readonly action: Bilingual | null;
  /** What usually makes it, and what follows when nobody acts. */
  readonly cause?: Bilingual;
  readonly consequence?: Bilingual;
  /** Time in which acting still helps. */
  readonly timeAvailableMs?: number;
  /** Where the setpoint is from: a standard and its section, a study of the site. */
  readonly basis?: Bilingual;
  /** Stays after its return to normal until somebody resets it. */
  readonly isLatching?: true;
  /** What returned to normal needs no acknowledgement. */
  readonly isSelfAcknowledging?: true;
  /** Acknowledged and still active after this long, it is told again as if new. */
  readonly reAlarmMs?: number;
  readonly defaults?: readonly Defaulted[];
}

/** A signal, and when it is too much: in alarm at signal >= limit (high) or <= limit (low). */
export interface Limited {
  readonly side: LimitSide;
  /** High: clear below limit - deadband. Low: mirrored. In the unit of the signal. */
  readonly limit: number;
  readonly deadband: number;
}

/** High: signal >= limit; low: signal <= limit. */
export function isBeyondLimit({ side, limit }: Limited, signal: number): boolean {
  return side === 'high' || side === 'high-high' ? signal >= limit : signal <= limit;
}

/** On the good side of the limit, and of its deadband. */
export function isClearOfLimit({ side, limit, deadband }: Limited, signal: number): boolean {
  return side === 'high' || side === 'high-high'
    ? signal < limit - deadband
    : signal > limit + deadband;
}

/** The signal is the value itself. */
export interface LimitRule extends RuleCommon, Limited {
  readonly kind: 'limit';
}

/**
 * The signal is the change of the value over `overMs`, in the point's unit: (value now - value
 * `overMs` ago). A fall is negative: side `low` with a negative limit.
 */
export interface RateRule extends RuleCommon, Limited {
  readonly kind: 'rate';
  readonly overMs: number;
}

export const statistics = ['mean', 'max', 'min', 'rms'] as const;

/** The signal is a statistic of the value over the window that ended last, weighted by time. */
export interface StatisticRule extends RuleCommon, Limited {
  readonly kind: 'statistic';
  readonly statistic: (typeof statistics)[number];
  readonly windowMs: number;
}

/** Values by hour of week, Monday 00:00 local time first. */
export const BASELINE_HOURS = 168;

/** The signal is the value less what is usual at this hour of the week. */
export interface DeviationRule extends RuleCommon, Limited {
  readonly kind: 'deviation';
  readonly baseline: readonly number[];
  readonly utcOffsetMin: number;
}

/** In alarm while the value has been beyond for `totalMs` in all within the last `windowMs`. */
export interface DurationRule extends RuleCommon, Limited {
  readonly kind: 'duration';
  readonly totalMs: number;
  readonly windowMs: number;
}

/** In alarm while the value has moved by no more than `band` for `forMs`. */
export interface FrozenRule extends RuleCommon {
  readonly kind: 'frozen';
  readonly band: number;
  readonly forMs: number;
}

/** The signal is the value less (or divided by) that of another point of the same gateway. */
export interface ComparisonRule extends RuleCommon, Limited {
  readonly kind: 'comparison';
  /** `device/point`: two gateways have two clocks, so only one of the same. */
  readonly other: string;
  readonly by: 'difference' | 'ratio';
}

/**
 * The signal is the mean between two times of day, of the window that ended last: what flows when
 * nobody draws. Minutes after local midnight; `untilMin` lies after `fromMin`.
 */
export interface NightFlowRule extends RuleCommon, Limited {
  readonly kind: 'night-flow';
  readonly fromMin: number;
  readonly untilMin: number;
  readonly utcOffsetMin: number;
}

/**
 * The signal is the one-sided cumulative sum of Page (1954): S = max(0, S + (value - target -
 * slack)) for each `everyMs` of time (side high), mirrored for low. A small lasting shift shows
 * that no limit sees. The limit is on S, which never is below 0 and, so that it comes down again
 * when the shift is over, never above twice its limit.
 */
export interface CusumRule extends RuleCommon, Limited {
  readonly kind: 'cusum';
  readonly target: number;
  readonly slack: number;
  readonly everyMs: number;
}

export interface NoDataRule extends RuleCommon {
  readonly kind: 'no-data';
  /** No good reading for this long while its device was due. */
  readonly silentMs: number;
}

/** Beyond this a status word is better read bit by bit; the wire bounds the list. */
export const RULE_STATES_MAX = 16;

/** A discrete condition: off-normal in OPC UA Part 9. */
export interface StateRule extends RuleCommon {
  readonly kind: 'state';
  /** Whole numbers, 0 and 1 for no and yes: in alarm while the value is one of them. */
  readonly states: readonly number[];
}

/** Judged by the newest value alone, or by its absence. */
export type DirectRule = LimitRule | NoDataRule | StateRule;

/** Judged by a signal made from the values of its series up to now; what that needs is kept. */
export type SignalRule =
  | RateRule
  | StatisticRule
  | DeviationRule
  | DurationRule
  | FrozenRule
  | NightFlowRule
  | CusumRule;

export type Rule = DirectRule | SignalRule | ComparisonRule;

/**
 * What profiles and gateway files propose, and the dictionary carries: all but the baseline of a
 * site, whose 168 numbers only its history knows.
 */
export type RuleProposal = Exclude<Rule, DeviationRule>;

/** 1 where more is worse, -1 where less is. */
export function signOf(rule: Rule): 1 | -1 {
  return rule.kind === 'limit' && (rule.side === 'low' || rule.side === 'low-low') ? -1 : 1;
}

/**
 * Limits of one side of a point are steps of one ladder: while `worse` is shown, `lesser` is hidden
 * by design, and nobody is called for it.
 */
export function isUnder(lesser: Rule, worse: Rule): boolean {
  if (lesser.kind !== 'limit' || worse.kind !== 'limit') return false;
  const sign = signOf(lesser);
  return sign === signOf(worse) && sign * (worse.limit - lesser.limit) > 0;
}

/**
 * UTF-8 bytes of what a rule says beside its title, in both languages: some 700 signs of Chinese,
 * or a card a person can read in the time it is for.
 */
export const SHEET_BYTES_MAX = 2_304;

export function sheetBytes({ action, cause, consequence, basis }: RuleCommon): number {
  const encoder = new TextEncoder();
  const texts = [action, cause, consequence, basis].flatMap((text) =>
    text ? [text.en, text.zh] : [],
  );
  return texts.reduce((sum, text) => sum + encoder.encode(text).length, 0);
}

export function isDirect(rule: Rule): rule is DirectRule {
  return rule.kind === 'limit' || rule.kind === 'no-data' || rule.kind === 'state';
}
