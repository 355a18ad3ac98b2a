// The three kinds of wrong, and what each becomes:
//   programmer error -> `assert`: the process stops and starts again from what is on disk;
//   expected failure -> `Fault` with a stable code, which is a metric label and a page of `lifeline
// explain`;
//   bad data         -> a reading with quality, never an exception.
import type { FaultCode } from './text/text.ts';

export type { FaultCode } from './text/text.ts';

/**
 * When a second try makes sense: at once, after a back-off, or not before somebody changed
 * something.
 */
export type Retry = 'now' | 'later' | 'never';

export class Fault extends Error {
  readonly code: FaultCode;
  readonly retry: Retry;

  /** `detail` says what and where, for a person; programs look at `code` only. */
  constructor(code: FaultCode, retry: Retry, detail: string, cause?: unknown) {
    super(detail, cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
    this.retry = retry;
  }
}

export function isFault(error: unknown): error is Fault {
  return error instanceof Fault;
}

export class AssertionFailure extends Error {}

/** Stops the program on a broken invariant: a mistake in the code, never in data or the world. */
export function assert(condition: unknown, what: string): asserts condition {
  if (!condition) throw new AssertionFailure(`broken invariant: ${what}`);
}

export function unreachable(value: never): never {
  throw new AssertionFailure(`broken invariant: unexpected ${JSON.stringify(value)}`);
}
