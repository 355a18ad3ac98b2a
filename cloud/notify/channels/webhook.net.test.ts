import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../../core/clock.ts';
import { Fault } from '../../../core/fault.ts';
import type { Behaviour, Receiver } from '../../../simulators/receiver.ts';
import { startReceiver } from '../../../simulators/receiver.ts';
import { notifierContract, sampleDelivery, sampleNotice } from './channel.contract.ts';
import { ANSWER_BYTES_MAX } from './exchange.ts';
import { keyOf, sign, webhook } from './webhook.ts';

const secret = 'whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=';
const opened: Receiver[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((receiver) => receiver.close()));
});

async function desk(behaviour: Behaviour = { kind: 'confirm' }, timeoutMs = 5_000) {
  const receiver = await startReceiver({
    host: '127.0.0.1',
    port: 0,
    secret,
    behaviour: () => behaviour,
  });
  opened.push(receiver);
  const options = { receiver: 'desk', url: receiver.url, secret, timeoutMs };
  return { receiver, notifier: webhook(fetch, systemClock, options) };
}
const quiet = () => new AbortController().signal;
const ids = (receiver: Receiver) => receiver.received().map(({ id }) => id);
async function benchOf(behaviour: Behaviour, timeoutMs?: number) {
  const { receiver, notifier } = await desk(behaviour, timeoutMs);
  return { notifier, received: async () => ids(receiver) };
}

notifierContract('webhook', {
  open: () => benchOf({ kind: 'confirm' }),
  broken: () =>
    webhook(fetch, systemClock, {
      receiver: 'desk',
      url: 'http://127.0.0.1:1/',
      secret,
      timeoutMs: 5_000,
    }),
  faulty: {
    garbage: () => benchOf({ kind: 'garbage' }),
    hang: () => benchOf({ kind: 'hang' }, 50),
    late: () => benchOf({ kind: 'delay', delayMs: 150 }, 50),
  },
  secrets: [secret],
});

// A vector computed apart from this code, with another implementation of HMAC.
test('the signature is that of Standard Webhooks 1.0', () => {
  const body =
    '{"type":"alarm.raised","timestamp":"2026-11-22T04:00:00.412Z","data":{"id":"alm_01JD9ZK3"}}';
  expect(sign(keyOf('x', secret), 'msg_01JD9ZK3V7Q2M8T4N6R5W1XABC', 1795334400, body)).toBe(
    'v1,sd9lPIxAiu0zl/MHYm1s+tjaPpVAQ/D7brVWklWt0uo=',
  );
});

test('a desk that answers with the id has confirmed, and says who', async () => {
  const { receiver, notifier } = await desk();
  expect(await notifier.send(sampleNotice(), quiet())).toEqual({
    kind: 'sent',
    confirmedBy: 'demo desk',
  });
  expect(receiver.received()[0]?.event).toMatchObject({
    type: 'alarm.raised',
    timestamp: new Date(sampleDelivery().alarm.raisedMs).toISOString(),
    data: { level: 1, point: 'gas-1/ch4-well-07/ch4', value: 52.5, limit: 50 },
  });
});

test('200 without the id, and 200 with an answer cut off, are accepted and not confirmed', async () => {
  for (const kind of ['accept', 'garbage'] as const) {
    const { notifier } = await desk({ kind });
    expect(await notifier.send(sampleNotice(), quiet())).toEqual({
      kind: 'sent',
      confirmedBy: null,
    });
  }
});

test('the confirmation of another id, and an endless answer, confirm nothing', async () => {
  const answers = [
    '{"confirmed":"other.raised"}',
    '[]',
    'null',
    `{"confirmed":"${sampleDelivery().id}","pad":"${'x'.repeat(ANSWER_BYTES_MAX)}"}`,
  ];
  for (const answer of answers) {
    const options = { receiver: 'desk', url: 'http://desk/', secret, timeoutMs: 1_000 };
    const notifier = webhook(async () => new Response(answer), systemClock, options);
    expect(await notifier.send(sampleNotice(), quiet())).toMatchObject({ confirmedBy: null });
  }
});

test('500 is to be tried again, 503 when the desk says, 410 never', async () => {
  const outcomes = [];
  for (const how of [
    { kind: 'status', status: 500 },
    { kind: 'status', status: 503, headers: { 'retry-after': '7' } },
    { kind: 'status', status: 410 },
  ] as const) {
    const { notifier } = await desk(how);
    outcomes.push(await notifier.send(sampleNotice(), quiet()));
  }
  expect(outcomes).toEqual([
    { kind: 'retry', why: 'http 500', afterMs: null },
    { kind: 'retry', why: 'http 503', afterMs: 7_000 },
    { kind: 'give-up', why: 'http 410', isReceiverGone: true },
  ]);
});

test('a redirect is refused and not followed', async () => {
  const other = await desk();
  const headers = { location: other.receiver.url };
  const { notifier } = await desk({ kind: 'status', status: 307, headers });
  expect(await notifier.send(sampleNotice(), quiet())).toMatchObject({ kind: 'give-up' });
  expect(ids(other.receiver)).toEqual([]);
});

test('the desk refuses another key and an old time, and needs each id once', async () => {
  const { receiver, notifier } = await desk();
  const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const options = { receiver: 'desk', url: receiver.url, secret: other, timeoutMs: 5_000 };
  const forged = webhook(fetch, systemClock, options);
  expect(await forged.send(sampleNotice(), quiet())).toMatchObject({ why: 'http 401' });
  const slow = { ...systemClock, wallMs: () => Date.now() - 301_000 };
  const old = webhook(fetch, slow, { ...options, secret });
  expect(await old.send(sampleNotice(), quiet())).toMatchObject({ why: 'http 401' });
  expect(receiver.refused()).toEqual({ 'signature wrong': 1, 'timestamp too far': 1 });
  await notifier.send(sampleNotice(), quiet());
  await notifier.send(sampleNotice(), quiet());
  expect(receiver.received()).toMatchObject([{ id: sampleDelivery().id, times: 2 }]);
});

test('only http and https without a password, and only a real key, make a webhook', () => {
  const codeOf = (changes: { url?: string; secret?: string }) => {
    const options = { receiver: 'desk', url: 'https://desk/', secret, timeoutMs: 1, ...changes };
    try {
      webhook(fetch, systemClock, options);
      return null;
    } catch (error) {
      expect(String(error)).not.toContain(secret);
      return error instanceof Fault ? error.code : error;
    }
  };
  expect(codeOf({})).toBeNull();
  for (const url of ['file:///etc/passwd', 'ftp://desk/', 'desk', 'https://a:b@desk/']) {
    expect(codeOf({ url }), url).toBe('notify_url');
  }
  for (const bad of ['', 'whsec_', 'whsec_c2hvcnQ=', 'plain']) {
    expect(codeOf({ secret: bad }), bad).toBe('notify_secret');
  }
});
