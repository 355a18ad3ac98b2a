// Sets of whole numbers as sorted, disjoint, inclusive ranges: sequences stored, held, given up.

export interface Range {
  readonly first: number;
  readonly last: number;
}

/** Grows by adding; adding what is there changes nothing. */
export class RangeSet {
  #ranges: { first: number; last: number }[] = [];

  static of(ranges: Iterable<Range>): RangeSet {
    const set = new RangeSet();
    for (const { first, last } of ranges) set.add(first, last);
    return set;
  }

  add(first: number, last: number = first): void {
    if (last < first) return;
    const ranges = this.#ranges;
    const newest = ranges.at(-1);
    // Sequences mostly arrive in order: the common case touches the last range only.
    if (!newest || first > newest.last + 1) {
      ranges.push({ first, last });
      return;
    }
    let at = this.#firstEndingFrom(first - 1);
    const merged = { first, last };
    const from = at;
    for (let range = ranges[at]; range && range.first <= last + 1; range = ranges[++at]) {
      merged.first = Math.min(merged.first, range.first);
      merged.last = Math.max(merged.last, range.last);
    }
    ranges.splice(from, at - from, merged);
  }

  remove(first: number, last: number = first): void {
    const kept: { first: number; last: number }[] = [];
    for (const range of this.#ranges) {
      if (range.last < first || range.first > last) kept.push(range);
      else {
        if (range.first < first) kept.push({ first: range.first, last: first - 1 });
        if (range.last > last) kept.push({ first: last + 1, last: range.last });
      }
    }
    this.#ranges = kept;
  }

  has(value: number): boolean {
    const range = this.#ranges[this.#firstEndingFrom(value)];
    return range !== undefined && range.first <= value;
  }

  /** The ranges of [first, last] that are not in the set, lowest first. */
  missing(first: number, last: number): Range[] {
    const holes: Range[] = [];
    let next = first;
    for (const range of this.#ranges) {
      if (range.last < next) continue;
      if (range.first > last) break;
      if (range.first > next) holes.push({ first: next, last: range.first - 1 });
      next = range.last + 1;
    }
    if (next <= last) holes.push({ first: next, last });
    return holes;
  }

  /** How many whole numbers are in the set. */
  get size(): number {
    return this.#ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  get count(): number {
    return this.#ranges.length;
  }

  toArray(): Range[] {
    return this.#ranges.map(({ first, last }) => ({ first, last }));
  }

  // Index of the first range whose end is at or after `value`.
  #firstEndingFrom(value: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle]!.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
