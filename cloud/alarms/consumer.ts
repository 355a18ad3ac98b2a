// The alarms consumer: follows the inbox, evaluates the rules in force, and says what people must
// know. One call, one transaction: rule and evaluation state, alarms, journal, notifications to
// send and cursor move together or not at all, so a crash at any point repeats work and changes
// nothing.
//
// Synchronous and without a clock of its own: the thread that owns the database drives it, and so
// does a simulated world. In memory is what a start, or a failed transaction, reads back.
//
// The ways through it: records (live.ts, history.ts), what people do (acts.ts, rules.ts), and what
// is due by the clock. What makes more of alarms (incidents, figures, cases) follows in the same
// transaction.
import type { DatabaseSync } from 'node:sqlite';
import type { ConfigurationState } from '../../protocols/uplink/control.ts';
import type { Epoch, Hash } from '../../protocols/uplink/record.ts';
import { newLine, orderOf } from '../epochs.ts';
import type { DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import { type Act, Acts } from './acts.ts';
import { type Alarm, isPathTest } from './alarm.ts';
import { type Approval, Approvals } from './approvals.ts';
import { Desired } from './desired.ts';
import { History } from './history.ts';
import type { JournalEntry } from './journal.ts';
import { Live } from './live.ts';
import { Marks } from './marks.ts';
import type { Actor, AlarmEvent, AlarmFollower, Source } from './occurrences.ts';
import { Occurrences } from './occurrences.ts';
import type { Gateway } from './order.ts';
import { arrive, cameWhole, newGateway } from './order.ts';
import { type OwnAlarm, OwnAlarms } from './own-alarms.ts';
import { type PathDown, type PathState, PathWatch } from './path-watch.ts';
import { RULE_APPROVAL, type RuleAct, Rules } from './rules.ts';
import { conditionOf, Silence, SilentGateways } from './silence.ts';
import { type AlarmFilter, AlarmTables, type RuleRow } from './tables.ts';
import { WatchedSeries } from './watched.ts';

/** What an act brought: events for the live stream, or that it waits for a second person. */
export interface Outcome {
  readonly events: AlarmEvent[];
  readonly approval: Approval | null;
}

/** Where a gateway is in its records, as far as they were received. */
export interface Newest {
  readonly area: string;
  /** The present one. */
  readonly epoch: Epoch;
  /** The highest received of it. */
  readonly sequence: number;
  /** Wall time less monotonic time of the epoch; 0 while nothing live told it. */
  readonly offsetMs: number;
}

/** By which rules a gateway is to go. */
export interface DesiredOf {
  readonly gateway: string;
  readonly area: string;
  readonly state: ConfigurationState;
}

export class AlarmConsumer {
  readonly tables: AlarmTables;
  /** What waits for a second person; who owns the kind of an approval puts its handler there. */
  readonly approvals: Approvals;
  #marks = new Marks();
  #gateways = new Map<string, Gateway>();
  #touched = new Set<Gateway>();
  #series!: WatchedSeries;
  #occurrences!: Occurrences;
  #history!: History;
  #rules!: Rules;
  #acts!: Acts;
  #silent!: SilentGateways;
  #live!: Live;
  #desired!: Desired;
  /** Gateways that are to be told of other rules. */
  readonly #undesired = new Set<string>();
  readonly #silence = new Silence();
  #paths!: PathWatch;
  #own!: OwnAlarms;
  readonly #pathsDown = new Map<string, PathDown>();
  readonly #followers: AlarmFollower[] = [];

  /** Makes its tables in `database` if they are not there. */
  constructor(database: DatabaseSync) {
    this.tables = new AlarmTables(database);
    this.approvals = new Approvals(database, (kind, actor, what, after, atMs) =>
      this.#occurrences.journal(kind, actor, what, null, after, atMs),
    );
    this.approvals.handlers.set('shelve', (approval, approver, nowMs) =>
      this.#acts.approved(approval, approver, nowMs),
    );
    this.approvals.handlers.set(RULE_APPROVAL, (approval, approver, nowMs) =>
      this.#rules.approved(approval, approver, nowMs),
    );
    this.#load();
  }

  /** What a follower does of its own accord, one transaction with what it does to alarms. */
  together(work: () => void): AlarmEvent[] {
    return this.#transact(work);
  }

  /** Part of every transaction from now on. */
  follow(follower: AlarmFollower): void {
    this.#followers.push(follower);
  }

  /** The newest inbox row whose effect is in the tables. */
  get cursor(): number {
    return this.tables.cursor;
  }

  /** Rises with time among the epochs of a gateway. */
  orderOf(gateway: string, epoch: Epoch): number {
    return orderOf(this.#gateways.get(gateway) ?? newLine(), epoch);
  }

  /** Null before the first record of it. */
  newest(name: string): Newest | null {
    const { area, epoch, came, offsetMs } = this.#gateways.get(name) ?? newGateway(name, '');
    const sequence = came.find((it) => it.epoch === epoch)?.ranges.at(-1)?.last;
    return epoch === null || sequence === undefined ? null : { area, epoch, sequence, offsetMs };
  }

  /** The newest dictionary that a gateway's records went by; null before one did. */
  dictionaryOf(name: string): Hash | null {
    return this.#gateways.get(name)?.manifest?.hash ?? null;
  }

  /** Takes records in inbox order; rows at or before the cursor are skipped. */
  apply(records: readonly DecodedRecord[], nowMs: number): AlarmEvent[] {
    return this.#transact(() => {
      let cursor = this.cursor;
      for (const record of records) {
        if (record.row.row <= cursor) continue;
        cursor = record.row.row;
        this.#record(record, nowMs);
      }
      this.tables.cursor = cursor;
    });
  }

  /** What the broker knows of a gateway's connection, each time it changes. */
  presence(
    gateway: string,
    online: boolean,
    sinceMs: number,
    paths: readonly PathState[] = [],
  ): AlarmEvent[] {
    this.#silence.presence(gateway, online, sinceMs);
    const known = this.#gateways.get(gateway);
    const isPathBack = this.#paths.hear(gateway, known, { online, paths });
    const isBack = online && known?.silent.active === true;
    if (known && !isBack && !isPathBack) return [];
    return this.#transact(() => {
      if (!known) this.#meet(gateway, '');
      else {
        if (isBack) this.#silent.end(known, sinceMs);
        if (isPathBack) this.#paths.end(known, sinceMs);
        this.#touched.add(known);
      }
    });
  }

  /** Once a second or so: gateways fall silent, and history that waits in vain is closed. */
  tick(nowMs: number): AlarmEvent[] {
    if (this.#silence.tick(nowMs) === 'stepped') this.#paths.stepped(nowMs);
    const silent = [...this.#gateways.values()].filter(
      ({ gateway, silent: { active } }) => !active && this.#silence.isSilent(gateway, nowMs),
    );
    const due = [this.#acts, ...this.#followers].filter((follower) => follower.isDue(nowMs));
    const differing = [...this.#gateways.values()].filter((it) => this.#desired.isDue(it, nowMs));
    const alone = [...this.#gateways.values()].filter((it) => this.#paths.isDue(it, nowMs));
    const nothing = silent.length + due.length + differing.length + alone.length === 0;
    if (nothing && !this.#history.isIdle(nowMs)) return [];
    return this.#transact(() => {
      for (const follower of due) follower.tick(nowMs);
      for (const gateway of differing) {
        this.#desired.raise(gateway, nowMs);
        this.#touched.add(gateway);
      }
      for (const gateway of alone) {
        this.#paths.raise(gateway, nowMs);
        this.#touched.add(gateway);
      }
      for (const gateway of silent) {
        const sinceMs = this.#silence.sinceMs(gateway.gateway);
        const alarm = this.#silence.alarm(gateway, sinceMs, nowMs);
        this.#silent.begin(gateway, alarm, nowMs);
      }
      this.#history.tick({ isLive: false, receivedMs: nowMs, nowMs });
    });
  }

  /** An alarm of the path itself begins, unless it goes on already (own-alarms.ts). */
  begin(own: OwnAlarm, nowMs: number): AlarmEvent[] {
    return this.#own.isActive(own.key, own.rule)
      ? []
      : this.#transact(() => this.#own.begin(own, nowMs));
  }

  isOwnActive(key: string, rule: string): boolean {
    return this.#own.isActive(key, rule);
  }

  end(key: string, rule: string, atMs: number): AlarmEvent[] {
    return this.#own.isActive(key, rule)
      ? this.#transact(() => this.#own.end(key, rule, atMs))
      : [];
  }

  /** What `Acts.act` says; it is in the journal under the actor's name. */
  act(target: string, act: Act, actor: Actor, nowMs: number): Outcome {
    let approval: Approval | null = null;
    const events = this.#transact(() => {
      approval = this.#acts.act(target, act, actor, nowMs);
    });
    return { events, approval };
  }

  acknowledge(occurrence: string, actor: Actor, note: string, nowMs: number): AlarmEvent[] {
    return this.act(occurrence, { kind: 'acknowledge', note }, actor, nowMs).events;
  }

  /** The second person's yes or no to what waits (approvals.ts). */
  approve(id: number, isGiven: boolean, actor: Actor, nowMs: number): AlarmEvent[] {
    return this.#transact(() => {
      if (isGiven) this.approvals.approve(id, actor, nowMs);
      else this.approvals.withdraw(id, actor, nowMs);
    });
  }

  /** Begins a test of a device, or ends the one it is in. */
  test(
    device: string,
    test: { readonly forMs: number; readonly reason: string } | null,
    actor: Actor,
    nowMs: number,
  ): AlarmEvent[] {
    return this.#transact(() => {
      if (test) this.#acts.test(device, test.forMs, test.reason, actor, nowMs);
      else this.#acts.endTest(device, actor, nowMs);
    });
  }

  /** What is hidden and tested, and the watch of a rule. */
  get acts(): Pick<Acts, 'hidden' | 'tests' | 'watchOf'> {
    return this.#acts;
  }

  /** What `Rules.decide` says: in force from now on, or waiting for a second person. */
  decide(entry: SeriesEntry, id: string, act: RuleAct, nowMs: number): Outcome {
    let approval: Approval | null = null;
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    const events = this.#transact(() => {
      approval = this.#rules.decide(entry, id, act, source, this.approvals);
    });
    return { events, approval };
  }

  /** What gateways are to be told since the last call, for `desired`; retained by the broker. */
  takeDesired(nowMs: number): DesiredOf[] {
    const told: DesiredOf[] = [];
    if (this.#undesired.size === 0) return told;
    this.#transact(() => {
      for (const name of this.#undesired) {
        const gateway = this.#gateways.get(name);
        const state = gateway && this.#desired.turn(gateway, nowMs);
        if (!gateway || !state) continue;
        this.#touched.add(gateway);
        told.push({ gateway: name, area: gateway.area, state });
      }
    });
    this.#undesired.clear();
    return told;
  }

  /** All that gateways were ever told, to be told again: a broker may have lost it. */
  desired(): DesiredOf[] {
    return [...this.#gateways.values()].flatMap((gateway) => {
      const state = this.#desired.last(gateway);
      return state ? [{ gateway: gateway.gateway, area: gateway.area, state }] : [];
    });
  }

  /** A gateway says by which rules it goes. */
  reported(name: string, state: ConfigurationState, nowMs: number): AlarmEvent[] {
    const gateway = this.#gateways.get(name);
    if (!gateway || gateway.rules.reported === state.hash) return [];
    return this.#transact(() => {
      this.#desired.reported(gateway, state, nowMs);
      this.#touched.add(gateway);
    });
  }

  /** The rules of a series as they are now. */
  get ruling(): Pick<Rules, 'row' | 'meant' | 'needsSecond'> {
    return this.#rules;
  }

  get(occurrence: string): Alarm | null {
    return this.tables.get(occurrence);
  }

  /** Newest first. */
  list(filter: AlarmFilter = {}): Alarm[] {
    return this.tables.list(filter);
  }

  /** Oldest first, after `seq`; of one occurrence or `series key/rule` where `what` says so. */
  journal(after = 0, limit = 200, what?: string): readonly JournalEntry[] {
    const filter = what === undefined ? {} : { what };
    return this.tables.journal.list(filter, { order: 'oldest', after, limit }).entries;
  }

  rules(): RuleRow[] {
    return this.tables.rules();
  }

  /** Stretches of history that wait for their backlog; for metrics. */
  get stretchesOpen(): number {
    return this.#history.open;
  }

  #load(): void {
    this.#marks = new Marks();
    this.#series = new WatchedSeries(this.tables, this.#marks);
    this.#marks.load(this.tables);
    this.#occurrences = new Occurrences(this.tables, this.#series);
    this.#rules = new Rules(this.tables, this.#marks, this.#series, this.#occurrences);
    this.#history = new History(this.tables, this.#series, this.#occurrences, this.#rules);
    this.#live = new Live({
      ...{ marks: this.#marks, series: this.#series, occurrences: this.#occurrences },
      ...{ history: this.#history, rules: this.#rules },
    });
    this.#silent = new SilentGateways(this.tables, this.#series, this.#occurrences, this.#touched);
    this.#own = new OwnAlarms(this.tables, this.#occurrences);
    this.#acts = new Acts(this.tables, this.#series, this.#occurrences, this.approvals, (alarm) => {
      const own = this.#own.holderOf(alarm);
      if (own) return { holder: own, keep: () => {} };
      const gateway = this.#gateways.get(alarm.gateway);
      const holder = gateway && conditionOf(gateway, alarm.rule);
      return holder ? { holder, keep: () => this.#touched.add(gateway) } : null;
    });
    this.#rules.onTerms = (watched, source) => this.#history.end(watched, source);
    this.#history.catchUps.orderOf = (name, epoch) => this.orderOf(name, epoch);
    this.#history.catchUps.isWhole = (name, ...span) =>
      cameWhole(this.#gateways.get(name), ...span);
    this.#rules.epochOf = (name) => {
      const gateway = this.#gateways.get(name);
      return gateway?.epoch ? { epoch: gateway.epoch, offsetMs: gateway.offsetMs } : null;
    };
    this.#desired = new Desired(this.tables, this.#series, this.#occurrences);
    this.#paths = new PathWatch(this.tables, this.#occurrences, this.#pathsDown);
    this.#rules.onDecided = (gateway) => this.#undesired.add(gateway);
    this.#rules.areaOf = (name) => this.#gateways.get(name)?.area ?? '';
    this.#touched.clear();
    // What was decided just before the end may not have been told.
    for (const name of this.#series.byGateway.keys()) this.#undesired.add(name);
    this.#gateways = new Map(
      this.tables
        .gateways<Gateway>()
        .map((known) => [known.gateway, { ...newGateway(known.gateway, known.area), ...known }]),
    );
  }

  #transact(work: () => void): AlarmEvent[] {
    if (this.tables.isTransacting) {
      work(); // Part of what a follower does together.
      return [];
    }
    let events: AlarmEvent[] = [];
    try {
      this.tables.transact(() => {
        work();
        events = this.#occurrences.drain();
        // Of a drill, or of the path's own test, no case, no incident and no figure is made.
        const real = events.filter(({ alarm }) => alarm.purpose === 'alarm');
        if (real.length > 0) for (const it of this.#followers) it.take(real, real[0]!.atMs);
        const tests = events.filter(({ alarm }) => isPathTest(alarm));
        if (tests.length > 0) for (const it of this.#followers) it.takeTests?.(tests);
        this.#marks.flush(this.tables);
        this.#history.flush();
        for (const gateway of this.#touched) this.tables.putGateway(gateway.gateway, gateway);
        this.#touched.clear();
      });
    } catch (error) {
      this.#load();
      for (const follower of this.#followers) follower.load();
      throw error;
    }
    return events;
  }

  #meet(name: string, area: string): Gateway {
    const gateway = newGateway(name, area);
    this.#gateways.set(name, gateway);
    this.#touched.add(gateway);
    return gateway;
  }

  #record(record: DecodedRecord, nowMs: number): void {
    const { gateway: name, area, receivedMs } = record.row;
    const gateway = this.#gateways.get(name) ?? this.#meet(name, area);
    this.#touched.add(gateway);
    const before = gateway.epoch;
    const arrival = arrive(gateway, record);
    const source: Source = { isLive: arrival.isLive, receivedMs, nowMs };
    this.#silence.heard(name, nowMs);
    if (gateway.silent.active) this.#silent.end(gateway, receivedMs);
    if (arrival.isNewEpoch && before !== null) this.#live.leaveEpoch(gateway, before, source);
    const dictionary = record.manifest ?? record.dictionary;
    if (dictionary) {
      const { epoch, sequence } = record.row;
      const place = { epoch, sequence, hash: dictionary.hash };
      this.#rules.adopt(gateway, place, dictionary.entries, source);
    }
    this.#live.take(gateway, record, arrival, source);
  }
}
