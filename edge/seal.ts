// Sealing: from polls to records. A reading is taken when its record is sealed.
//
// Gathering. Each class of points (the highest class in a group decides) has a batch of its own, so
// that trend can be given up without compliance. A batch is sealed at 100 readings (500 while they
// come fast), 1 s after its first reading, within 20 ms when a poll was urgent. All polls of a
// group go to one batch, so the readings of a point are sealed in the order in which they were
// taken.
// Coverage goes with the readings it is about. A group without readings to report is covered every
// 10 s; every second while a delay of its rules may be running, which begins with an urgent or a
// failed poll.
// What happened rather than what is (`isEvent`) has a batch of its own, sealed within 20 ms into
// records of lane `event`, which the outbox gives up last. A group that goes from one kind to the
// other is sealed in between: its coverage never passes readings of it that are not sealed yet.
// Fills (`isFill`), out of a device's own memory, are sealed at once into records of lane
// `backfill`, with their own times, also from before this epoch was opened. They were accounted for
// when they were due: they are not taken, not covered, and never the newest.
// Account. taken = readings + unchanged in each record and in sum; missed polls become a gap
// record, one entry a group, at most every 10 s: due = taken + missed. A poll with more readings
// than a record holds is spread over several: each covers what is in it, and only the last moves
// the group's time on.
// Clock. Before the first reading after a step of the wall clock, what is pending is sealed under
// the old stamp; then a record tells of the step.
// Losses the outbox tells of (debts) are sealed into gap records; those are sent only once they are
// durable, because a debt that is told twice is counted twice.
// Sequences rise by one over all lanes. Records go to outbox and uplink in one call, in this order.
import type { Clock } from '../core/clock.ts';
import { assert } from '../core/fault.ts';
import type { PointDefinition } from '../core/point.ts';
import { isBad, type QualityCode, qualityCode } from '../core/quality.ts';
import { buildDictionary, type Dictionary } from '../protocols/uplink/dictionary.ts';
import { seal } from '../protocols/uplink/envelope.ts';
import type {
  Body,
  Coverage,
  Gap,
  Hash,
  ReadingColumns,
  SealedRecord,
} from '../protocols/uplink/record.ts';
import type { Group } from './attention.ts';
import { attend, endsDelay, expectEnds, groupFrom } from './attention.ts';
import type { ClockWatch } from './clock-watch.ts';
import { keepOf, type Lot, lotClasses, newLot } from './lot.ts';
import { Newest } from './newest.ts';
import type { Entry, Urgency } from './outbox/batch.ts';
import type { KeepClass } from './outbox/file.ts';
import { type Debt, gapOf } from './outbox/ledger.ts';
import type { Outbox } from './outbox/outbox.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_GROUPS_MAX,
  BATCH_READINGS,
  BATCH_READINGS_MAX,
  ReadingBatch,
} from './reading-batch.ts';
import { SealTimes } from './seal-times.ts';
import type { PollReport, Sink } from './sink.ts';

export const BATCH_WAIT_MS = 1_000;
export const URGENT_WAIT_MS = 20;
export const COVERAGE_WAIT_MS = 10_000;
export const MISSED_WAIT_MS = 10_000;
/**
 * A batch that fills faster than this is under load, one that fills slower than the second no more.
 */
const FAST_FILL_MS = 100;
const SLOW_FILL_MS = 500;
/** Ranges in one gap record: 16 KB of varints. */
const GAP_RECORD_RANGES_MAX = 2_048;
const GAP_RECORD_GAPS_MAX = 256;

export interface SealerOptions {
  /** In the order of their aliases. */
  readonly points: readonly PointDefinition[];
  /** Everything sealed but the records that tell of debts; called after the outbox has it. */
  readonly onRecord: (record: SealedRecord, urgency: Urgency, keep: KeepClass | 'part') => void;
  /**
   * What is about to be sealed of what was polled, good until it returns: before the outbox has it,
   * so that what is kept of it can be in the same commit.
   */
  readonly onSealing?: (
    readings: ReadingColumns | null,
    coverage: readonly Coverage[],
    wallOffsetMs: number,
  ) => void;
}

export interface SealerCounts {
  /** taken = readings + unchanged. */
  readonly taken: number;
  readonly readings: number;
  readonly unchanged: number;
  readonly missed: number;
  readonly records: number;
  readonly bytes: number;
}

const HISTORY = qualityCode('good', 'history');

interface Missed {
  readonly firstAlias: number;
  readonly points: number;
  fromMonoMs: number;
  toMonoMs: number;
  readings: number;
}

const nothing: Omit<Body, 'clock'> = {
  readings: null,
  isState: false,
  coverage: [],
  gaps: [],
  clockSteps: [],
  dictionary: null,
};

type SealedOutbox = Pick<
  Outbox,
  'epoch' | 'openedMonoMs' | 'append' | 'accepts' | 'parts' | 'word' | 'setWord'
>;

export class Sealer implements Sink {
  readonly #clock: Clock;
  readonly #outbox: SealedOutbox;
  readonly #watch: ClockWatch;
  readonly #onRecord: SealerOptions['onRecord'];
  readonly #onSealing: SealerOptions['onSealing'];
  readonly #lots: readonly Lot[];
  readonly #groups = new Map<number, Group>();
  readonly #missed = new Map<number, Missed>();
  readonly #parts: Set<Hash>;
  /** When which sequence was sealed: what commands are as old as. */
  readonly times = new SealTimes();
  /** The manifest that was used last, also before this opening. */
  #inForce: Hash | undefined;
  #points: readonly PointDefinition[] = [];
  /** The same with the rules in force, which may be others than those they propose. */
  #ruled: readonly PointDefinition[] = [];
  #dictionary: Dictionary = { manifest: '', parts: [] };
  #newest = new Newest(0);
  #sequence = 0;
  #urgentMonoMs = Number.NEGATIVE_INFINITY;
  #missedDueMonoMs = Number.POSITIVE_INFINITY;
  #timer: { readonly dueMonoMs: number; readonly cancel: () => void } | null = null;
  #counts = { taken: 0, readings: 0, unchanged: 0, missed: 0, records: 0, bytes: 0 };

  constructor(clock: Clock, outbox: SealedOutbox, watch: ClockWatch, options: SealerOptions) {
    this.#clock = clock;
    this.#outbox = outbox;
    this.#watch = watch;
    this.#onRecord = options.onRecord;
    this.#onSealing = options.onSealing;
    this.#parts = new Set(outbox.parts);
    this.#inForce = outbox.word('manifest');
    this.#lots = lotClasses.map((keep) => newLot(keep));
    this.useDictionary(options.points);
  }

  get counts(): SealerCounts {
    return this.#counts;
  }

  get manifest(): Hash {
    return this.#dictionary.manifest;
  }

  get accepts(): boolean {
    return this.#outbox.accepts;
  }

  /** How closely each group is told about goes by the rules in force from here on. */
  useRules(points: readonly PointDefinition[]): void {
    this.#ruled = points;
    this.#groups.clear();
  }

  /** From here on aliases mean these points. Seals what is pending under the old ones. */
  useDictionary(points: readonly PointDefinition[]): void {
    const dictionary = buildDictionary(points);
    this.flush();
    this.#points = points;
    this.#ruled = points;
    this.#dictionary = dictionary;
    this.#groups.clear();
    this.#newest = new Newest(points.length);
    for (const { hash } of dictionary.parts) {
      // One that comes back is sealed again: the cloud has it, but must hear that it is in force.
      const isBack = hash === dictionary.manifest && hash !== this.#inForce;
      if (isBack || !this.#parts.has(hash)) this.sealPart(hash);
    }
    this.#inForce = dictionary.manifest;
    this.#outbox.setWord('manifest', dictionary.manifest);
  }

  /** Seals a part of the present dictionary (again); false when the hash is none of it. */
  sealPart(hash: Hash): boolean {
    const named = this.#dictionary.parts.find((part) => part.hash === hash);
    if (!named) return false;
    const { part } = named;
    this.#parts.add(hash);
    this.#seal('event', 'usual', { dictionary: part }, noCounts, {
      part: { hash, pages: part.kind === 'manifest' ? part.pages : null },
    });
    return true;
  }

  report(poll: PollReport): void {
    this.#checkClock();
    if (poll.isFill) {
      this.#fill(poll);
      return;
    }
    const group = this.#groupOf(poll.firstAlias, poll.points);
    const lot = this.#lotOf(poll, group);
    this.#take(lot, poll);
    const toMonoMs = this.#monoMs(poll.toMonoMs);
    const isEnding = endsDelay(group, toMonoMs);
    if (poll.urgent) {
      attend(group, toMonoMs + group.delayMs + 2 * group.periodMs);
      expectEnds(group, this.#monoMs(poll.fromMonoMs));
    }
    if (poll.failed > 0 && !group.isFailing) attend(group, toMonoMs + group.silentMs);
    group.isFailing = poll.failed > 0;
    const { batch } = lot;
    const nowMonoMs = this.#now;
    if (poll.urgent || isEnding || (poll.isEvent && poll.alias.length > 0)) {
      lot.isUrgent = true;
      lot.dueMonoMs = Math.min(lot.dueMonoMs, this.#urgentMonoMs + URGENT_WAIT_MS);
    }
    const isAttentive = group.attentiveUntilMs >= toMonoMs;
    const waitMs = batch.count > 0 || isAttentive ? BATCH_WAIT_MS : COVERAGE_WAIT_MS;
    lot.dueMonoMs = Math.min(lot.dueMonoMs, nowMonoMs + waitMs);
    const isFull = batch.count >= lot.target || batch.groups >= BATCH_GROUPS_MAX;
    if (isFull || lot.dueMonoMs <= nowMonoMs) this.#sealLot(lot);
    else this.#wakeAt(lot.dueMonoMs);
  }

  #lotOf({ isEvent = false, firstAlias }: PollReport, group: Group): Lot {
    const keep = isEvent ? 'event' : group.keep;
    const lot = this.#lots.find((it) => it.keep === keep)!;
    for (const other of this.#lots) {
      if (other !== lot && other.batch.covers(firstAlias)) this.#sealLot(other);
    }
    return lot;
  }

  #fill({ alias, monoMs, values, qualities, origins }: PollReport): void {
    const batch = new ReadingBatch();
    let keep: KeepClass = 'trend';
    const sealBatch = () => {
      if (batch.count === 0) return;
      const about = { manifest: this.manifest, ...batch.span };
      this.#seal(keep, 'usual', { readings: batch.columns, isFill: true }, noCounts, about);
      batch.clear();
    };
    for (let at = 0; at < alias.length; at++) {
      const quality = asHistory(qualities[at]!);
      const value = isBad(quality) ? null : values[at]!;
      // The device had it before this epoch was opened: its time stays what it is.
      const time = Math.round(monoMs[at]! - this.#outbox.openedMonoMs);
      batch.add(alias[at]!, time, value, quality, origins?.[at] ?? null);
      if (this.#points[alias[at]!]!.class !== 'trend') keep = 'compliance';
      if (batch.count >= BATCH_READINGS_MAX || batch.bytes >= BATCH_BYTES_MAX) sealBatch();
    }
    sealBatch();
  }

  #take(lot: Lot, poll: PollReport): void {
    const { alias, monoMs, values, qualities, origins, firstAlias, points } = poll;
    const fromMonoMs = this.#monoMs(poll.fromMonoMs);
    const { batch } = lot;
    let told = 0; // Readings of this poll that are in sealed records.
    let failed = 0;
    let failedTold = 0;
    for (let at = 0; at < alias.length; at++) {
      if (batch.count >= lot.target || batch.bytes >= BATCH_BYTES_MAX) {
        const taken = at - told;
        const cover = { firstAlias, points, fromMonoMs, toMonoMs: fromMonoMs };
        if (taken > 0) batch.cover({ ...cover, taken, unchanged: 0, failed: failed - failedTold });
        this.#sealLot(lot);
        told = at;
        failedTold = failed;
      }
      if (batch.count === 0) lot.firstMonoMs = this.#now;
      const place = alias[at]!;
      const time = this.#monoMs(monoMs[at]!);
      const quality = qualities[at]!;
      const value = isBad(quality) ? null : values[at]!;
      const origin = origins?.[at] ?? null;
      batch.add(place, time, value, quality, origin);
      if (isBad(quality)) failed++;
      this.#newest.put(place, time, value, quality, origin);
    }
    batch.cover({
      firstAlias,
      points,
      fromMonoMs,
      toMonoMs: this.#monoMs(poll.toMonoMs),
      taken: alias.length - told + poll.unchanged,
      unchanged: poll.unchanged,
      failed: Math.max(0, poll.failed - failedTold),
    });
  }

  missed(group: Parameters<Sink['missed']>[0]): void {
    const { firstAlias, points } = group;
    const fromMonoMs = this.#monoMs(group.fromMonoMs);
    const toMonoMs = this.#monoMs(group.toMonoMs);
    const readings = group.readings ?? points * group.polls;
    this.#counts.missed += readings;
    const known = this.#missed.get(firstAlias);
    if (known) {
      known.fromMonoMs = Math.min(known.fromMonoMs, fromMonoMs);
      known.toMonoMs = Math.max(known.toMonoMs, toMonoMs);
      known.readings += readings;
    } else this.#missed.set(firstAlias, { firstAlias, points, fromMonoMs, toMonoMs, readings });
    this.#missedDueMonoMs = Math.min(this.#missedDueMonoMs, this.#now + MISSED_WAIT_MS);
    this.#wakeAt(this.#missedDueMonoMs);
  }

  /** Gap records for losses the outbox has found or decided. */
  tellDebts(debts: readonly Debt[]): void {
    const byManifest = Map.groupBy(debts, ({ manifest }) => manifest);
    for (const [manifest, all] of byManifest) {
      let some: Debt[] = [];
      let ranges = 0;
      for (const debt of all) {
        const isFull = some.length >= GAP_RECORD_GAPS_MAX;
        if (some.length > 0 && (isFull || ranges + debt.sequences.length > GAP_RECORD_RANGES_MAX)) {
          this.#sealDebts(manifest, some);
          some = [];
          ranges = 0;
        }
        some.push(debt);
        ranges += debt.sequences.length;
      }
      this.#sealDebts(manifest, some);
    }
  }

  #sealDebts(manifest: Hash, debts: readonly Debt[]): void {
    const gaps = debts.map((debt) => gapOf(debt));
    const givenUp = gaps.reduce((sum, gap) => sum + (gap.cause === 'missed' ? 0 : gap.readings), 0);
    const settles = debts.map(({ id }) => id);
    this.#seal('event', 'usual', { gaps }, { ...noCounts, givenUp }, { manifest, gaps, settles });
  }

  /**
   * State records: the newest reading of every point that was read, each with its own time. They
   * count for nothing: every reading in them was taken before.
   */
  sealState(): void {
    this.#checkClock();
    for (const batch of this.#newest.batches()) {
      const body = { readings: batch.columns, isState: true };
      this.#seal('trend', 'usual', body, noCounts, { manifest: this.manifest, ...batch.span });
    }
  }

  /** Seals all that is pending: before the end, and before anything changes what it means. */
  flush(): void {
    for (const lot of this.#lots) this.#sealLot(lot);
    this.#sealMissed();
  }

  /** Seals what is pending and wakes no more. */
  close(): void {
    this.#checkClock();
    this.flush();
    this.#timer?.cancel();
    this.#timer = null;
  }

  get #now(): number {
    return this.#monoMs(this.#clock.monoMs());
  }

  #monoMs(clockMonoMs: number): number {
    return Math.max(0, Math.round(clockMonoMs - this.#outbox.openedMonoMs));
  }

  #groupOf(firstAlias: number, points: number): Group {
    const known = this.#groups.get(firstAlias);
    if (known) return known;
    const definitions = this.#ruled.slice(firstAlias, firstAlias + points);
    assert(definitions.length === points, 'a group is a run of the points in the dictionary');
    const group = groupFrom(definitions);
    this.#groups.set(firstAlias, group);
    return group;
  }

  #checkClock(): void {
    if (this.#watch.isStepAhead) for (const lot of this.#lots) this.#sealLot(lot);
    const step = this.#watch.check();
    if (step) this.#seal('event', 'urgent', { clockSteps: [step] }, noCounts, {});
  }

  #sealLot(lot: Lot): void {
    const { batch } = lot;
    if (batch.isEmpty) return;
    const nowMonoMs = this.#now;
    const urgency = lot.isUrgent ? 'urgent' : 'usual';
    if (lot.isUrgent) this.#urgentMonoMs = nowMonoMs;
    if (batch.count >= lot.target) {
      const fillMs = nowMonoMs - lot.firstMonoMs;
      if (fillMs < FAST_FILL_MS) lot.target = BATCH_READINGS_MAX;
      else if (fillMs > SLOW_FILL_MS) lot.target = BATCH_READINGS;
    } else if (batch.count <= BATCH_READINGS) lot.target = BATCH_READINGS;
    const { count, unchanged, coverage } = batch;
    const keep = keepOf(lot);
    const counts = { taken: count + unchanged, unchanged, givenUp: 0 };
    const about = { manifest: this.manifest, ...batch.span };
    const { columns: readings } = batch;
    this.#onSealing?.(readings, coverage, this.#watch.stamp.wallOffsetMs);
    this.#seal(keep, urgency, { readings, coverage }, counts, about);
    this.#counts.taken += count + unchanged;
    this.#counts.readings += count;
    this.#counts.unchanged += unchanged;
    batch.clear();
    lot.isUrgent = false;
    lot.dueMonoMs = Number.POSITIVE_INFINITY;
  }

  #sealMissed(): void {
    const all = [...this.#missed.values()];
    this.#missed.clear();
    this.#missedDueMonoMs = Number.POSITIVE_INFINITY;
    const { epoch } = this.#outbox;
    for (let at = 0; at < all.length; at += GAP_RECORD_GAPS_MAX) {
      const gaps: Gap[] = all.slice(at, at + GAP_RECORD_GAPS_MAX).map((missed) => ({
        ...missed,
        cause: 'missed',
        epoch,
        estimated: false,
        sequences: [],
      }));
      this.#seal('event', 'usual', { gaps }, noCounts, { manifest: this.manifest, gaps });
    }
  }

  #seal(
    keep: KeepClass,
    urgency: Urgency,
    content: Partial<Body>,
    counts: typeof noCounts,
    about: Partial<Omit<Entry, 'record' | 'keep'>> & { readonly manifest?: Hash },
  ): void {
    const { manifest = '', gaps = [], part = null, settles = [] } = about;
    const { firstAlias = 0, points = 0 } = about;
    const { epoch } = this.#outbox;
    const lane = content.isFill ? 'backfill' : keep === 'event' ? 'event' : 'live';
    const fields = { lane, epoch, sequence: ++this.#sequence, manifest, ...counts } as const;
    const record = seal(fields, { ...nothing, ...content, clock: this.#watch.stamp });
    this.times.note(this.#sequence, this.#now);
    this.#counts.records++;
    this.#counts.bytes += record.bytes.length;
    this.#outbox.append({ record, keep, firstAlias, points, gaps, part, settles }, urgency);
    if (settles.length === 0) this.#onRecord(record, urgency, part ? 'part' : keep);
  }

  #wakeAt(dueMonoMs: number): void {
    if (this.#timer && this.#timer.dueMonoMs <= dueMonoMs) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(dueMonoMs - this.#now, () => this.#wake());
    this.#timer = { dueMonoMs, cancel };
  }

  #wake(): void {
    this.#timer = null;
    this.#checkClock();
    const nowMonoMs = this.#now;
    let nextMonoMs = Number.POSITIVE_INFINITY;
    for (const lot of this.#lots) {
      if (lot.dueMonoMs <= nowMonoMs) this.#sealLot(lot);
      nextMonoMs = Math.min(nextMonoMs, lot.dueMonoMs);
    }
    if (this.#missedDueMonoMs <= nowMonoMs) this.#sealMissed();
    nextMonoMs = Math.min(nextMonoMs, this.#missedDueMonoMs);
    if (nextMonoMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMonoMs);
  }
}

const noCounts = { taken: 0, unchanged: 0, givenUp: 0 };

// How far it may be believed stays; why it is here at all is told instead of why not further.
function asHistory(quality: QualityCode): QualityCode {
  return (quality & 0xc0) | HISTORY;
}
