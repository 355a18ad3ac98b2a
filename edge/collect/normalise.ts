// From what a device said to what is reported. Pure but for the memory of what was last reported.
//
// A reading is left out only when all three hold, and is then counted as unchanged:
//   1. its quality and reason are those last reported;
//   2. its engineering value is within the deadband of the one last reported (not of the one before
//      it: a slow drift is reported each time it has gone one deadband);
//   3. no rule on the value sees it elsewhere: beyond the limit, between limit and clearing, or
//      clear. These are limits, durations beyond one, and states. Rules with another signal (a
//      change, a mean, a sum, a difference) go by what is reported, to within the deadband.
// A rule that waits for a value to stand still narrows the deadband to its band: what moves more is
// reported, or it would seem frozen.
// The first reading after the start and after `refresh` is always reported. A bad reading has no
// value: it is reported when quality or reason change, and counted as failed each time.
import { assert } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineering } from '../../core/point.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, isBad } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import { plainOf } from '../../device-profiles/auxiliary.ts';
import type { ProfilePoint } from '../../device-profiles/profile.ts';
import { normaliseRaw } from '../../device-profiles/profile.ts';
import type { Answers, Sample } from '../../protocols/driver.ts';
import type { PollReport } from '../sink.ts';

export interface CollectedPoint {
  readonly definition: PointDefinition;
  /** Invalid codes and physical range as the profile has them, site settings applied. */
  readonly profile: ProfilePoint;
}

/**
 * Each rule has three places a value can be in, and all places together are one number below 2^31.
 */
export const LIMIT_RULES_MAX = 16;
assert(3 ** LIMIT_RULES_MAX < 2 ** 31, 'the places of all rules fit one integer');

const NEVER_REPORTED = -1;

export interface NormaliserOptions {
  readonly firstAlias: number;
  readonly points: readonly CollectedPoint[];
  /** Report by exception off: every reading is reported. For benches and for finding faults. */
  readonly reportAll: boolean;
  /** What happened, not what is: each is reported, equal to the one before or not. */
  readonly isEvent?: boolean;
}

/** What came of a poll of a device that keeps more than its newest values. */
export interface Told {
  readonly report: PollReport;
  /** Readings taken beside one of each point. */
  readonly more: number;
  /** In the same millisecond as a later one of their point: nobody behind here could tell them. */
  readonly squeezed: number;
}

/**
 * Of what a device tells of a point: what it is now, what it was before that, or something that
 * happened, which is reported, equal to the one before or not.
 */
type Which = 'newest' | 'earlier' | 'happened';

/** One group: points of one device with one period. */
export class Normaliser {
  readonly #firstAlias: number;
  readonly #points: readonly CollectedPoint[];
  readonly #reportAll: boolean;
  /** What was last reported, by place in the group. */
  readonly #quality: Int16Array;
  readonly #raw: Value[];
  readonly #number: Float64Array;
  readonly #places: Int32Array;
  #deadband: Float64Array;
  #limits: readonly (readonly Limit[])[];
  readonly #lifeSafety: Uint8Array;
  readonly #isEvent: boolean;
  /** When the reading last handed on was true; null while nothing says when by itself. */
  #reportedMs: Float64Array | null = null;

  constructor({ firstAlias, points, reportAll, isEvent = false }: NormaliserOptions) {
    this.#isEvent = isEvent;
    this.#firstAlias = firstAlias;
    this.#points = points.map((point) => {
      const profile = plainOf(point.profile);
      return profile === point.profile ? point : { ...point, profile };
    });
    this.#reportAll = reportAll;
    this.#quality = new Int16Array(points.length).fill(NEVER_REPORTED);
    this.#raw = points.map(() => null);
    this.#number = new Float64Array(points.length);
    this.#places = new Int32Array(points.length);
    this.#deadband = Float64Array.from(points, ({ definition }) => deadbandOf(definition));
    this.#limits = points.map(({ definition }) => limitsOf(definition));
    this.#lifeSafety = Uint8Array.from(points, ({ definition }) =>
      definition.class === 'life-safety' ? 1 : 0,
    );
  }

  /** Other rules are in force: from the next reading on, which is reported, they are looked at. */
  useRules(points: readonly PointDefinition[]): void {
    const own = this.#points.map((_, at) => points[this.#firstAlias + at]!);
    this.#deadband = Float64Array.from(own, deadbandOf);
    this.#limits = own.map(limitsOf);
    this.refresh();
  }

  /** After a reconnect of the uplink: the next reading of every point is reported. */
  refresh(): void {
    this.#quality.fill(NEVER_REPORTED);
  }

  /** A point has one lane: that nothing can be heard of what happens is told in it, too. */
  get #kind(): Pick<PollReport, 'isEvent'> {
    return this.#isEvent ? { isEvent: true } : {};
  }

  /** One value of the point at this place, by its profile alone. */
  worth(at: number, value: Value, quality: QualityCode): { raw: Value; quality: QualityCode } {
    return normaliseRaw(this.#points[at]!.profile, value, quality);
  }

  /**
   * One point read out of turn, always reported and urgent. It is told of the group as it was last
   * polled, at `polledMonoMs`: what it says nothing of is no newer for it.
   */
  alone(at: number, raw: Value, quality: QualityCode, atMonoMs: number, polledMonoMs: number) {
    this.#take(at, raw, quality, false);
    const bad = isBad(quality);
    return {
      firstAlias: this.#firstAlias,
      points: this.#points.length,
      fromMonoMs: polledMonoMs,
      toMonoMs: polledMonoMs,
      alias: [this.#firstAlias + at],
      monoMs: [atMonoMs],
      values: [bad ? null : raw],
      qualities: [quality],
      unchanged: 0,
      failed: bad ? 1 : 0,
      urgent: true,
      ...this.#kind,
    } satisfies PollReport;
  }

  normalise(answers: Answers, fromMonoMs: number, toMonoMs: number): PollReport {
    const count = this.#points.length;
    assert(answers.values.length === count, 'a driver answers every point of a plan once');
    const alias: number[] = [];
    const monoMs: number[] = [];
    const values: Value[] = [];
    const qualities: QualityCode[] = [];
    let failed = 0;
    let urgent = false;
    for (let at = 0; at < count; at++) {
      if (this.#isStill(at, answers.values[at]!, answers.qualities[at]!)) continue;
      const { raw: value, quality } = normaliseRaw(
        this.#points[at]!.profile,
        answers.values[at]!,
        answers.qualities[at]!,
      );
      const bad = isBad(quality);
      if (bad) failed++;
      const same = quality === this.#quality[at];
      if (same && !this.#reportAll && (bad || value === this.#raw[at])) continue;
      const verdictChanged = this.#take(at, value, quality, same);
      if (verdictChanged === undefined) continue;
      if (verdictChanged || this.#lifeSafety[at] === 1) urgent = true;
      alias.push(this.#firstAlias + at);
      monoMs.push(answers.atMonoMs[at]!);
      values.push(bad ? null : value);
      qualities.push(quality);
    }
    if (this.#reportedMs) this.#reportedMs.fill(toMonoMs);
    return {
      firstAlias: this.#firstAlias,
      points: count,
      fromMonoMs,
      toMonoMs,
      alias,
      monoMs,
      values,
      qualities,
      unchanged: count - alias.length,
      failed,
      urgent,
      ...this.#kind,
    };
  }

  /**
   * As `normalise`, of a device that says itself when its values were true and keeps those that
   * came before the newest. Readings of a point are at least a millisecond apart.
   */
  told(answers: Answers, fromMonoMs: number, toMonoMs: number): Told {
    const count = this.#points.length;
    assert(answers.values.length === count, 'a driver answers every point of a plan once');
    this.#reportedMs ??= new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
    const columns = new Columns(this.#firstAlias);
    let more = 0;
    let squeezed = 0;
    for (const sample of answers.more ?? []) {
      if (sample.at >= count) continue; // Of what was read beside the points.
      const which = this.#isEvent ? 'happened' : 'earlier';
      const isTaken = this.#tell(sample, columns, toMonoMs, which);
      if (isTaken) more++;
      else squeezed++;
    }
    const { values, qualities, atMonoMs, origins } = answers;
    for (let at = 0; at < count; at++) {
      const value = values[at]!;
      const quality = qualities[at]!;
      if (this.#isStill(at, value, quality)) continue;
      const origin = origins?.[at] ?? null;
      const newest = { at, value, quality, atMonoMs: atMonoMs[at]!, origin };
      this.#tell(newest, columns, toMonoMs, 'newest');
    }
    const unchanged = count + more - columns.alias.length;
    const { firstAlias, alias, failed, urgent } = columns;
    const common = { firstAlias, points: count, fromMonoMs, toMonoMs, alias, unchanged };
    const { monoMs, values: told, qualities: worth, origins: said } = columns;
    const report = {
      ...{ ...common, monoMs, values: told, qualities: worth, origins: said, failed, urgent },
      ...this.#kind,
    };
    return { report, more, squeezed };
  }

  /**
   * Good, and the same number that was reported last as good: its profile judged it then. Most
   * readings are, so that they are found here first.
   */
  #isStill(at: number, value: Value, quality: QualityCode): boolean {
    if (quality !== GOOD || this.#quality[at] !== GOOD || this.#reportAll) return false;
    return typeof value === 'number' && value === this.#raw[at];
  }

  /** Out of the device's memory: judged by the profile, compared with nothing. */
  filled(samples: readonly Sample[], monoMs: number): PollReport {
    const columns = new Columns(this.#firstAlias);
    for (const { at, value, quality, atMonoMs, origin } of samples) {
      const worth = this.worth(at, value, quality);
      if (!isBad(worth.quality)) columns.add(at, worth.raw, worth.quality, atMonoMs, origin);
    }
    const { firstAlias, alias, values, qualities, origins } = columns;
    return {
      ...{ firstAlias, points: 0, fromMonoMs: monoMs, toMonoMs: monoMs, alias, values, qualities },
      ...{ monoMs: columns.monoMs, origins, unchanged: 0, failed: 0, urgent: false, isFill: true },
    };
  }

  /** False where it cannot be told apart from a later one. */
  #tell(sample: Sample, columns: Columns, toMonoMs: number, which: Which): boolean {
    const { at, origin } = sample;
    const reported = this.#reportedMs!;
    const atMonoMs = Math.max(sample.atMonoMs, Math.floor(reported[at]!) + 1);
    if (atMonoMs > toMonoMs && which !== 'newest') return false;
    const { raw, quality } = this.worth(at, sample.value, sample.quality);
    const bad = isBad(quality);
    if (bad) columns.failed++;
    const same = quality === this.#quality[at];
    const mayStay = same && which !== 'happened';
    if (mayStay && !this.#reportAll && (bad || raw === this.#raw[at])) return true;
    const verdictChanged = this.#take(at, raw, quality, mayStay);
    if (verdictChanged === undefined) return true;
    if (verdictChanged || this.#lifeSafety[at] === 1) columns.urgent = true;
    reported[at] = atMonoMs;
    columns.add(at, bad ? null : raw, quality, atMonoMs, origin);
    return true;
  }

  /**
   * Remembers the reading as reported and says whether a rule's verdict changed with it; undefined
   * when it may be left out. The places of the last good value stay through bad readings.
   */
  #take(at: number, value: Value, quality: QualityCode, same: boolean): boolean | undefined {
    const { definition } = this.#points[at]!;
    const number =
      typeof value === 'number'
        ? engineering(value, definition.scale, definition.offset)
        : typeof value === 'bigint' || typeof value === 'boolean'
          ? Number(value)
          : Number.NaN;
    const limits = this.#limits[at]!;
    const places =
      limits.length === 0 || Number.isNaN(number) ? this.#places[at]! : placesOf(limits, number);
    const verdictChanged = places !== this.#places[at];
    if (same && !verdictChanged && !this.#reportAll) {
      const apart = Math.abs(number - this.#number[at]!); // NaN, so never within, for text.
      if (definition.type !== 'boolean' && apart <= this.#deadband[at]! && apart !== 0) return;
    }
    this.#quality[at] = quality;
    this.#raw[at] = value;
    this.#number[at] = number;
    this.#places[at] = places;
    return verdictChanged;
  }
}

/** Readings on their way into a report. */
class Columns {
  readonly firstAlias: number;
  readonly alias: number[] = [];
  readonly monoMs: number[] = [];
  readonly values: Value[] = [];
  readonly qualities: QualityCode[] = [];
  readonly origins: (Origin | null)[] = [];
  failed = 0;
  urgent = false;

  constructor(firstAlias: number) {
    this.firstAlias = firstAlias;
  }

  add(at: number, value: Value, quality: QualityCode, monoMs: number, origin: Origin | null): void {
    this.alias.push(this.firstAlias + at);
    this.monoMs.push(monoMs);
    this.values.push(value);
    this.qualities.push(quality);
    this.origins.push(origin);
  }
}

function deadbandOf({ deadband, rules }: PointDefinition): number {
  const bands = rules.flatMap((rule) => (rule.kind === 'frozen' ? [rule.band] : []));
  return Math.min(deadband, ...bands);
}

interface Limit {
  /** 1 for high sides, -1 for low ones: multiplied by it, both are high. */
  readonly sign: number;
  readonly raise: number;
  readonly clear: number;
  /** Of a rule on states: beyond is being one of them. */
  readonly states: readonly number[] | null;
}

function limitsOf({ rules }: PointDefinition): readonly Limit[] {
  const limits = rules.flatMap((rule): Limit[] => {
    if (rule.kind === 'state') return [{ sign: 1, raise: 1, clear: 1, states: rule.states }];
    if (rule.kind !== 'limit' && rule.kind !== 'duration') return [];
    const sign = rule.side === 'high' || rule.side === 'high-high' ? 1 : -1;
    const raise = sign * rule.limit;
    return [{ sign, raise, clear: sign * (rule.limit - sign * rule.deadband), states: null }];
  });
  assert(limits.length <= LIMIT_RULES_MAX, 'a point has few limit rules; the profile checks it');
  return limits;
}

// For each rule: 0 clear, 1 between clearing and limit, 2 beyond; together a number of base 3.
function placesOf(limits: readonly Limit[], number: number): number {
  let places = 0;
  for (let at = 0; at < limits.length; at++) {
    const { sign, raise, clear, states } = limits[at]!;
    const directed = states ? Number(states.includes(number)) : sign * number;
    places = places * 3 + (directed >= raise ? 2 : directed >= clear ? 1 : 0);
  }
  return places;
}

/** What a poll that could not be asked brings: every point bad, for one reason, now. */
export function unanswered(points: number, quality: QualityCode, atMonoMs: number): Answers {
  return {
    values: Array.from({ length: points }, () => null),
    qualities: Array.from({ length: points }, () => quality),
    atMonoMs: Array.from({ length: points }, () => atMonoMs),
    requests: 0,
    failures: 0,
    fault: null,
    lineMs: 0,
  };
}
