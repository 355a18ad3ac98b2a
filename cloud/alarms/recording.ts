// What the store holds of a series as the kernel takes it: readings and coverage in the order of
// time. Coverage is stored by label; between two readings of an epoch it is put on the monotonic
// time of the earlier one, so a clock that was set between them moves the end of it and nothing
// else. Coverage that goes on over a restart is taken to have ended a period before it. It is asked
// for in pages, so that memory holds one of them.
import type { Input } from '../../core/alarm/evaluate.ts';
import { isFilled } from '../../core/quality.ts';
import type { History, Span, Store, StoredReadings } from '../store/store.ts';

/** Rows of one question: 20,000 are a megabyte, and some milliseconds of the kernel. */
export const RECORDING_PAGE = 20_000;

interface Place {
  readonly epoch: string;
  readonly monoMs: number;
  readonly atMs: number;
}

/** A page of a series: readings and coverage with labels in [fromMs, toMs). */
export interface RecordedPage extends Span {
  /** Another follows, which begins with what has the label `toMs`. */
  readonly isCut: boolean;
  readonly readings: StoredReadings;
  readonly covered: readonly Span[];
}

/** Makes inputs of page after page. */
export class Recording {
  readonly #periodMs: number;
  #last: Place | null = null;
  /** Coverage that goes on behind the page: whether the value holds there the next page knows. */
  #pendingMs: number | null = null;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  inputs(page: RecordedPage): Input[] {
    const { readings } = page;
    const covered = this.#resumed(page);
    const inputs: Input[] = [];
    let next = 0;
    for (const at of inOrder(readings)) {
      const epoch = readings.epochs[readings.epochAt[at]!]!;
      const place = { epoch, monoMs: readings.monoMs[at]!, atMs: readings.atMs[at]! };
      const sinceMs = this.#last?.atMs ?? page.fromMs;
      const isRestart = this.#last !== null && this.#last.epoch !== epoch;
      let { monoMs: fromMonoMs } = place;
      while (next < covered.length && covered[next]!.toMs <= sinceMs) next++;
      for (let each = next; each < covered.length; each++) {
        const { fromMs, toMs } = covered[each]!;
        if (fromMs > place.atMs || sinceMs > place.atMs) break;
        const begunMs = Math.max(fromMs, sinceMs);
        if (toMs < place.atMs) this.#cover(begunMs, toMs, inputs);
        else if (!isRestart) fromMonoMs = place.monoMs - (place.atMs - begunMs);
        else this.#cover(begunMs, place.atMs - this.#periodMs, inputs);
      }
      const value = numberAt(readings, at);
      inputs.push({ kind: 'sample', ...place, fromMonoMs, value, quality: readings.quality[at]! });
      this.#last = place;
    }
    this.#rest(covered, page, inputs);
    return inputs;
  }

  #resumed({ covered, fromMs: pageMs }: RecordedPage): readonly Span[] {
    const fromMs = this.#pendingMs;
    this.#pendingMs = null;
    if (fromMs === null) return covered;
    const [first, ...others] = covered;
    if (first && first.fromMs <= pageMs) return [{ fromMs, toMs: first.toMs }, ...others];
    return [{ fromMs, toMs: pageMs }, ...covered];
  }

  #rest(covered: readonly Span[], { toMs: endMs, isCut }: RecordedPage, inputs: Input[]): void {
    const sinceMs = this.#last?.atMs ?? Number.NEGATIVE_INFINITY;
    for (const { fromMs, toMs } of covered) {
      if (toMs <= sinceMs) continue;
      const begunMs = Math.max(fromMs, sinceMs);
      if (isCut && toMs >= endMs) this.#pendingMs = begunMs;
      else this.#cover(begunMs, toMs, inputs);
    }
  }

  #cover(fromMs: number, toMs: number, inputs: Input[]): void {
    if (this.#last === null || toMs < fromMs) return;
    const { epoch, monoMs, atMs } = this.#last;
    const fromMonoMs = monoMs + (fromMs - atMs);
    const untilMonoMs = monoMs + (toMs - atMs);
    inputs.push({ kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs: toMs });
  }
}

export interface RecordedInputs {
  readonly inputs: readonly Input[];
  /** A file that may hold more of the time is damaged or gone. */
  readonly isUnreadable: boolean;
}

/** The inputs of a series from `fromMs` until before `toMs`, a page at a time. */
export async function* recorded(
  store: Pick<Store, 'history'>,
  series: number,
  periodMs: number,
  { fromMs, toMs }: Span,
): AsyncGenerator<RecordedInputs> {
  const recording = new Recording(periodMs);
  for (let beginMs = fromMs; beginMs < toMs; ) {
    const query = { series, fromMs: beginMs, toMs, bucketMs: null, limit: RECORDING_PAGE };
    const history = await store.history(query);
    const page = pageOf(history, beginMs, toMs);
    if (page === null) return;
    yield { inputs: recording.inputs(page), isUnreadable: history.unreadable.length > 0 };
    beginMs = page.toMs;
  }
}

// A page that was cut ends before its last label, which the next begins with: others may have it.
function pageOf(history: History, fromMs: number, toMs: number): RecordedPage | null {
  const { readings, covered, isTruncated } = history;
  if (readings === null) return null;
  const lastMs = readings.atMs[readings.count - 1];
  if (!isTruncated || lastMs === undefined) {
    return { fromMs, toMs, isCut: false, readings, covered };
  }
  const count = readings.atMs.subarray(0, readings.count).indexOf(lastMs);
  const isOne = count === 0; // A page of one label: as many as are in it is all there will be.
  const endMs = isOne ? lastMs + 1 : lastMs;
  return {
    ...{ fromMs, toMs: endMs, isCut: true },
    readings: isOne ? readings : { ...readings, count },
    covered: covered
      .filter((span) => span.fromMs < endMs)
      .map((span) => ({ fromMs: span.fromMs, toMs: Math.min(span.toMs, endMs) })),
  };
}

// By epoch, in the order in which labels first name them, then by monotonic time; without what came
// out of a device's memory, by which nothing was decided.
function inOrder({ count, epochAt, monoMs, quality }: StoredReadings): number[] {
  const ranks = new Map<number, number>();
  const places = Array.from({ length: count }, (_, at) => at).filter(
    (at) => !isFilled(quality[at]!),
  );
  for (const at of places) {
    if (!ranks.has(epochAt[at]!)) ranks.set(epochAt[at]!, ranks.size);
  }
  const rank = (at: number) => ranks.get(epochAt[at]!)!;
  return places.sort((a, b) => rank(a) - rank(b) || monoMs[a]! - monoMs[b]!);
}

/** As the kernel takes it: null for text and for what is bad without a value. */
export function numberAt({ values, special }: StoredReadings, at: number): number | null {
  const value = values[at]!;
  if (!Number.isNaN(value)) return value;
  const told = special.get(at);
  return typeof told === 'bigint' ? Number(told) : null;
}
