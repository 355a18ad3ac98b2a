import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seededRandom } from '../../core/random.ts';
import { CLOUD_STATUS_TOPIC, kindNames, kinds, parseTopic } from '../../protocols/uplink/topics.ts';
import { mosquittoFiles, mosquittoPassword } from './mosquitto.ts';
import { type BrokerCredential, checkPublish, checkSubscribe } from './rights.ts';

const options = {
  host: '127.0.0.1',
  port: 1883,
  tls: null,
  folder: '/etc/mosquitto/lifeline',
  gateways: [
    { id: 'gw-1', area: 'east', password: '$7$101$c2FsdA==$aGFzaA==' },
    { id: 'gw-2', area: 'west', password: null },
  ],
  cloud: { name: 'cloud', password: '$7$101$eA==$eQ==' },
};

test('the password is what mosquitto_passwd 2.0 wrote for this secret and salt', () => {
  // `mosquitto_passwd -b FILE gw-1 sekret`, 2.0.11: its salt is given back to us as the random bytes.
  const salt = Buffer.from('97s36wSmLFqdZCCc', 'base64');
  const random = { next: () => 0, bytes: () => new Uint8Array(salt) };
  expect(mosquittoPassword(random, 'sekret')).toBe(
    '$7$101$97s36wSmLFqdZCCc$JLeV7RW0+7aSP7owpwqnqYZzVsXRQzJUik0l936NfMirkGv4dWCZDuLn/8+e69nVeZtsxO6znFfL8xQjczsR9w==',
  );
  expect(mosquittoPassword(seededRandom(1), 'x')).not.toBe(mosquittoPassword(seededRandom(2), 'x'));
});

test('who has no password in this form stands in no file', () => {
  const { passwords, acl } = mosquittoFiles(options);
  const own = '$7$101$c2FsdA==$aGFzaA==';
  expect(passwords).toBe(`cloud:$7$101$eA==$eQ==\ngw-1:${own}\ngw-1.2:${own}\n`);
  expect(acl).not.toContain('gw-2');
});

test('nobody without a name, nothing kept, a bound on each message, loopback as asked', () => {
  const conf = mosquittoFiles(options)['mosquitto.conf'].split('\n');
  for (const line of [
    'listener 1883 127.0.0.1',
    'allow_anonymous false',
    'use_username_as_clientid true',
    'persistence false',
    'max_packet_size 131584',
    'password_file /etc/mosquitto/lifeline/passwords',
    'acl_file /etc/mosquitto/lifeline/acl',
  ]) {
    expect(conf).toContain(line);
  }
  expect(conf.join('\n')).not.toContain('certfile');
  const tls = { certificate: '/etc/tls/cert.pem', key: '/etc/tls/key.pem' };
  const closed = mosquittoFiles({ ...options, tls })['mosquitto.conf'];
  expect(closed).toContain('certfile /etc/tls/cert.pem\nkeyfile /etc/tls/key.pem');
});

interface Rules {
  readonly read: readonly string[];
  readonly write: readonly string[];
}

// As mosquitto.conf(5) says: `user NAME`, then `topic read|write TOPIC` lines of that user.
function rulesOf(acl: string, user: string): Rules {
  const section = acl.split(/^user /m).find((text) => text.startsWith(`${user}\n`)) ?? '';
  const topics = (right: string) =>
    [...section.matchAll(new RegExp(`^topic ${right} (.*)$`, 'gm'))].map((match) => match[1]!);
  const both = topics('readwrite');
  return { read: [...topics('read'), ...both], write: [...topics('write'), ...both] };
}

const fits = (filter: string, topic: string) => {
  const levels = topic.split('/');
  const parts = filter.split('/');
  return (
    parts.length === levels.length && parts.every((part, at) => part === '+' || part === levels[at])
  );
};

test('the access list says the same as the rights of the embedded broker, topic by topic', () => {
  const { acl } = mosquittoFiles(options);
  const people: readonly BrokerCredential[] = [
    { name: 'cloud', sha256: '', role: 'cloud' },
    { name: 'gw-1', sha256: '', role: 'gateway', area: 'east' },
    { name: 'gw-1.2', sha256: '', role: 'gateway', area: 'east', gateway: 'gw-1' },
  ];
  const ids = fc.constantFrom('east', 'west', 'gw-1', 'gw-2', 'cloud', '');
  const words = fc.constantFrom('lifeline', 'other');
  const versions = fc.constantFrom('v1', 'v2');
  const kind = fc.constantFrom(...kindNames, 'else', '');
  const topics = fc.oneof(
    { weight: 20, arbitrary: fc.tuple(words, versions, ids, ids, kind).map((it) => it.join('/')) },
    fc.constant(CLOUD_STATUS_TOPIC),
  );
  fc.assert(
    fc.property(fc.constantFrom(...people), topics, (credential, topic) => {
      const { read, write } = rulesOf(acl, credential.name);
      const message = { topic, qos: 1, retain: false, bytes: 1 };
      // Ids that are no ids are refused by the embedded broker even to the cloud; no gateway can have them.
      if (!parseTopic(topic) && topic !== CLOUD_STATUS_TOPIC) return;
      expect(write.some((filter) => fits(filter, topic))).toBe(
        checkPublish(credential, message) === null,
      );
      expect(read.some((filter) => fits(filter, topic))).toBe(
        checkSubscribe(credential, topic) === null,
      );
    }),
    { numRuns: 2_000 },
  );
  expect(rulesOf(acl, 'gw-1').write).toHaveLength(
    kindNames.filter((name) => kinds[name].way === 'up').length,
  );
});
