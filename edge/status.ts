// What a gateway says about itself, for the person beside it and for a monitor: `/health` as JSON,
// `/metrics` as Prometheus text. It reads and changes nothing, so it asks for no credentials; it is
// reached from the gateway itself unless the configuration says otherwise.
//
// A page in somebody's browser could make a name of its own point here (DNS rebinding); therefore a
// request must name an address or localhost, which no such page can.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { Fault, systemDetail } from '../core/fault.ts';
import type { Metrics } from '../core/metrics.ts';

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
}

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Rejects with `status_port` when the address is taken or not this machine's. */
export function openStatus({ host, port, metrics, health }: StatusOptions): Promise<StatusServer> {
  const server = createServer(
    {
      maxHeaderSize: HEADER_BYTES_MAX,
      requestTimeout: REQUEST_TIMEOUT_MS,
      headersTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      answer(response, answerTo(request, metrics, health));
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
