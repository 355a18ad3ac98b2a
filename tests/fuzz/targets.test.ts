import { expect, test } from 'vitest';
import { Draw } from './draw.ts';
import { fuzz } from './target.ts';
import { targets } from './targets.ts';

/** A sample of what `npm run fuzz` runs: about a second each. */
const RUNS = 5_000;
/** Each of these reads a whole document. */
const DOCUMENT_RUNS = 500;
const SEED = 20_261_122;

test.each(targets)('$name: no claim is broken ($about)', (target) => {
  const isDocument = target.name.endsWith('-yaml');
  fuzz(target, { runs: isDocument ? DOCUMENT_RUNS : RUNS, seed: SEED });
});

test('names tell targets apart, and an input can be tried again alone', () => {
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
  const golden = [Uint8Array.from({ length: 40 }, (_, at) => at)];
  const drawn = (from: number, to: number) => {
    const draw = new Draw();
    let last: unknown;
    for (let at = from; at <= to; at++) {
      draw.begin(SEED, at);
      last = draw.pieces(draw.stream(golden, 3));
    }
    return last;
  };
  expect(drawn(4_711, 4_711)).toEqual(drawn(0, 4_711));
});

test('a broken claim tells the command that tries its input again', () => {
  const target = {
    name: 'small',
    about: '',
    swallow: (draw: Draw) => expect(draw.integer(0, 9)).toBeLessThan(9),
  };
  const run = () => fuzz(target, { runs: 1_000, seed: 7 });
  expect(run).toThrow(/npm run fuzz -- small --seed 7 --from \d+ --runs 1/);
  let from = 0;
  try {
    run();
  } catch (error) {
    from = Number(/--from (\d+)/.exec((error as Error).message)?.[1]);
  }
  expect(() => fuzz(target, { runs: 1, seed: 7, from })).toThrow(`input ${from}`);
});
