// The book of the cases: keeps each change of a case with its log, its journal entry and the event
// for the live stream; knows when the next step is to be escalated. Which change is made is decided
// by cases.ts, and whether it may be by case.ts.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Approval } from '../alarms/approvals.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { Actor } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import type { CaseActKind, CaseRefusal, Ending, Limits, OpenState } from './case.ts';
import { resumedAfter } from './case.ts';
import type { Case, CaseEntryKind, CaseStep } from './tables.ts';
import { CaseTables } from './tables.ts';
import { stateText } from './words.ts';

/** The kind under which ending a case waits for the second person. */
export const CLOSE_CASE = 'close-case';

/**
 * A case has so many stays before one that begins anew without anybody having left it takes the
 * place of the last: each is some 250 bytes of a document that is written whole, 125 kB here.
 */
const STAYS_MAX = 500;

type Detail = Readonly<Record<string, string>>;

/** A case with what follows from its alarms, the clock and what waits for a second person. */
export interface CaseView {
  readonly case: Case;
  readonly alarms: number;
  readonly active: number;
  readonly isOverdue: boolean;
  readonly approval: Approval | null;
}

export interface CaseEvent {
  readonly kind: CaseEntryKind | 'cleared';
  readonly view: CaseView;
}

export interface CaseOptions {
  readonly alarms: AlarmConsumer;
  readonly limits: Readonly<Record<AlarmLevel, Limits>>;
  /** Who has a case of an asset before anybody is assigned; '' where nobody is named. */
  readonly departmentOf: (asset: string | null) => string;
  /** Local time less UTC: the year a case is numbered in is that of the calendar at the desk. */
  readonly utcOffsetMs: number;
}

export class CaseBook {
  readonly tables: CaseTables;
  readonly #options: CaseOptions;
  /** When the next step is to be escalated; undefined: to be asked of the tables. */
  #nextMs: number | null | undefined = undefined;
  #untold: { readonly kind: CaseEvent['kind']; readonly id: string }[] = [];

  constructor(database: DatabaseSync, options: CaseOptions) {
    this.#options = options;
    this.tables = new CaseTables(database);
  }

  isDue(nowMs: number): boolean {
    if (this.#nextMs === undefined) this.#nextMs = this.tables.nextEscalationMs();
    return this.#nextMs !== null && this.#nextMs <= nowMs;
  }

  /** What is only in memory is read back, or was never so. */
  load(): void {
    this.#nextMs = undefined;
    this.#untold = [];
  }

  /** For the live stream. */
  tell(kind: CaseEvent['kind'], { id }: Case): void {
    this.#untold.push({ kind, id });
  }

  /** What happened to cases since the last call, for the live stream; after each transaction. */
  drain(nowMs: number): CaseEvent[] {
    if (this.#untold.length === 0) return [];
    const untold = this.#untold;
    this.#untold = [];
    const waiting = this.#options.alarms.approvals.pending(nowMs);
    return untold.map(({ kind, id }) => ({ kind, view: this.view(this.find(id), nowMs, waiting) }));
  }

  /** Throws Fault `case_unknown`. */
  find(id: string): Case {
    const found = this.tables.get(id);
    if (!found) throw new Fault('case_unknown', 'never', bilingual('case-none', { id }));
    return found;
  }

  view(found: Case, nowMs: number, waiting: readonly Approval[]): CaseView {
    const { total, active } = this.tables.alarmFigures(found.number);
    const dueMs = found.steps.at(-1)?.dueMs ?? Number.POSITIVE_INFINITY;
    const approval = waiting.find(({ kind, what }) => kind === CLOSE_CASE && what === found.id);
    return {
      case: found,
      alarms: total,
      active,
      isOverdue: found.endedMs === null && dueMs < nowMs,
      approval: approval ?? null,
    };
  }

  /** The alarm that stands for a case: an active one, else the newest. */
  speaker({ number }: Case): Alarm | null {
    const newest = this.tables.alarms(number, 100).reverse();
    const one = newest.find(({ endedMs }) => endedMs === null) ?? newest[0];
    return one ? this.#options.alarms.get(one.occurrence) : null;
  }

  /** What became more urgent is due sooner. */
  hasten(found: Case): Case {
    const step = found.steps.at(-1);
    if (!step || found.endedMs !== null) return found;
    const limitMs = this.#options.limits[found.level][step.state];
    const dueMs = Math.min(step.dueMs, step.enteredMs + limitMs);
    return { ...found, steps: [...found.steps.slice(0, -1), { ...step, dueMs }] };
  }

  // Out of the open states. What else was asked for the case is asked no longer.
  leave(
    found: Case,
    state: Ending,
    reason: string,
    actor: Actor,
    nowMs: number,
    [kind, detail, leftBy]: readonly [CaseEntryKind, Detail, string],
  ): void {
    const after: Case = {
      ...found,
      ...revised(found, { ...actor, name: leftBy }, nowMs),
      ...{ state, endedMs: nowMs, reason, escalation: 0, resumes: null },
      steps: left(found.steps, leftBy, nowMs),
    };
    this.keep(after);
    this.write(after, kind, actor, nowMs, reason, detail);
    this.journal(kind, found, after, actor, nowMs, { reason, ...detail });
    this.#lapse(found, actor, nowMs);
  }

  #lapse(found: Case, actor: Actor, nowMs: number): void {
    const { approvals } = this.#options.alarms;
    for (const { id, kind: asked, what } of approvals.pending(nowMs)) {
      if (asked === CLOSE_CASE && what === found.id) approvals.withdraw(id, actor, nowMs);
    }
  }

  /** What had ended is open again, and nobody's. */
  reopen(before: Case, alarm: string, nowMs: number): void {
    const { level, department } = before;
    const step = this.step('new', { level, owner: null, department }, machine, nowMs);
    const after: Case = {
      ...before,
      ...revised(before, machine, nowMs),
      ...{ state: 'new', owner: null, endedMs: null, reason: null, escalation: 0 },
      steps: [...before.steps, step],
    };
    this.keep(after);
    this.write(after, 'reopened', machine, nowMs, '', { alarm });
    this.journal('reopened', before, after, machine, nowMs, { alarm });
  }

  /**
   * An open case waits anew for somebody to acknowledge: from now on within the limit of its level,
   * told to the first in the chain again. A time that is running already is never made longer. Who
   * has it keeps it; that somebody wished to end it was said without knowing of this alarm.
   */
  back(before: Case, grown: Case, alarm: string, nowMs: number): void {
    const present = before.steps.at(-1)!;
    const state = before.state as OpenState;
    const whole = this.step('new', grown, machine, nowMs);
    const isRunning = state === 'new' && present.dueMs > nowMs;
    const begun = isRunning ? { ...whole, dueMs: Math.min(whole.dueMs, present.dueMs) } : whole;
    const isFull = state === 'new' && before.steps.length >= STAYS_MAX;
    const kept = isFull ? before.steps.slice(0, -1) : before.steps;
    const after: Case = {
      ...grown,
      ...revised(before, machine, nowMs),
      ...{ state: 'new', escalation: 0, resumes: resumedAfter(state, before.resumes ?? null) },
      steps: [...left(kept, machine.name, nowMs), begun],
    };
    this.keep(after);
    this.write(after, 'returned', machine, nowMs, '', { alarm, state, level: `${after.level}` });
    this.journal('returned', before, after, machine, nowMs, { alarm });
    this.#lapse(after, machine, nowMs);
  }

  /** Somebody has a new case: it goes on where it was before it came back to `new`. */
  acknowledge(found: Case, note: string, actor: Actor, nowMs: number): void {
    const taken = { ...found, owner: found.owner ?? actor.name };
    const state = found.resumes ?? 'acknowledged';
    const resumed = found.resumes ? { resumed: state } : {};
    this.forward(taken, state, actor, nowMs, ['acknowledge', note, resumed]);
  }

  /** To the next step. */
  forward(
    found: Case,
    state: OpenState,
    actor: Actor,
    nowMs: number,
    [kind, note, detail]: readonly [CaseEntryKind, string, Detail],
  ): void {
    const after: Case = {
      ...found,
      ...revised(found, actor, nowMs),
      ...{ state, escalation: 0, resumes: null },
      steps: [
        ...left(found.steps, actor.name, nowMs, found.owner),
        found.resumes === state
          ? this.#resume(state, found, actor, nowMs)
          : this.step(state, found, actor, nowMs),
      ],
    };
    this.keep(after);
    this.write(after, kind, actor, nowMs, note, detail);
    this.journal(kind, found, after, actor, nowMs, detail);
  }

  step(
    state: OpenState,
    { level, owner, department }: Pick<Case, 'level' | 'owner' | 'department'>,
    { name: by, from }: Actor,
    nowMs: number,
  ): CaseStep {
    const dueMs = nowMs + this.#options.limits[level][state];
    const open = { leftMs: null, leftBy: null, escalation: 0 };
    return { state, enteredMs: nowMs, by, from, owner, department, dueMs, ...open };
  }

  // With the time that was left of it; what was overdue has its whole time again, and is told from
  // the first in the chain.
  #resume(state: OpenState, found: Case, actor: Actor, nowMs: number): CaseStep {
    const whole = this.step(state, found, actor, nowMs);
    const earlier = found.steps.findLast((step) => step.state === state);
    const leftOver = earlier ? earlier.dueMs - (earlier.leftMs ?? nowMs) : 0;
    const dueMs = leftOver > 0 ? Math.min(whole.dueMs, nowMs + leftOver) : whole.dueMs;
    return { ...whole, dueMs, resumed: true };
  }

  /** A new case, numbered within its year. */
  insert(nowMs: number, make: (id: string, number: number) => Case): Case {
    this.#nextMs = undefined;
    const year = new Date(nowMs + this.#options.utcOffsetMs).getUTCFullYear();
    return this.tables.insert(year, make);
  }

  keep(after: Case): void {
    this.tables.update(after);
    this.#nextMs = undefined;
  }

  write(
    { id, number }: Case,
    kind: CaseEntryKind,
    { name: by, from }: Actor,
    atMs: number,
    text: string,
    detail: Detail,
  ): void {
    this.tables.write(number, { atMs, kind, by, from, text, detail });
    this.#untold.push({ kind, id });
  }

  journal(
    kind: string,
    before: Case | null,
    after: Case,
    actor: Actor,
    nowMs: number,
    more: object = {},
  ): void {
    const { journal } = this.#options.alarms.tables;
    journal.write({
      ...{ atMs: nowMs, kind: `case-${kind}`, who: actor.name, from: actor.from, what: after.id },
      before: before && brief(before),
      after: { ...brief(after), ...more },
    });
  }
}

export function isHidden({ shelf, suppressedBy, removal }: Alarm): boolean {
  return shelf !== null || suppressedBy !== null || removal !== null;
}

/** What returns to a case: a rule of a series, or of a gateway. */
export function subjectOf({ key, rule }: Alarm): string {
  return `${key}/${rule}`;
}

export function revised({ revision }: Case, { name }: Actor, nowMs: number) {
  return { revision: revision + 1, changedBy: name, changedMs: nowMs };
}

function left(
  steps: readonly CaseStep[],
  leftBy: string,
  leftMs: number,
  owner?: string | null,
): CaseStep[] {
  return steps.map((step) =>
    step.leftMs === null ? { ...step, leftMs, leftBy, owner: owner ?? step.owner } : step,
  );
}

/** What the journal keeps of a case: what can change. */
function brief({ state, level, owner, department, escalation, revision, mergedInto }: Case) {
  return { state, level, owner, department, escalation, revision, mergedInto };
}

/** A case takes no other once it has ended. */
export function mergeEnded({ id, state }: Case): Fault {
  const said = stateText(state);
  const { en } = bilingual('case-merge-ended', { id, state: said.en });
  const { zh } = bilingual('case-merge-ended', { id, state: said.zh });
  return new Fault('case_refused', 'never', { en, zh });
}

/** The state that an act leads to, where only one person can have done it. */
const doneBy: Partial<Record<CaseActKind, OpenState>> = {
  acknowledge: 'acknowledged',
  verify: 'verifying',
  arrive: 'on-site',
  contain: 'contained',
};

export function refusal(found: Case, act: CaseActKind, why: CaseRefusal): Fault {
  const first = found.steps.findLast(({ state, resumed }, at, steps) =>
    act === 'acknowledge'
      ? steps[at - 1]?.state === 'new' && state !== 'new'
      : state === doneBy[act] && !resumed,
  );
  const isFirst = why === 'already' && first !== undefined;
  const by = isFirst ? first.by : found.changedBy;
  const at = new Date(isFirst ? first.enteredMs : found.changedMs).toISOString();
  const said = stateText(found.state);
  const shown = (key: 'case-was-first' | 'case-refused-ended'): Bilingual => ({
    en: bilingual(key, { by, at, state: said.en }).en,
    zh: bilingual(key, { by, at, state: said.zh }).zh,
  });
  if (why === 'already') return new Fault('case_already', 'never', shown('case-was-first'));
  if (why === 'ended') return new Fault('case_already', 'never', shown('case-refused-ended'));
  return new Fault('case_refused', 'never', bilingual(`case-refused-${why}`));
}
