// The thread of ingest: a broker link, the cores, and timers. No decisions.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { assert, Fault, isFault } from '../../core/fault.ts';
import { systemRandom } from '../../core/random.ts';
import type { BrokerMessage } from '../../protocols/uplink/broker-link.ts';
import { KEEPALIVE_SECONDS, upFilters } from '../../protocols/uplink/topics.ts';
import { InboxCore } from '../inbox/core.ts';
import { IngestCore, type Outgoing } from './core.ts';
import type { FromIngest, IngestStats, IngestWorkerData, ToIngest } from './ingest.ts';
import { MqttLink } from './mqtt.ts';

/** Refusals told one by one; more in a second are only counted. */
export const REFUSALS_TOLD_MAX = 50;
const TICK_MS = 1_000;
const CLOSE_GRACE_MS = 2_000;

assert(parentPort, 'worker.ts runs as a thread');
const port: MessagePort = parentPort;
const tell = (message: FromIngest) => port.postMessage(message);

class IngestThread {
  readonly #inbox: InboxCore;
  readonly #core: IngestCore;
  readonly #link: MqttLink;
  #isUp = false;
  #isWaiting = false;
  #isClosing = false;
  #told = 0;
  #cancelTick = () => {};

  constructor(data: IngestWorkerData) {
    const { path, url, credential, bytesMax, rowsAbove = 0, area } = data;
    this.#inbox = new InboxCore(systemRandom, { path, bytesMax, rowsAbove });
    this.#core = new IngestCore(systemClock, this.#inbox, {
      onCommitted: (lastRow) => tell({ kind: 'committed', lastRow }),
      onPresence: (changes) => tell({ kind: 'presence', changes }),
      onClone: (alarm) => tell({ kind: 'clone', alarm }),
      onAnswer: (answer) => tell({ kind: 'answer', answer }),
      onRefused: (refused) => {
        if (this.#told++ < REFUSALS_TOLD_MAX) tell({ kind: 'refused', refused });
      },
    });
    const { name, secret } = credential;
    this.#link = new MqttLink(systemClock, systemRandom, {
      ...{ url, clientId: name, username: name, password: secret },
      keepaliveSeconds: KEEPALIVE_SECONDS,
      subscriptions: upFilters(area),
      will: () => null,
    });
    this.#link.onMessage = (message) => this.#receive(message);
    this.#link.onUp = () => this.#turn({ up: true, why: '' });
    this.#link.onDown = (why) => this.#turn({ up: false, why });
  }

  start(): void {
    this.#tick();
    this.#link.start();
  }

  hear(message: ToIngest): void {
    const core = this.#core;
    if (message.kind === 'passed') this.#inbox.passed(message.row);
    else if (message.kind === 'gateways') core.setGateways(message.known);
    else if (message.kind === 'keep-refused') {
      core.keepRefused(message.refused);
      this.#waitForGroup();
    } else if (message.kind === 'publish') {
      const sent = this.#link.publish(message.topic, message.payload, message.options);
      tell({ kind: 'published', id: message.id, sent });
    } else if (message.kind === 'stats') {
      tell({ kind: 'stats', id: message.id, stats: this.#stats() });
    } else void this.#close();
  }

  #receive(message: BrokerMessage): void {
    if (this.#isClosing) return; // Not acked: it comes again.
    this.#core.receive(message);
    this.#waitForGroup();
  }

  #waitForGroup(): void {
    const { dueMs } = this.#core;
    if (dueMs === 0) this.#commit();
    else if (dueMs !== null && !this.#isWaiting) {
      this.#isWaiting = true;
      systemClock.after(dueMs, () => {
        this.#isWaiting = false;
        this.#commit();
      });
    }
  }

  #commit(): void {
    if (this.#core.dueMs !== null) this.#send(this.#core.commit());
  }

  #tick(): void {
    this.#told = 0;
    this.#send(this.#core.tick());
    this.#cancelTick = systemClock.after(TICK_MS, () => this.#tick());
  }

  #send(out: readonly Outgoing[]): void {
    for (const { topic, payload, qos, retain } of out) {
      this.#link.publish(topic, payload, { qos, retain });
    }
  }

  #turn({ up, why }: { readonly up: boolean; readonly why: string }): void {
    this.#isUp = up;
    tell({ kind: 'link', up, why });
  }

  #stats(): IngestStats {
    const { counts, state, held: waiting } = this.#core;
    const { storeId, heldBytes, lastRow, letters: deadLetters } = this.#inbox;
    const file = { storeId, heldBytes, lastRow, deadLetters };
    return { counts: { ...counts }, state, connected: this.#isUp, ...file, waiting };
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelTick();
    this.#commit();
    await this.#link.close(CLOSE_GRACE_MS);
    this.#inbox.close();
    port.close();
  }
}

try {
  const thread = new IngestThread(workerData as IngestWorkerData);
  port.on('message', (message: ToIngest) => thread.hear(message));
  thread.start();
  tell({ kind: 'open' });
} catch (error) {
  const fault = isFault(error) ? error : new Fault('ingest_failed', 'never', String(error), error);
  tell({ kind: 'failed', code: fault.code, detail: fault.detail });
  port.close();
}
