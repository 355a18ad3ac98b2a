// `lifeline alarm replay`: what changed rules would have raised. A rule file is sent to the cloud,
// which has the data; nothing changes there.
import { basename } from 'node:path';
import { systemClock } from '../core/clock.ts';
import type { Finding } from '../core/problems.ts';
import { Client, clientOptions } from './client.ts';
import { readText } from './files.ts';
import { noteFindings } from './findings.ts';
import { timeOf } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

/** Ten million steps of the kernel, and as long again for the store. */
const TIMEOUT_MS = 300_000;
/** Lines of alarms that are new or gone, a rule. */
const LINES_MAX = 10;

interface Replayed {
  readonly began: string;
  readonly raised: string;
  readonly cleared: string | null;
  readonly peak: number | null;
}

interface Counted {
  readonly count: number;
  readonly share: number;
}

interface Rule {
  readonly point: string;
  readonly rule: string;
  readonly changed: Counted;
  readonly present: Counted | null;
  readonly raised: number;
  readonly added: readonly Replayed[];
  readonly added_count: number;
  readonly gone: readonly Replayed[];
  readonly gone_count: number;
}

interface Answer {
  readonly findings: readonly Finding[];
  readonly beyond: number;
  readonly from: string;
  readonly to: string;
  readonly rules: readonly Rule[];
  readonly unreadable: boolean;
  readonly left: readonly {
    readonly point: string;
    readonly rule: string;
    readonly why: 'comparison' | 'too-much';
  }[];
}

async function run(given: Given, output: Output): Promise<number> {
  const [file, begin] = [given.text('rules'), given.text('from')];
  if (file === undefined || begin === undefined) {
    throw new UsageError('replay --rules FILE --from TIME [--to TIME]');
  }
  const nowMs = systemClock.wallMs();
  const from = new Date(timeOf('--from', begin, nowMs)).toISOString();
  const to = new Date(timeOf('--to', given.text('to') ?? 'now', nowMs)).toISOString();
  const rules = readText(file);
  const body = { rules, file: basename(file), from, to };
  const client = Client.from(given, output);
  const answer = await client.post<Answer>('/v1/alarms/replay', body, { timeoutMs: TIMEOUT_MS });
  if (answer.findings.some(({ severity }) => severity === 'error')) {
    const { findings, beyond } = answer;
    if (output.json) output.print(JSON.stringify({ findings, beyond }));
    else noteFindings(output, answer, rules);
    output.note(output.say('cli-file-wrong', { file, count: findings.length + beyond }));
    return exit.invalid;
  }
  if (output.json) {
    output.print(JSON.stringify(answer));
    return exit.done;
  }
  noteFindings(output, answer, rules);
  print(answer, output);
  if (answer.unreadable) output.note(output.say('replay-unreadable', {}));
  return answer.left.length > 0 || answer.unreadable ? exit.partly : exit.done;
}

function print({ from, to, rules, left }: Answer, output: Output): void {
  const sum = (of: (rule: Rule) => number) => rules.reduce((total, rule) => total + of(rule), 0);
  const totals = {
    changed: sum(({ changed }) => changed.count),
    present: sum(({ present }) => present?.count ?? 0),
    raised: sum(({ raised }) => raised),
  };
  output.print(output.say('replay-head', { from, to, ...totals }));
  for (const rule of rules) {
    const { point, rule: id, changed, present, raised } = rule;
    const share = `${Number((changed.share * 100).toPrecision(3))} %`;
    const counts = { changed: changed.count, present: present?.count ?? '-', raised, share };
    output.print(`  ${output.say('replay-rule', { point, rule: id, ...counts })}`);
    differences(output.say('replay-added', {}), rule.added, rule.added_count, output);
    differences(output.say('replay-gone', {}), rule.gone, rule.gone_count, output);
  }
  for (const { point, rule, why } of left) {
    output.note(output.say(`replay-left-${why}`, { point, rule }));
  }
}

function differences(
  word: string,
  alarms: readonly Replayed[],
  count: number,
  output: Output,
): void {
  for (const { raised, cleared, peak } of alarms.slice(0, LINES_MAX)) {
    const most = peak === null ? '' : String(Number(peak.toPrecision(6)));
    output.print(`    ${word}  ${raised}  ${cleared ?? '-'}  ${most}`.trimEnd());
  }
  const beyond = count - Math.min(alarms.length, LINES_MAX);
  if (beyond > 0) output.print(`    ${word}  ${output.say('replay-beyond', { count: beyond })}`);
}

export const replayVerb: Verb = {
  usage: 'replay',
  summary: {
    en: 'which alarms the rules of a file would have raised on stored data (--rules --from [--to])',
    zh: '用存储的数据回放规则文件，看会产生哪些报警（--rules --from [--to]）',
  },
  options: { ...clientOptions, rules: 'text', from: 'text', to: 'text' },
  run,
};
