import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Input } from '../../core/alarm/evaluate.ts';
import type { LimitRule, Rule, RuleProposal } from '../../core/alarm/rule.ts';
import { MemoryStore } from '../store/memory.ts';
import { AlarmConsumer } from './consumer.ts';
import type { RecordParts, Value } from './made-records.ts';
import { entry, high, newInbox, noData, record, WALL } from './made-records.ts';
import { RECORDING_PAGE, recorded } from './recording.ts';
import type { ReplayedAlarm, ReplayJob } from './replay.ts';
import { Rerun, replay, without } from './replay.ts';

const KEY = 'gw-1/d/p1';
const job = (rule: Rule, present: Rule | null = null): ReplayJob => ({
  ...{ series: 1, key: KEY, periodMs: 1000, rule, present },
});
const turn = async () => {};
const EPOCHS = ['1-00000000000000aa', '2-00000000000000bb'] as const;

interface World {
  /** One a second; null is bad; 'unpolled' is a second in which nobody asked. */
  readonly values: readonly (Value | 'unpolled')[];
  /** The gateway restarts before this second. */
  readonly restart: number;
  readonly rules: readonly [LimitRule, RuleProposal];
}

const worldArbitrary: fc.Arbitrary<World> = fc.record({
  values: fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.integer({ min: 6, max: 13 }) },
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constant('unpolled' as const) },
    ),
    { minLength: 5, maxLength: 60 },
  ),
  restart: fc.nat({ max: 80 }),
  rules: fc
    .tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }), fc.boolean())
    .map(([on, off, isLow]) => [
      high({
        ...{ onDelayMs: on * 1000, offDelayMs: off * 1000 },
        ...(isLow && { side: 'low', limit: 7 }),
      }),
      { ...noData, silentMs: 2000 },
    ]),
});

// As a gateway sends it that was never cut off: what did not change is coverage.
function recordsOf({ values, restart }: World): RecordParts[] {
  const records: RecordParts[] = [];
  let reported: Value | undefined;
  let [epoch, sequence] = [EPOCHS[0] as string, 2];
  values.forEach((value, second) => {
    if (second === restart) {
      [epoch, sequence, reported] = [EPOCHS[1], 1, undefined];
    }
    if (value === 'unpolled') return;
    const monoMs = second * 1000;
    const readings = value === reported ? [] : ([[1, monoMs, value]] as const);
    reported = value;
    records.push({ epoch, sequence: sequence++, readings, covered: [[1], monoMs, monoMs] });
  });
  return records;
}

async function recordedWorld(world: World) {
  newInbox();
  const series = [entry(1, world.rules)];
  const records = [record({ sequence: 1, manifest: series }), ...recordsOf(world).map(record)];
  const store = new MemoryStore();
  await store.apply(records, records.length);
  const database = new DatabaseSync(':memory:');
  const consumer = new AlarmConsumer(database);
  for (const each of records) consumer.apply([each], each.row.receivedMs);
  const alarms = consumer.list({ state: 'all', limit: 1_000 }).filter(({ series: at }) => at === 1);
  database.close();
  return { store, alarms };
}

const span = { fromMs: WALL - 1_000, toMs: WALL + 100_000 };

test('a recording in order, replayed with the rules in force, gives exactly the alarms that were raised', async () => {
  let raised = 0;
  const property = fc.asyncProperty(worldArbitrary, async (world) => {
    const { store, alarms } = await recordedWorld(world);
    const result = await replay(
      store,
      world.rules.map((rule) => job(rule, rule)),
      span,
      turn,
    );
    for (const { job: replayed, changed, present, added, gone } of result.rules) {
      const wanted = alarms
        .filter(({ rule }) => rule === replayed.rule.id)
        .map(({ beganMs, raisedMs, clearedMs }) => ({ beganMs, raisedMs, clearedMs }))
        .sort((a, b) => a.raisedMs - b.raisedMs);
      const times = ({ beganMs, raisedMs, clearedMs }: ReplayedAlarm) => ({
        ...{ beganMs, raisedMs, clearedMs },
      });
      expect(changed.alarms.map(times)).toEqual(wanted);
      expect(present).toEqual(changed);
      expect([added, gone]).toEqual([[], []]);
      raised += wanted.length;
    }
    expect(result.left).toEqual([]);
  });
  await fc.assert(property, { numRuns: 400 });
  expect(raised).toBeGreaterThan(100);
});

const world = (values: World['values'], rule: LimitRule = high()): World => ({
  ...{ values, restart: 99, rules: [rule, noData] },
});

test('a changed limit tells what it would have raised, its peak and share of time, what is new and what is gone', async () => {
  // Above 10 from 2 s to 5 s, above 8 also from 10 s to 12 s.
  const values = [5, 5, 11, 12, 11, 5, 5, 5, 5, 5, 9, 9, 5, 5];
  const { store } = await recordedWorld(world(values));
  const lower = high({ limit: 8.5, deadband: 0 });
  const higher = high({ limit: 20 });
  const { rules, steps } = await replay(
    ...([store, [job(lower, high()), job(higher, high())], span, turn] as const),
  );
  const [down, up] = rules;
  const first = {
    beganMs: WALL + 2_000,
    raisedMs: WALL + 2_000,
    clearedMs: WALL + 5_000,
    peak: 12,
  };
  const second = { beganMs: WALL + 10_000, raisedMs: WALL + 10_000, clearedMs: WALL + 12_000 };
  expect(down).toMatchObject({
    changed: { count: 2, alarms: [first, { ...second, peak: 9 }] },
    present: { count: 1, alarms: [first] },
    ...{ added: [second], gone: [] },
  });
  expect(down!.changed.share).toBeCloseTo(5_000 / (span.toMs - span.fromMs), 10);
  expect(up).toMatchObject({ changed: { count: 0, share: 0 }, added: [], gone: [first] });
  expect(steps).toBeGreaterThan(0);
});

test('what began before the span is told by its share, not counted, and a rule of no name in force has no present', async () => {
  const { store } = await recordedWorld(world([5, 11, 11, 11, 11, 11, 11, 11, 5, 5]));
  const late = { fromMs: WALL + 4_000, toMs: WALL + 14_000 };
  const { rules } = await replay(store, [job(high())], late, turn);
  expect(rules).toMatchObject([{ present: null, changed: { count: 0, share: 0.4, alarms: [] } }]);
});

test('what is still on at the end has no end', async () => {
  const { store } = await recordedWorld(world([5, 11, 11]));
  const { rules } = await replay(store, [job(high())], span, turn);
  expect(rules[0]!.changed).toMatchObject({ count: 1, alarms: [{ clearedMs: null, peak: 11 }] });
});

test('a rule with a window sees what was before the span', async () => {
  const { store } = await recordedWorld(world([...Array(20).fill(9), ...Array(20).fill(12)]));
  const mean: Rule = {
    ...{ id: 'mean', kind: 'statistic', statistic: 'mean', windowMs: 10_000, level: 2 },
    ...{ side: 'high', limit: 11, deadband: 0, onDelayMs: 0, offDelayMs: 0 },
    ...{ title: { en: 'x', zh: 'x' }, action: null },
  };
  const { rules } = await replay(store, [job(mean)], { ...span, fromMs: WALL + 20_000 }, turn);
  expect(rules[0]!.changed.count).toBe(1);
});

test('the extreme of a window is that of all its steps, also of those one coverage brings', () => {
  const falls: Rule = {
    ...{ id: 'falls', kind: 'rate', overMs: 10_000, level: 2, side: 'low', limit: -3 },
    ...{ deadband: 0, onDelayMs: 0, offDelayMs: 0, action: null, title: { en: 'x', zh: 'x' } },
  };
  const epoch = EPOCHS[0];
  const rerun = new Rerun({ key: KEY, periodMs: 1000, rule: falls }, span);
  const sample = (monoMs: number, value: number) =>
    rerun.take({
      ...{ kind: 'sample', epoch, monoMs, fromMonoMs: monoMs, atMs: WALL + monoMs, value },
      quality: 0,
    });
  const covered = (fromMonoMs: number, untilMonoMs: number) =>
    rerun.take({ kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs: WALL + untilMonoMs });
  sample(0, 9);
  covered(0, 20_000);
  sample(20_100, 5);
  // One piece of coverage brings the whole excursion and its end.
  covered(20_100, 60_000);
  const { alarms } = rerun.finish();
  expect(alarms).toMatchObject([{ peak: -4 }]);
  expect(alarms[0]!.clearedMs).toBeGreaterThan(alarms[0]!.raisedMs);
});

test('pages cut anywhere, also within one label, give the inputs of one whole page', async () => {
  const values = Array.from({ length: 200 }, (_, at) => (at * 7) % 13);
  const { store } = await recordedWorld(world(values));
  const whole: Input[] = [];
  for await (const { inputs } of recorded(store, 1, 1000, { fromMs: WALL, toMs: WALL + 300_000 })) {
    whole.push(...inputs);
  }
  const samples = (inputs: readonly Input[]) => inputs.filter(({ kind }) => kind === 'sample');
  for (const limit of [2, 7, 50]) {
    const paged: Input[] = [];
    const small = {
      history: (query: Parameters<MemoryStore['history']>[0]) => {
        expect(query.limit).toBe(RECORDING_PAGE);
        return store.history({ ...query, limit });
      },
    };
    for await (const { inputs } of recorded(small, 1, 1000, {
      fromMs: WALL,
      toMs: WALL + 300_000,
    })) {
      paged.push(...inputs);
    }
    expect(samples(paged).map(({ atMs }) => atMs)).toEqual(samples(whole).map(({ atMs }) => atMs));
    const rerun = (inputs: readonly Input[]) => {
      const rule = high({ onDelayMs: 1000 });
      const it = new Rerun({ key: KEY, periodMs: 1000, rule }, { ...span, toMs: WALL + 300_000 });
      for (const input of inputs) it.take(input);
      return it.finish();
    };
    expect(rerun(paged)).toEqual(rerun(whole));
  }
});

test('a comparison is named as left out', async () => {
  const { store } = await recordedWorld(world([5, 11]));
  const pair: Rule = {
    ...{ id: 'pair', kind: 'comparison', other: 'd/p2', by: 'difference', level: 2 },
    ...{ side: 'high', limit: 1, deadband: 0, onDelayMs: 0, offDelayMs: 0 },
    ...{ title: { en: 'x', zh: 'x' }, action: null },
  };
  const { rules, left } = await replay(store, [job(pair), job(high())], span, turn);
  expect(left).toMatchObject([{ why: 'comparison', job: { rule: { id: 'pair' } } }]);
  expect(rules).toHaveLength(1);
});

test('two lists of intervals differ by those that meet none of the other', () => {
  const interval = fc.tuple(fc.nat({ max: 50 }), fc.nat({ max: 6 }));
  const list = fc.array(interval, { maxLength: 12 }).map((pairs) => {
    let atMs = 0;
    return pairs.map(([gap, length]): ReplayedAlarm => {
      const raisedMs = atMs + gap + 1;
      atMs = raisedMs + length;
      return { beganMs: raisedMs, raisedMs, clearedMs: atMs, peak: null };
    });
  });
  fc.assert(
    fc.property(list, list, (one, other) => {
      const wanted = one.filter(
        (a) => !other.some((b) => b.raisedMs <= a.clearedMs! && b.clearedMs! >= a.raisedMs),
      );
      expect(without(one, other)).toEqual(wanted);
    }),
  );
});
