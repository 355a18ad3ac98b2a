// Alerts of others: the webhook of Prometheus Alertmanager (payload version 4) and that of Grafana,
// which has the same fields and calls its version 1. Each alert is an alarm of the cloud's own
// list, with journal, routes and deliveries like every other, from `firing` until `resolved`; the
// same alert again changes nothing.
//
//   level     label `level` (1 to 4); else by `severity`: critical, error and page are II, warning
//             is III, all else IV. Level I is danger to life: only who says so means it
//   area      label `area`, where it is an id and the token is for all assets; else `external`
//   asset     label `asset`, where it is one within the scope of the token; else that scope: what a
//             sender says is not lost, and does not reach beyond what it was trusted with
//   title     label `alertname`; what to do: annotation `action`, `description` or `summary`
//
// What Lifeline itself sent to an Alertmanager, and that sends back to us, is left out: an alarm
// would raise itself for ever.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import type { Clock } from '../../core/clock.ts';
import { ASSET_PATTERN, isId } from '../../core/point.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { OwnAlarm } from '../alarms/own-alarms.ts';
import { OWN_LABEL } from '../notify/channels/alertmanager.ts';
import type { Principal } from '../registry/registry.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { withinScope } from './stream.ts';

/** Alertmanager sends a group at once; one of more is no group that anybody reads. */
const ALERTS_MAX = 1_000;
/** In the place of a gateway and of an area. */
export const EXTERNAL = 'external';
const RULE = 'external';
const TITLE_MAX = 200;
const ACTION_MAX = 1_000;

const labels = z.record(z.string().max(200), z.string().max(10_000));
const alert = z.object({
  status: z.enum(['firing', 'resolved']),
  labels,
  annotations: labels.default({}),
  startsAt: z.iso.datetime({ offset: true }),
  endsAt: z.string().optional(),
  fingerprint: z.string().max(64).default(''),
});
const payload = z.object({
  version: z.enum(['4', '1']).optional().describe('of the payload: 4, or 1 of Grafana'),
  alerts: z.array(alert).max(ALERTS_MAX),
});
const answer = z.object({
  raised: z.number().int(),
  cleared: z.number().int(),
  unchanged: z.number().int().describe('known already, or never known'),
  own: z.number().int().describe('of Lifeline itself, left out'),
});

type Alert = z.output<typeof alert>;

export interface AlertSources {
  readonly alarms: Pick<AlarmConsumer, 'begin' | 'end' | 'isOwnActive'>;
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

export function alertmanagerRoutes(clock: Clock, { alarms, onEvents }: AlertSources): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/alertmanager',
      right: 'operate',
      summary: 'The webhook of an Alertmanager: its alerts become alarms, and end with them',
      body: payload,
      answer,
      handle: ({ body: { alerts }, principal }) => {
        const counts = { raised: 0, cleared: 0, unchanged: 0, own: 0 };
        for (const each of alerts) {
          const what = take(alarms, each, principal, clock.wallMs());
          counts[what.count]++;
          onEvents(what.events);
        }
        return counts;
      },
    }),
  ];
}

function take(alarms: AlertSources['alarms'], given: Alert, source: Principal, nowMs: number) {
  if (given.labels[OWN_LABEL] !== undefined) return { count: 'own' as const, events: [] };
  const key = keyOf(given, source.name);
  const isActive = alarms.isOwnActive(key, RULE);
  if (given.status === 'resolved') {
    if (!isActive) return { count: 'unchanged' as const, events: [] };
    return { count: 'cleared' as const, events: alarms.end(key, RULE, nowMs) };
  }
  if (isActive) return { count: 'unchanged' as const, events: [] };
  return {
    count: 'raised' as const,
    events: alarms.begin(alarmOf(given, key, source, nowMs), nowMs),
  };
}

// Alertmanager's fingerprint is that of the labels; a sender without one gets the same of ours.
function keyOf({ fingerprint, labels: own }: Alert, source: string): string {
  const sorted = Object.entries(own).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256').update(JSON.stringify(sorted)).digest('hex').slice(0, 16);
  const name = /^[0-9a-f]{1,64}$/.test(fingerprint) ? fingerprint : hash;
  return `${EXTERNAL}/${source}/${name}`;
}

function alarmOf(
  { labels: own, annotations, startsAt }: Alert,
  key: string,
  { name: source, scope }: Principal,
  nowMs: number,
): OwnAlarm {
  const title = (own['alertname'] ?? EXTERNAL).slice(0, TITLE_MAX);
  const { action, description, summary } = annotations;
  const todo = (action ?? description ?? summary ?? '').slice(0, ACTION_MAX);
  const { area = '', asset = '' } = own;
  const isPlace = ASSET_PATTERN.test(asset) && withinScope(scope, asset);
  const same = (text: string) => ({ en: text, zh: text });
  return {
    ...{ gateway: EXTERNAL, area: scope === '' && isId(area) ? area : EXTERNAL, key, rule: RULE },
    asset: isPlace ? asset : scope || null,
    level: levelOf(own),
    name: bilingual('alert-name', { source }),
    title: same(title),
    action: todo === '' ? bilingual('alert-action') : same(todo),
    sinceMs: Math.min(Date.parse(startsAt), nowMs),
  };
}

function levelOf({ level = '', severity = '' }: Readonly<Record<string, string>>): AlarmLevel {
  if (/^[1-4]$/.test(level)) return Number(level) as AlarmLevel;
  if (['critical', 'error', 'page'].includes(severity)) return 2;
  return severity === 'warning' ? 3 : 4;
}
