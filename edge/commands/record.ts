// The ledger as the door uses it: opened when it can be, and begun anew when it turns out damaged.
// Nothing here throws for the state of a disk; what is not durable is said by the answer.
import type { Clock } from '../../core/clock.ts';
import { isFault } from '../../core/fault.ts';
import type { Log } from '../../core/log.ts';
import type { Counter, Metrics } from '../../core/metrics.ts';
import type { Kept, Opened, Place, Row, Standing, StandingChange } from './ledger.ts';
import { isDamage } from './ledger.ts';
import type { Ledger } from './thread.ts';

/** A ledger that could not be opened is tried again so often. */
export const OPEN_AGAIN_MS = 30_000;

export interface RecordParts {
  /** Rejects with a fault while the disk does not let it. */
  open(): Promise<Ledger>;
  onOpened(opened: Opened): void;
  /** The newest place a command can have named. */
  lastPlace(): Place;
}

export class CommandRecord {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: RecordParts;
  readonly #failures: Counter;
  readonly #closing = new AbortController();
  #ledger: Ledger | null = null;
  #opening: Promise<void> = Promise.resolve();

  constructor(clock: Clock, log: Log, metrics: Metrics, parts: RecordParts) {
    this.#clock = clock;
    this.#log = log;
    this.#parts = parts;
    const help = 'Times the ledger of commands could not be written or read';
    this.#failures = metrics.counter('edge_commands_unkept_total', help);
  }

  get state(): 'open' | 'unavailable' {
    return this.#ledger ? 'open' : 'unavailable';
  }

  /** Resolves after the first attempt; what fails is tried again, until it is closed. */
  async start(): Promise<void> {
    if (!(await this.#open())) this.#opening = this.#openLater();
  }

  async #openLater(): Promise<void> {
    const { signal } = this.#closing;
    do await this.#clock.sleep(OPEN_AGAIN_MS, signal);
    while (!signal.aborted && !(await this.#open()));
  }

  async #open(): Promise<boolean> {
    let ledger: Ledger;
    try {
      ledger = await this.#parts.open();
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#failures.add();
      this.#log.error('command_ledger_unavailable', { code: error.code, why: error.message });
      return false;
    }
    if (ledger.opened.wasDamaged) this.#log.error('command_ledger_damaged', {});
    this.#ledger = ledger;
    this.#parts.onOpened(ledger.opened);
    return true;
  }

  /** Null when it cannot be known now. */
  find(id: string): Promise<{ readonly row: Row | null; readonly mark: Place } | null> {
    return this.#try((ledger) => ledger.find(id));
  }

  /** True once it is durable. */
  async put(row: Row, standing: StandingChange): Promise<boolean> {
    const done = await this.#try(async (ledger) => {
      await ledger.put(row, standing);
      return true;
    });
    return done ?? false;
  }

  async keepStanding(standing: Standing): Promise<void> {
    await this.#try((ledger) => ledger.keepStanding(standing));
  }

  async recent(own: number, others: number): Promise<readonly Kept[]> {
    return (await this.#try((ledger) => ledger.recent(own, others))) ?? [];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#opening;
    await this.#ledger?.close();
    this.#ledger = null;
  }

  async #try<Value>(work: (ledger: Ledger) => Promise<Value>): Promise<Value | null> {
    const ledger = this.#ledger;
    if (!ledger) return null;
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await work(ledger);
      } catch (error) {
        if (!isFault(error)) throw error;
        this.#failures.add();
        if (!isFirst || !isDamage(error) || !(await this.#renew(ledger))) return null;
      }
    }
  }

  async #renew(ledger: Ledger): Promise<boolean> {
    this.#log.error('command_ledger_damaged', {});
    try {
      await ledger.renew(this.#parts.lastPlace());
      return true;
    } catch (error) {
      if (!isFault(error)) throw error;
      return false;
    }
  }
}
