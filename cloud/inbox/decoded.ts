// A record of the inbox, decoded once for a consumer: aliases resolved to series by the record's
// own manifest, values scaled by it, times in both clocks. What the store and the alarms work on.
import { unreachable } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import type { Range } from '../../core/ranges.ts';
import type { GapCause, Lane } from '../../core/reading.ts';
import type {
  ClockStamp,
  ClockStep,
  Epoch,
  Hash,
  OriginColumns,
} from '../../protocols/uplink/record.ts';

/** A row of the inbox as received. `row` rises by one a record and is what cursors point at. */
export interface InboxRow {
  readonly row: number;
  readonly area: string;
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly sequence: number;
  /** After the receiver's check: readings older than 30 s on arrival are `backfill`. */
  readonly lane: Lane;
  readonly receivedMs: number;
  readonly bytes: Uint8Array;
  /** Of a row without bytes: a gap that the cloud itself found. */
  readonly note?: InboxNote;
  /**
   * Places of gaps in the record that give up what had come after all: sent and stored, its ack
   * lost, then given up by the edge. They are dropped, or their readings would count twice.
   */
  readonly untrueGaps?: readonly number[];
  /**
   * Places of gaps that give up some of what is closed already, as two cards with one backlog do:
   * how many of their readings count twice nobody knows, so they are estimates.
   */
  readonly partialGaps?: readonly number[];
}

/** Records that will not come: refused by the cloud, or lost with an earlier store. */
export interface InboxNote {
  readonly cause: 'refused' | 'store_lost';
  readonly epoch: Epoch;
  readonly sequences: readonly Range[];
  /** By the envelopes; 0 where nobody knows. */
  readonly readings: number;
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * A point as the cloud numbers it: given once, when a dictionary page is stored, and never reused.
 */
export interface SeriesEntry {
  readonly series: number;
  readonly gateway: string;
  readonly definition: PointDefinition;
}

export interface DecodedReadings {
  readonly count: number;
  readonly series: Uint32Array;
  readonly monoMs: Float64Array;
  /** Label: wall time by the record's clock stamp. */
  readonly atMs: Float64Array;
  readonly quality: Uint8Array;
  /** Engineering values; booleans 0 and 1; NaN where `special` speaks. */
  readonly values: Float64Array;
  readonly special: ReadonlyMap<number, bigint | string | null>;
  /** What devices said of the values; absent where none of them says anything. */
  readonly origins?: OriginColumns | null;
}

export interface DecodedCoverage {
  readonly series: readonly number[];
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  readonly atMs: number;
  readonly taken: number;
  readonly unchanged: number;
  readonly failed: number;
}

export interface DecodedGap {
  readonly cause: GapCause;
  readonly epoch: Epoch;
  readonly series: readonly number[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly readings: number;
  readonly estimated: boolean;
  /** Records that the gap stands for, where the cloud found it; their readings may be unknown. */
  readonly records?: number;
}

export interface DecodedRecord {
  readonly row: InboxRow;
  readonly clock: ClockStamp;
  /** The newest of every point, accounted for elsewhere. */
  readonly isState: boolean;
  /**
   * Out of a device's memory: stored, and nothing else. Not taken, never the newest, evaluated by
   * nobody.
   */
  readonly isFill?: boolean;
  readonly readings: DecodedReadings | null;
  readonly coverage: readonly DecodedCoverage[];
  readonly gaps: readonly DecodedGap[];
  readonly clockSteps: readonly ClockStep[];
  /** Set when the record was a dictionary manifest: the list it now stands for. */
  readonly manifest: Dictionary | null;
  /** The list its readings and coverage are by; none for a record without any. */
  readonly dictionary?: Dictionary;
}

export interface Dictionary {
  readonly hash: Hash;
  readonly entries: readonly SeriesEntry[];
}

/** NaN for text and for no value. */
export function numberOf(special: bigint | string | null | undefined): number {
  switch (typeof special) {
    case 'bigint':
      return Number(special);
    case 'string':
    case 'object':
    case 'undefined':
      return Number.NaN;
    default:
      return unreachable(special);
  }
}
