// Local servers of the kinds of robots and phone providers: DingTalk, WeCom, Feishu, short messages
// and calls, written from what the providers publish and with nothing of ours. They check the
// signature, the keyword and the size, and enforce the published quota with its punishment. Their
// faults are options, so that tests see one that hangs, answers garbage or too late.
//
// What is published: open.dingtalk.com "custom robot access" (20 a minute, then throttled for ten
// minutes; 20,000 bytes), developer.work.weixin.qq.com path 91770 (20 a minute; text 2,048 bytes,
// markdown 4,096), open.feishu.cn "custom bot usage guide" (100 a minute, 5 a second; 20 KB),
// help.aliyun.com short messages (one template to one number 50 a day) and voice (a callee 1 a
// minute, 5 an hour, 20 a day; failed calls count).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export const robotKinds = ['dingtalk', 'wecom', 'feishu', 'sms', 'voice'] as const;
export type RobotKind = (typeof robotKinds)[number];

export type RobotBehaviour =
  | { readonly kind: 'work' }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'hang' }
  /** Takes the message, and answers when nobody waits any more. */
  | { readonly kind: 'late'; readonly delayMs: number }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** 200 with this in it. */
  | { readonly kind: 'answer'; readonly body: unknown };

export interface RobotOptions {
  readonly kind: RobotKind;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Part of the address: whoever has it may post. */
  readonly token: string;
  /** Requests are signed with it; none: nothing is asked for. */
  readonly secret?: string;
  /** Each message has it. */
  readonly keyword?: string;
  /** Read at each request, so that a test can change it under way. */
  readonly behaviour?: () => RobotBehaviour;
  readonly nowMs?: () => number;
}

export interface Posted {
  readonly atMs: number;
  readonly content: string;
  /** Whom it calls by name. */
  readonly called: readonly string[];
  /** What the provider calls it. */
  readonly reference: string;
}

export interface RobotServer {
  readonly url: string;
  readonly posted: () => readonly Posted[];
  /** Requests refused, by why. */
  readonly refused: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

interface Window {
  readonly messages: number;
  readonly perMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** As published; a phone number has one of its own, a robot is one. */
const windows: Readonly<Record<RobotKind, readonly Window[]>> = {
  dingtalk: [{ messages: 20, perMs: MINUTE_MS }],
  wecom: [{ messages: 20, perMs: MINUTE_MS }],
  feishu: [
    { messages: 100, perMs: MINUTE_MS },
    { messages: 5, perMs: 1_000 },
  ],
  sms: [{ messages: 50, perMs: DAY_MS }],
  voice: [
    { messages: 1, perMs: MINUTE_MS },
    { messages: 5, perMs: HOUR_MS },
    { messages: 20, perMs: DAY_MS },
  ],
};
/** How long a robot takes nothing after one message too many. */
const punishmentMs: Readonly<Partial<Record<RobotKind, number>>> = { dingtalk: 10 * MINUTE_MS };
/** A signature is good for so long: an hour at DingTalk and Feishu, 15 minutes at Aliyun. */
const toleranceMs = { dingtalk: HOUR_MS, wecom: 0, feishu: HOUR_MS, sms: HOUR_MS / 4 } as const;
const REQUEST_BYTES_MAX = 1024 * 1024;

interface Asked {
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What is wrong with a request; null where it is taken. */
type Verdict = { readonly why: string; readonly answer: unknown } | null;

export async function startRobot(options: RobotOptions): Promise<RobotServer> {
  const { kind, behaviour = () => ({ kind: 'work' }), nowMs = () => Date.now() } = options;
  const posted: Posted[] = [];
  const refused: Record<string, number> = {};
  const quota = new Quota(kind);
  const nonces = new Set<string>();

  const judge = (asked: Asked): Verdict => {
    const verdict = forms[kind](asked, options, nowMs());
    if (verdict) return verdict;
    const nonce = String(asked.headers['x-nonce'] ?? '');
    if (nonce !== '' && nonces.has(nonce)) return no[kind]('replayed');
    nonces.add(nonce);
    return quota.take(numberOf(asked), nowMs()) ? null : no[kind]('throttled');
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await textOf(request);
    const how = behaviour();
    if (how.kind === 'hang') return;
    if (how.kind === 'status') return answer(response, how.status, {}, how.headers);
    if (how.kind === 'answer') return answer(response, 200, how.body);
    const url = new URL(request.url ?? '/', 'http://robot');
    const asked: Asked = { url, headers: request.headers, text, body: objectOf(text) };
    const verdict = judge(asked);
    if (verdict) {
      refused[verdict.why] = (refused[verdict.why] ?? 0) + 1;
      return answer(response, 200, verdict.answer);
    }
    const reference = `${kind}-${posted.length + 1}`;
    posted.push({ atMs: nowMs(), ...messageOf[kind](asked), reference });
    if (how.kind === 'late') await new Promise((resolve) => setTimeout(resolve, how.delayMs));
    if (how.kind === 'garbage') return void response.writeHead(200).end('{"errcode": 0, "err');
    answer(response, 200, yes[kind](reference));
  };

  const server = createServer((request, response) => {
    take(request, response).catch(() => answer(response, 400, { error: 'unreadable' }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}/${kind}`,
    posted: () => posted,
    refused: () => refused,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Sliding windows, as a provider counts; what it refuses counts where that is published. */
class Quota {
  readonly #kind: RobotKind;
  readonly #times = new Map<string, number[]>();
  #throttledUntilMs = Number.NEGATIVE_INFINITY;

  constructor(kind: RobotKind) {
    this.#kind = kind;
  }

  take(number: string, nowMs: number): boolean {
    if (nowMs < this.#throttledUntilMs) return false;
    const times = this.#times.get(number) ?? [];
    this.#times.set(number, times);
    const isFull = windows[this.#kind].some(
      ({ messages, perMs }) => times.filter((at) => at > nowMs - perMs).length >= messages,
    );
    if (isFull) {
      this.#throttledUntilMs = nowMs + (punishmentMs[this.#kind] ?? 0);
      if (this.#kind === 'voice') times.push(nowMs); // A failed call counts.
      return false;
    }
    times.push(nowMs);
    return true;
  }
}

type Refusal = 'token' | 'signature' | 'time' | 'keyword' | 'size' | 'throttled' | 'replayed';

function refusals(code: string, words: string, codes: Readonly<Record<Refusal, number | string>>) {
  return (why: Refusal): Verdict => ({ why, answer: { [code]: codes[why], [words]: why } });
}

const DINGTALK_UNFIT = 310000;
const no: Readonly<Record<RobotKind, (why: Refusal) => Verdict>> = {
  dingtalk: refusals('errcode', 'errmsg', {
    ...{ token: 300005, signature: DINGTALK_UNFIT, time: DINGTALK_UNFIT, keyword: DINGTALK_UNFIT },
    ...{ size: 460101, throttled: 130101, replayed: DINGTALK_UNFIT },
  }),
  wecom: refusals('errcode', 'errmsg', {
    ...{ token: 93000, signature: 93000, time: 93000, keyword: 93000 },
    ...{ size: 40058, throttled: 45009, replayed: 93000 },
  }),
  feishu: refusals('code', 'msg', {
    ...{ token: 19001, signature: 19021, time: 19021, keyword: 19024 },
    ...{ size: 9499, throttled: 11232, replayed: 19021 },
  }),
  sms: refusals('Code', 'Message', {
    ...{
      token: 'InvalidAccessKeyId',
      signature: 'SignatureDoesNotMatch',
      time: 'InvalidTimeStamp',
    },
    ...{ keyword: 'isv.SMS_TEMPLATE_ILLEGAL', size: 'isv.INVALID_PARAMETERS' },
    ...{ throttled: 'isv.BUSINESS_LIMIT_CONTROL', replayed: 'SignatureNonceUsed' },
  }),
  voice: refusals('Code', 'Message', {
    ...{
      token: 'InvalidAccessKeyId',
      signature: 'SignatureDoesNotMatch',
      time: 'InvalidTimeStamp',
    },
    ...{ keyword: 'isv.TTS_TEMPLATE_ILLEGAL', size: 'isv.INVALID_PARAMETERS' },
    ...{ throttled: 'isv.BUSINESS_LIMIT_CONTROL', replayed: 'SignatureNonceUsed' },
  }),
};

const robotTook = () => ({ errcode: 0, errmsg: 'ok' });
const phoneTook = (reference: string) => ({ Code: 'OK', Message: 'OK', BizId: reference });
const yes: Readonly<Record<RobotKind, (reference: string) => unknown>> = {
  ...{ dingtalk: robotTook, wecom: robotTook, sms: phoneTook, voice: phoneTook },
  feishu: () => ({ StatusCode: 0, StatusMessage: 'success', code: 0, data: {}, msg: 'success' }),
};

type Form = (asked: Asked, options: RobotOptions, nowMs: number) => Verdict;
const forms: Readonly<Record<RobotKind, Form>> = {
  dingtalk: (asked, { token, secret, keyword }, nowMs) => {
    const { url, text, body } = asked;
    const given = (name: string) => url.searchParams.get(name) ?? '';
    if (given('access_token') !== token) return no.dingtalk('token');
    if (Buffer.byteLength(text) > 20_000) return no.dingtalk('size');
    if (secret !== undefined) {
      const wanted = hmac(secret, `${given('timestamp')}\n${secret}`, 'base64');
      if (!isSame(given('sign'), wanted)) return no.dingtalk('signature');
      if (isOld(Number(given('timestamp')), nowMs, toleranceMs.dingtalk))
        return no.dingtalk('time');
    }
    if (!['text', 'markdown'].includes(String(body['msgtype']))) return no.dingtalk('size');
    return lacks(asked, 'dingtalk', keyword) ? no.dingtalk('keyword') : null;
  },
  wecom: (asked, { token }) => {
    if (asked.url.searchParams.get('key') !== token) return no.wecom('token');
    const { content } = messageOf.wecom(asked);
    const limit = asked.body['msgtype'] === 'text' ? 2_048 : 4_096;
    return content === '' || Buffer.byteLength(content) > limit ? no.wecom('size') : null;
  },
  feishu: (asked, { token, secret, keyword }, nowMs) => {
    const { url, text, body } = asked;
    if (url.pathname !== `/feishu/${token}`) return no.feishu('token');
    if (Buffer.byteLength(text) > 20 * 1024) return no.feishu('size');
    if (secret !== undefined) {
      const timestamp = String(body['timestamp'] ?? '');
      if (!isSame(String(body['sign'] ?? ''), hmac(`${timestamp}\n${secret}`, '', 'base64'))) {
        return no.feishu('signature');
      }
      if (isOld(Number(timestamp) * 1000, nowMs, toleranceMs.feishu)) return no.feishu('time');
    }
    return lacks(asked, 'feishu', keyword) ? no.feishu('keyword') : null;
  },
  sms: (asked, options, nowMs) => phone('sms', asked, options, nowMs),
  voice: (asked, options, nowMs) => phone('voice', asked, options, nowMs),
};

// A provider of the usual kind: key, time, nonce and signature in headers, over method, path, time,
// nonce and the hash of the body.
function phone(
  kind: 'sms' | 'voice',
  { url, headers, text, body }: Asked,
  { token, secret = '' }: RobotOptions,
  nowMs: number,
): Verdict {
  const given = (name: string) => String(headers[name] ?? '');
  if (given('x-key') !== token) return no[kind]('token');
  const hash = createHash('sha256').update(text).digest('hex');
  const signed = ['POST', url.pathname, given('x-timestamp'), given('x-nonce'), hash].join('\n');
  if (!isSame(given('x-signature'), hmac(secret, signed, 'hex'))) return no[kind]('signature');
  if (isOld(Number(given('x-timestamp')) * 1000, nowMs, toleranceMs.sms)) return no[kind]('time');
  return typeof body['to'] === 'string' && typeof body['text'] === 'string'
    ? null
    : no[kind]('size');
}

const messageOf: Readonly<Record<RobotKind, (asked: Asked) => Pick<Posted, 'content' | 'called'>>> =
  {
    dingtalk: ({ body }) => {
      const at = (body['at'] ?? {}) as { atMobiles?: string[]; isAtAll?: boolean };
      const content = part(body, 'text', 'content') || part(body, 'markdown', 'text');
      // A number is called only where the content has it.
      const mobiles = (at.atMobiles ?? []).filter((mobile) => content.includes(`@${mobile}`));
      return { content, called: at.isAtAll ? [...mobiles, 'all'] : mobiles };
    },
    wecom: ({ body }) => {
      const text = (body['text'] ?? {}) as { mentioned_mobile_list?: string[] };
      const content = part(body, 'text', 'content') || part(body, 'markdown', 'content');
      return { content, called: text.mentioned_mobile_list ?? [] };
    },
    feishu: ({ body }) => {
      const card = (body['card'] ?? {}) as { elements?: { content: string }[] };
      const content = part(body, 'content', 'text') || (card.elements?.[0]?.content ?? '');
      const called = [...content.matchAll(/<at user_id="([^"]+)"><\/at>/g)].map(([, id]) => id!);
      return { content, called };
    },
    sms: ({ body }) => ({ content: String(body['text']), called: [String(body['to'])] }),
    voice: ({ body }) => ({ content: String(body['text']), called: [String(body['to'])] }),
  };

function part(body: Asked['body'], outer: string, inner: string): string {
  const found = (body[outer] ?? {}) as Readonly<Record<string, unknown>>;
  return typeof found[inner] === 'string' ? found[inner] : '';
}

function numberOf({ body }: Asked): string {
  return typeof body['to'] === 'string' ? body['to'] : '';
}

function lacks(asked: Asked, kind: RobotKind, keyword: string | undefined): boolean {
  return keyword !== undefined && !messageOf[kind](asked).content.includes(keyword);
}

function hmac(key: string, text: string, encoding: 'base64' | 'hex'): string {
  return createHmac('sha256', key).update(text, 'utf8').digest(encoding);
}

function isSame(given: string, wanted: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function isOld(givenMs: number, nowMs: number, tolerance: number): boolean {
  return !(Math.abs(givenMs - nowMs) <= tolerance);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes > REQUEST_BYTES_MAX) break;
    parts.push(piece);
  }
  return Buffer.concat(parts).toString('utf8');
}

function objectOf(text: string): Asked['body'] {
  const parsed: unknown = JSON.parse(text);
  return typeof parsed === 'object' && parsed !== null ? (parsed as Asked['body']) : {};
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
