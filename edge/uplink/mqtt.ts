// A broker link over mqtt.js, MQTT 3.1.1. The library's own reconnecting, queueing and storing are
// off: one owner of retry, and that is not here but in session.ts; this file only comes back by
// itself.
import { createConnection } from 'node:net';
import type { IClientOptions, MqttClient } from 'mqtt';
import { type BackoffOptions, backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type {
  BrokerLinkOptions,
  BrokerMessage,
  PublishOptions,
} from '../../protocols/uplink/broker-link.ts';
import type { PathLink } from './path.ts';

export const RECONNECT: BackoffOptions = { firstMs: 1_000, maxMs: 60_000, jitter: 0.5 };
/**
 * The library is loaded, a tenth of a second of work, when the first readings are on disk: they do
 * not wait for what carries them on.
 */
const FIRST_CONNECT_MS = 200;
const CONNECT_TIMEOUT_MS = 15_000;
/** Accepted and not yet written; above it publishing is refused. */
export const PENDING_BYTES_MAX = 1024 * 1024;
/** A connection that lasts so long was a good one: the next wait begins short again. */
const STABLE_MS = 10_000;
const REFUSED_SUBSCRIPTION = 128;

export interface MqttLinkOptions extends BrokerLinkOptions {
  /** Source address of the connection, where the gateway has several networks. */
  readonly localAddress?: string;
}

export function mqttLink(clock: Clock, random: Random, options: MqttLinkOptions): PathLink {
  return new MqttLink(clock, random, options);
}

class MqttLink implements PathLink {
  onUp: () => void = () => {};
  onDown: (why: string) => void = () => {};
  onMessage: (message: BrokerMessage) => void = () => {};
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: MqttLinkOptions;
  #subscriptions: BrokerLinkOptions['subscriptions'];
  #client: MqttClient | null = null;
  #isUp = false;
  #isClosed = false;
  #attempt = 0;
  #upMonoMs = 0;
  #cancelRetry = () => {};

  constructor(clock: Clock, random: Random, options: MqttLinkOptions) {
    this.#subscriptions = options.subscriptions;
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  get pendingBytes(): number {
    return this.#client?.stream?.writableLength ?? 0;
  }

  start(): void {
    this.#cancelRetry = this.#clock.after(FIRST_CONNECT_MS, () => void this.#connect());
  }

  async #connect(): Promise<void> {
    const [{ connect, MqttClient }, { writeToStream }] = await Promise.all([
      import('mqtt'),
      import('mqtt-packet'),
    ]);
    // Else each number up to 65,535 is made a buffer of its own, once and for ever: 7 MB.
    Object.assign(writeToStream, { cacheNumbers: false });
    if (this.#isClosed) return;
    const { url, localAddress } = this.#options;
    const { protocol, hostname, port } = new URL(url);
    // The library takes a source address for TLS only.
    const isPlain = protocol === 'mqtt:' && localAddress !== undefined;
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const open = () => createConnection({ host, port: Number(port || 1883), localAddress });
    const client = isPlain
      ? new MqttClient(open, this.#clientOptions())
      : connect(url, this.#clientOptions());
    this.#client = client;
    let why = 'closed';
    client.on('connect', () => this.#subscribe(client));
    client.on('message', (topic, payload, packet) => {
      if (client !== this.#client) return;
      this.onMessage({ topic, payload: new Uint8Array(payload), retained: packet.retain });
    });
    client.on('error', (error) => {
      why = reasonOf(error);
      client.end(true);
    });
    client.on('close', () => this.#lost(client, why));
  }

  #clientOptions(): IClientOptions {
    const { clientId, username, password, keepaliveSeconds, localAddress } = this.#options;
    const will = this.#options.will();
    return {
      clientId,
      username,
      password,
      keepalive: keepaliveSeconds,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      queueQoSZero: false,
      ...(localAddress !== undefined && { localAddress }),
      resubscribe: false,
      ...(will
        ? { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }
        : {}),
    };
  }

  #subscribe(client: MqttClient): void {
    const subscriptions = this.#subscriptions;
    if (subscriptions.length === 0) {
      this.#ready(client);
      return;
    }
    const optional = subscriptions.filter(({ isOptional }) => isOptional);
    client.subscribe(
      byFilter(subscriptions.filter(({ isOptional }) => !isOptional)),
      (error, granted) => {
        if (error || granted?.some(({ qos }) => Number(qos) === REFUSED_SUBSCRIPTION)) {
          client.end(true);
          return;
        }
        this.#ready(client);
      },
    );
    if (optional.length > 0) client.subscribe(byFilter(optional), () => {});
  }

  setSubscriptions(subscriptions: BrokerLinkOptions['subscriptions']): void {
    const before = this.#subscriptions;
    this.#subscriptions = subscriptions;
    const client = this.#client;
    if (!client || !this.#isUp) return;
    const isIn = (list: typeof before, filter: string) => list.some((it) => it.filter === filter);
    const left = before.filter(({ filter }) => !isIn(subscriptions, filter));
    const added = subscriptions.filter(({ filter }) => !isIn(before, filter));
    // Refused after the connect, the next connect says so.
    if (added.length > 0) client.subscribe(byFilter(added), () => {});
    if (left.length > 0)
      client.unsubscribe(
        left.map(({ filter }) => filter),
        () => {},
      );
  }

  #ready(client: MqttClient): void {
    if (client !== this.#client || this.#isClosed) return;
    this.#isUp = true;
    this.#upMonoMs = this.#clock.monoMs();
    this.onUp();
  }

  #lost(client: MqttClient, why: string): void {
    if (client !== this.#client) return;
    client.end(true);
    this.#client = null;
    const wasUp = this.#isUp;
    this.#isUp = false;
    if (wasUp && this.#clock.monoMs() - this.#upMonoMs >= STABLE_MS) this.#attempt = 0;
    if (this.#isClosed) return;
    const delayMs = backoffMs(this.#random, ++this.#attempt, RECONNECT);
    this.#cancelRetry = this.#clock.after(delayMs, () => void this.#connect());
    this.onDown(why);
  }

  publish(topic: string, payload: Uint8Array, { qos, retain }: PublishOptions): boolean {
    const client = this.#client;
    if (!client || !this.#isUp || this.pendingBytes > PENDING_BYTES_MAX) return false;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    // What becomes of it is told by the other side's answer; the callback only keeps an error from
    // rising.
    client.publish(topic, bytes, { qos, retain }, () => {});
    return true;
  }

  close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    const client = this.#client;
    if (!client) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.after(graceMs, () => client.end(true, () => resolve()));
      client.end(!this.#isUp, () => {
        cancel();
        resolve();
      });
    });
  }
}

function byFilter(subscriptions: BrokerLinkOptions['subscriptions']) {
  return Object.fromEntries(subscriptions.map(({ filter, qos }) => [filter, { qos }]));
}

/** For a log line: the code of the failure, never an address with a password in it. */
function reasonOf(error: Error): string {
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) {
    return `${error.code}`;
  }
  return error.name;
}
