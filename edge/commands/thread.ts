// The ledger in a thread of its own, so that no fsync holds up a poll. Requests go over in order
// and are answered in order. A failure of the thread itself is a broken invariant and ends the
// process.
import { Worker } from 'node:worker_threads';
import { Fault, type FaultCode } from '../../core/fault.ts';
import type { Bilingual } from '../../core/text/text.ts';
import type {
  CommandLedger,
  Kept,
  LedgerOptions,
  Opened,
  Place,
  Row,
  Standing,
  StandingChange,
} from './ledger.ts';

/** What the door needs of a ledger; every call rejects with the faults of `CommandLedger`. */
export interface Ledger {
  readonly opened: Opened;
  find(id: string): Promise<{ readonly row: Row | null; readonly mark: Place }>;
  put(row: Row, standing: StandingChange): Promise<void>;
  keepStanding(standing: Standing): Promise<void>;
  recent(own: number, others: number): Promise<readonly Kept[]>;
  renew(mark: Place): Promise<void>;
  close(): Promise<void>;
}

export type LedgerRequest =
  | { readonly kind: 'find'; readonly id: string }
  | { readonly kind: 'put'; readonly row: Row; readonly standing: StandingChange }
  | { readonly kind: 'stand'; readonly standing: Standing }
  | { readonly kind: 'recent'; readonly own: number; readonly others: number }
  | { readonly kind: 'renew'; readonly mark: Place }
  | { readonly kind: 'close' };

export type LedgerAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: FaultCode; readonly detail: Bilingual };

/** The thread's side: what a request gives. */
export function answerTo(ledger: CommandLedger, request: LedgerRequest): unknown {
  switch (request.kind) {
    case 'find':
      return { row: ledger.find(request.id), mark: ledger.mark };
    case 'put':
      return ledger.put(request.row, request.standing);
    case 'stand':
      return ledger.keepStanding(request.standing);
    case 'recent':
      return ledger.recent(request.own, request.others);
    case 'renew':
      return ledger.renew(request.mark);
    case 'close':
      return ledger.close();
  }
}

type Ask = <Value>(request: LedgerRequest) => Promise<Value>;

function over(opened: Opened, ask: Ask, end: () => Promise<unknown>): Ledger {
  return {
    opened,
    find: (id) => ask({ kind: 'find', id }),
    put: (row, standing) => ask({ kind: 'put', row, standing }),
    keepStanding: (standing) => ask({ kind: 'stand', standing }),
    recent: (own, others) => ask({ kind: 'recent', own, others }),
    renew: (mark) => ask({ kind: 'renew', mark }),
    close: async () => {
      await ask({ kind: 'close' });
      await end();
    },
  };
}

/** Rejects with Fault `outbox_full`, `outbox_io` or `outbox_busy`. */
export function openLedgerThread(options: Omit<LedgerOptions, 'beforeWrite'>): Promise<Ledger> {
  // Run as source and as emitted JavaScript, this file and the thread's have the same ending.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
  const worker = new Worker(new URL(file, import.meta.url), { workerData: options });
  const waiting: PromiseWithResolvers<unknown>[] = [];
  const ask: Ask = <Value>(request: LedgerRequest) => {
    const waiter = Promise.withResolvers<unknown>();
    waiting.push(waiter);
    worker.postMessage(request);
    return waiter.promise as Promise<Value>;
  };
  worker.on('error', (error) => {
    throw error; // Ends the process, which starts again from what is on disk.
  });
  const opening = Promise.withResolvers<unknown>();
  waiting.push(opening);
  worker.on('message', (answer: LedgerAnswer) => {
    const waiter = waiting.shift();
    if (answer.ok) waiter?.resolve(answer.value);
    else waiter?.reject(new Fault(answer.code, 'later', answer.detail));
  });
  return opening.promise.then((opened) => over(opened as Opened, ask, () => worker.terminate()));
}

/** The ledger itself, for tests and the simulated world: everything happens at once. */
export function ledgerOver(ledger: CommandLedger): Ledger {
  const ask: Ask = async <Value>(request: LedgerRequest) => answerTo(ledger, request) as Value;
  return over(ledger.opened, ask, () => Promise.resolve());
}
