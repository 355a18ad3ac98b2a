// The gateway as a device of its own: a protocol like any other, whose values stand in memory. What
// its points show is collected, sealed, kept and sent like what a sensor shows, so that a test of
// the path begins where an alarm begins.
//
// - The path test rises by itself, first within FIRST_MS_MAX of the start, then never later than
//   its interval after it rose before: gateways that start together drift apart, and a gateway that
//   restarts tests sooner, not later. It rises when it is asked after its time, so that a process
//   that stood still for a while misses none, and stays up for UP_MS: some polls of PERIOD_MS.
// - A drill point shows what was commanded, and goes back by itself after DRILL_HOLD_MS. A restart
//   ends it, too: nothing is kept.
import type { Clock } from '../../core/clock.ts';
import { Fault, unreachable } from '../../core/fault.ts';
import { GOOD } from '../../core/quality.ts';
import type { Random } from '../../core/random.ts';
import type { Value } from '../../core/reading.ts';
import type {
  Answers,
  DeviceHandle,
  OwnSession,
  Plan,
  Protocol,
  Written,
} from '../../protocols/driver.ts';

export type SelfAddress =
  | { readonly kind: 'path-test' }
  | { readonly kind: 'drill'; readonly level: number };

export interface SelfPlace {
  /** Of path tests. */
  readonly everyMs: number;
}

/** At a thousand gateways that start at once, 17 tests a second. */
export const FIRST_MS_MAX = 60_000;
/** Up for some polls, and down again well before the next one. */
export const UP_MS = 5_000;
/** Of its interval a test may come sooner, by chance. */
const JITTER = 0.1;
/** Longer than a chain of people who do not answer. */
export const DRILL_HOLD_MS = 30 * 60_000;

interface SelfPlan extends Plan {
  readonly addresses: readonly SelfAddress[];
}

class SelfSession implements OwnSession<SelfAddress, null> {
  onClose: (why: Fault | null) => void = () => {};
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #everyMs: number;
  #dueMonoMs: number;
  #upUntilMonoMs = Number.NEGATIVE_INFINITY;
  /** By level. */
  readonly #drills = new Map<number, number>();

  constructor(clock: Clock, random: Random, { everyMs }: SelfPlace) {
    this.#clock = clock;
    this.#random = random;
    this.#everyMs = everyMs;
    const firstMs = Math.min(everyMs, FIRST_MS_MAX);
    this.#dueMonoMs = clock.monoMs() + random.next() * firstMs;
  }

  device(): DeviceHandle<SelfAddress> {
    return {
      plan: (addresses): SelfPlan => {
        return { points: addresses.length, requests: 1, lineMs: 0, addresses };
      },
      poll: (plan) => Promise.resolve(this.#poll(plan as SelfPlan)),
      write: (address, value, _signal, mayGo) => {
        return Promise.resolve(this.#write(address, value, mayGo));
      },
    };
  }

  close(): void {
    this.onClose(null);
  }

  #poll({ addresses }: SelfPlan): Answers {
    const now = this.#clock.monoMs();
    return {
      values: addresses.map((address) => this.#valueOf(address, now)),
      qualities: addresses.map(() => GOOD),
      atMonoMs: addresses.map(() => now),
      ...{ requests: 1, failures: 0, fault: null, lineMs: 0 },
    };
  }

  #valueOf(address: SelfAddress, nowMonoMs: number): boolean {
    if (address.kind === 'drill') {
      return nowMonoMs < (this.#drills.get(address.level) ?? Number.NEGATIVE_INFINITY);
    }
    if (nowMonoMs >= this.#dueMonoMs) {
      this.#upUntilMonoMs = nowMonoMs + UP_MS;
      const share = 1 - JITTER * this.#random.next();
      this.#dueMonoMs = nowMonoMs + this.#everyMs * share;
    }
    return nowMonoMs < this.#upUntilMonoMs;
  }

  #write(address: SelfAddress, value: Value, mayGo: () => boolean = () => true): Written {
    if (address.kind !== 'drill') return unreachable('a path test is not commanded' as never);
    if (!mayGo()) {
      return { fault: new Fault('no_connection', 'later', 'self'), lineMs: 0, sure: 'unsent' };
    }
    if (value === true) this.#drills.set(address.level, this.#clock.monoMs() + DRILL_HOLD_MS);
    else this.#drills.delete(address.level);
    return { fault: null, lineMs: 0 };
  }
}

/** In no registry: no profile and no gateway file speaks it. */
export const self: Protocol<SelfAddress, null, null> = {
  name: 'self',
  parseAddress: () => undefined,
  parseDevice: () => null,
  parseLine: () => null,
  open: () => unreachable('it connects by itself' as never),
  connect: (clock, random, place) => {
    return Promise.resolve(new SelfSession(clock, random, place as SelfPlace));
  },
};
