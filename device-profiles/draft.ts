// A register table -> the draft of a profile: text in, text out. What comes out passes `profile
// check`, or the findings say which cells keep it from that; a draft with errors has no text.
//
// A draft is honest about what it is: whatever the table did not say stands as PLACEHOLDER, which
// `profile check` warns of and the library refuses, and its tests hold registers computed from values
// in range. They prove that the file hangs together, not that it is the device: only the manual's own
// example, or a recording, does.

import { assert } from '../core/fault.ts';
import { renderFinding } from '../core/problems.ts';
import type { Bilingual, Language } from '../core/text/text.ts';
import { bilingual, say } from '../core/text/text.ts';
import type { UnitCode } from '../core/units.ts';
import type { Table } from '../protocols/modbus/address.ts';
import { sampledTests } from './draft-tests.ts';
import type { DeviceKind } from './format.ts';
import { PLACEHOLDER, PROFILE_ID_PATTERN } from './format.ts';
import type { Columns, Role } from './headings.ts';
import { columnsOf } from './headings.ts';
import type { Base } from './manual-address.ts';
import { checkProfile } from './profile.ts';
import type { RegisterTable, TableRefusal } from './register-table.ts';
import {
  columnName,
  readRegisterTable,
  TABLE_BYTES_MAX,
  TABLE_ROWS_MAX,
} from './register-table.ts';
import { ALARM_LEVELS } from './row-values.ts';
import type { TableFinding } from './table-findings.ts';
import { TableFindings } from './table-findings.ts';
import type { TablePoint } from './table-points.ts';
import { pointsOf } from './table-points.ts';
import { bothOf, cut } from './titles.ts';

export interface DraftOptions {
  /** As given: the vendor and model as people write them, `ACME/WL10`. */
  readonly name: string;
  readonly base: Base | null;
  readonly table: Table | null;
  readonly kind: DeviceKind | null;
  readonly title: string | null;
  /** Document, issue, page. */
  readonly source: string | null;
  /** Of the comments in the file. */
  readonly language: Language;
}

export interface Draft {
  readonly id: string;
  /** Null while there are errors. */
  readonly yaml: string | null;
  readonly points: readonly TablePoint[];
  readonly columns: readonly DraftColumn[];
  readonly encoding: string | null;
  readonly findings: readonly TableFinding[];
  /** Errors that are not listed. */
  readonly beyond: number;
}

export interface DraftColumn {
  /** A, B … as in a spreadsheet. */
  readonly column: string;
  readonly heading: string;
  readonly role: Role | null;
}

/** `vendor/model` of a name as people write it; undefined when nothing of it can be an id. */
export function profileIdOf(name: string): string | undefined {
  const id = name
    .toLowerCase()
    .split('/')
    .map((part) => part.replaceAll(/[^a-z0-9]+/g, '-').replaceAll(/^-+|-+$/g, ''))
    .join('/');
  return PROFILE_ID_PATTERN.test(id) ? id : undefined;
}

/** `file` is named in the comments and findings. */
export function draftProfile(bytes: Uint8Array, file: string, options: DraftOptions): Draft {
  const id = profileIdOf(options.name);
  assert(id, 'the name was checked before');
  const nothing = { id, yaml: null, points: [], columns: [], beyond: 0 };
  const table = readRegisterTable(bytes);
  if ('why' in table) return { ...nothing, encoding: null, findings: [refusal(table)] };
  const { encoding } = table;
  const columns = columnsOf(table.rows);
  if (!columns) {
    const findings = new TableFindings([]);
    const help = bilingual('help-table-headings');
    findings.error({ row: 1, column: 1 }, 'table-no-headings', {}, help);
    return { ...nothing, encoding, findings: findings.findings };
  }
  const headings = table.rows[columns.headingRow - 1] ?? [];
  const findings = new TableFindings(headings);
  const points = pointsOf(table, columns, options, findings);
  if (points.length === 0 && !findings.failed) {
    const at = { row: columns.headingRow, column: columns.byRole.get('address') ?? 1 };
    findings.error(at, 'table-no-points', {});
  }
  const yaml = findings.failed ? null : drafted({ id, points, file, options, columns, findings });
  return {
    ...{ id, yaml, points, encoding, findings: findings.findings, beyond: findings.beyond },
    columns: shownColumns(table, columns),
  };
}

function refusal(why: TableRefusal): TableFinding {
  const place = why.why === 'quote' ? why : { row: 1, column: 1 };
  const findings = new TableFindings([]);
  if (why.why === 'too-large') {
    findings.error(place, 'table-too-large', { bytesMax: TABLE_BYTES_MAX });
  } else if (why.why === 'too-many-rows') {
    findings.error(place, 'table-too-many-rows', { max: TABLE_ROWS_MAX });
  } else if (why.why === 'encoding') findings.error(place, 'table-encoding', {});
  else if (why.why === 'empty') findings.error(place, 'table-empty', {});
  else findings.error(place, 'table-quote', {});
  return findings.findings[0]!;
}

function shownColumns({ rows }: RegisterTable, { byRole, headingRow }: Columns): DraftColumn[] {
  return (rows[headingRow - 1] ?? []).flatMap((heading, at) => {
    const [role] = [...byRole].find(([, column]) => column === at + 1) ?? [null];
    return heading || role ? [{ column: columnName(at + 1), heading, role }] : [];
  });
}

interface Drafting {
  readonly id: string;
  readonly points: readonly TablePoint[];
  readonly file: string;
  readonly options: DraftOptions;
  readonly columns: Columns;
  readonly findings: TableFindings;
}

/** As the format has it. */
const DOCUMENT_MAX = 300;

/** The text, when the profile in it is right; else the errors are told at their cells. */
function drafted(drafting: Drafting): string | null {
  const { points, findings, options } = drafting;
  const head = headOf(drafting);
  const body = points.flatMap((point) => pointLines(point, options.language));
  const bare = `${[...head, 'points:', ...body].join('\n')}\n`;
  const { profile } = tell(bare, drafting);
  if (!profile) return null;
  const tests = sampledTests(profile, points, options.language, findings);
  if (findings.failed) return null;
  const yaml = `${bare}\ntests:\n${tests.join('\n')}\n`;
  return tell(yaml, drafting).profile ? yaml : null;
}

/** Runs the check every profile goes through; what it finds is told at the cells it came from. */
function tell(yaml: string, { points, findings, columns }: Drafting) {
  const { profile, problems } = checkProfile(yaml, 'draft');
  for (const finding of problems.findings) {
    if (finding.severity === 'warning') continue; // Of placeholders; the draft says so itself.
    const [root, id, key, part] = finding.path;
    const point = root === 'points' ? points.find((candidate) => candidate.id === id) : undefined;
    assert(point, `a draft is wrong in its rows only: ${renderFinding(finding, 'en')}`);
    const role = roleOfKey(`${key ?? ''}`, `${part ?? ''}`, columns);
    const column = columns.byRole.get(role) ?? columns.byRole.get('address') ?? 1;
    findings.refuse({ row: point.row, column }, finding);
  }
  return { profile };
}

const limitRole: Readonly<Record<string, Role>> = {
  high: 'high',
  high_high: 'highHigh',
  low: 'low',
  low_low: 'lowLow',
};

function roleOfKey(key: string, part: string, { byRole }: Columns): Role {
  if (key === 'alarms') return limitRole[part] ?? 'address';
  if (key === 'range') return byRole.has('range') ? 'range' : 'max';
  if (key === 'states') return byRole.has('range') ? 'range' : 'remark';
  return key === 'scale' || key === 'offset' || key === 'unit' ? key : 'address';
}

// --- The text ---

function headOf({ id, points, file, options, findings, columns }: Drafting): string[] {
  const { name, base, title, source, language } = options;
  const [vendor = '', model = ''] = name.split('/').map((part) => part.trim());
  const kind = options.kind ?? kindOf(points);
  const note = (key: Parameters<typeof comment>[0], values: Record<string, string>) =>
    comment(key, language, values);
  if (!options.kind) {
    const { headingRow: row, byRole } = columns;
    const column = byRole.get('unit') ?? byRole.get('name') ?? 1;
    findings.remark({ row, column }, 'table-kind-guessed', { kind });
  }
  if (!source?.trim()) findings.remark(null, 'table-source-missing', {});
  const both = titleOf(title?.replaceAll('|', '').trim() ? title : `${vendor} ${model}`);
  const counted = base === null ? '' : `, --base ${base}`;
  const document = source?.trim() || `${PLACEHOLDER}: ${say(language, 'draft-source')}`;
  return [
    '# yaml-language-server: $schema=../profile.schema.json',
    note('draft-head', {
      file: `${onLine(file.split(/[/\\]/).at(-1) ?? '')}${counted}`,
      mark: PLACEHOLDER,
    }),
    'version: 1',
    'profile:',
    `  id: ${id}`,
    '  revision: "1.0.0"',
    `  kind: ${kind}`,
    `  vendor: ${quoted(vendor.slice(0, 80))}`,
    `  models: [${quoted(model.slice(0, 80))}]`,
    `  title: ${inBoth(both)}`,
    '  source:',
    `    document: ${quoted(document.slice(0, DOCUMENT_MAX))}`,
    `    status: community ${note('draft-status', {})}`,
    '',
    'protocol: modbus',
    `device: { unit: 1 } ${note('draft-device', {})}`,
    '',
  ];
}

/** `Radar level transmitter|雷达液位计`, or one text for both. */
function titleOf(text: string): Bilingual {
  const [en = '', zh = en] = text.split('|').map((part) => cut(part.trim()));
  return { en: en || zh, zh: zh || en };
}

function pointLines(point: TablePoint, language: Language): string[] {
  const { address, order, title, range, scale, offset, unit, states } = point;
  const { table, type, bit, width } = address;
  const read = [
    `table: ${table}`,
    `address: ${address.address}`,
    ...(table === 'coil' || table === 'discrete' ? [] : [`type: ${type}`]),
    ...(order ? [`order: ${order}`] : []),
    ...(bit === null ? [] : [`bit: ${bit}`]),
    ...(type === 'string' ? [`length: ${width}`] : []),
  ];
  const manual = comment('draft-manual', language, { address: point.manual });
  const isLifeSafety = unit === '%{LEL}';
  return [
    `  ${point.id}:`,
    `    title: ${inBoth(title)}`,
    `    read: { ${read.join(', ')} } ${manual}`,
    ...(scale === 1 ? [] : [`    scale: ${scale}`]),
    ...(offset === 0 ? [] : [`    offset: ${offset}`]),
    ...(unit === '1' ? [] : [`    unit: ${quoted(unit)}`]),
    ...(range ? [`    range: [${range[0]}, ${range[1]}]`] : []),
    ...(isLifeSafety ? ['    class: life-safety'] : []),
    ...(states ? ['    states:', ...stateLines(states, type)] : []),
    ...(point.alarms.length ? ['    alarms:', ...alarmLines(point, language)] : []),
    ...point.notes.map((note) => `    # ${onLine(note)}`),
  ];
}

function stateLines(states: ReadonlyMap<number, string>, type: string): string[] {
  return [...states].map(([raw, text]) => {
    const key = type === 'bool' ? `${raw === 1}` : `${raw}`;
    return `      ${key}: ${inBoth(bothOf(text))}`;
  });
}

function alarmLines({ alarms }: TablePoint, language: Language): string[] {
  const note = comment('draft-level', language, {});
  return alarms.map(
    ({ name, raise }) => `      ${name}: { raise: ${raise}, level: ${ALARM_LEVELS[name]} } ${note}`,
  );
}

function comment(
  key: 'draft-head' | 'draft-status' | 'draft-device' | 'draft-manual' | 'draft-level',
  language: Language,
  values: Readonly<Record<string, string>>,
): string {
  return `# ${onLine(say(language, key, values as never))}`;
}

function onLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}

function inBoth({ en, zh }: Bilingual): string {
  return `{ en: ${quoted(en)}, zh: ${quoted(zh)} }`;
}

/** As plain as YAML allows: words and numbers that are no other kind of value stay bare. */
function quoted(text: string): string {
  const isPlain = /^[A-Za-z\u4e00-\u9fff]([\w\u4e00-\u9fff ./()+-]*[\w\u4e00-\u9fff)])?$/.test(
    text,
  );
  const means = /^(true|false|null|yes|no|on|off|y|n|nan|inf|infinity)$/i.test(text);
  return isPlain && !means ? text : JSON.stringify(text);
}

const kindsByUnit: readonly (readonly [DeviceKind, readonly UnitCode[]])[] = [
  ['gas-detector', ['%{LEL}', '[ppm]', '%{vol}']],
  ['heat-meter', ['GJ']],
  ['water-quality', ['[pH]', '{NTU}', 'uS/cm']],
  ['power-meter', ['kW.h', 'W.h', 'kW', 'var', 'kvar', 'V.A', 'kV.A']],
  ['weather-station', ['mm/h', 'W/m2', 'hPa']],
  ['flow-meter', ['m3/h', 'm3/s', 'L/s', 'L/min', 'kg/h']],
  ['drive', ['/min']],
  ['strain-sensor', ['u[epsilon]']],
  ['tilt-sensor', ['deg']],
  ['pressure-transmitter', ['MPa', 'kPa', 'Pa', 'bar']],
  ['level-transmitter', ['m', 'cm']],
  ['displacement-sensor', ['mm', 'um']],
  ['temperature-sensor', ['Cel']],
];

/** By the most telling unit in the table. */
function kindOf(points: readonly TablePoint[]): DeviceKind {
  const has = (units: readonly UnitCode[]) => points.some(({ unit }) => units.includes(unit));
  return kindsByUnit.find(([, units]) => has(units))?.[0] ?? 'input-module';
}
