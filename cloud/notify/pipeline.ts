// The way of a notification to a person, one line of stages:
//
//   route -> group -> silence -> deduplicate -> record   (`take`, with the queue)
//   send -> confirm -> escalate -> record                (`run`, a few at once a receiver)
//
// Promises. A notification that left the alarms' queue is in the ledger. A try is recorded before
// it is made, so a crash in between repeats it under the same id, and the receiver, which needs
// each id once, pages nobody twice. What is not confirmed within the route's limit is
// `undelivered`: shown, and the next of the route's chain is told; the last of a chain is told
// again, REPEATS_MAX times. A confirmation by anybody, or an acknowledgement at the desk, ends the
// chain. Failed tries are repeated with growing pauses for RETRY_FOR_MS.
//
// One receiver that hangs holds back only its own deliveries. Waiting goes by the monotonic clock;
// the ledger keeps wall times for people and for a restart.
import type { BackoffOptions } from '../../core/backoff.ts';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { foreign } from '../../core/log.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import type { Random } from '../../core/random.ts';
import { isPathTest } from '../alarms/alarm.ts';
import { type Actor, machine } from '../alarms/occurrences.ts';
import type { AlarmTables, Outgoing } from '../alarms/tables.ts';
import { Answers, type Handled } from './answers.ts';
import { dueOf, type Open } from './lanes.ts';
import type { Confirmed, DeliveryFilter, Entry, Ledger, SilenceRow } from './ledger.ts';
import { isStorage, receiverSaid } from './ledger.ts';
import type { Delivery, Notice, Notifier, Outcome } from './notifier.ts';
import { deliveryId, isCall } from './notifier.ts';
import type { Directory } from './roster.ts';
import { plainDirectory } from './roster.ts';
import type { Planned, Route } from './route.ts';
import { checkTargets, firstOf, fits, isTold, toldBy, toMachines, toTester } from './route.ts';

/** A flood of 10,000 alarms is taken in 100 transactions. */
export const TAKE_MAX = 100;
export const CONFIRM_WITHIN_MS = 60_000;
export const RETRY: BackoffOptions = { firstMs: 1_000, maxMs: 3_600_000, jitter: 0.2 };
export const RETRY_FOR_MS = 3 * 24 * 3_600_000;
export const REPEATS_MAX = 5;
/** A test of the path that has not gone by then says what it was made for; the next one comes. */
export const TEST_RETRY_FOR_MS = 60_000;
/** A notifier has its own, shorter limit; this one guards the lane against one that forgot it. */
export const SEND_MAX_MS = 60_000;
const IDLE_MS = 1_000;

export interface PipelineOptions {
  readonly tables: AlarmTables;
  readonly ledger: Ledger;
  readonly receivers: ReadonlyMap<string, Notifier>;
  /** Left out where there are receivers alone. */
  readonly directory?: Directory;
  readonly routes: readonly Route[];
  /** Receivers that confirm by machine: those, and nobody else, get tests of the path. */
  readonly machines?: readonly string[];
  /** Where a receiver answers without an account; null where there is no such address. */
  readonly linkOf?: (delivery: Delivery, nowMs: number) => string | null;
  /** Somebody has an alarm; in the transaction that records it. */
  readonly onHandled?: (handled: Handled) => void;
  /** Each change of a delivery, after it is in the ledger. */
  readonly onChange: (delivery: Delivery) => void;
}

export class Pipeline {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: Random;
  readonly #options: PipelineOptions;
  readonly #directory: Directory;
  readonly answers: Answers;
  readonly #open = new Map<number, Open>();
  readonly #gone: Set<string>;
  readonly #counters: Record<'sent' | 'accepted' | 'confirmed' | 'undelivered' | 'failed', Counter>;
  #following: (() => void)[] | null = null;
  #wake = new AbortController();

  constructor(clock: Clock, log: Log, metrics: Metrics, random: Random, options: PipelineOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#random = random;
    this.#options = options;
    this.answers = this.#openAnswers();
    this.#directory = options.directory ?? plainDirectory(options.receivers.keys());
    checkTargets(options.routes, this.#directory);
    const counter = (state: string) =>
      metrics.counter('notify_deliveries_total', 'Deliveries by what became of them', { state });
    this.#counters = {
      ...{ sent: counter('sent'), accepted: counter('accepted'), failed: counter('failed') },
      ...{ confirmed: counter('confirmed'), undelivered: counter('undelivered') },
    };
    const help = 'Deliveries not done with';
    metrics.observe('notify_deliveries_open', help, {}, () => this.#open.size);
    this.#gone = new Set(options.ledger.gone());
    for (const entry of options.ledger.open()) this.#watch(entry);
  }

  /** Moves what the alarms queued into the ledger; returns how many notifications that were. */
  take(): number {
    const { tables } = this.#options;
    const waiting = tables.outgoing(TAKE_MAX);
    const last = waiting.at(-1);
    if (!last) return 0;
    const added = this.#transact(() => {
      const entries = waiting.flatMap((it) =>
        this.#silence(it, this.#route(it)).flatMap((plan) => this.#add(it, plan, it.atMs)),
      );
      tables.dropOutgoing(last.seq);
      return entries;
    });
    this.#admit(added);
    return waiting.length;
  }

  /** There may be something to take: called after the alarms' transaction. */
  wake(): void {
    this.#wake.abort();
  }

  /** Works until `signal` is aborted, then waits for the sends under way. */
  async run(signal: AbortSignal): Promise<void> {
    const sends = new Set<Promise<void>>();
    while (!signal.aborted) {
      this.#wake = new AbortController();
      for (const send of this.round(signal)) {
        const ended = send.finally(() => {
          sends.delete(ended);
          this.wake();
        });
        sends.add(ended);
      }
      await this.#clock.sleep(this.#pauseMs(), AbortSignal.any([signal, this.#wake.signal]));
    }
    await Promise.all(sends);
  }

  /** Takes what is queued, escalates, begins what is to be sent; each send ends for itself. */
  round(signal: AbortSignal): readonly Promise<void>[] {
    try {
      while (this.take() > 0);
      this.tick();
    } catch (error) {
      this.#stumble({ number: 0, receiver: '' }, error);
    }
    return this.due().map((delivery) =>
      this.attempt(delivery, signal).catch((error: unknown) => this.#stumble(delivery, error)),
    );
  }

  /** What is to be sent now, level 1 first; at most SENDS_PER_RECEIVER_MAX under way a receiver. */
  due(): Delivery[] {
    return dueOf([...this.#open.values()], this.#clock.monoMs());
  }

  /** One try: recorded, made, and recorded again with what came of it. */
  async attempt({ number }: Delivery, signal: AbortSignal): Promise<void> {
    const open = this.#open.get(number);
    if (!open || open.isSending) return;
    const { delivery } = open.entry;
    const notifier = this.#options.receivers.get(delivery.receiver);
    if (!notifier) {
      this.#fail(open, 'receiver is no longer configured');
      return;
    }
    const sentMs = this.#clock.wallMs();
    const state = delivery.state === 'queued' ? 'sent' : delivery.state;
    const attempts = delivery.attempts + 1;
    this.#set(open, { ...delivery, state, attempts, sentMs: delivery.sentMs ?? sentMs }, sentMs);
    open.isSending = true;
    this.#counters.sent.add();
    const guard = new AbortController();
    const cancel = this.#clock.after(SEND_MAX_MS, () => guard.abort());
    let outcome: Outcome;
    try {
      const link = this.#options.linkOf?.(open.entry.delivery, sentMs) ?? null;
      const notice: Notice = { deliveries: [open.entry.delivery], links: [link] };
      outcome = await notifier.send(notice, AbortSignal.any([signal, guard.signal]));
    } catch (error) {
      // A notifier's mistake must not end the path of all alarms: it is told, and tried again.
      const why = error instanceof Error ? error.message : String(error);
      this.#log.error('notifier_broken', { receiver: delivery.receiver, why: foreign(why) });
      outcome = { kind: 'retry', why: 'notifier broken', afterMs: null };
    } finally {
      cancel();
      open.isSending = false;
    }
    this.#settle(open, outcome);
  }

  /** Escalates what was not confirmed in time. */
  tick(): void {
    const nowMs = this.#clock.monoMs();
    for (const open of this.#open.values()) {
      const { confirmByMonoMs } = open;
      if (confirmByMonoMs !== null && confirmByMonoMs <= nowMs) this.#escalate(open);
    }
  }

  /** The receiving side's own word, posted later. `unknown`: nothing of this id was sent. */
  confirm(id: string, by: string, atMs: number, actor: Actor = machine): Confirmed {
    return this.answers.confirm(id, by, atMs, actor);
  }

  /** Somebody has it (acknowledged at the desk): nobody further is told that it was raised. */
  handled(occurrence: string, by: string): void {
    this.answers.handled(occurrence, by, this.#clock.wallMs());
  }

  silence(silence: SilenceRow): void {
    this.#options.ledger.addSilence(silence);
  }

  deliveries(filter: DeliveryFilter = {}): Delivery[] {
    return this.#options.ledger.list(filter);
  }

  // Who is told. The end of an alarm is told to those who were told of its beginning.
  #route({ transition, alarm, escalation }: Outgoing): Planned[] {
    const { ledger, routes } = this.#options;
    const atMs = this.#clock.wallMs();
    if (isPathTest(alarm)) return isCall(transition) ? toMachines(this.#options.machines) : [];
    if (alarm.test) return toTester(this.#directory, alarm.test.by, atMs);
    // An overdue step is told to the next in line, whoever has confirmed before.
    const down = escalation?.step ?? 0;
    if (isCall(transition)) return firstOf(routes, this.#directory, alarm, { down, atMs });
    const told = ledger
      .calls(alarm.occurrence)
      .filter(({ delivery: { receiver, state } }) => isTold(receiver) && state !== 'silenced')
      .map(({ delivery: { receiver, person, route, step } }) => ({
        ...{ receiver, person, route, step, why: null },
      }));
    return [...new Map(told.map((plan) => [plan.receiver, plan])).values()];
  }

  #silence({ alarm, transition }: Outgoing, planned: readonly Planned[]): readonly Planned[] {
    if (!isCall(transition) || isPathTest(alarm)) return planned;
    const silences = this.#options.ledger.silences(this.#clock.wallMs());
    const silence = silences.find(({ match }) => fits(match, alarm));
    if (!silence) return planned;
    const why = `silenced by ${silence.who}: ${silence.reason}`;
    return planned.map((plan) => ({ ...plan, why }));
  }

  // Part of the caller's transaction, who admits the entries after it. A receiver that is gone
  // fails at once, and the next in the chain is told instead.
  #add(
    { transition, alarm, escalation }: Pick<Delivery, 'transition' | 'alarm' | 'escalation'>,
    { receiver, person, route, step, why }: Planned,
    queuedMs: number,
  ): Entry[] {
    const isGone = this.#gone.has(receiver);
    const reason = why ?? (isGone ? 'receiver is gone (http 410)' : null);
    const isOpen = reason === null;
    const isUntold = !this.#options.receivers.has(receiver);
    const closed = isUntold || isGone ? 'failed' : 'silenced';
    const delivery: Omit<Delivery, 'number'> = {
      id: deliveryId(alarm, transition, escalation),
      ...{ receiver, person, route, step, transition, alarm },
      ...(escalation && { escalation }),
      state: isOpen ? 'queued' : closed,
      attempts: 0,
      repeats: 0,
      queuedMs,
      sentMs: null,
      ...{ acceptedMs: null, deliveredMs: null, seenMs: null },
      ...{ confirmedMs: null, confirmedBy: null, actedMs: null },
      undeliveredMs: null,
      why: reason,
    };
    const nowMs = this.#clock.wallMs();
    // An escalation is not: the case escalates again. Of a test no person is told, ever.
    const isWatched = isOpen && isCall(transition) && !escalation && !isPathTest(alarm);
    const confirmByMs = isWatched ? nowMs + this.#waitMs({ route, step }) : null;
    const nextMs = isOpen ? nowMs : null;
    const entry = this.#options.ledger.add({ delivery, isOpen, nextMs, confirmByMs });
    if (!entry) return [];
    return isUntold || (isGone && why === null)
      ? [entry, ...this.#passOn(entry.delivery)]
      : [entry];
  }

  // The next of the chain, if there is one; only a beginning is passed on.
  #passOn(delivery: Delivery): Entry[] {
    const { route, step, transition } = delivery;
    const known = this.#routeOf(route);
    if (!known?.chain[step + 1] || !isCall(transition)) return [];
    const atMs = this.#clock.wallMs();
    return toldBy(this.#directory, known, step + 1, atMs).flatMap((plan) =>
      this.#add(delivery, plan, atMs),
    );
  }

  #openAnswers(): Answers {
    const { ledger, tables, onHandled = () => {} } = this.#options;
    return new Answers({
      ...{ ledger, journal: tables.journal, onHandled },
      transact: (work) => this.#transact(work),
      write: (entry) => this.#write(entry, this.#open.get(entry.delivery.number)),
      passOn: (delivery) => {
        const told = this.#passOn(delivery);
        this.#following?.push(() => this.#admit(told));
        return told.length;
      },
      onConfirmed: () => this.#counters.confirmed.add(),
    });
  }

  #routeOf(route: string): Route | undefined {
    return this.#options.routes.find(({ id }) => id === route);
  }

  #waitMs({ route, step }: Pick<Delivery, 'route' | 'step'>): number {
    return this.#routeOf(route)?.chain[step]?.waitMs ?? CONFIRM_WITHIN_MS;
  }

  #admit(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#watch(entry);
      this.#options.onChange(entry.delivery);
    }
  }

  #settle(open: Open, outcome: Outcome): void {
    const { delivery, isOpen } = open.entry;
    // Somebody has had it since this try began: that it arrived is all that is news.
    if (!isOpen && outcome.kind !== 'sent') {
      this.#open.delete(delivery.number);
      return;
    }
    const nowMs = this.#clock.wallMs();
    switch (outcome.kind) {
      case 'sent': {
        const acceptedMs = delivery.acceptedMs ?? nowMs;
        if (delivery.acceptedMs === null) this.#counters.accepted.add();
        const why = isOpen ? null : delivery.why;
        const accepted: Delivery = { ...delivery, acceptedMs, why };
        const confirmedBy = delivery.confirmedMs === null ? outcome.confirmedBy : null;
        if (confirmedBy !== null) {
          this.#transact(() => {
            if (!isPathTest(delivery.alarm))
              this.#options.tables.journal.write(receiverSaid(delivery, confirmedBy, nowMs));
            this.answers.said(accepted, confirmedBy, nowMs);
          });
          return;
        }
        const state = delivery.state === 'sent' ? 'accepted' : delivery.state;
        if (!isCall(delivery.transition)) this.#close({ ...accepted, state });
        else this.#set(open, { ...accepted, state }, null);
        return;
      }
      case 'retry': {
        const waitMs = outcome.afterMs ?? backoffMs(this.#random, delivery.attempts, RETRY);
        const forMs = isPathTest(delivery.alarm) ? TEST_RETRY_FOR_MS : RETRY_FOR_MS;
        if (nowMs + waitMs - delivery.queuedMs > forMs) this.#fail(open, outcome.why);
        else this.#set(open, { ...delivery, why: outcome.why }, nowMs + waitMs);
        return;
      }
      case 'give-up':
        if (outcome.isReceiverGone) {
          this.#gone.add(delivery.receiver);
          this.#options.ledger.addGone(delivery.receiver, nowMs);
          this.#log.error('notify_receiver_gone', { receiver: delivery.receiver });
        }
        this.#fail(open, outcome.why);
    }
  }

  // Nobody has said that it was seen: it shows, and the next is told; the last is told again.
  #escalate(open: Open): void {
    const { delivery } = open.entry;
    const next = this.#routeOf(delivery.route)?.chain[delivery.step + 1];
    if (delivery.undeliveredMs === null) {
      this.#counters.undelivered.add();
      const { id, receiver } = delivery;
      this.#log.warn('notify_undelivered', {
        id,
        receiver,
        next: next?.targets.join(' ') ?? 'again',
      });
    }
    const nowMs = this.#clock.wallMs();
    const isRepeated = next === undefined && delivery.repeats < REPEATS_MAX;
    const undelivered: Delivery = {
      ...delivery,
      state: 'undelivered',
      undeliveredMs: delivery.undeliveredMs ?? nowMs,
      repeats: delivery.repeats + (isRepeated ? 1 : 0),
    };
    const nextMs = open.entry.nextMs ?? (isRepeated ? nowMs : null);
    const confirmByMs = isRepeated ? nowMs + this.#waitMs(delivery) : null;
    const told = this.#transact(() => {
      this.#set(open, undelivered, nextMs, confirmByMs);
      return this.#passOn(delivery);
    });
    this.#admit(told);
  }

  #fail(open: Open, why: string): void {
    const { delivery, confirmByMs } = open.entry;
    const { id, receiver } = delivery;
    this.#counters.failed.add();
    this.#log.warn('notify_failed', { id, receiver, why: foreign(why) });
    const told = this.#transact(() => {
      this.#close({ ...delivery, state: 'failed', why });
      // Somebody else is told at once: no confirmation can come of this one.
      return confirmByMs === null ? [] : this.#passOn(delivery);
    });
    this.#admit(told);
  }

  // A database that cannot be written (a full disk) is met again; anything else is a mistake.
  #stumble({ number, receiver }: Pick<Delivery, 'number' | 'receiver'>, error: unknown): void {
    if (!isStorage(error)) throw error;
    this.#log.error('notify_ledger_failed', { receiver, why: foreign(error.message) });
    const open = this.#open.get(number);
    if (open) open.nextMonoMs = this.#clock.monoMs() + RETRY.firstMs;
  }

  #set(
    open: Open,
    delivery: Delivery,
    nextMs: number | null,
    confirmByMs: number | null = open.entry.confirmByMs,
  ): void {
    const isOpen = nextMs !== null || confirmByMs !== null;
    this.#write({ delivery, isOpen, nextMs, confirmByMs }, open);
  }

  #close(delivery: Delivery): void {
    this.#write({ delivery, isOpen: false, nextMs: null, confirmByMs: null });
  }

  // Memory follows the disk: what is part of a transaction waits until that is through.
  #write(entry: Entry, open?: Open): void {
    this.#options.ledger.update(entry);
    const follow = () => {
      if (entry.isOpen) this.#watch(entry, open);
      else if (!open?.isSending) this.#open.delete(entry.delivery.number);
      else Object.assign(open, { entry, nextMonoMs: null, confirmByMonoMs: null });
      this.#options.onChange(entry.delivery);
    };
    if (this.#following) this.#following.push(follow);
    else follow();
  }

  #transact<Result>(work: () => Result): Result {
    const following: (() => void)[] = [];
    this.#following = following;
    let result: Result;
    try {
      result = this.#options.tables.transact(work);
    } finally {
      this.#following = null;
    }
    for (const follow of following) follow();
    return result;
  }

  #watch(entry: Entry, known?: Open): void {
    if (!entry.isOpen) return;
    const monoMs = this.#clock.monoMs();
    const wallMs = this.#clock.wallMs();
    // A wall clock that stepped while we were away must not postpone anything beyond its own limit.
    const toMono = (ms: number | null, maxMs: number) =>
      ms === null ? null : monoMs + Math.min(maxMs, Math.max(0, ms - wallMs));
    const nextMonoMs = toMono(entry.nextMs, RETRY.maxMs);
    const confirmByMonoMs =
      known && known.entry.confirmByMs === entry.confirmByMs
        ? known.confirmByMonoMs
        : toMono(entry.confirmByMs, this.#waitMs(entry.delivery));
    const open = known ?? { entry, nextMonoMs, confirmByMonoMs, isSending: false };
    Object.assign(open, { entry, nextMonoMs, confirmByMonoMs });
    this.#open.set(entry.delivery.number, open);
  }

  #pauseMs(): number {
    const nowMs = this.#clock.monoMs();
    let pauseMs = IDLE_MS;
    for (const { nextMonoMs, confirmByMonoMs, isSending } of this.#open.values()) {
      if (nextMonoMs !== null && !isSending) pauseMs = Math.min(pauseMs, nextMonoMs - nowMs);
      if (confirmByMonoMs !== null) pauseMs = Math.min(pauseMs, confirmByMonoMs - nowMs);
    }
    return Math.max(10, pauseMs);
  }
}
