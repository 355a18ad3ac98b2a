// Profiles, whatever a file says: a profile or findings that can be shown, never an exception; and
// what is taken can be tried on its own tests.
import assert from 'node:assert/strict';
import { FINDINGS_MAX, renderFinding } from '../core/problems.ts';
import type { FuzzTarget } from '../tests/fuzz/target.ts';
import { brokenYaml } from '../tests/fuzz/yaml.ts';
import { listProfiles, profileFile, readProfileFile } from './loader.ts';
import { checkProfile } from './profile.ts';
import { runProfileTests } from './vectors.ts';

/** Most inputs are made of short ones: reading a long one takes many times as long. */
const SHORT_BYTES = 2_000;

let all: readonly string[] = [];
let short: readonly string[] = [];

function readLibrary(): void {
  all = listProfiles().map((id) => new TextDecoder().decode(readProfileFile(profileFile(id))));
  short = all.filter(({ length }) => length <= SHORT_BYTES);
}

export const profiles: FuzzTarget = {
  name: 'profile-yaml',
  about: 'device profiles',
  swallow: (draw) => {
    if (all.length === 0) readLibrary();
    const text = brokenYaml(draw, draw.oneIn(16) ? all : short);
    const { profile, problems } = checkProfile(text, 'fuzz.yaml');
    assert.equal(profile === undefined, problems.failed);
    assert(problems.findings.length <= FINDINGS_MAX);
    const source = typeof text === 'string' ? text : undefined;
    for (const finding of problems.findings.slice(0, 5)) {
      assert(renderFinding(finding, 'zh', source).length > 0);
    }
    if (profile) runProfileTests(profile);
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  },
};
