// Two ways to the same devices: the first is used whenever it is well, the backup while it is not.
//
// A way fails when it cannot be connected, and also when a connection ends without an answer in the
// last of it: a converter that accepts and is cut off from its bus is no way. While the backup is
// in use the first is tried by connecting, and when it could be connected for WELL_MS the backup's
// link is ended, to be opened over the first. If that brings no answer the wait doubles up to
// WELL_MS_MAX: devices that are all down would be asked over either, in turns that grow rarer.
import type { Clock } from '../../core/clock.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Link, Pace } from '../../protocols/driver.ts';
import { linkOver, openSocket } from './tcp.ts';

export interface Way {
  readonly host: string;
  readonly port: number;
}

export interface TwoWaysOptions {
  readonly first: Way;
  readonly backup: Way;
  readonly connectTimeoutMs: number;
  readonly pace: Pace | null;
}

/** Between attempts to connect the first way while the backup carries. */
export const PROBE_MS = 20_000;
/** A converter that restarts comes and goes for half a minute. */
export const WELL_MS = 60_000;
const WELL_MS_MAX = 60 * 60_000;
/** A link whose last answer is younger than this was carrying when it ended. */
const CARRIED_MS = 10_000;

export class TwoWays {
  readonly #clock: Clock;
  readonly #options: TwoWaysOptions;
  /** The first way failed and has not been well for long enough since. */
  #isAvoided = false;
  #wellMs = WELL_MS;
  #inUse: 'first' | 'backup' | null = null;

  constructor(clock: Clock, options: TwoWaysOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Null while neither is connected. */
  get inUse(): 'first' | 'backup' | null {
    return this.#inUse;
  }

  /** Over the first way that can be connected; rejects with the fault of the one tried first. */
  async open(signal: AbortSignal): Promise<Link> {
    const order = this.#isAvoided ? (['backup', 'first'] as const) : (['first', 'backup'] as const);
    try {
      return await this.#open(order[0], signal);
    } catch (error) {
      if (!isFault(error) || signal.aborted) throw error;
      if (order[0] === 'first') this.#isAvoided = true;
      return await this.#open(order[1], signal).catch((second: unknown) => {
        throw isFault(second) ? error : second;
      });
    }
  }

  async #open(way: 'first' | 'backup', signal: AbortSignal): Promise<Link> {
    const { [way]: place, connectTimeoutMs, pace } = this.#options;
    const name = nameOf(place);
    const socket = await openSocket(this.#clock, place, name, connectTimeoutMs, signal);
    const connection = linkOver(socket, name, pace);
    this.#inUse = way;
    const openedMs = this.#clock.monoMs();
    let answeredMs = Number.NEGATIVE_INFINITY;
    const stop = new AbortController();
    const link: Link = {
      ...(pace ? { pace } : {}),
      send: (bytes) => connection.send(bytes),
      onBytes: () => {},
      onClose: () => {},
      close: () => connection.close(),
    };
    connection.onBytes = (bytes) => {
      answeredMs = this.#clock.monoMs();
      link.onBytes(bytes);
    };
    connection.onClose = (why) => {
      stop.abort();
      this.#inUse = null;
      const hasCarried = this.#clock.monoMs() - answeredMs < CARRIED_MS;
      if (way === 'first') this.#firstEnded(hasCarried, answeredMs - openedMs);
      link.onClose(why);
    };
    if (way === 'backup') {
      const end = (why: Fault) => connection.end(why);
      void this.#returnWhenWell(end, stop.signal);
    } else this.#isAvoided = false;
    return link;
  }

  #firstEnded(hasCarried: boolean, carriedMs: number): void {
    if (carriedMs > WELL_MS) this.#wellMs = WELL_MS;
    if (hasCarried) return;
    this.#isAvoided = true;
    if (carriedMs < 0) this.#wellMs = Math.min(WELL_MS_MAX, 2 * this.#wellMs);
  }

  /** Ends the backup's link once the first way could be connected for long enough. */
  async #returnWhenWell(end: (why: Fault) => void, signal: AbortSignal): Promise<void> {
    const { first } = this.#options;
    let wellSinceMs: number | null = null;
    while (!signal.aborted) {
      await this.#clock.sleep(PROBE_MS, signal);
      if (signal.aborted) return;
      const isWell = await this.#canConnect(signal);
      const nowMs = this.#clock.monoMs();
      wellSinceMs = isWell ? (wellSinceMs ?? nowMs) : null;
      if (signal.aborted || wellSinceMs === null || nowMs - wellSinceMs < this.#wellMs) continue;
      this.#isAvoided = false;
      const detail = bilingual('link-first-well', { name: nameOf(first) });
      end(new Fault('link_first_again', 'now', detail));
    }
  }

  async #canConnect(signal: AbortSignal): Promise<boolean> {
    const { first, connectTimeoutMs } = this.#options;
    try {
      const name = nameOf(first);
      (await openSocket(this.#clock, first, name, connectTimeoutMs, signal)).destroy();
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
  }
}

function nameOf({ host, port }: Way): string {
  return `${host}:${port}`;
}
