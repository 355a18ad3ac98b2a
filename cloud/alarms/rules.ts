// Profiles and gateway files propose rules in the dictionary; this registry decides. A proposal is
// adopted under the gateway's name while nobody else has touched the rule; once a person has, a
// proposal that differs is kept beside it, shown, and never applied. Every decision is a version
// with author and reason, and in the journal.
import { rejudge } from '../../core/alarm/evaluate.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { Fault } from '../../core/fault.ts';
import { orderOf } from '../epochs.ts';
import type { Dictionary, SeriesEntry } from '../inbox/decoded.ts';
import type { Marks } from './marks.ts';
import type { Actor, Occurrences, Source } from './occurrences.ts';
import type { Gateway } from './order.ts';
import type { AlarmTables, RuleRow, SeriesRow } from './tables.ts';
import type { Watch, Watched, WatchedSeries } from './watched.ts';

/** Dictionaries remembered as seen; beyond it they are looked through again. */
const ADDED_MAX = 10_000;

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
    if (isNewest ? before?.hash === place.hash : this.#added.has(key)) return;
    if (this.#added.size >= ADDED_MAX) this.#added.clear();
    this.#added.add(key);
    const listed = new Set<number>();
    for (const entry of entries) {
      listed.add(entry.series);
      const known = this.#series.bySeries[entry.series];
      if (entry.definition.rules.length === 0 && !known) continue;
      if (known && !isNewest) continue;
      const watched = this.#describe(gateway, entry, source);
      this.#adoptSeries(gateway, watched, entry.definition.rules, source);
    }
    if (!isNewest) return;
    for (const watched of this.#series.byGateway.get(gateway.gateway) ?? []) {
      if (!listed.has(watched.row.series)) this.#withdrawn(gateway, watched, [], source);
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

  /** A person's decision: puts a rule in force, from now on. */
  decide(key: string, rule: Rule, who: Actor, reason: string, source: Source): RuleRow {
    const watched = this.#series.byKey.get(key);
    if (!watched) throw new Fault('alarm_rule_unknown', 'never', key);
    return this.#put(watched, rule, who, reason, source);
  }

  #describe(gateway: Gateway, { series, definition }: SeriesEntry, source: Source): Watched {
    const { device, point, name, unit, scale, offset, periodMs, asset } = definition;
    const known = this.#series.bySeries[series];
    const whose = { series, area: gateway.area, gateway: gateway.gateway, device, point };
    const row: SeriesRow = { ...whose, name, unit, scale, offset, periodMs, asset };
    if (known && JSON.stringify(known.row) === JSON.stringify(row)) return known;
    if (known && !isInTerms(known.row, definition)) {
      this.onTerms(known, source);
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
    const author = gatewayActor(gateway.gateway);
    for (const rule of proposals) {
      const watch = watched.watches.find(({ subject }) => subject.rule.id === rule.id);
      const before = watch?.row ?? this.#series.retired.get(`${watched.row.series}/${rule.id}`);
      const isSame = before !== undefined && JSON.stringify(before.rule) === JSON.stringify(rule);
      if (before && !isGateway(before.author)) this.#propose(watched, watch, before, rule, source);
      else if (!watch || !isSame) this.#put(watched, rule, author, 'proposed', source);
    }
    this.#withdrawn(gateway, watched, proposals, source);
  }

  // What the gateway no longer proposes and no person decided goes out of force.
  #withdrawn(gateway: Gateway, watched: Watched, proposals: readonly Rule[], source: Source): void {
    for (const watch of [...watched.watches]) {
      const { rule } = watch.subject;
      if (!isGateway(watch.row.author) || proposals.some(({ id }) => id === rule.id)) continue;
      this.#occurrences.withdraw(watch, source);
      this.#series.keep(watch);
      const after: RuleRow = { ...watch.row, retired: true };
      this.#tables.putRule(after);
      this.#journal('rule-retired', gatewayActor(gateway.gateway), watched, rule, null, source);
      watch.row = after;
      this.#series.removeWatch(watch);
    }
  }

  // A person's decision stands. The same proposal twice is one entry in the journal.
  #propose(
    watched: Watched,
    watch: Watch | undefined,
    before: RuleRow,
    rule: Rule,
    source: Source,
  ): void {
    const differs = JSON.stringify(before.rule) !== JSON.stringify(rule);
    const proposed = differs ? rule : null;
    if (JSON.stringify(before.proposed) === JSON.stringify(proposed)) return;
    const after: RuleRow = { ...before, proposed };
    this.#tables.putRule(after);
    if (watch) watch.row = after;
    const author = gatewayActor(watched.row.gateway);
    this.#journal('rule-proposed', author, watched, before.proposed, proposed, source, rule.id);
  }

  #put(watched: Watched, rule: Rule, who: Actor, reason: string, source: Source): RuleRow {
    const { series } = watched.row;
    const known = watched.watches.find(({ subject }) => subject.rule.id === rule.id);
    const before = known?.row ?? this.#series.retired.get(`${series}/${rule.id}`);
    const version = (before?.version ?? 0) + 1;
    const author = who.name;
    const row: RuleRow = { series, rule, version, author, reason, proposed: null, retired: false };
    this.#tables.putRule(row);
    this.#series.retired.delete(`${series}/${rule.id}`);
    this.#journal('rule-in-force', who, watched, before?.rule ?? null, rule, source);
    const watch = known ?? this.#series.addWatch(watched, row);
    watch.row = row;
    watch.subject = { ...watch.subject, rule };
    this.rejudge(watch, source);
    return row;
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

  /** Set by the consumer: a series is about to speak in other terms; rules are still the old. */
  onTerms: (watched: Watched, source: Source) => void = () => {};

  #journal(
    kind: string,
    who: Actor,
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

function gatewayActor(gateway: string): Actor {
  return { name: `gateway ${gateway}`, from: `gateway ${gateway}` };
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
