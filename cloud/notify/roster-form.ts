// People and rosters as the cloud's file says them, with what a form cannot say: ids that are not
// there, times that are none, shifts that leave somebody's night open.
import { z } from 'zod';
import { offsetMinutes, utcOffset } from '../../core/alarm/rule-form.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { didYouMean } from '../../core/problems.ts';
import { idForm } from '../../core/schema.ts';
import { bilingual, type MessageKey } from '../../core/text/text.ts';
import type { Absence, Cycle, Person, Roster, Shift } from './roster.ts';
import { coverOf, FIRST_MONDAY, weekdays } from './roster.ts';

const key = (code: MessageKey) => code;

export const peopleForm = z
  .array(
    z.strictObject({
      id: idForm,
      name: z.string().min(1).max(120).optional().describe('as the desk shows it; default the id'),
      receivers: z.array(idForm).min(1).max(10).describe('in the order in which they are used'),
    }),
  )
  .max(1_000);

const timeForm = z
  .string(key('not-a-time-of-day'))
  .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, key('not-a-time-of-day'))
  .describe('local time, as "08:00"');

const LOCAL_PATTERN = /^(\d{4}-\d{2}-\d{2})(?:[T ]([01]\d|2[0-3]):([0-5]\d))?$/;

const localForm = z
  .string(key('not-a-local-time'))
  .regex(LOCAL_PATTERN, key('not-a-local-time'))
  .describe('local date or date and time: 2026-12-01 or 2026-12-01T08:00');

/** A year: longer patterns are no patterns. */
const CYCLE_DAYS_MAX = 366;

const shiftForm = z.strictObject({
  who: idForm.describe('a person'),
  days: z.array(z.enum(weekdays)).min(1).max(7).optional().describe('on which it begins; all'),
  cycle: z
    .strictObject({
      days: z.int().min(1).max(CYCLE_DAYS_MAX).describe('after which it begins again'),
      from: localForm.describe('a first day of it'),
      on: z.array(z.int().min(1)).min(1).max(CYCLE_DAYS_MAX).describe('days of it, from 1'),
    })
    .optional()
    .describe('in place of days: a pattern that is no week'),
  from: timeForm.optional().describe('default "00:00"'),
  to: timeForm.optional().describe('not later than from: of the next day; default "00:00"'),
});

export const rostersForm = z
  .array(
    z.strictObject({
      id: idForm,
      utc_offset: utcOffset.optional().describe('local time less UTC; default that of the cloud'),
      shifts: z.array(shiftForm).min(1).max(200),
      absences: z
        .array(
          z.strictObject({
            who: idForm,
            from: localForm,
            to: localForm.describe('a date is meant to its end'),
            substitute: idForm.optional().describe('who is told instead; nobody where left out'),
          }),
        )
        .max(1_000)
        .optional(),
    }),
  )
  .max(200);

/** "did you mean …", where one is near. */
export function meant(id: string, known: Iterable<string>) {
  const word = didYouMean(id, known);
  return { help: word === undefined ? undefined : bilingual('help-did-you-mean', { word }) };
}

/** `receivers`: the ids there are. */
export function readPeople(
  source: z.output<typeof peopleForm>,
  path: Path,
  problems: Problems,
  receivers: ReadonlySet<string>,
): Person[] {
  return source.map(({ id, name = id, receivers: own }, at) => {
    own.forEach((receiver, place) => {
      if (receivers.has(receiver)) return;
      const where = [...path, at, 'receivers', place];
      problems.add(where, 'person-receiver', { id: receiver }, meant(receiver, receivers));
    });
    return { id, name, receivers: own };
  });
}

export function readRosters(
  source: z.output<typeof rostersForm>,
  path: Path,
  problems: Problems,
  ground: { readonly people: ReadonlySet<string>; readonly utcOffsetMs: number },
): Roster[] {
  const { people } = ground;
  const mustBe = (who: string, where: Path) => {
    if (!people.has(who)) problems.add(where, 'unknown-person', { id: who }, meant(who, people));
  };
  return source.map(({ id, utc_offset: offset, shifts, absences = [] }, at) => {
    const place = [...path, at];
    const utcOffsetMs = offset === undefined ? ground.utcOffsetMs : offsetMinutes(offset) * 60_000;
    const roster: Roster = {
      id,
      utcOffsetMs,
      shifts: shifts.map((shift, nth) => {
        const where = [...place, 'shifts', nth];
        mustBe(shift.who, [...where, 'who']);
        return shiftOf(shift, where, problems);
      }),
      absences: absences.map((absence, nth) => {
        const where = [...place, 'absences', nth];
        mustBe(absence.who, [...where, 'who']);
        const { substitute } = absence;
        if (substitute !== undefined) mustBe(substitute, [...where, 'substitute']);
        return absenceOf(absence, utcOffsetMs, where, problems);
      }),
    };
    warn(roster, place, problems);
    return roster;
  });
}

function shiftOf(source: z.output<typeof shiftForm>, path: Path, problems: Problems): Shift {
  const { who, days, cycle, from = '00:00', to = '00:00' } = source;
  if (days && cycle) problems.add([...path, 'cycle'], 'shift-days-and-cycle', {});
  const [fromMinute, toMinute] = [minuteOf(from), minuteOf(to)];
  if (!cycle) {
    const on = (days ?? weekdays).map((day) => weekdays.indexOf(day));
    return { who, cycle: { days: 7, firstDay: FIRST_MONDAY, on }, fromMinute, toMinute };
  }
  cycle.on.forEach((day, at) => {
    if (day <= cycle.days) return;
    problems.add([...path, 'cycle', 'on', at], 'shift-beyond-cycle', { day, days: cycle.days });
  });
  const firstMs = localMs(cycle.from, [...path, 'cycle', 'from'], problems, 'beginning');
  const own: Cycle = {
    days: cycle.days,
    firstDay: Math.floor(firstMs / 86_400_000),
    on: cycle.on.map((day) => day - 1),
  };
  return { who, cycle: own, fromMinute, toMinute };
}

function absenceOf(
  source: { who: string; from: string; to: string; substitute?: string | undefined },
  utcOffsetMs: number,
  path: Path,
  problems: Problems,
): Absence {
  const { who, from, to, substitute = null } = source;
  const fromMs = localMs(from, [...path, 'from'], problems, 'beginning') - utcOffsetMs;
  const toMs = localMs(to, [...path, 'to'], problems, 'end') - utcOffsetMs;
  if (toMs <= fromMs) problems.add([...path, 'to'], 'absence-order', { from, to });
  if (substitute === who) problems.add([...path, 'substitute'], 'substitute-self', { id: who });
  return { who, fromMs, toMs, substitute };
}

function warn(roster: Roster, path: Path, problems: Problems): void {
  const { gap, overlap } = coverOf(roster);
  const isWeekly = roster.shifts.every(({ cycle }) => cycle.days === 7);
  const when = isWeekly ? weekdayAndTime : dayAndTime;
  const { id } = roster;
  const severity = 'warning' as const;
  const warned = { severity };
  if (gap) {
    const values = { id, from: when(gap.from), to: when(gap.to) };
    problems.add([...path, 'shifts'], 'roster-gap', values, warned);
  }
  if (!overlap) return;
  const [one, other] = [Math.min(...overlap.shifts), Math.max(...overlap.shifts)];
  const values = { one: one + 1, from: when(overlap.from), to: when(overlap.to) };
  problems.add([...path, 'shifts', other], 'roster-overlap', values, warned);
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

/** As if it were UTC; NaN never comes out, a date that is none is a finding. */
function localMs(
  text: string,
  path: Path,
  problems: Problems,
  meaning: 'beginning' | 'end',
): number {
  const [, date = '', hour, minute] = LOCAL_PATTERN.exec(text) ?? [];
  const dayMs = Date.parse(`${date}T00:00:00Z`);
  if (!Number.isFinite(dayMs) || new Date(dayMs).toISOString().slice(0, 10) !== date) {
    problems.add(path, 'not-a-local-time', { found: text });
    return 0;
  }
  if (hour === undefined) return dayMs + (meaning === 'end' ? 86_400_000 : 0);
  return dayMs + (Number(hour) * 60 + Number(minute)) * 60_000;
}

/** Minutes since 1970 as `2026-11-23 08:00`. */
function dayAndTime(minutes: number): string {
  return new Date(minutes * 60_000).toISOString().slice(0, 16).replace('T', ' ');
}

/** Of a week that is like every other, as it stands in the file: `mon 08:00`. */
function weekdayAndTime(minutes: number): string {
  const day = Math.floor(minutes / 1_440) - FIRST_MONDAY;
  return `${weekdays[((day % 7) + 7) % 7]} ${dayAndTime(minutes).slice(11)}`;
}
