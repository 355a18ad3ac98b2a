// Whether the cloud can be reached by what this gateway sees of it.

/**
 * After a start: no path to the cloud is up yet, and values of no point are known. Nothing is taken
 * for away, and nothing is released, before.
 */
export const START_WAIT_MS = 10_000;
/** Acks follow each record within a second; every gateway seals one in ten seconds. */
export const UNACKED_AWAY_MS = 20_000;

/** What is known of the way to the cloud. */
export interface CloudWay {
  /** A path is up, and nobody says there that the cloud is away. */
  readonly isUp: boolean;
  /** Records the cloud has not acknowledged. */
  readonly openRecords: number;
  readonly ackedMonoMs: number | null;
}

/** `upMonoMs`: when a path last came up. */
export function isCloudAway(
  { isUp, openRecords, ackedMonoMs }: CloudWay,
  since: { readonly startedMonoMs: number; readonly upMonoMs: number },
  nowMonoMs: number,
): boolean {
  if (nowMonoMs < since.startedMonoMs + START_WAIT_MS) return false;
  if (!isUp) return true;
  const heardMonoMs = Math.max(ackedMonoMs ?? since.startedMonoMs, since.upMonoMs);
  return openRecords > 0 && nowMonoMs - heardMonoMs >= UNACKED_AWAY_MS;
}
