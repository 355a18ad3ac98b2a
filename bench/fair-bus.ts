// What a bus with sick devices costs the others: ten devices of ten registers at 9,600 baud, each
// polled once a second, on a simulated line behind a socket; of them 0, 1 or 3 fall silent. Once the
// gateway has given them up, how far the requests to the others are apart is measured at the
// devices, against the period; and what the probes of the silent take of the line.
//
// Real clocks and processes: what the machine's own lateness is, the run without sick devices shows.
import { join } from 'node:path';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { quantile } from './figure.ts';
import { goAhead } from './poll-jitter.ts';
import type { BusEdgeSettings } from './sides/bus-edge.ts';
import type { LineSideSettings } from './sides/line.ts';

const SERIAL = '9600-8N1';
const UNITS = 10;
const REGISTERS = 10;
const PERIOD_MS = 1_000;
const TURNAROUND_MS = 10;
const WARM_MS = 5_000;
/** Three time-outs of each of three, one after the other, and what piled up. */
const SETTLE_MS = 20_000;

interface Line {
  readonly loadPercent: number;
  readonly plannedPercent: number;
  readonly devicesDegraded: number;
}

async function run(bed: Bed): Promise<void> {
  const calmMs = await measured(bed, 0);
  for (const sick of [1, 3]) await measured(bed, sick, calmMs);
}

/** Milliseconds that the furthest interval was from the period. */
async function measured(bed: Bed, sick: number, calmMs?: number): Promise<number> {
  const socket = join(bed.folder, `bus-${sick}.sock`);
  const line = await bed.side('line', {
    ...{ serial: SERIAL, turnaroundMs: TURNAROUND_MS, socket, units: UNITS },
  } satisfies LineSideSettings);
  const edge = await bed.side('bus-edge', {
    ...{ serial: SERIAL, socket, units: UNITS, registers: REGISTERS, periodMs: PERIOD_MS },
    answerMs: TURNAROUND_MS,
  } satisfies BusEdgeSettings);
  const isAhead = [line, edge].every(({ pid }) => goAhead(pid));
  await sleep(WARM_MS);
  // The second, the third and the fourth.
  const units = Array.from({ length: sick }, (_, at) => at + 2);
  if (sick > 0) await line.ask('faults', [`silence:${units.join('+')}`]);
  const sickMs = performance.now();
  await sleep(SETTLE_MS);
  await line.ask('arrivals'); // Those of the settling are not wanted.
  await sleep(bed.pick(60_000, 15_000));
  const arrivals = await line.ask<number[][]>('arrivals');
  const probesMs = await edge.ask<number>('probesMs');
  const state = await edge.ask<Line>('line');
  const { p99: simulatorLateP99Ms } = await line.ask<{ readonly p99: number }>('timing');
  const apart = arrivals
    .filter((_, at) => !units.includes(at + 1))
    .flatMap((atMs) => atMs.slice(1).map((ms, at) => Math.abs(ms - atMs[at]! - PERIOD_MS)));
  const worstMs = Math.max(...apart);
  const about = { sick, intervals: apart.length, loadPercent: state.loadPercent };
  bed.report({
    name: `furthest from the period, ${sick} of ${UNITS} silent`,
    value: worstMs / PERIOD_MS,
    unit: 'of the period',
    target: '<= 0.1',
    ...(calmMs !== undefined && { ratio: { 'none silent': worstMs / calmMs } }),
    with: {
      ...about,
      plannedPercent: state.plannedPercent,
      simulatorLateP99Ms: Number(simulatorLateP99Ms.toFixed(2)),
      priority: isAhead ? 'ahead of other processes' : 'as other processes',
      p50Ms: Number(quantile(apart, 0.5).toFixed(2)),
      p99Ms: Number(quantile(apart, 0.99).toFixed(2)),
    },
  });
  bed.report({
    name: `probes, ${sick} of ${UNITS} silent`,
    value: probesMs / (performance.now() - sickMs),
    unit: 'of the line',
    target: '<= 0.05',
    with: { ...about, degraded: state.devicesDegraded },
  });
  await edge.end();
  await line.end();
  return worstMs;
}

export const fairBus: Bench = {
  name: 'fair-bus',
  about: 'how well devices keep their period while 0, 1 and 3 of 10 on their line are silent',
  run,
};
