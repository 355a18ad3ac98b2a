// Many operations in as few requests as the server takes. It says how many (OperationLimits, Part
// 5, 6.3.11), and not every server says the truth: one that finds a request too large is asked in
// halves from then on. A single operation that is too large is a failure of that one.
import { Fault, isFault } from '../../core/fault.ts';
import { statusOfFault } from './connection.ts';

const tooLarge: ReadonlySet<string | null> = new Set([
  'BadTooManyOperations',
  'BadEncodingLimitsExceeded',
  'BadRequestTooLarge',
  'BadResponseTooLarge',
  'BadTcpMessageTooLarge',
]);

/** How many operations a request has at the most; falls when the server finds them too many. */
export class BatchSize {
  #most: number;

  constructor(most: number) {
    this.#most = Math.max(1, most);
  }

  get most(): number {
    return this.#most;
  }

  /** What the server says; 0: it sets no limit. */
  heard(limit: number): void {
    if (limit >= 1) this.#most = Math.min(this.#most, Math.floor(limit));
  }

  halve(tried: number): void {
    this.#most = Math.min(this.#most, Math.ceil(tried / 2));
  }
}

/**
 * One result an item, in order. `send` answers each batch with as many results; where a single item
 * is too large, `failed` says what its result is. Rejects with what else `send` rejects with.
 */
export async function inBatches<Item, Result>(
  items: readonly Item[],
  size: BatchSize,
  send: (batch: readonly Item[]) => Promise<readonly Result[]>,
  failed: (fault: Fault) => Result,
): Promise<Result[]> {
  const results: Result[] = [];
  while (results.length < items.length) {
    const batch = items.slice(results.length, results.length + size.most);
    try {
      const brought = await send(batch);
      if (brought.length !== batch.length) {
        throw new Fault('opcua_service', 'later', `${brought.length} / ${batch.length}`);
      }
      for (const result of brought) results.push(result);
    } catch (error) {
      if (!isFault(error) || !tooLarge.has(statusOfFault(error))) throw error;
      if (batch.length > 1) size.halve(batch.length);
      else results.push(failed(error));
    }
  }
  return results;
}
