// The address space of a simulated OPC UA server, from a plain list: variables, methods and alarms
// under Objects, with the objects on their way.
import { assert, Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';
import type {
  AddressSpace,
  DataValue,
  Instance,
  Namespace,
  OpcUaLibrary,
  OpcUaServer,
  StatusCode,
  Variable,
  Variant,
} from './opcua-library.ts';

/** The built-in types by their OPC UA names in lower case; `range` is the structure Range. */
export const opcUaTypes = {
  boolean: 'Boolean',
  sbyte: 'SByte',
  byte: 'Byte',
  int16: 'Int16',
  uint16: 'UInt16',
  int32: 'Int32',
  uint32: 'UInt32',
  int64: 'Int64',
  uint64: 'UInt64',
  float: 'Float',
  double: 'Double',
  string: 'String',
  datetime: 'DateTime',
  bytestring: 'ByteString',
  range: 'Range',
} as const;
export type OpcUaType = keyof typeof opcUaTypes;

/** A range is `{ low, high }`, an instant milliseconds since 1970, a byte string base64 text. */
export type OpcUaScalar =
  | boolean
  | number
  | bigint
  | string
  | { readonly low: number; readonly high: number };
export type OpcUaValue = OpcUaScalar | readonly OpcUaScalar[];

export interface OpcUaNode {
  /**
   * From Objects, `ps:PumpStation/ps:Pump1/ps:Pressure`; below another variable, part of it. A name
   * without prefix is of namespace 0; `&/` is a slash in a name.
   */
  readonly path: string;
  readonly type: OpcUaType;
  /** 0, false or empty when left out; a list makes the node an array. */
  readonly value?: OpcUaValue;
  /** `ps:s=Pressure`, `ps:i=17`; left out, the path without prefixes, parts joined by dots. */
  readonly id?: string;
  readonly writable?: boolean;
  /** Keeps its last HISTORY_VALUES_MAX values for HistoryRead. */
  readonly historizing?: boolean;
  /** EURange: percent deadbands need it. */
  readonly range?: readonly [min: number, max: number];
  readonly unit?: string;
  /** What a client that asks for less is given; 0, any change at once, when left out. */
  readonly minSamplingMs?: number;
}

export interface OpcUaMethod {
  /** Its object is the path without the last part. */
  readonly path: string;
  readonly inputs?: readonly { readonly name: string; readonly type: OpcUaType }[];
  /** What a call sets, by the path of a node: a value, or which input gives it. */
  readonly sets?: Readonly<Record<string, OpcUaScalar | { readonly input: number }>>;
  /** What a call answers; Good when left out. */
  readonly status?: string;
}

/** An exclusive limit alarm on a numeric node; what is left out lies beyond every value. */
export interface OpcUaAlarm {
  readonly path: string;
  /** Left out, it is active when it is told so (`alarm`). */
  readonly source?: string;
  readonly highHigh?: number;
  readonly high?: number;
  readonly low?: number;
  readonly lowLow?: number;
  /** 1 to 1,000. */
  readonly severity?: number;
}

/** A call of a method, as it arrived. */
export interface OpcUaCall {
  readonly path: string;
  readonly inputs: readonly unknown[];
}

/** What a client asked for by a call or by writing a value. */
export interface OpcUaOrder {
  readonly path: string;
  readonly values: readonly unknown[];
}

export interface OpcUaSpaceOptions {
  /** Prefix to URI, in the order in which the server lists them after its own two. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly nodes: readonly OpcUaNode[];
  readonly methods?: readonly OpcUaMethod[];
  readonly alarms?: readonly OpcUaAlarm[];
}

export interface OpcUaSet {
  /** Name (`BadSensorFailure`) or number, information bits and all; Good when left out. */
  readonly status?: string | number;
  /** Source timestamp; the clock of the server when left out. */
  readonly sourceMs?: number;
}

export const HISTORY_VALUES_MAX = 10_000; // 17 minutes at 10 a second; older ones are forgotten.
/** Of the lists of calls and orders; older ones are forgotten. */
const CALLS_MAX = 1_000;

export class OpcUaSpace {
  readonly calls: OpcUaCall[] = [];
  readonly #library: OpcUaLibrary;
  readonly #space: AddressSpace;
  readonly #nowMs: () => number;
  readonly #namespaces = new Map<string, Namespace>();
  readonly #objects = new Map<string, Instance>();
  readonly #variables = new Map<string, { readonly node: Variable; type: OpcUaType }>();
  readonly #alarmInputs = new Map<string, Variable>();
  readonly #orders: OpcUaOrder[] = [];
  /** A change of a value is the server's own, not a client's. */
  #isOwn = false;

  constructor(
    library: OpcUaLibrary,
    server: OpcUaServer,
    nowMs: () => number,
    { namespaces, nodes, methods = [], alarms = [] }: OpcUaSpaceOptions,
  ) {
    const space = server.engine.addressSpace;
    assert(space, 'an initialized server has an address space');
    this.#library = library;
    this.#space = space;
    this.#nowMs = nowMs;
    for (const [prefix, uri] of Object.entries(namespaces)) {
      this.#namespaces.set(prefix, space.registerNamespace(uri));
    }
    space.installAlarmsAndConditionsService();
    for (const node of nodes) this.#addVariable(node);
    for (const method of methods) this.#addMethod(method);
    for (const alarm of alarms) this.#addAlarm(alarm);
  }

  /** Throws Fault `sim_point_unknown`. */
  set(path: string, value: OpcUaValue | null, { status = 'Good', sourceMs }: OpcUaSet = {}): void {
    const { node, type } = this.#variable(path);
    const at = new Date(sourceMs ?? this.#nowMs());
    this.#isOwn = true;
    node.setValueFromSource(this.#variant(type, value), this.statusCode(status), at);
    this.#isOwn = false;
  }

  /** Of an alarm without a source: active or not. */
  alarm(path: string, isActive: boolean): void {
    const input = this.#alarmInputs.get(path);
    assert(input, `${path} is an alarm without a source`);
    input.setValueFromSource({ dataType: 'Double', value: isActive ? 1 : 0 });
  }

  /** What clients called and wrote since it was asked last. */
  takeOrders(): readonly OpcUaOrder[] {
    return this.#orders.splice(0);
  }

  /** What a reader sees now. */
  get(path: string): { value: unknown; status: string; sourceMs: number | null } {
    const { value, statusCode, sourceTimestamp } = this.#variable(path).node.readValue();
    return {
      value: value?.value,
      status: statusCode.name,
      sourceMs: sourceTimestamp?.getTime() ?? null,
    };
  }

  /** The node is of another type from now on, as after a download of a new program. */
  retype(path: string, type: OpcUaType, value: OpcUaValue): void {
    const found = this.#variable(path);
    found.type = type;
    found.node.dataType = this.#library.client.resolveNodeId(opcUaTypes[type]);
    // What the library remembers of the type before.
    (found.node as unknown as { _basicDataType: unknown })._basicDataType = undefined;
    this.set(path, value);
  }

  /** One more node, as after a device was plugged in. */
  add(node: OpcUaNode): void {
    this.#addVariable(node);
  }

  /** The node is gone, as after a download of a new program. */
  remove(path: string): void {
    const { node } = this.#variable(path);
    this.#space.deleteNode(node);
    this.#variables.delete(path);
  }

  /** An event of BaseEventType from the object, severity 1 to 1,000. */
  raise(path: string, message: string, severity: number): void {
    this.#object(partsOf(path)).raiseEvent('BaseEventType', {
      message: { dataType: 'LocalizedText', value: { text: message } },
      severity: { dataType: 'UInt16', value: severity },
    });
  }

  // A number may be one that the library has no name for.
  statusCode(status: string | number): StatusCode {
    const { StatusCodes } = this.#library.client;
    if (typeof status === 'number') {
      const Made = StatusCodes.Good.constructor as new (options: {
        value: number;
        name: string;
        description: string;
      }) => StatusCode;
      return new Made({ value: status, name: `0x${status.toString(16)}`, description: '' });
    }
    const found = (StatusCodes as unknown as Readonly<Record<string, StatusCode>>)[status];
    assert(found, `${status} is a status code`);
    return found;
  }

  #variable(path: string): { readonly node: Variable; type: OpcUaType } {
    const found = this.#variables.get(path);
    if (found) return found;
    const detail = bilingual('sim-no-point', { profile: 'opcua', id: path });
    throw new Fault('sim_point_unknown', 'never', detail);
  }

  /** A name of namespace 0 has its node in the server's own namespace. */
  #named(part: string): { namespace: Namespace; index: number; name: string } {
    const at = part.search(/(?<!&):/);
    const name = part.slice(at + 1).replaceAll(/&(.)/g, '$1');
    if (at < 0) return { namespace: this.#space.getOwnNamespace(), index: 0, name };
    const namespace = this.#namespaces.get(part.slice(0, at));
    assert(namespace, `${part} has a prefix that is known`);
    return { namespace, index: namespace.index, name };
  }

  /** The object at a path, made when it is not there: it tells its events to its parent. */
  #object(parts: readonly string[]): Instance {
    const { objects } = this.#space.rootFolder;
    if (parts.length === 0) return objects as unknown as Instance;
    const path = parts.join('/');
    const known = this.#objects.get(path);
    if (known) return known;
    const { namespace, index, name } = this.#named(parts.at(-1)!);
    const parent = this.#object(parts.slice(0, -1));
    const isTop = parts.length === 1;
    const made = namespace.addObject({
      browseName: { namespaceIndex: index, name },
      nodeId: `s=${plainPath(parts)}`,
      eventNotifier: 1,
      notifierOf: isTop ? objects.server : parent,
      ...(isTop ? { organizedBy: parent } : { componentOf: parent }),
    });
    this.#objects.set(path, made);
    return made;
  }

  #addVariable(options: OpcUaNode): void {
    const { path, type, historizing = false, range, unit, minSamplingMs = 0 } = options;
    const parts = partsOf(path);
    const { namespace, index, name } = this.#named(parts.at(-1)!);
    const above = parts.slice(0, -1);
    const variable = this.#variables.get(above.join('/'))?.node;
    const parent = variable ?? this.#object(above);
    const value = options.value ?? initialOf(type);
    const id = options.id === undefined ? null : this.#named(options.id);
    const access = options.writable ? 'CurrentRead | CurrentWrite' : 'CurrentRead';
    const node = (id?.namespace ?? namespace).addVariable({
      browseName: { namespaceIndex: index, name },
      nodeId: id?.name ?? `s=${plainPath(parts)}`,
      componentOf: parent,
      ...(!variable && { eventSourceOf: parent }),
      dataType: opcUaTypes[type],
      valueRank: Array.isArray(value) ? 1 : -1,
      accessLevel: access,
      userAccessLevel: access,
      minimumSamplingInterval: minSamplingMs,
    });
    if (range) this.#addProperty(node, 'EURange', 'Range', { low: range[0], high: range[1] });
    if (unit !== undefined) {
      this.#addProperty(node, 'EngineeringUnits', 'EUInformation', { displayName: { text: unit } });
    }
    this.#variables.set(path, { node, type });
    this.set(path, value);
    if (options.writable) {
      node.on('value_changed', ({ value: written }) => {
        if (!this.#isOwn) this.#order(path, [written.value]);
      });
    }
    if (historizing) {
      this.#space.installHistoricalDataNode(node, { maxOnlineValues: HISTORY_VALUES_MAX });
    }
  }

  #addProperty(
    node: Variable,
    name: 'EURange' | 'EngineeringUnits',
    dataType: 'Range' | 'EUInformation',
    content: object,
  ): void {
    const { client } = this.#library;
    const property = this.#space.getOwnNamespace().addVariable({
      browseName: { namespaceIndex: 0, name },
      nodeId: `s=${String(node.nodeId.value)}.${name}@${node.nodeId.namespace}`,
      propertyOf: node,
      typeDefinition: 'PropertyType',
      dataType,
    });
    const value = this.#space.constructExtensionObject(client.resolveNodeId(dataType), {
      ...content,
    });
    property.setValueFromSource({ dataType: client.DataType.ExtensionObject, value });
  }

  #addMethod({ path, inputs = [], sets = {}, status = 'Good' }: OpcUaMethod): void {
    const { DataType } = this.#library.client;
    const parts = partsOf(path);
    const { namespace, name } = this.#named(parts.at(-1)!);
    const method = namespace.addMethod(this.#object(parts.slice(0, -1)), {
      browseName: name,
      nodeId: `s=${plainPath(parts)}`,
      inputArguments: inputs.map((input) => ({
        name: input.name,
        dataType: DataType[opcUaTypes[input.type] as keyof typeof DataType],
      })),
      outputArguments: [],
    });
    method.bindMethod(async (given: Variant[], _context: unknown) => {
      const values = given.map(({ value }) => value as unknown);
      this.calls.push({ path, inputs: values });
      if (this.calls.length > CALLS_MAX) this.calls.shift();
      this.#order(path, values);
      for (const [target, value] of Object.entries(sets)) {
        const chosen = typeof value === 'object' && 'input' in value ? values[value.input] : value;
        this.set(target, chosen as OpcUaScalar);
      }
      return { statusCode: this.statusCode(status), outputArguments: [] };
    });
  }

  #order(path: string, values: readonly unknown[]): void {
    this.#orders.push({ path, values });
    if (this.#orders.length > CALLS_MAX) this.#orders.shift();
  }

  // The alarm looks at a variable of its own: the library throws when a second bad value follows
  // a first one at the same limit state. A bad value leaves the alarm as it is.
  #addAlarm({ path, source, severity = 500, ...limits }: OpcUaAlarm): void {
    const node = source === undefined ? null : this.#variable(source).node;
    const parts = partsOf(path);
    const { namespace, name } = this.#named(parts.at(-1)!);
    const { highHigh, high = node ? 1e30 : 0.5, low = -1e30, lowLow } = limits;
    const object = this.#object(parts.slice(0, -1));
    const input = this.#space.getOwnNamespace().addVariable({
      browseName: `${name}Input`,
      nodeId: `s=${plainPath(parts)}.Input`,
      dataType: 'Double',
      ...(!node && { componentOf: object, eventSourceOf: object }),
    });
    input.setValueFromSource({ dataType: 'Double', value: 0 });
    const alarm = namespace.instantiateExclusiveLimitAlarm('ExclusiveLimitAlarmType', {
      browseName: name,
      nodeId: `s=${plainPath(parts)}`,
      componentOf: object,
      conditionName: name,
      conditionSource: node ?? input,
      inputNode: input,
      highHighLimit: highHigh ?? 2 * Math.abs(high),
      highLimit: high,
      lowLimit: low,
      lowLowLimit: lowLow ?? -2 * Math.abs(low),
      optionals: ['ConfirmedState', 'Confirm'],
    });
    const usual = alarm.calculateConditionInfo.bind(alarm);
    alarm.calculateConditionInfo = (...given) => {
      const info = usual(...given);
      info.severity = severity;
      return info;
    };
    const look = ({ value, statusCode }: DataValue) => {
      if (statusCode.isGood() && typeof value.value === 'number') {
        input.setValueFromSource({ dataType: 'Double', value: value.value });
      }
    };
    if (!node) this.#alarmInputs.set(path, input);
    node?.on('value_changed', look);
    if (node) look(node.readValue());
  }

  #variant(type: OpcUaType, value: OpcUaValue | null): object {
    const { DataType, VariantArrayType } = this.#library.client;
    if (value === null) return { dataType: DataType.Null };
    const dataType = type === 'range' ? 'ExtensionObject' : opcUaTypes[type];
    const one = (scalar: OpcUaScalar) => this.#encoded(type, scalar);
    if (!Array.isArray(value)) {
      const arrayType = VariantArrayType.Scalar;
      return { dataType, arrayType, value: one(value as OpcUaScalar) };
    }
    return { dataType, arrayType: VariantArrayType.Array, value: value.map(one) };
  }

  // The library holds 64-bit numbers as [high, low] of 32 bits each.
  #encoded(type: OpcUaType, value: OpcUaScalar): unknown {
    if (type === 'range') {
      const id = this.#library.client.resolveNodeId('Range');
      return this.#space.constructExtensionObject(id, { ...(value as object) });
    }
    if (type === 'datetime') return new Date(Number(value));
    if (type === 'bytestring') return Buffer.from(String(value), 'base64');
    if (type !== 'int64' && type !== 'uint64') return value;
    const bits = BigInt.asUintN(64, BigInt(value as number | bigint));
    return [Number(bits >> 32n), Number(bits & 0xffffffffn)];
  }
}

/** `&` takes its meaning from the character behind it (OPC 10000-4, A.2). */
function partsOf(path: string): string[] {
  return path.match(/(?:&.|[^/&])+/g) ?? [];
}

function plainPath(parts: readonly string[]): string {
  return parts.map((part) => part.replace(/^[^:&]*:/, '').replaceAll(/&(.)/g, '$1')).join('.');
}

function initialOf(type: OpcUaType): OpcUaValue {
  if (type === 'boolean') return false;
  if (type === 'string' || type === 'bytestring') return '';
  if (type === 'range') return { low: 0, high: 0 };
  return 0;
}
