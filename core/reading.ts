import type { Quality, Reason } from './quality.ts';

/** A whole number beyond 2^53 stays a bigint; text is at most TEXT_BYTES_MAX bytes of UTF-8. */
export type Value = number | bigint | boolean | string | null;

export const TEXT_BYTES_MAX = 255;

/** One value of one point, at the time at which it was true. A bad reading has value null. */
export interface Reading {
  /** `gateway/device/point`. */
  readonly point: string;
  /** Wall time of the gateway at which the value was taken, milliseconds since 1970 in UTC. */
  readonly atMs: number;
  readonly value: Value;
  readonly quality: Quality;
  readonly reason: Reason;
}

/** What a device said of a value beside the value itself; kept as it came. */
export interface Origin {
  /** OPC UA StatusCode (Part 4, 7.39), unsigned 32 bits; 0 is good. */
  readonly status: number;
  /** When the source says the value was true, wall time of the device, milliseconds since 1970. */
  readonly sourceMs: number | null;
  /** When the server had it, wall time of the server. */
  readonly serverMs: number | null;
}

// The place in the list is the code on the wire: append only.
export const lanes = ['live', 'backfill', 'event'] as const;
export type Lane = (typeof lanes)[number];

/** Decides period, urgency, and what is given up first when space ends (the last first). */
export const pointClasses = ['life-safety', 'compliance', 'trend'] as const;
export type PointClass = (typeof pointClasses)[number];

// The place in the list is the code on the wire: append only.
export const gapCauses = [
  'missed', // Due, but the previous poll of the device was still running.
  'overflow', // Given up by the edge because its disk share was full.
  'damaged', // A file of the outbox could not be read.
  'crash', // Taken, but not yet on disk when the process or the power went; an estimate.
  'refused', // The cloud could not read the record; kept as a dead letter.
  'store_lost', // The cloud lost its store and no edge has the records any more.
  'stopped', // Dropped at shutdown because the disk could not take it.
] as const;
export type GapCause = (typeof gapCauses)[number];
