import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { silentLog } from '../../core/log.ts';
import { seededRandom } from '../../core/random.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Entry, OutboxPort } from './batch.ts';
import { COMMIT_INTERVAL_MS, OutboxCore, SHARE_BYTES_MIN } from './core.ts';
import type { KeepClass } from './file.ts';
import type { Debt } from './ledger.ts';
import { ACCEPT_BYTES_MAX, COMMIT_BYTES, Outbox, WAITING_BYTES_MAX } from './outbox.ts';
import { openThread, portOver } from './thread.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function bench() {
  const clock = new SimClock();
  let isFull = false;
  const core = OutboxCore.open({
    folder,
    bytesMax: 16 * SHARE_BYTES_MIN,
    random: seededRandom(2),
    beforeWrite: () => {
      if (isFull) throw new Fault('outbox_full', 'later', 'no space');
    },
  });
  const port = portOver(core);
  const commits: number[] = [];
  const watched: OutboxPort = {
    ...port,
    commit: (batch) => {
      commits.push(batch.entries.length);
      return port.commit(batch);
    },
  };
  const outbox = new Outbox(clock, silentLog, watched);
  const debts: Debt[] = [];
  const committed: number[] = [];
  let scans = 0;
  outbox.start({
    onDebts: (some) => void debts.push(...some),
    onCommitted: (entries) => void committed.push(...entries.map(({ record }) => record.sequence)),
    onScanned: () => void scans++,
  });
  const setFull = (full: boolean) => {
    isFull = full;
  };
  return { clock, outbox, core, commits, committed, debts, setFull, scans: () => scans };
}

let sequence = 0;
beforeEach(() => {
  sequence = 0;
});

function entry(outbox: Outbox, size: number, keep: KeepClass = 'trend'): Entry {
  sequence++;
  const bytes = new Uint8Array(size);
  const times = { firstMonoMs: sequence, lastMonoMs: sequence };
  const counts = { readings: 5, taken: 5, unchanged: 0, givenUp: 0 };
  const manifest = 'a'.repeat(32);
  return {
    record: { lane: 'live', epoch: outbox.epoch, sequence, manifest, ...counts, ...times, bytes },
    keep,
    firstAlias: 0,
    points: 5,
    gaps: [],
    part: null,
    settles: [],
  };
}

test('commits come once a second, at 256 KB, and at once for what is urgent', async () => {
  const { clock, outbox, commits } = bench();
  await clock.advance(0);
  commits.length = 0;
  for (let at = 0; at < 10; at++) {
    outbox.append(entry(outbox, 100), 'usual');
    await clock.advance(COMMIT_INTERVAL_MS / 10);
  }
  expect(commits).toEqual([10]);
  outbox.append(entry(outbox, 100), 'usual');
  outbox.append(entry(outbox, 100), 'urgent');
  await clock.advance(0);
  expect(commits).toEqual([10, 2]);
  outbox.append(entry(outbox, COMMIT_BYTES), 'usual');
  await clock.advance(0);
  expect(commits).toEqual([10, 2, 1]);
  await outbox.close();
});

test('what is read is there whether it is durable yet or not', async () => {
  const { clock, outbox } = bench();
  await clock.advance(0);
  outbox.append(entry(outbox, 100), 'urgent');
  await clock.advance(0);
  outbox.append(entry(outbox, 100), 'usual');
  const { records, absent } = await outbox.read(outbox.epoch, [{ first: 1, last: 3 }], 1e6);
  expect(records.map((it) => it.sequence)).toEqual([1, 2]);
  expect(absent).toEqual([{ first: 3, last: 3 }]);
  expect((await outbox.held())[0]).toMatchObject({ ranges: [{ first: 1, last: 2 }], next: 3 });
  await outbox.close();
});

test('a full disk pushes back, then drops trend first and tells of it when the disk is back', async () => {
  const { clock, outbox, debts, committed, setFull } = bench();
  await clock.advance(0);
  setFull(true);
  outbox.append(entry(outbox, 100), 'usual');
  await clock.advance(COMMIT_INTERVAL_MS);
  expect(outbox.status.disk).toBe('full');
  const keeps: KeepClass[] = ['life-safety', 'trend', 'event', 'compliance'];
  while (outbox.accepts) outbox.append(entry(outbox, 60_000, keeps[sequence % 4]!), 'usual');
  expect(outbox.pendingBytes).toBeGreaterThan(ACCEPT_BYTES_MAX);
  // The cloud has the first twenty: they need no place any more, and are no loss.
  outbox.acked(outbox.epoch, [{ first: 1, last: 20 }]);
  const dropped = 110;
  const first = sequence;
  while (sequence < first + dropped) {
    outbox.append(entry(outbox, 60_000, keeps[sequence % 4]!), 'usual');
    expect(outbox.pendingBytes).toBeLessThanOrEqual(WAITING_BYTES_MAX + 61_000);
  }
  setFull(false);
  await clock.advance(2 * COMMIT_INTERVAL_MS);
  expect(outbox.status.disk).toBe('ok');
  expect(outbox.accepts).toBe(true);
  const lost = RangeSet.of(debts.flatMap(({ sequences }) => sequences));
  const kept = RangeSet.of(committed.map((it) => ({ first: it, last: it })));
  for (let at = 21; at <= sequence; at++) expect(lost.has(at) !== kept.has(at)).toBe(true);
  expect(lost.has(5)).toBe(false);
  expect(debts.reduce((sum, { readings }) => sum + readings, 0)).toBe(5 * lost.size);
  const lostOf = (keep: KeepClass) =>
    Array.from({ length: sequence - 1 }, (_, at) => at + 2).filter(
      (at) => keeps[(at - 1) % 4] === keep && lost.has(at),
    ).length;
  expect(lostOf('trend')).toBeGreaterThan(lostOf('compliance'));
  expect(lostOf('compliance')).toBeGreaterThanOrEqual(lostOf('life-safety'));
  expect(lostOf('event')).toBeLessThanOrEqual(lostOf('life-safety'));
  await outbox.close();
});

test('debts are handed over once, also those of the run before, and again only when their record was lost', async () => {
  const first = bench();
  await first.clock.advance(0);
  first.outbox.append(entry(first.outbox, 100), 'urgent');
  await first.clock.advance(0);
  first.core.abandon();
  const second = bench();
  await second.clock.advance(10_000);
  expect(second.debts.map(({ cause }) => cause)).toEqual(['crash']);
  expect(second.scans()).toBe(1);
  sequence = 0;
  const telling = { ...entry(second.outbox, 100, 'event'), settles: [second.debts[0]!.id] };
  second.outbox.append(telling, 'usual');
  await second.outbox.close();
  const third = bench();
  await third.clock.advance(10_000);
  expect(third.debts).toEqual([]);
  await third.outbox.close();
});

test('the thread does what the core does, and refuses a folder in use', async () => {
  const clock = new SimClock();
  const random = seededRandom(4);
  const options = { folder, bytesMax: SHARE_BYTES_MIN };
  const outbox = new Outbox(clock, silentLog, await openThread(random, options));
  await expect(openThread(random, options)).rejects.toMatchObject({ code: 'outbox_busy' });
  outbox.start({ onDebts() {}, onCommitted() {}, onScanned() {} });
  outbox.append(entry(outbox, 100), 'usual');
  outbox.setWord('store', 'abc');
  await outbox.flush();
  const { records } = await outbox.read(outbox.epoch, [{ first: 1, last: 1 }], 1);
  expect(records[0]?.bytes).toEqual(new Uint8Array(100));
  await outbox.close();
  const again = new Outbox(clock, silentLog, await openThread(random, options));
  expect(again.word('store')).toBe('abc');
  await again.close();
});
