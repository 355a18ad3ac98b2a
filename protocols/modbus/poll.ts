// A poll: one run through a plan, and what refusals teach the plan.
//
// Promises
// - Each point is answered exactly once a poll, whatever happens, with the time of its own answer.
// - A request refused with exception 1-3 is halved until the offending points stand alone (at most
//   BISECT_REQUESTS_MAX extra requests a poll; what is undecided then goes on next time). Offenders
//   are reported `configuration` without being asked again, but for a look every RECHECK_MS. Where
//   both halves are answered, the device refuses the gap between them or the length: they stay
//   apart (a wall).
// - An answer that may be another's teaches nothing: it is no exception but a bad response.
// - One time-out ends the poll: what was not sent yet is reported `timeout` unsent, and the next
//   poll begins behind the request that timed out. So a dead device costs one time-out a poll, and
//   one silent range hides no other.
import { assert, Fault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { Bilingual, FaultCode } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Answers, Urgency } from '../driver.ts';
import type { Conversation, Lane, Outcome } from './conversation.ts';
import { RANK_PLAIN } from './conversation.ts';
import type { Bisect, Item, ModbusPlan } from './plan.ts';
import { Cut } from './plan.ts';
import { splitAt } from './planner.ts';
import { decodeBytes, qualityOfDecoded } from './value.ts';

/** Twice the 7 levels of a full request, doubled: two offenders are found in one poll. */
export const BISECT_REQUESTS_MAX = 32;
export const RECHECK_MS = 600_000;

const BAD_TIMEOUT = qualityCode('bad', 'timeout');
const BAD_NO_CONNECTION = qualityCode('bad', 'no_connection');
const BAD_DEVICE_EXCEPTION = qualityCode('bad', 'device_exception');
const BAD_RESPONSE = qualityCode('bad', 'bad_response');
const BAD_CONFIGURATION = qualityCode('bad', 'configuration');

export const exceptionFaults: Readonly<Record<number, FaultCode>> = {
  1: 'modbus_exception_1',
  2: 'modbus_exception_2',
  3: 'modbus_exception_3',
  4: 'modbus_exception_4',
  5: 'modbus_exception_5',
  6: 'modbus_exception_6',
  8: 'modbus_exception_8',
  10: 'modbus_exception_10',
  11: 'modbus_exception_11',
};

/** One run through a plan; reports once to `done`. */
export class Poll {
  readonly #plan: ModbusPlan;
  readonly #lane: Lane;
  readonly #conversation: Conversation;
  readonly #done: (answers: Answers) => void;
  readonly #values: Value[];
  readonly #qualities: QualityCode[];
  readonly #atMonoMs: number[];
  readonly #begun: number;
  #unanswered: number;
  #next = 0;
  #extra: Cut[] = []; // Halves and second looks, sent before the rest of the plan.
  readonly #sent: Cut[] = [];
  #inFlight = 0;
  #bisectsLeft = BISECT_REQUESTS_MAX;
  #urgency: Urgency | undefined;
  #lineMs = 0;
  #requests = 0;
  #failures = 0;
  #fault: Fault | null = null;
  // Once set, nothing more is sent, and what is left is answered with it.
  #stopped: QualityCode | null = null;
  #isFilling = false;
  #isDone = false;

  constructor(
    plan: ModbusPlan,
    lane: Lane,
    conversation: Conversation,
    done: (answers: Answers) => void,
    urgency?: Urgency,
  ) {
    this.#plan = plan;
    this.#lane = lane;
    this.#conversation = conversation;
    this.#done = done;
    this.#urgency = urgency;
    this.#begun = plan.turn;
    // Each place is written once, and the count below proves it.
    this.#values = plan.values;
    this.#qualities = plan.qualities;
    this.#atMonoMs = plan.atMonoMs;
    this.#unanswered = plan.points;
  }

  start(nowMs: number): void {
    const { items } = this.#plan;
    this.#urgency ??= { rank: RANK_PLAIN, dueMonoMs: nowMs };
    this.#plan.isRunning = true;
    if (this.#plan.refused > 0) {
      items.forEach((item, at) => {
        if (item.recheckMs === 0) return;
        if (item.recheckMs <= nowMs) this.#extra.push(new Cut(this.#plan, at, at + 1, -1));
        else this.#answerItem(item, BAD_CONFIGURATION, nowMs);
      });
    }
    this.#fill(nowMs);
  }

  /** Before `start`, nothing will be sent; after it, what is under way is given up. */
  abort(nowMs: number): void {
    if (this.#isDone) return;
    const { unit } = this.#lane.options;
    this.#stop(BAD_TIMEOUT, 'poll_aborted', bilingual('modbus-unit', { unit }));
    for (const cut of this.#sent) if (cut.poll === this) this.#conversation.cancel(cut, nowMs);
  }

  settled(
    cut: Cut,
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    nowMs: number,
  ): void {
    cut.poll = null;
    this.#inFlight--;
    this.#lineMs += cut.lineMs;
    if (outcome === 'answered') this.#answered(cut, bytes, start + 2, nowMs);
    else if (outcome === 'exception') this.#exception(cut, code, nowMs);
    else this.#failed(cut, outcome, code, nowMs);
    this.#fill(nowMs);
  }

  /** Keeps the window full; reports when nothing is under way and nothing is left. */
  #fill(nowMs: number): void {
    if (this.#isFilling) return; // A submission that settles at once comes back here.
    this.#isFilling = true;
    while (this.#stopped === null && this.#inFlight < this.#conversation.window) {
      const cut = this.#extra.pop() ?? this.#nextCut();
      if (!cut) break;
      cut.poll = this;
      cut.urgency = this.#urgency!;
      this.#sent.push(cut);
      this.#inFlight++;
      this.#requests++;
      this.#conversation.submit(this.#lane, cut, nowMs);
    }
    this.#isFilling = false;
    if (this.#inFlight === 0 && !this.#isDone) this.#finish(nowMs);
  }

  #nextCut(): Cut | undefined {
    const { cuts } = this.#plan;
    if (this.#next >= cuts.length) return undefined;
    return cuts[(this.#begun + this.#next++) % cuts.length];
  }

  #finish(nowMs: number): void {
    if (this.#stopped !== null) {
      for (const cut of this.#extra) this.#answerAll(cut, this.#stopped, nowMs);
      for (let cut = this.#nextCut(); cut; cut = this.#nextCut()) {
        this.#answerAll(cut, this.#stopped, nowMs);
      }
    }
    assert(this.#unanswered === 0, 'each point of a poll is answered exactly once');
    this.#isDone = true;
    this.#plan.isRunning = false;
    this.#done({
      values: this.#values,
      qualities: this.#qualities,
      atMonoMs: this.#atMonoMs,
      requests: this.#requests,
      failures: this.#failures,
      fault: this.#fault,
      lineMs: this.#lineMs,
    });
  }

  // The hot path: every register of every poll goes through here.
  #answered(cut: Cut, bytes: Uint8Array, data: number, nowMs: number): void {
    const { items, runs } = this.#plan;
    const { first, after, start } = cut;
    let at = first;
    while (at < after) {
      const item = items[at]!;
      const end = Math.min(after, at + runs[at]!);
      const offset = item.start - start;
      if (item.kind === 'plain') {
        this.#registers(item.point, end - at, bytes, data + 2 * offset, nowMs);
      } else if (item.kind === 'bit') {
        this.#bits(item.point, end - at, bytes, data, offset, nowMs);
      } else {
        for (let other = at; other < end; other++) {
          const { address, point } = items[other]!;
          const value = decodeBytes(address, bytes, data + 2 * (address.address - start));
          const quality = qualityOfDecoded(value);
          this.#values[point] = quality === GOOD ? value! : null;
          this.#qualities[point] = quality;
          this.#atMonoMs[point] = nowMs;
        }
      }
      at = end;
    }
    this.#unanswered -= after - first;
    if (cut.place >= 0) return;
    if (cut.bisect) this.#closeBisect(cut.bisect);
    else this.#accept(items[first]!);
  }

  #registers(from: number, count: number, bytes: Uint8Array, high: number, nowMs: number): void {
    const values = this.#values;
    const qualities = this.#qualities;
    const atMonoMs = this.#atMonoMs;
    for (let place = 0; place < count; place++) {
      const at = high + 2 * place;
      values[from + place] = (bytes[at]! << 8) | bytes[at + 1]!;
      qualities[from + place] = GOOD;
      atMonoMs[from + place] = nowMs;
    }
  }

  #bits(
    from: number,
    count: number,
    bytes: Uint8Array,
    data: number,
    offset: number,
    nowMs: number,
  ): void {
    for (let place = 0; place < count; place++) {
      const at = offset + place;
      this.#values[from + place] = ((bytes[data + (at >> 3)]! >> (at & 7)) & 1) === 1;
      this.#qualities[from + place] = GOOD;
      this.#atMonoMs[from + place] = nowMs;
    }
  }

  #exception(cut: Cut, code: number, nowMs: number): void {
    const isRefusal = code <= 3;
    if (isRefusal && cut.after - cut.first === 1) {
      this.#refuse(this.#plan.items[cut.first]!, nowMs);
      this.#note(code, cut);
      if (cut.bisect) {
        cut.bisect.found = true;
        this.#closeBisect(cut.bisect);
      }
    } else if (isRefusal) {
      this.#halve(cut, code, nowMs);
    } else {
      this.#failures++;
      this.#answerAll(cut, BAD_DEVICE_EXCEPTION, nowMs);
      this.#note(code, cut);
      if (cut.bisect) this.#closeBisect(cut.bisect);
      // A gateway takes its own time-out for each request to a device that is gone.
      if (code === 10 || code === 11) this.#stopBehind(cut, BAD_DEVICE_EXCEPTION);
    }
  }

  #failed(cut: Cut, outcome: Outcome, code: number, nowMs: number): void {
    this.#failures++;
    switch (outcome) {
      case 'timeout':
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stopBehind(cut, BAD_TIMEOUT);
        this.#noteFault('device_timeout', 'later', this.#detail(cut));
        break;
      case 'broken':
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stopBehind(cut, BAD_TIMEOUT);
        this.#noteFault('modbus_broken_answer', 'later', this.#detail(cut));
        break;
      case 'no_connection':
        this.#answerAll(cut, BAD_NO_CONNECTION, nowMs);
        this.#fault ??= this.#conversation.closedBy;
        this.#stop(BAD_NO_CONNECTION, 'no_connection', this.#detail(cut));
        break;
      case 'bad_response':
        this.#misfit(cut, 'modbus_bad_response', this.#detail(cut), nowMs);
        break;
      case 'collision':
        this.#misfit(cut, 'modbus_collision', this.#detail(cut), nowMs);
        break;
      case 'other_unit': {
        const detail = bilingual('modbus-unit-other', { ...this.#asked(cut), other: code });
        this.#misfit(cut, 'modbus_other_unit', detail, nowMs);
        break;
      }
      case 'overload':
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stop(BAD_TIMEOUT, 'modbus_queue_full', this.#detail(cut));
        break;
      default:
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stop(BAD_TIMEOUT, 'poll_aborted', this.#detail(cut));
    }
    if (cut.bisect) this.#closeBisect(cut.bisect);
  }

  #misfit(cut: Cut, fault: FaultCode, detail: Bilingual, nowMs: number): void {
    this.#answerAll(cut, BAD_RESPONSE, nowMs);
    // On a line, that nothing fits is known at the deadline only: it cost a time-out.
    if (nowMs >= cut.deadlineMs) this.#stopBehind(cut, BAD_TIMEOUT);
    this.#noteFault(fault, 'later', detail);
  }

  #stop(rest: QualityCode, code: FaultCode, detail: Bilingual): void {
    this.#stopped ??= rest;
    this.#noteFault(code, 'later', detail);
  }

  #stopBehind(cut: Cut, rest: QualityCode): void {
    this.#stopped ??= rest;
    if (cut.place >= 0) this.#plan.turn = (cut.place + 1) % this.#plan.cuts.length;
  }

  // --- Refusals ---

  #halve(cut: Cut, code: number, nowMs: number): void {
    const { items } = this.#plan;
    const middle = splitAt(items, cut.first, cut.after);
    const bisect = cut.bisect ?? { open: 1, walls: [], found: false };
    bisect.walls.push(middle);
    this.#note(code, cut);
    if (this.#bisectsLeft < 2) {
      this.#answerAll(cut, BAD_CONFIGURATION, nowMs);
      // What was learned so far must stay, or the next poll begins at the same place.
      for (const wall of bisect.walls) this.#wall(wall);
      this.#closeBisect(bisect);
      return;
    }
    this.#bisectsLeft -= 2;
    const right = new Cut(this.#plan, middle, cut.after, -1);
    const left = new Cut(this.#plan, cut.first, middle, -1);
    right.bisect = bisect;
    left.bisect = bisect;
    bisect.open++;
    this.#extra.push(right, left);
  }

  #closeBisect(bisect: Bisect): void {
    if (--bisect.open > 0 || bisect.found) return;
    for (const wall of bisect.walls) this.#wall(wall);
  }

  #wall(at: number): void {
    this.#plan.walls[at] = 1;
    this.#plan.isStale = true;
  }

  #refuse(item: Item, nowMs: number): void {
    if (item.recheckMs === 0) {
      this.#plan.refused++;
      this.#plan.isStale = true;
    }
    item.recheckMs = nowMs + RECHECK_MS;
    this.#answerItem(item, BAD_CONFIGURATION, nowMs);
  }

  #accept(item: Item): void {
    if (item.recheckMs === 0) return;
    item.recheckMs = 0;
    this.#plan.refused--;
    this.#plan.isStale = true;
  }

  // --- Answers ---

  #answerAll(cut: Cut, quality: QualityCode, nowMs: number): void {
    for (let at = cut.first; at < cut.after; at++) {
      this.#answerItem(this.#plan.items[at]!, quality, nowMs);
    }
  }

  #answerItem(item: Item, quality: QualityCode, nowMs: number): void {
    this.#values[item.point] = null;
    this.#qualities[item.point] = quality;
    this.#atMonoMs[item.point] = nowMs;
    this.#unanswered--;
  }

  #note(code: number, cut: Cut): void {
    const detail = bilingual('modbus-unit-exception', { ...this.#asked(cut), exception: code });
    const retry = code <= 3 ? 'never' : 'later';
    this.#noteFault(exceptionFaults[code] ?? 'modbus_exception_other', retry, detail);
  }

  /**
   * The first failure of the poll is told; one that ends by itself outranks a mistake in a file.
   */
  #noteFault(code: FaultCode, retry: Fault['retry'], detail: Bilingual): void {
    if (this.#fault && (this.#fault.retry !== 'never' || retry === 'never')) return;
    this.#fault = new Fault(code, retry, detail);
  }

  #detail(cut: Cut): Bilingual {
    return bilingual('modbus-unit-range', this.#asked(cut));
  }

  #asked({ pdu }: Cut) {
    const from = (pdu[1]! << 8) | pdu[2]!;
    const to = from + ((pdu[3]! << 8) | pdu[4]!) - 1;
    return { unit: this.#lane.options.unit, code: pdu[0]!, from, to };
  }
}
