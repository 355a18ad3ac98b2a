// What is written to a node, called, or acknowledged: once, and only when the value fits.
//
// The type is that of the node itself, looked up before the first write and kept: a profile may
// have it wrong, and a server that gets another type refuses it. What the look-up needs is not the
// command: when that fails, nothing was sent. A node that turns out to have another type by now
// (BadTypeMismatch: nothing was done) is looked up once more.
import type { Fault } from '../../core/fault.ts';
import { Fault as FaultError, isFault } from '../../core/fault.ts';
import type { Value } from '../../core/reading.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Written } from '../driver.ts';
import type {
  AcknowledgeAddress,
  Argument,
  MethodAddress,
  OpcuaAddress,
  OpcuaDevice,
  ValueAddress,
} from './address.ts';
import type { Conditions } from './conditions.ts';
import type { Connection } from './connection.ts';
import { statusOfFault } from './connection.ts';
import type { DataValue, NodeId } from './library.ts';
import type { NodeName } from './node-name.ts';
import { nodeText } from './node-name.ts';
import type { Nodes } from './nodes.ts';
import { builtIn, builtInName, encodeAs } from './value.ts';

/** Part 6, annex A. */
const ENUMERATION = 29;
const HAS_SUBTYPE = 45;
const ACKNOWLEDGE = 9_111;
const BUILT_IN_MAX = 25;
/** A type further than this below a built-in one is none that is written. */
const SUPERTYPES_MAX = 8;
/**
 * After these the command may have been done all the same: what the server passes it on to did not
 * say, or it was given up on the way.
 */
const unsure: ReadonlySet<string> = new Set([
  'BadTimeout',
  'BadRequestTimeout',
  'BadConnectionClosed',
  'BadDisconnect',
  'BadUnexpectedError',
  'BadInternalError',
  'BadCommunicationError',
  'BadNoCommunication',
  'BadDeviceFailure',
  'BadWaitingForResponse',
  'BadShutdown',
  'BadServerHalted',
  'BadOperationAbandoned',
  'BadRequestCancelledByClient',
  'BadRequestCancelledByRequest',
  'BadUnknownResponse',
]);

/** An uncertain status is of something that was done. */
function isRefusal(status: string): boolean {
  return status.startsWith('Bad') && !unsure.has(status);
}

interface Target {
  readonly nodeId: NodeId;
  readonly dataType: number;
  /** An element of an array is written by its range. */
  readonly isArray: boolean;
}

interface Method {
  readonly objectId: NodeId;
  readonly methodId: NodeId;
  readonly types: readonly number[];
}

/** Steps before the command itself: whatever fails there, nothing was sent. */
interface Ready {
  send(): Promise<string>;
}

export class Writer {
  readonly #connection: Connection;
  readonly #conditions: Conditions;
  readonly #nodes: () => Promise<Nodes>;
  readonly #targets = new Map<ValueAddress, Target>();
  readonly #methods = new Map<MethodAddress, Method>();

  constructor(connection: Connection, conditions: Conditions, nodes: () => Promise<Nodes>) {
    this.#connection = connection;
    this.#conditions = conditions;
    this.#nodes = nodes;
  }

  async write(
    device: OpcuaDevice,
    address: OpcuaAddress,
    value: Value,
    signal: AbortSignal,
    mayGo: () => boolean = () => true,
  ): Promise<Written> {
    let ready: Ready;
    try {
      ready = await this.#ready(device, address, value, signal);
    } catch (error) {
      return unsent(error);
    }
    const sent = await this.#send(ready, address, signal, mayGo);
    if (sent.status !== 'BadTypeMismatch' || address.kind !== 'value') return sent;
    this.#targets.delete(address);
    try {
      ready = await this.#ready(device, address, value, signal);
    } catch (error) {
      return unsent(error);
    }
    return await this.#send(ready, address, signal, mayGo);
  }

  async #send(
    ready: Ready,
    address: OpcuaAddress,
    signal: AbortSignal,
    mayGo: () => boolean,
  ): Promise<Written & { readonly status?: string }> {
    const gone = this.#connection.ended;
    if (gone || signal.aborted || !mayGo()) {
      const { endpoint } = this.#connection.place;
      return unsent(gone ?? new FaultError('no_connection', 'later', endpoint));
    }
    try {
      const status = await ready.send();
      if (status.startsWith('Good')) return { fault: null, lineMs: 0 };
      return { ...refused(address, status), status };
    } catch (error) {
      if (!isFault(error)) throw error;
      const status = statusOfFault(error);
      const isSure = status !== null && isRefusal(status);
      return { fault: error, lineMs: 0, ...(isSure ? { sure: 'refused' } : {}) };
    }
  }

  #ready(
    device: OpcuaDevice,
    address: OpcuaAddress,
    value: Value,
    signal: AbortSignal,
  ): Promise<Ready> {
    switch (address.kind) {
      case 'value':
        return this.#readyValue(device, address, value, signal);
      case 'method':
        return this.#readyCall(device, address, value, signal);
      case 'acknowledge':
        return this.#readyAcknowledge(device, address, value, signal);
      default:
        return Promise.reject(unfit(address.kind, value, address.kind));
    }
  }

  // --- A value ---

  async #readyValue(
    device: OpcuaDevice,
    address: ValueAddress,
    value: Value,
    signal: AbortSignal,
  ): Promise<Ready> {
    const target = this.#targets.get(address) ?? (await this.#target(device, address, signal));
    this.#targets.set(address, target);
    const { nodeId, dataType, isArray } = target;
    const [place, ...deeper] = address.element;
    const encoded = encodeAs(dataType, value);
    const isWhole = place === undefined ? !isArray : isArray && typeof place === 'number';
    if (encoded === undefined || !isWhole || deeper.length > 0) {
      throw unfit(nodeText(address.node), value, builtInName(dataType));
    }
    const { library } = this.#connection;
    const { Scalar, Array: List } = library.VariantArrayType;
    const request = new library.WriteRequest({
      nodesToWrite: [
        {
          nodeId,
          attributeId: library.AttributeIds.Value,
          ...(isArray ? { indexRange: `${place}` as never } : {}),
          value: {
            value: {
              dataType: dataType as never,
              arrayType: isArray ? List : Scalar,
              value: isArray ? [encoded] : encoded,
            },
          },
        },
      ],
    });
    return {
      send: async () => {
        const { results } = await this.#request<{
          readonly results?: readonly { readonly name: string }[] | null;
        }>(request, device, signal);
        return results?.[0]?.name ?? 'BadUnexpectedError';
      },
    };
  }

  async #target(device: OpcuaDevice, { node }: ValueAddress, signal: AbortSignal): Promise<Target> {
    const nodeId = await this.#find(device, node, signal);
    const { AttributeIds } = this.#connection.library;
    const [value, type] = await this.#attributes(
      device,
      [
        { nodeId, attributeId: AttributeIds.Value },
        { nodeId, attributeId: AttributeIds.DataType },
      ],
      signal,
    );
    const declared: unknown = type?.value.value;
    const shown = value?.value;
    const dataType =
      shown && shown.dataType !== builtIn.null
        ? shown.dataType
        : await this.#builtIn(device, declared, signal);
    return { nodeId, dataType, isArray: Number(shown?.arrayType ?? 0) > 0 };
  }

  async #find(
    { namespaces, timeoutMs }: OpcuaDevice,
    node: NodeName,
    signal: AbortSignal,
    from?: NodeId,
  ): Promise<NodeId> {
    const nodes = await this.#nodes();
    const wanted = { node, namespaces, timeoutMs, ...(from ? { from } : {}) };
    const [found] = await nodes.find([wanted], signal);
    if (found?.nodeId) return found.nodeId;
    const values = { node: nodeText(node), status: found?.why ?? '' };
    throw new FaultError('opcua_node_unknown', 'never', bilingual('opcua-node', values));
  }

  async #attributes(
    device: OpcuaDevice,
    nodesToRead: { nodeId: NodeId; attributeId: number }[],
    signal: AbortSignal,
  ): Promise<DataValue[]> {
    const { library } = this.#connection;
    const request = new library.ReadRequest({ maxAge: 0, nodesToRead });
    const { results } = await this.#request<{ readonly results?: DataValue[] | null }>(
      request,
      device,
      signal,
    );
    return results ?? [];
  }

  /** The built-in type that a data type is encoded as: its own, or that of a type above it. */
  async #builtIn(device: OpcuaDevice, dataType: unknown, signal: AbortSignal): Promise<number> {
    const { library } = this.#connection;
    let nodeId = dataType instanceof library.NodeId ? dataType : null;
    for (let steps = 0; nodeId && steps < SUPERTYPES_MAX; steps++) {
      const id = nodeId.namespace === 0 ? Number(nodeId.value) : Number.NaN;
      if (id <= BUILT_IN_MAX) return id;
      if (id === ENUMERATION) return builtIn.int32;
      const request = new library.BrowseRequest({
        nodesToBrowse: [
          {
            nodeId,
            browseDirection: library.BrowseDirection.Inverse,
            referenceTypeId: library.coerceNodeId(`ns=0;i=${HAS_SUBTYPE}`),
            includeSubtypes: false,
            nodeClassMask: 0,
            resultMask: 0,
          },
        ],
      });
      const { results } = await this.#request<{
        readonly results?:
          | readonly {
              readonly references?: readonly { readonly nodeId: NodeId }[] | null;
            }[]
          | null;
      }>(request, device, signal);
      const above: NodeId | undefined = results?.[0]?.references?.[0]?.nodeId;
      nodeId = above ? library.coerceNodeId(above.toString()) : null;
    }
    return builtIn.null;
  }

  // --- A method ---

  async #readyCall(
    device: OpcuaDevice,
    address: MethodAddress,
    value: Value,
    signal: AbortSignal,
  ): Promise<Ready> {
    const known = this.#methods.get(address) ?? (await this.#method(device, address, signal));
    this.#methods.set(address, known);
    const { objectId, methodId, types } = known;
    const name = nodeText(address.method);
    if (types.length !== address.arguments.length) {
      throw unfit(name, `${address.arguments.length}`, `${types.length}`);
    }
    const inputArguments = address.arguments.map((argument: Argument, at) => {
      const given = argument ?? value;
      const encoded = encodeAs(types[at]!, given);
      if (encoded === undefined) throw unfit(name, given, builtInName(types[at]!));
      return { dataType: types[at]! as never, value: encoded };
    });
    return this.#call(device, { objectId, methodId, inputArguments }, signal);
  }

  async #method(device: OpcuaDevice, address: MethodAddress, signal: AbortSignal): Promise<Method> {
    const objectId = await this.#find(device, address.object, signal);
    const methodId = await this.#find(device, address.method, signal, objectId);
    const nodes = await this.#nodes();
    const property: NodeName = { kind: 'path', path: [{ prefix: null, name: 'InputArguments' }] };
    const wanted = { node: property, namespaces: {}, timeoutMs: device.timeoutMs, from: methodId };
    const [found] = await nodes.find([wanted], signal);
    if (!found?.nodeId) return { objectId, methodId, types: [] };
    const { AttributeIds } = this.#connection.library;
    const asked = [{ nodeId: found.nodeId, attributeId: AttributeIds.Value as number }];
    const [declared] = await this.#attributes(device, asked, signal);
    const list: unknown = declared?.value.value;
    const types: number[] = [];
    for (const { dataType } of (Array.isArray(list) ? list : []) as { dataType?: unknown }[]) {
      types.push(await this.#builtIn(device, dataType, signal));
    }
    return { objectId, methodId, types };
  }

  #call(device: OpcuaDevice, method: object, signal: AbortSignal): Ready {
    const request = new this.#connection.library.CallRequest({ methodsToCall: [method as never] });
    return {
      send: async () => {
        const { results } = await this.#request<{
          readonly results?: readonly { readonly statusCode: { readonly name: string } }[] | null;
        }>(request, device, signal);
        return results?.[0]?.statusCode.name ?? 'BadUnexpectedError';
      },
    };
  }

  // --- An acknowledgement ---

  /** Of the newest event: of an older one it would say that somebody saw what he did not see. */
  async #readyAcknowledge(
    device: OpcuaDevice,
    { node }: AcknowledgeAddress,
    value: Value,
    signal: AbortSignal,
  ): Promise<Ready> {
    const objectId = await this.#find(device, node, signal);
    const eventId =
      this.#conditions.stateOf(objectId)?.eventId ??
      (await this.#eventId(device, objectId, signal));
    const nodes = await this.#nodes();
    const { DataType } = this.#connection.library;
    const comment = typeof value === 'string' ? value : '';
    const inputArguments = [
      { dataType: DataType.ByteString, value: eventId },
      { dataType: DataType.LocalizedText, value: { text: comment } },
    ];
    const methodId = nodes.standard(ACKNOWLEDGE);
    return this.#call(device, { objectId, methodId, inputArguments }, signal);
  }

  async #eventId(device: OpcuaDevice, condition: NodeId, signal: AbortSignal): Promise<unknown> {
    const property: NodeName = { kind: 'path', path: [{ prefix: null, name: 'EventId' }] };
    const nodeId = await this.#find(device, property, signal, condition);
    const { AttributeIds } = this.#connection.library;
    const asked = [{ nodeId, attributeId: AttributeIds.Value as number }];
    const [shown] = await this.#attributes(device, asked, signal);
    return shown?.value.value ?? null;
  }

  #request<Response>(
    request: Parameters<Connection['request']>[0],
    { timeoutMs }: OpcuaDevice,
    signal: AbortSignal,
  ): Promise<Response> {
    return this.#connection.request<Response>(request, timeoutMs, signal);
  }
}

function unsent(error: unknown): Written {
  if (!isFault(error)) throw error;
  return { fault: error, lineMs: 0, sure: 'unsent' };
}

function refused(address: OpcuaAddress, status: string): Written {
  const node =
    address.kind === 'method'
      ? nodeText(address.method)
      : 'node' in address
        ? nodeText(address.node)
        : '';
  const fault = new FaultError('opcua_service', 'never', bilingual('opcua-node', { node, status }));
  return { fault, lineMs: 0, ...(isRefusal(status) ? { sure: 'refused' } : {}) };
}

function unfit(node: string, value: Value, type: string): Fault {
  const detail = bilingual('opcua-value-unfit', { node, value: String(value), type });
  return new FaultError('opcua_value_unfit', 'never', detail);
}
