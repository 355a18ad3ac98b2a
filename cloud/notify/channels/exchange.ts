// One request and its answer, as every channel over HTTP makes it: within a time, of bounded size,
// never redirected, and with nothing of the address, its keys or its headers in what goes wrong.
import type { Clock } from '../../../core/clock.ts';
import type { Outcome } from '../notifier.ts';

export const EXCHANGE_TIMEOUT_MS = 10_000;
/** What a receiver may ask us to wait; beyond, the pipeline's own limit holds. */
export const RETRY_AFTER_MAX_MS = 3_600_000;
/** An answer is a few hundred bytes; more is not read. */
export const ANSWER_BYTES_MAX = 64 * 1024;
/** Of what a provider says in words so much goes into the ledger. */
const SAID_SIGNS_MAX = 120;

/** What comes of a message that was not taken. */
export type NotSent = Exclude<Outcome, { readonly kind: 'sent' }>;

export interface Request {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Answer {
  readonly status: number;
  /** What the other side asks us to wait; null where it says nothing. */
  readonly retryAfterMs: number | null;
  /** Null where it was too long, or ended early. */
  readonly text: string | null;
}

export interface Wire {
  readonly clock: Clock;
  readonly fetcher: typeof fetch;
  readonly timeoutMs: number;
}

/** The answer, or why there was none in a word. */
export async function exchange(
  { clock, fetcher, timeoutMs }: Wire,
  { url, ...request }: Request,
  signal: AbortSignal,
): Promise<Answer | string> {
  if (signal.aborted) return 'aborted';
  const timeout = new AbortController();
  const cancel = clock.after(timeoutMs, () => timeout.abort());
  const either = AbortSignal.any([signal, timeout.signal]);
  try {
    const response = await fetcher(url, { ...request, redirect: 'manual', signal: either });
    const { status, headers } = response;
    return { status, retryAfterMs: retryAfter(headers), text: await boundedText(response) };
  } catch (error) {
    if (signal.aborted) return 'aborted';
    return timeout.signal.aborted ? 'timeout' : reasonOf(error);
  } finally {
    cancel();
    timeout.abort(); // Ends a body that nobody read to its end.
  }
}

function retryAfter(headers: Headers): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (!Number.isFinite(seconds) || seconds < 0) return null;
  return Math.min(seconds * 1000, RETRY_AFTER_MAX_MS);
}

async function boundedText(response: Response): Promise<string | null> {
  if (!response.body) return null;
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of response.body) {
      bytes += part.length;
      if (bytes > ANSWER_BYTES_MAX) return null;
      parts.push(part);
    }
  } catch (error) {
    // The status has come, and counts. What was to follow is not known.
    if (error instanceof Error) return null;
    throw error;
  }
  return Buffer.concat(parts).toString('utf8');
}

// The reason in a word: the code of the socket's error where there is one (ECONNREFUSED ...).
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const cause = error.cause as { readonly code?: unknown } | undefined;
  return typeof cause?.code === 'string' ? cause.code : error.name;
}

/** The JSON that an answer is; undefined for what is none. */
export function jsonOf(text: string | null): unknown {
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * What comes of a status that says nothing of the message itself: throttled, moved, broken. Null
 * for 2xx, where the answer decides.
 */
export function outcomeOfStatus({ status, retryAfterMs }: Answer): NotSent | null {
  if (status >= 200 && status < 300) return null;
  if (status === 429) {
    return { kind: 'retry', why: 'http 429', afterMs: retryAfterMs, isReceiverBusy: true };
  }
  // Whoever controls a redirect would control where alarms go.
  if (status >= 300 && status < 400) {
    return { kind: 'give-up', why: `redirect refused (http ${status})`, isReceiverGone: false };
  }
  return { kind: 'retry', why: `http ${status}`, afterMs: retryAfterMs };
}

/** Foreign words for the ledger: on one line, cut, and without what is secret. */
export function said(words: unknown, secrets: readonly string[]): string {
  if (typeof words !== 'string' && typeof words !== 'number') return '';
  let text = String(words);
  for (const secret of secrets) {
    if (secret === '') continue;
    text = text.replaceAll(secret, '***').replaceAll(encodeURIComponent(secret), '***');
  }
  text = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return text.length > SAID_SIGNS_MAX ? `${text.slice(0, SAID_SIGNS_MAX)}…` : text;
}
