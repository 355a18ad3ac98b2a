import { z } from 'zod';
import { valueObject } from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });

export const explanation = z.object({
  id: z.string(),
  point: z.string(),
  title: bilingual,
  rule: z.object({
    id: z.string(),
    version: z.number().int(),
    author: z.string().nullable(),
    approver: z.string().nullable(),
    reason: z.string().nullable(),
    decided: instant.nullable(),
    definition: z.unknown().describe('the rule as it was evaluated; null where it is not kept'),
    text: z.array(bilingual),
  }),
  steps: z
    .array(
      z.object({
        at: instant,
        kind: z
          .string()
          .describe('a stable word: explain-beyond, explain-held, explain-raised, ...'),
        text: bilingual,
      }),
    )
    .describe('by time'),
  notes: z.array(bilingual).describe('what is so now'),
  samples: z
    .array(valueObject.extend({ decisive: z.boolean() }))
    .describe('at most 40, with those that made a step'),
  left_out: z.number().int().describe('samples of the time that are not shown'),
  unreadable: z.boolean().describe('a part of the stored data cannot be read'),
});
