// The people at the end: two receivers that may be away, deaf or slow to confirm, and what they were
// told. They outlive the cloud, as the newest readings the alarms were given do.
import type { Alarm } from '../../cloud/alarms/alarm.ts';
import type { DecodedRecord, SeriesEntry } from '../../cloud/inbox/decoded.ts';
import type { Delivery, Notifier, Outcome } from '../../cloud/notify/notifier.ts';
import { isBad } from '../../core/quality.ts';
import type { PlantPoint } from './plant.ts';
import { pointKey, told } from './plant.ts';
import type { Life, Timeline } from './timeline.ts';
import type { Page, Witness } from './witness.ts';
import { rawBehind } from './witness.ts';

export const RECEIVERS = ['desk', 'deputy'] as const;

/** `away`: refuses; `deaf`: takes it and nobody says so; `hung`: does not answer. */
export type ReceiverMood = 'well' | 'away' | 'deaf' | 'hung';

interface Newest {
  /** True time. */
  readonly atMs: number;
  readonly isBeyond: boolean;
}

export class Desk {
  readonly moods = new Map<string, ReceiverMood>();
  readonly #witness: Witness;
  readonly #timeline: Timeline;
  readonly #points: ReadonlyMap<string, PlantPoint>;
  readonly #scales: readonly number[];
  /** By point: of what the alarms were given, the newest. */
  #newest = new Map<string, Newest>();

  constructor(
    timeline: Timeline,
    witness: Witness,
    points: ReadonlyMap<string, PlantPoint>,
    scales: readonly number[],
  ) {
    this.#timeline = timeline;
    this.#witness = witness;
    this.#points = points;
    this.#scales = scales;
  }

  /** A new cloud that knows nothing. */
  forget(): void {
    this.#newest = new Map();
  }

  noteRecords(records: readonly DecodedRecord[], series: ReadonlyMap<number, SeriesEntry>): void {
    const known = new Map(series);
    for (const { row, readings, manifest, dictionary } of records) {
      const entries = (manifest ?? dictionary)?.entries ?? [];
      for (const entry of entries) known.set(entry.series, entry);
      if (!readings) continue;
      const facts = this.#witness.epochs.get(row.epoch);
      if (!facts) continue;
      for (let at = 0; at < readings.count; at++) {
        const entry = known.get(readings.series[at]!);
        if (!entry || isBad(readings.quality[at]!)) continue;
        const { gateway, definition } = entry;
        const point = this.#points.get(`${gateway}/${definition.device}/${definition.point}`);
        if (!point?.hasRule) continue;
        const raw = rawBehind(point, readings.values[at]!, this.#scales);
        if (raw === null) continue;
        const atMs = facts.openedMs + readings.monoMs[at]!;
        if ((this.#newest.get(pointKey(point))?.atMs ?? 0) > atMs) continue;
        const { isBeyond } = told(raw);
        this.#newest.set(pointKey(point), { atMs, isBeyond });
      }
    }
  }

  noteRaised({ key, occurrence, gateway }: Alarm): void {
    const { nowMs } = this.#timeline;
    const newest = this.#newest.get(key) ?? null;
    const own = [...this.#witness.epochs.values()].filter((it) => it.gateway === gateway);
    const isNews = own.some(({ heardMs }) => heardMs !== null && nowMs - heardMs < 1_000);
    const isFirstHeard = isNews && this.#witness.wipes > 0;
    this.#witness.raised.push({ occurrence, key, isFirstHeard, atMs: nowMs, newest });
  }

  page({ id, receiver }: Delivery): Page {
    const key = `${id} ${receiver}`;
    const known = this.#witness.pages.get(key);
    if (known) {
      known.count++;
      return known;
    }
    const { nowMs } = this.#timeline;
    const page: Page = { id, receiver, firstMs: nowMs, count: 1, confirmedMs: null };
    this.#witness.pages.set(key, page);
    return page;
  }

  moodOf(receiver: string): ReceiverMood {
    return this.moods.get(receiver) ?? 'well';
  }
}

const ANSWER_MS = 40;

/** The notifiers of one process of the cloud. */
export function receivers(
  desk: Desk,
  timeline: Timeline,
  life: Life,
): ReadonlyMap<string, Notifier> {
  const answered = (outcome: () => Outcome, signal: AbortSignal) =>
    new Promise<Outcome>((resolve) => {
      timeline.after(ANSWER_MS, () => life.run(() => resolve(outcome())));
      signal.addEventListener('abort', () =>
        resolve({ kind: 'retry', why: 'aborted', afterMs: null }),
      );
    });
  const notifier = (receiver: string): Notifier => ({
    send: async ({ deliveries: [delivery] }, signal) => {
      if (!life.survives('cloud before delivery')) return new Promise(() => {});
      const mood = desk.moodOf(receiver);
      if (mood === 'away') {
        return answered(() => ({ kind: 'retry', why: 'http 503', afterMs: null }), signal);
      }
      const page = desk.page(delivery);
      if (mood === 'hung') {
        return new Promise((resolve) => {
          const hung = { kind: 'retry', why: 'timeout', afterMs: null } as const;
          signal.addEventListener('abort', () => resolve(hung), { once: true });
        });
      }
      if (!life.survives('cloud after delivery')) return new Promise(() => {});
      if (mood === 'deaf') return answered(() => ({ kind: 'sent', confirmedBy: null }), signal);
      page.confirmedMs ??= timeline.nowMs;
      return answered(() => ({ kind: 'sent', confirmedBy: receiver }), signal);
    },
  });
  return new Map(RECEIVERS.map((receiver) => [receiver, notifier(receiver)]));
}
