// Topics of the uplink: `lifeline/v1/<area>/<gateway>/<kind>`. One table says which way a kind
// goes, at which QoS, and whether the broker keeps the last one; rights and subscriptions on both
// sides follow it.
//
// A gateway publishes only `up` kinds under its own id and subscribes only to its own `down` kinds,
// by exact topic. Only the cloud's identity publishes `down` kinds.
import { isId } from '../../core/point.ts';

/** Short enough that a dead cellular link is noticed within 15 s (MQTT 3.1.1, 3.1.2.10: 1.5 x). */
export const KEEPALIVE_SECONDS = 10;

/**
 * Half of the smallest limit among the brokers we support (256 KiB); a larger message is refused.
 */
export const MESSAGE_BYTES_MAX = 128 * 1024;

interface KindRule {
  readonly way: 'up' | 'down';
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

// `status-2` is the status of a gateway's second path to the cloud: on the topic of the first, the
// last will of one would speak for both.
// Records (`live`, `backfill`) go at QoS 0: the ack resends, and a second owner of retry would only
// repeat what the first repeats. Losing every retained message changes nothing.
export const kinds = {
  birth: { way: 'up', qos: 1, retain: true },
  status: { way: 'up', qos: 1, retain: true },
  'status-2': { way: 'up', qos: 1, retain: true },
  live: { way: 'up', qos: 0, retain: false },
  backfill: { way: 'up', qos: 0, retain: false },
  event: { way: 'up', qos: 1, retain: false },
  ack: { way: 'down', qos: 1, retain: false },
  desired: { way: 'down', qos: 1, retain: true },
  reported: { way: 'up', qos: 1, retain: true },
  command: { way: 'down', qos: 1, retain: false },
  reply: { way: 'up', qos: 1, retain: false },
  confirm: { way: 'down', qos: 1, retain: false },
} as const satisfies Record<string, KindRule>;

export type Kind = keyof typeof kinds;
export const kindNames = Object.keys(kinds) as readonly Kind[];

export function isKind(text: string): text is Kind {
  return Object.hasOwn(kinds, text);
}

const PREFIX = 'lifeline/v1';

/**
 * Whether the cloud listens at this broker: retained, its last will says offline. Only the cloud
 * publishes it, everybody may hear it. Four levels, so it is no topic of a gateway.
 */
export const CLOUD_STATUS_TOPIC = `${PREFIX}/cloud/status`;

/** Paths to the cloud that a gateway may have: a broker or a network each. */
export const PATHS_MAX = 2;
/** The status of each path. */
export const statusKinds: readonly Kind[] = ['status', 'status-2'];

/**
 * The login of a gateway on its second path, client id and user name: a broker ends a connection
 * when another one comes with its client id. No id has a dot, so it is nobody else's.
 */
export function secondLogin(gateway: string): string {
  return `${gateway}.2`;
}

export interface TopicParts {
  readonly area: string;
  readonly gateway: string;
  readonly kind: Kind;
}

export function topicOf(area: string, gateway: string, kind: Kind): string {
  return `${PREFIX}/${area}/${gateway}/${kind}`;
}

/**
 * Undefined for any topic that is not exactly one of ours: other prefixes, wildcards, wrong ids.
 */
export function parseTopic(topic: string): TopicParts | undefined {
  const [root, version, area, gateway, kind, ...more] = topic.split('/', 6);
  if (`${root}/${version}` !== PREFIX || more.length > 0) return undefined;
  if (area === undefined || gateway === undefined || kind === undefined) return undefined;
  if (!isId(area) || !isId(gateway) || !isKind(kind)) return undefined;
  return { area, gateway, kind };
}

export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1;
}

/** What a gateway subscribes to: its own `down` kinds, no wildcard. */
export function downFilters(area: string, gateway: string): Subscription[] {
  return kindNames
    .filter((kind) => kinds[kind].way === 'down')
    .map((kind) => ({ filter: topicOf(area, gateway, kind), qos: kinds[kind].qos }));
}

/** What the cloud subscribes to: every `up` kind of every gateway; of one area when it is named. */
export function upFilters(area = '+'): Subscription[] {
  return kindNames
    .filter((kind) => kinds[kind].way === 'up')
    .map((kind) => ({ filter: topicOf(area, '+', kind), qos: kinds[kind].qos }));
}
