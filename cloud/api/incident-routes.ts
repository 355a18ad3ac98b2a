// What the API offers of incidents, and of the figures that tell how well alarms serve.
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Annunciations } from '../alarms/annunciations.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { Incident } from '../alarms/incident-tables.ts';
import type { Incidents } from '../alarms/incidents.ts';
import type { Principal } from '../registry/registry.ts';
import { alarmObject } from './alarm-routes.ts';
import { deskObject, figuresObject, incidentObject } from './incident-objects.ts';
import * as schemas from './incident-schemas.ts';
import type { Route } from './route.ts';
import { route } from './route.ts';
import { iso } from './routes.ts';
import { listOf } from './schemas.ts';
import { withinScope } from './stream.ts';

export interface IncidentSources {
  readonly incidents: Pick<Incidents, 'list' | 'get' | 'members' | 'within'>;
  readonly annunciations: Pick<Annunciations, 'figures' | 'day' | 'dayNamed' | 'desks'>;
  readonly alarms: Pick<AlarmConsumer, 'get'>;
}

const DAY_MS = 86_400_000;

export function incidentRoutes(clock: Clock, sources: IncidentSources): Route[] {
  const { incidents, alarms } = sources;
  const shown = (incident: Incident) => incidentObject(incident, (id) => alarms.get(id));
  return [
    route({
      method: 'GET',
      url: '/v1/incidents',
      right: 'read',
      summary: 'Alarms that belong together, the newest incident first; open ones unless asked',
      query: schemas.incidentQuery,
      answer: listOf(schemas.incident),
      handle: ({ query, principal }) => {
        const { state, limit, after } = query;
        const page = { state, limit, ...(after !== undefined && { before: Number(after) }) };
        const found = incidents.list(page);
        const last = found.at(-1);
        const seen = found.flatMap((it) => incidents.within(it, principal.scope) ?? []);
        const next = last && found.length === limit ? String(last.id) : null;
        return { next, items: seen.map(shown) };
      },
    }),
    route({
      method: 'GET',
      url: '/v1/incidents/:id',
      right: 'read',
      summary: 'One incident and its alarms in the order in which they began',
      params: schemas.incidentParams,
      query: schemas.membersQuery,
      answer: schemas.incidentWhole,
      handle: ({ params: { id }, query, principal: { scope } }) => {
        const whole = incidents.get(id);
        const seen = whole && incidents.within(whole, scope);
        if (!seen) throw new Fault('api_not_found', 'never', bilingual('no-incident', { id }));
        const members = incidents.members(id, scope, query.limit);
        const found = members.flatMap((occurrence) => alarms.get(occurrence) ?? []);
        return { ...shown(seen), alarms: found.map(alarmObject) };
      },
    }),
    ...figureRoutes(clock, sources),
  ];
}

function figureRoutes(clock: Clock, { annunciations, incidents }: IncidentSources): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/alarm-figures',
      right: 'read',
      summary: 'Figures after EEMUA 191 and ISA-18.2 of a day or a period, each with its target',
      problems: [404],
      query: schemas.figuresQuery,
      answer: schemas.figures,
      handle: ({ query: { day, from, to, asset }, principal }) => {
        const scope = scopeOf(principal, asset);
        if (day !== undefined) {
          return figuresObject(annunciations.day(annunciations.dayNamed(day), scope));
        }
        if (from === undefined || to === undefined) {
          throw new Fault('api_bad_request', 'never', bilingual('figures-what-period'));
        }
        const period = { fromMs: Date.parse(from), toMs: Date.parse(to) };
        return figuresObject(annunciations.figures(period, scope));
      },
    }),
    route({
      method: 'GET',
      url: '/v1/alarm-figures/live',
      right: 'read',
      summary: 'Floods and rates now, and the figures of the 24 h before',
      problems: [404],
      query: schemas.liveQuery,
      answer: schemas.liveFigures,
      handle: ({ query, principal }) => {
        const scope = scopeOf(principal, query.asset);
        const toMs = clock.wallMs();
        const period = { fromMs: toMs - DAY_MS, toMs };
        const desks = annunciations.desks().filter(({ desk }) => withinScope(scope, desk));
        const open = incidents.list({ state: 'open', limit: 1_000 });
        return {
          at: iso(toMs),
          incidents_open: open.filter((it) => incidents.within(it, scope) !== null).length,
          desks: desks.map(deskObject),
          last_day: figuresObject(annunciations.figures(period, scope)),
        };
      },
    }),
  ];
}

// The part that was asked for, which lies within what the principal sees.
function scopeOf({ scope }: Principal, asset: string | undefined): string {
  if (asset === undefined) return scope;
  if (withinScope(scope, asset)) return asset;
  throw new Fault('api_forbidden', 'never', bilingual('figures-outside', { asset, scope }));
}
