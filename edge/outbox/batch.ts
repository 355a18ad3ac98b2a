// What goes into the outbox and what comes out of it: values that cross to its thread and back.
import type { Range } from '../../core/ranges.ts';
import type { Epoch, Gap, Hash, SealedRecord } from '../../protocols/uplink/record.ts';
import type { KeepClass } from './file.ts';
import type { Debt, Loss } from './ledger.ts';

/** An urgent record is committed and sent at once. */
export type Urgency = 'urgent' | 'usual';

/** A sealed record and what the outbox must know of it. */
export interface Entry {
  readonly record: SealedRecord;
  readonly keep: KeepClass;
  /** Smallest run of aliases that has every point of the record. */
  readonly firstAlias: number;
  readonly points: number;
  readonly gaps: readonly Gap[];
  /** Set when the record is a dictionary part: kept apart from the record's own life. */
  readonly part: { readonly hash: Hash; readonly pages: readonly Hash[] | null } | null;
  /** Debts that this record tells of. */
  readonly settles: readonly number[];
}

export interface EpochRanges {
  readonly epoch: Epoch;
  readonly ranges: readonly Range[];
}

export interface Refusal {
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly reason: string;
}

/**
 * One commit. When it fails, `entries` are to be given again; the rest is remembered by the core.
 */
export interface Batch {
  readonly entries: readonly Entry[];
  /** On their way to the link or behind it: the cloud may have them though no ack came. */
  readonly sent: readonly EpochRanges[];
  /** Stored in the cloud. */
  readonly acked: readonly EpochRanges[];
  readonly refused: readonly Refusal[];
  /** Asked for again: no longer closed. `all` when the cloud has a new store. */
  readonly wanted: readonly EpochRanges[] | 'all';
  /** Losses of records that never reached the disk. */
  readonly dropped: readonly Loss[];
  /** Dictionary parts the cloud lacks and nobody here can give it. */
  readonly lostParts: readonly Hash[];
  readonly words: readonly (readonly [string, string])[];
  /** Monotonic time of the epoch, now. */
  readonly monoMs: number;
}

export const emptyBatch: Batch = {
  entries: [],
  sent: [],
  acked: [],
  refused: [],
  wanted: [],
  dropped: [],
  lostParts: [],
  words: [],
  monoMs: 0,
};

export const diskStates = ['ok', 'full', 'failing'] as const;
export type DiskState = (typeof diskStates)[number];

export interface OutboxStatus {
  readonly disk: DiskState;
  readonly bytes: number;
  readonly files: number;
  /** False until the older files have been read through after the opening. */
  readonly isScanned: boolean;
  /**
   * Readings lost for want of room or by damage, exact counts only; of them covered as unchanged.
   */
  readonly givenUp: number;
  readonly givenUpUnchanged: number;
  readonly refused: number;
}

export interface CommitResult {
  readonly committed: boolean;
  readonly status: OutboxStatus;
  /**
   * Losses that no record tells of yet; only after a commit that succeeded, so that they are
   * durable.
   */
  readonly debts: readonly Debt[];
}

export interface Held {
  readonly epoch: Epoch;
  /** Everything on disk that was not given up. */
  readonly ranges: readonly Range[];
  /** Of it what the cloud has not closed, and of that the events. */
  readonly open: readonly Range[];
  readonly events: readonly Range[];
  readonly next: number;
}

export interface StoredRecord {
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly isEvent: boolean;
  /** The newest time it is about, in its epoch. */
  readonly lastMonoMs: number;
  readonly bytes: Uint8Array;
}

export interface ReadResult {
  readonly records: readonly StoredRecord[];
  /** Of what was asked for: not here, or not readable any more. */
  readonly absent: readonly Range[];
}

/** What the opening found. */
export interface Opened {
  readonly epoch: Epoch;
  readonly words: ReadonlyMap<string, string>;
  readonly parts: readonly Hash[];
  readonly result: CommitResult;
}

/** The outbox as its shell sees it: the core itself, or a thread that has one. */
export interface OutboxPort {
  readonly opened: Opened;
  commit(batch: Batch): Promise<CommitResult>;
  held(): Promise<readonly Held[]>;
  read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): Promise<ReadResult>;
  part(hash: Hash): Promise<StoredRecord | undefined>;
  /** One bounded piece of background work; false when there is none. */
  step(): Promise<boolean>;
  close(): Promise<void>;
}
