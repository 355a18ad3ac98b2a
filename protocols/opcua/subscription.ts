// One subscription and the publish requests that keep it fed (Part 4, 5.14).
//
// What it promises
// - Messages are handed on once each and in the order of their sequence numbers. One that is
//   missing is asked for again (Republish) before those behind it are handed on; one that the
//   server no longer has is counted as lost.
// - It is watched by what it brings, not by its socket: a server that has neither data nor a
//   keep-alive for longer than it promised is dead, and `onDead` says so once.
// - `provenMonoMs` is when it brought something last: until then nothing else had changed.
// - After a break it may go on in another connection, with the numbers it had.
import type { Clock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import { Fault as FaultError, isFault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Connection } from './connection.ts';
import { statusOfFault } from './connection.ts';
import type { DataValue, Variant } from './library.ts';

/** Publish requests the server holds: one to answer now, others for what comes right behind it. */
const PUBLISH_AHEAD = 3;
/** Of a server that sends what belongs together in several messages. */
const NOTIFICATIONS_MAX = 10_000;
/** A hole larger than this is a break, not a lost packet: 100 messages are 50 s of 500 ms each. */
const REPUBLISH_MAX = 100;
/** A publish request outlives the watch by this, so that it is the watch that ends a silence. */
const PUBLISH_TIMES = 3;
/** After a stop of this process what came meanwhile is read before the silence is judged. */
const LOOK_AGAIN_MS = 50;
/** An error to a publish request that is no end of it is not answered with a storm. */
const RETRY_MS = 250;
/** Nobody waits longer for a sign of life, whatever the server promises. */
const KEEP_ALIVE_MS_MAX = 600_000;
const SEQUENCE_MAX = 0xffff_ffff;

export interface DataItem {
  readonly clientHandle: number;
  readonly value: DataValue;
}

export interface EventItem {
  readonly clientHandle: number;
  readonly eventFields: readonly Variant[] | null;
}

/** When what a message tells was true; one object for all of its values. */
export interface Message {
  /** When it was published, by the clock of this gateway and by that of the server. */
  readonly publishedMonoMs: number;
  readonly publishedMs: number | null;
  /** Nothing in it had changed yet then. */
  readonly floorMonoMs: number;
}

export interface Receiver {
  onData(items: readonly DataItem[], message: Message): void;
  onEvents(items: readonly EventItem[], message: Message): void;
  /** So many messages will never come: what was in them is unknown. */
  onLost(messages: number): void;
  /** Called once; the subscription is of no use any more. */
  onDead(why: Fault): void;
}

/** What is needed to go on with it elsewhere. */
export interface SubscriptionState {
  readonly id: number;
  readonly publishingMs: number;
  readonly keepAliveMs: number;
  /** Of the last message handed on. */
  sequence: number;
  provenMonoMs: number;
  /** Clock of the gateway less that of the server, as the last message had it; null: unknown. */
  offsetMs: number | null;
}

interface NotificationMessage {
  readonly sequenceNumber: number;
  readonly publishTime: Date | null;
  readonly notificationData: readonly (object | null)[] | null;
}

interface PublishAnswer {
  readonly responseHeader: { readonly timestamp: Date | null };
  readonly subscriptionId: number;
  readonly moreNotifications: boolean;
  readonly notificationMessage: NotificationMessage;
}

export class Subscription {
  readonly state: SubscriptionState;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #receiver: Receiver;
  readonly #boundMs: number;
  #ahead = PUBLISH_AHEAD;
  #underWay = 0;
  #acknowledgements: { subscriptionId: number; sequenceNumber: number }[] = [];
  /** Came while an earlier one is asked for again. */
  readonly #waiting: (() => void)[] = [];
  #isRepairing = false;
  #isEnded = false;
  #cancelWatch = () => {};
  /** Before the run of messages that belong together. */
  #floorMonoMs: number;
  readonly #first = Promise.withResolvers<void>();

  constructor(clock: Clock, connection: Connection, receiver: Receiver, state: SubscriptionState) {
    this.#clock = clock;
    this.#connection = connection;
    this.#receiver = receiver;
    this.state = state;
    this.#floorMonoMs = state.provenMonoMs;
    this.#boundMs = state.keepAliveMs + connection.place.timeoutMs;
  }

  /** Rejects with the fault of the service. */
  static async create(
    clock: Clock,
    connection: Connection,
    receiver: Receiver,
  ): Promise<Subscription> {
    const { place, library } = connection;
    const { publishingMs, keepAliveMs, sessionTimeoutMs, timeoutMs } = place;
    const keepAlives = Math.max(1, Math.round(keepAliveMs / publishingMs));
    const request = new library.CreateSubscriptionRequest({
      requestedPublishingInterval: publishingMs,
      requestedMaxKeepAliveCount: keepAlives,
      // It may live as long as its session, so that a break loses neither.
      requestedLifetimeCount: Math.max(3 * keepAlives, Math.ceil(sessionTimeoutMs / publishingMs)),
      maxNotificationsPerPublish: NOTIFICATIONS_MAX,
      publishingEnabled: true,
      priority: 0,
    });
    const made = await connection.request<{
      readonly subscriptionId: number;
      readonly revisedPublishingInterval: number;
      readonly revisedMaxKeepAliveCount: number;
    }>(request, timeoutMs);
    const state: SubscriptionState = {
      id: made.subscriptionId,
      publishingMs: made.revisedPublishingInterval,
      keepAliveMs: promised(made.revisedPublishingInterval * made.revisedMaxKeepAliveCount, place),
      sequence: 0,
      provenMonoMs: clock.monoMs(),
      offsetMs: null,
    };
    return new Subscription(clock, connection, receiver, state);
  }

  /** In a new session, for a subscription of an old one; false when the server has it no more. */
  static async transfer(connection: Connection, { id }: SubscriptionState): Promise<boolean> {
    const { library, place } = connection;
    const request = new library.TransferSubscriptionsRequest({
      subscriptionIds: [id],
      sendInitialValues: true,
    });
    try {
      const { results } = await connection.request<{
        readonly results?: readonly { readonly statusCode: { isGood(): boolean } }[] | null;
      }>(request, place.timeoutMs);
      return results?.[0]?.statusCode.isGood() ?? false;
    } catch (error) {
      if (isFault(error) && statusOfFault(error) !== null) return false;
      throw error;
    }
  }

  /** Of a session that goes on without it. */
  static async drop(connection: Connection, { id }: SubscriptionState): Promise<void> {
    const { library, place } = connection;
    const request = new library.DeleteSubscriptionsRequest({ subscriptionIds: [id] });
    try {
      await connection.request(request, place.timeoutMs);
    } catch (error) {
      if (!isFault(error) || statusOfFault(error) === null) throw error; // It had it no more.
    }
  }

  /** Begins to ask. */
  start(): void {
    this.#watch(this.#clock.monoMs());
    this.#feed();
  }

  /** Resolves when the first message or keep-alive has come, or it has ended. */
  get first(): Promise<void> {
    return this.#first.promise;
  }

  /** Nothing is asked, handed on or watched any more. */
  end(): void {
    this.#isEnded = true;
    this.#cancelWatch();
    this.#waiting.length = 0;
    this.#first.resolve();
  }

  // --- Asking ---

  #feed(): void {
    while (!this.#isEnded && this.#underWay < this.#ahead) {
      this.#underWay++;
      void this.#publish().finally(() => {
        this.#underWay--;
        this.#feed();
      });
    }
  }

  async #publish(): Promise<void> {
    const { library } = this.#connection;
    const acknowledgements = this.#acknowledgements;
    this.#acknowledgements = [];
    const request = new library.PublishRequest({ subscriptionAcknowledgements: acknowledgements });
    try {
      const timeoutMs = PUBLISH_TIMES * this.#boundMs;
      const answer = await this.#connection.request<PublishAnswer>(request, timeoutMs);
      if (!this.#isEnded) this.#take(answer);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (!this.#isEnded) await this.#failed(error);
    }
  }

  async #failed(fault: Fault): Promise<void> {
    const status = statusOfFault(fault);
    if (status === 'BadTooManyPublishRequests' && this.#ahead > 1) {
      this.#ahead--;
      return;
    }
    if (fault.code === 'opcua_session_lost' || this.#connection.ended) {
      this.#die(fault);
      return;
    }
    await this.#clock.sleep(RETRY_MS, new AbortController().signal);
  }

  // --- Taking what came ---

  #take(answer: PublishAnswer): void {
    const { notificationMessage: message, subscriptionId } = answer;
    if (subscriptionId !== this.state.id) return; // Of a subscription that was given up.
    const nowMs = this.#clock.monoMs();
    const published = message.publishTime ?? answer.responseHeader.timestamp;
    const publishedMs = published?.getTime() ?? null;
    this.#watch(nowMs);
    const floorMonoMs = this.#floorMonoMs;
    if (!answer.moreNotifications) this.#floorMonoMs = nowMs;
    const hand = () => {
      if (publishedMs !== null) this.state.offsetMs = nowMs - publishedMs;
      this.#hand(message, { publishedMonoMs: nowMs, publishedMs, floorMonoMs });
      this.state.provenMonoMs = nowMs;
      this.#first.resolve();
    };
    this.#inOrder(message, hand);
  }

  #inOrder(message: NotificationMessage, hand: () => void): void {
    if (this.#isRepairing) {
      this.#waiting.push(() => this.#inOrder(message, hand));
      return;
    }
    const missing = missingBefore(this.state.sequence, message.sequenceNumber);
    if (missing < 0) return; // It has come before.
    if (missing === 0) {
      hand();
      return;
    }
    this.#isRepairing = true;
    this.#waiting.unshift(hand);
    void this.#repair(missing).finally(() => {
      this.#isRepairing = false;
      while (!this.#isEnded && !this.#isRepairing && this.#waiting.length > 0) {
        this.#waiting.shift()!();
      }
    });
  }

  async #repair(missing: number): Promise<void> {
    let lost = Math.max(0, missing - REPUBLISH_MAX);
    if (lost > 0) this.state.sequence = advanced(this.state.sequence, lost);
    for (let left = missing - lost; left > 0 && !this.#isEnded; left--) {
      const sequence = advanced(this.state.sequence, 1);
      const message = await this.#republished(sequence);
      if (this.#isEnded) return;
      if (message) this.#handLate(message);
      else lost++;
      this.state.sequence = sequence;
    }
    if (lost > 0) this.#receiver.onLost(lost);
  }

  async #republished(sequence: number): Promise<NotificationMessage | null> {
    const { library, place } = this.#connection;
    const request = new library.RepublishRequest({
      subscriptionId: this.state.id,
      retransmitSequenceNumber: sequence,
    });
    try {
      const { notificationMessage } = await this.#connection.request<PublishAnswer>(
        request,
        place.timeoutMs,
      );
      return notificationMessage;
    } catch (error) {
      if (!isFault(error)) throw error;
      return null;
    }
  }

  /** Its time is that of the server's clock, as far as that is known. */
  #handLate(message: NotificationMessage): void {
    const { offsetMs, provenMonoMs } = this.state;
    const nowMs = this.#clock.monoMs();
    const publishedMs = message.publishTime?.getTime() ?? null;
    const thenMs = publishedMs !== null && offsetMs !== null ? publishedMs + offsetMs : nowMs;
    const publishedMonoMs = Math.min(nowMs, Math.max(provenMonoMs, thenMs));
    this.#hand(message, { publishedMonoMs, publishedMs, floorMonoMs: provenMonoMs });
    this.state.provenMonoMs = publishedMonoMs;
  }

  #hand({ sequenceNumber, notificationData }: NotificationMessage, message: Message): void {
    // A keep-alive has the number of the message that will come next, and is not acknowledged.
    if (!notificationData || notificationData.length === 0) return;
    this.state.sequence = sequenceNumber;
    this.#acknowledgements.push({ subscriptionId: this.state.id, sequenceNumber });
    for (const notification of notificationData) {
      if (!notification) continue; // Without content, as the standard lets an object be.
      const { monitoredItems, events, status } = notification as {
        readonly monitoredItems?: readonly DataItem[] | null;
        readonly events?: readonly EventItem[] | null;
        readonly status?: { readonly name: string; isGood(): boolean };
      };
      if (monitoredItems) this.#receiver.onData(monitoredItems, message);
      else if (events) this.#receiver.onEvents(events, message);
      else if (status) this.#die(this.#fault(status.name));
    }
  }

  #fault(status: string): Fault {
    const { endpoint } = this.#connection.place;
    const detail = bilingual('opcua-at', { endpoint, status });
    return new FaultError('opcua_session_lost', 'later', detail);
  }

  // --- Watching ---

  #watch(nowMs: number): void {
    this.#cancelWatch();
    if (this.#isEnded) return;
    this.#cancelWatch = this.#clock.after(this.#boundMs, () => {
      this.#cancelWatch = this.#clock.after(LOOK_AGAIN_MS, () => this.#silent(nowMs));
    });
  }

  #silent(sinceMonoMs: number): void {
    const { endpoint } = this.#connection.place;
    const ms = Math.round(this.#clock.monoMs() - sinceMonoMs);
    const detail = bilingual('opcua-silent-ms', { endpoint, ms });
    this.#die(new FaultError('opcua_no_publish', 'later', detail));
  }

  #die(why: Fault): void {
    if (this.#isEnded) return;
    this.end();
    this.#receiver.onDead(why);
  }
}

/**
 * What a server says it keeps to, or, where that is no time at all, what it was asked for: 0 as the
 * count of keep-alives is what some answer who mean that it is theirs to choose.
 */
function promised(ms: number, { keepAliveMs }: Connection['place']): number {
  return ms > 0 ? Math.min(ms, KEEP_ALIVE_MS_MAX) : keepAliveMs;
}

/** How many messages lie between the last one and this one; below 0 for one that is behind. */
export function missingBefore(last: number, sequence: number): number {
  const ahead = (sequence - advanced(last, 1) + SEQUENCE_MAX) % SEQUENCE_MAX;
  return ahead <= SEQUENCE_MAX / 2 ? ahead : ahead - SEQUENCE_MAX;
}

/** Numbers begin at 1, and again behind the largest (Part 4, 7.26). */
export function advanced(sequence: number, by: number): number {
  return ((sequence - 1 + by) % SEQUENCE_MAX) + 1;
}
