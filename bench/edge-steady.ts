// What the edge takes while it does what a large site asks: 20 devices of 100 registers at 1 s,
// every register changing, report by exception off, so 2,000 readings a second. CPU as a share of
// one core; memory at the end, from the kernel. As gateways run it: emitted JavaScript, where it
// has been built.
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { standEdge } from './edge-stand.ts';
import { codeToRun, unitFlags } from './emitted.ts';
import { spent } from './side.ts';

const DEVICES = 20;
const REGISTERS = 100;
const PERIOD_MS = 1_000;
const WARM_MS = 15_000;
const MIB = 1024 ** 2;

async function run(bed: Bed): Promise<void> {
  const code = codeToRun();
  const plan = { devices: DEVICES, registers: REGISTERS, periodMs: PERIOD_MS, code };
  const { edge, delivered } = await standEdge(bed, plan);
  await sleep(bed.pick(WARM_MS, 3_000));
  const first = await delivered();
  const before = await edge.usage();
  await sleep(bed.pick(45_000, 10_000));
  const last = await delivered();
  const after = await edge.usage();
  const { cpuS, wallS } = spent(before, after);
  const about = {
    code,
    flags: unitFlags().join(' '),
    readingsASecond: Math.round((last.readings - first.readings) / wallS),
    seconds: Math.round(wallS),
  };
  bed.report({ name: 'CPU share', value: (100 * cpuS) / wallS, unit: '% of a core', with: about });
  const { anonymousBytes, residentBytes } = after;
  bed.report({ name: 'anonymous memory', value: anonymousBytes / MIB, unit: 'MiB', with: about });
  bed.report({ name: 'resident memory', value: residentBytes / MIB, unit: 'MiB', with: about });
}

export const edgeSteady: Bench = {
  name: 'edge-steady',
  about: 'CPU share and memory of the edge at 2,000 readings a second',
  run,
};
