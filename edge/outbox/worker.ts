// The thread of the outbox: takes one request after the other and answers it. All it does is in core.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { assert, isFault } from '../../core/fault.ts';
import type { Batch, Opened } from './batch.ts';
import { OutboxCore } from './core.ts';
import type { Range } from '../../core/ranges.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';

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

export interface OutboxWorkerData {
  readonly folder: string;
  readonly bytesMax: number;
  /** The random bits of the epoch. */
  readonly entropy: Uint8Array;
}

export type OutboxGreeting =
  | { readonly kind: 'opened'; readonly opened: Opened }
  | { readonly kind: 'failed'; readonly code: 'outbox_busy' | 'outbox_io'; readonly detail: string };

export interface OutboxAnswer {
  readonly id: number;
  readonly value: unknown;
}

export function answerFor(core: OutboxCore, request: OutboxRequest): unknown {
  switch (request.kind) {
    case 'commit':
      return core.commit(request.batch);
    case 'held':
      return core.held();
    case 'read':
      return core.read(request.epoch, request.ranges, request.bytesMax);
    case 'part':
      return core.part(request.hash);
    case 'step':
      return core.step();
    case 'close':
      return core.close();
  }
}

function run(data: OutboxWorkerData): void {
  const port = parentPort;
  assert(port, 'worker.ts runs as a thread');
  try {
    const { folder, bytesMax, entropy } = data;
    const random = { next: () => 0, bytes: () => entropy };
    const core = OutboxCore.open({ folder, bytesMax, random });
    port.on('message', ({ id, request }: { id: number; request: OutboxRequest }) => {
      port.postMessage({ id, value: answerFor(core, request) } satisfies OutboxAnswer);
      if (request.kind === 'close') port.close();
    });
    port.postMessage({ kind: 'opened', opened: core.opened } satisfies OutboxGreeting);
  } catch (error) {
    if (!isFault(error)) throw error;
    const code = error.code === 'outbox_busy' ? 'outbox_busy' : 'outbox_io';
    port.postMessage({ kind: 'failed', code, detail: error.message } satisfies OutboxGreeting);
    port.close();
  }
}

if (parentPort) run(workerData);
