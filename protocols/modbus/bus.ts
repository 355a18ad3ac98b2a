// The conversation on a line where one speaks at a time: a serial bus, or a converter that carries
// its frames over TCP. A state machine without I/O, like the transactions of Modbus TCP.
//
// One exchange is under way or none: a request, a probe ahead of one (owed.ts), or a broadcast. A
// ticket is settled exactly once: by its answer, an exception, its deadline, a cancel, a full
// queue, or the close.
//
// Promises
// - An answer settles a ticket only if unit, function, byte count and echo fit and it can be no
//   answer to an earlier request. What does not fit is counted and dropped, and the wait goes on;
//   at the deadline it says why there was no answer (`bad_response`, `other_unit`, `collision`).
// - The next request is the most urgent of all devices: the lower rank, then the earlier due time.
// - A request is sent after 3.5 characters of silence (1.75 ms above 19,200 baud, as the standard
//   fixes it), and not before an exchange that was cancelled is answered or past its deadline. A
//   line that never falls silent is spoken into after LISTEN_MAX_MS, so that all is settled.
// - A deadline is the time of the request on the line, the device's time-out, and the time of the
//   longest answer.
//
// Times of the line come from the link's pace; where there is none, bytes take no time.
import { assert, type Fault } from '../../core/fault.ts';
import type { Pace } from '../driver.ts';
import { ANSWERED, answerPduBytes, checkResponse, MALFORMED } from './codec.ts';
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
  goesBefore,
  learnTurnaround,
  noCounts,
  REGISTER_MS,
  REQUEST_MS_MIN,
  timeoutOf,
  turnaroundOf,
} from './conversation.ts';
import { Echo } from './echo.ts';
import type { LineDeframer, LineFrames, LineSink } from './line-frames.ts';
import { characterMsOf, lineFrames, silenceMsOf } from './line-frames.ts';
import { Owed } from './owed.ts';
import type { PlanCost } from './planner.ts';

/** 247 units with four groups of points each have one request waiting a group. */
export const LINE_QUEUE_MAX = 1_024;
assert(247 * 4 <= LINE_QUEUE_MAX, 'a full line fits its queue');
/** No adapter or converter was seen to hold back the rest of a frame as long. */
export const RESYNC_MS = 50;
/** Two of the longest frames at 9,600 baud. */
export const LISTEN_MAX_MS = 600;
/**
 * Between a broadcast and the next request, for the devices to act on it (2.4.1: 100 to 200 ms).
 */
export const BROADCAST_MS = 100;
/** Units on a line, and 255 behind some converters. */
const UNITS = 256;

const nothing = new Uint8Array(0);
const never = Number.POSITIVE_INFINITY;

/** Of a point read: the request's five bytes, and two around an answer's data. */
const REQUEST_PDU_BYTES = 5;
const ANSWER_PDU_BYTES = 2;

export interface BusOptions {
  readonly framing: 'rtu' | 'ascii';
  /** What is sent comes back first. */
  readonly echo: boolean;
  readonly pace: Pace | undefined;
}

/** What is on the line; one object, used again. */
interface Exchange {
  isOpen: boolean;
  lane: Lane | null;
  asked: Uint8Array;
  /** Null once it was cancelled: then only the line is waited for. */
  ticket: Ticket | null;
  /** The ticket is sent when this is answered. */
  isProbe: boolean;
  isBroadcast: boolean;
  startMs: number;
  /** When the last byte of the request is out. */
  sentMs: number;
  deadlineMs: number;
  /** What came instead of an answer, for the deadline to tell. */
  instead: Outcome;
  otherUnit: number;
  /** Bytes that were no frame, before it was sent. */
  garbageBytes: number;
}

export class Bus implements Conversation, LineSink {
  readonly counts = noCounts();
  readonly window = 1;
  wakeMs = never;
  closedBy: Fault | null = null;

  readonly #effects: Effects;
  readonly #hasEcho: boolean;
  readonly #frames: LineFrames;
  readonly #deframer: LineDeframer;
  readonly #characterMs: number;
  readonly #silenceMs: number;
  readonly #out: Uint8Array;
  readonly #owed: (Owed | undefined)[] = new Array(UNITS);
  readonly #queue: Ticket[] = [];
  readonly #exchange: Exchange = {
    isOpen: false,
    lane: null,
    asked: nothing,
    ticket: null,
    isProbe: false,
    isBroadcast: false,
    startMs: 0,
    sentMs: 0,
    deadlineMs: 0,
    instead: 'timeout',
    garbageBytes: 0,
    otherUnit: 0,
  };
  readonly #echo = new Echo();
  /** Not before: the silence between frames. */
  #freeMs = 0;
  /** When something else came to be ready, while the line was not silent; -1 when it was. */
  #heldBackMs = -1;
  /** When what is held is no longer the beginning of anything. */
  #staleMs = 0;
  #readyMs = never;
  #isOpen = true;
  #depth = 0;
  #nowMs = Number.NEGATIVE_INFINITY;

  constructor(effects: Effects, options: BusOptions) {
    const { framing, echo, pace } = options;
    this.#effects = effects;
    this.#hasEcho = echo;
    this.#frames = lineFrames[framing];
    this.#deframer = this.#frames.deframer();
    this.#out = new Uint8Array(this.#frames.bytesMax);
    this.#characterMs = characterMsOf(pace);
    this.#silenceMs = silenceMsOf(pace, this.#frames);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** All bytes ever dropped in search of a frame. */
  get garbageBytes(): number {
    return this.#deframer.garbageBytes;
  }

  lane(options: LaneOptions): Lane {
    const owed = (this.#owed[options.unit] ??= new Owed());
    const lessons = { turnaroundMs: 0, windowFailed: 0, owed, manyOnly: 0 };
    return { options, queue: [], lessons, inFlight: 0, readyMs: 0, takenMs: 0 };
  }

  cost(lane: Lane): PlanCost {
    const turnaroundMs = turnaroundOf(lane);
    const pauseMs = Math.max(this.#silenceMs, lane.options.minGapMs);
    if (this.#characterMs === 0) {
      const requestMs = Math.max(REQUEST_MS_MIN, turnaroundMs) + pauseMs;
      return { requestMs, registerMs: REGISTER_MS };
    }
    const { bytesOf } = this.#frames;
    const characters = bytesOf(REQUEST_PDU_BYTES) + bytesOf(ANSWER_PDU_BYTES);
    return {
      requestMs: characters * this.#characterMs + turnaroundMs + pauseMs,
      registerMs: (bytesOf(2) - bytesOf(0)) * this.#characterMs,
    };
  }

  recall({ lessons }: Lane, earlier: Lessons): void {
    if (lessons.turnaroundMs === 0) lessons.turnaroundMs = earlier.turnaroundMs;
    lessons.manyOnly |= earlier.manyOnly;
    if (earlier.owed) lessons.owed!.inherit(earlier.owed);
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
    if (!this.#isOpen || this.#queue.length >= LINE_QUEUE_MAX) {
      this.#settle(ticket, this.#isOpen ? 'overload' : 'no_connection', nowMs);
      return;
    }
    this.#begin(nowMs);
    ticket.state = 'queued';
    ticket.lane = lane;
    this.#queue.push(ticket);
    this.#finish();
  }

  receive(bytes: Uint8Array, nowMs: number): void {
    if (!this.#isOpen || bytes.length === 0) return;
    this.#begin(nowMs);
    this.#freeMs = nowMs + this.#silenceMs;
    this.#deframer.push(this.#echo.isAwaited ? this.#withoutEcho(bytes) : bytes, this);
    this.#staleMs = nowMs + RESYNC_MS;
    this.#finish();
  }

  tick(nowMs: number): void {
    if (!this.#isOpen) return;
    this.#begin(nowMs);
    const exchange = this.#exchange;
    const isOver = exchange.isOpen && exchange.deadlineMs <= nowMs;
    const isStale = this.#deframer.heldBytes > 0 && this.#staleMs <= nowMs;
    if (isOver || isStale) this.#deframer.silence(this);
    if (exchange.isOpen && exchange.deadlineMs <= nowMs) this.#pastDeadline(exchange);
    // While an answer is awaited, the rest of it may be on its way: what is held does no harm.
    if (isStale && !exchange.isOpen) this.#deframer.flush(this);
    this.#finish();
  }

  cancel(ticket: Ticket, nowMs: number): void {
    if (ticket.state === 'idle') return;
    this.#begin(nowMs);
    const exchange = this.#exchange;
    if (exchange.isOpen && exchange.ticket === ticket) {
      exchange.ticket = null; // The device answers all the same, and the line is its until then.
      this.#owe(exchange);
      ticket.lineMs += nowMs - exchange.startMs;
    } else {
      this.#queue.splice(this.#queue.indexOf(ticket), 1);
    }
    this.#settle(ticket, 'cancelled', nowMs);
    this.#finish();
  }

  close(nowMs: number, why: Fault | null): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.closedBy = why;
    this.wakeMs = never;
    const exchange = this.#exchange;
    if (exchange.isOpen && exchange.ticket) {
      this.#owe(exchange);
      this.#settle(exchange.ticket, 'no_connection', nowMs);
    }
    exchange.isOpen = false;
    for (const ticket of this.#queue.splice(0)) {
      // Who was told of one may have cancelled the next.
      if (ticket.state !== 'idle') this.#settle(ticket, 'no_connection', nowMs);
    }
  }

  // --- LineSink ---

  frame(unit: number, bytes: Uint8Array, start: number, end: number): void {
    if (!this.#isOpen) return;
    const exchange = this.#exchange;
    const isAsked = exchange.isOpen && exchange.lane!.options.unit === unit;
    const fits =
      exchange.isOpen && !exchange.isBroadcast
        ? checkResponse(exchange.asked, bytes, start, end)
        : MALFORMED;
    const owed = this.#owed[unit];
    if (owed && !owed.isEmpty(this.#nowMs) && owed.take(bytes, start, end)) {
      this.counts.late++;
      if (!isAsked) return;
      if (exchange.ticket === null) {
        if (owed.isEmpty(this.#nowMs)) this.#end(exchange, 0);
      } else if (fits !== MALFORMED && exchange.isProbe) {
        // Whosever exception it is, nothing before the probe is owed any more.
        owed.refused();
        this.#owe(exchange);
        this.#probed(exchange);
      } else if (fits !== MALFORMED) {
        exchange.instead = 'bad_response';
      }
      return;
    }
    const { ticket } = exchange;
    if (!isAsked || !ticket || fits === MALFORMED) {
      this.#misfit(exchange, unit, isAsked, fits);
      return;
    }
    owed?.clear(); // A unit answers in order: what it was asked before, it will not answer.
    const { sentMs } = exchange;
    const answerMs = this.#frames.bytesOf(end - start) * this.#characterMs;
    // Zero means that nothing is known yet.
    const tookMs = Math.max(REGISTER_MS, this.#nowMs - answerMs - sentMs);
    learnTurnaround(exchange.lane!.lessons, tookMs);
    if (exchange.isProbe) {
      this.#probed(exchange);
      return;
    }
    this.#end(exchange, this.#silenceMs);
    ticket.state = 'idle';
    const outcome = fits === ANSWERED ? 'answered' : 'exception';
    ticket.settled(outcome, fits, bytes, start, end, this.#nowMs);
  }

  garbage(): void {
    if (this.#isOpen) this.counts.garbage++;
  }

  // --- Inside ---

  #misfit(exchange: Exchange, unit: number, isAsked: boolean, fits: number): void {
    if (isAsked) {
      this.counts.malformed++;
      if (exchange.instead === 'timeout') exchange.instead = 'bad_response';
      return;
    }
    if (!exchange.isOpen) {
      this.counts.unknown++;
      return;
    }
    this.counts.foreign++;
    if (fits === MALFORMED) return;
    exchange.instead = 'other_unit';
    exchange.otherUnit = unit;
  }

  #withoutEcho(bytes: Uint8Array): Uint8Array {
    const rest = this.#echo.without(bytes);
    const exchange = this.#exchange;
    if (this.#echo.state === 'differs') {
      this.counts.collision++;
      exchange.instead = 'collision';
    } else if (this.#echo.state === 'whole') {
      exchange.deadlineMs += Math.max(0, this.#nowMs - exchange.sentMs);
      exchange.sentMs = this.#nowMs;
    }
    return rest;
  }

  #pastDeadline(exchange: Exchange): void {
    const { ticket, lane, isProbe, isBroadcast, instead, otherUnit, asked } = exchange;
    const { garbageBytes } = this.#deframer;
    if (ticket && !isBroadcast) this.#owe(exchange);
    if (ticket && isProbe) lane!.lessons.owed!.unanswered(asked[0]!);
    this.#end(exchange, 0);
    if (!ticket) return;
    if (isBroadcast) this.#settle(ticket, 'answered', this.#nowMs);
    else {
      ticket.state = 'idle';
      const code = instead === 'other_unit' ? otherUnit : 0;
      const isBroken = instead === 'timeout' && garbageBytes > exchange.garbageBytes;
      ticket.settled(isBroken ? 'broken' : instead, code, nothing, 0, 0, this.#nowMs);
    }
  }

  /** The probe did its work: the ticket it was sent for comes first among its equals. */
  #probed(exchange: Exchange): void {
    const ticket = exchange.ticket!;
    this.#end(exchange, this.#silenceMs);
    ticket.state = 'queued';
    this.#queue.unshift(ticket);
  }

  #owe({ asked, lane, deadlineMs, isBroadcast }: Exchange): void {
    if (!isBroadcast) lane!.lessons.owed!.add(asked, Math.max(this.#nowMs, deadlineMs));
  }

  #end(exchange: Exchange, silenceMs: number): void {
    const { lane, ticket } = exchange;
    exchange.isOpen = false;
    exchange.ticket = null;
    this.#echo.expectNothing();
    this.#deframer.expectNothing();
    lane!.readyMs = this.#nowMs + lane!.options.minGapMs;
    if (ticket) ticket.lineMs += this.#nowMs + silenceMs - exchange.startMs;
  }

  #settle(ticket: Ticket, outcome: Outcome, nowMs: number): void {
    ticket.state = 'idle';
    ticket.settled(outcome, 0, nothing, 0, 0, nowMs);
  }

  // Whoever is told of an outcome may submit the next request at once: which is sent is decided
  // when the outermost call ends.
  #begin(nowMs: number): void {
    this.#depth++;
    if (nowMs > this.#nowMs) this.#nowMs = nowMs;
  }

  #finish(): void {
    if (this.#depth === 1 && this.#isOpen) this.#pump();
    this.#depth--;
    if (this.#depth > 0 || !this.#isOpen) return;
    const exchange = this.#exchange;
    this.wakeMs = exchange.isOpen ? exchange.deadlineMs : this.#readyMs;
    if (this.#deframer.heldBytes === 0 || this.#staleMs >= this.wakeMs) return;
    // Looked at once, while an answer is awaited, and once more when none is.
    if (this.#staleMs > this.#nowMs || !exchange.isOpen) this.wakeMs = this.#staleMs;
  }

  /** Sends the most urgent request if the line is free and silent. */
  #pump(): void {
    this.#readyMs = never;
    while (!this.#exchange.isOpen) {
      const ticket = this.#choose();
      if (!ticket) this.#heldBackMs = -1;
      if (!ticket || !this.#isSilent()) return;
      const lane = ticket.lane!;
      const owed = lane.lessons.owed!;
      const isFree =
        isBroadcast(lane, ticket.pdu) ||
        owed.isEmpty(this.#nowMs) ||
        !(owed.isFull || owed.confuses(ticket.pdu));
      const asked = isFree ? ticket.pdu : owed.probe(ticket.pdu, lane.options.probes);
      if (!asked) {
        this.#defer(ticket, owed.untilMs);
        continue;
      }
      this.#queue.splice(this.#queue.indexOf(ticket), 1);
      if (asked !== ticket.pdu || ticket.mayGo?.() !== false) this.#send(ticket, asked);
      else this.#settle(ticket, 'cancelled', this.#nowMs);
    }
  }

  /** Of those that may be sent now, the most urgent; of equals, the one that came first. */
  #choose(): Ticket | null {
    let best: Ticket | null = null;
    for (const ticket of this.#queue) {
      const { readyMs } = ticket.lane!;
      if (readyMs > this.#nowMs) this.#readyMs = Math.min(this.#readyMs, readyMs);
      else if (!best || goesBefore(ticket, best)) best = ticket;
    }
    return best;
  }

  #isSilent(): boolean {
    if (this.#freeMs <= this.#nowMs) {
      this.#heldBackMs = -1;
      return true;
    }
    if (this.#heldBackMs < 0) this.#heldBackMs = this.#nowMs;
    const speakMs = Math.min(this.#freeMs, this.#heldBackMs + LISTEN_MAX_MS);
    this.#readyMs = Math.min(this.#readyMs, speakMs);
    return speakMs <= this.#nowMs;
  }

  /** Nothing can be asked of its unit before `untilMs`: waits if its time-out allows. */
  #defer(ticket: Ticket, untilMs: number): void {
    const lane = ticket.lane!;
    const isSoon = untilMs - this.#nowMs <= timeoutOf(lane, ticket);
    if (isSoon) {
      lane.readyMs = untilMs;
      return;
    }
    this.#queue.splice(this.#queue.indexOf(ticket), 1);
    ticket.deadlineMs = this.#nowMs;
    this.#settle(ticket, 'timeout', this.#nowMs);
  }

  #send(ticket: Ticket, asked: Uint8Array): void {
    const exchange = this.#exchange;
    const lane = ticket.lane!;
    const { unit } = lane.options;
    const { bytesOf, write } = this.#frames;
    const nowMs = this.#nowMs;
    const toAll = isBroadcast(lane, asked);
    const sentMs = nowMs + bytesOf(asked.length) * this.#characterMs;
    const answerMs = bytesOf(answerPduBytes(asked)) * this.#characterMs;
    const waitMs = toAll ? BROADCAST_MS : timeoutOf(lane, ticket) + answerMs;
    ticket.state = 'waiting';
    if (asked === ticket.pdu) ticket.wasSent = true;
    ticket.sentMs = nowMs;
    ticket.deadlineMs = sentMs + waitMs;
    exchange.isOpen = true;
    exchange.lane = lane;
    exchange.asked = asked;
    exchange.ticket = ticket;
    exchange.isProbe = asked !== ticket.pdu;
    exchange.isBroadcast = toAll;
    exchange.startMs = nowMs;
    exchange.sentMs = sentMs;
    exchange.deadlineMs = ticket.deadlineMs;
    exchange.instead = 'timeout';
    exchange.garbageBytes = this.#deframer.garbageBytes;
    this.#heldBackMs = -1;
    this.#freeMs = sentMs + this.#silenceMs;
    this.#deframer.expect(unit, asked);
    const frame = this.#out.slice(0, write(this.#out, unit, asked));
    if (this.#hasEcho) this.#echo.expect(frame);
    this.#effects.send(frame);
  }
}

/** A write to unit 0 is heard by all and answered by none. */
function isBroadcast({ options }: Lane, asked: Uint8Array): boolean {
  const code = asked[0]!;
  return options.unit === 0 && code > 4 && code <= 22;
}
