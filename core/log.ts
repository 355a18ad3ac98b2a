/** Event name constant, fields structured. Transitions are logged, repetitions counted. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

const nothing = () => {};
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export const FOREIGN_TEXT_MAX = 200;

/** Foreign text as it may stand in a field of the log: cut. JSON quotes it, and line ends in it. */
export function foreign(text: string): string {
  return text.length > FOREIGN_TEXT_MAX ? `${text.slice(0, FOREIGN_TEXT_MAX)}…` : text;
}
