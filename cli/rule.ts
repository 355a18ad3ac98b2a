// `lifeline rule`: what is in force and who decided it, checking and setting rule files, and the
// baseline of a point from its stored history. Speaks to a running cloud; `check --offline` needs
// none and says what can be said without the points.
import { BASELINE_HOURS } from '../core/alarm/rule.ts';
import type { FieldChange } from '../core/alarm/rule-change.ts';
import { readRuleFile } from '../core/alarm/rule-file.ts';
import { systemClock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Finding } from '../core/problems.ts';
import type { Bilingual, MessageKey } from '../core/text/text.ts';
import { bilingual } from '../core/text/text.ts';
import { Client, clientOptions } from './client.ts';
import { levels } from './columns.ts';
import { readText } from './files.ts';
import { checkFile, noteFindings } from './findings.ts';
import { localTime, timeOf } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

interface Rule {
  readonly point: string;
  readonly id: string;
  readonly rule: Readonly<Record<string, unknown>>;
  readonly when: Bilingual;
  readonly defaults: Readonly<Record<string, number | string>>;
  readonly version: number;
  readonly author: string;
  readonly approver: string | null;
  readonly reason: string;
  readonly decided: string | null;
  readonly retired: boolean;
  readonly proposed: Readonly<Record<string, unknown>> | null;
  readonly waiting: readonly { readonly id: number; readonly by: string }[];
}

interface Checked {
  readonly failed: boolean;
  readonly findings: readonly {
    readonly code: MessageKey;
    readonly severity: Finding['severity'];
    readonly path: string;
    readonly line: number | null;
    readonly column: number | null;
    readonly message: Bilingual;
    readonly help: Bilingual | null;
  }[];
  readonly beyond: number;
  readonly changes: readonly {
    readonly point: string;
    readonly id: string;
    readonly outcome: 'new' | 'changed' | 'unchanged' | 'waits';
    readonly version: number;
    readonly approval: number | null;
    readonly fields: readonly FieldChange[];
  }[];
}

function line(rule: Rule, { language, say }: Output): string {
  const { point, id, when, version, author, approver, retired, proposed, waiting } = rule;
  const level = levels[Number(rule.rule['level']) as keyof typeof levels];
  const defaults = Object.entries(rule.defaults).map(([name, value]) => `${name} ${value}`);
  const marks = [
    ...(defaults.length > 0 ? [say('rule-default', { parts: defaults.join(', ') })] : []),
    ...(retired ? [say('rule-is-retired', {})] : []),
    ...(proposed ? [say('rule-is-differing', {})] : []),
    ...waiting.map(({ id: number, by }) => say('rule-is-waiting', { id: number, by })),
  ];
  const who = approver ? `${author} + ${approver}` : author;
  return [`${point}/${id}`, level, when[language], `v${version} ${who}`, ...marks].join('  ');
}

/** The path of a rule typed as `gateway/device/point/rule`. */
function pathOf(typed: string): string {
  if (/^([a-z0-9-]{1,64}\/){3}[a-z0-9-]{1,64}$/.test(typed)) return `/v1/rules/${typed}`;
  throw new UsageError(bilingual('rule-name-form', { found: typed }));
}

function reasonOf(given: Given): string {
  const reason = given.text('reason')?.trim();
  if (reason) return reason;
  throw new UsageError(bilingual('cli-option-needs-value', { option: '--reason' }));
}

async function list(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  const query = new URLSearchParams({ limit: '1000' });
  for (const name of ['gateway', 'point', 'show']) {
    const text = given.text(name);
    if (text !== undefined) query.set(name, text);
  }
  const items: Rule[] = [];
  for (let after: string | null = ''; after !== null; ) {
    if (after) query.set('after', after);
    const page: { items: Rule[]; next: string | null } = await client.get(`/v1/rules?${query}`);
    items.push(...page.items);
    after = page.next;
  }
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('rule-none', {}));
  else for (const rule of items) output.print(line(rule, output));
  return exit.done;
}

async function show(given: Given, output: Output): Promise<number> {
  const rule = await Client.from(given, output).get<Rule>(pathOf(given.words[0]!));
  if (output.json) output.print(JSON.stringify(rule));
  else {
    output.print(line(rule, output));
    output.print(`  ${rule.decided ?? '-'}  ${rule.reason}`);
    const [own, proposed] = [rule.rule, rule.proposed];
    for (const [name, value] of Object.entries(own)) output.print(`  ${name}: ${plain(value)}`);
    if (proposed) output.print(output.say('rule-proposes', {}));
    for (const [name, value] of Object.entries(proposed ?? {})) {
      if (plain(value) !== plain(own[name])) output.print(`  ${name}: ${plain(value)}`);
    }
  }
  return exit.done;
}

function plain(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : `${value}`;
}

async function history(given: Given, output: Output): Promise<number> {
  const path = `${pathOf(given.words[0]!)}/versions`;
  const { items } = await Client.from(given, output).get<{ items: Rule[] }>(path);
  if (output.json) output.print(JSON.stringify(items));
  for (const each of output.json ? [] : items) {
    const { version, decided, author, approver, reason, when, retired } = each;
    const what = retired ? output.say('rule-is-retired', {}) : when[output.language];
    const who = approver ? `${author} + ${approver}` : author;
    output.print(`v${version}  ${decided ? localTime(decided) : '-'}  ${who}  ${what}  ${reason}`);
  }
  return exit.done;
}

async function check(given: Given, output: Output): Promise<number> {
  const [file = ''] = given.words;
  if (given.flag('offline')) {
    return checkFile(output, file, () => {
      const { problems } = readRuleFile(readText(file), file, null);
      problems.throwIfAny();
      return problems;
    });
  }
  const body = { text: readText(file), file };
  const checked = await Client.from(given, output).post<Checked>('/v1/rules/check', body);
  return tell(checked, file, true, output);
}

async function set(given: Given, output: Output): Promise<number> {
  const [file = ''] = given.words;
  const isTrial = given.flag('dry-run');
  const reason = isTrial ? {} : { reason: reasonOf(given) };
  const body = { text: readText(file), file, ...reason };
  const path = isTrial ? '/v1/rules/check' : '/v1/rules/set';
  return tell(await Client.from(given, output).post<Checked>(path, body), file, isTrial, output);
}

function tell(
  { failed, findings, beyond, changes }: Checked,
  file: string,
  isTrial: boolean,
  output: Output,
): number {
  if (output.json) {
    output.print(JSON.stringify({ file, failed, findings, beyond, changes }));
    return failed ? exit.invalid : exit.done;
  }
  const placed = findings.map(({ line: at, column, path, ...rest }): Finding => {
    const place = at === null ? null : { line: at, column: column ?? 1 };
    return { ...rest, file, path: path.split('.'), place };
  });
  noteFindings(output, { findings: placed, beyond }, readText(file));
  if (failed) {
    output.note(output.say('cli-file-wrong', { file, count: findings.length + beyond }));
    return exit.invalid;
  }
  for (const change of changes) tellChange(change, isTrial, output);
  return exit.done;
}

type Change = Checked['changes'][number];

/** The rule, which version is in force, what becomes of it, and what differs, field by field. */
function tellChange(
  { point, id, outcome, version, approval, fields }: Change,
  isTrial: boolean,
  { say, language, print }: Output,
): void {
  const standing =
    version === 0 ? say('rule-none-in-force', {}) : say('rule-in-force', { version });
  const waits = approval === null ? undefined : say('rule-waits-as', { id: approval });
  const would = isTrial && outcome === 'waits' ? say('rule-would-wait', {}) : undefined;
  const what = waits ?? would ?? say(`rule-outcome-${outcome}`, {});
  print(`${point}/${id}  ${standing}  ${what}`);
  for (const { field, before, after, wasDefault, isDefault } of fields) {
    const old = valueText(before, wasDefault, { say, language });
    const now = valueText(after, isDefault, { say, language });
    print(outcome === 'new' ? `    ${field}: ${now}` : `    ${field}: ${old} -> ${now}`);
  }
}

/** A baseline of 168 numbers is no line. */
const VALUE_TEXT_MAX = 120;

function valueText(
  value: unknown,
  isDefault: boolean,
  { say, language }: Pick<Output, 'say' | 'language'>,
): string {
  if (value === null || value === undefined) return '-';
  const isText = typeof value === 'object' && 'en' in value && 'zh' in value;
  const text = isText ? `${(value as Bilingual)[language]}` : plain(value);
  const cut = text.length > VALUE_TEXT_MAX ? `${text.slice(0, VALUE_TEXT_MAX - 1)}…` : text;
  return isDefault ? say('rule-default', { parts: cut }) : cut;
}

/** A decision about one rule, at the version that was just read: nobody is overruled unseen. */
function decision(verb: 'accept' | 'revert' | 'retire', summary: Bilingual): Verb {
  const isRevert = verb === 'revert';
  return {
    usage: isRevert ? 'revert RULE VERSION' : `${verb} RULE`,
    summary,
    options: { ...clientOptions, reason: 'text', 'dry-run': 'flag' },
    run: async (given, output) => {
      const [typed = '', version = ''] = given.words;
      const path = pathOf(typed);
      if (isRevert && !/^[1-9]\d{0,8}$/.test(version)) throw new UsageError('revert RULE VERSION');
      const reason = given.flag('dry-run') ? '' : reasonOf(given);
      const client = Client.from(given, output);
      const before = await client.get<Rule>(path);
      if (given.flag('dry-run')) {
        if (output.json) output.print(JSON.stringify({ would: verb, rule: before }));
        else output.print(output.say('rule-would', { verb, rule: line(before, output) }));
        return exit.done;
      }
      const body = { reason, ...(isRevert && { version: Number(version) }) };
      const after = await client.post<Rule>(`${path}/${verb}`, body, { revision: before.version });
      if (output.json) output.print(JSON.stringify(after));
      else output.print(line(after, output));
      return exit.done;
    },
  };
}

const HOUR_MS = 3_600_000;
/** Buckets of an hour one call brings: the API's bound is far above. */
const CHUNK_HOURS = 1_000;

interface Bucket {
  readonly t: string;
  readonly mean: number | null;
  readonly count: number;
}

async function baseline(given: Given, output: Output): Promise<number> {
  const [point = ''] = given.words;
  const nowMs = systemClock.wallMs();
  const timeFrom = (option: string, text: string) =>
    timeOf(`--${option}`, given.text(option) ?? text, nowMs);
  // Four whole weeks unless told: each hour of the week has four values.
  const [from, to] = [timeFrom('from', '-28d'), timeFrom('to', 'now')];
  const offset = given.text('utc-offset') ?? '+08:00';
  if (!/^[+-](0\d|1[0-4]):[0-5]\d$/.test(offset)) {
    throw new UsageError(bilingual('not-an-offset', { found: offset }));
  }
  const client = Client.from(given, output);
  const series = await seriesOf(client, point);
  const sums = Array.from({ length: BASELINE_HOURS }, () => ({ sum: 0, weight: 0 }));
  for (let at = from; at < to; at += CHUNK_HOURS * HOUR_MS) {
    const until = Math.min(to, at + CHUNK_HOURS * HOUR_MS);
    const span = `from=${new Date(at).toISOString()}&to=${new Date(until).toISOString()}`;
    const path = `/v1/series/${series}/history?${span}&bucket_ms=${HOUR_MS}`;
    const { buckets = [] } = await client.get<{ buckets?: Bucket[] }>(path);
    for (const { t, mean } of buckets) {
      const slot = sums[hourOfWeek(Date.parse(t), offset)]!;
      if (mean !== null) Object.assign(slot, { sum: slot.sum + mean, weight: slot.weight + 1 });
    }
  }
  const missing = sums.filter(({ weight }) => weight === 0).length;
  if (missing > 0) {
    const values = { missing, hours: BASELINE_HOURS };
    throw new Fault('rule_baseline_short', 'never', bilingual('rule-baseline-short', values));
  }
  const values = sums.map(({ sum, weight }) => Number((sum / weight).toPrecision(6)));
  output.print(
    output.json ? JSON.stringify({ point, baseline: values }) : ready(point, values, offset),
  );
  return exit.done;
}

/** Monday 00:00 local time is 0. 1970-01-01 was a Thursday. */
export function hourOfWeek(atMs: number, offset: string): number {
  const [hours = 0, minutes = 0] = offset.slice(1).split(':').map(Number);
  const away = (hours * 60 + minutes) * 60_000 * (offset.startsWith('-') ? -1 : 1);
  const hour = Math.floor((atMs + away) / HOUR_MS) + 3 * 24;
  return ((hour % BASELINE_HOURS) + BASELINE_HOURS) % BASELINE_HOURS;
}

/** A rule file with one rule, high side, at as much as the usual moves within the week. */
function ready(point: string, values: readonly number[], offset: string): string {
  const spread = Math.max(...values) - Math.min(...values) || Math.abs(values[0]!) || 1;
  const rows = Array.from({ length: 7 }, (_, day) => values.slice(day * 24, day * 24 + 24));
  return [
    'version: 1',
    'rules:',
    `  - point: ${point}`,
    '    kind: deviation',
    '    side: high',
    `    raise: ${Number(spread.toPrecision(3))}`,
    '    level: 3',
    `    utc_offset: "${offset}"`,
    '    baseline:',
    '      [',
    ...rows.map((row) => `        ${row.join(', ')},`),
    '      ]',
  ].join('\n');
}

async function seriesOf(client: Client, point: string): Promise<number> {
  const [gateway = '', device = ''] = point.split('/');
  const query = new URLSearchParams({ gateway, device, limit: '1000' });
  const { items } = await client.get<{ items: { series: number; point: string }[] }>(
    `/v1/series?${query}`,
  );
  const found = items.find((each) => each.point === point);
  if (found) return found.series;
  throw new Fault('api_not_found', 'never', bilingual('rule-point-unknown', { point }));
}

export const verbs: Readonly<Record<string, Verb>> = {
  list: {
    usage: 'list',
    summary: {
      en: 'rules by point; --show in-force, retired, differing (its gateway proposes other), all',
      zh: '按测点列出规则；--show in-force、retired、differing（网关建议不同）、all',
    },
    options: { ...clientOptions, gateway: 'text', point: 'text', show: 'text' },
    run: list,
  },
  show: {
    usage: 'show RULE',
    summary: {
      en: 'one rule (gateway/device/point/rule), and what its gateway proposes',
      zh: '显示一条规则（网关/设备/测点/规则）及网关的建议',
    },
    options: clientOptions,
    run: show,
  },
  history: {
    usage: 'history RULE',
    summary: {
      en: 'every version of a rule: who, when, why',
      zh: '规则的全部版本：由谁、何时、为何',
    },
    options: clientOptions,
    run: history,
  },
  check: {
    usage: 'check FILE',
    summary: {
      en: 'what is wrong with a rule file; --offline without a cloud',
      zh: '检查规则文件；--offline 不连接云端',
    },
    options: { ...clientOptions, offline: 'flag' },
    run: check,
  },
  set: {
    usage: 'set FILE',
    summary: {
      en: 'put the rules of a file in force; --dry-run shows what would change',
      zh: '使文件中的规则生效；--dry-run 只显示变化',
    },
    options: { ...clientOptions, reason: 'text', 'dry-run': 'flag' },
    run: set,
  },
  accept: decision('accept', {
    en: 'take what the gateway proposes and differs',
    zh: '采纳网关提出的不同建议',
  }),
  revert: decision('revert', {
    en: 'go back to an earlier version',
    zh: '恢复到以前的版本',
  }),
  retire: decision('retire', { en: 'put a rule out of force', zh: '停用规则' }),
  baseline: {
    usage: 'baseline POINT',
    summary: {
      en: 'the usual by hour of week from stored history, as a rule file',
      zh: '由历史数据按一周各小时生成基线，输出规则文件',
    },
    options: { ...clientOptions, from: 'text', to: 'text', 'utc-offset': 'text' },
    run: baseline,
  },
};
