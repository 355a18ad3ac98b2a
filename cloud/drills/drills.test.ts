import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { CommandedPlant, li, offer, offering } from '../../tests/commanded-plant.ts';
import type { Drill } from './drills.ts';
import { DRILLS_RUNNING_MAX, Drills } from './drills.ts';
import type { Scenario, Step } from './scenario.ts';

let plant: CommandedPlant;
let drills: Drills;

const set = { id: 'set', title: { en: 'Set', zh: '设定' }, fixed: null } as const;
const step = (changes: Partial<Step> = {}): Step => ({
  ...{ gateway: 'gw-1', level: 1, atMs: 0, holdMs: 10_000, told: [], confirmWithinMs: 60_000 },
  ...changes,
});
const scenario = (...steps: Step[]): Scenario => ({ title: { en: 'Leak', zh: '泄漏' }, steps });

function open(): Drills {
  const { alarms, commands, database } = plant;
  const options = { tables: alarms.tables, commands, deliveries: () => [] };
  return new Drills(seededRandom(1), database, options);
}

const start = (what: Scenario): Drill => {
  const drill = drills.start(what, 'monthly', li, '10.0.0.1', plant.nowMs);
  plant.turn();
  return drill;
};

/** Seconds pass, the drills looked at in each. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) {
    await plant.clock.advance(1_000);
    drills.tick(plant.nowMs);
    plant.turn();
  }
}

const sent = () => plant.published.map(({ point, value }) => `${point} ${value}`);

beforeEach(() => {
  plant = new CommandedPlant(new DatabaseSync(':memory:'));
  const drilled = { ...set, states: [true, false], right: 'operate' } as const;
  plant.points['gw-1'] = [1, 2].map((level) => {
    const place = ['gw-1', 'self', `drill-${level}`, 'gas/x'] as const;
    const made = offering(10 + level, place, [offer(drilled)]);
    return { ...made, definition: { ...made.definition, type: 'boolean' } };
  });
  plant.record('gw-1');
  drills = open();
});
afterEach(() => plant.database.close());

test('each step is set when it is due and taken back after its time, once', async () => {
  start(scenario(step(), step({ level: 2, atMs: 5_000 })));
  await pass(4);
  expect(new Set(sent())).toEqual(new Set(['drill-1 true']));
  await pass(20);
  const ids = new Set(plant.published.map(({ id }) => id));
  expect(ids.size).toBe(4);
  expect([...new Set(sent())].sort()).toEqual([
    'drill-1 false',
    'drill-1 true',
    'drill-2 false',
    'drill-2 true',
  ]);
});

test('what a person ends before its time is taken back at once', async () => {
  const { number } = start(scenario(step({ holdMs: 600_000 }), step({ level: 2, atMs: 60_000 })));
  await pass(2);
  drills.end(number, { name: 'li', from: '10.0.0.1' }, plant.nowMs);
  await pass(2);
  expect([...new Set(sent())]).toEqual(['drill-1 true', 'drill-1 false']);
  expect(drills.get(number).steps.map(({ isTakenBack }) => isTakenBack)).toEqual([true, false]);
});

test('a cloud that dies goes on with the drill, and asks for nothing a second time', async () => {
  const { number } = start(scenario(step(), step({ level: 2, atMs: 5_000 })));
  await pass(2);
  plant.start();
  drills = open();
  await pass(4);
  plant.start();
  drills = open();
  await pass(20);
  expect(new Set(plant.published.map(({ id }) => id)).size).toBe(4);
  expect(drills.get(number).steps.every(({ isTakenBack }) => isTakenBack)).toBe(true);
});

test('it ends though nothing came of it, and says so', async () => {
  const { number } = start(scenario(step()));
  await pass(89);
  expect(drills.get(number).endedMs).toBeNull();
  await pass(2);
  const drill = drills.get(number);
  expect(drill.endedMs).not.toBeNull();
  expect(drills.facts(drill)[0]?.alarm).toBeNull();
});

test('what a gateway cannot be asked is told at its step, and the others go on', async () => {
  const drill = start(scenario(step({ gateway: 'gw-9' }), step()));
  expect(drill.steps.map(({ refused }) => refused)).toEqual(['command_point_unknown', null]);
});

test('only so many run at once, and one point of a gateway belongs to one of them', () => {
  start(scenario(step()));
  expect(() => start(scenario(step()))).toThrow('drill 1');
  for (let at = 1; at < DRILLS_RUNNING_MAX; at++) {
    start(scenario(step({ gateway: `gw-${at + 10}`, atMs: 60_000 })));
  }
  expect(() => start(scenario(step({ level: 2 })))).toThrow(`${DRILLS_RUNNING_MAX} drills`);
});
