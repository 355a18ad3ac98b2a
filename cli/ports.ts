import { createServer } from 'node:net';
import { Fault } from '../core/fault.ts';
import { bilingual } from '../core/text/text.ts';

/** Ports tried from the wished one on: two clones of the demo use fewer than this. */
const TRIES_MAX = 20;

/** The wished port on loopback, or the next free one. Each given out once a process. */
export async function freePort(wished: number, taken: Set<number> = new Set()): Promise<number> {
  for (let port = wished; port < wished + TRIES_MAX; port++) {
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return port;
  }
  const detail = bilingual('cli-ports-taken', { first: wished, last: wished + TRIES_MAX - 1 });
  throw new Fault('cli_no_port', 'never', detail);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      server.close(() => resolve(true));
    });
  });
}
