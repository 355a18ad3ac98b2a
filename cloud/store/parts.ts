// Parts: immutable Parquet files of one day of labels each, sorted by series and time. Which files
// count is said by a table in the database; this file plans them and handles them on disk.
//
// A part is written under another name, synced, hashed and renamed before a transaction lists it.
// So a listed part is whole, and whatever is not listed is left over from a crash and may go. A
// part that is missing or does not match its hash is reported and left out: the rest of the
// history stays readable.
//
// Files are handled in the calling thread, which is the store's own: a disk that hangs holds up
// history, and none of the threads that the process shares.
import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import type { PartFile } from './queries.ts';
import type { Span } from './store.ts';

export const DAY_MS = 86_400_000;

/** Labels, both ends included. */
export interface Part extends Span {
  readonly file: string;
  /** Days since 1970. */
  readonly day: number;
  readonly rows: number;
  readonly bytes: number;
  /** SHA-256 of the file. */
  readonly hash: string;
  readonly seriesMin: number;
  readonly seriesMax: number;
  /** Made of all parts a closed day had; merged parts of a day share no series. */
  readonly isMerged: boolean;
  /** Numbers of the sources whose rows may yet be labelled anew. */
  readonly unknownSources: readonly number[];
  /** It has the columns of what devices said, and of fills: only where a row needs them. */
  readonly isWide: boolean;
}

/** Parts as a query reads them. */
export function filesOf(folder: PartFolder, parts: readonly Part[]): PartFile[] {
  return parts.map(({ file, isWide }) => ({ path: folder.pathOf(file), isWide }));
}

/** About 5 ms of work. */
const HASH_PIECE_BYTES = 4 * 1024 * 1024;
/** Loose parts a closed day may have beside its merged ones before all are merged again. */
const LOOSE_PARTS_MAX = 8;
/** Or rows in them, as a share of the merged: below it a merge would rewrite much for little. */
const LOOSE_SHARE_MAX = 0.25;

/** The parts to merge next: all of one closed day, the oldest first; empty when nothing is due. */
export function planMerge(parts: readonly Part[], today: number): readonly Part[] {
  const days = Map.groupBy(parts, ({ day }) => day);
  const sorted = [...days].filter(([day]) => day !== today).sort(([a], [b]) => a - b);
  for (const [, ofDay] of sorted) {
    const loose = ofDay.filter(({ isMerged }) => !isMerged);
    const looseRows = rowsOf(loose);
    const mergedRows = rowsOf(ofDay) - looseRows;
    const isDue =
      mergedRows === 0
        ? loose.length > 1
        : loose.length >= LOOSE_PARTS_MAX || looseRows > mergedRows * LOOSE_SHARE_MAX;
    if (isDue) return ofDay;
  }
  return [];
}

function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { rows }) => sum + rows, 0);
}

export interface SeriesRun {
  readonly first: number;
  readonly last: number;
}

/**
 * Cuts series into runs of at most `rowsMax` rows, by series number; a series is never cut, so one
 * that alone has more makes a larger run. `counts` ascends by series.
 */
export function planRuns(
  counts: Iterable<{ readonly series: number; readonly rows: number }>,
  rowsMax: number,
): SeriesRun[] {
  const runs: { first: number; last: number }[] = [];
  let rowsInRun = 0;
  for (const { series, rows } of counts) {
    const run = runs.at(-1);
    if (!run || rowsInRun + rows > rowsMax) {
      runs.push({ first: series, last: series });
      rowsInRun = rows;
    } else {
      run.last = series;
      rowsInRun += rows;
    }
  }
  return runs;
}

export class PartFolder {
  readonly path: string;
  #number = 0;

  private constructor(path: string) {
    this.path = path;
  }

  /** Opens the folder and removes what `listed` does not name; returns how many files went. */
  static open(
    path: string,
    listed: ReadonlySet<string>,
  ): { readonly folder: PartFolder; readonly removed: number } {
    mkdirSync(path, { recursive: true });
    const folder = new PartFolder(path);
    let removed = 0;
    for (const file of readdirSync(path)) {
      const number = Number.parseInt(file.replace('part-', ''), 10);
      if (number > folder.#number) folder.#number = number;
      if (listed.has(file)) continue;
      rmSync(join(path, file), { recursive: true, force: true });
      removed++;
    }
    for (const file of listed) {
      const number = Number.parseInt(file.replace('part-', ''), 10);
      if (number > folder.#number) folder.#number = number;
    }
    return { folder, removed };
  }

  pathOf(file: string): string {
    return join(this.path, file);
  }

  /** A name never used in this folder while a listed part has it. */
  nextName(): string {
    this.#number++;
    return `part-${String(this.#number).padStart(8, '0')}.parquet`;
  }

  draftPath(file: string): string {
    return join(this.path, `${file}.draft`);
  }

  /** Makes a written draft durable under its name. */
  async finish(file: string): Promise<{ readonly bytes: number; readonly hash: string }> {
    const draft = this.draftPath(file);
    sync(draft);
    const hash = await hashOf(draft);
    const bytes = statSync(draft).size;
    renameSync(draft, this.pathOf(file));
    sync(this.path);
    return { bytes, hash };
  }

  remove(files: Iterable<string>): void {
    for (const file of files) {
      rmSync(this.pathOf(file), { force: true });
      rmSync(this.draftPath(file), { force: true });
    }
  }

  /** What is seen without reading the file. */
  glance({ file, bytes }: Part): 'missing' | 'damaged' | null {
    if (!existsSync(this.pathOf(file))) return 'missing';
    return statSync(this.pathOf(file)).size === bytes ? null : 'damaged';
  }

  /** Reads the whole file: about a second a gigabyte. */
  async verify(part: Part): Promise<'missing' | 'damaged' | null> {
    const glance = this.glance(part);
    if (glance) return glance;
    try {
      return (await hashOf(this.pathOf(part.file))) === part.hash ? null : 'damaged';
    } catch (error) {
      // A disk that cannot read the file, or a file that went meanwhile: for the history both are
      // damage.
      if (error instanceof Error && 'code' in error) return 'damaged';
      throw error;
    }
  }
}

function sync(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

// In pieces, so that rows go on coming in between.
async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const piece = new Uint8Array(HASH_PIECE_BYTES);
  const handle = openSync(path, 'r');
  try {
    for (let read = readSync(handle, piece); read > 0; read = readSync(handle, piece)) {
      hash.update(piece.subarray(0, read));
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex');
}
