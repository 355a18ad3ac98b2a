import { writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';
import { Fault } from '../core/fault.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import type { CheckReport } from '../device-profiles/catalogue.ts';
import {
  profileCheck,
  profileList,
  profileObject,
  profileObjects,
  profileShow,
  profileTest,
  renderChecks,
  renderTests,
} from '../device-profiles/catalogue.ts';
import type { Draft } from '../device-profiles/draft.ts';
import { draftProfile, profileIdOf } from '../device-profiles/draft.ts';
import { deviceKinds } from '../device-profiles/format.ts';
import { profileFile, readProfileFile } from '../device-profiles/loader.ts';
import { baseOf } from '../device-profiles/manual-address.ts';
import { indexPath, libraryPages } from '../device-profiles/pages.ts';
import { cellsOf, renderTableFinding } from '../device-profiles/table-findings.ts';
import { tables } from '../protocols/modbus/address.ts';
import { writableFolder } from './files.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

async function make(given: Given, output: Output): Promise<number> {
  const [name = ''] = given.words;
  const id = profileIdOf(name);
  const from = given.text('from');
  if (!id) throw new UsageError(bilingual('new-bad-name', { found: name }));
  if (from === undefined) {
    throw new UsageError(bilingual('new-no-table'));
  }
  const base = given.text('base');
  const read = base === undefined ? null : baseOf(base);
  if (read === undefined) throw badOption('--base', base!, ['0', '1', '40000', '40001']);
  const draft = draftProfile(readProfileFile(from), from, {
    name,
    base: read,
    table: choice(given, 'table', tables),
    kind: choice(given, 'kind', Object.keys(deviceKinds) as (keyof typeof deviceKinds)[]),
    title: given.text('title') ?? null,
    source: given.text('source') ?? null,
    language: output.language,
  });
  const file = given.text('out') ?? relative('.', profileFile(id));
  if (draft.yaml !== null) writeNew(file, draft.yaml);
  if (output.json) output.print(JSON.stringify(draftObject(draft, from, file)));
  else print(draft, { from, file }, output);
  return draft.yaml === null ? exit.invalid : exit.done;
}

function choice<Known extends string>(
  given: Given,
  name: string,
  known: readonly Known[],
): Known | null {
  const text = given.text(name);
  if (text === undefined) return null;
  const found = known.find((word) => word === text);
  if (!found) throw badOption(`--${name}`, text, known);
  return found;
}

function badOption(option: string, found: string, known: readonly string[]): UsageError {
  // One digit is near any other.
  const meant = /^\d+$/.test(found) ? undefined : didYouMean(found, known);
  const values = { option, found, list: known.join(', ') };
  if (!meant) return new UsageError(bilingual('new-bad-option', values));
  return new UsageError(bilingual('new-bad-option-near', { ...values, meant }));
}

/** Never writes over anything. */
function writeNew(file: string, text: string): void {
  writableFolder(dirname(file));
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Fault('profile_exists', 'never', bilingual('new-file-exists', { file }), error);
  }
}

function print(
  { yaml, columns, encoding, points, findings, beyond }: Draft,
  { from, file }: { readonly from: string; readonly file: string },
  output: Output,
): void {
  if (columns.length > 0) output.print(output.say('new-columns', { encoding: encoding ?? '' }));
  for (const { column, heading, role } of columns) {
    const shown = role ?? output.say('new-column-unused', {});
    output.print(output.say('new-column', { column, heading, role: shown }));
  }
  if (yaml !== null) {
    output.print(output.say('new-points', { count: points.length }));
    for (const { id, address, manual, unit } of points) {
      const { table, address: at, type, order } = address;
      const wide = address.width > 1 && type !== 'string' ? ` ${order}` : '';
      output.print(`  ${id}: ${manual} -> ${table} ${at} ${type}${wide} ${unit}`.trimEnd());
    }
  }
  const errors = findings.filter(({ severity }) => severity === 'error');
  const remarks = findings.filter(({ severity }) => severity === 'warning');
  if (remarks.length > 0) output.print(output.say('new-look', {}));
  for (const finding of remarks) {
    output.print(renderTableFinding(finding, from, output.language));
  }
  for (const finding of errors) output.note(renderTableFinding(finding, from, output.language));
  if (yaml === null) output.note(output.say('new-errors', { errors: errors.length + beyond }));
  else {
    output.print(output.say('new-written', { file }));
    output.print(output.say('new-next', { file }));
  }
}

function draftObject(draft: Draft, from: string, file: string) {
  const { id, yaml, columns, points, encoding, findings, beyond } = draft;
  return {
    id,
    ...{ from, encoding, written: yaml === null ? null : file, columns },
    points: points.map(({ row, manual, address, unit, scale, offset, range, title }) => ({
      ...{ id: points.find((point) => point.row === row)?.id, row, manual, title },
      ...{ table: address.table, address: address.address, type: address.type },
      ...{ scale, offset, unit, range },
    })),
    findings: findings.map((finding) => ({ ...finding, cells: cellsOf(finding) })),
    beyond,
  };
}

const reportCode = ({ failed }: CheckReport) => (failed ? exit.invalid : exit.done);

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: { en: 'device models that are known', zh: '列出已知的设备型号' },
    run: async (_given, output) => {
      if (output.json) output.print(JSON.stringify(profileObjects()));
      else output.print(profileList(output.language));
      return exit.done;
    },
  },
  show: {
    usage: 'show PROFILE',
    summary: {
      en: 'points, units and proposed alarms of a model, or of a file',
      zh: '显示型号（或文件）的测点、单位和建议报警',
    },
    run: async (given, output) => {
      const [reference = ''] = given.words;
      if (output.json) output.print(JSON.stringify(profileObject(reference)));
      else output.print(profileShow(reference, output.language));
      return exit.done;
    },
  },
  check: {
    usage: 'check FILE...',
    summary: { en: 'what is wrong with profile files', zh: '检查型号文件' },
    run: async (given, output) => {
      const report = profileCheck(given.words);
      if (output.json) output.print(JSON.stringify(report));
      else output.print(renderChecks(report, output.language));
      return reportCode(report);
    },
  },
  test: {
    usage: 'test [PROFILE...]',
    summary: {
      en: 'run the tests inside profiles: of models, of files, or of all models',
      zh: '运行型号自带的测试：可指定型号或文件，省略则为全部型号',
    },
    run: async (given, output) => {
      const runs = profileTest(given.words);
      const { text, failed } = renderTests(runs, output.language);
      output.print(output.json ? JSON.stringify(runs) : text);
      return failed ? exit.found : exit.done;
    },
  },
  new: {
    usage: 'new VENDOR/MODEL',
    summary: {
      en: 'draft a profile from a register table, a CSV pasted from a manual',
      zh: '由寄存器表（从手册粘贴的 CSV）生成型号文件草稿',
    },
    options: {
      from: 'text',
      base: 'text',
      table: 'text',
      kind: 'text',
      title: 'text',
      source: 'text',
      out: 'text',
    },
    run: make,
  },
  page: {
    usage: 'page',
    summary: {
      en: 'write a page a model and their index: docs/devices of the project, or --out FOLDER',
      zh: '为每个型号生成页面和索引：写入 docs/devices，或 --out 指定的文件夹',
    },
    options: { out: 'text' },
    run: async (given, output) => {
      const folder = given.text('out') ?? 'docs/devices';
      const pages = libraryPages();
      for (const [path, text] of pages) {
        const file = `${folder}/${path}`;
        writableFolder(dirname(file));
        writeFileSync(file, text);
      }
      output.print(
        output.say('pages-written', { count: pages.size, index: `${folder}/${indexPath}` }),
      );
      return exit.done;
    },
  },
};
