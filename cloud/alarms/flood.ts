// Alarm floods, counted by a window of ten minutes that slides by the second: one begins with the
// alarm that makes ten in the window, and is over when the window holds fewer than five. Ten in ten
// minutes is what one person can still look at (ISA-18.2, EEMUA 191); between five and ten nothing
// changes, so that a flood is not counted again for each alarm that comes or goes.
//
// The same arithmetic counts as it happens and afterwards over a list. Second s holds what came
// in [s, s + 1); the window at s holds the seconds s - 599 to s. Time that goes back counts as
// standing still.

export const FLOOD_WINDOW_S = 600;
export const FLOOD_BEGINS = 10;
export const FLOOD_ENDS_BELOW = 5;

export interface Flood {
  readonly fromMs: number;
  /** Null while it goes on. */
  readonly toMs: number | null;
  /** What came from the first alarm of its first window until its end. */
  readonly alarms: number;
  /** The most that any window held. */
  readonly peak: number;
}

export class FloodMeter {
  /** One cell a second, by second modulo the window. */
  readonly #cells = new Uint32Array(FLOOD_WINDOW_S);
  #second = Number.NEGATIVE_INFINITY;
  #inWindow = 0;
  #flood: Flood | null = null;

  /** Of a start: what came lately, in order, and the flood that went on. */
  static of(timesMs: readonly number[], flood: Flood | null): FloodMeter {
    const meter = new FloodMeter();
    for (const atMs of timesMs) meter.#count(atMs, 1);
    meter.#flood = flood;
    return meter;
  }

  /** What the window holds as of the last call. */
  get inWindow(): number {
    return this.#inWindow;
  }

  /** The one that goes on, or null. */
  get flood(): Flood | null {
    return this.#flood;
  }

  /** Whether the flood that goes on would be over then. Changes nothing. */
  isOver(nowMs: number): boolean {
    let left = this.#inWindow;
    const until = Math.min(Math.floor(nowMs / 1_000), this.#second + FLOOD_WINDOW_S);
    for (let second = this.#second + 1; second <= until; second++) {
      left -= this.#cells[cellOf(second)]!;
    }
    return this.#flood !== null && left < FLOOD_ENDS_BELOW;
  }

  /** Time passes; returns the flood that ended meanwhile, if one did. */
  advance(nowMs: number): Flood | null {
    const to = Math.floor(nowMs / 1_000);
    let ended: Flood | null = null;
    while (this.#second < to && this.#inWindow > 0) {
      this.#second++;
      this.#expire();
      ended = this.#endBelow() ?? ended;
    }
    this.#second = Math.max(this.#second, to);
    return this.#endBelow() ?? ended; // Over since before a start: the window was empty.
  }

  /** An alarm comes; returns the flood that ended before it and the one that begins with it. */
  add(atMs: number): { readonly ended: Flood | null; readonly began: Flood | null } {
    const ended = this.advance(atMs);
    this.#count(atMs, 1);
    const alarms = this.#inWindow;
    if (this.#flood) {
      const peak = Math.max(this.#flood.peak, alarms);
      this.#flood = { ...this.#flood, alarms: this.#flood.alarms + 1, peak };
      return { ended, began: null };
    }
    if (alarms < FLOOD_BEGINS) return { ended, began: null };
    this.#flood = { fromMs: this.#second * 1_000, toMs: null, alarms, peak: alarms };
    return { ended, began: this.#flood };
  }

  #count(atMs: number, by: number): void {
    this.advance(atMs);
    this.#cells[cellOf(this.#second)]! += by;
    this.#inWindow += by;
  }

  // The cell of the present second is that of the one that left the window.
  #expire(): void {
    const cell = cellOf(this.#second);
    this.#inWindow -= this.#cells[cell]!;
    this.#cells[cell] = 0;
  }

  #endBelow(): Flood | null {
    if (!this.#flood || this.#inWindow >= FLOOD_ENDS_BELOW) return null;
    const ended = { ...this.#flood, toMs: this.#second * 1_000 };
    this.#flood = null;
    return ended;
  }
}

function cellOf(second: number): number {
  return ((second % FLOOD_WINDOW_S) + FLOOD_WINDOW_S) % FLOOD_WINDOW_S;
}

/** The floods of a list of times, in order, as far as `untilMs`; the last may go on. */
export function floodsOf(timesMs: readonly number[], untilMs: number): Flood[] {
  const meter = new FloodMeter();
  const floods: Flood[] = [];
  const note = (ended: Flood | null) => {
    if (ended) floods.push(ended);
  };
  for (const atMs of timesMs) note(meter.add(atMs).ended);
  note(meter.advance(untilMs));
  if (meter.flood) floods.push(meter.flood);
  return floods;
}
