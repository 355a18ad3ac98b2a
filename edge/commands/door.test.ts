// Every way a command may end, and what is remembered of it.
import { writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GOOD, qualityCode } from '../../core/quality.ts';
import { brief, CommandRig } from '../../tests/command-rig.ts';
import { INTAKE_MAX, OPEN_MAX } from './door.ts';

let rig: CommandRig;
beforeEach(async () => {
  rig = await new CommandRig().start();
  rig.seal();
});
afterEach(() => rig.close());

const told = () => rig.replies.map((reply) => `${reply.id} ${brief(reply)}`);
const gas = (value: number, ageMs = 0, quality = GOOD) => {
  rig.newest.set('gas/ch4', { value, quality, atMonoMs: rig.clock.monoMs() - ageMs });
};

describe('a command is done', () => {
  test('once, and its repeat is told the same outcome', async () => {
    expect(await rig.outcome()).toBe('done/none shows 40');
    expect(await rig.outcome()).toBe('done/none shows 40');
    expect(rig.device.writes).toMatchObject([{ address: 'speed', value: 40 }]);
    expect(rig.replies[1]).toEqual(rig.replies[0]);
  });

  test('with the value of its offer, where that has one', async () => {
    expect(await rig.outcome({ command: 'full', value: null })).toBe('done/none shows 100');
    expect(await rig.outcome({ id: 'c-2', point: 'blind', value: 7 })).toBe('done/none');
  });

  test('although nobody confirmed it, where the point shows it', async () => {
    rig.device.mood = 'silent but does it';
    expect(await rig.outcome()).toBe('done/none device_timeout shows 40');
  });

  test('when it waits for the one before it to the same device', async () => {
    rig.device.takesMs = 500;
    rig.take();
    rig.take({ id: 'c-2', value: 50 });
    await rig.clock.advance(5_000);
    expect(rig.device.writes.map(({ atMs }) => atMs)).toEqual([0, 500]);
    expect(told()).toEqual(['c-1 done/none shows 40', 'c-2 done/none shows 50']);
  });
});

const refusals: Readonly<Record<string, [Parameters<CommandRig['command']>[0], string]>> = {
  'of another gateway': [{ device: 'pump' }, 'refused/unknown_point'],
  'of an unknown point': [{ point: 'none' }, 'refused/unknown_point'],
  'that is not offered': [{ point: 'quiet' }, 'refused/not_offered'],
  'of a name that is not offered': [{ command: 'explode' }, 'refused/not_offered'],
  'without its value': [{ value: null }, 'refused/value_unfit'],
  'with text for a number': [{ value: 'fast' }, 'refused/value_unfit'],
  'with no number': [{ value: Number.NaN }, 'refused/value_unfit'],
  'with another value than its own': [{ command: 'full', value: 99 }, 'refused/value_unfit'],
  'above its range': [{ value: 100.5 }, 'refused/out_of_range'],
  'without a second person': [
    { point: 'run', command: 'start', value: null },
    'refused/needs_second',
  ],
  'whose second person is the first': [
    { point: 'run', command: 'start', value: null, second: 'anna' },
    'refused/needs_second',
  ],
  'naming what was never sealed': [{ sequence: 999 }, 'refused/other_epoch'],
  'without any time': [{ timeToLiveMs: 0 }, 'expired/too_late'],
};

describe('a command is refused', () => {
  test.each(Object.entries(refusals))('%s', async (_, [more, outcome]) => {
    expect(await rig.outcome(more)).toBe(outcome);
    expect(rig.device.writes).toEqual([]);
    expect(await rig.outcome(more)).toBe(outcome);
  });

  test('sooner after the one before than its offer lets it, by any issuer', async () => {
    expect(await rig.outcome({ point: 'seldom' }, 1_000)).toBe('done/none shows 40');
    const soon = { id: 'c-2', point: 'seldom', issuer: 'ben' };
    expect(await rig.outcome(soon, 1_000)).toBe('refused/too_soon');
    await rig.clock.advance(8_500);
    rig.seal();
    expect(await rig.outcome({ ...soon, id: 'c-3' })).toBe('done/none shows 40');
  });

  test('sooner after a restart, too', async () => {
    await rig.outcome({ point: 'seldom' });
    await rig.restart();
    expect(await rig.outcome({ id: 'c-2', point: 'seldom' }, 1_000)).toBe('refused/too_soon');
  });

  test('of an earlier epoch as expired, of one this gateway never had as uncertain', async () => {
    const earlier = rig.command();
    await rig.restart();
    expect(await rig.outcome(earlier)).toBe('expired/other_epoch');
    // Perhaps another card was in it then: nobody here knows what was done.
    const other = { id: 'c-2', epoch: '7-00000000000000ff' };
    expect(await rig.outcome(other)).toBe('uncertain/interrupted');
    expect(rig.device.writes).toEqual([]);
  });

  test('under an id that was another command, before and after a restart', async () => {
    await rig.outcome();
    expect(await rig.outcome({ value: 41 })).toBe('refused/replayed');
    await rig.restart();
    expect(await rig.outcome({ value: 41 })).toBe('refused/replayed');
    expect(rig.device.writes.length).toBe(1);
  });

  test('under an id that is another command right now', async () => {
    rig.take();
    rig.take({ value: 41 });
    rig.take();
    await rig.clock.advance(5_000);
    expect(told()).toEqual(['c-1 refused/replayed', 'c-1 done/none shows 40']);
  });

  test('when too many wait, and none of those is sent', async () => {
    rig.device.turnMs = 60_000;
    for (let at = 0; at <= OPEN_MAX; at++) rig.take({ id: `c-${at}` });
    await rig.clock.advance(0);
    expect(told()).toEqual([`c-${OPEN_MAX} refused/full`]);
  });

  test('by a disk that is full, before anything is sent; its repeat, too, while it could be in time', async () => {
    rig.isDiskFull = true;
    expect(await rig.outcome({}, 1_000)).toBe('refused/full');
    rig.isDiskFull = false;
    expect(await rig.outcome({}, 1_000)).toBe('refused/full');
    expect(await rig.outcome({ id: 'c-2' })).toBe('done/none shows 40');
    expect(rig.device.writes.length).toBe(1);
  });

  test('where there is no connection to the device, and nothing is sent', async () => {
    rig.device.mood = 'down';
    expect(await rig.outcome()).toBe('failed/no_connection no_connection');
  });

  test('by the device, which says so', async () => {
    rig.device.mood = 'refuses';
    expect(await rig.outcome()).toBe('failed/device_refused modbus_exception_2');
  });
});

describe('while an interlock', () => {
  const stop = { point: 'run', command: 'stop', value: null };
  test('holds, what it guards is refused with its name, and nothing else is', async () => {
    gas(25);
    expect(await rig.outcome(stop)).toBe('refused/interlock gas-high');
    const start = { id: 'c-2', point: 'run', command: 'start', value: null, second: 'ben' };
    expect(await rig.outcome(start, 100)).toBe('done/none shows true');
    gas(19);
    expect(await rig.outcome({ ...stop, id: 'c-3' })).toBe('done/none shows false');
  });

  test.each([
    ['was never read', () => {}],
    ['is bad', () => gas(0, 0, qualityCode('bad', 'sensor_fault'))],
    ['is uncertain', () => gas(0, 0, qualityCode('uncertain', 'clock'))],
    ['is stale', () => gas(0, 30_001)],
  ])('looks at what %s, it holds', async (_, look) => {
    await rig.clock.advance(60_000);
    rig.seal();
    look();
    expect(await rig.outcome(stop)).toBe('refused/interlock gas-high');
  });

  test('begins to hold while the command waits for the line, nothing is sent', async () => {
    gas(10);
    rig.device.turnMs = 400;
    rig.take(stop);
    await rig.clock.advance(200);
    gas(30);
    await rig.clock.advance(5_000);
    expect(told()).toEqual(['c-1 refused/interlock gas-high']);
    expect(rig.device.writes).toEqual([]);
  });
});

describe('the time of a command', () => {
  test('counts from when the sequence its issuer had seen was sealed', async () => {
    await rig.clock.advance(20_000);
    rig.seal();
    await rig.clock.advance(29_000);
    expect(await rig.outcome({ sequence: 2 }, 100)).toBe('done/none shows 40');
    expect(await rig.outcome({ id: 'c-2', sequence: 1 })).toBe('expired/too_late');
  });

  test('may end while it waits for another command, or for its line', async () => {
    rig.device.takesMs = 3_000;
    rig.take();
    rig.take({ id: 'c-2', timeToLiveMs: 2_000 });
    await rig.clock.advance(5_000);
    rig.device.turnMs = 3_000;
    rig.seal();
    rig.take({ id: 'c-3', timeToLiveMs: 2_000 });
    await rig.clock.advance(9_000);
    expect(told().slice(1)).toEqual(['c-2 expired/too_late', 'c-3 expired/too_late']);
    expect(rig.device.writes.length).toBe(1);
  });
});

describe('what is not sure', () => {
  test('is uncertain: no answer, or none that could be looked at', async () => {
    rig.device.mood = 'silent';
    expect(await rig.outcome()).toBe('uncertain/no_answer device_timeout shows 0');
    rig.device.mood = 'unread';
    expect(await rig.outcome({ id: 'c-2' })).toBe('uncertain/read_back_failed');
    rig.device.mood = 'silent';
    expect(await rig.outcome({ id: 'c-3', point: 'blind' })).toBe(
      'uncertain/no_answer device_timeout',
    );
  });

  test('is a failure where the point shows another value to the end of its time', async () => {
    rig.device.mood = 'other';
    expect(await rig.outcome()).toBe('failed/read_back_differs shows 55');
    expect(rig.replies[0]?.monoMs).toBeGreaterThanOrEqual(2_000);
  });

  test('stays uncertain after a stop in the middle, and is not done again', async () => {
    rig.device.takesMs = 1_000;
    const command = rig.take();
    await rig.clock.advance(500);
    await rig.restart();
    rig.door.connected();
    await rig.clock.advance(100);
    expect(told()).toEqual(['c-1 uncertain/interrupted']);
    expect(await rig.outcome(command)).toBe('uncertain/interrupted');
    expect(rig.device.writes.length).toBe(1);
  });

  test('is not what only waited at a stop: that is expired', async () => {
    rig.device.turnMs = 5_000;
    rig.take();
    const behind = rig.take({ id: 'c-2' });
    await rig.clock.advance(500);
    await rig.restart();
    expect(await rig.outcome(behind)).toBe('expired/other_epoch');
  });

  test('is told at an orderly end, too', async () => {
    rig.device.mood = 'silent';
    rig.device.takesMs = 60_000;
    rig.take();
    rig.take({ id: 'c-2' });
    await rig.clock.advance(10);
    const closing = rig.door.close(3_000);
    await rig.clock.advance(5_000);
    await closing;
    expect(told()).toEqual([
      'c-1 uncertain/interrupted device_timeout shows 0',
      'c-2 expired/other_epoch',
    ]);
  });
});

describe('the ledger', () => {
  test('that finds no room for an outcome keeps it until there is, and tells nobody before', async () => {
    rig.device.takesMs = 500;
    rig.take();
    await rig.clock.advance(100);
    rig.isDiskFull = true;
    await rig.clock.advance(10_000);
    expect(told()).toEqual([]);
    rig.isDiskFull = false;
    await rig.clock.advance(2_000);
    expect(told()).toEqual(['c-1 done/none shows 40']);
  });

  test('that was damaged or lost lies aside, and nothing it may have held is done again', async () => {
    const done = rig.command();
    await rig.outcome();
    rig.kill();
    writeFileSync(rig.path, 'no database at all '.repeat(400));
    await rig.restart();
    expect(await rig.outcome(done)).toBe('uncertain/interrupted');
    expect(rig.device.writes.length).toBe(1);
    expect(await rig.outcome({ id: 'c-2' })).toBe('done/none shows 40');
  });

  test('forgets the oldest, and says of what it forgot that nobody knows', async () => {
    rig.ledgerOptions = { rowsKept: 3 };
    await rig.restart();
    const first = rig.command({ sequence: rig.seal() });
    rig.take(first);
    for (let at = 2; at <= 4; at++) {
      await rig.clock.advance(100);
      rig.take({ id: `c-${at}`, sequence: rig.seal() });
    }
    await rig.clock.advance(100);
    expect(rig.device.writes.length).toBe(4);
    expect(await rig.outcome(first, 100)).toBe('uncertain/interrupted');
    expect(await rig.outcome({ id: 'c-4' }, 100)).toBe('done/none shows 40');
    expect(rig.device.writes.length).toBe(4);
  });

  test('tells again after each connect what was settled last', async () => {
    await rig.outcome();
    await rig.outcome({ id: 'c-2', point: 'none' });
    rig.replies.length = 0;
    rig.door.connected();
    await rig.clock.advance(0);
    expect(told()).toEqual(['c-1 done/none shows 40', 'c-2 refused/unknown_point']);
  });
});

test('what cannot be read is counted, and what floods the door is dropped', async () => {
  rig.door.take(Uint8Array.of(1, 2, 3));
  rig.door.take(new Uint8Array(0));
  for (let at = 0; at <= INTAKE_MAX; at++) rig.take({ id: `c-${at}`, point: 'none' });
  await rig.clock.advance(100);
  const text = rig.metrics.render();
  expect(text).toContain('edge_commands_unreadable_total 2');
  expect(text).toContain('edge_commands_dropped_total 1');
  expect(rig.replies.length).toBe(INTAKE_MAX);
});
