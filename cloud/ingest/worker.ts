// The thread of ingest: broker links, the cores, and timers. No decisions.
//
// At each broker the cloud says that it is there, retained, and its last will says when it is not:
// gateways do not send where nobody listens. It hears its own word: the will of an earlier
// connection may come after the word of this one, and is put right.
// What goes down goes to all brokers: which one a gateway is at may change any moment, and where
// nobody subscribes to it, it costs nothing beyond the broker.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../core/clock.ts';
import { assert, Fault, isFault } from '../../core/fault.ts';
import { systemRandom } from '../../core/random.ts';
import type { BrokerMessage, PublishOptions } from '../../protocols/uplink/broker-link.ts';
import { decodeCloudStatus, encodeCloudStatus } from '../../protocols/uplink/control.ts';
import { CLOUD_STATUS_TOPIC, KEEPALIVE_SECONDS, upFilters } from '../../protocols/uplink/topics.ts';
import { InboxCore } from '../inbox/core.ts';
import { IngestCore, type Outgoing } from './core.ts';
import type { FromIngest, IngestStats, IngestWorkerData, LinkTurn, ToIngest } from './ingest.ts';
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
  readonly #links: readonly MqttLink[];
  readonly #away = new Set<number>();
  #isWaiting = false;
  #isClosing = false;
  #told = 0;
  #cancelTick = () => {};

  constructor(data: IngestWorkerData) {
    const { path, url, credential, others = [], bytesMax, rowsAbove = 0, area } = data;
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
    const brokers = [{ url, secret }, ...others];
    this.#links = brokers.map((at, broker) => this.#openLink(broker, { name, area, ...at }));
  }

  #openLink(
    broker: number,
    to: {
      readonly url: string;
      readonly name: string;
      readonly secret: string;
      readonly area: string | undefined;
    },
  ): MqttLink {
    const link = new MqttLink(systemClock, systemRandom, {
      ...{ url: to.url, clientId: to.name, username: to.name, password: to.secret },
      keepaliveSeconds: KEEPALIVE_SECONDS,
      subscriptions: [
        ...upFilters(to.area),
        { filter: CLOUD_STATUS_TOPIC, qos: 1, isOptional: true },
      ],
      will: () => ({ topic: CLOUD_STATUS_TOPIC, payload: cloudStatus('offline') }),
    });
    this.#away.add(broker);
    this.#core.broker(broker, 'down');
    link.onMessage = (message) => this.#receive(link, message, broker);
    link.onUp = () => {
      publishStatus(link, 'online');
      this.#turn({ broker, up: true, why: '' });
    };
    link.onDown = (why) => this.#turn({ broker, up: false, why });
    return link;
  }

  start(): void {
    this.#tick();
    for (const link of this.#links) link.start();
  }

  hear(message: ToIngest): void {
    const core = this.#core;
    if (message.kind === 'passed') this.#inbox.passed(message.row);
    else if (message.kind === 'gateways') core.setGateways(message.known);
    else if (message.kind === 'keep-refused') {
      core.keepRefused(message.refused);
      this.#waitForGroup();
    } else if (message.kind === 'publish') {
      const sent = this.#publish(message.topic, message.payload, message.options);
      tell({ kind: 'published', id: message.id, sent });
    } else if (message.kind === 'stats') {
      tell({ kind: 'stats', id: message.id, stats: this.#stats() });
    } else void this.#close();
  }

  #receive(link: MqttLink, message: BrokerMessage, broker: number): void {
    if (this.#isClosing) return; // Not acked: it comes again.
    if (message.topic === CLOUD_STATUS_TOPIC) {
      if (!isOnline(message.payload)) publishStatus(link, 'online');
      return;
    }
    this.#core.receive(message, broker);
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
      this.#publish(topic, payload, { qos, retain });
    }
  }

  /** True when any broker took it. */
  #publish(topic: string, payload: Uint8Array, options: PublishOptions): boolean {
    let isSent = false;
    for (const link of this.#links) isSent = link.publish(topic, payload, options) || isSent;
    return isSent;
  }

  #turn(turn: LinkTurn): void {
    const { broker, up } = turn;
    if (up) this.#away.delete(broker);
    else this.#away.add(broker);
    this.#core.broker(broker, up ? 'up' : 'down');
    tell({ kind: 'link', ...turn });
  }

  #stats(): IngestStats {
    const { counts, state, held: waiting } = this.#core;
    const { storeId, heldBytes, lastRow, letters: deadLetters } = this.#inbox;
    const file = { storeId, heldBytes, lastRow, deadLetters };
    const away = [...this.#away].sort();
    const connected = away.length < this.#links.length;
    return { counts: { ...counts }, state, connected, away, ...file, waiting };
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    this.#cancelTick();
    this.#commit();
    for (const link of this.#links) publishStatus(link, 'offline');
    await Promise.all(this.#links.map((link) => link.close(CLOSE_GRACE_MS)));
    this.#inbox.close();
    port.close();
  }
}

function cloudStatus(state: 'online' | 'offline'): Uint8Array {
  return encodeCloudStatus({ online: state === 'online' });
}

function publishStatus(link: MqttLink, state: 'online' | 'offline'): void {
  link.publish(CLOUD_STATUS_TOPIC, cloudStatus(state), { qos: 1, retain: true });
}

/** False also for what cannot be read: it is not what the cloud says of itself. */
function isOnline(payload: Uint8Array): boolean {
  try {
    return decodeCloudStatus(payload).online;
  } catch (error) {
    if (!isFault(error)) throw error;
    return false;
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
