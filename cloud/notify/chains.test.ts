// The pipeline with chains of people, quotas, digests, kills and bad receivers.
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { deliveryObject } from '../api/alarm-routes.ts';
import { sampleAlarm } from './channels/channel.contract.ts';
import type { Quota } from './channels/channel.ts';
import { webhook } from './channels/webhook.ts';
import { Ledger } from './ledger.ts';
import type { Delivery, Notice, Notifier, Outcome } from './notifier.ts';
import { Pipeline, type PipelineOptions } from './pipeline.ts';
import type { Directory, Shift } from './roster.ts';
import { FIRST_MONDAY, plainDirectory } from './roster.ts';
import { chainOf, type Route } from './route.ts';

const databases: DatabaseSync[] = [];
const stops: AbortController[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
  for (const database of databases.splice(0)) database.close();
});

const accepted: Outcome = { kind: 'sent', confirmedBy: null };
const confirmed: Outcome = { kind: 'sent', confirmedBy: 'desk' };

interface Sent {
  readonly receiver: string;
  readonly ids: readonly string[];
  readonly levels: readonly number[];
  readonly atMs: number;
}

interface Given {
  readonly answers: Readonly<Record<string, Outcome | ((notice: Notice) => Promise<Outcome>)>>;
  readonly routes: readonly Route[];
  readonly directory?: Directory;
  readonly quotas?: Readonly<Record<string, readonly Quota[]>>;
  readonly digestMax?: number;
  readonly log?: Log;
}

type Setup = ReturnType<typeof open>;

function open(given: Given, before?: { clock: SimClock; database: DatabaseSync; sent: Sent[] }) {
  const clock = before?.clock ?? new SimClock();
  const database = before?.database ?? new DatabaseSync(':memory:');
  if (!before) databases.push(database);
  const tables = new AlarmTables(database);
  const sent = before?.sent ?? [];
  const notifier = (receiver: string): Notifier => ({
    ...(given.digestMax !== undefined && { digestMax: given.digestMax }),
    send: (notice) => {
      const ids = notice.deliveries.map(({ id }) => id);
      const levels = notice.deliveries.map(({ alarm }) => alarm.level);
      sent.push({ receiver, ids, levels, atMs: clock.monoMs() });
      const answer = given.answers[receiver]!;
      return typeof answer === 'function' ? answer(notice) : Promise.resolve(answer);
    },
  });
  const receivers = new Map(Object.keys(given.answers).map((id) => [id, notifier(id)]));
  const options: PipelineOptions = {
    ...{ tables, ledger: new Ledger(database), receivers, routes: given.routes },
    ...(given.directory && { directory: given.directory }),
    quotas: new Map(Object.entries(given.quotas ?? {})),
    onChange: () => {},
  };
  const random = seededRandom(1);
  const pipeline = new Pipeline(clock, given.log ?? silentLog, new Metrics(), random, options);
  const raise = (occurrence: string, changes: Partial<Alarm> = {}) =>
    tables.queue('raised', { ...sampleAlarm, occurrence, ...changes }, clock.wallMs());
  const clear = (occurrence: string, changes: Partial<Alarm> = {}) =>
    tables.queue(
      'cleared',
      { ...sampleAlarm, occurrence, clearedMs: 1, ...changes },
      clock.wallMs(),
    );
  const told = () => sent.map(({ receiver }) => receiver);
  const ledger = () =>
    pipeline
      .deliveries()
      .reverse()
      .map(({ receiver, state, why }) =>
        [receiver, state, ...(why === null ? [] : [why])].join(' '),
      );
  return { clock, database, tables, pipeline, sent, raise, clear, told, ledger };
}

function start({ pipeline }: Pick<Setup, 'pipeline'>): AbortController {
  const stop = new AbortController();
  stops.push(stop);
  void pipeline.run(stop.signal);
  return stop;
}

const route = (targets: readonly (string | readonly string[])[], more: Partial<Route> = {}) => ({
  ...{ id: 'all', match: {} },
  chain: targets.map((each) => ({ targets: [each].flat(), by: null, waitMs: 60_000 })),
  ...more,
});

const everyDay = { days: 7, firstDay: FIRST_MONDAY, on: [0, 1, 2, 3, 4, 5, 6] };
const day: Shift = { who: 'wang', cycle: everyDay, fromMinute: 480, toMinute: 1_200 };

function withDuty(shifts: readonly Shift[], receivers: readonly string[]): Directory {
  const roster = { id: 'duty', utcOffsetMs: 0, shifts, absences: [] };
  const wang = { id: 'wang', name: 'Wang', receivers: ['wang-robot', 'wang-phone'] };
  return {
    ...plainDirectory(receivers),
    people: new Map([['wang', wang]]),
    rosters: new Map([['duty', roster]]),
  };
}

test('who is on duty is told when the step is told; with nobody there the next is told at once, and it shows', async () => {
  const answers = {
    desk: accepted,
    'wang-robot': accepted,
    'wang-phone': accepted,
    boss: confirmed,
  };
  const directory = withDuty([day], Object.keys(answers));
  const at = (hour: number) => {
    const setup = open({ answers, directory, routes: [route(['desk', 'duty', 'boss'])] });
    setup.clock.stepWall(hour * 3_600_000); // It begins at midnight.
    start(setup);
    setup.raise('a');
    return setup;
  };
  // Raised a minute before the shift begins, and passed on within it.
  const early = at(8);
  early.clock.stepWall(-30_000);
  await early.clock.advance(65_000);
  expect(early.told()).toEqual(['desk', 'wang-robot']);
  expect(early.pipeline.deliveries()[0]).toMatchObject({ person: 'wang' });
  const night = at(22);
  await night.clock.advance(65_000);
  expect(night.told()).toEqual(['desk', 'boss']);
  expect(night.ledger()).toContain('duty failed nobody on duty');
});

test('a chain without anybody shows as undelivered under nobody, is logged, and counts as one', async () => {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (event) => errors.push(event) };
  const setup = open({
    answers: { 'wang-robot': accepted },
    directory: withDuty([day], ['wang-robot']),
    routes: [route(['duty'])],
    log,
  });
  start(setup);
  setup.raise('a');
  await setup.clock.advance(5_000);
  expect(setup.told()).toEqual([]);
  expect(setup.ledger()).toEqual([
    'duty failed nobody on duty',
    'nobody undelivered nobody could be told',
  ]);
  expect(errors).toEqual(['notify_nobody']);
});

test('a receiver that two routes name is told once, and both chains go on from it', async () => {
  const answers = { desk: accepted, boss: accepted, log: accepted };
  const routes = [route(['desk', 'boss'], { id: 'one' }), route(['desk', 'log'], { id: 'two' })];
  const setup = open({ answers, routes });
  start(setup);
  setup.raise('a');
  await setup.clock.advance(5_000);
  expect(setup.told()).toEqual(['desk']);
  await setup.clock.advance(60_000);
  expect([...setup.told()].sort()).toEqual(['boss', 'desk', 'log']);
});

test('a chain that comes back to who was told in vain goes on to the next', async () => {
  const answers = {
    desk: accepted,
    'wang-robot': accepted,
    'wang-phone': accepted,
    boss: accepted,
  };
  const directory = withDuty([{ ...day, fromMinute: 0, toMinute: 0 }], Object.keys(answers));
  const setup = open({ answers, directory, routes: [route(['wang', 'duty', 'boss'])] });
  start(setup);
  setup.raise('a');
  await setup.clock.advance(65_000);
  expect(setup.told()).toEqual(['wang-robot', 'boss']);
});

test('the last is told again as often as the route says, until somebody has it or the alarm is over', async () => {
  const given = {
    answers: { desk: accepted },
    routes: [route(['desk'], { repeatMs: 300_000 })],
  };
  const setup = open(given);
  start(setup);
  setup.raise('a');
  await setup.clock.advance(3_600_000);
  expect(setup.sent.length).toBeGreaterThanOrEqual(12);
  setup.pipeline.confirm('a.raised', 'zhang', setup.clock.wallMs());
  const before = setup.sent.length;
  await setup.clock.advance(3_600_000);
  expect(setup.sent).toHaveLength(before);
  setup.raise('b');
  await setup.clock.advance(1_000_000);
  setup.clear('b');
  await setup.clock.advance(400_000);
  const over = setup.sent.length;
  await setup.clock.advance(3_600_000);
  expect(setup.sent).toHaveLength(over);
  expect(setup.ledger()).toContain('nobody undelivered nobody has confirmed');
});

test('a flood leaves the reserve for level I unspent, over a restart too, and loses nothing', async () => {
  const quota: Quota = { messages: 20, perMs: 60_000, reserve: 5 };
  const given = {
    answers: { robot: accepted },
    routes: [route(['robot'])],
    quotas: { robot: [quota] },
  };
  let setup = open(given);
  let stop = start(setup);
  for (let nth = 0; nth < 100; nth++) setup.raise(`a${nth}`, { level: 3 });
  await setup.clock.advance(10_000);
  expect(setup.sent).toHaveLength(15);
  stop.abort();
  await setup.clock.advance(1_000);
  setup = open(given, setup);
  stop = start(setup);
  await setup.clock.advance(10_000);
  expect(setup.sent).toHaveLength(15);
  const begunMs = setup.clock.monoMs();
  setup.raise('first', { level: 1 });
  await setup.clock.advance(1_500);
  expect(setup.sent.at(-1)).toMatchObject({ ids: ['first.raised'] });
  expect(setup.sent.at(-1)!.atMs - begunMs).toBeLessThan(1_100);
  await setup.clock.advance(900_000);
  expect(new Set(setup.sent.flatMap(({ ids }) => ids)).size).toBe(101);
  for (const { atMs } of setup.sent) {
    const within = setup.sent.filter((other) => other.atMs >= atMs && other.atMs < atMs + 60_000);
    expect(within.length).toBeLessThanOrEqual(20);
    expect(within.filter(({ levels }) => levels[0] !== 1).length).toBeLessThanOrEqual(15);
  }
});

test('what waits for a receiver that takes digests goes together, the worst first, level I by itself, and what is over meanwhile as one line', async () => {
  const setup = open({ answers: { robot: accepted }, routes: [route(['robot'])], digestMax: 10 });
  start(setup);
  setup.raise('a0', { level: 4 });
  await setup.clock.advance(1_500);
  for (let nth = 1; nth <= 6; nth++) setup.raise(`a${nth}`, { level: nth % 2 === 0 ? 2 : 3 });
  setup.raise('first', { level: 1 });
  await setup.clock.advance(1_500);
  setup.clear('a1', { level: 3 });
  await setup.clock.advance(10_000);
  expect(setup.sent.map(({ ids }) => ids)).toEqual([
    ['a0.raised'],
    ['first.raised'],
    ['a2.raised', 'a4.raised', 'a6.raised', 'a3.raised', 'a5.raised', 'a1.cleared'],
  ]);
  expect(setup.ledger()).toContain(
    'robot silenced over before it could be told; told with its end',
  );
});

test('what a full disk could not record took nothing of a quota', async () => {
  const day: Quota = { messages: 5, perMs: 86_400_000, reserve: 1 };
  const setup = open({
    answers: { phone: confirmed },
    routes: [route(['phone'])],
    quotas: { phone: [day] },
  });
  const { tables, clock } = setup;
  setup.raise('a');
  setup.pipeline.take();
  const transact = tables.transact.bind(tables);
  tables.transact = () => {
    throw Object.assign(new Error('disk is full'), { code: 'ERR_SQLITE_ERROR' });
  };
  for (let second = 0; second < 60; second++) {
    expect(setup.pipeline.begin()).toEqual([]);
    await clock.advance(1_000);
  }
  tables.transact = transact;
  await Promise.all(setup.pipeline.round(new AbortController().signal));
  expect(setup.told()).toEqual(['phone']);
});

test('a robot that was asked too often is left alone until it takes something again, over a restart too', async () => {
  const busy: Outcome = { kind: 'retry', why: 'throttled', afterMs: 600_000, isReceiverBusy: true };
  let answer: Outcome = busy;
  const given = { answers: { robot: async () => answer }, routes: [route(['robot'])] };
  let setup = open(given);
  const stop = start(setup);
  setup.raise('a', { level: 3 });
  await setup.clock.advance(2_000);
  answer = accepted;
  for (let nth = 0; nth < 5; nth++) setup.raise(`b${nth}`, { level: 3 });
  await setup.clock.advance(100_000);
  expect(setup.sent).toHaveLength(1);
  stop.abort();
  await setup.clock.advance(1_000);
  setup = open(given, setup);
  start(setup);
  await setup.clock.advance(400_000);
  expect(setup.sent).toHaveLength(1);
  await setup.clock.advance(120_000);
  expect(new Set(setup.sent.flatMap(({ ids }) => ids)).size).toBe(6);
});

test('a level I alarm whose receiver has no quota left in time goes to the next at once', async () => {
  const quota: Quota = { messages: 2, perMs: 3_600_000, reserve: 1 };
  const setup = open({
    answers: { phone: accepted, boss: confirmed },
    routes: [route(['phone', 'boss'])],
    quotas: { phone: [quota] },
  });
  start(setup);
  setup.raise('a', { level: 1 });
  setup.raise('b', { level: 1 });
  await setup.clock.advance(2_000);
  expect(setup.told()).toEqual(['phone', 'phone']);
  setup.raise('c', { level: 1 });
  await setup.clock.advance(2_000);
  expect(setup.sent.at(-1)).toMatchObject({ receiver: 'boss', ids: ['c.raised'] });
});

test('each way in which a channel can fail has its outcome: the next is told, and the ledger says why', async () => {
  const never = () => new Promise<Outcome>(() => {});
  const broken = () => Promise.reject(new TypeError('a template with {nothing}'));
  const late = (notice: Notice) =>
    new Promise<Outcome>((resolve) => {
      lates.push(() => resolve({ kind: 'sent', confirmedBy: notice.deliveries[0].receiver }));
    });
  const lates: (() => void)[] = [];
  const answers = {
    ...{ hangs: never, silent: accepted, broken, late, boss: accepted },
    refuses: { kind: 'give-up', why: 'http 301', isReceiverGone: false },
  } as const;
  const names = ['hangs', 'silent', 'broken', 'late', 'refuses'];
  const routes = names.map((name) => route([name, 'boss'], { id: name, match: { rules: [name] } }));
  const setup = open({ answers, routes });
  start(setup);
  for (const name of names) setup.raise(name, { rule: name });
  await setup.clock.advance(61_500);
  const told = (receiver: string) => setup.sent.filter((each) => each.receiver === receiver);
  const passedOn = new Set(told('boss').flatMap(({ ids }) => ids));
  expect(passedOn).toEqual(new Set(names.map((name) => `${name}.raised`)));
  const state = (name: string) =>
    setup.pipeline.deliveries({ occurrence: name }).find(({ receiver }) => receiver === name);
  expect(state('hangs')).toMatchObject({ state: 'undelivered', acceptedMs: null });
  expect(state('silent')).toMatchObject({ state: 'undelivered' });
  expect(state('broken')).toMatchObject({ state: 'undelivered', why: 'notifier broken' });
  expect(state('refuses')).toMatchObject({ state: 'failed', why: 'http 301' });
  // Too late is better than never: it counts, and ends the chain.
  for (const end of lates) end();
  await setup.clock.advance(1_000);
  expect(state('late')).toMatchObject({ state: 'confirmed', confirmedBy: 'late' });
  const before = told('boss').length;
  await setup.clock.advance(50_000);
  const again = told('boss').slice(before);
  expect(again.some(({ ids }) => ids.includes('late.raised'))).toBe(false);
});

test('a provider says later that it reached the phone, or that it did not: then the next is told at once', async () => {
  const sent = (reference: string): Outcome => ({ kind: 'sent', confirmedBy: null, reference });
  const answers = { one: sent('r-1'), two: sent('r-2'), boss: accepted };
  const routes = [
    route(['one', 'boss'], { id: 'one', match: { rules: ['a'] } }),
    route(['two', 'boss'], { id: 'two', match: { rules: ['b'] } }),
  ];
  const setup = open({ answers, routes });
  start(setup);
  setup.raise('a', { rule: 'a' });
  setup.raise('b', { rule: 'b' });
  await setup.clock.advance(5_000);
  const { pipeline } = setup;
  expect(pipeline.receipt('one', { reference: 'r-1', state: 'delivered', why: null })).toBe(
    'known',
  );
  expect(pipeline.receipt('two', { reference: 'r-1', state: 'delivered', why: null })).toBe(
    'unknown',
  );
  expect(
    pipeline.receipt('two', { reference: 'r-2', state: 'failed', why: 'no such number' }),
  ).toBe('known');
  await setup.clock.advance(1_500);
  expect(setup.ledger()).toEqual(['one delivered', 'two failed no such number', 'boss accepted']);
});

test('a provider that says late that it did not arrive calls nobody to what a desk has', async () => {
  const answer: Outcome = { kind: 'sent', confirmedBy: null, reference: 'r-1' };
  const setup = open({
    answers: { one: answer, boss: accepted },
    routes: [route(['one', 'boss'])],
  });
  start(setup);
  setup.raise('a');
  await setup.clock.advance(5_000);
  setup.pipeline.handled('a', 'zhang');
  const failed = { reference: 'r-1', state: 'failed', why: 'no such number' } as const;
  for (let nth = 0; nth < 2; nth++) setup.pipeline.receipt('one', failed);
  await setup.clock.advance(120_000);
  expect(setup.ledger()).toEqual(['one failed no such number']);
});

test('killed anywhere, any number of times, no notification is lost, and nobody who has confirmed is told again', async () => {
  const step = fc.constantFrom('take', 'tick', 'begin', 'send', 'kill', 'raise', 'clear', 'later');
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      const given: Given = {
        answers: {
          desk: async ({ deliveries }) => (deliveries[0].attempts < 2 ? accepted : confirmed),
          boss: confirmed,
        },
        routes: [route(['desk', 'boss'])],
      };
      let setup = open(given);
      const signal = new AbortController().signal;
      let raised = 0;
      let batches: ReturnType<Pipeline['begin']> = [];
      for (const each of steps) {
        if (each === 'raise') setup.raise(`a${raised++}`);
        if (each === 'clear' && raised > 0) setup.clear(`a${raised - 1}`);
        if (each === 'take') setup.pipeline.take();
        if (each === 'tick') setup.pipeline.tick();
        if (each === 'later') await setup.clock.advance(45_000);
        if (each === 'begin') batches = [...batches, ...setup.pipeline.begin()];
        if (each === 'send') {
          for (const batch of batches.splice(0)) await setup.pipeline.send(batch, signal);
        }
        if (each === 'kill') {
          setup = open(given, setup);
          batches = [];
        }
      }
      setup = open(given, setup);
      const stop = start(setup);
      await setup.clock.advance(400_000);
      stop.abort();
      const calls = setup.sent.filter(({ ids }) => ids[0]!.endsWith('raised'));
      for (let nth = 0; nth < raised; nth++) {
        expect(calls.some(({ ids }) => ids[0] === `a${nth}.raised`)).toBe(true);
        const rows = setup.pipeline.deliveries({ occurrence: `a${nth}` });
        expect(rows.some(({ state }: Delivery) => state === 'confirmed')).toBe(true);
      }
      // Told anew is only who was not heard, and the boss confirms what he hears.
      for (const { number, attempts, receiver } of setup.pipeline.deliveries({ limit: 1_000 })) {
        const kills = steps.filter((each) => each === 'kill').length + 1;
        if (receiver === 'boss') expect(attempts, `${number}`).toBeLessThanOrEqual(kills + 1);
      }
      setup.database.close();
      databases.splice(databases.indexOf(setup.database), 1);
    }),
    { numRuns: 40 },
  );
});

test('a chain in which each is told alone says so in one word', () => {
  expect(chainOf(['desk'], 5)).toEqual([{ targets: ['desk'], by: null, waitMs: 5 }]);
});

test('no secret of a receiver is in the ledger, the log or what the API shows, whatever a channel says of its failure', async () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const said: string[] = [];
  const note = (event: string, fields = {}) => said.push(`${event} ${JSON.stringify(fields)}`);
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const fetcher: typeof fetch = async (_url, request) => {
    // The worst that a library can do: everything it was given is in its message.
    throw new Error(`failed with ${secret} ${JSON.stringify(request?.headers)}`);
  };
  const clock = new SimClock();
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const tables = new AlarmTables(database);
  const url = 'https://desk.example/hook?token=also-secret';
  const desk = webhook(fetcher, clock, { receiver: 'desk', url, secret, timeoutMs: 1_000 });
  const pipeline = new Pipeline(clock, log, new Metrics(), seededRandom(1), {
    ...{ tables, ledger: new Ledger(database), routes: [route(['desk'])] },
    receivers: new Map([['desk', desk]]),
    onChange: () => {},
  });
  start({ pipeline });
  tables.queue('raised', { ...sampleAlarm, occurrence: 'a' }, clock.wallMs());
  await clock.advance(400_000);
  expect(pipeline.deliveries()).not.toHaveLength(0);
  const rows = (table: string) => database.prepare(`SELECT * FROM ${table}`).all();
  const everything = JSON.stringify([
    ...rows('notify_deliveries'),
    ...pipeline.deliveries().map(deliveryObject),
    ...said,
  ]);
  for (const hidden of [secret, secret.slice(6), 'also-secret', 'webhook-signature']) {
    expect(everything).not.toContain(hidden);
  }
});
