import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { isFault } from '../../core/fault.ts';
import type { Value } from '../../core/reading.ts';
import {
  CommandedPlant,
  EPOCH,
  li,
  offer,
  offering,
  plantPoints,
  T0,
  valve,
  wish,
  zhang,
} from '../../tests/commanded-plant.ts';
import type { CommandEvent, Move, Phase } from './command.ts';
import {
  COMMANDS_OPEN_MAX,
  moveOf,
  RELEASE_WITHIN_MS,
  REPLY_WITHIN_MS,
  valueFor,
  wireOf,
} from './command.ts';
import { LOCAL_A_DAY_MAX } from './commands.ts';
import { STRANGERS_MAX } from './tables.ts';

let plant: CommandedPlant;

beforeEach(() => {
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  plant.record('gw-1');
  plant.record('gw-1');
  plant.record('gw-2');
});

/** The fault's code and what it says, or what came instead. */
function refusal(work: () => unknown): string {
  try {
    return `not refused: ${JSON.stringify(work())}`;
  } catch (error) {
    if (isFault(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

test('what each event does to a command in each phase', () => {
  const table: Record<Phase, Record<CommandEvent, Move>> = {
    waiting: {
      ...{ release: 'issue', withdraw: 'settle', lapse: 'settle' },
      ...{ reply: 'stranger', abandon: 'none' },
    },
    issued: {
      ...{ release: 'none', withdraw: 'none', lapse: 'none' },
      ...{ reply: 'settle', abandon: 'settle' },
    },
    settled: {
      ...{ release: 'none', withdraw: 'none', lapse: 'none' },
      ...{ reply: 'compare', abandon: 'none' },
    },
  };
  const states = { waiting: 'waiting', issued: 'issued', settled: 'done' } as const;
  for (const [phase, row] of Object.entries(table)) {
    for (const [event, move] of Object.entries(row)) {
      const state = states[phase as Phase];
      expect(moveOf({ state }, event as CommandEvent), `${phase} ${event}`).toBe(move);
    }
  }
});

test('a command names the present epoch, the newest sequence and a time to live, and its outcome is told once', () => {
  const { id } = plant.ask(wish());
  expect(plant.published).toEqual([
    {
      ...{ id, issuer: 'li', epoch: EPOCH, sequence: 2, timeToLiveMs: 30_000 },
      ...{ device: 'fan-2', point: 'run', command: 'stop', value: null, second: '' },
      why: 'smoke test',
    },
  ]);
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(plant.reply(id)).toBe('settled');
  expect(plant.reply(id)).toBe('duplicate');
  expect(plant.commands.find(id)).toMatchObject({
    state: 'done',
    value: false,
    settlement: { outcome: 'done', by: 'gateway gw-1', readBack: false },
  });
  expect(plant.kinds(id)).toEqual(['command-asked', 'command-issued', 'command-outcome']);
  const [asked, issued, outcome] = plant.journal(id);
  expect(asked).toMatchObject({ who: 'li', from: '10.0.0.1', after: { why: 'smoke test' } });
  expect(issued).toMatchObject({ after: { target: 'gw-1/fan-2/run stop', sequence: 2 } });
  expect(outcome).toMatchObject({ who: 'gateway gw-1', before: { state: 'issued' } });
});

test('what cannot be commanded is refused before anything is on disk, each with its reason', () => {
  const refused = (changes: Parameters<typeof wish>[0], who = li) =>
    refusal(() => plant.ask(wish(changes), who));
  const speed = { point: 'speed', command: 'set' } as const;
  expect(refused({ point: 'nothing' })).toMatch(/^command_point_unknown: gw-1\/fan-2\/nothing/);
  expect(refused({ gateway: 'gw-9' })).toMatch(/^command_point_unknown/);
  expect(refused({ command: 'burn' })).toMatch(/^command_not_offered: .*it has: stop, start/);
  expect(refused({ point: 'hours' })).toMatch(/^command_not_offered: nothing may be commanded/);
  expect(refused(speed)).toMatch(/^command_value_unfit: set needs a value: 0 to 100 %/);
  expect(refused({ ...speed, value: 101 })).toMatch(/^command_out_of_range: 101 .* 0 to 100 %/);
  expect(refused({ ...speed, value: 'fast' })).toMatch(/^command_value_unfit: fast is not allowed/);
  expect(refused({ ...speed, value: Number.NaN })).toMatch(/^command_value_unfit/);
  expect(refused({ value: 3 })).toMatch(/^command_value_unfit: stop writes false/);
  expect(refused({ timeToLiveMs: 999 })).toMatch(/^command_time_to_live: .*1 s to 600 s/);
  expect(refused({ timeToLiveMs: 600_001 })).toMatch(/^command_time_to_live/);
  expect(refused({}, { ...li, right: 'operate' })).toMatch(
    /^command_not_allowed: li has .*control/,
  );
  expect(refused({}, { ...li, scope: 'gas/well-2' })).toMatch(/^command_point_unknown/);
  plant.online.delete('gw-1');
  expect(refused({})).toMatch(/^gateway_offline: gw-1 is not connected/);
  expect(plant.commands.tables.list({})).toEqual([]);
  expect(plant.alarms.journal()).toEqual([]);
});

test('a gateway that nothing was received of cannot be commanded: until when could not be told', () => {
  plant.points['gw-3'] = [offering(9, ['gw-3', 'fan-2', 'run', 'gas/well-1'], [offer({})])];
  plant.online.add('gw-3');
  expect(refusal(() => plant.ask(wish({ gateway: 'gw-3' })))).toMatch(
    /^gateway_offline: nothing was received from gw-3/,
  );
});

test('a point is commanded no more often than its offer says, whoever asks', async () => {
  const speed = wish({ point: 'speed', command: 'set', value: 40 });
  const { id } = plant.ask(speed);
  const again = () => refusal(() => plant.ask({ ...speed, value: 50 }, zhang));
  expect(again()).toMatch(/^command_too_soon: .*0 s ago; at most once every 5 s/);
  plant.reply(id, { outcome: 'refused', reason: 'interlock', detail: 'gas' });
  expect(again()).toMatch(/^not refused/); // Nothing was done.
  plant.reply(plant.commands.issued()[0]!.id);
  await plant.clock.advance(4_999);
  expect(again()).toMatch(/^command_too_soon/);
  await plant.clock.advance(1);
  expect(again()).toMatch(/^not refused/);
});

test('the same call again is the same command; another under its id is refused', () => {
  const id = 'ab'.repeat(16);
  const first = plant.ask(wish({ id }));
  expect(plant.ask(wish({ id })).number).toBe(first.number);
  expect(plant.ask(wish({ id, value: false })).number).toBe(first.number);
  plant.online.clear();
  expect(plant.ask(wish({ id })).number).toBe(first.number);
  for (const other of [{ command: 'start' }, { why: 'else' }, { timeToLiveMs: 5_000 }]) {
    expect(refusal(() => plant.ask(wish({ id, ...other })))).toMatch(/^command_id_taken: .*by li/);
  }
  expect(refusal(() => plant.ask(wish({ id }), zhang))).toMatch(/^command_id_taken/);
  expect(plant.published.filter((it) => it.id === id)).toHaveLength(1);
  expect(plant.kinds(id)).toEqual(['command-asked', 'command-issued']);
});

test('a whole number beyond 2^53 is written and read back as it is', () => {
  const { id } = plant.ask(
    wish({ gateway: 'gw-2', device: 'siren-1', point: 'sound', command: 'on' }),
  );
  plant.reply(id, { readBack: 9_007_199_254_740_993n }, 'gw-2');
  plant.start();
  expect(plant.commands.find(id)).toMatchObject({
    value: 1n,
    settlement: { readBack: 9_007_199_254_740_993n },
  });
  expect(plant.journal(id).at(-1)).toMatchObject({ after: { readBack: '9007199254740993' } });
});

test('what takes two people is sent when the second has released it, and never for one', () => {
  const { id, state } = plant.ask(valve());
  expect([state, plant.published]).toEqual(['waiting', []]);
  expect(refusal(() => plant.decide(id, true, li))).toMatch(/^approval_same_person/);
  expect(plant.published).toEqual([]);
  plant.record('gw-1');
  plant.decide(id, true, zhang);
  expect(plant.published).toMatchObject([{ id, issuer: 'li', second: 'zhang', sequence: 3 }]);
  expect(refusal(() => plant.decide(id, true, zhang))).toMatch(/^approval_unknown/);
  plant.reply(id, { readBack: 1 });
  expect(plant.kinds(id)).toEqual([
    ...['command-asked', 'approval-asked', 'approval-given', 'command-released', 'command-issued'],
    'command-outcome',
  ]);
});

test('a release looks at everything again: the gateway, the offer, the value', () => {
  const { id } = plant.ask(valve());
  const release = () => refusal(() => plant.decide(id, true, zhang));
  plant.online.delete('gw-1');
  expect(release()).toMatch(/^gateway_offline/);
  plant.online.add('gw-1');
  const own = plantPoints['gw-1']!;
  const place = ['gw-1', 'valve-1', 'mode', 'gas/well-2'] as const;
  const now = (changes: Parameters<typeof offer>[0]) => {
    const commands = [offer({ id: 'set', fixed: null, twoPeople: true, ...changes })];
    plant.points['gw-1'] = [...own.slice(0, 2), offering(3, place, commands)];
  };
  now({ right: 'administer' });
  expect(release()).toMatch(/^command_changed/);
  now({ states: [0, 2] });
  expect(release()).toMatch(/^command_out_of_range/);
  now({ id: 'other' });
  expect(release()).toMatch(/^command_not_offered/);
  plant.points['gw-1'] = own;
  expect(plant.commands.find(id).state).toBe('waiting');
  plant.decide(id, true, zhang);
  expect(plant.published).toHaveLength(1);
});

test('what nobody releases has an outcome too: withdrawn, or lapsed when its time is over', async () => {
  const [withdrawn, lapsed] = [plant.ask(valve()), plant.ask(valve({ value: 2 }))];
  plant.decide(withdrawn.id, false, li);
  expect(plant.commands.find(withdrawn.id)).toMatchObject({
    state: 'refused',
    settlement: { reason: 'needs_second', detail: 'withdrawn', by: 'li' },
  });
  await plant.clock.advance(RELEASE_WITHIN_MS);
  expect(refusal(() => plant.decide(lapsed.id, true, zhang))).toMatch(/^approval_unknown/);
  plant.turn();
  expect(plant.commands.find(lapsed.id)).toMatchObject({
    state: 'expired',
    settlement: { reason: 'needs_second', detail: 'lapsed', by: 'lifeline' },
  });
  expect(plant.alarms.approvals.pending(plant.nowMs)).toEqual([]);
  expect(plant.published).toEqual([]);
});

test('it is sent until its outcome comes: with back-off, at each connect, after each start', async () => {
  const { id } = plant.ask(wish());
  for (let second = 0; second < 30; second++) {
    await plant.clock.advance(1_000);
    plant.turn();
  }
  const count = plant.published.length;
  expect(count).toBeGreaterThanOrEqual(4);
  expect(count).toBeLessThanOrEqual(7);
  plant.online.delete('gw-1');
  await plant.clock.advance(3_600_000);
  plant.turn();
  expect(plant.published).toHaveLength(count);
  plant.online.add('gw-1');
  plant.turn();
  expect(plant.published).toHaveLength(count + 1);
  plant.sending.connected();
  plant.turn();
  expect(plant.published).toHaveLength(count + 2);
  plant.start();
  plant.turn();
  expect(plant.published).toHaveLength(count + 3);
  expect(new Set(plant.published.map((it) => JSON.stringify(it))).size).toBe(1);
  plant.reply(id, { outcome: 'expired', reason: 'too_late', readBack: null });
  await plant.clock.advance(600_000);
  plant.turn();
  expect(plant.published).toHaveLength(count + 3);
});

test('without a word for a week it is uncertain; what its gateway says then is kept beside that', async () => {
  const { id } = plant.ask(wish());
  await plant.clock.advance(REPLY_WITHIN_MS - 1);
  plant.turn();
  expect(plant.commands.find(id).state).toBe('issued');
  await plant.clock.advance(1);
  plant.turn();
  expect(plant.commands.find(id)).toMatchObject({
    state: 'uncertain',
    settlement: { reason: 'no_answer', by: 'lifeline' },
  });
  expect(plant.reply(id)).toBe('late');
  expect(plant.reply(id)).toBe('duplicate');
  expect(plant.reply(id, { outcome: 'failed', reason: 'device_refused' })).toBe('duplicate');
  expect(plant.commands.find(id)).toMatchObject({
    state: 'uncertain',
    settlement: { outcome: 'uncertain' },
    late: { outcome: 'done', by: 'gateway gw-1' },
  });
  expect(plant.kinds(id).slice(2)).toEqual(['command-outcome', 'command-late']);
});

test('nobody settles a command but its own gateway, and none that was not sent', () => {
  const sent = plant.ask(wish());
  const waiting = plant.ask(valve());
  expect(plant.reply(sent.id, {}, 'gw-2')).toBe('stranger');
  expect(plant.reply(waiting.id)).toBe('stranger');
  expect(plant.reply('cd'.repeat(16))).toBe('stranger');
  expect(plant.reply('cd'.repeat(16))).toBe('stranger');
  expect(plant.commands.find(sent.id).state).toBe('issued');
  expect(plant.commands.find(waiting.id).state).toBe('waiting');
  const strangers = plant.alarms.journal(0, 100).filter(({ kind }) => kind === 'command-stranger');
  expect(strangers.map(({ who, after }) => [who, (after as { why: string }).why])).toEqual([
    ['gateway gw-2', 'other-gateway'],
    ['gateway gw-1', 'not-released'],
    ['gateway gw-1', 'never-sent'],
  ]);
});

test('a gateway that makes replies up fills neither the journal nor the tables', () => {
  for (let at = 0; at < STRANGERS_MAX + 5; at++) {
    plant.reply(at.toString(16).padStart(32, '0'));
  }
  const { entries } = plant.alarms.tables.journal.list(
    { kind: 'command-stranger' },
    { order: 'oldest', after: null, limit: 1_000 },
  );
  expect(entries).toHaveLength(STRANGERS_MAX);
});

test('what was commanded at the gateway itself is in the book with who did it there', () => {
  const id = '0f'.repeat(16);
  const issued = {
    ...{ id, issuer: 'gateway:chen', epoch: EPOCH, sequence: 2, timeToLiveMs: 30_000 },
    ...{ device: 'fan-2', point: 'run', command: 'stop', value: null, second: '' },
    why: 'link was down',
  };
  expect(plant.reply(id, { issued })).toBe('local');
  expect(plant.reply(id, { issued })).toBe('duplicate');
  expect(plant.commands.find(id)).toMatchObject({
    ...{ by: 'gateway:chen', from: 'gateway gw-1', value: false, state: 'done' },
    ...{ why: 'link was down', asset: 'gas/well-1' },
  });
  expect(plant.kinds(id)).toEqual(['command-asked', 'command-outcome']);
  const forged = { ...issued, id: '1f'.repeat(16), issuer: 'zhang' };
  plant.reply(forged.id, { issued: forged });
  expect(plant.commands.find(forged.id).by).toBe('gateway:zhang');
  expect(plant.reply('2f'.repeat(16), { issued })).toBe('stranger');
  const flood = Array.from({ length: LOCAL_A_DAY_MAX }, (_, at) => {
    const own = { ...issued, id: `e${at.toString(16).padStart(31, '0')}` };
    return plant.reply(own.id, { issued: own });
  });
  expect(flood.filter((heard) => heard === 'turned-away')).toHaveLength(2);
});

test('a value that the gateway wrote back by itself stands under its own name', () => {
  const id = `revert-${'0a'.repeat(16)}`;
  const issued = {
    ...{ id, issuer: 'gateway:revert', epoch: EPOCH, sequence: 2, timeToLiveMs: 30_000 },
    ...{ device: 'fan-2', point: 'run', command: 'stop', value: true, second: '' },
    why: 'the cloud was not heard',
  };
  expect(plant.reply(id, { issued, readBack: true })).toBe('local');
  expect(plant.commands.find(id)).toMatchObject({ by: 'gateway:revert', value: true });
});

test('"other epoch" of another card proves nothing: it never saw what the first one did', () => {
  const [first, second] = [plant.ask(wish()), plant.ask(wish())];
  const other = { outcome: 'expired', reason: 'other_epoch', readBack: null } as const;
  plant.reply(first.id, { ...other, epoch: '8-00000000000000bb' });
  plant.reply(second.id, { ...other, epoch: '1-00000000000000cc' });
  expect(plant.commands.find(first.id).state).toBe('expired');
  expect(plant.commands.find(second.id)).toMatchObject({
    state: 'uncertain',
    settlement: { reason: 'other_epoch' },
  });
});

test('a gateway has only so many commands without an outcome', () => {
  for (let at = 0; at < COMMANDS_OPEN_MAX; at++) plant.ask(wish());
  expect(refusal(() => plant.ask(wish()))).toMatch(/^command_full: 32 commands to gw-1/);
  plant.reply(plant.commands.issued()[0]!.id);
  plant.ask(wish());
});

test('a value is of the type of its point, whole numbers beyond 2^53 as digits', () => {
  const any = offer({ fixed: null });
  const value = (...it: readonly [Parameters<typeof valueFor>[1], Value]) => {
    const found = valueFor(any, ...it);
    return 'value' in found ? found.value : found.unfit;
  };
  expect(value('integer', '9007199254740993')).toBe(9_007_199_254_740_993n);
  expect(value('integer', 7)).toBe(7);
  expect(value('integer', 7.5)).toBe('value_unfit');
  expect(value('number', '7')).toBe('value_unfit');
  expect(value('number', 7.5)).toBe(7.5);
  expect(value('boolean', true)).toBe(true);
  expect(value('boolean', 1)).toBe(1);
  expect(value('boolean', 2)).toBe('value_unfit');
  expect(value('text', 'auto')).toBe('auto');
  expect(value('text', 7)).toBe('value_unfit');
  expect(value('text', '字'.repeat(86))).toBe('value_unfit'); // 258 bytes.
});

const ids = Array.from({ length: 6 }, (_, at) => `${at}`.repeat(32));
const step = fc.oneof(
  fc.record({ kind: fc.constant('ask' as const), at: fc.nat(5), two: fc.boolean() }),
  fc.record({ kind: fc.constant('release' as const), at: fc.nat(5), by: fc.nat(1) }),
  fc.record({ kind: fc.constant('withdraw' as const), at: fc.nat(5) }),
  fc.record({
    kind: fc.constant('reply' as const),
    ...{ at: fc.nat(5), gateway: fc.constantFrom('gw-1', 'gw-1', 'gw-2') },
    outcome: fc.constantFrom('done' as const, 'refused' as const, 'uncertain' as const),
  }),
  fc.record({
    kind: fc.constant('wait' as const),
    ms: fc.constantFrom(1_000, 60_000, 10 ** 6, 10 ** 9),
  }),
  fc.record({ kind: fc.constantFrom('restart' as const, 'link' as const, 'record' as const) }),
);

test('whatever happens in whatever order, a command has one outcome and the chain holds', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      using database = new DatabaseSync(':memory:');
      const it = new CommandedPlant(database);
      it.record();
      for (const each of steps) {
        const id = 'at' in each ? ids[each.at]! : '';
        refusal(() => {
          if (each.kind === 'ask') it.ask(each.two ? valve({ id }) : wish({ id }));
          else if (each.kind === 'release') it.decide(id, true, [li, zhang][each.by]!);
          else if (each.kind === 'withdraw') it.decide(id, false, zhang);
          else if (each.kind === 'reply') {
            it.reply(id, { outcome: each.outcome, readBack: null }, each.gateway);
          } else if (each.kind === 'restart') it.start();
          else if (each.kind === 'record') it.record();
          else if (each.kind === 'link' && !it.online.delete('gw-1')) it.online.add('gw-1');
          return null;
        });
        if (each.kind === 'wait') await it.clock.advance(each.ms);
        it.turn();
      }
      await it.clock.advance(REPLY_WITHIN_MS + RELEASE_WITHIN_MS);
      it.turn();
      expect(it.commands.tables.list({ state: 'open' })).toEqual([]);
      for (const command of it.commands.tables.list({})) {
        const kinds = it.kinds(command.id);
        const count = (kind: string) => kinds.filter((one) => one === kind).length;
        expect([count('command-asked'), count('command-outcome')]).toEqual([1, 1]);
        const sent = it.published.filter(({ id }) => id === command.id);
        expect(sent.length > 0 ? 1 : count('command-issued')).toBe(count('command-issued'));
        for (const one of sent) expect(one).toEqual(wireOf(command));
        if (command.point === 'mode' && sent.length > 0) expect(command.second).toBe('zhang');
        const outcome = it.journal(command.id).find(({ kind }) => kind === 'command-outcome');
        expect(outcome?.after).toMatchObject({ outcome: command.state });
        expect(['gateway gw-1', 'zhang', 'lifeline']).toContain(command.settlement?.by);
      }
      expect(await it.flaws()).toEqual([]);
    }),
    { numRuns: 400 },
  );
});

test('what cannot be journalled is neither on disk nor sent', () => {
  plant.database.exec(`CREATE TRIGGER no_more BEFORE INSERT ON alarm_journal
    WHEN NEW.kind = 'command-issued' BEGIN SELECT raise(ABORT, 'disk'); END`);
  expect(() => plant.ask(wish())).toThrow('disk');
  plant.turn();
  expect([plant.published, plant.commands.tables.list({})]).toEqual([[], []]);
  plant.database.exec('DROP TRIGGER no_more');
  expect(plant.ask(wish())).toMatchObject({ state: 'issued', issued: { atMs: T0 } });
});
