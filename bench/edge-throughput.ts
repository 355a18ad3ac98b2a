// Readings a CPU-second of the edge, delivered to MQTT: read over Modbus TCP, decoded, stamped,
// normalised, sealed, through the outbox and its commits, sent and acked. 20 devices of 100
// registers, polled as fast as they answer; every register changes with every poll, and report by
// exception is off. All threads of the edge's process count.
import type { Bed, Bench } from './bench.ts';
import { sleep } from './bench.ts';
import { standEdge } from './edge-stand.ts';
import { spent } from './side.ts';

const DEVICES = 20;
const REGISTERS = 100;
/** Twice what an edge does: a poll is due as soon as the one before was answered. */
const PERIOD_MS = 2;
const WARM_MS = 5_000;

interface Counters {
  readonly due: number;
  readonly taken: number;
  readonly missed: number;
  readonly failed: number;
  readonly givenUp: number;
}

async function run(bed: Bed): Promise<void> {
  const plan = { devices: DEVICES, registers: REGISTERS, periodMs: PERIOD_MS };
  const { edge, delivered } = await standEdge(bed, plan);
  await sleep(WARM_MS);
  const first = await delivered();
  const before = await edge.usage();
  await sleep(bed.pick(20_000, 5_000));
  const last = await delivered();
  const after = await edge.usage();
  const { taken, missed, failed, givenUp } = await edge.ask<Counters>('counters');
  const { cpuS, wallS } = spent(before, after);
  const readings = last.readings - first.readings;
  bed.report({
    name: 'readings delivered',
    value: readings / cpuS,
    unit: 'readings/CPU-s',
    target: '>= 300000 now, 1000000 to come',
    with: {
      devices: DEVICES,
      registers: REGISTERS,
      readingsASecond: Math.round(readings / wallS),
      cpuShare: Number((cpuS / wallS).toFixed(2)),
      bytesAReading: Number(((last.bytes - first.bytes) / readings).toFixed(2)),
      readingsARecord: Math.round(readings / (last.records - first.records)),
      duplicates: last.duplicates,
      ...{ taken, missed, failed, givenUp },
    },
  });
}

export const edgeThroughput: Bench = {
  name: 'edge-throughput',
  about: 'readings a CPU-second of the edge, from registers to MQTT through the outbox',
  run,
};
