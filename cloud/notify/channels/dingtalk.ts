// A robot of a DingTalk group (open.dingtalk.com, "custom robot access"). Signed where the robot
// asks for it: `timestamp` in milliseconds and `sign`, base64 of HMAC-SHA256 over
// `timestamp\nsecret` with the secret as key, both in the address. The provider refuses a time an
// hour off.
//
// 20 messages a minute; one more, and the robot is throttled for ten minutes (130101). A whole
// request is 20,000 bytes at most (460101).
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
  mobilesForm,
  type Robot,
  robotCommon,
  robotNotifier,
} from './robot.ts';

const ADDRESS = 'https://oapi.dingtalk.com/robot/send';
export const DINGTALK_PAUSE_MS = 600_000;
export const DINGTALK_BODY_BYTES_MAX = 20_000;
/** At some 300 bytes each they fit one message. */
const DIGEST_MAX = 50;

export const dingtalkKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    ...robotCommon,
    kind: z.literal('dingtalk'),
    token: secretForm.describe('access_token of the address that the group shows'),
    secret: secretForm.optional().describe('SEC…, where the robot is set to be signed for'),
    mobiles: mobilesForm,
  }),
  quotas: [{ messages: 20, perMs: 60_000, reserve: 5 }],
  check: ({ url }, path, problems) => checkUrl(url, path, problems),
  open: (ground, settings) => {
    const wording = wordingOf(ground.wording, settings);
    const robot = dingtalk(() => ground.clock.wallMs(), { ...settings, wording });
    return robotNotifier(ground, robot, { digestMax: DIGEST_MAX });
  },
});

export interface DingtalkOptions {
  readonly url?: string | undefined;
  readonly token: string;
  readonly secret?: string | undefined;
  readonly keyword?: string | undefined;
  readonly mobiles?: readonly string[] | undefined;
  readonly everybody?: boolean | undefined;
  readonly wording: Wording;
}

export function dingtalkSign(secret: string, timestampMs: number): string {
  return createHmac('sha256', secret).update(`${timestampMs}\n${secret}`).digest('base64');
}

export function dingtalk(nowMs: () => number, options: DingtalkOptions): Robot {
  const { token, secret = '', keyword, wording } = options;
  return {
    name: 'DingTalk',
    codes: {
      of: ({ errcode }) => errcode,
      words: ({ errmsg }) => errmsg,
      throttled: new Map([[130101, DINGTALK_PAUSE_MS]]),
      refused: new Map([
        [310000, 'signature, time, keyword or address'],
        [300005, 'token'],
        [40035, 'token'],
      ]),
    },
    ...{ pauseMs: DINGTALK_PAUSE_MS, secrets: [secret, token], keyword, wording },
    request: (message, notice) => request(nowMs(), options, message, notice),
  };
}

function request(
  nowMs: number,
  { url = ADDRESS, token, secret = '', mobiles = [], everybody = false }: DingtalkOptions,
  { title, text, markdown }: Message,
  notice: Notice,
): Request {
  const address = new URL(url);
  address.searchParams.set('access_token', token);
  if (secret !== '') {
    address.searchParams.set('timestamp', String(nowMs));
    address.searchParams.set('sign', dingtalkSign(secret, nowMs));
  }
  const isText = isCalling(notice);
  // A number is only called where the text has it, too.
  const named = mobiles.map((mobile) => `@${mobile}`).join(' ');
  const at = { atMobiles: mobiles, isAtAll: everybody };
  const bodyOf = (content: string) =>
    JSON.stringify(
      isText
        ? { msgtype: 'text', text: { content: named ? `${content}\n${named}` : content }, at }
        : { msgtype: 'markdown', markdown: { title, text: content } },
    );
  const content = fitted(isText ? text : markdown, DINGTALK_BODY_BYTES_MAX, {
    bytesOf: (part) => Buffer.byteLength(bodyOf(part)),
    link: notice.links[0] ?? null,
  });
  const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'lifeline' };
  return { url: address, method: 'POST', headers, body: bodyOf(content) };
}
