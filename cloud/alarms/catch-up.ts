// Rules with a memory, in order when records were not. A signal is made from all values of a
// window, so what came late cannot be joined to it by one value, as history.ts joins what is judged
// by the value alone. Where live evaluation jumps over something, the state before it is kept, and
// every input from there on, late or live, goes through it in the order of epoch and sequence, as
// soon as every record before it has come. When nothing is missing any more, or has stopped coming,
// this state is the one that evaluation in order would have, and the live one becomes it.
//
// What the two found is joined by name, else by time: a live alarm takes the true times of the
// excursion it was part of; one that no excursion stands behind, because live evaluation did not
// know half of its window, ends the moment it began; what still holds and nobody was told of
// becomes an alarm now. Excursions that are over are historical, with their true times, and page
// nobody.
//
// What waits is bounded by count: at the bound the older half is taken as it is, and what is
// missing of it is taken for lost. What comes late with no state from before it is evaluated by
// itself: it makes history and leaves the live state alone. Comparisons are left out: two
// series come late each in its own time.
import type { Evaluation, Track, Transition } from '../../core/alarm/evaluate.ts';
import { FRESH, HOLE_PERIODS, step } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { isDirect } from '../../core/alarm/rule.ts';
import { change } from '../../core/alarm/state.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Alarm } from './alarm.ts';
import type { Occurrences, Source } from './occurrences.ts';
import { machine } from './occurrences.ts';
import { COVERED_EVERY_MS } from './order.ts';
import type { Rules } from './rules.ts';
import type { Late } from './stretch.ts';
import type { AlarmTables } from './tables.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';

/**
 * Inputs of a series that wait, 200 characters each: four minutes of a sample a second behind one
 * missing record. At one more the older half is taken as it is.
 */
export const CATCH_UP_INPUTS_MAX = 256;

/** Occurrences a rule to join, newest: older ones stay as they were found. */
export const CATCH_UP_FOUND_MAX = 64;

/** An excursion in order. */
interface Found {
  readonly occurrence: string;
  /** Null where it began before it. */
  readonly beganMs: number | null;
  readonly raisedMs: number;
  readonly clearedMs: number | null;
}

/** One of a series, JSON. */
interface CatchUp {
  readonly kind: 'catch-up';
  /** From a state that live evaluation had; else of a past that nothing is known before. */
  readonly isJoined: boolean;
  /** The epoch of the state. */
  epoch: Epoch | null;
  /** By rule. */
  states: Record<string, Evaluation>;
  /** In the order of epoch and sequence, then of coming. */
  inputs: Late[];
  /** The newest taken, and the newest heard of. */
  taken: Place | null;
  newest: Place | null;
  found: Record<string, Found[]>;
  /** By rule: names of the live alarms since it began, and of the one that was on then. */
  live: Record<string, string[]>;
  heardMs: number;
  /** Label of the newest taken. */
  lastAtMs: number;
}

interface Place {
  readonly epoch: Epoch;
  readonly sequence: number;
}

interface Kept {
  readonly id: number;
  readonly watched: Watched;
  readonly catchUp: CatchUp;
}

export class CatchUps {
  readonly #tables: AlarmTables;
  readonly #occurrences: Occurrences;
  readonly #rules: Rules;
  readonly #nextId: () => number;
  readonly #bySeries = new Map<number, Kept>();
  readonly #dirty = new Set<Kept>();

  constructor(tables: AlarmTables, occurrences: Occurrences, rules: Rules, nextId: () => number) {
    this.#tables = tables;
    this.#rules = rules;
    this.#occurrences = occurrences;
    this.#nextId = nextId;
  }

  /** Set by the consumer: rises with time among the epochs of a gateway. */
  orderOf: (gateway: string, epoch: Epoch) => number = () => 0;
  /** Set by the consumer: whether every record of the epoch from one sequence to another came. */
  isWhole: (gateway: string, epoch: Epoch, first: number, last: number) => boolean = () => false;

  /** Takes back what `flush` wrote; false when the document is another's. */
  load(id: number, series: number, document: unknown, known: WatchedSeries): boolean {
    if (!isCatchUp(document)) return false;
    const watched = known.bySeries[series];
    if (watched) this.#bySeries.set(series, { id, watched, catchUp: document });
    return true;
  }

  flush(): void {
    for (const { id, watched, catchUp } of this.#dirty) {
      this.#tables.putStretch(id, watched.row.series, catchUp);
    }
    this.#dirty.clear();
  }

  isOpen({ row }: Watched): boolean {
    return this.#bySeries.has(row.series);
  }

  /** Live evaluation is about to go on without something; `track` is what it knows. */
  begin(watched: Watched, track: Track, source: Source): void {
    const known = this.#bySeries.get(watched.row.series);
    if (known?.catchUp.isJoined || !hasMemory(watched)) return;
    if (known) this.#close(known, source);
    const { catchUp } = this.#open(watched, true, source);
    catchUp.epoch = track.epoch;
    for (const { subject, verdict, condition } of watched.watches) {
      const { id } = subject.rule;
      if (!catchesUp(subject.rule)) continue;
      catchUp.states[id] = { track, verdict };
      const { active, occurrence } = condition;
      catchUp.live[id] = active && occurrence !== null ? [occurrence] : [];
    }
  }

  /** What live evaluation takes, in its own order. */
  follow(watched: Watched, input: Late, source: Source): void {
    const kept = this.#bySeries.get(watched.row.series);
    if (kept?.catchUp.isJoined) this.#insert(kept, input, source);
  }

  /** What is older than live evaluation. */
  take(watched: Watched, late: Late, source: Source): void {
    let kept = this.#bySeries.get(watched.row.series);
    if (!kept && (late.input.kind === 'covered' || !hasMemory(watched))) return;
    kept ??= this.#open(watched, false, source);
    kept.catchUp.heardMs = source.receivedMs;
    this.#insert(kept, late, source);
  }

  /** Live evaluation found something. */
  found({ watched, subject }: Watch, transitions: readonly Transition[]): void {
    const kept = this.#bySeries.get(watched.row.series);
    const names = kept?.catchUp.live[subject.rule.id];
    if (!kept || !names) return;
    for (const { kind, occurrence } of transitions) if (kind === 'begins') names.push(occurrence);
    names.splice(0, names.length - CATCH_UP_FOUND_MAX);
    this.#dirty.add(kept);
  }

  /**
   * Every record of the epoch up to `whole` has come. Closes what nothing waits for any more, of
   * series for which `isBusy` does not say that other history of theirs is open.
   */
  came(
    gateway: string,
    epoch: Epoch,
    whole: number,
    isBusy: (series: number) => boolean,
    source: Source,
  ): void {
    for (const kept of [...this.#bySeries.values()]) {
      const { watched, catchUp } = kept;
      if (watched.row.gateway !== gateway) continue;
      const { inputs, newest } = catchUp;
      while (inputs[0] && inputs[0].input.epoch === epoch && inputs[0].sequence <= whole) {
        if (catchUp.epoch !== null && catchUp.epoch !== epoch) break;
        this.#step(kept, inputs.shift()!, source);
      }
      const isDone = newest?.epoch === epoch && newest.sequence <= whole && inputs.length === 0;
      if (isDone && !isBusy(watched.row.series)) this.#close(kept, source);
    }
  }

  /** Closes those whose missing records have not come for `idleMs`. */
  closeIdle(idleMs: number, source: Source, isBusy: (series: number) => boolean): void {
    for (const kept of [...this.#bySeries.values()]) {
      const isIdle = source.nowMs - kept.catchUp.heardMs >= idleMs;
      if (isIdle && !isBusy(kept.watched.row.series)) this.#close(kept, source);
    }
  }

  isIdle(idleMs: number, nowMs: number, isBusy: (series: number) => boolean): boolean {
    for (const { catchUp, watched } of this.#bySeries.values()) {
      if (nowMs - catchUp.heardMs >= idleMs && !isBusy(watched.row.series)) return true;
    }
    return false;
  }

  end({ row }: Watched, source: Source): void {
    const kept = this.#bySeries.get(row.series);
    if (kept) this.#close(kept, source);
  }

  #open(watched: Watched, isJoined: boolean, { receivedMs: heardMs }: Source): Kept {
    const catchUp: CatchUp = {
      kind: 'catch-up',
      isJoined,
      epoch: null,
      states: {},
      inputs: [],
      taken: null,
      newest: null,
      found: {},
      live: {},
      heardMs,
      lastAtMs: 0,
    };
    const kept: Kept = { id: this.#nextId(), watched, catchUp };
    if (!isJoined) {
      for (const { subject } of watched.watches) {
        if (catchesUp(subject.rule)) catchUp.states[subject.rule.id] = FRESH;
      }
    }
    this.#bySeries.set(watched.row.series, kept);
    this.#dirty.add(kept);
    return kept;
  }

  #insert(kept: Kept, late: Late, source: Source): void {
    const { catchUp, watched } = kept;
    const { gateway } = watched.row;
    const place = { epoch: late.input.epoch, sequence: late.sequence };
    const order = (a: Place, b: Place) =>
      this.orderOf(gateway, a.epoch) - this.orderOf(gateway, b.epoch) || a.sequence - b.sequence;
    if (catchUp.taken && order(place, catchUp.taken) < 0) return; // Taken for lost already.
    if (!catchUp.newest || order(place, catchUp.newest) > 0) catchUp.newest = place;
    this.#dirty.add(kept);
    const { inputs } = catchUp;
    const at = inputs.findLastIndex(
      ({ input, sequence }) => order({ epoch: input.epoch, sequence }, place) <= 0,
    );
    const before = inputs[at];
    const merged = before && this.#merged(watched, before, late);
    if (merged) inputs[at] = merged;
    else inputs.splice(at + 1, 0, late);
    if (inputs.length <= CATCH_UP_INPUTS_MAX) return;
    for (const input of inputs.splice(0, CATCH_UP_INPUTS_MAX / 2)) this.#step(kept, input, source);
  }

  // Coverage of one record after another, with nothing that could still come between the two.
  #merged({ row }: Watched, before: Late, late: Late): Late | null {
    const { input: old } = before;
    const { input, sequence } = late;
    if (old.kind !== 'covered' || input.kind !== 'covered' || old.epoch !== input.epoch)
      return null;
    if (input.fromMonoMs - old.untilMonoMs > HOLE_PERIODS * row.periodMs) return null;
    if (input.untilMonoMs < old.untilMonoMs) return null;
    if (!this.isWhole(row.gateway, input.epoch, before.sequence, sequence)) return null;
    const fromMonoMs = Math.min(old.fromMonoMs, input.fromMonoMs);
    return { sequence, input: { ...input, fromMonoMs } };
  }

  #step(kept: Kept, late: Late, source: Source): void {
    const { catchUp, watched } = kept;
    const { input, sequence } = late;
    catchUp.taken = { epoch: input.epoch, sequence };
    catchUp.epoch = input.epoch;
    catchUp.lastAtMs = input.atMs;
    this.#dirty.add(kept);
    for (const watch of watched.watches) {
      const { id } = watch.subject.rule;
      const state = catchUp.states[id];
      if (!state) continue;
      const [after, transitions] = step(watch.subject, state, unbroken(late, state, watched));
      catchUp.states[id] = after;
      for (const transition of transitions) {
        note(catchUp, id, transition);
        this.#occurrences.historical(watch, transition, source);
      }
    }
  }

  #close(kept: Kept, source: Source): void {
    const { catchUp, watched, id } = kept;
    for (const input of catchUp.inputs.splice(0)) this.#step(kept, input, source);
    this.#bySeries.delete(watched.row.series);
    this.#dirty.delete(kept);
    this.#tables.dropStretch(id);
    for (const watch of watched.watches) {
      const state = catchUp.states[watch.subject.rule.id];
      if (!state) continue;
      if (catchUp.isJoined) this.#join(watch, state, catchUp, source);
      else this.#leave(watch, catchUp, source);
    }
  }

  // Of a past by itself: what was on at its end is known to have held until there.
  #leave(watch: Watch, { found, lastAtMs }: CatchUp, source: Source): void {
    for (const { occurrence, clearedMs } of found[watch.subject.rule.id] ?? []) {
      const row = clearedMs === null ? this.#tables.get(occurrence) : null;
      if (row?.isHistorical && row.clearedMs === null && watch.condition.occurrence !== occurrence)
        this.#occurrences.clear(watch, row, lastAtMs, source);
    }
  }

  #join(watch: Watch, { verdict }: Evaluation, catchUp: CatchUp, source: Source): void {
    const { id } = watch.subject.rule;
    const found = [...(catchUp.found[id] ?? [])];
    let { occurrence: on } = verdict;
    for (const name of catchUp.live[id] ?? []) {
      const row = this.#tables.get(name);
      const at = found.findIndex(isOf(name));
      const isOnThroughout = at < 0 && verdict.occurrence === name;
      if (!row || isOnThroughout) continue;
      const part = at >= 0 ? at : found.findIndex((it) => isPartOf(row, it));
      const [whole] = part >= 0 ? found.splice(part, 1) : [];
      if (whole && whole.occurrence === on) on = name;
      this.#settle(watch, row, whole, source);
    }
    watch.verdict = on === null ? verdict : { ...verdict, occurrence: on };
    const { active, occurrence } = watch.condition;
    if (on !== null && !(active && occurrence === on)) this.#hold(watch, on, source);
    this.#rules.rejudge(watch, source); // Keeps the watch.
    this.#occurrences.promote(watch, { ...source, isLive: true });
  }

  // A live alarm gets the times of the excursion that it was part of, or of none.
  #settle(watch: Watch, row: Alarm, whole: Found | undefined, source: Source): void {
    const { nowMs } = source;
    const isCurrent = watch.condition.active && watch.condition.occurrence === row.occurrence;
    const live: Source = { ...source, isLive: true };
    if (!whole) {
      if (isCurrent) this.#occurrences.end(watch, row.raisedMs, live);
      else if (row.clearedMs !== row.raisedMs)
        this.#occurrences.move(row, { clearedMs: row.raisedMs }, source);
      return;
    }
    const historical =
      whole.occurrence === row.occurrence ? null : this.#tables.get(whole.occurrence);
    if (historical?.isHistorical) {
      this.#tables.remove(whole.occurrence);
      this.#occurrences.tell({ kind: 'merged', alarm: historical, by: machine, atMs: nowMs });
    }
    const { beganMs, raisedMs, clearedMs } = whole;
    const began = beganMs === null ? {} : { beganMs, raisedMs };
    if (isCurrent) {
      this.#occurrences.move(row, began, source);
      if (clearedMs !== null) this.#occurrences.end(watch, clearedMs, live);
    } else {
      this.#occurrences.move(row, clearedMs === null ? began : { ...began, clearedMs }, source);
    }
  }

  // It holds, and nobody knows: history until something live shows it.
  #hold(watch: Watch, occurrence: string, source: Source): void {
    const row = this.#tables.get(occurrence);
    if (row && row.clearedMs !== null) {
      this.#tables.update(row, { clearedMs: null, clearedReceivedMs: null });
    }
    const [condition, effects] = change(watch.condition, { kind: 'begins', occurrence });
    watch.condition = condition;
    for (const effect of effects) {
      if (effect.kind === 'superseded')
        this.#occurrences.supersede(effect.occurrence, occurrence, source);
    }
    watch.isProvisional = true;
  }
}

const isCatchUp = (document: unknown): document is CatchUp =>
  (document as { kind?: unknown }).kind === 'catch-up';

const isOf = (name: string) => (it: Found) => it.occurrence === name;

/** Whether a rule has a memory that what came late is put through. */
export function catchesUp(rule: Rule): boolean {
  return !isDirect(rule) && rule.kind !== 'comparison';
}

function hasMemory({ watches }: Watched): boolean {
  return watches.some(({ subject }) => catchesUp(subject.rule));
}

// An alarm that has ended is no part of an excursion that is on: that one is told anew.
function isPartOf({ raisedMs, clearedMs }: Alarm, whole: Found): boolean {
  if (whole.clearedMs === null && clearedMs !== null) return false;
  const untilMs = clearedMs ?? Number.POSITIVE_INFINITY;
  return whole.raisedMs <= untilMs && raisedMs <= (whole.clearedMs ?? Number.POSITIVE_INFINITY);
}

// As live evaluation has it (consumer.ts): a sample that came before its coverage follows on what
// is known as long as that coverage can still be on its way.
function unbroken({ input, isAwaited }: Late, { track }: Evaluation, { holeMs }: Watched) {
  if (input.kind !== 'sample' || !isAwaited || track.epoch !== input.epoch) return input;
  const isClose = input.monoMs - track.markMonoMs <= COVERED_EVERY_MS + holeMs;
  return isClose ? { ...input, fromMonoMs: Math.min(input.fromMonoMs, track.markMonoMs) } : input;
}

function note(catchUp: CatchUp, rule: string, transition: Transition): void {
  const { kind, occurrence, atMs, first } = transition;
  const all = catchUp.found[rule] ?? [];
  catchUp.found[rule] = all;
  if (kind === 'begins') {
    all.push({ occurrence, beganMs: first.atMs, raisedMs: atMs, clearedMs: null });
  } else {
    const at = all.findIndex(isOf(occurrence));
    const before = all[at] ?? { occurrence, beganMs: null, raisedMs: 0 };
    all.splice(at < 0 ? all.length : at, 1, { ...before, clearedMs: atMs });
  }
  all.splice(0, all.length - CATCH_UP_FOUND_MAX);
}
