// A broker as MQTT 3.1.1 allows it to be at its worst, and the client's side of it.
//
// Messages of one topic stay in order on their way to one subscriber; topics overtake one another.
// QoS 0 may be lost, QoS 1 may come twice; both are gone when a connection on the way ends. Retained
// messages and everything under way are gone when the broker is restarted. A connection may be half
// open: both ends believe in it until the keepalive tells them, and what is sent meanwhile is gone.
// It may be stalled: what is sent waits in the socket and comes all at once. A second client of one
// name ends the connection of the first.
import type { BackoffOptions } from '../../core/backoff.ts';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { pickInteger, seededRandom } from '../../core/random.ts';
import type { PathLink } from '../../edge/uplink/path.ts';
import type {
  BrokerLinkOptions,
  BrokerMessage,
  PublishOptions,
} from '../../protocols/uplink/broker-link.ts';
import { CLOUD_STATUS_TOPIC, KEEPALIVE_SECONDS } from '../../protocols/uplink/topics.ts';
import type { Life, Timeline } from './timeline.ts';

/** What the network between the clients and the broker is like at present. */
export interface Weather {
  delayMinMs: number;
  delayMaxMs: number;
  /** Share of QoS 0 messages that are lost, and of QoS 1 messages that come twice. */
  loss: number;
  repeats: number;
  /**
   * Share of messages that are held back while later ones of their topic pass, and of QoS 1
   * messages that come once more long after, as brokers do that take over from one another.
   */
  overtaken: number;
}

export const calm: Weather = { delayMinMs: 2, delayMaxMs: 10, loss: 0, repeats: 0, overtaken: 0 };

const CONNECT_MS = 30;
const OVERTAKEN_MAX_MS = 3_000;
const REPEATED_LATE_MAX_MS = 20_000;
const SOCKET_BYTES_MAX = 256 * 1024;

interface Retained {
  readonly topic: string;
  readonly payload: Uint8Array;
}

class Connection {
  readonly client: SimLink;
  readonly will: Retained | null;
  isOpen = true;
  isHalfOpen = false;
  stalledUntilMs = 0;
  /** Bytes in the socket while it is stalled. */
  stalledBytes = 0;
  /** By topic: when the last message on its way arrives. */
  readonly arrivals = new Map<string, number>();

  constructor(client: SimLink) {
    this.client = client;
    this.will = client.options.will();
  }
}

export class SimBroker {
  readonly weather: Weather = { ...calm };
  readonly #timeline: Timeline;
  readonly #random: Random;
  /** For the status of the cloud: worlds are drawn as they were before there was one. */
  readonly #asideRandom = seededRandom(1);
  readonly #connections = new Map<string, Connection>();
  readonly #retained = new Map<string, Retained>();
  #isUp = true;
  #starts = 0;
  messages = 0;

  constructor(timeline: Timeline, random: Random) {
    this.#timeline = timeline;
    this.#random = random;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The process ends: connections, retained messages and what is under way are gone. */
  stop(): void {
    this.#isUp = false;
    this.#starts++;
    this.#retained.clear();
    for (const connection of [...this.#connections.values()]) this.#end(connection, 'broker gone');
  }

  start(): void {
    this.#isUp = true;
  }

  /** Machines that cannot reach the broker at present. */
  readonly unreachable = new Set<string>();

  /** The connection of a machine ends at both sides. */
  cut(name: string): void {
    const connection = this.#of(name);
    if (connection) this.#end(connection, 'cut', 'with will');
  }

  #of(name: string): Connection | undefined {
    return [...this.#connections.values()].find(({ client }) => client.name === name);
  }

  /** Both ends go on believing in the connection until their keepalive is over. */
  halfOpen(name: string): void {
    const connection = this.#of(name);
    if (!connection || connection.isHalfOpen) return;
    connection.isHalfOpen = true;
    const keepaliveMs = KEEPALIVE_SECONDS * 1000;
    const noticedMs = pickInteger(this.#random, keepaliveMs, 2 * keepaliveMs);
    this.#timeline.after(noticedMs, () => this.#end(connection, 'keepalive', 'with will'));
  }

  /** What is sent waits in the socket. */
  stall(name: string, ms: number): void {
    const connection = this.#of(name);
    if (connection) connection.stalledUntilMs = this.#timeline.nowMs + ms;
  }

  /** What a client that dies leaves: the broker notices at once, because its socket closes. */
  vanish(client: SimLink): void {
    const connection = this.#connections.get(client.options.clientId);
    if (connection?.client === client) this.#end(connection, 'process gone', 'with will');
  }

  connect(client: SimLink): Connection | null {
    if (!this.#isUp || this.unreachable.has(client.name)) return null;
    const { clientId } = client.options;
    const { subscriptions } = client;
    const known = this.#connections.get(clientId);
    if (known) this.#end(known, 'taken over', 'with will');
    const connection = new Connection(client);
    this.#connections.set(clientId, connection);
    for (const { topic, payload } of this.#retained.values()) {
      if (!subscriptions.some(({ filter }) => fits(filter, topic))) continue;
      this.#deliver(connection, { topic, payload, retained: true }, 1);
    }
    return connection;
  }

  /** A client that was connected already subscribes to more. */
  subscribed(connection: Connection, before: BrokerLinkOptions['subscriptions']): void {
    const { subscriptions } = connection.client;
    const added = subscriptions.filter((it) => !before.some(({ filter }) => filter === it.filter));
    for (const { topic, payload } of this.#retained.values()) {
      if (!added.some(({ filter }) => fits(filter, topic))) continue;
      this.#deliver(connection, { topic, payload, retained: true }, 1);
    }
  }

  leave(connection: Connection): void {
    this.#end(connection, 'left');
  }

  publish(
    from: Connection,
    topic: string,
    payload: Uint8Array,
    { qos, retain }: PublishOptions,
  ): boolean {
    const { nowMs } = this.#timeline;
    if (nowMs < from.stalledUntilMs) {
      if (from.stalledBytes + payload.length > SOCKET_BYTES_MAX) return false;
      from.stalledBytes += payload.length;
      const starts = this.#starts;
      this.#timeline.at(from.stalledUntilMs, () => {
        from.stalledBytes -= payload.length;
        const isLost = from.isHalfOpen || !from.isOpen || starts !== this.#starts;
        if (!isLost) this.#spread(topic, payload, qos, retain);
      });
      return true;
    }
    if (!from.isHalfOpen) this.#spread(topic, payload, qos, retain);
    return true;
  }

  #spread(topic: string, payload: Uint8Array, qos: 0 | 1, retain: boolean): void {
    this.messages++;
    if (retain) this.#retained.set(topic, { topic, payload });
    for (const connection of this.#connections.values()) {
      const { subscriptions } = connection.client;
      if (!subscriptions.some(({ filter }) => fits(filter, topic))) continue;
      this.#deliver(connection, { topic, payload, retained: false }, qos);
    }
    if (topic === CLOUD_STATUS_TOPIC) return;
    if (qos === 1 && this.#isOvertaken()) this.#repeatLate(topic, payload);
  }

  // To whoever is connected then.
  #repeatLate(topic: string, payload: Uint8Array): void {
    const starts = this.#starts;
    this.#timeline.after(pickInteger(this.#random, 1_000, REPEATED_LATE_MAX_MS), () => {
      if (starts !== this.#starts) return;
      for (const connection of this.#connections.values()) {
        const { subscriptions } = connection.client;
        if (!subscriptions.some(({ filter }) => fits(filter, topic))) continue;
        this.#deliver(connection, { topic, payload, retained: false }, 1);
      }
    });
  }

  // Nothing is drawn in calm weather.
  #isOvertaken(): boolean {
    const { overtaken } = this.weather;
    return overtaken > 0 && this.#random.next() < overtaken;
  }

  #deliver(to: Connection, message: BrokerMessage, qos: 0 | 1): void {
    const { delayMinMs, delayMaxMs, loss, repeats } = this.weather;
    const random = message.topic === CLOUD_STATUS_TOPIC ? this.#asideRandom : this.#random;
    if (to.isHalfOpen || (qos === 0 && random.next() < loss)) return;
    const copies = qos === 1 && random.next() < repeats ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const { nowMs } = this.#timeline;
      const sentMs = Math.max(nowMs, to.stalledUntilMs);
      const delayMs = pickInteger(random, delayMinMs, delayMaxMs);
      const isOvertaken = random === this.#random && this.#isOvertaken();
      const heldBackMs = isOvertaken ? pickInteger(this.#random, 0, OVERTAKEN_MAX_MS) : 0;
      const before = to.arrivals.get(message.topic) ?? 0;
      const atMs = Math.max(sentMs + delayMs + heldBackMs, before);
      if (!isOvertaken) to.arrivals.set(message.topic, atMs);
      const starts = this.#starts;
      this.#timeline.at(atMs, () => {
        if (to.isOpen && !to.isHalfOpen && starts === this.#starts) to.client.receive(message);
      });
    }
  }

  #end(connection: Connection, why: string, will?: 'with will'): void {
    if (!connection.isOpen) return;
    connection.isOpen = false;
    const { client } = connection;
    const { clientId } = client.options;
    if (this.#connections.get(clientId) === connection) this.#connections.delete(clientId);
    client.ended(connection, why);
    if (!will || !connection.will || !this.#isUp) return;
    this.#spread(connection.will.topic, connection.will.payload, 1, true);
  }
}

/** A client's link as its process sees it: connects, connects again, with growing pauses. */
export class SimLink implements PathLink {
  onUp: () => void = () => {};
  onDown: (why: string) => void = () => {};
  onMessage: (message: BrokerMessage) => void = () => {};
  /** False: whoever it is for is deaf to it. */
  hears: (message: BrokerMessage) => boolean = () => true;
  readonly options: BrokerLinkOptions;
  subscriptions: BrokerLinkOptions['subscriptions'];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #broker: SimBroker;
  readonly #life: Life;
  readonly #again: BackoffOptions;
  /** The machine: faults are done to a machine, and two may have one client id. */
  readonly name: string;
  #connection: Connection | null = null;
  #attempt = 0;
  #isClosed = false;

  constructor(
    clock: Clock,
    random: Random,
    broker: SimBroker,
    life: Life,
    options: BrokerLinkOptions,
    { name, ...again }: BackoffOptions & { readonly name: string },
  ) {
    this.name = name;
    this.#again = again;
    this.#clock = clock;
    this.#random = random;
    this.#broker = broker;
    this.#life = life;
    this.options = options;
    this.subscriptions = options.subscriptions;
  }

  setSubscriptions(subscriptions: BrokerLinkOptions['subscriptions']): void {
    const before = this.subscriptions;
    this.subscriptions = subscriptions;
    if (this.#connection) this.#broker.subscribed(this.#connection, before);
  }

  start(): void {
    this.#clock.after(CONNECT_MS, () => this.#connect());
  }

  get pendingBytes(): number {
    return this.#connection?.stalledBytes ?? 0;
  }

  publish(topic: string, payload: Uint8Array, options: PublishOptions): boolean {
    if (!this.#connection || !this.#life.survives('before publish')) return false;
    const isTaken = this.#broker.publish(this.#connection, topic, payload, options);
    this.#life.survives('after publish');
    return isTaken;
  }

  close(): Promise<void> {
    this.#isClosed = true;
    const connection = this.#connection;
    this.#connection = null;
    if (connection) this.#broker.leave(connection);
    return Promise.resolve();
  }

  /** Its process is gone. */
  vanish(): void {
    this.#broker.vanish(this);
  }

  receive(message: BrokerMessage): void {
    this.#life.run(() => {
      if (this.hears(message)) this.onMessage(message);
    });
  }

  ended(connection: Connection, why: string): void {
    if (connection !== this.#connection) return;
    this.#connection = null;
    if (!this.#life.isAlive || this.#isClosed) return;
    this.#clock.after(0, () => {
      this.onDown(why);
      this.#retry();
    });
  }

  #retry(): void {
    const delayMs = backoffMs(this.#random, ++this.#attempt, this.#again);
    this.#clock.after(delayMs + CONNECT_MS, () => this.#connect());
  }

  #connect(): void {
    if (this.#isClosed) return;
    this.#connection = this.#broker.connect(this);
    if (!this.#connection) {
      this.#retry();
      return;
    }
    this.#attempt = 0;
    this.onUp();
  }
}

/** Whether a topic fits a filter; `+` stands for one level. */
function fits(filter: string, topic: string): boolean {
  if (!filter.includes('+')) return filter === topic;
  if (!topic.endsWith(filter.slice(filter.lastIndexOf('/')))) return false;
  const levels = topic.split('/');
  const wanted = filter.split('/');
  return (
    levels.length === wanted.length && wanted.every((it, at) => it === '+' || it === levels[at])
  );
}
