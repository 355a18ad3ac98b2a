import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { OpcUaLibrary } from './opcua-library.ts';
import { loadOpcUa } from './opcua-library.ts';
import { OpcUaProcess } from './opcua-process.ts';
import type { OpcUaServerOptions, SimulatedOpcUa } from './opcua-server.ts';
import { openOpcUaServer } from './opcua-server.ts';

const folder = mkdtempSync(join(tmpdir(), 'opcua-'));
const closing: (() => Promise<unknown>)[] = [];
let library: OpcUaLibrary;

beforeAll(async () => {
  library = await loadOpcUa();
}, 30_000);
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PRESSURE = 'ps:Station/ps:Pressure';
const plain: OpcUaServerOptions = {
  host: '127.0.0.1',
  port: 0,
  pkiFolder: join(folder, 'server'),
  securityPolicies: ['None'],
  namespaces: { ps: 'urn:station' },
  nodes: [{ path: PRESSURE, type: 'float', value: 2.5, range: [0, 10] }],
};

async function opened(options: Partial<OpcUaServerOptions> = {}): Promise<SimulatedOpcUa> {
  const server = await openOpcUaServer({ ...plain, ...options });
  closing.push(() => server.close());
  return server;
}

async function session(server: SimulatedOpcUa, options: object = {}, user?: object) {
  const client = library.client.OPCUAClient.create({
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 },
    ...options,
  });
  await client.connect(server.endpoint);
  closing.push(() => client.disconnect());
  const made = await client.createSession(user as undefined);
  closing.push(() => made.close());
  return made;
}

async function secured() {
  const { MessageSecurityMode, SecurityPolicy } = library.client;
  const manager = new library.certificates.OPCUACertificateManager({
    rootFolder: join(folder, 'client'),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  await manager.initialize();
  closing.push(() => manager.dispose());
  return {
    securityMode: MessageSecurityMode.SignAndEncrypt,
    securityPolicy: SecurityPolicy.Basic256Sha256,
    clientCertificateManager: manager,
  };
}

const subscribed = (on: Awaited<ReturnType<typeof session>>) =>
  on.createSubscription2({
    requestedPublishingInterval: 20,
    requestedMaxKeepAliveCount: 5,
    requestedLifetimeCount: 100,
    publishingEnabled: true,
    maxNotificationsPerPublish: 0,
    priority: 1,
  });

// The client has it, its interface does not.
interface Republishing {
  republish(request: object): Promise<{ notificationMessage: { sequenceNumber: number } }>;
}

const read = async (on: Awaited<ReturnType<typeof session>>, id: string) =>
  await on.read({ nodeId: `ns=2;s=${id}` });

test('a client reads, writes and calls what the list says', async () => {
  const server = await opened({
    nodes: [
      ...plain.nodes,
      { path: 'ps:Station/ps:Big', type: 'uint64', value: 2n ** 60n },
      { path: 'ps:Station/ps:Levels', type: 'int16', value: [1, -2, 3] },
      { path: 'ps:Station/ps:Bands', type: 'range', value: [{ low: 1, high: 2 }] },
      { path: 'ps:Station/ps:Speed', type: 'double', writable: true },
    ],
    methods: [
      {
        path: 'ps:Station/ps:Start',
        inputs: [{ name: 'speed', type: 'double' }],
        sets: { 'ps:Station/ps:Speed': { input: 0 } },
      },
    ],
  });
  const on = await session(server);
  expect((await read(on, 'Station.Pressure')).value.value).toBe(2.5);
  expect((await read(on, 'Station.Big')).value.value).toEqual([2 ** 28, 0]);
  expect([...(await read(on, 'Station.Levels')).value.value]).toEqual([1, -2, 3]);
  expect((await read(on, 'Station.Bands')).value.value).toMatchObject([{ low: 1, high: 2 }]);
  const { AttributeIds, DataType, makeBrowsePath } = library.client;
  const value = { dataType: DataType.Double, value: 41 };
  const written = (nodeId: string) =>
    on.write({ nodeId, attributeId: AttributeIds.Value, value: { value } });
  expect((await written('ns=2;s=Station.Speed')).name).toBe('Good');
  expect(server.space.get('ps:Station/ps:Speed').value).toBe(41);
  expect((await written('ns=2;s=Station.Pressure')).name).toBe('BadNotWritable');
  const called = await on.call({
    objectId: 'ns=2;s=Station',
    methodId: 'ns=2;s=Station.Start',
    inputArguments: [{ dataType: DataType.Double, value: 33 }],
  });
  expect(called.statusCode.name).toBe('Good');
  expect(server.space.get('ps:Station/ps:Speed').value).toBe(33);
  expect(server.space.calls).toEqual([{ path: 'ps:Station/ps:Start', inputs: [33] }]);
  const path = makeBrowsePath('ObjectsFolder', '/2:Station/2:Pressure/0:EURange');
  expect((await on.translateBrowsePath(path)).statusCode.name).toBe('Good');
  expect(server.counts).toMatchObject({ createSession: 1, activateSession: 1, write: 2, call: 1 });
});

test('a bad status, another type and a node that is gone reach a subscriber in order', async () => {
  const server = await opened();
  const on = await session(server);
  const seen: string[] = [];
  const subscription = await subscribed(on);
  const item = await subscription.monitor(
    { nodeId: 'ns=2;s=Station.Pressure', attributeId: library.client.AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10, discardOldest: true },
    library.client.TimestampsToReturn.Both,
  );
  item.on('changed', ({ value, statusCode }) => seen.push(`${value.value} ${statusCode.name}`));
  await expect.poll(() => seen).toEqual(['2.5 Good']);
  server.space.set(PRESSURE, null, { status: 'BadSensorFailure' });
  server.space.set(PRESSURE, 3, { status: 'UncertainLastUsableValue' });
  server.space.retype(PRESSURE, 'string', 'three');
  server.space.remove(PRESSURE);
  await expect
    .poll(() => seen)
    .toEqual([
      ...['2.5 Good', 'null BadSensorFailure', '3 UncertainLastUsableValue', 'three Good'],
      'null BadNodeIdInvalid',
    ]);
});

test('an alarm raises an event with its severity, and is acknowledged', async () => {
  const alarm = { path: 'ps:Station/ps:High', source: PRESSURE, high: 5, severity: 700 };
  const server = await opened({ alarms: [alarm] });
  const on = await session(server);
  const { AttributeIds, constructEventFilter, TimestampsToReturn } = library.client;
  const subscription = await subscribed(on);
  const fields = ['EventId', 'SourceName', 'Severity', 'ActiveState.Id', 'AckedState.Id'];
  const item = await subscription.monitor(
    { nodeId: 'ns=0;i=2253', attributeId: AttributeIds.EventNotifier },
    {
      samplingInterval: 0,
      queueSize: 100,
      discardOldest: true,
      filter: constructEventFilter(fields),
    },
    TimestampsToReturn.Both,
  );
  const seen: unknown[][] = [];
  item.on('changed', (event) => {
    const [, name, ...rest] = (event as unknown as { value: unknown }[]).map(({ value }) => value);
    if (typeof rest[1] === 'boolean') seen.push([`${name}`, ...rest]);
    eventId = (event as unknown as { value: Buffer }[])[0]!.value;
  });
  let eventId: Buffer = Buffer.alloc(0);
  server.space.set(PRESSURE, 6);
  server.space.set(PRESSURE, null, { status: 'BadSensorFailure' });
  server.space.set(PRESSURE, null, { status: 'BadNoCommunication' });
  await expect.poll(() => seen).toEqual([['2:Pressure', 700, true, false]]);
  const condition = library.client.resolveNodeId('ns=2;s=Station.High');
  const acked: unknown = await on.acknowledgeCondition(condition, eventId, 'seen');
  expect(acked).toMatchObject({ name: 'Good' });
  await expect.poll(() => seen.at(-1)).toEqual(['2:Pressure', 700, true, true]);
  server.space.set(PRESSURE, 4);
  await expect.poll(() => seen.at(-1)).toEqual(['2:Pressure', 700, false, true]);
});

test('it keeps the history of a node that keeps one', async () => {
  const server = await opened({ nodes: [{ path: PRESSURE, type: 'float', historizing: true }] });
  const on = await session(server);
  const fromMs = Date.now();
  for (let at = 1; at <= 5; at++) server.space.set(PRESSURE, at, { sourceMs: fromMs + at * 10 });
  const start = new Date(fromMs);
  const result = await on.readHistoryValue(
    'ns=2;s=Station.Pressure',
    start,
    new Date(fromMs + 100),
  );
  const { dataValues } = result.historyData as unknown as {
    dataValues: { value: { value: number } }[];
  };
  expect(dataValues.map(({ value }) => value.value)).toEqual([1, 2, 3, 4, 5]);
});

test('a notification that was lost on the way is kept and sent again when asked for', async () => {
  const server = await opened();
  const on = await session(server);
  const subscription = await subscribed(on);
  const numbers: number[] = [];
  subscription.on('raw_notification', ({ sequenceNumber }) => numbers.push(sequenceNumber));
  const item = await subscription.monitor(
    { nodeId: 'ns=2;s=Station.Pressure', attributeId: library.client.AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10, discardOldest: true },
    library.client.TimestampsToReturn.Both,
  );
  await new Promise((resolve) => item.once('changed', resolve));
  server.publishesToDrop = 1;
  server.space.set(PRESSURE, 3);
  await expect.poll(() => server.publishesToDrop).toBe(0);
  server.space.set(PRESSURE, 4);
  await expect.poll(() => numbers.at(-1)).toBe(3);
  expect(numbers).not.toContain(2);
  const again = new library.client.RepublishRequest({
    subscriptionId: subscription.subscriptionId,
    retransmitSequenceNumber: 2,
  });
  const { notificationMessage } = await (on as unknown as Republishing).republish(again);
  expect(notificationMessage.sequenceNumber).toBe(2);
});

test('a server whose clock is off says so in every time it gives', async () => {
  const server = await opened({ clockOffMs: 3_600_000 });
  const on = await session(server);
  const { sourceTimestamp } = await read(on, 'Station.Pressure');
  expect(sourceTimestamp!.getTime() - Date.now()).toBeGreaterThan(3_500_000);
  server.clockOffMs = -3_600_000;
  server.space.set(PRESSURE, 1);
  const after = await read(on, 'Station.Pressure');
  expect(after.sourceTimestamp!.getTime() - Date.now()).toBeLessThan(-3_500_000);
});

test('a frozen server answers late, and everything', async () => {
  const server = await opened();
  const on = await session(server);
  for (const how of ['requests', 'all'] as const) {
    server.freeze(how);
    let isAnswered = false;
    const answer = read(on, 'Station.Pressure').then(({ value }) => {
      isAnswered = true;
      return value.value;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(isAnswered).toBe(false);
    server.thaw();
    expect(await answer).toBe(2.5);
  }
});

test('sessions beyond the most are refused, and so is a wrong password', async () => {
  const users = { anna: 'right' };
  const server = await opened({ maxSessions: 1, users, securityPolicies: ['Basic256Sha256'] });
  const { UserTokenType } = library.client;
  const user = (password: string) => ({ type: UserTokenType.UserName, userName: 'anna', password });
  const options = await secured();
  await expect(session(server, options, user('wrong'))).rejects.toThrow(/BadUserAccessDenied/);
  await session(server, options, user('right'));
  await expect(session(server, options, user('right'))).rejects.toThrow(/BadTooManySessions/);
}, 30_000);

test('its certificate is expired, or of another host, when that is asked for', async () => {
  const securityPolicies = ['Basic256Sha256'] as const;
  const right = await opened({ securityPolicies });
  const on = await session(right, await secured());
  expect((await read(on, 'Station.Pressure')).value.value).toBe(2.5);
  const elsewhere = await opened({ securityPolicies, certificate: { hosts: ['pump.test'] } });
  const shown = new X509Certificate(elsewhere.certificate);
  expect(shown.subjectAltName).toContain('DNS:pump.test');
  expect(shown.subjectAltName).not.toContain('127.0.0.1');
  const old = await opened({ securityPolicies, certificate: { fromDays: -30, days: 20 } });
  expect(Date.parse(new X509Certificate(old.certificate).validTo)).toBeLessThan(Date.now());
}, 30_000);

test('namespaces have the indexes of their order', async () => {
  const server = await opened({ namespaces: { other: 'urn:other', ps: 'urn:station' } });
  const on = await session(server);
  expect(await on.readNamespaceArray()).toEqual([
    'http://opcfoundation.org/UA/',
    expect.any(String),
    'urn:other',
    'urn:station',
  ]);
  expect((await on.read({ nodeId: 'ns=3;s=Station.Pressure' })).value.value).toBe(2.5);
});

test('a process of its own is killed, and one with the same key is in its place', async () => {
  const securityPolicies = ['Basic256Sha256'] as const;
  const first = await OpcUaProcess.start({ ...plain, securityPolicies });
  await first.ask('set', PRESSURE, 7);
  expect(await first.ask('get', PRESSURE)).toMatchObject({ value: 7, status: 'Good' });
  await expect(first.ask('set', 'ps:None', 7)).rejects.toMatchObject({ code: 'sim_point_unknown' });
  const { port, certificate } = first;
  await first.kill();
  await expect(first.ask('counts')).rejects.toMatchObject({ code: 'sim_opcua_failed' });
  await using second = await OpcUaProcess.start({ ...plain, securityPolicies, port });
  expect([second.port, Buffer.compare(second.certificate, certificate)]).toEqual([port, 0]);
  expect(await second.ask('get', PRESSURE)).toMatchObject({ value: 2.5 });
}, 30_000);
