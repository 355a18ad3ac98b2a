// Why an alarm: the explanation of explain.ts, from what the alarms, the journal and the store
// know.

import type { Input } from '../../core/alarm/evaluate.ts';
import type { Clock } from '../../core/clock.ts';
import { qualityOf } from '../../core/quality.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { ExplainStretch, Explanation } from '../alarms/explain.ts';
import { explain, explainSpans } from '../alarms/explain.ts';
import { JOURNAL_PAGE_MAX } from '../alarms/journal.ts';
import { recorded } from '../alarms/recording.ts';
import type { RuleVersion } from '../alarms/rule-versions.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Store } from '../store/store.ts';
import type { FindAlarm } from './alarm-routes.ts';
import { explanation } from './explain-schemas.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { params } from './schemas.ts';

/** Of a beginning or an end; a rule of a long window on a fast point is explained by a part. */
const INPUTS_MAX = 100_000;
/** Where nobody knows the point any more. */
const PERIOD_UNKNOWN_MS = 1_000;

export interface ExplainRouteSources {
  readonly find: FindAlarm;
  readonly tables: Pick<AlarmConsumer['tables'], 'journal' | 'ruleVersions'>;
  readonly store: Pick<Store, 'history'>;
  readonly series: ReadonlyMap<number, SeriesEntry>;
}

export function explainRoutes(clock: Clock, sources: ExplainRouteSources): Route[] {
  const { find, tables, series } = sources;
  return [
    route({
      method: 'GET',
      url: '/v1/alarms/:id/explanation',
      right: 'read',
      summary: 'Why this alarm: samples, rule with version and author, each step, who did what',
      problems: [503],
      params: params.alarm,
      answer: explanation,
      handle: async ({ params: { id }, principal }) => {
        const alarm = find(id, principal);
        const { series: number, rule: name } = alarm;
        const version =
          number === null ? null : tables.ruleVersions.versionAt(number, name, alarm.version);
        const periodMs = periodOf(series, number);
        const { stretches, unreadable } = await recordingOf(
          sources,
          alarm,
          version,
          clock.wallMs(),
        );
        const page = { order: 'oldest', after: null, limit: JOURNAL_PAGE_MAX } as const;
        const journal = tables.journal.list({ what: alarm.occurrence }, page).entries;
        const explained = explain({ alarm, version, periodMs, stretches, journal });
        return { ...explanationObject(explained), unreadable };
      },
    }),
  ];
}

function periodOf(series: ReadonlyMap<number, SeriesEntry>, number: number | null): number {
  return series.get(number ?? 0)?.definition.periodMs ?? PERIOD_UNKNOWN_MS;
}

async function recordingOf(
  { store, series }: ExplainRouteSources,
  alarm: Alarm,
  version: RuleVersion | null,
  nowMs: number,
): Promise<{ readonly stretches: readonly ExplainStretch[]; readonly unreadable: boolean }> {
  const { series: number } = alarm;
  if (number === null) return { stretches: [], unreadable: false };
  const periodMs = periodOf(series, number);
  const stretches: ExplainStretch[] = [];
  let unreadable = false;
  for (const { isOn, ...span } of explainSpans(alarm, version?.rule ?? null, periodMs, nowMs)) {
    const all: Input[] = [];
    for await (const { inputs, isUnreadable } of recorded(store, number, periodMs, span)) {
      unreadable ||= isUnreadable;
      for (const input of inputs) all.push(input);
      if (all.length >= INPUTS_MAX) break;
    }
    stretches.push({ isOn, inputs: all });
  }
  return { stretches, unreadable };
}

function explanationObject({ alarm, version, rule, steps, notes, samples, leftOut }: Explanation) {
  const decidedMs = version?.decidedMs ?? 0;
  return {
    ...{ id: alarm.occurrence, point: alarm.key, title: alarm.title },
    rule: {
      ...{ id: alarm.rule, version: alarm.version, text: [...rule] },
      author: version?.author ?? null,
      approver: version?.approver ?? null,
      reason: version?.reason ?? null,
      decided: decidedMs > 0 ? iso(decidedMs) : null,
      definition: version?.rule ?? null,
    },
    steps: steps.map(({ atMs, kind, text }) => ({ at: iso(atMs), kind, text })),
    notes: [...notes],
    samples: samples.map(({ sample: { atMs, value, quality }, isDecisive }) => {
      const { quality: q, reason } = qualityOf(quality) ?? { quality: 'bad', reason: 'none' };
      return { t: iso(atMs), v: value, u: alarm.unit, q, reason, decisive: isDecisive };
    }),
    left_out: leftOut,
  };
}
