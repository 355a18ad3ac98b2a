// The tables of the store's database, how what is small is written and how a start finds it again.
//
// Readings lie in `hot` (numbers) and `hot_other` (texts and whole numbers beyond 2^53, so that
// the common row needs no text). When their hour is over both are renamed to `closing` and
// `closing_other`, written as parts, and emptied in the transaction that lists the parts. Null is
// NaN. In `other`, `i` leads a whole number and `t` a text.
import { assert, Fault } from '../../core/fault.ts';
import type { GapCause } from '../../core/reading.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { CoverageRow, GapRow, ReadingRows } from './batch.ts';
import type { Added, AppliedRange, Relabel } from './catalogue.ts';
import { Catalogue } from './catalogue.ts';
import type { Column, Database } from './database.ts';
import { integer, quote } from './database.ts';
import { Newest } from './newest.ts';
import type { Part } from './parts.ts';

/** Rises when a table or a part changes its meaning; a store of a newer one is refused. */
export const FORMAT_VERSION = 1;

const readingColumns = `series INTEGER, source INTEGER, mono_ms BIGINT, at_ms BIGINT,
  shift_ms BIGINT, quality UTINYINT, value DOUBLE`;

/** Empty tables of readings, in place of what was there. */
export function createReadings(table: 'hot' | 'closing'): string[] {
  return [
    `CREATE OR REPLACE TABLE ${table} (${readingColumns})`,
    `CREATE OR REPLACE TABLE ${table}_other (${readingColumns}, other VARCHAR)`,
  ];
}

const tables = [
  'CREATE TABLE meta (format INTEGER, cursor BIGINT, hot_since_ms BIGINT)',
  `INSERT INTO meta VALUES (${FORMAT_VERSION}, 0, 0)`,
  'CREATE TABLE source (number INTEGER, gateway VARCHAR, epoch VARCHAR, is_unknown BOOLEAN, place BIGINT)',
  'CREATE TABLE series_set (number INTEGER, members VARCHAR)',
  'CREATE TABLE step (gateway VARCHAR, epoch VARCHAR, mono_ms BIGINT, offset_ms BIGINT)',
  'CREATE TABLE series (number INTEGER, place BIGINT, sequence BIGINT, entry VARCHAR)',
  'CREATE TABLE special_series (number INTEGER)',
  'CREATE TABLE applied (source INTEGER, first BIGINT, last BIGINT)',
  `CREATE TABLE coverage (source INTEGER, series_set INTEGER, from_mono_ms BIGINT, to_mono_ms BIGINT,
    at_ms BIGINT, taken BIGINT, unchanged BIGINT, failed BIGINT, is_joined BOOLEAN)`,
  // to_mono_ms is -1 where a gap is not labelled anew, records where the edge told the gap.
  `CREATE TABLE gap (source INTEGER, series_set INTEGER, cause VARCHAR, from_ms BIGINT, to_ms BIGINT,
    to_mono_ms BIGINT, readings BIGINT, is_estimated BOOLEAN, records BIGINT)`,
  // The newest of every series when `hot` began, and what state records brought since.
  `CREATE TABLE newest (${readingColumns}, other VARCHAR)`,
  // What parts have yet to be labelled anew by.
  'CREATE TABLE relabel (source INTEGER, after_mono_ms BIGINT, to_mono_ms BIGINT, offset_ms BIGINT)',
  `CREATE TABLE part (file VARCHAR, day BIGINT, from_ms BIGINT, to_ms BIGINT, row_count BIGINT,
    bytes BIGINT, hash VARCHAR, series_min INTEGER, series_max INTEGER, is_merged BOOLEAN,
    unknown_sources VARCHAR)`,
  ...createReadings('hot'),
  ...createReadings('closing'),
];

/** Makes the tables of a new store; checks the version of one that is there. */
export async function prepare(database: Database): Promise<void> {
  const made = await database.read(
    "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'meta'",
  );
  if (made.number() === 0) {
    await database.transaction(async () => {
      for (const sql of tables) await database.write(sql);
    });
  }
  const format = (await database.read('SELECT format FROM meta')).number();
  if (format > FORMAT_VERSION) {
    throw new Fault(
      'store_format',
      'never',
      `format ${format}, this version reads ${FORMAT_VERSION}`,
    );
  }
}

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
  const best = (table: string, other: string) =>
    `SELECT series, source, max(mono_ms) AS mono_ms, arg_max(at_ms, mono_ms) AS at_ms,
      arg_max(quality, mono_ms) AS quality, arg_max(value, mono_ms) AS value,
      arg_max(${other}, mono_ms) AS other FROM ${table} GROUP BY series, source`;
  const rows = await database.read(
    [best('newest', 'other'), best('hot', "''"), best('hot_other', 'other')].join(' UNION ALL '),
  );
  const [series, source, monoMs, atMs, quality, value] = [0, 1, 2, 3, 4, 5].map((column) =>
    rows.numbers(column),
  );
  const other = rows.strings(6);
  for (let at = 0; at < rows.count; at++) {
    newest.offer({
      series: series![at]!,
      source: sourceOf(catalogue, source![at]!),
      monoMs: monoMs![at]!,
      atMs: atMs![at]!,
      quality: quality![at]!,
      number: value![at]!,
      special: decodeOther(other[at]!),
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
      file, hash, unknown_sources FROM part ORDER BY day, file`,
  );
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7].map((column) => rows.numbers(column));
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
    };
  });
}

export function sourceOf(catalogue: Catalogue, number: number) {
  const source = catalogue.sourceOf(number);
  assert(source, `source ${number} is in the catalogue`);
  return source;
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

/** Appends to `hot` and `hot_other`, or to a table that has both kinds. */
export async function writeReadings(
  database: Database,
  rows: ReadingRows,
  into: 'hot' | 'newest',
): Promise<void> {
  const { count, special } = rows;
  const columns = columnsOf(rows);
  if (into === 'newest') {
    const other = Array.from({ length: count }, (_, at) => {
      const value = special.get(at);
      return value === undefined ? '' : encodeOther(value);
    });
    await database.append('newest', count, [...columns, { type: 'VARCHAR', values: other }]);
    return;
  }
  if (special.size === 0) return database.append('hot', count, columns);
  const plain = Array.from({ length: count }, (_, at) => at).filter((at) => !special.has(at));
  await database.append('hot', plain.length, pick(columns, plain));
  await database.append('hot_other', special.size, [
    ...pick(columns, [...special.keys()]),
    { type: 'VARCHAR', values: [...special.values()].map(encodeOther) },
  ]);
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
  return columns.map((column) =>
    column.type === 'VARCHAR'
      ? { type: column.type, values: places.map((at) => column.values[at]!) }
      : { type: column.type, values: places.map((at) => column.values[at]!) },
  );
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
      ${quote(part.unknownSources.join(' '))})`,
  );
}
