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
// In flight: as much as window.ts lets; while the cloud is silent altogether, one record over all
// lanes, and the wait for it doubles.
// Paths: which way each record goes is decided by paths.ts. When a path ends or falls silent, what
// is in flight by it alone goes by another one at once, or back to be read again where none may
// carry it.
// Store: a new store id means that the old one is gone: everything held is sent again.
import { assert } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Ack, Epoch, EpochAck, Hash } from '../../protocols/uplink/record.ts';
import type { EpochRanges, Held, ReadResult, Refusal } from '../outbox/batch.ts';
import { Backlog } from './backlog.ts';
import { Lane, type Outgoing, RESEND } from './lane.ts';
import { FREE_PATH, type Load, Paths, type PathTerms } from './paths.ts';
import { CREDIT_BYTES_MAX, type LaneName, type Lanes, laneNames, Window } from './window.ts';

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
const PART_AGAIN_MS = 5_000;
const PARTS_REMEMBERED_MAX = 1_024;

export type Effect =
  | {
      readonly kind: 'send';
      readonly lane: LaneName;
      readonly record: Outgoing;
      readonly paths: readonly number[];
    }
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
  /** The cheap one first. */
  readonly paths?: readonly PathTerms[];
}

interface Resend {
  readonly lane: LaneName;
  readonly record: Outgoing;
  readonly tries: number;
}

export class UplinkSession {
  readonly #backlog: Backlog;
  readonly #lanes: Lanes;
  readonly #window: Window;
  readonly #partsAsked = new Map<Hash, number>();
  #states: Outgoing[] = [];
  #resend: Resend[] = []; // Each of these is in flight as well.
  readonly #paths: Paths;
  /** Since when no path is up; since when none carries trends. */
  #downSinceMonoMs: number | null = null;
  #trendsDownSinceMonoMs: number | null = null;
  #storeId: string;
  #birthMonoMs = 0;
  #wantsBirth = false;
  #counts = { acked: 0, refused: 0, sent: 0, resent: 0, timeouts: 0 };

  constructor(random: Random, options: SessionOptions) {
    const { storeId, backlogBytesPerSecond, paths = [FREE_PATH] } = options;
    this.#paths = new Paths(paths);
    this.#storeId = storeId;
    this.#backlog = new Backlog(random);
    this.#lanes = { event: new Lane(random), live: new Lane(random), backlog: new Lane(random) };
    this.#window = new Window(random, this.#lanes, backlogBytesPerSecond);
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
    return this.#window.inFlightBytes;
  }

  get creditBytes(): number {
    return this.#window.creditBytes;
  }

  /** For who sends: sockets that are full, and where acks are to be heard. */
  get paths(): Pick<Paths, 'isUp' | 'isSilent' | 'block' | 'hearsAcks' | 'open'> {
    return this.#paths;
  }

  /** A path is up. True when there was none for so long that state records should go first. */
  up(path: number, nowMonoMs: number): boolean {
    const wasUp = this.#paths.isUp;
    this.#paths.up(path, nowMonoMs);
    if (wasUp) {
      // What tells of an alarm does not wait for the other path to turn out dead.
      this.#sendAgain((load) => load === 'event' || load === 'urgent');
      this.#reroute(nowMonoMs);
    } else this.#begin(nowMonoMs);
    const since = [this.#downSinceMonoMs];
    this.#downSinceMonoMs = null;
    if (this.#paths.allowed('trend').length > 0) {
      since.push(this.#trendsDownSinceMonoMs);
      this.#trendsDownSinceMonoMs = null;
    }
    return since.some((it) => it !== null && nowMonoMs - it >= LIVE_AGE_MAX_MS);
  }

  #begin(nowMonoMs: number): void {
    this.#window.begin(nowMonoMs);
    this.#birthMonoMs = nowMonoMs;
    this.#wantsBirth = false;
    this.#partsAsked.clear();
  }

  down(path: number, nowMonoMs: number): void {
    this.#paths.down(path);
    if (this.#paths.allowed('trend').length === 0) this.#trendsDownSinceMonoMs ??= nowMonoMs;
    if (this.#paths.isUp) {
      this.#reroute(nowMonoMs);
      return;
    }
    this.#downSinceMonoMs ??= nowMonoMs;
    const back = laneNames.flatMap((name) => this.#lanes[name].reset());
    for (const record of [...back, ...this.#states]) this.#backlog.putBack(record);
    this.#states = [];
    this.#resend = [];
  }

  // Which paths there are has changed.
  #reroute(nowMonoMs: number): void {
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      const isWaiting = (record: Outgoing) => this.#paths.allowed(loadOf(record)).length === 0;
      for (const record of lane.queue.filter(isWaiting)) {
        lane.unqueue(record);
        this.#backlog.putBack(record);
      }
      let isMoved = false;
      for (const { record, tries, paths } of lane.flights) {
        if (!this.#paths.isStranded(loadOf(record), paths)) continue;
        isMoved = true;
        const isCarried = !isWaiting(record) && name !== 'backlog';
        if (isCarried && this.#isResending(record)) continue;
        if (isCarried) this.#resend.push({ lane: name, record, tries });
        else this.#putBack(lane, record);
      }
      if (!isMoved) continue;
      lane.restart(nowMonoMs);
      this.#window.closed(nowMonoMs);
    }
  }

  #sendAgain(isMeant: (load: Load) => boolean): void {
    for (const name of laneNames) {
      for (const { record, tries } of this.#lanes[name].flights) {
        if (!isMeant(loadOf(record)) || this.#isResending(record)) continue;
        this.#resend.push({ lane: name, record, tries });
      }
    }
  }

  #putBack(lane: Lane, record: Outgoing): void {
    lane.take(record);
    this.#resend = this.#resend.filter((it) => it.record !== record);
    this.#backlog.putBack(record);
  }

  /** A record was sealed; it is in the outbox already. */
  sealed(given: Omit<Outgoing, 'load'>, load: Exclude<Load, 'backlog'>): void {
    const record = { ...given, load };
    this.#backlog.open(record);
    if (this.#paths.allowed(load).length === 0) this.#backlog.putBack(record);
    else if (load === 'state') this.#states.push(record);
    else this.#lanes[record.isEvent ? 'event' : 'live'].push(record);
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
    // Read for a path that is gone by now: they are still ready, and are read again.
    if (this.#paths.allowed(lane).length === 0) return;
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
    if (!this.#paths.isUp) return null;
    this.#backlog.unpark(nowMonoMs);
    for (const name of laneNames) this.#checkTimeout(name, nowMonoMs);
    return this.#pullRecord(nowMonoMs) ?? this.#pullRead();
  }

  #pullRecord(nowMonoMs: number): Effect | null {
    const again = this.#resend.find(({ record }) => this.#isOpen(record));
    if (again) {
      this.#resend.splice(this.#resend.indexOf(again), 1);
      this.#counts.resent++;
      return this.#send(again, nowMonoMs);
    }
    const state = this.#states[0];
    const isRoom = state && this.#window.hasRoom('live', state.bytes.length, nowMonoMs);
    if (isRoom && this.#isOpen(state)) {
      this.#states.shift();
      return this.#send({ lane: 'live', record: state, tries: 1 }, nowMonoMs);
    }
    this.#window.refill(nowMonoMs);
    for (const name of laneNames) {
      const lane = this.#lanes[name];
      // What its path cannot take now does not hold up what another one can.
      const record = lane.queue.find((it) => this.#isOpen(it));
      const bytes = record?.bytes.length ?? 0;
      if (!record || !this.#window.hasRoom(name, bytes, nowMonoMs)) continue;
      if (name === 'backlog' && !this.#window.takePace(bytes)) continue;
      lane.unqueue(record);
      return this.#send({ lane: name, record, tries: 1 }, nowMonoMs);
    }
    return null;
  }

  #isOpen(record: Outgoing): boolean {
    return this.#paths.open(loadOf(record)).length > 0;
  }

  #send({ lane, record, tries }: Resend, nowMonoMs: number): Effect {
    const paths = this.#paths.open(loadOf(record));
    this.#counts.sent++;
    this.#lanes[lane].sent(record, tries, nowMonoMs, paths);
    this.#window.sent(nowMonoMs);
    return { kind: 'send', lane, record, paths };
  }

  #pullRead(): Effect | null {
    for (const name of ['event', 'backlog'] as const) {
      const lane = this.#lanes[name];
      if (lane.isReading || lane.queue.length > 0) continue;
      if (lane.isProbing && lane.inFlight > 0) continue;
      if (this.#paths.allowed(name).length === 0) continue;
      const next = this.#backlog.next(name);
      if (!next) continue;
      lane.isReading = true;
      const isOneEnough = this.#window.isSuspect || lane.isProbing;
      return { kind: 'read', lane: name, ...next, bytesMax: isOneEnough ? 1 : READ_BYTES };
    }
    return null;
  }

  #checkTimeout(name: LaneName, nowMonoMs: number): void {
    const lane = this.#lanes[name];
    if (nowMonoMs < lane.deadlineMonoMs) return;
    this.#counts.timeouts++;
    const used = new Set(lane.flights.flatMap(({ paths }) => paths));
    if (this.#paths.suspect([...used], nowMonoMs)) {
      this.#reroute(nowMonoMs);
      if (nowMonoMs < lane.deadlineMonoMs) return;
    }
    this.#window.timedOut(nowMonoMs);
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
    if (!this.#paths.isUp) return Number.POSITIVE_INFINITY;
    let next = this.#backlog.parkedUntilMonoMs;
    for (const name of laneNames) next = Math.min(next, this.#lanes[name].deadlineMonoMs);
    const isWaiting = laneNames.some((name) => this.#lanes[name].queue.length > 0);
    next = Math.min(next, this.#window.nextMonoMs(isWaiting || this.#states.length > 0));
    return next;
  }

  /** `path` is the one it came by. */
  ack(ack: Ack, nowMonoMs: number, path = 0): AckEffects {
    this.#paths.heard(path, nowMonoMs);
    const isNew = this.#storeId !== '' && ack.storeId !== this.#storeId;
    const store = ack.storeId === this.#storeId ? null : { id: ack.storeId, isNew };
    this.#storeId = ack.storeId;
    this.#window.takeCredit(ack.creditBytes, nowMonoMs);
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
      if (closed.length > 0) this.#window.closed(nowMonoMs);
      refused.push(...this.#takeRefused(entry, nowMonoMs));
    }
    this.#closeInMemory(nowMonoMs);
    return { store, wanted, stored, refused, needed: this.#takeNeeded(ack.needed, nowMonoMs) };
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

function loadOf({ load, isEvent }: Outgoing): Load {
  return load ?? (isEvent ? 'event' : 'backlog');
}
