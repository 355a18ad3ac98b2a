import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { isFault } from '../../core/fault.ts';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import type { Alarm } from './alarm.ts';
import { Annunciations, DETAIL_DAYS } from './annunciations.ts';
import type { AlarmEvent } from './occurrences.ts';
import { machine } from './occurrences.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UTC_8 = 8 * HOUR;
const MIDNIGHT = Date.UTC(2026, 0, 31) - UTC_8; // Of 31 January in China.

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function open(desks: readonly string[] = []) {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const journal: [string, string, number][] = [];
  const options = {
    desks,
    utcOffsetMs: UTC_8,
    journal: (kind: string, what: string, _after: unknown, atMs: number) => {
      journal.push([kind, what, atMs]);
    },
  };
  const start = () => new Annunciations(database, options);
  return { database, journal, start, kept: start() };
}

let numbers = 0;
function alarm(raisedMs: number, changes: Partial<Alarm> = {}): Alarm {
  const number = ++numbers;
  const own = { number, occurrence: `o${number}`, beganMs: raisedMs, raisedMs, annunciations: 1 };
  return { ...sampleAlarm, ...own, ...changes };
}
function take(kept: Annunciations, kind: AlarmEvent['kind'], of: Alarm, atMs: number): void {
  kept.take([{ kind, alarm: of, by: machine, atMs }], atMs);
}
function codeOf(work: () => unknown): string | null {
  try {
    work();
  } catch (error) {
    if (isFault(error)) return error.code;
    throw error;
  }
  return null;
}

test('what is told, told again, acknowledged and cleared is in the figures of its day', () => {
  const { kept } = open();
  const one = alarm(MIDNIGHT);
  take(kept, 'raised', one, MIDNIGHT + SECOND);
  take(kept, 'acknowledged', { ...one, acknowledgedMs: MIDNIGHT + 31 * SECOND }, MIDNIGHT + MINUTE);
  const again = { ...one, annunciations: 2 };
  take(kept, 'annunciated', again, MIDNIGHT + HOUR);
  // It came out from under a worse one, and had been told already.
  take(kept, 'annunciated', again, MIDNIGHT + HOUR + MINUTE);
  take(kept, 'cleared', { ...again, clearedMs: MIDNIGHT + 2 * HOUR }, MIDNIGHT + 2 * HOUR);
  const { annunciated, acknowledge } = kept.day(MIDNIGHT);
  expect(annunciated).toBe(2);
  expect(acknowledge[0]).toMatchObject({ annunciated: 2, acknowledged: 1, medianMs: 30 * SECOND });
});

test('what is hidden is counted apart, and told when it comes out of hiding', () => {
  const { kept } = open();
  const shelf = { untilMs: 0, isOneShot: false, by: 'li', reason: 'x' };
  const shelved = alarm(MIDNIGHT, { shelf, annunciations: 0 });
  take(kept, 'raised', shelved, MIDNIGHT);
  take(kept, 'raised', alarm(MIDNIGHT, { isHistorical: true }), MIDNIGHT);
  expect(kept.day(MIDNIGHT)).toMatchObject({ annunciated: 0, hidden: { shelved: 1 } });
  const out = { ...shelved, shelf: null, annunciations: 1 };
  take(kept, 'annunciated', out, MIDNIGHT + HOUR);
  expect(kept.day(MIDNIGHT)).toMatchObject({ annunciated: 1, hidden: { shelved: 1 } });
});

test('a flood is in the journal when it begins and when it is over, for each desk that has it, also across a restart', () => {
  const { kept, journal, start } = open(['gas', 'water']);
  for (let at = 0; at < 10; at++) take(kept, 'raised', alarm(MIDNIGHT), MIDNIGHT + at * SECOND);
  const beganMs = MIDNIGHT + 9 * SECOND;
  expect(journal).toEqual([
    ['flood-began', 'flood/', beganMs],
    ['flood-began', 'flood/gas', beganMs],
  ]);
  expect(kept.changes().map(({ desk }) => desk)).toEqual(['', 'gas']);
  expect(kept.changes()).toEqual([]);
  const next = start();
  expect(next.changes()).toEqual([]);
  expect(next.desks()[1]).toMatchObject({ desk: 'gas', inTenMinutes: 10, flood: { peak: 10 } });
  take(next, 'raised', alarm(MIDNIGHT), MIDNIGHT + MINUTE);
  next.tick(MIDNIGHT + MINUTE);
  // The sixth of the first ten leaves the window: four and the late one are five, then four.
  expect(next.isDue(MIDNIGHT + 10 * MINUTE + 5 * SECOND)).toBe(false);
  const overMs = MIDNIGHT + 10 * MINUTE + 6 * SECOND;
  expect(next.isDue(overMs)).toBe(true);
  next.tick(overMs);
  expect(journal.slice(2)).toEqual([
    ['flood-ended', 'flood/', overMs],
    ['flood-ended', 'flood/gas', overMs],
  ]);
  expect(next.changes()).toEqual([
    { desk: '', flood: { fromMs: beganMs, toMs: overMs, alarms: 11, peak: 11 } },
    { desk: 'gas', flood: { fromMs: beganMs, toMs: overMs, alarms: 11, peak: 11 } },
  ]);
  expect(start().desks()[0]?.flood?.toMs).toBe(overMs);
});

test('a failed transaction leaves no flood behind', () => {
  const { kept, database, journal } = open();
  database.exec('BEGIN');
  for (let at = 0; at < 10; at++) take(kept, 'raised', alarm(MIDNIGHT), MIDNIGHT);
  database.exec('ROLLBACK');
  kept.load();
  expect(kept.changes()).toEqual([]);
  expect(kept.desks()).toEqual([{ desk: '', inTenMinutes: 0, flood: null }]);
  expect(journal).toHaveLength(1); // Of the test; the real one is in the transaction.
});

test('a day is written when it is over in its own time zone, and read when its alarms are gone', () => {
  const { kept, database } = open();
  take(kept, 'raised', alarm(MIDNIGHT), MIDNIGHT);
  const standing = alarm(MIDNIGHT);
  take(kept, 'raised', standing, MIDNIGHT + DAY - 1);
  const gone = alarm(MIDNIGHT + DAY);
  take(kept, 'raised', gone, MIDNIGHT + DAY);
  take(kept, 'cleared', { ...gone, clearedMs: MIDNIGHT + DAY + 1 }, MIDNIGHT + DAY + 1);
  kept.tick(MIDNIGHT + DAY);
  expect(kept.dayNamed('2026-01-31')).toBe(MIDNIGHT);
  expect(codeOf(() => kept.dayNamed('2026-02-31x'))).toBe('figures_day');
  expect(kept.isDue(MIDNIGHT + DAY + 9 * MINUTE)).toBe(false);
  let nowMs = MIDNIGHT + DAY + 10 * MINUTE;
  for (; nowMs < MIDNIGHT + (DETAIL_DAYS + 3) * DAY; nowMs += DAY) {
    expect(kept.isDue(nowMs)).toBe(true);
    kept.tick(nowMs);
  }
  const rows = database.prepare('SELECT number FROM alarm_annunciations').all();
  expect(rows.map(({ number }) => number)).toEqual([standing.number - 1, standing.number]);
  expect(kept.day(MIDNIGHT).annunciated).toBe(2);
  expect(kept.day(MIDNIGHT + DAY).annunciated).toBe(1);
  expect(codeOf(() => kept.day(MIDNIGHT, 'gas'))).toBe('figures_gone');
  const { figures } = kept.day(MIDNIGHT + (DETAIL_DAYS + 1) * DAY);
  expect(figures.find(({ id }) => id === 'stale')?.value).toBe(1);
});

test('who is away for days writes them one a tick, and misses none', () => {
  const { kept } = open();
  take(kept, 'raised', alarm(MIDNIGHT), MIDNIGHT);
  const nowMs = MIDNIGHT + 3 * DAY + HOUR;
  let ticks = 0;
  for (; kept.isDue(nowMs); ticks++) kept.tick(nowMs);
  expect(ticks).toBe(3);
});

test('figures are of what lies within an asset path, and of a bounded period', () => {
  const { kept } = open();
  take(kept, 'raised', alarm(MIDNIGHT, { asset: 'gas/MP-1/well-1' }), MIDNIGHT);
  take(kept, 'raised', alarm(MIDNIGHT, { asset: null }), MIDNIGHT);
  expect(kept.day(MIDNIGHT).annunciated).toBe(2);
  expect(kept.day(MIDNIGHT, 'gas/MP-1').annunciated).toBe(1);
  expect(kept.day(MIDNIGHT, 'gas/MP').annunciated).toBe(0);
  const period = { fromMs: MIDNIGHT, toMs: MIDNIGHT };
  expect(codeOf(() => kept.figures(period))).toBe('figures_period');
  const long = { fromMs: MIDNIGHT, toMs: MIDNIGHT + 36 * DAY };
  expect(codeOf(() => kept.figures(long))).toBe('figures_period');
});
