// What the cloud knows of one epoch of one gateway: which sequences are closed, and how. Pure; the
// inbox keeps it in the transaction that keeps the records.
//
// A sequence is *stored* once its record is committed or a gap record that names it is; *refused*
// once the cloud decided that it cannot read it; *lost* once no edge has it any more. Only `stored`
// may be deleted by the edge, so it is told apart from the other two in every ack. A lost one that
// turns up is still taken.
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import { ACK_RANGES_MAX } from '../../protocols/uplink/control.ts';
import type { RefusalReason } from '../../protocols/uplink/record.ts';
import { refusalReasons } from '../../protocols/uplink/record.ts';

/**
 * An epoch whose stored sequences fall into more ranges than this takes nothing that would open
 * another: it is not acked and comes again when a hole was closed. At most 24 characters a range:
 * 24 KB a row.
 */
export const EPOCH_RANGES_MAX = 1024;

/** Sequences refused in one epoch; beyond it a bad record is neither acked nor refused. */
export const EPOCH_REFUSED_MAX = 1024;

export class EpochLedger {
  readonly stored: RangeSet;
  readonly lost: RangeSet;
  readonly refused: Map<number, RefusalReason>;

  constructor(stored = new RangeSet(), lost = new RangeSet(), refused = new Map()) {
    this.stored = stored;
    this.lost = lost;
    this.refused = refused;
  }

  /** Whether these sequences can be closed without passing the limit of ranges. */
  canStore(ranges: readonly Range[]): boolean {
    if (this.stored.count + ranges.length <= EPOCH_RANGES_MAX) return true;
    const after = RangeSet.of(this.stored.toArray());
    for (const { first, last } of ranges) after.add(first, last);
    return after.count <= Math.max(EPOCH_RANGES_MAX, this.stored.count);
  }

  store(first: number, last: number = first): void {
    this.stored.add(first, last);
    if (this.lost.count > 0) this.lost.remove(first, last);
  }

  refuse(sequence: number, reason: RefusalReason): boolean {
    if (!this.refused.has(sequence) && this.refused.size >= EPOCH_REFUSED_MAX) return false;
    this.refused.set(sequence, reason);
    return true;
  }

  /** Whether every sequence of the ranges is stored; false of no ranges. */
  hasAll(ranges: readonly Range[]): boolean {
    const isStored = ({ first, last }: Range) => this.stored.missing(first, last).length === 0;
    return ranges.length > 0 && ranges.every(isStored);
  }

  /** Whether any sequence of the ranges is stored. */
  hasAny(ranges: readonly Range[]): boolean {
    const size = ({ first, last }: Range) => last - first + 1;
    return ranges.some((range) => {
      const missing = this.stored.missing(range.first, range.last);
      return missing.reduce((sum, it) => sum + size(it), 0) < size(range);
    });
  }

  /** Of the ranges, what is neither stored nor refused nor lost. */
  open(ranges: readonly Range[]): Range[] {
    const closed = RangeSet.of([...this.stored.toArray(), ...this.lost.toArray()]);
    for (const sequence of this.refused.keys()) closed.add(sequence);
    return ranges.flatMap(({ first, last }) => closed.missing(first, last));
  }

  /**
   * The stored ranges as acks state them: lowest first, always with those that hold one of `just`,
   * never with one of `except`. One list an ack; nearly always there is one.
   */
  statements(just: readonly number[], except: readonly number[]): Range[][] {
    let stored = this.stored;
    if (except.length > 0) {
      stored = RangeSet.of(stored.toArray());
      for (const sequence of except) stored.remove(sequence);
    }
    const ranges = stored.toArray();
    if (ranges.length <= ACK_RANGES_MAX) return [ranges];
    const holdsJust = ranges.filter((range) =>
      just.some((it) => range.first <= it && it <= range.last),
    );
    const others = ranges.filter((range) => !holdsJust.includes(range));
    const first = holdsJust.splice(0, ACK_RANGES_MAX);
    const lists = [[...first, ...others.slice(0, ACK_RANGES_MAX - first.length)]];
    while (holdsJust.length > 0) lists.push(holdsJust.splice(0, ACK_RANGES_MAX));
    return lists.map((list) => list.sort((a, b) => a.first - b.first));
  }
}

/** `1-500,502` and back: the form in the inbox file, readable in a shell. */
export function rangesText(set: RangeSet): string {
  return set
    .toArray()
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(',');
}

export function rangesOf(text: string): RangeSet {
  const set = new RangeSet();
  for (const part of text ? text.split(',') : []) {
    const [first, last] = part.split('-').map(Number);
    set.add(first!, last ?? first!);
  }
  return set;
}

/** `12:corrupt,15:malformed` and back. */
export function refusedText(refused: ReadonlyMap<number, RefusalReason>): string {
  return [...refused].map(([sequence, reason]) => `${sequence}:${reason}`).join(',');
}

export function refusedOf(text: string): Map<number, RefusalReason> {
  const refused = new Map<number, RefusalReason>();
  for (const part of text ? text.split(',') : []) {
    const [sequence, name] = part.split(':');
    const reason = refusalReasons.find((known) => known === name);
    if (reason) refused.set(Number(sequence), reason);
  }
  return refused;
}
