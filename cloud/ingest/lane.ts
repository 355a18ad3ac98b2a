// The receiver checks the lane: what calls itself live, or tells of events, and is old is backfill.
// With it, by the same clocks, whether an epoch lives on that should be over.
import type { Clock } from '../../core/clock.ts';
import type { Lane } from '../../core/reading.ts';
import type { Envelope, Epoch } from '../../protocols/uplink/record.ts';
import { ArrivalClock, LIVE_AGE_MAX_MS, TwinWatch } from './arrival.ts';

/** Epochs, and gateways, whose clocks are in memory; beyond it they begin anew. */
const REMEMBERED_MAX = 20_000;

export interface LaneFinding {
  readonly lane: Lane;
  /** The epoch goes on after the gateway opened another: two gateways under one name. */
  readonly isTwin: boolean;
}

export class LaneCheck {
  readonly #clock: Clock;
  readonly #keptOffsetMs: (gateway: string, epoch: Epoch) => number | null;
  readonly #arrivals = new Map<string, ArrivalClock>();
  readonly #twins = new Map<string, TwinWatch>();

  /** `keptOffsetMs`: what `offsetMs` gave before the last start, null when there is none. */
  constructor(clock: Clock, keptOffsetMs: (gateway: string, epoch: Epoch) => number | null) {
    this.#clock = clock;
    this.#keptOffsetMs = keptOffsetMs;
  }

  /**
   * `sentAs`: the lane by the topic. `hasTimes` is false for a record without readings and
   * coverage.
   */
  check(gateway: string, sentAs: Lane, envelope: Envelope, hasTimes: boolean): LaneFinding {
    const { lane, epoch, lastMonoMs } = envelope;
    if (lane === 'event' && !hasTimes) return { lane, isTwin: false };
    const isLive = sentAs === 'live' && lane === 'live';
    if (!hasTimes) return { lane: isLive ? 'live' : 'backfill', isTwin: false };
    const nowMs = this.#clock.monoMs();
    const ageMs = this.#arrival(gateway, epoch).ageMs(lastMonoMs, nowMs, isLive ? 'live' : 'other');
    // What happened long ago is history as well, however it was sent.
    if (ageMs > LIVE_AGE_MAX_MS) return { lane: 'backfill', isTwin: false };
    if (lane === 'event') return { lane, isTwin: false };
    if (!isLive) return { lane: 'backfill', isTwin: false };
    const offsetOf = (other: Epoch) => this.#arrival(gateway, other).offsetMs;
    return { lane: 'live', isTwin: this.#twin(gateway).isTwin(epoch, lastMonoMs, nowMs, offsetOf) };
  }

  /**
   * Distance of an epoch's clock from ours, to be kept across starts: therefore as wall time. Where
   * the wall clock is set meanwhile, ArrivalClock finds out.
   */
  offsetMs(gateway: string, epoch: Epoch): number | null {
    const offsetMs = this.#arrivals.get(`${gateway}/${epoch}`)?.offsetMs ?? null;
    return offsetMs === null ? null : offsetMs + this.#clock.wallMs() - this.#clock.monoMs();
  }

  #arrival(gateway: string, epoch: Epoch): ArrivalClock {
    const key = `${gateway}/${epoch}`;
    let arrival = this.#arrivals.get(key);
    if (!arrival) {
      if (this.#arrivals.size >= REMEMBERED_MAX) this.#arrivals.clear();
      const kept = this.#keptOffsetMs(gateway, epoch);
      const nowMs = this.#clock.monoMs();
      arrival = new ArrivalClock(kept === null ? null : kept - this.#clock.wallMs() + nowMs, nowMs);
      this.#arrivals.set(key, arrival);
    }
    return arrival;
  }

  #twin(gateway: string): TwinWatch {
    let twin = this.#twins.get(gateway);
    if (!twin) {
      if (this.#twins.size >= REMEMBERED_MAX) this.#twins.clear();
      twin = new TwinWatch();
      this.#twins.set(gateway, twin);
    }
    return twin;
  }
}
