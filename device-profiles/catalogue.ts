// What `lifeline profile …` says: the library as a list, one profile as a page, checks and tests of
// profile files. Text and data come back; printing is the command line's.
import { durationText } from '../core/duration.ts';
import type { Finding } from '../core/problems.ts';
import { renderFinding } from '../core/problems.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import { addressText, commandTexts, deviceTexts, ruleText, valueTexts } from './described.ts';
import { deviceKinds, PROFILE_ID_PATTERN, statuses } from './format.ts';
import { listProfiles, loadProfile, profileFile, readProfileFile } from './loader.ts';
import type { Profile, ProfilePoint } from './profile.ts';
import { checkProfile, parseProfile } from './profile.ts';
import type { TestResult } from './vectors.ts';
import { runProfileTests } from './vectors.ts';

export interface Outcome {
  readonly text: string;
  readonly failed: boolean;
}

/** The library for programs: one object a profile, nothing in it translated but by both texts. */
export function profileObjects() {
  return listProfiles().map((id) => {
    const { revision, kind, vendor, models, title, source, points } = loadProfile(id);
    const { status } = source;
    return { id, revision, kind, vendor, models, title, status, points: points.length };
  });
}

/** One line a profile: id, kind, title. */
export function profileList(language: Language): string {
  const ids = listProfiles();
  const width = Math.max(...ids.map((id) => id.length));
  const lines = ids.map((id) => {
    const { kind, title } = loadProfile(id);
    return `${id.padEnd(width)}  ${title[language]} (${deviceKinds[kind][language]})`;
  });
  return [...lines, say(language, 'profile-count', { count: ids.length })].join('\n');
}

/** A profile of the library, or of a file that is named; throws what `loadProfile` throws. */
export function openProfile(reference: string): Profile {
  if (!isFile(reference)) return loadProfile(reference);
  return parseProfile(readProfileFile(reference), reference);
}

function isFile(reference: string): boolean {
  return /\.ya?ml$/.test(reference);
}

/** A page about one profile; throws what `loadProfile` throws. */
export function profileShow(reference: string, language: Language): string {
  const profile = openProfile(reference);
  const { source } = profile;
  const status = statuses[source.status][language];
  const rules = profile.points.flatMap((point) =>
    point.definition.rules.map((rule) => `  ${ruleText(point, rule, language)}`),
  );
  const commands = profile.points.flatMap((point) =>
    commandTexts(point, language).map((text) => `  ${text}`),
  );
  const device = deviceTexts(profile, language);
  const caveats = [...profile.caveats, ...profile.points.flatMap(({ caveat }) => caveat ?? [])];
  return [
    `${profile.id}@${profile.revision}  ${profile.title[language]}`,
    deviceKinds[profile.kind][language],
    say(language, 'profile-models', { models: profile.models.join(', ') }),
    say(language, 'profile-source', { document: source.document, status }),
    ...(source.link ? [say(language, 'profile-link', { link: source.link })] : []),
    '',
    say(language, 'profile-points'),
    ...profile.points.flatMap((point) => pointLines(point, language)),
    ...(device.length ? ['', say(language, 'profile-device')] : []),
    ...device.map((line) => `  ${line}`),
    ...(rules.length ? ['', say(language, 'profile-rules'), ...rules] : []),
    ...(commands.length ? ['', say(language, 'profile-commands'), ...commands] : []),
    ...(caveats.length ? ['', say(language, 'profile-caveats')] : []),
    ...caveats.map((caveat) => `  ${caveat[language]}`),
    '',
    say(language, 'profile-tests', { count: profile.tests.length }),
  ].join('\n');
}

function pointLines(point: ProfilePoint, language: Language): string[] {
  const { id, definition } = point;
  const { name, range, unit, class: pointClass, periodMs } = definition;
  const line = say(language, 'profile-point-line', {
    id,
    title: name[language],
    poll: durationText(periodMs),
    class: pointClass,
    where: addressText(point.address),
    range: range
      ? say(language, 'profile-range', {
          min: range[0],
          max: range[1],
          unit: unitSymbol(unit, language),
        })
      : '',
  });
  return [`  ${line}`, ...valueTexts(point, language).map((text) => `      ${text}`)];
}

/**
 * One profile for programs: what `parseProfile` made of it, maps as objects and patterns as texts.
 */
export function profileObject(reference: string): unknown {
  return JSON.parse(JSON.stringify(openProfile(reference), (_key, value: unknown) => plain(value)));
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof RegExp) return value.source;
  // A number JSON has, as one; beyond 2^53 it is a text.
  return typeof value === 'bigint' ? `${value}` : value;
}

export interface CheckReport {
  readonly files: readonly {
    readonly file: string;
    readonly findings: readonly Finding[];
    /** Found beyond those that are listed. */
    readonly beyond: number;
  }[];
  readonly errors: number;
  readonly warnings: number;
  readonly failed: boolean;
}

/** Everything there is to say about some files, or models of the library. */
export function profileCheck(references: readonly string[]): CheckReport {
  const files = references.map((reference) => {
    const file = fileOf(reference);
    const { problems } = checkProfile(readProfileFile(file), file);
    return { file, findings: problems.findings, beyond: problems.beyond };
  });
  const all = files.flatMap(({ findings }) => findings);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  return { files, errors, warnings: all.length - errors, failed: errors > 0 };
}

/**
 * A model that is named where a file is wanted stands for its file; a wrong name has a near one.
 */
function fileOf(reference: string): string {
  if (isFile(reference) || !PROFILE_ID_PATTERN.test(reference)) return reference;
  const known = listProfiles();
  if (!known.includes(reference)) loadProfile(reference); // Throws, and says which is near.
  return profileFile(reference);
}

/** Each finding with its line below it. */
export function renderChecks(report: CheckReport, language: Language): string {
  const { files, errors, warnings } = report;
  const blocks = files.flatMap(({ file, findings, beyond }) => {
    if (findings.length === 0) return [say(language, 'profile-fine', { file })];
    const text = new TextDecoder().decode(readProfileFile(file));
    const more = beyond > 0 ? [say(language, 'cli-findings-beyond', { count: beyond })] : [];
    return [...findings.map((finding) => renderFinding(finding, language, text)), ...more];
  });
  const count = { files: files.length, errors, warnings };
  return [...blocks, say(language, 'profile-checked', count)].join('\n');
}

export interface ProfileTestRun {
  readonly profile: string;
  readonly results: readonly TestResult[];
}

/**
 * Runs the tests of profiles, models or files, of all models when none is named; throws what
 * `loadProfile` throws.
 */
export function profileTest(references: readonly string[]): readonly ProfileTestRun[] {
  const wanted = references.length ? references : listProfiles();
  return wanted.map((reference) => {
    const profile = openProfile(reference);
    return { profile: profile.id, results: runProfileTests(profile) };
  });
}

/** What a person reads of a test run. */
export function renderTests(runs: readonly ProfileTestRun[], language: Language): Outcome {
  const lines: string[] = [];
  let passed = 0;
  let total = 0;
  for (const { profile, results } of runs) {
    for (const { name: test, failures } of results) {
      total++;
      if (failures.length === 0) passed++;
      const key = failures.length ? 'profile-test-failed' : 'profile-test-passed';
      lines.push(say(language, key, { profile, test }));
      for (const { point, expected, got } of failures) {
        lines.push(say(language, 'profile-test-difference', { point, expected, got }));
      }
    }
  }
  lines.push(say(language, 'profile-tests-total', { passed, total }));
  return { text: lines.join('\n'), failed: passed < total };
}

/** Every finding in the whole library, warnings included: what the release must not contain. */
export function libraryFindings(): readonly Finding[] {
  return listProfiles().flatMap((id) => {
    const file = profileFile(id);
    const { profile, problems } = checkProfile(readProfileFile(file), file);
    if (profile && profile.id !== id) {
      problems.add(['profile', 'id'], 'profile-misplaced', {
        id: profile.id,
        expected: `device-profiles/${profile.id}.yaml`,
      });
    }
    return problems.findings;
  });
}
