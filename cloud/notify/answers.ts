// What the receiving side says of what it was sent, and what that does to the chain.
//
//   it was opened       `seen`: shown, and stops nothing; a program that follows links does as much
//   I have it           `confirmed`: the alarm has somebody, and nobody further is told
//   I am on my way      `acted`: the same, and more is known
//   not mine            the next of the chain is told at once; nothing is stopped
//
// Who has it has it for all: one word stops the chain of every route, and is told to the site
// (`onHandled`), in the transaction that records it. The first to say so stays in the ledger; a
// word said again changes nothing, so every button may be pressed twice. Who has taken an alarm
// does not give it back by a link: nobody would be told of it any more.
import { type Alarm, isPathTest } from '../alarms/alarm.ts';
import type { Journal } from '../alarms/journal.ts';
import { type Actor, machine } from '../alarms/occurrences.ts';
import type { Confirmed, Entry, Ledger } from './ledger.ts';
import { confirmation, receiverSaid } from './ledger.ts';
import { type Delivery, isCall, type Receipt } from './notifier.ts';

export const words = ['confirmed', 'on_my_way', 'not_mine'] as const;
export type Word = (typeof words)[number];

/** Somebody has an alarm. */
export interface Handled {
  readonly occurrence: string;
  readonly by: string;
  readonly atMs: number;
  /** At a desk, or by the answer to a delivery. */
  readonly how: 'desk' | 'answer';
}

/** What answers need of the pipeline. */
export interface Chain {
  readonly ledger: Ledger;
  readonly journal: Pick<Journal, 'write'>;
  readonly transact: <Result>(work: () => Result) => Result;
  /** Records it; what it has to do still is as the entry says. */
  readonly write: (entry: Entry) => void;
  /** Within a transaction: the next of the chain is to be told; how many that were. */
  readonly passOn: (delivery: Delivery) => number;
  /** Within a transaction: it will not be confirmed, and the next is told at once. */
  readonly fail: (entry: Entry, why: string) => void;
  readonly onConfirmed: () => void;
  readonly onHandled: (handled: Handled) => void;
}

/** What a delivery is that somebody has taken. */
type Taken = 'confirmed' | 'acted';

const OVER = { isOpen: false, nextMs: null, confirmByMs: null } as const;
const waiting: readonly Delivery['state'][] = ['sent', 'accepted', 'delivered'];

export class Answers {
  readonly #chain: Chain;

  constructor(chain: Chain) {
    this.#chain = chain;
  }

  /** Null when there is none of this number. */
  find(number: number): Delivery | null {
    return this.#chain.ledger.entry(number)?.delivery ?? null;
  }

  /** The word of whoever speaks for all receivers of a notification. */
  confirm(id: string, by: string, atMs: number, actor: Actor = machine): Confirmed {
    const entries = this.#chain.ledger.of(id);
    const sent = entries.filter(({ delivery }) => delivery.sentMs !== null);
    if (sent.length === 0) return 'unknown';
    if (sent.every(({ delivery }) => isTaken(delivery))) return 'already';
    this.#chain.transact(() => {
      this.#note(sent[0]!.delivery, 'confirmed', by, atMs, actor);
      for (const { delivery } of sent)
        if (!isTaken(delivery)) this.#take(delivery, by, atMs, 'confirmed');
      this.#over(sent[0]!.delivery, by, atMs);
    });
    return 'confirmed';
  }

  /**
   * The word of one receiver. `unknown`: it was never sent this. `already`: it has said so before,
   * or it gives back what it has taken.
   */
  answer(number: number, word: Word, by: string, atMs: number, actor: Actor): Confirmed {
    const entry = this.#chain.ledger.entry(number);
    if (!entry || entry.delivery.sentMs === null) return 'unknown';
    const { delivery } = entry;
    if (word === 'on_my_way' ? delivery.actedMs !== null : isTaken(delivery)) return 'already';
    if (word === 'not_mine' && delivery.declined) return 'already';
    const opened: Delivery = { ...delivery, seenMs: delivery.seenMs ?? atMs };
    this.#chain.transact(() => {
      this.#note(delivery, word, by, atMs, actor);
      if (word === 'not_mine') this.#decline({ ...entry, delivery: opened }, by, atMs);
      else this.said(opened, by, atMs, word === 'on_my_way' ? 'acted' : 'confirmed');
    });
    return 'confirmed';
  }

  /** Within a transaction, journalled by the caller: this delivery has its answer. */
  said(delivery: Delivery, by: string, atMs: number, state: Taken = 'confirmed'): void {
    this.#take(delivery, by, atMs, state);
    this.#over(delivery, by, atMs);
  }

  /** It was opened. */
  seen(number: number, atMs: number): void {
    const entry = this.#chain.ledger.entry(number);
    if (!entry || entry.delivery.sentMs === null || entry.delivery.seenMs !== null) return;
    const { delivery } = entry;
    const state = waiting.includes(delivery.state) ? 'seen' : delivery.state;
    this.#chain.write({ ...entry, delivery: { ...delivery, state, seenMs: atMs } });
  }

  /** What a provider says of a message later. `unknown`: there is none that it calls so. */
  receipt(receiver: string, { reference, state, why }: Receipt, atMs: number): 'known' | 'unknown' {
    const { ledger, journal, transact, write, fail } = this.#chain;
    const entries = ledger.called(receiver, reference);
    if (entries.length === 0) return 'unknown';
    transact(() => {
      for (const entry of entries) {
        const { delivery } = entry;
        const by = delivery.person ?? receiver;
        if (isTaken(delivery)) continue;
        if (state === 'confirmed') {
          journal.write(receiverSaid(delivery, by, atMs));
          this.said(delivery, by, atMs);
        } else if (state === 'failed') {
          if (delivery.state !== 'failed') fail(entry, why ?? 'not delivered');
        } else if (delivery.deliveredMs === null) {
          const isNews = delivery.state === 'sent' || delivery.state === 'accepted';
          const reached = { ...delivery, deliveredMs: atMs };
          write({ ...entry, delivery: isNews ? { ...reached, state: 'delivered' } : reached });
        }
      }
    });
    return 'known';
  }

  /** Somebody has it at a desk: nobody further is told that it was raised. */
  handled(occurrence: string, by: string, atMs: number): void {
    const why = `acknowledged by ${by}`;
    this.#chain.transact(() => {
      for (const entry of this.#chain.ledger.calls(occurrence)) this.#end(entry, why);
      this.#chain.onHandled({ occurrence, by, atMs, how: 'desk' });
    });
  }

  /** At a start, and now and then: acknowledged, and the cloud ended before the chain did. */
  catchUp(open: readonly Entry[], alarmOf: (occurrence: string) => Alarm | null): void {
    const late = new Map<string, Alarm>();
    for (const { delivery } of open) {
      const alarm = isCall(delivery.transition) ? alarmOf(delivery.alarm.occurrence) : null;
      // An overdue step of a case is told after the acknowledgement, too.
      const isLate = alarm !== null && (alarm.acknowledgedMs ?? 0) >= delivery.queuedMs;
      if (isLate) late.set(alarm.occurrence, alarm);
    }
    for (const { occurrence, acknowledgedBy, acknowledgedMs } of late.values()) {
      this.handled(occurrence, acknowledgedBy ?? '', acknowledgedMs!);
    }
  }

  #take(delivery: Delivery, by: string, atMs: number, state: Taken): void {
    if (delivery.confirmedMs === null) this.#chain.onConfirmed();
    const taken: Delivery = {
      ...delivery,
      state,
      confirmedMs: delivery.confirmedMs ?? atMs,
      confirmedBy: delivery.confirmedBy ?? by,
      actedMs: state === 'acted' ? atMs : delivery.actedMs,
      why: null,
    };
    this.#chain.write({ ...OVER, delivery: taken });
  }

  // A person who is to be told no more; a group, or the last of a chain, is told again as before.
  #decline(entry: Entry, by: string, atMs: number): void {
    const why = `declined by ${by}`;
    const delivery: Delivery = { ...entry.delivery, declined: { by, atMs }, why };
    const isPassedOn = entry.isOpen && this.#chain.passOn(delivery) > 0;
    if (isPassedOn && delivery.person !== null) {
      this.#chain.write({ ...OVER, delivery: { ...delivery, state: 'failed' } });
    } else this.#chain.write({ ...entry, delivery });
  }

  // An overdue step of a case is told whoever has confirmed the alarm itself, and the first of
  // another route, which is told beside this one and not after it, is told still.
  #over(answered: Delivery, by: string, atMs: number): void {
    const { alarm, number, route, transition } = answered;
    if (!isCall(transition)) return;
    for (const entry of this.#chain.ledger.calls(alarm.occurrence)) {
      const { delivery } = entry;
      if (delivery.number === number || !entry.isOpen) continue;
      if (delivery.transition === 'escalated' && transition !== 'escalated') continue;
      const isBeside = delivery.step === 0 && delivery.route !== route;
      if (isBeside && delivery.acceptedMs === null) this.#unwatch(entry);
      else this.#end(entry, `confirmed by ${by}`);
    }
    this.#chain.onHandled({ occurrence: alarm.occurrence, by, atMs, how: 'answer' });
  }

  // What is under way may still arrive, and is not tried again.
  #end({ delivery, isOpen }: Entry, why: string): void {
    if (!isOpen) return;
    const state = delivery.sentMs === null ? 'silenced' : delivery.state;
    this.#chain.write({ ...OVER, delivery: { ...delivery, state, why } });
  }

  #unwatch({ delivery, nextMs }: Entry): void {
    this.#chain.write({ delivery, isOpen: nextMs !== null, nextMs, confirmByMs: null });
  }

  #note(delivery: Delivery, word: Word, by: string, atMs: number, actor: Actor): void {
    if (isPathTest(delivery.alarm)) return;
    this.#chain.journal.write(confirmation(delivery.id, by, atMs, actor, word));
  }
}

const isTaken = ({ confirmedMs }: Delivery) => confirmedMs !== null;
