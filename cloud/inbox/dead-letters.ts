// What could not be taken, kept within a bound: the reason, the key if there is one, and the first
// bytes. The oldest leave first; what left is still counted. One writer, inside the core's
// transaction.
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** About a day of one bad record a second from ten gateways. */
export const DEAD_LETTERS_MAX = 10_000;
/** Together with the count: a flood of large letters takes no more of the disk than this. */
export const DEAD_LETTER_BYTES_MAX = 64 * 1024 * 1024;
/** Enough for any record that fits a message; of anything larger the beginning. */
export const DEAD_LETTER_HEAD_BYTES = 128 * 1024;
const TEXT_MAX = 256;

export interface DeadLetter {
  readonly atMs: number;
  /** A word of a closed list: refusal reasons, `foreign_topic`, `unknown_gateway`, `retained`, … */
  readonly reason: string;
  readonly detail: string;
  readonly area: string;
  readonly gateway: string;
  readonly topic: string;
  /** '' and 0 where the key could not be read. */
  readonly epoch: string;
  readonly sequence: number;
  /** Readings by the envelope; 0 where it could not be read. */
  readonly readings: number;
  readonly checksum: number;
  readonly bytes: Uint8Array;
  /** Of the whole, where `bytes` is only its beginning. */
  readonly size?: number;
}

export class DeadLetters {
  readonly #insert: StatementSync;
  readonly #known: StatementSync;
  readonly #evict: StatementSync;
  readonly #sum: StatementSync;
  #count = 0;
  #bytes = 0;

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(
      `INSERT INTO dead_letters (at_ms, reason, detail, area, gateway, topic, epoch, sequence, readings,
         checksum, size, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#known = database.prepare(
      `SELECT 1 FROM dead_letters
       WHERE gateway = ? AND epoch = ? AND sequence = ? AND reason = ? AND checksum = ? LIMIT 1`,
    );
    this.#evict = database.prepare(
      `DELETE FROM dead_letters WHERE id = (SELECT MIN(id) FROM dead_letters)
       RETURNING length(bytes) AS bytes`,
    );
    this.#sum = database.prepare(
      'SELECT COUNT(*) AS count, COALESCE(SUM(length(bytes)), 0) AS bytes FROM dead_letters',
    );
    this.recount();
  }

  get count(): number {
    return this.#count;
  }

  /** False when the same letter is there already: a record that is sent again is one letter. */
  keep(letter: DeadLetter): boolean {
    const { gateway, epoch, sequence, reason, checksum } = letter;
    const isNamed = sequence > 0;
    if (isNamed && this.#known.get(gateway, epoch, sequence, reason, checksum)) return false;
    const head = letter.bytes.subarray(0, DEAD_LETTER_HEAD_BYTES);
    this.#insert.run(
      Math.round(letter.atMs),
      reason,
      letter.detail.slice(0, TEXT_MAX),
      letter.area,
      gateway.slice(0, TEXT_MAX),
      letter.topic.slice(0, TEXT_MAX),
      epoch,
      sequence,
      letter.readings,
      checksum,
      letter.size ?? letter.bytes.length,
      head,
    );
    this.#count++;
    this.#bytes += head.length;
    while (this.#count > DEAD_LETTERS_MAX || this.#bytes > DEAD_LETTER_BYTES_MAX) {
      this.#count--;
      this.#bytes -= Number(this.#evict.get()?.['bytes'] ?? 0);
    }
    return true;
  }

  /** After a rollback, and at the start. */
  recount(): void {
    const row = this.#sum.get();
    this.#count = Number(row?.['count'] ?? 0);
    this.#bytes = Number(row?.['bytes'] ?? 0);
  }
}
