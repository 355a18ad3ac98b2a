import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import type { Handled, Word } from './answers.ts';
import { sampleAlarm } from './channels/channel.contract.ts';
import { Ledger } from './ledger.ts';
import type { Notifier, Outcome } from './notifier.ts';
import { Pipeline } from './pipeline.ts';
import { chainOf, type Route } from './route.ts';

const databases: DatabaseSync[] = [];
const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
  for (const database of databases.splice(0)) database.close();
});

const names = ['zhang', 'li', 'wang', 'chen'] as const;
const chains = (...list: readonly (readonly string[])[]): Route[] =>
  list.map((each, at) => ({
    ...{ id: `route-${at + 1}`, match: {}, chain: chainOf(each, 60_000) },
  }));

function open(
  routes: readonly Route[],
  answer: Outcome = { kind: 'sent', confirmedBy: null },
  before?: { readonly clock: SimClock; readonly database: DatabaseSync },
) {
  const clock = before?.clock ?? new SimClock();
  const database = before?.database ?? new DatabaseSync(':memory:');
  if (!before) databases.push(database);
  const tables = new AlarmTables(database);
  const sent: string[] = [];
  const handled: Handled[] = [];
  const answers = new Map<string, Outcome>();
  const notifier = (name: string): Notifier => ({
    send: async () => {
      sent.push(name);
      return answers.get(name) ?? answer;
    },
  });
  const pipeline = new Pipeline(clock, silentLog, new Metrics(), seededRandom(1), {
    ...{ tables, ledger: new Ledger(database), routes },
    receivers: new Map(names.map((name) => [name, notifier(name)])),
    onHandled: (each) => {
      expect(tables.isTransacting).toBe(true);
      handled.push(each);
    },
    onChange: () => {},
  });
  const stop = new AbortController();
  stops.push(stop);
  void pipeline.run(stop.signal);
  const raise = async (occurrence = 'a', changes: Partial<Alarm> = {}) => {
    tables.queue('raised', { ...sampleAlarm, occurrence, ...changes }, clock.wallMs());
    await clock.advance(2_000);
  };
  const deliveryOf = (receiver: string) =>
    pipeline.deliveries().find((each) => each.receiver === receiver)!;
  const say = (receiver: string, word: Word) => {
    const actor = { name: `receiver ${receiver}`, from: '127.0.0.1' };
    const { number } = deliveryOf(receiver);
    return pipeline.answers.answer(number, word, receiver, clock.wallMs(), actor);
  };
  const journal = () => tables.journal.list({}, { order: 'oldest', after: 0, limit: 100 }).entries;
  return {
    clock,
    database,
    tables,
    stop,
    pipeline,
    answers,
    sent,
    handled,
    raise,
    deliveryOf,
    say,
    journal,
  };
}

test('who has it by a link stops the chain of every route, and the site is told once', async () => {
  const setup = open(chains(['zhang', 'wang'], ['li', 'chen']));
  await setup.raise();
  expect(setup.say('zhang', 'confirmed')).toBe('confirmed');
  expect(setup.say('zhang', 'confirmed')).toBe('already');
  await setup.clock.advance(600_000);
  expect(setup.sent).toEqual(['zhang', 'li']);
  expect(setup.deliveryOf('zhang')).toMatchObject({ state: 'confirmed', confirmedBy: 'zhang' });
  expect(setup.deliveryOf('li')).toMatchObject({ state: 'accepted', why: 'confirmed by zhang' });
  expect(setup.handled).toMatchObject([{ occurrence: 'a', by: 'zhang', how: 'answer' }]);
  expect(setup.journal()).toMatchObject([
    { kind: 'delivery-confirmed', who: 'receiver zhang', what: 'a' },
  ]);
});

test('on the way is more than having it: it follows a confirmation, and a confirmation adds nothing to it', async () => {
  const setup = open(chains(['zhang', 'wang']));
  await setup.raise();
  setup.say('zhang', 'confirmed');
  const { confirmedMs } = setup.deliveryOf('zhang');
  await setup.clock.advance(30_000);
  expect(setup.say('zhang', 'on_my_way')).toBe('confirmed');
  const acted = setup.deliveryOf('zhang');
  expect(acted).toMatchObject({ state: 'acted', confirmedMs, actedMs: setup.clock.wallMs() });
  expect(setup.say('zhang', 'on_my_way')).toBe('already');
  expect(setup.say('zhang', 'confirmed')).toBe('already');
  expect(setup.say('zhang', 'not_mine')).toBe('already');
  expect(setup.deliveryOf('zhang')).toEqual(acted);
});

test('not mine tells the next at once and stops nothing', async () => {
  const setup = open(chains(['zhang', 'wang', 'chen']));
  await setup.raise();
  expect(setup.say('zhang', 'not_mine')).toBe('confirmed');
  await setup.clock.advance(2_000);
  expect(setup.sent).toEqual(['zhang', 'wang']);
  expect(setup.say('zhang', 'not_mine')).toBe('already');
  await setup.clock.advance(65_000);
  expect(setup.sent).toEqual(['zhang', 'wang', 'chen']);
  expect(setup.handled).toEqual([]);
  expect(setup.deliveryOf('zhang')).toMatchObject({ declined: { by: 'zhang' } });
  // Second thoughts are welcome: what was declined can still be taken.
  expect(setup.say('zhang', 'confirmed')).toBe('confirmed');
  expect(setup.handled).toMatchObject([{ by: 'zhang' }]);
});

test('the last of a chain who says not mine is told again: nobody else is left', async () => {
  const setup = open(chains(['zhang']));
  await setup.raise();
  setup.say('zhang', 'not_mine');
  await setup.clock.advance(70_000);
  expect(setup.sent.length).toBeGreaterThan(1);
  expect(setup.deliveryOf('zhang')).toMatchObject({ state: 'undelivered' });
});

test('not mine after somebody has it calls nobody', async () => {
  const setup = open(chains(['zhang', 'wang'], ['li', 'chen']));
  await setup.raise();
  setup.say('zhang', 'confirmed');
  expect(setup.say('li', 'not_mine')).toBe('confirmed');
  await setup.clock.advance(600_000);
  expect(setup.sent).toEqual(['zhang', 'li']);
});

test('a link that was opened is seen, and the next is told all the same', async () => {
  const setup = open(chains(['zhang', 'wang']));
  await setup.raise();
  const { number } = setup.deliveryOf('zhang');
  setup.pipeline.answers.seen(number, setup.clock.wallMs());
  const { seenMs } = setup.deliveryOf('zhang');
  setup.pipeline.answers.seen(number, setup.clock.wallMs() + 5);
  expect(setup.deliveryOf('zhang')).toMatchObject({ state: 'seen', seenMs, confirmedMs: null });
  await setup.clock.advance(65_000);
  expect(setup.sent).toEqual(['zhang', 'wang']);
  expect(setup.deliveryOf('zhang')).toMatchObject({ state: 'undelivered', seenMs });
});

test('the first of another route that could not be reached yet is told though somebody has it', async () => {
  const setup = open(chains(['zhang', 'wang'], ['li', 'chen']));
  setup.answers.set('li', { kind: 'retry', why: 'http 500', afterMs: 30_000 });
  await setup.raise();
  setup.say('zhang', 'confirmed');
  setup.answers.set('li', { kind: 'sent', confirmedBy: null });
  await setup.clock.advance(600_000);
  expect(setup.sent).toEqual(['zhang', 'li', 'li']);
  expect(setup.deliveryOf('li')).toMatchObject({ state: 'accepted' });
});

test('what a desk acknowledges is told to the site', async () => {
  const setup = open(chains(['zhang', 'wang']));
  await setup.raise();
  setup.pipeline.handled('a', 'desk');
  await setup.clock.advance(600_000);
  expect(setup.handled).toMatchObject([{ occurrence: 'a', by: 'desk', how: 'desk' }]);
  expect(setup.sent).toEqual(['zhang']);
});

test('the word of the receiver in its very answer goes down to the site; that to an end does not', async () => {
  const setup = open(chains(['zhang']), { kind: 'sent', confirmedBy: 'machine' });
  await setup.raise();
  expect(setup.handled).toMatchObject([{ occurrence: 'a', by: 'machine' }]);
  expect(setup.pipeline.answers.answer(99, 'confirmed', 'x', 0, { name: 'x', from: '' })).toBe(
    'unknown',
  );
});

test('acknowledged at a desk just before the cloud died: nobody further is called after its start', async () => {
  const routes = chains(['zhang', 'li']);
  const setup = open(routes);
  const { clock, tables, stop } = setup;
  const atMs = clock.wallMs();
  const [a, b] = ['a', 'b'].map((occurrence) => {
    return tables.insert({ ...sampleAlarm, occurrence, raisedMs: atMs })!;
  });
  await setup.raise('a');
  await setup.raise('b');
  tables.update(a!, { acknowledgedMs: clock.wallMs(), acknowledgedBy: 'wang' });
  tables.update(b!, { acknowledgedMs: atMs - 1, acknowledgedBy: 'wang' });
  stop.abort();
  await clock.advance(1_000);
  const after = open(routes, undefined, setup);
  expect(after.handled).toMatchObject([{ occurrence: 'a', by: 'wang', how: 'desk' }]);
  await clock.advance(70_000);
  expect(after.sent).toEqual(['li']);
  const calls = after.pipeline.deliveries().map(({ id, receiver }) => `${id} ${receiver}`);
  expect(calls).toEqual(['b.raised li', 'b.raised zhang', 'a.raised zhang']);
});
