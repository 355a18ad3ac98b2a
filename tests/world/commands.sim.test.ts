// Worlds in which the plant is commanded while everything else goes wrong, too.
import { expect, test } from 'vitest';
import { commandFaultKinds as kinds } from './faults.ts';
import { runWorld } from './world.ts';

const SEEDS = 200;
const CHUNK = 25;
const CHUNK_TIMEOUT_MS = 180_000;
const outcomes = new Map<string, number>();

for (let first = 1; first <= SEEDS; first += CHUNK) {
  const last = first + CHUNK - 1;
  const claim = `worlds ${first} to ${last}: no command twice or after its time, each with one outcome`;
  test(claim, { timeout: CHUNK_TIMEOUT_MS }, async () => {
    for (let seed = first; seed <= last; seed++) {
      const result = await runWorld(seed, { kinds, hasCommands: true });
      const again = `npm run world -- --seed ${seed} --commands`;
      const { problems } = result;
      expect(problems.length === 0 ? [] : [again, ...problems]).toEqual([]);
      for (const [outcome, count] of Object.entries(result.commands)) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
      }
    }
  });
}

test('commands end in every way there is', () => {
  for (const outcome of ['done', 'expired', 'failed', 'uncertain']) {
    expect([outcome, (outcomes.get(outcome) ?? 0) > 0]).toEqual([outcome, true]);
  }
});
