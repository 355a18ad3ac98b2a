import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  CLOUD_STATUS_TOPIC,
  downFilters,
  type Kind,
  kindNames,
  kinds,
  upFilters,
} from '../../protocols/uplink/topics.ts';
import { Exchange } from './exchange.ts';
import { CONNECT_BYTES_MAX, FRAME_BYTES_MAX, FrameLimit } from './frame-limit.ts';
import {
  type BrokerCredential,
  checkLogin,
  checkPublish,
  checkSubscribe,
  loginsOf,
} from './rights.ts';

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');
const gateway: BrokerCredential = {
  name: 'gw-1',
  sha256: sha256('one'),
  role: 'gateway',
  area: 'east',
};
const cloud: BrokerCredential = { name: 'cloud', sha256: sha256('two'), role: 'cloud' };
const all = new Map([gateway, cloud].map((it) => [it.name, it]));
const message = (topic: string, more: { qos?: number; retain?: boolean; bytes?: number } = {}) => {
  return { topic, qos: 0, retain: false, bytes: 10, ...more };
};

test('every kind has one way, and each role publishes one and hears the other', () => {
  const expected: Record<Kind, 'gateway' | 'cloud'> = {
    birth: 'gateway',
    status: 'gateway',
    'status-2': 'gateway',
    live: 'gateway',
    backfill: 'gateway',
    event: 'gateway',
    reported: 'gateway',
    reply: 'gateway',
    ack: 'cloud',
    desired: 'cloud',
    command: 'cloud',
    confirm: 'cloud',
  };
  for (const kind of kindNames) {
    const topic = `lifeline/v1/east/gw-1/${kind}`;
    for (const credential of [gateway, cloud]) {
      const isPublisher = expected[kind] === credential.role;
      expect([kind, checkPublish(credential, message(topic))]).toEqual([
        kind,
        isPublisher ? null : 'wrong_way',
      ]);
      expect([kind, checkSubscribe(credential, topic)]).toEqual([
        kind,
        isPublisher ? 'wrong_way' : null,
      ]);
      const retained = checkPublish(credential, message(topic, { retain: true }));
      if (isPublisher)
        expect([kind, retained]).toEqual([kind, kinds[kind].retain ? null : 'retained']);
    }
  }
});

test('a gateway has a second login with the same secret and topics, and no third', () => {
  const logins = loginsOf([gateway, cloud]);
  const login = (name: string, password = 'one', clientId = name) =>
    checkLogin(logins, {
      ...{ clientId, username: name, clean: true, will: null },
      password: Buffer.from(password),
    });
  const second = login('gw-1.2');
  expect(second).toMatchObject({ name: 'gw-1.2', gateway: 'gw-1', area: 'east' });
  expect(login('gw-1.2', 'other')).toBe('wrong_secret');
  expect(login('gw-1.3')).toBe('unknown_name');
  expect(login('cloud.2', 'two')).toBe('unknown_name');
  // Neither takes the place of the other.
  expect(login('gw-1.2', 'one', 'gw-1')).toBe('wrong_client_id');
  expect(login('gw-1', 'one', 'gw-1.2')).toBe('wrong_client_id');
  if (typeof second === 'string') throw new Error(second);
  for (const kind of kindNames) {
    const own = `lifeline/v1/east/gw-1/${kind}`;
    expect(checkPublish(second, message(own))).toBe(checkPublish(gateway, message(own)));
    expect(checkSubscribe(second, own)).toBe(checkSubscribe(gateway, own));
    const other = `lifeline/v1/east/gw-2/${kind}`;
    expect(checkPublish(second, message(other))).toBe('foreign_topic');
  }
});

test('the cloud says whether it is there, and everybody may hear it', () => {
  expect(checkPublish(cloud, message(CLOUD_STATUS_TOPIC, { qos: 1, retain: true }))).toBeNull();
  expect(checkPublish(gateway, message(CLOUD_STATUS_TOPIC))).toBe('wrong_way');
  for (const one of [gateway, cloud]) expect(checkSubscribe(one, CLOUD_STATUS_TOPIC)).toBeNull();
});

test('the filters of both sides are allowed to them, and only to them', () => {
  for (const { filter } of downFilters('east', 'gw-1')) {
    expect(checkSubscribe(gateway, filter)).toBeNull();
    expect(checkSubscribe({ ...gateway, name: 'gw-2' }, filter)).toBe('foreign_topic');
    expect(checkSubscribe({ ...gateway, area: 'west' }, filter)).toBe('foreign_topic');
  }
  for (const { filter } of [...upFilters(), ...upFilters('east')]) {
    expect(checkSubscribe(cloud, filter)).toBeNull();
    expect(checkSubscribe(gateway, filter)).toBe('wildcard');
  }
});

test('other filters are nobody’s', () => {
  for (const filter of [
    '#',
    '+/+/+/+/+',
    '$SYS/#',
    '$SYS/broker',
    'lifeline/v1/#',
    'lifeline/v1/east/gw-1/+',
  ]) {
    expect([filter, checkSubscribe(gateway, filter)]).not.toEqual([filter, null]);
    expect([filter, checkSubscribe(cloud, filter)]).not.toEqual([filter, null]);
  }
});

test('a topic that is not exactly the gateway’s own is refused, whatever it looks like', () => {
  const part = fc.constantFrom(
    'lifeline',
    'v1',
    'east',
    'west',
    'gw-1',
    'gw-2',
    'live',
    '+',
    '#',
    '',
    '$SYS',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 7 }), (parts) => {
      const topic = parts.join('/');
      const isOwn = topic === 'lifeline/v1/east/gw-1/live';
      expect(checkPublish(gateway, message(topic)) === null).toBe(isOwn);
    }),
  );
});

test('size and QoS have limits', () => {
  const topic = 'lifeline/v1/east/gw-1/live';
  expect(checkPublish(gateway, message(topic, { bytes: 128 * 1024 }))).toBeNull();
  expect(checkPublish(gateway, message(topic, { bytes: 128 * 1024 + 1 }))).toBe('too_large');
  expect(checkPublish(gateway, message(topic, { qos: 2 }))).toBe('qos');
});

test('who logs in is who the secret says, with a clean session and a will that it may publish', () => {
  const login = (more: object) =>
    checkLogin(all, {
      ...{ clientId: 'gw-1', username: 'gw-1', password: Buffer.from('one') },
      ...{ clean: true, will: null },
      ...more,
    });
  expect(login({})).toBe(gateway);
  expect(login({ password: Buffer.from('two') })).toBe('wrong_secret');
  expect(login({ password: undefined })).toBe('wrong_secret');
  expect(login({ username: undefined })).toBe('unknown_name');
  expect(login({ username: 'gw-2' })).toBe('unknown_name');
  expect(login({ clientId: 'gw-2' })).toBe('wrong_client_id');
  expect(login({ clientId: 'cloud' })).toBe('wrong_client_id');
  expect(login({ clean: false })).toBe('session_kept');
  const will = (kind: string) => message(`lifeline/v1/east/gw-1/${kind}`, { retain: true, qos: 1 });
  expect(login({ will: will('status') })).toBe(gateway);
  expect(login({ will: will('live') })).toBe('retained');
  expect(login({ will: will('ack') })).toBe('wrong_way');
  expect(login({ will: message('lifeline/v1/east/gw-2/status') })).toBe('foreign_topic');
});

const frame = (type: number, length: number) => {
  const head = [type];
  for (let rest = length; ; rest >>>= 7) {
    head.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Uint8Array.from([...head, ...new Uint8Array(length)]);
};

test('frames within their limits pass however they are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 200 })),
      (lengths, cuts) => {
        const bytes = Uint8Array.from(lengths.flatMap((length) => [...frame(0x30, length)]));
        const limit = new FrameLimit();
        let at = 0;
        while (at < bytes.length) {
          const next = at + (cuts.next().value ?? 1);
          expect(limit.accept(bytes.subarray(at, next))).toBe(true);
          at = next;
        }
      },
    ),
  );
});

test('a frame that is too long is known by its header; the first one is a CONNECT and short', () => {
  expect(new FrameLimit().accept(frame(0x10, CONNECT_BYTES_MAX).subarray(0, 5))).toBe(true);
  expect(new FrameLimit().accept(frame(0x10, CONNECT_BYTES_MAX + 1).subarray(0, 5))).toBe(false);
  const limit = new FrameLimit();
  expect(limit.accept(frame(0x10, 20))).toBe(true);
  expect(limit.accept(frame(0x30, FRAME_BYTES_MAX))).toBe(true);
  expect(limit.accept(frame(0x30, FRAME_BYTES_MAX + 1).subarray(0, 5))).toBe(false);
  expect(new FrameLimit().accept(Uint8Array.from([0x10, 255, 255, 255, 255, 1]))).toBe(false);
});

test('a subscriber by exact topic is not waited for; one with a wildcard is', () => {
  const exchange = new Exchange();
  const took: string[] = [];
  const waiting: (() => void)[] = [];
  exchange.on('a/1', () => took.push('stalled'));
  exchange.on('a/2', () => took.push('healthy'));
  exchange.emit({ topic: 'a/1' });
  exchange.emit({ topic: 'a/2' });
  exchange.on('+/3', (_, done) => waiting.push(done));
  let isDone = false;
  exchange.emit({ topic: 'a/3' }, () => {
    isDone = true;
  });
  expect([took, isDone]).toEqual([['stalled', 'healthy'], false]);
  waiting[0]?.();
  expect(isDone).toBe(true);
});

test('the cloud publishes to topics of the site, a reader hears them, and neither hears gateways there', () => {
  const reader = { name: 'panel', sha256: sha256('three'), role: 'reader' } as const;
  const retained = { qos: 1, retain: true };
  expect(checkPublish(cloud, message('site/alarms', retained))).toBeNull();
  expect(checkPublish(gateway, message('site/alarms'))).toBe('foreign_topic');
  expect(checkPublish(reader, message('site/alarms'))).toBe('wrong_way');
  for (const topic of ['lifeline', 'lifeline/x', '$SYS/x', 'site/#', 'a b', '']) {
    expect(checkPublish(cloud, message(topic)), topic).toBe('foreign_topic');
  }
  expect(checkSubscribe(reader, 'site/alarms')).toBeNull();
  expect(checkSubscribe(gateway, 'site/alarms')).toBe('foreign_topic');
  for (const filter of ['#', 'site/#', 'site/+/raised', '+/v1']) {
    expect(checkSubscribe(reader, filter), filter).toBe('wildcard');
  }
  for (const filter of ['lifeline/v1/cloud/status', 'lifeline', '$SYS/x', '/a', '']) {
    expect(checkSubscribe(reader, filter), filter).toBe('foreign_topic');
  }
  expect(loginsOf([reader]).has('panel.2')).toBe(false);
});
