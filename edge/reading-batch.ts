// What has been read of one class of points and is not sealed yet: columns of readings in poll
// order, and what each group of points was polled for.
import { assert } from '../core/fault.ts';
import { type QualityCode, qualityCode } from '../core/quality.ts';
import type { Origin, Value } from '../core/reading.ts';
import { originTime } from '../protocols/uplink/origins.ts';
import type { Coverage, OriginColumns, ReadingColumns } from '../protocols/uplink/record.ts';
import { MESSAGE_BYTES_MAX } from '../protocols/uplink/topics.ts';

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
/** What its device said of it, at its widest: a status of its own, two times far from any other. */
export const ORIGIN_BYTES = 64;

/** Text makes records large: three quarters of a message, the rest is coverage. */
export const BATCH_BYTES_MAX = 96 * 1024;
assert(
  BATCH_BYTES_MAX + 3 * 256 + BATCH_GROUPS_MAX * 30 < MESSAGE_BYTES_MAX,
  'a full batch with its last text and its coverage fits one message',
);

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
  /** Made when the first reading with an origin comes: most gateways never have one. */
  #origins: OriginColumns | null = null;
  #hasOrigins = false;
  #coverage = new Map<number, MutableCoverage>();

  add(
    alias: number,
    monoMs: number,
    value: Value,
    quality: QualityCode,
    origin: Origin | null = null,
  ): void {
    // Not a number is no value: it travels as a bad reading, never as a good one.
    if (typeof value === 'number' && Number.isNaN(value)) {
      this.add(alias, monoMs, null, qualityCode('bad', 'decode'), origin);
      return;
    }
    const at = this.count++;
    this.#alias[at] = alias;
    this.#monoMs[at] = monoMs;
    this.#quality[at] = quality;
    this.bytes += READING_BYTES;
    if (origin || this.#hasOrigins) this.#addOrigin(at, origin);
    if (typeof value === 'number') this.#numbers[at] = value;
    else if (typeof value === 'boolean') this.#numbers[at] = value ? 1 : 0;
    else {
      this.#numbers[at] = Number.NaN;
      this.#special.set(at, value);
      if (typeof value === 'string') this.bytes += 3 * value.length; // UTF-8 at its widest.
    }
  }

  #addOrigin(at: number, origin: Origin | null): void {
    this.#origins ??= {
      status: new Uint32Array(BATCH_READINGS_MAX),
      sourceMs: new Float64Array(BATCH_READINGS_MAX),
      serverMs: new Float64Array(BATCH_READINGS_MAX),
    };
    const { status, sourceMs, serverMs } = this.#origins;
    if (!this.#hasOrigins) {
      this.#hasOrigins = true;
      status.fill(0, 0, at);
      sourceMs.fill(Number.NaN, 0, at);
      serverMs.fill(Number.NaN, 0, at);
    }
    status[at] = origin?.status ?? 0;
    sourceMs[at] = originTime(origin?.sourceMs ?? null);
    serverMs[at] = originTime(origin?.serverMs ?? null);
    if (origin) this.bytes += ORIGIN_BYTES;
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

  covers(firstAlias: number): boolean {
    return this.#coverage.has(firstAlias);
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
      ...(this.#hasOrigins && this.#origins && { origins: originsTo(this.#origins, count) }),
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
    this.#hasOrigins = false;
    if (this.#special.size > 0) this.#special = new Map();
    this.#coverage = new Map();
  }
}

function originsTo({ status, sourceMs, serverMs }: OriginColumns, count: number): OriginColumns {
  return {
    status: status.subarray(0, count),
    sourceMs: sourceMs.subarray(0, count),
    serverMs: serverMs.subarray(0, count),
  };
}
