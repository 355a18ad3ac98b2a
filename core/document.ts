// A file a person wrote, read once: YAML 1.2 (JSON is a part of it) with positions, its shape
// checked by a zod schema, everything that is wrong reported together, each finding at its line and
// column.
//
// An unknown key is shown at the key, a wrong value at the value, a missing key at what it is
// missing from. Schemas give shape only (a cross check inside zod does not run while anything
// beside it is wrong): the caller goes over `raw` or `value` itself and adds to the same
// `problems`.
//
// Refused, because two readers would understand them differently or because they let a small file
// become a big one: anchors, aliases, tags, keys that are no text, the same key twice, whole
// numbers beyond 2^53, several documents in a file. Warned about: what YAML 1.1 readers turn into
// something else (a key `on`, the number 010). An error text of a schema that is a key of the
// catalogue is shown in both languages, with {found}.
import { isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import type { core, ZodType } from 'zod';
import type { Path, Place } from './problems.ts';
import { didYouMean, Problems } from './problems.ts';
import type { Bilingual, MessageKey } from './text/text.ts';
import { bilingual, fillBilingual, messages } from './text/text.ts';

/** 2,000 devices at 400 bytes are 800 KB; what is larger is not a file that people keep by hand. */
export const SOURCE_BYTES_MAX = 1024 * 1024;

/** Longer finds are cut in a message. */
const FOUND_TEXT_MAX = 60;

export interface DocumentText<T> {
  /** Undefined while the shape is wrong. */
  readonly value: T | undefined;
  /** Whatever parsed, undefined when it was not even YAML. */
  readonly raw: unknown;
  readonly problems: Problems;
  /** Where the key of a path stands, for findings about the key itself. */
  keyPlace(path: Path): Place | null;
}

type Parsed = ReturnType<typeof parse>;
type Node = Parsed['tree']['contents'];
type Issue = core.$ZodIssue;

/** Reads `source` against `schema`; never throws for anything that is in the text. */
export function readDocument<T>(
  source: string | Uint8Array,
  file: string,
  schema: ZodType<T>,
): DocumentText<T> {
  const early = new Problems(file);
  const text = decode(source, early);
  const failed = { value: undefined, raw: undefined, keyPlace: () => null };
  if (text === undefined) return { ...failed, problems: early };

  const parsed = parse(text);
  const problems = new Problems(file, (path) => placeOf(parsed, path, 'value'));
  if (!checkTree(parsed, problems)) return { ...failed, problems };

  const raw: unknown = parsed.tree.toJS({ maxAliasCount: 0 });
  const result = schema.safeParse(raw);
  for (const issue of result.error?.issues ?? [])
    report({ parsed, schema, raw, problems }, issue, []);
  return {
    value: result.success ? result.data : undefined,
    raw,
    problems,
    keyPlace: (path) => placeOf(parsed, path, 'key'),
  };
}

function decode(source: string | Uint8Array, problems: Problems): string | undefined {
  const bytes = typeof source === 'string' ? new TextEncoder().encode(source) : source;
  if (bytes.length > SOURCE_BYTES_MAX) {
    const values = { bytes: bytes.length, bytesMax: SOURCE_BYTES_MAX };
    problems.add([], 'document-too-large', values, { place: { line: 1, column: 1 } });
    return undefined;
  }
  if (typeof source === 'string') return source;
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  // Damaged bytes come back as the replacement sign: the first difference is the first damage.
  const again = new TextEncoder().encode(text);
  const offset = again.findIndex((byte, at) => byte !== bytes[at]);
  if (offset < 0) return text;
  const lines = new TextDecoder().decode(bytes.subarray(0, offset)).split('\n');
  const place = { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
  problems.add(
    [],
    'document-not-utf8',
    { offset },
    { help: bilingual('help-save-as-utf8'), place },
  );
  return undefined;
}

function parse(text: string) {
  const lines = new LineCounter();
  const tree = parseDocument(text, {
    version: '1.2',
    lineCounter: lines,
    stringKeys: true, // 0xFFFF as a key stays what was written.
    uniqueKeys: false, // Checked below: the library compares each key with each other.
    prettyErrors: false,
    logLevel: 'error', // `silent` would also hide a second document in the file.
  });
  return { tree, lines };
}

function at({ lines }: Parsed, offset: number): Place {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/**
 * Adds what is wrong with the text as YAML; false when there is nothing to check a schema against.
 */
function checkTree(parsed: Parsed, problems: Problems): boolean {
  const { tree } = parsed;
  for (const { code, message, pos } of tree.errors) {
    const place = at(parsed, pos[0]);
    if (code === 'RESOURCE_EXHAUSTION') {
      problems.add([], 'document-too-deep', {}, { place });
      break; // What follows is the same mistake, hundreds of times.
    }
    if (code === 'TAB_AS_INDENT') {
      problems.add([], 'yaml-tab', {}, { place, help: bilingual('help-use-spaces') });
    } else problems.add([], 'yaml-syntax', { detail: message }, { place });
  }
  if (!problems.failed && tree.contents === null) {
    problems.add([], 'document-empty', {}, { place: { line: 1, column: 1 } });
  }
  if (!problems.failed) checkNode(parsed, tree.contents, [], problems);
  return !problems.failed;
}

function checkNode(parsed: Parsed, node: Node | unknown, path: Path, problems: Problems): void {
  if (isAlias(node)) {
    const place = at(parsed, node.range?.[0] ?? 0);
    problems.add(path, 'yaml-alias', { name: `*${node.source}` }, { place });
    return;
  }
  if (!isScalar(node) && !isCollection(node)) return;
  const place = at(parsed, node.range?.[0] ?? 0);
  if (node.anchor) problems.add(path, 'yaml-alias', { name: `&${node.anchor}` }, { place });
  if (node.tag) problems.add(path, 'yaml-tag', { name: node.tag }, { place });
  if (isScalar(node)) checkNumber(node.value, node.source, path, problems);
  if (isSeq(node)) {
    node.items.forEach((item, index) => {
      checkNode(parsed, item, [...path, index], problems);
    });
  }
  if (isMap(node)) checkKeys(parsed, node.items, path, problems);
}

function checkNumber(
  value: unknown,
  source: string | undefined,
  path: Path,
  problems: Problems,
): void {
  if (typeof value !== 'number' || source === undefined) return;
  if (
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    /^[-+]?(0x|0o)?\w+$/.test(source)
  ) {
    problems.add(path, 'number-too-large', { text: source });
  }
  if (/^[-+]?0[0-9]/.test(source)) {
    const help = bilingual('help-write', { text: value });
    problems.add(path, 'yaml-leading-zero', { text: source, value }, { help, severity: 'warning' });
  }
}

function checkKeys(
  parsed: Parsed,
  pairs: readonly { readonly key: unknown; readonly value: unknown }[],
  path: Path,
  problems: Problems,
): void {
  const seen = new Map<string, number>();
  for (const { key, value } of pairs) {
    if (!isScalar(key)) continue;
    const name = String(key.value);
    const place = at(parsed, key.range?.[0] ?? 0);
    const below = [...path, name];
    const firstLine = seen.get(name);
    if (firstLine === undefined) seen.set(name, place.line);
    else problems.add(below, 'duplicate-key', { key: name, line: firstLine }, { place });
    // Assigning it would change the object itself instead of adding a key.
    if (name === '__proto__') problems.add(below, 'unknown-key', { key: name }, { place });
    if (/^(on|off|yes|no)$/i.test(key.source ?? '') && key.type === 'PLAIN') {
      const help = bilingual('help-quote-it', { text: JSON.stringify(name) });
      problems.add(below, 'yaml-boolean-key', { key: name }, { place, help, severity: 'warning' });
    }
    if (key.anchor) problems.add(below, 'yaml-alias', { name: `&${key.anchor}` }, { place });
    checkNode(parsed, value, below, problems);
  }
}

/** The place of a path, or of the nearest thing above it that exists. */
function placeOf(parsed: Parsed, path: Path, part: 'key' | 'value'): Place | null {
  const root = parsed.tree.contents;
  if (!root) return null;
  let node: unknown = root;
  let keyOffset: number | undefined;
  let found = true;
  for (const segment of path) {
    const offset = offsetOf(node);
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === `${segment}`,
      );
      if (!pair) found = false;
      else {
        keyOffset = offsetOf(pair.key) ?? offset;
        node = pair.value;
      }
    } else if (isSeq(node) && node.items[Number(segment)] !== undefined) {
      node = node.items[Number(segment)];
      keyOffset = offsetOf(node);
    } else found = false;
    if (!found) break;
  }
  const isWritten = isScalar(node) && node.source !== '';
  const offset = part === 'value' && found && isWritten ? offsetOf(node) : keyOffset;
  return at(parsed, offset ?? offsetOf(node) ?? 0);
}

function offsetOf(node: unknown): number | undefined {
  return isScalar(node) || isCollection(node) || isAlias(node) ? node.range?.[0] : undefined;
}

interface Checked {
  readonly parsed: Parsed;
  readonly schema: ZodType;
  readonly raw: unknown;
  readonly problems: Problems;
}

/** Turns one issue of the schema into findings; `above` is the path of the union it stands in. */
function report(checked: Checked, issue: Issue, above: Path): void {
  const { parsed, schema, raw, problems } = checked;
  const path = [
    ...above,
    ...issue.path.map((part) => (typeof part === 'number' ? part : `${String(part)}`)),
  ];
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path, raw);
    for (const key of issue.keys) {
      const below = [...path, key];
      const word = didYouMean(key, known);
      const help =
        word && word !== key
          ? bilingual('help-did-you-mean', { word })
          : known.length
            ? bilingual('help-one-of', { list: known.join(', ') })
            : null;
      const place = placeOf(parsed, below, 'key');
      problems.add(below, 'unknown-key', { key }, help ? { help, place } : { place });
    }
    return;
  }
  if (issue.code === 'invalid_union' && issue.errors.length) {
    const near = nearestBranch(issue.errors);
    if (near) {
      for (const inner of near) report(checked, inner, path);
      return;
    }
  }
  const value = valueAt(raw, path);
  if (value === undefined && path.length) {
    const help = expectedHelp(issue, undefined);
    problems.add(path, 'missing-key', { key: `${path.at(-1)}` }, help ? { help } : {});
    return;
  }
  if (issue.code === 'invalid_key') {
    const inner = issue.issues[0];
    const { code, values } = wording(inner ?? issue, path.at(-1));
    const help = inner ? expectedHelp(inner, path.at(-1)) : null;
    const place = placeOf(parsed, path, 'key');
    const key = code === 'bad-value' ? 'bad-key' : code;
    problems.add(path, key, values as never, help ? { help, place } : { place });
    return;
  }
  const { code, values } = wording(issue, value);
  const help = expectedHelp(issue, value) ?? writingHelp(code, value, parsed, path);
  problems.add(path, code, values as never, help ? { help } : {});
}

/**
 * The branch of a union the writer had in mind: one whose kind of value fits, with the fewest
 * faults.
 */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const fitting = branches.filter(
    (issues) => !issues.some(({ path, code }) => !path.length && code !== 'unrecognized_keys'),
  );
  return fitting.sort((a, b) => a.length - b.length)[0];
}

interface Wording {
  readonly code: MessageKey;
  readonly values: Readonly<Record<string, string | number>>;
}

const typeCodes: Readonly<Record<string, MessageKey>> = {
  string: 'not-text',
  number: 'not-a-number',
  int: 'not-a-whole-number',
  boolean: 'not-true-or-false',
  array: 'not-a-list',
  tuple: 'not-a-list',
  object: 'not-a-map',
  record: 'not-a-map',
};

function wording(issue: Issue, value: unknown): Wording {
  const found = shown(value);
  if (Object.hasOwn(messages, issue.message)) {
    return { code: issue.message as MessageKey, values: { found } };
  }
  switch (issue.code) {
    case 'invalid_type':
      if (typeof value === 'number' && !Number.isFinite(value)) {
        return { code: 'not-finite', values: { found: `${value}` } };
      }
      return { code: typeCodes[issue.expected] ?? 'bad-value', values: { found } };
    case 'too_small':
      return {
        code: sizeCode(issue.origin, 'min'),
        values: { found, minimum: Number(issue.minimum) },
      };
    case 'too_big':
      return {
        code: sizeCode(issue.origin, 'max'),
        values: { found, maximum: Number(issue.maximum) },
      };
    case 'invalid_format':
      return { code: 'bad-format', values: { found, form: issue.pattern ?? issue.format } };
    default:
      return { code: 'bad-value', values: { found } };
  }
}

function sizeCode(origin: string, side: 'min' | 'max'): MessageKey {
  if (origin === 'string') return side === 'min' ? 'text-too-short' : 'text-too-long';
  if (origin === 'number' || origin === 'int')
    return side === 'min' ? 'below-minimum' : 'above-maximum';
  return side === 'min' ? 'too-few' : 'too-many';
}

function expectedHelp(issue: Issue, value: unknown): Bilingual | null {
  const options =
    issue.code === 'invalid_value'
      ? issue.values
      : issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options)
        ? issue.options
        : [];
  if (!options.length) return null;
  const list = options.map(String);
  const word = typeof value === 'string' ? didYouMean(value, list) : undefined;
  const joined = list.slice(0, 40).join(', ');
  return word && word !== value
    ? bilingual('help-did-you-mean-one-of', { word, list: joined })
    : bilingual('help-one-of', { list: joined });
}

// 1.10 without quotes is the number 1.1, and `yes` is a text since YAML 1.2.
function writingHelp(
  code: MessageKey,
  value: unknown,
  parsed: Parsed,
  path: Path,
): Bilingual | null {
  if (code === 'not-true-or-false' && typeof value === 'string') {
    const text = /^(yes|on|y)$/i.test(value)
      ? 'true'
      : /^(no|off|n)$/i.test(value)
        ? 'false'
        : null;
    return text && bilingual('help-write', { text });
  }
  if (code !== 'not-text' || typeof value !== 'number') return null;
  const node = parsed.tree.getIn(path, true);
  const source = isScalar(node) ? node.source : undefined;
  return fillBilingual('help-quote-it', { text: JSON.stringify(source ?? `${value}`) });
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return '[…]';
  if (typeof value === 'object' && value !== null) return '{…}';
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > FOUND_TEXT_MAX ? `${text.slice(0, FOUND_TEXT_MAX)}…` : text;
}

function valueAt(raw: unknown, path: Path): unknown {
  let value = raw;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

/**
 * The keys the schema knows at a path, over all branches of the unions on the way; of a union that
 * says by a key which branch is meant, those of that branch.
 */
function keysAt(schema: core.$ZodType, path: Path, raw: unknown): string[] {
  let schemas = opened(schema, raw);
  for (const [at, part] of path.entries()) {
    const below = valueAt(raw, path.slice(0, at + 1));
    schemas = schemas.flatMap((def) => {
      const inner =
        def.type === 'object'
          ? def.shape[part]
          : def.type === 'record'
            ? def.valueType
            : def.type === 'array'
              ? def.element
              : def.type === 'tuple'
                ? def.items[Number(part)]
                : undefined;
      return inner ? opened(inner, below) : [];
    });
  }
  return [
    ...new Set(schemas.flatMap((def) => (def.type === 'object' ? Object.keys(def.shape) : []))),
  ];
}

type Def = core.$ZodTypes['_zod']['def'];

/** What a schema is below its wrappings, for a value where its kind is told by one of its keys. */
function opened(schema: core.$ZodType, value: unknown): Def[] {
  const def = (schema as core.$ZodTypes)._zod.def;
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'readonly':
      return opened(def.innerType, value);
    case 'union':
      return meantBranches(def.options, discriminatorOf(def), value).flatMap((option) =>
        opened(option, value),
      );
    default:
      return [def];
  }
}

function discriminatorOf(def: Def): string | null {
  return 'discriminator' in def && typeof def.discriminator === 'string' ? def.discriminator : null;
}

function meantBranches(
  options: readonly core.$ZodType[],
  discriminator: string | null,
  value: unknown,
): readonly core.$ZodType[] {
  const kind = discriminator === null ? undefined : valueAt(value, [discriminator]);
  const meant = options.filter((option) =>
    option._zod.propValues?.[discriminator ?? '']?.has(kind as never),
  );
  return meant.length > 0 ? meant : options;
}
