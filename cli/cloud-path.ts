// `lifeline cloud path`: whether an alarm would get through now, part by part; with --month, how
// well the path did in a month.
import type { Bilingual } from '../core/text/text.ts';
import { Client, clientOptions } from './client.ts';
import { pad } from './columns.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

interface Component {
  readonly name: string;
  readonly kind: string;
  readonly state: 'ok' | 'broken' | 'unknown';
  readonly since: string;
  readonly why: string | null;
  readonly detail: string;
  readonly text: Bilingual | null;
}

interface Test {
  readonly gateway: string;
  readonly every_seconds: number;
  readonly raised: string | null;
  readonly confirmed: string | null;
}

interface Supervision {
  readonly status: 'ok' | 'broken' | 'unknown';
  readonly components: readonly Component[];
  readonly tests: readonly Test[];
}

interface Figures {
  readonly availability: number | null;
  readonly faults: number;
  readonly false_faults: number;
  readonly longest_seconds: number;
  readonly broken_seconds: number;
}

interface Month {
  readonly month: string;
  readonly path: Figures;
  readonly gateways: readonly (Figures & { readonly gateway: string })[];
  readonly faults: readonly {
    readonly component: string;
    readonly from: string;
    readonly to: string | null;
    readonly why: string;
    readonly false_fault: boolean;
  }[];
}

const USAGE = 'path [--month 2026-11]';

async function now(client: Client, output: Output): Promise<number> {
  const found = await client.get<Supervision>('/v1/supervision');
  if (output.json) output.print(JSON.stringify(found));
  else {
    output.print(output.say(`path-cli-${found.status}`, {}));
    for (const component of found.components) output.print(componentLine(component, output));
    for (const test of found.tests) output.print(testLine(test, output));
  }
  return found.status === 'broken' ? exit.found : exit.done;
}

function componentLine(component: Component, output: Output): string {
  const { name, state, since, text, detail } = component;
  const why = [text?.[output.language], detail && `(${detail})`].filter(Boolean).join(' ');
  const word = output.say(`path-cli-state-${state}`, {});
  const from = output.say('path-cli-since', { since: localTime(since) });
  return `  ${[pad(word, 8), pad(name, 28), from, why].join('  ').trimEnd()}`;
}

function testLine({ gateway, raised, confirmed, every_seconds: every }: Test, output: Output) {
  if (raised === null) return `  ${output.say('path-cli-test-none', { gateway, every })}`;
  const at = localTime(raised);
  if (confirmed === null) return `  ${output.say('path-cli-test-open', { gateway, at })}`;
  const seconds = ((Date.parse(confirmed) - Date.parse(raised)) / 1_000).toFixed(2);
  return `  ${output.say('path-cli-test', { gateway, at, seconds })}`;
}

async function month(client: Client, name: string, output: Output): Promise<number> {
  const found = await client.get<Month>(
    `/v1/supervision/figures?month=${encodeURIComponent(name)}`,
  );
  if (output.json) {
    output.print(JSON.stringify(found));
    return exit.done;
  }
  output.print(output.say('path-cli-month', { month: found.month, ...words(found.path) }));
  for (const { gateway, ...figures } of found.gateways) {
    output.print(`  ${pad(gateway, 24)}  ${output.say('path-cli-figures', words(figures))}`);
  }
  for (const { component, from, to, why, false_fault: isFalse } of found.faults) {
    const span = `${localTime(from)} … ${to === null ? '' : localTime(to)}`.trimEnd();
    const mark = isFalse ? output.say('path-cli-false', {}) : '';
    output.print(`  ${[span, pad(component, 28), why, mark].join('  ').trimEnd()}`);
  }
  return exit.done;
}

function words(figures: Figures) {
  const { availability, faults, longest_seconds: longest, false_faults: wrong } = figures;
  const percent = availability === null ? '-' : `${(100 * availability).toFixed(3)} %`;
  return { percent, faults, wrong, longest };
}

export const pathVerb: Verb = {
  usage: 'path',
  summary: {
    en: 'whether an alarm would get through now, part by part; --month 2026-11: how it did',
    zh: '报警通路各环节当前状态；--month 2026-11 查看当月可用率和故障',
  },
  options: { ...clientOptions, month: 'text' },
  run: (given: Given, output: Output) => {
    const name = given.text('month');
    if (name !== undefined && !/^\d{4}-(0[1-9]|1[0-2])$/.test(name)) throw new UsageError(USAGE);
    const client = Client.from(given, output);
    return name === undefined ? now(client, output) : month(client, name, output);
  },
};
