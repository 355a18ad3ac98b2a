// The pipeline and its ledger with places to die at: between any two steps of a notification, and
// inside the transaction of each. A stage is what writes; what no stage writes is what came of a try.
import { Ledger } from '../../cloud/notify/ledger.ts';
import { Pipeline } from '../../cloud/notify/pipeline.ts';
import type { Life } from './timeline.ts';

const stages = ['take', 'try', 'settle', 'escalate', 'confirm', 'handled'] as const;
type Stage = (typeof stages)[number];

/**
 * `before` a stage has written anything, `in` it behind each write, `after` it is on disk: after the
 * record of a try is before the delivery.
 */
export const DELIVERY_PLACES = [
  ...stages.flatMap((stage) => [`cloud before ${stage}`, `cloud in ${stage}`]),
  ...stages.filter((stage) => stage !== 'try').map((stage) => `cloud after ${stage}`),
  'cloud before delivery',
  'cloud after delivery',
  'cloud between acknowledge and handled',
];

/** SQLite's word for a disk without room. */
export function diskFull(): Error {
  const what = { code: 'ERR_SQLITE_ERROR', errcode: 13 };
  return Object.assign(new Error('database or disk is full'), what);
}

/** The deliveries on the same disk; what is not part of a transaction is one by itself. */
export class WorldLedger extends Ledger {
  life!: Life;
  disk!: { readonly isRegistryFull: boolean };
  #stage: Stage = 'settle';
  #writes = 0;

  override add(entry: Parameters<Ledger['add']>[0]): ReturnType<Ledger['add']> {
    return this.#write(() => super.add(entry));
  }

  override update(entry: Parameters<Ledger['update']>[0]): void {
    this.#write(() => super.update(entry));
  }

  #write<Result>(work: () => Result): Result {
    if (this.#writes === 0) this.life.pass(`cloud before ${this.#stage}`);
    if (this.#stage !== 'settle') this.#writes++;
    if (this.disk.isRegistryFull) throw diskFull();
    const result = work();
    this.life.pass(`cloud in ${this.#stage}`);
    return result;
  }

  /** It is written what somebody said by a link or at the desk. */
  get isAnswering(): boolean {
    return this.#stage === 'confirm' || this.#stage === 'handled';
  }

  staged<Result>(stage: Stage, work: () => Result): Result {
    const [outer, writes] = [this.#stage, this.#writes];
    [this.#stage, this.#writes] = [stage, 0];
    try {
      const result = work();
      if (this.#writes > 0 && stage !== 'try') this.life.pass(`cloud after ${stage}`);
      return result;
    } finally {
      [this.#stage, this.#writes] = [outer, writes];
    }
  }
}

export class WorldPipeline extends Pipeline {
  ledger!: WorldLedger;

  override take(): number {
    return this.ledger.staged('take', () => super.take());
  }

  override begin(): ReturnType<Pipeline['begin']> {
    return this.ledger.staged('try', () => super.begin());
  }

  override tick(): void {
    this.ledger.staged('escalate', () => super.tick());
  }

  override confirm(...given: Parameters<Pipeline['confirm']>): ReturnType<Pipeline['confirm']> {
    return this.ledger.staged('confirm', () => super.confirm(...given));
  }

  override handled(...given: Parameters<Pipeline['handled']>): void {
    this.ledger.staged('handled', () => super.handled(...given));
  }
}
