// `npm run chaos -- --minutes 5 [--seed N] [--keep]`: one JSON line on stdout, exit 1 when the
// account does not balance. The data folder stays then, and with --keep.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.ts';
import { planOf } from './disturbances.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});

const lengthMs = Number(values.minutes) * 60_000;
const seed = Number(values.seed ?? Date.now() % 1_000_000);
const data = mkdtempSync(join(tmpdir(), 'lifeline-chaos-'));
const abort = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => abort.abort());

console.error(`seed ${seed}; data ${data}`);
console.error(`again: npm run chaos -- --minutes ${values.minutes} --seed ${seed}`);
const report = await runChaos({
  ...{ seed, lengthMs, data, plan: planOf(seed, lengthMs), signal: abort.signal },
  note: (line) => console.error(line),
});
for (const problem of report.wrong) console.error(`WRONG ${problem}`);
console.log(JSON.stringify(report));
if (report.verdict === 'balances' && !values.keep) rmSync(data, { recursive: true });
if (report.verdict !== 'balances') process.exitCode = 1;
