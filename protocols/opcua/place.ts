// Where an OPC UA server is, as whom this gateway comes, and how the two talk: what the link of a
// gateway file says, with its secrets read. One object a link for the life of the process.

import type { Trust } from './certificate.ts';

export const policies = [
  'Basic256Sha256',
  'Aes128_Sha256_RsaOaep',
  'Aes256_Sha256_RsaPss',
  'None',
] as const;
export type Policy = (typeof policies)[number];

export const modes = ['SignAndEncrypt', 'Sign', 'None'] as const;
export type Mode = (typeof modes)[number];

export type Identity =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly user: string; readonly password: string }
  | {
      readonly kind: 'certificate';
      /** DER. */
      readonly certificate: Uint8Array;
      /** PEM. */
      readonly key: string;
    };

/** Most operations in one request; what the server says of itself holds where these are larger. */
export interface Limits {
  readonly read: number;
  readonly write: number;
  readonly monitor: number;
  readonly translate: number;
  readonly history: number;
}

export interface OpcuaPlace {
  /** `opc.tcp://host:4840/path` */
  readonly endpoint: string;
  readonly security: {
    readonly policy: Policy;
    readonly mode: Mode;
    /** The name, address or application URI of its certificate; null: that of the endpoint. */
    readonly host: string | null;
    /** Whether a certificate that is over will do. */
    readonly expired: 'refuse' | 'accept';
  };
  readonly identity: Identity;
  /** Who this gateway is, and which servers it believes. */
  readonly trust: Trust;
  /** Of each step of connecting, and of a request that has no device's own. */
  readonly timeoutMs: number;
  readonly sessionTimeoutMs: number;
  readonly publishingMs: number;
  /** At the latest after this the server says that there is nothing to say. */
  readonly keepAliveMs: number;
  readonly limits: Partial<Limits>;
}

export const placeDefaults = {
  timeoutMs: 5_000,
  sessionTimeoutMs: 60_000,
  publishingMs: 500,
  keepAliveMs: 5_000,
} as const;

/** What no server is asked for at once, whatever it says: 1,000 items are 100 KB of request. */
export const limitsMost: Limits = {
  read: 1_000,
  write: 100,
  monitor: 1_000,
  translate: 1_000,
  history: 50,
};

/** `opc.tcp://host:4840/path`; a port is needed where it is not 4840. */
export const ENDPOINT_PATTERN =
  /^opc\.tcp:\/\/(\[[0-9a-f:]+\]|[\w.-]{1,253})(:[1-9]\d{0,4})?(\/[!-~]{0,255})?$/i;

/** The host of an endpoint, without the brackets of an IPv6 address. */
export function hostOf(endpoint: string): string {
  const [, host = ''] = ENDPOINT_PATTERN.exec(endpoint) ?? [];
  return host.replace(/^\[|\]$/g, '');
}

const PORT_DEFAULT = ':4840';

/** Whether both lead to one server: the host in any case, 4840 where no port is named. */
export function isSameEndpoint(one: string, other: string): boolean {
  return plainEndpoint(one) === plainEndpoint(other);
}

function plainEndpoint(endpoint: string): string {
  const [, host = '', port = PORT_DEFAULT, path = '/'] = ENDPOINT_PATTERN.exec(endpoint) ?? [];
  return host.toLowerCase() + port + path;
}
