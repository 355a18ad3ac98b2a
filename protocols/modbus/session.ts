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
// - No more requests are in flight than the smallest window of the devices says; at the first
//   anomaly of a device its window is 1 for the rest of the connection: many servers lose merged
//   requests.
// - ANOMALIES_MAX anomalies in a row, or EXPIRED_MAX ids out of use, and the stream is distrusted:
//   the owner closes the connection and begins anew.
// - Devices take turns, so a long queue of one delays another by one request, not by the queue.
import { assert, Fault } from '../../core/fault.ts';
import { IN_FLIGHT_MAX } from './address.ts';
import { ANSWERED, checkResponse, MALFORMED, PDU_BYTES_MAX } from './codec.ts';
import type { FrameSink } from './tcp-frames.ts';
import { Deframer, FRAME_BYTES_MAX, writeFrame } from './tcp-frames.ts';

/** Longer than any device or converter was seen to hold an answer back. */
export const LATE_REPLY_MAX_MS = 120_000;
/** A sixteenth of all ids: given up at the most 34 a second for LATE_REPLY_MAX_MS. */
export const EXPIRED_MAX = 4_096;
export const ANOMALIES_MAX = 3;
/** Polls of a device keep a window each in the queue, so this is 64 polls at once. */
export const QUEUE_MAX = 64 * IN_FLIGHT_MAX;
/** Ids answered last, to tell a duplicate from an unknown. */
const ANSWERED_KEPT = 32;

export type Outcome =
  | 'answered'
  | 'exception'
  | 'timeout'
  | 'bad_response'
  | 'no_connection'
  | 'cancelled'
  | 'overload';

export type TicketState = 'idle' | 'queued' | 'waiting';

/** One request, reusable once settled. */
export abstract class Ticket {
  readonly pdu: Uint8Array;
  state: TicketState = 'idle';
  lane: Lane | null = null;
  transaction = -1;
  sentMs = 0;
  deadlineMs = 0;

  constructor(pdu: Uint8Array) {
    assert(pdu.length >= 1 && pdu.length <= PDU_BYTES_MAX, 'a request is a PDU');
    this.pdu = pdu;
  }

  /**
   * What became of it. The answer's PDU is `bytes[start..end)`, valid only during the call, with
   * `answered`; `code` is the exception's with `exception`.
   */
  abstract settled(
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    nowMs: number,
  ): void;
}

export interface Effects {
  /** The bytes are the receiver's to keep. */
  send(bytes: Uint8Array): void;
  /** The stream cannot be trusted any more: close it. */
  distrust(why: Fault): void;
}

export interface LaneOptions {
  readonly unit: number;
  readonly timeoutMs: number;
  readonly inFlightMax: number;
  readonly minGapMs: number;
}

/** The requests to one device. */
export interface Lane {
  readonly options: LaneOptions;
  readonly queue: Ticket[];
  window: number;
  inFlight: number;
  /** Not before: the pause the device needs after an answer. */
  readyMs: number;
  /** Time from request to answer, smoothed over about eight; 0 until the first. */
  turnaroundMs: number;
}

const nothing = new Uint8Array(0);
const never = Number.POSITIVE_INFINITY;

export class Transactions implements FrameSink {
  readonly counts = { late: 0, duplicate: 0, unknown: 0, malformed: 0, garbage: 0 };
  /** When `tick` must be called at the latest; infinity when nothing waits. May be early. */
  wakeMs = never;

  /** Why it was closed; null while open and after an ordinary close. */
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
    const lane: Lane = {
      options,
      queue: [],
      window: Math.min(options.inFlightMax, IN_FLIGHT_MAX),
      inFlight: 0,
      readyMs: 0,
      turnaroundMs: 0,
    };
    this.#lanes.push(lane);
    return lane;
  }

  /** What `submit` submits leaves in one piece. */
  together(nowMs: number, submit: () => void): void {
    this.#begin(nowMs);
    submit();
    this.#finish();
  }

  submit(lane: Lane, ticket: Ticket, nowMs: number): void {
    assert(ticket.state === 'idle', 'a ticket is submitted once at a time');
    if (!this.#isOpen || lane.queue.length >= QUEUE_MAX) {
      this.#settle(ticket, this.#isOpen ? 'overload' : 'no_connection', nowMs);
      return;
    }
    this.#begin(nowMs);
    ticket.state = 'queued';
    ticket.lane = lane;
    lane.queue.push(ticket);
    this.#finish();
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    if (!this.#isOpen) return;
    this.#begin(nowMs);
    this.#deframer.push(bytes, this);
    this.#finish();
  }

  /** Gives up what is past its deadline and sends what had to pause. */
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
      if (lane.inFlight > 0) lane.window = 1;
      this.#expire(transaction);
      this.#settle(ticket, 'timeout', nowMs);
    }
    this.#finish();
  }

  /** Gives a ticket up; its late answer finds nobody. Nothing when it is idle. */
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

  /** Settles everything as `no_connection`; nothing is sent any more. The first reason stays. */
  close(nowMs: number, why: Fault | null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.closedBy = why;
    this.wakeMs = never;
    this.#outBytes = 0;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const ticket of waiting) this.#settle(ticket, 'no_connection', nowMs);
    for (const lane of this.#lanes) {
      lane.inFlight = 0;
      for (const ticket of lane.queue.splice(0)) this.#settle(ticket, 'no_connection', nowMs);
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
    const lane = this.#release(transaction, ticket);
    const verdict =
      unit === lane.options.unit ? checkResponse(ticket.pdu, bytes, start, end) : MALFORMED;
    if (verdict === MALFORMED) {
      this.counts.malformed++;
      this.#expire(transaction); // The true answer may still come.
      this.#settle(ticket, 'bad_response', this.#nowMs);
      this.#anomaly('an answer does not fit its request');
      return;
    }
    this.#anomalies = 0;
    this.#answered[this.#answeredAt] = transaction;
    this.#answeredAt = (this.#answeredAt + 1) % ANSWERED_KEPT;
    const tookMs = this.#nowMs - ticket.sentMs;
    lane.turnaroundMs += lane.turnaroundMs === 0 ? tookMs : (tookMs - lane.turnaroundMs) / 8;
    ticket.state = 'idle';
    const outcome = verdict === ANSWERED ? 'answered' : 'exception';
    ticket.settled(outcome, verdict, bytes, start, end, this.#nowMs);
  }

  garbage(): void {
    if (!this.#isOpen) return;
    this.counts.garbage++;
    this.#anomaly('bytes that are no Modbus TCP frame');
  }

  // --- Inside ---

  #nobody(transaction: number): void {
    if (this.#expired.delete(transaction)) {
      this.counts.late++; // A slow device, not a confused one.
      return;
    }
    if (this.#answered.includes(transaction)) this.counts.duplicate++;
    else this.counts.unknown++;
    this.#anomaly(`an answer to transaction ${transaction}, which is not in flight`);
  }

  #anomaly(what: string): void {
    for (const lane of this.#lanes) lane.window = 1;
    if (++this.#anomalies < ANOMALIES_MAX) return;
    this.#anomalies = 0;
    const detail = `${ANOMALIES_MAX} anomalies in a row, the last: ${what}`;
    this.#effects.distrust(new Fault('modbus_desync', 'now', detail));
  }

  #release(transaction: number, ticket: Ticket): Lane {
    const lane = ticket.lane!;
    this.#waiting.delete(transaction);
    lane.inFlight--;
    lane.readyMs = this.#nowMs + lane.options.minGapMs;
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
    const detail = `${EXPIRED_MAX} requests in ${LATE_REPLY_MAX_MS / 1_000} s went unanswered`;
    this.#effects.distrust(new Fault('modbus_desync', 'later', detail));
  }

  #settle(ticket: Ticket, outcome: Outcome, nowMs: number): void {
    ticket.state = 'idle';
    ticket.settled(outcome, 0, nothing, 0, 0, nowMs);
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

  /** Sends what may be sent, the lanes taking turns. */
  #pump(): void {
    const lanes = this.#lanes;
    let window = IN_FLIGHT_MAX;
    for (const lane of lanes) if (lane.window < window) window = lane.window;
    let idle = 0;
    while (this.#waiting.size < window && idle < lanes.length) {
      if (this.#turn >= lanes.length) this.#turn = 0;
      const lane = lanes[this.#turn++]!;
      idle++;
      if (lane.queue.length === 0) continue;
      if (lane.readyMs > this.#nowMs) {
        this.wakeMs = Math.min(this.wakeMs, lane.readyMs);
        continue;
      }
      if (lane.options.minGapMs > 0 && lane.inFlight > 0) continue;
      this.#send(lane, lane.queue.shift()!);
      idle = 0;
    }
  }

  #send(lane: Lane, ticket: Ticket): void {
    do this.#transaction = (this.#transaction + 1) & 0xffff;
    while (this.#waiting.has(this.#transaction) || this.#expired.has(this.#transaction));
    const deadlineMs = this.#nowMs + lane.options.timeoutMs;
    ticket.state = 'waiting';
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
