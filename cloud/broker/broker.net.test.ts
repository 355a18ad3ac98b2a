// The sentences on MQTT of the security section, each over real sockets with a foreign client
// library.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient } from 'mqtt';
import { afterEach, expect, test } from 'vitest';
import { downFilters, MESSAGE_BYTES_MAX, upFilters } from '../../protocols/uplink/topics.ts';
import { type Broker, type BrokerCredential, openBroker, type Refused } from './broker.ts';

const sha256 = (secret: string) => createHash('sha256').update(secret).digest('hex');
const credentials: readonly BrokerCredential[] = [
  { name: 'cloud', sha256: sha256('secret of cloud'), role: 'cloud' },
  ...['gw-1', 'gw-2', 'gw-3'].map((name) => ({
    ...{ name, sha256: sha256(`secret of ${name}`), role: 'gateway' as const, area: 'east' },
  })),
  { name: 'panel', sha256: sha256('secret of panel'), role: 'reader' },
];

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(): Promise<{ broker: Broker; refused: Refused[] }> {
  const broker = await openBroker({ port: 0, credentials });
  const refused: Refused[] = [];
  broker.onRefused = (it) => refused.push(it);
  closers.push(() => broker.close());
  return { broker, refused };
}

function client(broker: Broker, name: string, more: IClientOptions = {}): MqttClient {
  const mqtt = connect(`mqtt://127.0.0.1:${broker.port}`, {
    ...{ clientId: name, username: name, password: `secret of ${name}`, keepalive: 30 },
    ...{ protocolVersion: 4, clean: true, reconnectPeriod: 0, ...more },
  });
  mqtt.on('error', () => {}); // What came of it is asserted by the caller.
  closers.push(() => mqtt.endAsync(true));
  return mqtt;
}

/** 'in', or the return code of the refusal; 'closed' when the broker just hung up. */
function outcome(mqtt: MqttClient): Promise<string> {
  return new Promise((resolve) => {
    mqtt.once('connect', () => resolve('in'));
    mqtt.once('error', (error) => resolve(`${(error as { code?: number }).code ?? error.message}`));
    mqtt.once('close', () => resolve('closed'));
  });
}

function hungUp(mqtt: MqttClient): Promise<void> {
  return new Promise((resolve) => mqtt.once('close', () => resolve()));
}

async function connected(broker: Broker, name: string, more?: IClientOptions): Promise<MqttClient> {
  const mqtt = client(broker, name, more);
  expect(await outcome(mqtt)).toBe('in');
  return mqtt;
}

const reasonsOf = (refused: readonly Refused[]) => refused.map(({ reason }) => reason);

test('only who gives the right secret under its own name gets in, and is told nothing more', async () => {
  const { broker, refused } = await open();
  const cases: readonly (readonly [IClientOptions, string])[] = [
    [{}, 'in'],
    [{ password: 'wrong' }, 'wrong_secret'],
    [{ password: 'secret of gw-2' }, 'wrong_secret'],
    [{ username: 'nobody' }, 'unknown_name'],
    [{ username: '' }, 'unknown_name'],
    [{ clientId: 'gw-2' }, 'wrong_client_id'],
    [{ clientId: 'cloud' }, 'wrong_client_id'],
    [{ clean: false }, 'session_kept'],
    [{ will: will('lifeline/v1/east/gw-1/status') }, 'in'],
    [{ will: will('lifeline/v1/east/gw-2/status') }, 'foreign_topic'],
    [{ will: will('lifeline/v1/west/gw-1/status') }, 'foreign_topic'],
    [{ will: will('lifeline/v1/east/gw-1/ack') }, 'wrong_way'],
  ];
  for (const [more, expected] of cases) {
    refused.length = 0;
    const mqtt = client(broker, 'gw-1', more);
    const result = await outcome(mqtt);
    if (expected !== 'in') await expect.poll(() => reasonsOf(refused)).toEqual([expected]);
    // Whatever was wrong, the answer is the same: 5, not authorized.
    expect([expected, result]).toEqual([expected, expected === 'in' ? 'in' : '5']);
    await mqtt.endAsync(true);
  }
});

function will(topic: string) {
  return { topic, payload: Buffer.from('x'), qos: 1 as const, retain: true };
}

test('a gateway publishes only its up kinds; anything else ends its connection and reaches nobody', async () => {
  const { broker, refused } = await open();
  const cloud = await connected(broker, 'cloud');
  for (const { filter, qos } of upFilters()) await cloud.subscribeAsync(filter, { qos });
  const heard: string[] = [];
  cloud.on('message', (topic) => heard.push(topic));
  const cases: readonly (readonly [
    string,
    { retain?: boolean; qos?: 0 | 1 | 2; bytes?: number },
    string,
  ])[] = [
    ['lifeline/v1/east/gw-1/live', {}, 'heard'],
    ['lifeline/v1/east/gw-1/status', { retain: true, qos: 1 }, 'heard'],
    ['lifeline/v1/east/gw-1/live', { retain: true }, 'retained'],
    ['lifeline/v1/east/gw-1/live', { qos: 2 }, 'qos'],
    ['lifeline/v1/east/gw-2/live', {}, 'foreign_topic'],
    ['lifeline/v1/west/gw-1/live', {}, 'foreign_topic'],
    ['lifeline/v2/east/gw-1/live', {}, 'foreign_topic'],
    ['$SYS/x', {}, 'foreign_topic'],
    ['lifeline/v1/east/gw-1/ack', {}, 'wrong_way'],
    ['lifeline/v1/east/gw-1/desired', {}, 'wrong_way'],
    ['lifeline/v1/east/gw-1/command', {}, 'wrong_way'],
    ['lifeline/v1/east/gw-1/confirm', {}, 'wrong_way'],
    ['lifeline/v1/east/gw-1/live', { bytes: MESSAGE_BYTES_MAX }, 'heard'],
    ['lifeline/v1/east/gw-1/live', { bytes: MESSAGE_BYTES_MAX + 1 }, 'too_large'],
    ['lifeline/v1/east/gw-1/live', { bytes: 4 * MESSAGE_BYTES_MAX }, 'too_large'],
  ];
  for (const [topic, { bytes = 3, ...options }, expected] of cases) {
    heard.length = 0;
    refused.length = 0;
    const gateway = await connected(broker, 'gw-1');
    const closed = hungUp(gateway);
    gateway.publish(topic, Buffer.alloc(bytes), options);
    if (expected === 'heard') await expect.poll(() => heard).toEqual([topic]);
    else {
      await closed;
      await expect.poll(() => reasonsOf(refused)).toEqual([expected]);
      expect(heard).toEqual([]);
    }
    await gateway.endAsync(true);
  }
});

test('of a message that is too large, its sender, topic, size and first bytes are told', async () => {
  const { broker, refused } = await open();
  const topic = 'lifeline/v1/east/gw-1/event';
  for (const bytes of [MESSAGE_BYTES_MAX + 1, 4 * MESSAGE_BYTES_MAX, 3_000_000]) {
    for (const qos of [0, 1] as const) {
      refused.length = 0;
      const gateway = await connected(broker, 'gw-1');
      const closed = hungUp(gateway);
      const payload = Buffer.alloc(bytes, 'abc');
      gateway.publish(topic, payload, { qos });
      await closed;
      await expect.poll(() => reasonsOf(refused)).toEqual(['too_large']);
      expect(refused[0]).toMatchObject({ name: 'gw-1', topic, size: bytes });
      const told = Buffer.from(refused[0]!.payload);
      expect(told.length).toBeGreaterThan(1_000);
      expect(told).toEqual(payload.subarray(0, told.length));
      await gateway.endAsync(true);
    }
  }
});

test('a gateway hears only its own down kinds, by exact topic; the cloud only up kinds', async () => {
  const { broker, refused } = await open();
  const gateway = await connected(broker, 'gw-1');
  const cloud = await connected(broker, 'cloud');
  const granted = async (mqtt: MqttClient, filter: string) => {
    const [first] = await mqtt.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }]);
    return first?.qos ?? 128;
  };
  for (const { filter } of downFilters('east', 'gw-1'))
    expect(await granted(gateway, filter)).toBe(1);
  const never = ['#', '$SYS/#', '+/+/+/+/+', 'lifeline/v1/east/gw-1/#', 'lifeline/v1/east/gw-1/+'];
  const others = [
    'lifeline/v1/east/+/ack',
    'lifeline/v1/east/gw-2/ack',
    'lifeline/v1/east/gw-1/live',
  ];
  for (const filter of [...never, ...others]) {
    expect([filter, await granted(gateway, filter)]).toEqual([filter, 128]);
  }
  for (const filter of [
    ...never,
    'lifeline/v1/east/gw-1/ack',
    '$share/a/lifeline/v1/east/gw-1/live',
  ]) {
    expect([filter, await granted(cloud, filter)]).toEqual([filter, 128]);
  }
  const heard: string[] = [];
  gateway.on('message', (topic) => heard.push(topic));
  await cloud.publishAsync('lifeline/v1/east/gw-2/ack', 'for another', { qos: 1 });
  await cloud.publishAsync('lifeline/v1/east/gw-1/ack', 'for it', { qos: 1 });
  await expect.poll(() => heard).toEqual(['lifeline/v1/east/gw-1/ack']);
  expect(refused.length).toBeGreaterThan(10);
});

test('the last will tells the cloud that a gateway is gone, once', async () => {
  const { broker } = await open();
  const cloud = await connected(broker, 'cloud');
  await cloud.subscribeAsync('lifeline/v1/+/+/status', { qos: 1 });
  const heard: string[] = [];
  cloud.on('message', (topic) => heard.push(topic));
  const gateway = await connected(broker, 'gw-1', { will: will('lifeline/v1/east/gw-1/status') });
  gateway.stream.destroy();
  await expect.poll(() => heard).toEqual(['lifeline/v1/east/gw-1/status']);
});

test('a name is taken over only by who gives its secret', async () => {
  const { broker } = await open();
  const first = await connected(broker, 'gw-1');
  expect(await outcome(client(broker, 'gw-1', { password: 'guessed' }))).toBe('5');
  expect(first.connected).toBe(true);
  const closed = hungUp(first);
  const second = await connected(broker, 'gw-1');
  await closed;
  expect(second.connected).toBe(true);
  await expect.poll(async () => (await broker.stats()).connected).toBe(1);
});

test('a credential that is taken away, or has a new secret, ends the open connection', async () => {
  const { broker } = await open();
  const [one, two, three] = await Promise.all(
    ['gw-1', 'gw-2', 'gw-3'].map((name) => connected(broker, name)),
  );
  const closed = Promise.all([hungUp(one!), hungUp(two!)]);
  broker.setCredentials(
    credentials.flatMap((it) => {
      if (it.name === 'gw-1') return [];
      return [it.name === 'gw-2' ? { ...it, sha256: sha256('new') } : it];
    }),
  );
  await closed;
  expect(three!.connected).toBe(true);
  expect(await outcome(client(broker, 'gw-1'))).toBe('5');
  expect(await outcome(client(broker, 'gw-2', { password: 'new' }))).toBe('in');
});

test('beyond loopback the broker wants TLS, or to be told that none is needed', async () => {
  await expect(openBroker({ host: '0.0.0.0', port: 0, credentials })).rejects.toMatchObject({
    code: 'broker_insecure',
  });
  const { broker } = await open();
  await expect(openBroker({ port: broker.port, credentials })).rejects.toMatchObject({
    code: 'broker_bind',
  });
});

function raw(broker: Broker): Socket {
  const socket = connectSocket(broker.port, '127.0.0.1');
  socket.on('error', () => {}); // A hang-up is what is expected.
  closers.push(() => socket.destroy());
  return socket;
}

test('what is no MQTT, and a CONNECT that is too long, is hung up on', async () => {
  const { broker } = await open();
  const hello = Buffer.from('GET / HTTP/1.1\r\n\r\n');
  const longConnect = Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f, ...Buffer.alloc(64)]);
  for (const bytes of [hello, longConnect, Buffer.from([0x10, 0xff, 0xff, 0xff, 0xff, 0x01])]) {
    const socket = raw(broker);
    socket.write(bytes);
    await once(socket, 'close');
  }
  await expect.poll(async () => (await broker.stats()).refused.too_large).toBe(2);
  await connected(broker, 'gw-1');
});

// A gateway as a process of its own, so that it can be stopped for real.
async function gatewayProcess(broker: Broker, name: string): Promise<ChildProcess> {
  const script = `
    import { connect } from 'mqtt';
    const [, port, name] = process.argv;
    const mqtt = connect('mqtt://127.0.0.1:' + port, {
      clientId: name, username: name, password: 'secret of ' + name, keepalive: 60, reconnectPeriod: 0,
    });
    await mqtt.subscribeAsync('lifeline/v1/east/' + name + '/ack', { qos: 1 });
    console.log('subscribed');
    setTimeout(() => process.exit(), 60_000);`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', script, `${broker.port}`, name],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  closers.push(() => child.kill('SIGKILL'));
  const { stdout } = child;
  if (stdout) await once(stdout, 'data');
  return child;
}

test('a gateway that stops reading while 10,000 messages are addressed to it delays and ends nothing', async () => {
  const { broker, refused } = await open();
  const cloud = await connected(broker, 'cloud');
  const stalled = await gatewayProcess(broker, 'gw-1');
  const healthy = await connected(broker, 'gw-2');
  await healthy.subscribeAsync('lifeline/v1/east/gw-2/ack', { qos: 1 });
  let heard = 0;
  healthy.on('message', () => heard++);
  stalled.kill('SIGSTOP');
  const payload = Buffer.alloc(2_048); // 20 MB together: more than the kernel keeps for it.
  let sent = 0;
  for (let at = 0; at < 10_000; at++) {
    cloud.publish('lifeline/v1/east/gw-1/ack', payload, { qos: at % 2 ? 1 : 0 });
    if (at % 25 > 0) continue;
    await cloud.publishAsync('lifeline/v1/east/gw-2/ack', 'x', { qos: 1 });
    sent++;
  }
  await expect.poll(() => heard, { timeout: 5_000 }).toBe(sent);
  expect(reasonsOf(refused)).toContain('stalled');
  await expect.poll(async () => (await broker.stats()).connected).toBe(2);
  // It comes back, and is served like the others.
  const again = await connected(broker, 'gw-1');
  await again.subscribeAsync('lifeline/v1/east/gw-1/ack', { qos: 1 });
  const message = new Promise<string>((resolve) => {
    again.once('message', (_, bytes) => resolve(String(bytes)));
  });
  await cloud.publishAsync('lifeline/v1/east/gw-1/ack', 'there', { qos: 1 });
  expect(await message).toBe('there');
});

test('a panel that connects later sees the alarm that stands, and nothing of the gateways', async () => {
  const { broker, refused } = await open();
  const cloud = await connected(broker, 'cloud');
  await cloud.publishAsync('site/alarms/gas', 'raised', { qos: 1, retain: true });
  const panel = await connected(broker, 'panel');
  const heard: string[] = [];
  panel.on('message', (topic, payload) => heard.push(`${topic} ${payload.toString()}`));
  await panel.subscribeAsync('site/alarms/gas', { qos: 1 });
  await expect.poll(() => heard).toEqual(['site/alarms/gas raised']);
  const gateway = await connected(broker, 'gw-1');
  await gateway.publishAsync('lifeline/v1/east/gw-1/live', 'x', { qos: 1 });
  await cloud.publishAsync('site/alarms/gas', 'cleared', { qos: 1, retain: true });
  await expect.poll(() => heard).toEqual(['site/alarms/gas raised', 'site/alarms/gas cleared']);
  expect(refused).toEqual([]);
  await panel.subscribeAsync('site/#').catch(() => {});
  expect(reasonsOf(refused)).toEqual(['wildcard']);
});
