import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { program } from '../../tests/programs.ts';
import type { Head, Verdict } from './chain.ts';
import { FIRST_HASH, FLAWS_MAX, hashOf } from './chain.ts';
import type { NewEntry } from './journal.ts';
import { type Journal, openJournal, VERIFY_SLICE, verify } from './journal.ts';

let folder: string;
let databases: DatabaseSync[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-journal-'));
});

afterEach(() => {
  for (const database of databases) database.close();
  databases = [];
  rmSync(folder, { recursive: true });
});

function open(file = ':memory:'): { database: DatabaseSync; journal: Journal } {
  const database = new DatabaseSync(file, { timeout: 5_000 });
  databases.push(database);
  return { database, journal: openJournal(database) };
}

const entry = (changes: Partial<NewEntry> = {}): NewEntry => ({
  atMs: 1_790_000_000_000,
  kind: 'alarm-raised',
  who: 'lifeline',
  from: 'cloud',
  what: 'abc',
  before: null,
  after: { value: 1 },
  ...changes,
});

const unguard = 'DROP TRIGGER alarm_journal_kept; DROP TRIGGER alarm_journal_fixed;';
const check = (journal: Journal, heads: readonly Head[] = []): Promise<Verdict> =>
  verify(journal, heads, [], async () => {});
const kinds = ({ flaws }: Verdict) => flaws.map(({ kind, seq }) => `${kind} ${seq}`);

test('entries are numbered from one without a gap, chained, and sound', async () => {
  const { journal } = open();
  expect(journal.head()).toBeNull();
  for (let at = 0; at < 5; at++) journal.write(entry({ atMs: at }));
  const verdict = await check(journal);
  expect(verdict).toMatchObject({ entries: 5, flaws: [], head: journal.head() });
  expect(journal.get(3)).toMatchObject({ seq: 3, atMs: 2, after: { value: 1 }, from: 'cloud' });
  expect(journal.get(6)).toBeNull();
});

test('the hash of an entry is taken over the bytes that the documentation says', () => {
  const { journal } = open();
  const head = journal.write(entry({ atMs: 12, who: '张伟', before: undefined }));
  const text =
    `18:lifeline-journal-1,64:${'0'.repeat(64)},1:1,2:12,12:alarm-raised,6:张伟,5:cloud,3:abc,` +
    '4:null,11:{"value":1},';
  expect(hashOfText(text)).toBe(head.hash);
});

function hashOfText(text: string): string {
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', '张伟', '10:abc,', '\u0000', '\ud800', '-1', '\n'),
);
const anyEntry: fc.Arbitrary<NewEntry> = fc.record({
  atMs: fc.oneof(fc.integer(), fc.double({ min: -1e12, max: 1e13, noNaN: true })),
  kind: anyText,
  who: anyText,
  from: anyText,
  what: anyText,
  before: fc.jsonValue(),
  after: fc.jsonValue(),
});

const texts = ['kind', 'who', 'from', 'what', 'before', 'after', 'hash'] as const;
type Tampering =
  | { readonly kind: 'edit'; readonly at: number; readonly field: string; readonly with: string }
  | { readonly kind: 'time' | 'delete' | 'cut' | 'number'; readonly at: number }
  | { readonly kind: 'swap' | 'repeat'; readonly at: number; readonly other: number }
  | { readonly kind: 'insert'; readonly at: number; readonly entry: NewEntry };

const place = fc.nat({ max: 1_000 });
const anyTampering: fc.Arbitrary<Tampering> = fc.oneof(
  fc.record({
    kind: fc.constant('edit' as const),
    at: place,
    field: fc.constantFrom(...texts),
    with: anyText,
  }),
  fc.record({ kind: fc.constantFrom('time', 'delete', 'cut', 'number'), at: place }),
  fc.record({ kind: fc.constantFrom('swap', 'repeat'), at: place, other: place }),
  fc.record({ kind: fc.constant('insert' as const), at: place, entry: anyEntry }),
);

const FIELDS = 'at_ms, kind, who, "from", what, before, after';
const dumped = (database: DatabaseSync) =>
  JSON.stringify(
    database
      .prepare(
        `SELECT CAST(seq AS TEXT) AS seq, at_ms, kind, who, "from", what, before, after, hash FROM alarm_journal ORDER BY 1`,
      )
      .all(),
  );

// As one would who has the file and sqlite3.
function tamper(database: DatabaseSync, tampering: Tampering, count: number): void {
  const at = (tampering.at % count) + 1;
  const shift = `UPDATE alarm_journal SET seq = -seq WHERE seq > ${at};
    UPDATE alarm_journal SET seq = 1 - seq WHERE seq < 0;`;
  switch (tampering.kind) {
    case 'edit': {
      const sql = `UPDATE alarm_journal SET "${tampering.field}" = ? WHERE seq = ?`;
      database.prepare(sql).run(tampering.with, at);
      return;
    }
    case 'time':
      database.exec(`UPDATE alarm_journal SET at_ms = at_ms + 1 WHERE seq = ${at}`);
      return;
    case 'number':
      database.exec(`UPDATE alarm_journal SET seq = seq + 4611686018427387904 WHERE seq = ${at}`);
      return;
    case 'delete':
      database.exec(`DELETE FROM alarm_journal WHERE seq = ${at}`);
      return;
    case 'cut':
      database.exec(`DELETE FROM alarm_journal WHERE seq >= ${at}`);
      return;
    case 'swap': {
      const other = (tampering.other % count) + 1;
      database.exec(`UPDATE alarm_journal SET seq = -1 WHERE seq = ${at};
        UPDATE alarm_journal SET seq = ${at} WHERE seq = ${other};
        UPDATE alarm_journal SET seq = ${other} WHERE seq = -1`);
      return;
    }
    case 'repeat':
      database.exec(`${shift} INSERT INTO alarm_journal (seq, ${FIELDS}, hash)
        SELECT ${at + 1}, ${FIELDS}, hash FROM alarm_journal WHERE seq = ${at}`);
      return;
    case 'insert': {
      // Well chained to the one before it; at the very end that would be an entry like any.
      const behind = at - 1;
      database.exec(shift.replaceAll(` ${at};`, ` ${behind};`));
      const { entry: forged } = tampering;
      const before = database
        .prepare('SELECT hash FROM alarm_journal WHERE seq = ?')
        .get(behind) as unknown as { hash: string } | undefined;
      const row = {
        ...forged,
        seq: at,
        atMs: Math.round(forged.atMs),
        before: JSON.stringify(forged.before),
        after: JSON.stringify(forged.after),
      };
      database
        .prepare(`INSERT INTO alarm_journal (seq, ${FIELDS}, hash) VALUES (?,?,?,?,?,?,?,?,?)`)
        .run(
          ...[row.seq, row.atMs, row.kind, row.who, row.from, row.what, row.before, row.after],
          hashOf(before?.hash ?? FIRST_HASH, row),
        );
    }
  }
}

test('whatever one who drops the triggers does to one place of a journal is found, and nothing else is', async () => {
  let found = 0;
  const property = fc.asyncProperty(
    fc.array(anyEntry, { minLength: 1, maxLength: 12 }),
    anyTampering,
    async (entries, tampering) => {
      const database = new DatabaseSync(':memory:');
      const journal = openJournal(database);
      for (const each of entries) journal.write(each);
      const head = journal.head()!;
      expect((await check(journal, [head])).flaws).toEqual([]);
      const before = dumped(database);
      database.exec(unguard);
      tamper(database, tampering, entries.length);
      const isChanged = dumped(database) !== before;
      openJournal(database); // The triggers are back, as after the next start.
      const { flaws } = await check(journal, [head]);
      expect(flaws.length > 0).toBe(isChanged);
      if (isChanged) found++;
      database.close();
    },
  );
  await fc.assert(property, { numRuns: 1_500 });
  expect(found).toBeGreaterThan(1_000);
});

test('the first place that is wrong is named with what is wrong there', async () => {
  const { database, journal } = open();
  for (let at = 0; at < 9; at++) journal.write(entry({ atMs: at }));
  const head = journal.head()!;
  database.exec(`${unguard} UPDATE alarm_journal SET who = 'nobody' WHERE seq = 4`);
  expect(kinds(await check(journal, [head]))).toEqual(['unguarded 0', 'changed 4']);
  database.exec(`UPDATE alarm_journal SET who = 'lifeline' WHERE seq = 4`);
  database.exec('DELETE FROM alarm_journal WHERE seq IN (5, 6)');
  openJournal(database);
  const { flaws } = await check(journal, [head]);
  expect(flaws).toEqual([{ kind: 'missing', seq: 5, through: 6 }]);
  database.exec(`${unguard} DELETE FROM alarm_journal WHERE seq > 4`);
  openJournal(database);
  expect((await check(journal, [head])).flaws).toEqual([{ kind: 'cut', seq: 5, through: 9 }]);
  // Without a head from elsewhere a shorter journal is as good as any.
  expect((await check(journal)).flaws).toEqual([]);
});

test('a chain that was computed anew is found by a head that was noted, and by nothing else', async () => {
  const { database, journal } = open();
  const heads = Array.from({ length: 6 }, (_, at) => journal.write(entry({ atMs: at })));
  database.exec(`${unguard} UPDATE alarm_journal SET who = 'nobody' WHERE seq = 3`);
  let hash = FIRST_HASH;
  for (const row of [...journal.rows()]) {
    hash = hashOf(hash, row);
    database.prepare('UPDATE alarm_journal SET hash = ? WHERE seq = ?').run(hash, row.seq);
  }
  openJournal(database);
  expect((await check(journal)).flaws).toEqual([]);
  const { flaws } = await check(journal, [heads[4]!, heads[1]!]);
  expect(flaws).toEqual([{ kind: 'rewritten', seq: 3, through: 5 }]);
});

test('of very many flaws the first are told and the others are counted', async () => {
  const { database, journal } = open();
  for (let at = 0; at < 50; at++) journal.write(entry());
  database.exec(`${unguard} UPDATE alarm_journal SET who = 'nobody'`);
  openJournal(database);
  const verdict = await check(journal);
  expect(verdict.flaws.length).toBe(FLAWS_MAX);
  expect(verdict.beyond).toBe(50 - FLAWS_MAX);
});

test('a table of before the chain is chained when it is opened first, and says so', async () => {
  const { database } = open();
  database.exec(`${unguard} DROP TABLE alarm_journal;
    CREATE TABLE alarm_journal (
      seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, who TEXT NOT NULL,
      what TEXT NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL
    ) STRICT;
    CREATE TRIGGER alarm_journal_fixed BEFORE UPDATE ON alarm_journal
      BEGIN SELECT raise(ABORT, 'the journal is append-only'); END;`);
  const old = database.prepare(`INSERT INTO alarm_journal (at_ms, kind, who, what, before, after)
    VALUES (?, 'alarm-raised', 'lifeline', 'abc', 'null', '{}')`);
  for (let at = 0; at < VERIFY_SLICE + 5; at++) old.run(at);
  const journal = openJournal(database);
  const { entries, next } = journal.list({ kind: 'journal-begun' }, page({}));
  expect(next).toBe(null);
  expect(entries).toMatchObject([
    { seq: VERIFY_SLICE + 6, who: 'lifeline', after: { entriesBefore: VERIFY_SLICE + 5 } },
  ]);
  expect((await check(journal)).flaws).toEqual([]);
  openJournal(database);
  expect(journal.head()?.seq).toBe(VERIFY_SLICE + 6);
  expect(() => database.exec(`UPDATE alarm_journal SET who = 'x'`)).toThrow(/append-only/);
});

const page = (changes: Partial<Parameters<Journal['list']>[1]>) => ({
  order: 'oldest' as const,
  after: null,
  limit: 1_000,
  ...changes,
});

test('a search in either order, page after page, finds what fits and nothing else', () => {
  const { journal } = open();
  for (let at = 0; at < 60; at++) {
    journal.write(entry({ atMs: at, who: `p${at % 3}`, kind: `k${at % 2}`, what: `w${at % 5}` }));
  }
  const filters = [
    { filter: {}, fits: () => true },
    { filter: { who: 'p1' }, fits: (at: number) => at % 3 === 1 },
    { filter: { what: 'w2', kind: 'k0' }, fits: (at: number) => at % 5 === 2 && at % 2 === 0 },
    { filter: { fromMs: 10, toMs: 20 }, fits: (at: number) => at >= 10 && at < 20 },
  ];
  for (const { filter, fits } of filters) {
    const wanted = Array.from({ length: 60 }, (_, at) => at).filter(fits);
    for (const order of ['oldest', 'newest'] as const) {
      const found: number[] = [];
      let after: number | null = null;
      do {
        const { entries, next } = journal.list(filter, page({ order, after, limit: 7 }));
        found.push(...entries.map(({ atMs }) => atMs));
        after = next;
      } while (after !== null);
      expect(found).toEqual(order === 'oldest' ? wanted : wanted.toReversed());
    }
  }
});

test('two who write the same file at once cannot fork the chain', async () => {
  const file = join(folder, 'two.sqlite');
  const [one, other] = [open(file), open(file)];
  for (const { database } of [one, other]) database.exec('PRAGMA journal_mode = WAL');
  one.database.exec('PRAGMA busy_timeout = 0');
  other.database.exec('BEGIN IMMEDIATE');
  other.journal.write(entry({ who: 'other' }));
  // While one transaction has written, another can neither write nor number its entry.
  expect(() => one.journal.write(entry({ who: 'one' }))).toThrow(/locked/);
  // Nor can one that began by reading: what it read is no longer the newest.
  one.database.exec('BEGIN');
  one.journal.head();
  other.database.exec('COMMIT');
  expect(() => one.journal.write(entry({ who: 'one' }))).toThrow(/locked/);
  one.database.exec('ROLLBACK');
  one.journal.write(entry({ who: 'one' }));
  for (let at = 0; at < 100; at++) (at % 3 === 0 ? one : other).journal.write(entry({ atMs: at }));
  expect(await check(one.journal)).toMatchObject({ entries: 102, flaws: [] });
});

const VERIFIER = `
import hashlib, json, sys
previous = '0' * 64
count = 0
for line in open(sys.argv[1], encoding='utf-8', newline='\\n'):
    entry = json.loads(line)
    fields = ['lifeline-journal-1', previous, str(entry['seq']), str(entry['at_ms']), entry['kind'],
              entry['who'], entry['from'], entry['what'], entry['before'], entry['after']]
    digest = hashlib.sha256()
    for field in fields:
        data = field.encode('utf-8')
        digest.update(str(len(data)).encode() + b':' + data + b',')
    count += 1
    if entry['seq'] != count or digest.hexdigest() != entry['hash']:
        sys.exit(f"entry {entry['seq']}")
    previous = entry['hash']
print(f'{count}:{previous}')
`;
const python = program('python3');

test.skipIf(python === null)(
  'a program of another language verifies an export, and finds an edit in it',
  async () => {
    const { journal } = open();
    for (const each of fc.sample(anyEntry, { numRuns: 200, seed: 7 })) journal.write(each);
    const [script, exported] = [join(folder, 'verify.py'), join(folder, 'journal.jsonl')];
    writeFileSync(script, VERIFIER);
    const lines = [...journal.rows()].map(({ atMs, ...row }) =>
      JSON.stringify({ ...row, at_ms: atMs }),
    );
    writeFileSync(exported, `${lines.join('\n')}\n`);
    const head = journal.head()!;
    expect(await run(python!, [script, exported])).toBe(`${head.seq}:${head.hash}`);
    const edited = readFileSync(exported, 'utf8').replace('"seq":100,', '"seq":100,"who":"x",');
    writeFileSync(exported, edited.replace(/("seq":100,.*?)"at_ms":-?\d+/, '$1"at_ms":1'));
    expect(await run(python!, [script, exported])).toBe('entry 100');
  },
);

function run(command: string, args: readonly string[]): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  child.stderr.on('data', (chunk) => (text += chunk));
  child.on('close', () => resolve(text.trim()));
  return promise;
}

// The child says each number after its commit; what it said must be there, whole, whenever it dies.
const WRITER = `
import { DatabaseSync } from 'node:sqlite';
import { openJournal } from ${JSON.stringify(new URL('./journal.ts', import.meta.url).href)};
import { writeSync } from 'node:fs';
const database = new DatabaseSync(process.argv[2], { timeout: 5_000 });
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec('CREATE TABLE IF NOT EXISTS acts (seq INTEGER PRIMARY KEY) STRICT');
const journal = openJournal(database);
const act = database.prepare('INSERT INTO acts VALUES (?)');
for (;;) {
  database.exec('BEGIN IMMEDIATE');
  let head;
  for (let at = 0; at < 3; at++) {
    const text = 'x'.repeat(200 + (journal.head()?.seq ?? 0) % 700);
    head = journal.write({ atMs: 1, kind: 'k', who: 'w', from: '', what: text, before: 1, after: 2 });
    act.run(head.seq);
  }
  database.exec('COMMIT');
  writeSync(1, head.seq + ':' + head.hash + '\\n');
}`;
const KILLS = 32;

test('a writer that is killed at any point leaves a sound journal in which nothing committed is missing', async () => {
  const [script, file] = [join(folder, 'writer.ts'), join(folder, 'killed.sqlite')];
  writeFileSync(script, WRITER);
  let newest = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const told = await killed(script, file, 1 + ((kill * 7) % 40), kill % 11);
    const { database, journal } = open(file);
    const verdict = await check(journal, [told]);
    expect(verdict.flaws).toEqual([]);
    expect(verdict.entries).toBeGreaterThanOrEqual(told.seq);
    expect(verdict.entries % 3).toBe(0);
    // The act and its entry stand or fall together.
    const acts = database.prepare('SELECT count(*) AS n FROM acts').get();
    expect(Number(acts?.['n'])).toBe(verdict.entries);
    expect(told.seq).toBeGreaterThan(newest);
    newest = verdict.entries;
    database.close();
    databases.pop();
  }
}, 120_000);

// Dies some time after it has said so many commits: in the middle of one, or between two.
function killed(script: string, file: string, commits: number, extraMs: number): Promise<Head> {
  const { promise, resolve } = Promise.withResolvers<Head>();
  const child = spawn(process.execPath, [script, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
    if (text.split('\n').length > commits) setTimeout(() => child.kill('SIGKILL'), extraMs);
  });
  child.on('close', () => {
    const [seq, hash] = text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1)!.split(':');
    resolve({ seq: Number(seq), hash: hash! });
  });
  return promise;
}
