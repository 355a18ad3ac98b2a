// A network that misbehaves, between two programs on this machine: a TCP proxy on loopback that
// delays, stalls, throttles, cuts, refuses, and falls silent. What TCP promises still holds, as it
// does over a bad radio link: bytes that arrive are right and in order, so a lost packet is seen as
// a stall of everything behind it, never as a hole.
//
// - `cut` resets what is open and whatever connects, as a firewall that was told to; `refuse` only
//   what connects.
// - `halfOpen` keeps connections open and carries nothing, neither bytes nor an end, as a router
//   that forgot them. A connection that lost bytes this way stays silent when the setting is taken
//   back: it could only go on with a hole.
// - Each way of a connection holds at most QUEUE_BYTES_MAX and then stops reading, so that a slow
//   way is felt by its sender.
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { systemClock } from '../core/clock.ts';
import type { Random } from '../core/random.ts';

/** What Linux holds in a socket by default, about. */
export const QUEUE_BYTES_MAX = 256 * 1024;
/**
 * First wait for a lost packet to be sent again, on top of the round trip (RFC 6298, 2.3: SRTT + 4
 * RTTVAR, of which Linux takes no less than 200 ms); then doubled.
 */
export const RETRANSMIT_MS = 200;
const RETRANSMITS_MAX = 6;

export interface ProxySettings {
  readonly delayMs: number;
  /** Up to so much is added to each delay; the order within a connection stays. */
  readonly jitterMs: number;
  /** Probability from 0 to 1 that a chunk is lost once, and again at each try to send it again. */
  readonly lossPerChunk: number;
  /** Each way of each connection; null has no limit. */
  readonly bytesPerSecond: number | null;
  readonly cut: boolean;
  readonly refuse: boolean;
  readonly halfOpen: boolean;
}

const clean: ProxySettings = {
  delayMs: 0,
  jitterMs: 0,
  lossPerChunk: 0,
  bytesPerSecond: null,
  cut: false,
  refuse: false,
  halfOpen: false,
};

export interface ProxyOptions {
  readonly target: { readonly host: string; readonly port: number };
  /** 0 takes a free one. */
  readonly port: number;
  readonly random: Random;
  readonly clock?: Clock;
  readonly settings?: Partial<ProxySettings>;
}

export interface NetworkProxy extends AsyncDisposable {
  readonly port: number;
  readonly settings: ProxySettings;
  /** Open now, silent ones included. */
  readonly connections: number;
  /** Taken since the start, and ended at once because of `cut` or `refuse`. */
  readonly accepted: number;
  readonly refused: number;
  /** On their way now, and swallowed since the start. */
  readonly waitingBytes: number;
  readonly swallowedBytes: number;
  /** Changes what is given; what is on its way keeps the delay it got. */
  set(change: Partial<ProxySettings>): void;
  /** Resets every connection that is open now. */
  cutAll(): void;
  close(): Promise<void>;
}

export function startProxy(options: ProxyOptions): Promise<NetworkProxy> {
  const proxy = new TcpProxy(options);
  return proxy.listen(options.port);
}

class TcpProxy implements NetworkProxy {
  port = 0;
  settings: ProxySettings;
  accepted = 0;
  refused = 0;
  swallowedBytes = 0;
  readonly clock: Clock;
  readonly random: Random;
  readonly #target: ProxyOptions['target'];
  readonly #server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
    this.#accept(socket),
  );
  readonly #open = new Set<Connection>();

  constructor({ target, random, clock = systemClock, settings }: ProxyOptions) {
    this.#target = target;
    this.random = random;
    this.clock = clock;
    this.settings = { ...clean, ...settings };
  }

  get connections(): number {
    return this.#open.size;
  }

  get waitingBytes(): number {
    return [...this.#open].reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
  }

  listen(port: number): Promise<NetworkProxy> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host: '127.0.0.1', port }, () => {
        this.port = (this.#server.address() as AddressInfo).port;
        resolve(this);
      });
    });
  }

  set(change: Partial<ProxySettings>): void {
    this.settings = { ...this.settings, ...change };
    if (this.settings.cut) this.cutAll();
    if (this.settings.halfOpen) for (const connection of this.#open) connection.silence();
  }

  cutAll(): void {
    for (const connection of [...this.#open]) connection.reset();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cutAll();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(near: Socket): void {
    const { cut, refuse, halfOpen } = this.settings;
    if (cut || refuse) {
      this.refused++;
      near.on('error', ignore);
      near.resetAndDestroy();
      return;
    }
    this.accepted++;
    // A silent network carries no connect either: the far side never hears of it.
    const far = halfOpen ? null : connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const connection = new Connection(this, near, far, () => this.#open.delete(connection));
    this.#open.add(connection);
  }
}

class Connection {
  readonly #proxy: TcpProxy;
  readonly #near: Socket;
  readonly #far: Socket | null;
  readonly #ways: readonly Way[];
  readonly #onGone: () => void;
  #isSilent: boolean;

  constructor(proxy: TcpProxy, near: Socket, far: Socket | null, onGone: () => void) {
    this.#proxy = proxy;
    this.#near = near;
    this.#far = far;
    this.#onGone = onGone;
    this.#isSilent = far === null;
    this.#ways = far ? [new Way(proxy, near, far), new Way(proxy, far, near)] : [];
    for (const socket of this.#sockets()) {
      socket.on('error', ignore); // It closes next.
      socket.on('close', (hadError) => this.#closed(hadError));
      socket.on('data', (chunk) => {
        if (this.#isSilent) proxy.swallowedBytes += chunk.length;
      });
      socket.on('end', () => {
        if (this.#isSilent) socket.end();
      });
    }
  }

  get waitingBytes(): number {
    return this.#ways.reduce((sum, { waitingBytes }) => sum + waitingBytes, 0);
  }

  silence(): void {
    this.#isSilent = true;
    for (const way of this.#ways) this.#proxy.swallowedBytes += way.stop();
    for (const socket of this.#sockets()) socket.resume();
  }

  reset(): void {
    for (const way of this.#ways) way.stop();
    for (const socket of this.#sockets()) socket.resetAndDestroy();
  }

  // One side ended in order after the other did, or was reset: then the other side is told the same
  // way, unless the network is silent and tells nobody anything.
  #closed(hadError: boolean): void {
    const sockets = this.#sockets();
    if (hadError && !this.#isSilent) this.reset();
    if (sockets.every((socket) => socket.destroyed)) this.#onGone();
  }

  #sockets(): Socket[] {
    return this.#far ? [this.#near, this.#far] : [this.#near];
  }
}

/** One direction: chunks wait until they are due and leave in the order they came, the end behind them. */
class Way {
  readonly #proxy: TcpProxy;
  readonly #from: Socket;
  readonly #to: Socket;
  #queue: { readonly chunk: Uint8Array | null; readonly dueMs: number }[] = [];
  waitingBytes = 0;
  #lastDueMs = 0;
  #cancel: () => void = () => {};
  #isStopped = false;

  constructor(proxy: TcpProxy, from: Socket, to: Socket) {
    this.#proxy = proxy;
    this.#from = from;
    this.#to = to;
    from.on('data', (chunk) => this.#take(chunk));
    from.on('end', () => this.#take(null));
    to.on('connect', () => this.#leave());
    to.on('drain', () => this.#leave());
  }

  /** Carries nothing any more; returns the bytes that were on their way. */
  stop(): number {
    const lost = this.waitingBytes;
    this.#isStopped = true;
    this.#cancel();
    this.#queue = [];
    this.waitingBytes = 0;
    return lost;
  }

  #take(chunk: Uint8Array | null): void {
    if (this.#isStopped) return;
    const { delayMs, jitterMs, bytesPerSecond } = this.#proxy.settings;
    const { clock, random } = this.#proxy;
    const bytes = chunk?.length ?? 0;
    const wishedMs = clock.monoMs() + delayMs + jitterMs * random.next() + this.#stallMs();
    const sendingMs = bytesPerSecond === null ? 0 : (bytes * 1000) / bytesPerSecond;
    this.#lastDueMs = Math.max(this.#lastDueMs, wishedMs) + sendingMs;
    this.#queue.push({ chunk, dueMs: this.#lastDueMs });
    this.waitingBytes += bytes;
    if (this.waitingBytes > QUEUE_BYTES_MAX) this.#from.pause();
    if (this.#queue.length === 1) this.#leave();
  }

  #stallMs(): number {
    const { lossPerChunk, delayMs } = this.#proxy.settings;
    let stallMs = 0;
    for (let tries = 0; tries < RETRANSMITS_MAX; tries++) {
      if (this.#proxy.random.next() >= lossPerChunk) break;
      stallMs += (2 * delayMs + RETRANSMIT_MS) * 2 ** tries;
    }
    return stallMs;
  }

  #leave(): void {
    this.#cancel();
    for (let head = this.#queue[0]; head; head = this.#queue[0]) {
      if (this.#to.writableNeedDrain || this.#to.connecting) break;
      const waitMs = head.dueMs - this.#proxy.clock.monoMs();
      if (waitMs > 0) {
        this.#cancel = this.#proxy.clock.after(waitMs, () => this.#leave());
        break;
      }
      this.#queue.shift();
      if (head.chunk === null) this.#to.end();
      else {
        this.waitingBytes -= head.chunk.length;
        this.#to.write(head.chunk);
      }
    }
    if (this.waitingBytes <= QUEUE_BYTES_MAX && this.#from.isPaused()) this.#from.resume();
  }
}

function ignore(): void {
  // A reset is what this program is for; its 'close' is handled.
}
