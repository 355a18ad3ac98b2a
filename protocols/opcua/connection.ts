// One secure channel with one active session on it: a single attempt, no retry, every step with a
// deadline.
//
//   1  the trust list is asked afresh, so that what a person has trusted counts at the next attempt
//   2  the endpoint is looked up and its certificate judged, before anything is sent to it that
//      only the right server should get
//   3  the channel is opened; the session of the connection before is activated on it when it may
//      still live, else a new one is created: at most one CreateSession an attempt
//
// Everything after that goes through `request`, which always settles: with the response, or with a
// fault at its deadline, when the signal aborts, or when the channel is gone. The library's own way
// through its session is closed, as it would create sessions of its own accord.
import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { FaultCode } from '../../core/fault.ts';
import { Fault, isFault } from '../../core/fault.ts';
import { bilingual } from '../../core/text/text.ts';
import type { OwnCertificate } from './certificate.ts';
import type {
  CertificateStore,
  ClientSession,
  EndpointDescription,
  KeyPair,
  Library,
  OPCUAClient,
  Request,
  UserIdentityInfo,
} from './library.ts';
import type { Identity, OpcuaPlace } from './place.ts';

const CLOSE_WAIT_MS = 1_000;
/** The library watches the socket too; its watch may never be the first to end it. */
const TRANSPORT_TIMES = 4;
const DAY_MS = 86_400_000;

/** Of a service, by status: what a person should read instead of a number. */
const faultCodes: Readonly<Record<string, FaultCode>> = {
  BadTooManySessions: 'opcua_too_many_sessions',
  BadIdentityTokenRejected: 'opcua_bad_credentials',
  BadIdentityTokenInvalid: 'opcua_bad_credentials',
  BadUserAccessDenied: 'opcua_bad_credentials',
  BadUserSignatureInvalid: 'opcua_bad_credentials',
  BadSecurityChecksFailed: 'opcua_refused',
  BadCertificateUntrusted: 'opcua_refused',
  BadCertificateUriInvalid: 'opcua_refused',
  BadSecurityPolicyRejected: 'opcua_security_unsupported',
  BadSessionIdInvalid: 'opcua_session_lost',
  BadSessionClosed: 'opcua_session_lost',
  BadSessionNotActivated: 'opcua_session_lost',
  BadSecureChannelIdInvalid: 'opcua_session_lost',
  BadSecureChannelClosed: 'opcua_session_lost',
  BadNoSubscription: 'opcua_session_lost',
  BadSubscriptionIdInvalid: 'opcua_session_lost',
  BadTimeout: 'opcua_timeout',
  BadRequestTimeout: 'opcua_timeout',
  BadConnectionClosed: 'no_connection',
};

/** Sent and answered by this service; what the server says when it cannot is in `statusOf`. */
export class Connection {
  readonly library: Library;
  readonly place: OpcuaPlace;
  readonly session: ClientSession;
  /** Whether the session of the connection before lives on. */
  readonly isResumed: boolean;
  /** Called once when the channel is gone without our doing. */
  onLost: (why: Fault) => void = () => {};
  readonly #clock: Clock;
  readonly #client: Client;
  readonly #certificates: { readonly own: Uint8Array; readonly server: Uint8Array | null };
  readonly #pending = new Set<(why: Fault) => void>();
  #ended: Fault | null = null;

  constructor(clock: Clock, client: Client, parts: Parts) {
    this.#clock = clock;
    this.#client = client;
    this.library = parts.library;
    this.place = parts.place;
    this.session = parts.session;
    this.isResumed = parts.isResumed;
    this.#certificates = { own: client.getCertificate(), server: parts.serverCertificate };
    const { endpoint } = parts.place;
    const lost = () => this.#lost(noConnection(endpoint));
    client.on('connection_lost', lost);
    client.on('close', lost);
    // What the library asks of the session, for the shapes of structures, goes the same way.
    Object.assign(this.session, {
      performMessageTransaction: (request: Request, done: Done) => this.#transact(request, done),
    });
  }

  /** Rejects with a fault; `what` names the step for the person who reads of it. */
  async request<Response>(
    request: Request,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<Response> {
    if (this.#ended) throw this.#ended;
    const { endpoint } = this.place;
    return await new Promise<Response>((resolve, reject) => {
      const settle = () => {
        cancel();
        signal?.removeEventListener('abort', aborted);
        this.#pending.delete(fail);
      };
      const fail = (why: Fault) => {
        settle();
        reject(why);
      };
      const aborted = () => fail(noConnection(endpoint));
      const what = request.constructor.name.replace(/Request$/, '');
      const cancel = this.#clock.after(timeoutMs, () => fail(tooLate(endpoint, what, timeoutMs)));
      if (signal?.aborted) return aborted();
      signal?.addEventListener('abort', aborted, { once: true });
      this.#pending.add(fail);
      request.requestHeader.timeoutHint = timeoutMs;
      this.#transact(request, (error, response) => {
        settle();
        if (error || !response) reject(serviceFault(endpoint, error));
        else resolve(response as Response);
      });
    });
  }

  /** Days until the certificate ends, below 0 since it has; null where there is none. */
  daysLeft(whose: 'own' | 'server'): number | null {
    const certificate = this.#certificates[whose];
    if (!certificate || certificate.length === 0) return null;
    const endMs = new X509Certificate(certificate).validToDate.getTime();
    return (endMs - this.#clock.wallMs()) / DAY_MS;
  }

  /** Null while it stands. */
  get ended(): Fault | null {
    return this.#ended;
  }

  /**
   * Closes the session at the server and then the channel, waiting a second at most.
   */
  async close(): Promise<void> {
    const { CloseSessionRequest } = this.library;
    const request = new CloseSessionRequest({ deleteSubscriptions: true });
    await Promise.allSettled([this.request(request, CLOSE_WAIT_MS)]);
    this.abandon();
  }

  /** Leaves the session to the server, where the next connection may find it. */
  abandon(why: Fault = noConnection(this.place.endpoint)): void {
    this.#end(why);
    discard(this.#client);
  }

  #transact(request: Request, done: Done): void {
    const { authenticationToken } = this.session as unknown as Request['requestHeader'];
    request.requestHeader.authenticationToken = authenticationToken;
    this.#client.performMessageTransaction(request, done);
  }

  #lost(why: Fault): void {
    if (this.#ended) return;
    this.#end(why);
    discard(this.#client);
    this.onLost(why);
  }

  #end(why: Fault): void {
    if (this.#ended) return;
    this.#ended = why;
    for (const fail of [...this.#pending]) fail(why);
  }
}

type Done = (error: Error | null, response?: unknown) => void;

/** The library's client, with what its public type leaves out. */
type Client = OPCUAClient & {
  performMessageTransaction(request: Request, done: Done): void;
};

interface Parts {
  readonly library: Library;
  readonly place: OpcuaPlace;
  readonly session: ClientSession;
  readonly isResumed: boolean;
  readonly serverCertificate: Uint8Array | null;
}

/** `before` is the session of an earlier connection to the place, not closed by us. */
export async function openConnection(
  clock: Clock,
  library: Library,
  place: OpcuaPlace,
  before: ClientSession | null,
  signal: AbortSignal,
): Promise<Connection> {
  const step = { clock, place, signal };
  const own = ownPair(library, await place.trust.own());
  const isPlain = place.security.policy === 'None';
  const endpoint = isPlain ? null : await discover(library, own, step);
  const serverCertificate = endpoint?.serverCertificate ?? null;
  if (endpoint) judge(place, serverCertificate);
  const client = clientOf(library, own, place, serverCertificate);
  try {
    await within(step, 'OpenSecureChannel', client.connect(place.endpoint), 'opcua_refused');
    checkIdentity(library, client, place);
    const identity = identityOf(library, place.identity);
    const isResumed = before !== null && (await reactivated(step, client, before));
    const session = isResumed
      ? before
      : await within(step, 'CreateSession', client.createSession(identity));
    return new Connection(clock, client, {
      ...{ library, place, session, isResumed, serverCertificate },
    });
  } catch (error) {
    discard(client);
    throw error;
  }
}

interface Own {
  readonly applicationUri: string;
  readonly pair: KeyPair;
}

/** What this gateway shows, as the library asks for it: from memory, no file is looked for. */
function ownPair(library: Library, own: OwnCertificate): Own {
  const certificate = Buffer.from(own.certificate);
  const key = library.crypto_utils.makePrivateKeyFromPem(own.privateKey);
  const pair = {
    certificateFile: '<in-memory>',
    privateKeyFile: '<in-memory>',
    getCertificate: () => certificate,
    getCertificateChain: () => [certificate],
    getPrivateKey: () => key,
  };
  return { applicationUri: own.applicationUri, pair };
}

/** Believes nobody: a certificate is judged before the library is told of it, or not at all. */
function noStore(library: Library): CertificateStore {
  const untrusted = async () => library.StatusCodes.BadCertificateUntrusted;
  const nothing = async () => {};
  return {
    referenceCounter: 0,
    initialize: nothing,
    dispose: nothing,
    checkCertificate: untrusted,
    verifyCertificate: async () => 'BadCertificateUntrusted',
    trustCertificate: nothing,
    rejectCertificate: nothing,
    getTrustStatus: untrusted,
    addIssuer: nothing,
    addRevocationList: nothing,
  };
}

function clientOf(
  library: Library,
  own: Own,
  place: OpcuaPlace,
  serverCertificate: Buffer | null,
): Client {
  const { policy, mode } = place.security;
  const longestMs = Math.max(place.timeoutMs, place.keepAliveMs, place.publishingMs);
  const client = library.OPCUAClient.create({
    applicationName: 'lifeline',
    applicationUri: own.applicationUri,
    clientName: 'lifeline',
    certificateKeyPairProvider: own.pair,
    clientCertificateManager: noStore(library),
    securityPolicy: library.SecurityPolicy[policy],
    securityMode: library.MessageSecurityMode[mode],
    ...(serverCertificate ? { serverCertificate } : {}),
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0, initialDelay: 1, maxDelay: 1 },
    keepSessionAlive: false,
    keepPendingSessionsOnDisconnect: true,
    requestedSessionTimeout: place.sessionTimeoutMs,
    transportTimeout: 2 * TRANSPORT_TIMES * longestMs,
    defaultTransactionTimeout: TRANSPORT_TIMES * longestMs,
  });
  return withStatus(client as Client);
}

/**
 * A server may say no with a fault of the service or in the header of its answer; the library keeps
 * the status of the first only. Both become an error that has it.
 */
function withStatus(client: Client): Client {
  const perform = client.performMessageTransaction.bind(client);
  client.performMessageTransaction = (request, done) => {
    const told: Done = (error, response) => {
      const { serviceResult } = (response as Answered | undefined)?.responseHeader ?? {};
      const isBad = !error && serviceResult !== undefined && !serviceResult.isGoodish();
      if (isBad) done(Object.assign(new RangeError(serviceResult.name), { response }), response);
      else done(error, response);
    };
    perform(request, told);
  };
  return client;
}

interface Answered {
  readonly responseHeader?: { readonly serviceResult?: ServiceResult };
}

interface ServiceResult extends Status {
  readonly isGoodish: () => boolean;
}

interface Step {
  readonly clock: Clock;
  readonly place: OpcuaPlace;
  readonly signal: AbortSignal;
}

/** What the promise brings, or a fault in time. */
async function within<Result>(
  { clock, place, signal }: Step,
  what: string,
  promise: Promise<Result>,
  otherwise: FaultCode = 'no_connection',
): Promise<Result> {
  const { endpoint, timeoutMs } = place;
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const cancel = clock.after(timeoutMs, () => reject(tooLate(endpoint, what, timeoutMs)));
  const aborted = () => reject(noConnection(endpoint));
  if (signal.aborted) aborted();
  signal.addEventListener('abort', aborted, { once: true });
  promise.catch(() => null); // Told by the race, or too late to be told.
  try {
    return await Promise.race([promise, ended]);
  } catch (error) {
    throw isFault(error) ? error : serviceFault(endpoint, error, otherwise);
  } finally {
    cancel();
    signal.removeEventListener('abort', aborted);
  }
}

// --- Which endpoint, and whether it may be trusted ---

async function discover(library: Library, own: Own, step: Step): Promise<EndpointDescription> {
  const { endpoint, security } = step.place;
  const plain = { ...step.place, security: { ...security, policy: 'None', mode: 'None' } } as const;
  const client = clientOf(library, own, plain, null);
  try {
    await within(step, 'OpenSecureChannel', client.connect(endpoint));
    const offered = await within(step, 'GetEndpoints', client.getEndpoints());
    const mode = library.MessageSecurityMode[security.mode];
    const policy = library.SecurityPolicy[security.policy];
    const found = offered.find(
      (each) => each.securityMode === mode && each.securityPolicyUri === policy,
    );
    if (!found) throw notOffered(library, step.place, offered);
    return found;
  } finally {
    discard(client);
  }
}

function notOffered(
  library: Library,
  { endpoint, security }: OpcuaPlace,
  offered: readonly EndpointDescription[],
): Fault {
  const shown = offered.map(
    ({ securityMode, securityPolicyUri }) =>
      `${securityPolicyUri?.split('#').at(-1)} ${library.MessageSecurityMode[securityMode]}`,
  );
  const values = {
    endpoint,
    wanted: `${security.policy} ${security.mode}`,
    offered: [...new Set(shown)].join(', ') || '-',
  };
  return new Fault('opcua_security_unsupported', 'later', bilingual('opcua-offers', values));
}

function judge({ endpoint, security, trust }: OpcuaPlace, chain: Uint8Array | null): void {
  const { host, expired } = security;
  const why = trust.refusal(chain ?? new Uint8Array(), { endpoint, host, expired });
  if (why) throw why;
}

// --- Who we are ---

function checkIdentity(
  library: Library,
  client: Client,
  { endpoint, identity, security }: OpcuaPlace,
): void {
  const { UserTokenType, MessageSecurityMode, SecurityPolicy } = library;
  const found = client.findEndpointForSecurity(
    MessageSecurityMode[security.mode],
    SecurityPolicy[security.policy],
  );
  const types = { anonymous: 0, user: 1, certificate: 2 } as const; // Part 4, 7.42.
  const offered = (found?.userIdentityTokens ?? []).map(({ tokenType }) => tokenType);
  if (!found || offered.includes(types[identity.kind] as (typeof offered)[number])) return;
  const shown = [...new Set(offered)].map((type) => UserTokenType[type]).join(', ') || '-';
  const values = { endpoint, wanted: identity.kind, offered: shown };
  throw new Fault('opcua_identity_unsupported', 'later', bilingual('opcua-offers', values));
}

function identityOf(library: Library, identity: Identity): UserIdentityInfo {
  const { UserTokenType } = library;
  switch (identity.kind) {
    case 'anonymous':
      return { type: UserTokenType.Anonymous };
    case 'user': {
      const { user: userName, password } = identity;
      return { type: UserTokenType.UserName, userName, password };
    }
    case 'certificate':
      return {
        type: UserTokenType.Certificate,
        certificateData: Buffer.from(identity.certificate),
        privateKey: identity.key,
      };
  }
}

/** False when the server no longer knows the session; a server that hangs is a fault. */
async function reactivated(step: Step, client: Client, before: ClientSession): Promise<boolean> {
  try {
    await within(step, 'ActivateSession', client.reactivateSession(before));
    return true;
  } catch (error) {
    if (isFault(error) && error.code === 'opcua_timeout') throw error;
    if (!isFault(error)) throw error;
    return false;
  }
}

/** The library says when it is done; nobody waits for it. */
function discard(client: Client): void {
  client.removeAllListeners();
  client.on('close', () => {}).on('connection_lost', () => {});
  void client.disconnect().catch(() => null);
}

// --- Faults ---

/** Name of the status a service or an item was answered with; null where there was no answer. */
export function statusOf(error: unknown): string | null {
  const { response, statusCode } = (error ?? {}) as {
    readonly response?: { readonly responseHeader?: { readonly serviceResult?: Status } };
    readonly statusCode?: Status;
  };
  return response?.responseHeader?.serviceResult?.name ?? statusCode?.name ?? null;
}

interface Status {
  readonly name: string;
}

/** The status of a fault that came from a service. */
export function statusOfFault(fault: Fault): string | null {
  return statusOf(fault.cause);
}

function serviceFault(
  endpoint: string,
  error: unknown,
  otherwise: FaultCode = 'no_connection',
): Fault {
  const status = statusOf(error);
  if (status === null) {
    return new Fault(otherwise, 'later', bilingual('opcua-place', { endpoint }), error);
  }
  const code = faultCodes[status] ?? 'opcua_service';
  return new Fault(code, 'later', bilingual('opcua-at', { endpoint, status }), error);
}

function noConnection(endpoint: string): Fault {
  return new Fault('no_connection', 'later', bilingual('opcua-place', { endpoint }));
}

function tooLate(endpoint: string, what: string, ms: number): Fault {
  const detail = bilingual('opcua-deadline', { endpoint, what, ms: Math.round(ms) });
  return new Fault('opcua_timeout', 'later', detail);
}
