import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { SimClock } from '../core/clock.ts';
import { seededRandom } from '../core/random.ts';
import type { NetworkProxy, ProxySettings } from './proxy.ts';
import { QUEUE_BYTES_MAX, RETRANSMIT_MS, startProxy } from './proxy.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const soon = <T>(value: () => T) => expect.poll(value, { interval: 3 });

class Side {
  received = Buffer.alloc(0);
  ended: 'open' | 'end' | 'reset' = 'open';
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on('end', () => {
      this.ended = 'end';
    });
    socket.on('error', () => {
      this.ended = 'reset';
    });
    closers.push(() => socket.destroy());
  }

  get text(): string {
    return this.received.toString();
  }
}

interface Rig {
  readonly clock: SimClock;
  readonly proxy: NetworkProxy;
  readonly servers: Side[];
  /** Connects, if it is let. */
  dial(): Side;
  pair(): Promise<{ client: Side; server: Side }>;
}

async function rig(settings: Partial<ProxySettings> = {}): Promise<Rig> {
  const servers: Side[] = [];
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    servers.push(new Side(socket));
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  closers.push(() => listener.close());
  const clock = new SimClock();
  const target = { host: '127.0.0.1', port: (listener.address() as AddressInfo).port };
  const proxy = await startProxy({ target, port: 0, random: seededRandom(7), clock, settings });
  closers.push(() => proxy.close());
  const dial = () =>
    new Side(connect({ host: '127.0.0.1', port: proxy.port, allowHalfOpen: true }));
  const pair = async () => {
    const before = servers.length;
    const client = dial();
    await soon(() => servers.length).toBe(before + 1);
    return { client, server: servers.at(-1)! };
  };
  return { clock, proxy, servers, dial, pair };
}

test('a clean network carries both ways, and an end after everything before it', async () => {
  const { pair, proxy } = await rig();
  const { client, server } = await pair();
  client.socket.end('question');
  await soon(() => [server.text, server.ended]).toEqual(['question', 'end']);
  server.socket.end('answer');
  await soon(() => [client.text, client.ended]).toEqual(['answer', 'end']);
  await soon(() => proxy.connections).toBe(0);
});

test('delayed chunks come neither early nor out of order, whatever the jitter', async () => {
  const { clock, proxy, pair } = await rig({ delayMs: 1_000, jitterMs: 500 });
  const { client, server } = await pair();
  let sent = '';
  for (let at = 0; at < 50; at++) {
    const before = proxy.waitingBytes;
    client.socket.write(`${at} `);
    sent += `${at} `;
    await soon(() => proxy.waitingBytes).toBeGreaterThan(before);
  }
  await clock.advance(999);
  expect(proxy.waitingBytes).toBe(sent.length);
  await clock.advance(501);
  await soon(() => server.text).toBe(sent);
});

test('a lost chunk is a stall of all that is behind it, not a hole', async () => {
  const { clock, proxy, pair } = await rig({ lossPerChunk: 1 });
  const { client, server } = await pair();
  client.socket.write('first');
  await soon(() => proxy.waitingBytes).toBe(5);
  proxy.set({ lossPerChunk: 0 });
  client.socket.write('second');
  await soon(() => proxy.waitingBytes).toBe(11);
  await clock.advance(RETRANSMIT_MS);
  expect(proxy.waitingBytes).toBe(11);
  await clock.advance(60_000);
  await soon(() => server.text).toBe('firstsecond');
});

test('a narrow network carries so many bytes a second, and its sender feels it', async () => {
  const { clock, proxy, pair } = await rig({ bytesPerSecond: 1_000_000 });
  const { client, server } = await pair();
  const total = 4 * 1024 * 1024;
  client.socket.write(Buffer.alloc(total, 1));
  await soon(() => proxy.waitingBytes).toBeGreaterThan(QUEUE_BYTES_MAX);
  // At most one chunk beyond the bound was read before it was felt.
  expect(proxy.waitingBytes).toBeLessThan(QUEUE_BYTES_MAX + 128 * 1024);
  expect(server.received.length).toBe(0);
  for (let second = 1; server.received.length < total; second++) {
    await clock.advance(1_000);
    expect(server.received.length).toBeLessThanOrEqual(second * 1_000_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(client.socket.writableLength).toBe(0);
});

test('cut resets both sides and whoever comes, until it is taken back', async () => {
  const { proxy, pair, dial } = await rig();
  const { client, server } = await pair();
  proxy.set({ cut: true });
  await soon(() => [client.ended, server.ended]).toEqual(['reset', 'reset']);
  const late = dial();
  await soon(() => late.ended).toBe('reset');
  expect([proxy.connections, proxy.refused]).toEqual([0, 1]);
  proxy.set({ cut: false });
  const again = await pair();
  again.client.socket.write('x');
  await soon(() => again.server.text).toBe('x');
});

test('cutAll ends what is open now, and the next connection works', async () => {
  const { proxy, pair } = await rig();
  const { client, server } = await pair();
  proxy.cutAll();
  await soon(() => [client.ended, server.ended]).toEqual(['reset', 'reset']);
  const again = await pair();
  again.server.socket.write('y');
  await soon(() => again.client.text).toBe('y');
});

test('refuse keeps what is open and lets nobody else in', async () => {
  const { proxy, pair, dial } = await rig();
  const { client, server } = await pair();
  proxy.set({ refuse: true });
  const late = dial();
  await soon(() => late.ended).toBe('reset');
  client.socket.write('still here');
  await soon(() => server.text).toBe('still here');
});

test('half open swallows bytes and ends both ways, and what lost bytes never goes on', async () => {
  const { proxy, pair } = await rig({ delayMs: 100 });
  const { client, server } = await pair();
  client.socket.write('on its way');
  await soon(() => proxy.waitingBytes).toBe(10);
  proxy.set({ halfOpen: true });
  client.socket.write('more');
  server.socket.write('and back');
  await soon(() => proxy.swallowedBytes).toBe(22);
  client.socket.end();
  await once(client.socket, 'close');
  proxy.set({ halfOpen: false, delayMs: 0 });
  server.socket.write('?');
  await soon(() => proxy.swallowedBytes).toBe(23);
  expect([server.text, server.ended, client.text, proxy.connections]).toEqual(['', 'open', '', 1]);
  const again = await pair();
  again.client.socket.write('z');
  await soon(() => again.server.text).toBe('z');
});

test('who connects while the network is silent is not answered, and the target hears nothing', async () => {
  const { proxy, servers, dial } = await rig({ halfOpen: true });
  const client = dial();
  client.socket.write('hello?');
  await soon(() => proxy.swallowedBytes).toBe(6);
  expect([servers.length, client.ended]).toEqual([0, 'open']);
  proxy.cutAll();
  await soon(() => client.ended).toBe('reset');
});

test('what is said before the target answered is carried once it did', async () => {
  const { servers, dial } = await rig();
  const client = dial();
  client.socket.write('early');
  await soon(() => servers[0]?.text).toBe('early');
});

test('a target that is not there ends the connection', async () => {
  const clock = new SimClock();
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address() as AddressInfo;
  await new Promise((resolve) => closed.close(resolve));
  const options = { target: { host: '127.0.0.1', port }, port: 0, random: seededRandom(1), clock };
  await using proxy = await startProxy(options);
  const client = new Side(connect({ host: '127.0.0.1', port: proxy.port }));
  await soon(() => client.ended).toBe('reset');
  expect(proxy.connections).toBe(0);
});

test('the same seed delays the same chunks by the same time', async () => {
  const dueOf = async () => {
    const { clock, proxy, pair } = await rig({ jitterMs: 1_000, lossPerChunk: 0.3 });
    const { client } = await pair();
    const due: (number | null)[] = [];
    for (let at = 0; at < 20; at++) {
      client.socket.write('.');
      await soon(() => proxy.waitingBytes).toBe(1);
      due.push(clock.nextMs());
      await clock.advance(60_000);
      await soon(() => proxy.waitingBytes).toBe(0);
    }
    return due;
  };
  expect(await dueOf()).toEqual(await dueOf());
});
