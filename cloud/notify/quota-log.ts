// Says once when something waits for a receiver's quota, and once when nothing does any more.
import type { Log } from '../../core/log.ts';

export class QuotaLog {
  readonly #log: Log;
  #blocked: ReadonlySet<string> = new Set();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Receivers whose quota is used up, and until when. */
  tell(blocked: ReadonlyMap<string, number>, nowMs: number): void {
    for (const [receiver, untilMs] of blocked) {
      if (this.#blocked.has(receiver)) continue;
      const ms = Math.round(untilMs - nowMs);
      this.#log.warn('notify_waits', { receiver, why: 'quota', ms });
    }
    for (const receiver of this.#blocked) {
      if (!blocked.has(receiver)) this.#log.info('notify_goes_on', { receiver });
    }
    this.#blocked = new Set(blocked.keys());
  }
}
