// How much of what a serial line can carry the edge gets out of it: polls of one device, one after
// the other, on a simulated line whose characters take their time, against the time that the frames,
// the device and the silences need (Modbus over Serial Line V1.02, 2.5.1):
//
//   8 c + max(t3.5, turnaround) + (5 + 2 N) c + t3.5,   c = 11 / baud (8E1)
//
// How late the simulator itself delivers frames is printed beside it: it counts against us.
import { join } from 'node:path';
import type { Bed, Bench } from './bench.ts';
import type { LineSideSettings } from './sides/line.ts';
import type { LineAsked, LineClientSettings } from './sides/line-client.ts';

const TURNAROUND_MS = 5;
const SHARE_MIN = 0.97;

interface Timing {
  readonly p50: number;
  readonly p99: number;
}

function leastMs(baud: number, registers: number): number {
  const characterMs = 11_000 / baud;
  const silenceMs = baud > 19_200 ? 1.75 : 3.5 * characterMs;
  const frames = (8 + 5 + 2 * registers) * characterMs;
  return frames + Math.max(silenceMs, TURNAROUND_MS) + silenceMs;
}

async function run(bed: Bed): Promise<void> {
  for (const baud of [9_600, 19_200, 115_200]) {
    for (const registers of [125, 10]) await poll(bed, baud, registers);
  }
}

async function poll(bed: Bed, baud: number, registers: number): Promise<void> {
  const serial = `${baud}-8E1`;
  const socket = join(bed.folder, `${baud}-${registers}.sock`);
  const line = await bed.side('line', {
    ...{ serial, turnaroundMs: TURNAROUND_MS, socket },
  } satisfies LineSideSettings);
  const client = await bed.side('line-client', {
    ...{ serial, socket, registers },
  } satisfies LineClientSettings);
  const least = leastMs(baud, registers);
  await client.ask('ask', 20);
  const polls = Math.ceil(bed.pick(15_000, 3_000) / least);
  const { requests, wallMs } = await client.ask<LineAsked>('ask', polls);
  const { p50, p99 } = await line.ask<Timing>('timing');
  bed.report({
    name: `${baud} baud, ${registers} registers`,
    value: (requests * least) / wallMs,
    unit: 'of the line',
    ...(registers === 125 && { target: `>= ${SHARE_MIN}` }),
    with: {
      leastMs: least,
      tookMs: wallMs / requests,
      requests,
      simulatorLateP50Ms: p50,
      simulatorLateP99Ms: p99,
    },
  });
  await client.end();
  await line.end();
}

export const rtuLine: Bench = {
  name: 'rtu-line',
  about: 'use of a serial line of 9,600, 19,200 and 115,200 baud against what it can carry',
  run,
};
