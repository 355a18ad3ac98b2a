// The way of a notification to a person, one line of stages:
//
//   route -> group -> silence -> deduplicate -> record   (`take`: who is told, plan.ts)
//   send -> confirm -> escalate -> record                (`begin`: what goes now, lanes.ts;
//                                                         what came of it and what was said: here
//                                                         and in answers.ts)
//
// Promises. A notification that left the alarms' queue is in the ledger. A try is recorded before
// it is made, with what it takes of a quota, so a crash in between repeats it under the same id,
// and the receiver, which needs each id once, pages nobody twice. What is not confirmed within the
// wait of its step is `undelivered`: shown, and the next of the chain is told; the last is told
// again, REPEATS_MAX times or, where the route says so, until somebody has it or the alarm is over.
// When nobody is left, that stands in the ledger under NOBODY. A confirmation by anybody, or an
// acknowledgement at the desk, ends the chain. Failed tries are repeated with growing pauses for
// RETRY_FOR_MS.
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
import type { AlarmTables } from '../alarms/tables.ts';
import { Answers, type Handled } from './answers.ts';
import type { Quota } from './channels/channel.ts';
import type { Batch } from './lanes.ts';
import { Lanes } from './lanes.ts';
import type { Confirmed, DeliveryFilter, Entry, Ledger } from './ledger.ts';
import { isStorage, receiverSaid } from './ledger.ts';
import type { Delivery, Notice, Notifier, Outcome, Receipt } from './notifier.ts';
import { isCall } from './notifier.ts';
import { Pending, RETRY_PAUSE_MAX_MS } from './pending.ts';
import { Plan, UNCONFIRMED, UNTOLD } from './plan.ts';
import { keptMs } from './quota.ts';
import { QuotaLog } from './quota-log.ts';
import type { Directory } from './roster.ts';
import { plainDirectory } from './roster.ts';
import { checkTargets, NOBODY, type Route } from './route.ts';
import { Silences } from './silences.ts';

/** A flood of 10,000 alarms is taken in 100 transactions. */
export const TAKE_MAX = 100;
/** In one transaction; what else is overdue follows in the next round. */
export const ESCALATE_MAX = 100;
export const RETRY: BackoffOptions = { firstMs: 1_000, maxMs: RETRY_PAUSE_MAX_MS, jitter: 0.2 };
export const RETRY_FOR_MS = 3 * 24 * 3_600_000;
/** A test of the path that has not gone by then says what it was made for; the next one comes. */
export const TEST_RETRY_FOR_MS = 60_000;
/** A notifier has its own, shorter limit; this one guards the lane against one that forgot it. */
export const SEND_MAX_MS = 60_000;
const IDLE_MS = 1_000;
const PAUSE_MIN_MS = 10;
/** A receiver that takes nothing for longer is asked again. */
const PAUSE_MAX_MS = 86_400_000;
/** For so long a test of the path is in the ledger. */
const TESTS_KEPT_MS = 86_400_000;
const SWEEP_EVERY_MS = 3_600_000;

export interface PipelineOptions {
  readonly tables: AlarmTables;
  readonly ledger: Ledger;
  readonly receivers: ReadonlyMap<string, Notifier>;
  /** Left out where there are receivers alone. */
  readonly directory?: Directory;
  readonly routes: readonly Route[];
  /** By receiver: what its provider takes; without limits where it is left out. */
  readonly quotas?: ReadonlyMap<string, readonly Quota[]>;
  /** Receivers that confirm by machine: those, and nobody else, get tests of the path. */
  readonly machines?: readonly string[];
  /** Where a receiver answers without an account; null where there is no such address. */
  readonly linkOf?: (delivery: Delivery, nowMs: number) => string | null;
  /** Somebody has an alarm; in the transaction that records it. */
  readonly onHandled?: (handled: Handled) => void;
  /** Each change of a delivery, after it is in the ledger. */
  readonly onChange: (delivery: Delivery) => void;
}

const counted = ['sent', 'accepted', 'confirmed', 'undelivered', 'failed', 'nobody'] as const;

export class Pipeline {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: Random;
  readonly #options: PipelineOptions;
  readonly answers: Answers;
  readonly silences: Silences;
  readonly #plan: Plan;
  readonly #lanes: Lanes;
  readonly #quotaLog: QuotaLog;
  readonly #pending: Pending;
  readonly #counters: ReadonlyMap<(typeof counted)[number], Counter>;
  /** The ledger could not be written: asked again then. */
  #stumbledMs = 0;
  #sweepMs = 0;
  #wake = new AbortController();

  constructor(clock: Clock, log: Log, metrics: Metrics, random: Random, options: PipelineOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#quotaLog = new QuotaLog(log);
    this.#random = random;
    this.#options = options;
    const { receivers, routes, ledger, quotas } = options;
    const directory = options.directory ?? plainDirectory(receivers.keys());
    checkTargets(routes, directory);
    const settings = [...receivers].map(([id, { digestMax = 1 }]) => {
      return [id, { digestMax, quotas: quotas?.get(id) ?? [] }] as const;
    });
    this.#lanes = new Lanes(new Map(settings));
    this.silences = new Silences({
      ...{ ledger, journal: options.tables.journal, wallMs: () => clock.wallMs() },
      transact: (work) => this.#pending.transact(work),
    });
    this.#plan = this.#openPlan(directory);
    this.#pending = new Pending(clock, {
      ...{ lanes: this.#lanes, ledger, tables: options.tables, onChange: options.onChange },
      waitMaxMs: (delivery) => this.#plan.waitMaxMs(delivery),
    });
    this.answers = this.#openAnswers();
    const help = 'Deliveries by what became of them';
    const counter = (state: string) => metrics.counter('notify_deliveries_total', help, { state });
    this.#counters = new Map(counted.map((state) => [state, counter(state)]));
    const open = 'Deliveries not done with';
    metrics.observe('notify_deliveries_open', open, {}, () => this.#pending.size);
    this.#restore(ledger);
  }

  /** Moves what the alarms queued into the ledger; returns how many notifications that were. */
  take(): number {
    const { tables } = this.#options;
    const waiting = tables.outgoing(TAKE_MAX);
    const last = waiting.at(-1);
    if (!last) return 0;
    this.#pending.transact(() => {
      for (const it of waiting) this.#plan.first(it);
      tables.dropOutgoing(last.seq);
    });
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
      this.silences.tick();
      this.#sweep();
      while (this.take() > 0);
      this.tick();
    } catch (error) {
      this.#stumble(error);
    }
    const begun = this.begin();
    const nowMs = this.#clock.monoMs();
    this.#quotaLog.tell(this.#lanes.blocked(nowMs), nowMs);
    return begun.map((batch) => this.send(batch, signal));
  }

  /** Picks what goes now, and records the tries and what they take of quotas. */
  begin(): Batch[] {
    const picked = this.#lanes.next(this.#clock.monoMs());
    if (picked.length === 0) return [];
    try {
      return this.#pending.transact(() => picked.filter((batch) => this.#try(batch)));
    } catch (error) {
      this.#stumble(error);
      for (const batch of picked) this.#again(batch);
      return [];
    }
  }

  /** Makes a try that was recorded, and records what came of it. */
  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const [{ entry }] = batch;
    const { receiver } = entry.delivery;
    const guard = new AbortController();
    const cancel = this.#clock.after(SEND_MAX_MS, () => guard.abort());
    let outcome: Outcome;
    try {
      const notifier = this.#options.receivers.get(receiver)!;
      outcome = await notifier.send(this.#noticeOf(batch), AbortSignal.any([signal, guard.signal]));
    } catch (error) {
      // A notifier's mistake must not end the path of all alarms: it is told, and tried again.
      const why = error instanceof Error ? error.message : String(error);
      this.#log.error('notifier_broken', { receiver, why: foreign(why) });
      outcome = { kind: 'retry', why: 'notifier broken', afterMs: null };
    } finally {
      cancel();
    }
    this.#lanes.ended(batch, this.#clock.monoMs());
    try {
      this.#settle(batch, outcome);
    } catch (error) {
      this.#stumble(error);
      this.#again(batch);
    }
  }

  /** Escalates what was not confirmed in time, ESCALATE_MAX at once. */
  tick(): void {
    const nowMs = this.#clock.monoMs();
    const due = this.#pending.overdue(nowMs, ESCALATE_MAX);
    if (due.length === 0) return;
    try {
      this.#pending.transact(() => {
        for (const { entry } of due) this.#escalate(entry.delivery.number);
      });
    } catch (error) {
      this.#pending.stillOverdue(due);
      throw error;
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

  /** What a provider says of a message later. `unknown`: there is none that it calls so. */
  receipt(receiver: string, receipt: Receipt): 'known' | 'unknown' {
    return this.answers.receipt(receiver, receipt, this.#clock.wallMs());
  }

  deliveries(filter: DeliveryFilter = {}): Delivery[] {
    return this.#options.ledger.list(filter);
  }

  #openPlan(directory: Directory): Plan {
    const { tables, ledger, routes, receivers, machines = [] } = this.#options;
    return new Plan({
      ...{ ledger, directory, routes, machines, silences: this.silences },
      wallMs: () => this.#clock.wallMs(),
      isCleared: (occurrence) => (tables.get(occurrence)?.clearedMs ?? null) !== null,
      isReceiver: (receiver) => receivers.has(receiver),
      isDigesting: (receiver) => this.#lanes.isDigesting(receiver),
      urgentInMs: (receiver) => this.#lanes.urgentInMs(receiver, this.#clock.monoMs()),
      onAdded: (entry) => this.#added(entry),
      write: (entry) => this.#pending.write(entry),
    });
  }

  #openAnswers(): Answers {
    const { ledger, tables, onHandled = () => {} } = this.#options;
    return new Answers({
      ...{ ledger, journal: tables.journal, onHandled },
      transact: (work) => this.#pending.transact(work),
      write: (entry) => this.#pending.write(entry),
      passOn: (delivery) => this.#plan.next(delivery).length,
      fail: (entry, why) => this.#fail(entry, why),
      onConfirmed: () => this.#count('confirmed'),
    });
  }

  // What went, and who takes nothing for a while, is known again after a restart.
  #restore(ledger: Ledger): void {
    const [wallMs, monoMs] = [this.#clock.wallMs(), this.#clock.monoMs()];
    for (const receiver of this.#options.receivers.keys()) {
      if (!this.#lanes.hasQuota(receiver)) continue;
      const used = ledger.uses(receiver).map((atMs) => monoMs - Math.max(0, wallMs - atMs));
      this.#lanes.used(receiver, used);
    }
    for (const [receiver, untilMs] of ledger.pauses()) {
      const restMs = Math.min(PAUSE_MAX_MS, untilMs - wallMs);
      if (restMs > 0) this.#lanes.pause(receiver, monoMs + restMs);
    }
    for (const entry of ledger.open()) this.#pending.watch(entry);
  }

  // Within a transaction. False: there is no such receiver any more.
  #try(batch: Batch): boolean {
    const { receivers, ledger, quotas } = this.#options;
    const nowMs = this.#clock.wallMs();
    const { receiver } = batch[0].entry.delivery;
    if (!receivers.has(receiver)) {
      this.#pending.follow(() => this.#lanes.ended(batch, this.#clock.monoMs()));
      for (const { entry } of batch) this.#fail(entry, 'receiver is no longer configured');
      return false;
    }
    if (this.#lanes.hasQuota(receiver)) {
      ledger.addUse(receiver, nowMs, nowMs - keptMs(quotas?.get(receiver) ?? []));
    }
    for (const { entry } of batch) {
      const { delivery } = entry;
      const state = delivery.state === 'queued' ? 'sent' : delivery.state;
      const sentMs = delivery.sentMs ?? nowMs;
      const tried = { ...delivery, state, attempts: delivery.attempts + 1, sentMs };
      this.#pending.set(entry, tried, nowMs);
      this.#count('sent');
    }
    return true;
  }

  #noticeOf(batch: Batch): Notice {
    const nowMs = this.#clock.wallMs();
    const [{ entry: first }, ...rest] = batch;
    const deliveries: Notice['deliveries'] = [
      first.delivery,
      ...rest.map(({ entry }) => entry.delivery),
    ];
    const linkOf = (each: Delivery) => this.#options.linkOf?.(each, nowMs) ?? null;
    // Only a message of one says it.
    const told = rest.length > 0 ? [] : [this.#options.ledger.toldBefore(first.delivery)];
    return { deliveries, links: deliveries.map(linkOf), told };
  }

  #settle(batch: Batch, outcome: Outcome): void {
    const { receiver } = batch[0].entry.delivery;
    const { ledger } = this.#options;
    this.#pending.transact(() => {
      const nowMs = this.#clock.wallMs();
      if (outcome.kind === 'give-up' && outcome.isReceiverGone) {
        this.#plan.gone(receiver, nowMs);
        this.#log.error('notify_receiver_gone', { receiver });
      }
      if (outcome.kind === 'retry' && outcome.isReceiverBusy && outcome.afterMs !== null) {
        ledger.pause(receiver, nowMs + outcome.afterMs);
        this.#lanes.pause(receiver, this.#clock.monoMs() + outcome.afterMs);
      }
      for (const { entry } of batch) {
        const { number } = entry.delivery;
        // What became of one of several may have changed another.
        const now = batch.length === 1 ? this.#pending.get(number)?.entry : ledger.entry(number);
        if (now) this.#settleOne(now, outcome, nowMs);
      }
    });
  }

  #settleOne(entry: Entry, outcome: Outcome, nowMs: number): void {
    const { delivery, isOpen } = entry;
    // Somebody has had it since this try began: that it arrived is all that is news.
    if (!isOpen && outcome.kind !== 'sent') {
      this.#pending.forget(delivery.number);
      return;
    }
    switch (outcome.kind) {
      case 'sent': {
        const { reference } = outcome;
        const confirmedBy = delivery.confirmedMs === null ? outcome.confirmedBy : null;
        if (delivery.acceptedMs === null) this.#count('accepted');
        const accepted: Delivery = {
          ...delivery,
          acceptedMs: delivery.acceptedMs ?? nowMs,
          ...(reference !== undefined && { reference }),
          state: delivery.state === 'sent' ? 'accepted' : delivery.state,
          why: isOpen ? (outcome.note ?? null) : delivery.why,
        };
        if (confirmedBy !== null) this.#said(accepted, confirmedBy, nowMs);
        else if (isOpen && isCall(delivery.transition)) this.#pending.set(entry, accepted, null);
        else this.#pending.close(accepted);
        return;
      }
      case 'retry': {
        const waitMs = outcome.afterMs ?? backoffMs(this.#random, delivery.attempts, RETRY);
        const forMs = isPathTest(delivery.alarm) ? TEST_RETRY_FOR_MS : RETRY_FOR_MS;
        // What was accepted once is told again until somebody has it, however long that takes.
        const isLate = nowMs + waitMs - delivery.queuedMs > forMs && delivery.acceptedMs === null;
        if (isLate) this.#fail(entry, outcome.why);
        else this.#pending.set(entry, { ...delivery, why: outcome.why }, nowMs + waitMs);
        return;
      }
      case 'give-up':
        this.#fail(entry, outcome.why);
    }
  }

  #said(delivery: Delivery, by: string, atMs: number): void {
    if (!isPathTest(delivery.alarm)) {
      this.#options.tables.journal.write(receiverSaid(delivery, by, atMs));
    }
    this.answers.said(delivery, by, atMs);
  }

  // Nobody has said that it was seen: it shows, and the next is told; the last is told again.
  #escalate(number: number): void {
    const { ledger } = this.#options;
    const entry = ledger.entry(number);
    if (!entry?.isOpen || entry.confirmByMs === null) return;
    const { delivery } = entry;
    const { id, receiver, repeats } = delivery;
    const nowMs = this.#clock.wallMs();
    if (delivery.undeliveredMs === null) {
      this.#count('undelivered');
      this.#log.warn('notify_undelivered', { id, receiver });
    }
    const undelivered = { state: 'undelivered', undeliveredMs: delivery.undeliveredMs ?? nowMs };
    const shown = { ...delivery, ...undelivered } as Delivery;
    this.#pending.set(entry, shown, entry.nextMs, null);
    this.#plan.next(delivery);
    const isOther = (other: Entry) =>
      other.delivery.number !== number && other.confirmByMs !== null;
    const isLast = !this.#plan.hasNext(delivery) || !ledger.of(id).some(isOther);
    if (!isLast) return;
    const everyMs = this.#plan.everyMs(delivery);
    if (everyMs === null) {
      this.#plan.nobodyLeft(delivery, UNCONFIRMED);
      return;
    }
    const again = { ...shown, repeats: repeats + 1 };
    this.#pending.set(entry, again, entry.nextMs ?? nowMs, nowMs + everyMs);
  }

  #fail(entry: Entry, why: string): void {
    const { delivery, confirmByMs, isOpen } = entry;
    const { id, receiver } = delivery;
    this.#count('failed');
    this.#log.warn('notify_failed', { id, receiver, why: foreign(why) });
    this.#pending.close({ ...delivery, state: 'failed', why });
    // Somebody has it, or the next was told before: a provider says late that it did not arrive.
    if (!isOpen) return;
    // Somebody else is told at once: no confirmation can come of this one.
    if (confirmByMs !== null) this.#plan.next(delivery);
    this.#plan.nobodyLeft(delivery, UNTOLD);
  }

  // A database that cannot be written (a full disk) is met again; anything else is a mistake.
  #stumble(error: unknown): void {
    if (!isStorage(error)) throw error;
    this.#log.error('notify_ledger_failed', { why: foreign(error.message) });
    this.#stumbledMs = this.#clock.monoMs() + RETRY.firstMs;
  }

  // Not recorded: it is tried anew.
  #again(batch: Batch): void {
    const nowMs = this.#clock.monoMs();
    if (batch[0].isSending) this.#lanes.notBegun(batch, nowMs);
    for (const open of batch) {
      if (!open.entry.isOpen) this.#pending.forget(open.entry.delivery.number);
      if (!this.#pending.has(open.entry.delivery.number)) continue;
      open.nextMonoMs = nowMs + RETRY.firstMs;
      this.#lanes.put(open);
    }
  }

  #sweep(): void {
    if (this.#clock.monoMs() < this.#sweepMs) return;
    const { ledger, tables } = this.#options;
    this.answers.catchUp(ledger.open(), (occurrence) => tables.get(occurrence));
    ledger.dropPathTests(this.#clock.wallMs() - TESTS_KEPT_MS);
    this.#sweepMs = this.#clock.monoMs() + SWEEP_EVERY_MS;
  }

  #count(state: (typeof counted)[number]): void {
    this.#counters.get(state)!.add();
  }

  #added(entry: Entry): void {
    const { delivery } = entry;
    this.#pending.added(entry);
    if (delivery.receiver === NOBODY) {
      this.#count('nobody');
      this.#log.error('notify_nobody', { id: delivery.id, why: foreign(delivery.why ?? '') });
    }
  }

  #pauseMs(): number {
    const nowMs = this.#clock.monoMs();
    const dueMs = Math.min(this.#lanes.nextMs(), this.#pending.deadlineMs) - nowMs;
    return Math.max(PAUSE_MIN_MS, this.#stumbledMs - nowMs, Math.min(IDLE_MS, dueMs));
  }
}
