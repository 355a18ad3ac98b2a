// Mail over SMTP (RFC 5321): a record and a way to people who are not at a desk; nobody is woken by
// it. One connection a message, so that nothing hangs on an old one.
//
//   accepted by the server   sent: that it reached a mailbox, or that anybody read it, nobody says;
//   refused for good (5xx to sender, recipient or content)   given up: the next is told at once;
//   all else (4xx, login refused, no connection, no answer)  tried again: a person may mend it.
//
// Message-ID follows from the deliveries and the receiver, equal on every try: a server or a
// reader that gets a copy twice can tell. Auto-Submitted (RFC 3834) keeps answering machines quiet.
// Nothing in a message is loaded from elsewhere.
import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { z } from 'zod';
import { assert } from '../../../core/fault.ts';
import { isLoopback } from '../../../core/host.ts';
import { secretForm } from '../../../core/schema.ts';
import type { MessageKey } from '../../../core/text/text.ts';
import { BEAT_EVERY_MS } from '../heartbeats.ts';
import { type Message, messageOf, noted } from '../message.ts';
import type { Notice, Notifier, Outcome } from '../notifier.ts';
import { type Wording, wordingOf } from '../wording.ts';
import type { ChannelGround } from './channel.ts';
import { channelKind, receiverCommon } from './channel.ts';
import { EXCHANGE_TIMEOUT_MS, said } from './exchange.ts';

const DIGEST_MAX = 200;
/**
 * Servers begin to refuse a login each few seconds: between looks the last result holds. At the
 * usual interval of heartbeats each is a look, so that one that hangs is known within 20 s.
 */
export const LOOK_EVERY_MS = 9_000;
assert(LOOK_EVERY_MS < BEAT_EVERY_MS, 'no heartbeat at the usual interval tells an old result');
const ADDRESS = /^[^\s<>@",;:]{1,64}@[^\s<>@",;:]{1,253}$/;
const address = z
  .string()
  .max(320)
  .regex(ADDRESS, 'not-an-address' satisfies MessageKey);

export const mailKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    kind: z.literal('mail'),
    host: z.string().min(1).max(253),
    port: z.int().min(1).max(65_535).optional().describe('default 587; 465 with tls: implicit'),
    tls: z
      .enum(['starttls', 'implicit', 'none'])
      .optional()
      .describe('default starttls; none only on this machine'),
    user: z.string().min(1).max(320).optional(),
    password: secretForm.optional(),
    from: address,
    to: z.array(address).min(1).max(50),
  }),
  check: ({ host, tls, user, password }, path, problems) => {
    if (tls === 'none' && !isLoopback(host)) {
      problems.add([...path, 'tls'], 'mail-without-tls', { host });
    }
    if ((user === undefined) !== (password === undefined)) {
      problems.add([...path, user === undefined ? 'password' : 'user'], 'mail-login-half', {});
    }
  },
  open: (ground, settings) =>
    mail(ground, {
      ...settings,
      wording: wordingOf(ground.wording, settings),
      timeoutMs: EXCHANGE_TIMEOUT_MS,
    }),
});

export interface MailOptions {
  readonly id: string;
  readonly host: string;
  readonly port?: number | undefined;
  readonly tls?: 'starttls' | 'implicit' | 'none' | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly from: string;
  readonly to: readonly string[];
  readonly wording: Wording;
  /** For the whole of a message; each wait for the server has no more either. */
  readonly timeoutMs: number;
}

export function mail({ clock, log }: Pick<ChannelGround, 'clock' | 'log'>, options: MailOptions) {
  const { id, host, tls = 'starttls', user, password, timeoutMs } = options;
  const transport = () =>
    createTransport({
      ...{ host, port: options.port ?? (tls === 'implicit' ? 465 : 587) },
      ...{ secure: tls === 'implicit', requireTLS: tls === 'starttls', ignoreTLS: tls === 'none' },
      ...(user !== undefined && { auth: { user, pass: password ?? '' } }),
      ...{ connectionTimeout: timeoutMs, greetingTimeout: timeoutMs, socketTimeout: timeoutMs },
      ...{ dnsTimeout: timeoutMs, disableFileAccess: true, disableUrlAccess: true },
    });
  /** What came of it, or why nothing did within the time. */
  const within = async <Result>(
    work: Promise<Result>,
    signal: AbortSignal,
  ): Promise<Result | 'timeout' | 'aborted'> => {
    const late = Promise.withResolvers<'timeout' | 'aborted'>();
    const cancel = clock.after(timeoutMs, () => late.resolve('timeout'));
    const onAbort = () => late.resolve('aborted');
    signal.addEventListener('abort', onAbort, { once: true });
    // What comes too late is nobody's: its connection ends by its own time-out.
    work.catch(() => {});
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      cancel();
      signal.removeEventListener('abort', onAbort);
    }
  };
  let seen: { readonly atMs: number; readonly why: string | null } | null = null;
  const hidden = [password ?? ''];
  const notifier: Notifier = {
    digestMax: DIGEST_MAX,
    send: async (notice, signal) => {
      if (signal.aborted) return { kind: 'retry', why: 'aborted', afterMs: null };
      try {
        const message = messageOf(notice, options.wording);
        const letter = letterOf(notice, message, options);
        const sent = await within(transport().sendMail(letter), signal);
        if (typeof sent === 'string') return { kind: 'retry', why: sent, afterMs: null };
        const { rejected } = sent;
        if (rejected.length > 0)
          log.warn('mail_recipients_refused', { receiver: id, count: rejected.length });
        return noted({ kind: 'sent', confirmedBy: null }, message);
      } catch (error) {
        return failed(error, hidden);
      }
    },
    beat: async (_heartbeat, signal) => {
      const nowMs = clock.monoMs();
      if (seen && nowMs - seen.atMs < LOOK_EVERY_MS) return seen.why;
      let why: string | null = null;
      try {
        const answer = await within(transport().verify(), signal);
        // Whoever asked does not wait as long as a letter may take.
        if (typeof answer === 'string') why = 'timeout';
      } catch (error) {
        why = failed(error, hidden).why;
      }
      seen = { atMs: nowMs, why };
      return why;
    },
  };
  return notifier;
}

function letterOf(notice: Notice, { title, text }: Message, { id, from, to }: MailOptions) {
  const { deliveries, links } = notice;
  const [first] = deliveries;
  const name = createHash('sha256').update(`${id} ${deliveries.map((it) => it.id).join(' ')}`);
  const isUrgent = first.alarm.level <= 2 && first.transition !== 'cleared';
  return {
    ...{ from, to: [...to], subject: title, text, html: htmlOf(text, links) },
    messageId: `<${name.digest('hex').slice(0, 32)}@${from.slice(from.indexOf('@') + 1)}>`,
    date: new Date(first.queuedMs),
    priority: isUrgent ? ('high' as const) : ('normal' as const),
    headers: {
      'Auto-Submitted': 'auto-generated',
      'X-Lifeline': deliveries.map((it) => it.id).join(' '),
    },
  };
}

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};
const escaped = (text: string) => text.replaceAll(/[&<>"]/g, (sign) => escapes[sign]!);

// Only our own links can be clicked: an address in a name of the site is text.
function htmlOf(text: string, links: Notice['links']): string {
  let body = escaped(text).replaceAll('\n', '<br>\n');
  for (const link of links) {
    if (link === null) continue;
    const shown = escaped(link);
    body = body.replaceAll(shown, `<a href="${shown}" style="font-size:20px">${shown}</a>`);
  }
  const style = 'font-family:sans-serif;font-size:16px;line-height:1.5';
  return `<!doctype html><meta charset="utf-8"><body style="${style}">${body}</body>`;
}

function failed(error: unknown, hidden: readonly string[]): Exclude<Outcome, { kind: 'sent' }> {
  const { responseCode, code, response } = error as {
    readonly responseCode?: number;
    readonly code?: string;
    readonly response?: string;
  };
  if (responseCode === undefined) {
    const why = code === 'ETIMEDOUT' ? 'timeout' : (code ?? 'unknown');
    return { kind: 'retry', why, afterMs: null };
  }
  const why = `smtp ${responseCode} ${said(response, hidden)}`.trim();
  // A login that is refused can be mended, and mails that wait for it are not lost.
  const isForGood = responseCode >= 550 && responseCode < 560 && code !== 'EAUTH';
  return isForGood
    ? { kind: 'give-up', why, isReceiverGone: false }
    : { kind: 'retry', why, afterMs: null };
}
