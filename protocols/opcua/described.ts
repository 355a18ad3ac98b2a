// What a variable or a method of a server is, for a person who looks at it: type, value, unit,
// range, what may be done with it. Everything comes from the server: it is cut and cleaned.
import type { OpcuaType } from './address.ts';
import { types } from './address.ts';
import type { BatchSize } from './batches.ts';
import { inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { DataValue, NodeId } from './library.ts';
import { builtIn } from './value.ts';

const TEXT_MAX = 300;

export interface BrowsedArgument {
  readonly name: string;
  readonly type: string;
  readonly text: string;
}

export interface BrowsedVariable {
  /** Null for a structure and what else no reading can have. */
  readonly type: OpcuaType | null;
  readonly typeName: string;
  readonly isArray: boolean;
  /** What it shows now; null where it is not readable. */
  readonly value: string | null;
  readonly status: string;
  readonly unit: string | null;
  readonly range: readonly [number, number] | null;
  readonly isWritable: boolean;
  readonly isHistorizing: boolean;
}

/** A node to be described, and what became of it. */
export interface Described {
  readonly nodeId: NodeId;
  readonly kind: string;
  /** Property name -> node. */
  readonly properties: ReadonlyMap<string, NodeId>;
  variable: BrowsedVariable | null;
  inputs: readonly BrowsedArgument[];
  outputs: readonly BrowsedArgument[];
}

/** Foreign text as it may stand in a terminal and in a file: no control signs, one line, cut. */
export function clean(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return plain.length > TEXT_MAX ? `${plain.slice(0, TEXT_MAX)}…` : plain;
}

const attributes = ['DataType', 'ValueRank', 'Value', 'UserAccessLevel', 'Historizing'] as const;
const WRITABLE = 0x02;

interface Question {
  readonly nodeId: NodeId;
  readonly attribute: (typeof attributes)[number];
  readonly take: (value: DataValue | null) => void;
}

/** Reads what each of them is, in as few requests as the server takes. */
export async function readDescribed(
  connection: Connection,
  found: readonly Described[],
  size: BatchSize,
  signal: AbortSignal,
): Promise<void> {
  const drafts = new Map<Described, Record<string, DataValue | null>>();
  const questions: Question[] = [];
  for (const node of found) {
    const values: Record<string, DataValue | null> = {};
    drafts.set(node, values);
    const ask = (nodeId: NodeId, attribute: Question['attribute'], name: string) =>
      questions.push({ nodeId, attribute, take: (value) => (values[name] = value) });
    if (node.kind === 'variable') for (const each of attributes) ask(node.nodeId, each, each);
    for (const name of ['EngineeringUnits', 'EURange', 'InputArguments', 'OutputArguments']) {
      const property = node.properties.get(name);
      if (property) ask(property, 'Value', name);
    }
  }
  const answers = await readAll(connection, questions, size, signal);
  questions.forEach(({ take }, at) => {
    take(answers[at] ?? null);
  });
  for (const [node, values] of drafts) {
    if (node.kind === 'variable') node.variable = variableOf(values);
    node.inputs = argumentsOf(values['InputArguments']);
    node.outputs = argumentsOf(values['OutputArguments']);
  }
}

async function readAll(
  connection: Connection,
  questions: readonly Question[],
  size: BatchSize,
  signal: AbortSignal,
): Promise<(DataValue | null)[]> {
  const { library, place } = connection;
  return await inBatches(
    questions,
    size,
    async (batch) => {
      const request = new library.ReadRequest({
        maxAge: 0,
        timestampsToReturn: library.TimestampsToReturn.Neither,
        nodesToRead: batch.map(({ nodeId, attribute }) => ({
          nodeId,
          attributeId: library.AttributeIds[attribute],
        })),
      });
      const answer = await connection.request<{ readonly results?: DataValue[] | null }>(
        request,
        place.timeoutMs,
        signal,
      );
      return answer.results ?? [];
    },
    () => null,
  );
}

const typeNames = Object.entries(builtIn) as [string, number][];
const nameOfType = (id: number) => typeNames.find(([, number]) => number === id)?.[0] ?? '?';
/** As readings see them. */
const shownAs: Readonly<Record<string, OpcuaType>> = {
  localizedtext: 'string',
  guid: 'string',
  nodeid: 'string',
  statuscode: 'uint32',
};

function typeOf(id: number): OpcuaType | null {
  const name = nameOfType(id);
  return types.find((type) => type === name) ?? shownAs[name] ?? null;
}

function variableOf(values: Record<string, DataValue | null>): BrowsedVariable {
  const { Value: shown = null, DataType: declared, ValueRank: rank } = values;
  const good = (value: DataValue | null | undefined) =>
    value?.statusCode.isGood() ? (value.value?.value as unknown) : undefined;
  // What a value is now says more than a declaration that may name a type of the server's own.
  const declaredId = good(declared) as NodeId | undefined;
  const declaredNumber = declaredId?.namespace === 0 ? Number(declaredId.value) : 0;
  const known = declaredNumber <= builtIn.structure ? declaredNumber : 0;
  const id = shown?.value?.dataType || known;
  const rankNumber = Number(good(rank) ?? -1);
  const value = whole(good(shown), id);
  const access = Number(good(values['UserAccessLevel']) ?? 0);
  return {
    type: typeOf(id),
    typeName: nameOfType(id),
    isArray: rankNumber >= 0 || (shown?.value?.arrayType ?? 0) > 0,
    value: value === undefined || value === null ? null : shownText(value),
    status: shown?.statusCode.name ?? 'BadUnexpectedError',
    unit: unitText(good(values['EngineeringUnits'])),
    range: rangeOf(good(values['EURange'])),
    isWritable: (access & WRITABLE) !== 0,
    isHistorizing: good(values['Historizing']) === true,
  };
}

/** 64 bits come as two halves. */
function whole(value: unknown, id: number): unknown {
  const isWide = id === builtIn.int64 || id === builtIn.uint64;
  if (!isWide || !Array.isArray(value) || value.length !== 2) return value;
  const bits = (BigInt(Number(value[0])) << 32n) | BigInt(Number(value[1]));
  return id === builtIn.int64 ? BigInt.asIntN(64, bits) : bits;
}

function shownText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'number') return `${Number(value.toPrecision(7))}`;
  if (Buffer.isBuffer(value)) return `${value.length} bytes`;
  if (ArrayBuffer.isView(value) || Array.isArray(value)) {
    const list = Array.from(value as unknown as ArrayLike<unknown>);
    const shown = list.slice(0, 4).map(shownText).join(', ');
    return `[${shown}${list.length > 4 ? `, … ${list.length}` : ''}]`;
  }
  const { text } = (value ?? {}) as { readonly text?: unknown };
  if (typeof text === 'string') return clean(text);
  return clean(typeof value === 'object' ? 'structure' : String(value)).slice(0, 60);
}

function unitText(value: unknown): string | null {
  const { displayName } = (value ?? {}) as { readonly displayName?: { readonly text?: unknown } };
  const text = typeof displayName?.text === 'string' ? clean(displayName.text) : '';
  return text === '' ? null : text.slice(0, 40);
}

function rangeOf(value: unknown): readonly [number, number] | null {
  const { low, high } = (value ?? {}) as { readonly low?: unknown; readonly high?: unknown };
  const isRange = typeof low === 'number' && typeof high === 'number' && low < high;
  return isRange && Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
}

interface Argument {
  readonly name?: string | null;
  readonly dataType?: NodeId;
  readonly description?: { readonly text?: string | null };
}

function argumentsOf(value: DataValue | null | undefined): BrowsedArgument[] {
  const list: unknown = value?.statusCode.isGood() ? value.value?.value : undefined;
  if (!Array.isArray(list)) return [];
  return (list as Argument[]).map(({ name, dataType, description }) => ({
    name: clean(name ?? ''),
    type: dataType?.namespace === 0 ? nameOfType(Number(dataType.value)) : `${dataType}`,
    text: clean(description?.text ?? ''),
  }));
}
