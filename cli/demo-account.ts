// The account of promise 1, and what became of every alarm. Served is counted by the simulated
// devices, due and taken by the pollers, stored, unchanged, missed and given up by a query to the
// store: three parties that know nothing of each other's counters.
//
// A gateway that was killed took its counters with it. What its epoch took is then what the store
// accounts for, its crash gap included, which is an estimate; the devices' count still bounds it.
import { PATH_TEST_POINT, SELF_DEVICE } from '../core/point.ts';
import { sites } from '../simulators/city.ts';
import type { Demo } from './demo.ts';
import { gatewayId } from './demo-files.ts';

export interface Account {
  readonly due: number;
  readonly taken: number;
  readonly missed: number;
  readonly unchanged: number;
  readonly givenUp: number;
  readonly stored: number;
  readonly failed: number;
  /** Of what was given up: lost in memory when a gateway was killed, told as gaps, estimated. */
  readonly crashed: number;
  /** Epochs of this run whose process is gone. */
  readonly epochsEnded: number;
  readonly alarms: {
    readonly raised: number;
    /** Shown as open in the end, also from an earlier run whose excursion goes on. */
    readonly open: number;
    readonly accepted: number;
    readonly confirmed: number;
  };
  /** Milliseconds since the register changed, of the slowest alarm whose register was watched. */
  readonly steps: Steps | null;
  readonly served: number;
  readonly restarts: number;
}

export interface Steps {
  readonly alarm: string;
  readonly changed: 0;
  /** Null when nobody watched the register: then all counts from the first reading beyond. */
  readonly read: number | null;
  readonly raised: number;
  readonly received: number;
  readonly sent: number;
  readonly accepted: number;
  readonly confirmed: number;
}

export interface AlarmItem {
  readonly id: string;
  readonly point: string;
  readonly rule: string;
  readonly level: 1 | 2 | 3 | 4;
  readonly title: { readonly en: string; readonly zh: string };
  readonly value: number | null;
  readonly limit: number | null;
  readonly unit: string;
  readonly began: string;
  readonly raised: string;
  readonly received: string;
  readonly historical: boolean;
  /** How often somebody was called; 0 while a worse limit of the point hides it. */
  readonly annunciations: number;
}

interface DeliveryItem {
  readonly alarm: string;
  readonly transition: string;
  readonly receiver: string;
  readonly sent: string | null;
  readonly accepted: string | null;
  readonly confirmed: string | null;
}

/** Of a gateway's own tests: they go to the desk as well, and are no alarms. */
const PATH_TEST = `/${SELF_DEVICE}/${PATH_TEST_POINT}`;

/** How an alarm got to the desk; steps are null until it is confirmed. */
export interface Way {
  readonly accepted: boolean;
  readonly confirmed: boolean;
  readonly steps: Steps | null;
}

/** The alarms of this run that call somebody, each with its way to the desk. */
export async function alarmsOf(demo: Demo): Promise<{ alarm: AlarmItem; way: Way }[]> {
  const [alarms, deliveries] = await Promise.all([
    demo.client.get<{ items: AlarmItem[] }>('/v1/alarms?state=all&limit=1000'),
    demo.client.get<{ items: DeliveryItem[] }>('/v1/deliveries?limit=1000'),
  ]);
  return alarms.items
    .filter(({ historical, annunciations }) => !historical && annunciations > 0)
    .filter(({ point }) => !point.endsWith(PATH_TEST))
    .filter(({ received }) => Date.parse(received) >= demo.startedMs)
    .map((alarm) => ({ alarm, way: wayOf(demo, alarm, deliveries.items) }));
}

/** Asks everybody. */
export async function drawUp(demo: Demo): Promise<Account> {
  const { client, edges, epochs, city } = demo;
  const counters = await Promise.all(
    sites.map(
      async (site) =>
        (await edges[site].ask('counters')) as { due: number; taken: number; own: number },
    ),
  );
  const running = sites.map((site) => `${gatewayId(site)}:${edges[site].facts['epoch']}`);
  const ended = [...epochs].filter((epoch) => !running.includes(epoch));
  const [stored, gone, alarms, open, served] = await Promise.all([
    storedOf(client, [...epochs]),
    ended.length === 0 ? nothing : storedOf(client, ended),
    alarmsOf(demo),
    client.get<{ items: AlarmItem[] }>('/v1/alarms?state=open&limit=1000'),
    city.ask('served') as Promise<Record<string, number>>,
  ]);
  const sum = (name: 'due' | 'taken' | 'own') =>
    counters.reduce((total, each) => total + each[name], 0);
  const ways = alarms.map(({ way }) => way);
  return {
    due: sum('due') + takenOf(gone) + gone.missed,
    taken: sum('taken') + takenOf(gone),
    missed: stored.missed,
    unchanged: stored.unchanged,
    givenUp: stored.given_up,
    stored: stored.stored,
    failed: stored.failed,
    crashed: stored.by_cause['crash'] ?? 0,
    epochsEnded: ended.length,
    alarms: {
      raised: ways.length,
      open: open.items.length,
      accepted: ways.filter(({ accepted }) => accepted).length,
      confirmed: ways.filter(({ confirmed }) => confirmed).length,
    },
    steps: slowest(ways.flatMap(({ steps }) => (steps && steps.read !== null ? steps : []))),
    served: Object.values(served).reduce((total, count) => total + count, sum('own')),
    restarts: demo.parts.reduce((total, { restarts }) => total + restarts, 0),
  };
}

/** What the store accounts for, of some epochs. */
interface Stored {
  readonly stored: number;
  readonly unchanged: number;
  readonly missed: number;
  readonly given_up: number;
  readonly failed: number;
  readonly by_cause: Readonly<Record<string, number>>;
}

const nothing: Stored = {
  ...{ stored: 0, unchanged: 0, missed: 0, given_up: 0, failed: 0, by_cause: {} },
};

function storedOf(client: Demo['client'], epochs: readonly string[]): Promise<Stored> {
  return client.get<Stored>(`/v1/account?epochs=${encodeURIComponent(epochs.join(','))}`);
}

function takenOf({ stored, unchanged, given_up: givenUp }: Stored): number {
  return stored + unchanged + givenUp;
}

// How one alarm went: to the desk, since its register changed.
function wayOf({ crossings }: Demo, alarm: AlarmItem, deliveries: readonly DeliveryItem[]): Way {
  const delivery = deliveries.find(
    ({ alarm: id, transition, receiver }) =>
      id === alarm.id && ['raised', 'annunciated'].includes(transition) && receiver === 'desk',
  );
  const { sent, accepted, confirmed } = delivery ?? { sent: null, accepted: null, confirmed: null };
  const began = Date.parse(alarm.began);
  const crossed = crossings.get(`${alarm.point}#${alarm.rule}`);
  const changed = Math.min(crossed ?? began, began);
  const since = (time: string) => Date.parse(time) - changed;
  const steps: Steps | null =
    sent && accepted && confirmed
      ? {
          alarm: `${alarm.point}#${alarm.rule}`,
          changed: 0,
          read: crossed === undefined ? null : since(alarm.began),
          raised: since(alarm.raised),
          received: since(alarm.received),
          sent: since(sent),
          accepted: since(accepted),
          confirmed: since(confirmed),
        }
      : null;
  return { accepted: accepted !== null, confirmed: confirmed !== null, steps };
}

function slowest(all: readonly Steps[]): Steps | null {
  return all.reduce<Steps | null>(
    (worst, each) =>
      worst === null || each.confirmed - each.raised > worst.confirmed - worst.raised
        ? each
        : worst,
    null,
  );
}

/** Nothing is on its way any more. */
export function isSettled({ taken, stored, unchanged, givenUp, alarms }: Account): boolean {
  return taken === stored + unchanged + givenUp && alarms.raised === alarms.confirmed;
}

/** What is wrong with it, in plain words; empty when all is in order. */
export function judge(account: Account): string[] {
  const { due, taken, missed, stored, unchanged, givenUp, crashed } = account;
  const { alarms, served, failed } = account;
  const wrong: string[] = [];
  if (due !== taken + missed) wrong.push(`due ${due} is not taken ${taken} + missed ${missed}`);
  if (taken !== stored + unchanged + givenUp) {
    wrong.push(
      `taken ${taken} is not stored ${stored} + unchanged ${unchanged} + given up ${givenUp}`,
    );
  }
  if (missed > 0) wrong.push(`${missed} missed`);
  // What a killed gateway had in memory is no fault of the account when a gap tells of it.
  if (givenUp > crashed) wrong.push(`${givenUp - crashed} given up`);
  // How many readings of its own a gateway had taken before it was killed nobody knows any more.
  if (account.epochsEnded === 0 && served < taken - crashed - failed) {
    wrong.push(`the devices served ${served}, fewer than ${taken} taken`);
  }
  // On the data of a run that just ended, an excursion may go on that was raised then.
  if (alarms.raised === 0 && alarms.open === 0) wrong.push('no alarm was raised');
  if (alarms.confirmed < alarms.raised) {
    wrong.push(`${alarms.raised} alarms raised, ${alarms.confirmed} confirmed`);
  }
  return wrong;
}
