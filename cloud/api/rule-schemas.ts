// What goes in and out of the API about rules.
import { z } from 'zod';
import { ruleForm } from '../../core/alarm/rule-form.ts';
import { pointClasses } from '../../core/reading.ts';
import { approval, page } from './schemas.ts';

const id = z.string().regex(/^[a-z0-9-]{1,64}$/);
const instant = z.iso.datetime({ offset: true }).describe('RFC 3339');
const bilingual = z.object({ en: z.string(), zh: z.string() });
/** Read back as it is: what an older program put in force may have another form. */
const written = z.record(z.string(), z.unknown()).describe('In the words of a rule file');
const reason = z.string().trim().min(1).max(500).describe('Why; it stays with the version');

export const rule = z.object({
  point: z.string(),
  series: z.number().int(),
  id: z.string(),
  name: bilingual,
  asset: z.string().nullable(),
  class: z.enum(pointClasses),
  unit: z.string(),
  rule: written,
  when: bilingual.describe('When it is in alarm, in words'),
  defaults: z
    .record(z.string(), z.union([z.number(), z.string()]))
    .describe('What nobody set and is customary: clear, delay, off_delay'),
  version: z.number().int(),
  revision: z.number().int().describe('The version: what If-Match is compared with'),
  author: z.string(),
  approver: z.string().nullable().describe('The second person, where one was needed'),
  reason: z.string(),
  decided: instant.nullable(),
  retired: z.boolean(),
  proposed: written.nullable().describe('What its gateway proposes and differs; not in force'),
  waiting: z.array(approval).describe('Changes that wait for a second person'),
});

export const ruleVersion = z.object({
  version: z.number().int(),
  rule: written,
  when: bilingual,
  author: z.string(),
  approver: z.string().nullable(),
  reason: z.string(),
  decided: instant.nullable(),
  retired: z.boolean(),
});

export const ruleParams = z.object({ gateway: id, device: id, point: id, rule: id });

export const ruleQuery = page.extend({
  gateway: id.optional(),
  point: z.string().max(200).optional().describe('gateway/device/point'),
  show: z
    .enum(['in-force', 'retired', 'differing', 'all'])
    .default('in-force')
    .describe('differing: those whose gateway proposes something else'),
});

export const ruleDecision = z.object({ rule: ruleForm, reason });
export const ruleReason = z.object({ reason });
export const ruleRevert = z.object({ version: z.number().int().min(1), reason });

/** Below what a body may have, with room for its quoting. */
const FILE_CHARACTERS_MAX = 400_000;
export const ruleFile = z.object({
  text: z.string().max(FILE_CHARACTERS_MAX).describe('A rule file, YAML or JSON'),
  file: z.string().max(300).default('rules.yaml').describe('Its name, for the findings'),
});
export const ruleFileDecision = ruleFile.extend({ reason });

const finding = z.object({
  code: z.string(),
  severity: z.enum(['error', 'warning']),
  path: z.string(),
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
  message: bilingual,
  help: bilingual.nullable(),
});

export const ruleCheck = z.object({
  failed: z.boolean(),
  findings: z.array(finding),
  beyond: z.number().int().describe('Found and not listed'),
  changes: z
    .array(
      z.object({
        point: z.string(),
        id: z.string(),
        outcome: z.enum(['new', 'changed', 'unchanged', 'waits']),
        version: z.number().int().describe('Now in force; 0 for none'),
        approval: z.number().int().nullable().describe('What a second person says yes to'),
        fields: z
          .array(
            z.object({
              field: z.string().describe('A word of the rule form: raise, sheet.action'),
              before: z.unknown().describe('Null where nothing was said'),
              after: z.unknown(),
              wasDefault: z.boolean().describe('Nobody set it: it was what is customary'),
              isDefault: z.boolean(),
            }),
          )
          .describe('What differs from the rule in force; of a new one all it says'),
      }),
    )
    .describe('What setting it does or did; waits: for a second person'),
});
