// What waits for a second person, as they must see it: what is asked, of what, from what to what.
import { conditionText } from '../../core/alarm/rule-words.ts';
import { durationText } from '../../core/duration.ts';
import type { Language } from '../../core/text/text.ts';
import { bilingual, say } from '../../core/text/text.ts';
import type { Act } from '../alarms/acts.ts';
import type { Approval } from '../alarms/approvals.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import { RULE_APPROVAL, type Wish, wishedAsset } from '../alarms/rules.ts';
import { CLOSE_CASE } from '../cases/book.ts';
import { COMMAND_APPROVAL, type CommandApproval } from '../commands/commands.ts';
import { WARNING_APPROVAL, type WarningApproval } from '../warnings/drafts.ts';
import { iso } from './routes.ts';

type Alarms = Pick<AlarmConsumer, 'acts' | 'get'>;

/** `alarms` is needed where it may be about putting one aside. */
export function approvalObject(approval: Approval, alarms: Alarms | null = null) {
  const { id, kind, what, document, by, reason, askedMs, untilMs } = approval;
  const text = { en: textOf(approval, alarms, 'en'), zh: textOf(approval, alarms, 'zh') };
  const times = { asked: iso(askedMs), until: iso(untilMs) };
  return { id, kind, what, text, document, by, reason, ...times };
}

/** The asset it is about; null where it is of none. */
export function assetOf(approval: Approval, { acts, get }: Alarms): string | null {
  const { kind, what, document } = approval;
  if (kind === RULE_APPROVAL) return wishedAsset(approval);
  if (kind === CLOSE_CASE) return (document as { readonly asset: string | null }).asset;
  if (kind === COMMAND_APPROVAL) return (document as CommandApproval).asset;
  if (kind === WARNING_APPROVAL) return (document as WarningApproval).asset;
  return acts.watchOf(what)?.watched.row.asset ?? get(what)?.asset ?? null;
}

function textOf(
  { kind, what, document }: Approval,
  alarms: Alarms | null,
  language: Language,
): string {
  if (kind === 'shelve') {
    const { forMs } = document as Extract<Act, { kind: 'shelve' }>;
    const alarm = alarms?.get(what);
    const rule = alarms?.acts.watchOf(what)?.subject.rule;
    const { title, level } = alarm ?? rule ?? { title: bilingual('approval-gone'), level: 0 };
    const target = alarm ? `${alarm.key}/${alarm.rule}` : what;
    const values = { title: title[language], target, level, time: durationText(forMs) };
    return say(language, 'approval-shelve', values);
  }
  if (kind === RULE_APPROVAL) {
    const { before, rule, retired, unit } = document as Wish;
    const now = conditionText(before, unit, language);
    if (retired) return say(language, 'approval-retire', { target: what, now });
    const then = conditionText(rule, unit, language);
    const delays = (each: typeof rule) =>
      `${durationText(each.onDelayMs)}/${durationText(each.offDelayMs)}`;
    const from = `${now} ${delays(before)} ${before.level}`;
    const to = `${then} ${delays(rule)} ${rule.level}`;
    return say(language, 'approval-rule', { target: what, from, to });
  }
  if (kind === COMMAND_APPROVAL) {
    const { target, title, value, unit } = document as CommandApproval;
    const given = value === null ? '' : ` = ${value}${unit === '1' ? '' : ` ${unit}`}`;
    return say(language, 'approval-command', {
      ...{ what: target, title: title[language], value: given },
    });
  }
  if (kind === WARNING_APPROVAL) {
    const { type, status, level, headline } = document as WarningApproval;
    const words = {
      type: bilingual(`warning-type-${lower(type)}`)[language],
      status: bilingual(`warning-status-${lower(status)}`)[language],
    };
    const values = { ...words, level, headline: headline[language] };
    return say(language, 'approval-warning', { id: what, ...values });
  }
  return say(language, 'approval-case', { id: what });
}

const lower = <Word extends string>(word: Word) => word.toLowerCase() as Lowercase<Word>;
