// The gateway's wall clock against its monotonic one: what label a record gets, how far the label
// may be believed, and when the wall clock was moved.
//
// Order and age go by the monotonic clock only, so nothing here can lose or reorder a reading; a
// wrong wall clock gives wrong labels, and each step is told so that labels can be set right.
import type { Clock } from '../core/clock.ts';
import type { ClockStamp, ClockState, ClockStep } from '../protocols/uplink/record.ts';

/** A jump of more than this against the monotonic clock, between two looks, is a step. */
export const CLOCK_STEP_MS = 1_000;
/** systemd-timesyncd asks at least every 34 minutes, chronyd writes its drift file every hour. */
export const SYNC_AGE_MAX_MS = 3 * 3_600_000;
/** Bound just after a synchronisation over the internet (RFC 5905 clocks do 1-50 ms there). */
export const SYNC_ERROR_MS = 100;
/** What a quartz without temperature control may be off: 200 ppm is 17 s a day. */
export const DRIFT = 200e-6;
const LOOK_INTERVAL_MS = 10_000; // At the files that tell of synchronisation.

/** Wall time of the last synchronisation, null when none is known of. */
export type SyncSource = () => number | null;

export class ClockWatch {
  readonly #clock: Clock;
  readonly #openedMonoMs: number;
  readonly #lastSync: SyncSource;
  #offsetMs: number;
  #state: ClockState;
  #errorMs = 0;
  #lookedMonoMs: number;
  #syncedMonoMs: number | null = null;

  /** `openedMonoMs`: Clock.monoMs() at which the times of the epoch begin. */
  constructor(clock: Clock, openedMonoMs: number, lastSync: SyncSource) {
    this.#clock = clock;
    this.#openedMonoMs = openedMonoMs;
    this.#lastSync = lastSync;
    this.#offsetMs = this.#offset();
    this.#state = 'unknown';
    this.#lookedMonoMs = clock.monoMs();
    this.#look();
  }

  /** As of the last `check`. */
  get stamp(): ClockStamp {
    return { wallOffsetMs: this.#offsetMs, state: this.#state, errorMs: this.#errorMs };
  }

  /**
   * Looks at the clocks. What comes back was a step of the wall clock, or a change of its state;
   * records of what was measured before it should have been sealed under the stamp before it.
   */
  check(): ClockStep | null {
    const nowMs = this.#clock.monoMs();
    const offsetMs = this.#offset();
    const isStep = Math.abs(offsetMs - this.#offsetMs) > CLOCK_STEP_MS;
    const stateBefore = this.#state;
    const fromOffsetMs = this.#offsetMs;
    this.#offsetMs = offsetMs;
    if (isStep || nowMs - this.#lookedMonoMs >= LOOK_INTERVAL_MS) {
      this.#lookedMonoMs = nowMs;
      this.#look();
    }
    if (!isStep && this.#state === stateBefore) return null;
    const monoMs = Math.round(nowMs - this.#openedMonoMs);
    return { monoMs, fromOffsetMs, toOffsetMs: offsetMs, state: this.#state };
  }

  /** Whether `check` would find a step: then what is pending is to be sealed before. */
  get isStepAhead(): boolean {
    return Math.abs(this.#offset() - this.#offsetMs) > CLOCK_STEP_MS;
  }

  #offset(): number {
    return Math.round(this.#clock.wallMs() - (this.#clock.monoMs() - this.#openedMonoMs));
  }

  #look(): void {
    const syncMs = this.#lastSync();
    const nowMs = this.#clock.monoMs();
    // A file from the future was written before the clock was set back: it tells of a sync all the
    // same.
    const ageMs = syncMs === null ? null : Math.max(0, this.#clock.wallMs() - syncMs);
    if (ageMs !== null && ageMs <= SYNC_AGE_MAX_MS) {
      this.#syncedMonoMs = nowMs - ageMs;
      this.#state = 'synchronised';
      this.#errorMs = SYNC_ERROR_MS + ageMs * DRIFT;
      return;
    }
    if (this.#syncedMonoMs === null && ageMs === null) {
      this.#state = 'unknown';
      this.#errorMs = 0;
      return;
    }
    const heldMs = this.#syncedMonoMs === null ? (ageMs ?? 0) : nowMs - this.#syncedMonoMs;
    this.#state = 'holdover';
    this.#errorMs = SYNC_ERROR_MS + heldMs * DRIFT;
  }
}
