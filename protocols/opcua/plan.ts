// The points that are polled together, and what a poll makes of what has come for them.
//
// What became true before the session was opened, but after the session before it had heard
// nothing more, is not a reading of a poll: those polls have been answered as bad. It fills that
// time, marked as history.
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, isBad, qualityCode } from '../../core/quality.ts';
import type { Origin, Value } from '../../core/reading.ts';
import type { Plan, Sample } from '../driver.ts';
import type { Item } from './items.ts';
import { Inbox } from './items.ts';

const HISTORY = qualityCode('good', 'history');
const HISTORY_UNCERTAIN = qualityCode('uncertain', 'history');

/** Of a reading that was not there when it was due; null for one that is no value. */
export function filledQuality(quality: QualityCode): QualityCode | null {
  if (isBad(quality)) return null;
  return quality === GOOD ? HISTORY : HISTORY_UNCERTAIN;
}

/** Of one poll; the rest with the next ones. A record holds 500 readings. */
export const FILLED_PER_POLL_MAX = 5_000;
/** Twice at one time, from two sources of the same memory, is once. */
const FILL_TIMES_MAX = 100_000;

export class OpcuaPlan implements Plan {
  readonly items: readonly Item[];
  readonly inbox: Inbox;
  readonly lineMs = 0;
  /** It claimed its items: what comes for them is handed out by its polls, by no other's. */
  readonly isOwner: boolean;
  readonly values: Value[] = [];
  readonly qualities: QualityCode[] = [];
  readonly atMonoMs: number[] = [];
  readonly origins: (Origin | null)[] = [];
  #poll = 0;
  #fill: Sample[] = [];
  #fillTimes = new Set<string>();

  constructor(items: readonly Item[], before?: OpcuaPlan) {
    this.items = items;
    const isSame = before?.items.length === items.length;
    this.isOwner = isSame ? before.isOwner : items.every(({ inbox }) => inbox === null);
    this.inbox = isSame ? before.inbox : new Inbox();
    if (isSame) {
      this.#fill = before.#fill;
      this.#poll = before.#poll;
    } else if (this.isOwner) {
      items.forEach((item, at) => {
        item.inbox = this.inbox;
        item.at = at;
      });
    }
  }

  get points(): number {
    return this.items.length;
  }

  /** What the subscription brings is one, and each value that is read is part of another. */
  get requests(): number {
    return this.items.length > 0 ? 1 : 0;
  }

  /** Fills of the time before the session, as they come; each time of a point once. */
  fill(sample: Sample): void {
    const key = `${sample.at} ${sample.origin?.sourceMs ?? sample.atMonoMs}`;
    if (this.#fillTimes.has(key) || this.#fillTimes.size >= FILL_TIMES_MAX) return;
    this.#fillTimes.add(key);
    this.#fill.push(sample);
  }

  takeFilled(): Sample[] {
    return this.#fill.splice(0, FILLED_PER_POLL_MAX);
  }

  /** A new time without data begins. */
  forgetFilled(): void {
    this.#fillTimes.clear();
  }

  /** Hands out what has come: what came before the newest of an item is returned. */
  drain(openMonoMs: number): Sample[] {
    const { fresh, earlier } = this.inbox.take();
    const poll = ++this.#poll;
    const more = this.#since(openMonoMs, earlier);
    for (const item of fresh) {
      if (item.atMonoMs >= openMonoMs) item.freshIn = poll;
      else {
        const { at, value, quality, atMonoMs, origin } = item;
        this.#fillWith({ at, value, quality, atMonoMs, origin });
      }
    }
    return more;
  }

  /** What events have told; what happened before the session was opened fills that time. */
  takeTold(openMonoMs: number): Sample[] {
    const { told } = this.inbox;
    if (told.length === 0) return told;
    this.inbox.told = [];
    return this.#since(openMonoMs, told);
  }

  #since(openMonoMs: number, samples: Sample[]): Sample[] {
    if (samples.every(({ atMonoMs }) => atMonoMs >= openMonoMs)) return samples;
    return samples.filter((sample) => {
      if (sample.atMonoMs >= openMonoMs) return true;
      this.#fillWith(sample);
      return false;
    });
  }

  #fillWith(sample: Sample): void {
    const quality = filledQuality(sample.quality);
    if (quality !== null) this.fill({ ...sample, quality });
  }

  /** Puts the newest of each item into the lists; what did not change is true until `proven`. */
  show(provenMonoMs: number, nowMonoMs: number): void {
    const { items, values, qualities, atMonoMs, origins } = this;
    for (let at = 0; at < items.length; at++) {
      const item = items[at]!;
      const isKnown = item.way === 'monitored' || item.way === 'told';
      const sinceMs = isKnown && item.origin ? provenMonoMs : nowMonoMs;
      values[at] = item.value;
      qualities[at] = item.quality;
      origins[at] = item.origin;
      atMonoMs[at] =
        item.way === 'read' || item.freshIn === this.#poll
          ? item.atMonoMs
          : Math.max(item.atMonoMs, sinceMs);
    }
  }
}
