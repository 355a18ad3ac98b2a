import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { type Alarm, UNMARKED } from '../alarms/alarm.ts';
import { AlarmTables } from '../alarms/tables.ts';
import type { Word } from '../notify/answers.ts';
import { sampleAlarm } from '../notify/channels/channel.contract.ts';
import { Confirmations } from '../notify/confirmations.ts';
import { Ledger } from '../notify/ledger.ts';
import type { Notifier } from '../notify/notifier.ts';
import { Pipeline } from '../notify/pipeline.ts';
import { chainOf } from '../notify/route.ts';
import { Registry } from '../registry/registry.ts';
import { answerPages, CALLS_PER_MINUTE, WRONG_PER_MINUTE } from './answer-pages.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const LINK_VALID_MS = 7_200_000;
const NAME = '<b>张伟</b>';
let folder: string;
let clock: SimClock;
let registry: Registry;
let tables: AlarmTables;
let pipeline: Pipeline;
let api: Api;
let stop: AbortController;
/** By receiver: where its last message says to answer. */
let links: Map<string, string>;
let logged: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-pages-'));
  clock = new SimClock();
  registry = new Registry(systemRandom, folder);
  tables = new AlarmTables(registry.database);
  [links, logged, stop] = [new Map(), [], new AbortController()];
  const note = (event: string, fields?: Readonly<Record<string, unknown>>) => {
    logged.push(`${event} ${JSON.stringify(fields)}`);
  };
  const log: Log = { debug: note, info: note, warn: note, error: note };
  const ledger = new Ledger(registry.database);
  const confirmations = new Confirmations(systemRandom, registry.database, {
    ...{ publicUrl: 'https://alarm.example', linkValidMs: LINK_VALID_MS },
  });
  const receiver = (id: string): Notifier => ({
    send: async (notice) => {
      links.set(id, notice.links[0] ?? '');
      return { kind: 'sent', confirmedBy: null };
    },
  });
  pipeline = new Pipeline(clock, log, new Metrics(), systemRandom, {
    ...{ tables, ledger, onChange: () => {} },
    receivers: new Map(['group', 'second'].map((id) => [id, receiver(id)])),
    routes: [{ id: 'all', match: {}, chain: chainOf(['group', 'second'], 60_000) }],
    linkOf: (delivery, nowMs) => confirmations.linkOf(delivery, nowMs),
  });
  void pipeline.run(stop.signal);
  api = await openApi(clock, log, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '1', registry },
    ...{ stream: new EventStream('s'), routes: [] },
    pages: answerPages(clock, {
      ...{ links: confirmations, notify: pipeline, utcOffsetMs: 8 * 3_600_000 },
      alarmOf: (occurrence) => tables.get(occurrence),
      nameOf: (person) => person,
    }),
  });
  await raise();
});

afterEach(async () => {
  stop.abort();
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

async function raise(changes: Partial<Alarm> = {}): Promise<void> {
  const { number: _, state: __, revision: ___, ...alarm } = sampleAlarm;
  const made = tables.insert({ ...alarm, ...UNMARKED, kind: 'limit', ...changes });
  tables.queue('raised', made!, clock.wallMs());
  await clock.advance(2_000);
}

/** As a browser where a person goes to a page; `fetch` would say something else of itself. */
function visit(token: string, more: Record<string, string> = {}): Promise<number> {
  const headers = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', ...more };
  return new Promise((resolve, reject) => {
    const path = `/c/${token}`;
    request({ host: '127.0.0.1', port: api.port, path, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    })
      .on('error', reject)
      .end();
  });
}

const tokenOf = (receiver: string) => links.get(receiver)!.split('/c/')[1]!;
const call = (path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${api.port}${path}`, { redirect: 'manual', ...init });
const get = (token: string, headers: Record<string, string> = {}) =>
  call(`/c/${token}`, { headers });
const post = (token: string, word: Word | 'x', name = '') =>
  call(`/c/${token}`, { method: 'POST', body: new URLSearchParams({ word, name }) });
const deliveryOf = (receiver: string) =>
  pipeline.deliveries().find((each) => each.receiver === receiver)!;

test('the page says what, where, since when, how much and what to do, in the language of the browser', async () => {
  expect(links.get('group')).toMatch(/^https:\/\/alarm\.example\/c\/[\w-]{36}$/);
  const english = await get(tokenOf('group'));
  expect(english.status).toBe(200);
  const text = await english.text();
  const told = ['Methane very high', 'gas/MP-1193/well-07', '52.5 %LEL', 'Close valve V-221'];
  for (const part of [...told, 'Nobody has it yet', '>I have it<', 'name="name"']) {
    expect(text).toContain(part);
  }
  const chinese = await get(tokenOf('group'), { 'accept-language': 'zh-CN,zh;q=0.9' });
  expect(chinese.headers.get('content-language')).toBe('zh');
  const both = await chinese.text();
  for (const part of ['甲烷浓度过高', '关闭阀门 V-221', '尚无人接手', '>我来处置<']) {
    expect(both).toContain(part);
  }
  const switched = await call(`/c/${tokenOf('group')}?lang=en`, {
    headers: { 'accept-language': 'zh' },
  });
  expect(await switched.text()).toContain('>I have it<');
});

test('a page needs no script, no cookie and nothing from elsewhere, and says so to the browser', async () => {
  const { headers, text } = await get(tokenOf('group')).then(async (response) => ({
    headers: response.headers,
    text: await response.text(),
  }));
  const policy = headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(headers.get('referrer-policy')).toBe('no-referrer');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('set-cookie')).toBeNull();
  expect(text).not.toMatch(/<script|<img|<link|https?:\/\/|\son\w+=/);
  expect(Buffer.byteLength(text)).toBeLessThan(8 * 1024);
});

test('who opens a link confirms nothing, however often; only a visit of a person is seen', async () => {
  const token = tokenOf('group');
  for (let at = 0; at < 3; at++) expect((await get(token)).status).toBe(200);
  expect((await call(`/c/${token}`, { method: 'HEAD' })).status).toBe(200);
  expect(await visit(token, { 'sec-purpose': 'prefetch' })).toBe(200);
  expect(deliveryOf('group')).toMatchObject({ state: 'accepted', seenMs: null });
  expect(await visit(token)).toBe(200);
  expect(deliveryOf('group')).toMatchObject({ state: 'seen', confirmedMs: null });
  await clock.advance(65_000);
  expect(deliveryOf('second').state).toBe('accepted');
});

test('an answer is taken once, shown to everybody, and calls nobody further', async () => {
  const token = tokenOf('group');
  for (let at = 0; at < 3; at++) {
    const answer = await post(token, 'confirmed', ` ${NAME}\u202e\n `);
    expect([answer.status, answer.headers.get('location')]).toEqual([303, `./${token}`]);
  }
  expect(deliveryOf('group')).toMatchObject({ state: 'confirmed', confirmedBy: NAME });
  const page = await (await get(token)).text();
  expect(page).toContain('&lt;b&gt;张伟&lt;/b&gt; has it since');
  expect(page).not.toContain('<b>张伟');
  expect(page).toContain('>On my way<');
  expect(page).not.toContain('>I have it<');
  await post(token, 'on_my_way');
  expect(deliveryOf('group')).toMatchObject({ state: 'acted', confirmedBy: NAME });
  await clock.advance(600_000);
  expect(links.has('second')).toBe(false);
  const entries = tables.journal.list({}, { order: 'oldest', after: 0, limit: 10 }).entries;
  expect(entries).toMatchObject([
    { kind: 'delivery-confirmed', who: 'receiver group', from: '127.0.0.1' },
    { kind: 'delivery-acted', who: 'receiver group' },
  ]);
});

test('not mine calls the next at once, who sees that it was passed on', async () => {
  await post(tokenOf('group'), 'not_mine', '李娜');
  await clock.advance(2_000);
  const page = await (await get(tokenOf('second'))).text();
  expect(page).toContain('李娜 has passed it on');
  expect(page).toContain('Nobody has it yet');
});

test('a link of one receiver answers for no other, and one that has ended for nobody', async () => {
  await clock.advance(65_000);
  await post(tokenOf('second'), 'confirmed');
  expect(deliveryOf('second').state).toBe('confirmed');
  expect(deliveryOf('group').confirmedMs).toBeNull();
  const token = tokenOf('group');
  await clock.advance(LINK_VALID_MS);
  expect(await visit(token)).toBe(410);
  for (const answer of [await get(token), await post(token, 'confirmed')]) {
    expect(answer.status).toBe(410);
    const text = await answer.text();
    expect(text).toContain('This link has ended');
    expect(text).toContain('此链接已过期');
    expect(text).not.toContain('Methane');
  }
  expect(deliveryOf('group')).toMatchObject({ confirmedMs: null, seenMs: null });
});

test('what is no link gets a page that says what to do, and too many get no answer for a minute', async () => {
  const token = tokenOf('group');
  const forged = `${token.startsWith('A') ? 'B' : 'A'}${token.slice(1)}`;
  const answers = [];
  for (let at = 0; at <= WRONG_PER_MINUTE; at++) {
    answers.push((await post(at % 2 === 0 ? forged : 'x', 'confirmed')).status);
  }
  expect(answers).toEqual([...Array(WRONG_PER_MINUTE).fill(404), 429]);
  expect(await (await get(forged)).text()).toContain('访问过于频繁');
  // Whoever holds a good one behind the same address is not held up.
  expect((await get(token)).status).toBe(200);
  await clock.advance(60_000);
  const wrong = await get(forged);
  expect(wrong.status).toBe(404);
  expect(await wrong.text()).toContain('This link is not valid');
  expect(deliveryOf('group').confirmedMs).toBeNull();
});

test('a program that asks without end is stopped, and a form that is none is refused', async () => {
  const token = tokenOf('group');
  expect((await post(token, 'x')).status).toBe(400);
  const json = await call(`/c/${token}`, {
    ...{ method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } },
  });
  expect(json.status).toBe(415);
  expect(await json.text()).toContain('Your answer was not recorded');
  const large = await post(token, 'confirmed', 'x'.repeat(8_000));
  expect(large.status).toBe(413);
  const statuses = [];
  for (let at = 0; at < CALLS_PER_MINUTE; at++) statuses.push((await get(token)).status);
  expect(statuses.at(0)).toBe(200);
  expect(statuses.at(-1)).toBe(429);
});

test('a disk without room is told to the person, and nothing is taken for done', async () => {
  registry.database.exec('PRAGMA query_only = 1');
  const answer = await post(tokenOf('group'), 'confirmed');
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain('答复未能记录');
  // The alarm itself is shown all the same.
  expect(await visit(tokenOf('group'))).toBe(200);
  registry.database.exec('PRAGMA query_only = 0');
  expect(deliveryOf('group').confirmedMs).toBeNull();
});

test('a drill is marked in both languages', async () => {
  await raise({ occurrence: 'd'.repeat(32), purpose: 'drill' });
  const page = async (lang: string) => (await call(`/c/${tokenOf('group')}?lang=${lang}`)).text();
  expect(await page('en')).toContain('DRILL');
  expect(await page('zh')).toContain('演练');
});

test('tokens stand in no log, no ledger and no journal', async () => {
  const token = tokenOf('group');
  await visit(token);
  await post(token, 'confirmed');
  await call(`/c/${token}/more`);
  registry.database.exec('PRAGMA query_only = 1');
  await clock.advance(1_000);
  await post(token, 'on_my_way');
  registry.database.exec('PRAGMA query_only = 0');
  const kept = ['notify_deliveries', 'alarm_journal', 'alarms'].flatMap((table) =>
    registry.database.prepare(`SELECT * FROM ${table}`).all(),
  );
  const everything = `${logged.join('\n')}${JSON.stringify(kept)}${JSON.stringify(pipeline.deliveries())}`;
  expect(logged.some((line) => line.startsWith('page_failed'))).toBe(true);
  expect(everything).not.toContain(token);
  expect(everything).not.toContain('alarm.example');
});
