// What goes now. Each receiver has a lane: so many sends at once and no more, so that one that
// hangs holds back nobody else; level I first, then in the order of the ledger; as many messages as
// its quotas allow. A receiver that takes several deliveries in one message gets those that wait
// together, the worst first, one such message after another and DIGEST_EVERY_MS apart; level I goes
// by itself. What is told of one alarm to one receiver goes one after another: its end waits until
// its beginning was taken.
//
// Queues are heaps whose tickets go stale instead of being looked for: 10,000 alarms in ten seconds
// cost 10,000 times the logarithm of what waits. Times are of the monotonic clock.
import type { Quota } from './channels/channel.ts';
import { Heap } from './heap.ts';
import type { Entry } from './ledger.ts';
import type { Delivery } from './notifier.ts';
import { isCall } from './notifier.ts';
import { keptMs, quotaWaitMs } from './quota.ts';

export const SENDS_PER_RECEIVER_MAX = 8;
/** A flood of a minute is twelve messages: with one for each alarm a robot takes twenty. */
export const DIGEST_EVERY_MS = 5_000;

/** A delivery with something left to do. */
export interface Open {
  entry: Entry;
  /** On the monotonic clock, as the entry's wall times. */
  nextMonoMs: number | null;
  confirmByMonoMs: number | null;
  isSending: boolean;
}

/** Goes in one message. */
export type Batch = readonly [Open, ...Open[]];

export interface LaneSettings {
  readonly quotas: readonly Quota[];
  readonly digestMax: number;
}

interface Ticket {
  readonly open: Open;
  readonly atMs: number;
}

interface Lane extends LaneSettings {
  readonly ready: Heap<Ticket>;
  readonly waiting: Heap<Ticket>;
  /** When messages went, ascending; of a receiver with quotas alone. */
  readonly usedMs: number[];
  sending: number;
  isDigestSending: boolean;
  /** The receiver takes nothing before. */
  freeMs: number;
  digestMs: number;
  /** What is ready may not go before, by quota or pause; 0: it may. */
  blockedMs: number;
}

const ALONE: LaneSettings = { quotas: [], digestMax: 1 };

const isLive = ({ open, atMs }: Ticket) => !open.isSending && open.nextMonoMs === atMs;
const isUrgent = ({ alarm }: Delivery) => alarm.level === 1;

function first(heap: Heap<Ticket>): Ticket | undefined {
  while (heap.first && !isLive(heap.first)) heap.take();
  return heap.first;
}

export class Lanes {
  readonly #settings: ReadonlyMap<string, LaneSettings>;
  readonly #lanes = new Map<string, Lane>();
  /** By occurrence and receiver: calls that were not taken yet, and ends that wait for them. */
  readonly #untold = new Map<string, Set<number>>();
  readonly #held = new Map<string, Open[]>();
  /** By the first of a batch under way: when it was counted. */
  readonly #usedMs = new WeakMap<Open, number>();

  constructor(settings: ReadonlyMap<string, LaneSettings>) {
    this.#settings = settings;
  }

  /** It is new, or something about it has changed. */
  put(open: Open): void {
    const { delivery } = open.entry;
    const key = groupOf(delivery);
    if (isCall(delivery.transition)) {
      if (delivery.acceptedMs === null) {
        const untold = this.#untold.get(key) ?? new Set();
        this.#untold.set(key, untold.add(delivery.number));
      } else this.#told(delivery);
    } else if (this.#untold.has(key)) {
      const held = this.#held.get(key) ?? [];
      held.push(open);
      this.#held.set(key, held);
      return;
    }
    this.#queue(open);
  }

  /** Nothing is left to do. */
  drop(open: Open): void {
    open.nextMonoMs = null;
    this.#told(open.entry.delivery);
  }

  /** What goes now; each is sending from then on, until `ended`. */
  next(nowMs: number): Batch[] {
    const batches: Batch[] = [];
    for (const lane of this.#lanes.values()) this.#nextOf(lane, nowMs, batches);
    return batches.sort(
      ([{ entry: a }], [{ entry: b }]) =>
        a.delivery.alarm.level - b.delivery.alarm.level || a.delivery.number - b.delivery.number,
    );
  }

  /** Its send has come to an end. */
  ended(batch: Batch, nowMs: number): void {
    const lane = this.#laneOf(batch[0]);
    lane.sending--;
    if (isDigest(lane, batch)) lane.isDigestSending = false;
    // It counts from when it was surely there.
    const at = lane.usedMs.indexOf(this.#usedMs.get(batch[0]) ?? Number.NaN);
    if (at >= 0) lane.usedMs.push(...lane.usedMs.splice(at, 1).map(() => nowMs));
    for (const open of batch) open.isSending = false;
  }

  /** It could not be recorded that it began, so it took nothing of a quota. */
  notBegun(batch: Batch, nowMs: number): void {
    const { usedMs } = this.#laneOf(batch[0]);
    const at = usedMs.lastIndexOf(this.#usedMs.get(batch[0]) ?? Number.NaN);
    if (at >= 0) usedMs.splice(at, 1);
    this.#usedMs.delete(batch[0]);
    this.ended(batch, nowMs);
  }

  /** The receiver takes nothing before. */
  pause(receiver: string, untilMs: number): void {
    const lane = this.#lane(receiver);
    lane.freeMs = Math.max(lane.freeMs, untilMs);
  }

  /** What went before this process began. */
  used(receiver: string, usedMs: readonly number[]): void {
    const lane = this.#lane(receiver);
    lane.usedMs.push(...usedMs);
    lane.usedMs.sort((a, b) => a - b);
  }

  hasQuota(receiver: string): boolean {
    return this.#lane(receiver).quotas.length > 0;
  }

  isDigesting(receiver: string): boolean {
    return this.#lane(receiver).digestMax > 1;
  }

  /** After how long a level I message may go to it, whatever is on its way. */
  urgentInMs(receiver: string, nowMs: number): number {
    const { quotas, usedMs, freeMs } = this.#lane(receiver);
    return Math.max(0, freeMs - nowMs, quotaWaitMs(quotas, usedMs, nowMs, true));
  }

  /** When something may go that does not yet; Infinity: nothing waits. */
  nextMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const lane of this.#lanes.values()) {
      const isFull = lane.sending >= SENDS_PER_RECEIVER_MAX;
      const waiting = first(lane.waiting);
      if (waiting) next = Math.min(next, waiting.atMs);
      if (!isFull && first(lane.ready)) next = Math.min(next, lane.blockedMs);
    }
    return next;
  }

  /** Receivers for whose quota or pause something waits, and until when. */
  blocked(nowMs: number): ReadonlyMap<string, number> {
    const blocked = new Map<string, number>();
    for (const [receiver, lane] of this.#lanes) {
      if (!first(lane.ready)) continue;
      const { freeMs, quotas, usedMs } = lane;
      const untilMs = Math.max(freeMs, nowMs + quotaWaitMs(quotas, usedMs, nowMs, false));
      if (untilMs > nowMs) blocked.set(receiver, untilMs);
    }
    return blocked;
  }

  #nextOf(lane: Lane, nowMs: number, batches: Batch[]): void {
    for (let due = first(lane.waiting); due && due.atMs <= nowMs; due = first(lane.waiting)) {
      lane.ready.add(lane.waiting.take()!);
    }
    lane.blockedMs = 0;
    while (lane.sending < SENDS_PER_RECEIVER_MAX) {
      const ticket = first(lane.ready);
      if (!ticket) return;
      const urgent = isUrgent(ticket.open.entry.delivery);
      lane.blockedMs = blockedUntil(lane, nowMs, urgent);
      if (lane.blockedMs > nowMs) return;
      const batch = take(lane);
      lane.sending++;
      if (isDigest(lane, batch)) {
        lane.isDigestSending = true;
        lane.digestMs = nowMs + DIGEST_EVERY_MS;
      }
      if (lane.quotas.length > 0) {
        use(lane, nowMs);
        this.#usedMs.set(batch[0], nowMs);
      }
      batches.push(batch);
    }
  }

  #queue(open: Open): void {
    if (open.isSending || open.nextMonoMs === null) return;
    this.#laneOf(open).waiting.add({ open, atMs: open.nextMonoMs });
  }

  #told(delivery: Delivery): void {
    const key = groupOf(delivery);
    const untold = this.#untold.get(key);
    if (!untold?.delete(delivery.number) || untold.size > 0) return;
    this.#untold.delete(key);
    const held = this.#held.get(key) ?? [];
    this.#held.delete(key);
    for (const open of held) this.#queue(open);
  }

  #laneOf({ entry }: Open): Lane {
    return this.#lane(entry.delivery.receiver);
  }

  #lane(receiver: string): Lane {
    const known = this.#lanes.get(receiver);
    if (known) return known;
    const lane: Lane = {
      ...(this.#settings.get(receiver) ?? ALONE),
      ready: new Heap(byLevel),
      waiting: new Heap((a, b) => a.atMs - b.atMs),
      usedMs: [],
      ...{ sending: 0, isDigestSending: false, freeMs: 0, digestMs: 0, blockedMs: 0 },
    };
    this.#lanes.set(receiver, lane);
    return lane;
  }
}

function byLevel({ open: a }: Ticket, { open: b }: Ticket): number {
  const [one, other] = [a.entry.delivery, b.entry.delivery];
  return one.alarm.level - other.alarm.level || one.number - other.number;
}

function groupOf({ alarm, receiver }: Delivery): string {
  return `${alarm.occurrence} ${receiver}`;
}

// A digest's end is told by a wake, so it needs no time.
function blockedUntil(lane: Lane, nowMs: number, urgent: boolean): number {
  const { freeMs, quotas, usedMs, digestMax, isDigestSending, digestMs } = lane;
  const byQuotaMs = nowMs + quotaWaitMs(quotas, usedMs, nowMs, urgent);
  const untilMs = Math.max(freeMs, byQuotaMs);
  if (urgent || digestMax <= 1) return untilMs;
  return isDigestSending ? Number.POSITIVE_INFINITY : Math.max(untilMs, digestMs);
}

function take(lane: Lane): Batch {
  const { open } = lane.ready.take()!;
  open.isSending = true;
  const batch: [Open, ...Open[]] = [open];
  if (isUrgent(open.entry.delivery)) return batch;
  while (batch.length < lane.digestMax) {
    if (!first(lane.ready)) break;
    const { open: next } = lane.ready.take()!;
    next.isSending = true;
    batch.push(next);
  }
  return batch;
}

const isDigest = ({ digestMax }: LaneSettings, [{ entry }]: Batch) =>
  digestMax > 1 && !isUrgent(entry.delivery);

function use(lane: Lane, nowMs: number): void {
  lane.usedMs.push(nowMs);
  const keptFromMs = nowMs - keptMs(lane.quotas);
  const gone = lane.usedMs.findIndex((atMs) => atMs > keptFromMs);
  if (gone > 0) lane.usedMs.splice(0, gone);
}
