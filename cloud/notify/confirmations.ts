// Where a person says without an account that they have an alarm: a link with a token in it.
//
// A token is 27 bytes, written as 36 characters of base64url (RFC 4648, section 5):
//
//   byte 0       of the key, its generation modulo 256
//   bytes 1-6    number of the delivery
//   bytes 7-10   when it ends, whole seconds since 1970 in UTC
//   bytes 11-26  the first 128 bits of HMAC-SHA256 (RFC 2104) over what is above, the delivery's id
//                and its receiver
//
// Promises. Nothing is kept of a token: who has the key can make and check it, and a restart
// changes nothing. 27 bytes fill 36 characters to the last bit, so there is one way to write a
// token, and whatever is changed in it makes it wrong. It speaks of one delivery to one receiver:
// beside the number both are under the signature, so a ledger that was put back from a copy, and
// gives a number out again, takes no token of before. A new key ends every token of the old one.
//
// A token is a secret for as long as it is good. It stands in the message and in the address of the
// page and nowhere else: in no log, no ledger, no answer of the API.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { Random } from '../../core/random.ts';
import type { Journal } from '../alarms/journal.ts';
import type { Actor } from '../alarms/occurrences.ts';
import { Statements, transact } from '../statements.ts';
import type { Delivery } from './notifier.ts';

/** Shorter, and who was asleep finds it ended; longer, and it is no short-lived secret. */
export const LINK_VALID_MIN_MS = 60_000;
export const LINK_VALID_MAX_MS = 24 * 3_600_000;
/** Under the public address. */
export const LINK_PATH = '/c/';
export const TOKEN_PATTERN = /^[\w-]{36}$/;

const HEAD_BYTES = 11;
const MAC_BYTES = 16;
const KEY_BYTES = 32;
/** A try may be long after a delivery was queued; what it says is equal within a step. */
const STEPS = 8;

export interface LinkSettings {
  /** Where people reach this server, without a slash at its end; null: there are no links. */
  readonly publicUrl: string | null;
  readonly linkValidMs: number;
}

export type Checked =
  /** No token of this key, or of no delivery that there is. */
  { readonly kind: 'wrong' } | { readonly kind: 'expired' | 'valid'; readonly delivery: Delivery };

interface Key {
  readonly generation: number;
  readonly key: Uint8Array;
}

type Signed = Pick<Delivery, 'number' | 'id' | 'receiver'>;

export class Confirmations {
  readonly #random: Random;
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #settings: LinkSettings;

  constructor(random: Random, database: DatabaseSync, settings: LinkSettings) {
    this.#random = random;
    this.#database = database;
    this.#statements = new Statements(database);
    this.#settings = settings;
    database.exec(`CREATE TABLE IF NOT EXISTS notify_link_keys (
      generation INTEGER PRIMARY KEY, key BLOB NOT NULL, made_ms INTEGER NOT NULL
    ) STRICT`);
  }

  /**
   * Where the delivery's receiver answers it; null without a public address. Good for
   * `linkValidMs`, at a later try for up to an eighth less.
   */
  linkOf(delivery: Signed & Pick<Delivery, 'queuedMs'>, nowMs: number): string | null {
    const { publicUrl, linkValidMs } = this.#settings;
    if (publicUrl === null) return null;
    const stepMs = linkValidMs / STEPS;
    const steps = Math.max(0, Math.floor((nowMs - delivery.queuedMs) / stepMs));
    const untilMs = delivery.queuedMs + steps * stepMs + linkValidMs;
    return `${publicUrl}${LINK_PATH}${this.token(delivery, untilMs, nowMs)}`;
  }

  token(delivery: Signed, untilMs: number, nowMs: number): string {
    const key = this.#key(nowMs);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(key.generation & 0xff, 0);
    head.writeUIntBE(delivery.number, 1, 6);
    head.writeUInt32BE(Math.floor(untilMs / 1000), 7);
    return Buffer.concat([head, macOf(key, head, delivery)]).toString('base64url');
  }

  /** `deliveryOf` finds the delivery of a number. Whatever is wrong takes the same way. */
  check(token: string, nowMs: number, deliveryOf: (number: number) => Delivery | null): Checked {
    if (!TOKEN_PATTERN.test(token)) return { kind: 'wrong' };
    const bytes = Buffer.from(token, 'base64url');
    const head = bytes.subarray(0, HEAD_BYTES);
    const key = this.#key(nowMs);
    const delivery = deliveryOf(head.readUIntBE(1, 6));
    const mac = macOf(key, head, delivery ?? NO_DELIVERY);
    const isRight = timingSafeEqual(mac, bytes.subarray(HEAD_BYTES));
    if (!delivery || !isRight) return { kind: 'wrong' };
    const isOver = head.readUInt32BE(7) * 1000 <= nowMs;
    return { kind: isOver ? 'expired' : 'valid', delivery };
  }

  /** Ends every link that is out there: for when somebody has read what was not for them. */
  rotate(nowMs: number, journal: Journal, actor: Actor): void {
    transact(this.#database, () => {
      const before = this.#newest()?.generation ?? 0;
      this.#make(before + 1, nowMs);
      journal.note('link-key-made', actor, 'links', { key: before }, { key: before + 1 }, nowMs);
    });
  }

  // Read each time: another process may have made a new one.
  #key(nowMs: number): Key {
    const known = this.#newest();
    if (known) return known;
    return this.#database.isTransaction
      ? this.#make(1, nowMs)
      : transact(this.#database, () => this.#newest() ?? this.#make(1, nowMs));
  }

  #newest(): Key | null {
    const sql = 'SELECT generation, key FROM notify_link_keys ORDER BY generation DESC LIMIT 1';
    const row = this.#statements.one(sql);
    return row ? { generation: Number(row['generation']), key: row['key'] as Uint8Array } : null;
  }

  #make(generation: number, nowMs: number): Key {
    const key = this.#random.bytes(KEY_BYTES);
    this.#statements.run('DELETE FROM notify_link_keys');
    const sql = 'INSERT INTO notify_link_keys VALUES (?, ?, ?)';
    this.#statements.run(sql, generation, key, Math.round(nowMs));
    return { generation, key };
  }
}

const NO_DELIVERY: Signed = { number: 0, id: '', receiver: '' };

// The generation is under the signature as a whole, so that the 257th key takes none of the first.
function macOf({ generation, key }: Key, head: Uint8Array, { id, receiver }: Signed): Buffer {
  const text = `lifeline link ${generation}\n${id}\n${receiver}`;
  return createHmac('sha256', key).update(head).update(text).digest().subarray(0, MAC_BYTES);
}
