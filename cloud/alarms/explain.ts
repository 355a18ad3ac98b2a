// Why this alarm: what was measured, by which rule that somebody put in force for a reason, step
// after step until it was over, and who did what with it. Pure: what the alarms, the journal, the
// versions of rules and the store know comes in, sentences of the catalogue and their data come
// out.
//
// When it began, was raised and was over is what the alarm itself says. What lies between (a value
// that could not be read, a delay that stood still, a return that did not last) is found by putting
// the stored samples to the kernel again, under the rule of that time.
import type { Evaluation, Input, Sample } from '../../core/alarm/evaluate.ts';
import { FRESH, NO_VERDICT, NOT_SEEN, step } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { isDirect } from '../../core/alarm/rule.ts';
import { conditionText } from '../../core/alarm/rule-words.ts';
import { describeSignal } from '../../core/alarm/signalled.ts';
import { durationText } from '../../core/duration.ts';
import { isSilent, qualityOf } from '../../core/quality.ts';
import type { Bilingual, Language } from '../../core/text/text.ts';
import { bilingual, say } from '../../core/text/text.ts';
import { unitSymbol } from '../../core/units.ts';
import type { Span } from '../store/store.ts';
import type { Alarm } from './alarm.ts';
import type { JournalEntry } from './journal.ts';
import { leadMs } from './replay.ts';
import type { RuleVersion } from './rule-versions.ts';

/** What a person reads of an evening. */
export const EXPLAINED_SAMPLES_MAX = 40;
/** Steps found again in the samples; a value that flickers for hours says no more after these. */
export const EXPLAINED_STEPS_MAX = 60;

const MINUTE_MS = 60_000;

export interface ExplainStep {
  readonly atMs: number;
  /** Key of its sentence in the catalogue: stable, for programs. */
  readonly kind: string;
  readonly text: Bilingual;
}

export interface ExplainSample {
  readonly sample: Sample;
  /** It made a step, or stands beside one. */
  readonly isDecisive: boolean;
}

export interface Explanation {
  readonly alarm: Alarm;
  readonly version: RuleVersion | null;
  readonly rule: readonly Bilingual[];
  /** By time. */
  readonly steps: readonly ExplainStep[];
  /** What is so now: shelved, suppressed, out of service, of a test. */
  readonly notes: readonly Bilingual[];
  readonly samples: readonly ExplainSample[];
  /** Samples of the time that are not among them. */
  readonly leftOut: number;
}

/** A part of the recording; the state is known where it begins: normal, or on. */
export interface ExplainStretch {
  readonly isOn: boolean;
  readonly inputs: readonly Input[];
}

export interface ExplainSources {
  readonly alarm: Alarm;
  /** The rule that raised it. */
  readonly version: RuleVersion | null;
  readonly periodMs: number;
  readonly stretches: readonly ExplainStretch[];
  /** Of this alarm, oldest first. */
  readonly journal: readonly JournalEntry[];
}

/** What to ask of the store: around the beginning and, where that is elsewhere, around the end. */
export function explainSpans(
  { beganMs, raisedMs, clearedMs }: Alarm,
  rule: Rule | null,
  periodMs: number,
  nowMs: number,
): readonly (Span & { readonly isOn: boolean })[] {
  // A rule judged by the newest value alone is normal until it begins.
  const isDirectRule = rule === null || isDirect(rule);
  const lead = isDirectRule ? Math.max(30 * periodMs, MINUTE_MS) : leadMs(rule);
  const begin = { fromMs: beganMs - lead, toMs: raisedMs + Math.max(10 * periodMs, MINUTE_MS) };
  const offMs = rule?.offDelayMs ?? 0;
  const endMs = clearedMs ?? Math.max(nowMs, begin.toMs);
  const before = offMs + Math.max(30 * periodMs, 5 * MINUTE_MS);
  const end = { fromMs: endMs - before, toMs: endMs + Math.max(5 * periodMs, 10_000) };
  if (end.fromMs <= begin.toMs) {
    return [{ fromMs: begin.fromMs, toMs: Math.max(begin.toMs, end.toMs), isOn: false }];
  }
  return [
    { ...begin, isOn: false },
    { ...end, isOn: true },
  ];
}

export function explain(sources: ExplainSources): Explanation {
  const { alarm, version, journal } = sources;
  const [found, decisive] = rerun(sources);
  const [begun, over] = [beginSteps(sources), endSteps(alarm)];
  const steps = [...begun, ...found, ...over, ...journalSteps(alarm, journal)];
  // What was so at one instant stays in the order in which it was said.
  const sorted = steps.map((each, at) => ({ each, at }));
  sorted.sort((a, b) => a.each.atMs - b.each.atMs || a.at - b.at);
  const { samples, leftOut } = chosen(sources, decisive);
  return {
    ...{ alarm, version, samples, leftOut },
    rule: version ? ruleTexts(alarm, version) : noRule(alarm),
    steps: sorted.map(({ each }) => each),
    notes: notesOf(alarm),
  };
}

const noRule = ({ series }: Alarm) => (series === null ? [] : [bilingual('explain-no-version')]);

/** Exact below ten seconds, then to the second. */
function lasting(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  return durationText(whole < 10_000 ? whole : Math.round(whole / 1000) * 1000);
}

const shown = (value: number | null) => (value === null ? '?' : Number(value.toPrecision(6)));
const measured = (value: number | null, unit: string) =>
  `${shown(value)} ${unitSymbol(unit)}`.trim();
const instant = (ms: number) => new Date(ms).toISOString();

function onDelayOf(rule: Rule): number {
  return rule.kind === 'no-data' ? rule.onDelayMs + rule.silentMs : rule.onDelayMs;
}

function ruleTexts({ unit }: Alarm, version: RuleVersion): Bilingual[] {
  const { rule, author, approver, reason, decidedMs } = version;
  const on = lasting(onDelayOf(rule));
  const off = lasting(rule.offDelayMs);
  const gateway = /^gateway (.+)$/.exec(author)?.[1];
  const said = (language: Language): [decided: string, when: string] => {
    const at = decidedMs > 0 ? instant(decidedMs) : say(language, 'explain-since-unknown');
    const values = { rule: rule.id, version: version.version, at };
    const decided = gateway
      ? say(language, 'explain-rule-proposed', { ...values, gateway })
      : say(language, 'explain-rule', { ...values, author, reason });
    const when = conditionText(rule, unit, language);
    return [decided, say(language, 'explain-rule-when', { when, on, off })];
  };
  const [en, zh] = [said('en'), said('zh')];
  return [
    { en: en[0], zh: zh[0] },
    ...(approver === null ? [] : [bilingual('explain-rule-approved', { approver })]),
    { en: en[1], zh: zh[1] },
  ];
}

// What the alarm itself says.
function beginSteps({ alarm, version, journal, stretches }: ExplainSources): ExplainStep[] {
  const { raisedMs, raisedReceivedMs } = alarm;
  const late = lasting(raisedReceivedMs - raisedMs);
  const isBacklog =
    alarm.isHistorical ||
    journal.some(({ kind, before }) => kind === 'alarm-historical' && before === null);
  const known = isBacklog ? 'explain-received-late' : 'explain-received-live';
  return [
    beginning(alarm, version?.rule ?? null, firstOf(alarm, stretches)),
    stepOf(raisedMs, 'explain-raised', bilingual('explain-raised')),
    stepOf(raisedReceivedMs, known, bilingual(known, { late })),
  ];
}

function endSteps({ clearedMs, clearedReceivedMs }: Alarm): ExplainStep[] {
  if (clearedMs === null) return [];
  const steps: ExplainStep[] = [];
  steps.push(stepOf(clearedMs, 'explain-cleared', bilingual('explain-cleared')));
  if (clearedReceivedMs !== null) {
    const text = bilingual('explain-cleared-known', {
      late: lasting(clearedReceivedMs - clearedMs),
    });
    steps.push(stepOf(clearedReceivedMs, 'explain-cleared-known', text));
  }
  return steps;
}

const stepOf = (atMs: number, kind: string, text: Bilingual): ExplainStep => ({ atMs, kind, text });

/** The value it began with, where the store has it; else the one it was raised with. */
function firstOf({ beganMs, value }: Alarm, stretches: readonly ExplainStretch[]): number | null {
  for (const { inputs } of stretches) {
    const first = inputs.find((input) => input.kind === 'sample' && input.atMs === beganMs);
    if (first?.kind === 'sample') return first.value;
  }
  return value;
}

function beginning(
  { beganMs, series, unit }: Alarm,
  rule: Rule | null,
  value: number | null,
): ExplainStep {
  if (series === null) {
    return stepOf(beganMs, 'explain-gateway-silent', bilingual('explain-gateway-silent'));
  }
  const delay = rule ? lasting(onDelayOf(rule)) : '?';
  if (rule?.kind === 'no-data') {
    return stepOf(beganMs, 'explain-silent', bilingual('explain-silent', { delay }));
  }
  if (rule?.kind === 'limit') {
    const values = { value: measured(value, unit), limit: rule.limit, delay };
    return stepOf(beganMs, 'explain-beyond', bilingual('explain-beyond', values));
  }
  const text = bilingual('explain-beyond-signal', { value: shown(value), delay });
  return stepOf(beganMs, 'explain-beyond-signal', text);
}

const told: Readonly<Record<string, 'explain-moved-back' | 'explain-told' | 'explain-told-again'>> =
  {
    'alarm-moved-back': 'explain-moved-back',
    'alarm-raised': 'explain-told',
    'alarm-annunciated': 'explain-told-again',
  };

const done = {
  'alarm-shelved': 'explain-shelved-by',
  'alarm-unshelved': 'explain-unshelved-by',
  'alarm-suppressed': 'explain-suppressed-by',
  'alarm-unsuppressed': 'explain-unsuppressed-by',
  'alarm-removed': 'explain-removed-by',
  'alarm-returned': 'explain-returned-by',
  'alarm-reset': 'explain-reset-by',
  'alarm-silenced': 'explain-silenced-by',
  'approval-asked': 'explain-asked-by',
  'approval-given': 'explain-given-by',
  'approval-withdrawn': 'explain-withdrawn-by',
  'alarm-acknowledged': 'explain-acknowledged',
} as const;
const isDone = (kind: string): kind is keyof typeof done => Object.hasOwn(done, kind);

function journalSteps({ isHistorical }: Alarm, journal: readonly JournalEntry[]): ExplainStep[] {
  return journal.flatMap(({ kind, atMs, who, before, after }) => {
    const key = told[kind];
    if (key) return [stepOf(atMs, key, bilingual(key))];
    if (isDone(kind)) return [stepOf(atMs, done[kind], bilingual(done[kind], { who }))];
    switch (kind) {
      case 'alarm-cleared':
        return [];
      case 'alarm-historical':
        return isHistorical && before === null
          ? [stepOf(atMs, 'explain-historical', bilingual('explain-historical'))]
          : [];
      case 'alarm-superseded':
        return [stepOf(atMs, 'explain-superseded', bilingual('explain-superseded'))];
      case 'delivery-confirmed': {
        const { by } = after as { readonly by: string };
        return [stepOf(atMs, 'explain-confirmed', bilingual('explain-confirmed', { by }))];
      }
      default:
        return [stepOf(atMs, 'explain-act', bilingual('explain-act', { kind, who }))];
    }
  });
}

function notesOf({ clearedMs, suppressedBy, shelf, removal, test }: Alarm): Bilingual[] {
  const notes: Bilingual[] = [];
  if (clearedMs === null) notes.push(bilingual('explain-still-on'));
  if (suppressedBy !== null) notes.push(bilingual('explain-suppressed', { by: suppressedBy }));
  if (shelf) {
    const { by: who, untilMs, reason } = shelf;
    notes.push(bilingual('explain-shelved', { who, until: instant(untilMs), reason }));
  }
  if (removal) {
    const { untilMs, workOrder: order, reason } = removal;
    notes.push(bilingual('explain-removed', { until: instant(untilMs), order, reason }));
  }
  if (test) notes.push(bilingual('explain-test', { who: test.by, reason: test.reason }));
  return notes;
}

/** The steps between, and the samples that made them. */
function rerun(sources: ExplainSources): [ExplainStep[], ReadonlySet<Input>] {
  const { alarm, version, stretches } = sources;
  const steps: ExplainStep[] = [];
  const decisive = new Set<Input>();
  if (!version || alarm.series === null) return [steps, decisive];
  const again = new Again(sources, version.rule);
  for (const { isOn, inputs } of stretches) again.run(isOn, inputs, steps, decisive);
  return [steps.slice(0, EXPLAINED_STEPS_MAX), decisive];
}

class Again {
  readonly #alarm: Alarm;
  readonly #rule: Rule;
  readonly #periodMs: number;
  #steps: ExplainStep[] = [];

  constructor({ alarm, periodMs }: ExplainSources, rule: Rule) {
    this.#alarm = alarm;
    this.#rule = rule;
    this.#periodMs = periodMs;
  }

  run(isOn: boolean, inputs: readonly Input[], steps: ExplainStep[], decisive: Set<Input>): void {
    const { key } = this.#alarm;
    const subject = { key, periodMs: this.#periodMs, rule: this.#rule };
    let state = isOn ? this.#on() : FRESH;
    this.#steps = steps;
    let sampled: Input | null = null;
    for (const input of inputs) {
      const [after, transitions] = step(subject, state, input);
      const said = this.#steps.length;
      this.#between(state, after, input);
      const isStep = transitions.length > 0 || this.#steps.length > said;
      const hasBegun = after.verdict.first?.monoMs !== state.verdict.first?.monoMs;
      if ((isStep || hasBegun) && this.#isWithin(input.atMs)) {
        decisive.add(input);
        if (sampled) decisive.add(sampled);
      }
      if (input.kind === 'sample') sampled = input;
      state = after;
    }
  }

  #on(): Evaluation {
    const { occurrence, beganMs: atMs, value } = this.#alarm;
    const first = { epoch: '', monoMs: -1, atMs, value };
    return { track: NOT_SEEN, verdict: { ...NO_VERDICT, phase: 'active', first, occurrence } };
  }

  #isWithin(atMs: number): boolean {
    const { beganMs, clearedMs } = this.#alarm;
    return atMs >= beganMs && (clearedMs === null || atMs <= clearedMs);
  }

  #say(atMs: number, kind: string, text: Bilingual): void {
    if (this.#isWithin(atMs)) this.#steps.push(stepOf(atMs, kind, text));
  }

  #between({ track, verdict: before }: Evaluation, after: Evaluation, input: Input): void {
    const { verdict } = after;
    const { atMs } = input;
    // One input may bring the raise that was due and what came after it.
    const isOn = [before, verdict].some(({ phase }) => phase === 'active' || phase === 'falling');
    if (before.heldMonoMs < 0 && verdict.heldMonoMs >= 0) {
      this.#say(atMs, 'explain-held', bilingual('explain-held', { reason: reasonOf(input) }));
    } else if (before.heldMonoMs >= 0 && verdict.heldMonoMs < 0 && verdict.phase !== 'normal') {
      const held = lasting(after.track.sampleMonoMs - before.heldMonoMs);
      this.#say(atMs, 'explain-resumed', bilingual('explain-resumed', { held }));
    } else if (isOn && track.usable !== after.track.usable && track.epoch !== null) {
      if (!after.track.usable) {
        const text = bilingual('explain-bad-while-active', { reason: reasonOf(input) });
        this.#say(atMs, 'explain-bad-while-active', text);
      } else this.#say(atMs, 'explain-good-while-active', bilingual('explain-good-while-active'));
    }
    if (verdict.phase === 'falling' && before.phase !== 'falling') {
      this.#falls(after, verdict.sinceAtMs);
    } else if (before.phase === 'active' && verdict.phase === 'normal') this.#falls(after, atMs);
    if (before.phase === 'falling' && verdict.phase === 'active') {
      const value = shown(describeSignal(this.#rule, after));
      this.#say(atMs, 'explain-beyond-again', bilingual('explain-beyond-again', { value }));
    }
  }

  #falls(after: Evaluation, atMs: number): void {
    const { unit } = this.#alarm;
    const value = measured(describeSignal(this.#rule, after), unit);
    const delay = lasting(this.#rule.offDelayMs);
    const kind = this.#rule.kind === 'limit' ? 'explain-falling' : 'explain-falling-signal';
    this.#say(atMs, kind, bilingual(kind, { value, delay }));
  }
}

function reasonOf(input: Input): string {
  const quality = input.kind === 'sample' ? qualityOf(input.quality) : undefined;
  return quality?.reason ?? 'none';
}

// The decisive ones, the most extreme, those beside begin, raise and end; the rest evenly spread.
function chosen(
  { alarm, version, periodMs, stretches }: ExplainSources,
  decisive: ReadonlySet<Input>,
): Pick<Explanation, 'samples' | 'leftOut'> {
  const { beganMs, raisedMs, clearedMs } = alarm;
  const onMs = version ? 2 * onDelayOf(version.rule) : 0;
  const sinceMs = beganMs - Math.max(10 * periodMs, onMs, 30_000);
  const all = stretches
    .flatMap(({ inputs }) => inputs)
    .filter((input): input is Sample => input.kind === 'sample' && input.atMs >= sinceMs);
  const marked = new Set<Sample>();
  const mark = (at: number) => {
    const sample = all[at];
    if (sample && marked.size < EXPLAINED_SAMPLES_MAX) marked.add(sample);
  };
  const first = all.findIndex(({ atMs }) => atMs >= beganMs);
  for (const at of [first, first - 1]) mark(at);
  mark(all.findLastIndex(({ atMs }) => atMs <= raisedMs));
  if (clearedMs !== null) mark(all.findLastIndex(({ atMs }) => atMs <= clearedMs));
  mark(extreme(alarm, version?.rule ?? null, all));
  all.forEach((sample, at) => {
    if (decisive.has(sample) || isTurn(all, at)) mark(at);
  });
  const kept = new Set(marked);
  const others = all.filter((sample) => !marked.has(sample));
  const room = Math.min(EXPLAINED_SAMPLES_MAX - kept.size, others.length);
  for (let at = 0; at < room; at++) kept.add(others[Math.floor((at * others.length) / room)]!);
  const samples = all
    .filter((sample) => kept.has(sample))
    .map((sample) => ({ sample, isDecisive: marked.has(sample) }));
  return { samples, leftOut: all.length - samples.length };
}

function isTurn(samples: readonly Sample[], at: number): boolean {
  const before = samples[at - 1];
  return before !== undefined && isSilent(before.quality) !== isSilent(samples[at]!.quality);
}

function extreme(alarm: Alarm, rule: Rule | null, samples: readonly Sample[]): number {
  const isLow = rule !== null && 'side' in rule && (rule.side === 'low' || rule.side === 'low-low');
  let found = -1;
  samples.forEach(({ value, atMs }, at) => {
    const isIn = atMs >= alarm.beganMs && atMs <= (alarm.clearedMs ?? atMs);
    if (value === null || !isIn) return;
    const most = samples[found]?.value ?? null;
    if (most === null || (isLow ? value < most : value > most)) found = at;
  });
  return found;
}
