// What goes in and out of the API about commands.
import { z } from 'zod';
import { commandReasons, commandRights, outcomes } from '../../core/command.ts';
import { COMMAND_ID, commandStates } from '../commands/command.ts';
import { page } from './schemas.ts';

const id = z.string().regex(/^[a-z0-9-]{1,64}$/);
const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
const value = z
  .union([z.number(), z.boolean(), z.string().max(255), z.null()])
  .describe('number, boolean, text or null; whole numbers beyond 2^53 as text');
const commandId = z.string().regex(COMMAND_ID).describe('128 random bits in hexadecimal digits');

export const wish = z.object({
  id: commandId
    .optional()
    .describe('drawn by the caller: the same call again is the same command, never a second'),
  gateway: id,
  device: id,
  point: id,
  command: id.default('set').describe('of the offers of the point; set writes the value'),
  value: value.default(null).describe('null where the command has one of its own'),
  why: z.string().trim().min(1).max(300).describe('for the record'),
  time_to_live_ms: z
    .number()
    .int()
    .min(1)
    .max(24 * 3_600_000)
    .optional()
    .describe('how long it is worth doing; as its offer says where left out'),
});

const settlement = z.object({
  outcome: z.enum(outcomes),
  reason: z.enum(commandReasons),
  text: bilingual.describe('what the reason means'),
  advice: bilingual.describe('what to do now'),
  detail: z.string().describe('an interlock, a fault code; may be empty'),
  read_back: value.describe('what the point showed afterwards; null where it was not read'),
  by: z.string().describe('its gateway; who withdrew it; the cloud where no word came'),
  at: instant.describe('when the cloud had it'),
  happened: instant.nullable().describe('by the clock of the gateway; null where nobody can tell'),
});

export const command = z.object({
  id: z.string(),
  number: z.number().int(),
  gateway: id,
  device: id,
  point: id,
  command: id,
  name: bilingual.describe('of the point'),
  title: bilingual.describe('of the command'),
  asset: z.string().nullable(),
  value,
  unit: z.string(),
  right: z.enum(commandRights),
  why: z.string(),
  by: z.string().describe('`gateway:NAME` where it was commanded at the gateway itself'),
  from: z.string(),
  second: z.string().nullable().describe('who released it'),
  state: z.enum(commandStates),
  asked: instant,
  lapses: instant.nullable().describe('by when the second person is to release it'),
  issued: instant.nullable(),
  epoch: z.string().nullable(),
  sequence: z.number().int().nullable().describe('the newest received when it was issued'),
  time_to_live_ms: z.number(),
  settled: settlement.nullable().describe('its one outcome'),
  late: settlement.nullable().describe('what its gateway said afterwards, where that differs'),
  approval: z.number().int().nullable().describe('under which number it waits'),
});

export const offer = z.object({
  gateway: id,
  device: id,
  point: id,
  command: id,
  name: bilingual,
  title: bilingual,
  asset: z.string().nullable(),
  unit: z.string(),
  value: value.describe('what it always writes; null: whoever commands gives one'),
  range: z.object({ low: z.number(), high: z.number() }).nullable(),
  states: z
    .array(z.union([z.number(), z.boolean()]))
    .nullable()
    .describe('the only values'),
  wanted: bilingual.nullable().describe('which value, in words; null where none is'),
  right: z.enum(commandRights),
  allowed: z.boolean().describe('whether the token has that right'),
  two_people: z.boolean(),
  every_ms: z.number(),
  time_to_live_ms: z.number(),
  revert: z
    .object({ after_ms: z.number(), value })
    .nullable()
    .describe('written back when the gateway does not hear the cloud for so long'),
});

export const commandQuery = page.extend({
  gateway: id.optional(),
  device: id.optional(),
  point: id.optional(),
  state: z.enum(['open', 'all', ...commandStates]).default('all'),
});

export const offerQuery = page.extend({ gateway: id.optional(), device: id.optional() });

export const params = z.object({ id: z.string().min(1).max(100) });
