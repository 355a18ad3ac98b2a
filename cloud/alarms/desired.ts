// The rules in force, down to the gateways and back: `desired` carries what people decided about a
// gateway's points, `reported` says by its hash what the gateway goes by. Both are retained, so
// that it does not matter who comes first. A gateway that is heard and goes by other rules for
// DIFFER_MS has an alarm: what it reports at once, and later does by itself, would be by limits
// that nobody wants any more.
import { occurrenceName } from '../../core/alarm/digest.ts';
import { change } from '../../core/alarm/state.ts';
import { bilingual } from '../../core/text/text.ts';
import type { ConfigurationState } from '../../protocols/uplink/control.ts';
import type { Decided } from '../../protocols/uplink/decided.ts';
import { bare, encodeDecided } from '../../protocols/uplink/decided.ts';
import { hashOfBytes } from '../../protocols/uplink/dictionary.ts';
import type { NewAlarm } from './alarm.ts';
import { UNMARKED } from './alarm.ts';
import type { Occurrences, Source } from './occurrences.ts';
import type { Gateway } from './order.ts';
import { isOfPerson } from './rules.ts';
import { conditionOf } from './silence.ts';
import type { AlarmTables } from './tables.ts';
import type { WatchedSeries } from './watched.ts';

export const DIFFER_MS = 60_000;
export const RULES_DIFFER_RULE = 'rules-differ';

export class Desired {
  readonly #tables: AlarmTables;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;

  constructor(tables: AlarmTables, series: WatchedSeries, occurrences: Occurrences) {
    this.#tables = tables;
    this.#series = series;
    this.#occurrences = occurrences;
  }

  /**
   * What the gateway is to go by; null when that is what it was told last. The revision rises with
   * each other hash.
   */
  turn(gateway: Gateway, nowMs: number): ConfigurationState | null {
    const document = encodeDecided(this.#decided(gateway.gateway));
    const hash = hashOfBytes(document);
    const { rules } = gateway;
    if (hash === rules.wanted) return null;
    gateway.rules = { ...rules, revision: rules.revision + 1, wanted: hash };
    this.#compare(gateway, nowMs);
    return { revision: gateway.rules.revision, hash, document };
  }

  /** What was told last, to be told again; null where nothing ever was. */
  last({ gateway, rules }: Gateway): ConfigurationState | null {
    if (rules.revision === 0) return null;
    const document = encodeDecided(this.#decided(gateway));
    return { revision: rules.revision, hash: rules.wanted, document };
  }

  /** The gateway says what it goes by. */
  reported(gateway: Gateway, { hash }: Pick<ConfigurationState, 'hash'>, nowMs: number): void {
    if (hash === gateway.rules.reported) return;
    gateway.rules = { ...gateway.rules, reported: hash };
    this.#compare(gateway, nowMs);
  }

  /**
   * True when the alarm of the gateway is due. A silent one cannot be told, so it does not count.
   */
  isDue({ rules, silent }: Gateway, nowMs: number): boolean {
    if (rules.differMs === null || rules.condition.active || silent.active) return false;
    return nowMs - rules.differMs >= DIFFER_MS;
  }

  raise(gateway: Gateway, nowMs: number): void {
    const alarm = alarmOf(gateway, nowMs);
    const { occurrence } = alarm;
    const [condition] = change(gateway.rules.condition, { kind: 'begins', occurrence });
    gateway.rules = { ...gateway.rules, condition };
    const row = this.#tables.insert(alarm);
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    if (row) this.#occurrences.raise(conditionOf(gateway, RULES_DIFFER_RULE), row, source);
  }

  #compare(gateway: Gateway, nowMs: number): void {
    const { rules } = gateway;
    if (rules.wanted !== rules.reported) {
      gateway.rules = { ...rules, differMs: rules.differMs ?? nowMs };
      return;
    }
    const { occurrence } = rules.condition;
    const [condition] = change(rules.condition, { kind: 'ends' });
    gateway.rules = { ...rules, differMs: null, condition };
    const before = rules.condition.active && occurrence ? this.#tables.get(occurrence) : null;
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    const holder = conditionOf(gateway, RULES_DIFFER_RULE);
    if (before) this.#occurrences.clear(holder, before, nowMs, source);
  }

  #decided(gateway: string): Decided[] {
    const list: Decided[] = [];
    for (const { row, watches } of this.#series.byGateway.get(gateway) ?? []) {
      const { device, point } = row;
      for (const { row: rule, subject } of watches) {
        if (!isOfPerson(rule)) continue;
        const inForce = bare(subject.rule);
        if (inForce) list.push({ device, point, id: subject.rule.id, rule: inForce });
      }
    }
    for (const retired of this.#series.retired.values()) {
      const row = this.#series.bySeries[retired.series]?.row;
      if (row?.gateway !== gateway || !isOfPerson(retired)) continue;
      list.push({ device: row.device, point: row.point, id: retired.rule.id, rule: null });
    }
    return list;
  }
}

function alarmOf({ gateway, area, rules }: Gateway, nowMs: number): NewAlarm {
  const sinceMs = rules.differMs ?? nowMs;
  return {
    occurrence: occurrenceName(gateway, RULES_DIFFER_RULE, 'cloud', sinceMs),
    ...{ series: null, key: gateway, area, gateway, asset: null, unit: '1', version: 1, level: 3 },
    name: bilingual('alarm-gateway-name', { gateway }),
    rule: RULES_DIFFER_RULE,
    title: bilingual('alarm-rules-differ', { gateway }),
    action: bilingual('alarm-rules-differ-action'),
    ...{ limit: null, value: null, beganMs: sinceMs, raisedMs: sinceMs + DIFFER_MS },
    ...{ raisedReceivedMs: nowMs, clearedMs: null, clearedReceivedMs: null },
    ...{ acknowledgedMs: null, acknowledgedBy: null, note: null },
    ...{ isHistorical: false, supersededBy: null },
    ...UNMARKED,
  };
}
