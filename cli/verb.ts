// What the command line is made of: a word (`edge`), its verbs (`run`), each with its usage, its
// options and a function that is given parsed arguments and returns an exit code. Results go to
// stdout, everything else to stderr; a command that failed says which code `lifeline explain`
// knows.
import { parseArgs } from 'node:util';
import type { Language, MessageArguments, MessageKey } from '../core/text/text.ts';
import { say } from '../core/text/text.ts';

/** Exit codes, the same for every verb. */
export const exit = {
  done: 0,
  /** The command found what it exists to find: a difference, a failed test. */
  found: 1,
  usage: 2,
  invalid: 3,
  notFound: 4,
  noAnswer: 5,
  partly: 6,
  notAllowed: 7,
  conflict: 8,
  remoteTimeout: 9,
  internal: 10,
  interrupted: 130,
} as const;

export interface Output {
  readonly language: Language;
  readonly json: boolean;
  /** A line of result. */
  print(text: string): void;
  /** A line of progress or complaint. */
  note(text: string): void;
  say<Key extends MessageKey>(key: Key, values: MessageArguments<Key>): string;
}

export function makeOutput(language: Language, json: boolean): Output {
  // `lifeline … | head` closes the pipe early: that is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  return {
    language,
    json,
    print: (text) => {
      process.stdout.write(`${text}\n`);
    },
    note: (text) => {
      process.stderr.write(`${text}\n`);
    },
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
}

export type OptionKind = 'text' | 'number' | 'flag' | 'list';

export interface Verb {
  /**
   * `run FILE`: the words after the command, capital words are arguments, `[X]` optional, `X...`
   * many.
   */
  readonly usage: string;
  readonly summary: { readonly en: string; readonly zh: string };
  readonly options?: Readonly<Record<string, OptionKind>>;
  readonly run: (given: Given, output: Output) => Promise<number>;
}

export interface Given {
  readonly words: readonly string[];
  text(name: string): string | undefined;
  number(name: string): number | undefined;
  flag(name: string): boolean;
  list(name: string): readonly string[];
}

export class UsageError extends Error {}

export const commonOptions = { json: 'flag', lang: 'text', help: 'flag' } as const;

/** Parses what follows the verb; throws UsageError in the terms of the usage line. */
export function parse(verb: Verb, words: readonly string[]): Given {
  const kinds: Record<string, OptionKind> = { ...commonOptions, ...verb.options };
  const options = Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [
      name,
      kind === 'flag'
        ? { type: 'boolean' as const }
        : { type: 'string' as const, multiple: kind === 'list' },
    ]),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...words], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { values, positionals } = parsed;
  const wanted = verb.usage.split(' ').filter((word) => /^\[?[A-Z]/.test(word));
  const least = wanted.filter((word) => !word.startsWith('[')).length;
  const most = wanted.some((word) => word.includes('...'))
    ? Number.POSITIVE_INFINITY
    : wanted.length;
  if (positionals.length < least || positionals.length > most) throw new UsageError(verb.usage);
  return {
    words: positionals,
    text: (name) => values[name] as string | undefined,
    flag: (name) => values[name] === true,
    list: (name) => (values[name] as string[] | undefined) ?? [],
    number: (name) => {
      const text = values[name] as string | undefined;
      if (text === undefined) return undefined;
      const number = Number(text);
      if (text.trim() === '' || !Number.isFinite(number)) {
        throw new UsageError(`--${name}: "${text}" is not a number`);
      }
      return number;
    },
  };
}
