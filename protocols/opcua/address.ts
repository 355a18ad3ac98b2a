// What a profile says of a point or a command in OPC UA's words, and of a device, as checked and
// frozen values.
import { parseDuration } from '../../core/duration.ts';
import type { ValueType } from '../../core/point.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { Fields } from '../fields.ts';
import type { BrowsePath, NodeName } from './node-name.ts';
import { idNode, nodeOf, PREFIX, pathNode, pathOf } from './node-name.ts';

export type { BrowsePath, NodeName, QualifiedName } from './node-name.ts';

/** What a profile declares of a value; another type in the answer is a reading that is bad. */
export const types = [
  'boolean',
  'sbyte',
  'byte',
  'int16',
  'uint16',
  'int32', // Also an enumeration.
  'uint32', // Also a StatusCode.
  'int64', // bigint beyond 2^53.
  'uint64',
  'float',
  'double',
  'string', // Also LocalizedText, Guid, and the id of a node.
  'datetime', // ISO text in UTC.
] as const;
export type OpcuaType = (typeof types)[number];

/** Below 0 is of no use; absolute is in the unit of the node, percent of its EURange. */
export interface Deadband {
  readonly kind: 'absolute' | 'percent';
  readonly by: number;
}

export interface ValueAddress {
  readonly kind: 'value';
  readonly node: NodeName;
  readonly type: OpcuaType;
  /** Into arrays by place from 0, into structures by the name of the field; empty: the value. */
  readonly element: readonly (number | string)[];
  /** Subscribed unless the server cannot, or read with each poll. */
  readonly mode: 'subscribe' | 'read';
  /** Null: the publishing interval of the link, which is how often news come. */
  readonly samplingMs: number | null;
  /** Values the server keeps between two publishes; null: what fits its sampling. */
  readonly queue: number | null;
  readonly deadband: Deadband | null;
  /** After an outage what the server has kept is read (Part 11). */
  readonly history: boolean;
}

/** A field of each event that a notifier tells. */
export interface EventAddress {
  readonly kind: 'event';
  readonly notifier: NodeName;
  /** Events of this type and those below it; null: every event. */
  readonly eventType: NodeName | null;
  readonly field: BrowsePath;
  readonly type: OpcuaType;
}

export const conditionFields = ['active', 'acked', 'severity', 'message'] as const;
export type ConditionField = (typeof conditionFields)[number];

/** What a condition (Part 9) is now. */
export interface ConditionAddress {
  readonly kind: 'condition';
  readonly node: NodeName;
  /** Who tells its events; null: the Server object. */
  readonly notifier: NodeName | null;
  readonly field: ConditionField;
}

/** Days until a certificate of the connection ends; below 0 since it has. */
export interface CertificateAddress {
  readonly kind: 'certificate';
  readonly whose: 'server' | 'own';
}

/** Null, `$value` in a profile: the value of the command. */
export type Argument = number | boolean | string | null;

export interface MethodAddress {
  readonly kind: 'method';
  readonly object: NodeName;
  /** A path is one from the object. */
  readonly method: NodeName;
  /** Of the types that the method declares. */
  readonly arguments: readonly Argument[];
}

/** The newest event of a condition is acknowledged. */
export interface AcknowledgeAddress {
  readonly kind: 'acknowledge';
  readonly node: NodeName;
  readonly notifier: NodeName | null;
}

export type ReadAddress = ValueAddress | EventAddress | ConditionAddress | CertificateAddress;
export type CommandAddress = MethodAddress | AcknowledgeAddress;
export type OpcuaAddress = ReadAddress | CommandAddress;

export interface OpcuaDevice {
  /** Prefix -> URI. */
  readonly namespaces: Readonly<Record<string, string>>;
  /** From sending a request to giving it up. */
  readonly timeoutMs: number;
}

export const TIMEOUT_MS_DEFAULT = 5_000;
const TIMEOUT_MS_MAX = 60_000;
/** A server never has to hold more than this for one item: 2 MB at 32 B a value. */
export const QUEUE_MAX = 65_535;
const SAMPLING_MS_MIN = 10;
const SAMPLING_MS_MAX = 3_600_000;
const ELEMENT_CHARACTERS_MAX = 512;
const ELEMENT_STEPS_MAX = 8;
const INDEX_MAX = 0x7fff_ffff;
const ARGUMENTS_MAX = 32;
const NAMESPACES_MAX = 64;
const URI_CHARACTERS_MAX = 1024;

const ELEMENT_STEP = /\[(\d+)\]|\.?([^.[\]]+)/y;

/** Names that other tools and the standard use. */
const alsoKnownAs: Readonly<Record<string, OpcuaType>> = {
  bool: 'boolean',
  i8: 'sbyte',
  int8: 'sbyte',
  uint8: 'byte',
  i16: 'int16',
  short: 'int16',
  u16: 'uint16',
  word: 'uint16',
  i32: 'int32',
  int: 'int32',
  dint: 'int32',
  enum: 'int32',
  enumeration: 'int32',
  u32: 'uint32',
  dword: 'uint32',
  statuscode: 'uint32',
  i64: 'int64',
  u64: 'uint64',
  float32: 'float',
  real: 'float',
  float64: 'double',
  lreal: 'double',
  text: 'string',
  localizedtext: 'string',
  guid: 'string',
  utctime: 'datetime',
};

/** How the fields that every event has (Part 5, 6.4.2) are declared. */
const eventTypes: Readonly<Record<string, OpcuaType>> = {
  Severity: 'uint16',
  Time: 'datetime',
  ReceiveTime: 'datetime',
};

const kinds = ['path', 'id', 'event', 'condition', 'certificate'] as const;
const valueKeys = ['type', 'element', 'mode', 'sampling', 'queue', 'deadband', 'history'];

/** Profile address -> typed; every problem at its path, undefined when there was one. */
export function parseAddress(
  raw: unknown,
  path: Path,
  problems: Problems,
): ReadAddress | undefined {
  const given = kinds.filter((kind) => isMap(raw) && raw[kind] !== undefined);
  const kind = given[0];
  if (given.length !== 1 || kind === undefined) {
    if (isMap(raw)) problems.add(path, 'opcua-one-kind', { kinds: kinds.join(', ') });
    else Fields.of(raw, path, problems, []);
    return undefined;
  }
  return whole(problems, () => {
    switch (kind) {
      case 'path':
      case 'id':
        return parseValue(raw, kind, path, problems);
      case 'event':
        return parseEvent(raw, path, problems);
      case 'condition':
        return parseCondition(raw, path, problems);
      case 'certificate': {
        const fields = Fields.of(raw, path, problems, [kind]);
        const whose = fields?.choice(kind, ['server', 'own']);
        return whose && { kind, whose };
      }
    }
  });
}

/**
 * What a command writes to or calls: `{ object, method, arguments }`, `{ acknowledge }`, or a node
 * that is written, as of a point.
 */
export function parseCommand(
  raw: unknown,
  path: Path,
  problems: Problems,
): OpcuaAddress | undefined {
  if (isMap(raw) && raw['acknowledge'] !== undefined) {
    return whole(problems, () => {
      const fields = Fields.of(raw, path, problems, ['acknowledge', 'notifier']);
      const node = fields && nodeOf(fields, 'acknowledge');
      const notifier = fields?.has('notifier') ? nodeOf(fields, 'notifier') : null;
      return node && notifier !== undefined ? { kind: 'acknowledge', node, notifier } : undefined;
    });
  }
  if (isMap(raw) && (raw['object'] !== undefined || raw['method'] !== undefined)) {
    return whole(problems, () => parseMethod(raw, path, problems));
  }
  const address = parseAddress(raw, path, problems);
  if (!address || address.kind === 'value') return address;
  problems.add(path, 'opcua-not-writable', { kind: address.kind });
  return undefined;
}

/** What a value of the address is to everybody else. */
export function valueTypeOf(address: ReadAddress): ValueType {
  switch (address.kind) {
    case 'certificate':
      return 'number';
    case 'condition':
      return conditionTypes[address.field];
    default:
      return plainTypes[address.type];
  }
}

const conditionTypes = {
  active: 'boolean',
  acked: 'boolean',
  severity: 'integer',
  message: 'text',
} as const satisfies Record<ConditionField, ValueType>;

const plainTypes: Readonly<Record<OpcuaType, ValueType>> = {
  boolean: 'boolean',
  sbyte: 'integer',
  byte: 'integer',
  int16: 'integer',
  uint16: 'integer',
  int32: 'integer',
  uint32: 'integer',
  int64: 'integer',
  uint64: 'integer',
  float: 'number',
  double: 'number',
  string: 'text',
  datetime: 'text',
};

/** Every prefix an address uses: each must be a key of the device's namespaces. */
export function prefixesOf(address: OpcuaAddress): string[] {
  const found = new Set<string>();
  const path = (names: BrowsePath) => {
    for (const { prefix } of names) if (prefix !== null) found.add(prefix);
  };
  const node = (name: NodeName | null) => {
    if (name?.kind === 'path') path(name.path);
    else if (name && name.prefix !== null) found.add(name.prefix);
  };
  switch (address.kind) {
    case 'value':
      node(address.node);
      break;
    case 'event':
      node(address.notifier);
      node(address.eventType);
      path(address.field);
      break;
    case 'condition':
    case 'acknowledge':
      node(address.node);
      node(address.notifier);
      break;
    case 'method':
      node(address.object);
      node(address.method);
      break;
    case 'certificate':
  }
  return [...found];
}

/** Settings of a device -> typed options. */
export function parseDevice(raw: unknown, path: Path, problems: Problems): OpcuaDevice | undefined {
  return whole(problems, () => {
    // A unit tells devices of a bus apart; here it has no meaning, and every device has one.
    const fields = Fields.of(raw ?? {}, path, problems, ['namespaces', 'timeoutMs', 'unit']);
    const timeoutMs = fields?.integer('timeoutMs', 1, TIMEOUT_MS_MAX, TIMEOUT_MS_DEFAULT);
    const namespaces = fields && parseNamespaces(fields);
    return namespaces && timeoutMs !== undefined
      ? { namespaces: Object.freeze(namespaces), timeoutMs }
      : undefined;
  });
}

function parseNamespaces(fields: Fields): Record<string, string> | undefined {
  const raw = fields.raw('namespaces') ?? {};
  const path = fields.at('namespaces');
  const { problems } = fields;
  if (!isMap(raw) || Object.keys(raw).length > NAMESPACES_MAX) {
    fields.wrong('namespaces', `0..${NAMESPACES_MAX} × prefix: "urn:…"`);
    return undefined;
  }
  const uris: Record<string, string> = {};
  for (const [prefix, uri] of Object.entries(raw)) {
    if (!PREFIX.test(prefix)) problems.add([...path, prefix], 'opcua-prefix', { prefix });
    if (typeof uri === 'string' && uri !== '' && uri.length <= URI_CHARACTERS_MAX) {
      uris[prefix] = uri;
    } else problems.add([...path, prefix], 'opcua-uri', { prefix });
  }
  return uris;
}

function parseValue(
  raw: unknown,
  kind: 'path' | 'id',
  path: Path,
  problems: Problems,
): ValueAddress | undefined {
  const fields = Fields.of(raw, path, problems, [kind, ...valueKeys]);
  if (!fields) return undefined;
  const node = kind === 'path' ? pathNode(fields, kind) : idNode(fields, kind);
  const type = fields.choice('type', types, undefined, alsoKnownAs);
  const element = fields.has('element') ? parseElement(fields) : [];
  const mode = fields.choice('mode', ['subscribe', 'read'], 'subscribe');
  const samplingMs = fields.has('sampling') ? parseSampling(fields) : null;
  const queue = fields.has('queue') ? fields.integer('queue', 1, QUEUE_MAX) : null;
  const deadband = fields.has('deadband') ? parseDeadband(fields) : null;
  const history = fields.flag('history', false);
  if (mode === 'read') refuse(fields, ['sampling', 'queue', 'deadband'], 'read');
  if (type && plainTypes[type] !== 'number' && plainTypes[type] !== 'integer') {
    refuse(fields, ['deadband'], type);
  }
  if (!node || !type || !element || !mode || history === undefined) return undefined;
  if (samplingMs === undefined || queue === undefined || deadband === undefined) return undefined;
  return { kind: 'value', node, type, element, mode, samplingMs, queue, deadband, history };
}

function refuse(fields: Fields, keys: readonly string[], type: string): void {
  for (const key of keys) {
    if (fields.has(key)) fields.problems.add(fields.at(key), 'protocol-key-unfit', { key, type });
  }
}

function parseElement(fields: Fields): (number | string)[] | undefined {
  const text = fields.raw('element');
  const steps: (number | string)[] = [];
  if (typeof text !== 'string' || text === '' || text.length > ELEMENT_CHARACTERS_MAX) {
    fields.wrong('element', '"[2]", "Low", "[2].Low"');
    return undefined;
  }
  for (let at = 0; at < text.length; at = ELEMENT_STEP.lastIndex) {
    ELEMENT_STEP.lastIndex = at;
    const [, index, name] = ELEMENT_STEP.exec(text) ?? [];
    const isFit = index !== undefined ? Number(index) <= INDEX_MAX : name !== undefined;
    if (!isFit || steps.length === ELEMENT_STEPS_MAX) {
      fields.wrong('element', `"[2]", "Low", "[2].Low" (≤ ${ELEMENT_STEPS_MAX})`);
      return undefined;
    }
    steps.push(index !== undefined ? Number(index) : name!);
  }
  return steps;
}

function parseSampling(fields: Fields): number | undefined {
  const text = fields.raw('sampling');
  const ms = typeof text === 'string' ? parseDuration(text) : undefined;
  if (ms !== undefined && ms >= SAMPLING_MS_MIN && ms <= SAMPLING_MS_MAX) return ms;
  fields.wrong('sampling', '10ms..1h');
  return undefined;
}

function parseDeadband(fields: Fields): Deadband | undefined {
  const raw = fields.raw('deadband');
  const keys = ['absolute', 'percent'] as const;
  const inner = Fields.of(raw, fields.at('deadband'), fields.problems, keys);
  if (!inner) return undefined;
  const given = keys.filter((key) => inner.has(key));
  const kind = given[0];
  const by = kind && inner.raw(kind);
  const most = kind === 'percent' ? 100 : Number.MAX_VALUE;
  if (given.length === 1 && kind && typeof by === 'number' && by > 0 && by <= most) {
    return { kind, by };
  }
  fields.wrong('deadband', '{ absolute: 0.1 }, { percent: 1 }');
  return undefined;
}

function parseEvent(raw: unknown, path: Path, problems: Problems): EventAddress | undefined {
  const outer = Fields.of(raw, path, problems, ['event', 'type']);
  const known = ['notifier', 'type', 'field'];
  const inner = outer && Fields.of(outer.raw('event'), outer.at('event'), problems, known);
  if (!inner) return undefined;
  const notifier = nodeOf(inner, 'notifier');
  const eventType = inner.has('type') ? nodeOf(inner, 'type', 'id') : null;
  const field = pathOf(inner, 'field');
  const usual = field?.length === 1 ? eventTypes[field[0]!.name] : undefined;
  const type = outer.choice('type', types, usual ?? 'string', alsoKnownAs);
  if (!notifier || eventType === undefined || !field || !type) return undefined;
  return { kind: 'event', notifier, eventType, field, type };
}

function parseCondition(
  raw: unknown,
  path: Path,
  problems: Problems,
): ConditionAddress | undefined {
  const outer = Fields.of(raw, path, problems, ['condition']);
  const known = ['node', 'field', 'notifier'];
  const inner = outer && Fields.of(outer.raw('condition'), outer.at('condition'), problems, known);
  if (!inner) return undefined;
  const node = nodeOf(inner, 'node');
  const notifier = inner.has('notifier') ? nodeOf(inner, 'notifier') : null;
  const field = inner.choice('field', conditionFields);
  if (!node || notifier === undefined || !field) return undefined;
  return { kind: 'condition', node, notifier, field };
}

function parseMethod(raw: unknown, path: Path, problems: Problems): MethodAddress | undefined {
  const fields = Fields.of(raw, path, problems, ['object', 'method', 'arguments']);
  if (!fields) return undefined;
  const object = nodeOf(fields, 'object');
  const method = nodeOf(fields, 'method');
  const list: unknown = fields.raw('arguments') ?? [];
  if (!Array.isArray(list) || list.length > ARGUMENTS_MAX || !list.every(isArgument)) {
    fields.wrong('arguments', `0..${ARGUMENTS_MAX} × 12.5, true, "text", $value`);
    return undefined;
  }
  if (!object || !method) return undefined;
  const given = list.map((each): Argument => (each === '$value' ? null : each));
  return { kind: 'method', object, method, arguments: given };
}

function isArgument(value: unknown): value is number | boolean | string {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string';
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Frozen, or undefined when anything was found to be wrong with it. */
function whole<Kind extends object>(
  problems: Problems,
  parse: () => Kind | undefined,
): Kind | undefined {
  const before = problems.findings.length + problems.beyond;
  const parsed = parse();
  const isWhole = parsed && problems.findings.length + problems.beyond === before;
  return isWhole ? Object.freeze(parsed) : undefined;
}
