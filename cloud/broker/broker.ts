// The embedded broker in a thread of its own: a client that misbehaves, or a garbage collection of
// the cloud's other work, does not hold up the messages of everybody else. This side starts it,
// hands over credentials and hears what it refused.
import { Worker } from 'node:worker_threads';
import { Fault, type FaultCode } from '../../core/fault.ts';
import { isLoopback } from '../../core/host.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Refused, ServerOptions, ServerStats } from './mqtt-server.ts';
import type { BrokerCredential } from './rights.ts';

export type { Refused, ServerStats } from './mqtt-server.ts';
export type { BrokerCredential, BrokerRefusal } from './rights.ts';

export interface BrokerOptions {
  /** 127.0.0.1 when left out; beyond loopback only with TLS, or with `insecure`. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly credentials: readonly BrokerCredential[];
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly insecure?: boolean;
}

export interface Broker {
  readonly port: number;
  /** One listener; told of each refusal, at most REFUSALS_TOLD_MAX a second. */
  onRefused: (refused: Refused) => void;
  /** When the worker ended without being asked. */
  onFailed: (fault: Fault) => void;
  /** The whole list: who is not in it, or has another secret now, is thrown off. */
  setCredentials(list: readonly BrokerCredential[]): void;
  stats(): Promise<ServerStats>;
  close(): Promise<void>;
}

export type ToBroker =
  | { readonly kind: 'credentials'; readonly list: readonly BrokerCredential[] }
  | { readonly kind: 'stats' }
  | { readonly kind: 'close' };

export type FromBroker =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: FaultCode; readonly detail: Bilingual }
  | { readonly kind: 'refused'; readonly refused: Refused }
  | { readonly kind: 'stats'; readonly stats: ServerStats };

/** Throws Fault `broker_insecure` or `broker_bind`. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { host = '127.0.0.1', port, credentials, tls = null, insecure = false } = options;
  if (!isLoopback(host) && !tls && !insecure) {
    throw new Fault('broker_insecure', 'never', `${host}:${port}`);
  }
  const workerData: ServerOptions = { host, port, credentials, tls };
  // Source in development, emitted JavaScript where it is installed.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  const bound = await new Promise<number>((resolve, reject) => {
    worker.once('error', (error) => reject(new Fault('broker_failed', 'later', `${error}`, error)));
    worker.once('message', (message: FromBroker) => {
      if (message.kind === 'listening') resolve(message.port);
      else if (message.kind === 'failed') reject(new Fault(message.code, 'later', message.detail));
    });
  });
  worker.removeAllListeners('error');
  return new WorkerBroker(worker, bound);
}

class WorkerBroker implements Broker {
  readonly port: number;
  onRefused: (refused: Refused) => void = () => {};
  onFailed: (fault: Fault) => void = () => {};
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #waiting: PromiseWithResolvers<ServerStats>[] = [];
  #isClosing = false;

  constructor(worker: Worker, port: number) {
    this.#worker = worker;
    this.port = port;
    worker.on('message', (message: FromBroker) => {
      if (message.kind === 'refused') this.onRefused(message.refused);
      if (message.kind === 'stats') this.#waiting.shift()?.resolve(message.stats);
    });
    let why: unknown;
    worker.on('error', (error) => {
      why = error;
    });
    this.#ended = new Promise((resolve) => {
      worker.once('exit', (code) => {
        const fault = new Fault('broker_failed', 'later', `exit ${code}: ${why}`, why);
        for (const { reject } of this.#waiting) reject(fault);
        if (!this.#isClosing) this.onFailed(fault);
        resolve();
      });
    });
  }

  setCredentials(list: readonly BrokerCredential[]): void {
    this.#send({ kind: 'credentials', list });
  }

  stats(): Promise<ServerStats> {
    const answer = Promise.withResolvers<ServerStats>();
    this.#waiting.push(answer);
    this.#send({ kind: 'stats' });
    return answer.promise;
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#send({ kind: 'close' });
    await this.#ended;
  }

  #send(message: ToBroker): void {
    this.#worker.postMessage(message);
  }
}
