// What goes now: at most so many at once a receiver, so that one that hangs holds back nobody else.
import type { Entry } from './ledger.ts';
import type { Delivery } from './notifier.ts';
import { isCall } from './notifier.ts';

export const SENDS_PER_RECEIVER_MAX = 8;

export interface Open {
  entry: Entry;
  /** On the monotonic clock, as the entry's wall times. */
  nextMonoMs: number | null;
  confirmByMonoMs: number | null;
  isSending: boolean;
}

/** What is to be sent now, level 1 first; at most SENDS_PER_RECEIVER_MAX under way a receiver. */
export function dueOf(open: readonly Open[], nowMs: number): Delivery[] {
  const lanes = new Map<string, number>();
  const untold = new Set<string>();
  for (const { entry, isSending } of open) {
    const { alarm, receiver, transition, acceptedMs } = entry.delivery;
    if (isSending) lanes.set(receiver, (lanes.get(receiver) ?? 0) + 1);
    const isUntold = isCall(transition) && acceptedMs === null;
    if (isUntold) untold.add(`${alarm.occurrence} ${receiver}`);
  }
  // An occurrence is the group: what is told of it to one receiver goes one after another.
  const isEarly = ({ transition, alarm, receiver }: Delivery) =>
    !isCall(transition) && untold.has(`${alarm.occurrence} ${receiver}`);
  return open
    .filter(({ nextMonoMs, isSending }) => !isSending && nextMonoMs !== null && nextMonoMs <= nowMs)
    .map(({ entry }) => entry.delivery)
    .filter((delivery) => !isEarly(delivery))
    .sort((a, b) => a.alarm.level - b.alarm.level || a.number - b.number)
    .filter(({ receiver }) => {
      const busy = lanes.get(receiver) ?? 0;
      lanes.set(receiver, busy + 1);
      return busy < SENDS_PER_RECEIVER_MAX;
    });
}
