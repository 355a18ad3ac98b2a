// Worlds in which some gateways drive an output of their own when nobody confirms in time, with what
// comes between a condition and a person going wrong: whatever happens, somebody has it or the
// output is driven. Then the same with one promise broken.
import { expect, test } from 'vitest';
import { siteFaultKinds as kinds } from './faults.ts';
import { siteMutants } from './mutants.ts';
import { again, runWorld } from './world.ts';

const SEEDS = 60;
const CHUNK = 20;
const CHUNK_TIMEOUT_MS = 180_000;
const SEEDS_TO_BITE = 20;

for (let first = 1; first <= SEEDS; first += CHUNK) {
  const last = first + CHUNK - 1;
  const claim = `worlds ${first} to ${last}: an alarm is confirmed, or the fallback fired in time`;
  test(claim, { timeout: CHUNK_TIMEOUT_MS }, async () => {
    for (let seed = first; seed <= last; seed++) {
      const { problems } = await runWorld(seed, { kinds });
      expect(problems.length === 0 ? [] : [again(seed, kinds), ...problems]).toEqual([]);
    }
  });
}

test.each(siteMutants.map((make) => [make().name, make] as const))(
  'the checkers notice: %s',
  { timeout: CHUNK_TIMEOUT_MS },
  async (name, make) => {
    for (let seed = 1; seed <= SEEDS_TO_BITE; seed++) {
      const { problems } = await runWorld(seed, { kinds: ['fallback'], mutant: make() });
      if (problems.some((problem) => problem.startsWith('who has it rests'))) return;
    }
    expect.fail(`${name} went unnoticed in ${SEEDS_TO_BITE} worlds`);
  },
);
