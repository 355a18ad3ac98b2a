// How punctual polls are: 100 devices of 100 registers at 1 s, so 10,000 points. Once undisturbed;
// once while the backlog of an earlier run drains and every fsync of the edge takes 500 ms longer
// (slow-fsync.c, preloaded into the edge's process: the call really takes that long, in whichever
// thread makes it).
//
// Punctual is what the device sees: requests arrive at t0 + n × 1 s, and how far each is from that
// is its jitter; t0 is the median of its device. So what the network's stack and the process of the
// devices add counts too, and so does a machine that is busy: undisturbed beside disturbed shows
// how much that is, and a metronome (a process that only waits) says how late anybody was woken.
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { fillOutbox } from './backlog.ts';
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { compileSlowFsync } from './compiled.ts';
import { standEdge } from './edge-stand.ts';
import { codeToRun } from './emitted.ts';
import { quantile } from './figure.ts';

const DEVICES = 100;
const REGISTERS = 100;
const PERIOD_MS = 1_000;
const FSYNC_MS = 500;
/** What drains in 90 s at the pace of a backlog. */
const BACKLOG_BYTES = 24 * 1024 ** 2;
const OUTBOX_BYTES = 1024 ** 3;
const WARM_MS = 10_000;

async function run(bed: Bed): Promise<void> {
  const calm = await measured(bed, 'undisturbed', {}, 0);
  const preload = compileSlowFsync(bed);
  if (!preload) return;
  const environment = { LD_PRELOAD: preload, SLOW_FSYNC_MS: `${FSYNC_MS}` };
  await measured(bed, 'disturbed', environment, BACKLOG_BYTES, calm);
}

async function measured(
  bed: Bed,
  name: string,
  environment: Readonly<Record<string, string>>,
  backlogBytes: number,
  calm?: number,
): Promise<number> {
  const outboxFolder = join(bed.folder, `outbox-${name}`);
  if (backlogBytes > 0) {
    const backlog = { folder: outboxFolder, bytes: backlogBytes, bytesMax: OUTBOX_BYTES };
    fillOutbox({ ...backlog, records: 'sealed' });
  }
  const shape = { devices: DEVICES, registers: REGISTERS, periodMs: PERIOD_MS };
  const stand = await standEdge(bed, { ...shape, code: codeToRun(), environment, outboxFolder });
  await sleep(bed.pick(WARM_MS, 5_000));
  await stand.devices.ask('arrivals'); // Those of the warming are not wanted.
  const metronome = await bed.side('metronome', null);
  const isAhead = [stand.edge, stand.devices, metronome].every(({ pid }) => goAhead(pid));
  await stand.edge.ask('blockedMs');
  const first = await stand.delivered();
  await sleep(bed.pick(40_000, 10_000));
  const arrivals = await stand.devices.ask<number[][]>('arrivals');
  const metronomeMs = await metronome.ask<number>('lateMs');
  const edgeBlockedMs = await stand.edge.ask<number>('blockedMs');
  const last = await stand.delivered();
  const { missed } = await stand.edge.ask<{ missed: number }>('counters');
  const late = arrivals.flatMap(deviations);
  const worst = quantile(late, 0.999);
  const backfill = last.backfill - first.backfill;
  bed.report({
    name: `p99.9, ${name}`,
    value: worst,
    unit: 'ms',
    ...(calm !== undefined && { target: '<= 5', ratio: { undisturbed: worst / calm } }),
    with: {
      points: DEVICES * REGISTERS,
      polls: late.length,
      p50: Number(quantile(late, 0.5).toFixed(2)),
      p99: Number(quantile(late, 0.99).toFixed(2)),
      worst: Number(Math.max(...late).toFixed(2)),
      missed,
      priority: isAhead ? 'ahead of other processes' : 'as other processes',
      edgeBlockedMs: Number(edgeBlockedMs.toFixed(2)),
      metronomeP999: Number(metronomeMs.toFixed(2)),
      fsyncMs: backlogBytes > 0 ? FSYNC_MS : 0,
      backlogReadings: backfill,
    },
  });
  await metronome.end();
  await stand.end();
  return worst;
}

/**
 * Puts the main thread of a process ahead of others' on this machine, so that what else runs here
 * weighs less; false where that takes more rights. Threads behind it keep their place.
 */
export function goAhead(pid: number): boolean {
  try {
    setPriority(pid, constants.priority.PRIORITY_HIGHEST);
    return true;
  } catch {
    return false; // Not root.
  }
}

/** How far each arrival is from its place in the device's own rhythm. */
function deviations(arrivalsMs: readonly number[]): number[] {
  const [first = 0] = arrivalsMs;
  const phases = arrivalsMs.map(
    (atMs) => atMs - PERIOD_MS * Math.round((atMs - first) / PERIOD_MS),
  );
  const phase = quantile(phases, 0.5);
  return phases.map((each) => Math.abs(each - phase));
}

export const pollJitter: Bench = {
  name: 'poll-jitter',
  about: 'how punctual 10,000 points at 1 s are while a backlog drains and an fsync takes 500 ms',
  run,
};
