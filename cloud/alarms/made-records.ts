// Records as the inbox gives them, and rules, for tests of what follows it.
import { createHash } from 'node:crypto';
import type { LimitRule, NoDataRule, RuleProposal } from '../../core/alarm/rule.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Lane } from '../../core/reading.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';

export const BAD = qualityCode('bad', 'timeout');
/** Wall time of monotonic 0. */
export const WALL = 1_790_000_000_000;
const common = { level: 2, title: { en: 'x', zh: 'x' }, action: null } as const;

export const high = (changes: Partial<LimitRule> = {}): LimitRule => ({
  ...common,
  id: 'high',
  kind: 'limit',
  side: 'high',
  limit: 10,
  deadband: 2,
  onDelayMs: 0,
  offDelayMs: 0,
  ...changes,
});
export const noData: NoDataRule = {
  ...common,
  id: 'no-data',
  kind: 'no-data',
  silentMs: 10_000,
  onDelayMs: 0,
  offDelayMs: 0,
};

export function entry(series: number, rules: readonly RuleProposal[]): SeriesEntry {
  return {
    series,
    gateway: 'gw-1',
    definition: {
      device: 'd',
      point: `p${series}`,
      name: { en: 'Point', zh: '测点' },
      unit: 'bar',
      type: 'number',
      scale: 1,
      offset: 0,
      range: null,
      class: 'life-safety',
      periodMs: 1000,
      deadband: 0,
      asset: `gas/well-${series}`,
      rules,
    },
  };
}

export type Value = number | null;
export interface RecordParts {
  readonly sequence: number;
  readonly epoch?: string;
  readonly lane?: Lane;
  readonly receivedMs?: number;
  readonly isState?: boolean;
  readonly isFill?: boolean;
  /** [series, monoMs, value] in poll order; null is bad. */
  readonly readings?: readonly (readonly [number, number, Value])[];
  readonly covered?: readonly [readonly number[], number, number] | null;
  readonly manifest?: readonly SeriesEntry[];
}

export const hashOf = (manifest: readonly SeriesEntry[]) =>
  createHash('sha256').update(JSON.stringify(manifest)).digest('hex').slice(0, 32);

let rows = 0;

/** The row after the newest. */
export const nextRow = () => ++rows;

/** Rows are counted from 1 again, as in a new inbox. */
export function newInbox(): void {
  rows = 0;
}

/** Of gateway `gw-1`, as the inbox gives it. */
export function record(parts: RecordParts): DecodedRecord {
  const { sequence, epoch = '1-00000000000000aa', lane = 'live', isState = false, isFill } = parts;
  const { readings = [], covered = null, manifest } = parts;
  const lastMs = covered?.[2] ?? readings.at(-1)?.[1] ?? 0;
  const receivedMs = parts.receivedMs ?? WALL + lastMs;
  const place = { row: nextRow(), area: 'gas', gateway: 'gw-1', epoch, sequence, lane };
  return {
    row: { ...place, receivedMs, bytes: new Uint8Array() },
    clock: { wallOffsetMs: WALL, state: 'synchronised', errorMs: 10 },
    isState,
    ...(isFill && { isFill }),
    readings: {
      count: readings.length,
      series: Uint32Array.from(readings, ([series]) => series),
      monoMs: Float64Array.from(readings, ([, monoMs]) => monoMs),
      atMs: Float64Array.from(readings, ([, monoMs]) => WALL + monoMs),
      quality: Uint8Array.from(readings, ([, , value]) => (value === null ? BAD : GOOD)),
      values: Float64Array.from(readings, ([, , value]) => value ?? Number.NaN),
      special: new Map(readings.flatMap(([, , value], at) => (value === null ? [[at, null]] : []))),
    },
    coverage: covered
      ? [
          {
            series: covered[0],
            fromMonoMs: covered[1],
            toMonoMs: covered[2],
            atMs: WALL + covered[2],
            taken: 1,
            unchanged: 0,
            failed: 0,
          },
        ]
      : [],
    gaps: [],
    clockSteps: [],
    manifest: manifest ? { hash: hashOf(manifest), entries: manifest } : null,
  };
}
