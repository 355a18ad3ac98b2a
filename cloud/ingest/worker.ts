// The thread of ingest: a broker link, the cores, and timers. No decisions.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { assert, isFault } from '../../core/fault.ts';
import { systemRandom } from '../../core/random.ts';
import { KEEPALIVE_SECONDS, upFilters } from '../../protocols/uplink/topics.ts';
import { InboxCore } from '../inbox/core.ts';
import { IngestCore, type Outgoing } from './core.ts';
import type { FromIngest, IngestWorkerData, ToIngest } from './ingest.ts';
import { MqttLink } from './mqtt.ts';

/** Refusals told one by one; more in a second are only counted. */
export const REFUSALS_TOLD_MAX = 50;
const TICK_MS = 1_000;
const CLOSE_GRACE_MS = 2_000;

assert(parentPort, 'worker.ts runs as a thread');
const port: MessagePort = parentPort;
const tell = (message: FromIngest) => port.postMessage(message);

try {
  run(workerData as IngestWorkerData);
} catch (error) {
  const detail = error instanceof Error ? error.message : String(error);
  tell({ kind: 'failed', code: isFault(error) ? error.code : 'ingest_failed', detail });
  port.close();
}

function run({ path, url, credential, bytesMax, area }: IngestWorkerData): void {
  const clock = systemClock;
  const inbox = new InboxCore(systemRandom, { path, bytesMax });
  let told = 0;
  const core = new IngestCore(clock, inbox, {
    onCommitted: (lastRow) => tell({ kind: 'committed', lastRow }),
    onPresence: (changes) => tell({ kind: 'presence', changes }),
    onClone: (alarm) => tell({ kind: 'clone', alarm }),
    onAnswer: (answer) => tell({ kind: 'answer', answer }),
    onRefused: (refused) => {
      if (told++ < REFUSALS_TOLD_MAX) tell({ kind: 'refused', refused });
    },
  });
  const { name, secret } = credential;
  const link = new MqttLink(clock, systemRandom, {
    ...{ url, clientId: name, username: name, password: secret },
    keepaliveSeconds: KEEPALIVE_SECONDS,
    subscriptions: upFilters(area),
    will: () => null,
  });
  let isUp = false;
  let isWaiting = false;

  const send = (out: readonly Outgoing[]) => {
    for (const { topic, payload, qos, retain } of out)
      link.publish(topic, payload, { qos, retain });
  };
  const commit = () => {
    isWaiting = false;
    if (core.dueMs !== null) send(core.commit());
  };
  link.onMessage = (message) => {
    core.receive(message);
    if (core.dueMs === 0) commit();
    else if (!isWaiting) {
      isWaiting = true;
      clock.after(core.dueMs ?? 0, commit);
    }
  };
  link.onUp = () => {
    isUp = true;
    tell({ kind: 'link', up: true, why: '' });
  };
  link.onDown = (why) => {
    isUp = false;
    tell({ kind: 'link', up: false, why });
  };

  let cancelTick = () => {};
  const tick = () => {
    told = 0;
    send(core.tick());
    cancelTick = clock.after(TICK_MS, tick);
  };
  tick();

  const close = async () => {
    cancelTick();
    if (core.dueMs !== null) send(core.commit());
    await link.close(CLOSE_GRACE_MS);
    // What came in while the link closed is not acked and comes again.
    inbox.close();
    port.close();
  };

  const stats = (id: number) => {
    const { counts, state, held } = core;
    const { storeId, heldBytes, lastRow, letters } = inbox;
    const common = { counts: { ...counts }, state, connected: isUp, storeId, heldBytes, lastRow };
    tell({ kind: 'stats', id, stats: { ...common, deadLetters: letters, waiting: held } });
  };

  port.on('message', (message: ToIngest) => {
    if (message.kind === 'passed') inbox.passed(message.row);
    else if (message.kind === 'gateways') core.setGateways(message.known);
    else if (message.kind === 'stats') stats(message.id);
    else if (message.kind === 'keep-refused') {
      const { reason, topic, payload, gateway } = message;
      core.keepRefused(reason, topic, payload, gateway);
    } else if (message.kind === 'publish') {
      const sent = link.publish(message.topic, message.payload, message.options);
      tell({ kind: 'published', id: message.id, sent });
    } else void close();
  });
  link.start();
  tell({ kind: 'open' });
}
