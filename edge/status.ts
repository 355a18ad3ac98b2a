// What a gateway says about itself, for the person beside it and for a monitor: `/health` as JSON,
// `/metrics` as Prometheus text. It reads and changes nothing, so it asks for no credentials; it is
// reached from the gateway itself unless the configuration says otherwise.
//
// Under `/commands` a person at the gateway may tell its devices something (commands/local.ts):
// only from this machine, whatever the page is bound to, and only with the token, which lies in a
// file that the user of the service alone can read and is made anew at every start.
//
// A page in somebody's browser could make a name of its own point here (DNS rebinding); therefore a
// request must name an address or localhost, which no such page can.

import { createHash, timingSafeEqual } from 'node:crypto';
import { chmodSync, renameSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { Fault, systemDetail } from '../core/fault.ts';
import { isLoopback } from '../core/host.ts';
import type { Metrics } from '../core/metrics.ts';
import type { Random } from '../core/random.ts';
import type { LocalAnswer, LocalRequest } from './commands/local.ts';

// Not imported: an import reads every name of the module, and one of them loads a whole client of
// HTTP and WebSockets, a tenth of what starting takes.
const { createServer } = process.getBuiltinModule('node:http');

/** A monitor, a technician and their retries; more are refused by the socket. */
export const CONNECTIONS_MAX = 32;
const HEADER_BYTES_MAX = 8 * 1024;
const REQUEST_TIMEOUT_MS = 5000;

export interface StatusOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly metrics: Metrics;
  /** Answered as JSON; `ok` decides between status 200 and 503. */
  health(): { readonly ok: boolean };
  /** Absent: nothing can be commanded here. */
  readonly commands?: CommandsPage;
}

export interface CommandsPage {
  readonly token: string;
  answer(request: LocalRequest): Promise<LocalAnswer>;
}

const BODY_BYTES_MAX = 4 * 1024;
const TOKEN_BYTES = 32;
export const TOKEN_FILE = 'local-token';

/** Writes a token of this run into the folder, for nobody else to read, and returns it. */
export function makeToken(random: Random, folder: string): string {
  const token = Buffer.from(random.bytes(TOKEN_BYTES)).toString('hex');
  const path = join(folder, TOKEN_FILE);
  try {
    writeFileSync(`${path}.new`, `${token}\n`, { mode: 0o600 });
    chmodSync(`${path}.new`, 0o600);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new Fault('folder_unwritable', 'later', systemDetail(path, error), error);
  }
  return token;
}

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with `status_port` when the address is taken or not this machine's. */
export function openStatus(options: StatusOptions): Promise<StatusServer> {
  const { host, port, metrics, health, commands } = options;
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      const isCommand = commands && /^\/commands(\/|$)/.test(request.url ?? '');
      if (!isCommand) answer(response, answerTo(request, metrics, health));
      else void answerCommand(request, commands).then((told) => answer(response, told));
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      reject(new Fault('status_port', 'never', systemDetail(`${host}:${port}`, error), error));
    });
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve({
        port: typeof address === 'object' && address ? address.port : port,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

interface Answer {
  readonly status: number;
  readonly type: 'application/json' | 'text/plain; version=0.0.4';
  readonly text: string;
}

function answerTo(
  { method, url, headers }: IncomingMessage,
  metrics: Metrics,
  health: StatusOptions['health'],
): Answer {
  if (!isNamedByAddress(headers.host ?? '')) return refusal(421, 'name the gateway by its address');
  if (method !== 'GET') return refusal(405, 'this server is only read');
  switch (url) {
    case '/health': {
      const report = health();
      const text = `${JSON.stringify(report)}\n`;
      return { status: report.ok ? 200 : 503, type: 'application/json', text };
    }
    case '/metrics':
      return { status: 200, type: 'text/plain; version=0.0.4', text: metrics.render() };
    default:
      return refusal(404, 'there are /health and /metrics');
  }
}

async function answerCommand(request: IncomingMessage, page: CommandsPage): Promise<Answer> {
  const { method = '', url = '', headers, socket } = request;
  if (!isNamedByAddress(headers.host ?? '')) return refusal(421, 'name the gateway by its address');
  const from = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  if (!isLoopback(from)) return refusal(403, 'only from the gateway itself');
  if (!isToken(headers.authorization ?? '', page.token))
    return refusal(401, 'the token of the run');
  let body: unknown;
  if (method === 'POST') {
    // What a page in a browser sends without asking first is never of this type.
    if (headers['content-type'] !== 'application/json') return refusal(415, 'application/json');
    const text = await textOf(request);
    if (text === null) return refusal(413, `at most ${BODY_BYTES_MAX} bytes`);
    try {
      body = JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return refusal(400, 'no JSON');
    }
  }
  const told = await page.answer({ method, path: url, body });
  const text = `${JSON.stringify(told.body)}\n`;
  return { status: told.status, type: 'application/json', text };
}

/** Null when it is too long, or breaks off. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > BODY_BYTES_MAX) return null;
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error) return null; // The caller hung up.
    throw error;
  }
  return Buffer.concat(parts).toString('utf8');
}

function isToken(authorization: string, token: string): boolean {
  const hashed = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(hashed(authorization), hashed(`Bearer ${token}`));
}

function refusal(status: number, detail: string): Answer {
  return { status, type: 'application/json', text: `${JSON.stringify({ status, detail })}\n` };
}

function answer(response: ServerResponse, { status, type, text }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 405 ? { allow: 'GET' } : {}),
  });
  response.end(text);
}

function isNamedByAddress(host: string): boolean {
  const name = host.replace(/:\d{1,5}$/, '').replace(/^\[(.*)\]$/, '$1');
  return name.toLowerCase() === 'localhost' || isIP(name) !== 0;
}
