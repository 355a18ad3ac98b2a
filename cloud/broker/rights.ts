// Who may do what at the broker, as pure decisions. The same sentences are written into the ACL of
// a foreign broker; here they hold for the embedded one.
//
// - Client id = user name = gateway id = gateway in the topic. A secret is compared as SHA-256, in
//   a time that does not depend on it, and unknown names take the same way.
// - A gateway has one more login, for its second path: its id with `.2` behind it, the same secret
//   and the same topics. There is no third.
// - A gateway publishes only its `up` kinds under its own area and id, its last will included, and
//   subscribes only to its own `down` kinds, by exact topic, and to the status of the cloud.
// - The cloud's identity publishes `down` kinds and its status, and subscribes to `up` kinds; nobody
//   else does. It also publishes to topics of the site: whatever is under neither `lifeline` nor `$`.
// - A reader (a panel, a flow) hears topics of the site, each by its name, and publishes nothing:
//   who subscribes by wildcard is waited for (exchange.ts), and that is the cloud alone.
// - Retained only where the table of kinds says so; QoS 0 and 1; clean sessions, so that nothing is
//   queued for who is away.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Kind } from '../../protocols/uplink/topics.ts';
import {
  CLOUD_STATUS_TOPIC,
  kinds,
  MESSAGE_BYTES_MAX,
  parseTopic,
  secondLogin,
} from '../../protocols/uplink/topics.ts';

export interface BrokerCredential {
  /** Gateway id, or the name of the cloud's identity or of a reader. */
  readonly name: string;
  /** Of the secret, as 64 hex digits. */
  readonly sha256: string;
  readonly role: 'gateway' | 'cloud' | 'reader';
  /** Of a gateway; the cloud's identity has every area. */
  readonly area?: string;
  /** Whose topics they are, where the name is a login of its second path. */
  readonly gateway?: string;
}

/** By the names to log in with: each gateway has two. */
export function loginsOf(list: readonly BrokerCredential[]): ReadonlyMap<string, BrokerCredential> {
  const logins = new Map<string, BrokerCredential>();
  for (const credential of list) {
    const { name, role } = credential;
    logins.set(name, credential);
    if (role !== 'gateway') continue;
    const second = secondLogin(name);
    logins.set(second, { ...credential, name: second, gateway: name });
  }
  return logins;
}

export const brokerRefusals = [
  'unknown_name', // No credential of this name, or no name at all.
  'wrong_secret',
  'wrong_client_id', // Client id and user name differ.
  'session_kept', // Wants a session that outlives the connection.
  'foreign_topic', // Not a topic of ours, or of another gateway or area.
  'wrong_way', // A kind that this role does not publish or may not hear.
  'wildcard',
  'retained', // A kind that is never retained.
  'qos', // QoS 2.
  'too_large',
  'stalled', // Stopped reading while messages were addressed to it.
  'pending', // Too many connections that have not said who they are.
  'protocol', // What the MQTT parser or the broker itself found wrong.
] as const;
export type BrokerRefusal = (typeof brokerRefusals)[number];

export interface Login {
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: Uint8Array | undefined;
  readonly clean: boolean;
  readonly will: Publication | null;
}

export interface Publication {
  readonly topic: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly bytes: number;
}

const nobody = Buffer.alloc(32);

/** The credential of a login that may connect, or why it may not. */
export function checkLogin(
  credentials: ReadonlyMap<string, BrokerCredential>,
  login: Login,
): BrokerCredential | BrokerRefusal {
  const credential = credentials.get(login.username ?? '');
  const given = createHash('sha256')
    .update(login.password ?? '')
    .digest();
  const wanted = credential ? Buffer.from(credential.sha256, 'hex') : nobody;
  const isRight = wanted.length === given.length && timingSafeEqual(given, wanted);
  if (!credential) return 'unknown_name';
  if (!isRight) return 'wrong_secret';
  if (login.clientId !== credential.name) return 'wrong_client_id';
  if (!login.clean) return 'session_kept';
  return (login.will && checkPublish(credential, login.will)) ?? credential;
}

/** A topic of the site: not of gateways, nor of brokers. */
export function isSiteTopic(topic: string): boolean {
  return /^(?!lifeline(?:\/|$))[^/$#+\s\0][^#+\s\0]*$/.test(topic);
}

/** Null when it may be published. */
export function checkPublish(
  credential: BrokerCredential,
  { topic, qos, retain, bytes }: Publication,
): BrokerRefusal | null {
  if (bytes > MESSAGE_BYTES_MAX) return 'too_large';
  if (qos > 1) return 'qos';
  if (credential.role === 'reader') return 'wrong_way';
  if (credential.role === 'cloud' && isSiteTopic(topic)) return null;
  if (topic === CLOUD_STATUS_TOPIC) return credential.role === 'cloud' ? null : 'wrong_way';
  const parts = parseTopic(topic);
  if (!parts || !owns(credential, parts.area, parts.gateway)) return 'foreign_topic';
  if (kinds[parts.kind].way !== (credential.role === 'cloud' ? 'down' : 'up')) return 'wrong_way';
  return retain && !kinds[parts.kind].retain ? 'retained' : null;
}

/** Null when it may be subscribed to. */
export function checkSubscribe(credential: BrokerCredential, filter: string): BrokerRefusal | null {
  if (filter.includes('#')) return 'wildcard';
  if (credential.role === 'reader' && !filter.includes('+')) {
    return isSiteTopic(filter) ? null : 'foreign_topic';
  }
  if (filter === CLOUD_STATUS_TOPIC) return null;
  const [root, version, area, gateway, kind, ...more] = filter.split('/', 6);
  const hasWildcard = filter.includes('+');
  if (hasWildcard && credential.role !== 'cloud') return 'wildcard';
  // A wildcard stands for area and gateway only.
  const plain = parseTopic(
    [
      root,
      version,
      area === '+' ? 'any' : area,
      gateway === '+' ? 'any' : gateway,
      kind,
      ...more,
    ].join('/'),
  );
  if (!plain) return 'foreign_topic';
  if (credential.role !== 'cloud' && !owns(credential, plain.area, plain.gateway)) {
    return 'foreign_topic';
  }
  return wayHeardBy(credential) === wayOf(plain.kind) ? null : 'wrong_way';
}

function wayOf(kind: Kind): 'up' | 'down' {
  return kinds[kind].way;
}

function wayHeardBy({ role }: BrokerCredential): 'up' | 'down' {
  return role === 'cloud' ? 'up' : 'down';
}

function owns(credential: BrokerCredential, area: string, gateway: string): boolean {
  if (credential.role === 'cloud') return true;
  return credential.area === area && (credential.gateway ?? credential.name) === gateway;
}
