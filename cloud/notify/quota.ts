// How many messages a receiver's provider takes: at most `messages` in any `perMs`, the last
// `reserve` of them for level I alone. So whatever floods a receiver, that many level I messages
// still go at once: of a window, messages of other levels are never more than
// `messages - reserve`. Pure; times are of one clock that does not go back.
import type { Quota } from './channels/channel.ts';

/**
 * A message may be longer on its way than the one that follows it a window later, and the provider
 * counts them as they arrive: a window is so much longer here, at most.
 */
export const QUOTA_MARGIN_MS = 1_000;
const MARGIN_PART = 20;

/** What the window is taken to be. */
export function windowMs({ perMs }: Quota): number {
  return perMs + Math.min(QUOTA_MARGIN_MS, perMs / MARGIN_PART);
}

/**
 * For how long nothing more may go; 0: it may now. `usedMs`: when messages went, ascending. Never
 * is Infinity: a quota that is all reserve.
 */
export function quotaWaitMs(
  quotas: readonly Quota[],
  usedMs: readonly number[],
  nowMs: number,
  isUrgent: boolean,
): number {
  let waitMs = 0;
  for (const quota of quotas) {
    const room = quota.messages - (isUrgent ? 0 : quota.reserve);
    if (room <= 0) return Number.POSITIVE_INFINITY;
    // The one that must have left the window before another may go.
    const blocking = usedMs[usedMs.length - room];
    if (blocking !== undefined) waitMs = Math.max(waitMs, blocking + windowMs(quota) - nowMs);
  }
  return waitMs;
}

/** Messages longer ago than this count no more. */
export function keptMs(quotas: readonly Quota[]): number {
  return Math.max(0, ...quotas.map(windowMs));
}
