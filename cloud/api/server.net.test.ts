import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { qualityCode } from '../../core/quality.ts';
import { systemRandom } from '../../core/random.ts';
import { Current } from '../current.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import type { Right } from '../registry/registry.ts';
import { Registry, rights } from '../registry/registry.ts';
import { MemoryStore } from '../store/memory.ts';
import { checkDescribed } from './openapi.contract.ts';
import { dataRoutes } from './routes.ts';
import type { Api } from './server.ts';
import { BODY_BYTES_MAX, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const START_MS = Date.UTC(2026, 0, 1);
const EPOCH = '1-00000000000000aa';

function entry(series: number, point: string, asset: string): SeriesEntry {
  return {
    series,
    gateway: 'gw-1',
    definition: {
      device: 'meter',
      point,
      name: { en: point, zh: '测点' },
      unit: 'kPa',
      type: 'number',
      scale: 1,
      offset: 0,
      range: null,
      class: 'trend',
      periodMs: 1000,
      deadband: 0,
      asset,
      rules: [],
    },
  };
}

const entries = [entry(1, 'p1', 'gas/MP-1'), entry(2, 'p2', 'water/N-1')];

// One record: series 1 reads 0, 1, 2 ... once a second; series 2 is bad.
function record(count: number): DecodedRecord {
  const at = (place: number) => place * 1000;
  return {
    row: {
      row: 1,
      area: 'gas',
      gateway: 'gw-1',
      epoch: EPOCH,
      sequence: 1,
      lane: 'live',
      receivedMs: START_MS,
      bytes: new Uint8Array(),
    },
    clock: { wallOffsetMs: START_MS, state: 'synchronised', errorMs: 1 },
    isState: false,
    readings: {
      count: count + 1,
      series: Uint32Array.from([...Array(count).fill(1), 2]),
      monoMs: Float64Array.from({ length: count + 1 }, (_, place) => at(place)),
      atMs: Float64Array.from({ length: count + 1 }, (_, place) => START_MS + at(place)),
      quality: Uint8Array.from([...Array(count).fill(0), qualityCode('bad', 'timeout')]),
      values: Float64Array.from({ length: count + 1 }, (_, place) => (place < count ? place : NaN)),
      special: new Map([[count, null]]),
    },
    coverage: [],
    gaps: [],
    clockSteps: [],
    manifest: { hash: 'aa', entries },
  } as DecodedRecord;
}

let folder: string;
let registry: Registry;
let api: Api;
const stream = () => new EventStream('s1');
let events: EventStream;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-api-'));
  registry = new Registry(systemRandom, folder);
  const store = new MemoryStore();
  const current = new Current();
  await store.apply([record(10)], 1);
  current.apply(record(10), () => 0);
  events = stream();
  const clock = new SimClock(START_MS + 60_000);
  api = await openApi(systemClock, silentLog, new Metrics(), {
    host: '127.0.0.1',
    port: 0,
    hostNames: [],
    version: '0.0.0',
    registry,
    stream: events,
    routes: dataRoutes(clock, {
      registry,
      current,
      store,
      series: new Map(entries.map((each) => [each.series, each])),
      presence: () => ({
        ...{ online: true, heardMs: START_MS, clock: 'synchronised' },
        paths: [
          { state: 'up', sinceMs: START_MS, heardMs: START_MS },
          { state: 'down', sinceMs: START_MS, heardMs: 0 },
        ],
      }),
      health: () => ({ store: 'ok' }),
      onCredentials: () => {},
    }),
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true });
});

const url = (path: string) => `http://127.0.0.1:${api.port}${path}`;
const tokenFor = (right: Right, scope = '') =>
  registry.issueToken({ name: `p-${right}`, right, scope }, 0);

async function call(path: string, token?: string, init: RequestInit = {}) {
  const headers: Record<string, string> = { ...(init.headers as Record<string, string>) };
  if (token) headers['authorization'] = `Bearer ${token}`;
  const response = await fetch(url(path), { ...init, headers });
  const body = JSON.parse(await response.text());
  return { status: response.status, body, headers: response.headers };
}

test('every route but health asks for a token, and for its right: the role matrix', async () => {
  const document = (await call('/v1/openapi.json', tokenFor('read'))).body;
  const routes = Object.entries<Record<string, { summary: string }>>(document.paths).flatMap(
    ([path, methods]) =>
      Object.entries(methods).map(([method, { summary }]) => ({ path, method, summary })),
  );
  expect(routes.length).toBeGreaterThan(8);
  for (const { path, method, summary } of routes) {
    if (path === '/v1/stream') continue;
    const needed = /\((\w+)\)$/.exec(summary)?.[1];
    const target = path.replaceAll(/\{\w+\}/g, '1');
    const init = { method: method.toUpperCase() };
    if (needed === 'public') {
      expect(path).toBe('/v1/health');
      expect((await call(target)).status).toBe(200);
      continue;
    }
    expect((await call(target, undefined, init)).status, `${method} ${path}`).toBe(401);
    expect((await call(target, 'wrong', init)).status, `${method} ${path}`).toBe(401);
    for (const right of rights) {
      const { status } = await call(target, tokenFor(right), init);
      const allowed = rights.indexOf(right) >= rights.indexOf(needed as Right);
      if (allowed) expect([401, 403], `${method} ${path} as ${right}`).not.toContain(status);
      else expect(status, `${method} ${path} as ${right}`).toBe(403);
    }
  }
});

test('a scoped token sees its assets and nothing that tells of others', async () => {
  const token = tokenFor('read', 'gas');
  const { body } = await call('/v1/series', token);
  expect(body.items.map((item: { series: number }) => item.series)).toEqual([1]);
  expect((await call('/v1/series/2', token)).status).toBe(404);
  expect(
    (await call('/v1/series/2/history?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z', token))
      .status,
  ).toBe(404);
});

test('a current value comes with its age, quality and reason; bad has no number', async () => {
  const { body } = await call('/v1/series', tokenFor('read'));
  expect(body.items[0].current).toEqual({
    t: '2026-01-01T00:00:09.000Z',
    v: 9,
    u: 'kPa',
    q: 'good',
    reason: 'none',
  });
  expect(body.items[0].age_ms).toBe(51_000);
  expect(body.items[1].current).toMatchObject({ v: null, q: 'bad', reason: 'timeout' });
});

test('history is reduced by the server: min, max, mean and worst quality a bucket', async () => {
  const span = 'from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z';
  const { body } = await call(`/v1/series/1/history?${span}&bucket_ms=5000`, tokenFor('read'));
  expect(body.buckets).toMatchObject([
    { t: '2026-01-01T00:00:00.000Z', min: 0, max: 4, mean: 2, count: 5, bad: 0, q: 'good' },
    { t: '2026-01-01T00:00:05.000Z', min: 5, max: 9, mean: 7, count: 5, bad: 0, q: 'good' },
  ]);
  const raw = await call(`/v1/series/1/history?${span}&limit=3`, tokenFor('read'));
  expect(raw.body.readings.map(({ v }: { v: number }) => v)).toEqual([0, 1, 2]);
  expect(raw.body.truncated).toBe(true);
});

test('a list goes on from its cursor', async () => {
  const token = tokenFor('read');
  const first = (await call('/v1/series?limit=1', token)).body;
  expect(first.next).toBe('1');
  const second = (await call(`/v1/series?limit=1&after=${first.next}`, token)).body;
  expect([second.items[0].series, second.next]).toEqual([2, null]);
});

test('what is wrong with a call comes back as a problem that names the field', async () => {
  const { status, body, headers } = await call(
    '/v1/series/1/history?from=yesterday',
    tokenFor('read'),
  );
  expect(status).toBe(400);
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
  expect(body).toMatchObject({ type: 'urn:lifeline:api_bad_request', status: 400 });
  expect(body.errors.map(({ path }: { path: string }) => path)).toContain('/from');
});

test('each kind of misfit is a sentence in the language of the reader', async () => {
  const token = tokenFor('administer');
  const detail = async (path: string, language: string, body?: object) => {
    const headers = { 'accept-language': language, 'content-type': 'application/json' };
    const posted = body && { method: 'POST', body: JSON.stringify(body) };
    return (await call(path, token, { headers, ...posted })).body.detail;
  };
  const history = '/v1/series/1/history?';
  expect(await detail(`${history}from=yesterday`, 'zh')).toContain('from：须为时间，如');
  expect(await detail('/v1/series?limit=100000000', 'zh')).toMatch(/limit：最大为 \d+$/);
  expect(await detail('/v1/series?limit=0', 'en')).toBe('limit: at least 1');
  expect(await detail('/v1/series?limit=many', 'zh')).toContain('limit：须为数字');
  const principal = { name: 'desk', right: 'all' };
  expect(await detail('/v1/principals', 'en', principal)).toContain(
    'right: must be one of confirm, read, ',
  );
  expect(await detail('/v1/gateways', 'zh', { id: 7, area: 'gas' })).toContain('id：须为文本');
  for (const language of ['en', 'zh']) {
    const all = await detail(`${history}from=x&to=y&limit=no`, language);
    expect(all).not.toMatch(/Invalid|expected/);
  }
});

test('an If-Match that is no revision is a mistake of the call, not a change by somebody', async () => {
  const posted = (ifMatch: string) =>
    call('/v1/gateways', tokenFor('administer'), {
      ...{ method: 'POST', body: JSON.stringify({ id: 'gw-9', area: 'gas' }) },
      headers: { 'content-type': 'application/json', 'if-match': ifMatch },
    });
  for (const wrong of ['banana', '"banana"', '7']) {
    const { status, body } = await posted(wrong);
    expect([status, body.title]).toEqual([400, 'api_bad_request']);
    expect(body.detail).toContain(wrong);
  }
  expect((await posted('"7"')).status).toBe(200);
});

test('a foreign Host is refused, no CORS header is sent, and a body is at most 1 MB', async () => {
  const foreign = await new Promise<number>((resolve, reject) => {
    const options = { port: api.port, path: '/v1/health', headers: { host: 'evil.example' } };
    request(options, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
  expect(foreign).toBe(421);
  const crossed = await call('/v1/health', undefined, {
    headers: { origin: 'http://evil.example' },
  });
  expect(crossed.headers.get('access-control-allow-origin')).toBeNull();
  const large = await call('/v1/gateways', tokenFor('administer'), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: 'x'.repeat(1_100_000), area: 'gas' }),
  });
  expect(large.status).toBe(413);
});

test('enrolling through the API gives the secret once, and a token made there works', async () => {
  const administer = tokenFor('administer');
  const json = { 'content-type': 'application/json' };
  const made = await call('/v1/gateways', administer, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ id: 'gw-9', area: 'gas' }),
  });
  expect(Buffer.from(made.body.secret, 'base64url')).toHaveLength(32);
  const token = await call('/v1/principals', administer, {
    method: 'POST',
    headers: json,
    body: JSON.stringify({ name: 'desk', right: 'read' }),
  });
  const [gateway] = (await call('/v1/gateways', token.body.secret)).body.items;
  expect(gateway.id).toBe('gw-9');
  // Each path by itself: the second was never heard.
  const heard = new Date(START_MS).toISOString();
  expect(gateway.paths).toEqual([
    { state: 'up', since: heard, heard },
    { state: 'down', since: heard, heard: null },
  ]);
});

test('a body that is no JSON, too large or of another type has a code of its own', async () => {
  const token = tokenFor('administer');
  const post = (body: string, type = 'application/json') =>
    call('/v1/gateways', token, { method: 'POST', headers: { 'content-type': type }, body });
  const malformed = await post('{"id":');
  expect(malformed).toMatchObject({ status: 400, body: { title: 'api_malformed' } });
  const large = await post(JSON.stringify({ id: 'x'.repeat(BODY_BYTES_MAX) }));
  expect(large).toMatchObject({ status: 413, body: { title: 'api_too_large' } });
  expect(await post('a=1', 'text/x')).toMatchObject({
    status: 415,
    body: { title: 'api_not_json' },
  });
});

test('a problem is told in the language the reader asks for, English when it is none of ours', async () => {
  const token = tokenFor('read');
  const ask = (language: string) =>
    call('/v1/series/99', token, { headers: { 'accept-language': language } });
  const chinese = await ask('zh-CN,zh;q=0.9,en;q=0.8');
  expect(chinese.body.detail).toBe('没有序列 99');
  expect(chinese.headers.get('content-language')).toBe('zh');
  expect((await ask('fr, en')).body.detail).toBe('no series 99');
  expect((await ask('fr')).body.detail).toBe('no series 99');
});

test('the OpenAPI 3.1 document describes every answer that the server really gives', async () => {
  const document = (await call('/v1/openapi.json', tokenFor('read'))).body;
  expect(document.openapi).toBe('3.1.0');
  registry.enrolGateway('gas', 'gw-1', START_MS);
  const span = '?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';
  const seen = await checkDescribed({
    base: url(''),
    tokenFor,
    params: { gateway: 'gw-1', series: '1', name: 'p-read' },
    queries: { 'GET /v1/series/{series}/history': span },
    bodies: {
      'POST /v1/gateways': { id: 'gw-9', area: 'gas' },
      'POST /v1/principals': { name: 'desk', right: 'read' },
    },
  });
  for (const path of Object.keys(document.paths)) {
    if (path !== '/v1/stream') expect(seen.join('\n')).toContain(` ${path} 200`);
  }
  const stream = document.paths['/v1/stream'].get.responses;
  expect(Object.keys(stream)).toEqual(['200', '400', '401', '403', '421', '500']);
});

test('the stream resumes by Last-Event-ID over a real connection', async () => {
  const token = tokenFor('read');
  events.publish({ topic: 'alarms', name: 'alarm.raised', data: '{"n":1}', assets: [null] });
  events.publish({ topic: 'alarms', name: 'alarm.raised', data: '{"n":2}', assets: [null] });
  const abort = new AbortController();
  const response = await fetch(url('/v1/stream?topics=alarms'), {
    headers: { authorization: `Bearer ${token}`, 'last-event-id': 's1-1' },
    signal: abort.signal,
  });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('\n\n')) text += (await reader.read()).value ?? '';
  expect(text).toBe('event: alarm.raised\nid: s1-2\ndata: {"n":2}\n\n');
  abort.abort();
  expect((await call('/v1/stream?topics=nonsense', token)).status).toBe(400);
});

test('a port that is taken is said so, and nothing is left running', async () => {
  const options = {
    host: '127.0.0.1',
    port: api.port,
    hostNames: [],
    version: '0.0.0',
    registry,
    stream: new EventStream('s2'),
    routes: [],
  };
  const opening = openApi(systemClock, silentLog, new Metrics(), options);
  await expect(opening).rejects.toMatchObject({ code: 'api_bind' });
});
