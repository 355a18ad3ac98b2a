// A sign of life to every receiver whose channel can carry one, each few seconds: so that its
// absence is noticed there, and its refusal here.
//
// A heartbeat that is not taken is sent once more after AGAIN_MS, so that one lost packet is no
// fault. At the usual interval a receiver that stops answering is known for broken after 10 s + 3 s
// + 1 s + 3 s at worst: within 20 s. One receiver that hangs holds up only its own heartbeats.
import type { Clock } from '../../core/clock.ts';
import { assert } from '../../core/fault.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import type { Heartbeat, Notifier } from './notifier.ts';

export const BEAT_EVERY_MS = 10_000;
export const BEAT_EVERY_MS_MIN = 1_000;
/** As long a receiver may wait for one. */
export const BEAT_EVERY_MS_MAX = 20_000;
export const BEAT_TIMEOUT_MS = 3_000;
export const AGAIN_MS = 1_000;
assert(BEAT_EVERY_MS + 2 * BEAT_TIMEOUT_MS + AGAIN_MS <= 20_000, 'a receiver is known in time');

export interface HeartbeatOptions {
  /** Those that are to be told; whose channel cannot carry it is passed over. */
  readonly receivers: ReadonlyMap<string, Notifier>;
  readonly everyMs: number;
  /** What came of one: null, or why it was not taken. */
  readonly onBeat: (receiver: string, why: string | null) => void;
}

export class Heartbeats {
  readonly #clock: Clock;
  readonly #options: HeartbeatOptions;
  readonly #counters: Readonly<Record<'taken' | 'failed', Counter>>;
  #number = 0;

  constructor(clock: Clock, metrics: Metrics, options: HeartbeatOptions) {
    this.#clock = clock;
    this.#options = options;
    const help = 'Heartbeats to receivers by what became of them';
    const counter = (state: string) => metrics.counter('notify_heartbeats_total', help, { state });
    this.#counters = { taken: counter('taken'), failed: counter('failed') };
  }

  /** Works until `signal` is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const all = [...this.#options.receivers].map(([id, notifier]) =>
      this.#keep(id, notifier, signal),
    );
    await Promise.all(all);
  }

  async #keep(receiver: string, notifier: Notifier, signal: AbortSignal): Promise<void> {
    if (!notifier.beat) return;
    while (!signal.aborted) {
      const dueMonoMs = this.#clock.monoMs() + this.#options.everyMs;
      let why = await this.#beat(notifier, signal);
      if (why !== null && !signal.aborted) {
        await this.#clock.sleep(AGAIN_MS, signal);
        why = await this.#beat(notifier, signal);
      }
      if (signal.aborted) return;
      this.#counters[why === null ? 'taken' : 'failed'].add();
      this.#options.onBeat(receiver, why);
      await this.#clock.sleep(dueMonoMs - this.#clock.monoMs(), signal);
    }
  }

  async #beat(notifier: Notifier, signal: AbortSignal): Promise<string | null> {
    const guard = new AbortController();
    const cancel = this.#clock.after(BEAT_TIMEOUT_MS, () => guard.abort());
    const either = AbortSignal.any([signal, guard.signal]);
    try {
      const why = await Promise.race([notifier.beat!(this.#next(), either), aborted(either)]);
      return why !== null && guard.signal.aborted ? 'timeout' : why;
    } catch (error) {
      // A notifier's mistake must not end the heartbeats of all.
      return error instanceof Error ? `notifier broken: ${error.name}` : 'notifier broken';
    } finally {
      cancel();
    }
  }

  // Rises over restarts, too, as long as the clock is not set back.
  #next(): Heartbeat {
    const atMs = this.#clock.wallMs();
    this.#number = Math.max(this.#number + 1, Math.round(atMs));
    return { id: `heartbeat.${this.#number}`, atMs, everyMs: this.#options.everyMs };
  }
}

function aborted(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
