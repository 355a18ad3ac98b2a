import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { occurrenceName } from '../../core/alarm/digest.ts';
import { FallbackRig, fallback } from '../../tests/fallback-rig.ts';

let site: FallbackRig;
beforeEach(async () => {
  site = await new FallbackRig().boot();
  await site.run(1);
});
afterEach(() => site.close());

const restart = async (more: Parameters<typeof fallback>[0] = {}) => {
  site.configs = [fallback(more)];
  await site.boot();
  await site.run(12);
};

describe('an alarm that nobody confirms', () => {
  test('drives the output at its limit from the raise, once', async () => {
    await site.run(4);
    site.values[0] = 30;
    await site.run(89);
    expect([site.state, site.writes]).toEqual([
      { state: 'waiting', on: 'no', alarms: ['waiting'] },
      [],
    ]);
    await site.run(200);
    expect(site.state).toEqual({ state: 'fired', on: 'yes', alarms: ['driven'] });
    expect(site.writes).toEqual(['95s 100']);
  });

  test('drives nothing when it is over before, or confirmed', async () => {
    site.values[0] = 30;
    await site.run(60);
    site.values[0] = 5;
    await site.run(60);
    site.values[0] = 30;
    await site.run(60);
    site.confirm(site.occurrence);
    await site.run(100);
    expect(site.state).toEqual({ state: 'stopped', on: 'no', alarms: ['stopped'] });
    expect(site.writes).toEqual([]);
  });

  test('is not asked about under a worse one of the same point: who has that one has it', async () => {
    site.values[1] = 60;
    await site.run(30);
    const occurrenceOf = (rule: string) =>
      site.fallbacks.health[0]!.alarms.find((alarm) => alarm.rule === rule)!.occurrence;
    site.confirm(occurrenceOf('high-high'));
    await site.run(100);
    expect(site.writes).toEqual([]);
    expect(site.state.alarms).toEqual(['stopped', 'stopped']);
  });

  test('of a lesser limit says nothing of a worse one', async () => {
    site.values[1] = 30;
    await site.run(10);
    site.confirm(site.occurrence);
    site.values[1] = 60;
    await site.run(100);
    expect(site.writes).toHaveLength(1);
  });

  test('is told to the cloud with its name, and so is the release', async () => {
    site.values[0] = 30;
    await site.run(100);
    const { occurrence } = site;
    site.values[0] = 5;
    await site.run(5);
    const told = site.rig.replies.map(({ outcome, issued }) => ({
      ...{ outcome, value: issued?.value, fallback: issued?.fallback },
    }));
    const alarms = [{ occurrence, device: 'gas', point: 'ch4', rule: 'high' }];
    expect(told).toEqual([
      { outcome: 'done', value: 100, fallback: { id: 'fan-on-gas', act: 'fire', alarms } },
      { outcome: 'done', value: 0, fallback: { id: 'fan-on-gas', act: 'release', alarms } },
    ]);
    expect(site.state).toEqual({ state: 'armed', on: 'no', alarms: [] });
  });
});

describe('an output is released', () => {
  test('by a late confirmation, also while the alarm goes on', async () => {
    site.values[0] = 30;
    await site.run(100);
    site.confirm(site.occurrence);
    await site.run(2);
    expect(site.writes).toEqual(['91s 100', '101s 0']);
    await site.run(100);
    expect(site.writes).toHaveLength(2);
  });

  test('by a confirmation that names the excursion by a later reading of it', async () => {
    site.values[0] = 30;
    await site.run(20);
    site.values[0] = 31;
    await site.run(1);
    const { epoch, clock, openedMonoMs } = site.rig;
    const atMs = Math.round(clock.monoMs() - openedMonoMs) - 1_000;
    site.confirm(occurrenceName('gw-1/gas/ch4', 'high', epoch, atMs - 500));
    expect(site.state.state).toBe('waiting');
    site.confirm(occurrenceName('gw-1/gas/ch4', 'high', epoch, atMs));
    expect(site.state.state).toBe('stopped');
  });

  test('when the last of the alarms that need it is over', async () => {
    site.values[0] = 30;
    await site.run(30);
    site.values[1] = 30;
    await site.run(100);
    expect(site.writes).toEqual(['91s 100', '121s 100']);
    site.values[0] = 5;
    await site.run(20);
    expect(site.writes).toHaveLength(2);
    site.values[1] = 5;
    await site.run(20);
    expect(site.writes.at(-1)).toBe('151s 0');
  });

  test('after its longest time, and not driven again for the same alarm', async () => {
    await restart({ release: { ...fallback().release!, afterMs: 30_000 } });
    site.values[0] = 30;
    await site.run(200);
    expect(site.writes.map((line) => line.split(' ')[1])).toEqual(['100', '0']);
  });

  test('by nobody but a person where the file says never', async () => {
    await restart({ release: null });
    site.values[0] = 30;
    await site.run(100);
    site.confirm(site.occurrence);
    site.values[0] = 5;
    await site.run(100);
    await site.boot();
    await site.run(30);
    expect([site.state.on, site.writes]).toEqual(['yes', [expect.stringMatching(/ 100$/)]]);
    await site.rig.outcome({ id: 'by-hand', value: 10 });
    expect(site.state.on).toBe('no');
    await site.run(30);
    expect(site.writes).toHaveLength(2);
  });
});

describe('while the cloud is away', () => {
  test('the output is driven at once where the file says so', async () => {
    await restart({ cloudAway: 'at_once' });
    site.cloud = { ...site.cloud, isUp: false };
    site.values[0] = 30;
    await site.run(2);
    expect(site.state.state).toBe('fired');
  });

  test('also when it goes away during the wait, or no longer answers', async () => {
    await restart({ cloudAway: 'at_once' });
    site.values[0] = 30;
    await site.run(20);
    expect(site.state.state).toBe('waiting');
    site.cloud = { isUp: true, openRecords: 3, ackedMonoMs: site.rig.clock.monoMs() };
    await site.run(19);
    expect(site.state.state).toBe('waiting');
    await site.run(4);
    expect(site.state.state).toBe('fired');
  });

  test('it is waited for all the same where the file says nothing', async () => {
    site.cloud = { ...site.cloud, isUp: false };
    site.values[0] = 30;
    await site.run(80);
    expect(site.state.state).toBe('waiting');
  });
});

describe('what is in the way', () => {
  const held = { output: { device: 'fan', point: 'run', command: 'stop', value: null } } as const;
  const release = { on: ['cleared'], afterMs: null, command: 'start', value: null } as const;

  test('an interlock that holds is told once and waited for', async () => {
    await restart({ ...held, release });
    site.values[0] = 30;
    await site.run(120);
    expect(site.writes).toEqual([]);
    expect(site.rig.replies.map(({ reason, detail }) => `${reason} ${detail}`)).toEqual([
      'interlock gas-high',
    ]);
    expect(site.fallbacks.health[0]!.alarms).toMatchObject([
      { state: 'due', heldBy: 'interlock gas-high', outcome: 'refused/interlock' },
    ]);
    site.values[0] = 18; // Still in alarm by its deadband; the interlock is free.
    await site.run(5);
    expect(site.state).toMatchObject({ state: 'fired', on: 'yes' });
    expect(site.writes).toHaveLength(1);
  });

  test('a device that cannot be reached is tried until it can', async () => {
    site.rig.device.mood = 'down';
    site.values[0] = 30;
    await site.run(120);
    expect([site.state.state, site.writes]).toEqual(['due', []]);
    site.rig.device.mood = 'well';
    await site.run(3);
    expect([site.state.state, site.writes.length]).toEqual(['fired', 1]);
  });

  test('a device that refuses is asked more and more seldom', async () => {
    site.rig.device.mood = 'refuses';
    site.values[0] = 30;
    await site.run(90 + 120);
    expect(site.writes.length).toBeGreaterThan(5);
    expect(site.writes.length).toBeLessThan(9);
    expect(site.state).toMatchObject({ state: 'due', on: 'no' });
  });

  test('what nobody knows the end of is tried again only where the point shows that it is not so', async () => {
    site.rig.device.values.set('speed', 0);
    site.rig.device.mood = 'silent';
    site.values[0] = 30;
    await site.run(93);
    expect(site.state).toMatchObject({ state: 'fired', on: 'maybe' });
    site.rig.device.mood = 'well';
    await site.run(20);
    expect(site.state).toMatchObject({ state: 'fired', on: 'yes' });
    expect(site.writes).toHaveLength(2);
  });
});

describe('a restart', () => {
  test('goes on with the wait from the raise', async () => {
    site.values[0] = 30;
    await site.run(60);
    site.kill();
    await site.rig.clock.advance(20_000);
    await site.boot();
    await site.run(20);
    expect(site.writes).toEqual(['91s 100']);
  });

  test('goes on with what is known to have passed where the wall clock went back', async () => {
    site.values[0] = 30;
    await site.run(60);
    site.kill();
    site.rig.clock.stepWall(-86_400_000);
    await site.boot();
    await site.run(60);
    const [write] = site.writes;
    const atS = Number(write?.split('s')[0]);
    expect(atS).toBeGreaterThan(90);
    expect(atS).toBeLessThan(102);
  });

  test('knows and releases what was left on', async () => {
    site.values[0] = 30;
    await site.run(95);
    site.kill();
    site.values[0] = 5;
    await site.boot();
    await site.run(15);
    expect(site.writes.map((line) => line.split(' ')[1])).toEqual(['100', '0']);
    expect(site.state).toEqual({ state: 'armed', on: 'no', alarms: [] });
  });

  test('also when the file has the fallback no more', async () => {
    site.values[0] = 30;
    await site.run(95);
    site.kill();
    site.configs = [];
    await site.boot();
    await site.run(15);
    expect(site.writes.map((line) => line.split(' ')[1])).toEqual(['100', '0']);
  });

  test('finds in the ledger what was driven before it could be kept', async () => {
    await restart({ cloudAway: 'at_once' });
    site.cloud = { ...site.cloud, isUp: false };
    site.isDiskSlow = true;
    site.values[0] = 30;
    await site.run(2);
    expect(site.state.state).toBe('fired');
    site.kill();
    site.isDiskSlow = false;
    site.values[0] = 5;
    await site.boot();
    await site.run(15);
    expect(site.writes.map((line) => line.split(' ')[1])).toEqual(['100', '0']);
  });
});
