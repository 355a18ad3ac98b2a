// Who is told of what, and in which order.
import { Fault } from '../../core/fault.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Directory, Reached } from './roster.ts';
import { reach } from './roster.ts';

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
  /** The last step is told again so often until somebody has it; absent: a few times. */
  readonly repeatMs?: number;
}

/** A chain in which each is told alone. */
export function chainOf(targets: readonly string[], waitMs: number): Step[] {
  return targets.map((target) => ({ targets: [target], by: null, waitMs }));
}

/** Throws `notify_receiver_unknown` for a step that names what is not there. */
export function checkTargets(routes: readonly Route[], directory: Directory): void {
  const { kinds, people, rosters } = directory;
  for (const id of routes.flatMap(({ chain }) => chain.flatMap(({ targets }) => targets))) {
    if (kinds.has(id) || people.has(id) || rosters.has(id)) continue;
    throw new Fault('notify_receiver_unknown', 'never', id);
  }
}

/** In the ledger where no route matched: nobody was told, and it shows. */
export const NOBODY = 'nobody';
/** What the site itself did for an alarm stands beside what people were told. */
export const SITE = 'site';

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

/** Somebody who is to be told: the place in the route's chain, and why not when they are not. */
export interface Planned extends Reached {
  readonly route: string;
  readonly step: number;
}

/** Whoever a step of a route stands for at the moment. */
export function toldBy(
  directory: Directory,
  { id, chain }: Route,
  step: number,
  atMs: number,
): Planned[] {
  return reach(directory, chain[step]!, atMs).map((each) => ({ ...each, route: id, step }));
}

const noBody = { receiver: NOBODY, person: null, route: '', step: 0 } as const;

/** A test is told to the one who makes it, where that name can be told, and to nobody else. */
export function toTester(directory: Directory, tester: string, atMs: number): Planned[] {
  const { kinds, people } = directory;
  if (!kinds.has(tester) && !people.has(tester)) return [{ ...noBody, why: `test by ${tester}` }];
  const step = { targets: [tester], by: null };
  return reach(directory, step, atMs).map((each) => ({ ...each, route: '', step: 0 }));
}

/** A test of the path goes to every receiver that confirms by itself, past all routes. */
export function toMachines(receivers: readonly string[] = []): Planned[] {
  return receivers.map((receiver) => ({
    ...{ receiver, person: null, why: null },
    ...{ route: 'path-test', step: 0 },
  }));
}
