// A line in the log: for a bench, and beside a channel that reaches people. A log confirms nothing.
import type { Log } from '../../core/log.ts';
import type { Notifier } from './notifier.ts';

export function logNotifier(log: Log): Notifier {
  return {
    async send({ id, transition, alarm }, signal) {
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
