// The people at the end: receivers of several moods, what they were told, and how they answer. They
// outlive the cloud. What they do draws nothing from the random numbers of the rest of the world.
import type { Word } from '../../cloud/notify/answers.ts';
import type { Delivery, Notifier, Outcome } from '../../cloud/notify/notifier.ts';
import { occurrenceOf } from '../../cloud/notify/notifier.ts';
import { pickInteger, type Random, seededRandom } from '../../core/random.ts';
import type { CloudNode } from './cloud-node.ts';
import { DIGEST_MAX, MACHINES, RECEIVERS } from './duty.ts';
import type { Life, Timeline } from './timeline.ts';
import type { Page, Witness } from './witness.ts';

/**
 * `well`: a machine confirms, a person answers soon. `away`: refuses; `deaf`: takes it and nobody
 * says so; `hung`: does not answer; `garbage`: shows it, and its answer means nothing; `busy`: was
 * asked too often; `late`: says so some time after; `opens`: looks at it and says nothing;
 * `declines`: is not the one; `at the desk`: takes it, and somebody acknowledges the alarm.
 */
export const receiverMoods = [
  'well',
  'away',
  'deaf',
  'hung',
  'garbage',
  'busy',
  'late',
  'opens',
  'declines',
  'at the desk',
] as const;
export type ReceiverMood = (typeof receiverMoods)[number];

const PEOPLE_SEED = 15_485_863;
const ANSWER_MS = 40;
const BUSY_MS = 10_000;
/** Of somebody who looks at it at once, and sooner or later than anybody waits for it. */
const SOON_MS = [1_000, 9_000] as const;
const LATE_MS = [2_000, 40_000] as const;
/** Whoever hears no answer asks again. */
const AGAIN_MS = 2_000;

export class People {
  readonly moods = new Map<string, ReceiverMood>();
  readonly #timeline: Timeline;
  readonly #witness: Witness;
  readonly #random: Random;
  #cloud: CloudNode | null = null;
  #waiting = 0;

  constructor(timeline: Timeline, witness: Witness, seed: number) {
    this.#timeline = timeline;
    this.#witness = witness;
    this.#random = seededRandom(seed + PEOPLE_SEED);
  }

  /** Whom they call back. */
  meet(cloud: CloudNode): void {
    this.#cloud = cloud;
  }

  /** Nobody is about to say anything. */
  get isCalm(): boolean {
    return this.#waiting === 0;
  }

  /** The notifiers of one process of the cloud. */
  notifiers(life: Life): ReadonlyMap<string, Notifier> {
    return new Map(RECEIVERS.map((receiver) => [receiver, this.#notifier(receiver, life)]));
  }

  #notifier(receiver: string, life: Life): Notifier {
    const digestMax = DIGEST_MAX.get(receiver);
    return {
      ...(digestMax !== undefined && { digestMax }),
      send: ({ deliveries }, signal) => {
        if (!life.survives('cloud before delivery')) return new Promise(() => {});
        const mood = this.moods.get(receiver) ?? 'well';
        const levels = deliveries.map(({ alarm }) => alarm.level);
        this.#witness.messages.push({
          ...{ receiver, atMs: this.#timeline.nowMs, level: Math.min(...levels) },
        });
        const [answer] = deliveries.map((delivery) => this.#told(delivery, mood));
        if (!life.survives('cloud after delivery')) return new Promise(() => {});
        return new Promise<Outcome>((resolve) => {
          if (answer) this.#timeline.after(ANSWER_MS, () => life.run(() => resolve(answer)));
          const cut = { kind: 'retry', why: 'timeout', afterMs: null } as const;
          signal.addEventListener('abort', () => resolve(cut), { once: true });
        });
      },
    };
  }

  /** What somebody hears of it, and what is answered; null: nothing. */
  #told(delivery: Delivery, mood: ReceiverMood): Outcome | null {
    const retry = { kind: 'retry', afterMs: null } as const;
    if (mood === 'away') return { ...retry, why: 'http 503' };
    if (mood === 'busy') return { ...retry, why: 'busy', afterMs: BUSY_MS, isReceiverBusy: true };
    const page = this.#page(delivery);
    switch (mood) {
      case 'hung':
        return null;
      case 'garbage':
        return { ...retry, why: 'not understood' };
      case 'deaf':
        return { kind: 'sent', confirmedBy: null };
      case 'late':
        this.#later(LATE_MS, () => this.#answer(delivery, page, this.#word()));
        return { kind: 'sent', confirmedBy: null };
      case 'opens':
      case 'declines': {
        const word = mood === 'opens' ? 'opened' : 'not_mine';
        this.#later(SOON_MS, () => this.#answer(delivery, page, word));
        return { kind: 'sent', confirmedBy: null };
      }
      case 'at the desk':
        this.#later(LATE_MS, () => this.#acknowledge(delivery));
        return { kind: 'sent', confirmedBy: null };
      case 'well':
        if (!MACHINES.some((machine) => machine === delivery.receiver)) {
          this.#later(SOON_MS, () => this.#answer(delivery, page, this.#word()));
          return { kind: 'sent', confirmedBy: null };
        }
        page.confirmedMs ??= this.#timeline.nowMs;
        return { kind: 'sent', confirmedBy: delivery.receiver };
      default:
        return mood satisfies never;
    }
  }

  #page({ id, receiver }: Delivery): Page {
    const { nowMs } = this.#timeline;
    const key = `${id} ${receiver}`;
    const page = this.#witness.pages.get(key) ?? {
      ...{ id, receiver, firstMs: nowMs, count: 0, confirmedMs: null },
    };
    page.count++;
    this.#witness.pages.set(key, page);
    return page;
  }

  /** After a while, and again until somebody answers. */
  #later([minMs, maxMs]: readonly [number, number], ask: () => boolean): void {
    this.#waiting++;
    const again = () => {
      if (ask()) this.#waiting--;
      else this.#timeline.after(AGAIN_MS, again);
    };
    this.#timeline.after(pickInteger(this.#random, minMs, maxMs), again);
  }

  #word(): Word {
    return this.#random.next() < 0.3 ? 'on_my_way' : 'confirmed';
  }

  #answer(delivery: Delivery, page: Page, word: Word | 'opened'): boolean {
    const { id, receiver } = delivery;
    if (word === 'confirmed' || word === 'on_my_way') page.confirmedMs ??= this.#timeline.nowMs;
    const heard = this.#cloud?.call((parts) => parts.answer(delivery, word));
    if (heard) this.#witness.say(receiver, `answers ${id.slice(0, 8)} ${word}: ${heard}`);
    return heard !== null;
  }

  #acknowledge({ id, receiver }: Delivery): boolean {
    const occurrence = occurrenceOf(id);
    const word = this.#cloud?.call((parts) => parts.acknowledge(occurrence, receiver));
    if (word) this.#witness.say(receiver, `acknowledges ${id.slice(0, 8)}: ${word}`);
    return word !== null;
  }
}
