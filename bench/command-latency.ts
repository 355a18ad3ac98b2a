// How long a command waits on a line that is never free: devices polled without a pause, so that a
// transaction is always under way, and commands to them at random moments. Of each command:
//
//   decided to first byte   the door has decided (and recorded) it, until the write leaves;
//   decided to answered     until the device has confirmed the write;
//   message to answered     from its message, with two commits of the ledger (fsync) before it. What
//                           those take is the disk's matter, not the line's: no target.
//
// Seconds are worth what the machine was: `pollP99Ms` beside `transactionMs` says how even it ran,
// and `beganBeforeItMost`, which no machine changes, how many requests were ever sent after a
// command was decided and before it (the one under way is not among them).
//
// The unit is the transaction: the median of the polls of the same run, from the first byte of a
// request to the last of its answer. The silences between are not in it, which counts against us.
//
// (a) a simulated serial line with 12 devices of 125 registers, whose characters take their time;
// (b) Modbus TCP, one request at a time, 12 units of 125 registers that take 20 ms each.
import { join } from 'node:path';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { quantile } from './figure.ts';
import { goAhead } from './poll-jitter.ts';
import type { CommandEdgeSettings, Passed } from './sides/command-edge.ts';
import type { CommandPlace, CommandPlantSettings } from './sides/command-plant.ts';

const UNITS = 12;
const REGISTERS = 125;
const SERIAL = '19200-8E1';
const LINE_TURNAROUND_MS = 5;
const TCP_TURNAROUND_MS = 20;
/** A poll of all takes the line 1.9 s and the server 0.25 s: never a pause. */
const PERIOD_MS = 200;
const WARM_MS = 5_000;
const TRANSACTIONS_MAX = 2;

interface LineNow {
  readonly loadPercent: number;
}

async function run(bed: Bed): Promise<void> {
  const socket = join(bed.folder, 'line.sock');
  await measured(bed, 'line', { kind: 'line', serial: SERIAL, socket }, LINE_TURNAROUND_MS);
  await measured(bed, 'tcp', { kind: 'tcp' }, TCP_TURNAROUND_MS);
}

async function measured(
  bed: Bed,
  name: string,
  place: CommandPlace,
  turnaroundMs: number,
): Promise<void> {
  const plant = await bed.side('command-plant', {
    ...{ place, units: UNITS, registers: REGISTERS, turnaroundMs },
  } satisfies CommandPlantSettings);
  const link =
    place.kind === 'line'
      ? { kind: 'sim', socket: place.socket, serial: place.serial, answer: `${turnaroundMs}ms` }
      : {
          ...{ kind: 'tcp', host: '127.0.0.1', port: await plant.ask<number>('port') },
          ...{ in_flight: 1, answer: `${turnaroundMs}ms` },
        };
  const edge = await bed.side('command-edge', {
    ...{ link, units: UNITS, registers: REGISTERS, periodMs: PERIOD_MS },
    folder: join(bed.folder, name),
  } satisfies CommandEdgeSettings);
  const isAhead = [plant, edge].every(({ pid }) => goAhead(pid));
  await sleep(WARM_MS);
  await edge.ask('pollsMs'); // Those of the start are not wanted.
  const passed: Passed[] = [];
  // In portions: no side may be silent for long.
  for (let left = bed.pick(400, 60); left > 0; left -= 20) {
    passed.push(...(await edge.ask<Passed[]>('command', { count: 20, apartMs: 200 })));
  }
  const { loadPercent } = await edge.ask<LineNow>('link');
  const pollsMs = await edge.ask<number[]>('pollsMs');
  await edge.end();
  await plant.end();
  const priority = isAhead ? 'ahead of other processes' : 'as other processes';
  report(bed, name, passed, pollsMs, { loadPercent, priority });
}

function report(
  bed: Bed,
  place: string,
  passed: readonly Passed[],
  pollsMs: readonly number[],
  state: { readonly loadPercent: number; readonly priority: string },
): void {
  const transactionMs = quantile(pollsMs, 0.5);
  const spans: Readonly<Record<string, (one: Passed) => number>> = {
    'decided to first byte': ({ decidedMs, firstByteMs }) => firstByteMs - decidedMs,
    'decided to answered': ({ decidedMs, answeredMs }) => answeredMs - decidedMs,
    'message to answered': ({ answeredMs }) => answeredMs,
  };
  const ledgerMs = passed.map(({ decidedMs }) => decidedMs);
  for (const [span, of] of Object.entries(spans)) {
    const ms = passed.map(of);
    const about = {
      commands: passed.length,
      ...state,
      transactionMs: Number(transactionMs.toFixed(2)),
      worst: Number((Math.max(...ms) / transactionMs).toFixed(2)),
      pollP99Ms: Number(quantile(pollsMs, 0.99).toFixed(2)),
      beganBeforeItMost: Math.max(...passed.map(({ before }) => before)),
      ledgerP50Ms: Number(quantile(ledgerMs, 0.5).toFixed(2)),
      ledgerP99Ms: Number(quantile(ledgerMs, 0.99).toFixed(2)),
    };
    for (const [share, title] of [
      [0.5, 'p50'],
      [0.99, 'p99'],
    ] as const) {
      bed.report({
        name: `${place}, ${span}, ${title}`,
        value: quantile(ms, share) / transactionMs,
        unit: 'transactions',
        ...(!span.startsWith('message') && { target: `<= ${TRANSACTIONS_MAX}` }),
        with: about,
      });
    }
  }
}

export const commandLatency: Bench = {
  name: 'commands',
  about: 'how many transactions a command waits for on a line and a TCP device that are never free',
  run,
};
