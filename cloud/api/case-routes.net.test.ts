import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SimClock, systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import { AlarmedPlant } from '../../tests/alarmed-plant.ts';
import { callApi } from '../../tests/api-call.ts';
import { AlarmConsumer } from '../alarms/consumer.ts';
import { WALL } from '../alarms/made-records.ts';
import { Attachments, FILE_BYTES_MAX } from '../cases/attachments.ts';
import { defaultLimits } from '../cases/case.ts';
import { Cases } from '../cases/cases.ts';
import { Registry, type Right } from '../registry/registry.ts';
import { actRoutes } from './act-routes.ts';
import { caseRoutes } from './case-routes.ts';
import { checkDescribed } from './openapi.contract.ts';
import { type Api, openApi } from './server.ts';
import { EventStream } from './stream.ts';

const T0 = WALL + 60_000;
const ID = '2026-0001';
let folder: string;
let database: DatabaseSync;
let registry: Registry;
let alarms: AlarmConsumer;
let cases: Cases;
let plant: AlarmedPlant;
let attachments: Attachments;
let clock: SimClock;
let api: Api;
let handled: string[];

beforeEach(async () => {
  handled = [];
  folder = mkdtempSync(join(tmpdir(), 'lifeline-cases-'));
  database = new DatabaseSync(':memory:');
  registry = new Registry(systemRandom, folder);
  alarms = new AlarmConsumer(database);
  const utcOffsetMs = 8 * 3_600_000;
  const limits = defaultLimits;
  cases = new Cases(database, { alarms, limits, utcOffsetMs, departmentOf: () => 'desk' });
  plant = new AlarmedPlant(alarms, T0, [1, 3]);
  plant.set(1, 12, T0);
  plant.set(2, 12, T0);
  clock = new SimClock(T0 + 2_000);
  attachments = new Attachments(join(folder, 'files'), 3 * FILE_BYTES_MAX, cases.tables.hashes());
  const notify = {
    handled: (occurrence: string, by: string) => handled.push(`${occurrence} ${by}`),
    deliveries: () => [],
    confirm: () => 'confirmed' as const,
  };
  const onEvents = () => {};
  const alarmOf = (occurrence: string) => alarms.get(occurrence);
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: [
      ...caseRoutes(clock, { cases, attachments, notify, onEvents, alarmOf, utcOffsetMs }),
      ...actRoutes(clock, { alarms, notify, onEvents }),
    ],
  });
});

afterEach(async () => {
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true });
});

const tokenFor = (right: Right, scope = '', name = `p-${right}${scope.replaceAll('/', '-')}`) =>
  registry.issueToken({ name, right, scope }, 0);

const call = (path: string, token: string, posted?: object, ifMatch?: number) =>
  callApi(api, path, token, posted, ifMatch);

test('of two at the desk the second is told who was first, with a revision and without', async () => {
  const [li, zhang] = [tokenFor('operate', '', 'li'), tokenFor('operate', '', 'zhang')];
  const { body: read, etag } = await call(`cases/${ID}`, li);
  expect([etag, read.state, read.overdue]).toEqual(['"1"', 'new', false]);
  const path = `cases/${ID}/acknowledge`;
  const all = await Promise.all([
    call(path, li, {}, read.revision),
    call(path, zhang, {}, read.revision),
  ]);
  const winner = all.find(({ status }) => status === 200)!.body.owner as string;
  const loser = all.find(({ status }) => status === 412)!;
  expect(loser.body).toMatchObject({
    title: 'api_precondition',
    detail: expect.stringContaining(`by ${winner}`),
  });
  expect((await call(path, li, {})).body.detail).toMatch(`${winner} was first`);
  const { occurrence } = alarms.list().find(({ level }) => level === 1)!;
  expect(alarms.get(occurrence)?.acknowledgedBy).toBe(winner);
  expect(handled).toEqual([`${occurrence} ${winner}`]);
  expect((await call(`cases/${ID}/note`, zhang, { note: 'smells of gas' }, 1)).status).toBe(200);
});

test('a scope sees and moves its own cases only, and who may only read moves none', async () => {
  const scoped = tokenFor('operate', 'gas/well-2');
  const { body } = await call('cases', scoped);
  expect(body.items.map(({ id }: { id: string }) => id)).toEqual(['2026-0002']);
  expect((await call(`cases/${ID}`, scoped)).status).toBe(404);
  expect((await call(`cases/${ID}/acknowledge`, scoped, {})).status).toBe(404);
  const merge = { into: ID };
  expect((await call('cases/2026-0002/merge', scoped, merge)).status).toBe(404);
  expect((await call(`cases/${ID}/note`, tokenFor('read'), { note: 'x' })).status).toBe(403);
});

test('closing while the alarm is active waits for the second person, whom everybody sees is needed', async () => {
  const [li, zhang] = [tokenFor('operate', '', 'li'), tokenFor('operate', '', 'zhang')];
  await call(`cases/${ID}/acknowledge`, li, {});
  const { body } = await call(`cases/${ID}/close`, li, { reason: 'sensor exchanged' });
  expect(body).toMatchObject({ state: 'acknowledged', active: 1, waiting: { by: 'li' } });
  const approve = `approvals/${body.waiting.id}/approve`;
  expect((await call(approve, li, {})).status).toBe(403);
  const elsewhere = tokenFor('operate', 'gas/well-2', 'wang');
  expect((await call(approve, elsewhere, {})).status).toBe(404);
  expect((await call(approve, zhang, {})).status).toBe(200);
  expect((await call(`cases/${ID}`, li)).body).toMatchObject({
    state: 'closed',
    reason: 'sensor exchanged',
    changed: { by: 'li, zhang' },
    waiting: null,
  });
});

test('lists are narrowed by state, owner, level and what is overdue, page by page', async () => {
  const token = tokenFor('operate', '', 'li');
  const ids = async (query: string) =>
    (await call(`cases?${query}`, token)).body.items.map(({ id }: { id: string }) => id);
  await call('cases/2026-0002/acknowledge', token, {});
  expect(await ids('owner=li')).toEqual(['2026-0002']);
  expect(await ids('level=1')).toEqual([ID]);
  expect(await ids('state=new')).toEqual([ID]);
  expect(await ids('state=ended')).toEqual([]);
  await clock.advance(60_000);
  expect(await ids('overdue=true')).toEqual([ID]);
  const { body: page } = await call('cases?limit=1', token);
  expect(await ids(`limit=1&after=${page.next}`)).toEqual([ID]);
});

const JPEG = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(2_000, 7)]);
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function attach(
  bytes: Buffer<ArrayBuffer> | string,
  type = 'image/jpeg',
  query = 'name=leak.jpg',
  id = ID,
) {
  const headers = { authorization: `Bearer ${tokenFor('operate')}`, 'content-type': type };
  const url = `http://127.0.0.1:${api.port}/v1/cases/${id}/attachments?${query}`;
  const response = await fetch(url, { method: 'POST', headers, body: bytes });
  return { status: response.status, body: JSON.parse(await response.text()) };
}

const onDisk = () => readdirSync(join(folder, 'files'));

test('a photo comes back byte by byte, to be saved and never shown in the name of the API', async () => {
  const name = encodeURIComponent('../../etc/漏点 "1".jpg\r\n');
  const { status, body } = await attach(JPEG, 'image/jpeg', `name=${name}&sha256=${hashOf(JPEG)}`);
  expect([status, body]).toMatchObject([
    200,
    { name: '漏点 "1".jpg', bytes: JPEG.length, sha256: hashOf(JPEG), by: 'p-operate' },
  ]);
  expect(onDisk()).toEqual([hashOf(JPEG)]);
  expect(statSync(join(folder, 'files', hashOf(JPEG))).mode & 0o777).toBe(0o600);
  const url = `http://127.0.0.1:${api.port}/v1/cases/${ID}/attachments/${body.id}`;
  const headers = { authorization: `Bearer ${tokenFor('read')}` };
  const got = await fetch(url, { headers });
  expect(Buffer.from(await got.arrayBuffer()).equals(JPEG)).toBe(true);
  expect(got.headers.get('content-disposition')).toBe(
    `attachment; filename*=UTF-8''${encodeURIComponent('漏点 "1".jpg')}`,
  );
  expect(got.headers.get('x-content-type-options')).toBe('nosniff');
  expect(got.headers.get('content-type')).toBe('image/jpeg');
  expect((await fetch(`${url}9`, { headers })).status).toBe(404);
  writeFileSync(join(folder, 'files', hashOf(JPEG)), 'of somebody else');
  expect((await (await fetch(url, { headers })).json()) as object).toMatchObject({
    title: 'case_file_lost',
  });
});

test('what is too large, of another kind, damaged or beyond the room leaves nothing behind', async () => {
  const large = Buffer.concat([JPEG, Buffer.alloc(FILE_BYTES_MAX)]);
  expect(await attach(large)).toMatchObject({
    status: 413,
    body: { title: 'case_file_too_large' },
  });
  expect(await attach(JPEG, 'text/html')).toMatchObject({ status: 415 });
  expect(await attach('<html>', 'image/jpeg')).toMatchObject({ body: { title: 'case_file_type' } });
  expect(await attach('', 'image/jpeg')).toMatchObject({ status: 415 });
  const wrong = `name=a.jpg&sha256=${hashOf(Buffer.from('x'))}`;
  expect(await attach(JPEG, 'image/jpeg', wrong)).toMatchObject({
    status: 400,
    body: { title: 'case_file_damaged' },
  });
  expect((await attach(JPEG, 'image/jpeg', 'name=a', '2026-0099')).status).toBe(404);
  expect(onDisk()).toEqual([]);
  const full = Buffer.concat([JPEG, Buffer.alloc(FILE_BYTES_MAX - JPEG.length)]);
  const other = Buffer.from(full);
  other[3_000] = 1;
  expect((await attach(full)).status).toBe(200);
  expect((await attach(full)).status).toBe(200); // The same bytes take no more room.
  expect((await attach(other)).status).toBe(200);
  expect((await attach(JPEG)).status).toBe(200);
  expect(await attach('x,y', 'text/csv')).toMatchObject({
    status: 503,
    body: { title: 'case_files_full' },
  });
  expect(onDisk()).toHaveLength(3);
});

test('after a restart the files are there, and what no case names is removed', async () => {
  await attach('a,b\r\n1,2\r\n', 'text/csv', 'name=readings.csv');
  writeFileSync(join(folder, 'files', 'f'.repeat(64)), 'an upload that no case came to name');
  writeFileSync(join(folder, 'files', 'incoming-7'), 'half');
  const again = new Attachments(join(folder, 'files'), 10 ** 9, cases.tables.hashes());
  expect(onDisk()).toHaveLength(1);
  expect((await again.read(onDisk()[0]!)).toString()).toContain('1,2');
  expect(cases.tables.files(cases.get(ID)!.number)).toMatchObject([{ name: 'readings.csv' }]);
});

test('a case is exported by the steps of GB/T 30428, with limits, departments and persons', async () => {
  const token = tokenFor('operate', '', 'li');
  await call(`cases/${ID}/acknowledge`, token, { note: '<script>alert(1)</script>' });
  await clock.advance(400_000);
  await call(`cases/${ID}/dispatch`, token, { crew: '=cmd|crew' });
  await call(`cases/${ID}/assign`, token, { department: '=gas, company' });
  plant.set(1, 5, T0 + 500_000);
  const get = async (format: string) => {
    const url = `http://127.0.0.1:${api.port}/v1/cases/${ID}/export?format=${format}`;
    const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
    return { type: response.headers.get('content-type'), text: await response.text() };
  };
  const csv = await get('csv');
  const rows = csv.text.split('\r\n').map((row) => row.split(','));
  expect(rows.slice(1, 6).map((row) => `${row[6]} ${row[7]}`)).toEqual([
    ...['registration 立案', 'dispatch 派遣', 'handling 处置', 'verification 核查', 'closing 结案'],
  ]);
  expect(rows[1]!.slice(10, 13)).toEqual(['402', '360', '1']);
  expect(csv.text).toContain(`"'=gas, company"`);
  const page = await get('html');
  expect(page.type).toMatch(/^text\/html/);
  expect(page.text).toContain('&lt;script&gt;alert(1)');
  expect(page.text).not.toMatch(/<script|https?:\/\//);
  expect(page.text).toContain('派遣 dispatch');
  const { stages, log } = JSON.parse((await get('json')).text);
  expect(stages[0]).toMatchObject({ stage: 'registration', overdue: true, persons: ['li'] });
  expect(log.map(({ kind }: { kind: string }) => kind)).toContain('dispatch');
});

test('the OpenAPI document describes every answer about cases, problems too', async () => {
  const reason = { reason: 'over' };
  plant.set(2, 5, T0 + 3_000);
  await attach('a,b', 'text/csv', 'name=a.csv');
  const seen = await checkDescribed({
    base: `http://127.0.0.1:${api.port}`,
    tokenFor,
    only: '/v1/cases',
    params: { id: ID, file: '1', 'POST /v1/cases/{id}/merge': '2026-0002' },
    queries: { 'POST /v1/cases/{id}/attachments': '?name=a.csv' },
    uploads: { 'POST /v1/cases/{id}/attachments': { type: 'text/csv', bytes: 'a,b' } },
    bodies: {
      'POST /v1/cases/{id}/acknowledge': {},
      'POST /v1/cases/{id}/verify': {},
      'POST /v1/cases/{id}/dispatch': { crew: 'crew 3' },
      'POST /v1/cases/{id}/arrive': {},
      'POST /v1/cases/{id}/contain': {},
      'POST /v1/cases/{id}/close': reason,
      'POST /v1/cases/{id}/false-alarm': { ...reason, as: 'drill' },
      'POST /v1/cases/{id}/assign': { owner: 'wang' },
      'POST /v1/cases/{id}/note': { note: 'x' },
      'POST /v1/cases/{id}/merge': { into: ID },
    },
  });
  expect(seen).toContain('POST /v1/cases/{id}/close 200');
  expect(seen).toContain('GET /v1/cases/{id}/export 200');
});
