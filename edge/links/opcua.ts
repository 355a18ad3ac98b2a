// Where an OPC UA link leads, as its protocol takes it: what the gateway file says, with the secret
// beside it and the trust list of the gateway.
import type { Trust } from '../../protocols/opcua/certificate.ts';
import type { Identity, OpcuaPlace } from '../../protocols/opcua/place.ts';
import type { OpcuaLinkConfig } from '../config/link.ts';

export interface PlaceOptions {
  readonly trust: Trust;
  /** Undefined: it comes as nobody. */
  readonly identity: Identity | undefined;
}

export function placeOf(
  { endpoint, security, limits, ...link }: OpcuaLinkConfig,
  { trust, identity = { kind: 'anonymous' } }: PlaceOptions,
): OpcuaPlace {
  const { timeoutMs, sessionTimeoutMs, publishingMs, keepAliveMs } = link;
  const times = { timeoutMs, sessionTimeoutMs, publishingMs, keepAliveMs };
  return { endpoint, security, identity, trust, ...times, limits };
}
