// Events and conditions (Part 4, 7.22.3; Part 9): one monitored item for each notifier and type of
// event that points ask for, with all the fields they want.
//
// An event is a reading of its field, each one. A condition is a state: it is what its newest event
// says, and where there was none, what its node shows. After a connect the server is asked to tell
// the conditions that hold again (ConditionRefresh); what it tells then is no new event.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import { GOOD, qualityCode } from '../../core/quality.ts';
import type { Value } from '../../core/reading.ts';
import type { ConditionField, EventAddress, OpcuaType } from './address.ts';
import { inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { Item } from './items.ts';
import { CONFIGURATION } from './items.ts';
import type { NodeId, Variant } from './library.ts';
import type { BrowsePath, NodeName } from './node-name.ts';
import type { Nodes, Wanted } from './nodes.ts';
import type { Sizes } from './setup.ts';
import { readValues } from './setup.ts';
import type { EventItem, Message } from './subscription.ts';
import type { Decoded } from './value.ts';
import { decodeVariant } from './value.ts';

/** Client handles of events; those of values count from 0. */
const FIRST_HANDLE = 0x8000_0000;
/** What a server keeps of events between two publishes: a burst of alarms. */
const EVENT_QUEUE = 1_000;
const NOT_AVAILABLE = qualityCode('bad', 'not_available');

// Part 6, annex A.
const SERVER = 2253;
const BASE_EVENT = 2041;
const CONDITION = 2782;
const ACKNOWLEDGEABLE = 2881;
const ALARM = 2915;
const CONDITION_REFRESH = 3875;
const REFRESH_START = 2787;
const REFRESH_END = 2788;
const SERVER_NODE: NodeName = { kind: 'id', prefix: null, type: 'i', value: `${SERVER}` };

/** Of every source: whose event it is, and when it happened. */
const TIME = 0;
const EVENT_TYPE = 1;
const FIELDS = 2;

interface Select {
  /** The type that has the field. */
  readonly type: NodeId;
  readonly path: readonly { readonly namespaceIndex: number; readonly name: string }[];
}

interface Source {
  readonly handle: number;
  readonly notifier: NodeId;
  readonly eventType: NodeId | null;
  readonly selects: Select[];
  /** Points of events, with the place of their field. */
  readonly points: { readonly item: Item; readonly field: number }[];
  /** Its events are asked for the state of conditions. */
  readonly isOfConditions: boolean;
  isRefreshing: boolean;
}

/** The newest of a condition. */
export interface ConditionState {
  readonly nodeId: NodeId;
  readonly items: Item[];
  eventId: Buffer | null;
}

const shows: Readonly<Record<ConditionField, { type: OpcuaType; place: number }>> = {
  active: { type: 'boolean', place: FIELDS + 2 },
  acked: { type: 'boolean', place: FIELDS + 3 },
  severity: { type: 'uint16', place: FIELDS + 4 },
  message: { type: 'string', place: FIELDS + 5 },
};
const EVENT_ID = FIELDS;
const CONDITION_ID = FIELDS + 1;
const BRANCH_ID = FIELDS + 6;

/** What a condition is of which nothing was ever told: the standard says it is not of interest. */
const quiet: Readonly<Record<ConditionField, Value>> = {
  active: false,
  acked: true,
  severity: null,
  message: null,
};

export class Conditions {
  readonly #sources = new Map<number, Source>();
  readonly #states = new Map<string, ConditionState>();

  /** The subscription is gone. */
  reset(): void {
    this.#sources.clear();
    this.#states.clear();
  }

  /** Undefined where no point shows it. */
  stateOf(nodeId: NodeId): ConditionState | undefined {
    return this.#states.get(nodeId.toString());
  }

  async setUp(
    clock: Clock,
    connection: Connection,
    nodes: Nodes,
    subscriptionId: number,
    items: readonly Item[],
    sizes: Sizes,
  ): Promise<void> {
    if (items.length === 0) return;
    const sources = await this.#sourcesFor(nodes, items);
    await this.#monitor(connection, subscriptionId, sources, sizes);
    const states = [...this.#states.values()].filter(({ items: of }) =>
      of.some((item) => items.includes(item) && item.way === 'told'),
    );
    await this.#readStates(clock, connection, nodes, states, sizes);
    if (states.length > 0) await this.#refresh(connection, nodes, subscriptionId);
  }

  // --- Setting up ---

  async #sourcesFor(nodes: Nodes, items: readonly Item[]): Promise<readonly Source[]> {
    const wanted = items.flatMap((item) => wantedOf(item));
    const found = await nodes.find(wanted);
    const made = new Map<string, Source>();
    items.forEach((item, at) => {
      const [notifier, other] = [found[2 * at]!.nodeId, found[2 * at + 1]!.nodeId];
      const { address } = item;
      if (!notifier || !other || (address.kind !== 'event' && address.kind !== 'condition')) {
        item.wrong(CONFIGURATION);
        return;
      }
      const isEvent = address.kind === 'event';
      const eventType = isEvent && address.eventType ? other : null;
      const key = `${notifier} ${isEvent ? `${eventType}` : 'conditions'}`;
      const source = made.get(key) ?? this.#source(nodes, notifier, eventType, !isEvent);
      made.set(key, source);
      if (isEvent) {
        const field = fieldIn(nodes, item, address, source);
        if (field === null) item.wrong(CONFIGURATION);
        else source.points.push({ item, field });
      } else {
        item.nodeId = other;
        const state = this.stateOf(other) ?? { nodeId: other, items: [], eventId: null };
        if (!state.items.includes(item)) state.items.push(item);
        this.#states.set(other.toString(), state);
        source.points.push({ item, field: -1 });
      }
    });
    return [...made.values()];
  }

  #source(
    nodes: Nodes,
    notifier: NodeId,
    eventType: NodeId | null,
    isOfConditions: boolean,
  ): Source {
    const base = nodes.standard(BASE_EVENT);
    const of = (type: number, ...names: string[]): Select => ({
      type: nodes.standard(type),
      path: names.map((name) => ({ namespaceIndex: 0, name })),
    });
    const selects = [
      ...[of(BASE_EVENT, 'Time'), of(BASE_EVENT, 'EventType')],
      ...(isOfConditions
        ? [
            of(BASE_EVENT, 'EventId'),
            of(CONDITION), // The id of the condition itself.
            of(ALARM, 'ActiveState', 'Id'),
            of(ACKNOWLEDGEABLE, 'AckedState', 'Id'),
            of(BASE_EVENT, 'Severity'),
            of(BASE_EVENT, 'Message'),
            of(CONDITION, 'BranchId'),
          ]
        : []),
    ];
    const handle = FIRST_HANDLE + this.#sources.size;
    const source: Source = {
      ...{ handle, notifier, eventType: eventType ?? (isOfConditions ? null : base) },
      ...{ selects, points: [], isOfConditions, isRefreshing: false },
    };
    this.#sources.set(handle, source);
    return source;
  }

  async #monitor(
    connection: Connection,
    subscriptionId: number,
    sources: readonly Source[],
    sizes: Sizes,
  ): Promise<void> {
    const { library, place } = connection;
    const made = await inBatches(
      sources,
      sizes.monitor,
      async (batch) => {
        const request = new library.CreateMonitoredItemsRequest({
          subscriptionId,
          timestampsToReturn: library.TimestampsToReturn.Both,
          itemsToCreate: batch.map((source) => ({
            itemToMonitor: {
              nodeId: source.notifier,
              attributeId: library.AttributeIds.EventNotifier,
            },
            monitoringMode: library.MonitoringMode.Reporting,
            requestedParameters: {
              clientHandle: source.handle,
              samplingInterval: 0,
              queueSize: EVENT_QUEUE,
              discardOldest: true,
              filter: filterOf(connection, source),
            },
          })),
        });
        const { results } = await connection.request<{
          readonly results?: { readonly statusCode: { isGood(): boolean } }[] | null;
        }>(request, place.timeoutMs);
        return results ?? [];
      },
      () => null,
    );
    sources.forEach(({ points }, at) => {
      for (const { item } of points) {
        if (!made[at]?.statusCode.isGood()) item.wrong(CONFIGURATION);
        else if (item.way !== 'told') {
          item.way = 'told';
          item.value = null;
          item.quality = NOT_AVAILABLE;
        }
      }
    });
  }

  /** What the nodes of conditions show, where they can be read; quiet where they cannot. */
  async #readStates(
    clock: Clock,
    connection: Connection,
    nodes: Nodes,
    states: readonly ConditionState[],
    sizes: Sizes,
  ): Promise<void> {
    const paths = [
      ['ActiveState', 'Id'],
      ['AckedState', 'Id'],
      ['Severity'],
      ['Message'],
      ['EventId'],
    ];
    const { timeoutMs } = connection.place;
    const wanted = states.flatMap(({ nodeId }) =>
      paths.map((names): Wanted => {
        const path = names.map((name) => ({ prefix: null, name }));
        return { node: { kind: 'path', path }, namespaces: {}, timeoutMs, from: nodeId };
      }),
    );
    const found = await nodes.find(wanted);
    const ids = found.flatMap(({ nodeId }) => (nodeId ? [nodeId] : []));
    const read = await readValues(connection, ids, sizes.read, timeoutMs);
    let next = 0;
    const shown = found.map(({ nodeId }) => (nodeId ? read[next++]! : null));
    const nowMs = clock.monoMs();
    states.forEach((state, at) => {
      const [active, acked, severity, message, eventId] = shown.slice(paths.length * at);
      const id: unknown = eventId?.value.value;
      if (id instanceof Buffer && id.length > 0) state.eventId = id;
      const values = { active, acked, severity, message };
      for (const item of state.items) {
        if (item.address.kind !== 'condition') continue;
        const { field } = item.address;
        const variant = values[field]?.statusCode.isGood() ? values[field]?.value : null;
        const decoded: Decoded = { value: null, quality: GOOD };
        if (variant) decodeVariant(variant, shows[field].type, [], decoded);
        else decoded.value = quiet[field];
        item.value = decoded.value;
        item.quality = decoded.value === null ? NOT_AVAILABLE : decoded.quality;
        item.atMonoMs = nowMs;
      }
    });
  }

  async #refresh(connection: Connection, nodes: Nodes, subscriptionId: number): Promise<void> {
    const { library, place } = connection;
    const request = new library.CallRequest({
      methodsToCall: [
        {
          objectId: nodes.standard(CONDITION),
          methodId: nodes.standard(CONDITION_REFRESH),
          inputArguments: [{ dataType: library.DataType.UInt32, value: subscriptionId }],
        },
      ],
    });
    try {
      await connection.request(request, place.timeoutMs);
    } catch (error) {
      if (!isFault(error)) throw error; // What the nodes show is what is known then.
    }
  }

  // --- What comes ---

  take(events: readonly EventItem[], message: Message): void {
    for (const { clientHandle, eventFields } of events) {
      const source = this.#sources.get(clientHandle);
      if (!source || !eventFields) continue;
      const type = `${eventFields[EVENT_TYPE]?.value ?? ''}`;
      if (isStandard(type, REFRESH_START)) source.isRefreshing = true;
      else if (isStandard(type, REFRESH_END)) source.isRefreshing = false;
      else if (source.isOfConditions) this.#takeCondition(eventFields, message);
      else if (!source.isRefreshing) takeEvent(source, eventFields, message);
    }
  }

  #takeCondition(fields: readonly Variant[], message: Message): void {
    const branch: unknown = fields[BRANCH_ID]?.value;
    const isBranch = branch !== null && branch !== undefined && !isNullId(branch);
    const state = this.#states.get(`${fields[CONDITION_ID]?.value ?? ''}`);
    if (!state || isBranch) return; // An older state that still wants to be acknowledged.
    const id: unknown = fields[EVENT_ID]?.value;
    if (id instanceof Buffer) state.eventId = id;
    for (const item of state.items) {
      if (item.address.kind !== 'condition') continue;
      const { type, place } = shows[item.address.field];
      tell(item, type, fields[place], fields, message);
    }
  }
}

function takeEvent({ points }: Source, fields: readonly Variant[], message: Message): void {
  for (const { item, field } of points) {
    if (item.address.kind === 'event')
      tell(item, item.address.type, fields[field], fields, message);
  }
}

function tell(
  item: Item,
  type: OpcuaType,
  variant: Variant | undefined,
  fields: readonly Variant[],
  { publishedMonoMs, publishedMs, floorMonoMs }: Message,
): void {
  const decoded: Decoded = { value: null, quality: GOOD };
  if (variant) decodeVariant(variant, type, [], decoded);
  if (decoded.value === null && decoded.quality === GOOD) decoded.quality = NOT_AVAILABLE;
  const time: unknown = fields[TIME]?.value;
  const sourceMs = time instanceof Date ? time.getTime() : null;
  const ageMs = sourceMs === null || publishedMs === null ? 0 : Math.max(0, publishedMs - sourceMs);
  const floorMs = Math.max(floorMonoMs, item.atMonoMs);
  const atMonoMs = Math.min(publishedMonoMs, Math.max(floorMs, publishedMonoMs - ageMs));
  const origin = { status: 0, sourceMs, serverMs: publishedMs };
  item.value = decoded.value;
  item.quality = decoded.quality;
  item.origin = origin;
  item.atMonoMs = atMonoMs;
  item.inbox?.tell({ at: item.at, ...decoded, atMonoMs, origin });
}

/** Notifier, and event type or condition. */
function wantedOf({ address, device: { namespaces, timeoutMs } }: Item): Wanted[] {
  const want = (node: NodeName): Wanted => ({ node, namespaces, timeoutMs });
  if (address.kind === 'event') {
    return [want(address.notifier), want(address.eventType ?? SERVER_NODE)];
  }
  if (address.kind === 'condition') {
    return [want(address.notifier ?? SERVER_NODE), want(address.node)];
  }
  return [want(SERVER_NODE), want(SERVER_NODE)];
}

/** The place of the field among what the source selects; null in a namespace nobody knows. */
function fieldIn(
  nodes: Nodes,
  { device }: Item,
  { field }: EventAddress,
  source: Source,
): number | null {
  const path = pathIn(nodes, field, device.namespaces);
  if (!path) return null;
  const type = source.eventType ?? nodes.standard(BASE_EVENT);
  const same = (select: Select) => JSON.stringify(select.path) === JSON.stringify(path);
  const known = source.selects.findIndex(same);
  return known >= 0 ? known : source.selects.push({ type, path }) - 1;
}

function pathIn(
  nodes: Nodes,
  field: BrowsePath,
  namespaces: Readonly<Record<string, string>>,
): Select['path'] | null {
  const path = field.map(({ prefix, name }) => ({
    namespace: nodes.index(prefix, namespaces),
    name,
  }));
  if (path.some(({ namespace }) => typeof namespace === 'string')) return null;
  return path.map(({ namespace, name }) => ({ namespaceIndex: Number(namespace), name }));
}

function filterOf({ library }: Connection, { selects, eventType, isOfConditions }: Source) {
  const selectClauses = selects.map(({ type, path }) => ({
    typeDefinitionId: type,
    browsePath: [...path],
    attributeId: path.length > 0 ? library.AttributeIds.Value : library.AttributeIds.NodeId,
  }));
  const elements = [];
  if (eventType && !isOfConditions) {
    const value = { dataType: library.DataType.NodeId, value: eventType };
    const operand = new library.LiteralOperand({ value });
    elements.push({ filterOperator: library.FilterOperator.OfType, filterOperands: [operand] });
  }
  return new library.EventFilter({ selectClauses, whereClause: { elements } });
}

function isStandard(nodeId: string, id: number): boolean {
  return nodeId === `ns=0;i=${id}` || nodeId === `i=${id}`;
}

function isNullId(nodeId: unknown): boolean {
  return isStandard(`${nodeId}`, 0);
}
