import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import type { Alarm } from './alarm.ts';
import { SIBLINGS_MAX, WINDOW_MS } from './grouping.ts';
import { Incidents, QUIET_MS } from './incidents.ts';
import type { AlarmEvent } from './occurrences.ts';
import { machine } from './occurrences.ts';
import { GATEWAY_SILENT_RULE } from './silence.ts';

const T0 = 1_790_000_000_000;
const MINUTE = 60_000;

const databases: DatabaseSync[] = [];
afterEach(() => {
  for (const database of databases.splice(0)) database.close();
});

function open() {
  const database = new DatabaseSync(':memory:');
  databases.push(database);
  const journal: [string, string][] = [];
  const note = (kind: string, what: string) => journal.push([kind, what]);
  const incidents = new Incidents(database, note);
  const take = (...events: AlarmEvent[]) => incidents.take(events, events[0]!.atMs);
  return { database, incidents, journal, take, note };
}

let numbers = 0;
function alarm(changes: Partial<Alarm> & { readonly beganMs: number }): Alarm {
  const number = ++numbers;
  const raisedMs = changes.raisedMs ?? changes.beganMs;
  return { ...sampleAlarm, number, occurrence: `o${number}`, raisedMs, ...changes };
}
const event = (kind: AlarmEvent['kind'], of: Alarm, atMs = of.raisedMs): AlarmEvent => ({
  kind,
  alarm: of,
  by: machine,
  atMs,
});
const cleared = (of: Alarm, clearedMs: number): Alarm => ({ ...of, clearedMs, state: 'D' });
const silent = (gateway: string, beganMs: number) =>
  alarm({
    ...{ series: null, key: gateway, gateway, asset: null, rule: GATEWAY_SILENT_RULE },
    ...{ beganMs, raisedMs: beganMs + MINUTE, level: 3 },
  });

test('alarms of one place within ten minutes are one incident, and another place is another', () => {
  const { incidents, take } = open();
  const at = (asset: string, beganMs: number) => event('raised', alarm({ asset, beganMs }));
  take(at('gas/MP-1/well-1', T0), at('gas/MP-1/well-2', T0 + 1000));
  take(at('gas/MP-2/well-1', T0 + 2000), at('gas/MP-1/well-1', T0 + 1000 + WINDOW_MS));
  take(at('gas/MP-1/well-1', T0 + 1001 + 2 * WINDOW_MS));
  const seen = incidents.list().map(({ place, counts }) => [place, counts.members]);
  expect(seen).toEqual([
    ['gas/MP-1/well-1', 1],
    ['gas/MP-2/well-1', 1],
    ['gas/MP-1', 3],
  ]);
});

test('first-out is who began first by sample time, however late it comes and whatever its delay', () => {
  const { incidents, take } = open();
  const slow = alarm({ beganMs: T0, raisedMs: T0 + 30_000 });
  const quick = alarm({ beganMs: T0 + 5_000 });
  take(event('raised', quick, T0 + 5_000));
  take(event('raised', slow, T0 + 30_000));
  const early = alarm({ beganMs: T0 - MINUTE, isHistorical: true, clearedMs: T0 });
  const [incident] = incidents.list();
  expect(incident?.firstOut.occurrence).toBe(slow.occurrence);
  take(event('historical', early, T0 + 5 * MINUTE));
  expect(incidents.list()[0]).toMatchObject({
    firstOut: { occurrence: early.occurrence },
    counts: { members: 3, active: 2, historical: 1 },
  });
  expect(incidents.members(incident!.id)).toEqual(
    [early, slow, quick].map(({ occurrence }) => occurrence),
  );
});

test('history that moves an alarm, or makes it part of another, corrects first-out', () => {
  const { incidents, take } = open();
  const one = alarm({ beganMs: T0 });
  const other = alarm({ beganMs: T0 + 1000 });
  const rest = alarm({ beganMs: T0 - 1000, isHistorical: true });
  take(event('raised', one), event('raised', other));
  take(event('moved', { ...other, beganMs: T0 - 500 }));
  expect(incidents.list()[0]!.firstOut.occurrence).toBe(other.occurrence);
  take(event('moved', { ...other, beganMs: T0 + 500 }));
  expect(incidents.list()[0]!.firstOut.occurrence).toBe(one.occurrence);
  take(event('historical', rest), event('merged', rest));
  expect(incidents.list()[0]).toMatchObject({
    firstOut: { occurrence: one.occurrence },
    counts: { members: 2 },
  });
});

test('what is hidden or history joins an incident and begins none', () => {
  const { incidents, take } = open();
  const shelf = { untilMs: T0 + 1, isOneShot: false, by: 'li', reason: 'x' };
  const shelved = alarm({ beganMs: T0, shelf, state: 'G' });
  const past = alarm({ beganMs: T0, isHistorical: true, clearedMs: T0 + 1 });
  take(event('raised', shelved), event('historical', past));
  expect(incidents.list()).toEqual([]);
  take(event('raised', alarm({ beganMs: T0 })), event('raised', alarm({ beganMs: T0, shelf })));
  expect(incidents.list()[0]!.counts).toMatchObject({ members: 2, hidden: 1, unacknowledged: 1 });
  take(event('annunciated', { ...shelved, shelf: null, state: 'B' }));
  expect(incidents.list()[0]!.counts).toMatchObject({ members: 3, hidden: 1, unacknowledged: 2 });
});

test('an incident ends ten minutes after its last alarm ended, and a return before that joins it', () => {
  const { incidents, take, journal } = open();
  const one = alarm({ beganMs: T0 });
  take(event('raised', one));
  expect(incidents.isDue(T0 + 1)).toBe(true); // Old rows are looked for once after a start.
  incidents.tick(T0 + 1);
  expect(incidents.isDue(T0 + 30 * MINUTE)).toBe(false);
  const end = T0 + 30 * MINUTE;
  take(event('cleared', cleared(one, end), end));
  const again = alarm({ beganMs: end + 9 * MINUTE });
  take(event('raised', again));
  take(event('cleared', cleared(again, again.beganMs + 1), again.beganMs + 1));
  const quietMs = again.beganMs + 1 + QUIET_MS;
  expect(incidents.isDue(quietMs - 1)).toBe(false);
  expect(incidents.isDue(quietMs)).toBe(true);
  incidents.tick(quietMs);
  expect(incidents.list()).toEqual([]);
  expect(incidents.list({ state: 'all' })).toMatchObject([
    { endedMs: again.beganMs + 1, counts: { members: 2, active: 0 } },
  ]);
  expect(journal.map(([kind]) => kind)).toEqual(['incident-began', 'incident-ended']);
  take(event('raised', alarm({ beganMs: quietMs + 1 })));
  expect(incidents.list()).toHaveLength(1);
});

test('an alarm that shows late that it is still on opens its incident again', () => {
  const { incidents, take } = open();
  const one = alarm({ beganMs: T0 });
  take(event('raised', one), event('cleared', cleared(one, T0 + 1000)));
  incidents.tick(T0 + QUIET_MS + MINUTE);
  expect(incidents.list()).toEqual([]);
  const late = alarm({ beganMs: T0 + 500 });
  take(event('raised', late, T0 + 3 * 3_600_000));
  expect(incidents.list()).toMatchObject([{ endedMs: null, counts: { members: 2, active: 1 } }]);
});

test('what hides under a silent gateway is in its incident, also when it was raised before', () => {
  const { incidents, take, journal } = open();
  const gateway = 'gas-1';
  const before = alarm({ beganMs: T0, gateway, rule: 'no-data' });
  take(event('raised', before));
  take(event('raised', silent(gateway, T0 + 5_000)));
  const hidden = { ...before, suppressedBy: GATEWAY_SILENT_RULE, state: 'H' as const };
  take(event('suppressed', hidden, T0 + MINUTE));
  const later = alarm({ beganMs: T0 + 3_600_000, gateway, suppressedBy: GATEWAY_SILENT_RULE });
  take(event('raised', later));
  expect(incidents.list()).toMatchObject([
    {
      cause: 'silent',
      gateway,
      counts: { members: 3, active: 3, hidden: 2, unacknowledged: 1 },
      lastMs: T0 + 5_000,
    },
  ]);
  expect(journal.at(-1)?.[0]).toBe('incident-merged');
  expect(incidents.get(1)).toMatchObject({ mergedInto: 2, counts: { members: 0 } });
});

test('three gateways of an area that fall silent together are one incident of the area', () => {
  const { incidents, take } = open();
  take(event('raised', silent('gw-1', T0)), event('raised', silent('gw-2', T0 + 30_000)));
  expect(incidents.list()).toHaveLength(2);
  take(event('raised', { ...silent('gw-9', T0), area: 'water' }));
  expect(incidents.list()).toHaveLength(3);
  take(event('raised', silent('gw-3', T0 + 90_000)));
  take(event('raised', silent('gw-4', T0 + 95_000)));
  const hidden = { beganMs: T0 + MINUTE, suppressedBy: GATEWAY_SILENT_RULE };
  for (const gateway of ['gw-1', 'gw-2', 'gw-3', 'gw-4']) {
    take(event('raised', alarm({ ...hidden, gateway })));
  }
  expect(incidents.list()).toMatchObject([
    { area: 'water', cause: 'silent', counts: { members: 1 } },
    { area: 'gas', cause: 'area-silent', counts: { members: 8, hidden: 4 }, firstMs: T0 },
  ]);
});

test('a gateway silent for hours makes no area of one that falls silent now', () => {
  const { incidents, take } = open();
  take(event('raised', silent('gw-1', T0)), event('raised', silent('gw-2', T0 + 3_600_000)));
  take(event('raised', silent('gw-3', T0 + 3_600_000)));
  expect(incidents.list().map(({ cause }) => cause)).toEqual(['silent', 'silent', 'silent']);
});

test('ten thousand alarms at five hundred places of one network are nine incidents, and none is lost', () => {
  const { incidents, take } = open();
  for (let batch = 0; batch < 100; batch++) {
    const events = Array.from({ length: 100 }, (_, at) => {
      const place = (batch * 100 + at) % 500;
      const asset = `gas/part-${place}/well-${at}`;
      return event('raised', alarm({ asset, beganMs: T0 + batch * 100 + at }));
    });
    take(...events);
  }
  const all = incidents.list();
  expect(all).toHaveLength(SIBLINGS_MAX + 1);
  expect(all.reduce((sum, { counts }) => sum + counts.members, 0)).toBe(10_000);
  expect(all[0]!.place).toBe('gas');
});

test('whoever sees a part of the assets sees that part of an incident, and nothing of the others', () => {
  const { incidents, take } = open();
  const at = (asset: string, beganMs: number, level: 1 | 4) =>
    event('raised', alarm({ asset, beganMs, level }));
  take(at('gas/MP-1/well-1', T0, 1), at('gas/MP-1/well-2', T0 + 1, 4));
  take(at('gas/MP-1/well-20', T0 + 2, 1));
  const [incident] = incidents.list();
  expect(incidents.within(incident!, 'gas/MP-1')).toBe(incident);
  expect(incidents.within(incident!, 'gas/MP-1/well-2')).toMatchObject({
    ...{ place: 'gas/MP-1/well-2', level: 4, firstMs: T0 + 1 },
    counts: { members: 1, active: 1, unacknowledged: 1 },
  });
  expect(incidents.within(incident!, 'gas/MP-2')).toBeNull();
  expect(incidents.members(incident!.id, 'gas/MP-1/well-2')).toHaveLength(1);
});

test('a rolled back transaction leaves nothing behind', () => {
  const { database, incidents, take } = open();
  take(event('raised', alarm({ beganMs: T0 })));
  const before = incidents.list();
  database.exec('BEGIN');
  take(event('raised', alarm({ beganMs: T0 })));
  take(event('raised', alarm({ beganMs: T0, asset: 'water/a/b' })));
  database.exec('ROLLBACK');
  incidents.load();
  expect(incidents.list()).toEqual(before);
  take(event('raised', alarm({ beganMs: T0 + 1 })));
  expect(incidents.list()[0]!.counts.members).toBe(2);
});

interface Step {
  readonly place: number;
  readonly afterMs: number;
  readonly ends: boolean;
}
const steps = fc.array(
  fc.record({
    place: fc.nat(14),
    afterMs: fc.oneof(fc.nat(5_000), fc.nat(WINDOW_MS), fc.nat(3 * WINDOW_MS)),
    ends: fc.boolean(),
  }),
  { maxLength: 60 },
);

// Each step raises an alarm; `ends` then clears the oldest that is on.
function eventsOf(all: readonly Step[]): AlarmEvent[] {
  const on: Alarm[] = [];
  let nowMs = T0;
  return all.flatMap(({ place, afterMs, ends }, at) => {
    nowMs += afterMs;
    const asset = `gas/part-${place % 12}/well-${place}`;
    const number = at + 1;
    const raised = alarm({ asset, beganMs: nowMs, number, occurrence: `o${number}` });
    on.push(raised);
    const events = [event('raised', raised, nowMs)];
    const first = ends ? on.shift() : undefined;
    if (first) events.push(event('cleared', cleared(first, nowMs), nowMs));
    return events;
  });
}

function run(events: readonly AlarmEvent[], restartsEvery: number) {
  const { database, incidents, note } = open();
  let at = incidents;
  events.forEach((one, place) => {
    if (at.isDue(one.atMs)) at.tick(one.atMs);
    at.take([one], one.atMs);
    if (place % restartsEvery === restartsEvery - 1) at = new Incidents(database, note);
  });
  return at;
}

test('every alarm is in one incident, counts are those of its members, and a restart changes nothing', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 10 }), (all, restartsEvery) => {
      const events = eventsOf(all);
      const once = run(events, events.length + 1);
      const restarted = run(events, restartsEvery);
      const list = once.list({ state: 'all' });
      expect(restarted.list({ state: 'all' })).toEqual(list);
      const members = list.flatMap(({ id }) => once.members(id));
      expect([...members].sort()).toEqual(
        events
          .filter(({ kind }) => kind === 'raised')
          .map((it) => it.alarm.occurrence)
          .sort(),
      );
      const newest = new Map(events.map((it) => [it.alarm.occurrence, it.alarm]));
      for (const { id, counts, firstOut, endedMs } of list) {
        const own = once.members(id).map((occurrence) => newest.get(occurrence)!);
        const active = own.filter(({ clearedMs }) => clearedMs === null).length;
        expect(counts).toMatchObject({ members: own.length, active, unacknowledged: own.length });
        const firstMs = Math.min(...own.map(({ beganMs }) => beganMs));
        expect(newest.get(firstOut.occurrence)!.beganMs).toBe(firstMs);
        if (endedMs !== null) expect(active).toBe(0);
      }
    }),
  );
});
