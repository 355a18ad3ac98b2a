// What a notice says to a person: a title of one line, plain text, and markdown. Pure.
//
// First how bad it is, by word, numeral and sign and never by colour alone; then what, where, the
// value and since when; then what to do, with the rule's response sheet; last the links. A drill, a
// test, and what is only the end of an alarm say so before anything else. Of several deliveries the
// worst are told by name and the others by number, so that a flood is still one message.
//
// A site may have words of its own (wording.ts). Where such a template cannot say what it wants to
// for this alarm, the built-in words are used instead, and the ledger says so: somebody is called
// in any case.
//
// Names come from sites and from other systems: each is one line without signs that turn the order
// of what is read, so that none can pass for another part of the message.
import { localTime } from '../../core/local-time.ts';
import type { Bilingual, Language, MessageArguments, MessageKey } from '../../core/text/text.ts';
import { say } from '../../core/text/text.ts';
import { unitSymbol } from '../../core/units.ts';
import { caseStates } from '../cases/case.ts';
import { stateText } from '../cases/words.ts';
import type { Delivery, Notice, Outcome, Told } from './notifier.ts';
import type { Template, TemplateField, Wording } from './wording.ts';
import { fillTemplate, templateFor } from './wording.ts';

export interface Message {
  readonly title: string;
  readonly text: string;
  readonly markdown: string;
  /** Why the site's own words were not used, for the ledger; null where all is as it should be. */
  readonly note: string | null;
}

/** What came of sending `message`, with its note. */
export function noted(outcome: Outcome, { note }: Message): Outcome {
  return outcome.kind === 'sent' && note !== null ? { ...outcome, note } : outcome;
}

/** Told whole in a message of several; of the rest one line each, and then their number. */
const WHOLE_MAX = 3;
const LINES_MAX = 20;
/** Heard of so much after it was raised, a message says so: what it tells is no news. */
const LATE_MS = 60_000;
/** The last who were told: who is next wants to know whom to ask. */
const TOLD_MAX = 5;
/** Beside the numeral, so that levels differ without colour. */
const signs = { 1: '▲▲▲', 2: '▲▲', 3: '▲', 4: '●' } as const;

type Say = <Key extends MessageKey>(key: Key, ...rest: SayRest<Key>) => string;
type SayRest<Key extends MessageKey> = [keyof MessageArguments<Key>] extends [never]
  ? []
  : [MessageArguments<Key>];

/** What a message in one language needs. */
interface Tongue {
  readonly language: Language;
  readonly utcOffsetMs: number;
  readonly say: Say;
  readonly of: (text: Bilingual) => string;
}

export function messageOf(notice: Notice, wording: Wording): Message {
  const { language, utcOffsetMs, templates } = wording;
  const languages: readonly Language[] = language === 'both' ? ['zh', 'en'] : [language];
  const parts = languages.map((each) => {
    const tongue: Tongue = {
      ...{ language: each, utcOffsetMs },
      say: (key, ...[values]) => say(each, key, ...([values ?? {}] as unknown as never)),
      of: (text) => oneLine(text[each]),
    };
    return partOf(notice, tongue, templates);
  });
  // Links are the same in both languages: they stand once, at the end.
  const links = linksOf(notice, languages);
  return {
    title: parts.map(({ title }) => title).join(' / '),
    text: [...parts.map(({ title, lines }) => [title, ...lines].join('\n')), ...links].join('\n\n'),
    markdown: [
      ...parts.map(
        ({ title, lines }) => `**${marked(title)}**\n\n${lines.map(marked).join('\n\n')}`,
      ),
      ...links,
    ].join('\n\n'),
    note: parts.find(({ note }) => note !== undefined)?.note ?? null,
  };
}

interface Part {
  readonly title: string;
  readonly lines: readonly string[];
  readonly note?: string;
}

function partOf(notice: Notice, tongue: Tongue, templates: readonly Template[]): Part {
  const { deliveries } = notice;
  const [first] = deliveries;
  if (deliveries.length > 1) return digestOf(deliveries, tongue);
  const template = templateFor(templates, first.transition);
  const builtIn = {
    title: titleOf(first, tongue),
    lines: linesOf(first, tongue, notice.told?.[0]),
  };
  if (!template) return builtIn;
  const fields = fieldsOf(first, tongue);
  const title = fillTemplate(template.title[tongue.language], fields);
  const text = fillTemplate(template.text[tongue.language], fields);
  const missing = title.missing ?? text.missing;
  if (missing !== null) {
    return { ...builtIn, note: `built-in words: this alarm has no {${missing}}` };
  }
  // The mark is not the site's to leave out.
  const mark = markOf(first, tongue);
  return {
    title: oneLine(title.text.startsWith(mark) ? title.text : `${mark} ${title.text}`),
    lines: text.text.split('\n'),
  };
}

/** Fields of a template; null for what this alarm has not. */
export function fieldsOf(
  delivery: Delivery,
  tongue: Tongue,
): Readonly<Record<TemplateField, string | null>> {
  const { alarm } = delivery;
  const { of, utcOffsetMs } = tongue;
  const time = (ms: number | null) => (ms === null ? null : localTime(ms, utcOffsetMs));
  const sheet = alarm.sheet;
  return {
    mark: markOf(delivery, tongue),
    level: tongue.say(`message-level-${alarm.level}`),
    title: of(alarm.title),
    transition: tongue.say(`message-${delivery.transition}`),
    name: of(alarm.name),
    asset: alarm.asset && oneLine(alarm.asset),
    point: oneLine(alarm.key),
    area: alarm.area,
    gateway: alarm.gateway,
    value: alarm.value === null ? null : amount(alarm.value, alarm.unit, tongue),
    limit: alarm.limit === null ? null : amount(alarm.limit, alarm.unit, tongue),
    began: time(alarm.beganMs),
    raised: time(alarm.raisedMs),
    cleared: time(alarm.clearedMs),
    action: alarm.action && of(alarm.action),
    cause: sheet?.cause ? of(sheet.cause) : null,
    consequence: sheet?.consequence ? of(sheet.consequence) : null,
    basis: sheet?.basis ? of(sheet.basis) : null,
    id: alarm.occurrence,
  };
}

function markOf({ alarm }: Delivery, { say }: Tongue): string {
  if (alarm.purpose === 'drill') return say('message-drill');
  if (alarm.purpose === 'path-test') return say('message-path-test');
  return alarm.test === null ? '' : say('message-test');
}

function titleOf(delivery: Delivery, tongue: Tongue): string {
  const { alarm, transition } = delivery;
  const { say, of } = tongue;
  const mark = markOf(delivery, tongue);
  const level = say(`message-level-${alarm.level}`);
  const head = {
    mark: mark && `${mark} `,
    shape: signs[alarm.level],
    level,
    title: of(alarm.title),
  };
  if (transition === 'raised') return say('message-headline', head);
  const word = say(`message-${transition}`);
  return say('message-headline-other', { ...head, transition: word });
}

function linesOf(delivery: Delivery, tongue: Tongue, told: readonly Told[] = []): string[] {
  const { alarm } = delivery;
  const { say, of, utcOffsetMs } = tongue;
  const began = localTime(alarm.beganMs, utcOffsetMs);
  const place = { name: of(alarm.name), point: oneLine(alarm.key) };
  return [
    ...(alarm.asset === null ? [] : [say('message-where', { asset: oneLine(alarm.asset) })]),
    say('message-point', place),
    ...valueLines(delivery, tongue),
    alarm.clearedMs === null || delivery.transition !== 'cleared'
      ? say('message-since', { began })
      : say('message-until', {
          ...{ began, cleared: localTime(alarm.clearedMs, utcOffsetMs) },
          lasted: spanText(alarm.clearedMs - alarm.beganMs),
        }),
    ...lateLines(delivery, tongue),
    ...overdueLines(delivery, tongue),
    ...toldLines(told, tongue),
    ...(delivery.transition === 'cleared' ? [] : sheetLines(delivery, tongue)),
    say('message-id', { id: alarm.occurrence }),
  ];
}

function valueLines({ alarm }: Delivery, tongue: Tongue): string[] {
  const { say } = tongue;
  const value = alarm.value === null ? null : amount(alarm.value, alarm.unit, tongue);
  const limit = alarm.limit === null ? null : amount(alarm.limit, alarm.unit, tongue);
  if (value !== null && limit !== null) return [say('message-value', { value, limit })];
  if (value !== null) return [say('message-value-alone', { value })];
  return limit === null ? [] : [say('message-limit-alone', { limit })];
}

function lateLines({ alarm, transition }: Delivery, { say, utcOffsetMs }: Tongue): string[] {
  const lateMs = alarm.raisedReceivedMs - alarm.raisedMs;
  if (lateMs < LATE_MS || transition === 'cleared') return [];
  const received = localTime(alarm.raisedReceivedMs, utcOffsetMs);
  return [say('message-late', { received, late: spanText(lateMs) })];
}

function overdueLines({ escalation }: Delivery, { say, of, utcOffsetMs }: Tongue): string[] {
  if (!escalation) return [];
  const { case: id, state, dueMs, owner } = escalation;
  const due = localTime(dueMs, utcOffsetMs);
  const who = owner === null ? say('message-no-owner') : oneLine(owner);
  const known = caseStates.find((each) => each === state);
  const step = known ? of(stateText(known)) : state;
  return [say('message-overdue', { case: id, step, due, owner: who })];
}

function toldLines(told: readonly Told[], { say }: Tongue): string[] {
  if (told.length === 0) return [];
  const shown = told
    .slice(-TOLD_MAX)
    .map(({ name, state }) => say('message-told-one', { name, state: say(`delivery-${state}`) }));
  return [say('message-told', { told: shown.join(', ') })];
}

function sheetLines({ alarm: { action, sheet } }: Delivery, { say, of }: Tongue): string[] {
  const { cause = null, consequence = null, timeAvailableMs = null, basis = null } = sheet ?? {};
  return [
    ...(action ? [say('message-action', { action: of(action) })] : []),
    ...(timeAvailableMs === null ? [] : [say('message-time', { time: spanText(timeAvailableMs) })]),
    ...(consequence ? [say('message-consequence', { consequence: of(consequence) })] : []),
    ...(cause ? [say('message-cause', { cause: of(cause) })] : []),
    ...(basis ? [say('message-basis', { basis: of(basis) })] : []),
  ];
}

// The first are the worst: the pipeline has put them in order.
function digestOf(deliveries: readonly Delivery[], tongue: Tongue): Part {
  const { say, of } = tongue;
  const counts = new Map<string, number>();
  for (const { alarm } of deliveries) {
    const level = say(`message-level-${alarm.level}`);
    counts.set(level, (counts.get(level) ?? 0) + 1);
  }
  const levels = [...counts].map(([level, count]) => `${level} ${count}`).join(', ');
  const marked = deliveries.filter((each) => markOf(each, tongue) !== '').length;
  const isAllMarked = marked === deliveries.length;
  const title = say('message-digest', { count: deliveries.length, levels });
  const whole = deliveries.slice(0, WHOLE_MAX);
  const named = deliveries.slice(WHOLE_MAX, LINES_MAX);
  const lineOf = (each: Delivery) => {
    const where = oneLine(each.alarm.asset ?? each.alarm.key);
    return `${titleOf(each, tongue)} · ${of(each.alarm.name)} · ${where}`;
  };
  const rest = deliveries.length - whole.length - named.length;
  return {
    title: isAllMarked ? `${markOf(deliveries[0]!, tongue)} ${title}` : title,
    lines: [
      ...(marked > 0 && !isAllMarked ? [say('message-digest-drills', { count: marked })] : []),
      ...whole.flatMap((each) => [titleOf(each, tongue), ...linesOf(each, tongue), '']),
      ...named.map(lineOf),
      ...(rest > 0 ? [say('message-digest-more', { count: rest })] : []),
    ],
  };
}

function linksOf({ deliveries, links }: Notice, languages: readonly Language[]): string[] {
  const found = links
    .slice(0, WHOLE_MAX)
    .flatMap((link, at) => (link === null ? [] : [{ link, at }]));
  const label = languages.map((each) => say(each, 'message-answer')).join(' / ');
  return found.map(({ link, at }) => {
    const nth = deliveries.length > 1 ? ` ${at + 1}` : '';
    return `${label}${nth}: ${link}`;
  });
}

function amount(value: number, unit: string, { language }: Tongue): string {
  const symbol = unitSymbol(unit, language);
  const shown = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(6)));
  return symbol === '' || unit === '1' ? shown : `${shown} ${symbol}`;
}

/** `1:05:09`, hours first. */
function spanText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const two = (count: number) => String(Math.floor(count)).padStart(2, '0');
  return `${Math.floor(seconds / 3_600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`;
}

// Control signs, line ends and what turns the direction of writing (Unicode Bidi_Control) are a
// space.
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, ' ').trim();
}

// No sign of a name may begin a link, an emphasis or a heading.
function marked(line: string): string {
  return line.replaceAll(/[\\`*_[\]<>#~|]/g, (sign) => `\\${sign}`);
}
