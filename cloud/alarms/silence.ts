// When a gateway as a whole is silent: not connected, or connected and not sending. One alarm for
// the gateway, instead of one for every point behind it. Measured by the cloud's clock from what
// the cloud itself heard; a start of the cloud, or a pause or step of its clock, is nobody's
// silence and begins the count anew.
import { occurrenceName } from '../../core/alarm/digest.ts';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { change, PLAIN } from '../../core/alarm/state.ts';
import { bilingual } from '../../core/text/text.ts';
import type { NewAlarm } from './alarm.ts';
import { UNMARKED } from './alarm.ts';
import type { Conditioned, Occurrences, Source } from './occurrences.ts';
import type { Gateway } from './order.ts';
import type { AlarmTables } from './tables.ts';
import type { WatchedSeries } from './watched.ts';

export const GATEWAY_SILENT_MS = 60_000;
export const GATEWAY_SILENT_LEVEL: AlarmLevel = 3;
export const GATEWAY_SILENT_RULE = 'gateway-silent';
/** See path-watch.ts. */
export const PATH_DOWN_RULE = 'path-down';

/** Ticks come once a second; a longer step is the cloud's own pause. */
const TICK_STEP_MAX_MS = 10_000;

interface Heard {
  /** Receive time of the newest record, or when it connected. */
  atMs: number;
  /** Since when the broker says that it is not connected; null while it is. */
  offlineMs: number | null;
}

export class Silence {
  readonly #heard = new Map<string, Heard>();
  #tickMs: number | null = null;

  heard(gateway: string, atMs: number): void {
    const heard = this.#heard.get(gateway);
    if (!heard) this.#heard.set(gateway, { atMs, offlineMs: null });
    else heard.atMs = Math.max(heard.atMs, atMs);
  }

  presence(gateway: string, online: boolean, sinceMs: number): void {
    this.heard(gateway, online ? sinceMs : (this.#heard.get(gateway)?.atMs ?? sinceMs));
    this.#heard.get(gateway)!.offlineMs = online ? null : sinceMs;
  }

  /** Before `isSilent`: a clock that stepped moves what was heard along. */
  tick(nowMs: number): 'stepped' | 'on time' {
    const stepMs = this.#tickMs === null ? 0 : nowMs - this.#tickMs;
    this.#tickMs = nowMs;
    if (stepMs >= 0 && stepMs <= TICK_STEP_MAX_MS) return 'on time';
    for (const heard of this.#heard.values()) {
      heard.atMs = nowMs;
      if (heard.offlineMs !== null) heard.offlineMs = nowMs;
    }
    return 'stepped';
  }

  /** A gateway not heard since this process started counts from the first time it is asked for. */
  isSilent(gateway: string, nowMs: number): boolean {
    const heard = this.#heard.get(gateway);
    if (!heard) {
      this.#heard.set(gateway, { atMs: nowMs, offlineMs: null });
      return false;
    }
    return nowMs - this.sinceMs(gateway) >= GATEWAY_SILENT_MS;
  }

  /** Since when it has been silent, if it is. */
  sinceMs(gateway: string): number {
    const { atMs, offlineMs } = this.#heard.get(gateway)!;
    return offlineMs === null ? atMs : Math.max(atMs, offlineMs);
  }

  alarm({ gateway, area }: Gateway, sinceMs: number, nowMs: number): NewAlarm {
    return {
      occurrence: occurrenceName(gateway, GATEWAY_SILENT_RULE, 'cloud', sinceMs),
      series: null,
      key: gateway,
      area,
      gateway,
      asset: null,
      name: bilingual('alarm-gateway-name', { gateway }),
      unit: '1',
      rule: GATEWAY_SILENT_RULE,
      version: 1,
      level: GATEWAY_SILENT_LEVEL,
      title: bilingual('alarm-gateway-silent', { gateway }),
      action: bilingual('alarm-gateway-silent-action'),
      limit: null,
      value: null,
      beganMs: sinceMs,
      raisedMs: sinceMs + GATEWAY_SILENT_MS,
      raisedReceivedMs: nowMs,
      clearedMs: null,
      clearedReceivedMs: null,
      acknowledgedMs: null,
      acknowledgedBy: null,
      note: null,
      isHistorical: false,
      supersededBy: null,
      ...UNMARKED,
    };
  }
}

/** A gateway's own alarm, and what hides under it: that its points do not speak. */
export class SilentGateways {
  readonly #tables: AlarmTables;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;
  readonly #touched: Set<Gateway>;

  /** Gateways that changed are put into `touched`. */
  constructor(
    tables: AlarmTables,
    series: WatchedSeries,
    occurrences: Occurrences,
    touched: Set<Gateway>,
  ) {
    this.#tables = tables;
    this.#series = series;
    this.#occurrences = occurrences;
    this.#touched = touched;
  }

  begin(gateway: Gateway, alarm: NewAlarm, nowMs: number): void {
    const { occurrence } = alarm;
    gateway.silent = change(gateway.silent, { kind: 'begins', occurrence })[0];
    this.#touched.add(gateway);
    const row = this.#tables.insert(alarm);
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    if (row) this.#occurrences.raise(conditionOf(gateway), row, source);
    this.#hide(gateway, GATEWAY_SILENT_RULE, nowMs);
  }

  end(gateway: Gateway, atMs: number): void {
    const { occurrence } = gateway.silent;
    gateway.silent = change(gateway.silent, { kind: 'ends' })[0];
    this.#touched.add(gateway);
    const before = occurrence === null ? null : this.#tables.get(occurrence);
    const source: Source = { isLive: true, receivedMs: atMs, nowMs: atMs };
    if (before) this.#occurrences.clear(conditionOf(gateway), before, atMs, source);
    this.#hide(gateway, null, atMs);
  }

  #hide({ gateway }: Gateway, under: string | null, nowMs: number): void {
    for (const { watches } of this.#series.byGateway.get(gateway) ?? []) {
      for (const watch of watches) {
        const isSilence = watch.subject.rule.kind === 'no-data' && watch.condition.active;
        if (isSilence || watch.suppressedBy === GATEWAY_SILENT_RULE) {
          this.#occurrences.suppress(watch, under, nowMs);
        }
      }
    }
  }
}

/** One of the conditions of a gateway itself, by the rule of its alarm. */
export function conditionOf(gateway: Gateway, rule: string = GATEWAY_SILENT_RULE): Conditioned {
  const isSilence = rule === GATEWAY_SILENT_RULE;
  const isPath = rule === PATH_DOWN_RULE;
  return {
    get condition() {
      if (isSilence) return gateway.silent;
      return isPath ? gateway.pathDown : gateway.rules.condition;
    },
    set condition(condition) {
      if (isSilence) gateway.silent = condition;
      else if (isPath) gateway.pathDown = condition;
      else gateway.rules = { ...gateway.rules, condition };
    },
    suppressedBy: null,
    policy: PLAIN,
    what: `${gateway.gateway}/${rule}`,
  };
}
