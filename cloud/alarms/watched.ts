// The rules in force, by series number, with the state of each: what evaluation works on in memory.
// Everything here is also in the tables, and a start reads it back.
import type { Subject, Verdict } from '../../core/alarm/evaluate.ts';
import { HOLE_PERIODS, NO_VERDICT } from '../../core/alarm/evaluate.ts';
import type { DirectRule } from '../../core/alarm/rule.ts';
import { isDirect } from '../../core/alarm/rule.ts';
import type { Condition, Policy } from '../../core/alarm/state.ts';
import { NORMAL } from '../../core/alarm/state.ts';
import { pointId } from '../../core/point.ts';
import type { Marks } from './marks.ts';
import type { Conditioned } from './occurrences.ts';
import type { AlarmTables, RuleRow, SeriesRow } from './tables.ts';

/** One rule on one series. A class, as there are a million: its getters are not an object's own. */
export class Watch implements Conditioned {
  readonly watched: Watched;
  row: RuleRow;
  #subject: Subject;
  #verdict: Verdict = NO_VERDICT;
  condition: Condition = NORMAL;
  isProvisional = false;
  suppressedBy: string | null = null;

  constructor(watched: Watched, row: RuleRow) {
    this.watched = watched;
    this.row = row;
    this.#subject = { key: watched.key, periodMs: watched.row.periodMs, rule: row.rule };
  }

  get subject(): Subject {
    return this.#subject;
  }

  // Which values change nothing follows from rule and verdict, and from nothing else.
  set subject(subject: Subject) {
    this.#subject = subject;
    this.watched.marks.unsettle(this.watched.row.series);
  }

  get verdict(): Verdict {
    return this.#verdict;
  }

  set verdict(verdict: Verdict) {
    this.#verdict = verdict;
    this.watched.marks.unsettle(this.watched.row.series);
  }

  get policy(): Policy {
    const { isLatching = false, isSelfAcknowledging = false } = this.subject.rule;
    return { isLatching, needsAcknowledge: !isSelfAcknowledging };
  }

  get what(): string {
    return `${this.watched.key}/${this.subject.rule.id}`;
  }
}

export interface Watched {
  row: SeriesRow;
  readonly key: string;
  /** A break longer than this is a hole. */
  holeMs: number;
  readonly watches: Watch[];
  /** Comparisons of other points with this one; null for none, as it is of nearly all. */
  followers: Watch[] | null;
  readonly marks: Marks;
  /** Coverage matters to a rule: a delay runs, a no-data alarm waits for its end, or a signal. */
  isRunning: boolean;
}

export class WatchedSeries {
  /** By series number; undefined where no rule is in force. */
  readonly bySeries: (Watched | undefined)[] = [];
  readonly byKey = new Map<string, Watched>();
  readonly byGateway = new Map<string, Watched[]>();
  /**
   * Rules that are no longer in force, so that one that comes back goes on counting its versions.
   */
  readonly retired = new Map<string, RuleRow>();
  /** Comparisons with a point that is not watched yet, by its key. */
  readonly wanted = new Map<string, Watch[]>();
  readonly #paired = new Set<Watch>();
  readonly #tables: AlarmTables;
  readonly #marks: Marks;

  constructor(tables: AlarmTables, marks: Marks) {
    this.#tables = tables;
    this.#marks = marks;
    for (const row of tables.eachSeries()) this.addSeries(row);
    for (const row of tables.eachRule()) {
      const watched = this.bySeries[row.series];
      if (row.retired) this.retired.set(`${row.series}/${row.rule.id}`, row);
      else if (watched) this.addWatch(watched, row);
    }
    for (const { series, rule, state } of tables.eachState()) {
      const watched = this.bySeries[series];
      const watch = watched?.watches.find(({ subject }) => subject.rule.id === rule);
      if (!watched || !watch) continue;
      Object.assign(watch, state);
      if (state.isProvisional) marks.provisional[series] = 1;
      refresh(watched);
    }
  }

  addSeries(row: SeriesRow): Watched {
    const known = this.bySeries[row.series];
    if (known) {
      known.row = row;
      known.holeMs = HOLE_PERIODS * row.periodMs;
      this.#marks.hole[row.series] = known.holeMs;
      for (const watch of known.watches) {
        watch.subject = { ...watch.subject, periodMs: row.periodMs };
      }
      return known;
    }
    const key = pointId(row.gateway, row.device, row.point);
    const holeMs = HOLE_PERIODS * row.periodMs;
    const marks = this.#marks;
    const base = { watches: [], followers: null, isRunning: false };
    const watched: Watched = { row, key, holeMs, ...base, marks };
    this.#marks.grow(row.series);
    this.#marks.hole[row.series] = holeMs;
    this.bySeries[row.series] = watched;
    this.byKey.set(key, watched);
    for (const watch of this.wanted.get(key) ?? []) follow(watched, watch);
    this.wanted.delete(key);
    const siblings = this.byGateway.get(row.gateway);
    if (siblings) siblings.push(watched);
    else this.byGateway.set(row.gateway, [watched]);
    return watched;
  }

  addWatch(watched: Watched, row: RuleRow): Watch {
    const watch = new Watch(watched, row);
    watched.watches.push(watch);
    // The worst first: what hides under it is not told on the way. Else as a start reads them back.
    watched.watches.sort(({ subject: { rule: a } }, { subject: { rule: b } }) =>
      a.level === b.level ? (a.id < b.id ? -1 : 1) : a.level - b.level,
    );
    refresh(watched);
    this.pair(watch);
    return watch;
  }

  /** Brings what a rule is compared with in line with the rule. */
  pair(watch: Watch): void {
    const { subject, watched } = watch;
    const { rule } = subject;
    this.#unpair(watch);
    if (rule.kind !== 'comparison') return;
    this.#paired.add(watch);
    const key = `${watched.row.gateway}/${rule.other}`;
    const other = this.byKey.get(key);
    if (other) follow(other, watch);
    else this.wanted.set(key, [...(this.wanted.get(key) ?? []), watch]);
  }

  #unpair(watch: Watch): void {
    if (!this.#paired.delete(watch)) return;
    for (const other of this.byGateway.get(watch.watched.row.gateway) ?? []) {
      if (!other.followers?.includes(watch)) continue;
      const rest = other.followers.filter((it) => it !== watch);
      other.followers = rest.length > 0 ? rest : null;
      refresh(other);
    }
    for (const [key, watches] of this.wanted) {
      const rest = watches.filter((it) => it !== watch);
      if (rest.length > 0) this.wanted.set(key, rest);
      else this.wanted.delete(key);
    }
  }

  removeWatch(watch: Watch): void {
    const { watched } = watch;
    this.#unpair(watch);
    watched.watches.splice(watched.watches.indexOf(watch), 1);
    this.retired.set(`${watched.row.series}/${watch.subject.rule.id}`, watch.row);
    refresh(watched);
  }

  /** Keeps a state that changed, in memory and in the caller's transaction. */
  keep(watch: Watch): void {
    const { verdict, condition, isProvisional, suppressedBy, subject, watched } = watch;
    const { series } = watched.row;
    const state = { verdict, condition, isProvisional, suppressedBy };
    this.#tables.putState(series, subject.rule.id, state);
    if (isProvisional) this.#marks.provisional[series] = 1;
    refresh(watched);
  }
}

function follow(other: Watched, watch: Watch): void {
  other.followers = [...(other.followers ?? []), watch];
  refresh(other);
}

/**
 * Notes between which values every rule of a series stays as it is: where all are normal, and each
 * is a limit or asks for data only, and no other point is compared with it.
 */
export function settle({ watches, followers, marks, row: { series } }: Watched): void {
  if (followers !== null) return;
  let above = Number.NEGATIVE_INFINITY;
  let below = Number.POSITIVE_INFINITY;
  for (const { subject, verdict } of watches) {
    const { rule } = subject;
    if (verdict.phase !== 'normal') return;
    if (rule.kind === 'no-data') continue;
    if (rule.kind !== 'limit') return;
    if (rule.side === 'high' || rule.side === 'high-high') below = Math.min(below, rule.limit);
    else above = Math.max(above, rule.limit);
  }
  marks.above[series] = above;
  marks.below[series] = below;
}

function refresh(watched: Watched): void {
  watched.marks.unsettle(watched.row.series);
  watched.isRunning = watched.followers !== null;
  watched.isRunning ||= watched.watches.some(
    ({ verdict: { phase }, subject: { rule } }) =>
      phase === 'rising' ||
      phase === 'falling' ||
      (phase === 'active' && rule.kind === 'no-data') ||
      !isDirect(rule),
  );
}

/** A backlog showed it, and nothing live yet that it still holds. */
export function isWaiting({ isProvisional, condition }: Watch, occurrence: string): boolean {
  return isProvisional && condition.active && condition.occurrence === occurrence;
}

/** Of rules that are judged by the value alone. */
export function directWatches({ watches }: Watched): Watch[] {
  return watches.filter(({ subject: { rule } }) => isDirect(rule));
}

export function directRules({ watches }: Watched): DirectRule[] {
  return watches.map(({ subject: { rule } }) => rule).filter(isDirect);
}
