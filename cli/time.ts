// Times on the command line: typed as RFC 3339 or how long ago, shown where the reader is.
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

/**
 * `2026-01-31 08:00:00+08:00`: the time where the reader is (`TZ`), so that nobody has to ask which
 * time it is. Programs read UTC in `--json`.
 */
export function localTime(at: string | number): string {
  const date = new Date(at);
  const offsetMin = -date.getTimezoneOffset();
  const there = new Date(date.getTime() + offsetMin * 60_000).toISOString();
  const ahead = Math.abs(offsetMin);
  const two = (count: number) => String(Math.floor(count)).padStart(2, '0');
  const offset = `${offsetMin < 0 ? '-' : '+'}${two(ahead / 60)}:${two(ahead % 60)}`;
  return `${there.slice(0, 19).replace('T', ' ')}${offset}`;
}
