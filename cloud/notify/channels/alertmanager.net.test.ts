// Against Debian's prometheus-alertmanager, both ways: it lists what we send, and its own webhook
// becomes alarms.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../../cli/ports.ts';
import { systemClock } from '../../../core/clock.ts';
import { silentLog } from '../../../core/log.ts';
import { Metrics } from '../../../core/metrics.ts';
import { systemRandom } from '../../../core/random.ts';
import { program } from '../../../tests/programs.ts';
import { AlarmConsumer } from '../../alarms/consumer.ts';
import { alertmanagerRoutes } from '../../api/alertmanager-routes.ts';
import { type Api, openApi } from '../../api/server.ts';
import { EventStream } from '../../api/stream.ts';
import { Registry } from '../../registry/registry.ts';
import { alertmanager } from './alertmanager.ts';
import { notifierContract, sampleAlarm, sampleDelivery, sampleNotice } from './channel.contract.ts';

const path = program('prometheus-alertmanager');
const folder = mkdtempSync(join(tmpdir(), 'lifeline-alertmanager-'));
const quiet = new AbortController().signal;
let server: ChildProcess | null = null;
let url = '';
let api: Api;
let registry: Registry;
const database = new DatabaseSync(':memory:');
const alarms = new AlarmConsumer(database);

beforeAll(async () => {
  registry = new Registry(systemRandom, folder);
  api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: new EventStream('s1'),
    routes: alertmanagerRoutes(systemClock, { alarms, onEvents: () => {} }),
  });
  if (path === null) return;
  const token = registry.issueToken({ name: 'prometheus', right: 'operate', scope: '' }, 0);
  const port = await freePort(29_000, new Set());
  url = `http://127.0.0.1:${port}`;
  const file = join(folder, 'alertmanager.yml');
  writeFileSync(
    file,
    `route: { receiver: lifeline, group_wait: 100ms, group_interval: 200ms, repeat_interval: 1h, group_by: [alertname] }
receivers:
  - name: lifeline
    webhook_configs:
      - url: http://127.0.0.1:${api.port}/v1/alertmanager
        http_config: { authorization: { credentials: "${token}" } }
`,
  );
  server = spawn(
    path,
    [
      `--config.file=${file}`,
      `--storage.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    { stdio: 'ignore' },
  );
  await until(async () => (await fetch(`${url}/-/ready`)).ok);
});

afterAll(async () => {
  server?.kill('SIGKILL');
  await api.close();
  registry.close();
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (;;) {
    if (await Promise.resolve(isSo()).catch(() => false)) return;
    await sleep(50);
  }
}

interface Listed {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly status: { readonly state: string };
  readonly startsAt: string;
  readonly endsAt: string;
}
const listed = async () =>
  (await (await fetch(`${url}/api/v2/alerts`)).json()) as readonly Listed[];
const post = (alerts: readonly object[]) =>
  fetch(`${url}/api/v2/alerts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(alerts),
  });

let made = 0;
/** Its alerts are by labels: each delivery of the contract is an alarm of its own there. */
const notifierHere = () => {
  const notifier = alertmanager({ clock: systemClock, fetcher: fetch }, { url, timeoutMs: 5_000 });
  const sent = new Map<string, string>();
  return {
    notifier: {
      ...notifier,
      send: (notice: Parameters<typeof notifier.send>[0], signal: AbortSignal) => {
        const own = notice.deliveries.map((delivery) => {
          const occurrence = `${delivery.id}-${made++}`;
          sent.set(occurrence, delivery.id);
          const nowMs = Date.now();
          const times = { beganMs: nowMs, raisedMs: nowMs };
          return { ...delivery, alarm: { ...delivery.alarm, ...times, occurrence } };
        });
        const [first, ...others] = own;
        return notifier.send({ ...notice, deliveries: [first!, ...others] }, signal);
      },
    },
    received: async () =>
      (await listed()).flatMap(({ labels }) => sent.get(labels['lifeline_alarm'] ?? '') ?? []),
    messages: async () => 1,
  };
};

if (path !== null) {
  notifierContract('alertmanager', {
    open: async () => notifierHere(),
    broken: () =>
      alertmanager(
        { clock: systemClock, fetcher: fetch },
        { url: 'http://127.0.0.1:1', timeoutMs: 5_000 },
      ),
  });
}

test.skipIf(path === null)(
  'an alarm stands in Alertmanager until its end is told, which ends the same alert',
  async () => {
    const notifier = alertmanager(
      { clock: systemClock, fetcher: fetch },
      { url, labels: { city: 'hefei' }, timeoutMs: 5_000 },
    );
    const nowMs = Date.now();
    const alarm = { ...sampleAlarm, occurrence: 'ends', beganMs: nowMs - 5_000, raisedMs: nowMs };
    const own = async () =>
      (await listed()).find(({ labels }) => labels['lifeline_alarm'] === 'ends');
    await notifier.send(sampleNotice({ alarm }), quiet);
    await until(async () => (await own()) !== undefined);
    const before = await own();
    expect(before?.labels).toMatchObject({ severity: 'critical', level: '1', city: 'hefei' });
    expect(before?.annotations['summary_zh']).toBe(sampleAlarm.title.zh);
    expect(Date.parse(before?.endsAt ?? '')).toBeGreaterThan(nowMs + 3_600_000);
    const over = { ...alarm, clearedMs: nowMs };
    const cleared = sampleDelivery({ id: 'ends.cleared', transition: 'cleared', alarm: over });
    await notifier.send({ deliveries: [cleared], links: [null] }, quiet);
    await until(async () => (await own()) === undefined);
    expect(await notifier.beat?.({ id: 'h', atMs: 0, everyMs: 1 }, quiet)).toBeNull();
  },
);

test.skipIf(path === null)(
  'an alert of Alertmanager becomes an alarm, once, and ends with it; our own that comes back is left out',
  async () => {
    const labels = { alertname: 'DiskFull', severity: 'warning', area: 'gas', asset: 'gas/hub-1' };
    const annotations = { description: 'Clear the disk of hub 1' };
    const start = { startsAt: new Date().toISOString() };
    await post([
      { labels, annotations, ...start },
      { labels: { alertname: 'Ours', lifeline_alarm: 'x' }, ...start },
    ]);
    const found = () => alarms.list({ state: 'all' }).filter(({ rule }) => rule === 'external');
    await until(() => found().length > 0);
    expect(found()).toMatchObject([
      {
        ...{ level: 3, area: 'gas', asset: 'gas/hub-1', gateway: 'external' },
        title: { en: 'DiskFull', zh: 'DiskFull' },
        action: { en: 'Clear the disk of hub 1' },
        clearedMs: null,
      },
    ]);
    await post([{ labels, annotations, ...start, endsAt: new Date().toISOString() }]);
    await until(() => found()[0]?.clearedMs !== null);
    expect(found().map(({ title }) => title.en)).toEqual(['DiskFull']);
    expect(alarms.tables.outgoing(10).map(({ transition }) => transition)).toEqual([
      'raised',
      'cleared',
    ]);
  },
);

function webhook(name: string, scope = '') {
  const token = registry.issueToken({ name, right: 'operate', scope }, 0);
  return async (body: object) => {
    const response = await fetch(`http://127.0.0.1:${api.port}/v1/alertmanager`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(body),
    });
    return { status: response.status, text: await response.text() };
  };
}
const alert = (labels: object, changes: object = {}) => ({
  status: 'firing',
  labels,
  startsAt: '2026-11-22T00:00:00Z',
  ...changes,
});
const cameFrom = (source: string) =>
  alarms.list({ state: 'all' }).filter(({ key }) => key.startsWith(`external/${source}/`));

test('level I is only what says so, and what is no payload is told what was expected', async () => {
  const call = webhook('prober');
  const alerts = [
    alert({ alertname: 'a', severity: 'critical' }),
    alert({ alertname: 'b', level: '1' }),
  ];
  expect(await call({ version: '4', alerts })).toMatchObject({ status: 200 });
  expect(JSON.parse((await call({ alerts })).text)).toMatchObject({ raised: 0, unchanged: 2 });
  expect(
    cameFrom('prober')
      .map(({ level }) => level)
      .sort(),
  ).toEqual([1, 2]);
  expect((await call({ alerts: [{ status: 'on' }] })).status).toBe(400);
});

// The fields and the form of times are those of Grafana's page "Configure webhook notifications".
test('what Grafana sends is taken as well, and ends with it', async () => {
  const call = webhook('grafana');
  const more = {
    ...{ fingerprint: 'c6eadffa33fcdf37', values: { B: 44.2, C: 1 }, dashboardURL: '' },
    ...{ annotations: { summary: 'Pump 3 is hot' }, startsAt: '2021-10-12T09:51:03.157076+02:00' },
  };
  const group = {
    receiver: 'duty',
    orgId: 1,
    version: '1',
    truncatedAlerts: 0,
    title: '[FIRING:1]',
  };
  const firing = alert({ alertname: 'Pump hot' }, { ...more, endsAt: '0001-01-01T00:00:00Z' });
  expect(await call({ ...group, status: 'firing', alerts: [firing] })).toMatchObject({
    status: 200,
  });
  const began = Date.parse('2021-10-12T07:51:03.157Z');
  expect(cameFrom('grafana')).toMatchObject([{ beganMs: began, clearedMs: null, level: 4 }]);
  const over = { ...firing, status: 'resolved', endsAt: '2021-10-12T10:00:00.1+02:00' };
  await call({ ...group, status: 'resolved', alerts: [over] });
  expect(cameFrom('grafana')[0]?.clearedMs).not.toBeNull();
});

test('a token of one place raises no alarm elsewhere: what names another place is put in its own', async () => {
  const call = webhook('contractor', 'gas/hub-1');
  const places = [{ asset: 'gas/hub-1/pump' }, { asset: 'water/main', area: 'water' }, {}];
  const alerts = places.map((place, at) => alert({ alertname: `p${at}`, ...place }));
  expect(JSON.parse((await call({ alerts })).text)).toMatchObject({ raised: 3 });
  const found = cameFrom('contractor').map(({ title, asset, area }) => [title.en, asset, area]);
  expect(found.sort()).toEqual([
    ['p0', 'gas/hub-1/pump', 'external'],
    ['p1', 'gas/hub-1', 'external'],
    ['p2', 'gas/hub-1', 'external'],
  ]);
});
