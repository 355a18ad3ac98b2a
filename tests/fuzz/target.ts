// A fuzz target: something that takes bytes, texts or times from outside, and what must hold
// whatever comes. The targets stand beside what they try, in files named `*.fuzz.ts`.
import { Draw } from './draw.ts';

export interface FuzzTarget {
  readonly name: string;
  /** What is tried, in a line. */
  readonly about: string;
  /** Inputs of a whole run, where a million would be more than there is to find. */
  readonly runs?: number;
  /** Makes one input of what it draws and throws when a claim about it does not hold. */
  readonly swallow: (draw: Draw) => void;
}

export interface FuzzRun {
  readonly runs: number;
  readonly seed: number;
  /** The number of the first input; 0 when left out. */
  readonly from?: number;
  readonly onProgress?: (done: number) => void;
}

const PROGRESS_RUNS = 50_000;

/** Throws at the first input that breaks a claim, with the command that tries it again. */
export function fuzz({ name, swallow }: FuzzTarget, run: FuzzRun): void {
  const { runs, seed, from = 0, onProgress } = run;
  const draw = new Draw();
  for (let at = from; at < from + runs; at++) {
    draw.begin(seed, at);
    try {
      swallow(draw);
    } catch (error) {
      const again = `npm run fuzz -- ${name} --seed ${seed} --from ${at} --runs 1`;
      throw new Error(`input ${at} of ${name}: ${again}`, { cause: error });
    }
    if (onProgress && (at + 1 - from) % PROGRESS_RUNS === 0) onProgress(at + 1 - from);
  }
}
