// Servers that keep to the encoding and to little else.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/random.ts';
import type { SimulatedOpcUa } from '../../simulators/opcua-server.ts';
import { closed, FLOAT, OpcuaGround, P, Polled } from '../../tests/opcua-ground.ts';
import { opcua } from './driver.ts';
import { LOOK_AGAIN_MS } from './session.ts';

const ground = new OpcuaGround();
afterEach(() => ground.end());
afterAll(() => ground.remove());
beforeAll(() => ground.warm(), 30_000);

const quick = { timeoutMs: 500, keepAliveMs: 200 } as const;

/** What the test looks at of an answer, whatever it is. */
type StatusOf = new (status: object) => unknown;

interface Answer {
  readonly schema: { readonly name: string };
  readonly responseHeader: { serviceResult: unknown };
  revisedPublishingInterval: number;
  revisedMaxKeepAliveCount: number;
  readonly results?: { statusCode: unknown; value?: { value: unknown } }[];
  readonly notificationMessage: {
    notificationData:
      | ({ readonly monitoredItems?: { value: { value: unknown } }[] } | null)[]
      | null;
  };
}

function altering(server: SimulatedOpcUa, name: string, change: (answer: Answer) => void): void {
  server.alter = (answer) => {
    if ((answer as Answer).schema.name === name) change(answer as Answer);
  };
}

test('a socket that breaks is no connection, at once, and the session lives on', async () => {
  const server = await ground.opened();
  const place = ground.place(server.endpoint, { keepAliveMs: 5_000 });
  const session = await ground.connect(place);
  const device = new Polled(session, [FLOAT]);
  await device.until([2.5]);
  const ended = closed(session);
  server.cut();
  expect(await ended).toBe('no_connection');
  const sent = await device.handle.write!(device.addresses[0]!, 1, new AbortController().signal);
  expect([sent.fault?.code, sent.sure]).toEqual(['no_connection', 'unsent']);
  device.on(await ground.connect(place, session));
  server.space.set(P, 4);
  await device.until([4]);
  expect(server.counts['createSession']).toBe(1);
});

test('values without a value, and notifications without content, harm nobody', async () => {
  const nodes = [
    ...ground.options().nodes,
    { path: 'ps:S/ps:Q', type: 'int32' as const, value: 1 },
  ];
  const server = await ground.opened({ nodes });
  const place = ground.place(server.endpoint, quick);
  const device = new Polled(await ground.connect(place), [
    FLOAT,
    { path: 'ps:S/ps:Q', type: 'int32' },
  ]);
  await device.until([2.5, 1]);
  altering(server, 'PublishResponse', ({ notificationMessage: { notificationData } }) => {
    for (const { value } of notificationData?.[0]?.monitoredItems ?? []) {
      value.value = undefined;
    }
  });
  server.space.set(P, 3);
  await device.until(['bad/not_available', 1]);
  let emptied = 0;
  altering(server, 'PublishResponse', ({ notificationMessage: message }) => {
    if (!message.notificationData?.length) return;
    message.notificationData = [null];
    emptied++;
  });
  server.space.set(P, 4);
  await expect.poll(() => emptied).toBe(1);
  server.alter = () => {};
  server.space.set(P, 5);
  server.space.set('ps:S/ps:Q', 2);
  await device.until([5, 2]);
});

test('what is lost for good is a gap, and what it may have changed is asked for anew', async () => {
  const server = await ground.opened();
  const place = ground.place(server.endpoint);
  const session = await ground.connect(place);
  const device = new Polled(session, [FLOAT]);
  await device.until([2.5]);
  const ended = closed(session);
  altering(server, 'RepublishResponse', ({ responseHeader }) => {
    const name = 'BadMessageNotAvailable';
    const status = { name, value: 0x807b_0000, description: '' };
    const { constructor: Status } = responseHeader.serviceResult as { constructor: StatusOf };
    responseHeader.serviceResult = new Status(status);
  });
  server.publishesToDrop = 1;
  server.space.set(P, 5); // And stands still: nothing would tell it again.
  expect(await ended).toBe('opcua_messages_lost');
  device.on(await ground.connect(place, session));
  await device.until([5]);
  expect(device.lost).toBe(1);
  const { createSession, createSubscription, deleteSubscriptions } = server.counts;
  expect([createSession, createSubscription, deleteSubscriptions]).toEqual([1, 2, 1]);
});

test('a server that promises no time at all between keep-alives is given what was asked', async () => {
  const server = await ground.opened();
  altering(server, 'CreateSubscriptionResponse', (answer) => {
    answer.revisedMaxKeepAliveCount = 0;
  });
  const place = ground.place(server.endpoint, { timeoutMs: 300, keepAliveMs: 1_000 });
  const session = await ground.connect(place);
  const device = new Polled(session, [FLOAT]);
  await device.until([2.5]);
  const ended = closed(session);
  const stood = await Promise.race([ended, systemClock.sleep(900, new AbortController().signal)]);
  expect(stood).toBeUndefined();
  server.freeze('publish');
  expect(await ended).toBe('opcua_no_publish');
});

test('nodes that come later are found for every plan, not only for the one polled first', async () => {
  const clock = shiftable();
  const server = await ground.opened({ nodes: [] });
  const place = ground.place(server.endpoint, quick);
  const { signal } = new AbortController();
  const session = await opcua.connect!(clock, seededRandom(1), place, signal);
  ground.atEnd(() => session.close());
  const first = new Polled(session, [FLOAT]);
  const second = new Polled(session, [{ id: 'ps:s=S.Q', type: 'float' }]);
  for (const device of [first, second]) await device.until(['bad/configuration']);
  server.space.add({ path: P, type: 'float', value: 1 });
  server.space.add({ path: 'ps:S/ps:Q', type: 'float', value: 2 });
  clock.shiftMs += LOOK_AGAIN_MS;
  await first.until([1]);
  await second.until([2]);
});

test('a subscription of a server that renumbered its namespaces does not go on beside the new one', async () => {
  const server = await ground.opened({ namespaces: { ps: 'urn:station', more: 'urn:more' } });
  const place = ground.place(server.endpoint, quick);
  const session = await ground.connect(place);
  const device = new Polled(session, [FLOAT]);
  await device.until([2.5]);
  const ended = closed(session);
  server.cut();
  await ended;
  altering(server, 'ReadResponse', ({ results = [] }) => {
    const list = results[0]?.value?.value;
    if (Array.isArray(list) && list.length > 3) list.pop();
  });
  device.on(await ground.connect(place, session));
  server.space.set(P, 3);
  await device.until([3]);
  const { createSession, createSubscription, deleteSubscriptions } = server.counts;
  expect([createSession, createSubscription, deleteSubscriptions]).toEqual([1, 2, 1]);
});

test('a subscription is taken along into a new session, and what it kept comes late', async () => {
  // Of a user on a protected channel: nobody else may take one along (Part 4, 5.14.7).
  const securityPolicies = ['Basic256Sha256'] as const;
  const server = await ground.opened({ securityPolicies, users: { ann: 'right' } });
  const security = { policy: 'Basic256Sha256', mode: 'SignAndEncrypt' } as const;
  const place = ground.place(server.endpoint, {
    ...quick,
    identity: { kind: 'user', user: 'ann', password: 'right' },
    security: { ...security, host: null, expired: 'refuse' },
    trust: { own: ground.place('').trust.own, refusal: () => null },
  });
  const session = await ground.connect(place);
  const device = new Polled(session, [{ ...FLOAT, sampling: '10ms', queue: 50 }]);
  await device.until([2.5]);
  const ended = closed(session);
  server.cut();
  await ended;
  let refusals = 1;
  const { BadSessionIdInvalid } = (await import('node-opcua-client')).StatusCodes;
  altering(server, 'ActivateSessionResponse', ({ responseHeader }) => {
    if (refusals-- > 0) responseHeader.serviceResult = BadSessionIdInvalid;
  });
  for (const value of [7, 8]) {
    server.space.set(P, value);
    await new Promise((resolve) => setTimeout(resolve, 110));
  }
  device.on(await ground.connect(place, session));
  await device.until([8]);
  const { createSession, createSubscription, transferSubscriptions } = server.counts;
  expect([createSession, createSubscription, transferSubscriptions]).toEqual([2, 1, 1]);
  expect(device.filled.map(({ value }) => value)).toContain(7);
  expect(device.lost).toBe(0);
});

test('a write that the server calls uncertain, or answers too late, is not known to be undone', async () => {
  const nodes = [{ path: P, type: 'float' as const, value: 0, writable: true }];
  const server = await ground.opened({ nodes });
  const place = ground.place(server.endpoint, { ...quick, timeoutMs: 5_000 });
  const device = new Polled(await ground.connect(place), [FLOAT]);
  await device.until([0]);
  const { UncertainLastUsableValue, BadDeviceFailure, BadUserAccessDenied } = (
    await import('node-opcua-client')
  ).StatusCodes;
  const write = async (status: unknown, aborting = new AbortController()) => {
    server.alter = (answer) => {
      const { schema, results } = answer as { schema: { name: string }; results: unknown[] };
      if (schema.name === 'WriteResponse') results[0] = status;
    };
    const sent = await device.handle.write!(device.addresses[0]!, 1, aborting.signal);
    return [sent.fault?.code, sent.sure];
  };
  expect(await write(UncertainLastUsableValue)).toEqual(['opcua_service', undefined]);
  expect(await write(BadDeviceFailure)).toEqual(['opcua_service', undefined]);
  expect(await write(BadUserAccessDenied)).toEqual(['opcua_service', 'refused']);
  server.freeze('requests');
  const aborting = new AbortController();
  setTimeout(() => aborting.abort(), 50);
  expect(await write(null, aborting)).toEqual(['no_connection', undefined]);
});

test('a deadband that the server refuses is gone without, and every change comes', async () => {
  const server = await ground.opened(); // No EURange, so no percent of it.
  const place = ground.place(server.endpoint);
  const device = new Polled(await ground.connect(place), [{ ...FLOAT, deadband: { percent: 50 } }]);
  await device.until([2.5]);
  server.space.set(P, 2.6);
  await device.until([expect.closeTo(2.6)]);
  expect(server.counts['createMonitoredItems']).toBe(2);
  expect(server.counts['read']).toBe(1); // Monitored, not read.
});

test('a user may be a certificate: let in once the server trusts it, refused before', async () => {
  const securityPolicies = ['Basic256Sha256'] as const;
  const server = await ground.opened({ securityPolicies, users: {} });
  const { own } = ground.place('').trust;
  const { certificate, privateKey } = await own();
  const security = { policy: 'Basic256Sha256', mode: 'SignAndEncrypt' } as const;
  const place = ground.place(server.endpoint, {
    identity: { kind: 'certificate', certificate, key: privateKey },
    security: { ...security, host: null, expired: 'refuse' },
    trust: { own, refusal: () => null },
  });
  const refused: unknown = await ground.connect(place).catch((why: unknown) => why);
  expect(refused).toMatchObject({ code: 'opcua_bad_credentials' });
  await server.trust('user', Buffer.from(certificate));
  const device = new Polled(await ground.connect(place), [FLOAT]);
  await device.until([2.5]);
});

function shiftable(): Clock & { shiftMs: number } {
  return {
    ...systemClock,
    shiftMs: 0,
    monoMs() {
      return systemClock.monoMs() + this.shiftMs;
    },
  };
}
