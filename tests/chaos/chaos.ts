// A run: start the city, carry out a plan of disturbances, heal everything, stop collecting, drain,
// and draw up the account; then end all and read what lies in the store.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Site } from '../../simulators/city.ts';
import { sites } from '../../simulators/city.ts';
import type {
  AlarmSeen,
  Counted,
  DeliverySeen,
  Facts,
  LifeAccount,
  LifeBalance,
  Rate,
  Stored,
} from './account.ts';
import { balanceOf, judge, sum } from './account.ts';
import type { Disturbance, ProcessDisturbance } from './disturbances.ts';
import { describe, isOfProcess } from './disturbances.ts';
import { calm, Fleet } from './fleet.ts';
import { readStopped } from './stopped-store.ts';

/** The longest start of everything on a machine with other work. */
const HEAL_MS = 60_000;
/**
 * Resending waits up to half a minute after short outages, a notice of what is undelivered a
 * minute.
 */
const DRAIN_MS = 120_000;
const LOOK_EVERY_MS = 1_500;

export interface ChaosOptions {
  readonly seed: number;
  readonly plan: readonly Disturbance[];
  readonly lengthMs: number;
  /** New and empty. */
  readonly data: string;
  readonly note: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface ChaosReport {
  readonly verdict: 'balances' | 'wrong';
  readonly seed: number;
  readonly seconds: number;
  readonly kills: Readonly<Record<string, number>>;
  readonly stops: Readonly<Record<string, number>>;
  readonly network: Readonly<Record<string, number>>;
  /** Planned, but the process was not running then. */
  readonly passedOver: number;
  readonly due: number;
  readonly taken: number;
  readonly served: number;
  readonly stored: number;
  readonly unchanged: number;
  readonly failed: number;
  readonly missed: number;
  readonly givenUp: Readonly<Record<string, number>>;
  /** Served and not there as good readings, of killed lives and of those that went on. */
  readonly difference: { readonly killed: number; readonly lived: number };
  readonly bound: { readonly killed: number; readonly lived: number };
  readonly duplicates: number;
  readonly alarms: Readonly<Record<'raised' | 'confirmed' | 'undelivered' | 'historical', number>>;
  readonly drainMs: number;
  readonly lives: readonly LifeBalance[];
  readonly wrong: readonly string[];
}

export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { data, seed, note, plan } = options;
  await using fleet = await Fleet.start(data, seed, note);
  note(`everything runs; ${plan.length} disturbances`);
  const done = await carryOut(fleet, options);
  note('healed; draining');
  await fleet.heal(AbortSignal.any([AbortSignal.timeout(HEAL_MS), options.signal]));
  const drained = await drain(fleet, done);
  await fleet.stop();
  const found = await readStopped(join(data, 'cloud', 'store'));
  const { facts } = drained;
  const wrong = judge(facts);
  if (found.rows !== facts.all.stored) {
    wrong.push(`the account says ${facts.all.stored} stored, ${found.rows} lie there`);
  }
  for (const duplicate of found.duplicates.slice(0, 10)) wrong.push(`twice: ${duplicate}`);
  return reportOf(options, { done, ...drained, wrong, duplicates: found.duplicates.length });
}

interface Done {
  readonly kills: Record<string, number>;
  readonly stops: Record<string, number>;
  readonly network: Record<string, number>;
  passedOver: number;
}

/** Runs the plan to its end; every disturbance ends by itself or with the run. */
async function carryOut(fleet: Fleet, { plan, lengthMs, note, signal }: ChaosOptions) {
  const done: Done = { kills: {}, stops: {}, network: {}, passedOver: 0 };
  const begunMs = performance.now();
  const until = (atMs: number) =>
    Math.max(0, begunMs + Math.min(atMs, lengthMs) - performance.now());
  const endings: Promise<void>[] = [];
  for (const disturbance of plan) {
    await sleep(until(disturbance.atMs), undefined, { signal });
    const end = begin(fleet, disturbance, done);
    note(`${describe(disturbance)}${end ? '' : ' (not running)'}`);
    if (!end) done.passedOver++;
    else {
      const ending = sleep(until(disturbance.atMs + disturbance.forMs), undefined, { signal });
      endings.push(ending.finally(end));
    }
  }
  await sleep(until(lengthMs), undefined, { signal });
  await Promise.all(endings);
  return done;
}

/** Returns what ends it, or null when its process does not run. */
function begin(fleet: Fleet, disturbance: Disturbance, done: Done): (() => void) | null {
  const { kind } = disturbance;
  if (!isOfProcess(disturbance)) {
    const proxy = fleet.proxies.get(disturbance.target)!;
    done.network[kind] = (done.network[kind] ?? 0) + 1;
    if (kind === 'cut') proxy.cutAll();
    proxy.set(disturbance.settings);
    return () => proxy.set(calm);
  }
  if (!fleet.isReady(disturbance.target)) return null;
  return beginOnProcess(fleet, disturbance, done);
}

function beginOnProcess(
  fleet: Fleet,
  { target, kind }: ProcessDisturbance,
  { kills, stops }: Done,
): () => void {
  const kill = () => {
    if (fleet.kill(target)) kills[target] = (kills[target] ?? 0) + 1;
  };
  if (kind === 'kill' || kind === 'kill-again') {
    kill();
    return kind === 'kill' ? () => {} : kill;
  }
  stops[target] = (stops[target] ?? 0) + 1;
  const goOn = fleet.pause(target);
  return kind === 'stop' ? goOn : kill;
}

async function drain(fleet: Fleet, done: Done): Promise<{ facts: Facts; drainMs: number }> {
  const collectedUntilMs = Date.now();
  const begunMs = performance.now();
  await Promise.all(sites.map((site) => fleet.edge(site).ask('stop-collecting')));
  await fleet.closeLives();
  let before = '';
  for (;;) {
    await sleep(LOOK_EVERY_MS);
    const facts = await drawUp(fleet, done, collectedUntilMs);
    const drainMs = Math.round(performance.now() - begunMs);
    const now = JSON.stringify(facts.all);
    // What the cloud has acknowledged reaches the store within a second.
    const isSteady = now === before && facts.pendingRecords === 0;
    if (drainMs > DRAIN_MS || (isSteady && judge(facts).length === 0)) return { facts, drainMs };
    before = now;
  }
}

type EdgeCounters = Counted & { readonly pendingRecords: number };

async function drawUp(fleet: Fleet, done: Done, collectedUntilMs: number): Promise<Facts> {
  const { client, lives, parts } = fleet;
  const [series, all, alarms, deliveries] = await Promise.all([
    client.get<{ items: { point: string; period_ms: number }[] }>('/v1/series?limit=1000'),
    client.get<Stored>('/v1/account'),
    client.get<{ items: AlarmSeen[] }>('/v1/alarms?state=all&limit=1000'),
    client.get<{ items: DeliverySeen[] }>('/v1/deliveries?limit=1000'),
  ]);
  const ask = (site: Site) => fleet.edge(site).ask('counters') as Promise<EdgeCounters>;
  const counters: Record<Site, EdgeCounters> = {
    ...{ gas: await ask('gas'), water: await ask('water'), bridge: await ask('bridge') },
  };
  const accounts: LifeAccount[] = [];
  for (const life of lives) {
    const { gateway, epoch, site } = life;
    const inStore = epoch && (await client.get<Stored>(`/v1/account?epochs=${gateway}%3A${epoch}`));
    const isLiving = life === lives.findLast((each) => each.site === site);
    const counted = isLiving ? counters[site] : null;
    accounts.push({ ...life, counted, inStore: inStore || null });
  }
  const restarts = [...parts].map(
    ([name, { restarts: started }]) => [name, { killed: done.kills[name] ?? 0, started }] as const,
  );
  return {
    lives: accounts,
    rates: ratesOf(series.items),
    all,
    alarms: alarms.items.map((alarm) => ({
      ...alarm,
      deliveries: deliveries.items.filter((delivery) => delivery.alarm === alarm.id),
    })),
    crossings: fleet.crossings,
    collectedUntilMs,
    pendingRecords: sum(Object.values(counters).map(({ pendingRecords }) => pendingRecords)),
    restarts: new Map([...restarts, ['city', { killed: 0, started: fleet.city.restarts }]]),
  };
}

function ratesOf(series: readonly { point: string; period_ms: number }[]): Map<string, Rate> {
  const rates = new Map<string, Rate>();
  for (const { point, period_ms } of series) {
    const gateway = point.split('/')[0]!;
    const { points, perSecond } = rates.get(gateway) ?? { points: 0, perSecond: 0 };
    rates.set(gateway, { points: points + 1, perSecond: perSecond + 1_000 / period_ms });
  }
  return rates;
}

interface Ended {
  readonly done: Done;
  readonly facts: Facts;
  readonly drainMs: number;
  readonly wrong: readonly string[];
  readonly duplicates: number;
}

function reportOf(
  { seed, lengthMs }: ChaosOptions,
  { done, facts, drainMs, wrong, duplicates }: Ended,
): ChaosReport {
  const { all, alarms, rates } = facts;
  const lives = facts.lives.map((life) => balanceOf(life, rates));
  const of = (which: 'killed' | 'lived', what: 'difference' | 'bound') =>
    sum(lives.filter(({ end }) => (end === 'lived') === (which === 'lived')).map((it) => it[what]));
  const counted = facts.lives.flatMap((life) => life.counted ?? []);
  const { missed, ...givenUp } = all.by_cause;
  const raised = alarms.filter(({ historical }) => !historical);
  const isRaised = ({ transition, receiver }: DeliverySeen) =>
    transition === 'raised' && receiver === 'desk';
  const with_ = (what: 'confirmed' | 'undelivered') =>
    raised.filter(({ deliveries }) => deliveries.some((it) => isRaised(it) && it[what])).length;
  return {
    ...{ verdict: wrong.length === 0 ? 'balances' : 'wrong', seed, seconds: lengthMs / 1_000 },
    ...done,
    due: sum(counted.map(({ due }) => due)),
    taken: sum(counted.map(({ taken }) => taken)),
    served: sum(lives.map(({ served }) => served)),
    ...{ stored: all.stored, unchanged: all.unchanged, failed: all.failed, missed: missed ?? 0 },
    givenUp: Object.fromEntries(Object.entries(givenUp).filter(([, readings]) => readings > 0)),
    difference: { killed: of('killed', 'difference'), lived: of('lived', 'difference') },
    bound: { killed: of('killed', 'bound'), lived: of('lived', 'bound') },
    duplicates,
    alarms: {
      raised: raised.length,
      confirmed: with_('confirmed'),
      undelivered: with_('undelivered'),
      historical: alarms.length - raised.length,
    },
    drainMs,
    lives,
    wrong,
  };
}
