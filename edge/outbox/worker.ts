// The thread of the outbox: takes one request after the other and answers it. All it does is in
// core.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { isFault } from '../../core/fault.ts';
import { OutboxCore } from './core.ts';
import type { OutboxAnswer, OutboxRequest, OutboxWorkerData } from './thread.ts';

function answerFor(core: OutboxCore, request: OutboxRequest): OutboxAnswer {
  switch (request.kind) {
    case 'commit':
      return { kind: 'commit', value: core.commit(request.batch) };
    case 'held':
      return { kind: 'held', value: core.held() };
    case 'read':
      return { kind: 'read', value: core.read(request.epoch, request.ranges, request.bytesMax) };
    case 'part':
      return { kind: 'part', value: core.part(request.hash) };
    case 'step':
      return { kind: 'step', value: core.step() };
    case 'close':
      core.close();
      return { kind: 'close', value: undefined };
  }
}

function run(port: NonNullable<typeof parentPort>, data: OutboxWorkerData): void {
  const tell = (message: OutboxAnswer) => port.postMessage(message);
  try {
    const { folder, bytesMax, entropy } = data;
    const random = { next: () => 0, bytes: (length: number) => entropy.slice(0, length) };
    const core = OutboxCore.open({ folder, bytesMax, random });
    port.on('message', (request: OutboxRequest) => {
      tell(answerFor(core, request));
      if (request.kind === 'close') port.close();
    });
    tell({ kind: 'opened', value: core.opened });
  } catch (error) {
    if (!isFault(error)) throw error;
    tell({ kind: 'failed', code: error.code, detail: error.detail });
    port.close();
  }
}

if (parentPort) run(parentPort, workerData);
