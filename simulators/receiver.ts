// A demo emergency desk: takes webhooks as the other side would, from the public text of Standard
// Webhooks 1.0 and nothing of ours. It verifies signature and time, needs each id once, and
// confirms by its own word in the answer. Its faults are options, so that tests see a desk that is
// slow, says nothing, breaks, or is gone.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';

export interface ReceiverOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** `whsec_…`, shared with the sender. */
  readonly secret: string;
  /** Who the desk says has seen it. */
  readonly by?: string;
  /** Read at each request, so that a test can change it under way. */
  readonly behaviour?: () => Behaviour;
  readonly nowMs?: () => number;
  /** No heartbeat for so long behind its time, or one is there again. */
  readonly onLifeline?: (lifeline: Lifeline) => void;
}

export type Behaviour =
  | { readonly kind: 'confirm' }
  | { readonly kind: 'accept' }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'hang' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> };

export interface Received {
  readonly id: string;
  readonly atMs: number;
  /** How often it came; only the first time counts. */
  readonly times: number;
  readonly event: unknown;
}

/** Whether the sender lives, by its heartbeats. */
export interface Lifeline {
  /** `waiting`: none has come yet. */
  readonly state: 'waiting' | 'ok' | 'lost';
  readonly sinceMs: number;
  readonly startedMs: number;
  readonly heartbeats: number;
  readonly lastMs: number | null;
}

export interface Receiver {
  readonly lifeline: () => Lifeline;
  readonly port: number;
  readonly url: string;
  /** In the order of their first arrival. */
  readonly received: () => readonly Received[];
  /** Requests refused, by why. */
  readonly refused: () => Readonly<Record<string, number>>;
  readonly close: () => Promise<void>;
}

/** Standard Webhooks recommends five minutes. */
const TOLERANCE_S = 300;
/**
 * Two heartbeats at the usual interval: one may be late or lost. Of a sender that says nothing of
 * its interval it is the whole time.
 */
export const LOST_AFTER_MS = 20_000;
const BODY_BYTES_MAX = 1024 * 1024;
/** The demo's memory: the oldest are forgotten. */
const RECEIVED_MAX = 10_000;

export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { secret, behaviour = () => ({ kind: 'confirm' }), nowMs = () => Date.now() } = options;
  const { by = 'demo desk' } = options;
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const received = new Map<string, Received>();
  const refused: Record<string, number> = {};

  const watch = new LifelineWatch(nowMs, options.onLifeline ?? (() => {}));

  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET' && request.url === '/received') {
      return answer(response, 200, { received: [...received.values()], refused });
    }
    if (request.method === 'GET' && request.url === '/state') {
      return answer(response, 200, { lifeline: watch.lifeline, received: received.size, refused });
    }
    if (request.method !== 'POST') return answer(response, 404, {});
    const body = await bodyOf(request);
    const id = header(request, 'webhook-id');
    const wrong = body === null ? 'too large' : refusal(request, key, body, nowMs());
    if (wrong !== null) {
      refused[wrong] = (refused[wrong] ?? 0) + 1;
      return answer(response, body === null ? 413 : 401, { error: wrong });
    }
    const how = behaviour();
    if (how.kind === 'status') return answer(response, how.status, {}, how.headers);
    if (how.kind === 'hang') return;
    if (id.startsWith('heartbeat.')) {
      watch.heard(Number(id.slice('heartbeat.'.length)), JSON.parse(body ?? 'null'));
      return answer(response, 200, {});
    }
    const known = received.get(id);
    const event: unknown = known?.event ?? JSON.parse(body ?? 'null');
    const atMs = known?.atMs ?? nowMs();
    received.set(id, { id, atMs, times: (known?.times ?? 0) + 1, event });
    if (received.size > RECEIVED_MAX) received.delete(received.keys().next().value ?? '');
    if (how.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, how.delayMs));
    if (how.kind === 'garbage') return void response.writeHead(200).end('{"confirmed": ');
    answer(response, 200, how.kind === 'accept' ? {} : { confirmed: id, by });
  };

  const server = createServer((request, response) => {
    take(request, response).catch(() => answer(response, 400, { error: 'unreadable' }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const port = portOf(server);
  return {
    port,
    url: `http://${options.host}:${port}/`,
    received: () => [...received.values()],
    refused: () => refused,
    lifeline: () => watch.lifeline,
    close: () =>
      new Promise((resolve) => {
        watch.close();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Alarms when nothing was heard for as long as the sender promised, and 10 s. */
class LifelineWatch {
  readonly #nowMs: () => number;
  readonly #onTurn: (lifeline: Lifeline) => void;
  lifeline: Lifeline;
  #number = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(nowMs: () => number, onTurn: (lifeline: Lifeline) => void) {
    this.#nowMs = nowMs;
    this.#onTurn = onTurn;
    const startedMs = nowMs();
    const state = 'waiting';
    this.lifeline = { state, startedMs, sinceMs: startedMs, heartbeats: 0, lastMs: null };
    this.#wait(LOST_AFTER_MS);
  }

  /** One that is not newer is a copy, sent by whoever has it. */
  heard(number: number, event: unknown): void {
    if (!(number > this.#number)) return;
    this.#number = number;
    const { every_seconds: every } = (event as { data?: { every_seconds?: unknown } }).data ?? {};
    const lostMs = typeof every === 'number' ? every * 1_000 + LOST_AFTER_MS / 2 : LOST_AFTER_MS;
    this.#wait(lostMs);
    const heartbeats = this.lifeline.heartbeats + 1;
    this.lifeline = { ...this.lifeline, heartbeats, lastMs: this.#nowMs() };
    this.#turn('ok');
  }

  #wait(lostMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#turn('lost'), lostMs);
    this.#timer.unref();
  }

  #turn(state: 'ok' | 'lost'): void {
    if (this.lifeline.state === state) return;
    this.lifeline = { ...this.lifeline, state, sinceMs: this.#nowMs() };
    this.#onTurn(this.lifeline);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}

function header(request: IncomingMessage, name: string): string {
  const value = request.headers[name];
  return typeof value === 'string' ? value : '';
}

/** Why a request is not from the one who shares the key, or null. */
function refusal(
  request: IncomingMessage,
  key: Uint8Array,
  body: string,
  nowMs: number,
): string | null {
  const id = header(request, 'webhook-id');
  const timestamp = header(request, 'webhook-timestamp');
  if (id === '' || !/^\d{1,12}$/.test(timestamp)) return 'headers missing';
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > TOLERANCE_S) return 'timestamp too far';
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest();
  // Several signatures, apart by a blank: a key that is being changed signs with both.
  const isSigned = header(request, 'webhook-signature')
    .split(' ')
    .filter((signature) => signature.startsWith('v1,'))
    .map((signature) => Buffer.from(signature.slice(3), 'base64'))
    .some((given) => given.length === expected.length && timingSafeEqual(given, expected));
  return isSigned ? null : 'signature wrong';
}

async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > BODY_BYTES_MAX) return null;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
