// An OPC UA link of a gateway file: where the server is, how the channel is protected, and as whom
// the gateway comes. Without protection only where the file says so twice: policy None, and
// insecure beside it.
import { durationMs } from '../../core/duration.ts';
import { isLoopback } from '../../core/host.ts';
import type { Path, Problems } from '../../core/problems.ts';
import { SECRET_PATTERN } from '../../core/schema.ts';
import type { Bilingual } from '../../core/text/text.ts';
import { bilingual } from '../../core/text/text.ts';
import type { Limits, OpcuaPlace } from '../../protocols/opcua/place.ts';
import { hostOf, placeDefaults } from '../../protocols/opcua/place.ts';
import type { LinkSource } from './format.ts';

export type OpcuaSource = LinkSource & { readonly kind: 'opcua' };

/** As whom, before secrets and files are read. */
export type IdentitySource =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'user'; readonly user: string; readonly password: string }
  | { readonly kind: 'certificate'; readonly certificate: string; readonly key: string };

/** The place as the file says it: secrets and files are not read yet. */
export interface OpcuaLinkParts extends Omit<OpcuaPlace, 'identity' | 'trust'> {
  readonly kind: 'opcua';
  readonly identity: IdentitySource;
}

/** Fewer and a server may end the session before a keep-alive is even due. */
const SESSION_KEEPALIVES_MIN = 3;

/** Adds what is wrong with it; what leaves the machine unprotected and may is returned. */
export function checkOpcua(link: OpcuaSource, path: Path, problems: Problems): Bilingual[] {
  const { endpoint, security, identity, sessionTimeoutMs, publishingMs, keepAliveMs } =
    readOpcua(link);
  const { policy, mode } = security;
  const insecure: Bilingual[] = [];
  if ((policy === 'None') !== (mode === 'None')) {
    problems.add([...path, 'security'], 'opcua-policy-mode', { policy, mode });
  } else if (policy === 'None') {
    const help = bilingual('help-opcua-insecure');
    if (link.insecure) insecure.push(bilingual('insecure-opcua', { endpoint }));
    else problems.add([...path, 'security'], 'opcua-unprotected', { endpoint }, { help });
    const isSent = identity.kind === 'user' && !isLoopback(hostOf(endpoint));
    if (isSent && link.insecure) insecure.push(bilingual('insecure-opcua-user', { endpoint }));
  }
  if (security.expired === 'accept') {
    insecure.push(bilingual('insecure-opcua-expired', { endpoint }));
  }
  if (identity.kind === 'user' && !SECRET_PATTERN.test(identity.password)) {
    const help = bilingual('help-secret-reference', { reference: '${secret:opcua}' });
    problems.add([...path, 'identity', 'password'], 'secret-inline', {}, { help });
  }
  if (keepAliveMs < publishingMs) {
    problems.add([...path, 'keepalive'], 'opcua-keepalive-short', { publishingMs, keepAliveMs });
  }
  if (sessionTimeoutMs < SESSION_KEEPALIVES_MIN * keepAliveMs) {
    const leastMs = SESSION_KEEPALIVES_MIN * keepAliveMs;
    problems.add([...path, 'session_timeout'], 'opcua-session-short', {
      sessionTimeoutMs,
      leastMs,
    });
  }
  return insecure;
}

export function readOpcua(link: OpcuaSource): OpcuaLinkParts {
  const { endpoint, security = {}, limits = {} } = link;
  const { policy = 'Basic256Sha256' } = security;
  const { mode = policy === 'None' ? 'None' : 'SignAndEncrypt', host = null } = security;
  const ms = (text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : durationMs(text);
  return {
    kind: 'opcua',
    endpoint,
    security: { policy, mode, host, expired: security.expired ?? 'refuse' },
    identity: identityOf(link),
    timeoutMs: ms(link.timeout, placeDefaults.timeoutMs),
    sessionTimeoutMs: ms(link.session_timeout, placeDefaults.sessionTimeoutMs),
    publishingMs: ms(link.publishing, placeDefaults.publishingMs),
    keepAliveMs: ms(link.keepalive, placeDefaults.keepAliveMs),
    limits: limits as Partial<Limits>,
  };
}

function identityOf({ identity }: OpcuaSource): IdentitySource {
  if (!identity) return { kind: 'anonymous' };
  return 'user' in identity ? { kind: 'user', ...identity } : { kind: 'certificate', ...identity };
}
