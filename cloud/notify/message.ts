// What a notice says to a person: a title of one line, plain text, and markdown.
import type { Bilingual } from '../../core/text/text.ts';
import type { MessageLanguage } from './channels/channel.ts';
import type { Delivery, Notice } from './notifier.ts';

export interface Message {
  readonly title: string;
  readonly text: string;
  readonly markdown: string;
}

const levels = ['I', 'II', 'III', 'IV'] as const;
const over: Bilingual = { en: 'OVER', zh: '已解除' };
const drill: Bilingual = { en: 'DRILL', zh: '演练' };

export function messageOf({ deliveries, links }: Notice, language: MessageLanguage): Message {
  const words = ({ zh, en }: Bilingual) => ({ zh, en, both: `${zh} ${en}` })[language];
  const titleOf = ({ alarm, transition }: Delivery) =>
    [
      ...(alarm.purpose === 'drill' ? [`[${words(drill)}]`] : []),
      ...(transition === 'cleared' ? [`[${words(over)}]`] : []),
      `[${levels[alarm.level - 1]}]`,
      words(alarm.title),
    ].join(' ');
  const partsOf = ({ alarm }: Delivery, at: number) => [
    `${words(alarm.name)} ${alarm.value ?? '-'} ${alarm.unit}`,
    alarm.asset ?? alarm.key,
    ...(alarm.action ? [words(alarm.action)] : []),
    ...(links[at] ? [links[at]] : []),
  ];
  const more = deliveries.length > 1 ? ` (+${deliveries.length - 1})` : '';
  return {
    title: `${titleOf(deliveries[0])}${more}`,
    text: deliveries.map((it, at) => [titleOf(it), ...partsOf(it, at)].join('\n')).join('\n\n'),
    markdown: deliveries
      .map((it, at) => [`**${titleOf(it)}**`, ...partsOf(it, at)].join('\n\n'))
      .join('\n\n---\n\n'),
  };
}
