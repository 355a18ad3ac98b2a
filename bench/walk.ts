/**
 * How a register moves from poll to poll: by 1 to 3 up or down, at random; it never stands still.
 */
export class Walk {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  // A linear congruential generator (Numerical Recipes): cheap, and its upper bits are good enough.
  next(): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0;
    return STEPS[(this.#state >>> 16) % STEPS.length]!;
  }
}

/**
 * Where a register begins: 1,000 to 11,000, neighbours far apart, as on a real device. (Levels in a
 * row would pack to a third, because their differences are small.)
 */
export function levelOf(register: number): number {
  return 1_000 + ((Math.imul(register + 1, 2_654_435_761) >>> 0) % 10_000);
}

const STEPS = [-3, -2, -1, 1, 2, 3] as const;
