// One row of a register table: its cells by what they hold, and where to point when one is wrong.
import type { Role } from './headings.ts';
import type { TableFindings } from './table-findings.ts';

export class Row {
  readonly number: number;
  readonly findings: TableFindings;
  readonly #cells: readonly string[];
  readonly #columns: ReadonlyMap<Role, number>;

  constructor(
    number: number,
    cells: readonly string[],
    columns: ReadonlyMap<Role, number>,
    findings: TableFindings,
  ) {
    this.number = number;
    this.findings = findings;
    this.#cells = cells;
    this.#columns = columns;
  }

  has(role: Role): boolean {
    return this.#columns.has(role);
  }

  /** The text of a cell; empty for a dash and other ways of saying nothing. */
  text(role: Role): string {
    const column = this.#columns.get(role);
    const text = column === undefined ? '' : (this.#cells[column - 1] ?? '');
    return /^([-–—/~.*]+|n\/?a|nil|无|none)$/i.test(text) ? '' : text;
  }

  /** Where to point: the cell of the first role that has a column, else the address. */
  at(...wanted: readonly Role[]) {
    const role = [...wanted, 'address' as const].find((candidate) => this.#columns.has(candidate));
    return { row: this.number, column: this.#columns.get(role ?? 'address') ?? 1 };
  }

  get filled(): number {
    return this.#cells.filter((cell) => cell !== '').length;
  }

  isSameAs(cells: readonly string[]): boolean {
    return this.#cells.every((cell, at) => cell === (cells[at] ?? ''));
  }
}
