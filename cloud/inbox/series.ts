// Dictionary parts and series numbers. A part is kept for ever under its hash, as the record that
// brought it. A gateway *adopts* a manifest with the first of its records that names it: from then
// on every point of the list has a number, given once per gateway/device/point and never reused, in
// the transaction of that record. So whatever is decoded later, by the record's own manifest, finds
// its numbers.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault, isFault } from '../../core/fault.ts';
import type { PointDefinition } from '../../core/point.ts';
import { bilingual } from '../../core/text/text.ts';
import { resolveManifest } from '../../protocols/uplink/dictionary.ts';
import { openRecord } from '../../protocols/uplink/envelope.ts';
import type { DictionaryPart, Epoch, Hash } from '../../protocols/uplink/record.ts';
import type { SeriesEntry } from './decoded.ts';

/** Parts one gateway may bring: years of changed configurations, at most 64 KB each. */
export const GATEWAY_PARTS_MAX = 4_096;

/** Manifests resolved and kept in memory; beyond it the cache starts anew. */
const MANIFESTS_CACHED_MAX = 1_000;

export type Adoption =
  | { readonly kind: 'adopted'; readonly points: number }
  | { readonly kind: 'needs'; readonly hashes: readonly Hash[] }
  | { readonly kind: 'malformed'; readonly detail: string };

/** Parts, for reading by whichever connection. */
export class DictionaryParts {
  readonly #select: StatementSync;

  constructor(database: DatabaseSync) {
    this.#select = database.prepare('SELECT bytes FROM parts WHERE hash = ?');
  }

  get(hash: Hash): DictionaryPart | undefined {
    const row = this.#select.get(hash);
    if (!row) return undefined;
    return openRecord(row['bytes'] as Uint8Array).body.dictionary ?? undefined;
  }

  /** The points of a manifest in the order of their aliases, or the hashes that are not here. */
  resolve(hash: Hash): readonly PointDefinition[] | { readonly missing: readonly Hash[] } {
    return resolveManifest(hash, (name) => this.get(name));
  }
}

/** The writer's side: keeps parts, gives numbers. */
export class SeriesBook {
  readonly #parts: DictionaryParts;
  readonly #insertPart: StatementSync;
  readonly #countParts: StatementSync;
  readonly #selectManifest: StatementSync;
  readonly #insertManifest: StatementSync;
  readonly #number: StatementSync;
  /** Points by `gateway/manifest`. */
  readonly #adopted = new Map<string, number>();

  constructor(database: DatabaseSync) {
    this.#parts = new DictionaryParts(database);
    this.#insertPart = database.prepare('INSERT OR IGNORE INTO parts VALUES (?, ?, ?)');
    this.#countParts = database.prepare('SELECT COUNT(*) AS count FROM parts WHERE gateway = ?');
    this.#selectManifest = database.prepare(
      'SELECT points FROM manifests WHERE gateway = ? AND hash = ?',
    );
    this.#insertManifest = database.prepare('INSERT INTO manifests VALUES (?, ?, ?)');
    // Of two definitions of one series the one sealed later counts, whichever came first.
    this.#number = database.prepare(
      `INSERT INTO series (gateway, device, point, manifest, place, opening, sequence)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (gateway, device, point) DO UPDATE SET manifest = excluded.manifest,
         place = excluded.place, opening = excluded.opening, sequence = excluded.sequence
       WHERE (excluded.opening, excluded.sequence) > (opening, sequence)`,
    );
  }

  /** False when the gateway brought more parts than it may. */
  keepPart(gateway: string, hash: Hash, bytes: Uint8Array): boolean {
    if (Number(this.#countParts.get(gateway)?.['count'] ?? 0) >= GATEWAY_PARTS_MAX) return false;
    this.#insertPart.run(hash, gateway, bytes);
    return true;
  }

  adopt(gateway: string, hash: Hash, epoch: Epoch, sequence: number): Adoption {
    const key = `${gateway}/${hash}`;
    const known = this.#adopted.get(key) ?? this.#selectManifest.get(gateway, hash)?.['points'];
    if (known !== undefined) {
      this.#remember(key, Number(known));
      return { kind: 'adopted', points: Number(known) };
    }
    try {
      const resolved = this.#parts.resolve(hash);
      if ('missing' in resolved) return { kind: 'needs', hashes: resolved.missing };
      const opening = Number.parseInt(epoch, 10);
      resolved.forEach(({ device, point }, place) => {
        this.#number.run(gateway, device, point, hash, place, opening, sequence);
      });
      this.#insertManifest.run(gateway, hash, resolved.length);
      this.#remember(key, resolved.length);
      return { kind: 'adopted', points: resolved.length };
    } catch (error) {
      if (!isFault(error)) throw error;
      return { kind: 'malformed', detail: error.message };
    }
  }

  /** After a rollback: what was remembered may not be in the file. */
  forget(): void {
    this.#adopted.clear();
  }

  #remember(key: string, points: number): void {
    if (this.#adopted.size >= MANIFESTS_CACHED_MAX) this.#adopted.clear();
    this.#adopted.set(key, points);
  }
}

export interface ResolvedManifest {
  readonly entries: readonly SeriesEntry[];
  /** By alias. */
  readonly series: Uint32Array;
}

/** The reader's side: numbers and definitions of what the writer adopted. */
export class SeriesIndex {
  readonly #parts: DictionaryParts;
  readonly #selectNumber: StatementSync;
  readonly #selectRange: StatementSync;
  readonly #manifests = new Map<string, ResolvedManifest>();

  constructor(database: DatabaseSync) {
    this.#parts = new DictionaryParts(database);
    this.#selectNumber = database.prepare(
      'SELECT number FROM series WHERE gateway = ? AND device = ? AND point = ?',
    );
    this.#selectRange = database.prepare(
      'SELECT * FROM series WHERE number >= ? AND number <= ? ORDER BY number',
    );
  }

  manifest(gateway: string, hash: Hash): ResolvedManifest {
    const key = `${gateway}/${hash}`;
    const known = this.#manifests.get(key);
    if (known) return known;
    const resolved = this.#parts.resolve(hash);
    if ('missing' in resolved) {
      const detail = bilingual('inbox-lacks', { what: resolved.missing.join(', ') });
      throw new Fault('inbox_dictionary', 'never', detail);
    }
    const entries = resolved.map((definition) => {
      const row = this.#selectNumber.get(gateway, definition.device, definition.point);
      if (!row) {
        const detail = bilingual('inbox-never-adopted', { gateway, hash });
        throw new Fault('inbox_dictionary', 'never', detail);
      }
      return { series: Number(row['number']), gateway, definition };
    });
    const manifest = { entries, series: Uint32Array.from(entries, ({ series }) => series) };
    if (this.#manifests.size >= MANIFESTS_CACHED_MAX) this.#manifests.clear();
    this.#manifests.set(key, manifest);
    return manifest;
  }

  /** Every series numbered `first` to `last`, each with its newest definition. */
  entries(first = 1, last = Number.MAX_SAFE_INTEGER): SeriesEntry[] {
    return this.#selectRange.all(first, last).map((row) => {
      const gateway = String(row['gateway']);
      const definition = this.manifest(gateway, String(row['manifest'])).entries[
        Number(row['place'])
      ]?.definition;
      if (!definition) {
        const detail = bilingual('inbox-no-place', { gateway });
        throw new Fault('inbox_dictionary', 'never', detail);
      }
      return { series: Number(row['number']), gateway, definition };
    });
  }
}
