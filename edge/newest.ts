// The newest reading of every point, for state records: what an uplink says first after a pause.
import type { QualityCode } from '../core/quality.ts';
import type { Origin, Value } from '../core/reading.ts';
import { BATCH_BYTES_MAX, BATCH_READINGS_MAX, ReadingBatch } from './reading-batch.ts';

export class Newest {
  readonly #monoMs: Float64Array;
  readonly #quality: Uint8Array;
  readonly #values: Value[];
  /** Empty until a device says something of a value. */
  readonly #origins: (Origin | null)[] = [];

  /** Of so many points, none of them read. */
  constructor(points: number) {
    this.#monoMs = new Float64Array(points).fill(Number.NaN);
    this.#quality = new Uint8Array(points);
    this.#values = new Array<Value>(points).fill(null);
  }

  put(
    alias: number,
    monoMs: number,
    value: Value,
    quality: QualityCode,
    origin: Origin | null,
  ): void {
    this.#monoMs[alias] = monoMs;
    this.#quality[alias] = quality;
    this.#values[alias] = value;
    if (origin || this.#origins.length > 0) this.#origins[alias] = origin;
  }

  /** All that were read, each with its own time; a batch is good until the next is asked for. */
  *batches(): Generator<ReadingBatch> {
    const batch = new ReadingBatch();
    for (let alias = 0; alias < this.#values.length; alias++) {
      const monoMs = this.#monoMs[alias]!;
      if (Number.isNaN(monoMs)) continue;
      const origin = this.#origins[alias] ?? null;
      batch.add(alias, monoMs, this.#values[alias]!, this.#quality[alias]!, origin);
      if (batch.count < BATCH_READINGS_MAX && batch.bytes < BATCH_BYTES_MAX) continue;
      yield batch;
      batch.clear();
    }
    if (batch.count > 0) yield batch;
  }
}
