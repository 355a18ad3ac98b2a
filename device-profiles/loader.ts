// The one place that touches the files of the profile library. The YAML files stay in
// device-profiles/ of the package, also when the program runs as emitted JavaScript out of dist/.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assert, Fault, readFault } from '../core/fault.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import { PROFILE_ID_PATTERN } from './format.ts';
import type { Profile } from './profile.ts';
import { parseProfile } from './profile.ts';

export const SCHEMA_FILE = 'profile.schema.json';

/** The folder of the package's own profiles. */
export function libraryFolder(): string {
  const candidates = ['./', '../../device-profiles/'].map((relative) =>
    fileURLToPath(new URL(relative, import.meta.url)),
  );
  const folder = candidates.find((candidate) => existsSync(join(candidate, SCHEMA_FILE)));
  assert(folder, 'the profile library is part of the package');
  return folder;
}

/** Ids of all profiles in the folder, `vendor/model`, sorted. */
export function listProfiles(folder: string = libraryFolder()): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((vendor) =>
      readdirSync(join(folder, vendor.name))
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => `${vendor.name}/${name.slice(0, -'.yaml'.length)}`),
    )
    .sort();
}

export function profileFile(id: string, folder: string = libraryFolder()): string {
  return join(folder, `${id}.yaml`);
}

/** The bytes of a profile file; Fault `file_not_found` or `profile_unreadable` says why not. */
export function readProfileFile(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw readFault(path, error, 'profile_unreadable');
  }
}

/**
 * `vendor/model`, or with the revision wanted: `vendor/model@1` takes any 1.x.y, `@1.2.0` only that
 * one. Throws Fault `profile_unknown` or `profile_revision`, and InvalidInput when the file itself
 * is wrong.
 */
export function loadProfile(reference: string, folder: string = libraryFolder()): Profile {
  const [id = '', wanted, ...rest] = reference.split('@');
  const known = PROFILE_ID_PATTERN.test(id) && rest.length === 0 ? listProfiles(folder) : [];
  if (!known.includes(id)) {
    const meant = didYouMean(id, listProfiles(folder));
    const detail = meant
      ? bilingual('no-profile-near', { reference, meant })
      : bilingual('no-profile', { reference });
    throw new Fault('profile_unknown', 'never', detail);
  }
  const file = profileFile(id, folder);
  const profile = parseProfile(readProfileFile(file), file);
  if (wanted !== undefined && !`${profile.revision}.`.startsWith(`${wanted}.`)) {
    const { revision } = profile;
    const detail = bilingual('profile-other-revision', { id, revision, wanted });
    throw new Fault('profile_revision', 'never', detail);
  }
  return profile;
}
