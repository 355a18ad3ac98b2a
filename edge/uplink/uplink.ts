// The uplink: carries what session.ts decides between outbox, link and clock. It decides nothing
// itself but when to ask again.
//
// On each connect: status with a higher connection number, birth, and after a long outage state
// records; then whatever the session says. Both retained messages are hints: nothing depends on
// them.
import type { Clock } from '../../core/clock.ts';
import { assert, isFault } from '../../core/fault.ts';
import { foreign, type Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { BrokerLink, BrokerLinkOptions } from '../../protocols/uplink/broker-link.ts';
import { decodeAck, encodeBirth, encodeStatus } from '../../protocols/uplink/control.ts';
import type { Ack, Hash, SealedRecord } from '../../protocols/uplink/record.ts';
import {
  downFilters,
  KEEPALIVE_SECONDS,
  type Kind,
  kinds,
  parseTopic,
  topicOf,
} from '../../protocols/uplink/topics.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { Entry, Held } from '../outbox/batch.ts';
import type { Debt } from '../outbox/ledger.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Outgoing } from './lane.ts';
import { type Effect, LIVE_AGE_MAX_MS, UplinkSession } from './session.ts';

/** Waiting in the socket; more would only make every later event wait behind it. */
export const SOCKET_BYTES_MAX = 256 * 1024;
const SOCKET_WAIT_MS = 20;
const DRAIN_LOOK_MS = 50;
const GOODBYE_MS = 1_000;

/** What the uplink needs of the sealer. */
export interface UplinkSealer {
  readonly manifest: Hash;
  sealState(): void;
  /** False when the hash is no part of the present dictionary. */
  sealPart(hash: Hash): boolean;
  tellDebts(debts: readonly Debt[]): void;
}

export interface UplinkOptions {
  readonly area: string;
  readonly gateway: string;
  /** As told in the birth: for a person and for what to upgrade. */
  readonly software: string;
  readonly configuration: string;
  /** Pace of the backlog behind everything else. */
  readonly backlogBytesPerSecond: number;
  /** Makes the link: mqttLink with address and password, or a simulated one. */
  readonly connect: (parts: LinkParts) => BrokerLink;
  /** The kinds that are not the uplink's own: desired, command, confirm. */
  readonly onMessage: (kind: Kind, payload: Uint8Array) => void;
  /** What is in force, told after each connect. */
  readonly reported: () => Uint8Array;
}

export type LinkParts = Pick<
  BrokerLinkOptions,
  'clientId' | 'username' | 'keepaliveSeconds' | 'subscriptions' | 'will'
>;

export interface UplinkCounts {
  readonly isUp: boolean;
  readonly connection: number;
  readonly acked: number;
  readonly refused: number;
  readonly sent: number;
  readonly resent: number;
  readonly timeouts: number;
  /** Acks that could not be read. */
  readonly malformed: number;
  /** Known and not closed by the cloud; on disk or on their way to it. */
  readonly openRecords: number;
  readonly inFlightBytes: number;
  readonly creditBytes: number;
  /** Clock.monoMs() of the last ack; null before the first. */
  readonly ackedMonoMs: number | null;
}

export class Uplink {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #outbox: Outbox;
  readonly #watch: ClockWatch;
  readonly #options: UplinkOptions;
  readonly #link: BrokerLink;
  readonly #session: UplinkSession;
  #sealer: UplinkSealer | null = null;
  #isUp = false;
  #isPumping = false;
  #isStopped = false;
  #connection: number;
  #malformed = 0;
  #ackedMonoMs: number | null = null;
  #timer: { readonly atMonoMs: number; readonly cancel: () => void } | null = null;

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    outbox: Outbox,
    watch: ClockWatch,
    options: UplinkOptions,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#outbox = outbox;
    this.#watch = watch;
    this.#options = options;
    this.#connection = Number(outbox.word('connection') ?? 0);
    this.#session = new UplinkSession(random, {
      storeId: outbox.word('store') ?? '',
      backlogBytesPerSecond: options.backlogBytesPerSecond,
    });
    const { area, gateway } = options;
    this.#link = options.connect({
      clientId: gateway,
      username: gateway,
      keepaliveSeconds: KEEPALIVE_SECONDS,
      subscriptions: downFilters(area, gateway),
      will: () => this.#will(),
    });
    this.#link.onUp = () => this.#onUp();
    this.#link.onDown = (why) => this.#onDown(why);
    this.#link.onMessage = ({ topic, payload }) => this.#onMessage(topic, payload);
  }

  /** Starts outbox listening and link; everything sealed before was offered already. */
  start(sealer: UplinkSealer): void {
    assert(!this.#sealer, 'an uplink is started once');
    this.#sealer = sealer;
    this.#outbox.start({
      onDebts: (debts) => sealer.tellDebts(debts),
      onCommitted: (entries) => this.#offerSettling(entries),
      onScanned: () => void this.#tellHeld(),
    });
    this.#link.start();
  }

  get counts(): UplinkCounts {
    return {
      ...this.#session.counts,
      isUp: this.#isUp,
      connection: this.#connection,
      malformed: this.#malformed,
      openRecords: this.#session.openRecords,
      inFlightBytes: this.#session.inFlightBytes,
      creditBytes: this.#session.creditBytes,
      ackedMonoMs: this.#ackedMonoMs,
    };
  }

  /** A record that was sealed and given to the outbox: sent from memory when there is room. */
  offer(record: SealedRecord): void {
    const { epoch, sequence, lane, lastMonoMs, bytes, readings, taken } = record;
    const isEvent = lane === 'event';
    // A fill counts for nothing either, but goes in its turn: a hole in the sequences before live
    // records would make the cloud wait for it.
    const isState = lane === 'live' && readings > 0 && taken === 0;
    const kind = isEvent ? 'event' : isState ? 'state' : 'live';
    // In the same commit as the record itself: it can be given up only by who knows that it may
    // have gone.
    if (this.#isUp) this.#outbox.sent(epoch, sequence);
    this.#session.sealed({ epoch, sequence, isEvent, lastMonoMs, bytes }, kind);
    this.#pump();
  }

  // Records that tell of debts go only once they are durable: a debt told twice would count twice.
  #offerSettling(entries: readonly Entry[]): void {
    for (const { record, settles } of entries) if (settles.length > 0) this.offer(record);
  }

  /**
   * Goes on sending for at most `drainMs` or until the cloud has everything, then says goodbye. The
   * sealer should have been closed before, the outbox is to be closed after.
   */
  async stop(drainMs: number): Promise<void> {
    const endMonoMs = this.#clock.monoMs() + drainMs;
    const never = new AbortController().signal;
    await this.#outbox.flush();
    await this.#outbox.flush(); // Debts that the first one brought up have records of their own.
    while (this.#session.openRecords > 0 && this.#clock.monoMs() < endMonoMs) {
      await this.#clock.sleep(DRAIN_LOOK_MS, never);
    }
    this.#isStopped = true;
    this.#timer?.cancel();
    if (this.#isUp) this.#publishStatus('offline');
    await this.#link.close(GOODBYE_MS);
  }

  #will(): { readonly topic: string; readonly payload: Uint8Array } {
    this.#connection++;
    return { topic: this.#topic('status'), payload: this.#status('offline') };
  }

  #status(presence: 'online' | 'offline'): Uint8Array {
    const { state } = this.#watch.stamp;
    return encodeStatus({
      connection: this.#connection,
      online: presence === 'online',
      clock: state,
      paths: 1,
    });
  }

  #topic(kind: Kind): string {
    return topicOf(this.#options.area, this.#options.gateway, kind);
  }

  #publish(kind: Kind, payload: Uint8Array): void {
    const { qos, retain } = kinds[kind];
    // Not taken by the link is lost on the way: the session sends again what is not acked.
    this.#link.publish(this.#topic(kind), payload, { qos, retain });
  }

  /** Tells the cloud what is in force; nothing while there is no connection. */
  report(): void {
    if (this.#isUp) this.#publish('reported', this.#options.reported());
  }

  /**
   * Tells the cloud what became of a command, on every way that is up; false when none is. It may
   * be lost behind that all the same: who answers says it again until the cloud asks no more.
   */
  reply(payload: Uint8Array): boolean {
    if (this.#isUp) this.#publish('reply', payload);
    return this.#isUp;
  }

  #publishStatus(presence: 'online' | 'offline'): void {
    this.#publish('status', this.#status(presence));
  }

  #onUp(): void {
    if (this.#isStopped) return;
    this.#isUp = true;
    this.#log.info('uplink_up', { connection: this.#connection });
    this.#outbox.setWord('connection', `${this.#connection}`);
    this.#publishStatus('online');
    this.report();
    const needsState = this.#session.up(this.#clock.monoMs());
    if (needsState) this.#sealer?.sealState();
    void this.#tellHeld();
    this.#pump();
  }

  #onDown(why: string): void {
    if (this.#isUp) this.#log.warn('uplink_down', { why: foreign(why) });
    this.#isUp = false;
    this.#session.down(this.#clock.monoMs());
  }

  /** Tells the session and, in the birth, the cloud what the outbox holds. */
  async #tellHeld(): Promise<void> {
    const held = await this.#outbox.held();
    if (this.#isStopped) return;
    this.#session.held(held);
    if (this.#isUp) this.#publishBirth(held);
    this.#pump();
  }

  #publishBirth(held: readonly Held[]): void {
    const { software, configuration } = this.#options;
    const opening = ({ epoch }: Held) => Number.parseInt(epoch, 10);
    const epochs = [...held]
      .sort((a, b) => opening(a) - opening(b))
      .map(({ epoch, ranges, next }) => ({ epoch, held: ranges, next }));
    const manifest = this.#sealer?.manifest ?? '';
    const storeIdSeen = this.#session.storeId;
    this.#publish('birth', encodeBirth({ storeIdSeen, software, configuration, manifest, epochs }));
  }

  #onMessage(topic: string, payload: Uint8Array): void {
    const parts = parseTopic(topic);
    if (!parts || kinds[parts.kind].way !== 'down') return;
    if (parts.kind !== 'ack') {
      this.#options.onMessage(parts.kind, payload);
      return;
    }
    try {
      this.#onAck(decodeAck(payload));
    } catch (error) {
      if (!isFault(error)) throw error;
      if (this.#malformed++ === 0) this.#log.warn('uplink_ack_malformed', { why: error.message });
    }
    this.#pump();
  }

  #onAck(ack: Ack): void {
    this.#ackedMonoMs = this.#clock.monoMs();
    const effects = this.#session.ack(ack, this.#ackedMonoMs);
    const { store, wanted, stored, refused, needed } = effects;
    if (store) {
      this.#outbox.setWord('store', store.id);
      this.#log.info('uplink_store', { store: foreign(store.id), isNew: store.isNew });
      if (store.isNew) void this.#reopenAll();
    }
    if (wanted.length > 0) this.#outbox.wanted(wanted);
    for (const { epoch, ranges } of stored) this.#outbox.acked(epoch, ranges);
    for (const refusal of refused) {
      this.#log.warn('uplink_refused', { ...refusal });
      this.#outbox.refused(refusal);
    }
    if (needed.length > 0) void this.#sendParts(needed);
    if (this.#session.takeBirthWish(this.#ackedMonoMs)) void this.#tellHeld();
  }

  async #reopenAll(): Promise<void> {
    this.#outbox.wanted('all');
    await this.#outbox.flush();
    await this.#tellHeld();
  }

  async #sendParts(hashes: readonly Hash[]): Promise<void> {
    for (const hash of hashes) {
      const record = await this.#outbox.part(hash);
      if (this.#isStopped) return;
      // A part that is no longer on disk is sealed again when it is of the present dictionary.
      if (record) this.#publish('event', record.bytes);
      else if (!this.#sealer?.sealPart(hash)) {
        this.#log.warn('uplink_part_lost', { hash });
        this.#outbox.partLost(hash);
      }
    }
  }

  #pump(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    while (this.#link.pendingBytes < SOCKET_BYTES_MAX) {
      const effect = this.#session.pull(this.#clock.monoMs());
      if (!effect) break;
      this.#run(effect);
    }
    this.#isPumping = false;
    const isBlocked = this.#isUp && this.#link.pendingBytes >= SOCKET_BYTES_MAX;
    const nextMonoMs = this.#session.nextMonoMs();
    this.#wakeAt(isBlocked ? this.#clock.monoMs() + SOCKET_WAIT_MS : nextMonoMs);
  }

  #run(effect: Effect): void {
    if (effect.kind === 'send') {
      const { record } = effect;
      this.#publish(this.#kindOf(record), record.bytes);
      return;
    }
    const { lane, epoch, ranges, bytesMax } = effect;
    void this.#outbox.read(epoch, ranges, bytesMax).then((result) => {
      this.#session.read(lane, epoch, result);
      this.#pump();
    });
  }

  /** By age: what was not sent at once is still live while it is young. */
  #kindOf({ epoch, isEvent, lastMonoMs }: Outgoing): Kind {
    if (isEvent) return 'event';
    const isYoung = this.#outbox.monoMs - lastMonoMs <= LIVE_AGE_MAX_MS;
    return epoch === this.#outbox.epoch && isYoung ? 'live' : 'backfill';
  }

  #wakeAt(atMonoMs: number): void {
    if (this.#timer && this.#timer.atMonoMs <= atMonoMs) return;
    this.#timer?.cancel();
    this.#timer = null;
    if (atMonoMs === Number.POSITIVE_INFINITY) return;
    const cancel = this.#clock.after(atMonoMs - this.#clock.monoMs(), () => {
      this.#timer = null;
      this.#pump();
    });
    this.#timer = { atMonoMs, cancel };
  }
}
