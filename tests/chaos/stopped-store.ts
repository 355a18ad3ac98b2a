// What lies in the store of a cloud that has ended, read by itself: no counter and no answer of the
// running cloud has a part in it.
import { DuckStore } from '../../cloud/store/duckdb.ts';
import { HISTORY_ROWS_MAX } from '../../cloud/store/store.ts';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';

export interface Found {
  readonly rows: number;
  /** Readings by `gateway:epoch`. */
  readonly byEpoch: ReadonlyMap<string, number>;
  /** The same series, epoch and monotonic time more than once, in words. */
  readonly duplicates: readonly string[];
}

export async function readStopped(folder: string): Promise<Found> {
  const store = await DuckStore.open(systemClock, silentLog, { folder });
  const byEpoch = new Map<string, number>();
  const duplicates: string[] = [];
  let rows = 0;
  try {
    for (const { series, gateway, definition } of await store.series()) {
      const { readings, isTruncated } = await store.history({
        ...{ series, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER },
        ...{ bucketMs: null, limit: HISTORY_ROWS_MAX },
      });
      if (!readings || isTruncated) throw new Error(`series ${series} is longer than an answer`);
      const seen = new Set<string>();
      rows += readings.count;
      for (let at = 0; at < readings.count; at++) {
        const epoch = readings.epochs[readings.epochAt[at]!]!;
        const key = `${epoch} ${readings.monoMs[at]}`;
        if (seen.has(key)) {
          duplicates.push(`${gateway}/${definition.device}/${definition.point} ${key}`);
        }
        seen.add(key);
        const name = `${gateway}:${epoch}`;
        byEpoch.set(name, (byEpoch.get(name) ?? 0) + 1);
      }
    }
  } finally {
    await store.close();
  }
  return { rows, byEpoch, duplicates };
}
