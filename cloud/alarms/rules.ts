// Profiles and gateway files propose rules in the dictionary; this registry decides. A proposal is
// adopted under the gateway's name while nobody else has touched the rule; once a person has, a
// proposal that differs is kept beside it, shown, and never applied. Every decision is a version
// with author and reason (rule-versions.ts), and in the journal.
//
// A person sets a rule, accepts what a gateway proposes, goes back to an earlier version, or
// retires it. On a point of class life-safety none of these moves a limit that is in force (when
// it is raised and cleared, after which delays, how urgent, whether at all) without a second
// person: it waits (approvals.ts) until another principal has said yes. A new rule, and other
// texts, need one person.
import { NO_VERDICT, rejudge, withoutMemory } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { isSameLimit, isSameRule } from '../../core/alarm/rule-form.ts';
import { Fault, unreachable } from '../../core/fault.ts';
import { pointId } from '../../core/point.ts';
import { bilingual } from '../../core/text/text.ts';
import { orderOf } from '../epochs.ts';
import type { Dictionary, SeriesEntry } from '../inbox/decoded.ts';
import type { Approval, Approvals } from './approvals.ts';
import { withDiagnostic } from './diagnostic.ts';
import type { Marks } from './marks.ts';
import type { Actor, Occurrences, Source } from './occurrences.ts';
import type { Gateway } from './order.ts';
import type { AlarmTables, RuleRow, SeriesRow } from './tables.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';

/** Dictionaries remembered as seen; beyond it they are looked through again. */
const ADDED_MAX = 10_000;

/** What a person decides about a rule. */
export type RuleDecision =
  | { readonly kind: 'set'; readonly rule: Rule }
  /** What its gateway proposes and differs from what is in force. */
  | { readonly kind: 'accept' }
  | { readonly kind: 'revert'; readonly version: number }
  | { readonly kind: 'retire' };

export interface RuleAct {
  readonly decision: RuleDecision;
  readonly who: Actor;
  readonly reason: string;
}

/** A decision that waits for a second person, and what it would change. */
/** What waits: the rule as it is, and as it is to be. */
export interface Wish {
  readonly series: number;
  readonly asset: string | null;
  readonly unit: string;
  readonly before: Rule;
  readonly rule: Rule;
  readonly retired: boolean;
  /** What it was decided on. */
  readonly version: number;
}

/** The asset of the point whose rule waits: who does not see it cannot say yes. */
export function wishedAsset({ document }: Approval): string | null {
  return (document as Wish).asset;
}

/** The kind of its approvals. */
export const RULE_APPROVAL = 'rule';

export class Rules {
  readonly #tables: AlarmTables;
  readonly #marks: Marks;
  readonly #series: WatchedSeries;
  readonly #occurrences: Occurrences;

  constructor(tables: AlarmTables, marks: Marks, series: WatchedSeries, occurrences: Occurrences) {
    this.#tables = tables;
    this.#marks = marks;
    this.#series = series;
    this.#occurrences = occurrences;
  }

  /** Dictionaries whose series are known. */
  readonly #added = new Set<string>();
  /** By series, of dictionaries that late records went by. */
  readonly #definitions = new WeakMap<
    readonly SeriesEntry[],
    ReadonlyMap<number, SeriesEntry['definition']>
  >();

  /**
   * Adopts what a manifest proposes, with the record that brought it or the first that goes by it.
   * One older than the one in force, or of another epoch than the present one, adds what is missing
   * and changes nothing: it comes with a backlog or was asked for again.
   */
  adopt(
    gateway: Gateway,
    place: NonNullable<Gateway['manifest']>,
    entries: readonly SeriesEntry[],
    source: Source,
  ): void {
    const { manifest: before } = gateway;
    const isNewest = isNewer(gateway, place);
    if (isNewest) gateway.manifest = place;
    const key = `${gateway.gateway} ${place.hash}`;
    if (isNewest ? before?.hash === place.hash : this.#added.has(key)) {
      this.#describeWanted(gateway, key, entries, source);
      return;
    }
    if (this.#added.size >= ADDED_MAX) this.#added.clear();
    this.#added.add(key);
    const listed = new Set<number>();
    for (const entry of entries) {
      listed.add(entry.series);
      const known = this.#series.bySeries[entry.series];
      if (entry.definition.rules.length === 0 && !known) continue;
      if (known && !isNewest) continue;
      const watched = this.#describe(gateway, entry, source);
      const { rules, periodMs } = entry.definition;
      this.#adoptSeries(gateway, watched, withDiagnostic(rules, periodMs), source);
    }
    this.#describeWanted(gateway, key, entries, source);
    if (!isNewest) return;
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      if (!listed.has(watched.row.series)) this.#withdrawn(gateway, watched, [], source);
    }
  }

  // A point that another is compared with is watched, though it may have no rule of its own.
  #describeWanted(
    gateway: Gateway,
    dictionary: string,
    entries: readonly SeriesEntry[],
    source: Source,
  ): void {
    const { wanted } = this.#series;
    if (wanted.size === 0) return;
    const names = [...wanted.keys()].filter((key) => key.startsWith(`${gateway.gateway}/`));
    const look = `${dictionary} ${names.join(' ')}`;
    if (names.length === 0 || this.#added.has(look)) return;
    this.#added.add(look);
    for (const entry of entries) {
      const { device, point } = entry.definition;
      const isWanted = wanted.has(pointId(gateway.gateway, device, point));
      if (isWanted) this.#describe(gateway, entry, source);
    }
  }

  /**
   * Whether what a record says of a series is in the terms its rules are in now; a record tells by
   * the dictionary it goes by, whenever it comes.
   */
  isInTerms({ row }: Watched, dictionary: Dictionary | undefined): boolean {
    if (!dictionary) return true;
    const { entries } = dictionary;
    let definitions = this.#definitions.get(entries);
    if (!definitions) {
      definitions = new Map(entries.map(({ series, definition }) => [series, definition]));
      this.#definitions.set(entries, definitions);
    }
    const definition = definitions.get(row.series);
    return definition !== undefined && isInTerms(row, definition);
  }

  /**
   * A person's decision about one rule, in force from now on; null then, else what waits for a
   * second person. The rule itself was checked. Throws a Fault: `rule_unknown`,
   * `rule_no_proposal`, `rule_version_unknown`, `rule_unchanged`.
   */
  decide(
    entry: SeriesEntry,
    id: string,
    { decision, who, reason }: RuleAct,
    source: Source,
    approvals: Approvals,
  ): Approval | null {
    const before = this.row(entry.series, id);
    const { rule, retired } = this.meant(entry.series, id, decision);
    if (before && before.retired === retired && isSameRule(before.rule, rule)) {
      throw new Fault('rule_unchanged', 'never', `${keyOf(entry)}/${id}`);
    }
    if (before && this.needsSecond(entry, rule, retired)) {
      const { series, definition } = entry;
      const { version, rule: standing } = before;
      const { asset, unit } = definition;
      const wish: Wish = { series, asset, unit, before: standing, rule, retired, version };
      const what = `${keyOf(entry)}/${id}`;
      return approvals.ask(RULE_APPROVAL, what, wish, who, reason, source.nowMs);
    }
    const watched = this.#watched(entry);
    this.#decided(watched, { rule, retired }, { who, approver: null, reason }, source);
    return null;
  }

  /** A second person said yes. Throws Fault `rule_changed` where somebody was faster. */
  approved({ document, by, reason }: Approval, approver: Actor, nowMs: number): void {
    const { series, rule, retired, version } = document as Wish;
    const before = this.row(series, rule.id);
    const watched = this.#series.bySeries[series];
    if (!watched || before?.version !== version) {
      const values = { by: before?.author ?? '', version: before?.version ?? 0 };
      throw new Fault('rule_changed', 'never', bilingual('rule-changed-by', values));
    }
    const decider = { who: { ...approver, name: by }, approver: approver.name, reason };
    const source: Source = { isLive: true, receivedMs: nowMs, nowMs };
    this.#decided(watched, { rule, retired }, decider, source);
  }

  /** The rule that a decision would put in force, or out of it. */
  meant(
    series: number,
    id: string,
    decision: RuleDecision,
  ): { readonly rule: Rule; readonly retired: boolean } {
    if (decision.kind === 'set') return { rule: decision.rule, retired: false };
    const before = this.row(series, id);
    if (!before) throw new Fault('rule_unknown', 'never', id);
    switch (decision.kind) {
      case 'accept':
        if (before.proposed) return { rule: before.proposed, retired: false };
        throw new Fault('rule_no_proposal', 'never', id);
      case 'revert': {
        const version = this.#tables.ruleVersions.versionAt(series, id, decision.version);
        if (version) return { rule: version.rule, retired: version.retired };
        throw noVersion(id, decision.version);
      }
      case 'retire':
        return { rule: before.rule, retired: true };
      default:
        return unreachable(decision);
    }
  }

  /** On a life-safety point: whether anything but its texts differs from what is in force. */
  needsSecond({ series, definition }: SeriesEntry, rule: Rule, retired: boolean): boolean {
    const before = this.row(series, rule.id);
    if (definition.class !== 'life-safety' || !before || before.retired) return false;
    return retired || !isSameLimit(before.rule, rule);
  }

  /** As it is now, in force or retired; null where there never was one. */
  row(series: number, id: string): RuleRow | null {
    const watch = this.#series.bySeries[series]?.watches.find(
      ({ subject }) => subject.rule.id === id,
    );
    return watch?.row ?? this.#series.retired.get(`${series}/${id}`) ?? null;
  }

  // A series that nobody had proposed a rule for is watched with its first one.
  #watched({ series, gateway, definition }: SeriesEntry): Watched {
    const known = this.#series.bySeries[series];
    if (known) return known;
    const row = rowOf(series, { gateway, area: this.areaOf(gateway) }, definition);
    this.#tables.putSeries(row);
    return this.#series.addSeries(row);
  }

  /** Set by the consumer: a person decided about a rule of this gateway. */
  onDecided: (gateway: string) => void = () => {};

  #decided(
    watched: Watched,
    { rule, retired }: { readonly rule: Rule; readonly retired: boolean },
    decider: Decider,
    source: Source,
  ): void {
    const watch = watched.watches.find(({ subject }) => subject.rule.id === rule.id);
    if (!retired) this.#put(watched, rule, decider, source);
    else if (watch) this.#retire(watch, decider, source);
    this.onDecided(watched.row.gateway);
  }

  #describe(gateway: Gateway, { series, definition }: SeriesEntry, source: Source): Watched {
    const known = this.#series.bySeries[series];
    const row = rowOf(series, gateway, definition);
    if (known && JSON.stringify(known.row) === JSON.stringify(row)) return known;
    if (known && !isInTerms(known.row, definition)) {
      this.onTerms(known, source);
      for (const watch of known.watches) {
        if (!watch.verdict.memory) continue;
        watch.verdict = withoutMemory(watch.verdict);
        this.#series.keep(watch);
      }
      // A value in other terms says nothing to a limit in these: the next reading will.
      this.#marks.forgetValue(series);
    }
    this.#tables.putSeries(row);
    return this.#series.addSeries(row);
  }

  #adoptSeries(
    gateway: Gateway,
    watched: Watched,
    proposals: readonly Rule[],
    source: Source,
  ): void {
    const decider = proposedBy(gateway.gateway);
    for (const rule of proposals) {
      const watch = watched.watches.find(({ subject }) => subject.rule.id === rule.id);
      const before = watch?.row ?? this.#series.retired.get(`${watched.row.series}/${rule.id}`);
      const isSame = before !== undefined && isSameRule(before.rule, rule);
      if (before && !isGateway(before.author)) this.#propose(watched, watch, before, rule, source);
      else if (!watch || !isSame) this.#put(watched, rule, decider, source);
    }
    this.#withdrawn(gateway, watched, proposals, source);
  }

  // What the gateway no longer proposes and no person decided goes out of force.
  #withdrawn(gateway: Gateway, watched: Watched, proposals: readonly Rule[], source: Source): void {
    for (const watch of [...watched.watches]) {
      const { rule } = watch.subject;
      if (proposals.some(({ id }) => id === rule.id)) continue;
      if (!isGateway(watch.row.author)) {
        this.#propose(watched, watch, watch.row, null, source);
        continue;
      }
      this.#retire(watch, proposedBy(gateway.gateway), source);
    }
  }

  #retire(watch: Watch, decider: Decider, source: Source): void {
    const { who, reason } = decider;
    const { watched, row: before } = watch;
    this.#occurrences.withdraw(watch, source);
    this.#series.keep(watch);
    const version = before.version + 1;
    const after: RuleRow = { ...before, version, author: who.name, reason, retired: true };
    this.#keep(after, decider, source);
    this.#journal('rule-retired', decider, watched, before.rule, null, source);
    watch.row = after;
    this.#series.removeWatch(watch);
  }

  // A person's decision stands. The same proposal twice is one entry in the journal.
  #propose(
    watched: Watched,
    watch: Watch | undefined,
    before: RuleRow,
    rule: Rule | null,
    source: Source,
  ): void {
    const { id } = before.rule;
    const proposed = isSameRule(before.rule, rule) ? null : rule;
    if (isSameRule(before.proposed, proposed)) return;
    const after: RuleRow = { ...before, proposed };
    this.#tables.putRule(after);
    if (watch) watch.row = after;
    if (!watch) this.#series.retired.set(`${before.series}/${id}`, after);
    const decider = proposedBy(watched.row.gateway);
    this.#journal('rule-proposed', decider, watched, before.proposed, proposed, source, id);
  }

  #put(watched: Watched, rule: Rule, decider: Decider, source: Source): void {
    const { series } = watched.row;
    const known = watched.watches.find(({ subject }) => subject.rule.id === rule.id);
    const before = known?.row ?? this.#series.retired.get(`${series}/${rule.id}`);
    const version = (before?.version ?? 0) + 1;
    const { who, reason } = decider;
    const decided = { version, author: who.name, reason, retired: false };
    const proposed = isGateway(who.name) ? null : stillProposed(before, rule);
    const row: RuleRow = { series, rule, ...decided, proposed };
    this.#keep(row, decider, source);
    this.#series.retired.delete(`${series}/${rule.id}`);
    this.#journal('rule-in-force', decider, watched, before?.rule ?? null, rule, source);
    const watch = known ?? this.#series.addWatch(watched, row);
    if (known && known.subject.rule.kind !== rule.kind) {
      // What was kept for a rule of another kind says nothing to this one.
      this.#occurrences.withdraw(known, source);
      known.verdict = NO_VERDICT;
    }
    watch.row = row;
    watch.subject = { ...watch.subject, rule };
    this.#series.pair(watch);
    this.rejudge(watch, source);
  }

  #keep(row: RuleRow, { approver }: Decider, { nowMs }: Source): void {
    const { series, rule, version, author, reason, retired } = row;
    this.#tables.putRule(row);
    const decided = { author, approver, reason, decidedMs: nowMs, retired };
    this.#tables.ruleVersions.add({ series, rule, version, ...decided });
  }

  /**
   * Brings a watch in line with the newest reading, which is now: after its rule or its past has
   * changed.
   */
  rejudge(watch: Watch, source: Source): void {
    const { series, gateway } = watch.watched.row;
    const epoch = this.epochOf(gateway);
    if (epoch === null) return;
    const track = this.#marks.track(series, epoch.epoch);
    const atMs = track.markMonoMs + epoch.offsetMs;
    const before = { track, verdict: watch.verdict };
    const [after, transitions] = rejudge(watch.subject, before, atMs);
    watch.verdict = after.verdict;
    this.#occurrences.take(watch, transitions, { ...source, isLive: true });
    this.#series.keep(watch);
  }

  /** Set by the consumer: the present epoch of a gateway and its label, or null. */
  epochOf: (gateway: string) => { readonly epoch: string; readonly offsetMs: number } | null = () =>
    null;

  /** Set by the consumer: the area of a gateway. */
  areaOf: (gateway: string) => string = () => '';

  /** Set by the consumer: a series is about to speak in other terms; rules are still the old. */
  onTerms: (watched: Watched, source: Source) => void = () => {};

  #journal(
    kind: string,
    { who }: Decider,
    watched: Watched,
    before: Rule | null,
    after: Rule | null,
    { nowMs }: Source,
    rule = (after ?? before)?.id,
  ): void {
    this.#occurrences.journal(kind, who, `${watched.key}/${rule}`, before, after, nowMs);
  }
}

function isInTerms(row: SeriesRow, { unit, scale, offset }: SeriesEntry['definition']): boolean {
  return row.unit === unit && row.scale === scale && row.offset === offset;
}

function noVersion(rule: string, version: number): Fault {
  return new Fault(
    'rule_version_unknown',
    'never',
    bilingual('rule-no-version', { rule, version }),
  );
}

/** Who puts a rule in force, and why. */
interface Decider {
  readonly who: Actor;
  readonly approver: string | null;
  readonly reason: string;
}

function proposedBy(gateway: string): Decider {
  const who = { name: `gateway ${gateway}`, from: gateway };
  return { who, approver: null, reason: 'proposed' };
}

/** What a gateway proposes stays beside a person's decision as long as it differs. */
function stillProposed(before: RuleRow | undefined, rule: Rule): Rule | null {
  const { proposed = null, author = '' } = before ?? {};
  const standing = before && isGateway(author) ? before.rule : proposed;
  return standing && !isSameRule(standing, rule) ? standing : null;
}

function keyOf({ gateway, definition: { device, point } }: SeriesEntry): string {
  return pointId(gateway, device, point);
}

function rowOf(
  series: number,
  { gateway, area }: Pick<Gateway, 'gateway' | 'area'>,
  { device, point, name, unit, scale, offset, periodMs, asset, ...rest }: SeriesEntry['definition'],
): SeriesRow {
  const terms = { unit, scale, offset, periodMs, asset, class: rest.class };
  return { series, area, gateway, device, point, name, ...terms };
}

/** Not the gateway's own proposal. */
export function isOfPerson({ author }: Pick<RuleRow, 'author'>): boolean {
  return !isGateway(author);
}

function isGateway(author: string): boolean {
  return author.startsWith('gateway ');
}

function isNewer(gateway: Gateway, { epoch, sequence }: NonNullable<Gateway['manifest']>): boolean {
  const { manifest } = gateway;
  if (manifest === null) return true;
  if (manifest.epoch === epoch) return sequence >= manifest.sequence;
  return orderOf(gateway, epoch) >= orderOf(gateway, manifest.epoch);
}
