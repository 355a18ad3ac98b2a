// The outbox as the edge uses it: appending never waits. Records gather in memory and are committed
// once a second, at 256 KB, or at once when one is urgent; one commit is under way at a time, so a
// slow disk makes commits larger and not more. News (acks, refusals, words) rides along.
//
// Memory is bounded. Above ACCEPT_BYTES_MAX `accepts` turns false: the collector misses and counts
// trend polls. Above WAITING_BYTES_MAX records are dropped: first those the cloud has already, then
// trend before compliance before life-safety before events, and last those that were sent and may
// have arrived; each becomes a loss that a gap record tells of. That happens only while the disk is
// full or hangs for long.
import type { Clock } from '../../core/clock.ts';
import { assert } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import type {
  CommitResult,
  Entry,
  EpochRanges,
  Held,
  OutboxPort,
  OutboxStatus,
  ReadResult,
  Refusal,
  StoredRecord,
} from './batch.ts';
import { COMMIT_INTERVAL_MS, rowOf } from './core.ts';
import { keepClasses } from './file.ts';
import { type Debt, Losses } from './ledger.ts';
import { type OutboxThreadOptions, openThread } from './thread.ts';

/** A commit is worth its fsync from here on: 256 KB is what a card writes in one erase block. */
export const COMMIT_BYTES = 256 * 1024;
/** Twelve seconds of 100,000 readings a second at 3 B; a card stalls for less. */
export const ACCEPT_BYTES_MAX = 4 * 1024 * 1024;
export const WAITING_BYTES_MAX = 2 * ACCEPT_BYTES_MAX;
assert(COMMIT_BYTES * 4 <= ACCEPT_BYTES_MAX, 'several commits fit before anything pushes back');
/** After dropping, so much is free again that the next record does not drop the next one. */
const DROP_TO_BYTES = WAITING_BYTES_MAX - COMMIT_BYTES;
const ENTRY_BYTES = 256; // Of memory beside the bytes of a record.
const SCAN_RETRY_MS = 5_000;

type News = {
  sent: Map<Epoch, RangeSet>;
  acked: EpochRanges[];
  refused: Refusal[];
  wanted: EpochRanges[] | 'all';
  lostParts: Hash[];
  words: [string, string][];
};

export interface OutboxListener {
  /**
   * Losses no record tells of yet; each is handed over once, until a record that settles it is
   * durable.
   */
  onDebts(debts: readonly Debt[]): void;
  /** In the order they were appended. */
  onCommitted(entries: readonly Entry[]): void;
  /** All files of earlier runs have been read: `held` is complete from now on. */
  onScanned(): void;
}

export class Outbox {
  readonly epoch: Epoch;
  /** Clock.monoMs() at which the times of the epoch begin. */
  readonly openedMonoMs: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #port: OutboxPort;
  #listener: OutboxListener = { onDebts() {}, onCommitted() {}, onScanned() {} };
  #status: OutboxStatus;
  #waiting: Entry[] = [];
  #waitingBytes = 0;
  #committing: Entry[] = [];
  #committingBytes = 0;
  #news: News = noNews();
  #losses = new Losses();
  #hasNews = false;
  #isUrgent = false;
  #isPushingBack = false;
  #handed = new Set<number>();
  /** Of what is not on disk yet: stored in the cloud, and handed to the link. */
  readonly #ackedHere = new RangeSet();
  readonly #sentHere = new RangeSet();
  #cancelTimer: (() => void) | null = null;
  #commitUnderWay: Promise<void> | null = null;
  #isClosed = false;

  constructor(clock: Clock, log: Log, port: OutboxPort) {
    this.#clock = clock;
    this.#log = log;
    this.#port = port;
    this.epoch = port.opened.epoch;
    this.openedMonoMs = clock.monoMs();
    this.#status = port.opened.result.status;
  }

  /** Hands over what the opening found and begins to read through the files of earlier runs. */
  start(listener: OutboxListener): void {
    this.#listener = listener;
    this.#handOver(this.#port.opened.result);
    this.#scanAfter(0);
  }

  /** Whole milliseconds since the epoch was opened. */
  get monoMs(): number {
    return Math.round(this.#clock.monoMs() - this.openedMonoMs);
  }

  get status(): OutboxStatus {
    return this.#status;
  }

  /** Bytes sealed and not yet durable. */
  get pendingBytes(): number {
    return this.#waitingBytes + this.#committingBytes;
  }

  get accepts(): boolean {
    return !this.#isPushingBack;
  }

  word(name: string): string | undefined {
    return this.#port.opened.words.get(name);
  }

  /** Dictionary parts that were on disk at the opening. */
  get parts(): readonly Hash[] {
    return this.#port.opened.parts;
  }

  /** Sealed once, sent and kept at the same time; the bytes must not change any more. */
  append(entry: Entry, urgency: 'urgent' | 'usual'): void {
    assert(!this.#isClosed, 'nothing is sealed after the outbox was closed');
    this.#waiting.push(entry);
    this.#waitingBytes += bytesOf(entry);
    if (urgency === 'urgent') this.#isUrgent = true;
    this.#bound();
    this.#schedule();
  }

  /** On its way to the link. Is written with the next commit and asks for none. */
  sent(epoch: Epoch, sequence: number): void {
    let set = this.#news.sent.get(epoch);
    if (!set) this.#news.sent.set(epoch, (set = new RangeSet()));
    set.add(sequence);
    if (epoch === this.epoch) this.#sentHere.add(sequence);
  }

  /** What the cloud's ack named as stored. */
  acked(epoch: Epoch, ranges: readonly Range[]): void {
    this.#news.acked.push({ epoch, ranges });
    if (epoch === this.epoch) {
      for (const { first, last } of ranges) this.#ackedHere.add(first, last);
    }
    this.#takeNews();
  }

  refused(refusal: Refusal): void {
    this.#news.refused.push(refusal);
    this.#takeNews();
  }

  /** What the cloud wants again; `all` when it has a new store. */
  wanted(wanted: readonly EpochRanges[] | 'all'): void {
    const known = this.#news.wanted;
    this.#news.wanted = wanted === 'all' || known === 'all' ? 'all' : [...known, ...wanted];
    if (wanted === 'all') this.#news.acked = [];
    this.#takeNews();
  }

  /**
   * The cloud asked for a part that is neither here nor of the present dictionary: what can be read
   * by nobody without it is given up, and told of.
   */
  partLost(hash: Hash): void {
    this.#news.lostParts.push(hash);
    this.#takeNews();
  }

  setWord(name: string, value: string): void {
    this.#news.words.push([name, value]);
    this.#takeNews();
  }

  #takeNews(): void {
    this.#hasNews = true;
    this.#schedule();
  }

  part(hash: Hash): Promise<StoredRecord | undefined> {
    return this.#port.part(hash);
  }

  /** Durable or still in memory; see `OutboxCore.read`: what is read counts as sent. */
  async read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): Promise<ReadResult> {
    const stored = await this.#port.read(epoch, ranges, bytesMax);
    if (epoch !== this.epoch || stored.absent.length === 0) return stored;
    const absent = RangeSet.of(stored.absent);
    const records: StoredRecord[] = [...stored.records];
    let bytes = records.reduce((sum, record) => sum + record.bytes.length, 0);
    for (const { record, keep } of [...this.#committing, ...this.#waiting]) {
      const { sequence } = record;
      if (!absent.has(sequence)) continue;
      absent.remove(sequence);
      if (records.length > 0 && bytes + record.bytes.length > bytesMax) continue;
      bytes += record.bytes.length;
      this.sent(epoch, sequence);
      const { lastMonoMs } = record;
      records.push({ epoch, sequence, isEvent: keep === 'event', lastMonoMs, bytes: record.bytes });
    }
    return { records, absent: absent.toArray() };
  }

  /** What is durable and what waits in memory. */
  async held(): Promise<readonly Held[]> {
    const held = await this.#port.held();
    return held.map((it) => (it.epoch === this.epoch ? this.#withMemory(it) : it));
  }

  #withMemory({ epoch, ranges, open, events, next }: Held): Held {
    const sets = [ranges, open, events].map((list) => RangeSet.of(list));
    let end = next;
    for (const { record, keep } of [...this.#committing, ...this.#waiting]) {
      end = Math.max(end, record.sequence + 1);
      for (const set of keep === 'event' ? sets : sets.slice(0, 2)) set.add(record.sequence);
    }
    const [all, unclosed, ofEvents] = sets.map((set) => set.toArray());
    assert(all && unclosed && ofEvents, 'three lists in, three out');
    return { epoch, ranges: all, open: unclosed, events: ofEvents, next: end };
  }

  #schedule(): void {
    if (this.#commitUnderWay || this.#isClosed) return;
    const isDiskWell = this.#status.disk === 'ok';
    if (isDiskWell && (this.#isUrgent || this.#waitingBytes >= COMMIT_BYTES)) {
      this.#commitUnderWay = this.#commit();
      return;
    }
    if (this.#cancelTimer || (this.#waiting.length === 0 && !this.#hasNews)) return;
    this.#cancelTimer = this.#clock.after(COMMIT_INTERVAL_MS, () => {
      this.#cancelTimer = null;
      if (!this.#commitUnderWay) this.#commitUnderWay = this.#commit();
    });
  }

  async #commit(): Promise<void> {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    this.#committing = this.#waiting;
    this.#committingBytes = this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#isUrgent = false;
    const dropped = this.#losses.all();
    const news = this.#news;
    this.#losses = new Losses();
    this.#news = noNews();
    this.#hasNews = false;
    const sent = [...news.sent].map(([epoch, set]) => ({ epoch, ranges: set.toArray() }));
    const batch = { ...news, sent, entries: this.#committing, dropped, monoMs: this.monoMs };
    this.#finish(await this.#port.commit(batch));
    this.#commitUnderWay = null;
    this.#schedule();
  }

  #finish(result: CommitResult): void {
    const entries = this.#committing;
    const bytes = this.#committingBytes;
    this.#committing = [];
    this.#committingBytes = 0;
    if (result.committed) {
      const last = entries.at(-1)?.record.sequence ?? 0;
      this.#ackedHere.remove(1, last);
      this.#sentHere.remove(1, last);
    } else {
      this.#waiting = [...entries, ...this.#waiting];
      this.#waitingBytes += bytes;
    }
    this.#noteStatus(result.status);
    this.#bound();
    if (!result.committed) return;
    this.#listener.onCommitted(entries);
    this.#handOver(result);
  }

  #noteStatus(status: OutboxStatus): void {
    if (status.disk !== this.#status.disk) {
      const fields = { disk: status.disk, bytes: status.bytes, waitingBytes: this.#waitingBytes };
      if (status.disk === 'ok') this.#log.info('outbox_disk', fields);
      else this.#log.error('outbox_disk', fields);
    }
    this.#status = status;
  }

  #handOver({ debts }: CommitResult): void {
    const fresh = debts.filter(({ id }) => !this.#handed.has(id));
    this.#handed = new Set(debts.map(({ id }) => id));
    if (fresh.length > 0) this.#listener.onDebts(fresh);
  }

  #bound(): void {
    if (this.pendingBytes > WAITING_BYTES_MAX) this.#drop();
    const isOver = this.pendingBytes > ACCEPT_BYTES_MAX;
    const isBelow = this.pendingBytes < ACCEPT_BYTES_MAX / 2;
    if (isOver && !this.#isPushingBack) {
      this.#isPushingBack = true;
      this.#log.warn('outbox_pushes_back', { pendingBytes: this.pendingBytes });
    } else if (isBelow && this.#isPushingBack) {
      this.#isPushingBack = false;
      this.#log.info('outbox_accepts', { pendingBytes: this.pendingBytes });
    }
  }

  // What is being committed stays: only what waits can go.
  #drop(): void {
    const isOver = () => this.pendingBytes > DROP_TO_BYTES;
    const keepUnless = (isGoing: (entry: Entry) => boolean, onGone: (entry: Entry) => void) => {
      this.#waiting = this.#waiting.filter((entry) => {
        if (!isOver() || !isGoing(entry)) return true;
        this.#waitingBytes -= bytesOf(entry);
        onGone(entry);
        return false;
      });
    };
    keepUnless(
      ({ record, part }) => !part && this.#ackedHere.has(record.sequence),
      () => {}, // The cloud has it: nothing is lost.
    );
    for (const going of keepClasses) {
      keepUnless(
        ({ keep, record }) => keep === going && !this.#sentHere.has(record.sequence),
        (entry) => this.#lose(entry),
      );
    }
    keepUnless(
      () => true,
      (entry) => this.#lose(entry),
    );
  }

  #lose(entry: Entry): void {
    // Debts that it told of are still owed: they are handed over again after the next commit.
    for (const id of entry.settles) this.#handed.delete(id);
    const told = entry.settles.length > 0 ? { ...entry, gaps: [] } : entry;
    this.#losses.addRow(rowOf(told, 0), this.#sentHere.has(entry.record.sequence));
  }

  #scanAfter(delayMs: number): void {
    this.#clock.after(delayMs, () => void this.#scan());
  }

  async #scan(): Promise<void> {
    if (this.#isClosed) return;
    if (await this.#port.step()) {
      this.#scanAfter(0);
      return;
    }
    // Losses that were found are durable, and handed over, only after a commit.
    await this.flush();
    if (this.#status.isScanned) this.#listener.onScanned();
    else this.#scanAfter(SCAN_RETRY_MS);
  }

  /** Commits what waits; resolves when that was tried once. */
  async flush(): Promise<void> {
    if (this.#isClosed) return;
    await this.#commitUnderWay;
    this.#commitUnderWay ??= this.#commit();
    await this.#commitUnderWay;
  }

  /** Commits what waits, marks the end as clean and closes the files. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    await this.flush();
    await this.flush(); // What the first one brought up: debts told by records of their own.
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#commitUnderWay;
    await this.#port.close();
  }
}

/** In a thread of its own. Rejects with Fault `outbox_busy` or `outbox_io`. */
export async function openOutbox(
  clock: Clock,
  random: Random,
  log: Log,
  options: OutboxThreadOptions,
): Promise<Outbox> {
  return new Outbox(clock, log, await openThread(random, options));
}

function noNews(): News {
  return { sent: new Map(), acked: [], refused: [], wanted: [], lostParts: [], words: [] };
}

function bytesOf({ record }: Entry): number {
  return record.bytes.length + ENTRY_BYTES;
}
