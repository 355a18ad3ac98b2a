// What a bench is given and what it gives: sides to start, a folder of its own, figures to report.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Figure } from './figure.ts';
import { lineOf } from './figure.ts';
import type { SideOptions } from './side.ts';
import { Side } from './side.ts';

export interface Bench {
  readonly name: string;
  readonly about: string;
  run(bench: Bed): Promise<void>;
}

export interface BedOptions {
  /** Shorter runs of everything: for finding out whether a bench works, not for figures. */
  readonly isQuick: boolean;
  /** Asked for by its name, so it may take longer. */
  readonly isNamed: boolean;
  /** Where CPU profiles go; null for none. */
  readonly profile: string | null;
  /** Recordings for benches that can use one. */
  readonly recordings: readonly string[];
}

/** Where one bench runs: whatever it starts or writes is gone when it is over. */
export class Bed implements AsyncDisposable {
  readonly options: BedOptions;
  readonly folder: string;
  readonly #bench: string;
  readonly #sides: Side[] = [];

  constructor(bench: string, options: BedOptions) {
    this.#bench = bench;
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), `lifeline-bench-${bench}-`));
  }

  async side(name: string, settings: unknown, more: Partial<SideOptions> = {}): Promise<Side> {
    const { profile } = this.options;
    const under = profile && join(profile, this.#bench);
    const side = await Side.start(name, settings, { profile: under, ...more });
    this.#sides.push(side);
    return side;
  }

  report(figure: Figure): void {
    process.stdout.write(`${lineOf(this.#bench, figure)}\n`);
  }

  /** For whoever watches; not part of the result. */
  note(text: string): void {
    process.stderr.write(`${this.#bench}: ${text}\n`);
  }

  /** The longer one, or the shorter one in a quick run. */
  pick(usual: number, quick: number): number {
    return this.options.isQuick ? quick : usual;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const side of this.#sides.reverse()) await side.end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
