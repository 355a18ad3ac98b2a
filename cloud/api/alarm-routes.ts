// What the API offers of alarms: the list, one of them, acknowledging, the deliveries, and where a
// receiver says in its own word that it has one.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { Delivery } from '../notify/notifier.ts';
import type { Pipeline } from '../notify/pipeline.ts';
import type { Principal } from '../registry/registry.ts';
import type { Route } from './route.ts';
import { checkAct, route } from './route.ts';
import { iso } from './routes.ts';
import * as schemas from './schemas.ts';
import { withinScope } from './stream.ts';

export interface AlarmSources {
  readonly alarms: Pick<AlarmConsumer, 'list' | 'get' | 'acknowledge'>;
  readonly notify: Pick<Pipeline, 'deliveries' | 'handled'>;
  /** What an act brought, for the live stream. */
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

/** An alarm as the API and the stream show it. */
export function alarmObject(alarm: Alarm) {
  const { acknowledgedMs, acknowledgedBy, clearedMs } = alarm;
  return {
    id: alarm.occurrence,
    purpose: alarm.purpose,
    number: alarm.number,
    series: alarm.series,
    point: alarm.key,
    name: alarm.name,
    unit: alarm.unit,
    asset: alarm.asset,
    rule: alarm.rule,
    version: alarm.version,
    level: alarm.level,
    state: alarm.state,
    title: alarm.title,
    action: alarm.action,
    sheet: sheetObject(alarm.sheet),
    began: iso(alarm.beganMs),
    raised: iso(alarm.raisedMs),
    received: iso(alarm.raisedReceivedMs),
    cleared: clearedMs === null ? null : iso(clearedMs),
    acknowledged:
      acknowledgedMs === null ? null : { at: iso(acknowledgedMs), by: acknowledgedBy ?? '' },
    value: alarm.value,
    limit: alarm.limit,
    historical: alarm.isHistorical,
    superseded_by: alarm.supersededBy,
    latched: alarm.latched,
    shelf: shelfObject(alarm.shelf),
    suppressed_by: alarm.suppressedBy,
    removal: removalObject(alarm.removal),
    test: alarm.test && {
      ...{ by: alarm.test.by, reason: alarm.test.reason, until: iso(alarm.test.untilMs) },
    },
    annunciations: alarm.annunciations,
    revision: alarm.revision,
  };
}

export function shelfObject(shelf: Alarm['shelf']) {
  if (!shelf) return null;
  const { untilMs, isOneShot, by, reason } = shelf;
  return { until: iso(untilMs), one_shot: isOneShot, by, reason };
}

export function removalObject(removal: Alarm['removal']) {
  if (!removal) return null;
  const { untilMs, workOrder, by, reason } = removal;
  return { until: iso(untilMs), work_order: workOrder, by, reason };
}

function sheetObject(sheet: Alarm['sheet']) {
  if (!sheet) return null;
  const { cause, consequence, timeAvailableMs, basis } = sheet;
  const minutes = timeAvailableMs === null ? null : timeAvailableMs / 60_000;
  return { cause, consequence, minutes, basis };
}

const optionalIso = (ms: number | null) => (ms === null ? null : iso(ms));

export function deliveryObject(delivery: Delivery) {
  return {
    id: delivery.id,
    number: delivery.number,
    alarm: delivery.alarm.occurrence,
    transition: delivery.transition,
    receiver: delivery.receiver,
    person: delivery.person,
    route: delivery.route,
    state: delivery.state,
    attempts: delivery.attempts,
    queued: iso(delivery.queuedMs),
    sent: optionalIso(delivery.sentMs),
    accepted: optionalIso(delivery.acceptedMs),
    delivered: optionalIso(delivery.deliveredMs),
    seen: optionalIso(delivery.seenMs),
    confirmed: optionalIso(delivery.confirmedMs),
    confirmed_by: delivery.confirmedBy,
    acted: optionalIso(delivery.actedMs),
    declined: delivery.declined
      ? { at: iso(delivery.declined.atMs), by: delivery.declined.by }
      : null,
    undelivered: optionalIso(delivery.undeliveredMs),
    why: delivery.why,
  };
}

export type FindAlarm = (occurrence: string, principal: Principal) => Alarm;

/** Throws Fault `api_not_found` where there is none, or none in the scope of the principal. */
export function alarmFinder(alarms: Pick<AlarmConsumer, 'get'>): FindAlarm {
  return (id, { scope }) => {
    const alarm = alarms.get(id);
    if (alarm && withinScope(scope, alarm.asset)) return alarm;
    throw new Fault('api_not_found', 'never', bilingual('api-no-alarm', { id }));
  };
}

export function alarmRoutes(clock: Clock, { alarms, notify, onEvents }: AlarmSources): Route[] {
  const find = alarmFinder(alarms);
  return [
    route({
      method: 'GET',
      url: '/v1/alarms',
      right: 'read',
      summary: 'Alarms, the newest first; open ones unless asked otherwise',
      query: schemas.alarmQuery,
      answer: schemas.listOf(schemas.alarm),
      handle: ({ query, principal }) => {
        const { state, gateway, limit } = query;
        const found = alarms.list({
          state,
          limit,
          ...(gateway !== undefined && { gateway }),
          ...(query.after !== undefined && { before: Number(query.after) }),
        });
        const seen = found.filter(({ asset }) => withinScope(principal.scope, asset));
        const last = found.at(-1);
        const next = last && found.length === limit ? String(last.number) : null;
        return { next, items: seen.map(alarmObject) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/alarms/:id',
      right: 'read',
      summary: 'One alarm',
      params: schemas.params.alarm,
      answer: schemas.alarm,
      handle: ({ params, principal }) => alarmObject(find(params.id, principal)),
    }),
    route({
      method: 'POST',
      url: '/v1/alarms/:id/acknowledge',
      right: 'operate',
      summary: 'Say that you have it; refused for an occurrence that a newer one has superseded',
      problems: [409, 412],
      params: schemas.params.alarm,
      body: schemas.acknowledgement,
      answer: schemas.alarm,
      handle: ({ params, body, principal, from }) => {
        checkAct(principal, 'acknowledge');
        find(params.id, principal);
        const actor = { name: principal.name, from };
        onEvents(alarms.acknowledge(params.id, actor, body.note, clock.wallMs()));
        notify.handled(params.id, principal.name);
        return alarmObject(find(params.id, principal));
      },
    }),
    recordRoute(notify),
  ];
}

function recordRoute(notify: AlarmSources['notify']): Route {
  return route({
    method: 'GET',
    url: '/v1/deliveries',
    right: 'read',
    summary: 'Who was told of which alarm, and whether each confirmed; the newest first',
    query: schemas.deliveryQuery,
    answer: schemas.listOf(schemas.delivery),
    handle: ({ query, principal }) => {
      const found = notify.deliveries({
        limit: query.limit,
        ...(query.alarm !== undefined && { occurrence: query.alarm }),
        ...(query.after !== undefined && { before: Number(query.after) }),
      });
      const last = found.at(-1);
      const seen = found.filter(({ alarm }) => withinScope(principal.scope, alarm.asset));
      return {
        next: last && found.length === query.limit ? String(last.number) : null,
        items: seen.map(deliveryObject),
      };
    },
  });
}
