// What is to be sent next, and what an answer means. Pure: no clock, no link, no disk. The shell
// (uplink.ts) tells what happened and pulls what to do, one effect at a time, until there is none.
//
// Every record the outbox holds and the cloud has not closed is in one of these places, never in
// two:
//   ready    known by its sequence only, to be read from the outbox when its turn comes;
//   queued   in memory, in a lane's queue;          flying   sent and not closed;
//   parked   not to be sent before a time: the cloud did not take it twice, or asked for later.
// It leaves when an ack names it as stored or refused, or when the outbox has it no more.
//
// Lanes, in the order of their turn: events, live, backlog; state records go before all. A live
// record goes from memory as soon as it is sealed; when it has to wait too long or too many wait,
// it becomes backlog.
// The backlog is sent at a set pace, lowest epoch and sequence first, so that ranges close at the
// cloud.
// In flight: never more than the credit of the last ack in sum; the backlog has at most half of it,
// live and backlog three quarters, so that an event always finds room. A credit of nothing lets one
// record through after each timeout, since only an answer can bring a new credit. While the cloud
// is silent altogether, one record over all lanes is in flight, and the wait for it doubles.
// Store: a new store id means that the old one is gone: everything held is sent again.
import { backoffMs } from '../../core/backoff.ts';
import { assert } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Ack, Epoch, EpochAck, Hash } from '../../protocols/uplink/record.ts';
import type { EpochRanges, Held, ReadResult, Refusal } from '../outbox/batch.ts';
import { Backlog } from './backlog.ts';
import { Lane, type Outgoing, RESEND } from './lane.ts';

/** In flight before the first ack said more. */
export const CREDIT_BYTES_START = 64 * 1024;
/** Whatever the cloud would take: a second of a 16 Mbit/s line, held in memory. */
export const CREDIT_BYTES_MAX = 2 * 1024 * 1024;
/** Older than this, `live` is treated as backfill by the receiver. */
export const LIVE_AGE_MAX_MS = 30_000;
/** Records waiting for their window; beyond it the oldest become backlog. */
export const LIVE_QUEUE_BYTES_MAX = 512 * 1024;
export const EVENT_QUEUE_BYTES_MAX = 256 * 1024;
/** Read from the outbox at once. */
export const READ_BYTES = 256 * 1024;
assert(
  2 * READ_BYTES + LIVE_QUEUE_BYTES_MAX + EVENT_QUEUE_BYTES_MAX <= CREDIT_BYTES_MAX,
  'what waits takes no more memory than what is in flight',
);
/** Told `later` by a cloud that cannot read it yet: it is being upgraded. */
export const LATER_MS = 300_000;
/** Asked for what nobody has: the birth says so, not more often than this. */
const BIRTH_AGAIN_MS = 60_000;
const TOKENS_START_SHARE = 0.1; // Of a second's pace, when the link comes up.
const PART_AGAIN_MS = 5_000;
const PARTS_REMEMBERED_MAX = 1_024;

export type LaneName = 'event' | 'live' | 'backlog';
const laneNames = ['event', 'live', 'backlog'] as const;

export type Effect =
  | { readonly kind: 'send'; readonly lane: LaneName; readonly record: Outgoing }
  | {
      readonly kind: 'read';
      readonly lane: 'event' | 'backlog';
      readonly epoch: Epoch;
      readonly ranges: readonly Range[];
      readonly bytesMax: number;
    };

/** What an ack asks the shell to do, in this order. */
export interface AckEffects {
  /** To be remembered; when `isNew`, the outbox reopens all it holds and says what that is. */
  readonly store: { readonly id: string; readonly isNew: boolean } | null;
  readonly wanted: readonly EpochRanges[];
  readonly stored: readonly EpochRanges[];
  readonly refused: readonly Refusal[];
  readonly needed: readonly Hash[];
}

export interface SessionOptions {
  /** Of the last ack this gateway ever saw; '' when there was none. */
  readonly storeId: string;
  readonly backlogBytesPerSecond: number;
}

interface Resend {
  readonly lane: LaneName;
  readonly record: Outgoing;
  readonly tries: number;
}

export class UplinkSession {
  readonly #random: Random;
  readonly #backlogBytesPerSecond: number;
  readonly #backlog: Backlog;
  readonly #lanes: Readonly<Record<LaneName, Lane>>;
  readonly #partsAsked = new Map<Hash, number>();
  #states: Outgoing[] = [];
  #resend: Resend[] = []; // Each of these is in flight as well.
  #isUp = false;
  #downSinceMonoMs: number | null = null;
  #storeId: string;
  #creditBytes = CREDIT_BYTES_START;
  #starvedUntilMonoMs = 0;
  #starvations = 0;
  #tokens = 0;
  #tokensMonoMs = 0;
  #closedMonoMs = 0;
  /**
   * A lane timed out and nothing at all was closed meanwhile: one record in flight is enough to
   * find out.
   */
  #isSuspect = false;
  #birthMonoMs = 0;
  #wantsBirth = false;
  #counts = { acked: 0, refused: 0, sent: 0, resent: 0, timeouts: 0 };

  constructor(random: Random, { storeId, backlogBytesPerSecond }: SessionOptions) {
    this.#random = random;
    this.#storeId = storeId;
    this.#backlogBytesPerSecond = backlogBytesPerSecond;
    this.#backlog = new Backlog(random);
    this.#lanes = { event: new Lane(random), live: new Lane(random), backlog: new Lane(random) };
  }

  get counts() {
    return this.#counts;
  }

  get storeId(): string {
    return this.#storeId;
  }

  /** Records known that the cloud has not closed. */
  get openRecords(): number {
    return this.#backlog.openRecords;
  }

  get inFlightBytes(): number {
    return laneNames.reduce((sum, name) => sum + this.#lanes[name].inFlightBytes, 0);
  }

  get creditBytes(): number {
    return this.#creditBytes;
  }

  /** The link is up. True when it was down so long that state records should go first. */
  up(nowMonoMs: number): boolean {
    const downSince = this.#downSinceMonoMs;
    this.#isUp = true;
    this.#downSinceMonoMs = null;
    this.#starvedUntilMonoMs = 0;
    this.#starvations = 0;
    this.#tokens = this.#backlogBytesPerSecond * TOKENS_START_SHARE;
    this.#tokensMonoMs = nowMonoMs;
    this.#closedMonoMs = nowMonoMs;
    this.#isSuspect = false;
    this.#birthMonoMs = nowMonoMs;
    this.#wantsBirth = false;
    this.#partsAsked.clear();
    return downSince !== null && nowMonoMs - downSince >= LIVE_AGE_MAX_MS;
  }

  down(nowMonoMs: number): void {
    this.#isUp = false;
    this.#downSinceMonoMs ??= nowMonoMs;
    const back = laneNames.flatMap((name) => this.#lanes[name].reset());
    for (const record of [...back, ...this.#states]) this.#backlog.putBack(record);
    this.#states = [];
    this.#resend = [];
  }

  /** A record was sealed; it is in the outbox already. */
  sealed(record: Outgoing, kind: 'event' | 'live' | 'state'): void {
    this.#backlog.open(record);
    if (!this.#isUp) this.#backlog.putBack(record);
    else if (kind === 'state') this.#states.push(record);
    else this.#lanes[kind].push(record);
    this.#boundQueue('live', LIVE_QUEUE_BYTES_MAX);
    this.#boundQueue('event', EVENT_QUEUE_BYTES_MAX);
  }

  // The oldest go: the newest is what somebody waits for.
  #boundQueue(name: 'live' | 'event', bytesMax: number): void {
    const lane = this.#lanes[name];
    while (lane.queueBytes > bytesMax) this.#backlog.putBack(lane.shift()!);
  }

  /** What the outbox holds: at the start, when it has read all its files, and after a new store. */
  held(held: readonly Held[]): void {
    this.#backlog.held(held, (epoch) => this.#inMemory(epoch));
  }

  #inMemory(epoch: Epoch): RangeSet {
    const set = new RangeSet();
    const lanes = laneNames.flatMap((name) => [
      ...this.#lanes[name].queue,
      ...this.#lanes[name].flying,
    ]);
    for (const record of [...lanes, ...this.#states]) {
      if (record.epoch === epoch) set.add(record.sequence);
    }
    return set;
  }

  /** The answer to a `read` effect. */
  read(lane: 'event' | 'backlog', epoch: Epoch, { records, absent }: ReadResult): void {
    this.#lanes[lane].isReading = false;
    if (absent.length > 0) {
      this.#backlog.lost(epoch, absent);
      this.#wantsBirth = true;
    }
    if (!this.#isUp) return;
    for (const record of records) {
      if (this.#backlog.takeReady(epoch, record.sequence)) this.#lanes[lane].push(record);
    }
  }

  /** True once, when the cloud asked for what is not here: the birth says what is. */
  takeBirthWish(nowMonoMs: number): boolean {
    if (!this.#wantsBirth || nowMonoMs - this.#birthMonoMs < BIRTH_AGAIN_MS) return false;
    this.#wantsBirth = false;
    this.#birthMonoMs = nowMonoMs;
    return true;
  }

  /** The next thing to do; null when there is nothing before `nextMonoMs`. */
  pull(nowMonoMs: number): Effect | null {
    if (!this.#isUp) return null;
    this.#backlog.unpark(nowMonoMs);
    for (const name of laneNames) this.#checkTimeout(name, nowMonoMs);
    return this.#pullRecord(nowMonoMs) ?? this.#pullRead();
  }

  #pullRecord(nowMonoMs: number): Effect | null {
    const again = this.#resend.shift();
    if (again) {
      this.#counts.resent++;
      return this.#send(again, nowMonoMs);
    }
    const state = this.#states[0];
    if (state && this.#hasRoom('live', state.bytes.length, nowMonoMs)) {
      this.#states.shift();
      return this.#send({ lane: 'live', record: state, tries: 1 }, nowMonoMs);
    }
    this.#refill(nowMonoMs);
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      const bytes = lane.queue[0]?.bytes.length;
      if (bytes === undefined || !this.#hasRoom(name, bytes, nowMonoMs)) continue;
      // The bucket may go below nothing by one record, and has to come back above it.
      if (name === 'backlog' && this.#tokens <= 0) continue;
      if (name === 'backlog') this.#tokens -= bytes;
      return this.#send({ lane: name, record: lane.shift()!, tries: 1 }, nowMonoMs);
    }
    return null;
  }

  #send({ lane, record, tries }: Resend, nowMonoMs: number): Effect {
    this.#counts.sent++;
    this.#lanes[lane].sent(record, tries, nowMonoMs);
    if (this.#creditBytes === 0) this.#starve(nowMonoMs);
    return { kind: 'send', lane, record };
  }

  #hasRoom(name: LaneName, bytes: number, nowMonoMs: number): boolean {
    const { event, live, backlog } = this.#lanes;
    if (this.#lanes[name].isProbing && this.#lanes[name].inFlight > 0) return false;
    const inFlight = event.inFlight + live.inFlight + backlog.inFlight;
    const credit = this.#creditBytes;
    if (credit === 0) return inFlight === 0 && nowMonoMs >= this.#starvedUntilMonoMs;
    // A record larger than the whole credit goes alone, or it would never go.
    if (inFlight === 0) return true;
    if (this.#isSuspect) return false;
    if (this.inFlightBytes + bytes > credit) return false;
    if (name === 'event') return true;
    if (live.inFlightBytes + backlog.inFlightBytes + bytes > credit * 0.75) return false;
    return name === 'live' || backlog.inFlightBytes + bytes <= credit * 0.5;
  }

  #refill(nowMonoMs: number): void {
    const rate = this.#backlogBytesPerSecond;
    const earned = ((nowMonoMs - this.#tokensMonoMs) * rate) / 1_000;
    this.#tokens = Math.min(rate, this.#tokens + earned);
    this.#tokensMonoMs = nowMonoMs;
  }

  #pullRead(): Effect | null {
    for (const name of ['event', 'backlog'] as const) {
      const lane = this.#lanes[name];
      if (lane.isReading || lane.queue.length > 0) continue;
      if (lane.isProbing && lane.inFlight > 0) continue;
      const next = this.#backlog.next(name);
      if (!next) continue;
      lane.isReading = true;
      const isOneEnough = this.#isSuspect || lane.isProbing;
      return { kind: 'read', lane: name, ...next, bytesMax: isOneEnough ? 1 : READ_BYTES };
    }
    return null;
  }

  #checkTimeout(name: LaneName, nowMonoMs: number): void {
    const lane = this.#lanes[name];
    if (nowMonoMs < lane.deadlineMonoMs) return;
    this.#counts.timeouts++;
    if (nowMonoMs - this.#closedMonoMs >= RESEND.firstMs * (1 - RESEND.jitter)) {
      this.#isSuspect = true;
    }
    this.#resend = this.#resend.filter((it) => it.lane !== name);
    const { back, probe } = lane.timeout(nowMonoMs);
    if (probe) {
      this.#resend.push({ lane: name, ...probe, tries: probe.tries + 1 });
      for (const record of back) this.#backlog.putBack(record);
    } else {
      // The probe was not answered: it waits, so that the next one is another record.
      for (const record of back) this.#backlog.park(record, nowMonoMs);
    }
  }

  /** When `pull` should be asked again though nothing happened. */
  nextMonoMs(): number {
    if (!this.#isUp) return Number.POSITIVE_INFINITY;
    let next = this.#backlog.parkedUntilMonoMs;
    for (const name of laneNames) next = Math.min(next, this.#lanes[name].deadlineMonoMs);
    if (this.#creditBytes === 0) {
      const isWaiting = laneNames.some((name) => this.#lanes[name].queue.length > 0);
      const isIdle = laneNames.every((name) => this.#lanes[name].inFlight === 0);
      if (isIdle && (isWaiting || this.#states.length > 0)) {
        next = Math.min(next, this.#starvedUntilMonoMs);
      }
    }
    if (this.#tokens <= 0 && this.#lanes.backlog.queue.length > 0) {
      const waitMs = ((1 - this.#tokens) * 1_000) / this.#backlogBytesPerSecond;
      next = Math.min(next, this.#tokensMonoMs + waitMs);
    }
    return next;
  }

  ack(ack: Ack, nowMonoMs: number): AckEffects {
    const isNew = this.#storeId !== '' && ack.storeId !== this.#storeId;
    const store = ack.storeId === this.#storeId ? null : { id: ack.storeId, isNew };
    this.#storeId = ack.storeId;
    this.#takeCredit(ack.creditBytes, nowMonoMs);
    const wanted: EpochRanges[] = [];
    const stored: EpochRanges[] = [];
    const refused: Refusal[] = [];
    for (const entry of ack.epochs) {
      const { epoch } = entry;
      if (!this.#backlog.isKnown(epoch)) continue; // The birth says what is here.
      const again = this.#takeWanted(entry, nowMonoMs);
      if (again.length > 0) wanted.push({ epoch, ranges: again });
      const closed = this.#backlog.close(epoch, entry.stored);
      if (closed.length > 0) stored.push({ epoch, ranges: closed });
      for (const { first, last } of closed) this.#counts.acked += last - first + 1;
      if (closed.length > 0) {
        this.#closedMonoMs = nowMonoMs;
        this.#isSuspect = false;
      }
      refused.push(...this.#takeRefused(entry, nowMonoMs));
    }
    this.#closeInMemory(nowMonoMs);
    return { store, wanted, stored, refused, needed: this.#takeNeeded(ack.needed, nowMonoMs) };
  }

  #takeCredit(creditBytes: number, nowMonoMs: number): void {
    this.#creditBytes = Math.min(CREDIT_BYTES_MAX, creditBytes);
    if (creditBytes > 0) this.#starvations = 0;
    else if (this.#starvations === 0) this.#starve(nowMonoMs);
  }

  #starve(nowMonoMs: number): void {
    this.#starvedUntilMonoMs = nowMonoMs + backoffMs(this.#random, ++this.#starvations, RESEND);
  }

  #takeRefused({ epoch, refused }: EpochAck, nowMonoMs: number): Refusal[] {
    const gone: Refusal[] = [];
    for (const { sequence, reason } of refused) {
      if (!this.#backlog.isOpen({ epoch, sequence })) continue;
      if (reason === 'later') {
        // Nothing is lost: it comes again when the cloud may have learned to read it.
        const isEvent = this.#takeFromLanes(epoch, sequence);
        this.#backlog.park({ epoch, sequence, isEvent }, nowMonoMs, nowMonoMs + LATER_MS);
        continue;
      }
      this.#counts.refused++;
      this.#backlog.close(epoch, [{ first: sequence, last: sequence }]);
      gone.push({ epoch, sequence, reason });
    }
    return gone;
  }

  /** Whether it is an event, wherever it was. */
  #takeFromLanes(epoch: Epoch, sequence: number): boolean {
    let isEvent = this.#backlog.isReadyEvent(epoch, sequence);
    const isIt = (record: Outgoing) => record.sequence === sequence && record.epoch === epoch;
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      const record = [...lane.flying, ...lane.queue].find(isIt);
      if (!record) continue;
      isEvent = record.isEvent;
      lane.take(record);
      lane.unqueue(record);
    }
    this.#states = this.#states.filter((record) => !isIt(record));
    this.#resend = this.#resend.filter(({ record }) => !isIt(record));
    return isEvent;
  }

  /** What was closed and is asked for after all; what is open comes anyway. */
  #takeWanted({ epoch, wanted }: EpochAck, nowMonoMs: number): readonly Range[] {
    if (wanted.length === 0) return [];
    const set = RangeSet.of(wanted);
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      for (const { record, sentMonoMs } of lane.flights) {
        if (record.epoch !== epoch || !set.has(record.sequence)) continue;
        // In flight for a while and asked for: it did not arrive.
        if (nowMonoMs - sentMonoMs < RESEND.firstMs || this.#isResending(record)) continue;
        lane.take(record);
        this.#backlog.putBack(record);
      }
    }
    const { reopened, isAbsent } = this.#backlog.reopen(epoch, wanted);
    if (isAbsent) this.#wantsBirth = true;
    return reopened;
  }

  #isResending({ epoch, sequence }: Outgoing): boolean {
    return this.#resend.some(
      ({ record }) => record.sequence === sequence && record.epoch === epoch,
    );
  }

  #closeInMemory(nowMonoMs: number): void {
    const isClosed = (record: Outgoing) => !this.#backlog.isOpen(record);
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      for (const record of lane.queue.filter(isClosed)) lane.unqueue(record);
      for (const { record, tries } of lane.close(isClosed, nowMonoMs)) {
        if (this.#isResending(record)) continue;
        if (tries === 1 && !this.#backlog.wasParked(record)) {
          this.#resend.push({ lane: name, record, tries: 2 });
          continue;
        }
        lane.take(record);
        this.#backlog.park(record, nowMonoMs);
      }
    }
    this.#resend = this.#resend.filter(({ record }) => !isClosed(record));
    this.#states = this.#states.filter((record) => !isClosed(record));
  }

  #takeNeeded(needed: readonly Hash[], nowMonoMs: number): readonly Hash[] {
    return needed.filter((hash) => {
      const askedMonoMs = this.#partsAsked.get(hash);
      if (askedMonoMs !== undefined && nowMonoMs - askedMonoMs < PART_AGAIN_MS) return false;
      if (this.#partsAsked.size >= PARTS_REMEMBERED_MAX) this.#partsAsked.clear();
      this.#partsAsked.set(hash, nowMonoMs);
      return true;
    });
  }

  /** Of each epoch what is open, what of it waits to be read, and what is in memory. */
  places() {
    return this.#backlog.summary().map((it) => {
      const lanes = laneNames.flatMap((name) => [
        ...this.#lanes[name].queue,
        ...this.#lanes[name].flying,
      ]);
      const inMemory = [...lanes, ...this.#states].filter(({ epoch }) => epoch === it.epoch);
      return { ...it, inMemory: inMemory.map(({ sequence }) => sequence) };
    });
  }
}
