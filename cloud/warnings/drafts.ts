// The next message of a warning, and why it may not be drafted or released. Pure.

import { Fault } from '../../core/fault.ts';
import { localIso } from '../../core/local-time.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Wording } from './compose.ts';
import { contentOf, marked, over, statusOf, worded } from './compose.ts';
import { type EbmPackage, ebmPackage, type Signer } from './ebm.ts';
import { nationalIdentifier, SERIALS } from './national.ts';
import type { WarningSettings } from './settings.ts';
import type { Draft, Told, Warning } from './tables.ts';
import type { Message, MessageType, Status } from './warning.ts';
import { released, wholeSecond } from './warning.ts';

/** Of one warning: more would make references of more than 8 KB. */
export const MESSAGES_MAX = 100;
/** So long a Cancel stands in the feed, for whoever looks there seldom. */
export const CANCEL_VALID_MS = 3_600_000;

/** The kind under which a warning waits for the second person. */
export const WARNING_APPROVAL = 'warning';
/** What waits, for whoever decides about it. */
export interface WarningApproval {
  readonly asset: string | null;
  readonly revision: number;
  readonly type: MessageType;
  readonly status: Status;
  readonly level: number;
  readonly headline: Bilingual;
}

export function askedOf({ asset, revision, status }: Warning, draft: Draft): WarningApproval {
  const { level, headline } = marked(draft.content, status);
  return { asset, revision, type: draft.type, status, level, headline };
}

export const warningId = ({ number }: Pick<Warning, 'number'>) => `wrn-${number}`;

/** Who says it, when, why, and of which alarm. */
type Said = Pick<Draft, 'note' | 'by' | 'atMs' | 'occurrence'>;

export function alertOf(
  alarm: Alarm,
  wording: Wording,
  settings: WarningSettings,
  { name: by }: { readonly name: string },
  atMs: number,
): Draft {
  const base = contentOf(alarm, settings);
  const content = contentOf(alarm, settings, wording);
  const { occurrence } = alarm;
  const { validForMs } = settings;
  return { type: 'Alert', content, base, wording, occurrence, note: null, validForMs, by, atMs };
}

/** Takes back what was told last. */
export function cancelOf(last: Told, wording: Wording, said: Said): Draft {
  const content = worded(over(last.message.content), wording);
  const { base } = last;
  const validForMs = CANCEL_VALID_MS;
  return { ...said, type: 'Cancel', content, base, wording: last.wording, validForMs };
}

/** What of a message is neither in its draft nor in its warning. */
type Own = Pick<
  Message,
  'identifier' | 'sender' | 'scope' | 'senderName' | 'contact' | 'web' | 'incident'
>;

export function messageOf(
  { status }: Pick<Warning, 'status'>,
  { type, note, content, validForMs }: Draft,
  before: readonly Told[],
  own: Own,
  atMs: number,
): Message {
  const sentMs = wholeSecond(atMs);
  return {
    ...own,
    ...{ sentMs, status, type, note },
    references: before.map(({ message }) => ({
      ...{ sender: message.sender, identifier: message.identifier, sentMs: message.sentMs },
    })),
    expiresMs: sentMs + validForMs,
    content: marked(content, status),
  };
}

/** Unique for ever: by the codes of the national system where the file has them. */
export function identifierOf(
  { number, told }: Warning,
  { national }: WarningSettings,
  atMs: number,
  isTaken: (identifier: string) => boolean,
): string {
  if (!national) {
    const time = localIso(atMs, 0).replaceAll(/[-:]/g, '');
    return `lifeline-${time}-${number}-${told + 1}`;
  }
  for (let serial = 0; serial < SERIALS; serial++) {
    const identifier = nationalIdentifier(national, atMs, serial);
    if (!isTaken(identifier)) return identifier;
  }
  throw new Fault('warning_full', 'now', bilingual('warning-serials-beyond', { max: SERIALS }));
}

/** Null where the file knows of no emergency broadcasting, and for what is not meant. */
export function packageOf(
  message: Message,
  before: readonly Told[],
  { broadcast }: WarningSettings,
  signer: Signer | null,
  takeNumber: () => number,
): EbmPackage | null {
  if (!broadcast || message.status !== 'Actual') return null;
  const relatedEbmId = before.findLast(({ ebmId }) => ebmId !== null)?.ebmId ?? null;
  return ebmPackage(message, broadcast, { package: takeNumber(), relatedEbmId }, signer);
}

/** What the journal keeps of a draft. */
export function drafted({ type, occurrence, content, note }: Draft) {
  const { level, headline, instruction, responses, area } = content;
  return { type, occurrence, level, headline, instruction, responses, area: area.text, note };
}

/** Shelved, suppressed by design, out of service. */
const isHidden = ({ state }: Alarm) => state === 'G' || state === 'H' || state === 'I';

/** Whether people see it, and its condition holds. */
export function isActive(alarm: Alarm): boolean {
  const { clearedMs, isHistorical, supersededBy } = alarm;
  return clearedMs === null && !isHistorical && supersededBy === null && !isHidden(alarm);
}

// Refusals ----------------------------------------------------------------------------------------

const refused = (why: Bilingual) => new Fault('warning_refused', 'never', why);
const lower = <Word extends string>(word: Word) => word.toLowerCase() as Lowercase<Word>;
const stateOf = ({ state }: Warning) => bilingual(`warning-state-${state}`);
const each = (say: (language: 'en' | 'zh') => Bilingual): Bilingual => ({
  en: say('en').en,
  zh: say('zh').zh,
});

export function mustBeAlone(key: string, open: number | undefined): void {
  if (open === undefined) return;
  throw refused(bilingual('warning-there-is', { key, id: warningId({ number: open }) }));
}

export function mustBeTellable(alarm: Alarm): void {
  if (alarm.purpose === 'path-test') throw refused(bilingual('warning-of-path-test'));
  if (alarm.isHistorical) throw refused(bilingual('warning-of-history'));
  if (isHidden(alarm)) throw refused(bilingual('warning-of-hidden'));
}

export function mustHaveDraft(found: Warning): Draft {
  if (found.draft) return found.draft;
  const id = warningId(found);
  throw refused(
    each((language) => bilingual('warning-no-draft', { id, state: stateOf(found)[language] })),
  );
}

export function mustTake(found: Warning, type: MessageType): void {
  if (type === 'Update') mustHaveRoom(found);
  if (released(found.state, type) !== null) return;
  const id = warningId(found);
  const word = bilingual(`warning-type-${lower(type)}`);
  throw refused(
    each((language) => {
      const values = { id, state: stateOf(found)[language], type: word[language] };
      return bilingual('warning-not-now', values);
    }),
  );
}

// One message is kept for the Cancel.
function mustHaveRoom(found: Warning): void {
  if (found.told < MESSAGES_MAX - 1) return;
  const values = { id: warningId(found), max: MESSAGES_MAX };
  throw new Fault('warning_full', 'never', bilingual('warning-messages-beyond', values));
}

/** A Cancel may always leave: what was told is taken back whatever became of the alarm. */
export function mustBeReleasable(found: Warning, { type }: Draft, alarm: Alarm | null): void {
  if (type === 'Cancel') return;
  mustHaveRoom(found);
  if (!alarm) return;
  mustBeTellable(alarm);
  const now = statusOf(alarm);
  if (now === found.status) return;
  const word = (status: Status) => bilingual(`warning-status-${lower(status)}`);
  throw refused(
    each((language) => {
      const values = { drafted: word(found.status)[language], now: word(now)[language] };
      return bilingual('warning-status-changed', values);
    }),
  );
}

export function mustBeAsAsked(found: Warning, revision: number): void {
  if (found.revision === revision) return;
  throw refused(bilingual('warning-changed-since', { id: warningId(found) }));
}
