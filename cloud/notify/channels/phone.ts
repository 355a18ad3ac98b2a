// Short messages and calls through whatever provider there is, by one template of its request: see
// template.ts for the fields and the signature. What its answer means is said by the file, too:
//
//   accepted     sent: the provider took it, and its reference is kept for the receipt that follows
//   throttled    to be tried again after the pause; until then it takes nothing at all
//   again        to be tried again with growing pauses; so is a 5xx, silence, and garbage
//   all else     given up, so that the next of the chain is told at once: each try costs one of the
//                few that a number has a day, also where it is refused
//
// A receipt says later that it reached the phone (`delivered`), that it did not (`failed`), or that
// somebody pressed the key that confirms. Receipts come signed, or to an address with a token in it
// where a provider signs nothing; both may repeat, which changes nothing.
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { hex } from '../../../core/bytes.ts';
import { durationMs } from '../../../core/duration.ts';
import type { Path, Problems } from '../../../core/problems.ts';
import { durationForm, secretForm } from '../../../core/schema.ts';
import { type Message, messageOf, noted } from '../message.ts';
import type { Notice, Notifier, Outcome, Posted, Receipt } from '../notifier.ts';
import { type Wording, wordingOf } from '../wording.ts';
import type { ChannelGround, Quota } from './channel.ts';
import { channelKind, receiverCommon } from './channel.ts';
import type { Answer, NotSent } from './exchange.ts';
import { EXCHANGE_TIMEOUT_MS, exchange, jsonOf, outcomeOfStatus, said } from './exchange.ts';
import { messageFields, noticeFields } from './fields.ts';
import { checkUrl, fitted } from './robot.ts';
import type { Fields, RequestTemplate, SignRule } from './template.ts';
import {
  algorithms,
  pointed,
  pointedText,
  requestFields,
  requestOf,
  signatureOf,
  signsItself,
  unknownFields,
} from './template.ts';

/** A long message is seven parts of 67 signs; providers cut or refuse what is beyond 500. */
export const SMS_SIGNS_MAX = 500;
/** Some 40 seconds of speech: nobody listens longer. */
export const VOICE_SIGNS_MAX = 200;
/** What waits is one message that says how many more: 50 a day are soon used up. */
const DIGEST_MAX = 20;
const PAUSE_DEFAULT = '1m';
/** In one posting; Aliyun and Tencent push at most a few hundred. */
export const RECEIPTS_MAX = 1_000;

const DAY_MS = 86_400_000;
const smsQuotas: readonly Quota[] = [{ messages: 50, perMs: DAY_MS, reserve: 10 }];
const voiceQuotas: readonly Quota[] = [
  { messages: 1, perMs: 60_000, reserve: 0 },
  { messages: 5, perMs: 3_600_000, reserve: 2 },
  { messages: 20, perMs: DAY_MS, reserve: 5 },
];

const pointer = z
  .string()
  .max(200)
  .regex(/^(?:\/.*)?$/);
const codes = z.array(z.string().max(100)).min(1).max(50);
const signShape = {
  algorithm: z.enum(algorithms).optional().describe('default hmac-sha256'),
  key: z.string().max(500).optional().describe('template of the key'),
  canonical: z.string().max(4_000).optional().describe('template of {canonical}'),
  text: z.string().max(4_000).describe('template of what is signed'),
  encoding: z.enum(['hex', 'base64']).optional().describe('default hex'),
};

const phoneShape = {
  to: z
    .string()
    .regex(/^\+?[0-9-]{3,20}$/)
    .describe('the number, as the provider wants it'),
  url: z.string().max(4_000).describe('template of the address'),
  method: z.enum(['POST', 'GET', 'PUT']).optional().describe('default POST'),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]{1,100}$/), z.string().max(2_000))
    .optional()
    .describe('templates by name; content-type says how fields are escaped in the body'),
  body: z.string().max(20_000).optional().describe('template of the body'),
  secrets: z
    .record(z.string().regex(/^[a-z][a-z0-9_]{0,31}$/), secretForm)
    .optional()
    .describe('each is the field {secret.NAME}'),
  sign: z.strictObject(signShape).optional().describe('makes the field {signature}'),
  answer: z
    .strictObject({
      code: pointer.optional().describe('where the answer says what came of it'),
      accepted: codes.optional(),
      throttled: codes.optional(),
      again: codes.optional(),
      pause: durationForm.optional().describe('after throttled; default 1m'),
      words: pointer.optional().describe('where it says why'),
      reference: pointer.optional().describe('where it says what receipts call it'),
    })
    .optional()
    .describe('JSON pointers into the answer; without code every 2xx is accepted'),
  receipts: z
    .strictObject({
      token: secretForm.optional().describe('in the address the provider posts to: ?token='),
      sign: z
        .strictObject({ ...signShape, header: z.string().regex(/^[a-z0-9-]{1,100}$/) })
        .optional()
        .describe('of {body} and {header.NAME}'),
      list: pointer.optional().describe('where the list of them is; default the whole'),
      reference: pointer,
      state: pointer,
      delivered: codes,
      failed: codes.optional().describe('default whatever is not delivered'),
      words: pointer.optional(),
      key: pointer.optional().describe('where a pressed key is'),
      confirmed: codes.optional().describe('keys that say: I have it'),
    })
    .optional()
    .describe('what the provider posts to /v1/receipts/ID'),
};

const smsForm = z.strictObject({ ...receiverCommon, kind: z.literal('sms'), ...phoneShape });
const voiceForm = z.strictObject({ ...receiverCommon, kind: z.literal('voice'), ...phoneShape });
type PhoneSettings = z.output<typeof smsForm> | z.output<typeof voiceForm>;

export const smsKind = channelKind({
  form: smsForm,
  quotas: smsQuotas,
  check,
  open: (ground, settings) => phone(ground, settings),
});

export const voiceKind = channelKind({
  form: voiceForm,
  quotas: voiceQuotas,
  check,
  open: (ground, settings) => phone(ground, settings),
});

function check(settings: PhoneSettings, path: Path, problems: Problems): void {
  const { url, headers = {}, body = '', sign, secrets = {}, receipts, answer } = settings;
  const known = new Set([
    ...messageFields,
    'to',
    ...requestFields,
    ...Object.keys(secrets).map((name) => `secret.${name}`),
  ]);
  const unknown = (place: Path, template: string, isKnown = (name: string) => known.has(name)) => {
    for (const found of unknownFields(template, isKnown)) {
      problems.add([...path, ...place], 'channel-field-unknown', { found });
    }
  };
  // As it will be, with something for each field.
  checkUrl(url.replaceAll(/\{[^}]*\}/g, 'x'), path, problems);
  unknown(['url'], url);
  unknown(['body'], body);
  for (const [name, value] of Object.entries(headers)) unknown(['headers', name], value);
  unknown(['sign', 'text'], sign?.text ?? '');
  unknown(['sign', 'canonical'], sign?.canonical ?? '');
  unknown(['sign', 'key'], sign?.key ?? '');
  if (signsItself(templateOf(settings))) {
    problems.add([...path, 'sign'], 'channel-signs-itself', {});
  }
  if (answer && (answer.code === undefined) !== (answer.accepted === undefined)) {
    problems.add([...path, 'answer'], 'channel-accepted-by-code', {});
  }
  if (!receipts) return;
  if ((receipts.token === undefined) === (receipts.sign === undefined)) {
    problems.add([...path, 'receipts'], 'channel-receipts-open', {});
  }
  const isReceiptField = (name: string) =>
    name === 'body' || name.startsWith('header.') || name.startsWith('secret.');
  unknown(['receipts', 'sign', 'text'], receipts.sign?.text ?? '', isReceiptField);
  unknown(['receipts', 'sign', 'key'], receipts.sign?.key ?? '', isReceiptField);
}

function ruleOf(sign: z.output<z.ZodObject<typeof signShape>>): SignRule {
  const { algorithm = 'hmac-sha256', key = '', canonical = '', text, encoding = 'hex' } = sign;
  return { algorithm, key, canonical, text, encoding };
}

function templateOf({ url, method = 'POST', headers = {}, body, sign }: PhoneSettings) {
  const template: RequestTemplate = {
    ...{ url, method, headers, body: method === 'GET' ? null : (body ?? null) },
    sign: sign ? ruleOf(sign) : null,
  };
  return template;
}

export function phone(
  ground: Pick<ChannelGround, 'clock' | 'fetcher' | 'random' | 'wording'>,
  settings: PhoneSettings,
): Notifier {
  const { clock, random, fetcher } = ground;
  const { secrets = {}, receipts } = settings;
  const wording = wordingOf(ground.wording, settings);
  const wire = { clock, fetcher, timeoutMs: EXCHANGE_TIMEOUT_MS };
  const template = templateOf(settings);
  const keys = Object.entries(secrets).map(([name, value]) => [`secret.${name}`, value] as const);
  const hidden = [...Object.values(secrets), receipts?.token ?? '', settings.to];
  return {
    digestMax: DIGEST_MAX,
    send: async (notice, signal) => {
      const nowMs = clock.wallMs();
      const message = messageOf(notice, wording);
      const fields = new Map([
        ...fieldsOf(notice, message, settings, wording),
        ...keys,
        ['timestamp', String(Math.floor(nowMs / 1000))],
        ['timestamp_ms', String(nowMs)],
        ['date', new Date(nowMs).toISOString().replace(/\.\d+/, '')],
        ['nonce', hex(random.bytes(16))],
      ]);
      const answer = await exchange(wire, requestOf(template, fields), signal);
      if (typeof answer === 'string') return { kind: 'retry', why: answer, afterMs: null };
      return noted(outcomeOf(settings, answer, hidden), message);
    },
    ...(receipts && {
      receipts: (posted) => receiptsOf(receipts, new Map(keys), posted, hidden),
    }),
  };
}

function fieldsOf(
  notice: Notice,
  message: Message,
  { kind, to }: PhoneSettings,
  wording: Wording,
): [string, string][] {
  const [link = null] = notice.links;
  const bytesOf = (part: string) => Array.from(part).length;
  // Signs that show how bad it is are nothing to speak.
  const sayable = message.title.replaceAll(/\p{So}/gu, '').trim();
  const spoken = fitted(sayable, VOICE_SIGNS_MAX, { bytesOf, link: null });
  const written = fitted(message.text, SMS_SIGNS_MAX, { bytesOf, link });
  const text = kind === 'voice' ? spoken : written;
  return [...noticeFields(notice, { ...message, text }, wording.language), ['to', to]];
}

function outcomeOf(
  { kind, answer: rule = {} }: PhoneSettings,
  answer: Answer,
  hidden: readonly string[],
): Outcome {
  const { accepted = [], throttled = [], again = [], pause = PAUSE_DEFAULT } = rule;
  const parsed = jsonOf(answer.text);
  const reference = pointedText(parsed, rule.reference);
  const unwell = outcomeOfStatus(answer);
  const sent: Outcome = {
    ...{ kind: 'sent', confirmedBy: null },
    ...(reference !== null && reference !== '' && { reference }),
  };
  const code = pointedText(parsed, rule.code);
  if (code !== null) {
    if (accepted.includes(code) && unwell === null) return sent;
    if (throttled.includes(code)) {
      const afterMs = answer.retryAfterMs ?? durationMs(pause);
      const why = `${kind} provider throttles (${said(code, hidden)})`;
      return { kind: 'retry', why, afterMs, isReceiverBusy: true };
    }
    const words = said(pointedText(parsed, rule.words), hidden);
    const detail = words === '' ? said(code, hidden) : `${said(code, hidden)}: ${words}`;
    const why = `${kind} provider refuses (${detail})`;
    const isPassing = again.includes(code) || answer.status >= 500 || accepted.includes(code);
    if (isPassing) return { kind: 'retry', why, afterMs: answer.retryAfterMs };
    return { kind: 'give-up', why, isReceiverGone: false };
  }
  if (unwell) return outcomeOfTrouble(answer, unwell, durationMs(pause));
  if (rule.code === undefined) return sent;
  return { kind: 'retry', why: `${kind} provider answers what nobody can read`, afterMs: null };
}

// A status of 4xx is our own fault: the next try would be refused as this one was.
function outcomeOfTrouble({ status }: Answer, unwell: NotSent, pauseMs: number): Outcome {
  const { why } = unwell;
  const isPassing = [408, 425, 429].includes(status);
  if (status >= 400 && status < 500 && !isPassing) {
    return { kind: 'give-up', why, isReceiverGone: false };
  }
  const isBusy = unwell.kind === 'retry' && unwell.isReceiverBusy === true;
  return isBusy ? { ...unwell, afterMs: unwell.afterMs ?? pauseMs } : unwell;
}

type ReceiptSettings = NonNullable<PhoneSettings['receipts']>;

/** Null where it is not from the provider, or nothing that can be read. */
function receiptsOf(
  settings: ReceiptSettings,
  keys: Fields,
  posted: Posted,
  hidden: readonly string[],
): readonly Receipt[] | null {
  if (!isProviders(settings, keys, posted)) return null;
  const parsed = pointed(jsonOf(posted.body), settings.list ?? '');
  if (parsed === undefined) return null;
  const items = Array.isArray(parsed) ? parsed.slice(0, RECEIPTS_MAX) : [parsed];
  return items.flatMap((item: unknown): Receipt[] => {
    const reference = pointedText(item, settings.reference);
    const state = pointedText(item, settings.state);
    if (reference === null || state === null) return [];
    const pressed = pointedText(item, settings.key);
    if (pressed !== null && (settings.confirmed ?? []).includes(pressed)) {
      return [{ reference, state: 'confirmed', why: null }];
    }
    if (settings.delivered.includes(state)) return [{ reference, state: 'delivered', why: null }];
    if (settings.failed && !settings.failed.includes(state)) return [];
    const words = said(pointedText(item, settings.words), hidden);
    const why = `not delivered (${said(state, hidden)}${words === '' ? '' : `: ${words}`})`;
    return [{ reference, state: 'failed', why }];
  });
}

function isProviders({ token, sign }: ReceiptSettings, keys: Fields, posted: Posted): boolean {
  if (token) return isSame(posted.token ?? '', token);
  if (!sign) return false;
  const headers = Object.entries(posted.headers).map(
    ([name, value]) => [`header.${name}`, value] as const,
  );
  const fields = new Map([...keys, ...headers, ['body', posted.body]]);
  return isSame(posted.headers[sign.header] ?? '', signatureOf(ruleOf(sign), fields));
}

// Of equal length first, and in a time that does not depend on what is given.
function isSame(given: string, wanted: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(given), hash(wanted));
}
