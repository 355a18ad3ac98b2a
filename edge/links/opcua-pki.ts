// The folder `pki/` beside a gateway file: where things lie in it, how they are written, and the
// journal of who changed what. See opcua-trust.ts for what it all means.
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault, isFault, systemDetail } from '../../core/fault.ts';

/** A certificate as base64, and the lines before it. */
export const FILE_BYTES_MAX = 64 * 1024;
/** One act is about 300 bytes: 7,000 of them, half of them in the file before. */
export const JOURNAL_BYTES_MAX = 1024 * 1024;
const JOURNAL = 'journal.jsonl';
const JOURNAL_BEFORE = 'journal.1.jsonl';

export interface Decision {
  readonly who: string;
  readonly atMs: number;
}

/** One line of the journal. */
export interface TrustAct extends Decision {
  readonly did: 'trusted' | 'refused' | 'removed' | 'made' | 'prepared' | 'taken-into-use';
  readonly fingerprint: string;
  readonly subject: string;
  readonly endpoint: string | null;
}

export const trustedFolder = (folder: string) => join(folder, 'trusted', 'certs');
export const rejectedFolder = (folder: string) => join(folder, 'rejected');
/** What the gateway shows, and what it will show once servers trust that. */
export const ownFiles = (folder: string) => filesIn(join(folder, 'own'));
export const nextFiles = (folder: string) => filesIn(join(folder, 'own', 'next'));

export interface OwnFiles {
  readonly certificate: string;
  readonly privateKey: string;
}

function filesIn(folder: string): OwnFiles {
  return {
    certificate: join(folder, 'certs', 'client_certificate.pem'),
    privateKey: join(folder, 'private', 'private_key.pem'),
  };
}

const below = [
  ...['own', 'own/certs', 'trusted', 'trusted/certs', 'trusted/crl'],
  ...['rejected', 'issuers', 'issuers/certs', 'issuers/crl'],
];

/** Throws Fault `pki_unusable`. */
export function makeFolders(folder: string): void {
  onDisk(folder, () => {
    mkdirSync(dirname(folder), { recursive: true });
    makeFolder(folder, 0o700);
    for (const part of below) makeFolder(join(folder, part));
    makeFolder(join(folder, 'own', 'private'), 0o700);
  });
}

export function makeFolder(folder: string, mode?: number): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, ...(mode === undefined ? {} : { mode }) });
  giveToOwner(folder);
}

/** What root makes here belongs to whose folder it is: the gateway, which is not root, reads it. */
function giveToOwner(path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dirname(path));
  chownSync(path, uid, gid);
}

/** What the system refuses becomes Fault `pki_unusable`. */
export function onDisk<T>(folder: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (isFault(error) || !isSystemError(error)) throw error;
    throw new Fault('pki_unusable', 'later', systemDetail(folder, error), error);
  }
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}

/** All of it or nothing, also when the power goes. */
export function writeWhole(file: string, text: string, mode = 0o644): void {
  const part = join(dirname(file), `.${process.pid}.part`);
  rmSync(part, { force: true }); // Of a process that had this number: its mode may be another.
  const handle = openSync(part, 'wx', mode);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  giveToOwner(part);
  renameSync(part, file);
  syncFolder(dirname(file));
}

/** A file that was moved has moved, also when the power goes. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Null when there is none; a file too large to be a certificate or key counts as empty. */
export function readIfThere(file: string): string | null {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat) return null;
  return stat.isFile() && stat.size <= FILE_BYTES_MAX ? readFileSync(file, 'latin1') : '';
}

/** Hidden ones are being written. A folder that is not there is empty. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** RFC 7468: 64 characters a line. */
export function pemBlock(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

/** What is in the first block; the bytes themselves where there is none. */
export function derOf(content: Buffer): Uint8Array {
  const block = /-----BEGIN CERTIFICATE-----([\s\S]*?)-----END CERTIFICATE-----/;
  const [, base64] = block.exec(content.toString('latin1')) ?? [];
  return base64 === undefined ? content : Buffer.from(base64, 'base64');
}

/** Adds a line to the journal; what is older is kept in one more file. */
export function note(folder: string, { atMs, ...act }: TrustAct): void {
  const file = join(folder, JOURNAL);
  onDisk(folder, () => {
    const line = `${JSON.stringify({ at: new Date(atMs).toISOString(), ...act })}\n`;
    const bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    if (bytes + line.length > JOURNAL_BYTES_MAX) renameSync(file, join(folder, JOURNAL_BEFORE));
    appendFileSync(file, line, { mode: 0o600 });
    giveToOwner(file);
  });
}
