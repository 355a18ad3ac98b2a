// Rules with a memory through outages, restarts and disorder: whatever comes late and in whatever
// order, what held when ends up as if every record had come in its turn.
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { CATCH_UP_INPUTS_MAX } from './catch-up.ts';
import { AlarmConsumer } from './consumer.ts';
import type { RecordParts, Value } from './made-records.ts';
import { entry, newInbox, record, WALL } from './made-records.ts';

const common = {
  level: 2,
  title: { en: 'x', zh: 'x' },
  action: null,
  onDelayMs: 0,
  offDelayMs: 0,
} as const;
const high = { side: 'high', limit: 10, deadband: 0 } as const;

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

// ---- A gateway that polls one point a second, with outages and restarts.

interface World {
  readonly values: readonly Value[];
  /** Seconds without uplink, [from, to): their records come later, as backfill. */
  readonly outages: readonly (readonly [number, number])[];
  /** Seconds at which the gateway starts anew: another epoch, its sequence from one. */
  readonly restarts: readonly number[];
  /** Seconds until the backlog comes. */
  readonly backlogAfter: number;
  /** Mixes the backlog when it is given. */
  readonly mix: readonly number[] | null;
  /** Live records, by second, that come two seconds late. */
  readonly late: ReadonlySet<number>;
}

const EPOCHS = ['1-00000000000000aa', '2-00000000000000bb', '3-00000000000000cc'];

interface Sent extends RecordParts {
  readonly epoch: string;
  /** Place in the order in which it was made. */
  readonly made: number;
}

/** In the order in which the cloud gets them. */
function recordsOf(world: World): Sent[] {
  const { values, outages, restarts, backlogAfter, mix, late } = world;
  const sent: { readonly at: number; readonly parts: Sent }[] = [];
  let made = 0;
  let sequence = 2; // The first of the first epoch is the manifest.
  let epoch = 0;
  let reported: Value | undefined;
  let newest: readonly [number, number, Value] = [1, 0, 0];
  const give = (at: number, parts: Omit<RecordParts, 'sequence'>) => {
    const place = { epoch: EPOCHS[epoch]!, sequence: sequence++, made: made++ };
    const receivedMs = WALL + at * 1000;
    sent.push({ at, parts: { ...parts, ...place, receivedMs } });
  };
  values.forEach((value, second) => {
    if (restarts.includes(second) && epoch + 1 < EPOCHS.length) {
      epoch++;
      sequence = 1;
      reported = undefined;
    }
    const monoMs = second * 1000; // Labels follow it, so it goes on through a restart.
    const outage = outages.find(([from, to]) => second >= from && second < to);
    const isBack = outages.some(([from, to]) => second === to && to > from);
    if (isBack && reported !== undefined) give(second, { isState: true, readings: [newest] });
    const isChange = value !== reported;
    reported = value;
    if (isChange) newest = [1, monoMs, value];
    const readings = isChange ? [newest] : [];
    const parts = { readings, covered: [[1], monoMs, monoMs] } as const;
    if (!outage) give(second + (late.has(second) ? 2 : 0), parts);
    else {
      const after = outage[1] + backlogAfter + 0.5;
      give(after + (mix ? (mix[second % mix.length]! % 100) / 1000 : 0), {
        ...parts,
        lane: 'backfill',
      });
    }
  });
  return sent.sort((a, b) => a.at - b.at || a.parts.made - b.parts.made).map(({ parts }) => parts);
}

const END = WALL + 1_000_000;
function open(rules: readonly RuleProposal[]) {
  newInbox();
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const consumer = new AlarmConsumer(database);
  const manifest = record({ sequence: 1, lane: 'event', manifest: [entry(1, rules)] });
  consumer.apply([manifest], WALL);
  return { database, consumer };
}

function play(rules: readonly RuleProposal[], parts: readonly RecordParts[], reopen = false) {
  const opened = open(rules);
  let { consumer } = opened;
  for (const each of parts) {
    consumer.apply([record(each)], each.receivedMs!);
    if (reopen) consumer = new AlarmConsumer(opened.database);
  }
  consumer.tick(END);
  return consumer;
}

const inOrder = (parts: readonly Sent[]) =>
  [...parts].sort((a, b) => a.made - b.made).map((each) => ({ ...each, lane: 'live' as const }));

/** What held when; one that was raised in error ended the moment it began. */
const intervalsOf = (consumer: AlarmConsumer) =>
  consumer
    .list({ state: 'all', limit: 1000 })
    .filter(({ rule, raisedMs, clearedMs }) => rule !== 'no-data' && raisedMs !== clearedMs)
    .map(({ rule, raisedMs, clearedMs }) => [rule, raisedMs - WALL, clearedMs && clearedMs - WALL])
    .sort((a, b) => Number(a[1]) - Number(b[1]) || String(a[0]).localeCompare(String(b[0])));

const seconds = (min: number, max: number) => fc.integer({ min, max }).map((each) => each * 1000);
const rulesArbitrary: fc.Arbitrary<readonly RuleProposal[]> = fc
  .tuple(seconds(2, 8), seconds(0, 3), seconds(0, 3), fc.integer({ min: 7, max: 11 }))
  .map(([windowMs, onDelayMs, offDelayMs, limit]) => {
    const each = { ...common, ...high, limit, onDelayMs, offDelayMs };
    const statistic = { kind: 'statistic', windowMs } as const;
    return [
      { ...each, ...statistic, id: 'mean', statistic: 'mean' },
      { ...each, ...statistic, id: 'max', statistic: 'max', limit: 12 },
      { ...each, kind: 'rate', id: 'rate', overMs: windowMs, limit: 3 },
      { ...each, kind: 'duration', id: 'duration', windowMs: 2 * windowMs, totalMs: windowMs },
      { ...common, kind: 'frozen', id: 'frozen', forMs: windowMs, band: 1, onDelayMs, offDelayMs },
      { ...each, kind: 'cusum', id: 'cusum', target: limit, slack: 0.5, everyMs: 1000, limit: 3 },
    ] satisfies readonly RuleProposal[];
  });

const value = fc.option(fc.integer({ min: 6, max: 13 }), { freq: 12 });
const valuesArbitrary = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 6 }), value), { minLength: 6, maxLength: 16 })
  .map((runs) => runs.flatMap(([length, each]) => Array<Value>(length).fill(each)))
  .filter((all) => all.length >= 14);

const outagesOf = (count: number, pairs: readonly (readonly [number, number])[]) =>
  pairs
    .map(([from, length]) => [1 + (from % count), 1 + (from % count) + length] as const)
    .sort((a, b) => a[0] - b[0])
    .filter(([from], at, all) => at === 0 || from > all[at - 1]![1])
    .filter(([, to]) => to < count - 3);
const pairsArbitrary = fc.array(fc.tuple(fc.nat(80), fc.integer({ min: 1, max: 12 })), {
  minLength: 1,
  maxLength: 2,
});

const worldArbitrary: fc.Arbitrary<World> = fc
  .record({
    values: valuesArbitrary,
    pairs: pairsArbitrary,
    backlogAfter: fc.integer({ min: 0, max: 5 }),
    mix: fc.option(fc.array(fc.nat(), { minLength: 64, maxLength: 64 })),
  })
  .map(({ pairs, ...rest }) => ({
    ...rest,
    outages: outagesOf(rest.values.length, pairs),
    restarts: [],
    late: new Set<number>(),
  }));

const restarting = fc
  .tuple(worldArbitrary, fc.uniqueArray(fc.integer({ min: 3, max: 60 }), { maxLength: 2 }))
  .map(([world, restarts]) => ({
    ...world,
    // A gateway that starts anew while it is cut off is a case of its own, below.
    restarts: restarts
      .filter((at) => world.outages.every(([from, to]) => at < from || at > to + 1))
      .sort((a, b) => a - b),
  }));
const resending = fc
  .tuple(worldArbitrary, fc.uniqueArray(fc.integer({ min: 1, max: 80 }), { maxLength: 4 }))
  .map(([world, late]) => ({ ...world, outages: [], late: new Set(late) }));

test('live records that come two seconds late change no interval', () => {
  fc.assert(
    fc.property(rulesArbitrary, resending, (rules, world) => {
      const parts = recordsOf(world);
      expect(intervalsOf(play(rules, parts))).toEqual(intervalsOf(play(rules, inOrder(parts))));
    }),
    { numRuns: 100 },
  );
});

test('so it is when the gateway starts anew on the way', () => {
  fc.assert(
    fc.property(rulesArbitrary, restarting, (rules, world) => {
      const parts = recordsOf(world);
      expect(intervalsOf(play(rules, parts))).toEqual(intervalsOf(play(rules, inOrder(parts))));
    }),
    { numRuns: 100 },
  );
});

test('a start of the cloud after every record changes nothing', () => {
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, (rules, world) => {
      const parts = recordsOf(world);
      const all = (consumer: AlarmConsumer) =>
        consumer
          .list({ state: 'all', limit: 1000 })
          .filter(({ series }) => series !== null)
          .map(({ number: _, ...alarm }) => alarm);
      expect(all(play(rules, parts, true))).toEqual(all(play(rules, parts)));
    }),
    { numRuns: 40 },
  );
});

test('outages and a backlog in any order change no interval of a rule with a memory', () => {
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, (rules, world) => {
      const parts = recordsOf(world);
      expect(intervalsOf(play(rules, parts))).toEqual(intervalsOf(play(rules, inOrder(parts))));
    }),
    { numRuns: 200 },
  );
});

test('history pages nobody, and what is told last of an alarm is what is', () => {
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, (rules, world) => {
      const consumer = play(rules, recordsOf(world));
      const pages = consumer.tables.outgoing(1000);
      const falling = consumer.tables
        .states()
        .filter(({ state }) => state.verdict.phase === 'falling')
        .map(({ rule }) => rule);
      for (const alarm of consumer.list({ state: 'all', limit: 1000 })) {
        const { series, rule, occurrence, isHistorical, clearedMs } = alarm;
        const told = pages.filter((page) => page.alarm.occurrence === occurrence);
        expect(told.length > 0).toBe(!isHistorical);
        // One that live evaluation had ended, and that is about to end, is not told again.
        if (series === null || isHistorical || falling.includes(rule)) continue;
        expect(told.at(-1)?.transition).toBe(clearedMs === null ? 'raised' : 'cleared');
      }
    }),
    { numRuns: 100 },
  );
});

const mean = (windowMs: number): RuleProposal => ({
  ...common,
  ...high,
  kind: 'statistic',
  id: 'mean',
  statistic: 'mean',
  windowMs,
});
const read = (sequence: number, monoMs: number, value: Value): RecordParts => ({
  sequence,
  readings: [[1, monoMs, value]],
  covered: [[1], monoMs, monoMs],
  receivedMs: WALL + monoMs,
});

test('what waits for a record that never comes is bounded, and evaluation goes on', () => {
  const { database, consumer } = open([mean(10_000)]);
  let most = 0;
  const take = (parts: RecordParts) => {
    consumer.apply([record(parts)], parts.receivedMs!);
    for (const row of database.prepare('SELECT document FROM alarm_stretches').all()) {
      const { kind, inputs } = JSON.parse(String(row['document']));
      if (kind === 'catch-up') most = Math.max(most, inputs.length);
    }
  };
  for (let at = 0; at < 900; at++) if (at !== 5) take(read(2 + at, at * 1000, at % 2 ? 3 : 5));
  expect(most).toBe(CATCH_UP_INPUTS_MAX);
  for (let at = 900; at < 920; at++) take(read(2 + at, at * 1000, 20 + (at % 2)));
  consumer.tick(END);
  const found = consumer.list({ state: 'all' }).filter(({ rule }) => rule === 'mean');
  expect(found).toMatchObject([{ isHistorical: false, clearedMs: null }]);
});

test('an alarm that only half a window knew ends the moment it began, and one that holds is told', () => {
  const { consumer } = open([mean(10_000)]);
  const values = [...Array<Value>(30).fill(0), ...Array<Value>(8).fill(14), 13, 13, 13, 13];
  values.forEach((each, at) => {
    if (at < 10 || at >= 30) consumer.apply([record(read(2 + at, at * 1000, each))], WALL);
  });
  const live = consumer.list().filter(({ rule }) => rule === 'mean');
  expect(live).toMatchObject([{ raisedMs: WALL + 35_000 }]); // 14 in all that is known of 10 s.
  for (let at = 10; at < 30; at++) {
    consumer.apply([record({ ...read(2 + at, at * 1000, 0), lane: 'backfill' })], WALL);
  }
  consumer.tick(END);
  // With the zeros before it, the mean passes 10 at 38 s: (2 x 0 + 8 x 14) / 10 = 11.2.
  const found = consumer.list({ state: 'all' }).filter(({ rule }) => rule === 'mean');
  expect(found).toMatchObject([{ raisedMs: WALL + 38_000, isHistorical: false, clearedMs: null }]);
});
