// How a node is named in a profile.
//
// A namespace is named by a short prefix, `ps:`, which the device settings tie to its URI: the
// index of a namespace is the server's own affair and changes when it is set up anew, the URI does
// not (Part 3, 8.2.2). Without a prefix a name belongs to namespace 0, the standard's own.
//
// A node is named by its path from the Objects folder along hierarchical references,
// `ps:PumpStation/ps:Pump1/ps:Pressure`, or by its id, `ps:s=Pump1.Pressure`. In a path `&` takes
// its meaning from the character behind it: `&/`, `&:`, `&&` (Part 4, A.2).
import { bilingual } from '../../core/text/text.ts';
import type { Fields } from '../fields.ts';

export interface QualifiedName {
  /** Null: namespace 0. */
  readonly prefix: string | null;
  readonly name: string;
}

/** Names along the way; from Objects, or from the node it is asked of. */
export type BrowsePath = readonly QualifiedName[];

export type NodeName =
  | { readonly kind: 'path'; readonly path: BrowsePath }
  | {
      readonly kind: 'id';
      readonly prefix: string | null;
      /** Numeric, string, GUID, opaque (base64). */
      readonly type: 'i' | 's' | 'g' | 'b';
      readonly value: string;
    };

/** What may stand before the colon. */
export const PREFIX = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;
const NODE_ID = /^(?:([A-Za-z][A-Za-z0-9_-]{0,31}):)?([isgb])=(.+)$/s;
const INDEXED_ID = /^ns=\d+;/;
const PATH_NAMES_MAX = 32;
const NAME_CHARACTERS_MAX = 512;
/** Part 3, 8.2.4: what identifies a node has at most this many characters. */
const ID_CHARACTERS_MAX = 4096;

/** A text that is a path, or an id where it looks like one. */
export function nodeOf(fields: Fields, key: string, wanted?: 'id'): NodeName | undefined {
  const text = fields.raw(key);
  const isId = typeof text === 'string' && (NODE_ID.test(text) || INDEXED_ID.test(text));
  return isId || wanted === 'id' ? idNode(fields, key) : pathNode(fields, key);
}

export function idNode(fields: Fields, key: string): NodeName | undefined {
  const text = fields.raw(key);
  const [, prefix = null, type, value = ''] = typeof text === 'string' ? match(text) : [];
  if (type !== undefined && isIdValue(type, value)) {
    return Object.freeze({ kind: 'id', prefix, type: type as 'i', value });
  }
  if (text === undefined) missing(fields, key, 'ps:s=Pump1.Pressure');
  else if (typeof text === 'string' && INDEXED_ID.test(text)) {
    const help = bilingual('opcua-indexed-help');
    fields.problems.add(fields.at(key), 'opcua-indexed', { text }, { help });
  } else fields.wrong(key, 'i=2258, ps:s=Pump1.Pressure, ps:g=…, ps:b=…');
  return undefined;
}

function match(text: string): readonly (string | undefined)[] {
  return text.length > ID_CHARACTERS_MAX ? [] : (NODE_ID.exec(text) ?? []);
}

function isIdValue(type: string, value: string): boolean {
  switch (type) {
    case 'i':
      return /^(0|[1-9]\d{0,9})$/.test(value) && Number(value) <= 0xffff_ffff;
    case 'g':
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value);
    case 'b':
      return /^[A-Za-z0-9+/]+={0,2}$/.test(value) && value.length % 4 === 0;
    default:
      return true;
  }
}

export function pathNode(fields: Fields, key: string): NodeName | undefined {
  const path = pathOf(fields, key);
  return path && Object.freeze({ kind: 'path', path });
}

export function pathOf(fields: Fields, key: string): BrowsePath | undefined {
  const text = fields.raw(key);
  if (text === undefined) {
    missing(fields, key, 'ps:PumpStation/ps:Pump1');
    return undefined;
  }
  const names = typeof text === 'string' ? parsePath(text) : undefined;
  if (!names) fields.wrong(key, 'ps:PumpStation/ps:Pump1, Server/ServerStatus');
  return names;
}

function missing(fields: Fields, key: string, expected: string): void {
  fields.problems.add(fields.path, 'protocol-key-missing', { key, expected });
}

/** `ps:PumpStation/ps:Pump1`; undefined when it is none. */
export function parsePath(text: string): BrowsePath | undefined {
  const names: QualifiedName[] = [];
  let prefix: string | null = null;
  let name = '';
  for (let at = 0; at <= text.length; at++) {
    const character = text[at];
    if (character === '/' || character === undefined) {
      if (name === '' || name.length > NAME_CHARACTERS_MAX) return undefined;
      names.push(Object.freeze({ prefix, name }));
      prefix = null;
      name = '';
    } else if (character === ':' && prefix === null) {
      if (!PREFIX.test(name)) return undefined;
      prefix = name;
      name = '';
    } else if (character === '&') {
      if (++at >= text.length) return undefined;
      name += text[at];
    } else name += character;
  }
  return names.length <= PATH_NAMES_MAX ? Object.freeze(names) : undefined;
}

/** As `parsePath` reads it. */
export function pathText(path: BrowsePath): string {
  return path.map(({ prefix, name }) => (prefix ? `${prefix}:` : '') + escaped(name)).join('/');
}

function escaped(name: string): string {
  return name.replaceAll(/[&/:]/g, (sign) => `&${sign}`);
}

/** As it stands in a profile. */
export function nodeText(node: NodeName): string {
  if (node.kind === 'path') return pathText(node.path);
  return `${node.prefix === null ? '' : `${node.prefix}:`}${node.type}=${node.value}`;
}
