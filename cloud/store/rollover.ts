// How readings leave the hot tables: an hour (or PART_ROWS_MAX rows) after they began to fill,
// they become parts, a part a day of labels; and when a day is over its parts become merged ones
// that share no series, so that the day of one point is in one file. Late rows take the same way:
// a loose part of an old day that is merged once there are enough of them.
//
// The long work (sorting, writing, hashing) goes on beside `apply`, on a connection of its own and
// on rows that nobody appends to; only the renaming of tables and the listing of parts are
// exclusive. A clock step that labels anew what is being written makes the files worthless: they
// are dropped and written again.
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { Catalogue, Relabel } from './catalogue.ts';
import type { Database } from './database.ts';
import { integer, quote } from './database.ts';
import { createReadings, IS_OTHER, NO_WIDE, wideColumns } from './format.ts';
import type { Newest } from './newest.ts';
import type { Part, PartFolder, SeriesRun } from './parts.ts';
import { DAY_MS, filesOf, planMerge, planRuns } from './parts.ts';
import { rowsOfParts } from './queries.ts';
import { joinApplied, sourceOf, touchedBy, writeNewest, writePart } from './schema.ts';
import type { Shelf } from './shelf.ts';
import { coverageSlackMs } from './store.ts';

export const HOUR_MS = 3_600_000;
/** Parquet's own default: a query for a day of one point at 1 s reads one or two groups. */
const ROW_GROUP_ROWS = 122_880;

/** What the housekeeping works on; `exclusive` keeps `apply` out. */
export interface Keeping {
  readonly clock: Clock;
  readonly log: Log;
  readonly database: Database;
  readonly folder: PartFolder;
  readonly shelf: Shelf;
  readonly catalogue: Catalogue;
  readonly newest: Newest;
  readonly partRowsMax: number;
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly hot: HotState;
}

/** What the hot tables hold; changed under `exclusive` only. */
export interface HotState {
  rows: number;
  /** Wall time at which the first of them came. */
  sinceMs: number;
  /** Rises when rows are labelled anew. */
  relabels: number;
}

/** Everything that is due, one after the other. */
export async function keepHouse(keeping: Keeping): Promise<void> {
  const { shelf } = keeping;
  await relabelParts(keeping);
  await closeHot(keeping);
  await mergeDay(keeping);
  await joinCoverage(keeping);
  await shelf.verifyNext();
}

async function closeHot(keeping: Keeping): Promise<void> {
  const { database, shelf, hot } = keeping;
  const closing = await database.read(
    'SELECT (SELECT count(*) FROM closing) + (SELECT count(*) FROM closing_other)',
  );
  // Rows that a crash left in the closing tables go first.
  if (closing.number() === 0 && !(await keeping.exclusive(() => renameHot(keeping)))) return;
  const relabels = hot.relabels;
  const wide = await database.read(
    `SELECT count(*) FROM closing_other WHERE status IS NOT NULL OR source_ms IS NOT NULL
      OR server_ms IS NOT NULL OR is_fill`,
  );
  const from = {
    sql: `(SELECT *, '' AS other, ${NO_WIDE} FROM closing UNION ALL SELECT * FROM closing_other)`,
    isWide: wide.number() > 0,
  };
  const drafts = await writeParts(keeping, from, (day) => ({ day, isMerged: false }));
  await keeping.exclusive(async () => {
    if (hot.relabels !== relabels) return keeping.folder.remove(drafts.map(({ file }) => file));
    await shelf.change(
      () =>
        database.transaction(async () => {
          for (const part of drafts) await writePart(database, part);
          for (const sql of createReadings('closing')) await database.write(sql);
        }),
      [...shelf.parts, ...drafts],
    );
  });
  keeping.log.debug('store_hour_closed', { parts: drafts.length });
}

// Under `exclusive`; false when the hot tables may go on.
async function renameHot(keeping: Keeping): Promise<boolean> {
  const { clock, database, catalogue, newest, partRowsMax, hot } = keeping;
  if (hot.rows === 0) return false;
  const hour = Math.floor(clock.wallMs() / HOUR_MS);
  if (hot.rows < partRowsMax && Math.floor(hot.sinceMs / HOUR_MS) === hour) return false;
  await database.transaction(async () => {
    for (const suffix of ['', '_other']) {
      await database.write(`DROP TABLE closing${suffix}`);
      await database.write(`ALTER TABLE hot${suffix} RENAME TO closing${suffix}`);
    }
    for (const sql of createReadings('hot')) await database.write(sql);
    await joinApplied(database, catalogue);
    // A start finds the newest here and in the hot tables, without reading parts.
    await writeNewest(database, newest);
  });
  hot.rows = 0;
  return true;
}

/** Rows with every column; the wide ones are written where any row may need them. */
interface Rows {
  readonly sql: string;
  readonly isWide: boolean;
}

// Writes all rows of `from` as parts of at most partRowsMax rows and one day each; lists none.
async function writeParts(
  keeping: Keeping,
  from: Rows,
  kindOf: (day: number) => Pick<Part, 'day' | 'isMerged'>,
): Promise<Part[]> {
  const counts = await keeping.database.read(
    `SELECT floor(at_ms / ${DAY_MS}) AS day, series, count(*) FROM ${from.sql}
      GROUP BY ALL ORDER BY day, series`,
  );
  const [days, series, rows] = [counts.numbers(0), counts.numbers(1), counts.numbers(2)];
  const byDay = Map.groupBy(days.keys(), (at) => days[at]!);
  const parts: Part[] = [];
  for (const [day, places] of byDay) {
    const ofDay = places.map((at) => ({ series: series[at]!, rows: rows[at]! }));
    for (const run of planRuns(ofDay, keeping.partRowsMax)) {
      parts.push(await writeOnePart(keeping, from, run, kindOf(day)));
    }
  }
  return parts;
}

async function writeOnePart(
  { database, folder, catalogue }: Keeping,
  { sql, isWide }: Rows,
  { first, last }: SeriesRun,
  { day, isMerged }: Pick<Part, 'day' | 'isMerged'>,
): Promise<Part> {
  const file = folder.nextName();
  const draft = quote(folder.draftPath(file));
  await database.read(
    `COPY (SELECT series, source, mono_ms, at_ms, shift_ms, quality, value, other
          ${isWide ? `, ${wideColumns}` : ''} FROM ${sql}
        WHERE series BETWEEN ${integer(first)} AND ${integer(last)}
          AND at_ms >= ${integer(day * DAY_MS)} AND at_ms < ${integer((day + 1) * DAY_MS)}
        ORDER BY series, at_ms, mono_ms)
      TO ${draft} (FORMAT parquet, PARQUET_VERSION v2, COMPRESSION zstd,
        ROW_GROUP_SIZE ${ROW_GROUP_ROWS})`,
  );
  const facts = await database.read(
    `SELECT count(*), min(at_ms), max(at_ms) FROM read_parquet(${draft})`,
  );
  const sources = await database.read(`SELECT DISTINCT source FROM read_parquet(${draft})`);
  const unknownSources = [...sources.numbers(0)].filter(
    (number) => sourceOf(catalogue, number).isUnknown,
  );
  return {
    file,
    day,
    rows: facts.number(0),
    fromMs: facts.number(1),
    toMs: facts.number(2),
    seriesMin: first,
    seriesMax: last,
    isMerged,
    unknownSources,
    isWide,
    ...(await folder.finish(file)),
  };
}

async function mergeDay(keeping: Keeping): Promise<void> {
  const { clock, folder, shelf } = keeping;
  const today = Math.floor(clock.wallMs() / DAY_MS);
  const due = planMerge(shelf.readable, today);
  if (due.length === 0) return;
  // A merge would hide damage under a new hash.
  for (const part of due) if (!(await shelf.verify(part))) return;
  const rows = rowsOfParts(filesOf(folder, due));
  const parts = await writeParts(keeping, rows, (day) => ({ day, isMerged: true }));
  await replaceParts(keeping, due, parts, async () => undefined);
  keeping.log.debug('store_day_merged', { from: due.length, to: parts.length });
}

async function replaceParts(
  { database, folder, shelf, exclusive }: Keeping,
  old: readonly Part[],
  parts: readonly Part[],
  alsoWrite: () => Promise<void>,
): Promise<void> {
  await exclusive(() =>
    shelf.change(
      () =>
        database.transaction(async () => {
          for (const { file } of old) {
            await database.write(`DELETE FROM part WHERE file = ${quote(file)}`);
          }
          for (const part of parts) await writePart(database, part);
          await alsoWrite();
        }),
      [...shelf.parts.filter((part) => !old.includes(part)), ...parts],
    ),
  );
  folder.remove(old.map(({ file }) => file));
}

// Rows of parts that were labelled by a clock that did not know the time go back to the hot tables
// under their new label, and find their day from there; the rest of the part is written again
// without them.
async function relabelParts(keeping: Keeping): Promise<void> {
  const { database, folder, shelf, catalogue, hot } = keeping;
  const noted = await database.read('SELECT source FROM relabel');
  const sources = new Set(noted.numbers(0));
  const isTouched = (part: Part) => part.unknownSources.some((source) => sources.has(source));
  for (const part of shelf.readable.filter(isTouched)) {
    const touched = part.unknownSources.filter((source) => sources.has(source));
    const relabels = touched.flatMap((source) => catalogue.relabels(sourceOf(catalogue, source)));
    const { sql: file, isWide } = rowsOfParts(filesOf(folder, [part]));
    const stale = relabels.map(isStale).join(' OR ');
    const moved = await shelf.read(
      () => (shelf.isReadable(part) ? [part] : []),
      async (parts) =>
        parts.length === 0
          ? 0
          : (await database.read(`SELECT count(*) FROM ${file} WHERE ${stale}`)).number(),
    );
    if (moved === 0 || !(await shelf.verify(part))) continue;
    const rest = { sql: `(SELECT * FROM ${file} WHERE NOT (${stale}))`, isWide };
    const { isMerged, rows } = part;
    const kept =
      moved === rows ? [] : await writeParts(keeping, rest, (day) => ({ day, isMerged }));
    await replaceParts(keeping, [part], kept, async () => {
      for (const relabel of relabels) await moveBack(database, file, relabel);
    });
    hot.rows += moved;
    keeping.log.info('store_part_relabelled', { part: part.file, rows: moved });
  }
  // A part that cannot be read now may come back; what was noted meanwhile is for the next time.
  if (noted.count === 0 || shelf.parts.some((part) => !shelf.isReadable(part) && isTouched(part))) {
    return;
  }
  await keeping.exclusive(async () => {
    const count = (await database.read('SELECT count(*) FROM relabel')).number();
    if (count === noted.count) await database.write('DELETE FROM relabel');
  });
}

function isStale(relabel: Relabel): string {
  return `(${touchedBy(relabel)} AND at_ms <> mono_ms + ${integer(relabel.offsetMs)})`;
}

async function moveBack(database: Database, file: string, relabel: Relabel): Promise<void> {
  const columns = `series, source, mono_ms, mono_ms + ${integer(relabel.offsetMs)},
    shift_ms + (mono_ms + ${integer(relabel.offsetMs)} - at_ms), quality, value`;
  const where = isStale(relabel);
  await database.write(
    `INSERT INTO hot SELECT ${columns} FROM ${file} WHERE ${where} AND NOT ${IS_OTHER}`,
  );
  await database.write(
    `INSERT INTO hot_other SELECT ${columns}, other, ${wideColumns} FROM ${file}
      WHERE ${where} AND ${IS_OTHER}`,
  );
}

// Coverage comes every ten seconds; of an hour that is over, what follows without a pause becomes
// one row. Sums stay what they are. A clock step begins a new row, so that labels stay right to a
// second.
async function joinCoverage({ clock, database, catalogue, exclusive }: Keeping): Promise<void> {
  const hourMs = Math.floor(clock.wallMs() / HOUR_MS) * HOUR_MS;
  const where = `NOT is_joined AND at_ms < ${integer(hourMs)}`;
  const sets = await database.read(`SELECT DISTINCT series_set FROM coverage WHERE ${where}`);
  if (sets.count === 0) return;
  const slacks = Array.from(sets.numbers(0), (set) => {
    const first = catalogue.membersOf(set)[0];
    return `(${set}, ${first === undefined ? 0 : coverageSlackMs(catalogue.entry(first))})`;
  });
  await exclusive(() =>
    database.transaction(async () => {
      await database.write(
        `CREATE OR REPLACE TEMP TABLE joined AS
          WITH marked AS (
            SELECT c.*, (from_mono_ms <= lag(to_mono_ms) OVER runs + slack_ms
              AND abs(at_ms - to_mono_ms - lag(at_ms - to_mono_ms) OVER runs) <= 1000
              AND at_ms // ${HOUR_MS} = lag(at_ms) OVER runs // ${HOUR_MS}) IS NOT TRUE AS begins
            FROM coverage c JOIN (VALUES ${slacks.join()}) s(id, slack_ms) ON id = series_set
            WHERE ${where}
            WINDOW runs AS (PARTITION BY source, series_set ORDER BY from_mono_ms, to_mono_ms)),
          numbered AS (
            SELECT *, sum(begins::INTEGER) OVER (PARTITION BY source, series_set
              ORDER BY from_mono_ms, to_mono_ms ROWS UNBOUNDED PRECEDING) AS run FROM marked)
          SELECT source, series_set, min(from_mono_ms), max(to_mono_ms),
            arg_max(at_ms, to_mono_ms), sum(taken), sum(unchanged), sum(failed), true
          FROM numbered GROUP BY source, series_set, run`,
      );
      await database.write(`DELETE FROM coverage WHERE ${where}`);
      await database.write('INSERT INTO coverage SELECT * FROM joined');
      await database.write('DROP TABLE joined');
    }),
  );
}
