// Who can be told in every world, and who is told of what. A world begins at midnight: who is on
// duty changes with its minutes, somebody is away for a while, and for a while nobody is there.
import type { Quota } from '../../cloud/notify/channels/channel.ts';
import type { Directory, Roster, Shift } from '../../cloud/notify/roster.ts';
import type { Route } from '../../cloud/notify/route.ts';
import { WORLD_BEGAN_MS } from './timeline.ts';

/** By receiver: the kind of its channel. */
const kinds = new Map([
  ['desk', 'webhook'],
  ['deputy', 'webhook'],
  ['chief', 'phone'],
  ['group', 'robot'],
  ['li-phone', 'phone'],
  ['li-mail', 'mail'],
  ['wang-phone', 'phone'],
]);
export const RECEIVERS = [...kinds.keys()];
/** What confirms by itself: the others are read by somebody, who answers. */
export const MACHINES = ['desk', 'deputy'] as const;

/** What the providers take; the last ones of a window for level I alone. */
export const quotas: ReadonlyMap<string, readonly Quota[]> = new Map([
  ['group', [{ messages: 5, perMs: 10_000, reserve: 3 }]],
  ['li-phone', [{ messages: 4, perMs: 15_000, reserve: 2 }]],
  ['chief', [{ messages: 3, perMs: 10_000, reserve: 1 }]],
]);
/** A robot tells several at once. */
export const DIGEST_MAX = new Map([['group', 5]]);

const WAIT_MS = 15_000;
const daily = { days: 1, firstDay: 0, on: [0] };
const DAY_MINUTES = 1_440;

const shift = (who: string, fromMinute: number, toMinute: number): Shift => ({
  ...{ who, cycle: daily, fromMinute, toMinute: toMinute % DAY_MINUTES },
});
/** Li in the first minute and from the fourth on, Wang in the second, nobody in the third. */
const shifts = [shift('li', 0, 1), shift('wang', 1, 2), shift('li', 3, DAY_MINUTES)];
const awayMs = { fromMs: WORLD_BEGAN_MS + 20_000, toMs: WORLD_BEGAN_MS + 35_000 };
const duty: Roster = {
  ...{ id: 'duty', utcOffsetMs: 0, shifts },
  absences: [{ who: 'li', ...awayMs, substitute: 'wang' }],
};

export const directory: Directory = {
  kinds,
  people: new Map(
    [
      { id: 'li', name: 'Li', receivers: ['li-mail', 'li-phone'] },
      { id: 'wang', name: 'Wang', receivers: ['wang-phone'] },
    ].map((person) => [person.id, person]),
  ),
  rosters: new Map([[duty.id, duty]]),
};

export const routes: readonly Route[] = [
  {
    ...{ id: 'severe', match: { levels: [1, 2] } },
    chain: [
      { targets: ['desk'], by: null, waitMs: WAIT_MS },
      { targets: ['duty'], by: 'phone', waitMs: WAIT_MS },
      { targets: ['deputy', 'chief'], by: null, waitMs: WAIT_MS },
    ],
    repeatMs: WAIT_MS,
  },
  {
    ...{ id: 'other', match: { levels: [3, 4] } },
    chain: [
      { targets: ['duty'], by: null, waitMs: WAIT_MS },
      { targets: ['li', 'wang'], by: 'phone', waitMs: WAIT_MS },
      { targets: ['deputy'], by: null, waitMs: WAIT_MS },
    ],
  },
  {
    ...{ id: 'beside', match: { levels: [1, 2] } },
    chain: [{ targets: ['group'], by: null, waitMs: WAIT_MS }],
  },
];

export function isDuty(route: string, step: number): boolean {
  const known = routes.find(({ id }) => id === route);
  return known?.chain[step]?.targets.includes(duty.id) ?? false;
}

/** Who was on duty when a clock said so, worked out by hand; null: nobody. */
export function whoWas(wallMs: number): 'li' | 'wang' | null {
  const dayMs = 86_400_000;
  const minute = Math.floor((((wallMs % dayMs) + dayMs) % dayMs) / 60_000);
  const isAway = wallMs >= awayMs.fromMs && wallMs < awayMs.toMs;
  if (minute === 0 || minute >= 3) return isAway ? 'wang' : 'li';
  return minute === 1 ? 'wang' : null;
}
