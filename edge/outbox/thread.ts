// The outbox in a thread of its own, so that no fsync holds up a poll: requests go over in order
// and are answered in order. A failure of the thread itself is a broken invariant and ends the
// process.
import { Worker } from 'node:worker_threads';
import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Range } from '../../core/ranges.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import type {
  Batch,
  CommitResult,
  Held,
  Opened,
  OutboxPort,
  ReadResult,
  StoredRecord,
} from './batch.ts';
import type { OutboxCore } from './core.ts';

export type OutboxRequest =
  | { readonly kind: 'commit'; readonly batch: Batch }
  | { readonly kind: 'held' }
  | {
      readonly kind: 'read';
      readonly epoch: Epoch;
      readonly ranges: readonly Range[];
      readonly bytesMax: number;
    }
  | { readonly kind: 'part'; readonly hash: Hash }
  | { readonly kind: 'step' }
  | { readonly kind: 'close' };

export type OutboxAnswer =
  | { readonly kind: 'opened'; readonly value: Opened }
  | { readonly kind: 'failed'; readonly code: FaultCode; readonly detail: Bilingual }
  | { readonly kind: 'commit'; readonly value: CommitResult }
  | { readonly kind: 'held'; readonly value: readonly Held[] }
  | { readonly kind: 'read'; readonly value: ReadResult }
  | { readonly kind: 'part'; readonly value: StoredRecord | undefined }
  | { readonly kind: 'step'; readonly value: boolean }
  | { readonly kind: 'close'; readonly value: undefined };

export interface OutboxWorkerData {
  readonly folder: string;
  readonly bytesMax: number;
  /** The random bits of the epoch. */
  readonly entropy: Uint8Array;
}

const EPOCH_BYTES = 8;

class ThreadPort implements OutboxPort {
  readonly opened: Opened;
  readonly #worker: Worker;
  /** Who waits for an answer of each kind, in the order of asking. */
  readonly #commits: ((value: CommitResult) => void)[] = [];
  readonly #helds: ((value: readonly Held[]) => void)[] = [];
  readonly #reads: ((value: ReadResult) => void)[] = [];
  readonly #parts: ((value: StoredRecord | undefined) => void)[] = [];
  readonly #steps: ((value: boolean) => void)[] = [];
  readonly #closes: (() => void)[] = [];

  constructor(worker: Worker, opened: Opened) {
    this.#worker = worker;
    this.opened = opened;
    worker.on('message', (answer: OutboxAnswer) => this.#settle(answer));
  }

  #settle(answer: OutboxAnswer): void {
    // `opened` and `failed` come once, before this port exists.
    if (answer.kind === 'commit') this.#commits.shift()?.(answer.value);
    else if (answer.kind === 'held') this.#helds.shift()?.(answer.value);
    else if (answer.kind === 'read') this.#reads.shift()?.(answer.value);
    else if (answer.kind === 'part') this.#parts.shift()?.(answer.value);
    else if (answer.kind === 'step') this.#steps.shift()?.(answer.value);
    else if (answer.kind === 'close') this.#closes.shift()?.();
  }

  #ask<Value>(waiters: ((value: Value) => void)[], request: OutboxRequest): Promise<Value> {
    this.#worker.postMessage(request);
    return new Promise((resolve) => waiters.push(resolve));
  }

  commit(batch: Batch): Promise<CommitResult> {
    return this.#ask(this.#commits, { kind: 'commit', batch });
  }

  held(): Promise<readonly Held[]> {
    return this.#ask(this.#helds, { kind: 'held' });
  }

  read(epoch: Epoch, ranges: readonly Range[], bytesMax: number): Promise<ReadResult> {
    return this.#ask(this.#reads, { kind: 'read', epoch, ranges, bytesMax });
  }

  part(hash: Hash): Promise<StoredRecord | undefined> {
    return this.#ask(this.#parts, { kind: 'part', hash });
  }

  step(): Promise<boolean> {
    return this.#ask(this.#steps, { kind: 'step' });
  }

  async close(): Promise<void> {
    await this.#ask(this.#closes, { kind: 'close' });
    await this.#worker.terminate();
  }
}

export interface OutboxThreadOptions {
  readonly folder: string;
  readonly bytesMax: number;
}

/** Rejects with Fault `outbox_busy` or `outbox_io`. */
export function openThread(random: Random, options: OutboxThreadOptions): Promise<OutboxPort> {
  const { folder, bytesMax } = options;
  const workerData: OutboxWorkerData = { folder, bytesMax, entropy: random.bytes(EPOCH_BYTES) };
  // Run as source and as emitted JavaScript, this file and the thread's have the same ending.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    worker.on('error', (error) => {
      throw error; // Ends the process, which starts again from what is on disk.
    });
    worker.once('message', (answer: OutboxAnswer) => {
      if (answer.kind === 'opened') resolve(new ThreadPort(worker, answer.value));
      else if (answer.kind === 'failed') reject(new Fault(answer.code, 'later', answer.detail));
    });
  });
}

/** The core itself as a port, for tests and the simulated world: everything happens at once. */
export function portOver(core: OutboxCore): OutboxPort {
  return {
    opened: core.opened,
    commit: (batch) => Promise.resolve(core.commit(batch)),
    held: () => Promise.resolve(core.held()),
    read: (epoch, ranges, bytesMax) => Promise.resolve(core.read(epoch, ranges, bytesMax)),
    part: (hash) => Promise.resolve(core.part(hash)),
    step: () => Promise.resolve(core.step()),
    close: () => Promise.resolve(core.close()),
  };
}
