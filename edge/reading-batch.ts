// What has been read of one class of points and is not sealed yet: columns of readings in poll
// order, and what each group of points was polled for.
import { type QualityCode, qualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { Coverage, ReadingColumns } from '../protocols/uplink/record.ts';

/**
 * A record of this many readings costs 2.9 B a reading on a slow 16-bit signal; more gains little.
 */
export const BATCH_READINGS = 100;
/** Under load: fewer records a second cost less in envelope, commit and ack. */
export const BATCH_READINGS_MAX = 500;
/** Groups told of in one record, 30 bytes each at most. */
export const BATCH_GROUPS_MAX = 1_000;
/** A reading with everything around it, before packing: alias, time, quality, double. */
export const READING_BYTES = 24;

type MutableCoverage = { -readonly [Key in keyof Coverage]: Coverage[Key] };

export class ReadingBatch {
  count = 0;
  /** Upper bound of what the body will hold. */
  bytes = 0;
  readonly #alias = new Uint32Array(BATCH_READINGS_MAX);
  readonly #monoMs = new Float64Array(BATCH_READINGS_MAX);
  readonly #quality = new Uint8Array(BATCH_READINGS_MAX);
  readonly #numbers = new Float64Array(BATCH_READINGS_MAX);
  #special = new Map<number, bigint | string | null>();
  #coverage = new Map<number, MutableCoverage>();

  add(alias: number, monoMs: number, value: Value, quality: QualityCode): void {
    // Not a number is no value: it travels as a bad reading, never as a good one.
    if (typeof value === 'number' && Number.isNaN(value)) {
      this.add(alias, monoMs, null, qualityCode('bad', 'decode'));
      return;
    }
    const at = this.count++;
    this.#alias[at] = alias;
    this.#monoMs[at] = monoMs;
    this.#quality[at] = quality;
    this.bytes += READING_BYTES;
    if (typeof value === 'number') this.#numbers[at] = value;
    else if (typeof value === 'boolean') this.#numbers[at] = value ? 1 : 0;
    else {
      this.#numbers[at] = Number.NaN;
      this.#special.set(at, value);
      if (typeof value === 'string') this.bytes += 3 * value.length; // UTF-8 at its widest.
    }
  }

  cover(entry: Coverage): void {
    const known = this.#coverage.get(entry.firstAlias);
    if (!known || known.points !== entry.points) {
      this.#coverage.set(entry.firstAlias, { ...entry });
      return;
    }
    known.fromMonoMs = Math.min(known.fromMonoMs, entry.fromMonoMs);
    known.toMonoMs = Math.max(known.toMonoMs, entry.toMonoMs);
    known.taken += entry.taken;
    known.unchanged += entry.unchanged;
    known.failed += entry.failed;
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.#coverage.size === 0;
  }

  get groups(): number {
    return this.#coverage.size;
  }

  get coverage(): readonly Coverage[] {
    return [...this.#coverage.values()];
  }

  get unchanged(): number {
    let sum = 0;
    for (const { unchanged } of this.#coverage.values()) sum += unchanged;
    return sum;
  }

  /** Views of the batch's own memory: good until the next `add`. */
  get columns(): ReadingColumns | null {
    if (this.count === 0) return null;
    const { count } = this;
    return {
      count,
      alias: this.#alias.subarray(0, count),
      monoMs: this.#monoMs.subarray(0, count),
      quality: this.#quality.subarray(0, count),
      numbers: this.#numbers.subarray(0, count),
      special: this.#special,
    };
  }

  /** The smallest run of aliases that has every point of the batch. */
  get span(): { readonly firstAlias: number; readonly points: number } {
    let first = Number.POSITIVE_INFINITY;
    let end = 0;
    for (const { firstAlias, points } of this.#coverage.values()) {
      first = Math.min(first, firstAlias);
      end = Math.max(end, firstAlias + points);
    }
    for (let at = 0; at < this.count; at++) {
      first = Math.min(first, this.#alias[at]!);
      end = Math.max(end, this.#alias[at]! + 1);
    }
    return end === 0 ? { firstAlias: 0, points: 0 } : { firstAlias: first, points: end - first };
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    if (this.#special.size > 0) this.#special = new Map();
    this.#coverage = new Map();
  }
}
