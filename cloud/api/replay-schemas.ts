import { z } from 'zod';

const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });

export const replayBody = z.object({
  rules: z
    .string()
    .max(512 * 1024)
    .describe('a rule file, YAML or JSON'),
  file: z.string().max(400).default('rules').describe('its name, for findings'),
  from: instant,
  to: instant.describe('not included; at most 400 days after `from`'),
});

const finding = z.object({
  code: z.string(),
  file: z.string(),
  path: z.array(z.union([z.string(), z.number()])),
  place: z.object({ line: z.number(), column: z.number() }).nullable(),
  message: bilingual,
  help: bilingual.nullable(),
  severity: z.enum(['error', 'warning']),
});

const replayedAlarm = z.object({
  began: instant,
  raised: instant,
  cleared: instant.nullable().describe('null: still on at the end'),
  peak: z.number().nullable().describe('the most extreme signal of it'),
});

const alarms = z.array(replayedAlarm).describe('oldest first, the first 200');

const replayed = z.object({
  count: z.number().int().describe('raised within the span'),
  share: z.number().describe('part of the span in which it was on'),
  alarms,
});

const named = { point: z.string(), rule: z.string() } as const;

export const replayAnswer = z.object({
  findings: z.array(finding).describe('what is wrong with the file: with an error nothing is run'),
  beyond: z.number().int().describe('findings that are not listed'),
  from: instant,
  to: instant,
  rules: z.array(
    z.object({
      ...named,
      kind: z.string(),
      level: z.number().int(),
      changed: replayed,
      present: replayed.nullable().describe('the rule of this name in force; null: there is none'),
      raised: z.number().int().describe('alarms of this name that were raised in the span'),
      added: alarms.describe('of the changed rule, while none of the present one was on'),
      added_count: z.number().int(),
      gone: alarms.describe('of the present rule, while none of the changed one was on'),
      gone_count: z.number().int(),
    }),
  ),
  left: z.array(z.object({ ...named, why: z.enum(['comparison', 'too-much']) })),
  steps: z.number().int(),
  unreadable: z.boolean().describe('a part of the stored data could not be read'),
});
