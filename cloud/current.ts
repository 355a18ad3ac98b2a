// The newest reading of every series, in memory. Newest is by order (epoch, then monotonic time),
// never by label and whichever lane brought it; so a current value never moves to an older one.
//
// Epochs are ordered by their opening numbers, but for a card that was restored from an older
// image: its numbers are lower than those seen, and what it says is true now. Which epoch of a
// gateway is the present one, the alarms know (order.ts); each that becomes the present one is
// newer than all before.
import type { QualityCode } from '../core/quality.ts';
import type { Value } from '../core/reading.ts';
import type { Epoch } from '../protocols/uplink/record.ts';
import type { DecodedReadings, DecodedRecord } from './inbox/decoded.ts';

export interface CurrentValue {
  readonly series: number;
  readonly value: Value;
  readonly quality: QualityCode;
  /** When it was true, by the gateway's label. */
  readonly atMs: number;
  /** Up to when its device was polled and the value had not left its deadband. */
  readonly coveredMs: number;
}

/** Opening numbers have ten digits. */
const ERA = 1e10;

interface Present {
  readonly epoch: Epoch;
  /**
   * Rises each time that an epoch with a number not above the one before becomes the present one.
   */
  readonly era: number;
}

export class Current {
  // Indexed by series number: numbers are given in order from 1 and never reused, so arrays stay
  // dense.
  readonly #epochs: (Epoch | undefined)[] = [];
  /** Places of epochs in time, for those of one gateway; one entry a start of a gateway. */
  readonly #orders = new Map<Epoch, number>();
  readonly #present = new Map<string, Present>();
  #monoMs = new Float64Array(1024);
  #atMs = new Float64Array(1024);
  #coveredMs = new Float64Array(1024);
  #quality = new Uint8Array(1024);
  #values = new Float64Array(1024);
  readonly #special = new Map<number, bigint | string | null>();

  /**
   * Takes what is newer than what is known; anything else changes nothing. `present` is the epoch
   * that is now of the record's gateway, where that is known.
   */
  apply(record: DecodedRecord, present: Epoch | null = null): void {
    const { gateway, epoch } = record.row;
    if (present !== null) this.#notePresent(gateway, present);
    const order = this.#orderOf(epoch);
    if (record.readings) this.#applyReadings(epoch, order, record.readings);
    for (const { series, toMonoMs } of record.coverage) {
      const coveredMs = toMonoMs + record.clock.wallOffsetMs;
      for (const number of series) {
        const known = this.#epochs[number];
        if (known !== undefined && order >= this.#orderOf(known)) {
          this.#coveredMs[number] = Math.max(this.#coveredMs[number]!, coveredMs);
        }
      }
    }
  }

  // The first one after a start is newer than all that was restored.
  #notePresent(gateway: string, epoch: Epoch): void {
    const before = this.#present.get(gateway);
    if (before?.epoch === epoch) return;
    const opening = openingOf(epoch);
    const isNext = before !== undefined && opening > openingOf(before.epoch);
    const era = (before?.era ?? 0) + (isNext ? 0 : 1);
    this.#present.set(gateway, { epoch, era });
    this.#orders.set(epoch, era * ERA + opening);
  }

  #orderOf(epoch: Epoch): number {
    let order = this.#orders.get(epoch);
    if (order === undefined) this.#orders.set(epoch, (order = openingOf(epoch)));
    return order;
  }

  /** Puts back what the store knows after a start; readings that came meanwhile win. */
  restore(rows: Iterable<CurrentValue & { readonly epoch: Epoch; readonly monoMs: number }>): void {
    for (const row of rows) {
      this.#grow(row.series);
      const order = this.#orderOf(row.epoch);
      if (!this.#isNewer(row.series, row.epoch, order, row.monoMs)) continue;
      const number = typeof row.value === 'boolean' ? Number(row.value) : row.value;
      this.#put(row.series, row.epoch, row.monoMs, row.atMs, row.quality);
      if (typeof number === 'number') this.#setNumber(row.series, number);
      else this.#special.set(row.series, number);
    }
  }

  /** Undefined for a series that never had a reading. Booleans are 0 and 1. */
  get(series: number): CurrentValue | undefined {
    if (this.#epochs[series] === undefined) return undefined;
    const special = this.#special.get(series);
    return {
      series,
      value: special === undefined ? this.#values[series]! : special,
      quality: this.#quality[series]!,
      atMs: this.#atMs[series]!,
      coveredMs: Math.max(this.#atMs[series]!, this.#coveredMs[series]!),
    };
  }

  #applyReadings(epoch: Epoch, order: number, readings: DecodedReadings): void {
    const { count, series, monoMs, atMs, quality, values, special } = readings;
    for (let at = 0; at < count; at++) {
      const number = series[at]!;
      this.#grow(number);
      if (!this.#isNewer(number, epoch, order, monoMs[at]!)) continue;
      this.#put(number, epoch, monoMs[at]!, atMs[at]!, quality[at]!);
      if (special.size > 0 && special.has(at)) this.#special.set(number, special.get(at)!);
      else this.#setNumber(number, values[at]!);
    }
  }

  #isNewer(series: number, epoch: Epoch, order: number, monoMs: number): boolean {
    const known = this.#epochs[series];
    if (known === undefined) return true;
    // The clock of another epoch says nothing, also where a cloned card gave it the same number.
    return known === epoch ? monoMs >= this.#monoMs[series]! : order > this.#orderOf(known);
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

function openingOf(epoch: Epoch): number {
  return Number.parseInt(epoch, 10);
}
