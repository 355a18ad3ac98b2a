// Rules over the API: what is in force and who decided it, checking, deciding, every version. Who
// reads may check; who administers decides. A rule goes in and out in the words of a rule file.
import {
  checkNeighbours,
  checkRule,
  findingText,
  type RuleFinding,
} from '../../core/alarm/check.ts';
import type { Rule } from '../../core/alarm/rule.ts';
import { changesOf } from '../../core/alarm/rule-change.ts';
import type { RuleFile } from '../../core/alarm/rule-file.ts';
import { readRuleFile } from '../../core/alarm/rule-file.ts';
import { defaultsOf, isSameRule, ruleOf, sourceOf } from '../../core/alarm/rule-form.ts';
import { conditionText } from '../../core/alarm/rule-words.ts';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import { pointId } from '../../core/point.ts';
import { Problems } from '../../core/problems.ts';
import { bilingual } from '../../core/text/text.ts';
import type { AlarmConsumer } from '../alarms/consumer.ts';
import type { AlarmEvent } from '../alarms/occurrences.ts';
import type { RuleDecision } from '../alarms/rules.ts';
import { RULE_APPROVAL } from '../alarms/rules.ts';
import type { RuleRow } from '../alarms/tables.ts';
import type { SeriesEntry } from '../inbox/decoded.ts';
import type { Principal } from '../registry/registry.ts';
import { approvalObject } from './approval-object.ts';
import type { Call, Route } from './route.ts';
import { checkRevision, route } from './route.ts';
import { iso } from './routes.ts';
import * as schemas from './rule-schemas.ts';
import { listOf } from './schemas.ts';
import { withinScope } from './stream.ts';

export interface RuleSources {
  readonly alarms: Pick<AlarmConsumer, 'tables' | 'ruling' | 'decide' | 'approvals'>;
  /** All series, by number. */
  readonly series: ReadonlyMap<number, SeriesEntry>;
  readonly onEvents: (events: readonly AlarmEvent[]) => void;
}

export function ruleRoutes(clock: Clock, sources: RuleSources): Route[] {
  const desk = new RuleDesk(clock, sources);
  const decided = {
    method: 'POST',
    right: 'administer',
    params: schemas.ruleParams,
    answer: schemas.rule,
    problems: [409, 412],
  } as const;
  const url = '/v1/rules/:gateway/:device/:point/:rule';
  return [
    ...readRoutes(desk, url),
    ...fileRoutes(desk),
    route({
      ...decided,
      url,
      summary: 'Set a rule; If-Match names the version it was read at',
      body: schemas.ruleDecision,
      handle: (call) => {
        const { rule: source, reason } = call.body;
        const entry = desk.entry(call);
        const rule = ruleOf({ ...source, id: call.params.rule }, entry.definition);
        return desk.decide(call, entry, { kind: 'set', rule }, reason);
      },
    }),
    route({
      ...decided,
      url: `${url}/accept`,
      summary: 'Take what its gateway proposes and differs',
      body: schemas.ruleReason,
      handle: (call) => desk.decide(call, desk.entry(call), { kind: 'accept' }, call.body.reason),
    }),
    route({
      ...decided,
      url: `${url}/revert`,
      summary: 'Go back to an earlier version, as a new one',
      body: schemas.ruleRevert,
      handle: (call) => {
        const { version, reason } = call.body;
        return desk.decide(call, desk.entry(call), { kind: 'revert', version }, reason);
      },
    }),
    route({
      ...decided,
      url: `${url}/retire`,
      summary: 'Put a rule out of force, whatever its gateway proposes',
      body: schemas.ruleReason,
      handle: (call) => desk.decide(call, desk.entry(call), { kind: 'retire' }, call.body.reason),
    }),
  ];
}

function readRoutes(desk: RuleDesk, url: string): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/rules',
      right: 'read',
      summary: 'Rules by point: what is in force, who decided it and why',
      query: schemas.ruleQuery,
      answer: listOf(schemas.rule),
      handle: ({ query, principal }) => desk.list(query, principal),
    }),
    route({
      method: 'GET',
      url,
      right: 'read',
      summary: 'One rule',
      params: schemas.ruleParams,
      answer: schemas.rule,
      handle: (call) => desk.object(desk.entry(call), desk.row(call)),
    }),
    route({
      method: 'GET',
      url: `${url}/versions`,
      right: 'read',
      summary: 'Every version of a rule, the oldest first: who, when, why',
      params: schemas.ruleParams,
      answer: listOf(schemas.ruleVersion),
      handle: (call) => desk.versions(desk.entry(call), desk.row(call)),
    }),
  ];
}

function fileRoutes(desk: RuleDesk): Route[] {
  return [
    route({
      method: 'POST',
      url: '/v1/rules/check',
      right: 'read',
      summary: 'What is wrong with a rule file, and what it would change; nothing is set',
      body: schemas.ruleFile,
      answer: schemas.ruleCheck,
      handle: (call) => desk.check(call, null),
    }),
    route({
      method: 'POST',
      url: '/v1/rules/set',
      right: 'administer',
      summary: 'Set the rules of a file: all of them, or none when anything is wrong',
      problems: [409],
      body: schemas.ruleFileDecision,
      answer: schemas.ruleCheck,
      handle: (call) => desk.check(call, call.body.reason),
    }),
  ];
}

interface Named {
  readonly gateway: string;
  readonly device: string;
  readonly point: string;
  readonly rule: string;
}

interface Listed {
  readonly gateway?: string | undefined;
  readonly point?: string | undefined;
  readonly show: 'in-force' | 'retired' | 'differing' | 'all';
  readonly limit: number;
  readonly after?: string | undefined;
}

/** Finds, checks, decides. */
class RuleDesk {
  readonly #clock: Clock;
  readonly #sources: RuleSources;

  constructor(clock: Clock, sources: RuleSources) {
    this.#clock = clock;
    this.#sources = sources;
  }

  entry({ params, principal }: Pick<Call<Named, unknown, unknown>, 'params' | 'principal'>) {
    const key = pointId(params.gateway, params.device, params.point);
    const entry = this.#seen(principal).find((each) => keyOf(each) === key);
    if (entry) return entry;
    throw new Fault('api_not_found', 'never', bilingual('rule-point-unknown', { point: key }));
  }

  row(call: Pick<Call<Named, unknown, unknown>, 'params' | 'principal'>): RuleRow {
    const row = this.#sources.alarms.ruling.row(this.entry(call).series, call.params.rule);
    if (row) return row;
    throw new Fault('rule_unknown', 'never', call.params.rule);
  }

  list({ gateway, point, show, limit, after }: Listed, principal: Principal) {
    const [fromSeries = '0', fromRule = ''] = (after ?? '').split('/');
    const entries = this.#seen(principal)
      .filter(({ series }) => series >= Number(fromSeries))
      .filter((entry) => gateway === undefined || entry.gateway === gateway)
      .filter((entry) => point === undefined || keyOf(entry) === point)
      .sort((a, b) => a.series - b.series);
    const items: ReturnType<RuleDesk['object']>[] = [];
    for (const entry of entries) {
      for (const row of this.#sources.alarms.tables.rulesOf(entry.series)) {
        const isPassed = entry.series === Number(fromSeries) && row.rule.id <= fromRule;
        if (isPassed || !isShown(row, show)) continue;
        if (items.length === limit) {
          const { series, id } = items.at(-1)!;
          return { next: `${series}/${id}`, items };
        }
        items.push(this.object(entry, row));
      }
    }
    return { next: null, items };
  }

  object(entry: SeriesEntry, row: RuleRow) {
    const { series, definition } = entry;
    const { rule, version, proposed } = row;
    const { alarms } = this.#sources;
    const key = keyOf(entry);
    const kept = alarms.tables.ruleVersions.versionAt(series, rule.id, version);
    const waiting = alarms.approvals
      .pending(this.#clock.wallMs())
      .filter(({ kind, what }) => kind === RULE_APPROVAL && what === `${key}/${rule.id}`);
    return {
      ...{ point: key, series, id: rule.id, name: definition.name, asset: definition.asset },
      ...{ class: definition.class, unit: definition.unit, rule: { ...sourceOf(rule) } },
      when: whenOf(rule, definition.unit),
      defaults: defaultsOf(rule),
      ...{ version, revision: version, author: row.author, approver: kept?.approver ?? null },
      ...{ reason: row.reason, decided: kept?.decidedMs ? iso(kept.decidedMs) : null },
      retired: row.retired,
      proposed: proposed && { ...sourceOf(proposed) },
      waiting: waiting.map((approval) => approvalObject(approval)),
    };
  }

  versions({ series, definition }: SeriesEntry, { rule }: RuleRow) {
    const versions = this.#sources.alarms.tables.ruleVersions.versions(series, rule.id);
    const items = versions.map(({ rule: each, decidedMs, version, author, ...rest }) => ({
      ...{ version, author, rule: { ...sourceOf(each) }, when: whenOf(each, definition.unit) },
      ...{ approver: rest.approver, reason: rest.reason, retired: rest.retired },
      decided: decidedMs ? iso(decidedMs) : null,
    }));
    return { next: null, items };
  }

  decide(
    call: Call<Named, unknown, unknown>,
    entry: SeriesEntry,
    decision: RuleDecision,
    reason: string,
  ) {
    const { ruling, tables } = this.#sources.alarms;
    const id = call.params.rule;
    const row = ruling.row(entry.series, id);
    const kept = row && tables.ruleVersions.versionAt(entry.series, id, row.version);
    const revised = { by: row?.author ?? '', atMs: kept?.decidedMs ?? 0 };
    checkRevision(call.ifMatch, { revision: row?.version ?? 0, ...revised });
    const { rule, retired } = ruling.meant(entry.series, id, decision);
    if (!retired) this.#mustBeRight(entry, rule);
    this.#do(call, entry, id, decision, reason);
    return this.object(entry, ruling.row(entry.series, id)!);
  }

  /** With a reason the file is set, without it is only checked. */
  check(call: Call<unknown, unknown, { text: string; file: string }>, reason: string | null) {
    const { text, file } = call.body;
    const entries = this.#seen(call.principal);
    const byKey = new Map(entries.map((entry) => [keyOf(entry), entry]));
    const read = readRuleFile(text, file, {
      points: entries.map(({ gateway, definition }) => ({ gateway, ...definition })),
      inForce: (key) => this.#inForce(byKey.get(key)),
    });
    const changes = read.rules.map(({ key, rule }) => {
      const entry = byKey.get(key)!;
      const row = this.#sources.alarms.ruling.row(entry.series, rule.id);
      const standing = row && !row.retired ? row.rule : null;
      const fields = changesOf(standing, rule);
      const isSame = isSameRule(standing, rule);
      let approval: number | null = null;
      let outcome: 'new' | 'changed' | 'unchanged' | 'waits' = 'unchanged';
      if (!isSame) {
        const waits = this.#sources.alarms.ruling.needsSecond(entry, rule, false);
        outcome = waits ? 'waits' : standing ? 'changed' : 'new';
        const decision = { kind: 'set', rule } as const;
        if (reason !== null) approval = this.#do(call, entry, rule.id, decision, reason);
      }
      const now = this.#sources.alarms.ruling.row(entry.series, rule.id);
      const version = now?.version ?? 0;
      return { point: key, id: rule.id, outcome, version, approval, fields: [...fields] };
    });
    return { ...findingsOf(read), changes };
  }

  #do(
    { principal, from }: Pick<Call<unknown, unknown, unknown>, 'principal' | 'from'>,
    entry: SeriesEntry,
    id: string,
    decision: RuleDecision,
    reason: string,
  ): number | null {
    const who = { name: principal.name, from };
    const { alarms, onEvents } = this.#sources;
    const act = { decision, who, reason };
    const { events, approval } = alarms.decide(entry, id, act, this.#clock.wallMs());
    onEvents(events);
    return approval?.id ?? null;
  }

  #mustBeRight(entry: SeriesEntry, rule: Rule): void {
    const siblings = [...this.#sources.series.values()].filter(
      ({ gateway }) => gateway === entry.gateway,
    );
    const others = new Map(
      siblings.map(({ definition }) => [`${definition.device}/${definition.point}`, definition]),
    );
    const place = { gateway: entry.gateway, point: entry.definition, others };
    const standing = this.#inForce(entry).filter(({ id }) => id !== rule.id);
    const neighbours = checkNeighbours([...standing, rule]);
    const problems = new Problems('rule');
    const own = neighbours.filter(({ at }) => at === standing.length);
    for (const finding of [...checkRule(rule, place), ...own]) add(problems, finding);
    problems.throwIfAny();
  }

  #inForce(entry: SeriesEntry | undefined): readonly Rule[] {
    if (!entry) return [];
    const rows = this.#sources.alarms.tables.rulesOf(entry.series);
    return rows.filter(({ retired }) => !retired).map(({ rule }) => rule);
  }

  #seen({ scope }: Principal): SeriesEntry[] {
    const entries = [...this.#sources.series.values()];
    return entries.filter(({ definition }) => withinScope(scope, definition.asset));
  }
}

function add(problems: Problems, finding: RuleFinding): void {
  const { code, help = null, severity, field } = finding;
  const path = field === null ? [] : [field];
  problems.adopt({ code, message: findingText(finding), help, severity }, path);
}

function keyOf({ gateway, definition: { device, point } }: SeriesEntry): string {
  return pointId(gateway, device, point);
}

function isShown({ retired, proposed }: RuleRow, show: Listed['show']): boolean {
  if (show === 'all') return true;
  if (show === 'differing') return proposed !== null;
  return retired === (show === 'retired');
}

function whenOf(rule: Rule, unit: string) {
  return { en: conditionText(rule, unit, 'en'), zh: conditionText(rule, unit, 'zh') };
}

function findingsOf({ problems: { failed, findings, beyond } }: RuleFile) {
  return {
    ...{ failed, beyond },
    findings: findings.map(({ code, severity, path, place, message, help }) => ({
      ...{ code, severity, path: path.join('.'), message, help },
      line: place?.line ?? null,
      column: place?.column ?? null,
    })),
  };
}
