// What both ends need of MQTT 3.1.1, and all they may use. The shells over mqtt.js are in
// edge/uplink and cloud/ingest; the simulated world has its own.

export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

/**
 * One client of a broker that connects and reconnects by itself with a clean session; it subscribes
 * again after each connect. Publishing while down drops the message: whoever publishes knows how to
 * repeat.
 */
export interface BrokerLink {
  /**
   * Queues a message; returns false when down or when more than its bound is waiting in the socket.
   */
  publish(topic: string, payload: Uint8Array, options: PublishOptions): boolean;
  /** One listener each, set before `start`. */
  onUp: () => void;
  onDown: (why: string) => void;
  onMessage: (message: BrokerMessage) => void;
  /** Bytes accepted and not yet written to the socket. */
  readonly pendingBytes: number;
  start(): void;
  /** Sends what is queued for at most `graceMs`, then a clean disconnect. */
  close(graceMs: number): Promise<void>;
}

export interface PublishOptions {
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

export interface BrokerLinkOptions {
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  readonly clientId: string;
  readonly username: string;
  readonly password: string;
  readonly keepaliveSeconds: number;
  /** An optional one may be refused. */
  readonly subscriptions: readonly {
    readonly filter: string;
    readonly qos: 0 | 1;
    readonly isOptional?: boolean;
  }[];
  /** Made anew for each connect: a will may carry the number of its connection. */
  readonly will: () => { readonly topic: string; readonly payload: Uint8Array } | null;
}
