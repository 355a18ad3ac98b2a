// The three kinds of wrong, and what each becomes:
//   programmer error -> `assert`: the process stops and starts again from what is on disk;
//   expected failure -> `Fault` with a stable code, which is a metric label and a page of `lifeline
// explain`;
//   bad data         -> a reading with quality, never an exception.
import type { Bilingual, FaultCode, MessageKey } from './text/text.ts';
import { fillBilingual, messages } from './text/text.ts';

export type { FaultCode } from './text/text.ts';

/**
 * When a second try makes sense: at once, after a back-off, or not before somebody changed
 * something.
 */
export type Retry = 'now' | 'later' | 'never';

export class Fault extends Error {
  readonly code: FaultCode;
  readonly retry: Retry;
  /** What and where, for a person; the English one is `message`, which goes into logs. */
  readonly detail: Bilingual;

  /**
   * `detail` is a message of the catalogue (`bilingual`), or plain text where it is only names and
   * numbers. Programs look at `code` only.
   */
  constructor(code: FaultCode, retry: Retry, detail: string | Bilingual, cause?: unknown) {
    const said = typeof detail === 'string' ? { en: detail, zh: detail } : detail;
    super(said.en, cause === undefined ? undefined : { cause });
    this.detail = said;
    this.name = 'Fault';
    this.code = code;
    this.retry = retry;
  }
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}

/**
 * What the operating system said, in words a person knows; `where` is the path or address it is
 * about.
 */
export function systemDetail(where: string, error: unknown): Bilingual {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  const key = `system-${String(code).toLowerCase()}`;
  if (Object.hasOwn(messages, key)) return fillBilingual(key as MessageKey, { where });
  return fillBilingual('system-other', { where, why: String(code ?? message ?? error) });
}

/** Why a file could not be read: `file_not_found`, or the code given with what the system said. */
export function readFault(path: string, error: unknown, otherwise: FaultCode): Fault {
  const isMissing = (error as { readonly code?: unknown }).code === 'ENOENT';
  const code = isMissing ? 'file_not_found' : otherwise;
  return new Fault(code, 'never', systemDetail(path, error), error);
}

export class AssertionFailure extends Error {}

/** Stops the program on a broken invariant: a mistake in the code, never in data or the world. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionFailure(`broken invariant: ${what}`);
}

export function unreachable(value: never): never {
  throw new AssertionFailure(`broken invariant: unexpected ${JSON.stringify(value)}`);
}
