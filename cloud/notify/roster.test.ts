import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Directory, Roster, Shift } from './roster.ts';
import { coverOf, FIRST_MONDAY, NOBODY_ON_DUTY, onDuty, reach } from './roster.ts';

const HOUR_MS = 3_600_000;
const CHINA_MS = 8 * HOUR_MS;
const week = (...on: number[]) => ({ days: 7, firstDay: FIRST_MONDAY, on });
const everyDay = week(0, 1, 2, 3, 4, 5, 6);

function shift(who: string, from: number, to: number, cycle: Shift['cycle'] = everyDay): Shift {
  return { who, cycle, fromMinute: from * 60, toMinute: to * 60 };
}

const roster = (shifts: readonly Shift[], absences: Roster['absences'] = []): Roster => ({
  ...{ id: 'gas-duty', utcOffsetMs: CHINA_MS, shifts, absences },
});
const at = (local: string) => Date.parse(`${local}+08:00`);

test('a night shift belongs to the day on which it begins, in local time', () => {
  const nights = roster([shift('wang', 8, 20), shift('li', 20, 8, week(4))]);
  expect(onDuty(nights, at('2026-11-27T20:00'))).toEqual(['li']); // A Friday.
  expect(onDuty(nights, at('2026-11-28T07:59'))).toEqual(['li']);
  expect(onDuty(nights, at('2026-11-28T08:00'))).toEqual(['wang']);
  expect(onDuty(nights, at('2026-11-28T20:00'))).toEqual([]);
});

test('who is absent is stood in for, by whoever stands in for the substitute, or by nobody', () => {
  const days = { fromMs: at('2026-12-01T00:00'), toMs: at('2026-12-02T00:00') };
  const shifts = [shift('wang', 0, 0)];
  const away = (who: string, substitute: string | null) => ({ who, ...days, substitute });
  const noon = at('2026-12-01T12:00');
  expect(onDuty(roster(shifts, [away('wang', 'li')]), noon)).toEqual(['li']);
  expect(onDuty(roster(shifts, [away('wang', 'li')]), days.toMs)).toEqual(['wang']);
  const chain = [away('wang', 'li'), away('li', 'zhao')];
  expect(onDuty(roster(shifts, chain), noon)).toEqual(['zhao']);
  expect(onDuty(roster(shifts, [away('wang', 'li'), away('li', 'wang')]), noon)).toEqual([]);
  expect(onDuty(roster(shifts, [away('wang', null)]), noon)).toEqual([]);
});

test('shifts that follow one another around a cycle have somebody at every moment, and one alone', () => {
  const cut = fc.uniqueArray(fc.integer({ min: 0, max: 1_439 }), { minLength: 1, maxLength: 5 });
  const moment = fc.integer({ min: 0, max: 4_000_000_000_000 });
  fc.assert(
    fc.property(cut, fc.integer({ min: 1, max: 9 }), moment, (cuts, days, atMs) => {
      const sorted = [...cuts].sort((a, b) => a - b);
      const cycle = { days, firstDay: 20_000, on: Array.from({ length: days }, (_, day) => day) };
      const shifts = sorted.map((fromMinute, nth) => {
        const toMinute = sorted[(nth + 1) % sorted.length]!;
        return { who: `p-${nth}`, cycle, fromMinute, toMinute };
      });
      expect(coverOf({ shifts })).toEqual({ gap: null, overlap: null });
      expect(onDuty(roster(shifts), atMs)).toHaveLength(1);
    }),
  );
});

test('a gap that is reported is one, and where none is there is nobody missing', () => {
  const some = fc.record({
    who: fc.constantFrom('wang', 'li', 'zhao'),
    on: fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 7 }),
    fromMinute: fc.integer({ min: 0, max: 23 }).map((hour) => hour * 60),
    toMinute: fc.integer({ min: 0, max: 23 }).map((hour) => hour * 60),
  });
  const hours = Array.from({ length: 7 * 24 }, (_, hour) => hour);
  fc.assert(
    fc.property(fc.array(some, { maxLength: 8 }), (list) => {
      const shifts = list.map(({ on, ...each }) => ({ ...each, cycle: week(...on) }));
      const empty = hours.filter((hour) => {
        const localMs = FIRST_MONDAY * 24 * HOUR_MS + (hour + 0.5) * HOUR_MS;
        return onDuty(roster(shifts), localMs - CHINA_MS).length === 0;
      });
      const { gap } = coverOf({ shifts });
      expect(gap === null).toBe(empty.length === 0);
      if (!gap) return;
      expect(gap.to).toBeGreaterThan(gap.from);
      expect(onDuty(roster(shifts), gap.from * 60_000 - CHINA_MS)).toEqual([]);
      expect(onDuty(roster(shifts), gap.to * 60_000 - CHINA_MS - 60_000)).toEqual([]);
    }),
  );
});

test('two on duty from beginning to end are a pair, two that meet in part are an overlap', () => {
  const pair = [shift('wang', 8, 20), shift('li', 8, 20), shift('zhao', 20, 8)];
  expect(coverOf({ shifts: pair })).toEqual({ gap: null, overlap: null });
  const { overlap } = coverOf({ shifts: [shift('wang', 8, 20), shift('zhao', 18, 8)] });
  expect(overlap?.shifts).toEqual([0, 1]);
});

test('a step reaches a person by the kind that is asked for, else by their first receiver', () => {
  const directory: Directory = {
    kinds: new Map([
      ['desk', 'webhook'],
      ['wang-robot', 'dingtalk'],
      ['wang-phone', 'phone'],
      ['li-mail', 'mail'],
    ]),
    people: new Map([
      ['wang', { id: 'wang', name: 'Wang', receivers: ['wang-robot', 'wang-phone'] }],
      ['li', { id: 'li', name: 'Li', receivers: ['li-mail'] }],
    ]),
    rosters: new Map([['gas-duty', roster([shift('wang', 8, 20), shift('li', 8, 20)])]]),
  };
  const noon = at('2026-11-27T12:00');
  const who = (targets: string[], by: string | null, atMs = noon) =>
    reach(directory, { targets, by }, atMs).map(({ receiver, why }) => why ?? receiver);
  expect(who(['desk', 'wang'], null)).toEqual(['desk', 'wang-robot']);
  expect(who(['gas-duty'], 'phone')).toEqual(['wang-phone', 'li-mail']);
  expect(who(['wang', 'gas-duty'], 'phone')).toEqual(['wang-phone', 'li-mail']);
  expect(who(['gas-duty'], null, at('2026-11-27T21:00'))).toEqual([NOBODY_ON_DUTY]);
});
