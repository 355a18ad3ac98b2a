// The cloud's client of whatever broker there is: connects, subscribes, connects again. MQTT 3.1.1,
// clean sessions, nothing queued while down. Each connect is a new client of the library, so that
// no state of an earlier connection is left.
import { connect, type MqttClient } from 'mqtt';
import { backoffMs } from '../../core/backoff.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type {
  BrokerLink,
  BrokerLinkOptions,
  BrokerMessage,
  PublishOptions,
} from '../../protocols/uplink/broker-link.ts';

/** One connection as it is, for who checks what a broker does. */
export { connect as connectMqtt, type MqttClient } from 'mqtt';

/** Acks waiting in the socket; what is beyond it is dropped, as every ack is said again. */
const PENDING_BYTES_MAX = 16 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;
const backoff = { firstMs: 200, maxMs: 10_000, jitter: 0.5 };

export class MqttLink implements BrokerLink {
  onUp: () => void = () => {};
  onDown: (why: string) => void = () => {};
  onMessage: (message: BrokerMessage) => void = () => {};
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: BrokerLinkOptions;
  #client: MqttClient | null = null;
  #isUp = false;
  #isClosed = false;
  #attempt = 0;
  #cancelRetry: () => void = () => {};

  constructor(clock: Clock, random: Random, options: BrokerLinkOptions) {
    this.#clock = clock;
    this.#random = random;
    this.#options = options;
  }

  start(): void {
    this.#connect();
  }

  publish(topic: string, payload: Uint8Array, { qos, retain }: PublishOptions): boolean {
    const client = this.#client;
    if (!client || !this.#isUp || this.pendingBytes > PENDING_BYTES_MAX) return false;
    client.publish(topic, Buffer.from(payload.buffer, payload.byteOffset, payload.length), {
      qos,
      retain,
    });
    return true;
  }

  get pendingBytes(): number {
    return this.#client?.stream?.writableLength ?? 0;
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    const client = this.#client;
    if (!client) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(graceMs, () => client.end(true, () => resolve()));
      client.end(false, () => {
        cancel();
        resolve();
      });
    });
  }

  #connect(): void {
    const { url, clientId, username, password, keepaliveSeconds, will } = this.#options;
    const last = will();
    const client = connect(url, {
      clientId,
      username,
      password,
      keepalive: keepaliveSeconds,
      clean: true,
      protocolVersion: 4,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      ...(last && {
        will: { topic: last.topic, payload: Buffer.from(last.payload), qos: 1, retain: true },
      }),
    });
    this.#client = client;
    let why = 'closed';
    client.on('error', (error) => {
      why = error.message;
    });
    client.on('connect', () => this.#subscribe(client));
    client.on('message', (topic, payload, packet) => {
      this.onMessage({ topic, payload, retained: packet.retain });
    });
    client.once('close', () => {
      client.end(true);
      if (this.#client === client) this.#down(why);
    });
  }

  #subscribe(client: MqttClient): void {
    const { subscriptions } = this.#options;
    const optional = subscriptions.filter(({ isOptional }) => isOptional);
    const needed = subscriptions.filter(({ isOptional }) => !isOptional);
    client.subscribe(byFilter(needed), (error, granted) => {
      if (client !== this.#client) return;
      const refused = granted?.find(({ qos }) => qos > 2);
      if (error || refused) {
        client.emit('error', error ?? Object.assign(new Error(`refused ${refused?.topic}`)));
        client.end(true);
        return;
      }
      this.#isUp = true;
      this.#attempt = 0;
      this.onUp();
    });
    if (optional.length > 0) client.subscribe(byFilter(optional), () => {});
  }

  #down(why: string): void {
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#client = null;
    if (wasUp || this.#attempt === 0) this.onDown(why);
    if (this.#isClosed) return;
    const delayMs = backoffMs(this.#random, ++this.#attempt, backoff);
    this.#cancelRetry = this.#clock.after(delayMs, () => this.#connect());
  }
}

function byFilter(subscriptions: BrokerLinkOptions['subscriptions']) {
  return Object.fromEntries(subscriptions.map(({ filter, qos }) => [filter, { qos }]));
}
