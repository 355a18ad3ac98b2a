// What the outbox holds and the cloud has not closed, as the uplink knows it: sequences only, no
// bytes.
// Pure. Every open sequence is either here (`ready` to be read, or parked for a while) or in a
// lane.
import { backoffMs } from '../../core/backoff.ts';
import type { Random } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import type { Held } from '../outbox/batch.ts';
import { within, without } from '../outbox/ledger.ts';
import { keyOf, type Outgoing, RESEND } from './lane.ts';

/** Records whose tries are remembered; the oldest start anew. */
export const STUBBORN_MAX = 1_024;
const READ_RANGES_MAX = 64; // Of one request to the outbox.

export type Name = Pick<Outgoing, 'epoch' | 'sequence' | 'isEvent'>;

interface OpenEpoch {
  readonly epoch: Epoch;
  /** Everything that is not closed, wherever it is. */
  readonly open: RangeSet;
  readonly ready: { readonly event: RangeSet; readonly backlog: RangeSet };
  /** Asked for, and not in the outbox. */
  readonly absent: RangeSet;
  next: number;
}

export class Backlog {
  readonly #random: Random;
  readonly #epochs = new Map<Epoch, OpenEpoch>();
  readonly #parked = new Map<string, Name & { readonly dueMonoMs: number }>();
  readonly #tries = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  get openRecords(): number {
    let sum = 0;
    for (const { open } of this.#epochs.values()) sum += open.size;
    return sum;
  }

  isKnown(epoch: Epoch): boolean {
    return this.#epochs.has(epoch);
  }

  isOpen({ epoch, sequence }: Pick<Outgoing, 'epoch' | 'sequence'>): boolean {
    return this.#epochs.get(epoch)?.open.has(sequence) ?? false;
  }

  /** A record that was sealed just now and goes to a lane. */
  open({ epoch, sequence }: Outgoing): void {
    const it = this.#epoch(epoch);
    it.open.add(sequence);
    it.next = Math.max(it.next, sequence + 1);
  }

  /** What the outbox says it holds; `busy` tells what of an epoch is in lanes. */
  held(held: readonly Held[], busy: (epoch: Epoch) => RangeSet): void {
    for (const { epoch, open, events, next } of held) {
      const it = this.#epoch(epoch);
      it.next = Math.max(it.next, next);
      const elsewhere = busy(epoch);
      for (const parked of this.#parked.values()) {
        if (parked.epoch === epoch) elsewhere.add(parked.sequence);
      }
      const ready = without(open, elsewhere);
      addAll(it.open, open);
      addAll(it.ready.event, within(ready, RangeSet.of(events)));
      addAll(it.ready.backlog, without(ready, it.ready.event));
    }
  }

  /** To be read again when its turn comes, if it is still open. */
  putBack({ epoch, sequence, isEvent }: Name): void {
    const it = this.#epoch(epoch);
    if (it.open.has(sequence)) it.ready[isEvent ? 'event' : 'backlog'].add(sequence);
  }

  /** What to read next for a lane, lowest epoch and sequence first; null when there is nothing. */
  next(lane: 'event' | 'backlog') {
    const opening = ({ epoch }: OpenEpoch) => Number.parseInt(epoch, 10);
    let first: OpenEpoch | null = null;
    for (const it of this.#epochs.values()) {
      if (it.ready[lane].count === 0) continue;
      if (!first || opening(it) < opening(first)) first = it;
    }
    if (!first) return null;
    return { epoch: first.epoch, ranges: first.ready[lane].toArray().slice(0, READ_RANGES_MAX) };
  }

  /** Takes a record that was read into a lane; false when it was closed or taken meanwhile. */
  takeReady(epoch: Epoch, sequence: number): boolean {
    const { event, backlog } = this.#epoch(epoch).ready;
    if (!event.has(sequence) && !backlog.has(sequence)) return false;
    event.remove(sequence);
    backlog.remove(sequence);
    return true;
  }

  /** The outbox does not have these. */
  lost(epoch: Epoch, ranges: readonly Range[]): void {
    const it = this.#epoch(epoch);
    addAll(it.absent, ranges);
    this.#remove(it, ranges);
  }

  /** Closes what is open of the ranges, and gives that. */
  close(epoch: Epoch, ranges: readonly Range[]): readonly Range[] {
    const it = this.#epochs.get(epoch);
    if (!it) return [];
    const closed = within(ranges, it.open);
    this.#remove(it, closed);
    return closed;
  }

  #remove({ open, ready }: OpenEpoch, ranges: readonly Range[]): void {
    for (const { first, last } of ranges) {
      open.remove(first, last);
      ready.event.remove(first, last);
      ready.backlog.remove(first, last);
    }
    for (const [key, parked] of this.#parked) if (!this.isOpen(parked)) this.#parked.delete(key);
    for (const key of this.#tries.keys()) {
      const [epoch = '', sequence] = key.split('/');
      if (!this.isOpen({ epoch, sequence: Number(sequence) })) this.#tries.delete(key);
    }
  }

  /** Opens again what was closed and is asked for; `absent` when some of it is known to be gone. */
  reopen(epoch: Epoch, wanted: readonly Range[]) {
    const it = this.#epoch(epoch);
    const known = wanted
      .map(({ first, last }) => ({ first, last: Math.min(last, it.next - 1) }))
      .filter(({ first, last }) => first <= last);
    const reopened = without(without(known, it.absent), it.open);
    addAll(it.open, reopened);
    addAll(it.ready.backlog, reopened);
    return { reopened, isAbsent: within(known, it.absent).length > 0 };
  }

  /** Not before a time that doubles with each try from 5 s to 5 min, or before the one given. */
  park({ epoch, sequence, isEvent }: Name, nowMonoMs: number, dueMonoMs?: number): void {
    const it = this.#epoch(epoch);
    if (!it.open.has(sequence)) return;
    it.ready.event.remove(sequence);
    it.ready.backlog.remove(sequence);
    const key = keyOf({ epoch, sequence });
    const tries = (this.#tries.get(key) ?? 0) + 1;
    this.#tries.delete(key); // In again at the end: the map is in the order of the last try.
    this.#tries.set(key, tries);
    const oldest = this.#tries.keys().next();
    if (this.#tries.size > STUBBORN_MAX && !oldest.done) this.#tries.delete(oldest.value);
    const due = dueMonoMs ?? nowMonoMs + backoffMs(this.#random, tries, RESEND);
    this.#parked.set(key, { epoch, sequence, isEvent, dueMonoMs: due });
  }

  unpark(nowMonoMs: number): void {
    for (const [key, parked] of this.#parked) {
      if (parked.dueMonoMs > nowMonoMs) continue;
      this.#parked.delete(key);
      this.putBack(parked);
    }
  }

  get parkedUntilMonoMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueMonoMs } of this.#parked.values()) next = Math.min(next, dueMonoMs);
    return next;
  }

  wasParked(record: Pick<Outgoing, 'epoch' | 'sequence'>): boolean {
    return this.#tries.has(keyOf(record));
  }

  isReadyEvent(epoch: Epoch, sequence: number): boolean {
    return this.#epochs.get(epoch)?.ready.event.has(sequence) ?? false;
  }

  /** Open sequences and what of them is here: the rest must be in lanes. */
  summary() {
    return [...this.#epochs.values()].map(({ epoch, open, ready }) => {
      const parked = [...this.#parked.values()].filter((it) => it.epoch === epoch);
      const places = [ready.event, ready.backlog].map((set) => set.toArray());
      return {
        epoch,
        open: open.toArray(),
        here: [...places.flat(), ...parked.map(({ sequence: it }) => ({ first: it, last: it }))],
      };
    });
  }

  #epoch(epoch: Epoch): OpenEpoch {
    let it = this.#epochs.get(epoch);
    if (!it) {
      it = {
        epoch,
        open: new RangeSet(),
        ready: { event: new RangeSet(), backlog: new RangeSet() },
        absent: new RangeSet(),
        next: 1,
      };
      this.#epochs.set(epoch, it);
    }
    return it;
  }
}

function addAll(set: RangeSet, ranges: readonly Range[]): void {
  for (const { first, last } of ranges) set.add(first, last);
}
