// The uplink: carries what session.ts decides between outbox, paths and clock. It decides nothing
// itself but when to ask again.
//
// On each connect of a path: status with a higher connection number, birth, and after a long outage
// state records; then whatever the session says. Both retained messages are hints: nothing depends
// on them.
import type { Clock } from '../../core/clock.ts';
import { assert, isFault } from '../../core/fault.ts';
import { foreign, type Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import { decodeAck, encodeBirth } from '../../protocols/uplink/control.ts';
import type { Ack, Hash, SealedRecord } from '../../protocols/uplink/record.ts';
import type { Kind } from '../../protocols/uplink/topics.ts';
import type { ClockWatch } from '../clock-watch.ts';
import type { Entry, Held, Urgency } from '../outbox/batch.ts';
import type { KeepClass } from '../outbox/file.ts';
import type { Debt } from '../outbox/ledger.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Outgoing } from './lane.ts';
import { type LinkParts, Path, type PathCounts, type PathLink } from './path.ts';
import { FREE_PATH, type Load, type PathTerms } from './paths.ts';
import { type Effect, LIVE_AGE_MAX_MS, UplinkSession } from './session.ts';

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
  /** Terms of the second path; null where there is one only. */
  readonly second: PathTerms | null;
  /** Makes the link of a path: mqttLink with address and password, or a simulated one. */
  readonly connect: (parts: LinkParts, path: number) => PathLink;
  /**
   * There is a path where there was none, or the first is back: what the other side has may be old
   * or nothing.
   */
  readonly onReached?: () => void;
  /** A path came up, whatever there was before, or the cloud came to the broker of one. */
  readonly onConnected?: () => void;
  /** The kinds that are not the uplink's own: desired, command, confirm. */
  readonly onMessage: (kind: Kind, payload: Uint8Array) => void;
  /** What is in force, told after each connect. */
  readonly reported: () => Uint8Array;
}

export interface UplinkCounts {
  /** Any path is up. */
  readonly isUp: boolean;
  readonly paths: readonly (PathCounts & { readonly isSilent: boolean })[];
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
  readonly #paths: readonly Path[];
  readonly #session: UplinkSession;
  #sealer: UplinkSealer | null = null;
  #isPumping = false;
  #isStopped = false;
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
    const { second } = options;
    const terms = second ? [FREE_PATH, second] : [FREE_PATH];
    this.#session = new UplinkSession(random, {
      storeId: outbox.word('store') ?? '',
      backlogBytesPerSecond: options.backlogBytesPerSecond,
      paths: terms,
    });
    this.#paths = terms.map((_, path) => this.#openPath(path, terms.length));
  }

  #openPath(path: number, paths: number): Path {
    const { area, gateway, connect } = this.#options;
    const it = new Path(this.#clock, this.#log, this.#watch, {
      ...{ area, gateway, path, paths },
      connection: Number(this.#outbox.word(connectionWords[path]!) ?? 0),
      hearsAcks: this.#session.paths.hearsAcks(path),
      connect: (parts) => connect(parts, path),
    });
    it.onUp = () => this.#onUp(path);
    it.onDown = (why) => this.#onDown(path, why);
    it.onMessage = (kind, payload) => this.#onMessage(path, kind, payload);
    it.onCloudBack = () => this.#options.onConnected?.();
    return it;
  }

  /** Starts outbox listening and paths; everything sealed before was offered already. */
  start(sealer: UplinkSealer): void {
    assert(!this.#sealer, 'an uplink is started once');
    this.#sealer = sealer;
    this.#outbox.start({
      onDebts: (debts) => sealer.tellDebts(debts),
      onCommitted: (entries) => this.#offerSettling(entries),
      onScanned: () => void this.#tellHeld(),
    });
    for (const path of this.#paths) path.start();
  }

  get counts(): UplinkCounts {
    return {
      ...this.#session.counts,
      isUp: this.#isUp,
      paths: this.#paths.map(({ counts }, path) => ({
        ...counts,
        isSilent: this.#session.paths.isSilent(path),
      })),
      malformed: this.#malformed,
      openRecords: this.#session.openRecords,
      inFlightBytes: this.#session.inFlightBytes,
      creditBytes: this.#session.creditBytes,
      ackedMonoMs: this.#ackedMonoMs,
    };
  }

  get #isUp(): boolean {
    return this.#session.paths.isUp;
  }

  /**
   * A record that was sealed and given to the outbox: sent from memory when there is room. `part`
   * is one of a dictionary.
   */
  offer(
    record: SealedRecord,
    urgency: Urgency = 'usual',
    keep: KeepClass | 'part' = 'trend',
  ): void {
    const { epoch, sequence, lane, lastMonoMs, bytes } = record;
    const isEvent = lane === 'event';
    // In the same commit as the record itself: it can be given up only by who knows that it may
    // have gone.
    if (this.#isUp) this.#outbox.sent(epoch, sequence);
    const load = loadOf(record, urgency, keep);
    this.#session.sealed({ epoch, sequence, isEvent, lastMonoMs, bytes }, load);
    this.#pump();
  }

  // Records that tell of debts go only once they are durable: a debt told twice would count twice.
  #offerSettling(entries: readonly Entry[]): void {
    for (const { record, settles } of entries)
      if (settles.length > 0) this.offer(record, 'usual', 'event');
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
    await Promise.all(this.#paths.map((path) => path.close(GOODBYE_MS)));
  }

  /** On every path that is up. */
  #publish(kind: Kind, payload: Uint8Array): void {
    for (const path of this.#paths) if (path.isUp) path.publish(kind, payload);
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

  #onUp(path: number): void {
    if (this.#isStopped) return;
    const it = this.#paths[path]!;
    const { connection } = it.counts;
    this.#log.info('uplink_up', { path: path + 1, connection });
    this.#outbox.setWord(connectionWords[path]!, `${connection}`);
    const wasReached = this.#isUp;
    it.publishStatus('online');
    it.publish('reported', this.#options.reported());
    const needsState = this.#session.up(path, this.#clock.monoMs());
    this.#listen();
    if (needsState) this.#sealer?.sealState();
    if (!wasReached || path === 0) this.#options.onReached?.();
    this.#options.onConnected?.();
    void this.#tellHeld([it]);
    this.#pump();
  }

  #onDown(path: number, why: string): void {
    this.#log.warn('uplink_down', { path: path + 1, why: foreign(why) });
    this.#session.down(path, this.#clock.monoMs());
    this.#listen();
    this.#pump();
  }

  #listen(): void {
    for (const [path, it] of this.#paths.entries()) {
      it.hearAcks(this.#session.paths.hearsAcks(path));
    }
  }

  /** Tells the session and, in the birth, the cloud what the outbox holds. */
  async #tellHeld(to: readonly Path[] = this.#paths): Promise<void> {
    const held = await this.#outbox.held();
    if (this.#isStopped) return;
    this.#session.held(held);
    const birth = this.#birth(held);
    for (const path of to) if (path.isUp) path.publish('birth', birth);
    this.#pump();
  }

  #birth(held: readonly Held[]): Uint8Array {
    const { software, configuration } = this.#options;
    const opening = ({ epoch }: Held) => Number.parseInt(epoch, 10);
    const epochs = [...held]
      .sort((a, b) => opening(a) - opening(b))
      .map(({ epoch, ranges, next }) => ({ epoch, held: ranges, next }));
    const manifest = this.#sealer?.manifest ?? '';
    const storeIdSeen = this.#session.storeId;
    return encodeBirth({ storeIdSeen, software, configuration, manifest, epochs });
  }

  #onMessage(path: number, kind: Kind, payload: Uint8Array): void {
    if (kind !== 'ack') {
      this.#options.onMessage(kind, payload);
      return;
    }
    try {
      this.#onAck(decodeAck(payload), path);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (this.#malformed++ === 0) this.#log.warn('uplink_ack_malformed', { why: error.message });
    }
    this.#listen();
    this.#pump();
  }

  #onAck(ack: Ack, path: number): void {
    this.#ackedMonoMs = this.#clock.monoMs();
    const effects = this.#session.ack(ack, this.#ackedMonoMs, path);
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
      if (record) this.#send('event', record.bytes, this.#session.paths.open('kept'));
      else if (!this.#sealer?.sealPart(hash)) {
        this.#log.warn('uplink_part_lost', { hash });
        this.#outbox.partLost(hash);
      }
    }
  }

  #pump(): void {
    if (this.#isPumping || this.#isStopped) return;
    this.#isPumping = true;
    this.#lookAtSockets();
    for (;;) {
      const effect = this.#session.pull(this.#clock.monoMs());
      if (!effect) break;
      this.#run(effect);
    }
    this.#listen();
    this.#isPumping = false;
    const isBlocked = this.#lookAtSockets();
    const nextMonoMs = this.#session.nextMonoMs();
    const lookMonoMs = isBlocked ? this.#clock.monoMs() + SOCKET_WAIT_MS : nextMonoMs;
    this.#wakeAt(Math.min(lookMonoMs, nextMonoMs));
  }

  /** True when one of the paths that are up takes nothing more at present. */
  #lookAtSockets(): boolean {
    for (const [path, it] of this.#paths.entries()) this.#session.paths.block(path, it.isBlocked);
    return this.#paths.some(({ isUp, isBlocked }) => isUp && isBlocked);
  }

  #send(kind: Kind, bytes: Uint8Array, paths: readonly number[]): void {
    for (const path of paths) {
      const it = this.#paths[path]!;
      it.publish(kind, bytes);
      this.#session.paths.block(path, it.isBlocked);
    }
  }

  #run(effect: Effect): void {
    if (effect.kind === 'send') {
      this.#send(this.#kindOf(effect.record), effect.record.bytes, effect.paths);
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

/** In the outbox, by path. */
const connectionWords = ['connection', 'connection-2'] as const;

function loadOf(
  { lane, readings, taken }: SealedRecord,
  urgency: Urgency,
  keep: KeepClass | 'part',
): Exclude<Load, 'backlog'> {
  if (keep === 'event') return 'event';
  if (keep === 'part') return 'kept';
  // A fill counts for nothing either, but goes in its turn: a hole in the sequences before live
  // records would make the cloud wait for it.
  if (lane === 'live' && readings > 0 && taken === 0) return 'state';
  if (urgency === 'urgent') return 'urgent';
  return keep === 'trend' ? 'trend' : 'kept';
}
