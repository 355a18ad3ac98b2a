// A rule says when a series is abnormal. Profiles and gateway files propose rules; the cloud's
// registry decides. Kinds and defaults after ISA-18.2 / IEC 62682 and the field's practice.
import type { Bilingual } from '../text/text.ts';

/** The four Chinese warning levels: 1 red (I), 2 orange (II), 3 yellow (III), 4 blue (IV). */
export const alarmLevels = [1, 2, 3, 4] as const;
export type AlarmLevel = (typeof alarmLevels)[number];

export const limitSides = ['high-high', 'high', 'low', 'low-low'] as const;
export type LimitSide = (typeof limitSides)[number];

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
}

export interface LimitRule extends RuleCommon {
  readonly kind: 'limit';
  readonly side: LimitSide;
  /** High: in alarm at value >= limit, clear below limit - deadband. Low: mirrored. */
  readonly limit: number;
  readonly deadband: number;
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

export type RuleProposal = LimitRule | NoDataRule | StateRule;
export type Rule = RuleProposal;
