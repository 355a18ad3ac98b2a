// A robot of a WeCom group (developer.work.weixin.qq.com, document path 91770). Nothing is signed:
// whoever has the key of the address may post.
//
// 20 messages a minute (45009 beyond). Text is 2,048 bytes of UTF-8 at most and can call people by
// their mobile number; markdown is 4,096 bytes (40058 beyond), and whether it calls anybody the
// sources disagree on. So level I is text, the rest markdown.
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

const ADDRESS = 'https://qyapi.weixin.qq.com/cgi-bin/webhook/send';
/** No punishment is published: the minute of its quota. */
export const WECOM_PAUSE_MS = 60_000;
export const WECOM_TEXT_BYTES_MAX = 2_048;
export const WECOM_MARKDOWN_BYTES_MAX = 4_096;
/** At some 300 bytes each they fit one message. */
const DIGEST_MAX = 12;

export const wecomKind = channelKind({
  form: z.strictObject({
    ...receiverCommon,
    ...robotCommon,
    kind: z.literal('wecom'),
    key: secretForm.describe('key of the address that the group shows'),
    mobiles: mobilesForm,
  }),
  quotas: [{ messages: 20, perMs: 60_000, reserve: 5 }],
  check: ({ url }, path, problems) => checkUrl(url, path, problems),
  open: (ground, settings) => {
    const wording = wordingOf(ground.wording, settings);
    return robotNotifier(ground, wecom({ ...settings, wording }), { digestMax: DIGEST_MAX });
  },
});

export interface WecomOptions {
  readonly url?: string | undefined;
  readonly key: string;
  readonly keyword?: string | undefined;
  readonly mobiles?: readonly string[] | undefined;
  readonly everybody?: boolean | undefined;
  readonly wording: Wording;
}

export function wecom(options: WecomOptions): Robot {
  const { key, keyword, wording } = options;
  return {
    name: 'WeCom',
    codes: {
      of: ({ errcode }) => errcode,
      words: ({ errmsg }) => errmsg,
      throttled: new Map([[45009, WECOM_PAUSE_MS]]),
      refused: new Map([
        [93000, 'key'],
        [40058, 'message'],
      ]),
    },
    ...{ pauseMs: WECOM_PAUSE_MS, secrets: [key], keyword, wording },
    request: (message, notice) => request(options, message, notice),
  };
}

function request(
  { url = ADDRESS, key, mobiles = [], everybody = false }: WecomOptions,
  { text, markdown }: Message,
  notice: Notice,
): Request {
  const address = new URL(url);
  address.searchParams.set('key', key);
  const isText = isCalling(notice);
  const bytesMax = isText ? WECOM_TEXT_BYTES_MAX : WECOM_MARKDOWN_BYTES_MAX;
  const content = fitted(isText ? text : markdown, bytesMax, {
    bytesOf: (part) => Buffer.byteLength(part),
    link: notice.links[0] ?? null,
  });
  const called = everybody ? [...mobiles, '@all'] : mobiles;
  const body = isText
    ? { msgtype: 'text', text: { content, mentioned_mobile_list: called } }
    : { msgtype: 'markdown', markdown: { content } };
  const headers = { 'content-type': 'application/json; charset=utf-8', 'user-agent': 'lifeline' };
  return { url: address, method: 'POST', headers, body: JSON.stringify(body) };
}
