// Any stop between any two steps: no alarm drives an output twice, each that is not confirmed has
// driven it in time, and nothing stays on. Each seed is a small life of a gateway.
import { expect, test } from 'vitest';
import { pickInteger, seededRandom } from '../../core/random.ts';
import { LEDGER_PLACES } from '../../tests/dying-ledger.ts';
import { FallbackRig, fallback } from '../../tests/fallback-rig.ts';
import { START_WAIT_MS } from './cloud-way.ts';

const SEEDS = 120;
const LIMIT_S = 20;
const places = [
  ...LEDGER_PLACES,
  'device before write',
  'device after write',
  'device before look',
  'before reply',
  'after reply',
  'before commit',
  'after commit',
];

async function life(seed: number): Promise<string[]> {
  const random = seededRandom(seed);
  const site = new FallbackRig();
  const release = { ...fallback().release!, on: ['cleared'] } as const;
  const cloudAway = random.next() < 0.5 ? 'at_once' : 'wait';
  site.configs = [fallback({ confirmWithinMs: LIMIT_S * 1_000, cloudAway, release })];
  await site.boot();
  const found: string[] = [];
  const pick = <Item>(list: readonly Item[]) => list[pickInteger(random, 0, list.length - 1)]!;
  try {
    for (let step = 0; step < 14; step++) {
      const chance = random.next();
      if (chance < 0.35) site.values[pickInteger(random, 0, 1)] = pick([5, 30, 30, null]);
      else if (chance < 0.6) site.rig.life.arm(pick(places), pickInteger(random, 1, 3));
      else if (chance < 0.7) site.cloud = { ...site.cloud, isUp: random.next() < 0.5 };
      else if (chance < 0.8 && site.occurrence !== '') {
        site.confirm(site.occurrence);
      }
      await site.run(pickInteger(random, 1, 15));
      if (site.rig.life.isAlive) continue;
      site.kill();
      await site.rig.clock.advance(pickInteger(random, 0, 5_000));
      await site.boot();
    }
    // In the end the power stays: what is on and not confirmed has driven the output in time.
    site.rig.life.disarm();
    await site.run(LIMIT_S + 15);
    for (const { occurrence, state, confirmedBy } of site.fallbacks.health[0]!.alarms) {
      const isRight = state === 'driven' || confirmedBy !== null;
      if (!isRight) found.push(`${occurrence} is ${state}`);
    }
    site.values.fill(5);
    await site.run(START_WAIT_MS / 1_000 + 5);
    const shown = site.rig.device.values.get('speed') ?? 0;
    if (shown !== 0) found.push(`left at ${shown}`);
    const driven = site.rig.device.writes.filter(({ value }) => value === 100).length;
    if (driven > site.raised.size) found.push(`${driven} times for ${site.raised.size} alarms`);
    return found;
  } finally {
    site.close();
  }
}

test(`in ${SEEDS} lives nothing is driven twice, nothing is left out, nothing stays on`, {
  timeout: 60_000,
}, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    expect([seed, ...(await life(seed))]).toEqual([seed]);
  }
});
