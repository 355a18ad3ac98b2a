// Links whose other end dials in: a 4G terminal unit (DTU) has no address of its own, so it
// connects to the gateway's port, says who it is with its registration packet, and is from then on
// a transparent way to the bus behind it. One listener serves all units of one address.
//
// - The registration packet is the first thing a unit sends, and is no password: whoever reaches
//   the port can say it. Hence loopback by default (a VPN ends there), and no more than `insecure`.
// - A unit that dials in again replaces its old connection: a unit that lost its network does not
//   say so, and the old connection would look alive for minutes.
// - A unit that nobody waits for is kept, read and not listened to, until its link is opened.
// - Before registration a connection may cost little: so many at a time, so many bytes, so long.
//   What is refused is counted, and told once an interval.
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { hex } from '../../core/bytes.ts';
import type { Clock } from '../../core/clock.ts';
import { assert, Fault, systemDetail } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Link, Pace } from '../../protocols/driver.ts';
import type { AnswerBytes } from './heartbeat.ts';
import { HeartbeatFilter } from './heartbeat.ts';
import { unitNamed } from './registration.ts';
import type { EndableLink } from './tcp.ts';
import { KEEPALIVE_AFTER_MS, linkOver } from './tcp.ts';

export interface UnitOptions {
  readonly link: string;
  readonly identity: Uint8Array;
  /** Null: the unit sends none. */
  readonly heartbeat: Uint8Array | null;
  readonly answerBytes: AnswerBytes;
  readonly pace: Pace | null;
}

export interface DialInOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly units: readonly UnitOptions[];
}

/** Units come back together after an outage of the network; each says who it is within a second. */
export const UNREGISTERED_MAX = 64;
/** A packet over 4G takes 2 s at worst; what says nothing for longer is no unit. */
export const REGISTRATION_MS = 15_000;
/** How long opening waits for the unit before it is said to be missing; then it waits again. */
export const DIAL_IN_WAIT_MS = 30_000;
const LOG_INTERVAL_MS = 60_000;
const SHOWN_BYTES_MAX = 32;

/** `left`: hung up before it said who it is. */
const results = ['registered', 'replaced', 'unknown', 'silent', 'left', 'surplus'] as const;
type Result = (typeof results)[number];

export class DialInServer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #options: DialInOptions;
  readonly #name: string;
  readonly #counters: Readonly<Record<Result, Counter>>;
  readonly #units: ReadonlyMap<string, Unit>;
  readonly #unregistered = new Set<Socket>();
  #server: Promise<Server> | null = null;
  #refused = 0;
  #loggedMonoMs = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, log: Log, metrics: Metrics, options: DialInOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#options = options;
    this.#name = `${options.host}:${options.port}`;
    const help = 'Connections of terminal units, by what became of them';
    const counter = (result: Result) =>
      metrics.counter('edge_dial_in_total', help, { listen: this.#name, result });
    const pairs = results.map((result) => [result, counter(result)]);
    this.#counters = Object.fromEntries(pairs) as Record<Result, Counter>;
    this.#units = new Map(options.units.map((unit) => [unit.link, new Unit(metrics, unit)]));
  }

  /** Where it listens, once a link was opened; null before. */
  async port(): Promise<number | null> {
    const address = (await this.#server)?.address();
    return typeof address === 'object' && address ? address.port : null;
  }

  /** Connections that have not said who they are. */
  get unregistered(): number {
    return this.#unregistered.size;
  }

  /**
   * The link to a unit that has dialed in or does so within `waitMs`. Rejects with a fault:
   * `link_not_dialed_in` may be tried again at once.
   */
  async open(link: string, signal: AbortSignal, waitMs = DIAL_IN_WAIT_MS): Promise<Link> {
    const unit = this.#units.get(link);
    assert(unit, 'a listener knows its links');
    this.#server ??= this.#listen();
    try {
      await this.#server;
    } catch (error) {
      this.#server = null; // The port may be free the next time.
      throw error;
    }
    return unit.wait(this.#clock, waitMs, signal);
  }

  /** Ends every connection; nobody can dial in any more. */
  async close(): Promise<void> {
    const server = await this.#server?.catch(() => null);
    for (const socket of this.#unregistered) socket.destroy();
    for (const unit of this.#units.values()) unit.end(null);
    if (server) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #listen(): Promise<Server> {
    const { host, port } = this.#options;
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      server.once('error', (error) => {
        reject(new Fault('link_listen', 'later', systemDetail(this.#name, error), error));
      });
      server.listen({ host, port }, () => resolve(server));
    });
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#unregistered.size >= UNREGISTERED_MAX) {
      this.#refuse(socket, 'surplus', `${UNREGISTERED_MAX} have not said who they are`);
      return;
    }
    socket.setKeepAlive(true, KEEPALIVE_AFTER_MS);
    this.#unregistered.add(socket);
    let said = new Uint8Array(0);
    const settle = () => {
      cancelTimeout();
      this.#unregistered.delete(socket);
      socket.off('data', onData);
      socket.off('close', onLeft);
    };
    const onLeft = () => {
      settle();
      this.#counters.left.add();
    };
    const cancelTimeout = this.#clock.after(REGISTRATION_MS, () => {
      settle();
      const seconds = REGISTRATION_MS / 1000;
      this.#refuse(socket, 'silent', `does not register in ${seconds} s: ${shown(said)}`);
    });
    const onData = (bytes: Uint8Array) => {
      const unit = unitNamed(this.#units.values(), said, bytes);
      if (unit === 'more') {
        said = Uint8Array.of(...said, ...bytes); // Shorter than the longest identity.
        return;
      }
      settle();
      if (unit === null) {
        const start = Uint8Array.of(...said, ...bytes.subarray(0, SHOWN_BYTES_MAX));
        this.#refuse(socket, 'unknown', `registers as ${shown(start)}`);
        return;
      }
      const rest = bytes.subarray(unit.identity.length - said.length);
      const isReplaced = unit.arrived(socket, rest);
      this.#counters[isReplaced ? 'replaced' : 'registered'].add();
    };
    socket.on('data', onData);
    socket.on('close', onLeft);
  }

  #refuse(socket: Socket, result: Result, why: string): void {
    const from = socket.remoteAddress ?? '';
    socket.destroy();
    this.#counters[result].add();
    this.#refused++;
    const nowMs = this.#clock.monoMs();
    if (nowMs - this.#loggedMonoMs < LOG_INTERVAL_MS) return;
    this.#loggedMonoMs = nowMs;
    this.#log.warn('dial_in_refused', { at: this.#name, from, why, refused: this.#refused });
    this.#refused = 0;
  }
}

function shown(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'no bytes';
  const cut = bytes.subarray(0, SHOWN_BYTES_MAX);
  const isText = cut.every((byte) => byte >= 0x20 && byte < 0x7f);
  const dots = bytes.length > SHOWN_BYTES_MAX ? '…' : '';
  return isText ? JSON.stringify(String.fromCharCode(...cut)) + dots : `hex:${hex(cut)}${dots}`;
}

/** One unit: its connection, if it has one, and who waits for it. */
class Unit {
  readonly #options: UnitOptions;
  readonly #heartbeats: Counter;
  /** Dialed in; whether somebody has it as a link is told by #isTaken. */
  #connection: EndableLink | null = null;
  #isTaken = false;
  #onArrival: (() => void) | null = null;

  constructor(metrics: Metrics, options: UnitOptions) {
    this.#options = options;
    const help = 'Heartbeats of a terminal unit, taken out of what it sends';
    this.#heartbeats = metrics.counter('edge_link_heartbeats_total', help, { link: options.link });
  }

  get identity(): Uint8Array {
    return this.#options.identity;
  }

  /** Returns whether an older connection had to give way. */
  arrived(socket: Socket, rest: Uint8Array): boolean {
    const { link: name, pace } = this.#options;
    const isReplaced = this.#connection !== null;
    this.end(new Fault('link_replaced', 'now', bilingual('link-dialed-again', { link: name })));
    const connection = this.#filtered(linkOver(socket, name, pace), rest);
    this.#connection = connection;
    connection.onClose = () => this.#lost(connection);
    this.#onArrival?.();
    return isReplaced;
  }

  wait(clock: Clock, waitMs: number, signal: AbortSignal): Promise<Link> {
    const { link: name } = this.#options;
    return new Promise((resolve, reject) => {
      const settle = () => {
        cancelTimeout();
        signal.removeEventListener('abort', onAbort);
        this.#onArrival = null;
      };
      const onAbort = () => {
        settle();
        reject(new Fault('link_closed', 'never', bilingual('link-told-to-stop', { name })));
      };
      const cancelTimeout = clock.after(waitMs, () => {
        settle();
        const detail = bilingual('link-not-dialed', { link: name, seconds: waitMs / 1000 });
        reject(new Fault('link_not_dialed_in', 'now', detail));
      });
      this.#onArrival = () => {
        if (!this.#connection || this.#isTaken) return;
        settle();
        resolve(this.#take(this.#connection));
      };
      if (signal.aborted) onAbort();
      else {
        signal.addEventListener('abort', onAbort, { once: true });
        this.#onArrival();
      }
    });
  }

  end(why: Fault | null): void {
    this.#connection?.end(why);
  }

  /** Hands the connection out: its end is then told to whoever has it, and forgotten here. */
  #take(connection: EndableLink): Link {
    this.#isTaken = true;
    const link: Link = {
      ...(connection.pace ? { pace: connection.pace } : {}),
      send: (bytes) => connection.send(bytes),
      onBytes: () => {},
      onClose: () => {},
      close: () => connection.close(),
    };
    connection.onBytes = (bytes) => link.onBytes(bytes);
    connection.onClose = (why) => {
      this.#lost(connection);
      link.onClose(why);
    };
    return link;
  }

  #lost(connection: EndableLink): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#isTaken = false;
  }

  /** The connection without the heartbeats in it; `rest` came with the registration. */
  #filtered(connection: EndableLink, rest: Uint8Array): EndableLink {
    const { heartbeat, answerBytes } = this.#options;
    if (!heartbeat) return connection;
    const filter = new HeartbeatFilter(heartbeat, answerBytes);
    const push = (bytes: Uint8Array) => {
      const before = filter.heartbeats;
      const kept = filter.push(bytes);
      this.#heartbeats.add(filter.heartbeats - before);
      return kept;
    };
    push(rest); // Nobody asked yet: what is no heartbeat answers nothing.
    const link: EndableLink = { ...connection, onBytes: () => {}, onClose: () => {} };
    connection.onBytes = (bytes) => {
      const kept = push(bytes);
      if (kept.length > 0) link.onBytes(kept);
    };
    connection.onClose = (why) => link.onClose(why);
    return link;
  }
}
