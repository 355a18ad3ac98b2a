import { z } from 'zod';
import { alarmLevels } from '../../core/alarm/rule.ts';
import { figureIds } from '../alarms/figures.ts';
import { incidentCauses } from '../alarms/grouping.ts';
import { alarm, page } from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
const level = z.union(alarmLevels.map((each) => z.literal(each)));
const asset = z.string().max(600).optional().describe('asset path; everything without it');
const whole = z.number().int();

export const incident = z.object({
  id: whole,
  state: z.enum(['open', 'ended']),
  cause: z
    .enum(incidentCauses)
    .describe('place: same place and time; silent: a gateway; area-silent: several of one area'),
  title: bilingual,
  area: z.string(),
  gateway: z.string().describe('of the first alarm'),
  place: z.string().nullable().describe('asset path that all its alarms share'),
  level: level.describe('the highest that any of its alarms had'),
  began: instant.describe('sample time'),
  newest: instant.describe('the newest beginning or end'),
  ended: instant.nullable(),
  first_out: z
    .object({
      alarm: z.string(),
      began: instant,
      point: z.string().nullable(),
      title: bilingual.nullable(),
    })
    .describe('the alarm whose condition began first, by sample time'),
  counts: z.object({
    members: whole,
    active: whole,
    unacknowledged: whole,
    hidden: whole.describe('shelved, suppressed, out of service or under test'),
    historical: whole,
  }),
  merged_into: whole.nullable().describe('the incident that its alarms belong to now'),
});

export const incidentWhole = incident.extend({
  alarms: z.array(alarm).describe('in the order in which they began, as many as asked for'),
});

export const incidentQuery = page.extend({ state: z.enum(['open', 'all']).default('open') });

export const incidentParams = z.object({ id: z.coerce.number().int().min(1) });

export const membersQuery = z.object({
  limit: z.coerce.number().int().min(0).max(1_000).default(200),
});

const flood = z.object({
  from: instant,
  to: instant.nullable().describe('null while it goes on'),
  alarms: whole,
  peak: whole.describe('the most in any ten minutes'),
});

export const figures = z.object({
  from: instant,
  to: instant,
  annunciated: whole.describe('told to somebody'),
  annunciated_with_hidden: whole,
  hidden: z.object({ shelved: whole, suppressed: whole, removed: whole, test: whole }),
  figures: z.array(
    z.object({
      id: z.enum(figureIds),
      title: bilingual,
      value: z.number().nullable().describe('null where there is nothing to judge'),
      unit: z.enum(['alarms', 'count', 'share']),
      is: z.enum(['at-most', 'below', 'at-least']),
      target: z.number(),
      source: z.string(),
      met: z.boolean().nullable(),
    }),
  ),
  floods: z.array(flood),
  top_ten: z.array(z.object({ alarm: z.string(), count: whole, share: z.number() })),
  chattering: z.array(z.string()),
  fleeting: z.array(z.string()),
  stale: z.array(z.string()),
  acknowledge: z.array(
    z.object({
      level,
      annunciated: whole,
      acknowledged: whole,
      median_ms: z.number().nullable(),
      p95_ms: z.number().nullable(),
    }),
  ),
});

export const liveFigures = z.object({
  at: instant,
  incidents_open: whole,
  desks: z.array(
    z.object({
      desk: z.string().describe('asset path; empty: everything'),
      in_ten_minutes: whole,
      flood: flood.nullable().describe('the newest, over or not'),
    }),
  ),
  last_day: figures.describe('the 24 h before now'),
});

export const figuresQuery = z.object({
  day: z.string().max(10).optional().describe('2026-01-31, in the time zone of the cloud'),
  from: instant.optional(),
  to: instant.optional(),
  asset,
});

export const liveQuery = z.object({ asset });
