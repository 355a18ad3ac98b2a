// What a decision changes in a rule, in the words of a rule file: for the person who is about to
// decide, and for the second one. Pure.
import type { Bilingual } from '../text/text.ts';
import type { Rule } from './rule-form.ts';
import { defaultsOf, sourceOf } from './rule-form.ts';

export interface FieldChange {
  /** A word of the rule form; of the sheet `sheet.cause` and so on. */
  readonly field: string;
  /** Null where the rule does not say it, or there was no rule. */
  readonly before: unknown;
  readonly after: unknown;
  /** Whether it is nobody's decision but what is customary. */
  readonly wasDefault: boolean;
  readonly isDefault: boolean;
}

/** Field by field, in the order of the form; of a new rule all it says. */
export function changesOf(before: Rule | null, after: Rule): readonly FieldChange[] {
  const [old, now] = [before ? fieldsOf(before) : new Map(), fieldsOf(after)];
  const [wasDefaults, defaults] = [before ? defaultsOf(before) : {}, defaultsOf(after)];
  return [...new Set([...now.keys(), ...old.keys()])].flatMap((field) => {
    const change = {
      ...{ field, before: old.get(field) ?? null, after: now.get(field) ?? null },
      wasDefault: field in wasDefaults,
      isDefault: field in defaults,
    };
    const isSame = JSON.stringify(change.before) === JSON.stringify(change.after);
    return isSame && change.wasDefault === change.isDefault ? [] : [change];
  });
}

const optional = ['basis', 'latching', 'self_acknowledging', 're_alarm'];

/** What the rule in force says to people, or how it behaves, that the new one leaves out. */
export function lostOf(before: Rule, after: Rule): readonly string[] {
  return changesOf(before, after)
    .filter(({ field, after: now }) => now === null && isOptional(field))
    .map(({ field }) => field);
}

function isOptional(field: string): boolean {
  return field.startsWith('sheet.') || optional.includes(field);
}

function fieldsOf(rule: Rule): Map<string, unknown> {
  // With nothing marked as a default all of it is said.
  const { id: _, sheet = {}, ...rest } = sourceOf({ ...rule, defaults: [] });
  const texts: Record<string, Bilingual | string | undefined> = sheet;
  return new Map<string, unknown>([
    ...Object.entries(rest),
    ...Object.entries(texts).map(([word, text]) => [`sheet.${word}`, text] as const),
  ]);
}
