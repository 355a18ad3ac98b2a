import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../core/fault.ts';
import { encodeException, encodeRequest } from './codec.ts';
import type { Lane, LaneOptions, Outcome, TicketState } from './conversation.ts';
import { Ticket } from './conversation.ts';
import {
  ANOMALIES_MAX,
  CLEAN_RUN,
  EXPIRED_MAX,
  LATE_REPLY_MAX_MS,
  QUEUE_MAX,
  Transactions,
} from './session.ts';
import { Deframer, encodeFrame } from './tcp-frames.ts';

const UNIT = 5;
const lane: LaneOptions = { unit: UNIT, timeoutMs: 100, inFlightMax: 1, minGapMs: 0 };

class Read extends Ticket {
  readonly outcomes: Outcome[] = [];
  value: number | null = null;
  after: () => void = () => {};

  constructor(address = 0) {
    super(encodeRequest({ function: 3, address, count: 1 }));
  }

  override settled(outcome: Outcome, _code: number, bytes: Uint8Array, start: number): void {
    this.outcomes.push(outcome);
    if (outcome === 'answered') this.value = (bytes[start + 2]! << 8) | bytes[start + 3]!;
    this.after();
  }
}

const answer = (transaction: number, value = 1, unit = UNIT) =>
  encodeFrame(transaction, unit, Uint8Array.of(3, 2, value >> 8, value & 0xff));

class Bench {
  /** Transaction ids in the order in which they were sent. */
  readonly sent: number[] = [];
  readonly sends: number[] = [];
  distrust: Fault | null = null;
  readonly transactions: Transactions;
  readonly lane: Lane;
  readonly #deframer = new Deframer();

  constructor(options: Partial<LaneOptions> = {}) {
    this.transactions = new Transactions({
      send: (bytes) => {
        const before = this.sent.length;
        this.#deframer.push(bytes, {
          frame: (transaction) => this.sent.push(transaction),
          garbage: () => expect.unreachable('frames only'),
        });
        this.sends.push(this.sent.length - before);
      },
      distrust: (why) => {
        this.distrust = why;
      },
    });
    this.lane = this.transactions.lane({ ...lane, ...options });
  }

  submit(nowMs = 0, address = 0, rank?: number): Read {
    const read = new Read(address);
    if (rank !== undefined) read.urgency = { rank, dueMonoMs: 0 };
    this.transactions.submit(this.lane, read, nowMs);
    return read;
  }

  /** Full windows answered until the window is as wide as it gets. */
  widened(): this {
    for (let round = 0; round < 5 * CLEAN_RUN; round++) {
      const from = this.sent.length;
      const { window } = this.transactions;
      for (let at = 0; at < window; at++) this.submit();
      for (const id of this.sent.slice(from)) this.transactions.receive(answer(id), 0);
    }
    this.sent.length = 0;
    this.sends.length = 0;
    return this;
  }
}

type State = 'idle' | 'queued' | 'waiting' | 'given-up' | 'closed';
type Event =
  | 'submit'
  | 'answer'
  | 'exception'
  | 'other-unit'
  | 'other-function'
  | 'wrong-length'
  | 'deadline'
  | 'cancel'
  | 'close';
interface Cell {
  readonly next: TicketState | 'broken invariant';
  readonly outcome: Outcome | null;
}

const stays = (next: TicketState): Cell => ({ next, outcome: null });
const ends = (outcome: Outcome): Cell => ({ next: 'idle', outcome });
const broken: Cell = { next: 'broken invariant', outcome: null };

// A new state or event does not compile until every cell is decided.
const table: Record<State, Record<Event, Cell>> = {
  idle: {
    submit: stays('waiting'),
    answer: stays('idle'),
    exception: stays('idle'),
    'other-unit': stays('idle'),
    'other-function': stays('idle'),
    'wrong-length': stays('idle'),
    deadline: stays('idle'),
    cancel: stays('idle'),
    close: stays('idle'),
  },
  queued: {
    submit: broken,
    answer: stays('queued'),
    exception: stays('queued'),
    'other-unit': stays('queued'),
    'other-function': stays('queued'),
    'wrong-length': stays('queued'),
    deadline: stays('waiting'), // That of the one before it, whose place it takes.
    cancel: ends('cancelled'),
    close: ends('no_connection'),
  },
  waiting: {
    submit: broken,
    answer: ends('answered'),
    exception: ends('exception'),
    'other-unit': ends('other_unit'),
    'other-function': ends('bad_response'),
    'wrong-length': ends('bad_response'),
    deadline: ends('timeout'),
    cancel: ends('cancelled'),
    close: ends('no_connection'),
  },
  'given-up': {
    submit: stays('waiting'),
    answer: stays('idle'),
    exception: stays('idle'),
    'other-unit': stays('idle'),
    'other-function': stays('idle'),
    'wrong-length': stays('idle'),
    deadline: stays('idle'),
    cancel: stays('idle'),
    close: stays('idle'),
  },
  closed: {
    submit: ends('no_connection'),
    answer: stays('idle'),
    exception: stays('idle'),
    'other-unit': stays('idle'),
    'other-function': stays('idle'),
    'wrong-length': stays('idle'),
    deadline: stays('idle'),
    cancel: stays('idle'),
    close: stays('idle'),
  },
};

function reach(state: State): { bench: Bench; ticket: Read } {
  const bench = new Bench();
  const ticket = new Read();
  const submit = () => bench.transactions.submit(bench.lane, ticket, 0);
  if (state === 'queued') bench.submit(-1);
  if (state !== 'idle') submit();
  if (state === 'given-up') bench.transactions.tick(100);
  if (state === 'closed') bench.transactions.close(0, null);
  ticket.outcomes.length = 0;
  return { bench, ticket };
}

function happen(event: Event, { bench, ticket }: { bench: Bench; ticket: Read }): void {
  const { transactions } = bench;
  // What comes carries the id the ticket has, had, or will have.
  const id = ticket.transaction >= 0 ? ticket.transaction : bench.sent.length === 2 ? 2 : 1;
  const mine = ticket.state === 'queued' ? 2 : id;
  const receive = (bytes: Uint8Array) => transactions.receive(bytes, 100);
  if (event === 'submit') transactions.submit(bench.lane, ticket, 100);
  if (event === 'answer') receive(answer(mine));
  if (event === 'exception') receive(encodeFrame(mine, UNIT, encodeException(3, 2)));
  if (event === 'other-unit') receive(answer(mine, 1, UNIT + 1));
  if (event === 'other-function') receive(encodeFrame(mine, UNIT, Uint8Array.of(4, 2, 0, 1)));
  if (event === 'wrong-length') receive(encodeFrame(mine, UNIT, Uint8Array.of(3, 4, 0, 1, 0, 2)));
  if (event === 'deadline') transactions.tick(100);
  if (event === 'cancel') transactions.cancel(ticket, 100);
  if (event === 'close') transactions.close(100, null);
}

describe.each(Object.keys(table) as State[])('a request that is %s', (state) => {
  test.each(Object.entries(table[state]) as [Event, Cell][])('%s -> %o', (event, cell) => {
    const reached = reach(state);
    if (cell.next === 'broken invariant') {
      expect(() => happen(event, reached)).toThrow('broken invariant');
      return;
    }
    happen(event, reached);
    expect(reached.ticket.state).toBe(cell.next);
    expect(reached.ticket.outcomes).toEqual(cell.outcome === null ? [] : [cell.outcome]);
  });
});

test('requests up to the window are sent in one piece, the others as answers come', () => {
  const bench = new Bench({ inFlightMax: 4 }).widened();
  const first = bench.submit();
  first.after = () => {
    for (let more = 0; more < 5; more++) bench.submit();
  };
  bench.transactions.receive(answer(bench.sent[0]!), 1);
  expect(bench.sends).toEqual([1, 4]);
  expect(bench.transactions.inFlight).toBe(4);
  expect(new Set(bench.sent).size).toBe(5);
});

test('answers in any order find their own question', () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7], { minLength: 8 }), (order) => {
      const bench = new Bench({ inFlightMax: 16 }).widened();
      const reads = order.map((_, at) => bench.submit(0, at));
      for (const at of order) bench.transactions.receive(answer(bench.sent[at]!, at * 3), 1);
      expect(reads.map(({ value }) => value)).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
    }),
  );
});

test('late, duplicate and unknown answers are counted apart and change nothing', () => {
  const bench = new Bench({ inFlightMax: 16 }).widened();
  const late = bench.submit(0);
  bench.transactions.tick(100);
  const read = bench.submit(100);
  bench.transactions.receive(answer(bench.sent[0]!, 111), 101);
  bench.transactions.receive(answer(bench.sent[1]!, 222), 102);
  bench.transactions.receive(answer(bench.sent[1]!, 333), 103);
  bench.transactions.receive(answer(40_000, 444), 104);
  expect(bench.transactions.counts).toMatchObject({ late: 1, duplicate: 1, unknown: 1 });
  expect([late.value, read.value]).toEqual([null, 222]);
  expect(bench.distrust).toBeNull();
});

test('the id of a request that was given up is not used again while its answer could come', () => {
  const bench = new Bench({ timeoutMs: 10 });
  bench.submit(0);
  const given = bench.sent[0]!;
  bench.transactions.tick(10);
  const turn = (count: number, nowMs: number) => {
    for (let at = 0; at < count; at++) {
      bench.submit(nowMs);
      bench.transactions.receive(answer(bench.sent.at(-1)!), nowMs);
    }
  };
  turn(70_000, 20);
  expect(bench.sent.filter((id) => id === given)).toHaveLength(1);
  bench.submit(10 + LATE_REPLY_MAX_MS); // Given up itself: that clears what is too old.
  bench.transactions.tick(20 + LATE_REPLY_MAX_MS);
  turn(70_000, 30 + LATE_REPLY_MAX_MS);
  expect(bench.sent.filter((id) => id === given).length).toBeGreaterThan(1);
});

test('an anomaly brings the window back to one, and three in a row end the trust', () => {
  const bench = new Bench({ inFlightMax: 8 }).widened();
  bench.submit();
  bench.transactions.receive(answer(999), 0);
  expect([bench.transactions.window, bench.distrust]).toEqual([1, null]);
  bench.transactions.receive(answer(bench.sent[0]!), 1); // A good answer begins the count anew.
  for (let more = 0; more < ANOMALIES_MAX - 1; more++) bench.transactions.receive(answer(999), 2);
  expect(bench.distrust).toBeNull();
  bench.transactions.receive(Uint8Array.of(9, 9, 9, 9, 9, 9), 3);
  expect(bench.distrust!.code).toBe('modbus_desync');
});

test('the window begins at one, and doubles after a run of answers to a full one', () => {
  const bench = new Bench({ inFlightMax: 6 });
  const windows = [bench.transactions.window];
  const answerOldest = (of: Bench) => {
    of.transactions.receive(answer(of.sent.at(-of.transactions.inFlight)!), 0);
  };
  for (let more = 0; more < 200; more++) {
    for (let at = bench.transactions.inFlight; at < 16; at++) bench.submit();
    answerOldest(bench);
    const { window } = bench.transactions;
    if (window !== windows.at(-1)) windows.push(window);
    expect(bench.transactions.inFlight).toBeLessThanOrEqual(window);
  }
  expect(windows).toEqual([1, 2, 4, 6]);
  const seldom = new Bench({ inFlightMax: 6 });
  for (let more = 0; more < 200; more++) {
    seldom.submit();
    answerOldest(seldom);
  }
  expect(seldom.transactions.window).toBe(2); // What was never full was never tried.
});

test('a window that failed is never tried again: half of it is the most on the next connection', () => {
  const failed = new Bench({ inFlightMax: 8 }).widened();
  failed.submit();
  failed.transactions.receive(answer(999), 0);
  for (let more = 0; more < 10 * CLEAN_RUN; more++) {
    const { inFlight } = failed.transactions;
    if (inFlight > 0) failed.transactions.receive(answer(failed.sent.at(-1)!), 1);
    failed.submit();
  }
  expect(failed.transactions.window).toBe(1);
  const next = new Bench({ inFlightMax: 8 });
  next.transactions.recall(next.lane, failed.lane.lessons);
  expect(next.widened().transactions.window).toBe(4);
});

test('the lower rank goes first, of a device and between devices', () => {
  const bench = new Bench();
  const other = bench.transactions.lane({ ...lane, unit: 9 });
  const order: number[] = [];
  const track = (read: Read, name: number) => {
    read.after = () => void order.push(name);
  };
  bench.submit();
  track(bench.submit(0, 0, 2), 3);
  track(bench.submit(0, 0, 0), 1);
  const between = new Read();
  between.urgency = { rank: 1, dueMonoMs: 0 };
  bench.transactions.submit(other, between, 0);
  track(between, 2);
  for (const unit of [UNIT, UNIT, 9, UNIT]) {
    bench.transactions.receive(answer(bench.sent.at(-1)!, 1, unit), 1);
  }
  expect(order).toEqual([1, 2, 3]);
});

test('an urgency shortens a time-out, never lengthens it', () => {
  const bench = new Bench({ inFlightMax: 2 });
  for (const [timeoutMs, fromMs, untilMs] of [
    [30, 1_000, 1_030],
    [5_000, 2_000, 2_100],
  ] as const) {
    const read = new Read();
    read.urgency = { rank: 3, dueMonoMs: 0, timeoutMs };
    bench.transactions.submit(bench.lane, read, fromMs);
    bench.transactions.tick(untilMs - 1);
    expect(read.outcomes).toEqual([]);
    bench.transactions.tick(untilMs);
    expect(read.outcomes).toEqual(['timeout']);
  }
});

test('requests in flight at once share the line: what each took adds up to what it was taken', () => {
  const bench = new Bench({ inFlightMax: 4 }).widened();
  const reads = [0, 1, 2].map((at) => bench.submit(1_000, at));
  bench.sent.forEach((id, at) => {
    bench.transactions.receive(answer(id), 1_010 + 5 * at);
  });
  expect(reads.map(({ lineMs }) => lineMs)).toEqual([10, 5, 5]);
});

test('a time-out with others in flight brings the window back to one', () => {
  const bench = new Bench({ inFlightMax: 8 }).widened();
  bench.submit(0);
  bench.submit(50);
  bench.transactions.tick(100);
  expect(bench.transactions.window).toBe(1);
});

test('too many ids out of use end the trust before ids run out', () => {
  const bench = new Bench({ timeoutMs: 1 });
  for (let at = 0; at < EXPIRED_MAX; at++) {
    expect(bench.distrust).toBeNull();
    bench.submit(at);
    bench.transactions.tick(at + 1);
  }
  expect(bench.distrust!.retry).toBe('later');
});

test('a full queue refuses, and says so at once', () => {
  const bench = new Bench();
  for (let at = 0; at <= QUEUE_MAX; at++) bench.submit();
  expect(bench.submit().outcomes).toEqual(['overload']);
});

test('whatever is sent, received, waited for or closed: every request is settled exactly once', () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant('submit' as const) }),
    fc.record({ kind: fc.constant('answer' as const), of: fc.nat(20), wrong: fc.nat(4) }),
    fc.record({ kind: fc.constant('noise' as const), bytes: fc.uint8Array({ maxLength: 30 }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(150) }),
    fc.record({ kind: fc.constant('cancel' as const), of: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 16 }), (...run) => {
      const [actions, inFlightMax] = run;
      const bench = new Bench({ inFlightMax });
      const reads: Read[] = [];
      let nowMs = 0;
      for (const act of actions) {
        if (act.kind === 'submit') reads.push(bench.submit(nowMs));
        if (act.kind === 'answer') {
          const id = bench.sent[act.of] ?? 7_777;
          const unit = act.wrong === 1 ? 9 : UNIT;
          bench.transactions.receive(answer(act.wrong === 2 ? id + 9 : id, 5, unit), nowMs);
        }
        if (act.kind === 'noise') bench.transactions.receive(act.bytes, nowMs);
        if (act.kind === 'wait') bench.transactions.tick((nowMs += act.ms));
        const ticket = act.kind === 'cancel' ? reads[act.of] : undefined;
        if (ticket) bench.transactions.cancel(ticket, nowMs);
        expect(bench.transactions.inFlight).toBeLessThanOrEqual(inFlightMax);
      }
      bench.transactions.close(nowMs, null);
      for (const read of reads) expect(read.outcomes).toHaveLength(1);
      expect(bench.transactions.wakeMs).toBe(Number.POSITIVE_INFINITY);
    }),
  );
});

test('who is told of the close and cancels the others settles none of them twice', () => {
  const bench = new Bench();
  const reads = Array.from({ length: 4 }, () => bench.submit());
  for (const read of reads) {
    read.after = () => reads.forEach((other) => void bench.transactions.cancel(other, 1));
  }
  bench.transactions.close(1, null);
  expect(reads.map(({ outcomes }) => outcomes.length)).toEqual([1, 1, 1, 1]);
});
