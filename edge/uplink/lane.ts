// One lane of the uplink: what is in flight, how much may be, and what happens when the cloud is
// silent.
// Pure: times come in.
//
// A record is in flight from being sent to being closed by an ack. When nothing of the lane was
// closed for the timeout (5 s, doubling to 5 min, with jitter), everything but the oldest goes back
// to be read again later, and the oldest is sent once more as a probe; nothing else is, until
// something is closed. A probe that is not answered either makes place for another record, so that
// one the cloud cannot take does not hold up the lane.
// Records arrive in the order of sending, those that went by the same paths. One that is still open
// when a later one was closed was lost or cannot be taken: it is sent again at once, and the second
// time put aside for a while.
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import type { Random } from '../../core/random.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Load } from './paths.ts';

export const RESEND: BackoffOptions = { firstMs: 5_000, maxMs: 300_000, jitter: 0.2 };

export interface Outgoing {
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly isEvent: boolean;
  readonly lastMonoMs: number;
  readonly bytes: Uint8Array;
  /** Of a record that was sealed just now; one from the disk is an event or of the backlog. */
  readonly load?: Load;
}

export interface Flight {
  readonly record: Outgoing;
  readonly order: number;
  readonly sentMonoMs: number;
  /** How often it was sent in this lane. */
  readonly tries: number;
  /** By which paths, the last time. */
  readonly paths: readonly number[];
}

export class Lane {
  /** In memory, to be sent next; oldest first. */
  readonly queue: Outgoing[] = [];
  queueBytes = 0;
  inFlightBytes = 0;
  isReading = false;
  readonly #random: Random;
  readonly #flights = new Map<string, Flight>();
  #order = 0;
  #silences = 0; // Timeouts since something was closed.
  #deadlineMonoMs = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  get isProbing(): boolean {
    return this.#silences > 0;
  }

  /** When `timeout` is to be called; infinite when nothing is in flight. */
  get deadlineMonoMs(): number {
    return this.#deadlineMonoMs;
  }

  push(record: Outgoing): void {
    this.queue.push(record);
    this.queueBytes += record.bytes.length;
  }

  shift(): Outgoing | undefined {
    const record = this.queue.shift();
    if (record) this.queueBytes -= record.bytes.length;
    return record;
  }

  unqueue(record: Outgoing): void {
    const at = this.queue.indexOf(record);
    if (at < 0) return;
    this.queueBytes -= record.bytes.length;
    this.queue.splice(at, 1);
  }

  sent(record: Outgoing, tries: number, nowMonoMs: number, paths: readonly number[]): void {
    const key = keyOf(record);
    if (!this.#flights.has(key)) this.inFlightBytes += record.bytes.length;
    this.#flights.delete(key); // In again at the end: the map is in the order of sending.
    const sent = { order: ++this.#order, sentMonoMs: nowMonoMs, tries, paths };
    this.#flights.set(key, { record, ...sent });
    if (this.#flights.size === 1) this.#expect(nowMonoMs);
  }

  /** In the order of sending. */
  get flights(): readonly Flight[] {
    return [...this.#flights.values()];
  }

  get flying(): readonly Outgoing[] {
    return this.flights.map(({ record }) => record);
  }

  /** Takes what `isClosed` says is closed out of flight, and gives what was overtaken by it. */
  close(isClosed: (record: Outgoing) => boolean, nowMonoMs: number): readonly Flight[] {
    const newest = new Map<string, number>();
    for (const [key, { record, order, paths }] of this.#flights) {
      if (!isClosed(record)) continue;
      newest.set(paths.join(), Math.max(order, newest.get(paths.join()) ?? 0));
      this.#flights.delete(key);
      this.inFlightBytes -= record.bytes.length;
    }
    if (newest.size === 0) return [];
    this.restart(nowMonoMs);
    return this.flights.filter(({ order, paths }) => order < (newest.get(paths.join()) ?? 0));
  }

  /**
   * What is in flight has the whole first wait before it: something was heard, or it took another
   * path.
   */
  restart(nowMonoMs: number): void {
    this.#silences = 0;
    this.#expect(nowMonoMs);
  }

  /** Takes a record out of flight for another reason than that it was closed. */
  take(record: Outgoing): void {
    if (!this.#flights.delete(keyOf(record))) return;
    this.inFlightBytes -= record.bytes.length;
    if (this.#flights.size === 0) this.#deadlineMonoMs = Number.POSITIVE_INFINITY;
  }

  /**
   * The cloud was silent for too long. What comes back is to be read again later; `probe` is to be
   * sent again now, or null when the last probe was not answered and another record is to be tried.
   */
  timeout(nowMonoMs: number): {
    readonly back: readonly Outgoing[];
    readonly probe: Flight | null;
  } {
    const wasProbing = this.isProbing;
    this.#silences++;
    const [oldest, ...others] = this.flights;
    const gone = wasProbing ? this.flights : others;
    for (const { record } of gone) this.take(record);
    this.#expect(nowMonoMs);
    const back = gone.map(({ record }) => record);
    return { back, probe: oldest && !wasProbing ? oldest : null };
  }

  /** The link is gone: everything is to be sent again. */
  reset(): readonly Outgoing[] {
    const all = [...this.flying, ...this.queue];
    this.#flights.clear();
    this.queue.length = 0;
    this.queueBytes = 0;
    this.inFlightBytes = 0;
    this.#silences = 0;
    this.#deadlineMonoMs = Number.POSITIVE_INFINITY;
    return all;
  }

  #expect(nowMonoMs: number): void {
    this.#deadlineMonoMs =
      this.#flights.size === 0
        ? Number.POSITIVE_INFINITY
        : nowMonoMs + backoffMs(this.#random, this.#silences + 1, RESEND);
  }
}

export function keyOf({ epoch, sequence }: Pick<Outgoing, 'epoch' | 'sequence'>): string {
  return `${epoch}/${sequence}`;
}
