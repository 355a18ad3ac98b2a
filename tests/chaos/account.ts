// The account of promise 1 over a run of disturbances, and what became of every alarm.
//
// Three parties count, and know nothing of each other: the simulated devices what they served, the
// pollers what was due, taken, missed and failed, the store by query what it holds and what gaps
// say. Good readings are those taken without the failed ones: only these were certainly served.
//
// A life that went on to the end: due = taken + missed and taken = stored + unchanged + given up,
// to the last reading; what was served beyond its good readings were answers that came too late or
// to a probe, at most one and one for each failed reading.
//
// A life that was killed: what was served and is not there was in memory only. At most that is, at
// the rate of its points, coverage not yet told (COVERAGE_WAIT_MS), readings gathered
// (BATCH_WAIT_MS) and a commit under way (COMMIT_INTERVAL_MS), and once every point in flight. A
// gap of cause crash tells of it, unless nothing of the life had been committed.
import { COMMIT_INTERVAL_MS } from '../../edge/outbox/core.ts';
import { BATCH_WAIT_MS, COVERAGE_WAIT_MS } from '../../edge/seal.ts';
import type { Crossing, Life } from './fleet.ts';

export interface Counted {
  readonly due: number;
  readonly taken: number;
  readonly missed: number;
  readonly failed: number;
}

/** As the API tells it, of one epoch or of all. */
export interface Stored {
  readonly stored: number;
  readonly unchanged: number;
  readonly missed: number;
  readonly given_up: number;
  readonly failed: number;
  readonly by_cause: Readonly<Record<string, number>>;
}

export interface LifeAccount extends Life {
  /** Of the poller; null where it was killed. */
  readonly counted: Counted | null;
  /** Null where the epoch is not known. */
  readonly inStore: Stored | null;
}

/** The points of a gateway, and how many readings they make a second. */
export interface Rate {
  readonly points: number;
  readonly perSecond: number;
}

export interface AlarmSeen {
  readonly id: string;
  readonly point: string;
  readonly rule: string;
  readonly historical: boolean;
  readonly annunciations: number;
  readonly deliveries: readonly DeliverySeen[];
}

export interface DeliverySeen {
  readonly alarm: string;
  readonly transition: string;
  readonly receiver: string;
  readonly state: string;
  readonly confirmed: string | null;
  readonly undelivered: string | null;
}

export interface Facts {
  readonly lives: readonly LifeAccount[];
  readonly rates: ReadonlyMap<string, Rate>;
  readonly all: Stored;
  readonly alarms: readonly AlarmSeen[];
  readonly crossings: readonly Crossing[];
  readonly collectedUntilMs: number;
  /** The gateways have these, of any life, and no word of the cloud that it has them. */
  readonly pendingRecords: number;
  /** By part: how often it was killed, how often it was started again. */
  readonly restarts: ReadonlyMap<string, { readonly killed: number; readonly started: number }>;
}

/**
 * From a register beyond its limit to an alarm: the longest stop, its delay, a restart, the
 * backlog.
 */
const ALARM_WITHIN_MS = 30_000;
const atRiskMs = COVERAGE_WAIT_MS + BATCH_WAIT_MS + COMMIT_INTERVAL_MS;

const nothing: Stored = {
  ...{ stored: 0, unchanged: 0, missed: 0, given_up: 0, failed: 0 },
  by_cause: {},
};

export interface LifeBalance {
  readonly life: string;
  readonly end: 'lived' | 'killed' | 'killed while starting';
  readonly served: number;
  /** Good readings the store holds or counts as unchanged. */
  readonly good: number;
  readonly difference: number;
  readonly bound: number;
  /** What gaps of cause crash tell of, estimated, and the most that can have been in memory. */
  readonly crash: number;
  readonly crashBound: number;
}

export function balanceOf(life: LifeAccount, rates: Facts['rates']): LifeBalance {
  const { gateway, epoch, served, counted, inStore } = life;
  const { stored, unchanged, failed, by_cause } = inStore ?? nothing;
  const good = stored + unchanged - failed;
  const { points, perSecond } = rates.get(gateway)!;
  const inMemory = Math.ceil((perSecond * atRiskMs) / 1_000) + points;
  // A failed reading may have been served, whoever counted it; nobody loses more than was served.
  const bound = Math.min(served!, (counted ? 0 : inMemory) + 2 * failed);
  return {
    life: `${gateway}:${epoch}`,
    end: counted ? 'lived' : epoch ? 'killed' : 'killed while starting',
    served: served!,
    good,
    difference: served! - good,
    bound,
    crash: by_cause['crash'] ?? 0,
    crashBound: inMemory,
  };
}

/** What is wrong, in plain words; empty when all is in order. */
export function judge(facts: Facts): string[] {
  const wrong = facts.lives.flatMap((life) => judgeLife(life, balanceOf(life, facts.rates)));
  const balances = facts.lives.map((life) => balanceOf(life, facts.rates));
  const served = sum(balances.map((balance) => balance.served));
  const bound = sum(balances.map((balance) => balance.bound));
  const difference = served - (facts.all.stored + facts.all.unchanged - facts.all.failed);
  if (difference < 0 || difference > bound) {
    wrong.push(`${difference} of ${served} served are not there; at most ${bound} were at risk`);
  }
  for (const [cause, readings] of Object.entries(facts.all.by_cause)) {
    if (readings > 0 && cause !== 'missed' && cause !== 'crash') {
      wrong.push(`${readings} given up: ${cause}`);
    }
  }
  if (facts.pendingRecords > 0)
    wrong.push(`${facts.pendingRecords} records are still on their way`);
  for (const [part, { killed, started }] of facts.restarts) {
    if (killed !== started) wrong.push(`${part} was killed ${killed} times, started ${started}`);
  }
  return [...wrong, ...judgeAlarms(facts)];
}

function judgeLife(life: LifeAccount, balance: LifeBalance): string[] {
  const { counted, inStore } = life;
  const wrong: string[] = [];
  const say = (what: string) => wrong.push(`${balance.life} (${balance.end}): ${what}`);
  if (balance.difference < 0 || balance.difference > balance.bound) {
    const { served, good, bound } = balance;
    say(`${served} served, ${good} good ones there; at most ${bound} may differ`);
  }
  if (balance.crash > (counted ? 0 : balance.crashBound)) {
    say(`a gap tells of ${balance.crash} lost, at most ${balance.crashBound} were in memory`);
  }
  if (counted) {
    const { due, taken, missed, failed } = counted;
    const { stored, unchanged, given_up, ...rest } = inStore ?? nothing;
    if (due !== taken + missed) say(`due ${due} is not taken ${taken} + missed ${missed}`);
    if (taken !== stored + unchanged + given_up) {
      say(`taken ${taken} is not stored ${stored} + unchanged ${unchanged} + given up ${given_up}`);
    }
    if (rest.missed !== missed) say(`${missed} missed, gaps tell of ${rest.missed}`);
    if (rest.failed !== failed) say(`${failed} failed, coverage tells of ${rest.failed}`);
  } else if (inStore && balance.good > 0 && balance.crash === 0) {
    say(`no gap tells that ${balance.difference} were lost by a kill`);
  }
  return wrong;
}

function judgeAlarms({ alarms, crossings, collectedUntilMs }: Facts): string[] {
  const wrong: string[] = [];
  for (const { point, rule, historical, annunciations, deliveries, id } of alarms) {
    const raised = deliveries.filter(
      ({ transition, receiver }) => transition === 'raised' && receiver === 'desk',
    );
    const name = `alarm ${point}#${rule} (${id})`;
    // One that a worse limit of its point hides calls nobody.
    if (historical || annunciations === 0) continue;
    if (raised.length !== 1) wrong.push(`${name} has ${raised.length} deliveries to the desk`);
    for (const { confirmed, undelivered, state } of raised) {
      if (!confirmed && !undelivered)
        wrong.push(`${name} is neither confirmed nor shown: ${state}`);
    }
  }
  for (const { point, rule, atMs } of crossings) {
    if (atMs > collectedUntilMs - ALARM_WITHIN_MS) continue;
    const isRaised = alarms.some((alarm) => alarm.point === point && alarm.rule === rule);
    if (!isRaised) wrong.push(`${point}#${rule} was beyond its limit, and no alarm says so`);
  }
  return wrong;
}

export function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
