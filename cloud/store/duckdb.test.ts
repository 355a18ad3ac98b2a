import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import { Database } from './database.ts';
import type { DuckStoreOptions } from './duckdb.ts';
import { DuckStore } from './duckdb.ts';
import { OPENED_MS, recordOf, rowsOf, storeContract } from './store.contract.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

storeContract('the store on DuckDB', async () => {
  const clock = new SimClock();
  const folder = await mkdtemp(join(tmpdir(), 'lifeline-store-'));
  const open = () => DuckStore.open(clock, silentLog, { folder });
  let store = await open();
  return {
    store,
    clock,
    reopen: async () => {
      await store.close();
      store = await open();
      return store;
    },
    dispose: async () => {
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
});

describe('the store on DuckDB', () => {
  let folder: string;
  let clock: SimClock;
  let store: DuckStore;
  let row = 0;

  const open = async (options: Partial<DuckStoreOptions> = {}) => {
    store = await DuckStore.open(clock, silentLog, { folder, ...options });
  };
  const reopen = async (options: Partial<DuckStoreOptions> = {}) => {
    await store.close();
    await open(options);
  };
  // `count` readings of each series, a second apart.
  const put = async (series: readonly number[], fromMonoMs: number, count: number) => {
    const readings = series.flatMap((one) =>
      Array.from({ length: count }, (_, n) => [one, fromMonoMs + n * 1000, n] as const),
    );
    row++;
    await store.apply([recordOf({ row, readings })], row);
  };
  const partFiles = async () => (await readdir(join(folder, 'parts'))).sort();
  const stored = async () => (await store.account(null)).stored;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lifeline-store-'));
    clock = new SimClock(OPENED_MS);
    row = 0;
    await open();
  });
  afterEach(async () => {
    await store.close();
    await rm(folder, { recursive: true });
  });

  test('rows stay hot for their hour, then become one part', async () => {
    await put([1, 2], 0, 100);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ hotRows: 200, parts: 0 });
    await clock.advance(HOUR_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ hotRows: 0, parts: 1, partRows: 200 });
    expect(await partFiles()).toHaveLength(1);
    expect(await rowsOf(store, 2)).toHaveLength(100);
  });

  test('more rows than a part may have close the hot table early, and make several parts', async () => {
    await reopen({ partRowsMax: 250 });
    await put([1, 2, 3, 4, 5], 0, 100);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ hotRows: 0, parts: 3, partRows: 500 });
    for (const series of [1, 2, 3, 4, 5]) expect(await rowsOf(store, series)).toHaveLength(100);
  });

  test('the parts of a day that is over become one, and late rows join them once they are many', async () => {
    for (let hour = 0; hour < 3; hour++) {
      await put([1, 2], hour * HOUR_MS, 10);
      await clock.advance(HOUR_MS);
      await store.maintain();
    }
    expect(await store.stats()).toMatchObject({ parts: 3 });
    await clock.advance(DAY_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ parts: 1, partRows: 60 });
    expect(await partFiles()).toHaveLength(1);
    await put([2], 4 * HOUR_MS, 10); // Late, and little: it stays beside the merged part.
    await clock.advance(HOUR_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ parts: 2, partRows: 70 });
    await put([2], 5 * HOUR_MS, 10);
    await clock.advance(HOUR_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ parts: 1, partRows: 80 });
    expect(await rowsOf(store, 2)).toHaveLength(50);
    expect(await stored()).toBe(80);
  });

  test('a batch that spans days makes a part for each', async () => {
    await put([1], 13 * HOUR_MS + 3_590_000, 20);
    await clock.advance(HOUR_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ parts: 2, partRows: 20 });
    expect(await rowsOf(store, 1)).toHaveLength(20);
  });

  test('queries beside housekeeping always see each reading once', async () => {
    await reopen({ partRowsMax: 2000 });
    for (let n = 0; n < 8; n++) {
      await put([1, 2], n * 1_000_000, 500);
      const keeping = store.maintain();
      for (let asked = 0; asked < 5; asked++) {
        expect(await stored()).toBe((n + 1) * 1000);
        expect(await rowsOf(store, 1)).toHaveLength((n + 1) * 500);
      }
      await keeping;
    }
    expect((await store.stats()).parts).toBeGreaterThan(1);
  });

  test('files that no table lists are removed at start, and only those', async () => {
    await put([1], 0, 10);
    await clock.advance(HOUR_MS);
    await store.maintain();
    const [part] = await partFiles();
    await writeFile(join(folder, 'parts', 'part-00000099.parquet'), 'left by a crash');
    await writeFile(join(folder, 'parts', 'part-00000098.parquet.draft'), 'half');
    await reopen();
    expect(await partFiles()).toEqual([part]);
    expect(await rowsOf(store, 1)).toHaveLength(10);
  });

  test('a part that is gone is reported and left out; the rest is answered', async () => {
    await put([1], 0, 10);
    await clock.advance(HOUR_MS);
    await store.maintain();
    await put([1], HOUR_MS, 5);
    const [part] = await partFiles();
    await rm(join(folder, 'parts', part!));
    for (const again of [false, true]) {
      if (again) await reopen();
      expect(await rowsOf(store, 1)).toHaveLength(5);
      const span = { series: 1, fromMs: OPENED_MS, toMs: OPENED_MS + DAY_MS };
      const { unreadable } = await store.history({ ...span, bucketMs: 60_000, limit: 10 });
      expect(unreadable).toEqual([{ fromMs: OPENED_MS, toMs: OPENED_MS + 9000 }]);
      expect(await store.account(null)).toMatchObject({ stored: 5, unreadable: 10 });
      expect((await store.stats()).unreadable).toMatchObject([{ file: part, why: 'missing' }]);
    }
  });

  test('a part with other bytes than it was written with is found out and left out', async () => {
    await put([1], 0, 1000);
    await clock.advance(HOUR_MS);
    await store.maintain();
    await put([1], HOUR_MS, 5);
    const [part] = await partFiles();
    const path = join(folder, 'parts', part!);
    await truncate(path, 100);
    expect(await rowsOf(store, 1)).toHaveLength(5);
    expect((await store.stats()).unreadable).toMatchObject([{ file: part, why: 'damaged' }]);
    await appendFile(path, 'more');
    await clock.advance(DAY_MS);
    await store.maintain(); // Neither merges what is damaged nor fails on it.
    expect(await rowsOf(store, 1)).toHaveLength(5);
  });

  test('a full disk stops apply with nothing moved, and the same rows go in once there is room', async () => {
    await put([1], 0, 10);
    await reopen({ reserveBytes: Number.MAX_SAFE_INTEGER });
    const record = recordOf({ row: 2, readings: [[1, 60_000, 6]] });
    await expect(store.apply([record], 2)).rejects.toMatchObject({
      code: 'store_full',
      retry: 'later',
    });
    expect(await store.cursor()).toBe(1);
    expect(await rowsOf(store, 1)).toHaveLength(10);
    await reopen();
    await store.apply([record], 2);
    expect(await rowsOf(store, 1)).toHaveLength(11);
  });

  test('an error inside a transaction leaves memory and disk agreeing', async () => {
    await put([1], 0, 3);
    // A time that is no whole number cannot be stored: the batch fails after parts of it were
    // written.
    const broken = recordOf({ row: 2, epoch: '9-00000000000000cc', readings: [[1, 1.5, 1]] });
    await expect(store.apply([broken], 2)).rejects.toThrow();
    expect(await store.cursor()).toBe(1);
    expect((await store.latest())[0]).toMatchObject({ monoMs: 2000, value: 2 });
    await store.apply(
      [recordOf({ row: 2, epoch: '9-00000000000000dd', readings: [[1, 7, 7]] })],
      2,
    );
    expect((await store.latest())[0]).toMatchObject({ monoMs: 7, epoch: '9-00000000000000dd' });
    await reopen();
    expect((await store.latest())[0]).toMatchObject({ monoMs: 7, epoch: '9-00000000000000dd' });
    expect(await rowsOf(store, 1)).toHaveLength(4);
  });

  test('a store of a newer format is refused and left alone', async () => {
    await store.close();
    const database = await databaseIn(clock, folder);
    await database.write('UPDATE meta SET format = 99');
    await database.close();
    await expect(open()).rejects.toMatchObject({ code: 'store_format', retry: 'never' });
  });

  test('a folder of format 1 opens: what it has is read, and what devices say is kept from then on', async () => {
    await put([1, 2], 0, 10);
    await store.apply([recordOf({ row: 2, readings: [[3, 0, 'open']] })], 2);
    await clock.advance(HOUR_MS);
    await store.maintain();
    expect(await store.stats()).toMatchObject({ hotRows: 0, parts: 1 });
    await store.apply(
      [
        recordOf({
          row: 3,
          readings: [
            [1, 20_000, 20],
            [3, 1000, 'shut'],
          ],
        }),
      ],
      3,
    );
    await store.close();
    await toFormat1(clock, folder);
    await open();
    expect(await rowsOf(store, 1)).toHaveLength(11);
    expect((await rowsOf(store, 3)).map(([, value]) => value)).toEqual(['open', 'shut']);
    expect((await store.latest()).map(({ value }) => value)).toEqual([20, 9, 'shut']);
    const origin = { status: 0, sourceMs: OPENED_MS, serverMs: null };
    const said = recordOf({ row: 4, readings: [[1, 30_000, 30, 0, origin]] });
    await store.apply([said], 4);
    await clock.advance(DAY_MS);
    await store.maintain(); // Parts of both formats become one.
    await store.maintain();
    expect(await store.stats()).toMatchObject({ hotRows: 0, parts: 1, partRows: 24 });
    const span = { series: 1, fromMs: 0, toMs: OPENED_MS + DAY_MS, bucketMs: null, limit: 100 };
    const { readings } = await store.history(span);
    expect(originAt(readings?.origins, 0)).toBeNull();
    expect(originAt(readings?.origins, 11)).toEqual(origin);
    expect(await stored()).toBe(24);
    await reopen();
    expect((await store.latest([1]))[0]).toMatchObject({ value: 30, origin });
  });

  test('parts of readings of which nobody says anything are those of format 1', async () => {
    await put([1], 0, 10);
    await clock.advance(HOUR_MS);
    await store.maintain();
    const [file] = await partFiles();
    await store.close();
    const database = await databaseIn(clock, folder);
    const columns = await database.read(
      `SELECT name FROM parquet_schema('${join(folder, 'parts', file!)}')`,
    );
    await database.close();
    const names = ['series', 'source', 'mono_ms', 'at_ms', 'shift_ms', 'quality', 'value', 'other'];
    expect(columns.strings(0).slice(1)).toEqual(names);
    await open();
  });

  test('coverage of an hour that is over is joined, its sums and spans unchanged', async () => {
    const coverage = Array.from({ length: 60 }, (_, n) => ({
      series: [1],
      fromMonoMs: n * 10_000,
      toMonoMs: n * 10_000 + (n === 30 ? 5_000 : 10_000),
      taken: 10,
      unchanged: 9,
      failed: 1,
    }));
    await store.apply([recordOf({ row: 1, coverage })], 1);
    const span = { series: 1, fromMs: 0, toMs: OPENED_MS + DAY_MS, bucketMs: null, limit: 1 };
    const before = await store.history(span);
    expect(before.covered).toHaveLength(2);
    await clock.advance(2 * HOUR_MS);
    await store.maintain();
    expect((await store.history(span)).covered).toEqual(before.covered);
    expect(await store.account(null)).toMatchObject({ taken: 600, unchanged: 540, failed: 60 });
  });
});

function databaseIn(clock: SimClock, folder: string): Promise<Database> {
  return Database.open(clock, join(folder, 'store.duckdb'), {
    threads: 1,
    memoryBytes: 2 ** 27,
    spillFolder: join(folder, 'spill'),
    spillBytesMax: 2 ** 27,
  });
}

// The tables as format 1 had them.
async function toFormat1(clock: SimClock, folder: string): Promise<void> {
  const database = await databaseIn(clock, folder);
  const said = ['status', 'source_ms', 'server_ms'];
  const later = {
    ...{ hot_other: [...said, 'is_fill'], closing_other: [...said, 'is_fill'] },
    ...{ newest: said, part: ['is_wide'] },
  };
  for (const [table, columns] of Object.entries(later)) {
    for (const column of columns)
      await database.write(`ALTER TABLE ${table} DROP COLUMN ${column}`);
  }
  await database.write('UPDATE meta SET format = 1');
  await database.close();
}

// Applies rows one after the other, says which is committed, and keeps house meanwhile; until it
// is killed.
const applier = (folder: string) => `
  import { DuckStore } from ${JSON.stringify(new URL('./duckdb.ts', import.meta.url).href)};
  import { SimClock } from ${JSON.stringify(new URL('../../core/clock.ts', import.meta.url).href)};
  import { silentLog } from ${JSON.stringify(new URL('../../core/log.ts', import.meta.url).href)};
  import { writeSync } from 'node:fs';
  const folder = ${JSON.stringify(folder)};
  const store = await DuckStore.open(new SimClock(${OPENED_MS}), silentLog, { folder, partRowsMax: 40 });
  const number = (value) => Float64Array.of(value);
  for (let row = (await store.cursor()) + 1; ; row++) {
    const monoMs = number(row * 1000);
    await store.apply([{
      row: { row, gateway: 'gw-1', epoch: '1-00000000000000aa', sequence: row },
      clock: { wallOffsetMs: 0, state: 'synchronised', errorMs: 0 },
      isState: false,
      readings: { count: 1, series: Uint32Array.of(1), monoMs, atMs: monoMs,
        quality: Uint8Array.of(0), values: number(row), special: new Map() },
      coverage: [], gaps: [], clockSteps: [], manifest: null,
    }], row);
    writeSync(1, row + '\\n');
    if (row % 10 === 0) void store.maintain();
  }
`;

test('killed at any moment, what was said to be committed is there, and rows and cursor agree', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lifeline-store-'));
  let partsSeen = 0;
  for (const killAfterRows of [7, 61, 128]) {
    const child = spawn(process.execPath, [
      '--input-type=module-typescript',
      '--eval',
      applier(folder),
    ]);
    let said = 0;
    let lines = 0;
    for await (const line of createInterface(child.stdout)) {
      said = Number(line);
      if (++lines === killAfterRows) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    const store = await DuckStore.open(new SimClock(OPENED_MS), silentLog, { folder });
    const cursor = await store.cursor();
    expect(cursor).toBeGreaterThanOrEqual(said);
    const values = (await rowsOf(store, 1)).map(([, value]) => value);
    expect(values).toEqual(Array.from({ length: cursor }, (_, n) => n + 1));
    expect((await store.account(null)).stored).toBe(cursor);
    expect((await store.latest())[0]).toMatchObject({ value: cursor });
    partsSeen += (await store.stats()).parts;
    await store.close();
  }
  expect(partsSeen).toBeGreaterThan(0);
  await rm(folder, { recursive: true });
});
