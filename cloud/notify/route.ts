// Who is told of what.
import type { Alarm } from '../alarms/alarm.ts';

/** Every part that is given must fit; an empty match fits all. */
export interface Match {
  readonly areas?: readonly string[];
  readonly gateways?: readonly string[];
  /** Asset path prefixes, whole segments. */
  readonly assets?: readonly string[];
  readonly levels?: readonly number[];
  readonly rules?: readonly string[];
}

export interface Route {
  readonly id: string;
  readonly match: Match;
  /** Receivers: the first is told at once, each further one when nobody has confirmed in time. */
  readonly chain: readonly string[];
}

/** In the ledger where no route matched: nobody was told, and it shows. */
export const NOBODY = 'nobody';

export function fits(match: Match, alarm: Alarm): boolean {
  const { areas, gateways, assets, levels, rules } = match;
  const isUnder = (prefix: string) =>
    alarm.asset === prefix || (alarm.asset?.startsWith(`${prefix}/`) ?? false);
  return (
    (areas === undefined || areas.includes(alarm.area)) &&
    (gateways === undefined || gateways.includes(alarm.gateway)) &&
    (assets === undefined || assets.some(isUnder)) &&
    (levels === undefined || levels.includes(alarm.level)) &&
    (rules === undefined || rules.includes(alarm.rule))
  );
}

/** Somebody who is to be told: the place in the route's chain, and why not when they are not. */
export interface Planned {
  readonly receiver: string;
  readonly route: string;
  readonly step: number;
  readonly why: string | null;
}

/**
 * Of each route that fits the first of its chain, or the one so far down it, at most its last;
 * nobody when none does.
 */
export function firstOf(routes: readonly Route[], alarm: Alarm, down = 0): Planned[] {
  const planned = routes
    .filter(({ match, chain }) => chain.length > 0 && fits(match, alarm))
    .map(({ id, chain }) => {
      const step = Math.min(down, chain.length - 1);
      return { receiver: chain[step]!, route: id, step, why: null };
    });
  return planned.length > 0 ? planned : [{ receiver: NOBODY, route: '', step: 0, why: 'no route' }];
}

/** A test is told to the one who makes it, where that name is a receiver, and to nobody else. */
export function toTester(tester: string, isReceiver: boolean): Planned[] {
  const receiver = isReceiver ? tester : NOBODY;
  return [{ receiver, route: '', step: 0, why: isReceiver ? null : `test by ${tester}` }];
}

/** A test of the path goes to every receiver that confirms by itself, past all routes. */
export function toMachines(receivers: readonly string[] = []): Planned[] {
  return receivers.map((receiver) => ({ receiver, route: 'path-test', step: 0, why: null }));
}
