// `lifeline alarm explain`: why this alarm, in sentences.
import type { Bilingual } from '../core/text/text.ts';
import { unitSymbol } from '../core/units.ts';
import { findAlarm } from './alarm.ts';
import { Client, clientOptions } from './client.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit } from './verb.ts';

interface Explained {
  readonly id: string;
  readonly point: string;
  readonly title: Bilingual;
  readonly rule: { readonly text: readonly Bilingual[] };
  readonly steps: readonly { readonly at: string; readonly text: Bilingual }[];
  readonly notes: readonly Bilingual[];
  readonly samples: readonly {
    readonly t: string;
    readonly v: number | boolean | string | null;
    readonly u: string;
    readonly q: string;
    readonly reason: string;
    readonly decisive: boolean;
  }[];
  readonly left_out: number;
  readonly unreadable: boolean;
}

async function run(given: Given, output: Output): Promise<number> {
  const client = Client.from(given, output);
  const { id } = await findAlarm(client, given.words[0]!);
  const explained = await client.get<Explained>(`/v1/alarms/${id}/explanation`);
  if (output.json) output.print(JSON.stringify(explained));
  else print(explained, output);
  return exit.done;
}

function print(explained: Explained, output: Output): void {
  const { point, title, id, rule, steps, notes, samples, left_out: count } = explained;
  const { language } = output;
  output.print(`${title[language]}  ${point}  ${id}`);
  for (const text of rule.text) output.print(`  ${text[language]}`);
  for (const { at, text } of steps) output.print(`  ${at}  ${text[language]}`);
  for (const text of notes) output.print(`  ${text[language]}`);
  if (samples.length === 0) output.print(`  ${output.say('explain-no-samples', {})}`);
  for (const { t, v, u, q, reason, decisive } of samples) {
    const quality = q === 'good' ? '' : `${q} ${reason === 'none' ? '' : reason}`;
    output.print(
      `  ${decisive ? '>' : ' '} ${t}  ${shown(v)} ${unitSymbol(u, language)}  ${quality}`.trimEnd(),
    );
  }
  if (explained.unreadable) output.note(output.say('replay-unreadable', {}));
  if (count > 0) output.print(`    ${output.say('explain-left-out', { count })}`);
}

function shown(value: number | boolean | string | null): string {
  return typeof value === 'number' ? String(Number(value.toPrecision(6))) : String(value ?? '-');
}

export const explainVerb: Verb = {
  usage: 'explain ID',
  summary: {
    en: 'why this alarm: samples, limits, delays, the rule and its author, each step',
    zh: '说明该报警的原因：采样、限值、延时、规则及其制定人、每一步',
  },
  options: clientOptions,
  run,
};
