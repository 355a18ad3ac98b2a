// A rule as people write it: in rule files, in profiles, in what the API takes and gives. One zod
// value a kind, in the words of the field: in alarm from `raise` on, normal again beyond `clear`,
// `delay` before it is an alarm, `off_delay` before it is over. An error text is a key of the
// catalogue. `ruleOf` makes the rule that is evaluated of it, `sourceOf` the way back.
import { z } from 'zod';
import { durationMs, durationText } from '../duration.ts';
import type { PointDefinition } from '../point.ts';
import { alarmLevelForm, bilingualForm, durationForm, idForm } from '../schema.ts';
import type { Bilingual, MessageKey } from '../text/text.ts';
import { fillBilingual } from '../text/text.ts';
import { customOf } from './customs.ts';
import type {
  ComparisonRule,
  CusumRule,
  Defaulted,
  DeviationRule,
  DurationRule,
  FrozenRule,
  LimitRule,
  LimitSide,
  NightFlowRule,
  NoDataRule,
  RateRule,
  StateRule,
  StatisticRule,
} from './rule.ts';
import { BASELINE_HOURS, limitSides, RULE_STATES_MAX, statistics } from './rule.ts';

/** A rule of any kind. */
export type Rule =
  | LimitRule
  | RateRule
  | StatisticRule
  | DeviationRule
  | DurationRule
  | FrozenRule
  | ComparisonRule
  | NightFlowRule
  | CusumRule
  | NoDataRule
  | StateRule;

const key = (code: MessageKey) => code;

/** 300 signs of Chinese are 900 bytes: within what a text of a rule may have on the wire. */
export const SHEET_TEXT_MAX = 300;

const sheetText = z.strictObject({
  en: z.string().min(1).max(SHEET_TEXT_MAX),
  zh: z.string().min(1).max(SHEET_TEXT_MAX),
});

/** What a person who gets the alarm must know: the response sheet of ISA-18.2. */
export const sheetForm = z
  .strictObject({
    cause: sheetText.optional().describe('What usually makes it'),
    consequence: sheetText.optional().describe('What follows when nobody acts'),
    action: sheetText.optional().describe('What to do'),
    time_available: durationForm.optional().describe('In which acting still helps'),
  })
  .describe('What a person who gets the alarm must know');

/** What every alarm of a profile and every rule of a file may say. */
export const manners = {
  level: alarmLevelForm,
  title: bilingualForm.optional().describe('Default: the title of the point and the kind of alarm'),
  sheet: sheetForm.optional(),
  basis: sheetText.optional().describe('Where the limit comes from: norm and section, study'),
  latching: z.boolean().optional().describe('Stays after its return to normal until it is reset'),
  self_acknowledging: z
    .boolean()
    .optional()
    .describe('Returned to normal it needs no acknowledgement'),
  re_alarm: durationForm
    .optional()
    .describe('Acknowledged and still there after this long, it is told again'),
} as const;

const delays = {
  delay: durationForm.optional().describe('Must hold this long before it is an alarm'),
  off_delay: durationForm.optional().describe('Must be gone this long before it is over'),
} as const;

const limited = {
  side: z.enum(limitSides),
  raise: z.number().describe('In alarm from this value on'),
  clear: z.number().optional().describe('Normal again beyond it: below raise for high sides'),
  ...delays,
  ...manners,
} as const;

const clockTime = z
  .string(key('not-a-time-of-day'))
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, key('not-a-time-of-day'))
  .describe('02:00');

export const utcOffset = z
  .string(key('not-an-offset'))
  .regex(/^[+-](0\d|1[0-4]):[0-5]\d$/, key('not-an-offset'))
  .describe('Local time less UTC: "+08:00"; default +08:00');

/** Longer ones are names of points that cannot be. */
export const REFERENCE_PATTERN = /^([a-z0-9-]{1,64}\/){0,2}[a-z0-9-]{1,64}$/;

/** By kind: what a rule of a point is, without its id. */
export const ruleKinds = {
  limit: z.strictObject({ kind: z.literal('limit'), ...limited }),
  rate: z.strictObject({
    kind: z.literal('rate'),
    over: durationForm.describe('The change over this long; a fall is negative'),
    ...limited,
  }),
  statistic: z.strictObject({
    kind: z.literal('statistic'),
    statistic: z.enum(statistics),
    window: durationForm.describe('Of the window that ended last'),
    ...limited,
  }),
  deviation: z.strictObject({
    kind: z.literal('deviation'),
    baseline: z
      .array(z.number())
      .describe(`${BASELINE_HOURS} values, one an hour of the week, Monday 00:00 first`),
    utc_offset: utcOffset.optional(),
    ...limited,
  }),
  duration: z.strictObject({
    kind: z.literal('duration'),
    total: durationForm.describe('Beyond for this long in all'),
    window: durationForm.describe('within the last so long'),
    ...limited,
  }),
  frozen: z.strictObject({
    kind: z.literal('frozen'),
    band: z.number().min(0).describe('Moved by no more than this'),
    for: durationForm.describe('for this long'),
    ...delays,
    ...manners,
  }),
  comparison: z.strictObject({
    kind: z.literal('comparison'),
    with: z
      .string()
      .regex(REFERENCE_PATTERN, key('not-a-reference'))
      .describe('Another point of the same gateway: device/point, or point of the same device'),
    by: z.enum(['difference', 'ratio']),
    ...limited,
  }),
  'night-flow': z.strictObject({
    kind: z.literal('night-flow'),
    from: clockTime,
    until: clockTime.describe('After `from`: 04:00'),
    utc_offset: utcOffset.optional(),
    ...limited,
  }),
  cusum: z.strictObject({
    kind: z.literal('cusum'),
    target: z.number().describe('What the value should be'),
    slack: z.number().min(0).describe('A deviation up to this does not count'),
    every: durationForm.describe('The sum grows by deviation less slack each so long'),
    ...limited,
  }),
  'no-data': z.strictObject({
    kind: z.literal('no-data'),
    after: durationForm.describe('No good reading for this long'),
    ...delays,
    ...manners,
  }),
  state: z.strictObject({
    kind: z.literal('state'),
    is: z
      .array(z.union([z.int(), z.boolean()]))
      .min(1)
      .max(RULE_STATES_MAX)
      .describe('In alarm while the value is one of these'),
    ...delays,
    ...manners,
  }),
} as const;
export type RuleKind = keyof typeof ruleKinds;

const options = Object.values(ruleKinds);
type Option = (typeof options)[number];
type Options = [Option, ...Option[]];

/** What a rule is, whatever its point and id. */
export const ruleForm = z.discriminatedUnion('kind', options as Options);
export type RuleSource = z.infer<typeof ruleForm>;

/** Two or three parts; `*` stands for any signs within one. */
const pointPattern = z
  .string(key('not-a-point-pattern'))
  .regex(/^([a-z0-9*-]{1,64}\/){1,2}[a-z0-9*-]{1,64}$/, key('not-a-point-pattern'))
  .describe('gateway/device/point, or device/point; * for any signs within one part');

const named = { id: idForm.optional().describe('Default: the side of a limit, else the kind') };
const placed = { point: pointPattern, ...named };
type Extended<Form, More extends z.core.$ZodLooseShape> =
  Form extends z.ZodObject<infer Shape, infer Config>
    ? z.ZodObject<z.core.util.Extend<Shape, More>, Config>
    : never;
type PlacedOption = Extended<Option, typeof placed>;

export type NamedRuleSource = RuleSource & { readonly id?: string | undefined };

/** The kinds of a rule file: rules with the point they are for. */
export const ruleFileOptions = options.map((option) => option.extend(placed)) as unknown as [
  PlacedOption,
  ...PlacedOption[],
];

/** What a rule must know of its point. */
export type RulePoint = Pick<
  PointDefinition,
  'device' | 'point' | 'name' | 'unit' | 'type' | 'range' | 'periodMs' | 'class'
>;

type LimitedSource = Extract<RuleSource, { readonly side: LimitSide }>;
export type LimitedRule = Extract<Rule, { readonly side: LimitSide }>;

export function isLimited(rule: Rule): rule is LimitedRule {
  return 'side' in rule;
}

export function isHighSide(side: LimitSide): boolean {
  return side === 'high' || side === 'high-high';
}

/** The id of a rule that was given none. */
function ruleIdOf(source: NamedRuleSource): string {
  return source.id ?? (source.kind === 'limit' ? source.side : source.kind);
}

const titleKeys = {
  rate: 'rule-title-rate',
  statistic: 'rule-title-statistic',
  deviation: 'rule-title-deviation',
  duration: 'rule-title-duration',
  frozen: 'rule-title-frozen',
  comparison: 'rule-title-comparison',
  'night-flow': 'rule-title-night-flow',
  cusum: 'rule-title-cusum',
  'no-data': 'alarm-no-data',
  state: 'alarm-state',
} as const satisfies Record<Exclude<RuleKind, 'limit'>, MessageKey>;

/** The title of a rule that was given none. */
function ruleTitle(source: RuleSource, point: Bilingual): Bilingual {
  const messageKey: MessageKey =
    source.kind === 'limit' ? `alarm-${source.side}` : titleKeys[source.kind];
  const { en } = fillBilingual(messageKey, { point: point.en });
  const { zh } = fillBilingual(messageKey, { point: point.zh });
  return { en, zh };
}

/** What is left out comes from what is customary, and the rule says so in `defaults`. */
export function ruleOf(source: NamedRuleSource, point: RulePoint): Rule {
  const defaults: Defaulted[] = [];
  const custom = customOf(source.kind, point.unit);
  const parts: { deadband?: number } = {};
  if ('side' in source) {
    const { deadband, isDefault } = deadbandOf(source, point, custom);
    parts.deadband = deadband;
    if (isDefault) defaults.push('deadband');
  }
  const hasDelays = source.kind !== 'no-data' && source.kind !== 'state';
  if (source.delay === undefined && hasDelays) defaults.push('onDelayMs');
  if (source.off_delay === undefined && hasDelays) defaults.push('offDelayMs');
  const common = {
    id: ruleIdOf(source),
    level: source.level,
    onDelayMs: durationMs(source.delay ?? custom.delay),
    offDelayMs: durationMs(source.off_delay ?? custom.offDelay),
    title: source.title ?? ruleTitle(source, point.name),
    action: source.sheet?.action ?? null,
    ...mannersOf(source),
    ...(defaults.length > 0 && { defaults }),
  };
  return { ...common, ...conditionOf(source, point, parts.deadband ?? 0) };
}

type MannersSource = Pick<
  RuleSource,
  'sheet' | 'basis' | 'latching' | 'self_acknowledging' | 're_alarm'
>;

/** The optional fields of a rule, of its source: absent where nothing was said. */
export function mannersOf(source: MannersSource) {
  const { sheet, basis, latching, self_acknowledging: isSelf, re_alarm: again } = source;
  const { cause, consequence, time_available: time } = sheet ?? {};
  return {
    ...(cause && { cause }),
    ...(consequence && { consequence }),
    ...(time !== undefined && { timeAvailableMs: durationMs(time) }),
    ...(basis && { basis }),
    ...(latching && { isLatching: true as const }),
    ...(isSelf && { isSelfAcknowledging: true as const }),
    ...(again !== undefined && { reAlarmMs: durationMs(again) }),
  };
}

function deadbandOf(
  { raise, clear, side }: LimitedSource,
  { range }: RulePoint,
  { deadband, of }: ReturnType<typeof customOf>,
): { deadband: number; isDefault: boolean } {
  const rounded = (number: number) => Number(number.toPrecision(12));
  if (clear !== undefined) {
    return {
      deadband: rounded(isHighSide(side) ? raise - clear : clear - raise),
      isDefault: false,
    };
  }
  const whole = range ? range[1] - range[0] : Number.POSITIVE_INFINITY;
  // Of a wide range, with a limit near zero, the part would reach far beyond what is usual.
  const isWide = raise !== 0 && deadband * whole > Math.abs(raise) / 2;
  const span = of === 'range' && range && !isWide ? whole : Math.abs(raise);
  return { deadband: rounded(deadband * span), isDefault: true };
}

type Conditions<Rules> = Rules extends Rule ? Omit<Rules, keyof RuleBase> : never;
type RuleBase = Pick<Rule, 'id' | 'level' | 'onDelayMs' | 'offDelayMs' | 'title' | 'action'>;

function conditionOf(source: RuleSource, point: RulePoint, deadband: number): Conditions<Rule> {
  const limit = 'side' in source ? { side: source.side, limit: source.raise, deadband } : null;
  switch (source.kind) {
    case 'limit':
      return { kind: 'limit', ...limit! };
    case 'rate':
      return { kind: 'rate', ...limit!, overMs: durationMs(source.over) };
    case 'statistic': {
      const { statistic, window } = source;
      return { kind: 'statistic', ...limit!, statistic, windowMs: durationMs(window) };
    }
    case 'deviation': {
      const utcOffsetMin = offsetMinutes(source.utc_offset);
      return { kind: 'deviation', ...limit!, baseline: source.baseline, utcOffsetMin };
    }
    case 'duration': {
      const windowMs = durationMs(source.window);
      return { kind: 'duration', ...limit!, totalMs: durationMs(source.total), windowMs };
    }
    case 'frozen':
      return { kind: 'frozen', band: source.band, forMs: durationMs(source.for) };
    case 'comparison': {
      const other = source.with.includes('/') ? source.with : `${point.device}/${source.with}`;
      return { kind: 'comparison', ...limit!, other, by: source.by };
    }
    case 'night-flow': {
      const [fromMin, untilMin] = [source.from, source.until].map(dayMinutes) as [number, number];
      const utcOffsetMin = offsetMinutes(source.utc_offset);
      return { kind: 'night-flow', ...limit!, fromMin, untilMin, utcOffsetMin };
    }
    case 'cusum': {
      const { target, slack, every } = source;
      return { kind: 'cusum', ...limit!, target, slack, everyMs: durationMs(every) };
    }
    case 'no-data':
      return { kind: 'no-data', silentMs: durationMs(source.after) };
    case 'state':
      return { kind: 'state', states: source.is.map(Number) };
  }
}

/** What a file would say to give this rule; what is a default is left out. */
export function sourceOf(rule: Rule): NamedRuleSource {
  const defaults = rule.defaults ?? [];
  const { id, level, title, action, cause, consequence, timeAvailableMs, basis } = rule;
  const sheet = {
    ...(cause && { cause }),
    ...(consequence && { consequence }),
    ...(action && { action }),
    ...(timeAvailableMs !== undefined && { time_available: durationText(timeAvailableMs) }),
  };
  const common = {
    ...(!defaults.includes('onDelayMs') && { delay: durationText(rule.onDelayMs) }),
    ...(!defaults.includes('offDelayMs') && { off_delay: durationText(rule.offDelayMs) }),
    level,
    title,
    ...(Object.keys(sheet).length > 0 && { sheet }),
    ...(basis && { basis }),
    ...(rule.isLatching && { latching: true }),
    ...(rule.isSelfAcknowledging && { self_acknowledging: true }),
    ...(rule.reAlarmMs !== undefined && { re_alarm: durationText(rule.reAlarmMs) }),
  };
  if (!isLimited(rule)) return { id, ...plainSource(rule), ...common };
  const clear = isHighSide(rule.side) ? rule.limit - rule.deadband : rule.limit + rule.deadband;
  const limit = {
    side: rule.side,
    raise: rule.limit,
    ...(!defaults.includes('deadband') && { clear: Number(clear.toPrecision(12)) }),
  };
  return { id, ...limitedSource(rule), ...limit, ...common } as NamedRuleSource;
}

/** What of a rule nobody set, with the customary value, in the words of a file. */
export function defaultsOf(rule: Rule): Readonly<Record<string, number | string>> {
  const { defaults = [], onDelayMs, offDelayMs } = rule;
  const whole = sourceOf({ ...rule, defaults: [] });
  return {
    ...(defaults.includes('deadband') && 'clear' in whole && { clear: whole.clear ?? 0 }),
    ...(defaults.includes('onDelayMs') && { delay: durationText(onDelayMs) }),
    ...(defaults.includes('offDelayMs') && { off_delay: durationText(offDelayMs) }),
  };
}

function plainSource(rule: Exclude<Rule, LimitedRule>) {
  switch (rule.kind) {
    case 'frozen':
      return { kind: rule.kind, band: rule.band, for: durationText(rule.forMs) };
    case 'no-data':
      return { kind: rule.kind, after: durationText(rule.silentMs) };
    case 'state':
      return { kind: rule.kind, is: [...rule.states] };
  }
}

function limitedSource(rule: LimitedRule) {
  switch (rule.kind) {
    case 'limit':
      return { kind: rule.kind };
    case 'rate':
      return { kind: rule.kind, over: durationText(rule.overMs) };
    case 'statistic': {
      const { kind, statistic, windowMs } = rule;
      return { kind, statistic, window: durationText(windowMs) };
    }
    case 'deviation': {
      const { kind, baseline, utcOffsetMin } = rule;
      return { kind, baseline: [...baseline], utc_offset: offsetText(utcOffsetMin) };
    }
    case 'duration': {
      const { kind, totalMs, windowMs } = rule;
      return { kind, total: durationText(totalMs), window: durationText(windowMs) };
    }
    case 'comparison':
      return { kind: rule.kind, with: rule.other, by: rule.by };
    case 'night-flow': {
      const { kind, fromMin, untilMin, utcOffsetMin } = rule;
      const times = { from: dayTime(fromMin), until: dayTime(untilMin) };
      return { kind, ...times, utc_offset: offsetText(utcOffsetMin) };
    }
    case 'cusum': {
      const { kind, target, slack, everyMs } = rule;
      return { kind, target, slack, every: durationText(everyMs) };
    }
  }
}

/** Whether two rules say the same, whatever the order in which they say it. */
export function isSameRule(one: Rule | null, other: Rule | null): boolean {
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

const texts = ['title', 'action', 'cause', 'consequence', 'timeAvailableMs', 'basis', 'defaults'];

/** Whether two rules raise and clear alike: whatever they say beside it to people. */
export function isSameLimit(one: Rule, other: Rule): boolean {
  const bare = (rule: Rule) =>
    Object.entries(sorted(rule) as object).filter(([name]) => !texts.includes(name));
  return JSON.stringify(bare(one)) === JSON.stringify(bare(other));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}

const DAY_MIN = 24 * 60;
const CHINA_OFFSET = '+08:00';

function dayMinutes(text: string): number {
  const [hours, minutes] = text.split(':').map(Number) as [number, number];
  return hours * 60 + minutes;
}

export function dayTime(minutes: number): string {
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return minutes >= DAY_MIN ? '24:00' : `${two(hours)}:${two(rest)}`;
}

export function offsetMinutes(text = CHINA_OFFSET): number {
  const minutes = dayMinutes(text.slice(1));
  return text.startsWith('-') ? -minutes : minutes;
}

export function offsetText(minutes: number): string {
  const away = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(away / 60))}:${two(away % 60)}`;
}

function two(number: number): string {
  return `${number}`.padStart(2, '0');
}
