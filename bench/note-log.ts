// A log for sides: warnings and errors on stderr, where whoever runs the bench sees them.
import type { Log, LogLevel } from '../core/log.ts';

export function noteLog(side: string): Log {
  const at =
    (level: LogLevel): Log['warn'] =>
    (event, fields = {}) =>
      void process.stderr.write(`${side}: ${level} ${event} ${JSON.stringify(fields)}\n`);
  return { debug: () => {}, info: () => {}, warn: at('warn'), error: at('error') };
}
