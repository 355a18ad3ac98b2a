import { describe, expect, test } from 'vitest';
import { hex } from '../../core/bytes.ts';
import type { Pace } from '../driver.ts';
import { encodeAsciiFrame } from './ascii-frames.ts';
import type { BusOptions } from './bus.ts';
import { BROADCAST_MS, Bus, LINE_QUEUE_MAX, LISTEN_MAX_MS, RESYNC_MS } from './bus.ts';
import type { Request } from './codec.ts';
import { encodeException, encodeRequest } from './codec.ts';
import type { Lane, LaneOptions, Outcome, TicketState } from './conversation.ts';
import { Ticket } from './conversation.ts';
import { LATE_REPLY_LINE_MS } from './owed.ts';
import { encodeRtuFrame } from './rtu-frames.ts';

const UNIT = 5;
const TIMEOUT_MS = 100;

class Ask extends Ticket {
  readonly outcomes: Outcome[] = [];
  code = 0;
  value: number | null = null;
  after: () => void = () => {};

  constructor(request: Request) {
    super(encodeRequest(request));
  }

  override settled(outcome: Outcome, code: number, bytes: Uint8Array, start: number): void {
    this.outcomes.push(outcome);
    this.code = code;
    if (outcome === 'answered') this.value = (bytes[start + 2]! << 8) | bytes[start + 3]!;
    this.after();
  }
}

const read = (address = 0, count = 2): Request => ({ function: 3, address, count });
/** Of a read of so many registers, each with this value. */
const answer = (value = 1, count = 2, unit = UNIT, code = 3) =>
  encodeRtuFrame(
    unit,
    Uint8Array.from({ length: 2 + 2 * count }, (_, at) =>
      at === 0 ? code : at === 1 ? 2 * count : at % 2 === 0 ? value >> 8 : value & 0xff,
    ),
  );
const exception = (code = 2, of = 3) => encodeRtuFrame(UNIT, encodeException(of, code));

class Bench {
  readonly bus: Bus;
  readonly lane: Lane;
  /** Unit and PDU of what was sent, and when. */
  readonly sent: string[] = [];
  readonly sentMs: number[] = [];
  frame: Uint8Array = new Uint8Array(0);
  nowMs = 0;

  constructor(lane: Partial<LaneOptions> = {}, options: Partial<BusOptions> = {}) {
    const effects = {
      send: (bytes: Uint8Array) => {
        this.frame = bytes;
        this.sent.push(`${bytes[0]} ${hex(bytes.subarray(1, -2))}`);
        this.sentMs.push(this.nowMs);
      },
      distrust: () => expect.unreachable('a bus is never distrusted'),
    };
    this.bus = new Bus(effects, { framing: 'rtu', echo: false, pace: undefined, ...options });
    this.lane = this.laneOf(lane);
  }

  laneOf(options: Partial<LaneOptions>): Lane {
    const plain = { unit: UNIT, timeoutMs: TIMEOUT_MS, inFlightMax: 1, minGapMs: 0 };
    return this.bus.lane({ ...plain, ...options });
  }

  submit(request: Request = read(), lane = this.lane, rank?: number, dueMonoMs = 0): Ask {
    const ask = new Ask(request);
    if (rank !== undefined) ask.urgency = { rank, dueMonoMs };
    this.bus.submit(lane, ask, this.nowMs);
    return ask;
  }

  receive(...frames: readonly Uint8Array[]): void {
    for (const bytes of frames) this.bus.receive(bytes, this.nowMs);
  }

  /** Moves time on, ticking whenever the bus wants it. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    while (this.bus.wakeMs <= endMs) {
      this.nowMs = Math.max(this.nowMs, this.bus.wakeMs);
      this.bus.tick(this.nowMs);
    }
    this.nowMs = endMs;
  }

  close(): void {
    this.bus.close(this.nowMs, null);
  }
}

type State = 'idle' | 'queued' | 'waiting' | 'probing' | 'given-up' | 'closed';
type Event =
  | 'submit'
  | 'answer'
  | 'exception'
  | 'other-unit'
  | 'wrong-length'
  | 'noise'
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
const ofNoConcern = {
  answer: stays('idle'),
  exception: stays('idle'),
  'other-unit': stays('idle'),
  'wrong-length': stays('idle'),
  noise: stays('idle'),
  deadline: stays('idle'),
  cancel: stays('idle'),
  close: stays('idle'),
};

// A new state or event does not compile until every cell is decided. Answers are to the ticket's
// own request, also while it is not the one that is on the line.
const table: Record<State, Record<Event, Cell>> = {
  idle: { ...ofNoConcern, submit: stays('waiting') },
  queued: {
    submit: broken,
    answer: stays('queued'),
    exception: stays('queued'),
    'other-unit': stays('queued'),
    'wrong-length': stays('queued'),
    noise: stays('queued'),
    deadline: stays('waiting'), // That of the one before it, whose place it takes.
    cancel: ends('cancelled'),
    close: ends('no_connection'),
  },
  waiting: {
    submit: broken,
    answer: ends('answered'),
    exception: ends('exception'),
    'other-unit': stays('waiting'),
    'wrong-length': stays('waiting'),
    noise: stays('waiting'),
    deadline: ends('timeout'),
    cancel: ends('cancelled'),
    close: ends('no_connection'),
  },
  probing: {
    submit: broken,
    answer: stays('waiting'), // It is the late one's.
    exception: stays('waiting'),
    'other-unit': stays('waiting'),
    'wrong-length': stays('waiting'),
    noise: stays('waiting'),
    deadline: ends('timeout'),
    cancel: ends('cancelled'),
    close: ends('no_connection'),
  },
  'given-up': { ...ofNoConcern, submit: stays('waiting') },
  closed: { ...ofNoConcern, submit: ends('no_connection') },
};

function reach(state: State): { bench: Bench; ask: Ask } {
  const bench = new Bench();
  const ask = new Ask(read());
  const submit = () => bench.bus.submit(bench.lane, ask, bench.nowMs);
  if (state === 'queued') bench.submit({ function: 4, address: 9, count: 1 });
  if (state !== 'idle') submit();
  if (state === 'given-up' || state === 'probing') bench.advance(TIMEOUT_MS);
  if (state === 'probing') submit();
  if (state === 'closed') bench.close();
  ask.outcomes.length = 0;
  return { bench, ask };
}

function happen(event: Event, { bench, ask }: { bench: Bench; ask: Ask }): void {
  if (event === 'submit') bench.bus.submit(bench.lane, ask, bench.nowMs);
  if (event === 'answer') bench.receive(answer());
  if (event === 'exception') bench.receive(exception());
  if (event === 'other-unit') bench.receive(answer(1, 2, UNIT + 1));
  if (event === 'wrong-length') bench.receive(answer(1, 3));
  if (event === 'noise') bench.receive(Uint8Array.of(9, 9, 9, 0xff, 0xff));
  if (event === 'deadline') bench.advance(TIMEOUT_MS);
  if (event === 'cancel') bench.bus.cancel(ask, bench.nowMs);
  if (event === 'close') bench.close();
}

describe.each(Object.keys(table) as State[])('a request that is %s', (state) => {
  test.each(Object.entries(table[state]) as [Event, Cell][])('%s -> %o', (event, cell) => {
    const reached = reach(state);
    if (cell.next === 'broken invariant') {
      expect(() => happen(event, reached)).toThrow('broken invariant');
      return;
    }
    happen(event, reached);
    expect(reached.ask.state).toBe(cell.next);
    expect(reached.ask.outcomes).toEqual(cell.outcome === null ? [] : [cell.outcome]);
  });
});

describe('one at a time', () => {
  test('the lower rank goes first, then the earlier due time, then who came first', () => {
    const bench = new Bench();
    const other = bench.laneOf({ unit: 9 });
    const first = bench.submit(read(0));
    const order: number[] = [];
    const place = (name: number, rank: number, due: number, lane: Lane) => {
      const ask = bench.submit(read(name, 1), lane, rank, due);
      ask.after = () => void order.push(name);
    };
    place(5, 2, 10, other);
    place(6, 2, 10, bench.lane);
    place(4, 2, 5, bench.lane);
    place(7, 3, 0, other);
    place(3, 0, 99, other);
    expect(bench.sent).toEqual(['5 0300000002']);
    bench.receive(answer());
    expect(first.outcomes).toEqual(['answered']);
    for (let left = 5; left > 0; left--) {
      bench.receive(answer(1, 1, Number(bench.sent.at(-1)!.split(' ')[0])));
    }
    expect(order).toEqual([3, 4, 5, 6, 7]);
  });

  test('a request that was cancelled holds the line until it is answered, or past its deadline', () => {
    for (const isAnswered of [true, false]) {
      const bench = new Bench();
      const other = bench.laneOf({ unit: 9 });
      const ask = bench.submit();
      bench.bus.cancel(ask, 0);
      bench.submit(read(), other);
      expect(bench.sent).toHaveLength(1);
      if (isAnswered) bench.receive(answer());
      else bench.advance(TIMEOUT_MS);
      expect(bench.sent).toHaveLength(2);
      expect(ask.outcomes).toEqual(['cancelled']);
    }
  });

  test('a device that needs a pause leaves the line to others meanwhile', () => {
    const bench = new Bench({ minGapMs: 50 });
    const other = bench.laneOf({ unit: 9 });
    for (let more = 0; more < 2; more++) bench.submit();
    bench.submit(read(7, 1), other);
    bench.submit(read(8, 1), other);
    bench.receive(answer(), answer(1, 1, 9), answer(1, 1, 9));
    bench.advance(60);
    expect(bench.sent.map((text) => text.split(' ')[0])).toEqual(['5', '9', '9', '5']);
    expect(bench.sentMs).toEqual([0, 0, 0, 50]);
  });

  test('a broadcast is answered by none, and devices have time to act on it', () => {
    const bench = new Bench({ unit: 0 });
    const other = bench.laneOf({ unit: 9 });
    const ask = bench.submit({ function: 6, address: 1, value: 3 });
    bench.submit(read(), other);
    bench.advance(BROADCAST_MS - 1);
    expect(bench.sent).toHaveLength(1);
    bench.advance(1);
    expect([ask.outcomes, bench.sent.length]).toEqual([['answered'], 2]);
  });

  test('a full queue refuses, and says so at once', () => {
    const bench = new Bench();
    for (let at = 0; at <= LINE_QUEUE_MAX; at++) bench.submit();
    expect(bench.submit().outcomes).toEqual(['overload']);
  });

  test('an urgency shortens a time-out when the request is sent, not when it is submitted', () => {
    const bench = new Bench();
    const urgency = { rank: 3, dueMonoMs: 0, timeoutMs: 5_000 };
    bench.submit({ function: 4, address: 0, count: 1 });
    const ask = new Ask(read());
    ask.urgency = urgency;
    bench.bus.submit(bench.lane, ask, 0);
    urgency.timeoutMs = 30;
    bench.advance(TIMEOUT_MS + 29);
    expect(ask.outcomes).toEqual([]);
    bench.advance(1);
    expect(ask.outcomes).toEqual(['timeout']);
  });
});

describe('the times of the line', () => {
  const pace = (bitsPerSecond: number): Pace => ({ bitsPerSecond, bitsPerCharacter: 11 });

  test.each([
    [9_600, (3.5 * 11_000) / 9_600],
    [19_200, (3.5 * 11_000) / 19_200],
    [19_201, 1.75],
    [115_200, 1.75],
  ])(
    'at %i baud a request waits for %d ms of silence, and a deadline counts the bytes',
    (...row) => {
      const [baud, silenceMs] = row;
      const characterMs = 11_000 / baud;
      const bench = new Bench({}, { pace: pace(baud) });
      const ask = bench.submit();
      bench.advance(8 * characterMs + TIMEOUT_MS + 9 * characterMs - 0.01);
      expect(ask.outcomes).toEqual([]);
      bench.receive(answer());
      expect(ask.outcomes).toEqual(['answered']);
      const answeredMs = bench.nowMs;
      expect(ask.lineMs).toBeCloseTo(answeredMs + silenceMs, 6);
      const next = bench.submit(read(1));
      bench.advance(8 * characterMs + TIMEOUT_MS + 9 * characterMs + silenceMs + 0.01);
      expect(bench.sentMs[1]).toBeCloseTo(answeredMs + silenceMs, 6);
      expect(next.outcomes).toEqual(['timeout']);
      expect(next.lineMs).toBeCloseTo(TIMEOUT_MS + 17 * characterMs, 6);
    },
  );

  test('turnaround is from the last byte sent to the first of the answer, and so is the cost', () => {
    const characterMs = 11_000 / 9_600;
    const bench = new Bench({}, { pace: pace(9_600) });
    bench.submit();
    bench.advance(8 * characterMs + 20 + 9 * characterMs);
    bench.receive(answer());
    expect(bench.lane.lessons.turnaroundMs).toBeCloseTo(20, 6);
    const { requestMs, registerMs } = bench.bus.cost(bench.lane);
    expect(requestMs).toBeCloseTo(13 * characterMs + 20 + 3.5 * characterMs, 6);
    expect(registerMs).toBeCloseTo(2 * characterMs, 6);
  });

  test('what is left of a frame that stays half is dropped after a while, and then a frame is read', () => {
    const bench = new Bench();
    bench.receive(answer().subarray(0, 6));
    expect(bench.bus.wakeMs).toBe(RESYNC_MS);
    bench.advance(RESYNC_MS);
    expect(bench.bus.wakeMs).toBe(Number.POSITIVE_INFINITY);
    expect(bench.bus.garbageBytes).toBe(6);
    const ask = bench.submit();
    bench.receive(answer(7));
    expect(ask.value).toBe(7);
  });

  test('a silent unit is told from one whose answers come broken, request by request', () => {
    const bench = new Bench();
    const broken = answer().with(4, 0x55);
    const ask = bench.submit();
    bench.receive(broken);
    bench.advance(TIMEOUT_MS);
    expect(ask.outcomes).toEqual(['broken']);
    bench.advance(60_000); // Until nothing is owed any more.
    const next = bench.submit();
    bench.advance(TIMEOUT_MS);
    expect(next.outcomes).toEqual(['timeout']);
    bench.advance(60_000);
    const last = bench.submit();
    bench.receive(broken, answer(7));
    expect([last.outcomes, last.value]).toEqual([['answered'], 7]);
  });

  test('a line that never falls silent is spoken into, so that all is settled', () => {
    const bench = new Bench({}, { pace: pace(9_600) });
    bench.receive(Uint8Array.of(0xff));
    const ask = bench.submit();
    for (let more = 0; more < 400; more++) {
      bench.advance(2);
      bench.receive(Uint8Array.of(0xff));
    }
    expect(bench.sentMs).toEqual([expect.closeTo(LISTEN_MAX_MS, -1)]);
    expect(ask.outcomes).toEqual(['broken']);
  });

  test('ASCII needs no silence, and twice the characters', () => {
    const bench = new Bench({}, { framing: 'ascii', pace: pace(9_600) });
    bench.submit();
    bench.receive(encodeAsciiFrame(UNIT, answer().slice(1, -2)));
    bench.submit(read(1));
    expect(bench.sentMs).toEqual([0, 0]);
    expect(bench.bus.cost(bench.lane).registerMs).toBeCloseTo((4 * 11_000) / 9_600, 6);
  });
});

describe('echo', () => {
  test('is taken off, in whatever pieces it comes', () => {
    for (let size = 1; size <= 20; size++) {
      const bench = new Bench({}, { echo: true });
      const ask = bench.submit();
      const all = Uint8Array.from([...bench.frame, ...answer(7)]);
      for (let at = 0; at < all.length; at += size) bench.receive(all.subarray(at, at + size));
      expect([ask.outcomes, ask.value]).toEqual([['answered'], 7]);
      expect(bench.bus.counts).toMatchObject({ garbage: 0, collision: 0 });
    }
  });

  test('of a write is not its answer', () => {
    const bench = new Bench({}, { echo: true });
    const ask = bench.submit({ function: 6, address: 1, value: 3 });
    bench.receive(bench.frame);
    expect(ask.outcomes).toEqual([]);
    bench.receive(bench.frame);
    expect(ask.outcomes).toEqual(['answered']);
  });

  test('that differs is a collision: told at the deadline, unless the answer comes all the same', () => {
    for (const isAnswered of [false, true]) {
      const bench = new Bench({}, { echo: true });
      const ask = bench.submit();
      bench.receive(bench.frame.with(4, 0x55));
      expect(bench.bus.counts.collision).toBe(1);
      if (isAnswered) bench.receive(answer());
      bench.advance(TIMEOUT_MS);
      expect(ask.outcomes).toEqual([isAnswered ? 'answered' : 'collision']);
    }
  });

  test('that never comes leaves the answer whole', () => {
    const bench = new Bench({}, { echo: true });
    const ask = bench.submit();
    bench.receive(answer(7));
    expect(ask.value).toBe(7);
  });
});

describe('what is no answer', () => {
  test('of a unit that was not asked is counted, and at the deadline the unit is named', () => {
    const bench = new Bench();
    const ask = bench.submit();
    bench.receive(answer(1, 2, 8));
    bench.advance(TIMEOUT_MS);
    expect([ask.outcomes, ask.code, bench.bus.counts.foreign]).toEqual([['other_unit'], 8, 1]);
  });

  test('of another length is counted, and the wait goes on', () => {
    for (const isAnswered of [false, true]) {
      const bench = new Bench();
      const ask = bench.submit();
      bench.receive(answer(9, 3));
      if (isAnswered) bench.receive(answer(7));
      bench.advance(TIMEOUT_MS);
      expect(ask.outcomes).toEqual([isAnswered ? 'answered' : 'bad_response']);
      expect(ask.value).toBe(isAnswered ? 7 : null);
      expect(bench.bus.counts.malformed).toBe(1);
    }
  });

  test('and comes unasked is counted as unknown', () => {
    const bench = new Bench();
    bench.receive(answer());
    expect(bench.bus.counts).toMatchObject({ unknown: 1, late: 0 });
  });
});

describe('a late answer', () => {
  /** A request given up, and another of the same shape. */
  function late(options: Partial<LaneOptions> = {}): { bench: Bench; first: Ask; second: Ask } {
    const bench = new Bench(options);
    const first = bench.submit(read(0));
    bench.advance(TIMEOUT_MS);
    const second = bench.submit(read(10));
    return { bench, first, second };
  }

  test('to another request of the same shape becomes nobody’s value', () => {
    const { bench, first, second } = late();
    expect(first.outcomes).toEqual(['timeout']);
    expect(bench.sent.at(-1), 'a probe of another length goes ahead').toBe('5 03000a0001');
    bench.receive(answer(111));
    expect([second.value, bench.bus.counts.late]).toEqual([null, 1]);
    bench.receive(answer(222, 1));
    expect(bench.sent.at(-1)).toBe('5 03000a0002');
    bench.receive(answer(333));
    expect(second.value).toBe(333);
  });

  test('that never comes costs a probe, and its answer makes it void', () => {
    const { bench, second } = late();
    bench.receive(answer(222, 1), answer(333));
    expect(second.value).toBe(333);
    bench.submit(read(0));
    bench.receive(answer(444));
    expect(bench.sent.slice(-1)).toEqual(['5 0300000002']);
  });

  test('of another shape needs no probe', () => {
    const bench = new Bench();
    bench.submit(read(0, 2));
    bench.advance(TIMEOUT_MS);
    const second = bench.submit(read(10, 3));
    bench.receive(answer(111, 2), answer(222, 3));
    expect([second.value, bench.sent.length]).toEqual([222, 2]);
  });

  test('to a write is told from another by its echo', () => {
    const bench = new Bench();
    const write = (value: number): Request => ({ function: 6, address: 1, value });
    bench.submit(write(3));
    bench.advance(TIMEOUT_MS);
    const other = bench.submit(write(4));
    bench.receive(encodeRtuFrame(UNIT, encodeRequest(write(3))));
    expect(other.outcomes).toEqual([]);
    bench.advance(TIMEOUT_MS);
    const again = bench.submit(write(4));
    expect(bench.sent.at(-1), 'the same write goes behind a probe').toBe('5 0300010001');
    bench.receive(answer(1, 1));
    bench.receive(encodeRtuFrame(UNIT, encodeRequest(write(4))));
    expect(again.outcomes).toEqual(['answered']);
  });

  test('of another unit settles nothing and spoils nothing', () => {
    const bench = new Bench();
    const other = bench.laneOf({ unit: 9 });
    bench.submit();
    bench.advance(TIMEOUT_MS);
    const ask = bench.submit(read(), other);
    bench.receive(answer(111), answer(222, 2, 9));
    expect([ask.value, bench.bus.counts.late, bench.bus.counts.foreign]).toEqual([222, 1, 0]);
  });

  test('that is an exception could be the later one’s: then it is neither’s', () => {
    const bench = new Bench();
    bench.submit(read(0, 2));
    bench.advance(TIMEOUT_MS);
    const second = bench.submit(read(10, 3));
    bench.receive(exception(2));
    expect(second.outcomes).toEqual([]);
    bench.advance(TIMEOUT_MS);
    expect(second.outcomes, 'no exception, so no hole is learned').toEqual(['bad_response']);
    const third = bench.submit(read(20, 2));
    bench.receive(exception(6));
    bench.receive(answer(7, 2));
    expect(third.value, 'the answer that fits it alone counts').toBe(7);
  });

  test('and a second exception is the later one’s: a unit answers in order', () => {
    const bench = new Bench();
    bench.submit(read(0, 2));
    bench.advance(TIMEOUT_MS);
    const second = bench.submit(read(10, 3));
    bench.receive(exception(2), exception(4));
    expect([second.outcomes, second.code]).toEqual([['exception'], 4]);
  });

  test('a probe that is refused makes the older one void, and is told from the request itself', () => {
    const { bench, second } = late();
    bench.receive(exception(3));
    expect(bench.sent.at(-1)).toBe('5 03000a0002');
    bench.receive(answer(5));
    expect(second.value).toBe(5);
  });

  test('a request and probes that are all refused end in a refusal, by a probe of another function', () => {
    const { bench } = late();
    const device = () => {
      const [code] = encodedOf(bench.sent.at(-1)!);
      bench.receive(code === 4 ? answer(0, 1, UNIT, 4) : exception(2, code));
    };
    const outcomes: Outcome[] = [];
    for (let more = 0; more < 4; more++) {
      const ask = more === 0 ? undefined : bench.submit(read(10));
      for (let sent = -1; sent !== bench.sent.length; ) {
        sent = bench.sent.length;
        device();
      }
      bench.advance(TIMEOUT_MS);
      if (ask) outcomes.push(...ask.outcomes);
    }
    expect(outcomes.at(-1)).toBe('exception');
  });

  const encodedOf = (sent: string) => [...Buffer.from(sent.split(' ')[1]!, 'hex')];

  test('where no probe may be sent, the request is not either, until nothing can come', () => {
    const nothing = { mayRead: () => false, readAcrossGaps: false };
    const bench = new Bench({ probes: nothing });
    bench.submit(read(0, 1));
    bench.advance(TIMEOUT_MS);
    const second = bench.submit(read(10, 1));
    expect([second.outcomes, bench.sent.length]).toEqual([['timeout'], 1]);
    bench.advance(LATE_REPLY_LINE_MS - 50);
    const third = bench.submit(read(10, 1));
    expect(bench.sent, 'what is soon over is waited for').toHaveLength(1);
    bench.advance(50);
    bench.receive(answer(5, 1));
    expect(third.value).toBe(5);
  });

  test('probes touch no register that is forbidden, and none beyond where gaps are not read', () => {
    const asked: string[] = [];
    const mayRead = (code: number, address: number, count: number) => {
      asked.push(`${code} ${address} ${count}`);
      return code === 1;
    };
    const bench = new Bench({ probes: { mayRead, readAcrossGaps: true } });
    bench.submit(read(0, 1));
    bench.advance(TIMEOUT_MS);
    bench.submit(read(10, 1));
    expect(bench.sent.at(-1)).toBe('5 01000a0001');
    expect(asked).toContain('3 10 2');
  });

  test('can come on the next connection: what was owed is owed there', () => {
    const { bench } = late();
    bench.close();
    const next = new Bench();
    next.bus.recall(next.lane, bench.lane.lessons);
    next.bus.recall(next.lane, bench.lane.lessons); // Another plan of the same device.
    next.nowMs = bench.nowMs;
    const ask = next.submit(read(10));
    expect(next.sent.at(-1)).not.toBe('5 03000a0002');
    next.receive(answer(111));
    expect([ask.value, next.bus.counts.late]).toEqual([null, 1]);
  });

  test('to a request that was cancelled is taken, and nothing waits for it any more', () => {
    const bench = new Bench();
    bench.bus.cancel(bench.submit(), 0);
    const second = bench.submit(read(10));
    bench.receive(answer(111));
    expect([second.value, bench.sent.at(-1)]).toEqual([null, '5 03000a0002']);
    bench.receive(answer(222));
    expect(second.value).toBe(222);
  });
});

test('who is told of the close and cancels the others settles none of them twice', () => {
  const bench = new Bench();
  const asks = Array.from({ length: 4 }, () => bench.submit());
  for (const ask of asks)
    ask.after = () => asks.forEach((other) => void bench.bus.cancel(other, 1));
  bench.close();
  expect(asks.map(({ outcomes }) => outcomes.length)).toEqual([1, 1, 1, 1]);
});
