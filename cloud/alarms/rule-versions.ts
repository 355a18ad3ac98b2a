// Every version of every rule, for ever: who proposed or decided it, who approved it, why, when.
// So an alarm of last year can say by which limit it was raised, and by whose. Rows are added and
// never changed.
import type { DatabaseSync } from 'node:sqlite';
import type { Rule } from '../../core/alarm/rule.ts';
import { Statements } from '../statements.ts';

export interface RuleVersion {
  readonly series: number;
  readonly rule: Rule;
  /** From 1, rising by one a decision. */
  readonly version: number;
  readonly author: string;
  /** The second person, where one was needed. */
  readonly approver: string | null;
  readonly reason: string;
  /** When it came in force; 0 where it is from before decisions had a time. */
  readonly decidedMs: number;
  /** With this version the rule went out of force. */
  readonly retired: boolean;
}

// What an earlier program put in force has no version here yet.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS alarm_rule_versions (
    series INTEGER NOT NULL, rule TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL,
    approver TEXT, reason TEXT NOT NULL, decided_ms INTEGER NOT NULL, retired INTEGER NOT NULL,
    document TEXT NOT NULL, PRIMARY KEY (series, rule, version)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER IF NOT EXISTS alarm_rule_versions_kept BEFORE DELETE ON alarm_rule_versions
    BEGIN SELECT raise(ABORT, 'versions are kept'); END;
  CREATE TRIGGER IF NOT EXISTS alarm_rule_versions_fixed BEFORE UPDATE ON alarm_rule_versions
    BEGIN SELECT raise(ABORT, 'versions are kept'); END;
  INSERT OR IGNORE INTO alarm_rule_versions
    SELECT series, rule, version, author, NULL, reason, 0, retired, document FROM alarm_rules
    WHERE NOT EXISTS (SELECT 1 FROM alarm_rule_versions);`;

export class RuleVersions {
  readonly #statements: Statements;

  /** After the tables of the alarms were made. */
  constructor(database: DatabaseSync) {
    database.exec(SCHEMA);
    this.#statements = new Statements(database);
  }

  /** In the caller's transaction. */
  add(version: RuleVersion): void {
    this.#statements.run(
      'INSERT INTO alarm_rule_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      version.series,
      version.rule.id,
      version.version,
      version.author,
      version.approver,
      version.reason,
      Math.round(version.decidedMs),
      version.retired ? 1 : 0,
      JSON.stringify(version.rule),
    );
  }

  /** The oldest first. */
  versions(series: number, rule: string): RuleVersion[] {
    const sql = `SELECT * FROM alarm_rule_versions
      WHERE series = ? AND rule = ? ORDER BY version`;
    return this.#statements.all(sql, series, rule).map(versionOf);
  }

  versionAt(series: number, rule: string, version: number): RuleVersion | null {
    const sql = `SELECT * FROM alarm_rule_versions
      WHERE series = ? AND rule = ? AND version = ?`;
    const row = this.#statements.one(sql, series, rule, version);
    return row ? versionOf(row) : null;
  }

  /** The version in force at an instant; null before the first. */
  inForceAt(series: number, rule: string, atMs: number): RuleVersion | null {
    const sql = `SELECT * FROM alarm_rule_versions
      WHERE series = ? AND rule = ? AND decided_ms <= ? ORDER BY version DESC LIMIT 1`;
    const row = this.#statements.one(sql, series, rule, atMs);
    return row ? versionOf(row) : null;
  }
}

function versionOf(row: Record<string, unknown>): RuleVersion {
  return {
    series: Number(row['series']),
    rule: JSON.parse(String(row['document'])) as Rule,
    version: Number(row['version']),
    author: String(row['author']),
    approver: row['approver'] === null ? null : String(row['approver']),
    reason: String(row['reason']),
    decidedMs: Number(row['decided_ms']),
    retired: Number(row['retired']) === 1,
  };
}
