// What the command line is made of: a word (`edge`), its verbs (`run`), each with its usage, its
// options and a function that is given parsed arguments and returns an exit code. Results go to
// stdout, everything else to stderr; a command that failed says which code `lifeline explain`
// knows.
import { parseArgs } from 'node:util';
import { didYouMean } from '../core/problems.ts';
import type { Bilingual, Language, MessageArguments, MessageKey } from '../core/text/text.ts';
import { bilingual, say } from '../core/text/text.ts';

/** Exit codes, the same for every verb. */
export const exit = {
  done: 0,
  /** The command found what it exists to find: a difference, a failed test. */
  found: 1,
  usage: 2,
  /** A file is there and wrong. */
  invalid: 3,
  /** A file, profile, gateway, alarm that was named does not exist. */
  notFound: 4,
  noAnswer: 5,
  partly: 6,
  notAllowed: 7,
  /** Somebody else has the port, the lock, the alarm. */
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

/** `port` is a whole number 0 to 65535; 0 takes a free one. */
export type OptionKind = 'text' | 'number' | 'port' | 'flag' | 'list';

export interface Verb {
  /**
   * `run FILE`: the words after the command, capital words are arguments, `[X]` optional, `X...`
   * many.
   */
  readonly usage: string;
  readonly summary: { readonly en: string; readonly zh: string };
  /** The first words it takes, where they are known: for completion. */
  readonly actions?: readonly string[];
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

/** What is wrong with the words of a command, for a person. */
export class UsageError extends Error {
  readonly detail: Bilingual;

  constructor(detail: string | Bilingual) {
    super(typeof detail === 'string' ? detail : detail.en);
    this.detail = typeof detail === 'string' ? { en: detail, zh: detail } : detail;
  }
}

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
  const { values, positionals, tokens } = parseArgs({
    ...{ args: [...words], options, allowPositionals: true, strict: false, tokens: true },
  });
  for (const token of tokens) if (token.kind === 'option') checkOption(token, kinds);
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
      return text === undefined ? undefined : numberOf(name, text, kinds[name]!);
    },
  };
}

/** What an option says that must be given and not blank; throws UsageError. */
export function needed(given: Given, name: string): string {
  const text = given.text(name)?.trim();
  if (!text) throw new UsageError(bilingual('cli-option-needs-value', { option: `--${name}` }));
  return text;
}

interface OptionToken {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function checkOption(token: OptionToken, kinds: Readonly<Record<string, OptionKind>>): void {
  const { name, rawName, value, inlineValue } = token;
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
  if (kind === undefined || !rawName.startsWith('--')) {
    const meant = didYouMean(name, Object.keys(kinds));
    if (!meant) throw new UsageError(bilingual('cli-unknown-option', { option: rawName }));
    const values = { option: rawName, meant: `--${meant}` };
    throw new UsageError(bilingual('cli-unknown-option-near', values));
  }
  if (kind === 'flag' && value !== undefined) {
    throw new UsageError(bilingual('cli-option-no-value', { option: rawName }));
  }
  // What follows and looks like an option is one: a value that begins with - is given with =.
  if (kind !== 'flag' && (value === undefined || (!inlineValue && /^-\D/.test(value)))) {
    throw new UsageError(bilingual('cli-option-needs-value', { option: rawName }));
  }
}

const PORT_MAX = 65_535;

function numberOf(name: string, text: string, kind: OptionKind): number {
  const found = Number(text);
  if (text.trim() === '' || !Number.isFinite(found)) {
    throw new UsageError(bilingual('cli-not-a-number', { option: `--${name}`, found: text }));
  }
  if (kind === 'port' && !(Number.isInteger(found) && found >= 0 && found <= PORT_MAX)) {
    throw new UsageError(
      bilingual('cli-not-a-port', { option: `--${name}`, found: text, max: PORT_MAX }),
    );
  }
  return found;
}
