// The thread of the store: the feed, the housekeeping and the questions, and the waits between. No
// decisions about data.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { BackoffOptions } from '../../core/backoff.ts';
import { backoffMs } from '../../core/backoff.ts';
import { systemClock } from '../../core/clock.ts';
import { assert, isFault } from '../../core/fault.ts';
import type { Log, LogLevel } from '../../core/log.ts';
import { systemRandom } from '../../core/random.ts';
import { InboxReader } from '../inbox/reader.ts';
import { DuckStore } from './duckdb.ts';
import { Feed } from './feed.ts';
import type { FromStore, StoreThreadOptions, ToldFault, ToStore } from './thread.ts';

/**
 * Between two groups while they are not full: many small records make one commit, and history is
 * at most this and a commit behind.
 */
const GROUP_WAIT_MS = 300;
/** Rows may also come without a word, when the one who tells is restarted. */
const IDLE_WAIT_MS = 1_000;
const MAINTAIN_EVERY_MS = 60_000;
const feedBackoff: BackoffOptions = { firstMs: 1_000, maxMs: 30_000, jitter: 0.2 };

assert(parentPort, 'worker.ts runs as a thread');
const port: MessagePort = parentPort;
const tell = (message: FromStore) => port.postMessage(message);
const told = (error: unknown): ToldFault =>
  isFault(error)
    ? { code: error.code, retry: error.retry, detail: detailOf(error) }
    : { code: 'store_failed', retry: 'later', detail: detailOf(error) };

try {
  await run(workerData as StoreThreadOptions);
} catch (error) {
  tell({ kind: 'failed', fault: told(error) });
  await new Promise((resolve) => setImmediate(resolve)); // The message leaves first.
  process.exit(1);
}
port.close();

async function run({ folder, inboxFile }: StoreThreadOptions): Promise<void> {
  const clock = systemClock;
  const store = await DuckStore.open(clock, toldLog(), { folder });
  const reader = new InboxReader(inboxFile);
  const closing = new AbortController();
  let wake = () => {};
  const feed = new Feed({
    store,
    reader,
    onPassed: (row) => tell({ kind: 'passed', row }),
    onMissing: (first, last) => toldLog().error('store_rows_missing', { first, last }),
  });
  port.on('message', (message: ToStore) => {
    if (message.kind === 'notify') wake();
    else if (message.kind === 'close') closing.abort();
    else void answer(store, message);
  });
  tell({ kind: 'open' });
  const sleepUntilWoken = async (ms: number) => {
    const woken = new AbortController();
    wake = () => woken.abort();
    await clock.sleep(ms, AbortSignal.any([woken.signal, closing.signal]));
    wake = () => {};
  };
  const feeding = async () => {
    let failures = 0;
    while (!closing.signal.aborted) {
      try {
        const wait = await feed.step();
        if (failures > 0) tell({ kind: 'state', state: 'ok' });
        failures = 0;
        if (wait === 'full') continue;
        await clock.sleep(GROUP_WAIT_MS, closing.signal);
        if (reader.newestRow <= (await store.cursor())) await sleepUntilWoken(IDLE_WAIT_MS);
      } catch (error) {
        if (!isFault(error)) throw error; // A mistake: the thread ends and is started again.
        const { code, detail } = told(error);
        if (failures++ === 0) toldLog().error('store_stopped', { code, detail });
        tell({ kind: 'state', state: code });
        await clock.sleep(backoffMs(systemRandom, failures, feedBackoff), closing.signal);
      }
    }
  };
  const keeping = async () => {
    while (!closing.signal.aborted) {
      await clock.sleep(MAINTAIN_EVERY_MS, closing.signal);
      if (closing.signal.aborted) return;
      await store.maintain().catch((error: unknown) => {
        const { code, detail } = told(error);
        toldLog().warn('store_housekeeping_failed', { code, detail });
      });
    }
  };
  await Promise.all([feeding(), keeping()]);
  reader.close();
  await store.close();
}

async function answer(store: DuckStore, question: ToStore & { kind: 'ask' }): Promise<void> {
  const { id, what } = question;
  try {
    // The other end's types are these very methods'.
    const method = store[what] as (...parameters: readonly unknown[]) => Promise<unknown>;
    tell({ kind: 'answer', id, answer: await method.apply(store, [...question.with]) });
  } catch (error) {
    tell({ kind: 'refusal', id, fault: told(error) });
  }
}

function toldLog(): Log {
  const at =
    (level: LogLevel): Log['info'] =>
    (event, fields = {}) =>
      tell({ kind: 'log', level, event, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  return `${error.message}${cause}`;
}
