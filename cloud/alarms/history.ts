// What came late, evaluated apart. When live evaluation jumps over a stretch of time (an outage, a lost record, a
// new epoch), the state before the jump is kept, and the backlog that later fills the stretch is evaluated from
// it, with the same kernel. What began and ended inside is written as historical, with its true times.
//
// A stretch closes when its backlog has reached its end, or has stopped coming for a while: then the first live
// sample after it is put to the history too, and the two evaluations are joined:
//   - an excursion that was on at the end and is on now began when history says: the live alarm is moved back;
//   - an alarm from before the stretch that had ended in it is cleared with its true time, and the excursion that
//     followed it, if it still holds, is an alarm of its own;
//   - a delay that live evaluation restarted after the jump and history knows to be over is over.
import type { Evaluation, Input, Sample, Track, Verdict } from '../../core/alarm/evaluate.ts';
import { FRESH, HOLE_PERIODS, step } from '../../core/alarm/evaluate.ts';
import { change } from '../../core/alarm/state.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Occurrences, Source } from './occurrences.ts';
import { brief, MACHINE } from './occurrences.ts';
import type { AlarmTables } from './tables.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';

/** Without a record of the gateway's backlog for this long, what is missing will not come for now. */
export const STRETCH_IDLE_MS = 60_000;
/** Per series; at one more the oldest is closed as it is. */
export const STRETCHES_MAX = 4;

interface Stretch {
  readonly epoch: Epoch;
  readonly fromMonoMs: number;
  /** First live time after it; null for a stretch that runs to the end of its epoch. */
  readonly untilMonoMs: number | null;
  /** The first thing known after the stretch. */
  end: Sample | null;
  /** By rule. */
  states: Record<string, Evaluation>;
  /** Occurrences from before the stretch that ended in it: by rule, when. */
  ended: Record<string, { readonly occurrence: string; readonly atMs: number }>;
  heardMs: number;
  /** The newest contiguous sequence when a missing record was the reason; null for a hole in time. */
  readonly missingAfter: number | null;
}

export interface Jump {
  /** Before the jump; the verdicts of the watches are those before it too. */
  readonly track: Track;
  readonly end: Sample | null;
  readonly untilMonoMs: number | null;
  readonly missingAfter: number | null;
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
  #nextId = 1;

  constructor(tables: AlarmTables, series: WatchedSeries, occurrences: Occurrences) {
    this.#tables = tables;
    this.#series = series;
    this.#occurrences = occurrences;
    for (const { id, series: number, document } of tables.stretches<Stretch>()) {
      const watched = series.bySeries[number];
      this.#nextId = Math.max(this.#nextId, id + 1);
      if (watched) this.#hold({ id, watched, stretch: document });
    }
  }

  /** How many stretches wait for their backlog. */
  get open(): number {
    let count = 0;
    for (const kept of this.#bySeries.values()) count += kept.length;
    return count;
  }

  /** Live evaluation is about to jump. One missing record opens one stretch a series, not one a sample. */
  jump(watched: Watched, { track, end, untilMonoMs, missingAfter }: Jump, source: Source): void {
    if (track.epoch === null) return;
    const newest = this.#bySeries.get(watched.row.series)?.at(-1);
    if (missingAfter !== null && newest?.stretch.missingAfter === missingAfter) return;
    const states = Object.fromEntries(
      watched.watches.map(({ subject, verdict }) => [subject.rule.id, { track, verdict }]),
    );
    const { epoch, sampleMonoMs: fromMonoMs } = track;
    const span = { epoch, fromMonoMs, untilMonoMs, end, missingAfter };
    this.#add(watched, { ...span, states, ended: {}, heardMs: source.receivedMs }, source);
  }

  /** Takes what is older than the live state; `liveSample` is the newest sample of the present epoch. */
  take(
    watched: Watched,
    input: Exclude<Input, { kind: 'passed' }>,
    present: Sample | null,
    source: Source,
  ): void {
    const monoMs = input.kind === 'sample' ? input.monoMs : input.untilMonoMs;
    let kept = this.#find(watched, input.epoch, monoMs);
    // Coverage alone ends delays that run; without a stretch there are none.
    if (!kept && input.kind === 'covered') return;
    kept ??= this.#add(watched, fresh(input.epoch, present, source.receivedMs), source);
    const { stretch } = kept;
    stretch.heardMs = source.receivedMs;
    this.#step(kept, input, source);
    this.#dirty.add(kept);
    const { untilMonoMs } = stretch;
    if (untilMonoMs !== null && monoMs >= untilMonoMs - HOLE_PERIODS * watched.row.periodMs) {
      if (input.kind === 'covered') this.#close(kept, source);
    }
  }

  /** A late sample is put to the end of a stretch that has none yet. */
  present(watched: Watched, end: Sample): void {
    for (const kept of this.#bySeries.get(watched.row.series) ?? []) {
      if (kept.stretch.end !== null) continue;
      kept.stretch.end = end;
      this.#dirty.add(kept);
    }
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
    return idle.length > 0;
  }

  /** Whether `tick` has something to do. */
  isIdle(nowMs: number): boolean {
    for (const kept of this.#bySeries.values()) {
      if (kept.some(({ stretch }) => nowMs - stretch.heardMs >= STRETCH_IDLE_MS)) return true;
    }
    return false;
  }

  flush(): void {
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
    const others = this.#bySeries.get(series);
    if (others) others.push(kept);
    else this.#bySeries.set(series, [kept]);
  }

  #step({ watched, stretch }: Kept, input: Input, source: Source): void {
    for (const watch of watched.watches) {
      const { id } = watch.subject.rule;
      const [after, transitions] = step(watch.subject, stretch.states[id] ?? FRESH, input);
      stretch.states[id] = after;
      for (const transition of transitions) {
        const { kind, occurrence, atMs } = transition;
        const before = kind === 'ends' ? this.#tables.get(occurrence) : null;
        if (before && !before.isHistorical) stretch.ended[id] = { occurrence, atMs };
        else this.#occurrences.historical(watch, transition, source);
      }
    }
  }

  #close(kept: Kept, source: Source): void {
    const { watched, stretch } = kept;
    const others = this.#bySeries.get(watched.row.series) ?? [];
    others.splice(others.indexOf(kept), 1);
    if (others.length === 0) this.#bySeries.delete(watched.row.series);
    this.#dirty.delete(kept);
    this.#tables.dropStretch(kept.id);
    if (stretch.end) this.#step(kept, stretch.end, source);
    for (const watch of watched.watches) {
      const { id } = watch.subject.rule;
      this.#finishFalling(kept, watch, source);
      const last = stretch.states[id]?.verdict;
      if (last) this.#join(watch, last, stretch, source);
    }
  }

  // An off-delay that runs at the end of the stretch ends by itself, unless the live state says otherwise.
  #finishFalling(kept: Kept, watch: Watch, source: Source): void {
    const { end, states } = kept.stretch;
    const { rule } = watch.subject;
    const verdict = states[rule.id]?.verdict;
    if (verdict?.phase !== 'falling' || end === null) return;
    if (watch.condition.active && watch.condition.occurrence === verdict.occurrence) return;
    const untilMonoMs = end.monoMs + rule.offDelayMs;
    const atMs = end.atMs + rule.offDelayMs;
    const fromMonoMs = end.monoMs;
    this.#step(kept, { kind: 'covered', epoch: end.epoch, fromMonoMs, untilMonoMs, atMs }, source);
  }

  #join(watch: Watch, last: Verdict, stretch: Stretch, source: Source): void {
    const ended = stretch.ended[watch.subject.rule.id];
    if (ended) this.#endBefore(watch, ended, last, source);
    const { occurrence, first } = last;
    if (occurrence === null || first === null || occurrence === watch.condition.occurrence) return;
    const historical = this.#tables.get(occurrence);
    if (!historical?.isHistorical || historical.clearedMs !== null) return;
    const live = watch.condition.active ? this.#tables.get(watch.condition.occurrence!) : null;
    if (live) {
      // The live alarm is the rest of this excursion.
      const { beganMs, raisedMs } = historical;
      this.#tables.remove(occurrence);
      const after = this.#tables.update(live, { beganMs, raisedMs });
      const { nowMs } = source;
      this.#occurrences.journal(
        'alarm-moved-back',
        MACHINE,
        live.occurrence,
        brief(live),
        brief(after),
        nowMs,
      );
    } else if (watch.verdict.phase === 'rising') {
      // Live evaluation has restarted a delay that history knows to be over.
      watch.verdict = last;
      watch.condition = change(watch.condition, { kind: 'begins', occurrence })[0];
      watch.isProvisional = true;
      this.#series.keep(watch);
    } else {
      // It ended after the stretch, before its delay had run live.
      this.#occurrences.clear(historical, stretch.end?.atMs ?? source.receivedMs, source);
    }
  }

  // An alarm from before the stretch had ended in it.
  #endBefore(
    watch: Watch,
    { occurrence, atMs }: { readonly occurrence: string; readonly atMs: number },
    last: Verdict,
    source: Source,
  ): void {
    const before = this.#tables.get(occurrence);
    if (!before) return;
    const isCurrent = watch.condition.active && watch.condition.occurrence === occurrence;
    if (!isCurrent) {
      if (before.clearedMs === null || before.clearedMs <= atMs) return;
      const after = this.#tables.update(before, { clearedMs: atMs });
      const { nowMs } = source;
      const entry = 'alarm-moved-back';
      this.#occurrences.journal(entry, MACHINE, occurrence, brief(before), brief(after), nowMs);
      return;
    }
    this.#occurrences.end(watch, atMs, { ...source, isLive: true });
    const isOn = last.phase === 'active' || last.phase === 'falling';
    if (isOn && last.occurrence !== null) {
      watch.condition = change(watch.condition, { kind: 'begins', occurrence: last.occurrence })[0];
      watch.isProvisional = true;
      watch.verdict = { ...watch.verdict, occurrence: last.occurrence, first: last.first };
    } else {
      watch.verdict = last;
    }
    this.#series.keep(watch);
  }
}

function fresh(epoch: Epoch, present: Sample | null, heardMs: number): Stretch {
  const isSame = present?.epoch === epoch;
  return {
    epoch,
    fromMonoMs: -1,
    untilMonoMs: isSame ? present.monoMs : null,
    end: present,
    states: {},
    ended: {},
    heardMs,
    missingAfter: null,
  };
}
