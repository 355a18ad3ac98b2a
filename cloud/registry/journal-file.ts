// The journal of a data folder, read where it lies and never written: while the cloud runs, after
// it has ended, or from a copy.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import type { Head } from '../alarms/chain.ts';
import { isChained, Journal } from '../alarms/journal.ts';
import type { NotedHeads } from './journal-heads.ts';
import { headsFor } from './journal-heads.ts';

export interface JournalFile {
  readonly journal: Journal;
  readonly heads: (newest: Head | null) => NotedHeads;
  close(): void;
}

/**
 * `folder` is the cloud's data folder, or the `registry` in it. Faults: `journal_not_found`,
 * `journal_unchained`.
 */
export function openJournalFile(folder: string): JournalFile {
  const found = [join(folder, 'registry'), folder].find((each) =>
    existsSync(join(each, 'registry.sqlite')),
  );
  if (found === undefined) throw new Fault('journal_not_found', 'never', folder);
  const path = join(found, 'registry.sqlite');
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    if (!isChained(database)) throw new Fault('journal_unchained', 'never', path);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    journal: new Journal(database),
    heads: (newest) => headsFor(found, newest),
    close: () => database.close(),
  };
}
