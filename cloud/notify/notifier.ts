// What a channel is to the pipeline: it sends one notice once and says what came of it. When to try
// again, how often, what goes together, whom to tell instead, and what goes into the ledger is the
// pipeline's.
import type { Alarm } from '../alarms/alarm.ts';
import type { Escalation, Notified } from '../alarms/tables.ts';

// A delivery is *accepted* when the receiving side took it, and *confirmed* only by its own word.
export const deliveryStates = [
  'queued',
  'sent',
  'accepted',
  'delivered', // The provider says that it reached the phone.
  'seen', // Somebody opened it.
  'confirmed', // Somebody has it.
  'acted', // Somebody is on the way, or the site has acted itself.
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
  /** Whom it is addressed to; null where a receiver is nobody's own: a desk, a robot. */
  readonly person: string | null;
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
  readonly deliveredMs: number | null;
  readonly seenMs: number | null;
  readonly confirmedMs: number | null;
  readonly confirmedBy: string | null;
  readonly actedMs: number | null;
  /** "Not mine": the next was told instead. */
  readonly declined?: { readonly by: string; readonly atMs: number };
  readonly undeliveredMs: number | null;
  /** Further places in chains that it stands for: its receiver is named there, too. */
  readonly also?: readonly Place[];
  /** What the provider calls the message it went in. */
  readonly reference?: string;
  readonly why: string | null;
}

/** A step of a route. */
export interface Place {
  readonly route: string;
  readonly step: number;
}

/** Who was called to an alarm before, and what came of it. */
export interface Told {
  /** A person, or a receiver that is nobody's own. */
  readonly name: string;
  readonly state: DeliveryState;
}

/** What is sent at once: to one receiver. */
export interface Notice {
  /** Several, the worst first, only of a notifier that takes so many. */
  readonly deliveries: readonly [Delivery, ...Delivery[]];
  /** By place, where a person confirms without an account; null where there is no such address. */
  readonly links: readonly (string | null)[];
  /** By place, as it is when it is sent; nobody where it is left out. */
  readonly told?: readonly (readonly Told[])[];
}

export type Outcome =
  | {
      readonly kind: 'sent';
      readonly confirmedBy: string | null;
      /** What the provider calls it: its receipts name it. */
      readonly reference?: string;
      /** What the ledger is to say beside it: it went out, but not as the site had it in mind. */
      readonly note?: string;
    }
  /**
   * `afterMs`: what the other side asked for, or null. `isReceiverBusy`: until then it takes
   * nothing at all, as a robot does that was asked too often.
   */
  | {
      readonly kind: 'retry';
      readonly why: string;
      readonly afterMs: number | null;
      readonly isReceiverBusy?: boolean;
    }
  | { readonly kind: 'give-up'; readonly why: string; readonly isReceiverGone: boolean };

/** Sent to every receiver that can take it, so that its absence is noticed there. */
export interface Heartbeat {
  readonly id: string;
  readonly atMs: number;
  /** The next one comes within this time. */
  readonly everyMs: number;
}

/** What a provider posts of what it did with messages, as it came. */
export interface Posted {
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the address it was posted to. */
  readonly token: string | null;
  readonly body: string;
}

/** What a provider says of a message later, by the reference of its answer. */
export interface Receipt {
  readonly reference: string;
  readonly state: 'delivered' | 'confirmed' | 'failed';
  /** Of `failed` alone. */
  readonly why: string | null;
}

export interface Notifier {
  /** Deliveries in one notice at most; absent where each goes by itself. */
  readonly digestMax?: number;
  /** A machine there confirms by itself: tests of the path are sent to it. Absent: none does. */
  readonly confirms?: boolean;
  /** Settles soon after `signal` is aborted; what goes wrong is an outcome, not an exception. */
  send(notice: Notice, signal: AbortSignal): Promise<Outcome>;
  /**
   * Shows without troubling a person that the channel lives: null, or why it does not. Absent where
   * nothing can show it. As `send`, it settles and does not throw.
   */
  beat?(heartbeat: Heartbeat, signal: AbortSignal): Promise<string | null>;
  /** Reads what its provider posted; null where nobody of the provider's did. Changes nothing. */
  receipts?(posted: Posted): readonly Receipt[] | null;
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
      purpose: alarm.purpose,
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
