// What goes in and out of the API about warnings.
import { z } from 'zod';
import { alarmLevels } from '../../core/alarm/rule.ts';
import {
  categories,
  certainties,
  messageTypes,
  responseTypes,
  statuses,
  warningStates,
} from '../warnings/warning.ts';
import { approval, page } from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
const level = z.union(alarmLevels.map((each) => z.literal(each)));
const id = z.string().min(1).max(40).describe('wrn-7');

export const params = z.object({ id });
export const document = z.string().describe('the bytes of the file');
export const documentQuery = z.object({
  message: z
    .union([z.literal('draft'), z.coerce.number().int().min(1)])
    .optional()
    .describe('of its messages, from 1; draft; default the newest that has left, else the draft'),
});
export const warningQuery = page.extend({
  state: z.enum(['open', 'all', ...warningStates]).default('open'),
});

/** Nothing but blanks says nothing. */
const said = (max: number) => {
  const one = z.string().trim().min(1).max(max);
  return z.object({ en: one, zh: one });
};
const wording = {
  level: level.optional().describe('default the level of the alarm'),
  event: said(120).optional(),
  headline: said(160).optional(),
  description: said(4_000).optional(),
  instruction: said(4_000).optional().describe('default the action of the response sheet'),
  place: said(300).optional(),
  responses: z.array(z.enum(responseTypes)).min(1).max(8).optional(),
};

export const wish = z.object({
  alarm: z.string().min(1).max(300).optional().describe('its occurrence'),
  case: z.string().min(1).max(20).optional().describe('its worst alarm'),
  ...wording,
});
export const revision = z.object({
  type: z.enum(messageTypes).optional().describe('default Alert while none has left, then Update'),
  note: said(1_000).optional().describe('why: stands in the message'),
  ...wording,
});
export const release = z.object({ reason: z.string().trim().max(300).default('') });
export const drop = z.object({ reason: z.string().trim().min(1).max(300) });
export const receipt = z.object({
  message: z.number().int().min(1),
  receiver: z.string().trim().min(1).max(200),
  state: z
    .union([z.literal(0), z.literal(1), z.literal(2)])
    .describe('BrdStateCode: 0 failed, 1 playing, 2 finished'),
  note: z.string().trim().max(300).default(''),
});

const content = z.object({
  level,
  categories: z.array(z.enum(categories)),
  event: bilingual,
  responses: z.array(z.enum(responseTypes)),
  certainty: z.enum(certainties),
  headline: bilingual,
  description: bilingual,
  instruction: bilingual.nullable(),
  parameters: z.array(z.object({ name: z.string(), value: z.string() })),
  place: bilingual,
  circle: z
    .object({ latitude: z.number(), longitude: z.number(), radius_km: z.number() })
    .nullable()
    .describe('WGS-84'),
  polygon: z.array(z.object({ latitude: z.number(), longitude: z.number() })).nullable(),
  geocodes: z.array(z.object({ name: z.string(), value: z.string() })),
  onset: instant.nullable(),
});

const draft = z.object({
  type: z.enum(messageTypes),
  by: z.string().describe('`lifeline` where the machine drafted it'),
  at: instant,
  alarm: z.string(),
  note: bilingual.nullable(),
  content,
});

export const warning = z.object({
  id,
  number: z.number().int(),
  revision: z.number().int().describe('for If-Match'),
  state: z.enum(warningStates),
  in_force: z.boolean(),
  status: z.enum(statuses).describe('Exercise: a drill; Test: its device was tested'),
  key: z.string(),
  area: z.string(),
  asset: z.string().nullable(),
  level,
  alarms: z.array(z.string()),
  headline: bilingual.describe('of the draft, else of the newest message'),
  draft: draft.nullable().describe('what leaves next, when two people have released it'),
  waiting: approval.nullable().describe('one person has asked: a second is to release it'),
  messages: z.number().int().describe('that have left'),
  expires: instant.nullable(),
  changed: z.object({ by: z.string(), at: instant }),
});

const message = z.object({
  message: z.number().int(),
  type: z.enum(messageTypes),
  status: z.enum(statuses),
  identifier: z.string(),
  sender: z.string(),
  sent: instant,
  expires: instant,
  references: z.array(z.string()),
  drafted_by: z.string(),
  released_by: z.tuple([z.string(), z.string()]).describe('who asked, who released'),
  content,
  broadcast: z
    .object({
      ebd: z.string(),
      ebm: z.string(),
      signed_by: z.string().nullable().describe('null: unsigned, and no platform takes it'),
    })
    .nullable()
    .describe('the package of emergency broadcasting'),
  national: z
    .record(z.string(), z.unknown())
    .nullable()
    .describe('the same in the values of the national early-warning system'),
  receipts: z.array(
    z.object({
      receiver: z.string(),
      state: z.number().int(),
      note: z.string(),
      by: z.string(),
      at: instant,
    }),
  ),
});

export const whole = warning.extend({ told: z.array(message).describe('what has left') });
export const noted = z.object({ noted: z.boolean().describe('false: it was known') });
