// The store in a thread of its own, from outside. Nothing here waits for the store without a
// deadline: a store that hangs delays history and nothing else, and one that dies is started again
// and goes on from its cursor.
import { Worker } from 'node:worker_threads';
import type { BackoffOptions } from '../../core/backoff.ts';
import { backoffMs } from '../../core/backoff.ts';
import { systemClock } from '../../core/clock.ts';
import type { FaultCode, Retry } from '../../core/fault.ts';
import { Fault } from '../../core/fault.ts';
import type { LogFields, LogLevel } from '../../core/log.ts';
import { systemRandom } from '../../core/random.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type {
  Account,
  EpochName,
  GapQuery,
  History,
  HistoryQuery,
  Latest,
  Store,
  StoredGap,
  StoreStats,
} from './store.ts';

/** The store breaks off after 10 s by itself; this is for one that hangs. */
export const QUERY_DEADLINE_MS = 12_000;
/**
 * Asked and not answered, those past their deadline included: more would only make all of them
 * late.
 */
export const QUERIES_MAX = 64;
/** For the commit that is under way when the thread is told to end. */
const CLOSE_GRACE_MS = 10_000;
const restartBackoff: BackoffOptions = { firstMs: 1_000, maxMs: 60_000, jitter: 0.2 };

export interface StoreThreadOptions {
  readonly folder: string;
  readonly inboxFile: string;
}

type Asked = Omit<Store, 'apply' | 'close'>;
export type Question = { [name in keyof Asked]: Parameters<Asked[name]> };

export type ToStore =
  | { readonly kind: 'notify' }
  | { readonly kind: 'close' }
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly what: keyof Asked;
      readonly with: readonly unknown[];
    };

export interface ToldFault {
  readonly code: FaultCode;
  readonly retry: Retry;
  readonly detail: string;
}

export type FromStore =
  | { readonly kind: 'open' }
  | { readonly kind: 'failed'; readonly fault: ToldFault }
  | { readonly kind: 'passed'; readonly row: number }
  /** `ok`, or the code of the fault that keeps it from going on. */
  | { readonly kind: 'state'; readonly state: string }
  | {
      readonly kind: 'log';
      readonly level: LogLevel;
      readonly event: string;
      readonly fields: LogFields;
    }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'refusal'; readonly id: number; readonly fault: ToldFault };

/** Throws the Fault with which the store does not open. */
export async function openStore(options: StoreThreadOptions): Promise<StoreThread> {
  const thread = new StoreThread(options);
  await thread.opened;
  return thread;
}

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (fault: Fault) => void;
}

export class StoreThread implements Asked {
  readonly opened: Promise<void>;
  /**
   * Everything up to this row is in the store; set it right after opening. Told again after a
   * restart.
   */
  onPassed: (row: number) => void = () => {};
  /** `ok` or a fault code, when it changes. */
  onState: (state: string) => void = () => {};
  onLog: (level: LogLevel, event: string, fields: LogFields) => void = () => {};
  readonly #options: StoreThreadOptions;
  readonly #open = Promise.withResolvers<void>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #passing = new Set<() => void>();
  #worker: Worker;
  #hasOpened = false;
  #isClosing = false;
  #nextId = 1;
  #newestRow = 0;
  #passedRow = 0;
  #state = 'ok';
  #starts = 0;

  constructor(options: StoreThreadOptions) {
    this.#options = options;
    this.opened = this.#open.promise;
    this.#worker = this.#start();
  }

  /** The inbox has committed rows up to this one. */
  notify(newestRow: number): void {
    this.#newestRow = Math.max(this.#newestRow, newestRow);
    this.#send({ kind: 'notify' });
  }

  /**
   * True once everything up to `row` is in the store; false when that takes longer than
   * `timeoutMs`.
   */
  caughtUp(row: number, timeoutMs: number): Promise<boolean> {
    if (this.#passedRow >= row) return Promise.resolve(true);
    this.#send({ kind: 'notify' });
    return new Promise((resolve) => {
      const check = () => {
        if (this.#passedRow < row) return;
        cancel();
        this.#passing.delete(check);
        resolve(true);
      };
      const cancel = systemClock.after(timeoutMs, () => {
        this.#passing.delete(check);
        resolve(false);
      });
      this.#passing.add(check);
    });
  }

  cursor(): Promise<number> {
    return this.#ask('cursor');
  }

  history(query: HistoryQuery): Promise<History> {
    return this.#ask('history', query);
  }

  latest(series?: readonly number[]): Promise<readonly Latest[]> {
    return this.#ask('latest', series);
  }

  gaps(query: GapQuery): Promise<readonly StoredGap[]> {
    return this.#ask('gaps', query);
  }

  account(epochs: readonly EpochName[] | null): Promise<Account> {
    return this.#ask('account', epochs);
  }

  series(): Promise<readonly SeriesEntry[]> {
    return this.#ask('series');
  }

  stats(): Promise<StoreStats> {
    return this.#ask('stats');
  }

  /** Beside the thread's own, which runs once a minute. */
  maintain(): Promise<void> {
    return this.#ask('maintain');
  }

  /**
   * Gives the store up to `drainMs` to take in what it was told of, then ends it; the rest waits.
   */
  async close(drainMs = 0): Promise<void> {
    if (drainMs > 0) await this.caughtUp(this.#newestRow, drainMs);
    this.#isClosing = true;
    const worker = this.#worker;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    this.#send({ kind: 'close' });
    const cancel = systemClock.after(CLOSE_GRACE_MS, () => void worker.terminate());
    if (worker.threadId !== -1) await ended; // -1: it has ended already.
    cancel();
  }

  #start(): Worker {
    this.#starts++;
    // Source in development, emitted JavaScript where it is installed.
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { workerData: this.#options });
    let why: unknown;
    worker.on('message', (message: FromStore) => this.#hear(message));
    worker.on('error', (error) => {
      why = error;
    });
    worker.once('exit', (code) => this.#end(code, why));
    return worker;
  }

  #ask<What extends keyof Asked>(
    what: What,
    ...parameters: Question[What]
  ): Promise<Awaited<ReturnType<Asked[What]>>> {
    if (this.#waiting.size >= QUERIES_MAX) {
      return Promise.reject(new Fault('store_busy', 'later', `${QUERIES_MAX} questions wait`));
    }
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // What comes after the deadline still ends the question: until then it counts as waiting.
      const cancel = systemClock.after(QUERY_DEADLINE_MS, () => {
        reject(new Fault('store_timeout', 'later', `${what} took over ${QUERY_DEADLINE_MS} ms`));
      });
      this.#waiting.set(id, {
        resolve: (answer) => {
          cancel();
          resolve(answer as Awaited<ReturnType<Asked[What]>>);
        },
        reject: (fault) => {
          cancel();
          reject(fault);
        },
      });
      this.#send({ kind: 'ask', id, what, with: parameters });
    });
  }

  #hear(message: FromStore): void {
    switch (message.kind) {
      case 'open':
        this.#hasOpened = true;
        this.#starts = 0;
        this.#open.resolve();
        this.#setState('ok');
        return;
      case 'failed':
        if (!this.#hasOpened) this.#open.reject(faultOf(message.fault));
        else this.#setState(message.fault.code);
        return;
      case 'passed':
        this.#passedRow = message.row;
        this.onPassed(message.row);
        for (const check of this.#passing) check();
        return;
      case 'state':
        this.#setState(message.state);
        return;
      case 'log':
        this.onLog(message.level, message.event, message.fields);
        return;
      case 'answer':
        this.#waiting.get(message.id)?.resolve(message.answer);
        this.#waiting.delete(message.id);
        return;
      case 'refusal':
        this.#waiting.get(message.id)?.reject(faultOf(message.fault));
        this.#waiting.delete(message.id);
    }
  }

  #end(code: number, why: unknown): void {
    const fault = new Fault('store_down', 'later', `the thread ended with ${code}`, why);
    for (const { reject } of this.#waiting.values()) reject(fault);
    this.#waiting.clear();
    this.#open.reject(fault); // Changes nothing once it has opened.
    if (this.#isClosing || !this.#hasOpened) return;
    if (this.#state === 'ok') this.#setState(fault.code);
    this.onLog('error', 'store_thread_ended', { code, why: why ? String(why) : '' });
    systemClock.after(backoffMs(systemRandom, Math.max(1, this.#starts), restartBackoff), () => {
      if (!this.#isClosing) this.#worker = this.#start();
    });
  }

  #setState(state: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.onState(state);
  }

  #send(message: ToStore): void {
    this.#worker.postMessage(message);
  }
}

function faultOf({ code, retry, detail }: ToldFault): Fault {
  return new Fault(code, retry, detail);
}
