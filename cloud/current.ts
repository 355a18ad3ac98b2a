// The newest reading of every series, in memory. Newest is by order (epoch as epochs.ts orders
// them, then monotonic time), never by label and whichever lane brought it; so a current value
// never moves to an older one.
import type { QualityCode } from '../core/quality.ts';
import type { Origin, Value } from '../core/reading.ts';
import { originAt } from '../protocols/uplink/origins.ts';
import type { Epoch } from '../protocols/uplink/record.ts';
import type { DecodedReadings, DecodedRecord } from './inbox/decoded.ts';

export interface CurrentValue {
  readonly series: number;
  readonly value: Value;
  readonly quality: QualityCode;
  /** What its device said of it. */
  readonly origin?: Origin | null;
  /** When it was true, by the gateway's label. */
  readonly atMs: number;
  /** Up to when its device was polled and the value had not left its deadband. */
  readonly coveredMs: number;
}

/** Rises with time among the epochs of one gateway. */
export type OrderOf = (epoch: Epoch) => number;

export class Current {
  // Indexed by series number: numbers are given in order from 1 and never reused, so arrays stay
  // dense.
  readonly #epochs: (Epoch | undefined)[] = [];
  #monoMs = new Float64Array(1024);
  #atMs = new Float64Array(1024);
  #coveredMs = new Float64Array(1024);
  #quality = new Uint8Array(1024);
  #values = new Float64Array(1024);
  readonly #special = new Map<number, bigint | string | null>();
  readonly #origins = new Map<number, Origin>();

  /** Takes what is newer than what is known; anything else, and a fill, changes nothing. */
  apply(record: DecodedRecord, orderOf: OrderOf): void {
    if (record.isFill) return;
    const { epoch } = record.row;
    if (record.readings) this.#applyReadings(epoch, orderOf, record.readings);
    for (const { series, toMonoMs } of record.coverage) {
      const coveredMs = toMonoMs + record.clock.wallOffsetMs;
      for (const number of series) {
        const known = this.#epochs[number];
        if (known === undefined || (known !== epoch && orderOf(epoch) < orderOf(known))) continue;
        this.#coveredMs[number] = Math.max(this.#coveredMs[number]!, coveredMs);
      }
    }
  }

  /** Puts back what the store knows after a start, before anything else. */
  restore(rows: Iterable<CurrentValue & { readonly epoch: Epoch; readonly monoMs: number }>): void {
    for (const row of rows) {
      this.#grow(row.series);
      const number = typeof row.value === 'boolean' ? Number(row.value) : row.value;
      this.#put(row.series, row.epoch, row.monoMs, row.atMs, row.quality);
      this.#coveredMs[row.series] = row.coveredMs;
      if (typeof number === 'number') this.#setNumber(row.series, number);
      else this.#special.set(row.series, number);
      this.#setOrigin(row.series, row.origin ?? null);
    }
  }

  /** Undefined for a series that never had a reading. Booleans are 0 and 1. */
  get(series: number): CurrentValue | undefined {
    if (this.#epochs[series] === undefined) return undefined;
    const special = this.#special.get(series);
    const origin = this.#origins.get(series);
    return {
      series,
      value: special === undefined ? this.#values[series]! : special,
      quality: this.#quality[series]!,
      ...(origin && { origin }),
      atMs: this.#atMs[series]!,
      coveredMs: Math.max(this.#atMs[series]!, this.#coveredMs[series]!),
    };
  }

  #applyReadings(epoch: Epoch, orderOf: OrderOf, readings: DecodedReadings): void {
    const { count, series, monoMs, atMs, quality, values, special, origins } = readings;
    for (let at = 0; at < count; at++) {
      const number = series[at]!;
      this.#grow(number);
      if (!this.#isNewer(number, epoch, orderOf, monoMs[at]!)) continue;
      this.#put(number, epoch, monoMs[at]!, atMs[at]!, quality[at]!);
      if (special.size > 0 && special.has(at)) this.#special.set(number, special.get(at)!);
      else this.#setNumber(number, values[at]!);
      if (origins || this.#origins.size > 0) this.#setOrigin(number, originAt(origins, at));
    }
  }

  #isNewer(series: number, epoch: Epoch, orderOf: OrderOf, monoMs: number): boolean {
    const known = this.#epochs[series];
    if (known === undefined) return true;
    if (known === epoch) return monoMs >= this.#monoMs[series]!;
    return orderOf(epoch) > orderOf(known);
  }

  #put(series: number, epoch: Epoch, monoMs: number, atMs: number, quality: number): void {
    this.#epochs[series] = epoch;
    this.#monoMs[series] = monoMs;
    this.#atMs[series] = atMs;
    this.#coveredMs[series] = atMs;
    this.#quality[series] = quality;
  }

  #setNumber(series: number, value: number): void {
    this.#values[series] = value;
    if (this.#special.size > 0) this.#special.delete(series);
  }

  #setOrigin(series: number, origin: Origin | null): void {
    if (origin) this.#origins.set(series, origin);
    else this.#origins.delete(series);
  }

  #grow(series: number): void {
    if (series < this.#monoMs.length) return;
    const size = 2 ** Math.ceil(Math.log2(series + 1));
    const copy = (old: Float64Array) => {
      const grown = new Float64Array(size);
      grown.set(old);
      return grown;
    };
    this.#monoMs = copy(this.#monoMs);
    this.#atMs = copy(this.#atMs);
    this.#coveredMs = copy(this.#coveredMs);
    this.#values = copy(this.#values);
    const quality = new Uint8Array(size);
    quality.set(this.#quality);
    this.#quality = quality;
  }
}
