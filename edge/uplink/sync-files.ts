// Whether somebody sets this machine's clock: what the two usual time services leave in the file
// system.
import { statSync } from 'node:fs';
import type { SyncSource } from '../clock-watch.ts';

/**
 * systemd-timesyncd touches the first at each synchronisation, chronyd writes the second while it
 * is synchronised.
 */
export const syncFiles: readonly string[] = [
  '/run/systemd/timesync/synchronized',
  '/var/lib/chrony/chrony.drift',
  '/var/lib/chrony/drift',
];

/**
 * The wall time at which the youngest of the files was written; one we may not look at counts as
 * absent.
 */
export function syncByFiles(paths: readonly string[] = syncFiles): SyncSource {
  return () => {
    const times = paths.map(writtenMs).filter((time) => time !== null);
    return times.length > 0 ? Math.max(...times) : null;
  };
}

function writtenMs(path: string): number | null {
  try {
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
  } catch {
    return null; // Its folder is closed to us.
  }
}
