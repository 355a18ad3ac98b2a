// A site's own words for its messages: a title and a text in both languages with {fields} of the
// alarm. Everything that can be known of them is checked when the file is read; what cannot (an
// alarm without a limit, a template that names it) is found when it is filled in, and then the
// built-in words go out.
import { z } from 'zod';
import type { Path, Problems } from '../../core/problems.ts';
import { didYouMean } from '../../core/problems.ts';
import { idForm } from '../../core/schema.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Notified } from '../alarms/tables.ts';
import { notified } from '../alarms/tables.ts';
import type { MessageLanguage, ReceiverSettings } from './channels/channel.ts';

export const TEMPLATES_MAX = 100;

/** What a template may name. */
export const templateFields = [
  ...(['mark', 'level', 'title', 'transition', 'name', 'asset', 'point', 'area'] as const),
  ...(['gateway', 'value', 'limit', 'began', 'raised', 'cleared', 'action', 'cause'] as const),
  ...(['consequence', 'basis', 'id'] as const),
] as const;
export type TemplateField = (typeof templateFields)[number];

/** How a receiver is spoken to. */
export interface Wording {
  readonly language: MessageLanguage;
  /** Local time less UTC. */
  readonly utcOffsetMs: number;
  /** Of the site, for this receiver; the first that fits a delivery is used. */
  readonly templates: readonly Template[];
}

/** As the ground has it, where the receiver says nothing of its own. */
export function wordingOf(ground: Wording, settings: ReceiverSettings): Wording {
  const { id, kind, language = ground.language } = settings;
  const templates = ground.templates.filter(
    ({ receivers }) => receivers.length === 0 || receivers.some((it) => it === id || it === kind),
  );
  return { ...ground, language, templates };
}

const wordsForm = (most: number) =>
  z.strictObject({ en: z.string().min(1).max(most), zh: z.string().min(1).max(most) });

export const templateForm = z
  .strictObject({
    for: z.array(idForm).max(100).optional().describe('receivers or kinds; all where left out'),
    when: z
      .array(z.enum(notified))
      .max(notified.length)
      .optional()
      .describe('what is told; all where left out'),
    title: wordsForm(200),
    text: wordsForm(4_000),
  })
  .describe('own words of messages, with {fields}; the first that fits is used');

export interface Template {
  /** Ids of receivers and kinds; empty: all. */
  readonly receivers: readonly string[];
  readonly on: readonly Notified[];
  readonly title: Bilingual;
  readonly text: Bilingual;
}

const FIELD = /\{([^{}]*)\}/g;

/** `known`: ids and kinds of receivers. */
export function readTemplates(
  sources: readonly z.output<typeof templateForm>[],
  path: Path,
  problems: Problems,
  known: ReadonlySet<string>,
): Template[] {
  const fields: readonly string[] = templateFields;
  return sources.map((source, at) => {
    const { for: receivers = [], when: on = [], title, text } = source;
    receivers.forEach((id, place) => {
      if (known.has(id)) return;
      problems.add([...path, at, 'for', place], 'unknown-receiver', { id });
    });
    for (const [part, words] of Object.entries({ title, text })) {
      for (const language of ['en', 'zh'] as const) {
        for (const [, field = ''] of words[language].matchAll(FIELD)) {
          if (fields.includes(field)) continue;
          const place = [...path, at, part, language];
          const meant = didYouMean(field, fields) ?? fields.join(', ');
          problems.add(place, 'template-field', { field, meant });
        }
      }
    }
    return { receivers, on, title, text };
  });
}

export function templateFor(
  templates: readonly Template[],
  transition: Notified,
): Template | undefined {
  return templates.find(({ on }) => on.length === 0 || on.includes(transition));
}

/** `missing`: the first field that the text names and that is not there; null where it is whole. */
export function fillTemplate(
  text: string,
  fields: Readonly<Record<string, string | null>>,
): { readonly text: string; readonly missing: string | null } {
  let missing: string | null = null;
  const filled = text.replaceAll(FIELD, (_, field: string) => {
    const value = Object.hasOwn(fields, field) ? fields[field]! : null;
    if (value === null) missing ??= field;
    return value ?? '';
  });
  return { text: filled, missing };
}
