// Times on the command line: RFC 3339, or how long ago.
import { parseDuration } from '../core/duration.ts';
import { bilingual } from '../core/text/text.ts';
import { UsageError } from './verb.ts';

/** Milliseconds since 1970 of `2026-01-31T08:00:00Z`, `2026-01-31`, `-2h`, `now`. */
export function timeOf(option: string, text: string, nowMs: number): number {
  const agoMs = text.startsWith('-') ? parseDuration(text.slice(1)) : undefined;
  if (agoMs !== undefined) return nowMs - agoMs;
  if (text === 'now') return nowMs;
  const isDate = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const ms = isDate ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new UsageError(bilingual('journal-bad-time', { option, found: text }));
  return ms;
}
