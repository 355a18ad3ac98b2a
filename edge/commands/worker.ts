// The thread of the command ledger: takes one request after the other and answers it. All it does
// is in ledger.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { isFault } from '../../core/fault.ts';
import { CommandLedger } from './ledger.ts';
import type { LedgerAnswer, LedgerRequest } from './thread.ts';
import { answerTo } from './thread.ts';

function attempt(work: () => unknown): LedgerAnswer {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    if (!isFault(error)) throw error;
    return { ok: false, code: error.code, detail: error.detail };
  }
}

function run(port: NonNullable<typeof parentPort>): void {
  let ledger: CommandLedger | null = null;
  const first = attempt(() => {
    ledger = CommandLedger.open(workerData);
    return ledger.opened;
  });
  port.on('message', (request: LedgerRequest) => {
    port.postMessage(attempt(() => answerTo(ledger!, request)));
    if (request.kind === 'close') port.close();
  });
  port.postMessage(first);
  if (!ledger) port.close();
}

if (parentPort) run(parentPort);
