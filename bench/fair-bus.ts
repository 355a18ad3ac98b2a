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
  readonly probesPercent: number;
  readonly devicesDegraded: number;
}

async function run(bed: Bed): Promise<void> {
  for (const sick of [0, 1, 3]) await measured(bed, sick);
}

async function measured(bed: Bed, sick: number): Promise<void> {
  const socket = join(bed.folder, `bus-${sick}.sock`);
  const line = await bed.side('line', {
    ...{ serial: SERIAL, turnaroundMs: TURNAROUND_MS, socket, units: UNITS },
  } satisfies LineSideSettings);
  const edge = await bed.side('bus-edge', {
    ...{ serial: SERIAL, socket, units: UNITS, registers: REGISTERS, periodMs: PERIOD_MS },
    answerMs: TURNAROUND_MS,
  } satisfies BusEdgeSettings);
  await sleep(WARM_MS);
  // The second, the third and the fourth.
  const units = Array.from({ length: sick }, (_, at) => at + 2);
  if (sick > 0) await line.ask('faults', [`silence:${units.join('+')}`]);
  await sleep(SETTLE_MS);
  await line.ask('arrivals'); // Those of the settling are not wanted.
  await sleep(bed.pick(60_000, 15_000));
  const arrivals = await line.ask<number[][]>('arrivals');
  const state = await edge.ask<Line>('line');
  const apart = arrivals
    .filter((_, at) => !units.includes(at + 1))
    .flatMap((atMs) => atMs.slice(1).map((ms, at) => Math.abs(ms - atMs[at]! - PERIOD_MS)));
  const about = { sick, intervals: apart.length, loadPercent: state.loadPercent };
  bed.report({
    name: `furthest from the period, ${sick} of ${UNITS} silent`,
    value: Math.max(...apart) / PERIOD_MS,
    unit: 'of the period',
    target: '<= 0.1',
    with: {
      ...about,
      plannedPercent: state.plannedPercent,
      p50Ms: Number(quantile(apart, 0.5).toFixed(2)),
      p99Ms: Number(quantile(apart, 0.99).toFixed(2)),
    },
  });
  bed.report({
    name: `probes, ${sick} of ${UNITS} silent`,
    value: state.probesPercent / 100,
    unit: 'of the line',
    target: '<= 0.05',
    with: { ...about, degraded: state.devicesDegraded },
  });
  await edge.end();
  await line.end();
}

export const fairBus: Bench = {
  name: 'fair-bus',
  about: 'how well devices keep their period while 0, 1 and 3 of 10 on their line are silent',
  run,
};
