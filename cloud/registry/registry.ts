// Who may talk to the cloud, and as what: gateways with their secrets, principals with their
// tokens. One SQLite file in WAL mode with `synchronous=FULL`, opened once, by the main thread;
// alarms and notify keep their tables in it, so that one transaction can hold state, journal,
// notifications and cursor. Who gives or takes access is in the same journal.
//
// Secrets are 256 random bits, shown once, kept as SHA-256: a copy of the file gives nobody access.
// A memory-hard hash would add nothing to 256 bits that no person chose. Beside the SHA-256 stands
// the same secret as Mosquitto wants it: that form cannot be made later, when only a hash is left.
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import { isId } from '../../core/point.ts';
import type { Random } from '../../core/random.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Journal } from '../alarms/journal.ts';
import { openJournal } from '../alarms/journal.ts';
import type { Actor } from '../alarms/occurrences.ts';
import { machine } from '../alarms/occurrences.ts';
import { type MosquittoGateway, mosquittoPassword } from '../broker/mosquitto.ts';
import { isFull } from '../inbox/file.ts';
import { transact } from '../statements.ts';
import { JournalHeads } from './journal-heads.ts';

const FORMAT_VERSION = 1;

/** Each right contains those before it; `confirm` sees nothing and answers what it was sent. */
export const rights = ['confirm', 'read', 'operate', 'control', 'administer'] as const;
export type Right = (typeof rights)[number];

/**
 * What can be done with an alarm, each with a right of its own: take it (acknowledge), stop its
 * sound at one desk for two minutes (silence), put it aside for a time (shelve), take its source
 * out of service (remove).
 */
export const acts = ['acknowledge', 'silence', 'shelve', 'remove'] as const;
export type Act = (typeof acts)[number];

/** What a principal may do where nothing else was said. */
export const customaryActs: Readonly<Record<Right, readonly Act[]>> = {
  confirm: [],
  read: [],
  operate: ['acknowledge', 'silence'],
  control: ['acknowledge', 'silence', 'shelve'],
  administer: acts,
};

export interface Principal {
  readonly name: string;
  readonly right: Right;
  /** The acts it may do; those customary with its right where left out. */
  readonly acts?: readonly Act[] | undefined;
  /** Asset path prefix the principal sees; '' is everything. */
  readonly scope: string;
  /** The receiver for which it confirms, and for no other. */
  readonly receiver?: string | undefined;
}

export interface GatewayEntry {
  readonly id: string;
  readonly area: string;
  readonly createdMs: number;
}

/** What the broker checks a login against. */
export interface Credential {
  readonly name: string;
  readonly sha256: string;
  readonly role: 'gateway' | 'cloud';
  readonly area: string;
}

/** Gateways and principals beyond this are refused: a loop that creates them is a mistake. */
export const GATEWAYS_MAX = 100_000;
export const PRINCIPALS_MAX = 10_000;

/** The name of the cloud's own identity at the broker; no gateway may have it. */
export const CLOUD_IDENTITY = 'cloud';

export function secretHash(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** 256 random bits as 43 characters that survive a shell, a URL and a QR code. */
export function makeSecret(random: Random): string {
  return Buffer.from(random.bytes(32)).toString('base64url');
}

export class Registry {
  readonly database: DatabaseSync;
  /** Of this database: who enrols a gateway or issues a token stands in it too. */
  readonly journal: Journal;
  readonly heads: JournalHeads;
  readonly #random: Random;
  #dataVersion = 0;

  constructor(random: Random, folder: string) {
    this.#random = random;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, 'registry.sqlite');
    this.database = new DatabaseSync(path, { timeout: 5_000 });
    this.database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
      CREATE TABLE IF NOT EXISTS gateways (
        id TEXT PRIMARY KEY, area TEXT NOT NULL, sha256 TEXT NOT NULL, created_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE IF NOT EXISTS principals (
        name TEXT PRIMARY KEY, right TEXT NOT NULL, scope TEXT NOT NULL,
        sha256 TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL
      ) STRICT;`);
    chmodSync(path, 0o600);
    this.#addColumn('gateways', 'mosquitto', 'TEXT');
    this.#addColumn('principals', 'acts', 'TEXT');
    this.#addColumn('principals', 'receiver', 'TEXT');
    this.#checkFormat(path);
    this.journal = openJournal(this.database);
    this.heads = new JournalHeads(folder);
  }

  /**
   * Adds a gateway, or gives one that exists a new secret. The secret is returned once and not
   * kept.
   */
  enrolGateway(area: string, id: string, nowMs: number, actor: Actor = machine): string {
    if (!isId(area) || !isId(id) || id === CLOUD_IDENTITY) {
      throw new Fault(
        'registry_bad_id',
        'never',
        bilingual('registry-not-an-id', { id: `${area}/${id}` }),
      );
    }
    this.#bound('gateways', GATEWAYS_MAX);
    const secret = makeSecret(this.#random);
    const password = mosquittoPassword(this.#random, secret);
    this.#transact(() => {
      const before = this.#areaOf(id);
      this.database
        .prepare(
          `INSERT INTO gateways (id, area, sha256, mosquitto, created_ms) VALUES (?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET area = excluded.area, sha256 = excluded.sha256,
             mosquitto = excluded.mosquitto`,
        )
        .run(id, area, secretHash(secret), password, Math.round(nowMs));
      this.journal.note('gateway-enrolled', actor, `gateway ${id}`, before, { area }, nowMs);
    });
    return secret;
  }

  /** False when there was none. What it sent stays. */
  removeGateway(id: string, nowMs: number, actor: Actor = machine): boolean {
    return this.#transact(() => {
      const before = this.#areaOf(id);
      if (!before) return false;
      this.database.prepare('DELETE FROM gateways WHERE id = ?').run(id);
      this.journal.note('gateway-removed', actor, `gateway ${id}`, before, null, nowMs);
      return true;
    });
  }

  gateways(): GatewayEntry[] {
    return this.database
      .prepare('SELECT id, area, created_ms FROM gateways ORDER BY id')
      .all()
      .map((row) => ({
        id: String(row['id']),
        area: String(row['area']),
        createdMs: Number(row['created_ms']),
      }));
  }

  credentials(): Credential[] {
    return this.database
      .prepare('SELECT id, area, sha256 FROM gateways')
      .all()
      .map((row) => ({
        name: String(row['id']),
        sha256: String(row['sha256']),
        role: 'gateway',
        area: String(row['area']),
      }));
  }

  /** For the files of a Mosquitto; sorted by id. */
  mosquittoGateways(): MosquittoGateway[] {
    return this.database
      .prepare('SELECT id, area, mosquitto FROM gateways ORDER BY id')
      .all()
      .map((row) => ({
        id: String(row['id']),
        area: String(row['area']),
        password: row['mosquitto'] === null ? null : String(row['mosquitto']),
      }));
  }

  /** Makes a bearer token, or a new one for a principal that exists. Returned once and not kept. */
  issueToken(principal: Principal, nowMs: number, actor: Actor = machine): string {
    // Or what it did would read as done at a gateway.
    if (/^gateway\b/i.test(principal.name)) {
      const detail = bilingual('registry-name-taken', { name: principal.name });
      throw new Fault('registry_bad_name', 'never', detail);
    }
    this.#bound('principals', PRINCIPALS_MAX);
    const token = makeSecret(this.#random);
    const { name, right, scope, acts: own, receiver } = principal;
    this.#transact(() => {
      const before = this.#grantOf(name);
      this.database
        .prepare(
          `INSERT INTO principals (name, right, scope, sha256, created_ms, acts, receiver)
           VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (name) DO UPDATE SET right = excluded.right, scope = excluded.scope,
             sha256 = excluded.sha256, acts = excluded.acts, receiver = excluded.receiver`,
        )
        .run(
          ...[name, right, scope, secretHash(token), Math.round(nowMs)],
          own ? own.join(' ') : null,
          receiver ?? null,
        );
      const is = { right, scope, ...(own && { acts: own }), ...(receiver && { receiver }) };
      this.journal.note('token-issued', actor, `principal ${name}`, before, is, nowMs);
    });
    return token;
  }

  revokeToken(name: string, nowMs: number, actor: Actor = machine): boolean {
    return this.#transact(() => {
      const before = this.#grantOf(name);
      if (!before) return false;
      this.database.prepare('DELETE FROM principals WHERE name = ?').run(name);
      this.journal.note('token-revoked', actor, `principal ${name}`, before, null, nowMs);
      return true;
    });
  }

  principals(): Principal[] {
    return this.database
      .prepare('SELECT name, right, scope, acts, receiver FROM principals ORDER BY name')
      .all()
      .map((row) => this.#principal(row));
  }

  /** Looked up by hash, so that timing tells nothing about a token. */
  authenticate(token: string): Principal | null {
    const row = this.database
      .prepare('SELECT name, right, scope, acts, receiver FROM principals WHERE sha256 = ?')
      .get(secretHash(token));
    return row ? this.#principal(row) : null;
  }

  /** Whether another process (`lifeline cloud enrol`) wrote the file since this was asked last. */
  changedElsewhere(): boolean {
    const row = this.database.prepare('PRAGMA data_version').get();
    const version = Number(row?.['data_version']);
    const isNew = version !== this.#dataVersion;
    this.#dataVersion = version;
    return isNew;
  }

  /** The highest inbox row the store is known to have: a new inbox numbers its rows above it. */
  get storeRow(): number {
    const row = this.database.prepare('SELECT value FROM meta WHERE key = ?').get('store_row');
    return Number(row?.['value'] ?? 0);
  }

  /** On a disk without room the number stays behind; the next one is as good. */
  set storeRow(row: number) {
    try {
      this.database
        .prepare(
          `INSERT INTO meta (key, value) VALUES ('store_row', ?)
           ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
        )
        .run(String(row));
    } catch (error) {
      if (!isFull(error)) throw error;
    }
  }

  close(): void {
    this.database.close();
  }

  #transact<Result>(work: () => Result): Result {
    return transact(this.database, work);
  }

  #areaOf(id: string): { readonly area: string } | null {
    const row = this.database.prepare('SELECT area FROM gateways WHERE id = ?').get(id);
    return row ? { area: String(row['area']) } : null;
  }

  // What the journal keeps of a token: never the token.
  #grantOf(name: string): Omit<Principal, 'name'> | null {
    const row = this.database
      .prepare('SELECT name, right, scope, acts, receiver FROM principals WHERE name = ?')
      .get(name);
    if (!row) return null;
    const { name: _, ...grant } = this.#principal(row);
    return grant;
  }

  #principal(row: Record<string, unknown>): Principal {
    const right = rights.find((name) => name === row['right']) ?? 'read';
    const given = row['acts'] === null ? null : String(row['acts']).split(' ');
    const own = given && acts.filter((act) => given.includes(act));
    return {
      name: String(row['name']),
      right,
      scope: String(row['scope']),
      ...(own && { acts: own }),
      ...(row['receiver'] !== null && { receiver: String(row['receiver']) }),
    };
  }

  #bound(table: 'gateways' | 'principals', max: number): void {
    const row = this.database.prepare(`SELECT count(*) AS n FROM ${table}`).get();
    if (Number(row?.['n']) >= max) {
      throw new Fault('registry_full', 'never', bilingual('registry-beyond', { max, table }));
    }
  }

  // Files of before the column get it; what stands in them has null there.
  #addColumn(table: string, name: string, type: string): void {
    const known = this.database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    if (known.some((row) => row['name'] === name)) return;
    this.database.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`);
  }

  #checkFormat(path: string): void {
    const insert = 'INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)';
    this.database.prepare(insert).run('format', String(FORMAT_VERSION));
    const row = this.database.prepare('SELECT value FROM meta WHERE key = ?').get('format');
    if (Number(row?.['value']) > FORMAT_VERSION) {
      const found = Number(row?.['value']);
      const detail = bilingual('later-format', { what: path, found, known: FORMAT_VERSION });
      throw new Fault('registry_format', 'never', detail);
    }
  }
}
