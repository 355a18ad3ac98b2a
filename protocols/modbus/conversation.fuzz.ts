// A conversation under whatever comes, whenever: requests, polls, answers good, broken, late, double
// and foreign, noise, silence, cancels and the close, in any order on a clock of the test's own.
//
// Claims: every submission is settled exactly once, also with nothing coming any more and without a
// close; what settles as answered fits the question; every poll is done once, with a place a point;
// what is sent is whole frames; nothing is ever thrown.
import assert from 'node:assert/strict';
import { Problems } from '../../core/problems.ts';
import { isGood, qualityOf } from '../../core/quality.ts';
import { answerRequest } from '../../simulators/modbus-answer.ts';
import type { Draw } from '../../tests/fuzz/draw.ts';
import type { FuzzTarget } from '../../tests/fuzz/target.ts';
import type { Answers, Urgency } from '../driver.ts';
import type { Framing, ModbusAddress } from './address.ts';
import { parseAddress, parseDevice } from './address.ts';
import { AsciiDeframer, encodeAsciiFrame } from './ascii-frames.ts';
import { Bus } from './bus.ts';
import { answerPdus, bank, requestPdus } from './codec.fuzz.ts';
import { ANSWERED, checkResponse } from './codec.ts';
import type { Conversation, Effects, Lane, Outcome } from './conversation.ts';
import { Ticket } from './conversation.ts';
import { ModbusPlan } from './plan.ts';
import { Poll } from './poll.ts';
import { encodeRtuFrame, RtuDeframer, requestLength } from './rtu-frames.ts';
import { Transactions } from './session.ts';
import { Deframer, encodeFrame } from './tcp-frames.ts';

const EVENTS_MAX = 30;
/** Ticks at the times asked for, until everything must be over. */
const TICKS_MAX = 5_000;
/** Submissions from inside of what settles. */
const AGAIN_MAX = 8;
const SENT_KEPT = 8;

const problems = new Problems('fuzz');
const addresses = [
  ...[0, 1, 3, 90, 300].map((address) => ({ table: 'holding', address, type: 'uint16' })),
  ...[0, 40].map((address) => ({ table: 'input', address, type: 'float32' })),
  ...[0, 3_000].map((address) => ({ table: 'coil', address })),
].map((raw): ModbusAddress => parseAddress(raw, [], problems)!);

interface Asked {
  readonly transaction: number;
  readonly unit: number;
  readonly pdu: Uint8Array;
}

class Request extends Ticket {
  submissions = 0;
  settlements = 0;
  readonly #then: (ticket: Request) => void;

  constructor(pdu: Uint8Array, urgency: Urgency | null, then: (ticket: Request) => void) {
    super(pdu);
    this.urgency = urgency;
    this.#then = then;
  }

  override settled(outcome: Outcome, code: number, bytes: Uint8Array, start: number, end: number) {
    this.settlements++;
    assert.equal(this.settlements, this.submissions, 'settled twice');
    assert.equal(this.state, 'idle');
    if (outcome === 'answered' && this.lane!.options.unit !== 0) {
      assert.equal(checkResponse(this.pdu, bytes, start, end), ANSWERED);
    }
    if (outcome === 'exception') assert(code >= 1 && code <= 255);
    this.#then(this);
  }
}

class World {
  readonly #draw: Draw;
  readonly #framing: Framing;
  readonly #hasEcho: boolean;
  readonly #conversation: Conversation;
  readonly #lanes: readonly Lane[];
  readonly #plans: readonly ModbusPlan[];
  readonly #tickets: Request[] = [];
  readonly #polls = new Map<Poll, { done: number }>();
  readonly #sent: Asked[] = [];
  readonly #echoes: Uint8Array[] = [];
  #nowMs = 0;
  #again = AGAIN_MAX;

  constructor(draw: Draw, framing: Framing) {
    this.#draw = draw;
    this.#framing = framing;
    this.#hasEcho = framing !== 'tcp' && draw.oneIn(4);
    const effects: Effects = {
      send: (bytes) => this.#takeSent(bytes),
      distrust: (why) => this.#conversation.close(this.#nowMs, why),
    };
    const pace = draw.oneIn(3) ? undefined : { bitsPerSecond: 9_600, bitsPerCharacter: 10 };
    this.#conversation =
      framing === 'tcp'
        ? new Transactions(effects)
        : new Bus(effects, { framing, echo: this.#hasEcho, pace });
    const devices = Array.from({ length: draw.integer(1, 3) }, (_, at) => {
      const raw = { unit: draw.oneIn(8) ? 0 : at + 1, timeoutMs: draw.pick([10, 300, 1_000]) };
      return parseDevice({ ...raw, inFlightMax: draw.pick([1, 1, 4, 16]) }, [], problems)!;
    });
    this.#lanes = devices.map(({ unit, timeoutMs, inFlightMax }) =>
      this.#conversation.lane({ unit, timeoutMs, inFlightMax, minGapMs: draw.pick([0, 0, 20]) }),
    );
    this.#plans = this.#lanes.map((lane, at) => {
      const plan = new ModbusPlan(devices[at]!, addresses, lane.lessons);
      plan.cut(this.#conversation.cost(lane));
      return plan;
    });
  }

  run(): void {
    for (let left = this.#draw.integer(1, EVENTS_MAX); left > 0; left--) {
      this.#event();
      for (const { submissions, settlements, state } of this.#tickets) {
        assert.equal(submissions - settlements, state === 'idle' ? 0 : 1);
      }
    }
    for (let ticks = 0; this.#conversation.wakeMs < Number.POSITIVE_INFINITY; ticks++) {
      assert(ticks < TICKS_MAX, 'time passes and nothing comes to an end');
      this.#nowMs = Math.max(this.#nowMs, this.#conversation.wakeMs);
      this.#conversation.tick(this.#nowMs);
    }
    for (const { submissions, settlements } of this.#tickets) {
      assert.equal(settlements, submissions, 'a request nobody waits for is not settled');
    }
    for (const { done } of this.#polls.values()) assert.equal(done, 1, 'a poll is not done');
    this.#conversation.close(this.#nowMs, null);
  }

  #event(): void {
    const draw = this.#draw;
    switch (draw.integer(0, 9)) {
      case 0:
      case 1:
        this.#submit();
        break;
      case 2:
        this.#poll();
        break;
      case 3:
        this.#nowMs += draw.pick([0, 0, 1, 5, 300, 5_000, 40_000]);
        this.#conversation.tick(this.#nowMs);
        break;
      case 4:
        this.#nowMs = Math.max(this.#nowMs, Math.min(this.#conversation.wakeMs, 1e7));
        this.#conversation.tick(this.#nowMs);
        break;
      case 5:
        if (this.#tickets.length > 0) {
          this.#conversation.cancel(draw.pick(this.#tickets), this.#nowMs);
        }
        if (this.#polls.size > 0 && draw.oneIn(4)) {
          draw.pick([...this.#polls.keys()]).abort(this.#nowMs);
        }
        if (draw.oneIn(20)) this.#conversation.close(this.#nowMs, null);
        break;
      default:
        this.#nowMs += draw.pick([0, 0.5, 3, 20]);
        for (const piece of draw.pieces(this.#bytes())) {
          if (draw.oneIn(8)) this.#nowMs += draw.pick([0.1, 2, 60]);
          this.#conversation.receive(piece, this.#nowMs);
          if (draw.oneIn(8)) this.#conversation.tick(this.#nowMs);
        }
    }
  }

  #submit(): void {
    const draw = this.#draw;
    const rank = draw.integer(0, 3);
    const dueMonoMs = this.#nowMs - draw.integer(0, 50);
    const timeoutMs = draw.oneIn(2) ? { timeoutMs: draw.integer(1, 100) } : {};
    const urgency = draw.oneIn(2) ? null : { rank, dueMonoMs, ...timeoutMs };
    const idle = this.#tickets.filter(({ state }) => state === 'idle');
    const ticket =
      idle.length > 0 && draw.oneIn(4)
        ? draw.pick(idle)
        : new Request(draw.pick(requestPdus), urgency, (settled) => this.#settled(settled));
    if (!this.#tickets.includes(ticket)) this.#tickets.push(ticket);
    this.#send(ticket);
  }

  #send(ticket: Request): void {
    ticket.submissions++;
    this.#conversation.submit(this.#draw.pick(this.#lanes), ticket, this.#nowMs);
  }

  /** Who is told of an outcome may ask on at once, or give up something else. */
  #settled(ticket: Request): void {
    if (this.#again === 0 || !this.#draw.oneIn(3)) return;
    this.#again--;
    if (this.#draw.oneIn(2)) this.#send(ticket);
    else this.#conversation.cancel(this.#draw.pick(this.#tickets), this.#nowMs);
  }

  #poll(): void {
    const at = this.#draw.integer(0, this.#lanes.length - 1);
    const plan = this.#plans[at]!;
    if (plan.isRunning) return;
    const told = { done: 0 };
    const done = (answers: Answers) => {
      told.done++;
      checkAnswers(answers, plan.points);
    };
    if (plan.isStale) plan.cut(this.#conversation.cost(this.#lanes[at]!));
    const poll = new Poll(plan, this.#lanes[at]!, this.#conversation, done);
    this.#polls.set(poll, told);
    this.#conversation.together(this.#nowMs, () => poll.start(this.#nowMs));
  }

  /** What comes next: an answer to something that was asked, or what a line makes of it. */
  #bytes(): Uint8Array {
    const draw = this.#draw;
    const echo = this.#echoes.shift();
    if (echo && !draw.oneIn(8)) return draw.oneIn(8) ? draw.mutated([echo]) : echo;
    const asked = this.#sent.length > 0 && !draw.oneIn(8) ? draw.pick(this.#sent) : null;
    const { transaction, unit, pdu } = asked ?? {
      transaction: draw.short(),
      unit: draw.byte(),
      pdu: draw.pick(requestPdus),
    };
    const whole = answerRequest(bank, pdu, 0, pdu.length);
    const exception = Uint8Array.of(pdu[0]! | 0x80, draw.integer(0, 12));
    const answer = draw.oneIn(6) ? exception : draw.oneIn(6) ? draw.mutated(answerPdus) : whole;
    const from = draw.oneIn(12) ? draw.byte() : unit;
    const id = draw.oneIn(12) ? (transaction + draw.integer(0, 3)) & 0xffff : transaction;
    const fits = answer.length >= 1 && answer.length <= 253 ? answer : whole;
    const frame = this.#framed(id, from, fits);
    return draw.oneIn(3) ? draw.stream([frame], 3) : frame;
  }

  #framed(transaction: number, unit: number, pdu: Uint8Array): Uint8Array {
    if (this.#framing === 'tcp') return encodeFrame(transaction, unit, pdu);
    return this.#framing === 'rtu' ? encodeRtuFrame(unit, pdu) : encodeAsciiFrame(unit, pdu);
  }

  #takeSent(bytes: Uint8Array): void {
    const noGarbage = () => assert.fail('what is sent is whole frames');
    const keep = (transaction: number, unit: number, pdu: Uint8Array) => {
      this.#sent.push({ transaction, unit, pdu });
      if (this.#sent.length > SENT_KEPT) this.#sent.shift();
    };
    const before = this.#sent.length;
    if (this.#framing === 'tcp') {
      const frame = (id: number, unit: number, whole: Uint8Array, start: number, end: number) =>
        keep(id, unit, whole.slice(start, end));
      new Deframer().push(bytes, { frame, garbage: noGarbage });
    } else {
      const deframer =
        this.#framing === 'rtu' ? new RtuDeframer(requestLength) : new AsciiDeframer();
      const frame = (unit: number, whole: Uint8Array, start: number, end: number) =>
        keep(0, unit, whole.slice(start, end));
      deframer.push(bytes, { frame, garbage: noGarbage });
      assert.equal(deframer.heldBytes, 0);
      if (this.#hasEcho) this.#echoes.push(bytes);
    }
    assert(this.#sent.length > 0 && this.#sent.length >= before, 'something was sent');
  }
}

function checkAnswers({ values, qualities, atMonoMs }: Answers, points: number): void {
  assert.deepEqual([values.length, qualities.length, atMonoMs.length], [points, points, points]);
  qualities.forEach((code, at) => {
    assert(qualityOf(code), 'a place without a quality');
    assert.equal(values[at] === null, !isGood(code));
  });
}

const target = (framing: Framing, about: string): FuzzTarget => ({
  name: `modbus-conversation-${framing}`,
  about: `${about}: requests, polls, bytes and times in any order`,
  swallow: (draw) => new World(draw, framing).run(),
});

export const conversations: readonly FuzzTarget[] = [
  target('tcp', 'transactions of Modbus TCP'),
  target('rtu', 'a bus with RTU'),
  target('ascii', 'a bus with ASCII'),
];
