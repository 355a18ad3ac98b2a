// What the outbox knows beside its records: epochs with what is closed and given up in them, debts,
// dictionary parts, refused records, and a few remembered words. Lies as text under keys in the
// newest file, is held in memory, and only what changed is written with the next commit.
//
// A debt is a loss that no record tells of yet: it is written in the same transaction as the
// decision to give up, and leaves in the same transaction as the gap record that tells of it. So a
// loss is told once, whatever is killed when.
import { assert } from '../../core/fault.ts';
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { GapCause } from '../../core/reading.ts';
import type { Epoch, Gap, Hash } from '../../protocols/uplink/record.ts';
import type { Row } from './file.ts';

/** A loss to be told of by a gap record. */
export interface Loss {
  readonly cause: GapCause;
  readonly epoch: Epoch;
  readonly manifest: Hash;
  readonly firstAlias: number;
  readonly points: number;
  readonly fromMonoMs: number;
  readonly toMonoMs: number;
  /** Readings that are not there; of them the ones that were covered as unchanged. */
  readonly readings: number;
  readonly unchanged: number;
  readonly estimated: boolean;
  /** Sequences of `epoch` that will never come. */
  readonly sequences: readonly Range[];
}

export interface Debt extends Loss {
  readonly id: number;
}

export interface EpochState {
  readonly epoch: Epoch;
  /** One after the last sequence known. */
  next: number;
  taken: number;
  lastMonoMs: number;
  /** Readings taken a second at the last commits: what a crash probably cost. */
  perSecond: number;
  manifest: Hash;
  /** One above the highest alias seen under `manifest`. */
  points: number;
  clean: boolean;
  /** False when only rows of it were found: what was closed in it before them is not known. */
  isKnown: boolean;
  /** Stored or refused by the cloud: deletable, and not sent unless the cloud asks. */
  readonly closed: RangeSet;
  readonly givenUp: RangeSet;
  /**
   * Sent and not closed: the cloud may have these. Given up last, and each by a gap of its own, so
   * that the cloud can tell the gap of a record that it has.
   */
  readonly sent: RangeSet;
}

/**
 * Which record is a dictionary part. It stays, closed or not, as long as its manifest is in use.
 */
export interface Part {
  readonly epoch: Epoch;
  readonly sequence: number;
  /** For a manifest the pages it lists, for a page null. */
  readonly pages: readonly Hash[] | null;
}

export interface Refused {
  readonly epoch: Epoch;
  readonly sequence: number;
  readonly reason: string;
  readonly bytes: Uint8Array;
}

/**
 * A gap record lists at most this many ranges: 8 KB of two varints each. A longer debt is cut in
 * pieces.
 */
export const DEBT_RANGES_MAX = 512;
/**
 * Refused records kept for a person to look at; the oldest leave first. Each new file carries them.
 */
export const REFUSED_RECORDS_MAX = 32;
export const REFUSED_BYTES_MAX = 64 * 1024;
/**
 * 30 dictionaries of 10,000 points, 150 bytes of state a part; beyond it the oldest leave first.
 */
export const PARTS_MAX = 1_024;

export class Ledger {
  readonly epochs = new Map<Epoch, EpochState>();
  readonly debts = new Map<number, Debt>();
  readonly parts = new Map<Hash, Part>();
  readonly refused = new Map<string, Refused>();
  readonly words = new Map<string, string>();
  #debtId = 0;
  #dirty = new Set<string>();

  static from(state: ReadonlyMap<string, string>): Ledger {
    const ledger = new Ledger();
    for (const [key, value] of state) ledger.#load(key, value);
    ledger.#dirty.clear();
    return ledger;
  }

  #load(key: string, value: string): void {
    const at = key.indexOf(':');
    const name = key.slice(at + 1);
    const content = JSON.parse(value);
    switch (key.slice(0, at)) {
      case 'epoch': {
        const closed = RangeSet.of(content.closed);
        const givenUp = RangeSet.of(content.givenUp);
        const sent = RangeSet.of(content.sent);
        this.epochs.set(name, { ...content, closed, givenUp, sent });
        break;
      }
      case 'debt':
        this.debts.set(Number(name), content);
        this.#debtId = Math.max(this.#debtId, Number(name));
        break;
      case 'part':
        this.parts.set(name, content);
        break;
      case 'refused':
        this.refused.set(name, { ...content, bytes: fromBase64(content.bytes) });
        break;
      case 'word':
        this.words.set(name, content);
        break;
      default: // A key of a later version within the format: kept by it, unknown to us.
    }
  }

  /** Text of a key as it is now; null when it is gone. */
  #textOf(key: string): string | null {
    const at = key.indexOf(':');
    const name = key.slice(at + 1);
    switch (key.slice(0, at)) {
      case 'epoch': {
        const state = this.epochs.get(name);
        if (!state) return null;
        const { closed, givenUp, sent } = state;
        return JSON.stringify({
          ...state,
          closed: closed.toArray(),
          givenUp: givenUp.toArray(),
          sent: sent.toArray(),
        });
      }
      case 'debt':
        return textOrNull(this.debts.get(Number(name)));
      case 'part':
        return textOrNull(this.parts.get(name));
      case 'refused':
        return withBytes(this.refused.get(name));
      default:
        return textOrNull(this.words.get(name));
    }
  }

  /** What has to be written: after `saved` it is not asked for again. */
  changes(): [string, string | null][] {
    return [...this.#dirty].map((key) => [key, this.#textOf(key)]);
  }

  everything(): [string, string | null][] {
    const keys = [
      ...[...this.epochs.keys()].map((name) => `epoch:${name}`),
      ...[...this.debts.keys()].map((name) => `debt:${name}`),
      ...[...this.parts.keys()].map((name) => `part:${name}`),
      ...[...this.refused.keys()].map((name) => `refused:${name}`),
      ...[...this.words.keys()].map((name) => `word:${name}`),
    ];
    return keys.map((key) => [key, this.#textOf(key)]);
  }

  saved(changes: readonly [string, string | null][]): void {
    for (const [key] of changes) this.#dirty.delete(key);
  }

  touch(epoch: Epoch): void {
    this.#dirty.add(`epoch:${epoch}`);
  }

  /** The state of an epoch, made when it is met for the first time. */
  epoch(epoch: Epoch): EpochState {
    let state = this.epochs.get(epoch);
    if (!state) {
      state = {
        epoch,
        next: 1,
        taken: 0,
        lastMonoMs: 0,
        perSecond: 0,
        manifest: '',
        points: 0,
        clean: true,
        isKnown: true,
        closed: new RangeSet(),
        givenUp: new RangeSet(),
        sent: new RangeSet(),
      };
      this.epochs.set(epoch, state);
      this.touch(epoch);
    }
    return state;
  }

  /** A row found on disk: where the state is older than it or gone, the row tells. */
  noteRow(row: Row): void {
    const isKnown = this.epochs.has(row.epoch);
    const state = this.epoch(row.epoch);
    if (!isKnown) state.isKnown = false;
    if (row.sequence < state.next) return;
    state.next = row.sequence + 1;
    state.taken = row.takenBefore + row.taken;
    state.lastMonoMs = Math.max(state.lastMonoMs, row.lastMonoMs);
    notePoints(state, row);
    this.touch(row.epoch);
  }

  forget(epoch: Epoch): void {
    this.epochs.delete(epoch);
    this.touch(epoch);
  }

  /** Takes sequences as lost and remembers to tell; the pieces share one set of ranges. */
  owe(loss: Loss): void {
    const state = this.epoch(loss.epoch);
    for (const { first, last } of loss.sequences) {
      state.givenUp.add(first, last);
      state.sent.remove(first, last);
      state.next = Math.max(state.next, last + 1);
    }
    this.touch(loss.epoch);
    for (let at = 0; at === 0 || at < loss.sequences.length; at += DEBT_RANGES_MAX) {
      const id = ++this.#debtId;
      const sequences = loss.sequences.slice(at, at + DEBT_RANGES_MAX);
      const counts = at === 0 ? {} : { readings: 0, unchanged: 0 };
      this.debts.set(id, { ...loss, ...counts, sequences, id });
      this.#dirty.add(`debt:${id}`);
    }
  }

  /** The records that tell of these are on disk, and with the same commit the debts left it. */
  settled(ids: readonly number[]): void {
    for (const id of ids) this.debts.delete(id);
  }

  /** What is owed under manifests that nobody can resolve is of points that nobody can name. */
  disown(manifests: ReadonlySet<Hash>): void {
    for (const [id, debt] of this.debts) {
      if (!manifests.has(debt.manifest)) continue;
      this.debts.set(id, { ...debt, manifest: '', firstAlias: 0, points: 0 });
      this.#dirty.add(`debt:${id}`);
    }
  }

  setWord(name: string, value: string): void {
    if (this.words.get(name) === value) return;
    this.words.set(name, value);
    this.#dirty.add(`word:${name}`);
  }

  addPart(hash: Hash, part: Part): void {
    this.parts.set(hash, part);
    this.#dirty.add(`part:${hash}`);
  }

  /** Drops the parts that neither `named` manifests nor the current one need. */
  keepParts(named: ReadonlySet<Hash>): void {
    const needed = new Set<Hash>(named);
    needed.add(this.words.get('manifest') ?? '');
    for (const hash of [...needed]) {
      for (const page of this.parts.get(hash)?.pages ?? []) needed.add(page);
    }
    for (const hash of this.parts.keys()) if (!needed.has(hash)) this.#dropPart(hash);
    this.#boundParts();
  }

  #boundParts(): void {
    const current = this.words.get('manifest') ?? '';
    const kept = new Set([current, ...(this.parts.get(current)?.pages ?? [])]);
    for (const hash of this.parts.keys()) {
      if (this.parts.size <= PARTS_MAX) return;
      if (!kept.has(hash)) this.#dropPart(hash);
    }
  }

  isPart(epoch: Epoch, sequence: number): boolean {
    for (const part of this.parts.values()) {
      if (part.sequence === sequence && part.epoch === epoch) return true;
    }
    return false;
  }

  /** What nobody needs any more: closed and no dictionary part, or given up. */
  done(epoch: Epoch): RangeSet {
    const state = this.epochs.get(epoch);
    const done = RangeSet.of(state?.closed.toArray() ?? []);
    for (const part of this.parts.values()) if (part.epoch === epoch) done.remove(part.sequence);
    for (const { first, last } of state?.givenUp.toArray() ?? []) done.add(first, last);
    return done;
  }

  #dropPart(hash: Hash): void {
    this.parts.delete(hash);
    this.#dirty.add(`part:${hash}`);
  }

  addRefused(refused: Refused): void {
    const name = `${refused.epoch}:${refused.sequence}`;
    this.refused.set(name, refused);
    this.#dirty.add(`refused:${name}`);
    for (const oldest of this.refused.keys()) {
      const bytes = sumOfBytes(this.refused.values());
      if (this.refused.size <= REFUSED_RECORDS_MAX && bytes <= REFUSED_BYTES_MAX) break;
      this.refused.delete(oldest);
      this.#dirty.add(`refused:${oldest}`);
    }
  }
}

/** Which points the epoch is known to have, under its newest manifest. */
export function notePoints(state: EpochState, row: Row): void {
  if (row.manifest === '') return;
  if (row.manifest !== state.manifest) state.points = 0; // Other aliases from here on.
  state.manifest = row.manifest;
  state.points = Math.max(state.points, row.firstAlias + row.points);
}

/** Gathers rows that are given up into one loss an epoch, manifest and cause. */
export class Losses {
  #losses = new Map<string, { loss: Loss; ranges: RangeSet }>();

  /** The row itself, and again whatever its gaps told of; told apart when the cloud may have it. */
  addRow(row: Row, isSent: boolean, cause: GapCause = 'overflow'): void {
    const { epoch, manifest, firstAlias, points, taken, unchanged } = row;
    const sequences = [{ first: row.sequence, last: row.sequence }];
    const times = { fromMonoMs: row.firstMonoMs, toMonoMs: row.lastMonoMs };
    const common = { manifest, estimated: false };
    this.add(
      {
        ...common,
        ...times,
        cause,
        epoch,
        firstAlias,
        points,
        readings: taken,
        unchanged,
        sequences,
      },
      isSent ? 'apart' : 'together',
    );
    // What stood apart stays apart: the cloud may have that record, and tells it by its sequence.
    for (const gap of row.gaps) {
      this.add({ ...common, ...gap, unchanged: 0 }, isSingle(gap.sequences) ? 'apart' : 'together');
    }
  }

  add(loss: Loss, how: 'apart' | 'together' = 'together'): void {
    const place = how === 'apart' ? loss.sequences[0]?.first : '';
    const key = `${loss.cause} ${loss.epoch} ${loss.manifest} ${place}`;
    const known = this.#losses.get(key);
    const ranges = known?.ranges ?? new RangeSet();
    for (const { first, last } of loss.sequences) ranges.add(first, last);
    this.#losses.set(key, { loss: known ? merged(known.loss, loss) : loss, ranges });
  }

  get size(): number {
    return this.#losses.size;
  }

  all(): Loss[] {
    return [...this.#losses.values()].map(({ loss, ranges }) => ({
      ...loss,
      sequences: ranges.toArray(),
    }));
  }
}

function isSingle([range, ...more]: readonly Range[]): boolean {
  return range !== undefined && range.first === range.last && more.length === 0;
}

function merged(a: Loss, b: Loss): Loss {
  assert(a.epoch === b.epoch && a.manifest === b.manifest, 'only alike losses are told as one');
  const end = Math.max(a.firstAlias + a.points, b.firstAlias + b.points);
  const firstAlias = Math.min(a.firstAlias, b.firstAlias);
  return {
    ...a,
    firstAlias,
    points: end - firstAlias,
    fromMonoMs: Math.min(a.fromMonoMs, b.fromMonoMs),
    toMonoMs: Math.max(a.toMonoMs, b.toMonoMs),
    readings: a.readings + b.readings,
    unchanged: a.unchanged + b.unchanged,
    estimated: a.estimated || b.estimated,
  };
}

function sumOfBytes(items: Iterable<{ readonly bytes: Uint8Array }>): number {
  let sum = 0;
  for (const { bytes } of items) sum += bytes.length;
  return sum;
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

function textOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function withBytes(item: { readonly bytes: Uint8Array } | undefined): string | null {
  if (!item) return null;
  return JSON.stringify({ ...item, bytes: Buffer.from(item.bytes).toString('base64') });
}

/** `ranges` without what is in `set`. */
export function without(ranges: readonly Range[], set: RangeSet): Range[] {
  return ranges.flatMap(({ first, last }) => set.missing(first, last));
}

/** What `ranges` and `set` share. */
export function within(ranges: readonly Range[], set: RangeSet): Range[] {
  return without(ranges, RangeSet.of(without(ranges, set)));
}

/** As a record tells of it. */
export function gapOf(debt: Debt): Gap {
  const { cause, epoch, fromMonoMs, toMonoMs, readings, estimated, sequences } = debt;
  // Without a manifest an alias means nothing.
  const { firstAlias, points } = debt.manifest === '' ? { firstAlias: 0, points: 0 } : debt;
  return {
    cause,
    epoch,
    firstAlias,
    points,
    fromMonoMs,
    toMonoMs,
    readings,
    estimated,
    sequences,
  };
}
