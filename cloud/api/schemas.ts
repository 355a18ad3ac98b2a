// What goes in and out of the API, once: these schemas validate, type the handlers, and become
// OpenAPI 3.1.
import { z } from 'zod';
import { alarmLevels } from '../../core/alarm/rule.ts';
import { qualities, reasons } from '../../core/quality.ts';
import { gapCauses, pointClasses } from '../../core/reading.ts';
import { purposes } from '../alarms/alarm.ts';
import { alarmSelections } from '../alarms/tables.ts';
import { words } from '../notify/answers.ts';
import { deliveryStates } from '../notify/notifier.ts';
import { acts, rights } from '../registry/registry.ts';

const id = z.string().regex(/^[a-z0-9-]{1,64}$/);
const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
const value = z.union([z.number(), z.boolean(), z.string(), z.null()]);

/** The value object everywhere: when it was true, what, in which unit, how far to be believed. */
export const valueObject = z.object({
  t: instant,
  v: value.describe('number, boolean, text or null; whole numbers beyond 2^53 as text'),
  u: z.string().describe('UCUM code'),
  q: z.enum(qualities),
  reason: z.enum(reasons),
  status: z
    .object({
      code: z.number().int().describe('OPC UA StatusCode as it came, 32 bits'),
      severity: z.enum(qualities),
    })
    .optional()
    .describe('what the device said of the value; not there where it says nothing'),
  source_at: instant.optional().describe('when its source says it was true, by its own clock'),
  server_at: instant.optional().describe('when the server had it, by its own clock'),
});

export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

export const health = z.object({
  status: z.enum(['ok', 'degraded']),
  parts: z.record(z.string(), z.string()),
  path: z
    .object({ state: z.enum(['ok', 'broken', 'unknown']), broken: z.int() })
    .describe('of the alarm path as a whole, and how many of its parts are broken'),
});

export const gateway = z.object({
  id,
  area: id,
  created: instant,
  online: z.boolean(),
  heard: instant.nullable(),
  clock: z.string(),
  paths: z
    .array(
      z.object({
        state: z.enum(['up', 'down', 'unknown']),
        since: instant.nullable(),
        heard: instant.nullable().describe('its newest status since the cloud started'),
      }),
    )
    .describe('to the cloud, the first one first; unknown while the cloud is away from its broker'),
});

export const device = z.object({
  gateway: id,
  device: id,
  points: z.number().int(),
  asset: z.string().nullable(),
  newest: instant.nullable(),
  bad: z.number().int(),
});

export const series = z.object({
  series: z.number().int(),
  point: z.string(),
  name: bilingual,
  asset: z.string().nullable(),
  class: z.enum(pointClasses),
  unit: z.string(),
  period_ms: z.number(),
  current: valueObject.nullable(),
  age_ms: z.number().nullable().describe('since the value was true, by the clock of the cloud'),
  covered: instant.nullable().describe('the device was polled and the value unchanged up to here'),
});

export const historyQuery = z.object({
  from: instant,
  to: instant,
  bucket_ms: z.coerce.number().int().min(100).max(86_400_000).optional(),
  limit: z.coerce.number().int().min(1).max(50_000).default(5_000),
});

export const historyAnswer = z.object({
  series: z.number().int(),
  unit: z.string(),
  readings: z.array(valueObject).optional(),
  buckets: z
    .array(
      z.object({
        t: instant,
        min: z.number().nullable(),
        max: z.number().nullable(),
        mean: z.number().nullable(),
        count: z.number().int(),
        bad: z.number().int(),
        q: z.enum(qualities).describe('the worst in the bucket'),
      }),
    )
    .optional(),
  gaps: z.array(
    z.object({ from: instant, to: instant, cause: z.enum(gapCauses), readings: z.number() }),
  ),
  covered: z
    .array(z.object({ from: instant, to: instant }))
    .describe('polled here: a value that is not reported is the one before it'),
  truncated: z.boolean(),
});

export const gap = z.object({
  gateway: id,
  cause: z.enum(gapCauses),
  from: instant,
  to: instant,
  readings: z.number(),
  estimated: z.boolean(),
  series: z.array(z.number().int()),
});

export const account = z.object({
  taken: z.number(),
  stored: z.number(),
  unchanged: z.number(),
  missed: z.number(),
  given_up: z.number(),
  failed: z.number(),
  by_cause: z.record(z.enum(gapCauses), z.number()),
});

export const alarm = z.object({
  id: z.string().describe('the occurrence'),
  purpose: z.enum(purposes).describe('of all but alarm: nothing is wrong at the site'),
  number: z.number().int(),
  series: z.number().int().nullable().describe('null for an alarm of a gateway itself'),
  point: z.string(),
  name: bilingual,
  unit: z.string(),
  asset: z.string().nullable(),
  rule: z.string(),
  version: z.number().int(),
  level: z.union(alarmLevels.map((level) => z.literal(level))),
  state: z
    .string()
    .describe(
      'ISA-18.2 letter: A normal, B unacknowledged, C acknowledged, D returned, E and F latched, ' +
        'G shelved, H suppressed by design, I out of service',
    ),
  title: bilingual,
  action: bilingual.nullable(),
  sheet: z
    .object({
      cause: bilingual.nullable(),
      consequence: bilingual.nullable(),
      minutes: z.number().nullable().describe('in which acting still helps'),
      basis: bilingual.nullable().describe('where the limit is from'),
    })
    .nullable()
    .describe('what else the response sheet of the rule says'),
  began: instant.describe('the first sample beyond the limit'),
  raised: instant.describe('began plus the on-delay'),
  received: instant.describe('when the cloud had the record that showed it'),
  cleared: instant.nullable(),
  acknowledged: z.object({ at: instant, by: z.string() }).nullable(),
  value: z.number().nullable(),
  limit: z.number().nullable(),
  historical: z.boolean().describe('began and ended in what came late; paged nobody'),
  superseded_by: z.string().nullable(),
  latched: z.boolean().describe('returned to normal; shown until it is reset'),
  shelf: z
    .object({ until: instant, one_shot: z.boolean(), by: z.string(), reason: z.string() })
    .nullable(),
  suppressed_by: z.string().nullable().describe('a worse limit of the point, or gateway-silent'),
  removal: z
    .object({ until: instant, work_order: z.string(), by: z.string(), reason: z.string() })
    .nullable()
    .describe('out of service'),
  test: z
    .object({ until: instant, by: z.string(), reason: z.string() })
    .nullable()
    .describe('raised while its device was tested: told to the tester alone'),
  annunciations: z.number().int().describe('how often somebody was called'),
  revision: z.number().int().describe('rises by one a change; for If-Match'),
});

const forMinutes = (max: number) => z.number().positive().max(max).describe('minutes');
const reason = z.string().min(1).max(2_000);
/** An occurrence, or `gateway/device/point/rule`. */
const target = z.string().min(1).max(300);

export const shelving = z.object({
  minutes: forMinutes(480),
  one_shot: z.boolean().default(false).describe('ends with the next return to normal too'),
  reason,
});
export const removing = z.object({
  minutes: forMinutes(30 * 24 * 60),
  work_order: z.string().min(1).max(200),
  reason,
});
export const onTarget = { target };
export const conditionTarget = z.object(onTarget);
export const deviceTest = z.object({
  device: z.string().describe('gateway/device'),
  minutes: forMinutes(60),
  reason,
});
export const endOfTest = z.object({ device: z.string().max(200) });
export const runningTest = z.object({
  device: z.string(),
  by: z.string(),
  reason: z.string(),
  until: instant,
});
/** 304: no body. */
export const unchanged = z.null().describe('As it was');
export const silenced = z.object({ until: instant });
export const approval = z.object({
  id: z.number().int(),
  kind: z.string().describe('shelve, rule, close-case, command, warning'),
  what: z.string(),
  text: bilingual.describe('what is asked, for the second person'),
  document: z.unknown(),
  by: z.string(),
  reason: z.string(),
  asked: instant,
  until: instant,
});
export const acted = z.object({
  waiting: approval.nullable().describe('a second person is to approve it'),
  alarm: alarm.nullable(),
});
export const hiddenCondition = z.object({
  target: z.string(),
  letter: z.string(),
  shelf: alarm.shape.shelf,
  removal: alarm.shape.removal,
  suppressed_by: z.string().nullable(),
  alarm: z.string().nullable(),
});

export const delivery = z.object({
  id: z.string().describe('the webhook-id: occurrence and transition'),
  number: z.number().int(),
  alarm: z.string(),
  transition: z.string(),
  receiver: z.string(),
  person: z.string().nullable(),
  route: z.string(),
  state: z.enum(deliveryStates),
  attempts: z.number().int(),
  queued: instant,
  sent: instant.nullable(),
  accepted: instant.nullable().describe('the receiver answered 2xx'),
  delivered: instant.nullable().describe('the provider says that it reached the phone'),
  seen: instant.nullable().describe('somebody opened it, as far as that can be told'),
  confirmed: instant.nullable().describe('the receiver said in its own word that it has it'),
  confirmed_by: z.string().nullable(),
  acted: instant.nullable().describe('somebody is on the way, or the site has acted itself'),
  declined: z.object({ at: instant, by: z.string() }).nullable().describe('not theirs'),
  undelivered: instant.nullable().describe('nobody had confirmed in time'),
  why: z.string().nullable(),
});

export const deadLetter = z.object({
  id: z.number().int(),
  at: instant,
  reason: z.string().describe('a word: too_large, malformed, corrupt, foreign_topic, clone, ...'),
  detail: z.string(),
  area: z.string(),
  gateway: z.string().describe('as logged in or as in the topic; empty where nobody said'),
  topic: z.string(),
  epoch: z.string().describe('empty where the key could not be read'),
  sequence: z.number().int(),
  readings: z.number().int(),
  size: z.number().int().describe('bytes of the whole message'),
  begins: z.string().describe('its first bytes, in base64: 64 in a list, all that is kept in one'),
});

export const confirmation = z.object({
  confirmed: z.string().min(1).max(200).describe('the webhook-id'),
  by: z.string().min(1).max(200),
  word: z.enum(words).default('confirmed').describe('has it, is on the way, or it is not theirs'),
  receiver: id
    .optional()
    .describe('whose word; all of the notification where nothing else is said'),
});

export const acknowledgement = z.object({ note: z.string().max(2_000).default('') });

export const token = z.object({
  name: id,
  right: z.enum(rights),
  scope: z.string().max(600).default(''),
  acts: z
    .array(z.enum(acts))
    .readonly()
    .optional()
    .describe('what it may do with alarms; what is customary with its right where left out'),
  receiver: id
    .optional()
    .describe('it confirms what was sent to this receiver, and nothing that was sent to others'),
});

export const enrolment = z.object({ id, area: id });

export const page = z.object({
  limit: z.coerce.number().int().min(1).max(1_000).default(200),
  after: z.string().max(200).optional().describe('the cursor of the page before'),
});

export const params = {
  gateway: z.object({ gateway: id }),
  series: z.object({ series: z.coerce.number().int().min(1) }),
  alarm: z.object({ id: z.string().min(1).max(100) }),
  principal: z.object({ name: id }),
  approval: z.object({ id: z.coerce.number().int().min(1) }),
  deadLetter: z.object({ id: z.coerce.number().int().min(1) }),
};

export const seriesQuery = page.extend({
  gateway: id.optional(),
  device: id.optional(),
  asset: z.string().max(600).optional().describe('asset path prefix'),
});

export const gapQuery = z.object({
  from: instant.optional(),
  to: instant.optional(),
  series: z.coerce.number().int().min(1).optional(),
});

export const accountQuery = z.object({
  epochs: z
    .string()
    .max(20_000)
    .optional()
    .describe('gateway:epoch pairs, comma separated; without it all'),
});

export const deliveryQuery = page.extend({
  alarm: z.string().max(100).optional(),
});

export const alarmQuery = page.extend({
  state: z.enum(alarmSelections).default('open'),
  gateway: id.optional(),
});

export const streamQuery = z.object({
  topics: z
    .string()
    .max(100)
    .default('alarms,gateways')
    .describe('readings, alarms, incidents, cases, commands, gateways'),
});

export const streamBody = z.string().describe('`event:`, `id:` and `data:` (JSON) of each event');

export const removed = z.object({ removed: z.boolean() });

export const created = z.object({ secret: z.string().describe('shown once, not kept') });

/** A list and the cursor of its next page. */
export function listOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), next: z.string().nullable() });
}
