// The rows of the store's database (tables: format.ts): how what is small is written and how a start
// finds it again. Null is NaN. In `other`, `i` leads a whole number and `t` a text.
import { assert } from '../../core/fault.ts';
import type { GapCause, Origin } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { OriginColumns } from '../../protocols/uplink/record.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { CoverageRow, GapRow, ReadingRows } from './batch.ts';
import type { Added, AppliedRange, Relabel } from './catalogue.ts';
import { Catalogue } from './catalogue.ts';
import type { Column, Database, Table } from './database.ts';
import { integer, quote } from './database.ts';
import { Newest } from './newest.ts';
import type { Part } from './parts.ts';

export interface Loaded {
  readonly catalogue: Catalogue;
  readonly newest: Newest;
  readonly parts: readonly Part[];
  readonly cursor: number;
  readonly hotSinceMs: number;
  readonly hotRows: number;
}

/** What is kept in memory, from disk: the work of one pass over the hot rows. */
export async function load(database: Database): Promise<Loaded> {
  const catalogue = await loadCatalogue(database);
  const newest = await loadNewest(database, catalogue);
  const meta = await database.read(
    `SELECT cursor, hot_since_ms,
      (SELECT count(*) FROM hot) + (SELECT count(*) FROM hot_other) FROM meta`,
  );
  return {
    catalogue,
    newest,
    parts: await loadParts(database),
    cursor: meta.number(0),
    hotSinceMs: meta.number(1),
    hotRows: meta.number(2),
  };
}

async function loadCatalogue(database: Database): Promise<Catalogue> {
  const sources = await database.read(
    'SELECT number, place, is_unknown, gateway, epoch FROM source ORDER BY number',
  );
  const sets = await database.read('SELECT number, members FROM series_set ORDER BY number');
  const steps = await database.read('SELECT mono_ms, offset_ms, gateway, epoch FROM step');
  const series = await database.read('SELECT place, sequence, entry FROM series');
  const special = await database.read('SELECT number FROM special_series');
  const applied = await database.read('SELECT source, first, last FROM applied');
  const [ofSource, first, last] = [0, 1, 2].map((column) => applied.numbers(column));
  const zip = (numbers: readonly Float64Array[], texts: readonly string[][], count: number) =>
    Array.from({ length: count }, (_, at) => ({
      n: numbers.map((column) => column[at]!),
      t: texts.map((column) => column[at]!),
    }));
  const catalogue = new Catalogue();
  catalogue.restore({
    special: [...special.numbers(0)],
    applied: Array.from(ofSource!, (source, at) => ({
      source,
      first: first![at]!,
      last: last![at]!,
    })),
    sources: zip(
      [sources.numbers(0), sources.numbers(1), sources.numbers(2)],
      [sources.strings(3), sources.strings(4)],
      sources.count,
    ).map(({ n, t }) => ({
      number: n[0]!,
      order: n[1]!,
      isUnknown: n[2] === 1,
      gateway: t[0]!,
      epoch: t[1]!,
    })),
    sets: zip([sets.numbers(0)], [sets.strings(1)], sets.count).map(({ n, t }) => ({
      number: n[0]!,
      members: t[0] === '' ? [] : t[0]!.split(' ').map(Number),
    })),
    steps: zip(
      [steps.numbers(0), steps.numbers(1)],
      [steps.strings(2), steps.strings(3)],
      steps.count,
    ).map(({ n, t }) => ({ monoMs: n[0]!, offsetMs: n[1]!, gateway: t[0]!, epoch: t[1]! })),
    series: zip([series.numbers(0), series.numbers(1)], [series.strings(2)], series.count).map(
      ({ n, t }) => ({
        order: n[0]!,
        sequence: n[1]!,
        entry: JSON.parse(t[0]!) as SeriesEntry,
      }),
    ),
  });
  return catalogue;
}

async function loadNewest(database: Database, catalogue: Catalogue): Promise<Newest> {
  const newest = new Newest();
  // `arg_max` passes over null, so that a value of an older row would stand for it.
  const wide = ['other', 'status', 'source_ms', 'server_ms'].map(
    (column) => `arg_max_null(${column}, mono_ms) AS ${column}`,
  );
  const best = (table: string, more: string) =>
    `SELECT series, source, max(mono_ms) AS mono_ms, arg_max(at_ms, mono_ms) AS at_ms,
      arg_max(quality, mono_ms) AS quality, arg_max(value, mono_ms) AS value,
      ${more} FROM ${table} GROUP BY series, source`;
  const rows = await database.read(
    [
      best('newest', wide.join()),
      best('hot', "'' AS other, NULL AS status, NULL AS source_ms, NULL AS server_ms"),
      best('(SELECT * FROM hot_other WHERE NOT is_fill)', wide.join()),
    ].join(' UNION ALL '),
  );
  const [series, source, monoMs, atMs, quality, value] = [0, 1, 2, 3, 4, 5].map((column) =>
    rows.numbers(column),
  );
  const other = rows.strings(6);
  const origins = originsOf(rows, 7);
  for (let at = 0; at < rows.count; at++) {
    newest.offer({
      series: series![at]!,
      source: sourceOf(catalogue, source![at]!),
      monoMs: monoMs![at]!,
      atMs: atMs![at]!,
      quality: quality![at]!,
      number: value![at]!,
      special: decodeOther(other[at]!),
      origin: originAt(origins, at),
    });
  }
  const covered = await database.read(
    `SELECT series_set, source, max(to_mono_ms), arg_max(at_ms, to_mono_ms)
      FROM coverage GROUP BY series_set, source`,
  );
  const columns = [0, 1, 2, 3].map((column) => covered.numbers(column));
  for (let at = 0; at < covered.count; at++) {
    const [set, from, toMonoMs, coveredMs] = columns.map((column) => column[at]!);
    newest.cover(
      { source: sourceOf(catalogue, from!), toMonoMs: toMonoMs!, atMs: coveredMs! },
      set!,
    );
  }
  return newest;
}

async function loadParts(database: Database): Promise<Part[]> {
  const rows = await database.read(
    `SELECT day, from_ms, to_ms, row_count, bytes, series_min, series_max, is_merged,
      file, hash, unknown_sources, is_wide FROM part ORDER BY day, file`,
  );
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7].map((column) => rows.numbers(column));
  const isWide = rows.numbers(11);
  const texts = [8, 9, 10].map((column) => rows.strings(column));
  return Array.from({ length: rows.count }, (_, at) => {
    const [day, fromMs, toMs, count, bytes, seriesMin, seriesMax, isMerged] = numbers.map(
      (column) => column[at]!,
    );
    const unknown = texts[2]![at]!;
    return {
      file: texts[0]![at]!,
      hash: texts[1]![at]!,
      day: day!,
      fromMs: fromMs!,
      toMs: toMs!,
      rows: count!,
      bytes: bytes!,
      seriesMin: seriesMin!,
      seriesMax: seriesMax!,
      isMerged: isMerged === 1,
      unknownSources: unknown === '' ? [] : unknown.split(' ').map(Number),
      isWide: isWide[at] === 1,
    };
  });
}

export function sourceOf(catalogue: Catalogue, number: number) {
  const source = catalogue.sourceOf(number);
  assert(source, `source ${number} is in the catalogue`);
  return source;
}

/** Of status, source and server time in three columns that follow one another. */
export function originsOf(rows: Table, first: number): OriginColumns {
  return {
    status: Uint32Array.from(rows.numbers(first)), // Null becomes 0.
    sourceMs: rows.numbers(first + 1),
    serverMs: rows.numbers(first + 2),
  };
}

export function decodeOther(other: string): bigint | string | undefined {
  if (other === '') return undefined;
  return other.startsWith('i') ? BigInt(other.slice(1)) : other.slice(1);
}

function encodeOther(special: bigint | string): string {
  return typeof special === 'bigint' ? `i${special}` : `t${special}`;
}

/** In the transaction of the rows that refer to them. */
export async function writeAdded(database: Database, added: Added): Promise<void> {
  const { sets, steps, series, special, applied } = added;
  const sources = [...new Set(added.sources)];
  if (sources.length > 0) {
    const moved = sources.map(({ number }) => integer(number)).join(', ');
    await database.write(`DELETE FROM source WHERE number IN (${moved})`);
  }
  await database.append('source', sources.length, [
    { type: 'INTEGER', values: sources.map(({ number }) => number) },
    { type: 'VARCHAR', values: sources.map(({ gateway }) => gateway) },
    { type: 'VARCHAR', values: sources.map(({ epoch }) => epoch) },
    { type: 'BOOLEAN', values: sources.map(({ isUnknown }) => Number(isUnknown)) },
    { type: 'BIGINT', values: sources.map(({ order }) => order) },
  ]);
  await database.append('series_set', sets.length, [
    { type: 'INTEGER', values: sets.map(({ number }) => number) },
    { type: 'VARCHAR', values: sets.map(({ members }) => members.join(' ')) },
  ]);
  await database.append('step', steps.length, [
    { type: 'VARCHAR', values: steps.map(({ gateway }) => gateway) },
    { type: 'VARCHAR', values: steps.map(({ epoch }) => epoch) },
    { type: 'BIGINT', values: steps.map(({ monoMs }) => monoMs) },
    { type: 'BIGINT', values: steps.map(({ offsetMs }) => offsetMs) },
  ]);
  await writeApplied(database, applied);
  await database.append('special_series', special.length, [{ type: 'INTEGER', values: special }]);
  if (series.length === 0) return;
  // A definition may have been replaced within the batch: the last one counts.
  const last = [...new Map(series.map((one) => [one.entry.series, one])).values()];
  const numbers = last.map(({ entry }) => integer(entry.series)).join(', ');
  await database.write(`DELETE FROM series WHERE number IN (${numbers})`);
  await database.append('series', last.length, [
    { type: 'INTEGER', values: last.map(({ entry }) => entry.series) },
    { type: 'BIGINT', values: last.map(({ order }) => order) },
    { type: 'BIGINT', values: last.map(({ sequence }) => sequence) },
    { type: 'VARCHAR', values: last.map(({ entry }) => JSON.stringify(entry)) },
  ]);
}

async function writeApplied(database: Database, ranges: readonly AppliedRange[]): Promise<void> {
  await database.append('applied', ranges.length, [
    { type: 'INTEGER', values: ranges.map(({ source }) => source.number) },
    { type: 'BIGINT', values: ranges.map(({ first }) => first) },
    { type: 'BIGINT', values: ranges.map(({ last }) => last) },
  ]);
}

/** Ranges are appended by every batch; this writes them as few as they are. */
export async function joinApplied(database: Database, catalogue: Catalogue): Promise<void> {
  await database.write('DELETE FROM applied');
  await writeApplied(database, catalogue.applied());
}

/** Appends to `hot` and `hot_other`, fills to `hot_other` alone, or to the newest. */
export async function writeReadings(
  database: Database,
  rows: ReadingRows,
  into: 'hot' | 'fills' | 'newest',
): Promise<void> {
  const { count, special, origins } = rows;
  if (count === 0) return;
  const columns = columnsOf(rows);
  if (into === 'hot' && special.size === 0 && origins === null) {
    return database.append('hot', count, columns);
  }
  if (into === 'newest') return database.append('newest', count, [...columns, ...moreOf(rows)]);
  const isFill: Column = {
    type: 'BOOLEAN',
    values: new Uint8Array(count).fill(into === 'fills' ? 1 : 0),
  };
  const wide = [...columns, ...moreOf(rows), isFill];
  if (into === 'fills') return database.append('hot_other', count, wide);
  const isOther = (at: number) => special.has(at) || originAt(origins, at) !== null;
  const { plain = [], other = [] } = Object.groupBy(Array(count).keys(), (at) =>
    isOther(at) ? 'other' : 'plain',
  );
  await database.append('hot', plain.length, pick(columns, plain));
  await database.append('hot_other', other.length, pick(wide, other));
}

// What a row says beside a number: `other`, and what its device said.
function moreOf({ count, special, origins }: ReadingRows): Column[] {
  const said = Array.from({ length: count }, (_, at) => originAt(origins, at));
  const other = said.map((_, at) => {
    const value = special.get(at);
    return value === undefined ? '' : encodeOther(value);
  });
  return [{ type: 'VARCHAR', values: other }, ...originColumns(said)];
}

function originColumns(said: readonly (Origin | null)[]): Column[] {
  const column = (of: (origin: Origin) => number | null) =>
    Float64Array.from(said, (origin) => (origin && of(origin)) ?? Number.NaN);
  const isNullable = true;
  return [
    { type: 'UINTEGER', isNullable, values: column(({ status }) => status) },
    { type: 'BIGINT', isNullable, values: column(({ sourceMs }) => sourceMs) },
    { type: 'BIGINT', isNullable, values: column(({ serverMs }) => serverMs) },
  ];
}

function columnsOf(rows: ReadingRows): Column[] {
  const source = new Int32Array(rows.count);
  for (let at = 0; at < rows.count; at++) source[at] = rows.sources[at]!.number;
  return [
    { type: 'INTEGER', values: rows.series },
    { type: 'INTEGER', values: source },
    { type: 'BIGINT', values: rows.monoMs },
    { type: 'BIGINT', values: rows.atMs },
    { type: 'BIGINT', values: rows.shiftMs },
    { type: 'UTINYINT', values: rows.quality },
    { type: 'DOUBLE', values: rows.values },
  ];
}

function pick(columns: readonly Column[], places: readonly number[]): Column[] {
  return columns.map((column) => {
    if (column.type === 'VARCHAR') {
      return { type: column.type, values: places.map((at) => column.values[at]!) };
    }
    const values = Float64Array.from(places, (at) => column.values[at]!);
    return { ...column, values };
  });
}

/** All that is newest now, in place of what was written before. */
export async function writeNewest(database: Database, newest: Newest): Promise<void> {
  await database.write('DELETE FROM newest');
  const rows = [...newest.rows()];
  const special = rows.map((row) => (row.special === undefined ? '' : encodeOther(row.special)));
  await database.append('newest', rows.length, [
    { type: 'INTEGER', values: rows.map(({ series }) => series) },
    { type: 'INTEGER', values: rows.map(({ source }) => source.number) },
    { type: 'BIGINT', values: rows.map(({ monoMs }) => monoMs) },
    { type: 'BIGINT', values: rows.map(({ atMs }) => atMs) },
    { type: 'BIGINT', values: rows.map(() => 0) },
    { type: 'UTINYINT', values: rows.map(({ quality }) => quality) },
    { type: 'DOUBLE', values: rows.map(({ number }) => number) },
    { type: 'VARCHAR', values: special },
    ...originColumns(rows.map(({ origin }) => origin)),
  ]);
}

export async function writeCoverage(
  database: Database,
  rows: readonly CoverageRow[],
): Promise<void> {
  await database.append('coverage', rows.length, [
    { type: 'INTEGER', values: rows.map(({ source }) => source.number) },
    { type: 'INTEGER', values: rows.map(({ set }) => set.number) },
    { type: 'BIGINT', values: rows.map(({ fromMonoMs }) => fromMonoMs) },
    { type: 'BIGINT', values: rows.map(({ toMonoMs }) => toMonoMs) },
    { type: 'BIGINT', values: rows.map(({ atMs }) => atMs) },
    { type: 'BIGINT', values: rows.map(({ taken }) => taken) },
    { type: 'BIGINT', values: rows.map(({ unchanged }) => unchanged) },
    { type: 'BIGINT', values: rows.map(({ failed }) => failed) },
    { type: 'BOOLEAN', values: rows.map(() => 0) },
  ]);
}

export async function writeGaps(database: Database, rows: readonly GapRow[]): Promise<void> {
  const causes: GapCause[] = rows.map(({ cause }) => cause);
  await database.append('gap', rows.length, [
    { type: 'INTEGER', values: rows.map(({ source }) => source.number) },
    { type: 'INTEGER', values: rows.map(({ set }) => set.number) },
    { type: 'VARCHAR', values: causes },
    { type: 'BIGINT', values: rows.map(({ fromMs }) => fromMs) },
    { type: 'BIGINT', values: rows.map(({ toMs }) => toMs) },
    { type: 'BIGINT', values: rows.map((row) => (Number.isNaN(row.toMonoMs) ? -1 : row.toMonoMs)) },
    { type: 'BIGINT', values: rows.map(({ readings }) => readings) },
    { type: 'BOOLEAN', values: rows.map(({ isEstimated }) => Number(isEstimated)) },
    { type: 'BIGINT', values: rows.map(({ records }) => records ?? -1) },
  ]);
}

/** Rows of a table of readings that a relabel touches, as a condition. */
export function touchedBy({ source, afterMonoMs, toMonoMs }: Relabel, mono = 'mono_ms'): string {
  return `source = ${source.number} AND ${mono} > ${integer(afterMonoMs)}
    AND ${mono} <= ${integer(toMonoMs)}`;
}

/** Labels anew whatever is in the database, and notes what parts have yet to be. */
export async function writeRelabel(database: Database, relabel: Relabel): Promise<void> {
  const { source, afterMonoMs, toMonoMs, offsetMs } = relabel;
  const offset = integer(offsetMs);
  for (const table of ['hot', 'hot_other', 'closing', 'closing_other', 'newest']) {
    await database.write(
      `UPDATE ${table} SET shift_ms = shift_ms + (mono_ms + ${offset} - at_ms),
        at_ms = mono_ms + ${offset} WHERE ${touchedBy(relabel)}`,
    );
  }
  await database.write(
    `UPDATE coverage SET at_ms = to_mono_ms + ${offset}
      WHERE ${touchedBy(relabel, 'to_mono_ms')}`,
  );
  await database.write(
    `UPDATE gap SET from_ms = from_ms + (to_mono_ms + ${offset} - to_ms),
      to_ms = to_mono_ms + ${offset}
      WHERE to_mono_ms >= 0 AND ${touchedBy(relabel, 'to_mono_ms')}`,
  );
  await database.write(
    `INSERT INTO relabel VALUES (${source.number}, ${integer(afterMonoMs)}, ${integer(toMonoMs)},
      ${offset})`,
  );
}

export async function writePart(database: Database, part: Part): Promise<void> {
  await database.write(
    `INSERT INTO part VALUES (${quote(part.file)}, ${integer(part.day)}, ${integer(part.fromMs)},
      ${integer(part.toMs)}, ${integer(part.rows)}, ${integer(part.bytes)}, ${quote(part.hash)},
      ${integer(part.seriesMin)}, ${integer(part.seriesMax)}, ${part.isMerged},
      ${quote(part.unknownSources.join(' '))}, ${part.isWide})`,
  );
}
