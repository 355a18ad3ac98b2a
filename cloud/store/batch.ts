// What a group of records brings, as rows, with every label as the clocks are known at its end.
import { assert } from '../../core/fault.ts';
import type { GapCause } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { OriginColumns } from '../../protocols/uplink/record.ts';
import type { DecodedReadings, DecodedRecord } from '../inbox/decoded.ts';
import type { Catalogue, Relabel, SeriesSet, Source } from './catalogue.ts';

/** Columns of equal length. Null is NaN; text and whole numbers beyond 2^53 are in `special`. */
export interface ReadingRows {
  readonly count: number;
  readonly series: Int32Array;
  readonly sources: readonly Source[];
  readonly monoMs: Float64Array;
  readonly atMs: Float64Array;
  /** Label minus the label it came with. */
  readonly shiftMs: Float64Array;
  readonly quality: Uint8Array;
  readonly values: Float64Array;
  readonly special: ReadonlyMap<number, bigint | string>;
  /** Null where no device says anything of any of them. */
  readonly origins: OriginColumns | null;
}

export interface CoverageRow {
  readonly source: Source;
  readonly set: SeriesSet;
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /** Label of the end. */
  readonly atMs: number;
  readonly taken: number;
  readonly unchanged: number;
  readonly failed: number;
}

export interface GapRow {
  readonly source: Source;
  readonly set: SeriesSet;
  readonly cause: GapCause;
  readonly fromMs: number;
  readonly toMs: number;
  /**
   * End by the epoch's own clock where the record tells it, else NaN: such a gap is not labelled
   * anew.
   */
  readonly toMonoMs: number;
  readonly readings: number;
  readonly isEstimated: boolean;
  readonly records: number | undefined;
}

export interface Batch {
  readonly readings: ReadingRows;
  /**
   * Of state records: they move the latest and are not stored, since their own records bring them.
   */
  readonly state: ReadingRows;
  /** Out of devices' memories: stored and neither counted nor the newest. */
  readonly fills: ReadingRows;
  readonly coverage: readonly CoverageRow[];
  readonly gaps: readonly GapRow[];
  /** What must be done to rows stored before. */
  readonly relabels: readonly Relabel[];
}

export function batchOf(given: readonly DecodedRecord[], catalogue: Catalogue): Batch {
  for (const { row } of given) catalogue.hear(row.gateway, row);
  // An inbox that was lost is filled again by the edges, under other rows. What the cloud itself
  // found names sequences of others, so it is told by its row alone.
  const records = given.filter(
    (record) => record.row.note || catalogue.take(sourceOf(record, catalogue), record.row.sequence),
  );
  const relabels: Relabel[] = [];
  for (const { row, clock, clockSteps, manifest, dictionary } of records) {
    const { order } = catalogue.source(row.gateway, row.epoch, clock.state === 'unknown');
    for (const entry of manifest?.entries ?? []) catalogue.define(entry, order, row.sequence);
    if (dictionary) catalogue.meet(row.gateway, dictionary, order, row.sequence);
    for (const step of clockSteps) {
      const relabel = catalogue.step(row.gateway, row.epoch, step);
      if (relabel) relabels.push(relabel);
    }
  }
  // Only now are all clocks known, so that a record may come before or after its clock step.
  const kinds = Map.groupBy(
    records.filter((record) => record.readings),
    ({ isState, isFill }) => (isFill ? 'fill' : isState ? 'state' : 'taken'),
  );
  const rowsOf = (kind: 'taken' | 'state' | 'fill') =>
    readingRows(kinds.get(kind) ?? [], catalogue);
  const fills = rowsOf('fill');
  // Their rows lie with those of texts: where they are counted nobody counts.
  for (const series of new Set(fills.series)) catalogue.noteSpecial(series);
  return {
    readings: rowsOf('taken'),
    state: rowsOf('state'),
    fills,
    coverage: records.flatMap((record) => coverageRows(record, catalogue)),
    gaps: records.flatMap((record) => gapRows(record, catalogue)),
    relabels,
  };
}

function sourceOf({ row, clock }: DecodedRecord, catalogue: Catalogue): Source {
  return catalogue.source(row.gateway, row.epoch, clock.state === 'unknown');
}

function readingRows(records: readonly DecodedRecord[], catalogue: Catalogue): ReadingRows {
  const count = records.reduce((sum, { readings }) => sum + (readings?.count ?? 0), 0);
  const sources = new Array<Source>(count);
  const special = new Map<number, bigint | string>();
  const hasOrigins = records.some(({ readings }) => readings?.origins);
  const origins = hasOrigins ? noOrigins(count) : null;
  const rows = {
    count,
    series: new Int32Array(count),
    sources,
    monoMs: new Float64Array(count),
    atMs: new Float64Array(count),
    shiftMs: new Float64Array(count),
    quality: new Uint8Array(count),
    values: new Float64Array(count),
    special,
    origins,
  };
  let start = 0;
  for (const record of records) {
    const { readings } = record;
    if (!readings) continue;
    const source = sourceOf(record, catalogue);
    rows.series.set(readings.series.subarray(0, readings.count), start);
    rows.monoMs.set(readings.monoMs.subarray(0, readings.count), start);
    rows.atMs.set(readings.atMs.subarray(0, readings.count), start);
    rows.quality.set(readings.quality.subarray(0, readings.count), start);
    rows.values.set(readings.values.subarray(0, readings.count), start);
    sources.fill(source, start, start + readings.count);
    takeSpecial(readings, start, rows.values, special, catalogue);
    if (origins) takeOrigins(readings, start, origins, catalogue);
    if (source.isUnknown) relabelRows(rows, start, readings.count, source, catalogue);
    start += readings.count;
  }
  assert(start === count, 'every reading became a row');
  return rows;
}

function takeSpecial(
  readings: DecodedReadings,
  start: number,
  values: Float64Array,
  special: Map<number, bigint | string>,
  catalogue: Catalogue,
): void {
  for (const [at, value] of readings.special) {
    values[start + at] = Number.NaN;
    if (value === null) continue;
    special.set(start + at, value);
    catalogue.noteSpecial(readings.series[at]!);
  }
}

function noOrigins(count: number): OriginColumns {
  return {
    status: new Uint32Array(count),
    sourceMs: new Float64Array(count).fill(Number.NaN),
    serverMs: new Float64Array(count).fill(Number.NaN),
  };
}

function takeOrigins(
  { count, series, origins }: DecodedReadings,
  start: number,
  into: OriginColumns,
  catalogue: Catalogue,
): void {
  if (!origins) return;
  into.status.set(origins.status.subarray(0, count), start);
  into.sourceMs.set(origins.sourceMs.subarray(0, count), start);
  into.serverMs.set(origins.serverMs.subarray(0, count), start);
  for (let at = 0; at < count; at++) {
    if (originAt(origins, at)) catalogue.noteSpecial(series[at]!);
  }
}

function relabelRows(
  rows: { readonly [key in 'monoMs' | 'atMs' | 'shiftMs']: Float64Array },
  start: number,
  count: number,
  source: Source,
  catalogue: Catalogue,
): void {
  for (let at = start; at < start + count; at++) {
    const labelMs = catalogue.label(source, rows.monoMs[at]!, rows.atMs[at]!);
    rows.shiftMs[at] = labelMs - rows.atMs[at]!;
    rows.atMs[at] = labelMs;
  }
}

function coverageRows(record: DecodedRecord, catalogue: Catalogue): CoverageRow[] {
  if (record.coverage.length === 0) return [];
  const source = sourceOf(record, catalogue);
  return record.coverage.map(({ series, fromMonoMs, toMonoMs, atMs, ...counts }) => ({
    source,
    set: catalogue.set(series),
    fromMonoMs,
    toMonoMs,
    atMs: catalogue.label(source, toMonoMs, atMs),
    taken: counts.taken,
    unchanged: counts.unchanged,
    failed: counts.failed,
  }));
}

function gapRows(record: DecodedRecord, catalogue: Catalogue): GapRow[] {
  return record.gaps.map((gap) => {
    // What an earlier epoch misses, or the cloud found missing, was not labelled by this record's
    // clock: its label stays as it came.
    const isOwn = gap.epoch === record.row.epoch && !record.row.note;
    const source = isOwn
      ? sourceOf(record, catalogue)
      : catalogue.source(record.row.gateway, gap.epoch, false);
    const toMonoMs = isOwn ? gap.toMs - record.clock.wallOffsetMs : Number.NaN;
    const toMs = isOwn ? catalogue.label(source, toMonoMs, gap.toMs) : gap.toMs;
    return {
      source,
      set: catalogue.set(gap.series),
      cause: gap.cause,
      fromMs: gap.fromMs + (toMs - gap.toMs),
      toMs,
      toMonoMs,
      readings: gap.readings,
      isEstimated: gap.estimated,
      records: gap.records,
    };
  });
}
