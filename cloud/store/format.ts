// The tables of the store's database, and how those of an older format become today's.
//
// Readings lie in `hot` (numbers) and `hot_other` (texts and whole numbers beyond 2^53, so that
// the common row needs no text). When their hour is over both are renamed to `closing` and
// `closing_other`, written as parts, and emptied in the transaction that lists the parts.
//
// `hot_other` has besides what devices said of their values (null where they said nothing), and
// whether a row is a fill; so a row that needs any of it lies there, and the common row pays for
// none. Parts have these columns only where a row of them does: such a part is wide.
//
// Format 2 added them; a folder of format 1 is changed in place, its parts stay as they are.
import { Fault } from '../../core/fault.ts';
import type { Database } from './database.ts';

/** Rises when a table or a part changes its meaning; a store of a newer one is refused. */
export const FORMAT_VERSION = 2;

const readingColumns = `series INTEGER, source INTEGER, mono_ms BIGINT, at_ms BIGINT,
  shift_ms BIGINT, quality UTINYINT, value DOUBLE`;

/** What only rows of `hot_other` and wide parts have. */
export const wideColumns = 'status, source_ms, server_ms, is_fill';
/** The same of a row that has none of it. */
export const NO_WIDE = `NULL::UINTEGER AS status, NULL::BIGINT AS source_ms,
  NULL::BIGINT AS server_ms, false AS is_fill`;
/** Whether a row has to be in `hot_other`. */
export const IS_OTHER = `(other <> '' OR status IS NOT NULL OR source_ms IS NOT NULL
  OR server_ms IS NOT NULL OR is_fill)`;
const originTypes = 'status UINTEGER, source_ms BIGINT, server_ms BIGINT';

/** Empty tables of readings, in place of what was there. */
export function createReadings(table: 'hot' | 'closing'): string[] {
  return [
    `CREATE OR REPLACE TABLE ${table} (${readingColumns})`,
    `CREATE OR REPLACE TABLE ${table}_other
      (${readingColumns}, other VARCHAR, ${originTypes}, is_fill BOOLEAN)`,
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
  `CREATE TABLE newest (${readingColumns}, other VARCHAR, ${originTypes})`,
  // What parts have yet to be labelled anew by.
  'CREATE TABLE relabel (source INTEGER, after_mono_ms BIGINT, to_mono_ms BIGINT, offset_ms BIGINT)',
  `CREATE TABLE part (file VARCHAR, day BIGINT, from_ms BIGINT, to_ms BIGINT, row_count BIGINT,
    bytes BIGINT, hash VARCHAR, series_min INTEGER, series_max INTEGER, is_merged BOOLEAN,
    unknown_sources VARCHAR, is_wide BOOLEAN)`,
  ...createReadings('hot'),
  ...createReadings('closing'),
];

/** From the format before, by format. */
const changes: Readonly<Record<number, readonly string[]>> = {
  2: [
    ...['hot_other', 'closing_other', 'newest'].flatMap((table) =>
      originTypes.split(', ').map((column) => `ALTER TABLE ${table} ADD COLUMN ${column}`),
    ),
    'ALTER TABLE hot_other ADD COLUMN is_fill BOOLEAN DEFAULT false',
    'ALTER TABLE closing_other ADD COLUMN is_fill BOOLEAN DEFAULT false',
    'ALTER TABLE part ADD COLUMN is_wide BOOLEAN DEFAULT false',
  ],
};

/** Makes the tables of a new store; brings those of an older format to this one. */
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
  for (let next = format + 1; next <= FORMAT_VERSION; next++) {
    await database.transaction(async () => {
      for (const sql of changes[next] ?? []) await database.write(sql);
      await database.write(`UPDATE meta SET format = ${next}`);
    });
  }
}
