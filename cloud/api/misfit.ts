// What of a call does not fit, a sentence an issue of the schemas, in the language of the reader.
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';

/** As the validator tells it: the code of zod's issue, where it is, and what belongs to the code. */
export interface Misfit {
  readonly keyword?: string;
  /** `/minutes`, `/rules/3/limit`; `/` is the whole. */
  readonly instancePath?: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** `minutes: at most 480`. What is shown of the schema is bounded by the schema. */
export function misfitText({ keyword, instancePath, params = {} }: Misfit): Bilingual {
  const path = (instancePath ?? '').slice(1).replaceAll('/', '.') || '-';
  const { origin } = params;
  const kind = origin === 'string' ? 'signs' : origin === 'array' ? 'entries' : 'number';
  switch (keyword) {
    case 'too_big':
      return bilingual(`api-most-${kind}`, { path, limit: String(params['maximum']) });
    case 'too_small':
      return bilingual(`api-least-${kind}`, { path, limit: String(params['minimum']) });
    case 'invalid_value':
      return bilingual('api-one-of', { path, known: listed(params['values']) });
    case 'invalid_type':
      return typeText(path, String(params['expected']));
    case 'invalid_format':
      return formatText(path, String(params['format']), String(params['pattern'] ?? ''));
    case 'unrecognized_keys':
      return bilingual('api-unknown-keys', { keys: listed(params['keys']) });
    default:
      return bilingual('api-unfit', { path });
  }
}

const listed = (values: unknown) => (Array.isArray(values) ? values.join(', ').slice(0, 500) : '-');

const types = ['number', 'int', 'string', 'boolean', 'array', 'object'] as const;

function typeText(path: string, expected: string): Bilingual {
  const type = types.find((each) => each === expected);
  return type ? bilingual(`api-type-${type}`, { path }) : bilingual('api-unfit', { path });
}

function formatText(path: string, format: string, pattern: string): Bilingual {
  if (format === 'datetime' || format === 'date') return bilingual(`api-form-${format}`, { path });
  return bilingual('api-form', { path, form: format === 'regex' ? pattern : format });
}
