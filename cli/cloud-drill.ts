// `lifeline cloud drill`: checks a scenario, starts it, and prints its report: of each step how long
// after its beginning what happened, and who confirmed.
import type { Scenario } from '../cloud/drills/scenario.ts';
import { readScenario } from '../cloud/drills/scenario.ts';
import { systemClock } from '../core/clock.ts';
import { durationText } from '../core/duration.ts';
import { bilingual, fillBilingual } from '../core/text/text.ts';
import { stopSignal } from './child.ts';
import { Client, clientOptions } from './client.ts';
import { levels, pad } from './columns.ts';
import { whyText } from './delivery-why.ts';
import { readText } from './files.ts';
import { checkFile } from './findings.ts';
import { localTime } from './time.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, needed, UsageError } from './verb.ts';

interface Delivery {
  readonly receiver: string;
  readonly person?: string | null;
  readonly transition: string;
  readonly state: string;
  readonly queued: string;
  readonly sent: string | null;
  readonly accepted: string | null;
  readonly delivered?: string | null;
  readonly seen?: string | null;
  readonly confirmed: string | null;
  readonly confirmed_by: string | null;
  readonly acted?: string | null;
  readonly undelivered: string | null;
  readonly why: string | null;
}

interface StepReport {
  readonly gateway: string;
  readonly level: 1 | 2 | 3 | 4;
  readonly at_ms: number;
  readonly hold_ms: number;
  readonly asked: string | null;
  readonly refused: string | null;
  readonly sent: string | null;
  readonly outcome: string | null;
  readonly answered: string | null;
  readonly began: string | null;
  readonly received: string | null;
  readonly cleared: string | null;
  readonly deliveries: readonly Delivery[];
  readonly confirmed: string | null;
  readonly confirmed_by: string | null;
  readonly took_ms: number | null;
  readonly confirm_within_ms: number;
  readonly untold: readonly string[];
  readonly as_expected: boolean;
}

interface Summary {
  readonly number: number;
  readonly title: Scenario['title'];
  readonly by: string;
  readonly why: string;
  readonly started: string;
  readonly ended: string | null;
  readonly ended_by: string | null;
  readonly as_expected: number;
}

interface Report extends Summary {
  readonly steps: readonly StepReport[];
}

const USAGE = 'drill check FILE | start FILE --why TEXT | list | show NUMBER | end NUMBER';
const LOOK_MS = 1_000;

function check(given: Given, output: Output): Promise<number> {
  const file = given.words[1]!;
  const text = readText(file);
  const read = () => {
    readScenario(text, file);
    return { findings: [], beyond: 0 };
  };
  return Promise.resolve(checkFile(output, file, read));
}

async function start(given: Given, output: Output): Promise<number> {
  const file = given.words[1]!;
  const scenario = readScenario(readText(file), file);
  const client = Client.from(given, output);
  const body = { scenario, why: needed(given, 'why') };
  let report = await client.post<Report>('/v1/drills', body);
  if (given.flag('no-wait')) return show(report, output);
  const signal = stopSignal();
  let told = 0;
  while (report.ended === null && !signal.aborted) {
    const done = report.steps.filter(({ confirmed, refused }) => confirmed ?? refused).length;
    if (done > told) output.note(`${done}/${report.steps.length}`);
    told = done;
    await systemClock.sleep(LOOK_MS, signal);
    if (!signal.aborted) report = await client.get(`/v1/drills/${report.number}`);
  }
  return show(report, output);
}

async function list(given: Given, output: Output): Promise<number> {
  const { items } = await Client.from(given, output).get<{
    items: (Summary & { readonly steps: number })[];
  }>('/v1/drills?limit=200');
  if (output.json) output.print(JSON.stringify(items));
  else if (items.length === 0) output.print(output.say('drill-cli-none', {}));
  else {
    for (const it of items) {
      const { number, started, title, by } = it;
      const result = `${it.as_expected}/${it.steps}`;
      const state = stateText(it, it.as_expected === it.steps, output);
      const cells = [pad(String(number), 4), localTime(started), pad(result, 7), state];
      output.print([...cells, title[output.language], by].join('  '));
    }
  }
  return exit.done;
}

function stateText({ ended, ended_by: by }: Summary, isWell: boolean, { say }: Output): string {
  if (ended === null) return say('drill-cli-runs', {});
  if (by !== null) return say('drill-cli-ended', { by });
  return say(isWell ? 'drill-cli-passed' : 'drill-cli-failed', {});
}

/** 1 when it is over and not as expected. */
function show(report: Report, output: Output): number {
  const isWell = report.steps.every((step) => step.as_expected);
  if (output.json) output.print(JSON.stringify(report));
  else {
    const { language, say } = output;
    const { number, title, by, why, started, steps } = report;
    const values = { number, title: title[language], at: localTime(started), by, why };
    output.print(say('drill-cli-head', values));
    steps.forEach((step, at) => {
      printStep(step, at, report, output);
    });
    output.print(stateText(report, isWell, output));
  }
  return report.ended !== null && !isWell ? exit.found : exit.done;
}

function printStep(step: StepReport, at: number, { started }: Report, output: Output): void {
  const { say } = output;
  const hold = durationText(step.hold_ms);
  const where = { nth: at + 1, level: levels[step.level], gateway: step.gateway, hold };
  output.print(`\n${say('drill-cli-step', where)}`);
  if (step.refused !== null) {
    output.print(`  ${say('drill-cli-refused', { code: step.refused })}`);
    return;
  }
  if (step.asked === null) {
    output.print(`  ${say('drill-cli-planned', {})}`);
    return;
  }
  const fromMs = Date.parse(started) + step.at_ms;
  const events = eventsOf(step, output).filter((event) => event.at !== null);
  events.sort((a, b) => Date.parse(a.at!) - Date.parse(b.at!));
  for (const { at: when, text } of events) {
    const seconds = ((Date.parse(when!) - fromMs) / 1_000).toFixed(3);
    output.print(`  ${seconds.padStart(9)} s  ${text}`);
  }
  if (step.began === null) output.print(`  ${' '.repeat(11)}  ${say('drill-cli-no-alarm', {})}`);
  const allowed = durationText(step.confirm_within_ms);
  const took = step.took_ms === null ? null : `${(step.took_ms / 1_000).toFixed(3)} s`;
  const ids = step.untold.join(', ');
  const result = [
    took === null
      ? say('drill-cli-unconfirmed', { allowed })
      : say('drill-cli-took', { took, allowed }),
    ...(ids ? [say('drill-cli-untold', { ids })] : []),
    say(step.as_expected ? 'drill-cli-passed' : 'drill-cli-failed', {}),
  ];
  output.print(`  => ${result.join('; ')}`);
}

interface Event {
  readonly at: string | null;
  readonly text: string;
}

function eventsOf(step: StepReport, output: Output): Event[] {
  const { say } = output;
  const isDesk = step.deliveries.every(({ confirmed }) => confirmed !== step.confirmed);
  return [
    { at: step.asked, text: say('drill-cli-asked', {}) },
    { at: step.sent, text: say('drill-cli-sent', {}) },
    { at: step.answered, text: say('drill-cli-done', { outcome: step.outcome ?? '-' }) },
    { at: step.began, text: say('drill-cli-rose', {}) },
    { at: step.received, text: say('drill-cli-received', {}) },
    ...step.deliveries
      .filter(({ transition }) => transition !== 'cleared')
      .flatMap((delivery) => deliveryEvents(delivery, output)),
    ...(isDesk && step.confirmed !== null
      ? [{ at: step.confirmed, text: say('drill-cli-desk', { by: step.confirmed_by ?? '-' }) }]
      : []),
    { at: step.cleared, text: say('drill-cli-cleared', {}) },
  ];
}

function deliveryEvents(it: Delivery, { say, language }: Output): Event[] {
  const to = it.person ? `${it.person} (${it.receiver})` : it.receiver;
  const by = it.confirmed_by ?? '-';
  const unsent = { to, state: it.state, why: it.why === null ? '-' : whyText(it.why, language) };
  return [
    { at: it.queued, text: say('drill-cli-queued', { to }) },
    { at: it.sent, text: say('drill-cli-told', { to }) },
    { at: it.accepted, text: say('drill-cli-accepted', { to }) },
    { at: it.delivered ?? null, text: say('drill-cli-delivered', { to }) },
    { at: it.seen ?? null, text: say('drill-cli-seen', { to }) },
    { at: it.confirmed, text: say('drill-cli-confirmed', { to, by }) },
    { at: it.acted ?? null, text: say('drill-cli-acted', { to }) },
    { at: it.undelivered, text: say('drill-cli-undelivered', { to }) },
    { at: it.sent === null ? it.queued : null, text: say('drill-cli-unsent', unsent) },
  ];
}

async function one(given: Given, output: Output, way: 'show' | 'end'): Promise<number> {
  const number = Number(given.words[1]);
  if (!Number.isSafeInteger(number) || number < 1) {
    const values = { option: 'NUMBER', found: given.words[1] ?? '' };
    throw new UsageError(bilingual('cli-not-a-number', values));
  }
  const client = Client.from(given, output);
  const path = `/v1/drills/${number}`;
  const report =
    way === 'show' ? await client.get<Report>(path) : await client.post<Report>(`${path}/end`, {});
  return show(report, output);
}

export const drillVerb: Verb = {
  usage: 'drill ACTION [WHAT]',
  actions: ['check', 'start', 'list', 'show', 'end'],
  summary: {
    en: fillBilingual('drill-cli-summary', {}).en,
    zh: fillBilingual('drill-cli-summary', {}).zh,
  },
  options: { ...clientOptions, why: 'text', 'no-wait': 'flag' },
  run: async (given, output) => {
    const [action, what] = given.words;
    if (action === 'check' && what !== undefined) return check(given, output);
    if (action === 'start' && what !== undefined) return start(given, output);
    if (action === 'list' && what === undefined) return list(given, output);
    if ((action === 'show' || action === 'end') && what !== undefined) {
      return one(given, output, action);
    }
    throw new UsageError(USAGE);
  },
};
