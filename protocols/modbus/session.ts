// The conversation with the devices behind one Modbus TCP connection, as a state machine without
// I/O: bytes, times and requests go in; bytes to send, settled requests and distrust come out of
// `Effects`.
//
// A ticket is one request. `idle -> queued -> waiting -> idle`; each submission is settled exactly
// once: by its answer, an exception, its deadline, a malformed answer, a cancel, a full queue, or
// the close.
//
// Promises
// - An answer settles a ticket only if transaction, unit, function, byte count and echo all fit.
//   What does not fit never becomes a value: with the right transaction it settles the ticket as
//   `bad_response`, else it is counted (late, duplicate, unknown) and dropped.
// - The transaction id of a ticket that was given up is not used again for LATE_REPLY_MAX_MS, so
//   its late answer finds nobody.
// - How many requests may be in flight is found out: first one, then twice as many after each
//   CLEAN_RUN answers to a full window, up to the least that the devices behind the connection
//   allow. At the first anomaly it is one for the rest of the connection, and half of what failed
//   is the most on the next: many servers lose merged requests.
// - ANOMALIES_MAX anomalies in a row, or EXPIRED_MAX ids out of use, and the stream is distrusted:
//   the owner closes the connection and begins anew.
// - The lower rank goes first. Devices of one rank take turns, so a long queue of one delays
// another
//   by one request, not by the queue.
import { assert, Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { IN_FLIGHT_MAX } from './address.ts';
import { ANSWERED, checkResponse, MALFORMED } from './codec.ts';
import type {
  Conversation,
  Effects,
  Lane,
  LaneOptions,
  Lessons,
  Outcome,
  Ticket,
} from './conversation.ts';
import {
  learnTurnaround,
  noCounts,
  RANK_PLAIN,
  REGISTER_MS,
  REQUEST_MS_MIN,
  timeoutOf,
  turnaroundOf,
} from './conversation.ts';
import type { PlanCost } from './planner.ts';
import type { FrameSink } from './tcp-frames.ts';
import { Deframer, FRAME_BYTES_MAX, writeFrame } from './tcp-frames.ts';

/** Longer than any device or converter was seen to hold an answer back. */
export const LATE_REPLY_MAX_MS = 120_000;
/** A sixteenth of all ids: given up at the most 34 a second for LATE_REPLY_MAX_MS. */
export const EXPIRED_MAX = 4_096;
export const ANOMALIES_MAX = 3;
/** Polls of a device keep a window each in the queue, so this is 64 polls at once. */
export const QUEUE_MAX = 64 * IN_FLIGHT_MAX;
/** Answers to a full window without an anomaly, before it is doubled. */
export const CLEAN_RUN = 8;
/** Ids answered last, to tell a duplicate from an unknown. */
const ANSWERED_KEPT = 32;

type Anomaly =
  | 'modbus-desync-misfit'
  | 'modbus-desync-unit'
  | 'modbus-desync-garbage'
  | 'modbus-desync-unknown';

const nothing = new Uint8Array(0);
const never = Number.POSITIVE_INFINITY;

export class Transactions implements Conversation, FrameSink {
  readonly counts = noCounts();
  wakeMs = never;
  window = 1;
  closedBy: Fault | null = null;

  readonly #effects: Effects;
  readonly #deframer = new Deframer();
  readonly #lanes: Lane[] = [];
  readonly #waiting = new Map<number, Ticket>();
  // Ids given up, and until when they stay out of use; oldest first, as Map keeps the order.
  readonly #expired = new Map<number, number>();
  readonly #answered = new Int32Array(ANSWERED_KEPT).fill(-1);
  #answeredAt = 0;
  #transaction = 0;
  #turn = 0;
  #anomalies = 0;
  #windowMax = IN_FLIGHT_MAX;
  #clean = 0;
  #isOpen = true;
  #depth = 0;
  #nowMs = Number.NEGATIVE_INFINITY;
  readonly #out = new Uint8Array(IN_FLIGHT_MAX * FRAME_BYTES_MAX);
  #outBytes = 0;

  constructor(effects: Effects) {
    this.#effects = effects;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get inFlight(): number {
    return this.#waiting.size;
  }

  lane(options: LaneOptions): Lane {
    const lessons = { turnaroundMs: 0, windowFailed: 0, owed: null, manyOnly: 0 };
    const lane = { options, queue: [], lessons, inFlight: 0, readyMs: 0, takenMs: 0 };
    this.#lanes.push(lane);
    this.#windowMax = Math.min(this.#windowMax, options.inFlightMax);
    this.window = Math.min(this.window, this.#windowMax);
    return lane;
  }

  cost(lane: Lane): PlanCost {
    const requestMs = Math.max(REQUEST_MS_MIN, turnaroundOf(lane)) + lane.options.minGapMs;
    return { requestMs, registerMs: REGISTER_MS };
  }

  recall({ lessons }: Lane, earlier: Lessons): void {
    if (lessons.turnaroundMs === 0) lessons.turnaroundMs = earlier.turnaroundMs;
    lessons.manyOnly |= earlier.manyOnly;
    if (earlier.windowFailed === 0) return;
    lessons.windowFailed = earlier.windowFailed;
    this.#windowMax = Math.min(this.#windowMax, Math.max(1, earlier.windowFailed >> 1));
    this.window = Math.min(this.window, this.#windowMax);
  }

  together(nowMs: number, submit: () => void): void {
    this.#begin(nowMs);
    submit();
    this.#finish();
  }

  submit(lane: Lane, ticket: Ticket, nowMs: number): void {
    assert(ticket.state === 'idle', 'a ticket is submitted once at a time');
    ticket.lineMs = 0;
    ticket.wasSent = false;
    if (!this.#isOpen || lane.queue.length >= QUEUE_MAX) {
      this.#settle(ticket, this.#isOpen ? 'overload' : 'no_connection', nowMs);
      return;
    }
    this.#begin(nowMs);
    ticket.state = 'queued';
    ticket.lane = lane;
    const { queue } = lane;
    let at = queue.length;
    while (at > 0 && rankOf(queue[at - 1]!) > rankOf(ticket)) at--;
    if (at === queue.length) queue.push(ticket);
    else queue.splice(at, 0, ticket);
    this.#finish();
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    if (!this.#isOpen) return;
    this.#begin(nowMs);
    this.#deframer.push(bytes, this);
    this.#finish();
  }

  tick(nowMs: number): void {
    if (!this.#isOpen) return;
    this.#begin(nowMs);
    this.wakeMs = never;
    for (const [transaction, ticket] of this.#waiting) {
      if (ticket.deadlineMs > nowMs) {
        this.wakeMs = Math.min(this.wakeMs, ticket.deadlineMs);
        continue;
      }
      const lane = this.#release(transaction, ticket);
      if (lane.inFlight > 0) this.#narrow();
      this.#expire(transaction);
      this.#settle(ticket, 'timeout', nowMs);
    }
    this.#finish();
  }

  cancel(ticket: Ticket, nowMs: number): void {
    if (ticket.state === 'idle') return;
    this.#begin(nowMs);
    if (ticket.state === 'waiting') {
      const { transaction } = ticket;
      this.#release(transaction, ticket);
      this.#expire(transaction);
    } else {
      const queue = ticket.lane!.queue;
      queue.splice(queue.indexOf(ticket), 1);
    }
    this.#settle(ticket, 'cancelled', nowMs);
    this.#finish();
  }

  close(nowMs: number, why: Fault | null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.closedBy = why;
    this.wakeMs = never;
    this.#outBytes = 0;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    const queued = this.#lanes.flatMap((lane) => lane.queue.splice(0));
    for (const lane of this.#lanes) lane.inFlight = 0;
    // Who is told of one may have cancelled the next.
    for (const ticket of [...waiting, ...queued]) {
      if (ticket.state !== 'idle') this.#settle(ticket, 'no_connection', nowMs);
    }
  }

  // --- FrameSink ---

  frame(transaction: number, unit: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isOpen) return;
    const ticket = this.#waiting.get(transaction);
    if (!ticket) {
      this.#nobody(transaction);
      return;
    }
    const isFull = this.#waiting.size >= this.window;
    const lane = this.#release(transaction, ticket);
    const verdict = checkResponse(ticket.pdu, bytes, start, end);
    if (verdict === MALFORMED || unit !== lane.options.unit) {
      this.#expire(transaction); // The true answer may still come.
      this.#misfit(ticket, unit, lane);
      return;
    }
    this.#anomalies = 0;
    this.#answered[this.#answeredAt] = transaction;
    this.#answeredAt = (this.#answeredAt + 1) % ANSWERED_KEPT;
    if (isFull && this.window < this.#windowMax) this.#widen();
    learnTurnaround(lane.lessons, this.#nowMs - ticket.sentMs);
    ticket.state = 'idle';
    const outcome = verdict === ANSWERED ? 'answered' : 'exception';
    ticket.settled(outcome, verdict, bytes, start, end, this.#nowMs);
  }

  garbage(): void {
    if (!this.#isOpen) return;
    this.counts.garbage++;
    this.#anomaly('modbus-desync-garbage');
  }

  // --- Inside ---

  #misfit(ticket: Ticket, unit: number, lane: Lane): void {
    if (unit === lane.options.unit) {
      this.counts.malformed++;
      this.#settle(ticket, 'bad_response', this.#nowMs);
      this.#anomaly('modbus-desync-misfit');
    } else {
      this.counts.foreign++;
      this.#settle(ticket, 'other_unit', this.#nowMs, unit);
      this.#anomaly('modbus-desync-unit');
    }
  }

  #nobody(transaction: number): void {
    if (this.#expired.delete(transaction)) {
      this.counts.late++; // A slow device, not a confused one.
      return;
    }
    if (this.#answered.includes(transaction)) this.counts.duplicate++;
    else this.counts.unknown++;
    this.#anomaly('modbus-desync-unknown');
  }

  #anomaly(last: Anomaly): void {
    this.#narrow();
    if (++this.#anomalies < ANOMALIES_MAX) return;
    this.#anomalies = 0;
    const detail = bilingual(last, { count: ANOMALIES_MAX });
    this.#effects.distrust(new Fault('modbus_desync', 'now', detail));
  }

  #widen(): void {
    if (++this.#clean < CLEAN_RUN) return;
    this.#clean = 0;
    this.window = Math.min(this.window * 2, this.#windowMax);
  }

  #narrow(): void {
    if (this.window > 1) for (const { lessons } of this.#lanes) lessons.windowFailed = this.window;
    this.window = 1;
    this.#windowMax = 1;
  }

  #release(transaction: number, ticket: Ticket): Lane {
    const lane = ticket.lane!;
    this.#waiting.delete(transaction);
    lane.inFlight--;
    lane.readyMs = this.#nowMs + lane.options.minGapMs;
    // Several in flight share the line.
    ticket.lineMs = this.#nowMs - Math.max(ticket.sentMs, lane.takenMs);
    lane.takenMs = this.#nowMs;
    ticket.transaction = -1;
    return lane;
  }

  #expire(transaction: number): void {
    for (const [id, untilMs] of this.#expired) {
      if (untilMs > this.#nowMs) break;
      this.#expired.delete(id);
    }
    this.#expired.set(transaction, this.#nowMs + LATE_REPLY_MAX_MS);
    if (this.#expired.size < EXPIRED_MAX) return;
    const counts = { count: EXPIRED_MAX, seconds: LATE_REPLY_MAX_MS / 1_000 };
    const detail = bilingual('modbus-desync-unanswered', counts);
    this.#effects.distrust(new Fault('modbus_desync', 'later', detail));
  }

  #settle(ticket: Ticket, outcome: Outcome, nowMs: number, code = 0): void {
    ticket.state = 'idle';
    ticket.settled(outcome, code, nothing, 0, 0, nowMs);
  }

  // Whoever is told of an outcome may submit the next request at once: it is queued, and sent
  // together with the others when the outermost call ends, in one piece.
  #begin(nowMs: number): void {
    this.#depth++;
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  #finish(): void {
    if (--this.#depth > 0) return;
    if (!this.#isOpen) return;
    this.#pump();
    if (this.#outBytes === 0) return;
    const bytes = this.#out.slice(0, this.#outBytes);
    this.#outBytes = 0;
    this.#effects.send(bytes);
  }

  #pump(): void {
    while (this.#waiting.size < this.window) {
      const lane = this.#nextLane();
      if (!lane) return;
      const ticket = lane.queue.shift()!;
      if (ticket.mayGo?.() === false) this.#settle(ticket, 'cancelled', this.#nowMs);
      else this.#send(lane, ticket);
    }
  }

  /** The lower rank first; of equals, in turns. */
  #nextLane(): Lane | null {
    const lanes = this.#lanes;
    let best = -1;
    let bestRank = never;
    for (let step = 0; step < lanes.length; step++) {
      const at = (this.#turn + step) % lanes.length;
      const { queue, readyMs, options, inFlight } = lanes[at]!;
      if (queue.length === 0) continue;
      if (readyMs > this.#nowMs) {
        this.wakeMs = Math.min(this.wakeMs, readyMs);
        continue;
      }
      if (options.minGapMs > 0 && inFlight > 0) continue;
      const rank = rankOf(queue[0]!);
      if (rank >= bestRank) continue;
      best = at;
      bestRank = rank;
    }
    if (best < 0) return null;
    this.#turn = best + 1;
    return lanes[best]!;
  }

  #send(lane: Lane, ticket: Ticket): void {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#waiting.has(this.#transaction) || this.#expired.has(this.#transaction));
    const deadlineMs = this.#nowMs + timeoutOf(lane, ticket);
    ticket.state = 'waiting';
    ticket.wasSent = true;
    ticket.transaction = this.#transaction;
    ticket.sentMs = this.#nowMs;
    ticket.deadlineMs = deadlineMs;
    if (deadlineMs < this.wakeMs) this.wakeMs = deadlineMs;
    lane.inFlight++;
    this.#waiting.set(ticket.transaction, ticket);
    const { unit } = lane.options;
    this.#outBytes = writeFrame(this.#out, this.#outBytes, ticket.transaction, unit, ticket.pdu);
  }
}

function rankOf({ urgency }: Ticket): number {
  return urgency?.rank ?? RANK_PLAIN;
}
