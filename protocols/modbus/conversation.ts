// What a poll or a command sees of the connection it goes through: requests handed in, settled once
// each. Behind it are transactions of Modbus TCP (session.ts) or a line on which one speaks at a
// time (bus.ts).

import type { Fault } from '../../core/fault.ts';
import { assert } from '../../core/fault.ts';
import type { Urgency } from '../driver.ts';
import { PDU_BYTES_MAX } from './codec.ts';
import type { Owed, ProbeLimits } from './owed.ts';
import type { PlanCost } from './planner.ts';

export type Outcome =
  | 'answered'
  | 'exception'
  | 'timeout'
  /** Nothing answered in time, but bytes came that are no frame. */
  | 'broken'
  /** What came is no answer to what was asked. */
  | 'bad_response'
  /** Another unit answered in the place of the one asked. */
  | 'other_unit'
  /** The line gave back something else than was sent: two spoke at once. */
  | 'collision'
  | 'no_connection'
  | 'cancelled'
  | 'overload';

export type TicketState = 'idle' | 'queued' | 'waiting';

/** The rank of a request for which nobody said how urgent it is. */
export const RANK_PLAIN = 2;

/** One request, reusable once settled. */
export abstract class Ticket {
  readonly pdu: Uint8Array;
  state: TicketState = 'idle';
  lane: Lane | null = null;
  /** Set before it is submitted; without it a request waits its turn. */
  urgency: Urgency | null = null;
  /** Asked when it would be sent; settled as cancelled when it may not. */
  mayGo: (() => boolean) | null = null;
  /** Something of it went out since it was submitted. */
  wasSent = false;
  transaction = -1;
  sentMs = 0;
  deadlineMs = 0;
  /** How long it took the line, once settled. */
  lineMs = 0;

  constructor(pdu: Uint8Array) {
    assert(pdu.length >= 1 && pdu.length <= PDU_BYTES_MAX, 'a request is a PDU');
    this.pdu = pdu;
  }

  /**
   * What became of it. The answer's PDU is `bytes[start..end)`, valid only during the call, with
   * `answered` (empty after a broadcast); `code` is the exception's with `exception`, the unit's
   * that answered with `other_unit`.
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

/** What came and was dropped. */
export type Counts = {
  /** Answers to requests that were given up. */
  late: number;
  duplicate: number;
  unknown: number;
  malformed: number;
  /** Answers of a unit that was not asked. */
  foreign: number;
  garbage: number;
  /** Echoes that differ from what was sent. */
  collision: number;
};

export const noCounts = (): Counts => ({
  late: 0,
  duplicate: 0,
  unknown: 0,
  malformed: 0,
  foreign: 0,
  garbage: 0,
  collision: 0,
});

export interface LaneOptions {
  readonly unit: number;
  /** From the last byte sent to the first of the answer. */
  readonly timeoutMs: number;
  readonly inFlightMax: number;
  readonly minGapMs: number;
  /** What it takes to answer until that was seen; TURNAROUND_MS_FIRST when left out. */
  readonly answerMs?: number;
  /** Of requests nobody asked for; without limits when left out. */
  readonly probes?: ProbeLimits;
}

/** What the devices taught, worth more than the connection on which they did. */
export interface Lessons {
  /** Time the device takes to answer, smoothed over about eight; 0 until the first. */
  turnaroundMs: number;
  /** So many requests in flight were too many; 0 when none were. */
  windowFailed: number;
  /** Answers that may still come, on a line. */
  readonly owed: Owed | null;
  /** Bits by function code: writes of one value that the device knows only as a write of many. */
  manyOnly: number;
}

/** The requests to one device. */
export interface Lane {
  readonly options: LaneOptions;
  readonly queue: Ticket[];
  readonly lessons: Lessons;
  inFlight: number;
  /** Not before: the pause the device needs after an answer. */
  readyMs: number;
  /** Until when the line was taken for it. */
  takenMs: number;
}

export interface Effects {
  /** The bytes are the receiver's to keep. */
  send(bytes: Uint8Array): void;
  /** The stream cannot be trusted any more: close it. */
  distrust(why: Fault): void;
}

export interface Conversation {
  readonly counts: Counts;
  /** When `tick` must be called at the latest; infinity when nothing waits. May be early. */
  readonly wakeMs: number;
  readonly isOpen: boolean;
  /** Why it was closed; null while open and after an ordinary close. */
  readonly closedBy: Fault | null;
  /** Requests that make sense to have under way at once. */
  readonly window: number;
  lane(options: LaneOptions): Lane;
  /** What a request costs with what is known now. */
  cost(lane: Lane): PlanCost;
  /** Takes over what an earlier connection learned of the device. */
  recall(lane: Lane, earlier: Lessons): void;
  /** What `submit` submits leaves in one piece. */
  together(nowMs: number, submit: () => void): void;
  submit(lane: Lane, ticket: Ticket, nowMs: number): void;
  receive(bytes: Uint8Array, nowMs: number): void;
  /** Gives up what is past its deadline and sends what had to pause. */
  tick(nowMs: number): void;
  /** Gives a ticket up; its late answer finds nobody. Nothing when it is idle. */
  cancel(ticket: Ticket, nowMs: number): void;
  /** Settles everything as `no_connection`; nothing is sent any more. The first reason stays. */
  close(nowMs: number, why: Fault | null): void;
}

/** Until a device has answered once: about what a small controller takes between two scans. */
export const TURNAROUND_MS_FIRST = 10;
/** A request costs both ends this much however near the device is. */
export const REQUEST_MS_MIN = 1;
/** Two bytes through a small device's stack; the line itself takes 0.2 µs at 100 Mbit/s. */
export const REGISTER_MS = 0.01;

/** Of a device, as far as it is known. */
export function turnaroundOf({ options, lessons }: Lane): number {
  return lessons.turnaroundMs || (options.answerMs ?? TURNAROUND_MS_FIRST);
}

export function learnTurnaround(lessons: Lessons, tookMs: number): void {
  const { turnaroundMs } = lessons;
  lessons.turnaroundMs += turnaroundMs === 0 ? tookMs : (tookMs - turnaroundMs) / 8;
}

/** The time-out of a request sent now. */
export function timeoutOf({ options }: Lane, { urgency }: Ticket): number {
  const shorter = urgency?.timeoutMs;
  return shorter === undefined ? options.timeoutMs : Math.min(shorter, options.timeoutMs);
}

/** Of two requests that wait for a line. */
export function goesBefore({ urgency }: Ticket, { urgency: other }: Ticket): boolean {
  const rank = urgency?.rank ?? RANK_PLAIN;
  const otherRank = other?.rank ?? RANK_PLAIN;
  if (rank !== otherRank) return rank < otherRank;
  return (urgency?.dueMonoMs ?? 0) < (other?.dueMonoMs ?? 0);
}
