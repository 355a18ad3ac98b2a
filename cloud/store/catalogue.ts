// What stored rows refer to by number: the epochs they were taken in, the groups of points that
// coverage and gaps speak of, the series; and what is known of each epoch's clock. In memory whole
// (an epoch is one start of a gateway, a group one device with one period), written by the store
// when something is added.
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { ClockStep, Epoch } from '../../protocols/uplink/record.ts';
import type { EpochLine, HeardRow } from '../epochs.ts';
import { hear, lineOf, newLine, orderOf } from '../epochs.ts';
import type { Dictionary, SeriesEntry } from '../inbox/decoded.ts';

/** One epoch, once for what it took while its clock was unknown and once for the rest. */
export interface Source {
  readonly number: number;
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly isUnknown: boolean;
  /** Rises with time among those of a gateway; changes when its epoch becomes the present one. */
  order: number;
}

export interface SeriesSet {
  readonly number: number;
  readonly members: readonly number[];
}

/** The moment at which an epoch learned the time. */
export interface KnownStep {
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly monoMs: number;
  readonly offsetMs: number;
}

/** Rows of `source` taken after `afterMonoMs` up to `toMonoMs` have the label mono + `offsetMs`. */
export interface Relabel {
  readonly source: Source;
  readonly afterMonoMs: number;
  readonly toMonoMs: number;
  readonly offsetMs: number;
}

/** A series as its newest manifest defines it: of two, the one sealed later counts. */
export interface Definition {
  readonly entry: SeriesEntry;
  readonly order: number;
  readonly sequence: number;
}

/** Inclusive. */
export interface AppliedRange extends Range {
  readonly source: Source;
}

export interface Added {
  /** New ones, and those whose order is another now. */
  readonly sources: readonly Source[];
  readonly sets: readonly SeriesSet[];
  readonly steps: readonly KnownStep[];
  readonly series: readonly Definition[];
  /** Sequences whose records are in the store. */
  readonly applied: readonly AppliedRange[];
  /** Series that have had a text or a whole number beyond 2^53. */
  readonly special: readonly number[];
}

/** Dictionaries remembered as met; beyond it they are looked through once more. */
const MET_MAX = 10_000;

interface Applied {
  /** With the number of the source. */
  readonly applied: readonly (Range & { readonly source: number })[];
}

type Adding = { readonly [key in keyof Added]: Added[key][number][] };

function nothingAdded(): Adding {
  return { sources: [], sets: [], steps: [], series: [], applied: [], special: [] };
}

export class Catalogue {
  readonly #sources: Source[] = [];
  readonly #sourceByKey = new Map<string, Source>();
  readonly #lines = new Map<string, EpochLine>();
  readonly #sets: SeriesSet[] = [];
  readonly #setByKey = new Map<string, SeriesSet>();
  readonly #setsBySeries = new Map<number, number[]>();
  readonly #stepsByEpoch = new Map<string, KnownStep[]>();
  readonly #definitions = new Map<number, Definition>();
  /** Gateways and the dictionaries that records of them went by. */
  readonly #met = new Set<string>();
  readonly #applied = new Map<string, RangeSet>();
  readonly #special = new Set<number>();
  #added = nothingAdded();

  /** Numbers rise by one from 1, so what is stored must be restored in order. */
  restore({
    sources,
    sets,
    steps,
    series,
    applied,
    special,
  }: Omit<Added, 'applied'> & Applied): void {
    const orders = Map.groupBy(sources, ({ gateway }) => gateway);
    for (const [gateway, own] of orders) {
      this.#lines.set(gateway, lineOf(new Map(own.map(({ epoch, order }) => [epoch, order]))));
    }
    for (const { gateway, epoch, isUnknown } of sources) this.source(gateway, epoch, isUnknown);
    for (const { members } of sets) this.set(members);
    for (const step of steps) this.#insertStep(step);
    for (const { entry, order, sequence } of series) this.define(entry, order, sequence);
    for (const { source, first, last } of applied) {
      const { gateway, epoch } = this.#sources[source - 1]!;
      this.#appliedOf(gateway, epoch).add(first, last);
    }
    for (const number of special) this.noteSpecial(number);
    this.takeAdded();
  }

  /** What is new since it was last asked for. */
  takeAdded(): Added {
    const added = this.#added;
    this.#added = nothingAdded();
    return added;
  }

  source(gateway: string, epoch: Epoch, isUnknown: boolean): Source {
    const key = `${gateway} ${epoch} ${isUnknown}`;
    const known = this.#sourceByKey.get(key);
    if (known) return known;
    const number = this.#sources.length + 1;
    const order = orderOf(this.#lineOf(gateway), epoch);
    const source = { number, gateway, epoch, isUnknown, order };
    this.#sources.push(source);
    this.#sourceByKey.set(key, source);
    this.#added.sources.push(source);
    return source;
  }

  /** Every record, in the order of the inbox: which epoch is the present one follows from it. */
  hear(gateway: string, row: HeardRow): void {
    const line = this.#lineOf(gateway);
    if (!hear(line, row)) return;
    for (const source of this.#sources) {
      if (source.gateway !== gateway) continue;
      const order = orderOf(line, source.epoch);
      if (order === source.order) continue;
      source.order = order;
      this.#added.sources.push(source);
    }
  }

  #lineOf(gateway: string): EpochLine {
    let line = this.#lines.get(gateway);
    if (!line) this.#lines.set(gateway, (line = newLine()));
    return line;
  }

  /** Notes that this record is in the store; false when it was already, under whatever row. */
  take(source: Source, sequence: number): boolean {
    const applied = this.#appliedOf(source.gateway, source.epoch);
    if (applied.has(sequence)) return false;
    applied.add(sequence);
    const last = this.#added.applied.at(-1);
    if (last?.source === source && last.last + 1 === sequence) {
      this.#added.applied[this.#added.applied.length - 1] = { ...last, last: sequence };
    } else {
      this.#added.applied.push({ source, first: sequence, last: sequence });
    }
    return true;
  }

  /** All that was taken, in as few ranges as it makes. */
  applied(): AppliedRange[] {
    return [...this.#applied].flatMap(([key, ranges]) => {
      const source = this.#sourceByKey.get(`${key} false`) ?? this.#sourceByKey.get(`${key} true`);
      return source ? ranges.toArray().map((range) => ({ source, ...range })) : [];
    });
  }

  sourceOf(number: number): Source | undefined {
    return this.#sources[number - 1];
  }

  /** Both sources of an epoch, as far as they exist. */
  sourcesOf(gateway: string, epoch: Epoch): Source[] {
    const both = [true, false].map((unknown) =>
      this.#sourceByKey.get(`${gateway} ${epoch} ${unknown}`),
    );
    return both.filter((source) => source !== undefined);
  }

  set(members: readonly number[]): SeriesSet {
    const key = members.join(' ');
    const known = this.#setByKey.get(key);
    if (known) return known;
    const set = { number: this.#sets.length + 1, members: [...members] };
    this.#sets.push(set);
    this.#setByKey.set(key, set);
    for (const series of new Set(members)) {
      const sets = this.#setsBySeries.get(series) ?? [];
      sets.push(set.number);
      this.#setsBySeries.set(series, sets);
    }
    this.#added.sets.push(set);
    return set;
  }

  membersOf(set: number): readonly number[] {
    return this.#sets[set - 1]?.members ?? [];
  }

  /** Numbers of the sets a series is a member of. */
  setsOf(series: number): readonly number[] {
    return this.#setsBySeries.get(series) ?? [];
  }

  /** The set of gaps whose points nobody knows, if there was one. */
  emptySet(): number | undefined {
    return this.#setByKey.get('')?.number;
  }

  define(entry: SeriesEntry, order: number, sequence: number): void {
    const known = this.#definitions.get(entry.series);
    const isOld = known && (known.order - order || known.sequence - sequence) >= 0;
    if (isOld) return;
    const definition = { entry, order, sequence };
    this.#definitions.set(entry.series, definition);
    this.#added.series.push(definition);
  }

  /**
   * Defines what no record brought: a gateway whose dictionary was known by its hash, or came
   * damaged first, has readings before it has a definition.
   */
  meet(gateway: string, { hash, entries }: Dictionary, order: number, sequence: number): void {
    const key = `${gateway} ${hash}`;
    if (this.#met.has(key)) return;
    if (this.#met.size >= MET_MAX) this.#met.clear();
    this.#met.add(key);
    for (const entry of entries) {
      if (!this.#definitions.has(entry.series)) this.define(entry, order, sequence);
    }
  }

  entry(series: number): SeriesEntry | undefined {
    return this.#definitions.get(series)?.entry;
  }

  noteSpecial(series: number): void {
    if (this.#special.has(series)) return;
    this.#special.add(series);
    this.#added.special.push(series);
  }

  /** False where all values are doubles: a reader then need not look for others. */
  hasSpecial(series: number): boolean {
    return this.#special.has(series);
  }

  isBoolean(series: number): boolean {
    return this.entry(series)?.definition.type === 'boolean';
  }

  entries(): SeriesEntry[] {
    const entries = [...this.#definitions.values()].map(({ entry }) => entry);
    return entries.sort((a, b) => a.series - b.series);
  }

  /**
   * Takes a clock step in; null when it labels nothing: a clock that is still unknown knows no
   * time.
   */
  step(gateway: string, epoch: Epoch, step: ClockStep): Relabel | null {
    if (step.state === 'unknown') return null;
    const known = { gateway, epoch, monoMs: step.monoMs, offsetMs: step.toOffsetMs };
    const before = this.#insertStep(known);
    this.#added.steps.push(known);
    return {
      source: this.source(gateway, epoch, true),
      afterMonoMs: before?.monoMs ?? Number.NEGATIVE_INFINITY,
      toMonoMs: known.monoMs,
      offsetMs: known.offsetMs,
    };
  }

  /** All that is known of the clocks, as what it does to rows of `source`. */
  relabels(source: Source): Relabel[] {
    if (!source.isUnknown) return [];
    const steps = this.#stepsByEpoch.get(`${source.gateway} ${source.epoch}`) ?? [];
    return steps.map(({ monoMs, offsetMs }, at) => ({
      source,
      afterMonoMs: steps[at - 1]?.monoMs ?? Number.NEGATIVE_INFINITY,
      toMonoMs: monoMs,
      offsetMs,
    }));
  }

  /**
   * The label of something `source` took at `monoMs`: the one it came with unless more is known
   * now.
   */
  label(source: Source, monoMs: number, atMs: number): number {
    if (!source.isUnknown) return atMs;
    const steps = this.#stepsByEpoch.get(`${source.gateway} ${source.epoch}`);
    const step = steps?.find((later) => later.monoMs >= monoMs);
    return step ? monoMs + step.offsetMs : atMs;
  }

  #appliedOf(gateway: string, epoch: Epoch): RangeSet {
    const key = `${gateway} ${epoch}`;
    let applied = this.#applied.get(key);
    if (!applied) {
      applied = new RangeSet();
      this.#applied.set(key, applied);
    }
    return applied;
  }

  // Keeps the steps of an epoch in order; returns the one before.
  #insertStep(step: KnownStep): KnownStep | undefined {
    const key = `${step.gateway} ${step.epoch}`;
    const steps = this.#stepsByEpoch.get(key) ?? [];
    this.#stepsByEpoch.set(key, steps);
    const at = steps.findIndex(({ monoMs }) => monoMs >= step.monoMs);
    if (at < 0) {
      steps.push(step);
      return steps.at(-2);
    }
    steps.splice(at, 0, step);
    return steps[at - 1];
  }
}
