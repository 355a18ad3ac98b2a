// What the server remembers of the time in which nobody heard it (Part 11, ReadRaw): for points
// that say `history: true`, once after each break, beside the polls. Bounded: a day back, and so
// many values a point. What cannot be read stays the hole it is.
import { isFault } from '../../core/fault.ts';
import { GOOD } from '../../core/quality.ts';
import type { BatchSize } from './batches.ts';
import { inBatches } from './batches.ts';
import type { Connection } from './connection.ts';
import type { Item } from './items.ts';
import type { DataValue } from './library.ts';
import type { OpcuaPlan } from './plan.ts';
import { filledQuality } from './plan.ts';
import type { Decoded } from './value.ts';
import { decode } from './value.ts';

export const HISTORY_SPAN_MS_MAX = 86_400_000;
/** A day of a value every nine seconds; a record holds 500. */
export const HISTORY_VALUES_MAX = 10_000;
const VALUES_PER_READ = 1_000;
/** A server reads its history from disk. */
const TIMEOUT_TIMES = 4;

export interface Span {
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /** Clock of the gateway less that of the server. */
  readonly offsetMs: number;
}

interface Asked {
  readonly item: Item;
  readonly plan: OpcuaPlan;
  continuation: Buffer | null;
  taken: number;
}

interface Result {
  readonly statusCode: { isGoodish(): boolean };
  readonly continuationPoint?: Buffer | null;
  readonly historyData?: { readonly dataValues?: readonly DataValue[] | null } | null;
}

/** Puts what it finds into the plans of the points. Settles, whatever the server does. */
export async function readHistory(
  connection: Connection,
  plans: readonly OpcuaPlan[],
  span: Span,
  size: BatchSize,
  signal: AbortSignal,
): Promise<void> {
  let asked = plans.flatMap((plan) =>
    plan.items
      .filter(({ address, nodeId }) => address.kind === 'value' && address.history && nodeId)
      .map((item): Asked => ({ item, plan, continuation: null, taken: 0 })),
  );
  try {
    while (asked.length > 0 && !signal.aborted) {
      const results = await inBatches(
        asked,
        size,
        (batch) => readRaw(connection, batch, span, signal),
        (): Result | null => null,
      );
      asked = asked.filter((one, at) => keep(one, results[at] ?? null, span));
    }
  } catch (error) {
    if (!isFault(error)) throw error; // The hole stays; the points are bad in it.
  }
}

async function readRaw(
  connection: Connection,
  batch: readonly Asked[],
  { fromMonoMs, toMonoMs, offsetMs }: Span,
  signal: AbortSignal,
): Promise<Result[]> {
  const { library, place } = connection;
  const earliestMs = Math.max(fromMonoMs, toMonoMs - HISTORY_SPAN_MS_MAX);
  const request = new library.HistoryReadRequest({
    historyReadDetails: new library.ReadRawModifiedDetails({
      isReadModified: false,
      startTime: new Date(earliestMs - offsetMs),
      endTime: new Date(toMonoMs - offsetMs),
      numValuesPerNode: VALUES_PER_READ,
      returnBounds: false,
    }),
    timestampsToReturn: library.TimestampsToReturn.Both,
    releaseContinuationPoints: false,
    nodesToRead: batch.map(({ item, continuation }) => ({
      nodeId: item.nodeId!,
      ...(continuation ? { continuationPoint: continuation } : {}),
    })),
  });
  const timeoutMs = TIMEOUT_TIMES * place.timeoutMs;
  const { results } = await connection.request<{ readonly results?: Result[] | null }>(
    request,
    timeoutMs,
    signal,
  );
  return results ?? [];
}

/** Whether there is more of it to be read. */
function keep(asked: Asked, result: Result | null, span: Span): boolean {
  if (!result?.statusCode.isGoodish()) return false;
  for (const data of result.historyData?.dataValues ?? []) fill(asked, data, span);
  asked.continuation = result.continuationPoint?.length ? result.continuationPoint : null;
  return asked.continuation !== null && asked.taken < HISTORY_VALUES_MAX;
}

function fill(asked: Asked, data: DataValue, { fromMonoMs, toMonoMs, offsetMs }: Span): void {
  const { item, plan } = asked;
  if (item.address.kind !== 'value') return;
  const sourceMs = data.sourceTimestamp?.getTime() ?? null;
  const serverMs = data.serverTimestamp?.getTime() ?? null;
  const thenMs = sourceMs ?? serverMs;
  if (thenMs === null) return;
  asked.taken++;
  const atMonoMs = thenMs + offsetMs;
  if (atMonoMs <= fromMonoMs || atMonoMs >= toMonoMs) return;
  const decoded: Decoded = { value: null, quality: GOOD };
  decode(data, item.address.type, item.address.element, decoded);
  const quality = filledQuality(decoded.quality);
  if (quality === null) return; // The hole says as much.
  const origin = { status: data.statusCode.value >>> 0, sourceMs, serverMs };
  plan.fill({ at: plan.items.indexOf(item), value: decoded.value, quality, atMonoMs, origin });
}
