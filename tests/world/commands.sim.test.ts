// Worlds in which the plant is commanded, by the book of the cloud and the door of the edge
// together, while everything else goes wrong, too; then the same with one promise broken, which
// must be noticed.
import { expect, test } from 'vitest';
import { commandFaultKinds as kinds } from './faults.ts';
import { commandMutants } from './mutants.ts';
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
      const { problems, commands } = await runWorld(seed, { kinds, hasCommands: true });
      const again = `npm run world -- --seed ${seed} --commands`;
      expect(problems.length === 0 ? [] : [again, ...problems]).toEqual([]);
      for (const [outcome, count] of Object.entries(commands)) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
      }
    }
  });
}

test('commands end in every way there is', () => {
  for (const outcome of ['done', 'refused', 'expired', 'failed', 'uncertain']) {
    expect([outcome, (outcomes.get(outcome) ?? 0) > 0]).toEqual([outcome, true]);
  }
});

/** What must be said of each, and the seed with which to begin: a kill between two steps is rare. */
const bites: Readonly<Record<string, { says: RegExp; from: number }>> = {
  'a repeat under a new id': { says: /carried out 2 times|nobody asked for/, from: 1 },
  'a time to live that does not end': { says: /its end was/, from: 1 },
  'a beginning that is not on disk': { says: /was done and/, from: 9 },
  'a ledger in which nothing is found': { says: /ended as|carried out \d+ times/, from: 1 },
};
const SEEDS_TO_BITE = 40;

test.each(commandMutants.map((make) => [make().name, make] as const))(
  'the desk notices: %s',
  { timeout: CHUNK_TIMEOUT_MS },
  async (name, make) => {
    const { says, from } = bites[name]!;
    for (let seed = from; seed < from + SEEDS_TO_BITE; seed++) {
      const { problems } = await runWorld(seed, { kinds, hasCommands: true, mutant: make() });
      const said = problems.filter((problem) => problem.startsWith('commands'));
      if (said.some((problem) => says.test(problem))) return;
    }
    expect.fail(`${name} went unnoticed in ${SEEDS_TO_BITE} worlds`);
  },
);
