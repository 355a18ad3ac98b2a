// The journal: who did what, when, from where, what was before and what after; and what the machine
// decided. Append-only and chained by hashes (chain.ts); written in the transaction of what it
// tells, so that neither is there without the other, and what cannot be journalled does not happen.
//
// Promises. Entries are numbered from 1 without a gap. Two writers of one file cannot fork the
// chain: the newest entry is read and the next is written under the lock of one transaction that
// was begun as a writing one. Triggers refuse to change or delete an entry; who drops them is found
// by `verify`.
//
// A table of before the chain is chained once, when it is opened first: entry by entry, and a
// `journal-begun` says how many there were. What was done to them before that nobody can tell.
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { Statements, transact } from '../statements.ts';
import type { Flaw, Head, JournalRow, Verdict } from './chain.ts';
import { FIRST_HASH, hashOf, Verifier } from './chain.ts';
import type { Actor } from './occurrences.ts';

export interface JournalEntry {
  readonly seq: number;
  readonly atMs: number;
  readonly kind: string;
  readonly who: string;
  /** Address of the caller, `gateway NAME`, `console`, or the cloud itself: `cloud`. */
  readonly from: string;
  /** Occurrence, `series key/rule`, gateway, principal. */
  readonly what: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly hash: string;
}

export type NewEntry = Omit<JournalEntry, 'seq' | 'hash'>;

export interface JournalFilter {
  readonly what?: string;
  readonly who?: string;
  readonly kind?: string;
  /** Time of the entry; `toMs` is not included. */
  readonly fromMs?: number;
  readonly toMs?: number;
}

export interface JournalPage {
  readonly order: 'oldest' | 'newest';
  /** Only entries after this one in the order; null begins at its beginning. */
  readonly after: number | null;
  readonly limit: number;
}

export interface JournalFound {
  readonly entries: readonly JournalEntry[];
  /** Where the next page goes on; null at the end. */
  readonly next: number | null;
}

export const JOURNAL_PAGE_MAX = 1_000;
/**
 * A call looks at so many entries at most, some 10 ms, and says where to go on: a search through a
 * journal of millions does not hold up whoever else the thread serves.
 */
export const JOURNAL_SCAN_MAX = 20_000;
/** Rows hashed between two turns of the thread: some 10 ms. */
export const VERIFY_SLICE = 1_000;

/** Who writes where nobody did, and from where. */
export const FROM_CLOUD = 'cloud';

const KEPT = `CREATE TRIGGER IF NOT EXISTS alarm_journal_kept BEFORE DELETE ON alarm_journal
  BEGIN SELECT raise(ABORT, 'the journal is append-only'); END`;
const FIXED = `CREATE TRIGGER IF NOT EXISTS alarm_journal_fixed BEFORE UPDATE ON alarm_journal
  BEGIN SELECT raise(ABORT, 'the journal is append-only'); END`;
const TABLE = `CREATE TABLE IF NOT EXISTS alarm_journal (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL,
    what TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL,
    "from" TEXT NOT NULL DEFAULT '', hash TEXT NOT NULL DEFAULT ''
  ) STRICT`;
const COLUMNS = `CAST(seq AS TEXT) AS seq, CAST(at_ms AS TEXT) AS at_ms, kind, who, "from", what,
  before, after, hash`;
/** Below every number an entry may have, also a forged one. */
const BEFORE_ALL = -(2n ** 63n);

export class Journal {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;

  /** Over a table that is there: `openJournal` makes it. */
  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#statements = new Statements(database);
  }

  /** Writes what somebody did to something, as `write`. */
  note(
    kind: string,
    { name: who, from }: Actor,
    what: string,
    before: unknown,
    after: unknown,
    atMs: number,
  ): void {
    this.write({ atMs, kind, who, from, what, before, after });
  }

  /** Part of the caller's transaction, which is a writing one; without one, in its own. */
  write(entry: NewEntry): Head {
    if (!this.#database.isTransaction) return transact(this.#database, () => this.write(entry));
    const { seq, hash } = this.head() ?? { seq: 0, hash: FIRST_HASH };
    const row = {
      seq: seq + 1,
      atMs: Math.round(entry.atMs),
      kind: entry.kind,
      who: entry.who,
      from: entry.from,
      what: entry.what,
      before: JSON.stringify(entry.before ?? null),
      after: JSON.stringify(entry.after ?? null),
    };
    const head = { seq: row.seq, hash: hashOf(hash, row) };
    this.#statements.run(
      `INSERT INTO alarm_journal (seq, at_ms, kind, who, "from", what, before, after, hash)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[row.seq, row.atMs, row.kind, row.who, row.from, row.what, row.before, row.after],
      head.hash,
    );
    return head;
  }

  /** The newest entry; null when there is none. */
  head(): Head | null {
    const sql = `SELECT CAST(seq AS TEXT) AS seq, hash FROM alarm_journal
      ORDER BY alarm_journal.seq DESC LIMIT 1`;
    const row = this.#statements.one(sql);
    return row ? { seq: Number(row['seq']), hash: String(row['hash']) } : null;
  }

  get(seq: number): JournalEntry | null {
    const row = this.#statements.one(`SELECT ${COLUMNS} FROM alarm_journal WHERE seq = ?`, seq);
    return row ? entryOf(rowOf(row)) : null;
  }

  list(filter: JournalFilter, { order, after, limit }: JournalPage): JournalFound {
    const { what, who, kind, fromMs, toMs } = filter;
    const isUp = order === 'oldest';
    const newest = this.head()?.seq ?? 0;
    const begin = after ?? (isUp ? 0 : newest + 1);
    // What is asked by name has an index; everything else is looked through, so much a call.
    const end = isUp ? begin + JOURNAL_SCAN_MAX : begin - JOURNAL_SCAN_MAX;
    const where = [isUp ? 'seq > ?' : 'seq < ?'];
    const values: SQLInputValue[] = [begin];
    const add = (clause: string, value: SQLInputValue | undefined) => {
      if (value === undefined) return;
      where.push(clause);
      values.push(value);
    };
    if (what === undefined) add(isUp ? 'seq <= ?' : 'seq >= ?', end);
    add('what = ?', what);
    add('who = ?', who);
    add('kind = ?', kind);
    add('at_ms >= ?', fromMs);
    add('at_ms < ?', toMs);
    const most = Math.min(limit, JOURNAL_PAGE_MAX);
    const sql = `SELECT ${COLUMNS} FROM alarm_journal WHERE ${where.join(' AND ')}
      ORDER BY alarm_journal.seq ${isUp ? 'ASC' : 'DESC'} LIMIT ?`;
    const entries = this.#statements.all(sql, ...values, most).map((row) => entryOf(rowOf(row)));
    const isMore = isUp ? end < newest : end > 1;
    if (entries.length === most) return { entries, next: entries.at(-1)!.seq };
    return { entries, next: what === undefined && isMore ? end : null };
  }

  /** As stored and in order, whoever wrote them; a page at a time. */
  *rows(): Generator<JournalRow> {
    let after: bigint = BEFORE_ALL;
    const sql = `SELECT ${COLUMNS} FROM alarm_journal WHERE seq > ?
      ORDER BY alarm_journal.seq LIMIT ${VERIFY_SLICE}`;
    for (;;) {
      const rows = this.#statements.all(sql, after);
      for (const row of rows) yield rowOf(row);
      const last = rows.at(-1);
      if (!last) return;
      after = BigInt(String(last['seq']));
    }
  }

  /** What of it is wrong by itself, beside the entries. */
  guards(): Flaw[] {
    const sql = `SELECT count(*) AS n FROM sqlite_schema WHERE type = 'trigger'
      AND name IN ('alarm_journal_kept', 'alarm_journal_fixed')`;
    const isGuarded = Number(this.#statements.one(sql)?.['n']) === 2;
    return isGuarded ? [] : [{ kind: 'unguarded', seq: 0, through: 0 }];
  }
}

/** Makes the journal's table in `database`, or chains the one of before. */
export function openJournal(database: DatabaseSync): Journal {
  const journal = new Journal(database);
  transact(database, () => {
    database.exec(TABLE);
    if (!isChained(database)) chain(database, journal);
    database.exec(`${KEPT}; ${FIXED};
      CREATE INDEX IF NOT EXISTS alarm_journal_what ON alarm_journal (what)`);
  });
  return journal;
}

/** False where there is none, and in a file of before the chain that nobody has opened since. */
export function isChained(database: DatabaseSync): boolean {
  const columns = database.prepare(`SELECT name FROM pragma_table_info('alarm_journal')`).all();
  return columns.some((row) => row['name'] === 'hash');
}

// Part of the opening transaction: all of it, or nothing. Nobody gives the time here: the entry
// has that of the newest before it.
function chain(database: DatabaseSync, journal: Journal): void {
  database.exec(`DROP TRIGGER IF EXISTS alarm_journal_fixed;
    ALTER TABLE alarm_journal ADD COLUMN "from" TEXT NOT NULL DEFAULT '';
    ALTER TABLE alarm_journal ADD COLUMN hash TEXT NOT NULL DEFAULT ''`);
  const update = database.prepare('UPDATE alarm_journal SET hash = ? WHERE seq = ?');
  let hash = FIRST_HASH;
  let entries = 0;
  let atMs = 0;
  for (const row of journal.rows()) {
    hash = hashOf(hash, row);
    update.run(hash, row.seq);
    atMs = row.atMs;
    entries++;
  }
  if (entries === 0) return;
  const whole = { who: 'lifeline', from: FROM_CLOUD, what: 'journal', before: null };
  journal.write({ ...whole, atMs, kind: 'journal-begun', after: { entriesBefore: entries } });
}

/** Everything of a journal, against heads noted elsewhere; `turn` lets others have the thread. */
export async function verify(
  journal: Journal,
  heads: readonly Head[],
  found: readonly Flaw[],
  turn: () => Promise<void>,
): Promise<Verdict> {
  const verifier = new Verifier(heads, [...journal.guards(), ...found]);
  let taken = 0;
  for (const row of journal.rows()) {
    verifier.take(row);
    if (++taken % VERIFY_SLICE === 0) await turn();
  }
  return verifier.finish();
}

/** The row of an entry that came as an object, as over the API. */
export function storedRow(entry: JournalEntry): JournalRow {
  const before = JSON.stringify(entry.before ?? null);
  return { ...entry, before, after: JSON.stringify(entry.after ?? null) };
}

// Numbers come as text: one that a forger put in may be beyond what a double holds.
function rowOf(row: Record<string, unknown>): JournalRow {
  return {
    seq: Number(row['seq']),
    atMs: Number(row['at_ms']),
    kind: String(row['kind']),
    who: String(row['who']),
    from: String(row['from']),
    what: String(row['what']),
    before: String(row['before']),
    after: String(row['after']),
    hash: String(row['hash']),
  };
}

function entryOf(row: JournalRow): JournalEntry {
  return { ...row, before: parsed(row.before), after: parsed(row.after) };
}

// What somebody wrote into the file by hand may be no JSON: shown as it stands.
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
