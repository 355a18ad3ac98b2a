// Live evaluation: goes forward only. Most series are still (no delay runs, the value is on the
// same side): a few array accesses; the rest goes through the kernel (core/alarm/evaluate.ts).
// Order is by (epoch, monotonic time) alone. What is newer than the newest known belongs here
// whichever lane brought it, what is older to history.ts. Coverage is believed as order.ts says.
import {
  type Input,
  isStill,
  type Other,
  type Sample,
  step,
  type Track,
} from '../../core/alarm/evaluate.ts';
import { isSilent } from '../../core/quality.ts';
import type { DecodedReadings, DecodedRecord } from '../inbox/decoded.ts';
import { numberOf } from '../inbox/decoded.ts';
import { Cover } from './cover.ts';
import type { History } from './history.ts';
import type { Marks } from './marks.ts';
import { heldAt, NOTHING, sampleAt } from './marks.ts';
import type { Occurrences, Source } from './occurrences.ts';
import type { Arrival, Covered, Gateway } from './order.ts';
import { believable, COVERED_EVERY_MS, sampledAhead } from './order.ts';
import type { Rules } from './rules.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';
import { settle } from './watched.ts';

/** No-data rules of a gateway are looked at once in so much of its time. */
const PASSED_EVERY_MS = 1_000;

interface LiveParts {
  readonly marks: Marks;
  readonly series: WatchedSeries;
  readonly occurrences: Occurrences;
  readonly history: History;
  readonly rules: Rules;
}

export class Live {
  readonly #marks: Marks;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;
  readonly #history: History;
  readonly #rules: Rules;
  readonly #cover = new Cover();

  constructor({ marks, series, occurrences, history, rules }: LiveParts) {
    this.#marks = marks;
    this.#series = series;
    this.#occurrences = occurrences;
    this.#history = history;
    this.#rules = rules;
  }

  /** A record whose arrival is known, after the dictionary it goes by. */
  take(gateway: Gateway, record: DecodedRecord, arrival: Arrival, source: Source): void {
    const { epoch } = record.row;
    if (record.isState && arrival.isLive && arrival.missing !== null) this.#skip(gateway, source);
    // A fill is known to have come, so that nothing waits for it; nothing is decided by it.
    if (record.readings && !record.isFill) {
      this.#readings(gateway, record, record.readings, arrival, source);
    }
    for (const covered of arrival.coverage) {
      this.#coverage(gateway, epoch, covered, arrival, source);
    }
    this.#history.came(gateway.gateway, epoch, arrival.whole, source);
    if (arrival.isPresent && arrival.isLive) this.#passed(gateway, source);
  }

  // The gateway restarted: what is still to come of the epoch before is history, and nothing is
  // known yet of the new one. States hold.
  leaveEpoch(gateway: Gateway, before: string, source: Source): void {
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      const { series } = watched.row;
      const track = this.#marks.track(series, before);
      const jump = { track, end: null, untilMonoMs: null, missing: null, isBreak: true };
      this.#history.jump(watched, jump, source);
      this.#marks.sample[series] = NOTHING;
      this.#marks.mark[series] = NOTHING;
      this.#marks.touch(series);
    }
  }

  // A state record stands for what is missing before it: all of that is late from here on.
  #skip({ gateway, epoch }: Gateway, source: Source): void {
    for (const watched of this.#series.byGateway.get(gateway) ?? []) {
      const track = this.#marks.track(watched.row.series, epoch ?? '');
      if (track.epoch !== null) this.#history.catchUps.begin(watched, track, source);
    }
  }

  #readings(
    gateway: Gateway,
    record: DecodedRecord,
    readings: DecodedReadings,
    arrival: Arrival,
    source: Source,
  ): void {
    const marks = this.#marks;
    this.#cover.note(record.coverage, marks.sample.length);
    const { series: numbers, monoMs: times, quality, values, special } = readings;
    const isWhole = arrival.isPresent && arrival.missing === null && !this.#history.isAnyOpen;
    for (let at = 0; at < readings.count; at++) {
      const series = numbers[at]!;
      const monoMs = times[at]!;
      const raw = values[at]!;
      if (isWhole && marks.isSettled(series, monoMs, raw, quality[at]!)) {
        marks.take(series, monoMs, raw);
        continue;
      }
      const watched = this.#series.bySeries[series];
      if (watched === undefined) continue;
      const value = Number.isNaN(raw) ? numberOf(special.get(at)) : raw;
      const isOld = !arrival.isPresent || monoMs <= marks.sample[series]!;
      // A state record repeats what is accounted for elsewhere.
      if (isOld && record.isState) continue;
      const isKnown = isOld && arrival.isPresent && monoMs === marks.sample[series]!;
      if (isKnown && !this.#history.catchUps.isOpen(watched)) continue;
      if (!isOld && arrival.missing !== null && watched.isRunning) {
        this.#believe(gateway, watched, record, source);
      }
      const mark = marks.mark[series]!;
      const fromMonoMs = this.#from(watched, record, monoMs, mark);
      const isBreak = mark !== NOTHING && fromMonoMs - mark > watched.holeMs;
      const isJump = isBreak || (mark !== NOTHING && arrival.missing !== null);
      const isBegun = mark === NOTHING && arrival.whole < record.row.sequence;
      if (isOld || isJump || isBegun || !this.#isStill(watched, value, quality[at]!)) {
        marks.unsettle(series);
        const sample = sampleAt(record, readings, at, fromMonoMs, value);
        const { sequence } = record.row;
        const isAwaited = !record.isState && this.#cover.fromMonoMs(series) === null;
        const input = { input: sample, sequence, ...(isAwaited && { isAwaited }) };
        if (isOld) {
          if (!this.#rules.isInTerms(watched, record.dictionary)) continue;
          if (isKnown) this.#history.catchUps.follow(watched, input, source);
          else this.#history.take(watched, input, this.#present(gateway, series), source);
          continue;
        }
        const track = marks.track(series, record.row.epoch);
        if (isJump) {
          const { missing } = arrival;
          const jump = { track, end: sample, untilMonoMs: monoMs, missing, isBreak };
          this.#history.jump(watched, jump, source);
        }
        if (isBegun) this.#history.begin(watched, sample, source);
        this.#step(watched, track, sample, source);
        this.#history.catchUps.follow(watched, input, source);
        if (watched.isRunning) sampledAhead(gateway, sequence, series);
      } else if (!this.#history.isOpen(series)) settle(watched);
      if (source.isLive && this.#history.isOpen(series)) {
        this.#history.note(watched, sampleAt(record, readings, at, monoMs, value));
      }
      marks.sample[series] = monoMs;
      if (monoMs > mark) marks.mark[series] = monoMs;
      marks.value[series] = value;
      marks.usable[series] = isSilent(quality[at]!) ? 0 : 1;
      marks.touch(series);
      if (marks.provisional[series] === 1 && source.isLive) this.#promote(watched, source);
    }
  }

  #believe(gateway: Gateway, watched: Watched, { row }: DecodedRecord, source: Source): void {
    const { epoch, sequence } = row;
    const { series } = watched.row;
    for (const coverage of believable(gateway, sequence, series)) {
      const { fromMonoMs, toMonoMs: untilMonoMs, atMs } = coverage;
      if (untilMonoMs <= this.#marks.mark[series]!) continue;
      const input: Input = { kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs };
      this.#step(watched, this.#marks.track(series, epoch), input, source);
      this.#marks.mark[series] = untilMonoMs;
      this.#marks.touch(series);
    }
  }

  // Since when a sample's series was polled without a break, as far as its record tells. One that
  // came before its coverage is taken for unbroken as long as that coverage can still be on its
  // way.
  #from(watched: Watched, record: DecodedRecord, monoMs: number, mark: number): number {
    const { series } = watched.row;
    const coveredFrom = this.#cover.fromMonoMs(series);
    if (coveredFrom !== null) return Math.min(coveredFrom, monoMs);
    const isAwaited =
      !record.isState && mark !== NOTHING && monoMs - mark <= COVERED_EVERY_MS + watched.holeMs;
    return isAwaited ? Math.min(mark, monoMs) : monoMs;
  }

  #isStill(watched: Watched, value: number, quality: number): boolean {
    if (watched.followers !== null) return false;
    const usable = !isSilent(quality);
    for (const { subject, verdict } of watched.watches) {
      if (!isStill(subject.rule, verdict.phase, value, usable)) return false;
    }
    return true;
  }

  #coverage(
    gateway: Gateway,
    epoch: string,
    { sequence, coverage }: Covered,
    arrival: Arrival,
    source: Source,
  ): void {
    const marks = this.#marks;
    const { fromMonoMs, toMonoMs: untilMonoMs, atMs } = coverage;
    const input: Input = { kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs };
    for (const series of coverage.series) {
      const watched = this.#series.bySeries[series];
      if (watched === undefined) continue;
      const mark = marks.mark[series]!;
      if (!arrival.isPresent || untilMonoMs <= mark) {
        const late = { input, sequence };
        this.#history.take(watched, late, this.#present(gateway, series), source);
        continue;
      }
      const isJump = mark !== NOTHING && fromMonoMs - mark > watched.holeMs;
      if (isJump || watched.isRunning) {
        const track = marks.track(series, epoch);
        if (isJump) {
          const end = heldAt(track, epoch, fromMonoMs, atMs - (untilMonoMs - fromMonoMs));
          const jump = { track, end, untilMonoMs: fromMonoMs, missing: null, isBreak: true };
          this.#history.jump(watched, jump, source);
        }
        if (watched.isRunning) this.#step(watched, track, input, source);
        this.#history.catchUps.follow(watched, { input, sequence }, source);
      }
      marks.mark[series] = untilMonoMs;
      marks.touch(series);
      if (marks.provisional[series] === 1 && source.isLive) this.#promote(watched, source);
    }
  }

  // No-data rules of series that nobody polls any more while their gateway goes on.
  #passed(gateway: Gateway, source: Source): void {
    const { epoch, headMonoMs: untilMonoMs, headSinceMonoMs: sinceMonoMs } = gateway;
    if (epoch === null || untilMonoMs - gateway.passedMonoMs < PASSED_EVERY_MS) return;
    gateway.passedMonoMs = untilMonoMs;
    const atMs = untilMonoMs + gateway.offsetMs;
    const input: Input = { kind: 'passed', epoch, sinceMonoMs, untilMonoMs, atMs };
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      const mark = this.#marks.mark[watched.row.series]!;
      if (mark === NOTHING || untilMonoMs - mark < PASSED_EVERY_MS) continue;
      if (!watched.watches.some(({ subject }) => subject.rule.kind === 'no-data')) continue;
      this.#step(watched, this.#marks.track(watched.row.series, epoch), input, source);
    }
  }

  #step(watched: Watched, track: Track, input: Input, source: Source): void {
    this.#stepAll(watched.watches, track, input, source);
    if (watched.followers === null) return;
    const { epoch } = input;
    const other = asOther(input, track, watched.row.periodMs);
    if (other === null) return;
    for (const watch of watched.followers) {
      const own = this.#marks.track(watch.watched.row.series, epoch);
      this.#stepAll([watch], own, other, source);
    }
  }

  #stepAll(watches: readonly Watch[], track: Track, input: Input, source: Source): void {
    for (const watch of watches) {
      const [after, transitions] = step(watch.subject, { track, verdict: watch.verdict }, input);
      if (after.verdict === watch.verdict && transitions.length === 0) continue;
      watch.verdict = after.verdict;
      this.#occurrences.take(watch, transitions, source);
      if (transitions.length > 0) this.#history.catchUps.found(watch, transitions);
      this.#series.keep(watch);
    }
  }

  #promote(watched: Watched, source: Source): void {
    for (const watch of watched.watches) this.#occurrences.promote(watch, source);
    const waits = watched.watches.some(({ isProvisional }) => isProvisional);
    this.#marks.provisional[watched.row.series] = waits ? 1 : 0;
  }

  // The newest sample of the present epoch as history's end, when it was started without knowing
  // better.
  #present(gateway: Gateway, series: number): Sample | null {
    const { epoch, offsetMs } = gateway;
    const monoMs = this.#marks.sample[series]!;
    if (epoch === null || monoMs === NOTHING) return null;
    return heldAt(this.#marks.track(series, epoch), epoch, monoMs, monoMs + offsetMs);
  }
}

/** What a comparison hears of the point that it compares with; `track` is that point's, before. */
function asOther(input: Input, { value, usable }: Track, periodMs: number): Other | null {
  if (input.kind === 'covered') {
    const { epoch, fromMonoMs, untilMonoMs: monoMs, atMs } = input;
    return { kind: 'other', epoch, monoMs, atMs, fromMonoMs, periodMs, value, usable };
  }
  if (input.kind !== 'sample') return null;
  const { epoch, monoMs, atMs, fromMonoMs, quality } = input;
  const now = { value: input.value, usable: !isSilent(quality) };
  return { kind: 'other', epoch, monoMs, atMs, fromMonoMs, periodMs, ...now };
}
