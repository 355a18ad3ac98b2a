// Incidents, floods and figures as the API and the live stream show them.
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { DeskState } from '../alarms/annunciations.ts';
import type { FigureId, Figures } from '../alarms/figures.ts';
import { targets } from '../alarms/figures.ts';
import type { Flood } from '../alarms/flood.ts';
import type { Incident } from '../alarms/incident-tables.ts';
import { iso } from './routes.ts';

/** `first` finds the alarm that was first; null where it is not kept. */
export function incidentObject(incident: Incident, find: (occurrence: string) => Alarm | null) {
  const { counts, endedMs, firstOut } = incident;
  const first = find(firstOut.occurrence);
  return {
    id: incident.id,
    state: endedMs === null ? ('open' as const) : ('ended' as const),
    cause: incident.cause,
    title: titleOf(incident),
    area: incident.area,
    gateway: incident.gateway,
    place: incident.place,
    level: incident.level,
    began: iso(incident.firstMs),
    newest: iso(incident.lastMs),
    ended: endedMs === null ? null : iso(endedMs),
    first_out: {
      alarm: firstOut.occurrence,
      began: iso(firstOut.beganMs),
      point: first?.key ?? null,
      title: first?.title ?? null,
    },
    counts: { ...counts },
    merged_into: incident.mergedInto,
  };
}

function titleOf({ cause, place, gateway, area }: Incident) {
  switch (cause) {
    case 'silent':
      return bilingual('incident-silent', { gateway });
    case 'area-silent':
      return bilingual('incident-area-silent', { area });
    default:
      if (place === null) return bilingual('incident-gateway', { gateway });
      return place === ''
        ? bilingual('incident-everywhere')
        : bilingual('incident-place', { place });
  }
}

export function floodObject({ fromMs, toMs, alarms, peak }: Flood) {
  return { from: iso(fromMs), to: toMs === null ? null : iso(toMs), alarms, peak };
}

export function deskObject({ desk, inTenMinutes, flood }: DeskState) {
  return { desk, in_ten_minutes: inTenMinutes, flood: flood && floodObject(flood) };
}

const units: Readonly<Record<FigureId, 'alarms' | 'count' | 'share'>> = {
  'rate-ten-minutes': 'alarms',
  'rate-hour': 'alarms',
  'rate-day': 'alarms',
  'peak-minute': 'alarms',
  'peak-ten-minutes': 'alarms',
  'peak-hour': 'alarms',
  'windows-above-ten': 'share',
  'time-above-target': 'share',
  floods: 'count',
  'flood-time': 'share',
  chattering: 'count',
  fleeting: 'count',
  stale: 'count',
  'top-ten': 'share',
  'priority-1': 'share',
  'priority-2': 'share',
  'priority-3': 'share',
  'priority-4': 'share',
};

export function figuresObject(figures: Figures) {
  const { annunciated, hidden, floods, topTen, chattering, fleeting, stale } = figures;
  const all = annunciated + Object.values(hidden).reduce((sum, count) => sum + count, 0);
  return {
    from: iso(figures.fromMs),
    to: iso(figures.toMs),
    annunciated,
    annunciated_with_hidden: all,
    hidden: { ...hidden },
    figures: figures.figures.map(({ id, value, met }) => ({
      id,
      title: bilingual(`figure-${id}`),
      value,
      unit: units[id],
      is: targets[id].is,
      target: targets[id].value,
      source: targets[id].source,
      met,
    })),
    floods: floods.map(floodObject),
    top_ten: topTen.map(({ alarm, count }) => ({ alarm, count, share: count / annunciated })),
    chattering: [...chattering],
    fleeting: [...fleeting],
    stale: [...stale],
    acknowledge: figures.acknowledge.map((it) => ({
      level: it.level,
      annunciated: it.annunciated,
      acknowledged: it.acknowledged,
      median_ms: it.medianMs,
      p95_ms: it.p95Ms,
    })),
  };
}
