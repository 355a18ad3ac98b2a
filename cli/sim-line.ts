// `lifeline sim line`: a serial line with devices on it, for programs of ours and foreign ones.
import { systemClock } from '../core/clock.ts';
import { durationText } from '../core/duration.ts';
import { Problems } from '../core/problems.ts';
import { bilingual } from '../core/text/text.ts';
import { loadProfile } from '../device-profiles/loader.ts';
import type { SimBus } from '../simulators/bus.ts';
import { faultKinds, isAnswerFault, playFaults } from '../simulators/faults.ts';
import type { LineForm, LinePlan } from '../simulators/line-file.ts';
import { lineForm, parseLineFile, planLine, startBus } from '../simulators/line-file.ts';
import { LineServer, parseEndpoint } from '../simulators/line-server.ts';
import { preciseClock } from '../simulators/precise-clock.ts';
import { framings } from '../simulators/station.ts';
import { aborted, answerParent, stopSignal, tellParent } from './child.ts';
import { readText } from './files.ts';
import { faultsFrom } from './sim-faults.ts';
import type { Given, Output, Verb } from './verb.ts';
import { exit, UsageError } from './verb.ts';

const SERIAL = '9600-8N1';
/** What a file says and options must not say again. */
const inFile = ['profile', 'units', 'set', 'serial', 'framing', 'turnaround'] as const;

function planOf(given: Given): LinePlan {
  const [file] = given.words;
  const plan = file === undefined ? planFromOptions(given) : planFromFile(given, file);
  if (plan.endpoints.length === 0) throw new UsageError(bilingual('sim-line-nowhere'));
  return plan;
}

function endpointsOf(given: Given): string[] {
  const pty = given.text('pty');
  return [...given.list('line'), ...(pty === undefined ? [] : [`pty:${pty}`])];
}

/** Ends of the line, faults and the seed may be added to what a file says. */
function planFromFile(given: Given, file: string): LinePlan {
  for (const option of inFile) {
    const isGiven = option === 'set' ? given.list(option).length > 0 : given.text(option);
    if (isGiven) throw new UsageError(bilingual('sim-line-both', { option }));
  }
  const plan = parseLineFile(readText(file), file);
  const context = { on: 'line', settings: plan.settings } as const;
  const endpoints = endpointsOf(given).map((text) => {
    const endpoint = parseEndpoint(text);
    if (!endpoint) throw new UsageError(bilingual('sim-endpoint-wrong', { found: text }));
    return endpoint;
  });
  return {
    ...plan,
    seed: given.number('seed') ?? plan.seed,
    endpoints: [...plan.endpoints, ...endpoints],
    faults: [...plan.faults, ...faultsFrom(given.list('fault'), context)],
  };
}

function planFromOptions(given: Given): LinePlan {
  const profile = given.text('profile');
  if (profile === undefined) throw new UsageError(bilingual('sim-line-what'));
  const framingText = given.text('framing');
  const framing = framings.find((each) => each === framingText);
  if (framingText !== undefined && !framing) {
    throw new UsageError(bilingual('sim-framing-wrong', { found: framingText }));
  }
  const turnaround = given.number('turnaround');
  const form: LineForm = lineForm.parse({
    version: 1,
    serial: given.text('serial') ?? SERIAL,
    framing,
    turnaround: turnaround === undefined ? undefined : durationText(Math.round(turnaround)),
    seed: Math.trunc(given.number('seed') ?? 0) >>> 0,
    listen: endpointsOf(given),
    stations: [{ units: given.text('units') ?? '1', profile, set: settingsOf(given) }],
    faults: given.list('fault').flatMap((text) => text.split(',')),
  });
  const problems = new Problems('sim line');
  const plan = planLine(form, problems);
  problems.throwIfAny();
  return plan!;
}

function settingsOf(given: Given): Record<string, number | boolean> {
  const pairs = given.list('set').map((assignment) => {
    const [point, text] = assignment.split('=');
    if (!point || text === undefined) {
      throw new UsageError(bilingual('sim-set-usage', { found: assignment }));
    }
    return [point, text === 'true' ? true : text === 'false' ? false : Number(text)] as const;
  });
  return Object.fromEntries(pairs);
}

function statistics({ line, served }: SimBus) {
  const { frames, p50, p99, max } = line.timingErrorMs;
  const round = (ms: number) => Math.round(ms * 1000) / 1000;
  const timingErrorMs = { p50: round(p50), p99: round(p99), max: round(max) };
  return { frames, served, collisions: line.collisions, timingErrorMs };
}

async function runLine(given: Given, output: Output): Promise<number> {
  const signal = stopSignal();
  const plan = planOf(given);
  using bus = startBus(preciseClock, plan, loadProfile, systemClock);
  await using server = await LineServer.open(bus, plan.endpoints);
  const shared = plan.faults.filter(({ kind }) => faultKinds[kind].on === 'both');
  const stopFaults = playFaults(systemClock, shared, (now) => {
    for (const modbus of server.modbus) modbus.faults = now.filter(isAnswerFault);
  });
  const stations = plan.stations.map(({ unit, profile }) => ({ unit, profile }));
  const facts = { listen: server.addresses, stations };
  if (output.json) output.print(JSON.stringify({ event: 'ready', ...facts }));
  const counts = new Map<string, number>();
  for (const { profile } of stations) counts.set(profile, (counts.get(profile) ?? 0) + 1);
  const units = [...counts].map(([profile, count]) => `${count} × ${profile}`).join(', ');
  for (const address of server.addresses) {
    output.note(output.say('cli-listening', { name: units, address }));
  }
  answerParent({ statistics: () => statistics(bus) });
  tellParent({ kind: 'ready', facts });
  await aborted(signal);
  stopFaults();
  const { frames, served, collisions, timingErrorMs } = statistics(bus);
  if (output.json) output.print(JSON.stringify({ event: 'done', ...statistics(bus) }));
  const { p50, p99 } = timingErrorMs;
  output.note(output.say('sim-line-done', { frames, served, collisions, p50, p99 }));
  return exit.done;
}

export const lineVerb: Verb = {
  usage: 'line [FILE]',
  summary: {
    en: 'devices on a serial line: a file, or --profile and --units; --fault makes it sick',
    zh: '串行线路上的多台设备：给出文件，或用 --profile 和 --units；--fault 模拟故障',
  },
  options: {
    profile: 'text',
    units: 'text',
    set: 'list',
    serial: 'text',
    framing: 'text',
    turnaround: 'number',
    line: 'list',
    pty: 'text',
    fault: 'list',
    seed: 'number',
  },
  run: runLine,
};
