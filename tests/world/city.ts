// What stands in a world of a seed: gateways, their devices and points, the excursions of those that
// have a rule, and the configurations a gateway may be given.
import type { Random } from '../../core/random.ts';
import { pickInteger } from '../../core/random.ts';
import { pointClasses } from '../../core/reading.ts';
import type { GatewaySetting, PlantPoint, PointSetting, Span } from './plant.ts';

export const SCALES = [1, 0.1, 0.01, 0.5] as const;

export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[pickInteger(random, 0, items.length - 1)]!;
}

export interface CityGateway {
  readonly id: string;
  readonly points: readonly PlantPoint[];
  /** The first is in force at the beginning. */
  readonly settings: readonly GatewaySetting[];
}

/** A condition that holds shorter than this may be over before it is seen. */
const EXCURSION_MIN_MS = 6_000;
const EXCURSION_MAX_MS = 40_000;
const PAUSE_MIN_MS = 20_000;

export function buildCity(random: Random, activeMs: number): CityGateway[] {
  const count = pick(random, [1, 1, 2, 2, 3]);
  let code = 0;
  return Array.from({ length: count }, (_, at) => {
    const id = `gw-${at + 1}`;
    const devices = pickInteger(random, 1, count === 1 ? 3 : 2);
    const points: PlantPoint[] = [];
    for (let device = 1; device <= devices; device++) {
      const groups = pickInteger(random, 1, 2);
      for (let group = 0; group < groups; group++) {
        const kind = group === 0 ? pick(random, pointClasses) : 'trend';
        const periodMs = pick(random, kind === 'life-safety' ? [1_000, 2_000] : [2_000, 5_000]);
        const members = pickInteger(random, 1, 3);
        for (let member = 0; member < members; member++) {
          code++;
          points.push(buildPoint(random, activeMs, { id, device, code, kind, periodMs }));
        }
      }
    }
    return { id, points, settings: buildSettings(random, points) };
  });
}

interface Place {
  readonly id: string;
  readonly device: number;
  readonly code: number;
  readonly kind: PlantPoint['class'];
  readonly periodMs: number;
}

function buildPoint(random: Random, activeMs: number, place: Place): PlantPoint {
  const hasRule = random.next() < 0.6;
  return {
    gateway: place.id,
    device: `dev-${place.device}`,
    point: `p-${place.code}`,
    code: place.code,
    class: place.kind,
    periodMs: place.periodMs,
    holdMs: pick(random, [1_000, 4_000, 15_000]),
    excursions: hasRule ? buildExcursions(random, activeMs) : [],
    onDelayMs: pick(random, [0, 3_000, 5_000]),
    offDelayMs: pick(random, [0, 4_000]),
    hasRule,
    level: ([2, 1, 3] as const)[place.code % 3]!,
    hasNoData: random.next() < 0.3,
  };
}

function buildExcursions(random: Random, activeMs: number): Span[] {
  const spans: Span[] = [];
  let fromMs = pickInteger(random, 8_000, 40_000);
  while (fromMs < activeMs) {
    const lengthMs = pickInteger(random, EXCURSION_MIN_MS, EXCURSION_MAX_MS);
    // The last one may hold until the end of the world.
    const isLasting = fromMs + lengthMs > activeMs * 0.8 && random.next() < 0.4;
    const toMs = isLasting ? Number.POSITIVE_INFINITY : fromMs + lengthMs;
    spans.push({ fromMs, toMs });
    fromMs = toMs + pickInteger(random, PAUSE_MIN_MS, 2 * PAUSE_MIN_MS);
  }
  return spans;
}

/** The same points in another order, with other scales, one of them left out. */
function buildSettings(random: Random, points: readonly PlantPoint[]): GatewaySetting[] {
  const first = settingOf(points.map((point) => ({ point, scale: pick(random, SCALES) })));
  const changed = shuffled(random, points).map((point) => ({ point, scale: pick(random, SCALES) }));
  const fewer = points.length > 2 ? changed.slice(1) : changed;
  const again = shuffled(random, points).map((point) => ({ point, scale: pick(random, SCALES) }));
  return [first, settingOf(fewer), settingOf(again)];
}

function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const mixed = [...items];
  for (let at = mixed.length - 1; at > 0; at--) {
    const other = pickInteger(random, 0, at);
    [mixed[at], mixed[other]] = [mixed[other]!, mixed[at]!];
  }
  return mixed;
}

function settingOf(points: readonly PointSetting[]): GatewaySetting {
  const groups = Map.groupBy(points, ({ point }) => `${point.device} ${point.periodMs}`);
  const list = [...groups.values()].map((members) => {
    const { device, periodMs } = members[0]!.point;
    return { device, periodMs, points: members };
  });
  // Groups of one device stand together, as a configuration has them.
  const devices = [...new Set(list.map(({ device }) => device))];
  return { groups: devices.flatMap((device) => list.filter((group) => group.device === device)) };
}
