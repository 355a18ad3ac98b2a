// What is asked of the store, as SQL over the hot tables, the closing ones and the parts together,
// and the rows of its answers as values.
import { assert } from '../../core/fault.ts';
import type { GapCause, Value } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { Catalogue } from './catalogue.ts';
import type { Database, Table } from './database.ts';
import { integer, QUERY_MS_MAX, quote } from './database.ts';
import { NO_WIDE, wideColumns } from './format.ts';
import { decodeOther, originsOf, sourceOf } from './schema.ts';
import type {
  Account,
  Bucket,
  EpochName,
  GapQuery,
  HistoryQuery,
  Span,
  StoredGap,
  StoredReadings,
} from './store.ts';
import { accountOfGaps, coverageSlackMs, GAPS_MAX, joinSpans, typedValue } from './store.ts';

/** A file of readings, and whether it has the columns that only some have. */
export interface PartFile {
  readonly path: string;
  readonly isWide: boolean;
}

const base = 'at_ms, shift_ms, mono_ms, source, quality, value';

// All readings that fulfil `where`, wherever they lie; `other` is '' for a number. A series that
// has nothing but numbers of which no device says anything lies in the plain tables alone.
function readingsWhere(where: string, files: readonly PartFile[], hasOther: boolean): string {
  const plain = `'' AS other, ${NO_WIDE}`;
  const wide = `other, ${wideColumns}`;
  const from = (tables: string, more: string) =>
    `SELECT ${base}, ${more} FROM ${tables} WHERE ${where}`;
  const tables = ['hot', 'closing'].map((table) => from(table, plain));
  if (hasOther) {
    tables.push(...['hot_other', 'closing_other'].map((table) => from(table, wide)));
  }
  const { narrow, wide: wideFiles } = parquetOf(files);
  const narrowOther = hasOther ? `other, ${NO_WIDE}` : plain;
  if (narrow) tables.push(from(narrow, narrowOther));
  if (wideFiles) tables.push(from(wideFiles, hasOther ? wide : plain));
  return tables.join(' UNION ALL ');
}

/** The files as tables, those with the wide columns apart; null where there is none. */
function parquetOf(files: readonly PartFile[]): Record<'narrow' | 'wide', string | null> {
  const table = (list: readonly PartFile[]) =>
    list.length > 0 ? `read_parquet([${list.map(({ path }) => quote(path))}])` : null;
  return {
    narrow: table(files.filter(({ isWide }) => !isWide)),
    wide: table(files.filter(({ isWide }) => isWide)),
  };
}

/** All rows of some parts, with every column, and whether any row may need the wide ones. */
export function rowsOfParts(files: readonly PartFile[]): {
  readonly sql: string;
  readonly isWide: boolean;
} {
  const { narrow, wide } = parquetOf(files);
  const parts = [
    ...(narrow ? [`SELECT series, ${base}, other, ${NO_WIDE} FROM ${narrow}`] : []),
    ...(wide ? [`SELECT series, ${base}, other, ${wideColumns} FROM ${wide}`] : []),
  ];
  return { sql: `(${parts.join(' UNION ALL ')})`, isWide: wide !== null };
}

function ask(database: Database, sql: string): Promise<Table> {
  return database.read(sql, QUERY_MS_MAX);
}

function inSpan({ series, fromMs, toMs }: Omit<HistoryQuery, 'bucketMs' | 'limit'>): string {
  return `series = ${integer(series)} AND at_ms >= ${integer(fromMs)} AND at_ms < ${integer(toMs)}`;
}

/** One more than the limit where there is more. */
export async function rawReadings(
  database: Database,
  catalogue: Catalogue,
  query: HistoryQuery,
  files: readonly PartFile[],
): Promise<StoredReadings> {
  const hasOther = catalogue.hasSpecial(query.series);
  const rows = await ask(
    database,
    `SELECT at_ms::DOUBLE, shift_ms::DOUBLE, mono_ms::DOUBLE, source, quality, value, other,
        status::DOUBLE, source_ms::DOUBLE, server_ms::DOUBLE
      FROM (${readingsWhere(inSpan(query), files, hasOther)})
      JOIN source ON source.number = source
      ORDER BY at_ms, place, mono_ms LIMIT ${integer(query.limit + 1)}`,
  );
  const sources = rows.numbers(3);
  const epochs = new Map<string, number>();
  const placeOf = new Map<number, number>();
  for (const number of new Set(sources)) {
    const { epoch } = sourceOf(catalogue, number);
    if (!epochs.has(epoch)) epochs.set(epoch, epochs.size);
    placeOf.set(number, epochs.get(epoch)!);
  }
  const epochAt = sources.map((number) => placeOf.get(number)!);
  return {
    count: rows.count,
    atMs: rows.numbers(0),
    shiftMs: rows.numbers(1),
    monoMs: rows.numbers(2),
    epochAt: Uint32Array.from(epochAt),
    epochs: [...epochs.keys()],
    quality: Uint8Array.from(rows.numbers(4)),
    values: rows.numbers(5),
    special: hasOther ? specialOf(rows, 6) : new Map(),
    ...(hasOther && saidOf(rows)),
  };
}

function saidOf(rows: Table): Pick<StoredReadings, 'origins'> {
  const origins = originsOf(rows, 7);
  for (let at = 0; at < rows.count; at++) if (originAt(origins, at)) return { origins };
  return {};
}

function specialOf(rows: Table, column: number): Map<number, bigint | string> {
  const special = new Map<number, bigint | string>();
  rows.strings(column).forEach((other, at) => {
    const value = decodeOther(other);
    if (value !== undefined) special.set(at, value);
  });
  return special;
}

/** The first `limit` of what was read. */
export function cutReadings(readings: StoredReadings, limit: number): StoredReadings {
  if (readings.count <= limit) return readings;
  const { origins } = readings;
  return {
    count: limit,
    atMs: readings.atMs.slice(0, limit),
    shiftMs: readings.shiftMs.slice(0, limit),
    monoMs: readings.monoMs.slice(0, limit),
    epochAt: readings.epochAt.slice(0, limit),
    epochs: readings.epochs,
    quality: readings.quality.slice(0, limit),
    values: readings.values.slice(0, limit),
    special: new Map([...readings.special].filter(([at]) => at < limit)),
    ...(origins && {
      origins: {
        status: origins.status.slice(0, limit),
        sourceMs: origins.sourceMs.slice(0, limit),
        serverMs: origins.serverMs.slice(0, limit),
      },
    }),
  };
}

// A bad reading has quality 128 to 191; a reading that is not null is a number or an `other`. The
// number behind a whole number beyond 2^53 is its nearest double.
const bucketColumns = `
  count(*), count(*) FILTER (is_bad), min(number) FILTER (has_number),
  max(number) FILTER (has_number), avg(number) FILTER (has_number), max(quality),
  arg_min(value, position) FILTER (NOT is_bad), arg_max(value, position) FILTER (NOT is_bad)`;
const otherColumns = `
  arg_min(other, position) FILTER (NOT is_bad), arg_max(other, position) FILTER (NOT is_bad)`;

/** One more than the limit where there is more. */
export async function buckets(
  database: Database,
  catalogue: Catalogue,
  query: HistoryQuery & { readonly bucketMs: number },
  files: readonly PartFile[],
): Promise<Bucket[]> {
  assert(query.bucketMs >= 1, 'a bucket has a width');
  const width = integer(query.bucketMs);
  const hasOther = catalogue.hasSpecial(query.series);
  const number = hasOther
    ? `CASE WHEN other LIKE 'i%' THEN substr(other, 2)::DOUBLE ELSE value END`
    : 'value';
  const rows = await ask(
    database,
    `WITH readings AS (
        SELECT floor(at_ms / ${width}) * ${width} AS bucket, quality, value, other,
          quality >= 128 AND quality < 192 AS is_bad,
          (at_ms, place, mono_ms) AS position,
          ${number} AS number,
          NOT is_bad AND NOT isnan(number) AS has_number
        FROM (${readingsWhere(inSpan(query), files, hasOther)})
        JOIN source ON source.number = source)
      SELECT bucket, ${bucketColumns}, ${hasOther ? otherColumns : `'', ''`} FROM readings
      GROUP BY bucket ORDER BY bucket LIMIT ${integer(query.limit + 1)}`,
  );
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((column) => rows.numbers(column));
  const others = [9, 10].map((column) => rows.strings(column));
  const isBoolean = catalogue.isBoolean(query.series);
  const nullable = (number: number) => (Number.isNaN(number) ? null : number);
  return Array.from({ length: rows.count }, (_, at) => {
    const [fromMs, count, bad, min, max, mean, worst, first, last] = numbers.map(
      (column) => column[at]!,
    );
    const value = (number: number, other: string): Value =>
      decodeOther(other) ?? typedValue(number, isBoolean);
    return {
      fromMs: fromMs!,
      count: count!,
      bad: bad!,
      min: nullable(min!),
      max: nullable(max!),
      mean: nullable(mean!),
      first: value(first!, others[0]![at]!),
      last: value(last!, others[1]![at]!),
      worst: worst!,
    };
  });
}

export async function covered(
  database: Database,
  catalogue: Catalogue,
  { series, fromMs, toMs }: HistoryQuery,
): Promise<Span[]> {
  const sets = catalogue.setsOf(series);
  if (sets.length === 0) return [];
  const rows = await ask(
    database,
    `SELECT (at_ms - (to_mono_ms - from_mono_ms))::DOUBLE AS begin_ms, at_ms::DOUBLE FROM coverage
      WHERE series_set IN (${sets.join()}) AND at_ms >= ${integer(fromMs)}
        AND begin_ms < ${integer(toMs)}`,
  );
  const [begins, ends] = [rows.numbers(0), rows.numbers(1)];
  const spans = Array.from(begins, (begin, at) => ({ fromMs: begin, toMs: ends[at]! }));
  return joinSpans(spans, coverageSlackMs(catalogue.entry(series)), { fromMs, toMs });
}

export async function gaps(
  database: Database,
  catalogue: Catalogue,
  { series, fromMs, toMs }: GapQuery,
): Promise<StoredGap[]> {
  const rows = await ask(
    database,
    `SELECT source, series_set, from_ms, to_ms, readings, is_estimated, records, cause
      FROM gap JOIN source ON source.number = source
      WHERE to_ms >= ${integer(fromMs)} AND from_ms < ${integer(toMs)}
        AND ${series === undefined ? 'true' : ofSeries(catalogue, series)}
      ORDER BY from_ms, to_ms LIMIT ${GAPS_MAX}`,
  );
  const numbers = [0, 1, 2, 3, 4, 5, 6].map((column) => rows.numbers(column));
  const causes = rows.strings(7) as GapCause[];
  return causes.map((cause, at) => {
    const [source, set, from, to, readings, isEstimated, records] = numbers.map(
      (column) => column[at]!,
    );
    const { gateway, epoch } = sourceOf(catalogue, source!);
    return {
      gateway,
      epoch,
      cause,
      series: catalogue.membersOf(set!),
      fromMs: from!,
      toMs: to!,
      readings: readings!,
      estimated: isEstimated === 1,
      ...(records! >= 0 && { records: records! }),
    };
  });
}

function ofSeries(catalogue: Catalogue, series: number): string {
  const named = `series_set IN (${[0, ...catalogue.setsOf(series)].join()})`;
  const entry = catalogue.entry(series);
  const nobody = catalogue.emptySet();
  if (!entry || nobody === undefined) return named;
  return `(${named} OR (series_set = ${nobody} AND gateway = ${quote(entry.gateway)}))`;
}

/** All but `unreadable`, which is no query but a list of files. */
export async function account(
  database: Database,
  catalogue: Catalogue,
  epochs: readonly EpochName[] | null,
  files: readonly PartFile[],
): Promise<Omit<Account, 'unreadable'>> {
  const sources = epochs?.flatMap(({ gateway, epoch }) => catalogue.sourcesOf(gateway, epoch));
  const where = sources
    ? `source IN (${[0, ...sources.map(({ number }) => number)].join()})`
    : 'true';
  const { narrow, wide } = parquetOf(files);
  const plain = ['hot', 'closing', ...(narrow ? [narrow] : [])];
  const mixed = ['hot_other', 'closing_other', ...(wide ? [wide] : [])];
  const counts = [
    ...plain.map((from) => `(SELECT count(*) FROM ${from} WHERE ${where})`),
    ...mixed.map((from) => `(SELECT count(*) FROM ${from} WHERE ${where} AND NOT is_fill)`),
  ];
  const sums = await ask(
    database,
    `SELECT ${counts.join(' + ')}, sum(unchanged)::BIGINT, sum(failed)::BIGINT, sum(taken)::BIGINT
      FROM coverage WHERE ${where}`,
  );
  const gapSums = await ask(
    database,
    `SELECT sum(readings)::BIGINT, cause FROM gap WHERE ${where} GROUP BY cause`,
  );
  const causes = gapSums.strings(1) as GapCause[];
  const readings = gapSums.numbers(0);
  const sum = (column: number) => sums.number(column) || 0;
  return {
    stored: sum(0),
    unchanged: sum(1),
    failed: sum(2),
    taken: sum(3),
    ...accountOfGaps(causes.map((cause, at) => ({ cause, readings: readings[at]! }))),
  };
}
