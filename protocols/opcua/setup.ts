// What is done with a session before it brings values: what the server says of itself, which nodes
// the points are, and monitored items for those that are subscribed.
//
// A point that cannot be found, or that the server will not monitor, costs the others nothing: it
// is bad for its own reason, or read with each poll where that may bring it.
import type { Clock } from '../../core/clock.ts';
import { BatchSize, inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { Item } from './items.ts';
import { CONFIGURATION } from './items.ts';
import type { DataValue } from './library.ts';
import type { Nodes, Wanted } from './nodes.ts';
import type { OpcuaPlace } from './place.ts';
import { limitsMost } from './place.ts';
import { qualityOfStatus } from './status.ts';

/** Sizes of requests, as far as they are learnt; they outlive the session. */
export interface Sizes {
  readonly read: BatchSize;
  readonly write: BatchSize;
  readonly monitor: BatchSize;
  readonly translate: BatchSize;
  readonly history: BatchSize;
}

export function sizesOf({ limits }: OpcuaPlace): Sizes {
  const size = (key: keyof Sizes) => new BatchSize(limits[key] ?? limitsMost[key]);
  return {
    read: size('read'),
    write: size('write'),
    monitor: size('monitor'),
    translate: size('translate'),
    history: size('history'),
  };
}

/** What the server says of itself. */
export interface Facts {
  readonly namespaces: readonly string[];
  /** Its start: another one is another server, or one that has forgotten everything. */
  readonly startMs: number | null;
  /** Clock of the gateway less that of the server; null where it does not tell the time. */
  readonly offsetMs: number | null;
}

// Part 6, annex A: variables of the Server object.
const NAMESPACE_ARRAY = 2255;
const START_TIME = 2257;
const CURRENT_TIME = 2258;
const limitNodes: Readonly<Record<keyof Sizes, number>> = {
  read: 11_705,
  write: 11_707,
  translate: 11_712,
  monitor: 11_714,
  history: 12_165,
};

export async function readFacts(
  clock: Clock,
  connection: Connection,
  sizes: Sizes,
): Promise<Facts> {
  const { library, place } = connection;
  const kinds = Object.keys(limitNodes) as (keyof Sizes)[];
  const ids = [NAMESPACE_ARRAY, START_TIME, CURRENT_TIME, ...kinds.map((kind) => limitNodes[kind])];
  const nodeIds = ids.map((id) => library.coerceNodeId(`ns=0;i=${id}`));
  const values = await readValues(connection, nodeIds, sizes.read, place.timeoutMs);
  const nowMs = clock.monoMs();
  const [namespaces, start, current, ...limits] = values.map((value) =>
    value?.statusCode.isGood() ? (value.value.value as unknown) : null,
  );
  limits.forEach((limit, at) => {
    if (typeof limit === 'number') sizes[kinds[at]!].heard(limit);
  });
  return {
    namespaces: Array.isArray(namespaces) ? namespaces.map(String) : [],
    startMs: start instanceof Date ? start.getTime() : null,
    offsetMs: current instanceof Date ? nowMs - current.getTime() : null,
  };
}

/** Values with both their times, in order; null for what was too large to be sent alone. */
export async function readValues(
  connection: Connection,
  nodeIds: readonly unknown[],
  size: BatchSize,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<(DataValue | null)[]> {
  const { library } = connection;
  return await inBatches(
    nodeIds,
    size,
    async (batch) => {
      const request = new library.ReadRequest({
        maxAge: 0,
        timestampsToReturn: library.TimestampsToReturn.Both,
        nodesToRead: batch.map((nodeId) => ({
          nodeId: nodeId as never,
          attributeId: library.AttributeIds.Value,
        })),
      });
      const { results } = await connection.request<{ readonly results?: DataValue[] | null }>(
        request,
        timeoutMs,
        signal,
      );
      return results ?? [];
    },
    () => null,
  );
}

/** Finds the nodes of items; those that are not found are wrong. */
export async function findNodes(nodes: Nodes, items: readonly Item[]): Promise<Item[]> {
  const wanted = items.map(({ address, device }): Wanted => {
    const node = address.kind === 'value' ? address.node : { kind: 'path' as const, path: [] };
    return { node, namespaces: device.namespaces, timeoutMs: device.timeoutMs };
  });
  const found = await nodes.find(wanted);
  return items.filter((item, at) => {
    item.nodeId = found[at]!.nodeId;
    if (item.nodeId) return true;
    item.wrong(CONFIGURATION);
    return false;
  });
}

// --- Monitored items ---

/** What another kind of monitoring may bring, or reading. */
const filterRefused: ReadonlySet<string> = new Set([
  'BadMonitoredItemFilterUnsupported',
  'BadMonitoredItemFilterInvalid',
  'BadFilterNotAllowed',
  'BadDeadbandFilterInvalid',
]);
/** Nothing brings these before somebody changes something. */
const hopeless: ReadonlySet<string> = new Set([
  'BadNodeIdInvalid',
  'BadNodeIdUnknown',
  'BadAttributeIdInvalid',
  'BadNotReadable',
  'BadUserAccessDenied',
]);

interface Made {
  readonly statusCode: { readonly name: string; readonly value: number; isGood(): boolean };
}

/** Puts each item under the subscription, or says how else it is got. */
export async function monitorItems(
  clock: Clock,
  connection: Connection,
  subscription: { readonly id: number; readonly publishingMs: number },
  items: readonly Item[],
  size: BatchSize,
): Promise<void> {
  const make = (some: readonly Item[], withFilter: 'filtered' | 'plain') =>
    inBatches(
      some,
      size,
      (batch) => {
        // Values may come before the answer is looked at.
        for (const item of batch) item.sinceMonoMs = clock.monoMs();
        return createItems(connection, subscription, batch, withFilter);
      },
      (): Made | null => null,
    );
  const refused: Item[] = [];
  const settle = (item: Item, made: Made | null) => {
    if (made?.statusCode.isGood()) {
      item.way = 'monitored';
    } else if (made && hopeless.has(made.statusCode.name)) {
      item.wrong(qualityOfStatus(made.statusCode.value));
    } else item.way = 'read';
  };
  (await make(items, 'filtered')).forEach((made, at) => {
    const item = items[at]!;
    if (made && filterRefused.has(made.statusCode.name)) refused.push(item);
    else settle(item, made);
  });
  if (refused.length === 0) return;
  (await make(refused, 'plain')).forEach((made, at) => {
    settle(refused[at]!, made);
  });
}

async function createItems(
  connection: Connection,
  { id, publishingMs }: { readonly id: number; readonly publishingMs: number },
  batch: readonly Item[],
  withFilter: 'filtered' | 'plain',
): Promise<Made[]> {
  const { library } = connection;
  const request = new library.CreateMonitoredItemsRequest({
    subscriptionId: id,
    timestampsToReturn: library.TimestampsToReturn.Both,
    itemsToCreate: batch.map((item) => {
      const filter = withFilter === 'filtered' ? filterOf(connection, item) : null;
      const { samplingMs, queue } = item.address.kind === 'value' ? item.address : ASKED;
      const sampling = samplingMs ?? publishingMs;
      return {
        itemToMonitor: {
          nodeId: item.nodeId!,
          attributeId: library.AttributeIds.Value,
        },
        monitoringMode: library.MonitoringMode.Reporting,
        requestedParameters: {
          clientHandle: item.handle,
          samplingInterval: sampling,
          queueSize: queue ?? queueFor(sampling, publishingMs),
          discardOldest: true,
          ...(filter ? { filter } : {}),
        },
      };
    }),
  });
  const timeoutMs = Math.max(...batch.map(({ device }) => device.timeoutMs));
  const { results } = await connection.request<{ readonly results?: Made[] | null }>(
    request,
    timeoutMs,
  );
  return results ?? [];
}

const ASKED = { samplingMs: null, queue: null } as const;

/** What comes between two publishes, and one more so that one that is late costs nothing. */
export function queueFor(samplingMs: number, publishingMs: number): number {
  return Math.ceil(publishingMs / Math.max(1, samplingMs)) + 1;
}

function filterOf({ library }: Connection, { address }: Item) {
  if (address.kind !== 'value' || !address.deadband) return null;
  const { kind, by } = address.deadband;
  return new library.DataChangeFilter({
    trigger: library.DataChangeTrigger.StatusValue,
    deadbandType: kind === 'percent' ? library.DeadbandType.Percent : library.DeadbandType.Absolute,
    deadbandValue: by,
  });
}
