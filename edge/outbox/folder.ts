// The folder of an outbox: which files there are, which of them speaks for the state, and what
// becomes of a file that is none.
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isFault } from '../../core/fault.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import { fileFault, keepClasses, OutboxFile, type Row, sizeOf } from './file.ts';
import { Ledger } from './ledger.ts';

/** Damaged files kept for a person to look at; older ones are removed. */
export const SET_ASIDE_MAX = 2;

const ROW_BYTES = 128; // Beside the record itself.

const NAME = /^outbox-([0-9]{8})\.sqlite$/;

/** A file as the core knows it. Ranges are of records that can be read. */
export interface FileState {
  readonly number: number;
  readonly path: string;
  handle: OutboxFile | null;
  bytes: number;
  /** Where scanning goes on; null when it is done. */
  scanKey: number | null;
  readonly held: Map<Epoch, RangeSet>;
  readonly events: Map<Epoch, RangeSet>;
  readonly manifests: Set<Hash>;
  /** Of its records: what it is ended by. An upper bound in a file of an earlier run. */
  recordBytes: number;
  /** Rows of each keep class. */
  readonly rows: number[];
  /** How many of the keep classes were given up in it already. */
  gaveUp: number;
}

export function newFileState(folder: string, number: number): FileState {
  const path = join(folder, `outbox-${String(number).padStart(8, '0')}.sqlite`);
  return {
    number,
    path,
    handle: null,
    bytes: sizeOf(path),
    scanKey: 0,
    held: new Map(),
    events: new Map(),
    manifests: new Set(),
    recordBytes: sizeOf(path),
    rows: keepClasses.map(() => 0),
    gaveUp: 0,
  };
}

export function noteRow(file: FileState, row: Row): void {
  if (file.held.get(row.epoch)?.has(row.sequence)) return; // Noted as written.
  file.recordBytes += row.bytes.length + ROW_BYTES;
  file.rows[keepClasses.indexOf(row.keep)]! += 1;
  addTo(file.held, row);
  if (row.keep === 'event') addTo(file.events, row);
  if (row.manifest !== '') file.manifests.add(row.manifest);
}

function addTo(sets: Map<Epoch, RangeSet>, { epoch, sequence }: Row): void {
  let set = sets.get(epoch);
  if (!set) sets.set(epoch, (set = new RangeSet()));
  set.add(sequence);
}

/** The files there are, oldest first; nothing of them has been read. */
export function listFiles(folder: string): FileState[] {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return readdirSync(folder)
      .flatMap((name) => NAME.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => a - b)
      .map((number) => newFileState(folder, number));
  } catch (error) {
    throw fileFault(error, folder);
  }
}

/**
 * The state of the newest file that has it whole, with what can be read of damaged newer ones over
 * it.
 * Leaves the newest file open for appending when it is healthy; takes files away that are none.
 */
export function loadNewest(folder: string, files: FileState[], logPages: number): Ledger {
  const readable: ReadonlyMap<string, string>[] = [];
  for (let at = files.length - 1; at >= 0; at--) {
    const file = files[at]!;
    const handle = openNewest(folder, files, file, logPages);
    if (!handle) continue;
    const { state, isWhole } = handle.loadState();
    if (isWhole && state.size === 0) {
      // Its making was cut short before its first commit.
      handle.close();
      files.splice(at, 1);
      removeFile(file.path);
      continue;
    }
    if (isWhole && at === files.length - 1) file.handle = handle;
    else handle.close();
    readable.push(state);
    if (isWhole) break;
  }
  const state = new Map<string, string>();
  for (const part of readable.reverse()) for (const [key, value] of part) state.set(key, value);
  return Ledger.from(state);
}

function openNewest(
  folder: string,
  files: FileState[],
  file: FileState,
  logPages: number,
): OutboxFile | null {
  try {
    return OutboxFile.open(file.path, logPages);
  } catch (error) {
    if (!isFault(error) || error.code === 'outbox_busy') throw error;
    if (error.code === 'outbox_damaged') {
      setAside(folder, file.path);
      files.splice(files.indexOf(file), 1);
    }
    return null; // On a full or failing disk the file stays for later.
  }
}

/** Renames a file that nothing can be read of, and removes the oldest of those beyond the bound. */
export function setAside(folder: string, path: string): void {
  try {
    renameSync(path, `${path}.damaged`);
    rmSync(`${path}-wal`, { force: true });
    const damaged = readdirSync(folder)
      .filter((name) => name.endsWith('.damaged'))
      .sort();
    for (const name of damaged.slice(0, -SET_ASIDE_MAX)) rmSync(join(folder, name));
  } catch (error) {
    fileFault(error, path); // The file stays, and is skipped again next time.
  }
}

export function removeFile(path: string): void {
  try {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
  } catch (error) {
    fileFault(error, path);
  }
}

/** The opening number in an epoch's name. */
export function openingOf(epoch: Epoch): number {
  return Number.parseInt(epoch, 10);
}

/** The highest opening number among the rows: asked for only when the state was lost. */
export function newestOpening(files: readonly FileState[]): number {
  let newest = 0;
  for (const { path, handle } of files) {
    try {
      const file = handle ?? OutboxFile.open(path, null);
      newest = Math.max(newest, openingOf(file.lastEpoch() ?? '0'));
      if (!handle) file.close();
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }
  return newest;
}
