// 500 worlds, each from its seed; then seeds that once failed, by name; then the product with one
// promise broken, which the checkers must notice. A failure says which command repeats it.
import { expect, test } from 'vitest';
import { cases } from './cases.ts';
import { type FaultKind, faultKinds } from './faults.ts';
import { healthy, mutants } from './mutants.ts';
import { again, runWorld } from './world.ts';

const SEEDS = 500;
const CHUNK = 25;
const CHUNK_TIMEOUT_MS = 120_000;

/** What went wrong, beginning with the command that shows it again. */
async function troubles(seed: number, kinds: readonly FaultKind[] = faultKinds): Promise<string[]> {
  const { problems } = await runWorld(seed, { kinds });
  return problems.length === 0 ? [] : [again(seed, kinds), ...problems];
}

for (let first = 1; first <= SEEDS; first += CHUNK) {
  const last = first + CHUNK - 1;
  const claim = `worlds ${first} to ${last} come right after whatever happened in them`;
  test(claim, { timeout: CHUNK_TIMEOUT_MS }, async () => {
    for (let seed = first; seed <= last; seed++) expect(await troubles(seed)).toEqual([]);
  });
}

test.each(cases)('$claim', { timeout: CHUNK_TIMEOUT_MS }, async ({ seed, kinds }) => {
  expect(await troubles(seed, kinds)).toEqual([]);
});

test('a world without faults balances', { timeout: CHUNK_TIMEOUT_MS }, async () => {
  for (let seed = 1; seed <= 5; seed++) expect(await troubles(seed, [])).toEqual([]);
});

test('a seed gives the same world twice', { timeout: CHUNK_TIMEOUT_MS }, async () => {
  const [one, other] = [
    await runWorld(7, { isVerbose: true }),
    await runWorld(7, { isVerbose: true }),
  ];
  expect(one.trace).toEqual(other.trace);
});

/** Faults under which a broken promise shows, and the checkers one of which must say so. */
const bites: Readonly<
  Record<
    string,
    {
      readonly kinds: readonly FaultKind[];
      readonly says: readonly string[];
      /** The seed to begin with, where the kill it takes is rare. */
      readonly from?: number;
    }
  >
> = {
  // A gateway that hears of the cloud's return tells what it holds, and is asked for it again.
  'ack before commit': {
    kinds: ['kill-cloud', 'kill-edge'],
    says: ['taken, to the last reading'],
  },
  'epoch reused': { kinds: ['old-card'], says: ['epoch opened once'] },
  'cursor outside its transaction': { kinds: ['kill-cloud'], says: ['taken, to the last reading'] },
  'alias taken from the latest birth': {
    kinds: ['reconfigure', 'outage'],
    says: ['own point, own scale', 'taken, to the last reading'],
  },
  'wall-clock watermark': {
    kinds: ['clock-step'],
    says: ['nothing overlooked', 'state is true', 'nothing invented', 'raised once'],
  },
  'page withheld': { kinds: ['slow-disk'], says: ['paged in time'] },
  'label taken from the wrong epoch': { kinds: ['kill-edge'], says: ['times are true'] },
  'page lost between queue and ledger': {
    kinds: ['delivery'],
    says: ['told or shown'],
    from: 41,
  },
  'page sent again under a new id': { kinds: ['delivery'], says: ['told of what is'] },
  'chain goes on after an answer': { kinds: ['delivery'], says: ['the chain stops'] },
  'quota without a reserve': { kinds: ['delivery'], says: ['quotas'] },
  'confirmation not told to the site': { kinds: ['fallback'], says: ['who has it rests'] },
  'fallback fires after a confirmation': { kinds: ['fallback'], says: ['who has it rests'] },
  'lane trusted blindly': { kinds: ['stall', 'outage'], says: ['history pages nobody'] },
};
const SEEDS_TO_BITE = 40;

test.each(mutants.map((make) => [make().name, make] as const))(
  'the checkers notice: %s',
  { timeout: CHUNK_TIMEOUT_MS },
  async (name, make) => {
    const { kinds, says, from = 1 } = bites[name]!;
    for (let seed = from; seed < from + SEEDS_TO_BITE; seed++) {
      const { problems } = await runWorld(seed, { kinds, mutant: make() });
      if (!problems.some((problem) => says.some((checker) => problem.startsWith(checker))))
        continue;
      // The same world of the healthy product is right: it is the mutant that was noticed.
      expect((await runWorld(seed, { kinds, mutant: healthy })).problems).toEqual([]);
      return;
    }
    expect.fail(`${name} went unnoticed in ${SEEDS_TO_BITE} worlds`);
  },
);
