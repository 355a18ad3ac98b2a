// On a line nothing but its shape says whose answer a frame is. Devices here answer late by any
// time within the bound, lose requests, refuse, and are asked all kinds of things meanwhile; each
// answer carries the number of the request it is for.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Bus } from './bus.ts';
import type { Request } from './codec.ts';
import { decodeRequest, encodeException, encodeRequest, encodeResponse } from './codec.ts';
import type { Lane, Outcome } from './conversation.ts';
import { Ticket } from './conversation.ts';
import { LATE_REPLY_LINE_MS } from './owed.ts';
import { encodeRtuFrame } from './rtu-frames.ts';

const TIMEOUT_MS = 100;
const UNITS = [1, 2];
const UNKNOWN = 6;

interface Deed {
  /** From the request's arrival; never before what the unit was asked earlier. */
  readonly delayMs: number;
  readonly what: 'answer' | 'refuse' | 'lose' | 'garble';
}

interface Wish {
  readonly unit: number;
  readonly request: Request;
  readonly waitMs: number;
  readonly isCancelled: boolean;
}

class Line {
  readonly bus: Bus;
  readonly lanes: readonly Lane[];
  readonly outcomes: Outcome[] = [];
  nowMs = 0;
  deeds: readonly Deed[];
  /** Frames on their way, in the order in which they come. */
  #coming: { atMs: number; bytes: Uint8Array }[] = [];
  readonly #lastMs = new Map<number, number>();
  #serial = 0;

  constructor(deeds: readonly Deed[]) {
    this.deeds = deeds;
    const effects = {
      send: (bytes: Uint8Array) => this.#hear(bytes),
      distrust: () => expect.unreachable(),
    };
    this.bus = new Bus(effects, { framing: 'rtu', echo: false, pace: undefined });
    this.lanes = UNITS.map((unit) =>
      this.bus.lane({ unit, timeoutMs: TIMEOUT_MS, inFlightMax: 1, minGapMs: 0 }),
    );
  }

  /** Which of the exceptions or register values names the request sent last. */
  get register(): number {
    return this.#serial & 0xffff;
  }

  get exception(): number {
    return 1 + (this.#serial % 250);
  }

  ask({ unit, request, isCancelled, waitMs }: Wish): void {
    const ask = new Ask(request, this);
    this.bus.submit(this.lanes[UNITS.indexOf(unit)]!, ask, this.nowMs);
    this.advance(waitMs);
    if (isCancelled) this.bus.cancel(ask, this.nowMs);
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const comingMs = this.#coming[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const nextMs = Math.min(comingMs, this.bus.wakeMs);
      if (nextMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      if (comingMs <= this.nowMs) this.bus.receive(this.#coming.shift()!.bytes, this.nowMs);
      else this.bus.tick(this.nowMs);
    }
    this.nowMs = endMs;
  }

  #hear(bytes: Uint8Array): void {
    this.#serial++;
    const { delayMs, what } = this.deeds[this.#serial % this.deeds.length]!;
    const unit = bytes[0]!;
    if (what === 'lose') return;
    const request = decodeRequest(bytes, 1, bytes.length - 2) as Request;
    const pdu = what === 'refuse' ? this.#refusal(request) : this.#answer(request);
    const frame = encodeRtuFrame(unit, pdu);
    if (what === 'garble') frame[frame.length - 1]! ^= 1;
    const atMs = Math.max(this.#lastMs.get(unit) ?? 0, this.nowMs + delayMs);
    this.#lastMs.set(unit, atMs);
    this.#coming.push({ atMs, bytes: frame });
    this.#coming.sort((a, b) => a.atMs - b.atMs);
  }

  #refusal({ function: code }: Request): Uint8Array {
    return encodeException(code, this.exception);
  }

  #answer(request: Request): Uint8Array {
    switch (request.function) {
      case 3:
      case 4: {
        const registers = new Uint16Array(request.count).fill(this.register);
        return encodeResponse(request, { kind: 'registers', registers });
      }
      case 6:
        return encodeResponse(request, { kind: 'written' });
      default:
        return encodeException(request.function, UNKNOWN);
    }
  }
}

class Ask extends Ticket {
  readonly #line: Line;

  constructor(request: Request, line: Line) {
    super(encodeRequest(request));
    this.#line = line;
  }

  override settled(
    outcome: Outcome,
    code: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const line = this.#line;
    line.outcomes.push(outcome);
    // One is on the line at a time, so what answers it answers what was sent last.
    if (outcome === 'answered' && this.pdu[0] !== 6) {
      expect((bytes[start + 2]! << 8) | bytes[start + 3]!).toBe(line.register);
      expect(end - start).toBe(2 + bytes[start + 1]!);
    }
    if (outcome === 'exception' && code !== UNKNOWN) expect(code).toBe(line.exception);
  }
}

const delay = fc.oneof(
  fc.nat(TIMEOUT_MS - 1),
  fc.nat(3 * TIMEOUT_MS),
  fc.nat(LATE_REPLY_LINE_MS - 1),
);
const deed: fc.Arbitrary<Deed> = fc.record({
  delayMs: delay,
  what: fc.constantFrom('answer', 'answer', 'answer', 'refuse', 'lose', 'garble'),
});
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    function: fc.constantFrom(3, 4),
    address: fc.nat(3),
    count: fc.integer({ min: 1, max: 3 }),
  }) as fc.Arbitrary<Request>,
  fc.record({ function: fc.constant(6 as const), address: fc.nat(1), value: fc.nat(1) }),
);
const wish: fc.Arbitrary<Wish> = fc.record({
  unit: fc.constantFrom(...UNITS),
  request,
  waitMs: fc.oneof(fc.constant(0), fc.nat(2 * TIMEOUT_MS), fc.nat(5_000)),
  isCancelled: fc.integer({ min: 0, max: 9 }).map((of) => of === 0),
});
const deeds = fc.array(deed, { minLength: 1, maxLength: 40 });

test('however late devices answer, no value and no exception belongs to another request', () => {
  let answered = 0;
  let lates = 0;
  const run = fc.property(deeds, fc.array(wish, { maxLength: 40 }), (all, wishes) => {
    const line = new Line(all);
    for (const one of wishes) line.ask(one);
    line.advance(60_000);
    line.bus.close(line.nowMs, null);
    expect(line.outcomes).toHaveLength(wishes.length);
    answered += line.outcomes.filter((outcome) => outcome === 'answered').length;
    lates += line.bus.counts.late;
  });
  fc.assert(run, { numRuns: 2_000 });
  expect(answered).toBeGreaterThan(1_000);
  expect(lates).toBeGreaterThan(1_000);
});

test('a device that answers in time again is read again, at once or when nothing late can come', () => {
  const prompt: readonly Deed[] = [{ delayMs: 10, what: 'answer' }];
  const polled = fc.record({ unit: fc.constant(1), request, waitMs: fc.nat(300) });
  const run = fc.property(deeds, fc.array(polled, { maxLength: 20 }), request, (all, asks, one) => {
    const line = new Line(all);
    for (const ask of asks) line.ask({ ...ask, isCancelled: false });
    line.deeds = prompt;
    line.advance(2 * LATE_REPLY_LINE_MS);
    line.outcomes.length = 0;
    line.ask({ unit: 1, request: one, waitMs: 1_000, isCancelled: false });
    expect(line.outcomes).toEqual(['answered']);
  });
  fc.assert(run, { numRuns: 500 });
});

test('one lost answer costs a device that is well no second time-out', () => {
  fc.assert(
    fc.property(request, request, (lost, next) => {
      const line = new Line([{ delayMs: 0, what: 'lose' }]);
      line.ask({ unit: 1, request: lost, waitMs: TIMEOUT_MS, isCancelled: false });
      line.deeds = [{ delayMs: 10, what: 'answer' }];
      line.ask({ unit: 1, request: next, waitMs: 1_000, isCancelled: false });
      expect(line.outcomes).toEqual(['timeout', 'answered']);
    }),
  );
});
