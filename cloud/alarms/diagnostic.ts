// A bad value holds the state of every rule on it, so that no alarm clears because its sensor
// failed. That must not go unseen: a series with rules, none of which says that it is silent, gets
// one that does (InstrumentDiagnosticAlarm of OPC UA Part 9).
import type { Rule, RuleProposal } from '../../core/alarm/rule.ts';
import { bilingual } from '../../core/text/text.ts';

/** Three polls that failed, and no less than this: one lost answer is everyday. */
export const DIAGNOSTIC_MS_MIN = 30_000;

export function withDiagnostic(
  rules: readonly RuleProposal[],
  periodMs: number,
): readonly RuleProposal[] {
  const needsOne = rules.length > 0 && rules.every(({ kind }) => kind !== 'no-data');
  return needsOne ? [...rules, diagnostic(periodMs)] : rules;
}

function diagnostic(periodMs: number): Extract<Rule, { kind: 'no-data' }> {
  return {
    id: 'no-data',
    kind: 'no-data',
    level: 3,
    silentMs: Math.max(3 * periodMs, DIAGNOSTIC_MS_MIN),
    onDelayMs: 0,
    offDelayMs: 0,
    title: bilingual('alarm-input-bad'),
    action: bilingual('alarm-input-bad-action'),
    defaults: ['onDelayMs', 'offDelayMs'],
  };
}
