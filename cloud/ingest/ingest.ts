// Taking in what the gateways send, in a thread of its own: MQTT, the inbox and the acks never wait
// for the store, the alarms or the API. This side starts the thread, hears what was committed, and
// tells it how far the consumers are.
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { PublishOptions } from '../../protocols/uplink/broker-link.ts';
import type {
  CloneAlarm,
  GatewayAnswer,
  IngestCounts,
  IngestState,
  RefusedMessage,
} from './core.ts';
import type { RefusedByBroker } from './opening.ts';
import type { GatewayPresence } from './presence.ts';

export type {
  CloneAlarm,
  GatewayAnswer,
  IngestCounts,
  IngestState,
  RefusedMessage,
} from './core.ts';
export type { GatewayPresence } from './presence.ts';

/** Both must have a row behind them before it leaves. */
export const consumers = ['store', 'alarms'] as const;
export type Consumer = (typeof consumers)[number];

export interface IngestOptions {
  /** The inbox file is made in it. */
  readonly folder: string;
  /** `mqtt://host:port` or `mqtts://host:port`. */
  readonly url: string;
  /** Of the cloud's identity: client id and user name are `name`. */
  readonly credential: { readonly name: string; readonly secret: string };
  /** Further brokers, by the same name. */
  readonly others?: readonly { readonly url: string; readonly secret: string }[];
  /** Records the inbox may hold; full means no acks, and the edges wait. */
  readonly bytesMax: number;
  /** The highest row any consumer has behind it; see InboxOptions. */
  readonly rowsAbove?: number;
  /** One area instead of all. */
  readonly area?: string;
}

export interface IngestStats {
  readonly counts: IngestCounts;
  readonly state: IngestState;
  /** To any broker. */
  readonly connected: boolean;
  /** Places of the brokers it is not connected to; 0 is the first. */
  readonly away: readonly number[];
  readonly storeId: string;
  readonly heldBytes: number;
  readonly lastRow: number;
  readonly deadLetters: number;
  /** Records and bytes that wait for a dictionary part. */
  readonly waiting: { readonly count: number; readonly bytes: number };
}

/** The connection to the broker in this place came about or ended; 0 is the first. */
export interface LinkTurn {
  readonly broker: number;
  readonly up: boolean;
  readonly why: string;
}

/** One listener each; set them right after opening. */
export interface IngestListeners {
  /** The highest row on disk; rows up to it can be read. */
  onCommitted: (lastRow: number) => void;
  onPresence: (changes: readonly GatewayPresence[]) => void;
  onClone: (alarm: CloneAlarm) => void;
  /** At most REFUSALS_TOLD_MAX a second; all are counted. */
  onRefused: (refused: RefusedMessage) => void;
  onAnswer: (answer: GatewayAnswer) => void;
  onLink: (link: LinkTurn) => void;
  /** The thread ended without being asked. */
  onFailed: (fault: Fault) => void;
}

export interface Ingest extends IngestListeners {
  /** For `new InboxReader(inboxFile)`. */
  readonly inboxFile: string;
  /** The consumer has its results up to this row on disk. */
  passed(consumer: Consumer, row: number): void;
  /** Sends a message down, at every broker; false when all are away. */
  publish(topic: string, payload: Uint8Array, options: PublishOptions): Promise<boolean>;
  /** Known gateways and their areas; others are refused. Null leaves that to the broker. */
  setGateways(known: ReadonlyMap<string, string> | null): void;
  /** Something the broker refused, to be kept with the other dead letters. */
  keepRefused(refused: RefusedByBroker): void;
  stats(): Promise<IngestStats>;
  /** Commits what has arrived, sends its acks, and ends. */
  close(): Promise<void>;
}

export type ToIngest =
  | { readonly kind: 'passed'; readonly row: number }
  | { readonly kind: 'gateways'; readonly known: ReadonlyMap<string, string> | null }
  | {
      readonly kind: 'publish';
      readonly id: number;
      readonly topic: string;
      readonly payload: Uint8Array;
      readonly options: PublishOptions;
    }
  | {
      readonly kind: 'keep-refused';
      readonly refused: RefusedByBroker;
    }
  | { readonly kind: 'stats'; readonly id: number }
  | { readonly kind: 'close' };

export type FromIngest =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly code: FaultCode; readonly detail: Bilingual }
  | { readonly kind: 'committed'; readonly lastRow: number }
  | { readonly kind: 'presence'; readonly changes: readonly GatewayPresence[] }
  | { readonly kind: 'clone'; readonly alarm: CloneAlarm }
  | { readonly kind: 'refused'; readonly refused: RefusedMessage }
  | { readonly kind: 'answer'; readonly answer: GatewayAnswer }
  | ({ readonly kind: 'link' } & LinkTurn)
  | { readonly kind: 'published'; readonly id: number; readonly sent: boolean }
  | { readonly kind: 'stats'; readonly id: number; readonly stats: IngestStats };

export interface IngestWorkerData extends Omit<IngestOptions, 'folder'> {
  readonly path: string;
}

/**
 * Throws Fault when the inbox cannot be opened. Connects in the background: the broker may come
 * later.
 */
export async function openIngest(options: IngestOptions): Promise<Ingest> {
  const { folder, ...rest } = options;
  const workerData: IngestWorkerData = { ...rest, path: join(folder, 'inbox.sqlite') };
  // Source in development, emitted JavaScript where it is installed.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  const ingest = new WorkerIngest(worker, workerData.path);
  await ingest.opened;
  return ingest;
}

class WorkerIngest implements Ingest {
  readonly inboxFile: string;
  readonly opened: Promise<void>;
  onCommitted: IngestListeners['onCommitted'] = () => {};
  onPresence: IngestListeners['onPresence'] = () => {};
  onClone: IngestListeners['onClone'] = () => {};
  onRefused: IngestListeners['onRefused'] = () => {};
  onAnswer: IngestListeners['onAnswer'] = () => {};
  onLink: IngestListeners['onLink'] = () => {};
  onFailed: IngestListeners['onFailed'] = () => {};
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #passed: Record<Consumer, number> = { store: 0, alarms: 0 };
  readonly #stats = new Map<number, PromiseWithResolvers<IngestStats>>();
  readonly #published = new Map<number, (sent: boolean) => void>();
  readonly #open = Promise.withResolvers<void>();
  #nextId = 1;
  #isClosing = false;

  constructor(worker: Worker, inboxFile: string) {
    this.#worker = worker;
    this.inboxFile = inboxFile;
    this.opened = this.#open.promise;
    worker.on('message', (message: FromIngest) => this.#hear(message));
    let why: unknown;
    worker.on('error', (error) => {
      why = error;
    });
    this.#ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        this.#end(new Fault('ingest_failed', 'later', `exit ${code}: ${why}`, why));
        resolve();
      });
    });
  }

  passed(consumer: Consumer, row: number): void {
    const before = Math.min(...Object.values(this.#passed));
    this.#passed[consumer] = Math.max(this.#passed[consumer], row);
    const now = Math.min(...Object.values(this.#passed));
    if (now > before) this.#send({ kind: 'passed', row: now });
  }

  publish(topic: string, payload: Uint8Array, options: PublishOptions): Promise<boolean> {
    const id = this.#nextId++;
    const sent = new Promise<boolean>((resolve) => this.#published.set(id, resolve));
    this.#send({ kind: 'publish', id, topic, payload, options });
    return sent;
  }

  setGateways(known: ReadonlyMap<string, string> | null): void {
    this.#send({ kind: 'gateways', known });
  }

  keepRefused(refused: RefusedByBroker): void {
    this.#send({ kind: 'keep-refused', refused });
  }

  stats(): Promise<IngestStats> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<IngestStats>();
    this.#stats.set(id, answer);
    this.#send({ kind: 'stats', id });
    return answer.promise;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#send({ kind: 'close' });
    await this.#ended;
  }

  #hear(message: FromIngest): void {
    if (message.kind === 'open') this.#open.resolve();
    else if (message.kind === 'committed') this.onCommitted(message.lastRow);
    else if (message.kind === 'presence') this.onPresence(message.changes);
    else if (message.kind === 'clone') this.onClone(message.alarm);
    else if (message.kind === 'refused') this.onRefused(message.refused);
    else if (message.kind === 'answer') this.onAnswer(message.answer);
    else if (message.kind === 'link') this.onLink(message);
    else if (message.kind === 'published') {
      this.#published.get(message.id)?.(message.sent);
      this.#published.delete(message.id);
    } else if (message.kind === 'stats') {
      this.#stats.get(message.id)?.resolve(message.stats);
      this.#stats.delete(message.id);
    } else {
      this.#isClosing = true; // Said already; its end is no second failure.
      this.#open.reject(new Fault(message.code, 'never', message.detail));
    }
  }

  #end(fault: Fault): void {
    for (const { reject } of this.#stats.values()) reject(fault);
    for (const resolve of this.#published.values()) resolve(false);
    this.#open.reject(fault);
    if (!this.#isClosing) this.onFailed(fault);
  }

  #send(message: ToIngest): void {
    this.#worker.postMessage(message);
  }
}
