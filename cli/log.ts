// The one logger: JSON lines on stderr, written at once, level from LIFELINE_LOG (debug, info,
// warn, error).
import pino from 'pino';
import type { Log, LogLevel } from '../core/log.ts';

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export function makeLog(name: string): Log {
  const level = levels.find((each) => each === process.env['LIFELINE_LOG']) ?? 'info';
  const out = pino(
    { name, level, base: { name }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (event, fields) => out.debug(fields ?? {}, event),
    info: (event, fields) => out.info(fields ?? {}, event),
    warn: (event, fields) => out.warn(fields ?? {}, event),
    error: (event, fields) => out.error(fields ?? {}, event),
  };
}
