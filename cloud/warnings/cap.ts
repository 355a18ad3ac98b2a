// A message as OASIS CAP 1.2 (Common Alerting Protocol, 2010): one `info` in Chinese and one in
// English, elements in the order of its schema (section 3.3.2).
//
// Promises. `sent` and the other times have an offset, no `Z` and no fraction; identifier and
// sender have no blank, comma, `<` or `&` (checked where they are made); a restriction stands where
// the scope is Restricted and addresses where it is Private, nowhere else; positions are WGS-84,
// polygons are closed; texts are plain, cut where a display would cut them, and any text gives a
// well-formed document.
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import type { Language } from '../../core/text/text.ts';
import type { Wgs84 } from './datum.ts';
import type { Content, Message, Named, Reference, WarningArea } from './warning.ts';
import { capTime } from './warning.ts';
import { cleaned, document, type Element, element, optional } from './xml.ts';

export const CAP_NAMESPACE = 'urn:oasis:names:tc:emergency:cap:1.2';
export const CAP_TYPE = 'application/cap+xml';
/** Advised by the standard: more is cut off by a telephone. */
export const HEADLINE_MAX = 160;

/** Of an identifier and a sender: a blank, a comma, `<` and `&` are not allowed. */
export const CAP_NAME = /^[^\s,<&\p{C}]{1,120}$/u;

/** Urgency and severity of a level. */
export const levelWords = {
  1: { urgency: 'Immediate', severity: 'Extreme' },
  2: { urgency: 'Expected', severity: 'Severe' },
  3: { urgency: 'Expected', severity: 'Moderate' },
  4: { urgency: 'Future', severity: 'Minor' },
} as const satisfies Record<AlarmLevel, { readonly urgency: string; readonly severity: string }>;

/** `utcOffsetMs`: in which local time it is written. */
export function capXml(message: Message, utcOffsetMs: number): string {
  return document(capAlert(message, utcOffsetMs));
}

function capAlert(message: Message, utcOffsetMs: number): Element {
  const { identifier, sender, sentMs, status, type, scope, note, references, incident } = message;
  const addresses = scope.kind === 'Private' ? scope.addresses.map(quoted).join(' ') : null;
  const said = note && [...new Set([note.zh, note.en].map(cleaned))].filter(Boolean).join(' / ');
  const refers = references.map((each) => referenceText(each, utcOffsetMs)).join(' ');
  return element(
    'alert',
    [
      element('identifier', identifier),
      element('sender', sender),
      element('sent', capTime(sentMs, utcOffsetMs)),
      element('status', status),
      element('msgType', type),
      element('scope', scope.kind),
      ...optional('restriction', scope.kind === 'Restricted' ? scope.restriction : null),
      ...optional('addresses', addresses),
      ...optional('note', said),
      ...optional('references', refers),
      ...optional('incidents', incident),
      capInfo(message, 'zh', utcOffsetMs),
      capInfo(message, 'en', utcOffsetMs),
    ],
    { xmlns: CAP_NAMESPACE },
  );
}

/** Three of a reference, as a later message names it. */
export function referenceText({ sender, identifier, sentMs }: Reference, offsetMs: number): string {
  return `${sender},${identifier},${capTime(sentMs, offsetMs)}`;
}

const languageNames = { zh: 'zh-CN', en: 'en-US' } as const satisfies Record<Language, string>;

function capInfo(message: Message, language: Language, utcOffsetMs: number): Element {
  const { type, content, expiresMs, senderName, contact, web } = message;
  const { urgency, severity } = levelWords[content.level];
  const isOver = type === 'Cancel';
  const responses = isOver ? (['AllClear'] as const) : content.responses;
  const time = (ms: number) => capTime(ms, utcOffsetMs);
  const { headline, description, instruction, onsetMs } = content;
  return element('info', [
    element('language', languageNames[language]),
    ...content.categories.map((each) => element('category', each)),
    element('event', required(content.event[language])),
    ...responses.map((each) => element('responseType', each)),
    element('urgency', isOver ? 'Past' : urgency),
    element('severity', severity),
    element('certainty', content.certainty),
    ...(onsetMs === null ? [] : [element('onset', time(onsetMs))]),
    element('expires', time(expiresMs)),
    ...optional('senderName', senderName[language]),
    ...optional('headline', cut(headline[language], HEADLINE_MAX)),
    ...optional('description', description[language]),
    ...(isOver ? [] : optional('instruction', instruction?.[language] ?? null)),
    ...optional('web', web),
    ...optional('contact', contact),
    ...content.parameters.map((each) => pair('parameter', each)),
    capArea(content.area, language),
  ]);
}

function capArea({ text, circle, polygon, geocodes }: WarningArea, language: Language): Element {
  return element('area', [
    element('areaDesc', required(text[language])),
    ...(polygon ? [element('polygon', [...polygon, polygon[0]!].map(pairOf).join(' '))] : []),
    ...(circle ? [element('circle', `${pairOf(circle.center)} ${circle.radiusKm}`)] : []),
    ...geocodes.map((each) => pair('geocode', each)),
  ]);
}

function pair(name: string, { name: valueName, value }: Named): Element {
  return element(name, [element('valueName', valueName), element('value', cleaned(value))]);
}

/** A metre and a tenth is the fifth digit, which no warning is finer than. */
const DIGITS = 5;
const pairOf = ({ latitude, longitude }: Wgs84) =>
  `${latitude.toFixed(DIGITS)},${longitude.toFixed(DIGITS)}`;

/** What the standard asks for is there, whatever a rule or a file calls it. */
function required(text: string): string {
  return cleaned(text) || '-';
}

/** On one line, and no longer than so many signs. */
export function cut(text: string, max: number): string {
  const signs = [...cleaned(text).replaceAll(/\s+/gu, ' ')];
  return signs.length <= max ? signs.join('') : `${signs.slice(0, max - 1).join('')}…`;
}

const quoted = (address: string) => (/\s/.test(address) ? `"${address}"` : address);

/** The content's own words, for who compares what is told with what was. */
export function isSaid(one: Content, other: Content): boolean {
  return JSON.stringify(comparable(one)) === JSON.stringify(comparable(other));
}

// When it began and which value was measured change with every alarm of the same danger.
function comparable({ level, categories, event, responses, instruction, area }: Content) {
  return [level, categories, event, responses, instruction, area];
}
