// The durable record of commands: what was received, what was begun, what came of it.
//
// Promises
// - A row is `received` before anything is done about it, `started` before the first byte goes to
//   the device, `settled` (with the reply, as it is sent) before the reply is. Each step is one
//   transaction, one fsync.
// - Opening settles what an earlier run left: `started` as uncertain, since the device may have
//   done it; `received` as expired, since nothing was sent and its epoch is over.
// - An id is found as long as its row is kept: ROWS_KEPT settled ones, whatever their age, the
//   oldest forgotten first. What cannot be found may have been forgotten: `mark` is the newest
//   place (opening number of the epoch, sequence) that a forgotten command named. Whoever asks for
//   an id that is not here and names a place up to the mark must be told that nobody knows.
// - `epochs` are those it was open in, the last EPOCHS_KEPT: of a command that names another one
//   (of a card that was taken out, or of before a ledger that was lost) nobody knows either.
// - A standing effect, which is to be reversed when the cloud stays away, is written in the
//   transaction of its outcome. At most one a point.
//
// Format 1 (`PRAGMA user_version`), one SQLite file in WAL mode, synchronous=FULL, locked by one
// process: `commands` one row an id, with a CRC-32 over the rest; `state` words under keys, each
// with its CRC-32. Rows hold at most a few KB, so the file stays below ROWS_KEPT times that: 10 MB,
// with the shortest texts 3 MB.
//
// Failures. A full or failing disk: the write throws and nothing of it is there; reading goes on. A
// damaged file, or one of a later format, is renamed (one is kept for a person to look at), and a
// new one begins whose mark is all that could have been in it: no command of before is done again.
// A file that is simply gone is the same case, but for a gateway that never had an epoch before.
import { existsSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { crc32 } from 'node:zlib';
import type { CommandReason, Outcome } from '../../core/command.ts';
import { Fault, isFault } from '../../core/fault.ts';
import type { Command } from '../../protocols/uplink/control.ts';
import { decodeCommand, encodeReply } from '../../protocols/uplink/control.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { fileFault } from '../outbox/file.ts';
import { openingOf } from '../outbox/folder.ts';
import { REVERSAL_ISSUER } from './decide.ts';

export const LEDGER_FORMAT = 1;
export const LEDGER_FILE = 'commands.sqlite';
/** A busy pump station gives a hundred commands a day: a season of them. */
export const ROWS_KEPT = 10_000;
/** Restarts of a season; a name is 30 bytes. */
export const EPOCHS_KEPT = 256;
/** 64 pages of 4 KB: the log is written back before it is larger than what it protects. */
const LOG_PAGES = 64;

// The place is the code in the file.
const states = ['received', 'started', 'settled'] as const;
export type RowState = (typeof states)[number];

/** A place in the life of a gateway: everything it ever sealed lies in this order. */
export interface Place {
  readonly opening: number;
  readonly sequence: number;
}

export function isUpTo(place: Place, mark: Place): boolean {
  if (place.opening !== mark.opening) return place.opening < mark.opening;
  return place.sequence <= mark.sequence;
}

export interface Row {
  readonly id: string;
  readonly state: RowState;
  /** What the command named. */
  readonly place: Place;
  /** As encoded for the wire: equal bytes, equal command. */
  readonly command: Uint8Array;
  /** As sent; null until it is settled. */
  readonly reply: Uint8Array | null;
  /** Issued at the gateway itself: the cloud has never heard of it. */
  readonly isOwn: boolean;
  /** Once it may have been done, it is to be reversed when the cloud stays away. */
  readonly hasReversal: boolean;
}

/** An effect that is reversed when the cloud was not heard for long enough. */
export interface Standing {
  readonly device: string;
  readonly point: string;
  /** Of the offers of the point. */
  readonly command: string;
  /** Of the command that had the effect. */
  readonly id: string;
  /** Reversals that failed or were refused. */
  readonly attempts: number;
}

/** What a row does to the standing effect of its point; null: nothing. */
export type StandingChange = Standing | 'ended' | null;

export interface Opened {
  readonly mark: Place;
  /** Of which it knows every command, but what is up to the mark. */
  readonly epochs: readonly Epoch[];
  /** What an earlier run left undecided, now settled; encoded replies. */
  readonly interrupted: readonly Uint8Array[];
  readonly standing: readonly Standing[];
  /** `device/point` of what was commanded before, as far as it is remembered. */
  readonly commanded: readonly string[];
  /** The file there was could not be read and lies aside. */
  readonly wasDamaged: boolean;
}

export interface Kept {
  readonly command: Uint8Array;
  readonly reply: Uint8Array;
}

export interface LedgerOptions {
  readonly path: string;
  readonly epoch: Epoch;
  /** Less than ROWS_KEPT in tests. */
  readonly rowsKept?: number;
  /** Called in each transaction, after it began: a test's disk fails here. */
  readonly beforeWrite?: () => void;
}

export class CommandLedger {
  readonly opened: Opened;
  readonly #options: LedgerOptions;
  #database: DatabaseSync;
  #find: StatementSync;
  #put: StatementSync;
  #putWord: StatementSync;
  #mark: Place;
  #nextSettled: number;
  readonly #standing = new Map<string, Standing>();

  private constructor(database: DatabaseSync, options: LedgerOptions, wasDamaged: boolean) {
    this.#options = options;
    this.#database = database;
    this.#find = database.prepare('SELECT * FROM commands WHERE id = ?');
    this.#put = database.prepare(
      `INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET state = excluded.state, settled = excluded.settled,
       reply = excluded.reply, has_reversal = excluded.has_reversal, crc = excluded.crc`,
    );
    this.#putWord = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?)');
    const last = database.prepare('SELECT max(settled) AS last FROM commands').get();
    this.#nextSettled = Number(last?.['last'] ?? 0) + 1;
    const mark = this.#word('mark');
    this.#mark = mark === null ? endOfBefore(options.epoch) : (JSON.parse(mark) as Place);
    for (const one of JSON.parse(this.#word('standing') ?? '[]') as Standing[]) {
      this.#standing.set(keyOf(one), one);
    }
    const before = JSON.parse(this.#word('epochs') ?? '[]') as Epoch[];
    const epochs = [...before, options.epoch].slice(-EPOCHS_KEPT);
    const interrupted: Uint8Array[] = [];
    this.#transaction(() => {
      if (mark === null) this.#setWord('mark', JSON.stringify(this.#mark));
      this.#setWord('epochs', JSON.stringify(epochs));
      for (const row of this.#unsettled()) interrupted.push(this.#interrupt(row));
    });
    this.opened = {
      mark: this.#mark,
      epochs,
      interrupted,
      standing: [...this.#standing.values()],
      commanded: this.#commanded(),
      wasDamaged,
    };
  }

  /** Throws `outbox_full` or `outbox_io`; a damaged file is set aside. */
  static open(options: LedgerOptions): CommandLedger {
    const { path } = options;
    try {
      return CommandLedger.#openAt(options, false);
    } catch (error) {
      const fault = fileFault(error, path);
      if (fault.code !== 'outbox_damaged') throw fault;
    }
    setAside(path);
    return CommandLedger.#openAt(options, true);
  }

  static #openAt(options: LedgerOptions, wasDamaged: boolean): CommandLedger {
    const { path } = options;
    let database: DatabaseSync | null = null;
    try {
      const isNew = !existsSync(path);
      database = new DatabaseSync(path);
      prepare(database, path, isNew);
      return new CommandLedger(database, options, wasDamaged);
    } catch (error) {
      if (database?.isOpen) database.close();
      throw error instanceof SyntaxError ? damaged(path) : fileFault(error, path);
    }
  }

  get mark(): Place {
    return this.#mark;
  }

  find(id: string): Row | null {
    return this.#reading(() => {
      const raw = this.#find.get(id);
      return raw ? this.#rowOf(raw) : null;
    });
  }

  /** Durable when it returns; on a failure nothing of it is there. */
  put(row: Row, standing: StandingChange = null): void {
    this.#transaction(() => {
      this.#write(row);
      if (standing) this.#stand(row, standing);
      if (row.state === 'settled') this.#forget();
    });
  }

  /** An attempt to reverse has failed. */
  keepStanding(standing: Standing): void {
    this.#transaction(() => this.#setStanding(keyOf(standing), standing));
  }

  /** What was settled last, the oldest first. */
  recent(own: number, others: number): Kept[] {
    return this.#reading(() => {
      const newest = this.#database.prepare(
        'SELECT * FROM commands WHERE state = 2 AND is_own = ? ORDER BY settled DESC LIMIT ?',
      );
      return [...newest.all(1, own), ...newest.all(0, others)]
        .sort((a, b) => Number(a['settled']) - Number(b['settled']))
        .map((raw) => this.#rowOf(raw))
        .map(({ command, reply }) => ({ command, reply: reply! }));
    });
  }

  /**
   * Begins anew, the file set aside; everything up to `mark` is forgotten. The standing effects are
   * kept, as they are in memory.
   */
  renew(mark: Place): void {
    this.close();
    setAside(this.#options.path);
    const next = CommandLedger.#openAt(this.#options, true);
    this.#database = next.#database;
    this.#find = next.#find;
    this.#put = next.#put;
    this.#putWord = next.#putWord;
    this.#nextSettled = next.#nextSettled;
    this.#mark = mark;
    this.#transaction(() => {
      this.#setWord('mark', JSON.stringify(mark));
      this.#setWord('standing', JSON.stringify([...this.#standing.values()]));
    });
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  // --- Inside ---

  #interrupt(row: Row): Uint8Array {
    const wasStarted = row.state === 'started';
    const [outcome, reason]: [Outcome, CommandReason] = wasStarted
      ? ['uncertain', 'interrupted']
      : ['expired', 'other_epoch'];
    const command = decodeCommand(row.command);
    const { epoch } = this.#options;
    const about = { outcome, reason, detail: '', epoch, monoMs: 0, readBack: null };
    const reply = encodeReply({ id: row.id, ...about, issued: row.isOwn ? command : null });
    this.#write({ ...row, state: 'settled', reply });
    const isReversal = row.isOwn && command.issuer === REVERSAL_ISSUER;
    if (wasStarted && isReversal) this.#setStanding(keyOf(command), null); // Never a second try.
    if (wasStarted && row.hasReversal) {
      const { device, point } = command;
      const standing = { device, point, command: command.command, id: row.id, attempts: 0 };
      this.#setStanding(keyOf(standing), standing);
    }
    return reply;
  }

  #write(row: Row): void {
    const { id, state, place, command, reply, isOwn, hasReversal } = row;
    const settled = state === 'settled' ? this.#nextSettled++ : 0;
    const fields = [id, states.indexOf(state), place.opening, place.sequence] as const;
    const flags = [Number(isOwn), Number(hasReversal), settled] as const;
    const sum = checksum([...fields, ...flags], command, reply);
    this.#put.run(...fields, ...flags, command, reply, sum);
  }

  #stand({ command }: Row, change: Standing | 'ended'): void {
    const key = change === 'ended' ? keyOf(decodeCommand(command)) : keyOf(change);
    this.#setStanding(key, change === 'ended' ? null : change);
  }

  #setStanding(key: string, standing: Standing | null): void {
    const before = new Map(this.#standing);
    if (standing) this.#standing.set(key, standing);
    else if (!this.#standing.delete(key)) return;
    try {
      this.#setWord('standing', JSON.stringify([...this.#standing.values()]));
    } catch (error) {
      this.#standing.clear();
      for (const [point, one] of before) this.#standing.set(point, one);
      throw error;
    }
  }

  /** The oldest of what was settled goes when there is too much of it. */
  #forget(): void {
    const { rowsKept = ROWS_KEPT } = this.#options;
    const kept = this.#database.prepare('SELECT count(*) AS n FROM commands WHERE state = 2').get();
    const beyond = Number(kept?.['n'] ?? 0) - rowsKept;
    if (beyond <= 0) return;
    const oldest = this.#database
      .prepare('SELECT * FROM commands WHERE state = 2 ORDER BY settled LIMIT ?')
      .all(beyond);
    const opened = openingOf(this.#options.epoch);
    let mark = this.#mark;
    for (const { id, opening, sequence } of oldest) {
      const place = { opening: Number(opening), sequence: Number(sequence) };
      // Of an opening that never was here nothing is known anyway.
      if (place.opening <= opened && !isUpTo(place, mark)) mark = place;
      this.#database.prepare('DELETE FROM commands WHERE id = ?').run(String(id));
    }
    if (mark === this.#mark) return;
    this.#setWord('mark', JSON.stringify(mark));
    this.#mark = mark;
  }

  #unsettled(): Row[] {
    const rows = this.#database.prepare('SELECT * FROM commands WHERE state < 2').all();
    return rows.map((raw) => this.#rowOf(raw));
  }

  #commanded(): string[] {
    const rows = this.#database
      .prepare('SELECT * FROM commands ORDER BY settled DESC LIMIT 1000')
      .all();
    return [...new Set(rows.map((raw) => keyOf(decodeCommand(this.#rowOf(raw).command))))];
  }

  #rowOf(raw: Record<string, unknown>): Row {
    const { id, state, opening, sequence, is_own, has_reversal, settled, command, reply } = raw;
    const fields = [id, state, opening, sequence, is_own, has_reversal, settled];
    const isWhole =
      typeof id === 'string' &&
      command instanceof Uint8Array &&
      (reply === null || reply instanceof Uint8Array) &&
      checksum(fields, command, reply) === raw['crc'];
    if (!isWhole) throw damaged(this.#options.path);
    return {
      id,
      state: states[Number(state)]!,
      place: { opening: Number(opening), sequence: Number(sequence) },
      command,
      reply,
      isOwn: is_own === 1,
      hasReversal: has_reversal === 1,
    };
  }

  #word(key: string): string | null {
    const row = this.#database.prepare('SELECT value, crc FROM state WHERE key = ?').get(key);
    if (!row) return null;
    const value = String(row['value']);
    if (crc32(`${key}\n${value}`) !== row['crc']) throw damaged(this.#options.path);
    return value;
  }

  #setWord(key: string, value: string): void {
    this.#putWord.run(key, value, crc32(`${key}\n${value}`));
  }

  #reading<Value>(read: () => Value): Value {
    try {
      return read();
    } catch (error) {
      throw fileFault(error, this.#options.path);
    }
  }

  #transaction(work: () => void): void {
    const database = this.#database;
    const settled = this.#nextSettled;
    const mark = this.#mark;
    const standing = [...this.#standing];
    try {
      database.exec('BEGIN IMMEDIATE');
      this.#options.beforeWrite?.();
      work();
      database.exec('COMMIT');
    } catch (error) {
      // SQLite rolls back by itself on some failures, and refuses to do it twice.
      if (database.isTransaction) database.exec('ROLLBACK');
      this.#nextSettled = settled;
      this.#mark = mark;
      this.#standing.clear();
      for (const [point, one] of standing) this.#standing.set(point, one);
      throw fileFault(error, this.#options.path);
    }
  }
}

function prepare(database: DatabaseSync, path: string, isNew: boolean): void {
  database.exec(
    `PRAGMA page_size = 4096; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;
     PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${LOG_PAGES};
     PRAGMA cell_size_check = ON;`,
  );
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  // Its making was cut short before its first commit: as new.
  if (!isNew && version !== 0 && version !== LEDGER_FORMAT) throw damaged(path);
  if (version === LEDGER_FORMAT) return;
  database.exec(
    `BEGIN IMMEDIATE;
     CREATE TABLE commands (
       id TEXT PRIMARY KEY, state INTEGER NOT NULL, opening INTEGER NOT NULL,
       sequence INTEGER NOT NULL, is_own INTEGER NOT NULL, has_reversal INTEGER NOT NULL,
       settled INTEGER NOT NULL, command BLOB NOT NULL, reply BLOB, crc INTEGER NOT NULL
     ) STRICT;
     CREATE INDEX settled ON commands (settled);
     CREATE TABLE state (
       key TEXT PRIMARY KEY, value TEXT NOT NULL, crc INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     PRAGMA user_version = ${LEDGER_FORMAT};
     COMMIT;`,
  );
}

function checksum(
  fields: readonly unknown[],
  command: Uint8Array,
  reply: Uint8Array | null,
): number {
  const head = `${fields.join('\n')}\n${command.length}\n${reply?.length ?? -1}\n`;
  return crc32(reply ?? '', crc32(command, crc32(head)));
}

/** All that epochs before this one can have named; in the first there is nothing before. */
function endOfBefore(epoch: Epoch): Place {
  return { opening: openingOf(epoch) - 1, sequence: Number.MAX_SAFE_INTEGER };
}

/** As points are named within a gateway: `device/point`. */
export function keyOf({ device, point }: Pick<Command, 'device' | 'point'>): string {
  return `${device}/${point}`;
}

function damaged(path: string): Fault {
  return new Fault('outbox_damaged', 'never', path);
}

function setAside(path: string): void {
  try {
    renameSync(path, `${path}.set-aside`);
    for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
  } catch (error) {
    throw fileFault(error, path);
  }
}

/** Whether the ledger refused because of what is on the disk, not for want of room. */
export function isDamage(error: unknown): boolean {
  return isFault(error) && error.code === 'outbox_damaged';
}
