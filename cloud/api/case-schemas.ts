// What goes in and out of the API about cases.
import { z } from 'zod';
import { alarmLevels } from '../../core/alarm/rule.ts';
import { caseStates, openStates } from '../cases/case.ts';
import { caseEntryKinds } from '../cases/tables.ts';
import { approval, page } from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
const text = z.string().max(2_000);
const name = z.string().max(200);
const number = z.string().min(1).max(20).describe('by year: 2026-0001');

export const params = z.object({ id: number });
export const fileParams = params.extend({ file: z.coerce.number().int().min(1) });

export const caseQuery = page.extend({
  state: z.enum(['open', 'ended', 'all', ...caseStates]).default('open'),
  owner: name.optional(),
  level: z.coerce.number().int().min(1).max(4).optional(),
  overdue: z.enum(['true', 'false']).optional().describe('true: only those whose step is overdue'),
});

const step = z.object({
  state: z.enum(openStates),
  entered: instant,
  by: z.string().describe('who brought it here'),
  from: z.string(),
  owner: z.string().nullable(),
  department: z.string(),
  due: instant,
  left: instant.nullable(),
  left_by: z.string().nullable(),
  escalation: z.number().int().describe('how often this step was told down the chain'),
});

export const caseObject = z.object({
  id: number,
  number: z.number().int(),
  revision: z.number().int().describe('for If-Match: rises with each decision, not with notes'),
  changed: z.object({ by: z.string(), at: instant }),
  state: z.enum(caseStates),
  level: z.union(alarmLevels.map((level) => z.literal(level))),
  title: bilingual,
  name: bilingual,
  area: z.string(),
  gateway: z.string(),
  asset: z.string().nullable(),
  owner: z.string().nullable(),
  department: z.string(),
  opened: instant,
  due: instant.nullable().describe('of the present step; null when it has ended'),
  overdue: z.boolean(),
  escalation: z.number().int(),
  ended: instant.nullable(),
  reason: z.string().nullable(),
  merged_into: number.nullable(),
  alarms: z.number().int(),
  active: z.number().int().describe('of its alarms, active now: ending it takes two people'),
  waiting: approval.nullable().describe('an ending that waits for a second person'),
});

const file = z.object({
  id: z.number().int(),
  name: z.string(),
  type: z.string(),
  bytes: z.number().int(),
  sha256: z.string(),
  by: z.string(),
  from: z.string(),
  at: instant,
});

export const wholeCase = caseObject.extend({
  steps: z.array(step),
  members: z
    .array(
      z.object({
        ...{ alarm: z.string(), joined: instant, raised: instant, ended: instant.nullable() },
        state: z.string().nullable().describe('ISA-18.2 letter; null where it is kept no longer'),
        level: z.union(alarmLevels.map((level) => z.literal(level))).nullable(),
        title: bilingual.nullable(),
        value: z.number().nullable().describe('when it was raised'),
        limit: z.number().nullable(),
        unit: z.string().describe('UCUM'),
        acknowledged_by: z.string().nullable(),
      }),
    )
    .describe('its newest alarms, the oldest of them first'),
  log: z.array(
    z.object({
      seq: z.number().int(),
      at: instant,
      kind: z.enum(caseEntryKinds),
      by: z.string(),
      from: z.string(),
      text: z.string(),
      detail: z.record(z.string(), z.string()),
    }),
  ),
  files: z.array(file),
});

export const attached = file;

export const noted = z.object({ note: text.default('') });
export const note = z.object({ note: text.min(1) });
export const dispatch = z.object({ crew: name.min(1), note: text.default('') });
export const close = z.object({ reason: text.min(1) });
export const falseAlarm = z.object({
  reason: text.min(1),
  as: z.enum(['false-alarm', 'test', 'drill']).default('false-alarm'),
});
export const assign = z.object({
  owner: name.optional(),
  department: name.optional(),
  note: text.default(''),
});
export const merge = z.object({ into: number, note: text.default('') });

export const upload = z.object({
  name: z.string().min(1).max(300).describe('shown; its folders are left out'),
  sha256: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/)
    .optional()
    .describe('refused when what arrives has another'),
});

export const exportQuery = z.object({
  format: z.enum(['json', 'csv', 'html']).default('json'),
});

export const document = z.string().describe('the bytes of the file');
