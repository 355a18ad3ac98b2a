// Short messages and calls against a local provider of the usual kind, which checks the signature
// by code of its own, refuses a request that comes twice, and enforces the published quota of a
// number.
import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '../../../core/clock.ts';
import { Problems } from '../../../core/problems.ts';
import { systemRandom } from '../../../core/random.ts';
import type { RobotBehaviour, RobotOptions, RobotServer } from '../../../simulators/robots.ts';
import { startRobot } from '../../../simulators/robots.ts';
import {
  idsIn,
  notifierContract,
  plainWording,
  sampleAlarm,
  sampleDigest,
  sampleNotice,
} from './channel.contract.ts';
import { phone, SMS_SIGNS_MAX, smsKind, voiceKind } from './phone.ts';

const START_MS = 1_795_334_400_000;
const MINUTE_MS = 60_000;
const key = 'account-0d1f';
const secret = 'phone-secret-77aa';
const token = 'receipts-token-31';
const number = '+8613800001111';

const opened: RobotServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
});

type Kind = 'sms' | 'voice';

/** As a file says it, its secrets read. */
function settingsOf(kind: Kind, url: string, changes: object = {}) {
  const form = kind === 'sms' ? smsKind.form : voiceKind.form;
  return {
    ...{ id: 'duty', kind, to: number, url },
    headers: {
      'x-key': '{secret.id}',
      'x-timestamp': '{timestamp}',
      'x-nonce': '{nonce}',
      'x-signature': '{signature}',
    },
    body: '{"to":"{to}","text":"{text} {link}","level":"{level}"}',
    secrets: { id: key, key: secret },
    sign: {
      key: '{secret.key}',
      text: '{method}\n{path}\n{timestamp}\n{nonce}\n{body:sha256}',
    },
    answer: {
      ...{ code: '/Code', accepted: ['OK'], throttled: ['isv.BUSINESS_LIMIT_CONTROL'] },
      ...{ again: ['SystemBusy'], pause: '1m', words: '/Message', reference: '/BizId' },
    },
    ...changes,
    // Never parsed here: references stand in the file, and what they refer to stands here.
  } as Parameters<typeof phone>[1] & { readonly form?: typeof form };
}

const patient: Clock = { ...systemClock, wallMs: () => START_MS };
/** Its timers end a hundred times sooner, so that a time-out is not waited for. */
const hasty: Clock = { ...patient, after: (ms, fn) => systemClock.after(ms / 100, fn) };
const clockFor = ({ kind }: RobotBehaviour) => (/hang|late/.test(kind) ? hasty : patient);

function notifierOf(kind: Kind, url: string, changes: object = {}, clock: Clock = patient) {
  const ground = { clock, random: systemRandom, fetcher: fetch, wording: plainWording } as const;
  return phone(ground, settingsOf(kind, url, changes));
}

async function serverOf(kind: Kind, changes: Partial<RobotOptions> = {}): Promise<RobotServer> {
  const at = { kind, host: '127.0.0.1', port: 0, token: key, secret, nowMs: () => START_MS };
  const server = await startRobot({ ...at, ...changes });
  opened.push(server);
  return server;
}

async function benchOf(kind: Kind, behaviour: RobotBehaviour = { kind: 'work' }) {
  let nowMs = START_MS;
  // A number takes one call a minute: the provider's time goes on between them.
  const server = await serverOf(kind, {
    behaviour: () => behaviour,
    nowMs: () => {
      nowMs += kind === 'voice' ? MINUTE_MS : 0;
      return nowMs;
    },
  });
  return {
    notifier: notifierOf(kind, server.url, {}, clockFor(behaviour)),
    received: async () => [...new Set(server.posted().flatMap(({ content }) => idsIn(content)))],
    messages: async () => server.posted().length,
  };
}

const quiet = () => new AbortController().signal;

describe.each(['sms', 'voice'] as const)('%s', (kind) => {
  const bench = (behaviour: RobotBehaviour) => () => benchOf(kind, behaviour);
  notifierContract(kind, {
    open: async () => {
      const { notifier, ...rest } = await benchOf(kind);
      // Of a digest only the worst is named in what a phone shows or says.
      const { digestMax: _, ...single } = notifier;
      return { notifier: single, ...rest };
    },
    broken: () => notifierOf(kind, 'http://127.0.0.1:1/'),
    faulty: {
      garbage: bench({ kind: 'garbage' }),
      hang: bench({ kind: 'hang' }),
      late: bench({ kind: 'late', delayMs: 250 }),
      'error in 200': bench({
        kind: 'answer',
        body: { Code: 'isv.OUT_OF_SERVICE', Message: `no money ${secret} for ${number}` },
      }),
    },
    secrets: [key, secret, number],
  });

  test('the answer names it for its receipt', async () => {
    const server = await serverOf(kind);
    expect(await notifierOf(kind, server.url).send(sampleNotice(), quiet())).toEqual({
      ...{ kind: 'sent', confirmedBy: null, reference: `${kind}-1` },
    });
    const [{ content, called } = { content: '', called: [] }] = server.posted();
    expect(called).toEqual([number]);
    expect(content).toContain(sampleAlarm.title.zh);
    // What is spoken has no signs in it.
    expect(/▲/.test(content)).toBe(kind === 'sms');
  });

  test('several deliveries are one message', async () => {
    const server = await serverOf(kind);
    const digest = sampleDigest(['a.raised', 'b.raised', 'c.raised']);
    await notifierOf(kind, server.url).send(digest, quiet());
    expect(server.posted()).toHaveLength(1);
    expect(Array.from(server.posted()[0]!.content).length).toBeLessThan(SMS_SIGNS_MAX + 100);
  });

  test('beyond the quota of a number it is told to wait, and the provider refuses a request that comes twice', async () => {
    const server = await serverOf(kind);
    const notifier = notifierOf(kind, server.url);
    const messages = kind === 'sms' ? 50 : 1;
    for (let at = 0; at < messages; at++) {
      const outcome = await notifier.send(sampleNotice({ id: `n${at}.raised` }), quiet());
      expect(outcome.kind).toBe('sent');
    }
    expect(await notifier.send(sampleNotice({ id: 'over.raised' }), quiet())).toMatchObject({
      ...{ kind: 'retry', afterMs: MINUTE_MS, isReceiverBusy: true },
    });
    const headers = { 'x-nonce': 'the same', 'x-key': '{secret.id}', 'x-timestamp': '{timestamp}' };
    const again = notifierOf(kind, (await serverOf(kind)).url, {
      headers: { ...headers, 'x-signature': '{signature}' },
      sign: {
        key: '{secret.key}',
        text: '{method}\n{path}\n{timestamp}\nthe same\n{body:sha256}',
      },
    });
    expect((await again.send(sampleNotice(), quiet())).kind).toBe('sent');
    expect(await again.send(sampleNotice(), quiet())).toMatchObject({
      ...{ kind: 'give-up', why: expect.stringContaining('SignatureNonceUsed') },
    });
  });

  test('what is refused is given up, what passes is tried again', async () => {
    const outcomes = [];
    for (const behaviour of [
      { kind: 'answer', body: { Code: 'SystemBusy', Message: 'later' } },
      { kind: 'answer', body: { Code: 'isv.MOBILE_NUMBER_ILLEGAL', Message: 'no number' } },
      { kind: 'status', status: 400 },
      { kind: 'status', status: 503, headers: { 'retry-after': '9' } },
      { kind: 'status', status: 429 },
    ] as const) {
      const { notifier } = await benchOf(kind, behaviour);
      outcomes.push(await notifier.send(sampleNotice(), quiet()));
    }
    const refusal = `${kind} provider refuses (isv.MOBILE_NUMBER_ILLEGAL: no number)`;
    expect(outcomes).toEqual([
      { kind: 'retry', why: `${kind} provider refuses (SystemBusy: later)`, afterMs: null },
      { kind: 'give-up', why: refusal, isReceiverGone: false },
      { kind: 'give-up', why: 'http 400', isReceiverGone: false },
      { kind: 'retry', why: 'http 503', afterMs: 9_000 },
      { kind: 'retry', why: 'http 429', afterMs: MINUTE_MS, isReceiverBusy: true },
    ]);
  });

  test('another key is refused, and says so', async () => {
    const server = await serverOf(kind);
    const forged = notifierOf(kind, server.url, { secrets: { id: key, key: 'other' } });
    expect(await forged.send(sampleNotice(), quiet())).toMatchObject({
      ...{ kind: 'give-up', why: expect.stringContaining('SignatureDoesNotMatch') },
    });
    expect(server.posted()).toEqual([]);
  });
});

// Short messages as help.aliyun.com shows SmsReport; calls as VoiceReport.
const smsReceipts = {
  ...{ token, reference: '/biz_id', state: '/err_code', delivered: ['DELIVERED'] },
  words: '/err_msg',
};
const voiceReceipts = {
  ...{ reference: '/call_id', state: '/status_code', delivered: ['200000'], key: '/dtmf' },
  confirmed: ['1'],
  sign: { header: 'x-sign', key: '{secret.key}', text: '{header.x-time}.{body}' },
};

test('receipts say what reached the phone, and only the provider may post them', () => {
  const { receipts } = notifierOf('sms', 'http://127.0.0.1:1/', { receipts: smsReceipts });
  const body = JSON.stringify([
    { biz_id: '1^0', err_code: 'DELIVERED', err_msg: '用户接收成功' },
    { biz_id: '2^0', err_code: 'MK:0001', err_msg: `空号 ${number}` },
    { other: 1 },
    null,
  ]);
  expect(receipts!({ headers: {}, token, body })).toEqual([
    { reference: '1^0', state: 'delivered', why: null },
    { reference: '2^0', state: 'failed', why: 'not delivered (MK:0001: 空号 ***)' },
  ]);
  for (const posted of [
    { headers: {}, token: null, body },
    { headers: {}, token: 'other', body },
    { headers: {}, token, body: '[' },
  ]) {
    expect(receipts!(posted)).toBeNull();
  }
});

test('a key pressed on the phone confirms, and a forged receipt does not', () => {
  const { receipts } = notifierOf('voice', 'http://127.0.0.1:1/', { receipts: voiceReceipts });
  const body = '{"call_id":"7^1","status_code":"200000","dtmf":"1"}';
  const sign = createHmac('sha256', secret).update(`99.${body}`).digest('hex');
  const headers = { 'x-time': '99', 'x-sign': sign };
  expect(receipts!({ headers, token: null, body })).toEqual([
    { reference: '7^1', state: 'confirmed', why: null },
  ]);
  const unpressed = body.replace('"1"', '"2"');
  expect(receipts!({ headers, token: null, body: unpressed })).toBeNull();
  expect(receipts!({ headers: { 'x-time': '99' }, token: null, body })).toBeNull();
});

test('what a file says of a provider is checked when it is read', () => {
  const found = (changes: object) => {
    const problems = new Problems('cloud.yaml');
    smsKind.check(settingsOf('sms', 'https://sms.example/{to}', changes), ['x'], problems);
    return problems.findings.map(({ path, code }) => `${path.join('.')} ${code}`);
  };
  expect(found({})).toEqual([]);
  expect(found({ receipts: smsReceipts })).toEqual([]);
  expect(found({ url: 'http://sms.example/' })).toEqual(['x.url channel-without-tls']);
  expect(found({ body: '{"a":"{txt}"}' })).toEqual(['x.body channel-field-unknown']);
  expect(found({ body: '{"s":"{signature}"}' })).toEqual(['x.sign channel-signs-itself']);
  expect(found({ headers: { a: '{secret.none}' } })).toEqual(['x.headers.a channel-field-unknown']);
  expect(found({ answer: { code: '/Code' } })).toEqual(['x.answer channel-accepted-by-code']);
  const { token: _, ...open } = smsReceipts;
  expect(found({ receipts: open })).toEqual(['x.receipts channel-receipts-open']);
});
