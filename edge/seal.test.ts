import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import type { PointDefinition } from '../core/point.ts';
import { qualityCode } from '../core/quality.ts';
import type { PointClass, Value } from '../core/reading.ts';
import { openRecord } from '../protocols/uplink/envelope.ts';
import { originAt } from '../protocols/uplink/origins.ts';
import type { Body, ReadingColumns, SealedRecord } from '../protocols/uplink/record.ts';
import { ClockWatch } from './clock-watch.ts';
import type { Entry } from './outbox/batch.ts';
import type { Debt } from './outbox/ledger.ts';
import { BATCH_READINGS, BATCH_READINGS_MAX } from './reading-batch.ts';
import { COVERAGE_WAIT_MS, Sealer } from './seal.ts';
import type { PollReport } from './sink.ts';

const EPOCH = '1-0123456789abcdef';
const timeout = qualityCode('bad', 'timeout');

function point(index: number, pointClass: PointClass, onDelayMs = 0): PointDefinition {
  return {
    device: 'pump',
    point: `p${index}`,
    name: { en: `Point ${index}`, zh: `点${index}` },
    unit: 'kPa',
    type: 'number',
    scale: 0.1,
    offset: 0,
    range: null,
    class: pointClass,
    periodMs: 1_000,
    deadband: 0,
    asset: null,
    rules: onDelayMs
      ? [
          {
            id: 'high',
            kind: 'limit',
            side: 'high',
            limit: 10,
            deadband: 1,
            level: 2,
            onDelayMs,
            offDelayMs: 0,
            title: { en: 'High', zh: '高' },
            action: null,
          },
        ]
      : [],
  };
}

interface Sealed extends Entry {
  readonly urgency: string;
  readonly atMs: number;
  readonly body: Body;
}

function bench(
  points: readonly PointDefinition[],
  parts: readonly string[] = [],
  before: ReadonlyMap<string, string> = new Map(),
) {
  const clock = new SimClock();
  const entries: Sealed[] = [];
  const offered: SealedRecord[] = [];
  const words = new Map<string, string>();
  const outbox = {
    epoch: EPOCH,
    openedMonoMs: clock.monoMs(),
    accepts: true,
    parts,
    word: (name: string) => before.get(name),
    setWord: (name: string, value: string) => void words.set(name, value),
    append: (entry: Entry, urgency: 'urgent' | 'usual') => {
      const { body } = openRecord(entry.record.bytes);
      entries.push({ ...entry, urgency, atMs: clock.monoMs(), body });
    },
  };
  const watch = new ClockWatch(clock, clock.monoMs(), () => null);
  const onRecord = (record: SealedRecord) => void offered.push(record);
  const sealer = new Sealer(clock, outbox, watch, { points, onRecord });
  const data = () => entries.filter(({ part }) => part === null);
  return { clock, sealer, entries, offered, words, data, outbox };
}

function poll(firstAlias: number, points: number, rest: Partial<PollReport> = {}): PollReport {
  const alias = rest.alias ?? [];
  const atMs = rest.toMonoMs ?? 0;
  return {
    firstAlias,
    points,
    fromMonoMs: atMs,
    toMonoMs: atMs,
    alias,
    monoMs: alias.map(() => atMs),
    values: alias.map((it) => it),
    qualities: alias.map(() => 0),
    unchanged: points - alias.length,
    failed: 0,
    urgent: false,
    ...rest,
  };
}

const run = (first: number, count: number) => Array.from({ length: count }, (_, at) => first + at);

test('the dictionary is sealed before any reading, and not again when the outbox has it', () => {
  const points = run(0, 3).map((it) => point(it, 'trend'));
  const first = bench(points);
  expect(first.entries.map(({ part }) => part?.pages === null)).toEqual([true, false]);
  expect(first.words.get('manifest')).toBe(first.entries[1]!.part!.hash);
  const parts = first.entries.map(({ part }) => part!.hash);
  const second = bench(points, parts, first.words);
  expect(second.entries).toEqual([]);
  expect(second.sealer.sealPart(first.entries[0]!.part!.hash)).toBe(true);
  expect(second.sealer.sealPart('f'.repeat(32))).toBe(false);
});

test('a dictionary that comes back into force is told of again, by its manifest', () => {
  const [one, other] = [run(0, 3), run(3, 2)].map((all) => all.map((it) => point(it, 'trend')));
  const first = bench(one!);
  const second = bench(other!, partsOf(first.entries), first.words);
  const known = [...partsOf(first.entries), ...partsOf(second.entries)];
  const third = bench(one!, known, second.words);
  expect(partsOf(third.entries)).toEqual([first.words.get('manifest')]);
});

const partsOf = (entries: readonly Entry[]) => entries.map(({ part }) => part!.hash);

test('readings are gathered for a second or to a hundred, under load to five hundred', async () => {
  const { clock, sealer, data } = bench(run(0, 100).map((it) => point(it, 'trend')));
  sealer.report(poll(0, 100, { alias: [3] }));
  await clock.advance(999);
  expect(data()).toEqual([]);
  await clock.advance(1);
  expect(data().map(({ record }) => record.readings)).toEqual([1]);
  for (let at = 0; at < 30; at++) sealer.report(poll(0, 100, { alias: run(0, 100) }));
  const sizes = data().map(({ record }) => record.readings);
  expect(sizes.slice(1, 4)).toEqual([BATCH_READINGS, BATCH_READINGS_MAX, BATCH_READINGS_MAX]);
  await clock.advance(60_000);
  for (let at = 0; at < 3; at++) {
    sealer.report(poll(0, 100, { alias: run(0, 60), toMonoMs: clock.monoMs() }));
    await clock.advance(600);
  }
  expect(data().at(-1)!.record.readings).toBeLessThanOrEqual(120);
});

test('an urgent poll is sealed at once, a flood of them every 20 ms', async () => {
  const { clock, sealer, data } = bench(run(0, 4).map((it) => point(it, 'life-safety')));
  for (let at = 0; at < 100; at++) {
    sealer.report(poll(0, 4, { alias: [at % 4], urgent: true, toMonoMs: clock.monoMs() }));
    await clock.advance(1);
  }
  await clock.advance(20);
  expect(data()[0]).toMatchObject({ atMs: 0, urgency: 'urgent', keep: 'life-safety' });
  expect(data().length).toBeLessThanOrEqual(7);
  for (const { body, atMs } of data()) {
    for (const time of body.readings!.monoMs) expect(atMs - time).toBeLessThanOrEqual(20);
  }
});

test('a silent group is covered every ten seconds, and every second while a delay may be running', async () => {
  const points = [point(0, 'trend', 30_000), point(1, 'trend')];
  const { clock, sealer, data } = bench(points);
  const step = async (rest: Partial<PollReport> = {}) => {
    sealer.report(poll(0, 2, { toMonoMs: clock.monoMs(), ...rest }));
    await clock.advance(1_000);
  };
  for (let at = 0; at < 40; at++) await step();
  expect(data().length).toBeLessThanOrEqual(4);
  const before = data().length;
  await step({ alias: [0], urgent: true });
  for (let at = 0; at < 30; at++) await step();
  expect(data().length - before).toBeGreaterThanOrEqual(30);
  const then = data().length;
  for (let at = 0; at < 40; at++) await step();
  expect(data().length - then).toBeLessThanOrEqual(8);
  const ends = data().map(({ body }) => body.coverage[0]!.toMonoMs);
  for (let at = 1; at < ends.length; at++) {
    expect(ends[at]! - ends[at - 1]!).toBeLessThanOrEqual(COVERAGE_WAIT_MS + 1_000);
  }
});

test('a step of the wall clock is told after what was measured before it, under the old stamp', async () => {
  const { clock, sealer, data } = bench([point(0, 'trend')]);
  sealer.report(poll(0, 1, { alias: [0] }));
  await clock.advance(100);
  const offsetMs = clock.wallMs() - clock.monoMs();
  clock.stepWall(3_600_000);
  sealer.report(poll(0, 1, { alias: [0], toMonoMs: 100 }));
  await clock.advance(1_000);
  expect(data().map(({ body }) => body.clock.wallOffsetMs - offsetMs)).toEqual([
    0, 3_600_000, 3_600_000,
  ]);
  expect(data()[1]!.body.clockSteps).toMatchObject([{ monoMs: 100, fromOffsetMs: offsetMs }]);
});

test('a state record has the newest reading of each point with its own time and counts for nothing', async () => {
  const points = run(0, 700).map((it) => point(it, 'trend'));
  const { clock, sealer, data } = bench(points);
  sealer.report(poll(0, 700, { alias: run(0, 690) }));
  await clock.advance(5_000);
  sealer.report(poll(0, 700, { alias: [7], toMonoMs: 5_000 }));
  sealer.flush();
  const before = data().length;
  const { taken } = sealer.counts;
  sealer.sealState();
  const states = data().slice(before);
  expect(states.map(({ record }) => [record.readings, record.taken])).toEqual([
    [500, 0],
    [190, 0],
  ]);
  expect(states.every(({ body }) => body.isState)).toBe(true);
  expect(states[0]!.body.readings!.monoMs[7]).toBe(5_000);
  expect(states[0]!.body.readings!.monoMs[8]).toBe(0);
  expect(sealer.counts.taken).toBe(taken);
});

test('what happened is sealed within 20 ms in a record of lane event, and given up last', async () => {
  const points = [...run(0, 2).map((it) => point(it, 'trend')), point(2, 'trend')];
  const { clock, sealer, data } = bench(points);
  sealer.report(poll(0, 2, { alias: [0, 1] }));
  sealer.report(poll(2, 1, { alias: [2], values: ['Pump 1 tripped'], isEvent: true }));
  sealer.report(poll(2, 1, { alias: [2], values: ['Pump 1 reset'], isEvent: true }));
  await clock.advance(20);
  const [first, second, ...rest] = data();
  expect(rest).toEqual([]);
  expect([first, second].map((it) => [it!.record.lane, it!.keep, it!.urgency])).toEqual([
    ['event', 'event', 'urgent'],
    ['event', 'event', 'urgent'],
  ]);
  expect([...second!.body.readings!.special.values()]).toEqual(['Pump 1 reset']);
  expect(second!.body.coverage).toMatchObject([{ firstAlias: 2, points: 1, taken: 1 }]);
  expect(sealer.counts).toMatchObject({ taken: 2, readings: 2 });
});

test('coverage of events alone goes as any other coverage', async () => {
  const { clock, sealer, data } = bench([point(0, 'trend')]);
  sealer.report(poll(0, 1, { alias: [], unchanged: 1, isEvent: true }));
  await clock.advance(COVERAGE_WAIT_MS);
  const [only] = data();
  expect([only?.record.lane, only?.keep, only?.record.taken]).toEqual(['live', 'trend', 1]);
});

test('the coverage of a group never passes readings of it that another batch holds', () => {
  const { sealer, data } = bench([point(0, 'trend'), point(1, 'trend')]);
  sealer.report(poll(0, 2, { alias: [0, 1] }));
  sealer.report(poll(0, 2, { alias: [1], unchanged: 1, isEvent: true }));
  sealer.flush();
  expect(data().map(({ record, body }) => [record.lane, ...body.readings!.alias])).toEqual([
    ['live', 0, 1],
    ['event', 1],
  ]);
});

test('a fill is sealed at once with its own times, counts for nothing and is never the newest', () => {
  const { clock, sealer, data } = bench([point(0, 'compliance'), point(1, 'trend')]);
  const none = { points: 0, unchanged: 0, failed: 0 };
  const at = clock.monoMs();
  sealer.report(poll(0, 2, { alias: [0], values: [7] }));
  const uncertain = qualityCode('uncertain', 'sensor_fault');
  const monoMs = [at - 5_000, at - 4_000];
  const fill = { alias: [0, 0], monoMs, values: [1, 2], qualities: [0, uncertain], isFill: true };
  sealer.report(poll(0, 2, { ...fill, ...none }));
  const [only, ...others] = data();
  expect(others).toEqual([]);
  expect(only?.record).toMatchObject({ lane: 'backfill', taken: 0, readings: 2 });
  expect(only?.keep).toBe('compliance');
  expect(only?.body).toMatchObject({ isFill: true, isState: false, coverage: [] });
  expect([...only!.body.readings!.monoMs]).toEqual([-5_000, -4_000]);
  const quality = ['good', 'uncertain'].map((it) => qualityCode(it as 'good', 'history'));
  expect([...only!.body.readings!.quality]).toEqual(quality);
  sealer.flush();
  sealer.sealState();
  expect(data().at(-1)!.body).toMatchObject({ isState: true });
  expect([...data().at(-1)!.body.readings!.numbers]).toEqual([7]);
  expect(sealer.counts).toMatchObject({ taken: 2, readings: 1 });
});

test('what devices say of their values goes with the readings and with the state', () => {
  const { sealer, data } = bench(run(0, 3).map((it) => point(it, 'trend')));
  const origin = { status: 0x40920000, sourceMs: 1_767_225_600_000.4, serverMs: null };
  sealer.report(poll(0, 3, { alias: [0] }));
  sealer.report(poll(0, 3, { alias: [1, 2], origins: [origin, null] }));
  sealer.flush();
  sealer.report(poll(0, 3, { alias: [0] }));
  sealer.flush();
  sealer.sealState();
  const [with3, without, state] = data().map(({ body }) => body.readings!);
  const said = { ...origin, sourceMs: 1_767_225_600_000 };
  const originsOf = (columns: ReadingColumns) =>
    Array.from({ length: columns.count }, (_, at) => originAt(columns.origins, at));
  expect(originsOf(with3!)).toEqual([null, said, null]);
  expect(without).not.toHaveProperty('origins');
  expect(originsOf(state!)).toEqual([null, said, null]);
});

test('debts become gap records that settle them, and are not offered before they are durable', () => {
  const { sealer, data, offered } = bench([point(0, 'trend')]);
  const debt = (id: number, manifest: string): Debt => ({
    id,
    cause: id % 3 === 0 ? 'missed' : 'overflow',
    epoch: '1-00000000000000aa',
    manifest,
    firstAlias: 0,
    points: 1,
    fromMonoMs: 0,
    toMonoMs: 10,
    readings: 5,
    unchanged: 0,
    estimated: false,
    sequences: run(0, 500).map((it) => ({ first: 3 * it + 1, last: 3 * it + 1 })),
  });
  const before = offered.length;
  sealer.tellDebts(run(1, 10).map((id) => debt(id, id > 8 ? '' : sealer.manifest)));
  expect(offered.length).toBe(before);
  expect(data().flatMap(({ settles }) => settles)).toEqual(run(1, 10));
  expect(data().reduce((sum, { record }) => sum + record.givenUp, 0)).toBe(7 * 5);
  const nameless = data().filter(({ record }) => record.manifest === '');
  expect(nameless.flatMap(({ body }) => body.gaps.map(({ points }) => points))).toEqual([0, 0]);
});

const value = fc.oneof(
  fc.integer({ min: -32_768, max: 65_535 }),
  fc.double({ noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant('open'),
  fc.string({ maxLength: 80 }),
  fc.constant(2n ** 63n),
);

const event = fc.oneof(
  fc.record({
    kind: fc.constant('poll' as const),
    group: fc.nat({ max: 2 }),
    reported: fc.array(fc.tuple(fc.nat({ max: 399 }), value, fc.boolean()), { maxLength: 600 }),
    urgent: fc.boolean(),
    isEvent: fc.boolean(),
    isFill: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('missed' as const),
    group: fc.nat({ max: 2 }),
    polls: fc.integer({ min: 1, max: 50 }),
  }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.nat({ max: 12_000 }) }),
  fc.record({ kind: fc.constant('state' as const) }),
  fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -1e9, max: 1e9 }) }),
);

test('due = taken + missed and taken = readings + unchanged, in each record and in sum, whatever comes', async () => {
  const classes: readonly PointClass[] = ['life-safety', 'compliance', 'trend'];
  const points = run(0, 1_200).map((it) => point(it, classes[Math.floor(it / 400)]!, it % 7));
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 30 }), async (events) => {
      const { clock, sealer, data, offered, entries } = bench(points);
      let due = 0;
      for (const it of events) {
        if (it.kind === 'wait') await clock.advance(it.ms);
        else if (it.kind === 'state') sealer.sealState();
        else if (it.kind === 'step') clock.stepWall(it.ms);
        else {
          const firstAlias = it.group * 400;
          const atMs = clock.monoMs();
          if (it.kind === 'missed') {
            due += it.polls * 400;
            const times = { fromMonoMs: atMs, toMonoMs: atMs };
            sealer.missed({ firstAlias, points: 400, polls: it.polls, ...times });
            continue;
          }
          if (!it.isFill) due += 400;
          const none = it.isFill ? { isFill: true, unchanged: 0, failed: 0, urgent: false } : {};
          const chosen = [...new Map(it.reported.map((one) => [one[0], one])).values()];
          sealer.report(
            poll(firstAlias, 400, {
              alias: chosen.map(([at]) => firstAlias + at),
              values: chosen.map(([, it, isBad]): Value => (isBad ? null : it)),
              qualities: chosen.map(([, , isBad]) => (isBad ? timeout : 0)),
              failed: chosen.filter(([, , isBad]) => isBad).length,
              urgent: it.urgent,
              isEvent: it.isEvent && !it.isFill,
              toMonoMs: atMs,
              ...none,
            }),
          );
        }
      }
      sealer.close();
      let taken = 0;
      let missed = 0;
      const lastOf = new Map<number, number>();
      for (const { record, body } of data()) {
        const isAgain = body.isState || body.isFill;
        expect(record.taken).toBe(isAgain ? 0 : record.readings + record.unchanged);
        const covered = body.coverage.reduce((sum, it) => sum + it.taken, 0);
        expect(covered).toBe(record.taken);
        const unchanged = body.coverage.reduce((sum, it) => sum + it.unchanged, 0);
        expect(unchanged).toBe(record.unchanged);
        taken += record.taken;
        for (const gap of body.gaps) missed += gap.readings;
        if (isAgain || !body.readings) continue;
        // A point is sealed in the order in which it was taken.
        body.readings.alias.forEach((alias, at) => {
          const time = body.readings!.monoMs[at]!;
          expect(time).toBeGreaterThanOrEqual(lastOf.get(alias) ?? 0);
          lastOf.set(alias, time);
        });
      }
      expect(taken + missed).toBe(due);
      expect(sealer.counts).toMatchObject({ taken, missed });
      expect(sealer.counts.readings + sealer.counts.unchanged).toBe(taken);
      expect(entries.map(({ record }) => record.sequence)).toEqual(run(1, entries.length));
      expect(offered.length).toBe(entries.length);
    }),
    { numRuns: 60 },
  );
});
