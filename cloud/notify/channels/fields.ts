// The fields of a notice that a template may name: of the first of its deliveries, which is the
// worst.
import { levelNumerals } from '../../../core/alarm/rule.ts';
import type { Bilingual } from '../../../core/text/text.ts';
import type { Message } from '../message.ts';
import type { Notice } from '../notifier.ts';
import type { MessageLanguage } from './channel.ts';

export const messageFields = [
  ...['id', 'occurrence', 'title', 'text', 'level', 'area', 'gateway', 'asset', 'point', 'name'],
  ...['alarm', 'action', 'value', 'limit', 'unit', 'time', 'link', 'count'],
] as const;
type MessageField = (typeof messageFields)[number];

export function noticeFields(
  { deliveries, links }: Notice,
  { title, text }: Message,
  language: MessageLanguage,
): [string, string][] {
  const [{ id, alarm, transition }] = deliveries;
  const words = ({ zh, en }: Bilingual) => ({ zh, en, both: `${zh} ${en}` })[language];
  const number = (value: number | null) => (value === null ? '' : String(value));
  const atMs = transition === 'cleared' ? (alarm.clearedMs ?? alarm.raisedMs) : alarm.raisedMs;
  const fields: Readonly<Record<MessageField, string>> = {
    ...{ id, occurrence: alarm.occurrence, title, text, level: levelNumerals[alarm.level] },
    ...{ area: alarm.area, gateway: alarm.gateway, asset: alarm.asset ?? '', point: alarm.key },
    ...{ name: words(alarm.name), alarm: words(alarm.title) },
    action: alarm.action ? words(alarm.action) : '',
    ...{ value: number(alarm.value), limit: number(alarm.limit), unit: alarm.unit },
    ...{ time: new Date(atMs).toISOString(), link: links[0] ?? '', count: `${deliveries.length}` },
  };
  return Object.entries(fields);
}
