// The embedded broker: aedes with the rights of rights.ts, the exchange of exchange.ts, and three
// guards.
//
// - A client that does not read: whoever has more than 32 KB waiting in its socket when a message
//   is addressed to it is closed, and its last will says so. The cloud's own connection is waited
//   for instead.
// - A frame that is too long ends the connection at its header (frame-limit.ts).
// - Connections that do not say who they are: bounded in number and time. A login with a name that
//   is connected takes over from the earlier connection; as both gave the same secret, nobody else
//   can. When credentials change, connections that would no longer be let in are closed.
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes, type AuthenticateError, type Client } from 'aedes';
import type { Clock } from '../../core/clock.ts';
import { Fault, systemDetail } from '../../core/fault.ts';
import { Exchange } from './exchange.ts';
import { FrameHead, FrameLimit } from './frame-limit.ts';
import type { BrokerCredential, BrokerRefusal, Login, Publication } from './rights.ts';
import { brokerRefusals, checkLogin, checkPublish, checkSubscribe, loginsOf } from './rights.ts';

/**
 * Waiting in the socket of a gateway; acks are some hundred bytes, so this is minutes of not
 * reading.
 */
export const STALLED_BYTES_MAX = 32 * 1024;
/** The same for the cloud: everything 2,000 gateways send in one read each while it commits. */
const CLOUD_BACKLOG_BYTES_MAX = 128 * 1024 * 1024;
/**
 * File descriptors allow more; each costs some 20 KB. Further connections are closed by the
 * kernel's accept.
 */
const CONNECTIONS_MAX = 20_000;
/** Connections that have not logged in. */
export const PENDING_MAX = 1_000;
const LOGIN_TIMEOUT_MS = 10_000;
/** For the rest of the head of a message that is too large; then it is told as far as it came. */
const HEAD_WAIT_MS = 1_000;
/** A client must say how soon its silence means that it is gone. */
const KEEPALIVE_SECONDS_MAX = 60;
/** How long the cloud may take before what waits for it is let go. */
const DRAIN_TIMEOUT_MS = 60_000;
/**
 * aedes tells other brokers that it lives, and sweeps the wills of dead ones; there are no others.
 */
const HEARTBEAT_MS = 500_000_000;

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly credentials: readonly BrokerCredential[];
  /** PEM texts; without them the broker speaks plain TCP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
}

/** One refusal with what is known of it; foreign text is not to be trusted. */
export interface Refused {
  readonly reason: BrokerRefusal;
  readonly name: string;
  readonly topic: string;
  /** Perhaps only the beginning. */
  readonly payload: Uint8Array;
  /** Bytes of the whole payload. */
  readonly size: number;
}

export interface ServerStats {
  readonly connected: number;
  readonly pending: number;
  /** Messages taken from clients. */
  readonly published: number;
  /** Logins that ended an earlier connection of the same name. */
  readonly takeovers: number;
  readonly refused: Readonly<Record<BrokerRefusal, number>>;
}

interface Session {
  readonly credential: BrokerCredential;
  readonly socket: Socket;
}

class Denied extends Error implements AuthenticateError {
  readonly returnCode = 5;
}

export class MqttServer {
  readonly #clock: Clock;
  readonly #onRefused: (refused: Refused) => void;
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sessions = new Map<Client, Session>();
  readonly #pending = new Set<Socket>();
  readonly #wills = new WeakMap<Client, Omit<Login, 'username' | 'password'>>();
  readonly #refused = Object.fromEntries(brokerRefusals.map((it) => [it, 0])) as Record<
    BrokerRefusal,
    number
  >;
  #credentials: ReadonlyMap<string, BrokerCredential> = new Map();
  #published = 0;
  #takeovers = 0;

  constructor(clock: Clock, options: ServerOptions, onRefused: (refused: Refused) => void) {
    this.#clock = clock;
    this.#onRefused = onRefused;
    this.setCredentials(options.credentials);
    this.#aedes = this.#makeAedes();
    const { tls } = options;
    const accept = (socket: Socket) => this.#accept(socket);
    this.#server = tls
      ? createTlsServer({ cert: tls.certificate, key: tls.key, minVersion: 'TLSv1.2' }, accept)
      : createServer({ noDelay: true }, accept);
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Resolves with the port, or throws Fault `broker_bind`. */
  async listen(host: string, port: number): Promise<number> {
    await this.#aedes.listen();
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => {
        reject(new Fault('broker_bind', 'later', systemDetail(`${host}:${port}`, error), error));
      });
      this.#server.listen({ host, port }, resolve);
    });
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : port;
  }

  setCredentials(list: readonly BrokerCredential[]): void {
    this.#credentials = loginsOf(list);
    for (const { credential, socket } of this.#sessions.values()) {
      const now = this.#credentials.get(credential.name);
      const isSame = now && now.sha256 === credential.sha256 && now.area === credential.area;
      if (!isSame || now.role !== credential.role) socket.destroy();
    }
  }

  stats(): ServerStats {
    return {
      connected: this.#sessions.size,
      pending: this.#pending.size,
      published: this.#published,
      takeovers: this.#takeovers,
      refused: { ...this.#refused },
    };
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#pending) socket.destroy();
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const { socket } of this.#sessions.values()) socket.destroy();
    await closed;
  }

  #makeAedes(): Aedes {
    const aedes = new Aedes({
      mq: new Exchange(),
      connectTimeout: LOGIN_TIMEOUT_MS,
      drainTimeout: DRAIN_TIMEOUT_MS,
      heartbeatInterval: HEARTBEAT_MS,
      keepaliveLimit: KEEPALIVE_SECONDS_MAX,
      maxTopicLevels: 8,
      preConnect: (client, { clientId, clean, will }, done) => {
        const publication = will ? publicationOf(will) : null;
        this.#wills.set(client, { clientId, clean: clean ?? true, will: publication });
        done(null, true);
      },
      authenticate: (client, username, password, done) => {
        const refusal = this.#login(client, username, password);
        done(refusal && new Denied(refusal), refusal === null);
      },
      authorizePublish: (client, packet, done) => {
        const refusal = this.#authorize(client, packet);
        done(refusal ? new Denied(refusal) : null);
      },
      authorizeSubscribe: (client, subscription, done) => {
        const session = this.#sessions.get(client);
        const refusal = session
          ? checkSubscribe(session.credential, subscription.topic)
          : 'unknown_name';
        if (refusal) this.#refuse(refusal, { name: client.id, topic: subscription.topic });
        done(null, refusal ? null : subscription);
      },
      authorizeForward: (client, packet) => (this.#reads(client) ? packet : null),
    });
    // A refusal of ours was counted where it was decided.
    const count = (client: Client, error: Error) => {
      if (!(error instanceof Denied) && isProtocolError(error)) {
        this.#refuse('protocol', { name: client.id ?? '' });
      }
    };
    aedes.on('clientError', count);
    aedes.on('connectionError', count);
    aedes.on('clientReady', (client) => this.#endEarlier(client));
    return aedes;
  }

  #accept(socket: Socket): void {
    if (this.#pending.size >= PENDING_MAX) {
      this.#refuse('pending');
      socket.destroy();
      return;
    }
    this.#pending.add(socket);
    const limit = new FrameLimit();
    let ending: FrameHead | null = null;
    const read = socket.read.bind(socket);
    // The broker library takes what arrived by `read`; what it must not see ends here.
    socket.read = (size?: number) => {
      const chunk: Uint8Array | null = read(size);
      if (chunk === null) return chunk;
      if (ending !== null) ending.add(chunk);
      else if (limit.accept(chunk)) return chunk;
      else {
        ending = limit.head ?? new FrameHead(0, 0);
        // What has no login leaves no letter: anybody could fill the inbox with them.
        if (!this.#sessions.has(client)) ending = new FrameHead(0, 0);
        this.#clock.after(HEAD_WAIT_MS, () => this.#endTooLarge(client, socket, ending));
      }
      if (ending.isComplete) this.#endTooLarge(client, socket, ending);
      return null;
    };
    const client = this.#aedes.handle(socket);
    socket.once('close', () => {
      this.#pending.delete(socket);
      this.#sessions.delete(client);
    });
  }

  #endTooLarge(client: Client, socket: Socket, head: FrameHead | null): void {
    if (socket.destroyed) return;
    const { topic, payload, size } = (head ?? new FrameHead(0, 0)).publication;
    const name = this.#sessions.get(client)?.credential.name ?? client.id ?? '';
    this.#refuse('too_large', { name, topic, payload, size });
    socket.destroy();
  }

  #login(
    client: Client,
    username: string | undefined,
    password: Uint8Array | undefined,
  ): BrokerRefusal | null {
    const connect = this.#wills.get(client) ?? { clientId: '', clean: false, will: null };
    const result = checkLogin(this.#credentials, { ...connect, username, password });
    if (typeof result === 'string') {
      const name = username ?? connect.clientId;
      this.#refuse(result, { name, topic: connect.will?.topic ?? '' });
      return result;
    }
    const socket = client.conn as Socket;
    this.#pending.delete(socket);
    if (!socket.destroyed) this.#sessions.set(client, { credential: result, socket });
    return null;
  }

  #authorize(client: Client | null, packet: Packet): BrokerRefusal | null {
    // A last will is published when its connection is gone; it was checked when it was left.
    const session = client && this.#sessions.get(client);
    if (client && !session && this.#wills.get(client)?.will?.topic === packet.topic) return null;
    const refusal = session
      ? checkPublish(session.credential, publicationOf(packet))
      : 'unknown_name';
    const { topic, payload } = packet;
    if (refusal) this.#refuse(refusal, { name: client?.id ?? '', topic, payload });
    else this.#published++;
    return refusal;
  }

  #reads(client: Client): boolean {
    const session = this.#sessions.get(client);
    if (!session || session.socket.destroyed) return false;
    const { credential, socket } = session;
    const max = credential.role === 'cloud' ? CLOUD_BACKLOG_BYTES_MAX : STALLED_BYTES_MAX;
    if (socket.writableLength <= max) return true;
    this.#refuse('stalled', { name: credential.name });
    socket.destroy();
    return false;
  }

  #endEarlier(newest: Client): void {
    const name = this.#sessions.get(newest)?.credential.name;
    for (const [client, { credential, socket }] of this.#sessions) {
      if (client === newest || credential.name !== name) continue;
      this.#takeovers++;
      socket.destroy();
    }
  }

  #refuse(
    reason: BrokerRefusal,
    { name, topic = '', payload = '', size }: RefusedPart = { name: '' },
  ): void {
    this.#refused[reason]++;
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    this.#onRefused({ reason, name, topic, payload: bytes, size: size ?? bytes.length });
  }
}

interface RefusedPart {
  readonly name: string;
  readonly topic?: string;
  readonly payload?: string | Uint8Array;
  /** Of the whole payload, where only its beginning is known. */
  readonly size?: number;
}

interface Packet {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos?: number;
  readonly retain?: boolean;
}

function publicationOf({ topic, payload, qos = 0, retain = false }: Packet): Publication {
  return { topic, qos, retain, bytes: payload.length };
}

// Ends of connections are not errors of the peer.
function isProtocolError(error: Error): boolean {
  const quiet = ['ECONNRESET', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'];
  if (quiet.includes((error as NodeJS.ErrnoException).code ?? '')) return false;
  return !['keep alive timeout', 'connection closed', 'drain timeout'].includes(error.message);
}
