// A line in the log: for a bench, and beside a channel that reaches people. A log confirms nothing.
import { z } from 'zod';
import type { Log } from '../../../core/log.ts';
import type { Notifier } from '../notifier.ts';
import { channelKind, receiverCommon } from './channel.ts';

export const logKind = channelKind({
  form: z.strictObject({ ...receiverCommon, kind: z.literal('log') }),
  open: ({ log }) => logNotifier(log),
});

export function logNotifier(log: Log): Notifier {
  return {
    async send({ deliveries: [{ id, transition, alarm }] }, signal) {
      if (signal.aborted) return { kind: 'retry', why: 'aborted', afterMs: null };
      log.warn(`alarm_${transition}`, {
        id,
        level: alarm.level,
        point: alarm.key,
        title: alarm.title.en,
        value: alarm.value,
        limit: alarm.limit,
      });
      return { kind: 'sent', confirmedBy: null };
    },
  };
}
