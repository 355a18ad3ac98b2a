// The files and folders a command is told of, with a clear fault when they are not what it needs.
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Fault, readFault, systemDetail } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';

/** The text of a file; throws Fault `file_not_found` or `file_unreadable`. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw readFault(path, error, 'file_unreadable');
  }
}

/** The bytes of a file; throws as `readText` does. */
export function readBytes(path: string): Buffer<ArrayBuffer> {
  try {
    return readFileSync(path);
  } catch (error) {
    throw readFault(path, error, 'file_unreadable');
  }
}

/** Writes a new file; one that is there is left as it is. Throws Fault `file_not_written`. */
export function writeNew(path: string, bytes: string | Uint8Array): void {
  try {
    writeFileSync(path, bytes, { flag: 'wx' });
  } catch (error) {
    const isThere = (error as { readonly code?: unknown }).code === 'EEXIST';
    const detail = isThere ? bilingual('file-is-there', { path }) : systemDetail(path, error);
    throw new Fault('file_not_written', 'never', detail, error);
  }
}

/** Makes the folder if need be; throws Fault `folder_unwritable` before anything is started. */
export function writableFolder(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Fault('folder_unwritable', 'never', systemDetail(path, error), error);
  }
  return path;
}
