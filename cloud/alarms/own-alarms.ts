// Alarms that no rule on a point makes: that a test of the path was missed at a gateway, that a
// part of the cloud does not work, that another system said so. Whoever watches says that one
// begins or ends; its condition is kept here, by what it is of, so that it outlives a restart and
// people may act on it like on every alarm.
import { occurrenceName } from '../../core/alarm/digest.ts';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import type { Condition } from '../../core/alarm/state.ts';
import { change, NORMAL, PLAIN } from '../../core/alarm/state.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Alarm, NewAlarm } from './alarm.ts';
import { UNMARKED } from './alarm.ts';
import type { Conditioned, Occurrences, Source } from './occurrences.ts';
import type { AlarmTables } from './tables.ts';

/** In the place of a gateway, of what the cloud says of itself; no gateway is enrolled so. */
export const CLOUD_ITSELF = 'cloud';

/** What begins to be wrong. */
export interface OwnAlarm {
  /** A gateway, or CLOUD_ITSELF. */
  readonly gateway: string;
  readonly area: string;
  /** Absent where it is none's. */
  readonly asset?: string | null;
  /** The gateway, or `cloud/receiver/desk`. */
  readonly key: string;
  readonly rule: string;
  readonly level: AlarmLevel;
  readonly name: Bilingual;
  readonly title: Bilingual;
  readonly action: Bilingual;
  readonly sinceMs: number;
}

export class OwnAlarms {
  readonly #tables: AlarmTables;
  readonly #occurrences: Occurrences;
  readonly #conditions: Map<string, Condition>;

  constructor(tables: AlarmTables, occurrences: Occurrences) {
    this.#tables = tables;
    this.#occurrences = occurrences;
    this.#conditions = new Map(tables.ownConditions());
  }

  isActive(key: string, rule: string): boolean {
    return this.#conditions.get(`${key}/${rule}`)?.active === true;
  }

  begin(own: OwnAlarm, nowMs: number): void {
    const { key, rule, sinceMs } = own;
    if (this.isActive(key, rule)) return;
    const occurrence = occurrenceName(key, rule, 'cloud', sinceMs);
    const holder = this.#holder(key, rule);
    holder.condition = change(holder.condition, { kind: 'begins', occurrence })[0];
    const row = this.#tables.insert(alarmOf(own, occurrence, nowMs));
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    if (row) this.#occurrences.raise(holder, row, source);
  }

  end(key: string, rule: string, atMs: number): void {
    if (!this.isActive(key, rule)) return;
    const holder = this.#holder(key, rule);
    const { occurrence } = holder.condition;
    holder.condition = change(holder.condition, { kind: 'ends' })[0];
    const before = occurrence === null ? null : this.#tables.get(occurrence);
    const source: Source = { isLive: true, receivedMs: atMs, nowMs: atMs };
    if (before) this.#occurrences.clear(holder, before, atMs, source);
  }

  /** The condition of an alarm; null where it is none of these. */
  holderOf({ series, key, rule }: Alarm): Conditioned | null {
    const isKnown = series === null && this.#conditions.has(`${key}/${rule}`);
    return isKnown ? this.#holder(key, rule) : null;
  }

  // Written as soon as it changes: all of it is part of the caller's transaction.
  #holder(key: string, rule: string): Conditioned {
    const [conditions, tables] = [this.#conditions, this.#tables];
    const what = `${key}/${rule}`;
    return {
      get condition() {
        return conditions.get(what) ?? NORMAL;
      },
      set condition(condition) {
        conditions.set(what, condition);
        tables.putOwnCondition(what, condition);
      },
      suppressedBy: null,
      policy: PLAIN,
      what,
    };
  }
}

function alarmOf(own: OwnAlarm, occurrence: string, nowMs: number): NewAlarm {
  const { gateway, area, asset = null, key, rule, level, name, title, action, sinceMs } = own;
  return {
    ...{ occurrence, series: null, key, area, gateway, asset, unit: '1', version: 1, level },
    ...{ name, rule, title, action, limit: null, value: null },
    ...{ beganMs: sinceMs, raisedMs: nowMs, raisedReceivedMs: nowMs },
    ...{ clearedMs: null, clearedReceivedMs: null },
    ...{ acknowledgedMs: null, acknowledgedBy: null, note: null },
    ...{ isHistorical: false, supersededBy: null },
    ...UNMARKED,
  };
}
