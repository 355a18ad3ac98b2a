// Records that name a dictionary part which is not here yet. They are neither acked nor refused;
// the ack asks for the part. What finds no room is dropped and comes again, as does what waited too
// long.
import { LIVE_AGE_MAX_MS } from './arrival.ts';
import type { Arrived } from './opening.ts';

/** All gateways together, and one of them. */
export const HELD_BYTES_MAX = 8 * 1024 * 1024;
export const HELD_GATEWAY_BYTES_MAX = 1024 * 1024;
const HELD_MS = 60_000;

export class HeldRecords {
  readonly #records = new Map<string, { readonly record: Arrived; readonly sinceMs: number }>();
  readonly #gatewayBytes = new Map<string, number>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#records.size;
  }

  /** False when there is no room; true also for one that is here already. */
  add(record: Arrived, nowMs: number): boolean {
    const { gateway, bytes } = record;
    const key = keyOf(record);
    if (this.#records.has(key)) return true;
    const mine = (this.#gatewayBytes.get(gateway) ?? 0) + bytes.length;
    if (mine > HELD_GATEWAY_BYTES_MAX || this.#bytes + bytes.length > HELD_BYTES_MAX) return false;
    this.#records.set(key, { record, sinceMs: nowMs });
    this.#gatewayBytes.set(gateway, mine);
    this.#bytes += bytes.length;
    return true;
  }

  /**
   * As if they came now, since whoever follows the inbox goes by the times of its rows in their
   * order. What has waited for longer than live data may is live no more.
   */
  takeAll(nowMs: number, receivedMs: number): Arrived[] {
    const records = [...this.#records.values()].map(({ record, sinceMs }): Arrived => {
      const isTimed = record.lane === 'live' || record.envelope.readings > 0;
      const isOld = isTimed && nowMs - sinceMs > LIVE_AGE_MAX_MS;
      return { ...record, receivedMs, lane: isOld ? 'backfill' : record.lane };
    });
    this.#records.clear();
    this.#gatewayBytes.clear();
    this.#bytes = 0;
    return records;
  }

  /** Drops what has waited too long; returns how many. */
  expire(nowMs: number): number {
    let dropped = 0;
    for (const [key, { record, sinceMs }] of this.#records) {
      if (nowMs - sinceMs < HELD_MS) break; // The oldest stand first.
      this.#records.delete(key);
      const left = (this.#gatewayBytes.get(record.gateway) ?? 0) - record.bytes.length;
      if (left > 0) this.#gatewayBytes.set(record.gateway, left);
      else this.#gatewayBytes.delete(record.gateway);
      this.#bytes -= record.bytes.length;
      dropped++;
    }
    return dropped;
  }
}

function keyOf({ gateway, envelope }: Arrived): string {
  return `${gateway}/${envelope.epoch}/${envelope.sequence}`;
}
