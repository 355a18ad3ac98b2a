// `npm run fuzz [-- NAME…] [--runs N] [--seed S] [--from N]`: tries the targets whose names begin
// so, all without one, and prints one JSON line each on stdout. A claim that does not hold ends it
// with the command that tries that one input again.
//
// A million inputs take from ten seconds (PDUs) to some minutes (conversations), and the better part
// of an hour each for the two kinds of YAML files. Inputs are numbered, so `--from` goes on where a
// run of the same seed was ended.
import { parseArgs } from 'node:util';
import type { FuzzTarget } from './target.ts';
import { fuzz } from './target.ts';
import { targets } from './targets.ts';

const RUNS = 1_000_000;
const SEED_MAX = 1_000_000_000;

const usage = () => {
  const lines = targets.map(({ name, about }) => `  ${name.padEnd(22)} ${about}`);
  return `npm run fuzz [-- NAME…] [--runs N] [--seed S] [--from N]\n${lines.join('\n')}\n`;
};

/** Runs one target and tells what it took; false when a claim does not hold. */
function tryTarget(target: FuzzTarget, runs: number, seed: number, from: number): boolean {
  const startMs = performance.now();
  const secondsSince = () => Math.round((performance.now() - startMs) / 100) / 10;
  const rssBefore = process.memoryUsage.rss();
  const onProgress = (done: number) =>
    process.stderr.write(`${target.name}: ${done} of ${runs} in ${secondsSince()} s\n`);
  const facts = { target: target.name, seed, from };
  try {
    fuzz(target, { runs, seed, from, onProgress });
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    if (error instanceof Error) console.error(error.cause);
    console.log(JSON.stringify({ ...facts, result: 'broken' }));
    return false;
  }
  const grownMb = Math.round((process.memoryUsage.rss() - rssBefore) / 2 ** 20);
  const seconds = secondsSince();
  console.log(JSON.stringify({ ...facts, inputs: runs, seconds, grownMb, result: 'held' }));
  return true;
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      runs: { type: 'string' },
      seed: { type: 'string', default: `${Date.now() % SEED_MAX}` },
      from: { type: 'string', default: '0' },
    },
  });
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  const [seed, from] = [Number(values.seed), Number(values.from)];
  const chosen = targets.filter(
    ({ name }) => positionals.length === 0 || positionals.some((begin) => name.startsWith(begin)),
  );
  const areNumbers = [runs ?? 0, seed, from].every((number) => Number.isSafeInteger(number));
  const areKnown = positionals.every((begin) => targets.some(({ name }) => name.startsWith(begin)));
  if (!areNumbers || !areKnown) {
    process.stderr.write(usage());
    return 2;
  }
  const held = chosen.map((target) => tryTarget(target, runs ?? target.runs ?? RUNS, seed, from));
  return held.every((isHeld) => isHeld) ? 0 : 1;
}

process.exitCode = main();
