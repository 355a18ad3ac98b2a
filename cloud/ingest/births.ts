// After a birth: what the edge holds and the cloud lacks is asked for again; what nobody has any
// more is closed and said to be lost. A birth is a hint that may be late: therefore a sequence is
// called lost only when everything the edge held then has come (a gap record among it may explain
// the rest) and a minute has passed; and a lost one that turns up after all is still taken.
import type { Range } from '../../core/ranges.ts';
import { RangeSet } from '../../core/ranges.ts';
import type { Birth, Epoch } from '../../protocols/uplink/record.ts';
import type { EpochLedger } from '../inbox/ledger.ts';

export const LOST_AFTER_MS = 60_000;
/** How often the same question is repeated while nothing of what was asked for comes. */
export const WANTED_AGAIN_MS = 30_000;

interface Awaited {
  readonly area: string;
  readonly atMs: number;
  askedMs: number;
  /** How many sequences were open when it was last asked; fewer now means that they are coming. */
  openCount: number;
  /** Epochs whose [1, next) is not closed yet. */
  epochs: readonly {
    readonly epoch: Epoch;
    readonly held: readonly Range[];
    readonly next: number;
  }[];
}

export interface BirthFinding {
  readonly area: string;
  readonly gateway: string;
  readonly epoch: Epoch;
  readonly wanted: readonly Range[];
  readonly lost: readonly Range[];
}

type LedgerOf = (gateway: string, epoch: Epoch) => EpochLedger | undefined;

export class Births {
  readonly #awaited = new Map<string, Awaited>();

  /** The newest birth of a gateway replaces the one before. */
  add(gateway: string, area: string, birth: Birth, nowMs: number): void {
    const asked = { askedMs: nowMs - WANTED_AGAIN_MS, openCount: 0 };
    this.#awaited.set(gateway, { area, atMs: nowMs, ...asked, epochs: birth.epochs });
  }

  /** What is due to be asked or to be called lost now. Forgets the epochs that are whole. */
  due(nowMs: number, ledgerOf: LedgerOf): BirthFinding[] {
    const findings: BirthFinding[] = [];
    for (const [gateway, awaited] of this.#awaited) {
      const isLate = nowMs - awaited.atMs >= LOST_AFTER_MS;
      const asks = nowMs - awaited.askedMs >= WANTED_AGAIN_MS;
      if (!isLate && !asks) continue;
      const mine: BirthFinding[] = [];
      let openCount = 0;
      awaited.epochs = awaited.epochs.filter(({ epoch, held, next }) => {
        const { wanted, rest } = openOf(ledgerOf(gateway, epoch), held, next);
        if (wanted.length === 0 && rest.length === 0) return false;
        openCount += sizeOf(wanted);
        const lost = isLate && wanted.length === 0 ? rest : [];
        mine.push({ area: awaited.area, gateway, epoch, wanted, lost });
        return lost.length === 0;
      });
      const isComing = awaited.openCount > 0 && openCount < awaited.openCount;
      for (const finding of mine) {
        if (finding.lost.length > 0) findings.push(finding);
        else if (asks && !isComing && finding.wanted.length > 0) findings.push(finding);
      }
      if (asks) Object.assign(awaited, { askedMs: nowMs, openCount });
      if (awaited.epochs.length === 0) this.#awaited.delete(gateway);
    }
    return findings;
  }

  get size(): number {
    return this.#awaited.size;
  }
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}

/** Of [1, next), what is not closed: `wanted` is what the edge holds of it, `rest` the other. */
export function openOf(
  ledger: EpochLedger | undefined,
  held: readonly Range[],
  next: number,
): { readonly wanted: readonly Range[]; readonly rest: readonly Range[] } {
  if (next <= 1) return { wanted: [], rest: [] };
  const whole = [{ first: 1, last: next - 1 }];
  const open = ledger ? ledger.open(whole) : whole;
  const notHeld = RangeSet.of(held);
  const rest = open.flatMap(({ first, last }) => notHeld.missing(first, last));
  const unheld = RangeSet.of(rest);
  const wanted = open.flatMap(({ first, last }) => unheld.missing(first, last));
  return { wanted, rest };
}
