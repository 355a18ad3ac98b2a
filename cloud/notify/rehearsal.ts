// What the pipeline would do with an alarm that nobody confirms: the pipeline itself, on a clock
// that is moved and a ledger in memory, with receivers that take everything and say nothing. Nobody
// is told. Silences, what a day has used of quotas and receivers that are gone are the running
// cloud's, and not known here.
import { DatabaseSync } from 'node:sqlite';
import { SimClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { UNMARKED } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { Ledger } from './ledger.ts';
import type { Delivery, Notifier } from './notifier.ts';
import { Pipeline } from './pipeline.ts';
import { fits, type Routed } from './route.ts';
import type { NotifySettings } from './settings.ts';
import { directoryOf, quotasOf } from './settings.ts';

/** A chain of long waits is looked at in so many steps. */
const LOOKS_MAX = 5_000;
const LOOK_MIN_MS = 1_000;

/** Each who is told, or would have been, in the order of the ledger; times are from `atMs`. */
export async function rehearse(
  settings: NotifySettings,
  routed: Routed,
  atMs: number,
): Promise<Delivery[]> {
  const { receivers, routes } = settings;
  const clock = new SimClock(atMs);
  const database = new DatabaseSync(':memory:');
  try {
    const tables = new AlarmTables(database);
    const taken: Notifier = { send: async () => ({ kind: 'sent', confirmedBy: null }) };
    const pipeline = new Pipeline(clock, silentLog, new Metrics(), seededRandom(1), {
      ...{ tables, ledger: new Ledger(database), routes },
      receivers: new Map(receivers.map(({ id }) => [id, taken])),
      directory: directoryOf(settings),
      quotas: quotasOf(receivers),
      onChange: () => {},
    });
    tables.queue('raised', alarmOf(routed, atMs), atMs);
    const signal = new AbortController().signal;
    const waits = routes
      .filter(({ match }) => fits(match, routed))
      .map(({ chain }) => chain.reduce((sum, { waitMs }) => sum + waitMs, 0));
    const endMs = Math.max(0, ...waits) + LOOK_MIN_MS;
    const lookMs = Math.max(LOOK_MIN_MS, endMs / LOOKS_MAX);
    while (clock.monoMs() <= endMs) {
      await Promise.all(pipeline.round(signal));
      await clock.advance(lookMs);
    }
    return pipeline.deliveries({ limit: 1_000 }).reverse();
  } finally {
    database.close();
  }
}

function alarmOf(routed: Routed, atMs: number): Alarm {
  return {
    ...{ occurrence: 'rehearsal', number: 1, series: null, key: '', version: 1, revision: 1 },
    ...{ name: { en: '', zh: '' }, title: { en: '', zh: '' }, action: null, unit: '1' },
    ...{ limit: null, value: null, beganMs: atMs, raisedMs: atMs, raisedReceivedMs: atMs },
    ...{ clearedMs: null, clearedReceivedMs: null, acknowledgedMs: null, acknowledgedBy: null },
    ...{ note: null, isHistorical: false, supersededBy: null, state: 'B' },
    ...UNMARKED,
    ...routed,
  };
}
