// `npm run world -- --seeds 500 [--from 1] | --seed 7 [--verbose] [--faults kill-edge,loss]
// [--commands]`

import { parseArgs } from 'node:util';
import { commandFaultKinds, type FaultKind, faultKinds } from './faults.ts';
import { again, runWorld } from './world.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    faults: { type: 'string' },
    commands: { type: 'boolean', default: false },
  },
});

const named = values.faults
  ?.split(',')
  .filter((it): it is FaultKind => faultKinds.some((k) => k === it));
const kinds = named ?? (values.commands ? commandFaultKinds : undefined);
const isVerbose = values.verbose;
const first = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
let failed = 0;
let events = 0;
let readings = 0;
let virtualMs = 0;
const begun = process.cpuUsage();
for (let seed = first; seed < first + count; seed++) {
  const result = await runWorld(seed, {
    isVerbose,
    ...(kinds && { kinds }),
    ...(values.commands && { hasCommands: true }),
  });
  events += result.events;
  readings += result.readings;
  virtualMs += result.virtualMs;
  if (isVerbose) console.log(result.trace.join('\n'));
  if (result.problems.length === 0) continue;
  failed++;
  console.log(`seed ${seed} fails:`);
  for (const fault of result.faults) console.log(`  ${fault}`);
  for (const problem of result.problems.slice(0, 12)) console.log(`  - ${problem}`);
  console.log(`  again: ${again(seed, named)}${values.commands ? ' --commands' : ''} --verbose`);
}
const tookMs = process.cpuUsage(begun).user / 1000 + process.cpuUsage(begun).system / 1000;
console.log(
  `${count} seeds, ${failed} failed; ${(tookMs / count).toFixed(0)} ms of processor, ${(events / count).toFixed(0)} events, ` +
    `${(readings / count).toFixed(0)} readings and ${(virtualMs / count / 1000).toFixed(0)} s of the world a seed`,
);
if (failed > 0) process.exitCode = 1;
