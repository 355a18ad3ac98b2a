// Whether the path to the cloud is whole, as the gateway sees it: what its side notices of a broker
// that is gone, a cloud that is away, and one that stands still.
//
// The cloud acknowledges within a second or two, and something is sent each 10 s at the latest:
// nothing acknowledged for ACK_WITHIN_MS although something was sent, and the path is broken within
// 20 s of its last sign of life. A connection that is half open is ended by its keep-alive after
// 15 s. A start has GRACE_MS to get there.
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { UplinkCounts } from './uplink/uplink.ts';

export const LOOK_MS = 1_000;
export const ACK_WITHIN_MS = 9_000;
export const GRACE_MS = 20_000;

export type PathWhy = 'no_broker' | 'cloud_away' | 'not_acknowledged';

export interface PathReport {
  /** `starting`: it was not whole yet, and has not had its time. */
  readonly state: 'starting' | 'ok' | 'broken';
  /** Null unless it is broken. */
  readonly why: PathWhy | null;
  /** How long it has been so. */
  readonly forMs: number;
}

type Counts = Pick<UplinkCounts, 'isUp' | 'inFlightBytes' | 'ackedMonoMs'> & {
  readonly paths: readonly Pick<UplinkCounts['paths'][0], 'isConnected'>[];
};

export class PathWatch {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #counts: () => Counts;
  #state: PathReport['state'] = 'starting';
  #why: PathWhy | null = null;
  #sinceMonoMs: number;
  /** Since when something is under way that nobody acknowledged; null: nothing is. */
  #owedMonoMs: number | null = null;
  #ackedMonoMs: number | null = null;
  #cancelTimer = () => {};

  constructor(clock: Clock, log: Log, counts: () => Counts) {
    this.#clock = clock;
    this.#log = log;
    this.#counts = counts;
    this.#sinceMonoMs = clock.monoMs();
  }

  get report(): PathReport {
    const forMs = Math.round(this.#clock.monoMs() - this.#sinceMonoMs);
    return { state: this.#state, why: this.#why, forMs };
  }

  start(): void {
    this.#cancelTimer = this.#clock.after(LOOK_MS, () => {
      this.look();
      this.start();
    });
  }

  stop(): void {
    this.#cancelTimer();
  }

  /** Once a second. */
  look(): void {
    const nowMonoMs = this.#clock.monoMs();
    const why = this.#wrong(nowMonoMs);
    if (why === null) this.#turn('ok', null);
    else if (this.#state !== 'starting' || nowMonoMs - this.#sinceMonoMs >= GRACE_MS) {
      this.#turn('broken', why);
    }
  }

  #wrong(nowMonoMs: number): PathWhy | null {
    const { isUp, inFlightBytes, ackedMonoMs, paths } = this.#counts();
    if (inFlightBytes === 0 || !isUp) this.#owedMonoMs = null;
    else if (ackedMonoMs !== this.#ackedMonoMs) this.#owedMonoMs = nowMonoMs;
    else this.#owedMonoMs ??= nowMonoMs;
    this.#ackedMonoMs = ackedMonoMs;
    if (!isUp) return paths.some((path) => path.isConnected) ? 'cloud_away' : 'no_broker';
    const isOwed = this.#owedMonoMs !== null && nowMonoMs - this.#owedMonoMs >= ACK_WITHIN_MS;
    // Connected is not whole: it is broken on until the cloud says that it has something.
    const wasSilent = this.#why === 'not_acknowledged' && this.#owedMonoMs !== null;
    const isAnswered = ackedMonoMs !== null && ackedMonoMs >= this.#sinceMonoMs;
    return isOwed || (wasSilent && !isAnswered) ? 'not_acknowledged' : null;
  }

  #turn(state: 'ok' | 'broken', why: PathWhy | null): void {
    if (state === this.#state && why === this.#why) return;
    const isTurn = state !== this.#state;
    this.#state = state;
    this.#why = why;
    if (!isTurn) return; // Another reason for the same: the status page says which.
    this.#sinceMonoMs = this.#clock.monoMs();
    if (state === 'ok') this.#log.info('path_ok', {});
    else this.#log.warn('path_broken', { why });
  }
}
