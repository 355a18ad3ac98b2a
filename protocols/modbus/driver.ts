// Modbus over TCP as the protocol contract wants it: the state machines of this folder on a link
// and a clock. One connection may serve many devices (units behind a converter).
import type { Clock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import { assert } from '../../core/fault.ts';
import type { Answers, DeviceHandle, Link, Plan, Protocol, Session } from '../driver.ts';
import type { ModbusAddress, ModbusDevice, ModbusLine } from './address.ts';
import { parseAddress, parseDevice, parseLine } from './address.ts';
import { answerBytes } from './answer-bytes.ts';
import type { PlanCost } from './planner.ts';
import { ModbusPlan, Poll } from './poll.ts';
import type { Lane } from './session.ts';
import { Transactions } from './session.ts';
import type { Carrier } from './single.ts';
import { askIdentity, sendStep } from './single.ts';
import type { ModbusStep } from './step.ts';
import { encodeStep } from './step.ts';

/** Until a device has answered once: about what a small controller takes between two scans. */
const TURNAROUND_MS_FIRST = 10;
/** A request costs both ends this much however near the device is. */
const REQUEST_MS_MIN = 1;
/** Two bytes through a small device's stack; the line itself takes 0.2 µs at 100 Mbit/s. */
const REGISTER_MS = 0.01;
/** A plan is cut anew when the turnaround it was made for is wrong by this factor. */
const TURNAROUND_DRIFT = 4;

export const modbus: Protocol<ModbusAddress, ModbusDevice, ModbusLine> = {
  name: 'modbus',
  parseAddress,
  parseDevice,
  parseLine,
  answerBytes: ({ framing }, ...rest) => answerBytes(framing, ...rest),
  open: (clock, link) => new ModbusConnection(clock, link),
};

export class ModbusConnection implements Session<ModbusAddress, ModbusDevice> {
  readonly #clock: Clock;
  readonly #link: Link;
  readonly #transactions: Transactions;
  #cancelTimer: () => void = () => {};
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, link: Link) {
    this.#clock = clock;
    this.#link = link;
    this.#transactions = new Transactions({
      send: (bytes) => link.send(bytes),
      distrust: (why) => {
        this.#end(why);
        link.close();
      },
    });
    link.onBytes = (bytes) => {
      this.#transactions.receive(bytes, clock.monoMs());
      this.#arm();
    };
    link.onClose = (why) => this.#end(why);
  }

  /** What came and was dropped: late, duplicate, unknown, malformed answers; garbage. */
  get counts(): Transactions['counts'] {
    return this.#transactions.counts;
  }

  device(options: ModbusDevice): DeviceHandle<ModbusAddress> {
    const { unit, timeoutMs, inFlightMax, limits } = options;
    const laneOptions = { unit, timeoutMs, inFlightMax, minGapMs: limits.minGapMs };
    const lane = this.#transactions.lane(laneOptions);
    const carrier = this.#carrier();
    const isMultiple = options.writes === 'multiple';
    return {
      plan: (addresses) => new ModbusPlan(options, addresses, costOf(lane)),
      poll: (plan, signal) => this.#poll(lane, plan, signal),
      send: (step, signal) =>
        sendStep(encodeStep(step as ModbusStep, isMultiple), lane, carrier, signal),
      identity: (signal) => askIdentity(lane, carrier, signal),
    };
  }

  close(): void {
    this.#end(null);
    this.#link.close();
  }

  #carrier(): Carrier {
    const transactions = this.#transactions;
    const nowMs = () => this.#clock.monoMs();
    const submit = (act: (nowMs: number) => void) => {
      const now = nowMs();
      transactions.together(now, () => act(now));
      this.#arm();
    };
    return { transactions, nowMs, submit };
  }

  #poll(lane: Lane, plan: Plan, signal: AbortSignal): Promise<Answers> {
    assert(plan instanceof ModbusPlan && !plan.isRunning, 'a plan is polled by one at a time');
    const cost = costOf(lane);
    const drift = cost.requestMs / plan.turnaroundMs;
    if (plan.isStale || drift > TURNAROUND_DRIFT || drift < 1 / TURNAROUND_DRIFT) plan.cut(cost);
    return new Promise((resolve) => {
      const abort = () => {
        poll.abort(this.#clock.monoMs());
        this.#arm();
      };
      const poll = new Poll(plan, lane, this.#transactions, (answers) => {
        signal.removeEventListener('abort', abort);
        resolve(answers);
      });
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) poll.abort(this.#clock.monoMs());
      const nowMs = this.#clock.monoMs();
      this.#transactions.together(nowMs, () => poll.start(nowMs));
      this.#arm();
    });
  }

  #end(why: Fault | null): void {
    this.#transactions.close(this.#clock.monoMs(), why);
    this.#arm();
  }

  /** Keeps one timer, never later than what the transactions wait for. */
  #arm(): void {
    const wakeMs = this.#transactions.wakeMs;
    if (wakeMs >= this.#timerMs && this.#transactions.isOpen) return;
    this.#cancelTimer();
    this.#timerMs = wakeMs;
    if (wakeMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#clock.after(wakeMs - this.#clock.monoMs(), () => {
      this.#timerMs = Number.POSITIVE_INFINITY;
      this.#transactions.tick(this.#clock.monoMs());
      this.#arm();
    });
  }
}

function costOf(lane: Lane): PlanCost {
  const requestMs = lane.turnaroundMs === 0 ? TURNAROUND_MS_FIRST : lane.turnaroundMs;
  const slowestMs = Math.max(REQUEST_MS_MIN, requestMs) + lane.options.minGapMs;
  return { requestMs: slowestMs, registerMs: REGISTER_MS };
}
