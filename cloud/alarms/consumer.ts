// The alarms consumer: follows the inbox, evaluates the rules in force, and says what people must
// know. One call, one transaction: rule and evaluation state, alarms, journal, notifications to
// send and cursor move together or not at all, so a crash at any point repeats work and changes
// nothing.
//
// Synchronous and without a clock of its own: the thread that owns the database drives it, and so
// does a simulated world. In memory is what a start, or a failed transaction, reads back.
//
// Most series are still (no delay runs, the value is on the same side): a few array accesses; the
// rest goes through the kernel (core/alarm/evaluate.ts). Order is by (epoch, monotonic time) alone.
// What is newer than the newest known belongs to the live state whichever lane brought it, what is
// older to history.ts. Coverage is believed as order.ts says.
import type { DatabaseSync } from 'node:sqlite';
import { type Input, isStill, type Sample, step, type Track } from '../../core/alarm/evaluate.ts';
import { isSilent } from '../../core/quality.ts';
import type { Epoch } from '../../protocols/uplink/record.ts';
import { newLine, orderOf } from '../epochs.ts';
import type { DecodedReadings, DecodedRecord, SeriesEntry } from '../inbox/decoded.ts';
import { numberOf } from '../inbox/decoded.ts';
import { type Act, Acts } from './acts.ts';
import type { Alarm } from './alarm.ts';
import { type Approval, Approvals } from './approvals.ts';
import { Cover } from './cover.ts';
import { History } from './history.ts';
import type { JournalEntry } from './journal.ts';
import { heldAt, Marks, NOTHING } from './marks.ts';
import type { Actor, AlarmEvent, AlarmFollower, Source } from './occurrences.ts';
import { Occurrences } from './occurrences.ts';
import type { Arrival, Covered, Gateway } from './order.ts';
import { arrive, believable, newGateway, sampledAhead } from './order.ts';
import { RULE_APPROVAL, type RuleAct, Rules } from './rules.ts';
import { conditionOf, Silence, SilentGateways } from './silence.ts';
import { type AlarmFilter, AlarmTables, type RuleRow } from './tables.ts';
import { type Watched, WatchedSeries } from './watched.ts';

/** No-data rules of a gateway are looked at once in so much of its time. */
const PASSED_EVERY_MS = 1_000;
/** An edge says of each group at least this often up to when it is covered. */
const COVERED_EVERY_MS = 10_000;

/** What an act brought: events for the live stream, or that it waits for a second person. */
export interface Outcome {
  readonly events: AlarmEvent[];
  readonly approval: Approval | null;
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
  readonly #silence = new Silence();
  readonly #followers: AlarmFollower[] = [];
  readonly #cover = new Cover();

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
  presence(gateway: string, online: boolean, sinceMs: number): AlarmEvent[] {
    this.#silence.presence(gateway, online, sinceMs);
    const known = this.#gateways.get(gateway);
    if (known && (!online || !known.silent.active)) return [];
    return this.#transact(() => {
      if (known) this.#silent.end(known, sinceMs);
      else this.#meet(gateway, '');
    });
  }

  /** Once a second or so: gateways fall silent, and history that waits in vain is closed. */
  tick(nowMs: number): AlarmEvent[] {
    this.#silence.tick(nowMs);
    const silent = [...this.#gateways.values()].filter(
      ({ gateway, silent: { active } }) => !active && this.#silence.isSilent(gateway, nowMs),
    );
    const due = [this.#acts, ...this.#followers].filter((follower) => follower.isDue(nowMs));
    if (silent.length + due.length === 0 && !this.#history.isIdle(nowMs)) return [];
    return this.#transact(() => {
      for (const follower of due) follower.tick(nowMs);
      for (const gateway of silent) {
        const sinceMs = this.#silence.sinceMs(gateway.gateway);
        const alarm = this.#silence.alarm(gateway, sinceMs, nowMs);
        this.#silent.begin(gateway, alarm, nowMs);
      }
      this.#history.tick({ isLive: false, receivedMs: nowMs, nowMs });
    });
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

  /** The rules of a series as they are now. */
  get ruling(): Pick<Rules, 'row' | 'meant'> {
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
    this.#silent = new SilentGateways(this.tables, this.#series, this.#occurrences, this.#touched);
    this.#acts = new Acts(this.tables, this.#series, this.#occurrences, this.approvals, (name) => {
      const gateway = this.#gateways.get(name);
      if (!gateway) return null;
      return { holder: conditionOf(gateway), keep: () => this.#touched.add(gateway) };
    });
    this.#rules.onTerms = (watched, source) => this.#history.end(watched, source);
    this.#rules.epochOf = (name) => {
      const gateway = this.#gateways.get(name);
      return gateway?.epoch ? { epoch: gateway.epoch, offsetMs: gateway.offsetMs } : null;
    };
    this.#rules.areaOf = (name) => this.#gateways.get(name)?.area ?? '';
    this.#touched.clear();
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
        if (events.length > 0) for (const it of this.#followers) it.take(events, events[0]!.atMs);
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
    if (arrival.isNewEpoch && before !== null) this.#leaveEpoch(gateway, before, source);
    const dictionary = record.manifest ?? record.dictionary;
    if (dictionary) {
      const { epoch, sequence } = record.row;
      const place = { epoch, sequence, hash: dictionary.hash };
      this.#rules.adopt(gateway, place, dictionary.entries, source);
    }
    if (record.readings) this.#readings(gateway, record, record.readings, arrival, source);
    for (const covered of arrival.coverage) {
      this.#coverage(gateway, record.row.epoch, covered, arrival, source);
    }
    this.#history.came(name, record.row.epoch, arrival.whole, source);
    if (arrival.isPresent && arrival.isLive) this.#passed(gateway, source);
  }

  // The gateway restarted: what is still to come of the epoch before is history, and nothing is
  // known yet of the new one. States hold.
  #leaveEpoch(gateway: Gateway, before: string, source: Source): void {
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      const { series } = watched.row;
      const track = this.#marks.track(series, before);
      const jump = { track, end: null, untilMonoMs: null, missing: null, isBreak: true };
      this.#history.jump(watched, jump, source);
      this.#marks.sample[series] = NOTHING;
      this.#marks.mark[series] = NOTHING;
      this.#marks.touch(series);
    }
  }

  #readings(
    gateway: Gateway,
    record: DecodedRecord,
    readings: DecodedReadings,
    arrival: Arrival,
    source: Source,
  ): void {
    const marks = this.#marks;
    this.#cover.note(record.coverage, marks.sample.length);
    const { series: numbers, monoMs: times, quality, values, special } = readings;
    for (let at = 0; at < readings.count; at++) {
      const series = numbers[at]!;
      const watched = this.#series.bySeries[series];
      if (watched === undefined) continue;
      const monoMs = times[at]!;
      const raw = values[at]!;
      const value = Number.isNaN(raw) ? numberOf(special.get(at)) : raw;
      const isOld = !arrival.isPresent || monoMs <= marks.sample[series]!;
      // A state record repeats what is accounted for elsewhere.
      if (isOld && record.isState) continue;
      if (isOld && arrival.isPresent && monoMs === marks.sample[series]!) continue;
      if (!isOld && arrival.missing !== null && watched.isRunning) {
        this.#believe(gateway, watched, record, source);
      }
      const mark = marks.mark[series]!;
      const fromMonoMs = this.#from(watched, record, monoMs, mark);
      const isBreak = mark !== NOTHING && fromMonoMs - mark > watched.holeMs;
      const isJump = isBreak || (mark !== NOTHING && arrival.missing !== null);
      const isBegun = mark === NOTHING && arrival.whole < record.row.sequence;
      if (isOld || isJump || isBegun || !this.#isStill(watched, value, quality[at]!)) {
        const sample: Sample = {
          kind: 'sample',
          epoch: record.row.epoch,
          monoMs,
          atMs: readings.atMs[at]!,
          fromMonoMs,
          value: Number.isNaN(value) ? null : value,
          quality: quality[at]!,
        };
        if (isOld) {
          if (!this.#rules.isInTerms(watched, record.dictionary)) continue;
          const late = { input: sample, sequence: record.row.sequence };
          this.#history.take(watched, late, this.#present(gateway, series), source);
          continue;
        }
        const track = marks.track(series, record.row.epoch);
        if (isJump) {
          const { missing } = arrival;
          const jump = { track, end: sample, untilMonoMs: monoMs, missing, isBreak };
          this.#history.jump(watched, jump, source);
        }
        if (isBegun) this.#history.begin(watched, sample, source);
        this.#step(watched, track, sample, source);
        if (watched.isRunning) sampledAhead(gateway, record.row.sequence, series);
      }
      if (source.isLive && this.#history.isOpen(series)) this.#note(watched, record, readings, at);
      marks.sample[series] = monoMs;
      if (monoMs > mark) marks.mark[series] = monoMs;
      marks.value[series] = value;
      marks.usable[series] = isSilent(quality[at]!) ? 0 : 1;
      marks.touch(series);
      if (marks.provisional[series] === 1 && source.isLive) this.#promote(watched, source);
    }
  }

  #believe(gateway: Gateway, watched: Watched, { row }: DecodedRecord, source: Source): void {
    const { epoch, sequence } = row;
    const { series } = watched.row;
    for (const coverage of believable(gateway, sequence, series)) {
      const { fromMonoMs, toMonoMs: untilMonoMs, atMs } = coverage;
      if (untilMonoMs <= this.#marks.mark[series]!) continue;
      const input: Input = { kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs };
      this.#step(watched, this.#marks.track(series, epoch), input, source);
      this.#marks.mark[series] = untilMonoMs;
      this.#marks.touch(series);
    }
  }

  // Since when a sample's series was polled without a break, as far as its record tells. One that
  // came before its coverage is taken for unbroken as long as that coverage can still be on its
  // way.
  #from(watched: Watched, record: DecodedRecord, monoMs: number, mark: number): number {
    const { series } = watched.row;
    const coveredFrom = this.#cover.fromMonoMs(series);
    if (coveredFrom !== null) return Math.min(coveredFrom, monoMs);
    const isAwaited =
      !record.isState && mark !== NOTHING && monoMs - mark <= COVERED_EVERY_MS + watched.holeMs;
    return isAwaited ? Math.min(mark, monoMs) : monoMs;
  }

  #isStill(watched: Watched, value: number, quality: number): boolean {
    const usable = !isSilent(quality);
    for (const { subject, verdict } of watched.watches) {
      if (!isStill(subject.rule, verdict.phase, value, usable)) return false;
    }
    return true;
  }

  // What comes live while a stretch of history is open.
  #note(watched: Watched, record: DecodedRecord, readings: DecodedReadings, at: number): void {
    const raw = readings.values[at]!;
    const monoMs = readings.monoMs[at]!;
    const { epoch } = record.row;
    const value = Number.isNaN(raw) ? null : raw;
    const moment = { epoch, monoMs, atMs: readings.atMs[at]!, fromMonoMs: monoMs };
    const quality = readings.quality[at]!;
    this.#history.note(watched, { kind: 'sample', ...moment, value, quality });
  }

  #coverage(
    gateway: Gateway,
    epoch: string,
    { sequence, coverage }: Covered,
    arrival: Arrival,
    source: Source,
  ): void {
    const marks = this.#marks;
    const { fromMonoMs, toMonoMs: untilMonoMs, atMs } = coverage;
    const input: Input = { kind: 'covered', epoch, fromMonoMs, untilMonoMs, atMs };
    for (const series of coverage.series) {
      const watched = this.#series.bySeries[series];
      if (watched === undefined) continue;
      const mark = marks.mark[series]!;
      if (!arrival.isPresent || untilMonoMs <= mark) {
        const late = { input, sequence };
        this.#history.take(watched, late, this.#present(gateway, series), source);
        continue;
      }
      const isJump = mark !== NOTHING && fromMonoMs - mark > watched.holeMs;
      if (isJump || watched.isRunning) {
        const track = marks.track(series, epoch);
        if (isJump) {
          const end = heldAt(track, epoch, fromMonoMs, atMs - (untilMonoMs - fromMonoMs));
          const jump = { track, end, untilMonoMs: fromMonoMs, missing: null, isBreak: true };
          this.#history.jump(watched, jump, source);
        }
        if (watched.isRunning) this.#step(watched, track, input, source);
      }
      marks.mark[series] = untilMonoMs;
      marks.touch(series);
      if (marks.provisional[series] === 1 && source.isLive) this.#promote(watched, source);
    }
  }

  // No-data rules of series that nobody polls any more while their gateway goes on.
  #passed(gateway: Gateway, source: Source): void {
    const { epoch, headMonoMs: untilMonoMs, headSinceMonoMs: sinceMonoMs } = gateway;
    if (epoch === null || untilMonoMs - gateway.passedMonoMs < PASSED_EVERY_MS) return;
    gateway.passedMonoMs = untilMonoMs;
    const atMs = untilMonoMs + gateway.offsetMs;
    const input: Input = { kind: 'passed', epoch, sinceMonoMs, untilMonoMs, atMs };
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      const mark = this.#marks.mark[watched.row.series]!;
      if (mark === NOTHING || untilMonoMs - mark < PASSED_EVERY_MS) continue;
      if (!watched.watches.some(({ subject }) => subject.rule.kind === 'no-data')) continue;
      this.#step(watched, this.#marks.track(watched.row.series, epoch), input, source);
    }
  }

  #step(watched: Watched, track: Track, input: Input, source: Source): void {
    for (const watch of watched.watches) {
      const [after, transitions] = step(watch.subject, { track, verdict: watch.verdict }, input);
      if (after.verdict === watch.verdict && transitions.length === 0) continue;
      watch.verdict = after.verdict;
      this.#occurrences.take(watch, transitions, source);
      this.#series.keep(watch);
    }
  }

  #promote(watched: Watched, source: Source): void {
    for (const watch of watched.watches) this.#occurrences.promote(watch, source);
    const waits = watched.watches.some(({ isProvisional }) => isProvisional);
    this.#marks.provisional[watched.row.series] = waits ? 1 : 0;
  }

  // The newest sample of the present epoch as history's end, when it was started without knowing
  // better.
  #present(gateway: Gateway, series: number): Sample | null {
    const { epoch, offsetMs } = gateway;
    const monoMs = this.#marks.sample[series]!;
    if (epoch === null || monoMs === NOTHING) return null;
    return heldAt(this.#marks.track(series, epoch), epoch, monoMs, monoMs + offsetMs);
  }
}
