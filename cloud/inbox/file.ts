// The inbox file: one SQLite database in WAL mode with `synchronous=FULL`, written by one
// connection (the core) and read by any number (readers). What an ack vouches for is in `records`
// and `epochs`, always in one transaction.
import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hex } from '../../core/bytes.ts';
import { Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import { bilingual } from '../../core/text/text.ts';

/** Raised when an older program could not read what this one writes. */
export const INBOX_FORMAT_VERSION = 1;

const PAGE_BYTES = 4096;

/**
 * What the file may hold beside the records: dictionary, series, epochs, dead letters, free pages.
 */
const FILE_BYTES_BESIDE = 1024 ** 3;

const schema = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  -- One row: the next row number (never reused, though rows leave) and the bytes of the rows held.
  CREATE TABLE IF NOT EXISTS head (
    one INTEGER PRIMARY KEY CHECK (one = 1), next_row INTEGER NOT NULL, held_bytes INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE IF NOT EXISTS gateways (
    gateway TEXT PRIMARY KEY, area TEXT NOT NULL, connection INTEGER NOT NULL
  ) STRICT;

  -- stored, lost: "1-500,502"; refused: "12:corrupt". wall_offset_ms: the newest clock stamp (wall
  -- - mono).
  -- arrival_offset_ms: smallest (received - mono) seen, which tells how old a record is on arrival.
  CREATE TABLE IF NOT EXISTS epochs (
    id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch TEXT NOT NULL, first_ms INTEGER NOT NULL,
    stored TEXT NOT NULL, lost TEXT NOT NULL, refused TEXT NOT NULL,
    wall_offset_ms REAL, clock_state INTEGER NOT NULL, clock_sequence INTEGER NOT NULL,
    arrival_offset_ms REAL, UNIQUE (gateway, epoch)
  ) STRICT;

  CREATE TABLE IF NOT EXISTS checksums (
    epoch INTEGER NOT NULL, slot INTEGER NOT NULL, sequence INTEGER NOT NULL,
    checksum INTEGER NOT NULL, PRIMARY KEY (epoch, slot)
  ) STRICT, WITHOUT ROWID;

  -- A row with a note has no bytes: it is a gap that the cloud itself found.
  CREATE TABLE IF NOT EXISTS records (
    row INTEGER PRIMARY KEY, area TEXT NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
    lane INTEGER NOT NULL, received_ms INTEGER NOT NULL, bytes BLOB NOT NULL, note TEXT
  ) STRICT;

  -- Dictionary parts, kept for ever, as the record that brought them.
  CREATE TABLE IF NOT EXISTS parts (
    hash TEXT PRIMARY KEY, gateway TEXT NOT NULL, bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS parts_by_gateway ON parts (gateway);
  CREATE TABLE IF NOT EXISTS manifests (
    gateway TEXT NOT NULL, hash TEXT NOT NULL, points INTEGER NOT NULL, PRIMARY KEY (gateway, hash)
  ) STRICT, WITHOUT ROWID;

  -- manifest, place: where the newest definition stands; opening, sequence: how new it is.
  CREATE TABLE IF NOT EXISTS series (
    number INTEGER PRIMARY KEY, gateway TEXT NOT NULL, device TEXT NOT NULL, point TEXT NOT NULL,
    manifest TEXT NOT NULL, place INTEGER NOT NULL, opening INTEGER NOT NULL,
    sequence INTEGER NOT NULL, UNIQUE (gateway, device, point)
  ) STRICT;

  CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, reason TEXT NOT NULL,
    detail TEXT NOT NULL, area TEXT NOT NULL, gateway TEXT NOT NULL, topic TEXT NOT NULL,
    epoch TEXT NOT NULL, sequence INTEGER NOT NULL, readings INTEGER NOT NULL,
    checksum INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS dead_letters_by_key ON dead_letters (gateway, epoch, sequence);
`;

export interface InboxFile {
  readonly database: DatabaseSync;
  /** Drawn when the file was made: a new one tells the edges that the old store is gone. */
  readonly storeId: string;
}

/**
 * Opens or makes the file for its one writer. `bytesMax` bounds the records, the file a little
 * above.
 */
export function openInboxFile(random: Random, path: string, fileBytesMax: number): InboxFile {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(path, { timeout: 5_000 });
  database.exec(`
    PRAGMA page_size = ${PAGE_BYTES};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA max_page_count = ${Math.ceil(fileBytesMax / PAGE_BYTES)};
    BEGIN IMMEDIATE;
    ${schema}
    INSERT OR IGNORE INTO head VALUES (1, 1, 0);
    COMMIT;`);
  chmodSync(path, 0o600);
  checkFormat(database, path);
  const known = metaValue(database, 'store_id');
  const storeId = known ?? hex(random.bytes(16));
  if (known === undefined) setMeta(database, 'store_id', storeId);
  return { database, storeId };
}

export function fileBytesMaxFor(bytesMax: number): number {
  return bytesMax + FILE_BYTES_BESIDE;
}

/** What a disk must take before it counts as having room: a message of the largest size. */
const ROOM_BYTES = 128 * 1024;

/** SQLite's word for a disk, or the file's own bound, without room. */
export function isFull(error: unknown): boolean {
  return (error as { errcode?: number }).errcode === 13;
}

/**
 * Whether there is room, found out by writing: on a full disk a commit of a page often still fits,
 * where an earlier one failed half way, and tells nothing of the next record.
 */
export function hasRoom(database: DatabaseSync): boolean {
  try {
    database.exec(`
      INSERT OR REPLACE INTO meta VALUES ('room', hex(zeroblob(${ROOM_BYTES / 2})));
      DELETE FROM meta WHERE key = 'room';`);
    return true;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}

/** A read-only connection for any thread. */
export function openInboxReading(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  checkFormat(database, path);
  return database;
}

function checkFormat(database: DatabaseSync, path: string): void {
  const found = metaValue(database, 'format');
  if (found === undefined) setMeta(database, 'format', `${INBOX_FORMAT_VERSION}`);
  else if (Number(found) > INBOX_FORMAT_VERSION) {
    const known = INBOX_FORMAT_VERSION;
    const detail = bilingual('later-format', { what: path, found, known });
    throw new Fault('inbox_format', 'never', detail);
  }
}

function metaValue(database: DatabaseSync, key: string): string | undefined {
  const row = database.prepare('SELECT value FROM meta WHERE key = ?').get(key);
  return row === undefined ? undefined : String(row['value']);
}

function setMeta(database: DatabaseSync, key: string, value: string): void {
  database.prepare('INSERT INTO meta VALUES (?, ?)').run(key, value);
}
