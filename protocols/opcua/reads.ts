// Points that are read with each poll, because the profile says so or the server will not monitor
// them. Split like everything else; each request has its deadline, and what fails is bad for this
// poll.
import type { Clock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import { isFault } from '../../core/fault.ts';
import { qualityCode } from '../../core/quality.ts';
import type { OpcuaDevice } from './address.ts';
import type { BatchSize } from './batches.ts';
import type { Connection } from './connection.ts';
import type { Item } from './items.ts';
import type { DataValue } from './library.ts';
import type { OpcuaPlan } from './plan.ts';
import { readValues } from './setup.ts';
import type { Decoded } from './value.ts';
import { decode } from './value.ts';

const TIMEOUT = qualityCode('bad', 'timeout');
const NO_CONNECTION = qualityCode('bad', 'no_connection');
const BAD_RESPONSE = qualityCode('bad', 'bad_response');

export interface Read {
  readonly requests: number;
  readonly failures: number;
  readonly fault: Fault | null;
}

/** Reads the items of the plan that are read, and leaves in each what it is now. */
export async function readItems(
  clock: Clock,
  connection: Connection,
  { items }: OpcuaPlan,
  { timeoutMs }: OpcuaDevice,
  size: BatchSize,
  signal: AbortSignal,
): Promise<Read> {
  return await readSome(clock, connection, items.filter(isRead), timeoutMs, size, signal);
}

const isRead = ({ way }: Item) => way === 'read';

/**
 * As `readItems`, of items that stand for others: what a subscription brings is not asked.
 */
export async function readSome(
  clock: Clock,
  connection: Connection,
  asked: readonly Item[],
  timeoutMs: number,
  size: BatchSize,
  signal: AbortSignal,
): Promise<Read> {
  const tally = { requests: 0, failures: 0, fault: null as Fault | null };
  for (let at = 0; at < asked.length; ) {
    const batch = asked.slice(at, at + size.most);
    at += batch.length;
    tally.requests++;
    try {
      const nodeIds = batch.map(({ nodeId }) => nodeId);
      const values = await readValues(connection, nodeIds, size, timeoutMs, signal);
      await promoteAll(clock, connection, batch, values, timeoutMs);
      const nowMs = clock.monoMs();
      batch.forEach((item, index) => {
        take(item, values[index] ?? null, nowMs);
      });
    } catch (error) {
      if (!isFault(error)) throw error;
      tally.failures++;
      tally.fault ??= error;
      const nowMs = clock.monoMs();
      const quality = error.code === 'opcua_timeout' ? TIMEOUT : NO_CONNECTION;
      // One that is not answered is enough: the others of this poll would wait as long.
      for (const item of [...batch, ...asked.slice(at)]) fail(item, quality, nowMs);
      break;
    }
  }
  return tally;
}

function take(item: Item, data: DataValue | null, nowMs: number): void {
  if (!data || item.address.kind !== 'value') {
    fail(item, BAD_RESPONSE, nowMs);
    return;
  }
  const decoded: Decoded = { value: null, quality: BAD_RESPONSE };
  decode(data, item.address.type, item.address.element, decoded);
  item.value = decoded.value;
  item.quality = decoded.quality;
  item.atMonoMs = nowMs;
  item.origin = {
    status: data.statusCode.value >>> 0,
    sourceMs: data.sourceTimestamp?.getTime() ?? null,
    serverMs: data.serverTimestamp?.getTime() ?? null,
  };
}

function fail(item: Item, quality: number, nowMs: number): void {
  item.value = null;
  item.quality = quality;
  item.origin = null;
  item.atMonoMs = nowMs;
}

// --- Structures ---

/**
 * A structure of the server's own comes as bytes until its shape is known: the library asks the
 * server for that, once a session.
 */
export async function promote(
  clock: Clock,
  connection: Connection,
  { inbox: { opaque } }: OpcuaPlan,
  timeoutMs: number,
): Promise<void> {
  const items = opaque.map(({ item }) => item);
  const values = opaque.map(({ data }) => data);
  await promoteAll(clock, connection, items, values, timeoutMs);
}

async function promoteAll(
  clock: Clock,
  { library, session }: Connection,
  items: readonly Item[],
  values: readonly (DataValue | null)[],
  timeoutMs: number,
): Promise<void> {
  const opaque = values.filter(
    (value, at) => value && items[at]!.hasFields && value.value?.dataType === STRUCTURE,
  );
  if (opaque.length === 0) return;
  const waiting = new AbortController();
  const shown = library.promoteOpaqueStructure(session, opaque as DataValue[]);
  // What stays bytes has no fields: bad/decode.
  const failed = shown.catch(() => null);
  await Promise.race([failed, clock.sleep(timeoutMs, waiting.signal)]);
  waiting.abort();
}

const STRUCTURE = 22;
