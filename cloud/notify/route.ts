// Who is told of what, and in which order.
import type { Alarm } from '../alarms/alarm.ts';

/** Every part that is given must fit; an empty match fits all. */
export interface Match {
  readonly areas?: readonly string[];
  readonly gateways?: readonly string[];
  /** Asset path prefixes, whole segments. */
  readonly assets?: readonly string[];
  readonly levels?: readonly number[];
  /** Kinds of rules, or `gateway`. */
  readonly kinds?: readonly string[];
  readonly rules?: readonly string[];
}

/** Told together; the next step follows when nobody has confirmed in time. */
export interface Step {
  /** Ids of receivers, people and rosters (roster.ts). */
  readonly targets: readonly string[];
  /** Of a person the receiver of this kind, where they have one; else, and by null, the first. */
  readonly by: string | null;
  readonly waitMs: number;
}

export interface Route {
  readonly id: string;
  readonly match: Match;
  /** At least one; the first is told at once. */
  readonly chain: readonly Step[];
  /** The last step is told again so often until somebody has it; null: a few times (REPEATS_MAX). */
  readonly repeatMs: number | null;
}

/** A chain in which each is told alone. */
export function chainOf(targets: readonly string[], waitMs: number): Step[] {
  return targets.map((target) => ({ targets: [target], by: null, waitMs }));
}

/** In the ledger where no route matched: nobody was told, and it shows. */
export const NOBODY = 'nobody';

/** What a route is chosen by. */
export type Routed = Pick<Alarm, 'area' | 'gateway' | 'asset' | 'level' | 'kind' | 'rule'>;

export function fits(match: Match, alarm: Routed): boolean {
  const { areas, gateways, assets, levels, kinds, rules } = match;
  const isUnder = (prefix: string) =>
    alarm.asset === prefix || (alarm.asset?.startsWith(`${prefix}/`) ?? false);
  return (
    (areas === undefined || areas.includes(alarm.area)) &&
    (gateways === undefined || gateways.includes(alarm.gateway)) &&
    (assets === undefined || assets.some(isUnder)) &&
    (levels === undefined || levels.includes(alarm.level)) &&
    (kinds === undefined || kinds.includes(alarm.kind)) &&
    (rules === undefined || rules.includes(alarm.rule))
  );
}
