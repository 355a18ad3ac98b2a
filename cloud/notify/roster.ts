// Who can be told at a moment. A *receiver* is an address on a channel; a *person* has receivers,
// the first the usual one; a *roster* says who of the people is on duty when. One name space of
// ids, so that a step of a route names any of them. Pure: asked when the step is told, not when the
// alarm came.
//
// A shift begins at a local time of a day and ends at another one, beyond midnight where that is
// not later; equal times are a whole day. Its days are those of a cycle: seven from a Monday on, or
// a pattern of a site, as two days, two nights and two days off. Somebody who is absent is stood in
// for by another person, who may be absent too; or by nobody.

const DAY_MS = 86_400_000;
const DAY_MINUTES = 1_440;

export interface Person {
  readonly id: string;
  readonly name: string;
  /** In the order in which they are used. */
  readonly receivers: readonly string[];
}

/** A day by its number since 1970-01-01 counts when `(day - firstDay) mod days` is in `on`. */
export interface Cycle {
  readonly days: number;
  readonly firstDay: number;
  readonly on: readonly number[];
}

export interface Shift {
  readonly who: string;
  readonly cycle: Cycle;
  /** Minutes of the local day. */
  readonly fromMinute: number;
  readonly toMinute: number;
}

export interface Absence {
  readonly who: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly substitute: string | null;
}

export interface Roster {
  readonly id: string;
  /** Local time less UTC. */
  readonly utcOffsetMs: number;
  readonly shifts: readonly Shift[];
  readonly absences: readonly Absence[];
}

export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;

/** 1970-01-05 was a Monday. */
export const FIRST_MONDAY = 4;

const isOn = ({ days, firstDay, on }: Cycle, day: number) =>
  on.includes((((day - firstDay) % days) + days) % days);

/** The shift's length; equal times are a whole day. */
function minutesOf({ fromMinute, toMinute }: Shift): number {
  return toMinute > fromMinute ? toMinute - fromMinute : toMinute - fromMinute + DAY_MINUTES;
}

function covers(shift: Shift, localMs: number): boolean {
  const day = Math.floor(localMs / DAY_MS);
  const minute = (localMs - day * DAY_MS) / 60_000;
  const isWithin = (begun: number) =>
    begun >= shift.fromMinute && begun < shift.fromMinute + minutesOf(shift);
  return (
    (isOn(shift.cycle, day) && isWithin(minute)) ||
    (isOn(shift.cycle, day - 1) && isWithin(minute + DAY_MINUTES))
  );
}

/** The people on duty, in the order of the shifts, each once; empty when there is nobody. */
export function onDuty({ utcOffsetMs, shifts, absences }: Roster, atMs: number): string[] {
  const present = shifts
    .filter((shift) => covers(shift, atMs + utcOffsetMs))
    .map(({ who }) => standIn(absences, who, atMs))
    .filter((who) => who !== null);
  return [...new Set(present)];
}

// Substitutes who stand in for one another are all away.
function standIn(absences: readonly Absence[], who: string, atMs: number): string | null {
  let present: string | null = who;
  for (let at = 0; at <= absences.length; at++) {
    const absence: Absence | undefined = absences.find(
      (each) => each.who === present && each.fromMs <= atMs && atMs < each.toMs,
    );
    if (!absence) return present;
    present = absence.substitute;
  }
  return null;
}

/** A stretch of local minutes since 1970-01-01; `to` excluded. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
}

export interface Cover {
  /** The first stretch with nobody on duty; absences aside. */
  readonly gap: Stretch | null;
  /** The first stretch in which two shifts meet that do not begin and end together. */
  readonly overlap: (Stretch & { readonly shifts: readonly [number, number] }) | null;
}

/** Cycles that meet again after more days are looked at for so many. */
export const COVER_DAYS_MAX = 366;

/** What the shifts leave open and where they meet, over a whole round of their cycles. */
export function coverOf({ shifts }: Pick<Roster, 'shifts'>): Cover {
  const first = Math.max(0, ...shifts.map(({ cycle }) => cycle.firstDay));
  const days = Math.min(
    COVER_DAYS_MAX,
    shifts.reduce((round, { cycle }) => leastCommonMultiple(round, cycle.days), 1),
  );
  const stretches = shifts
    .flatMap((shift, at) => {
      const own = [];
      // From the day before, whose night reaches into the first day.
      for (let day = first - 1; day < first + days; day++) {
        if (!isOn(shift.cycle, day)) continue;
        const from = day * DAY_MINUTES + shift.fromMinute;
        own.push({ from, to: from + minutesOf(shift), at });
      }
      return own;
    })
    .sort((a, b) => a.from - b.from || a.to - b.to);
  return { gap: gapOf(stretches, first, days), overlap: overlapOf(stretches) };
}

function gapOf(stretches: readonly Stretch[], first: number, days: number): Stretch | null {
  const end = (first + days) * DAY_MINUTES;
  let covered = first * DAY_MINUTES;
  for (const { from, to } of stretches) {
    if (from > covered) return { from: covered, to: Math.min(from, end) };
    covered = Math.max(covered, to);
  }
  return covered < end ? { from: covered, to: end } : null;
}

// Two who are on duty together from beginning to end are meant to be.
function overlapOf(stretches: readonly (Stretch & { readonly at: number })[]): Cover['overlap'] {
  let longest = stretches[0];
  for (const stretch of stretches.slice(1)) {
    if (!longest) break;
    const isPair = stretch.from === longest.from && stretch.to === longest.to;
    if (stretch.from < longest.to && !isPair) {
      const to = Math.min(stretch.to, longest.to);
      return { from: stretch.from, to, shifts: [longest.at, stretch.at] };
    }
    if (stretch.to > longest.to) longest = stretch;
  }
  return null;
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

/** All who can be told, by id. */
export interface Directory {
  /** Kind of channel by receiver. */
  readonly kinds: ReadonlyMap<string, string>;
  readonly people: ReadonlyMap<string, Person>;
  readonly rosters: ReadonlyMap<string, Roster>;
}

/** Receivers alone, of no kind that a step could ask for. */
export function plainDirectory(receivers: Iterable<string>): Directory {
  const kinds = new Map([...receivers].map((id) => [id, '']));
  return { kinds, people: new Map(), rosters: new Map() };
}

/** One receiver that a target stands for at the moment, or why it stands for none. */
export interface Reached {
  /** The roster's id where nobody is on duty. */
  readonly receiver: string;
  readonly person: string | null;
  readonly why: string | null;
}

export const NOBODY_ON_DUTY = 'nobody on duty';

/**
 * `by`: of a person the receiver of this kind, else their first. A receiver whom two targets stand
 * for is there once.
 */
export function reach(
  { kinds, people, rosters }: Directory,
  { targets, by }: { readonly targets: readonly string[]; readonly by: string | null },
  atMs: number,
): Reached[] {
  const ofPerson = (id: string): Reached => {
    const receivers = people.get(id)?.receivers ?? [];
    const receiver = receivers.find((each) => kinds.get(each) === by) ?? receivers[0];
    return receiver === undefined
      ? { receiver: id, person: id, why: 'no receiver' }
      : { receiver, person: id, why: null };
  };
  const reached = targets.flatMap((target): Reached[] => {
    const roster = rosters.get(target);
    if (roster) {
      const present = onDuty(roster, atMs);
      const nobody = { receiver: target, person: null, why: NOBODY_ON_DUTY };
      return present.length === 0 ? [nobody] : present.map(ofPerson);
    }
    return people.has(target)
      ? [ofPerson(target)]
      : [{ receiver: target, person: null, why: null }];
  });
  return [...new Map(reached.map((each) => [each.receiver, each])).values()];
}
