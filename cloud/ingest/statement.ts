// What a gateway is told after a group commit: a statement of state, not an answer to a message.
// Losing it is harmless, saying it again is too. Gathered during the commit, worded after it, from
// what is on disk.
import type { Range } from '../../core/ranges.ts';
import { ACK_EPOCHS_MAX, ACK_NEEDED_MAX, ACK_REFUSED_MAX } from '../../protocols/uplink/control.ts';
import type { Ack, Epoch, EpochAck, Hash, RefusalReason } from '../../protocols/uplink/record.ts';
import type { EpochLedger } from '../inbox/ledger.ts';

interface EpochStatement {
  readonly just: number[];
  readonly refused: Map<number, RefusalReason>;
  wanted: readonly Range[];
}

export class Statement {
  readonly area: string;
  readonly gateway: string;
  readonly #epochs = new Map<Epoch, EpochStatement>();
  readonly #needed = new Set<Hash>();

  constructor(area: string, gateway: string) {
    this.area = area;
    this.gateway = gateway;
  }

  /** The epoch is to be stated; with a sequence, the range that holds it for certain. */
  touch(epoch: Epoch, sequence?: number): void {
    const entry = this.#epoch(epoch);
    if (sequence !== undefined) entry.just.push(sequence);
  }

  refuse(epoch: Epoch, sequence: number, reason: RefusalReason): void {
    this.#epoch(epoch).refused.set(sequence, reason);
  }

  want(epoch: Epoch, ranges: readonly Range[]): void {
    this.#epoch(epoch).wanted = ranges;
  }

  need(hashes: readonly Hash[]): void {
    for (const hash of hashes) this.#needed.add(hash);
  }

  /** One ack, but where lists pass what one may hold. */
  acks(
    storeId: string,
    creditBytes: number,
    ledgerOf: (epoch: Epoch) => EpochLedger | undefined,
  ): Ack[] {
    const entries: EpochAck[] = [];
    for (const [epoch, { just, refused, wanted }] of this.#epochs) {
      // What is refused now is not called stored in the same breath: the edge keeps it aside.
      const lists = ledgerOf(epoch)?.statements(just, [...refused.keys()]) ?? [[]];
      const refusals = [...refused].map(([sequence, reason]) => ({ sequence, reason }));
      const parts = Math.max(lists.length, Math.ceil(refusals.length / ACK_REFUSED_MAX));
      for (let part = 0; part < parts; part++) {
        entries.push({
          epoch,
          stored: lists[part] ?? [],
          refused: refusals.slice(part * ACK_REFUSED_MAX, (part + 1) * ACK_REFUSED_MAX),
          wanted: part === 0 ? wanted : [],
        });
      }
    }
    const needed = [...this.#needed].slice(0, ACK_NEEDED_MAX);
    const acks: Ack[] = [
      { storeId, epochs: entries.splice(0, ACK_EPOCHS_MAX), needed, creditBytes },
    ];
    while (entries.length > 0) {
      const epochs = entries.splice(0, ACK_EPOCHS_MAX);
      acks.push({ storeId, epochs, needed: [], creditBytes });
    }
    return acks;
  }

  #epoch(epoch: Epoch): EpochStatement {
    let entry = this.#epochs.get(epoch);
    if (!entry) {
      entry = { just: [], refused: new Map(), wanted: [] };
      this.#epochs.set(epoch, entry);
    }
    return entry;
  }
}
