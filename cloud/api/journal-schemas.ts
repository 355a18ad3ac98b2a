import { z } from 'zod';
import { flawKinds } from '../alarms/chain.ts';
import { page } from './schemas.ts';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');

export const journalEntry = z.object({
  seq: z.number().int(),
  at: instant,
  at_ms: z.number().describe('the same in milliseconds since 1970: what the hash is taken over'),
  kind: z.string(),
  who: z.string(),
  from: z.string().describe('address of the caller, gateway NAME, console, or cloud'),
  what: z.string(),
  before: z.unknown(),
  after: z.unknown(),
  hash: z.string().describe('SHA-256 over the hash before and all fields; docs/journal.md'),
});

export const journalQuery = page.extend({
  alarm: z.string().max(100).optional(),
  what: z.string().max(400).optional().describe('occurrence, series key/rule, gateway NAME, ...'),
  who: z.string().max(200).optional(),
  kind: z.string().max(100).optional(),
  from: instant.optional(),
  to: instant.optional(),
  order: z.enum(['oldest', 'newest']).default('oldest'),
});

export const journalParams = z.object({ seq: z.coerce.number().int().min(1) });

const head = z.object({ seq: z.number().int(), hash: z.string() }).nullable();

export const journalHead = z.object({ head });

export const verifyQuery = z.object({
  head: z
    .string()
    .regex(/^\d{1,15}:[0-9a-f]{64}$/)
    .optional()
    .describe('SEQ:HASH as `head` gave it earlier'),
});

export const journalVerdict = z.object({
  sound: z.boolean(),
  entries: z.number().int(),
  heads: z.number().int().describe('noted heads that were compared'),
  head,
  flaws: z
    .array(
      z.object({
        kind: z.enum(flawKinds),
        seq: z.number(),
        through: z.number().describe('the last entry concerned'),
      }),
    )
    .describe('by place; the first 20'),
  beyond: z.number().int().describe('flaws that are not listed'),
});
