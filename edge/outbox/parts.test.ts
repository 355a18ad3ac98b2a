import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PointDefinition } from '../../core/point.ts';
import { seededRandom } from '../../core/random.ts';
import { buildDictionary } from '../../protocols/uplink/dictionary.ts';
import { seal } from '../../protocols/uplink/envelope.ts';
import type { Body, Gap } from '../../protocols/uplink/record.ts';
import { type Batch, type Entry, emptyBatch } from './batch.ts';
import { OutboxCore, SHARE_BYTES_MIN } from './core.ts';
import type { Debt } from './ledger.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-parts-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const random = seededRandom(1);
const definition: PointDefinition = {
  device: 'meter',
  point: 'pressure',
  name: { en: 'Pressure', zh: '压力' },
  unit: 'kPa',
  type: 'number',
  scale: 0.1,
  offset: 0,
  range: null,
  class: 'trend',
  periodMs: 1_000,
  deadband: 0,
  asset: null,
  rules: [],
};
const dictionary = buildDictionary([definition]);
const { manifest } = dictionary;
const page = dictionary.parts[0]!.hash;

const empty: Body = {
  clock: { state: 'unknown', wallOffsetMs: 0, errorMs: 0 },
  readings: null,
  isState: false,
  coverage: [],
  gaps: [],
  clockSteps: [],
  dictionary: null,
};

function open(): OutboxCore {
  const core = OutboxCore.open({ folder, bytesMax: SHARE_BYTES_MIN, random });
  while (core.step());
  return core;
}

function put(core: OutboxCore, entries: readonly Entry[], rest: Partial<Batch> = {}) {
  return core.commit({ ...emptyBatch, entries, ...rest });
}

/** Page and manifest under the first two sequences. */
function partEntries({ epoch }: OutboxCore): Entry[] {
  return dictionary.parts.map(({ hash, part }, at) => {
    const counts = { taken: 0, unchanged: 0, givenUp: 0 };
    const fields = { lane: 'event', epoch, sequence: at + 1, manifest: '', ...counts } as const;
    const pages = part.kind === 'manifest' ? part.pages : null;
    return {
      record: seal(fields, { ...empty, dictionary: part }),
      keep: 'event',
      firstAlias: 0,
      points: 0,
      gaps: [],
      part: { hash, pages },
      settles: [],
    };
  });
}

function readingsEntry({ epoch }: OutboxCore, sequence: number, taken: number): Entry {
  const counts = { taken, unchanged: taken, givenUp: 0 };
  const fields = { lane: 'live', epoch, sequence, manifest, ...counts } as const;
  const span = { firstAlias: 0, points: 1, fromMonoMs: sequence, toMonoMs: sequence + 1 };
  const coverage = [{ ...span, taken, unchanged: taken, failed: 0 }];
  const record = seal(fields, { ...empty, coverage });
  return { record, keep: 'trend', firstAlias: 0, points: 1, gaps: [], part: null, settles: [] };
}

function gapEntry({ epoch }: OutboxCore, sequence: number, gap: Gap): Entry {
  const counts = { taken: 0, unchanged: 0, givenUp: gap.readings };
  const fields = { lane: 'event', epoch, sequence, manifest: '', ...counts } as const;
  const record = seal(fields, { ...empty, gaps: [gap] });
  const none = { firstAlias: 0, points: 0, part: null, settles: [] };
  return { record, keep: 'event', gaps: [gap], ...none };
}

/** More than there is room for: what was acked leaves, file by file. */
function fill(core: OutboxCore): void {
  let sequence = 0;
  for (let file = 0; file < 40; file++) {
    const entries = Array.from({ length: 40 }, () => {
      const entry = readingsEntry(core, ++sequence, 1);
      const bytes = new Uint8Array(4_000).fill(1);
      return { ...entry, record: { ...entry.record, bytes } };
    });
    const ranges = [{ first: 1, last: Math.max(1, sequence - 40) }];
    put(core, entries, { acked: [{ epoch: core.epoch, ranges }] });
  }
}

/** Flips a bit in what lies in these rows. */
function damage(sequences: readonly number[]): void {
  for (const name of readdirSync(folder).filter((it) => it.endsWith('.sqlite'))) {
    const database = new DatabaseSync(join(folder, name));
    for (const row of database.prepare('SELECT key, bytes FROM records').all()) {
      if (!sequences.includes(Number(row['key']) % 2 ** 32)) continue;
      const bytes = (row['bytes'] as Uint8Array).slice();
      bytes[bytes.length - 1]! ^= 1;
      database.prepare('UPDATE records SET bytes = ? WHERE key = ?').run(bytes, row['key']!);
    }
    database.close();
  }
}

const told = (debts: readonly Debt[]) =>
  debts.map(({ cause, readings, sequences, estimated }) => ({
    cause,
    readings,
    sequences,
    estimated,
  }));

test('a part is found whole after a restart, and one that is damaged is not found at all', () => {
  const first = open();
  put(first, [...partEntries(first), readingsEntry(first, 3, 5)]);
  first.close();
  const second = open();
  expect([second.part(page)?.sequence, second.part(manifest)?.sequence]).toEqual([1, 2]);
  second.close();
  damage([1]);
  const third = open();
  expect([third.part(page), third.part(manifest)?.sequence]).toEqual([undefined, 2]);
  third.close();
});

test('a part whose record was sealed damaged is not found', () => {
  const core = open();
  const parts = partEntries(core);
  const { bytes } = parts[0]!.record;
  bytes[bytes.length - 1]! ^= 1;
  put(core, parts);
  expect([core.part(page), core.part(manifest)?.sequence]).toEqual([undefined, 2]);
  core.close();
});

test('without its state the outbox knows a part by its own row', () => {
  const first = open();
  put(first, [...partEntries(first), readingsEntry(first, 3, 5)]);
  first.close();
  for (const name of readdirSync(folder).filter((it) => it.endsWith('.sqlite'))) {
    const database = new DatabaseSync(join(folder, name));
    database.exec('UPDATE state SET crc = crc + 1');
    database.close();
  }
  const second = open();
  expect([second.part(page)?.sequence, second.part(manifest)?.sequence]).toEqual([1, 2]);
  second.close();
});

test('what names a dictionary that nobody has is given up to the reading, under no manifest', () => {
  const first = open();
  const [three, four, five] = [3, 4, 5].map((it) => readingsEntry(first, it, it));
  put(first, [...partEntries(first), three!, four!, five!]);
  const { epoch } = first;
  put(first, [], { acked: [{ epoch, ranges: [{ first: 1, last: 3 }] }] });
  first.close();
  damage([1]);
  const second = open();
  expect(put(second, []).debts).toEqual([]);
  const { debts } = put(second, [], { lostParts: [page] });
  expect(told(debts)).toEqual([
    { cause: 'damaged', readings: 9, sequences: [{ first: 4, last: 5 }], estimated: false },
  ]);
  expect(debts[0]?.manifest).toBe('');
  expect(second.held().find((it) => it.epoch === epoch)?.open).toEqual([]);
  // Asked for again it costs nothing again.
  expect(put(second, [], { lostParts: [page, manifest] }).debts).toEqual(debts);
  second.close();
});

test('a part that is here is not taken for lost, whoever says so', () => {
  const core = open();
  put(core, [...partEntries(core), readingsEntry(core, 3, 5)]);
  expect(put(core, [], { lostParts: [page, manifest] }).debts).toEqual([]);
  core.close();
});

test('what a refused record told of is told again, and the record is sent to no store again', () => {
  const core = open();
  const { epoch } = core;
  const gap: Gap = {
    cause: 'overflow',
    epoch,
    firstAlias: 0,
    points: 0,
    fromMonoMs: 0,
    toMonoMs: 5,
    readings: 7,
    estimated: false,
    sequences: [{ first: 1, last: 2 }],
  };
  put(core, [gapEntry(core, 3, gap)]);
  const refused = [{ epoch, sequence: 3, reason: 'corrupt' }];
  const { debts } = put(core, [], { refused });
  expect(told(debts)).toEqual([
    { cause: 'damaged', readings: 0, sequences: [{ first: 3, last: 3 }], estimated: false },
    { cause: 'overflow', readings: 7, sequences: [{ first: 1, last: 2 }], estimated: false },
  ]);
  put(core, [], { wanted: 'all' });
  expect(core.held()[0]?.open).toEqual([]);
  core.close();
});

test('what was acked and has left is no damage when a new store wants everything', () => {
  const core = open();
  fill(core);
  const ranges = core.held()[0]!.ranges;
  expect(ranges[0]!.first).toBeGreaterThan(1);
  put(core, [], { wanted: 'all' });
  expect(core.held()[0]?.open).toEqual(ranges);
  core.close();
  const again = open();
  expect(put(again, []).debts).toEqual([]);
  again.close();
});

test('an epoch of which nothing is left is still named to a new store', () => {
  const first = open();
  const { epoch } = first;
  put(first, [readingsEntry(first, 1, 5)]);
  put(first, [], { acked: [{ epoch, ranges: [{ first: 1, last: 1 }] }] });
  first.close();
  const second = open();
  fill(second);
  expect(second.held().find((it) => it.epoch === epoch)).toMatchObject({ ranges: [], next: 2 });
  second.close();
});
