// What devices say of their values, all the way: sealed by a gateway, received, stored, evaluated
// and told by the API; with it what happened (lane event), and what came later out of a device's
// memory (a fill).
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import { dataRoutes } from '../cloud/api/routes.ts';
import { openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { Current } from '../cloud/current.ts';
import { Follower } from '../cloud/follow.ts';
import { InboxCore } from '../cloud/inbox/core.ts';
import { InboxReader } from '../cloud/inbox/reader.ts';
import { IngestCore } from '../cloud/ingest/core.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { DuckStore } from '../cloud/store/duckdb.ts';
import { Feed } from '../cloud/store/feed.ts';
import type { RuleProposal } from '../core/alarm/rule.ts';
import { SimClock, systemClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import type { PointDefinition } from '../core/point.ts';
import { systemRandom } from '../core/random.ts';
import { ClockWatch } from '../edge/clock-watch.ts';
import { Sealer } from '../edge/seal.ts';
import type { PollReport } from '../edge/sink.ts';
import { callApi } from './api-call.ts';
import { pointOf } from './sealed.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const high: RuleProposal = {
  ...{ kind: 'limit', id: 'high', side: 'high', limit: 500, deadband: 0, level: 2 },
  ...{ onDelayMs: 0, offDelayMs: 0, title: { en: 'High', zh: '高' }, action: null },
};
const points: readonly PointDefinition[] = [
  pointOf('pump-1', 'pressure', { rules: [high], scale: 1 }),
  pointOf('pump-1', 'flow', { scale: 1 }),
  pointOf('pump-1', 'severity', { rules: [high], scale: 1 }),
];

/** A gateway and a cloud, one clock, nothing between them but bytes. */
async function bench() {
  const clock = new SimClock(Date.UTC(2026, 0, 1, 10));
  const folder = mkdtempSync(join(tmpdir(), 'lifeline-device-times-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'inbox.sqlite');
  const inbox = new InboxCore(systemRandom, { path, bytesMax: 1e9 });
  const ignored = () => {};
  const ingest = new IngestCore(clock, inbox, {
    ...{ onCommitted: ignored, onPresence: ignored, onClone: ignored, onAnswer: ignored },
    onRefused: ({ reason, detail }) => expect.unreachable(`${reason} ${detail}`),
  });
  ingest.commit();
  const reader = new InboxReader(path);
  const store = await DuckStore.open(clock, silentLog, { folder: join(folder, 'store') });
  const feed = new Feed({ store, reader, onPassed: ignored, onMissing: ignored });
  const database = new DatabaseSync(':memory:');
  const alarms = new AlarmConsumer(database);
  const registry = new Registry(systemRandom, folder);
  const sources = { current: new Current(), series: new Map(), stream: new EventStream('s1') };
  const follower = new Follower(clock, new Metrics(), {
    ...{ reader, alarms, ...sources },
    ...{ onPassed: ignored, onAlarms: ignored, onDesired: ignored },
  });
  const api = await openApi(systemClock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '0.0.0', registry },
    stream: sources.stream,
    routes: dataRoutes(clock, {
      ...{ registry, store, ...sources, onCredentials: ignored },
      presence: () => undefined,
      health: () => ({ store: 'ok' }),
    }),
  });
  closers.push(() => api.close());
  closers.push(() => registry.close());
  closers.push(() => database.close());
  closers.push(() => store.close());
  closers.push(() => reader.close());
  closers.push(() => inbox.close());
  const outbox = {
    ...{ epoch: '1-0123456789abcdef', openedMonoMs: clock.monoMs(), accepts: true, parts: [] },
    ...{ append: ignored, word: () => undefined, setWord: ignored },
  };
  const watch = new ClockWatch(clock, clock.monoMs(), () => null);
  const sealer = new Sealer(clock, outbox, watch, {
    points,
    onRecord: ({ bytes, lane }) =>
      ingest.receive({ topic: `lifeline/v1/east/gw-1/${lane}`, payload: bytes, retained: false }),
  });
  const token = registry.issueToken({ name: 'reader', right: 'read', scope: '' }, 0);
  return {
    ...{ clock, sealer, alarms, store },
    settle: async () => {
      sealer.flush();
      ingest.commit();
      while (follower.step() > 0);
      while ((await feed.step()) === 'full');
    },
    ask: async (question: string) => (await callApi(api, question, token)).body,
  };
}

function report(clock: SimClock, firstAlias: number, more: Partial<PollReport>): PollReport {
  const atMs = clock.monoMs();
  const { alias = [] } = more;
  return {
    ...{ firstAlias, points: alias.length, fromMonoMs: atMs, toMonoMs: atMs, alias },
    monoMs: alias.map(() => atMs),
    values: alias.map(() => 1),
    qualities: alias.map(() => 0),
    ...{ unchanged: 0, failed: 0, urgent: false },
    ...more,
  };
}

const span = 'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z';

test('what a server says of its values is in history and current values, and nowhere where it says nothing', async () => {
  const { clock, sealer, settle, ask } = await bench();
  const sourceMs = Date.UTC(2026, 0, 1, 9, 59, 59, 250);
  const origins = [{ status: 0x40920000, sourceMs, serverMs: sourceMs + 4 }, null];
  sealer.report(report(clock, 0, { alias: [0, 1], values: [3, 4], origins }));
  await settle();
  const said = {
    status: { code: 0x40920000, severity: 'uncertain' },
    source_at: '2026-01-01T09:59:59.250Z',
    server_at: '2026-01-01T09:59:59.254Z',
  };
  const plain = { t: '2026-01-01T10:00:00.000Z', u: 'kPa', q: 'good', reason: 'none' };
  const { readings } = await ask(`series/1/history?${span}`);
  expect(readings).toEqual([{ ...plain, v: 3, ...said }]);
  expect((await ask('series/1')).current).toEqual({ ...plain, v: 3, ...said });
  expect((await ask('series/2')).current).toEqual({ ...plain, v: 4 });
});

test('an event raises its alarm within its turn; a fill is history and raises nothing', async () => {
  const { clock, sealer, alarms, store, settle, ask } = await bench();
  sealer.report(report(clock, 0, { alias: [0, 1], values: [3, 4] }));
  sealer.report(report(clock, 2, { alias: [2], values: [700], isEvent: true }));
  const alias = [0, 0];
  const monoMs = [clock.monoMs() - 60_000, clock.monoMs() + 500];
  const fill = { alias, monoMs, values: [900, 901], points: 0, isFill: true };
  await clock.advance(1_000);
  sealer.report(report(clock, 0, fill));
  await settle();
  const raised = alarms.list({ state: 'all' }).map(({ series, value }) => [series, value]);
  expect(raised).toEqual([[3, 700]]);
  const { readings } = await ask(`series/1/history?${span}`);
  const shown = readings.map((it: Record<string, unknown>) => [it['t'], it['v'], it['reason']]);
  expect(shown).toEqual([
    ['2026-01-01T09:59:00.000Z', 900, 'history'],
    ['2026-01-01T10:00:00.000Z', 3, 'none'],
    ['2026-01-01T10:00:00.500Z', 901, 'history'],
  ]);
  expect((await ask('series/1')).current).toMatchObject({ v: 3 });
  expect(await store.account(null)).toMatchObject({ taken: 3, stored: 3 });
});
