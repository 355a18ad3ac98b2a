// What came late, evaluated apart. When live evaluation jumps over a stretch of time (an outage, a
// lost record, a new epoch), the state before the jump is kept, and the backlog that later fills
// the stretch is evaluated from it, with the same kernel. What began and ended inside is written as
// historical, with its true times.
//
// Records come in any order (topics overtake one another, what was lost is sent again), and the
// kernel wants them in theirs: what is late waits in its stretch until every record before it has
// come, so the order of coming changes nothing. What waits is bounded by count, and by the closing
// of the stretch, which takes what is still missing for lost.
//
// A stretch closes when its backlog has reached its end, or has stopped coming for a while: then
// the first live sample after it is put to the history too, and the two evaluations are joined:
//   - an excursion that was on at the end and has not ended since began when history says: the live
//     alarm is moved back, or, where live evaluation did not see it (a restarted delay, a value in
//     the deadband), it becomes one;
//   - one that was on at the end and ended since is historical, or is the live alarm of that time,
//     moved back;
//   - an alarm from before the stretch that had ended in it is cleared with its true time, and the
//     excursion that followed it, if it still holds, is an alarm of its own.
// So it is for rules that are judged by the value alone; those with a memory are put to all of it
// in order (catch-up.ts), from the same beginning.
//
// Of what came live while a stretch was open only the first clear value is kept, and since when it
// is beyond, not every sample: an end after the stretch is exact to the off-delay, and an excursion
// that flickered meanwhile is one.

import { occurrenceName } from '../../core/alarm/digest.ts';
import type { Input, Sample, Track, Verdict } from '../../core/alarm/evaluate.ts';
import { FRESH, NO_VERDICT, NOT_SEEN, step } from '../../core/alarm/evaluate.ts';
import { change } from '../../core/alarm/state.ts';
import { isSilent } from '../../core/quality.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Alarm } from './alarm.ts';
import { CatchUps } from './catch-up.ts';
import type { Occurrences, Source } from './occurrences.ts';
import { machine } from './occurrences.ts';
import type { Rules } from './rules.ts';
import type { Late, Moment, Stretch } from './stretch.ts';
import {
  blankStretch,
  endBefore,
  followedBy,
  handOver,
  isWholeLive,
  noteLate,
  noteLive,
  passOn,
  ranAgain,
  rename,
  risingSince,
  stretchFrom,
} from './stretch.ts';
import type { AlarmTables } from './tables.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';
import { directRules, directWatches, isWaiting } from './watched.ts';

/**
 * Without a record of the gateway's backlog for this long, what is missing will not come for now.
 */
export const STRETCH_IDLE_MS = 60_000;
/**
 * Per series; at one more the oldest is closed as it is. A line that loses every other record makes
 * one in three periods, until what is missing is taken for lost after 30 s.
 */
export const STRETCHES_MAX = 12;
/** Of a stretch, 150 characters each; at one more the older half is taken as it is. */
export const WAITING_MAX = 256;

export interface Jump {
  /** Before the jump; the verdicts of the watches are those before it too. */
  readonly track: Track;
  readonly end: Sample | null;
  readonly untilMonoMs: number | null;
  readonly missing: number | null;
  /** Live evaluation does not know what was between: it restarts what runs. */
  readonly isBreak: boolean;
}

interface Kept {
  readonly id: number;
  readonly watched: Watched;
  readonly stretch: Stretch;
}

export class History {
  readonly #tables: AlarmTables;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;
  readonly #bySeries = new Map<number, Kept[]>();
  readonly #dirty = new Set<Kept>();
  readonly #waiting = new Set<Kept>();
  readonly #rules: Rules;
  /** Rules with a memory: their part of all this is theirs. */
  readonly catchUps: CatchUps;
  #nextId = 1;

  constructor(tables: AlarmTables, series: WatchedSeries, occurrences: Occurrences, rules: Rules) {
    this.#rules = rules;
    this.#tables = tables;
    this.#series = series;
    this.#occurrences = occurrences;
    this.catchUps = new CatchUps(tables, occurrences, rules, () => this.#nextId++);
    for (const { id, series: number, document } of tables.stretches<Stretch>()) {
      const watched = series.bySeries[number];
      this.#nextId = Math.max(this.#nextId, id + 1);
      if (this.catchUps.load(id, number, document, series)) continue;
      const { epoch, fromMonoMs, untilMonoMs, end, missing, states, heardMs } = document;
      const beginning = { epoch, fromMonoMs, untilMonoMs, end, missing };
      // An earlier program wrote less.
      const stretch = { ...stretchFrom(beginning, states, heardMs), ...document };
      if (watched) this.#hold({ id, watched, stretch });
    }
  }

  get isAnyOpen(): boolean {
    return this.#bySeries.size > 0;
  }

  /** How many stretches wait for their backlog. */
  get open(): number {
    let count = 0;
    for (const kept of this.#bySeries.values()) count += kept.length;
    return count;
  }

  /**
   * Live evaluation is about to jump. A missing record alone opens one stretch a series, not one a
   * sample behind it.
   */
  jump(watched: Watched, jump: Jump, source: Source): void {
    const { track, end, untilMonoMs, missing, isBreak } = jump;
    if (track.epoch === null) return;
    this.catchUps.begin(watched, track, source);
    const newest = this.#bySeries.get(watched.row.series)?.at(-1);
    const isKnown = missing !== null && newest?.stretch.missing === missing;
    if (isKnown && !isBreak) return;
    const states = Object.fromEntries(
      directWatches(watched).map(({ subject, verdict }) => [subject.rule.id, { track, verdict }]),
    );
    const { epoch, sampleMonoMs: fromMonoMs } = track;
    const span = { epoch, fromMonoMs, untilMonoMs, end, missing };
    this.#add(watched, stretchFrom(span, states, source.receivedMs), source);
  }

  /**
   * Live evaluation begins in an epoch with a record that others of it should have come before:
   * what they bring lies before this sample, and goes on from what held at the end of the epoch
   * before.
   */
  begin(watched: Watched, first: Sample, source: Source): void {
    this.catchUps.begin(watched, NOT_SEEN, source);
    const states = Object.fromEntries(
      directWatches(watched).map(({ subject, verdict }) => {
        return [subject.rule.id, { track: NOT_SEEN, verdict }];
      }),
    );
    const blank = blankStretch(first.epoch, first, source.receivedMs);
    this.#add(watched, { ...blank, states, isFirst: true }, source);
  }

  /**
   * Takes what is older than the live state, and evaluates it with the next `came`; `present` is
   * the newest sample of the present epoch.
   */
  take(watched: Watched, late: Late, present: Sample | null, source: Source): void {
    this.catchUps.take(watched, late, source);
    const { input } = late;
    const monoMs = input.kind === 'sample' ? input.monoMs : input.untilMonoMs;
    let kept = this.#find(watched, input.epoch, monoMs);
    // Coverage alone ends delays that run; without a stretch there are none.
    if (!kept && input.kind === 'covered') return;
    kept ??= this.#add(watched, blankStretch(input.epoch, present, source.receivedMs), source);
    const { stretch } = kept;
    stretch.heardMs = source.receivedMs;
    this.#dirty.add(kept);
    const { waiting } = stretch;
    const { sequence } = late;
    const after = waiting.findLastIndex((it) => it.sequence <= sequence);
    waiting.splice(after + 1, 0, { sequence, input });
    this.#waiting.add(kept);
    if (waiting.length > WAITING_MAX) {
      this.#goOn(kept, waiting[WAITING_MAX / 2]!.sequence, source);
    }
  }

  /**
   * Every record of the epoch up to `whole` has come, and all that it and those before it brought
   * was taken: what waited for one of them goes on.
   */
  came(gateway: string, epoch: Epoch, whole: number, source: Source): void {
    // The oldest first: what it finds goes on in the next of its series.
    const waiting = [...this.#waiting]
      .filter(({ watched, stretch: it }) => watched.row.gateway === gateway && it.epoch === epoch)
      .sort((a, b) => a.stretch.fromMonoMs - b.stretch.fromMonoMs);
    for (const kept of waiting) this.#goOn(kept, whole, source);
    this.catchUps.came(gateway, epoch, whole, this.#isBusy, source);
  }

  #goOn(kept: Kept, whole: number, source: Source): void {
    const { waiting, untilMonoMs } = kept.stretch;
    while (waiting[0] && waiting[0].sequence <= whole) {
      const { input } = waiting.shift()!;
      this.#step(kept, input, source);
      this.#dirty.add(kept);
      if (input.kind !== 'covered' || untilMonoMs === null) continue;
      if (input.untilMonoMs < untilMonoMs) continue;
      this.#close(kept, source);
      return;
    }
    if (waiting.length === 0) this.#waiting.delete(kept);
  }

  /**
   * A live sample of a series with open stretches: the end of one that has none yet, or a clear
   * value.
   */
  note(watched: Watched, sample: Sample): void {
    for (const kept of this.#bySeries.get(watched.row.series) ?? []) {
      const { stretch } = kept;
      if (stretch.end === null) stretch.end = sample;
      if (!isSilent(sample.quality)) {
        for (const rule of directRules(watched)) noteLive(stretch, rule, sample);
      }
      this.#dirty.add(kept);
    }
  }

  readonly #isBusy = (series: number) => this.#bySeries.has(series);

  /** Whether live samples of the series are to be noted. */
  isOpen(series: number): boolean {
    return this.#bySeries.has(series);
  }

  /** What is known of a series ends here: what comes of its past is in terms no rule speaks in. */
  end(watched: Watched, source: Source): void {
    for (const kept of [...(this.#bySeries.get(watched.row.series) ?? [])]) {
      this.#close(kept, source);
    }
    this.catchUps.end(watched, source);
  }

  /** Closes what has not been heard of for a while. True when something was. */
  tick(source: Source): boolean {
    const idle: Kept[] = [];
    for (const kept of this.#bySeries.values()) {
      for (const one of kept) {
        if (source.nowMs - one.stretch.heardMs >= STRETCH_IDLE_MS) idle.push(one);
      }
    }
    for (const kept of idle) this.#close(kept, source);
    this.catchUps.closeIdle(STRETCH_IDLE_MS, source, this.#isBusy);
    return idle.length > 0;
  }

  /** Whether `tick` has something to do. */
  isIdle(nowMs: number): boolean {
    for (const kept of this.#bySeries.values()) {
      if (kept.some(({ stretch }) => nowMs - stretch.heardMs >= STRETCH_IDLE_MS)) return true;
    }
    return this.catchUps.isIdle(STRETCH_IDLE_MS, nowMs, this.#isBusy);
  }

  flush(): void {
    this.catchUps.flush();
    for (const kept of this.#dirty) {
      this.#tables.putStretch(kept.id, kept.watched.row.series, kept.stretch);
    }
    this.#dirty.clear();
  }

  #find(watched: Watched, epoch: Epoch, monoMs: number): Kept | undefined {
    return this.#bySeries
      .get(watched.row.series)
      ?.find(
        ({ stretch }) =>
          stretch.epoch === epoch &&
          monoMs > stretch.fromMonoMs &&
          (stretch.untilMonoMs === null || monoMs <= stretch.untilMonoMs),
      );
  }

  #add(watched: Watched, stretch: Stretch, source: Source): Kept {
    const oldest = this.#bySeries.get(watched.row.series);
    if (oldest && oldest.length >= STRETCHES_MAX) this.#close(oldest[0]!, source);
    const kept: Kept = { id: this.#nextId++, watched, stretch };
    this.#hold(kept);
    this.#dirty.add(kept);
    return kept;
  }

  #hold(kept: Kept): void {
    const { series } = kept.watched.row;
    if (kept.stretch.waiting.length > 0) this.#waiting.add(kept);
    this.#bySeries.set(series, [...(this.#bySeries.get(series) ?? []), kept]);
  }

  #step(kept: Kept, input: Input, source: Source): void {
    const { watched, stretch } = kept;
    if (stretch.isFirst && !stretch.isBegun) this.#goOnFromBefore(kept);
    stretch.isBegun = true;
    if (input.kind === 'sample') {
      for (const rule of directRules(watched)) noteLate(stretch, rule, input);
    }
    for (const watch of directWatches(watched)) {
      const { id } = watch.subject.rule;
      const [after, transitions] = step(watch.subject, stretch.states[id] ?? FRESH, input);
      stretch.states[id] = after;
      for (const transition of transitions) {
        const { kind, occurrence, atMs } = transition;
        const before = kind === 'ends' ? this.#tables.get(occurrence) : null;
        if (before && !before.isHistorical) stretch.ended[id] = { occurrence, atMs };
        else if (before && isWaiting(watch, occurrence)) this.#end(watch, atMs, stretch, source);
        else this.#occurrences.historical(watch, transition, source);
      }
    }
  }

  // What waits for something live to show that it holds is over: nothing live will show that.
  #end(watch: Watch, atMs: number, { risen }: Stretch, source: Source): void {
    this.#occurrences.end(watch, atMs, { ...source, isLive: false });
    watch.verdict = risingSince(risen[watch.subject.rule.id]) ?? NO_VERDICT;
    this.#series.keep(watch);
  }

  #goOnFromBefore(kept: Kept): void {
    const before = endBefore(kept, this.#bySeries.get(kept.watched.row.series) ?? []);
    if (!before) return;
    passOn(before.stretch, kept.stretch);
    this.#dirty.add(before);
  }

  #close(kept: Kept, source: Source): void {
    const { watched, stretch } = kept;
    const others = this.#bySeries.get(watched.row.series) ?? [];
    others.splice(others.indexOf(kept), 1);
    if (others.length === 0) this.#bySeries.delete(watched.row.series);
    this.#dirty.delete(kept);
    this.#waiting.delete(kept);
    this.#tables.dropStretch(kept.id);
    for (const { input } of stretch.waiting.splice(0)) this.#step(kept, input, source);
    // What lies between its end and the next epoch's first sample is told there.
    if (stretch.end && !stretch.isPassedOn) this.#step(kept, stretch.end, source);
    const next = followedBy(stretch, others);
    if (next) this.#dirty.add(next);
    for (const watch of directWatches(watched)) {
      const last = stretch.states[watch.subject.rule.id]?.verdict;
      if (last) this.#join(watch, last, stretch, next?.stretch, source);
      // A stretch is there because something live lies behind it: what holds now is an alarm now.
      this.#rules.rejudge(watch, source);
      this.#occurrences.promote(watch, { ...source, isLive: true });
    }
    // One from before this that closes later has nothing to say of what comes after this.
    if (next) next.stretch.isBegun = true;
  }

  #join(
    watch: Watch,
    last: Verdict,
    stretch: Stretch,
    next: Stretch | undefined,
    source: Source,
  ): void {
    const { id, offDelayMs } = watch.subject.rule;
    this.#rise(watch, last, stretch);
    const ended = stretch.ended[id];
    if (ended) this.#endBefore(watch, ended, last, stretch, source);
    const isTaken = next !== undefined && handOver(stretch, last, next, id);
    const { occurrence } = last;
    const cleared = stretch.cleared[id];
    if (!isTaken && cleared) this.#heldAfter(watch, last, cleared, source);
    if (occurrence === null || occurrence === watch.condition.occurrence) return;
    const historical = this.#tables.get(occurrence);
    if (!historical?.isHistorical || historical.clearedMs !== null) return;
    if (isTaken && last.phase === 'falling') return; // The next one tells whether it ended.
    const { beganMs, raisedMs } = historical;
    const live = this.#rest(watch, stretch, occurrence);
    // One from before a clear value in the stretch had ended, though nothing live showed it.
    const isBefore = this.#isBefore(watch, last, stretch);
    const isWhole = isWholeLive(stretch, last, watch.verdict, id);
    const isRest = live !== null && (isWhole || !(stretch.wasClear[id] && isBefore));
    if (isRest) {
      this.#tables.remove(occurrence);
      const { nowMs: atMs } = source;
      this.#occurrences.tell({ kind: 'merged', alarm: historical, by: machine, atMs });
      if (isTaken) rename(next, id, live.occurrence);
      const isOlder = live.occurrence === watch.verdict.occurrence && isBefore;
      if (!isOlder) this.#occurrences.move(live, { beganMs, raisedMs }, source);
    } else if (cleared) {
      if (!isTaken) this.#occurrences.clear(watch, historical, cleared.atMs + offDelayMs, source);
    } else {
      if (live) this.#occurrences.end(watch, beganMs, { ...source, isLive: true });
      watch.verdict = last;
      watch.condition = change(watch.condition, { kind: 'begins', occurrence })[0];
      watch.isProvisional = true;
      this.#series.keep(watch);
    }
  }

  // An excursion that begins at the end of the stretch, and that live evaluation took for the rest
  // of the one before: when nothing cleared it within its delay it was an alarm of its own.
  #heldAfter(watch: Watch, last: Verdict, cleared: Moment, source: Source): void {
    const { key, rule } = watch.subject;
    const { first, phase, sinceMonoMs, sinceAtMs, heldMonoMs } = last;
    if (phase !== 'rising' || first === null || heldMonoMs >= 0) return;
    const { epoch, monoMs } = first;
    const raised = { monoMs: sinceMonoMs + rule.onDelayMs, atMs: sinceAtMs + rule.onDelayMs };
    if (epoch !== cleared.epoch || cleared.monoMs <= raised.monoMs) return;
    const { occurrence: newest } = watch.condition;
    const known = newest === null ? null : this.#tables.get(newest);
    const isOver = known?.clearedMs != null && known.clearedMs < raised.atMs;
    if (known && !isOver && known.raisedMs <= cleared.atMs) return;
    const occurrence = occurrenceName(key, rule.id, epoch, monoMs);
    const begins = { kind: 'begins', occurrence, ...raised, value: first.value, first } as const;
    this.#occurrences.historical(watch, begins, source);
    const end = { monoMs: cleared.monoMs + rule.offDelayMs, atMs: cleared.atMs + rule.offDelayMs };
    this.#occurrences.historical(watch, { ...begins, kind: 'ends', ...end }, source);
  }

  // A delay that runs was restarted at the end of the stretch, because nobody knew what was in it.
  // Now it is known when the excursion began, and whether it is another than the one before the
  // stretch.
  #rise(watch: Watch, last: Verdict, { end }: Stretch): void {
    const { verdict } = watch;
    if (verdict.phase !== 'rising' || last.phase !== 'rising' || end === null) return;
    const { first } = verdict;
    if (first?.epoch !== end.epoch || first.monoMs > end.monoMs) return; // Another one, after it.
    const isSince = verdict.sinceMonoMs <= end.monoMs && verdict.heldMonoMs < 0;
    watch.verdict = isSince ? last : { ...verdict, first: last.first };
    this.#series.keep(watch);
  }

  // The live alarm that is the rest of an excursion that was on at the end of the stretch, if there
  // is one: the one that began with the end, or the present one when nothing has ended it since.
  #rest(watch: Watch, stretch: Stretch, ofHistory: string): Alarm | null {
    const { key, rule } = watch.subject;
    const { end } = stretch;
    const name = end && occurrenceName(key, rule.id, end.epoch, end.monoMs);
    const atEnd = name && name !== ofHistory ? this.#tables.get(name) : null;
    if (atEnd) return atEnd;
    const { active, occurrence } = watch.condition;
    const isSame = active && stretch.cleared[rule.id] === undefined;
    return isSame && occurrence !== null ? this.#tables.get(occurrence) : null;
  }

  // Whether the live alarm began before the excursion that history has found.
  #isBefore({ verdict, watched }: Watch, last: Verdict, { end }: Stretch): boolean {
    const { first } = verdict;
    if (first === null || last.first === null) return false;
    if (first.epoch === last.first.epoch) return first.monoMs < last.first.monoMs;
    const present = this.#rules.epochOf(watched.row.gateway)?.epoch;
    return first.epoch !== end?.epoch && first.epoch !== present;
  }

  // An alarm from before the stretch had ended in it.
  #endBefore(
    watch: Watch,
    { occurrence, atMs }: { readonly occurrence: string; readonly atMs: number },
    last: Verdict,
    { risen, again }: Stretch,
    source: Source,
  ): void {
    const before = this.#tables.get(occurrence);
    if (!before) return;
    const { id, offDelayMs } = watch.subject.rule;
    const isOn = last.phase === 'active' || last.phase === 'falling';
    const next = isOn || last.phase === 'rising' ? undefined : again[id];
    const run = next && next.atMs >= atMs ? next : undefined;
    const isCurrent = watch.condition.active && watch.condition.occurrence === occurrence;
    if (!isCurrent) {
      const isLate = before.clearedMs !== null && before.clearedMs > atMs;
      if (isLate) this.#occurrences.move(before, { clearedMs: atMs }, source);
      const clearMs = (before.clearedMs ?? 0) - offDelayMs;
      const whole = isLate && run ? ranAgain(watch.subject, run, clearMs) : [];
      for (const each of whole) this.#occurrences.historical(watch, each, source);
      return;
    }
    const { phase, sinceAtMs } = watch.verdict;
    this.#occurrences.end(watch, atMs, { ...source, isLive: true });
    const [begins] = run && phase === 'falling' ? ranAgain(watch.subject, run, sinceAtMs) : [];
    if (begins) {
      this.#occurrences.historical(watch, begins, source);
      const { occurrence: name } = begins;
      watch.condition = change(watch.condition, { kind: 'begins', occurrence: name })[0];
      watch.isProvisional = true;
      watch.verdict = { ...watch.verdict, occurrence: begins.occurrence, first: begins.first };
    } else if (isOn && last.occurrence !== null) {
      watch.condition = change(watch.condition, { kind: 'begins', occurrence: last.occurrence })[0];
      watch.isProvisional = true;
      watch.verdict = { ...watch.verdict, occurrence: last.occurrence, first: last.first };
    } else {
      // Live evaluation took what rose since for the rest of what is over now.
      const first = last.phase === 'rising' ? undefined : risen[id];
      watch.verdict = risingSince(first) ?? last;
    }
    this.#series.keep(watch);
  }
}
