// The newest reading of every series, and up to when it held. Newest is by order, whichever lane
// brought it and whatever its label says; so it never moves to an older one.
import type { Origin } from '../../core/reading.ts';
import { originAt } from '../../protocols/uplink/origins.ts';
import type { ReadingRows } from './batch.ts';
import type { Catalogue, Relabel, Source } from './catalogue.ts';
import type { Latest } from './store.ts';
import { typedValue } from './store.ts';

export interface NewestRow {
  readonly series: number;
  readonly source: Source;
  readonly monoMs: number;
  readonly atMs: number;
  readonly quality: number;
  /** NaN for null and where `special` speaks. */
  readonly number: number;
  readonly special: bigint | string | undefined;
  readonly origin: Origin | null;
}

interface Held {
  source: Source;
  monoMs: number;
  atMs: number;
  quality: number;
  number: number;
  special: bigint | string | undefined;
  origin: Origin | null;
}

interface Covered {
  source: Source;
  toMonoMs: number;
  atMs: number;
}

export class Newest {
  readonly #bySeries = new Map<number, Held>();
  readonly #bySet = new Map<number, Covered>();

  offerRows(rows: ReadingRows): void {
    const { count, series, sources, monoMs, atMs, quality, values, special, origins } = rows;
    for (let at = 0; at < count; at++) {
      const source = sources[at]!;
      const held = this.#bySeries.get(series[at]!);
      if (held && isAfter(held.source, held.monoMs, source, monoMs[at]!)) continue;
      const into = held ?? this.#hold(series[at]!, source);
      into.source = source;
      into.monoMs = monoMs[at]!;
      into.atMs = atMs[at]!;
      into.quality = quality[at]!;
      into.number = values[at]!;
      into.special = special.size > 0 ? special.get(at) : undefined;
      into.origin = origins && originAt(origins, at);
    }
  }

  offer({ series, ...row }: NewestRow): void {
    const held = this.#bySeries.get(series);
    if (held && isAfter(held.source, held.monoMs, row.source, row.monoMs)) return;
    this.#bySeries.set(series, row);
  }

  cover({ source, toMonoMs, atMs }: Covered, set: number): void {
    const covered = this.#bySet.get(set);
    if (covered && isAfter(covered.source, covered.toMonoMs, source, toMonoMs)) return;
    this.#bySet.set(set, { source, toMonoMs, atMs });
  }

  relabel({ source, afterMonoMs, toMonoMs, offsetMs }: Relabel): void {
    const touches = (of: Source, monoMs: number) =>
      of.number === source.number && monoMs > afterMonoMs && monoMs <= toMonoMs;
    for (const held of this.#bySeries.values()) {
      if (touches(held.source, held.monoMs)) held.atMs = held.monoMs + offsetMs;
    }
    for (const covered of this.#bySet.values()) {
      if (touches(covered.source, covered.toMonoMs)) covered.atMs = covered.toMonoMs + offsetMs;
    }
  }

  *rows(): Generator<NewestRow> {
    for (const [series, held] of this.#bySeries) yield { series, ...held };
  }

  list(catalogue: Catalogue, series?: readonly number[]): Latest[] {
    const wanted = series ?? [...this.#bySeries.keys()];
    const list: Latest[] = [];
    for (const number of [...wanted].sort((a, b) => a - b)) {
      const held = this.#bySeries.get(number);
      if (!held) continue;
      list.push({
        series: number,
        epoch: held.source.epoch,
        monoMs: held.monoMs,
        atMs: held.atMs,
        value: held.special ?? typedValue(held.number, catalogue.isBoolean(number)),
        quality: held.quality,
        ...(held.origin && { origin: held.origin }),
        coveredMs: this.#coveredMs(held, catalogue.setsOf(number)),
      });
    }
    return list;
  }

  #hold(series: number, source: Source): Held {
    const nothing = { monoMs: 0, atMs: 0, quality: 0, number: 0, special: undefined, origin: null };
    const held: Held = { source, ...nothing };
    this.#bySeries.set(series, held);
    return held;
  }

  // Coverage of an older epoch says nothing about this value.
  #coveredMs(held: Held, sets: readonly number[]): number {
    let coveredMs = held.atMs;
    for (const set of sets) {
      const covered = this.#bySet.get(set);
      if (covered && covered.source.order >= held.source.order) {
        coveredMs = Math.max(coveredMs, covered.atMs);
      }
    }
    return coveredMs;
  }
}

function isAfter(source: Source, monoMs: number, other: Source, otherMonoMs: number): boolean {
  return source.order > other.order || (source.order === other.order && monoMs > otherMonoMs);
}
