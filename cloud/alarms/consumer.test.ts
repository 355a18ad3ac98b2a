import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import type { RuleProposal } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { Lane } from '../../core/reading.ts';
import type { Alarm } from './alarm.ts';
import { AlarmConsumer } from './consumer.ts';
import type { RecordParts, Value } from './made-records.ts';
import { entry, hashOf, high, newInbox, nextRow, noData, record, WALL } from './made-records.ts';
import type { AlarmEvent } from './occurrences.ts';

const li = { name: 'li', from: 'desk' };
const zhang = { name: 'zhang', from: 'desk' };

const databases: DatabaseSync[] = [];
function memory(): DatabaseSync {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  return database;
}
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function open(rules: readonly RuleProposal[] = [high()]) {
  const database = memory();
  const consumer = new AlarmConsumer(database);
  const manifest = record({ sequence: 1, lane: 'event', manifest: [entry(1, rules)] });
  consumer.apply([manifest], WALL);
  return { database, consumer };
}

/** Without the one that the registry adds where none says that the point is silent. */
const proposedRules = (consumer: AlarmConsumer) =>
  consumer.rules().filter(({ rule }) => rule.id !== 'no-data');
const ofLimits = (consumer: AlarmConsumer) =>
  consumer.list({ state: 'all' }).filter(({ rule }) => rule === 'high');
const kinds = (events: readonly AlarmEvent[]) => events.map(({ kind }) => kind);
const paged = (consumer: AlarmConsumer) =>
  consumer.tables.outgoing(1000).map(({ transition, alarm }) => [transition, alarm.occurrence]);
const faultOf = (work: () => unknown) => {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return null;
};

test('an excursion is raised, acknowledged and cleared, with sample and receive times, and all of it is in the journal', () => {
  const { consumer } = open();
  expect(consumer.apply([record({ sequence: 2, readings: [[1, 1000, 5]] })], WALL)).toEqual([]);
  const beyond = record({ sequence: 3, readings: [[1, 2000, 12]], receivedMs: WALL + 2100 });
  const [raised] = consumer.apply([beyond], WALL + 2150);
  expect(raised).toMatchObject({
    kind: 'raised',
    alarm: {
      state: 'B',
      key: 'gw-1/d/p1',
      rule: 'high',
      version: 1,
      value: 12,
      limit: 10,
      raisedMs: WALL + 2000,
      raisedReceivedMs: WALL + 2100,
      asset: 'gas/well-1',
      isHistorical: false,
    },
  });
  const { occurrence } = raised!.alarm;
  expect(consumer.list()).toEqual([raised!.alarm]);
  expect(kinds(consumer.acknowledge(occurrence, zhang, 'on my way', WALL + 9000))).toEqual([
    'acknowledged',
  ]);
  expect(consumer.get(occurrence)).toMatchObject({ state: 'C', acknowledgedBy: 'zhang' });
  const again = () => consumer.acknowledge(occurrence, li, '', WALL + 9001);
  expect(faultOf(again)).toBe('alarm_acknowledged');
  const back = record({ sequence: 4, readings: [[1, 3000, 7.9]] });
  expect(kinds(consumer.apply([back], WALL + 3100))).toEqual(['cleared']);
  expect(consumer.get(occurrence)).toMatchObject({ state: 'A', clearedMs: WALL + 3000 });
  expect(consumer.list()).toEqual([]);
  expect(paged(consumer)).toEqual([
    ['raised', occurrence],
    ['cleared', occurrence],
  ]);
  expect(consumer.journal(0, 10, occurrence).map(({ kind, who }) => [kind, who])).toEqual([
    ['alarm-raised', 'lifeline'],
    ['alarm-acknowledged', 'zhang'],
    ['alarm-cleared', 'lifeline'],
  ]);
});

test('only the newest occurrence can be acknowledged; the one before is superseded', () => {
  const { consumer } = open();
  const readings = [5, 12, 5, 12].map((value, at) => [1, at * 1000, value] as const);
  const events = consumer.apply([record({ sequence: 2, readings })], WALL);
  const [first, , , second] = events.map(({ alarm }) => alarm.occurrence);
  expect(kinds(events)).toEqual(['raised', 'cleared', 'superseded', 'raised']);
  expect(faultOf(() => consumer.acknowledge(first!, li, '', WALL))).toBe('alarm_superseded');
  expect(consumer.get(first!)?.supersededBy).toBe(second);
  expect(consumer.list().map(({ occurrence }) => occurrence)).toEqual([second]);
  expect(faultOf(() => consumer.acknowledge('none', li, '', WALL))).toBe('alarm_unknown');
});

test('the journal cannot be changed or shortened', () => {
  const { database } = open();
  expect(() => database.exec('DELETE FROM alarm_journal')).toThrow(/append-only/);
  expect(() => database.exec(`UPDATE alarm_journal SET who = 'x'`)).toThrow(/append-only/);
});

const setTo = (limit: number) => ({ kind: 'set', rule: high({ limit }) }) as const;

test('a proposal is adopted until a person decides; afterwards it is shown and never applied', () => {
  const { consumer } = open();
  const propose = (sequence: number, limit: number) =>
    record({ sequence, lane: 'event', manifest: [entry(1, [high({ limit })])] });
  consumer.apply([propose(2, 20)], WALL);
  expect(proposedRules(consumer)).toMatchObject([
    { version: 2, author: 'gateway gw-1', proposed: null },
  ]);
  const { definition, ...point } = entry(1, []);
  const trend = { ...point, definition: { ...definition, class: 'trend' } } as const;
  consumer.decide(trend, 'high', { decision: setTo(30), who: li, reason: 'site visit' }, WALL);
  consumer.apply([propose(3, 40), propose(4, 40)], WALL);
  const [rule] = proposedRules(consumer);
  expect(rule).toMatchObject({ version: 3, author: 'li', rule: { limit: 30 } });
  expect(rule?.proposed).toMatchObject({ limit: 40 });
  expect(consumer.journal(0, 100, 'gw-1/d/p1/high').map(({ kind }) => kind)).toEqual([
    'rule-in-force',
    'rule-in-force',
    'rule-in-force',
    'rule-proposed',
  ]);
});

test('an old manifest that comes late changes no rule', () => {
  const { consumer } = open();
  const propose = (sequence: number, limit: number) =>
    record({ sequence, lane: 'event', manifest: [entry(1, [high({ limit })])] });
  consumer.apply([propose(5, 20), propose(3, 15)], WALL);
  expect(proposedRules(consumer)).toMatchObject([{ rule: { limit: 20 } }]);
});

test('rules follow the dictionary that records go by, also one that came back without being told of', () => {
  const { consumer } = open([high({ limit: 10 })]);
  const other = [entry(1, [high({ limit: 20 })])];
  const back = [entry(1, [high({ limit: 10 })])];
  consumer.apply([record({ sequence: 2, lane: 'event', manifest: other })], WALL);
  expect(proposedRules(consumer)).toMatchObject([{ rule: { limit: 20 } }]);
  const reading = record({ sequence: 3, readings: [[1, 1000, 12]] });
  const dictionary = { hash: hashOf(back), entries: back };
  expect(kinds(consumer.apply([{ ...reading, dictionary }], WALL))).toEqual(['raised']);
  expect(proposedRules(consumer)).toMatchObject([{ rule: { limit: 10 } }]);
});

test('a point that comes to speak in another unit is not judged by its value in the old one', () => {
  const { consumer } = open([high({ limit: 600 })]);
  consumer.apply([record({ sequence: 2, readings: [[1, 1000, 500]] })], WALL);
  const [old] = [entry(1, [high({ limit: 6 })])];
  const bar = { ...old!, definition: { ...old!.definition, unit: 'kbar', scale: 0.01 } };
  const changed = record({ sequence: 3, lane: 'event', manifest: [bar] });
  expect(consumer.apply([changed], WALL)).toEqual([]);
  const next = record({ sequence: 4, readings: [[1, 2000, 5]] });
  const above = record({ sequence: 5, readings: [[1, 3000, 7]] });
  expect(kinds(consumer.apply([next, above], WALL))).toEqual(['raised']);
});

test('what was taken before the record that made the dictionary known is evaluated when it comes', () => {
  const consumer = new AlarmConsumer(memory());
  const entries = [entry(1, [high({ onDelayMs: 2000 })])];
  const dictionary = { hash: hashOf(entries), entries };
  const read = (sequence: number, monoMs: number, value: number) => ({
    ...record({ sequence, readings: [[1, monoMs, value]], covered: [[1], monoMs, monoMs] }),
    dictionary,
  });
  consumer.apply([record({ sequence: 1 }), read(8, 5000, 6)], WALL);
  const others = [{ ...entries[0]!, definition: { ...entries[0]!.definition, scale: 0.1 } }];
  const old = { sequence: 2, epoch: '0-00000000000000cc', receivedMs: WALL + 6000 } as const;
  const inOtherTerms = record({ ...old, lane: 'backfill', readings: [[1, 5, 90]] });
  const before = { ...inOtherTerms, dictionary: { hash: hashOf(others), entries: others } };
  const late = [before, read(4, 1000, 12), read(5, 2000, 13), read(6, 3000, 14), read(7, 4000, 5)];
  consumer.apply(late, WALL);
  consumer.apply([record({ sequence: 2 }), record({ sequence: 3 })], WALL);
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 1000, raisedMs: WALL + 3000, clearedMs: WALL + 4000, isHistorical: true },
  ]);
});

test('a rule that is lowered below the newest value raises at once; one that is withdrawn clears', () => {
  const { consumer } = open();
  consumer.apply([record({ sequence: 2, readings: [[1, 1000, 9]] })], WALL);
  const lower = [entry(1, [high({ limit: 8 })])];
  const raised = consumer.apply([record({ sequence: 3, lane: 'event', manifest: lower })], WALL);
  expect(kinds(raised)).toEqual(['raised']);
  const withdrawn = record({ sequence: 4, lane: 'event', manifest: [entry(1, [])] });
  expect(kinds(consumer.apply([withdrawn], WALL))).toEqual(['cleared']);
  expect(proposedRules(consumer)).toMatchObject([{ retired: true }]);
});

test('a silent gateway is one alarm after 60 s, cleared when it is heard; its points raise no data nowhere', () => {
  const { consumer } = open([noData]);
  consumer.apply(
    [record({ sequence: 2, readings: [[1, 1000, 5]], covered: [[1], 0, 1000] })],
    WALL,
  );
  consumer.presence('gw-1', true, WALL);
  const events: AlarmEvent[] = [];
  for (let second = 1; second <= 70; second++) {
    if (second === 5) events.push(...consumer.presence('gw-1', false, WALL + 5000));
    events.push(...consumer.tick(WALL + second * 1000));
  }
  expect(events).toMatchObject([{ kind: 'raised', alarm: { rule: 'gateway-silent', level: 3 } }]);
  const { occurrence, raisedMs } = events[0]!.alarm;
  expect(raisedMs).toBe(WALL + 65_000);
  consumer.acknowledge(occurrence, li, '', WALL + 71_000);
  const back = consumer.presence('gw-1', true, WALL + 80_000);
  expect(back).toMatchObject([{ kind: 'cleared', alarm: { occurrence, state: 'A' } }]);
  expect(consumer.tick(WALL + 80_500)).toEqual([]);
});

test('a start of the cloud, or a step of its clock, makes no wave of silent gateways', () => {
  const { database, consumer } = open();
  consumer.tick(WALL);
  expect(consumer.tick(WALL + 3_600_000)).toEqual([]);
  const later = new AlarmConsumer(database);
  expect(later.tick(WALL + 9_000_000)).toEqual([]);
  expect(later.tick(WALL + 9_001_000)).toEqual([]);
});

test('a point that is covered is not silent; one that nobody polls while its gateway goes on is', () => {
  const database = memory();
  const consumer = new AlarmConsumer(database);
  const manifest = [entry(1, [noData]), entry(2, [noData])];
  consumer.apply([record({ sequence: 1, lane: 'event', manifest })], WALL);
  const first = [1, 2].map((series) => [series, 0, 5] as const);
  const events = consumer.apply(
    [record({ sequence: 2, readings: first, covered: [[1, 2], 0, 0] })],
    WALL,
  );
  for (let second = 5; second <= 30; second += 5) {
    const covered = [[1], (second - 4) * 1000, second * 1000] as const;
    events.push(...consumer.apply([record({ sequence: 2 + second / 5, covered })], WALL));
  }
  expect(events).toMatchObject([{ kind: 'raised', alarm: { series: 2, raisedMs: WALL + 10_000 } }]);
});

test('coverage waits for a record that is missing: what it holds decides, not what was known before it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const start = record({ sequence: 2, readings: [[1, 0, 12]], covered: [[1], 0, 1000] });
  const lost = record({ sequence: 3, readings: [[1, 2000, 5]], covered: [[1], 2000, 2000] });
  const later = record({ sequence: 4, covered: [[1], 3000, 9000] });
  lost.row satisfies { row: number };
  expect(consumer.apply([start], WALL)).toEqual([]);
  expect(consumer.apply([later], WALL)).toEqual([]); // Beyond since 0 s would be an alarm at 5 s.
  const resent = { ...lost, row: { ...lost.row, row: nextRow() } };
  expect(consumer.apply([resent], WALL)).toEqual([]);
  expect(consumer.list({ state: 'all' })).toEqual([]);
});

test('a lost record that brought the excursion raises when it comes again', () => {
  const { consumer } = open([high({ onDelayMs: 2000 })]);
  consumer.apply([record({ sequence: 2, readings: [[1, 0, 5]], covered: [[1], 0, 1000] })], WALL);
  consumer.apply([record({ sequence: 4, covered: [[1], 3000, 9000] })], WALL);
  const lost = record({ sequence: 3, readings: [[1, 2000, 12]], covered: [[1], 2000, 2000] });
  expect(consumer.apply([lost], WALL)).toMatchObject([
    { kind: 'raised', alarm: { raisedMs: WALL + 4000, isHistorical: false } },
  ]);
});

test('a sample that comes ahead of its coverage restarts no delay', () => {
  const { consumer } = open([high({ onDelayMs: 6000 })]);
  consumer.apply([record({ sequence: 2, readings: [[1, 0, 12]], covered: [[1], 0, 0] })], WALL);
  consumer.apply([record({ sequence: 3, readings: [[1, 5000, 13]] })], WALL);
  const covered = record({ sequence: 4, covered: [[1], 1000, 6000] });
  expect(consumer.apply([covered], WALL)).toMatchObject([{ alarm: { raisedMs: WALL + 6000 } }]);
});

test('a card restored from an older image is heard as now, once the other epoch is silent', () => {
  const { consumer } = open();
  const ahead = '9-00000000000000bb';
  consumer.apply([record({ sequence: 1, epoch: ahead, readings: [[1, 1000, 5]] })], WALL);
  const restored = (sequence: number, receivedMs: number, value: number) =>
    record({
      sequence,
      epoch: '3-00000000000000cc',
      readings: [[1, sequence * 1000, value]],
      receivedMs,
    });
  expect(consumer.apply([restored(1, WALL + 2000, 12)], WALL)).toEqual([
    expect.objectContaining({ kind: 'historical' }),
  ]);
  expect(kinds(consumer.apply([restored(2, WALL + 60_000, 12)], WALL))).toEqual(['raised']);
});

// ---- A gateway as the wire shows it, with outages: what the properties below run on.

interface World {
  /** Values of one point, one a second; null is bad. */
  readonly values: readonly Value[];
  /** Seconds without uplink, [from, to): their records come later as backfill. */
  readonly outage: readonly [number, number];
  /** With it: a state record first, then live, then the backlog behind. */
  readonly backlogAfter: number;
  /**
   * Mixes the backlog when it is given: topics overtake one another, what was lost is sent again.
   */
  readonly mix?: readonly number[];
}

const worldArbitrary: fc.Arbitrary<World> = fc
  .record({
    values: fc.array(fc.integer({ min: 6, max: 13 }), { minLength: 12, maxLength: 40 }),
    a: fc.nat({ max: 39 }),
    b: fc.nat({ max: 39 }),
    backlogAfter: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ values, a, b, backlogAfter }) => {
    const from = 1 + (Math.min(a, b) % (values.length - 6));
    const to = Math.min(values.length - 5, Math.max(from, Math.max(a, b)));
    return { values, outage: [from, to] as const, backlogAfter };
  });

/** Records in the order in which the cloud gets them. */
function recordsOf({ values, outage: [from, to], backlogAfter, mix }: World): RecordParts[] {
  const live: RecordParts[] = [];
  const backlog: RecordParts[] = [];
  let reported: Value | undefined;
  let newest: readonly [number, number, Value] = [1, 0, 0];
  let sequence = 2;
  values.forEach((value, second) => {
    const monoMs = second * 1000;
    const isOut = second >= from && second < to;
    if (second === to && to > from) {
      live.push({ sequence: sequence++, isState: true, readings: [newest] });
    }
    const changed = value !== reported;
    reported = value;
    if (changed) newest = [1, monoMs, value];
    const readings = changed ? [newest] : [];
    const parts = { sequence: sequence++, readings, covered: [[1], monoMs, monoMs] } as const;
    if (isOut) backlog.push({ ...parts, lane: 'backfill' });
    else live.push(parts);
    if (second === Math.min(to + backlogAfter, values.length - 1)) {
      if (mix) backlog.sort((a, b) => mix[a.sequence]! - mix[b.sequence]!);
      live.push(...backlog.splice(0));
    }
  });
  return live;
}

function dump(database: DatabaseSync): string {
  const tables = [
    'alarm_rules',
    'alarm_states',
    'alarm_marks',
    'alarm_gateways',
    'alarm_stretches',
  ];
  const all = [...tables, 'alarms', 'alarm_journal', 'alarm_outgoing', 'alarm_meta'];
  return all
    .map((table) => JSON.stringify(database.prepare(`SELECT * FROM ${table}`).all()))
    .join('\n');
}

const end = WALL + 1_000_000;
function play(rules: readonly RuleProposal[], world: World, batch: number, reopen: boolean) {
  newInbox();
  const { database, consumer: first } = open(rules);
  let consumer = first;
  const records = recordsOf(world).map(record);
  for (let at = 0; at < records.length; at += batch) {
    consumer.apply(records.slice(at, at + batch), end);
    // The last batch comes again, as after a crash between the commit and what follows it.
    if (reopen) consumer = new AlarmConsumer(database);
    if (reopen) consumer.apply(records.slice(0, at + batch), end);
  }
  consumer.tick(end + 1);
  return { database, consumer };
}

const rulesArbitrary = fc
  .tuple(fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }))
  .map(([on, off]) => [high({ onDelayMs: on * 1000, offDelayMs: off * 1000 }), noData]);

test('a restart after every record, and every record again, leaves the tables as they were', () => {
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, (rules, world) => {
      const whole = dump(play(rules, world, 1, false).database);
      expect(dump(play(rules, world, 1, true).database)).toEqual(whole);
    }),
    { numRuns: 60 },
  );
});

test('any batching of the inbox gives the same alarms', () => {
  fc.assert(
    fc.property(
      rulesArbitrary,
      worldArbitrary,
      fc.integer({ min: 2, max: 9 }),
      (rules, world, batch) => {
        const alarms = ({ consumer }: { consumer: AlarmConsumer }) =>
          consumer.list({ state: 'all' });
        expect(alarms(play(rules, world, batch, false))).toEqual(
          alarms(play(rules, world, 1, false)),
        );
      },
    ),
    { numRuns: 60 },
  );
});

const intervalsOf = (alarms: readonly Alarm[]) =>
  alarms
    .map(({ rule, raisedMs, clearedMs }) => [rule, raisedMs - WALL, clearedMs && clearedMs - WALL])
    .sort((a, b) => Number(a[1]) - Number(b[1]));

test('an outage changes no interval: what came late ends up as if it had come in time', () => {
  const rules = [high({ deadband: 0 })];
  fc.assert(
    fc.property(worldArbitrary, (world) => {
      const late = play(rules, world, 1, false).consumer;
      const inTime = play(rules, { ...world, outage: [1, 1] }, 1, false).consumer;
      expect(intervalsOf(late.list({ state: 'all' }))).toEqual(
        intervalsOf(inTime.list({ state: 'all' })),
      );
    }),
    { numRuns: 300 },
  );
});

test('the order in which a backlog comes changes no interval', () => {
  const mixed = fc.array(fc.nat(), { minLength: 64, maxLength: 64 });
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, mixed, (rules, world, mix) => {
      const inOrder = play(rules, world, 1, false).consumer;
      const inDisorder = play(rules, { ...world, mix }, 1, false).consumer;
      expect(intervalsOf(inDisorder.list({ state: 'all' }))).toEqual(
        intervalsOf(inOrder.list({ state: 'all' })),
      );
    }),
    { numRuns: 300 },
  );
});

test('a record that is missing from before an excursion does not hide it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const first = record({ sequence: 2, readings: [[1, 0, 5]], covered: [[1], 0, 0] });
  const beyond = record({ sequence: 4, readings: [[1, 2000, 12]], covered: [[1], 2000, 2000] });
  const held = record({ sequence: 5, covered: [[1], 3000, 10_000] });
  const back = record({ sequence: 6, readings: [[1, 20_000, 5]], covered: [[1], 11_000, 20_000] });
  const events = consumer.apply([first, beyond, held, back], WALL);
  expect(kinds(events)).toEqual(['raised', 'cleared']);
  const lost = record({ sequence: 3, covered: [[1], 1000, 1000] });
  expect(consumer.apply([lost], WALL)).toEqual([]);
  expect(events[0]?.alarm).toMatchObject({ raisedMs: WALL + 7000 });
});

test('an excursion in which more than one record was lost is known when they come', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const first = record({ sequence: 2, readings: [[1, 0, 5]], covered: [[1], 0, 0] });
  const beyond = record({ sequence: 4, readings: [[1, 2000, 12]], covered: [[1], 2000, 2000] });
  const on = record({ sequence: 6, readings: [[1, 20_000, 13]], covered: [[1], 19_000, 20_000] });
  const back = record({ sequence: 7, readings: [[1, 22_000, 5]], covered: [[1], 21_000, 22_000] });
  expect(consumer.apply([first, beyond, on, back], WALL)).toEqual([]);
  const held = record({ sequence: 5, covered: [[1], 3000, 18_000] });
  const lost = record({ sequence: 3, covered: [[1], 1000, 1000] });
  consumer.apply([held, lost], WALL);
  expect(consumer.list({ state: 'historical' })).toMatchObject([
    { beganMs: WALL + 2000, raisedMs: WALL + 7000, clearedMs: WALL + 22_000 },
  ]);
});

test('an excursion after the outage does not take the name of one that began before it and ended in it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const first = [[1, 2000, 12]] as const;
  const start = record({ sequence: 2, readings: first, covered: [[1], 2000, 2000] });
  const second = [[1, 40_000, 13]] as const;
  const state = record({ sequence: 6, isState: true, readings: second });
  consumer.apply([start, state], WALL);
  const back = [[1, 20_000, 5]] as const;
  const late = [
    record({ sequence: 3, lane: 'backfill', covered: [[1], 3000, 19_000] }),
    record({ sequence: 4, lane: 'backfill', readings: back, covered: [[1], 20_000, 39_000] }),
    record({ sequence: 5, lane: 'backfill', covered: [[1], 40_000, 40_000] }),
  ];
  const live = record({ sequence: 7, covered: [[1], 41_000, 50_000] });
  consumer.apply([...late, live], WALL);
  expect(consumer.list({ state: 'all' })).toMatchObject([
    { beganMs: WALL + 40_000, isHistorical: false, clearedMs: null },
    { beganMs: WALL + 2000, clearedMs: WALL + 20_000, isHistorical: true },
  ]);
});

test('an excursion that live evaluation took for the rest of the one before it is known when what was between comes', () => {
  const { consumer } = open([high({ onDelayMs: 5000, offDelayMs: 4000 })]);
  const reading = (sequence: number, monoMs: number, value: number) =>
    record({ sequence, readings: [[1, monoMs, value]], covered: [[1], monoMs, monoMs] });
  const held = (sequence: number, fromMs: number, toMs: number) =>
    record({ sequence, covered: [[1], fromMs, toMs] });
  const live = [
    reading(2, 0, 12),
    held(3, 1000, 10_000),
    reading(6, 40_000, 13),
    held(7, 41_000, 50_000),
    held(8, 51_000, 59_000),
    reading(9, 60_000, 5),
    held(10, 61_000, 70_000),
  ];
  const late = [reading(4, 20_000, 5), held(5, 21_000, 39_000)];
  consumer.apply([...live, ...late], WALL);
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 40_000, raisedMs: WALL + 45_000, clearedMs: WALL + 64_000 },
    { beganMs: WALL, clearedMs: WALL + 24_000 },
  ]);
});

test('a sample that is lost behind another lost one belongs to the excursion it was in', () => {
  const { consumer } = open([high({ onDelayMs: 5000, offDelayMs: 4000 })]);
  const read = (sequence: number, monoMs: number, value: number) =>
    record({ sequence, readings: [[1, monoMs, value]], covered: [[1], monoMs - 999, monoMs] });
  const live = [read(2, 1000, 5), read(3, 2000, 12), read(5, 4000, 13), read(7, 6000, 14)];
  consumer.apply([...live, read(8, 7000, 15), read(9, 8000, 5), read(4, 3000, 12)], WALL);
  consumer.apply([read(10, 9000, 5), read(11, 10_000, 5), read(12, 11_000, 5)], WALL);
  consumer.apply([read(13, 12_000, 5), read(14, 13_000, 5), read(6, 5000, 13)], WALL);
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([{ beganMs: WALL + 2000, clearedMs: WALL + 12_000 }]);
});

test('an excursion after a restart does not take the name of one that was rising before it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const next = '2-00000000000000bb';
  const start = record({ sequence: 2, readings: [[1, 2000, 12]], covered: [[1], 2000, 2000] });
  const booted = record({ sequence: 1, epoch: next, readings: [[1, 100, 13]] });
  const back = [[1, 20_000, 5]] as const;
  const again = [[1, 40_000, 13]] as const;
  const late = [
    record({ sequence: 3, lane: 'backfill', covered: [[1], 3000, 19_000] }),
    record({ sequence: 4, lane: 'backfill', readings: back, covered: [[1], 20_000, 20_000] }),
    record({ sequence: 5, lane: 'backfill', readings: again, covered: [[1], 21_000, 40_000] }),
  ];
  const held = record({ sequence: 2, epoch: next, covered: [[1], 101, 9000] });
  const events = consumer.apply([start, booted, ...late, held], WALL);
  expect(events.at(-1)).toMatchObject({ kind: 'raised', alarm: { beganMs: WALL + 100 } });
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 100, isHistorical: false, clearedMs: null },
    { beganMs: WALL + 2000, isHistorical: true, clearedMs: WALL + 20_000 },
  ]);
});

test('an excursion taken live for the rest of one that had ended before a restart is raised when that is known', () => {
  const { consumer } = open([high({ onDelayMs: 5000, offDelayMs: 4000 })]);
  const next = '2-00000000000000bb';
  const start = record({ sequence: 2, readings: [[1, 0, 12]], covered: [[1], 0, 0] });
  const held = record({ sequence: 3, covered: [[1], 1000, 9000] });
  const first = record({ sequence: 1, epoch: next, readings: [[1, 1000, 5]] });
  const again = record({ sequence: 2, epoch: next, readings: [[1, 4000, 13]] });
  const on = record({ sequence: 3, epoch: next, covered: [[1], 4001, 60_000] });
  const back = { sequence: 4, lane: 'backfill', readings: [[1, 10_000, 5]] } as const;
  const after = { sequence: 5, lane: 'backfill', covered: [[1], 11_000, 30_000] } as const;
  consumer.apply([start, held, first, again, on, record(back), record(after)], WALL);
  expect(paged(consumer)).toHaveLength(1);
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 4000, raisedMs: WALL + 9000, clearedMs: null, isHistorical: false },
    { beganMs: WALL, clearedMs: WALL + 14_000 },
  ]);
});

test('an alarm from before a restart does not become one that began after it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const next = '2-00000000000000bb';
  const of = (sequence: number, monoMs: number, value: number, lane: Lane = 'backfill') => {
    const parts = { sequence, epoch: next, lane, receivedMs: WALL + 100_000 } as const;
    const covered = [[1], monoMs - 999, monoMs] as const;
    return record({ ...parts, readings: [[1, monoMs, value]], covered });
  };
  const start = record({ sequence: 2, readings: [[1, 0, 12]], covered: [[1], 0, 0] });
  const held = record({ sequence: 3, covered: [[1], 1000, 9000] });
  consumer.apply([start, held, of(9, 9000, 12, 'live')], WALL);
  const late = [of(1, 1000, 5), ...[2, 3, 4, 5, 6, 7, 8].map((it) => of(it, it * 1000, 12))];
  consumer.apply([...late, of(10, 10_000, 12, 'live')], WALL);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 2000, raisedMs: WALL + 7000, clearedMs: null, isHistorical: false },
    { beganMs: WALL, raisedMs: WALL + 5000, isHistorical: false },
  ]);
  expect(ofLimits(consumer)[1]!.clearedMs).not.toBeNull();
});

test('a stretch of history goes on where the one before it ended, whatever live evaluation made of it', () => {
  const { consumer } = open([high({ onDelayMs: 5000, offDelayMs: 4000 })]);
  const reading = (sequence: number, monoMs: number, value: number) =>
    record({ sequence, readings: [[1, monoMs, value]], covered: [[1], monoMs, monoMs] });
  const held = (sequence: number, fromMs: number, toMs: number) =>
    record({ sequence, covered: [[1], fromMs, toMs] });
  const live = [
    reading(2, 0, 12),
    held(3, 1000, 10_000),
    reading(5, 40_000, 5),
    reading(7, 60_000, 12),
    reading(9, 80_000, 5),
    held(10, 81_000, 90_000),
  ];
  const late = [held(8, 61_000, 79_000), held(6, 41_000, 59_000)];
  consumer.apply([...live, ...late, held(4, 11_000, 39_000)], WALL);
  consumer.tick(WALL + 200_000);
  expect(ofLimits(consumer)).toMatchObject([
    { beganMs: WALL + 60_000, raisedMs: WALL + 65_000, clearedMs: WALL + 84_000 },
    { beganMs: WALL, clearedMs: WALL + 44_000 },
  ]);
});

test('coverage that waited for a record before a state record still ends delays in history', () => {
  const { consumer } = open([high({ onDelayMs: 5000 })]);
  const held = (sequence: number, fromMs: number, toMs: number) =>
    record({ sequence, lane: 'backfill', covered: [[1], fromMs, toMs] });
  consumer.apply([record({ sequence: 2, readings: [[1, 0, 5]], covered: [[1], 0, 0] })], WALL);
  const live = record({ sequence: 9, readings: [[1, 30_000, 5]], covered: [[1], 29_000, 30_000] });
  const beyond = [[1, 2000, 12]] as const;
  const back = [[1, 20_000, 5]] as const;
  const late = [
    record({ sequence: 4, lane: 'backfill', readings: beyond, covered: [[1], 2000, 2000] }),
    held(5, 3000, 10_000),
    record({ sequence: 6, lane: 'backfill', readings: back, covered: [[1], 11_000, 20_000] }),
    held(7, 21_000, 28_000),
  ];
  const state = record({ sequence: 8, isState: true, readings: [[1, 20_000, 5]] });
  consumer.apply([live, ...late, state, held(3, 1000, 1000)], WALL);
  consumer.tick(WALL + 200_000);
  expect(consumer.list({ state: 'historical' })).toMatchObject([
    { raisedMs: WALL + 7000, clearedMs: WALL + 20_000, isHistorical: true },
  ]);
});

test('history pages nobody, and what holds now pages once', () => {
  fc.assert(
    fc.property(rulesArbitrary, worldArbitrary, (rules, world) => {
      const { consumer } = play(rules, world, 1, false);
      const pages = consumer.tables.outgoing(1000);
      const raised = pages.filter(({ transition }) => transition === 'raised');
      const names = raised.map(({ alarm }) => alarm.occurrence);
      expect(new Set(names).size).toBe(names.length);
      for (const alarm of consumer.list({ state: 'all' })) {
        const isPaged = names.includes(alarm.occurrence);
        expect(isPaged).toBe(!alarm.isHistorical);
      }
      const last = world.values.at(-1)!;
      if (rules[0]!.onDelayMs === 0 && last !== null && last >= 10) {
        const active = consumer
          .list()
          .filter(({ rule, clearedMs }) => rule === 'high' && clearedMs === null);
        expect(active).toHaveLength(1);
      }
    }),
    { numRuns: 300 },
  );
});

test('an excursion inside the outage is historical, with its true times', () => {
  const world: World = {
    values: [5, 5, 5, 5, 12, 12, 12, 5, 5, 5, 5, 5, 5, 5, 5, 5],
    outage: [2, 10],
    backlogAfter: 2,
  };
  const { consumer } = play([high({ onDelayMs: 1000 })], world, 1, false);
  expect(consumer.list({ state: 'historical' })).toMatchObject([
    { raisedMs: WALL + 5000, clearedMs: WALL + 7000, state: 'A', isHistorical: true },
  ]);
  expect(paged(consumer)).toEqual([]);
});

test('an excursion that began in the outage and holds is an alarm now; history moves its beginning back', () => {
  const world: World = {
    values: [5, 5, 5, 5, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13, 12, 13],
    outage: [2, 10],
    backlogAfter: 2,
  };
  const { consumer } = play([high()], world, 1, false);
  const [alarm, ...others] = consumer.list({ state: 'all' });
  expect(others).toEqual([]);
  expect(alarm).toMatchObject({ beganMs: WALL + 4000, raisedMs: WALL + 4000, isHistorical: false });
  expect(paged(consumer)).toEqual([['raised', alarm!.occurrence]]);
});

test('a transaction that fails leaves nothing behind, in the tables or in memory', () => {
  const { database, consumer } = open();
  consumer.apply([record({ sequence: 2, readings: [[1, 1000, 5]] })], WALL);
  const before = dump(database);
  database.exec(`CREATE TRIGGER full BEFORE INSERT ON alarm_outgoing
    BEGIN SELECT raise(ABORT, 'disk full'); END`);
  const beyond = record({ sequence: 3, readings: [[1, 2000, 12]] });
  expect(() => consumer.apply([beyond], WALL)).toThrow(/disk full/);
  expect(dump(database)).toBe(before);
  database.exec('DROP TRIGGER full');
  expect(kinds(consumer.apply([beyond], WALL))).toEqual(['raised']);
  expect(consumer.cursor).toBe(beyond.row.row);
});

test('an event beyond a limit raises its alarm, and the next one ends it', () => {
  const { consumer } = open([high()]);
  const event = (sequence: number, monoMs: number, value: number) =>
    record({ sequence, lane: 'event', readings: [[1, monoMs, value]] });
  expect(kinds(consumer.apply([event(2, 1000, 12)], WALL))).toEqual(['raised']);
  // Order is by the monotonic clock: one that comes late is history.
  expect(consumer.apply([event(4, 9000, 13), event(3, 8000, 5)], WALL)).toEqual([]);
  expect(kinds(consumer.apply([event(5, 12_000, 5)], WALL))).toContain('cleared');
});

test('a fill raises nothing, ends nothing, moves no time on and leaves no hole behind it', () => {
  const { consumer } = open([high({ onDelayMs: 5000 }), noData]);
  const beyond = [1, 2000, 12] as const;
  consumer.apply([record({ sequence: 2, readings: [beyond], covered: [[1], 0, 2000] })], WALL);
  const fill = (sequence: number, monoMs: number, value: number, lane: Lane = 'backfill') =>
    record({ sequence, lane, isFill: true, readings: [[1, monoMs, value]] });
  const fills = [fill(3, 1000, 99), fill(4, 3000, 0), fill(5, 900_000, 99, 'live')];
  expect(consumer.apply(fills, WALL)).toEqual([]);
  const held = record({ sequence: 6, covered: [[1], 3000, 7000] });
  const events = consumer.apply([held], WALL);
  expect(kinds(events)).toEqual(['raised']);
  expect(ofLimits(consumer)).toMatchObject([{ beganMs: WALL + 2000, raisedMs: WALL + 7000 }]);
  expect(consumer.tables.stretches()).toEqual([]);
});
