// What was browsed of an OPC UA server -> the draft of a profile, as text. What only a person knows
// stands as PLACEHOLDER, which `profile check` warns of and the library refuses: who made it, what
// it is called in the other language, which document says so. Names and namespaces are the
// server's, so that one profile serves every server that has the same information model.
import type { Language } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';
import type { OpcuaType } from '../protocols/opcua/address.ts';
import type { Browsed, BrowsedNode } from '../protocols/opcua/browse.ts';
import type { BrowsedVariable } from '../protocols/opcua/described.ts';
import { PLACEHOLDER, POINTS_MAX } from './format.ts';
import { chineseOf, englishOf } from './glossary.ts';
import { unitOf } from './spellings.ts';
import { cut } from './titles.ts';

export interface OpcuaDraftOptions {
  /** `vendor/model` */
  readonly id: string;
  readonly endpoint: string;
  readonly language: Language;
}

export interface OpcuaDraft {
  readonly yaml: string;
  readonly points: number;
  /** Variables that are none: structures, byte strings, and what lies beyond POINTS_MAX. */
  readonly left: number;
}

interface Taken {
  readonly node: BrowsedNode;
  readonly variable: BrowsedVariable;
  readonly type: OpcuaType;
}

/** Texts of conditions and plates are no measurements; a person adds the one that is wanted. */
const taken: ReadonlySet<string> = new Set([
  ...['boolean', 'sbyte', 'byte', 'int16', 'uint16', 'int32', 'uint32'],
  ...['int64', 'uint64', 'float', 'double'],
]);

export function draftOfBrowsed(browsed: Browsed, options: OpcuaDraftOptions): OpcuaDraft {
  const { id, endpoint, language } = options;
  const variables = browsed.nodes.filter(({ variable }) => variable !== null);
  const points = variables.flatMap(pointOf).slice(0, POINTS_MAX);
  const [, model = ''] = id.split('/');
  const ids = new Set<string>();
  const names = points.flatMap(({ node }) => node.path.split('/'));
  const namespaces = Object.entries(browsed.namespaces).flatMap(([prefix, uri]) =>
    names.some((name) => name.startsWith(`${prefix}:`))
      ? [`    ${prefix}: ${JSON.stringify(uri)}`]
      : [],
  );
  const document = `${PLACEHOLDER}: ${say(language, 'browse-draft-source')}`;
  const lines = [
    '# yaml-language-server: $schema=../profile.schema.json',
    `# ${onLine(say(language, 'browse-draft-head', { endpoint, mark: PLACEHOLDER }))}`,
    'version: 1',
    'profile:',
    `  id: ${id}`,
    '  revision: "1.0.0"',
    '  kind: input-module',
    `  vendor: ${JSON.stringify(PLACEHOLDER)}`,
    `  models: [${JSON.stringify(`${PLACEHOLDER}: ${model}`)}]`,
    `  title: ${both(`${PLACEHOLDER}: ${model}`, `${PLACEHOLDER}: ${model}`)}`,
    '  source:',
    `    document: ${JSON.stringify(document.slice(0, 300))}`,
    '    status: community',
    '',
    'protocol: opcua',
    ...(namespaces.length > 0 ? ['device:', '  namespaces:', ...namespaces] : []),
    '',
    'points:',
    ...points.flatMap((point) => pointLines(point, ids, language)),
    ...methodLines(browsed, language),
  ];
  return {
    yaml: `${lines.join('\n')}\n`,
    points: points.length,
    left: variables.length - points.length,
  };
}

function pointOf(node: BrowsedNode): Taken[] {
  const { variable } = node;
  const type = variable?.type ?? null;
  return variable && type && taken.has(type) ? [{ node, variable, type }] : [];
}

function pointLines({ node, variable, type }: Taken, ids: Set<string>, language: Language) {
  const { isArray, unit: unitName, range, isWritable } = variable;
  const unit = unitName === null ? undefined : unitOf(unitName);
  const factor = unit?.factor ?? 1;
  const read = [
    `path: ${JSON.stringify(node.path)}`,
    `type: ${type}`,
    ...(isArray ? ['element: "[0]"'] : []),
    ...(variable.isHistorizing ? ['history: true'] : []),
  ];
  const isNumber = type !== 'boolean';
  const note = (key: 'browse-draft-unit' | 'browse-draft-array' | 'browse-draft-writable') =>
    `    # ${onLine(say(language, key, { unit: unitName ?? '' } as never))}`;
  return [
    `  ${idOf(node.path, ids)}:`,
    `    title: ${titleOf(node)}`,
    `    read: { ${read.join(', ')} }`,
    ...(isArray ? [note('browse-draft-array')] : []),
    ...(isNumber && unit && unit.unit !== '1' ? [`    unit: ${JSON.stringify(unit.unit)}`] : []),
    ...(isNumber && factor !== 1 ? [`    scale: ${factor}`] : []),
    ...(isNumber && range ? [`    range: [${range[0] * factor}, ${range[1] * factor}]`] : []),
    ...(unitName !== null && !unit ? [note('browse-draft-unit')] : []),
    ...(isWritable ? [note('browse-draft-writable')] : []),
  ];
}

/** Commands are for a person to decide: what can be called stands there, and offers nothing. */
function methodLines({ nodes }: Browsed, language: Language): string[] {
  const methods = nodes.filter(({ kind }) => kind === 'method');
  if (methods.length === 0) return [];
  return [
    '',
    `# ${onLine(say(language, 'browse-draft-methods'))}`,
    ...methods.slice(0, POINTS_MAX).map(({ path, inputs }) => {
      const given = inputs.map(({ name, type }) => `${name}: ${type}`).join(', ');
      return `#   ${onLine(`${path}(${given})`)}`;
    }),
  ];
}

/** The last two names of the path, where the last alone says too little. */
function idOf(path: string, ids: Set<string>): string {
  const names = path.split('/').map((name) => slug(name.replace(/^[\w-]+:/, '')));
  const [last = 'point'] = names.slice(-1);
  const long = names.slice(-2).filter(Boolean).join('-').slice(0, 50) || 'point';
  const base = ids.has(last) || last.length < 3 ? long : last;
  let id = base;
  for (let count = 2; ids.has(id); count++) id = `${base}-${count}`;
  ids.add(id);
  return id;
}

function slug(text: string): string {
  return text
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40);
}

function titleOf({ title, path }: BrowsedNode): string {
  const text = onLine(title) || path;
  const isChinese = /[\u3400-\u9fff]/.test(text);
  const en = isChinese ? englishOf(text) : text;
  const zh = isChinese ? text : chineseOf(text);
  return both(en || `${PLACEHOLDER}: ${text}`, zh || `${PLACEHOLDER}: ${text}`);
}

const both = (en: string, zh: string) =>
  `{ en: ${JSON.stringify(cut(en))}, zh: ${JSON.stringify(cut(zh))} }`;

function onLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
}
