// Between collecting and keeping: what a poll brought, normalised, on its way into a record.
import type { QualityCode } from '../core/quality.ts';
import type { Origin, Value } from '../core/reading.ts';

/** One poll of one group: points of one device with one period, a run of the manifest's list. */
export interface PollReport {
  readonly firstAlias: number;
  readonly points: number;
  /** Clock.monoMs() when the poll was due and when it was complete. */
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /** Readings that are reported, in poll order; equal lengths. Values raw, booleans as booleans. */
  readonly alias: readonly number[];
  readonly monoMs: readonly number[];
  readonly values: readonly Value[];
  readonly qualities: readonly QualityCode[];
  /** What the device said of each; absent where it says nothing. */
  readonly origins?: readonly (Origin | null)[];
  /**
   * What happened, not what is: sealed in records of lane `event`. The group has no points of the
   * other kind, or each change between the two ends a record.
   */
  readonly isEvent?: boolean;
  /**
   * Out of the device's memory, for a time that is over: sealed at once in records of their own,
   * each reading with the reason `history`, counted for nothing (`points`, `unchanged`, `failed` are
   * 0). Times may be from before the outbox was opened.
   */
  readonly isFill?: boolean;
  /**
   * Taken = alias.length + unchanged: points, and one more for each value that a device had queued
   * before the newest.
   */
  readonly unchanged: number;
  readonly failed: number;
  /** A life-safety point is among the reported, or a rule's verdict changed: seal within 20 ms. */
  readonly urgent: boolean;
}

export interface Sink {
  report(poll: PollReport): void;
  /**
   * `polls` of the group were due and did not happen because the one before was still running; or
   * so many `readings` of it are known to have been dropped on the way here.
   */
  missed(group: {
    readonly firstAlias: number;
    readonly points: number;
    readonly fromMonoMs: number;
    readonly toMonoMs: number;
    readonly polls: number;
    /** Where it is not every point's. */
    readonly readings?: number;
  }): void;
  /** False while the outbox pushes back: collecting goes on, trend polls are missed and counted. */
  readonly accepts: boolean;
}
