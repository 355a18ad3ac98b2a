// One device: its groups of points, and what their polls bring.
//
// Every due poll ends in exactly one of two ways: taken (a report with a place for every point, be
// it bad) or missed (the one before was still running or has just ended, or the outbox pushes back
// and the group is trend only). So due = taken + missed + running, in readings, at any moment. A
// poll that waits for its turn on the line is running.

import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { QualityCode } from '../../core/quality.ts';
import type { Random } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import type { Answers, Session, Urgency, Written } from '../../protocols/driver.ts';
import type { PollReport, Sink } from '../sink.ts';
import { Asker } from './asker.ts';
import type { Habits } from './attendance.ts';
import { Attendance } from './attendance.ts';
import type { Health } from './health.ts';
import type { Line } from './line.ts';
import type { CollectedPoint } from './normalise.ts';
import { Normaliser } from './normalise.ts';
import type { Turn } from './schedule.ts';

/** Points of one device with one period: a run of the manifest's list. */
export interface Group {
  readonly firstAlias: number;
  readonly periodMs: number;
  readonly points: readonly CollectedPoint[];
  /** By place, as the protocol parsed them. */
  readonly addresses: readonly unknown[];
  /** What happened, not what is; a group has points of one kind only. */
  readonly isEvent?: boolean;
}

export interface CollectedDevice {
  readonly id: string;
  readonly link: string;
  /** As the protocol parsed them. */
  readonly options: unknown;
  readonly groups: readonly Group[];
  /** What its profile says of it beside its points; absent: nothing. */
  readonly habits?: Habits;
}

/** Missed polls in a row are told as one, at the latest after this long. */
export const MISSED_HOLD_MS = 10_000;

/**
 * Readings of a point are told apart by whole milliseconds of their epoch, everywhere behind here.
 * A poll due less than one after the last one ended could bring a second reading in the same one:
 * it is missed, as if that one were still running.
 */
export const POLLS_APART_MS = 1;

/** Readings, not polls. */
export interface Totals {
  due: number;
  taken: number;
  missed: number;
  /** Of those taken: reported, left out, without a good or uncertain value. */
  reported: number;
  unchanged: number;
  failed: number;
}

export const noTotals = (): Totals => ({
  due: 0,
  taken: 0,
  missed: 0,
  reported: 0,
  unchanged: 0,
  failed: 0,
});

/** Sees each reading of the points it asks for, whether reported or not. */
export interface Onlooker {
  readonly aliases: ReadonlySet<number>;
  read(alias: number, raw: Value, quality: QualityCode, atMonoMs: number): void;
}

/** What a point showed when it was read out of turn. */
export interface Shown {
  readonly raw: Value;
  readonly quality: QualityCode;
  readonly atMonoMs: number;
}

interface GroupState {
  readonly group: Group;
  readonly normaliser: Normaliser;
  readonly isTrendOnly: boolean;
  isRunning: boolean;
  /** When the last poll was complete. */
  endedMonoMs: number;
  missed: { polls: number; fromMonoMs: number; toMonoMs: number } | null;
  /** Places the onlooker asks for. */
  readonly watched: readonly number[];
  /** By place: read out of turn since the last poll was reported. */
  readonly shown: Map<number, Shown>;
}

/** What somebody commands does not wait for what is polled. */
const FIRST: Urgency = { rank: 0, dueMonoMs: Number.NEGATIVE_INFINITY };

export interface DeviceLoopOptions {
  readonly device: CollectedDevice;
  readonly line: Line;
  readonly sink: Sink;
  readonly reportAll: boolean;
  readonly onlooker?: Onlooker;
  /** The device stopped answering, or still does not. */
  onSilent(): void;
  /** Ends polls under way. */
  readonly signal: AbortSignal;
}

export class DeviceLoop {
  readonly #clock: Clock;
  readonly #options: DeviceLoopOptions;
  readonly #asker: Asker;
  /** Whether what is set in the device fits its profile, over all sessions. */
  readonly attendance: Attendance;
  readonly #groups: readonly GroupState[];
  readonly #counters: Readonly<Record<keyof Totals, Counter>>;
  readonly totals = noTotals();

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    metrics: Metrics,
    options: DeviceLoopOptions,
  ) {
    this.#clock = clock;
    this.#options = options;
    const { device, reportAll, onlooker } = options;
    this.#groups = device.groups.map((group) => ({
      group,
      normaliser: new Normaliser({ ...group, reportAll }),
      isTrendOnly: group.points.every(({ definition }) => definition.class === 'trend'),
      isRunning: false,
      endedMonoMs: Number.NEGATIVE_INFINITY,
      missed: null,
      watched: [...group.points.keys()].filter((at) =>
        onlooker?.aliases.has(group.firstAlias + at),
      ),
      shown: new Map(),
    }));
    this.#counters = countersOf(metrics, device.id);
    this.attendance = new Attendance(clock, log, device);
    const { attendance } = this;
    this.#asker = new Asker(clock, random, log, metrics, { ...options, attendance });
  }

  get device(): CollectedDevice {
    return this.#options.device;
  }

  get health(): Health {
    return this.#asker.health;
  }

  /** Null before the first answer or failure. */
  get isUp(): boolean | null {
    return this.#asker.isUp;
  }

  /** It could be told something now. */
  get isReached(): boolean {
    return this.#asker.reached !== null;
  }

  get isOverBudget(): boolean {
    return this.#asker.isOverBudget;
  }

  /** A new session stands. */
  opened(session: Session<unknown, unknown>): void {
    this.#asker.opened(session);
  }

  /**
   * What a poll of each group takes of a line it shares, by its plan; 0 where no session stands
   * yet, and for a device that is alone.
   */
  get lineMs(): readonly number[] {
    const { isShared } = this.#options.line.turns;
    return this.#asker.claims.map(({ plannedMs }) => (isShared ? plannedMs : 0));
  }

  /** When the group is due first; each turn says when it is due next. */
  expect(at: number, nextMonoMs: number): void {
    this.#asker.claims[at]!.nextMonoMs = nextMonoMs;
  }

  /** Resolves when nothing of the device is under way. */
  settled(): Promise<void> {
    return this.#asker.settled();
  }

  /** By alias, with the rules in force. */
  useRules(points: readonly PointDefinition[]): void {
    for (const { normaliser } of this.#groups) normaliser.useRules(points);
  }

  refresh(): void {
    for (const { normaliser } of this.#groups) normaliser.refresh();
  }

  /** A group is due. Resolves when the poll is taken. */
  async due(at: number, { dueMonoMs, passed, nextMonoMs }: Turn): Promise<void> {
    this.expect(at, nextMonoMs);
    const state = this.#groups[at]!;
    const { periodMs, points } = state.group;
    this.#count('due', (passed + 1) * points.length);
    if (passed > 0) this.#miss(state, passed, dueMonoMs - periodMs);
    const refused = state.isTrendOnly && !this.#options.sink.accepts;
    const isJustOver = this.#clock.monoMs() < state.endedMonoMs + POLLS_APART_MS;
    if (state.isRunning || isJustOver || refused) {
      this.#miss(state, 1, dueMonoMs);
      return;
    }
    state.isRunning = true;
    try {
      const answers = await this.#asker.ask(at, dueMonoMs);
      this.#report(state, answers, dueMonoMs);
    } finally {
      state.isRunning = false;
      state.endedMonoMs = this.#clock.monoMs();
    }
  }

  /**
   * Writes a raw value, ahead of all polls. To a device that does not answer nothing is sent.
   * `mayGo` is asked right before the first byte.
   */
  async write(
    address: unknown,
    value: Value,
    signal: AbortSignal,
    mayGo: () => boolean,
  ): Promise<Written> {
    const handle = this.#asker.reached;
    if (!handle?.write) {
      const fault = new Fault('no_connection', 'later', this.device.id);
      return { fault, lineMs: 0, sure: 'unsent' };
    }
    const written = await handle.write(address, value, signal, mayGo);
    this.#options.line.turns.time.add(written.lineMs, 'regular');
    return written;
  }

  /**
   * Reads one point out of turn, ahead of all polls, and reports it at once: one reading due and
   * one taken beside the schedule. Null where there is no such point or the device does not answer.
   */
  async look(point: string, signal: AbortSignal): Promise<Shown | null> {
    const state = this.#groups.find(({ group }) => placeOf(group, point) >= 0);
    const handle = this.#asker.reached;
    if (!state || !handle) return null;
    const at = placeOf(state.group, point);
    const plan = handle.plan([state.group.addresses[at]]);
    const answers = await handle.poll(plan, signal, FIRST);
    this.#options.line.turns.time.add(answers.lineMs, 'regular');
    const { raw, quality } = state.normaliser.worth(at, answers.values[0]!, answers.qualities[0]!);
    const afterMonoMs = Math.max(state.endedMonoMs, state.shown.get(at)?.atMonoMs ?? 0);
    const atMonoMs = Math.max(answers.atMonoMs[0]!, afterMonoMs + POLLS_APART_MS);
    const shown = { raw, quality, atMonoMs };
    this.#show(state, at, shown);
    return shown;
  }

  #show(state: GroupState, at: number, shown: Shown): void {
    const { raw, quality, atMonoMs } = shown;
    const { group, normaliser, endedMonoMs } = state;
    if (state.watched.includes(at)) {
      this.#options.onlooker?.read(group.firstAlias + at, raw, quality, atMonoMs);
    }
    // Before its first poll a group is covered up to nowhere; that poll is about to come.
    if (endedMonoMs === Number.NEGATIVE_INFINITY) return;
    state.shown.set(at, shown);
    const report = normaliser.alone(at, raw, quality, atMonoMs, endedMonoMs);
    this.#count('due', 1);
    this.#count('taken', 1);
    this.#count('reported', 1);
    this.#count('failed', report.failed);
    this.#options.sink.report(report);
  }

  /**
   * A poll that was under way while a point was read out of turn may bring what it showed before:
   * then the later reading stands, so that no point goes back in time.
   */
  #keepShown({ shown }: GroupState, answers: Answers): void {
    for (const [at, { raw, quality, atMonoMs }] of shown) {
      if (answers.atMonoMs[at]! >= atMonoMs + POLLS_APART_MS) continue;
      answers.values[at] = raw;
      answers.qualities[at] = quality;
      answers.atMonoMs[at] = atMonoMs + POLLS_APART_MS;
    }
    shown.clear();
  }

  /** Tells what is still untold; nothing may be running. */
  flush(): void {
    for (const state of this.#groups) this.#tellMissed(state);
  }

  #report(state: GroupState, answers: Answers, dueMonoMs: number): void {
    this.#tellMissed(state);
    if (state.shown.size > 0) this.#keepShown(state, answers);
    for (const at of state.watched) {
      const { values, qualities, atMonoMs } = answers;
      const { raw, quality } = state.normaliser.worth(at, values[at]!, qualities[at]!);
      this.#options.onlooker?.read(state.group.firstAlias + at, raw, quality, atMonoMs[at]!);
    }
    const isTold = answers.origins !== undefined || answers.more !== undefined;
    const nowMs = this.#clock.monoMs();
    const report = isTold
      ? this.#told(state, answers, dueMonoMs, nowMs)
      : state.normaliser.normalise(answers, dueMonoMs, nowMs);
    this.#count('taken', report.alias.length + report.unchanged);
    this.#count('reported', report.alias.length);
    this.#count('unchanged', report.unchanged);
    this.#count('failed', report.failed);
    this.#options.sink.report(report);
  }

  /**
   * A device that queues: what came before its newest values was due as well, and so was what is
   * known to have been dropped. What it remembers of a time that is over was due then, as bad.
   */
  #told(state: GroupState, answers: Answers, dueMonoMs: number, nowMs: number): PollReport {
    const { group, normaliser, endedMonoMs } = state;
    const { filled, lost = 0 } = answers;
    for (const { at, value, quality, atMonoMs } of answers.more ?? []) {
      if (!state.watched.includes(at)) continue;
      const { raw, quality: worth } = normaliser.worth(at, value, quality);
      this.#options.onlooker?.read(group.firstAlias + at, raw, worth, atMonoMs);
    }
    const { report, more, squeezed } = normaliser.told(answers, dueMonoMs, nowMs);
    this.#count('due', more);
    const readings = lost + squeezed;
    if (readings > 0) {
      this.#count('due', readings);
      this.#count('missed', readings);
      const fromMonoMs = Math.min(dueMonoMs, Math.max(endedMonoMs, dueMonoMs - group.periodMs));
      const { firstAlias, points } = group;
      const gap = { firstAlias, points: points.length, fromMonoMs, toMonoMs: dueMonoMs };
      this.#options.sink.missed({ ...gap, polls: 1, readings });
    }
    if (filled) {
      const told = filled.filter(({ at }) => at < group.points.length);
      const fill = normaliser.filled(told, nowMs);
      if (fill.alias.length > 0) this.#options.sink.report(fill);
    }
    return report;
  }

  #miss(state: GroupState, polls: number, lastDueMonoMs: number): void {
    const { periodMs, points } = state.group;
    this.#count('missed', polls * points.length);
    const fromMonoMs = lastDueMonoMs - (polls - 1) * periodMs;
    if (!state.missed) state.missed = { polls, fromMonoMs, toMonoMs: lastDueMonoMs };
    else {
      state.missed.polls += polls;
      state.missed.toMonoMs = lastDueMonoMs;
    }
    if (state.missed.toMonoMs - state.missed.fromMonoMs >= MISSED_HOLD_MS) this.#tellMissed(state);
  }

  #tellMissed(state: GroupState): void {
    const { missed, group } = state;
    if (!missed) return;
    state.missed = null;
    this.#options.sink.missed({
      firstAlias: group.firstAlias,
      points: group.points.length,
      ...missed,
    });
  }

  #count(what: keyof Totals, readings: number): void {
    this.totals[what] += readings;
    this.#counters[what].add(readings);
  }
}

function placeOf({ points }: Group, point: string): number {
  return points.findIndex(({ definition }) => definition.point === point);
}

function countersOf(metrics: Metrics, device: string): Record<keyof Totals, Counter> {
  const counter = (what: keyof Totals, help: string) =>
    metrics.counter(`edge_readings_${what}_total`, help, { device });
  return {
    due: counter('due', 'Readings that were due by the schedule'),
    taken: counter('taken', 'Readings that were taken, whatever their quality'),
    missed: counter('missed', 'Readings that were due while the poll before was still running'),
    reported: counter('reported', 'Readings handed on'),
    unchanged: counter('unchanged', 'Readings left out because nothing changed'),
    failed: counter('failed', 'Readings taken with quality bad'),
  };
}
