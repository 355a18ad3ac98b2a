// What the cloud's time-series store promises, whichever engine keeps it. The suite in
// store.contract.ts holds every implementation to it.
//
// - What one `apply` brings (readings, coverage, gaps, labels, series) and the cursor change
//   together or not at all. Rows at or below the cursor change nothing, so a crash repeats work
//   and nothing else.
// - A record is known by gateway, epoch and sequence: one that comes again under another row, as
//   after the loss of an inbox, changes nothing either.
// - Readings are never changed but for their label: what an epoch took while its clock was unknown
//   is labelled anew when the epoch learns the time, in whichever order records come; the label it
//   came with is kept.
// - Order is (epoch, as epochs.ts orders them, then monotonic time); wall time is a label to search
//   and draw by.
// - What is counted is counted over stored rows, never kept as a running counter.
// - Fills, out of a device's memory, are stored with their own times and nothing else: they are
//   never the newest, and the account leaves them out, since their time was accounted for as bad.
import type { QualityCode } from '../../core/quality.ts';
import type { GapCause, Origin, Value } from '../../core/reading.ts';
import { gapCauses } from '../../core/reading.ts';
import type { Epoch, OriginColumns } from '../../protocols/uplink/record.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';

/** One point read every second for a day is 86,400 readings; a longer answer is cut and says so. */
export const HISTORY_ROWS_MAX = 100_000;
/** A gap is about 100 B in an answer: 1 MB at most. */
export const GAPS_MAX = 10_000;

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface HistoryQuery {
  readonly series: number;
  /** By label; `toMs` is not included. */
  readonly fromMs: number;
  readonly toMs: number;
  /**
   * Width of a bucket; buckets begin at whole multiples of it since 1970. Null: readings as
   * stored.
   */
  readonly bucketMs: number | null;
  /** Readings or buckets at most, the earliest first; at most HISTORY_ROWS_MAX. */
  readonly limit: number;
}

/** Readings of one series as columns of equal length, by label, then by order. */
export interface StoredReadings {
  readonly count: number;
  readonly atMs: Float64Array;
  /** Label minus the label it came with: not 0 where the epoch learned the time later. */
  readonly shiftMs: Float64Array;
  readonly monoMs: Float64Array;
  /** Place in `epochs` of the epoch it was taken in. */
  readonly epochAt: Uint32Array;
  readonly epochs: readonly Epoch[];
  readonly quality: Uint8Array;
  /** Booleans are 0 and 1; NaN where `special` speaks, and for null. */
  readonly values: Float64Array;
  readonly special: ReadonlyMap<number, bigint | string>;
  /** What devices said of the values; absent where none of them says anything. */
  readonly origins?: OriginColumns | null;
}

/** What happened in one bucket. A bucket without readings does not exist: nothing is made up. */
export interface Bucket {
  readonly fromMs: number;
  /** Readings, bad ones included, and how many of them were bad. */
  readonly count: number;
  readonly bad: number;
  /**
   * Over readings that are not bad; null without any and for text. Whole numbers beyond 2^53
   * rounded.
   */
  readonly min: number | null;
  readonly max: number | null;
  readonly mean: number | null;
  /** By label, then by order, of those that are not bad; null when all are. */
  readonly first: Value;
  readonly last: Value;
  readonly worst: QualityCode;
}

export interface StoredGap extends Span {
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly cause: GapCause;
  /** Empty where nobody knows which: it may be any point of the gateway. */
  readonly series: readonly number[];
  readonly readings: number;
  readonly estimated: boolean;
  /** Records that will not come, where the cloud found the gap: their readings may be unknown. */
  readonly records?: number;
}

export interface History {
  readonly series: number;
  /** Null when buckets were asked for. */
  readonly readings: StoredReadings | null;
  readonly buckets: readonly Bucket[];
  /** There is more behind the last one: ask again from there. */
  readonly isTruncated: boolean;
  /**
   * Where the point was polled, by label, cut to what was asked: there, and only there, a value
   * that was not reported is the one before it.
   */
  readonly covered: readonly Span[];
  readonly gaps: readonly StoredGap[];
  /** Where stored readings may be missing from this answer because a file is damaged or gone. */
  readonly unreadable: readonly Span[];
}

export interface Latest {
  readonly series: number;
  readonly epoch: Epoch;
  readonly monoMs: number;
  readonly atMs: number;
  readonly value: Value;
  readonly quality: QualityCode;
  readonly origin?: Origin | null;
  /** Up to when the point was polled with this value unchanged; at least `atMs`. */
  readonly coveredMs: number;
}

export interface GapQuery {
  /** Gaps of this series, and those of its gateway that may be of any. */
  readonly series?: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface EpochName {
  readonly gateway: string;
  readonly epoch: Epoch;
}

/**
 * The account of what was taken: taken = stored + unchanged + given up, where nothing is on its
 * way.
 */
export interface Account {
  readonly stored: number;
  readonly unchanged: number;
  readonly missed: number;
  /** All gaps but the missed. */
  readonly givenUp: number;
  /** Failed reads, as coverage counted them; they are bad readings and so among the stored. */
  readonly failed: number;
  /** As coverage counted it. */
  readonly taken: number;
  /** Readings in files that are damaged or gone; not among the stored. */
  readonly unreadable: number;
  readonly byCause: Readonly<Record<GapCause, number>>;
}

export interface UnreadablePart extends Span {
  readonly file: string;
  readonly rows: number;
  readonly why: 'missing' | 'damaged';
}

export interface StoreStats {
  readonly cursor: number;
  readonly hotRows: number;
  readonly parts: number;
  readonly partRows: number;
  /** On disk, everything together. */
  readonly bytes: number;
  readonly unreadable: readonly UnreadablePart[];
}

export interface Store {
  /** The inbox row up to which everything is applied; 0 at first. */
  cursor(): Promise<number>;
  /**
   * `records` ascend by row; `throughRow` is at least the last one's: rows between that brought
   * nothing count as applied. Readings of a state record only move the latest. Fault `store_full`
   * (later) when the disk is: nothing is applied then, and the same call works once there is room.
   */
  apply(records: readonly DecodedRecord[], throughRow: number): Promise<void>;
  history(query: HistoryQuery): Promise<History>;
  /** Newest by order; all series, or those of the list that have a reading, by series number. */
  latest(series?: readonly number[]): Promise<readonly Latest[]>;
  /** That touch the span, by beginning; the earliest GAPS_MAX. */
  gaps(query: GapQuery): Promise<readonly StoredGap[]>;
  /** Of these epochs, or of everything. */
  account(epochs: readonly EpochName[] | null): Promise<Account>;
  series(): Promise<readonly SeriesEntry[]>;
  stats(): Promise<StoreStats>;
  /** Housekeeping that is due; call it about once a minute. Queries and `apply` go on meanwhile. */
  maintain(): Promise<void>;
  close(): Promise<void>;
}

/** The value at a place, in the type of its series. */
export function valueAt(
  readings: Pick<StoredReadings, 'values' | 'special'>,
  at: number,
  isBoolean: boolean,
): Value {
  return readings.special.get(at) ?? typedValue(readings.values[at]!, isBoolean);
}

export function typedValue(number: number, isBoolean: boolean): Value {
  if (Number.isNaN(number)) return null;
  return isBoolean ? number !== 0 : number;
}

/**
 * Coverage ends with one poll and goes on with the next: a pause of a period and a half is none.
 */
export function coverageSlackMs(entry: SeriesEntry | undefined): number {
  return entry ? entry.definition.periodMs * 1.5 : 0;
}

/** Joins spans that touch or lie within `slackMs` of each other, cut to `within`, by beginning. */
export function joinSpans(spans: readonly Span[], slackMs: number, within: Span): Span[] {
  const joined: { fromMs: number; toMs: number }[] = [];
  const sorted = [...spans].sort((a, b) => a.fromMs - b.fromMs);
  for (const span of sorted) {
    if (span.toMs < within.fromMs || span.fromMs >= within.toMs) continue;
    const fromMs = Math.max(span.fromMs, within.fromMs);
    const toMs = Math.min(span.toMs, within.toMs);
    const last = joined.at(-1);
    if (last && fromMs <= last.toMs + slackMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

/** The part of an account that gaps tell. */
export function accountOfGaps(
  gaps: Iterable<{ readonly cause: GapCause; readonly readings: number }>,
): Pick<Account, 'missed' | 'givenUp' | 'byCause'> {
  const byCause = Object.fromEntries(gapCauses.map((cause) => [cause, 0])) as Record<
    GapCause,
    number
  >;
  for (const { cause, readings } of gaps) byCause[cause] += readings;
  const all = Object.values(byCause).reduce((sum, readings) => sum + readings, 0);
  return { missed: byCause.missed, givenUp: all - byCause.missed, byCause };
}
