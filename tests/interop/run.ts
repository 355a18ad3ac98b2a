// `npm run interop -- modbus [--write]`: every pair of our two ends and of foreign programs, one
// after another; a JSON line each and the table on stdout. With --write the table goes into the
// README of the protocol.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Outcome } from './pairs.ts';
import { notRun, pairs, runPair } from './pairs.ts';
import { sectionOf, tableOf, withSection } from './table.ts';

/** Beyond it what is left is told as not run. */
const ALL_MS_MAX = 170_000;
const README = fileURLToPath(new URL('../../protocols/modbus/README.md', import.meta.url));

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false } },
  });
  if (positionals.length !== 1 || positionals[0] !== 'modbus') {
    process.stderr.write('npm run interop -- modbus [--write]\n');
    return 2;
  }
  const startMs = performance.now();
  const outcomes: Outcome[] = [];
  for (const pair of pairs) {
    const isLate = performance.now() - startMs > ALL_MS_MAX;
    const outcome = isLate ? notRun(pair, 'no time was left') : await tried(pair);
    outcomes.push(outcome);
    console.log(JSON.stringify(outcome));
  }
  console.log(`\n${tableOf(outcomes)}`);
  if (values.write) {
    const section = sectionOf(outcomes, new Date().toISOString().slice(0, 10));
    writeFileSync(README, withSection(readFileSync(README, 'utf8'), section));
  }
  return outcomes.some(({ result }) => result === 'differs') ? 1 : 0;
}

async function tried(pair: (typeof pairs)[number]): Promise<Outcome> {
  try {
    return await runPair(pair);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ...notRun(pair, ''), notes: [], result: 'differs', differences: [why] };
  }
}

// A pair that found no end may have left something open.
process.exit(await main());
