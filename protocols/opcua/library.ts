// The OPC UA library, loaded when the first link of the kind opens: it takes half a second and
// 90 MB, which a gateway without OPC UA does not spend. Every other file of the project takes its
// types and values from here.
//
// It is used for the encoding, the secure channel, certificates, and creating and activating a
// session. Its own subscriptions, its reconnecting and its repair of sessions are not used: they
// would create sessions that nobody counts and retry without anybody's leave. Its certificate
// manager keeps the trust list in the folder of the place, and writes nowhere else:
//
//   own/certs/client_certificate.pem   what this gateway shows; made when it is missing
//   own/private/private_key.pem        its key
//   trusted/certs, issuers/certs       what a person has trusted
//   rejected                           what came and was not
import type * as certificates from 'node-opcua-certificate-manager';
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

export type CertificateStore = certificates.OPCUACertificateManager;

export type Library = typeof client & {
  readonly OPCUACertificateManager: typeof certificates.OPCUACertificateManager;
};

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
  const [library, { OPCUACertificateManager }] = await Promise.all([
    import('node-opcua-client'),
    import('node-opcua-certificate-manager'),
  ]);
  // Every request has a deadline of its own, which may be shorter than the library thinks wise.
  library.ClientSecureChannelLayer.minTransactionTimeout = 1;
  return { ...library, OPCUACertificateManager };
}
