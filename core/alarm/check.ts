// What is wrong with a rule that has the right form: it can never come, never go, contradicts its
// neighbours, or compares with what is not there. Pure: rules and what is known of their points in,
// findings out, each with the word of the rule form it is about.
//
// A rule has a signal (the value, its change over a time, a mean …). From the range of the point
// follows in which span the signal can lie. A rule that is accepted has a signal in that span that
// raises it and one that clears it; where no range is known the span is unbounded.
import { durationText } from '../duration.ts';
import { didYouMean } from '../problems.ts';
import type { Bilingual, MessageArguments, MessageKey } from '../text/text.ts';
import { bilingual, fillBilingual } from '../text/text.ts';
import type { LimitSide, StatisticRule } from './rule.ts';
import { BASELINE_HOURS, SHEET_BYTES_MAX, sheetBytes } from './rule.ts';
import type { LimitedRule, Rule, RulePoint } from './rule-form.ts';
import { isHighSide, isLimited } from './rule-form.ts';

export interface RuleFinding {
  /** The word of the rule form, null for the rule as a whole. */
  readonly field: string | null;
  readonly code: MessageKey;
  readonly values: Readonly<Record<string, string | number>>;
  readonly help?: Bilingual;
  readonly severity: 'error' | 'warning';
}

/** Where a rule stands: its point, and the points of the same gateway by `device/point`. */
export interface RulePlace {
  /** Null where it is not known. */
  readonly gateway: string | null;
  readonly point: RulePoint;
  /** Null where they are not known: nothing is said of the other point then. */
  readonly others: ReadonlyMap<string, RulePoint> | null;
}

/** A delay beyond this is a mistake: nobody can answer an alarm of last month. */
export const DELAY_MS_MAX = 30 * 86_400_000;
/** One lost answer is no silence, and a value asked once has not stood still. */
export const SILENT_POLLS_MIN = 3;
export const FROZEN_POLLS_MIN = 2;
const DAY_MIN = 24 * 60;

class Findings {
  readonly list: RuleFinding[] = [];

  add<Key extends MessageKey>(
    field: string | null,
    code: Key,
    values: MessageArguments<Key>,
    more: { readonly help?: Bilingual; readonly severity?: 'error' | 'warning' } = {},
  ): void {
    const { help, severity = 'error' } = more;
    this.list.push({ field, code, values, severity, ...(help && { help }) });
  }
}

/** What is wrong with one rule on its point. */
export function checkRule(rule: Rule, place: RulePlace): readonly RuleFinding[] {
  const found = new Findings();
  checkDelays(rule, found);
  const bytes = sheetBytes(rule);
  if (bytes > SHEET_BYTES_MAX) {
    found.add('sheet', 'rule-sheet-too-long', { found: bytes, max: SHEET_BYTES_MAX });
  }
  if (rule.timeAvailableMs === 0) found.add('sheet', 'rule-no-time', {});
  checkKind(rule, place.point, found);
  checkTimes(rule, place.point, found);
  if (rule.kind === 'comparison') checkOther(rule.other, place, found);
  if (found.list.length > 0) return found.list; // The span of a wrong window says nothing.
  if (isLimited(rule)) checkLimit(rule, place, found);
  else if (rule.kind === 'frozen') checkBand(rule.band, place.point, found);
  else if (rule.kind === 'state') checkStates(rule.states, place.point, found);
  return found.list;
}

function checkDelays(rule: Rule, found: Findings): void {
  const delays = { delay: rule.onDelayMs, off_delay: rule.offDelayMs };
  for (const [field, ms] of Object.entries(delays)) {
    if (ms <= DELAY_MS_MAX) continue;
    const values = { field, found: durationText(ms), max: durationText(DELAY_MS_MAX) };
    found.add(field, 'rule-delay-senseless', values);
  }
}

function checkKind(rule: Rule, { type }: RulePoint, found: Findings): void {
  const { kind } = rule;
  const isNumber = type === 'number' || type === 'integer';
  const isFit = isLimited(rule) ? isNumber : kind === 'no-data' || type !== 'text';
  if (isFit) return;
  found.add('kind', 'rule-kind-unfit', { kind, type });
}

/** The windows of a rule in the words of the form; each at least so many periods long. */
function windowsOf(rule: Rule): readonly { field: string; ms: number; polls: number }[] {
  switch (rule.kind) {
    case 'rate':
      return [{ field: 'over', ms: rule.overMs, polls: 1 }];
    case 'statistic':
      return [{ field: 'window', ms: rule.windowMs, polls: 1 }];
    case 'duration':
      return [
        { field: 'window', ms: rule.windowMs, polls: 1 },
        { field: 'total', ms: rule.totalMs, polls: 1 },
      ];
    case 'frozen':
      return [{ field: 'for', ms: rule.forMs, polls: FROZEN_POLLS_MIN }];
    case 'cusum':
      return [{ field: 'every', ms: rule.everyMs, polls: 1 }];
    case 'no-data':
      return [{ field: 'after', ms: rule.silentMs, polls: SILENT_POLLS_MIN }];
    default:
      return [];
  }
}

function checkTimes(rule: Rule, { periodMs }: RulePoint, found: Findings): void {
  for (const { field, ms, polls } of windowsOf(rule)) {
    if (ms >= polls * periodMs && ms > 0) continue;
    const values = { field, found: durationText(ms), polls, period: durationText(periodMs) };
    found.add(field, 'rule-window-short', values);
  }
  if (rule.kind === 'duration' && rule.totalMs > rule.windowMs) {
    const values = { total: durationText(rule.totalMs), window: durationText(rule.windowMs) };
    found.add('total', 'rule-total-beyond-window', values);
  }
  if ((rule.kind === 'statistic' || rule.kind === 'duration') && rule.onDelayMs > rule.windowMs) {
    const { onDelayMs, windowMs } = rule;
    const values = { delay: durationText(onDelayMs), window: durationText(windowMs) };
    found.add('delay', 'rule-delay-beyond-window', values, { severity: 'warning' });
  }
  if (rule.kind === 'night-flow' && !(rule.untilMin > rule.fromMin && rule.untilMin <= DAY_MIN)) {
    found.add('until', 'rule-night-empty', {}, { help: bilingual('help-night-empty') });
  }
  if (rule.kind === 'deviation' && rule.baseline.length !== BASELINE_HOURS) {
    const values = { found: rule.baseline.length, wanted: BASELINE_HOURS };
    found.add('baseline', 'rule-baseline-count', values);
  }
}

function checkOther(other: string, { gateway, point, others }: RulePlace, found: Findings): void {
  const parts = other.split('/');
  if (parts.length === 3) {
    if (gateway === null || parts[0] === gateway) found.add('with', 'rule-other-form', { other });
    else found.add('with', 'rule-other-gateway', { other, gateway });
    return;
  }
  if (other === `${point.device}/${point.point}`) found.add('with', 'rule-other-itself', { other });
  else if (others) checkKnownOther(other, point, others, found);
}

function checkKnownOther(
  other: string,
  point: RulePoint,
  others: ReadonlyMap<string, RulePoint>,
  found: Findings,
): void {
  const known = others.get(other);
  if (!known) {
    const word = didYouMean(other, others.keys());
    const help = word === undefined ? undefined : bilingual('help-did-you-mean', { word });
    found.add('with', 'rule-other-unknown', { other }, help && { help });
  } else if (known.type !== 'number' && known.type !== 'integer') {
    found.add('with', 'rule-other-type', { other, type: known.type });
  } else if (known.unit !== point.unit) {
    found.add('with', 'rule-other-unit', { other, found: known.unit, unit: point.unit });
  }
}

type Span = readonly [low: number, high: number];
const ANY: Span = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** In which span the signal of a rule can lie; the ends are reached where they are finite. */
function signalSpan(rule: LimitedRule, { point, others }: RulePlace): Span {
  const range: Span = point.range ?? ANY;
  const [low, high] = range;
  switch (rule.kind) {
    case 'limit':
    case 'duration':
    case 'night-flow':
      return range;
    case 'rate':
      return [low - high, high - low];
    case 'statistic':
      return statisticSpan(rule.statistic, range);
    case 'deviation':
      return [low - Math.max(...rule.baseline), high - Math.min(...rule.baseline)];
    case 'comparison': {
      const other: Span = others?.get(rule.other)?.range ?? ANY;
      return rule.by === 'difference' ? [low - other[1], high - other[0]] : ratioSpan(range, other);
    }
    case 'cusum': {
      const grows = isHighSide(rule.side) ? high - rule.target : rule.target - low;
      return [0, grows > rule.slack ? Number.POSITIVE_INFINITY : 0];
    }
  }
}

function statisticSpan(statistic: StatisticRule['statistic'], [low, high]: Span): Span {
  if (statistic !== 'rms') return [low, high];
  const least = low > 0 ? low : high < 0 ? -high : 0;
  return [least, Math.max(Math.abs(low), Math.abs(high))];
}

function ratioSpan([low, high]: Span, [otherLow, otherHigh]: Span): Span {
  if (![low, high, otherLow, otherHigh].every(Number.isFinite)) return ANY;
  if (otherLow <= 0 && otherHigh >= 0) return ANY; // As near to a division by zero as one likes.
  const ends = [low / otherLow, low / otherHigh, high / otherLow, high / otherHigh];
  return [Math.min(...ends), Math.max(...ends)];
}

/** Whether an alarm's side is the high one where the signal is: a sum of deviations only rises. */
export function isHighSignal(rule: LimitedRule): boolean {
  return rule.kind === 'cusum' || isHighSide(rule.side);
}

function checkLimit(rule: LimitedRule, place: RulePlace, found: Findings): void {
  const isHigh = isHighSignal(rule);
  const { limit, deadband } = rule;
  const clear = Number((isHigh ? limit - deadband : limit + deadband).toPrecision(12));
  if (deadband <= 0) {
    const help = bilingual(isHigh ? 'help-clear-below' : 'help-clear-above');
    const values = { name: rule.id, raise: limit, clear };
    found.add('clear', 'alarm-never-clears', values, { help });
    return;
  }
  const [min, max] = signalSpan(rule, place);
  const what = rule.kind === 'statistic' ? rule.statistic : rule.kind;
  const values = { what, min: shown(min), max: shown(max) };
  if (isHigh ? !(max >= limit) : !(min <= limit)) {
    found.add('raise', 'rule-never-fires', { ...values, raise: limit });
  } else if (isHigh ? !(min < clear) : !(max > clear)) {
    const isDefault = rule.defaults?.includes('deadband') === true;
    const more = isDefault ? { help: bilingual('help-clear-default', { clear }) } : {};
    found.add('clear', 'rule-never-clears', { ...values, clear }, more);
  } else if (rule.kind === 'rate') {
    checkRamps(rule.overMs, rule, place.point, found);
  } else if (rule.kind === 'cusum') {
    checkShrinks(rule, place.point, found);
  }
}

// A change that must last: after each `over` another such change, and all of them fit the range. So
// must a change back, where it is one that clears the alarm.
function checkRamps(
  overMs: number,
  { limit, deadband, onDelayMs, offDelayMs, side }: LimitedRule,
  { range }: RulePoint,
  found: Findings,
): void {
  if (!range) return;
  const sign = isHighSide(side) ? 1 : -1;
  const ramps = [
    { field: 'delay', change: sign * limit, ms: onDelayMs, code: 'rule-ramp-too-long' },
    {
      ...{ field: 'off_delay', change: deadband - sign * limit, ms: offDelayMs },
      code: 'rule-ramp-back-too-long',
    },
  ] as const;
  for (const { field, change, ms, code } of ramps) {
    const needed = Number(((Math.floor(ms / overMs) + 1) * change).toPrecision(12));
    if (change <= 0 || needed <= range[1] - range[0]) continue;
    found.add(field, code, { delay: durationText(ms), needed, min: range[0], max: range[1] });
  }
}

function checkShrinks(
  { side, target, slack }: Extract<LimitedRule, { kind: 'cusum' }>,
  { range }: RulePoint,
  found: Findings,
): void {
  if (!range) return;
  const shrinks = isHighSide(side) ? range[0] - target < slack : target - range[1] < slack;
  if (!shrinks) found.add('target', 'rule-sum-never-shrinks', { target, slack });
}

function checkBand(band: number, { range, type }: RulePoint, found: Findings): void {
  const span = type === 'boolean' ? 1 : range ? range[1] - range[0] : Number.POSITIVE_INFINITY;
  if (band < span) return;
  found.add('band', 'rule-band-whole-range', { band, span });
}

function checkStates(states: readonly number[], { range, type }: RulePoint, found: Findings): void {
  const [min, max] = type === 'boolean' ? [0, 1] : (range ?? ANY);
  const within = states.filter((state) => state >= min && state <= max);
  for (const state of states) {
    if (within.includes(state)) continue;
    const values = { state, min: shown(min), max: shown(max) };
    found.add('is', 'rule-state-outside', values);
  }
  const all = new Set(within).size;
  if (Number.isFinite(max - min) && all >= Math.floor(max) - Math.ceil(min) + 1) {
    found.add('is', 'rule-every-state', {});
  }
}

function shown(bound: number): string {
  if (Number.isFinite(bound)) return `${Number(bound.toPrecision(12))}`;
  return bound > 0 ? '∞' : '-∞';
}

export interface NeighbourFinding extends RuleFinding {
  /** Place in the list. */
  readonly at: number;
}

/** Of one point: rules that contradict each other. Each is said of the later of the two. */
export function checkNeighbours(rules: readonly Rule[]): readonly NeighbourFinding[] {
  return rules.flatMap((rule, at) => {
    const found = new Findings();
    for (const before of rules.slice(0, at)) {
      if (before.id === rule.id) found.add('id', 'rule-duplicate', { id: rule.id });
      else if (isLimited(rule) && isLimited(before)) checkPair(rule, before, found);
    }
    return found.list.map((finding) => ({ ...finding, at }));
  });
}

const order: readonly LimitSide[] = ['low-low', 'low', 'high', 'high-high'];

/** Rules with equal signals are neighbours; a limit on the value is none of a limit on its mean. */
function signalOf(rule: LimitedRule): string {
  switch (rule.kind) {
    case 'limit':
      return 'value';
    case 'rate':
      return `rate ${rule.overMs}`;
    case 'statistic':
      return `${rule.statistic} ${rule.windowMs}`;
    case 'deviation':
      return `deviation ${rule.utcOffsetMin} ${rule.baseline.join(' ')}`;
    case 'duration':
      return `duration ${rule.totalMs} ${rule.windowMs}`;
    case 'comparison':
      return `${rule.by} ${rule.other}`;
    case 'night-flow':
      return `night ${rule.fromMin} ${rule.untilMin} ${rule.utcOffsetMin}`;
    case 'cusum': // Either side has a sum of its own.
      return `cusum ${rule.target} ${rule.slack} ${rule.everyMs} ${isHighSide(rule.side)}`;
  }
}

function checkPair(rule: LimitedRule, before: LimitedRule, found: Findings): void {
  if (signalOf(rule) !== signalOf(before)) return;
  if (rule.side === before.side) {
    const values = { id: rule.id, other: before.id, side: rule.side };
    found.add('side', 'rule-same-side', values, { severity: 'warning' });
    return;
  }
  const isAbove = order.indexOf(rule.side) > order.indexOf(before.side);
  const [upper, lower] = isAbove ? [rule, before] : [before, rule];
  if (rule.kind === 'cusum') {
    const [far, near] = rule.side.endsWith('-high') ? [rule, before] : [before, rule];
    checkOuter(far, near, found);
    return;
  }
  if (upper.limit <= lower.limit) {
    const values = { upper: upper.id, lower: lower.id, above: upper.limit, below: lower.limit };
    found.add('raise', 'rule-order', values);
  } else if (isHighSide(upper.side) !== isHighSide(lower.side)) {
    checkOverlap(upper, lower, found);
  } else if (isHighSide(upper.side)) checkLevels(upper, lower, found);
  else checkLevels(lower, upper, found);
}

function checkOuter(far: LimitedRule, near: LimitedRule, found: Findings): void {
  if (far.limit > near.limit) {
    checkLevels(far, near, found);
    return;
  }
  const values = { upper: far.id, lower: near.id, above: far.limit, below: near.limit };
  found.add('raise', 'rule-order', values);
}

// A high alarm that lasts down to where a low one begins: both are there at once.
function checkOverlap(upper: LimitedRule, lower: LimitedRule, found: Findings): void {
  const upperClear = Number((upper.limit - upper.deadband).toPrecision(12));
  const lowerClear = Number((lower.limit + lower.deadband).toPrecision(12));
  if (upperClear <= lower.limit) {
    const values = { id: upper.id, clear: upperClear, other: lower.id, limit: lower.limit };
    found.add('clear', 'rule-overlap', values);
  } else if (lowerClear >= upper.limit) {
    const values = { id: lower.id, clear: lowerClear, other: upper.id, limit: upper.limit };
    found.add('clear', 'rule-overlap', values);
  }
}

function checkLevels(far: LimitedRule, near: LimitedRule, found: Findings): void {
  if (far.level <= near.level) return;
  const values = { outer: far.id, inner: near.id };
  found.add('level', 'alarm-level-order', values, { severity: 'warning' });
}

/** In words. */
export function findingText({ code, values }: RuleFinding): Bilingual {
  return fillBilingual(code, values);
}
