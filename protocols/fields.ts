// Reads a map that a person wrote, key by key, and reports everything that is wrong with it at
// once: each finding with its path, what was found, what would be right, and what was probably
// meant.
import type { Path, Problems } from '../core/problems.ts';
import { didYouMean } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';

const FOUND_CHARACTERS_MAX = 40;

export class Fields {
  readonly path: Path;
  readonly problems: Problems;
  readonly #map: Readonly<Record<string, unknown>>;

  private constructor(map: Readonly<Record<string, unknown>>, path: Path, problems: Problems) {
    this.#map = map;
    this.path = path;
    this.problems = problems;
  }

  /** Undefined, with a problem, when `raw` is no map. Keys outside `known` are problems too. */
  static of(
    raw: unknown,
    path: Path,
    problems: Problems,
    known: readonly string[],
  ): Fields | undefined {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      problems.add(path, 'protocol-not-a-map', { found: shown(raw) });
      return undefined;
    }
    for (const key of Object.keys(raw)) {
      if (known.includes(key)) continue;
      const help = helpFor(didYouMean(key, known));
      const values = { key, known: known.join(', ') };
      problems.add([...path, key], 'protocol-key-unknown', values, { help });
    }
    return new Fields({ ...raw }, path, problems);
  }

  raw(key: string): unknown {
    return this.#map[key];
  }

  has(key: string): boolean {
    return this.#map[key] !== undefined;
  }

  at(key: string): Path {
    return [...this.path, key];
  }

  /** A whole number in [min, max]; `fallback` undefined means that the key must be there. */
  integer(key: string, min: number, max: number, fallback?: number): number | undefined {
    const value = this.#map[key];
    if (value === undefined) return this.#absent(key, `${min}..${max}`, fallback);
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
      return value;
    }
    this.wrong(key, `${min}..${max}`);
    return undefined;
  }

  choice<Choice extends string>(
    key: string,
    choices: readonly Choice[],
    fallback?: Choice,
    alsoKnownAs: Readonly<Record<string, Choice>> = {},
  ): Choice | undefined {
    const value = this.#map[key];
    const expected = choices.join(', ');
    if (value === undefined) return this.#absent(key, expected, fallback);
    const found = choices.find((choice) => choice === value);
    if (found) return found;
    const word =
      typeof value === 'string'
        ? (alsoKnownAs[value.toLowerCase()] ?? didYouMean(value, choices))
        : undefined;
    this.wrong(key, expected, word);
    return undefined;
  }

  flag(key: string, fallback: boolean): boolean | undefined {
    const value = this.#map[key];
    if (value === undefined) return fallback;
    if (typeof value === 'boolean') return value;
    this.wrong(key, 'true, false');
    return undefined;
  }

  wrong(key: string, expected: string, meant?: string): void {
    const values = { key, found: shown(this.#map[key]), expected };
    this.problems.add(this.at(key), 'protocol-value-wrong', values, { help: helpFor(meant) });
  }

  #absent<Kind>(key: string, expected: string, fallback: Kind | undefined): Kind | undefined {
    if (fallback !== undefined) return fallback;
    this.problems.add(this.path, 'protocol-key-missing', { key, expected });
    return undefined;
  }
}

function helpFor(word: string | undefined) {
  return word === undefined ? undefined : bilingual('protocol-did-you-mean', { word });
}

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}` : (JSON.stringify(value) ?? 'nothing');
  return text.length > FOUND_CHARACTERS_MAX ? `${text.slice(0, FOUND_CHARACTERS_MAX)}…` : text;
}
