// The page on which somebody answers an alarm: made for a phone of 360 points held in one hand, in
// the sun, over a bad line. One document of some 5 KB, black on white, targets of 48 points and
// more; the level by colour, shape and numeral. Whatever was written by others is escaped.
import { levelNumerals } from '../../core/alarm/rule.ts';
import { localIso } from '../../core/local-time.ts';
import type { Language, MessageArguments, MessageKey } from '../../core/text/text.ts';
import { say } from '../../core/text/text.ts';
import { unitSymbol } from '../../core/units.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { type Word, words } from '../notify/answers.ts';

export const NAME_LENGTH_MAX = 60;

/** Somebody who has said something of the alarm. */
export interface Voice {
  readonly by: string;
  readonly atMs: number;
  readonly word: Word;
}

export interface AnswerView {
  /** As it is now. */
  readonly alarm: Alarm;
  /** The person's name, or the receiver. */
  readonly to: string;
  /** Whether who answers is asked who they are. */
  readonly isShared: boolean;
  readonly voices: readonly Voice[];
  /** What can still be said by this link. */
  readonly open: readonly Word[];
  /** Local time less UTC. */
  readonly utcOffsetMs: number;
  readonly nowMs: number;
}

const buttons = {
  confirmed: 'answer-confirm',
  on_my_way: 'answer-way',
  not_mine: 'answer-not-mine',
} as const satisfies Record<Word, MessageKey>;

const voiced = {
  confirmed: 'answer-has',
  on_my_way: 'answer-on-way',
  not_mine: 'answer-declined',
} as const satisfies Record<Word, MessageKey>;

export function answerPage(language: Language, view: AnswerView): string {
  const { alarm, to, isShared, open, utcOffsetMs, nowMs } = view;
  const other: Language = language === 'en' ? 'zh' : 'en';
  const at = (ms: number) => clockTime(ms, utcOffsetMs, nowMs);
  const title = alarm.title[language];
  const numeral = levelNumerals[alarm.level];
  const where = alarm.asset ?? alarm.key;
  const value = alarm.value === null ? '' : ` ${withUnit(alarm.value, alarm, language)}`;
  const facts = [
    ...(alarm.limit === null
      ? []
      : [fact(say(language, 'answer-limit'), withUnit(alarm.limit, alarm, language))]),
    fact(
      say(language, 'answer-since'),
      `${at(alarm.beganMs)} · ${ago(language, nowMs - alarm.beganMs)}`,
    ),
    fact(say(language, 'answer-point'), alarm.key),
    fact(say(language, 'answer-to'), to),
  ];
  const body = [
    ...(alarm.purpose === 'drill' ? [drillMark(language)] : []),
    `<header class="level-${alarm.level}"><span class="mark"><b>${numeral}</b></span>`,
    `<h1>${text(title)}</h1>`,
    `<small lang="${tag[other]}">${text(alarm.title[other])}</small></header>`,
    `<p class="what">${text(where)}<br>${text(`${alarm.name[language]}${value}`)}</p>`,
    ...(alarm.action ? [todo(language, alarm.action[language])] : []),
    '<ul>',
    ...stateOf(language, view, at),
    '</ul>',
    ...(open.length > 0 ? [form(language, open, isShared)] : []),
    `<dl>${facts.join('')}</dl>`,
    `<p class="note">${text(say(language, 'answer-secret'))}</p>`,
  ];
  return page(language, `${numeral} ${title}`, body.join('\n'));
}

function drillMark(language: Language): string {
  return `<p class="drill"><b>演练 · DRILL</b><br>${text(say(language, 'answer-drill'))}</p>`;
}

function todo(language: Language, action: string): string {
  return `<p class="do"><small>${text(say(language, 'answer-do'))}</small><br>${text(action)}</p>`;
}

// That nobody has it is what matters most to who reads it.
function stateOf(
  language: Language,
  { alarm: { clearedMs }, voices }: AnswerView,
  at: (ms: number) => string,
): string[] {
  const isHeld = voices.some(({ word }) => word !== 'not_mine');
  const said = voices.map(({ by, atMs, word }) => ({
    kind: word === 'not_mine' ? 'passed' : 'held',
    line: say(language, voiced[word], { by, at: at(atMs) }),
  }));
  const over = clearedMs === null ? [] : [say(language, 'answer-over', { at: at(clearedMs) })];
  const nobody = isHeld || clearedMs !== null ? [] : [say(language, 'answer-nobody')];
  return [
    ...over.map((line) => ({ kind: 'over', line })),
    ...said,
    ...nobody.map((line) => ({ kind: 'free', line })),
  ].map(({ kind, line }) => `<li class="${kind}">${text(line)}</li>`);
}

const refusals = {
  expired: ['answer-expired', 'answer-expired-do'],
  wrong: ['answer-wrong', 'answer-wrong-do'],
  'too-many': ['answer-too-many', 'answer-too-many-do'],
  failed: ['answer-failed', 'answer-failed-do'],
} as const satisfies Record<string, readonly [MessageKey, MessageKey]>;
export type RefusalKind = keyof typeof refusals;

/** Why nothing was recorded, and what to do; in both languages, since it may be all there is. */
export function refusalPage(language: Language, kind: RefusalKind): string {
  const other: Language = language === 'en' ? 'zh' : 'en';
  const [title, advice] = refusals[kind];
  const part = (spoken: Language) =>
    `<section lang="${tag[spoken]}"><h1>${text(say(spoken, title))}</h1><p>${text(say(spoken, advice))}</p></section>`;
  return page(
    language,
    say(language, title),
    `<div class="stop">${part(language)}${part(other)}</div>`,
  );
}

const tag = { en: 'en', zh: 'zh-CN' } as const;
const nameOfOther = { en: '中文', zh: 'English' } as const;

function page(language: Language, title: string, body: string): string {
  const other = language === 'en' ? 'zh' : 'en';
  return `<!doctype html>
<html lang="${tag[language]}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="format-detection" content="telephone=no">
<title>${text(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<nav><a href="?lang=${other}" lang="${tag[other]}">${nameOfOther[language]}</a></nav>
<main>
${body}
</main>
</body>
</html>
`;
}

function form(language: Language, open: readonly Word[], isShared: boolean): string {
  const name = `<label>${text(say(language, 'answer-name'))}
<input name="name" maxlength="${NAME_LENGTH_MAX}" autocomplete="name" enterkeyhint="done"></label>`;
  const all = words
    .filter((word) => open.includes(word))
    .map(
      (word) =>
        `<button name="word" value="${word}">${text(say(language, buttons[word]))}</button>`,
    );
  return [
    `<form method="post" action="?lang=${language}">`,
    ...(isShared ? [name] : []),
    ...all,
    ...(open.includes('not_mine')
      ? [`<p class="note">${text(say(language, 'answer-explained'))}</p>`]
      : []),
    '</form>',
  ].join('\n');
}

function fact(name: string, value: string): string {
  return `<div><dt>${text(name)}</dt><dd>${text(value)}</dd></div>`;
}

function withUnit(value: number, { unit }: Alarm, language: Language): string {
  return `${value} ${unitSymbol(unit, language)}`.trim();
}

/** `12:04:31`, and the day before it where that is not today. */
function clockTime(ms: number, utcOffsetMs: number, nowMs: number): string {
  const [day = '', time = ''] = localIso(ms, utcOffsetMs).split('T');
  return localIso(nowMs, utcOffsetMs).startsWith(day) ? time : `${day} ${time}`;
}

function ago(language: Language, ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return say(language, 'answer-now');
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const span =
    minutes < 120
      ? say(language, 'answer-minutes', { count: minutes })
      : hours < 48
        ? say(language, 'answer-hours', { count: hours })
        : say(language, 'answer-days', { count: days });
  return say(language, 'answer-ago', { ago: span } satisfies MessageArguments<'answer-ago'>);
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function text(raw: string): string {
  return raw.replaceAll(/[&<>"']/g, (each) => entities[each] ?? '');
}

/** A name as somebody typed it: one line, nothing that is not seen, nothing that turns the text. */
export function typedName(raw: string): string {
  const plain = raw.normalize('NFC').replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ');
  return [...plain.replaceAll(/\s+/g, ' ').trim()].slice(0, NAME_LENGTH_MAX).join('');
}

export const STYLE = `
*{box-sizing:border-box}
body{
margin:0;background:#fff;color:#000;
font:17px/1.45 system-ui,"PingFang SC","Noto Sans SC","Noto Sans CJK SC",sans-serif;
overflow-wrap:anywhere;}
main,nav{max-width:30rem;margin:0 auto}
nav{text-align:right}
nav a{display:inline-block;min-height:48px;padding:12px 16px;color:#000}
.drill{margin:0;padding:8px 12px;border:4px dashed #000}
.drill b{font-size:22px}
header{position:relative;padding:16px 16px 16px 84px;min-height:88px}
header h1{margin:0;font-size:22px;line-height:1.25}
header small{display:block;margin-top:4px;font-size:15px}
.mark{
position:absolute;left:16px;top:16px;width:56px;height:56px;background:#fff;color:#000;
display:flex;align-items:center;justify-content:center;font-size:22px;}
.level-1{background:#b71c1c;color:#fff}
.level-1 .mark{clip-path:polygon(30% 0,70% 0,100% 30%,100% 70%,70% 100%,30% 100%,0 70%,0 30%)}
.level-2{background:#f57c00;color:#000}
.level-2 .mark{clip-path:polygon(50% 0,100% 50%,50% 100%,0 50%)}
.level-3{background:#fdd835;color:#000}
.level-3 .mark{clip-path:polygon(50% 0,100% 100%,0 100%);padding-top:18px;font-size:18px}
.level-4{background:#0d47a1;color:#fff}
.level-4 .mark{border-radius:50%}
.what{margin:0;padding:12px 16px 8px;font-size:20px;font-weight:700;line-height:1.35}
.do{margin:0;padding:0 16px 10px}
ul{margin:0;padding:10px 16px;list-style:none;font-weight:700;
border-top:1px solid #999;border-bottom:2px solid #000}
.held:before{content:"\\2713\\00a0"}
.passed{font-weight:400}
form{padding:16px 16px 4px}
label{display:block;margin-bottom:12px;font-size:15px}
input{
display:block;width:100%;min-height:48px;margin-top:4px;padding:8px 12px;border:2px solid #000;
border-radius:6px;font:inherit;}
button{
display:block;width:100%;min-height:56px;margin-bottom:12px;border:2px solid #000;
border-radius:6px;background:#fff;color:#000;font:inherit;font-weight:700;}
button:first-of-type{background:#000;color:#fff}
a:focus,button:focus,input:focus{outline:4px solid #0b57d0;outline-offset:2px}
dl{margin:0;padding:4px 16px}
dl div{display:flex;gap:12px;padding:8px 0;border-bottom:1px solid #999}
dt{flex:0 0 5.2rem;font-size:15px}
dd{margin:0;flex:1}
.note{margin:8px 0;padding:0;font-size:15px}
main>.note{padding:8px 16px 24px}
.stop{padding:0 16px}
.stop section+section{margin-top:24px;padding-top:8px;border-top:2px solid #000}
.stop h1{font-size:22px}
`;
