import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SimulatedOpcUa } from '../../simulators/opcua-server.ts';
import {
  addressOf,
  deviceOptions,
  FLOAT,
  OpcuaGround,
  P,
  Polled,
} from '../../tests/opcua-ground.ts';
import type { OpcuaPlace } from './place.ts';

const ground = new OpcuaGround();
afterEach(() => ground.end());
afterAll(() => ground.remove());
beforeAll(() => ground.warm(), 30_000);

async function polled(
  server: SimulatedOpcUa,
  raws: readonly object[],
  more: Partial<OpcuaPlace> = {},
): Promise<Polled> {
  return new Polled(await ground.connect(ground.place(server.endpoint, more)), raws);
}

/** Far enough apart for this server, which samples every 50 ms at the most. */
async function written(server: SimulatedOpcUa, values: readonly number[]): Promise<void> {
  for (const value of values) {
    server.space.set(P, value);
    await new Promise((resolve) => setTimeout(resolve, 110));
  }
}

describe('values', () => {
  test('of every kind are read as what they are: whole beyond 2^53, times, texts, elements', async () => {
    const server = await ground.opened({
      nodes: [
        { path: P, type: 'float', value: 2.5 },
        { path: 'ps:S/ps:Big', type: 'uint64', value: 2n ** 60n },
        { path: 'ps:S/ps:Low', type: 'int64', value: -5n },
        { path: 'ps:S/ps:At', type: 'datetime', value: Date.UTC(2026, 0, 1) },
        { path: 'ps:S/ps:Name', type: 'string', value: 'Pump 泵' },
        { path: 'ps:S/ps:Long', type: 'string', value: 'x'.repeat(256) },
        { path: 'ps:S/ps:Nan', type: 'double', value: Number.NaN },
        { path: 'ps:S/ps:On', type: 'boolean', value: true },
        { path: 'ps:S/ps:List', type: 'int16', value: [7, -8, 9] },
        { path: 'ps:S/ps:Band', type: 'range', value: { low: 1, high: 2 } },
      ],
    });
    const device = await polled(server, [
      FLOAT,
      { path: 'ps:S/ps:Big', type: 'uint64' },
      { path: 'ps:S/ps:Low', type: 'int64' },
      { path: 'ps:S/ps:At', type: 'datetime' },
      { path: 'ps:S/ps:Name', type: 'string' },
      { path: 'ps:S/ps:Long', type: 'string' },
      { path: 'ps:S/ps:Nan', type: 'double' },
      { path: 'ps:S/ps:On', type: 'boolean' },
      { path: 'ps:S/ps:List', type: 'int16', element: '[1]' },
      { path: 'ps:S/ps:List', type: 'int16', element: '[3]' },
      { path: 'ps:S/ps:Band', type: 'double', element: 'High' },
      { path: 'ps:S/ps:Band', type: 'double', element: 'Middle', mode: 'read' },
      { id: 'ps:s=S.P', type: 'float', mode: 'read' },
    ]);
    await device.until([
      ...[2.5, 2n ** 60n, -5, '2026-01-01T00:00:00.000Z', 'Pump 泵'],
      ...['bad/decode', 'bad/not_available', true, -8, 'bad/not_available', 2],
      ...['bad/not_available', 2.5],
    ]);
  });

  test('a bad status never brings one, an uncertain one does, and each keeps its status', async () => {
    const server = await ground.opened();
    const device = await polled(server, [FLOAT]);
    await device.until([2.5]);
    server.space.set(P, 3, { status: 'BadSensorFailure' });
    await device.until(['bad/sensor_fault']);
    server.space.set(P, 4, { status: 'UncertainLastUsableValue' });
    await device.until([4]);
    const { qualities, origins } = await device.poll();
    expect(qualities[0]! >> 6).toBe(1);
    expect(origins?.[0]?.status).toBe(0x40900000);
    expect(origins?.[0]?.sourceMs).toBeTypeOf('number');
  });

  test('another type in flight is bad for as long as it lasts, and the others do not notice', async () => {
    const server = await ground.opened({
      nodes: [...ground.options().nodes, { path: 'ps:S/ps:Q', type: 'int32', value: 1 }],
    });
    const device = await polled(server, [FLOAT, { path: 'ps:S/ps:Q', type: 'int32' }]);
    await device.until([2.5, 1]);
    server.space.retype(P, 'string', 'x');
    await device.until(['bad/decode', 1]);
    server.space.retype(P, 'float', 7);
    await device.until([7, 1]);
  });

  test('what came before the newest is not lost, in the order in which it came', async () => {
    const server = await ground.opened();
    const often = { ...FLOAT, sampling: '10ms', queue: 20 };
    const device = await polled(server, [often], { publishingMs: 800, keepAliveMs: 800 });
    await device.until([2.5]);
    await written(server, [1, 2, 3, 4]);
    await device.until([4]);
    expect(device.more).toEqual([1, 2, 3]);
    expect(device.lost).toBe(0);
  });

  test('a queue that overflows at the server is a gap, counted', async () => {
    const server = await ground.opened();
    const device = await polled(server, [{ ...FLOAT, sampling: '10ms', queue: 2 }], {
      ...{ publishingMs: 800, keepAliveMs: 800 },
    });
    await device.until([2.5]);
    await written(server, [1, 2, 3, 4, 5, 6]);
    await device.until([6]);
    expect(device.lost).toBeGreaterThan(0);
  });

  test('times go by the clock of the gateway, however wrong that of the server is', async () => {
    const server = await ground.opened({ clockOffMs: -86_400_000 });
    const device = await polled(server, [{ ...FLOAT, sampling: '10ms', queue: 20 }]);
    await device.until([2.5]);
    const beforeMs = performance.now();
    server.space.set(P, 8);
    await device.until([8]);
    const { atMonoMs, origins } = await device.poll();
    expect(atMonoMs[0]!).toBeGreaterThanOrEqual(beforeMs - 100);
    expect(atMonoMs[0]!).toBeLessThanOrEqual(performance.now());
    expect(origins![0]!.sourceMs!).toBeLessThan(Date.now() - 80_000_000);
  });

  test('a value that stands still stays true for as long as the subscription says so', async () => {
    const server = await ground.opened();
    const device = await polled(server, [FLOAT]);
    await device.until([2.5]);
    const before = (await device.poll()).atMonoMs[0]!;
    await expect
      .poll(async () => (await device.poll()).atMonoMs[0]!, { timeout: 5_000 })
      .toBeGreaterThan(before + 300);
    expect(server.counts['read']).toBe(1); // That of the server's own facts.
  });
});

describe('names', () => {
  test('that lead nowhere are bad alone: a node, a path, a URI, an unknown prefix', async () => {
    const server = await ground.opened();
    const device = new Polled(
      await ground.connect(ground.place(server.endpoint)),
      [
        FLOAT,
        { id: 'ps:s=Nowhere', type: 'float' },
        { path: 'ps:S/ps:Nowhere', type: 'float' },
        { path: 'gone:S/gone:P', type: 'float' },
        { path: 'who:S', type: 'float' },
        { id: 'ps:s=Nowhere', type: 'float', mode: 'read' },
      ],
      deviceOptions({ namespaces: { ps: 'urn:station', gone: 'urn:gone' } }),
    );
    const wrong = 'bad/configuration';
    await device.until([2.5, wrong, wrong, wrong, wrong, wrong]);
  });

  test('hold when the server has its namespaces in another order after a restart', async () => {
    const server = await ground.opened();
    const { port, endpoint } = server;
    const session = await ground.connect(ground.place(endpoint));
    const device = new Polled(session, [FLOAT]);
    await device.until([2.5]);
    const closed = new Promise((resolve) => {
      session.onClose = resolve;
    });
    await server.close();
    await closed;
    await ground.opened({ port, namespaces: { other: 'urn:other', ps: 'urn:station' } });
    device.on(await ground.connect(ground.place(endpoint), session));
    await device.until([2.5]);
  });
});

describe('limits', () => {
  const many = Array.from({ length: 30 }, (_, at) => `ps:S/ps:V${at}`);
  const nodes = many.map((path, at) => ({ path, type: 'float' as const, value: at }));

  test('that the server states are kept to: seven a call, whatever the call', async () => {
    const server = await ground.opened({
      nodes,
      limits: {
        maxMonitoredItemsPerCall: 7,
        maxNodesPerRead: 7,
        maxNodesPerTranslateBrowsePathsToNodeIds: 7,
      },
    });
    const raws = many.map((path, at) => ({
      ...{ path, type: 'float' },
      ...(at % 2 ? { mode: 'read' } : {}),
    }));
    const device = await polled(server, raws);
    await device.until(nodes.map(({ value }) => value));
    expect(server.counts['createMonitoredItems']).toBe(3); // 15 items.
    expect(server.counts['translateBrowsePathsToNodeIds']).toBe(5); // 30 paths.
  });

  test('that it only finds out about are found by halving', async () => {
    const { inBatches, BatchSize } = await import('./batches.ts');
    const { Fault } = await import('../../core/fault.ts');
    const size = new BatchSize(100);
    const tried: number[] = [];
    const results = await inBatches(
      Array.from({ length: 40 }, (_, at) => at),
      size,
      (batch) => {
        tried.push(batch.length);
        if (batch.length > 12) {
          const cause = { response: { responseHeader: { serviceResult: { name: TOO_LARGE } } } };
          return Promise.reject(new Fault('opcua_service', 'later', '', cause));
        }
        return Promise.resolve(batch);
      },
      () => -1,
    );
    expect(results).toEqual(Array.from({ length: 40 }, (_, at) => at));
    expect(tried).toEqual([40, 20, 10, 10, 10, 10]);
    expect(size.most).toBe(10);
  });

  test('of monitored items: what the server will not monitor is read', async () => {
    const server = await ground.opened({ nodes, maxMonitoredItems: 10 });
    const device = await polled(
      server,
      many.map((path) => ({ path, type: 'float' })),
    );
    await device.until(nodes.map(({ value }) => value));
    server.space.set(many[29]!, 99);
    await device.until([...nodes.slice(0, 29).map(({ value }) => value), 99]);
  });
});

const TOO_LARGE = 'BadEncodingLimitsExceeded';

test('a point that is looked at out of turn is asked for, and takes nothing from its plan', async () => {
  const server = await ground.opened();
  const device = await polled(server, [FLOAT], { publishingMs: 1_000, keepAliveMs: 1_000 });
  await device.until([2.5]);
  server.space.set(P, 6);
  const look = device.handle.plan([device.addresses[0]!]);
  const { values } = await device.handle.poll(look, new AbortController().signal);
  expect(values).toEqual([6]);
  await device.until([6]);
});

test('closing in order leaves no session at the server', async () => {
  const server = await ground.opened();
  const session = await ground.connect(ground.place(server.endpoint));
  const device = new Polled(session, [FLOAT]);
  await device.until([2.5]);
  const closed = new Promise((resolve) => {
    session.onClose = resolve;
  });
  session.close();
  expect(await closed).toBeNull();
  expect(server.sessions).toBe(0);
  const { qualities, fault } = await device.poll();
  expect([qualities[0]! >> 6, fault]).toEqual([2, null]);
});

describe('who may not come in', () => {
  const refused = async (place: OpcuaPlace) => {
    const error: unknown = await ground.connect(place).catch((why: unknown) => why);
    return (error as { readonly code?: string }).code;
  };

  test('a wrong password, a kind of user the server does not take, a full server', async () => {
    const securityPolicies = ['Basic256Sha256'] as const;
    const server = await ground.opened({ securityPolicies, users: { ann: 'right' } });
    const security = { policy: 'Basic256Sha256', mode: 'SignAndEncrypt' } as const;
    const as = (identity: OpcuaPlace['identity']) =>
      ground.place(server.endpoint, {
        identity,
        security: { ...security, host: null, expired: 'refuse' },
        trust: { own: ground.place('').trust.own, refusal: () => null },
      });
    expect(await refused(as({ kind: 'user', user: 'ann', password: 'wrong' }))).toBe(
      'opcua_bad_credentials',
    );
    expect(await refused(as({ kind: 'anonymous' }))).toBe('opcua_identity_unsupported');
    expect(await refused(as({ kind: 'user', user: 'ann', password: 'right' }))).toBeUndefined();
    server.maxSessions = 1;
    expect(await refused(as({ kind: 'user', user: 'ann', password: 'right' }))).toBe(
      'opcua_too_many_sessions',
    );
  });

  test('a security nobody offers, nobody there', async () => {
    const server = await ground.opened();
    const security = { policy: 'Basic256Sha256', mode: 'Sign', host: null, expired: 'refuse' };
    const place = ground.place(server.endpoint, { security: security as OpcuaPlace['security'] });
    expect(await refused(place)).toBe('opcua_security_unsupported');
    expect(await refused(ground.place('opc.tcp://127.0.0.1:1'))).toBe('opcua_refused');
  });
});

test('a poll that is aborted ends at once, and the next is well', async () => {
  const server = await ground.opened();
  const device = await polled(server, [FLOAT]);
  const { qualities, requests } = await device.handle.poll(device.plan, AbortSignal.abort());
  expect([qualities[0]! >> 6, requests]).toEqual([2, 0]);
  await device.until([2.5]);
  expect(addressOf(FLOAT)).toMatchObject({ kind: 'value' });
});
