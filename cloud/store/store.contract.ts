// What every store must do. `open` gives a fresh one with a clock; `reopen` opens it again as
// after a restart. The claims about readings are checked while they are fresh and after
// housekeeping moved them.
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SimClock } from '../../core/clock.ts';
import type { PointDefinition, ValueType } from '../../core/point.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { ClockStep, OriginColumns } from '../../protocols/uplink/record.ts';
import type {
  DecodedCoverage,
  DecodedGap,
  DecodedReadings,
  DecodedRecord,
  SeriesEntry,
} from '../inbox/decoded.ts';
import type { Store } from './store.ts';
import { valueAt } from './store.ts';

export interface StoreBench {
  store: Store;
  readonly clock: SimClock;
  reopen(): Promise<Store>;
  dispose(): Promise<void>;
}

const HOUR_MS = 3_600_000;
export const EPOCH = '7-00000000000000aa';
const NEXT_EPOCH = '8-00000000000000bb';
/** 2026-01-01 00:00 UTC plus ten hours: wall time of the gateway when its epoch was opened. */
export const OPENED_MS = Date.UTC(2026, 0, 1, 10);
const BAD = qualityCode('bad', 'timeout');
const UNCERTAIN = qualityCode('uncertain', 'clock');

export interface RecordParts {
  readonly row: number;
  readonly gateway?: string;
  readonly epoch?: string;
  readonly receivedMs?: number;
  readonly offsetMs?: number;
  readonly clock?: 'unknown' | 'synchronised';
  readonly isState?: boolean;
  readonly isFill?: boolean;
  /** Series, mono, value, quality, what its device said. */
  readonly readings?: readonly (readonly [number, number, Value, number?, Origin?])[];
  readonly coverage?: readonly Omit<DecodedCoverage, 'atMs'>[];
  readonly gaps?: readonly DecodedGap[];
  readonly clockSteps?: readonly ClockStep[];
  readonly entries?: readonly SeriesEntry[];
}

/** A record as the inbox's reader gives it. */
export function recordOf(parts: RecordParts): DecodedRecord {
  const { row, gateway = 'gw-1', epoch = EPOCH, offsetMs = OPENED_MS, entries } = parts;
  return {
    row: {
      row,
      area: 'demo',
      gateway,
      epoch,
      sequence: row,
      lane: 'live',
      receivedMs: parts.receivedMs ?? OPENED_MS,
      bytes: new Uint8Array(),
    },
    clock: { wallOffsetMs: offsetMs, state: parts.clock ?? 'synchronised', errorMs: 10 },
    isState: parts.isState ?? false,
    ...(parts.isFill && { isFill: true }),
    readings: parts.readings ? columnsOf(parts.readings, offsetMs) : null,
    coverage: (parts.coverage ?? []).map((one) => ({ ...one, atMs: one.toMonoMs + offsetMs })),
    gaps: parts.gaps ?? [],
    clockSteps: parts.clockSteps ?? [],
    manifest: entries ? { hash: 'ab'.repeat(16), entries } : null,
  };
}

function columnsOf(
  readings: NonNullable<RecordParts['readings']>,
  offsetMs: number,
): DecodedReadings {
  const special = new Map<number, bigint | string | null>();
  const values = Float64Array.from(readings, ([, , value], at) => {
    if (typeof value === 'number') return value;
    if (typeof value === 'boolean') return Number(value);
    special.set(at, value);
    return Number.NaN;
  });
  return {
    count: readings.length,
    series: Uint32Array.from(readings, ([series]) => series),
    monoMs: Float64Array.from(readings, ([, monoMs]) => monoMs),
    atMs: Float64Array.from(readings, ([, monoMs]) => monoMs + offsetMs),
    quality: Uint8Array.from(readings, ([, , , quality]) => quality ?? GOOD),
    values,
    special,
    ...(readings.some(([, , , , origin]) => origin) && { origins: originsOf(readings) }),
  };
}

function originsOf(readings: NonNullable<RecordParts['readings']>): OriginColumns {
  const said = readings.map(([, , , , origin]) => origin);
  return {
    status: Uint32Array.from(said, (origin) => origin?.status ?? 0),
    sourceMs: Float64Array.from(said, (origin) => origin?.sourceMs ?? Number.NaN),
    serverMs: Float64Array.from(said, (origin) => origin?.serverMs ?? Number.NaN),
  };
}

/** What devices said of the readings of a series, in the order of `rowsOf`. */
async function originsIn(store: Store, series: number): Promise<(Origin | null)[]> {
  const toMs = OPENED_MS + 1000 * HOUR_MS;
  const query = { series, fromMs: 0, toMs, bucketMs: null, limit: 10_000 };
  const { readings } = await store.history(query);
  const { count = 0, origins } = readings ?? {};
  return Array.from({ length: count }, (_, at) => originAt(origins, at));
}

export function entryOf(series: number, type: ValueType = 'number', periodMs = 1000): SeriesEntry {
  const definition: PointDefinition = {
    device: 'device-1',
    point: `point-${series}`,
    name: { en: 'Pressure', zh: '压力' },
    unit: 'kPa',
    type,
    scale: 1,
    offset: 0,
    range: null,
    class: 'trend',
    periodMs,
    deadband: 0,
    asset: null,
    rules: [],
  };
  return { series, gateway: 'gw-1', definition };
}

/** What a store holds of a series, as readable rows: [label, value, quality]. */
export async function rowsOf(
  store: Store,
  series: number,
  fromMs = 0,
  toMs = OPENED_MS + 1000 * HOUR_MS,
): Promise<(readonly [number, Value, number])[]> {
  const { readings } = await store.history({ series, fromMs, toMs, bucketMs: null, limit: 10_000 });
  if (!readings) return [];
  return Array.from({ length: readings.count }, (_, at) => [
    readings.atMs[at]!,
    valueAt(readings, at, false),
    readings.quality[at]!,
  ]);
}

// long because a suite is a list of claims
export function storeContract(name: string, open: () => Promise<StoreBench>): void {
  describe(`${name} keeps the promises of a store:`, () => {
    let bench: StoreBench;
    beforeEach(async () => {
      bench = await open();
    });
    afterEach(() => bench.dispose());

    // Runs the checks on fresh rows, on rows that housekeeping has moved, and after a restart.
    const atEveryAge = async (check: () => Promise<void>) => {
      await check();
      await bench.clock.advance(2 * HOUR_MS);
      await bench.store.maintain();
      await check();
      await bench.clock.advance(48 * HOUR_MS);
      await bench.store.maintain();
      await check();
      bench.store = await bench.reopen();
      await check();
    };

    test('readings come back as they were taken, numbers, texts, whole numbers and nulls', async () => {
      const big = 2n ** 63n - 25n;
      const readings = [
        [1, 1000, 12.3],
        [1, 2000, -0.1, UNCERTAIN],
        [1, 3000, null, BAD],
        [2, 1000, big],
        [2, 2000, 17],
        [3, 1000, '阀门 "A" open; i12'],
        [3, 2000, ''],
      ] as const;
      await bench.store.apply([recordOf({ row: 1, readings })], 1);
      await atEveryAge(async () => {
        expect(await rowsOf(bench.store, 1)).toEqual([
          [OPENED_MS + 1000, 12.3, GOOD],
          [OPENED_MS + 2000, -0.1, UNCERTAIN],
          [OPENED_MS + 3000, null, BAD],
        ]);
        expect((await rowsOf(bench.store, 2)).map(([, value]) => value)).toEqual([big, 17]);
        expect((await rowsOf(bench.store, 3)).map(([, value]) => value)).toEqual([
          '阀门 "A" open; i12',
          '',
        ]);
        expect(await rowsOf(bench.store, 4)).toEqual([]);
      });
    });

    test('the cursor moves with what it brings, past rows that brought nothing', async () => {
      expect(await bench.store.cursor()).toBe(0);
      await bench.store.apply([recordOf({ row: 2, readings: [[1, 1000, 1]] })], 5);
      await atEveryAge(async () => {
        expect(await bench.store.cursor()).toBe(5);
        expect((await bench.store.stats()).cursor).toBe(5);
      });
    });

    test('what is applied twice is there once, also after a restart between', async () => {
      const first = recordOf({ row: 1, readings: [[1, 1000, 1]] });
      const second = recordOf({ row: 2, readings: [[1, 2000, 2]] });
      const third = recordOf({ row: 3, readings: [[1, 3000, 3]] });
      await bench.store.apply([first, second], 2);
      await bench.store.apply([first, second], 2);
      bench.store = await bench.reopen();
      await bench.store.apply([first], 1);
      await bench.store.apply([first, second, third], 3);
      await atEveryAge(async () => {
        expect((await rowsOf(bench.store, 1)).map(([, value]) => value)).toEqual([1, 2, 3]);
        expect(await bench.store.cursor()).toBe(3);
        expect((await bench.store.account(null)).stored).toBe(3);
      });
    });

    test('a record that comes again under another row is there once, a gap of the cloud beside it', async () => {
      const again = (row: number, sequence: number) => {
        const record = recordOf({ row, readings: [[1, sequence * 1000, sequence]] });
        return { ...record, row: { ...record.row, sequence } };
      };
      const note = {
        ...({ cause: 'store_lost', epoch: EPOCH, readings: 0 } as const),
        ...{ sequences: [{ first: 1, last: 1 }], fromMs: OPENED_MS, toMs: OPENED_MS },
      };
      const gaps = [{ ...note, series: [], estimated: true, records: 1 }];
      const found = recordOf({ row: 3, gaps });
      await bench.store.apply([again(1, 1), again(2, 2)], 2);
      await bench.store.apply([{ ...found, row: { ...found.row, sequence: 1, note } }], 3);
      await atEveryAge(async () => {
        const row = await bench.store.cursor();
        await bench.store.apply([again(row + 1, 2), again(row + 2, 1)], row + 2);
        expect((await bench.store.account(null)).stored).toBe(2);
        expect(await bench.store.gaps({ fromMs: 0, toMs: OPENED_MS * 2 })).toHaveLength(1);
        expect(await bench.store.cursor()).toBe(row + 2);
      });
      const row = (await bench.store.cursor()) + 1;
      await bench.store.apply([again(row, 3)], row);
      expect((await rowsOf(bench.store, 1)).map(([, value]) => value)).toEqual([1, 2, 3]);
    });

    test('late rows find their place, also behind rows that were moved long ago', async () => {
      await bench.store.apply([recordOf({ row: 1, readings: [[1, 5 * HOUR_MS, 5]] })], 1);
      await bench.clock.advance(72 * HOUR_MS);
      await bench.store.maintain();
      await bench.store.apply([recordOf({ row: 2, readings: [[1, 60 * HOUR_MS, 60]] })], 2);
      await bench.store.apply([recordOf({ row: 3, readings: [[1, 4 * HOUR_MS, 4]] })], 3);
      await atEveryAge(async () => {
        expect((await rowsOf(bench.store, 1)).map(([, value]) => value)).toEqual([4, 5, 60]);
      });
    });

    test('an answer holds what lies in its span, the earliest first, and says when it is cut', async () => {
      const readings = [0, 1, 2, 3, 4].map((n) => [1, n * 1000, n] as const);
      await bench.store.apply([recordOf({ row: 1, readings })], 1);
      const span = { series: 1, fromMs: OPENED_MS + 1000, toMs: OPENED_MS + 4000 };
      await atEveryAge(async () => {
        const whole = await bench.store.history({ ...span, bucketMs: null, limit: 3 });
        expect([...whole.readings!.values]).toEqual([1, 2, 3]);
        expect(whole.isTruncated).toBe(false);
        const cut = await bench.store.history({ ...span, bucketMs: null, limit: 2 });
        expect([...cut.readings!.values]).toEqual([1, 2]);
        expect(cut.isTruncated).toBe(true);
      });
    });

    test('a bucket keeps extremes, mean, first, last, count and the worst quality', async () => {
      const readings = [
        [1, 0, 5],
        [1, 100, 1, UNCERTAIN],
        [1, 200, null, BAD],
        [1, 300, 3],
        [1, 1000, null, BAD],
        [1, 3000, 7],
      ] as const;
      await bench.store.apply([recordOf({ row: 1, readings })], 1);
      await atEveryAge(async () => {
        const { buckets, readings: raw } = await bench.store.history({
          series: 1,
          fromMs: OPENED_MS,
          toMs: OPENED_MS + 10_000,
          bucketMs: 1000,
          limit: 100,
        });
        expect(raw).toBeNull();
        const at = (fromMs: number) => ({ fromMs: OPENED_MS + fromMs });
        const nothing = { min: null, max: null, mean: null, first: null, last: null };
        expect(buckets).toEqual([
          { ...at(0), count: 4, bad: 1, min: 1, max: 5, mean: 3, first: 5, last: 3, worst: BAD },
          { ...at(1000), count: 1, bad: 1, ...nothing, worst: BAD },
          { ...at(3000), count: 1, bad: 0, min: 7, max: 7, mean: 7, first: 7, last: 7, worst: 0 },
        ]);
      });
    });

    test('buckets of text and of yes and no have first and last in their own type', async () => {
      const entries = [entryOf(1, 'boolean'), entryOf(2, 'text'), entryOf(3, 'integer')];
      const readings = [
        [1, 0, true],
        [1, 100, false],
        [2, 0, 'open'],
        [2, 100, 'shut'],
        [3, 0, 2n ** 60n + 1n],
        [3, 100, 2n ** 60n + 3n],
      ] as const;
      await bench.store.apply([recordOf({ row: 1, entries, readings })], 1);
      const span = { fromMs: OPENED_MS, toMs: OPENED_MS + 1000, bucketMs: 1000, limit: 10 };
      await atEveryAge(async () => {
        const [bool] = (await bench.store.history({ series: 1, ...span })).buckets;
        expect(bool).toMatchObject({ first: true, last: false, min: 0, max: 1, mean: 0.5 });
        const [text] = (await bench.store.history({ series: 2, ...span })).buckets;
        expect(text).toMatchObject({ first: 'open', last: 'shut', min: null, mean: null });
        const [whole] = (await bench.store.history({ series: 3, ...span })).buckets;
        expect(whole).toMatchObject({ first: 2n ** 60n + 1n, last: 2n ** 60n + 3n, max: 2 ** 60 });
      });
    });

    test('the latest is the newest by order, not by label, and never moves to an older one', async () => {
      const wrongClock = { offsetMs: OPENED_MS + 5 * HOUR_MS };
      await bench.store.apply([recordOf({ row: 1, ...wrongClock, readings: [[1, 9000, 9]] })], 1);
      await bench.store.apply(
        [
          recordOf({ row: 2, epoch: NEXT_EPOCH, offsetMs: OPENED_MS, readings: [[1, 10, 1]] }),
          recordOf({ row: 3, ...wrongClock, readings: [[1, 99_000, 99]] }),
          recordOf({ row: 4, epoch: NEXT_EPOCH, readings: [[1, 5, 0]] }),
        ],
        4,
      );
      await atEveryAge(async () => {
        expect(await bench.store.latest()).toEqual([
          {
            series: 1,
            epoch: NEXT_EPOCH,
            monoMs: 10,
            atMs: OPENED_MS + 10,
            value: 1,
            quality: GOOD,
            coveredMs: OPENED_MS + 10,
          },
        ]);
      });
    });

    test('the latest of a card restored from an older image is newest, also after a restart', async () => {
      const restored = '7-00000000000000cc';
      const read = (row: number, epoch: string, atMs: number, value: number) =>
        recordOf({ row, epoch, receivedMs: OPENED_MS + atMs, readings: [[1, atMs, value]] });
      const shown = async () => (await bench.store.latest()).map(({ value }) => value);
      await bench.store.apply([read(1, EPOCH, 0, 1), read(2, NEXT_EPOCH, 10, 2)], 2);
      await bench.store.apply([read(3, restored, 9000, 3)], 3);
      expect(await shown()).toEqual([2]);
      await bench.store.apply([read(4, restored, 60_000, 4), read(5, NEXT_EPOCH, 60_001, 5)], 5);
      await atEveryAge(async () => expect(await shown()).toEqual([4]));
      bench.store = await bench.reopen();
      await bench.store.apply([read(6, NEXT_EPOCH, 61_000, 6)], 6);
      expect(await shown()).toEqual([4]);
      await bench.store.apply([read(7, restored, 61_001, 7)], 7);
      expect(await shown()).toEqual([7]);
    });

    test('the latest of a list names those that have a reading, in the type of the series', async () => {
      const entries = [entryOf(1, 'boolean'), entryOf(2, 'text'), entryOf(3), entryOf(4)];
      const readings = [
        [3, 1, null, BAD],
        [2, 1, 'shut'],
        [1, 1, true],
      ] as const;
      await bench.store.apply([recordOf({ row: 1, entries, readings })], 1);
      await atEveryAge(async () => {
        const values = (list: readonly { series: number; value: Value }[]) =>
          list.map(({ series, value }) => [series, value]);
        expect(values(await bench.store.latest([4, 3, 1]))).toEqual([
          [1, true],
          [3, null],
        ]);
        expect(values(await bench.store.latest())).toEqual([
          [1, true],
          [2, 'shut'],
          [3, null],
        ]);
      });
    });

    test('a state record moves the latest and is no history', async () => {
      const state = recordOf({
        row: 1,
        isState: true,
        readings: [
          [1, 5000, 5],
          [2, 10, 'on'],
        ],
      });
      await bench.store.apply([state], 1);
      await bench.store.apply([recordOf({ row: 2, readings: [[1, 4000, 4]] })], 2);
      await atEveryAge(async () => {
        expect((await bench.store.latest()).map(({ value }) => value)).toEqual([5, 'on']);
        expect((await rowsOf(bench.store, 1)).map(([, value]) => value)).toEqual([4]);
        expect((await bench.store.account(null)).stored).toBe(1);
      });
    });

    test('what devices said of readings is kept beside them, and nothing where they said nothing', async () => {
      const [early, late] = [OPENED_MS - 7e9, OPENED_MS + 7e9];
      const good = { status: 0, sourceMs: early, serverMs: late };
      const uncertain = { status: 0x40920000, sourceMs: null, serverMs: null };
      const bad = { status: 0xffffffff, sourceMs: null, serverMs: -11_644_473_600_000 };
      await bench.store.apply([recordOf({ row: 1, readings: [[1, 1000, 1]] })], 1);
      const said = [
        [1, 2000, 2, GOOD, good],
        [1, 3000, 3, UNCERTAIN, uncertain],
        [1, 4000, 4],
        [2, 2000, 'open', GOOD, good],
        [2, 3000, null, BAD, bad],
        [3, 2000, 5],
      ] as const;
      await bench.store.apply([recordOf({ row: 2, readings: said })], 2);
      await bench.store.apply([recordOf({ row: 3, readings: [[3, 3000, 6]] })], 3);
      await atEveryAge(async () => {
        expect(await originsIn(bench.store, 1)).toEqual([null, good, uncertain, null]);
        expect((await rowsOf(bench.store, 1)).map(([, value]) => value)).toEqual([1, 2, 3, 4]);
        expect(await originsIn(bench.store, 2)).toEqual([good, bad]);
        expect(await originsIn(bench.store, 3)).toEqual([null, null]);
        const latest = await bench.store.latest();
        expect(latest.map(({ origin }) => origin)).toEqual([undefined, bad, undefined]);
        expect((await bench.store.account(null)).stored).toBe(8);
      });
    });

    test('the latest has what its device said, and a state record brings it too', async () => {
      const said = (sourceMs: number) => ({ status: 0, sourceMs, serverMs: null });
      const first = [1, 1000, 1, GOOD, said(OPENED_MS)] as const;
      await bench.store.apply([recordOf({ row: 1, readings: [first, [2, 1000, 1]] })], 1);
      const state = [2, 2000, 2, GOOD, said(OPENED_MS + 5)] as const;
      await bench.store.apply([recordOf({ row: 2, isState: true, readings: [state] })], 2);
      await atEveryAge(async () => {
        const latest = await bench.store.latest();
        expect(latest.map(({ origin }) => origin)).toEqual([said(OPENED_MS), said(OPENED_MS + 5)]);
      });
    });

    test('a fill is history with its own time: never the latest, and counted by nobody', async () => {
      const code = qualityCode('good', 'history');
      const origin = { status: 0, sourceMs: OPENED_MS - 60_000, serverMs: null };
      await bench.store.apply([recordOf({ row: 1, readings: [[1, 1000, 1, GOOD]] })], 1);
      const fills = [
        [1, -60_000, 7, code, origin],
        [1, 500, 8, code],
        [1, 2000, 9, code],
        [2, 0, 'shut', code],
      ] as const;
      await bench.store.apply([recordOf({ row: 2, isFill: true, readings: fills })], 2);
      const again = recordOf({ row: 3, isFill: true, readings: fills });
      await bench.store.apply([{ ...again, row: { ...again.row, sequence: 2 } }], 3);
      await atEveryAge(async () => {
        expect(await rowsOf(bench.store, 1)).toEqual([
          [OPENED_MS - 60_000, 7, code],
          [OPENED_MS + 500, 8, code],
          [OPENED_MS + 1000, 1, GOOD],
          [OPENED_MS + 2000, 9, code],
        ]);
        expect(await originsIn(bench.store, 1)).toEqual([origin, null, null, null]);
        expect((await rowsOf(bench.store, 2)).map(([, value]) => value)).toEqual(['shut']);
        const latest = await bench.store.latest();
        expect(latest.map(({ series, value }) => [series, value])).toEqual([[1, 1]]);
        expect((await bench.store.account(null)).stored).toBe(1);
        expect((await bench.store.account([{ gateway: 'gw-1', epoch: EPOCH }])).stored).toBe(1);
      });
    });

    test('labelled anew, readings keep what their devices said, and fills stay fills', async () => {
      const unknown = { clock: 'unknown', offsetMs: 0 } as const;
      const origin = { status: 0x40000000, sourceMs: OPENED_MS, serverMs: OPENED_MS + 1 };
      const code = qualityCode('good', 'history');
      const fill = recordOf({ row: 2, ...unknown, isFill: true, readings: [[1, 500, 2, code]] });
      await bench.store.apply(
        [recordOf({ row: 1, ...unknown, readings: [[1, 1000, 1, GOOD, origin]] }), fill],
        2,
      );
      await bench.clock.advance(2 * HOUR_MS);
      await bench.store.maintain();
      const step = {
        ...{ monoMs: 5000, fromOffsetMs: 0, toOffsetMs: OPENED_MS },
        state: 'synchronised' as const,
      };
      await bench.store.apply([recordOf({ row: 3, clockSteps: [step] })], 3);
      await atEveryAge(async () => {
        await bench.store.maintain();
        expect(await rowsOf(bench.store, 1)).toEqual([
          [OPENED_MS + 500, 2, code],
          [OPENED_MS + 1000, 1, GOOD],
        ]);
        expect(await originsIn(bench.store, 1)).toEqual([null, origin]);
        expect((await bench.store.account(null)).stored).toBe(1);
      });
    });

    test('coverage says where the point was polled, and up to when the latest holds', async () => {
      const cover = (from: number, to: number, series = [1, 2]) => ({
        series,
        fromMonoMs: from * 1000,
        toMonoMs: to * 1000,
        taken: (to - from + 1) * 2,
        unchanged: 3,
        failed: 1,
      });
      await bench.store.apply(
        [
          recordOf({ row: 1, entries: [entryOf(1), entryOf(2), entryOf(3)] }),
          recordOf({ row: 2, readings: [[1, 0, 1]], coverage: [cover(0, 9), cover(40, 49)] }),
          recordOf({ row: 3, coverage: [cover(10, 19), cover(0, 90, [3])] }),
        ],
        3,
      );
      const at = (second: number) => OPENED_MS + second * 1000;
      await atEveryAge(async () => {
        const span = { series: 1, fromMs: at(5), toMs: at(45), bucketMs: null, limit: 10 };
        expect((await bench.store.history(span)).covered).toEqual([
          { fromMs: at(5), toMs: at(19) },
          { fromMs: at(40), toMs: at(45) },
        ]);
        expect((await bench.store.latest([1]))[0]).toMatchObject({
          atMs: at(0),
          coveredMs: at(49),
        });
        const account = await bench.store.account(null);
        expect(account).toMatchObject({ stored: 1, unchanged: 12, failed: 4, taken: 242 });
      });
    });

    test('gaps are found by what they touch, and stay in the history of their points', async () => {
      const gap = (fromMs: number, toMs: number, cause: DecodedGap['cause']): DecodedGap => ({
        cause,
        epoch: EPOCH,
        series: [1, 2],
        fromMs: OPENED_MS + fromMs,
        toMs: OPENED_MS + toMs,
        readings: 10,
        estimated: cause === 'crash',
      });
      const gaps = [
        gap(1000, 2000, 'missed'),
        gap(5000, 6000, 'overflow'),
        gap(9000, 9500, 'crash'),
      ];
      await bench.store.apply([recordOf({ row: 1, gaps })], 1);
      await atEveryAge(async () => {
        const span = { fromMs: OPENED_MS + 1500, toMs: OPENED_MS + 9000 };
        const found = await bench.store.gaps(span);
        expect(found).toEqual(gaps.slice(0, 2).map((one) => ({ ...one, gateway: 'gw-1' })));
        expect(await bench.store.gaps({ ...span, series: 3 })).toEqual([]);
        const history = await bench.store.history({ series: 2, ...span, bucketMs: 1000, limit: 9 });
        expect(history.gaps).toEqual(found);
        expect(history.buckets).toEqual([]);
      });
    });

    test('a gap of points nobody knows is in the history of every point of the gateway', async () => {
      const note = {
        cause: 'refused',
        epoch: EPOCH,
        sequences: [{ first: 9, last: 9 }],
        readings: 100,
        fromMs: OPENED_MS,
        toMs: OPENED_MS,
      } as const;
      const gap = { ...note, series: [], estimated: false, records: 1 };
      const entries = [entryOf(1), { ...entryOf(2), gateway: 'gw-2' }];
      const record = recordOf({ row: 2, offsetMs: 0, clock: 'unknown', gaps: [gap] });
      const clockSteps = [
        { monoMs: 9e12, fromOffsetMs: 0, toOffsetMs: 7, state: 'synchronised' },
      ] as const;
      await bench.store.apply(
        [
          recordOf({ row: 1, entries }),
          { ...record, row: { ...record.row, note } },
          recordOf({ row: 3, clockSteps }),
        ],
        3,
      );
      await atEveryAge(async () => {
        const span = { fromMs: OPENED_MS - 1, toMs: OPENED_MS + 1 };
        const found = await bench.store.gaps({ ...span, series: 1 });
        expect(found).toEqual([
          {
            gateway: 'gw-1',
            epoch: EPOCH,
            cause: 'refused',
            series: [],
            fromMs: OPENED_MS,
            toMs: OPENED_MS,
            readings: 100,
            estimated: false,
            records: 1,
          },
        ]);
        expect(await bench.store.gaps(span)).toEqual(found);
        expect(await bench.store.gaps({ ...span, series: 2 })).toEqual([]);
      });
    });

    test('the account counts stored rows by epoch: stored, unchanged, missed, given up, failed', async () => {
      const gap = (cause: DecodedGap['cause'], epoch: string, readings: number): DecodedGap => ({
        cause,
        epoch,
        series: [1],
        fromMs: OPENED_MS,
        toMs: OPENED_MS + 1000,
        readings,
        estimated: false,
      });
      const coverage = {
        series: [1],
        fromMonoMs: 0,
        toMonoMs: 1000,
        taken: 9,
        unchanged: 7,
        failed: 2,
      };
      await bench.store.apply(
        [
          recordOf({
            row: 1,
            readings: [
              [1, 1, 1],
              [1, 2, 2],
            ],
            coverage: [coverage],
          }),
          recordOf({ row: 2, clock: 'unknown', readings: [[1, 3, 3]] }),
          recordOf({
            row: 3,
            epoch: NEXT_EPOCH,
            readings: [[1, 1, 1]],
            gaps: [gap('crash', EPOCH, 5), gap('missed', NEXT_EPOCH, 3), gap('overflow', EPOCH, 2)],
          }),
          recordOf({ row: 4, gateway: 'gw-2', readings: [[9, 1, 'text']] }),
        ],
        4,
      );
      await atEveryAge(async () => {
        const one = await bench.store.account([{ gateway: 'gw-1', epoch: EPOCH }]);
        expect(one).toMatchObject({ stored: 3, unchanged: 7, failed: 2, taken: 9, missed: 0 });
        expect(one).toMatchObject({ givenUp: 7, unreadable: 0 });
        expect(one.byCause).toMatchObject({ crash: 5, overflow: 2, missed: 0 });
        const all = await bench.store.account(null);
        expect(all).toMatchObject({ stored: 5, unchanged: 7, failed: 2, missed: 3, givenUp: 7 });
        const none = await bench.store.account([{ gateway: 'gw-2', epoch: NEXT_EPOCH }]);
        expect(none).toMatchObject({ stored: 0, unchanged: 0, missed: 0, givenUp: 0 });
        expect((await bench.store.account([])).stored).toBe(0);
      });
    });

    test('an epoch that learns the time labels anew what it took while unknown, and only that', async () => {
      const unknown = { clock: 'unknown', offsetMs: 0 } as const; // A boot in 1970.
      const coverage = {
        series: [1],
        fromMonoMs: 0,
        toMonoMs: 3000,
        taken: 4,
        unchanged: 0,
        failed: 0,
      };
      const gap: DecodedGap = {
        cause: 'missed',
        epoch: EPOCH,
        series: [1],
        fromMs: 500,
        toMs: 700,
        readings: 1,
        estimated: false,
      };
      const clockSteps = [
        { monoMs: 3500, fromOffsetMs: 0, toOffsetMs: OPENED_MS, state: 'synchronised' },
      ] as const;
      const early = recordOf({
        row: 1,
        ...unknown,
        readings: [[1, 1000, 1]],
        coverage: [coverage],
        gaps: [gap],
      });
      const late = recordOf({ row: 3, ...unknown, readings: [[1, 3000, 3]] });
      const known = recordOf({ row: 2, clockSteps, readings: [[1, 4000, 4]] });
      const other = recordOf({ row: 4, ...unknown, epoch: NEXT_EPOCH, readings: [[2, 1000, 1]] });
      await bench.store.apply([early], 1);
      await bench.clock.advance(2 * HOUR_MS);
      await bench.store.maintain(); // What was taken while unknown has been moved when the step comes.
      await bench.store.apply([known], 2);
      await bench.store.apply([late, other], 4); // And some of it comes later still.
      await bench.store.maintain();
      await atEveryAge(async () => {
        const { readings, covered, gaps } = await bench.store.history({
          series: 1,
          fromMs: OPENED_MS,
          toMs: OPENED_MS + HOUR_MS,
          bucketMs: null,
          limit: 10,
        });
        expect([...readings!.values]).toEqual([1, 3, 4]);
        expect([...readings!.shiftMs]).toEqual([OPENED_MS, OPENED_MS, 0]);
        expect(covered).toEqual([{ fromMs: OPENED_MS, toMs: OPENED_MS + 3000 }]);
        expect(gaps).toMatchObject([{ fromMs: OPENED_MS + 500, toMs: OPENED_MS + 700 }]);
        expect(await rowsOf(bench.store, 1, 0, OPENED_MS)).toEqual([]);
        expect(await rowsOf(bench.store, 2)).toEqual([[1000, 1, GOOD]]);
        expect((await bench.store.account(null)).stored).toBe(4);
      });
    });

    test('of several clock steps the first after a reading labels it, whichever came first', async () => {
      const step = (monoMs: number, toOffsetMs: number, state: ClockStep['state']) => ({
        monoMs,
        fromOffsetMs: 0,
        toOffsetMs,
        state,
      });
      const unknown = { clock: 'unknown', offsetMs: 0 } as const;
      await bench.store.apply(
        [
          recordOf({
            row: 1,
            ...unknown,
            readings: [
              [1, 1000, 1],
              [1, 5000, 5],
              [1, 9000, 9],
            ],
          }),
          recordOf({ row: 2, clockSteps: [step(6000, OPENED_MS + 60, 'synchronised')] }),
          recordOf({ row: 3, clockSteps: [step(500, 77, 'unknown')] }),
        ],
        3,
      );
      await bench.store.apply(
        [recordOf({ row: 4, clockSteps: [step(2000, OPENED_MS + 20, 'holdover')] })],
        4,
      );
      await bench.store.maintain();
      await atEveryAge(async () => {
        expect((await rowsOf(bench.store, 1)).map(([atMs]) => atMs)).toEqual([
          9000,
          OPENED_MS + 1020,
          OPENED_MS + 5060,
        ]);
        expect((await bench.store.latest())[0]).toMatchObject({ atMs: 9000, value: 9 });
      });
    });

    test('series keep the newest definition they were given', async () => {
      const entries = [entryOf(2), entryOf(1, 'text')];
      await bench.store.apply([recordOf({ row: 1, entries })], 1);
      await bench.store.apply([recordOf({ row: 2, entries: [entryOf(2, 'number', 500)] })], 2);
      await atEveryAge(async () => {
        expect(await bench.store.series()).toEqual([entryOf(1, 'text'), entryOf(2, 'number', 500)]);
      });
      const late = recordOf({ row: 3, epoch: '6-00000000000000ff', entries });
      await bench.store.apply([late], 3); // A backlog brings what was replaced long ago.
      await atEveryAge(async () => {
        expect(await bench.store.series()).toEqual([entryOf(1, 'text'), entryOf(2, 'number', 500)]);
      });
    });

    test('a series that no record defined is known by the first reading of its dictionary', async () => {
      const entries = [entryOf(2), entryOf(1, 'text')];
      const dictionary = { hash: 'cd'.repeat(16), entries };
      const first = { ...recordOf({ row: 1, readings: [[2, 5, 1.5]] }), dictionary };
      await bench.store.apply([first], 1);
      // What is known already is not changed by a record that only goes by a dictionary.
      const other = { hash: 'ef'.repeat(16), entries: [entryOf(2, 'number', 500)] };
      const next = { ...recordOf({ row: 2, readings: [[2, 6, 2.5]] }), dictionary: other };
      await bench.store.apply([next], 2);
      await atEveryAge(async () => {
        expect(await bench.store.series()).toEqual([entryOf(1, 'text'), entryOf(2)]);
      });
    });

    test('buckets equal a plain computation over the readings, whatever they are', async () => {
      const reading = fc.record({
        monoMs: fc.integer({ min: 0, max: 5000 }),
        value: fc.oneof(
          fc.integer({ min: -1000, max: 1000 }),
          // Plus zero, because -0 and 0 are one value.
          fc.double({ noNaN: true, min: -1e6, max: 1e6 }).map((value) => value + 0),
        ),
        quality: fc.constantFrom(GOOD, UNCERTAIN, BAD),
      });
      const readings = fc.uniqueArray(reading, { maxLength: 40, selector: ({ monoMs }) => monoMs });
      let series = 0;
      let row = 0;
      await fc.assert(
        fc.asyncProperty(
          readings,
          fc.integer({ min: 1, max: 3000 }),
          fc.boolean(),
          async (taken, bucketMs, moves) => {
            series++;
            const rows = taken.map(
              ({ monoMs, value, quality }) =>
                [series, monoMs, quality === BAD ? null : value, quality] as const,
            );
            const half = rows.length >> 1;
            await bench.store.apply([recordOf({ row: ++row, readings: rows.slice(half) })], row);
            if (moves) {
              await bench.clock.advance(HOUR_MS);
              await bench.store.maintain();
            }
            await bench.store.apply([recordOf({ row: ++row, readings: rows.slice(0, half) })], row);
            const span = { fromMs: OPENED_MS + 300, toMs: OPENED_MS + 4700 };
            const { buckets } = await bench.store.history({
              series,
              ...span,
              bucketMs,
              limit: 9999,
            });
            const expected = plainBuckets(taken, bucketMs, span.fromMs, span.toMs);
            expect(buckets.map(({ mean, ...rest }) => rest)).toEqual(
              expected.map(({ mean, ...rest }) => rest),
            );
            buckets.forEach(({ mean }, at) => {
              if (mean === null) expect(expected[at]!.mean).toBeNull();
              else expect(mean).toBeCloseTo(expected[at]!.mean!, 6);
            });
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}

interface Taken {
  readonly monoMs: number;
  readonly value: number;
  readonly quality: number;
}

function plainBuckets(taken: readonly Taken[], bucketMs: number, fromMs: number, toMs: number) {
  const buckets = [];
  const first = Math.floor(fromMs / bucketMs) * bucketMs;
  for (let start = first; start < toMs; start += bucketMs) {
    const inside = taken
      .filter(({ monoMs }) => monoMs + OPENED_MS >= Math.max(start, fromMs))
      .filter(({ monoMs }) => monoMs + OPENED_MS < Math.min(start + bucketMs, toMs))
      .sort((a, b) => a.monoMs - b.monoMs);
    if (inside.length === 0) continue;
    const values = inside.filter(({ quality }) => quality !== BAD).map(({ value }) => value);
    const none = values.length === 0;
    buckets.push({
      fromMs: start,
      count: inside.length,
      bad: inside.length - values.length,
      min: none ? null : Math.min(...values),
      max: none ? null : Math.max(...values),
      mean: none ? null : values.reduce((sum, value) => sum + value, 0) / values.length,
      first: values[0] ?? null,
      last: values.at(-1) ?? null,
      worst: Math.max(...inside.map(({ quality }) => quality)),
    });
  }
  return buckets;
}
