// Standard Webhooks 1.0 (standardwebhooks.com, github standard-webhooks/standard-webhooks):
// `webhook-id`, `webhook-timestamp`, `webhook-signature`; the signed text is `id.timestamp.body`,
// the key is the base64 behind `whsec_`. One call is one request:
//   2xx        sent; `{"confirmed": "<webhook-id>"}` in the answer says that it was seen, and by
//              whom if it has `by`. Any other answer is only accepted;
//   410        the receiver wants no more, ever;
//   3xx        given up: whoever controls a redirect would control where alarms go;
//   all else   to be tried again: a person may yet mend it, and an alarm is worth days of trying.
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { Fault } from '../../../core/fault.ts';
import { secretForm } from '../../../core/schema.ts';
import type { Delivery, Notifier, Outcome } from '../notifier.ts';
import { eventOf } from '../notifier.ts';
import { channelKind, receiverCommon } from './channel.ts';

export const WEBHOOK_TIMEOUT_MS = 10_000;
/** What a receiver may ask us to wait; beyond, the pipeline's own limit holds. */
export const RETRY_AFTER_MAX_MS = 3_600_000;
/** An answer says `confirmed` and little else; more is not read. */
export const ANSWER_BYTES_MAX = 64 * 1024;
const NAME_LENGTH_MAX = 200;

export const webhookKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    kind: z.literal('webhook'),
    url: z.string().max(2_000),
    secret: secretForm.describe('whsec_ and the base64 of 24 to 64 random bytes'),
  }),
  check: ({ url, secret }, path, problems) => {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      problems.add([...path, 'url'], 'not-a-webhook-url', { found: url });
    }
    if (secret !== '' && !/^whsec_[A-Za-z0-9+/=]{32,}$/.test(secret)) {
      problems.add([...path, 'secret'], 'not-a-webhook-secret', {});
    }
  },
  open: ({ fetcher, clock }, { id, url, secret }) =>
    webhook(fetcher, clock, { receiver: id, url, secret, timeoutMs: WEBHOOK_TIMEOUT_MS }),
});

export interface WebhookOptions {
  readonly receiver: string;
  readonly url: string;
  /** `whsec_` and the base64 of 24 to 64 random bytes. */
  readonly secret: string;
  readonly timeoutMs: number;
}

export function sign(key: Uint8Array, id: string, timestampS: number, body: string): string {
  const text = `${id}.${timestampS}.${body}`;
  return `v1,${createHmac('sha256', key).update(text).digest('base64')}`;
}

/**
 * Throws `notify_secret` for what is no key of 24 to 64 bytes; the secret is not in the message.
 */
export function keyOf(receiver: string, secret: string): Uint8Array {
  const [, encoded] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const key = Buffer.from(encoded ?? '', 'base64');
  if (key.length < 24 || key.length > 64) throw new Fault('notify_secret', 'never', receiver);
  return key;
}

/** Throws a Fault for an address that is not http(s) or carries a password. */
export function webhook(fetcher: typeof fetch, clock: Clock, options: WebhookOptions): Notifier {
  const { receiver, timeoutMs } = options;
  const key = keyOf(receiver, options.secret);
  const url = URL.canParse(options.url) ? new URL(options.url) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new Fault('notify_url', 'never', receiver);
  }
  return {
    confirms: true,
    send: async ({ deliveries: [delivery] }, signal) => {
      const timeout = new AbortController();
      const cancel = clock.after(timeoutMs, () => timeout.abort());
      const either = AbortSignal.any([signal, timeout.signal]);
      try {
        const response = await fetcher(url, request(clock, key, delivery, either));
        return await outcomeOf(response, delivery, receiver);
      } catch (error) {
        const why = timeout.signal.aborted ? 'timeout' : reasonOf(error);
        return { kind: 'retry', why, afterMs: null };
      } finally {
        cancel();
        timeout.abort(); // Ends a body that nobody read to its end.
      }
    },
  };
}

function request(clock: Clock, key: Uint8Array, delivery: Delivery, signal: AbortSignal) {
  const body = JSON.stringify(eventOf(delivery));
  const timestampS = Math.floor(clock.wallMs() / 1000);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'lifeline',
    'webhook-id': delivery.id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': sign(key, delivery.id, timestampS, body),
  };
  return { method: 'POST', headers, body, redirect: 'manual', signal } as const;
}

async function outcomeOf(
  response: Response,
  delivery: Delivery,
  receiver: string,
): Promise<Outcome> {
  const { status } = response;
  if (status >= 200 && status < 300) {
    return { kind: 'sent', confirmedBy: await confirmation(response, delivery.id, receiver) };
  }
  if (status === 410) return { kind: 'give-up', why: 'http 410', isReceiverGone: true };
  if (status >= 300 && status < 400) {
    return { kind: 'give-up', why: `redirect refused (http ${status})`, isReceiverGone: false };
  }
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const isAsked = Number.isFinite(seconds) && seconds >= 0;
  const afterMs = isAsked ? Math.min(seconds * 1000, RETRY_AFTER_MAX_MS) : null;
  return { kind: 'retry', why: `http ${status}`, afterMs };
}

// Who confirmed, or null: only this id counts, and an answer that is no JSON or ends early is no
// confirmation.
async function confirmation(
  response: Response,
  id: string,
  receiver: string,
): Promise<string | null> {
  const text = await boundedText(response);
  if (text === null) return null;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (typeof answer !== 'object' || answer === null) return null;
  const { confirmed, by } = answer as Readonly<Record<string, unknown>>;
  if (confirmed !== id) return null;
  return typeof by === 'string' && by !== '' ? by.slice(0, NAME_LENGTH_MAX) : receiver;
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
    // The 2xx has come: it is accepted. What was to follow is not known, so it is not confirmed.
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
