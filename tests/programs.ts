// Programs from Debian's packages that some tests use as foreign peers. `scripts/ensure.mjs --test`
// installs them where it may; elsewhere the tests that need one are skipped, but never silently in
// CI.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Path of a program, or null where it is missing; with CI=true a missing one is a failure. */
export function program(name: string): string | null {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  if (!found && process.env['CI'] === 'true') throw new Error(`${name} is not installed`);
  return found ?? null;
}
