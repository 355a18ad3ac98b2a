// A plan: points cut into requests, and what the device taught about them. A poll: one run through
// a plan.
//
// Promises
// - Each point is answered exactly once a poll, whatever happens, with the time of its own answer.
// - A request refused with exception 1-3 is halved until the offending points stand alone (at most
//   BISECT_REQUESTS_MAX extra requests a poll; what is undecided then goes on next time). Offenders
//   are reported `configuration` without being asked again, but for a look every RECHECK_MS. Where
//   both halves are answered, the device refuses the gap between them or the length: they stay
//   apart (a wall).
// - One time-out ends the poll: what was not sent yet is reported `timeout` unsent, and the next
//   poll begins behind the request that timed out. So a dead device costs one time-out a poll, and
//   one silent range hides no other.
import { assert, Fault } from '../../core/fault.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { FaultCode } from '../../core/text/text.ts';
import type { Answers, Plan } from '../driver.ts';
import type { ModbusAddress, ModbusDevice } from './address.ts';
import { tables } from './address.ts';
import { encodeRequest } from './codec.ts';
import type { PlanCost, Span } from './planner.ts';
import { inPlanOrder, limitsOf, partition, splitAt, widened } from './planner.ts';
import type { Lane, Outcome, Transactions } from './session.ts';
import { Ticket } from './session.ts';
import { decodeBytes, qualityOfDecoded } from './value.ts';

/** Twice the 7 levels of a full request, doubled: two offenders are found in one poll. */
export const BISECT_REQUESTS_MAX = 32;
export const RECHECK_MS = 600_000;

const readFunction = { coil: 1, discrete: 2, holding: 3, input: 4 } as const;

const BAD_TIMEOUT = qualityCode('bad', 'timeout');
const BAD_NO_CONNECTION = qualityCode('bad', 'no_connection');
const BAD_DEVICE_EXCEPTION = qualityCode('bad', 'device_exception');
const BAD_RESPONSE = qualityCode('bad', 'bad_response');
const BAD_CONFIGURATION = qualityCode('bad', 'configuration');

const exceptionFaults: Readonly<Record<number, FaultCode>> = {
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

/** A bit of a coil table, the common whole register, or what the decoder must look at. */
type Kind = 'bit' | 'plain' | 'other';

function kindOf({ table, type, order, bits }: ModbusAddress): Kind {
  if (table === 'coil' || table === 'discrete') return 'bit';
  return type === 'uint16' && order === 'ABCD' && bits === null ? 'plain' : 'other';
}

/** A point of a plan. */
export interface Item extends Span {
  /** Its place in the plan's points. */
  readonly point: number;
  readonly address: ModbusAddress;
  readonly kind: Kind;
  /** 0 while the device answers for it; else it was refused, and when to look again. */
  recheckMs: number;
}

/** One request and the run of items it reads. */
export class Cut extends Ticket {
  readonly first: number;
  readonly after: number;
  readonly start: number;
  /** Which cut of the plan this is; -1 for a half or a second look. */
  readonly place: number;
  bisect: Bisect | null = null;
  poll: Poll | null = null;

  constructor({ items, device }: ModbusPlan, first: number, after: number, place: number) {
    const { address, start: lowest } = items[first]!;
    let highest = lowest;
    for (let at = first; at < after; at++) highest = Math.max(highest, items[at]!.end);
    const span = { start: lowest, end: highest };
    // Where no block is both long enough and allowed, the profile was refused; the device decides.
    const { start, end } = widened(span, device, address.table) ?? span;
    const count = end - start;
    super(encodeRequest({ function: readFunction[address.table], address: start, count }));
    this.first = first;
    this.after = after;
    this.start = start;
    this.place = place;
  }

  override settled(
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    _end: number,
    nowMs: number,
  ): void {
    this.poll!.settled(this, outcome, code, bytes, start, nowMs);
  }
}

/** The halving of one refused request, until all its parts are answered or refused. */
interface Bisect {
  open: number;
  readonly walls: number[];
  /** Found an offender: then the walls were only the way to it and need not stay. */
  found: boolean;
}

export class ModbusPlan implements Plan {
  readonly points: number;
  readonly items: readonly Item[];
  cuts: readonly Cut[] = [];
  /** Where the next poll begins. */
  turn = 0;
  isStale = false;
  isRunning = false;
  /** The turnaround the cuts were made for. */
  turnaroundMs = 0;
  refused = 0;
  readonly walls: Uint8Array;
  readonly device: ModbusDevice;

  constructor(device: ModbusDevice, addresses: readonly ModbusAddress[], cost: PlanCost) {
    this.device = device;
    this.points = addresses.length;
    const items = addresses.map((address, point) => ({
      point,
      address,
      kind: kindOf(address),
      start: address.address,
      end: address.address + address.width,
      recheckMs: 0,
    }));
    this.items = tables.flatMap((table) =>
      items
        .filter(({ address }) => address.table === table)
        .sort(inPlanOrder(limitsOf(device, table))),
    );
    this.walls = new Uint8Array(this.items.length);
    this.cut(cost);
  }

  get requests(): number {
    return this.cuts.length;
  }

  get lineMs(): number {
    return this.cuts.length * this.turnaroundMs;
  }

  /** Cuts anew from what is known now: walls, refused points, cost. */
  cut(cost: PlanCost): void {
    const cuts: Cut[] = [];
    let from = 0;
    for (let at = 0; at <= this.items.length; at++) {
      const { table } = this.items[from]?.address ?? {};
      const item = this.items[at];
      // A refused point is a hole: what lies before it and behind it is not read together.
      if (item && item.address.table === table && item.recheckMs === 0) continue;
      if (at > from) this.#cutRun(from, at, cost, cuts);
      from = item && item.recheckMs === 0 ? at : at + 1;
    }
    this.cuts = cuts;
    this.turn = 0;
    this.isStale = false;
    this.turnaroundMs = cost.requestMs;
  }

  #cutRun(first: number, after: number, cost: PlanCost, cuts: Cut[]): void {
    const limits = limitsOf(this.device, this.items[first]!.address.table);
    const spans = this.items.slice(first, after);
    const begins = partition(spans, this.walls.subarray(first, after), limits, cost);
    begins.forEach((begin, at) => {
      const end = begins[at + 1] ?? spans.length;
      cuts.push(new Cut(this, first + begin, first + end, cuts.length));
    });
  }
}

/** One run through a plan; reports once to `done`. */
export class Poll {
  readonly #plan: ModbusPlan;
  readonly #lane: Lane;
  readonly #transactions: Transactions;
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
  #startedMs = 0;
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
    transactions: Transactions,
    done: (answers: Answers) => void,
  ) {
    this.#plan = plan;
    this.#lane = lane;
    this.#transactions = transactions;
    this.#done = done;
    this.#begun = plan.turn;
    // Not filled: each place is written once, and the count below proves it.
    this.#values = new Array<Value>(plan.points);
    this.#qualities = new Array<QualityCode>(plan.points);
    this.#atMonoMs = new Array<number>(plan.points);
    this.#unanswered = plan.points;
  }

  start(nowMs: number): void {
    const { items } = this.#plan;
    this.#startedMs = nowMs;
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
    this.#stop(BAD_TIMEOUT, 'poll_aborted', 'later', `unit ${this.#lane.options.unit}`);
    for (const cut of this.#sent) if (cut.poll === this) this.#transactions.cancel(cut, nowMs);
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
    if (outcome === 'answered') this.#answered(cut, bytes, start + 2, nowMs);
    else if (outcome === 'exception') this.#exception(cut, code, nowMs);
    else this.#failed(cut, outcome, nowMs);
    this.#fill(nowMs);
  }

  /** Keeps the window full; reports when nothing is under way and nothing is left. */
  #fill(nowMs: number): void {
    if (this.#isFilling) return; // A submission that settles at once comes back here.
    this.#isFilling = true;
    while (this.#stopped === null && this.#inFlight < this.#lane.window) {
      const cut = this.#extra.pop() ?? this.#nextCut();
      if (!cut) break;
      cut.poll = this;
      this.#sent.push(cut);
      this.#inFlight++;
      this.#requests++;
      this.#transactions.submit(this.#lane, cut, nowMs);
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
      lineMs: nowMs - this.#startedMs,
    });
  }

  // The hot path: every register of every poll goes through here.
  #answered(cut: Cut, bytes: Uint8Array, data: number, nowMs: number): void {
    const { items } = this.#plan;
    const values = this.#values;
    const qualities = this.#qualities;
    const atMonoMs = this.#atMonoMs;
    for (let at = cut.first; at < cut.after; at++) {
      const item = items[at]!;
      const { point } = item;
      const offset = item.start - cut.start;
      atMonoMs[point] = nowMs;
      qualities[point] = GOOD;
      if (item.kind === 'plain') {
        const low = data + 2 * offset + 1;
        values[point] = (bytes[low - 1]! << 8) | bytes[low]!;
      } else if (item.kind === 'bit') {
        values[point] = ((bytes[data + (offset >> 3)]! >> (offset & 7)) & 1) === 1;
      } else {
        const value = decodeBytes(item.address, bytes, data + 2 * offset);
        const quality = qualityOfDecoded(value);
        values[point] = quality === GOOD ? value! : null;
        qualities[point] = quality;
      }
    }
    this.#unanswered -= cut.after - cut.first;
    if (cut.place >= 0) return;
    if (cut.bisect) this.#closeBisect(cut.bisect);
    else this.#accept(items[cut.first]!);
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

  #failed(cut: Cut, outcome: Outcome, nowMs: number): void {
    this.#failures++;
    const unit = `unit ${this.#lane.options.unit}`;
    switch (outcome) {
      case 'timeout':
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stopBehind(cut, BAD_TIMEOUT);
        this.#noteFault('device_timeout', 'later', `${unit}: ${rangeOf(cut)}`);
        break;
      case 'no_connection':
        this.#answerAll(cut, BAD_NO_CONNECTION, nowMs);
        this.#fault ??= this.#transactions.closedBy;
        this.#stop(BAD_NO_CONNECTION, 'no_connection', 'later', unit);
        break;
      case 'bad_response':
        this.#answerAll(cut, BAD_RESPONSE, nowMs);
        this.#noteFault('modbus_bad_response', 'later', `${unit}: ${rangeOf(cut)}`);
        break;
      case 'overload':
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stop(BAD_TIMEOUT, 'modbus_queue_full', 'later', unit);
        break;
      default:
        this.#answerAll(cut, BAD_TIMEOUT, nowMs);
        this.#stop(BAD_TIMEOUT, 'poll_aborted', 'later', unit);
    }
    if (cut.bisect) this.#closeBisect(cut.bisect);
  }

  #stop(rest: QualityCode, code: FaultCode, retry: 'now' | 'later', detail: string): void {
    this.#stopped ??= rest;
    this.#noteFault(code, retry, detail);
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
    const detail = `unit ${this.#lane.options.unit}: exception ${code} to ${rangeOf(cut)}`;
    const retry = code <= 3 ? 'never' : 'later';
    this.#noteFault(exceptionFaults[code] ?? 'modbus_exception_other', retry, detail);
  }

  /**
   * The first failure of the poll is told; one that ends by itself outranks a mistake in a file.
   */
  #noteFault(code: FaultCode, retry: Fault['retry'], detail: string): void {
    if (this.#fault && (this.#fault.retry !== 'never' || retry === 'never')) return;
    this.#fault = new Fault(code, retry, detail);
  }
}

function rangeOf({ pdu }: Cut): string {
  const from = (pdu[1]! << 8) | pdu[2]!;
  return `function ${pdu[0]}, ${from}..${from + ((pdu[3]! << 8) | pdu[4]!) - 1}`;
}
