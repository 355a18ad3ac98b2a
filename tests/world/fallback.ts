// Sites whose gateway drives an output of its own when nobody confirms in time, and what must be
// true of them:
//
//   confirmed or fired   a condition that one epoch of a gateway sees for its on-delay and the limit
//                        has somebody by then, as the cloud has on disk, or its output was driven.
//                        A gateway whose disk or device is in trouble is let off, and one whose name
//                        two machines had.
//   fired once           one alarm drives its output at most once.
//   who has it rests     what a gateway has heard to be confirmed drives nothing; and in a world in
//                        which nothing is wrong, what the cloud has on disk it has heard.
import { occurrenceOf } from '../../cloud/notify/notifier.ts';
import type { Random } from '../../core/random.ts';
import type { FallbackConfig } from '../../edge/config/fallback.ts';
import { decodeConfirm } from '../../protocols/uplink/control.ts';
import { wasReadThrough } from './checkers.ts';
import type { CityGateway } from './city.ts';
import { pick } from './city.ts';
import type { PlantPoint } from './plant.ts';
import { firstBeyond } from './times.ts';
import type { EpochFacts } from './witness.ts';
import type { World } from './world.ts';

export const LIMIT_MS = 30_000;
const SITE_SHARE = 0.6;
/** Two polls see it, what they saw is sealed, and the device takes the command. */
const ACT_MS = 6_000;
/** A confirmation goes down at 0, 5 and 15 s. */
const DOWN_MS = 20_000;

export interface Site {
  readonly config: FallbackConfig;
  readonly output: PlantPoint;
}

/** Drawn for some of the gateways, with an output that each of their configurations has. */
export function drawSites(random: Random, city: readonly CityGateway[]): ReadonlyMap<string, Site> {
  const sites = new Map<string, Site>();
  for (const { id, points, settings } of city) {
    const isSite = random.next() < SITE_SHARE;
    const cloudAway = pick(random, ['wait', 'at_once'] as const);
    const output = points.find((point) =>
      settings.every(({ groups }) =>
        groups.some((group) => group.points.some((it) => it.point === point)),
      ),
    );
    if (!isSite || !output) continue;
    const { device, point } = output;
    const meant = points.filter(({ hasRule }) => hasRule);
    const config: FallbackConfig = {
      id: 'siren',
      when: {
        ...{ levels: [1, 2], devices: null, rules: ['high'] },
        points: meant.map((it) => `${it.device}/${it.point}`),
      },
      ...{ confirmWithinMs: LIMIT_MS, cloudAway },
      output: { device, point, command: 'set', value: 1 },
      release: { on: ['confirmed', 'cleared'], afterMs: null, command: 'set', value: 0 },
    };
    sites.set(id, { config, output });
  }
  return sites;
}

/** What a gateway said that it did for an alarm, or heard of one, at a true time. */
export interface SiteWord {
  readonly what: 'heard' | 'fired';
  readonly box: string;
  readonly epoch: string;
  readonly occurrence: string;
  readonly atMs: number;
}

/** A machine's log, as far as it speaks of this. */
export function wordOf(
  event: string,
  fields: object,
): Pick<SiteWord, 'what' | 'occurrence'> | null {
  if (event !== 'fallback_fired' || !('occurrence' in fields) || !('outcome' in fields))
    return null;
  return fields.outcome === 'done'
    ? { what: 'fired', occurrence: String(fields.occurrence) }
    : null;
}

/** The alarm that a message down is about, where it is a confirmation. */
export function confirmedBy(topic: string, payload: Uint8Array): string | null {
  return topic.endsWith('/confirm') ? decodeConfirm(payload).occurrence : null;
}

export function checkSites(world: World): void {
  const { witness, sites, city } = world;
  for (const gateway of city) {
    const site = sites.get(gateway.id);
    if (!site || witness.twins.has(gateway.id)) continue;
    for (const point of gateway.points) {
      if (!point.hasRule || point.level > 2) continue;
      for (const span of point.excursions) checkFired(world, site, point, span);
    }
  }
  const fired = new Set<string>();
  for (const word of witness.siteWords) {
    if (word.what !== 'fired') continue;
    const { occurrence, box } = word;
    const name = `${box} ${occurrence.slice(0, 8)}`;
    // A card of some time ago knows nothing of what was done since.
    if (fired.has(name) && !witness.oldCards.has(box)) witness.problem('fired once', name);
    fired.add(name);
    checkRest(world, word, name);
  }
}

function checkFired(
  world: World,
  { output }: Site,
  point: PlantPoint,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): void {
  const { witness } = world;
  for (const facts of witness.epochs.values()) {
    if (facts.gateway !== point.gateway) continue;
    const seenMs = firstBeyond(facts, point, fromMs, toMs);
    if (seenMs === null) continue;
    const dueMs = seenMs + point.onDelayMs + LIMIT_MS + 2 * point.periodMs + ACT_MS;
    if (toMs <= dueMs || endOf(facts) <= dueMs || isLetOff(world, facts, output, seenMs)) continue;
    if (!wasReadThrough(facts, point, seenMs, dueMs)) continue;
    if (!wasReadThrough(facts, output, seenMs, dueMs)) continue;
    const isDriven = witness.driven.some(
      ({ box, atMs }) => box === facts.box && atMs >= fromMs && atMs <= dueMs,
    );
    if (isDriven || hasSomebody(world, point, fromMs, dueMs)) continue;
    const what = `${point.gateway}/${point.device}/${point.point} beyond since ${seenMs}`;
    witness.problem('confirmed or fired', `${what}, nobody has it at ${dueMs}`);
  }
}

const endOf = ({ endMs, stoppedMs }: EpochFacts) =>
  Math.min(endMs ?? Number.POSITIVE_INFINITY, stoppedMs ?? Number.POSITIVE_INFINITY);

/** Nothing is driven that is not on disk before, and nothing through a device that is away. */
function isLetOff({ witness }: World, facts: EpochFacts, output: PlantPoint, seenMs: number) {
  return (
    !facts.settings.some(({ point }) => point === output) ||
    witness.edgeFaults.some(({ who, toMs }) => who === facts.gateway && toMs >= seenMs - ACT_MS)
  );
}

/** On disk at the cloud, for the alarm of this excursion or one that had not ended before it. */
function hasSomebody(
  { witness }: World,
  { gateway, device, point }: PlantPoint,
  fromMs: number,
  dueMs: number,
): boolean {
  const key = `${gateway}/${device}/${point}`;
  const raised = witness.raised.filter((it) => it.key === key && it.atMs <= dueMs);
  const names = new Set(raised.map(({ occurrence }) => occurrence));
  return [...witness.handled].some(
    ([id, atMs]) => atMs >= fromMs && atMs <= dueMs && names.has(occurrenceOf(id)),
  );
}

function checkRest({ witness }: World, { box, epoch, occurrence, atMs }: SiteWord, name: string) {
  const heard = witness.siteWords.find(
    (it) =>
      it.what === 'heard' &&
      it.epoch === epoch &&
      it.box === box &&
      it.occurrence === occurrence &&
      it.atMs < atMs - ACT_MS,
  );
  if (heard) {
    witness.problem('who has it rests', `${name} fired at ${atMs}, confirmed at ${heard.atMs}`);
  }
  if (witness.faults.length > 0) return;
  for (const [id, handledMs] of witness.handled) {
    if (occurrenceOf(id) !== occurrence || handledMs > atMs - DOWN_MS) continue;
    const what = `${name} fired at ${atMs}, somebody had it at ${handledMs}`;
    witness.problem('who has it rests', what);
  }
}
