import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { renderFinding } from '../core/problems.ts';
import type { Language } from '../core/text/text.ts';
import {
  libraryFindings,
  profileCheck,
  profileList,
  profileObject,
  profileShow,
  profileTest,
  renderChecks,
  renderTests,
} from './catalogue.ts';
import { profileJsonSchema } from './format.ts';
import { libraryFolder, listProfiles, loadProfile, profileFile, SCHEMA_FILE } from './loader.ts';
import { checkProfile } from './profile.ts';
import { runProfileTests } from './vectors.ts';

test('every profile of the library is without findings, and every point of it is tested', () => {
  expect(libraryFindings().map((finding) => renderFinding(finding, 'en'))).toEqual([]);
  expect(listProfiles().length).toBeGreaterThanOrEqual(5);
});

test('every profile of the library passes its own tests', () => {
  const { text, failed } = renderTests(profileTest([]), 'en');
  expect(failed, text).toBe(false);
});

test('the JSON Schema for editors is the one of the format, and every profile names it', () => {
  const written = JSON.parse(readFileSync(join(libraryFolder(), SCHEMA_FILE), 'utf8'));
  expect(written).toEqual(JSON.parse(JSON.stringify(profileJsonSchema())));
  for (const id of listProfiles()) {
    expect(readFileSync(profileFile(id), 'utf8'), id).toMatch(
      /^# yaml-language-server: \$schema=\.\.\/profile\.schema\.json\n/,
    );
  }
});

test('a limit of the library names where it comes from, and what to do about a life', () => {
  for (const id of listProfiles()) {
    for (const { definition, id: point } of loadProfile(id).points) {
      for (const rule of definition.rules) {
        if (rule.level === 1) expect(rule.action, `${id} ${point} ${rule.id}`).not.toBeNull();
      }
    }
  }
});

test('a profile is found by name and revision; a wrong name is answered with a near one', () => {
  expect(loadProfile('keller/series-30@1').id).toBe('keller/series-30');
  expect(loadProfile('keller/series-30@1.0.0').revision).toBe('1.0.0');
  const code = (reference: string) => {
    try {
      loadProfile(reference);
      return 'loaded';
    } catch (error) {
      return `${(error as { code?: string }).code}: ${(error as Error).message}`;
    }
  };
  expect(code('keller/series-30@2')).toMatch(/^profile_revision: .* 1\.0\.0, not 2/);
  expect(code('keler/series-30')).toMatch(/^profile_unknown: .*did you mean keller\/series-30\?/);
  expect(code('../../etc/passwd')).toMatch(/^profile_unknown/);
  expect(code('keller/series-30@1@2')).toMatch(/^profile_unknown/);
});

function checked(references: readonly string[], language: Language) {
  const report = profileCheck(references);
  return { text: renderChecks(report, language), failed: report.failed };
}

test('a check shows the line itself, and fails on errors only', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'profiles-'));
  try {
    const file = join(folder, 'bad.yaml');
    const good = readFileSync(profileFile('keller/series-30'), 'utf8');
    await writeFile(file, good.replace('clear: 1.5', 'clear: 1.3'));
    const { text, failed } = checked([file], 'en');
    expect(failed).toBe(true);
    expect(text).toMatch(/bad\.yaml:\d+:16: error\[alarm-never-clears\]: low is raised at 1\.4/);
    expect(text).toContain(
      ' |         clear: 1.3\n     |                ^\n     = clear must be above',
    );
    expect(checked([profileFile('keller/series-30')], 'zh').text).toContain('没有问题');
    expect(() => profileCheck([join(folder, 'none.yaml')])).toThrow('there is no such file');
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('the list and the pages read in both languages', () => {
  expect(profileList('en')).toMatch(/^honeywell\/sensepoint-xcd {2}Combustible gas detector/m);
  expect(profileList('zh')).toContain('可燃气体探测器');
  const page = profileShow('honeywell/sensepoint-xcd', 'zh');
  expect(page).toContain('依据 GB/T 50493-2019');
  expect(page).toContain('可燃气体浓度超高：达到或高于 50 %LEL，1 级，持续 2s');
});

test('a page says all that stands beside a value, and what is a default', () => {
  const xcd = profileShow('honeywell/sensepoint-xcd', 'en');
  expect(xcd).toContain('counts while mode says so (holding 6 uint16)');
  expect(xcd).toMatch(/unit checked in holding 10 uint16: 1 = mg\/m³, .*5 = %LEL/);
  expect(xcd).toMatch(/2 = warming up \(not in service\)/);
  expect(xcd).toContain('known by holding 0 uint8-hi = 37');
  expect(profileShow('qdy/qdy30a', 'en')).toContain('scale from holding 3 uint16 (decimals)');
  expect(profileShow('vega/vegapuls-60', 'en')).toMatch(/word order from .* 0 = ABCD, 1 = CDAB/);
  expect(profileShow('geokon/3810a', 'en')).toMatch(
    /trigger measure: write 1 to holding 280, then/,
  );
  expect(profileShow('vaisala/wxt530', 'zh')).toContain('首个请求可能没有应答');
  expect(xcd).toContain('from 1101, level 3, after 0s (default: delay, off_delay)');
});

test('a profile for programs has everything the file says, and nothing that JSON cannot say', () => {
  expect(profileObject('geokon/3810a')).toMatchObject({
    id: 'geokon/3810a',
    triggers: [{ id: 'measure', start: { kind: 'write', address: 0x0118 }, waitMs: 1000 }],
  });
  for (const id of listProfiles()) {
    const text = JSON.stringify(profileObject(id));
    expect((JSON.parse(text) as { points: unknown[] }).points.length).toBeGreaterThan(0);
  }
});

test('a model may be named where a file is wanted, and a wrong one has a near one', () => {
  expect(checked(['keller/series-30'], 'en').failed).toBe(false);
  expect(() => profileCheck(['keler/series-30'])).toThrow(/did you mean keller\/series-30/);
  expect(() => profileTest(['keler/series-30'])).toThrow(/did you mean keller\/series-30/);
  expect(profileTest([profileFile('keller/series-30')])[0]?.profile).toBe('keller/series-30');
});

test('the example of the guide is a right profile, and its tests pass', () => {
  const guide = readFileSync(join(libraryFolder(), 'README.md'), 'utf8');
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];
  const { profile, problems } = checkProfile(example, 'README.md');
  expect(problems.findings.map((finding) => renderFinding(finding, 'en'))).toEqual([]);
  expect(runProfileTests(profile!).flatMap(({ failures }) => failures)).toEqual([]);
});

test('the examples of commands and of OPC UA in the guide are right, and their tests pass', () => {
  const guide = readFileSync(join(libraryFolder(), 'README.md'), 'utf8');
  const example = (heading: string) =>
    guide.split(`\n## ${heading}\n`)[1]!.match(/```yaml\n([\s\S]*?)```/)![1]!;
  const head = (protocol: string) => `version: 1
profile:
  id: acme/station
  revision: "1.0.0"
  kind: pump-station
  vendor: ACME
  models: [Station]
  title: { en: Station, zh: 泵站 }
  source: { document: Guide, status: official }
${protocol}`;
  const commands = checkProfile(head('protocol: modbus\n') + example('Commands'), 'README.md');
  expect(commands.problems.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  expect(
    commands.profile?.points.flatMap(({ id, commands: offered = [] }) =>
      offered.map(({ offer }) => `${id}.${offer.id}`),
    ),
  ).toEqual(['running.start', 'running.stop', 'speed.set']);
  const nodes = checkProfile(head('') + example('OPC UA'), 'README.md');
  expect(nodes.problems.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  const failures = runProfileTests(nodes.profile!).flatMap((result) => result.failures);
  expect(failures).toEqual([]);
});
