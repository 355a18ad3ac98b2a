// The cases: opened by alarms, moved by people, escalated by the clock. What may be done when is
// decided by case.ts; this file keeps it, in the transaction of the alarms.
//
// Promises. A raised alarm that people are to see belongs to exactly one case. Acknowledging the
// last alarm that needs it acknowledges a new case and the reverse, in one transaction. No alarm
// that people are to acknowledge lies in a case past `new`, or in one that is told no further. Nothing ends a case but
// people; while one of its alarms is active it takes two of them. Of two who do the same step one
// wins, and the other is told who. A note is never lost: it needs no revision and is refused only
// by its bound. Every act is in the case's log and in the journal with who, when and from where.
//
// In memory is nothing but when the clock is next to look, and events not yet told.
import type { DatabaseSync } from 'node:sqlite';
import type { AlarmLevel } from '../../core/alarm/rule.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Alarm } from '../alarms/alarm.ts';
import type { Approvals } from '../alarms/approvals.ts';
import type { Actor, AlarmEvent, AlarmFollower } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import type { CaseEvent, CaseOptions, CaseView } from './book.ts';
import { CaseBook, CLOSE_CASE, isHidden, mergeEnded, refusal, revised, subjectOf } from './book.ts';
import { beginsAnew, moveOf, RETURN_WITHIN_MS } from './case.ts';
import type { Case, CaseAlarm, CaseFile, CaseFilter, CaseTables } from './tables.ts';

/** Notes a case may hold: at one a minute more than a day. Steps are never refused for it. */
export const CASE_NOTES_MAX = 2_000;
export const CASE_FILES_MAX = 64;
/** Alarms that join are in its log up to so many; beyond, in its alarms and the journal alone. */
export const CASE_JOINS_MAX = 2_000;
/** Of one case's log so many are shown: its notes and files, and thousands of steps beside them. */
export const CASE_ENTRIES_MAX = 10_000;
/** Some 15 ms a second: a storm's cases are escalated over minutes, the highest level first. */
const ESCALATIONS_A_TICK = 50;
/** Newest cases of a point looked through: it has four limits a side. */
const LADDER_MAX = 8;
/** A chain of merged cases is followed so far; people do not merge deeper. */
const MERGES_MAX = 100;

export const caseEnds = ['close', 'false-alarm', 'test', 'drill'] as const;
export type CaseEnd = (typeof caseEnds)[number];

export type CaseAct =
  | { readonly kind: 'acknowledge' | 'verify' | 'arrive' | 'contain'; readonly note: string }
  | { readonly kind: 'dispatch'; readonly crew: string; readonly note: string }
  | { readonly kind: CaseEnd; readonly reason: string }
  | {
      readonly kind: 'assign';
      readonly owner: string | null;
      readonly department: string | null;
      readonly note: string;
    }
  | { readonly kind: 'note'; readonly note: string }
  | { readonly kind: 'merge'; readonly into: string; readonly note: string };

type EndAct = Extract<CaseAct, { kind: CaseEnd }>;

export class Cases implements AlarmFollower {
  readonly tables: CaseTables;
  readonly #book: CaseBook;
  readonly #options: CaseOptions;
  readonly #approvals: Approvals;

  /** Follows the alarms from now on, and ends cases that a second person approves. */
  constructor(database: DatabaseSync, options: CaseOptions) {
    this.#options = options;
    this.#book = new CaseBook(database, options);
    this.tables = this.#book.tables;
    this.#approvals = options.alarms.approvals;
    this.#approvals.handlers.set(CLOSE_CASE, (approval, approver, nowMs) => {
      const { kind, reason } = approval.document as EndAct;
      const found = this.#book.find(approval.what);
      this.#check(found, kind);
      this.#end(found, kind, reason, approver, nowMs, approval.by);
    });
    options.alarms.follow(this);
  }

  get(id: string): Case | null {
    return this.tables.get(id);
  }

  /** Newest first. */
  list(filter: CaseFilter, nowMs: number): CaseView[] {
    const waiting = this.#approvals.pending(nowMs);
    return this.tables.list(filter).map((found) => this.#book.view(found, nowMs, waiting));
  }

  view(id: string, nowMs: number): CaseView {
    return this.#book.view(this.#book.find(id), nowMs, this.#approvals.pending(nowMs));
  }

  /** What happened to cases since the last call, for the live stream; after each transaction. */
  drain(nowMs: number): CaseEvent[] {
    return this.#book.drain(nowMs);
  }

  /**
   * What a person does with a case. Throws a Fault: `case_unknown`, `case_already` (its detail says
   * who was first), `case_refused`, `case_malformed`, `case_full`. An ending while an alarm is
   * active only asks: a second person approves it.
   */
  act(id: string, act: CaseAct, actor: Actor, nowMs: number): AlarmEvent[] {
    const found = this.#book.find(id);
    // Before the transaction: a refusal must not make the alarms read back all they know.
    this.#check(found, act.kind);
    this.#checkWords(found, act);
    return this.#options.alarms.together(() => this.#act(found, act, actor, nowMs));
  }

  /** A file that is on disk becomes part of the case. Throws `case_unknown`, `case_full`. */
  attach(
    id: string,
    file: Pick<CaseFile, 'name' | 'type' | 'bytes' | 'sha256'>,
    actor: Actor,
    nowMs: number,
  ): CaseFile {
    const found = this.#book.find(id);
    this.checkRoom(id);
    let added: CaseFile | null = null;
    this.#options.alarms.together(() => {
      const { name: by, from } = actor;
      added = this.tables.addFile(found.number, { ...file, case: id, by, from, atMs: nowMs });
      const { name, sha256 } = file;
      this.#book.write(found, 'file', actor, nowMs, '', { file: String(added.id), name, sha256 });
      this.#book.journal('file', found, found, actor, nowMs, { name, sha256 });
    });
    return added!;
  }

  /** Throws Fault `case_full` when the case takes no further file. */
  checkRoom(id: string): void {
    const { number } = this.#book.find(id);
    if (this.tables.countEntries(number, 'file') >= CASE_FILES_MAX) {
      throw new Fault(
        'case_full',
        'never',
        bilingual('case-files-beyond', { max: CASE_FILES_MAX }),
      );
    }
  }

  take(events: readonly AlarmEvent[], nowMs: number): void {
    const uncovered = new Set(
      events.filter(({ kind }) => kind === 'unsuppressed').map(({ alarm }) => alarm.occurrence),
    );
    for (const { kind, alarm, by } of events) {
      switch (kind) {
        case 'raised':
        case 'annunciated':
        case 'unshelved':
        case 'unsuppressed':
        case 'returned':
          this.#raised(alarm, uncovered.has(alarm.occurrence), nowMs);
          break;
        case 'cleared':
          this.#cleared(alarm);
          break;
        case 'acknowledged':
          this.#taken(alarm, by, nowMs);
          break;
        case 'historical':
        case 'superseded':
        case 'reset':
        case 'shelved':
        case 'suppressed':
        case 'removed':
          break;
      }
    }
  }

  isDue(nowMs: number): boolean {
    return this.#book.isDue(nowMs);
  }

  tick(nowMs: number): void {
    for (const due of this.tables.escalations(nowMs, ESCALATIONS_A_TICK)) {
      this.#escalate(due, nowMs);
    }
  }

  load(): void {
    this.#book.load();
  }

  // Alarms ----------------------------------------------------------------------------------------

  #raised(alarm: Alarm, isUncovered: boolean, nowMs: number): void {
    const { occurrence, isHistorical, test, clearedMs } = alarm;
    if (isHistorical || test !== null || clearedMs !== null || isHidden(alarm)) return;
    const own = this.tables.ofAlarm(occurrence);
    if (own) {
      // Told again, or an excursion that goes on under its name. What was told and then covered by
      // a worse one calls nobody when that is over.
      this.tables.endAlarm(occurrence, null);
      this.#return(own, alarm, !isUncovered, nowMs);
      return;
    }
    const before = this.#receiver(subjectOf(alarm));
    const takes = before && this.#takesBack(before, alarm) ? before : null;
    const receiver = takes ?? this.#ofLadder(alarm, isUncovered);
    if (receiver) this.#return(receiver, alarm, true, nowMs);
    else this.#open(alarm, nowMs);
  }

  // Limits of one side are one ladder, and one excursion over several of them is one case: a worse
  // one joins the case of what it hides, and what comes out from under it the case of the worse.
  #ofLadder(alarm: Alarm, isUncovered: boolean): Case | null {
    for (const found of this.tables.ofPoint(alarm.key, LADDER_MAX)) {
      if (found.state === 'merged' || !this.#takesBack(found, alarm)) continue;
      const { alarms } = this.#options;
      const isHiddenBy = ({ occurrence, endedMs }: CaseAlarm) =>
        endedMs === null && alarms.get(occurrence)?.suppressedBy === alarm.rule;
      if (isUncovered || this.tables.alarms(found.number, 10).some(isHiddenBy)) return found;
    }
    return null;
  }

  /** Of a merged case the one that has it now. */
  #receiver(subject: string): Case | null {
    let found = this.tables.newest(subject);
    for (let at = 0; found?.mergedInto && at < MERGES_MAX; at++) {
      found = this.tables.get(found.mergedInto);
    }
    return found;
  }

  // By the sample times of the alarms: both are labels of one gateway's clock.
  #takesBack(before: Case, { raisedMs }: Alarm): boolean {
    if (moveOf(before.state, 'return').kind === 'refused') return false;
    if (before.endedMs === null) return true;
    const { lastEndedMs, active } = this.tables.alarmFigures(before.number);
    return active > 0 || (lastEndedMs !== null && raisedMs - lastEndedMs <= RETURN_WITHIN_MS);
  }

  #open(alarm: Alarm, nowMs: number): void {
    const { level, title, name, area, gateway, asset } = alarm;
    const department = this.#options.departmentOf(asset);
    const first = this.#book.step('new', { level, owner: null, department }, machine, nowMs);
    const opened = this.#book.insert(nowMs, (id, number) => ({
      ...{ id, number, revision: 1, changedBy: machine.name, changedMs: nowMs },
      ...{ state: 'new', level, title, name, area, gateway, asset, subject: subjectOf(alarm) },
      ...{ owner: null, department, openedMs: nowMs, endedMs: null, reason: null },
      ...{ mergedInto: null, escalation: 0, escalations: 0, steps: [first] },
    }));
    this.#join(opened, alarm, nowMs);
    this.#book.write(opened, 'opened', machine, nowMs, '', { alarm: alarm.occurrence });
    this.#book.journal('opened', null, opened, machine, nowMs, { alarm: alarm.occurrence });
  }

  #join({ number }: Case, { occurrence, raisedMs }: Alarm, nowMs: number): boolean {
    return this.tables.join(number, { occurrence, joinedMs: nowMs, raisedMs, endedMs: null });
  }

  // `isCall`: people are told of it as of something new.
  #return(before: Case, alarm: Alarm, isCall: boolean, nowMs: number): void {
    const { occurrence, level, title, acknowledgedBy } = alarm;
    const isNew = this.#join(before, alarm, nowMs);
    if (moveOf(before.state, 'return').kind === 'refused') return;
    // What is worse speaks for the case.
    const isWorse = level < before.level;
    const grown: Case = isWorse ? { ...before, level, title } : before;
    if (before.endedMs !== null) {
      this.#book.reopen(grown, occurrence, nowMs);
      return;
    }
    if (isCall && acknowledgedBy === null && beginsAnew(before, isWorse)) {
      this.#book.back(before, grown, occurrence, nowMs);
      return;
    }
    const after = isWorse ? this.#book.hasten(grown) : before;
    if (isWorse) this.#book.keep(after);
    if (!isNew && !isWorse) return;
    // An alarm that comes and goes by itself must not crowd out what people wrote.
    if (this.tables.countEntries(before.number, 'joined') < CASE_JOINS_MAX) {
      this.#book.write(after, 'joined', machine, nowMs, '', { alarm: occurrence });
    } else this.#book.tell('joined', before);
    this.#book.journal('joined', before, after, machine, nowMs, { alarm: occurrence });
  }

  #cleared({ occurrence, clearedMs }: Alarm): void {
    const found = this.tables.ofAlarm(occurrence);
    if (!found) return;
    this.tables.endAlarm(occurrence, clearedMs);
    this.#book.tell('cleared', found);
  }

  // Somebody acknowledged the alarm at its own place.
  #taken({ occurrence, note }: Alarm, by: Actor, nowMs: number): void {
    const found = this.tables.ofAlarm(occurrence);
    if (found?.state !== 'new' || this.#awaited(found) !== null) return;
    this.#book.acknowledge(found, note ?? '', by, nowMs);
  }

  // The newest alarm of it that is active and shown and that nobody has acknowledged.
  #awaited({ number }: Case): string | null {
    const found = this.tables.alarms(number, 100).findLast(({ occurrence, endedMs }) => {
      const alarm = endedMs === null ? this.#options.alarms.get(occurrence) : null;
      return alarm?.acknowledgedBy === null && !isHidden(alarm);
    });
    return found?.occurrence ?? null;
  }

  // The clock -------------------------------------------------------------------------------------

  #escalate(before: Case, nowMs: number): void {
    const escalation = before.escalation + 1;
    const step = before.steps.at(-1)!;
    const steps = [...before.steps.slice(0, -1), { ...step, escalation }];
    const escalations = before.escalations + 1;
    const after: Case = { ...before, escalation, escalations, steps };
    this.#book.keep(after);
    const { state, dueMs, owner } = step;
    const detail = { state, escalation: String(escalation), ...(owner && { owner }) };
    this.#book.write(after, 'escalate', machine, nowMs, '', detail);
    this.#book.journal('escalated', before, after, machine, nowMs);
    const alarm = this.#book.speaker(after);
    if (!alarm || isHidden(alarm)) return;
    const { tables } = this.#options.alarms;
    const told = { case: after.id, state, step: escalation, count: escalations, dueMs, owner };
    tables.queue('escalated', alarm, nowMs, told);
  }

  // People ----------------------------------------------------------------------------------------

  #check(found: Case, kind: CaseAct['kind']): void {
    const move = moveOf(found.state, kind);
    if (move.kind === 'refused') throw refusal(found, kind, move.why);
  }

  #checkWords(found: Case, act: CaseAct): void {
    const lacks = (key: 'reason' | 'note' | 'crew' | 'owner') => {
      throw new Fault('case_malformed', 'never', bilingual(`case-${key}-needed`));
    };
    switch (act.kind) {
      case 'close':
      case 'false-alarm':
      case 'test':
      case 'drill':
        if (act.reason.trim() === '') lacks('reason');
        return;
      case 'dispatch':
        if (act.crew.trim() === '') lacks('crew');
        return;
      case 'assign':
        if (!act.owner && !act.department) lacks('owner');
        return;
      case 'note':
        if (act.note.trim() === '') lacks('note');
        if (this.tables.countEntries(found.number, 'note') < CASE_NOTES_MAX) return;
        throw new Fault(
          'case_full',
          'never',
          bilingual('case-entries-beyond', { max: CASE_NOTES_MAX }),
        );
      case 'merge':
        this.#checkMerge(found, act.into);
        return;
      default:
        return;
    }
  }

  #checkMerge({ id }: Case, into: string): void {
    const other = this.#book.find(into);
    if (other.id === id) {
      throw new Fault('case_malformed', 'never', bilingual('case-merge-itself'));
    }
    if (other.endedMs === null) return;
    throw mergeEnded(other);
  }

  #act(found: Case, act: CaseAct, actor: Actor, nowMs: number): void {
    switch (act.kind) {
      case 'note':
        this.#book.write(found, 'note', actor, nowMs, act.note, {});
        this.#book.journal('note', found, found, actor, nowMs, { note: act.note });
        return;
      case 'assign':
        this.#assign(found, act, actor, nowMs);
        return;
      case 'merge':
        this.#merge(found, act.into, act.note, actor, nowMs);
        return;
      case 'acknowledge':
        this.#acknowledge(found, act.note, actor, nowMs);
        return;
      case 'dispatch':
        this.#dispatch(found, act, actor, nowMs);
        return;
      case 'verify':
        this.#book.forward(found, 'verifying', actor, nowMs, ['verify', act.note, {}]);
        return;
      case 'arrive':
        this.#book.forward(found, 'on-site', actor, nowMs, ['arrive', act.note, {}]);
        return;
      case 'contain':
        this.#book.forward(found, 'contained', actor, nowMs, ['contain', act.note, {}]);
        return;
      default:
        this.#askOrEnd(found, act, actor, nowMs);
    }
  }

  #acknowledge(found: Case, note: string, actor: Actor, nowMs: number): void {
    const { alarms } = this.#options;
    this.#book.acknowledge(found, note, actor, nowMs);
    for (const { occurrence } of this.tables.alarms(found.number, 100)) {
      const alarm = alarms.get(occurrence);
      if (!alarm || alarm.acknowledgedBy !== null || alarm.supersededBy !== null) continue;
      try {
        alarms.acknowledge(occurrence, actor, note, nowMs);
      } catch (error) {
        // Hidden, or over and settled: there is nothing to acknowledge, and the case is taken.
        if (!isFault(error)) throw error;
      }
    }
  }

  #dispatch(
    found: Case,
    { crew, note }: Extract<CaseAct, { kind: 'dispatch' }>,
    actor: Actor,
    nowMs: number,
  ): void {
    const move = moveOf(found.state, 'dispatch');
    if (move.kind === 'to') {
      this.#book.forward(found, 'dispatched', actor, nowMs, ['dispatch', note, { crew }]);
      return;
    }
    const after = { ...found, ...revised(found, actor, nowMs) };
    this.#book.keep(after);
    this.#book.write(after, 'dispatch', actor, nowMs, note, { crew });
    this.#book.journal('dispatch', found, after, actor, nowMs, { crew });
  }

  #assign(
    found: Case,
    { owner, department, note }: Extract<CaseAct, { kind: 'assign' }>,
    actor: Actor,
    nowMs: number,
  ): void {
    const has = { owner: owner ?? found.owner, department: department ?? found.department };
    const steps = found.steps.map((step, at) =>
      at === found.steps.length - 1 ? { ...step, ...has } : step,
    );
    const after: Case = { ...found, ...revised(found, actor, nowMs), ...has, steps };
    this.#book.keep(after);
    const detail = { owner: has.owner ?? '', department: has.department };
    this.#book.write(after, 'assign', actor, nowMs, note, detail);
    this.#book.journal('assign', found, after, actor, nowMs);
  }

  #merge(found: Case, into: string, note: string, actor: Actor, nowMs: number): void {
    const other = this.#book.find(into);
    this.tables.move(found.number, other.number);
    const level = Math.min(other.level, found.level) as AlarmLevel;
    const grown = this.#book.hasten({ ...other, ...revised(other, actor, nowMs), level });
    this.#book.keep(grown);
    this.#book.write(grown, 'merged-from', actor, nowMs, note, { case: found.id });
    this.#book.journal('merged-from', other, grown, actor, nowMs, { case: found.id });
    const awaited = this.#awaited(grown);
    if (awaited !== null && beginsAnew(other, false)) {
      this.#book.back(grown, grown, awaited, nowMs);
    }
    const merged = { ...found, mergedInto: into };
    this.#book.leave(merged, 'merged', note, actor, nowMs, ['merge', { case: into }, actor.name]);
  }

  #askOrEnd(found: Case, { kind, reason }: EndAct, actor: Actor, nowMs: number): void {
    if (this.tables.alarmFigures(found.number).active === 0) {
      this.#end(found, kind, reason, actor, nowMs);
      return;
    }
    const after = { ...found, ...revised(found, actor, nowMs) };
    this.#book.keep(after);
    const wish = { kind, reason, asset: found.asset };
    const { id } = this.#approvals.ask(CLOSE_CASE, found.id, wish, actor, reason, nowMs);
    this.#book.write(after, 'close-asked', actor, nowMs, reason, { as: kind, approval: `${id}` });
    this.#book.journal('close-asked', found, after, actor, nowMs, { as: kind, reason });
  }

  /** `askedBy`: the first of two people, where it took two. */
  #end(
    found: Case,
    kind: CaseEnd,
    reason: string,
    actor: Actor,
    nowMs: number,
    askedBy?: string,
  ): void {
    const state = kind === 'close' ? 'closed' : kind;
    const detail = askedBy === undefined ? {} : { asked_by: askedBy };
    const by = askedBy === undefined ? actor.name : `${askedBy}, ${actor.name}`;
    this.#book.leave(found, state, reason, actor, nowMs, [kind, detail, by]);
  }
}
