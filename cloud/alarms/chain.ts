// The chain of the journal: what an entry's hash is taken over, and what a chain that was tampered
// with looks like. Pure.
//
// The hash of an entry is SHA-256 over ten netstrings (`LENGTH:BYTES,`, length in bytes, decimal):
//   the word `lifeline-journal-1`, the hash of the entry before (64 hexadecimal digits; 64 zeros
//   before the first), seq, at_ms, kind, who, from, what, before, after
// Numbers are decimal, texts UTF-8, `before` and `after` the JSON text as it is stored. A length
// before each field: no two entries have the same bytes. docs/journal.md says it for other
// programs.
//
// What is found: an entry that was changed, taken out, put in or moved breaks the chain at its
// place. Entries cut off the end, or a chain computed anew from some entry on, break nothing
// inside: heads that were noted elsewhere show them.
import { hash } from 'node:crypto';

export const FIRST_HASH = '0'.repeat(64);
const DOMAIN = 'lifeline-journal-1';

/** Beyond this flaws are counted and not told one by one. */
export const FLAWS_MAX = 20;

/** An entry as it is stored: `before` and `after` are JSON text. */
export interface JournalRow {
  readonly seq: number;
  readonly atMs: number;
  readonly kind: string;
  readonly who: string;
  readonly from: string;
  readonly what: string;
  readonly before: string;
  readonly after: string;
  /** Empty in a table that was never chained. */
  readonly hash: string;
}

/** The newest entry at some time: with it, nothing up to it can be changed unseen. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/**
 * `missing`: entries `seq` to `through` are not there. `changed`: entry `seq` is not what was
 * written, or does not follow the one before it. `extra`: no entry has this number. `unchained`: it
 * has no hash. `cut`: entries `seq` to `through` were there when a head was noted. `rewritten`:
 * entry `through` is another than the one that was noted, so that what stands from `seq` on was
 * computed anew. `unguarded`: the triggers that forbid changes are gone. `heads-missing`: nothing
 * was noted though there are entries. `heads-damaged`: line `seq` of what was noted cannot be read.
 */
export const flawKinds = [
  'missing',
  'changed',
  'extra',
  'unchained',
  'cut',
  'rewritten',
  'unguarded',
  'heads-missing',
  'heads-damaged',
] as const;

export interface Flaw {
  readonly kind: (typeof flawKinds)[number];
  readonly seq: number;
  readonly through: number;
}

export interface Verdict {
  readonly entries: number;
  /** Heads that were compared. */
  readonly heads: number;
  readonly head: Head | null;
  /** By place; at most FLAWS_MAX. Empty: sound. */
  readonly flaws: readonly Flaw[];
  readonly beyond: number;
}

export function hashOf(previous: string, row: Omit<JournalRow, 'hash'>): string {
  const { seq, atMs, kind, who, from, what, before, after } = row;
  let text = '';
  for (const field of [
    ...[DOMAIN, previous, String(seq), String(atMs)],
    ...[kind, who, from, what, before, after],
  ]) {
    text += `${Buffer.byteLength(field)}:${field},`;
  }
  return hash('sha256', text, 'hex');
}

/** Takes rows in the order of their numbers, from the first one on; then says what is wrong. */
export class Verifier {
  readonly #heads: readonly Head[];
  #nextHead = 0;
  #flaws: Flaw[] = [];
  #beyond = 0;
  #entries = 0;
  #seq = 0;
  #hash = FIRST_HASH;
  /** The newest entry that is the one a head names. */
  #proven = 0;

  constructor(heads: readonly Head[], found: readonly Flaw[] = []) {
    this.#heads = [...heads].sort((a, b) => a.seq - b.seq);
    for (const flaw of found) this.#note(flaw);
  }

  take(row: JournalRow): void {
    const { seq, hash } = row;
    this.#entries++;
    if (seq <= this.#seq) {
      this.#note({ kind: 'extra', seq, through: seq });
      return;
    }
    if (seq !== this.#seq + 1) {
      this.#note({ kind: 'missing', seq: this.#seq + 1, through: seq - 1 });
    } else if (hash === '') {
      this.#note({ kind: 'unchained', seq, through: seq });
    } else if (hashOf(this.#hash, row) !== hash) {
      this.#note({ kind: 'changed', seq, through: seq });
    }
    this.#seq = seq;
    this.#hash = hash;
    this.#compare();
  }

  finish(): Verdict {
    const newest = this.#heads.at(-1);
    if (newest && newest.seq > this.#seq) {
      this.#note({ kind: 'cut', seq: this.#seq + 1, through: newest.seq });
    }
    const head = this.#seq > 0 ? { seq: this.#seq, hash: this.#hash } : null;
    return {
      entries: this.#entries,
      heads: this.#heads.length,
      head,
      flaws: this.#flaws,
      beyond: this.#beyond,
    };
  }

  // Heads of entries that are missing are told by that; a head of this one must have its hash.
  #compare(): void {
    for (; this.#nextHead < this.#heads.length; this.#nextHead++) {
      const head = this.#heads[this.#nextHead]!;
      if (head.seq > this.#seq) return;
      if (head.seq < this.#seq) continue;
      if (head.hash === this.#hash) this.#proven = head.seq;
      else this.#note({ kind: 'rewritten', seq: this.#proven + 1, through: head.seq });
    }
  }

  #note(flaw: Flaw): void {
    if (this.#flaws.length < FLAWS_MAX) this.#flaws.push(flaw);
    else this.#beyond++;
  }
}
