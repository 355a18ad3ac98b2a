// A rule of the dictionary on the wire. The first three kinds stand in one field of their point,
// all later ones in another: a reader of before them refuses a rule without a condition it knows,
// and so must not come across one. A reader of today leaves out a rule of a kind, or of a word of
// it, that it does not know, and takes the others.
import {
  type AlarmLevel,
  alarmLevels,
  type ComparisonRule,
  type DirectRule,
  defaultables,
  type LimitSide,
  limitSides,
  RULE_STATES_MAX,
  type Rule,
  type RuleProposal,
  statistics,
} from '../../core/alarm/rule.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { malformed, type ProtoReader, type ProtoWriter } from './proto.ts';
import {
  ACTION_BYTES_MAX,
  NAME_BYTES_MAX,
  readBilingual,
  readId,
  readNumber,
  writeBilingual,
} from './wire-words.ts';

/** `device/point` of two ids. */
const OTHER_BYTES_MAX = 129;
const comparedBy = ['difference', 'ratio'] as const satisfies readonly ComparisonRule['by'][];

/** Of the kinds that every reader knows. */
export function isEarly({ kind }: RuleProposal): boolean {
  return kind === 'limit' || kind === 'no-data' || kind === 'state';
}

export function writeRule(writer: ProtoWriter, field: number, rule: RuleProposal): void {
  const mark = writer.open(field);
  writer.text(1, rule.id);
  writer.uint(2, rule.level);
  writer.double(3, rule.onDelayMs);
  writer.double(4, rule.offDelayMs);
  writeBilingual(writer, 5, rule.title);
  if (rule.action) writeBilingual(writer, 6, rule.action);
  if (rule.kind === 'limit') writeLimit(writer, 7, rule);
  else if (rule.kind === 'no-data' || rule.kind === 'state') writePlain(writer, rule);
  writeManners(writer, rule);
  if (rule.kind !== 'limit' && rule.kind !== 'no-data' && rule.kind !== 'state') {
    writeLater(writer, rule);
  }
  writer.close(mark);
}

function writeManners(writer: ProtoWriter, rule: RuleProposal): void {
  if (rule.cause) writeBilingual(writer, 10, rule.cause);
  if (rule.consequence) writeBilingual(writer, 11, rule.consequence);
  writer.double(12, rule.timeAvailableMs ?? 0);
  if (rule.basis) writeBilingual(writer, 13, rule.basis);
  writer.uint(14, rule.isLatching ? 1 : 0);
  writer.uint(15, rule.isSelfAcknowledging ? 1 : 0);
  writer.double(16, rule.reAlarmMs ?? 0);
  writer.uint(
    17,
    defaultables.reduce(
      (bits, name, at) => (rule.defaults?.includes(name) ? bits | (1 << at) : bits),
      0,
    ),
  );
}

interface Limited {
  readonly side: LimitSide;
  readonly limit: number;
  readonly deadband: number;
}

function writeLimit(writer: ProtoWriter, field: number, { side, limit, deadband }: Limited): void {
  const mark = writer.open(field);
  writer.uint(1, limitSides.indexOf(side));
  writer.double(2, limit);
  writer.double(3, deadband);
  writer.close(mark);
}

function writePlain(writer: ProtoWriter, rule: Exclude<DirectRule, { kind: 'limit' }>): void {
  const mark = writer.open(rule.kind === 'no-data' ? 8 : 9);
  if (rule.kind === 'no-data') writer.double(1, rule.silentMs);
  else {
    const values = writer.open(1);
    for (const state of rule.states) writer.signed(state);
    writer.close(values);
  }
  writer.close(mark);
}

type LaterRule = Exclude<RuleProposal, DirectRule>;

const laterFields = {
  rate: 18,
  statistic: 19,
  duration: 20,
  frozen: 21,
  comparison: 22,
  'night-flow': 23,
  cusum: 24,
} as const satisfies Record<LaterRule['kind'], number>;

function writeLater(writer: ProtoWriter, rule: LaterRule): void {
  const mark = writer.open(laterFields[rule.kind]);
  if (rule.kind !== 'frozen') writeLimit(writer, 1, rule);
  switch (rule.kind) {
    case 'rate':
      writer.double(2, rule.overMs);
      break;
    case 'statistic':
      writer.uint(2, statistics.indexOf(rule.statistic));
      writer.double(3, rule.windowMs);
      break;
    case 'duration':
      writer.double(2, rule.totalMs);
      writer.double(3, rule.windowMs);
      break;
    case 'frozen':
      writer.double(1, rule.band);
      writer.double(2, rule.forMs);
      break;
    case 'comparison':
      writer.text(2, rule.other);
      writer.uint(3, comparedBy.indexOf(rule.by));
      break;
    case 'night-flow':
      writer.uint(2, rule.fromMin);
      writer.uint(3, rule.untilMin);
      writer.sint(4, rule.utcOffsetMin);
      break;
    case 'cusum':
      writer.double(2, rule.target);
      writer.double(3, rule.slack);
      writer.double(4, rule.everyMs);
      break;
  }
  writer.close(mark);
}

/** Null for a rule that this reader does not know enough of. */
export function readRule(reader: ProtoReader): RuleProposal | null {
  const common = { id: '', onDelayMs: 0, offDelayMs: 0, title: { en: '', zh: '' } };
  const manners: Manners = {};
  let level: AlarmLevel | undefined;
  let action: RuleProposal['action'] = null;
  let condition: Condition | undefined;
  while (reader.next()) {
    const { field } = reader;
    if (field === 1) common.id = readId(reader);
    else if (field === 2) level = alarmLevels[reader.uint() - 1];
    else if (field === 3) common.onDelayMs = readNumber(reader);
    else if (field === 4) common.offDelayMs = readNumber(reader);
    else if (field === 5) common.title = readBilingual(reader.message(), NAME_BYTES_MAX);
    else if (field === 6) action = readBilingual(reader.message(), ACTION_BYTES_MAX);
    else if (field >= 10 && field <= 17) readManner(reader, manners);
    else condition = readCondition(reader) ?? condition;
  }
  if (condition === undefined) return null;
  if (common.id === '' || !level) throw malformed('a rule is not complete');
  return { ...common, level, action, ...condition, ...manners };
}

type Manners = {
  -readonly [Name in
    | 'cause'
    | 'consequence'
    | 'timeAvailableMs'
    | 'basis'
    | 'isLatching'
    | 'isSelfAcknowledging'
    | 'reAlarmMs'
    | 'defaults']?: NonNullable<Rule[Name]>;
};

function readManner(reader: ProtoReader, manners: Manners): void {
  const text = (): Bilingual => readBilingual(reader.message(), ACTION_BYTES_MAX);
  const { field } = reader;
  if (field === 10) manners.cause = text();
  else if (field === 11) manners.consequence = text();
  else if (field === 12) manners.timeAvailableMs = readNumber(reader);
  else if (field === 13) manners.basis = text();
  else if (field === 14) {
    if (reader.uint() !== 0) manners.isLatching = true;
  } else if (field === 15) {
    if (reader.uint() !== 0) manners.isSelfAcknowledging = true;
  } else if (field === 16) manners.reAlarmMs = readNumber(reader);
  else {
    const bits = reader.uint();
    manners.defaults = defaultables.filter((_, at) => (bits & (1 << at)) !== 0);
  }
}

type ConditionOf<Kind> = Kind extends RuleProposal
  ? Omit<Kind, keyof Manners | 'id' | 'level' | 'onDelayMs' | 'offDelayMs' | 'title' | 'action'>
  : never;
type Condition = ConditionOf<RuleProposal>;

type Part = 'limit' | 'number' | 'uint' | 'sint' | 'text';
interface Parts {
  limit: Limited;
  /** By field; 0 where the writer left it out. */
  readonly numbers: readonly number[];
  readonly text: string;
}

const PARTS = 5;

/** The fields of a condition; what is not in `form` is a later writer's and skipped. */
function readParts(reader: ProtoReader, form: readonly (Part | null)[]): Parts {
  const numbers = new Array<number>(PARTS).fill(0);
  let limit: Limited = { side: limitSides[0], limit: 0, deadband: 0 };
  let text = '';
  while (reader.next()) {
    const part = form[reader.field] ?? null;
    if (part === 'limit') limit = readLimit(reader.message());
    else if (part === 'number') numbers[reader.field] = readNumber(reader);
    else if (part === 'uint') numbers[reader.field] = reader.uint();
    else if (part === 'sint') numbers[reader.field] = reader.sint();
    else if (part === 'text') text = reader.text(OTHER_BYTES_MAX);
    else reader.skip();
  }
  return { limit, numbers, text };
}

/** By field; undefined for a condition that says a word this reader does not know. */
const conditions: Readonly<Record<number, (reader: ProtoReader) => Condition | undefined>> = {
  7: (reader) => ({ kind: 'limit', ...readLimit(reader) }),
  8: (reader) => {
    const { numbers } = readParts(reader, [null, 'number']);
    return { kind: 'no-data', silentMs: numbers[1]! };
  },
  9: (reader) => ({ kind: 'state', states: readStates(reader) }),
  18: (reader) => {
    const { limit, numbers } = readParts(reader, [null, 'limit', 'number']);
    return { kind: 'rate', ...limit, overMs: numbers[2]! };
  },
  19: (reader) => {
    const { limit, numbers } = readParts(reader, [null, 'limit', 'uint', 'number']);
    const statistic = statistics[numbers[2]!];
    return statistic && { kind: 'statistic', ...limit, statistic, windowMs: numbers[3]! };
  },
  20: (reader) => {
    const { limit, numbers } = readParts(reader, [null, 'limit', 'number', 'number']);
    return { kind: 'duration', ...limit, totalMs: numbers[2]!, windowMs: numbers[3]! };
  },
  21: (reader) => {
    const { numbers } = readParts(reader, [null, 'number', 'number']);
    return { kind: 'frozen', band: numbers[1]!, forMs: numbers[2]! };
  },
  22: (reader) => {
    const { limit, numbers, text } = readParts(reader, [null, 'limit', 'text', 'uint']);
    const by = comparedBy[numbers[3]!];
    return by && { kind: 'comparison', ...limit, other: text, by };
  },
  23: (reader) => {
    const { limit, numbers } = readParts(reader, [null, 'limit', 'uint', 'uint', 'sint']);
    const [, , fromMin = 0, untilMin = 0, utcOffsetMin = 0] = numbers;
    return { kind: 'night-flow', ...limit, fromMin, untilMin, utcOffsetMin };
  },
  24: (reader) => {
    const { limit, numbers } = readParts(reader, [null, 'limit', 'number', 'number', 'number']);
    const [, , target = 0, slack = 0, everyMs = 0] = numbers;
    return { kind: 'cusum', ...limit, target, slack, everyMs };
  },
};

function readCondition(reader: ProtoReader): Condition | undefined {
  const read = conditions[reader.field];
  if (read) return read(reader.message());
  reader.skip();
  return undefined;
}

function readLimit(reader: ProtoReader): Limited {
  let side: LimitSide | undefined = limitSides[0];
  let limit = 0;
  let deadband = 0;
  while (reader.next()) {
    if (reader.field === 1) side = limitSides[reader.uint()];
    else if (reader.field === 2) limit = readNumber(reader);
    else if (reader.field === 3) deadband = readNumber(reader);
    else reader.skip();
  }
  if (!side) throw malformed('a limit without a side');
  return { side, limit, deadband };
}

function readStates(reader: ProtoReader): number[] {
  const states: number[] = [];
  while (reader.next()) {
    if (reader.field !== 1) {
      reader.skip();
      continue;
    }
    const packed = reader.message();
    while (!packed.done) {
      if (states.length >= RULE_STATES_MAX) throw malformed('a rule of too many states');
      states.push(packed.signed());
    }
  }
  if (states.length === 0) throw malformed('a rule without states');
  return states;
}
