// Collecting: every group asked at its due times, over as many links as there are, each on its own.
//
// One timer waits for the next due time of all. Nothing here waits for a device: a poll that is
// slow holds back its own group, a link that is down its own devices.

import type { Clock } from '../../core/clock.ts';
import { assert } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Metrics } from '../../core/metrics.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { Random } from '../../core/random.ts';
import type { Complaint } from '../../device-profiles/auxiliary.ts';
import type { Likeness } from '../../device-profiles/identification.ts';
import type { Link, Protocol } from '../../protocols/driver.ts';
import type { Sink } from '../sink.ts';
import type { CollectedDevice, Onlooker, Totals } from './device.ts';
import { DeviceLoop, noTotals } from './device.ts';
import { Line } from './line.ts';
import type { Turn } from './schedule.ts';
import { Schedule } from './schedule.ts';

export interface CollectedLink {
  readonly id: string;
  readonly protocol: Protocol;
  /** What the protocol read of the link: framing and the like. */
  readonly line?: unknown;
  /** What devices behind it take to answer, until they were heard. */
  readonly answerMs?: number;
  /** Absent where the protocol connects by itself, to `place`. */
  open?(signal: AbortSignal): Promise<Link>;
  readonly place?: unknown;
}

export interface CollectorOptions {
  readonly links: readonly CollectedLink[];
  readonly devices: readonly CollectedDevice[];
  readonly sink: Sink;
  /** Report by exception off. */
  readonly reportAll: boolean;
  /** Of points whose every reading somebody must know: what interlocks look at. */
  readonly onlooker?: Onlooker;
}

export interface LinkReport {
  readonly id: string;
  readonly state: string;
  /** Code of what keeps it from being up. */
  readonly fault: string | null;
  /** Percent of the last minute in which it was taken, and of that for devices without answer. */
  readonly loadPercent: number;
  readonly probesPercent: number;
  /** What the plans of all its devices take when all is well. */
  readonly plannedPercent: number;
  readonly devicesDegraded: number;
  readonly devicesOverBudget: number;
  /** What came and was dropped since the start, by kind: `garbage` is bytes that are no frame. */
  readonly anomalies: Readonly<Record<string, number>>;
}

export interface DeviceReport {
  readonly id: string;
  readonly link: string;
  readonly state: 'unknown' | 'up' | 'down';
  /** It takes more of its line than it has, and is asked more seldom for it. */
  readonly overBudget: boolean;
  readonly totals: Readonly<Totals>;
  /** Whether it looks like its profile. */
  readonly likeness: Likeness;
  /** By point: what is set in the device and does not fit the profile. */
  readonly unfit: Readonly<Record<string, Complaint>>;
}

/**
 * Nothing is due before every link was tried once, at most this long: the first readings should not
 * be bad only because connecting takes a round trip, and a link that is down may not hold the
 * others up.
 */
export const START_WAIT_MS = 300;

export class Collector {
  readonly #clock: Clock;
  readonly #lines = new Map<string, Line>();
  readonly #loops: DeviceLoop[] = [];
  readonly #stopping = new AbortController();
  /** Ends polls under way. */
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();
  #hasStarted = false;
  #cancelTimer = () => {};

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    metrics: Metrics,
    { links, devices, sink, reportAll, onlooker }: CollectorOptions,
  ) {
    this.#clock = clock;
    for (const link of links) {
      const behind: DeviceLoop[] = [];
      const line = new Line(clock, random, log, metrics, {
        id: link.id,
        protocol: link.protocol,
        line: link.line,
        ...(link.answerMs === undefined ? {} : { answerMs: link.answerMs }),
        ...(link.open ? { open: (signal) => link.open!(signal) } : {}),
        ...(link.place === undefined ? {} : { place: link.place }),
        onOpen: (session) => {
          for (const loop of behind) loop.opened(session);
        },
      });
      this.#lines.set(link.id, line);
      const onSilent = () => {
        if (behind.every(({ health }) => health.kind !== 'up')) line.silent();
      };
      const signal = this.#ending.signal;
      for (const device of devices) {
        if (device.link !== link.id) continue;
        const common = { device, line, sink, reportAll, onSilent, signal };
        const options = onlooker ? { ...common, onlooker } : common;
        behind.push(new DeviceLoop(clock, random, log, metrics, options));
      }
      this.#loops.push(...behind);
    }
    assert(this.#loops.length === devices.length, 'every device has a link');
  }

  start(): void {
    assert(!this.#hasStarted, 'collecting starts once');
    this.#hasStarted = true;
    const lines = [...this.#lines.values()];
    for (const line of lines) line.start();
    let begin = () => {
      begin = () => {};
      this.#cancelTimer();
      this.#schedule();
    };
    this.#cancelTimer = this.#clock.after(START_WAIT_MS, () => begin());
    void Promise.all(lines.map(({ tried }) => tried)).then(() => begin());
  }

  #schedule(): void {
    if (this.#stopping.signal.aborted) return;
    const places = this.#loops.flatMap((loop) =>
      loop.device.groups.map((group, at) => ({ loop, group, at })),
    );
    const slots = places.map(({ loop, group, at }) => ({
      link: loop.device.link,
      periodMs: group.periodMs,
      rank: group.points.some(({ definition }) => definition.class === 'life-safety') ? 0 : 1,
      costMs: loop.lineMs[at]!,
    }));
    const schedule = new Schedule(this.#clock.monoMs(), slots);
    places.forEach(({ loop, at }, slot) => {
      loop.expect(at, schedule.dueMonoMs(slot));
    });
    this.#wait(schedule, (turn) => {
      const { loop, at } = places[turn.slot]!;
      const poll = loop.due(at, turn);
      this.#running.add(poll);
      void poll.finally(() => this.#running.delete(poll));
    });
  }

  /** By alias, with the rules in force. */
  useRules(points: readonly PointDefinition[]): void {
    for (const loop of this.#loops) loop.useRules(points);
  }

  /** By which a device is commanded; undefined: there is none of this id. */
  loopOf(device: string): Pick<DeviceLoop, 'write' | 'look' | 'isReached'> | undefined {
    return this.#loops.find((loop) => loop.device.id === device);
  }

  /** After a reconnect of the uplink: the next reading of every point is reported. */
  refresh(): void {
    for (const loop of this.#loops) loop.refresh();
  }

  /**
   * Nothing is due any more; polls under way get `graceMs`, then are ended and taken as they are.
   */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    this.#cancelTimer();
    const waiting = new AbortController();
    const running = Promise.all(this.#running).finally(() => waiting.abort());
    await Promise.race([running, this.#clock.sleep(graceMs, waiting.signal)]);
    this.#ending.abort();
    await Promise.all([...this.#lines.values()].map((line) => line.close()));
    await running;
    await Promise.all(this.#loops.map((loop) => loop.settled()));
    waiting.abort();
    for (const loop of this.#loops) loop.flush();
  }

  totals(): Totals {
    const sum = noTotals();
    for (const { totals } of this.#loops) {
      for (const key of Object.keys(sum) as (keyof Totals)[]) sum[key] += totals[key];
    }
    return sum;
  }

  links(): LinkReport[] {
    return [...this.#lines].map(([id, { state, fault, turns, anomalies }]) => ({
      id,
      state,
      fault: fault?.code ?? null,
      loadPercent: percent(turns.time.share()),
      probesPercent: percent(turns.time.share('sick')),
      plannedPercent: percent(turns.planned),
      devicesDegraded: turns.degraded,
      devicesOverBudget: turns.overBudget,
      anomalies,
    }));
  }

  devices(): DeviceReport[] {
    return this.#loops.map(({ device, isUp, isOverBudget, totals, attendance }) => ({
      id: device.id,
      link: device.link,
      state: isUp === null ? 'unknown' : isUp ? 'up' : 'down',
      overBudget: isOverBudget,
      totals: { ...totals },
      likeness: attendance.likeness,
      unfit: Object.fromEntries(attendance.complaints),
    }));
  }

  #wait(schedule: Schedule, onTurn: (turn: Turn) => void): void {
    const { nextMonoMs } = schedule;
    if (nextMonoMs === Number.POSITIVE_INFINITY) return; // No devices: nothing will ever be due.
    this.#cancelTimer = this.#clock.after(nextMonoMs - this.#clock.monoMs(), () => {
      const now = this.#clock.monoMs();
      for (let turn = schedule.take(now); turn; turn = schedule.take(now)) onTurn(turn);
      this.#wait(schedule, onTurn);
    });
  }
}

/** With one place behind the point: a probe of 1 s in a minute is 1.7 %. */
function percent(share: number): number {
  return Math.round(share * 1000) / 10;
}
