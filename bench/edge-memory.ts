// Memory of the edge with 10,000 points at 1 s, every one changing and reported, the outbox on:
// what it is in the end, the most it was, and whether it grows. Ten minutes when asked for by name.
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { standEdge } from './edge-stand.ts';
import { codeToRun, unitFlags } from './emitted.ts';
import { quantile } from './figure.ts';
import type { Usage } from './side.ts';

const DEVICES = 100;
const REGISTERS = 100;
const LOOK_MS = 5_000;
const MIB = 1024 ** 2;

async function run(bed: Bed): Promise<void> {
  const code = codeToRun();
  const shape = { devices: DEVICES, registers: REGISTERS, periodMs: 1_000 };
  const { edge, delivered } = await standEdge(bed, { ...shape, code });
  const minutes = bed.options.isNamed ? 10 : 1.5;
  const looks = (bed.pick(minutes, 0.5) * 60_000) / LOOK_MS;
  const seen: Usage[] = [];
  for (let look = 0; look < looks; look++) {
    await sleep(LOOK_MS);
    seen.push(await edge.usage());
  }
  const { readings } = await delivered();
  const median = (values: readonly number[]) => quantile(values, 0.5);
  for (const [name, of, target] of [
    ['anonymous', 'anonymousBytes', 90],
    ['resident', 'residentBytes', 150],
  ] as const) {
    const values = seen.map((usage) => usage[of] / MIB);
    const third = Math.floor(values.length / 3);
    const about = {
      code,
      flags: unitFlags().join(' '),
      minutes: (looks * LOOK_MS) / 60_000,
      mostMiB: Math.round(Math.max(...values)),
      middleThirdMiB: Math.round(median(values.slice(third, 2 * third))),
      readings,
    };
    const value = median(values.slice(-third));
    bed.report({ name, value, unit: 'MiB', target: `<= ${target}`, with: about });
  }
}

export const edgeMemory: Bench = {
  name: 'edge-memory',
  about: 'memory of the edge with 10,000 points at 1 s; 10 minutes when named, 90 s in the set',
  run,
};
