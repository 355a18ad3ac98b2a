// A plan: points cut into requests, and what the device taught about them: points it refused, and
// walls, which are places where it refuses a gap or a length. Both outlive a connection.
import type { QualityCode } from '../../core/quality.ts';
import { GOOD } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { Plan } from '../driver.ts';
import type { ModbusAddress, ModbusDevice } from './address.ts';
import { tables } from './address.ts';
import { encodeRequest } from './codec.ts';
import type { Lessons, Outcome } from './conversation.ts';
import { Ticket } from './conversation.ts';
import type { PlanCost, Span } from './planner.ts';
import { inPlanOrder, limitsOf, partition, widened } from './planner.ts';
import type { Poll } from './poll.ts';

/** Of an answer with bits, a register's bytes carry this many. */
const BITS_A_REGISTER = 16;

export const readFunction = { coil: 1, discrete: 2, holding: 3, input: 4 } as const;

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

/**
 * For each item, how many from it on are alike: of its kind, with addresses and places that follow
 * one another. They are decoded in one go.
 */
function runsOf(items: readonly Item[]): Uint32Array {
  const runs = new Uint32Array(items.length);
  for (let at = items.length - 1; at >= 0; at--) {
    const { kind, point, start } = items[at]!;
    const next = items[at + 1];
    const isAlike = next?.kind === kind && next.point === point + 1 && next.start === start + 1;
    runs[at] = isAlike ? runs[at + 1]! + 1 : 1;
  }
  return runs;
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

  constructor(plan: ModbusPlan, first: number, after: number, place: number) {
    const { items, device } = plan;
    const { table } = items[first]!.address;
    let end = 0;
    for (let at = first; at < after; at++) end = Math.max(end, items[at]!.end);
    const asked = { start: items[first]!.start, end };
    // Where no block is both long enough and allowed, the profile was refused; the device decides.
    const { start, ...block } = widened(asked, device, table) ?? asked;
    const count = block.end - start;
    super(encodeRequest({ function: readFunction[table], address: start, count }));
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
export interface Bisect {
  open: number;
  readonly walls: number[];
  /** Found an offender: then the walls were only the way to it and need not stay. */
  found: boolean;
}

export class ModbusPlan implements Plan {
  readonly points: number;
  readonly items: readonly Item[];
  readonly runs: Uint32Array;
  /**
   * What its polls bring, one place a point; the next poll writes over it. Thousands of points are
   * read many times a second: places made anew for each poll would leave the processor's caches.
   */
  readonly values: Value[];
  readonly qualities: QualityCode[];
  readonly atMonoMs: number[];
  cuts: readonly Cut[] = [];
  /** Where the next poll begins. */
  turn = 0;
  isStale = false;
  isRunning = false;
  /** What a request cost when the cuts were made, and what it costs by now. */
  requestMs = 0;
  requestMsNow = 0;
  #registersMs = 0;
  refused = 0;
  readonly walls: Uint8Array;
  readonly device: ModbusDevice;
  /** Of the device, for the plan that follows this one. */
  readonly lessons: Lessons;

  constructor(device: ModbusDevice, addresses: readonly ModbusAddress[], lessons: Lessons) {
    this.device = device;
    this.lessons = lessons;
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
    this.runs = runsOf(this.items);
    this.values = Array.from(addresses, () => null);
    this.qualities = Array.from(addresses, () => GOOD);
    this.atMonoMs = Array.from(addresses, () => Number.NEGATIVE_INFINITY);
    this.walls = new Uint8Array(this.items.length);
  }

  get requests(): number {
    return this.cuts.length;
  }

  get lineMs(): number {
    return this.cuts.length * this.requestMsNow + this.#registersMs;
  }

  /** Takes over what was learned of the same points; nothing when they are others. */
  recall(before: ModbusPlan): void {
    const { items } = before;
    const isSame = ({ address, start, end }: Item, at: number) =>
      items[at]?.address.table === address.table &&
      items[at].start === start &&
      items[at].end === end;
    if (items.length !== this.items.length || !this.items.every(isSame)) return;
    this.walls.set(before.walls);
    this.items.forEach((item, at) => {
      item.recheckMs = items[at]!.recheckMs;
    });
    this.refused = before.refused;
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
    this.requestMs = cost.requestMs;
    this.requestMsNow = cost.requestMs;
    this.#registersMs = cuts.reduce((sum, { pdu }) => sum + registersMsOf(pdu, cost), 0);
  }

  #cutRun(first: number, after: number, cost: PlanCost, cuts: Cut[]): void {
    const { table } = this.items[first]!.address;
    const limits = limitsOf(this.device, table);
    const spans = this.items.slice(first, after);
    const walls = this.walls.subarray(first, after);
    const begins = partition(spans, walls, limits, costOn(readFunction[table], cost));
    begins.forEach((begin, at) => {
      const end = begins[at + 1] ?? spans.length;
      cuts.push(new Cut(this, first + begin, first + end, cuts.length));
    });
  }
}

function costOn(code: number, { requestMs, registerMs }: PlanCost): PlanCost {
  return { requestMs, registerMs: code <= 2 ? registerMs / BITS_A_REGISTER : registerMs };
}

function registersMsOf(pdu: Uint8Array, cost: PlanCost): number {
  return ((pdu[3]! << 8) | pdu[4]!) * costOn(pdu[0]!, cost).registerMs;
}
