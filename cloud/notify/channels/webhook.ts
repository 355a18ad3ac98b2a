// Standard Webhooks 1.0 (standardwebhooks.com, github standard-webhooks/standard-webhooks):
// `webhook-id`, `webhook-timestamp`, `webhook-signature`; the signed text is `id.timestamp.body`,
// the key is the base64 behind `whsec_`. One call is one request:
//   2xx        sent; `{"confirmed": "<webhook-id>"}` in the answer says that it was seen, and by
//              whom if it has `by`. Any other answer is only accepted;
//   410        the receiver wants no more, ever;
//   3xx        given up: whoever controls a redirect would control where alarms go;
//   all else   to be tried again: a person may yet mend it, and an alarm is worth days of trying.
// A heartbeat is an event of type `heartbeat`, signed alike: `data.every_seconds` is when the next
// one comes at the latest, and any 2xx answers it.
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Clock } from '../../../core/clock.ts';
import { Fault } from '../../../core/fault.ts';
import { secretForm } from '../../../core/schema.ts';
import type { Delivery, Notifier, Outcome } from '../notifier.ts';
import { eventOf } from '../notifier.ts';
import { channelKind, receiverCommon } from './channel.ts';
import type { Answer, Request } from './exchange.ts';
import { EXCHANGE_TIMEOUT_MS, exchange, jsonOf, outcomeOfStatus } from './exchange.ts';

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
    webhook(fetcher, clock, { receiver: id, url, secret, timeoutMs: EXCHANGE_TIMEOUT_MS }),
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
  const wire = { clock, fetcher, timeoutMs };
  return {
    confirms: true,
    send: async ({ deliveries: [delivery] }, signal) => {
      const answer = await exchange(wire, request(clock, key, url, delivery), signal);
      if (typeof answer === 'string') return { kind: 'retry', why: answer, afterMs: null };
      return outcomeOf(answer, delivery, receiver);
    },
    beat: async ({ id, atMs, everyMs }, signal) => {
      const event = {
        type: 'heartbeat',
        timestamp: new Date(atMs).toISOString(),
        data: { every_seconds: everyMs / 1_000 },
      };
      const answer = await exchange(wire, signed(clock, key, url, id, event), signal);
      if (typeof answer === 'string') return answer;
      return answer.status >= 200 && answer.status < 300 ? null : `http ${answer.status}`;
    },
  };
}

function request(clock: Clock, key: Uint8Array, url: URL, delivery: Delivery): Request {
  return signed(clock, key, url, delivery.id, eventOf(delivery));
}

function signed(clock: Clock, key: Uint8Array, url: URL, id: string, event: unknown): Request {
  const body = JSON.stringify(event);
  const timestampS = Math.floor(clock.wallMs() / 1000);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'lifeline',
    'webhook-id': id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': sign(key, id, timestampS, body),
  };
  return { url, method: 'POST', headers, body };
}

function outcomeOf(answer: Answer, delivery: Delivery, receiver: string): Outcome {
  if (answer.status === 410) return { kind: 'give-up', why: 'http 410', isReceiverGone: true };
  const confirmedBy = () => confirmation(answer.text, delivery.id, receiver);
  return outcomeOfStatus(answer) ?? { kind: 'sent', confirmedBy: confirmedBy() };
}

// Who confirmed, or null: only this id counts, and an answer that is no JSON or ends early is no
// confirmation.
function confirmation(text: string | null, id: string, receiver: string): string | null {
  const answer = jsonOf(text);
  if (typeof answer !== 'object' || answer === null) return null;
  const { confirmed, by } = answer as Readonly<Record<string, unknown>>;
  if (confirmed !== id) return null;
  return typeof by === 'string' && by !== '' ? by.slice(0, NAME_LENGTH_MAX) : receiver;
}
