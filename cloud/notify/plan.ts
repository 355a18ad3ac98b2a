// Who is told: of what the alarms queued, and next when nobody has confirmed.
//
//   route         every route that fits; its first step, or as far down as a case has come
//   who           whom the step stands for at this moment: receivers, people, who is on duty
//   silence       recorded with why, and not sent
//   deduplicate   a receiver has one notification of one transition, however often it is named
//
// A step after which nobody is waited for (nobody on duty, all of it gone, told already in vain,
// or a level I message that its receiver cannot take in time) is followed by the next at once. A
// receiver that is named again stands for both places of the chains, and is told once. Everything
// here is part of the caller's transaction.
import { isPathTest } from '../alarms/alarm.ts';
import type { Outgoing } from '../alarms/tables.ts';
import type { Entry, Ledger } from './ledger.ts';
import type { Delivery, DeliveryState, Place } from './notifier.ts';
import { deliveryId, isCall } from './notifier.ts';
import type { Directory, Reached } from './roster.ts';
import type { Planned, Route } from './route.ts';
import { fits, NOBODY, toldBy, toMachines, toTester } from './route.ts';
import type { Silences } from './silences.ts';

/** Where a route that is no longer there said nothing better. */
export const CONFIRM_WITHIN_MS = 60_000;

/** Of a route that does not say how often. */
export const REPEATS_MAX = 5;

/** Where a delivery is watched by no step of a route. */
const UNROUTED: Place = { route: '', step: 0 };

/** What a notification tells. */
type Told = Pick<Delivery, 'transition' | 'alarm' | 'escalation'>;

export interface Ground {
  readonly ledger: Ledger;
  readonly directory: Directory;
  readonly routes: readonly Route[];
  readonly machines: readonly string[];
  readonly silences: Pick<Silences, 'over'>;
  readonly wallMs: () => number;
  readonly isCleared: (occurrence: string) => boolean;
  readonly isReceiver: (receiver: string) => boolean;
  readonly isDigesting: (receiver: string) => boolean;
  /** After how long a level I message may go to it. */
  readonly urgentInMs: (receiver: string) => number;
  /** It is in the ledger. */
  readonly onAdded: (entry: Entry) => void;
  /** Records what has changed about an entry. */
  readonly write: (entry: Entry) => void;
}

export class Plan {
  readonly #ground: Ground;
  readonly #gone: Set<string>;

  constructor(ground: Ground) {
    this.#ground = ground;
    this.#gone = new Set(ground.ledger.gone());
  }

  /** What is new in the ledger for what the alarms queued. */
  first(it: Outgoing): Entry[] {
    const { routes, directory, machines, silences, wallMs } = this.#ground;
    const { alarm, transition, escalation, atMs } = it;
    const addAll = (plans: readonly Planned[]) => this.#addAll(it, plans, atMs);
    if (isPathTest(alarm)) return isCall(transition) ? addAll(toMachines(machines)) : [];
    if (alarm.test) return addAll(toTester(directory, alarm.test.by, wallMs()));
    if (!isCall(transition)) return addAll(this.#told(it));
    const fitting = routes.filter(({ match, chain }) => chain.length > 0 && fits(match, alarm));
    if (fitting.length === 0) return addAll([{ ...UNROUTED, ...nobody('no route') }]);
    const silence = silences.over(alarm);
    const added = fitting.flatMap((route) => {
      const step = Math.min(escalation?.step ?? 0, route.chain.length - 1);
      if (!silence) return this.#tell(it, route, step, atMs);
      const why = `silenced by ${silence.who}: ${silence.reason}`;
      const plans = toldBy(directory, route, step, wallMs());
      return addAll(plans.map((plan) => ({ ...plan, why })));
    });
    const isUntold = !silence && added.every(({ isOpen }) => !isOpen);
    return isUntold && added[0] ? [...added, ...this.nobodyLeft(added[0].delivery, UNTOLD)] : added;
  }

  /** The next of every chain that a delivery has a place in; only a beginning is passed on. */
  next(delivery: Delivery): Entry[] {
    if (!isPassed(delivery)) return [];
    return placesOf(delivery).flatMap(({ route: id, step }) => {
      const route = this.routeOf(id);
      return route ? this.#tell(delivery, route, step + 1, this.#ground.wallMs()) : [];
    });
  }

  /** It shows when nobody is left who could be told. */
  nobodyLeft(delivery: Delivery, why: string): Entry[] {
    if (!isPassed(delivery)) return [];
    const others = this.#ground.ledger.of(delivery.id);
    const isHopeful = ({ isOpen, delivery: { confirmedMs } }: Entry) =>
      isOpen || confirmedMs !== null;
    if (others.some(isHopeful)) return [];
    const nowMs = this.#ground.wallMs();
    return this.#addAll(delivery, [{ ...UNROUTED, ...nobody(why) }], nowMs, 'undelivered');
  }

  routeOf(id: string): Route | undefined {
    return this.#ground.routes.find((route) => route.id === id);
  }

  /** For how long at most somebody is waited for. */
  waitMaxMs({ route: id, step }: Place): number {
    const { chain = [], repeatMs = 0 } = this.routeOf(id) ?? {};
    return Math.max(chain[step]?.waitMs ?? CONFIRM_WITHIN_MS, repeatMs);
  }

  /** How soon the last of a chain is told again; null: no more. */
  everyMs({ alarm: { occurrence }, route: id, step, repeats }: Delivery): number | null {
    const { chain = [], repeatMs } = this.routeOf(id) ?? {};
    const { ledger, isCleared } = this.#ground;
    if (repeatMs !== undefined) {
      return isCleared(occurrence) || ledger.hasEnded(occurrence) ? null : repeatMs;
    }
    return repeats < REPEATS_MAX ? (chain[step]?.waitMs ?? CONFIRM_WITHIN_MS) : null;
  }

  hasNext(delivery: Delivery): boolean {
    return placesOf(delivery).some(({ route, step }) => this.routeOf(route)?.chain[step + 1]);
  }

  /** It asked never to be sent to again. */
  gone(receiver: string, nowMs: number): void {
    this.#gone.add(receiver);
    this.#ground.ledger.addGone(receiver, nowMs);
  }

  // From this step on until somebody is waited for.
  #tell(told: Told, route: Route, from: number, queuedMs: number): Entry[] {
    const { directory, ledger, wallMs } = this.#ground;
    const id = deliveryId(told.alarm, told.transition, told.escalation);
    const added: Entry[] = [];
    for (let step = from; step < route.chain.length; step++) {
      let isAwaited = false;
      for (const plan of toldBy(directory, route, step, wallMs())) {
        const known = ledger.find(id, plan.receiver);
        const entry = known ? this.#join(known, plan) : this.#add(told, plan, queuedMs);
        if (!known) added.push(entry);
        isAwaited = isAwaited || this.#isAwaited(entry, route.chain[step]!.waitMs);
      }
      if (isAwaited) break;
    }
    return added;
  }

  #isAwaited({ delivery, isOpen, confirmByMs }: Entry, waitMs: number): boolean {
    if (delivery.confirmedMs !== null) return true;
    if (!isOpen) return false;
    if (delivery.transition === 'escalated') return true;
    const isLate =
      delivery.alarm.level === 1 &&
      delivery.acceptedMs === null &&
      this.#ground.urgentInMs(delivery.receiver) > waitMs;
    return confirmByMs !== null && !isLate;
  }

  // Told already, and still waited for: it stands for this place, too.
  #join(known: Entry, { route, step }: Planned): Entry {
    const { delivery, confirmByMs } = known;
    const places = placesOf(delivery);
    const isThere = places.some((place) => place.route === route && place.step === step);
    if (confirmByMs === null || isThere) return known;
    const also = [...(delivery.also ?? []), { route, step }];
    const joined: Entry = { ...known, delivery: { ...delivery, also } };
    this.#ground.write(joined);
    return joined;
  }

  // The end of an alarm is told to those who were told of its beginning. Who takes digests and was
  // not yet told of it hears of both at once.
  #told({ alarm }: Outgoing): Planned[] {
    const { ledger, isDigesting, write } = this.#ground;
    const calls = ledger
      .calls(alarm.occurrence)
      .filter(({ delivery: { receiver } }) => this.#ground.isReceiver(receiver));
    for (const entry of calls) {
      const { delivery, isOpen } = entry;
      const isUntried = isOpen && delivery.attempts === 0 && delivery.state === 'queued';
      if (!isUntried || alarm.level === 1 || !isDigesting(delivery.receiver)) continue;
      const merged: Delivery = { ...delivery, state: 'silenced', why: MERGED };
      write({ delivery: merged, isOpen: false, nextMs: null, confirmByMs: null });
    }
    const told = calls
      .filter(({ delivery }) => delivery.state !== 'silenced')
      .map(({ delivery: { receiver, person, route, step } }) => ({
        ...{ receiver, person, route, step, why: null },
      }));
    return [...new Map(told.map((plan) => [plan.receiver, plan])).values()];
  }

  #addAll(
    told: Told,
    plans: readonly Planned[],
    queuedMs: number,
    untold: DeliveryState = 'failed',
  ): Entry[] {
    const id = deliveryId(told.alarm, told.transition, told.escalation);
    return plans
      .filter(({ receiver }) => !this.#ground.ledger.find(id, receiver))
      .map((plan) => this.#add(told, plan, queuedMs, untold));
  }

  #add(
    { transition, alarm, escalation }: Told,
    { receiver, person, route, step, why }: Planned,
    queuedMs: number,
    untold: DeliveryState = 'failed',
  ): Entry {
    const { ledger, isReceiver, wallMs } = this.#ground;
    const isGone = this.#gone.has(receiver);
    const reason = why ?? (isGone ? 'receiver is gone (http 410)' : null);
    const isOpen = reason === null;
    const isReached = isReceiver(receiver) && !(isGone && why === null);
    const nowMs = wallMs();
    const delivery: Omit<Delivery, 'number'> = {
      id: deliveryId(alarm, transition, escalation),
      ...{ receiver, person, route, step, transition, alarm },
      ...(escalation && { escalation }),
      state: isOpen ? 'queued' : isReached ? 'silenced' : untold,
      attempts: 0,
      repeats: 0,
      queuedMs,
      sentMs: null,
      ...{ acceptedMs: null, deliveredMs: null, seenMs: null },
      ...{ confirmedMs: null, confirmedBy: null, actedMs: null },
      undeliveredMs: untold === 'undelivered' ? nowMs : null,
      why: reason,
    };
    const waitMs = this.routeOf(route)?.chain[step]?.waitMs;
    // An escalation is not watched: the case escalates again. Of a test no person is told, ever.
    const isWatched = isOpen && isPassed(delivery) && waitMs !== undefined;
    const confirmByMs = isWatched ? nowMs + waitMs : null;
    const nextMs = isOpen ? nowMs : null;
    const entry = ledger.add({ delivery, isOpen, nextMs, confirmByMs })!;
    this.#ground.onAdded(entry);
    return entry;
  }
}

/** Nobody is left of a chain, and nobody has it. */
export const UNTOLD = 'nobody could be told';
export const UNCONFIRMED = 'nobody has confirmed';
export const MERGED = 'over before it could be told; told with its end';

const nobody = (why: string): Reached => ({ receiver: NOBODY, person: null, why });

/** A beginning that is told on and on until somebody has it. */
function isPassed({ transition, alarm }: Pick<Delivery, 'transition' | 'alarm'>): boolean {
  return isCall(transition) && transition !== 'escalated' && !isPathTest(alarm) && !alarm.test;
}

function placesOf({ route, step, also = [] }: Delivery): readonly Place[] {
  return [{ route, step }, ...also];
}
