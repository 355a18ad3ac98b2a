import type { Bilingual } from './text.ts';

/** What is wrong with a receiver in the cloud's file, by the kind of its channel. */
export const channelMessages = {
  'channel-without-tls': {
    en: 'a key goes to {host}: write https://, or http:// on this machine',
    zh: '密钥会发往 {host}：请使用 https://，仅本机可用 http://',
  },
  'channel-field-unknown': {
    en: '{found} is no field of a message, a request or its secrets',
    zh: '{found} 不是消息、请求或其密钥的字段',
  },
  'channel-signs-itself': {
    en: 'what is signed holds the signature: put the signature into a header',
    zh: '被签名的内容中含有签名本身：请把签名放在请求头中',
  },
  'channel-accepted-by-code': {
    en: 'code and accepted go together: where the answer says it, and what it says then',
    zh: 'code 与 accepted 须同时给出：应答中的位置，以及表示受理的取值',
  },
  'channel-receipts-open': {
    en: 'anybody could post receipts: give either a token or a sign rule',
    zh: '任何人都能提交回执：请给出 token 或 sign 其中之一',
  },
  'channel-topic': {
    en: '"{found}" is no topic to publish to: no wildcard or blank, not under lifeline/ or $',
    zh: '“{found}”不能用作发布主题：不得含通配符或空格，不得位于 lifeline/ 或 $ 之下',
  },
  'receipt-nobody': {
    en: 'nobody takes receipts of {receiver} posted so',
    zh: '没有以此方式接收 {receiver} 回执的接收方',
  },
} as const satisfies Record<string, Bilingual>;
