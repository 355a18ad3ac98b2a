// A warning as it goes to other systems, before it is written in any of their formats. Pure.
//
// A warning is a chain of messages: an Alert, Updates, a Cancel. Each message is first a draft and
// leaves only when two people have released it; what has left is never changed, only updated or
// cancelled by a message that names all before it.
//
//   drafted ── release ──> released ── release of an Update ──> updated ─┐
//      │                       │                                 │  ^────┘
//      └─ drop ──> dropped     └───── release of a Cancel ──> cancelled
//
// What is in force and reaches the time it expires at is `expired`.
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { localIso, zoneOf } from '../../core/local-time.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Wgs84 } from './datum.ts';

export const messageTypes = ['Alert', 'Update', 'Cancel'] as const;
export type MessageType = (typeof messageTypes)[number];

/** `Draft`: by the words of CAP not to be acted on; so a draft that gets about does no harm. */
export const statuses = ['Actual', 'Exercise', 'Test', 'Draft'] as const;
export type Status = (typeof statuses)[number];

// The order of CAP 1.2, section 3.2.2.
export const categories = [
  ...['Geo', 'Met', 'Safety', 'Security', 'Rescue', 'Fire', 'Health', 'Env', 'Transport'],
  ...['Infra', 'CBRNE', 'Other'],
] as const;
export type Category = (typeof categories)[number];
export const responseTypes = [
  ...['Shelter', 'Evacuate', 'Prepare', 'Execute', 'Avoid', 'Monitor', 'Assess', 'AllClear'],
  'None',
] as const;
export type ResponseType = (typeof responseTypes)[number];

export const certainties = ['Observed', 'Likely', 'Possible', 'Unlikely', 'Unknown'] as const;
export type Certainty = (typeof certainties)[number];

export type Scope =
  | { readonly kind: 'Public' }
  | { readonly kind: 'Restricted'; readonly restriction: string }
  | { readonly kind: 'Private'; readonly addresses: readonly string[] };

export interface Named {
  readonly name: string;
  readonly value: string;
}

/** Where it is dangerous; WGS-84. */
export interface WarningArea {
  readonly text: Bilingual;
  readonly circle: { readonly center: Wgs84; readonly radiusKm: number } | null;
  /** Corners in order; the first stands once, and neighbouring sides alone meet. */
  readonly polygon: readonly Wgs84[] | null;
  readonly geocodes: readonly Named[];
}

/** What is told. */
export interface Content {
  readonly level: AlarmLevel;
  readonly categories: readonly Category[];
  readonly event: Bilingual;
  readonly responses: readonly ResponseType[];
  readonly certainty: Certainty;
  readonly headline: Bilingual;
  readonly description: Bilingual;
  readonly instruction: Bilingual | null;
  /** Value, limit, rule: for programs. */
  readonly parameters: readonly Named[];
  readonly area: WarningArea;
  /** When it began. */
  readonly onsetMs: number | null;
}

/** An earlier message, as CAP refers to it. */
export interface Reference {
  readonly sender: string;
  readonly identifier: string;
  readonly sentMs: number;
}

export interface Message extends Reference {
  readonly status: Status;
  readonly type: MessageType;
  readonly scope: Scope;
  /** Of an exercise, an update or a cancelling: why. */
  readonly note: Bilingual | null;
  /** All before it of its chain, the oldest first. */
  readonly references: readonly Reference[];
  /** A name of what several messages are about: the case. */
  readonly incident: string | null;
  readonly expiresMs: number;
  readonly senderName: Bilingual;
  readonly contact: string | null;
  readonly web: string | null;
  readonly content: Content;
}

export const warningStates = [
  ...['drafted', 'released', 'updated', 'cancelled', 'expired', 'dropped'],
] as const;
export type WarningState = (typeof warningStates)[number];

/** What of it is told now: an Alert or an Update that nothing has cancelled. */
export function isInForce(state: WarningState): boolean {
  return state === 'released' || state === 'updated';
}

/** Null: it cannot be released as it stands. */
export function released(state: WarningState, type: MessageType): WarningState | null {
  return after[state][type];
}

const after: Record<WarningState, Record<MessageType, WarningState | null>> = {
  drafted: { Alert: 'released', Update: null, Cancel: null },
  released: { Alert: null, Update: 'updated', Cancel: 'cancelled' },
  updated: { Alert: null, Update: 'updated', Cancel: 'cancelled' },
  cancelled: { Alert: null, Update: null, Cancel: null },
  expired: { Alert: null, Update: null, Cancel: null },
  dropped: { Alert: null, Update: null, Cancel: null },
};

/** Of what a whole second is: formats here have no smaller part. */
export function wholeSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

export const BEIJING_OFFSET_MS = 8 * 3_600_000;

/** As CAP writes a time: with an offset, without `Z` and without a fraction; UTC is `-00:00`. */
export function capTime(ms: number, utcOffsetMs: number): string {
  const zone = utcOffsetMs === 0 ? '-00:00' : zoneOf(utcOffsetMs);
  return `${localIso(ms, utcOffsetMs)}${zone}`;
}
