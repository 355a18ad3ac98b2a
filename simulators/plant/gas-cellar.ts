// Methane in a chain of underground spaces beside a main, and in the soil between them: a leak
// fills the space nearest to it, the next ones follow through the soil, and every space breathes
// out to the street. A first-order compartment model: dC_i/dt = source_i + soil x (neighbours -
// C_i) - vent x C_i.

/** 1 %VOL of methane is 20 %LEL (lower explosive limit 5 %VOL, IEC 60079-20-1). */
export const LEL_A_PERCENT_VOLUME = 20;

export interface CellarOptions {
  readonly spaces: number;
  /** Share of a space's gas that leaves to the street a second. */
  readonly vent: number;
  /** Share of the difference to a neighbour that passes through the soil a second. */
  readonly soil: number;
}

export class GasCellars {
  readonly #options: CellarOptions;
  #lel: number[];
  #leak: { space: number; lelPerSecond: number } | null = null;

  constructor(options: CellarOptions) {
    this.#options = options;
    this.#lel = Array.from({ length: options.spaces }, () => 0);
  }

  /** Starts or ends a leak into one space, in %LEL a second into that space. */
  leak(at: { space: number; lelPerSecond: number } | null): void {
    this.#leak = at;
  }

  /** Moves time on; steps of at most a quarter second keep the explicit scheme stable. */
  advance(seconds: number): void {
    const steps = Math.max(1, Math.ceil(seconds / 0.25));
    for (let step = 0; step < steps; step++) this.#step(seconds / steps);
  }

  /** Methane in %LEL, 0..100 and beyond, a place a space. */
  get concentrations(): readonly number[] {
    return this.#lel;
  }

  #step(seconds: number): void {
    const { vent, soil } = this.#options;
    const before = this.#lel;
    this.#lel = before.map((lel, space) => {
      const source = this.#leak?.space === space ? this.#leak.lelPerSecond : 0;
      const left = before[space - 1] ?? lel;
      const right = before[space + 1] ?? lel;
      const change = source + soil * (left + right - 2 * lel) - vent * lel;
      return Math.max(0, lel + change * seconds);
    });
  }
}
