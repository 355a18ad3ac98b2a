// What a channel is to the pipeline: it sends one delivery once and says what came of it. When to
// try again, how often, whom to tell instead, and what goes into the ledger is the pipeline's.
import type { Alarm } from '../alarms/alarm.ts';
import type { Escalation, Notified } from '../alarms/tables.ts';

// A delivery is *accepted* when the receiving side took it, and *confirmed* only by its own word.
export const deliveryStates = [
  'queued',
  'sent',
  'accepted',
  'confirmed',
  'undelivered', // Not confirmed in time: shown, escalated, and still tried.
  'failed', // Given up, with why.
  'silenced', // Not sent on purpose, with why.
] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** One notification to one receiver. */
export interface Delivery {
  /**
   * Occurrence and transition: equal on every try and for every receiver; a receiver needs it once.
   */
  readonly id: string;
  /** Rises by one a delivery: the cursor of lists. */
  readonly number: number;
  readonly receiver: string;
  readonly route: string;
  /** Place in the route's chain; 0 is told at once. */
  readonly step: number;
  readonly transition: Notified;
  /** As it was when the notification was queued, so that every try says the same. */
  readonly alarm: Alarm;
  /** Of `escalated` alone. */
  readonly escalation?: Escalation;
  readonly state: DeliveryState;
  readonly attempts: number;
  readonly repeats: number;
  readonly queuedMs: number;
  readonly sentMs: number | null;
  readonly acceptedMs: number | null;
  readonly confirmedMs: number | null;
  readonly confirmedBy: string | null;
  readonly undeliveredMs: number | null;
  readonly why: string | null;
}

export type Outcome =
  | { readonly kind: 'sent'; readonly confirmedBy: string | null }
  /** `afterMs`: what the other side asked for, or null. */
  | { readonly kind: 'retry'; readonly why: string; readonly afterMs: number | null }
  | { readonly kind: 'give-up'; readonly why: string; readonly isReceiverGone: boolean };

export interface Notifier {
  /** Settles soon after `signal` is aborted; what goes wrong is an outcome, not an exception. */
  send(delivery: Delivery, signal: AbortSignal): Promise<Outcome>;
}

/** What can be told more than once is numbered: each is a notification of its own. */
export function deliveryId(
  { occurrence, annunciations }: Alarm,
  transition: Notified,
  escalation?: Escalation,
): string {
  const nth = transition === 'annunciated' ? annunciations : escalation?.count;
  return `${occurrence}.${transition}${nth === undefined ? '' : `-${nth}`}`;
}

/** It asks somebody to come; what only says that it is over asks nobody. */
export function isCall(transition: Notified): boolean {
  return transition !== 'cleared';
}

/** The alarm that a delivery's id speaks of. */
export function occurrenceOf(id: string): string {
  return id.slice(0, Math.max(0, id.lastIndexOf('.')));
}

/** What a receiver gets, in any channel that carries data. Equal on every try. */
export function eventOf({ transition, alarm, escalation }: Delivery) {
  const time = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  const { occurrence, level, state, area, gateway, key, asset, name, unit } = alarm;
  const { rule, version, title, action, value, limit } = alarm;
  const ended = isCall(transition) ? alarm.raisedMs : (alarm.clearedMs ?? alarm.raisedMs);
  const at = escalation?.dueMs ?? ended;
  return {
    type: `alarm.${transition}`,
    timestamp: new Date(at).toISOString(),
    data: {
      ...{ id: occurrence, level, state, area, gateway, point: key, asset, name, unit },
      ...{ rule, version, title, action, value, limit },
      test: alarm.test !== null,
      began: time(alarm.beganMs),
      raised: time(alarm.raisedMs),
      received: time(alarm.raisedReceivedMs),
      cleared: time(alarm.clearedMs),
      ...(escalation && { case: caseOf(escalation) }),
    },
  };
}

function caseOf({ case: id, state, step, dueMs, owner }: Escalation) {
  return { id, state, escalation: step, due: new Date(dueMs).toISOString(), owner };
}
