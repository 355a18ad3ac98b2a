// Sends what was issued, again and again until its outcome came: at once, when its gateway
// connects, and with back-off while it stays connected. A broker loses what nobody takes, so
// nothing else brings a command down or its reply up; and the edge acts once on an id however often
// it hears it. To a gateway that is not there nothing is sent. Nothing here is on disk: after a
// start everything that is open is due.
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Commanded } from './command.ts';

/** A reply takes as long as the device and its queue; half a minute is a slow serial line. */
const REPEAT = { firstMs: 2_000, maxMs: 60_000, jitter: 0.3 } as const;

export interface SendingOptions {
  readonly isOnline: (gateway: string) => boolean;
  readonly publish: (command: Commanded) => void;
}

export class Sending {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: SendingOptions;
  /** By id of the command; one entry for each that is open. */
  #sent = new Map<string, { readonly attempt: number; readonly againMs: number }>();

  constructor(clock: Clock, random: Random, options: SendingOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  /** Sends what is due of all that is open; what is not there any more is forgotten. */
  turn(open: readonly Commanded[]): void {
    if (open.length === 0 && this.#sent.size === 0) return;
    const nowMs = this.#clock.monoMs();
    const before = this.#sent;
    this.#sent = new Map();
    for (const command of open) {
      const { id, gateway } = command;
      const sent = before.get(id);
      const isDue = !sent || sent.againMs <= nowMs;
      if (isDue && this.#options.isOnline(gateway)) {
        const attempt = (sent?.attempt ?? 0) + 1;
        const againMs = nowMs + backoffMs(this.#random, attempt, REPEAT);
        this.#sent.set(id, { attempt, againMs });
        this.#options.publish(command);
      } else if (sent) this.#sent.set(id, sent);
    }
  }

  /** A gateway has connected, or the broker: what is open for it is due now. */
  connected(isOf: (id: string) => boolean = () => true): void {
    for (const id of [...this.#sent.keys()]) if (isOf(id)) this.#sent.delete(id);
  }
}
