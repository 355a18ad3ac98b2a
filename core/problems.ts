// What is wrong with something a person wrote, all of it at once: where, what was found, what was
// expected, and what was probably meant. The same findings come from the command line and the API.
import type { Bilingual, Language, MessageArguments, MessageKey } from './text/text.ts';
import { fillBilingual } from './text/text.ts';

export type Path = readonly (string | number)[];

export interface Place {
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
}

export interface Finding {
  /** Stable; the key in the catalogue. */
  readonly code: MessageKey;
  readonly file: string;
  readonly path: Path;
  readonly place: Place | null;
  readonly message: Bilingual;
  /** "expected one of …", "did you mean …". */
  readonly help: Bilingual | null;
  /** Warnings are shown and do not stop anything. */
  readonly severity: 'error' | 'warning';
}

/**
 * More findings than this are counted, not listed: a wrong file type is one mistake, not thousands.
 * At the limit the code with the most of them gives way, so that one mistake made a thousand times
 * does not hide another.
 */
export const FINDINGS_MAX = 100;

/** Thrown at the border when what came in is wrong; carries every finding. */
export class InvalidInput extends Error {
  readonly findings: readonly Finding[];
  /** How many were found and are not listed. */
  readonly beyond: number;

  constructor(findings: readonly Finding[], beyond = 0) {
    super(findings.map((finding) => renderFinding(finding, 'en')).join('\n'));
    this.name = 'InvalidInput';
    this.findings = findings;
    this.beyond = beyond;
  }
}

export class Problems {
  readonly #file: string;
  readonly #locate: (path: Path) => Place | null;
  readonly #findings: Finding[] = [];
  #beyond = 0;
  #failed = false;

  /** `locate` turns a path into a position of the text it came from. */
  constructor(file: string, locate: (path: Path) => Place | null = () => null) {
    this.#file = file;
    this.#locate = locate;
  }

  add<Key extends MessageKey>(
    path: Path,
    code: Key,
    values: MessageArguments<Key>,
    more: {
      readonly help?: Bilingual | undefined;
      readonly place?: Place | null;
      readonly severity?: 'error' | 'warning';
    } = {},
  ): void {
    this.#keep({
      code,
      file: this.#file,
      path,
      place: more.place ?? this.#locate(path),
      message: fillBilingual(code, values),
      help: more.help ?? null,
      severity: more.severity ?? 'error',
    });
  }

  /** A finding of another text, shown at the place in this one that brought it. */
  adopt(finding: Pick<Finding, 'code' | 'message' | 'help' | 'severity'>, path: Path): void {
    const { code, message, help, severity } = finding;
    const place = this.#locate(path);
    this.#keep({ code, file: this.#file, path, place, message, help, severity });
  }

  #keep(finding: Finding): void {
    if (finding.severity === 'error') this.#failed = true;
    if (this.#findings.length >= FINDINGS_MAX) {
      this.#beyond++;
      const most = mostFrequent(this.#findings);
      const own = this.#findings.filter(({ code }) => code === finding.code).length;
      if (own + 1 >= most.count) return;
      this.#findings.splice(most.last, 1);
    }
    this.#findings.push(finding);
  }

  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** How many were found beyond FINDINGS_MAX. */
  get beyond(): number {
    return this.#beyond;
  }

  get failed(): boolean {
    return this.#failed;
  }

  throwIfAny(): void {
    if (this.failed) throw new InvalidInput(this.#findings, this.#beyond);
  }
}

/** Of the code that occurs most often: how often, and where it occurs last. */
function mostFrequent(findings: readonly Finding[]): { count: number; last: number } {
  const counts = new Map<string, number>();
  for (const { code } of findings) counts.set(code, (counts.get(code) ?? 0) + 1);
  const count = Math.max(...counts.values());
  return { count, last: findings.findLastIndex(({ code }) => counts.get(code) === count) };
}

/** Longer lines are cut where they are shown below a finding. */
const EXCERPT_CHARACTERS_MAX = 160;

/**
 * `file:line:column: error[code]: message` and, indented below, the help. With the text of the file
 * the line itself stands between them; without it, as in a log, nothing of the file is repeated.
 */
export function renderFinding(finding: Finding, language: Language, source?: string): string {
  const { file, place, path, severity, code, message, help } = finding;
  const where = place ? `${file}:${place.line}:${place.column}` : `${file}: ${path.join('.')}`;
  const lines = [`${where}: ${severity}[${code}]: ${message[language]}`];
  if (place && source !== undefined) lines.push(...excerpt(place, source));
  if (help) lines.push(`     = ${help[language]}`);
  return lines.join('\n');
}

function excerpt({ line, column }: Place, source: string): string[] {
  const text = source.split(/\r?\n/)[line - 1];
  if (text === undefined || column > EXCERPT_CHARACTERS_MAX) return [];
  const shown = text.slice(0, EXCERPT_CHARACTERS_MAX);
  // A Chinese character takes two cells of a terminal.
  const cells = [...text.slice(0, column - 1)].map((sign) =>
    /[\u2e80-\uffef]/.test(sign) ? 2 : 1,
  );
  const indent = ' '.repeat(cells.reduce((sum: number, width) => sum + width, 0));
  return [`${`${line}`.padStart(4)} | ${shown}`, `     | ${indent}^`];
}

/** The candidate a person most likely meant, or undefined when none is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

// Optimal string alignment: insert, delete, replace, and swap of neighbours each cost one.
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  const rows = Array.from({ length: a.length + 1 }, (_, at) => [at, ...Array(b.length).fill(0)]);
  for (let column = 0; column <= b.length; column++) rows[0]![column] = column;
  for (let row = 1; row <= a.length; row++) {
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(
        rows[row - 1]![column] + 1,
        rows[row]![column - 1] + 1,
        rows[row - 1]![column - 1] + same,
      );
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped && row > 1 && column > 1) cost = Math.min(cost, rows[row - 2]![column - 2] + 1);
      rows[row]![column] = cost;
    }
  }
  return rows[a.length]![b.length];
}
