// A siren at a gateway, commanded through the real book of commands; what the gateway answers is
// said by the test, as its edge would.
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, expect, test } from 'vitest';
import type { Clock } from '../../../core/clock.ts';
import type { Outcome as CommandOutcome, CommandReason } from '../../../core/command.ts';
import { CommandedPlant, offer, offering } from '../../../tests/commanded-plant.ts';
import { siteCommands } from '../../commands/receivers.ts';
import { Ledger } from '../ledger.ts';
import type { Delivery, Notifier, Outcome } from '../notifier.ts';
import {
  notifierContract,
  plainWording,
  sampleAlarm,
  sampleDelivery,
  sampleDigest,
  sampleNotice,
} from './channel.contract.ts';
import { type CommandReceiver, commandNotifier } from './command.ts';

let plant: CommandedPlant;
let ledger: Ledger;
let siren: Notifier;

const quiet = () => new AbortController().signal;
const modem = offer({
  id: 'set',
  fixed: null,
  title: { en: 'Send', zh: '发送' },
  right: 'operate',
});
const on = offer({ id: 'on', fixed: true, right: 'operate' });
const off = offer({ id: 'off', fixed: false, right: 'operate' });

beforeEach(() => {
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  const [, , , valve] = plant.points['gw-1']!;
  const text = offering(7, ['gw-2', 'modem-1', 'message', 'city/hall'], [modem]);
  plant.points['gw-2'] = [
    offering(5, ['gw-2', 'siren-1', 'sound', 'city/hall'], [on, off]),
    { ...text, definition: { ...text.definition, type: 'text' } },
    offering(8, ['gw-2', 'gate-1', 'open', 'city/hall'], [{ ...on, twoPeople: true }]),
    valve!,
  ];
  plant.record('gw-2');
  ledger = new Ledger(plant.database);
  siren = receiver();
});

function receiver(
  changes: Partial<CommandReceiver> = {},
  clock: Pick<Clock, 'sleep'> = plant.clock,
): Notifier {
  const site = siteCommands(plant.clock, {
    ...{ commands: () => plant.commands, tables: plant.alarms.tables, ledger },
    onAsked: () => plant.turn(),
  });
  return commandNotifier(
    { clock, site },
    {
      ...{ receiver: 'siren', gateway: 'gw-2', device: 'siren-1', point: 'sound' },
      ...{ right: 'operate', wording: plainWording, timeToLiveMs: 20_000 },
      order: { command: 'on', value: undefined },
      reset: { command: 'off', value: undefined },
      ...changes,
    },
  );
}

/** A gateway that does what it is told while somebody waits for it. */
const obeying: Pick<Clock, 'sleep'> = {
  sleep: async () => {
    for (const { id } of plant.published) plant.reply(id, {}, 'gw-2');
  },
};

notifierContract('command', {
  open: async () => {
    // Several deliveries are one command, which names the worst.
    const { digestMax: _, ...single } = receiver({}, obeying);
    const named = () => plant.published.map(({ why }) => why.replace('alarm ', ''));
    return { notifier: single, received: async () => [...new Set(named())] };
  },
  broken: () => {
    plant.online.delete('gw-2');
    return receiver();
  },
});

type Said = { readonly outcome: CommandOutcome; readonly reason: CommandReason };

/** Sends, lets the gateway answer what it was last sent, and looks on. */
async function told(notifier: Notifier, changes: Partial<Delivery> = {}, said?: Said) {
  let settled: Outcome | null = null;
  const sending = notifier.send(sampleNotice(changes), quiet());
  void sending.then((outcome) => {
    settled = outcome;
  });
  await Promise.resolve();
  const sent = plant.published.at(-1);
  if (sent) plant.reply(sent.id, { ...(said ?? { outcome: 'done', reason: 'none' }) }, 'gw-2');
  for (let at = 0; at < 20 && settled === null; at++) {
    await plant.clock.advance(200);
  }
  return sending;
}

test('an alarm sounds the siren in the name of its receiver; done is accepted and confirms nothing', async () => {
  expect(await told(siren)).toEqual({ kind: 'sent', confirmedBy: null });
  expect(plant.published).toMatchObject([
    { device: 'siren-1', command: 'on', issuer: 'receiver siren', timeToLiveMs: 20_000 },
  ]);
  const { id } = plant.published[0]!;
  expect(plant.journal(id)[0]).toMatchObject({
    ...{ who: 'receiver siren', from: 'notify', after: { why: `alarm ${sampleDelivery().id}` } },
  });
});

test('a try that was cut short finds its own command again; a repetition is another', async () => {
  const cut = new AbortController();
  const sending = siren.send(sampleNotice(), cut.signal);
  cut.abort();
  expect(await sending).toMatchObject({ kind: 'retry', why: 'no outcome of the command yet' });
  plant.start(); // The cloud is killed here.
  siren = receiver();
  expect((await told(siren)).kind).toBe('sent');
  expect(new Set(plant.published.map(({ id }) => id)).size).toBe(1);
  expect((await told(siren)).kind).toBe('sent');
  expect((await told(siren, { repeats: 1 })).kind).toBe('sent');
  expect(new Set(plant.published.map(({ id }) => id)).size).toBe(2);
});

test('what the gateway refuses for good is given up, what may pass is tried again as another command', async () => {
  const outcomes = [];
  for (const said of [
    { outcome: 'refused', reason: 'not_offered' },
    { outcome: 'refused', reason: 'interlock' },
    { outcome: 'expired', reason: 'too_late' },
    { outcome: 'uncertain', reason: 'no_answer' },
  ] as const) {
    outcomes.push(await told(siren, {}, said));
  }
  expect(outcomes).toEqual([
    { kind: 'give-up', why: 'command refused (not_offered)', isReceiverGone: false },
    { kind: 'retry', why: 'command refused (interlock)', afterMs: null },
    { kind: 'retry', why: 'command expired (too_late)', afterMs: null },
    { kind: 'retry', why: 'command uncertain (no_answer)', afterMs: null },
  ]);
  expect(new Set(plant.published.map(({ id }) => id)).size).toBe(4);
});

test('a gateway that is away is tried again, a point that nobody knows as well, a missing right not', async () => {
  plant.online.delete('gw-2');
  expect(await told(siren)).toMatchObject({ kind: 'retry', why: 'gateway_offline' });
  plant.online.add('gw-2');
  expect(await told(receiver({ point: 'nothing' }))).toMatchObject({
    ...{ kind: 'retry', why: 'command_point_unknown' },
  });
  const needy = { device: 'gate-1', point: 'open' };
  expect(await told(receiver(needy))).toMatchObject({
    ...{ kind: 'give-up', why: 'the command waits for a second person' },
  });
  plant.points['gw-2'] = [
    offering(5, ['gw-2', 'siren-1', 'sound', 'city/hall'], [{ ...on, right: 'control' }]),
  ];
  expect(await told(siren)).toMatchObject({ kind: 'give-up', why: 'command_not_allowed' });
  expect(plant.published).toEqual([]);
});

/** An alarm stands, and the siren was called to it. */
function standing(occurrence: string): void {
  const { number: _, revision: __, state: ___, ...alarm } = { ...sampleAlarm, occurrence };
  plant.alarms.tables.insert(alarm);
  const delivery = sampleDelivery({
    ...{ id: `${occurrence}.raised`, receiver: 'siren', alarm: { ...sampleAlarm, occurrence } },
    acceptedMs: 1,
  });
  ledger.add({ delivery, isOpen: false, nextMs: null, confirmByMs: null });
}

test('the siren is silent when every alarm it was called to is over, not before', async () => {
  const other = 'f'.repeat(32);
  standing(sampleAlarm.occurrence);
  standing(other);
  const over = { id: `${sampleAlarm.occurrence}.cleared`, transition: 'cleared' } as const;
  expect((await told(siren, over)).kind).toBe('sent');
  expect(plant.published).toEqual([]);
  plant.alarms.tables.update(plant.alarms.get(other)!, { clearedMs: 5 });
  expect((await told(siren, over)).kind).toBe('sent');
  expect(plant.published).toMatchObject([{ command: 'off' }]);
  expect((await told(receiver({ reset: null }), over)).kind).toBe('sent');
  expect(plant.published).toHaveLength(1);
});

test('a call to an alarm that is over sounds nothing, since nobody would silence it; words are said', async () => {
  standing(sampleAlarm.occurrence);
  const { tables } = plant.alarms;
  tables.update(plant.alarms.get(sampleAlarm.occurrence)!, { clearedMs: 5 });
  for (const receiverOf of [siren, receiver({ reset: null })]) {
    expect(await told(receiverOf, { repeats: 1 })).toMatchObject({
      ...{ kind: 'sent', confirmedBy: null },
      note: expect.stringContaining('over'),
    });
  }
  expect(plant.published).toEqual([]);
  const modem = {
    device: 'modem-1',
    point: 'message',
    order: { command: 'set', value: '{alarm}' },
  };
  expect((await told(receiver(modem))).kind).toBe('sent');
  expect(plant.published).toHaveLength(1);
});

test('many deliveries are one command, and an aborted send gives none', async () => {
  expect((await siren.send(sampleNotice(), AbortSignal.abort())).kind).toBe('retry');
  expect(plant.published).toEqual([]);
  const sending = siren.send(sampleDigest(['a.raised', 'b.cleared', 'c.raised']), quiet());
  await Promise.resolve();
  expect(plant.published).toHaveLength(1);
  plant.reply(plant.published[0]!.id, {}, 'gw-2');
  await plant.clock.advance(200);
  expect((await sending).kind).toBe('sent');
});

test('a modem is told what to say to whom, of the fields of the message', async () => {
  const sms = receiver({
    ...{ device: 'modem-1', point: 'message', reset: null },
    order: { command: 'set', value: '13800001111 {level} {alarm} {value}' },
  });
  expect((await told(sms)).kind).toBe('sent');
  expect(plant.published).toMatchObject([{ value: '13800001111 I 甲烷浓度过高 52.5' }]);
});

test('where no command leaves, as in a check of a file, it says so', async () => {
  const options = {
    receiver: 'siren',
    gateway: 'g',
    device: 'd',
    point: 'p',
    right: 'operate',
  } as const;
  const order = { command: 'on', value: undefined };
  const rest = { wording: plainWording, order, reset: null, timeToLiveMs: null } as const;
  const nowhere = commandNotifier({ clock: plant.clock }, { ...options, ...rest });
  expect((await nowhere.send(sampleNotice(), quiet())).kind).toBe('give-up');
});
