// What stands behind the link of a message: GET shows the alarm, POST takes an answer to it. Who
// has the link needs no account; what it is good for is one delivery to one receiver
// (notify/confirmations.ts). A GET never confirms: programs that look after mail and messages open
// links too. A POST may come twice and then changes nothing.
import type { Clock } from '../../core/clock.ts';
import type { Language } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import { type Word, words } from '../notify/answers.ts';
import { type Checked, type Confirmations, LINK_PATH } from '../notify/confirmations.ts';
import { isStorage } from '../notify/ledger.ts';
import type { Delivery } from '../notify/notifier.ts';
import type { Pipeline } from '../notify/pipeline.ts';
import type { AnswerView, RefusalKind, Voice } from './answer-page.ts';
import { answerPage, refusalPage, STYLE, typedName } from './answer-page.ts';
import { Pace } from './pace.ts';
import type { PageAnswer, PageCall, Pages } from './pages.ts';

/**
 * Tokens that are none, from one address. Guessing 128 bits is hopeless at any pace; this keeps
 * the trying cheap. Who holds a good token is not held up by others behind the same address, as
 * behind a proxy.
 */
export const WRONG_PER_MINUTE = 20;
/** Calls with one good token: a person reloads, a program that went wrong does it without end. */
export const CALLS_PER_MINUTE = 60;
const MINUTE_MS = 60_000;
/** Of others who have said something the page shows so many. */
const VOICES_MAX = 8;

export interface AnswerSources {
  readonly links: Pick<Confirmations, 'check'>;
  readonly notify: Pick<Pipeline, 'deliveries'> & {
    readonly answers: Pick<Pipeline['answers'], 'answer' | 'find' | 'seen'>;
  };
  readonly alarmOf: (occurrence: string) => Alarm | null;
  /** What a person is called; the id where nothing else is known. */
  readonly nameOf: (person: string) => string;
  readonly utcOffsetMs: number;
}

const statuses = {
  expired: 410,
  wrong: 404,
  'too-many': 429,
  failed: 503,
} as const satisfies Record<RefusalKind, number>;

export function answerPages(clock: Clock, sources: AnswerSources): Pages {
  const wrong = new Pace(clock, { max: WRONG_PER_MINUTE, perMs: MINUTE_MS });
  const calls = new Pace(clock, { max: CALLS_PER_MINUTE, perMs: MINUTE_MS });
  const { links, notify } = sources;
  const deliveryOf = (number: number) => notify.answers.find(number);

  const refuse = (kind: RefusalKind, language: Language): PageAnswer => ({
    status: statuses[kind],
    html: refusalPage(language, kind),
    ...(kind === 'too-many' && { retryAfterS: MINUTE_MS / 1000 }),
  });
  const found = ({ params, from }: PageCall): Checked | { readonly kind: 'too-many' } => {
    const checked = links.check(params['token'] ?? '', clock.wallMs(), deliveryOf);
    const isInTime =
      checked.kind === 'wrong' ? wrong.take(from) : calls.take(String(checked.delivery.number));
    return isInTime ? checked : { kind: 'too-many' };
  };
  // What cannot be recorded is not noticed: the alarm is shown all the same.
  const noteSeen = (number: number): void => {
    try {
      notify.answers.seen(number, clock.wallMs());
    } catch (error) {
      if (!isStorage(error)) throw error;
    }
  };
  const show = (call: PageCall): PageAnswer => {
    const checked = found(call);
    if (checked.kind !== 'valid') return refuse(checked.kind, call.language);
    const { number } = checked.delivery;
    if (call.isVisit) noteSeen(number);
    const view = viewOf(sources, deliveryOf(number) ?? checked.delivery, clock.wallMs());
    return { status: 200, html: answerPage(call.language, view) };
  };
  const take = (call: PageCall): PageAnswer => {
    const checked = found(call);
    if (checked.kind !== 'valid') return refuse(checked.kind, call.language);
    const { number, receiver, person } = checked.delivery;
    const word = words.find((each) => each === call.form.get('word'));
    if (!word) return { status: 400, html: refusalPage(call.language, 'failed') };
    const typed = person === null ? typedName(call.form.get('name') ?? '') : '';
    const by = person === null ? typed || receiver : sources.nameOf(person);
    const actor = { name: `receiver ${receiver}`, from: call.from };
    notify.answers.answer(number, word, by, clock.wallMs(), actor);
    const query = call.isLanguageChosen ? `?lang=${call.language}` : '';
    return { seeOther: `./${call.params['token']}${query}` };
  };
  const url = `${LINK_PATH}:token`;
  return {
    list: [
      { method: 'GET', url, handle: show },
      { method: 'POST', url, handle: take },
    ],
    style: STYLE,
    failed: (language) => refusalPage(language, 'failed'),
  };
}

function viewOf(sources: AnswerSources, delivery: Delivery, nowMs: number): AnswerView {
  const { alarmOf, nameOf, notify, utcOffsetMs } = sources;
  const { receiver, person } = delivery;
  const occurrence = delivery.alarm.occurrence;
  const alarm = alarmOf(occurrence) ?? delivery.alarm;
  const voices = notify.deliveries({ occurrence }).flatMap(voicesOf);
  const { acknowledgedMs, acknowledgedBy } = alarm;
  if (acknowledgedMs !== null) {
    voices.push({ by: acknowledgedBy ?? '', atMs: acknowledgedMs, word: 'confirmed' });
  }
  // One line for each who has it and when: a group is confirmed by one word at all its receivers.
  const distinct = new Map(voices.map((voice) => [`${voice.word} ${voice.by}`, voice]));
  const ordered = [...distinct.values()].sort((a, b) => a.atMs - b.atMs);
  return {
    ...{ alarm, utcOffsetMs, nowMs },
    to: person === null ? receiver : nameOf(person),
    isShared: person === null,
    voices: ordered.slice(-VOICES_MAX),
    open: openWords(delivery),
  };
}

function voicesOf(delivery: Delivery): Voice[] {
  const { confirmedMs, confirmedBy, actedMs, declined } = delivery;
  const by = confirmedBy ?? '';
  if (actedMs !== null) return [{ by, atMs: actedMs, word: 'on_my_way' }];
  if (confirmedMs !== null) return [{ by, atMs: confirmedMs, word: 'confirmed' }];
  return declined ? [{ ...declined, word: 'not_mine' }] : [];
}

function openWords({ confirmedMs, actedMs, declined }: Delivery): Word[] {
  return words.filter((word) => {
    if (word === 'on_my_way') return actedMs === null;
    return confirmedMs === null && !(word === 'not_mine' && declined);
  });
}
