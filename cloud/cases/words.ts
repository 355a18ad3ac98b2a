// What a line of a case's log says beside its kind, for people in both languages.
import { levelNumerals } from '../../core/alarm/rule.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import { unitSymbol } from '../../core/units.ts';
import type { CaseState } from './case.ts';
import { caseStates } from './case.ts';
import type { CaseEntry } from './tables.ts';

/** `crew`, `crew 3`; states and levels by their names. A key of a later version stays as it is. */
export function detailWords(detail: CaseEntry['detail']): { label: Bilingual; value: Bilingual }[] {
  return Object.entries(detail)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => ({ label: labels[key] ?? same(key), value: valueText(key, value) }));
}

const same = (text: string): Bilingual => ({ en: text, zh: text });

const labels: Readonly<Record<string, Bilingual>> = {
  alarm: bilingual('case-detail-alarm'),
  approval: bilingual('case-detail-approval'),
  as: bilingual('case-detail-as'),
  asked_by: bilingual('case-detail-asked-by'),
  case: bilingual('case-detail-case'),
  crew: bilingual('case-detail-crew'),
  department: bilingual('case-detail-department'),
  escalation: bilingual('case-detail-escalation'),
  file: bilingual('case-detail-file'),
  level: bilingual('case-detail-level'),
  name: bilingual('case-detail-name'),
  owner: bilingual('case-detail-owner'),
  resumed: bilingual('case-detail-resumed'),
  sha256: same('SHA-256'),
  state: bilingual('case-detail-state'),
};

function valueText(key: string, value: string): Bilingual {
  if (key === 'level')
    return same(Object.entries(levelNumerals).find(([n]) => n === value)?.[1] ?? value);
  if (key !== 'state' && key !== 'as' && key !== 'resumed') return same(value);
  const name = value === 'close' ? 'closed' : value;
  const state = caseStates.find((known) => known === name);
  return state ? stateText(state) : same(value);
}

export function stateText(state: CaseState): Bilingual {
  return bilingual(`case-${state}`);
}

/** `47.7482 %LEL (25)`: six digits, as no sensor of a city has more; '' where there is no value. */
export function measured(
  alarm: { readonly value: number | null; readonly limit: number | null; readonly unit: string },
  language: 'en' | 'zh' = 'en',
): string {
  const { value, limit, unit } = alarm;
  const digits = (number: number) => `${Number(number.toPrecision(6))}`;
  const shown = value === null ? '' : `${digits(value)} ${unitSymbol(unit, language)}`.trim();
  return `${shown}${limit === null ? '' : ` (${digits(limit)})`}`.trim();
}
