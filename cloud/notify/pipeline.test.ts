import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { machine } from '../alarms/occurrences.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { notifierContract, sampleAlarm } from './channels/channel.contract.ts';
import { logNotifier } from './channels/log.ts';
import { Ledger } from './ledger.ts';
import { type Delivery, eventOf, type Notice, type Notifier, type Outcome } from './notifier.ts';
import { Pipeline, RETRY_FOR_MS } from './pipeline.ts';
import { REPEATS_MAX } from './plan.ts';
import { chainOf, type Route } from './route.ts';

notifierContract('log', {
  open: async () => {
    const ids: string[] = [];
    const note = (_event: string, fields?: Readonly<Record<string, unknown>>) => {
      ids.push(String(fields?.['id']));
    };
    return { notifier: logNotifier({ ...silentLog, warn: note }), received: async () => ids };
  },
  broken: null,
});

const confirmed: Outcome = { kind: 'sent', confirmedBy: 'desk' };
const accepted: Outcome = { kind: 'sent', confirmedBy: null };
const retry: Outcome = { kind: 'retry', why: 'http 500', afterMs: null };
const gone: Outcome = { kind: 'give-up', why: 'http 410', isReceiverGone: true };

/** A channel at the border: answers as it is told and keeps what it was sent. */
class Desk implements Notifier {
  readonly sent: string[] = [];
  answer: (delivery: Delivery) => Outcome | Promise<Outcome>;

  constructor(answer: Outcome | ((delivery: Delivery) => Outcome | Promise<Outcome>)) {
    this.answer = typeof answer === 'function' ? answer : () => answer;
  }

  async send({ deliveries: [delivery] }: Notice): Promise<Outcome> {
    this.sent.push(delivery.id);
    return this.answer(delivery);
  }
}

const page = { order: 'oldest', after: 0, limit: 100 } as const;
const databases: DatabaseSync[] = [];
const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
  for (const database of databases.splice(0)) database.close();
});

interface Setup {
  readonly clock: SimClock;
  readonly database: DatabaseSync;
  readonly tables: AlarmTables;
  readonly pipeline: Pipeline;
  readonly states: string[];
}

const all: Route = {
  id: 'all',
  match: {},
  chain: chainOf(['first', 'second'], 60_000),
};

function open(
  desks: Readonly<Record<string, Notifier>>,
  routes: readonly Route[] = [all],
  before?: Pick<Setup, 'clock' | 'database'>,
  machines: readonly string[] = [],
): Setup {
  const clock = before?.clock ?? new SimClock();
  const database = before?.database ?? new DatabaseSync(':memory:');
  if (!before) databases.push(database);
  const tables = new AlarmTables(database);
  const states: string[] = [];
  const pipeline = new Pipeline(clock, silentLog, new Metrics(), seededRandom(1), {
    tables,
    ledger: new Ledger(database),
    receivers: new Map(Object.entries(desks)),
    ...{ routes, machines },
    onChange: ({ receiver, transition, state }) =>
      states.push(`${receiver} ${transition} ${state}`),
  });
  return { clock, database, tables, pipeline, states };
}

function start({ pipeline }: Setup): AbortController {
  const stop = new AbortController();
  stops.push(stop);
  void pipeline.run(stop.signal);
  return stop;
}

const alarm = (occurrence: string, changes: Partial<Alarm> = {}): Alarm => ({
  ...sampleAlarm,
  occurrence,
  ...changes,
});
const ledger = ({ pipeline }: Setup) =>
  pipeline
    .deliveries()
    .map(({ id, receiver, state }) => `${id} ${receiver} ${state}`)
    .reverse();

test('a test of the path goes to machines alone, once, past routes and silences, and no person hears of it', async () => {
  const machine = new Desk(confirmed);
  const [first, second] = [new Desk(accepted), new Desk(accepted)];
  const setup = open({ machine, first, second }, [all], undefined, ['machine']);
  const { clock, tables, pipeline } = setup;
  const silence = { match: { levels: [2] }, forMs: 8 * 3_600_000, reason: 'works' };
  pipeline.silences.begin(silence, { name: 'zhang', from: 'here' });
  const test: Alarm = { ...sampleAlarm, level: 2, purpose: 'path-test' };
  const entries = () =>
    tables.journal.list({}, { order: 'oldest', after: 0, limit: 100 }).entries.length;
  const before = entries();
  tables.queue('raised', test, clock.wallMs());
  tables.queue('cleared', test, clock.wallMs());
  await Promise.all(pipeline.round(new AbortController().signal));
  await clock.advance(3_600_000);
  await Promise.all(pipeline.round(new AbortController().signal));
  expect([machine.sent.length, first.sent.length, second.sent.length]).toEqual([1, 0, 0]);
  expect(pipeline.deliveries().map(({ state, route }) => [state, route])).toEqual([
    ['confirmed', 'path-test'],
  ]);
  expect(entries()).toBe(before);
});

test('a test of the path that is taken and not confirmed escalates to nobody, and one that cannot go is given up', async () => {
  const machine = new Desk(accepted);
  const first = new Desk(accepted);
  const { clock, tables, pipeline } = open({ machine, first, second: first }, [all], undefined, [
    'machine',
  ]);
  const signal = new AbortController().signal;
  const test: Alarm = { ...sampleAlarm, purpose: 'path-test' };
  tables.queue('raised', test, clock.wallMs());
  for (let second = 0; second < 300; second++) {
    await Promise.all(pipeline.round(signal));
    await clock.advance(1_000);
  }
  expect([machine.sent.length, first.sent.length]).toEqual([1, 0]);
  machine.answer = () => retry;
  tables.queue('raised', { ...test, occurrence: 'f'.repeat(32) }, clock.wallMs());
  for (let second = 0; second < 300; second++) {
    await Promise.all(pipeline.round(signal));
    await clock.advance(1_000);
  }
  expect(pipeline.deliveries().map(({ state }) => state)).toEqual(['failed', 'accepted']);
  expect(first.sent).toEqual([]);
});

test('queued, sent, accepted and confirmed are four things with four times', async () => {
  const first = new Desk(accepted);
  const setup = open({ first, second: new Desk(confirmed) });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(2_000);
  const [delivery] = setup.pipeline.deliveries();
  expect(delivery).toMatchObject({ state: 'accepted', confirmedMs: null, confirmedBy: null });
  const atMs = setup.clock.wallMs();
  expect(setup.pipeline.confirm('a.raised', 'zhang', atMs)).toBe('confirmed');
  expect(setup.pipeline.confirm('a.raised', 'li', atMs)).toBe('already');
  expect(setup.pipeline.confirm('b.raised', 'li', atMs)).toBe('unknown');
  expect(setup.pipeline.deliveries()).toMatchObject([{ state: 'confirmed', confirmedBy: 'zhang' }]);
  await setup.clock.advance(600_000);
  expect(first.sent).toEqual(['a.raised']);
  expect(setup.states).toEqual([
    'first raised queued',
    'first raised sent',
    'first raised accepted',
    'first raised confirmed',
  ]);
});

test('what went out in other words than the site had in mind stands in the ledger beside it', async () => {
  const note = 'built-in words: this alarm has no {limit}';
  const setup = open({ first: new Desk({ ...accepted, note }), second: new Desk(accepted) });
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  start(setup);
  await setup.clock.advance(1_000);
  expect(setup.pipeline.deliveries()).toMatchObject([{ state: 'accepted', why: note }]);
});

test('who is told next hears who was told before and did not confirm', async () => {
  const heard: Notice['told'][] = [];
  const second: Notifier = {
    send: async ({ told }) => {
      heard.push(told);
      return accepted;
    },
  };
  const setup = open({ first: new Desk(accepted), second });
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  start(setup);
  await setup.clock.advance(61_000);
  expect(heard).toEqual([[[{ name: 'first', state: 'undelivered' }]]]);
});

test('what the disk had no room for is not taken for done: the next is told as soon as there is room', async () => {
  const second = new Desk(confirmed);
  const setup = open({ first: new Desk(accepted), second });
  const transact = setup.tables.transact.bind(setup.tables);
  let isFull = false;
  setup.tables.transact = (work) =>
    transact(() => {
      const result = work();
      const full = { code: 'ERR_SQLITE_ERROR', errcode: 13 };
      if (isFull) throw Object.assign(new Error('database or disk is full'), full);
      return result;
    });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(59_000);
  isFull = true;
  await setup.clock.advance(10_000);
  expect(ledger(setup)).toEqual(['a.raised first accepted']);
  expect(second.sent).toEqual([]);
  isFull = false;
  await setup.clock.advance(2_000);
  expect(second.sent).toEqual(['a.raised']);
  expect(ledger(setup)).toEqual(['a.raised first undelivered', 'a.raised second confirmed']);
});

test('what nobody confirms in a minute is undelivered, and the next in the chain is told under the same id', async () => {
  const first = new Desk(accepted);
  const second = new Desk(confirmed);
  const setup = open({ first, second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(59_000);
  expect(second.sent).toEqual([]);
  await setup.clock.advance(5_000);
  expect(second.sent).toEqual(['a.raised']);
  expect(ledger(setup)).toEqual(['a.raised first undelivered', 'a.raised second confirmed']);
});

test('an overdue step of a case is told down the chain, each time under an id of its own, with the case', async () => {
  const first = new Desk(confirmed);
  const second = new Desk(accepted);
  const setup = open({ first, second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  for (const count of [1, 2]) {
    const escalation = {
      case: '2026-0001',
      state: 'new',
      step: count,
      count,
      dueMs: 0,
      owner: null,
    };
    setup.tables.queue('escalated', alarm('a'), setup.clock.wallMs(), escalation);
    await setup.clock.advance(2_000);
  }
  await setup.clock.advance(600_000);
  expect(first.sent).toEqual(['a.raised']);
  expect(second.sent).toEqual(['a.escalated-1', 'a.escalated-2']);
  const [delivery] = setup.pipeline.deliveries();
  expect(delivery).toMatchObject({
    state: 'accepted',
    escalation: { case: '2026-0001', count: 2 },
  });
  expect(eventOf(delivery!)).toMatchObject({
    type: 'alarm.escalated',
    data: { id: 'a', case: { id: '2026-0001', escalation: 2 } },
  });
});

test('the last of a chain is told again, a bounded number of times', async () => {
  const first = new Desk(accepted);
  const setup = open({ first }, [{ ...all, chain: chainOf(['first'], 60_000) }]);
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(3_600_000);
  expect(first.sent).toHaveLength(1 + REPEATS_MAX);
  expect(new Set(first.sent).size).toBe(1);
  // Nobody is left, and that shows.
  expect(ledger(setup)).toEqual(['a.raised first undelivered', 'a.raised nobody undelivered']);
  expect(setup.pipeline.confirm('a.raised', 'zhang', setup.clock.wallMs())).toBe('confirmed');
});

test('a receiver that fails is tried again for days, with growing pauses, and then given up', async () => {
  const first = new Desk(retry);
  const setup = open({ first }, [{ ...all, chain: chainOf(['first'], 60_000) }]);
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(10_000);
  expect(first.sent.length).toBeGreaterThan(2);
  expect(first.sent.length).toBeLessThan(8);
  first.answer = () => confirmed;
  await setup.clock.advance(60_000);
  expect(ledger(setup)).toEqual(['a.raised first confirmed']);
  first.answer = () => retry;
  setup.tables.queue('raised', alarm('b'), setup.clock.wallMs());
  const before = first.sent.length;
  await setup.clock.advance(2_000);
  setup.clock.stepWall(RETRY_FOR_MS);
  await setup.clock.advance(60_000);
  expect(first.sent.length).toBeGreaterThan(before);
  expect(setup.pipeline.deliveries().slice(0, 2)).toMatchObject([
    { receiver: 'nobody', state: 'undelivered', why: 'nobody could be told' },
    { receiver: 'first', state: 'failed', why: 'http 500' },
  ]);
});

test('410 ends a receiver for good: the next is told at once, now and for every further alarm', async () => {
  const first = new Desk(gone);
  const second = new Desk(confirmed);
  const setup = open({ first, second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(2_000);
  setup.tables.queue('raised', alarm('b'), setup.clock.wallMs());
  await setup.clock.advance(2_000);
  expect(first.sent).toEqual(['a.raised']);
  expect(second.sent).toEqual(['a.raised', 'b.raised']);
  expect(ledger(setup)).toEqual([
    'a.raised first failed',
    'a.raised second confirmed',
    'b.raised first failed',
    'b.raised second confirmed',
  ]);
});

test('the end is told after the beginning, and only to those who were told of it', async () => {
  const first = new Desk((delivery) => (delivery.attempts < 3 ? retry : confirmed));
  const second = new Desk(confirmed);
  const setup = open({ first, second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  setup.tables.queue('cleared', alarm('a', { clearedMs: 1 }), setup.clock.wallMs());
  await setup.clock.advance(30_000);
  expect(first.sent.filter((id) => id === 'a.raised')).toHaveLength(3);
  expect(first.sent.indexOf('a.cleared')).toBe(3);
  expect(second.sent).toEqual([]);
});

test('level 1 goes before what was queued earlier', async () => {
  const first = new Desk(confirmed);
  const setup = open({ first }, [{ ...all, chain: chainOf(['first'], 60_000) }]);
  for (const [name, level] of [
    ['a', 4],
    ['b', 3],
    ['c', 1],
  ] as const) {
    setup.tables.queue('raised', alarm(name, { level }), setup.clock.wallMs());
  }
  await Promise.all(setup.pipeline.round(new AbortController().signal));
  expect(first.sent).toEqual(['c.raised', 'b.raised', 'a.raised']);
});

test('a receiver that hangs, or whose notifier breaks, holds back nobody else', async () => {
  const first = new Desk(() => new Promise<Outcome>(() => {}));
  const broken: Notifier = { send: () => Promise.reject(new TypeError('bug')) };
  const other = new Desk(confirmed);
  const routes = ['first', 'broken', 'other'].map((name) => ({
    id: name,
    match: {},
    chain: chainOf([name], 60_000),
  }));
  const setup = open({ first, broken, other }, routes);
  start(setup);
  for (let at = 0; at < 20; at++) {
    setup.tables.queue('raised', alarm(`a${at}`), setup.clock.wallMs());
  }
  await setup.clock.advance(5_000);
  expect(new Set(other.sent).size).toBe(20);
  const why = setup.pipeline
    .deliveries({ limit: 100 })
    .find(({ receiver }) => receiver === 'broken');
  expect(why).toMatchObject({ state: 'sent', why: 'notifier broken' });
});

test('routes choose by area, gateway, asset, level and rule; what fits no route is shown as told to nobody', async () => {
  const gas = new Desk(confirmed);
  const high = new Desk(confirmed);
  const setup = open({ gas, high }, [
    {
      id: 'gas',
      match: { areas: ['gas'], assets: ['gas/MP-1193'] },
      chain: chainOf(['gas'], 60_000),
    },
    {
      id: 'high',
      match: { levels: [1], gateways: ['gas-1'], rules: ['high-high'] },
      chain: chainOf(['high'], 60_000),
    },
  ]);
  start(setup);
  const { wallMs } = { wallMs: setup.clock.wallMs() };
  setup.tables.queue('raised', alarm('a'), wallMs);
  setup.tables.queue('raised', alarm('b', { asset: 'gas/MP-11934/x' }), wallMs);
  setup.tables.queue('raised', alarm('c', { area: 'water', level: 2 }), wallMs);
  await setup.clock.advance(2_000);
  expect(gas.sent).toEqual(['a.raised']);
  expect(high.sent).toEqual(['a.raised', 'b.raised']);
  expect(ledger(setup)).toContain('c.raised nobody failed');
});

test('a silence is recorded with its alarms, outlives a restart, never hides level I, and ends by itself, journalled', async () => {
  const first = new Desk(confirmed);
  const setup = open({ first, second: first });
  start(setup);
  const { clock, tables, pipeline } = setup;
  const li = { name: 'li', from: 'here' };
  const begin = (match: object, forMs = 60_000) =>
    pipeline.silences.begin({ match, forMs, reason: 'sensor change' }, li);
  expect(() => begin({ levels: [1, 2] })).toThrow('level I');
  expect(() => begin({})).toThrow('say of what');
  expect(() => begin({ gateways: ['gas-1'] }, 9 * 3_600_000)).toThrow('8 h');
  const { number } = begin({ gateways: ['gas-1'] });
  const again = open({ first }, [], setup);
  expect(again.pipeline.silences.list()).toMatchObject([{ number, who: 'li' }]);
  tables.queue('raised', alarm('a', { level: 2 }), clock.wallMs());
  tables.queue('cleared', alarm('a', { level: 2 }), clock.wallMs());
  tables.queue('raised', alarm('red', { level: 1 }), clock.wallMs());
  await clock.advance(120_000);
  expect(first.sent).toEqual(['red.raised']);
  expect(pipeline.deliveries({ occurrence: 'a' })).toMatchObject([
    { state: 'silenced', why: 'silenced by li: sensor change' },
  ]);
  tables.queue('raised', alarm('b', { level: 2 }), clock.wallMs());
  await clock.advance(2_000);
  expect(first.sent).toEqual(['red.raised', 'b.raised']);
  const kept = tables.journal.list({ what: `silence ${number}` }, page).entries;
  expect(kept.map(({ kind, who }) => [kind, who])).toEqual([
    ['silence-begun', 'li'],
    ['silence-ended', machine.name],
  ]);
});

test('an acknowledgement at the desk ends the chain', async () => {
  const first = new Desk(accepted);
  const second = new Desk(confirmed);
  const setup = open({ first, second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(10_000);
  setup.pipeline.handled('a', 'zhang');
  await setup.clock.advance(600_000);
  expect(second.sent).toEqual([]);
  expect(setup.pipeline.deliveries()).toMatchObject([
    { state: 'accepted', why: 'acknowledged by zhang' },
  ]);
});

test('a route to a receiver that does not exist is refused at the start', () => {
  expect(() => open({ first: new Desk(confirmed) })).toThrow(Fault);
});

test('a restart after any step ends in the same ledger, and sends nothing again that was answered', async () => {
  const answers: Outcome[][] = [[confirmed], [retry, confirmed], [accepted], [retry, accepted]];
  for (const script of answers) {
    const ends: string[] = [];
    for (let restartAfter = 0; restartAfter < 8; restartAfter++) {
      let tries = 0;
      const first = new Desk(() => script[Math.min(tries++, script.length - 1)]!);
      const desks = { first, second: new Desk(confirmed) };
      let setup = open(desks);
      setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
      setup.tables.queue('cleared', alarm('a', { clearedMs: 1 }), setup.clock.wallMs());
      const steps = [
        () => setup.pipeline.take(),
        ...Array.from({ length: 6 }, () => async () => {
          const signal = new AbortController().signal;
          for (const batch of setup.pipeline.begin()) await setup.pipeline.send(batch, signal);
          await setup.clock.advance(20_000);
          setup.pipeline.tick();
        }),
      ];
      for (const [at, step] of steps.entries()) {
        await step();
        if (at === restartAfter) setup = open(desks, [all], setup);
      }
      ends.push(JSON.stringify([ledger(setup), first.sent]));
    }
    expect(new Set(ends).size, ends.join('\n')).toBe(1);
  }
});

test('an alarm under test goes to its tester alone, beginning and end, however long nobody confirms', async () => {
  const [first, li] = [new Desk(confirmed), new Desk(accepted)];
  const setup = open({ first, second: new Desk(confirmed), li });
  start(setup);
  const test = { by: 'li', reason: 'bump test', untilMs: 3_600_000 };
  setup.tables.queue('raised', alarm('a', { test }), setup.clock.wallMs());
  await setup.clock.advance(600_000);
  setup.tables.queue('cleared', alarm('a', { test }), setup.clock.wallMs());
  await setup.clock.advance(2_000);
  expect(first.sent).toEqual([]);
  expect(new Set(li.sent)).toEqual(new Set(['a.raised', 'a.cleared']));
  // A tester who is no receiver: nobody is told, and it shows.
  const other = { ...test, by: 'zhang' };
  setup.tables.queue('raised', alarm('b', { test: other }), setup.clock.wallMs());
  await setup.clock.advance(2_000);
  expect(ledger(setup).at(-1)).toBe('b.raised nobody failed');
  expect(first.sent).toEqual([]);
});

test('a try that was under way when somebody took the alarm is not made again', async () => {
  let end: (outcome: Outcome) => void = () => {};
  const second = new Desk(() => new Promise<Outcome>((resolve) => (end = resolve)));
  const setup = open({ first: new Desk(accepted), second });
  start(setup);
  setup.tables.queue('raised', alarm('a'), setup.clock.wallMs());
  await setup.clock.advance(62_000);
  expect(second.sent).toEqual(['a.raised']);
  setup.pipeline.handled('a', 'li');
  end(retry);
  await setup.clock.advance(3_600_000);
  expect(second.sent).toEqual(['a.raised']);
  expect(setup.pipeline.deliveries({ occurrence: 'a' })).toMatchObject([
    { receiver: 'second', state: 'sent', why: 'acknowledged by li' },
    { receiver: 'first', state: 'undelivered', why: null },
  ]);
});
