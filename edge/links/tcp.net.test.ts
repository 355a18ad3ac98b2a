import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import type { Fault } from '../../core/fault.ts';
import type { Link } from '../../protocols/driver.ts';
import { openTcpLink, SEND_BYTES_MAX } from './tcp.ts';

const open: { server: Server; sockets: Socket[] }[] = [];
afterEach(() => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

function listen(onSocket: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    onSocket(socket);
  });
  open.push({ server, sockets });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

const connectTo = (port: number, signal = new AbortController().signal): Promise<Link> =>
  openTcpLink(systemClock, { host: '127.0.0.1', port, connectTimeoutMs: 2000 }, signal);

const closed = (link: Link): Promise<Fault | null> =>
  new Promise((resolve) => {
    link.onClose = resolve;
  });

test('bytes go both ways, in order', async () => {
  const port = await listen((socket) => socket.pipe(socket));
  const link = await connectTo(port);
  const seen: number[] = [];
  const all = new Promise<void>((resolve) => {
    link.onBytes = (bytes) => {
      seen.push(...bytes);
      if (seen.length === 200) resolve();
    };
  });
  for (let at = 0; at < 100; at++) link.send(Uint8Array.of(at, at));
  await all;
  expect(seen).toEqual(Array.from({ length: 200 }, (_, at) => at >> 1));
  link.close();
});

test('nothing listening is refused with a fault that may be tried again', async () => {
  const port = await listen(() => {});
  for (const { server } of open.splice(0)) server.close();
  await expect(connectTo(port)).rejects.toMatchObject({ code: 'link_refused', retry: 'later' });
});

test('an attempt ends at once when it is told to', async () => {
  const stop = new AbortController();
  stop.abort();
  const port = await listen(() => {});
  await expect(connectTo(port, stop.signal)).rejects.toMatchObject({ code: 'link_closed' });
});

test('the end is told once: why, when the peer hung up; null, when it was ours', async () => {
  const port = await listen((socket) => socket.destroy());
  expect(await closed(await connectTo(port))).toMatchObject({ code: 'link_lost' });

  const quiet = await listen(() => {});
  const link = await connectTo(quiet);
  let calls = 0;
  const end = new Promise<Fault | null>((resolve) => {
    link.onClose = (why) => {
      calls++;
      resolve(why);
    };
  });
  link.close();
  link.close();
  link.send(Uint8Array.of(1)); // Silently nothing.
  expect(await end).toBeNull();
  expect(calls).toBe(1);
});

test('a peer that stops reading is closed as stalled, within the bound', async () => {
  const port = await listen((socket) => socket.pause());
  const link = await connectTo(port);
  let sent = 0;
  let why: Fault | null | undefined;
  link.onClose = (fault) => {
    why = fault;
  };
  // The kernel takes some megabytes by itself; what it does not take may not pile up here.
  for (let at = 0; at < 10_000 && why === undefined; at++) {
    link.send(new Uint8Array(SEND_BYTES_MAX / 2));
    sent += SEND_BYTES_MAX / 2;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(why).toMatchObject({ code: 'link_stalled', retry: 'later' });
  expect(sent).toBeLessThan(64 * 1024 * 1024);
});
