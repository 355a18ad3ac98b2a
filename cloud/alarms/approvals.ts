// What one person may not do alone: asked by one, done when another says yes. An approval stands in
// the registry's database, so a restart forgets none; asking, approving and what is then done are
// each one transaction with the journal. What is asked lapses after a shift, or sooner: an old wish
// must not come true tomorrow.
import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import { Statements } from '../statements.ts';
import type { Actor } from './occurrences.ts';

/** A shift. */
export const APPROVAL_MS = 8 * 3_600_000;
/** Waiting at once; one more is refused, as nobody reads them any more. */
export const APPROVALS_MAX = 1_000;

export interface Approval {
  readonly id: number;
  /** Who acts on it: `shelve`, `rule`, `close-case`, `command`, `warning`. */
  readonly kind: string;
  /** Occurrence, `series key/rule`, case, command, warning. */
  readonly what: string;
  /** What is to be done, as its handler wants it. */
  readonly document: unknown;
  readonly by: string;
  readonly reason: string;
  readonly askedMs: number;
  readonly untilMs: number;
}

/** Does what was asked; part of the approval's transaction. A Fault leaves it waiting. */
type Handler = (approval: Approval, approver: Actor, nowMs: number) => void;

type Journal = (kind: string, actor: Actor, what: string, after: unknown, atMs: number) => void;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alarm_approvals (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, what TEXT NOT NULL,
    document TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, asked_ms INTEGER NOT NULL
  ) STRICT`;

export class Approvals {
  /** By kind. */
  readonly handlers = new Map<string, Handler>();
  /** By kind: what follows from a withdrawal, where anything does. */
  readonly withdrawals = new Map<string, Handler>();
  /** By kind: after which time it lapses, where that is sooner than APPROVAL_MS. */
  readonly lastsMs = new Map<string, number>();
  readonly #statements: Statements;
  readonly #journal: Journal;

  constructor(database: DatabaseSync, journal: Journal) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
    this.#journal = journal;
  }

  /** In the caller's transaction. Another wish of the same person for the same thing replaces it. */
  ask(
    kind: string,
    what: string,
    document: unknown,
    actor: Actor,
    reason: string,
    nowMs: number,
  ): Approval {
    const text = JSON.stringify(document);
    const waiting = this.pending(nowMs);
    const same = waiting.find((it) => it.kind === kind && it.what === what && it.by === actor.name);
    if (same && JSON.stringify(same.document) === text) return same;
    if (same) this.#drop(same.id);
    if (waiting.length >= APPROVALS_MAX) {
      throw new Fault(
        'approvals_full',
        'later',
        bilingual('approvals-waiting', { max: APPROVALS_MAX }),
      );
    }
    const askedMs = Math.round(nowMs);
    const { lastInsertRowid } = this.#statements.run(
      `INSERT INTO alarm_approvals (kind, what, document, by, reason, asked_ms)
       VALUES (?, ?, ?, ?, ?, ?)`,
      kind,
      what,
      text,
      actor.name,
      reason,
      askedMs,
    );
    const id = Number(lastInsertRowid);
    const untilMs = askedMs + this.#lastsMs(kind);
    const approval = { id, kind, what, document, by: actor.name, reason, askedMs, untilMs };
    this.#journal('approval-asked', actor, what, approval, nowMs);
    return approval;
  }

  /** Those that have not lapsed, the oldest first. */
  pending(nowMs: number): Approval[] {
    return this.#statements
      .all('SELECT * FROM alarm_approvals WHERE asked_ms > ? ORDER BY id', nowMs - APPROVAL_MS)
      .map((row) => ({
        id: Number(row['id']),
        kind: String(row['kind']),
        what: String(row['what']),
        document: JSON.parse(String(row['document'])) as unknown,
        by: String(row['by']),
        reason: String(row['reason']),
        askedMs: Number(row['asked_ms']),
        untilMs: Number(row['asked_ms']) + this.#lastsMs(String(row['kind'])),
      }))
      .filter(({ untilMs }) => untilMs > nowMs);
  }

  /**
   * In the caller's transaction. Throws a Fault: `approval_unknown` (never asked, done, lapsed,
   * withdrawn), `approval_same_person`, or what the act itself is refused for.
   */
  approve(id: number, approver: Actor, nowMs: number): Approval {
    const approval = this.#find(id, nowMs);
    if (approval.by === approver.name) {
      throw new Fault(
        'approval_same_person',
        'never',
        bilingual('approval-by', { by: approval.by }),
      );
    }
    this.#drop(id);
    this.#journal('approval-given', approver, approval.what, approval, nowMs);
    this.handlers.get(approval.kind)?.(approval, approver, nowMs);
    return approval;
  }

  /** In the caller's transaction. Anybody may: not doing it needs one person. */
  withdraw(id: number, actor: Actor, nowMs: number): Approval {
    const approval = this.#find(id, nowMs);
    this.#drop(id);
    this.#journal('approval-withdrawn', actor, approval.what, approval, nowMs);
    this.withdrawals.get(approval.kind)?.(approval, actor, nowMs);
    return approval;
  }

  /** What else waits for the same thing is done with. In the caller's transaction. */
  drop(kind: string, what: string): void {
    const sql = 'DELETE FROM alarm_approvals WHERE kind = ? AND what = ?';
    this.#statements.run(sql, kind, what);
  }

  #find(id: number, nowMs: number): Approval {
    const approval = this.pending(nowMs).find((it) => it.id === id);
    if (!approval) throw new Fault('approval_unknown', 'never', String(id));
    return approval;
  }

  #lastsMs(kind: string): number {
    return this.lastsMs.get(kind) ?? APPROVAL_MS;
  }

  #drop(id: number): void {
    this.#statements.run('DELETE FROM alarm_approvals WHERE id = ?', id);
  }
}
