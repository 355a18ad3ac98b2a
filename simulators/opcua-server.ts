// A simulated OPC UA server: its address space from a list, what clients asked of it counted, and
// what goes wrong with servers in the field. It is built on node-opcua-server, which is of the same
// family as the client of the gateway: what both get wrong in the same way it does not show.
//
// It prints nothing, listens where it is told, announces itself to nobody and writes into its own
// folder only: key, certificate and the lists of certificates it trusts. Starting takes about a
// second, of which the library is two thirds.
//
// A fault of the whole process (killed, restarted) needs a process: simulators/opcua-process.ts.
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { assert } from '../core/fault.ts';
import type { CertificateManager, Channel, Message, OpcUaServer } from './opcua-library.ts';
import { loadOpcUa } from './opcua-library.ts';
import type { OpcUaSpaceOptions } from './opcua-space.ts';
import { OpcUaSpace } from './opcua-space.ts';

export const securityPolicies = [
  'None',
  'Basic256Sha256',
  'Aes128_Sha256_RsaOaep',
  'Aes256_Sha256_RsaPss',
] as const;
export type OpcUaSecurityPolicy = (typeof securityPolicies)[number];

/** What a server says it takes a call; 0 or left out: no limit. */
export interface OpcUaLimits {
  readonly maxNodesPerRead?: number;
  readonly maxNodesPerWrite?: number;
  readonly maxNodesPerBrowse?: number;
  readonly maxNodesPerMethodCall?: number;
  readonly maxNodesPerTranslateBrowsePathsToNodeIds?: number;
  readonly maxNodesPerHistoryReadData?: number;
  readonly maxMonitoredItemsPerCall?: number;
}

/** How its own certificate differs from a right one. */
export interface OpcUaCertificate {
  /** Valid from so many days from now (negative: before now), for so many days. */
  readonly fromDays?: number;
  readonly days?: number;
  /** Names and addresses it is for, in place of where it listens. */
  readonly hosts?: readonly string[];
  readonly applicationUri?: string;
}

export interface OpcUaServerOptions extends OpcUaSpaceOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Made when missing; a key and a certificate in it are used again. */
  readonly pkiFolder: string;
  /** All but None when left out. None is offered with mode None, the others with SignAndEncrypt. */
  readonly securityPolicies?: readonly OpcUaSecurityPolicy[];
  /** By name; with them nobody is let in anonymously, unless `anonymous` says so. */
  readonly users?: Readonly<Record<string, string>>;
  readonly anonymous?: boolean;
  /** Whose certificates it takes: of every client (when left out), or of those in its list. */
  readonly clients?: 'any' | 'listed';
  readonly certificate?: OpcUaCertificate;
  readonly limits?: OpcUaLimits;
  readonly maxSessions?: number;
  readonly maxMonitoredItems?: number;
  /** How far its clock is off, from the start. */
  readonly clockOffMs?: number;
}

/**
 * What a frozen server still does. `publish`: it answers everything and publishes nothing, no
 * keep-alive either. `sessions`: nobody who asks for a new session is answered. `requests`:
 * connections open, no request is answered. `all`: its sockets are
 * accepted by the operating system and nothing more happens, as when its process hangs.
 */
export type Freeze = 'publish' | 'sessions' | 'requests' | 'all';

/** Held while frozen; more is dropped, as a buffer of the system that is full. */
const HELD_MAX = 10_000;
const KEY_BITS = 2_048;
const APPLICATION_URI = 'urn:lifeline:simulated-opcua-server';
const SUBJECT = '/CN=Simulated OPC UA server/O=Lifeline';

export async function openOpcUaServer(options: OpcUaServerOptions): Promise<SimulatedOpcUa> {
  const library = await loadOpcUa();
  const manager = new library.certificates.OPCUACertificateManager({
    rootFolder: join(options.pkiFolder, 'server'),
    automaticallyAcceptUnknownCertificate: options.clients !== 'listed',
    disableFileWatchers: true,
    keySize: KEY_BITS,
  });
  const users = new library.certificates.OPCUACertificateManager({
    rootFolder: join(options.pkiFolder, 'users'),
    automaticallyAcceptUnknownCertificate: false,
    disableFileWatchers: true,
    keySize: KEY_BITS,
  });
  await manager.initialize();
  const certificateFile = await makeCertificate(manager, options);
  const { MessageSecurityMode, SecurityPolicy } = library.client;
  const policies = options.securityPolicies ?? securityPolicies.slice(1);
  const modes = new Set(
    policies.map((policy) =>
      policy === 'None' ? MessageSecurityMode.None : MessageSecurityMode.SignAndEncrypt,
    ),
  );
  const server = new library.server.OPCUAServer({
    host: options.host,
    hostname: options.host,
    port: options.port,
    serverCertificateManager: manager,
    userCertificateManager: users,
    certificateFile,
    privateKeyFile: manager.privateKey,
    securityPolicies: policies.map((policy) => SecurityPolicy[policy]),
    securityModes: [...modes],
    allowAnonymous: options.anonymous ?? options.users === undefined,
    userManager: {
      isValidUser: (name: string, password: string) =>
        options.users !== undefined &&
        Object.hasOwn(options.users, name) &&
        options.users[name] === password,
    },
    serverInfo: {
      applicationUri: options.certificate?.applicationUri ?? APPLICATION_URI,
      productUri: 'lifeline-simulator',
      applicationName: { text: 'Simulated OPC UA server' },
    },
    serverCapabilities: {
      maxSessions: options.maxSessions ?? 100,
      maxMonitoredItems: options.maxMonitoredItems ?? 1_000_000,
      maxMonitoredItemsPerSubscription: options.maxMonitoredItems ?? 1_000_000,
      maxSubscriptionsPerSession: 100,
      minSupportedSampleRate: 0,
      operationLimits: { ...options.limits },
    },
    registerServerMethod: library.server.RegisterServerMethod.HIDDEN,
  });
  await server.initialize();
  const clock: ShiftedClock = { offMs: options.clockOffMs ?? 0 };
  const space = new OpcUaSpace(library, server, () => Date.now() + clock.offMs, options);
  const simulated = new SimulatedOpcUa(server, space, clock, [manager, users]);
  await simulated.listen();
  return simulated;
}

const DAY_MS = 86_400_000;

async function makeCertificate(
  manager: CertificateManager,
  { host, certificate = {} }: OpcUaServerOptions,
): Promise<string> {
  const { fromDays = -1, days = 3_650, hosts = [host], applicationUri } = certificate;
  const name = [fromDays, days, ...hosts, applicationUri ?? '']
    .join('_')
    .replaceAll(/[^\w.-]/g, '-');
  const file = join(manager.rootDir, 'own', 'certs', `${name}.pem`);
  const isAddress = (text: string) => /^[\d.]+$|:/.test(text);
  const { existsSync } = await import('node:fs');
  if (existsSync(file)) return file;
  await manager.createSelfSignedCertificate({
    applicationUri: applicationUri ?? APPLICATION_URI,
    dns: hosts.filter((text) => !isAddress(text)),
    ip: hosts.filter(isAddress),
    outputFile: file,
    subject: SUBJECT,
    startDate: new Date(Date.now() + fromDays * DAY_MS),
    validity: days,
  });
  return file;
}

interface ShiftedClock {
  offMs: number;
}

/** What stands in an answer of the library, as far as times in it are looked for. */
interface TimedAnswer {
  readonly schema: { readonly name: string };
  readonly responseHeader: { timestamp: Date | null };
  readonly subscriptionId?: number;
  readonly results?: readonly unknown[] | null;
  readonly notificationMessage?: {
    publishTime: Date | null;
    readonly notificationData?: readonly unknown[] | null;
  };
}
type Respond = Channel['send_response'];
type Accept = (socket: Socket) => void;

export class SimulatedOpcUa {
  readonly space: OpcUaSpace;
  /** Requests that arrived, by service: `createSession`, `publish`, `read`. */
  readonly counts: Record<string, number> = {};
  /** Connections that said hello. */
  channels = 0;
  /**
   * Statements about values given out, the account of readings of the far side: a read tells one a
   * value, an answer to a publish request, also one that only keeps alive, tells of every item of
   * its subscription what it is or that it is what it was.
   */
  served = 0;
  /** Changes of values in the notifications it sent. */
  notified = 0;
  /** Answers to publish requests that bring notifications; these are thrown away first. */
  publishesToDrop = 0;
  readonly #server: OpcUaServer;
  readonly #clock: ShiftedClock;
  readonly #managers: readonly CertificateManager[];
  /** What the answers of the server are made into before they are sent: garbage, promises. */
  alter: (answer: object) => void = () => {};
  readonly #open = new Set<Socket>();
  readonly #paused = new Set<Socket>();
  /** Messages that have their time: the server keeps them to send them again. */
  readonly #stamped = new WeakSet<object>();
  #frozen: Freeze | null = null;
  #held: (() => void)[] = [];
  #waiting: Socket[] = [];
  #accept: Accept[] = [];

  constructor(
    server: OpcUaServer,
    space: OpcUaSpace,
    clock: ShiftedClock,
    managers: readonly CertificateManager[],
  ) {
    this.space = space;
    this.#server = server;
    this.#clock = clock;
    this.#managers = managers;
    const take = server.on_request.bind(server);
    server.on_request = (message, channel) => {
      this.#count(message);
      if (this.#holdsRequest(message)) this.#hold(() => take(message, channel));
      else take(message, channel);
    };
    server.on('newChannel', (channel) => {
      this.channels++;
      const send = channel.send_response.bind(channel);
      channel.send_response = (...given) => this.#answer(send, given);
    });
  }

  /** Once, before anything else. */
  async listen(): Promise<void> {
    await this.#server.start();
    this.#listener().on('connection', (socket: Socket) => {
      this.#open.add(socket);
      socket.on('close', () => this.#open.delete(socket));
    });
  }

  get port(): number {
    return this.#server.endpoints[0]!.port;
  }

  /** `opc.tcp://HOST:PORT`. */
  get endpoint(): string {
    return `opc.tcp://${this.#server.options.host}:${this.port}`;
  }

  /** Of its certificate manager: what a client must trust. */
  get certificate(): Buffer {
    return this.#server.getCertificate();
  }

  get sessions(): number {
    return this.#server.currentSessionCount;
  }

  /** How far its clock is off: what it says of time from now on. */
  get clockOffMs(): number {
    return this.#clock.offMs;
  }

  set clockOffMs(offMs: number) {
    this.#clock.offMs = offMs;
  }

  /** Sessions beyond it are refused with BadTooManySessions; those that are open stay. */
  set maxSessions(most: number) {
    this.#server.engine.serverCapabilities.maxSessions = most;
  }

  /** Lets a client certificate in, or a user who shows one. DER. */
  async trust(whose: 'client' | 'user', certificate: Buffer): Promise<void> {
    await this.#managers[whose === 'client' ? 0 : 1]!.trustCertificate(certificate);
  }

  get frozen(): Freeze | null {
    return this.#frozen;
  }

  freeze(how: Freeze): void {
    assert(this.#frozen === null, 'a server freezes once');
    this.#frozen = how;
    if (how !== 'all') return;
    const listener = this.#listener();
    this.#accept = listener.listeners('connection') as Accept[];
    listener.removeAllListeners('connection');
    listener.on('connection', (socket: Socket) => this.#waiting.push(socket));
    for (const socket of this.#open) {
      socket.pause();
      this.#paused.add(socket);
    }
  }

  /** Moves on, with all that was held meanwhile, as a process that was stopped does. */
  thaw(): void {
    const how = this.#frozen;
    this.#frozen = null;
    if (how === 'all') {
      const listener = this.#listener();
      listener.removeAllListeners('connection');
      for (const accept of this.#accept) listener.on('connection', accept);
      for (const socket of this.#waiting.splice(0)) listener.emit('connection', socket);
      for (const socket of this.#paused) socket.resume();
      this.#paused.clear();
    }
    for (const go of this.#held.splice(0)) go();
  }

  /** Ends every connection without a word; sessions and subscriptions live on. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async close(): Promise<void> {
    if (this.#frozen) this.#held = [];
    this.#frozen = null;
    for (const socket of [...this.#waiting, ...this.#paused]) socket.destroy();
    await this.#server.shutdown(0);
    for (const manager of this.#managers) await manager.dispose();
  }

  #count({ request }: Message): void {
    const name = request.schema.name.replace(/Request$/, '');
    const key = `${name[0]!.toLowerCase()}${name.slice(1)}`;
    this.counts[key] = (this.counts[key] ?? 0) + 1;
  }

  #holdsRequest({ request }: Message): boolean {
    if (this.#frozen === 'publish') return request.schema.name === 'PublishRequest';
    if (this.#frozen === 'sessions') return request.schema.name === 'CreateSessionRequest';
    return this.#frozen !== null;
  }

  #hold(go: () => void): void {
    if (this.#held.length < HELD_MAX) this.#held.push(go);
  }

  #answer(send: Respond, given: Parameters<Respond>): void {
    const answer = given[1] as unknown as TimedAnswer;
    const isPublish = answer.schema.name === 'PublishResponse';
    const isHeld = this.#frozen === 'publish' ? isPublish : this.#frozen !== 'sessions';
    if (this.#frozen && isHeld) {
      this.#hold(() => this.#answer(send, given));
      return;
    }
    const { notificationData } = answer.notificationMessage ?? {};
    if (isPublish && this.publishesToDrop > 0 && (notificationData?.length ?? 0) > 0) {
      this.publishesToDrop--;
      return;
    }
    this.#stamp(answer);
    this.#account(answer, given[2]);
    this.alter(answer);
    send(...given);
  }

  #account(
    { schema, results, subscriptionId, notificationMessage }: TimedAnswer,
    { request }: Message,
  ): void {
    if (schema.name === 'ReadResponse') this.served += results?.length ?? 0;
    for (const data of notificationMessage?.notificationData ?? []) {
      const { monitoredItems } = data as { readonly monitoredItems?: readonly unknown[] | null };
      this.notified += monitoredItems?.length ?? 0;
    }
    if (subscriptionId === undefined) return;
    const session = this.#server.getSession(request.requestHeader.authenticationToken);
    this.served += session?.getSubscription(subscriptionId)?.monitoredItemCount ?? 0;
  }

  /**
   * The times that the server itself puts into an answer. The library leaves the publish time of
   * data out; a server has to say it (OPC 10000-4, 7.26).
   */
  #stamp({ responseHeader, notificationMessage: message }: TimedAnswer): void {
    const now = new Date(Date.now() + this.#clock.offMs);
    responseHeader.timestamp = now;
    if (!message || this.#stamped.has(message)) return;
    message.publishTime = now;
    this.#stamped.add(message);
  }

  // The library keeps its sockets to itself; a server that hangs cannot be shown without them.
  #listener(): Server {
    const endpoint = this.#server.endpoints[0] as unknown as { readonly _server?: Server };
    assert(endpoint._server, 'a started endpoint listens');
    return endpoint._server;
  }
}
