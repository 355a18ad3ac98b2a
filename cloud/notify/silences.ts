// Silences: for a while nobody is told of alarms that fit, and the ledger says of each why.
//
// Promises. A silence has an end, SILENCE_MAX_MS away at most, somebody who asked for it and a
// reason; beginning and end are in the journal, in the transaction in which they take place, and a
// restart forgets neither. Level I cannot be silenced: what is named is checked, and where no level
// is named the silence is of levels II to IV. A silence hides no alarm from a desk, and an alarm
// that was raised under it is not told when it ends.
import { Fault } from '../../core/fault.ts';
import { type Bilingual, bilingual } from '../../core/text/text.ts';
import type { Journal } from '../alarms/journal.ts';
import { type Actor, machine } from '../alarms/occurrences.ts';
import type { Ledger, SilenceRow } from './ledger.ts';
import { fits, type Match, type Routed } from './route.ts';

/** A shift: whoever comes next decides anew. */
export const SILENCE_MAX_MS = 8 * 3_600_000;
/** Each is looked at for each alarm: 100 of them cost some 10 us. */
export const SILENCES_MAX = 100;
const SILENCEABLE = [2, 3, 4] as const;

export interface NewSilence {
  readonly match: Match;
  readonly forMs: number;
  readonly reason: string;
}

export interface SilenceGround {
  readonly ledger: Ledger;
  readonly journal: Pick<Journal, 'note'>;
  readonly wallMs: () => number;
  readonly transact: <Result>(work: () => Result) => Result;
}

export class Silences {
  readonly #ground: SilenceGround;
  #rows: readonly SilenceRow[];

  constructor(ground: SilenceGround) {
    this.#ground = ground;
    this.#rows = ground.ledger.silences();
  }

  /** Those that are on. */
  list(): readonly SilenceRow[] {
    const nowMs = this.#ground.wallMs();
    return this.#rows.filter(({ untilMs }) => untilMs > nowMs);
  }

  /** The one that an alarm is under. */
  over(alarm: Routed): SilenceRow | undefined {
    return this.list().find(({ match }) => fits(match, alarm));
  }

  /** Throws Fault `silence_refused` for level I, without an end in time, and where all are taken. */
  begin({ match, forMs, reason }: NewSilence, actor: Actor): SilenceRow {
    const { ledger, journal, transact, wallMs } = this.#ground;
    const refuse = (detail: Bilingual) => new Fault('silence_refused', 'never', detail);
    if (match.levels?.includes(1)) throw refuse(bilingual('silence-level'));
    if (Object.keys(match).length === 0) throw refuse(bilingual('silence-all'));
    if (!(forMs > 0 && forMs <= SILENCE_MAX_MS)) {
      throw refuse(bilingual('silence-long', { hours: SILENCE_MAX_MS / 3_600_000 }));
    }
    if (this.list().length >= SILENCES_MAX) {
      throw refuse(bilingual('silence-many', { most: SILENCES_MAX }));
    }
    const beganMs = wallMs();
    const row = {
      match: { ...match, levels: match.levels ?? SILENCEABLE },
      ...{ beganMs, untilMs: beganMs + forMs, who: actor.name, reason },
    };
    const silence = transact(() => {
      const added = ledger.addSilence(row);
      journal.note('silence-begun', actor, nameOf(added), null, row, beganMs);
      return added;
    });
    this.#rows = [...this.#rows, silence];
    return silence;
  }

  /** Before its time; throws Fault `silence_unknown`. */
  end(number: number, actor: Actor): SilenceRow {
    const silence = this.get(number);
    this.#end([silence], actor);
    return silence;
  }

  /** Throws Fault `silence_unknown` where none of this number is on. */
  get(number: number): SilenceRow {
    const silence = this.list().find((each) => each.number === number);
    if (!silence) throw new Fault('silence_unknown', 'never', String(number));
    return silence;
  }

  /** Those whose time has come end, and that is journalled; called about each second. */
  tick(): void {
    const nowMs = this.#ground.wallMs();
    const over = this.#rows.filter(({ untilMs }) => untilMs <= nowMs);
    if (over.length > 0) this.#end(over, machine);
  }

  #end(ended: readonly SilenceRow[], actor: Actor): void {
    const { ledger, journal, transact, wallMs } = this.#ground;
    transact(() => {
      for (const { number, ...row } of ended) {
        ledger.dropSilence(number);
        journal.note('silence-ended', actor, nameOf({ number }), row, null, wallMs());
      }
    });
    this.#rows = this.#rows.filter((each) => !ended.includes(each));
  }
}

const nameOf = ({ number }: Pick<SilenceRow, 'number'>) => `silence ${number}`;
