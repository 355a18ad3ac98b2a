// The inbox: what the cloud has taken from the edges and not yet worked through. Synchronous; its
// worker is a shell around it, and tests drive it directly.
//
// Promises
// - What `commit` returned from is on disk: the records and the ranges that say so, in one
//   transaction. An ack is sent after it, never before, so an ack vouches for the file and for
//   nothing else.
// - The key of a record is (gateway, epoch, sequence). The same key again changes nothing; the same
//   key with other bytes is a clone and is never stored over the first.
// - Row numbers rise by one a record and are never reused: cursors point at them.
// - A record is stored only when everything it names is here, so that it can be decoded for ever.
// Bounds: the bytes of the held rows (`bytesMax`; full means nothing is taken), the file itself
// (max_page_count), 1,024 ranges an epoch, checksums of the last 4,096 records of an epoch, dead
// letters.
// Failure: when a commit fails (disk full), everything since `begin` is gone from file and memory
// alike.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { assert } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { type Lane, lanes } from '../../core/reading.ts';
import type {
  ClockStamp,
  Envelope,
  Epoch,
  Gap,
  Hash,
  RefusalReason,
} from '../../protocols/uplink/record.ts';
import { clockStates } from '../../protocols/uplink/record.ts';
import { type DeadLetter, DeadLetters } from './dead-letters.ts';
import type { InboxNote } from './decoded.ts';
import { fileBytesMaxFor, hasRoom, openInboxFile } from './file.ts';
import { EpochLedger, rangesOf, rangesText, refusedOf, refusedText } from './ledger.ts';
import { SeriesBook } from './series.ts';

/**
 * Clones are told from duplicates this far back: an hour of one record a second, and 120 KB an
 * epoch.
 */
export const CHECKSUMS_KEPT = 4_096;
/** Epochs of one gateway whose checksums are kept; an older one is long acked. */
const CHECKSUM_EPOCHS_KEPT = 8;
/** Rows deleted in one commit: some 10 ms, so that those that leave hold up no new ones. */
const TRIM_ROWS_MAX = 4_096;
/** What a row costs beside its bytes. */
const ROW_BYTES = 64;
/** Epochs held in memory; beyond it they are read again. */
const EPOCHS_CACHED_MAX = 20_000;

/** A record that was opened and checked, on its way in. */
export interface ArrivedRecord {
  readonly area: string;
  readonly gateway: string;
  readonly envelope: Envelope;
  /** After the receiver's check. */
  readonly lane: Lane;
  readonly receivedMs: number;
  readonly checksum: number;
  readonly bytes: Uint8Array;
  readonly clock: ClockStamp;
  readonly gaps: readonly Gap[];
  /** Of a record that brings a dictionary part: its name, and whether it is a manifest. */
  readonly part: { readonly hash: Hash; readonly isManifest: boolean } | null;
  /** One above the highest alias it uses; 0 when it uses none. */
  readonly aliasEnd: number;
}

export type PutResult =
  | { readonly kind: 'stored'; readonly row: number }
  | { readonly kind: 'duplicate' | 'clone' }
  /** Decided earlier; said again. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason }
  | { readonly kind: 'malformed'; readonly detail: string }
  | { readonly kind: 'needs'; readonly hashes: readonly Hash[] }
  /**
   * Not taken and not acked, because of a bound: the inbox is full, or the epoch has too many
   * ranges.
   */
  | { readonly kind: 'full' | 'scattered' };

export interface InboxOptions {
  readonly path: string;
  readonly bytesMax: number;
  /** Of the file with everything in it; above `bytesMax` by a gigabyte when left out. */
  readonly fileBytesMax?: number;
  /**
   * The highest row any consumer has behind it. Numbers go on above it even where the file was made
   * anew or comes from a backup: otherwise new records would stand behind a cursor and never be
   * read.
   */
  readonly rowsAbove?: number;
}

interface EpochRow {
  readonly id: number;
  readonly ledger: EpochLedger;
  clockSequence: number;
  wallOffsetMs: number | null;
  clockState: number;
  arrivalOffsetMs: number | null;
}

export class InboxCore {
  readonly storeId: string;
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #bytesMax: number;
  readonly #series: SeriesBook;
  readonly #letters: DeadLetters;
  readonly #epochs = new Map<string, EpochRow>();
  readonly #dirty = new Set<EpochRow>();
  readonly #sql: ReturnType<typeof prepare>;
  readonly #rowsAbove: number;
  #nextRow = 1;
  #heldBytes = 0;
  #passedRow = 0;
  #isOpen = false;

  constructor(random: Random, options: InboxOptions) {
    const { path, bytesMax, fileBytesMax, rowsAbove = 0 } = options;
    const file = openInboxFile(random, path, fileBytesMax ?? fileBytesMaxFor(bytesMax));
    this.path = path;
    this.storeId = file.storeId;
    this.#database = file.database;
    this.#bytesMax = bytesMax;
    this.#sql = prepare(file.database);
    this.#series = new SeriesBook(file.database);
    this.#letters = new DeadLetters(file.database);
    this.#rowsAbove = rowsAbove;
    this.#readHead();
  }

  begin(): void {
    assert(!this.#isOpen, 'one transaction at a time');
    this.#database.exec('BEGIN IMMEDIATE');
    this.#isOpen = true;
  }

  put(record: ArrivedRecord): PutResult {
    assert(this.#isOpen, 'records are put inside a transaction');
    const { gateway, envelope, part } = record;
    const { sequence } = envelope;
    const epoch = this.#epoch(gateway, envelope.epoch, record.receivedMs);
    // A part is kept whatever becomes of its record: it is needed by others and names itself.
    if (part && !this.#series.keepPart(gateway, part.hash, record.bytes)) {
      return { kind: 'refused', reason: 'too_large' };
    }
    const refused = epoch.ledger.refused.get(sequence);
    // A part that came whole after all is taken after all: the consumers learn it by its row.
    if (refused && !part) return { kind: 'refused', reason: refused };
    if (epoch.ledger.stored.has(sequence)) return this.#again(epoch, record);
    if (this.#heldBytes >= this.#bytesMax) return { kind: 'full' };
    if (!epoch.ledger.canStore([{ first: sequence, last: sequence }]) || !this.#canClose(record)) {
      return { kind: 'scattered' };
    }
    const manifest = part?.isManifest ? part.hash : envelope.manifest;
    if (manifest !== '') {
      const adoption = this.#series.adopt(gateway, manifest, envelope.epoch, sequence);
      if (adoption.kind === 'needs') return adoption;
      if (adoption.kind === 'malformed') return adoption;
      if (record.aliasEnd > adoption.points) {
        return { kind: 'malformed', detail: `alias ${record.aliasEnd - 1} is not in its manifest` };
      }
    } else if (record.aliasEnd > 0) {
      return { kind: 'malformed', detail: 'aliases without a manifest' };
    }
    return { kind: 'stored', row: this.#store(epoch, record) };
  }

  /**
   * Keeps a record that will never be readable as a dead letter, and its counts as a gap; closes
   * its sequence but for a clone's, whose first is stored. False when the epoch had too many.
   */
  refuse(letter: DeadLetter, envelope: Envelope, reason: RefusalReason): boolean {
    assert(this.#isOpen, 'records are refused inside a transaction');
    const epoch = this.#epoch(letter.gateway, envelope.epoch, letter.atMs);
    if (reason !== 'clone') {
      if (epoch.ledger.refused.has(envelope.sequence)) return true;
      if (!epoch.ledger.refuse(envelope.sequence, reason)) return false;
      this.#touch(epoch);
    }
    if (!this.#letters.keep(letter)) return true;
    this.#insertNote(letter.area, epoch, letter.atMs, {
      cause: 'refused',
      epoch: envelope.epoch,
      sequences: [{ first: envelope.sequence, last: envelope.sequence }],
      // With what it covered as unchanged: taken = stored + unchanged + given up.
      readings: envelope.taken,
      fromMs: this.#labelOf(epoch, envelope.firstMonoMs, letter.atMs),
      toMs: this.#labelOf(epoch, envelope.lastMonoMs, letter.atMs),
    });
    return true;
  }

  /** Closes sequences that no edge has any more, and says so in a gap. */
  lose(
    area: string,
    gateway: string,
    name: Epoch,
    sequences: readonly { readonly first: number; readonly last: number }[],
    atMs: number,
  ): void {
    assert(this.#isOpen, 'sequences are closed inside a transaction');
    const epoch = this.#epoch(gateway, name, atMs);
    for (const { first, last } of sequences) epoch.ledger.lost.add(first, last);
    this.#touch(epoch);
    // How many readings those records held, and from when, nobody knows any more.
    const note: InboxNote = {
      cause: 'store_lost',
      epoch: name,
      sequences,
      readings: 0,
      fromMs: atMs,
      toMs: atMs,
    };
    this.#insertNote(area, epoch, atMs, note);
  }

  keepLetter(letter: DeadLetter): boolean {
    assert(this.#isOpen, 'letters are kept inside a transaction');
    return this.#letters.keep(letter);
  }

  /** The highest connection number heard of a gateway; a lower one than that is old news. */
  connectionOf(gateway: string): number {
    return Number(this.#sql.selectGateway.get(gateway)?.['connection'] ?? 0);
  }

  keepConnection(gateway: string, area: string, connection: number): void {
    assert(this.#isOpen, 'connections are kept inside a transaction');
    this.#sql.upsertGateway.run(gateway, area, connection);
  }

  /** Gateways ever heard, for the presence table after a start. */
  gateways(): { readonly gateway: string; readonly area: string; readonly connection: number }[] {
    return this.#sql.selectGateways.all().map((row) => ({
      gateway: String(row['gateway']),
      area: String(row['area']),
      connection: Number(row['connection']),
    }));
  }

  /** Undefined for an epoch never heard of. Do not change it. */
  ledgerOf(gateway: string, epoch: Epoch): EpochLedger | undefined {
    return this.#known(gateway, epoch)?.ledger;
  }

  /**
   * Smallest (received - mono) seen of the epoch, by the cloud's wall clock; null before the first.
   */
  arrivalOffsetOf(gateway: string, epoch: Epoch): number | null {
    return this.#known(gateway, epoch)?.arrivalOffsetMs ?? null;
  }

  setArrivalOffset(gateway: string, epoch: Epoch, offsetMs: number): void {
    const row = this.#known(gateway, epoch);
    if (row) row.arrivalOffsetMs = offsetMs; // Goes to disk when the epoch next does.
  }

  /** Rows up to this one may leave: every consumer has them behind its cursor. */
  passed(row: number): void {
    this.#passedRow = Math.max(this.#passedRow, row);
  }

  /** True when rows that may leave are still there: a commit takes some of them. */
  get hasPassed(): boolean {
    const oldest = this.#sql.selectOldest.get()?.['row'];
    return oldest !== null && oldest !== undefined && Number(oldest) <= this.#passedRow;
  }

  /** Whether a full disk has room again; between transactions. */
  hasRoom(): boolean {
    return hasRoom(this.#database);
  }

  /** Throws what SQLite throws; then everything since `begin` is undone. */
  commit(): { readonly lastRow: number } {
    assert(this.#isOpen, 'a commit ends a transaction');
    try {
      this.#trim();
      for (const epoch of this.#dirty) this.#writeEpoch(epoch);
      this.#sql.updateHead.run(this.#nextRow, this.#heldBytes);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.rollback();
      throw error;
    }
    this.#isOpen = false;
    this.#dirty.clear();
    if (this.#epochs.size > EPOCHS_CACHED_MAX) this.#epochs.clear();
    return { lastRow: this.#nextRow - 1 };
  }

  rollback(): void {
    // SQLite rolls back by itself after some failures.
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#isOpen = false;
    this.#dirty.clear();
    this.#epochs.clear();
    this.#series.forget();
    this.#letters.recount();
    this.#readHead();
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  get lastRow(): number {
    return this.#nextRow - 1;
  }

  get letters(): number {
    return this.#letters.count;
  }

  close(): void {
    if (this.#isOpen) this.rollback();
    this.#database.close();
  }

  #again(epoch: EpochRow, { envelope, checksum }: ArrivedRecord): PutResult {
    const known = this.#sql.selectChecksum.get(epoch.id, envelope.sequence % CHECKSUMS_KEPT);
    const isSame =
      Number(known?.['sequence']) !== envelope.sequence || Number(known?.['checksum']) === checksum;
    return { kind: isSame ? 'duplicate' : 'clone' };
  }

  // The sequences that gaps of the record give up may belong to an earlier epoch.
  #canClose({ gateway, gaps, receivedMs }: ArrivedRecord): boolean {
    return gaps.every(
      ({ epoch, sequences }) =>
        sequences.length === 0 ||
        this.#epoch(gateway, epoch, receivedMs).ledger.canStore(sequences),
    );
  }

  #store(epoch: EpochRow, record: ArrivedRecord): number {
    const { envelope, bytes, clock } = record;
    const { sequence } = envelope;
    epoch.ledger.store(sequence);
    epoch.ledger.refused.delete(sequence);
    this.#touch(epoch);
    const untrue: number[] = [];
    const partial: number[] = [];
    for (const [place, gap] of record.gaps.entries()) {
      if (gap.sequences.length === 0) continue;
      const closed = this.#epoch(record.gateway, gap.epoch, record.receivedMs);
      if (closed.ledger.hasAll(gap.sequences)) untrue.push(place);
      else if (closed.ledger.hasAny(gap.sequences)) partial.push(place);
      for (const { first, last } of gap.sequences) closed.ledger.store(first, last);
      this.#touch(closed);
    }
    const state = clockStates.indexOf(clock.state);
    // The newest stamp counts, but a clock that knew the time is never overruled by one that did
    // not.
    if (sequence > epoch.clockSequence && (state > 0 || epoch.clockState === 0)) {
      epoch.clockSequence = sequence;
      epoch.wallOffsetMs = clock.wallOffsetMs;
      epoch.clockState = state;
    }
    const slot = sequence % CHECKSUMS_KEPT;
    this.#sql.upsertChecksum.run(epoch.id, slot, sequence, record.checksum);
    const lane = lanes.indexOf(record.lane);
    const note = untrue.length + partial.length > 0 ? JSON.stringify({ untrue, partial }) : null;
    return this.#insert(record.area, epoch, sequence, lane, record.receivedMs, bytes, note);
  }

  #insertNote(area: string, epoch: EpochRow, atMs: number, note: InboxNote): void {
    const sequence = note.sequences[0]?.first ?? 0;
    const lane = lanes.indexOf('event');
    this.#insert(area, epoch, sequence, lane, atMs, new Uint8Array(0), JSON.stringify(note));
  }

  #insert(
    area: string,
    epoch: EpochRow,
    sequence: number,
    lane: number,
    receivedMs: number,
    bytes: Uint8Array,
    note: string | null,
  ): number {
    const row = this.#nextRow++;
    const { id } = epoch;
    this.#sql.insertRecord.run(row, area, id, sequence, lane, Math.round(receivedMs), bytes, note);
    this.#heldBytes += bytes.length + ROW_BYTES;
    return row;
  }

  #labelOf({ wallOffsetMs }: EpochRow, monoMs: number, otherwiseMs: number): number {
    return wallOffsetMs === null ? otherwiseMs : monoMs + wallOffsetMs;
  }

  #trim(): void {
    if (this.#passedRow === 0) return;
    const oldest = this.#sql.selectOldest.get()?.['row'];
    if (oldest === null || oldest === undefined || Number(oldest) > this.#passedRow) return;
    const last = Math.min(this.#passedRow, Number(oldest) + TRIM_ROWS_MAX - 1);
    const sum = this.#sql.sumBytes.get(ROW_BYTES, last);
    this.#sql.deleteRows.run(last);
    this.#heldBytes -= Number(sum?.['bytes'] ?? 0);
  }

  #touch(epoch: EpochRow): void {
    this.#dirty.add(epoch);
  }

  #epoch(gateway: string, epoch: Epoch, atMs: number): EpochRow {
    const known = this.#known(gateway, epoch);
    if (known) return known;
    const { lastInsertRowid } = this.#sql.insertEpoch.run(gateway, epoch, Math.round(atMs));
    this.#sql.pruneChecksums.run(gateway, CHECKSUM_EPOCHS_KEPT);
    const row = freshEpoch(Number(lastInsertRowid), new EpochLedger());
    this.#epochs.set(`${gateway}/${epoch}`, row);
    return row;
  }

  #known(gateway: string, epoch: Epoch): EpochRow | undefined {
    const key = `${gateway}/${epoch}`;
    const cached = this.#epochs.get(key);
    if (cached) return cached;
    const found = this.#sql.selectEpoch.get(gateway, epoch);
    if (!found) return undefined;
    const ledger = new EpochLedger(
      rangesOf(String(found['stored'])),
      rangesOf(String(found['lost'])),
      refusedOf(String(found['refused'])),
    );
    const row: EpochRow = {
      ...freshEpoch(Number(found['id']), ledger),
      clockSequence: Number(found['clock_sequence']),
      clockState: Number(found['clock_state']),
      wallOffsetMs: found['wall_offset_ms'] === null ? null : Number(found['wall_offset_ms']),
      arrivalOffsetMs:
        found['arrival_offset_ms'] === null ? null : Number(found['arrival_offset_ms']),
    };
    this.#epochs.set(key, row);
    return row;
  }

  #writeEpoch({ id, ledger, ...row }: EpochRow): void {
    this.#sql.updateEpoch.run(
      rangesText(ledger.stored),
      rangesText(ledger.lost),
      refusedText(ledger.refused),
      row.wallOffsetMs,
      row.clockState,
      row.clockSequence,
      row.arrivalOffsetMs,
      id,
    );
  }

  #readHead(): void {
    const head = this.#sql.selectHead.get();
    this.#nextRow = Math.max(Number(head?.['next_row'] ?? 1), this.#rowsAbove + 1);
    this.#heldBytes = Number(head?.['held_bytes'] ?? 0);
  }
}

function freshEpoch(id: number, ledger: EpochLedger): EpochRow {
  return { id, ledger, clockSequence: 0, wallOffsetMs: null, clockState: 0, arrivalOffsetMs: null };
}

function prepare(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text);
  return {
    selectHead: sql('SELECT next_row, held_bytes FROM head'),
    updateHead: sql('UPDATE head SET next_row = ?, held_bytes = ?'),
    insertRecord: sql('INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
    selectOldest: sql('SELECT MIN(row) AS row FROM records'),
    sumBytes: sql('SELECT SUM(length(bytes) + ?) AS bytes FROM records WHERE row <= ?'),
    deleteRows: sql('DELETE FROM records WHERE row <= ?'),
    selectEpoch: sql('SELECT * FROM epochs WHERE gateway = ? AND epoch = ?'),
    insertEpoch: sql(
      `INSERT INTO epochs (gateway, epoch, first_ms, stored, lost, refused, clock_state, clock_sequence)
       VALUES (?, ?, ?, '', '', '', 0, 0)`,
    ),
    updateEpoch: sql(
      `UPDATE epochs SET stored = ?, lost = ?, refused = ?, wall_offset_ms = ?, clock_state = ?,
         clock_sequence = ?, arrival_offset_ms = ? WHERE id = ?`,
    ),
    selectChecksum: sql('SELECT sequence, checksum FROM checksums WHERE epoch = ? AND slot = ?'),
    upsertChecksum: sql('INSERT OR REPLACE INTO checksums VALUES (?, ?, ?, ?)'),
    pruneChecksums: sql(
      `DELETE FROM checksums WHERE epoch IN (
         SELECT id FROM epochs WHERE gateway = ? ORDER BY id DESC LIMIT -1 OFFSET ?)`,
    ),
    selectGateway: sql('SELECT connection FROM gateways WHERE gateway = ?'),
    selectGateways: sql('SELECT * FROM gateways'),
    upsertGateway: sql('INSERT OR REPLACE INTO gateways VALUES (?, ?, ?)'),
  };
}
