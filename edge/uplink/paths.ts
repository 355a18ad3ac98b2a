// By which of a gateway's paths to the cloud something goes. Pure: times come in.
//
// The first path is the cheap one; the second may cost money by the byte. Whatever tells of an
// event or an alarm goes by every path that is up, and the cloud keeps one of the copies.
// Everything else goes by one: the first while it works, else the second as far as its terms allow.
// A path is up when its broker is connected and does not say that the cloud is away. It is silent
// when nothing was answered on it for a while although something was sent: then another one that
// answers is taken; when none answers, silence says nothing of the path, and all are as before.
import { RESEND } from './lane.ts';

/** What a record is when a path for it is chosen. */
export const loads = ['event', 'urgent', 'kept', 'trend', 'state', 'backlog'] as const;
/**
 * `urgent`: a record of life-safety or of a rule that turned. `kept`: live records of other classes
 * than trend. `state`: the newest reading of every point, after an outage.
 */
export type Load = (typeof loads)[number];

export interface PathTerms {
  /** Live readings of class trend while no path before it works. */
  readonly carriesTrends: boolean;
  readonly carriesBacklog: boolean;
  /** Acks are heard on it only while it is needed for more than events. */
  readonly isMetered: boolean;
}

export const FREE_PATH: PathTerms = {
  carriesTrends: true,
  carriesBacklog: true,
  isMetered: false,
};

/** Shorter than the first wait for an ack, so that a lane that times out finds its path silent. */
export const SILENT_MS = RESEND.firstMs * (1 - RESEND.jitter);

interface State {
  isUp: boolean;
  isSilent: boolean;
  /** More bytes wait in its socket than is good for what comes behind them. */
  isBlocked: boolean;
  /** When it came up, or something was last heard on it. */
  heardMonoMs: number;
}

export class Paths {
  readonly #terms: readonly PathTerms[];
  readonly #states: readonly State[];
  /** Answers given since anything changed. */
  readonly #allowed = new Map<Load, readonly number[]>();
  readonly #open = new Map<Load, readonly number[]>();

  constructor(terms: readonly PathTerms[]) {
    this.#terms = terms;
    this.#states = terms.map(() => ({
      ...{ isUp: false, isSilent: false, isBlocked: false, heardMonoMs: 0 },
    }));
  }

  get isUp(): boolean {
    return this.#states.some(({ isUp }) => isUp);
  }

  up(path: number, nowMonoMs: number): void {
    this.#set(path, { isUp: true, isSilent: false, heardMonoMs: nowMonoMs });
  }

  down(path: number): void {
    this.#set(path, { isUp: false, isSilent: false, isBlocked: false });
  }

  heard(path: number, nowMonoMs: number): void {
    const state = this.#states[path]!;
    if (state.isSilent) this.#set(path, { isSilent: false });
    state.heardMonoMs = nowMonoMs;
  }

  block(path: number, isBlocked: boolean): void {
    if (this.#states[path]!.isBlocked !== isBlocked) this.#set(path, { isBlocked });
  }

  #set(path: number, changes: Partial<State>): void {
    Object.assign(this.#states[path]!, changes);
    this.#allowed.clear();
    this.#open.clear();
  }

  isSilent(path: number): boolean {
    return this.#states[path]!.isSilent;
  }

  /**
   * Something that went by these was not answered in time. True when one of them was found silent
   * and another one is not.
   */
  suspect(paths: readonly number[], nowMonoMs: number): boolean {
    let isNew = false;
    for (const path of paths) {
      const state = this.#states[path]!;
      if (!state.isUp || state.isSilent || nowMonoMs - state.heardMonoMs < SILENT_MS) continue;
      this.#set(path, { isSilent: true });
      isNew = true;
    }
    return isNew && this.#working.some((path) => !this.#states[path]!.isSilent);
  }

  /** Where a load is to go, blocked or not; empty when it has to wait for a path. */
  allowed(load: Load): readonly number[] {
    const known = this.#allowed.get(load) ?? this.#choose(load);
    this.#allowed.set(load, known);
    return known;
  }

  #choose(load: Load): readonly number[] {
    if (load === 'event' || load === 'urgent') return this.#ups;
    const carries = (path: number) => this.#carries(path, load);
    const path = this.#working.find(carries) ?? this.#ups.find(carries);
    return path === undefined ? [] : [path];
  }

  /** Where it can go now. */
  open(load: Load): readonly number[] {
    const known =
      this.#open.get(load) ?? this.allowed(load).filter((path) => !this.#states[path]!.isBlocked);
    this.#open.set(load, known);
    return known;
  }

  /** Whether what is in flight by these paths alone should go by another one now. */
  isStranded(load: Load, by: readonly number[]): boolean {
    const allowed = this.allowed(load);
    if (allowed.some((path) => by.includes(path))) return false;
    // On a path that still works it will be answered there, though it would now take another.
    return !by.some((path) => this.#working.includes(path));
  }

  /** Whether acks are to be heard on it: where they cost, only when no other one brings them. */
  hearsAcks(path: number): boolean {
    if (!this.#terms[path]!.isMetered) return true;
    return this.#working.every((other) => other === path || this.#terms[other]!.isMetered);
  }

  #carries(path: number, load: Load): boolean {
    const { carriesTrends, carriesBacklog } = this.#terms[path]!;
    if (load === 'trend') return carriesTrends;
    return load === 'backlog' ? carriesBacklog : true;
  }

  get #ups(): readonly number[] {
    return [...this.#states.keys()].filter((path) => this.#states[path]!.isUp);
  }

  /** Up and answering; all that are up when none answers. */
  get #working(): readonly number[] {
    const ups = this.#ups;
    const answering = ups.filter((path) => !this.#states[path]!.isSilent);
    return answering.length > 0 ? answering : ups;
  }
}
