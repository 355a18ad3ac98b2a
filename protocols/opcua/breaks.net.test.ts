import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { seededRandom } from '../../core/random.ts';
import { LINK_BACKOFF, Line } from '../../edge/collect/line.ts';
import { OpcUaProcess } from '../../simulators/opcua-process.ts';
import type { OpcUaServerOptions } from '../../simulators/opcua-server.ts';
import type { OpcuaSessionOnTest } from '../../tests/opcua-ground.ts';
import { closed, deviceOptions, FLOAT, OpcuaGround, P, Polled } from '../../tests/opcua-ground.ts';
import { opcua } from './driver.ts';
import type { OpcuaPlace } from './place.ts';

const ground = new OpcuaGround();
afterEach(() => ground.end());
afterAll(() => ground.remove());
beforeAll(() => ground.warm(), 30_000);

const quick = { timeoutMs: 500, keepAliveMs: 200 } as const;

describe('a break', () => {
  test('a server that accepts and never publishes is found out, and the session goes on', async () => {
    const server = await ground.opened();
    const place = ground.place(server.endpoint, quick);
    const session = await ground.connect(place);
    const device = new Polled(session, [FLOAT]);
    await device.until([2.5]);
    server.freeze('publish');
    expect(await closed(session)).toBe('opcua_no_publish');
    const { qualities, fault } = await device.poll();
    expect([qualities[0]! >> 6, fault?.code]).toEqual([2, 'opcua_no_publish']);
    server.thaw();
    const next = await ground.connect(place, session);
    device.on(next);
    await device.until([2.5]);
    server.space.set(P, 9);
    await device.until([9]);
    const { createSession, createSubscription, createMonitoredItems } = server.counts;
    expect([createSession, createSubscription, createMonitoredItems]).toEqual([1, 1, 1]);
  });

  test('what changed while nobody heard it comes late and marked, nothing is missing', async () => {
    const server = await ground.opened();
    const place = ground.place(server.endpoint, quick);
    const session = await ground.connect(place);
    const device = new Polled(session, [{ ...FLOAT, sampling: '10ms', queue: 50 }]);
    await device.until([2.5]);
    const ended = closed(session);
    server.freeze('all');
    expect(await ended).toBe('opcua_no_publish');
    for (const value of [10, 11, 12]) {
      server.space.set(P, value);
      await new Promise((resolve) => setTimeout(resolve, 120));
    }
    server.thaw();
    device.on(await ground.connect(place, session));
    await device.until([12]);
    expect(device.filled.map(({ value, quality }) => [value, quality])).toEqual([
      [10, 'good/history'],
      [11, 'good/history'],
      [12, 'good/history'],
    ]);
    expect(device.lost).toBe(0);
    expect(server.counts['createSession']).toBe(1);
  });

  test('notifications that were lost on the way are asked for again', async () => {
    const server = await ground.opened();
    const session = await ground.connect(ground.place(server.endpoint));
    const device = new Polled(session, [{ ...FLOAT, sampling: '10ms', queue: 50 }]);
    await device.until([2.5]);
    server.publishesToDrop = 1;
    server.space.set(P, 5);
    await new Promise((resolve) => setTimeout(resolve, 250));
    server.space.set(P, 6);
    await device.until([6]);
    expect([device.more, device.lost]).toEqual([[5], 0]);
    expect(server.counts['republish']).toBe(1);
  });

  test('with history, the outage is filled from the memory of the server', async () => {
    const nodes = [{ path: P, type: 'float' as const, value: 2.5, historizing: true }];
    const server = await ground.opened({ nodes });
    const place = ground.place(server.endpoint, quick);
    const session = await ground.connect(place);
    const device = new Polled(session, [{ ...FLOAT, history: true }]);
    await device.until([2.5]);
    const ended = closed(session);
    server.freeze('publish');
    await new Promise((resolve) => setTimeout(resolve, 250));
    for (const value of [20, 21, 22]) {
      server.space.set(P, value);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(await ended).toBe('opcua_no_publish');
    server.thaw();
    device.on(await ground.connect(place, session));
    await expect
      .poll(async () => {
        await device.poll();
        return device.filled.map(({ value }) => value);
      })
      .toEqual(expect.arrayContaining([20, 21, 22]));
    for (const { quality } of device.filled) expect(quality).toBe('good/history');
    const times = device.filled.map(({ atMonoMs }) => atMonoMs);
    expect(Math.max(...times)).toBeLessThan(performance.now());
  });
});

describe('a server in a process of its own', () => {
  const start = (more: Partial<OpcUaServerOptions> = {}) =>
    OpcUaProcess.start(ground.options(more));

  test('that stands still: a read ends at its deadline, and the session is found dead', async () => {
    await using server = await start();
    const place = ground.place(server.endpoint, quick);
    const session = await ground.connect(place);
    const impatient = deviceOptions({ timeoutMs: 200 });
    const device = new Polled(session, [{ ...FLOAT, mode: 'read' }], impatient);
    await device.until([2.5]);
    server.stop();
    const { qualities, fault, failures } = await device.poll();
    expect([qualities[0]! >> 6, fault?.code, failures]).toEqual([2, 'opcua_timeout', 1]);
    expect(await closed(session)).toBe('opcua_no_publish');
    server.resume();
    device.on(await ground.connect(place, session));
    await device.until([2.5]);
    expect((await server.ask('counts'))['createSession']).toBe(1);
  }, 15_000);

  test('that is killed: the line opens a new session at the new one, and one only', async () => {
    const first = await start();
    const { port, endpoint } = first;
    const place = ground.place(endpoint, quick);
    let device: Polled | undefined;
    const line = lineTo(place, (session) => {
      if (device) device.on(session);
      else device = new Polled(session, [FLOAT]);
    });
    await expect.poll(() => line.state, { timeout: 5_000 }).toBe('open');
    await device!.until([2.5]);
    await first.kill();
    await expect.poll(() => line.state).not.toBe('open');
    await using second = await start({ port });
    await device!.until([2.5]);
    expect(device!.lost).toBeGreaterThan(0); // Nobody knows what the first one had to say.
    const { createSession } = await second.ask('counts');
    expect(createSession).toBe(1);
  }, 60_000);
});

test('a server that hangs when a session is asked for gets one question a step of the back-off', async () => {
  const server = await ground.opened();
  server.freeze('sessions');
  const line = lineTo(ground.place(server.endpoint, { timeoutMs: 200 }), () => {});
  const asked = () => server.counts['createSession'] ?? 0;
  await expect.poll(asked, { timeout: 15_000 }).toBeGreaterThanOrEqual(4);
  expect(asked()).toBeLessThanOrEqual(lineOpens.length);
  expect(server.channels).toBeLessThanOrEqual(lineOpens.length);
  lineOpens.slice(1).forEach((at, index) => {
    const leastMs = LINK_BACKOFF.firstMs * 2 ** index * (1 - LINK_BACKOFF.jitter);
    expect(at - lineOpens[index]!).toBeGreaterThanOrEqual(leastMs);
  });
  await line.close();
}, 60_000);

test('a session that may still live is asked for again, and no new one beside it', async () => {
  const server = await ground.opened();
  const place = ground.place(server.endpoint, quick);
  const line = lineTo(place, () => {});
  await expect.poll(() => line.state, { timeout: 5_000 }).toBe('open');
  server.freeze('requests');
  await expect.poll(() => lineOpens.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(3);
  expect(server.counts['createSession']).toBe(1);
  await line.close();
}, 60_000);

test('something that accepts and says nothing is given up in time, with nothing left open', async () => {
  let open = 0;
  const listener = createServer((socket) => {
    open++;
    socket
      .on('error', () => {})
      .on('close', () => open--)
      .resume();
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  ground.atEnd(() => listener.close());
  const { port } = listener.address() as { port: number };
  const place = ground.place(`opc.tcp://127.0.0.1:${port}`, { timeoutMs: 300 });
  const error: unknown = await ground.connect(place).catch((why: unknown) => why);
  expect((error as { code?: string }).code).toBe('opcua_timeout');
  await expect.poll(() => open).toBe(0);
});

/** Attempts of the line that is on test. */
const lineOpens: number[] = [];

function lineTo(place: OpcuaPlace, onOpen: (session: OpcuaSessionOnTest) => void): Line {
  lineOpens.length = 0;
  const protocol = {
    ...opcua,
    connect: (...given: Parameters<NonNullable<typeof opcua.connect>>) => {
      lineOpens.push(performance.now());
      return opcua.connect!(...given);
    },
  };
  const line = new Line(systemClock, seededRandom(1), silentLog, new Metrics(), {
    id: 'plc',
    protocol: protocol as never,
    line: null,
    place,
    onOpen: (session) => onOpen(session as OpcuaSessionOnTest),
  });
  line.start();
  ground.atEnd(() => line.close());
  return line;
}
