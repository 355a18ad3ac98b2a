// The OPC UA library, loaded when the first link of the kind opens: it takes half a second and
// 90 MB, which a gateway without OPC UA does not spend. Every other file of the project takes its
// types and values from here.
//
// It is used for the encoding, the secure channel, and creating and activating a session. Its own
// subscriptions, its reconnecting and its repair of sessions are not used: they would create
// sessions that nobody counts and retry without anybody's leave. Nor is its certificate manager:
// whom to believe is decided by `Trust` (certificate.ts) before the library is told of a server, and
// the store it is given believes nobody.
import type * as client from 'node-opcua-client';

export type {
  ClientSession,
  DataValue,
  EndpointDescription,
  NodeId,
  NotificationMessage,
  OPCUAClient,
  StatusCode,
  UserIdentityInfo,
  Variant,
} from 'node-opcua-client';

export type Library = typeof client;

type ClientOptions = client.OPCUAClientOptions;
export type CertificateStore = NonNullable<ClientOptions['clientCertificateManager']>;
export type KeyPair = NonNullable<ClientOptions['certificateKeyPairProvider']>;

/** Any request or response of a service; which one, the caller knows. */
export interface Request {
  readonly requestHeader: { authenticationToken: client.NodeId; timeoutHint: number };
}

let loaded: Promise<Library> | undefined;

/** One for the process: what the library registers, it registers once. */
export function loadLibrary(): Promise<Library> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Library> {
  const debug = await import('node-opcua-debug');
  // What it says of a connection, the fault of the connection says; and nothing may go to stdout.
  const quiet = () => {};
  debug.setDebugLogger(quiet);
  debug.setWarningLogger(quiet);
  debug.setErrorLogger(quiet);
  debug.setTraceLogger(quiet);
  const library = await import('node-opcua-client');
  // Every request has a deadline of its own, which may be shorter than the library thinks wise.
  library.ClientSecureChannelLayer.minTransactionTimeout = 1;
  return library;
}
