// The store in memory: for the simulated world and for reading what a store does. Nothing is
// written to disk, and nothing bounds it but memory; `apply` happens in one turn, so it cannot be
// cut in half.
import { assert } from '../../core/fault.ts';
import { isBad } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { OriginColumns } from '../../protocols/uplink/record.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import type { CoverageRow, GapRow, ReadingRows } from './batch.ts';
import { batchOf } from './batch.ts';
import type { Relabel, Source } from './catalogue.ts';
import { Catalogue } from './catalogue.ts';
import { Newest } from './newest.ts';
import type {
  Account,
  Bucket,
  EpochName,
  GapQuery,
  History,
  HistoryQuery,
  Latest,
  Store,
  StoredGap,
  StoredReadings,
  StoreStats,
} from './store.ts';
import { accountOfGaps, coverageSlackMs, GAPS_MAX, joinSpans, typedValue } from './store.ts';

interface Row {
  readonly source: Source;
  readonly monoMs: number;
  atMs: number;
  shiftMs: number;
  readonly quality: number;
  readonly number: number;
  readonly special: bigint | string | undefined;
  readonly origin: Origin | null;
  readonly isFill: boolean;
}

type Moving<T> = { -readonly [key in keyof T]: T[key] };

export class MemoryStore implements Store {
  #cursor = 0;
  readonly #catalogue = new Catalogue();
  readonly #newest = new Newest();
  readonly #rows = new Map<number, Row[]>();
  readonly #coverage: Moving<CoverageRow>[] = [];
  readonly #gaps: Moving<GapRow>[] = [];

  async cursor(): Promise<number> {
    return this.#cursor;
  }

  async apply(records: readonly DecodedRecord[], throughRow: number): Promise<void> {
    if (throughRow <= this.#cursor) return;
    const news = records.filter(({ row }) => row.row > this.#cursor);
    const batch = batchOf(news, this.#catalogue);
    for (const relabel of batch.relabels) this.#relabel(relabel);
    this.#insert(batch.readings, 'taken');
    this.#insert(batch.fills, 'fill');
    this.#newest.offerRows(batch.readings);
    this.#newest.offerRows(batch.state);
    for (const row of batch.coverage) {
      this.#coverage.push(row);
      this.#newest.cover(row, row.set.number);
    }
    this.#gaps.push(...batch.gaps);
    this.#catalogue.takeAdded();
    this.#cursor = throughRow;
  }

  async history(query: HistoryQuery): Promise<History> {
    const { series, fromMs, toMs, bucketMs, limit } = query;
    const rows = (this.#rows.get(series) ?? [])
      .filter(({ atMs }) => atMs >= fromMs && atMs < toMs)
      .sort((a, b) => a.atMs - b.atMs || a.source.order - b.source.order || a.monoMs - b.monoMs);
    const isBoolean = this.#catalogue.isBoolean(series);
    const buckets = bucketMs === null ? [] : bucketsOf(rows, bucketMs, isBoolean);
    return {
      series,
      readings: bucketMs === null ? columnsOf(rows.slice(0, limit)) : null,
      buckets: buckets.slice(0, limit),
      isTruncated: (bucketMs === null ? rows.length : buckets.length) > limit,
      covered: this.#covered(query),
      gaps: await this.gaps({ series, fromMs, toMs }),
      unreadable: [],
    };
  }

  async latest(series?: readonly number[]): Promise<readonly Latest[]> {
    return this.#newest.list(this.#catalogue, series);
  }

  async gaps({ series, fromMs, toMs }: GapQuery): Promise<readonly StoredGap[]> {
    const gateway = series === undefined ? undefined : this.#catalogue.entry(series)?.gateway;
    return this.#gaps
      .filter((gap) => gap.toMs >= fromMs && gap.fromMs < toMs)
      .filter(({ set: { members }, source }) =>
        series !== undefined && members.length > 0
          ? members.includes(series)
          : series === undefined || source.gateway === gateway,
      )
      .map((gap) => ({
        gateway: gap.source.gateway,
        epoch: gap.source.epoch,
        cause: gap.cause,
        series: gap.set.members,
        fromMs: gap.fromMs,
        toMs: gap.toMs,
        readings: gap.readings,
        estimated: gap.isEstimated,
        ...(gap.records !== undefined && { records: gap.records }),
      }))
      .sort((a, b) => a.fromMs - b.fromMs)
      .slice(0, GAPS_MAX);
  }

  async account(epochs: readonly EpochName[] | null): Promise<Account> {
    const names = epochs && new Set(epochs.map(({ gateway, epoch }) => `${gateway} ${epoch}`));
    const counts = ({ source }: { readonly source: Source }) =>
      names === null || names.has(`${source.gateway} ${source.epoch}`);
    const coverage = this.#coverage.filter(counts);
    let stored = 0;
    for (const rows of this.#rows.values())
      stored += rows.filter((row) => !row.isFill && counts(row)).length;
    return {
      stored,
      unchanged: coverage.reduce((sum, { unchanged }) => sum + unchanged, 0),
      failed: coverage.reduce((sum, { failed }) => sum + failed, 0),
      taken: coverage.reduce((sum, { taken }) => sum + taken, 0),
      unreadable: 0,
      ...accountOfGaps(this.#gaps.filter(counts)),
    };
  }

  async series(): Promise<readonly SeriesEntry[]> {
    return this.#catalogue.entries();
  }

  async stats(): Promise<StoreStats> {
    let hotRows = 0;
    for (const rows of this.#rows.values()) hotRows += rows.length;
    return { cursor: this.#cursor, hotRows, parts: 0, partRows: 0, bytes: 0, unreadable: [] };
  }

  async maintain(): Promise<void> {
    // Nothing to keep house of: all is in memory.
  }

  async close(): Promise<void> {
    // The same store goes on after a restart of what is around it.
  }

  #insert(rows: ReadingRows, kind: 'taken' | 'fill'): void {
    for (let at = 0; at < rows.count; at++) {
      const series = rows.series[at]!;
      let list = this.#rows.get(series);
      if (!list) this.#rows.set(series, (list = []));
      list.push({
        source: rows.sources[at]!,
        monoMs: rows.monoMs[at]!,
        atMs: rows.atMs[at]!,
        shiftMs: rows.shiftMs[at]!,
        quality: rows.quality[at]!,
        number: rows.values[at]!,
        special: rows.special.get(at),
        origin: originAt(rows.origins, at),
        isFill: kind === 'fill',
      });
    }
  }

  #relabel(relabel: Relabel): void {
    const { source, afterMonoMs, toMonoMs, offsetMs } = relabel;
    const touches = (of: Source, monoMs: number) =>
      of.number === source.number && monoMs > afterMonoMs && monoMs <= toMonoMs;
    for (const rows of this.#rows.values()) {
      for (const row of rows) {
        if (!touches(row.source, row.monoMs)) continue;
        row.shiftMs += row.monoMs + offsetMs - row.atMs;
        row.atMs = row.monoMs + offsetMs;
      }
    }
    for (const row of this.#coverage) {
      if (touches(row.source, row.toMonoMs)) row.atMs = row.toMonoMs + offsetMs;
    }
    for (const gap of this.#gaps) {
      if (!touches(gap.source, gap.toMonoMs)) continue;
      gap.fromMs += gap.toMonoMs + offsetMs - gap.toMs;
      gap.toMs = gap.toMonoMs + offsetMs;
    }
    this.#newest.relabel(relabel);
  }

  #covered({ series, fromMs, toMs }: HistoryQuery) {
    const spans = this.#coverage
      .filter(({ set }) => set.members.includes(series))
      .map((row) => ({ fromMs: row.atMs - (row.toMonoMs - row.fromMonoMs), toMs: row.atMs }));
    const slackMs = coverageSlackMs(this.#catalogue.entry(series));
    return joinSpans(spans, slackMs, { fromMs, toMs });
  }
}

function columnsOf(rows: readonly Row[]): StoredReadings {
  const epochs = [...new Set(rows.map(({ source }) => source.epoch))];
  const special = new Map<number, bigint | string>();
  rows.forEach((row, at) => {
    if (row.special !== undefined) special.set(at, row.special);
  });
  return {
    count: rows.length,
    atMs: Float64Array.from(rows, ({ atMs }) => atMs),
    shiftMs: Float64Array.from(rows, ({ shiftMs }) => shiftMs),
    monoMs: Float64Array.from(rows, ({ monoMs }) => monoMs),
    epochAt: Uint32Array.from(rows, ({ source }) => epochs.indexOf(source.epoch)),
    epochs,
    quality: Uint8Array.from(rows, ({ quality }) => quality),
    values: Float64Array.from(rows, ({ number }) => number),
    special,
    ...(rows.some(({ origin }) => origin) && { origins: originsOf(rows) }),
  };
}

function originsOf(rows: readonly Row[]): OriginColumns {
  return {
    status: Uint32Array.from(rows, ({ origin }) => origin?.status ?? 0),
    sourceMs: Float64Array.from(rows, ({ origin }) => origin?.sourceMs ?? Number.NaN),
    serverMs: Float64Array.from(rows, ({ origin }) => origin?.serverMs ?? Number.NaN),
  };
}

function bucketsOf(rows: readonly Row[], bucketMs: number, isBoolean: boolean): Bucket[] {
  assert(bucketMs >= 1, 'a bucket has a width');
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const fromMs = Math.floor(row.atMs / bucketMs) * bucketMs;
    const group = groups.get(fromMs);
    if (group) group.push(row);
    else groups.set(fromMs, [row]);
  }
  return [...groups].map(([fromMs, group]) => bucketOf(fromMs, group, isBoolean));
}

function bucketOf(fromMs: number, rows: readonly Row[], isBoolean: boolean): Bucket {
  const usable = rows.filter(({ quality }) => !isBad(quality));
  const numbers = usable.map(numberOf).filter((number) => !Number.isNaN(number));
  const value = (row: Row | undefined): Value =>
    row ? (row.special ?? typedValue(row.number, isBoolean)) : null;
  return {
    fromMs,
    count: rows.length,
    bad: rows.length - usable.length,
    min: numbers.length ? numbers.reduce((a, b) => Math.min(a, b)) : null,
    max: numbers.length ? numbers.reduce((a, b) => Math.max(a, b)) : null,
    mean: numbers.length ? numbers.reduce((sum, n) => sum + n, 0) / numbers.length : null,
    first: value(usable[0]),
    last: value(usable.at(-1)),
    worst: rows.reduce((worst, { quality }) => Math.max(worst, quality), 0),
  };
}

function numberOf({ number, special }: Row): number {
  return typeof special === 'bigint' ? Number(special) : number;
}
