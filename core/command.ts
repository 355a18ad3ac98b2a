// What a person or a program may tell a device to do, and what becomes of it. Shared by the edge,
// which decides and acts, and the cloud, which asks and records. Pure.
//
// A command is offered by a profile and allowed by a site; what neither names does not exist.
// Values are engineering values, as people see them; the edge turns them into what the device
// wants.
import type { Value } from './reading.ts';
import type { Bilingual } from './text/text.ts';

/** The command that every writable point has: write the value given. */
export const SET_COMMAND = 'set';

/** Offers of one point; a drive has start, stop, reset and a few more. */
export const OFFERS_MAX = 16;

/** The only values an offer may be given: positions of a selector, modes of a drive. */
export const OFFER_STATES_MAX = 32;

/** The least right that may give it; reading never does. */
export const commandRights = ['operate', 'control', 'administer'] as const;
export type CommandRight = (typeof commandRights)[number];

/** One thing that may be commanded of one point, as the dictionary carries it. */
export interface CommandOffer {
  /** `set`, or the name the profile gives it: `start`, `stop`. */
  readonly id: string;
  readonly title: Bilingual;
  /** What is always written or called with; null: whoever commands gives a value. */
  readonly fixed: Exclude<Value, null> | null;
  /** What may be given, inclusive; null where nothing bounds it. */
  readonly range: readonly [number, number] | null;
  /**
   * The only values that may be given, 1 to OFFER_STATES_MAX; null where any within the range may.
   */
  readonly states: readonly (number | boolean)[] | null;
  readonly right: CommandRight;
  /** A second person must release it. */
  readonly twoPeople: boolean;
  /** Not sooner than this after the one before it to the same point; 0: no limit. */
  readonly everyMs: number;
  /** How long it is worth doing, where nobody says otherwise. */
  readonly timeToLiveMs: number;
  /** Written back when the cloud was not heard for so long while the effect stands. */
  readonly revert: { readonly afterMs: number; readonly value: Exclude<Value, null> } | null;
}

// The place in the list is the code on the wire: append only.
export const outcomes = ['done', 'refused', 'expired', 'failed', 'uncertain'] as const;
export type Outcome = (typeof outcomes)[number];

/** Why the outcome is not simply `done`. The place in the list is the code on the wire. */
export const commandReasons = [
  'none',
  'unknown_point', // No such device or point at this gateway.
  'not_offered', // The profile offers no such command, or the site does not allow it.
  'value_unfit', // Of the wrong type, missing, or given where none is wanted.
  'out_of_range', // Outside the range or the states of the offer.
  'too_soon', // Sooner after the one before than the offer allows.
  'interlock', // An interlock of the site holds; the detail names it.
  'needs_second', // No second person has released it.
  'replayed', // The id was used before for another command.
  'other_epoch', // The gateway was restarted since the issuer last heard of it.
  'too_late', // The time to live was over before anything was sent.
  'full', // Too many commands wait, or the disk is full; nothing of this one was sent.
  'no_connection', // There was no connection to the device; nothing was sent.
  'device_refused', // The device answered that it will not.
  'no_answer', // Sent, and the device did not say what became of it.
  'read_back_differs', // The device confirmed, and the point shows another value.
  'read_back_failed', // The device confirmed, and the point could not be read.
  'interrupted', // The gateway stopped between the first byte and the answer.
] as const;
export type CommandReason = (typeof commandReasons)[number];

/**
 * A command is refused while this holds; also while nobody knows, because the point it looks at is
 * bad or older than `staleMs`.
 */
export interface Interlock {
  readonly id: string;
  readonly title: Bilingual;
  /** What it guards. */
  readonly device: string;
  readonly point: string;
  /** Ids of offers; null: every one of the point. */
  readonly commands: readonly string[] | null;
  /** Only when one of these would be written; null: whatever is written. */
  readonly values: readonly Exclude<Value, null>[] | null;
  /** `device/point` of the same gateway. */
  readonly watch: string;
  readonly holds:
    | { readonly kind: 'above' | 'below'; readonly limit: number }
    | { readonly kind: 'is'; readonly states: readonly (number | boolean)[] };
  readonly staleMs: number;
}

/** A coil that is true and a state that is 1 are the same. */
export function isSameValue(one: Value, other: Value): boolean {
  if (one === other) return true;
  if (one === null || other === null) return false;
  if (typeof one === 'string' || typeof other === 'string') return false;
  return Number(one) === Number(other);
}

/** Null when the value may be commanded, else why not. Engineering value; null for none given. */
export function unfit(offer: CommandOffer, value: Value): CommandReason | null {
  const { fixed, range, states } = offer;
  if (fixed !== null) return value === null || value === fixed ? null : 'value_unfit';
  if (value === null) return 'value_unfit';
  if (states) {
    const isOne = states.some((state) => state === value || Number(state) === value);
    return isOne ? null : 'out_of_range';
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return 'value_unfit';
  if (!range) return null;
  if (typeof value !== 'number' && typeof value !== 'bigint') return 'value_unfit';
  return value >= range[0] && value <= range[1] ? null : 'out_of_range';
}
