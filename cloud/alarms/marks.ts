// What is known of each watched series, in flat arrays indexed by series number: the newest sample,
// up to when the series is known, the newest value. It changes with every record, so it is kept in
// blocks of 128 series (series of one gateway have neighbouring numbers): one write of about 3 KB a
// touched block and transaction, instead of a row a reading.
import type { Sample, Track } from '../../core/alarm/evaluate.ts';
import type { QualityCode } from '../../core/quality.ts';
import { GOOD, isSilent, qualityCode } from '../../core/quality.ts';
import type { DecodedReadings, DecodedRecord } from '../inbox/decoded.ts';
import type { AlarmTables } from './tables.ts';

export const BLOCK_SERIES = 128;
const BLOCK_BYTES = BLOCK_SERIES * (3 * 8 + 1);

export const NOTHING = -1;

export class Marks {
  /** Newest sample, watermark: monotonic time in the gateway's present epoch, or NOTHING. */
  sample = new Float64Array(0);
  mark = new Float64Array(0);
  /** Newest value; NaN for text and bad. */
  value = new Float64Array(0);
  /** 1: the newest reading was not bad. */
  usable = new Uint8Array(0);
  /** 1: an alarm of this series was raised by what came late and waits for something live. */
  provisional = new Uint8Array(0);
  /**
   * A usable value between these, both excluded, changes no rule of the series; an empty range
   * where nobody has looked since something changed. Not kept: watched.ts finds them again.
   */
  above = new Float64Array(0);
  below = new Float64Array(0);
  /** A break of more than this is a hole; monotonic time. */
  hole = new Float64Array(0);
  #dirty = new Uint8Array(0);

  /** Room for `series`; numbers are given in order and never reused, so arrays stay dense. */
  grow(series: number): void {
    if (series < this.sample.length) return;
    const length = Math.ceil(Math.max(series + 1, this.sample.length * 2) / BLOCK_SERIES);
    const size = length * BLOCK_SERIES;
    const wider = (old: Float64Array, fill: number) => {
      const grown = new Float64Array(size).fill(fill);
      grown.set(old);
      return grown;
    };
    const widerBytes = (old: Uint8Array, bytes: number) => {
      const grown = new Uint8Array(bytes);
      grown.set(old);
      return grown;
    };
    this.sample = wider(this.sample, NOTHING);
    this.mark = wider(this.mark, NOTHING);
    this.value = wider(this.value, Number.NaN);
    this.above = wider(this.above, Number.POSITIVE_INFINITY);
    this.below = wider(this.below, Number.NEGATIVE_INFINITY);
    this.hole = wider(this.hole, 0);
    this.usable = widerBytes(this.usable, size);
    this.provisional = widerBytes(this.provisional, size);
    this.#dirty = widerBytes(this.#dirty, length);
  }

  /** The newest value means nothing any more; that there was one, and when, stays. */
  forgetValue(series: number): void {
    this.value[series] = Number.NaN;
    this.touch(series);
  }

  /**
   * Whether a reading of the present epoch, before which nothing is missing, changes nothing but
   * the marks. Most readings are: this looks at nothing but flat arrays, which is what makes a
   * million rules fast.
   */
  isSettled(series: number, monoMs: number, value: number, quality: QualityCode): boolean {
    const mark = this.mark[series]!;
    return (
      value > this.above[series]! &&
      value < this.below[series]! &&
      monoMs > this.sample[series]! &&
      mark !== NOTHING &&
      monoMs - mark <= this.hole[series]! &&
      this.provisional[series] === 0 &&
      !isSilent(quality)
    );
  }

  /** A usable reading, newer than the newest known. */
  take(series: number, monoMs: number, value: number): void {
    this.sample[series] = monoMs;
    if (monoMs > this.mark[series]!) this.mark[series] = monoMs;
    this.value[series] = value;
    this.usable[series] = 1;
    this.touch(series);
  }

  unsettle(series: number): void {
    this.above[series] = Number.POSITIVE_INFINITY;
    this.below[series] = Number.NEGATIVE_INFINITY;
  }

  touch(series: number): void {
    this.#dirty[series >>> 7] = 1;
  }

  /**
   * As the kernel knows it. A mark of NOTHING means that this epoch has not shown the series yet.
   */
  track(series: number, epoch: string): Track {
    const value = this.value[series]!;
    return {
      epoch: this.mark[series] === NOTHING ? null : epoch,
      sampleMonoMs: this.sample[series]!,
      markMonoMs: this.mark[series]!,
      value: Number.isNaN(value) ? null : value,
      usable: this.usable[series] === 1,
    };
  }

  load(tables: AlarmTables): void {
    for (const { block, data } of tables.marks()) {
      const first = block * BLOCK_SERIES;
      this.grow(first);
      const numbers = new Float64Array(data.slice(0, 3 * 8 * BLOCK_SERIES).buffer);
      this.sample.set(numbers.subarray(0, BLOCK_SERIES), first);
      this.mark.set(numbers.subarray(BLOCK_SERIES, 2 * BLOCK_SERIES), first);
      this.value.set(numbers.subarray(2 * BLOCK_SERIES), first);
      this.usable.set(data.subarray(3 * 8 * BLOCK_SERIES), first);
    }
  }

  /** Writes what was touched; part of the caller's transaction. */
  flush(tables: AlarmTables): void {
    const data = new Uint8Array(BLOCK_BYTES); // One for all blocks: a write copies it.
    const numbers = new Float64Array(data.buffer, 0, 3 * BLOCK_SERIES);
    for (let block = 0; block < this.#dirty.length; block++) {
      if (this.#dirty[block] === 0) continue;
      this.#dirty[block] = 0;
      const first = block * BLOCK_SERIES;
      const end = first + BLOCK_SERIES;
      numbers.set(this.sample.subarray(first, end));
      numbers.set(this.mark.subarray(first, end), BLOCK_SERIES);
      numbers.set(this.value.subarray(first, end), 2 * BLOCK_SERIES);
      data.set(this.usable.subarray(first, end), 3 * 8 * BLOCK_SERIES);
      tables.putMarks(block, data);
    }
  }
}

/** What is known of a series, as if it had been read at `monoMs`. */
export function heldAt(
  { value, usable }: Track,
  epoch: string,
  monoMs: number,
  atMs: number,
): Sample {
  const quality = usable ? GOOD : qualityCode('bad');
  return { kind: 'sample', epoch, monoMs, atMs, fromMonoMs: monoMs, value, quality };
}

/** A reading as the kernel takes it; `value` is NaN for what no limit can be put to. */
export function sampleAt(
  { row }: DecodedRecord,
  readings: DecodedReadings,
  at: number,
  fromMonoMs: number,
  value: number,
): Sample {
  return {
    kind: 'sample',
    epoch: row.epoch,
    monoMs: readings.monoMs[at]!,
    atMs: readings.atMs[at]!,
    fromMonoMs,
    value: Number.isNaN(value) ? null : value,
    quality: readings.quality[at]!,
  };
}
