// A figure is one number that a bench stands for, printed as one JSON line with the machine and the
// commit it was measured on, so that lines from different days can stand side by side.
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the figure should be, and which side of it is good. */
  readonly target?: string;
  /** Against another side measured in the same run: this divided by that. */
  readonly ratio?: Readonly<Record<string, number>>;
  /** What one must know to read the figure: sizes, rates, what was injected. */
  readonly with?: Readonly<Record<string, number | string>>;
}

const DIGITS = 4;

export function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** The `share` quantile (0..1) of the values, by nearest rank; NaN when there are none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export function lineOf(bench: string, figure: Figure): string {
  const ratio = figure.ratio && {
    ratio: Object.fromEntries(
      Object.entries(figure.ratio).map(([name, value]) => [name, rounded(value)]),
    ),
  };
  const line = { bench, ...figure, value: rounded(figure.value), ...ratio };
  return JSON.stringify({ ...line, machine, commit, at: new Date().toISOString() });
}

const machine = {
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memGiB: rounded(totalmem() / 1024 ** 3),
  node: process.version,
};

const commit = commitOf();

// With a `+` when files differ from it.
function commitOf(): string {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim();
  try {
    const changes = git('status', '--porcelain', '--untracked-files=no');
    return `${git('rev-parse', '--short', 'HEAD')}${changes ? '+' : ''}`;
  } catch {
    return 'unknown'; // Not a clone: a copy of the files.
  }
}
