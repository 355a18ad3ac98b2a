// What the Chinese national early-warning system (国家突发事件预警信息发布系统) calls what a message says: its
// identifier, colours and levels, times in Beijing time.
//
// The identifier and the forms of values follow 突发事件预警信息取值规则及说明 as it is published; colours
// and levels 突发事件应对法 (a law: four levels, red to blue). Which element of the platform's own XML
// takes which of them its interface (GB/T 34283, GB/T 35965) says, which is not public: here they
// have the names of CAP.

import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { localIso } from '../../core/local-time.ts';
import type { Message, MessageType, Status } from './warning.ts';
import { BEIJING_OFFSET_MS } from './warning.ts';

export interface NationalCodes {
  /** GB/T 2260: six digits of the administrative division. */
  readonly division: string;
  /** GB/T 4657: three signs of the kind of organisation. */
  readonly organisation: string;
  /** Three signs within it; `000` where there is none. */
  readonly internal: string;
  /** Two more; `00`. */
  readonly extension: string;
}

export const colours = {
  1: { colour: 'RED', word: '红色', roman: 'Ⅰ级', degree: '特别重大', severity: 'Extreme' },
  2: { colour: 'ORANGE', word: '橙色', roman: 'Ⅱ级', degree: '重大', severity: 'Severe' },
  3: { colour: 'YELLOW', word: '黄色', roman: 'Ⅲ级', degree: '较大', severity: 'Moderate' },
  4: { colour: 'BLUE', word: '蓝色', roman: 'Ⅳ级', degree: '一般', severity: 'Minor' },
} as const satisfies Record<AlarmLevel, Record<string, string>>;

/** Within one second so many messages have an identifier of their own. */
export const SERIALS = 10;

export function organisationCode(codes: NationalCodes): string {
  const { division, organisation, internal, extension } = codes;
  return `${division}${organisation}${internal}${extension}`;
}

/** `ZZZZZZDDDUUUXX_YYYYMMDDhhmmss_N`; `serial` 0 to 9. */
export function nationalIdentifier(codes: NationalCodes, atMs: number, serial: number): string {
  const digits = localIso(atMs, BEIJING_OFFSET_MS).replaceAll(/\D/g, '');
  return `${organisationCode(codes)}_${digits}_${serial}`;
}

/** `2026-11-22 12:00:00+08:00`: a blank where CAP has a `T`. */
export function nationalTime(ms: number): string {
  return `${localIso(ms, BEIJING_OFFSET_MS).replace('T', ' ')}+08:00`;
}

const statusWords = {
  Actual: '实际',
  Exercise: '演练',
  Test: '测试',
  Draft: '草稿',
} as const satisfies Record<Status, string>;
const typeWords = {
  Alert: '首次发布',
  Update: '更新',
  Cancel: '解除',
} as const satisfies Record<MessageType, string>;

/** A message in the values of the national system. */
export function nationalFields(message: Message, codes: NationalCodes) {
  const { identifier, sentMs, status, type, scope, references, content, expiresMs } = message;
  const { colour, word, roman, degree, severity } = colours[content.level];
  const { event, headline, description, instruction, area, onsetMs } = content;
  return {
    identifier,
    sender: message.senderName.zh,
    sender_code: organisationCode(codes),
    send_time: nationalTime(sentMs),
    ...{ status, status_word: statusWords[status] },
    ...{ msg_type: type, msg_type_word: typeWords[type] },
    scope: scope.kind,
    references: references.map((each) => each.identifier),
    event_type: event.zh,
    ...{ colour, colour_word: word, level: roman, degree, severity },
    effective: nationalTime(sentMs),
    onset: onsetMs === null ? null : nationalTime(onsetMs),
    expires: nationalTime(expiresMs),
    headline: headline.zh,
    description: description.zh,
    instruction: instruction?.zh ?? null,
    area: area.text.zh,
    geocodes: area.geocodes.map(({ value }) => value),
  };
}
