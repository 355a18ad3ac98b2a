// One device: its groups of points, whether it is worth asking, and what its polls bring.
//
// Every due poll ends in exactly one of two ways: taken (a report with a place for every point, be
// it bad) or missed (the one before was still running or has just ended, or the outbox pushes back
// and the group is trend only). So due = taken + missed + running, in readings, at any moment.
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import type { QualityCode } from '../../core/quality.ts';
import { qualityCode } from '../../core/quality.ts';
import type { Random } from '../../core/random.ts';
import type { Answers, DeviceHandle, Plan, Session } from '../../protocols/driver.ts';
import type { Sink } from '../sink.ts';
import type { Habits } from './attendance.ts';
import { Attendance } from './attendance.ts';
import type { Health } from './health.ts';
import { healthStep, healthy } from './health.ts';
import type { Line } from './line.ts';
import type { CollectedPoint } from './normalise.ts';
import { Normaliser, unanswered } from './normalise.ts';

/** Points of one device with one period: a run of the manifest's list. */
export interface Group {
  readonly firstAlias: number;
  readonly periodMs: number;
  readonly points: readonly CollectedPoint[];
  /** By place, as the protocol parsed them. */
  readonly addresses: readonly unknown[];
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

/**
 * A probe is one request. With a time-out of 1 s and 45 s between probes on average, a device that
 * stays away costs its line 2 %.
 */
export const PROBE_BACKOFF = { firstMs: 2000, maxMs: 60_000, jitter: 0.5 } as const;

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

interface GroupState {
  readonly group: Group;
  readonly normaliser: Normaliser;
  readonly isTrendOnly: boolean;
  isRunning: boolean;
  /** When the last poll was complete. */
  endedMonoMs: number;
  missed: { polls: number; fromMonoMs: number; toMonoMs: number } | null;
}

interface Asked {
  readonly handle: DeviceHandle<unknown>;
  readonly plans: readonly Plan[];
  readonly probes: readonly Plan[];
}

export interface DeviceLoopOptions {
  readonly device: CollectedDevice;
  readonly line: Line;
  readonly sink: Sink;
  readonly reportAll: boolean;
  /** The device stopped answering, or still does not. */
  onSilent(): void;
  /** Ends polls under way. */
  readonly signal: AbortSignal;
}

export class DeviceLoop {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #options: DeviceLoopOptions;
  readonly #groups: readonly GroupState[];
  /** Whether what is set in the device fits its profile, over all sessions. */
  readonly attendance: Attendance;
  readonly #counters: Readonly<Record<keyof Totals, Counter>>;
  readonly totals = noTotals();
  #health: Health = healthy;
  #asked: Asked | null = null;
  #logged: 'up' | 'down' | null = null;
  /** What the points of a device are that is not asked because it does not answer. */
  #quality: QualityCode = qualityCode('bad', 'timeout');

  constructor(
    clock: Clock,
    random: Random,
    log: Log,
    metrics: Metrics,
    options: DeviceLoopOptions,
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#options = options;
    const { device, reportAll } = options;
    this.attendance = new Attendance(clock, log, device);
    this.#groups = device.groups.map((group) => ({
      group,
      normaliser: new Normaliser({ ...group, reportAll }),
      isTrendOnly: group.points.every(({ definition }) => definition.class === 'trend'),
      isRunning: false,
      endedMonoMs: Number.NEGATIVE_INFINITY,
      missed: null,
    }));
    this.#counters = countersOf(metrics, device.id);
    metrics.observe('edge_device_up', 'Whether the device answers', { device: device.id }, () =>
      this.#logged === 'up' ? 1 : 0,
    );
  }

  get device(): CollectedDevice {
    return this.#options.device;
  }

  get health(): Health {
    return this.#health;
  }

  /** Null before the first answer or failure. */
  get isUp(): boolean | null {
    return this.#logged === null ? null : this.#logged === 'up';
  }

  /** A new session stands: plans are made for it, and a device given up is asked once more. */
  opened(session: Session<unknown, unknown>): void {
    const { device } = this.#options;
    const handle = this.attendance.attend(session.device(device.options));
    const before = this.#asked;
    this.#asked = {
      handle,
      plans: device.groups.map(({ addresses }, at) => handle.plan(addresses, before?.plans[at])),
      probes: device.groups.map(({ addresses }, at) =>
        handle.plan(addresses.slice(0, 1), before?.probes[at]),
      ),
    };
    this.#health = healthStep(this.#health, { kind: 'reopened', monoMs: this.#clock.monoMs() });
  }

  refresh(): void {
    for (const { normaliser } of this.#groups) normaliser.refresh();
  }

  /** A group is due; `passed` earlier due times went by unseen. Resolves when the poll is taken. */
  async due(at: number, dueMonoMs: number, passed: number): Promise<void> {
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
      const answers = await this.#ask(at, state.group);
      this.#report(state, answers, dueMonoMs);
    } finally {
      state.isRunning = false;
      state.endedMonoMs = this.#clock.monoMs();
    }
  }

  /** Tells what is still untold; nothing may be running. */
  flush(): void {
    for (const state of this.#groups) this.#tellMissed(state);
  }

  async #ask(at: number, { points }: Group): Promise<Answers> {
    const { line, signal } = this.#options;
    const now = this.#clock.monoMs();
    const { session } = line;
    if (!session || !this.#asked) return unanswered(points.length, line.quality, now);
    const before = this.#health;
    this.#health = healthStep(before, { kind: 'due', monoMs: now });
    const isProbe = this.#health.kind === 'probing' && before.kind === 'degraded';
    if (this.#health.kind !== 'up' && !isProbe) {
      return unanswered(points.length, this.#quality, now);
    }
    const { handle, plans, probes } = this.#asked;
    if (isProbe) {
      const probe = await handle.poll(probes[at]!, signal);
      if (!this.#judge(probe, session)) {
        return unanswered(points.length, probe.qualities[0]!, this.#clock.monoMs());
      }
    }
    const answers = await handle.poll(plans[at]!, signal);
    this.#judge(answers, session);
    return answers;
  }

  /** Learns from what came back; true when the device answered. */
  #judge(answers: Answers, session: Session<unknown, unknown>): boolean {
    const { line, signal, onSilent } = this.#options;
    // Nothing was asked, because the device had refused all of it before: no news.
    if (answers.requests === 0 && !answers.fault) return true;
    if (answers.requests > answers.failures) {
      this.#health = healthStep(this.#health, { kind: 'answered' });
      line.answered();
      this.#transition('up', answers);
      return true;
    }
    // When the link went down or collecting ends, the silence says nothing about the device.
    if (line.session !== session || signal.aborted) return false;
    this.#health = healthStep(this.#health, {
      kind: 'failed',
      monoMs: this.#clock.monoMs(),
      delayMs: (attempt) => backoffMs(this.#random, attempt, PROBE_BACKOFF),
    });
    this.#quality = answers.qualities[0] ?? this.#quality;
    if (this.#health.kind === 'up') return false;
    this.#transition('down', answers);
    onSilent();
    return false;
  }

  #transition(to: 'up' | 'down', { fault }: Answers): void {
    if (this.#logged === to) return;
    this.#logged = to;
    const fields = { device: this.device.id, link: this.device.link };
    if (to === 'up') this.#log.info('device_up', fields);
    else this.#log.warn('device_down', { ...fields, code: fault?.code });
  }

  #report(state: GroupState, answers: Answers, dueMonoMs: number): void {
    this.#tellMissed(state);
    const report = state.normaliser.normalise(answers, dueMonoMs, this.#clock.monoMs());
    this.#count('taken', report.points);
    this.#count('reported', report.alias.length);
    this.#count('unchanged', report.unchanged);
    this.#count('failed', report.failed);
    this.#options.sink.report(report);
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
