// What happens to a world, drawn from its seed: at which time which fault, to whom, for how long.
// Every fault ends by itself or with the healing of the world.
import type { Random } from '../../core/random.ts';
import { pickInteger } from '../../core/random.ts';
import type { CityGateway } from './city.ts';
import { pick } from './city.ts';
import { DELIVERY_PLACES } from './delivery.ts';
import { MACHINES, RECEIVERS } from './duty.ts';
import { type ReceiverMood, receiverMoods } from './people.ts';
import type { DeviceTrouble } from './plant.ts';

export const EDGE_PLACES = [
  'edge before commit',
  'edge in commit',
  'edge after commit',
  'before publish',
  'after publish',
] as const;

export const CLOUD_PLACES = [
  'cloud before inbox commit',
  'cloud after inbox commit',
  'cloud before ack',
  'cloud before evaluation',
  'cloud before journal commit',
  'cloud after journal commit',
  'cloud before passed',
  'cloud before store',
  'cloud after store',
  'cloud after take',
  'cloud before delivery',
  'cloud after delivery',
  'cloud between cursor and results',
] as const;

/** What a wall clock shows after a boot without battery, or with a wrong one. */
export type BootClock = 'right' | '1970' | '2030';

/** Before anybody has the record, in one copy that is sent, or on the card while nobody looks. */
export const partDamages = ['sealed', 'sent', 'at rest'] as const;
export type PartDamage = (typeof partDamages)[number];

export type Fault =
  | { readonly kind: 'loss'; readonly forMs: number; readonly share: number }
  | { readonly kind: 'delay'; readonly forMs: number; readonly maxMs: number }
  | { readonly kind: 'broker-restart'; readonly forMs: number }
  | { readonly kind: 'cut'; readonly who: string }
  | { readonly kind: 'half-open'; readonly who: string }
  | { readonly kind: 'stall'; readonly who: string; readonly forMs: number }
  | { readonly kind: 'outage'; readonly who: string; readonly forMs: number }
  | {
      readonly kind: 'kill-edge';
      readonly who: string;
      /** Null: between two events. */
      readonly place: string | null;
      readonly count: number;
      readonly downMs: number;
      readonly boot: BootClock;
    }
  | {
      readonly kind: 'kill-cloud';
      readonly place: string | null;
      readonly count: number;
      readonly downMs: number;
    }
  | {
      readonly kind: 'second-path';
      readonly who: string;
      readonly what: (typeof pathTroubles)[number] | 'cloud-away' | 'broker-restart';
      readonly forMs: number;
    }
  | { readonly kind: 'clock-step'; readonly who: string; readonly byMs: number }
  | {
      readonly kind: 'slow-disk';
      readonly who: string;
      readonly forMs: number;
      readonly ms: number;
    }
  | { readonly kind: 'full-disk'; readonly who: string; readonly forMs: number }
  | { readonly kind: 'full-cloud-disk'; readonly forMs: number }
  | { readonly kind: 'full-registry-disk'; readonly forMs: number }
  | { readonly kind: 'store-hung'; readonly forMs: number }
  | {
      readonly kind: 'old-card';
      readonly who: string;
      readonly afterMs: number;
      readonly downMs: number;
    }
  | { readonly kind: 'twin'; readonly who: string; readonly forMs: number }
  | { readonly kind: 'wiped-store'; readonly downMs: number }
  | {
      readonly kind: 'reconfigure';
      readonly who: string;
      readonly how: 'stop' | 'kill';
      readonly setting: number;
    }
  | { readonly kind: 'poison'; readonly who: string; readonly records: number }
  | {
      /** With a new configuration, whose dictionary is damaged somewhere. */
      readonly kind: 'poison-part';
      readonly who: string;
      readonly where: PartDamage;
      readonly setting: number;
    }
  | {
      /** A restart with room for few records, and then nobody to send them to. */
      readonly kind: 'small-card';
      readonly who: string;
      readonly bytesMax: number;
      readonly forMs: number;
    }
  | { readonly kind: 'reorder'; readonly forMs: number; readonly share: number }
  | {
      readonly kind: 'device';
      readonly who: string;
      readonly device: string;
      readonly trouble: DeviceTrouble | 'cut';
      readonly forMs: number;
    }
  | {
      readonly kind: 'receiver';
      readonly who: string;
      readonly mood: ReceiverMood;
      readonly forMs: number;
    }
  | {
      /** In the way of a notification: some mood, or the cloud dies between two of its steps. */
      readonly kind: 'delivery';
      readonly mood: { readonly who: string; readonly what: ReceiverMood } | null;
      readonly place: string;
      readonly count: number;
      readonly downMs: number;
      readonly forMs: number;
    }
  /** Not a fault: some gateways have a local fallback. */
  | { readonly kind: 'fallback' };

export type FaultKind = Fault['kind'];

/** What happens to the second path of a gateway, or to both at once. */
export const pathTroubles = [
  'cut',
  'flapping',
  'half-open',
  'stall',
  'outage',
  'both-out',
] as const;

export interface TimedFault {
  readonly atMs: number;
  readonly fault: Fault;
}

interface Draw {
  readonly random: Random;
  readonly gateways: readonly CityGateway[];
}

type Draws = { readonly [Kind in FaultKind]: (draw: Draw) => Extract<Fault, { kind: Kind }> };

const troubled = receiverMoods.filter((mood) => mood !== 'well');

const gatewayOf = ({ random, gateways }: Draw) => pick(random, gateways).id;
const anybody = ({ random, gateways }: Draw) =>
  random.next() < 0.3 ? 'cloud' : pick(random, gateways).id;

const draws: Draws = {
  loss: ({ random }) => ({
    kind: 'loss',
    forMs: pickInteger(random, 5_000, 40_000),
    share: pick(random, [0.1, 0.3, 0.6]),
  }),
  delay: ({ random }) => ({
    kind: 'delay',
    forMs: pickInteger(random, 5_000, 40_000),
    maxMs: pick(random, [300, 2_000, 8_000]),
  }),
  'broker-restart': ({ random }) => ({
    kind: 'broker-restart',
    forMs: pickInteger(random, 200, 15_000),
  }),
  cut: (draw) => ({ kind: 'cut', who: anybody(draw) }),
  'half-open': (draw) => ({ kind: 'half-open', who: anybody(draw) }),
  stall: (draw) => ({
    kind: 'stall',
    who: anybody(draw),
    forMs: pickInteger(draw.random, 3_000, 70_000),
  }),
  outage: (draw) => ({
    kind: 'outage',
    who: anybody(draw),
    forMs: pickInteger(draw.random, 5_000, 60_000),
  }),
  'kill-edge': (draw) => ({
    kind: 'kill-edge',
    who: gatewayOf(draw),
    place: draw.random.next() < 0.2 ? null : pick(draw.random, EDGE_PLACES),
    count: pickInteger(draw.random, 1, 6),
    downMs: pickInteger(draw.random, 300, 12_000),
    boot: pick(draw.random, ['right', 'right', '1970', '2030'] as const),
  }),
  'kill-cloud': ({ random }) => ({
    kind: 'kill-cloud',
    place: random.next() < 0.2 ? null : pick(random, CLOUD_PLACES),
    count: pickInteger(random, 1, 5),
    downMs: pickInteger(random, 300, 12_000),
  }),
  'second-path': (draw) => ({
    kind: 'second-path',
    who: gatewayOf(draw),
    what: pick(draw.random, [...pathTroubles, 'cloud-away', 'broker-restart'] as const),
    forMs: pickInteger(draw.random, 2_000, 60_000),
  }),
  'clock-step': (draw) => ({
    kind: 'clock-step',
    who: anybody(draw),
    byMs: pick(draw.random, [-3_600_000, -20_000, 1_500, 90_000, 86_400_000]),
  }),
  'slow-disk': (draw) => ({
    kind: 'slow-disk',
    who: gatewayOf(draw),
    forMs: pickInteger(draw.random, 3_000, 30_000),
    ms: pick(draw.random, [100, 700, 4_000]),
  }),
  'full-disk': (draw) => ({
    kind: 'full-disk',
    who: gatewayOf(draw),
    forMs: pickInteger(draw.random, 3_000, 30_000),
  }),
  'full-cloud-disk': ({ random }) => ({
    kind: 'full-cloud-disk',
    forMs: pickInteger(random, 2_000, 20_000),
  }),
  'store-hung': ({ random }) => ({ kind: 'store-hung', forMs: pickInteger(random, 3_000, 40_000) }),
  'old-card': (draw) => ({
    kind: 'old-card',
    who: gatewayOf(draw),
    afterMs: pickInteger(draw.random, 3_000, 30_000),
    // Nobody changes a card faster; the cloud takes a lower opening number for now after 30 s.
    downMs: pickInteger(draw.random, 32_000, 40_000),
  }),
  twin: (draw) => ({
    kind: 'twin',
    who: gatewayOf(draw),
    forMs: pickInteger(draw.random, 5_000, 40_000),
  }),
  'wiped-store': ({ random }) => ({
    kind: 'wiped-store',
    downMs: pickInteger(random, 500, 8_000),
  }),
  reconfigure: (draw) => ({
    kind: 'reconfigure',
    who: gatewayOf(draw),
    how: pick(draw.random, ['stop', 'kill'] as const),
    setting: pickInteger(draw.random, 1, 2),
  }),
  poison: (draw) => ({
    kind: 'poison',
    who: gatewayOf(draw),
    records: pickInteger(draw.random, 1, 2),
  }),
  'poison-part': (draw) => ({
    kind: 'poison-part',
    who: gatewayOf(draw),
    where: pick(draw.random, partDamages),
    setting: pickInteger(draw.random, 1, 2),
  }),
  'small-card': (draw) => ({
    kind: 'small-card',
    who: gatewayOf(draw),
    bytesMax: pick(draw.random, [40, 56, 72]) * 1024,
    forMs: pickInteger(draw.random, 20_000, 60_000),
  }),
  'full-registry-disk': ({ random }) => ({
    kind: 'full-registry-disk',
    forMs: pickInteger(random, 2_000, 40_000),
  }),
  reorder: ({ random }) => ({
    kind: 'reorder',
    forMs: pickInteger(random, 5_000, 40_000),
    share: pick(random, [0.1, 0.3, 0.6]),
  }),
  device: ({ random, gateways }) => {
    const gateway = pick(random, gateways);
    return {
      kind: 'device',
      who: gateway.id,
      device: pick(random, gateway.points).device,
      trouble: pick(random, ['silent', 'late', 'refuses', 'exceptions', 'cut'] as const),
      forMs: pickInteger(random, 2_000, 30_000),
    };
  },
  receiver: ({ random }) => ({
    kind: 'receiver',
    who: pick(random, MACHINES),
    mood: pick(random, ['away', 'deaf', 'hung'] as const),
    forMs: pickInteger(random, 10_000, 60_000),
  }),
  delivery: ({ random }) => ({
    kind: 'delivery',
    mood:
      random.next() < 0.4 ? null : { who: pick(random, RECEIVERS), what: pick(random, troubled) },
    place: pick(random, DELIVERY_PLACES),
    count: pickInteger(random, 1, 4),
    downMs: pickInteger(random, 300, 8_000),
    forMs: pickInteger(random, 10_000, 60_000),
  }),
  fallback: () => ({ kind: 'fallback' }),
};

/** Drawn by themselves, with random numbers of their own. */
const aside: readonly FaultKind[] = ['second-path', 'delivery', 'fallback'];

export const faultKinds = Object.keys(draws) as readonly FaultKind[];

/** What a copy of a card did after it was made nobody can know: no twins and no old cards. */
export const commandFaultKinds = faultKinds.filter(
  (kind) => kind !== 'twin' && kind !== 'old-card',
);

/**
 * Times after the start of the world, in order. Troubles of a second path, for the gateways that
 * have one, and of deliveries are drawn by themselves: the rest of a world is as it was.
 */
export function drawFaults(
  random: Random,
  gateways: readonly CityGateway[],
  activeMs: number,
  given: readonly FaultKind[],
): TimedFault[] {
  const kinds = given.filter((kind) => !aside.includes(kind));
  if (kinds.length === 0) return [];
  const count = pickInteger(random, 1, 6);
  const faults = Array.from({ length: count }, (): TimedFault => {
    const kind = pick(random, kinds);
    const fault = draws[kind]({ random, gateways });
    return { atMs: pickInteger(random, 3_000, activeMs - 5_000), fault };
  });
  return faults.sort((a, b) => a.atMs - b.atMs);
}

export function drawAside(
  kind: 'second-path' | 'delivery',
  random: Random,
  gateways: readonly CityGateway[],
  activeMs: number,
): TimedFault[] {
  if (gateways.length === 0) return [];
  return Array.from({ length: pickInteger(random, 1, 5) }, () => ({
    atMs: pickInteger(random, 3_000, activeMs - 5_000),
    fault: draws[kind]({ random, gateways }),
  }));
}
