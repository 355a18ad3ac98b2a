// The ledger of commands on a machine whose power fails: each step of it is a place to die at, and
// its disk may be full.
import { Fault } from '../core/fault.ts';
import type { LedgerOptions } from '../edge/commands/ledger.ts';
import { CommandLedger } from '../edge/commands/ledger.ts';
import type { Ledger } from '../edge/commands/thread.ts';
import { ledgerOver } from '../edge/commands/thread.ts';
import type { Life } from './world/timeline.ts';
import { Killed } from './world/timeline.ts';

export const LEDGER_PLACES = [
  'before received',
  'in ledger commit',
  'after received',
  'before started',
  'after started',
  'before settled',
  'after settled',
] as const;

/** The ledger itself is to be closed by whoever ends the life: its file is locked. */
export function dyingLedger(
  options: Omit<LedgerOptions, 'beforeWrite'>,
  life: Life,
  isFull: () => boolean,
): { readonly ledger: CommandLedger; readonly port: Ledger } {
  const ledger = CommandLedger.open({
    ...options,
    beforeWrite: () => {
      life.pass('in ledger commit');
      if (isFull()) throw new Fault('outbox_full', 'later', 'disk');
    },
  });
  const port = ledgerOver(ledger);
  const never = new Promise<never>(() => {});
  return {
    ledger,
    port: {
      ...port,
      find: (id) => (life.isAlive ? port.find(id) : never),
      recent: (own, others) => (life.isAlive ? port.recent(own, others) : never),
      put: async (row, standing) => {
        if (!life.survives(`before ${row.state}`)) return never;
        try {
          await port.put(row, standing);
        } catch (error) {
          if (error instanceof Killed) return never;
          throw error;
        }
        return life.survives(`after ${row.state}`) ? undefined : never;
      },
    },
  };
}
