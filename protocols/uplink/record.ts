// What travels between edge and cloud, before it is bytes. Wire version 1; the format of the bytes
// is in envelope.ts, body.ts and lifeline.proto.
//
// Times: every time in a record is `monoMs`, whole milliseconds since the epoch was opened, by the
// gateway's monotonic clock. `wallOffsetMs` of the record turns it into a label: wall = mono +
// offset. Order, age and delays go by (epoch, mono) only.
import type { PointDefinition } from '../../core/point.ts';
import type { Range } from '../../core/ranges.ts';
import type { GapCause, Lane } from '../../core/reading.ts';

/**
 * One opening of an outbox, `<opening number>-<16 hex digits>`: the number rises by one an opening,
 * the 64 bits are random, so that no restored or cloned card can repeat an epoch. Also the boot id.
 */
export type Epoch = string;
export const EPOCH_PATTERN = /^[1-9][0-9]{0,9}-[0-9a-f]{16}$/;

/** SHA-256 of a manifest or page, first 16 bytes, as 32 hex digits. */
export type Hash = string;

/**
 * State of the gateway's wall clock when a record was sealed. The place is the code: append only.
 */
export const clockStates = ['unknown', 'synchronised', 'holdover'] as const;
export type ClockState = (typeof clockStates)[number];

export interface ClockStamp {
  readonly wallOffsetMs: number;
  readonly state: ClockState;
  /** Bound of the wall clock's error, milliseconds; 0 when unknown. */
  readonly errorMs: number;
}

/** Readings in poll order, one place a reading; equal lengths. */
export interface ReadingColumns {
  readonly count: number;
  /** Place of the point in the manifest's list. */
  readonly alias: Uint32Array;
  readonly monoMs: Float64Array;
  readonly quality: Uint8Array;
  /**
   * Raw value (engineering = raw x scale + offset); booleans are 0 and 1; NaN where `special`
   * speaks.
   */
  readonly numbers: Float64Array;
  /**
   * Values that are no double: whole numbers beyond 2^53, text, and null (always with bad quality).
   */
  readonly special: ReadonlyMap<number, bigint | string | null>;
  /** What devices said of the values; absent or null where none of them says anything. */
  readonly origins?: OriginColumns | null;
}

/** One place a reading, as in ReadingColumns. */
export interface OriginColumns {
  /** OPC UA StatusCode. */
  readonly status: Uint32Array;
  /**
   * Wall time of source and server, whole milliseconds since 1970; NaN where there is none, or none
   * of years 1601 to 9999.
   */
  readonly sourceMs: Float64Array;
  readonly serverMs: Float64Array;
}

/** What a group of points (one device, one period) was polled for, up to when. The heartbeat. */
export interface Coverage {
  readonly firstAlias: number;
  readonly points: number;
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /**
   * Readings taken = polls x points, whatever their quality; of them left out as unchanged; of them
   * bad.
   */
  readonly taken: number;
  readonly unchanged: number;
  readonly failed: number;
}

export interface Gap {
  readonly cause: GapCause;
  /** The epoch the readings belong to: the record's own, or an earlier one after a crash. */
  readonly epoch: Epoch;
  readonly firstAlias: number;
  readonly points: number;
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /** Readings that are not there. */
  readonly readings: number;
  readonly estimated: boolean;
  /** Sequences of `epoch` that this gap closes: they were given up and will never come. */
  readonly sequences: readonly Range[];
}

export interface ClockStep {
  readonly monoMs: number;
  /** wall - mono before and after. */
  readonly fromOffsetMs: number;
  readonly toOffsetMs: number;
  readonly state: ClockState;
}

export interface Body {
  readonly clock: ClockStamp;
  readonly readings: ReadingColumns | null;
  /** True for a state record: newest reading of every point, already accounted for elsewhere. */
  readonly isState: boolean;
  /**
   * Out of a device's memory, for a time that was accounted for as bad: for history only. Never
   * with `isState`.
   */
  readonly isFill?: boolean;
  readonly coverage: readonly Coverage[];
  readonly gaps: readonly Gap[];
  readonly clockSteps: readonly ClockStep[];
  readonly dictionary: DictionaryPart | null;
}

export type DictionaryPart =
  | { readonly kind: 'manifest'; readonly pages: readonly Hash[] }
  | { readonly kind: 'page'; readonly points: readonly PointDefinition[] };

/** The outside of a record: readable even when the body is not. */
export interface Envelope {
  readonly lane: Lane;
  readonly epoch: Epoch;
  readonly sequence: number;
  /** Manifest the aliases refer to; '' for a record without readings, coverage or gaps. */
  readonly manifest: Hash;
  /** Readings in the body; taken = readings + unchanged, but for state records (0). */
  readonly readings: number;
  readonly taken: number;
  readonly unchanged: number;
  readonly givenUp: number;
  readonly firstMonoMs: number;
  readonly lastMonoMs: number;
}

/** A record as the outbox holds it and the uplink sends it. Never changed once sealed. */
export interface SealedRecord extends Envelope {
  /** Envelope and body as they go over the wire. */
  readonly bytes: Uint8Array;
}

/** State the cloud keeps of one epoch of a gateway, as told in an ack. */
export interface EpochAck {
  readonly epoch: Epoch;
  /** Stored in the inbox: the edge may delete these. Lowest first, at most ACK_RANGES_MAX. */
  readonly stored: readonly Range[];
  readonly refused: readonly { readonly sequence: number; readonly reason: RefusalReason }[];
  /** Sequences the cloud wants again. */
  readonly wanted: readonly Range[];
}

export const refusalReasons = ['corrupt', 'clone', 'later', 'too_large', 'malformed'] as const;
export type RefusalReason = (typeof refusalReasons)[number];

export interface Ack {
  /** Drawn when a cloud store is made; a new one means that the old store is gone. */
  readonly storeId: string;
  readonly epochs: readonly EpochAck[];
  /** Dictionary hashes the cloud needs before it can take records that name them. */
  readonly needed: readonly Hash[];
  /** Bytes the edge may have in flight over all lanes. */
  readonly creditBytes: number;
}

export interface Birth {
  readonly storeIdSeen: string;
  readonly software: string;
  readonly configuration: string;
  readonly manifest: Hash;
  readonly epochs: readonly {
    readonly epoch: Epoch;
    readonly held: readonly Range[];
    /** The next sequence to be drawn; for an epoch that is over, one after its last. */
    readonly next: number;
  }[];
}

export interface Status {
  /** Rises by one a connect; a lower number than seen before is ignored. */
  readonly connection: number;
  readonly online: boolean;
  readonly clock: ClockState;
  /** How many paths to the cloud the gateway has; which one this is of, its topic says. */
  readonly paths: number;
}
