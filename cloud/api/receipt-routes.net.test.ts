import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { plainWording } from '../notify/channels/channel.contract.ts';
import { logNotifier } from '../notify/channels/log.ts';
import { phone } from '../notify/channels/phone.ts';
import type { Receipt } from '../notify/notifier.ts';
import { Registry } from '../registry/registry.ts';
import { RECEIPTS_BYTES_MAX, receiptRoutes } from './receipt-routes.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const secret = 'receipts-secret-4f';
const token = 'receipts-token-31';
let folder: string;
let registry: Registry;
let api: Api;
let metrics: Metrics;
let heard: { readonly receiver: string; readonly receipt: Receipt }[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-receipts-'));
  registry = new Registry(systemRandom, folder);
  metrics = new Metrics();
  heard = [];
  const ground = {
    ...{ clock: systemClock, random: systemRandom, fetcher: fetch, wording: plainWording },
  };
  const common = { to: '13800001111', url: 'https://sms.example/', secrets: { key: secret } };
  const sms = phone(ground, {
    ...{ id: 'sms', kind: 'sms', ...common },
    receipts: { token, reference: '/biz_id', state: '/err_code', delivered: ['DELIVERED'] },
  });
  const voice = phone(ground, {
    ...{ id: 'voice', kind: 'voice', ...common },
    receipts: {
      ...{ reference: '/call_id', state: '/status_code', delivered: ['200000'] },
      ...{ key: '/dtmf', confirmed: ['1'] },
      sign: { header: 'x-sign', key: '{secret.key}', text: '{header.x-time}.{body}' },
    },
  });
  api = await openApi(systemClock, silentLog, metrics, {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: receiptRoutes(metrics, {
      receivers: new Map([
        ['sms', sms],
        ['voice', voice],
        ['desk', logNotifier(silentLog)],
      ]),
      receipt: (receiver, receipt) => {
        heard.push({ receiver, receipt });
        return receipt.reference === 'unheard' ? 'unknown' : 'known';
      },
    }),
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true });
});

async function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(`http://127.0.0.1:${api.port}/v1/receipts/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  const said = (await response.json()) as Readonly<Record<string, unknown>>;
  return { status: response.status, ...said };
}

const reports = JSON.stringify([
  { biz_id: '1^0', err_code: 'DELIVERED' },
  { biz_id: 'unheard', err_code: 'MK:0001' },
]);

test('what the provider posts with the word of its address is heard, and answered as it wants', async () => {
  expect(await post(`sms?token=${token}`, reports)).toEqual({
    ...{ status: 200, code: 0, msg: 'OK', result: 0, errmsg: 'OK', known: 1, unknown: 1 },
  });
  expect(heard).toEqual([
    { receiver: 'sms', receipt: { reference: '1^0', state: 'delivered', why: null } },
    {
      receiver: 'sms',
      receipt: { reference: 'unheard', state: 'failed', why: 'not delivered (MK:0001)' },
    },
  ]);
  expect(metrics.render()).toMatch(/notify_receipts_total\{kind="known"\} 1/);
});

test('a signature over what came, byte for byte, is heard; over anything else it is not', async () => {
  const body = '{"call_id":"7^1", "status_code":"200000","dtmf":"1"}';
  const sign = createHmac('sha256', secret).update(`99.${body}`).digest('hex');
  const headers = { 'x-time': '99', 'x-sign': sign };
  expect(await post('voice', body, headers)).toMatchObject({ status: 200, known: 1 });
  expect(heard).toMatchObject([{ receiver: 'voice', receipt: { state: 'confirmed' } }]);
  for (const [path, posted, given] of [
    ['voice', body.replace('7^1', '8^1'), headers],
    ['voice', body, { ...headers, 'x-time': '98' }],
    ['voice', body, { 'x-time': '99' }],
    [`voice?token=${token}`, body, {}],
  ] as const) {
    expect((await post(path, posted, given)).status).toBe(404);
  }
  expect(heard).toHaveLength(1);
});

test('a receiver that there is not, one without receipts, another word and what is too long look the same', async () => {
  const long = JSON.stringify([{ biz_id: 'x'.repeat(RECEIPTS_BYTES_MAX), err_code: 'DELIVERED' }]);
  for (const [path, body] of [
    [`nobody?token=${token}`, reports],
    [`desk?token=${token}`, reports],
    ['sms?token=other', reports],
    ['sms', reports],
    [`sms?token=${token}`, 'no json'],
    [`sms?token=${token}`, long],
  ] as const) {
    const answer = await post(path, body);
    expect(answer).toMatchObject({ status: 404, title: 'api_not_found' });
    expect(JSON.stringify(answer)).not.toContain(token);
  }
  expect(heard).toEqual([]);
  expect(metrics.render()).toMatch(/notify_receipts_total\{kind="unproven"\} 6/);
});
