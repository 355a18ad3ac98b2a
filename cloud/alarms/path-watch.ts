// When a gateway that has two paths to the cloud is reached by one only: nothing is lost yet, and
// nobody would notice until the other one fails as well. One alarm of the gateway, raised when a
// path is down for PATH_DOWN_MS while the gateway is online, cleared when it is back, or when the
// gateway's file has one path only. While the gateway is offline, or the cloud itself is away from
// a broker, nothing is known of its paths: an alarm stays as it is.
// Measured by the cloud's clock; a step or pause of it begins the count anew.
import { occurrenceName } from '../../core/alarm/digest.ts';
import { change } from '../../core/alarm/state.ts';
import { bilingual } from '../../core/text/text.ts';
import type { NewAlarm } from './alarm.ts';
import { UNMARKED } from './alarm.ts';
import type { Occurrences, Source } from './occurrences.ts';
import type { Gateway } from './order.ts';
import { conditionOf, PATH_DOWN_RULE } from './silence.ts';
import type { AlarmTables } from './tables.ts';

export const PATH_DOWN_MS = 60_000;

export interface PathState {
  readonly state: 'up' | 'down' | 'unknown';
  /** Wall time of the cloud. */
  readonly sinceMs: number;
}

export interface PathDown {
  /** 0 is the first. */
  readonly path: number;
  sinceMs: number;
}

export class PathWatch {
  readonly #tables: AlarmTables;
  readonly #occurrences: Occurrences;
  readonly #down: Map<string, PathDown>;

  /** `down` is what was heard; it outlives a transaction that failed. */
  constructor(tables: AlarmTables, occurrences: Occurrences, down: Map<string, PathDown>) {
    this.#tables = tables;
    this.#occurrences = occurrences;
    this.#down = down;
  }

  /** True when an alarm of the gateway is to end. */
  hear(
    gateway: string,
    known: Gateway | undefined,
    heard: { readonly online: boolean; readonly paths: readonly PathState[] },
  ): boolean {
    const { online, paths } = heard;
    const path = paths.findIndex(({ state }) => state === 'down');
    const isReached = paths.some(({ state }) => state === 'up');
    const before = this.#down.get(gateway);
    if (online && isReached && path >= 0) {
      const { sinceMs } = paths[path]!;
      const isOther = known?.pathDown.active === true && before !== undefined;
      this.#down.set(gateway, { path, sinceMs });
      return isOther && before.path !== path;
    }
    this.#down.delete(gateway);
    return known?.pathDown.active === true && paths.every(({ state }) => state === 'up');
  }

  /** Before `isDue`. */
  stepped(nowMs: number): void {
    for (const down of this.#down.values()) down.sinceMs = nowMs;
  }

  isDue({ gateway, pathDown }: Gateway, nowMs: number): boolean {
    const down = this.#down.get(gateway);
    return down !== undefined && !pathDown.active && nowMs - down.sinceMs >= PATH_DOWN_MS;
  }

  raise(gateway: Gateway, nowMs: number): void {
    const alarm = alarmOf(gateway, this.#down.get(gateway.gateway)!, nowMs);
    const { occurrence } = alarm;
    gateway.pathDown = change(gateway.pathDown, { kind: 'begins', occurrence })[0];
    const row = this.#tables.insert(alarm);
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    if (row) this.#occurrences.raise(conditionOf(gateway, PATH_DOWN_RULE), row, source);
  }

  end(gateway: Gateway, atMs: number): void {
    const { occurrence } = gateway.pathDown;
    gateway.pathDown = change(gateway.pathDown, { kind: 'ends' })[0];
    const before = occurrence === null ? null : this.#tables.get(occurrence);
    const source: Source = { isLive: true, receivedMs: atMs, nowMs: atMs };
    const holder = conditionOf(gateway, PATH_DOWN_RULE);
    if (before) this.#occurrences.clear(holder, before, atMs, source);
  }
}

function alarmOf({ gateway, area }: Gateway, { path, sinceMs }: PathDown, nowMs: number): NewAlarm {
  const values = { gateway, path: path + 1 };
  return {
    occurrence: occurrenceName(gateway, PATH_DOWN_RULE, `cloud-${path + 1}`, sinceMs),
    ...{ series: null, key: gateway, area, gateway, asset: null, unit: '1', version: 1, level: 3 },
    name: bilingual('alarm-gateway-name', { gateway }),
    rule: PATH_DOWN_RULE,
    title: bilingual('alarm-path-down', values),
    action: bilingual('alarm-path-down-action'),
    ...{ limit: null, value: null, beganMs: sinceMs, raisedMs: sinceMs + PATH_DOWN_MS },
    ...{ raisedReceivedMs: nowMs, clearedMs: null, clearedReceivedMs: null },
    ...{ acknowledgedMs: null, acknowledgedBy: null, note: null },
    ...{ isHistorical: false, supersededBy: null },
    ...UNMARKED,
  };
}
