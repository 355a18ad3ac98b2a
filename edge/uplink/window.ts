// How much may be in flight, over all lanes and paths: never more than the credit of the last ack
// in sum; the backlog has at most half of it, live and backlog three quarters, so that an event
// always finds room. A credit of nothing lets one record through after each timeout, since only an
// answer can bring a new credit. While the cloud is silent altogether one record is enough to find
// out. The backlog has a pace besides. Pure: times come in.
import { backoffMs } from '../../core/backoff.ts';
import type { Random } from '../../core/random.ts';
import type { Lane } from './lane.ts';
import { RESEND } from './lane.ts';

/** In flight before the first ack said more. */
export const CREDIT_BYTES_START = 64 * 1024;
/** Whatever the cloud would take: a second of a 16 Mbit/s line, held in memory. */
export const CREDIT_BYTES_MAX = 2 * 1024 * 1024;
const TOKENS_START_SHARE = 0.1; // Of a second's pace, when the link comes up.

export const laneNames = ['event', 'live', 'backlog'] as const;
export type LaneName = (typeof laneNames)[number];
export type Lanes = Readonly<Record<LaneName, Lane>>;

export class Window {
  creditBytes = CREDIT_BYTES_START;
  /**
   * A lane timed out and nothing at all was closed meanwhile: one record in flight is enough to
   * find out.
   */
  isSuspect = false;
  readonly #random: Random;
  readonly #lanes: Lanes;
  readonly #backlogBytesPerSecond: number;
  #starvedUntilMonoMs = 0;
  #starvations = 0;
  #tokens = 0;
  #tokensMonoMs = 0;
  #closedMonoMs = 0;

  constructor(random: Random, lanes: Lanes, backlogBytesPerSecond: number) {
    this.#random = random;
    this.#lanes = lanes;
    this.#backlogBytesPerSecond = backlogBytesPerSecond;
  }

  get inFlightBytes(): number {
    return laneNames.reduce((sum, name) => sum + this.#lanes[name].inFlightBytes, 0);
  }

  /** The first path is up. */
  begin(nowMonoMs: number): void {
    this.#starvedUntilMonoMs = 0;
    this.#starvations = 0;
    this.#tokens = this.#backlogBytesPerSecond * TOKENS_START_SHARE;
    this.#tokensMonoMs = nowMonoMs;
    this.closed(nowMonoMs);
  }

  /** The cloud closed something, or another path is tried. */
  closed(nowMonoMs: number): void {
    this.#closedMonoMs = nowMonoMs;
    this.isSuspect = false;
  }

  timedOut(nowMonoMs: number): void {
    if (nowMonoMs - this.#closedMonoMs < RESEND.firstMs * (1 - RESEND.jitter)) return;
    this.isSuspect = true;
  }

  sent(nowMonoMs: number): void {
    if (this.creditBytes === 0) this.#starve(nowMonoMs);
  }

  takeCredit(creditBytes: number, nowMonoMs: number): void {
    this.creditBytes = Math.min(CREDIT_BYTES_MAX, creditBytes);
    if (creditBytes > 0) this.#starvations = 0;
    else if (this.#starvations === 0) this.#starve(nowMonoMs);
  }

  #starve(nowMonoMs: number): void {
    this.#starvedUntilMonoMs = nowMonoMs + backoffMs(this.#random, ++this.#starvations, RESEND);
  }

  hasRoom(name: LaneName, bytes: number, nowMonoMs: number): boolean {
    const { event, live, backlog } = this.#lanes;
    if (this.#lanes[name].isProbing && this.#lanes[name].inFlight > 0) return false;
    const inFlight = event.inFlight + live.inFlight + backlog.inFlight;
    const credit = this.creditBytes;
    if (credit === 0) return inFlight === 0 && nowMonoMs >= this.#starvedUntilMonoMs;
    // A record larger than the whole credit goes alone, or it would never go.
    if (inFlight === 0) return true;
    if (this.isSuspect) return false;
    if (this.inFlightBytes + bytes > credit) return false;
    if (name === 'event') return true;
    if (live.inFlightBytes + backlog.inFlightBytes + bytes > credit * 0.75) return false;
    return name === 'live' || backlog.inFlightBytes + bytes <= credit * 0.5;
  }

  /** Before `takePace` and `nextMonoMs`: what the pace has earned meanwhile. */
  refill(nowMonoMs: number): void {
    const rate = this.#backlogBytesPerSecond;
    const earned = ((nowMonoMs - this.#tokensMonoMs) * rate) / 1_000;
    this.#tokens = Math.min(rate, this.#tokens + earned);
    this.#tokensMonoMs = nowMonoMs;
  }

  /** False while the backlog has to keep its pace; else its bytes are taken from it. */
  takePace(bytes: number): boolean {
    // The bucket may go below nothing by one record, and has to come back above it.
    if (this.#tokens <= 0) return false;
    this.#tokens -= bytes;
    return true;
  }

  /**
   * When there may be room though nothing happened; `isWaiting` says that something waits for it.
   */
  nextMonoMs(isWaiting: boolean): number {
    let next = Number.POSITIVE_INFINITY;
    const isIdle = laneNames.every((name) => this.#lanes[name].inFlight === 0);
    if (this.creditBytes === 0 && isIdle && isWaiting) next = this.#starvedUntilMonoMs;
    if (this.#tokens <= 0 && this.#lanes.backlog.queue.length > 0) {
      const waitMs = ((1 - this.#tokens) * 1_000) / this.#backlogBytesPerSecond;
      next = Math.min(next, this.#tokensMonoMs + waitMs);
    }
    return next;
  }
}
