import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fault } from '../../core/fault.ts';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import { RangeSet } from '../../core/ranges.ts';
import { type Batch, type Entry, emptyBatch } from './batch.ts';
import { OutboxCore, type OutboxCoreOptions, SHARE_BYTES_MIN } from './core.ts';
import type { KeepClass } from './file.ts';
import type { Debt } from './ledger.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outbox-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const random = seededRandom(1);
const MANIFEST = 'a'.repeat(32);

function open(options: Partial<OutboxCoreOptions> = {}): OutboxCore {
  return OutboxCore.open({ folder, bytesMax: 64 * 1024 * 1024, random, ...options });
}

function scanned(core: OutboxCore): OutboxCore {
  while (core.step());
  return core;
}

interface EntryOptions {
  readonly keep?: KeepClass;
  readonly taken?: number;
  readonly size?: number;
  readonly settles?: readonly number[];
  readonly part?: Entry['part'];
}

function entry(core: OutboxCore, sequence: number, options: EntryOptions = {}): Entry {
  const { keep = 'trend', taken = 10, size = 100, settles = [], part = null } = options;
  const bytes = new Uint8Array(size).fill(sequence & 0xff);
  return {
    record: {
      lane: keep === 'event' ? 'event' : 'live',
      epoch: core.epoch,
      sequence,
      manifest: MANIFEST,
      readings: taken,
      taken,
      unchanged: 0,
      givenUp: 0,
      firstMonoMs: sequence * 1_000,
      lastMonoMs: sequence * 1_000 + 500,
      bytes,
    },
    keep,
    firstAlias: 0,
    points: 10,
    gaps: [],
    part,
    settles,
  };
}

function put(core: OutboxCore, entries: readonly Entry[], rest: Partial<Batch> = {}) {
  const last = entries.at(-1)?.record.lastMonoMs ?? 0;
  return core.commit({ ...emptyBatch, entries, monoMs: last, ...rest });
}

function everything(core: OutboxCore): Map<string, number[]> {
  const all = new Map<string, number[]>();
  for (const { epoch, ranges } of core.held()) {
    const { records } = core.read(epoch, ranges, Number.MAX_SAFE_INTEGER);
    all.set(
      epoch,
      records.map(({ sequence }) => sequence),
    );
    for (const { sequence, bytes } of records) expect(bytes[0]).toBe(sequence & 0xff);
  }
  return all;
}

const sum = (debts: readonly Debt[], cause: Debt['cause']) =>
  debts.filter((debt) => debt.cause === cause).reduce((total, { readings }) => total + readings, 0);

test('what was committed is read back after a clean end and after a kill', () => {
  const first = open();
  put(
    first,
    [1, 2, 3].map((sequence) => entry(first, sequence)),
  );
  first.close();
  const second = scanned(open());
  put(
    second,
    [1, 2].map((sequence) => entry(second, sequence)),
  );
  second.abandon();
  const third = scanned(open());
  expect(everything(third)).toEqual(
    new Map([
      [third.epoch, []],
      [first.epoch, [1, 2, 3]],
      [second.epoch, [1, 2]],
    ]),
  );
  third.close();
});

test('an epoch is never opened twice, also not after an older image of the card was put back', () => {
  const first = open();
  put(first, [entry(first, 1)]);
  first.close();
  const image = mkdtempSync(join(tmpdir(), 'outbox-image-'));
  cpSync(folder, image, { recursive: true });
  const second = open();
  second.close();
  const restored = OutboxCore.open({ folder: image, bytesMax: SHARE_BYTES_MIN, random });
  expect(Number.parseInt(second.epoch, 10)).toBe(2);
  expect(Number.parseInt(restored.epoch, 10)).toBe(2);
  expect(restored.epoch).not.toBe(second.epoch);
  restored.close();
  rmSync(image, { recursive: true });
});

test('an unclean end is told as an estimated gap of one commit interval, a clean one is not', () => {
  const first = open();
  for (let at = 1; at <= 60; at++) put(first, [entry(first, at, { taken: 50 })]);
  first.abandon();
  const second = open();
  const [debt, ...others] = second.opened.result.debts;
  expect(others).toEqual([]);
  expect(debt).toMatchObject({ cause: 'crash', epoch: first.epoch, estimated: true });
  expect(debt!.readings).toBeGreaterThan(45);
  expect(debt!.readings).toBeLessThan(55);
  put(second, [entry(second, 1, { keep: 'event', settles: [debt!.id] })]);
  second.close();
  const third = open();
  expect(third.opened.result.debts).toEqual([]);
  third.close();
});

test('commits at once, a few milliseconds apart, do not make a crash look larger than it was', () => {
  const first = open();
  // 14 readings a second, half of them committed 6 ms after the others.
  for (let at = 1; at <= 20; at++) {
    put(first, [entry(first, 2 * at, { taken: 7 })], { monoMs: at * 1_000 });
    put(first, [entry(first, 2 * at + 1, { taken: 7 })], { monoMs: at * 1_000 + 6 });
  }
  first.abandon();
  const second = open();
  const [debt] = second.opened.result.debts;
  expect(debt!.readings).toBeGreaterThanOrEqual(13);
  expect(debt!.readings).toBeLessThanOrEqual(16);
  second.close();
});

test('a second process is told that the outbox is in use', () => {
  const first = open();
  expect(() => open()).toThrow(expect.objectContaining({ code: 'outbox_busy' }));
  first.close();
});

test('acked records are not sent again, stay for a cloud that lost its store, and are forgotten in time', () => {
  const core = open();
  put(
    core,
    [1, 2, 3].map((sequence) => entry(core, sequence)),
  );
  put(core, [], { acked: [{ epoch: core.epoch, ranges: [{ first: 1, last: 2 }] }] });
  expect(core.held()[0]!.open).toEqual([{ first: 3, last: 3 }]);
  expect(core.held()[0]!.ranges).toEqual([{ first: 1, last: 3 }]);
  put(core, [], { wanted: 'all' });
  expect(core.held()[0]!.open).toEqual([{ first: 1, last: 3 }]);
  core.abandon();
  const again = scanned(open());
  expect(again.held()[1]!.open).toEqual([{ first: 1, last: 3 }]);
  again.close();
});

test('a refused record is kept for a person, bounded, and frees its place', () => {
  const core = open();
  const many = Array.from({ length: 40 }, (_, at) => entry(core, at + 1));
  put(core, many);
  const refused = many.map(({ record }) => ({
    epoch: core.epoch,
    sequence: record.sequence,
    reason: 'malformed',
  }));
  const { status } = put(core, [], { refused });
  expect(status.refused).toBe(32);
  expect(core.held()[0]!.open).toEqual([]);
  core.close();
});

/** Commits entries and, as the sealer does, tells of what is owed with the next of them. */
class Teller {
  readonly told: Debt[] = [];
  readonly #core: OutboxCore;
  #owed: readonly Debt[] = [];

  constructor(core: OutboxCore) {
    this.#core = core;
  }

  put(sequence: number, options: EntryOptions, rest: Partial<Batch> = {}) {
    const settles = this.#owed.map(({ id }) => id);
    const result = put(this.#core, [entry(this.#core, sequence, { ...options, settles })], rest);
    expect(result.committed).toBe(true);
    this.told.push(...this.#owed);
    this.#owed = result.debts;
    return result;
  }

  get all(): readonly Debt[] {
    return [...this.told, ...this.#owed];
  }
}

test('a full share gives up trend before compliance and never events, and owes exactly what is gone', () => {
  const bytesMax = SHARE_BYTES_MIN;
  const core = open({ bytesMax });
  const teller = new Teller(core);
  const keeps: KeepClass[] = ['trend', 'compliance', 'life-safety', 'event'];
  const of = new Map<number, KeepClass>();
  for (let at = 1; at <= 2_000; at++) {
    // Long runs of one class, as a gateway with few groups has them.
    const keep = keeps[Math.floor(at / 50) % 8] ?? 'trend';
    of.set(at, keep);
    const { status } = teller.put(at, { keep, size: 4_000, taken: 7 });
    expect(status.bytes).toBeLessThanOrEqual(bytesMax);
  }
  const left = new Set(everything(core).get(core.epoch));
  const lost = [...of.keys()].filter((it) => !left.has(it));
  expect(sum(teller.all, 'overflow')).toBe(lost.length * 7);
  expect(put(core, []).status.givenUp).toBe(lost.length * 7);
  const named = RangeSet.of(teller.all.flatMap(({ sequences }) => sequences));
  expect(lost.every((it) => named.has(it)) && named.size === lost.length).toBe(true);
  const lostOf = (keep: KeepClass) => lost.filter((it) => of.get(it) === keep).length;
  expect(lostOf('event') + lostOf('life-safety')).toBe(0);
  expect(lostOf('trend')).toBeGreaterThan(1_000);
  expect(lostOf('compliance')).toBeLessThan(60); // Two files.
  core.abandon();
  const again = scanned(open({ bytesMax }));
  expect(sum(put(again, []).debts, 'damaged')).toBe(0);
  expect(new Set(everything(again).get(core.epoch))).toEqual(left);
  again.close();
});

test('when nothing lesser is left, events go too, and what they told of is owed again', () => {
  const core = open({ bytesMax: SHARE_BYTES_MIN });
  const teller = new Teller(core);
  for (let at = 1; at <= 1_500; at++) {
    const { status } = teller.put(at, { keep: at % 2 ? 'event' : 'life-safety', size: 4_000 });
    expect(status.bytes).toBeLessThanOrEqual(SHARE_BYTES_MIN);
  }
  const left = everything(core).get(core.epoch) ?? [];
  expect(left.length).toBeGreaterThan(500);
  expect(RangeSet.of(teller.all.flatMap(({ sequences }) => sequences)).size).toBe(
    1_500 - left.length,
  );
  core.close();
});

test('records the cloud has leave first: nothing is given up while they do', () => {
  const core = open({ bytesMax: SHARE_BYTES_MIN });
  for (let at = 1; at <= 1_500; at++) {
    const acked = at > 20 ? [{ epoch: core.epoch, ranges: [{ first: 1, last: at - 20 }] }] : [];
    const { status, debts } = put(core, [entry(core, at, { size: 4_000 })], { acked });
    expect(debts).toEqual([]);
    expect(status.bytes).toBeLessThanOrEqual(SHARE_BYTES_MIN);
  }
  expect(core.held()[0]!.open).toEqual([{ first: 1_481, last: 1_500 }]);
  core.close();
});

test('the ranges of an epoch stay within what the cloud keeps, whatever is given up', () => {
  const core = open({ bytesMax: SHARE_BYTES_MIN });
  const teller = new Teller(core);
  for (let at = 1; at <= 2_400; at += 3) {
    const others = [at + 1, at + 2].map((it) =>
      entry(core, it, { keep: it % 2 ? 'trend' : 'compliance', size: 4_000 }),
    );
    put(core, others);
    teller.put(at, { keep: at % 2 ? 'trend' : 'compliance', size: 4_000 });
  }
  const named = RangeSet.of(teller.all.flatMap(({ sequences }) => sequences));
  expect(named.count).toBeLessThanOrEqual(960);
  core.close();
});

test('a dictionary part stays while its manifest is current or named by a record, and no longer', () => {
  const core = open();
  const page = { hash: 'b'.repeat(32), pages: null };
  const manifest = { hash: MANIFEST, pages: [page.hash] };
  const stray = { hash: 'c'.repeat(32), pages: null };
  put(
    core,
    [page, manifest, stray].map((part, at) => entry(core, at + 1, { keep: 'event', part })),
    { words: [['manifest', MANIFEST]] },
  );
  core.close();
  const again = scanned(open());
  expect([...again.opened.parts].sort()).toEqual([MANIFEST, page.hash]);
  again.close();
});

test('a full disk is said, changes nothing that was acked, and ends by itself', () => {
  let isFull = false;
  const beforeWrite = () => {
    if (isFull) throw new Fault('outbox_full', 'later', 'no space');
  };
  const core = open({ beforeWrite });
  put(core, [entry(core, 1)]);
  isFull = true;
  const waiting = [entry(core, 2), entry(core, 3)];
  expect(put(core, waiting)).toMatchObject({
    committed: false,
    status: { disk: 'full' },
    debts: [],
  });
  expect(everything(core).get(core.epoch)).toEqual([1]);
  isFull = false;
  expect(put(core, waiting)).toMatchObject({ committed: true, status: { disk: 'ok' } });
  expect(everything(core).get(core.epoch)).toEqual([1, 2, 3]);
  core.close();
});

test('a disk that is full at the opening lets the edge start and is written to when it can be', () => {
  let isFull = true;
  const beforeWrite = () => {
    if (isFull) throw new Fault('outbox_full', 'later', 'no space');
  };
  const core = open({ beforeWrite });
  expect(core.opened.result).toMatchObject({ committed: false, status: { disk: 'full' } });
  isFull = false;
  expect(put(core, [entry(core, 1)]).committed).toBe(true);
  core.abandon();
  expect(everything(scanned(open())).get(core.epoch)).toEqual([1]);
});

// The folder as it is between two writes is what a kill leaves, since each write is one
// transaction.
test('killed before any write, all that was committed is there, acked, told of or owed, and only once', () => {
  const bytesMax = SHARE_BYTES_MIN;
  const images: { path: string; committed: number; acked: number; told: Debt[] }[] = [];
  let told: readonly Debt[] = [];
  let committed = 0;
  let acked = 0;
  let writes = 0;
  const beforeWrite = () => {
    if (writes++ % 30 !== 0) return;
    const path = mkdtempSync(join(tmpdir(), 'outbox-kill-'));
    cpSync(folder, path, { recursive: true });
    images.push({ path, committed, acked, told: [...told] });
  };
  const core = open({ bytesMax, beforeWrite });
  const teller = new Teller(core);
  told = teller.told;
  for (let at = 1; at <= 1_200; at++) {
    const keep = at % 300 < 200 ? 'trend' : 'compliance';
    const ranges = at % 400 === 0 ? [{ first: acked + 1, last: acked + 50 }] : [];
    teller.put(at, { keep, size: 4_000, taken: 3 }, { acked: [{ epoch: core.epoch, ranges }] });
    acked += ranges.length * 50;
    committed = at;
  }
  core.close();
  expect(images.length).toBeGreaterThan(20);
  for (const image of images) {
    const again = scanned(OutboxCore.open({ folder: image.path, bytesMax, random }));
    const debts = again.commit(emptyBatch).debts.filter(({ cause }) => cause !== 'crash');
    const left = new Set(everything(again).get(core.epoch) ?? []);
    const lost = RangeSet.of([...image.told, ...debts].flatMap(({ sequences }) => sequences));
    for (let sequence = 1; sequence <= image.committed; sequence++) {
      const isThere = left.has(sequence) || sequence <= image.acked;
      expect(isThere || lost.has(sequence), `${sequence} of ${image.path}`).toBe(true);
      expect(left.has(sequence) && lost.has(sequence), `${sequence} twice`).toBe(false);
    }
    expect(sum([...image.told, ...debts], 'overflow')).toBe(lost.size * 3);
    expect(sum(debts, 'damaged')).toBe(0);
    again.close();
    rmSync(image.path, { recursive: true });
  }
});

const ROUNDS = 100;

function damageTest(
  name: string,
  completeShare: number,
  damage: (bytes: Uint8Array, random: Random) => Uint8Array,
) {
  test(`a file with ${name} costs what it touches, is owed, and the edge starts`, () => {
    const source = open();
    for (let at = 1; at <= 60; at += 3) {
      put(
        source,
        [at, at + 1, at + 2].map((it) => entry(source, it, { size: 700, taken: 4 })),
      );
    }
    source.close();
    const file = readdirSync(folder)[0]!;
    const bytes = readFileSync(join(folder, file));
    const dice = seededRandom(7);
    let complete = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const image = mkdtempSync(join(tmpdir(), 'outbox-damage-'));
      writeFileSync(join(image, file), damage(new Uint8Array(bytes), dice));
      const core = scanned(
        OutboxCore.open({ folder: image, bytesMax: SHARE_BYTES_MIN, random: dice }),
      );
      const left = everything(core).get(source.epoch) ?? [];
      const { committed, debts } = put(core, [entry(core, 1)]);
      expect(committed).toBe(true);
      const named = RangeSet.of(debts.flatMap(({ sequences }) => sequences));
      for (const sequence of left) expect(named.has(sequence)).toBe(false);
      const exact = debts.filter(({ cause, estimated }) => cause === 'damaged' && !estimated);
      for (const debt of exact) {
        expect(debt.readings).toBe(RangeSet.of(debt.sequences).size * 4);
      }
      // Between two rows that are left everything is left or owed, even when the state did not
      // survive.
      for (let it = left[0] ?? 1; it < (left.at(-1) ?? 0); it++) {
        expect(left.includes(it) || named.has(it), `${it} in round ${round}`).toBe(true);
      }
      if (named.size + left.length === 60) complete++;
      core.close();
      rmSync(image, { recursive: true });
    }
    expect(complete).toBeGreaterThan(ROUNDS * completeShare);
  });
}

damageTest('a flipped bit', 0.9, (bytes, dice) => {
  const at = pickInteger(dice, 0, bytes.length - 1);
  bytes[at]! ^= 1 << pickInteger(dice, 0, 7);
  return bytes;
});

damageTest('its end cut off', 0, (bytes, dice) =>
  bytes.slice(0, pickInteger(dice, 0, bytes.length)),
);

damageTest('a sector of noise', 0.7, (bytes, dice) => {
  const at = pickInteger(dice, 0, bytes.length - 512);
  bytes.set(dice.bytes(512), at);
  return bytes;
});

test('a log cut off at any length gives a prefix of what was committed', () => {
  const core = open();
  for (let at = 1; at <= 30; at++) put(core, [entry(core, at, { size: 300 })]);
  const name = readdirSync(folder).find((it) => it.endsWith('-wal'))!;
  const size = statSync(join(folder, name)).size;
  for (let length = 0; length < size; length += 7_777) {
    const image = mkdtempSync(join(tmpdir(), 'outbox-log-'));
    cpSync(folder, image, { recursive: true });
    writeFileSync(join(image, name), readFileSync(join(folder, name)).subarray(0, length));
    const again = scanned(OutboxCore.open({ folder: image, bytesMax: SHARE_BYTES_MIN, random }));
    const left = everything(again).get(core.epoch) ?? [];
    expect(left).toEqual(Array.from({ length: left.length }, (_, at) => at + 1));
    again.close();
    rmSync(image, { recursive: true });
  }
  core.close();
});
