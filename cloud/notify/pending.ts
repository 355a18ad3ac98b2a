// The deliveries with something left to do, in memory as they are in the ledger. Memory follows the
// disk: what is part of a transaction is known here when that is through, and not when it fails.
// Times are wall times in the ledger, for a restart to go by, and monotonic ones here.
import type { Clock } from '../../core/clock.ts';
import type { AlarmTables } from '../alarms/tables.ts';
import { Heap } from './heap.ts';
import type { Lanes, Open } from './lanes.ts';
import type { Entry, Ledger } from './ledger.ts';
import type { Delivery } from './notifier.ts';

/** No try is further away than this. */
export const RETRY_PAUSE_MAX_MS = 3_600_000;

interface Deadline {
  readonly open: Open;
  readonly atMs: number;
}

export interface PendingOptions {
  readonly lanes: Lanes;
  readonly ledger: Ledger;
  readonly tables: Pick<AlarmTables, 'transact'>;
  /** For how long at most a confirmation is waited for. */
  readonly waitMaxMs: (delivery: Delivery) => number;
  readonly onChange: (delivery: Delivery) => void;
}

export class Pending {
  readonly #clock: Clock;
  readonly #options: PendingOptions;
  readonly #open = new Map<number, Open>();
  readonly #deadlines = new Heap<Deadline>((a, b) => a.atMs - b.atMs);
  #following: (() => void)[] | null = null;

  constructor(clock: Clock, options: PendingOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  has(number: number): boolean {
    return this.#open.has(number);
  }

  get(number: number): Open | undefined {
    return this.#open.get(number);
  }

  /** Within another one it is a part of that. */
  transact<Result>(work: () => Result): Result {
    if (this.#following) return work();
    const following: (() => void)[] = [];
    this.#following = following;
    let result: Result;
    try {
      result = this.#options.tables.transact(work);
    } finally {
      this.#following = null;
    }
    for (const follow of following) follow();
    return result;
  }

  /** At once, or when the transaction is through. */
  follow(follow: () => void): void {
    if (this.#following) this.#following.push(follow);
    else follow();
  }

  /** It is in the ledger. */
  added(entry: Entry): void {
    this.follow(() => {
      this.watch(entry);
      this.#options.onChange(entry.delivery);
    });
  }

  /** It is open while there is something to send or to wait for. */
  set(
    { confirmByMs: before }: Entry,
    delivery: Delivery,
    nextMs: number | null,
    confirmByMs: number | null = before,
  ): void {
    const isOpen = nextMs !== null || confirmByMs !== null;
    this.write({ delivery, isOpen, nextMs, confirmByMs });
  }

  close(delivery: Delivery): void {
    this.write({ delivery, isOpen: false, nextMs: null, confirmByMs: null });
  }

  write(entry: Entry): void {
    this.#options.ledger.update(entry);
    this.follow(() => {
      const { number } = entry.delivery;
      const open = this.#open.get(number);
      if (entry.isOpen) this.watch(entry);
      else if (open) {
        this.#options.lanes.drop(open);
        // What is under way is known until it has come to its end.
        if (open.isSending) Object.assign(open, { entry, confirmByMonoMs: null });
        else this.#open.delete(number);
      }
      this.#options.onChange(entry.delivery);
    });
  }

  forget(number: number): void {
    this.follow(() => this.#open.delete(number));
  }

  watch(entry: Entry): void {
    if (!entry.isOpen) return;
    const { number } = entry.delivery;
    const [monoMs, wallMs] = [this.#clock.monoMs(), this.#clock.wallMs()];
    // A wall clock that stepped while we were away must not postpone anything beyond its own limit.
    const toMono = (ms: number | null, maxMs: number) =>
      ms === null ? null : monoMs + Math.min(maxMs, Math.max(0, ms - wallMs));
    const known = this.#open.get(number);
    const isSame = known !== undefined && known.entry.confirmByMs === entry.confirmByMs;
    const nextMonoMs = toMono(entry.nextMs, RETRY_PAUSE_MAX_MS);
    const confirmByMonoMs = isSame
      ? known.confirmByMonoMs
      : toMono(entry.confirmByMs, this.#options.waitMaxMs(entry.delivery));
    const open = known ?? { entry, nextMonoMs, confirmByMonoMs, isSending: false };
    Object.assign(open, { entry, nextMonoMs, confirmByMonoMs });
    this.#open.set(number, open);
    this.#options.lanes.put(open);
    if (!isSame && confirmByMonoMs !== null) this.#deadlines.add({ open, atMs: confirmByMonoMs });
  }

  /** Those that were not confirmed in time, no longer to be told of here. */
  overdue(nowMs: number, countMax: number): Open[] {
    const due: Open[] = [];
    while (due.length < countMax && this.deadlineMs <= nowMs) {
      due.push(this.#deadlines.take()!.open);
    }
    return due;
  }

  /** What was to be done about them could not be recorded. */
  stillOverdue(opens: readonly Open[]): void {
    for (const open of opens) {
      const atMs = open.confirmByMonoMs;
      if (atMs !== null) this.#deadlines.add({ open, atMs });
    }
  }

  /** When the next is overdue; Infinity: none will be. */
  get deadlineMs(): number {
    for (let next = this.#deadlines.first; next; next = this.#deadlines.first) {
      const { open, atMs } = next;
      const isLive =
        open.confirmByMonoMs === atMs && this.#open.get(open.entry.delivery.number) === open;
      if (isLive) return atMs;
      this.#deadlines.take();
    }
    return Number.POSITIVE_INFINITY;
  }
}
