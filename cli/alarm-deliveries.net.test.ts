// Who was told, asked of a running API, in both languages.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UNMARKED } from '../cloud/alarms/alarm.ts';
import { AlarmConsumer } from '../cloud/alarms/consumer.ts';
import type { AlarmTables } from '../cloud/alarms/tables.ts';
import { alarmRoutes } from '../cloud/api/alarm-routes.ts';
import { type Api, openApi } from '../cloud/api/server.ts';
import { EventStream } from '../cloud/api/stream.ts';
import { sampleAlarm } from '../cloud/notify/channels/channel.contract.ts';
import { Ledger } from '../cloud/notify/ledger.ts';
import type { Notifier, Outcome } from '../cloud/notify/notifier.ts';
import { Pipeline } from '../cloud/notify/pipeline.ts';
import { chainOf } from '../cloud/notify/route.ts';
import { Registry } from '../cloud/registry/registry.ts';
import { SimClock } from '../core/clock.ts';
import { silentLog } from '../core/log.ts';
import { Metrics } from '../core/metrics.ts';
import { systemRandom } from '../core/random.ts';
import { type Language, say } from '../core/text/text.ts';
import { deliveriesVerb } from './alarm-routes.ts';
import type { Output } from './verb.ts';
import { parse } from './verb.ts';

let folder: string;
let registry: Registry;
let api: Api;
let pipeline: Pipeline;
let clock: SimClock;
let tables: AlarmTables;
const stop = new AbortController();
const answering = (outcome: Outcome): Notifier => ({ send: () => Promise.resolve(outcome) });

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lifeline-deliveries-'));
  clock = new SimClock();
  registry = new Registry(systemRandom, folder);
  const alarms = new AlarmConsumer(registry.database);
  tables = alarms.tables;
  pipeline = new Pipeline(clock, silentLog, new Metrics(), systemRandom, {
    ...{ tables, ledger: new Ledger(registry.database), onChange: () => {} },
    receivers: new Map([
      ['robot', answering({ kind: 'give-up', why: 'http 404', isReceiverGone: false })],
      ['desk', answering({ kind: 'sent', confirmedBy: 'li' })],
    ]),
    routes: [{ id: 'all', match: {}, chain: chainOf(['robot', 'desk'], 60_000) }],
  });
  api = await openApi(clock, silentLog, new Metrics(), {
    ...{ host: '127.0.0.1', port: 0, hostNames: [], version: '1', registry },
    stream: new EventStream('s'),
    routes: alarmRoutes(clock, { alarms, notify: pipeline, onEvents: () => {} }),
  });
  writeFileSync(
    join(folder, 'token'),
    registry.issueToken({ name: 'li', right: 'read', scope: '' }, 0),
  );
});

afterEach(async () => {
  stop.abort();
  await api.close();
  registry.close();
  rmSync(folder, { recursive: true, force: true });
});

async function run(language: Language, ...words: string[]): Promise<string[]> {
  const lines: string[] = [];
  const output: Output = {
    ...{ language, json: false, note: () => {} },
    print: (text) => lines.push(text),
    say: (key, values) => say(language, key, ...([values] as unknown as never)),
  };
  const at = ['--at', `http://127.0.0.1:${api.port}`, '--token-file', join(folder, 'token')];
  await deliveriesVerb.run(parse(deliveriesVerb, [...words, ...at]), output);
  return lines;
}

test('the deliveries of an alarm are printed first to last with what came of each, and why not', async () => {
  expect(await run('zh')).toEqual(['没有通知记录']);
  const li = { name: 'li', from: 'here' };
  const { number: _, state: __, revision: ___, ...row } = sampleAlarm;
  const raised = tables.insert({ ...row, ...UNMARKED, kind: 'limit', level: 2 })!;
  tables.queue('raised', raised, clock.wallMs());
  void pipeline.run(stop.signal);
  await clock.advance(5_000);
  const asked = raised.occurrence.slice(0, 12);
  const [robot = '', desk = '', ...more] = await run('en', asked);
  expect(more).toEqual([]);
  expect(robot).toMatch(/ {2}robot {2}failed {2}sent \+\d\.\d s {2}http 404$/);
  expect(desk).toMatch(/\.raised {2}desk {2}confirmed .*confirmed \+\d\.\d s$/);
  expect((await run('zh', asked))[1]).toMatch(/ {2}desk {2}已确认 {2}已发送 \+/);
  pipeline.silences.begin({ match: { levels: [2] }, forMs: 60_000, reason: 'works' }, li);
  const second = { ...raised, occurrence: raised.occurrence.replace(/^.{4}/, 'ffff') };
  tables.queue('raised', second, clock.wallMs());
  await clock.advance(2_000);
  expect((await run('zh')).at(-1)).toMatch(/ {2}robot {2}未发送 {2}由 li 设为静默：works$/);
  expect((await run('en')).at(-1)).toMatch(/ {2}robot {2}not sent {2}silenced by li: works$/);
});
