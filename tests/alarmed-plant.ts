// A gateway with pressures that tests push over their limit and back: what comes of it in the
// alarms, without edge, broker or inbox.

import type { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import type { AlarmEvent } from '../cloud/alarms/occurrences.ts';
import type { DecodedRecord, SeriesEntry } from '../cloud/inbox/decoded.ts';
import type { LimitRule } from '../core/alarm/rule.ts';
import { GOOD } from '../core/quality.ts';

export const LIMIT = 10;
/** Where the series have a second, worse limit. */
export const WORSE_LIMIT = 20;

function entry(series: number, level: 1 | 2 | 3 | 4, worse: 1 | 2 | 3 | 4 | null): SeriesEntry {
  const rule: LimitRule = {
    ...{ id: 'high', kind: 'limit', side: 'high', limit: LIMIT, deadband: 2, level, action: null },
    ...{ onDelayMs: 0, offDelayMs: 0, title: { en: 'Pressure high', zh: '压力过高' } },
  };
  const worseRule = worse && {
    ...{ ...rule, id: 'high-high', side: 'high-high' as const, limit: WORSE_LIMIT, level: worse },
    title: { en: 'Pressure very high', zh: '压力极高' },
  };
  return {
    series,
    gateway: 'gw-1',
    definition: {
      ...{ device: 'd', point: `p${series}`, name: { en: 'Pressure', zh: '压力' }, unit: 'bar' },
      ...{ type: 'number', scale: 1, offset: 0, range: null, class: 'life-safety' },
      ...{
        periodMs: 1000,
        deadband: 0,
        asset: `gas/well-${series}`,
        rules: worseRule ? [rule, worseRule] : [rule],
      },
    },
  };
}

/** Series 1 to n at the levels given: `gw-1/d/p1` and so on, of the assets `gas/well-1` ... */
export class AlarmedPlant {
  readonly #alarms: AlarmConsumer;
  readonly #startMs: number;
  #manifest: readonly SeriesEntry[] | null;
  #row: number;

  constructor(
    alarms: AlarmConsumer,
    startMs: number,
    levels: readonly (1 | 2 | 3 | 4)[],
    worse: 1 | 2 | 3 | 4 | null = null,
  ) {
    this.#alarms = alarms;
    this.#startMs = startMs;
    this.#manifest = levels.map((level, at) => entry(at + 1, level, worse));
    this.#row = alarms.cursor;
  }

  /** One live record: the series has this value at `nowMs`, which is sample and arrival time. */
  set(series: number, value: number, nowMs: number): AlarmEvent[] {
    return this.#alarms.apply([this.#record([[series, value]], nowMs)], nowMs);
  }

  #record(readings: readonly (readonly [number, number])[], nowMs: number): DecodedRecord {
    const manifest = this.#manifest;
    this.#manifest = null;
    const row = ++this.#row;
    const monoMs = nowMs - this.#startMs + 1_000;
    const place = { area: 'gas', gateway: 'gw-1', epoch: '1-00000000000000aa', lane: 'live' };
    return {
      row: { ...place, row, sequence: row, receivedMs: nowMs, bytes: new Uint8Array() },
      clock: { wallOffsetMs: this.#startMs - 1_000, state: 'synchronised', errorMs: 10 },
      isState: false,
      readings: {
        count: readings.length,
        series: Uint32Array.from(readings, ([series]) => series),
        monoMs: Float64Array.from(readings, () => monoMs),
        atMs: Float64Array.from(readings, () => nowMs),
        quality: Uint8Array.from(readings, () => GOOD),
        values: Float64Array.from(readings, ([, value]) => value),
        special: new Map(),
      },
      coverage: [],
      gaps: [],
      clockSteps: [],
      manifest: manifest && { hash: 'a'.repeat(32), entries: manifest },
    } as DecodedRecord;
  }
}
