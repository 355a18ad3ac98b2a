// Modbus as the protocol contract wants it: the state machines of this folder on a link and a
// clock. The line's framing decides between transactions of Modbus TCP and a bus. One connection
// may serve many devices.
import type { Clock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import { assert } from '../../core/fault.ts';
import type { Answers, DeviceHandle, Link, Plan, Protocol, Session, Urgency } from '../driver.ts';
import type { ModbusAddress, ModbusDevice, ModbusLine } from './address.ts';
import { parseAddress, parseDevice, parseLine, tables } from './address.ts';
import { answerBytes } from './answer-bytes.ts';
import { Bus } from './bus.ts';
import type { Conversation, Counts, Lane } from './conversation.ts';
import { ModbusPlan, readFunction } from './plan.ts';
import { limitsOf, mayShare } from './planner.ts';
import { Poll } from './poll.ts';
import { Transactions } from './session.ts';
import type { Carrier } from './single.ts';
import { askIdentity, identify, sendStep } from './single.ts';
import type { ModbusStep } from './step.ts';
import { encodeStep } from './step.ts';
import { write } from './writing.ts';

/**
 * A plan is cut anew when what a request costs is wrong by this factor. A line's bytes cost more
 * than its devices' time, so there less is enough to shift the best cut.
 */
const DRIFT_MAX = 4;
const DRIFT_PACED_MAX = 1.5;

/**
 * Above 19,200 baud a frame of 125 registers takes no more than 75 ms, and the silence behind it
 * 1.75 ms at any speed: a timer that ends half a millisecond late costs 1.5 % of a line of 115,200.
 * Only waits this short are such silences.
 */
const PRECISE_BAUD_MIN = 19_200;
const PRECISE_MS_MAX = 2;

const plainTcp: ModbusLine = { framing: 'tcp', echo: false };

export const modbus: Protocol<ModbusAddress, ModbusDevice, ModbusLine> = {
  name: 'modbus',
  parseAddress,
  parseDevice,
  parseLine,
  answerBytes: ({ framing }, ...rest) => answerBytes(framing, ...rest),
  open: (clock, link, line) => new ModbusConnection(clock, link, line),
};

export class ModbusConnection implements Session<ModbusAddress, ModbusDevice> {
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #conversation: Conversation;
  readonly #driftMax: number;
  readonly #isFastLine: boolean;
  #cancelTimer: () => void = () => {};
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, link: Link, { framing, echo }: ModbusLine = plainTcp) {
    const { pace } = link;
    this.#clock = clock;
    this.#link = link;
    this.#isFastLine = pace !== undefined && pace.bitsPerSecond > PRECISE_BAUD_MIN;
    this.#driftMax = pace ? DRIFT_PACED_MAX : DRIFT_MAX;
    const effects = {
      send: (bytes: Uint8Array) => link.send(bytes),
      distrust: (why: Fault) => {
        this.#end(why);
        link.close();
      },
    };
    this.#conversation =
      framing === 'tcp' ? new Transactions(effects) : new Bus(effects, { framing, echo, pace });
    link.onBytes = (bytes) => {
      this.#conversation.receive(bytes, clock.monoMs());
      this.#arm();
    };
    link.onClose = (why) => this.#end(why);
  }

  /** What came and was dropped. */
  get counts(): Counts {
    return this.#conversation.counts;
  }

  device(options: ModbusDevice): DeviceHandle<ModbusAddress> {
    const conversation = this.#conversation;
    const { unit, timeoutMs, inFlightMax, limits } = options;
    const { minGapMs, readAcrossGaps } = limits;
    const mayRead = (code: number, address: number, count: number) => {
      const table = tables.find((name) => readFunction[name] === code)!;
      return mayShare(address, address + count, limitsOf(options, table));
    };
    const probes = { mayRead, readAcrossGaps };
    const { answerMs } = this.#link;
    const lane = conversation.lane({
      ...{ unit, timeoutMs, inFlightMax, minGapMs, probes },
      ...(answerMs === undefined ? {} : { answerMs }),
    });
    const carrier = this.#carrier();
    const isMultiple = options.writes === 'multiple';
    return {
      plan: (addresses, before) => {
        const plan = new ModbusPlan(options, addresses, lane.lessons);
        if (before instanceof ModbusPlan) {
          if (before.lessons !== lane.lessons) conversation.recall(lane, before.lessons);
          plan.recall(before);
        }
        plan.cut(conversation.cost(lane));
        return plan;
      },
      poll: (plan, signal, urgency) => this.#poll(lane, plan, signal, urgency),
      send: (step, signal, urgency) =>
        sendStep(encodeStep(step as ModbusStep, isMultiple), lane, carrier, signal, urgency),
      identity: (signal, urgency) => askIdentity(lane, carrier, signal, urgency),
      write: (address, value, signal, mayGo) =>
        write(options, address, value, lane, carrier, signal, mayGo),
      identify: (signal) => identify(lane, carrier, signal),
    };
  }

  close(): void {
    this.#end(null);
    this.#link.close();
  }

  #carrier(): Carrier {
    const conversation = this.#conversation;
    const nowMs = () => this.#clock.monoMs();
    const submit = (act: (nowMs: number) => void) => {
      const now = nowMs();
      conversation.together(now, () => act(now));
      this.#arm();
    };
    return { conversation, nowMs, submit };
  }

  #poll(lane: Lane, plan: Plan, signal: AbortSignal, urgency?: Urgency): Promise<Answers> {
    assert(plan instanceof ModbusPlan && !plan.isRunning, 'a plan is polled by one at a time');
    const cost = this.#conversation.cost(lane);
    const drift = cost.requestMs / plan.requestMs;
    plan.requestMsNow = cost.requestMs;
    if (plan.isStale || drift > this.#driftMax || drift * this.#driftMax < 1) plan.cut(cost);
    return new Promise((resolve) => {
      const abort = () => {
        poll.abort(this.#clock.monoMs());
        this.#arm();
      };
      const done = (answers: Answers) => {
        signal.removeEventListener('abort', abort);
        resolve(answers);
      };
      const poll = new Poll(plan, lane, this.#conversation, done, urgency);
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) poll.abort(this.#clock.monoMs());
      const nowMs = this.#clock.monoMs();
      this.#conversation.together(nowMs, () => poll.start(nowMs));
      this.#arm();
    });
  }

  #end(why: Fault | null): void {
    this.#conversation.close(this.#clock.monoMs(), why);
    this.#arm();
  }

  /** Keeps one timer, never later than what the transactions wait for. */
  #arm(): void {
    const wakeMs = this.#conversation.wakeMs;
    if (wakeMs >= this.#timerMs && this.#conversation.isOpen) return;
    this.#cancelTimer();
    this.#timerMs = wakeMs;
    if (wakeMs === Number.POSITIVE_INFINITY) return;
    const waitMs = wakeMs - this.#clock.monoMs();
    const wake = () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#conversation.tick(this.#clock.monoMs());
      this.#arm();
    };
    const isPrecise = this.#isFastLine && waitMs <= PRECISE_MS_MAX;
    this.#cancelTimer = isPrecise
      ? this.#clock.afterPrecisely(waitMs, wake)
      : this.#clock.after(waitMs, wake);
  }
}
