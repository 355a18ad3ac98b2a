// What there is to say about a register table: errors, which keep a profile from being written, and
// what somebody must look at. Each names its cells as a spreadsheet does: map.csv!C7. The same
// remark about many rows is one finding with all of them.
import type { Bilingual, Language, MessageArguments, MessageKey } from '../core/text/text.ts';
import { fillBilingual } from '../core/text/text.ts';
import { columnName } from './register-table.ts';

export interface TableFinding {
  readonly code: MessageKey;
  readonly severity: 'error' | 'warning';
  /** Counted from 1, rising. Empty for what concerns the whole profile. */
  readonly rows: readonly number[];
  /** Counted from 1; null where there are no rows. */
  readonly column: number | null;
  /** What stands at the head of the column. */
  readonly heading: string;
  readonly message: Bilingual;
  readonly help: Bilingual | null;
}

/** More errors than this are counted, not listed: a wrong column is one mistake, not thousands. */
export const TABLE_ERRORS_MAX = 100;

interface Place {
  readonly row: number;
  readonly column: number;
}

export class TableFindings {
  readonly #headings: readonly string[];
  readonly #errors: TableFinding[] = [];
  readonly #remarks = new Map<string, TableFinding & { readonly rows: number[] }>();
  #beyond = 0;

  constructor(headings: readonly string[]) {
    this.#headings = headings;
  }

  get failed(): boolean {
    return this.#errors.length > 0;
  }

  get beyond(): number {
    return this.#beyond;
  }

  get findings(): readonly TableFinding[] {
    return [...this.#errors, ...this.#remarks.values()];
  }

  error<Key extends MessageKey>(
    { row, column }: Place,
    code: Key,
    values: MessageArguments<Key>,
    help: Bilingual | null = null,
  ): void {
    this.refuse({ row, column }, { code, message: fillBilingual(code, values), help });
  }

  /** An error that another check found and worded. */
  refuse({ row, column }: Place, found: Pick<TableFinding, 'code' | 'message' | 'help'>): void {
    if (this.#errors.length >= TABLE_ERRORS_MAX) {
      this.#beyond++;
      return;
    }
    const { code, message, help } = found;
    const heading = this.#headings[column - 1] ?? '';
    this.#errors.push({ code, severity: 'error', rows: [row], column, heading, message, help });
  }

  /** Something to look at; `place` null for what concerns the whole profile. */
  remark<Key extends MessageKey>(
    place: Place | null,
    code: Key,
    values: MessageArguments<Key>,
    help: Bilingual | null = null,
  ): void {
    const message = fillBilingual(code, values);
    const key = `${code} ${place?.column ?? ''} ${message.en}`;
    const before = this.#remarks.get(key);
    if (before) {
      if (place && before.rows.at(-1) !== place.row) before.rows.push(place.row);
      return;
    }
    this.#remarks.set(key, {
      code,
      severity: 'warning',
      rows: place ? [place.row] : [],
      column: place?.column ?? null,
      heading: place ? (this.#headings[place.column - 1] ?? '') : '',
      message,
      help,
    });
  }
}

/** C7, or C2-C9, C12 for many rows. */
export function cellsOf({ rows, column }: Pick<TableFinding, 'rows' | 'column'>): string {
  if (column === null) return '';
  const name = columnName(column);
  const sorted = [...new Set(rows)].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const row of sorted) {
    const last = runs.at(-1);
    if (last && last[1] === row - 1) last[1] = row;
    else runs.push([row, row]);
  }
  return runs
    .map(([from, to]) => (from === to ? `${name}${from}` : `${name}${from}-${name}${to}`))
    .join(', ');
}

/** `map.csv!C7 (Scale): error[code]: message`, and the help below it. */
export function renderTableFinding(
  finding: TableFinding,
  file: string,
  language: Language,
): string {
  const { severity, code, message, help, heading } = finding;
  const cells = cellsOf(finding);
  const where = cells ? `${file}!${cells}${heading ? ` (${heading})` : ''}` : file;
  const line = `${where}: ${severity}[${code}]: ${message[language]}`;
  return help ? `${line}\n     = ${help[language]}` : line;
}
