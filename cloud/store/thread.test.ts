import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/random.ts';
import { SealingGateway } from '../../tests/sealed.ts';
import { InboxCore } from '../inbox/core.ts';
import { InboxReader } from '../inbox/reader.ts';
import { IngestCore } from '../ingest/core.ts';
import { Feed } from './feed.ts';
import { MemoryStore } from './memory.ts';
import { openStore } from './thread.ts';

const FAR_MS = 4e12;
const nothing = () => {};

let folder: string;
let inboxFile: string;
let inbox: InboxCore;
let ingest: IngestCore;
let gateway: SealingGateway;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lifeline-store-'));
  inboxFile = join(folder, 'inbox.sqlite');
  inbox = new InboxCore(seededRandom(7), { path: inboxFile, bytesMax: 1e9 });
  ingest = new IngestCore(new SimClock(), inbox, {
    ...{ onCommitted: nothing, onPresence: nothing, onClone: nothing },
    ...{ onRefused: nothing, onAnswer: nothing },
  });
  gateway = new SealingGateway(1);
  receive(gateway.dictionaryRecords());
});
afterEach(async () => {
  inbox.close();
  await rm(folder, { recursive: true });
});

function receive(records: readonly { readonly bytes: Uint8Array }[]): void {
  for (const { bytes } of records) {
    ingest.receive({ topic: 'lifeline/v1/east/gw-1/live', payload: bytes, retained: false });
  }
  ingest.commit();
}

const records = (count: number) => Array.from({ length: count }, () => gateway.record());
const open = () => openStore({ folder: join(folder, 'store'), inboxFile });
const span = { series: 1, fromMs: 0, toMs: FAR_MS, bucketMs: null, limit: 100_000 };

test('what the inbox commits is in the store after it was told, and the inbox hears how far', async () => {
  receive(records(5));
  const store = await open();
  const passed: number[] = [];
  store.onPassed = (row) => passed.push(row);
  expect(await store.caughtUp(7, 10_000)).toBe(true);
  receive(records(3));
  store.notify(10);
  expect(await store.caughtUp(10, 10_000)).toBe(true);
  expect(passed.at(-1)).toBe(10);
  expect((await store.history(span)).readings?.count).toBe(8);
  expect((await store.series()).map(({ series }) => series)).toEqual([1, 2]);
  expect((await store.account(null)).stored).toBe(16);
  await store.close();
});

test('opened again it goes on from its cursor, and nothing is there twice', async () => {
  receive(records(4));
  const first = await open();
  first.notify(6);
  await first.close(10_000);
  receive(records(4));
  const second = await open();
  expect(await second.cursor()).toBeGreaterThanOrEqual(6);
  expect(await second.caughtUp(10, 10_000)).toBe(true);
  expect((await second.account(null)).stored).toBe(16);
  await second.close();
});

test('waiting for rows that do not come ends with its time', async () => {
  const store = await open();
  expect(await store.caughtUp(1_000, 50)).toBe(false);
  await store.close();
});

test('more questions than it may hold are refused at once, the others are answered', async () => {
  const store = await open();
  const answers = await Promise.allSettled(Array.from({ length: 80 }, () => store.stats()));
  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(16);
  expect(refused[0]).toMatchObject({ reason: { code: 'store_busy', retry: 'later' } });
  await store.close();
});

test('a store that cannot be opened says why', async () => {
  const broken = openStore({ folder: join(folder, 'inbox.sqlite'), inboxFile });
  await expect(broken).rejects.toMatchObject({ code: 'store_failed' });
});

test('a store that is ahead of its inbox takes nothing in and says so', async () => {
  receive(records(2));
  const reader = new InboxReader(inboxFile);
  const store = new MemoryStore();
  await store.apply([], 99);
  const onPassed = () => expect.unreachable('the inbox would drop what the store never had');
  const feed = new Feed({ store, reader, onPassed, onMissing: nothing });
  await expect(feed.step()).rejects.toMatchObject({ code: 'store_foreign_inbox', retry: 'never' });
  reader.close();
});

test('the feed goes group by group, and names a row passed only when the store has it', async () => {
  receive(records(1_000));
  const reader = new InboxReader(inboxFile);
  const store = new MemoryStore();
  const passed: number[] = [];
  const feed = new Feed({ store, reader, onPassed: (row) => passed.push(row), onMissing: nothing });
  while ((await feed.step()) === 'full') expect(await store.cursor()).toBe(passed.at(-1));
  expect(passed.at(-1)).toBe(1_002);
  expect((await store.history({ ...span, series: 2 })).readings?.count).toBe(1_000);
  reader.close();
});

test('rows that left the inbox before the store had them are reported, the rest goes in', async () => {
  receive(records(4));
  inbox.passed(5);
  receive(records(2));
  const reader = new InboxReader(inboxFile);
  const store = new MemoryStore();
  const missing: (readonly [number, number])[] = [];
  const onMissing = (first: number, last: number) => missing.push([first, last]);
  const feed = new Feed({ store, reader, onPassed: nothing, onMissing });
  await feed.step();
  expect(missing).toEqual([[1, 5]]);
  expect(await store.cursor()).toBe(8);
  expect((await store.account(null)).stored).toBe(6);
  reader.close();
});
