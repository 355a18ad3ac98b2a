// The rules in force at this gateway: what it proposes itself, and over it what people decided,
// which the cloud sends as `desired`. What came last is kept in the outbox, so that a start without
// a network goes on with it; what is in force is told as `reported`, by the same hash.
//
// A lower revision than the one in force is an old message and is left; so is a document whose hash
// is not that of its bytes, or that cannot be read. Then `reported` still tells the hash of before,
// and the cloud sees that they differ.
import type { Rule } from '../core/alarm/rule.ts';
import { isFault } from '../core/fault.ts';
import type { Log } from '../core/log.ts';
import { foreign } from '../core/log.ts';
import type { PointDefinition } from '../core/point.ts';
import type { ConfigurationState } from '../protocols/uplink/control.ts';
import { decodeConfigurationState, encodeConfigurationState } from '../protocols/uplink/control.ts';
import type { Decided } from '../protocols/uplink/decided.ts';
import { decodeDecided, encodeDecided, NOTHING_DECIDED } from '../protocols/uplink/decided.ts';
import { hashOfBytes } from '../protocols/uplink/dictionary.ts';

const WORD = 'decided';

/** Where the last decisions are kept: the outbox. */
export interface Words {
  word(name: string): string | undefined;
  setWord(name: string, text: string): void;
}

interface InForce {
  readonly state: ConfigurationState;
  readonly decided: readonly Decided[];
}

export class RulesInForce {
  readonly #log: Log;
  readonly #words: Words;
  readonly #points: readonly PointDefinition[];
  #inForce: InForce;

  constructor(log: Log, words: Words, points: readonly PointDefinition[]) {
    this.#log = log;
    this.#words = words;
    this.#points = points;
    const kept = words.word(WORD);
    const read = kept === undefined ? null : this.#read(Buffer.from(kept, 'base64'));
    this.#inForce = read ?? nothingDecided();
  }

  /** True when other rules are in force now. */
  take(payload: Uint8Array): boolean {
    const read = this.#read(payload);
    if (!read) return false;
    const { revision, hash } = this.#inForce.state;
    if (read.state.revision < revision) {
      this.#log.warn('rules_old', { revision: read.state.revision, inForce: revision });
      return false;
    }
    this.#words.setWord(WORD, Buffer.from(payload).toString('base64'));
    this.#inForce = read;
    if (read.state.hash === hash) return false;
    const { length: decided } = read.decided;
    this.#log.info('rules_in_force', { revision: read.state.revision, decided });
    return true;
  }

  /** What goes up as `reported`. */
  get reported(): Uint8Array {
    return encodeConfigurationState({ ...this.#inForce.state, document: new Uint8Array(0) });
  }

  /** By alias, the point with the rules in force instead of those it proposes. */
  get points(): readonly PointDefinition[] {
    const { decided } = this.#inForce;
    if (decided.length === 0) return this.#points;
    const byPoint = new Map<string, Decided[]>();
    for (const each of decided) {
      const name = `${each.device}/${each.point}`;
      byPoint.set(name, [...(byPoint.get(name) ?? []), each]);
    }
    return this.#points.map((point) => {
      const own = byPoint.get(`${point.device}/${point.point}`);
      return own ? { ...point, rules: overlaid(point.rules, own) } : point;
    });
  }

  #read(payload: Uint8Array): InForce | null {
    try {
      const state = decodeConfigurationState(payload);
      if (hashOfBytes(state.document) !== state.hash) {
        this.#log.warn('rules_damaged', { revision: state.revision });
        return null;
      }
      return { state, decided: decodeDecided(state.document) };
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#log.warn('rules_malformed', { why: foreign(error.message) });
      return null;
    }
  }
}

function overlaid(rules: PointDefinition['rules'], decided: readonly Decided[]) {
  const kept: Rule[] = rules.filter(({ id }) => decided.every((each) => each.id !== id));
  for (const { rule } of decided) if (rule) kept.push(rule);
  return kept as PointDefinition['rules'];
}

function nothingDecided(): InForce {
  const state = { revision: 0, hash: NOTHING_DECIDED, document: encodeDecided([]) };
  return { state, decided: [] };
}
