// The rules a local fallback hangs on, evaluated at the gateway: the kernel of the cloud, fed with
// what goes into the records, record by record, so that one excursion has one name on both sides.
//
// - Input is what was sealed: the readings of a record first, then what it covers, as
//   cloud/alarms/live.ts takes them. What comes late to the cloud comes here in its order.
// - Only points with a rule that is meant are looked at, and those that such a rule compares with.
//   A record without any of them costs a look at what it covers.
// - A restart is a new epoch, as in the cloud: verdicts are kept, what was known of the values is
//   not. `kept` is to be durable with the record that changed it, and not before it.
//
// The cloud may come to know an excursion in its middle: after an outage its newest reading is
// there before the backlog. It is then named by that reading. `named` finds it: a name that any
// sample since the beginning gives is a name of this excursion, and of no other.
import { occurrenceName } from '../../core/alarm/digest.ts';
import type {
  Evaluation,
  Input,
  Other,
  Subject,
  Track,
  Transition,
  Verdict,
} from '../../core/alarm/evaluate.ts';
import {
  HOLE_PERIODS,
  NO_VERDICT,
  NOT_SEEN,
  rejudge,
  step,
  withoutMemory,
} from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import type { PointDefinition } from '../../core/point.ts';
import { engineering, pointId } from '../../core/point.ts';
import { isSilent } from '../../core/quality.ts';
import type { Coverage, Epoch, ReadingColumns } from '../../protocols/uplink/record.ts';

/** An edge says of each group at least this often up to when it is covered. */
const COVERED_EVERY_MS = 10_000;
/** A longer silence is that of the gateway. */
const HEAD_JUMP_MS = 15_000;
/** No-data rules are looked at once in so much time. */
const PASSED_EVERY_MS = 1_000;
/**
 * Samples of an excursion it may be named by, the newest: a cloud that came back confirms within
 * minutes. 2 KB a rule in alarm; a name is 10 us to make.
 */
const SEEN_MAX = 256;

/** A rule whose alarm is meant. */
export interface Meant {
  readonly device: string;
  readonly point: string;
  readonly rule: Rule;
}

export interface Found extends Meant {
  readonly transition: Transition;
}

interface Watch {
  readonly watched: Watched;
  subject: Subject;
  verdict: Verdict;
  /** Times of the samples since its excursion began, by epoch. */
  seen: { readonly epoch: Epoch; readonly monoMs: number }[];
}

interface Watched {
  readonly definition: PointDefinition;
  readonly watches: Watch[];
  /** Comparisons of other points with this one. */
  readonly followers: Watch[];
  track: Track;
}

/** A verdict as it is kept, JSON; `terms` are those its numbers are in. */
interface KeptWatch {
  readonly verdict: Verdict;
  readonly value: number | null;
  readonly usable: boolean;
  readonly rule: Rule['kind'];
  readonly terms: string;
}
/** By `device/point/rule`. */
export type KeptEvaluation = Readonly<Record<string, KeptWatch>>;

export interface EvaluationOptions {
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly isMeant: (point: PointDefinition, rule: Rule) => boolean;
  /** Of the run before. */
  readonly kept: KeptEvaluation;
}

export class LocalEvaluation {
  readonly #options: EvaluationOptions;
  readonly #byAlias: (Watched | undefined)[] = [];
  /** By the first alias of a group: whether a record that covers it matters. */
  readonly #matters = new Map<number, boolean>();
  readonly #from = new Map<Watched, number>();
  #kept: Record<string, KeptWatch>;
  #hasNoData = false;
  #headMonoMs = -1;
  #headSinceMonoMs = -1;
  #passedMonoMs = -1;
  #isChanged = false;

  constructor(options: EvaluationOptions) {
    this.#options = options;
    this.#kept = { ...options.kept };
  }

  /** Points it looks at. */
  get points(): number {
    return this.#byAlias.filter((watched) => watched !== undefined).length;
  }

  /** Rules that are meant, with what they say now. */
  get watches(): readonly (Meant & { readonly verdict: Verdict })[] {
    return this.#all().map((watch) => ({ ...meantOf(watch), verdict: watch.verdict }));
  }

  /**
   * By alias, with the rules in force. What is no longer meant is over; a changed rule is judged by
   * the newest value.
   */
  useRules(points: readonly PointDefinition[], wallOffsetMs: number): readonly Found[] {
    const before = new Map(this.#all().map((watch) => [nameOf(watch), watch]));
    const tracks = new Map(this.#tracked().map((it) => [placeOf(it.definition), it.track]));
    const found: Found[] = [];
    const judged: Watch[] = [];
    this.#byAlias.length = 0;
    this.#matters.clear();
    points.forEach((definition, alias) => {
      const rules = definition.rules.filter((rule) => this.#options.isMeant(definition, rule));
      if (rules.length === 0) return;
      const watched = this.#watched(definition, alias, tracks);
      for (const rule of worstFirst(rules)) {
        const watch = newWatch(this.#options.gateway, watched, rule);
        const name = nameOf(watch);
        const known = before.get(name);
        watched.watches.push(watch);
        if (known?.subject.rule.kind === rule.kind) {
          before.delete(name);
          Object.assign(watch, { verdict: known.verdict, seen: known.seen });
        } else if (!known) this.#restore(watch);
        const isSame = known && JSON.stringify(known.subject.rule) === JSON.stringify(rule);
        if (!isSame) judged.push(watch);
      }
    });
    for (const watch of this.#all()) this.#pair(watch, points, tracks);
    for (const watch of before.values()) found.push(...withdrawn(watch, wallOffsetMs));
    for (const watch of judged) found.push(...this.#rejudge(watch, wallOffsetMs));
    this.#hasNoData = this.#all().some(({ subject }) => subject.rule.kind === 'no-data');
    this.#isChanged = true;
    return found;
  }

  /** What one sealed record says; times in the present epoch. */
  take(
    readings: ReadingColumns | null,
    coverage: readonly Coverage[],
    wallOffsetMs: number,
  ): readonly Found[] {
    if (this.#hasNoData) this.#moveHead(coverage);
    else if (!coverage.some((entry) => this.#isOfInterest(entry))) return [];
    const found: Found[] = [];
    this.#from.clear();
    for (const entry of coverage) {
      for (const watched of this.#within(entry)) {
        const known = this.#from.get(watched) ?? Number.POSITIVE_INFINITY;
        this.#from.set(watched, Math.min(known, entry.fromMonoMs));
      }
    }
    if (readings) this.#readings(readings, wallOffsetMs, found);
    const { epoch } = this.#options;
    for (const { firstAlias, points, fromMonoMs, toMonoMs: untilMonoMs } of coverage) {
      const atMs = untilMonoMs + wallOffsetMs;
      const input: Input = { kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs };
      for (const watched of this.#within({ firstAlias, points })) {
        if (untilMonoMs <= watched.track.markMonoMs) continue;
        this.#step(watched, input, found);
        watched.track = { ...watched.track, epoch, markMonoMs: untilMonoMs };
      }
    }
    if (this.#hasNoData) this.#passed(wallOffsetMs, found);
    return found;
  }

  /** What is to be kept, where it is other than at the last call; null where it is not. */
  takeKept(): KeptEvaluation | null {
    if (!this.#isChanged) return null;
    this.#isChanged = false;
    const kept: Record<string, KeptWatch> = {};
    for (const watch of this.#all()) {
      const { watched, verdict, subject } = watch;
      if (verdict.phase === 'normal') continue;
      const { value, usable } = watched.track;
      const terms = termsOf(watched.definition);
      kept[nameOf(watch)] = { verdict, value, usable, rule: subject.rule.kind, terms };
    }
    return kept;
  }

  /** The excursion that is on now and that this names; null for none. */
  named(occurrence: string): string | null {
    for (const { verdict, subject, seen } of this.#all()) {
      if (verdict.occurrence === null) continue;
      if (verdict.occurrence === occurrence) return occurrence;
      const { key, rule } = subject;
      const isIt = seen.some(({ epoch, monoMs }) => {
        return occurrenceName(key, rule.id, epoch, monoMs) === occurrence;
      });
      if (isIt) return verdict.occurrence;
    }
    return null;
  }

  #all(): Watch[] {
    return this.#tracked().flatMap(({ watches }) => watches);
  }

  #tracked(): Watched[] {
    return this.#byAlias.filter((watched) => watched !== undefined);
  }

  #watched(
    definition: PointDefinition,
    alias: number,
    tracks: ReadonlyMap<string, Track>,
  ): Watched {
    const known = this.#byAlias[alias];
    if (known) return known;
    const track = tracks.get(placeOf(definition)) ?? NOT_SEEN;
    const watched: Watched = { definition, watches: [], followers: [], track };
    this.#byAlias[alias] = watched;
    return watched;
  }

  /** A verdict of the run before; of its values only the newest is known, of no epoch any more. */
  #restore(watch: Watch): void {
    const name = nameOf(watch);
    const kept = this.#kept[name];
    delete this.#kept[name];
    if (!kept || kept.rule !== watch.subject.rule.kind) return;
    const isInTerms = kept.terms === termsOf(watch.watched.definition);
    watch.verdict = isInTerms ? kept.verdict : withoutMemory(kept.verdict);
    const { value, usable } = kept;
    if (isInTerms) watch.watched.track = { ...watch.watched.track, value, usable };
  }

  #pair(
    watch: Watch,
    points: readonly PointDefinition[],
    tracks: ReadonlyMap<string, Track>,
  ): void {
    const { rule } = watch.subject;
    if (rule.kind !== 'comparison') return;
    const alias = points.findIndex((point) => placeOf(point) === rule.other);
    if (alias >= 0) this.#watched(points[alias]!, alias, tracks).followers.push(watch);
  }

  #rejudge(watch: Watch, wallOffsetMs: number): readonly Found[] {
    const { track } = watch.watched;
    const atMs = track.markMonoMs + wallOffsetMs;
    const [after, transitions] = rejudge(watch.subject, { track, verdict: watch.verdict }, atMs);
    watch.verdict = after.verdict;
    return transitions.map((transition) => ({ ...meantOf(watch), transition }));
  }

  #isOfInterest({ firstAlias, points }: Pick<Coverage, 'firstAlias' | 'points'>): boolean {
    const known = this.#matters.get(firstAlias);
    if (known !== undefined) return known;
    const group = this.#byAlias.slice(firstAlias, firstAlias + points);
    const matters = group.some((watched) => watched !== undefined);
    this.#matters.set(firstAlias, matters);
    return matters;
  }

  *#within(entry: Pick<Coverage, 'firstAlias' | 'points'>): Iterable<Watched> {
    if (!this.#isOfInterest(entry)) return;
    for (let alias = entry.firstAlias; alias < entry.firstAlias + entry.points; alias++) {
      const watched = this.#byAlias[alias];
      if (watched) yield watched;
    }
  }

  #readings(readings: ReadingColumns, wallOffsetMs: number, found: Found[]): void {
    const { epoch } = this.#options;
    const { count, alias, monoMs: times, quality: qualities, numbers, special } = readings;
    for (let at = 0; at < count; at++) {
      const watched = this.#byAlias[alias[at]!];
      if (watched === undefined) continue;
      const monoMs = times[at]!;
      const { sampleMonoMs, markMonoMs } = watched.track;
      if (monoMs <= sampleMonoMs) continue;
      const { scale, offset, periodMs } = watched.definition;
      const raw = numbers[at]!;
      const whole = special.get(at);
      const number = Number.isNaN(raw) && typeof whole === 'bigint' ? Number(whole) : null;
      const value = number ?? (Number.isNaN(raw) ? null : engineering(raw, scale, offset));
      const quality = qualities[at]!;
      const fromMonoMs = this.#since(watched, monoMs, periodMs);
      const atMs = monoMs + wallOffsetMs;
      const about = { epoch, monoMs, atMs, fromMonoMs, value, quality };
      this.#step(watched, { kind: 'sample', ...about }, found);
      const usable = !isSilent(quality);
      const mark = Math.max(markMonoMs, monoMs);
      watched.track = { epoch, sampleMonoMs: monoMs, markMonoMs: mark, value, usable };
      for (const watch of watched.watches) see(watch, epoch, monoMs);
    }
  }

  // Since when a sample's point was polled without a break, as far as its record tells.
  #since(watched: Watched, monoMs: number, periodMs: number): number {
    const coveredFrom = this.#from.get(watched);
    if (coveredFrom !== undefined) return Math.min(coveredFrom, monoMs);
    const { markMonoMs } = watched.track;
    const holeMs = HOLE_PERIODS * periodMs;
    const isAwaited = markMonoMs >= 0 && monoMs - markMonoMs <= COVERED_EVERY_MS + holeMs;
    return isAwaited ? Math.min(markMonoMs, monoMs) : monoMs;
  }

  #step(watched: Watched, input: Input, found: Found[]): void {
    for (const watch of watched.watches) this.#put(watch, watched.track, input, found);
    if (watched.followers.length === 0) return;
    const other = asOther(input, watched.track, watched.definition.periodMs);
    if (other === null) return;
    for (const watch of watched.followers) this.#put(watch, watch.watched.track, other, found);
  }

  #put(watch: Watch, track: Track, input: Input, found: Found[]): void {
    const before: Evaluation = { track, verdict: watch.verdict };
    const [after, transitions] = step(watch.subject, before, input);
    if (after.verdict === watch.verdict && transitions.length === 0) return;
    if (!isSameBut(watch.verdict, after.verdict)) this.#isChanged = true;
    const wasNormal = watch.verdict.phase === 'normal';
    watch.verdict = after.verdict;
    if (wasNormal || after.verdict.phase === 'normal') watch.seen = [];
    for (const transition of transitions) found.push({ ...meantOf(watch), transition });
  }

  #moveHead(coverage: readonly Coverage[]): void {
    let headMonoMs = -1;
    for (const { toMonoMs } of coverage) headMonoMs = Math.max(headMonoMs, toMonoMs);
    if (headMonoMs <= this.#headMonoMs) return;
    const isJump = this.#headMonoMs < 0 || headMonoMs - this.#headMonoMs > HEAD_JUMP_MS;
    if (isJump) this.#headSinceMonoMs = headMonoMs;
    this.#headMonoMs = headMonoMs;
  }

  // No-data rules of points that nobody polls any more while others are.
  #passed(wallOffsetMs: number, found: Found[]): void {
    const untilMonoMs = this.#headMonoMs;
    if (untilMonoMs < 0 || untilMonoMs - this.#passedMonoMs < PASSED_EVERY_MS) return;
    this.#passedMonoMs = untilMonoMs;
    const { epoch } = this.#options;
    const atMs = untilMonoMs + wallOffsetMs;
    const sinceMonoMs = this.#headSinceMonoMs;
    const input: Input = { kind: 'passed', epoch, sinceMonoMs, untilMonoMs, atMs };
    for (const watched of this.#tracked()) {
      const { markMonoMs } = watched.track;
      if (markMonoMs < 0 || untilMonoMs - markMonoMs < PASSED_EVERY_MS) continue;
      for (const watch of watched.watches) this.#put(watch, watched.track, input, found);
    }
  }
}

function newWatch(gateway: string, watched: Watched, rule: Rule): Watch {
  const { device, point, periodMs } = watched.definition;
  const subject: Subject = { key: pointId(gateway, device, point), periodMs, rule };
  return { watched, subject, verdict: NO_VERDICT, seen: [] };
}

function see(watch: Watch, epoch: Epoch, monoMs: number): void {
  if (watch.verdict.phase === 'normal') return;
  watch.seen.push({ epoch, monoMs });
  if (watch.seen.length > SEEN_MAX) watch.seen.shift();
}

/** A rule that is no longer in force, or no longer meant: nothing would ever end its alarm. */
function withdrawn(watch: Watch, wallOffsetMs: number): readonly Found[] {
  const { verdict, watched } = watch;
  const { occurrence, first } = verdict;
  if (occurrence === null || first === null) return [];
  const monoMs = watched.track.markMonoMs;
  const { value } = watched.track;
  const at = { monoMs, atMs: monoMs + wallOffsetMs, value, first };
  return [{ ...meantOf(watch), transition: { kind: 'ends', occurrence, ...at } }];
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

/** The worst first, as the cloud has them. */
function worstFirst(rules: readonly Rule[]): readonly Rule[] {
  return [...rules].sort((a, b) =>
    a.level === b.level ? (a.id < b.id ? -1 : 1) : a.level - b.level,
  );
}

/** Nothing but the memory of a signal differs, which a new epoch does not go on with. */
function isSameBut(before: Verdict, after: Verdict): boolean {
  return (
    before.phase === after.phase &&
    before.sinceMonoMs === after.sinceMonoMs &&
    before.heldMonoMs === after.heldMonoMs &&
    before.occurrence === after.occurrence &&
    before.first === after.first
  );
}

function meantOf({ watched, subject }: Watch): Meant {
  const { device, point } = watched.definition;
  return { device, point, rule: subject.rule };
}

function nameOf({ watched, subject }: Watch): string {
  return `${placeOf(watched.definition)}/${subject.rule.id}`;
}

function placeOf({ device, point }: PointDefinition): string {
  return `${device}/${point}`;
}

function termsOf({ unit, scale, offset }: PointDefinition): string {
  return JSON.stringify([unit, scale, offset]);
}
