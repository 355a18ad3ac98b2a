// When a rule is in alarm, in a line a person reads.
import { durationText } from '../duration.ts';
import type { Language } from '../text/text.ts';
import { say } from '../text/text.ts';
import { unitSymbol } from '../units.ts';
import type { Rule } from './rule.ts';
import type { LimitedRule } from './rule-form.ts';
import { dayTime, isHighSide, isLimited, offsetText } from './rule-form.ts';

/** `mean over 10m ≥ 25 %LEL, clear < 23`. */
export function conditionText(rule: Rule, unit: string, language: Language): string {
  if (isLimited(rule)) return limitText(rule, unit, language);
  const symbol = unitSymbol(unit, language);
  switch (rule.kind) {
    case 'frozen': {
      const band = `${rule.band} ${symbol}`.trim();
      return say(language, 'rule-words-frozen', { band, for: durationText(rule.forMs) });
    }
    case 'no-data':
      return say(language, 'rule-words-no-data', { after: durationText(rule.silentMs) });
    case 'state':
      return say(language, 'rule-words-state', { states: rule.states.join(', ') });
  }
}

function limitText(rule: LimitedRule, unit: string, language: Language): string {
  // A sum of deviations only rises, whichever side they are on; a ratio has no unit.
  const isHigh = rule.kind === 'cusum' || isHighSide(rule.side);
  const isBare = rule.kind === 'comparison' && rule.by === 'ratio';
  const symbol = isBare ? '' : ` ${unitSymbol(unit, language)}`.trimEnd();
  const clear = isHigh ? rule.limit - rule.deadband : rule.limit + rule.deadband;
  const words = signalText(rule, language);
  const limit = `${isHigh ? '≥' : '≤'} ${rule.limit}${symbol}`;
  const end = `${isHigh ? '<' : '>'} ${Number(clear.toPrecision(12))}`;
  return say(language, 'rule-words-limit', { limit: words ? `${words} ${limit}` : limit, end });
}

function signalText(rule: LimitedRule, language: Language): string {
  switch (rule.kind) {
    case 'limit':
      return '';
    case 'rate':
      return say(language, 'rule-words-rate', { over: durationText(rule.overMs) });
    case 'statistic': {
      const { statistic, windowMs } = rule;
      return say(language, 'rule-words-statistic', { statistic, window: durationText(windowMs) });
    }
    case 'deviation':
      return say(language, 'rule-words-deviation');
    case 'duration': {
      const { totalMs, windowMs } = rule;
      const values = { total: durationText(totalMs), window: durationText(windowMs) };
      return say(language, 'rule-words-duration', values);
    }
    case 'comparison':
      return say(language, `rule-words-${rule.by}`, { other: rule.other });
    case 'night-flow': {
      const { fromMin, untilMin, utcOffsetMin } = rule;
      const values = { from: dayTime(fromMin), until: dayTime(untilMin) };
      return say(language, 'rule-words-night-flow', { ...values, zone: offsetText(utcOffsetMin) });
    }
    case 'cusum':
      return say(language, 'rule-words-cusum', { target: rule.target, slack: rule.slack });
  }
}
