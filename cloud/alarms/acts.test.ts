import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import type { LimitRule, RuleProposal } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { Act } from './acts.ts';
import { REMOVAL_MAX_MS, SHELF_MAX_MS, TEST_MAX_MS } from './acts.ts';
import { AlarmConsumer } from './consumer.ts';
import { entry, high, newInbox, noData, record, WALL } from './made-records.ts';

const li = { name: 'li', from: 'desk-1' };
const zhang = { name: 'zhang', from: 'desk-2' };
const HOUR_MS = 3_600_000;

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

/** One point, values as they come, one a second. */
function desk(rules: readonly RuleProposal[]) {
  newInbox();
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const consumer = new AlarmConsumer(database);
  consumer.apply([record({ sequence: 1, lane: 'event', manifest: [entry(1, rules)] })], WALL);
  consumer.tick(WALL); // A later step of hours is then a pause, and no gateway's silence.
  let second = 0;
  return {
    database,
    consumer,
    nowMs: () => WALL + second * 1000,
    reads: (value: number) => {
      second++;
      const reading = [1, second * 1000, value] as const;
      return consumer
        .apply([record({ sequence: second + 1, readings: [reading] })], WALL + second * 1000)
        .map(({ kind, alarm: { rule, state } }) => `${rule} ${kind} ${state}`);
    },
    act: (target: string, act: Act, actor = li) =>
      consumer.act(target, act, actor, WALL + second * 1000),
    states: () =>
      consumer
        .list({ state: 'all' })
        .map(({ rule, state }) => `${rule} ${state}`)
        .reverse(),
    calls: () =>
      consumer.tables.outgoing(100).map(({ transition, alarm }) => `${alarm.rule} ${transition}`),
  };
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'done';
}

const third = high({ level: 3 });
const shelve = { kind: 'shelve', forMs: HOUR_MS, isOneShot: false, reason: 'works' } as const;
const remove = { kind: 'remove', forMs: HOUR_MS, workOrder: 'WO-7', reason: 'new cell' } as const;
const target = 'gw-1/d/p1/high';

test('what is shelved calls nobody, and what still holds when the shelf ends is an alarm anew', () => {
  const { consumer, reads, act, calls, states } = desk([third]);
  act(target, shelve);
  expect(reads(12)).toEqual(['high raised G']);
  expect(calls()).toEqual([]);
  expect(consumer.list()).toEqual([]);
  expect(consumer.list({ state: 'shelved' })).toMatchObject([
    { state: 'G', shelf: { by: 'li', reason: 'works' } },
  ]);
  expect(consumer.tick(WALL + HOUR_MS - 1)).toEqual([]);
  const [unshelved, annunciated] = consumer.tick(WALL + HOUR_MS);
  expect([unshelved?.kind, annunciated?.kind]).toEqual(['unshelved', 'annunciated']);
  expect(states()).toEqual(['high B']);
  expect(calls()).toEqual(['high raised']);
});

test('a shelf for one time ends with the alarm, and the next one calls', () => {
  const { reads, act, calls } = desk([third]);
  reads(12);
  act(target, { ...shelve, isOneShot: true });
  expect(reads(5)).toEqual(['high cleared A', 'high unshelved A']);
  expect(reads(12)).toEqual(['high raised B']);
  expect(calls()).toEqual(['high raised', 'high cleared', 'high raised']);
});

test('level I is never shelved, level II takes two people', () => {
  const one = desk([high({ level: 1 })]);
  expect(codeOf(() => one.act(target, shelve))).toBe('act_malformed');
  const two = desk([high({ level: 2 })]);
  two.reads(12);
  const { approval, events } = two.act(target, shelve);
  expect(events).toEqual([]);
  expect(two.states()).toEqual(['high B']);
  expect(codeOf(() => two.consumer.approve(approval!.id, true, li, two.nowMs()))).toBe(
    'approval_same_person',
  );
  two.consumer.approve(approval!.id, true, zhang, two.nowMs());
  expect(two.consumer.list({ state: 'shelved' })).toMatchObject([{ shelf: { by: 'li, zhang' } }]);
});

test('what was asked about one occurrence never puts aside the next', () => {
  const { consumer, reads, act, nowMs } = desk([high({ level: 2 })]);
  reads(12);
  const { approval } = act(target, shelve);
  reads(5);
  reads(12);
  expect(codeOf(() => consumer.approve(approval!.id, true, zhang, nowMs()))).toBe(
    'alarm_superseded',
  );
  expect(consumer.list()).toMatchObject([{ state: 'B' }]);
  const [first] = consumer.list({ state: 'all' }).slice(-1);
  expect(codeOf(() => act(first!.occurrence, remove))).toBe('alarm_superseded');
});

test('nothing is hidden without a reason or for longer than its limit', () => {
  const { act, consumer } = desk([third]);
  const refused: Act[] = [
    { ...shelve, reason: ' ' },
    { ...shelve, forMs: SHELF_MAX_MS + 1 },
    { ...shelve, forMs: 0 },
    { ...remove, workOrder: '' },
    { ...remove, forMs: REMOVAL_MAX_MS + 1 },
  ];
  for (const each of refused) expect(codeOf(() => act(target, each))).toBe('act_malformed');
  const test = (forMs: number, reason: string) =>
    codeOf(() => consumer.test('gw-1/d', { forMs, reason }, li, WALL));
  expect([test(TEST_MAX_MS + 1, 'x'), test(1000, '')]).toEqual(['act_malformed', 'act_malformed']);
  expect(codeOf(() => act('gw-1/d/p1/none', shelve))).toBe('alarm_unknown');
});

test('out of service returns by itself at the end of its work order', () => {
  const { consumer, reads, act, states } = desk([third]);
  act(target, remove);
  expect(consumer.acts.hidden()).toMatchObject([{ target }]);
  reads(12);
  expect(states()).toEqual(['high I']);
  consumer.tick(WALL + HOUR_MS);
  expect(states()).toEqual(['high B']);
  expect(consumer.acts.hidden()).toEqual([]);
});

test('a latched alarm stays until it is reset, which its condition must be over for', () => {
  const { reads, act, states } = desk([{ ...third, isLatching: true }]);
  reads(12);
  const [occurrence] = [target];
  expect(codeOf(() => act(occurrence!, { kind: 'reset', note: '' }))).toBe('act_refused');
  reads(5);
  expect(states()).toEqual(['high E']);
  act(target, { kind: 'acknowledge', note: '' });
  expect(states()).toEqual(['high F']);
  act(target, { kind: 'reset', note: 'seal mended' });
  expect(states()).toEqual(['high A']);
});

test('of a class without acknowledgement nothing is left when it is over', () => {
  const { reads, states } = desk([{ ...third, isSelfAcknowledging: true }]);
  reads(12);
  reads(5);
  expect(states()).toEqual(['high A']);
});

test('acknowledged and still active after its time, it calls again under a name of its own', () => {
  const { consumer, reads, act, calls, nowMs } = desk([{ ...third, reAlarmMs: HOUR_MS }]);
  reads(12);
  act(target, { kind: 'acknowledge', note: '' });
  expect(consumer.tick(nowMs() + HOUR_MS - 1)).toEqual([]);
  expect(consumer.tick(nowMs() + HOUR_MS).map(({ kind }) => kind)).toEqual(['annunciated']);
  expect(calls()).toEqual(['high raised', 'high annunciated']);
});

const highHigh: LimitRule = {
  ...high({ level: 2, limit: 20 }),
  id: 'high-high',
  side: 'high-high',
};

test('limits of one side are one ladder: the worse hides the one before it, and calls again', () => {
  const { reads, states, calls } = desk([third, highHigh]);
  expect(reads(12)).toEqual(['high raised B']);
  expect(reads(25)).toEqual(['high-high raised B', 'high suppressed H']);
  expect(states()).toEqual(['high H', 'high-high B']);
  // Between the two again: the first is shown, and called nobody twice.
  expect(reads(12)).toEqual(['high-high cleared D', 'high unsuppressed B']);
  expect(calls()).toEqual(['high raised', 'high-high raised', 'high-high cleared']);
  expect(reads(5)).toEqual(['high cleared D']);
});

test('one jump over two limits is one call, and a second one when the worse is over first', () => {
  const { reads, states, calls } = desk([third, highHigh]);
  expect(reads(25)).toEqual(['high-high raised B', 'high raised H']);
  expect(calls()).toEqual(['high-high raised']);
  reads(12);
  expect(states().sort()).toEqual(['high B', 'high-high D']);
  expect(calls()).toEqual(['high-high raised', 'high-high cleared', 'high raised']);
});

test('who puts the worse one aside sees the one before it', () => {
  const { reads, act, states } = desk([third, { ...highHigh, level: 3 }]);
  reads(25);
  act('gw-1/d/p1/high-high', shelve);
  expect(states().sort()).toEqual(['high B', 'high-high G']);
});

test('a test marks the alarms of its device, and what still holds after it is an alarm for all', () => {
  const { consumer, reads, calls, nowMs } = desk([third]);
  consumer.test('gw-1/d', { forMs: HOUR_MS, reason: 'bump test' }, li, nowMs());
  reads(12);
  expect(consumer.list()).toMatchObject([{ test: { by: 'li', reason: 'bump test' } }]);
  expect(consumer.tables.outgoing(10)[0]?.alarm.test?.by).toBe('li');
  consumer.tick(WALL + HOUR_MS);
  expect(consumer.list()).toMatchObject([{ test: null, state: 'B' }]);
  expect(calls()).toEqual(['high raised', 'high annunciated']);
});

test('a silent gateway hides that its points do not speak, and gives it back', () => {
  const { consumer, reads, states } = desk([{ ...noData, level: 3 }]);
  reads(1);
  // The gateway goes on with another point.
  const goesOn = (sequence: number, fromMs: number, untilMs: number) =>
    consumer.apply(
      [record({ sequence, covered: [[2], fromMs, untilMs], receivedMs: WALL + untilMs })],
      WALL + untilMs,
    );
  goesOn(3, 0, 2000);
  goesOn(4, 2000, 14_000);
  expect(states()).toEqual(['no-data B']);
  consumer.tick(WALL + 14_000);
  for (let second = 15; second <= 75; second++) consumer.tick(WALL + second * 1000);
  expect(states()).toEqual(['no-data H', 'gateway-silent B']);
  goesOn(5, 14_000, 76_000);
  expect(states()).toEqual(['no-data B', 'gateway-silent D']);
});

test('a restart forgets nothing of what hides, what is tested and what is due', () => {
  const { database, consumer, reads, act } = desk([third, highHigh]);
  act(target, shelve);
  reads(25);
  consumer.test('gw-1/d', { forMs: HOUR_MS / 2, reason: 'bump test' }, li, WALL);
  const again = new AlarmConsumer(database);
  expect(again.acts.tests()).toEqual(consumer.acts.tests());
  expect(again.acts.hidden().map(({ target: what }) => what)).toEqual([target]);
  expect(again.tick(WALL + HOUR_MS).map(({ kind }) => kind)).toEqual(['unshelved']);
});

test('a bad value holds the alarm, and an alarm of its own says that the sensor is not heard', () => {
  const { consumer, reads, states } = desk([third]);
  reads(12);
  const bad = (sequence: number, ms: number) =>
    consumer.apply(
      [record({ sequence, readings: [[1, ms, null]], covered: [[1], 1000, ms] })],
      WALL,
    );
  bad(3, 2000);
  bad(4, 31_999);
  expect(states()).toEqual(['high B']);
  bad(5, 33_000);
  expect(states()).toEqual(['high B', 'no-data B']);
});

test('an alarm brings the response sheet of its rule', () => {
  const cause = { en: 'leak', zh: '泄漏' };
  const { consumer, reads } = desk([{ ...third, cause, timeAvailableMs: 600_000 }]);
  reads(12);
  const sheet = { cause, consequence: null, timeAvailableMs: 600_000, basis: null };
  expect(consumer.list()).toMatchObject([{ sheet }]);
});
