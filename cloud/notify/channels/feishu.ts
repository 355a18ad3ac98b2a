// A custom robot of a Feishu group (open.feishu.cn, "custom bot usage guide"). Signed where the
// robot asks for it: `timestamp` in seconds and `sign` in the body, base64 of HMAC-SHA256 over
// nothing with `timestamp\nsecret` as key. The provider refuses a time an hour off.
//
// 100 messages a minute and 5 a second; a request is 20 KB at most. The vendor warns of 11232 on
// the hour and the half hour, when everybody reports: tried again soon, as it is not our quota that
// ran out. A robot can call people by their open_id, not by mobile number.
import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { secretForm } from '../../../core/schema.ts';
import type { Message } from '../message.ts';
import type { Notice } from '../notifier.ts';
import { type Wording, wordingOf } from '../wording.ts';
import { channelKind, receiverCommon } from './channel.ts';
import type { Request } from './exchange.ts';
import {
  checkUrl,
  fitted,
  isCalling,
  MENTIONS_MAX,
  type Robot,
  robotCommon,
  robotNotifier,
} from './robot.ts';

const ADDRESS = 'https://open.feishu.cn/open-apis/bot/v2/hook';
/** No punishment is published: two of the seconds it counts in, and time to recover. */
export const FEISHU_PAUSE_MS = 5_000;
export const FEISHU_BODY_BYTES_MAX = 20_000;
/** At some 300 bytes each they fit one message. */
const DIGEST_MAX = 50;

export const feishuKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    ...robotCommon,
    kind: z.literal('feishu'),
    token: secretForm.describe('the last part of the address that the group shows'),
    secret: secretForm.optional().describe('where the robot is set to be signed for'),
    people: z
      .array(z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/))
      .max(MENTIONS_MAX)
      .optional()
      .describe('open_id of those whom level I calls by name'),
  }),
  quotas: [
    { messages: 100, perMs: 60_000, reserve: 20 },
    { messages: 5, perMs: 1_000, reserve: 1 },
  ],
  check: ({ url }, path, problems) => checkUrl(url, path, problems),
  open: (ground, settings) => {
    const wording = wordingOf(ground.wording, settings);
    const robot = feishu(() => ground.clock.wallMs(), { ...settings, wording });
    return robotNotifier(ground, robot, { digestMax: DIGEST_MAX });
  },
});

export interface FeishuOptions {
  readonly url?: string | undefined;
  readonly token: string;
  readonly secret?: string | undefined;
  readonly keyword?: string | undefined;
  readonly people?: readonly string[] | undefined;
  readonly everybody?: boolean | undefined;
  readonly wording: Wording;
}

export function feishuSign(secret: string, timestampS: number): string {
  return createHmac('sha256', `${timestampS}\n${secret}`).digest('base64');
}

export function feishu(nowMs: () => number, options: FeishuOptions): Robot {
  const { token, secret = '', keyword, wording } = options;
  return {
    name: 'Feishu',
    codes: {
      // Older servers answer `StatusCode`, newer ones `code`, some both.
      of: ({ code, StatusCode }) => code ?? StatusCode,
      words: ({ msg, StatusMessage }) => msg ?? StatusMessage,
      throttled: new Map([[11232, FEISHU_PAUSE_MS]]),
      refused: new Map([
        [19001, 'token'],
        [19021, 'signature or time'],
        [19022, 'address'],
        [19024, 'keyword'],
      ]),
    },
    ...{ pauseMs: FEISHU_PAUSE_MS, secrets: [secret, token], keyword, wording },
    request: (message, notice) => request(nowMs(), options, message, notice),
  };
}

const colours = { 1: 'red', 2: 'orange', 3: 'yellow', 4: 'blue' } as const;

function request(
  nowMs: number,
  { url = ADDRESS, token, secret = '', people = [], everybody = false }: FeishuOptions,
  { title, text, markdown }: Message,
  notice: Notice,
): Request {
  const address = new URL(`${url.replace(/\/$/, '')}/${encodeURIComponent(token)}`);
  const timestampS = Math.floor(nowMs / 1000);
  const signed =
    secret === '' ? {} : { timestamp: String(timestampS), sign: feishuSign(secret, timestampS) };
  const isText = isCalling(notice);
  const called = everybody ? [...people, 'all'] : people;
  const named = called.map((id) => `<at user_id="${id}"></at>`).join('');
  const template = colours[notice.deliveries[0].alarm.level];
  const bodyOf = (content: string) =>
    JSON.stringify({
      ...signed,
      ...(isText
        ? { msg_type: 'text', content: { text: named ? `${content}\n${named}` : content } }
        : {
            msg_type: 'interactive',
            card: {
              header: { title: { tag: 'plain_text', content: title }, template },
              elements: [{ tag: 'markdown', content }],
            },
          }),
    });
  const content = fitted(isText ? text : markdown, FEISHU_BODY_BYTES_MAX, {
    bytesOf: (part) => Buffer.byteLength(bodyOf(part)),
    link: notice.links[0] ?? null,
  });
  const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'lifeline' };
  return { url: address, method: 'POST', headers, body: bodyOf(content) };
}
