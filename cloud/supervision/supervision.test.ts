import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { machine } from '../alarms/occurrences.ts';
import { broken, OK, unknown } from './component.ts';
import { CONFIRMED_MS, monthNamed } from './figures.ts';
import { AWAY_MS_MIN, PATH_BROKEN_RULE, Supervision } from './supervision.ts';

const T0 = Date.UTC(2026, 10, 10);
const desk = { kind: 'receiver', id: 'desk' } as const;
const gateway = { kind: 'gateway', id: 'gw' } as const;
const month = monthNamed('2026-11', 0)!;

function open(database = new DatabaseSync(':memory:'), atMs = T0) {
  const alarms = new AlarmConsumer(database);
  const supervision = new Supervision({ database, alarms }, atMs);
  const told: string[] = [];
  /** A tick each second, as the cloud has them. */
  const until = (fromMs: number, toMs: number) => {
    for (let at = fromMs; at <= toMs; at += 1_000) {
      for (const { kind, alarm } of alarms.tick(at)) {
        told.push(`${(at - T0) / 1_000} ${kind} ${alarm.key}: ${alarm.title.en}`);
      }
    }
  };
  const faults = () =>
    supervision.faults(month, 100).map(({ kind, id, fromMs, toMs, isFalse }) => {
      const end = toMs === null ? null : (toMs - T0) / 1_000;
      return [`${kind}/${id}`, (fromMs - T0) / 1_000, end, isFalse];
    });
  return { database, alarms, supervision, told, until, faults };
}

test('a fault that is over within a minute by itself is a false one; one with a loss, or longer, is none', () => {
  const { supervision, until, faults } = open();
  supervision.report(gateway, OK, T0);
  supervision.report(gateway, broken('silent'), T0 + 10_000);
  supervision.report(gateway, OK, T0 + 30_000);
  supervision.report(gateway, broken('silent'), T0 + 40_000);
  supervision.report(gateway, { ...OK, lost: true }, T0 + 50_000);
  supervision.report(gateway, broken('silent'), T0 + 100_000);
  supervision.report(gateway, OK, T0 + 100_001 + CONFIRMED_MS);
  until(T0 + 200_000, T0 + 201_000);
  expect(faults()).toEqual([
    ['gateway/gw', 100, 160.001, false],
    ['gateway/gw', 40, 50, false],
    ['gateway/gw', 10, 30, true],
  ]);
  const { all, gateways } = supervision.figures(month, T0 + 1_000_000);
  expect(all).toMatchObject({ faults: 3, falseFaults: 1, longestMs: 60_001 });
  expect(gateways.get('gw')?.brokenMs).toBe(20_000 + 10_000 + 60_001);
});

test('that nobody can tell does not end a fault', () => {
  const { supervision, until, faults } = open();
  supervision.report(gateway, broken('silent'), T0);
  supervision.report(gateway, unknown('no-broker'), T0 + 5_000);
  supervision.report(gateway, broken('silent'), T0 + 9_000);
  supervision.report(gateway, OK, T0 + 12_000);
  until(T0 + 20_000, T0 + 20_000);
  expect(faults()).toEqual([['gateway/gw', 0, 12, true]]);
});

test('a receiver that is broken for a minute is an alarm until it is back; a moment is none', () => {
  const { supervision, told, until, alarms } = open();
  supervision.report(desk, OK, T0);
  supervision.report(desk, broken('no-answer', 'timeout'), T0 + 10_000);
  until(T0 + 10_000, T0 + 40_000);
  supervision.report(desk, OK, T0 + 41_000);
  until(T0 + 41_000, T0 + 200_000);
  expect(told).toEqual([]);
  supervision.report(desk, broken('no-answer', 'timeout'), T0 + 300_000);
  until(T0 + 300_000, T0 + 400_000);
  const title = 'The alarm path is broken at receiver/desk: no answer (timeout)';
  expect(told).toEqual([`360 raised cloud/receiver/desk: ${title}`]);
  const [alarm] = alarms.list();
  alarms.acknowledge(alarm!.occurrence, machine, 'called them', T0 + 401_000);
  expect(alarms.get(alarm!.occurrence)?.acknowledgedBy).toBe(machine.name);
  supervision.report(desk, OK, T0 + 450_000);
  until(T0 + 450_000, T0 + 460_000);
  expect(told.at(-1)).toBe(`450 cleared cloud/receiver/desk: ${title}`);
  expect(alarms.list()).toEqual([]);
});

test('a gateway that is broken raises nothing here: its silence is an alarm of its own', () => {
  const { supervision, told, until } = open();
  supervision.report(gateway, broken('silent'), T0);
  until(T0, T0 + 300_000);
  expect(told).toEqual([]);
});

test('faults and alarms outlive a restart, and the time the cloud did not run is a fault of it', () => {
  const first = open();
  first.supervision.report(desk, broken('no-answer'), T0);
  first.until(T0, T0 + 100_000);
  expect(first.told).toHaveLength(1);
  const again = open(first.database, T0 + 100_000 + AWAY_MS_MIN + 30_000);
  again.supervision.report(desk, unknown('untried'), T0 + 151_000);
  again.until(T0 + 151_000, T0 + 160_000);
  expect(again.told).toEqual([]); // It goes on: nobody is told twice.
  expect(again.alarms.isOwnActive('cloud/receiver/desk', PATH_BROKEN_RULE)).toBe(true);
  again.supervision.report(desk, OK, T0 + 170_000);
  again.until(T0 + 170_000, T0 + 171_000);
  expect(again.told).toHaveLength(1);
  expect(again.faults()).toEqual([
    ['cloud/', 100, 150, false],
    ['receiver/desk', 0, 170, false],
  ]);
  const quick = open(first.database, T0 + 175_000);
  quick.until(T0 + 175_000, T0 + 176_000);
  expect(quick.faults()).toHaveLength(2);
});

test('a disk without room loses no fault, and writes none twice', () => {
  const { database, supervision, alarms, until, faults } = open();
  supervision.report(gateway, OK, T0);
  until(T0, T0);
  supervision.report(gateway, broken('silent'), T0 + 1_000);
  supervision.report(gateway, OK, T0 + 2_000);
  database.exec(`CREATE TRIGGER full BEFORE UPDATE ON supervision_faults
    BEGIN SELECT raise(ABORT, 'full'); END`);
  expect(() => alarms.tick(T0 + 3_000)).toThrow(/full/);
  expect(faults()).toEqual([]);
  supervision.report(gateway, broken('silent'), T0 + 4_000);
  database.exec('DROP TRIGGER full');
  until(T0 + 5_000, T0 + 7_000);
  expect(faults()).toEqual([
    ['gateway/gw', 4, null, false],
    ['gateway/gw', 1, 2, true],
  ]);
});

test('a gateway that was removed is supervised no more, and its fault ends with it', () => {
  const { supervision, until, faults } = open();
  supervision.report(gateway, broken('silent'), T0);
  until(T0, T0 + 1_000);
  supervision.forget(gateway, T0 + 10_000);
  until(T0 + 10_000, T0 + 11_000);
  expect(faults()).toEqual([['gateway/gw', 0, 10, false]]);
  expect(supervision.figures(month, T0 + 100_000).gateways.get('gw')?.supervisedMs).toBe(10_000);
});
