// What of one kind is gathered until it is sealed into one record.
import type { KeepClass } from './outbox/file.ts';
import { BATCH_READINGS, ReadingBatch } from './reading-batch.ts';

/** In the order in which they are sealed where all are. */
export const lotClasses = ['event', 'life-safety', 'compliance', 'trend'] as const;

export interface Lot {
  /** `event` for what happened. */
  readonly keep: KeepClass;
  readonly batch: ReadingBatch;
  /** Readings it is sealed at. */
  target: number;
  firstMonoMs: number;
  /** When it is sealed at the latest; infinite while it is empty. */
  dueMonoMs: number;
  isUrgent: boolean;
}

export function newLot(keep: KeepClass): Lot {
  return {
    keep,
    batch: new ReadingBatch(),
    target: BATCH_READINGS,
    firstMonoMs: 0,
    dueMonoMs: Number.POSITIVE_INFINITY,
    isUrgent: false,
  };
}

// Coverage of events alone is no event: it is what any poll tells.
export function keepOf({ keep, batch, isUrgent }: Lot): KeepClass {
  if (keep === 'event') return batch.count > 0 ? 'event' : 'trend';
  return isUrgent ? 'life-safety' : keep;
}
