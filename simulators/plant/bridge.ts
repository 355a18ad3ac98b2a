// A simply supported girder under passing lorries and a day's temperature: the tilt at its bearings
// and its first mode of vibration. For a point load F at share x of the span L, the end rotations
// are F L^2 x (1 - x)(2 - x) / 6EI at the near end and F L^2 x (1 - x)(1 + x) / 6EI at the far end
// (Euler-Bernoulli).

export interface BridgeOptions {
  readonly spanM: number;
  /** Bending stiffness EI, newton square metres. */
  readonly stiffness: number;
  /** First natural frequency, hertz, and its damping as share of critical. */
  readonly frequencyHz: number;
  readonly damping: number;
}

export interface BridgeState {
  /** Rotation at both bearings, degrees, sagging positive. */
  readonly tiltDeg: readonly [number, number];
  /** Vertical acceleration at midspan, g. */
  readonly accelerationG: number;
  /** Load on the span now, tonnes. */
  readonly loadT: number;
}

interface Lorry {
  readonly enteredS: number;
  readonly massT: number;
  readonly speedMs: number;
}

const GRAVITY = 9.80665;

export class Bridge {
  readonly #options: BridgeOptions;
  #lorries: Lorry[] = [];
  #settledDeg = 0;

  constructor(options: BridgeOptions) {
    this.#options = options;
  }

  enter(lorry: Lorry): void {
    this.#lorries.push(lorry);
  }

  /** A bearing gives way: its rotation stays, degrees. 0 is sound. */
  settle(deg: number): void {
    this.#settledDeg = deg;
  }

  at(seconds: number): BridgeState {
    const { spanM, frequencyHz, damping, stiffness } = this.#options;
    const omega = 2 * Math.PI * frequencyHz;
    let [left, right, acceleration, loadT] = [0, 0, 0, 0];
    for (const { enteredS, massT, speedMs } of this.#lorries) {
      const since = seconds - enteredS;
      const share = (since * speedMs) / spanM;
      if (since < 0) continue;
      if (share <= 1) {
        const scale = (massT * 1000 * GRAVITY * spanM ** 2 * share * (1 - share)) / (6 * stiffness);
        left += scale * (2 - share);
        right += scale * (1 + share);
        loadT += massT;
      }
      acceleration += massT * 2e-4 * Math.exp(-damping * omega * since) * Math.sin(omega * since);
    }
    // A lorry that left long ago neither loads nor shakes.
    this.#lorries = this.#lorries.filter(({ enteredS }) => seconds - enteredS < 600);
    const degrees = 180 / Math.PI;
    return {
      tiltDeg: [left * degrees + this.#settledDeg, right * degrees],
      accelerationG: acceleration,
      loadT,
    };
  }
}
