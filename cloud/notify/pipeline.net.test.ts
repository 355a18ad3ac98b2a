// From a reading to a desk's own word over loopback, with the process ended at each point between.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { silentLog } from '../../core/log.ts';
import { Metrics } from '../../core/metrics.ts';
import { systemRandom } from '../../core/random.ts';
import type { Behaviour, Receiver } from '../../simulators/receiver.ts';
import { startReceiver } from '../../simulators/receiver.ts';
import { AlarmTables } from '../alarms/tables.ts';
import { sampleAlarm } from './channels/channel.contract.ts';
import { webhook } from './channels/webhook.ts';
import { Ledger } from './ledger.ts';
import type { Delivery, Notifier } from './notifier.ts';
import { Pipeline } from './pipeline.ts';
import { chainOf } from './route.ts';

const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function desk(behaviour: () => Behaviour): Promise<Receiver> {
  const receiver = await startReceiver({ host: '127.0.0.1', port: 0, secret, behaviour });
  ends.push(() => receiver.close());
  return receiver;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'lifeline-notify-'));
  ends.push(() => rmSync(path, { recursive: true, force: true }));
  return join(path, 'registry.sqlite');
}

/** One life of the process; `wrap` lets a test end it inside a send. */
function life(path: string, receiver: Receiver, wrap = (notifier: Notifier) => notifier) {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  const tables = new AlarmTables(database);
  const options = { receiver: 'desk', url: receiver.url, secret, timeoutMs: 2_000 };
  const changes: Delivery[] = [];
  const pipeline = new Pipeline(systemClock, silentLog, new Metrics(), systemRandom, {
    tables,
    ledger: new Ledger(database),
    receivers: new Map([['desk', wrap(webhook(fetch, systemClock, options))]]),
    routes: [{ id: 'all', match: {}, chain: chainOf(['desk'], 60_000) }],
    onChange: (delivery) => changes.push(delivery),
  });
  return { database, tables, pipeline, changes };
}

const signal = new AbortController().signal;

test('a desk that was told, before the process could write that down, is not paged twice', async () => {
  const receiver = await desk(() => ({ kind: 'confirm' }));
  const path = folder();
  // The process ends after the desk has answered and before the answer is in the ledger.
  const first = life(path, receiver, (notifier) => ({
    send: async (delivery, stop) => {
      await notifier.send(delivery, stop);
      first.database.close();
      return { kind: 'sent', confirmedBy: 'lost' };
    },
  }));
  first.tables.queue('raised', sampleAlarm, Date.now());
  first.pipeline.take();
  const [batch] = first.pipeline.begin();
  await expect(first.pipeline.send(batch!, signal)).rejects.toThrow();

  const second = life(path, receiver);
  ends.push(() => second.database.close());
  expect(second.pipeline.deliveries()).toMatchObject([{ state: 'sent', attempts: 1 }]);
  await Promise.all(second.pipeline.round(signal));
  expect(second.pipeline.deliveries()).toMatchObject([
    { state: 'confirmed', attempts: 2, confirmedBy: 'demo desk' },
  ]);
  expect(receiver.received()).toMatchObject([{ times: 2 }]);

  const third = life(path, receiver);
  ends.push(() => third.database.close());
  expect(third.pipeline.take()).toBe(0);
  expect(third.pipeline.begin()).toEqual([]);
});

test('a running pipeline gets through to a desk that fails at first, and stops in order', async () => {
  let requests = 0;
  const receiver = await desk(() =>
    requests++ === 0 ? { kind: 'status', status: 500 } : { kind: 'confirm' },
  );
  const { database, tables, pipeline, changes } = life(folder(), receiver);
  ends.push(() => database.close());
  const stop = new AbortController();
  const running = pipeline.run(stop.signal);
  tables.queue('raised', sampleAlarm, Date.now());
  pipeline.wake();
  await expect.poll(() => changes.at(-1)?.state, { timeout: 10_000 }).toBe('confirmed');
  stop.abort();
  await running;
  expect(receiver.received()).toMatchObject([{ times: 1 }]);
});
