// One path to the cloud: its broker link with a login, a connection number, a last will and a
// status of its own. It says when it is up: connected, and nobody says that the cloud is away from
// that broker.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import { foreign, type Log } from '../../core/log.ts';
import type {
  BrokerLink,
  BrokerLinkOptions,
  BrokerMessage,
} from '../../protocols/uplink/broker-link.ts';
import { decodeCloudStatus, encodeStatus } from '../../protocols/uplink/control.ts';
import {
  CLOUD_STATUS_TOPIC,
  downFilters,
  KEEPALIVE_SECONDS,
  type Kind,
  kinds,
  parseTopic,
  secondLogin,
  statusKinds,
  topicOf,
} from '../../protocols/uplink/topics.ts';
import type { ClockWatch } from '../clock-watch.ts';

/** Waiting in the socket; more would only make every later event wait behind it. */
export const SOCKET_BYTES_MAX = 256 * 1024;
/**
 * The cloud's word that it is away is believed for so long: should its last will have come after
 * its return, the path is tried again all the same.
 */
export const AWAY_BELIEVED_MS = 300_000;

export type LinkParts = Pick<
  BrokerLinkOptions,
  'clientId' | 'username' | 'keepaliveSeconds' | 'subscriptions' | 'will'
>;

/** A link whose subscriptions may change while it runs. */
export interface PathLink extends BrokerLink {
  /** Replaces them: at once when it is up, and with every later connect. */
  setSubscriptions(subscriptions: BrokerLinkOptions['subscriptions']): void;
}

export interface PathOptions {
  readonly area: string;
  readonly gateway: string;
  /** 0 is the first. */
  readonly path: number;
  readonly paths: number;
  /** Of the last connection of this path; the next one has the number after it. */
  readonly connection: number;
  readonly hearsAcks: boolean;
  readonly connect: (parts: LinkParts) => PathLink;
}

export interface PathCounts {
  readonly isUp: boolean;
  readonly isConnected: boolean;
  /** The cloud says that it is away from this broker. */
  readonly isCloudAway: boolean;
  readonly connection: number;
  /** Payload and topic of what was sent, without the frames of MQTT, TLS and IP. */
  readonly sentBytes: number;
  readonly sentMessages: number;
}

export class Path {
  onUp: () => void = () => {};
  onDown: (why: string) => void = () => {};
  onMessage: (kind: Kind, payload: Uint8Array) => void = () => {};
  /** The cloud came to the broker while this was up: what was said before it came, it missed. */
  onCloudBack: () => void = () => {};
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #watch: ClockWatch;
  readonly #options: PathOptions;
  readonly #link: PathLink;
  #isConnected = false;
  #isCloudAway = false;
  #hearsAcks: boolean;
  #connection: number;
  #sentBytes = 0;
  #sentMessages = 0;
  #malformed = 0;
  #cancelBelief = () => {};

  constructor(clock: Clock, log: Log, watch: ClockWatch, options: PathOptions) {
    this.#clock = clock;
    this.#log = log;
    this.#watch = watch;
    this.#options = options;
    this.#connection = options.connection;
    this.#hearsAcks = options.hearsAcks;
    const login = options.path === 0 ? options.gateway : secondLogin(options.gateway);
    this.#link = options.connect({
      clientId: login,
      username: login,
      keepaliveSeconds: KEEPALIVE_SECONDS,
      subscriptions: this.#subscriptions(),
      will: () => this.#will(),
    });
    this.#link.onUp = () => this.#connected();
    this.#link.onDown = (why) => this.#lost(why);
    this.#link.onMessage = (message) => this.#hear(message);
  }

  start(): void {
    this.#link.start();
  }

  get isUp(): boolean {
    return this.#isConnected && !this.#isCloudAway;
  }

  get isBlocked(): boolean {
    return this.#link.pendingBytes >= SOCKET_BYTES_MAX;
  }

  get counts(): PathCounts {
    return {
      isUp: this.isUp,
      isConnected: this.#isConnected,
      isCloudAway: this.#isCloudAway,
      connection: this.#connection,
      sentBytes: this.#sentBytes,
      sentMessages: this.#sentMessages,
    };
  }

  /** Where acks cost money they are heard only while no other path brings them. */
  hearAcks(hears: boolean): void {
    if (hears === this.#hearsAcks) return;
    this.#hearsAcks = hears;
    this.#link.setSubscriptions(this.#subscriptions());
  }

  #subscriptions(): BrokerLinkOptions['subscriptions'] {
    const { area, gateway } = this.#options;
    const ack = topicOf(area, gateway, 'ack');
    const down = downFilters(area, gateway).filter(
      ({ filter }) => this.#hearsAcks || filter !== ack,
    );
    // A broker whose rights are older than this topic is none the worse.
    return [...down, { filter: CLOUD_STATUS_TOPIC, qos: 1, isOptional: true }];
  }

  /** Not taken by the link is lost on the way: who publishes knows how to repeat. */
  publish(kind: Kind, payload: Uint8Array): void {
    const { area, gateway } = this.#options;
    const topic = topicOf(area, gateway, kind);
    const { qos, retain } = kinds[kind];
    if (!this.#link.publish(topic, payload, { qos, retain })) return;
    this.#sentMessages++;
    this.#sentBytes += topic.length + payload.length;
  }

  publishStatus(presence: 'online' | 'offline'): void {
    this.publish(this.#statusKind, this.#status(presence));
  }

  async close(graceMs: number): Promise<void> {
    this.#cancelBelief();
    if (this.#isConnected) this.publishStatus('offline');
    await this.#link.close(graceMs);
  }

  get #statusKind(): Kind {
    return statusKinds[this.#options.path]!;
  }

  #status(presence: 'online' | 'offline'): Uint8Array {
    return encodeStatus({
      connection: this.#connection,
      online: presence === 'online',
      clock: this.#watch.stamp.state,
      paths: this.#options.paths,
    });
  }

  #will(): { readonly topic: string; readonly payload: Uint8Array } {
    this.#connection++;
    const { area, gateway } = this.#options;
    return { topic: topicOf(area, gateway, this.#statusKind), payload: this.#status('offline') };
  }

  #connected(): void {
    this.#isConnected = true;
    this.#cloud('online'); // Until the broker says otherwise.
    this.onUp();
  }

  #lost(why: string): void {
    const wasUp = this.isUp;
    this.#isConnected = false;
    this.#cancelBelief();
    if (wasUp) this.onDown(why);
  }

  #hear({ topic, payload, retained }: BrokerMessage): void {
    if (topic === CLOUD_STATUS_TOPIC) {
      this.#hearCloud(payload, retained);
      return;
    }
    const parts = parseTopic(topic);
    if (parts && kinds[parts.kind].way === 'down') this.onMessage(parts.kind, payload);
  }

  #hearCloud(payload: Uint8Array, isRetained: boolean): void {
    if (payload.length === 0) return; // A retained message was cleared.
    try {
      const wasUp = this.isUp;
      this.#cloud(decodeCloudStatus(payload).online ? 'online' : 'away');
      if (this.isUp && !wasUp) this.onUp();
      else if (this.isUp && !isRetained) this.onCloudBack();
      if (wasUp && !this.isUp) this.onDown('the cloud is away');
    } catch (error) {
      if (!isFault(error)) throw error;
      if (this.#malformed++ === 0)
        this.#log.warn('cloud_status_malformed', { why: foreign(error.message) });
    }
  }

  #cloud(state: 'online' | 'away'): void {
    this.#cancelBelief();
    this.#isCloudAway = state === 'away';
    if (!this.#isCloudAway) return;
    this.#cancelBelief = this.#clock.after(AWAY_BELIEVED_MS, () => {
      this.#isCloudAway = false;
      if (this.isUp) this.onUp();
    });
  }
}
