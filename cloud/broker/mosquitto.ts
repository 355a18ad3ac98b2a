// The files of a Mosquitto 2.0 that keeps the rights of rights.ts: configuration, passwords, access
// list. Pure; the same registry gives the same files but for the salt of the cloud's own password.
//
// Passwords. Mosquitto compares a salted PBKDF2-SHA512, which cannot be derived from the SHA-256
// the registry keeps, and a gateway's secret is known only while it is made. So the registry keeps
// Mosquitto's form beside its own from that moment on; making new secrets for the sake of a broker
// would lock out every gateway in the field. 101 rounds is what mosquitto_passwd itself writes;
// more would protect nothing, since secrets are 256 random bits.
//
// Where Mosquitto differs from the embedded broker: it grants any subscription and withholds the
// messages instead; it has no list of kinds that may be retained, and no way to refuse a session
// that outlives its connection (it ends after SESSION_KEPT). The cloud depends on none of them.
import { pbkdf2Sync } from 'node:crypto';
import type { Random } from '../../core/random.ts';
import {
  CLOUD_STATUS_TOPIC,
  kindNames,
  kinds,
  MESSAGE_BYTES_MAX,
  secondLogin,
  topicOf,
} from '../../protocols/uplink/topics.ts';

const PBKDF2_ROUNDS = 101;
const SALT_BYTES = 12;
const HASH_BYTES = 64;

/** A message, its topic of at most 160 bytes, and the fixed header of 5 (MQTT 3.1.1, 2.2). */
const PACKET_BYTES_MAX = MESSAGE_BYTES_MAX + 512;
/** For who does not read fast enough; what is dropped was not acked and comes again. */
const QUEUED_MESSAGES_MAX = 10_000;
const SESSION_KEPT = '1h';

export interface MosquittoGateway {
  readonly id: string;
  readonly area: string;
  /** As `mosquittoPassword` made it; null for a secret that is older than that. */
  readonly password: string | null;
}

export interface MosquittoOptions {
  readonly host: string;
  readonly port: number;
  /** Files of the broker's machine; without them it speaks plain TCP. */
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  /** Where the broker will find the files. */
  readonly folder: string;
  readonly gateways: readonly MosquittoGateway[];
  readonly cloud: { readonly name: string; readonly password: string };
}

export interface MosquittoFiles {
  readonly 'mosquitto.conf': string;
  readonly passwords: string;
  readonly acl: string;
}

/** `$7$rounds$salt$hash`, the form mosquitto_passwd writes. */
export function mosquittoPassword(random: Random, secret: string): string {
  const salt = random.bytes(SALT_BYTES);
  const hash = pbkdf2Sync(secret, salt, PBKDF2_ROUNDS, HASH_BYTES, 'sha512');
  return `$7$${PBKDF2_ROUNDS}$${Buffer.from(salt).toString('base64')}$${hash.toString('base64')}`;
}

/** Gateways without a password in this form are left out of all files: they cannot log in. */
export function mosquittoFiles(options: MosquittoOptions): MosquittoFiles {
  const { cloud } = options;
  const gateways = options.gateways.filter(({ password }) => password !== null);
  const users = [
    cloud,
    ...gateways.flatMap(({ id, password }) => loginsOf(id).map((name) => ({ name, password }))),
  ];
  return {
    'mosquitto.conf': configuration(options),
    passwords: users.map(({ name, password }) => `${name}:${password}\n`).join(''),
    acl: [
      '# Written by `lifeline cloud broker mosquitto`. A user without a rule has no right at all.\n',
      userRules(cloud.name, { area: '+', gateway: '+', writes: 'down' }),
      ...gateways.flatMap(({ id, area }) =>
        loginsOf(id).map((name) => userRules(name, { area, gateway: id, writes: 'up' })),
      ),
    ].join('\n'),
  };
}

function configuration({ host, port, tls, folder }: MosquittoOptions): string {
  const lines = [
    '# Written by `lifeline cloud broker mosquitto`; it is written anew, so keep own settings elsewhere.',
    '# After a gateway was enrolled or removed: write anew, then send Mosquitto SIGHUP.',
    'per_listener_settings false',
    `listener ${port} ${host}`,
    ...(tls ? [`certfile ${tls.certificate}`, `keyfile ${tls.key}`, 'tls_version tlsv1.2'] : []),
    'allow_anonymous false',
    `password_file ${folder}/passwords`,
    `acl_file ${folder}/acl`,
    '# Whoever logs in is known by its user name: nobody takes the place of another.',
    'use_username_as_clientid true',
    'allow_zero_length_clientid false',
    '# Nothing depends on what a broker keeps.',
    'persistence false',
    `persistent_client_expiration ${SESSION_KEPT}`,
    'queue_qos0_messages false',
    `max_queued_messages ${QUEUED_MESSAGES_MAX}`,
    `max_packet_size ${PACKET_BYTES_MAX}`,
    'set_tcp_nodelay true',
  ];
  return `${lines.join('\n')}\n`;
}

// The second is for its second path; the same secret opens both.
function loginsOf(gateway: string): string[] {
  return [gateway, secondLogin(gateway)];
}

interface Owner {
  readonly area: string;
  readonly gateway: string;
  readonly writes: 'up' | 'down';
}

function userRules(name: string, { area, gateway, writes }: Owner): string {
  const rules = kindNames.map((kind) => {
    const right = kinds[kind].way === writes ? 'write' : 'read';
    return `topic ${right} ${topicOf(area, gateway, kind)}\n`;
  });
  const ofCloud = writes === 'down' ? 'readwrite' : 'read';
  return `user ${name}\n${rules.join('')}topic ${ofCloud} ${CLOUD_STATUS_TOPIC}\n`;
}
