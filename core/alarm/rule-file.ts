// A file of rules: a list of points, each with a rule, YAML or JSON. Read against the points that
// are known, so that a rule for a point that is not there, one that never fires and one that
// contradicts a rule in force are findings at their line and column.
//
// A point is named `gateway/device/point`, or `device/point` where one gateway has it; `*` stands
// for any signs within one part, and such a rule is made for every point that fits.
import { z } from 'zod';
import { readDocument } from '../document.ts';
import { pointId } from '../point.ts';
import type { Path, Problems } from '../problems.ts';
import { didYouMean } from '../problems.ts';
import type { MessageKey } from '../text/text.ts';
import { bilingual } from '../text/text.ts';
import type { RuleFinding } from './check.ts';
import { checkNeighbours, checkRule, findingText } from './check.ts';
import { lostOf } from './rule-change.ts';
import type { NamedRuleSource, Rule, RulePoint } from './rule-form.ts';
import { ruleFileOptions, ruleOf } from './rule-form.ts';

/** As many points as a rule file may speak of one by one; a glob speaks of more. */
export const FILE_RULES_MAX = 2_000;

/** The format of a rule file, version 1. */
export const ruleFileForm = z.strictObject({
  version: z.literal(1),
  rules: z.array(z.discriminatedUnion('kind', ruleFileOptions)).min(1).max(FILE_RULES_MAX),
});

/** What core/alarm/rules.schema.json holds; a test keeps it current. */
export function ruleFileJsonSchema(): object {
  const { $schema, ...rest } = z.toJSONSchema(ruleFileForm, { io: 'input', target: 'draft-07' });
  return { $schema, title: 'Lifeline rules, version 1', ...rest };
}

export interface KnownPoint extends RulePoint {
  readonly gateway: string;
}

/** What a file is read against. */
export interface KnownRules {
  readonly points: readonly KnownPoint[];
  /** The rules in force on `gateway/device/point`. */
  readonly inForce: (key: string) => readonly Rule[];
}

export interface RuleOfPoint {
  /** `gateway/device/point`. */
  readonly key: string;
  readonly rule: Rule;
}

export interface RuleFile {
  /** Empty while anything is wrong. */
  readonly rules: readonly RuleOfPoint[];
  readonly problems: Problems;
}

/** Without `known` only what a rule says of itself is checked, and no rules are made. */
export function readRuleFile(
  source: string | Uint8Array,
  file: string,
  known: KnownRules | null,
): RuleFile {
  const { value, problems } = readDocument(source, file, ruleFileForm);
  if (!value) return { rules: [], problems };
  if (!known) {
    checkAlone(value.rules, problems);
    return { rules: [], problems };
  }
  const made = new RuleMaker(known, problems);
  for (const [at, entry] of value.rules.entries()) made.take(entry, ['rules', at]);
  made.checkNeighbours();
  return { rules: problems.failed ? [] : made.rules, problems };
}

type Entry = z.infer<typeof ruleFileForm>['rules'][number];

/** Rules for the same points by the same words are neighbours, whatever the points are. */
function checkAlone(entries: readonly Entry[], problems: Problems): void {
  const byPoint = new Map<string, { readonly at: number; readonly rule: Rule }[]>();
  for (const [at, entry] of entries.entries()) {
    const gateway = gatewayOf(entry.point);
    const place = { gateway, point: unknownPoint(entry.point), others: null };
    const rule = ruleOf(entry, place.point);
    report(checkRule(rule, place), ['rules', at], entry, problems);
    const list = byPoint.get(entry.point);
    if (list) list.push({ at, rule });
    else byPoint.set(entry.point, [{ at, rule }]);
  }
  for (const list of byPoint.values()) {
    for (const finding of checkNeighbours(list.map(({ rule }) => rule))) {
      const { at } = list[finding.at]!;
      report([finding], ['rules', at], entries[at]!, problems);
    }
  }
}

/** Null where the words of a point leave it open. */
function gatewayOf(pattern: string): string | null {
  const [gateway = '', ...rest] = pattern.split('/');
  return rest.length === 2 && !gateway.includes('*') ? gateway : null;
}

interface Made extends RuleOfPoint {
  readonly path: Path;
  readonly entry: Entry;
}

class RuleMaker {
  readonly rules: Made[] = [];
  readonly #known: KnownRules;
  readonly #problems: Problems;
  readonly #byKey: ReadonlyMap<string, KnownPoint>;
  readonly #byGateway = new Map<string, Map<string, KnownPoint>>();

  constructor(known: KnownRules, problems: Problems) {
    this.#known = known;
    this.#problems = problems;
    this.#byKey = new Map(known.points.map((point) => [keyOf(point), point]));
    for (const point of known.points) {
      const siblings = this.#byGateway.get(point.gateway) ?? new Map<string, KnownPoint>();
      siblings.set(`${point.device}/${point.point}`, point);
      this.#byGateway.set(point.gateway, siblings);
    }
  }

  take(entry: Entry, path: Path): void {
    const said = new Set<string>();
    for (const point of this.#matches(entry.point, path)) {
      const rule = ruleOf(entry as NamedRuleSource, point);
      const others = this.#byGateway.get(point.gateway) ?? new Map<string, KnownPoint>();
      const found = checkRule(rule, { gateway: point.gateway, point, others });
      const standing = this.#known.inForce(keyOf(point)).find(({ id }) => id === rule.id);
      const lost = standing ? lostOf(standing, rule) : [];
      // What is wrong for a hundred points alike is one mistake.
      const news = [...found, ...lost.map((word) => loss(word, rule.id))].filter(
        ({ code, field, values }) => {
          const mark = `${code} ${field} ${values['lost'] ?? ''}`;
          return !said.has(mark) && said.add(mark);
        },
      );
      report(news, path, entry, this.#problems);
      this.rules.push({ key: keyOf(point), rule, path, entry });
    }
  }

  #matches(pattern: string, path: Path): readonly KnownPoint[] {
    const at = [...path, 'point'];
    const isGlob = pattern.includes('*');
    const isWhole = pattern.split('/').length === 3;
    const exact = isWhole && !isGlob ? this.#byKey.get(pattern) : undefined;
    if (exact) return [exact];
    const form = formOf(isWhole ? pattern : `*/${pattern}`);
    const found = this.#known.points.filter((point) => form.test(keyOf(point)));
    if (found.length === 0) {
      const near = isGlob ? undefined : this.#nearest(pattern, isWhole);
      const help = near === undefined ? undefined : bilingual('help-did-you-mean', { word: near });
      const code: MessageKey = isGlob ? 'rule-glob-empty' : 'rule-point-unknown';
      this.#problems.add(at, code, { point: pattern }, { help });
    } else if (!isGlob && found.length > 1) {
      const keys = found.map(keyOf).slice(0, 5).join(', ');
      const help = bilingual('help-rule-point', { point: pattern });
      this.#problems.add(at, 'rule-point-ambiguous', { point: pattern, keys }, { help });
      return [];
    }
    return found;
  }

  #nearest(pattern: string, isWhole: boolean): string | undefined {
    const names = this.#known.points.map((point) =>
      isWhole ? keyOf(point) : `${point.device}/${point.point}`,
    );
    return didYouMean(pattern, new Set(names));
  }

  /** A rule of the file goes before the one of the same name that is in force. */
  checkNeighbours(): void {
    const byKey = new Map<string, Made[]>();
    for (const made of this.rules) {
      const list = byKey.get(made.key);
      if (list) list.push(made);
      else byKey.set(made.key, [made]);
    }
    const said = new Set<string>();
    for (const [key, list] of byKey) {
      const ids = new Set(list.map(({ rule }) => rule.id));
      const standing = this.#known.inForce(key).filter(({ id }) => !ids.has(id));
      const rules = [...standing, ...list.map(({ rule }) => rule)];
      for (const finding of checkNeighbours(rules)) {
        const made = list[finding.at - standing.length];
        const mark = `${made?.path.join(' ')} ${finding.code} ${finding.field}`;
        if (!made || said.has(mark)) continue;
        said.add(mark);
        report([finding], made.path, made.entry, this.#problems);
      }
    }
  }
}

/** A file says the whole of a rule: what it leaves out is not kept. */
function loss(word: string, id: string): RuleFinding {
  const help = bilingual('help-rule-loses', { lost: word });
  const values = { id, lost: word };
  return { field: null, code: 'rule-loses', values, help, severity: 'warning' };
}

function report(
  findings: readonly RuleFinding[],
  path: Path,
  entry: object,
  problems: Problems,
): void {
  for (const finding of findings) {
    const { field, code, help = null, severity } = finding;
    const at = field !== null && Object.hasOwn(entry, field) ? [...path, field] : path;
    problems.adopt({ code, message: findingText(finding), help, severity }, at);
  }
}

function keyOf({ gateway, device, point }: KnownPoint): string {
  return pointId(gateway, device, point);
}

function formOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('*', '[a-z0-9-]*')}$`);
}

/** A point of which nothing is known contradicts nothing. */
function unknownPoint(pattern: string): RulePoint {
  const [point = '', device = ''] = pattern.split('/').reverse();
  const name = { en: pattern, zh: pattern };
  const how = { unit: '', type: 'number', range: null, periodMs: 0, class: 'trend' } as const;
  return { device, point, name, ...how };
}
