// Photos and files of cases, in a folder: each is named by the SHA-256 of its bytes, so that no
// name a client gives reaches the disk, the same file is there once, and what was changed on the
// disk is noticed when it is read.
//
// Promises. What `receive` returns is on the disk (synced) before the case names it. No file is
// larger than FILE_BYTES_MAX, all together never more than the bound given; what does not fit is
// refused before it is taken. What no case names (a crash between the two, an upload that was
// refused after all) is removed at the next start.
import { createHash, type Hash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, systemDetail } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';

/** A photo of a phone is 3 to 5 MB, a plan as PDF rarely more. */
export const FILE_BYTES_MAX = 8 * 1024 * 1024;
/** 64 full files are one case; the default room holds the files of some thousand usual ones. */
export const FILES_BYTES_DEFAULT = 4 * 1024 ** 3;

/** What is taken, and how it begins: who says image must bring an image. */
const begins: Readonly<Record<string, (head: Buffer) => boolean>> = {
  'image/jpeg': (head) => head.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff])),
  'image/png': (head) => head.subarray(1, 4).toString('latin1') === 'PNG',
  'image/webp': (head) => head.subarray(8, 12).toString('latin1') === 'WEBP',
  'image/heic': (head) => head.subarray(4, 8).toString('latin1') === 'ftyp',
  'application/pdf': (head) => head.subarray(0, 5).toString('latin1') === '%PDF-',
  'text/plain': (head) => !head.includes(0),
  'text/csv': (head) => !head.includes(0),
};
export const fileTypes: readonly string[] = Object.keys(begins);

export interface Received {
  readonly sha256: string;
  readonly bytes: number;
}

export class Attachments {
  readonly #folder: string;
  readonly #bytesMax: number;
  /** On disk, and promised to uploads under way. */
  #bytes = 0;
  #incoming = 0;

  /** `known`: the files that cases name; all others in the folder are removed. */
  constructor(folder: string, bytesMax: number, known: ReadonlySet<string>) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o700);
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (known.has(name)) this.#bytes += statSync(path).size;
      else rmSync(path, { recursive: true });
    }
  }

  /** Of all files, for metrics. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Takes a file to its end. Throws a Fault: `case_file_too_large`, `case_files_full`,
   * `case_file_type` (it does not begin as its type does), `case_file_damaged` (it was cut short,
   * or its hash is not the one expected), `case_file_disk`.
   */
  async receive(
    source: AsyncIterable<Uint8Array>,
    type: string,
    expected: string | null,
  ): Promise<Received> {
    if (this.#bytes + FILE_BYTES_MAX > this.#bytesMax) {
      throw new Fault('case_files_full', 'later', bilingual('case-room', { max: this.#bytesMax }));
    }
    // Promised whole, so that uploads side by side do not pass the bound together.
    this.#bytes += FILE_BYTES_MAX;
    const path = join(this.#folder, `incoming-${++this.#incoming}`);
    let kept = 0;
    try {
      const received = await write(path, source, type);
      if (expected !== null && received.sha256 !== expected.toLowerCase()) {
        throw new Fault('case_file_damaged', 'never', bilingual('case-file-hash', received));
      }
      kept = await this.#keep(path, received);
      return received;
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      this.#bytes += kept - FILE_BYTES_MAX;
    }
  }

  /** How many bytes that took: none where the file is there already. */
  async #keep(path: string, { sha256, bytes }: Received): Promise<number> {
    const target = join(this.#folder, sha256);
    const isThere = await stat(target).then(
      () => true,
      () => false,
    );
    // Also over one that is there: the newly written one is whole for sure.
    await rename(path, target).catch(refuseDisk(target));
    await syncFolder(this.#folder);
    return isThere ? 0 : bytes;
  }

  /** Throws Fault `case_file_lost` where the bytes are no longer those that were attached. */
  async read(sha256: string): Promise<Buffer> {
    const path = join(this.#folder, sha256);
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new Fault('case_file_lost', 'never', systemDetail(path, error), error);
    });
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found === sha256) return bytes;
    throw new Fault('case_file_lost', 'never', bilingual('case-file-hash', { sha256: found }));
  }
}

async function write(
  path: string,
  source: AsyncIterable<Uint8Array>,
  type: string,
): Promise<Received> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600).catch(refuseDisk(path));
  try {
    const bytes = await pour(file, path, source, hash, type);
    await file.sync().catch(refuseDisk(path));
    return { sha256: hash.digest('hex'), bytes };
  } finally {
    await file.close();
  }
}

async function pour(
  file: FileHandle,
  path: string,
  source: AsyncIterable<Uint8Array>,
  hash: Hash,
  type: string,
): Promise<number> {
  let bytes = 0;
  let head = Buffer.alloc(0);
  for await (const chunk of unbroken(source)) {
    bytes += chunk.length;
    if (bytes > FILE_BYTES_MAX) {
      const detail = bilingual('case-file-beyond', { max: FILE_BYTES_MAX });
      throw new Fault('case_file_too_large', 'never', detail);
    }
    if (head.length < HEAD_BYTES) head = Buffer.concat([head, chunk.subarray(0, HEAD_BYTES)]);
    hash.update(chunk);
    await file.write(chunk).catch(refuseDisk(path));
  }
  if (bytes === 0 || !begins[type]?.(head)) {
    throw new Fault('case_file_type', 'never', bilingual('case-file-begins', { type }));
  }
  return bytes;
}

/** Enough to know each type by. */
const HEAD_BYTES = 512;

async function* unbroken(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw new Fault('case_file_damaged', 'later', bilingual('case-file-cut'), error);
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(refuseDisk(folder));
  try {
    await handle.sync().catch(refuseDisk(folder));
  } finally {
    await handle.close();
  }
}

function refuseDisk(path: string): (error: unknown) => never {
  return (error) => {
    throw new Fault('case_file_disk', 'later', systemDetail(path, error), error);
  };
}

/** Control characters, and those that turn the direction of what follows. */
const UNSEEN = /[\p{Cc}\p{Bidi_Control}]/gu;

/** The last part of what a client calls its file: a label, shown and never a path. */
export function fileLabel(name: string): string {
  const last = name.split(/[/\\]/).at(-1) ?? '';
  const short = [...last.replaceAll(UNSEEN, '').trim()].slice(0, 120).join('');
  return /^\.*$/.test(short) ? 'file' : short;
}
