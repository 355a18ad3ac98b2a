// What the alarms were given and what they raised, noted at the moment: it outlives the cloud.
import type { Alarm } from '../../cloud/alarms/alarm.ts';
import type { DecodedRecord, SeriesEntry } from '../../cloud/inbox/decoded.ts';
import { isBad } from '../../core/quality.ts';
import type { PlantPoint } from './plant.ts';
import { pointKey, told } from './plant.ts';
import type { Timeline } from './timeline.ts';
import type { Witness } from './witness.ts';
import { rawBehind } from './witness.ts';

interface Newest {
  /** True time. */
  readonly atMs: number;
  readonly isBeyond: boolean;
}

export class Desk {
  readonly #witness: Witness;
  readonly #timeline: Timeline;
  readonly #points: ReadonlyMap<string, PlantPoint>;
  readonly #scales: readonly number[];
  /** By point: of what the alarms were given, the newest. */
  #newest = new Map<string, Newest>();

  constructor(
    timeline: Timeline,
    witness: Witness,
    points: ReadonlyMap<string, PlantPoint>,
    scales: readonly number[],
  ) {
    this.#timeline = timeline;
    this.#witness = witness;
    this.#points = points;
    this.#scales = scales;
  }

  /** A new cloud that knows nothing. */
  forget(): void {
    this.#newest = new Map();
  }

  noteRecords(records: readonly DecodedRecord[], series: ReadonlyMap<number, SeriesEntry>): void {
    const known = new Map(series);
    for (const { row, readings, manifest, dictionary } of records) {
      const entries = (manifest ?? dictionary)?.entries ?? [];
      for (const entry of entries) known.set(entry.series, entry);
      if (!readings) continue;
      const facts = this.#witness.epochs.get(row.epoch);
      if (!facts) continue;
      for (let at = 0; at < readings.count; at++) {
        const entry = known.get(readings.series[at]!);
        if (!entry || isBad(readings.quality[at]!)) continue;
        const { gateway, definition } = entry;
        const point = this.#points.get(`${gateway}/${definition.device}/${definition.point}`);
        if (!point?.hasRule) continue;
        const raw = rawBehind(point, readings.values[at]!, this.#scales);
        if (raw === null) continue;
        const atMs = facts.openedMs + readings.monoMs[at]!;
        if ((this.#newest.get(pointKey(point))?.atMs ?? 0) > atMs) continue;
        const { isBeyond } = told(raw);
        this.#newest.set(pointKey(point), { atMs, isBeyond });
      }
    }
  }

  noteRaised({ key, occurrence, gateway }: Alarm): void {
    const { nowMs } = this.#timeline;
    const newest = this.#newest.get(key) ?? null;
    const own = [...this.#witness.epochs.values()].filter((it) => it.gateway === gateway);
    const isNews = own.some(({ heardMs }) => heardMs !== null && nowMs - heardMs < 1_000);
    const isFirstHeard = isNews && this.#witness.wipes > 0;
    this.#witness.raised.push({ occurrence, key, isFirstHeard, atMs: nowMs, newest });
  }
}
