// Answers to an alarm: by a receiver's own word, and on the page of a phone.
import type { Bilingual, FaultText } from './text.ts';

export const confirmationMessages = {
  'confirmation-not-yours': {
    en: '{id} was sent to another receiver',
    zh: '{id} 发给了其他接收方',
  },
  'confirmation-receiver-needed': {
    en: '"{word}" is the word of one receiver: name it in "receiver"',
    zh: '“{word}”须由某一接收方作出，请在 receiver 中注明',
  },
  'links-ended': {
    en: 'Every link sent so far has ended; the next message carries a new one.',
    zh: '此前发出的链接已全部失效，下一条消息将附带新链接。',
  },
  'answer-drill': {
    en: 'There is no danger. Do what you would do in earnest.',
    zh: '没有真实险情，请按实战要求处置。',
  },
  'answer-limit': { en: 'Limit', zh: '限值' },
  'answer-point': { en: 'Point', zh: '测点' },
  'answer-since': { en: 'Since', zh: '开始' },
  'answer-ago': { en: '{ago} ago', zh: '{ago}前' },
  'answer-minutes': { en: '{count} min', zh: '{count} 分钟' },
  'answer-hours': { en: '{count} h', zh: '{count} 小时' },
  'answer-days': { en: '{count} d', zh: '{count} 天' },
  'answer-now': { en: 'just now', zh: '刚刚' },
  'answer-do': { en: 'What to do', zh: '处置措施' },
  'answer-to': { en: 'Sent to', zh: '发送给' },
  'answer-over': { en: 'Over since {at}', zh: '已于 {at} 解除' },
  'answer-nobody': { en: 'Nobody has it yet.', zh: '尚无人接手。' },
  'answer-has': { en: '{by} has it since {at}.', zh: '{by} 已于 {at} 接手。' },
  'answer-on-way': {
    en: '{by} is on the way since {at}.',
    zh: '{by} 已于 {at} 出发，正赶往现场。',
  },
  'answer-declined': {
    en: '{by} has passed it on at {at}: the next one is told.',
    zh: '{by} 已于 {at} 转出，系统将通知下一位。',
  },
  'answer-name': { en: 'Your name (optional, others see it)', zh: '您的姓名（选填，其他人可见）' },
  'answer-confirm': { en: 'I have it', zh: '我来处置' },
  'answer-way': { en: 'On my way', zh: '正赶往现场' },
  'answer-not-mine': { en: 'Not mine', zh: '不归我处置' },
  'answer-explained': {
    en: '"I have it" and "On my way" end all further calls. "Not mine" calls the next one now.',
    zh: '“我来处置”和“正赶往现场”将停止继续呼叫；“不归我处置”将立即呼叫下一位。',
  },
  'answer-secret': {
    en: 'Whoever has this link can answer for you. Do not pass it on.',
    zh: '持有此链接者即可代您答复，请勿转发。',
  },
  'answer-expired': { en: 'This link has ended', zh: '此链接已过期' },
  'answer-expired-do': {
    en: 'Nothing was recorded. Open the newest message of this alarm, or call the duty desk.',
    zh: '未记录任何答复。请打开该报警的最新消息，或致电值班台。',
  },
  'answer-wrong': { en: 'This link is not valid', zh: '此链接无效' },
  'answer-wrong-do': {
    en: 'Nothing was recorded. Open the link from the message itself and not a copy of it: a part may be missing. If there is an alarm, call the duty desk.',
    zh: '未记录任何答复。请直接点击消息中的链接，复制的链接可能不完整。如有报警，请致电值班台。',
  },
  'answer-too-many': { en: 'Too many calls', zh: '访问过于频繁' },
  'answer-too-many-do': {
    en: 'Nothing was recorded. Wait a minute and open the link again, or call the duty desk.',
    zh: '未记录任何答复。请一分钟后重新打开链接，或致电值班台。',
  },
  'answer-failed': { en: 'Your answer was not recorded', zh: '答复未能记录' },
  'answer-failed-do': {
    en: 'The server could not do it now. Try once more; if that fails too, call the duty desk.',
    zh: '服务器暂时无法处理。请再试一次；若仍失败，请致电值班台。',
  },
} as const satisfies Record<string, Bilingual>;

export const confirmationFaults = {
  confirmation_foreign: {
    en: {
      what: 'A receiver confirmed what was sent to another one.',
      cause: 'Its token was copied, or two receivers use the token of one.',
      action: 'Give each receiver a token of its own: lifeline cloud token NAME --receiver ID.',
    },
    zh: {
      what: '接收方确认了发给其他接收方的通知。',
      cause: '令牌被复制，或两个接收方共用同一令牌。',
      action: '请为每个接收方签发各自的令牌：lifeline cloud token NAME --receiver ID。',
    },
  },
} as const satisfies Record<string, FaultText>;
