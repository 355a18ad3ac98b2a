// What `lifeline profile …` says: the library as a list, one profile as a page, checks and tests of
// profile files. Text and data come back; printing is the command line's.
import type { RuleProposal } from '../core/alarm/rule.ts';
import { durationText } from '../core/duration.ts';
import type { Finding } from '../core/problems.ts';
import { renderFinding } from '../core/problems.ts';
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import type { ModbusAddress } from '../protocols/modbus/address.ts';
import { deviceKinds, statuses } from './format.ts';
import { listProfiles, loadProfile, profileFile, readProfileFile } from './loader.ts';
import type { Profile, ProfilePoint } from './profile.ts';
import { checkProfile } from './profile.ts';
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

/** A page about one profile; throws what `loadProfile` throws. */
export function profileShow(reference: string, language: Language): string {
  const profile = loadProfile(reference);
  const { source } = profile;
  const status = statuses[source.status][language];
  const rules = profile.points.flatMap((point) =>
    point.definition.rules.map((rule) => `  ${ruleLine(point, rule, language)}`),
  );
  const caveats = [...profile.caveats, ...profile.points.flatMap(({ caveat }) => caveat ?? [])];
  return [
    `${profile.id}@${profile.revision}  ${profile.title[language]}`,
    say(language, 'profile-models', { models: profile.models.join(', ') }),
    say(language, 'profile-source', { document: source.document, status }),
    ...(source.link ? [say(language, 'profile-link', { link: source.link })] : []),
    '',
    say(language, 'profile-points'),
    ...profile.points.map((point) => `  ${pointLine(point, language)}`),
    ...(rules.length ? ['', say(language, 'profile-rules'), ...rules] : []),
    ...(caveats.length ? ['', say(language, 'profile-caveats')] : []),
    ...caveats.map((caveat) => `  ${caveat[language]}`),
  ].join('\n');
}

function pointLine(point: ProfilePoint, language: Language): string {
  const { id, definition, address } = point;
  const { name, range, unit, class: pointClass, periodMs } = definition;
  const line = say(language, 'profile-point-line', {
    id,
    title: name[language],
    poll: durationText(periodMs),
    class: pointClass,
    where: `${address.table} ${address.address} ${address.type}`,
    range: range
      ? say(language, 'profile-range', {
          min: range[0],
          max: range[1],
          unit: unitSymbol(unit, language),
        })
      : '',
  });
  return [line, ...asideLines(point, language)].join('');
}

/** What is read or done beside the value. */
function asideLines({ auxiliary }: ProfilePoint, language: Language): string[] {
  if (!auxiliary) return [];
  const { mode, unit, scale, order, signal, before } = auxiliary;
  const where = ({ address: { table, address } }: { readonly address: ModbusAddress }) => ({
    where: `${table} ${address}`,
  });
  const wait = durationText(before?.waitMs ?? 0);
  return [
    ...(mode ? [say(language, 'profile-mode', { mode: mode.point })] : []),
    ...(unit ? [say(language, 'profile-unit-from', where(unit))] : []),
    ...(scale ? [say(language, 'profile-scale-from', where(scale))] : []),
    ...(order ? [say(language, 'profile-order-from', where(order))] : []),
    ...(signal ? [say(language, 'profile-signal')] : []),
    ...(before ? [say(language, 'profile-before', { wait, trigger: before.id })] : []),
  ];
}

function ruleLine(point: ProfilePoint, rule: RuleProposal, language: Language): string {
  const title = rule.title[language];
  const norm = point.norms[rule.id];
  const remarks = norm ? [say(language, 'profile-norm', { norm })] : [];
  const parts = point.defaults?.[rule.id] ?? [];
  if (parts.includes('rule')) remarks.push(say(language, 'profile-default'));
  else if (parts.length) {
    remarks.push(say(language, 'profile-default-parts', { parts: parts.join(', ') }));
  }
  const after = remarks.length ? ` (${remarks.join('; ')})` : '';
  if (rule.kind === 'no-data') {
    const values = { title, after: durationText(rule.silentMs), level: rule.level };
    return say(language, 'profile-silent', values) + after;
  }
  if (rule.kind === 'state') {
    const names = rule.states.map((state) => {
      const isFlag = point.definition.type === 'boolean';
      return point.states.get(isFlag ? state === 1 : state)?.[language] ?? `${state}`;
    });
    const states = names.join(language === 'zh' ? '、' : ', ');
    const values = { title, states, level: rule.level, delay: durationText(rule.onDelayMs) };
    return say(language, 'profile-state', values) + after;
  }
  const isHigh = rule.side === 'high' || rule.side === 'high-high';
  const values = {
    title,
    limit: rule.limit,
    unit: unitSymbol(point.definition.unit, language),
    level: rule.level,
    delay: durationText(rule.onDelayMs),
  };
  return say(language, isHigh ? 'profile-limit-high' : 'profile-limit-low', values) + after;
}

/** Everything there is to say about some files, each finding with its line below it. */
export function profileCheck(files: readonly string[], language: Language): Outcome {
  const blocks: string[] = [];
  let errors = 0;
  let warnings = 0;
  for (const file of files) {
    const source = readProfileFile(file);
    const { problems } = checkProfile(source, file);
    const text = new TextDecoder().decode(source);
    for (const finding of problems.findings) {
      if (finding.severity === 'error') errors++;
      else warnings++;
      blocks.push(renderFinding(finding, language, text));
    }
    if (problems.findings.length === 0) blocks.push(say(language, 'profile-fine', { file }));
  }
  blocks.push(say(language, 'profile-checked', { files: files.length, errors, warnings }));
  return { text: blocks.join('\n'), failed: errors > 0 };
}

export interface ProfileTestRun {
  readonly profile: string;
  readonly results: readonly TestResult[];
}

/** Runs the tests of profiles, of all when none is named; throws what `loadProfile` throws. */
export function profileTest(references: readonly string[]): readonly ProfileTestRun[] {
  const wanted = references.length ? references : listProfiles();
  return wanted.map((reference) => {
    const profile: Profile = loadProfile(reference);
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
