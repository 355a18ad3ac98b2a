// What happens to the running city, and when. A plan follows from its seed and its length alone:
// each target has its own sequence of quiet and disturbance, so disturbances of different targets
// overlap and those of one do not. How a run goes still depends on the machine; the plan does not.
import type { Random } from '../../core/random.ts';
import { pickInteger, seededRandom } from '../../core/random.ts';
import type { Site } from '../../simulators/city.ts';
import { sites } from '../../simulators/city.ts';
import type { ProxySettings } from '../proxy.ts';

/** Named as the supervisor names them. */
export type ProcessName = `gw-${Site}` | 'cloud' | 'desk';
/** From a gateway to the broker, from a gateway to its devices, from the cloud to the desk. */
export type NetworkName = `uplink-${Site}` | `field-${Site}` | 'webhooks';

export const processKinds = ['kill', 'kill-again', 'stop', 'stop-kill'] as const;

export interface ProcessDisturbance {
  readonly atMs: number;
  readonly target: ProcessName;
  /**
   * SIGKILL; the same and once more after `forMs`, while it starts; SIGSTOP, and after `forMs`
   * SIGCONT, or SIGKILL in its place.
   */
  readonly kind: (typeof processKinds)[number];
  readonly forMs: number;
}

export interface NetworkDisturbance {
  readonly atMs: number;
  readonly target: NetworkName;
  /** `cut` resets what is open at its beginning; others hold for `forMs`. */
  readonly kind: 'cut' | 'away' | 'silent' | 'slow' | 'delay' | 'loss';
  readonly forMs: number;
  readonly settings: Partial<ProxySettings>;
}

export type Disturbance = ProcessDisturbance | NetworkDisturbance;

export const processNames: readonly ProcessName[] = [
  ...sites.map((site) => `gw-${site}` as const),
  'cloud',
  'desk',
];
export const networkNames: readonly NetworkName[] = [
  ...sites.map((site) => `uplink-${site}` as const),
  ...sites.map((site) => `field-${site}` as const),
  'webhooks',
];

export function isOfProcess(disturbance: Disturbance): disturbance is ProcessDisturbance {
  return processKinds.some((kind) => kind === disturbance.kind);
}

/** Everything begins and ends before `lengthMs`, but for what is cut short by the end of chaos. */
export function planOf(seed: number, lengthMs: number): Disturbance[] {
  const random = seededRandom(seed);
  const plan: Disturbance[] = [];
  const walk = (quietMs: readonly [number, number], draw: (atMs: number) => Disturbance) => {
    let atMs = pickInteger(random, 2_000, quietMs[1]);
    while (atMs < lengthMs) {
      const next = draw(atMs);
      plan.push(next);
      atMs += next.forMs + pickInteger(random, ...quietMs);
    }
  };
  for (const target of processNames) {
    const isEdge = target.startsWith('gw-');
    walk(isEdge ? [8_000, 30_000] : [15_000, 45_000], (atMs) => ofProcess(random, target, atMs));
  }
  for (const target of networkNames) {
    const isField = target.startsWith('field-');
    walk(isField ? [20_000, 60_000] : [5_000, 25_000], (atMs) => ofNetwork(random, target, atMs));
  }
  return plan.sort((a, b) => a.atMs - b.atMs);
}

function ofProcess(random: Random, target: ProcessName, atMs: number): ProcessDisturbance {
  const chance = random.next();
  if (chance < 0.4) return { atMs, target, kind: 'kill', forMs: 0 };
  if (chance < 0.55)
    return { atMs, target, kind: 'kill-again', forMs: pickInteger(random, 600, 3_000) };
  // Beyond one and a half keepalives of 10 s the broker gives a gateway up, beyond 10 s a webhook
  // ends.
  const kind = chance < 0.9 ? 'stop' : 'stop-kill';
  return { atMs, target, kind, forMs: pickInteger(random, 500, 18_000) };
}

function ofNetwork(random: Random, target: NetworkName, atMs: number): NetworkDisturbance {
  const forMs = pickInteger(random, 2_000, 15_000);
  switch (pickInteger(random, 0, 5)) {
    case 0:
      return { atMs, target, kind: 'cut', forMs: 0, settings: {} };
    case 1:
      return { atMs, target, kind: 'away', forMs, settings: { cut: true } };
    case 2:
      return { atMs, target, kind: 'silent', forMs, settings: { halfOpen: true } };
    case 3: {
      const bytesPerSecond = pickInteger(random, 500, 8_000);
      return { atMs, target, kind: 'slow', forMs, settings: { bytesPerSecond } };
    }
    case 4: {
      const settings = { delayMs: pickInteger(random, 50, 900), jitterMs: 300 };
      return { atMs, target, kind: 'delay', forMs, settings };
    }
    default: {
      const settings = { delayMs: 20, lossPerChunk: pickInteger(random, 2, 40) / 100 };
      return { atMs, target, kind: 'loss', forMs, settings };
    }
  }
}

export function describe(disturbance: Disturbance): string {
  const { atMs, target, kind, forMs } = disturbance;
  const settings = isOfProcess(disturbance) ? '' : ` ${JSON.stringify(disturbance.settings)}`;
  return `${(atMs / 1000).toFixed(1).padStart(6)} s  ${kind} ${target} ${forMs} ms${settings}`;
}
