// Heads of the journal, noted in a second place: `journal-heads.jsonl` beside the registry. Each
// line is `{"seq":…,"hash":…,"at":…}`, appended and synced. What was noted cannot leave the journal
// unseen, though the journal alone is whole without it.
//
// A line is noted when the cloud starts and stops, after each act of the command line, and while
// there are new entries every minute or every HEAD_ENTRIES entries, whichever comes first: so much
// can be cut off the end unseen at most. Who can write both files can change both; against that a
// head is kept elsewhere (`lifeline audit head`, or the log).
//
// A line that a power cut left unfinished (it does not end in a brace) is skipped, and the next one
// begins a line of its own; any other that is no head is told as damage. At LINES_MAX lines (110 B
// each, 11 MB) the older half is left out when the file is opened: newer heads say more than older
// ones.
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Flaw, Head } from '../alarms/chain.ts';

export const HEAD_ENTRIES = 1_000;
export const HEAD_EVERY_MS = 60_000;
export const LINES_MAX = 100_000;

export interface NotedHeads {
  readonly heads: readonly Head[];
  readonly flaws: readonly Flaw[];
}

export class JournalHeads {
  readonly #file: string;
  #noted: Head | null;
  #triedMonoMs = Number.NEGATIVE_INFINITY;

  /** `folder` is that of the registry. */
  constructor(folder: string) {
    this.#file = fileOf(folder);
    const lines = textOf(this.#file).split('\n');
    if (lines.length > LINES_MAX) replace(this.#file, lines.slice(-LINES_MAX / 2).join('\n'));
    this.#noted = readHeads(folder).heads.at(-1) ?? null;
  }

  /** Notes it if it is due; returns whether. Throws what the disk says. */
  tick(head: Head | null, nowMs: number, monoMs: number): boolean {
    const isDue =
      head !== null &&
      (head.seq - (this.#noted?.seq ?? 0) >= HEAD_ENTRIES ||
        monoMs - this.#triedMonoMs >= HEAD_EVERY_MS);
    if (!isDue) return false;
    this.#triedMonoMs = monoMs;
    return this.note(head, nowMs);
  }

  /** False when it was the newest already. */
  note(head: Head | null, nowMs: number): boolean {
    if (head === null || head.hash === this.#noted?.hash) return false;
    const { seq, hash } = head;
    const line = JSON.stringify({ seq, hash, at: new Date(nowMs).toISOString() });
    const handle = openSync(this.#file, 'a+', 0o600);
    try {
      const { size } = fstatSync(handle);
      const last = Buffer.alloc(1);
      const isTorn = size > 0 && readSync(handle, last, 0, 1, size - 1) === 1 && last[0] !== 10;
      writeSync(handle, `${isTorn ? '\n' : ''}${line}\n`);
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    this.#noted = head;
    return true;
  }
}

/** What was noted, oldest first. */
export function readHeads(folder: string): NotedHeads {
  const lines = textOf(fileOf(folder)).split('\n');
  const heads: Head[] = [];
  const flaws: Flaw[] = [];
  lines.forEach((line, at) => {
    const head = headOf(line);
    if (head) heads.push(head);
    else if (line.endsWith('}')) {
      flaws.push({ kind: 'heads-damaged', seq: at + 1, through: at + 1 });
    }
  });
  return { heads, flaws };
}

/** With what is wrong when nothing was noted of a journal that has entries. */
export function headsFor(folder: string, newest: Head | null): NotedHeads {
  const noted = readHeads(folder);
  if (newest === null || noted.heads.length > 0) return noted;
  return { ...noted, flaws: [...noted.flaws, { kind: 'heads-missing', seq: 0, through: 0 }] };
}

function headOf(line: string): Head | null {
  const match = /^\{"seq":(\d{1,15}),"hash":"([0-9a-f]{64})","at":"[-0-9TZ:.]{20,30}"\}$/.exec(
    line,
  );
  return match ? { seq: Number(match[1]), hash: match[2]! } : null;
}

function fileOf(folder: string): string {
  return join(folder, 'journal-heads.jsonl');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

function replace(file: string, text: string): void {
  const unfinished = `${file}.new`;
  const handle = openSync(unfinished, 'w', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  renameSync(unfinished, file);
  const folder = openSync(dirname(file), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
